/* int: construction, methods, and its subtype bool. */
#include "int.h"
#include "str.h"

#include "native.h"

#define DOC_FILE vm_int_methods
DOC_BEGIN;

/* ---- construction ---- */

/* A plain int as an instance of t. */
static value as_type(vm *vm, type *t, value v)
{
    if (value_is_error(v) || t->id == TYPE_INT) return v;
    numsub *o = gc_new(vm, K_NUMSUB, t->root_shape, sizeof *o);
    if (!o) return V_ERROR;
    o->num = v;
    return value_obj(o);
}

/* What __int__, __index__ or __trunc__ (name) of v gave: a plain int, or a complaint. */
static value check_result(vm *vm, value v, const char *name)
{
    if (value_is_error(v) || (value_is_obj(v) && AS(object, v)->kind != K_NUMSUB && int_is(v)) || value_is_int(v))
        return v;
    if (!int_is(v)) return raise_type_error(vm, "%s returned non-int (type %T)", name, v);
    ROOTS(vm, &v);
    if (!warn(vm, EXC_DeprecationWarning,
              "%s returned non-int (type %T).  The ability to return an instance of a strict "
              "subclass of int is "
              "deprecated, and may not be supported in a future version of Python.",
              name, v))
        return V_ERROR;
    return int_plain(vm, v);
}

/* int(v) for one argument. */
static value convert(vm *vm, value v)
{
    if (value_is_int(v)) return v;
    if (value_is_float(v)) return int_from_double(vm, value_as_float(v));
    const type *t = type_of(vm, v);
    if (t->s.int_) return check_result(vm, t->s.int_(vm, v), "__int__");
    if (t->s.index) return check_result(vm, t->s.index(vm, v), "__index__");
    ROOTS(vm, &v);
    value trunc = type_lookup_special(vm, v, N(vm, __trunc__));
    if (value_is_error(trunc)) {
        if (raised(vm)) return V_ERROR;
        return int_from_text(vm, v, 10);
    }
    ROOTS(vm, &trunc);
    if (!warn(vm, EXC_DeprecationWarning, "The delegation of int() to __trunc__ is deprecated.")) return V_ERROR;
    value r = vm_call0(vm, trunc);
    if (value_is_error(r) || int_is(r)) return value_is_error(r) ? r : int_plain(vm, r);
    t = type_of(vm, r);
    if (!t->s.index) return raise_type_error(vm, "__trunc__ returned non-Integral (type %T)", r);
    return check_result(vm, t->s.index(vm, r), "__index__");
}

/* Digits and perhaps a sign, few enough for the value word; V_UNBOUND: something else. */
static value short_decimal(const str *s)
{
    const uint8_t *p = (const uint8_t *)s->data, *end = p + s->len;
    if (s->len == 0 || s->len > 14 || !str_is_ascii(s)) return V_UNBOUND;
    bool negative = *p == '-';
    p += negative || *p == '+';
    if (p == end) return V_UNBOUND;
    int64_t n = 0;
    for (; p < end; p++) {
        unsigned d = (unsigned)*p - '0';
        if (d > 9) return V_UNBOUND;
        n = n * 10 + d;
    }
    return value_int(negative ? -n : n);
}

