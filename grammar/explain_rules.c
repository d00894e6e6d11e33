/* explain_rules.c: one function per common mistake.
 *
 * Each looks at the tokens before the fault and answers whether it knows the mistake; then it has
 * set message and range. The order in the table at the end matters: it is that in which CPython
 * would come upon them.
 */
#include "explain_rules.h"

#include "build.h"
#include "check.h"

#include <string.h>

/* ---- where expressions begin ---- */

/* May a whole expression (one that could be a conditional or a lambda) begin at token p? */
static bool expression_starts(const struct explain *x, uint32_t p)
{
    if (p == x->begin) return x->place != PLACE_PARAMS;
    switch (kind_at(x, p - 1)) {
    case T_COMMA:
        if (x->place == PLACE_SUBSCRIPT) return kind_at(x, p) != T_NAME;
        return x->place != PLACE_PARAMS;
    case T_COLON: return x->place != PLACE_SUBSCRIPT || kind_at(x, p) != T_NAME;
    case T_ELSE: return kind_at(x, p) != T_NAME;
    case T_ASSIGN:
    case T_COLONEQ:
    case T_AUGOP:
    case T_YIELD:
    case T_RETURN:
    case T_RAISE:
    case T_ASSERT:
    case T_DEL:
    case T_FROM:
    case T_EXCEPT:
    case T_WITH:
    case T_ARROW:
    case T_FLBRACE: return true;
    case T_FOR: return !explain_has_at_level(x, p, x->e, T_IN);
    case T_IF:
    case T_ELIF:
    case T_WHILE:
    case T_AT: return p - 1 == x->stmt;
    case T_IN: return x->place == PLACE_LINE && kind_at(x, x->line) == T_FOR;
    case T_STAR: return x->place == PLACE_CALL || p == x->begin + 1;
    case T_DSTAR: return x->place == PLACE_CALL;
    default: return false;
    }
}

/* May `name := value` stand at token p? */
static bool named_starts(const struct explain *x, uint32_t p)
{
    switch (x->place) {
    case PLACE_LINE:
        if (p == x->stmt)
            return x->mode != PARSE_EVAL && kind_at(x, p) != T_IF && kind_at(x, p) != T_WHILE &&
                   kind_at(x, p) != T_ELIF;
        return p == x->stmt + 1 && (kind_at(x, p - 1) == T_IF || kind_at(x, p - 1) == T_WHILE ||
                                    kind_at(x, p - 1) == T_ELIF || kind_at(x, p - 1) == T_AT);
    case PLACE_GROUP:
    case PLACE_LIST:
    case PLACE_SUBSCRIPT:
    case PLACE_BRACE:
        if (p != x->begin && kind_at(x, p - 1) != T_COMMA) return false;
        return x->place != PLACE_BRACE || !explain_has_at_level(x, x->begin, p, T_COLON);
    default: return false;
    }
}

/* ---- blocks ---- */

/* A header without its block. */
static bool missing_block(struct explain *x)
{
    static const struct {
        int kind;
        const char *what;
    } headers[] = {
        {T_IF, "'if' statement"},       {T_ELIF, "'elif' statement"},     {T_ELSE, "'else' statement"},
        {T_WHILE, "'while' statement"}, {T_FOR, "'for' statement"},       {T_WITH, "'with' statement"},
        {T_TRY, "'try' statement"},     {T_EXCEPT, "'except' statement"}, {T_FINALLY, "'finally' statement"},
        {T_DEF, "function definition"}, {T_CLASS, "class definition"},    {T_MATCH, "'match' statement"},
        {T_CASE, "'case' statement"},
    };
    if (kind_at(x, x->e) == T_INDENT || !grammar_accepts(x->failed, T_INDENT)) return false;
    uint32_t i = 0;
    while (i < x->e && (kind_at(x, i) == T_INDENT || kind_at(x, i) == T_DEDENT)) i++;
    uint32_t at = i;
    if (kind_at(x, i) == T_ASYNC) i++;
    uint32_t line = 1;
    const char *p = x->ps->src, *header = p + x->t[at].start;
    for (; (p = memchr(p, '\n', (size_t)(header - p))); p++) line++;
    for (size_t k = 0; k < sizeof headers / sizeof *headers; k++) {
        if (kind_at(x, i) != headers[k].kind) continue;
        const char *what =
            headers[k].kind == T_EXCEPT && kind_at(x, i + 1) == T_STAR ? "'except*' statement" : headers[k].what;
        explain_say_here(x,
                         diag_format(x->ps->a, "expected an indented block after %s on line %u", what, (unsigned)line));
        x->ps->error.kind = DIAG_INDENTATION_ERROR;
        return true;
    }
    return false;
}

