/* context.c: where in a cell the cursor is.
 *
 * The tokens before the cursor are kept (the last MAX_TOKENS of them), and looked at backwards.
 */
#include "cli/context.h"

#include "grammar/lexer.h"
#include "grammar/token_class.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TOKENS = 4096 };

struct tokens {
    const char *text;
    struct token *t;
    size_t n;
};

static void *memory(void *ud, void *p, size_t old, size_t n)
{
    (void)ud, (void)old;
    if (n) return realloc(p, n);
    free(p);
    return NULL;
}

static bool is_text(const struct tokens *ts, size_t i, const char *text)
{
    size_t n = strlen(text);
    const struct token *t = &ts->t[i];
    return t->end - t->start == n && memcmp(ts->text + t->start, text, n) == 0;
}

static bool is_name(const struct tokens *ts, size_t i)
{
    enum token_class c = token_class_of(ts->t[i].kind);
    return c == TOKEN_CLASS_NAME || c == TOKEN_CLASS_KEYWORD || c == TOKEN_CLASS_CONSTANT || c == TOKEN_CLASS_DEFINES;
}

static bool ends_line(const struct tokens *ts, size_t i)
{
    return token_class_of(ts->t[i].kind) == TOKEN_CLASS_LAYOUT || is_text(ts, i, ";") || is_text(ts, i, ":");
}

/* The dotted name that ends with token i; where it begins, SIZE_MAX: it is none. */
static size_t dotted_start(const struct tokens *ts, size_t i)
{
    if (token_class_of(ts->t[i].kind) != TOKEN_CLASS_NAME) return SIZE_MAX;
    while (i >= 1 && is_text(ts, i - 1, ".")) {
        if (i < 2 || token_class_of(ts->t[i - 2].kind) != TOKEN_CLASS_NAME) return SIZE_MAX;
        i -= 2;
    }
    return i;
}

static struct text_span span(const struct tokens *ts, size_t from, size_t to)
{
    return (struct text_span){ts->t[from].start, ts->t[to].end};
}

/* The call that is open at the end. */
static void find_callee(const struct tokens *ts, struct context *c)
{
    size_t depth = 0;
    for (size_t i = ts->n; i-- > 0;) {
        enum token_class k = token_class_of(ts->t[i].kind);
        if (k == TOKEN_CLASS_CLOSE) {
            depth++;
        } else if (k == TOKEN_CLASS_OPEN) {
            if (depth-- > 0) continue;
            if (i == 0 || !is_text(ts, i, "(")) return;
            size_t start = dotted_start(ts, i - 1);
            /* The parameters of a definition are no arguments. */
            if (start == SIZE_MAX || (start > 0 && token_class_of(ts->t[start - 1].kind) == TOKEN_CLASS_DEFINES))
                return;
            c->callee = span(ts, start, i - 1);
            return;
        }
    }
}

/* Is token `at` in an import statement? The kind, and base of it. `last`: the token before what is typed. */
static bool find_import(const struct tokens *ts, size_t last, struct context *c)
{
    size_t i = last;
    while (i > 0 && !ends_line(ts, i - 1)) i--;
    bool from = is_text(ts, i, "from");
    if (!from && !is_text(ts, i, "import")) return false;
    for (size_t k = i + 1; from && k <= last; k++) {
        if (!is_text(ts, k, "import")) continue;
        c->kind = k > i + 1 && (is_text(ts, last, "import") || is_text(ts, last, ",") || is_text(ts, last, "("))
                      ? CONTEXT_FROM_IMPORT
                      : CONTEXT_NONE;
        if (k > i + 1) c->base = span(ts, i + 1, k - 1);
        return true;
    }
    c->kind = CONTEXT_NONE;
    if (last == i || is_text(ts, last, ",")) {
        c->kind = CONTEXT_MODULE;
    } else if (is_text(ts, last, ".") && last > i + 1) {
        size_t start = dotted_start(ts, last - 1);
        if (start != SIZE_MAX) {
            c->kind = CONTEXT_MODULE;
            c->base = span(ts, start, last - 1);
        }
    }
    return true;
}

static void classify(const struct tokens *ts, size_t cursor, struct context *c)
{
    size_t n = ts->n;
    c->typed = (struct text_span){cursor, cursor};
    if (n > 0 && is_name(ts, n - 1) && ts->t[n - 1].end == cursor) {
        c->typed.from = ts->t[n - 1].start;
        n--;
    } else if (n > 0 && ts->t[n - 1].end == cursor && token_class_of(ts->t[n - 1].kind) == TOKEN_CLASS_NUMBER) {
        c->kind = CONTEXT_NONE;
        return;
    }
    c->kind = CONTEXT_NAME;
    if (n == 0 || find_import(ts, n - 1, c)) return;
    if (!is_text(ts, n - 1, ".")) return;
    size_t start = n >= 2 ? dotted_start(ts, n - 2) : SIZE_MAX;
    c->kind = start == SIZE_MAX ? CONTEXT_NONE : CONTEXT_ATTRIBUTE;
    if (start != SIZE_MAX) c->base = span(ts, start, n - 2);
}

void context_at(const char *text, size_t cursor, struct context *c)
{
    memset(c, 0, sizeof *c);
    char *copy = cursor < (1u << 20) ? malloc(cursor + 1) : NULL;
    struct lexer *lx = copy ? malloc(sizeof *lx) : NULL;
    struct tokens ts = {.text = copy, .t = lx ? malloc(MAX_TOKENS * sizeof *ts.t) : NULL};
    if (ts.t != NULL) {
        for (size_t i = 0; i < cursor; i++) copy[i] = text[i] == 0 || text[i] == '\r' ? ' ' : text[i];
        copy[cursor] = 0;
        arena a;
        arena_init(&a, memory, NULL);
        lexer_init(lx, &a, copy, (uint32_t)cursor);
        struct token t;
        int kind;
        while ((kind = lexer_next(lx, &t)) > 0) {
            /* What the end of the text adds is not there. */
            if (t.start >= cursor || (t.flags & TOKEN_LAST)) continue;
            if (ts.n == MAX_TOKENS) memmove(ts.t, ts.t + MAX_TOKENS / 2, (ts.n = MAX_TOKENS / 2) * sizeof *ts.t);
            ts.t[ts.n++] = t;
        }
        /* Open brackets stop the scanner at the end only; anything else is a string or not to be understood. */
        bool open = kind == LEXER_EOF || (kind == LEXER_MORE && lx->error.in_bracket);
        size_t last = ts.n ? ts.t[ts.n - 1].end : 0;
        bool comment =
            memchr(copy + last, '#', cursor - last) != NULL && memchr(copy + last, '\n', cursor - last) == NULL;
        find_callee(&ts, c);
        if (open && !comment) classify(&ts, cursor, c);
        arena_free(&a);
    }
    free(ts.t);
    free(lx);
    free(copy);
}
