/* The module _functools: partial, reduce, cmp_to_key, and the cache behind lru_cache. */
#include "module_state.h"
#include "vm/attr.h"
#include "vm/dict.h"
#include "vm/iter.h"
#include "vm/list.h"
#include "vm/str.h"

#define DOC_FILE stdlib_mod_functools
DOC_BEGIN;

/* ---- partial ---- */

struct partial {
    value fn, args, kw;
}; /* args: tuple; kw: dict */

static struct partial *partial_of(value v) { return (struct partial *)(void *)AS(userdata, v)->body; }
static void partial_traverse(vm *vm, object *o) { gc_mark_values(vm, &partial_of(value_obj(o))->fn, 3); }
static const type_layout partial_layout = {.size = sizeof(struct partial), .traverse = partial_traverse};

/* Puts n keyword values into d. */
static bool add_keywords(vm *vm, dict *d, const value *values, value kwnames)
{
    for (size_t i = 0; i < AS(tuple, kwnames)->len; i++)
        if (!dict_set(vm, d, AS(tuple, kwnames)->items[i], values[i])) return false;
    return true;
}

static value partial_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    if (nargs < 1) return raise_type_error(vm, "type 'partial' takes at least one argument");
    if (!obj_is_callable(vm, args[0])) return raise_type_error(vm, "the first argument must be callable");
    const struct partial *inner = NULL;
    const type *own = module_state_type(vm, STATE_PARTIAL);
    if (type_of(vm, args[0]) == own && t == own) { /* a partial of a partial is flattened, unless it has attributes */
        const object *o = value_as_obj(args[0]);
        if (o->shape == own->root_shape) inner = partial_of(args[0]);
    }
    size_t before = inner ? AS(tuple, inner->args)->len : 0;
    tuple *pos = tuple_new(vm, before + nargs - 1);
    dict *kw = inner ? dict_copy(vm, AS(dict, inner->kw)) : dict_new(vm);
    if (!pos || !kw) return V_ERROR;
    ROOTS(vm, &pos, &kw, &t);
    if (before) memcpy(pos->items, AS(tuple, inner->args)->items, before * sizeof(value));
    if (nargs > 1) memcpy(pos->items + before, args + 1, (nargs - 1) * sizeof(value));
    if (!value_is_unbound(kwnames) && !add_keywords(vm, kw, args + nargs, kwnames)) return V_ERROR;
    void *o = userdata_new(vm, t);
    if (!o) return V_ERROR;
    *partial_of(value_obj(o)) = (struct partial){inner ? inner->fn : args[0], value_obj(pos), value_obj(kw)};
    return value_obj(o);
}

static value partial_call(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    const struct partial *p = partial_of(self);
    const tuple *pos = AS(tuple, p->args);
    dict *kw = AS(dict, p->kw);
    size_t nkw = value_is_unbound(kwnames) ? 0 : AS(tuple, kwnames)->len;
    value fn = p->fn, small[10];
    ROOTS(vm, &self, &fn, &pos);
    if (kw->used && nkw) { /* the call's keywords come on top of the stored ones */
        dict *all = dict_copy(vm, kw);
        tuple *t = tuple_new(vm, pos->len + nargs);
        if (!all || !t) return V_ERROR;
        ROOTS(vm, &all, &t);
        memcpy(t->items, pos->items, pos->len * sizeof(value));
        if (nargs) memcpy(t->items + pos->len, args, nargs * sizeof(value));
        if (!add_keywords(vm, all, args + nargs, kwnames)) return V_ERROR;
        return vm_call_ex(vm, fn, value_obj(t), value_obj(all));
    }
    if (kw->used) {
        tuple *names = tuple_new(vm, kw->used);
        if (!names) return V_ERROR;
        size_t pos_in = 0, i = 0;
        value k, v;
        while (dict_next(kw, &pos_in, &k, &v)) names->items[i++] = k;
        kwnames = value_obj(names);
    }
    size_t own_kw = kw->used, n = pos->len + nargs + nkw + own_kw;
    value *all = n <= 10 ? small : mem_alloc(vm, n * sizeof *all);
    if (!all) return V_ERROR;
    memcpy(all, pos->items, pos->len * sizeof(value));
    if (nargs + nkw) memcpy(all + pos->len, args, (nargs + nkw) * sizeof(value));
    if (own_kw) {
        size_t pos_in = 0, i = pos->len + nargs;
        value k, v;
        while (dict_next(kw, &pos_in, &k, &v)) all[i++] = v;
    }
    ROOTS(vm, &kwnames);
    ROOT_SPAN(vm, all, n);
    value r = vm_call_kw(vm, fn, all, (uint32_t)(pos->len + nargs), kwnames);
    if (all != small) mem_free(vm, all, n * sizeof *all);
    return r;
}