static bool wrong_indent(struct explain *x)
{
    if (kind_at(x, x->e) != T_INDENT) return false;
    uint32_t at = x->t[x->e].start;
    explain_say_at(x, at, at, "unexpected indent");
    x->ps->error.before = true;
    x->ps->error.kind = DIAG_INDENTATION_ERROR;
    x->ps->error.origin = ERROR_FINAL;
    return true;
}

static bool missing_handler(struct explain *x)
{
    return grammar_accepts(x->failed, T_EXCEPT) && grammar_accepts(x->failed, T_FINALLY) &&
           !grammar_accepts(x->failed, T_NAME) && explain_say_here(x, "expected 'except' or 'finally' block");
}

/* ---- headers ---- */

static bool missing_colon(struct explain *x)
{
    uint32_t s = x->stmt, e = x->e;
    if (x->place != PLACE_LINE) return false;
    /* `match x` without a colon was not taken for a statement. */
    if (explain_text_is(x, s, "match") && e == s + 1) {
        uint32_t end = explain_match(x, e, START_AT_EXPRS, NULL);
        if (end > e && kind_at(x, end) == T_NEWLINE) {
            x->e = end;
            return explain_say_here(x, "expected ':'");
        }
    }
    if (kind_at(x, s) == T_ASYNC) s++;
    int kind = kind_at(x, s);
    if (kind == T_DEF && e == s + 2 && kind_at(x, s + 1) == T_NAME) return explain_say_here(x, "expected '('");
    if (kind == T_DEF && kind_at(x, e - 1) == T_ARROW) {
        x->e = e - 1;
        return explain_say_here(x, "expected ':'");
    }
    if (!grammar_accepts(x->failed, T_COLON)) return false;
    bool always = kind == T_TRY || kind == T_FINALLY || kind == T_ELSE || kind == T_DEF;
    if (kind == T_EXCEPT && explain_has_at_level(x, s, e, T_COMMA)) return false;
    if (always || (explain_is_header(x, s) && kind_at(x, e) == T_NEWLINE)) return explain_say_here(x, "expected ':'");
    return false;
}

static bool bad_except(struct explain *x)
{
    uint32_t s = x->stmt;
    if (kind_at(x, s) != T_EXCEPT || x->place != PLACE_LINE) return false;
    if (x->e == s + 2 && kind_at(x, s + 1) == T_STAR && (kind_at(x, x->e) == T_COLON || kind_at(x, x->e) == T_NEWLINE))
        return explain_say_here(x, "expected one or more exception types");
    for (uint32_t i = s; i < x->e; i = explain_skip(x, i)) {
        if (kind_at(x, i) == T_COMMA) {
            x->e = i;
            return explain_say_here(x, "invalid syntax");
        }
    }
    return false;
}

/* Parameters in parentheses: `def f(a, (b, c))`. */
static bool parenthesized_params(struct explain *x)
{
    uint32_t e = x->e;
    if (x->place == PLACE_PARAMS && kind_at(x, e) == T_STAR && kind_at(x, e - 1) == T_SLASH)
        return explain_say_here(x, "expected comma between / and *");
    bool lambda = false;
    uint32_t i = e;
    /* Only plain names before. */
    while (i > x->begin && (kind_at(x, i - 1) == T_NAME || kind_at(x, i - 1) == T_COMMA)) i--;
    if (x->place == PLACE_PARAMS ? i != x->begin : i == x->begin) return false;
    if (x->place != PLACE_PARAMS) {
        lambda = kind_at(x, i - 1) == T_LAMBDA;
        if (!lambda) return false;
    }
    if (kind_at(x, e) != T_LPAR || (kind_at(x, e - 1) != T_COMMA && i != e)) return false;
    for (i = e + 1; kind_at(x, i) == T_NAME; i++) {
        if (kind_at(x, i + 1) == T_COMMA) i++;
        else if (kind_at(x, i + 1) != T_RPAR) return false;
    }
    return kind_at(x, i) == T_RPAR && i > e + 1 &&
           explain_say(x, e, i + 1,
                       lambda ? "Lambda expression parameters cannot be parenthesized"
                              : "Function parameters cannot be parenthesized");
}