static value int_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    if (nargs == 1 && t == T(vm, INT) && value_is_exact(args[0], TYPE_STR) && value_is_unbound(kwnames)) {
        value v = short_decimal(AS(str, args[0]));
        if (LIKELY(!value_is_unbound(v))) return v;
    }
    if (LIKELY(nargs == 1 && value_is_unbound(kwnames))) return as_type(vm, t, convert(vm, args[0]));
    value out[2] = {V_UNBOUND, V_UNBOUND};
    if (nargs == 2 && value_is_unbound(kwnames)) {
        out[0] = args[0];
        out[1] = args[1];
    } else if (!args_bind(vm, "int(x=0, /, base=10)", args, nargs, kwnames, out)) {
        return V_ERROR;
    }
    ROOT_SPAN(vm, out, 2);
    if (value_is_unbound(out[1])) return as_type(vm, t, value_is_unbound(out[0]) ? value_int(0) : convert(vm, out[0]));
    if (value_is_unbound(out[0])) return raise_type_error(vm, "int() missing string argument");
    int64_t base;
    if (!obj_as_index(vm, out[1], &base, 0)) return V_ERROR;
    if ((base != 0 && base < 2) || base > 36) return raise_value_error(vm, "int() base must be >= 2 and <= 36, or 0");
    if (!IS_STR(out[0]) && !value_is_kind(out[0], K_BYTES) && !value_is_kind(out[0], K_BYTEARRAY))
        return raise_type_error(vm, "int() can't convert non-string with explicit base");
    return as_type(vm, t, int_from_text(vm, out[0], (int)base));
}

/* ---- methods: args[0] is the receiver ---- */

static value method_conjugate(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return int_plain(vm, args[0]);
}

static value method_bit_length(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return int_from_u64(vm, int_bit_length(int_plain(vm, args[0])));
}

static value method_bit_count(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    struct int_view w;
    int64_t n = 0;
    int_view_of(&w, int_plain(vm, args[0]));
    for (int32_t i = 0; i < w.used; i++) n += __builtin_popcountll(w.d[i]);
    return value_int(n);
}

static value method_as_integer_ratio(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    tuple *t = tuple_pack(vm, 2, int_plain(vm, args[0]), value_int(1));
    return t ? value_obj(t) : V_ERROR;
}

/* True: big-endian. */
static bool byte_order(vm *vm, const char *fname, value v, bool *big)
{
    *big = true;
    if (value_is_unbound(v)) return true;
    if (!IS_STR(v)) {
        raise_type_error(vm, "%s() argument 'byteorder' must be str, not %A", fname, v);
        return false;
    }
    size_t n;
    const char *s = str_wtf8(vm, AS(str, v), &n);
    if (!s) return false;
    if (n == 6 && memcmp(s, "little", 6) == 0) *big = false;
    else if (n != 3 || memcmp(s, "big", 3) != 0)
        return raise_value_error(vm, "byteorder must be either 'little' or 'big'"), false;
    return true;
}

static bool is_signed(vm *vm, value v, bool *out)
{
    int r = value_is_unbound(v) ? 0 : obj_truth(vm, v);
    *out = r > 0;
    return r >= 0;
}

static value method_to_bytes(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    int64_t length = 1;
    bool big, sign;
    if (!value_is_unbound(args[1]) && !obj_as_index(vm, args[1], &length, EXC_OverflowError)) return V_ERROR;
    if (!byte_order(vm, "to_bytes", args[2], &big) || !is_signed(vm, args[3], &sign)) return V_ERROR;
    if (length < 0) return raise_value_error(vm, "length argument must be non-negative");
    value v = int_plain(vm, args[0]);
    struct int_view w;
    int_view_of(&w, v);
    if (w.sign && !sign) return raise_overflow(vm, "can't convert negative int to unsigned");
    /* A signed number of n bits needs one more, except for -2**n. */
    uint64_t bits = int_bit_length(v), need = bits;
    if (sign && bits) {
        bool power = digits_trim(w.d, (size_t)w.used - 1) == 0 && (w.d[w.used - 1] & (w.d[w.used - 1] - 1)) == 0;
        need += !(w.sign && power);
    }
    if (length == 0 && sign && w.sign && bits == 1) need = 0; /* CPython lets -1 pass */
    if (need > (uint64_t)length * 8 && (uint64_t)length < UINT64_MAX / 8)
        return raise_overflow(vm, "int too big to convert");
    uint8_t small[64], *buf = small;
    if ((size_t)length > sizeof small && !(buf = mem_alloc(vm, (size_t)length))) return V_ERROR;
    u128 acc = 0; /* the next `have` bits, from the digits before `at` */
    unsigned have = 0;
    uint64_t carry = (uint64_t)w.sign;
    size_t at = 0;
    for (size_t i = 0; i < (size_t)length;) {
        while (have < 64) {
            uint64_t d = at < (size_t)w.used ? w.d[at] : 0;
            at++;
            if (w.sign) { /* two's complement */
                d = (~d & DIGIT_MASK) + carry;
                carry = d >> DIGIT_BITS;
                d &= DIGIT_MASK;
            }
            acc |= (u128)d << have;
            have += DIGIT_BITS;
        }
        uint64_t word = (uint64_t)acc;
        for (unsigned k = 0; k < 8 && i < (size_t)length; k++, i++, word >>= 8)
            buf[big ? (size_t)length - 1 - i : i] = (uint8_t)word;
        acc >>= 64;
        have -= 64;
    }
    bytes *b = bytes_new(vm, buf, (size_t)length);
    if (buf != small) mem_free(vm, buf, (size_t)length);
    return b ? value_obj(b) : V_ERROR;
}

