/* The names of codecs and error handlers, and decoding: what bytes.decode and text files use.
 *
 * A decoder scans, and hands every bad range to decode_bad, which raises or appends a replacement and
 * says where to go on. Handlers are looked up by name only when the first error comes, as in CPython.
 * Text without errors mostly takes the short ways of codec_fast.c.
 */
#include "codec.h"

#include "bytes.h"
#include "grammar/unicode_names.h"
#include "str.h"

static const struct {
    const char *alias;
    uint8_t id;
} aliases[] = {
    {"utf_8", CODEC_UTF8},
    {"utf8", CODEC_UTF8},
    {"u8", CODEC_UTF8},
    {"utf", CODEC_UTF8},
    {"cp65001", CODEC_UTF8},
    {"utf8_ucs2", CODEC_UTF8},
    {"utf8_ucs4", CODEC_UTF8},
    {"utf_8_sig", CODEC_UTF8_SIG},
    {"utf8_sig", CODEC_UTF8_SIG},
    {"ascii", CODEC_ASCII},
    {"us_ascii", CODEC_ASCII},
    {"646", CODEC_ASCII},
    {"ansi_x3.4_1968", CODEC_ASCII},
    {"iso646_us", CODEC_ASCII},
    {"iso_646.irv_1991", CODEC_ASCII},
    {"us", CODEC_ASCII},
    {"cp367", CODEC_ASCII},
    {"latin_1", CODEC_LATIN1},
    {"latin1", CODEC_LATIN1},
    {"latin", CODEC_LATIN1},
    {"l1", CODEC_LATIN1},
    {"iso_8859_1", CODEC_LATIN1},
    {"iso8859_1", CODEC_LATIN1},
    {"iso8859", CODEC_LATIN1},
    {"8859", CODEC_LATIN1},
    {"cp819", CODEC_LATIN1},
    {"iso_8859_1_1987", CODEC_LATIN1},
    {"utf_16", CODEC_UTF16},
    {"utf16", CODEC_UTF16},
    {"u16", CODEC_UTF16},
    {"utf_16_le", CODEC_UTF16_LE},
    {"utf_16le", CODEC_UTF16_LE},
    {"utf16_le", CODEC_UTF16_LE},
    {"utf16le", CODEC_UTF16_LE},
    {"utf_16_be", CODEC_UTF16_BE},
    {"utf_16be", CODEC_UTF16_BE},
    {"utf16_be", CODEC_UTF16_BE},
    {"utf16be", CODEC_UTF16_BE},
    {"utf_32", CODEC_UTF32},
    {"utf32", CODEC_UTF32},
    {"u32", CODEC_UTF32},
    {"utf_32_le", CODEC_UTF32_LE},
    {"utf_32le", CODEC_UTF32_LE},
    {"utf32_le", CODEC_UTF32_LE},
    {"utf32le", CODEC_UTF32_LE},
    {"utf_32_be", CODEC_UTF32_BE},
    {"utf_32be", CODEC_UTF32_BE},
    {"utf32_be", CODEC_UTF32_BE},
    {"utf32be", CODEC_UTF32_BE},
    {"unicode_escape", CODEC_UNICODE_ESCAPE},
    {"raw_unicode_escape", CODEC_RAW_UNICODE_ESCAPE},
};

codec_id codec_find(const str *name)
{
    char buf[40];
    size_t n = 0;
    if (!str_is_ascii(name)) return CODEC_UNKNOWN;
    const char *p = name->data;
    if (name->len == 5) { /* as they are mostly written */
        if (memcmp(p, "utf-8", 5) == 0) return CODEC_UTF8;
        if (memcmp(p, "ascii", 5) == 0) return CODEC_ASCII;
    } else if (name->len == 7 && memcmp(p, "latin-1", 7) == 0) {
        return CODEC_LATIN1;
    }
    for (size_t i = 0; i < name->len; i++) {
        char c = p[i];
        if (n == sizeof buf - 1) return CODEC_UNKNOWN;
        if (c >= 'A' && c <= 'Z') c = (char)(c | 32);
        if (c == '-' || c == ' ') c = '_';
        buf[n++] = c;
    }
    buf[n] = 0;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (aliases[i].alias[0] == buf[0] && strcmp(aliases[i].alias, buf) == 0) return aliases[i].id;
    }
    return charmap_find(buf);
}

