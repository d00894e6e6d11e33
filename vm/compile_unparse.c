/* Expression -> text, for annotations under `from __future__ import annotations`: CPython's
 * spelling. */
#include "compile.h"

#include <math.h>

enum prec {
    P_TUPLE,
    P_TEST,
    P_OR,
    P_AND,
    P_NOT,
    P_CMP,
    P_BOR,
    P_BXOR,
    P_BAND,
    P_SHIFT,
    P_ARITH,
    P_TERM,
    P_FACTOR,
    P_POWER,
    P_AWAIT,
    P_ATOM
};

typedef struct printer {
    compiler *c;
    str_builder b;
} printer;

static void put_expr(printer *p, ast *e, int level);

static void put(printer *p, const char *s) { sb_cstr(&p->b, s); }
static void put_name(printer *p, const ast_name *n)
{
    str *s = comp_name(p->c, n);
    if (s) sb_str(&p->b, s);
}

static void put_open(printer *p, bool parens)
{
    if (parens) put(p, "(");
}
static void put_close(printer *p, bool parens)
{
    if (parens) put(p, ")");
}

static void put_seq(printer *p, ast_seq *s)
{
    for (uint32_t i = 0; i < s->n && !p->c->failed; i++) {
        if (i) put(p, ", ");
        put_expr(p, s->items[i], P_TEST);
    }
}

static void put_repr(printer *p, value v)
{
    str *s = value_is_unbound(v) || p->c->failed ? NULL
             : value_is(v, V_ELLIPSIS)           ? str_from_cstr(p->c->vm, "...")
                                                 : obj_repr(p->c->vm, v);
    if (s) sb_str(&p->b, s);
    else p->c->failed = true;
}

static void put_constant(printer *p, ast *e)
{
    value v = const_of(p->c, e);
    if (AST_AS(Constant, e)->value.u) put(p, "u");
    if (value_is_float(v) && isinf(value_as_float(v))) put(p, "1e309"); /* repr() is no literal */
    else if (value_is_exact(v, TYPE_COMPLEX) && isinf(AS(complex_obj, v)->im)) put(p, "1e309j");
    else put_repr(p, v);
}

static int binary_prec(int op)
{
    switch (op) {
    case AST_OP_Add:
    case AST_OP_Sub: return P_ARITH;
    case AST_OP_LShift:
    case AST_OP_RShift: return P_SHIFT;
    case AST_OP_BitOr: return P_BOR;
    case AST_OP_BitXor: return P_BXOR;
    case AST_OP_BitAnd: return P_BAND;
    case AST_OP_Pow: return P_POWER;
    default: return P_TERM;
    }
}

static void put_binop(printer *p, struct ast_BinOp *e, int level)
{
    int prec = binary_prec(e->op);
    bool right = e->op == AST_OP_Pow;
    put_open(p, level > prec);
    put_expr(p, e->left, prec + right);
    put(p, " ");
    put(p, ast_op_texts[e->op]);
    put(p, " ");
    put_expr(p, e->right, prec + !right);
    put_close(p, level > prec);
}

static void put_unary(printer *p, struct ast_UnaryOp *e, int level)
{
    int prec = e->op == AST_OP_Not ? P_NOT : P_FACTOR;
    put_open(p, level > prec);
    put(p, e->op == AST_OP_Not ? "not " : ast_op_texts[e->op]);
    put_expr(p, e->operand, prec);
    put_close(p, level > prec);
}

static void put_boolop(printer *p, struct ast_BoolOp *e, int level)
{
    int prec = e->op == AST_OP_And ? P_AND : P_OR;
    put_open(p, level > prec);
    for (uint32_t i = 0; i < e->values->n; i++) {
        if (i) put(p, e->op == AST_OP_And ? " and " : " or ");
        put_expr(p, e->values->items[i], prec + 1);
    }
    put_close(p, level > prec);
}

static void put_compare(printer *p, struct ast_Compare *e, int level)
{
    put_open(p, level > P_CMP);
    put_expr(p, e->left, P_CMP + 1);
    for (uint32_t i = 0; i < e->ops->n; i++) {
        put(p, " ");
        put(p, ast_op_texts[e->ops->items[i]]);
        put(p, " ");
        put_expr(p, e->comparators->items[i], P_CMP + 1);
    }
    put_close(p, level > P_CMP);
}

static void put_call(printer *p, struct ast_Call *e)
{
    put_expr(p, e->func, P_ATOM);
    put(p, "(");
    put_seq(p, e->args);
    for (uint32_t i = 0; i < e->keywords->n; i++) {
        struct ast_keyword *k = AST_AS(keyword, e->keywords->items[i]);
        if (i || e->args->n) put(p, ", ");
        if (k->arg) put_name(p, k->arg), put(p, "=");
        else put(p, "**");
        put_expr(p, k->value, P_TEST);
    }
    put(p, ")");
}

