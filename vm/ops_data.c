/* Slow paths of data instructions: arithmetic on what is not two small numbers, subscripts, loops, displays,
 * formatting. */
#include "interp.h"
#include "iter.h"
#include "set.h"

#include <math.h>

static inline bool is_exact_int(value v) { return value_is_int(v) || value_is_exact(v, TYPE_INT); }

value op_arith(vm *vm, enum binary_op op, value a, value b, bool inplace)
{
    /* Exact ints whose operands or result are beyond the value word: hashes, generators, masks. */
    if (is_exact_int(a) && is_exact_int(b) && op != OPR_MATMUL) return int_binary(vm, op, a, b);
    /* Exact strs: += and + are the commonest operation that is not numeric. */
    if (op == OPR_ADD && value_is_exact(a, TYPE_STR) && value_is_exact(b, TYPE_STR)) {
        str *s = str_concat(vm, AS(str, a), AS(str, b));
        return s ? value_obj(s) : V_ERROR;
    }
    /* Sequences of one builtin type: what obj_binary would come to. */
    if (value_is_obj(a) && !inplace) {
        uint32_t shape = value_as_obj(a)->shape;
        if (shape == TYPE_LIST || shape == TYPE_TUPLE || shape == TYPE_STR) {
            if (op == OPR_MOD && shape == TYPE_STR && (!IS_STR(b) || value_is_exact(b, TYPE_STR)))
                return str_mod(vm, a, b);
            if (op == OPR_ADD && value_is_exact(b, shape)) return vm->types[shape]->s.concat(vm, a, b);
            if (op == OPR_MUL && value_is_int(b)) return vm->types[shape]->s.repeat(vm, a, b);
        }
    }
    /* A float to a number's power where neither sign nor size makes it a special case. */
    if (op == OPR_POW && value_is_float(a) && (value_is_float(b) || value_is_int(b))) {
        double x = value_as_float(a), y = value_is_float(b) ? value_as_float(b) : (double)value_as_int(b);
        double r = x > 0.0 || (x < 0.0 && value_is_int(b)) ? pow(x, y) : NAN;
        if (LIKELY(isfinite(r))) return value_float(r);
    }
    if (value_is_exact(a, TYPE_COMPLEX) && value_is_exact(b, TYPE_COMPLEX)) {
        const struct type_slots *s = &vm->types[TYPE_COMPLEX]->s;
        if (op == OPR_ADD) return s->add(vm, a, b);
        if (op == OPR_SUB) return s->sub(vm, a, b);
        if (op == OPR_MUL) return s->mul(vm, a, b);
    }
    /* Counting: n += a == b, (x > y) + (y > z). */
    if ((value_is_bool(a) || value_is_int(a)) && (value_is_bool(b) || value_is_int(b)) && op != OPR_MATMUL &&
        op != OPR_AND && op != OPR_OR && op != OPR_XOR) {
        if (value_is_bool(a)) a = value_int(value_is(a, V_TRUE));
        if (value_is_bool(b)) b = value_int(value_is(b, V_TRUE));
        if (op == OPR_ADD && int_fits(value_as_int(a) + value_as_int(b)))
            return value_int(value_as_int(a) + value_as_int(b));
        return int_binary(vm, op, a, b);
    }
    return inplace ? obj_inplace(vm, op, a, b) : obj_binary(vm, op, a, b);
}

value op_getitem(vm *vm, value o, value k)
{
    if (value_is_exact(o, TYPE_STR) && value_is_int(k)) {
        str *s = AS(str, o);
        int64_t i = value_as_int(k);
        if (i < 0) i += (int64_t)s->len;
        if (LIKELY((uint64_t)i < s->len)) {
            str *c = str_char(vm, str_at(s, (size_t)i));
            return c ? value_obj(c) : V_ERROR;
        }
    }
    return obj_getitem(vm, o, k);
}

/* One end of a slice within [0, len]; `missing` for None. false: neither None nor a small int. */
static inline bool slice_end(value v, int64_t len, int64_t missing, int64_t *out)
{
    int64_t i = missing;
    if (value_is_int(v)) {
        i = value_as_int(v);
        if (i < 0 && (i += len) < 0) i = 0;
        if (i > len) i = len;
    } else if (!value_is_none(v)) {
        return false;
    }
    *out = i;
    return true;
}

