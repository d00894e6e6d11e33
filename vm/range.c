/* range, of ints of any size: start, stop, step and length are plain int values, the length worked out once. */
#include "iter.h"
#include "list.h"
#include "native.h"

#define DOC_FILE vm_range
DOC_BEGIN;

static const range *as_range(value v) { return AS(range, v); }

static value range_make(vm *vm, value start, value stop, value step, value len)
{
    range *r = gc_new_fast(vm, K_RANGE, TYPE_RANGE, sizeof *r);
    if (!r) return V_ERROR;
    r->start = start;
    r->stop = stop;
    r->step = step;
    r->len = len;
    return value_obj(r);
}

/* How many items? Plain ints; error: raised. */
static value range_length(vm *vm, value start, value stop, value step)
{
    if (value_both_int(start, stop) && value_is_int(step)) {
        int64_t a = value_as_int(start), b = value_as_int(stop), s = value_as_int(step);
        if (s > 0) return a < b ? int_from_i64(vm, (b - a - 1) / s + 1) : value_int(0);
        return a > b ? int_from_i64(vm, (a - b - 1) / -s + 1) : value_int(0);
    }
    ROOTS(vm, &start, &stop, &step);
    if (int_sign(vm, step) < 0) {
        value t = start;
        start = stop;
        stop = t;
        step = int_binary(vm, OPR_SUB, value_int(0), step);
        if (value_is_error(step)) return V_ERROR;
    }
    if (int_compare(vm, start, stop) >= 0) return value_int(0);
    value n = int_binary(vm, OPR_SUB, stop, start);
    if (!value_is_error(n)) n = int_binary(vm, OPR_SUB, n, value_int(1));
    if (!value_is_error(n)) n = int_binary(vm, OPR_FLOORDIV, n, step);
    return value_is_error(n) ? n : int_binary(vm, OPR_ADD, n, value_int(1));
}

/* start, stop, step are plain ints, step not 0. */
value range_new(vm *vm, value start, value stop, value step)
{
    ROOTS(vm, &start, &stop, &step);
    value len = range_length(vm, start, stop, step);
    return value_is_error(len) ? len : range_make(vm, start, stop, step, len);
}

static value range_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)t;
    value in[3] = {V_UNBOUND, V_UNBOUND, V_UNBOUND}, out[3] = {V_UNBOUND, V_UNBOUND, V_UNBOUND};
    if (!args_unpack(vm, "range", args, nargs, kwnames, 1, 3, in)) return V_ERROR;
    ROOT_SPAN(vm, out, 3);
    for (uint32_t i = 0; i < nargs; i++) {
        out[i] = value_is_int(in[i]) ? in[i] : obj_index(vm, in[i]);
        if (value_is_error(out[i])) return V_ERROR;
        out[i] = int_plain(vm, out[i]);
    }
    if (nargs == 1) return range_new(vm, value_int(0), out[0], value_int(1));
    if (nargs == 2) return range_new(vm, out[0], out[1], value_int(1));
    if (int_sign(vm, out[2]) == 0) return raise_value_error(vm, "range() arg 3 must not be zero");
    return range_new(vm, out[0], out[1], out[2]);
}

/* start + i * step */
static value range_item(vm *vm, const range *r, value i)
{
    int64_t a, s, k, x;
    if (int_to_i64(vm, r->start, &a) && int_to_i64(vm, r->step, &s) && int_to_i64(vm, i, &k) &&
        !__builtin_mul_overflow(s, k, &x) && !__builtin_add_overflow(a, x, &x))
        return int_from_i64(vm, x);
    value v = int_binary(vm, OPR_MUL, i, r->step);
    return value_is_error(v) ? v : int_binary(vm, OPR_ADD, v, r->start);
}

/* ---- slots ---- */

static value range_slot_repr(vm *vm, value self)
{
    const range *r = as_range(self);
    if (r->step.bits == value_int(1).bits) return value_obj(str_format(vm, "range(%R, %R)", r->start, r->stop));
    return value_obj(str_format(vm, "range(%R, %R, %R)", r->start, r->stop, r->step));
}

