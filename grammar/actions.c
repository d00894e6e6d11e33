/* actions.c: helpers of the grammar's actions (actions.h). */
#include "actions.h"

#include "literal.h"

#include "parser.h"

#include <string.h>

struct ex act_ex(ast *n) { return (struct ex){n, n->start, n->end}; }

struct ex act_ex_at(ast *n, uint32_t start, uint32_t end) { return (struct ex){n, start, end}; }

/* An if with its elifs: each becomes the `orelse` of the one before. */
struct ex act_if(struct parse_state *ps, struct ast_If *first, const struct list *elifs, const struct list *orelse)
{
    ast_seq *tail = orelse->s;
    uint32_t end = tail->n ? orelse->end : 0;
    for (uint32_t i = elifs->s->n; i-- > 0;) {
        struct ast_If *e = AST_AS(If, elifs->s->items[i]);
        e->orelse = tail;
        if (end) e->base.end = end;
        else end = e->base.end;
        tail = ast_seq_of(ps, ast_done(ps, e));
    }
    first->orelse = tail;
    if (end) first->base.end = end;
    return act_ex(ast_done(ps, first));
}

struct ex act_try(struct parse_state *ps, uint32_t start, const struct list *body, const struct list *handlers,
                  const struct list *orelse, const struct list *finalbody)
{
    struct ast_Try *n = MAKE(Try, start, body->end);
    n->body = body->s;
    if (handlers) {
        n->handlers = handlers->s;
        n->base.end = handlers->end;
        if (handlers->comma) /* except*: see `excepts` */
            n->base.kind = AST_TryStar;
    }
    if (orelse && orelse->s->n) {
        n->orelse = orelse->s;
        n->base.end = orelse->end;
    }
    if (finalbody) {
        n->finalbody = finalbody->s;
        n->base.end = finalbody->end;
    }
    return act_ex(ast_done(ps, n));
}

/* Several exception types want parentheses. */
struct except_head act_except_head(struct parse_state *ps, const struct list *types, const struct token *name,
                                   struct token colon)
{
    if (types->s->n > 1)
        state_fail(ps, DIAG_SYNTAX_ERROR, types->start, name ? name->end : colon.start,
                   "multiple exception types must be parenthesized");
    return (struct except_head){types->s->n ? types->s->items[0] : ps->sink,
                                name ? ast_name_of_token(ps, *name) : NULL};
}

struct ex act_handler(struct parse_state *ps, struct token except, ast *type, const ast_name *name,
                      const struct list *body)
{
    struct ast_ExceptHandler *n = MAKE(ExceptHandler, except.start, body->end);
    n->type = type;
    n->name = name;
    n->body = body->s;
    return act_ex(ast_done(ps, n));
}

void act_mixed_except(struct parse_state *ps, uint32_t start, bool star)
{
    uint32_t end = start + 6;
    while (star && ps->src[end - 1] != '*') end++;
    state_fail(ps, DIAG_SYNTAX_ERROR, start, end, "cannot have both 'except' and 'except*' on the same 'try'");
}

struct ex act_with(struct parse_state *ps, ast *head, const struct list *body)
{
    struct ast_With *n = AST_AS(With, head);
    n->body = body->s;
    n->base.end = body->end;
    return act_ex(ast_done(ps, n));
}

ast *act_withitem(struct parse_state *ps, struct ex value, const struct ex *target)
{
    struct ast_withitem *n = MAKE(withitem, value.start, target ? target->end : value.end);
    n->context_expr = value.n;
    n->optional_vars = target ? target->n : NULL;
    return ast_done(ps, n);
}

