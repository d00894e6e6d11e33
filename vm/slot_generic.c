/* The slots of script classes: each looks its dunder up in the receiver's class and calls it.
 *
 * Dunders are looked up in the class, never in the instance, and bound as attributes are, except
 * that functions and natives get the receiver as first argument without a method object in between.
 */
#include "attr.h"
#include "native.h"
#include "slot_table.h"
#include "types_api.h"

/* ---- calling a dunder ---- */

value dunder_call(vm *vm, value f, value *args, uint32_t n)
{
    if (value_is_kind(f, K_FUNCTION)) return vm_call(vm, f, args, n);
    if (value_is_kind(f, K_NATIVE) && (AS(native, f)->h.flags & (NATIVE_METHOD | NATIVE_WRAPPER)))
        return native_call(vm, AS(native, f), args, n, V_UNBOUND);
    value bound = attr_bind(vm, f, args[0], type_of(vm, args[0]));
    if (value_is_error(bound)) return bound;
    ROOTS(vm, &bound);
    return vm_call(vm, bound, args + 1, n - 1);
}

static value find(vm *vm, value self, enum name_id name) { return type_lookup(vm, type_of(vm, self), vm->names[name]); }

/* The dunder must exist, or AttributeError with its name. */
static value call_n(vm *vm, enum name_id name, value *args, uint32_t n)
{
    value f = find(vm, args[0], name);
    if (UNLIKELY(value_is_unbound(f))) {
        if (raised(vm)) return V_ERROR;
        return raise(vm, EXC_AttributeError, "%U", vm->names[name]);
    }
    return dunder_call(vm, f, args, n);
}
static value call_1(vm *vm, enum name_id name, value self) { return call_n(vm, name, &self, 1); }
static value call_2(vm *vm, enum name_id name, value self, value a)
{
    value args[2] = {self, a};
    return call_n(vm, name, args, 2);
}
static value call_3(vm *vm, enum name_id name, value self, value a, value b)
{
    value args[3] = {self, a, b};
    return call_n(vm, name, args, 3);
}

/* f(self, *args, **kw) for __init__ and __call__, whose arguments come as they are. */
static value call_with_self(vm *vm, value f, value self, value *args, uint32_t nargs, value kwnames)
{
    uint32_t nkw = value_is_unbound(kwnames) ? 0 : (uint32_t)AS(tuple, kwnames)->len;
    if (!value_is_kind(f, K_FUNCTION) && !value_is_kind(f, K_NATIVE)) {
        f = attr_bind(vm, f, self, type_of(vm, self));
        if (value_is_error(f)) return f;
        ROOTS(vm, &f);
        return vm_call_kw(vm, f, args, nargs, kwnames);
    }
    if (value_is_kind(f, K_NATIVE) && !(AS(native, f)->h.flags & (NATIVE_METHOD | NATIVE_WRAPPER)))
        return vm_call_kw(vm, f, args, nargs, kwnames);
    value small[8];
    size_t n = (size_t)nargs + nkw + 1;
    value *all = small;
    if (n > 8 && !(all = mem_alloc(vm, n * sizeof *all))) return V_ERROR;
    all[0] = self;
    if (n > 1) memcpy(all + 1, args, (n - 1) * sizeof *all);
    value r = vm_call_kw(vm, f, all, nargs + 1, kwnames);
    if (all != small) mem_free(vm, all, n * sizeof *all);
    return r;
}

/* ---- creation, calls ---- */

value generic_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value f = type_lookup(vm, t, N(vm, __new__));
    if (value_is_unbound(f)) return raised(vm) ? V_ERROR : raise(vm, EXC_AttributeError, "__new__");
    f = attr_bind(vm, f, V_UNBOUND, t);
    if (value_is_error(f)) return f;
    uint32_t nkw = value_is_unbound(kwnames) ? 0 : (uint32_t)AS(tuple, kwnames)->len;
    value small[8];
    size_t n = (size_t)nargs + nkw + 1;
    value *all = small;
    if (n > 8 && !(all = mem_alloc(vm, n * sizeof *all))) return V_ERROR;
    all[0] = value_obj(t);
    if (n > 1) memcpy(all + 1, args, (n - 1) * sizeof *all);
    ROOTS(vm, &f);
    value r = vm_call_kw(vm, f, all, nargs + 1, kwnames);
    if (all != small) mem_free(vm, all, n * sizeof *all);
    return r;
}

