/* check.c: targets, arguments, parameters and patterns that the grammar alone lets through. */
#include "check.h"

#include "build.h"
#include "literal.h"

#include "parser.h"

#include <string.h>

_Static_assert(sizeof(struct call_args) <= STATE_SPARE_SIZE && sizeof(struct params) <= STATE_SPARE_SIZE &&
                   sizeof(struct mapping) <= STATE_SPARE_SIZE && sizeof(struct pattern_args) <= STATE_SPARE_SIZE,
               "ps->spare stands in for any of these");

/* ---- targets ---- */

const char *check_expr_name(const ast *n)
{
    switch (n->kind) {
    case AST_Attribute: return "attribute";
    case AST_Subscript: return "subscript";
    case AST_Starred: return "starred";
    case AST_Name: return "name";
    case AST_List: return "list";
    case AST_Tuple: return "tuple";
    case AST_Lambda: return "lambda";
    case AST_Call: return "function call";
    case AST_BoolOp:
    case AST_BinOp:
    case AST_UnaryOp: return "expression";
    case AST_GeneratorExp: return "generator expression";
    case AST_Yield:
    case AST_YieldFrom: return "yield expression";
    case AST_Await: return "await expression";
    case AST_ListComp: return "list comprehension";
    case AST_SetComp: return "set comprehension";
    case AST_DictComp: return "dict comprehension";
    case AST_Dict: return "dict literal";
    case AST_Set: return "set display";
    case AST_JoinedStr:
    case AST_FormattedValue: return "f-string expression";
    case AST_Compare: return "comparison";
    case AST_IfExp: return "conditional expression";
    case AST_NamedExpr: return "named expression";
    case AST_Constant:
        switch (AST_AS(Constant, n)->value.kind) {
        case AST_CONST_NONE: return "None";
        case AST_CONST_TRUE: return "True";
        case AST_CONST_FALSE: return "False";
        case AST_CONST_ELLIPSIS: return "ellipsis";
        default: return "literal";
        }
    default: return "expression";
    }
}

/* Sets contexts inside n and returns the first part that is no target, NULL if all are. Recursion
 * goes only through displays, which the bracket limit bounds. */
static ast *set_target(ast *n, enum target_use use)
{
    ast_ctx ctx = use == TARGET_DELETE ? AST_Del : AST_Store;
    switch (n->kind) {
    case AST_Name: AST_AS(Name, n)->ctx = ctx; return NULL;
    case AST_Attribute: AST_AS(Attribute, n)->ctx = ctx; return NULL;
    case AST_Subscript: AST_AS(Subscript, n)->ctx = ctx; return NULL;
    case AST_Starred:
        if (use == TARGET_DELETE) return n;
        AST_AS(Starred, n)->ctx = ctx;
        return set_target(AST_AS(Starred, n)->value, use);
    case AST_List:
    case AST_Tuple: {
        const ast_seq *elts = AST_AS(List, n)->elts;
        AST_AS(List, n)->ctx = ctx; /* List and Tuple have the same fields */
        for (uint32_t i = 0; i < elts->n; i++) {
            ast *bad = set_target(elts->items[i], use);
            if (bad) return bad;
        }
        return NULL;
    }
    case AST_NONE: return NULL;
    default: return n;
    }
}

const ast *check_find_bad_target(const ast *n, enum target_use use)
{
    switch (n->kind) {
    case AST_Name:
    case AST_Attribute:
    case AST_Subscript:
    case AST_NONE: return NULL;
    case AST_Starred: return use == TARGET_DELETE ? n : check_find_bad_target(AST_AS(Starred, n)->value, use);
    case AST_List:
    case AST_Tuple: {
        const ast_seq *elts = AST_AS(List, n)->elts;
        for (uint32_t i = 0; i < elts->n; i++) {
            const ast *bad = check_find_bad_target(elts->items[i], use);
            if (bad) return bad;
        }
        return NULL;
    }
    case AST_Compare:
        if (use == TARGET_FOR) {
            const struct ast_Compare *c = AST_AS(Compare, n);
            return c->ops->items[0] == AST_OP_In ? check_find_bad_target(c->left, use) : NULL;
        }
        return n;
    default: return n;
    }
}