/* The head of a with statement. One item in parentheses may be a list of items in truth. */
struct ex act_with_head(struct parse_state *ps, struct token with, const struct list *items)
{
    ast_seq *list = items->s;
    struct ast_withitem *only = list->n == 1 ? AST_AS(withitem, list->items[0]) : NULL;
    ast *inner = only && only->base.kind == AST_withitem && !only->optional_vars ? only->context_expr : NULL;
    if (inner && inner->kind == AST_Tuple && (inner->flags & AST_PAREN) && only->base.start == inner->start &&
        only->base.end == inner->end) {
        const ast_seq *elts = AST_AS(Tuple, inner)->elts;
        bool all_items = elts->n > 0;
        for (uint32_t i = 0; i < elts->n; i++) {
            const ast *e = elts->items[i];
            if (e->kind == AST_Starred || (e->kind == AST_NamedExpr && !(e->flags & AST_PAREN))) all_items = false;
        }
        if (all_items) {
            list = ps->empty;
            for (uint32_t i = 0; i < elts->n; i++) {
                ast *e = elts->items[i];
                list = ast_seq_add(ps, list, e->kind == AST_withitem ? e : act_withitem(ps, act_ex(e), NULL));
            }
            if (inner == ps->with_cover) {
                ps->with_cover = NULL;
                ps->with_covers--;
            }
        }
    }
    struct ast_With *n = MAKE(With, with.start, items->end);
    n->items = list;
    return act_ex(&n->base);
}

void act_set_async(ast *n, struct token async)
{
    n->start = async.start;
    n->kind = n->kind == AST_FunctionDef ? AST_AsyncFunctionDef
              : n->kind == AST_For       ? AST_AsyncFor
              : n->kind == AST_With      ? AST_AsyncWith
                                         : n->kind;
}

void act_decorate(struct parse_state *ps, ast *n, const struct list *decorators)
{
    if (n->kind == AST_ClassDef) AST_AS(ClassDef, n)->decorator_list = decorators->s;
    else if (n->kind == AST_FunctionDef || n->kind == AST_AsyncFunctionDef)
        AST_AS(FunctionDef, n)->decorator_list = decorators->s;
    ast_done(ps, n);
}

/* The parts of a dotted name, joined. */
struct name_at act_join_name(struct parse_state *ps, const struct id_list *parts)
{
    struct name_at r = {parts->s->n ? parts->s->items[0] : NULL, parts->start, parts->end};
    if (parts->s->n < 2) return r;
    size_t len = parts->s->n - 1;
    for (uint32_t i = 0; i < parts->s->n; i++) len += parts->s->items[i]->len;
    char *text = arena_alloc(ps->a, len + 1), *p = text;
    if (!text) {
        state_nomem(ps);
        return r;
    }
    for (uint32_t i = 0; i < parts->s->n; i++) {
        if (i) *p++ = '.';
        memcpy(p, parts->s->items[i]->text, parts->s->items[i]->len);
        p += parts->s->items[i]->len;
    }
    r.name = ast_name_intern(ps, text, len);
    return r;
}

struct ex act_alias(struct parse_state *ps, struct name_at name, const struct token *as)
{
    struct ast_alias *n = MAKE(alias, name.start, as ? as->end : name.end);
    n->name = name.name;
    n->asname = as ? ast_name_of_token(ps, *as) : NULL;
    return act_ex(ast_done(ps, n));
}

struct list act_list(struct parse_state *ps, struct ex x)
{
    return (struct list){ast_seq_of(ps, x.n), x.start, x.end, false};
}

void act_list_add(struct parse_state *ps, struct list *l, struct ex x)
{
    l->s = ast_seq_add(ps, l->s, x.n);
    l->end = x.end;
    l->comma = false;
}

void act_list_comma(struct list *l, struct token comma)
{
    l->end = comma.end;
    l->comma = true;
}

struct id_list act_id_list(struct parse_state *ps, struct token t)
{
    return (struct id_list){ast_ids_add(ps, ps->no_ids, ast_name_of_token(ps, t)), t.start, t.end};
}

void act_id_list_add(struct parse_state *ps, struct id_list *l, struct token t)
{
    l->s = ast_ids_add(ps, l->s, ast_name_of_token(ps, t));
    l->end = t.end;
}

/* One expression, or a tuple without parentheses. */
struct ex act_list_expr(struct parse_state *ps, const struct list *l)
{
    if (l->s->n == 1 && !l->comma) return act_ex_at(l->s->items[0], l->start, l->end);
    return act_ex(ast_build_tuple(ps, l->s, l->start, l->end));
}

