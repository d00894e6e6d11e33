/* Integers of any length: sums, products, quotients, bits.
 *
 * The digits are libtommath's (60 bits in 64), so a product of large operands goes to it
 * (Karatsuba, Toom-Cook) through read-only views, and comes back by a copy. Everything else is done
 * here in one pass over the digits: it needs no temporary objects, and a division can be
 * interrupted between its rows. Work is charged before it is done (int_charge), memory when it is
 * allocated; the library's own temporaries are reserved for the call.
 */
#include "int.h"

#include <math.h>
#include <tommath.h>

_Static_assert(MP_DIGIT_BIT == DIGIT_BITS && sizeof(mp_digit) == 8, "libtommath has 60-bit digits");

#define ROWS_MAX       3  /* a factor this short is multiplied row by row, */
#define COMBA_MAX      48 /* up to here column by column, beyond by the library */
#define SCRATCH_DIGITS 96 /* temporaries up to this length live on the C stack */

/* ---- digit arrays ---- */

size_t digits_trim(const uint64_t *d, size_t n)
{
    while (n && d[n - 1] == 0) n--;
    return n;
}

int digits_compare(const uint64_t *a, size_t na, const uint64_t *b, size_t nb)
{
    if (na != nb) return na < nb ? -1 : 1;
    while (na--) {
        if (a[na] != b[na]) return a[na] < b[na] ? -1 : 1;
    }
    return 0;
}

/* Two digits side by side in a machine's vector. */
typedef uint64_t pair __attribute__((vector_size(16)));

/* Brings digits that are one too large or too small back into range; what is left above them. */
static int64_t settle(uint64_t *r, size_t n)
{
    int64_t carry = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t t = (int64_t)r[i] + carry;
        r[i] = (uint64_t)t & DIGIT_MASK;
        carry = t >> DIGIT_BITS;
    }
    return carry;
}

/* r = a + b, na >= nb; the carry out. */
static uint64_t add_digits(uint64_t *r, const uint64_t *a, size_t na, const uint64_t *b, size_t nb)
{
    /* Pairs do not wait for each other's carries: one that runs through a whole digit is rare, and settled after. */
    const pair mask = {DIGIT_MASK, DIGIT_MASK};
    pair below = {0, 0}, seen = {0, 0}, x, y;
    size_t i = 0;
    for (; nb - i >= 2; i += 2) {
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        x += y;
        y = x >> DIGIT_BITS;
        x = (x & mask) + (pair){below[1], y[0]};
        below = y;
        seen |= x;
        memcpy(r + i, &x, sizeof x);
    }
    uint64_t carry = below[1];
    if (UNLIKELY((seen[0] | seen[1]) > DIGIT_MASK)) carry += (uint64_t)settle(r, i);
    for (; i < nb; i++) {
        carry += a[i] + b[i];
        r[i] = carry & DIGIT_MASK;
        carry >>= DIGIT_BITS;
    }
    for (; i < na; i++) {
        carry += a[i];
        r[i] = carry & DIGIT_MASK;
        carry >>= DIGIT_BITS;
    }
    return carry;
}

void digits_add_to(uint64_t *r, const uint64_t *b, size_t nb)
{
    uint64_t carry = 0;
    size_t i = 0;
    for (; i < nb; i++) {
        carry += r[i] + b[i];
        r[i] = carry & DIGIT_MASK;
        carry >>= DIGIT_BITS;
    }
    for (; carry; i++) {
        carry += r[i];
        r[i] = carry & DIGIT_MASK;
        carry >>= DIGIT_BITS;
    }
}

/* r = a - b >= 0. */
void digits_sub(uint64_t *r, const uint64_t *a, size_t na, const uint64_t *b, size_t nb)
{
    const pair mask = {DIGIT_MASK, DIGIT_MASK}; /* as add_digits */
    pair below = {0, 0}, seen = {0, 0}, x, y;
    size_t i = 0;
    for (; nb - i >= 2; i += 2) {
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        x -= y;
        y = x >> 63;
        x = (x & mask) - (pair){below[1], y[0]};
        below = y;
        seen |= x;
        memcpy(r + i, &x, sizeof x);
    }
    uint64_t borrow = below[1];
    if (UNLIKELY((seen[0] | seen[1]) > DIGIT_MASK)) borrow -= (uint64_t)settle(r, i);
    for (; i < nb; i++) {
        uint64_t t = a[i] - b[i] - borrow;
        r[i] = t & DIGIT_MASK;
        borrow = t >> 63;
    }
    for (; i < na; i++) {
        uint64_t t = a[i] - borrow;
        r[i] = t & DIGIT_MASK;
        borrow = t >> 63;
    }
}

