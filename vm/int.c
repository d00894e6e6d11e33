/* int: values in and out, arithmetic up to 120 bits, and the slots of the type.
 *
 * Operators come here with plain ints (see int.h). Two operands that fit 64 bits take the checked
 * machine instruction; up to 120 bits __int128 does; int_big.c does the rest.
 */
#include "int.h"
#include "float.h"

#include <math.h>

static inline value int_from_magnitude(vm *vm, u128 m, bool negative);

/* ---- forms ---- */

value int_from_i64(vm *vm, int64_t n)
{
    if (LIKELY(int_fits(n))) return value_int(n);
    int64_cell *c = gc_new_fast(vm, K_INT64, TYPE_INT, sizeof *c);
    if (!c) return V_ERROR;
    c->n = n;
    return value_obj(c);
}

value int_from_u64(vm *vm, uint64_t n)
{
    if (LIKELY(n <= INT64_MAX)) return int_from_i64(vm, (int64_t)n);
    return int_from_i128(vm, (i128)n);
}

value int_from_i128(vm *vm, i128 n)
{
    if (n >= INT64_MIN && n <= INT64_MAX) return int_from_i64(vm, (int64_t)n);
    return int_from_magnitude(vm, n < 0 ? -(u128)n : (u128)n, n < 0);
}

value int_from_digits(vm *vm, const uint64_t *d, size_t n, bool negative)
{
    n = digits_trim(d, n);
    if (n <= 2) {
        u128 m = n == 0 ? 0 : n == 1 ? d[0] : (u128)d[1] << DIGIT_BITS | d[0];
        if (m <= (u128)INT64_MAX + negative) return int_from_i64(vm, (int64_t)(negative ? -m : m));
    }
    bigint *b = big_new_unset(vm, n);
    if (!b) return V_ERROR;
    memcpy(b->digits, d, n * sizeof *d);
    b->sign = negative;
    return value_obj(b);
}

value int_from_double(vm *vm, double d)
{
    if (LIKELY(d > -9.2e18 && d < 9.2e18)) return int_from_i64(vm, (int64_t)d);
    if (isnan(d)) return raise_value_error(vm, "cannot convert float NaN to integer");
    if (isinf(d)) return raise_overflow(vm, "cannot convert float infinity to integer");
    int e;
    double m = frexp(fabs(d), &e); /* e >= 63 here, so the 53 bits are an integer and shift left */
    uint64_t f = (uint64_t)ldexp(m, 53);
    uint64_t digits[19] = {0};
    unsigned sh = (unsigned)e - 53;
    u128 part = (u128)f << sh % DIGIT_BITS;
    digits[sh / DIGIT_BITS] = (uint64_t)part & DIGIT_MASK;
    digits[sh / DIGIT_BITS + 1] = (uint64_t)(part >> DIGIT_BITS);
    return int_from_digits(vm, digits, sh / DIGIT_BITS + 2, d < 0);
}

static inline bool is_plain(value v)
{
    return value_is_int(v) || value_is_kind(v, K_INT64) || value_is_kind(v, K_BIGINT);
}

bool int_is(value v)
{
    if (LIKELY(is_plain(v)) || value_is_bool(v)) return true;
    return value_is_kind(v, K_NUMSUB) && !value_is_float(AS(numsub, v)->num);
}

value int_plain(vm *vm, value v)
{
    (void)vm;
    if (value_is_bool(v)) return value_int(v.bits & 1);
    if (value_is_kind(v, K_NUMSUB)) return AS(numsub, v)->num;
    return v;
}

/* Plain ints up to 64 bits. */
static inline bool get_i64(value v, int64_t *out)
{
    if (LIKELY(value_is_int(v))) {
        *out = value_as_int(v);
        return true;
    }
    if (value_as_obj(v)->kind != K_INT64) return false;
    *out = AS(int64_cell, v)->n;
    return true;
}

bool int_to_i64(vm *vm, value v, int64_t *out) { return get_i64(int_plain(vm, v), out); }

