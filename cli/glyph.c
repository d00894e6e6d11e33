/* glyph.c: UTF-8 text as a terminal shows it.
 *
 * A cluster's width is the sum of its code points' widths, as terminals without a notion of clusters count; the editor
 * places the cursor by column, so that one that counts otherwise is wrong within a row at most.
 */
#include "cli/glyph.h"

#include <utf8proc.h>

#include <string.h>

uint32_t glyph_decode(const char *p, const char *end, size_t *n)
{
    utf8proc_int32_t cp;
    utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)p, end - p, &cp);
    *n = len > 0 ? (size_t)len : 1;
    return len > 0 ? (uint32_t)cp : 0xFFFD;
}

size_t glyph_next(const char *text, size_t n, size_t at)
{
    if (at >= n) return n;
    const char *end = text + n;
    size_t len;
    uint32_t before = glyph_decode(text + at, end, &len);
    utf8proc_int32_t state = 0;
    for (at += len; at < n; at += len) {
        uint32_t cp = glyph_decode(text + at, end, &len);
        if (before < 0x20 || cp < 0x20 ||
            utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)cp, &state))
            break;
        before = cp;
    }
    return at;
}

size_t glyph_prev(const char *text, size_t n, size_t at)
{
    if (at == 0) return 0;
    /* Clusters can't be told backwards: from the begin of the line, or of 256 bytes. */
    size_t from = at - 1, back = at > 256 ? at - 256 : 0;
    while (from > back && text[from - 1] != '\n') from--;
    while (from > 0 && ((unsigned char)text[from] & 0xC0) == 0x80) from--;
    for (;;) {
        size_t next = glyph_next(text, n, from);
        if (next >= at) return from;
        from = next;
    }
}

unsigned glyph_columns(const char *text, size_t from, size_t to, unsigned col)
{
    unsigned columns = 0;
    const char *p = text + from, *end = text + to;
    while (p < end) {
        size_t n;
        uint32_t cp = glyph_decode(p, end, &n);
        if (cp == '\t') columns += 8 - (col + columns) % 8;
        else if (cp < 0x20 || cp == 0x7F) columns += 2;
        else if (cp < 0xA0 && cp >= 0x80) /* shown as U+FFFD */ columns++;
        else {
            int w = utf8proc_charwidth((utf8proc_int32_t)cp);
            columns += w > 0 ? (unsigned)w : 0;
        }
        p += n;
    }
    return columns;
}

size_t glyph_printed_columns(const char *text, size_t n, size_t col)
{
    const char *p = text, *end = text + n;
    while (p < end) {
        if (*p == '\x1b' && p + 1 < end && p[1] == '[') {
            p += 2;
            while (p < end && (unsigned char)*p < 0x40) p++;
            p += p < end;
            continue;
        }
        if (*p == '\x1b' && p + 1 < end && p[1] == ']') { /* a title or link, up to BEL or ESC \ */
            while (p < end && *p != '\a' && !(*p == '\\' && p[-1] == '\x1b')) p++;
            p += p < end;
            continue;
        }
        size_t len;
        uint32_t cp = glyph_decode(p, end, &len);
        if (cp == '\r') col = 0;
        else if (cp == '\t') col += 8 - col % 8;
        else if (cp == '\b') col -= col > 0;
        else if (cp >= 0x20) {
            int w = utf8proc_charwidth((utf8proc_int32_t)cp);
            col += w > 0 ? (size_t)w : 0;
        }
        p += len;
    }
    return col;
}

static bool glyph_is_word(uint32_t cp)
{
    if (cp == '_') return true;
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC: return true;
    default: return false;
    }
}

static bool word_at(const char *text, size_t n, size_t at)
{
    size_t len;
    return glyph_is_word(glyph_decode(text + at, text + n, &len));
}

size_t glyph_word_end(const char *text, size_t n, size_t at)
{
    while (at < n && !word_at(text, n, at)) at = glyph_next(text, n, at);
    while (at < n && word_at(text, n, at)) at = glyph_next(text, n, at);
    return at;
}

size_t glyph_word_start(const char *text, size_t n, size_t at)
{
    while (at > 0 && !word_at(text, n, glyph_prev(text, n, at))) at = glyph_prev(text, n, at);
    while (at > 0 && word_at(text, n, glyph_prev(text, n, at))) at = glyph_prev(text, n, at);
    return at;
}