/* The product's lower word. As 128-bit values gcc keeps the halves of neighbouring products in memory. */
static inline uint64_t mul_words(uint64_t a, uint64_t b, uint64_t *high)
{
#ifdef __x86_64__
    uint64_t low;
    __asm__("mulq %3" : "=a"(low), "=d"(*high) : "0"(a), "r"(b) : "cc");
    return low;
#else
    u128 p = (u128)a * b;
    *high = (uint64_t)(p >> 64);
    return (uint64_t)p;
#endif
}

/* A digit of a product by one digit m, which is shifted so that the product's upper digit is its upper word. Products
 * and sums of neighbours are independent of each other: only a bit is carried along. */
struct product {
    uint64_t m, high;
    int64_t carry;
};

static inline void product_digit(struct product *s, uint64_t *r, uint64_t add, uint64_t a)
{
    uint64_t high, t = (mul_words(a, s->m, &high) >> (64 - DIGIT_BITS)) + s->high + add;
    s->high = high;
    t += (uint64_t)s->carry;
    *r = t & DIGIT_MASK;
    s->carry = (int64_t)(t >> DIGIT_BITS);
}

/* The same taken off `from`; the carry is not above 0. */
static inline void product_off_digit(struct product *s, uint64_t *r, uint64_t from, uint64_t a)
{
    uint64_t high, low = mul_words(a, s->m, &high) >> (64 - DIGIT_BITS);
    int64_t t = (int64_t)(from - low - s->high);
    s->high = high;
    t += s->carry;
    *r = (uint64_t)t & DIGIT_MASK;
    s->carry = t >> DIGIT_BITS;
}

uint64_t digits_mul_add_1(uint64_t *r, const uint64_t *a, size_t n, uint64_t m, uint64_t add)
{
    size_t i = 0;
    if (m < 1 << (64 - DIGIT_BITS)) { /* the product fits a word */
        uint64_t seen = 0;
        for (; n - i >= 2; i += 2) { /* as add_digits; `add` may be a whole digit */
            uint64_t p = a[i] * m, q = a[i + 1] * m;
            seen |= r[i] = (p & DIGIT_MASK) + add;
            seen |= r[i + 1] = (q & DIGIT_MASK) + (p >> DIGIT_BITS);
            add = q >> DIGIT_BITS;
        }
        if (UNLIKELY(seen > DIGIT_MASK)) add += (uint64_t)settle(r, i);
        for (; i < n; i++) {
            uint64_t p = a[i] * m + add; /* at most (2**60 - 1) * 15 + 2**60 - 1 */
            r[i] = p & DIGIT_MASK;
            add = p >> DIGIT_BITS;
        }
        return add;
    }
    struct product s = {m << (64 - DIGIT_BITS), add, 0};
    for (; n - i >= 4; i += 4) {
        product_digit(&s, r + i, 0, a[i]);
        product_digit(&s, r + i + 1, 0, a[i + 1]);
        product_digit(&s, r + i + 2, 0, a[i + 2]);
        product_digit(&s, r + i + 3, 0, a[i + 3]);
    }
    for (; i < n; i++) product_digit(&s, r + i, 0, a[i]);
    return s.high + (uint64_t)s.carry;
}

/* r += a * m; the carry. */
static uint64_t add_product(uint64_t *r, const uint64_t *a, size_t n, uint64_t m)
{
    struct product s = {m << (64 - DIGIT_BITS), 0, 0};
    size_t i = 0;
    for (; n - i >= 4; i += 4) {
        product_digit(&s, r + i, r[i], a[i]);
        product_digit(&s, r + i + 1, r[i + 1], a[i + 1]);
        product_digit(&s, r + i + 2, r[i + 2], a[i + 2]);
        product_digit(&s, r + i + 3, r[i + 3], a[i + 3]);
    }
    for (; i < n; i++) product_digit(&s, r + i, r[i], a[i]);
    return s.high + (uint64_t)s.carry;
}