static int64_t range_slot_len(vm *vm, value self)
{
    int64_t n;
    if (int_to_i64(vm, as_range(self)->len, &n)) return n;
    raise_overflow(vm, "Python int too large to convert to C ssize_t");
    return -1;
}

static int range_slot_truth(vm *vm, value self)
{
    (void)vm;
    return as_range(self)->len.bits != value_int(0).bits;
}

static bool range_same(vm *vm, const range *a, const range *b)
{
    if (int_compare(vm, a->len, b->len) != 0) return false;
    if (a->len.bits == value_int(0).bits) return true;
    if (int_compare(vm, a->start, b->start) != 0) return false;
    return a->len.bits == value_int(1).bits || int_compare(vm, a->step, b->step) == 0;
}

static value range_slot_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (!value_is_exact(b, TYPE_RANGE) || (op != CMP_EQ && op != CMP_NE)) return V_NOTIMPLEMENTED;
    return value_bool(range_same(vm, as_range(a), as_range(b)) == (op == CMP_EQ));
}

static bool range_slot_hash(vm *vm, value self, uint64_t *out)
{
    const range *r = as_range(self);
    bool some = r->len.bits != value_int(0).bits, many = some && r->len.bits != value_int(1).bits;
    tuple *t = tuple_pack(vm, 3, r->len, some ? r->start : V_NONE, many ? r->step : V_NONE);
    return t && obj_hash(vm, value_obj(t), out);
}

/* Is the int v in r? */
static int range_has(vm *vm, const range *r, value v)
{
    bool back = int_sign(vm, r->step) < 0;
    if (int_compare(vm, v, back ? r->stop : r->start) < (back ? 1 : 0)) return 0;
    if (int_compare(vm, v, back ? r->start : r->stop) > (back ? 0 : -1)) return 0;
    value d = int_binary(vm, OPR_SUB, v, r->start);
    if (!value_is_error(d)) d = int_binary(vm, OPR_MOD, d, r->step);
    return value_is_error(d) ? -1 : int_sign(vm, d) == 0;
}

static bool range_int_arg(value v) { return value_is_int(v) || value_is_bool(v) || value_is_exact(v, TYPE_INT); }

/* Item by item, for what is no int: the position of the first equal one, or -1; *count of all when wanted. */
static int64_t range_search(vm *vm, value self, value v, int64_t *count, bool *failed)
{
    value it = V_UNBOUND;
    ROOTS(vm, &it, &v);
    it = obj_iter(vm, self);
    *failed = true;
    if (value_is_error(it)) return -1;
    for (int64_t i = 0;; i++) {
        value x = iter_step(vm, it);
        if (value_is_error(x)) return -1;
        if (x.bits == V_STOP.bits) break;
        int r = value_equal(vm, x, v);
        if (r < 0) return -1;
        if (r && count) ++*count;
        if (r && !count) {
            *failed = false;
            return i;
        }
        if (UNLIKELY(!vm_tick(vm, 1))) return -1;
    }
    *failed = false;
    return -1;
}

static int range_slot_contains(vm *vm, value self, value v)
{
    if (range_int_arg(v)) return range_has(vm, as_range(self), int_plain(vm, v));
    bool failed;
    int64_t i = range_search(vm, self, v, NULL, &failed);
    return failed ? -1 : i >= 0;
}

static value range_get_slice(vm *vm, value self, value key)
{
    value out[3] = {V_UNBOUND, V_UNBOUND, V_UNBOUND}, start = V_UNBOUND, stop = V_UNBOUND;
    ROOT_SPAN(vm, out, 3);
    ROOTS(vm, &self, &start, &stop);
    if (!slice_indices(vm, key, as_range(self)->len, out)) return V_ERROR;
    value step = int_binary(vm, OPR_MUL, out[2], as_range(self)->step);
    if (value_is_error(step)) return V_ERROR;
    start = range_item(vm, as_range(self), out[0]);
    if (value_is_error(start)) return V_ERROR;
    stop = range_item(vm, as_range(self), out[1]);
    return value_is_error(stop) ? stop : range_new(vm, start, stop, step);
}

