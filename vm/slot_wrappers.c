/* The dunder attributes of builtin types: wrapper_descriptor objects made from their slots, and
 * what calling them does. */
#include "attr.h"
#include "native.h"
#include "slot_table.h"
#include "type_parts.h"
#include "types_api.h"

native *slot_wrapper_new(vm *vm, type *owner, unsigned row)
{
    native *n = gc_new(vm, K_NATIVE, TYPE_SLOT_WRAPPER, sizeof *n);
    if (!n) return NULL;
    n->h.flags = NATIVE_WRAPPER | NATIVE_RAW | NATIVE_VARKW;
    n->max = 255;
    n->name = value_obj(vm->names[dunder_rows[row].name]);
    n->params = n->module = V_NONE;
    n->owner = owner;
    n->data = value_int(row);
    return n;
}

bool slot_wrappers_add(vm *vm, type *t, dict *d)
{
    for (unsigned r = 0; r < dunder_count; r++) {
        const dunder_row *row = &dunder_rows[r];
        slot_any f = slot_get(t, row->slot);
        if (!f || row->wrap == WRAP_NONE || (t->base && slot_get(t->base, row->slot) == f)) continue;
        str *name = vm->names[row->name];
        if (!value_is_unbound(dict_get_str(vm, d, name))) continue;
        value v = V_NONE;
        if (f != (slot_any)slot_unhashable) {
            native *n = row->wrap == WRAP_NEW ? native_new_wrapper(vm, t) : slot_wrapper_new(vm, t, r);
            if (!n) return false;
            v = value_obj(n);
        }
        if (!dict_set_str(vm, d, name, v)) return false;
    }
    return true;
}

/* ---- calling one ---- */

static bool want(vm *vm, uint32_t given, uint32_t n)
{
    if (given == n) return true;
    raise_type_error(vm, "expected %d argument%s, got %d", (int)n, n == 1 ? "" : "s", (int)given);
    return false;
}

/* The messages of these have an empty function name in front. */
static bool want_between(vm *vm, uint32_t given, uint32_t min, uint32_t max)
{
    if (given >= min && given <= max) return true;
    uint32_t limit = given < min ? min : max;
    raise_type_error(vm, " expected %s%d argument%s, got %d",
                     min == max    ? ""
                     : given < min ? "at least "
                                   : "at most ",
                     (int)limit, limit == 1 ? "" : "s", (int)given);
    return false;
}

static value none_if(bool ok) { return ok ? V_NONE : V_ERROR; }

static bool attribute_name(vm *vm, value v)
{
    if (IS_STR(v)) return true;
    raise_type_error(vm, "attribute name must be string, not '%T'", v);
    return false;
}

/* object.__setattr__(some_class, ...) would get around the class's own bookkeeping. */
static bool hack_check(vm *vm, const native *n, value self, const char *what)
{
    if (!IS_TYPE(self) || n->owner->s.setattr != attr_slot_set) return true;
    raise_type_error(vm, "can't apply this %s to %T object", what, self);
    return false;
}

static value wrap_descr_get(vm *vm, type *t, value *a, uint32_t n)
{
    if (!want_between(vm, n, 1, 2)) return V_ERROR;
    value o = value_is_none(a[1]) ? V_UNBOUND : a[1];
    value of = n < 2 || value_is_none(a[2]) ? V_UNBOUND : a[2];
    if (value_is_unbound(o) && value_is_unbound(of)) return raise_type_error(vm, "__get__(None, None) is invalid");
    return t->s.descr_get(vm, a[0], o, of);
}

static value wrap_repeat(vm *vm, type *t, value self, value count)
{
    value n = obj_index(vm, count);
    return value_is_error(n) ? n : t->s.repeat(vm, self, n);
}

static value from_test(int r) { return r < 0 ? V_ERROR : value_bool(r); }