const char *codec_name(codec_id id)
{
    static const char *const names[] = {
        "unknown",   "utf-8",  "utf-8-sig", "ascii",     "latin-1",       "utf-16",           "utf-16-le",
        "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "unicodeescape", "rawunicodeescape",
    };
    return id >= CODEC_CHARMAP ? charmap_name(id) : names[id];
}

/* What exceptions call it. */
const char *codec_error_name(codec_id id)
{
    return id >= CODEC_CHARMAP ? "charmap" : codec_name(id == CODEC_UTF8_SIG ? CODEC_UTF8 : id);
}

codec_id codec_need(vm *vm, value name)
{
    if (value_is_unbound(name) || value_is_none(name)) return CODEC_UTF8;
    codec_id id = codec_find(AS(str, name));
    if (id == CODEC_UNKNOWN) raise(vm, EXC_LookupError, "unknown encoding: %U%s", AS(str, name), charmap_unknown);
    return id;
}

codec_handler codec_handler_of(value errors)
{
    static const char *const names[] = {
        "strict",      "ignore",          "replace",       "backslashreplace", "xmlcharrefreplace",
        "namereplace", "surrogateescape", "surrogatepass",
    };
    if (!IS_STR(errors)) return H_STRICT;
    for (unsigned i = 0; i < H_UNKNOWN; i++) {
        if (str_equal_ascii(AS(str, errors), names[i])) return (codec_handler)i;
    }
    return H_UNKNOWN;
}

bool codec_handler_known(value errors) { return codec_handler_of(errors) != H_UNKNOWN; }

static value raise_unicode(vm *vm, unsigned exc_id, const char *name, value object, size_t start, size_t end,
                           const char *reason)
{
    str *enc = str_from_cstr(vm, name), *why = enc ? str_from_cstr(vm, reason) : NULL;
    if (!why) return V_ERROR;
    value args[5] = {value_obj(enc), object, value_int((int64_t)start), value_int((int64_t)end), value_obj(why)};
    ROOT_SPAN(vm, args, 5);
    value exc = exc_make(vm, vm->types[exc_id], args, 5);
    return value_is_error(exc) ? V_ERROR : raise_exception(vm, exc);
}

value codec_decode_error(vm *vm, const char *name, const uint8_t *p, size_t n, size_t start, size_t end,
                         const char *reason)
{
    bytes *object = bytes_new(vm, p, n);
    return object ? raise_unicode(vm, EXC_UnicodeDecodeError, name, value_obj(object), start, end, reason) : V_ERROR;
}

value codec_encode_error(vm *vm, const char *name, str *s, size_t start, size_t end, const char *reason)
{
    return raise_unicode(vm, EXC_UnicodeEncodeError, name, value_obj(s), start, end, reason);
}

void codec_raise_handler(vm *vm, value errors)
{
    raise(vm, EXC_LookupError, "unknown error handler name '%U'", AS(str, errors));
}

/* ---- decoding ---- */

typedef struct decoder {
    vm *vm;
    codec_id id;
    const char *name;
    const uint8_t *p;
    size_t n;
    value errors;
    codec_handler h;
    bool known; /* h is valid */
    str_builder out;
} decoder;

static inline uint32_t read16(const uint8_t *p, bool big) { return codec_read16(p, big); }
static inline uint32_t read32(const uint8_t *p, bool big)
{
    return big ? read16(p, true) << 16 | read16(p + 2, true) : read16(p + 2, false) << 16 | read16(p, false);
}

