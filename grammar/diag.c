/* diag.c: messages, and where in the text they point. */
#include "diag.h"

#include "parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *diag_kind_name(diag_kind kind)
{
    static const char *const names[DIAG_KIND_COUNT] = {
        [DIAG_NONE] = "",
        [DIAG_SYNTAX_ERROR] = "SyntaxError",
        [DIAG_INDENTATION_ERROR] = "IndentationError",
        [DIAG_TAB_ERROR] = "TabError",
        [DIAG_VALUE_ERROR] = "ValueError",
        [DIAG_RECURSION_ERROR] = "RecursionError",
        [DIAG_MEMORY_ERROR] = "MemoryError",
        [DIAG_DEPRECATION_WARNING] = "DeprecationWarning",
        [DIAG_SYNTAX_WARNING] = "SyntaxWarning",
    };
    return (unsigned)kind < DIAG_KIND_COUNT ? names[kind] : "";
}

const char *diag_format(arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = diag_vformat(a, format, args);
    va_end(args);
    return text;
}

const char *diag_vformat(arena *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (text) vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text ? text : "out of memory";
}

/* ---- lines ---- */

struct line_pos line_index_pos(const struct line_index *li, uint32_t offset)
{
    uint32_t lo = 0, hi = li->n;
    if (offset > li->len) offset = li->len;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (li->starts[mid] <= offset) lo = mid;
        else hi = mid;
    }
    struct line_pos pos = {lo + 1, offset - li->starts[lo], 0};
    const char *p = li->src + li->starts[lo];
    for (uint32_t i = 0; i < pos.byte; i++) pos.col += ((unsigned char)p[i] & 0xC0) != 0x80;
    return pos;
}

const char *line_index_text(const struct line_index *li, uint32_t line, uint32_t *len)
{
    if (line < 1 || line > li->n) {
        *len = 0;
        return "";
    }
    uint32_t start = li->starts[line - 1], end = line < li->n ? li->starts[line] - 1 : li->len;
    *len = end - start;
    return li->src + start;
}

void line_index_locate(const struct line_index *li, uint32_t start, uint32_t end, struct diag *d)
{
    struct line_pos from = line_index_pos(li, start), to = line_index_pos(li, end);
    d->start = start;
    d->end = end;
    d->lineno = from.line;
    d->offset = from.col + 1;
    d->end_lineno = to.line;
    d->end_offset = to.col + 1;
}
