/* The module itertools: iterators over one or several others. Combinatorics are in
 * itertools_comb.c, groupby and tee in itertools_group.c.
 *
 * Invariant: a `next` that calls script roots itself, and reads its fields afresh afterwards. */
#include "itertools.h"

#include "vm/dict.h"
#include "vm/str.h"

#define DOC_FILE stdlib_itertools
DOC_BEGIN;

/* ---- the common layout ---- */

static void it_traverse(vm *vm, object *o) { gc_mark_values(vm, it_data(value_obj(o))->v, 4); }

static void it_free(vm *vm, object *o)
{
    itdata *d = it_data(value_obj(o));
    if (d->index) mem_free(vm, d->index, d->nindex * sizeof *d->index);
}

const type_layout it_layout = {.size = sizeof(itdata), .traverse = it_traverse, .free = it_free};

value it_new(vm *vm, type *t)
{
    void *o = userdata_new(vm, t);
    return o ? value_obj(o) : V_ERROR;
}

value it_self(vm *vm, value self)
{
    (void)vm;
    return self;
}

/* (function, iterable) types: v[0] iterator, v[1] function. */
static value new_function_first(vm *vm, type *t, value *args, uint32_t nargs, value kwnames, const char *name)
{
    value in[2], self;
    if (!args_unpack(vm, name, args, nargs, it_strict(t, kwnames), 2, 2, in)) return V_ERROR;
    ROOTS(vm, &in[0], &t);
    value it = obj_iter(vm, in[1]);
    if (value_is_error(it)) return V_ERROR;
    self = it_new(vm, t);
    if (value_is_error(self)) return V_ERROR;
    it_data(self)->v[0] = it;
    it_data(self)->v[1] = in[0];
    return self;
}

/* f(x) as a truth value; -1 raised. */
static int predicate(vm *vm, value f, value x)
{
    value r = vm_call1(vm, f, x);
    return value_is_error(r) ? -1 : obj_truth(vm, r);
}

/* ---- count: v[0] the next number, v[1] the step ---- */

static bool is_number(vm *vm, value v)
{
    const type *t = type_of(vm, v);
    return t->s.index || t->s.int_ || t->s.float_ || value_isa_id(vm, v, TYPE_COMPLEX);
}

static value count_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[2];
    if (!args_bind(vm, "count(start=0, step=1)", args, nargs, kwnames, in)) return V_ERROR;
    for (int i = 0; i < 2; i++) {
        if (value_is_unbound(in[i])) in[i] = value_int(i);
        else if (!is_number(vm, in[i])) return raise_type_error(vm, "a number is required");
    }
    int64_t n, one; /* what counts up by one from an int of any class counts in plain ints */
    if (int_is(in[0]) && int_is(in[1]) && int_to_i64(vm, in[1], &one) && one == 1 && int_to_i64(vm, in[0], &n)) {
        in[0] = int_plain(vm, in[0]);
        in[1] = value_int(1);
    }
    value self = it_new(vm, t);
    if (value_is_error(self)) return self;
    it_data(self)->v[0] = in[0];
    it_data(self)->v[1] = in[1];
    return self;
}

static value count_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    value now = d->v[0];
    if (LIKELY(value_both_int(now, d->v[1]))) {
        int64_t n = value_as_int(now) + value_as_int(d->v[1]);
        if (LIKELY(int_fits(n))) {
            d->v[0] = value_int(n);
            return now;
        }
    }
    ROOTS(vm, &self, &now);
    value next = obj_binary(vm, OPR_ADD, now, d->v[1]);
    if (value_is_error(next)) return V_ERROR;
    it_set(vm, self, 0, next);
    return now;
}

static value count_repr(vm *vm, value self)
{
    const itdata *d = it_data(self);
    bool one = value_is(d->v[1], value_int(1));
    str *s = one ? str_format(vm, "%U(%R)", type_of(vm, self)->name, d->v[0])
                 : str_format(vm, "%U(%R, %R)", type_of(vm, self)->name, d->v[0], d->v[1]);
    return str_value(s);
}

FN(count_reduce)
{
    const itdata *d = it_data(args[0]);
    tuple *t = value_is(d->v[1], value_int(1)) ? tuple_pack(vm, 1, d->v[0]) : tuple_pack(vm, 2, d->v[0], d->v[1]);
    t = t ? tuple_pack(vm, 2, value_obj(type_of(vm, args[0])), value_obj(t)) : NULL;
    return t ? value_obj(t) : V_ERROR;
}

