/* The types of None, Ellipsis and NotImplemented: immediates with one instance each. */
#include "native.h"
#include "types_api.h"

static value text(vm *vm, const char *s)
{
    str *r = str_intern_utf8(vm, s, strlen(s));
    return r ? value_obj(r) : V_ERROR;
}

static value none_repr(vm *vm, value v)
{
    (void)v;
    return text(vm, "None");
}
static value ellipsis_repr(vm *vm, value v)
{
    (void)v;
    return text(vm, "Ellipsis");
}
static value notimplemented_repr(vm *vm, value v)
{
    (void)v;
    return text(vm, "NotImplemented");
}

static int none_truth(vm *vm, value v)
{
    (void)vm;
    (void)v;
    return 0;
}

/* Deprecated since 3.9, still true. */
static int notimplemented_truth(vm *vm, value v)
{
    (void)v;
    return warn(vm, EXC_DeprecationWarning, "NotImplemented should not be used in a boolean context") ? 1 : -1;
}

static value the_one(vm *vm, const char *name, uint32_t nargs, value kwnames, value v)
{
    if (nargs || (!value_is_unbound(kwnames) && AS(tuple, kwnames)->len))
        return raise_type_error(vm, "%s takes no arguments", name);
    return v;
}
static value none_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)t;
    (void)args;
    return the_one(vm, "NoneType", nargs, kwnames, V_NONE);
}
static value ellipsis_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)t;
    (void)args;
    return the_one(vm, "EllipsisType", nargs, kwnames, V_ELLIPSIS);
}
static value notimplemented_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)t;
    (void)args;
    return the_one(vm, "NotImplementedType", nargs, kwnames, V_NOTIMPLEMENTED);
}

/* CPython hashes them by address; ours have none, so fixed numbers. */
static bool singleton_hash(vm *vm, value v, uint64_t *out)
{
    (void)vm;
    *out = UINT64_C(0x5f3759df) ^ (v.bits & 0xff) << 8;
    return true;
}

static value reduce(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    str *s = obj_repr(vm, args[0]);
    return s ? value_obj(s) : V_ERROR;
}
static const native_def reduce_methods[] = {
    {"__reduce__(self, /)", reduce, NULL, 0},
    {0},
};

void type_init_none(vm *vm)
{
    type *t = T(vm, NONETYPE);
    t->s.repr = none_repr;
    t->s.truth = none_truth;
    t->s.new_ = none_new;
    t->s.hash = singleton_hash;
    t = T(vm, ELLIPSIS);
    t->s.repr = ellipsis_repr;
    t->s.new_ = ellipsis_new;
    t->s.hash = singleton_hash;
    t->methods = reduce_methods;
    t = T(vm, NOTIMPLEMENTED);
    t->s.repr = notimplemented_repr;
    t->s.truth = notimplemented_truth;
    t->s.new_ = notimplemented_new;
    t->s.hash = singleton_hash;
    t->methods = reduce_methods;
}
