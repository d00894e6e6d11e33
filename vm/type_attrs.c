/* The type `type`: attributes of classes, calling a class, repr, and its methods. */
#include "attr.h"
#include "native.h"
#include "slot_table.h"
#include "type_parts.h"
#include "types_api.h"

#define DOC_FILE vm_type_attrs
DOC_BEGIN;

/* ---- getattr, setattr ---- */

value type_slot_get(vm *vm, value o, value name)
{
    type *t = AS(type, o), *meta = type_of(vm, o);
    str *s = AS(str, name);
    if (!(s->h.flags & STR_INTERNED) && !(s = str_intern(vm, s))) return V_ERROR;
    value m = type_lookup(vm, meta, s);
    const type *mt = NULL;
    if (!value_is_unbound(m)) {
        mt = type_of(vm, m);
        if (mt->s.descr_get && mt->s.descr_set) return mt->s.descr_get(vm, m, o, value_obj(meta));
    }
    value v = type_lookup(vm, t, s);
    if (!value_is_unbound(v)) return attr_bind(vm, v, V_UNBOUND, t);
    if (raised(vm)) return V_ERROR;
    if (mt) return attr_bind(vm, m, o, meta);
    return raise_attribute_error(vm, o, s);
}

bool type_slot_set(vm *vm, value o, value name, value v)
{
    type *t = AS(type, o), *meta = type_of(vm, o);
    str *s = AS(str, name);
    if (!(s->h.flags & STR_INTERNED) && !(s = str_intern(vm, s))) return false;
    if (!(t->flags & TF_IMMUTABLE)) {
        value m = type_lookup(vm, meta, s);
        if (!value_is_unbound(m)) {
            const type *mt = type_of(vm, m);
            if (mt->s.descr_set) return mt->s.descr_set(vm, m, o, v);
        }
    }
    return type_setattr(vm, t, s, v);
}

/* ---- call ---- */

value type_slot_call(vm *vm, value callee, value *args, uint32_t nargs, value kwnames)
{
    type *t = AS(type, callee);
    if (t == T(vm, TYPE)) {
        if (nargs == 1 && (value_is_unbound(kwnames) || !AS(tuple, kwnames)->len))
            return value_obj(type_of(vm, args[0]));
        if (nargs != 3 && !value_is_unbound(kwnames) && AS(tuple, kwnames)->len)
            return raise_type_error(vm, "type() takes no keyword arguments");
        if (nargs != 3) return raise_type_error(vm, "type() takes 1 or 3 arguments");
    }
    if (t == T(vm, LIST) && nargs == 1 && value_is_unbound(kwnames)) {
        list *l = obj_to_list(vm, args[0]);
        return l ? value_obj(l) : V_ERROR;
    }
    if (!t->s.new_) return raise_type_error(vm, "cannot create '%N' instances", t);
    ROOTS(vm, &t);
    value o = t->s.new_(vm, t, args, nargs, kwnames);
    if (value_is_error(o)) return o;
    type *ot = type_of(vm, o);
    if (!type_is_subtype(ot, t)) return o;
    if ((ot->flags & TF_FINALIZER) && value_is_obj(o) && !(value_as_obj(o)->gc & GC_FINALIZE))
        gc_register_finalizer(vm, value_as_obj(o));
    if (!ot->s.init || (ot->s.init == object_slot_init && ot->s.new_ != object_slot_new)) return o;
    ROOTS(vm, &o);
    return ot->s.init(vm, o, args, nargs, kwnames) ? o : V_ERROR;
}

/* ---- getsets ---- */

/* Attributes of builtin types are read-only. */
static bool check_mutable(vm *vm, type *t, const char *name, value v)
{
    if (t->flags & TF_IMMUTABLE) {
        raise_type_error(vm, "cannot set '%s' attribute of immutable type '%N'", name, t);
        return false;
    }
    if (value_is_unbound(v)) {
        raise_type_error(vm, "cannot delete '%s' attribute of immutable type '%N'", name, t);
        return false;
    }
    return true;
}

static value get_name(vm *vm, value v)
{
    (void)vm;
    return AS(type, v)->name;
}

bool type_check_name(vm *vm, str *name)
{
    size_t n;
    const char *p = str_utf8(vm, name, &n);
    if (!p) return false;
    if (memchr(p, 0, n)) raise_value_error(vm, "type name must not contain null characters");
    return !raised(vm);
}

static bool set_name(vm *vm, value self, value v)
{
    type *t = AS(type, self);
    if (!check_mutable(vm, t, "__name__", v)) return false;
    if (!IS_STR(v)) {
        raise_type_error(vm, "can only assign string to %N.__name__, not '%T'", t, v);
        return false;
    }
    str *s = AS(str, v);
    if (!type_check_name(vm, s)) return false;
    if (!(s = str_intern(vm, s))) return false;
    t->name = value_obj(s);
    gc_barrier(vm, t);
    return true;
}

static value get_qualname(vm *vm, value v)
{
    (void)vm;
    return AS(type, v)->qualname;
}

