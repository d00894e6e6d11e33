/* What inline caches may remember of an attribute access. The kinds and their guards: attr.h. */
#include "attr.h"

#include "code.h"
#include "native.h"
#include "slot_table.h"
#include "type_parts.h"
#include "types_api.h"

/* Where a plain class attribute lies: in the dict of the first class of the MRO that has it. */
static value *class_data_at(vm *vm, type *t, str *name)
{
    type *where;
    if (value_is_unbound(type_lookup_where(vm, t, name, &where))) return NULL;
    int64_t i = dict_find_str(vm, where->dict, name);
    return i < 0 ? NULL : &where->dict->entries[i].val;
}

static bool fill_module(vm *vm, value o, str *name, struct attr_cache *out)
{
    dict *d = AS(module, o)->dict;
    if (!d || value_as_obj(o)->shape != TYPE_MODULE) return false;
    value cls = type_lookup(vm, T(vm, MODULE), name);
    if (!value_is_unbound(cls) && !attr_is_plain(vm, cls)) return false;
    int64_t i = dict_find_str(vm, d, name);
    if (i < 0 || i > UINT32_MAX) return false;
    *out = (struct attr_cache){.kind = ATTR_MODULE, .shape = dict_version(vm, d), .index = (uint32_t)i};
    return out->shape != 0;
}

static bool fill_type(vm *vm, type *t, str *name, struct attr_cache *out)
{
    type *meta = type_of(vm, value_obj(t));
    if (meta->s.getattr != type_slot_get) return false;
    value m = type_lookup(vm, meta, name);
    if (!value_is_unbound(m) && type_of(vm, m)->s.descr_set) return false;
    value v = type_lookup(vm, t, name);
    if (value_is_unbound(v)) return false;
    *out = (struct attr_cache){.shape = t->serial, .epoch = vm->class_epoch};
    if (value_is_exact(v, TYPE_CLASSMETHOD) && value_is_kind(AS(descr, v)->get, K_FUNCTION)) {
        out->kind = ATTR_TYPE_METHOD;
        out->ptr = value_as_obj(AS(descr, v)->get);
        return true;
    }
    if (value_is_exact(v, TYPE_NATIVE_CLASSMETHOD)) {
        out->kind = ATTR_TYPE_METHOD;
        out->ptr = value_as_obj(v);
        return true;
    }
    out->kind = ATTR_TYPE_DATA;
    if (value_is_exact(v, TYPE_STATICMETHOD)) {
        out->ptr = &AS(descr, v)->get;
        return true;
    }
    /* Functions and natives come out of a class as they are. */
    if (!attr_is_plain(vm, v) && !value_is_kind(v, K_FUNCTION) && !value_is_kind(v, K_NATIVE)) return false;
    out->ptr = class_data_at(vm, t, name);
    return out->ptr != NULL;
}

/* o has no own attribute `name`, for as long as its shape is the same. */
static bool fill_class(vm *vm, type *t, uint32_t shape, str *name, value v, struct attr_cache *out)
{
    *out = (struct attr_cache){.shape = shape, .epoch = vm->class_epoch};
    if (value_is_kind(v, K_FUNCTION) || value_is_exact(v, TYPE_NATIVE_METHOD)) {
        out->kind = ATTR_METHOD;
        out->ptr = value_as_obj(v);
        return true;
    }
    if (value_is_exact(v, TYPE_STATICMETHOD) && value_is_obj(AS(descr, v)->get)) {
        out->kind = ATTR_CLASS_VALUE;
        out->ptr = value_as_obj(AS(descr, v)->get);
        return true;
    }
    if (!attr_is_plain(vm, v)) return false;
    out->kind = ATTR_CLASS_DATA;
    out->ptr = class_data_at(vm, t, name);
    return out->ptr != NULL;
}

/* A member that is a slot of the instance, not a field of a builtin type's. */
static bool is_slot_member(value d) { return value_is_exact(d, TYPE_MEMBER) && !AS(descr, d)->def; }

/* A script function that the interpreter can enter with one argument and no further ado. */
static bool is_plain_getter(value f)
{
    if (!value_is_kind(f, K_FUNCTION)) return false;
    const code *c = AS(function, f)->code;
    return (c->flags & CODE_SIMPLE) && !(c->flags & (CODE_GENERATOR | CODE_COROUTINE | CODE_ASYNC_GEN)) &&
           c->argcount == 1;
}

