/* Encoding and decoding of whole texts that hold no error, which is nearly every text: one pass by runs, without a
 * builder. Whatever is out of the ordinary makes these give up (NULL, nothing raised), and codec.c or codec_encode.c
 * does it from the start, with errors told as they should be.
 *
 * A pass that can't know the size of its result writes into a scratch buffer, short ones on the C stack.
 */
#include "codec.h"

#include "bytes.h"
#include "str.h"

typedef struct scratch {
    vm *vm;
    void *data;
    size_t size;
    uint64_t inl[256];
} scratch;

static void *scratch_open(scratch *k, vm *vm, size_t n, size_t unit)
{
    k->vm = vm;
    k->data = k->inl;
    if (!size_mul(n, unit, &k->size)) return NULL;
    if (k->size > sizeof k->inl) k->data = mem_alloc(vm, k->size);
    return k->data;
}
static void scratch_close(scratch *k)
{
    if (k->data && k->data != k->inl) mem_free(k->vm, k->data, k->size);
}

/* ---- UTF-8 ---- */

static inline bool is_cont(uint8_t b) { return (b & 0xC0) == 0x80; }

/* What is left of UTF-8 that begins at p, as long as it has no more than three bytes a point. The points go to *d;
 * their bits. NULL: something else came. */
static const uint8_t *utf8_run(const uint8_t *p, const uint8_t *end, uint16_t **dp, uint32_t *bits)
{
    uint16_t *d = *dp;
    uint32_t all = 0;
    while (p < end) {
        uint32_t b = *p;
        if (b < 0x80) {
            *d++ = (uint16_t)b;
            p++;
        } else if (b < 0xE0) {
            if (b < 0xC2 || end - p < 2 || !is_cont(p[1])) return NULL;
            b = (b & 31) << 6 | (p[1] & 63u);
            all |= b;
            *d++ = (uint16_t)b;
            p += 2;
        } else {
            if (b >= 0xF0 || end - p < 3 || !is_cont(p[1]) || !is_cont(p[2])) return NULL;
            b = (b & 15) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
            if (b < 0x800 || (b & 0xF800) == 0xD800) return NULL;
            all |= b;
            *d++ = (uint16_t)b;
            p += 3;
        }
    }
    *dp = d;
    *bits |= all;
    return p;
}

static str *utf8_decode_fast(vm *vm, const uint8_t *p, size_t n)
{
    size_t ascii = ascii_prefix(p, n), points, bad, bad_end;
    uint32_t bits = 0, maxchar;
    const char *reason;
    if (ascii == n) return str_from_ascii(vm, (const char *)p, n);
    if (n <= 256 * 1024) {
        scratch k;
        uint16_t *d = scratch_open(&k, vm, n, sizeof *d), *start = d;
        if (!d) return NULL;
        for (size_t i = 0; i < ascii; i++) *d++ = p[i];
        if (utf8_run(p + ascii, p + n, &d, &bits)) {
            size_t len = (size_t)(d - start);
            str *s = len == 1 ? str_char(vm, start[0]) : str_alloc(vm, len, bits);
            if (s && len > 1) text_narrow(str_wdata(s), str_width(s), start, 2, len);
            scratch_close(&k);
            return s;
        }
        scratch_close(&k);
    }
    if (!utf8_check(p, n, &points, &maxchar, &bad, &bad_end, &reason)) return NULL;
    return utf8_decode_valid(vm, p, n, points, maxchar);
}

/* Points below U+0800 need no branch: both bytes are written, the second may be overwritten. */
static inline uint8_t *put_two(uint8_t *d, uint32_t c)
{
    bool two = c >= 0x80;
    d[0] = (uint8_t)(two ? 0xC0 | c >> 6 : c);
    d[1] = (uint8_t)(0x80 | (c & 63));
    return d + 1 + two;
}

static uint8_t *utf8_put_text(uint8_t *d, const str *s)
{
    if (str_width(s) == 1) {
        const uint8_t *p = s->data, *end = p + s->len;
        while (p < end) d = put_two(d, *p++);
        return d;
    }
    if (str_width(s) == 2) {
        const uint16_t *p = s->data, *end = p + s->len;
        while (p < end) {
            uint32_t c = *p++;
            if (c < 0x800) {
                d = put_two(d, c);
                continue;
            }
            if ((c & 0xF800) == 0xD800) return NULL;
            d[0] = (uint8_t)(0xE0 | c >> 12);
            d[1] = (uint8_t)(0x80 | (c >> 6 & 63));
            d[2] = (uint8_t)(0x80 | (c & 63));
            d += 3;
        }
        return d;
    }
    const uint32_t *p = s->data, *end = p + s->len;
    while (p < end) {
        uint32_t c = *p++;
        if (c < 0x800) d = put_two(d, c);
        else if ((c & ~0x7FFu) == 0xD800) return NULL;
        else d += utf8_put(d, c);
    }
    return d;
}

