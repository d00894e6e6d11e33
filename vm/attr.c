/* Attributes of instances: object.__getattribute__ and __setattr__, where attributes are stored.
 *
 * Lookup order, as in CPython: a data descriptor of the class, the instance's own attributes, any
 * other class attribute (bound if it is a descriptor).
 *
 * Own attributes lie in slots described by the shape (shape.h), until __dict__ is asked for: from
 * then on in that dict. Functions and modules always have a dict. Classes are in type_attrs.c.
 */
#include "attr.h"

#include "native.h"
#include "slot_table.h"
#include "type_parts.h"
#include "types_api.h"

_Static_assert(offsetof(instance, slots) == 8 && offsetof(list, slots) == 8 && offsetof(dict, slots) == 8 &&
                   offsetof(exception, slots) == 8 && offsetof(userdata, slots) == 8 && offsetof(type, slots) == 8,
               "inline caches find the slots pointer at one offset");

const char *address_text(const void *p, char buf[20])
{
    static const char digits[] = "0123456789abcdef";
    uintptr_t x = (uintptr_t)p;
    char *end = buf + 19;
    *end = 0;
    do {
        *--end = digits[x & 15];
        x >>= 4;
    } while (x);
    *--end = 'x';
    *--end = '0';
    return end;
}

/* ---- storage ---- */

value *object_slots(vm *vm, object *o, value ***where)
{
    value **p = NULL;
    switch ((enum object_kind)o->kind) {
    case K_INSTANCE:
    case K_NUMSUB:
    case K_COMPLEX:
    case K_BYTEARRAY:
    case K_LIST:
    case K_DICT:
    case K_SET:
    case K_ITER:
    case K_TYPE:
    case K_DESCR:
    case K_SUPER:
    case K_EXCEPTION:
    case K_MODULE:
    case K_WEAKREF:
    case K_FUTURE:
    case K_TASK:
    case K_FILE:
    case K_USERDATA: p = &((instance *)(void *)o)->slots; break;
    case K_STR:
        if (o->shape >= TYPE_COUNT) p = (value **)(void *)((char *)o + sizeof(str));
        break;
    case K_BYTES:
        if (o->shape >= TYPE_COUNT) p = (value **)(void *)((char *)o + sizeof(bytes));
        break;
    case K_TUPLE:
        if (o->shape >= TYPE_COUNT) p = (value **)(void *)&((tuple *)(void *)o)->items[((tuple *)(void *)o)->len];
        break;
    default: break;
    }
    (void)vm;
    if (where) *where = p;
    return p ? *p : NULL;
}

/* The dict that holds o's attributes, if there is one already. */
static dict *own_dict(vm *vm, object *o)
{
    if (o->kind == K_MODULE) return ((module *)(void *)o)->dict;
    if (o->kind == K_FUNCTION) {
        value d = ((function *)(void *)o)->attrs;
        return value_is_unbound(d) ? NULL : AS(dict, d);
    }
    shape *s = shape_of(vm, o);
    if (!(s->sflags & SHAPE_DICT)) return NULL;
    return AS(dict, object_slots(vm, o, NULL)[s->count - 1]);
}

/* Unbound: absent. Runs script only if somebody put a key that is no str into the dict. */
static value own_get(vm *vm, object *o, str *name)
{
    shape *s = shape_of(vm, o);
    if (LIKELY(o->kind != K_MODULE && o->kind != K_FUNCTION && !(s->sflags & SHAPE_DICT))) {
        if (s->count == s->cls->nmembers) return V_UNBOUND;
        int32_t i = shape_find(vm, s, name);
        if (i < 0) return V_UNBOUND;
        return (LIKELY(o->kind == K_INSTANCE) ? ((instance *)(void *)o)->slots : object_slots(vm, o, NULL))[i];
    }
    dict *d = own_dict(vm, o);
    return d ? dict_get_str(vm, d, name) : V_UNBOUND;
}

