/* int <-> text.
 *
 * Bases that are powers of two move bits. Decimal goes by chunks of 18 digits, which is quadratic
 * but cheap, up to some thousand digits; beyond that by halves: divide by (or multiply with)
 * 10**(18 * 2**k). With the limit on the number of digits in place (4300, as CPython has it) only
 * the first kind of work is ever done.
 */
#include "int.h"

#include "str.h"

#include <utf8proc.h>

#define CHUNK        18 /* decimal digits in a 60-bit digit */
#define CHUNK_VALUE  UINT64_C(1000000000000000000)
#define SPLIT_DIGITS 300 /* longer numbers are halved */
#define LEVELS       32

/* ---- powers for the divide-and-conquer conversions ---- */

/* level k holds 10**(18 * 2**k). */
struct powers {
    uint64_t *d[LEVELS];
    size_t n[LEVELS];
    int count;
};

static void powers_free(vm *vm, struct powers *p)
{
    for (int i = 0; i < p->count; i++) mem_free(vm, p->d[i], 2 * ((size_t)1 << i) * sizeof(uint64_t));
    p->count = 0;
}

/* Adds levels until the top one has at least `digits` digits of its own, or half of them (for
 * splitting). */
static bool powers_make(vm *vm, struct powers *p, size_t digits)
{
    while (p->count == 0 || (p->n[p->count - 1] * 2 < digits && p->count < LEVELS)) {
        int k = p->count;
        size_t room = 2 * ((size_t)1 << k);
        uint64_t *d = mem_alloc(vm, room * sizeof *d);
        if (!d) return false;
        p->d[k] = d;
        p->count++;
        if (k == 0) {
            d[0] = CHUNK_VALUE;
            p->n[0] = 1;
            continue;
        }
        size_t n = p->n[k - 1];
        if (!int_charge(vm, digits_mul_cost(n, n)) || !digits_mul(vm, d, p->d[k - 1], n, p->d[k - 1], n)) return false;
        p->n[k] = digits_trim(d, 2 * n);
    }
    return true;
}

/* ---- printing ---- */

static char *put_chunk(char *end, uint64_t v)
{
    uint32_t low = (uint32_t)(v % 1000000000), high = (uint32_t)(v / 1000000000); /* side by side */
    for (int i = 0; i < CHUNK / 2; i++) {
        *--end = (char)('0' + low % 10);
        end[-CHUNK / 2] = (char)('0' + high % 10);
        low /= 10;
        high /= 10;
    }
    return end - CHUNK / 2;
}

/* (*r * 2**60 + a) / CHUNK_VALUE, *r the remainder before and after. By the reciprocal of the divisor, shifted to have
 * its top bit (Moeller and Granlund, Improved division by invariant integers): two products, where the machine's
 * division holds up everything behind it. */
static inline uint64_t divide_by_chunk(uint64_t *r, uint64_t a)
{
    const uint64_t d = CHUNK_VALUE << 4, inverse = (uint64_t)(~(u128)0 / d - ((u128)1 << 64));
    uint64_t low = a << 4;
    u128 q = (u128)inverse * *r + ((u128)*r << 64 | low);
    uint64_t quotient = (uint64_t)(q >> 64) + 1, rest = low - quotient * d;
    if (rest > (uint64_t)q) {
        quotient--;
        rest += d;
    }
    if (UNLIKELY(rest >= d)) {
        quotient++;
        rest -= d;
    }
    *r = rest >> 4;
    return quotient;
}

/* Writes d (destroyed) in `width` decimal digits that end at `end`, zeros in front. */
static void print_chunks(char *end, size_t width, uint64_t *d, size_t n)
{
    char *start = end - width;
    while ((n = digits_trim(d, n)) > 0) {
        uint64_t chunk = 0, next = 0;
        if (n > 1) { /* two at once: their divisions don't wait for each other */
            for (size_t i = n; i-- > 0;) d[i] = divide_by_chunk(&next, divide_by_chunk(&chunk, d[i]));
            if (end - start >= 2 * CHUNK) {
                end = put_chunk(put_chunk(end, chunk), next);
                continue;
            }
            if (end - start >= CHUNK) {
                end = put_chunk(end, chunk);
                chunk = next;
            }
        } else {
            chunk = d[0] % CHUNK_VALUE;
            d[0] /= CHUNK_VALUE;
        }
        if (end - start >= CHUNK) {
            end = put_chunk(end, chunk);
        } else {
            while (end > start) {
                *--end = (char)('0' + chunk % 10);
                chunk /= 10;
            }
        }
    }
    memset(start, '0', (size_t)(end - start));
}

