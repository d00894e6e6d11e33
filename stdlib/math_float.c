/* Gamma function, norms, exact sums. See math_float.h.
 *
 * Gamma is Lanczos' approximation with the 13-term rational form for doubles and g = 6.0246..., and
 * the argument split that CPython uses, since printed digits depend on both.
 */
#include "math_float.h"

#include <math.h>
#include <string.h>

#define PI     3.141592653589793238462643383279502884
#define LOG_PI 1.144729885849400174143427351353058711647

/* ---- gamma ---- */

#define TERMS        13
#define LANCZOS_G    6.024680040776729583740234375
#define G_MINUS_HALF 5.524680040776729583740234375

static const double lanczos_num[TERMS] = {
    23531376880.410759688572007674451636754734846804940, 42919803642.649098768957899047001988850926355848959,
    35711959237.355668049440185451547166705960488635843, 17921034426.037209699919755754458931112671403265390,
    6039542586.3520280050642916443072979210699388420708, 1439720407.3117216736632230727949123939715485786372,
    248874557.86205415651146038641322942321632125127801, 31426415.585400194380614231628318205362874684987640,
    2876370.6289353724412254090516208496135991145378768, 186056.26539522349504029498971604569928220784236328,
    8071.6720023658162106380029022722506138218516325024, 210.82427775157934587250973392071336271166969580291,
    2.5066282746310002701649081771338373386264310793408,
};
/* x (x+1) ... (x+11) */
static const double lanczos_den[TERMS] = {
    0.0,       39916800.0, 120543840.0, 150917976.0, 105258076.0, 45995730.0, 13339535.0,
    2637558.0, 357423.0,   32670.0,     1925.0,      66.0,        1.0,
};

static double lanczos_sum(double x)
{
    double num = 0, den = 0;
    if (x < 5.0) {
        for (int i = TERMS; i-- > 0;) {
            num = num * x + lanczos_num[i];
            den = den * x + lanczos_den[i];
        }
    } else { /* from the other end, in 1/x: no overflow */
        for (int i = 0; i < TERMS; i++) {
            num = num / x + lanczos_num[i];
            den = den / x + lanczos_den[i];
        }
    }
    return num / den;
}

/* sin(pi x), accurate near the zeros. */
static double sin_pi(double x)
{
    double y = fmod(fabs(x), 2.0), r;
    switch ((int)round(2.0 * y)) {
    case 0: r = sin(PI * y); break;
    case 1: r = cos(PI * (y - 0.5)); break;
    case 2: r = sin(PI * (1.0 - y)); break;
    case 3: r = -cos(PI * (y - 1.5)); break;
    default: r = sin(PI * (y - 2.0)); break;
    }
    return copysign(1.0, x) * r;
}

double math_gamma(double x, bool *pole)
{
    *pole = false;
    if (!isfinite(x)) {
        *pole = isinf(x) && x < 0;
        return *pole ? NAN : x;
    }
    if (x == 0) {
        *pole = true;
        return copysign(INFINITY, x);
    }
    if (x == floor(x)) {
        if (x < 0) {
            *pole = true;
            return NAN;
        }
        if (x <= 23) { /* (x - 1)! is exact so far */
            double f = 1;
            for (int i = 2; i < (int)x; i++) f *= i;
            return f;
        }
    }
    double a = fabs(x);
    if (a < 1e-20) return 1.0 / x;
    if (a > 200.0) return x < 0 ? 0.0 / sin_pi(x) : INFINITY;
    double y = a + G_MINUS_HALF, q, z, r; /* z: y's rounding error, as a correction */
    if (a > G_MINUS_HALF) {
        q = y - a;
        z = q - G_MINUS_HALF;
    } else {
        q = y - G_MINUS_HALF;
        z = q - a;
    }
    z = z * LANCZOS_G / y;
    if (x < 0) { /* by reflection */
        r = -PI / sin_pi(a) / a * exp(y) / lanczos_sum(a);
        r -= z * r;
    } else {
        r = lanczos_sum(a) / exp(y);
        r += z * r;
    }
    if (a < 140.0) {
        double p = pow(y, a - 0.5);
        return x < 0 ? r / p : r * p;
    }
    double p = pow(y, a / 2.0 - 0.25); /* in two steps, since the power alone may overflow */
    return x < 0 ? r / p / p : r * p * p;
}

double math_lgamma(double x, bool *pole)
{
    *pole = false;
    if (!isfinite(x)) return isnan(x) ? x : INFINITY;
    if (x == floor(x) && x <= 2.0) {
        *pole = x <= 0;
        return x <= 0 ? INFINITY : 0.0;
    }
    double a = fabs(x);
    if (a < 1e-20) return -log(a);
    double r = log(lanczos_sum(a)) - LANCZOS_G;
    r += (a - 0.5) * (log(a + LANCZOS_G - 0.5) - 1);
    if (x < 0) r = LOG_PI - log(fabs(sin_pi(a))) - log(a) - r;
    return r;
}

