/* list.sort: keys are extracted once, looked through for a common type, and sorted by the comparison of that
 * type: raw words, floats, strings; anything else by <.
 *
 * Invariants
 *  1. While the sort runs the list is empty; its storage belongs to the sort, which roots it, and goes back in
 *     every case, a permutation of what it was. What was put into the list meanwhile is dropped, and reported.
 *  2. Equal items keep their order, also with reverse.
 */
#include "list.h"

enum { SORT_MIN_RUN = 24, SORT_MAX_RUNS = 64 };

typedef struct sort_pair {
    value key, val;
} sort_pair;

/* ---- comparisons ---- */

static inline int less_int(vm *vm, value x, value y)
{
    (void)vm;
    return x.bits < y.bits;
}

static inline int less_float(vm *vm, value x, value y)
{
    (void)vm;
    return value_as_float(x) < value_as_float(y);
}

static inline int less_str(vm *vm, value x, value y)
{
    (void)vm;
    const str *a = AS(str, x), *b = AS(str, y);
    if (LIKELY(str_width(a) == 1 && str_width(b) == 1)) {
        int r = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);
        return r ? r < 0 : a->len < b->len;
    }
    return str_cmp(a, b) < 0;
}

/* Two objects of one class, neither of which is a sequence. */
static int less_object(vm *vm, value x, value y)
{
    type *t = type_of(vm, x);
    if (UNLIKELY(!vm_tick(vm, 1))) return -1;
    ROOTS(vm, &x, &y);
    if (!vm_enter(vm)) return -1;
    value r = t->s.compare ? t->s.compare(vm, x, y, CMP_LT) : V_NOTIMPLEMENTED;
    if (UNLIKELY(value_is(r, V_NOTIMPLEMENTED))) r = obj_compare_reflected(vm, x, y, t, CMP_LT);
    vm_leave(vm);
    if (value_is_error(r)) return -1;
    return value_is_bool(r) ? value_is(r, V_TRUE) : obj_truth(vm, r);
}

static int less_any(vm *vm, value x, value y)
{
    if (value_both_int(x, y)) return less_int(vm, x, y);
    if (value_is_float(x) && value_is_float(y)) return less_float(vm, x, y);
    if (value_is_obj(x) && value_is_obj(y)) {
        uint32_t shape = value_as_obj(x)->shape;
        if (shape == value_as_obj(y)->shape) {
            if (shape == TYPE_STR) return less_str(vm, x, y);
            if (value_as_obj(x)->kind == K_INSTANCE || value_as_obj(x)->kind == K_USERDATA)
                return less_object(vm, x, y);
            int order = seq_order_fast(x, y);
            if (order != SEQ_UNKNOWN) return UNLIKELY(!vm_tick(vm, 1)) ? -1 : order < 0;
        }
    }
    if (UNLIKELY(!vm_tick(vm, 1))) return -1;
    value r = obj_compare(vm, x, y, CMP_LT);
    if (value_is_error(r)) return -1;
    return value_is_bool(r) ? value_is(r, V_TRUE) : obj_truth(vm, r);
}

#define SORT_NAME           ints
#define SORT_ELEM           value
#define SORT_LESS(vm, x, y) less_int(vm, x, y)
#include "list_sort_merge.inc"
#define SORT_NAME           floats
#define SORT_ELEM           value
#define SORT_LESS(vm, x, y) less_float(vm, x, y)
#include "list_sort_merge.inc"
#define SORT_NAME           strs
#define SORT_ELEM           value
#define SORT_LESS(vm, x, y) less_str(vm, x, y)
#include "list_sort_merge.inc"
#define SORT_NAME           any
#define SORT_ELEM           value
#define SORT_LESS(vm, x, y) less_any(vm, x, y)
#include "list_sort_merge.inc"
#define SORT_NAME           int_pairs
#define SORT_ELEM           sort_pair
#define SORT_LESS(vm, x, y) less_int(vm, (x).key, (y).key)
#include "list_sort_merge.inc"
#define SORT_NAME           float_pairs
#define SORT_ELEM           sort_pair
#define SORT_LESS(vm, x, y) less_float(vm, (x).key, (y).key)
#include "list_sort_merge.inc"
#define SORT_NAME           str_pairs
#define SORT_ELEM           sort_pair
#define SORT_LESS(vm, x, y) less_str(vm, (x).key, (y).key)
#include "list_sort_merge.inc"
#define SORT_NAME           any_pairs
#define SORT_ELEM           sort_pair
#define SORT_LESS(vm, x, y) less_any(vm, (x).key, (y).key)
#include "list_sort_merge.inc"

/* ---- what kind of keys ---- */

enum sort_type { SORT_INTS, SORT_FLOATS, SORT_STRS, SORT_ANY };

