/* explain.c: says what is wrong, not only where.
 *
 * The grammar stops at the first token that cannot continue the text. This file then looks at the
 * logical line around that token (and the one before, for a missing block) and tries one rule after
 * the other (explain_rules.c), each for a common mistake; the first that fits gives the message and
 * the range. What a rule needs to know about the text it asks the grammar: `match` parses the
 * longest expression that begins at some token, and grammar_accepts tells what the failed parser
 * would have taken.
 *
 * Everything works on the tokens of the two lines; a line of more than MAX_TOKENS, or an error at
 * the end of more than that many, keeps the plain message.
 */
#include "explain.h"

#include "build.h"
#include "explain_rules.h"

#include <string.h>

enum { MAX_TOKENS = 20000, MATCH_TOKENS = 4000, MATCH_BUDGET = 200000 };

/* ---- tokens ---- */

bool explain_text_is(const struct explain *x, uint32_t i, const char *text)
{
    size_t n = strlen(text);
    return i < x->n && x->t[i].end - x->t[i].start == n && memcmp(x->ps->src + x->t[i].start, text, n) == 0;
}

static bool push(struct explain *x, struct token t)
{
    if (x->n == x->cap) {
        uint32_t cap = x->cap ? x->cap * 2 : 256;
        struct token *p = arena_grow(x->ps->a, x->t, x->cap * sizeof t, cap * sizeof t);
        if (!p) {
            state_nomem(x->ps);
            return false;
        }
        x->t = p;
        x->cap = cap;
    }
    x->t[x->n++] = t;
    return true;
}

/* Scans up to the fault and on to the end of its line, keeping two lines. */
static bool collect(struct explain *x)
{
    struct lexer *lx = &x->look.lx;
    uint32_t fault = x->ps->error.token.start, fault_kind = x->ps->error.token.kind;
    uint32_t line = 0;
    bool found = false;
    for (;;) {
        struct token t;
        int kind = lexer_next(lx, &t);
        if (kind < 0) return found;
        if (!push(x, t) || x->n > 2 * MAX_TOKENS) return false;
        if (!found && t.start == fault && t.kind == fault_kind) {
            found = true;
            x->e = x->n - 1;
            x->line = line;
        }
        if (kind == LEXER_EOF) return found;
        if (kind != T_NEWLINE) continue;
        if (found) return true;
        /* Drop the line before the one that ends here. */
        memmove(x->t, x->t + line, (x->n - line) * sizeof *x->t);
        x->n -= line;
        line = x->n;
    }
}

bool explain_is_header(const struct explain *x, uint32_t i)
{
    switch (kind_at(x, i)) {
    case T_IF:
    case T_ELIF:
    case T_ELSE:
    case T_WHILE:
    case T_FOR:
    case T_WITH:
    case T_TRY:
    case T_EXCEPT:
    case T_FINALLY:
    case T_DEF:
    case T_CLASS:
    case T_ASYNC:
    case T_MATCH: return true;
    case T_CASE: {
        /* `case = 1` is none. */
        int next = kind_at(x, i + 1);
        return next != T_ASSIGN && next != T_DOT && next != T_AUGOP;
    }
    default: return false;
    }
}

/* Finds the statement and the bracket that the fault is in. */
void explain_locate(struct explain *x)
{
    uint32_t open[LEXER_MAX_BRACKETS + LEXER_MAX_MODES + 1], depth = 0, lambdas = 0;
    while (x->line < x->e && (kind_at(x, x->line) == T_INDENT || kind_at(x, x->line) == T_DEDENT)) x->line++;
    x->stmt = x->line;
    bool header = explain_is_header(x, x->line);
    for (uint32_t i = x->line; i < x->e; i++) {
        int kind = kind_at(x, i);
        if (token_opens(kind)) {
            if (depth < sizeof open / sizeof *open) open[depth++] = i;
        } else if (token_closes(kind)) {
            depth -= depth > 0;
        } else if (depth == 0) {
            if (kind == T_LAMBDA) lambdas++;
            else if (kind == T_COLON && lambdas) lambdas--;
            else if (kind == T_SEMI || (kind == T_COLON && header)) {
                x->stmt = i + 1;
                header = false;
            }
        }
    }
    x->begin = x->stmt;
    x->place = PLACE_LINE;
    for (uint32_t i = 0; i < depth; i++) x->in_fstring |= kind_at(x, open[i]) == T_FLBRACE;
    if (!depth) return;
    uint32_t at = open[depth - 1];
    x->begin = at + 1;
    int before = at > x->stmt ? kind_at(x, at - 1) : 0;
    bool primary = before == T_NAME || before == T_RPAR || before == T_RSQB || before == T_RBRACE ||
                   before == T_STRING || before == T_FEND || before == T_CASE || before == T_MATCH;
    switch (kind_at(x, at)) {
    case T_LPAR: {
        uint32_t def = kind_at(x, x->stmt) == T_ASYNC ? x->stmt + 1 : x->stmt;
        bool params = depth == 1 && kind_at(x, def) == T_DEF && at <= def + 2;
        x->place = params ? PLACE_PARAMS : primary ? PLACE_CALL : PLACE_GROUP;
        break;
    }
    case T_LSQB: x->place = primary ? PLACE_SUBSCRIPT : PLACE_LIST; break;
    case T_LBRACE: x->place = PLACE_BRACE; break;
    default: x->place = PLACE_FIELD; break;
    }
}

