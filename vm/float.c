/* float: arithmetic with CPython's corner cases, conversions, methods. Text goes through dtoa.h.
 *
 * A float is always in the value word; only an instance of a subclass is an object (numsub).
 */
#include "float.h"

#include "dtoa.h"
#include "int.h"
#include "native.h"
#include "str.h"

#include <math.h>

#define DOC_FILE vm_float
DOC_BEGIN;

/* ---- operands ---- */

/* Float or instance of a subclass. */
static inline bool get_float(value v, double *out)
{
    if (LIKELY(value_is_float(v))) {
        *out = value_as_float(v);
        return true;
    }
    if (!value_is_kind(v, K_NUMSUB) || !value_is_float(AS(numsub, v)->num)) return false;
    *out = value_as_float(AS(numsub, v)->num);
    return true;
}

/* The receiver of a method or of a unary slot: known to be a float. */
static inline double self_float(value v)
{
    double d = 0;
    get_float(v, &d);
    return d;
}

bool float_operand(vm *vm, value v, double *out)
{
    if (get_float(v, out)) return true;
    if (value_is_int(v)) {
        *out = (double)value_as_int(v);
        return true;
    }
    bool ok = int_is(v);
    if (ok) *out = int_to_double(vm, v, &ok);
    return ok;
}

/* What a __float__ gave. */
static bool check_result(vm *vm, value self, value v, double *out)
{
    if (value_is_error(v)) return false;
    if (!get_float(v, out)) return raise_type_error(vm, "%T.__float__ returned non-float (type %T)", self, v), false;
    if (value_is_float(v)) return true;
    return warn(vm, EXC_DeprecationWarning,
                "%T.__float__ returned non-float (type %T).  The ability to return an instance of a strict "
                "subclass of float is deprecated, and may be removed in a future version of Python.",
                self, v);
}

/* By __float__ or __index__: 1 done, 0 has neither, -1 raised. */
static int by_protocol(vm *vm, value v, double *out)
{
    const type *t = type_of(vm, v);
    ROOTS(vm, &v);
    if (t->s.float_) return check_result(vm, v, t->s.float_(vm, v), out) ? 1 : -1;
    if (!t->s.index) return 0;
    value n = obj_index(vm, v);
    if (value_is_error(n)) return -1;
    bool ok;
    *out = int_to_double(vm, n, &ok);
    return ok ? 1 : -1;
}

bool float_as_double(vm *vm, value v, double *out)
{
    if (get_float(v, out)) return true;
    if (value_is_int(v)) {
        *out = (double)value_as_int(v);
        return true;
    }
    int r = by_protocol(vm, v, out);
    if (r == 0) raise_type_error(vm, "must be real number, not %T", v);
    return r > 0;
}

/* ---- text ---- */

str *float_repr(vm *vm, double d)
{
    char buf[DTOA_REPR_MAX];
    return str_from_ascii(vm, buf, dtoa_repr(buf, d));
}

/* str, bytes, bytearray, memoryview; TypeError for others. */
value float_from_str(vm *vm, value s)
{
    double d = 0;
    bool ok;
    if (IS_STR(s)) {
        size_t n, cap;
        char *p = text_to_ascii(vm, AS(str, s), &n, &cap);
        if (!p) return V_ERROR;
        ok = dtoa_parse_text(p, n, &d);
        if (cap) mem_free(vm, p, cap);
    } else {
        const uint8_t *p;
        size_t n;
        if (!buffer_view(vm, s, &p, &n))
            return raise_type_error(vm, "float() argument must be a string or a real number, not '%T'", s);
        while (n && (*p == ' ' || (*p >= 9 && *p <= 13))) p++, n--;
        while (n && (p[n - 1] == ' ' || (p[n - 1] >= 9 && p[n - 1] <= 13))) n--;
        ok = dtoa_parse_text((const char *)p, n, &d);
    }
    if (!ok) return raise_value_error(vm, "could not convert string to float: %R", s);
    return value_float(d);
}

/* ---- arithmetic ---- */

