/* The math module: functions of floats. Those of integers are in math_int.c, the numerical work
 * that libm does not do as CPython does in math_float.c.
 *
 * Errors follow one rule: a nan from arguments that are none is "math domain error"; an infinity
 * from finite arguments is "math range error" where the function overflows, else (a pole) a domain
 * error.
 */
#include "math_module.h"

#include "math_float.h"
#include "vm/float.h"
#include "vm/iter.h"
#include "vm/native.h"

#include <math.h>

#define DOC_FILE stdlib_math
DOC_BEGIN;

#define UNUSED (void)nargs, (void)kwnames

static value domain_error(vm *vm) { return raise_value_error(vm, "math domain error"); }

static value range_error(vm *vm) { return raise_overflow(vm, "math range error"); }

/* ---- functions of one argument ---- */

static value one(vm *vm, value arg, double (*fn)(double), bool overflows)
{
    double x;
    if (!float_as_double(vm, arg, &x)) return V_ERROR;
    double r = fn(x);
    if (isnan(r) && !isnan(x)) return domain_error(vm);
    if (isinf(r) && isfinite(x)) return overflows ? range_error(vm) : domain_error(vm);
    return value_float(r);
}

/* FN(name, libm function, overflows, doc) */
#define ONE_ARGUMENT(FN)                                                        \
    FN(acos, acos, false, "Return the arc cosine (measured in radians) of x.")  \
    FN(acosh, acosh, false, "Return the inverse hyperbolic cosine of x.")       \
    FN(asin, asin, false, "Return the arc sine (measured in radians) of x.")    \
    FN(asinh, asinh, false, "Return the inverse hyperbolic sine of x.")         \
    FN(atan, atan, false, "Return the arc tangent (measured in radians) of x.") \
    FN(atanh, atanh, false, "Return the inverse hyperbolic tangent of x.")      \
    FN(cbrt, cbrt, false, "Return the cube root of x.")                         \
    FN(cos, cos, false, "Return the cosine of x (measured in radians).")        \
    FN(cosh, cosh, true, "Return the hyperbolic cosine of x.")                  \
    FN(erf, erf, true, "Error function at x.")                                  \
    FN(erfc, erfc, true, "Complementary error function at x.")                  \
    FN(exp, exp, true, "Return e raised to the power of x.")                    \
    FN(exp2, exp2, true, "Return 2 raised to the power of x.")                  \
    FN(expm1, expm1, true, "Return exp(x)-1.")                                  \
    FN(fabs, fabs, false, "Return the absolute value of the float x.")          \
    FN(log1p, log1p, false, "Return the natural logarithm of 1+x (base e).")    \
    FN(sin, sin, false, "Return the sine of x (measured in radians).")          \
    FN(sinh, sinh, true, "Return the hyperbolic sine of x.")                    \
    FN(sqrt, sqrt, false, "Return the square root of x.")                       \
    FN(tan, tan, false, "Return the tangent of x (measured in radians).")       \
    FN(tanh, tanh, false, "Return the hyperbolic tangent of x.")

#define DEFINE(NAME, LIBM, OVERFLOWS, DOC)                                       \
    static value math_##NAME(vm *vm, value *args, uint32_t nargs, value kwnames) \
    {                                                                            \
        UNUSED;                                                                  \
        return one(vm, args[0], LIBM, OVERFLOWS);                                \
    }
ONE_ARGUMENT(DEFINE)

static value with_poles(vm *vm, value arg, double (*fn)(double, bool *))
{
    double x;
    bool pole;
    if (!float_as_double(vm, arg, &x)) return V_ERROR;
    double r = fn(x, &pole);
    if (pole) return domain_error(vm);
    return isinf(r) && isfinite(x) ? range_error(vm) : value_float(r);
}

static value m_gamma(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    return with_poles(vm, args[0], math_gamma);
}

static value m_lgamma(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    return with_poles(vm, args[0], math_lgamma);
}

static value m_degrees(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x;
    return float_as_double(vm, args[0], &x) ? value_float(x * (180.0 / M_PI)) : V_ERROR;
}

static value m_radians(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x;
    return float_as_double(vm, args[0], &x) ? value_float(x * (M_PI / 180.0)) : V_ERROR;
}

static value m_isfinite(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x;
    return float_as_double(vm, args[0], &x) ? value_bool(isfinite(x)) : V_ERROR;
}

static value m_isinf(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x;
    return float_as_double(vm, args[0], &x) ? value_bool(isinf(x)) : V_ERROR;
}

