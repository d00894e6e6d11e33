/* try, except, finally, except*, with.
 *
 * A handler begins at its label with the exception in a register that the table names, `exc`;
 * PUSHEXC makes it the handled one and keeps the one before in exc + 1. Whatever leaves the handler
 * runs POPEXC first: the ways out do so in block_leave, an exception raised inside goes through the
 * cleanup code at the end, which finds it in exc + 2. The body of a finally clause is emitted once
 * per way out.
 */
#include "compile.h"

/* Handler entry: the exception in r[exc] is handled now. Pushes the block; top is above both
 * registers. */
static void handler_enter(unit *u, ast *node, int exc, label handler, label cleanup)
{
    label_bind(u, handler);
    u->top = exc;
    emit(u, OP_PUSHEXC, exc, 0, 0);
    u->top = exc + 2;
    block *b = block_push(u, BLOCK_HANDLER, node);
    b->reg = exc;
    block_guard(u, b, cleanup, exc + 2);
}

/* Handler end: re-raises what came in, if control gets here, or what was raised on the way. top is
 * exc then. */
static void handler_leave(unit *u, int exc, label cleanup)
{
    u->top = exc + 2;
    emit(u, OP_MOVE, exc + 2, exc, 0);
    block_pop(u);
    label_bind(u, cleanup);
    u->top = exc + 3;
    emit(u, OP_POPEXC, exc, 0, 0);
    emit(u, OP_RERAISE, exc + 2, 0, 0);
    u->top = exc;
}

/* ---- try / except ---- */

static void clause(unit *u, struct ast_ExceptHandler *h, int exc, label cleanup, label end)
{
    label next = label_new(u);
    int mark = u->top;
    u->at = node_span(&h->base);
    if (h->type) {
        int t = expr_last(u, h->type);
        u->top = mark;
        u->at = node_span(&h->base);
        emit_branch(u, OP_JNEXC, exc, t, next);
    }
    if (h->name) {
        str *name = unit_name(u, h->name);
        label unbind = label_new(u);
        name_store(u, name, exc);
        block *b = block_push(u, BLOCK_NAMED, &h->base);
        b->name = name;
        block_guard(u, b, unbind, exc + 2);
        stmt_body(u, h->body);
        struct leave l = block_leave(u, u->nblocks - 2);
        emit_jump(u, end);
        block_back(u, l);
        block_pop(u);
        label_bind(u, unbind); /* raised inside: the exception is in exc + 2 */
        u->top = exc + 3;
        name_unbind(u, name);
        emit_jump(u, cleanup);
        u->top = mark;
    } else {
        stmt_body(u, h->body);
        struct leave l = block_leave(u, u->nblocks - 1);
        emit_jump(u, end);
        block_back(u, l);
    }
    label_bind(u, next);
}

/* The body of a try statement and its else. */
static void guarded(unit *u, ast *node, ast_seq *body, ast_seq *orelse, int exc, label handler, label end)
{
    block *b = block_push(u, BLOCK_TRY, node);
    block_guard(u, b, handler, exc);
    stmt_body(u, body);
    block_pop(u);
    stmt_body(u, orelse);
    emit_jump(u, end);
    u->at = node_span(node);
}

static void try_except(unit *u, struct ast_Try *s)
{
    int exc = u->top;
    label handler = label_new(u), cleanup = label_new(u), end = label_new(u);
    for (uint32_t i = 0; i + 1 < s->handlers->n; i++) {
        struct ast_ExceptHandler *h = AST_AS(ExceptHandler, s->handlers->items[i]);
        if (!h->type) {
            comp_error_node(u->c, &h->base, "default 'except:' must be last");
            return;
        }
    }
    guarded(u, &s->base, s->body, s->orelse, exc, handler, end);
    handler_enter(u, &s->base, exc, handler, cleanup);
    for (uint32_t i = 0; i < s->handlers->n && !u->c->failed; i++)
        clause(u, AST_AS(ExceptHandler, s->handlers->items[i]), exc, cleanup, end);
    handler_leave(u, exc, cleanup);
    label_bind(u, end);
}

