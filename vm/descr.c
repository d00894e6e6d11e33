/* Descriptors of classes: getset and member descriptors, static and class methods. Properties:
 * property.c.
 *
 * One struct `descr`. getset: `def` is the getset_def, `name` its name. member: `index` is the slot
 * of the instance. static/class method: `get` is the callable.
 */
#include "attr.h"
#include "native.h"
#include "shape.h"
#include "type_parts.h"
#include "types_api.h"

/* The setter of what CPython has as a read-only member: the descriptor is then a member_descriptor,
 * too. */
bool getset_readonly(vm *vm, value self, value v)
{
    (void)self;
    (void)v;
    raise(vm, EXC_AttributeError, "readonly attribute");
    return false;
}

static value repr_value(str *s) { return s ? value_obj(s) : V_ERROR; }

/* ---- getset ---- */

value getset_new(vm *vm, type *owner, const getset_def *def)
{
    str *name = str_intern_utf8(vm, def->name, strlen(def->name));
    descr *d = name ? gc_new(vm, K_DESCR, def->set == getset_readonly ? TYPE_MEMBER : TYPE_GETSET, sizeof *d) : NULL;
    if (!d) return V_ERROR;
    d->name = value_obj(name);
    d->def = def;
    d->owner = owner;
    return value_obj(d);
}

/* Is o an instance of what d belongs to? */
static bool check_owner(vm *vm, const descr *d, value o)
{
    if (LIKELY(value_isa(vm, o, d->owner))) return true;
    raise_type_error(vm, "descriptor '%U' for '%N' objects doesn't apply to a '%T' object", d->name, d->owner, o);
    return false;
}

static value getset_get(vm *vm, value self, value o, value t)
{
    (void)t;
    descr *d = AS(descr, self);
    if (value_is_unbound(o)) return self;
    if (!check_owner(vm, d, o)) return V_ERROR;
    const getset_def *def = d->def;
    if (!def->get)
        return raise(vm, EXC_AttributeError, "attribute '%U' of '%N' objects is not readable", d->name, d->owner);
    value v = def->get(vm, o);
    if (UNLIKELY(value_is_unbound(v)) && !raised(vm)) /* of an object that was made without its __init__() */
        raise(vm, EXC_AttributeError, "'%T' object has no attribute '%U'", o, d->name);
    return v;
}

static bool getset_set(vm *vm, value self, value o, value v)
{
    descr *d = AS(descr, self);
    if (!check_owner(vm, d, o)) return false;
    const getset_def *def = d->def;
    if (def->set) {
        if (LIKELY(def->set(vm, o, v))) return true;
        if (!raised(vm)) raise_type_error(vm, "cannot delete attribute '%U' of '%N' objects", d->name, d->owner);
        return false;
    }
    raise(vm, EXC_AttributeError, "attribute '%U' of '%N' objects is not writable", d->name, d->owner);
    return false;
}

/* ---- member: a slot of __slots__ ---- */

value member_new(vm *vm, type *owner, str *name, uint32_t index)
{
    descr *d = gc_new(vm, K_DESCR, TYPE_MEMBER, sizeof *d);
    if (!d) return V_ERROR;
    d->name = value_obj(name);
    d->owner = owner;
    d->index = index;
    return value_obj(d);
}

value member_get(vm *vm, descr *d, value o)
{
    if (!check_owner(vm, d, o)) return V_ERROR;
    value *slots = object_slots(vm, value_as_obj(o), NULL);
    value v = slots ? slots[d->index] : V_UNBOUND;
    if (value_is_unbound(v)) return raise_attribute_error(vm, o, AS(str, d->name));
    return v;
}

static value member_slot_get(vm *vm, value self, value o, value t)
{
    if (AS(descr, self)->def) return getset_get(vm, self, o, t);
    return value_is_unbound(o) ? self : member_get(vm, AS(descr, self), o);
}

static bool member_slot_set(vm *vm, value self, value o, value v)
{
    descr *d = AS(descr, self);
    if (d->def) return getset_set(vm, self, o, v);
    if (!check_owner(vm, d, o)) return false;
    object *ob = value_as_obj(o);
    value *slots = object_slots(vm, ob, NULL);
    if (value_is_unbound(v)) {
        if (!slots || value_is_unbound(slots[d->index])) {
            raise(vm, EXC_AttributeError, "%U", d->name);
            return false;
        }
        slots[d->index] = v;
        return true;
    }
    /* All members at once: slots[0, nmembers) exist from the first one on. */
    if (!slots && !(slots = slots_reserve(vm, ob, shape_of(vm, ob)->count - 1))) return false;
    slots[d->index] = v;
    gc_barrier(vm, ob);
    return true;
}

static value get_name(vm *vm, value v)
{
    (void)vm;
    return AS(descr, v)->name;
}
static value get_qualname(vm *vm, value v)
{
    return repr_value(str_format(vm, "%U.%U", AS(descr, v)->owner->qualname, AS(descr, v)->name));
}
static value get_objclass(vm *vm, value v)
{
    (void)vm;
    return value_obj(AS(descr, v)->owner);
}
static value get_doc(vm *vm, value v)
{
    const getset_def *def = AS(descr, v)->def;
    return doc_text(vm, def ? def->doc : NULL);
}

static const getset_def descr_getsets[] = {
    {"__name__", get_name, NULL, NULL},
    {"__qualname__", get_qualname, NULL, NULL},
    {"__objclass__", get_objclass, NULL, NULL},
    {"__doc__", get_doc, NULL, NULL},
    {0},
};

static value getset_repr(vm *vm, value v)
{
    return repr_value(str_format(vm, "<attribute '%U' of '%N' objects>", AS(descr, v)->name, AS(descr, v)->owner));
}
static value member_repr(vm *vm, value v)
{
    return repr_value(str_format(vm, "<member '%U' of '%N' objects>", AS(descr, v)->name, AS(descr, v)->owner));
}

