/* tuple. Immutable once it can be seen by script; items[len] of a subclass's instance is its slots pointer. */
#include "dict.h"
#include "iter.h"
#include "list.h"
#include "native.h"

#define DOC_FILE vm_tuple
DOC_BEGIN;

#define TUPLE_MAX (SIZE_MAX / 32)

/* ---- making ---- */

static value **tuple_slots(tuple *t) { return (value **)(void *)&t->items[t->len]; }

static tuple *tuple_alloc(vm *vm, uint32_t shape, size_t n)
{
    if (UNLIKELY(n > TUPLE_MAX)) {
        raise_memory(vm);
        return NULL;
    }
    tuple *t = gc_new_fast(vm, K_TUPLE, shape, sizeof(tuple) + (n + (shape >= TYPE_COUNT)) * sizeof(value));
    if (t) t->len = n;
    return t;
}

tuple *tuple_new(vm *vm, size_t n)
{
    if (n == 0 && vm->empty_tuple) return vm->empty_tuple;
    return tuple_alloc(vm, TYPE_TUPLE, n);
}

/* tuple_new for who writes all the items at once. */
static inline tuple *tuple_unset(vm *vm, size_t n)
{
    tuple *t = n && n < HEAP_FINE_MAX ? gc_new_raw(vm, K_TUPLE, TYPE_TUPLE, sizeof(tuple) + n * sizeof(value)) : NULL;
    if (UNLIKELY(!t)) return tuple_new(vm, n);
    t->len = n;
    return t;
}

tuple *tuple_from(vm *vm, const value *items, size_t n)
{
    tuple *t = tuple_unset(vm, n);
    if (UNLIKELY(!t)) return NULL;
    for (size_t i = 0; i < n; i++) t->items[i] = items[i];
    return t;
}

tuple *tuple_pack(vm *vm, uint32_t n, ...)
{
    tuple *t = tuple_unset(vm, n);
    if (!t) return NULL;
    va_list ap;
    va_start(ap, n);
    for (uint32_t i = 0; i < n; i++) t->items[i] = va_arg(ap, value);
    va_end(ap);
    return t;
}

static void tuple_traverse(vm *vm, object *o)
{
    tuple *t = (tuple *)(void *)o;
    gc_mark_many(vm, o, t->items, t->len);
    if (UNLIKELY(o->shape >= TYPE_COUNT)) gc_mark_slots(vm, o, *tuple_slots(t));
}

static void tuple_free(vm *vm, object *o)
{
    if (UNLIKELY(o->shape >= TYPE_COUNT)) object_slots_free(vm, o, *tuple_slots((tuple *)(void *)o));
}

static value tuple_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value iterable = V_UNBOUND;
    /* A subclass may have its own __init__ with keywords; then they are not ours to refuse. */
    bool strict = t == T(vm, TUPLE) || t->s.init == T(vm, TUPLE)->s.init;
    if (!args_unpack(vm, "tuple", args, nargs, strict ? kwnames : V_UNBOUND, 0, 1, &iterable)) return V_ERROR;
    tuple *src = vm->empty_tuple;
    if (!value_is_unbound(iterable)) {
        src = obj_to_tuple(vm, iterable);
        if (!src) return V_ERROR;
    }
    if (t == T(vm, TUPLE)) return value_obj(src);
    tuple *r = tuple_alloc(vm, t->root_shape, src->len);
    if (!r) return V_ERROR;
    memcpy(r->items, src->items, src->len * sizeof(value));
    return value_obj(r);
}

/* ---- slots ---- */