bool int_as_i64(vm *vm, value v, int64_t *out)
{
    if (UNLIKELY(!int_is(v))) {
        if (value_is_unbound(v)) raise_type_error(vm, "an integer is required");
        else raise_type_error(vm, "'%T' object cannot be interpreted as an integer", v);
        return false;
    }
    if (int_to_i64(vm, v, out)) return true;
    raise_overflow(vm, "Python int too large to convert to C long");
    return false;
}

/* Plain ints below 2**128: what a product of two machine words, or a mask of one, needs. */
static inline bool get_magnitude(value v, u128 *m, bool *negative)
{
    int64_t n;
    if (get_i64(v, &n)) {
        *negative = n < 0;
        *m = n < 0 ? -(uint64_t)n : (uint64_t)n;
        return true;
    }
    const bigint *b = AS(bigint, v);
    if (b->used > 3) return false;
    *negative = b->sign;
    *m = (u128)b->digits[1] << DIGIT_BITS | b->digits[0]; /* two digits at least, or it would be a cell */
    if (b->used == 3) {
        if (b->digits[2] >> (128 - 2 * DIGIT_BITS)) return false;
        *m |= (u128)b->digits[2] << 2 * DIGIT_BITS;
    }
    return true;
}

static inline value int_from_magnitude(vm *vm, u128 m, bool negative)
{
    if (m <= (u128)INT64_MAX + negative) return int_from_i64(vm, (int64_t)(negative ? -m : m));
    size_t n = m >> 2 * DIGIT_BITS ? 3 : 2;
    bigint *b = gc_new_raw(vm, K_BIGINT, TYPE_INT, sizeof *b + n * sizeof b->digits[0]);
    if (UNLIKELY(!b) && !(b = big_new(vm, n))) return V_ERROR;
    b->used = (int32_t)n;
    b->sign = negative;
    b->digits[0] = (uint64_t)m & DIGIT_MASK;
    b->digits[1] = (uint64_t)(m >> DIGIT_BITS) & DIGIT_MASK;
    if (n == 3) b->digits[2] = (uint64_t)(m >> 2 * DIGIT_BITS);
    return value_obj(b);
}

bool int_to_i128(value v, i128 *out)
{
    int64_t n;
    if (get_i64(v, &n)) {
        *out = n;
        return true;
    }
    const bigint *b = AS(bigint, v);
    if (b->used > 2) return false;
    i128 m = (i128)((u128)b->digits[1] << DIGIT_BITS | b->digits[0]);
    *out = b->sign ? -m : m;
    return true;
}

void int_view_of(struct int_view *w, value v)
{
    int64_t n;
    if (!get_i64(v, &n)) {
        const bigint *b = AS(bigint, v);
        w->d = b->digits;
        w->used = b->used;
        w->sign = b->sign;
        return;
    }
    uint64_t m = n < 0 ? -(uint64_t)n : (uint64_t)n;
    w->own[0] = m & DIGIT_MASK;
    w->own[1] = m >> DIGIT_BITS;
    w->used = w->own[1] ? 2 : m != 0;
    w->sign = n < 0;
    w->d = w->own;
}

int int_sign(vm *vm, value v)
{
    int64_t n;
    v = int_plain(vm, v);
    if (get_i64(v, &n)) return (n > 0) - (n < 0);
    return AS(bigint, v)->sign ? -1 : 1;
}

uint64_t int_bit_length(value v)
{
    struct int_view w;
    int_view_of(&w, v);
    if (!w.used) return 0;
    return (uint64_t)w.used * DIGIT_BITS - (uint64_t)(__builtin_clzll(w.d[w.used - 1]) - 4);
}

int int_compare(vm *vm, value a, value b)
{
    (void)vm;
    int64_t x, y;
    bool small_a = get_i64(a, &x), small_b = get_i64(b, &y);
    if (small_a && small_b) return (x > y) - (x < y);
    struct int_view v, w;
    int_view_of(&v, a);
    int_view_of(&w, b);
    if (v.sign != w.sign) return v.sign ? -1 : 1;
    int c = digits_compare(v.d, (size_t)v.used, w.d, (size_t)w.used);
    return v.sign ? -c : c;
}