static void count_fill(struct type_slots *s)
{
    s->new_ = count_new;
    s->repr = count_repr;
    s->iter = it_self;
    s->next = count_next;
}
static const native_def count_methods[] = {
    {"__reduce__(self, /)", count_reduce, DOC("Return state information for pickling."), 0}, {0}};

/* ---- repeat: v[0] the object, n how often still (-1: for ever) ---- */

static value repeat_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[2];
    int64_t n = -1;
    if (!args_bind(vm, "repeat(object, times=...)", args, nargs, kwnames, in)) return V_ERROR;
    ROOTS(vm, &in[0], &t);
    if (!value_is_unbound(in[1])) {
        if (!args_ssize(vm, in[1], 0, &n)) return V_ERROR;
        if (n < 0) n = 0;
    }
    value self = it_new(vm, t);
    if (value_is_error(self)) return self;
    it_data(self)->v[0] = in[0];
    it_data(self)->n = n;
    return self;
}

static value repeat_next(vm *vm, value self)
{
    (void)vm;
    itdata *d = it_data(self);
    if (d->n == 0) return V_STOP;
    if (d->n > 0) d->n--;
    return d->v[0];
}

static value repeat_repr(vm *vm, value self)
{
    const itdata *d = it_data(self);
    str *s = d->n < 0 ? str_format(vm, "%U(%R)", type_of(vm, self)->name, d->v[0])
                      : str_format(vm, "%U(%R, %ld)", type_of(vm, self)->name, d->v[0], d->n);
    return str_value(s);
}

FN(repeat_hint)
{
    const itdata *d = it_data(args[0]);
    return d->n < 0 ? raise_type_error(vm, "len() of unsized object") : int_from_i64(vm, d->n);
}

FN(repeat_reduce)
{
    const itdata *d = it_data(args[0]);
    tuple *t = d->n < 0 ? tuple_pack(vm, 1, d->v[0]) : tuple_pack(vm, 2, d->v[0], int_from_i64(vm, d->n));
    t = t ? tuple_pack(vm, 2, value_obj(type_of(vm, args[0])), value_obj(t)) : NULL;
    return t ? value_obj(t) : V_ERROR;
}

static void repeat_fill(struct type_slots *s)
{
    s->new_ = repeat_new;
    s->repr = repeat_repr;
    s->iter = it_self;
    s->next = repeat_next;
}
static const native_def repeat_methods[] = {
    {"__length_hint__(self, /)", repeat_hint, DOC("Private method returning an estimate of len(list(it))."), 0},
    {"__reduce__(self, /)", repeat_reduce, DOC("Return state information for pickling."), 0},
    {0},
};

/* ---- cycle: v[0] the iterator, unbound when exhausted; v[1] the items seen, i the position among them; n: the rest
 * of the iterator is not to be kept (set by __setstate__) ---- */

static value cycle_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in, it = V_UNBOUND;
    if (!args_unpack(vm, "cycle", args, nargs, it_strict(t, kwnames), 1, 1, &in)) return V_ERROR;
    ROOTS(vm, &it, &t);
    it = obj_iter(vm, in);
    list *saved = value_is_error(it) ? NULL : list_new(vm, 0);
    value self = saved ? it_new(vm, t) : V_ERROR;
    if (value_is_error(self)) return self;
    it_data(self)->v[0] = it;
    it_data(self)->v[1] = value_obj(saved);
    return self;
}

static value cycle_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    ROOTS(vm, &self);
    if (!value_is_unbound(d->v[0])) {
        value v = iter_step(vm, d->v[0]);
        if (value_is_error(v)) return V_ERROR;
        if (v.bits != V_STOP.bits) return d->n || list_push(vm, AS(list, d->v[1]), v) ? v : V_ERROR;
        d->v[0] = V_UNBOUND;
    }
    list *l = AS(list, d->v[1]);
    if (!l->len) return V_STOP;
    if ((size_t)d->i >= l->len) d->i = 0;
    return l->items[d->i++];
}

IT_FILL(cycle)

