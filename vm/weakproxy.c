/* weakref.proxy objects: every operation is passed on to the target, while there is one. */
#include "attr.h"
#include "slot_table.h"
#include "types_api.h"
#include "weakref.h"

/* The target of a proxy, or v itself; unbound: raised, the target is gone. */
static value unwrap(vm *vm, value v)
{
    if (!value_is_exact(v, TYPE_WEAKPROXY) && !value_is_exact(v, TYPE_CALLABLE_PROXY)) return v;
    object *o = AS(weakref, v)->target;
    if (o) return value_obj(o);
    return raise(vm, EXC_ReferenceError, "weakly-referenced object no longer exists");
}

#define TARGET(V, ON_ERROR)                 \
    value o = unwrap(vm, V);                \
    if (value_is_error(o)) return ON_ERROR; \
    ROOTS(vm, &o)

static value proxy_getattr(vm *vm, value v, value name)
{
    TARGET(v, V_ERROR);
    return obj_getattr(vm, o, AS(str, name));
}
static bool proxy_setattr(vm *vm, value v, value name, value x)
{
    TARGET(v, false);
    return obj_setattr(vm, o, AS(str, name), x);
}
static value proxy_call(vm *vm, value v, value *args, uint32_t nargs, value kwnames)
{
    TARGET(v, V_ERROR);
    return vm_call_kw(vm, o, args, nargs, kwnames);
}
static value proxy_str(vm *vm, value v)
{
    TARGET(v, V_ERROR);
    str *s = obj_str(vm, o);
    return s ? value_obj(s) : V_ERROR;
}
static value proxy_repr(vm *vm, value v)
{
    char a[20], b[20];
    object *o = AS(weakref, v)->target;
    value t = o ? value_obj(o) : V_NONE;
    str *s = str_format(vm, "<weakproxy at %s to %T at %s>", address_text(value_as_obj(v), a), t, address_text(o, b));
    return s ? value_obj(s) : V_ERROR;
}
static value proxy_compare(vm *vm, value a, value b, enum compare_op op)
{
    value x = unwrap(vm, a), y = value_is_error(x) ? x : unwrap(vm, b);
    if (value_is_error(y)) return V_ERROR;
    ROOTS(vm, &x, &y);
    return obj_compare(vm, x, y, op);
}
static value proxy_iter(vm *vm, value v)
{
    TARGET(v, V_ERROR);
    return obj_iter(vm, o);
}
static value proxy_next(vm *vm, value v)
{
    TARGET(v, V_ERROR);
    if (!type_of(vm, o)->s.next) return raise_type_error(vm, "Weakref proxy referenced a non-iterator '%T' object", o);
    return obj_next(vm, o);
}
static int64_t proxy_len(vm *vm, value v)
{
    TARGET(v, -1);
    return obj_len(vm, o);
}
static value proxy_getitem(vm *vm, value v, value key)
{
    TARGET(v, V_ERROR);
    return obj_getitem(vm, o, key);
}
static bool proxy_setitem(vm *vm, value v, value key, value x)
{
    TARGET(v, false);
    return obj_setitem(vm, o, key, x);
}
static int proxy_contains(vm *vm, value v, value key)
{
    TARGET(v, -1);
    return obj_contains(vm, o, key);
}
static int proxy_truth(vm *vm, value v)
{
    TARGET(v, -1);
    return obj_truth(vm, o);
}

static value proxy_binary(vm *vm, value (*operate)(struct vm *, enum binary_op, value, value), enum binary_op op,
                          value a, value b)
{
    value x = unwrap(vm, a), y = value_is_error(x) ? x : unwrap(vm, b);
    if (value_is_error(y)) return V_ERROR;
    ROOTS(vm, &x, &y);
    return operate(vm, op, x, y);
}
/* X(slot, in-place slot, operator) */
// clang-format off
#define BINARIES(X)                     \
    X(add, iadd, OPR_ADD)               \
    X(sub, isub, OPR_SUB)               \
    X(mul, imul, OPR_MUL)               \
    X(matmul, imatmul, OPR_MATMUL)      \
    X(truediv, itruediv, OPR_TRUEDIV)   \
    X(floordiv, ifloordiv, OPR_FLOORDIV) \
    X(mod, imod, OPR_MOD)               \
    X(lshift, ilshift, OPR_LSHIFT)      \
    X(rshift, irshift, OPR_RSHIFT)      \
    X(and_, iand, OPR_AND)              \
    X(or_, ior, OPR_OR)                 \
    X(xor, ixor, OPR_XOR)
