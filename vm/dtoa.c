// double -> text: shortest digits, digits to a given precision, and their layout. See dtoa.h.
//
// Digits are made in one of three ways, all exact:
//   - shortest: the Schubfach method (Raffaele Giulietti): scale the double and the two borders of
//   its rounding interval
//     by one 128-bit power of ten, kept to two extra bits and a sticky bit, and pick the shortest
//     decimal inside;
//   - to a precision, fast: an integer product whose error is known; if the error could change the
//   rounding, it says so;
//   - to a precision, exact: the double's whole decimal expansion (at most 767 digits matter) by a
//   few machine words.

#include "dtoa.h"

#include <math.h>
#include <string.h>

typedef unsigned __int128 u128;

#define DIGITS_MAX 1120 // 1074 digits after the point, plus one chunk of 19 past the end
#define CHUNK      19   // decimal digits that fit in 64 bits
#define TEN_19     10000000000000000000u

// A decimal number 0.d1 d2 ... dn * 10**point. n = 0 is zero. Trailing zeros are dropped.
struct digits {
    int n;
    int point;
    char d[DIGITS_MAX];
};

const struct dtoa_pow10 dtoa_pow10_table[DTOA_POW10_MAX - DTOA_POW10_MIN + 1] = {
#define POW10(k, hi, lo) [(k)-DTOA_POW10_MIN] = {hi, lo},
#include "dtoa_pow10.def"
#undef POW10
};

static const uint64_t ten_to[20] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u,
    10000000000000000000u,
};

