/* The module cmath: functions of complex numbers, by C's.
 *
 * Errors: a nan from arguments without one is "math domain error", an infinity from finite arguments "math range
 * error", at a pole (log(0), atanh(1)) a domain error.
 */
#include "module_state.h"

#include "vm/builtins.h"
#include "vm/float.h"
#include "vm/import.h"
#include "vm/object.h"
#include "vm/types_api.h"

#include <complex.h>
#include <math.h>

#define DOC_FILE stdlib_mod_cmath
DOC_BEGIN;

#ifndef CMPLX /* glibc's is for gcc only */
#define CMPLX(RE, IM) __builtin_complex((double)(RE), (double)(IM))
#endif

typedef double complex number;

static bool read_number(vm *vm, value v, number *out)
{
    double re, im;
    if (!complex_from_number(vm, v, &re, &im)) return false;
    *out = CMPLX(re, im);
    return true;
}

static value make_number(vm *vm, number z) { return complex_new(vm, creal(z), cimag(z)); }

static bool has_nan(number z) { return isnan(creal(z)) || isnan(cimag(z)); }
static bool is_finite(number z) { return isfinite(creal(z)) && isfinite(cimag(z)); }

static value result(vm *vm, number z, number r, bool pole)
{
    if (has_nan(r) && !has_nan(z)) return raise_value_error(vm, "math domain error");
    if (!is_finite(r) && is_finite(z))
        return pole ? raise_value_error(vm, "math domain error") : raise_overflow(vm, "math range error");
    return make_number(vm, r);
}

