/* str: layout, creation, equality, hash, concatenation, slices. The invariants are in str.h.
 *
 * `s += x` in a loop has to be linear although strings never change. A string made by + remembers
 * that (STR_CONCATED); when it is the left operand of the next + and the result is long, the result
 * goes into a `buffer` with room to spare. From then on, as long as the left operand ends exactly at
 * the buffer's fill mark, the right one is appended in place and only a new header is made. Older
 * strings still see their prefix, since nothing below the fill mark is ever written again.
 */
#include "str.h"

#include "bytes.h"

enum { CONCAT_BUFFER_MIN = 256, SHARE_MIN = 4096 };

/* ---- text of 1, 2 or 4 bytes a point ---- */

size_t ascii_prefix(const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        uint64_t w[4];
        memcpy(w, p + i, 32);
        if ((w[0] | w[1] | w[2] | w[3]) & UINT64_C(0x8080808080808080)) break;
    }
    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, 8);
        w &= UINT64_C(0x8080808080808080);
        if (w) return i + ((unsigned)__builtin_ctzll(w) >> 3);
    }
    while (i < n && p[i] < 128) i++;
    return i;
}

uint32_t text_maxchar(const void *p, unsigned width, size_t n)
{
    if (width == 1) return ascii_prefix(p, n) == n ? 0x7F : 0xFF;
    uint32_t bits = 0;
    if (width == 2) {
        const uint16_t *q = p;
        for (size_t i = 0; i < n; i++) {
            bits |= q[i];
            if (bits > 0xFF) return 0xFFFF; /* mostly the first */
        }
    } else {
        const uint32_t *q = p;
        for (size_t i = 0; i < n; i++) {
            bits |= q[i];
            if (bits > 0xFFFF) return CP_MAX;
        }
    }
    return bits < 0x80 ? 0x7F : bits < 0x100 ? 0xFF : bits < 0x10000 ? 0xFFFF : CP_MAX;
}

void text_widen(void *dst, unsigned dw, const void *src, unsigned sw, size_t n)
{
    if (dw == sw) {
        memcpy(dst, src, n * dw);
    } else if (dw == 2) {
        uint16_t *d = dst;
        const uint8_t *s = src;
        for (size_t i = 0; i < n; i++) d[i] = s[i];
    } else if (sw == 1) {
        uint32_t *d = dst;
        const uint8_t *s = src;
        for (size_t i = 0; i < n; i++) d[i] = s[i];
    } else {
        uint32_t *d = dst;
        const uint16_t *s = src;
        for (size_t i = 0; i < n; i++) d[i] = s[i];
    }
}

void text_narrow(void *dst, unsigned dw, const void *src, unsigned sw, size_t n)
{
    if (dw == sw) {
        memcpy(dst, src, n * dw);
    } else if (sw == 2) {
        uint8_t *d = dst;
        const uint16_t *s = src;
        for (size_t i = 0; i < n; i++) d[i] = (uint8_t)s[i];
    } else if (dw == 1) {
        uint8_t *d = dst;
        const uint32_t *s = src;
        for (size_t i = 0; i < n; i++) d[i] = (uint8_t)s[i];
    } else {
        uint16_t *d = dst;
        const uint32_t *s = src;
        for (size_t i = 0; i < n; i++) d[i] = (uint16_t)s[i];
    }
}

/* ---- creation ---- */

static inline uint16_t width_flags(unsigned width, bool ascii)
{
    return (uint16_t)(width << STR_WIDTH_SHIFT | (ascii ? STR_ASCII : 0));
}

str *str_alloc(vm *vm, size_t len, uint32_t maxchar)
{
    unsigned width = char_width(maxchar);
    if (UNLIKELY(len > STR_LEN_MAX)) return raise_memory(vm), NULL;
    size_t size = offsetof(str, u) + (len + 1) * width;
    if (size < sizeof(str)) size = sizeof(str);
    str *s = gc_new_raw(vm, K_STR, TYPE_STR, size);
    if (UNLIKELY(!s) && !(s = gc_new(vm, K_STR, TYPE_STR, size))) return NULL;
    s->len = len;
    s->data = s->u.inl;
    s->h.flags = width_flags(width, maxchar < 128);
    text_put(s->u.inl, width, len, 0);
    return s;
}