/* ---- chain: v[0] iterator over the iterables, unbound at the end; v[1] the current iterator ----
 */

static value chain_over(vm *vm, type *t, value iterables)
{
    ROOTS(vm, &t);
    value it = obj_iter(vm, iterables), self;
    if (value_is_error(it)) return V_ERROR;
    self = it_new(vm, t);
    if (!value_is_error(self)) it_data(self)->v[0] = it;
    return self;
}

static value chain_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    kwnames = it_strict(t, kwnames);
    if (!value_is_unbound(kwnames) && AS(tuple, kwnames)->len)
        return raise_type_error(vm, "chain() takes no keyword arguments");
    tuple *all = tuple_from(vm, args, nargs);
    return all ? chain_over(vm, t, value_obj(all)) : V_ERROR;
}

value it_chain_from_iterable(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return chain_over(vm, AS(type, args[0]), args[1]);
}

static value chain_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    value v;
    if (!value_is_unbound(d->v[1])) {
        if (iter_take_flat(d->v[1], &v) && LIKELY(v.bits != V_STOP.bits)) return v;
    }
    ROOTS(vm, &self);
    for (;;) {
        if (!value_is_unbound(d->v[1])) {
            v = iter_step_near(vm, d->v[1]);
            if (LIKELY(v.bits != V_STOP.bits)) return v;
            d->v[1] = V_UNBOUND;
        }
        if (value_is_unbound(d->v[0])) return V_STOP;
        value next = iter_step_near(vm, d->v[0]);
        if (value_is_error(next) || next.bits == V_STOP.bits) {
            d->v[0] = V_UNBOUND;
            return next;
        }
        next = obj_iter(vm, next);
        if (value_is_error(next)) {
            d->v[0] = V_UNBOUND;
            return V_ERROR;
        }
        it_set(vm, self, 1, next);
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
}

IT_FILL(chain)
/* ---- accumulate: v[0] iterator, v[1] function or None, v[2] the total or unbound, v[3] `initial`
 * still to give ---- */

static value accumulate_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[3], it = V_UNBOUND;
    if (!args_bind(vm, "accumulate(iterable, func=None, *, initial=None)", args, nargs, kwnames, in)) return V_ERROR;
    ROOTS(vm, &it, &in[1], &in[2], &t);
    it = obj_iter(vm, in[0]);
    value self = value_is_error(it) ? it : it_new(vm, t);
    if (value_is_error(self)) return self;
    itdata *d = it_data(self);
    d->v[0] = it;
    d->v[1] = value_is_unbound(in[1]) ? V_NONE : in[1];
    if (!value_is_unbound(in[2]) && !value_is_none(in[2])) d->v[3] = in[2];
    return self;
}

static value accumulate_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    value v = V_UNBOUND;
    if (!value_is_unbound(d->v[3])) {
        it_set(vm, self, 2, d->v[3]);
        d->v[3] = V_UNBOUND;
        return d->v[2];
    }
    ROOTS(vm, &self, &v);
    v = iter_step_near(vm, d->v[0]);
    if (value_is_error(v) || v.bits == V_STOP.bits) return v;
    if (value_both_int(d->v[2], v) && value_is_none(d->v[1])) {
        int64_t n = value_as_int(d->v[2]) + value_as_int(v);
        if (LIKELY(int_fits(n))) return d->v[2] = value_int(n);
    }
    if (!value_is_unbound(d->v[2])) {
        v = value_is_none(d->v[1]) ? obj_binary(vm, OPR_ADD, d->v[2], v) : vm_call2(vm, d->v[1], d->v[2], v);
        if (value_is_error(v)) return V_ERROR;
    }
    it_set(vm, self, 2, v);
    return v;
}

IT_FILL(accumulate)

/* ---- compress: v[0] data, v[1] selectors ---- */

static value compress_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[2], a = V_UNBOUND, b;
    if (!args_bind(vm, "compress(data, selectors)", args, nargs, kwnames, in)) return V_ERROR;
    ROOTS(vm, &a, &in[1], &t);
    a = obj_iter(vm, in[0]);
    if (value_is_error(a)) return V_ERROR;
    b = obj_iter(vm, in[1]);
    value self = value_is_error(b) ? b : it_new(vm, t);
    if (value_is_error(self)) return self;
    it_data(self)->v[0] = a;
    it_data(self)->v[1] = b;
    return self;
}