static value partial_repr(vm *vm, value self)
{
    const struct partial *p = partial_of(self);
    value fn = p->fn, pos = p->args, kw = p->kw, k = V_UNBOUND, v = V_UNBOUND;
    int entered = repr_enter(vm, self);
    if (entered <= 0) return entered < 0 ? V_ERROR : str_value(str_from_cstr(vm, "..."));
    ROOTS(vm, &self, &fn, &pos, &kw, &k, &v);
    str_builder b;
    sb_init(&b, vm);
    str *s = str_format(vm, "%T(%R", self, fn);
    bool ok = s;
    if (s) sb_str(&b, s);
    for (size_t i = 0; ok && i < AS(tuple, pos)->len; i++) {
        ok = (s = str_format(vm, ", %R", AS(tuple, pos)->items[i]));
        if (ok) sb_str(&b, s);
    }
    for (size_t at = 0; ok && dict_next(AS(dict, kw), &at, &k, &v);) {
        ok = (s = str_format(vm, ", %S=%R", k, v));
        if (ok) sb_str(&b, s);
    }
    repr_leave(vm, self);
    sb_char(&b, ')');
    if (ok) return str_value(sb_finish(&b));
    sb_drop(&b);
    return V_ERROR;
}

static value partial_get_func(vm *vm, value v)
{
    (void)vm;
    return partial_of(v)->fn;
}
static value partial_get_args(vm *vm, value v)
{
    (void)vm;
    return partial_of(v)->args;
}
static value partial_get_keywords(vm *vm, value v)
{
    (void)vm;
    return partial_of(v)->kw;
}

FN(partial_reduce)
{
    const struct partial *p = partial_of(args[0]);
    value attrs = V_NONE;
    if (value_as_obj(args[0])->shape != type_of(vm, args[0])->root_shape) {
        dict *d = object_dict(vm, args[0]);
        if (!d) return V_ERROR;
        if (d->used) attrs = value_obj(d);
    }
    tuple *call = tuple_pack(vm, 1, p->fn), *state = tuple_pack(vm, 4, p->fn, p->args, p->kw, attrs);
    tuple *r =
        call && state ? tuple_pack(vm, 3, value_obj(type_of(vm, args[0])), value_obj(call), value_obj(state)) : NULL;
    return r ? value_obj(r) : V_ERROR;
}

FN(partial_setstate)
{
    value *s = IS_TUPLE(args[1]) ? AS(tuple, args[1])->items : NULL;
    if (!s || AS(tuple, args[1])->len != 4 || !obj_is_callable(vm, s[0]) || !IS_TUPLE(s[1]) ||
        (!value_is_none(s[2]) && !IS_DICT(s[2])))
        return raise_type_error(vm, "invalid partial state");
    /* Exact ones are shared with the state, as a shallow copy shares them; a subclass may behave otherwise. */
    value pos = s[1], kw = s[2], attrs = s[3];
    ROOTS(vm, &pos, &kw, &attrs);
    if (!value_is_exact(pos, TYPE_TUPLE)) pos = value_obj(tuple_from(vm, AS(tuple, pos)->items, AS(tuple, pos)->len));
    if (value_is_none(kw)) kw = value_obj(dict_new(vm));
    else if (!value_is_exact(kw, TYPE_DICT)) kw = value_obj(dict_copy(vm, AS(dict, kw)));
    if (value_is_none(attrs)) attrs = value_obj(dict_new(vm));
    if (value_is_error(pos) || value_is_error(kw) || value_is_error(attrs)) return V_ERROR;
    *partial_of(args[0]) = (struct partial){s[0], pos, kw};
    gc_barrier(vm, value_as_obj(args[0]));
    if (!obj_setattr(vm, args[0], N(vm, __dict__), attrs)) return V_ERROR;
    return V_NONE;
}

static const native_def partial_methods[] = {
    {"__reduce__(self, /)", partial_reduce, NULL, 0},
    {"__setstate__(self, state, /)", partial_setstate, NULL, 0},
    CLASS_GETITEM_METHOD,
    {0},
};
static const getset_def partial_getsets[] = {
    {"func", partial_get_func, NULL, DOC("function object to use in future partial calls")},
    {"args", partial_get_args, NULL, DOC("tuple of arguments to future partial calls")},
    {"keywords", partial_get_keywords, NULL, DOC("dictionary of keyword arguments to future partial calls")},
    {0},
};
static void partial_fill(struct type_slots *s)
{
    s->new_ = partial_new;
    s->call = partial_call;
    s->repr = partial_repr;
}
static const type_spec partial_spec = {
    .name = "functools.partial",
    .doc = "partial(func, *args, **keywords) - new function with partial application of the given "
           "arguments and keywords.",
    .layout = &partial_layout,
    .methods = partial_methods,
    .getsets = partial_getsets,
    .flags = TF_BASE | TF_HAS_DICT,
    .fill = partial_fill,
};

