/* literal.c: decoding of numbers, strings and f-string parts.
 *
 * Text is decoded to WTF-8: UTF-8 in which a lone surrogate (from '\ud800') is three bytes as well.
 * A decoded literal is never longer than its source, so one buffer of the source's size will do.
 */
#include "literal.h"

#include "build.h"
#include "unicode_names.h"

#include <string.h>

/* ---- numbers ---- */

ast *literal_number(struct parse_state *ps, struct token t)
{
    ast *node = ast_build_const(ps, AST_CONST_INT, t.start, t.end);
    if (node->kind != AST_Constant) return node;
    struct ast_const *c = &AST_AS(Constant, node)->value;
    const char *p = ps->src + t.start, *end = ps->src + t.end;
    char mark = end - p > 1 && *p == '0' ? (char)(p[1] | 32) : 0;
    c->base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    if (c->base != 10) {
        p += 2;
    } else {
        for (const char *q = p; q < end; q++)
            if (*q == '.' || (*q | 32) == 'e') c->kind = AST_CONST_FLOAT;
        if ((end[-1] | 32) == 'j') {
            c->kind = AST_CONST_IMAG;
            end--;
        }
    }
    char *text = arena_alloc(ps->a, (size_t)(end - p) + 1);
    if (!text) {
        state_nomem(ps);
        return node;
    }
    c->text = text;
    for (; p < end; p++)
        if (*p != '_') text[c->len++] = *p;
    text[c->len] = 0;
    if (c->kind == AST_CONST_INT && c->base == 10 && c->len > LITERAL_MAX_DIGITS)
        state_failf(ps, t.start, t.end,
                    "Exceeds the limit (%d digits) for integer string conversion: value has %u "
                    "digits; use sys.set_int_max_str_digits() to increase the limit - Consider "
                    "hexadecimal for huge integer literals to avoid decimal conversion limits.",
                    LITERAL_MAX_DIGITS, (unsigned)c->len);
    return node;
}

/* ---- escapes ---- */