/* The lowest n digits of a - b * m, where a may be r; what is to be taken off a's digit above them. */
static uint64_t sub_product(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, uint64_t m)
{
    struct product s = {m << (64 - DIGIT_BITS), 0, 0};
    size_t i = 0;
    for (; n - i >= 4; i += 4) {
        product_off_digit(&s, r + i, a[i], b[i]);
        product_off_digit(&s, r + i + 1, a[i + 1], b[i + 1]);
        product_off_digit(&s, r + i + 2, a[i + 2], b[i + 2]);
        product_off_digit(&s, r + i + 3, a[i + 3], b[i + 3]);
    }
    for (; i < n; i++) product_off_digit(&s, r + i, a[i], b[i]);
    return s.high - (uint64_t)s.carry;
}

uint64_t digits_div_1(uint64_t *q, const uint64_t *a, size_t n, uint64_t d)
{
    uint64_t r = 0;
    for (size_t i = n; i-- > 0;) {
        u128 t = (u128)r << DIGIT_BITS | a[i];
#ifdef __x86_64__ /* r < d, so the quotient fits: the machine's own instruction */
        uint64_t t_q, high = (uint64_t)(t >> 64), low = (uint64_t)t;
        __asm__("divq %4" : "=a"(t_q), "=d"(r) : "0"(low), "1"(high), "r"(d) : "cc");
#else
        uint64_t t_q = (uint64_t)(t / d);
        r = (uint64_t)(t - (u128)t_q * d);
#endif
        if (q) q[i] = t_q;
    }
    return r;
}

/* r = a << sh, 0 <= sh < 60; the bits shifted out at the top. */
static uint64_t shl_digits(uint64_t *r, const uint64_t *a, size_t n, unsigned sh)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t d = a[i];
        r[i] = (d << sh & DIGIT_MASK) | carry;
        carry = d >> (DIGIT_BITS - sh);
    }
    return carry;
}

/* r[0..n) = (a[0..n) with `high` above it) >> sh, 0 <= sh < 60. */
static void shr_digits(uint64_t *r, const uint64_t *a, size_t n, uint64_t high, unsigned sh)
{
    if (n == 0) return;
    for (size_t i = 0; i + 1 < n; i++) r[i] = a[i] >> sh | (a[i + 1] << (DIGIT_BITS - sh) & DIGIT_MASK);
    r[n - 1] = a[n - 1] >> sh | (high << (DIGIT_BITS - sh) & DIGIT_MASK);
}

/* ---- products ---- */

uint64_t digits_mul_cost(size_t na, size_t nb)
{
    uint64_t small = na < nb ? na : nb, large = na < nb ? nb : na, times = 1;
    while (small > 64) { /* three products of half the length for every halving */
        small = (small + 1) / 2;
        large = (large + 1) / 2;
        times *= 3;
    }
    uint64_t cost;
    if (__builtin_mul_overflow(small * large, times, &cost)) return UINT64_MAX;
    return cost;
}

/* Column by column, so that each result digit is written once. The columns' sums stay below 48 *
 * 2**120. */
static void mul_columns(uint64_t *r, const uint64_t *a, size_t na, const uint64_t *b, size_t nb)
{
    u128 sum = 0; /* nb <= COMBA_MAX */
    for (size_t k = 0; k + 1 < na + nb; k++) {
        size_t lo = k < na ? 0 : k - na + 1, hi = k < nb ? k : nb - 1;
        for (size_t j = lo; j <= hi; j++) sum += (u128)a[k - j] * b[j];
        r[k] = (uint64_t)sum & DIGIT_MASK;
        sum >>= DIGIT_BITS;
    }
    r[na + nb - 1] = (uint64_t)sum;
}

static mp_int mp_view(const uint64_t *d, size_t n)
{
    mp_int m = {.used = (int)n, .alloc = (int)n, .sign = MP_ZPOS, .dp = (mp_digit *)(uintptr_t)d};
    return m;
}

