/* highlight.c: the colours of source text, by the language's own scanner.
 *
 * Where the scanner stops (an unclosed string, say) the rest has the colour of what it stopped in. Comments are no
 * tokens: they are what begins with # between two of them.
 */
#include "cli/highlight.h"

#include "cli/editor.h"
#include "grammar/lexer.h"
#include "grammar/token_class.h"

#include <stdlib.h>
#include <string.h>

static void *memory(void *ud, void *p, size_t old, size_t n)
{
    (void)ud, (void)old;
    if (n) return realloc(p, n);
    free(p);
    return NULL;
}

static void paint(uint8_t *styles, size_t from, size_t to, enum editor_style style)
{
    if (from < to) memset(styles + from, (int)style, to - from);
}

static void paint_gap(const char *text, uint8_t *styles, size_t from, size_t to)
{
    while (from < to) {
        const char *hash = memchr(text + from, '#', to - from);
        if (hash == NULL) return;
        from = (size_t)(hash - text);
        const char *nl = memchr(hash, '\n', to - from);
        size_t stop = nl ? (size_t)(nl - text) : to;
        paint(styles, from, stop, STYLE_COMMENT);
        from = stop;
    }
}

static enum editor_style style_of(enum token_class c, bool defined)
{
    switch (c) {
    case TOKEN_CLASS_NAME: return defined ? STYLE_DEFINED : STYLE_PLAIN;
    case TOKEN_CLASS_KEYWORD:
    case TOKEN_CLASS_DEFINES: return STYLE_KEYWORD;
    case TOKEN_CLASS_CONSTANT: return STYLE_BUILTIN;
    case TOKEN_CLASS_STRING: return STYLE_STRING;
    case TOKEN_CLASS_NUMBER: return STYLE_NUMBER;
    default: return STYLE_PLAIN;
    }
}

void highlight(const char *text, size_t n, uint8_t *styles)
{
    char *copy = n < (1u << 20) ? malloc(n + 1) : NULL;
    struct lexer *lx = copy ? malloc(sizeof *lx) : NULL;
    if (lx == NULL) {
        free(copy);
        return;
    }
    for (size_t i = 0; i < n; i++) copy[i] = text[i] == 0 || text[i] == '\r' ? ' ' : text[i];
    copy[n] = 0;
    arena a;
    arena_init(&a, memory, NULL);
    lexer_init(lx, &a, copy, (uint32_t)n);
    size_t done = 0;
    bool defined = false;
    struct token t;
    int kind;
    while ((kind = lexer_next(lx, &t)) > 0) {
        enum token_class c = token_class_of(kind);
        if (t.start > done && t.start <= n) paint_gap(copy, styles, done, t.start);
        if (c != TOKEN_CLASS_LAYOUT && t.end <= n) {
            paint(styles, t.start, t.end, style_of(c, defined));
            done = t.end > done ? t.end : done;
        }
        defined = c == TOKEN_CLASS_DEFINES;
    }
    size_t at = kind < 0 ? lx->error.start : n;
    if (kind < 0 && at >= done && at < n && !lx->error.in_bracket) {
        paint_gap(copy, styles, done, at);
        bool string = strcspn(copy + at, "'\"") <= 3; /* after a prefix such as rb */
        paint(styles, at, n, string ? STYLE_STRING : STYLE_PLAIN);
    } else {
        paint_gap(copy, styles, done, n);
    }
    arena_free(&a);
    free(lx);
    free(copy);
}