/* p[0..n) as an int. */
static value from_bytes(vm *vm, const uint8_t *p, size_t n, bool big, bool sign)
{
    bool negative = sign && n && (p[big ? 0 : n - 1] & 0x80);
    size_t used = n / 8 * 64 / DIGIT_BITS + 2;
    bigint *b = big_new(vm, used);
    if (!b) return V_ERROR;
    unsigned carry = negative;
    for (size_t i = 0; i < n; i++) {
        unsigned byte = p[big ? n - 1 - i : i];
        if (negative) {
            byte = (~byte & 0xff) + carry;
            carry = byte >> 8;
            byte &= 0xff;
        }
        size_t bit = i * 8, at = bit / DIGIT_BITS, sh = bit % DIGIT_BITS;
        b->digits[at] |= (uint64_t)byte << sh & DIGIT_MASK;
        if (sh > DIGIT_BITS - 8) b->digits[at + 1] |= (uint64_t)byte >> (DIGIT_BITS - sh);
    }
    if (carry && negative) /* all zeros below the sign bit can't be: the carry stops at it */
        b->digits[n * 8 / DIGIT_BITS] |= UINT64_C(1) << n * 8 % DIGIT_BITS;
    b->sign = negative;
    return big_done(vm, b);
}

/* bytes(v) for what is not a buffer: an object with __bytes__, or an iterable of ints. */
static bytes *to_bytes(vm *vm, value v)
{
    ROOTS(vm, &v);
    const uint8_t *p;
    size_t n;
    if (value_is_kind(v, K_BYTES)) return AS(bytes, v);
    value m = type_lookup_special(vm, v, N(vm, __bytes__));
    if (raised(vm)) return NULL;
    if (!value_is_unbound(m)) {
        value r = vm_call0(vm, m);
        if (value_is_error(r)) return NULL;
        if (!value_is_kind(r, K_BYTES)) {
            raise_type_error(vm, "__bytes__ returned non-bytes (type %T)", r);
            return NULL;
        }
        return AS(bytes, r);
    }
    if (buffer_view(vm, v, &p, &n)) return bytes_new(vm, p, n);
    const type *t = type_of(vm, v);
    if (IS_STR(v) || (!t->s.iter && !t->s.getitem)) {
        raise_type_error(vm, "cannot convert '%T' object to bytes", v);
        return NULL;
    }
    value r = vm_call1(vm, value_obj(T(vm, BYTES)), v);
    return value_is_error(r) ? NULL : AS(bytes, r);
}

static value method_from_bytes(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    bool big, sign;
    if (!byte_order(vm, "from_bytes", args[2], &big) || !is_signed(vm, args[3], &sign)) return V_ERROR;
    bytes *b = to_bytes(vm, args[1]);
    if (!b) return V_ERROR;
    value v = from_bytes(vm, b->data, b->len, big, sign);
    if (value_is_error(v) || args[0].bits == value_obj(T(vm, INT)).bits) return v;
    return vm_call1(vm, args[0], v);
}

