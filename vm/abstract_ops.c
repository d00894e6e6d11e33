/* Operators on any two values: which operand's type is asked first, and what is said when neither
 * knows.
 *
 * As in CPython: if the right operand's type is a proper subclass of the left one's and has a
 * function of its own, it is asked first; then the left, then the right. + and * then try the
 * sequence slots.
 */
#include "attr.h"
#include "slot_table.h"
#include "types_api.h"

static const char *const binary_symbols[OPR_COUNT] = {"+",        "-",  "*",  "@", "/", "//", "%",
                                                      "divmod()", "<<", ">>", "&", "|", "^",  "** or pow()"};

/* Slot of each operator; the in-place one: 0 if there is none. */
static const uint8_t binary_slot[OPR_COUNT] = {
    SLOT_INDEX(add),      SLOT_INDEX(sub), SLOT_INDEX(mul),    SLOT_INDEX(matmul), SLOT_INDEX(truediv),
    SLOT_INDEX(floordiv), SLOT_INDEX(mod), SLOT_INDEX(divmod), SLOT_INDEX(lshift), SLOT_INDEX(rshift),
    SLOT_INDEX(and_),     SLOT_INDEX(or_), SLOT_INDEX(xor),    SLOT_INDEX(pow)};
static const uint8_t inplace_slot[OPR_COUNT] = {
    SLOT_INDEX(iadd),     SLOT_INDEX(isub),      SLOT_INDEX(imul), SLOT_INDEX(imatmul),
    SLOT_INDEX(itruediv), SLOT_INDEX(ifloordiv), SLOT_INDEX(imod), 0,
    SLOT_INDEX(ilshift),  SLOT_INDEX(irshift),   SLOT_INDEX(iand), SLOT_INDEX(ior),
    SLOT_INDEX(ixor),     SLOT_INDEX(ipow)};

static inline value call_slot(vm *vm, unsigned slot, slot_any f, value a, value b)
{
    if (UNLIKELY(slot == SLOT_INDEX(pow))) return ((ternary_fn)f)(vm, a, b, V_NONE);
    return ((binary_fn)f)(vm, a, b);
}

/* The number slots of both operands: V_NOTIMPLEMENTED if neither can. */
static value number_op(vm *vm, unsigned slot, value a, value b)
{
    type *ta = type_of(vm, a), *tb = type_of(vm, b);
    slot_any fa = slot_get(ta, slot), fb = ta == tb ? NULL : slot_get(tb, slot);
    if (fb == fa) fb = NULL;
    if (fa) {
        if (fb && type_is_subtype(tb, ta)) {
            value r = call_slot(vm, slot, fb, a, b);
            if (!value_is(r, V_NOTIMPLEMENTED)) return r;
            fb = NULL;
        }
        value r = call_slot(vm, slot, fa, a, b);
        if (!value_is(r, V_NOTIMPLEMENTED)) return r;
    }
    return fb ? call_slot(vm, slot, fb, a, b) : V_NOTIMPLEMENTED;
}

static value repeat(vm *vm, value seq, value count)
{
    if (!int_is(count) && !type_of(vm, count)->s.index)
        return raise_type_error(vm, "can't multiply sequence by non-int of type '%T'", count);
    value n = obj_index(vm, count);
    return value_is_error(n) ? n : type_of(vm, seq)->s.repeat(vm, seq, n);
}

/* What + and * mean for sequences. */
static value sequence_op(vm *vm, enum binary_op op, value a, value b)
{
    if (op == OPR_ADD && type_of(vm, a)->s.concat) return type_of(vm, a)->s.concat(vm, a, b);
    if (op == OPR_MUL) {
        if (type_of(vm, a)->s.repeat) return repeat(vm, a, b);
        if (type_of(vm, b)->s.repeat) return repeat(vm, b, a);
    }
    return V_NOTIMPLEMENTED;
}

static value binary_fail(vm *vm, enum binary_op op, const char *suffix, value a, value b)
{
    if (op == OPR_RSHIFT && !*suffix && value_is_exact(a, TYPE_NATIVE) && AS(native, a)->owner == NULL &&
        AS(str, AS(native, a)->name)->len == 5 && !memcmp(AS(str, AS(native, a)->name)->data, "print", 5))
        return raise_type_error(vm,
                                "unsupported operand type(s) for >>: '%T' and '%T'. Did you mean "
                                "\"print(<message>, file=<output_stream>)\"?",
                                a, b);
    if (op == OPR_POW && *suffix)
        return raise_type_error(vm, "unsupported operand type(s) for **=: '%T' and '%T'", a, b);
    return raise_type_error(vm, "unsupported operand type(s) for %s%s: '%T' and '%T'", binary_symbols[op], suffix, a,
                            b);
}