/* ---- targets ---- */

static bool say_bad_target(struct explain *x, const ast *n, enum target_use use)
{
    const ast *bad = check_find_bad_target(n, use);
    return bad &&
           explain_say_at(x, bad->start, bad->end, diag_format(x->ps->a, "cannot assign to %s", check_expr_name(bad)));
}

/* `for a + b in x`, in a statement or a comprehension. */
static bool bad_for_target(struct explain *x)
{
    ast *n;
    for (uint32_t i = x->e; i-- > x->begin;) {
        if (kind_at(x, i) != T_FOR) continue;
        if (explain_has_at_level(x, i + 1, x->e, T_IN)) return false;
        uint32_t end = explain_match(x, i + 1, START_AT_EXPRS, &n);
        return end > i + 1 && end >= x->e && say_bad_target(x, n, TARGET_FOR);
    }
    return false;
}

/* `with a as b + c`. */
static bool bad_with_target(struct explain *x)
{
    uint32_t s = kind_at(x, x->stmt) == T_ASYNC ? x->stmt + 1 : x->stmt;
    ast *n;
    if (kind_at(x, s) != T_WITH || (x->begin != x->stmt && x->begin != s + 2)) return false;
    for (uint32_t i = x->e + 1; i-- > x->begin;) {
        if (kind_at(x, i) != T_AS) continue;
        uint32_t end = explain_match(x, i + 1, START_AT_TEST, &n);
        int next = kind_at(x, end);
        return end > i + 1 && (next == T_COMMA || next == T_RPAR || next == T_COLON) &&
               say_bad_target(x, n, TARGET_WITH);
    }
    return false;
}

/* `case x as 1`. */
static bool bad_pattern_target(struct explain *x)
{
    if (kind_at(x, x->line) != T_CASE || kind_at(x, x->e - 1) != T_AS) return false;
    uint32_t end = explain_match(x, x->e, START_AT_TEST, NULL);
    return end > x->e && explain_say(x, x->e, end, "invalid pattern target");
}

/* ---- `=` and `:=` where a condition or an element stands ---- */

/* `a = b` at token p, the `=` at eq, as CPython sees it when it expects `a := b`. */
static bool equal_for_walrus(struct explain *x, uint32_t p, uint32_t eq)
{
    ast *value, *n;
    uint32_t end = explain_match(x, eq + 1, START_AT_BITOR, &value);
    if (end == eq + 1 || kind_at(x, end) == T_ASSIGN || kind_at(x, end) == T_COLONEQ) return false;
    int kind = kind_at(x, p);
    if (kind == T_NAME && p + 1 == eq)
        return explain_say_from(x, x->t[p].start, value->end, end,
                                "invalid syntax. Maybe you meant '==' or ':=' instead of '='?");
    if (kind == T_TRUE || kind == T_FALSE || kind == T_NONE) return false;
    if (explain_match(x, p, START_AT_BITOR, &n) != eq) return false;
    if (n->kind == AST_List || n->kind == AST_Tuple || n->kind == AST_GeneratorExp) return false;
    return explain_say_from(
        x, n->start, n->end, end,
        diag_format(x->ps->a, "cannot assign to %s here. Maybe you meant '==' instead of '='?", check_expr_name(n)));
}

/* The target of an assignment statement is wrong: was it meant as a comparison? */
void explain_assign_target(struct explain *x)
{
    uint32_t p = x->stmt, i = x->stmt;
    for (; i < x->e && kind_at(x, i) != T_ASSIGN; i = explain_skip(x, i))
        if (kind_at(x, i) == T_COMMA) p = i + 1;
    equal_for_walrus(x, p, i);
}

static bool misplaced_equal(struct explain *x)
{
    int kind = kind_at(x, x->e);
    if (kind != T_ASSIGN && kind != T_COLONEQ) return false;
    for (uint32_t p = x->begin; p < x->e; p = explain_skip(x, p)) {
        if (!named_starts(x, p)) continue;
        if (kind == T_ASSIGN) {
            if (equal_for_walrus(x, p, x->e)) return true;
            continue;
        }
        ast *n;
        if (explain_match(x, p, START_AT_TEST, &n) != x->e || (n->kind == AST_Name && p + 1 == x->e) ||
            explain_match(x, x->e + 1, START_AT_TEST, NULL) == x->e + 1)
            continue;
        return explain_say_at(x, n->start, n->end,
                              diag_format(x->ps->a, "cannot use assignment expressions with %s", check_expr_name(n)));
    }
    return false;
}