static bool set_qualname(vm *vm, value self, value v)
{
    type *t = AS(type, self);
    if (!check_mutable(vm, t, "__qualname__", v)) return false;
    if (!IS_STR(v)) {
        raise_type_error(vm, "can only assign string to %N.__qualname__, not '%T'", t, v);
        return false;
    }
    t->qualname = v;
    gc_barrier(vm, t);
    return true;
}

static value get_module(vm *vm, value v)
{
    type *t = AS(type, v);
    if (!(t->flags & TF_HEAP)) return t->module;
    value m = dict_get_str(vm, t->dict, N(vm, __module__));
    if (value_is_unbound(m) && !raised(vm)) return raise_attribute_error(vm, v, N(vm, __module__));
    return m;
}

static bool set_module(vm *vm, value self, value v)
{
    type *t = AS(type, self);
    return check_mutable(vm, t, "__module__", v) && type_setattr(vm, t, N(vm, __module__), v);
}

static value get_bases(vm *vm, value v)
{
    (void)vm;
    return value_obj(AS(type, v)->bases);
}
static bool set_bases(vm *vm, value self, value v) { return type_set_bases(vm, AS(type, self), v); }

static value get_base(vm *vm, value v)
{
    (void)vm;
    return AS(type, v)->base ? value_obj(AS(type, v)->base) : V_NONE;
}

static value get_mro(vm *vm, value v)
{
    (void)vm;
    return AS(type, v)->mro ? value_obj(AS(type, v)->mro) : V_NONE;
}

static value get_dict(vm *vm, value v)
{
    dict *d = type_dict(vm, AS(type, v));
    return d ? mappingproxy_new(vm, value_obj(d)) : V_ERROR;
}

static value get_doc(vm *vm, value v)
{
    type *t = AS(type, v);
    dict *d = type_dict(vm, t);
    if (!d) return V_ERROR;
    if (!(t->flags & TF_HEAP) && !value_is_unbound(t->doc)) return t->doc;
    value doc = dict_get_str(vm, d, N(vm, __doc__));
    if (value_is_unbound(doc)) return raised(vm) ? V_ERROR : V_NONE;
    return attr_bind(vm, doc, V_UNBOUND, t);
}

static bool set_doc(vm *vm, value self, value v)
{
    type *t = AS(type, self);
    return check_mutable(vm, t, "__doc__", v) && type_setattr(vm, t, N(vm, __doc__), v);
}

static value get_annotations(vm *vm, value v)
{
    type *t = AS(type, v);
    if (!(t->flags & TF_HEAP)) return raise_attribute_error(vm, v, N(vm, __annotations__));
    value a = dict_get_str(vm, t->dict, N(vm, __annotations__));
    if (!value_is_unbound(a) || raised(vm)) return value_is_unbound(a) ? a : attr_bind(vm, a, V_UNBOUND, t);
    dict *d = dict_new(vm);
    if (!d || !type_setattr(vm, t, N(vm, __annotations__), value_obj(d))) return V_ERROR;
    return value_obj(d);
}

static bool set_annotations(vm *vm, value self, value v)
{
    type *t = AS(type, self);
    if (t->flags & TF_IMMUTABLE) {
        raise_type_error(vm, "cannot set '__annotations__' attribute of immutable type '%N'", t);
        return false;
    }
    if (value_is_unbound(v) && value_is_unbound(dict_get_str(vm, t->dict, N(vm, __annotations__)))) {
        raise(vm, EXC_AttributeError, "__annotations__");
        return false;
    }
    return type_setattr(vm, t, N(vm, __annotations__), v);
}

static value get_abstract(vm *vm, value v)
{
    type *t = AS(type, v);
    value a = t == T(vm, TYPE) || !t->dict ? V_UNBOUND : dict_get_str(vm, t->dict, N(vm, __abstractmethods__));
    if (value_is_unbound(a) && !raised(vm)) return raise_attribute_error(vm, v, N(vm, __abstractmethods__));
    return a;
}

static bool set_abstract(vm *vm, value self, value v)
{
    type *t = AS(type, self);
    int abstract = value_is_unbound(v) ? 0 : obj_truth(vm, v);
    if (abstract < 0 || !type_setattr(vm, t, N(vm, __abstractmethods__), v)) return false;
    t->flags = (t->flags & ~(uint32_t)TF_ABSTRACT) | (abstract ? TF_ABSTRACT : 0);
    type_update_flags(vm, t);
    vm->class_epoch++;
    return true;
}

static value get_basicsize(vm *vm, value v)
{
    (void)vm;
    const type *t = AS(type, v);
    size_t n = t->layout ? t->layout->size + sizeof(userdata) : sizeof(instance);
    return value_int((int64_t)(n + t->nmembers * sizeof(value)));
}
/* Bytes per item of the types whose objects vary in size: nonempty __slots__ are refused there. */
static value get_itemsize(vm *vm, value v)
{
    (void)vm;
    const type *t = AS(type, v);
    bool is_int = type_is_subtype(t, T(vm, INT));
    return value_int(t->inst_kind == K_TUPLE ? 8 : t->inst_kind == K_BYTES ? 1 : is_int ? 4 : 0);
}
static value get_zero(vm *vm, value v)
{
    (void)vm;
    (void)v;
    return value_int(0);
}

