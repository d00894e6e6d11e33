// Text -> double. See dtoa.h.
//
// The first 19 significant digits, times a 128-bit power of ten, bound the value from below and
// above. Nearly always both bounds round to the same double, and that is the answer. Else the two
// candidates are neighbours, and the exact decimal number is compared with the point half-way
// between them in a fixed-size big integer.

#include "dtoa.h"

#include <math.h>
#include <string.h>

typedef unsigned __int128 u128;

#define KEEP         19  // digits in the machine word
#define EXACT_DIGITS 780 // a point half-way between two doubles has at most 768 significant digits
#define EXP_CAP      100000000

#define INF_BITS (UINT64_C(0x7ff) << 52)

static double from_bits(uint64_t b)
{
    double x;
    memcpy(&x, &b, sizeof x);
    return x;
}

// ---- a big integer of fixed size; see compare_half for why it is large enough

#define BIG_WORDS 96

struct big {
    int n;
    uint64_t w[BIG_WORDS];
};

static void big_mul_add(struct big *b, uint64_t m, uint64_t add)
{
    for (int i = 0; i < b->n; i++) {
        u128 t = (u128)b->w[i] * m + add;
        b->w[i] = (uint64_t)t;
        add = (uint64_t)(t >> 64);
    }
    if (add && b->n < BIG_WORDS) b->w[b->n++] = add;
}

static void big_mul_pow5(struct big *b, int k)
{
    for (; k >= 27; k -= 27) big_mul_add(b, UINT64_C(7450580596923828125), 0);
    uint64_t m = 1;
    for (; k > 0; k--) m *= 5;
    big_mul_add(b, m, 0);
}

static void big_shift(struct big *b, int bits)
{
    int words = bits / 64, sh = bits % 64;
    if (b->n == 0 || b->n + words + 1 > BIG_WORDS) return;
    memmove(b->w + words, b->w, (size_t)b->n * sizeof b->w[0]);
    memset(b->w, 0, (size_t)words * sizeof b->w[0]);
    b->n += words;
    if (sh) {
        uint64_t carry = 0;
        for (int i = words; i < b->n; i++) {
            uint64_t w = b->w[i];
            b->w[i] = w << sh | carry;
            carry = w >> (64 - sh);
        }
        if (carry) b->w[b->n++] = carry;
    }
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (int i = a->n - 1; i >= 0; i--) {
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    }
    return 0;
}

// ---- the decimal number as scanned

struct decimal {
    const char *digits, *end; // the mantissa's text: digits, at most one point, underscores
    bool negative;
    bool more;   // nonzero digits were cut off from w
    uint64_t w;  // its first significant digits, at most KEEP
    int64_t exp; // value = w * 10**exp when nothing was cut off
};

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

static struct decimal scan(const char *s, size_t n)
{
    struct decimal d = {0};
    const char *p = s, *end = s + n;
    if (p < end && (*p == '-' || *p == '+')) d.negative = *p++ == '-';
    d.digits = p;
    bool point = false;
    int kept = 0;
    for (; p < end; p++) {
        if (is_digit(*p)) {
            if (kept < KEEP) {
                d.w = d.w * 10 + (uint64_t)(*p - '0');
                kept += d.w != 0;
                d.exp -= point;
            } else {
                d.more |= *p != '0';
                d.exp += !point;
            }
        } else if (*p == '.') {
            point = true;
        } else if (*p != '_') {
            break;
        }
    }
    d.end = p;
    if (p < end && (*p == 'e' || *p == 'E')) {
        bool minus = false;
        int64_t x = 0;
        p++;
        if (p < end && (*p == '-' || *p == '+')) minus = *p++ == '-';
        for (; p < end && (is_digit(*p) || *p == '_'); p++) {
            // Beyond any text's length, so that the sum keeps its sign.
            if (*p != '_' && x < INT64_C(100000000000000000)) x = x * 10 + (*p - '0');
        }
        d.exp += minus ? -x : x;
    }
    if (d.exp > EXP_CAP) d.exp = EXP_CAP;
    if (d.exp < -EXP_CAP) d.exp = -EXP_CAP;
    return d;
}