static value m_isnan(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x;
    return float_as_double(vm, args[0], &x) ? value_bool(isnan(x)) : V_ERROR;
}

static value m_ulp(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x;
    if (!float_as_double(vm, args[0], &x)) return V_ERROR;
    x = fabs(x);
    if (!isfinite(x)) return value_float(x);
    double up = nextafter(x, INFINITY);
    return value_float(isinf(up) ? x - nextafter(x, -INFINITY) : up - x);
}

static value float_pair(vm *vm, value a, value b)
{
    tuple *t = tuple_pack(vm, 2, a, b);
    return t ? value_obj(t) : V_ERROR;
}

static value m_frexp(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x;
    int e = 0;
    if (!float_as_double(vm, args[0], &x)) return V_ERROR;
    if (isfinite(x)) x = frexp(x, &e);
    return float_pair(vm, value_float(x), value_int(x == 0 ? 0 : e));
}

static value m_modf(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x, whole;
    if (!float_as_double(vm, args[0], &x)) return V_ERROR;
    double frac = modf(x, &whole);
    return float_pair(vm, value_float(frac), value_float(whole));
}

/* ---- logarithms: of ints beyond the floats too ---- */

static value log_of(vm *vm, value v, double (*fn)(double))
{
    double x;
    if (int_is(v)) {
        v = int_plain(vm, v);
        if (int_sign(vm, v) <= 0) return domain_error(vm);
        if (big_to_double(vm, v, &x)) return value_float(fn(x));
        /* v = m * 2**e with m in [0.5, 1) */
        int64_t e = (int64_t)int_bit_length(v);
        v = int_shift(vm, v, value_int(e - 64), false);
        if (value_is_error(v)) return V_ERROR;
        big_to_double(vm, v, &x);
        x = ldexp(x, -64);
        return value_float(fn(x) + fn(2.0) * (double)e);
    }
    if (!float_as_double(vm, v, &x)) return V_ERROR;
    if (x <= 0) return domain_error(vm);
    return value_float(fn(x)); /* of inf and nan as they are */
}

static value m_log(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    if (!value_is_unbound(kwnames)) return raise_type_error(vm, "math.log() takes no keyword arguments");
    if (nargs < 1 || nargs > 2) return raise_type_error(vm, "math.log requires 1 to 2 arguments");
    value num = log_of(vm, args[0], log);
    if (nargs == 1 || value_is_error(num)) return num;
    value den = log_of(vm, args[1], log);
    if (value_is_error(den)) return V_ERROR;
    if (value_as_float(den) == 0) return raise(vm, EXC_ZeroDivisionError, "float division by zero");
    return value_float(value_as_float(num) / value_as_float(den));
}

static value m_log2(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    return log_of(vm, args[0], log2);
}

static value m_log10(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    return log_of(vm, args[0], log10);
}

/* ---- functions of two arguments ---- */

static bool two(vm *vm, value *args, double *x, double *y)
{
    return float_as_double(vm, args[0], x) && float_as_double(vm, args[1], y);
}

static value m_atan2(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double y, x;
    return two(vm, args, &y, &x) ? value_float(atan2(y, x)) : V_ERROR;
}

static value m_copysign(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x, y;
    return two(vm, args, &x, &y) ? value_float(copysign(x, y)) : V_ERROR;
}

static value m_nextafter(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x, y;
    return two(vm, args, &x, &y) ? value_float(nextafter(x, y)) : V_ERROR;
}

static value m_fmod(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x, y;
    if (!two(vm, args, &x, &y)) return V_ERROR;
    double r = fmod(x, y);
    return isnan(r) && !isnan(x) && !isnan(y) ? domain_error(vm) : value_float(r);
}

static value m_remainder(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x, y;
    if (!two(vm, args, &x, &y)) return V_ERROR;
    double r = remainder(x, y);
    return isnan(r) && !isnan(x) && !isnan(y) ? domain_error(vm) : value_float(r);
}

static value m_pow(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x, y;
    if (!two(vm, args, &x, &y)) return V_ERROR;
    double r = pow(x, y);
    if (isfinite(x) && isfinite(y)) {
        if (isnan(r)) return domain_error(vm);
        if (isinf(r)) return x == 0 ? domain_error(vm) : range_error(vm);
    }
    return value_float(r);
}