static value compress_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    value v = V_UNBOUND;
    ROOTS(vm, &self, &v);
    for (;;) {
        v = iter_step_near(vm, d->v[0]);
        if (value_is_error(v) || v.bits == V_STOP.bits) return v;
        value s = iter_step_near(vm, d->v[1]);
        if (value_is_error(s) || s.bits == V_STOP.bits) return s;
        int t = obj_truth(vm, s);
        if (t) return t < 0 ? V_ERROR : v;
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
}

IT_FILL(compress)

/* ---- dropwhile, takewhile, filterfalse, starmap: v[0] iterator, v[1] function; i: dropping or
 * taking is over ---- */

static value dropwhile_new(vm *vm, type *t, value *a, uint32_t n, value kw)
{
    return new_function_first(vm, t, a, n, kw, "dropwhile");
}
static value takewhile_new(vm *vm, type *t, value *a, uint32_t n, value kw)
{
    return new_function_first(vm, t, a, n, kw, "takewhile");
}
static value filterfalse_new(vm *vm, type *t, value *a, uint32_t n, value kw)
{
    return new_function_first(vm, t, a, n, kw, "filterfalse");
}
static value starmap_new(vm *vm, type *t, value *a, uint32_t n, value kw)
{
    return new_function_first(vm, t, a, n, kw, "starmap");
}

static value dropwhile_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    value v = V_UNBOUND;
    ROOTS(vm, &self, &v);
    for (;;) {
        v = iter_step_near(vm, d->v[0]);
        if (d->i || value_is_error(v) || v.bits == V_STOP.bits) return v;
        int t = predicate(vm, d->v[1], v);
        if (t < 0) return V_ERROR;
        if (!t) {
            d->i = 1;
            return v;
        }
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
}

static value takewhile_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    value v = V_UNBOUND;
    if (d->i) return V_STOP;
    ROOTS(vm, &self, &v);
    v = iter_step_near(vm, d->v[0]);
    if (value_is_error(v) || v.bits == V_STOP.bits) return v;
    int t = predicate(vm, d->v[1], v);
    if (t < 0) return V_ERROR;
    if (t) return v;
    d->i = 1;
    return V_STOP;
}

static value filterfalse_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    value v = V_UNBOUND;
    ROOTS(vm, &self, &v);
    bool plain = value_is_none(d->v[1]) || value_is(d->v[1], value_obj(T(vm, BOOL)));
    for (;;) {
        v = iter_step_near(vm, d->v[0]);
        if (value_is_error(v) || v.bits == V_STOP.bits) return v;
        int t = plain ? obj_truth(vm, v) : predicate(vm, d->v[1], v);
        if (t <= 0) return t < 0 ? V_ERROR : v;
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
}

static value starmap_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    ROOTS(vm, &self);
    value v = iter_step_near(vm, d->v[0]);
    if (value_is_error(v) || v.bits == V_STOP.bits) return v;
    if (!value_is_exact(v, TYPE_TUPLE)) {
        tuple *t = obj_to_tuple(vm, v);
        if (!t) return V_ERROR;
        v = value_obj(t);
    }
    return vm_call_ex(vm, d->v[1], v, V_UNBOUND);
}

IT_FILL(dropwhile)
IT_FILL(takewhile)
IT_FILL(filterfalse)
IT_FILL(starmap)

/* ---- islice: v[0] the iterator, unbound at the end; i items taken from it, n the next wanted, k
 * the stop (-1: none); v[1] the step, a small int ---- */

static bool islice_bound(vm *vm, value v, int64_t *out, const char *message)
{
    if (value_is_none(v)) return true;
    if (obj_as_index(vm, v, out, EXC_OverflowError) && *out >= 0) return true;
    exc_clear(vm);
    raise_value_error(vm, "%s", message);
    return false;
}