static value tuple_slot_repr(vm *vm, value self)
{
    tuple *t = AS(tuple, self);
    if (t->len == 0) return value_obj(str_from_cstr(vm, "()"));
    int entered = repr_enter(vm, self);
    if (entered < 0) return V_ERROR;
    if (!entered) return value_obj(str_from_cstr(vm, "(...)"));
    ROOTS(vm, &t);
    str_builder b;
    sb_init(&b, vm);
    sb_char(&b, '(');
    bool ok = true;
    for (size_t i = 0; ok && i < t->len; i++) ok = repr_item(&b, i, t->items[i]);
    if (ok && t->len == 1) sb_char(&b, ',');
    repr_leave(vm, self);
    return repr_end(&b, ok, ')');
}

#define XX_PRIME_1 UINT64_C(11400714785074694791)
#define XX_PRIME_2 UINT64_C(14029467366897019727)
#define XX_PRIME_5 UINT64_C(2870177450012600261)

static inline uint64_t hash_mix(uint64_t acc, uint64_t lane)
{
    acc += lane * XX_PRIME_2;
    acc = acc << 31 | acc >> 33;
    return acc * XX_PRIME_1;
}

/* The item hashes, mixed as xxHash mixes its lanes. The depth is counted from the first item on whose hash may
 * come back here. */
static bool tuple_slot_hash(vm *vm, value self, uint64_t *out)
{
    tuple *t = AS(tuple, self);
    uint64_t acc = XX_PRIME_5, lane;
    size_t i = 0;
    for (; i < t->len; i++) {
        value v = t->items[i];
        if (value_is_int(v)) lane = dict_hash_int(v);
        else if (value_is_exact(v, TYPE_STR)) lane = dict_hash_str(vm, AS(str, v));
        else break;
        acc = hash_mix(acc, lane);
    }
    if (i < t->len) {
        if (!vm_enter(vm)) return false;
        ROOTS(vm, &t);
        for (; i < t->len; i++) {
            if (!dict_hash_key(vm, t->items[i], &lane)) {
                vm_leave(vm);
                return false;
            }
            acc = hash_mix(acc, lane);
        }
        vm_leave(vm);
    }
    acc += t->len ^ (XX_PRIME_5 ^ UINT64_C(3527539));
    *out = acc == UINT64_MAX ? UINT64_C(1546275796) : acc;
    return true;
}

static int64_t tuple_slot_len(vm *vm, value self)
{
    (void)vm;
    return (int64_t)AS(tuple, self)->len;
}

static int tuple_slot_contains(vm *vm, value self, value v)
{
    tuple *t = AS(tuple, self);
    ROOTS(vm, &t, &v);
    for (size_t i = 0; i < t->len; i++) {
        int r = value_equal(vm, t->items[i], v);
        if (r) return r;
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return -1;
    }
    return 0;
}

static value tuple_slot_getitem(vm *vm, value self, value key)
{
    tuple *t = AS(tuple, self);
    int64_t i;
    ROOTS(vm, &t);
    if (value_is_exact(key, TYPE_SLICE)) {
        int64_t start, stop, step;
        if (!slice_unpack(vm, key, &start, &stop, &step)) return V_ERROR;
        int64_t n = slice_clamp((int64_t)t->len, &start, &stop, step);
        if ((size_t)n == t->len && step == 1 && t->h.shape == TYPE_TUPLE) return self;
        tuple *r = tuple_unset(vm, (size_t)n);
        if (!r) return V_ERROR;
        for (int64_t k = 0, at = start; k < n; k++, at += step) r->items[k] = t->items[at];
        return value_obj(r);
    }
    if (!seq_index(vm, key, "tuple", &i)) return V_ERROR;
    if (i < 0) i += (int64_t)t->len;
    if ((uint64_t)i < t->len) return t->items[i];
    return raise(vm, EXC_IndexError, "tuple index out of range");
}

