/* complex: pairs of doubles, with CPython's arithmetic. */
#include "float.h"

#include "dtoa.h"
#include "gc_inline.h"
#include "int.h"
#include "native.h"

#include <math.h>

#define DOC_FILE vm_complex
DOC_BEGIN;

struct pair {
    double re, im;
};

static value complex_new_as(vm *vm, type *t, double re, double im)
{
    complex_obj *c = gc_new_fast(vm, K_COMPLEX, t->root_shape, sizeof *c);
    if (!c) return V_ERROR;
    c->re = re;
    c->im = im;
    return value_obj(c);
}

value complex_new(vm *vm, double re, double im) { return complex_new_as(vm, T(vm, COMPLEX), re, im); }

static struct pair self_pair(value v) { return (struct pair){AS(complex_obj, v)->re, AS(complex_obj, v)->im}; }

/* complex, float or int; false: neither (nothing raised), or raised. */
static bool operand(vm *vm, value v, struct pair *out)
{
    if (value_is_kind(v, K_COMPLEX)) {
        *out = self_pair(v);
        return true;
    }
    out->im = 0;
    return float_operand(vm, v, &out->re);
}

/* ---- arithmetic ---- */

static struct pair mul(struct pair a, struct pair b)
{
    return (struct pair){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/* Smith's method: scale by the larger part of b. False: b is zero. */
static bool quotient(struct pair a, struct pair b, struct pair *q)
{
    double re = fabs(b.re), im = fabs(b.im);
    if (re >= im) {
        if (re == 0) return false;
        double ratio = b.im / b.re, denom = b.re + b.im * ratio;
        *q = (struct pair){(a.re + a.im * ratio) / denom, (a.im - a.re * ratio) / denom};
    } else if (im >= re) {
        double ratio = b.re / b.im, denom = b.re * ratio + b.im;
        *q = (struct pair){(a.re * ratio + a.im) / denom, (a.im * ratio - a.re) / denom};
    } else { /* a nan */
        *q = (struct pair){NAN, NAN};
    }
    return true;
}

#define OPERANDS(A, B) \
    struct pair x, y;  \
    if (!operand(vm, A, &x) || !operand(vm, B, &y)) return raised(vm) ? V_ERROR : V_NOTIMPLEMENTED

static value slot_add(vm *vm, value a, value b)
{
    OPERANDS(a, b);
    return complex_new(vm, x.re + y.re, x.im + y.im);
}

static value slot_sub(vm *vm, value a, value b)
{
    OPERANDS(a, b);
    return complex_new(vm, x.re - y.re, x.im - y.im);
}

static value slot_mul(vm *vm, value a, value b)
{
    OPERANDS(a, b);
    struct pair r = mul(x, y);
    return complex_new(vm, r.re, r.im);
}

static value slot_truediv(vm *vm, value a, value b)
{
    OPERANDS(a, b);
    struct pair r;
    if (!quotient(x, y, &r)) return raise(vm, EXC_ZeroDivisionError, "complex division by zero");
    return complex_new(vm, r.re, r.im);
}

/* a ** n by squaring. */
static struct pair power_int(struct pair a, int n)
{
    struct pair r = {1, 0}, p = a;
    for (int left = n < 0 ? -n : n; left; left >>= 1) {
        if (left & 1) r = mul(r, p);
        if (left > 1) p = mul(p, p);
    }
    return r;
}

value complex_pow(vm *vm, double ar, double ai, double br, double bi)
{
    struct pair a = {ar, ai}, r;
    bool pole = false; /* zero to a power that it does not have */
    if (bi == 0 && br == floor(br) && fabs(br) <= 100) {
        r = power_int(a, (int)br);
        if (br < 0) pole = !quotient((struct pair){1, 0}, r, &r);
    } else if (br == 0 && bi == 0) {
        r = (struct pair){1, 0};
    } else if (ar == 0 && ai == 0) {
        pole = bi != 0 || br < 0;
        r = (struct pair){0, 0};
    } else {
        double size = hypot(ar, ai), angle = atan2(ai, ar), len = pow(size, br), phase = angle * br;
        if (bi != 0) {
            len /= exp(angle * bi);
            phase += bi * log(size);
        }
        r = (struct pair){len * cos(phase), len * sin(phase)};
    }
    if (pole) return raise(vm, EXC_ZeroDivisionError, "0.0 to a negative or complex power");
    if (isinf(r.re) || isinf(r.im)) return raise_overflow(vm, "complex exponentiation");
    return complex_new(vm, r.re, r.im);
}

static value slot_pow(vm *vm, value a, value b, value mod)
{
    OPERANDS(a, b);
    if (!value_is_none(mod)) return raise_value_error(vm, "complex modulo");
    return complex_pow(vm, x.re, x.im, y.re, y.im);
}

static value slot_neg(vm *vm, value v)
{
    struct pair a = self_pair(v);
    return complex_new(vm, -a.re, -a.im);
}

static value slot_pos(vm *vm, value v)
{
    struct pair a = self_pair(v);
    return value_is_exact(v, TYPE_COMPLEX) ? v : complex_new(vm, a.re, a.im);
}

static value slot_abs(vm *vm, value v)
{
    struct pair a = self_pair(v);
    double d = hypot(a.re, a.im);
    if (isinf(d) && isfinite(a.re) && isfinite(a.im)) return raise_overflow(vm, "absolute value too large");
    return value_float(d);
}

static int slot_truth(vm *vm, value v)
{
    (void)vm;
    struct pair a = self_pair(v);
    return a.re != 0 || a.im != 0;
}

static value slot_compare(vm *vm, value a, value b, enum compare_op op)
{
    struct pair x = self_pair(a);
    double d;
    bool equal;
    if (op != CMP_EQ && op != CMP_NE) return V_NOTIMPLEMENTED;
    if (value_is_kind(b, K_COMPLEX)) equal = x.re == AS(complex_obj, b)->re && x.im == AS(complex_obj, b)->im;
    else if (int_is(b)) /* exactly, however large */
        equal = x.im == 0 && !isnan(x.re) && float_compare_int(vm, x.re, int_plain(vm, b)) == 0;
    else if (float_operand(vm, b, &d)) equal = x.im == 0 && x.re == d;
    else return V_NOTIMPLEMENTED;
    return value_bool(equal == (op == CMP_EQ));
}

static bool slot_hash(vm *vm, value v, uint64_t *out)
{
    (void)vm;
    struct pair a = self_pair(v);
    uint64_t h = float_hash(a.re, value_as_obj(v)) + 1000003 * float_hash(a.im, value_as_obj(v));
    *out = h == UINT64_MAX ? UINT64_MAX - 1 : h;
    return true;
}

/* ---- text ---- */

static value slot_repr(vm *vm, value v)
{
    struct pair a = self_pair(v);
    char buf[2 * DTOA_REPR_MAX + 4];
    size_t n = 0;
    bool plain = a.re == 0 && !signbit(a.re); /* "2j", else "(1+2j)" */
    if (!plain) {
        buf[n++] = '(';
        n += dtoa_format(buf + n, DTOA_REPR_MAX, a.re, 'r', 0, 0);
    }
    n += dtoa_format(buf + n, DTOA_REPR_MAX, a.im, 'r', 0, plain ? 0 : DTOA_SIGN);
    buf[n++] = 'j';
    if (!plain) buf[n++] = ')';
    str *s = str_new_latin1(vm, (const uint8_t *)buf, n);
    return s ? value_obj(s) : V_ERROR;
}

/* The length of the number at the start of s that dtoa_parse_text would take: 0 if none. */
static size_t number_prefix(const char *s, size_t n)
{
    size_t i = n && (*s == '+' || *s == '-');
    size_t best = 0;
    double d;
    /* Words first, then digits; at most the exponent needs a second look. */
    static const char *const words[] = {"infinity", "inf", "nan"};
    for (int w = 0; w < 3; w++) {
        size_t len = strlen(words[w]);
        if (n - i >= len && dtoa_parse_text(s + i, len, &d) && ((s[i] | 0x20) == 'i' || (s[i] | 0x20) == 'n'))
            return i + len;
    }
    size_t end = i;
    while (end < n && ((s[end] >= '0' && s[end] <= '9') || s[end] == '_' || s[end] == '.')) end++;
    if (dtoa_parse_text(s, end, &d)) best = end;
    if (end < n && (s[end] | 0x20) == 'e') {
        end++;
        if (end < n && (s[end] == '+' || s[end] == '-')) end++;
        while (end < n && ((s[end] >= '0' && s[end] <= '9') || s[end] == '_')) end++;
        if (dtoa_parse_text(s, end, &d)) best = end;
    }
    return best;
}

static void skip_space(const char **p, const char *end)
{
    while (*p < end && (**p == ' ' || (**p >= 9 && **p <= 13))) (*p)++;
}

/* "1+2j", "2j", "1", "j", "-1j", ... perhaps in parentheses. */
static bool parse(const char *p, const char *end, struct pair *out)
{
    struct pair r = {0, 0};
    skip_space(&p, end);
    while (end > p && (end[-1] == ' ' || (end[-1] >= 9 && end[-1] <= 13))) end--;
    if (p < end && *p == '(') {
        if (end[-1] != ')' || end - p < 2) return false;
        p++, end--;
        skip_space(&p, end);
        while (end > p && (end[-1] == ' ' || (end[-1] >= 9 && end[-1] <= 13))) end--;
    }
    if (p == end) return false;
    for (int part = 0; p < end; part++) {
        double d;
        size_t n = number_prefix(p, (size_t)(end - p));
        bool sign = *p == '+' || *p == '-';
        if (part > 1 || (part == 1 && !sign)) return false;
        if (n) {
            dtoa_parse_text(p, n, &d);
            p += n;
        } else { /* "j", "+j", "-j" */
            d = *p == '-' ? -1 : 1;
            p += sign;
            if (p == end || (*p | 0x20) != 'j') return false;
        }
        if (p < end && (*p | 0x20) == 'j') {
            r.im = d;
            p++;
            if (p != end) return false;
        } else if (part == 0) {
            r.re = d;
        } else {
            return false;
        }
    }
    *out = r;
    return true;
}

static value from_text(vm *vm, type *t, str *s)
{
    struct pair r;
    size_t n, cap;
    char *p = text_to_ascii(vm, s, &n, &cap);
    if (!p) return V_ERROR;
    bool ok = parse(p, p + n, &r);
    if (cap) mem_free(vm, p, cap);
    if (!ok) return raise_value_error(vm, "complex() arg is a malformed string");
    return complex_new_as(vm, t, r.re, r.im);
}

/* ---- construction ---- */

/* A number of any kind: complex, with __complex__, __float__ or __index__. */
static bool convert(vm *vm, value v, bool try_complex, const char *message, struct pair *out, bool *is_complex)
{
    *is_complex = false;
    out->im = 0;
    if (value_is_exact(v, TYPE_COMPLEX) || (!try_complex && value_is_kind(v, K_COMPLEX))) {
        *out = self_pair(v);
        *is_complex = true;
        return true;
    }
    ROOTS(vm, &v);
    if (try_complex && value_is_obj(v)) {
        value m = type_lookup_special(vm, v, N(vm, __complex__));
        if (raised(vm)) return false;
        if (!value_is_unbound(m)) {
            value r = vm_call0(vm, m);
            if (value_is_error(r)) return false;
            if (!value_is_kind(r, K_COMPLEX))
                return raise_type_error(vm, "__complex__ returned non-complex (type %T)", r), false;
            *out = self_pair(r);
            *is_complex = true;
            return true;
        }
    }
    const type *t = type_of(vm, v);
    if (!t->s.float_ && !t->s.index) return raise_type_error(vm, message, v), false;
    return float_as_double(vm, v, &out->re);
}

bool complex_from_number(vm *vm, value v, double *re, double *im)
{
    struct pair p;
    bool is_complex;
    if (!convert(vm, v, true, "must be real number, not %T", &p, &is_complex)) return false;
    *re = p.re;
    *im = p.im;
    return true;
}

static value complex_type_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value out[2] = {V_UNBOUND, V_UNBOUND};
    struct pair re = {0, 0}, im = {0, 0};
    if (!args_bind(vm, "complex(real=0, imag=0)", args, nargs, kwnames, out)) return V_ERROR;
    ROOT_SPAN(vm, out, 2);
    bool has_im = !value_is_unbound(out[1]), re_complex = false, im_complex = false;
    if (!value_is_unbound(out[0]) && IS_STR(out[0])) {
        if (has_im) return raise_type_error(vm, "complex() can't take second arg if first is a string");
        return from_text(vm, t, AS(str, out[0]));
    }
    if (has_im && IS_STR(out[1])) return raise_type_error(vm, "complex() second arg can't be a string");
    if (value_is_exact(out[0], TYPE_COMPLEX) && !has_im && t->id == TYPE_COMPLEX) return out[0];
    if (!value_is_unbound(out[0]) &&
        !convert(vm, out[0], true, "complex() first argument must be a string or a number, not '%T'", &re, &re_complex))
        return V_ERROR;
    if (has_im && !convert(vm, out[1], false, "complex() second argument must be a number, not '%T'", &im, &im_complex))
        return V_ERROR;
    /* re + im * 1j, where either may be complex; a real part alone keeps its sign of zero. */
    if (im_complex) re.re -= im.im;
    if (has_im && re_complex) im.re += re.im;
    else if (!has_im) im.re = re.im;
    return complex_new_as(vm, t, re.re, im.re);
}

/* ---- methods ---- */

static value method_conjugate(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    struct pair a = self_pair(args[0]);
    return complex_new(vm, a.re, -a.im);
}

static value method_complex(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return slot_pos(vm, args[0]);
}

static value method_getnewargs(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    struct pair a = self_pair(args[0]);
    tuple *t = tuple_pack(vm, 2, value_float(a.re), value_float(a.im));
    return t ? value_obj(t) : V_ERROR;
}

static value method_format(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    if (!IS_STR(args[1])) return raise_type_error(vm, "__format__() argument must be str, not %A", args[1]);
    if (AS(str, args[1])->len == 0) {
        str *s = obj_str(vm, args[0]);
        return s ? value_obj(s) : V_ERROR;
    }
    struct pair a = self_pair(args[0]);
    return format_complex(vm, a.re, a.im, AS(str, args[1]));
}

static const native_def complex_methods[] = {
    {"conjugate(self, /)", method_conjugate, DOC("Return the complex conjugate of its argument."), 0},
    {"__complex__(self, /)", method_complex, DOC("Convert this value to exact type complex."), 0},
    {"__getnewargs__(self, /)", method_getnewargs, NULL, 0},
    {"__format__(self, format_spec, /)", method_format, DOC("Convert to a string according to format_spec."), 0},
    {0},
};

static value get_real(vm *vm, value self)
{
    (void)vm;
    return value_float(AS(complex_obj, self)->re);
}

static value get_imag(vm *vm, value self)
{
    (void)vm;
    return value_float(AS(complex_obj, self)->im);
}

static const getset_def complex_getsets[] = {
    {"real", get_real, getset_readonly, DOC("the real part of a complex number")},
    {"imag", get_imag, getset_readonly, DOC("the imaginary part of a complex number")},
    {0},
};

static void complex_traverse(vm *vm, object *o) { gc_mark_slots(vm, o, ((complex_obj *)(void *)o)->slots); }

static void complex_free(vm *vm, object *o) { object_slots_free(vm, o, ((complex_obj *)(void *)o)->slots); }

void type_init_complex(vm *vm)
{
    static const gc_kind_ops ops = {.traverse = complex_traverse, .free = complex_free, .tells_parts = true};
    gc_register_kind(vm, K_COMPLEX, &ops);
    type *t = T(vm, COMPLEX);
    struct type_slots *s = &t->s;
    s->new_ = complex_type_new;
    s->repr = slot_repr;
    s->hash = slot_hash;
    s->compare = slot_compare;
    s->truth = slot_truth;
    s->neg = slot_neg;
    s->pos = slot_pos;
    s->abs = slot_abs;
    s->add = slot_add;
    s->sub = slot_sub;
    s->mul = slot_mul;
    s->truediv = slot_truediv;
    s->pow = slot_pow;
    t->methods = complex_methods;
    t->getsets = complex_getsets;
}