bool digits_mul(vm *vm, uint64_t *r, const uint64_t *a, size_t na, const uint64_t *b, size_t nb)
{
    if (na < nb) {
        const uint64_t *t = a;
        size_t n = na;
        a = b, na = nb;
        b = t, nb = n;
    }
    if (nb == 0) {
        memset(r, 0, na * sizeof *r);
        return true;
    }
    if (nb <= ROWS_MAX) {
        r[na] = digits_mul_add_1(r, a, na, b[0], 0);
        for (size_t j = 1; j < nb; j++) r[na + j] = add_product(r + j, a, na, b[j]);
        return true;
    }
    if (nb <= COMBA_MAX) {
        mul_columns(r, a, na, b, nb);
        return true;
    }
    /* The library's temporaries: the result, and some four times the operands for its recursion. */
    size_t reserve = (na + nb) * 5 * sizeof *r;
    void *p = mem_alloc(vm, reserve);
    if (!p) return false;
    mp_int x = mp_view(a, na), y = mp_view(b, nb), z;
    mp_err err = mp_init(&z);
    if (err == MP_OKAY) {
        err = a == b && na == nb ? mp_sqr(&x, &z) : mp_mul(&x, &y, &z);
        if (err == MP_OKAY) {
            memcpy(r, z.dp, (size_t)z.used * sizeof *r);
            memset(r + z.used, 0, (na + nb - (size_t)z.used) * sizeof *r);
        }
        mp_clear(&z);
    }
    mem_free(vm, p, reserve);
    if (err != MP_OKAY) raise_memory(vm);
    return err == MP_OKAY;
}

/* ---- quotients ---- */

/* Schoolbook division (Knuth's algorithm D). u has nu + 1 digits, v has nv >= 2 with bit 59 of its
 * top digit set. Leaves the remainder in u; q may be NULL. */
static bool divide_rows(vm *vm, uint64_t *q, uint64_t *u, size_t nu, const uint64_t *v, size_t nv)
{
    uint64_t v1 = v[nv - 1], v2 = v[nv - 2];
    for (size_t j = nu - nv + 1; j-- > 0;) {
        u128 top = (u128)u[j + nv] << DIGIT_BITS | u[j + nv - 1];
        u128 guess = top / v1, rest = top - guess * v1;
        while (guess > DIGIT_MASK || guess * v2 > (rest << DIGIT_BITS | u[j + nv - 2])) {
            guess--;
            rest += v1;
            if (rest > DIGIT_MASK) break;
        }
        uint64_t digit = (uint64_t)guess;
        uint64_t t = u[j + nv] - sub_product(u + j, u + j, v, nv, digit);
        u[j + nv] = t & DIGIT_MASK;
        if (t >> 63) { /* one too many */
            digit--;
            u[j + nv] = (u[j + nv] + add_digits(u + j, u + j, nv, v, nv)) & DIGIT_MASK;
        }
        if (q) q[j] = digit;
        if (nv > 32 && !int_charge(vm, nv)) return false;
    }
    return true;
}

bool digits_divide(vm *vm, uint64_t *q, uint64_t *r, const uint64_t *a, size_t na, const uint64_t *b, size_t nb)
{
    if (nb == 1) {
        uint64_t rest = digits_div_1(q, a, na, b[0]);
        if (r) r[0] = rest;
        return true;
    }
    uint64_t scratch[SCRATCH_DIGITS], *u = scratch;
    size_t need = na + 1 + nb;
    if (need > SCRATCH_DIGITS && !(u = mem_alloc(vm, need * sizeof *u))) return false;
    uint64_t *v = u + na + 1;
    unsigned sh = (unsigned)__builtin_clzll(b[nb - 1]) - (64 - DIGIT_BITS);
    shl_digits(v, b, nb, sh);
    u[na] = shl_digits(u, a, na, sh);
    bool ok = divide_rows(vm, q, u, na, v, nb);
    if (ok && r) shr_digits(r, u, nb, 0, sh);
    if (u != scratch) mem_free(vm, u, need * sizeof *u);
    return ok;
}