/* v rounded half to even at 10**n, n > 0. */
static value round_tens(vm *vm, value v, value n)
{
    value ten = V_NONE, q = V_NONE, r = V_NONE, half = V_NONE;
    int64_t digits;
    ROOTS(vm, &v, &ten, &q, &r, &half);
    /* 10**n > 2 * |v| leaves nothing; it also bounds the power. */
    if (!int_to_i64(vm, n, &digits) || digits > (int64_t)(int_bit_length(v) / 3 + 2)) return value_int(0);
    ten = int_binary(vm, OPR_POW, value_int(10), n);
    if (value_is_error(ten)) return V_ERROR;
    r = int_binary(vm, OPR_MOD, v, ten); /* 0 <= r < ten */
    if (value_is_error(r) || value_is_error(q = int_binary(vm, OPR_SUB, v, r))) return V_ERROR;
    half = int_binary(vm, OPR_ADD, r, r);
    if (value_is_error(half)) return V_ERROR;
    int c = int_compare(vm, half, ten);
    if (c == 0) { /* up when the multiple below is odd */
        value k = int_binary(vm, OPR_FLOORDIV, q, ten);
        if (value_is_error(k) || value_is_error(k = int_binary(vm, OPR_AND, k, value_int(1)))) return V_ERROR;
        c = k.bits == value_int(1).bits ? 1 : -1;
    }
    return c > 0 ? int_binary(vm, OPR_ADD, q, ten) : q;
}

value int_round(vm *vm, value v, value ndigits)
{
    if (int_sign(vm, ndigits) >= 0) return v;
    ROOTS(vm, &v);
    ndigits = int_neg(vm, ndigits);
    return value_is_error(ndigits) ? ndigits : round_tens(vm, v, ndigits);
}

static value method_round(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    value v = int_plain(vm, args[0]);
    if (value_is_unbound(args[1])) return v;
    ROOTS(vm, &v);
    value n = obj_index(vm, args[1]);
    return value_is_error(n) ? n : int_round(vm, v, int_plain(vm, n));
}

static value method_format(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    if (!IS_STR(args[1])) return raise_type_error(vm, "__format__() argument must be str, not %A", args[1]);
    if (AS(str, args[1])->len == 0) {
        str *s = obj_str(vm, args[0]);
        return s ? value_obj(s) : V_ERROR;
    }
    return format_int(vm, args[0], AS(str, args[1]));
}

static value method_getnewargs(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    tuple *t = tuple_pack(vm, 1, int_plain(vm, args[0]));
    return t ? value_obj(t) : V_ERROR;
}

static value method_sizeof(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    /* CPython's figure: scripts print it to see that numbers grow. */
    uint64_t bits = int_bit_length(int_plain(vm, args[0])), digits = (bits + 29) / 30;
    return value_int((int64_t)(24 + 4 * digits));
}