static bool print_halves(vm *vm, struct powers *p, int level, char *end, size_t width, uint64_t *d, size_t n)
{
    n = digits_trim(d, n);
    while (level >= 0 && (n < p->n[level] || (size_t)CHUNK << level >= width)) level--;
    if (n <= SPLIT_DIGITS || level < 0) {
        if (!int_charge(vm, n * n)) return false;
        print_chunks(end, width, d, n);
        return true;
    }
    size_t np = p->n[level], low = (size_t)CHUNK << level, nq = n - np + 1;
    uint64_t *q = mem_alloc(vm, (nq + np) * sizeof *q);
    if (!q) return false;
    bool ok = digits_divide(vm, q, q + nq, d, n, p->d[level], np) &&
              print_halves(vm, p, level - 1, end, low, q + nq, np) &&
              print_halves(vm, p, level, end - low, width - low, q, nq);
    mem_free(vm, q, (nq + np) * sizeof *q);
    return ok;
}

static value too_many_digits(vm *vm)
{
    return raise_value_error(vm,
                             "Exceeds the limit (%d digits) for integer string conversion; "
                             "use sys.set_int_max_str_digits() to increase the limit",
                             (int)vm->limits.int_str_digits);
}

static str *decimal(vm *vm, value v)
{
    uint64_t bits = int_bit_length(v), cap = vm->limits.int_str_digits;
    /* 0.30102 < log10(2) < 0.30104 */
    if (cap && (bits - 1) / 100000 * 30102 > cap) {
        too_many_digits(vm);
        return NULL;
    }
    size_t width = (size_t)((bits + 1) * 30104 / 100000 + 2), n;
    struct int_view w;
    int_view_of(&w, v);
    n = (size_t)w.used;
    bool negative = w.sign;
    size_t room = width + 1, digits_size = n * sizeof(uint64_t);
    uint64_t few[16], *d = few;
    char small[16 * 19 + 4], *text = small;
    bool big = n > 16;
    if (big) {
        d = mem_alloc(vm, digits_size);
        text = d ? mem_alloc(vm, room) : NULL;
    }
    str *s = NULL;
    if (!text) goto done;
    memcpy(d, w.d, digits_size); /* from here on the object may go */
    struct powers p = {.count = 0};
    bool ok = n <= SPLIT_DIGITS || powers_make(vm, &p, n);
    ok = ok && print_halves(vm, &p, p.count - 1, text + room, width, d, n);
    powers_free(vm, &p);
    if (!ok) goto done;
    char *start = text + 1, *end = text + room;
    while (start < end - 1 && *start == '0') start++;
    if (cap && (uint64_t)(end - start) > cap) {
        too_many_digits(vm);
        goto done;
    }
    if (negative) *--start = '-';
    s = str_from_ascii(vm, start, (size_t)(end - start));
done:
    if (big) {
        mem_free(vm, text, text ? room : 0);
        mem_free(vm, d, d ? digits_size : 0);
    }
    return s;
}

static str *power_of_two(vm *vm, value v, unsigned bits_each)
{
    struct int_view w;
    int_view_of(&w, v);
    size_t n = (size_t)((int_bit_length(v) + bits_each - 1) / bits_each);
    n += n == 0;
    char small[80], *text = small;
    size_t room = n + 1;
    if (room > sizeof small && !(text = mem_alloc(vm, room))) return NULL;
    /* 1 to 5 divide 60, so a text digit never straddles two of ours. */
    char *p = text + room;
    for (size_t i = 0; p > text + 1; i++) {
        uint64_t d = i < (size_t)w.used ? w.d[i] : 0;
        for (unsigned k = DIGIT_BITS / bits_each; k && p > text + 1; k--, d >>= bits_each)
            *--p = "0123456789abcdef"[d & ((1u << bits_each) - 1)];
    }
    text[0] = '-';
    str *s = str_from_ascii(vm, text + !w.sign, n + (size_t)w.sign);
    if (text != small) mem_free(vm, text, room);
    return s;
}