struct ex act_list_pattern(struct parse_state *ps, const struct list *l, bool open)
{
    if (l->s->n == 1 && !l->comma && open) {
        struct ex x = act_ex_at(l->s->items[0], l->start, l->end);
        if (x.n->kind == AST_MatchStar) /* wants a comma where something else stands */
            FAIL_TOKEN(ps->last, "invalid syntax");
        return x;
    }
    struct ast_MatchSequence *n = MAKE(MatchSequence, l->start, l->end);
    n->patterns = l->s;
    return act_ex(ast_done(ps, n));
}

struct ex act_slice(struct parse_state *ps, struct ex lower, struct ex upper, const struct ex *step, uint32_t end)
{
    struct ast_Slice *n = MAKE(Slice, lower.start, end);
    n->lower = lower.n;
    n->upper = upper.n;
    n->step = step ? step->n : NULL;
    return act_ex(ast_done(ps, n));
}

struct ex act_named(struct parse_state *ps, struct token name, struct ex value)
{
    struct ast_NamedExpr *n = MAKE(NamedExpr, name.start, value.end);
    n->target = ast_build_name(ps, name, AST_Store);
    n->value = value.n;
    return act_ex(ast_done(ps, n));
}

struct ex act_comprehension(struct parse_state *ps, ast_kind kind, uint32_t start, ast *elt,
                            const struct list *generators, uint32_t end)
{
    check_comprehension_element(ps, elt);
    struct ast_ListComp *n = ast_make(ps, kind, start, end);
    n->elt = elt;
    n->generators = generators->s;
    return act_ex(ast_done(ps, n));
}

struct ex act_dict(struct parse_state *ps, struct token open, const struct pair_list *l, struct token close)
{
    struct ast_Dict *n = MAKE(Dict, open.start, close.end);
    n->keys = l->keys;
    n->values = l->values;
    return act_ex(ast_done(ps, n));
}

void act_add_pair(struct parse_state *ps, struct pair_list *l, struct pair p)
{
    l->keys = ast_seq_add(ps, l->keys, p.key);
    l->values = ast_seq_add(ps, l->values, p.value);
}

struct ex act_display(struct parse_state *ps, ast_kind kind, struct token open, ast_seq *elts, struct token close)
{
    struct ast_List *n = ast_make(ps, kind, open.start, close.end); /* Set has the same first field */
    n->elts = elts;
    return act_ex(ast_done(ps, n));
}

/* What is in parentheses: a group or a tuple, perhaps a list of with items. */
struct ex act_parens(struct parse_state *ps, struct token open, const struct list *l, struct token close)
{
    bool cover = false;
    for (uint32_t i = 0; i < l->s->n; i++) cover |= l->s->items[i]->kind == AST_withitem;
    if (l->s->n == 1 && !l->comma && !cover) {
        ast *n = l->s->items[0];
        if (n->kind == AST_Starred)
            state_fail(ps, DIAG_SYNTAX_ERROR, n->start, n->end, "cannot use starred expression here");
        n->flags |= AST_PAREN;
        return act_ex_at(n, open.start, close.end);
    }
    ast *n = ast_build_tuple(ps, l->s, open.start, close.end);
    n->flags |= AST_PAREN;
    if (cover) {
        ps->with_cover = n;
        ps->with_covers++;
    }
    return act_ex(n);
}

struct ex act_call(struct parse_state *ps, struct ex func, struct token open, struct call_args *args,
                   struct token close)
{
    (void)open;
    struct ast_Call *n = MAKE(Call, func.start, close.end);
    n->func = func.n;
    n->args = args->args;
    n->keywords = args->keywords;
    return act_ex(ast_done(ps, n));
}