#define FUNCTION(NAME, EXPR, POLE)                                                 \
    FN(c_##NAME)                                                                   \
    {                                                                              \
        number z;                                                                  \
        return read_number(vm, args[0], &z) ? result(vm, z, EXPR, POLE) : V_ERROR; \
    }
FUNCTION(acos, cacos(z), false)
FUNCTION(acosh, cacosh(z), false)
FUNCTION(asin, casin(z), false)
FUNCTION(asinh, casinh(z), false)
FUNCTION(atan, catan(z), true)
FUNCTION(atanh, catanh(z), true)
FUNCTION(cos, ccos(z), false)
FUNCTION(cosh, ccosh(z), false)
FUNCTION(exp, cexp(z), false)
FUNCTION(sin, csin(z), false)
FUNCTION(sinh, csinh(z), false)
FUNCTION(sqrt, csqrt(z), false)
FUNCTION(tan, ctan(z), false)
FUNCTION(tanh, ctanh(z), false)
/* hypot() and log1p() keep the digits that clog() of a number near the unit circle loses. */
static number log_of(number z)
{
    double x = fabs(creal(z)), y = fabs(cimag(z)), h = hypot(x, y), re = log(h);
    if (h > 0.71 && h < 1.73) {
        double big = fmax(x, y), small = fmin(x, y);
        re = log1p((big - 1) * (big + 1) + small * small) / 2;
    } else if (isinf(h) && isfinite(x) && isfinite(y)) {
        re = log(hypot(x / 2, y / 2)) + log(2.0);
    }
    return CMPLX(re, atan2(cimag(z), creal(z)));
}
FUNCTION(log10, CMPLX(creal(log_of(z)) / log(10.0), cimag(log_of(z)) / log(10.0)), true)

FN(c_log)
{
    number z, base, a, b;
    if (!read_number(vm, args[0], &z)) return V_ERROR;
    a = log_of(z);
    if (value_is_unbound(args[1])) return result(vm, z, a, true);
    if (!read_number(vm, args[1], &base)) return V_ERROR;
    b = log_of(base);
    if (isinf(creal(a)) && is_finite(z)) return raise_value_error(vm, "math domain error");
    if (isinf(creal(b)) && is_finite(base)) return raise_value_error(vm, "math domain error");
    if (b == 0) return raise_value_error(vm, "math domain error");
    return make_number(vm, a / b);
}

FN(c_phase)
{
    number z;
    return read_number(vm, args[0], &z) ? value_float(atan2(cimag(z), creal(z))) : V_ERROR;
}

FN(c_polar)
{
    number z;
    if (!read_number(vm, args[0], &z)) return V_ERROR;
    double r = hypot(creal(z), cimag(z));
    if (isinf(r) && is_finite(z)) return raise_overflow(vm, "math range error");
    tuple *t = tuple_pack(vm, 2, value_float(r), value_float(atan2(cimag(z), creal(z))));
    return t ? value_obj(t) : V_ERROR;
}

FN(c_rect)
{
    double r, phi;
    if (!float_as_double(vm, args[0], &r) || !float_as_double(vm, args[1], &phi)) return V_ERROR;
    if (isinf(phi) && r != 0 && !isnan(r)) return raise_value_error(vm, "math domain error");
    if (phi == 0) return complex_new(vm, r, r * phi); /* keeps the sign of zero */
    return complex_new(vm, r * cos(phi), r * sin(phi));
}

FN(c_isfinite)
{
    number z;
    return read_number(vm, args[0], &z) ? value_bool(is_finite(z)) : V_ERROR;
}
FN(c_isinf)
{
    number z;
    return read_number(vm, args[0], &z) ? value_bool(isinf(creal(z)) || isinf(cimag(z))) : V_ERROR;
}
FN(c_isnan)
{
    number z;
    return read_number(vm, args[0], &z) ? value_bool(has_nan(z)) : V_ERROR;
}

FN(c_isclose)
{
    number a, b;
    double rel = 1e-9, abs_ = 0;
    if (!read_number(vm, args[0], &a) || !read_number(vm, args[1], &b)) return V_ERROR;
    if (!value_is_unbound(args[2]) && !float_as_double(vm, args[2], &rel)) return V_ERROR;
    if (!value_is_unbound(args[3]) && !float_as_double(vm, args[3], &abs_)) return V_ERROR;
    if (rel < 0 || abs_ < 0) return raise_value_error(vm, "tolerances must be non-negative");
    if (creal(a) == creal(b) && cimag(a) == cimag(b)) return V_TRUE;
    if (isinf(creal(a)) || isinf(cimag(a)) || isinf(creal(b)) || isinf(cimag(b))) return V_FALSE;
    double diff = cabs(a - b);
    return value_bool(diff <= rel * cabs(b) || diff <= rel * cabs(a) || diff <= abs_);
}

static const native_def functions[] = {
    {"acos(z, /)", c_acos, DOC("Return the arc cosine of z."), 0},
    {"acosh(z, /)", c_acosh, DOC("Return the inverse hyperbolic cosine of z."), 0},
    {"asin(z, /)", c_asin, DOC("Return the arc sine of z."), 0},
    {"asinh(z, /)", c_asinh, DOC("Return the inverse hyperbolic sine of z."), 0},
    {"atan(z, /)", c_atan, DOC("Return the arc tangent of z."), 0},
    {"atanh(z, /)", c_atanh, DOC("Return the inverse hyperbolic tangent of z."), 0},
    {"cos(z, /)", c_cos, DOC("Return the cosine of z."), 0},
    {"cosh(z, /)", c_cosh, DOC("Return the hyperbolic cosine of z."), 0},
    {"exp(z, /)", c_exp, DOC("Return the exponential value e**z."), 0},
    {"isclose(a, b, *, rel_tol=1e-09, abs_tol=0.0)", c_isclose,
     DOC("Determine whether two complex numbers are close in value."), 0},
    {"isfinite(z, /)", c_isfinite, DOC("Return True if both the real and imaginary parts of z are finite, else False."),
     0},
    {"isinf(z, /)", c_isinf, DOC("Checks if the real or imaginary part of z is infinite."), 0},
    {"isnan(z, /)", c_isnan, DOC("Checks if the real or imaginary part of z not a number (NaN)."), 0},
    {"log(z, base=None, /)", c_log, DOC("log(z[, base]) -> the logarithm of z to the given base."), 0},
    {"log10(z, /)", c_log10, DOC("Return the base-10 logarithm of z."), 0},
    {"phase(z, /)", c_phase, DOC("Return argument, also known as the phase angle, of a complex."), 0},
    {"polar(z, /)", c_polar, DOC("Convert a complex from rectangular coordinates to polar coordinates."), 0},
    {"rect(r, phi, /)", c_rect, DOC("Convert from polar coordinates to rectangular coordinates."), 0},
    {"sin(z, /)", c_sin, DOC("Return the sine of z."), 0},
    {"sinh(z, /)", c_sinh, DOC("Return the hyperbolic sine of z."), 0},
    {"sqrt(z, /)", c_sqrt, DOC("Return the square root of z."), 0},
    {"tan(z, /)", c_tan, DOC("Return the tangent of z."), 0},
    {"tanh(z, /)", c_tanh, DOC("Return the hyperbolic tangent of z."), 0},
    {0},
};

bool cmath_init(vm *vm, module *m)
{
    static const struct {
        const char *name;
        double re, im;
        bool is_real;
    } constants[] = {
        {"e", M_E, 0, true},   {"pi", M_PI, 0, true},        {"tau", 2 * M_PI, 0, true}, {"inf", INFINITY, 0, true},
        {"nan", NAN, 0, true}, {"infj", 0, INFINITY, false}, {"nanj", 0, NAN, false},
    };
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        value v =
            constants[i].is_real ? value_float(constants[i].re) : complex_new(vm, constants[i].re, constants[i].im);
        if (!module_add(vm, m, constants[i].name, v)) return false;
    }
    return module_add_natives(vm, m, functions);
}