/* The quotient of a and b, at least three digits each, when it has one digit and the leading bits tell it, as they
 * nearly always do: it lies between those of a's leading bits and b's, rounded up and down. The remainder is not 0
 * then. */
static bool leading_quotient(const uint64_t *a, size_t na, const uint64_t *b, size_t nb, uint64_t *q)
{
    if (nb < 3 || na > nb + 1) return false;
    unsigned sh = (unsigned)__builtin_clzll(b[nb - 1]) - (64 - DIGIT_BITS);
    uint64_t y = b[nb - 1] << sh | b[nb - 2] >> (DIGIT_BITS - sh); /* 60 bits */
    u128 x = (u128)a[nb - 1] << DIGIT_BITS | a[nb - 2];
    x >>= DIGIT_BITS - sh;
    if (na > nb) {
        if (a[nb] >> (DIGIT_BITS - sh)) return false;
        x |= (u128)(a[nb] << sh) << DIGIT_BITS;
    }
    /* x < 2**120; the least quotient is x / (y + 1), the greatest x / y. */
    *q = (uint64_t)(x / (y + 1));
    uint64_t rest = (uint64_t)(x - (u128)*q * (y + 1));
    return *q <= DIGIT_MASK && *q + rest < y;
}

/* ---- objects ---- */

bool int_charge(vm *vm, uint64_t ops)
{
    /* A unit of work is a bytecode instruction; a digit operation takes about half as long. */
    ops /= 2;
    do {
        uint32_t n = ops < 100000000 ? (uint32_t)ops : 100000000;
        if (!vm_tick(vm, n)) return false;
        ops -= n;
    } while (ops);
    return true;
}

/* The same with two operands kept alive; a small amount is not worth a look at the counter. */
static inline bool charge(vm *vm, value *a, value *b, uint64_t ops)
{
    if (LIKELY(ops < 128)) return true;
    ROOTS(vm, a, b);
    return int_charge(vm, ops);
}

bigint *big_new_unset(vm *vm, size_t n)
{
    uint64_t limit = vm->limits.bigint_bits ? vm->limits.bigint_bits : UINT32_MAX;
    if (n > (limit + 2 * DIGIT_BITS) / DIGIT_BITS) {
        raise_overflow(vm, "too many digits in integer (the limit is %ld bits)", (int64_t)limit);
        return NULL;
    }
    bigint *b = gc_new(vm, K_BIGINT, TYPE_INT, sizeof *b + n * sizeof b->digits[0]);
    if (b) {
        b->used = (int32_t)n;
        b->sign = 0;
    }
    return b;
}

bigint *big_new(vm *vm, size_t n)
{
    bigint *b = big_new_unset(vm, n);
    if (b) memset(b->digits, 0, n * sizeof b->digits[0]);
    return b;
}

value big_done(vm *vm, bigint *b)
{
    size_t had = (size_t)b->used, n = digits_trim(b->digits, had);
    if (n <= 2 || n < had / 2) return int_from_digits(vm, b->digits, n, b->sign);
    b->used = (int32_t)n;
    return value_obj(b);
}

value big_add(vm *vm, value a, value b, bool subtract)
{
    struct int_view x, y, *v = &x, *w = &y;
    int_view_of(&x, a);
    int_view_of(&y, b);
    if (!charge(vm, &a, &b, (uint64_t)(x.used > y.used ? x.used : y.used))) return V_ERROR;
    int sign_w = y.sign ^ subtract, sign_v = x.sign;
    if (digits_compare(v->d, (size_t)v->used, w->d, (size_t)w->used) < 0) {
        v = &y, w = &x;
        int t = sign_v;
        sign_v = sign_w, sign_w = t;
    }
    size_t n = (size_t)v->used;
    bigint *r = big_new_unset(vm, n + 1);
    if (!r) return V_ERROR;
    r->digits[n] = 0;
    if (sign_v == sign_w) r->digits[n] = add_digits(r->digits, v->d, n, w->d, (size_t)w->used);
    else digits_sub(r->digits, v->d, n, w->d, (size_t)w->used);
    r->sign = sign_v;
    return big_done(vm, r);
}

