/* Iterators over sequences, and iter(f, sentinel), reversed, enumerate, zip, map, filter. Fields: iter.h.
 *
 * Invariant: an exhausted iterator over a sequence drops it (a is unbound) and stays exhausted.
 */
#include "iter.h"

#include "list.h"
#include "native.h"
#include "str.h"

#define DOC_FILE vm_iter
DOC_BEGIN;

value iter_too_deep(vm *vm) { return raise(vm, EXC_RecursionError, "maximum recursion depth exceeded"); }

value iter_new(vm *vm, unsigned type_id, value a)
{
    iter *it = gc_new_fast(vm, K_ITER, type_id, sizeof *it);
    if (!it) return V_ERROR;
    it->a = a;
    return value_obj(it);
}

value iter_new_callable(vm *vm, value f, value sentinel)
{
    value v = iter_new(vm, TYPE_CALL_ITER, f);
    if (!value_is_error(v)) AS(iter, v)->b = sentinel;
    return v;
}

static void iter_traverse(vm *vm, object *o)
{
    iter *it = (iter *)(void *)o;
    gc_mark_value(vm, it->a);
    gc_mark_value(vm, it->b);
    gc_mark_value(vm, it->c);
    if (UNLIKELY(it->slots != NULL)) gc_mark_slots(vm, o, it->slots);
}

static void iter_free(vm *vm, object *o) { object_slots_free(vm, o, ((iter *)(void *)o)->slots); }

static value iter_self(vm *vm, value self)
{
    (void)vm;
    return self;
}

/* ---- sequences ---- */

static value list_iter_next(vm *vm, value self)
{
    (void)vm;
    iter *it = AS(iter, self);
    if (UNLIKELY(value_is_unbound(it->a))) return V_STOP;
    list *l = AS(list, it->a);
    if (LIKELY(it->i < l->len)) return l->items[it->i++];
    it->a = V_UNBOUND;
    return V_STOP;
}

static value list_reviter_next(vm *vm, value self)
{
    (void)vm;
    iter *it = AS(iter, self);
    if (value_is_unbound(it->a)) return V_STOP;
    list *l = AS(list, it->a);
    if (it->i > 0 && it->i <= l->len) return l->items[--it->i];
    it->a = V_UNBOUND;
    return V_STOP;
}

static value tuple_iter_next(vm *vm, value self)
{
    (void)vm;
    iter *it = AS(iter, self);
    if (UNLIKELY(value_is_unbound(it->a))) return V_STOP;
    tuple *t = AS(tuple, it->a);
    if (LIKELY(it->i < t->len)) return t->items[it->i++];
    it->a = V_UNBOUND;
    return V_STOP;
}

/* After a failed __getitem__: IndexError and StopIteration end the iteration. */
static value iter_ended(vm *vm, iter *it)
{
    if (!exc_clear_if(vm, EXC_IndexError) && !exc_clear_if(vm, EXC_StopIteration)) return V_ERROR;
    it->a = V_UNBOUND;
    return V_STOP;
}

static value seq_iter_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    if (value_is_unbound(it->a)) return V_STOP;
    if (it->i >= INT64_MAX) return raise_overflow(vm, "iter index too large");
    ROOTS(vm, &it);
    value v = obj_getitem(vm, it->a, int_from_i64(vm, (int64_t)it->i));
    if (value_is_error(v)) return iter_ended(vm, it);
    it->i++;
    return v;
}

static value call_iter_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    if (value_is_unbound(it->a)) return V_STOP;
    value v = V_UNBOUND;
    ROOTS(vm, &it, &v);
    v = vm_call0(vm, it->a);
    if (value_is_error(v)) {
        if (!exc_clear_if(vm, EXC_StopIteration)) return V_ERROR;
        it->a = it->b = V_UNBOUND;
        return V_STOP;
    }
    if (value_is_unbound(it->a)) return V_STOP; /* the call exhausted it */
    if (value_is_none(it->b) && value_is_obj(v) && !type_of(vm, v)->s.compare)
        return v; /* what has no == is not None */
    int same = value_equal(vm, it->b, v);
    if (same < 0) return V_ERROR;
    if (!same) return v;
    it->a = it->b = V_UNBOUND;
    return V_STOP;
}