bool attr_cache_fill_get(vm *vm, value v, str *name, struct attr_cache *out)
{
    *out = (struct attr_cache){0};
    if (!value_is_obj(v)) return false;
    object *o = value_as_obj(v);
    if (o->kind == K_TYPE) return fill_type(vm, (type *)(void *)o, name, out) || (out->kind = ATTR_NONE);
    shape *s = shape_of(vm, o);
    type *t = s->cls;
    if (o->kind == K_MODULE) return fill_module(vm, v, name, out) || (out->kind = ATTR_NONE);
    /* A __getattr__ hook is asked only when the lookup fails, and a failed lookup is never cached.
     */
    bool hooked = t->s.getattr == generic_getattr;
    if (hooked) {
        value own = type_lookup(vm, t, N(vm, __getattribute__));
        if (!value_is_kind(own, K_NATIVE) || AS(native, own)->owner != T(vm, OBJECT)) return false;
    } else if (t->s.getattr != attr_slot_get) {
        return false;
    }
    if ((s->sflags & SHAPE_UNCACHEABLE) || o->kind == K_FUNCTION) return false;
    value d = type_lookup(vm, t, name);
    if (!value_is_unbound(d) && type_of(vm, d)->s.descr_set) {
        if (is_slot_member(d) && o->kind == K_INSTANCE && type_is_subtype(t, AS(descr, d)->owner)) {
            *out = (struct attr_cache){.kind = ATTR_SLOT, .shape = s->id, .index = AS(descr, d)->index};
            return true;
        }
        /* With a __getattr__ hook, an AttributeError out of the getter goes to the hook. */
        if (!hooked && value_is_exact(d, TYPE_PROPERTY) && is_plain_getter(AS(descr, d)->get)) {
            *out = (struct attr_cache){.kind = ATTR_PROPERTY,
                                       .shape = s->id,
                                       .epoch = vm->class_epoch,
                                       .ptr = value_as_obj(AS(descr, d)->get)};
            return true;
        }
        return false;
    }
    int32_t i = s->count == t->nmembers ? -1 : shape_find(vm, s, name);
    if (i >= 0) {
        if (o->kind == K_STR || o->kind == K_BYTES || o->kind == K_TUPLE) return false;
        *out = (struct attr_cache){.kind = ATTR_SLOT, .shape = s->id, .index = (uint32_t)i};
        return true;
    }
    if (value_is_unbound(d)) return false;
    return fill_class(vm, t, s->id, name, d, out) || (out->kind = ATTR_NONE);
}

bool attr_cache_fill_set(vm *vm, value v, str *name, struct attr_cache *out)
{
    *out = (struct attr_cache){0};
    if (!value_is_obj(v) || !(name->h.flags & STR_INTERNED)) return false;
    object *o = value_as_obj(v);
    if (o->kind == K_TYPE || o->kind == K_MODULE || o->kind == K_FUNCTION || o->kind == K_STR || o->kind == K_BYTES ||
        o->kind == K_TUPLE)
        return false;
    shape *s = shape_of(vm, o);
    type *t = s->cls;
    if (!(t->flags & TF_SETATTR_PLAIN) || (s->sflags & SHAPE_UNCACHEABLE)) return false;
    value d = type_lookup(vm, t, name);
    if (!value_is_unbound(d) && type_of(vm, d)->s.descr_set) {
        if (o->kind != K_INSTANCE) return false;
        if (!is_slot_member(d)) {
            *out = (struct attr_cache){ATTR_SET_DESCR, s->id, 0, vm->class_epoch, value_as_obj(d)};
            return true;
        }
        if (!type_is_subtype(t, AS(descr, d)->owner)) return false;
        *out = (struct attr_cache){.kind = ATTR_SET_SLOT, .shape = s->id, .index = AS(descr, d)->index};
        return true;
    }
    if (!(t->flags & TF_HAS_DICT)) return false;
    int32_t i = s->count == t->nmembers ? -1 : shape_find(vm, s, name);
    if (i >= 0) {
        *out = (struct attr_cache){.kind = ATTR_SET_SLOT, .shape = s->id, .index = (uint32_t)i};
        return true;
    }
    if (o->kind != K_INSTANCE) return false;
    shape *child = shape_add(vm, s, name);
    if (!child) {
        exc_clear(vm);
        return false;
    }
    *out = (struct attr_cache){.kind = ATTR_SET_ADD, .shape = s->id, .index = child->count - 1, .epoch = child->id};
    return true;
}