/* Where the item of the innermost bracket that the fault is in begins. */
static uint32_t item_start(const struct explain *x)
{
    uint32_t item = x->begin;
    for (uint32_t p = x->begin; p < x->e; p = explain_skip(x, p))
        if (kind_at(x, p) == T_COMMA) item = p + 1;
    return item;
}

/* `f(a = x for x in y)`, `f(a.b = )`, `f(a, *, b)`. */
static bool bad_argument(struct explain *x)
{
    if (x->place != PLACE_CALL) return false;
    uint32_t e = x->e, item = item_start(x);
    int kind = kind_at(x, e);
    if (kind_at(x, item) == T_NAME && kind_at(x, item + 1) == T_ASSIGN)
        return (kind == T_FOR || kind == T_ASYNC) && explain_match(x, e, START_AT_COMPS, NULL) > e &&
               explain_say(x, item, item + 2, "invalid syntax. Maybe you meant '==' or ':=' instead of '='?");
    ast *n;
    if (kind_at(x, e - 1) == T_ASSIGN && explain_match(x, item, START_AT_TEST, &n) == e - 1)
        return explain_say_at(x, n->start, x->t[e - 1].end,
                              n->kind == AST_Constant && AST_AS(Constant, n)->value.kind <= AST_CONST_FALSE
                                  ? diag_format(x->ps->a, "cannot assign to %s", check_expr_name(n))
                                  : "expression cannot contain assignment, perhaps you meant \"==\"?");
    return kind_at(x, e - 1) == T_STAR && item == e - 1 && item > x->begin + 1 &&
           explain_say(x, x->begin, item - 1, "iterable argument unpacking follows keyword argument unpacking");
}

/* ---- expressions ---- */

static bool is_legacy(const struct explain *x, uint32_t p)
{
    return explain_text_is(x, p, "print") || explain_text_is(x, p, "exec");
}

/* `a if b` without its else. */
static bool missing_else(struct explain *x, uint32_t p)
{
    ast *body, *test;
    uint32_t end = explain_match(x, p, START_AT_EXPR, &body);
    if (end == p || kind_at(x, end) != T_IF || end >= x->e) return false;
    uint32_t end2 = explain_match(x, end + 1, START_AT_EXPR, &test);
    return end2 > end + 1 && kind_at(x, end2) != T_ELSE && kind_at(x, end2) != T_COLON &&
           explain_say_from(x, body->start, test->end, end2, "expected 'else' after 'if' expression");
}

/* `print x`, as in Python 2. */
static bool legacy_statement(struct explain *x, uint32_t p)
{
    if (!is_legacy(x, p) || kind_at(x, p + 1) == T_LPAR || p + 1 > x->e) return false;
    ast *n;
    uint32_t end = explain_match(x, p + 1, START_AT_EXPRS, &n);
    if (end == p + 1) return false;
    if (kind_at(x, end) == T_IF) {
        uint32_t e = x->e;
        x->e = x->n; /* the condition lies beyond the fault */
        bool said = missing_else(x, p + 1);
        x->e = e;
        if (said) return true;
    }
    const char *name = explain_text_is(x, p, "print") ? "print" : "exec";
    return explain_say_from(
        x, x->t[p].start, n->end, end,
        diag_format(x->ps->a, "Missing parentheses in call to '%s'. Did you mean %s(...)?", name, name));
}

/* Two expressions side by side in brackets. */
static bool missing_comma(struct explain *x, uint32_t p)
{
    if (x->place == PLACE_LINE && !x->in_fstring) return false;
    ast *left, *right;
    if (explain_match(x, p, START_AT_EXPR, &left) != x->e) return false;
    if (kind_at(x, p) == T_NAME && kind_at(x, p + 1) == T_STRING) return false;
    if (explain_text_is(x, p, "match") || explain_text_is(x, p, "case") || explain_text_is(x, p, "_")) return false;
    if (is_legacy(x, p) && p + 1 == x->e) return false;
    uint32_t end = explain_match(x, x->e, START_AT_TEST, &right);
    return end > x->e &&
           explain_say_from(x, left->start, right->end, end, "invalid syntax. Perhaps you forgot a comma?");
}