/* ---- cmp_to_key ---- */

struct key_wrapper {
    value cmp, obj;
};

static struct key_wrapper *key_of(value v) { return (struct key_wrapper *)(void *)AS(userdata, v)->body; }
static void key_traverse(vm *vm, object *o) { gc_mark_values(vm, &key_of(value_obj(o))->cmp, 2); }
static const type_layout key_layout = {.size = sizeof(struct key_wrapper), .traverse = key_traverse};

static value key_make(vm *vm, value cmp, value obj)
{
    ROOTS(vm, &cmp, &obj);
    void *o = userdata_new(vm, module_state_type(vm, STATE_KEY_WRAPPER));
    if (!o) return V_ERROR;
    *key_of(value_obj(o)) = (struct key_wrapper){cmp, obj};
    return value_obj(o);
}

static value key_call(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value obj;
    return args_bind(vm, "K(obj)", args, nargs, kwnames, &obj) ? key_make(vm, key_of(self)->cmp, obj) : V_ERROR;
}

static value key_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (type_of(vm, a) != type_of(vm, b)) return raise_type_error(vm, "other argument must be K instance");
    const struct key_wrapper *x = key_of(a), *y = key_of(b);
    if (value_is_unbound(x->obj) || value_is_unbound(y->obj)) return raise(vm, EXC_AttributeError, "object");
    value r = vm_call2(vm, x->cmp, x->obj, y->obj);
    if (LIKELY(value_is_int(r))) return value_bool(compare_holds((value_as_int(r) > 0) - (value_as_int(r) < 0), op));
    return value_is_error(r) ? r : obj_compare(vm, r, value_int(0), op);
}

static value key_get_obj(vm *vm, value v)
{
    value obj = key_of(v)->obj;
    return value_is_unbound(obj) ? raise(vm, EXC_AttributeError, "obj") : obj;
}
static bool key_set_obj(vm *vm, value self, value v)
{
    key_of(self)->obj = v;
    gc_barrier(vm, value_as_obj(self));
    return true;
}

static const getset_def key_getsets[] = {{"obj", key_get_obj, key_set_obj, DOC("Value wrapped by a key function.")},
                                         {0}};
static void key_fill(struct type_slots *s)
{
    s->call = key_call;
    s->compare = key_compare;
}
static const type_spec key_spec = {
    .name = "functools.KeyWrapper", .layout = &key_layout, .getsets = key_getsets, .fill = key_fill};

FN(f_cmp_to_key) { return key_make(vm, args[0], V_UNBOUND); }

/* ---- reduce ---- */

FN(f_reduce)
{
    if (nargs < 2 || nargs > 3)
        return raise_type_error(vm, "reduce expected at %s arguments, got %d", nargs < 2 ? "least 2" : "most 3",
                                (int)nargs);
    value f = args[0], total = nargs > 2 ? args[2] : V_UNBOUND, it = obj_iter(vm, args[1]);
    if (value_is_error(it)) {
        if (exc_clear_if(vm, EXC_TypeError)) raise_type_error(vm, "reduce() arg 2 must support iteration");
        return V_ERROR;
    }
    ROOTS(vm, &f, &total, &it);
    for (;;) {
        value v = iter_step(vm, it);
        if (value_is_error(v)) return V_ERROR;
        if (v.bits == V_STOP.bits) break;
        total = value_is_unbound(total) ? v : vm_call2(vm, f, total, v);
        if (value_is_error(total)) return V_ERROR;
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
    if (value_is_unbound(total)) return raise_type_error(vm, "reduce() of empty iterable with no initial value");
    return total;
}

/* ---- the module ---- */

static const native_def functions[] = {
    {"reduce(*args)", f_reduce,
     DOC("Apply a function of two arguments cumulatively to the items of an iterable, from left to "
         "right."),
     0},
    {"cmp_to_key(mycmp)", f_cmp_to_key, DOC("Convert a cmp= function into a key= function."), 0},
    {0},
};

type *lru_cache_type(vm *vm); /* lru_cache.c */

bool functools_init(vm *vm, module *m)
{
    type *cache = lru_cache_type(vm);
    return cache && module_add(vm, m, "_lru_cache_wrapper", value_obj(cache)) &&
           module_add_type(vm, m, STATE_PARTIAL, &partial_spec) &&
           module_state_make(vm, STATE_KEY_WRAPPER, &key_spec) && module_add_natives(vm, m, functions);
}