/* o[start:stop]: no slice object for the builtin sequences. */
value op_getslice(vm *vm, value o, value start, value stop)
{
    if (LIKELY(value_is_obj(o))) {
        unsigned shape = value_as_obj(o)->shape;
        int64_t len = shape == TYPE_LIST    ? (int64_t)AS(list, o)->len
                      : shape == TYPE_STR   ? (int64_t)AS(str, o)->len
                      : shape == TYPE_TUPLE ? (int64_t)AS(tuple, o)->len
                                            : -1;
        int64_t from, to;
        if (len >= 0 && slice_end(start, len, 0, &from) && slice_end(stop, len, len, &to)) {
            size_t n = from < to ? (size_t)(to - from) : 0;
            void *r;
            if (shape == TYPE_LIST) r = list_from(vm, AS(list, o)->items + from, n);
            else if (shape == TYPE_STR) r = str_substr(vm, AS(str, o), (size_t)from, (size_t)from + n);
            else if (n == (size_t)len) return o;
            else r = tuple_from(vm, AS(tuple, o)->items + from, n);
            return r ? value_obj(r) : V_ERROR;
        }
    }
    ROOTS(vm, &o);
    value s = slice_new(vm, start, stop, V_NONE);
    return value_is_error(s) ? s : obj_getitem(vm, o, s);
}

/* o[start:stop:step], likewise. */
value op_getslice_step(vm *vm, value o, value start, value stop, value step)
{
    unsigned shape = value_is_obj(o) ? value_as_obj(o)->shape : TYPE_COUNT;
    bool small = (value_is_none(start) || value_is_int(start)) && (value_is_none(stop) || value_is_int(stop)) &&
                 value_is_int(step) && value_as_int(step) != 0;
    if (small && (shape == TYPE_LIST || shape == TYPE_STR || shape == TYPE_TUPLE)) {
        int64_t by = value_as_int(step), from = by < 0 ? INT64_MAX : 0, to = by < 0 ? INT64_MIN : INT64_MAX;
        if (value_is_int(start)) from = value_as_int(start);
        if (value_is_int(stop)) to = value_as_int(stop);
        size_t len = shape == TYPE_LIST ? AS(list, o)->len : shape == TYPE_STR ? AS(str, o)->len : AS(tuple, o)->len;
        int64_t n = slice_clamp((int64_t)len, &from, &to, by), at = from;
        if (shape == TYPE_STR) {
            str *s = str_slice(vm, AS(str, o), from, by, (size_t)n);
            return s ? value_obj(s) : V_ERROR;
        }
        if (shape == TYPE_LIST) {
            list *l = list_new(vm, (size_t)n);
            if (!l) return V_ERROR;
            for (int64_t i = 0; i < n; i++, at += by) l->items[i] = AS(list, o)->items[at];
            l->len = (size_t)n;
            return value_obj(l);
        }
        if ((size_t)n < len) {
            tuple *t = tuple_new(vm, (size_t)n);
            if (!t) return V_ERROR;
            for (int64_t i = 0; i < n; i++, at += by) t->items[i] = AS(tuple, o)->items[at];
            return value_obj(t);
        }
    }
    ROOTS(vm, &o);
    value s = slice_new(vm, start, stop, step);
    return value_is_error(s) ? s : obj_getitem(vm, o, s);
}

bool op_unpack(vm *vm, value v, uint32_t n, value *out)
{
    value items[256];
    if (!obj_unpack(vm, v, n, items)) return false;
    memcpy(out, items, n * sizeof(value));
    return true;
}

bool op_unpack_star(vm *vm, value v, uint32_t before, uint32_t after, value *out)
{
    value items[256];
    if (before + after + 1 > 256) {
        raise(vm, EXC_SyntaxError, "too many expressions in star-unpacking assignment");
        return false;
    }
    if (!obj_unpack_star(vm, v, before, after, items)) return false;
    memcpy(out, items, (before + after + 1) * sizeof(value));
    return true;
}