static value tuple_slot_concat(vm *vm, value self, value other)
{
    if (!IS_TUPLE(other)) return raise_type_error(vm, "can only concatenate tuple (not \"%T\") to tuple", other);
    tuple *a = AS(tuple, self), *b = AS(tuple, other);
    if (a->len == 0 && b->h.shape == TYPE_TUPLE) return other;
    if (b->len == 0 && a->h.shape == TYPE_TUPLE) return self;
    size_t m = a->len, n = b->len;
    tuple *r = tuple_unset(vm, m + n);
    if (!r) return V_ERROR;
    if (m + n > 64) {
        memcpy(r->items, a->items, m * sizeof(value));
        memcpy(r->items + m, b->items, n * sizeof(value));
        return value_obj(r);
    }
    for (size_t i = 0; i < m; i++) r->items[i] = a->items[i];
    for (size_t i = 0; i < n; i++) r->items[m + i] = b->items[i];
    return value_obj(r);
}

static value tuple_slot_repeat(vm *vm, value self, value count)
{
    tuple *t = AS(tuple, self);
    int64_t n;
    size_t total;
    ROOTS(vm, &t);
    if (!obj_as_index(vm, count, &n, EXC_OverflowError)) return V_ERROR;
    if (n == 1 && t->h.shape == TYPE_TUPLE) return value_obj(t);
    if (n < 0) n = 0;
    if (!size_mul(t->len, (size_t)n, &total)) return raise_memory(vm);
    tuple *r = tuple_unset(vm, total);
    if (!r) return V_ERROR;
    if (total) {
        memcpy(r->items, t->items, t->len * sizeof(value));
        seq_fill(r->items, t->len, total);
    }
    return value_obj(r);
}

static value tuple_slot_iter(vm *vm, value self) { return iter_new(vm, TYPE_TUPLE_ITER, self); }

/* ---- methods ---- */

static value tuple_m_count(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    tuple *t = AS(tuple, args[0]);
    int64_t n = 0;
    for (size_t i = 0; i < t->len; i++) {
        int r = value_equal(vm, t->items[i], args[1]);
        if (r < 0) return V_ERROR;
        n += r;
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return V_ERROR;
    }
    return value_int(n);
}

static value tuple_m_index(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    tuple *t = AS(tuple, args[0]);
    int64_t from, to;
    if (!seq_index_args(vm, args[2], args[3], t->len, &from, &to)) return V_ERROR;
    for (size_t i = (size_t)from; i < t->len && (int64_t)i < to; i++) {
        int r = value_equal(vm, t->items[i], args[1]);
        if (r < 0) return V_ERROR;
        if (r) return value_int((int64_t)i);
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return V_ERROR;
    }
    return raise_value_error(vm, "tuple.index(x): x not in tuple");
}

static value tuple_m_getnewargs(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    tuple *t = AS(tuple, args[0]);
    tuple *copy = tuple_from(vm, t->items, t->len);
    return copy ? value_obj(tuple_pack(vm, 1, value_obj(copy))) : V_ERROR;
}

static const native_def tuple_methods[] = {
    {"count(self, value, /)", tuple_m_count, DOC("Return number of occurrences of value."), 0},
    {"index(self, value, start=0, stop=9223372036854775807, /)", tuple_m_index,
     DOC("Return first index of value.\n\nRaises ValueError if the value is not present."), 0},
    {"__getnewargs__(self, /)", tuple_m_getnewargs, NULL, 0},
    {0},
};

void type_init_tuple(vm *vm)
{
    static const gc_kind_ops ops = {.traverse = tuple_traverse, .free = tuple_free, .tells_parts = true};
    gc_register_kind(vm, K_TUPLE, &ops);
    type *t = T(vm, TUPLE);
    t->methods = tuple_methods;
    t->s.new_ = tuple_slot_new;
    t->s.repr = tuple_slot_repr;
    t->s.hash = tuple_slot_hash;
    t->s.compare = seq_compare;
    t->s.len = tuple_slot_len;
    t->s.contains = tuple_slot_contains;
    t->s.getitem = tuple_slot_getitem;
    t->s.concat = tuple_slot_concat;
    t->s.repeat = tuple_slot_repeat;
    t->s.iter = tuple_slot_iter;
}
