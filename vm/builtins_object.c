/* builtins: functions about any object: its attributes, class, text, identity. */
#include "attr.h"
#include "builtins.h"
#include "list.h"
#include "native.h"
#include "str.h"

#define DOC_FILE vm_builtins_object
DOC_BEGIN;

/* An attribute name given by script, interned; NULL raised. */
static str *attribute_name(vm *vm, value v)
{
    if (UNLIKELY(!IS_STR(v))) {
        raise_type_error(vm, "attribute name must be string, not '%T'", v);
        return NULL;
    }
    str *s = AS(str, v);
    return s->h.flags & STR_INTERNED ? s : str_intern(vm, str_plain(s));
}

NATIVE(b_getattr)
{
    str *name = attribute_name(vm, a[1]);
    if (!name) return V_ERROR;
    if (value_is_unbound(a[2])) return obj_getattr(vm, a[0], name);
    value v = obj_getattr_opt(vm, a[0], name);
    return value_is_unbound(v) && !raised(vm) ? a[2] : v;
}

NATIVE(b_hasattr)
{
    str *name = attribute_name(vm, a[1]);
    if (!name) return V_ERROR;
    value v = obj_getattr_opt(vm, a[0], name);
    if (!value_is_unbound(v)) return V_TRUE;
    return raised(vm) ? V_ERROR : V_FALSE;
}

NATIVE(b_setattr)
{
    str *name = attribute_name(vm, a[1]);
    return name && obj_setattr(vm, a[0], name, a[2]) ? V_NONE : V_ERROR;
}

NATIVE(b_delattr)
{
    str *name = attribute_name(vm, a[1]);
    return name && obj_setattr(vm, a[0], name, V_UNBOUND) ? V_NONE : V_ERROR;
}

static value sorted_list(vm *vm, list *l)
{
    if (!l) return V_ERROR;
    ROOTS(vm, &l);
    return list_sort(vm, l, V_NONE, false) ? value_obj(l) : V_ERROR;
}

NATIVE(b_dir)
{
    if (value_is_unbound(a[0])) {
        value d = frame_current_locals(vm);
        value keys =
            value_is_error(d) || value_is_exact(d, TYPE_DICT) ? d : vm_call_method(vm, d, N(vm, keys), NULL, 0);
        return value_is_error(keys) ? V_ERROR : sorted_list(vm, obj_to_list(vm, keys));
    }
    value f = type_lookup_special(vm, a[0], N(vm, __dir__));
    if (value_is_unbound(f)) return raised(vm) ? V_ERROR : raise_type_error(vm, "object does not provide __dir__");
    value names = vm_call0(vm, f);
    return value_is_error(names) ? V_ERROR : sorted_list(vm, obj_to_list(vm, names));
}

NATIVE(b_vars)
{
    if (value_is_unbound(a[0])) {
        return frame_current_locals(vm);
    }
    value d = obj_getattr_opt(vm, a[0], N(vm, __dict__));
    if (value_is_unbound(d) && !raised(vm)) return raise_type_error(vm, "vars() argument must have __dict__ attribute");
    return d;
}

NATIVE(b_callable) { return value_bool(obj_is_callable(vm, a[0])); }
NATIVE(b_id) { return int_from_u64(vm, a[0].bits); }

NATIVE(b_hash)
{
    uint64_t h;
    return obj_hash(vm, a[0], &h) ? int_from_i64(vm, (int64_t)h) : V_ERROR;
}

static value truth_value(int t) { return t < 0 ? V_ERROR : value_bool(t); }
NATIVE(b_isinstance) { return truth_value(obj_isinstance(vm, a[0], a[1])); }
NATIVE(b_issubclass) { return truth_value(obj_issubclass(vm, a[0], a[1])); }

NATIVE(b_repr)
{
    str *s = obj_repr(vm, a[0]);
    return s ? value_obj(s) : V_ERROR;
}

NATIVE(b_ascii)
{
    str *s = obj_repr(vm, a[0]);
    if (s) s = str_ascii_escape(vm, s);
    return s ? value_obj(s) : V_ERROR;
}

NATIVE(b_format)
{
    if (!value_is_unbound(a[1]) && !IS_STR(a[1])) return args_need_str(vm, "format() argument 2", a[1]);
    return obj_format(vm, a[0], a[1]);
}

NATIVE(b_build_class) { return type_build_class(vm, a, n, kw); }

const native_def builtins_objects[] = {
    {"getattr(object, name, default=None, /)", b_getattr, DOC("getattr(object, name[, default]) -> value"), 0},
    {"hasattr(obj, name, /)", b_hasattr, DOC("Return whether the object has an attribute with the given name."), 0},
    {"setattr(obj, name, value, /)", b_setattr,
     DOC("Sets the named attribute on the given object to the specified value."), 0},
    {"delattr(obj, name, /)", b_delattr, DOC("Deletes the named attribute from the given object."), 0},
    {"dir(object=None, /)", b_dir, DOC("The names an object has, sorted; without argument those in scope."), 0},
    {"vars(object=None, /)", b_vars, DOC("An object's __dict__; without argument locals()."), 0},
    {"callable(obj, /)", b_callable, DOC("Return whether the object is callable (i.e., some kind of function)."), 0},
    {"id(obj, /)", b_id, DOC("Return the identity of an object."), 0},
    {"hash(obj, /)", b_hash, DOC("Return the hash value for the given object."), 0},
    {"isinstance(obj, class_or_tuple, /)", b_isinstance,
     DOC("Return whether an object is an instance of a class or of a subclass thereof."), 0},
    {"issubclass(cls, class_or_tuple, /)", b_issubclass,
     DOC("Return whether 'cls' is derived from another class or is the same class."), 0},
    {"repr(obj, /)", b_repr, DOC("Return the canonical string representation of the object."), 0},
    {"ascii(obj, /)", b_ascii, DOC("Return an ASCII-only representation of an object."), 0},
    {"format(value, format_spec='', /)", b_format, DOC("Return type(value).__format__(value, format_spec)."), 0},
    {"__build_class__(func, name, /, *bases, metaclass=None, **kwds)", b_build_class,
     DOC("Internal helper function used by the class statement."), NATIVE_RAW},
    {0},
};