void float_divmod(double x, double y, double *q, double *r)
{
    double mod = fmod(x, y), div = (x - mod) / y;
    if (mod != 0) {
        if ((y < 0) != (mod < 0)) {
            mod += y;
            div -= 1.0;
        }
    } else {
        mod = copysign(0.0, y);
    }
    if (div != 0) { /* an integer but for rounding: snap to it */
        *q = floor(div);
        if (div - *q > 0.5) *q += 1.0;
    } else {
        *q = copysign(0.0, x / y);
    }
    *r = mod;
}

static double modulo(double x, double y)
{
    double mod = fmod(x, y);
    if (mod == 0) return copysign(0.0, y);
    return (y < 0) != (mod < 0) ? mod + y : mod;
}

/* OverflowError(34, 'Numerical result out of range'), as from errno. */
static value out_of_range(vm *vm)
{
    str *text = str_from_cstr(vm, "Numerical result out of range");
    if (!text) return V_ERROR;
    value args[2] = {value_int(34), value_obj(text)};
    ROOT_SPAN(vm, args, 2);
    value e = exc_make(vm, EXC_T(vm, OverflowError), args, 2);
    return value_is_error(e) ? e : raise_exception(vm, e);
}

value float_pow(vm *vm, double x, double y)
{
    if (x == 0 && y < 0 && !isinf(y))
        return raise(vm, EXC_ZeroDivisionError, "0.0 cannot be raised to a negative power");
    if (x < 0 && isfinite(x) && isfinite(y) && floor(y) != y) return complex_pow(vm, x, 0, y, 0);
    double r = pow(x, y); /* annex F's special cases are Python's */
    if (isinf(r) && isfinite(x) && isfinite(y)) return out_of_range(vm);
    return value_float(r);
}

#define OPERANDS(A, B) \
    double x, y;       \
    if (!float_operand(vm, A, &x) || !float_operand(vm, B, &y)) return raised(vm) ? V_ERROR : V_NOTIMPLEMENTED

static value slot_add(vm *vm, value a, value b)
{
    OPERANDS(a, b);
    return value_float(x + y);
}

static value slot_sub(vm *vm, value a, value b)
{
    OPERANDS(a, b);
    return value_float(x - y);
}

static value slot_mul(vm *vm, value a, value b)
{
    OPERANDS(a, b);
    return value_float(x * y);
}

static value slot_truediv(vm *vm, value a, value b)
{
    OPERANDS(a, b);
    if (y == 0) return raise(vm, EXC_ZeroDivisionError, "float division by zero");
    return value_float(x / y);
}

static value slot_floordiv(vm *vm, value a, value b)
{
    OPERANDS(a, b);
    if (y == 0) return raise(vm, EXC_ZeroDivisionError, "float floor division by zero");
    double q, r;
    float_divmod(x, y, &q, &r);
    return value_float(q);
}

static value slot_mod(vm *vm, value a, value b)
{
    OPERANDS(a, b);
    if (y == 0) return raise(vm, EXC_ZeroDivisionError, "float modulo");
    return value_float(modulo(x, y));
}

static value slot_divmod(vm *vm, value a, value b)
{
    OPERANDS(a, b);
    if (y == 0) return raise(vm, EXC_ZeroDivisionError, "float divmod()");
    double q, r;
    float_divmod(x, y, &q, &r);
    tuple *t = tuple_pack(vm, 2, value_float(q), value_float(r));
    return t ? value_obj(t) : V_ERROR;
}

static value slot_pow(vm *vm, value a, value b, value mod)
{
    if (!value_is_none(mod))
        return raise_type_error(vm, "pow() 3rd argument not allowed unless all arguments are integers");
    OPERANDS(a, b);
    return float_pow(vm, x, y);
}

static value slot_neg(vm *vm, value v)
{
    (void)vm;
    return value_float(-self_float(v));
}

static value slot_pos(vm *vm, value v)
{
    (void)vm;
    return value_float(self_float(v));
}

static value slot_abs(vm *vm, value v)
{
    (void)vm;
    return value_float(fabs(self_float(v)));
}