static value range_slot_getitem(vm *vm, value self, value key)
{
    ROOTS(vm, &self);
    if (value_is_exact(key, TYPE_SLICE)) return range_get_slice(vm, self, key);
    if (!int_is(key) && !type_of(vm, key)->s.index)
        return raise_type_error(vm, "range indices must be integers or slices, not %T", key);
    value i = value_is_int(key) ? key : obj_index(vm, key);
    if (value_is_error(i)) return i;
    i = int_plain(vm, i);
    const range *r = as_range(self);
    if (int_sign(vm, i) < 0) {
        i = int_binary(vm, OPR_ADD, i, r->len);
        if (value_is_error(i)) return i;
    }
    if (int_sign(vm, i) < 0 || int_compare(vm, i, r->len) >= 0)
        return raise(vm, EXC_IndexError, "range object index out of range");
    return range_item(vm, r, i);
}

/* ---- iteration ---- */

/* An iterator over n = len items from start: 64 bits when start, the end and the steps between fit. */
static value range_iter_make(vm *vm, value start, value step, value len)
{
    int64_t a, s, n, last, end;
    ROOTS(vm, &start, &step, &len);
    bool small = int_to_i64(vm, start, &a) && int_to_i64(vm, step, &s) && int_to_i64(vm, len, &n) &&
                 !__builtin_mul_overflow(s, n, &last) && !__builtin_add_overflow(a, last, &end);
    value v = iter_new(vm, small ? TYPE_RANGE_ITER : TYPE_LONGRANGE_ITER, start);
    if (value_is_error(v)) return v;
    iter *it = AS(iter, v);
    it->b = step;
    if (small) it->n = (uint64_t)n;
    else it->c = len;
    return v;
}

static value range_slot_iter(vm *vm, value self)
{
    const range *r = as_range(self);
    return range_iter_make(vm, r->start, r->step, r->len);
}

static value range_iter_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    if (it->i >= it->n) return V_STOP;
    int64_t a, s, i = (int64_t)it->i;
    if (LIKELY(value_both_int(it->a, it->b))) {
        a = value_as_int(it->a);
        s = value_as_int(it->b);
    } else {
        int_to_i64(vm, it->a, &a);
        int_to_i64(vm, it->b, &s);
    }
    int64_t x = a + i * s;
    value v = int_fits(x) ? value_int(x) : int_from_i64(vm, x);
    if (LIKELY(!value_is_error(v))) it->i = (uint64_t)i + 1;
    return v;
}

static value longrange_iter_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    if (int_sign(vm, it->c) <= 0) return V_STOP;
    value v = it->a;
    value next = int_binary(vm, OPR_ADD, v, it->b);
    if (value_is_error(next)) return next;
    value left = int_binary(vm, OPR_SUB, it->c, value_int(1));
    if (value_is_error(left)) return left;
    it->a = next;
    it->c = left;
    gc_barrier(vm, it);
    return v;
}

static value range_iter_hint(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    iter *it = AS(iter, args[0]);
    return it->h.shape == TYPE_RANGE_ITER ? int_from_u64(vm, it->n - it->i) : it->c;
}

/* ---- methods ---- */

static value range_m_reversed(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    const range *r = as_range(args[0]);
    value last = value_int(0), step = V_UNBOUND;
    ROOTS(vm, &last, &step);
    last = int_binary(vm, OPR_SUB, r->len, value_int(1));
    if (!value_is_error(last)) last = range_item(vm, r, last);
    if (value_is_error(last)) return V_ERROR;
    step = int_binary(vm, OPR_SUB, value_int(0), r->step);
    return value_is_error(step) ? step : range_iter_make(vm, last, step, r->len);
}

static value range_m_count(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    if (range_int_arg(args[1])) {
        int has = range_has(vm, as_range(args[0]), int_plain(vm, args[1]));
        return has < 0 ? V_ERROR : value_int(has);
    }
    int64_t n = 0;
    bool failed;
    range_search(vm, args[0], args[1], &n, &failed);
    return failed ? V_ERROR : value_int(n);
}