/* What needs neither slots nor roots; V_NOTIMPLEMENTED: anything else. */
static inline value binary_fast(vm *vm, enum binary_op op, value a, value b)
{
    if (value_both_int(a, b)) {
        if (op == OPR_ADD) return int_from_i64(vm, value_as_int(a) + value_as_int(b));
        if (op == OPR_SUB) return int_from_i64(vm, value_as_int(a) - value_as_int(b));
        return op == OPR_MUL || op == OPR_FLOORDIV || op == OPR_MOD ? int_binary(vm, op, a, b) : V_NOTIMPLEMENTED;
    }
    if (value_is_float(a) && value_is_float(b)) {
        if (op == OPR_ADD) return value_float_arith(value_as_float(a) + value_as_float(b));
        if (op == OPR_SUB) return value_float_arith(value_as_float(a) - value_as_float(b));
        if (op == OPR_MUL) return value_float_arith(value_as_float(a) * value_as_float(b));
    }
    return V_NOTIMPLEMENTED;
}

value obj_binary(vm *vm, enum binary_op op, value a, value b)
{
    value fast = binary_fast(vm, op, a, b);
    if (fast.bits != V_NOTIMPLEMENTED.bits) return fast;
    ROOTS(vm, &a, &b);
    value r = number_op(vm, binary_slot[op], a, b);
    if (LIKELY(!value_is(r, V_NOTIMPLEMENTED))) return r;
    r = sequence_op(vm, op, a, b);
    return value_is(r, V_NOTIMPLEMENTED) ? binary_fail(vm, op, "", a, b) : r;
}

value obj_inplace(vm *vm, enum binary_op op, value a, value b)
{
    ROOTS(vm, &a, &b);
    value r;
    if (inplace_slot[op]) {
        slot_any f = slot_get(type_of(vm, a), inplace_slot[op]);
        if (f) {
            r = ((binary_fn)f)(vm, a, b);
            if (!value_is(r, V_NOTIMPLEMENTED)) return r;
        }
    }
    r = number_op(vm, binary_slot[op], a, b);
    if (!value_is(r, V_NOTIMPLEMENTED)) return r;
    r = sequence_op(vm, op, a, b);
    return value_is(r, V_NOTIMPLEMENTED) ? binary_fail(vm, op, "=", a, b) : r;
}

value obj_pow3(vm *vm, value a, value b, value mod)
{
    if (value_is_none(mod) || value_is_unbound(mod)) return obj_binary(vm, OPR_POW, a, b);
    type *ta = type_of(vm, a), *tb = type_of(vm, b), *tm = type_of(vm, mod);
    ternary_fn fa = ta->s.pow, fb = tb == ta ? NULL : tb->s.pow, fm = tm->s.pow;
    if (fb == fa) fb = NULL;
    if (fm == fa || fm == fb) fm = NULL;
    ROOTS(vm, &a, &b, &mod);
    value r = V_NOTIMPLEMENTED;
    if (fa && fb && type_is_subtype(tb, ta)) {
        r = fb(vm, a, b, mod);
        fb = NULL;
    }
    if (fa && value_is(r, V_NOTIMPLEMENTED)) r = fa(vm, a, b, mod);
    if (fb && value_is(r, V_NOTIMPLEMENTED)) r = fb(vm, a, b, mod);
    if (fm && value_is(r, V_NOTIMPLEMENTED)) r = fm(vm, a, b, mod);
    if (!value_is(r, V_NOTIMPLEMENTED)) return r;
    return raise_type_error(vm, "unsupported operand type(s) for ** or pow(): '%T', '%T', '%T'", a, b, mod);
}

value obj_unary(vm *vm, enum unary_op op, value a)
{
    static const char *const symbols[] = {"-", "+", "~"};
    static const uint8_t slots[] = {SLOT_INDEX(neg), SLOT_INDEX(pos), SLOT_INDEX(invert)};
    if (op == OPR_NOT) {
        int t = obj_truth(vm, a);
        return t < 0 ? V_ERROR : value_bool(!t);
    }
    slot_any f = slot_get(type_of(vm, a), slots[op]);
    if (f) return ((unary_fn)f)(vm, a);
    return raise_type_error(vm, "bad operand type for unary %s: '%T'", symbols[op], a);
}
