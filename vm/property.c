/* property: a descriptor made of script functions. In struct descr: get, set, del, doc, name. */
#include "attr.h"
#include "native.h"
#include "type_parts.h"
#include "types_api.h"

#define DOC_FILE vm_property
DOC_BEGIN;

enum { DOC_FROM_GETTER = 1 /* header.flags */ };

static value or_none(value v) { return value_is_unbound(v) ? V_NONE : v; }

/* Sets the fields; the getter's docstring is taken if none is given. */
static bool property_fill(vm *vm, value self, value get, value set, value del, value doc)
{
    descr *p = AS(descr, self);
    p->get = or_none(get);
    p->set = or_none(set);
    p->del = or_none(del);
    p->doc = or_none(doc);
    p->h.flags &= (uint16_t)~DOC_FROM_GETTER;
    gc_barrier(vm, p);
    if (!value_is_none(p->doc) || value_is_none(p->get)) return true;
    ROOTS(vm, &self);
    value d = obj_getattr_opt(vm, p->get, N(vm, __doc__));
    if (raised(vm)) return false;
    if (value_is_unbound(d) || value_is_none(d)) return true;
    p->h.flags |= DOC_FROM_GETTER;
    /* In a subclass, its own __doc__ would hide ours. */
    if (type_of(vm, self) != T(vm, PROPERTY)) return obj_setattr(vm, self, N(vm, __doc__), d);
    p->doc = d;
    gc_barrier(vm, p);
    return true;
}

value property_new(vm *vm, value get, value set, value del, value doc)
{
    descr *p = gc_new(vm, K_DESCR, TYPE_PROPERTY, sizeof *p);
    if (!p) return V_ERROR;
    value v = value_obj(p);
    ROOTS(vm, &v);
    return property_fill(vm, v, get, set, del, doc) ? v : V_ERROR;
}

static value property_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args;
    (void)nargs;
    (void)kwnames;
    descr *p = gc_new(vm, K_DESCR, t->root_shape, sizeof *p);
    if (!p) return V_ERROR;
    p->get = p->set = p->del = p->doc = V_NONE;
    return value_obj(p);
}

static bool property_init_slot(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value a[4];
    if (!args_bind(vm, "property(fget=None, fset=None, fdel=None, doc=None)", args, nargs, kwnames, a)) return false;
    return property_fill(vm, self, a[0], a[1], a[2], a[3]);
}

static void raise_no(vm *vm, const descr *p, value o, const char *what)
{
    value of = obj_getattr(vm, value_obj(type_of(vm, o)), N(vm, __qualname__));
    if (value_is_error(of)) return;
    if (value_is_unbound(p->name)) raise(vm, EXC_AttributeError, "property of %R object has no %s", of, what);
    else raise(vm, EXC_AttributeError, "property %R of %R object has no %s", p->name, of, what);
}

static value property_get(vm *vm, value self, value o, value t)
{
    (void)t;
    descr *p = AS(descr, self);
    if (value_is_unbound(o) || value_is_none(o)) return self;
    if (value_is_none(p->get) || value_is_unbound(p->get)) {
        raise_no(vm, p, o, "getter");
        return V_ERROR;
    }
    if (value_is_kind(p->get, K_FUNCTION)) return vm_call1(vm, p->get, o);
    if (!vm_enter(vm)) return V_ERROR;
    value r = vm_call1(vm, p->get, o);
    vm_leave(vm);
    return r;
}

static bool property_set(vm *vm, value self, value o, value v)
{
    descr *p = AS(descr, self);
    bool del = value_is_unbound(v);
    value f = del ? p->del : p->set;
    if (value_is_none(f) || value_is_unbound(f)) {
        raise_no(vm, p, o, del ? "deleter" : "setter");
        return false;
    }
    if (!vm_enter(vm)) return false;
    value r = del ? vm_call1(vm, f, o) : vm_call2(vm, f, o, v);
    vm_leave(vm);
    return !value_is_error(r);
}