value slot_wrapper_call(vm *vm, native *n, value *args, uint32_t nargs, value kwnames)
{
    const dunder_row *row = &dunder_rows[value_as_int(n->data)];
    type *t = n->owner;
    if (!nargs) return raise_type_error(vm, "descriptor '%U' of '%N' object needs an argument", n->name, t);
    value self = args[0];
    if (!value_isa(vm, self, t))
        return raise_type_error(vm, "descriptor '%U' requires a '%N' object but received a '%T'", n->name, t, self);
    if (row->wrap == WRAP_INIT) return none_if(t->s.init(vm, self, args + 1, nargs - 1, kwnames));
    if (row->wrap == WRAP_CALL) {
        if (!vm_enter(vm)) return V_ERROR; /* f.__call__.__call__.__call__ ... */
        value r = t->s.call(vm, self, args + 1, nargs - 1, kwnames);
        vm_leave(vm);
        return r;
    }
    if (!value_is_unbound(kwnames) && AS(tuple, kwnames)->len)
        return raise_type_error(vm, "wrapper %U() takes no keyword arguments", n->name);
    uint32_t given = nargs - 1;
    slot_any f = slot_get(t, row->slot);
    switch ((enum wrap_kind)row->wrap) {
    case WRAP_BINARY:
        if (row->slot == SLOT_INDEX(imul) && t->s.repeat) /* a sequence's */
            return want_between(vm, given, 1, 1) && !value_is_error(args[1] = obj_index(vm, args[1]))
                       ? t->s.imul(vm, self, args[1])
                       : V_ERROR;
        return want(vm, given, 1) ? ((binary_fn)f)(vm, self, args[1]) : V_ERROR;
    case WRAP_UNARY: return want(vm, given, 0) ? ((unary_fn)f)(vm, self) : V_ERROR;
    case WRAP_BINARY1: return want(vm, given, 1) ? ((binary_fn)f)(vm, self, args[1]) : V_ERROR;
    case WRAP_RBINARY: return want(vm, given, 1) ? ((binary_fn)f)(vm, args[1], self) : V_ERROR;
    case WRAP_COMPARE: return want(vm, given, 1) ? ((compare_fn)f)(vm, self, args[1], row->variant) : V_ERROR;
    case WRAP_POW:
        return want_between(vm, given, 1, 2) ? t->s.pow(vm, self, args[1], given > 1 ? args[2] : V_NONE) : V_ERROR;
    case WRAP_RPOW:
        return want_between(vm, given, 1, 2) ? t->s.pow(vm, args[1], self, given > 1 ? args[2] : V_NONE) : V_ERROR;
    case WRAP_REPEAT: return want_between(vm, given, 1, 1) ? wrap_repeat(vm, t, self, args[1]) : V_ERROR;
    case WRAP_CONTAINS: return want(vm, given, 1) ? from_test(t->s.contains(vm, self, args[1])) : V_ERROR;
    case WRAP_TRUTH: return want(vm, given, 0) ? from_test(t->s.truth(vm, self)) : V_ERROR;
    case WRAP_SETITEM:
        return want_between(vm, given, 2, 2) ? none_if(t->s.setitem(vm, self, args[1], args[2])) : V_ERROR;
    case WRAP_DELITEM: return want(vm, given, 1) ? none_if(t->s.setitem(vm, self, args[1], V_UNBOUND)) : V_ERROR;
    case WRAP_DESCRGET: return wrap_descr_get(vm, t, args, given);
    case WRAP_DESCRSET:
        return want_between(vm, given, 2, 2) ? none_if(t->s.descr_set(vm, self, args[1], args[2])) : V_ERROR;
    case WRAP_DESCRDEL: return want(vm, given, 1) ? none_if(t->s.descr_set(vm, self, args[1], V_UNBOUND)) : V_ERROR;
    case WRAP_GETATTR:
        return want(vm, given, 1) && attribute_name(vm, args[1]) ? t->s.getattr(vm, self, args[1]) : V_ERROR;
    case WRAP_SETATTR:
        if (!want_between(vm, given, 2, 2) || !attribute_name(vm, args[1]) || !hack_check(vm, n, self, "__setattr__"))
            return V_ERROR;
        return none_if(t->s.setattr(vm, self, args[1], args[2]));
    case WRAP_DELATTR:
        if (!want(vm, given, 1) || !attribute_name(vm, args[1]) || !hack_check(vm, n, self, "__delattr__"))
            return V_ERROR;
        return none_if(t->s.setattr(vm, self, args[1], V_UNBOUND));
    case WRAP_HASH: {
        uint64_t h;
        if (!want(vm, given, 0) || !t->s.hash(vm, self, &h)) return V_ERROR;
        return int_from_i64(vm, (int64_t)h);
    }
    case WRAP_LEN: {
        int64_t len;
        if (!want(vm, given, 0) || (len = t->s.len(vm, self)) < 0) return V_ERROR;
        return int_from_i64(vm, len);
    }
    case WRAP_NEXT: {
        if (!want(vm, given, 0)) return V_ERROR;
        value r = t->s.next(vm, self);
        return value_is(r, V_STOP) ? raise_stop_iteration(vm, V_UNBOUND) : r;
    }
    case WRAP_DEL:
        if (!want(vm, given, 0) || value_is_error(t->s.del(vm, self))) return V_ERROR;
        return V_NONE;
    default: return raise(vm, EXC_SystemError, "bad slot wrapper");
    }
}