// clang-format on
#define PROXY(SLOT, OPERATE, OP) \
    static value proxy_##SLOT(vm *vm, value a, value b) { return proxy_binary(vm, OPERATE, OP, a, b); }
#define BOTH(SLOT, INPLACE, OP) PROXY(SLOT, obj_binary, OP) PROXY(INPLACE, obj_inplace, OP)
BINARIES(BOTH)
PROXY(divmod, obj_binary, OPR_DIVMOD)
PROXY(ipow, obj_inplace, OPR_POW)
#undef BOTH
#undef PROXY

static value proxy_pow(vm *vm, value a, value b, value mod)
{
    value x = unwrap(vm, a), y = value_is_error(x) ? x : unwrap(vm, b), m = value_is_error(y) ? y : unwrap(vm, mod);
    if (value_is_error(m)) return V_ERROR;
    ROOTS(vm, &x, &y, &m);
    return obj_pow3(vm, x, y, m);
}

#define UNARY(FIELD, OP)                        \
    static value proxy_##FIELD(vm *vm, value v) \
    {                                           \
        TARGET(v, V_ERROR);                     \
        return obj_unary(vm, OP, o);            \
    }
UNARY(neg, OPR_NEG)
UNARY(pos, OPR_POS)
UNARY(invert, OPR_INVERT)
#undef UNARY

/* Operations that builtins stand for: the function of that name is called with the target. */
static value call_builtin(vm *vm, const char *name, value v)
{
    TARGET(v, V_ERROR);
    str *s = str_intern_utf8(vm, name, strlen(name));
    value f = s ? dict_get_str(vm, vm->builtins, s) : V_ERROR;
    if (value_is_error(f)) return V_ERROR;
    return vm_call1(vm, f, o);
}
static value proxy_abs(vm *vm, value v) { return call_builtin(vm, "abs", v); }
static value proxy_int(vm *vm, value v) { return call_builtin(vm, "int", v); }
static value proxy_float(vm *vm, value v) { return call_builtin(vm, "float", v); }
static value proxy_index(vm *vm, value v)
{
    TARGET(v, V_ERROR);
    return obj_index(vm, o);
}

static value proxy_reversed(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    TARGET(args[0], V_ERROR);
    return vm_call1(vm, value_obj(T(vm, REVERSED)), o);
}
static value proxy_bytes(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    TARGET(args[0], V_ERROR);
    return vm_call_method(vm, o, N(vm, __bytes__), NULL, 0);
}
static const native_def proxy_methods[] = {
    {"__reversed__(self, /)", proxy_reversed, NULL, 0},
    {"__bytes__(self, /)", proxy_bytes, NULL, 0},
    {0},
};

static void fill(type *t)
{
    t->methods = proxy_methods;
    t->s.getattr = proxy_getattr;
    t->s.setattr = proxy_setattr;
    t->s.str_ = proxy_str;
    t->s.repr = proxy_repr;
    t->s.compare = proxy_compare;
    t->s.hash = slot_unhashable;
    t->s.iter = proxy_iter;
    t->s.next = proxy_next;
    t->s.len = proxy_len;
    t->s.getitem = proxy_getitem;
    t->s.setitem = proxy_setitem;
    t->s.contains = proxy_contains;
    t->s.truth = proxy_truth;
    t->s.neg = proxy_neg;
    t->s.pos = proxy_pos;
    t->s.invert = proxy_invert;
    t->s.abs = proxy_abs;
    t->s.int_ = proxy_int;
    t->s.float_ = proxy_float;
    t->s.index = proxy_index;
    t->s.pow = proxy_pow;
#define FILL(SLOT, INPLACE, OP) \
    t->s.SLOT = proxy_##SLOT;   \
    t->s.INPLACE = proxy_##INPLACE;
    BINARIES(FILL)
#undef FILL
    t->s.divmod = proxy_divmod;
    t->s.ipow = proxy_ipow;
}

void weakproxy_init(vm *vm)
{
    fill(T(vm, WEAKPROXY));
    fill(T(vm, CALLABLE_PROXY));
    T(vm, CALLABLE_PROXY)->s.call = proxy_call;
}