static value islice_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[4], it = V_UNBOUND;
    int64_t start = 0, stop = -1, step = 1;
    if (!args_unpack(vm, "islice", args, nargs, it_strict(t, kwnames), 2, 4, in)) return V_ERROR;
    ROOTS(vm, &it, &t);
    if (nargs == 2) {
        if (!islice_bound(vm, in[1], &stop,
                          "Stop argument for islice() must be None or an integer: 0 <= x <= sys.maxsize."))
            return V_ERROR;
    } else {
        if (!islice_bound(vm, in[2], &stop,
                          "Stop argument for islice() must be None or an integer: 0 <= x <= sys.maxsize.") ||
            !islice_bound(vm, in[1], &start, "Indices for islice() must be None or an integer: 0 <= x <= sys.maxsize."))
            return V_ERROR;
        if (nargs == 4 && !value_is_none(in[3])) {
            if (!obj_as_index(vm, in[3], &step, EXC_OverflowError)) {
                exc_clear(vm);
                step = 0;
            }
            if (step < 1) return raise_value_error(vm, "Step for islice() must be a positive integer or None.");
            if (!int_fits(step)) step = SMALL_MAX; /* as good: nothing has that many items */
        }
    }
    it = obj_iter(vm, in[0]);
    value self = value_is_error(it) ? it : it_new(vm, t);
    if (value_is_error(self)) return self;
    itdata *d = it_data(self);
    d->v[0] = it;
    d->v[1] = value_int(step);
    d->n = start;
    d->k = stop;
    return self;
}

static value islice_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    value v = V_STOP;
    if (value_is_unbound(d->v[0])) return V_STOP;
    ROOTS(vm, &self);
    while (d->i < d->n) { /* what is skipped */
        v = value_is_unbound(d->v[0]) ? V_STOP : iter_step_near(vm, d->v[0]);
        if (value_is_error(v) || v.bits == V_STOP.bits) goto end;
        d->i++;
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
    v = V_STOP;
    if (value_is_unbound(d->v[0]) || (d->k >= 0 && d->i >= d->k)) goto end;
    v = iter_step_near(vm, d->v[0]);
    if (value_is_error(v) || v.bits == V_STOP.bits) goto end;
    d->i++;
    if (__builtin_add_overflow(d->n, value_as_int(d->v[1]), &d->n)) d->n = INT64_MAX;
    if (d->k >= 0 && d->n > d->k) d->n = d->k;
    return v;
end:
    d->v[0] = V_UNBOUND;
    return v;
}
IT_FILL(islice)

/* ---- pairwise: v[0] the iterator, unbound at the end; v[1] the item before ---- */

static value pairwise_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in, it = V_UNBOUND;
    if (!args_unpack(vm, "pairwise", args, nargs, it_strict(t, kwnames), 1, 1, &in)) return V_ERROR;
    ROOTS(vm, &it, &t);
    it = obj_iter(vm, in);
    value self = value_is_error(it) ? it : it_new(vm, t);
    if (!value_is_error(self)) it_data(self)->v[0] = it;
    return self;
}

static value pairwise_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    if (value_is_unbound(d->v[0])) return V_STOP;
    value old = d->v[1], v = V_UNBOUND;
    ROOTS(vm, &self, &old, &v);
    if (value_is_unbound(old)) {
        old = iter_step_near(vm, d->v[0]);
        if (value_is_error(old) || old.bits == V_STOP.bits) {
            d->v[0] = V_UNBOUND;
            return old;
        }
        it_set(vm, self, 1, old);
        if (value_is_unbound(d->v[0])) return V_STOP;
    }
    v = iter_step_near(vm, d->v[0]);
    if (value_is_error(v) || v.bits == V_STOP.bits) {
        d->v[0] = d->v[1] = V_UNBOUND;
        return v;
    }
    it_set(vm, self, 1, v);
    tuple *t = tuple_pack(vm, 2, old, v);
    return t ? value_obj(t) : V_ERROR;
}
IT_FILL(pairwise)

/* ---- zip_longest: v[0] list of iterators (None: exhausted), v[1] the fill value; n of them still
 * run ---- */

static value zip_longest_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value fill = V_NONE;
    if (!value_is_unbound(kwnames)) {
        const tuple *names = AS(tuple, kwnames);
        for (size_t i = 0; i < names->len; i++) {
            if (!str_equal_ascii(AS(str, names->items[i]), "fillvalue"))
                return raise_type_error(vm, "zip_longest() got an unexpected keyword argument");
            fill = args[nargs + i];
        }
    }
    list *its = list_new(vm, nargs);
    ROOTS(vm, &its, &t, &fill);
    for (uint32_t i = 0; its && i < nargs; i++) {
        value it = obj_iter(vm, args[i]);
        if (value_is_error(it) || !list_push(vm, its, it)) return V_ERROR;
    }
    value self = its ? it_new(vm, t) : V_ERROR;
    if (value_is_error(self)) return self;
    it_data(self)->v[0] = value_obj(its);
    it_data(self)->v[1] = fill;
    it_data(self)->n = nargs;
    return self;
}