static value iter_hint(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    iter *it = AS(iter, args[0]);
    if (value_is_unbound(it->a)) return value_int(0);
    if (it->h.shape == TYPE_LIST_REVITER) return value_int(it->i <= AS(list, it->a)->len ? (int64_t)it->i : 0);
    int64_t n = obj_len(vm, it->a);
    if (n < 0) return V_ERROR;
    return value_int(n > (int64_t)it->i ? n - (int64_t)it->i : 0);
}

static const native_def seq_iter_methods[] = {
    {"__length_hint__(self, /)", iter_hint, DOC("Private method returning an estimate of len(list(it))."), 0},
    {"__reduce__(self, /)", iter_reduce_seq, DOC("Return state information for pickling."), 0},
    {"__setstate__(self, state, /)", iter_setstate_seq, DOC("Set state information for unpickling."), 0},
    {0},
};
static const native_def reviter_methods[] = {
    {"__length_hint__(self, /)", iter_hint, DOC("Private method returning an estimate of len(list(it))."), 0},
    {"__reduce__(self, /)", iter_reduce_seq, DOC("Return state information for pickling."), 0},
    {"__setstate__(self, state, /)", iter_setstate_seq, DOC("Set state information for unpickling."), 0},
    {0},
};

/* ---- reversed ---- */

static value reversed_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value seq = V_UNBOUND;
    bool strict = t == T(vm, REVERSED) || t->s.init == T(vm, REVERSED)->s.init;
    if (!args_unpack(vm, "reversed", args, nargs, strict ? kwnames : V_UNBOUND, 1, 1, &seq)) return V_ERROR;
    ROOTS(vm, &seq);
    value f = type_lookup(vm, type_of(vm, seq), N(vm, __reversed__));
    if (value_is_exact(f, TYPE_NATIVE_METHOD)) return native_call(vm, AS(native, f), &seq, 1, V_UNBOUND);
    if (value_is_none(f)) return raise_type_error(vm, "'%T' object is not reversible", seq);
    if (!value_is_unbound(f)) {
        f = type_lookup_special(vm, seq, N(vm, __reversed__));
        return value_is_unbound(f) ? V_ERROR : vm_call0(vm, f);
    }
    type *st = type_of(vm, seq);
    if (!st->s.getitem || IS_DICT(seq) || value_is_exact(seq, TYPE_MAPPINGPROXY))
        return raise_type_error(vm, "'%T' object is not reversible", seq);
    int64_t n = obj_len(vm, seq);
    if (n < 0) return V_ERROR;
    iter *it = gc_new_fast(vm, K_ITER, t->root_shape, sizeof *it);
    if (!it) return V_ERROR;
    it->a = seq;
    it->i = (uint64_t)n;
    return value_obj(it);
}

static value reversed_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    if (value_is_unbound(it->a) || it->i == 0) {
        it->a = V_UNBOUND;
        return V_STOP;
    }
    if (value_is_exact(it->a, TYPE_STR) && it->i <= AS(str, it->a)->len)
        return str_value(str_item(vm, AS(str, it->a), --it->i));
    if (value_is_exact(it->a, TYPE_TUPLE) && it->i <= AS(tuple, it->a)->len) return AS(tuple, it->a)->items[--it->i];
    ROOTS(vm, &it);
    value v = obj_getitem(vm, it->a, value_int((int64_t)it->i - 1));
    if (value_is_error(v)) return iter_ended(vm, it);
    it->i--;
    return v;
}

static value reversed_hint(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    iter *it = AS(iter, args[0]);
    if (value_is_unbound(it->a)) return value_int(0);
    int64_t n = obj_len(vm, it->a);
    if (n < 0) return V_ERROR;
    return value_int(n < (int64_t)it->i ? 0 : (int64_t)it->i);
}

static const native_def parts_methods[] = {
    {"__reduce__(self, /)", iter_reduce_parts, DOC("Return state information for pickling."), 0},
    {0},
};
static const native_def zip_methods[] = {
    {"__reduce__(self, /)", iter_reduce_parts, DOC("Return state information for pickling."), 0},
    {"__setstate__(self, state, /)", iter_setstate_zip, DOC("Set state information for unpickling."), 0},
    {0},
};
static const native_def reversed_methods[] = {
    {"__length_hint__(self, /)", reversed_hint, DOC("Private method returning an estimate of len(list(it))."), 0},
    {"__reduce__(self, /)", iter_reduce_seq, DOC("Return state information for pickling."), 0},
    {"__setstate__(self, state, /)", iter_setstate_seq, DOC("Set state information for unpickling."), 0},
    {0},
};