/* Moves the attributes of o into a dict, which owns them from now on. */
static dict *to_dict_mode(vm *vm, object *o, dict *d)
{
    shape *s = shape_of(vm, o);
    type *t = s->cls;
    uint32_t n = s->count - t->nmembers;
    shape *ds = shape_dict_mode(vm, t);
    if (!ds || (!d && !(d = dict_new(vm)))) return NULL;
    value *slots = object_slots(vm, o, NULL);
    if (n && !(s->sflags & SHAPE_DICT)) {
        str *names[SHAPE_MAX_ATTRS + 1];
        shape_names(s, names);
        for (uint32_t i = 0; i < n; i++)
            if (!dict_set_str(vm, d, names[i], slots[t->nmembers + i])) return NULL;
    }
    slots = slots_reserve(vm, o, t->nmembers);
    if (!slots) return NULL;
    slots[t->nmembers] = value_obj(d);
    for (uint32_t i = 1; i < n; i++) slots[t->nmembers + i] = V_UNBOUND;
    o->shape = ds->id;
    gc_barrier(vm, o);
    return d;
}

static bool has_dict(vm *vm, object *o)
{
    if (o->kind == K_MODULE || o->kind == K_FUNCTION) return true;
    /* A class's attributes are not an instance's, although its metaclass may be a script class. */
    return o->kind != K_TYPE && (shape_of(vm, o)->cls->flags & TF_HAS_DICT);
}

dict *object_dict(vm *vm, value v)
{
    if (value_is_obj(v) && has_dict(vm, value_as_obj(v))) {
        object *o = value_as_obj(v);
        dict *d = own_dict(vm, o);
        if (d) return d;
        if (o->kind != K_FUNCTION) return to_dict_mode(vm, o, NULL);
        if (!(d = dict_new(vm))) return NULL;
        ((function *)(void *)o)->attrs = value_obj(d);
        gc_barrier(vm, o);
        return d;
    }
    raise_attribute_error(vm, v, N(vm, __dict__));
    return NULL;
}

bool object_set_dict(vm *vm, value v, value d)
{
    bool clears = value_is_unbound(d); /* del o.__dict__: a fresh one */
    const type *builtin = type_of(vm, v);
    while (builtin->flags & TF_HEAP) builtin = builtin->base;
    if (clears && (builtin->flags & TF_HAS_DICT || value_is_kind(v, K_FUNCTION) || value_is_kind(v, K_MODULE))) {
        raise_type_error(vm, "cannot delete __dict__");
        return false;
    }
    if (!clears && !IS_DICT(d)) {
        raise_type_error(vm, "__dict__ must be set to a dictionary, not a '%T'", d);
        return false;
    }
    if (!value_is_obj(v) || !has_dict(vm, value_as_obj(v))) {
        raise(vm, EXC_AttributeError, "This object has no __dict__");
        return false;
    }
    object *o = value_as_obj(v);
    if (o->kind == K_MODULE) {
        raise(vm, EXC_AttributeError, "readonly attribute");
        return false;
    }
    if (o->kind == K_FUNCTION) {
        ((function *)(void *)o)->attrs = d;
        gc_barrier(vm, o);
        return true;
    }
    shape *s = shape_of(vm, o);
    if (!(s->sflags & SHAPE_DICT)) { /* drop the attributes, keep the members */
        value *slots = object_slots(vm, o, NULL);
        for (uint32_t i = s->cls->nmembers; i < s->count; i++) slots[i] = V_UNBOUND;
        o->shape = s->cls->root_shape;
    }
    return to_dict_mode(vm, o, clears ? NULL : AS(dict, d)) != NULL;
}

static bool own_set(vm *vm, object *o, str *name, value v)
{
    shape *s = shape_of(vm, o);
    if (LIKELY(o->kind != K_MODULE && o->kind != K_FUNCTION && !(s->sflags & SHAPE_DICT))) {
        int32_t i = s->count == s->cls->nmembers ? -1 : shape_find(vm, s, name);
        if (i >= 0) {
            object_slots(vm, o, NULL)[i] = v;
            gc_barrier(vm, o);
            return true;
        }
        shape *child = shape_add(vm, s, name);
        if (LIKELY(child != NULL)) {
            value *slots = slots_reserve(vm, o, child->count - 1);
            if (!slots) return false;
            slots[child->count - 1] = v;
            o->shape = child->id;
            gc_barrier(vm, o);
            return true;
        }
        if (raised(vm)) return false;
    }
    ROOTS(vm, &o, &name, &v);
    dict *d = object_dict(vm, value_obj(o));
    return d && dict_set_str(vm, d, name, v);
}