bool generic_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value f = find(vm, self, N___init__);
    if (value_is_unbound(f)) return !raised(vm);
    value r = call_with_self(vm, f, self, args, nargs, kwnames);
    if (value_is_error(r)) return false;
    if (!value_is_none(r)) {
        raise_type_error(vm, "__init__() should return None, not '%T'", r);
        return false;
    }
    return true;
}

value generic_call(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value f = find(vm, self, N___call__);
    if (value_is_unbound(f)) return raised(vm) ? V_ERROR : raise_type_error(vm, "'%T' object is not callable", self);
    if (!vm_enter(vm)) return V_ERROR;
    value r = call_with_self(vm, f, self, args, nargs, kwnames);
    vm_leave(vm);
    return r;
}

value generic_del(vm *vm, value self)
{
    value f = find(vm, self, N___del__);
    return value_is_unbound(f) ? V_NONE : dunder_call(vm, f, &self, 1);
}

/* ---- text, hash, comparison ---- */

value generic_repr(vm *vm, value self) { return call_1(vm, N___repr__, self); }
value generic_str_(vm *vm, value self) { return call_1(vm, N___str__, self); }

bool generic_hash(vm *vm, value self, uint64_t *out)
{
    value f = find(vm, self, N___hash__);
    if (value_is_unbound(f) || value_is_none(f)) return raised(vm) ? false : slot_unhashable(vm, self, out);
    value r = dunder_call(vm, f, &self, 1);
    if (value_is_error(r)) return false;
    if (!int_is(r)) {
        raise_type_error(vm, "__hash__ method should return an integer");
        return false;
    }
    int64_t n;
    r = int_plain(vm, r);
    /* What fits a C long is taken as it is, larger ints by their own hash. */
    if (int_to_i64(vm, r, &n)) *out = (uint64_t)(n == -1 ? -2 : n);
    else *out = int_hash(vm, r);
    return true;
}

value generic_compare(vm *vm, value a, value b, enum compare_op op)
{
    static const uint16_t names[] = {[CMP_LT] = N___lt__, [CMP_LE] = N___le__, [CMP_EQ] = N___eq__,
                                     [CMP_NE] = N___ne__, [CMP_GT] = N___gt__, [CMP_GE] = N___ge__};
    type *t = type_of(vm, a);
    value f = type_lookup(vm, t, vm->names[names[op]]);
    if (value_is_unbound(f)) return raised(vm) ? V_ERROR : V_NOTIMPLEMENTED;
    value args[2] = {a, b};
    if (value_is_kind(f, K_FUNCTION)) return vm_call(vm, f, args, 2);
    if (value_is_kind(f, K_NATIVE) && (AS(native, f)->h.flags & NATIVE_WRAPPER)) {
        type *owner = AS(native, f)->owner; /* straight to the slot behind it */
        if (dunder_rows[value_as_int(AS(native, f)->data)].slot == SLOT_INDEX(compare) &&
            owner->s.compare != generic_compare && type_is_subtype(t, owner))
            return owner->s.compare(vm, a, b, dunder_rows[value_as_int(AS(native, f)->data)].variant);
        return native_call(vm, AS(native, f), args, 2, V_UNBOUND);
    }
    ROOTS(vm, &a, &b);
    f = attr_bind(vm, f, a, t);
    if (value_is_error(f)) { /* as CPython: the class can't compare */
        exc_clear(vm);
        return V_NOTIMPLEMENTED;
    }
    ROOTS(vm, &f);
    return vm_call1(vm, f, b);
}

/* ---- attributes ---- */

value generic_getattr(vm *vm, value o, value name)
{
    type *t = type_of(vm, o);
    value hook = type_lookup(vm, t, N(vm, __getattr__));
    value own = type_lookup(vm, t, N(vm, __getattribute__));
    if (raised(vm)) return V_ERROR;
    ROOTS(vm, &hook, &own, &o, &name); /* either may be deleted by what it calls */
    bool plain = value_is_kind(own, K_NATIVE) && (AS(native, own)->h.flags & NATIVE_WRAPPER);
    value args[2] = {o, name};
    value r;
    if (plain && AS(native, own)->owner->s.getattr == attr_slot_get && !value_is_unbound(hook)) {
        r = attr_generic_opt(vm, o, AS(str, name)); /* no AttributeError is made just to be dropped */
        if (!value_is_error(r)) return r;
        if (raised(vm) && !exc_clear_if(vm, EXC_AttributeError)) return V_ERROR;
    } else {
        r = plain ? AS(native, own)->owner->s.getattr(vm, o, name) : dunder_call(vm, own, args, 2);
        if (value_is_error(r) && value_is_unbound(hook)) exc_attribute_context(vm, o, AS(str, name));
        if (!value_is_error(r) || value_is_unbound(hook)) return r;
        if (!exc_clear_if(vm, EXC_AttributeError)) return V_ERROR;
    }
    r = dunder_call(vm, hook, args, 2);
    if (value_is_error(r)) exc_attribute_context(vm, o, AS(str, name));
    return r;
}