static bytes *utf8_encode_fast(vm *vm, const str *s)
{
    scratch k;
    unsigned w = str_width(s);
    if (s->len > 256 * 1024) {
        if (str_has_surrogates(s)) return NULL;
        bytes *b = bytes_alloc(vm, utf8_size(s));
        if (b) utf8_write(b->u.inl, s);
        return b;
    }
    uint8_t *d = scratch_open(&k, vm, s->len + 1, w == 1 ? 2 : w == 2 ? 3 : 4);
    uint8_t *end = d ? utf8_put_text(d, s) : NULL;
    bytes *b = end ? bytes_new(vm, d, (size_t)(end - d)) : NULL;
    scratch_close(&k);
    return b;
}

/* ---- UTF-16 ---- */

static inline void put16(uint8_t *d, uint32_t c, bool big)
{
    d[big] = (uint8_t)c;
    d[!big] = (uint8_t)(c >> 8);
}

static bytes *utf16_encode_fast(vm *vm, const str *s, bool big, bool bom)
{
    unsigned w = str_width(s);
    size_t units = s->len + bom;
    uint32_t bits = 0;
    if (w > 1) {
        for (size_t i = 0; i < s->len; i++) {
            uint32_t c = text_at(s->data, w, i);
            bits |= (c & ~0x7FFu) == 0xD800;
            units += c >= 0x10000;
        }
    }
    if (bits) return NULL;
    if (!units) return vm->empty_bytes;
    bytes *b = bytes_alloc(vm, 2 * units);
    if (!b) return NULL;
    uint8_t *d = b->u.inl;
    if (bom) put16(d, 0xFEFF, big), d += 2;
    if (w == 1) {
        const uint8_t *p = s->data;
        for (size_t i = 0; i < s->len; i++, d += 2) put16(d, p[i], big);
    } else if (w == 2) {
        const uint16_t *p = s->data;
        for (size_t i = 0; i < s->len; i++, d += 2) put16(d, p[i], big);
    } else {
        const uint32_t *p = s->data;
        for (size_t i = 0; i < s->len; i++) {
            uint32_t c = p[i];
            if (c >= 0x10000) {
                put16(d, 0xD800 + ((c - 0x10000) >> 10), big);
                d += 2;
                c = 0xDC00 + (c & 0x3FF);
            }
            put16(d, c, big);
            d += 2;
        }
    }
    return b;
}

static str *utf16_decode_fast(vm *vm, codec_id id, const uint8_t *p, size_t n, int *order)
{
    bool big = id == CODEC_UTF16_BE || *order == 1;
    size_t i = 0, pairs = 0;
    int o = *order;
    if (n < 2 || n & 1) return NULL;
    if (id == CODEC_UTF16 && o == 0) {
        uint32_t mark = codec_read16(p, false);
        big = mark == 0xFFFE;
        o = big ? 1 : -1;
        if (mark == 0xFEFF || big) i = 2;
    }
    uint32_t bits = 0;
    const uint8_t *start = p + i;
    size_t units = (n - i) / 2;
    for (size_t j = 0; j < units; j++) {
        uint32_t c = codec_read16(start + 2 * j, big);
        bits |= c;
        if (UNLIKELY((c & 0xF800) == 0xD800)) {
            if (c >= 0xDC00 || ++j == units || (codec_read16(start + 2 * j, big) & 0xFC00) != 0xDC00) return NULL;
            pairs++;
        }
    }
    size_t len = units - pairs;
    if (len < 2) return NULL;
    *order = o;
    str *s = str_alloc(vm, len, pairs ? CP_MAX : bits);
    if (!s) return NULL;
    unsigned w = str_width(s);
    void *d = str_wdata(s);
    if (w == 1) {
        for (size_t j = 0; j < units; j++) ((uint8_t *)d)[j] = (uint8_t)codec_read16(start + 2 * j, big);
    } else if (w == 2) {
        for (size_t j = 0; j < units; j++) ((uint16_t *)d)[j] = (uint16_t)codec_read16(start + 2 * j, big);
    } else {
        for (size_t j = 0, at = 0; j < units; j++) {
            uint32_t c = codec_read16(start + 2 * j, big);
            if ((c & 0xFC00) == 0xD800)
                c = 0x10000 + ((c & 0x3FF) << 10 | (codec_read16(start + 2 * ++j, big) & 0x3FF));
            ((uint32_t *)d)[at++] = c;
        }
    }
    return s;
}