enum { SLOT_DEL_MAX = 8 }; /* a deletion that moves more slots is for a dict */

/* Deletes an attribute by taking the way through the shapes once more without it. 1 done, 0 not this way, -1 raised. */
static int slot_del(vm *vm, object *o, const str *name)
{
    shape *s = shape_of(vm, o), *at = s;
    str *later[SLOT_DEL_MAX];
    uint32_t n = 0;
    for (; at && at->name != name; at = at->parent) {
        if (n == SLOT_DEL_MAX || !at->name) return 0;
        later[n++] = at->name;
    }
    if (!at || !at->parent) return 0;
    for (at = at->parent; n > 0; n--) {
        if (!(at = shape_add(vm, at, later[n - 1]))) return raised(vm) ? -1 : 0;
    }
    value *slots = object_slots(vm, o, NULL);
    int32_t i = shape_find(vm, s, name);
    for (uint32_t k = (uint32_t)i; k + 1 < s->count; k++) slots[k] = slots[k + 1];
    slots[s->count - 1] = V_UNBOUND;
    o->shape = at->id;
    gc_barrier(vm, o);
    return 1;
}

/* 1 deleted, 0 absent, -1 raised */
static int own_del(vm *vm, object *o, str *name)
{
    shape *s = shape_of(vm, o);
    dict *d = own_dict(vm, o);
    if (!d) {
        if (o->kind == K_FUNCTION || shape_find(vm, s, name) < 0) return 0;
        if (s->name == name) { /* the newest: one shape back */
            object_slots(vm, o, NULL)[s->count - 1] = V_UNBOUND;
            o->shape = s->parent->id;
            return 1;
        }
        int r = slot_del(vm, o, name);
        if (r) return r;
        if (!(d = to_dict_mode(vm, o, NULL))) return -1;
    }
    return dict_del(vm, d, value_obj(name));
}

/* ---- get ---- */

value attr_bind(vm *vm, value descr, value o, type *t)
{
    if (value_is_kind(descr, K_FUNCTION)) return value_is_unbound(o) ? descr : method_new(vm, descr, o);
    const type *dt = type_of(vm, descr);
    return dt->s.descr_get ? dt->s.descr_get(vm, descr, o, value_obj(t)) : descr;
}

value attr_generic_opt(vm *vm, value o, str *name)
{
    type *t = type_of(vm, o);
    value d = type_lookup(vm, t, name);
    const type *dt = NULL;
    if (!value_is_unbound(d)) {
        dt = type_of(vm, d);
        if (dt->s.descr_set && dt->s.descr_get) return dt->s.descr_get(vm, d, o, value_obj(t));
    } else if (UNLIKELY(raised(vm))) {
        return V_ERROR;
    }
    if (value_is_obj(o)) {
        value v = own_get(vm, value_as_obj(o), name);
        if (!value_is_unbound(v)) return v;
        if (UNLIKELY(raised(vm))) return V_ERROR;
    }
    if (!dt) return V_UNBOUND;
    return dt->s.descr_get ? attr_bind(vm, d, o, t) : d;
}

value attr_generic_get(vm *vm, value o, str *name)
{
    value v = attr_generic_opt(vm, o, name);
    if (UNLIKELY(value_is_unbound(v)) && !raised(vm)) return raise_attribute_error(vm, o, name);
    return v;
}

value attr_slot_get(vm *vm, value o, value name)
{
    str *s = AS(str, name);
    if (!(s->h.flags & STR_INTERNED) && !(s = str_intern(vm, s))) return V_ERROR;
    return attr_generic_get(vm, o, s);
}

/* ---- get, to be called at once ---- */

/* A class attribute that takes its receiver as first argument. */
static bool takes_self(value d)
{
    return value_is_kind(d, K_FUNCTION) || value_is_exact(d, TYPE_NATIVE_METHOD) ||
           value_is_exact(d, TYPE_SLOT_WRAPPER);
}

/* Class and static methods without their wrapper. cls: what a class method gets. */
static bool unwrap_method(value d, value cls, value *func, value *self)
{
    if (value_is_exact(d, TYPE_STATICMETHOD)) {
        *func = AS(descr, d)->get;
        return true;
    }
    if (value_is_exact(d, TYPE_NATIVE_CLASSMETHOD)) *func = d;
    else if (value_is_exact(d, TYPE_CLASSMETHOD) && value_is_kind(AS(descr, d)->get, K_FUNCTION))
        *func = AS(descr, d)->get;
    else return false;
    *self = cls;
    return true;
}