/* Names in an import, patterns in a case: no expressions. */
static bool has_expressions(const struct explain *x)
{
    switch (kind_at(x, x->stmt)) {
    case T_IMPORT:
    case T_FROM:
    case T_GLOBAL:
    case T_NONLOCAL: return false;
    case T_CLASS:
    case T_DEF: return x->place != PLACE_LINE;
    case T_CASE: return !explain_is_header(x, x->stmt) || explain_has_at_level(x, x->stmt, x->e, T_IF);
    default: return true;
    }
}

static bool bad_expression(struct explain *x)
{
    if (!has_expressions(x)) return false;
    for (uint32_t p = x->begin; p < x->e; p = explain_skip(x, p)) {
        if (!expression_starts(x, p)) continue;
        if (missing_comma(x, p) || missing_else(x, p) || legacy_statement(x, p)) return true;
    }
    return false;
}

/* `f(a=1, b c)`, where the mistake at hand has no name: what came before it has. */
static bool misplaced_positional(struct explain *x)
{
    if (x->place != PLACE_CALL) return false;
    const char *message = NULL;
    uint32_t item = x->begin;
    bool keyword = false, unpacked = false;
    for (uint32_t p = x->begin; p < x->e; p = explain_skip(x, p)) {
        if (p == item) {
            if (kind_at(x, p) == T_DSTAR) unpacked = true;
            else if (kind_at(x, p) == T_NAME && kind_at(x, p + 1) == T_ASSIGN) keyword = true;
            else if ((keyword || unpacked) && kind_at(x, p) != T_STAR && explain_match(x, p, START_AT_TEST, NULL) > p)
                message = unpacked ? "positional argument follows keyword argument unpacking"
                                   : "positional argument follows keyword argument";
        }
        if (kind_at(x, p) == T_COMMA) item = p + 1;
    }
    if (!message) return false;
    if (kind_at(x, x->e) == T_NAME && x->e + 1 < x->n) x->e++;
    return explain_say_here(x, message);
}

/* A missing comma that the grammar could not see: in `[a [] b]` the brackets were taken for a
 * subscript, in `(a not b)` the `not` for a `not in`. */
static bool missing_comma_before(struct explain *x)
{
    uint32_t e = x->e;
    if (x->place == PLACE_SUBSCRIPT && x->begin > x->stmt + 1) x->e = x->begin - 1;
    else if (kind_at(x, e - 1) == T_NOT && e > x->begin + 1) x->e = e - 1;
    else return false;
    explain_locate(x);
    for (uint32_t p = x->begin; p < x->e; p = explain_skip(x, p))
        if (expression_starts(x, p) && missing_comma(x, p)) return true;
    x->e = e;
    explain_locate(x);
    return false;
}

/* `def f() -> a b`: whatever follows the annotation, a colon was expected. */
static bool missing_def_colon(struct explain *x)
{
    uint32_t s = kind_at(x, x->stmt) == T_ASYNC ? x->stmt + 1 : x->stmt;
    if (kind_at(x, s) != T_DEF) return false;
    for (uint32_t i = s; i < x->e; i++) {
        if (kind_at(x, i) != T_ARROW) continue;
        uint32_t end = explain_match(x, i + 1, START_AT_TEST, NULL);
        if (end >= x->n) return false;
        x->e = end > i + 1 ? end : i;
        return explain_say_here(x, "expected ':'");
    }
    return false;
}

/* `async` begins a comprehension's clause nowhere but before `for`. */
static bool stray_async(struct explain *x)
{
    if (kind_at(x, x->e - 1) != T_ASYNC || x->e <= x->begin + 1) return false;
    x->e--;
    return explain_say_here(x, "invalid syntax");
}

/* How far does CPython look beyond an opening bracket that cannot stand here? */
static void look_into_bracket(struct explain *x)
{
    if (!token_opens(kind_at(x, x->e)) || !has_expressions(x)) return;
    for (uint32_t p = x->begin; p < x->e; p = explain_skip(x, p)) {
        if (!expression_starts(x, p) || explain_match(x, p, START_AT_EXPR, NULL) != x->e) continue;
        uint32_t end = explain_match(x, x->e + 1, START_AT_EXPRS, NULL);
        x->ps->error.seen = end < x->n ? x->t[end].start : x->ps->len;
        return;
    }
}

