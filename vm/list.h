/* list inside vm/: the storage and its barrier, and the paths that the interpreter inlines.
 *
 * Invariants
 *  1. items has room for cap values; beyond LIST_CARD_MIN it is followed by one card byte per 64 values. It is a buffer
 *     of the list's own (LIST_BUFFER), or lies behind the list in its cell: a short list that was made with its items
 *     is one object until it grows. Exact lists only; when it has moved to a buffer it does not come back.
 *  2. Card bytes are 0 unless GC_CARDS is set.
 *  3. Nobody keeps a pointer into items across a call that can run script or append.
 */
#ifndef AIO_LIST_H
#define AIO_LIST_H

#include "types_api.h"

enum { LIST_CARD_SHIFT = 6, LIST_CARD_MIN = GC_CARD_MIN / sizeof(value) };
enum { LIST_BUFFER = 1 /* header flag */, LIST_INLINE_MAX = 23 };
#define LIST_MAX (SIZE_MAX / 32)

static inline bool list_is_inline(const list *l) { return l->items && !(l->h.flags & LIST_BUFFER); }

static inline uint8_t *list_cards(const list *l) { return (uint8_t *)(l->items + l->cap); }
static inline size_t list_ncards(size_t cap)
{
    return cap > LIST_CARD_MIN ? (cap + (1 << LIST_CARD_SHIFT) - 1) >> LIST_CARD_SHIFT : 0;
}
static inline size_t list_bytes(size_t cap) { return cap * sizeof(value) + list_ncards(cap); }

void list_remember(vm *vm, list *l, size_t i);
/* After l->items[i] = v. */
static inline void list_barrier(vm *vm, list *l, size_t i)
{
    if (UNLIKELY(l->h.gc & GC_BARRIER)) list_remember(vm, l, i);
}
/* After references moved inside of items, none of them new. */
static inline void list_moved(vm *vm, list *l)
{
    if (UNLIKELY(l->h.gc & GC_CARDS)) gc_barrier(vm, l);
}

bool list_grow(vm *vm, list *l, size_t need); /* room for `need` items in all; false: MemoryError raised */
static inline bool list_reserve(vm *vm, list *l, size_t need)
{
    return LIKELY(need <= l->cap) || list_grow(vm, l, need);
}
static inline bool list_push(vm *vm, list *l, value v) /* list_append, inline */
{
    size_t n = l->len;
    if (UNLIKELY(n == l->cap) && !list_grow(vm, l, n + 1)) return false;
    l->items[n] = v;
    l->len = n + 1;
    list_barrier(vm, l, n);
    return true;
}
/* l[i] for a small int: unbound when it is out of range. */
static inline value list_at(const list *l, int64_t i)
{
    if (i < 0) i += (int64_t)l->len;
    return LIKELY((uint64_t)i < l->len) ? l->items[i] : V_UNBOUND;
}

list *list_from(vm *vm, const value *items, size_t n);
void list_truncate(vm *vm, list *l, size_t n);     /* to its first n items; may give storage back */
bool list_extend(vm *vm, list *l, value iterable); /* runs script; false: raised */
bool list_insert(vm *vm, list *l, size_t at, value v);
void list_clear(vm *vm, list *l);
value list_repr(vm *vm, value self);
/* The items of list or tuple `o` (no script); false: o is neither. */
static inline bool list_or_tuple(value o, value **items, size_t *n)
{
    if (IS_LIST(o)) {
        *items = AS(list, o)->items;
        *n = AS(list, o)->len;
    } else if (IS_TUPLE(o)) {
        *items = AS(tuple, o)->items;
        *n = AS(tuple, o)->len;
    } else {
        return false;
    }
    return true;
}

int tuple_equal_fast(const tuple *a, const tuple *b); /* seq.c */
/* Equality where no script can run: 1 0, -1: ask obj_equal. */
static inline int value_equal_fast(value a, value b)
{
    if (a.bits == b.bits) return 1;
    if (value_both_int(a, b)) return 0;
    if (value_is_obj(a) && value_is_obj(b)) {
        uint32_t shape = value_as_obj(a)->shape;
        if (shape != value_as_obj(b)->shape) return -1;
        if (shape == TYPE_STR) return str_eq(AS(str, a), AS(str, b));
        if (shape == TYPE_TUPLE) return tuple_equal_fast(AS(tuple, a), AS(tuple, b));
        return -1;
    }
    if (value_is_float(a) && value_is_float(b)) return value_as_float(a) == value_as_float(b);
    if (value_is_obj(a) || value_is_obj(b)) {
        uint32_t shape = value_as_obj(value_is_obj(a) ? a : b)->shape; /* with a number or a constant */
        return shape == TYPE_STR || shape == TYPE_TUPLE || shape == TYPE_LIST ? 0 : -1;
    }
    return value_is_none(a) || value_is_none(b) || (value_is_bool(a) && value_is_bool(b)) ? 0 : -1;
}
/* Identity, then ==. The items may be dropped by their containers meanwhile. */
static inline int value_equal(vm *vm, value a, value b)
{
    int r = value_equal_fast(a, b);
    if (LIKELY(r >= 0)) return r;
    ROOTS(vm, &a, &b);
    return obj_equal(vm, a, b);
}

/* slice.c: the slice's numbers, then what they mean for a length that was read after that script ran. */
bool slice_unpack(vm *vm, value slice, int64_t *start, int64_t *stop, int64_t *step);
int64_t slice_clamp(int64_t len, int64_t *start, int64_t *stop, int64_t step); /* returns the count */
bool slice_indices(vm *vm, value slice, value len, value out[3]);              /* slice.indices: ints of any size */

/* seq.c: what list and tuple share */
value seq_compare(vm *vm, value a, value b, enum compare_op op);
/* -1, 0 or 1 as a is less than, equal to or greater than b: two short tuples, or two short lists, of numbers, strings
 * and the like whose comparison runs no script. Anything else, NaNs too: SEQ_UNKNOWN. */
enum { SEQ_UNKNOWN = 2 };
int seq_order_fast(value a, value b);
bool seq_index(vm *vm, value key, const char *name, int64_t *out);
bool seq_index_args(vm *vm, value start, value stop, size_t len, int64_t *from, int64_t *to);
bool seq_readonly(vm *vm, value self, value v);         /* a getset's set: "readonly attribute" */
void seq_fill(value *items, size_t unit, size_t total); /* repeats items[0, unit) */

#endif