struct decoder {
    struct parse_state *ps;
    struct token t;
    const char *body, *p, *end;
    char *out;
    uint32_t position; /* of p, as CPython counts it for its messages */
    bool warned;
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *put_code_point(char *out, uint32_t cp)
{
    if (cp < 0x80) {
        *out++ = (char)cp;
    } else if (cp < 0x800) {
        *out++ = (char)(0xC0 | cp >> 6);
        *out++ = (char)(0x80 | (cp & 63));
    } else if (cp < 0x10000) {
        *out++ = (char)(0xE0 | cp >> 12);
        *out++ = (char)(0x80 | (cp >> 6 & 63));
        *out++ = (char)(0x80 | (cp & 63));
    } else {
        *out++ = (char)(0xF0 | cp >> 18);
        *out++ = (char)(0x80 | (cp >> 12 & 63));
        *out++ = (char)(0x80 | (cp >> 6 & 63));
        *out++ = (char)(0x80 | (cp & 63));
    }
    return out;
}

static void string_error(struct parse_state *ps, const char *message)
{
    if (!ps->string_error) ps->string_error = message;
}

static void unicode_error(struct decoder *d, uint32_t length, const char *what)
{
    string_error(d->ps, diag_format(d->ps->a,
                                    "(unicode error) 'unicodeescape' codec can't decode bytes in "
                                    "position %u-%u: %s",
                                    (unsigned)d->position, (unsigned)(d->position + length - 1), what));
}

/* \xHH, \uHHHH or \UHHHHHHHH; d->p is at the letter. */
static void hex_escape(struct decoder *d, int digits, const char *what)
{
    uint32_t cp = 0, n = 2;
    d->p++;
    for (int i = 0; i < digits; i++, n++) {
        int v = d->p < d->end ? hex_value(*d->p) : -1;
        if (v < 0) {
            unicode_error(d, n, what);
            return;
        }
        cp = cp << 4 | (uint32_t)v;
        d->p++;
    }
    if (cp > 0x10FFFF) {
        unicode_error(d, n, "illegal Unicode character");
        return;
    }
    d->position += n;
    d->out = put_code_point(d->out, cp);
}

/* \N{NAME}; d->p is at the N. */
static void named_escape(struct decoder *d)
{
    d->p++;
    if (d->p == d->end || *d->p != '{') {
        unicode_error(d, 2, "malformed \\N character escape");
        return;
    }
    const char *name = ++d->p;
    const char *close = memchr(name, '}', (size_t)(d->end - name));
    if (!close || close == name) {
        unicode_error(d, 3 + (uint32_t)((close ? close : d->end) - name), "malformed \\N character escape");
        d->p = close ? close : d->end;
        return;
    }
    uint32_t n = 4 + (uint32_t)(close - name);
    uint32_t cp = unicode_name_lookup(name, (size_t)(close - name));
    d->p = close + 1;
    if (cp == UNICODE_NAME_UNKNOWN) {
        unicode_error(d, n, unicode_name_unknown);
        return;
    }
    d->position += n;
    d->out = put_code_point(d->out, cp);
}

/* The escape of `n` characters at `at`; the first of a literal is enough. */
static void warn_escape(struct decoder *d, const char *at, int n)
{
    if (d->warned) return;
    d->warned = true;
    state_warn(d->ps, DIAG_DEPRECATION_WARNING, d->t.start, d->t.end,
               diag_format(d->ps->a, "invalid %sescape sequence '\\%.*s'", n > 1 ? "octal " : "", n, at));
}

/* One escape; d->p is after the backslash and not at the end. */
static void escape(struct decoder *d, bool bytes)
{
    static const char letters[] = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v";
    char c = *d->p;
    if (c == '\n') {
        d->p++;
        d->position += 2;
        return;
    }
    for (const char *l = letters; *l; l += 2) {
        if (*l == c) {
            *d->out++ = l[1];
            d->p++;
            d->position += 2;
            return;
        }
    }
    if (c >= '0' && c <= '7') {
        uint32_t v = 0, n = 0;
        for (; n < 3 && d->p < d->end && *d->p >= '0' && *d->p <= '7'; n++) v = v * 8 + (uint32_t)(*d->p++ - '0');
        d->position += n + 1;
        if (v > 255) warn_escape(d, d->p - 3, 3);
        if (bytes) *d->out++ = (char)v;
        else d->out = put_code_point(d->out, v);
        return;
    }
    if (bytes && c == 'x') {
        int hi = d->p + 1 < d->end ? hex_value(d->p[1]) : -1;
        int lo = d->p + 2 < d->end ? hex_value(d->p[2]) : -1;
        if (hi < 0 || lo < 0) {
            string_error(d->ps, diag_format(d->ps->a, "(value error) invalid \\x escape at position %u",
                                            (unsigned)(d->p - 1 - d->body)));
            d->p++;
            return;
        }
        *d->out++ = (char)(hi << 4 | lo);
        d->p += 3;
        return;
    }
    if (!bytes) {
        switch (c) {
        case 'x': hex_escape(d, 2, "truncated \\xXX escape"); return;
        case 'u': hex_escape(d, 4, "truncated \\uXXXX escape"); return;
        case 'U': hex_escape(d, 8, "truncated \\UXXXXXXXX escape"); return;
        case 'N': named_escape(d); return;
        default: break;
        }
    }
    if (!(c & 0x80)) warn_escape(d, d->p, 1);
    *d->out++ = '\\';
    d->position++;
}

/* Decodes [body, end) into a Constant. */
static void decode(struct parse_state *ps, struct token t, const char *body, const char *end, struct ast_const *c)
{
    bool bytes = c->kind == AST_CONST_BYTES, raw = t.flags & TOKEN_RAW;
    size_t size = (size_t)(end - body);
    /* \N{...} and \U may write up to four bytes for their longer source: never longer than it. */
    char *text = arena_alloc(ps->a, size + 1);
    if (!text) {
        state_nomem(ps);
        return;
    }
    struct decoder d = {.ps = ps, .t = t, .body = body, .p = body, .end = end, .out = text};
    while (d.p < d.end && !ps->string_error) {
        char ch = *d.p++;
        if (ch == '\\' && !raw && d.p < d.end) {
            escape(&d, bytes);
        } else {
            if (bytes && (ch & 0x80)) {
                string_error(ps, "bytes can only contain ASCII literal characters");
                return;
            }
            *d.out++ = ch;
            if (!(ch & 0x80)) d.position++;
            else if ((ch & 0xC0) != 0x80) d.position += 10; /* CPython has written it as \UXXXXXXXX by then */
        }
    }
    *d.out = 0;
    c->text = text;
    c->len = (uint32_t)(d.out - text);
}

ast *literal_string(struct parse_state *ps, struct token t)
{
    ast *node = ast_build_const(ps, t.flags & TOKEN_BYTES ? AST_CONST_BYTES : AST_CONST_STR, t.start, t.end);
    if (node->kind != AST_Constant) return node;
    const char *p = ps->src + t.start, *end = ps->src + t.end;
    while (*p != '\'' && *p != '"') p++;
    unsigned quote = t.flags & TOKEN_TRIPLE ? 3 : 1;
    struct ast_const *c = &AST_AS(Constant, node)->value;
    c->u = (t.flags & TOKEN_U) != 0;
    decode(ps, t, p + quote, end - quote, c);
    return node;
}

/* ---- f-strings ---- */

ast *literal_fstring_text(struct parse_state *ps, struct token t)
{
    ast *node = ast_build_const(ps, AST_CONST_STR, t.start, t.end);
    if (node->kind != AST_Constant) return node;
    const char *p = ps->src + t.start, *end = ps->src + t.end;
    if (!(t.flags & TOKEN_SPEC) && (memchr(p, '{', (size_t)(end - p)) || memchr(p, '}', (size_t)(end - p)))) {
        /* Doubled braces stand for one, except in \N{...}, which is kept for the decoder. */
        char *once = arena_alloc(ps->a, (size_t)(end - p) + 1), *q = once;
        if (!once) {
            state_nomem(ps);
            return node;
        }
        while (p < end) {
            if (!(t.flags & TOKEN_RAW) && *p == '\\' && end - p >= 3 && p[1] == 'N' && p[2] == '{') {
                while (*p != '}' && p < end) *q++ = *p++;
            } else if (!(t.flags & TOKEN_RAW) && *p == '\\' && end - p >= 2 && p[1] != '{' && p[1] != '}') {
                *q++ = *p++;
            } else if (end - p >= 2 && (*p == '{' || *p == '}') && p[1] == *p) {
                p++;
            }
            if (p < end) *q++ = *p++;
        }
        p = once;
        end = q;
    }
    decode(ps, t, p, end, &AST_AS(Constant, node)->value);
    return node;
}

/* `x=`: the text up to what follows the equals sign becomes literal. */
static ast *field_text(struct parse_state *ps, const struct fstring_field *f)
{
    ast *node = ast_build_const(ps, AST_CONST_STR, f->start + 1, f->text_end);
    if (node->kind != AST_Constant) return node;
    struct ast_const *c = &AST_AS(Constant, node)->value;
    size_t len = f->text_end - (f->start + 1);
    char *text = arena_alloc(ps->a, len + 1);
    if (!text) {
        state_nomem(ps);
        return node;
    }
    memcpy(text, ps->src + f->start + 1, len);
    text[len] = 0;
    c->text = text;
    c->len = (uint32_t)len;
    node->flags |= AST_FSTRING_EQ;
    return node;
}

ast_seq *literal_add_field(struct parse_state *ps, ast_seq *values, const struct fstring_field *f)
{
    struct ast_FormattedValue *n = MAKE(FormattedValue, f->start, f->end);
    n->value = f->value.n;
    n->format_spec = f->spec;
    n->conversion = f->equal && !f->spec ? 'r' : -1;
    if (f->convert.name) {
        const ast_name *c = f->convert.name;
        if (c->len != 1 || (c->text[0] != 's' && c->text[0] != 'r' && c->text[0] != 'a'))
            state_fail(ps, DIAG_SYNTAX_ERROR, f->bang + 1, f->convert.end,
                       "f-string: invalid conversion character: expected 's', 'r', or 'a'");
        n->conversion = c->text[0];
    }
    if (f->equal) {
        n->base.flags |= AST_FSTRING_EQ;
        values = ast_seq_add(ps, values, field_text(ps, f));
    }
    return ast_seq_add(ps, values, ast_done(ps, n));
}

/* ---- adjacent literals ---- */

static bool is_const(const ast *n, ast_const_kind kind)
{
    return n->kind == AST_Constant && AST_AS(Constant, n)->value.kind == kind;
}

/* Constants a..b of `items`, all of one kind, as one. */
static ast *merge(struct parse_state *ps, ast *const *items, uint32_t n)
{
    const struct ast_const *first = &AST_AS(Constant, items[0])->value;
    size_t len = 0;
    for (uint32_t i = 0; i < n; i++) len += AST_AS(Constant, items[i])->value.len;
    ast *node = ast_build_const(ps, first->kind, items[0]->start, items[n - 1]->end);
    char *text = arena_alloc(ps->a, len + 1);
    if (!text || node->kind != AST_Constant) {
        state_nomem(ps);
        return node;
    }
    struct ast_const *c = &AST_AS(Constant, node)->value;
    c->u = first->u;
    c->text = text;
    c->len = (uint32_t)len;
    for (uint32_t i = 0; i < n; i++) {
        const struct ast_const *part = &AST_AS(Constant, items[i])->value;
        memcpy(text, part->text, part->len);
        text += part->len;
    }
    *text = 0;
    return node;
}

/* Adjacent Constants among the values of a JoinedStr become one, empty ones go. */
static ast_seq *fold_values(struct parse_state *ps, const ast_seq *values)
{
    ast_seq *out = ps->empty;
    for (uint32_t i = 0; i < values->n;) {
        ast *v = values->items[i];
        if (!is_const(v, AST_CONST_STR)) {
            out = ast_seq_add(ps, out, v);
            i++;
            continue;
        }
        uint32_t n = 1;
        while (i + n < values->n && is_const(values->items[i + n], AST_CONST_STR)) n++;
        if (n > 1) v = merge(ps, values->items + i, n);
        if (v->kind != AST_Constant || AST_AS(Constant, v)->value.len) out = ast_seq_add(ps, out, v);
        i += n;
    }
    return out;
}

ast *literal_join(struct parse_state *ps, ast_seq *parts, uint32_t start, uint32_t end)
{
    if (ps->string_error) state_fail(ps, DIAG_SYNTAX_ERROR, ps->last.start, ps->last.end, ps->string_error);
    if (!parts->n) return ps->sink;
    uint32_t bytes = 0, joined = 0;
    for (uint32_t i = 0; i < parts->n; i++) {
        bytes += is_const(parts->items[i], AST_CONST_BYTES);
        joined += parts->items[i]->kind == AST_JoinedStr;
    }
    if (bytes && bytes != parts->n) {
        state_fail(ps, DIAG_SYNTAX_ERROR, ps->last.start, ps->last.end, "cannot mix bytes and nonbytes literals");
        return parts->items[0];
    }
    if (!joined) return parts->n == 1 ? parts->items[0] : merge(ps, parts->items, parts->n);
    ast_seq *values = ps->empty;
    for (uint32_t i = 0; i < parts->n; i++) {
        ast *p = parts->items[i];
        if (p->kind == AST_JoinedStr) values = ast_seq_join(ps, values, AST_AS(JoinedStr, p)->values);
        else values = ast_seq_add(ps, values, p);
    }
    struct ast_JoinedStr *n = MAKE(JoinedStr, start, end);
    n->values = fold_values(ps, values);
    return ast_done(ps, n);
}