static void star_clauses(unit *u, struct ast_TryStar *s, int exc, label cleanup, label end);

static void try_except_star(unit *u, struct ast_TryStar *s)
{
    int exc = u->top;
    label handler = label_new(u), cleanup = label_new(u), end = label_new(u);
    guarded(u, &s->base, s->body, s->orelse, exc, handler, end);
    handler_enter(u, &s->base, exc, handler, cleanup);
    star_clauses(u, s, exc, cleanup, end);
    label_bind(u, end);
}

/* ---- try / finally ---- */

static void try_finally(unit *u, ast *node, ast_seq *finalbody, void (*inner)(unit *, ast *))
{
    int exc = u->top;
    label handler = label_new(u), cleanup = label_new(u), end = label_new(u);
    block *b = block_push(u, BLOCK_FINALLY, node);
    b->body = finalbody;
    block_guard(u, b, handler, exc);
    inner(u, node);
    block_pop(u);
    stmt_body(u, finalbody);
    emit_jump(u, end);
    u->at = node_span(node);
    handler_enter(u, node, exc, handler, cleanup);
    stmt_body(u, finalbody);
    u->at = node_span(node);
    handler_leave(u, exc, cleanup);
    label_bind(u, end);
}

static void try_inner(unit *u, ast *n)
{
    struct ast_Try *s = AST_AS(Try, n);
    if (s->handlers->n) try_except(u, s);
    else stmt_body(u, s->body);
}

static void try_star_inner(unit *u, ast *n) { try_except_star(u, AST_AS(TryStar, n)); }

void try_stmt(unit *u, struct ast_Try *s)
{
    if (s->finalbody->n) try_finally(u, &s->base, s->finalbody, try_inner);
    else try_except(u, s);
}

void try_star(unit *u, struct ast_TryStar *s)
{
    if (s->finalbody->n) try_finally(u, &s->base, s->finalbody, try_star_inner);
    else try_except_star(u, s);
}

/* ---- except* ----
 *
 * r[exc] the exception; r[rest] what no clause has taken yet, or None; r[rest + 1] what this clause
 * took; r[list] the exceptions that clauses raised. While a clause runs its match is the handled
 * exception: r[match], r[match + 1].
 */
static void star_clause(unit *u, struct ast_ExceptHandler *h, int rest, int list)
{
    label next = label_new(u), none = label_new(u), failed = label_new(u), popped = label_new(u);
    int match = list + 1;
    u->at = node_span(&h->base);
    emit_branch(u, OP_JNONE, rest, 0, next);
    int t = expr_push(u, h->type);
    u->top = match;
    u->at = node_span(&h->base);
    emit(u, OP_EGMATCH, rest, t, 0);
    emit_branch(u, OP_JNONE, rest + 1, 0, none);
    emit(u, OP_MOVE, match, rest + 1, 0);
    emit(u, OP_PUSHEXC, match, 0, 0);
    u->top = match + 2;
    str *name = h->name ? unit_name(u, h->name) : NULL;
    if (name) name_store(u, name, match);
    block *b = block_push(u, BLOCK_STAR, &h->base);
    (void)b;
    b = block_push(u, BLOCK_HANDLER, &h->base);
    b->reg = match;
    block_guard(u, b, failed, match + 2);
    if (name) {
        b = block_push(u, BLOCK_NAMED, &h->base);
        b->name = name;
    }
    stmt_body(u, h->body);
    if (name) block_pop(u);
    block_pop(u);
    block_pop(u);
    u->at = node_span(&h->base);
    u->top = match + 2;
    if (name) name_unbind(u, name);
    emit(u, OP_POPEXC, match, 0, 0);
    emit_jump(u, popped);
    label_bind(u, failed); /* the clause raised: collected, the next clauses still run */
    u->top = match + 3;
    if (name) name_unbind(u, name);
    emit(u, OP_POPEXC, match, 0, 0);
    emit(u, OP_LISTAPPEND, list, match + 2, 0);
    label_bind(u, popped);
    label_bind(u, none);
    label_bind(u, next);
    u->top = match;
}