/* The longest text of this kind that begins at token i: the index after it, or i if there is none.
 * What it parsed as goes to *node. */
uint32_t explain_match(struct explain *x, uint32_t i, enum start_symbol what, ast **node)
{
    struct parse_state *ps = &x->look;
    uint32_t end = i, limit = i + MATCH_TOKENS < x->n ? i + MATCH_TOKENS : x->n;
    for (int pass = 0; pass < 2; pass++) {
        ps->error = (struct parse_error){0};
        ps->stop = ps->accepted = false;
        ps->with_covers = 0;
        ps->string_error = NULL;
        grammar_init(x->parser, ps);
        grammar_feed(x->parser, grammar_start_token(what), (struct token){0, 0, 0, 0});
        for (uint32_t k = i; k < limit && !ps->stop; k++) {
            if (pass == 1 && k == end) break;
            if (kind_at(x, k) == LEXER_EOF || x->budget == 0 ||
                (pass == 0 && !grammar_accepts(x->parser, kind_at(x, k))))
                break;
            x->budget--;
            grammar_feed(x->parser, kind_at(x, k), x->t[k]);
            if (pass == 0 && !ps->stop && grammar_accepts(x->parser, LEXER_EOF)) end = k + 1;
        }
        if (end == i || ps->nomem) return i;
    }
    grammar_feed(x->parser, LEXER_EOF, x->t[end - 1]);
    if (ps->error.kind != DIAG_NONE || !ps->accepted) return i;
    if (node) *node = ps->result;
    return end;
}

/* ---- results ---- */

bool explain_say_at(struct explain *x, uint32_t start, uint32_t end, const char *message)
{
    struct parse_error *e = &x->ps->error;
    e->kind = DIAG_SYNTAX_ERROR;
    e->start = start;
    e->end = end;
    e->message = x->in_fstring ? diag_format(x->ps->a, "f-string: %s", message) : message;
    return true;
}

/* From token i to the end of token k - 1. */
bool explain_say(struct explain *x, uint32_t i, uint32_t k, const char *message)
{
    x->ps->error.seen = k < x->n ? x->t[k].start : x->ps->len;
    return explain_say_at(x, x->t[i].start, x->t[k > i ? k - 1 : i].end, message);
}

/* The range of two nodes, whose text ends before token k. */
bool explain_say_from(struct explain *x, uint32_t start, uint32_t end, uint32_t k, const char *message)
{
    x->ps->error.seen = k < x->n ? x->t[k].start : x->ps->len;
    return explain_say_at(x, start, end, message);
}

/* At the token at fault; where the text has ended, at the end of its last line. */
bool explain_say_here(struct explain *x, const char *message)
{
    uint32_t start = x->t[x->e].start, end = x->t[x->e].end;
    int kind = kind_at(x, x->e);
    x->ps->error.before = (kind == T_DEDENT || kind == T_INDENT) && start < x->ps->len;
    if (start == x->ps->len && start > 0 && x->ps->src[start - 1] == '\n') start = end = start - 1;
    return explain_say_at(x, start, end, message);
}

bool explain_has_at_level(const struct explain *x, uint32_t from, uint32_t to, int wanted)
{
    uint32_t depth = 0;
    for (uint32_t i = from; i < to; i++) {
        int kind = kind_at(x, i);
        if (token_opens(kind)) depth++;
        else if (token_closes(kind)) depth -= depth > 0;
        else if (depth == 0 && kind == wanted) return true;
    }
    return false;
}

/* The start of token i's neighbour to the right at the same level. */
uint32_t explain_skip(const struct explain *x, uint32_t i)
{
    uint32_t depth = 0;
    do {
        if (token_opens(kind_at(x, i))) depth++;
        else if (token_closes(kind_at(x, i))) depth -= depth > 0;
        i++;
    } while (depth && i < x->e);
    return i;
}

static void explain_token(struct explain *x)
{
    if (explain_indentation(x)) return;
    if (x->mode == PARSE_SINGLE && x->e > 0 && grammar_accepts(x->failed, LEXER_EOF)) {
        explain_say_here(x, "multiple statements found while compiling a single statement");
        return;
    }
    if (kind_at(x, x->e) == T_DEDENT) {
        explain_say_here(x, "unexpected unindent");
        x->ps->error.kind = DIAG_INDENTATION_ERROR;
        x->ps->error.origin = ERROR_FINAL;
        return;
    }
    if (explain_try_rules(x)) return;
    explain_say_here(x, "invalid syntax");
}

void explain_error(struct parse_state *ps, struct yyParser *parser, parse_mode mode)
{
    if (ps->error.origin != ERROR_TOKEN && ps->error.origin != ERROR_TARGET) return;
    struct explain *x = arena_alloc(ps->a, sizeof *x);
    if (!x) {
        state_nomem(ps);
        return;
    }
    *x = (struct explain){.ps = ps, .failed = parser, .mode = mode, .budget = MATCH_BUDGET};
    x->parser = arena_alloc(ps->a, grammar_size());
    if (!x->parser || !state_init(&x->look, ps->a, ps->src, ps->len)) {
        state_nomem(ps);
        return;
    }
    x->look.quiet = true;
    x->look.lx.warn = NULL;
    if (!collect(x)) return;
    explain_locate(x);
    if (ps->error.origin == ERROR_TARGET) explain_assign_target(x);
    else explain_token(x);
    if (x->look.nomem) state_nomem(ps);
}