bool generic_setattr(vm *vm, value o, value name, value v)
{
    value r = value_is_unbound(v) ? call_2(vm, N___delattr__, o, name) : call_3(vm, N___setattr__, o, name, v);
    return !value_is_error(r);
}

value generic_descr_get(vm *vm, value d, value o, value t)
{
    value f = find(vm, d, N___get__);
    if (value_is_unbound(f)) return raised(vm) ? V_ERROR : d;
    value args[3] = {d, value_is_unbound(o) ? V_NONE : o, value_is_unbound(t) ? V_NONE : t};
    return dunder_call(vm, f, args, 3);
}

bool generic_descr_set(vm *vm, value d, value o, value v)
{
    value r = value_is_unbound(v) ? call_2(vm, N___delete__, d, o) : call_3(vm, N___set__, d, o, v);
    return !value_is_error(r);
}

/* ---- containers, iteration ---- */

value generic_iter(vm *vm, value self)
{
    value f = find(vm, self, N___iter__);
    if (value_is_none(f)) return raise_type_error(vm, "'%T' object is not iterable", self);
    return call_1(vm, N___iter__, self);
}

value generic_next(vm *vm, value self)
{
    value r = call_1(vm, N___next__, self);
    if (LIKELY(!value_is_error(r)) || !exc_matches(vm, EXC_StopIteration)) return r;
    /* One that carries a value stays raised: `yield from` wants it, obj_next drops it. */
    if (IS_EXC(vm->thread->exc) && AS(tuple, AS(exception, vm->thread->exc)->args)->len) return r;
    exc_clear(vm);
    return V_STOP;
}

int64_t generic_len(vm *vm, value self)
{
    value r = call_1(vm, N___len__, self);
    if (value_is_error(r)) return -1;
    r = obj_index(vm, r);
    if (value_is_error(r)) return -1;
    if (int_sign(vm, r) < 0) {
        raise_value_error(vm, "__len__() should return >= 0");
        return -1;
    }
    int64_t n;
    if (!int_to_i64(vm, r, &n)) {
        raise_overflow(vm, "cannot fit 'int' into an index-sized integer");
        return -1;
    }
    return n;
}

value generic_getitem(vm *vm, value self, value key) { return call_2(vm, N___getitem__, self, key); }

bool generic_setitem(vm *vm, value self, value key, value v)
{
    value r = value_is_unbound(v) ? call_2(vm, N___delitem__, self, key) : call_3(vm, N___setitem__, self, key, v);
    return !value_is_error(r);
}

int generic_contains(vm *vm, value self, value key)
{
    value f = find(vm, self, N___contains__);
    if (value_is_none(f)) {
        raise_type_error(vm, "'%T' object is not a container", self);
        return -1;
    }
    value r = call_2(vm, N___contains__, self, key);
    return value_is_error(r) ? -1 : obj_truth(vm, r);
}

int generic_truth(vm *vm, value self)
{
    value r = call_1(vm, N___bool__, self);
    if (value_is_error(r)) return -1;
    if (!value_is_bool(r)) {
        raise_type_error(vm, "__bool__ should return bool, returned %T", r);
        return -1;
    }
    return value_is(r, V_TRUE);
}

value generic_await(vm *vm, value self) { return call_1(vm, N___await__, self); }
value generic_aiter(vm *vm, value self) { return call_1(vm, N___aiter__, self); }
value generic_anext(vm *vm, value self) { return call_1(vm, N___anext__, self); }

/* ---- numbers ---- */

#define UNARY(FIELD, NAME) \
    value generic_##FIELD(vm *vm, value self) { return call_1(vm, N_##NAME, self); }