/* ---- enumerate ---- */

static value enumerate_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[2] = {V_UNBOUND, V_UNBOUND}, start = value_int(0);
    size_t nkw = value_is_unbound(kwnames) ? 0 : AS(tuple, kwnames)->len;
    if (nargs + nkw > 2) return raise_type_error(vm, "enumerate() takes at most 2 arguments (%zu given)", nargs + nkw);
    for (uint32_t i = 0; i < nargs; i++) in[i] = args[i];
    for (size_t i = 0; i < nkw; i++) {
        str *name = AS(str, AS(tuple, kwnames)->items[i]);
        str *known = str_intern_utf8(vm, "iterable", 8);
        if (!known) return V_ERROR;
        unsigned at = str_eq(name, known) ? 0 : str_eq(name, N(vm, start)) ? 1 : 2;
        if (at == 2 || !value_is_unbound(in[at]))
            return raise_type_error(vm, "'%U' is an invalid keyword argument for enumerate()", name);
        in[at] = args[nargs + i];
    }
    if (value_is_unbound(in[0])) return raise_type_error(vm, "enumerate() missing required argument 'iterable'");
    ROOTS(vm, &in[0], &start);
    if (!value_is_unbound(in[1])) {
        start = obj_index(vm, in[1]);
        if (value_is_error(start)) return V_ERROR;
        start = int_plain(vm, start);
    }
    in[0] = obj_iter(vm, in[0]);
    if (value_is_error(in[0])) return V_ERROR;
    iter *it = gc_new_fast(vm, K_ITER, t->root_shape, sizeof *it);
    if (!it) return V_ERROR;
    it->a = in[0];
    it->b = start;
    return value_obj(it);
}

/* *out: the number that goes with the item just taken. */
static bool enumerate_count(vm *vm, iter *it, value *out)
{
    *out = it->b;
    if (LIKELY(value_is_int(it->b)) && value_as_int(it->b) < SMALL_MAX) {
        it->b.bits++;
        return true;
    }
    value next = int_binary(vm, OPR_ADD, it->b, value_int(1));
    if (value_is_error(next)) return false;
    it->b = next;
    gc_barrier(vm, it);
    return true;
}

static value enumerate_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    ROOTS(vm, &it);
    value v, n;
    if (!iter_take_flat(it->a, &v)) v = iter_step_raw(vm, it->a);
    if (value_is_error(v) || v.bits == V_STOP.bits) return v;
    ROOTS(vm, &v);
    if (!enumerate_count(vm, it, &n)) return V_ERROR;
    value pair[2] = {n, v};
    tuple *t = tuple_from(vm, pair, 2);
    return t ? value_obj(t) : V_ERROR;
}

/* ---- zip ---- */

/* Iterators over args, as a tuple; NULL raised. */
static tuple *iter_all(vm *vm, value *args, uint32_t n)
{
    tuple *t = tuple_new(vm, n);
    ROOTS(vm, &t);
    for (uint32_t i = 0; t && i < n; i++) {
        value it = obj_iter(vm, args[i]);
        if (value_is_error(it)) return NULL;
        t->items[i] = it;
        gc_barrier(vm, t);
    }
    return t;
}

static value zip_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    int strict = 0;
    tuple *its = NULL;
    ROOTS(vm, &its);
    bool own_init = t != T(vm, ZIP) && t->s.init != T(vm, ZIP)->s.init;
    size_t nkw = value_is_unbound(kwnames) || own_init ? 0 : AS(tuple, kwnames)->len;
    if (nkw > 1) return raise_type_error(vm, "zip() takes at most 1 keyword argument (%zu given)", nkw);
    if (nkw == 1) {
        str *name = AS(str, AS(tuple, kwnames)->items[0]);
        if (!str_eq(name, N(vm, strict)))
            return raise_type_error(vm, "'%U' is an invalid keyword argument for zip()", name);
        strict = obj_truth(vm, args[nargs]);
        if (strict < 0) return V_ERROR;
    }
    its = iter_all(vm, args, nargs);
    if (!its) return V_ERROR;
    iter *it = gc_new_fast(vm, K_ITER, t->root_shape, sizeof *it);
    if (!it) return V_ERROR;
    it->a = value_obj(its);
    it->b = value_bool(strict);
    return value_obj(it);
}