/* The range [start, end) is bad. true: go on at *next. */
static bool decode_bad(decoder *d, size_t start, size_t end, const char *reason, size_t *next, bool big)
{
    if (!d->known) {
        d->h = codec_handler_of(d->errors);
        d->known = true;
    }
    *next = end;
    switch (d->h) {
    case H_IGNORE: return true;
    case H_REPLACE: sb_char(&d->out, 0xFFFD); return true;
    case H_BACKSLASH:
        for (size_t i = start; i < end; i++) {
            sb_ascii(&d->out, "\\x", 2);
            sb_hex(&d->out, d->p[i], 2);
        }
        return true;
    case H_SURROGATEESCAPE: {
        size_t i = start;
        while (i < end && i - start < 4 && d->p[i] >= 128) sb_char(&d->out, 0xDC00u + d->p[i++]);
        if (i == start) break;
        *next = i;
        return true;
    }
    case H_SURROGATEPASS: {
        const uint8_t *p = d->p + start;
        size_t left = d->n - start;
        uint32_t c = 0;
        if (d->id == CODEC_UTF8 || d->id == CODEC_UTF8_SIG) {
            if (left >= 3 && (p[0] & 0xF0) == 0xE0 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80) {
                c = (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
                *next = start + 3;
            }
        } else if (d->id >= CODEC_UTF16 && d->id <= CODEC_UTF16_BE) {
            if (left >= 2) c = read16(p, big);
            *next = start + 2;
        } else if (d->id >= CODEC_UTF32 && d->id <= CODEC_UTF32_BE) {
            if (left >= 4) c = read32(p, big);
            *next = start + 4;
        }
        if (c < 0xD800 || c > 0xDFFF) break;
        sb_char(&d->out, c);
        return true;
    }
    case H_XMLCHARREF:
    case H_NAMEREPLACE:
        raise_type_error(d->vm, "don't know how to handle UnicodeDecodeError in error callback");
        return false;
    case H_UNKNOWN: codec_raise_handler(d->vm, d->errors); return false;
    case H_STRICT: break;
    }
    codec_decode_error(d->vm, d->name, d->p, d->n, start, end, reason);
    return false;
}

static bool decode_utf8(decoder *d, bool final, size_t *used)
{
    size_t i = 0, points, bad, bad_end;
    uint32_t maxchar;
    const char *reason;
    while (i < d->n) {
        bool good = utf8_check(d->p + i, d->n - i, &points, &maxchar, &bad, &bad_end, &reason);
        size_t stop = good ? d->n : i + bad;
        if (stop > i) {
            str *s = utf8_decode_valid(d->vm, d->p + i, stop - i, points, maxchar);
            if (!s) return false;
            sb_str(&d->out, s);
        }
        if (good) {
            i = stop;
            break;
        }
        if (!final && reason[0] == 'u') { /* unexpected end of data */
            i = stop;
            break;
        }
        if (!decode_bad(d, i + bad, i + bad_end, reason, &i, false)) return false;
    }
    *used = i;
    return true;
}

static bool decode_ascii(decoder *d, size_t *used)
{
    for (size_t i = 0; i < d->n;) {
        size_t run = ascii_prefix(d->p + i, d->n - i);
        sb_ascii(&d->out, (const char *)d->p + i, run);
        i += run;
        if (i < d->n && !decode_bad(d, i, i + 1, "ordinal not in range(128)", &i, false)) return false;
    }
    *used = d->n;
    return true;
}

static bool decode_charmap(decoder *d, size_t *used)
{
    for (size_t i = 0; i < d->n;) {
        uint32_t c = charmap_point(d->id, d->p[i]);
        if (c != CHARMAP_NONE) {
            sb_char(&d->out, c);
            i++;
        } else if (!decode_bad(d, i, i + 1, "character maps to <undefined>", &i, false)) {
            return false;
        }
    }
    *used = d->n;
    return true;
}

static bool decode_utf16(decoder *d, bool final, size_t *used, int *order)
{
    size_t i = 0;
    bool bom = d->id == CODEC_UTF16;
    int o = d->id == CODEC_UTF16_LE ? -1 : d->id == CODEC_UTF16_BE ? 1 : *order;
    if (bom && o == 0) {
        if (d->n >= 2) {
            uint32_t mark = read16(d->p, false);
            o = mark == 0xFFFE ? 1 : -1;
            if (mark == 0xFEFF || mark == 0xFFFE) i = 2;
            *order = o;
        } else if (!final) {
            *used = 0;
            return true;
        }
    }
    bool big = o == 1;
    d->name = big ? "utf-16-be" : "utf-16-le";
    while (i < d->n) {
        size_t left = d->n - i;
        if (left < 2) {
            if (!final) break;
            if (!decode_bad(d, i, d->n, "truncated data", &i, big)) return false;
            continue;
        }
        uint32_t c = read16(d->p + i, big);
        if ((c & 0xFC00) == 0xD800) {
            if (left < 4) {
                if (!final) break;
                if (!decode_bad(d, i, d->n, "unexpected end of data", &i, big)) return false;
                continue;
            }
            uint32_t lo = read16(d->p + i + 2, big);
            if ((lo & 0xFC00) != 0xDC00) {
                if (!decode_bad(d, i, i + 2, "illegal UTF-16 surrogate", &i, big)) return false;
                continue;
            }
            c = 0x10000 + ((c & 0x3FF) << 10 | (lo & 0x3FF));
            i += 2;
        } else if ((c & 0xFC00) == 0xDC00) {
            if (!decode_bad(d, i, i + 2, "illegal encoding", &i, big)) return false;
            continue;
        }
        sb_char(&d->out, c);
        i += 2;
    }
    *used = i;
    return true;
}

static bool decode_utf32(decoder *d, bool final, size_t *used, int *order)
{
    size_t i = 0;
    int o = d->id == CODEC_UTF32_LE ? -1 : d->id == CODEC_UTF32_BE ? 1 : *order;
    if (d->id == CODEC_UTF32 && o == 0) {
        if (d->n >= 4) {
            uint32_t mark = read32(d->p, false);
            o = mark == 0xFFFE0000 ? 1 : -1;
            if (mark == 0xFEFF || mark == 0xFFFE0000) i = 4;
            *order = o;
        } else if (!final) {
            *used = 0;
            return true;
        }
    }
    bool big = o == 1;
    d->name = big ? "utf-32-be" : "utf-32-le";
    while (i < d->n) {
        if (d->n - i < 4) {
            if (!final) break;
            if (!decode_bad(d, i, d->n, "truncated data", &i, big)) return false;
            continue;
        }
        uint32_t c = read32(d->p + i, big);
        if (c > CP_MAX || (c & ~0x7FFu) == 0xD800) {
            const char *why = c > CP_MAX ? "code point not in range(0x110000)"
                                         : "code point in surrogate code point range(0xd800, 0xe000)";
            if (!decode_bad(d, i, i + 4, why, &i, big)) return false;
            continue;
        }
        sb_char(&d->out, c);
        i += 4;
    }
    *used = i;
    return true;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \N{name}; *i is behind the N. */
static bool decode_named(decoder *d, size_t start, size_t *i)
{
    const uint8_t *p = d->p + *i;
    const uint8_t *end = *i < d->n && *p == '{' ? memchr(p, '}', d->n - *i) : NULL;
    if (!end || end == p + 1)
        return decode_bad(d, start, *i < d->n && *p == '{' ? d->n : *i, "malformed \\N character escape", i, false);
    uint32_t c = unicode_name_lookup((const char *)p + 1, (size_t)(end - p - 1));
    *i = (size_t)(end - d->p) + 1;
    if (c == UNICODE_NAME_UNKNOWN) return decode_bad(d, start, *i, unicode_name_unknown, i, false);
    sb_char(&d->out, c);
    return true;
}

/* unicode_escape, and raw_unicode_escape, which knows \u and \U only. */
static bool decode_escape(decoder *d, size_t *used)
{
    static const char plain[] = "\n\n\\\\''\"\"b\bf\ft\tn\nr\rv\va\a";
    bool raw = d->id == CODEC_RAW_UNICODE_ESCAPE;
    for (size_t i = 0; i < d->n;) {
        uint8_t c = d->p[i];
        if (c != '\\') {
            sb_char(&d->out, c);
            i++;
            continue;
        }
        size_t start = i++;
        if (i == d->n) {
            if (raw) {
                sb_char(&d->out, '\\');
                continue;
            }
            if (!decode_bad(d, start, i, "\\ at end of string", &i, false)) return false;
            continue;
        }
        c = d->p[i++];
        unsigned digits = c == 'u' ? 4 : c == 'U' ? 8 : c == 'x' && !raw ? 2 : 0;
        if (digits) {
            if (raw && start > 0 && d->p[start - 1] == '\\') { /* \\u: an even run of backslashes is plain text */
                size_t k = start;
                while (k > 0 && d->p[k - 1] == '\\') k--;
                if ((start - k) & 1) {
                    sb_char(&d->out, '\\');
                    sb_char(&d->out, c);
                    continue;
                }
            }
            uint32_t v = 0;
            unsigned k = 0;
            for (; k < digits && i < d->n && hex_value(d->p[i]) >= 0; k++) v = v << 4 | (uint32_t)hex_value(d->p[i++]);
            if (k < digits || v > CP_MAX) {
                const char *why = k < digits ? (digits == 2   ? "truncated \\xXX escape"
                                                : digits == 4 ? "truncated \\uXXXX escape"
                                                              : "truncated \\UXXXXXXXX escape")
                                             : "illegal Unicode character";
                if (!decode_bad(d, start, i, why, &i, false)) return false;
                continue;
            }
            sb_char(&d->out, v);
            continue;
        }
        if (raw) {
            sb_char(&d->out, '\\');
            i--;
            if (c == '\\') {
                sb_char(&d->out, '\\');
                i++;
            }
            continue;
        }
        if (c >= '0' && c <= '7') {
            uint32_t v = c - '0';
            for (unsigned k = 0; k < 2 && i < d->n && d->p[i] >= '0' && d->p[i] <= '7'; k++)
                v = v * 8 + (d->p[i++] - '0');
            sb_char(&d->out, v);
            continue;
        }
        const char *e = NULL;
        for (size_t k = 0; k + 1 < sizeof plain - 1; k += 2) {
            if ((uint8_t)plain[k] == c) e = plain + k + 1;
        }
        if (c == '\n') continue;
        if (e) {
            sb_char(&d->out, (uint8_t)*e);
        } else if (c == 'N') {
            if (!decode_named(d, start, &i)) return false;
        } else {
            sb_char(&d->out, '\\');
            sb_char(&d->out, c);
        }
    }
    *used = d->n;
    return true;
}

str *codec_decode(vm *vm, codec_id id, const uint8_t *p, size_t n, value errors, bool final, size_t *consumed,
                  int *order)
{
    size_t used = 0, skip = 0;
    int own_order = 0;
    if (!order) order = &own_order;
    if (id == CODEC_UTF8_SIG && *order == 0) {
        if (n < 3 && !final && memcmp(p, "\xEF\xBB\xBF", n) == 0) {
            *consumed = 0;
            return vm->empty_str;
        }
        if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) skip = 3;
        *order = 1;
    }
    if (consumed) *consumed = n;
    str *fast = codec_decode_fast(vm, id, p + skip, n - skip, order);
    if (fast || raised(vm)) return fast;
    decoder d = {.vm = vm, .id = id, .name = codec_error_name(id), .p = p + skip, .n = n - skip, .errors = errors};
    sb_init(&d.out, vm);
    bool ok;
    switch (id) {
    case CODEC_ASCII: ok = decode_ascii(&d, &used); break;
    case CODEC_UTF16:
    case CODEC_UTF16_LE:
    case CODEC_UTF16_BE: ok = decode_utf16(&d, final, &used, order); break;
    case CODEC_UTF32:
    case CODEC_UTF32_LE:
    case CODEC_UTF32_BE: ok = decode_utf32(&d, final, &used, order); break;
    case CODEC_UNICODE_ESCAPE:
    case CODEC_RAW_UNICODE_ESCAPE: ok = decode_escape(&d, &used); break;
    case CODEC_UTF8:
    case CODEC_UTF8_SIG: ok = decode_utf8(&d, final, &used); break;
    default: ok = decode_charmap(&d, &used);
    }
    if (!ok) {
        sb_drop(&d.out);
        return NULL;
    }
    if (consumed) *consumed = used + skip;
    return sb_finish(&d.out);
}