struct ex act_match_name(struct parse_state *ps, struct ex x)
{
    if (x.n->kind != AST_Name) {
        struct ast_MatchValue *v = MAKE(MatchValue, x.start, x.end);
        v->value = x.n;
        return act_ex(ast_done(ps, v));
    }
    const ast_name *id = AST_AS(Name, x.n)->id;
    struct ast_MatchAs *n = MAKE(MatchAs, x.start, x.end);
    n->name = id->len == 1 && id->text[0] == '_' ? NULL : id;
    return act_ex(ast_done(ps, n));
}

struct ex act_match_value(struct parse_state *ps, struct ex x)
{
    struct ast_MatchValue *n = MAKE(MatchValue, x.start, x.end);
    n->value = x.n;
    return act_ex(ast_done(ps, n));
}

struct ex act_match_singleton(struct parse_state *ps, struct token t, ast_const_kind kind)
{
    struct ast_MatchSingleton *n = MAKE(MatchSingleton, t.start, t.end);
    n->value.kind = kind;
    n->value.text = "";
    return act_ex(ast_done(ps, n));
}

struct ex act_function(struct parse_state *ps, struct token def, struct token name, const struct list *type_params,
                       ast *params, struct ex returns, const struct list *body)
{
    struct ast_FunctionDef *n = MAKE(FunctionDef, def.start, body->end);
    n->name = ast_name_of_token(ps, name);
    n->args = params;
    n->body = body->s;
    n->returns = returns.n;
    n->type_params = type_params->s;
    return act_ex(ast_done(ps, n));
}

struct ex act_class(struct parse_state *ps, struct token class_, struct token name, const struct list *type_params,
                    const struct call_args *args, const struct list *body)
{
    struct ast_ClassDef *n = MAKE(ClassDef, class_.start, body->end);
    n->name = ast_name_of_token(ps, name);
    if (args) {
        n->bases = args->args;
        n->keywords = args->keywords;
    }
    n->body = body->s;
    n->type_params = type_params->s;
    return act_ex(ast_done(ps, n));
}

struct ex act_for(struct parse_state *ps, struct ex target, struct ex iter, const struct list *body,
                  const struct list *orelse)
{
    struct ast_For *n = MAKE(For, target.start, orelse->s->n ? orelse->end : body->end);
    n->target = target.n;
    n->iter = iter.n;
    n->body = body->s;
    n->orelse = orelse->s;
    return act_ex(ast_done(ps, n));
}

static ast *build_arg(struct parse_state *ps, struct token name, ast *annotation, uint32_t end)
{
    struct ast_arg *n = MAKE(arg, name.start, end);
    n->arg = ast_name_of_token(ps, name);
    n->annotation = annotation;
    return ast_done(ps, n);
}

struct param_at act_param_name(struct parse_state *ps, struct token name, struct ex annotation, struct ex dflt)
{
    uint32_t end = annotation.n ? annotation.end : name.end;
    return (struct param_at){
        .kind = PARAM_PLAIN,
        .arg = build_arg(ps, name, annotation.n, end),
        .dflt = dflt.n,
        .start = name.start,
        .end = dflt.n ? dflt.end : end,
    };
}

struct param_at act_param_star(struct parse_state *ps, int kind, struct token star, const struct token *name,
                               ast *annotation, uint32_t end)
{
    return (struct param_at){
        .kind = kind,
        .arg = name ? build_arg(ps, *name, annotation, annotation ? end : name->end) : NULL,
        .start = star.start,
        .end = annotation ? end
               : name     ? name->end
                          : star.end,
    };
}

void act_refuse_default(struct parse_state *ps, struct token eq, const char *message)
{
    if (eq.end) FAIL_TOKEN(eq, message);
}

void act_end_simple_line(struct parse_state *ps)
{
    if (ps->with_covers) state_fail(ps, DIAG_SYNTAX_ERROR, ps->with_as_start, ps->with_as_end, "invalid syntax");
}

struct ex act_mapping(struct parse_state *ps, struct token open, const struct mapping *m, struct token close)
{
    struct ast_MatchMapping *n = MAKE(MatchMapping, open.start, close.end);
    n->keys = m->keys;
    n->patterns = m->patterns;
    n->rest = m->rest;
    return act_ex(ast_done(ps, n));
}