void check_target(struct parse_state *ps, ast *n, enum target_use use)
{
    const ast *bad = set_target(n, use);
    if (bad)
        state_failf(ps, bad->start, bad->end, "cannot %s %s", use == TARGET_DELETE ? "delete" : "assign to",
                    check_expr_name(bad));
}

void check_assign_target(struct parse_state *ps, struct ex target, struct token eq)
{
    if ((target.n->kind == AST_Yield || target.n->kind == AST_YieldFrom) && !(target.n->flags & AST_PAREN)) {
        state_fail(ps, DIAG_SYNTAX_ERROR, target.start, target.end, "assignment to yield expression not possible");
        return;
    }
    bool fresh = ps->error.kind == DIAG_NONE;
    check_target(ps, target.n, TARGET_ASSIGN);
    if (fresh && ps->error.kind != DIAG_NONE) {
        ps->error.origin = ERROR_TARGET;
        ps->error.token = eq;
    }
}

static bool is_single_target(const ast *n)
{
    return n->kind == AST_Name || n->kind == AST_Attribute || n->kind == AST_Subscript || n->kind == AST_NONE;
}

void check_augmented_target(struct parse_state *ps, struct ex target)
{
    if (is_single_target(target.n)) check_target(ps, target.n, TARGET_ASSIGN);
    else
        state_failf(ps, target.n->start, target.n->end, "'%s' is an illegal expression for augmented assignment",
                    check_expr_name(target.n));
}

void check_annotated_target(struct parse_state *ps, struct ex target)
{
    const ast *n = target.n;
    if (is_single_target(n)) {
        check_target(ps, target.n, TARGET_ASSIGN);
        return;
    }
    if (n->kind != AST_List && n->kind != AST_Tuple) {
        state_fail(ps, DIAG_SYNTAX_ERROR, n->start, n->end, "illegal target for annotation");
        return;
    }
    if (n->kind == AST_Tuple && !(n->flags & AST_PAREN) && AST_AS(Tuple, n)->elts->n)
        n = AST_AS(Tuple, n)->elts->items[0];
    state_failf(ps, n->start, n->end, "only single target (not %s) can be annotated",
                target.n->kind == AST_List ? "list" : "tuple");
}

/* ---- calls ---- */

struct call_args *check_call_args_new(struct parse_state *ps)
{
    struct call_args *c = arena_alloc(ps->a, sizeof *c);
    if (!c) {
        state_nomem(ps);
        c = ps->spare;
    }
    *c = (struct call_args){.args = ps->empty, .keywords = ps->empty};
    return c;
}

void check_call_args_add(struct parse_state *ps, struct call_args *c, struct arg_at a)
{
    if (ps->nomem) return;
    if (c->generator)
        state_fail(ps, DIAG_SYNTAX_ERROR, c->generator->start, c->generator_end,
                   "Generator expression must be parenthesized");
    if (c->nargs == 0) c->start = a.start;
    switch (a.kind) {
    case ARG_PLAIN:
        if (!c->misplaced && c->unpacked) c->misplaced = "positional argument follows keyword argument unpacking";
        else if (!c->misplaced && c->keywords->n) c->misplaced = "positional argument follows keyword argument";
        c->args = ast_seq_add(ps, c->args, a.n);
        break;
    case ARG_STAR:
        if (c->unpacked)
            state_fail(ps, DIAG_SYNTAX_ERROR, c->start, c->end,
                       "iterable argument unpacking follows keyword argument unpacking");
        c->args = ast_seq_add(ps, c->args, a.n);
        break;
    case ARG_GENERATOR:
        if (c->nargs) state_fail(ps, DIAG_SYNTAX_ERROR, a.start, a.end, "Generator expression must be parenthesized");
        c->generator = a.n;
        c->generator_end = a.end;
        c->generator_for = a.for_at;
        c->args = ast_seq_add(ps, c->args, a.n);
        break;
    case ARG_DSTAR:
        c->unpacked = true;
        c->keywords = ast_seq_add(ps, c->keywords, a.n);
        break;
    case ARG_KEYWORD: c->keywords = ast_seq_add(ps, c->keywords, a.n); break;
    }
    c->nargs++;
    c->end = a.end;
}