/* strict: iterator i ended (or, i == 0, all others must end too). */
static value zip_strict(vm *vm, tuple *its, size_t i)
{
    if (i > 0) {
        return raise_value_error(vm, "zip() argument %zu is shorter than argument%s%zu", i + 1, i == 1 ? " " : "s 1-",
                                 i);
    }
    for (i = 1; i < its->len; i++) {
        value v = iter_step(vm, its->items[i]);
        if (value_is_error(v)) return V_ERROR;
        if (v.bits != V_STOP.bits)
            return raise_value_error(vm, "zip() argument %zu is longer than argument%s%zu", i + 1,
                                     i == 1 ? " " : "s 1-", i);
    }
    return V_STOP;
}

/* One item of each iterator. 1: all there; 0: exhausted; -1: raised. */
static inline int zip_step(vm *vm, iter *it, tuple *its, value *out)
{
    bool strict = value_is(it->b, V_TRUE);
    for (size_t i = 0; i < its->len; i++) {
        value v;
        if (!iter_take_flat(its->items[i], &v))
            v = strict ? iter_step(vm, its->items[i]) : iter_step_raw(vm, its->items[i]);
        if (UNLIKELY(value_is_error(v))) return -1;
        if (UNLIKELY(v.bits == V_STOP.bits)) {
            if (!strict) return 0;
            return value_is_error(zip_strict(vm, its, i)) ? -1 : 0;
        }
        out[i] = v;
    }
    return 1;
}

static value zip_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    tuple *its = AS(tuple, it->a);
    if (its->len == 0) return V_STOP;
    if (LIKELY(its->len <= 4)) {
        value few[4] = {V_UNBOUND, V_UNBOUND, V_UNBOUND, V_UNBOUND};
        ROOTS(vm, &it, &its);
        ROOT_SPAN(vm, few, 4);
        int r = zip_step(vm, it, its, few);
        if (r <= 0) return r ? V_ERROR : V_STOP;
        tuple *t = tuple_from(vm, few, its->len);
        return t ? value_obj(t) : V_ERROR;
    }
    tuple *t = tuple_new(vm, its->len);
    if (!t) return V_ERROR;
    ROOTS(vm, &it, &its, &t);
    for (size_t i = 0; i < its->len; i++) {
        value v = value_is(it->b, V_TRUE) ? iter_step(vm, its->items[i]) : iter_step_raw(vm, its->items[i]);
        if (value_is_error(v)) return V_ERROR;
        if (v.bits == V_STOP.bits) return value_is(it->b, V_TRUE) ? zip_strict(vm, its, i) : V_STOP;
        t->items[i] = v;
        gc_barrier(vm, t);
    }
    return value_obj(t);
}

int iter_step_parts(vm *vm, value self, uint32_t n, value *parts, int other)
{
    iter *it = AS(iter, self);
    for (uint32_t i = 0; i < n; i++) parts[i] = V_UNBOUND;
    ROOTS(vm, &it);
    ROOT_SPAN(vm, parts, n);
    if (it->h.shape == TYPE_ZIP) {
        tuple *its = AS(tuple, it->a);
        if (its->len != n) return other;
        ROOTS(vm, &its);
        return zip_step(vm, it, its, parts);
    }
    if (n != 2) return other;
    if (!iter_take_flat(it->a, &parts[1])) parts[1] = iter_step_raw(vm, it->a);
    if (value_is_error(parts[1])) return -1;
    if (parts[1].bits == V_STOP.bits) return 0;
    return enumerate_count(vm, it, &parts[0]) ? 1 : -1;
}

/* ---- map, filter ---- */

static value map_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    bool strict = t == T(vm, MAP) || t->s.init == T(vm, MAP)->s.init;
    if (strict && !value_is_unbound(kwnames) && AS(tuple, kwnames)->len)
        return raise_type_error(vm, "map() takes no keyword arguments");
    if (nargs < 2) return raise_type_error(vm, "map() must have at least two arguments.");
    tuple *its = iter_all(vm, args + 1, nargs - 1);
    if (!its) return V_ERROR;
    iter *it = gc_new_fast(vm, K_ITER, t->root_shape, sizeof *it);
    if (!it) return V_ERROR;
    it->a = value_obj(its);
    it->b = args[0];
    return value_obj(it);
}

