/* Encoding text: what str.encode and text files use, and the error handlers on this side.
 *
 * The encoder goes from point to point and hands every range that the encoding lacks to encode_bad, which raises or
 * writes a replacement. Text without errors mostly takes the short ways of codec_fast.c.
 */
#include "codec.h"

#include "bytes.h"
#include "grammar/unicode_names.h"
#include "str.h"

typedef struct encoder {
    vm *vm;
    codec_id id;
    const char *name;
    str *s;
    value errors;
    codec_handler h;
    bool known; /* h is valid */
    byte_builder out;
} encoder;

static void put16(byte_builder *b, uint32_t c, bool big)
{
    uint8_t u[2] = {(uint8_t)(big ? c >> 8 : c), (uint8_t)(big ? c : c >> 8)};
    bb_add(b, u, 2);
}

/* One point that the encoding can hold. */
static void encode_point(encoder *e, uint32_t c)
{
    uint8_t u[4];
    switch (e->id) {
    case CODEC_UTF8:
    case CODEC_UTF8_SIG: bb_add(&e->out, u, utf8_put(u, c)); break;
    case CODEC_UTF16:
    case CODEC_UTF16_LE:
    case CODEC_UTF16_BE: {
        bool big = e->id == CODEC_UTF16_BE;
        if (c >= 0x10000) {
            put16(&e->out, 0xD800 + ((c - 0x10000) >> 10), big);
            c = 0xDC00 + (c & 0x3FF);
        }
        put16(&e->out, c, big);
        break;
    }
    case CODEC_UTF32:
    case CODEC_UTF32_LE:
    case CODEC_UTF32_BE: {
        bool big = e->id == CODEC_UTF32_BE;
        put16(&e->out, big ? c >> 16 : c & 0xFFFF, big);
        put16(&e->out, big ? c & 0xFFFF : c >> 16, big);
        break;
    }
    case CODEC_ASCII:
    case CODEC_LATIN1:
    case CODEC_UNICODE_ESCAPE:
    case CODEC_RAW_UNICODE_ESCAPE: bb_byte(&e->out, (uint8_t)c); break;
    default: bb_byte(&e->out, (uint8_t)charmap_byte(e->id, c));
    }
}

static bool can_encode(codec_id id, uint32_t c)
{
    if (id == CODEC_ASCII) return c < 128;
    if (id == CODEC_LATIN1) return c < 256;
    if (id >= CODEC_CHARMAP) return charmap_byte(id, c) >= 0;
    return (c & ~0x7FFu) != 0xD800;
}

static bool is_wide(codec_id id) { return id >= CODEC_UTF16 && id <= CODEC_UTF32_BE; }

static void encode_ascii_text(encoder *e, const char *p, size_t n)
{
    if (!is_wide(e->id)) bb_add(&e->out, p, n);
    else
        for (size_t i = 0; i < n; i++) encode_point(e, (uint8_t)p[i]);
}

static void encode_escape(encoder *e, uint32_t c)
{
    char buf[10] = {'\\', c < 0x100 ? 'x' : c < 0x10000 ? 'u' : 'U'};
    unsigned digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
    for (unsigned i = digits; i-- > 0; c >>= 4) buf[2 + i] = "0123456789abcdef"[c & 15];
    encode_ascii_text(e, buf, digits + 2);
}

static void encode_name(encoder *e, uint32_t c)
{
    char name[UNICODE_NAME_MOST];
    size_t n = unicode_name_of(c, name);
    if (n == 0) {
        encode_escape(e, c);
        return;
    }
    encode_ascii_text(e, "\\N{", 3);
    encode_ascii_text(e, name, n);
    encode_point(e, '}');
}