str *int_to_str(vm *vm, value v, int base)
{
    v = int_plain(vm, v);
    int64_t n;
    if (base != 10) return power_of_two(vm, v, base == 16 ? 4 : base == 8 ? 3 : 1);
    if (!int_to_i64(vm, v, &n)) return decimal(vm, v);
    if (n >= 0 && n < 10) return vm->chars['0' + n];
    char buf[21];
    unsigned len = u64_digits(buf + 1, n < 0 ? -(uint64_t)n : (uint64_t)n);
    if (n < 0) buf[21 - ++len] = '-';
    return str_from_ascii(vm, buf + 21 - len, len);
}

/* ---- reading ---- */

static inline unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? (unsigned)(c - 'a') + 10 : 99;
}

/* The text's digits in order, underscores skipped. */
struct reader {
    const char *p;
    unsigned base;
};

static inline unsigned next_digit(struct reader *r)
{
    while (*r->p == '_') r->p++;
    return digit_value(*r->p++);
}

static value read_power_of_two(vm *vm, struct reader *r, size_t count, unsigned bits_each, bool negative)
{
    if (!int_charge(vm, count / 8)) return V_ERROR;
    size_t used = (count * bits_each + DIGIT_BITS - 1) / DIGIT_BITS, at = count * bits_each;
    bigint *b = big_new(vm, used);
    if (!b) return V_ERROR;
    for (size_t i = 0; i < count; i++) {
        uint64_t v = next_digit(r);
        at -= bits_each;
        b->digits[at / DIGIT_BITS] |= v << at % DIGIT_BITS;
    }
    b->sign = negative;
    return big_done(vm, b);
}

/* Eight decimal digits at once, neighbours put together three times; false: there is an underscore among them. */
static inline bool eight_digits(const char *p, uint32_t *out)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t v;
    memcpy(&v, p, 8);
    if (UNLIKELY(v & UINT64_C(0x4040404040404040))) return false; /* '_' is 0x5F, digits are 0x30 to 0x39 */
    v = (v & UINT64_C(0x0F0F0F0F0F0F0F0F)) * (10 * 256 + 1) >> 8;
    v = (v & UINT64_C(0x00FF00FF00FF00FF)) * (100 * 65536 + 1) >> 16;
    *out = (uint32_t)((v & UINT64_C(0x0000FFFF0000FFFF)) * ((UINT64_C(10000) << 32) + 1) >> 32);
    return true;
#else
    (void)p, (void)out;
    return false;
#endif
}

/* The next `count` digits into d, which has room; *n digits used. Quadratic. */
static bool read_chunks(vm *vm, struct reader *r, size_t count, uint64_t *d, size_t *n)
{
    uint64_t full = r->base;
    size_t each = 1;
    for (; full <= DIGIT_MASK / r->base; each++) full *= r->base;
    *n = 0;
    while (count) {
        uint64_t chunk = 0, scale = full;
        size_t take = count < each ? count : each;
        if (r->base == 10) {
            size_t i = 0;
            for (uint32_t eight; take - i >= 8 && eight_digits(r->p, &eight); i += 8, r->p += 8)
                chunk = chunk * 100000000 + eight;
            for (; i < take; i++) chunk = chunk * 10 + next_digit(r);
        } else {
            for (size_t i = 0; i < take; i++) chunk = chunk * r->base + next_digit(r);
        }
        if (take < each) {
            scale = 1;
            for (size_t i = 0; i < take; i++) scale *= r->base;
        }
        count -= take;
        uint64_t carry = digits_mul_add_1(d, d, *n, scale, chunk);
        if (carry) d[(*n)++] = carry;
        if (*n > 256 && !int_charge(vm, *n)) return false;
    }
    return true;
}