static inline uint64_t double_bits(double x)
{
    uint64_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

// |x| = f * 2**e for a finite x.
static inline void split(double x, uint64_t *f, int *e)
{
    uint64_t b = double_bits(x);
    int biased = (int)(b >> 52 & 0x7ff);
    *f = b & ((UINT64_C(1) << 52) - 1);
    if (biased) {
        *f |= UINT64_C(1) << 52;
        *e = biased - 1075;
    } else {
        *e = -1074;
    }
}

// ---- digits of machine integers

static int count_digits(uint64_t v)
{
    int guess = v ? ((64 - __builtin_clzll(v)) * 1233) >> 12 : 0; // floor(bits * log10(2))
    return guess + (guess > 19 || v >= ten_to[guess]);
}

static void write_digits(char *p, uint64_t v, int n)
{
    while (n >= 2) {
        unsigned two = (unsigned)(v % 100);
        v /= 100;
        p[--n] = (char)('0' + two % 10);
        p[--n] = (char)('0' + two / 10);
    }
    if (n) p[0] = (char)('0' + v % 10);
}

static void drop_zeros(struct digits *d)
{
    while (d->n && d->d[d->n - 1] == '0') d->n--;
}

// d = v * 10**exp10
static void digits_from_u64(struct digits *d, uint64_t v, int exp10)
{
    d->n = v ? count_digits(v) : 0;
    write_digits(d->d, v, d->n);
    d->point = d->n + exp10;
    drop_zeros(d);
}

static void digits_from_u128(struct digits *d, u128 v, int exp10)
{
    if (v >> 64 == 0) {
        digits_from_u64(d, (uint64_t)v, exp10);
        return;
    }
    u128 top = v / TEN_19;
    uint64_t low = (uint64_t)(v % TEN_19);
    uint64_t mid = (uint64_t)(top % TEN_19), high = (uint64_t)(top / TEN_19);
    int n = 0;
    if (high) {
        n = count_digits(high);
        write_digits(d->d, high, n);
        write_digits(d->d + n, mid, CHUNK);
        n += CHUNK;
    } else {
        n = count_digits(mid);
        write_digits(d->d, mid, n);
    }
    write_digits(d->d + n, low, CHUNK);
    d->n = n + CHUNK;
    d->point = d->n + exp10;
    drop_zeros(d);
}

// ---- shortest

// floor(g * c / 2**128) with its last bit set when anything was cut off: enough to compare with any
// multiple of 2.
static inline uint64_t scale_to_odd(struct dtoa_pow10 g, uint64_t c)
{
    u128 low = (u128)g.lo * c;
    u128 sum = (u128)g.hi * c + (uint64_t)(low >> 64);
    return (uint64_t)(sum >> 64) | ((uint64_t)sum > 1);
}

// The shortest decimal *s * 10**result that lies in the rounding interval of f * 2**e, the nearest
// one if several do.
static int shortest(uint64_t f, int e, uint64_t *s)
{
    // At a power of two the interval below is half as wide.
    bool uneven = f == UINT64_C(1) << 52 && e > -1074;
    uint64_t odd = f & 1; // an odd double doesn't own the borders of its interval
    int k = (int)(((int64_t)e * 1262611 - (uneven ? 524031 : 0)) >> 22); // floor(log10(2**e or 3/4 * 2**e))
    int h = e + dtoa_floor_log2_pow10(-k) + 1;
    struct dtoa_pow10 g = dtoa_pow10_table[-k - DTOA_POW10_MIN];
    if (!dtoa_pow10_exact(-k)) { // the method wants it rounded up
        g.lo++;
        g.hi += g.lo == 0;
    }
    uint64_t low = scale_to_odd(g, (4 * f - 2 + uneven) << h) + odd;
    uint64_t v = scale_to_odd(g, (4 * f) << h);
    uint64_t high = scale_to_odd(g, (4 * f + 2) << h) - odd;

    // All three are in quarters of 10**k. Try one digit less, then this many digits.
    uint64_t q = v / 4;
    if (q >= 10) {
        uint64_t t = q / 10;
        bool below = low <= 40 * t, above = 40 * t + 40 <= high;
        if (below != above) {
            *s = t + above;
            return k + 1;
        }
    }
    bool below = low <= 4 * q, above = 4 * q + 4 <= high;
    if (below != above) {
        *s = q + above;
        return k;
    }
    uint64_t mid = 4 * q + 2;
    *s = q + (v > mid || (v == mid && (q & 1)));
    return k;
}

static void digits_shortest(struct digits *d, uint64_t f, int e)
{
    if (e <= 0 && e > -53 && (f & ((UINT64_C(1) << -e) - 1)) == 0) { // a small integer is its own shortest form
        digits_from_u64(d, f >> -e, 0);
        return;
    }
    uint64_t s;
    int k = shortest(f, e, &s);
    digits_from_u64(d, s, k);
}

// ---- exact expansion

// Drops all digits from index keep on, rounding half to even; rest says that nonzero digits follow
// the ones we have.
static void round_digits(struct digits *d, int keep, bool rest)
{
    if (keep >= d->n) {
        drop_zeros(d);
        return;
    }
    bool up = false;
    if (keep >= 0) {
        char c = d->d[keep];
        if (c != '5') {
            up = c > '5';
        } else {
            for (int i = keep + 1; i < d->n && !rest; i++) rest = d->d[i] != '0';
            up = rest || (keep > 0 && (d->d[keep - 1] & 1));
        }
    }
    d->n = keep < 0 ? 0 : keep;
    if (!up) {
        drop_zeros(d);
        return;
    }
    while (d->n && d->d[d->n - 1] == '9') d->n--;
    if (d->n) {
        d->d[d->n - 1]++;
    } else {
        d->d[0] = '1';
        d->n = 1;
        d->point++;
    }
}

// Appends n digits of v; leading zeros only move the point.
static void append(struct digits *d, uint64_t v, int n)
{
    if (d->n == 0) {
        int real = v ? count_digits(v) : 0;
        d->point -= n - real;
        n = real;
    }
    write_digits(d->d + d->n, v, n);
    d->n += n;
}

// The expansion of f * 2**e, e >= 0, all of it.
static void expand_integer(struct digits *d, uint64_t f, int e)
{
    uint64_t w[18] = {0}, chunk[18];
    int top = e / 64, sh = e % 64, chunks = 0;
    w[top] = f << sh;
    w[top + 1] = sh ? f >> (64 - sh) : 0;
    for (top++; top >= 0;) {
        uint64_t r = 0;
        for (int i = top; i >= 0; i--) {
            u128 cur = (u128)r << 64 | w[i];
            w[i] = (uint64_t)(cur / TEN_19);
            r = (uint64_t)(cur % TEN_19);
        }
        chunk[chunks++] = r;
        while (top >= 0 && w[top] == 0) top--;
    }
    d->n = 0;
    d->point = chunks * CHUNK;
    while (chunks--) append(d, chunk[chunks], CHUNK);
}

// Enough of the expansion of f * 2**e, e < 0, to round at `limit`, which counts digits after the
// point (significant false) or all digits. Returns whether anything but zeros follows.
static bool expand_fraction(struct digits *d, uint64_t f, int e, int limit, bool significant)
{
    uint64_t w[18] = {0}, whole = 0;
    int bits = -e, words = (bits + 63) / 64, low = 0;
    if (bits < 64) {
        whole = f >> bits;
        f &= (UINT64_C(1) << bits) - 1;
    }
    // The fraction, as f / 2**bits with its bits moved to the top of `words` words. f has at most
    // 53 bits.
    int sh = words * 64 - bits;
    w[0] = f << sh;
    if (words > 1) w[1] = sh ? f >> (64 - sh) : 0;
    d->n = 0;
    d->point = 0;
    if (whole) {
        append(d, whole, count_digits(whole));
        d->point = d->n;
    }
    int after = 0;
    for (;;) {
        while (low < words && w[low] == 0) low++;
        if (low == words) return false;
        if ((significant ? d->n : after) > limit || d->n + CHUNK > DIGITS_MAX) return true;
        uint64_t carry = 0;
        for (int i = low; i < words; i++) {
            u128 cur = (u128)w[i] * TEN_19 + carry;
            w[i] = (uint64_t)cur;
            carry = (uint64_t)(cur >> 64);
        }
        append(d, carry, CHUNK);
        after += CHUNK;
    }
}

// ---- to a number of digits

// n significant digits, 1 <= n <= 17, by one product; false when its error leaves the rounding
// open.
static bool significant_fast(struct digits *d, uint64_t f, int e, int n)
{
    int lz = __builtin_clzll(f);
    f <<= lz;
    e -= lz;
    int est = (int)(((int64_t)(e + 63) * 1262611) >> 22); // floor(log10(f * 2**e)), or one less
    for (int k = n - 1 - est;; k--) {
        if (k > DTOA_POW10_MAX || k < DTOA_POW10_MIN) return false;
        // f * 2**e * 10**k = (p2 * 2**128 + p1 * 2**64 + p0) / 2**sh, or up to 2**64 units more if
        // 10**k was cut.
        struct dtoa_pow10 t = dtoa_pow10_table[k - DTOA_POW10_MIN];
        int sh = -(e + dtoa_pow10_exp(k)) - 128;
        if (sh < 1 || sh > 63) return false;
        u128 a = (u128)f * t.lo, b = (u128)f * t.hi + (uint64_t)(a >> 64);
        uint64_t p2 = (uint64_t)(b >> 64), p1 = (uint64_t)b, p0 = (uint64_t)a;
        uint64_t whole = p2 >> sh;
        if (whole >= ten_to[n]) continue;
        uint64_t rest = p2 & ((UINT64_C(1) << sh) - 1), half = UINT64_C(1) << (sh - 1);
        if (dtoa_pow10_exact(k)) {
            if (rest > half || (rest == half && (p1 | p0 | (whole & 1)))) whole++;
        } else if (rest >= half) {
            whole++; // the true value is above the product, so no tie is possible
        } else if (rest == half - 1 && p1 == UINT64_MAX) {
            return false;
        }
        digits_from_u64(d, whole, -k);
        return true;
    }
}

static void digits_significant(struct digits *d, uint64_t f, int e, int n)
{
    if (n <= 17 && significant_fast(d, f, e, n)) return;
    bool rest = false;
    if (e >= 0) expand_integer(d, f, e);
    else rest = expand_fraction(d, f, e, n, true);
    round_digits(d, n, rest);
}

// f * 2**e rounded at 10**-places, as one 128-bit integer when 10**places * f fits.
static bool places_fast(struct digits *d, uint64_t f, int e, int places)
{
    if (places < 0 || places > 27) return false;
    u128 v = f; // below 2**53, so v * 5**27 < 2**116
    int fives = places;
    static const uint64_t five_9 = 1953125;
    for (; fives >= 9; fives -= 9) v *= five_9;
    for (; fives > 0; fives--) v *= 5;
    int sh = e + places;
    if (sh >= 0) {
        if (sh > 12) return false;
        v <<= sh;
    } else if (sh <= -128) {
        v = 0; // below half
    } else {
        u128 rest = v & (((u128)1 << -sh) - 1), half = (u128)1 << (-sh - 1);
        v >>= -sh;
        v += rest > half || (rest == half && (v & 1));
    }
    digits_from_u128(d, v, -places);
    return true;
}

static void digits_places(struct digits *d, uint64_t f, int e, int places)
{
    if (places_fast(d, f, e, places)) return;
    bool rest = false;
    if (e >= 0) expand_integer(d, f, e);
    else rest = expand_fraction(d, f, e, places, false);
    // For negative places and a small number `keep` may be below zero: then nothing is left.
    round_digits(d, d->point + places, rest);
}

// ---- layout

// What is to be written: sign, `whole` digits before and `frac` after the point, exponent if any.
struct layout {
    char sign; // 0 for none
    bool point;
    bool exponent;
    int whole, frac;
    int first; // index of the first digit before the point; digits outside of 0..n are '0'
    int exp;
    char e;
};

static int exponent_digits(int exp)
{
    int a = exp < 0 ? -exp : exp;
    return a >= 100 ? 3 : 2;
}

static size_t layout_length(const struct layout *l)
{
    size_t n = (l->sign != 0) + (size_t)l->whole + (size_t)l->frac + l->point;
    if (l->exponent) n += 2 + (size_t)exponent_digits(l->exp);
    return n;
}

// Writes the digits from index i to i + n.
static char *copy_digits(char *p, const struct digits *d, int i, int n)
{
    int zeros = i < 0 ? -i : 0;
    if (zeros > n) zeros = n;
    memset(p, '0', (size_t)zeros);
    p += zeros, i += zeros, n -= zeros;
    int real = i < d->n ? d->n - i : 0;
    if (real > n) real = n;
    memcpy(p, d->d + (real ? i : 0), (size_t)real);
    p += real, n -= real;
    memset(p, '0', (size_t)n);
    return p + n;
}

static void write_layout(char *p, const struct layout *l, const struct digits *d)
{
    if (l->sign) *p++ = l->sign;
    p = copy_digits(p, d, l->first, l->whole);
    if (l->point) *p++ = '.';
    p = copy_digits(p, d, l->first + l->whole, l->frac);
    if (l->exponent) {
        int a = l->exp < 0 ? -l->exp : l->exp;
        *p++ = l->e;
        *p++ = l->exp < 0 ? '-' : '+';
        write_digits(p, (uint64_t)a, exponent_digits(l->exp));
    }
}

static int max_int(int a, int b) { return a > b ? a : b; }

static size_t format_special(char *buf, size_t size, double x, bool upper, unsigned flags)
{
    char text[4];
    size_t n = 0;
    bool nan = isnan(x);
    if (!nan && signbit(x)) text[n++] = '-';
    else if (flags & DTOA_SIGN) text[n++] = '+';
    memcpy(text + n, nan ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf"), 3);
    n += 3;
    if (n <= size) memcpy(buf, text, n);
    return n;
}

size_t dtoa_format(char *buf, size_t size, double x, char mode, int precision, unsigned flags)
{
    bool upper = mode >= 'A' && mode <= 'Z';
    if (upper) mode = (char)(mode + 'a' - 'A');
    if (!isfinite(x)) return format_special(buf, size, x, upper, flags);
    if (precision < 0) precision = 0;
    if (precision > DTOA_PRECISION_MAX) precision = DTOA_PRECISION_MAX;
    if (mode == 'g' && precision == 0) precision = 1;

    uint64_t f;
    int e;
    struct digits d;
    split(x, &f, &e);
    if (f == 0) d.n = 0;
    else if (mode == 'r') digits_shortest(&d, f, e);
    else if (mode == 'f') digits_places(&d, f, e, precision);
    else digits_significant(&d, f, e, mode == 'e' ? precision + 1 : precision);
    if (d.n == 0) d.point = 1; // zero is written as one digit before the point

    struct layout l = {.e = upper ? 'E' : 'e'};
    if (signbit(x) && !(d.n == 0 && (flags & DTOA_NO_NEG_0))) l.sign = '-';
    else if (flags & DTOA_SIGN) l.sign = '+';
    int dot_0 = flags & DTOA_DOT_0 ? 1 : 0;
    if (mode == 'e') l.exponent = true;
    else if (mode == 'g') l.exponent = d.point <= -4 || d.point > precision - dot_0;
    else if (mode == 'r') l.exponent = d.point <= -4 || d.point > 16;
    if (l.exponent) {
        l.whole = 1;
        l.exp = d.point - 1;
    } else {
        l.whole = max_int(d.point, 1);
        l.first = d.point <= 0 ? d.point - 1 : 0;
    }
    int shown = max_int(l.first + l.whole, d.n) - (l.first + l.whole); // digits we have after the point
    if (mode == 'e' || mode == 'f') l.frac = precision;
    else if (mode == 'g' && (flags & DTOA_ALT)) l.frac = max_int(precision - (l.first + l.whole), 0);
    else l.frac = l.exponent ? shown : max_int(shown, dot_0);
    l.point = l.frac > 0 || (flags & DTOA_ALT);

    size_t n = layout_length(&l);
    if (n <= size) write_layout(buf, &l, &d);
    return n;
}

size_t dtoa_repr(char buf[DTOA_REPR_MAX], double x) { return dtoa_format(buf, DTOA_REPR_MAX, x, 'r', 0, DTOA_DOT_0); }

double dtoa_round(double x, int places)
{
    if (!isfinite(x) || x == 0 || places > 323) return x;
    if (places < -309) return copysign(0.0, x);
    uint64_t f;
    int e;
    struct digits d;
    split(x, &f, &e);
    digits_places(&d, f, e, places);
    if (d.n == 0) return copysign(0.0, x);
    char text[DIGITS_MAX + 16];
    struct layout l = {.sign = signbit(x) ? '-' : 0, .exponent = true, .e = 'e', .whole = 1};
    l.frac = d.n - 1;
    l.point = l.frac > 0;
    l.exp = d.point - 1;
    size_t n = layout_length(&l);
    write_layout(text, &l, &d);
    return dtoa_parse(text, n);
}

// ---- hexadecimal

size_t dtoa_hex(char buf[DTOA_HEX_MAX], double x)
{
    if (!isfinite(x)) return format_special(buf, DTOA_HEX_MAX, x, false, 0);
    uint64_t b = double_bits(x), f = b & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(b >> 52 & 0x7ff);
    char *p = buf;
    if (signbit(x)) *p++ = '-';
    *p++ = '0';
    *p++ = 'x';
    *p++ = biased ? '1' : '0';
    *p++ = '.';
    int exp = 0;
    if (f == 0 && biased == 0) {
        *p++ = '0';
    } else {
        for (int sh = 48; sh >= 0; sh -= 4) *p++ = "0123456789abcdef"[f >> sh & 15];
        exp = biased ? biased - 1023 : -1022;
    }
    *p++ = 'p';
    *p++ = exp < 0 ? '-' : '+';
    uint64_t a = (uint64_t)(exp < 0 ? -exp : exp);
    int n = a ? count_digits(a) : 1;
    write_digits(p, a, n);
    return (size_t)(p + n - buf);
}