static value slot_int(vm *vm, value v) { return int_from_double(vm, self_float(v)); }

static int slot_truth(vm *vm, value v)
{
    (void)vm;
    return self_float(v) != 0;
}

static value slot_repr(vm *vm, value v)
{
    str *s = float_repr(vm, self_float(v));
    return s ? value_obj(s) : V_ERROR;
}

/* ---- comparison and hash ---- */

int float_compare_int(vm *vm, double x, value n)
{
    int64_t i;
    if (value_is_int(n)) {
        double y = (double)value_as_int(n); /* exact: 50 bits */
        return (x > y) - (x < y);
    }
    if (isinf(x)) return x > 0 ? 1 : -1;
    if (int_to_i64(vm, n, &i)) {
        if (x >= 0x1p63) return 1;
        if (x < -0x1p63) return -1;
        int64_t t = (int64_t)x;
        if (t != i) return t > i ? 1 : -1;
        return (x > (double)t) - (x < (double)t); /* the fraction decides; where there is one, t is exact */
    }
    /* Beyond 64 bits: compare lengths, then exactly. */
    int sign = int_sign(vm, n);
    if (fabs(x) < 0x1p63 || (x < 0) != (sign < 0)) return -sign;
    int e;
    frexp(x, &e);
    uint64_t bits = int_bit_length(n);
    if ((uint64_t)e != bits) return (uint64_t)e > bits ? sign : -sign;
    double y; /* n has at most 1024 bits, yet it may round up to 2**1024 */
    if (!big_to_double(vm, n, &y)) return -sign;
    if (x != y) return x > y ? 1 : -1;
    /* n rounded to x: which side was it on? Compare the digits of x, which is an integer, with n's.
     */
    struct int_view w;
    int_view_of(&w, n);
    double m = fabs(x);
    for (int32_t i = w.used; i-- > 0;) {
        double unit = ldexp(1.0, i * DIGIT_BITS), digit = floor(m / unit);
        if (digit != (double)w.d[i] || (uint64_t)digit != w.d[i]) return (uint64_t)digit > w.d[i] ? sign : -sign;
        m -= digit * unit;
    }
    return 0;
}

static value slot_compare(vm *vm, value a, value b, enum compare_op op)
{
    double x = self_float(a), y;
    int c; /* a <=> b */
    if (get_float(b, &y)) {
        switch (op) {
        case CMP_LT: return value_bool(x < y);
        case CMP_LE: return value_bool(x <= y);
        case CMP_EQ: return value_bool(x == y);
        case CMP_NE: return value_bool(x != y);
        case CMP_GT: return value_bool(x > y);
        default: return value_bool(x >= y);
        }
    }
    if (!int_is(b)) return V_NOTIMPLEMENTED;
    if (isnan(x)) return value_bool(op == CMP_NE);
    c = float_compare_int(vm, x, int_plain(vm, b));
    return value_bool(compare_holds(c, op));
}

/* The number modulo 2**61 - 1, as for ints: f * 2**e is a rotation of f's 61 bits. */
uint64_t float_hash(double d, const void *identity)
{
    const int bits = 61;
    const uint64_t mod = (UINT64_C(1) << bits) - 1;
    if (isnan(d)) return (uint64_t)(uintptr_t)identity >> 4;
    if (isinf(d)) return d > 0 ? 314159 : (uint64_t)-314159;
    int e;
    uint64_t f = (uint64_t)ldexp(frexp(fabs(d), &e), 53);
    e = (e - 53) % bits;
    if (e < 0) e += bits;
    uint64_t h = (f << e & mod) | f >> (bits - e);
    if (d < 0) h = -h;
    return h == UINT64_MAX ? UINT64_MAX - 1 : h;
}

static bool slot_hash(vm *vm, value v, uint64_t *out)
{
    (void)vm;
    *out = float_hash(self_float(v), value_is_obj(v) ? value_as_obj(v) : NULL);
    return true;
}

/* ---- construction ---- */