static value m_ldexp(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double x;
    int64_t e;
    if (!float_as_double(vm, args[0], &x)) return V_ERROR;
    if (!int_is(args[1])) return raise_type_error(vm, "Expected an int as second argument to ldexp.");
    if (!int_to_i64(vm, args[1], &e)) e = int_sign(vm, args[1]) < 0 ? INT64_MIN : INT64_MAX;
    if (x == 0 || !isfinite(x)) return value_float(x);
    double r = ldexp(x, e > 5000 ? 5000 : e < -5000 ? -5000 : (int)e);
    return isinf(r) ? range_error(vm) : value_float(r);
}

static value m_isclose(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    double a, b, rel = 1e-09, abs = 0;
    if (!two(vm, args, &a, &b) || (!value_is_unbound(args[2]) && !float_as_double(vm, args[2], &rel)) ||
        (!value_is_unbound(args[3]) && !float_as_double(vm, args[3], &abs)))
        return V_ERROR;
    if (rel < 0 || abs < 0) return raise_value_error(vm, "tolerances must be non-negative");
    if (a == b) return V_TRUE;
    if (isinf(a) || isinf(b)) return V_FALSE;
    double diff = fabs(b - a);
    return value_bool(diff <= fabs(rel * b) || diff <= fabs(rel * a) || diff <= abs);
}

/* ---- rounding to int ---- */

/* By the named dunder if it is there, else of the number as a float. */
static value to_int(vm *vm, value v, str *dunder, double (*fn)(double))
{
    double x;
    if (value_is_float(v)) return int_from_double(vm, fn(value_as_float(v)));
    if (value_is_int(v)) return v;
    ROOTS(vm, &v);
    value m = type_lookup_special(vm, v, dunder);
    if (raised(vm)) return V_ERROR;
    if (!value_is_unbound(m)) return vm_call0(vm, m);
    if (!float_as_double(vm, v, &x)) return V_ERROR;
    return int_from_double(vm, fn(x));
}

static value m_floor(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    return to_int(vm, args[0], N(vm, __floor__), floor);
}

static value m_ceil(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    return to_int(vm, args[0], N(vm, __ceil__), ceil);
}

static value m_trunc(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    if (value_is_float(args[0])) return int_from_double(vm, value_as_float(args[0]));
    value m = type_lookup_special(vm, args[0], N(vm, __trunc__));
    if (raised(vm)) return V_ERROR;
    if (value_is_unbound(m)) return raise_type_error(vm, "type %T doesn't define __trunc__ method", args[0]);
    return vm_call0(vm, m);
}

/* ---- sums and norms ---- */

static value m_fsum(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    struct math_sum sum = {0};
    double special = 0, infinities = 0; /* the sums of what is not finite, and of the infinities */
    bool any_special = false;
    value it = obj_iter(vm, args[0]);
    if (value_is_error(it)) return V_ERROR;
    ROOTS(vm, &it);
    for (;;) {
        double x;
        value v = iter_step_near(vm, it);
        if (v.bits == V_STOP.bits) break;
        if (LIKELY(value_is_float(v))) x = value_as_float(v);
        else if (value_is_error(v) || !float_as_double(vm, v, &x)) return V_ERROR;
        if (!isfinite(x)) {
            any_special = true;
            infinities += isinf(x) ? x : 0;
            special += x;
        } else {
            math_sum_add(&sum, x);
            if (math_sum_overflows(&sum)) /* CPython gives up here, even if it comes back */
                return raise_overflow(vm, "intermediate overflow in fsum");
        }
        if (!vm_tick(vm, 4)) return V_ERROR;
    }
    if (any_special) return isnan(infinities) ? raise_value_error(vm, "-inf + inf in fsum") : value_float(special);
    double r = math_sum_round(&sum);
    return isinf(r) ? raise_overflow(vm, "intermediate overflow in fsum") : value_float(r);
}

/* Reads n numbers, subtracting those of `other` if there are any, and takes the norm. Both are
 * rooted by the caller, and tuples or arguments: their length can't change. */
static value norm_of(vm *vm, const value *items, const value *other, size_t n)
{
    double small[16], *v = small;
    if (n > 16 && !(v = mem_alloc(vm, n * sizeof *v))) return V_ERROR;
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        double y = 0;
        ok = float_as_double(vm, items[i], &v[i]) && (!other || float_as_double(vm, other[i], &y));
        v[i] -= y;
    }
    double r = ok ? math_norm(v, n) : 0;
    if (v != small) mem_free(vm, v, n * sizeof *v);
    return ok ? value_float(r) : V_ERROR;
}