str *str_over_buffer(vm *vm, object *owner, const void *data, size_t len, unsigned width, bool ascii)
{
    str *s = gc_new_fast(vm, K_STR, TYPE_STR, sizeof(str));
    if (!s) return NULL;
    s->len = len;
    s->data = data;
    s->u.owner = owner;
    s->h.flags = width_flags(width, ascii) | STR_BUFFER;
    return s;
}

buffer *buffer_adopt(vm *vm, void *data, size_t fill, size_t cap)
{
    buffer *b = gc_new(vm, K_BUFFER, TYPE_BUFFER, sizeof(buffer));
    if (!b) {
        mem_free(vm, data, cap);
        return NULL;
    }
    b->data = data;
    b->fill = fill;
    b->cap = cap;
    return b;
}

buffer *buffer_new(vm *vm, size_t cap)
{
    void *p = mem_alloc(vm, cap);
    return p ? buffer_adopt(vm, p, 0, cap) : NULL;
}

str *str_char(vm *vm, uint32_t cp)
{
    if (cp < 256 && vm->chars[cp]) return vm->chars[cp];
    str *s = str_alloc(vm, 1, cp);
    if (s) text_put(str_wdata(s), char_width(cp), 0, cp);
    return s;
}

str *str_from_text(vm *vm, const void *p, unsigned width, size_t n)
{
    if (n == 0) return vm->empty_str;
    if (n == 1) return str_char(vm, text_at(p, width, 0));
    str *s = str_alloc(vm, n, text_maxchar(p, width, n));
    if (s) text_narrow(str_wdata(s), str_width(s), p, width, n);
    return s;
}

str *str_from_ascii(vm *vm, const char *p, size_t n)
{
    if (n == 0) return vm->empty_str;
    if (n == 1) return vm->chars[(uint8_t)p[0]];
    str *s = str_alloc(vm, n, 0x7F);
    if (s) memcpy(str_wdata(s), p, n);
    return s;
}

str *str_new_latin1(vm *vm, const uint8_t *p, size_t n) { return str_from_text(vm, p, 1, n); }

str *str_new_ucs4(vm *vm, const uint32_t *p, size_t n) { return str_from_text(vm, p, 4, n); }

str *str_from_cstr(vm *vm, const char *s) { return str_new_utf8(vm, s, strlen(s)); }

str *str_subclass_new(vm *vm, type *t, str *s)
{
    s = str_plain(s);
    str *sub = gc_new(vm, K_STR, t->root_shape, sizeof(str) + sizeof(value *));
    if (!sub) return NULL;
    sub->len = s->len;
    sub->data = s->data;
    sub->hash = s->hash;
    sub->u.owner = &s->h;
    sub->h.flags = (s->h.flags & (0xFF00 | STR_ASCII | STR_HASHED)) | STR_BUFFER;
    return sub;
}

/* ---- equality, order, hash ---- */

bool str_eq(const str *a, const str *b) { return str_eq_fast(a, b); }

bool str_equal_ascii(const str *s, const char *ascii)
{
    size_t n = strlen(ascii);
    return s->len == n && str_is_ascii(s) && memcmp(s->data, ascii, n) == 0;
}

int str_cmp(const str *a, const str *b)
{
    size_t n = a->len < b->len ? a->len : b->len;
    unsigned wa = str_width(a), wb = str_width(b);
    if (wa == 1 && wb == 1) {
        int c = memcmp(a->data, b->data, n);
        if (c) return c < 0 ? -1 : 1;
    } else {
        for (size_t i = 0; i < n; i++) {
            uint32_t x = text_at(a->data, wa, i), y = text_at(b->data, wb, i);
            if (x != y) return x < y ? -1 : 1;
        }
    }
    return a->len == b->len ? 0 : a->len < b->len ? -1 : 1;
}