struct arg_at check_keyword_argument(struct parse_state *ps, struct ex name, struct token eq, struct ex value)
{
    struct ast_keyword *n = MAKE(keyword, name.start, value.end);
    n->value = value.n;
    if (name.n->kind == AST_Name && !(name.n->flags & AST_PAREN)) {
        n->arg = AST_AS(Name, name.n)->id;
    } else if (name.n->kind == AST_Constant && AST_AS(Constant, name.n)->value.kind <= AST_CONST_FALSE &&
               !(name.n->flags & AST_PAREN)) {
        state_failf(ps, name.start, eq.end, "cannot assign to %s", check_expr_name(name.n));
    } else if (name.n->kind != AST_NONE) {
        state_fail(ps, DIAG_SYNTAX_ERROR, name.n->start, eq.end,
                   "expression cannot contain assignment, perhaps you meant \"==\"?");
    }
    return (struct arg_at){ARG_KEYWORD, ast_done(ps, n), name.start, value.end, 0};
}

void check_call_args_done(struct parse_state *ps, struct call_args *c, uint32_t open, struct token close, bool is_class)
{
    if (c->misplaced) state_fail(ps, DIAG_SYNTAX_ERROR, close.start, close.end, c->misplaced);
    if (!c->generator) return;
    if (is_class) {
        state_fail(ps, DIAG_SYNTAX_ERROR, c->generator_for, c->generator_for + 3, "invalid syntax");
        return;
    }
    c->generator->start = open;
    c->generator->end = close.end;
}

void check_call_args_comma(struct parse_state *ps, struct call_args *c)
{
    if (c->generator)
        state_fail(ps, DIAG_SYNTAX_ERROR, c->generator->start, c->generator_end,
                   "Generator expression must be parenthesized");
}

/* ---- parameters ---- */

struct params *check_params_new(struct parse_state *ps, uint32_t start)
{
    struct params *p = arena_alloc(ps->a, sizeof *p);
    if (!p) {
        state_nomem(ps);
        p = ps->spare;
    }
    memset(p, 0, sizeof *p);
    p->n = MAKE(arguments, start, start);
    return p;
}

static void params_fail(struct parse_state *ps, uint32_t start, uint32_t end, const char *message)
{
    state_fail(ps, DIAG_SYNTAX_ERROR, start, end, message);
}

static void add_slash(struct parse_state *ps, struct params *p, uint32_t at)
{
    if (!p->count)
        params_fail(ps, at, at + 1,
                    ps->last.kind == T_COMMA ? "at least one argument must precede /" : "invalid syntax");
    else if (p->slash) params_fail(ps, at, at + 1, "/ may appear only once");
    else if (p->star) params_fail(ps, at, at + 1, "/ must be ahead of *");
    p->slash = true;
    p->n->posonlyargs = p->n->args;
    p->n->args = ps->empty;
}

static void add_star(struct parse_state *ps, struct params *p, const struct param_at *a)
{
    bool bare = a->kind == PARAM_BARE_STAR;
    if (p->star)
        params_fail(ps, a->start, a->start + 1,
                    bare && ps->last.kind != T_COMMA ? "invalid syntax" : "* argument may appear only once");
    p->star = true;
    if (bare) {
        p->bare_star = true;
        p->star_at = a->start;
        p->named_after_star = false;
    }
    p->n->vararg = a->arg;
}