static void put_args(printer *p, struct ast_arguments *a)
{
    uint32_t np = a->posonlyargs->n, n = np + a->args->n;
    const char *sep = "";
    for (uint32_t i = 0; i < n; i++, sep = ", ") {
        ast *one = i < np ? a->posonlyargs->items[i] : a->args->items[i - np];
        put(p, sep);
        put_name(p, AST_AS(arg, one)->arg);
        if (n - i <= a->defaults->n) {
            put(p, "=");
            put_expr(p, a->defaults->items[a->defaults->n - (n - i)], P_TEST);
        }
        if (np && i + 1 == np) put(p, ", /");
    }
    if (a->vararg || a->kwonlyargs->n) {
        put(p, sep), put(p, "*"), sep = ", ";
        if (a->vararg) put_name(p, AST_AS(arg, a->vararg)->arg);
    }
    for (uint32_t i = 0; i < a->kwonlyargs->n; i++) {
        put(p, ", ");
        put_name(p, AST_AS(arg, a->kwonlyargs->items[i])->arg);
        if (a->kw_defaults->items[i]) put(p, "="), put_expr(p, a->kw_defaults->items[i], P_TEST);
    }
    if (a->kwarg) put(p, sep), put(p, "**"), put_name(p, AST_AS(arg, a->kwarg)->arg);
}

static void put_generators(printer *p, ast_seq *gs)
{
    for (uint32_t i = 0; i < gs->n; i++) {
        struct ast_comprehension *g = AST_AS(comprehension, gs->items[i]);
        put(p, g->is_async ? " async for " : " for ");
        put_expr(p, g->target, P_TUPLE);
        put(p, " in ");
        put_expr(p, g->iter, P_TEST + 1);
        for (uint32_t j = 0; j < g->ifs->n; j++) put(p, " if "), put_expr(p, g->ifs->items[j], P_TEST + 1);
    }
}

static void put_comp(printer *p, ast *e)
{
    struct ast_ListComp *l = AST_AS(ListComp, e);
    put(p, e->kind == AST_ListComp ? "[" : e->kind == AST_GeneratorExp ? "(" : "{");
    if (e->kind == AST_DictComp) {
        struct ast_DictComp *d = AST_AS(DictComp, e);
        put_expr(p, d->key, P_TEST), put(p, ": "), put_expr(p, d->value, P_TEST);
        put_generators(p, d->generators);
    } else {
        put_expr(p, l->elt, P_TEST);
        put_generators(p, l->generators);
    }
    put(p, e->kind == AST_ListComp ? "]" : e->kind == AST_GeneratorExp ? ")" : "}");
}

static void put_dict(printer *p, struct ast_Dict *e)
{
    put(p, "{");
    for (uint32_t i = 0; i < e->keys->n; i++) {
        if (i) put(p, ", ");
        if (e->keys->items[i])
            put_expr(p, e->keys->items[i], P_TEST), put(p, ": "), put_expr(p, e->values->items[i], P_TEST);
        else put(p, "**"), put_expr(p, e->values->items[i], P_BOR);
    }
    put(p, "}");
}

static void put_slice(printer *p, struct ast_Slice *e)
{
    if (e->lower) put_expr(p, e->lower, P_TEST);
    put(p, ":");
    if (e->upper) put_expr(p, e->upper, P_TEST);
    if (e->step) put(p, ":"), put_expr(p, e->step, P_TEST);
}

/* What has no spelling of its own here is copied from the source. */
static void put_source(printer *p, ast *e)
{
    str *s = p->c->failed ? NULL : str_new_utf8(p->c->vm, p->c->parse.src + e->start, e->end - e->start);
    if (s) sb_str(&p->b, s);
    else p->c->failed = true;
}

/* ---- f-strings: the fields' text, then the quotes that suit it ---- */

static void put_fstring_part(printer *p, ast *e);

static void put_fstring_parts(printer *p, ast_seq *values)
{
    for (uint32_t i = 0; i < values->n && !p->c->failed; i++) put_fstring_part(p, values->items[i]);
}

static void put_field(printer *p, struct ast_FormattedValue *e)
{
    printer inner = {.c = p->c};
    sb_init(&inner.b, p->c->vm);
    put_expr(&inner, e->value, P_TEST + 1);
    str *text = sb_finish(&inner.b);
    if (!text) {
        p->c->failed = true;
        return;
    }
    put(p, text->len && str_at(text, 0) == '{' ? "{ " : "{");
    sb_str(&p->b, text);
    if (e->conversion > 0) {
        char conversion[3] = {'!', (char)e->conversion, 0};
        put(p, conversion);
    }
    if (e->format_spec) {
        put(p, ":");
        put_fstring_part(p, e->format_spec);
    }
    put(p, "}");
}

static void put_fstring_part(printer *p, ast *e)
{
    if (e->kind == AST_FormattedValue) {
        put_field(p, AST_AS(FormattedValue, e));
    } else if (e->kind == AST_JoinedStr) {
        put_fstring_parts(p, AST_AS(JoinedStr, e)->values);
    } else if (is_const(e)) {
        value v = const_of(p->c, e);
        for (size_t i = 0; !p->c->failed && IS_STR(v) && i < AS(str, v)->len; i++) {
            uint32_t ch = str_at(AS(str, v), i);
            sb_char(&p->b, ch);
            if (ch == '{' || ch == '}') sb_char(&p->b, ch);
        }
    }
}