static inline uint64_t rotl(uint64_t x, int b) { return x << b | x >> (64 - b); }

#define SIP_ROUND               \
    do {                        \
        v0 += v1;               \
        v2 += v3;               \
        v1 = rotl(v1, 13) ^ v0; \
        v3 = rotl(v3, 16) ^ v2; \
        v0 = rotl(v0, 32);      \
        v2 += v1;               \
        v0 += v3;               \
        v1 = rotl(v1, 17) ^ v2; \
        v3 = rotl(v3, 21) ^ v0; \
        v2 = rotl(v2, 32);      \
    } while (0)

/* SipHash-1-3: one round per word, three at the end. */
uint64_t siphash13(const uint64_t key[2], const void *data, size_t n)
{
    const uint8_t *p = data;
    uint64_t v0 = key[0] ^ UINT64_C(0x736f6d6570736575), v1 = key[1] ^ UINT64_C(0x646f72616e646f6d);
    uint64_t v2 = key[0] ^ UINT64_C(0x6c7967656e657261), v3 = key[1] ^ UINT64_C(0x7465646279746573);
    uint64_t last = (uint64_t)n << 56;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t m;
        memcpy(&m, p, 8);
        v3 ^= m;
        SIP_ROUND;
        v0 ^= m;
    }
    /* The 0 to 7 bytes that are left, without reading beyond them. */
    if (n >= 4) {
        uint32_t lo, hi;
        memcpy(&lo, p, 4);
        memcpy(&hi, p + n - 4, 4);
        last |= lo | (uint64_t)hi << (8 * (n - 4));
    } else if (n) {
        last |= p[0] | (uint64_t)p[n >> 1] << (8 * (n >> 1)) | (uint64_t)p[n - 1] << (8 * (n - 1));
    }
    v3 ^= last;
    SIP_ROUND;
    v0 ^= last;
    v2 ^= 0xFF;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

uint64_t text_hash(vm *vm, const void *p, size_t n)
{
    if (n == 0) return 0;
    uint64_t h = siphash13(vm->hash_key, p, n);
    return h == UINT64_MAX ? h - 1 : h;
}

uint64_t str_hash_slow(vm *vm, str *s)
{
    s->hash = text_hash(vm, s->data, str_size(s));
    s->h.flags |= STR_HASHED;
    return s->hash;
}

uint64_t str_hash(vm *vm, str *s) { return str_hash_get(vm, s); }

/* ---- concatenation ---- */

void str_copy_to(void *dst, unsigned width, size_t at, const str *s)
{
    text_widen((uint8_t *)dst + at * width, width, s->data, str_width(s), s->len);
}

/* Appends b's points behind a in a's buffer, or in a new one with room. */
static str *concat_buffered(vm *vm, str *a, str *b, size_t len, unsigned width, bool ascii)
{
    size_t asize = a->len * width, bsize = b->len * width;
    if (str_width(a) == width && (a->h.flags & STR_BUFFER) && a->u.owner->kind == K_BUFFER) {
        buffer *buf = (buffer *)a->u.owner;
        if ((const uint8_t *)a->data + asize == buf->data + buf->fill && bsize <= buf->cap - buf->fill) {
            str *s = str_over_buffer(vm, &buf->h, a->data, len, width, ascii);
            if (!s) return NULL;
            str_copy_to(buf->data + buf->fill, width, 0, b);
            buf->fill += bsize;
            return s;
        }
    }
    size_t need = len * width;
    buffer *buf = buffer_new(vm, need + need / 2 + (need < ((size_t)1 << 20) ? need / 2 : 0));
    if (!buf) return NULL;
    str_copy_to(buf->data, width, 0, a);
    str_copy_to(buf->data, width, a->len, b);
    buf->fill = need;
    return str_over_buffer(vm, &buf->h, buf->data, len, width, ascii);
}