value big_mul(vm *vm, value a, value b)
{
    struct int_view v, w;
    int_view_of(&v, a);
    int_view_of(&w, b);
    size_t nv = (size_t)v.used, nw = (size_t)w.used;
    if (nv == 0 || nw == 0) return value_int(0);
    if (!charge(vm, &a, &b, digits_mul_cost(nv, nw))) return V_ERROR;
    bigint *r = big_new_unset(vm, nv + nw);
    if (!r || !digits_mul(vm, r->digits, v.d, nv, w.d, nw)) return V_ERROR;
    r->sign = v.sign ^ w.sign;
    return big_done(vm, r);
}

bool big_divmod(vm *vm, value a, value b, value *q, value *r)
{
    struct int_view v, w;
    value quot = V_UNBOUND, rest = V_UNBOUND;
    ROOTS(vm, &a, &b, &quot, &rest);
    int_view_of(&v, a);
    int_view_of(&w, b);
    size_t nv = (size_t)v.used, nw = (size_t)w.used;
    bool mixed = v.sign != w.sign;
    uint64_t digit;
    if (digits_compare(v.d, nv, w.d, nw) < 0) {
        if (r && value_is_error(rest = mixed && nv ? big_add(vm, a, b, false) : a)) return false;
        quot = value_int(mixed && nv ? -1 : 0);
    } else if (leading_quotient(v.d, nv, w.d, nw, &digit)) {
        if (nw > 32 && !int_charge(vm, nw * (nv - nw + 1))) return false; /* as divide_rows */
        if (r) {
            bigint *br = big_new_unset(vm, nw);
            if (!br) return false;
            sub_product(br->digits, v.d, w.d, nw, digit);
            if (mixed) digits_sub(br->digits, w.d, nw, br->digits, nw);
            br->sign = w.sign;
            if (value_is_error(rest = big_done(vm, br))) return false;
        }
        i128 n = (i128)digit + mixed;
        if (q && value_is_error(quot = int_from_i128(vm, mixed ? -n : n))) return false;
    } else {
        bigint *bq = q ? big_new_unset(vm, nv - nw + 2) : NULL; /* one more, for the floor */
        bool want_rest = r || mixed;
        bigint *br = want_rest ? big_new_unset(vm, nw) : NULL;
        if ((want_rest && !br) || (q && !bq)) return false;
        if (bq) bq->digits[nv - nw + 1] = 0;
        value hold_q = bq ? value_obj(bq) : V_NONE, hold_r = br ? value_obj(br) : V_NONE;
        ROOTS(vm, &hold_q, &hold_r);
        if (!digits_divide(vm, bq ? bq->digits : NULL, br ? br->digits : NULL, v.d, nv, w.d, nw)) return false;
        bool up = mixed && digits_trim(br->digits, nw) != 0;
        if (up) { /* the quotient was cut towards zero: one further down, and the remainder to b's
                     side */
            uint64_t one = 1;
            digits_sub(br->digits, w.d, nw, br->digits, nw);
            if (bq) digits_add_to(bq->digits, &one, 1);
        }
        if (br) br->sign = w.sign;
        if (bq) {
            bq->sign = mixed;
            if (value_is_error(quot = big_done(vm, bq))) return false;
        }
        if (r && value_is_error(rest = big_done(vm, br))) return false;
    }
    if (q) *q = quot;
    if (r) *r = rest;
    return true;
}

/* ---- bits ---- */

/* Digit i of the two's complement form of w, whose length is unbounded; *carry starts at 1 for
 * negatives. */
static inline uint64_t twos_digit(const struct int_view *w, size_t i, uint64_t *carry)
{
    uint64_t d = i < (size_t)w->used ? w->d[i] : 0;
    if (!w->sign) return d;
    uint64_t t = (~d & DIGIT_MASK) + *carry;
    *carry = t >> DIGIT_BITS;
    return t & DIGIT_MASK;
}