#define HASH_BITS 61
#define HASH_MOD  ((UINT64_C(1) << HASH_BITS) - 1)

uint64_t int_hash(vm *vm, value v)
{
    struct int_view w;
    uint64_t h = 0;
    v = int_plain(vm, v);
    if (LIKELY(value_is_int(v))) {
        h = (uint64_t)value_as_int(v);
        return h == UINT64_MAX ? UINT64_MAX - 1 : h;
    }
    int_view_of(&w, v);
    for (int32_t i = w.used - 1; i >= 0; i--) {
        /* h * 2**60 modulo 2**61 - 1 is a rotation by 60 of 61 bits. */
        h = (h << DIGIT_BITS & HASH_MOD) | h >> (HASH_BITS - DIGIT_BITS);
        h += w.d[i];
        if (h >= HASH_MOD) h -= HASH_MOD;
    }
    if (w.sign) h = -h;
    return h == UINT64_MAX ? UINT64_MAX - 1 : h;
}

double int_to_double(vm *vm, value v, bool *ok)
{
    int64_t n;
    double d;
    *ok = true;
    v = int_plain(vm, v);
    if (get_i64(v, &n)) return (double)n;
    if (big_to_double(vm, v, &d)) return d;
    raise_overflow(vm, "int too large to convert to float");
    *ok = false;
    return 0;
}

/* ---- operators ---- */

static value zero_division(vm *vm, enum binary_op op)
{
    return raise(vm, EXC_ZeroDivisionError, "%s",
                 op == OPR_TRUEDIV ? "division by zero"
                 : op == OPR_MOD   ? "integer modulo by zero"
                                   : "integer division or modulo by zero");
}

/* Floor division of machine integers; b is not 0 and the quotient does not overflow. */
#define FLOOR_DIV(TYPE, NAME)                                 \
    static inline void NAME(TYPE a, TYPE b, TYPE *q, TYPE *r) \
    {                                                         \
        *q = a / b;                                           \
        *r = a % b;                                           \
        if (*r != 0 && (*r < 0) != (b < 0)) {                 \
            *r += b;                                          \
            --*q;                                             \
        }                                                     \
    }
FLOOR_DIV(int64_t, floor_div_64)

/* The same of magnitudes below 2**128. A divisor that is a power of two, as in arithmetic modulo 2**64, only masks. */
static inline void floor_div_128(u128 a, bool a_neg, u128 b, bool b_neg, u128 *q, u128 *r)
{
    bool mixed = a_neg != b_neg;
    if ((b & (b - 1)) == 0) {
        uint64_t low = (uint64_t)b;
        int sh = low ? __builtin_ctzll(low) : 64 + __builtin_ctzll((uint64_t)(b >> 64));
        *q = a >> sh;
        *r = a & (b - 1);
    } else if ((a | b) >> 64 == 0) {
        *q = (uint64_t)a / (uint64_t)b;
        *r = (uint64_t)a % (uint64_t)b;
    } else {
        *q = a / b;
        *r = a - *q * b;
    }
    if (mixed && *r) {
        *r = b - *r;
        ++*q;
    }
}

static value pair(vm *vm, value a, value b)
{
    if (value_is_error(a) || value_is_error(b)) return V_ERROR;
    tuple *t = tuple_pack(vm, 2, a, b);
    return t ? value_obj(t) : V_ERROR;
}