static void put_fstring(printer *p, ast *e)
{
    printer body = {.c = p->c};
    sb_init(&body.b, p->c->vm);
    put_fstring_part(&body, e);
    str *text = sb_finish(&body.b);
    put(p, "f");
    if (text) put_repr(p, value_obj(text));
    else p->c->failed = true;
}

static void put_tuple(printer *p, ast_seq *elts, int level)
{
    bool parens = level > P_TUPLE || elts->n == 0;
    put_open(p, parens);
    put_seq(p, elts);
    if (elts->n == 1) put(p, ",");
    put_close(p, parens);
}

static void put_expr(printer *p, ast *e, int level)
{
    if (p->c->failed || comp_too_deep(p->c)) return;
    switch (e->kind) {
    case AST_Constant: put_constant(p, e); break;
    case AST_Name: put_name(p, AST_AS(Name, e)->id); break;
    case AST_Attribute:
        put_expr(p, AST_AS(Attribute, e)->value, P_ATOM);
        put(p, is_const(AST_AS(Attribute, e)->value) && value_is_int(const_of(p->c, AST_AS(Attribute, e)->value))
                   ? " ."
                   : ".");
        put_name(p, AST_AS(Attribute, e)->attr);
        break;
    case AST_Subscript:
        put_expr(p, AST_AS(Subscript, e)->value, P_ATOM);
        put(p, "[");
        put_expr(p, AST_AS(Subscript, e)->slice, P_TUPLE);
        put(p, "]");
        break;
    case AST_Slice: put_slice(p, AST_AS(Slice, e)); break;
    case AST_BinOp: put_binop(p, AST_AS(BinOp, e), level); break;
    case AST_UnaryOp: put_unary(p, AST_AS(UnaryOp, e), level); break;
    case AST_BoolOp: put_boolop(p, AST_AS(BoolOp, e), level); break;
    case AST_Compare: put_compare(p, AST_AS(Compare, e), level); break;
    case AST_Call: put_call(p, AST_AS(Call, e)); break;
    case AST_Starred: put(p, "*"), put_expr(p, AST_AS(Starred, e)->value, P_BOR); break;
    case AST_Tuple: put_tuple(p, AST_AS(Tuple, e)->elts, level); break;
    case AST_List: put(p, "["), put_seq(p, AST_AS(List, e)->elts), put(p, "]"); break;
    case AST_Set: put(p, "{"), put_seq(p, AST_AS(Set, e)->elts), put(p, "}"); break;
    case AST_Dict: put_dict(p, AST_AS(Dict, e)); break;
    case AST_ListComp:
    case AST_SetComp:
    case AST_DictComp:
    case AST_GeneratorExp: put_comp(p, e); break;
    case AST_IfExp:
        put_open(p, level > P_TEST);
        put_expr(p, AST_AS(IfExp, e)->body, P_TEST + 1);
        put(p, " if ");
        put_expr(p, AST_AS(IfExp, e)->test, P_TEST + 1);
        put(p, " else ");
        put_expr(p, AST_AS(IfExp, e)->orelse, P_TEST);
        put_close(p, level > P_TEST);
        break;
    case AST_Lambda: {
        struct ast_Lambda *l = AST_AS(Lambda, e);
        struct ast_arguments *a = AST_AS(arguments, l->args);
        put_open(p, level > P_TEST);
        put(p, a->args->n + a->posonlyargs->n + a->kwonlyargs->n || a->vararg || a->kwarg ? "lambda " : "lambda");
        put_args(p, a);
        put(p, ": ");
        put_expr(p, l->body, P_TEST);
        put_close(p, level > P_TEST);
        break;
    }
    case AST_NamedExpr:
        put(p, "(");
        put_expr(p, AST_AS(NamedExpr, e)->target, P_ATOM);
        put(p, " := ");
        put_expr(p, AST_AS(NamedExpr, e)->value, P_ATOM);
        put(p, ")");
        break;
    case AST_Await:
        put_open(p, level > P_AWAIT);
        put(p, "await ");
        put_expr(p, AST_AS(Await, e)->value, P_ATOM);
        put_close(p, level > P_AWAIT);
        break;
    case AST_JoinedStr:
    case AST_FormattedValue: put_fstring(p, e); break;
    default: put_source(p, e); break;
    }
}

str *unparse_expr(compiler *c, ast *e)
{
    if (c->failed) return NULL;
    printer p = {.c = c};
    sb_init(&p.b, c->vm);
    put_expr(&p, e, P_TEST);
    if (c->failed) {
        sb_drop(&p.b);
        return NULL;
    }
    str *s = sb_finish(&p.b);
    value v = s ? comp_intern(c, value_obj(s)) : V_UNBOUND;
    if (value_is_unbound(v)) c->failed = true;
    return c->failed ? NULL : AS(str, v);
}