/* The same in halves, decimal; d has room for count / 18 + 2 digits. */
static bool read_halves(vm *vm, struct powers *p, struct reader *r, size_t count, uint64_t *d, size_t *n)
{
    int level = p->count - 1;
    while (level >= 0 && (size_t)CHUNK << level >= count) level--;
    if (count <= CHUNK * SPLIT_DIGITS || level < 0) return read_chunks(vm, r, count, d, n);
    size_t low = (size_t)CHUNK << level, high = count - low, nh, nl;
    size_t room_h = high / CHUNK + 2, room_l = low / CHUNK + 2;
    uint64_t *h = mem_alloc(vm, (room_h + room_l) * sizeof *h);
    if (!h) return false;
    uint64_t *l = h + room_h;
    bool ok = read_halves(vm, p, r, high, h, &nh) && read_halves(vm, p, r, low, l, &nl);
    uint64_t *product = NULL;
    size_t size = (nh + p->n[level] + 1) * sizeof *product;
    ok = ok && int_charge(vm, digits_mul_cost(nh, p->n[level])) && (product = mem_alloc(vm, size)) &&
         digits_mul(vm, product, h, nh, p->d[level], p->n[level]);
    if (ok) {
        product[nh + p->n[level]] = 0;
        digits_add_to(product, l, nl);
        *n = digits_trim(product, nh + p->n[level]);
        memcpy(d, product, *n * sizeof *d);
    }
    mem_free(vm, product, product ? size : 0);
    mem_free(vm, h, (room_h + room_l) * sizeof *h);
    return ok;
}

static value read_any(vm *vm, struct reader *r, size_t count, bool negative)
{
    /* 10**18 < 2**60, and one digit of a larger base is below 2**5.2. */
    size_t room = (r->base <= 10 ? count / CHUNK : count / 11) + 2, size = room * sizeof(uint64_t), n;
    uint64_t limit = vm->limits.bigint_bits ? vm->limits.bigint_bits : UINT32_MAX;
    if (count > limit) /* a digit of base 3 and more has over a bit */
        return raise_overflow(vm, "too many digits in integer (the limit is %ld bits)", (int64_t)limit);
    uint64_t small[16], *d = small;
    if (room > 16 && !(d = mem_alloc(vm, size))) return V_ERROR;
    struct powers p = {.count = 0};
    bool ok;
    if (r->base == 10 && count > CHUNK * SPLIT_DIGITS) {
        ok = powers_make(vm, &p, room);
        ok = ok && read_halves(vm, &p, r, count, d, &n);
        powers_free(vm, &p);
    } else {
        ok = read_chunks(vm, r, count, d, &n);
    }
    value v = ok ? int_from_digits(vm, d, n, negative) : V_ERROR;
    if (d != small) mem_free(vm, d, size);
    return v;
}

/* Base 0: takes the prefix off. False: not a number (as in "010"). */
static bool find_base(const char **p, const char *end, int *base)
{
    const char *s = *p;
    char c = end - s > 1 && s[0] == '0' ? (char)(s[1] | 0x20) : 0;
    int prefix = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
    if (*base == 0 && !prefix) {
        *base = 10;
        if (*s == '0') { /* zeros only */
            for (const char *q = s; q < end; q++) {
                if (*q != '0' && *q != '_') return false;
            }
        }
        return true;
    }
    if (*base == 0) *base = prefix;
    if (prefix && *base == prefix) {
        s += 2;
        if (s < end && *s == '_') s++;
        *p = s;
    }
    return true;
}