/* ---- for loops ----
 * The state is three registers. Exact lists, tuples, strs, ranges, dicts and dict views are walked in place, with a
 * position and (dicts) the size at the start; no iterator object exists that a script could see. Everything else:
 * state[0] is the iterator. */

/* Steps of 32 bits, and all that is counted to, one past the last included, an int in a word. */
static bool range_counts_in_words(const range *r)
{
    if (!value_is_int(r->start) || !value_is_int(r->step) || !value_is_int(r->len)) return false;
    int64_t start = value_as_int(r->start), step = value_as_int(r->step), end;
    return step == (int32_t)step && !__builtin_mul_overflow(value_as_int(r->len), step, &end) &&
           !__builtin_add_overflow(end, start, &end) && int_fits(end);
}

bool op_forprep(vm *vm, value v, value *state)
{
    state[1] = value_int(0);
    state[2] = V_UNBOUND;
    if (value_is_obj(v)) {
        object *o = value_as_obj(v);
        switch (o->shape) {
        case TYPE_RANGE: {
            range *r = (range *)o;
            if (range_counts_in_words(r)) {
                state[0] = r->step;
                state[1] = r->start;
                state[2].bits = ~(uint64_t)value_as_int(r->len); /* the carry out of adding 1 is the end */
                return true;
            }
            break;
        }
        case TYPE_DICT:
            state[0] = v;
            state[2] = value_int((int64_t)((dict *)o)->used);
            return true;
        case TYPE_DICT_KEYS:
        case TYPE_DICT_VALUES:
        case TYPE_DICT_ITEMS:
            if (value_is_exact(((dictview *)o)->of, TYPE_DICT)) {
                state[0] = v;
                state[2] = value_int((int64_t)AS(dict, ((dictview *)o)->of)->used);
                return true;
            }
            break;
        case TYPE_STR:
        case TYPE_GENERATOR: state[0] = v; return true;
        default: break;
        }
    }
    state[0] = obj_iter(vm, v);
    return !value_is_error(state[0]);
}

/* 1: *key and *val are the next entry. */
static int dict_step_entry(vm *vm, dict *d, value *state, value *key, value *val)
{
    if (UNLIKELY((int64_t)d->used != value_as_int(state[2]))) {
        state[2] = value_int(-1); /* sticky, as CPython's */
        raise(vm, EXC_RuntimeError, "dictionary changed size during iteration");
        return -1;
    }
    /* state[1]: 0 at first, then position and number of items given out, as a word in the range of floats. */
    uint64_t both = value_is_int(state[1]) ? 0 : state[1].bits - DOUBLE_OFF;
    size_t pos = (size_t)(both & 0x7fffffff);
    if (!dict_next(d, &pos, key, val)) return 0;
    if (UNLIKELY(both >> 31 >= d->used)) {
        raise(vm, EXC_RuntimeError, "dictionary keys changed during iteration");
        return -1;
    }
    state[1].bits = DOUBLE_OFF + (((both >> 31) + 1) << 31 | pos);
    return 1;
}

static int dict_step(vm *vm, dict *d, value *state, unsigned what, value *item)
{
    value k, v;
    int r = dict_step_entry(vm, d, state, &k, &v);
    if (r <= 0) return r;
    if (what == TYPE_DICT_ITEMS) {
        tuple *t = tuple_new(vm, 2);
        if (!t) return -1;
        t->items[0] = k;
        t->items[1] = v;
        *item = value_obj(t);
    } else {
        *item = what == TYPE_DICT_VALUES ? v : k;
    }
    return 1;
}