static value divide(vm *vm, enum binary_op op, value a, value b)
{
    int64_t x, y;
    u128 m, n;
    bool m_neg, n_neg;
    if (get_i64(a, &x) && get_i64(b, &y) && !(y == -1 && x == INT64_MIN)) {
        int64_t q, r;
        if (y == 0) return zero_division(vm, op);
        floor_div_64(x, y, &q, &r);
        if (op == OPR_FLOORDIV) return int_from_i64(vm, q);
        if (op == OPR_MOD) return int_from_i64(vm, r);
        return pair(vm, int_from_i64(vm, q), int_from_i64(vm, r));
    }
    if (get_magnitude(a, &m, &m_neg) && get_magnitude(b, &n, &n_neg) && n != 0) {
        u128 q, r;
        floor_div_128(m, m_neg, n, n_neg, &q, &r);
        if (op == OPR_FLOORDIV) return int_from_magnitude(vm, q, m_neg != n_neg);
        if (op == OPR_MOD) return int_from_magnitude(vm, r, n_neg);
        return pair(vm, int_from_magnitude(vm, q, m_neg != n_neg), int_from_magnitude(vm, r, n_neg));
    }
    if (b.bits == INT_BASE) return zero_division(vm, op);
    value q = V_UNBOUND, r = V_UNBOUND;
    if (!big_divmod(vm, a, b, op == OPR_MOD ? NULL : &q, op == OPR_FLOORDIV ? NULL : &r)) return V_ERROR;
    return op == OPR_FLOORDIV ? q : op == OPR_MOD ? r : pair(vm, q, r);
}

static value true_divide(vm *vm, value a, value b)
{
    int64_t x, y;
    const int64_t exact = INT64_C(1) << 53;
    if (b.bits == INT_BASE) return zero_division(vm, OPR_TRUEDIV);
    if (get_i64(a, &x) && get_i64(b, &y) && x >= -exact && x <= exact && y >= -exact && y <= exact)
        return value_float((double)x / (double)y);
    return big_true_divide(vm, a, b);
}

value int_shift(vm *vm, value a, value n, bool left)
{
    int64_t x = 0, s;
    if (int_sign(vm, n) < 0) return raise_value_error(vm, "negative shift count");
    bool small = get_i64(a, &x);
    if (!get_i64(n, &s)) {
        if (small && x == 0) return a;
        if (left) return raise_overflow(vm, "too many digits in integer");
        return value_int(int_sign(vm, a) < 0 ? -1 : 0);
    }
    if (small) {
        if (!left) return int_from_i64(vm, s > 63 ? x >> 63 : x >> s);
        if (x == 0) return a;
        if (s < 63) return int_from_i128(vm, (i128)((u128)(i128)x << s));
    }
    u128 m;
    bool neg;
    if (s < 128 && get_magnitude(a, &m, &neg)) {
        if (left && m << s >> s == m) return int_from_magnitude(vm, m << s, neg);
        if (!left) /* towards minus infinity */
            return int_from_magnitude(vm, neg ? ((m - 1) >> s) + 1 : m >> s, neg);
    }
    return left ? big_shl(vm, a, (uint64_t)s) : big_shr(vm, a, (uint64_t)s);
}

/* a ** b, b >= 0. */
static value power(vm *vm, value a, value b)
{
    int64_t x, n;
    if (!get_i64(b, &n)) { /* only -1, 0 and 1 have such powers that fit anywhere */
        if (get_i64(a, &x) && x >= -1 && x <= 1) {
            struct int_view w;
            int_view_of(&w, b);
            return value_int(x >= 0 || (w.d[0] & 1) ? x : 1);
        }
        return raise_overflow(vm, "too many digits in integer");
    }
    if (get_i64(a, &x)) {
        if (n == 0) return value_int(1);
        if (x >= -1 && x <= 1) return value_int(x >= 0 || (n & 1) ? x : 1);
        if (x == 2) return int_shift(vm, value_int(1), b, true);
        if (n <= 120) { /* perhaps it fits: at most 7 squarings */
            i128 acc = 1, base = x;
            int64_t e = n;
            for (;;) {
                if ((e & 1) && __builtin_mul_overflow(acc, base, &acc)) break;
                e >>= 1;
                if (e == 0) return int_from_i128(vm, acc);
                if (__builtin_mul_overflow(base, base, &base)) break;
            }
        }
    }
    uint64_t bits = int_bit_length(a), total;
    uint64_t limit = vm->limits.bigint_bits ? vm->limits.bigint_bits : UINT32_MAX;
    if (n > 0 && (__builtin_mul_overflow(bits - 1, (uint64_t)n, &total) || total > limit))
        return raise_overflow(vm, "too many digits in integer (the limit is %ld bits)", (int64_t)limit);
    value acc = value_int(1), base = a;
    ROOTS(vm, &acc, &base);
    for (uint64_t bit = n ? UINT64_C(1) << (63 - __builtin_clzll((uint64_t)n)) : 0; bit; bit >>= 1) {
        acc = int_binary(vm, OPR_MUL, acc, acc);
        if (!value_is_error(acc) && ((uint64_t)n & bit)) acc = int_binary(vm, OPR_MUL, acc, base);
        if (value_is_error(acc)) return V_ERROR;
    }
    return acc;
}

