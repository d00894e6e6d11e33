/* What list and tuple share: comparing item by item, and the arguments of index(). */
#include "list.h"

/* One item or the whole, re-read each time: comparing may run script that changes both. */
static bool seq_item(value s, size_t i, value *out)
{
    value *items;
    size_t n;
    if (!list_or_tuple(s, &items, &n) || i >= n) return false;
    *out = items[i];
    return true;
}

/* From i on, the first position whose items are not the same word. At most so many that nobody waits for it. */
static size_t seq_same(value a, value b, size_t i)
{
    value *x, *y;
    size_t m, n;
    if (!list_or_tuple(a, &x, &m) || !list_or_tuple(b, &y, &n)) return i;
    if (n > m) n = m;
    if (n > i + 4096) n = i + 4096;
    while (i < n && x[i].bits == y[i].bits) i++;
    return i;
}

static size_t seq_len(value s) { return IS_LIST(s) ? AS(list, s)->len : AS(tuple, s)->len; }

/* Tuples of numbers and strings, as they serve for keys. Does not descend. */
int tuple_equal_fast(const tuple *a, const tuple *b)
{
    if (a->len != b->len) return 0;
    for (size_t i = 0; i < a->len; i++) {
        value x = a->items[i], y = b->items[i];
        if (x.bits == y.bits) continue;
        if (value_both_int(x, y)) return 0;
        if (!value_is_exact(x, TYPE_STR) || !value_is_exact(y, TYPE_STR)) return -1;
        if (!str_eq(AS(str, x), AS(str, y))) return 0;
    }
    return 1;
}

/* Two items whose comparison runs nothing; equal by identity counts, as it does inside sequences. */
static int item_order_fast(value x, value y, int levels)
{
    if (x.bits == y.bits) return 0;
    if (value_both_int(x, y)) return x.bits < y.bits ? -1 : 1;
    if (!value_is_obj(x) || !value_is_obj(y)) {
        if (!(value_is_float(x) || value_is_int(x)) || !(value_is_float(y) || value_is_int(y))) return SEQ_UNKNOWN;
        double a = value_is_float(x) ? value_as_float(x) : (double)value_as_int(x);
        double b = value_is_float(y) ? value_as_float(y) : (double)value_as_int(y);
        return a < b ? -1 : a > b ? 1 : a == b ? 0 : SEQ_UNKNOWN;
    }
    uint32_t shape = value_as_obj(x)->shape;
    if (shape != value_as_obj(y)->shape) return SEQ_UNKNOWN;
    if (shape == TYPE_STR) {
        int r = str_cmp(AS(str, x), AS(str, y));
        return (r > 0) - (r < 0);
    }
    if ((shape != TYPE_TUPLE && shape != TYPE_LIST) || levels == 0) return SEQ_UNKNOWN;
    const value *a, *b;
    size_t na, nb;
    if (shape == TYPE_TUPLE) {
        a = AS(tuple, x)->items, na = AS(tuple, x)->len;
        b = AS(tuple, y)->items, nb = AS(tuple, y)->len;
    } else {
        a = AS(list, x)->items, na = AS(list, x)->len;
        b = AS(list, y)->items, nb = AS(list, y)->len;
    }
    if (na > 16 || nb > 16) return SEQ_UNKNOWN; /* not without a look at the counter */
    for (size_t i = 0; i < na && i < nb; i++) {
        if (a[i].bits == b[i].bits) continue;
        if (value_both_int(a[i], b[i])) return a[i].bits < b[i].bits ? -1 : 1;
        int r = item_order_fast(a[i], b[i], levels - 1);
        if (r) return r;
    }
    return na < nb ? -1 : na > nb;
}

int seq_order_fast(value a, value b)
{
    if (!value_is_obj(a) || !value_is_obj(b)) return SEQ_UNKNOWN;
    uint32_t shape = value_as_obj(a)->shape;
    if ((shape != TYPE_TUPLE && shape != TYPE_LIST) || shape != value_as_obj(b)->shape) return SEQ_UNKNOWN;
    return item_order_fast(a, b, 3);
}

value seq_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (!value_is_obj(b) || value_as_obj(a)->kind != value_as_obj(b)->kind) return V_NOTIMPLEMENTED;
    if (a.bits != b.bits && IS_LIST(a) && seq_len(a) != seq_len(b) && (op == CMP_EQ || op == CMP_NE))
        return value_bool(op == CMP_NE);
    value x, y;
    ROOTS(vm, &a, &b);
    for (size_t i = 0;; i++) {
        size_t from = i;
        i = seq_same(a, b, i);
        if (UNLIKELY(i - from >= 64) && !vm_tick(vm, (uint32_t)(i - from) / 8)) return V_ERROR;
        if (!seq_item(a, i, &x) || !seq_item(b, i, &y)) break;
        int same = value_equal(vm, x, y);
        if (same < 0) return V_ERROR;
        if (same) {
            if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return V_ERROR;
            continue;
        }
        if (!seq_item(a, i, &x) || !seq_item(b, i, &y)) break; /* gone: the lengths decide */
        if (op == CMP_EQ) return V_FALSE;
        if (op == CMP_NE) return V_TRUE;
        return obj_compare(vm, x, y, op);
    }
    size_t m = seq_len(a), n = seq_len(b);
    return value_bool(compare_holds((m > n) - (m < n), op));
}

/* A subscript that is no slice, as a number of 64 bits. false: raised. */
bool seq_index(vm *vm, value key, const char *name, int64_t *out)
{
    if (LIKELY(value_is_int(key))) {
        *out = value_as_int(key);
        return true;
    }
    if (!int_is(key) && !type_of(vm, key)->s.index) {
        raise_type_error(vm, "%s indices must be integers or slices, not %T", name, key);
        return false;
    }
    return obj_as_index(vm, key, out, EXC_IndexError);
}

/* start and stop of index(x, start, stop): clamped, negative ones from the end. */
static bool seq_bound(vm *vm, value v, int64_t len, int64_t fallback, int64_t *out)
{
    if (value_is_unbound(v)) {
        *out = fallback;
        return true;
    }
    if (!int_is(v) && !type_of(vm, v)->s.index) {
        raise_type_error(vm, "slice indices must be integers or have an __index__ method");
        return false;
    }
    if (!obj_as_index(vm, v, out, 0)) return false;
    if (*out < 0 && (*out += len) < 0) *out = 0;
    return true;
}

bool seq_index_args(vm *vm, value start, value stop, size_t len, int64_t *from, int64_t *to)
{
    return seq_bound(vm, start, (int64_t)len, 0, from) && seq_bound(vm, stop, (int64_t)len, INT64_MAX, to);
}

/* The setter of members that can't be set: the message of a member, not that of a getset. */
bool seq_readonly(vm *vm, value self, value v)
{
    (void)self, (void)v;
    raise(vm, EXC_AttributeError, "readonly attribute");
    return false;
}