// (hi:lo / 2**127) * 2**e2, hi's top bit set, plus a bit more if sticky, rounded to nearest even,
// as a double's bits.
static uint64_t round_128(uint64_t hi, uint64_t lo, int e2, bool sticky)
{
    if (e2 > 1023) return INF_BITS;
    int drop = 11; // bits of hi below the 53 we keep
    int biased = e2 + 1023;
    if (biased <= 0) {
        drop += 1 - biased;
        biased = 0;
        if (drop > 64) return 0; // below half of the least double
    }
    uint64_t kept = drop == 64 ? 0 : hi >> drop;
    uint64_t rest = drop == 64 ? hi : hi & ((UINT64_C(1) << drop) - 1);
    uint64_t half = UINT64_C(1) << (drop - 1);
    sticky |= lo != 0;
    if (rest > half || (rest == half && (sticky || (kept & 1)))) kept++;
    // The hidden bit adds one to the exponent field, and so does a carry out of the mantissa: both
    // as they should.
    if (biased) return ((uint64_t)(biased - 1) << 52) + kept;
    return kept;
}

// Compares the scanned number with the point half-way between the double `bits` and the next one.
static int compare_half(const struct decimal *d, uint64_t bits)
{
    struct big left = {0}, right = {0};
    bool more = false;
    int kept = 0, n = 0,
        cut = 0; // cut: digits taken here but not in w, which move the exponent down
    uint64_t chunk = 0, scale = 1;
    for (const char *p = d->digits; p < d->end; p++) {
        if (!is_digit(*p)) continue;
        int c = *p - '0';
        if (kept == EXACT_DIGITS) {
            more |= c != 0;
            continue;
        }
        kept += kept || c;
        cut += kept > KEEP;
        chunk = chunk * 10 + (uint64_t)c;
        scale *= 10;
        if (++n == KEEP) {
            big_mul_add(&left, scale, chunk);
            chunk = 0, scale = 1, n = 0;
        }
    }
    big_mul_add(&left, scale, chunk);
    int k = (int)(d->exp - cut);

    // left * 10**k against m * 2**e. Both are within one part in 2**50 of each other, and left <
    // 10**780, and 10**-345 < value < 10**310, so |k| < 1130 and no side needs more than 2**2700
    // once the powers of two cancel.
    uint64_t m = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52), e = -1074;
    if (biased) {
        m |= UINT64_C(1) << 52;
        e = biased - 1075;
    }
    right.w[0] = 2 * m + 1;
    right.n = 1;
    e -= 1;
    if (k >= 0) big_mul_pow5(&left, k);
    else big_mul_pow5(&right, -k);
    if (k >= e) big_shift(&left, k - e);
    else big_shift(&right, e - k);
    int c = big_compare(&left, &right);
    return c == 0 && more ? 1 : c;
}

// |d| as a double's bits.
static uint64_t nearest(const struct decimal *d)
{
    static const double exact[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->w == 0) return 0;
    if (d->exp > 308) return INF_BITS;
    if (d->exp < DTOA_POW10_MIN) return 0; // below 10**19 * 10**-343
    int k = (int)d->exp;
    if (!d->more && d->w <= UINT64_C(1) << 53 && k >= -22 && k <= 22) {
        double x = (double)d->w; // both operands are exact, so one rounding is made, the right one
        x = k < 0 ? x / exact[-k] : x * exact[k];
        uint64_t bits;
        memcpy(&bits, &x, sizeof bits);
        return bits;
    }
    // low <= |d| * 2**s <= low + slack, in units of 2**-64 of the 128-bit number below.
    struct dtoa_pow10 t = dtoa_pow10_table[k - DTOA_POW10_MIN];
    int lz = __builtin_clzll(d->w);
    uint64_t w = d->w << lz;
    u128 a = (u128)w * t.lo, b = (u128)w * t.hi + (uint64_t)(a >> 64);
    bool exact_low = dtoa_pow10_exact(k) && !d->more;
    // The product of two numbers below one has its top bit at 2**-1 or 2**-2.
    int e2 = 64 + 127 - lz + dtoa_pow10_exp(k);
    u128 low = b;
    uint64_t frac = (uint64_t)a;
    if (low >> 127 == 0) {
        low = low << 1 | frac >> 63;
        frac <<= 1;
        e2--;
    }
    uint64_t first = round_128((uint64_t)(low >> 64), (uint64_t)low, e2, frac != 0 || !exact_low);
    if (exact_low) return first;
    // The cut of 10**k adds less than w * 2 units of 2**-64, so under 2; cut digits add one unit of
    // d->w times 10**k, which is under 2**lz * 2**65 / 2**64 units of 1 in `b`.
    u128 slack = 4;
    if (d->more) slack += (u128)4 << lz << 64;
    u128 high = low + slack;
    uint64_t second;
    if (high < low) // carried out of 128 bits
        second = round_128((uint64_t)(high >> 65) | UINT64_C(1) << 63, (uint64_t)(high >> 1), e2 + 1, true);
    else second = round_128((uint64_t)(high >> 64), (uint64_t)high, e2, true);
    if (first == second) return first;
    int c = compare_half(d, first);
    if (c == 0) return first + (first & 1);
    return c < 0 ? first : first + 1;
}