static value float_power(vm *vm, value a, value b)
{
    bool ok;
    double x = int_to_double(vm, a, &ok);
    if (!ok) return V_ERROR;
    double y = int_to_double(vm, b, &ok);
    if (!ok) return V_ERROR;
    return float_pow(vm, x, y);
}

static value bitwise(vm *vm, enum binary_op op, value a, value b)
{
    u128 m, n;
    bool m_neg, n_neg;
    if (!get_magnitude(a, &m, &m_neg) || !get_magnitude(b, &n, &n_neg)) return big_bitwise(vm, op, a, b);
    bool neg = op == OPR_AND ? m_neg & n_neg : op == OPR_OR ? m_neg | n_neg : m_neg ^ n_neg;
    if (UNLIKELY(m_neg | n_neg)) { /* two's complement, which needs one bit more */
        if ((m | n) >> 127) return big_bitwise(vm, op, a, b);
        m = m_neg ? -m : m;
        n = n_neg ? -n : n;
    }
    u128 r = op == OPR_AND ? (m & n) : op == OPR_OR ? (m | n) : (m ^ n);
    return int_from_magnitude(vm, neg ? -r : r, neg);
}

/* a + b, or a - b, of magnitudes. */
static value add_magnitudes(vm *vm, u128 m, bool m_neg, u128 n, bool n_neg, value a, value b, bool subtract)
{
    u128 r;
    if (m_neg == (n_neg ^ subtract)) {
        if (__builtin_add_overflow(m, n, &r)) return big_add(vm, a, b, subtract);
        return int_from_magnitude(vm, r, m_neg);
    }
    return m >= n ? int_from_magnitude(vm, m - n, m_neg) : int_from_magnitude(vm, n - m, !m_neg);
}

value int_binary(vm *vm, enum binary_op op, value a, value b)
{
    int64_t x, y, z;
    u128 m, n;
    bool m_neg, n_neg;
    switch (op) {
    case OPR_ADD:
    case OPR_SUB:
        if (get_i64(a, &x) && get_i64(b, &y)) {
            bool over = op == OPR_ADD ? __builtin_add_overflow(x, y, &z) : __builtin_sub_overflow(x, y, &z);
            if (LIKELY(!over)) return int_from_i64(vm, z);
        }
        if (get_magnitude(a, &m, &m_neg) && get_magnitude(b, &n, &n_neg))
            return add_magnitudes(vm, m, m_neg, n, n_neg, a, b, op == OPR_SUB);
        return big_add(vm, a, b, op == OPR_SUB);
    case OPR_MUL:
        if (get_i64(a, &x) && get_i64(b, &y)) {
            if (LIKELY(!__builtin_mul_overflow(x, y, &z))) return int_from_i64(vm, z);
            return int_from_i128(vm, (i128)x * y);
        }
        if (get_magnitude(a, &m, &m_neg) && get_magnitude(b, &n, &n_neg) && (m | n) >> 64 == 0)
            return int_from_magnitude(vm, m * n, m_neg != n_neg);
        return big_mul(vm, a, b);
    case OPR_TRUEDIV: return true_divide(vm, a, b);
    case OPR_FLOORDIV:
    case OPR_MOD:
    case OPR_DIVMOD: return divide(vm, op, a, b);
    case OPR_LSHIFT:
    case OPR_RSHIFT: return int_shift(vm, a, b, op == OPR_LSHIFT);
    case OPR_AND:
    case OPR_OR:
    case OPR_XOR: return bitwise(vm, op, a, b);
    case OPR_POW:
        if (int_sign(vm, b) < 0) return float_power(vm, a, b);
        return power(vm, a, b);
    default: return V_NOTIMPLEMENTED;
    }
}