static value as_type(vm *vm, type *t, value v)
{
    if (value_is_error(v) || t->id == TYPE_FLOAT) return v;
    numsub *o = gc_new(vm, K_NUMSUB, t->root_shape, sizeof *o);
    if (!o) return V_ERROR;
    o->num = v;
    return value_obj(o);
}

static value float_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value v = V_UNBOUND;
    double d = 0;
    bool strict = t->id == TYPE_FLOAT || t->s.init == T(vm, FLOAT)->s.init;
    if (!args_unpack(vm, "float", args, nargs, strict ? kwnames : V_UNBOUND, 0, 1, &v)) return V_ERROR;
    if (value_is_unbound(v)) return as_type(vm, t, value_float(0.0));
    if (IS_STR(v) && (value_is_exact(v, TYPE_STR) || (!type_of(vm, v)->s.float_ && !type_of(vm, v)->s.index)))
        return as_type(vm, t, float_from_str(vm, v));
    if (float_operand(vm, v, &d) && !value_is_kind(v, K_NUMSUB)) return as_type(vm, t, value_float(d));
    if (raised(vm)) return V_ERROR;
    int r = by_protocol(vm, v, &d);
    if (r < 0) return V_ERROR;
    return as_type(vm, t, r ? value_float(d) : float_from_str(vm, v));
}

/* ---- methods ---- */

static value method_conjugate(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)vm, (void)nargs, (void)kwnames;
    return value_float(self_float(args[0]));
}

static value method_is_integer(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)vm, (void)nargs, (void)kwnames;
    double d = self_float(args[0]);
    return value_bool(isfinite(d) && floor(d) == d);
}

static value method_as_integer_ratio(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    double d = self_float(args[0]);
    if (isinf(d)) return raise_overflow(vm, "cannot convert Infinity to integer ratio");
    if (isnan(d)) return raise_value_error(vm, "cannot convert NaN to integer ratio");
    int e;
    int64_t f = (int64_t)ldexp(frexp(d, &e), 53);
    e = f ? e - 53 : 0;
    if (f && e < 0) {
        int twos = __builtin_ctzll((uint64_t)f);
        twos = twos < -e ? twos : -e;
        f >>= twos; /* exact */
        e += twos;
    }
    value n = int_from_i64(vm, f), den = value_int(1);
    ROOTS(vm, &n, &den);
    if (!value_is_error(n) && e > 0) n = int_shift(vm, n, value_int(e), true);
    else if (e < 0) den = int_shift(vm, den, value_int(-e), true);
    if (value_is_error(n) || value_is_error(den)) return V_ERROR;
    tuple *t = tuple_pack(vm, 2, n, den);
    return t ? value_obj(t) : V_ERROR;
}

static value method_trunc(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return int_from_double(vm, self_float(args[0]));
}

static value method_floor(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return int_from_double(vm, floor(self_float(args[0])));
}

static value method_ceil(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return int_from_double(vm, ceil(self_float(args[0])));
}

static value method_round(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    double d = self_float(args[0]);
    int64_t places;
    if (value_is_unbound(args[1]) || value_is_none(args[1])) return int_from_double(vm, rint(d)); /* half to even */
    if (!obj_as_index(vm, args[1], &places, 0)) return V_ERROR;
    double r = dtoa_round(d, places > 1000 ? 1000 : places < -1000 ? -1000 : (int)places);
    if (isinf(r) && isfinite(d)) return raise_overflow(vm, "rounded value too large to represent");
    return value_float(r);
}

static value method_hex(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    char buf[DTOA_HEX_MAX];
    str *s = str_from_ascii(vm, buf, dtoa_hex(buf, self_float(args[0])));
    return s ? value_obj(s) : V_ERROR;
}

static value method_fromhex(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    size_t n;
    double d = 0;
    if (!IS_STR(args[1])) return raise_type_error(vm, "bad argument type for built-in operation");
    const char *s = str_wtf8(vm, AS(str, args[1]), &n);
    if (!s) return V_ERROR;
    enum dtoa_hex_status status = dtoa_parse_hex(s, n, &d);
    if (status == DTOA_HEX_SYNTAX) return raise_value_error(vm, "invalid hexadecimal floating-point string");
    if (status == DTOA_HEX_OVERFLOW) return raise_overflow(vm, "hexadecimal value too large to represent as a float");
    if (args[0].bits == value_obj(T(vm, FLOAT)).bits) return value_float(d);
    return vm_call1(vm, args[0], value_float(d));
}