double dtoa_parse(const char *s, size_t n)
{
    struct decimal d = scan(s, n);
    return from_bits(nearest(&d) | (uint64_t)d.negative << 63);
}

// ---- checked text

static bool same_word(const char *s, size_t n, const char *word)
{
    if (n != strlen(word)) return false;
    for (size_t i = 0; i < n; i++) {
        if ((s[i] | 0x20) != word[i]) return false;
    }
    return true;
}

// Skips digits with single underscores between them; how many digits there were, or -1 for a
// misplaced underscore.
static long skip_digits(const char **p, const char *end)
{
    long n = 0;
    bool under = false;
    for (; *p < end; (*p)++) {
        if (is_digit(**p)) {
            n++;
            under = false;
        } else if (**p == '_') {
            if (n == 0 || under) return -1;
            under = true;
        } else {
            break;
        }
    }
    return under ? -1 : n;
}

static bool check(const char *p, const char *end)
{
    long whole = skip_digits(&p, end), frac = 0;
    if (whole < 0) return false;
    if (p < end && *p == '.') {
        p++;
        frac = skip_digits(&p, end);
    }
    if (frac < 0 || whole + frac == 0) return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        if (skip_digits(&p, end) <= 0) return false;
    }
    return p == end;
}

bool dtoa_parse_text(const char *s, size_t n, double *out)
{
    const char *p = s, *end = s + n;
    bool negative = false;
    if (p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
    if (p == end) return false;
    size_t rest = (size_t)(end - p);
    if (same_word(p, rest, "inf") || same_word(p, rest, "infinity")) {
        *out = from_bits(INF_BITS | (uint64_t)negative << 63);
        return true;
    }
    if (same_word(p, rest, "nan")) {
        *out = from_bits(UINT64_C(0x7ff8) << 48 | (uint64_t)negative << 63);
        return true;
    }
    if (!check(p, end)) return false;
    *out = dtoa_parse(s, n);
    return true;
}

// ---- hexadecimal

static int hex_value(char c)
{
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

enum dtoa_hex_status dtoa_parse_hex(const char *s, size_t n, double *out)
{
    const char *p = s, *end = s + n;
    while (p < end && is_space(*p)) p++;
    while (p < end && is_space(end[-1])) end--;
    size_t rest;
    bool negative = false;
    if (p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
    rest = (size_t)(end - p);
    uint64_t sign = (uint64_t)negative << 63;
    if (same_word(p, rest, "inf") || same_word(p, rest, "infinity")) {
        *out = from_bits(INF_BITS | sign);
        return DTOA_HEX_OK;
    }
    if (same_word(p, rest, "nan")) {
        *out = from_bits(UINT64_C(0x7ff8) << 48 | sign);
        return DTOA_HEX_OK;
    }
    if (rest >= 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) p += 2;

    // The first 16 significant digits, the rest as one sticky bit.
    uint64_t w = 0;
    int64_t exp = 0;
    bool point = false, sticky = false, any = false;
    for (; p < end; p++) {
        int v = hex_value(*p);
        if (v >= 0) {
            any = true;
            if (w >> 60) {
                sticky |= v != 0;
                exp += point ? 0 : 4;
            } else {
                w = w << 4 | (uint64_t)v;
                exp -= point ? 4 : 0;
            }
        } else if (*p == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    if (!any) return DTOA_HEX_SYNTAX;
    if (p < end && (*p == 'p' || *p == 'P')) {
        bool minus = false;
        int64_t x = 0;
        p++;
        if (p < end && (*p == '+' || *p == '-')) minus = *p++ == '-';
        if (p == end || !is_digit(*p)) return DTOA_HEX_SYNTAX;
        for (; p < end && is_digit(*p); p++) {
            if (x < INT64_C(100000000000000000)) x = x * 10 + (*p - '0');
        }
        exp += minus ? -x : x;
    }
    if (p != end) return DTOA_HEX_SYNTAX;
    uint64_t bits = 0;
    if (w) {
        int lz = __builtin_clzll(w);
        w <<= lz;
        exp += 63 - lz;
        if (exp > 1023) return DTOA_HEX_OVERFLOW;
        if (exp >= -1076) bits = round_128(w, 0, (int)exp, sticky);
        if (bits == INF_BITS) return DTOA_HEX_OVERFLOW;
    }
    *out = from_bits(bits | sign);
    return DTOA_HEX_OK;
}