/* CPython's bits for what scripts ask about. */
static value get_flags(vm *vm, value v)
{
    (void)vm;
    static const struct {
        uint32_t ours;
        int theirs;
    } map[] = {
        {TF_IMMUTABLE, 1 << 8}, {TF_HEAP, 1 << 9}, {TF_BASE, 1 << 10}, {TF_ABSTRACT, 1 << 20}, {TF_EXC, 1 << 30}};
    int64_t out = 0;
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (AS(type, v)->flags & map[i].ours) out |= map[i].theirs;
    return value_int(out);
}

static value get_text_signature(vm *vm, value v)
{
    (void)vm;
    (void)v;
    return V_NONE;
}

const getset_def type_getsets[] = {
    {"__name__", get_name, set_name, NULL},
    {"__qualname__", get_qualname, set_qualname, NULL},
    {"__bases__", get_bases, set_bases, NULL},
    {"__base__", get_base, NULL, NULL},
    {"__mro__", get_mro, NULL, NULL},
    {"__module__", get_module, set_module, NULL},
    {"__dict__", get_dict, NULL, NULL},
    {"__doc__", get_doc, set_doc, NULL},
    {"__annotations__", get_annotations, set_annotations, NULL},
    {"__abstractmethods__", get_abstract, set_abstract, NULL},
    {"__text_signature__", get_text_signature, NULL, NULL},
    {"__basicsize__", get_basicsize, getset_readonly, NULL},
    {"__itemsize__", get_itemsize, getset_readonly, NULL},
    {"__flags__", get_flags, getset_readonly, NULL},
    {"__dictoffset__", get_zero, getset_readonly, NULL},
    {0},
};

/* ---- methods ---- */

static value type_mro(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    tuple *mro = type_c3(vm, AS(type, args[0]));
    list *l = mro ? obj_to_list(vm, value_obj(mro)) : NULL;
    return l ? value_obj(l) : V_ERROR;
}

static value type_get_subclasses(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    list *l = type_subclasses(vm, AS(type, args[0]));
    return l ? value_obj(l) : V_ERROR;
}

static value type_instancecheck(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    type *t = AS(type, args[0]);
    if (value_isa(vm, args[1], t)) return V_TRUE;
    /* A proxy's __class__ may say otherwise. */
    value cls = obj_getattr_opt(vm, args[1], N(vm, __class__));
    if (raised(vm)) return V_ERROR;
    return value_bool(IS_TYPE(cls) && type_is_subtype(AS(type, cls), t));
}

static value type_subclasscheck(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    if (!IS_TYPE(args[1])) return raise_type_error(vm, "issubclass() arg 1 must be a class");
    return value_bool(type_is_subtype(AS(type, args[1]), AS(type, args[0])));
}

static value type_prepare(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)args;
    (void)nargs;
    (void)kwnames;
    dict *d = dict_new(vm);
    return d ? value_obj(d) : V_ERROR;
}

static value type_dir(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    list *l = object_dir(vm, args[0]);
    return l ? value_obj(l) : V_ERROR;
}

const native_def type_methods[] = {
    {"mro(self, /)", type_mro, DOC("Return a type's method resolution order."), 0},
    {"__subclasses__(self, /)", type_get_subclasses, DOC("Return a list of immediate subclasses."), 0},
    {"__instancecheck__(self, instance, /)", type_instancecheck, DOC("Check if an object is an instance."), 0},
    {"__subclasscheck__(self, subclass, /)", type_subclasscheck, DOC("Check if a class is a subclass."), 0},
    {"__prepare__(cls, *args, **kwargs)", type_prepare, DOC("Create the namespace for the class statement"),
     NATIVE_CLASS | NATIVE_RAW},
    {"__dir__(self, /)", type_dir, DOC("Specialized __dir__ implementation for types."), 0},
    {0},
};

value type_slot_repr(vm *vm, value v)
{
    type *t = AS(type, v);
    value m = t->flags & TF_HEAP ? dict_get_str(vm, t->dict, N(vm, __module__)) : t->module;
    str *s;
    if (IS_STR(m) && !str_eq(AS(str, m), N(vm, builtins))) s = str_format(vm, "<class '%U.%U'>", m, t->qualname);
    else s = str_format(vm, "<class '%U'>", t->name);
    return s ? value_obj(s) : V_ERROR;
}

value type_slot_or(vm *vm, value a, value b) { return union_of(vm, a, b); }

void type_init_type(vm *vm)
{
    type *t = T(vm, TYPE);
    t->s.getattr = type_slot_get;
    t->s.setattr = type_slot_set;
    t->s.call = type_slot_call;
    t->s.repr = type_slot_repr;
    t->s.new_ = type_slot_new;
    t->s.init = type_slot_init;
    t->s.or_ = type_slot_or;
    t->methods = type_methods;
    t->getsets = type_getsets;
    t->flags |= TF_HAS_DICT; /* a metaclass adds no __dict__ slot */
}
