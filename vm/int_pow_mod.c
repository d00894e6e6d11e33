/* pow(a, e, m) of integers of any length: windows of four bits, Montgomery's reduction for odd moduli,
 * division for even ones. Every product is charged before it is done, so a budget can end it.
 */
#include "int.h"

/* a * b modulo an odd m, all three below 2**(60 n), with the factor 2**-(60 n) of Montgomery's
 * method. t has 2n + 1 digits. */
static bool montgomery_mul(vm *vm, uint64_t *r, const uint64_t *a, const uint64_t *b, const uint64_t *m, size_t n,
                           uint64_t inverse, uint64_t *t)
{
    if (!digits_mul(vm, t, a, n, b, n)) return false;
    t[2 * n] = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t f = t[i] * inverse & DIGIT_MASK, carry = 0;
        for (size_t j = 0; j < n; j++) {
            u128 s = (u128)f * m[j] + t[i + j] + carry;
            t[i + j] = (uint64_t)s & DIGIT_MASK;
            carry = (uint64_t)(s >> DIGIT_BITS);
        }
        for (size_t j = i + n; carry; j++) {
            uint64_t s = t[j] + carry;
            t[j] = s & DIGIT_MASK;
            carry = s >> DIGIT_BITS;
        }
    }
    if (t[2 * n] || digits_compare(t + n, n, m, n) >= 0)
        digits_sub(r, t + n, n, m, n); /* the last borrow takes t[2n] */
    else memcpy(r, t + n, n * sizeof *r);
    return true;
}

/* How a modular product is reduced: Montgomery's way for odd moduli, else by division. */
struct modulus {
    const uint64_t *m;
    size_t n;
    uint64_t inverse; /* -1/m modulo 2**60, 0: even */
    uint64_t *t;      /* 2n + 1 digits */
    uint64_t cost;
};

static bool mod_mul(vm *vm, const struct modulus *q, uint64_t *r, const uint64_t *a, const uint64_t *b)
{
    if (!int_charge(vm, q->cost)) return false;
    if (q->inverse) return montgomery_mul(vm, r, a, b, q->m, q->n, q->inverse, q->t);
    return digits_mul(vm, q->t, a, q->n, b, q->n) && digits_divide(vm, NULL, r, q->t, 2 * q->n, q->m, q->n);
}

#define WINDOW 4

/* acc = base ** e modulo q, with base and one already in q's form. pow: a table of 2**WINDOW
 * numbers. */
static bool power_windows(vm *vm, const struct modulus *q, uint64_t *acc, uint64_t *pow, const uint64_t *e, size_t bits)
{
    size_t n = q->n;
    for (size_t i = 2; i < 1 << WINDOW; i++) {
        if (!mod_mul(vm, q, pow + i * n, pow + (i - 1) * n, pow + n)) return false;
    }
    memcpy(acc, pow, n * sizeof *acc);
    size_t at = (bits + WINDOW - 1) / WINDOW;
    bool started = false;
    while (at--) {
        size_t bit = at * WINDOW;
        unsigned w = (unsigned)(e[bit / DIGIT_BITS] >> bit % DIGIT_BITS) & ((1 << WINDOW) - 1);
        for (int i = 0; started && i < WINDOW; i++) {
            if (!mod_mul(vm, q, acc, acc, acc)) return false;
        }
        if (w && !mod_mul(vm, q, acc, acc, pow + w * n)) return false;
        started |= w != 0;
    }
    return true;
}

_Static_assert(DIGIT_BITS % WINDOW == 0, "a window never straddles two digits");

value big_pow_mod(vm *vm, value a, value e, value m)
{
    struct int_view va, ve, vm_;
    ROOTS(vm, &a, &e, &m);
    int_view_of(&va, a);
    int_view_of(&ve, e);
    int_view_of(&vm_, m);
    size_t n = (size_t)vm_.used;
    /* Scratch: the product, the accumulator, and the table of powers. */
    size_t digits = 2 * n + 1 + n + (n << WINDOW), size;
    if (!size_mul(digits, sizeof(uint64_t), &size)) return raise_memory(vm);
    uint64_t *t = mem_zalloc(vm, size);
    if (!t) return V_ERROR;
    uint64_t *acc = t + 2 * n + 1, *pow = acc + n;
    struct modulus q = {.m = vm_.d, .n = n, .t = t, .cost = digits_mul_cost(n, n) + n * n};
    if (vm_.d[0] & 1) {
        uint64_t inv = vm_.d[0]; /* right to 3 bits, then 6, 12, 24, 48, 96 */
        for (int i = 0; i < 5; i++) inv *= 2 - vm_.d[0] * inv;
        q.inverse = -inv & DIGIT_MASK;
    }
    bool ok = true;
    if (q.inverse) {                  /* into Montgomery's form: times 2**(60 n) */
        uint64_t *wide = pow + 2 * n; /* later powers' place: 14 n digits */
        wide[n] = 1;
        ok = digits_divide(vm, NULL, pow, wide, n + 1, q.m, n);
        memset(wide, 0, n * sizeof *wide);
        memcpy(wide + n, va.d, (size_t)va.used * sizeof *wide);
        memset(wide + n + va.used, 0, (n - (size_t)va.used) * sizeof *wide);
        ok = ok && digits_divide(vm, NULL, pow + n, wide, 2 * n, q.m, n);
    } else {
        pow[0] = 1;
        memcpy(pow + n, va.d, (size_t)va.used * sizeof *pow);
    }
    ok = ok && power_windows(vm, &q, acc, pow, ve.d, int_bit_length(e));
    if (ok && q.inverse) { /* and back: times one */
        memset(pow, 0, n * sizeof *pow);
        pow[0] = 1;
        ok = mod_mul(vm, &q, acc, acc, pow);
    }
    value r = ok ? int_from_digits(vm, acc, n, false) : V_ERROR;
    mem_free(vm, t, size);
    return r;
}