static bool bad_dict(struct explain *x)
{
    uint32_t e = x->e;
    if (x->place != PLACE_BRACE || !explain_has_at_level(x, x->begin, e, T_COLON)) return false;
    uint32_t item = item_start(x);
    if (kind_at(x, e - 1) == T_COLON && explain_match(x, item, START_AT_TEST, NULL) == e - 1) {
        if (kind_at(x, e) == T_COMMA || kind_at(x, e) == T_RBRACE)
            return explain_say(x, e - 1, e, "expression expected after dictionary key and ':'");
        uint32_t end = kind_at(x, e) == T_STAR ? explain_match(x, e + 1, START_AT_BITOR, NULL) : 0;
        if (end > e + 1) return explain_say(x, e, end, "cannot use a starred expression in a dictionary value");
    }
    if (item > x->begin && item < e && explain_match(x, item, START_AT_TEST, NULL) == e && kind_at(x, e) != T_COLON) {
        uint32_t at = x->t[e - 1].end - 1;
        return explain_say_at(x, at, at, "':' expected after dictionary key");
    }
    return false;
}

/* `[a, b for a in c]`. */
static bool bare_comprehension_tuple(struct explain *x)
{
    if ((x->place != PLACE_LIST && x->place != PLACE_BRACE) ||
        (kind_at(x, x->e) != T_FOR && kind_at(x, x->e) != T_ASYNC) ||
        !explain_has_at_level(x, x->begin, x->e, T_COMMA) || explain_has_at_level(x, x->begin, x->e, T_COLON))
        return false;
    return explain_match(x, x->e, START_AT_COMPS, NULL) > x->e &&
           explain_say(x, x->begin, x->e, "did you forget parentheses around the comprehension target?");
}

static bool double_star_group(struct explain *x)
{
    if ((x->place != PLACE_GROUP && x->place != PLACE_FIELD) || x->e != x->begin || kind_at(x, x->e) != T_DSTAR)
        return false;
    uint32_t end = explain_match(x, x->e + 1, START_AT_TEST, NULL);
    return end > x->e + 1 && token_closes(kind_at(x, end)) &&
           explain_say(x, x->e, x->e + 1, "cannot use double starred expression here");
}

/* ---- f-strings ---- */

static bool bad_field(struct explain *x)
{
    if (!x->in_fstring || x->place != PLACE_FIELD) return false;
    int kind = kind_at(x, x->e), before = kind_at(x, x->e - 1);
    const char *what = NULL;
    if (before == T_FLBRACE) {
        switch (kind) {
        case T_FRBRACE: what = "empty expression not allowed"; break;
        case T_FCONV: what = "expression required before '!'"; break;
        case T_FCOLON: what = "expression required before ':'"; break;
        case T_FEQ:
        case T_ASSIGN: what = "expression required before '='"; break;
        default: return false;
        }
    } else if (before == T_FCONV) {
        what = "invalid conversion character: expected 's', 'r', or 'a'";
    } else if (kind == T_ASSIGN || kind_at(x, x->e - 2) == T_FCONV) {
        what = "expecting '}'";
    }
    return what && explain_say_here(x, what);
}

/* `f(x):`: what is before the colon cannot be annotated, so the colon is the fault. */
static bool stray_colon(struct explain *x)
{
    ast *n;
    if (x->place != PLACE_LINE || kind_at(x, x->e - 1) != T_COLON || x->e < x->stmt + 2 ||
        explain_match(x, x->stmt, START_AT_EXPRS, &n) != x->e - 1 || n->kind == AST_Name || n->kind == AST_Attribute ||
        n->kind == AST_Subscript)
        return false;
    x->e--;
    return explain_say_here(x, "invalid syntax");
}

bool explain_indentation(struct explain *x) { return missing_block(x) || missing_handler(x) || wrong_indent(x); }

bool explain_try_rules(struct explain *x)
{
    static bool (*const rules[])(struct explain *) = {
        bad_field,
        bad_except,
        missing_colon,
        parenthesized_params,
        bad_pattern_target,
        misplaced_equal,
        bad_argument,
        bad_dict,
        bare_comprehension_tuple,
        double_star_group,
        bad_expression,
        bad_for_target,
        bad_with_target,
        stray_colon,
        misplaced_positional,
        missing_comma_before,
        missing_def_colon,
        stray_async,
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i](x)) return true;
    if (legacy_statement(x, x->e)) return true;
    look_into_bracket(x);
    return false;
}