static value m_hypot(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    if (!value_is_unbound(kwnames)) return raise_type_error(vm, "math.hypot() takes no keyword arguments");
    return norm_of(vm, args, NULL, nargs);
}

static value m_dist(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    tuple *p = obj_to_tuple(vm, args[0]), *q = NULL;
    ROOTS(vm, &p, &q);
    if (!p || !(q = obj_to_tuple(vm, args[1]))) return V_ERROR;
    if (p->len != q->len) return raise_value_error(vm, "both points must have the same number of dimensions");
    return norm_of(vm, p->items, q->items, p->len);
}

/* ---- the module ---- */

static const native_def float_functions[] = {
#define ROW(NAME, LIBM, OVERFLOWS, DOC) {#NAME "(x, /)", math_##NAME, DOC, 0},
    ONE_ARGUMENT(ROW){"atan2(y, x, /)", m_atan2, DOC("Return the arc tangent (measured in radians) of y/x."), 0},
    {"ceil(x, /)", m_ceil, DOC("Return the ceiling of x as an Integral."), 0},
    {"copysign(x, y, /)", m_copysign, DOC("Return a float with the magnitude (absolute value) of x but the sign of y."),
     0},
    {"degrees(x, /)", m_degrees, DOC("Convert angle x from radians to degrees."), 0},
    {"dist(p, q, /)", m_dist, DOC("Return the Euclidean distance between two points p and q."), 0},
    {"floor(x, /)", m_floor, DOC("Return the floor of x as an Integral."), 0},
    {"fmod(x, y, /)", m_fmod, DOC("Return fmod(x, y), according to platform C."), 0},
    {"frexp(x, /)", m_frexp, DOC("Return the mantissa and exponent of x, as pair (m, e)."), 0},
    {"fsum(seq, /)", m_fsum, DOC("Return an accurate floating point sum of values in the iterable seq."), 0},
    {"gamma(x, /)", m_gamma, DOC("Gamma function at x."), 0},
    {"hypot(*coordinates)", m_hypot, DOC("Multidimensional Euclidean distance from the origin to a point."),
     NATIVE_RAW},
    {"isclose(a, b, *, rel_tol=1e-09, abs_tol=0.0)", m_isclose,
     DOC("Determine whether two floating point numbers are close in value."), 0},
    {"isfinite(x, /)", m_isfinite, DOC("Return True if x is neither an infinity nor a NaN, and False otherwise."), 0},
    {"isinf(x, /)", m_isinf, DOC("Return True if x is a positive or negative infinity, and False otherwise."), 0},
    {"isnan(x, /)", m_isnan, DOC("Return True if x is a NaN (not a number), and False otherwise."), 0},
    {"ldexp(x, i, /)", m_ldexp, DOC("Return x * (2**i)."), 0},
    {"lgamma(x, /)", m_lgamma, DOC("Natural logarithm of absolute value of Gamma function at x."), 0},
    {"log(*args)", m_log, DOC("Return the logarithm of x to the given base (e by default)."), NATIVE_RAW},
    {"log10(x, /)", m_log10, DOC("Return the base 10 logarithm of x."), 0},
    {"log2(x, /)", m_log2, DOC("Return the base 2 logarithm of x."), 0},
    {"modf(x, /)", m_modf, DOC("Return the fractional and integer parts of x."), 0},
    {"nextafter(x, y, /)", m_nextafter, DOC("Return the next floating-point value after x towards y."), 0},
    {"pow(x, y, /)", m_pow, DOC("Return x**y (x to the power of y)."), 0},
    {"radians(x, /)", m_radians, DOC("Convert angle x from degrees to radians."), 0},
    {"remainder(x, y, /)", m_remainder, DOC("Difference between x and the closest integer multiple of y."), 0},
    {"trunc(x, /)", m_trunc, DOC("Truncates the Real x to the nearest Integral toward 0."), 0},
    {"ulp(x, /)", m_ulp, DOC("Return the value of the least significant bit of the float x."), 0},
    {0},
};

bool math_init(vm *vm, module *m)
{
    return module_add_natives(vm, m, float_functions) && module_add_natives(vm, m, math_int_functions) &&
           module_add(vm, m, "pi", value_float(M_PI)) && module_add(vm, m, "e", value_float(M_E)) &&
           module_add(vm, m, "tau", value_float(2 * M_PI)) && module_add(vm, m, "inf", value_float(INFINITY)) &&
           module_add(vm, m, "nan", value_float(NAN));
}