static void add_plain(struct parse_state *ps, struct params *p, const struct param_at *a)
{
    struct ast_arguments *n = p->n;
    p->named_after_star = true;
    if (p->star) {
        n->kwonlyargs = ast_seq_add(ps, n->kwonlyargs, a->arg);
        n->kw_defaults = ast_seq_add(ps, n->kw_defaults, a->dflt);
        return;
    }
    /* Only when the parameter is complete: else the token that follows is at fault. */
    int next = ps->last.kind;
    bool complete = next == T_COMMA || next == T_RPAR || next == T_COLON;
    if (!a->dflt && n->defaults->n && complete)
        params_fail(ps, a->arg->start, a->arg->end, "non-default argument follows default argument");
    n->args = ast_seq_add(ps, n->args, a->arg);
    if (a->dflt) n->defaults = ast_seq_add(ps, n->defaults, a->dflt);
}

static void check_bare_star(struct parse_state *ps, struct params *p, struct token next, bool lambda)
{
    if (!p->bare_star || p->named_after_star) return;
    if (next.kind != T_COMMA && next.kind != T_DSTAR && next.kind != (lambda ? T_COLON : T_RPAR))
        params_fail(ps, next.start, next.end, "invalid syntax");
    else if (lambda) params_fail(ps, next.start, next.end, "named arguments must follow bare *");
    else params_fail(ps, p->star_at, p->star_at + 1, "named arguments must follow bare *");
}

void check_params_add(struct parse_state *ps, struct params *p, struct param_at a)
{
    if (ps->nomem) return;
    if (p->dstar)
        params_fail(ps, a.start, a.kind == PARAM_PLAIN ? a.arg->end : a.start + 1 + (a.kind == PARAM_DSTAR),
                    "arguments cannot follow var-keyword argument");
    switch (a.kind) {
    case PARAM_PLAIN: add_plain(ps, p, &a); break;
    case PARAM_SLASH: add_slash(ps, p, a.start); break;
    case PARAM_STAR:
    case PARAM_BARE_STAR: add_star(ps, p, &a); break;
    case PARAM_DSTAR:
        check_bare_star(ps, p, (struct token){a.start, a.start + 2, T_DSTAR, 0}, false);
        p->dstar = true;
        p->n->kwarg = a.arg;
        break;
    }
    p->count++;
}

ast *check_params_done(struct parse_state *ps, struct params *p, struct token next, bool lambda)
{
    if (ps->nomem) return ps->sink;
    check_bare_star(ps, p, next, lambda);
    p->n->base.end = next.start;
    return ast_done(ps, p->n);
}

/* ---- expressions ---- */

void check_comprehension_element(struct parse_state *ps, const ast *n)
{
    if (n->kind == AST_Starred)
        state_fail(ps, DIAG_SYNTAX_ERROR, n->start, n->end, "iterable unpacking cannot be used in comprehension");
}

/* A value that has no identity worth asking for: a number, a string, a tuple of constants. */
static bool is_literal(const ast *n)
{
    if (n->kind == AST_UnaryOp && AST_AS(UnaryOp, n)->op != AST_OP_Not) n = AST_AS(UnaryOp, n)->operand;
    if (n->kind == AST_Tuple) {
        const ast_seq *elts = AST_AS(Tuple, n)->elts;
        for (uint32_t i = 0; i < elts->n; i++)
            if (elts->items[i]->kind != AST_Constant) return false;
        return true;
    }
    return n->kind == AST_Constant && AST_AS(Constant, n)->value.kind > AST_CONST_ELLIPSIS;
}

void check_is(struct parse_state *ps, struct ex left, struct ex right, bool negated)
{
    const ast *l = left.n;
    if (l->kind == AST_Compare && !(l->flags & AST_PAREN)) {
        const ast_seq *c = AST_AS(Compare, l)->comparators;
        l = c->n ? c->items[c->n - 1] : l;
    }
    if (is_literal(l) || is_literal(right.n))
        state_warn(ps, DIAG_SYNTAX_WARNING, left.start, right.end,
                   negated ? "\"is not\" with a literal. Did you mean \"!=\"?"
                           : "\"is\" with a literal. Did you mean \"==\"?");
}

/* ---- patterns ---- */