int op_foriter(vm *vm, value *state, value *item)
{
    object *o = value_as_obj(state[0]);
    switch (o->shape) {
    case TYPE_TUPLE: {
        tuple *t = (tuple *)o;
        size_t i = (size_t)value_as_int(state[1]);
        if (i >= t->len) return 0;
        state[1] = value_int((int64_t)i + 1);
        *item = t->items[i];
        return 1;
    }
    case TYPE_STR: {
        str *s = (str *)o;
        size_t i = (size_t)value_as_int(state[1]);
        if (i >= s->len) return 0;
        str *c = str_char(vm, str_at(s, i));
        if (!c) return -1;
        state[1] = value_int((int64_t)i + 1);
        *item = value_obj(c);
        return 1;
    }
    case TYPE_DICT: return dict_step(vm, (dict *)o, state, TYPE_DICT_KEYS, item);
    case TYPE_DICT_KEYS:
    case TYPE_DICT_VALUES:
    case TYPE_DICT_ITEMS: return dict_step(vm, AS(dict, ((dictview *)o)->of), state, o->shape, item);
    default: {
        value v = type_of(vm, state[0])->s.next(vm, state[0]);
        if (LIKELY(v.bits != V_STOP.bits && !value_is_error(v))) {
            *item = v;
            return 1;
        }
        if (v.bits == V_STOP.bits) return 0;
        return exc_clear_if(vm, EXC_StopIteration) ? 0 : -1;
    }
    }
}

int op_foriter_unpack(vm *vm, value *state, uint32_t n, value *to)
{
    value parts[FORITER_PARTS];
    object *o = value_as_obj(state[0]);
    int r = FORITER_WHOLE;
    if (n > FORITER_PARTS || n == 0) return r;
    if (o->shape == TYPE_DICT_ITEMS && n == 2) {
        r = dict_step_entry(vm, AS(dict, ((dictview *)o)->of), state, &parts[0], &parts[1]);
    } else if (o->shape == TYPE_ZIP || o->shape == TYPE_ENUMERATE) {
        r = iter_step_parts(vm, state[0], n, parts, FORITER_WHOLE);
        if (r < 0 && exc_clear_if(vm, EXC_StopIteration)) r = 0;
    }
    if (r == 1) { /* now: an iterator that ends early must leave the variables alone */
        for (uint32_t i = 0; i < n; i++) to[i] = parts[i];
    }
    return r;
}

bool op_forend(vm *vm, value *state)
{
    value it = state[0];
    if (!value_is_exact(it, TYPE_GENERATOR)) return true;
    frame *g = AS(frame, it);
    /* Only the loop holds it if the call that made it was the loop's own iterable: call_function marks those. */
    if (frame_state(g) != FRAME_SUSPENDED || !(g->h.flags & FRAME_FUSED)) return true;
    state[0] = V_UNBOUND;
    ROOTS(vm, &it);
    return frame_close(vm, g);
}

/* An `async for` left early: an async generator that only the loop holds goes to the finalizer hook at once. */
bool op_aforend(vm *vm, value it)
{
    if (!value_is_exact(it, TYPE_ASYNC_GENERATOR)) return true;
    frame *g = AS(frame, it);
    if (frame_state(g) != FRAME_SUSPENDED || !(g->h.flags & FRAME_FUSED)) return true;
    value hook = vm->thread->asyncgen_finalizer;
    ROOTS(vm, &it);
    /* driven by hand: closed as far as that goes without awaiting */
    if (value_is_unbound(hook) || value_is_none(hook)) {
        if (!frame_close(vm, g)) exc_report_unraisable(vm, it);
        return true;
    }
    return !value_is_error(vm_call1(vm, hook, it));
}

/* ---- displays ---- */

value op_set(vm *vm, const value *items, uint32_t n)
{
    set *s = set_new(vm, TYPE_SET);
    if (!s) return V_ERROR;
    ROOTS(vm, &s);
    for (uint32_t i = 0; i < n; i++)
        if (!set_add(vm, s, items[i])) return V_ERROR;
    return value_obj(s);
}

value op_dict(vm *vm, const value *pairs, uint32_t n)
{
    dict *d = dict_new(vm);
    if (!d) return V_ERROR;
    ROOTS(vm, &d);
    for (uint32_t i = 0; i < n; i++)
        if (!dict_set(vm, d, pairs[2 * i], pairs[2 * i + 1])) return V_ERROR;
    return value_obj(d);
}