static value range_m_index(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    const range *r = as_range(args[0]);
    if (!range_int_arg(args[1])) {
        bool failed;
        int64_t i = range_search(vm, args[0], args[1], NULL, &failed);
        if (failed) return V_ERROR;
        if (i < 0) return raise_value_error(vm, "sequence.index(x): x not in sequence");
        return value_int(i);
    }
    value v = int_plain(vm, args[1]);
    int has = range_has(vm, r, v);
    if (has < 0) return V_ERROR;
    if (!has) return raise_value_error(vm, "%R is not in range", args[1]);
    v = int_binary(vm, OPR_SUB, v, r->start);
    return value_is_error(v) ? v : int_binary(vm, OPR_FLOORDIV, v, r->step);
}

static value range_m_reduce(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    const range *r = as_range(args[0]);
    tuple *t = tuple_pack(vm, 3, r->start, r->stop, r->step);
    return t ? value_obj(tuple_pack(vm, 2, value_obj(T(vm, RANGE)), value_obj(t))) : V_ERROR;
}

static value range_get_start(vm *vm, value self)
{
    (void)vm;
    return as_range(self)->start;
}

static value range_get_stop(vm *vm, value self)
{
    (void)vm;
    return as_range(self)->stop;
}

static value range_get_step(vm *vm, value self)
{
    (void)vm;
    return as_range(self)->step;
}

static void range_traverse(vm *vm, object *o)
{
    range *r = (range *)(void *)o;
    gc_mark_value(vm, r->start);
    gc_mark_value(vm, r->stop);
    gc_mark_value(vm, r->step);
    gc_mark_value(vm, r->len);
}

static const native_def range_methods[] = {
    {"count(self, value, /)", range_m_count,
     DOC("rangeobject.count(value) -> integer -- return number of occurrences of value"), 0},
    {"index(self, value, /)", range_m_index,
     DOC("rangeobject.index(value) -> integer -- return index of value.\nRaise ValueError if the value is not "
         "present."),
     0},
    {"__reversed__(self, /)", range_m_reversed, DOC("Return a reverse iterator."), 0},
    {"__reduce__(self, /)", range_m_reduce, NULL, 0},
    {0},
};
static const getset_def range_getsets[] = {
    {"start", range_get_start, seq_readonly, NULL},
    {"stop", range_get_stop, seq_readonly, NULL},
    {"step", range_get_step, seq_readonly, NULL},
    {0},
};
static const native_def range_iter_methods[] = {
    {"__length_hint__(self, /)", range_iter_hint, DOC("Private method returning an estimate of len(list(it))."), 0},
    {"__reduce__(self, /)", iter_reduce_range, DOC("Return state information for pickling."), 0},
    {"__setstate__(self, state, /)", iter_setstate_range, DOC("Set state information for unpickling."), 0},
    {0},
};

static value self_iter(vm *vm, value self)
{
    (void)vm;
    return self;
}

void type_init_range(vm *vm)
{
    static const gc_kind_ops ops = {.traverse = range_traverse};
    gc_register_kind(vm, K_RANGE, &ops);
    type *t = T(vm, RANGE);
    t->methods = range_methods;
    t->getsets = range_getsets;
    t->s.new_ = range_slot_new;
    t->s.repr = range_slot_repr;
    t->s.hash = range_slot_hash;
    t->s.compare = range_slot_compare;
    t->s.len = range_slot_len;
    t->s.truth = range_slot_truth;
    t->s.contains = range_slot_contains;
    t->s.getitem = range_slot_getitem;
    t->s.iter = range_slot_iter;
    for (unsigned id = TYPE_RANGE_ITER; id <= TYPE_LONGRANGE_ITER; id++) {
        t = vm->types[id];
        t->s.iter = self_iter;
        t->s.next = id == TYPE_RANGE_ITER ? range_iter_next : longrange_iter_next;
        t->methods = range_iter_methods;
    }
}