/* ---- staticmethod, classmethod ---- */

static value callable_descr(vm *vm, unsigned shape, value f)
{
    descr *d = gc_new(vm, K_DESCR, shape, sizeof *d);
    if (!d) return V_ERROR;
    d->get = f;
    return value_obj(d);
}

value staticmethod_new(vm *vm, value f) { return callable_descr(vm, TYPE_STATICMETHOD, f); }
value classmethod_new(vm *vm, value f) { return callable_descr(vm, TYPE_CLASSMETHOD, f); }

static value wrapper_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args;
    (void)nargs;
    (void)kwnames;
    return callable_descr(vm, t->root_shape, V_NONE);
}

/* What tells about the callable becomes the descriptor's own, as functools.wraps() would do it. */
static bool wrapper_copy_attributes(vm *vm, value self, value f)
{
    str *const names[] = {N(vm, __module__), N(vm, __name__), N(vm, __qualname__), N(vm, __doc__),
                          N(vm, __annotations__)};
    value v = V_UNBOUND;
    ROOTS(vm, &self, &f, &v);
    bool ok = vm_enter(vm);
    if (!ok) return false;
    for (size_t i = 0; ok && i < sizeof names / sizeof *names; i++) {
        v = obj_getattr_opt(vm, f, names[i]);
        ok = !raised(vm) && (value_is_unbound(v) || obj_setattr(vm, self, names[i], v));
    }
    vm_leave(vm);
    return ok;
}

static bool wrapper_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    const char *name = value_isa(vm, self, T(vm, STATICMETHOD)) ? "staticmethod" : "classmethod";
    value f;
    if (!args_unpack(vm, name, args, nargs, kwnames, 1, 1, &f)) return false;
    AS(descr, self)->get = f;
    gc_barrier(vm, value_as_obj(self));
    return wrapper_copy_attributes(vm, self, f);
}

static value staticmethod_get(vm *vm, value self, value o, value t)
{
    (void)vm;
    (void)o;
    (void)t;
    return AS(descr, self)->get;
}

static value staticmethod_call(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    if (!vm_enter(vm)) return V_ERROR;
    value r = vm_call_kw(vm, AS(descr, self)->get, args, nargs, kwnames);
    vm_leave(vm);
    return r;
}

static value classmethod_get(vm *vm, value self, value o, value t)
{
    if (value_is_unbound(t)) t = value_obj(type_of(vm, o));
    value f = AS(descr, self)->get;
    if (value_is_kind(f, K_FUNCTION)) return method_new(vm, f, t);
    const type *ft = type_of(vm, f);
    if (!ft->s.descr_get) return method_new(vm, f, t);
    if (!vm_enter(vm)) return V_ERROR; /* 3.9 to 3.12: classmethod over property and the like */
    value r = ft->s.descr_get(vm, f, t, t);
    vm_leave(vm);
    return r;
}

static value wrapper_repr(vm *vm, value v) { return repr_value(str_format(vm, "<%T(%R)>", v, AS(descr, v)->get)); }

static value get_func(vm *vm, value v)
{
    (void)vm;
    return AS(descr, v)->get;
}

static value get_isabstract(vm *vm, value v)
{
    if (!vm_enter(vm)) return V_ERROR;
    value a = obj_getattr_opt(vm, AS(descr, v)->get, N(vm, __isabstractmethod__));
    vm_leave(vm);
    if (raised(vm)) return V_ERROR;
    int t = value_is_unbound(a) ? 0 : obj_truth(vm, a);
    return t < 0 ? V_ERROR : value_bool(t);
}

static const getset_def wrapper_getsets[] = {
    {"__func__", get_func, NULL, NULL},
    {"__wrapped__", get_func, NULL, NULL},
    {"__isabstractmethod__", get_isabstract, NULL, NULL},
    {0},
};

/* ---- the kind ---- */

static void descr_traverse(vm *vm, object *o)
{
    descr *d = (descr *)(void *)o;
    gc_mark_slots(vm, o, d->slots);
    gc_mark_value(vm, d->get);
    gc_mark_value(vm, d->set);
    gc_mark_value(vm, d->del);
    gc_mark_value(vm, d->doc);
    gc_mark_value(vm, d->name);
    gc_mark_obj(vm, (object *)(void *)d->owner);
}

static void descr_free(vm *vm, object *o) { object_slots_free(vm, o, ((descr *)(void *)o)->slots); }

void property_init(vm *vm);
void alias_init(vm *vm);

void type_init_descr(vm *vm)
{
    static const gc_kind_ops ops = {.traverse = descr_traverse, .free = descr_free, .tells_parts = true};
    gc_register_kind(vm, K_DESCR, &ops);
    type *t = T(vm, GETSET);
    t->s.descr_get = getset_get;
    t->s.descr_set = getset_set;
    t->s.repr = getset_repr;
    t->getsets = descr_getsets;
    t = T(vm, MEMBER);
    t->s.descr_get = member_slot_get;
    t->s.descr_set = member_slot_set;
    t->s.repr = member_repr;
    t->getsets = descr_getsets;
    t = T(vm, STATICMETHOD);
    t->s.descr_get = staticmethod_get;
    t->s.call = staticmethod_call;
    T(vm, CLASSMETHOD)->s.descr_get = classmethod_get;
    for (int i = 0; i < 2; i++) {
        t = i ? T(vm, CLASSMETHOD) : T(vm, STATICMETHOD);
        t->s.new_ = wrapper_new;
        t->s.init = wrapper_init;
        t->s.repr = wrapper_repr;
        t->getsets = wrapper_getsets;
    }
    property_init(vm);
    alias_init(vm);
}