UNARY(neg, __neg__)
UNARY(pos, __pos__)
UNARY(abs, __abs__)
UNARY(invert, __invert__)
UNARY(int_, __int__)
UNARY(float_, __float__)
UNARY(index, __index__)
#undef UNARY

/* The reflected dunder of b, unless absent. Unbound without exception: absent. */
static value call_reflected(vm *vm, value b, value a, enum name_id rname)
{
    value f = find(vm, b, rname);
    if (value_is_unbound(f)) return raised(vm) ? V_ERROR : V_NOTIMPLEMENTED;
    value args[2] = {b, a};
    return dunder_call(vm, f, args, 2);
}

static value call_forward(vm *vm, value a, value b, enum name_id name)
{
    value f = find(vm, a, name);
    if (value_is_unbound(f)) return raised(vm) ? V_ERROR : V_NOTIMPLEMENTED;
    value args[2] = {a, b};
    return dunder_call(vm, f, args, 2);
}

/* Does b's class give the reflected dunder another meaning than a's class does? */
static bool is_overloaded(vm *vm, type *ta, type *tb, enum name_id rname)
{
    value fb = type_lookup(vm, tb, vm->names[rname]);
    if (value_is_unbound(fb)) return false;
    return !value_is(fb, type_lookup(vm, ta, vm->names[rname]));
}

static value binary(vm *vm, value a, value b, unsigned slot, slot_any self_fn, enum name_id name, enum name_id rname)
{
    type *ta = type_of(vm, a), *tb = type_of(vm, b);
    bool other = ta != tb && slot_get(tb, slot) == self_fn;
    if (slot_get(ta, slot) == self_fn) {
        if (other && type_is_subtype(tb, ta) && is_overloaded(vm, ta, tb, rname)) {
            ROOTS(vm, &a, &b);
            value r = call_reflected(vm, b, a, rname);
            if (!value_is(r, V_NOTIMPLEMENTED)) return r;
            other = false;
        }
        ROOTS(vm, &a, &b);
        value r = call_forward(vm, a, b, name);
        if (!value_is(r, V_NOTIMPLEMENTED) || !other) return r;
    }
    return other ? call_reflected(vm, b, a, rname) : V_NOTIMPLEMENTED;
}

#define BINARY(FIELD, NAME, RNAME)                                                                  \
    value generic_##FIELD(vm *vm, value a, value b)                                                 \
    {                                                                                               \
        return binary(vm, a, b, SLOT_INDEX(FIELD), (slot_any)generic_##FIELD, N_##NAME, N_##RNAME); \
    }
BINARY(add, __add__, __radd__)
BINARY(sub, __sub__, __rsub__)
BINARY(mul, __mul__, __rmul__)
BINARY(matmul, __matmul__, __rmatmul__)
BINARY(truediv, __truediv__, __rtruediv__)
BINARY(floordiv, __floordiv__, __rfloordiv__)
BINARY(mod, __mod__, __rmod__)
BINARY(divmod, __divmod__, __rdivmod__)
BINARY(lshift, __lshift__, __rlshift__)
BINARY(rshift, __rshift__, __rrshift__)
BINARY(and_, __and__, __rand__)
BINARY(or_, __or__, __ror__)
BINARY(xor, __xor__, __rxor__)
#undef BINARY

value generic_pow(vm *vm, value a, value b, value mod)
{
    if (value_is_none(mod)) return binary(vm, a, b, SLOT_INDEX(pow), (slot_any)generic_pow, N___pow__, N___rpow__);
    /* Three arguments: only the first one's class is asked. */
    if (type_of(vm, a)->s.pow != generic_pow) return V_NOTIMPLEMENTED;
    return call_3(vm, N___pow__, a, b, mod);
}

#define INPLACE(FIELD, NAME) \
    value generic_##FIELD(vm *vm, value a, value b) { return call_2(vm, N_##NAME, a, b); }
INPLACE(iadd, __iadd__)
INPLACE(isub, __isub__)
INPLACE(imul, __imul__)
INPLACE(imatmul, __imatmul__)
INPLACE(itruediv, __itruediv__)
INPLACE(ifloordiv, __ifloordiv__)
INPLACE(imod, __imod__)
INPLACE(ilshift, __ilshift__)
INPLACE(irshift, __irshift__)
INPLACE(iand, __iand__)
INPLACE(ior, __ior__)
INPLACE(ixor, __ixor__)
INPLACE(ipow, __ipow__)
#undef INPLACE