static const native_def int_methods[] = {
    {"conjugate(self, /)", method_conjugate, DOC("Returns self, the complex conjugate of any int."), 0},
    {"bit_length(self, /)", method_bit_length, DOC("Number of bits necessary to represent self in binary."), 0},
    {"bit_count(self, /)", method_bit_count,
     DOC("Number of ones in the binary representation of the absolute value of self."), 0},
    {"to_bytes(self, /, length=1, byteorder='big', *, signed=False)", method_to_bytes,
     DOC("Return an array of bytes representing an integer."), 0},
    {"from_bytes(type, /, bytes, byteorder='big', *, signed=False)", method_from_bytes,
     DOC("Return the integer represented by the given array of bytes."), NATIVE_CLASS},
    {"as_integer_ratio(self, /)", method_as_integer_ratio,
     DOC("Return a pair of integers, whose ratio is equal to the original int."), 0},
    {"__trunc__(self, /)", method_conjugate, DOC("Truncating an Integral returns itself."), 0},
    {"__floor__(self, /)", method_conjugate, DOC("Flooring an Integral returns itself."), 0},
    {"__ceil__(self, /)", method_conjugate, DOC("Ceiling of an Integral returns itself."), 0},
    {"__round__(self, ndigits=None, /)", method_round,
     DOC("Rounding an Integral returns itself; with an ndigits argument the result is also an integer."), 0},
    {"__getnewargs__(self, /)", method_getnewargs, NULL, 0},
    {"__format__(self, format_spec, /)", method_format, DOC("Default object formatter."), 0},
    {"__sizeof__(self, /)", method_sizeof, DOC("Returns size in memory, in bytes."), 0},
    {0},
};

static value get_real(vm *vm, value self) { return int_plain(vm, self); }

static value get_zero(vm *vm, value self)
{
    (void)vm, (void)self;
    return value_int(0);
}

static value get_one(vm *vm, value self)
{
    (void)vm, (void)self;
    return value_int(1);
}

static const getset_def int_getsets[] = {
    {"real", get_real, NULL, DOC("the real part of a complex number")},
    {"imag", get_zero, NULL, DOC("the imaginary part of a complex number")},
    {"numerator", get_real, NULL, DOC("the numerator of a rational number in lowest terms")},
    {"denominator", get_one, NULL, DOC("the denominator of a rational number in lowest terms")},
    {0},
};

static void numsub_traverse(vm *vm, object *o)
{
    numsub *n = (numsub *)(void *)o;
    gc_mark_slots(vm, o, n->slots);
    gc_mark_value(vm, n->num);
}

static void numsub_free(vm *vm, object *o) { object_slots_free(vm, o, ((numsub *)(void *)o)->slots); }

void int_fill_methods(vm *vm)
{
    static const gc_kind_ops numsub_ops = {.traverse = numsub_traverse, .free = numsub_free, .tells_parts = true};
    gc_register_kind(vm, K_NUMSUB, &numsub_ops);
    type *t = T(vm, INT);
    t->s.new_ = int_new;
    t->methods = int_methods;
    t->getsets = int_getsets;
}

/* ---- bool ---- */

static value bool_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)t;
    value v = V_UNBOUND;
    if (!args_unpack(vm, "bool", args, nargs, kwnames, 0, 1, &v)) return V_ERROR;
    int r = value_is_unbound(v) ? 0 : obj_truth(vm, v);
    return r < 0 ? V_ERROR : value_bool(r);
}

static value bool_repr(vm *vm, value v)
{
    str *s = str_intern_utf8(vm, v.bits & 1 ? "True" : "False", v.bits & 1 ? 4 : 5);
    return s ? value_obj(s) : V_ERROR;
}

static int bool_truth(vm *vm, value v)
{
    (void)vm;
    return (int)(v.bits & 1);
}

/* Two bools give a bool; anything else is the int operation. */
#define BOOL_SLOT(NAME, SLOT, OPERATOR)                                                                 \
    static value bool_##NAME(vm *vm, value a, value b)                                                  \
    {                                                                                                   \
        if (value_is_bool(a) && value_is_bool(b)) return value_bool((a.bits & 1) OPERATOR(b.bits & 1)); \
        return T(vm, INT)->s.SLOT(vm, a, b);                                                            \
    }
BOOL_SLOT(and, and_, &)
BOOL_SLOT(or, or_, |)
BOOL_SLOT(xor, xor, ^)

void type_init_bool(vm *vm)
{
    struct type_slots *s = &T(vm, BOOL)->s;
    s->new_ = bool_new;
    s->repr = bool_repr;
    s->truth = bool_truth;
    s->and_ = bool_and;
    s->or_ = bool_or;
    s->xor = bool_xor;
}
