/* object.__reduce_ex__: how copy and pickle take an object apart, as CPython's copyreg protocol 2
 * has it: (copyreg.__newobj__, (cls, *args), state, items of a list, items of a dict). */
#include "type_parts.h"
#include "types_api.h"

static value copyreg_attr(vm *vm, const char *name)
{
    str *module_name = str_intern_utf8(vm, "copyreg", 7);
    if (!module_name) return V_ERROR;
    value m = import_module(vm, module_name);
    str *s = value_is_error(m) ? NULL : str_intern_utf8(vm, name, strlen(name));
    return s ? obj_getattr(vm, m, s) : V_ERROR;
}

/* What __getnewargs_ex__ or __getnewargs__ says: *args is a tuple or NULL (no such method), *kwargs
 * a non-empty dict or unbound. false: raised. */
static bool new_args(vm *vm, value o, tuple **args, value *kwargs)
{
    *args = NULL;
    *kwargs = V_UNBOUND;
    value f = type_lookup_special(vm, o, N(vm, __getnewargs_ex__));
    if (raised(vm)) return false;
    if (!value_is_unbound(f)) {
        value r = vm_call0(vm, f);
        if (value_is_error(r)) return false;
        if (!IS_TUPLE(r) || AS(tuple, r)->len != 2 || !IS_TUPLE(AS(tuple, r)->items[0]) ||
            !IS_DICT(AS(tuple, r)->items[1])) {
            raise_type_error(vm, "__getnewargs_ex__ should return a tuple of a tuple and a dict");
            return false;
        }
        *args = AS(tuple, AS(tuple, r)->items[0]);
        if (AS(dict, AS(tuple, r)->items[1])->used) *kwargs = AS(tuple, r)->items[1];
        return true;
    }
    f = type_lookup_special(vm, o, N(vm, __getnewargs__));
    if (raised(vm)) return false;
    if (value_is_unbound(f)) return true;
    value r = vm_call0(vm, f);
    if (value_is_error(r)) return false;
    if (!IS_TUPLE(r)) {
        raise_type_error(vm, "__getnewargs__ should return a tuple, not '%T'", r);
        return false;
    }
    *args = AS(tuple, r);
    return true;
}

/* May an object of this layout be rebuilt from its attributes and items alone? */
static bool is_plain_layout(value o)
{
    switch ((enum object_kind)value_as_obj(o)->kind) {
    case K_INSTANCE:
    case K_LIST:
    case K_DICT: return true;
    default: return false;
    }
}

static value reduce_newobj(vm *vm, value o)
{
    type *t = type_of(vm, o);
    if (!t->s.new_) return raise_type_error(vm, "cannot pickle '%T' object", o);
    tuple *args = NULL, *newargs = NULL;
    value kwargs = V_UNBOUND, maker = V_UNBOUND, state = V_UNBOUND, items = V_NONE, pairs = V_NONE;
    ROOTS(vm, &o, &args, &newargs, &kwargs, &maker, &state, &items, &pairs);
    if (!new_args(vm, o, &args, &kwargs)) return V_ERROR;
    value getstate = type_lookup(vm, t, N(vm, __getstate__));
    bool own_state = !value_is(getstate, type_lookup(vm, T(vm, OBJECT), N(vm, __getstate__)));
    if (!args && !own_state && (!value_is_obj(o) || !is_plain_layout(o)))
        return raise_type_error(
            vm, value_is_exact(o, TYPE_MEMORYVIEW) ? "cannot pickle %T objects" : "cannot pickle '%T' object", o);

    maker = copyreg_attr(vm, value_is_unbound(kwargs) ? "__newobj__" : "__newobj_ex__");
    if (value_is_error(maker)) return V_ERROR;
    if (!args) args = vm->empty_tuple;
    if (value_is_unbound(kwargs)) {
        if (!(newargs = tuple_new(vm, args->len + 1))) return V_ERROR;
        newargs->items[0] = value_obj(t);
        for (size_t i = 0; i < args->len; i++) newargs->items[i + 1] = args->items[i];
    } else if (!(newargs = tuple_pack(vm, 3, value_obj(t), value_obj(args), kwargs))) {
        return V_ERROR;
    }
    state = vm_call_method(vm, o, N(vm, __getstate__), NULL, 0);
    if (value_is_error(state)) return V_ERROR;
    if (IS_LIST(o) && value_is_error(items = obj_iter(vm, o))) return V_ERROR;
    if (IS_DICT(o)) {
        pairs = vm_call_method(vm, o, N(vm, items), NULL, 0);
        if (value_is_error(pairs) || value_is_error(pairs = obj_iter(vm, pairs))) return V_ERROR;
    }
    tuple *r = tuple_pack(vm, 5, maker, value_obj(newargs), state, items, pairs);
    return r ? value_obj(r) : V_ERROR;
}

/* bytearray.__new__ takes no value: (cls, what the class is called with, state). Before protocol 3 there were no bytes.
 */
static value reduce_bytearray(vm *vm, value o, int64_t protocol)
{
    const bytearray *b = AS(bytearray, o);
    value data = V_UNBOUND;
    tuple *args = vm->empty_tuple;
    ROOTS(vm, &o, &args, &data);
    if (b->len) {
        data =
            protocol < 3 ? value_obj(str_new_latin1(vm, b->data, b->len)) : value_obj(bytes_new(vm, b->data, b->len));
        if (value_is_error(data)) return V_ERROR;
        if (protocol < 3) args = tuple_pack(vm, 2, data, value_obj(str_from_cstr(vm, "latin-1")));
        else args = tuple_pack(vm, 1, data);
        if (!args) return V_ERROR;
    }
    value state = vm_call_method(vm, o, N(vm, __getstate__), NULL, 0);
    tuple *r = value_is_error(state) ? NULL : tuple_pack(vm, 3, value_obj(type_of(vm, o)), value_obj(args), state);
    return r ? value_obj(r) : V_ERROR;
}

static value reduce_by_protocol(vm *vm, value o, int64_t protocol)
{
    if (value_is_kind(o, K_BYTEARRAY)) return reduce_bytearray(vm, o, protocol);
    if (protocol >= 2) return reduce_newobj(vm, o);
    ROOTS(vm, &o);
    value f = copyreg_attr(vm, "_reduce_ex");
    return value_is_error(f) ? f : vm_call2(vm, f, o, value_int(protocol));
}

value object_reduce(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    return reduce_by_protocol(vm, args[0], 0);
}

value object_reduce_ex(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    int64_t protocol;
    if (!obj_as_index(vm, args[1], &protocol, EXC_OverflowError)) return V_ERROR;
    value own = type_lookup(vm, type_of(vm, args[0]), N(vm, __reduce__));
    value base = type_lookup(vm, T(vm, OBJECT), N(vm, __reduce__));
    if (!value_is_unbound(own) && !value_is(own, base)) return vm_call_method(vm, args[0], N(vm, __reduce__), NULL, 0);
    return reduce_by_protocol(vm, args[0], protocol);
}