static enum sort_type sort_type_of(value v)
{
    if (value_is_int(v)) return SORT_INTS;
    if (value_is_float(v)) return SORT_FLOATS;
    return value_is_exact(v, TYPE_STR) ? SORT_STRS : SORT_ANY;
}

/* keys: every `stride`th value. */
static enum sort_type sort_scan(const value *keys, size_t n, size_t stride)
{
    enum sort_type t = sort_type_of(keys[0]);
    for (size_t i = 1; i < n && t != SORT_ANY; i++) {
        if (sort_type_of(keys[i * stride]) != t) t = SORT_ANY;
    }
    return t;
}

static bool sort_values(vm *vm, value *a, size_t n, value *tmp)
{
    switch (sort_scan(a, n, 1)) {
    case SORT_INTS: return sort_ints(vm, a, n, tmp);
    case SORT_FLOATS: return sort_floats(vm, a, n, tmp);
    case SORT_STRS: return sort_strs(vm, a, n, tmp);
    default: return sort_any(vm, a, n, tmp);
    }
}

static bool sort_pairs(vm *vm, sort_pair *a, size_t n, sort_pair *tmp)
{
    switch (sort_scan(&a->key, n, 2)) {
    case SORT_INTS: return sort_int_pairs(vm, a, n, tmp);
    case SORT_FLOATS: return sort_float_pairs(vm, a, n, tmp);
    case SORT_STRS: return sort_str_pairs(vm, a, n, tmp);
    default: return sort_any_pairs(vm, a, n, tmp);
    }
}

static void reverse_values(value *a, size_t n)
{
    for (size_t i = 0, j = n; i + 1 < j; i++) {
        value v = a[i];
        a[i] = a[--j];
        a[j] = v;
    }
}

static void reverse_pairs(sort_pair *a, size_t n)
{
    for (size_t i = 0, j = n; i + 1 < j; i++) {
        sort_pair v = a[i];
        a[i] = a[--j];
        a[j] = v;
    }
}

/* ---- the sort ---- */

static bool sort_plain(vm *vm, value *items, size_t n, bool reverse)
{
    size_t bytes = n / 2 * sizeof(value);
    value *tmp = mem_zalloc(vm, bytes);
    if (!tmp) return false;
    ROOT_SPAN(vm, tmp, n / 2);
    if (reverse) reverse_values(items, n);
    bool ok = sort_values(vm, items, n, tmp);
    if (reverse) reverse_values(items, n);
    mem_free(vm, tmp, bytes);
    return ok;
}

/* One allocation: the pairs, then room for half of them. */
static bool sort_by_key(vm *vm, value *items, size_t n, value key, bool reverse)
{
    size_t total = n + n / 2, bytes = total * sizeof(sort_pair);
    sort_pair *pairs = mem_zalloc(vm, bytes);
    if (!pairs) return false;
    ROOT_SPAN(vm, pairs, total * 2);
    ROOTS(vm, &key);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        pairs[i].val = items[i];
        pairs[i].key = vm_call1(vm, key, items[i]);
        ok = !value_is_error(pairs[i].key);
    }
    if (ok) {
        if (reverse) reverse_pairs(pairs, n);
        ok = sort_pairs(vm, pairs, n, pairs + n);
        if (reverse) reverse_pairs(pairs, n);
        for (size_t i = 0; i < n; i++) items[i] = pairs[i].val;
    }
    mem_free(vm, pairs, bytes);
    return ok;
}

bool list_sort(vm *vm, list *l, value key, bool reverse)
{
    if (l->len < 2 && (value_is_unbound(key) || value_is_none(key))) return true;
    if (l->len == 0) return true;
    if (l->len > UINT32_MAX / 4) {
        raise_memory(vm);
        return false;
    }
    value *items = l->items;
    size_t n = l->len, cap = l->cap;
    memset(list_cards(l), 0, list_ncards(cap));
    uint16_t buffer = l->h.flags & LIST_BUFFER;
    l->h.flags &= (uint16_t)~LIST_BUFFER;
    l->items = NULL;
    l->len = l->cap = 0;
    bool ok;
    {
        ROOTS(vm, &l);
        ROOT_SPAN(vm, items, n);
        ok = value_is_unbound(key) || value_is_none(key) ? sort_plain(vm, items, n, reverse)
                                                         : sort_by_key(vm, items, n, key, reverse);
    }
    if (l->items) {
        if (ok) raise_value_error(vm, "list modified during sort");
        ok = false;
        list_clear(vm, l);
    }
    l->items = items;
    l->len = n;
    l->cap = cap;
    l->h.flags |= buffer;
    gc_barrier(vm, l);
    return ok;
}
