/* The math module: functions of integers of any size. */
#include "math_module.h"

#include "vm/native.h"

#include <math.h>

#define DOC_FILE stdlib_math_int
DOC_BEGIN;

#define UNUSED (void)nargs, (void)kwnames

/* v.__index__() as a plain int. */
static value as_int(vm *vm, value v)
{
    if (value_is_int(v)) return v;
    v = obj_index(vm, v);
    return value_is_error(v) ? v : int_plain(vm, v);
}

static value absolute(vm *vm, value v) { return int_sign(vm, v) < 0 ? int_neg(vm, v) : v; }

/* ---- gcd, lcm ---- */

static value m_gcd(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    if (!value_is_unbound(kwnames)) return raise_type_error(vm, "math.gcd() takes no keyword arguments");
    value acc = value_int(0), v = V_NONE;
    ROOTS(vm, &acc, &v);
    for (uint32_t i = 0; i < nargs; i++) {
        v = as_int(vm, args[i]);
        if (value_is_error(v) || value_is_error(acc = big_gcd(vm, acc, v))) return V_ERROR;
    }
    return acc;
}

static value m_lcm(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    if (!value_is_unbound(kwnames)) return raise_type_error(vm, "math.lcm() takes no keyword arguments");
    value acc = value_int(1), v = V_NONE, g = V_NONE;
    ROOTS(vm, &acc, &v, &g);
    for (uint32_t i = 0; i < nargs; i++) {
        v = as_int(vm, args[i]);
        if (value_is_error(v)) return V_ERROR;
        if (acc.bits == INT_BASE) continue; /* stays 0, but all arguments are looked at */
        if (v.bits == INT_BASE) {
            acc = v;
            continue;
        }
        g = big_gcd(vm, acc, v);
        if (value_is_error(g) || value_is_error(v = int_binary(vm, OPR_FLOORDIV, v, g)) ||
            value_is_error(acc = int_binary(vm, OPR_MUL, acc, v)) || value_is_error(acc = absolute(vm, acc)))
            return V_ERROR;
    }
    return acc;
}

/* ---- products of runs ---- */

/* lo * (lo + 1) * ... * hi by halves, so that the factors of each product are of like size. */
static value run_product(vm *vm, uint64_t lo, uint64_t hi)
{
    if (lo > hi) return value_int(1);
    if (hi - lo < 16) {
        value acc = value_int(1), part = V_NONE;
        uint64_t p = 1, t;
        ROOTS(vm, &acc);
        for (uint64_t i = lo;; i++) {
            bool full = __builtin_mul_overflow(p, i, &t);
            if (!full) p = t;
            if (full || i == hi) {
                part = int_from_u64(vm, p);
                if (value_is_error(part) || value_is_error(acc = int_binary(vm, OPR_MUL, acc, part))) return V_ERROR;
                p = i;
            }
            if (i == hi) {
                if (!full) return acc;
                part = int_from_u64(vm, i);
                return value_is_error(part) ? part : int_binary(vm, OPR_MUL, acc, part);
            }
        }
    }
    uint64_t mid = lo + (hi - lo) / 2;
    value a = run_product(vm, lo, mid), b = V_NONE;
    ROOTS(vm, &a, &b);
    if (value_is_error(a) || value_is_error(b = run_product(vm, mid + 1, hi))) return V_ERROR;
    return int_binary(vm, OPR_MUL, a, b);
}

/* Refuses early what can't fit: n factors of about `bits` bits each. */
static bool fits(vm *vm, double factors, double bits)
{
    uint64_t limit = vm->limits.bigint_bits ? vm->limits.bigint_bits : UINT32_MAX;
    if (factors * bits <= (double)limit + 128) return true;
    raise_overflow(vm, "too many digits in integer (the limit is %ld bits)", (int64_t)limit);
    return false;
}

static value factorial(vm *vm, value v)
{
    int64_t n;
    if (int_sign(vm, v) < 0) return raise_value_error(vm, "factorial() not defined for negative values");
    if (!int_to_i64(vm, v, &n)) return raise_overflow(vm, "factorial() argument should not exceed %ld", INT64_MAX);
    /* log2(n!) > n log2(n / e) */
    if (n > 20 && !fits(vm, (double)n, log2((double)n / M_E))) return V_ERROR;
    return run_product(vm, 1, (uint64_t)n);
}

static value m_factorial(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    value v = as_int(vm, args[0]);
    return value_is_error(v) ? v : factorial(vm, v);
}

/* n (n-1) ... (n-k+1) for 0 <= k <= n. */
static value falling(vm *vm, value n, int64_t k)
{
    int64_t small;
    if (k == 0) return value_int(1);
    if (!fits(vm, (double)k, (double)int_bit_length(n) - 2.5)) /* at least (n / e)**k */
        return V_ERROR;
    if (int_to_i64(vm, n, &small)) return run_product(vm, (uint64_t)(small - k + 1), (uint64_t)small);
    value acc = n;
    ROOTS(vm, &acc, &n);
    for (int64_t i = 1; i < k; i++) {
        n = int_binary(vm, OPR_SUB, n, value_int(1));
        if (value_is_error(n) || value_is_error(acc = int_binary(vm, OPR_MUL, acc, n)) || !vm_tick(vm, 4))
            return V_ERROR;
    }
    return acc;
}

static bool not_negative(vm *vm, value v, const char *name)
{
    if (int_sign(vm, v) >= 0) return true;
    raise_value_error(vm, "%s must be a non-negative integer", name);
    return false;
}

