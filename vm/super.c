/* super: attribute lookup that starts behind a class in the MRO of the object's own class. */
#include "attr.h"
#include "frame.h"
#include "native.h"
#include "type_parts.h"
#include "types_api.h"

#define DOC_FILE vm_super
DOC_BEGIN;

/* super(cls, self): which class's MRO is searched? self may be an instance, or a subclass of cls.
 */
bool super_find(vm *vm, value cls, value self, type **self_type)
{
    if (!IS_TYPE(cls)) {
        raise_type_error(vm, "super() argument 1 must be a type, not %T", cls);
        return false;
    }
    type *t = AS(type, cls);
    if (IS_TYPE(self) && type_is_subtype(AS(type, self), t)) {
        *self_type = AS(type, self);
        return true;
    }
    if (value_isa(vm, self, t)) {
        *self_type = type_of(vm, self);
        return true;
    }
    value c = obj_getattr_opt(vm, self, N(vm, __class__)); /* a proxy */
    if (raised(vm)) return false;
    if (IS_TYPE(c) && type_is_subtype(AS(type, c), t)) {
        *self_type = AS(type, c);
        return true;
    }
    raise_type_error(vm, "super(type, obj): obj must be an instance or subtype of type");
    return false;
}

static value no_attribute(vm *vm, str *name)
{
    return raise(vm, EXC_AttributeError, "'super' object has no attribute '%U'", name);
}

value super_getattr(vm *vm, type *cls, value self, type *self_type, str *name)
{
    if (name == N(vm, __class__)) return value_obj(T(vm, SUPER));
    value d = type_lookup_from(vm, self_type, cls, name);
    if (value_is_unbound(d)) return raised(vm) ? V_ERROR : no_attribute(vm, name);
    /* Through a class, functions stay unbound. */
    return attr_bind(vm, d, value_is(self, value_obj(self_type)) ? V_UNBOUND : self, self_type);
}

bool super_load_method(vm *vm, value cls, value self, str *name, value *func, value *self_out)
{
    type *st;
    *self_out = V_UNBOUND;
    if (!super_find(vm, cls, self, &st)) return false;
    value d = type_lookup_from(vm, st, AS(type, cls), name);
    if (name == N(vm, __class__)) d = value_obj(T(vm, SUPER));
    if (value_is_unbound(d)) {
        if (!raised(vm)) no_attribute(vm, name);
        return false;
    }
    bool through_class = value_is(self, value_obj(st));
    if (!through_class && (value_is_kind(d, K_FUNCTION) || value_is_exact(d, TYPE_NATIVE_METHOD) ||
                           value_is_exact(d, TYPE_SLOT_WRAPPER))) {
        *func = d;
        *self_out = self;
        return true;
    }
    if (value_is_exact(d, TYPE_CLASSMETHOD) && value_is_kind(AS(descr, d)->get, K_FUNCTION)) {
        *func = AS(descr, d)->get;
        *self_out = value_obj(st);
        return true;
    }
    *func = attr_bind(vm, d, through_class ? V_UNBOUND : self, st);
    return !value_is_error(*func);
}

/* ---- the object ---- */

static value super_slot_getattr(vm *vm, value v, value name)
{
    super *su = AS(super, v);
    str *s = AS(str, name);
    if (!(s->h.flags & STR_INTERNED) && !(s = str_intern(vm, s))) return V_ERROR;
    if (IS_TYPE(su->self_type) && s != N(vm, __class__)) {
        value d = type_lookup_from(vm, AS(type, su->self_type), AS(type, su->cls), s);
        if (!value_is_unbound(d)) return super_getattr(vm, AS(type, su->cls), su->self, AS(type, su->self_type), s);
        if (raised(vm)) return V_ERROR;
    }
    return attr_generic_get(vm, v, s);
}

static value super_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args;
    (void)nargs;
    (void)kwnames;
    super *su = gc_new(vm, K_SUPER, t->root_shape, sizeof *su);
    if (!su) return V_ERROR;
    su->cls = su->self = su->self_type = V_NONE;
    return value_obj(su);
}

/* super() without arguments: __class__ from the closure of the running function, self from its
 * first parameter. */