static value method_getformat(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    if (!IS_STR(args[1])) return raise_type_error(vm, "__getformat__() argument must be str, not %A", args[1]);
    if (!str_equal_ascii(AS(str, args[1]), "double") && !str_equal_ascii(AS(str, args[1]), "float"))
        return raise_value_error(vm, "__getformat__() argument 1 must be 'double' or 'float'");
    str *s = str_from_cstr(vm, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "IEEE, little-endian" : "IEEE, big-endian");
    return s ? value_obj(s) : V_ERROR;
}

static value method_format(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    if (!IS_STR(args[1])) return raise_type_error(vm, "__format__() argument must be str, not %A", args[1]);
    if (AS(str, args[1])->len == 0) {
        str *s = obj_str(vm, args[0]);
        return s ? value_obj(s) : V_ERROR;
    }
    return format_float(vm, self_float(args[0]), AS(str, args[1]));
}

static value method_getnewargs(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    tuple *t = tuple_pack(vm, 1, value_float(self_float(args[0])));
    return t ? value_obj(t) : V_ERROR;
}

static const native_def float_methods[] = {
    {"conjugate(self, /)", method_conjugate, DOC("Return self, the complex conjugate of any float."), 0},
    {"is_integer(self, /)", method_is_integer, DOC("Return True if the float is an integer."), 0},
    {"as_integer_ratio(self, /)", method_as_integer_ratio,
     DOC("Return a pair of integers, whose ratio is exactly equal to the original float."), 0},
    {"hex(self, /)", method_hex, DOC("Return a hexadecimal representation of a floating-point number."), 0},
    {"fromhex(type, string, /)", method_fromhex, DOC("Create a floating-point number from a hexadecimal string."),
     NATIVE_CLASS},
    {"__trunc__(self, /)", method_trunc, DOC("Return the Integral closest to x between 0 and x."), 0},
    {"__floor__(self, /)", method_floor, DOC("Return the floor as an Integral."), 0},
    {"__ceil__(self, /)", method_ceil, DOC("Return the ceiling as an Integral."), 0},
    {"__round__(self, ndigits=None, /)", method_round,
     DOC("Return the Integral closest to x, rounding half toward even."), 0},
    {"__getnewargs__(self, /)", method_getnewargs, NULL, 0},
    {"__getformat__(type, typestr, /)", method_getformat, DOC("How the machine stores doubles or floats."),
     NATIVE_CLASS},
    {"__format__(self, format_spec, /)", method_format, DOC("Formats the float according to format_spec."), 0},
    {0},
};

static value get_real(vm *vm, value self)
{
    (void)vm;
    return value_float(self_float(self));
}

static value get_imag(vm *vm, value self)
{
    (void)vm, (void)self;
    return value_float(0.0);
}

static const getset_def float_getsets[] = {
    {"real", get_real, NULL, DOC("the real part of a complex number")},
    {"imag", get_imag, NULL, DOC("the imaginary part of a complex number")},
    {0},
};

void type_init_float(vm *vm)
{
    type *t = T(vm, FLOAT);
    struct type_slots *s = &t->s;
    s->new_ = float_new;
    s->repr = slot_repr;
    s->hash = slot_hash;
    s->compare = slot_compare;
    s->truth = slot_truth;
    s->neg = slot_neg;
    s->pos = slot_pos;
    s->abs = slot_abs;
    s->int_ = slot_int;
    s->float_ = slot_pos;
    s->add = slot_add;
    s->sub = slot_sub;
    s->mul = slot_mul;
    s->truediv = slot_truediv;
    s->floordiv = slot_floordiv;
    s->mod = slot_mod;
    s->divmod = slot_divmod;
    s->pow = slot_pow;
    t->methods = float_methods;
    t->getsets = float_getsets;
}