str *str_concat(vm *vm, str *a, str *b)
{
    if (UNLIKELY(a->len == 0)) return str_plain(b);
    if (UNLIKELY(b->len == 0)) return str_plain(a);
    size_t len = a->len + b->len;
    if (UNLIKELY(len > STR_LEN_MAX)) return raise_memory(vm), NULL;
    uint32_t ma = str_maxchar(a), mb = str_maxchar(b), max = ma > mb ? ma : mb;
    unsigned width = char_width(max);
    a = str_plain(a);
    if (len * width > CONCAT_BUFFER_MIN) {
        if (a->h.flags & STR_CONCATED || (a->h.flags & STR_BUFFER && a->u.owner->kind == K_BUFFER)) {
            return concat_buffered(vm, a, b, len, width, max < 128);
        }
    }
    str *s = str_alloc(vm, len, max);
    if (!s) return NULL;
    if (LIKELY(width == 1)) {
        text_copy(s->u.inl, a->data, a->len);
        text_copy(s->u.inl + a->len, b->data, b->len);
    } else {
        str_copy_to(str_wdata(s), width, 0, a);
        str_copy_to(str_wdata(s), width, a->len, b);
    }
    s->h.flags |= STR_CONCATED;
    return s;
}

str *str_repeat(vm *vm, str *s, int64_t n)
{
    if (n <= 0 || s->len == 0) return vm->empty_str;
    if (n == 1) return str_plain(s);
    size_t len, unit = str_size(s), size;
    if (!size_mul(s->len, (size_t)n, &len) || len > PTRDIFF_MAX)
        return raise_overflow(vm, "repeated string is too long"), NULL;
    if (len > STR_LEN_MAX) return raise_memory(vm), NULL;
    size = unit * (size_t)n;
    str *r = str_alloc(vm, len, str_maxchar(s));
    if (!r) return NULL;
    uint8_t *d = str_wdata(r);
    if (unit == 1) {
        memset(d, *(const uint8_t *)s->data, size);
        return r;
    }
    memcpy(d, s->data, unit);
    for (size_t done = unit; done < size;) {
        size_t m = done < size - done ? done : size - done;
        memcpy(d + done, d, m);
        done += m;
    }
    return r;
}

/* ---- parts ---- */

str *str_substr(vm *vm, str *s, size_t from, size_t to)
{
    size_t n = to - from;
    unsigned width = str_width(s);
    if (n == s->len) return str_plain(s);
    if (n == 0) return vm->empty_str;
    const void *p = text_ptr(s->data, width, from);
    if (n == 1) return str_char1(vm, text_at(p, width, 0));
    if (LIKELY(str_is_ascii(s) && n < SHARE_MIN)) return str_from_ascii_fast(vm, p, n);
    uint32_t max = str_is_ascii(s) ? 0x7F : text_maxchar(p, width, n);
    if (UNLIKELY(n * width >= SHARE_MIN) && char_width(max) == width) {
        /* Share the text when the part is most of what it would keep alive. */
        object *owner = s->h.flags & STR_BUFFER ? s->u.owner : &s->h;
        size_t whole = owner->kind == K_BUFFER ? ((buffer *)owner)->cap : str_size((str *)owner);
        if (n * width >= whole / 2) return str_over_buffer(vm, owner, p, n, width, max < 128);
    }
    str *r = str_alloc(vm, n, max);
    if (!r) return NULL;
    text_narrow(str_wdata(r), str_width(r), p, width, n);
    return r;
}