/* ---- code pages ---- */

static str *charmap_decode_fast(vm *vm, codec_id id, const uint8_t *p, size_t n)
{
    const uint16_t *upper = charmap_upper(id);
    uint32_t bits = 0;
    bool gap = false;
    if (n < 2) return NULL;
    for (size_t i = 0; i < n; i++) {
        uint32_t c = p[i] < 128 ? p[i] : upper[p[i] - 128];
        bits |= c;
        gap |= c == CHARMAP_GAP;
    }
    if (gap) return NULL;
    str *s = str_alloc(vm, n, bits);
    if (!s) return NULL;
    unsigned w = str_width(s);
    for (size_t i = 0; i < n; i++) text_put(str_wdata(s), w, i, p[i] < 128 ? p[i] : upper[p[i] - 128]);
    return s;
}

/* From points to bytes: a table of 512 slots, made for the occasion. */
enum { REVERSE_SIZE = 512, REVERSE_WORTH = 32 };
typedef struct reverse {
    uint16_t point[REVERSE_SIZE]; /* 0: empty */
    uint8_t byte[REVERSE_SIZE];
} reverse;
static inline unsigned reverse_slot(uint32_t c) { return (c * 0x9E3779B1u) >> 23; }

static bytes *charmap_encode_fast(vm *vm, codec_id id, const str *s)
{
    const uint16_t *upper = charmap_upper(id);
    unsigned w = str_width(s);
    if (w == 4 || s->len < REVERSE_WORTH) return NULL;
    reverse r;
    memset(r.point, 0, sizeof r.point);
    for (unsigned i = 0; i < 128; i++) {
        if (upper[i] == CHARMAP_GAP) continue;
        unsigned slot = reverse_slot(upper[i]);
        while (r.point[slot]) slot = (slot + 1) % REVERSE_SIZE;
        r.point[slot] = upper[i];
        r.byte[slot] = (uint8_t)(128 + i);
    }
    bytes *b = bytes_alloc(vm, s->len);
    if (!b) return NULL;
    for (size_t i = 0; i < s->len; i++) {
        uint32_t c = text_at(s->data, w, i);
        if (c >= 128) {
            unsigned slot = reverse_slot(c);
            while (r.point[slot] != c) {
                if (!r.point[slot]) return NULL;
                slot = (slot + 1) % REVERSE_SIZE;
            }
            c = r.byte[slot];
        }
        b->u.inl[i] = (uint8_t)c;
    }
    return b;
}

/* ---- by codec ---- */

str *codec_decode_fast(vm *vm, codec_id id, const uint8_t *p, size_t n, int *order)
{
    switch (id) {
    case CODEC_UTF8:
    case CODEC_UTF8_SIG: return utf8_decode_fast(vm, p, n);
    case CODEC_LATIN1: return str_new_latin1(vm, p, n);
    case CODEC_ASCII: return ascii_prefix(p, n) == n ? str_from_ascii(vm, (const char *)p, n) : NULL;
    case CODEC_UTF16:
    case CODEC_UTF16_LE:
    case CODEC_UTF16_BE: return utf16_decode_fast(vm, id, p, n, order);
    case CODEC_UTF32:
    case CODEC_UTF32_LE:
    case CODEC_UTF32_BE:
    case CODEC_UNICODE_ESCAPE:
    case CODEC_RAW_UNICODE_ESCAPE:
    case CODEC_UNKNOWN: return NULL;
    default: return charmap_decode_fast(vm, id, p, n);
    }
}

bytes *codec_encode_fast(vm *vm, codec_id id, str *s)
{
    bool ascii = str_is_ascii(s);
    switch (id) {
    case CODEC_UTF8: return ascii ? bytes_new(vm, s->data, s->len) : utf8_encode_fast(vm, s);
    case CODEC_ASCII: return ascii ? bytes_new(vm, s->data, s->len) : NULL;
    case CODEC_LATIN1: return str_width(s) == 1 ? bytes_new(vm, s->data, s->len) : NULL;
    case CODEC_UTF16:
    case CODEC_UTF16_LE:
    case CODEC_UTF16_BE: return utf16_encode_fast(vm, s, id == CODEC_UTF16_BE, id == CODEC_UTF16);
    case CODEC_UTF8_SIG:
    case CODEC_UTF32:
    case CODEC_UTF32_LE:
    case CODEC_UTF32_BE:
    case CODEC_UNICODE_ESCAPE:
    case CODEC_RAW_UNICODE_ESCAPE:
    case CODEC_UNKNOWN: return NULL;
    default: return ascii ? bytes_new(vm, s->data, s->len) : charmap_encode_fast(vm, id, s);
    }
}