/* r = v op w, n digits, when neither is negative. */
static void bits_of_magnitudes(enum binary_op op, uint64_t *r, size_t n, const struct int_view *v,
                               const struct int_view *w)
{
    if (v->used < w->used) {
        const struct int_view *t = v;
        v = w, w = t;
    }
    size_t both = (size_t)w->used;
    if (op == OPR_AND) {
        for (size_t i = 0; i < both; i++) r[i] = v->d[i] & w->d[i];
    } else {
        if (op == OPR_OR)
            for (size_t i = 0; i < both; i++) r[i] = v->d[i] | w->d[i];
        else
            for (size_t i = 0; i < both; i++) r[i] = v->d[i] ^ w->d[i];
        memcpy(r + both, v->d + both, (n - both) * sizeof *r);
    }
}

value big_bitwise(vm *vm, enum binary_op op, value a, value b)
{
    struct int_view v, w;
    int_view_of(&v, a);
    int_view_of(&w, b);
    size_t n = (size_t)(v.used > w.used ? v.used : w.used);
    /* What & keeps is never longer than an operand that is not negative. */
    if (op == OPR_AND && !v.sign) n = (size_t)v.used;
    if (op == OPR_AND && !w.sign && (size_t)w.used < n) n = (size_t)w.used;
    if (!charge(vm, &a, &b, n)) return V_ERROR;
    bigint *r = big_new_unset(vm, n + 1);
    if (!r) return V_ERROR;
    r->digits[n] = 0;
    if (!v.sign && !w.sign) {
        bits_of_magnitudes(op, r->digits, n, &v, &w);
        return big_done(vm, r);
    }
    bool negative = op == OPR_AND ? (v.sign & w.sign) : op == OPR_OR ? (v.sign | w.sign) : (v.sign ^ w.sign);
    uint64_t carry_v = 1, carry_w = 1, carry = 1;
    for (size_t i = 0; i < n + 1; i++) {
        uint64_t x = twos_digit(&v, i, &carry_v), y = twos_digit(&w, i, &carry_w);
        uint64_t z = op == OPR_AND ? (x & y) : op == OPR_OR ? (x | y) : (x ^ y);
        if (negative) {
            uint64_t t = (~z & DIGIT_MASK) + carry;
            carry = t >> DIGIT_BITS;
            z = t & DIGIT_MASK;
        }
        r->digits[i] = z;
    }
    r->sign = negative;
    return big_done(vm, r);
}

value big_shl(vm *vm, value a, uint64_t n)
{
    struct int_view v;
    int_view_of(&v, a);
    uint64_t words = n / DIGIT_BITS;
    if (words > UINT32_MAX) return raise_overflow(vm, "too many digits in integer");
    value none = V_NONE;
    if (!charge(vm, &a, &none, words + (uint64_t)v.used)) return V_ERROR;
    bigint *r = big_new_unset(vm, (size_t)v.used + words + 1);
    if (!r) return V_ERROR;
    memset(r->digits, 0, words * sizeof r->digits[0]);
    r->digits[words + (size_t)v.used] = shl_digits(r->digits + words, v.d, (size_t)v.used, (unsigned)(n % DIGIT_BITS));
    r->sign = v.sign;
    return big_done(vm, r);
}

value big_shr(vm *vm, value a, uint64_t n)
{
    struct int_view v;
    value none = V_NONE;
    int_view_of(&v, a);
    if (!charge(vm, &a, &none, (uint64_t)v.used)) return V_ERROR;
    uint64_t words = n / DIGIT_BITS;
    if (words >= (uint64_t)v.used) return value_int(v.sign ? -1 : 0);
    size_t len = (size_t)v.used - words;
    unsigned sh = (unsigned)(n % DIGIT_BITS);
    bigint *r = big_new_unset(vm, len + 1);
    if (!r) return V_ERROR;
    r->digits[len] = 0;
    shr_digits(r->digits, v.d + words, len, 0, sh);
    if (v.sign) { /* towards minus infinity */
        bool lost = (v.d[words] & ((UINT64_C(1) << sh) - 1)) != 0 || digits_trim(v.d, words) != 0;
        uint64_t one = 1;
        if (lost) digits_add_to(r->digits, &one, 1);
    }
    r->sign = v.sign;
    return big_done(vm, r);
}

/* ---- to double ---- */