value int_parse(vm *vm, const char *s, size_t n, int base)
{
    const char *p = s, *end = s + n;
    bool negative = false;
    if (p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
    if (p == end || !find_base(&p, end, &base) || p == end || *p == '_') return V_UNBOUND;
    size_t count = 0;
    uint64_t v = 0;
    bool small = true;
    for (const char *q = p; q < end; q++) {
        unsigned digit = (unsigned)(*q - '0');
        if (LIKELY(digit < 10 && base == 10)) {
            if (++count <= CHUNK) v = v * 10 + digit;
            else small = false;
            continue;
        }
        if (*q == '_') {
            if (q + 1 == end || q[1] == '_') return V_UNBOUND;
            continue;
        }
        digit = digit_value(*q);
        if (digit >= (unsigned)base) return V_UNBOUND;
        count++;
        small =
            small && !__builtin_mul_overflow(v, (uint64_t)base, &v) && !__builtin_add_overflow(v, (uint64_t)digit, &v);
    }
    bool bits = (base & (base - 1)) == 0;
    if (vm->limits.int_str_digits && count > vm->limits.int_str_digits && !bits)
        return raise_value_error(vm,
                                 "Exceeds the limit (%d digits) for integer string conversion: value has "
                                 "%zu digits; use sys.set_int_max_str_digits() to increase the limit",
                                 (int)vm->limits.int_str_digits, count);
    if (small) return int_from_i128(vm, negative ? -(i128)v : (i128)v);
    struct reader r = {p, (unsigned)base};
    if (bits) return read_power_of_two(vm, &r, count, (unsigned)__builtin_ctz((unsigned)base), negative);
    return read_any(vm, &r, count, negative);
}

/* ---- int(text, base) ---- */

static bool is_ascii_space(uint32_t c) { return c == ' ' || (c >= 9 && c <= 13); }

static bool is_space(uint32_t c)
{
    if (c < 128) return is_ascii_space(c) || (c >= 0x1c && c <= 0x1f);
    if (c == 0x85 || c == 0xa0) return true;
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL || k == UTF8PROC_CATEGORY_ZP;
}

/* Unicode keeps the decimal digits of a script in a run of ten, and runs that touch are whole tens.
 */
static char to_ascii(uint32_t c)
{
    if (c < 127) return c ? (char)c : '?';
    if (is_space(c)) return ' ';
    if (utf8proc_category((utf8proc_int32_t)c) != UTF8PROC_CATEGORY_ND) return '?';
    uint32_t first = c;
    while (utf8proc_category((utf8proc_int32_t)first - 1) == UTF8PROC_CATEGORY_ND) first--;
    return (char)('0' + (c - first) % 10);
}

char *text_to_ascii(vm *vm, str *s, size_t *n, size_t *cap)
{
    size_t from = 0, to = s->len;
    bool (*space)(uint32_t) = str_is_ascii(s) ? is_ascii_space : is_space; /* as CPython */
    while (from < to && space(str_at(s, from))) from++;
    while (to > from && space(str_at(s, to - 1))) to--;
    *n = to - from;
    *cap = 0;
    if (str_is_ascii(s)) return (char *)(uintptr_t)s->data + from;
    char *buf = mem_alloc(vm, *n + 1);
    if (!buf) return NULL;
    *cap = *n + 1;
    for (size_t i = from; i < to; i++) buf[i - from] = to_ascii(str_at(s, i));
    return buf;
}

static value invalid_literal(vm *vm, value text, int base)
{
    ROOTS(vm, &text);
    str *r = obj_repr(vm, text);
    if (r && r->len > 200) r = str_substr(vm, r, 0, 200);
    if (!r) return V_ERROR;
    return raise_value_error(vm, "invalid literal for int() with base %d: %U", base, r);
}

value int_from_text(vm *vm, value text, int base)
{
    value v;
    ROOTS(vm, &text);
    if (IS_STR(text)) {
        size_t n, cap;
        char *p = text_to_ascii(vm, AS(str, text), &n, &cap);
        if (!p) return V_ERROR;
        v = int_parse(vm, p, n, base);
        if (cap) mem_free(vm, p, cap);
    } else {
        const uint8_t *data;
        size_t n;
        if (!buffer_view(vm, text, &data, &n))
            return raise_type_error(vm,
                                    "int() argument must be a string, a bytes-like object or a real number, "
                                    "not '%T'",
                                    text);
        /* A bytearray's storage could move while a long conversion passes a safepoint: read a copy.
         */
        bytes *copy = value_is_kind(text, K_BYTES) ? AS(bytes, text) : bytes_new(vm, data, n);
        if (!copy) return V_ERROR;
        text = value_obj(copy);
        size_t from = 0, to = n;
        while (from < to && is_ascii_space(copy->data[from])) from++;
        while (to > from && is_ascii_space(copy->data[to - 1])) to--;
        v = int_parse(vm, (const char *)copy->data + from, to - from, base);
    }
    if (value_is_error(v) && !raised(vm)) return invalid_literal(vm, text, base);
    return v;
}
