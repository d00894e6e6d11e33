/* UTF-8 in and out. "WTF-8" is UTF-8 in which lone surrogates are encoded like any other point: it is what
 * the VM uses inside, so that every str survives; strict UTF-8 is for codecs and the API's edge. */
#include "codec.h"
#include "str.h"

size_t utf8_put(uint8_t *d, uint32_t c)
{
    if (c < 0x80) {
        d[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        d[0] = (uint8_t)(0xC0 | c >> 6);
        d[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        d[0] = (uint8_t)(0xE0 | c >> 12);
        d[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        d[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    d[0] = (uint8_t)(0xF0 | c >> 18);
    d[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    d[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    d[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

size_t utf8_size(const str *s)
{
    size_t n = s->len;
    if (str_is_ascii(s)) return n;
    switch (str_width(s)) {
    case 1: {
        const uint8_t *p = s->data;
        for (size_t i = 0; i < s->len; i++) n += p[i] >> 7;
        return n;
    }
    case 2: {
        const uint16_t *p = s->data;
        for (size_t i = 0; i < s->len; i++) n += (p[i] >= 0x80) + (p[i] >= 0x800);
        return n;
    }
    default: {
        const uint32_t *p = s->data;
        for (size_t i = 0; i < s->len; i++) n += (p[i] >= 0x80) + (p[i] >= 0x800) + (p[i] >= 0x10000);
        return n;
    }
    }
}

uint8_t *utf8_write(uint8_t *d, const str *s)
{
    if (str_is_ascii(s)) {
        memcpy(d, s->data, s->len);
        return d + s->len;
    }
    unsigned w = str_width(s);
    for (size_t i = 0; i < s->len; i++) d += utf8_put(d, text_at(s->data, w, i));
    return d;
}

bool str_has_surrogates(const str *s)
{
    unsigned w = str_width(s);
    if (w == 1) return false;
    for (size_t i = 0; i < s->len; i++) {
        if ((text_at(s->data, w, i) & ~0x7FFu) == 0xD800) return true;
    }
    return false;
}

const char *str_wtf8(vm *vm, str *s, size_t *n)
{
    size_t dummy;
    if (!n) n = &dummy;
    if (str_is_ascii(s) && !(s->h.flags & STR_BUFFER)) {
        *n = s->len;
        return s->data;
    }
    const char *cached = str_utf8_cached(vm, s, n);
    if (cached) return cached;
    *n = utf8_size(s);
    char *text = mem_alloc(vm, *n + 1);
    if (!text) return NULL;
    utf8_write((uint8_t *)text, s);
    text[*n] = 0;
    return str_utf8_keep(vm, s, text, *n) ? text : NULL;
}

const char *str_utf8(vm *vm, str *s, size_t *n)
{
    if (UNLIKELY(str_has_surrogates(s))) {
        unsigned w = str_width(s);
        size_t i = 0;
        while ((text_at(s->data, w, i) & ~0x7FFu) != 0xD800) i++;
        size_t end = i;
        while (end < s->len && (text_at(s->data, w, end) & ~0x7FFu) == 0xD800) end++;
        codec_encode_error(vm, "utf-8", s, i, end, "surrogates not allowed");
        return NULL;
    }
    return str_wtf8(vm, s, n);
}

/* ---- decoding ---- */

static inline bool is_cont(uint8_t b) { return (b & 0xC0) == 0x80; }

bool utf8_check(const uint8_t *p, size_t n, size_t *points, uint32_t *maxchar, size_t *bad, size_t *bad_end,
                const char **reason)
{
    size_t i = ascii_prefix(p, n), count = i;
    uint8_t lead = 0; /* the highest lead byte so far tells the class */
    while (i < n) {
        uint8_t b = p[i];
        if (b < 0x80) {
            size_t run = ascii_prefix(p + i, n - i);
            i += run;
            count += run;
            continue;
        }
        size_t left = n - i, ok = 1, need;
        *reason = "invalid continuation byte";
        if (b < 0xC2 || b >= 0xF5) {
            *reason = "invalid start byte";
            goto failed;
        }
        need = b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
        if (left >= 2) {
            uint8_t c = p[i + 1];
            if (!is_cont(c)) goto failed;
            if (b >= 0xE0) { /* overlong forms, surrogates, beyond U+10FFFF */
                if ((b == 0xE0 && c < 0xA0) || (b == 0xED && c >= 0xA0)) goto failed;
                if ((b == 0xF0 && c < 0x90) || (b == 0xF4 && c >= 0x90)) goto failed;
            }
            for (ok = 2; ok < need && ok < left; ok++) {
                if (!is_cont(p[i + ok])) goto failed;
            }
        }
        if (left < need) {
            *reason = "unexpected end of data";
            ok = left;
            goto failed;
        }
        if (b > lead) lead = b;
        i += need;
        count++;
        continue;
    failed:
        *points = count;
        *bad = i;
        *bad_end = i + ok;
        *maxchar = lead == 0 ? 0x7F : lead < 0xC4 ? 0xFF : lead < 0xF0 ? 0xFFFF : CP_MAX;
        return false;
    }
    *points = count;
    *maxchar = lead == 0 ? 0x7F : lead < 0xC4 ? 0xFF : lead < 0xF0 ? 0xFFFF : CP_MAX;
    return true;
}

/* Next point of well-formed WTF-8. */
static inline uint32_t utf8_next(const uint8_t **pp)
{
    const uint8_t *p = *pp;
    uint8_t b = *p;
    if (b < 0x80) {
        *pp = p + 1;
        return b;
    }
    if (b < 0xE0) {
        *pp = p + 2;
        return (b & 31u) << 6 | (p[1] & 63u);
    }
    if (b < 0xF0) {
        *pp = p + 3;
        return (b & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    }
    *pp = p + 4;
    return (b & 7u) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u);
}

str *utf8_decode_valid(vm *vm, const uint8_t *p, size_t n, size_t points, uint32_t maxchar)
{
    if (maxchar < 0x80) return str_from_ascii(vm, (const char *)p, n);
    const uint8_t *end = p + n;
    if (points == 1) return str_char(vm, utf8_next(&p));
    str *s = str_alloc(vm, points, maxchar);
    if (!s) return NULL;
    if (maxchar < 0x100) {
        uint8_t *d = str_wdata(s);
        while (p < end) *d++ = (uint8_t)utf8_next(&p);
    } else if (maxchar < 0x10000) {
        uint16_t *d = str_wdata(s);
        while (p < end) *d++ = (uint16_t)utf8_next(&p);
    } else {
        uint32_t *d = str_wdata(s);
        while (p < end) *d++ = utf8_next(&p);
    }
    return s;
}

/* The caller has validated, but a slip of his must not run past the end: what is not well-formed
 * becomes U+FFFD. Surrogates pass. */
str *str_new_utf8(vm *vm, const char *text, size_t n)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t points, bad, bad_end;
    uint32_t maxchar;
    const char *reason;
    if (utf8_check(p, n, &points, &maxchar, &bad, &bad_end, &reason))
        return utf8_decode_valid(vm, p, n, points, maxchar);
    str_builder b;
    sb_init(&b, vm);
    for (const uint8_t *end = p + n; p < end;) {
        n = (size_t)(end - p);
        bool good = utf8_check(p, n, &points, &maxchar, &bad, &bad_end, &reason);
        const uint8_t *stop = good ? end : p + bad;
        while (p < stop) sb_char(&b, utf8_next(&p));
        if (good) break;
        if (end - p >= 3 && p[0] == 0xED && p[1] >= 0xA0 && is_cont(p[1]) && is_cont(p[2])) {
            sb_char(&b, utf8_next(&p));
        } else {
            sb_char(&b, 0xFFFD);
            p += bad_end - bad;
        }
    }
    return sb_finish(&b);
}