static value zip_longest_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    list *its = AS(list, d->v[0]);
    if (d->n == 0) return V_STOP;
    tuple *t = tuple_new(vm, its->len);
    if (!t) return V_ERROR;
    ROOTS(vm, &self, &its, &t);
    for (size_t i = 0; i < t->len; i++) {
        value it = its->items[i], v = d->v[1];
        if (!value_is_none(it)) {
            v = iter_step_near(vm, it);
            if (value_is_error(v)) {
                d->n = 0;
                return V_ERROR;
            }
            if (v.bits == V_STOP.bits) {
                if (--d->n <= 0) return V_STOP;
                its->items[i] = V_NONE;
                v = d->v[1];
            }
        }
        t->items[i] = v;
        gc_barrier(vm, t);
    }
    return value_obj(t);
}
IT_FILL(zip_longest)

/* ---- the module ---- */

#define TYPE_ROW(NAME, DOC, METHODS)    \
    {                                   \
        .spec = {                       \
            .name = "itertools." #NAME, \
            .doc = DOC,                 \
            .layout = &it_layout,       \
            .methods = METHODS,         \
            .flags = TF_BASE,           \
            .fill = NAME##_fill         \
        }                               \
    }

static const struct it_type simple_types[] = {
    TYPE_ROW(accumulate, "Return series of accumulated sums (or other binary function results).",
             it_accumulate_methods),
    TYPE_ROW(chain,
             "Return a chain object whose .__next__() method returns elements from the first "
             "iterable until it is exhausted, "
             "then elements from the next iterable, until all of the iterables are exhausted.",
             it_chain_methods),
    TYPE_ROW(compress, "Return data elements corresponding to true selector elements.", it_compress_methods),
    TYPE_ROW(count, "Return a count object whose .__next__() method returns consecutive values.", count_methods),
    TYPE_ROW(cycle,
             "Return elements from the iterable until it is exhausted. Then repeat the sequence "
             "indefinitely.",
             it_cycle_methods),
    TYPE_ROW(dropwhile, "Drop items from the iterable while predicate(item) is true.", it_while_methods),
    TYPE_ROW(filterfalse, "Return those items of iterable for which function(item) is false.", it_function_methods),
    TYPE_ROW(islice, "Return an iterator whose next() method returns selected values from an iterable.",
             it_islice_methods),
    TYPE_ROW(pairwise, "Return an iterator of overlapping pairs taken from the input iterator.", NULL),
    TYPE_ROW(repeat, "Create an iterator which returns the object for the specified number of times.", repeat_methods),
    TYPE_ROW(starmap,
             "Return an iterator whose values are returned from the function evaluated with an "
             "argument tuple taken from "
             "the given sequence.",
             it_function_methods),
    TYPE_ROW(takewhile,
             "Return successive entries from an iterable as long as the predicate evaluates to "
             "true for each entry.",
             it_while_methods),
    TYPE_ROW(zip_longest,
             "Return a zip_longest object whose .__next__() method returns a tuple where the i-th "
             "element comes from "
             "the i-th iterable argument.",
             it_zip_longest_methods),
};

static bool it_add_types(vm *vm, module *m, const struct it_type *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].hidden ? !module_state_make(vm, rows[i].id, &rows[i].spec)
                           : !module_add_type(vm, m, rows[i].id, &rows[i].spec))
            return false;
    }
    return true;
}

bool itertools_init(vm *vm, module *m)
{
    for (size_t i = 0; i < sizeof simple_types / sizeof *simple_types; i++)
        if (!module_add_type(vm, m, (enum module_state_id)(STATE_ITERTOOLS_FIRST + i), &simple_types[i].spec))
            return false;
    return it_add_types(vm, m, it_comb_types, it_comb_count) && it_add_types(vm, m, it_group_types, it_group_count) &&
           module_add_natives(vm, m, it_group_functions);
}
