/* Comprehensions and generator expressions.
 *
 * A comprehension whose variables nobody captures is a loop in the enclosing frame: the result is
 * the lowest temporary, each generator's loop state and variables lie above it. Others, and all
 * generator expressions, are functions of one argument, the iterator of the outermost iterable.
 */
#include "compile.h"

typedef struct comp {
    ast *node;
    scope *scope;
    ast_seq *generators;
    ast *elt, *val; /* val: DictComp */
    int result;     /* register of the container; -1: generator expression */
    int first;      /* register of the outermost iterator, -1: the iterable is to be evaluated */
} comp;

static comp comp_parts(unit *u, ast *n)
{
    comp k = {.node = n, .scope = symtable_scope(u->c, n), .result = -1, .first = -1};
    if (n->kind == AST_DictComp) {
        k.generators = AST_AS(DictComp, n)->generators;
        k.elt = AST_AS(DictComp, n)->key;
        k.val = AST_AS(DictComp, n)->value;
    } else { /* the others have the same fields */
        k.generators = AST_AS(ListComp, n)->generators;
        k.elt = AST_AS(ListComp, n)->elt;
    }
    return k;
}

int iterable_close(const ast *iter, bool async)
{
    if (iter->kind != AST_Call && iter->kind != AST_GeneratorExp) return LOOP_PLAIN;
    return async ? LOOP_CLOSE_ASYNC : LOOP_CLOSE;
}

void loop_prepare(unit *u, int state, int iterable, bool async)
{
    u->top = state;
    if (async) {
        emit(u, OP_GETAITER, state, iterable, 0);
        u->top = state + 1;
        emit(u, OP_LOADNONE, state + 1, 0, 0);
        u->top = state + 2;
    } else {
        emit(u, OP_FORPREP, state, iterable, 0);
        u->top = state + 3;
    }
}

void loop_next(unit *u, int state, int dst, bool async, label end)
{
    if (async) emit_aforiter(u, dst, state, end);
    else emit_branch(u, OP_FORITER, state, dst, end);
}

void for_close(unit *u, int state, int how)
{
    if (how != LOOP_PLAIN) emit(u, OP_FOREND, state, how == LOOP_CLOSE_ASYNC, 0);
}

/* The handler of a loop over something that only the loop holds: closes it, goes on raising. */
void loop_handler(unit *u, int state, int how, label handler)
{
    int exc = state + (how == LOOP_CLOSE_ASYNC ? 2 : 3);
    label_bind(u, handler);
    u->top = exc + 1;
    for_close(u, state, how);
    emit(u, OP_RERAISE, exc, 0, 0);
    u->top = state;
}

/* ---- targets of an inlined comprehension: their variables get registers as they come ---- */

static symbol *fresh_variable(unit *u, ast *target)
{
    if (target->kind != AST_Name) return NULL;
    symbol *y = scope_find(u->cur, unit_name(u, AST_AS(Name, target)->id));
    return y && y->where == WHERE_LOCAL && y->reg < 0 ? y : NULL;
}

static void give_registers(unit *u, ast *target)
{
    if (comp_too_deep(u->c)) return;
    symbol *y = fresh_variable(u, target);
    if (y) {
        y->reg = temp(u);
        emit(u, OP_LOADNONE, y->reg, 0, 0);
        temp_push(u, 1);
    } else if (target->kind == AST_Starred) {
        give_registers(u, AST_AS(Starred, target)->value);
    } else if (target->kind == AST_Tuple || target->kind == AST_List) {
        ast_seq *elts = AST_AS(Tuple, target)->elts;
        for (uint32_t i = 0; i < elts->n; i++) give_registers(u, elts->items[i]);
    }
}

/* for a, b in ...: all new and different: unpacked in place. */
static bool simple_tuple(unit *u, ast *target)
{
    if (target->kind != AST_Tuple && target->kind != AST_List) return false;
    ast_seq *elts = AST_AS(Tuple, target)->elts;
    if (elts->n == 0 || elts->n > 16) return false;
    for (uint32_t i = 0; i < elts->n; i++) {
        if (!fresh_variable(u, elts->items[i])) return false;
        for (uint32_t j = 0; j < i; j++) {
            if (AST_AS(Name, elts->items[j])->id == AST_AS(Name, elts->items[i])->id) return false;
        }
    }
    return true;
}

/* One generator's loop under construction. */
typedef struct loop {
    int state, close;
    bool async;
    label head, end, handler;
    region guard;
} loop;

static void next_item(unit *u, loop *l, int item)
{
    loop_next(u, l->state, item, l->async, l->end);
    if (l->close) region_open(u, &l->guard, l->handler, l->state + (l->async ? 2 : 3));
}

/* Loop head, next item, target. */
static void inline_head(unit *u, ast *target, loop *l)
{
    symbol *y = fresh_variable(u, target);
    bool tuple = simple_tuple(u, target);
    if (!y && !tuple) give_registers(u, target);
    label_bind_loop(u, l->head);
    int dst = y ? temp(u) : assign_dst(u, target);
    int item = dst >= 0 && !tuple ? dst : temp(u);
    next_item(u, l, item);
    if (y) {
        y->reg = dst;
        temp_push(u, 1);
    } else if (tuple) {
        ast_seq *elts = AST_AS(Tuple, target)->elts;
        span old = unit_at(u, target);
        emit(u, OP_UNPACK, item, item, (int)elts->n);
        u->at = old;
        for (uint32_t i = 0; i < elts->n && !u->c->failed; i++) fresh_variable(u, elts->items[i])->reg = item + (int)i;
        temp_push(u, (int)elts->n);
    } else if (dst < 0) {
        int mark = u->top;
        temp_push(u, 1);
        assign_to(u, target, item);
        u->top = mark;
    }
}