static value m_perm(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    value n = as_int(vm, args[0]), k = V_NONE;
    ROOTS(vm, &n);
    if (value_is_error(n)) return V_ERROR;
    if (value_is_unbound(args[1]) || value_is_none(args[1])) return factorial(vm, n);
    k = as_int(vm, args[1]);
    if (value_is_error(k) || !not_negative(vm, n, "n") || !not_negative(vm, k, "k")) return V_ERROR;
    if (int_compare(vm, n, k) < 0) return value_int(0);
    int64_t count;
    if (!int_to_i64(vm, k, &count)) return raise_overflow(vm, "k must not exceed %ld", INT64_MAX);
    return falling(vm, n, count);
}

static value m_comb(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    value n = as_int(vm, args[0]), k = V_NONE, other = V_NONE;
    ROOTS(vm, &n, &k, &other);
    if (value_is_error(n) || value_is_error(k = as_int(vm, args[1]))) return V_ERROR;
    if (!not_negative(vm, n, "n") || !not_negative(vm, k, "k")) return V_ERROR;
    other = int_binary(vm, OPR_SUB, n, k);
    if (value_is_error(other)) return V_ERROR;
    if (int_sign(vm, other) < 0) return value_int(0);
    if (int_compare(vm, other, k) < 0) k = other;
    int64_t count, small;
    if (!int_to_i64(vm, k, &count)) return raise_overflow(vm, "min(n - k, k) must not exceed %ld", INT64_MAX);
    if (int_to_i64(vm, n, &small) && count < 128) {
        /* Each step is exact: c(n, i+1) = c(n, i) (n-i) / (i+1). */
        u128 c = 1;
        int64_t i = 0;
        for (; i < count && c >> 64 == 0; i++) c = c * (uint64_t)(small - i) / (uint64_t)(i + 1);
        if (i == count) return int_from_i128(vm, (i128)c);
    }
    value num = falling(vm, n, count), den = V_NONE;
    ROOTS(vm, &num, &den);
    if (value_is_error(num) || value_is_error(den = run_product(vm, 1, (uint64_t)count))) return V_ERROR;
    return int_binary(vm, OPR_FLOORDIV, num, den);
}

/* ---- roots ---- */

static uint64_t isqrt_64(uint64_t n)
{
    uint64_t r = (uint64_t)sqrt((double)n); /* off by one at most */
    if (r > UINT32_MAX) r = UINT32_MAX;
    while (r * r > n) r--;
    while (r < UINT32_MAX && (r + 1) * (r + 1) <= n) r++;
    return r;
}

static value m_isqrt(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    value n = as_int(vm, args[0]), x = V_NONE, y = V_NONE;
    ROOTS(vm, &n, &x, &y);
    if (value_is_error(n)) return V_ERROR;
    if (int_sign(vm, n) < 0) return raise_value_error(vm, "isqrt() argument must be nonnegative");
    int64_t small;
    if (int_to_i64(vm, n, &small)) return value_int((int64_t)isqrt_64((uint64_t)small));
    /* Newton's iteration from above, started with the root of the leading 62 or 63 bits. */
    int64_t half = ((int64_t)int_bit_length(n) - 62) / 2;
    x = int_shift(vm, n, value_int(2 * half), false);
    if (value_is_error(x) || !int_to_i64(vm, x, &small)) return V_ERROR;
    x = int_shift(vm, value_int((int64_t)isqrt_64((uint64_t)small) + 1), value_int(half), true);
    while (!value_is_error(x)) {
        y = int_binary(vm, OPR_FLOORDIV, n, x);
        if (value_is_error(y) || value_is_error(y = int_binary(vm, OPR_ADD, y, x)) ||
            value_is_error(y = int_shift(vm, y, value_int(1), false)))
            return V_ERROR;
        if (int_compare(vm, y, x) >= 0) return x;
        x = y;
    }
    return V_ERROR;
}

/* ---- prod ---- */

static value m_prod(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    value acc = value_is_unbound(args[1]) ? value_int(1) : args[1], v = V_NONE;
    value it = obj_iter(vm, args[0]);
    if (value_is_error(it)) return V_ERROR;
    ROOTS(vm, &acc, &v, &it);
    for (;;) {
        v = obj_next(vm, it);
        if (v.bits == V_STOP.bits) return acc;
        if (value_is_error(v) || value_is_error(acc = obj_binary(vm, OPR_MUL, acc, v)) || !vm_tick(vm, 2))
            return V_ERROR;
    }
}

const native_def math_int_functions[] = {
    {"comb(n, k, /)", m_comb,
     DOC("Number of ways to choose k items from n items without repetition and without order."), 0},
    {"factorial(n, /)", m_factorial, DOC("Find n!."), 0},
    {"gcd(*integers)", m_gcd, DOC("Greatest Common Divisor."), NATIVE_RAW},
    {"isqrt(n, /)", m_isqrt, DOC("Return the integer part of the square root of the input."), 0},
    {"lcm(*integers)", m_lcm, DOC("Least Common Multiple."), NATIVE_RAW},
    {"perm(n, k=None, /)", m_perm,
     DOC("Number of ways to choose k items from n items without repetition and with order."), 0},
    {"prod(iterable, /, *, start=1)", m_prod, DOC("Calculate the product of all the elements in the input iterable."),
     0},
    {0},
};