/* The points [start, end) cannot be encoded. */
static bool encode_bad(encoder *e, size_t start, size_t end)
{
    const char *reason = e->id >= CODEC_CHARMAP  ? "character maps to <undefined>"
                         : e->id == CODEC_ASCII  ? "ordinal not in range(128)"
                         : e->id == CODEC_LATIN1 ? "ordinal not in range(256)"
                                                 : "surrogates not allowed";
    if (!e->known) {
        e->h = codec_handler_of(e->errors);
        e->known = true;
    }
    codec_handler h = e->h;
    bool wide = is_wide(e->id);
    for (size_t i = start; i < end; i++) {
        uint32_t c = str_at(e->s, i);
        switch (h) {
        case H_IGNORE: break;
        case H_REPLACE: encode_point(e, '?'); break;
        case H_BACKSLASH: encode_escape(e, c); break;
        case H_NAMEREPLACE: encode_name(e, c); break;
        case H_XMLCHARREF: {
            char buf[20];
            unsigned n = u64_digits(buf, c);
            encode_ascii_text(e, "&#", 2);
            encode_ascii_text(e, buf + 20 - n, n);
            encode_point(e, ';');
            break;
        }
        case H_SURROGATEESCAPE:
            if (c < 0xDC80 || c > 0xDCFF || wide) {
                codec_encode_error(e->vm, e->name, e->s, i, end, reason);
                return false;
            }
            bb_byte(&e->out, (uint8_t)c);
            break;
        case H_SURROGATEPASS:
            if ((c & ~0x7FFu) != 0xD800 || e->id == CODEC_ASCII || e->id == CODEC_LATIN1 || e->id >= CODEC_CHARMAP) {
                codec_encode_error(e->vm, e->name, e->s, i, end, reason);
                return false;
            }
            encode_point(e, c);
            break;
        case H_UNKNOWN: codec_raise_handler(e->vm, e->errors); return false;
        case H_STRICT: codec_encode_error(e->vm, e->name, e->s, start, end, reason); return false;
        }
    }
    return true;
}

static void encode_escapes(encoder *e)
{
    bool raw = e->id == CODEC_RAW_UNICODE_ESCAPE;
    if (!bb_reserve(&e->out, e->s->len)) return;
    for (size_t i = 0; i < e->s->len && !e->out.failed; i++) {
        uint32_t c = str_at(e->s, i);
        if (raw ? c < 256 : c >= 32 && c < 127 && c != '\\') {
            bb_byte(&e->out, (uint8_t)c);
        } else if (!raw && (c == '\\' || c == '\n' || c == '\t' || c == '\r')) {
            bb_byte(&e->out, '\\');
            bb_byte(&e->out, c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : '\\');
        } else {
            encode_escape(e, c);
        }
    }
}

bytes *codec_encode(vm *vm, codec_id id, str *s, value errors)
{
    size_t len = s->len;
    bytes *fast = codec_encode_fast(vm, id, s);
    if (fast || raised(vm)) return fast;
    encoder e = {.vm = vm, .id = id, .name = codec_error_name(id), .s = s, .errors = errors};
    bb_init(&e.out, vm);
    if (id == CODEC_UTF8_SIG || id == CODEC_UTF16 || id == CODEC_UTF32) encode_point(&e, 0xFEFF);
    if (id == CODEC_UNICODE_ESCAPE || id == CODEC_RAW_UNICODE_ESCAPE) {
        encode_escapes(&e);
        return bb_finish(&e.out);
    }
    unsigned w = str_width(s);
    for (size_t i = 0; i < len;) {
        uint32_t c = text_at(s->data, w, i);
        if (c < 128 && w == 1 && !is_wide(id)) {
            size_t run = ascii_prefix((const uint8_t *)s->data + i, len - i);
            bb_add(&e.out, (const uint8_t *)s->data + i, run);
            i += run;
            continue;
        }
        if (LIKELY(can_encode(id, c))) {
            encode_point(&e, c);
            i++;
            continue;
        }
        size_t end = i + 1;
        bool wide = is_wide(id); /* these report one point at a time */
        while (!wide && end < len && !can_encode(id, text_at(s->data, w, end))) end++;
        if (!encode_bad(&e, i, end)) {
            bb_drop(&e.out);
            return NULL;
        }
        i = end;
    }
    return bb_finish(&e.out);
}