str *str_slice(vm *vm, str *s, int64_t start, int64_t step, size_t count)
{
    if (count == 0) return vm->empty_str;
    if (step == 1) return str_substr(vm, s, (size_t)start, (size_t)start + count);
    if (count == 1) return str_item(vm, s, (size_t)start);
    unsigned width = str_width(s);
    uint32_t max = 0x7F;
    if (count == s->len) {
        max = str_maxchar(s);
    } else if (!str_is_ascii(s)) {
        uint32_t bits = 0;
        int64_t at = start;
        for (size_t i = 0; i < count; i++, at += step) bits |= text_at(s->data, width, (size_t)at);
        max = bits < 0x80 ? 0x7F : bits < 0x100 ? 0xFF : bits < 0x10000 ? 0xFFFF : CP_MAX;
    }
    str *r = str_alloc(vm, count, max);
    if (!r) return NULL;
    unsigned rw = str_width(r);
    int64_t at = start;
    if (LIKELY(width == 1)) {
        uint8_t *to = str_wdata(r);
        const uint8_t *from = s->data;
        for (size_t i = 0; i < count; i++, at += step) to[i] = from[at];
        return r;
    }
    if (width == 2 && rw == 2) {
        uint16_t *to = str_wdata(r);
        const uint16_t *from = s->data;
        for (size_t i = 0; i < count; i++, at += step) to[i] = from[at];
        return r;
    }
    for (size_t i = 0; i < count; i++, at += step) {
        text_put(str_wdata(r), rw, i, text_at(s->data, width, (size_t)at));
    }
    return r;
}

/* ---- joining ---- */

str *str_join_parts(vm *vm, str *sep, const value *parts, size_t n)
{
    if (n == 0) return vm->empty_str;
    if (n == 1) return str_plain(AS(str, parts[0]));
    size_t len;
    if (!size_mul(sep->len, n - 1, &len)) return raise_memory(vm), NULL;
    if (n <= 8 && sep->len == 0) { /* an f-string */
        uint16_t all = STR_ASCII;
        for (size_t i = 0; i < n; i++) {
            const str *p = AS(str, parts[i]);
            all &= p->h.flags;
            len += p->len; /* 8 * STR_LEN_MAX is no overflow */
        }
        if (LIKELY(all && len > 1)) {
            str *r = str_alloc(vm, len, 0x7F);
            if (!r) return NULL;
            uint8_t *d = r->u.inl;
            for (size_t i = 0; i < n; i++) {
                const str *p = AS(str, parts[i]);
                text_copy(d, p->data, p->len);
                d += p->len;
            }
            return r;
        }
        len = 0;
    }
    uint32_t max = sep->len ? str_maxchar(sep) : 0x7F;
    for (size_t i = 0; i < n; i++) {
        const str *p = AS(str, parts[i]);
        uint32_t m = str_maxchar(p);
        if (m > max) max = m;
        if (!size_add(len, p->len, &len)) return raise_memory(vm), NULL;
    }
    if (len == 0) return vm->empty_str;
    if (len == 1) {
        for (size_t i = 0; i < n; i++) {
            if (AS(str, parts[i])->len) return str_plain(AS(str, parts[i]));
        }
        return str_plain(sep);
    }
    str *r = str_alloc(vm, len, max);
    if (!r) return NULL;
    unsigned width = str_width(r);
    uint8_t *d = str_wdata(r);
    size_t seplen = sep->len;
    uint8_t sep1 = seplen == 1 && width == 1 ? *(const uint8_t *)sep->data : 0;
    if (width == 1 && seplen <= 1) {
        for (size_t i = 0; i < n; i++) {
            const str *p = AS(str, parts[i]);
            if (seplen && i) *d++ = sep1;
            if (p->len == 1) { /* characters */
                *d++ = *(const uint8_t *)p->data;
                continue;
            }
            text_copy(d, p->data, p->len);
            d += p->len;
        }
        return r;
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const str *p = AS(str, parts[i]);
        if (seplen && i) {
            str_copy_to(d, width, at, sep);
            at += seplen;
        }
        str_copy_to(d, width, at, p);
        at += p->len;
    }
    return r;
}

str *str_join_values(vm *vm, const value *parts, size_t n) { return str_join_parts(vm, vm->empty_str, parts, n); }
