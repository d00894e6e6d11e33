/* slice objects, and slices as numbers: start, stop, step for a sequence of a given length. */
#include "list.h"
#include "native.h"

#define DOC_FILE vm_slice
DOC_BEGIN;

value slice_new(vm *vm, value a, value b, value c)
{
    slice *s = gc_new_fast(vm, K_SLICE, TYPE_SLICE, sizeof *s);
    if (!s) return V_ERROR;
    s->start = a;
    s->stop = b;
    s->step = c;
    return value_obj(s);
}

/* ---- as numbers of 64 bits ---- */

static bool slice_bound(vm *vm, value v, int64_t *out)
{
    if (LIKELY(value_is_int(v))) {
        *out = value_as_int(v);
        return true;
    }
    if (!int_is(v) && !type_of(vm, v)->s.index) {
        raise_type_error(vm, "slice indices must be integers or None or have an __index__ method");
        return false;
    }
    return obj_as_index(vm, v, out, 0);
}

/* The raw numbers; runs __index__. A missing bound becomes the end that the step's direction wants. */
bool slice_unpack(vm *vm, value v, int64_t *start, int64_t *stop, int64_t *step)
{
    slice *s = AS(slice, v);
    ROOTS(vm, &s);
    *step = 1;
    if (!value_is_none(s->step)) {
        if (!slice_bound(vm, s->step, step)) return false;
        if (*step == 0) {
            raise_value_error(vm, "slice step cannot be zero");
            return false;
        }
        if (*step < -INT64_MAX) *step = -INT64_MAX; /* so that it can be negated */
    }
    *start = *step < 0 ? INT64_MAX : 0;
    *stop = *step < 0 ? INT64_MIN : INT64_MAX;
    return (value_is_none(s->start) || slice_bound(vm, s->start, start)) &&
           (value_is_none(s->stop) || slice_bound(vm, s->stop, stop));
}

int64_t slice_clamp(int64_t len, int64_t *start, int64_t *stop, int64_t step)
{
    int64_t lo = step < 0 ? -1 : 0, hi = step < 0 ? len - 1 : len;
    if (*start < 0) *start += len;
    *start = *start < lo ? lo : *start > hi ? hi : *start;
    if (*stop < 0 && *stop != INT64_MIN) *stop += len;
    *stop = *stop < lo ? lo : *stop > hi ? hi : *stop;
    if (step < 0) return *stop < *start ? (*start - *stop - 1) / -step + 1 : 0;
    return *start < *stop ? (*stop - *start - 1) / step + 1 : 0;
}

bool slice_adjust(vm *vm, value v, int64_t len, int64_t *start, int64_t *stop, int64_t *step, int64_t *count)
{
    if (!slice_unpack(vm, v, start, stop, step)) return false;
    *count = slice_clamp(len, start, stop, *step);
    return true;
}

/* ---- the type ---- */

static void slice_traverse(vm *vm, object *o)
{
    slice *s = (slice *)(void *)o;
    gc_mark_value(vm, s->start);
    gc_mark_value(vm, s->stop);
    gc_mark_value(vm, s->step);
}

static value slice_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)t;
    value out[3] = {V_UNBOUND, V_UNBOUND, V_UNBOUND};
    if (!args_unpack(vm, "slice", args, nargs, kwnames, 1, 3, out)) return V_ERROR;
    if (nargs == 1) return slice_new(vm, V_NONE, out[0], V_NONE);
    return slice_new(vm, out[0], out[1], nargs == 3 ? out[2] : V_NONE);
}

static value slice_slot_repr(vm *vm, value self)
{
    slice *s = AS(slice, self);
    return value_obj(str_format(vm, "slice(%R, %R, %R)", s->start, s->stop, s->step));
}

static value slice_slot_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (!value_is_exact(b, TYPE_SLICE)) return V_NOTIMPLEMENTED;
    if (a.bits == b.bits) return value_bool(op == CMP_EQ || op == CMP_LE || op == CMP_GE);
    slice *x = AS(slice, a), *y = AS(slice, b);
    tuple *s = tuple_pack(vm, 3, x->start, x->stop, x->step);
    tuple *t = tuple_pack(vm, 3, y->start, y->stop, y->step);
    if (!s || !t) return V_ERROR;
    return seq_compare(vm, value_obj(s), value_obj(t), op);
}

/* ---- slice.indices: ints of any size ---- */