/* ---- norm ---- */

/* hi + lo += x, exactly but for the last bits of lo. */
static inline void add_to(double *hi, double *lo, double x)
{
    double s = *hi + x, t = s - *hi;
    *lo += (*hi - (s - t)) + (x - t);
    *hi = s;
}

double math_norm(double *v, size_t n)
{
    double max = 0;
    bool nan = false;
    for (size_t i = 0; i < n; i++) {
        v[i] = fabs(v[i]);
        nan |= isnan(v[i]);
        if (v[i] > max) max = v[i];
    }
    if (isinf(max)) return max;
    if (nan) return NAN;
    if (max == 0 || n == 1) return max;
    int e;
    frexp(max, &e); /* scaled to below one; a square that underflows is too small to matter */
    double hi = 0, lo = 0;
    if (e < -1023) { /* all of them subnormal: one rounding more, as CPython has it */
        for (size_t i = 0; i < n; i++) add_to(&hi, &lo, v[i] / max * (v[i] / max));
        return max * sqrt(hi + lo);
    }
    for (size_t i = 0; i < n; i++) {
        double x = ldexp(v[i], -e), sq = x * x;
        lo += fma(x, x, -sq);
        add_to(&hi, &lo, sq);
    }
    double h = sqrt(hi + lo);
    /* One Newton step on the exact residue. */
    double sq = h * h;
    double rest = (hi - sq) + (lo - fma(h, h, -sq));
    return ldexp(h + rest / (2.0 * h), e);
}

/* ---- exact sum ---- */

void math_sum_add(struct math_sum *s, double x)
{
    uint64_t bits, f;
    memcpy(&bits, &x, sizeof bits);
    unsigned e = bits >> 52 & 0x7FF; /* the place of f's lowest bit, plus 1 but for the subnormal */
    f = bits & ((UINT64_C(1) << 52) - 1);
    if (e) {
        f |= UINT64_C(1) << 52;
        e--;
    }
    if (f == 0) return;
    size_t at = e / 64;
    unsigned sh = e % 64;
    uint64_t part[2] = {f << sh, sh ? f >> (64 - sh) : 0};
    unsigned carry = 0;
    for (size_t i = at; i < MATH_SUM_WORDS; i++) {
        uint64_t d = i - at < 2 ? part[i - at] : 0;
        if (x < 0) {
            unsigned c1 = __builtin_sub_overflow(s->w[i], d, &s->w[i]);
            carry = c1 | (unsigned)__builtin_sub_overflow(s->w[i], (uint64_t)carry, &s->w[i]);
        } else {
            unsigned c1 = __builtin_add_overflow(s->w[i], d, &s->w[i]);
            carry = c1 | (unsigned)__builtin_add_overflow(s->w[i], (uint64_t)carry, &s->w[i]);
        }
        if (!carry && i > at) break;
    }
}

double math_sum_round(const struct math_sum *s)
{
    uint64_t m[MATH_SUM_WORDS];
    bool negative = s->w[MATH_SUM_WORDS - 1] >> 63;
    uint64_t carry = negative;
    for (size_t i = 0; i < MATH_SUM_WORDS; i++) {
        m[i] = negative ? ~s->w[i] + carry : s->w[i];
        carry = carry && m[i] == 0;
    }
    size_t n = MATH_SUM_WORDS;
    while (n && m[n - 1] == 0) n--;
    if (n == 0) return 0.0;
    int top = (int)n * 64 - __builtin_clzll(m[n - 1]); /* bit length */
    int drop = top > 53 ? top - 53 : 0;
    size_t at = (size_t)drop / 64;
    unsigned sh = (unsigned)drop % 64;
    uint64_t f = m[at] >> sh | (sh && at + 1 < MATH_SUM_WORDS ? m[at + 1] << (64 - sh) : 0);
    f &= (UINT64_C(1) << 53) - 1;
    if (drop) {
        size_t h = (size_t)(drop - 1) / 64;
        unsigned hb = (unsigned)(drop - 1) % 64;
        bool half = m[h] >> hb & 1, rest = (m[h] & ((UINT64_C(1) << hb) - 1)) != 0;
        for (size_t i = 0; i < h && !rest; i++) rest = m[i] != 0;
        f += half && (rest || (f & 1));
    }
    double r = ldexp((double)f, drop - 1074);
    return negative ? -r : r;
}

bool math_sum_overflows(const struct math_sum *s)
{
    /* 2**1024 is bit 2098, and everything from there on must equal the sign. */
    const unsigned at = 2098 / 64, bit = 2098 % 64;
    uint64_t sign = s->w[MATH_SUM_WORDS - 1] >> 63 ? UINT64_MAX : 0;
    if ((s->w[at] ^ sign) >> bit) return true;
    for (unsigned i = at + 1; i < MATH_SUM_WORDS; i++) {
        if (s->w[i] != sign) return true;
    }
    return false;
}
