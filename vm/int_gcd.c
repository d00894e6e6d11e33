/* The greatest common divisor of ints of any length, by Lehmer's method.
 *
 * Euclid's algorithm on long numbers spends itself on divisions whose quotients are tiny. Most of these quotients can
 * be told from the leading 60 bits alone; their combined effect is a 2 by 2 matrix of machine words, which is then
 * applied to the whole numbers in one pass. Only when the leading bits tell nothing is a real division done.
 */
#include "int.h"

#define STACK_DIGITS 64 /* operands up to this length need no allocation */

/* The new pair is (a x + b y, c x + d y). */
struct cofactors {
    int64_t a, b, c, d;
};

/* Steps of Euclid's algorithm that are right whatever follows the leading bits x >= y: those whose quotient is the same
 * for both ends of the interval. False: not a single one. */
static bool leading_steps(int64_t x, int64_t y, struct cofactors *f)
{
    struct cofactors m = {1, 0, 0, 1};
    while (y + m.c > 0 && y + m.d > 0) {
        int64_t q = (x + m.a) / (y + m.c), rest = x + m.b - q * (y + m.d);
        if (rest < 0 || rest >= y + m.d) break;
        int64_t t = m.a - q * m.c;
        m.a = m.c, m.c = t;
        t = m.b - q * m.d;
        m.b = m.d, m.d = t;
        t = x - q * y;
        x = y, y = t;
    }
    *f = m;
    return m.b != 0;
}

static void apply(const struct cofactors *f, uint64_t *x, uint64_t *y, size_t n)
{
    i128 u = 0, v = 0;
    for (size_t i = 0; i < n; i++) {
        u += (i128)f->a * (int64_t)x[i] + (i128)f->b * (int64_t)y[i];
        v += (i128)f->c * (int64_t)x[i] + (i128)f->d * (int64_t)y[i];
        x[i] = (uint64_t)u & DIGIT_MASK;
        y[i] = (uint64_t)v & DIGIT_MASK;
        u >>= DIGIT_BITS;
        v >>= DIGIT_BITS;
    }
}

static uint64_t gcd_64(uint64_t x, uint64_t y)
{
    if (x == 0 || y == 0) return x | y;
    int shift = __builtin_ctzll(x | y);
    x >>= __builtin_ctzll(x);
    while (y) {
        y >>= __builtin_ctzll(y);
        uint64_t least = x < y ? x : y;
        y = x < y ? y - x : x - y;
        x = least;
    }
    return x << shift;
}

/* x, y and r have n digits each, all of them meaningful (zeros above); x >= y. Leaves the divisor in *d, n digits. */
static bool gcd_digits(vm *vm, uint64_t *x, uint64_t *y, uint64_t *r, size_t n, uint64_t **d)
{
    size_t nx = digits_trim(x, n), ny = digits_trim(y, n);
    while (ny > 1) {
        struct cofactors f;
        unsigned sh = (unsigned)__builtin_clzll(x[nx - 1]) - (64 - DIGIT_BITS);
        uint64_t top_x = x[nx - 1] << sh | x[nx - 2] >> (DIGIT_BITS - sh);
        uint64_t top_y = y[nx - 1] << sh | y[nx - 2] >> (DIGIT_BITS - sh);
        if (leading_steps((int64_t)top_x, (int64_t)top_y, &f)) {
            apply(&f, x, y, nx);
        } else {
            if (!digits_divide(vm, NULL, r, x, nx, y, ny)) return false;
            memset(r + ny, 0, (nx - ny) * sizeof *r);
            uint64_t *t = x;
            x = y, y = r, r = t;
        }
        nx = digits_trim(x, nx);
        ny = digits_trim(y, nx);
    }
    if (ny == 1) {
        x[0] = gcd_64(digits_div_1(NULL, x, nx, y[0]), y[0]);
        nx = 1;
    }
    memset(x + nx, 0, (n - nx) * sizeof *x);
    *d = x;
    return true;
}

value big_gcd(vm *vm, value a, value b)
{
    int64_t i, j;
    if (int_to_i64(vm, a, &i) && int_to_i64(vm, b, &j))
        return int_from_u64(vm, gcd_64(i < 0 ? -(uint64_t)i : (uint64_t)i, j < 0 ? -(uint64_t)j : (uint64_t)j));
    struct int_view v, w, *x = &v, *y = &w;
    ROOTS(vm, &a, &b);
    int_view_of(&v, a);
    int_view_of(&w, b);
    if (digits_compare(v.d, (size_t)v.used, w.d, (size_t)w.used) < 0) x = &w, y = &v;
    size_t n = (size_t)x->used, size;
    /* Each pass takes some 30 bits off both, after one division that brings them to one length. */
    if (!int_charge(vm, (uint64_t)y->used * ((uint64_t)y->used * 4 + n))) return V_ERROR;
    uint64_t scratch[3 * STACK_DIGITS], *p = scratch, *d;
    if (!size_mul(n, 3 * sizeof *p, &size)) return raise_memory(vm);
    if (n > STACK_DIGITS && !(p = mem_alloc(vm, size))) return V_ERROR;
    memcpy(p, x->d, n * sizeof *p);
    memcpy(p + n, y->d, (size_t)y->used * sizeof *p);
    memset(p + n + y->used, 0, (n - (size_t)y->used) * sizeof *p);
    value r = gcd_digits(vm, p, p + n, p + 2 * n, n, &d) ? int_from_digits(vm, d, n, false) : V_ERROR;
    if (p != scratch) mem_free(vm, p, size);
    return r;
}