/* One call with an item of each iterator; argv is rooted, unbound, and followed by the map itself. */
static inline value map_step(vm *vm, const iter *it, value *argv)
{
    tuple *its = AS(tuple, it->a);
    for (size_t i = 0; i < its->len; i++) {
        if (!iter_take_flat(its->items[i], &argv[i])) argv[i] = iter_step_raw(vm, its->items[i]);
        if (UNLIKELY(value_is_error(argv[i]) || argv[i].bits == V_STOP.bits)) return argv[i];
    }
    if (native_takes(it->b, (uint32_t)its->len)) {
        if (UNLIKELY((uintptr_t)__builtin_frame_address(0) < vm->thread->c_stack_low)) return iter_too_deep(vm);
        return native_call_direct(vm, it->b, argv, (uint32_t)its->len);
    }
    return vm_call(vm, it->b, argv, (uint32_t)its->len);
}

static value map_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    size_t n = AS(tuple, it->a)->len;
    if (LIKELY(n <= 2)) {
        value few[3] = {V_UNBOUND, V_UNBOUND, self};
        ROOT_SPAN(vm, few, 3);
        return map_step(vm, it, few);
    }
    value *argv = mem_zalloc(vm, (n + 1) * sizeof *argv);
    if (!argv) return V_ERROR;
    argv[n] = self;
    ROOT_SPAN(vm, argv, n + 1);
    value r = map_step(vm, it, argv);
    mem_free(vm, argv, (n + 1) * sizeof *argv);
    return r;
}

static value filter_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[2] = {V_UNBOUND, V_UNBOUND};
    bool strict = t == T(vm, FILTER) || t->s.init == T(vm, FILTER)->s.init;
    if (!args_unpack(vm, "filter", args, nargs, strict ? kwnames : V_UNBOUND, 2, 2, in)) return V_ERROR;
    ROOTS(vm, &in[0], &in[1]);
    in[1] = obj_iter(vm, in[1]);
    if (value_is_error(in[1])) return V_ERROR;
    iter *it = gc_new_fast(vm, K_ITER, t->root_shape, sizeof *it);
    if (!it) return V_ERROR;
    it->a = in[1];
    it->b = in[0];
    return value_obj(it);
}

static value filter_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    value v = V_UNBOUND, r;
    ROOTS(vm, &it, &v);
    bool plain = value_is_none(it->b) || (value_is_obj(it->b) && value_as_obj(it->b) == &T(vm, BOOL)->h);
    for (;;) {
        if (!iter_take_flat(it->a, &v)) v = iter_step_raw(vm, it->a);
        if (value_is_error(v) || v.bits == V_STOP.bits) return v;
        r = plain ? v : vm_call1(vm, it->b, v);
        int truth = value_is_error(r) ? -1 : obj_truth(vm, r);
        if (truth < 0) return V_ERROR; /* StopIteration ends it */
        if (truth) return v;
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
}

/* ---- the types ---- */

void type_init_iter(vm *vm)
{
    static const gc_kind_ops ops = {.traverse = iter_traverse, .free = iter_free, .tells_parts = true};
    static const struct {
        unsigned id;
        unary_fn next;
        new_fn make;
        const native_def *methods;
    } rows[] = {
        {TYPE_LIST_ITER, list_iter_next, NULL, seq_iter_methods},
        {TYPE_LIST_REVITER, list_reviter_next, NULL, reviter_methods},
        {TYPE_TUPLE_ITER, tuple_iter_next, NULL, seq_iter_methods},
        {TYPE_SEQ_ITER, seq_iter_next, NULL, seq_iter_methods},
        {TYPE_CALL_ITER, call_iter_next, NULL, parts_methods},
        {TYPE_REVERSED, reversed_next, reversed_new, reversed_methods},
        {TYPE_ENUMERATE, enumerate_next, enumerate_new, parts_methods},
        {TYPE_ZIP, zip_next, zip_new, zip_methods},
        {TYPE_MAP, map_next, map_new, parts_methods},
        {TYPE_FILTER, filter_next, filter_new, parts_methods},
    };
    gc_register_kind(vm, K_ITER, &ops);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        type *t = vm->types[rows[i].id];
        t->s.iter = iter_self;
        t->s.next = rows[i].next;
        t->s.new_ = rows[i].make;
        t->methods = rows[i].methods;
    }
}
