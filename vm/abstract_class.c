/* isinstance and issubclass: tuples, unions, __instancecheck__ and __subclasscheck__, things with
 * __bases__. */
#include "attr.h"
#include "native.h"
#include "slot_table.h"
#include "type_parts.h"
#include "types_api.h"

/* cls.__bases__ if it is a tuple, else unbound. */
static value abstract_bases(vm *vm, value cls)
{
    value b = obj_getattr_opt(vm, cls, N(vm, __bases__));
    return value_is_error(b) || IS_TUPLE(b) ? b : V_UNBOUND;
}

static bool check_class(vm *vm, value cls, const char *message)
{
    value b = abstract_bases(vm, cls);
    if (value_is_unbound(b) && !raised(vm)) raise_type_error(vm, "%s", message);
    return !value_is_unbound(b);
}

/* Does c, which is not a type, reach cls by __bases__? */
static int abstract_issubclass(vm *vm, value c, value cls)
{
    if (value_is(c, cls)) return 1;
    if (!vm_enter(vm)) return -1;
    value bases = abstract_bases(vm, c);
    int r = raised(vm) ? -1 : 0;
    ROOTS(vm, &bases, &cls);
    for (size_t i = 0; !r && !value_is_unbound(bases) && i < AS(tuple, bases)->len; i++)
        r = abstract_issubclass(vm, AS(tuple, bases)->items[i], cls);
    vm_leave(vm);
    return r;
}

/* Is the type of t's instances what their __class__ says? A class of a script's may have one of its own, a proxy has
 * that of another object. */
static bool says_its_type(vm *vm, type *t)
{
    if (!(t->flags & TF_GETATTR_PLAIN)) return false;
    return !(t->flags & TF_HEAP) ||
           value_is(type_lookup(vm, t, N(vm, __class__)), type_lookup(vm, T(vm, OBJECT), N(vm, __class__)));
}

static int plain_isinstance(vm *vm, value o, value cls)
{
    if (IS_TYPE(cls)) {
        if (value_isa(vm, o, AS(type, cls))) return 1;
        type *t = type_of(vm, o);
        if (says_its_type(vm, t)) return 0;
        value c = obj_getattr_opt(vm, o, N(vm, __class__));
        if (raised(vm)) return -1;
        return IS_TYPE(c) && !value_is(c, value_obj(t)) && type_is_subtype(AS(type, c), AS(type, cls));
    }
    if (!check_class(vm, cls, "isinstance() arg 2 must be a type, a tuple of types, or a union")) return -1;
    value c = obj_getattr_opt(vm, o, N(vm, __class__));
    if (raised(vm)) return -1;
    return value_is_unbound(c) ? 0 : abstract_issubclass(vm, c, cls);
}

static int plain_issubclass(vm *vm, value c, value cls)
{
    if (IS_TYPE(c) && IS_TYPE(cls)) return type_is_subtype(AS(type, c), AS(type, cls));
    if (!check_class(vm, c, "issubclass() arg 1 must be a class")) return -1;
    if (!check_class(vm, cls, "issubclass() arg 2 must be a class, a tuple of classes, or a union")) return -1;
    return abstract_issubclass(vm, c, cls);
}

/* What is common to both: the container forms, then the metaclass's hook. */
static int check(vm *vm, value x, value cls, bool instance)
{
    if (IS_TYPE(cls) && value_as_obj(cls)->shape == TYPE_TYPE)
        return instance ? plain_isinstance(vm, x, cls) : plain_issubclass(vm, x, cls);
    ROOTS(vm, &x, &cls);
    tuple *many = IS_TUPLE(cls) ? AS(tuple, cls) : union_members(cls);
    if (many) {
        if (!vm_enter(vm)) return -1;
        int r = 0;
        for (size_t i = 0; !r && i < many->len; i++) {
            value m = many->items[i];
            if (!IS_TUPLE(cls) && !IS_TYPE(m)) { /* a union with a parameterized member */
                raise_type_error(vm, "%s() argument 2 cannot be a parameterized generic",
                                 instance ? "isinstance" : "issubclass");
                r = -1;
            } else {
                r = instance ? obj_isinstance(vm, x, m) : obj_issubclass(vm, x, m);
            }
        }
        vm_leave(vm);
        return r;
    }
    if (value_isa(vm, cls, T(vm, GENERIC_ALIAS))) {
        raise_type_error(vm, "%s() argument 2 cannot be a parameterized generic",
                         instance ? "isinstance" : "issubclass");
        return -1;
    }
    type *meta = type_of(vm, cls);
    str *name = instance ? N(vm, __instancecheck__) : N(vm, __subclasscheck__);
    value hook = type_lookup(vm, meta, name);
    if (raised(vm)) return -1;
    if (!value_is_unbound(hook) && !value_is(hook, type_lookup(vm, T(vm, TYPE), name))) {
        if (!vm_enter(vm)) return -1;
        value args[2] = {cls, x};
        value r = dunder_call(vm, hook, args, 2);
        vm_leave(vm);
        return value_is_error(r) ? -1 : obj_truth(vm, r);
    }
    return instance ? plain_isinstance(vm, x, cls) : plain_issubclass(vm, x, cls);
}

/* Of a class that has no say in it (its metaclass is `type`). -1: not told by the type alone. */
static inline int is_plain_instance(type *t, value cls)
{
    if (!value_is_exact(cls, TYPE_TYPE)) return -1;
    return type_is_subtype(t, AS(type, cls));
}

int obj_isinstance(vm *vm, value o, value cls)
{
    type *t = type_of(vm, o);
    if (value_is(value_obj(t), cls)) return 1;
    int r = is_plain_instance(t, cls);
    if (r < 0 && value_is_exact(cls, TYPE_TUPLE)) {
        r = 0;
        for (size_t i = 0; r == 0 && i < AS(tuple, cls)->len; i++) r = is_plain_instance(t, AS(tuple, cls)->items[i]);
    }
    return r > 0 || (r == 0 && says_its_type(vm, t)) ? r : check(vm, o, cls, true);
}

int obj_issubclass(vm *vm, value c, value cls) { return check(vm, c, cls, false); }