bool attr_load_method(vm *vm, value o, str *name, value *func, value *self)
{
    type *t = type_of(vm, o);
    *self = V_UNBOUND;
    if ((t->flags & TF_GETATTR_PLAIN) && (name->h.flags & STR_INTERNED)) {
        value d = type_lookup(vm, t, name);
        if (!value_is_unbound(d) && type_of(vm, d)->s.descr_get && !type_of(vm, d)->s.descr_set) {
            value own = value_is_obj(o) ? own_get(vm, value_as_obj(o), name) : V_UNBOUND;
            if (!value_is_unbound(own)) {
                *func = own;
                return true;
            }
            if (UNLIKELY(raised(vm))) return false;
            if (takes_self(d)) {
                *func = d;
                *self = o;
                return true;
            }
            if (unwrap_method(d, value_obj(t), func, self)) return true;
        }
    } else if (value_is_kind(o, K_TYPE) && t->s.getattr == type_slot_get && (name->h.flags & STR_INTERNED)) {
        value m = type_lookup(vm, t, name), d = type_lookup(vm, AS(type, o), name);
        if (!value_is_unbound(d) && (value_is_unbound(m) || !type_of(vm, m)->s.descr_set)) {
            if (takes_self(d)) {
                *func = d;
                return true;
            }
            if (unwrap_method(d, o, func, self)) return true;
        }
    }
    *func = obj_getattr(vm, o, name);
    return !value_is_error(*func);
}

/* ---- set ---- */

bool attr_generic_set(vm *vm, value o, str *name, value v)
{
    type *t = type_of(vm, o);
    value d = type_lookup(vm, t, name);
    if (!value_is_unbound(d)) {
        const type *dt = type_of(vm, d);
        if (dt->s.descr_set) return dt->s.descr_set(vm, d, o, v);
    } else if (UNLIKELY(raised(vm))) {
        return false;
    }
    if (!value_is_obj(o) || !has_dict(vm, value_as_obj(o))) {
        if (!value_is_unbound(d)) raise(vm, EXC_AttributeError, "'%T' object attribute '%U' is read-only", o, name);
        else raise_attribute_error(vm, o, name);
        return false;
    }
    if (!value_is_unbound(v)) return own_set(vm, value_as_obj(o), name, v);
    int r = own_del(vm, value_as_obj(o), name);
    if (r == 0) raise_attribute_error(vm, o, name);
    return r > 0;
}

bool attr_slot_set(vm *vm, value o, value name, value v)
{
    str *s = AS(str, name);
    if (!(s->h.flags & STR_INTERNED) && !(s = str_intern(vm, s))) return false;
    return attr_generic_set(vm, o, s, v);
}

/* ---- modules ---- */

/* AttributeError texts of modules, and PEP 562's module __getattr__. */
value module_slot_getattr(vm *vm, value o, value name)
{
    str *s = AS(str, name);
    if (!(s->h.flags & STR_INTERNED) && !(s = str_intern(vm, s))) return V_ERROR;
    value v = attr_generic_opt(vm, o, s);
    if (!value_is_unbound(v) || (raised(vm) && !exc_clear_if(vm, EXC_AttributeError))) return v;
    dict *d = AS(module, o)->dict;
    value hook = d ? dict_get_str(vm, d, N(vm, __getattr__)) : V_UNBOUND;
    if (!value_is_unbound(hook)) {
        ROOTS(vm, &hook);
        return vm_call1(vm, hook, value_obj(s));
    }
    return raise_attribute_error(vm, o, s);
}

/* ---- o.__class__ = cls ---- */

/* Do a and b add the same members to the same base? */
static bool adds_same_members(vm *vm, type *a, type *b)
{
    if (a->nmembers != b->nmembers || !(a->flags & b->flags & TF_HEAP)) return false;
    if (a->base->solid != b->base->solid) return false;
    size_t pos = 0;
    value k, v;
    while (dict_next(a->dict, &pos, &k, &v)) {
        if (!value_is_exact(v, TYPE_MEMBER) || AS(descr, v)->owner != a) continue;
        value other = IS_STR(k) ? dict_get_str(vm, b->dict, AS(str, k)) : V_UNBOUND;
        if (!value_is_exact(other, TYPE_MEMBER) || AS(descr, other)->index != AS(descr, v)->index) return false;
    }
    return true;
}