value int_neg(vm *vm, value v)
{
    int64_t n;
    if (get_i64(v, &n) && n != INT64_MIN) return int_from_i64(vm, -n);
    struct int_view w;
    int_view_of(&w, v);
    return int_from_digits(vm, w.d, (size_t)w.used, !w.sign);
}

/* ---- pow with a modulus ---- */

static uint64_t mul_mod(uint64_t a, uint64_t b, uint64_t m)
{
    if ((a | b) >> 32 == 0) return a * b % m;
    return (uint64_t)((u128)a * b % m);
}

/* The inverse of a modulo m, by Euclid's algorithm; m > 0. Raises when there is none. */
static value inverse(vm *vm, value a, value m)
{
    value r0 = m, r1 = a, t0 = value_int(0), t1 = value_int(1), q = V_NONE, t = V_NONE;
    ROOTS(vm, &r0, &r1, &t0, &t1, &q, &t, &m);
    r1 = int_binary(vm, OPR_MOD, r1, m);
    while (!value_is_error(r1) && r1.bits != INT_BASE) {
        q = int_binary(vm, OPR_FLOORDIV, r0, r1);
        if (value_is_error(q)) return V_ERROR;
        t = int_binary(vm, OPR_MUL, q, r1);
        if (value_is_error(t)) return V_ERROR;
        t = int_binary(vm, OPR_SUB, r0, t);
        r0 = r1;
        r1 = t;
        t = value_is_error(t) ? t : int_binary(vm, OPR_MUL, q, t1);
        if (value_is_error(t)) return V_ERROR;
        t = int_binary(vm, OPR_SUB, t0, t);
        t0 = t1;
        t1 = t;
        if (value_is_error(t)) return V_ERROR;
    }
    if (value_is_error(r1)) return V_ERROR;
    if (r0.bits != value_int(1).bits) return raise_value_error(vm, "base is not invertible for the given modulus");
    return int_binary(vm, OPR_MOD, t0, m);
}

value int_pow_mod(vm *vm, value a, value b, value mod)
{
    if (mod.bits == INT_BASE) return raise_value_error(vm, "pow() 3rd argument cannot be 0");
    bool negative = int_sign(vm, mod) < 0;
    value m = mod, r = V_NONE;
    ROOTS(vm, &a, &b, &mod, &m, &r);
    if (negative && value_is_error(m = int_neg(vm, mod))) return V_ERROR;
    if (m.bits == value_int(1).bits) return value_int(0);
    if (int_sign(vm, b) < 0) {
        b = int_neg(vm, b);
        if (value_is_error(b) || value_is_error(a = inverse(vm, a, m))) return V_ERROR;
    }
    a = int_binary(vm, OPR_MOD, a, m);
    if (value_is_error(a)) return V_ERROR;
    int64_t x, n, k;
    if (get_i64(a, &x) && get_i64(m, &k) && get_i64(b, &n)) {
        uint64_t acc = 1, base = (uint64_t)x;
        for (uint64_t e = (uint64_t)n; e; e >>= 1) {
            if (e & 1) acc = mul_mod(acc, base, (uint64_t)k);
            if (e > 1) base = mul_mod(base, base, (uint64_t)k);
        }
        r = int_from_i64(vm, (int64_t)acc);
    } else {
        r = big_pow_mod(vm, a, b, m);
    }
    if (!value_is_error(r) && negative && r.bits != INT_BASE) r = int_binary(vm, OPR_ADD, r, mod);
    return r;
}

/* ---- slots ---- */

