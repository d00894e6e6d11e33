/* repr() and ascii() of strings. Runs of plain characters are copied as they are. */
#include "str.h"
#include "str_unicode.h"

static void escape_point(str_builder *b, uint32_t c)
{
    if (c == '\n' || c == '\r' || c == '\t') {
        sb_ascii(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t", 2);
        return;
    }
    sb_ascii(b, c < 0x100 ? "\\x" : c < 0x10000 ? "\\u" : "\\U", 2);
    sb_hex(b, c, c < 0x100 ? 2 : c < 0x10000 ? 4 : 8);
}

/* Nothing to escape, and no quotes: nearly every text. */
static bool is_plain(const uint8_t *p, size_t n)
{
    uint8_t all = AC_PRINT;
    for (size_t i = 0; i < n; i++) {
        all &= p[i] == '\'' || p[i] == '\\' ? 0 : ascii_class[p[i]];
    }
    return all;
}

str *str_repr(vm *vm, str *s)
{
    if (str_is_ascii(s) && is_plain(s->data, s->len)) {
        str *r = str_alloc(vm, s->len + 2, 0x7F);
        if (!r) return NULL;
        uint8_t *d = str_wdata(r);
        d[0] = d[s->len + 1] = '\'';
        text_copy(d + 1, s->data, s->len);
        return r;
    }
    uint32_t quote = str_find_char(s, '\'') && !str_find_char(s, '"') ? '"' : '\'';
    str_builder b;
    sb_init(&b, vm);
    sb_reserve(&b, s->len + 2, 0x7F);
    sb_char(&b, quote);
    unsigned w = str_width(s);
    size_t done = 0;
    for (size_t i = 0; i < s->len && !b.failed; i++) {
        uint32_t c = text_at(s->data, w, i);
        if (LIKELY(c < 128)) {
            if (LIKELY(ascii_class[c] & AC_PRINT && c != quote && c != '\\')) continue;
        } else if (uni_wide_printable(c)) {
            continue;
        }
        if (done < i) sb_range(&b, s, done, i);
        done = i + 1;
        if (c == quote || c == '\\') {
            sb_char(&b, '\\');
            sb_char(&b, c);
        } else {
            escape_point(&b, c);
        }
    }
    if (done < s->len) sb_range(&b, s, done, s->len);
    sb_char(&b, quote);
    return sb_finish(&b);
}

str *str_ascii_escape(vm *vm, str *s)
{
    if (str_is_ascii(s)) return str_plain(s);
    str_builder b;
    sb_init(&b, vm);
    for (size_t i = 0; i < s->len && !b.failed; i++) {
        uint32_t c = str_at(s, i);
        if (c < 128) sb_char(&b, c);
        else escape_point(&b, c);
    }
    return sb_finish(&b);
}