static bool same_members(vm *vm, type *a, type *b)
{
    return a->nmembers == b->nmembers && (a->solid == b->solid || adds_same_members(vm, a->solid, b->solid));
}

bool object_set_class(vm *vm, value v, value cls)
{
    if (value_is_unbound(cls)) {
        raise_type_error(vm, "can't delete __class__ attribute");
        return false;
    }
    if (!IS_TYPE(cls)) {
        raise_type_error(vm, "__class__ must be set to a class, not '%T' object", cls);
        return false;
    }
    type *from = type_of(vm, v), *to = AS(type, cls);
    bool modules = value_is_kind(v, K_MODULE) && type_is_subtype(to, T(vm, MODULE));
    if (!value_is_obj(v) || (!modules && !((from->flags & TF_HEAP) && (to->flags & TF_HEAP)))) {
        raise_type_error(vm, "__class__ assignment only supported for mutable types or ModuleType subclasses");
        return false;
    }
    if (from == to) return true;
    if (!same_members(vm, from, to) || from->inst_kind != to->inst_kind || from->layout != to->layout ||
        (!modules && ((from->flags ^ to->flags) & (TF_HAS_DICT | TF_NO_WEAKREF)))) {
        raise_type_error(vm, "__class__ assignment: '%N' object layout differs from '%N'", to, from);
        return false;
    }
    object *o = value_as_obj(v);
    shape *s = shape_of(vm, o);
    ROOTS(vm, &o, &to);
    if (!(s->sflags & SHAPE_DICT)) { /* the same attributes, in the new class's tree of shapes */
        str *names[SHAPE_MAX_ATTRS + 1];
        uint32_t n = s->count - from->nmembers;
        shape_names(s, names);
        shape *ns = to->root;
        for (uint32_t i = 0; ns && i < n; i++) ns = shape_add(vm, ns, names[i]);
        if (ns) {
            o->shape = ns->id;
            gc_barrier(vm, o);
            return true;
        }
        if (raised(vm) || !to_dict_mode(vm, o, NULL)) return false;
    }
    shape *ds = shape_dict_mode(vm, to);
    if (!ds) return false;
    o->shape = ds->id;
    gc_barrier(vm, o);
    return true;
}

/* ---- dir ---- */

static bool add_keys(vm *vm, dict *into, dict *d)
{
    size_t pos = 0;
    value k, v;
    while (d && dict_next(d, &pos, &k, &v))
        if (IS_STR(k) && !dict_set_str(vm, into, AS(str, k), V_NONE)) return false;
    return true;
}

/* The names in a class and its bases; a class under construction has no MRO yet. */
static bool add_class_names(vm *vm, dict *names, type *t)
{
    if (!t->mro && (!type_dict(vm, t) || !add_keys(vm, names, t->dict))) return false;
    const tuple *mro = t->mro ? t->mro : t->base->mro;
    for (size_t i = 0; i < mro->len; i++)
        if (!type_dict(vm, AS(type, mro->items[i])) || !add_keys(vm, names, AS(type, mro->items[i])->dict))
            return false;
    return true;
}

list *object_dir(vm *vm, value o)
{
    dict *names = dict_new(vm);
    if (!names) return NULL;
    ROOTS(vm, &names);
    if (IS_TYPE(o)) {
        if (!add_class_names(vm, names, AS(type, o))) return NULL;
    } else {
        value d = obj_getattr_opt(vm, o, N(vm, __dict__));
        if (raised(vm) || (IS_DICT(d) && !add_keys(vm, names, AS(dict, d)))) return NULL;
        if (!IS_DICT(d) && !value_is_unbound(d))
            return raise_type_error(vm, "%T.__dict__ is not a dictionary", o), NULL;
        value cls = value_is_kind(o, K_MODULE) ? V_UNBOUND : obj_getattr_opt(vm, o, N(vm, __class__));
        if (raised(vm)) return NULL;
        if (IS_TYPE(cls) && !add_class_names(vm, names, AS(type, cls))) return NULL;
    }
    return obj_to_list(vm, value_obj(names));
}