struct pattern_args *check_pattern_args_new(struct parse_state *ps)
{
    struct pattern_args *c = arena_alloc(ps->a, sizeof *c);
    if (!c) {
        state_nomem(ps);
        c = ps->spare;
    }
    *c = (struct pattern_args){ps->empty, ps->empty, ps->no_ids};
    return c;
}

/* A starred pattern where only a plain one may stand. */
static void check_plain_pattern(struct parse_state *ps, struct ex pattern)
{
    if (pattern.n->kind == AST_MatchStar)
        state_fail(ps, DIAG_SYNTAX_ERROR, pattern.start, pattern.start + 1, "invalid syntax");
}

void check_pattern_args_add(struct parse_state *ps, struct pattern_args *c, struct name_at name, struct ex pattern)
{
    check_plain_pattern(ps, pattern);
    if (name.name) {
        c->kwd_attrs = ast_ids_add(ps, c->kwd_attrs, name.name);
        c->kwd_patterns = ast_seq_add(ps, c->kwd_patterns, pattern.n);
        return;
    }
    if (c->kwd_patterns->n)
        state_fail(ps, DIAG_SYNTAX_ERROR, pattern.start, pattern.end, "positional patterns follow keyword patterns");
    c->patterns = ast_seq_add(ps, c->patterns, pattern.n);
}

struct mapping *check_mapping_new(struct parse_state *ps)
{
    struct mapping *m = arena_alloc(ps->a, sizeof *m);
    if (!m) {
        state_nomem(ps);
        m = ps->spare;
    }
    *m = (struct mapping){.keys = ps->empty, .patterns = ps->empty};
    return m;
}

static void check_not_after_rest(struct parse_state *ps, const struct mapping *m, uint32_t start, uint32_t end)
{
    if (m->has_rest) state_fail(ps, DIAG_SYNTAX_ERROR, start, end, "invalid syntax");
}

void check_mapping_add(struct parse_state *ps, struct mapping *m, struct ex key, struct token colon, struct ex pattern)
{
    check_not_after_rest(ps, m, key.start, key.end);
    check_plain_pattern(ps, pattern);
    ast *k = key.n;
    if (k->kind == AST_MatchValue) {
        k = AST_AS(MatchValue, k)->value;
    } else if (k->kind == AST_MatchSingleton) {
        k = ast_build_const(ps, AST_AS(MatchSingleton, k)->value.kind, k->start, k->end);
    } else if (k->kind != AST_NONE) {
        state_fail(ps, DIAG_SYNTAX_ERROR, colon.start, colon.end, "invalid syntax");
        return;
    }
    m->keys = ast_seq_add(ps, m->keys, k);
    m->patterns = ast_seq_add(ps, m->patterns, pattern.n);
}

void check_mapping_rest(struct parse_state *ps, struct mapping *m, struct token star, struct name_at name)
{
    check_not_after_rest(ps, m, star.start, star.end);
    if (name.name->len == 1 && name.name->text[0] == '_')
        state_fail(ps, DIAG_SYNTAX_ERROR, name.start, name.end, "invalid syntax");
    m->has_rest = true;
    m->rest = name.name;
}

static bool is_imaginary(const ast *n)
{
    if (n->kind == AST_UnaryOp) n = AST_AS(UnaryOp, n)->operand;
    return n->kind == AST_Constant && AST_AS(Constant, n)->value.kind == AST_CONST_IMAG;
}

ast *check_complex(struct parse_state *ps, struct ex real, struct token op, struct token imag)
{
    ast *i = literal_number(ps, imag);
    if (is_imaginary(real.n))
        state_fail(ps, DIAG_SYNTAX_ERROR, real.start, real.end, "real number required in complex literal");
    if (!is_imaginary(i))
        state_fail(ps, DIAG_SYNTAX_ERROR, imag.start, imag.end, "imaginary number required in complex literal");
    return ast_build_binop(ps, real, ast_build_binary_op(ps, op), (struct ex){i, i->start, i->end});
}