static void star_clauses(unit *u, struct ast_TryStar *s, int exc, label cleanup, label end)
{
    int rest = exc + 3, list = rest + 2;
    /* exc + 2 is where an exception raised in here is found: kept a value, like all below the top.
     */
    emit(u, OP_LOADNONE, exc + 2, 0, 0);
    emit(u, OP_MOVE, rest, exc, 0);
    emit(u, OP_LOADNONE, rest + 1, 0, 0);
    u->top = list;
    emit(u, OP_LIST, list, list, 0);
    u->top = list + 1;
    for (uint32_t i = 0; i < s->handlers->n && !u->c->failed; i++)
        star_clause(u, AST_AS(ExceptHandler, s->handlers->items[i]), rest, list);
    u->at = node_span(&s->base);
    label done = label_new(u), none = label_new(u);
    emit_branch(u, OP_JNONE, rest, 0, none);
    emit(u, OP_LISTAPPEND, list, rest, 0);
    label_bind(u, none);
    emit(u, OP_EGRAISE, rest, exc, list);
    u->top = rest + 1;
    emit_branch(u, OP_JNONE, rest, 0, done);
    emit(u, OP_MOVE, exc + 2, rest, 0);
    block_pop(u);
    label_bind(u, cleanup);
    u->top = exc + 3;
    emit(u, OP_POPEXC, exc, 0, 0);
    emit(u, OP_RERAISE, exc + 2, 0, 0);
    label_bind(u, done);
    u->top = exc + 2;
    emit(u, OP_POPEXC, exc, 0, 0);
    emit_jump(u, end);
    u->top = exc;
}

/* ---- with ----
 *
 * r[exit] the exit function; r[exit + 1] what enter gave and, in the handler, the exception.
 */
void try_with(unit *u, ast *n, ast_seq *items, ast_seq *body, uint32_t i, bool async)
{
    struct ast_withitem *item = AST_AS(withitem, items->items[i]);
    if (comp_too_deep(u->c)) return;
    if (async && !in_async_function(u) && !unit_top_await(u)) {
        comp_error_node(u->c, n, "'async with' outside async function%s", top_await_hint(u));
        return;
    }
    int exit = u->top, exc = exit + 1;
    label handler = label_new(u), cleanup = label_new(u), swallowed = label_new(u), end = label_new(u);
    u->at = node_span(n);
    int r = expr_last(u, item->context_expr);
    u->top = exit;
    emit(u, async ? OP_BEFOREAWITH : OP_BEFOREWITH, exit, r, 0);
    if (async) {
        u->top = exit + 1;
        emit(u, OP_AWAIT, exit + 1, exit + 1, AWAIT_ENTER);
        emit_word(u, emit_handler_word(u));
    }
    u->top = exit + 1;
    block *b = block_push(u, async ? BLOCK_AWITH : BLOCK_WITH, n);
    b->reg = exit;
    block_guard(u, b, handler, exc);
    if (item->optional_vars) {
        u->top = exit + 2;
        assign_to(u, item->optional_vars, exit + 1);
        u->top = exit + 1;
    }
    if (i + 1 < items->n) try_with(u, n, items, body, i + 1, async);
    else stmt_body(u, body);
    u->at = node_span(n);
    struct leave l = block_leave(u, u->nblocks - 1);
    emit_jump(u, end);
    block_back(u, l);
    block_pop(u);
    u->top = exit + 1;
    handler_enter(u, n, exc, handler, cleanup);
    int t = temp(u);
    emit(u, OP_WITHEXIT, t, exit, exc);
    if (async) {
        emit(u, OP_AWAIT, t, t, AWAIT_EXIT);
        emit_word(u, emit_handler_word(u));
    }
    emit_branch(u, OP_JT, t, 0, swallowed);
    handler_leave(u, exc, cleanup);
    label_bind(u, swallowed);
    u->top = exc + 2;
    emit(u, OP_POPEXC, exc, 0, 0);
    label_bind(u, end);
    u->top = exit;
}