static void plain_head(unit *u, ast *target, loop *l)
{
    label_bind_loop(u, l->head);
    int dst = assign_dst(u, target), mark = u->top, item = dst >= 0 ? dst : temp(u);
    next_item(u, l, item);
    if (dst < 0) temp_push(u, 1);
    assign_to(u, target, item);
    u->top = mark;
}

/* ---- loops ---- */

static void element(unit *u, const comp *k)
{
    int mark = u->top;
    if (k->val) {
        int key = expr_before(u, k->elt, k->val), val = expr_last(u, k->val);
        u->top = mark;
        emit(u, OP_DICTSET, k->result, key, val);
        return;
    }
    int r = expr_last(u, k->elt);
    u->top = mark;
    if (k->result >= 0) {
        emit(u, k->node->kind == AST_SetComp ? OP_SETADD : OP_LISTAPPEND, k->result, r, 0);
        return;
    }
    span old = unit_at(u, k->elt);
    emit(u, u->flags & CODE_ASYNC_GEN ? OP_AYIELD : OP_YIELD, mark, r, 0);
    emit_word(u, emit_handler_word(u));
    u->at = old;
}

static void generator(unit *u, const comp *k, uint32_t i)
{
    if (u->c->failed || comp_too_deep(u->c)) return;
    struct ast_comprehension *g = AST_AS(comprehension, k->generators->items[i]);
    int state = u->top;
    if (i == 0 && k->first >= 0) {
        if (g->is_async) {
            emit(u, OP_MOVE, state, k->first, 0);
            emit(u, OP_LOADNONE, state + 1, 0, 0);
            u->top = state + 2;
        } else {
            loop_prepare(u, state, k->first, false);
        }
    } else {
        scope *inner = u->cur;
        if (i == 0 && inner->inlined) u->cur = inner->parent;
        int r = expr_last(u, g->iter);
        u->cur = inner;
        loop_prepare(u, state, r, g->is_async);
    }
    loop l = {.state = state,
              .close = iterable_close(g->iter, g->is_async),
              .async = g->is_async,
              .head = label_new(u),
              .end = label_new(u),
              .handler = label_new(u)};
    label next = label_new(u);
    if (u->cur->inlined && u->cur == k->scope) inline_head(u, g->target, &l);
    else plain_head(u, g->target, &l);
    int base = u->spill_base;
    u->spill_base = u->top;
    for (uint32_t j = 0; j < g->ifs->n; j++) cond(u, g->ifs->items[j], false, next);
    if (i + 1 < k->generators->n) generator(u, k, i + 1);
    else element(u, k);
    u->spill_base = base;
    label_bind(u, next);
    emit_loop(u, l.head);
    if (l.close) {
        region_close(u, &l.guard);
        loop_handler(u, state, l.close, l.handler);
    }
    label_bind(u, l.end);
    u->top = state;
}

static void make_container(unit *u, comp *k)
{
    k->result = temp(u);
    unsigned op = k->node->kind == AST_SetComp ? OP_SET : k->node->kind == AST_DictComp ? OP_DICT : OP_LIST;
    emit(u, op, k->result, k->result, 0);
    temp_push(u, 1);
}

static void inline_comp(unit *u, comp *k, int dst)
{
    int base = u->top;
    scope *outer = u->cur;
    for (symbol *y = k->scope->syms; y; y = y->next) y->reg = -1;
    make_container(u, k);
    u->cur = k->scope;
    generator(u, k, 0);
    u->cur = outer;
    u->top = base;
    emit_move(u, dst, base);
}

static code *comp_function(unit *u, comp *k)
{
    const char *name = k->node->kind == AST_ListComp   ? "<listcomp>"
                       : k->node->kind == AST_SetComp  ? "<setcomp>"
                       : k->node->kind == AST_DictComp ? "<dictcomp>"
                                                       : "<genexpr>";
    str *s = str_intern_utf8(u->c->vm, name, strlen(name));
    if (value_is_unbound(comp_keep(u->c, s ? value_obj(s) : V_UNBOUND))) return NULL;
    unit *f = unit_begin(u->c, k->scope, k->node, s, 0);
    if (!f) return NULL;
    f->argcount = 1;
    f->at = node_span(k->node);
    k->first = 0;
    if (k->node->kind != AST_GeneratorExp) make_container(f, k);
    generator(f, k, 0);
    if (k->result >= 0) unit_return(f, k->result);
    return unit_end(f);
}

static bool may_be_async(const unit *u)
{
    return in_async_function(u) || u->scope->kind == SCOPE_COMP || u->scope->kind == SCOPE_GENEXPR || u->cur->inlined ||
           unit_top_await(u);
}

void comp_expr(unit *u, ast *n, int dst)
{
    comp k = comp_parts(u, n);
    bool async = k.scope->coroutine && n->kind != AST_GeneratorExp;
    if (async && !may_be_async(u)) {
        comp_error_node(u->c, n, "asynchronous comprehension outside of an asynchronous function");
        return;
    }
    if (k.scope->inlined) {
        inline_comp(u, &k, dst);
        return;
    }
    code *f = comp_function(u, &k);
    if (!f) return;
    int base = u->top;
    struct ast_comprehension *g = AST_AS(comprehension, k.generators->items[0]);
    func_make(u, f, base, 0, base);
    u->top = base + 1;
    int r = expr_last(u, g->iter);
    u->top = base + 1;
    emit(u, g->is_async ? OP_GETAITER : OP_GETITER, base + 1, r, !g->is_async);
    u->top = base;
    emit(u, OP_CALL, async ? base : dst, base, 1);
    if (!async) return;
    emit(u, OP_AWAIT, dst, base, 0);
    emit_word(u, emit_handler_word(u));
}