/* Operands may be bools or subclass instances, on either side. */
#define BINARY_SLOT(NAME, OP)                                          \
    static value slot_##NAME(vm *vm, value a, value b)                 \
    {                                                                  \
        if (!int_is(a) || !int_is(b)) return V_NOTIMPLEMENTED;         \
        return int_binary(vm, OP, int_plain(vm, a), int_plain(vm, b)); \
    }
BINARY_SLOT(add, OPR_ADD)
BINARY_SLOT(sub, OPR_SUB)
BINARY_SLOT(mul, OPR_MUL)
BINARY_SLOT(truediv, OPR_TRUEDIV)
BINARY_SLOT(floordiv, OPR_FLOORDIV)
BINARY_SLOT(mod, OPR_MOD)
BINARY_SLOT(divmod, OPR_DIVMOD)
BINARY_SLOT(lshift, OPR_LSHIFT)
BINARY_SLOT(rshift, OPR_RSHIFT)
BINARY_SLOT(and_, OPR_AND)
BINARY_SLOT(or_, OPR_OR)
BINARY_SLOT(xor, OPR_XOR)

static value slot_pow(vm *vm, value a, value b, value mod)
{
    if (!int_is(a) || !int_is(b) || !(value_is_none(mod) || int_is(mod))) return V_NOTIMPLEMENTED;
    a = int_plain(vm, a);
    b = int_plain(vm, b);
    if (value_is_none(mod)) return int_binary(vm, OPR_POW, a, b);
    return int_pow_mod(vm, a, b, int_plain(vm, mod));
}

static value slot_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (!int_is(a) || !int_is(b)) return V_NOTIMPLEMENTED;
    int c = int_compare(vm, int_plain(vm, a), int_plain(vm, b));
    return value_bool(compare_holds(c, op));
}

static bool slot_hash(vm *vm, value v, uint64_t *out)
{
    *out = int_hash(vm, v);
    return true;
}

static int slot_truth(vm *vm, value v) { return int_sign(vm, v) != 0; }

static value slot_repr(vm *vm, value v)
{
    str *s = int_to_str(vm, int_plain(vm, v), 10);
    return s ? value_obj(s) : V_ERROR;
}

static value slot_neg(vm *vm, value v) { return int_neg(vm, int_plain(vm, v)); }

static value slot_plain(vm *vm, value v) { return int_plain(vm, v); }

static value slot_abs(vm *vm, value v)
{
    v = int_plain(vm, v);
    return int_sign(vm, v) < 0 ? int_neg(vm, v) : v;
}

static value slot_invert(vm *vm, value v)
{
    v = int_plain(vm, v);
    if (value_is_int(v)) return int_from_i64(vm, ~value_as_int(v));
    v = int_neg(vm, v);
    return value_is_error(v) ? v : int_binary(vm, OPR_SUB, v, value_int(1));
}

static value slot_float(vm *vm, value v)
{
    bool ok;
    double d = int_to_double(vm, v, &ok);
    return ok ? value_float(d) : V_ERROR;
}

void type_init_int(vm *vm)
{
    static const gc_kind_ops leaf = {0};
    gc_register_kind(vm, K_INT64, &leaf);
    gc_register_kind(vm, K_BIGINT, &leaf);
    struct type_slots *s = &T(vm, INT)->s;
    s->repr = slot_repr;
    s->hash = slot_hash;
    s->compare = slot_compare;
    s->truth = slot_truth;
    s->neg = slot_neg;
    s->pos = slot_plain;
    s->abs = slot_abs;
    s->invert = slot_invert;
    s->int_ = slot_plain;
    s->index = slot_plain;
    s->float_ = slot_float;
    s->add = slot_add;
    s->sub = slot_sub;
    s->mul = slot_mul;
    s->truediv = slot_truediv;
    s->floordiv = slot_floordiv;
    s->mod = slot_mod;
    s->divmod = slot_divmod;
    s->lshift = slot_lshift;
    s->rshift = slot_rshift;
    s->and_ = slot_and_;
    s->or_ = slot_or_;
    s->xor = slot_xor;
    s->pow = slot_pow;
    int_fill_methods(vm);
}