/* f * 2**e as a double, f's lowest bit standing for everything below; f != 0. False: too large. */
static bool round_to_double(uint64_t f, int64_t e, double *out)
{
    int bits = 64 - __builtin_clzll(f);
    if (e + bits > 1024) return false;
    int64_t drop = bits - 53; /* bits below the mantissa, more of them for a subnormal result */
    if (e + drop < -1074) drop = -1074 - e;
    if (drop > 63) { /* half of the least double is 2**63 with 64 bits dropped */
        *out = drop == 64 && f > UINT64_C(1) << 63 ? 0x1p-1074 : 0;
        return true;
    }
    if (drop > 0) {
        uint64_t rest = f & ((UINT64_C(1) << drop) - 1), half = UINT64_C(1) << (drop - 1);
        f >>= drop;
        f += rest > half || (rest == half && (f & 1));
        e += drop;
    }
    *out = ldexp((double)f, (int)e); /* f <= 2**53: exact */
    return !isinf(*out);
}

/* The top bits of w, 63 or 64 of them, with the lowest bit set if anything nonzero is below; *e:
 * their exponent. */
static uint64_t top_bits(const struct int_view *w, int64_t *e)
{
    size_t n = (size_t)w->used;
    uint64_t hi = w->d[n - 1], mid = n > 1 ? w->d[n - 2] : 0;
    int sh = __builtin_clzll(hi); /* at least 4 */
    uint64_t f = hi << sh | (sh <= 60 ? mid >> (60 - sh) : mid << (sh - 60));
    bool sticky = sh < 60 && (mid & ((UINT64_C(1) << (60 - sh)) - 1));
    if (n > 2) {
        if (sh > 60) {
            uint64_t low = w->d[n - 3];
            f |= low >> (120 - sh);
            sticky |= (low & ((UINT64_C(1) << (120 - sh)) - 1)) != 0;
        } else {
            sticky |= w->d[n - 3] != 0;
        }
        if (!sticky && n > 3) sticky = digits_trim(w->d, n - 3) != 0;
    }
    *e = (int64_t)(n - 1) * DIGIT_BITS - sh;
    return f | sticky;
}

bool big_to_double(vm *vm, value v, double *out)
{
    (void)vm;
    struct int_view w;
    int64_t e;
    int_view_of(&w, v);
    *out = 0;
    if (!w.used) return true;
    uint64_t f = top_bits(&w, &e);
    if (!round_to_double(f, e, out)) return false;
    if (w.sign) *out = -*out;
    return true;
}

value big_true_divide(vm *vm, value a, value b)
{
    int64_t diff = (int64_t)int_bit_length(a) - (int64_t)int_bit_length(b);
    bool negative = (int_sign(vm, a) < 0) != (int_sign(vm, b) < 0);
    if (int_sign(vm, a) == 0) return value_float(negative ? -0.0 : 0.0);
    if (diff > 1024) return raise_overflow(vm, "integer division result too large for a float");
    if (diff < -1080) return value_float(negative ? -0.0 : 0.0);
    /* Scale so that the quotient has 62 or 63 bits, then what is left only decides whether it is
     * exact. */
    int64_t shift = 62 - diff;
    value q = a, d = b, r = V_NONE;
    ROOTS(vm, &a, &b, &q, &d, &r);
    if (shift > 0) q = big_shl(vm, a, (uint64_t)shift);
    else if (shift < 0) d = big_shl(vm, b, (uint64_t)-shift);
    if (value_is_error(q) || value_is_error(d) || value_is_error(q = int_sign(vm, q) < 0 ? int_neg(vm, q) : q) ||
        value_is_error(d = int_sign(vm, d) < 0 ? int_neg(vm, d) : d))
        return V_ERROR;
    value num = q;
    ROOTS(vm, &num);
    if (!big_divmod(vm, num, d, &q, &r)) return V_ERROR;
    struct int_view w;
    int_view_of(&w, q);
    uint64_t f = w.d[0] | (w.used > 1 ? w.d[1] << DIGIT_BITS : 0);
    f |= int_sign(vm, r) != 0;
    double x;
    if (!round_to_double(f, -shift, &x)) return raise_overflow(vm, "integer division result too large for a float");
    return value_float(negative ? -x : x);
}