/* v + len if v is negative, then within [lo, hi]. */
static value indices_bound(vm *vm, value v, value len, value lo, value hi, value missing)
{
    if (value_is_none(v)) return missing;
    ROOTS(vm, &v, &len, &lo, &hi);
    if (!int_is(v) && !type_of(vm, v)->s.index)
        return raise_type_error(vm, "slice indices must be integers or None or have an __index__ method");
    v = obj_index(vm, v);
    if (value_is_error(v)) return v;
    v = int_plain(vm, v);
    if (int_sign(vm, v) < 0) {
        v = int_binary(vm, OPR_ADD, v, len);
        if (value_is_error(v)) return v;
        return int_compare(vm, v, lo) < 0 ? lo : v;
    }
    return int_compare(vm, v, hi) > 0 ? hi : v;
}

/* start, stop, step as slice.indices(len) gives them; len a plain int >= 0. false: raised. */
bool slice_indices(vm *vm, value self, value len, value out[3])
{
    slice *s = AS(slice, self);
    value step = value_int(1), start = V_UNBOUND, lo = V_UNBOUND, hi = V_UNBOUND;
    ROOTS(vm, &s, &len, &step, &start, &lo, &hi);
    if (!value_is_none(s->step)) {
        step = s->step;
        if (!int_is(step) && !type_of(vm, step)->s.index) {
            raise_type_error(vm, "slice indices must be integers or None or have an __index__ method");
            return false;
        }
        step = obj_index(vm, step);
        if (value_is_error(step)) return false;
        step = int_plain(vm, step);
        if (int_sign(vm, step) == 0) {
            raise_value_error(vm, "slice step cannot be zero");
            return false;
        }
    }
    bool back = int_sign(vm, step) < 0;
    lo = value_int(back ? -1 : 0);
    hi = back ? int_binary(vm, OPR_SUB, len, value_int(1)) : len;
    if (value_is_error(hi)) return false;
    start = indices_bound(vm, s->start, len, lo, hi, back ? hi : lo);
    if (value_is_error(start)) return false;
    value stop = indices_bound(vm, s->stop, len, lo, hi, back ? lo : hi);
    if (value_is_error(stop)) return false;
    out[0] = start;
    out[1] = stop;
    out[2] = step;
    return true;
}

static value slice_m_indices(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    value len = obj_index(vm, args[1]), out[3] = {V_UNBOUND, V_UNBOUND, V_UNBOUND};
    if (value_is_error(len)) return V_ERROR;
    len = int_plain(vm, len);
    if (int_sign(vm, len) < 0) return raise_value_error(vm, "length should not be negative");
    if (!slice_indices(vm, args[0], len, out)) return V_ERROR;
    return value_obj(tuple_from(vm, out, 3));
}

static value slice_m_reduce(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    slice *s = AS(slice, args[0]);
    tuple *t = tuple_pack(vm, 3, s->start, s->stop, s->step);
    if (!t) return V_ERROR;
    return value_obj(tuple_pack(vm, 2, value_obj(T(vm, SLICE)), value_obj(t)));
}

static value slice_get_start(vm *vm, value self)
{
    (void)vm;
    return AS(slice, self)->start;
}

static value slice_get_stop(vm *vm, value self)
{
    (void)vm;
    return AS(slice, self)->stop;
}

static value slice_get_step(vm *vm, value self)
{
    (void)vm;
    return AS(slice, self)->step;
}

static const native_def slice_methods[] = {
    {"indices(self, len, /)", slice_m_indices,
     DOC("S.indices(len) -> (start, stop, stride)\n\nAssuming a sequence of length len, calculate the start and stop\n"
         "indices, and the stride length of the extended slice described by\nS."),
     0},
    {"__reduce__(self, /)", slice_m_reduce, DOC("Return state information for pickling."), 0},
    {0},
};
static const getset_def slice_getsets[] = {
    {"start", slice_get_start, seq_readonly, NULL},
    {"stop", slice_get_stop, seq_readonly, NULL},
    {"step", slice_get_step, seq_readonly, NULL},
    {0},
};

void type_init_slice(vm *vm)
{
    static const gc_kind_ops ops = {.traverse = slice_traverse};
    gc_register_kind(vm, K_SLICE, &ops);
    type *t = T(vm, SLICE);
    t->methods = slice_methods;
    t->getsets = slice_getsets;
    t->s.new_ = slice_slot_new;
    t->s.repr = slice_slot_repr;
    t->s.compare = slice_slot_compare;
}