static bool from_frame(vm *vm, value *cls, value *self)
{
    frame *f = vm->thread->current;
    while (f && (!f->func || !f->code)) f = f->up;
    if (!f) {
        raise(vm, EXC_RuntimeError, "super(): no current frame");
        return false;
    }
    code *c = f->code;
    if (c->argcount == 0) {
        raise(vm, EXC_RuntimeError, "super(): no arguments");
        return false;
    }
    *self = f->r[c->nlocals ? 0 : HIGH_BASE]; /* code.h: very many parameters */
    for (uint32_t i = 0; i < c->ncellvars; i++)
        if (c->cellnames[i] == c->varnames[0] && value_is_kind(*self, K_CELL)) {
            *self = AS(cell, *self)->v;
            break;
        }
    if (value_is_unbound(*self)) {
        raise(vm, EXC_RuntimeError, "super(): arg[0] deleted");
        return false;
    }
    for (uint32_t i = 0; i < c->nfree && i < f->func->ncells; i++) {
        if (c->freenames[i] != N(vm, __class__)) continue;
        *cls = f->func->cells[i]->v;
        if (value_is_unbound(*cls)) {
            raise(vm, EXC_RuntimeError, "super(): empty __class__ cell");
            return false;
        }
        if (!IS_TYPE(*cls)) {
            raise(vm, EXC_RuntimeError, "super(): __class__ is not a type (%T)", *cls);
            return false;
        }
        return true;
    }
    raise(vm, EXC_RuntimeError, "super(): __class__ cell not found");
    return false;
}

static bool super_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value a[2];
    if (!args_unpack(vm, "super", args, nargs, kwnames, 0, 2, a)) return false;
    if (nargs == 0 && !from_frame(vm, &a[0], &a[1])) return false;
    if (!IS_TYPE(a[0])) {
        raise_type_error(vm, "super() argument 1 must be a type, not %T", a[0]);
        return false;
    }
    type *st = NULL;
    if (value_is_none(a[1])) a[1] = V_UNBOUND;
    ROOTS(vm, &a[0], &a[1], &self);
    if (!value_is_unbound(a[1]) && !super_find(vm, a[0], a[1], &st)) return false;
    super *su = AS(super, self);
    su->cls = a[0];
    su->self = value_is_unbound(a[1]) ? V_NONE : a[1];
    su->self_type = st ? value_obj(st) : V_NONE;
    gc_barrier(vm, su);
    return true;
}

static value super_repr(vm *vm, value v)
{
    super *su = AS(super, v);
    str *s;
    const char *none = "NULL";
    if (IS_TYPE(su->self_type))
        s = str_format(vm, "<super: <class '%N'>, <%N object>>", AS(type, su->cls), AS(type, su->self_type));
    else if (IS_TYPE(su->cls)) s = str_format(vm, "<super: <class '%N'>, %s>", AS(type, su->cls), none);
    else s = str_format(vm, "<super: <class '%s'>, %s>", none, none);
    return s ? value_obj(s) : V_ERROR;
}

/* An unbound super in a class binds like a method. */
static value super_descr_get(vm *vm, value self, value o, value t)
{
    (void)t;
    super *su = AS(super, self);
    if (value_is_unbound(o) || value_is_none(o) || IS_TYPE(su->self_type)) return self;
    return vm_call2(vm, value_obj(type_of(vm, self)), su->cls, o);
}

static value get_thisclass(vm *vm, value v)
{
    (void)vm;
    return AS(super, v)->cls;
}
static value get_self(vm *vm, value v)
{
    (void)vm;
    return AS(super, v)->self;
}
static value get_self_class(vm *vm, value v)
{
    (void)vm;
    return AS(super, v)->self_type;
}

static const getset_def super_getsets[] = {
    {"__thisclass__", get_thisclass, getset_readonly, DOC("the class invoking super()")},
    {"__self__", get_self, getset_readonly, DOC("the instance invoking super(); may be None")},
    {"__self_class__", get_self_class, getset_readonly, DOC("the type of the instance invoking super(); may be None")},
    {0},
};

static void super_traverse(vm *vm, object *o)
{
    super *su = (super *)(void *)o;
    gc_mark_slots(vm, o, su->slots);
    gc_mark_value(vm, su->cls);
    gc_mark_value(vm, su->self);
    gc_mark_value(vm, su->self_type);
}
static void super_free(vm *vm, object *o) { object_slots_free(vm, o, ((super *)(void *)o)->slots); }

void type_init_super(vm *vm)
{
    static const gc_kind_ops ops = {.traverse = super_traverse, .free = super_free, .tells_parts = true};
    gc_register_kind(vm, K_SUPER, &ops);
    type *t = T(vm, SUPER);
    t->s.new_ = super_new;
    t->s.init = super_init;
    t->s.repr = super_repr;
    t->s.getattr = super_slot_getattr;
    t->s.descr_get = super_descr_get;
    t->getsets = super_getsets;
}