/* A copy with one function replaced, of the same class. */
static value property_copy(vm *vm, value self, value get, value set, value del)
{
    descr *p = AS(descr, self);
    value args[4] = {value_is_unbound(get) ? p->get : get, value_is_unbound(set) ? p->set : set,
                     value_is_unbound(del) ? p->del : del, p->doc};
    if ((p->h.flags & DOC_FROM_GETTER) && !value_is_none(args[0])) args[3] = V_NONE;
    ROOTS(vm, &self);
    value v = vm_call(vm, value_obj(type_of(vm, self)), args, 4);
    if (!value_is_error(v) && value_is_kind(v, K_DESCR)) {
        AS(descr, v)->name = p->name;
        gc_barrier(vm, value_as_obj(v));
    }
    return v;
}

static value property_getter(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    return property_copy(vm, args[0], args[1], V_UNBOUND, V_UNBOUND);
}
static value property_setter(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    return property_copy(vm, args[0], V_UNBOUND, args[1], V_UNBOUND);
}
static value property_deleter(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    return property_copy(vm, args[0], V_UNBOUND, V_UNBOUND, args[1]);
}
static value property_set_name(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    AS(descr, args[0])->name = args[2];
    gc_barrier(vm, value_as_obj(args[0]));
    return V_NONE;
}

static const native_def property_methods[] = {
    {"getter(self, fget, /)", property_getter,
     DOC("Descriptor to obtain a copy of the property with a different getter."), 0},
    {"setter(self, fset, /)", property_setter,
     DOC("Descriptor to obtain a copy of the property with a different setter."), 0},
    {"deleter(self, fdel, /)", property_deleter,
     DOC("Descriptor to obtain a copy of the property with a different deleter."), 0},
    {"__set_name__(self, owner, name, /)", property_set_name, DOC("Method to set name of a property."), 0},
    {0},
};

static value get_fget(vm *vm, value v)
{
    (void)vm;
    return or_none(AS(descr, v)->get);
}
static value get_fset(vm *vm, value v)
{
    (void)vm;
    return or_none(AS(descr, v)->set);
}
static value get_fdel(vm *vm, value v)
{
    (void)vm;
    return or_none(AS(descr, v)->del);
}
static value get_doc(vm *vm, value v)
{
    (void)vm;
    return or_none(AS(descr, v)->doc);
}
static bool set_doc(vm *vm, value self, value v)
{
    AS(descr, self)->doc = or_none(v);
    AS(descr, self)->h.flags &= (uint16_t)~DOC_FROM_GETTER;
    gc_barrier(vm, value_as_obj(self));
    return true;
}

static value get_isabstract(vm *vm, value v)
{
    value parts[3] = {AS(descr, v)->get, AS(descr, v)->set, AS(descr, v)->del};
    ROOT_SPAN(vm, parts, 3);
    for (int i = 0; i < 3; i++) {
        if (!value_is_obj(parts[i])) continue;
        if (!vm_enter(vm)) return V_ERROR;
        value a = obj_getattr_opt(vm, parts[i], N(vm, __isabstractmethod__));
        vm_leave(vm);
        if (raised(vm)) return V_ERROR;
        int t = value_is_unbound(a) ? 0 : obj_truth(vm, a);
        if (t) return t < 0 ? V_ERROR : V_TRUE;
    }
    return V_FALSE;
}

static const getset_def property_getsets[] = {
    {"fget", get_fget, getset_readonly, NULL},
    {"fset", get_fset, getset_readonly, NULL},
    {"fdel", get_fdel, getset_readonly, NULL},
    {"__doc__", get_doc, set_doc, NULL},
    {"__isabstractmethod__", get_isabstract, NULL, NULL},
    {0},
};

void property_init(vm *vm)
{
    type *t = T(vm, PROPERTY);
    t->s.new_ = property_slot_new;
    t->s.init = property_init_slot;
    t->s.descr_get = property_get;
    t->s.descr_set = property_set;
    t->methods = property_methods;
    t->getsets = property_getsets;
}
