/* Pattern matching's instructions. */
#include "interp.h"

/* Registered by collections.abc: Sequence or Mapping subclasses match as such. Builtins by kind. */
bool op_matchseq(vm *vm, value v)
{
    if (!value_is_obj(v)) return false;
    switch (value_as_obj(v)->kind) {
    case K_LIST:
    case K_TUPLE:
    case K_RANGE:
    case K_MEMORYVIEW: return true;
    default: return (type_of(vm, v)->flags & TF_SEQUENCE) != 0;
    }
}

bool op_matchmap(vm *vm, value v)
{
    if (!value_is_obj(v)) return false;
    if (IS_DICT(v) || value_is_exact(v, TYPE_MAPPINGPROXY)) return true;
    return (type_of(vm, v)->flags & TF_MAPPING) != 0;
}

value op_matchkeys(vm *vm, value v, value keys)
{
    tuple *ks = AS(tuple, keys);
    tuple *out = tuple_new(vm, ks->len);
    if (!out) return V_ERROR;
    ROOTS(vm, &v, &keys, &out);
    dict *seen = dict_new(vm);
    if (!seen) return V_ERROR;
    value get = V_UNBOUND;
    ROOTS(vm, &seen, &get);
    if (!value_is_exact(v, TYPE_DICT)) {
        get = obj_getattr(vm, v, N(vm, get));
        if (value_is_error(get)) return V_ERROR;
    }
    for (size_t i = 0; i < ks->len; i++) {
        value have = dict_get(vm, seen, ks->items[i]);
        if (!value_is_unbound(have))
            return raise_value_error(vm, "mapping pattern checks duplicate key (%R)", ks->items[i]);
        if (raised(vm) || !dict_set(vm, seen, ks->items[i], V_TRUE)) return V_ERROR;
        value got;
        if (value_is_unbound(get)) {
            got = dict_get(vm, AS(dict, v), ks->items[i]);
            if (value_is_unbound(got)) return raised(vm) ? V_ERROR : V_NONE;
        } else {
            /* A unique default tells "absent": the seen dict itself. */
            got = vm_call2(vm, get, ks->items[i], value_obj(seen));
            if (value_is_error(got)) return V_ERROR;
            if (value_is(got, value_obj(seen))) return V_NONE;
        }
        out->items[i] = got;
        gc_barrier(vm, out);
    }
    return value_obj(out);
}

/* Builtin classes whose single positional pattern is the subject itself. */
static bool matches_self(const type *t)
{
    for (const type *b = t; b; b = b->base) {
        switch (b->id) {
        case TYPE_BOOL:
        case TYPE_BYTEARRAY:
        case TYPE_BYTES:
        case TYPE_DICT:
        case TYPE_FLOAT:
        case TYPE_FROZENSET:
        case TYPE_INT:
        case TYPE_LIST:
        case TYPE_SET:
        case TYPE_STR:
        case TYPE_TUPLE: return true;
        default: break;
        }
        if (b->id == TYPE_OBJECT) break;
    }
    return false;
}

value op_matchclass(vm *vm, value v, value cls, uint32_t npos, value names)
{
    if (!IS_TYPE(cls)) return raise_type_error(vm, "called match pattern must be a class");
    ROOTS(vm, &v, &cls, &names);
    int isa = obj_isinstance(vm, v, cls);
    if (isa < 0) return V_ERROR;
    if (!isa) return V_NONE;
    tuple *kw = AS(tuple, names);
    tuple *out = tuple_new(vm, npos + kw->len);
    set *seen = set_new(vm, TYPE_SET);
    if (!out || !seen) return V_ERROR;
    ROOTS(vm, &out, &seen);
    if (npos) {
        value margs = obj_getattr_opt(vm, cls, N(vm, __match_args__));
        if (value_is_unbound(margs) && raised(vm)) return V_ERROR;
        bool self = value_is_unbound(margs) && matches_self(AS(type, cls));
        ROOTS(vm, &margs);
        if (!value_is_unbound(margs) && !value_is_exact(margs, TYPE_TUPLE))
            return raise_type_error(vm, "%N.__match_args__ must be a tuple (got %T)", AS(type, cls), margs);
        size_t allowed = self ? 1 : value_is_unbound(margs) ? 0 : AS(tuple, margs)->len;
        if (allowed < npos)
            return raise_type_error(vm, "%N() accepts %d positional sub-pattern%s (%d given)", AS(type, cls),
                                    (int)allowed, allowed == 1 ? "" : "s", (int)npos);
        if (self) {
            out->items[0] = v;
        } else {
            for (uint32_t i = 0; i < npos; i++) {
                value name = AS(tuple, margs)->items[i];
                if (!IS_STR(name))
                    return raise_type_error(vm, "__match_args__ elements must be strings (got %T)", name);
                int dup = set_contains(vm, seen, name);
                if (dup)
                    return dup < 0 ? V_ERROR
                                   : raise_type_error(vm, "%N() got multiple sub-patterns for attribute %R",
                                                      AS(type, cls), name);
                if (!set_add(vm, seen, name)) return V_ERROR;
                value got = obj_getattr_opt(vm, v, AS(str, name));
                if (value_is_unbound(got)) return raised(vm) ? V_ERROR : V_NONE;
                out->items[i] = got;
                gc_barrier(vm, out);
            }
        }
    }
    for (size_t i = 0; i < kw->len; i++) {
        value name = kw->items[i];
        int dup = set_contains(vm, seen, name);
        if (dup)
            return dup < 0
                       ? V_ERROR
                       : raise_type_error(vm, "%N() got multiple sub-patterns for attribute %R", AS(type, cls), name);
        if (!set_add(vm, seen, name)) return V_ERROR;
        value got = obj_getattr_opt(vm, v, AS(str, name));
        if (value_is_unbound(got)) return raised(vm) ? V_ERROR : V_NONE;
        out->items[npos + i] = got;
        gc_barrier(vm, out);
    }
    return value_obj(out);
}