bool op_listextend(vm *vm, value l, value o)
{
    if (value_is_exact(o, TYPE_LIST) || value_is_exact(o, TYPE_TUPLE)) return list_extend(vm, AS(list, l), o);
    ROOTS(vm, &l, &o);
    type *t = type_of(vm, o);
    if (!t->s.iter && !t->s.getitem) {
        raise_type_error(vm, "Value after * must be an iterable, not %T", o);
        return false;
    }
    value it = obj_iter(vm, o);
    if (value_is_error(it)) return false;
    ROOTS(vm, &it);
    for (;;) {
        value v = obj_next(vm, it);
        if (v.bits == V_STOP.bits) return true;
        if (value_is_error(v) || !list_append(vm, AS(list, l), v)) return false;
    }
}

bool op_setupdate(vm *vm, value s, value o) { return set_update(vm, AS(set, s), o); }

static bool is_mapping(vm *vm, value o)
{
    if (IS_DICT(o)) return true;
    value keys = obj_getattr_opt(vm, o, N(vm, keys));
    return !value_is_unbound(keys);
}

bool op_dictupdate(vm *vm, value d, value o)
{
    ROOTS(vm, &d, &o);
    if (!is_mapping(vm, o)) {
        if (!raised(vm)) raise_type_error(vm, "'%T' object is not a mapping", o);
        return false;
    }
    return dict_update(vm, AS(dict, d), o);
}

static str *callee_text(vm *vm, value f)
{
    value q = obj_getattr_opt(vm, f, N(vm, __qualname__));
    if (!IS_STR(q)) {
        if (raised(vm)) exc_clear(vm);
        return obj_str(vm, f);
    }
    value m = obj_getattr_opt(vm, f, N(vm, __module__));
    if (raised(vm)) exc_clear(vm);
    if (IS_STR(m) && !str_eq(AS(str, m), N(vm, builtins))) return str_format(vm, "%U.%U()", m, q);
    return str_format(vm, "%U()", q);
}

bool op_dictmerge(vm *vm, value d, value o, value callee)
{
    ROOTS(vm, &d, &o, &callee);
    if (!is_mapping(vm, o)) {
        if (raised(vm)) return false;
        str *who = callee_text(vm, callee);
        if (who) raise_type_error(vm, "%U argument after ** must be a mapping, not %T", value_obj(who), o);
        return false;
    }
    value pairs = o;
    if (!IS_DICT(o)) {
        dict *copy = dict_new(vm);
        if (!copy) return false;
        pairs = value_obj(copy);
        ROOTS(vm, &pairs);
        if (!dict_update(vm, copy, o)) return false;
    }
    size_t pos = 0;
    value k, v;
    while (dict_next(AS(dict, pairs), &pos, &k, &v)) {
        if (!IS_STR(k)) {
            raise_type_error(vm, "keywords must be strings");
            return false;
        }
        if (!value_is_unbound(dict_get_str(vm, AS(dict, d), AS(str, k)))) {
            str *who = callee_text(vm, callee);
            if (who) raise_type_error(vm, "%U got multiple values for keyword argument '%U'", value_obj(who), k);
            return false;
        }
        if (!dict_set(vm, AS(dict, d), k, v)) return false;
    }
    return true;
}

value op_format_value(vm *vm, value v, unsigned conv, value spec)
{
    ROOTS(vm, &v, &spec);
    if (conv) {
        str *s = conv == 1 ? obj_str(vm, v) : obj_repr(vm, v);
        if (s && conv == 3) s = str_ascii_escape(vm, s);
        if (!s) return V_ERROR;
        v = value_obj(s);
    }
    if (value_is_unbound(spec) || AS(str, spec)->len == 0) {
        if (value_is_exact(v, TYPE_STR)) return v;
        if (value_is_int(v)) {
            str *s = int_to_str(vm, v, 10);
            return s ? value_obj(s) : V_ERROR;
        }
        return obj_format(vm, v, spec);
    }
    /* Builtin types can't get another __format__: no lookup. */
    if (value_is_int(v)) return format_int(vm, v, AS(str, spec));
    if (value_is_float(v)) return format_float(vm, value_as_float(v), AS(str, spec));
    if (value_is_exact(v, TYPE_STR)) return format_str(vm, AS(str, v), AS(str, spec));
    return obj_format(vm, v, spec);
}
