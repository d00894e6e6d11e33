/* Statements, blocks and the ways out of them: if, loops, return, break, continue, import, assert,
 * raise. */
#include "compile.h"

/* ---- blocks ---- */

block *block_push(unit *u, enum block_kind kind, ast *node)
{
    if (u->nblocks >= BLOCK_SLOTS - 1 ||
        (u->nblocks >= MAX_BLOCKS && kind != BLOCK_NAMED && kind != BLOCK_STAR && kind != BLOCK_HANDLER)) {
        comp_error_node(u->c, node, "too many statically nested blocks");
        return &u->blocks[BLOCK_SLOTS - 1];
    }
    block *b = &u->blocks[u->nblocks++];
    memset(b, 0, sizeof *b);
    b->kind = (uint8_t)kind;
    b->node = node;
    return b;
}

void block_guard(unit *u, block *b, label handler, int reg)
{
    b->guarded = true;
    region_open(u, &b->region, handler, reg);
}

void block_pop(unit *u)
{
    if (u->c->failed) return;
    block *b = &u->blocks[--u->nblocks];
    if (b->guarded) region_close(u, &b->region);
}

static void leave_with(unit *u, const block *b)
{
    int t = temp(u);
    span old = unit_at(u, b->node);
    emit(u, OP_WITHEXITNONE, t, b->reg, 0);
    if (b->kind == BLOCK_AWITH) {
        emit(u, OP_AWAIT, t, t, AWAIT_EXIT);
        emit_word(u, emit_handler_word(u));
    }
    u->at = old;
}

struct leave block_leave(unit *u, uint32_t keep)
{
    struct leave l = {u->nblocks, keep, NULL};
    if (u->c->failed || u->dead || keep >= u->nblocks) return l;
    uint32_t n = u->nblocks - keep;
    l.saved = comp_alloc_array(u->c, n, sizeof *l.saved);
    if (!l.saved) return l;
    memcpy(l.saved, &u->blocks[keep], n * sizeof *l.saved);
    while (u->nblocks > keep && !u->c->failed) {
        block *b = &u->blocks[u->nblocks - 1], was = *b;
        if (was.guarded) region_cut(u, &b->region);
        u->nblocks--;
        switch (was.kind) {
        case BLOCK_FOR: for_close(u, was.reg, was.close); break;
        case BLOCK_FINALLY: stmt_body(u, was.body); break;
        case BLOCK_WITH:
        case BLOCK_AWITH: leave_with(u, &was); break;
        case BLOCK_HANDLER: emit(u, OP_POPEXC, was.reg, 0, 0); break;
        case BLOCK_NAMED: name_unbind(u, was.name); break;
        default: break;
        }
    }
    return l;
}

void block_back(unit *u, struct leave l)
{
    if (u->c->failed || !l.saved) return;
    uint32_t n = l.nblocks - l.keep;
    memcpy(&u->blocks[l.keep], l.saved, n * sizeof *l.saved);
    u->nblocks = l.nblocks;
    for (uint32_t i = l.keep; i < u->nblocks; i++) {
        block *b = &u->blocks[i];
        if (b->guarded && b->region.open) region_reopen(u, &b->region);
    }
}

/* Does leaving the blocks above keep run any code? */
static bool leaving_runs(const unit *u, uint32_t keep)
{
    for (uint32_t i = keep; i < u->nblocks; i++) {
        switch (u->blocks[i].kind) {
        case BLOCK_WHILE:
        case BLOCK_TRY:
        case BLOCK_STAR: break;
        case BLOCK_FOR:
            if (u->blocks[i].close == LOOP_PLAIN) break;
            return true;
        default: return true;
        }
    }
    return false;
}

static bool leaves_star(unit *u, uint32_t keep, ast *s)
{
    for (uint32_t i = keep; i < u->nblocks; i++) {
        if (u->blocks[i].kind != BLOCK_STAR) continue;
        comp_error_node(u->c, s, "'break', 'continue' and 'return' cannot appear in an except* block");
        return true;
    }
    return false;
}

/* ---- ways out ---- */

static void return_stmt(unit *u, struct ast_Return *s)
{
    if (!unit_is_function(u)) {
        comp_error_node(u->c, &s->base, "'return' outside function");
        return;
    }
    if (s->value && (u->flags & CODE_ASYNC_GEN)) {
        comp_error_node(u->c, &s->base, "'return' with value in async generator");
        return;
    }
    if (leaves_star(u, 0, &s->base)) return;
    int mark = u->top, r = -1;
    bool constant = s->value && is_const(s->value), runs = leaving_runs(u, 0);
    if (s->value && !constant) r = runs ? expr_push(u, s->value) : expr_last(u, s->value);
    struct leave l = block_leave(u, 0);
    u->at = node_span(&s->base);
    if (constant) {
        value v = const_of(u->c, s->value);
        if (!value_is_none(v)) emit_value(u, v, r = temp(u));
    }
    unit_return(u, r);
    block_back(u, l);
    u->top = mark;
}

static void jump_stmt(unit *u, ast *s, bool brk)
{
    uint32_t i = u->nblocks;
    while (i > 0 && u->blocks[i - 1].kind != BLOCK_WHILE && u->blocks[i - 1].kind != BLOCK_FOR) {
        if (u->blocks[i - 1].kind == BLOCK_STAR && leaves_star(u, i - 1, s)) return;
        i--;
    }
    if (i == 0) {
        comp_error_node(u->c, s, brk ? "'break' outside loop" : "'continue' not properly in loop");
        return;
    }
    label head = u->blocks[i - 1].head, end = u->blocks[i - 1].end;
    struct leave l = block_leave(u, brk ? i - 1 : i);
    if (brk) emit_jump(u, end);
    else emit_loop(u, head);
    block_back(u, l);
}

/* ---- loops and conditions ---- */

static void for_stmt(unit *u, ast *n, bool async)
{
    struct ast_For *s = AST_AS(For, n); /* AsyncFor has the same fields */
    if (async && !in_async_function(u) && !unit_top_await(u)) {
        comp_error_node(u->c, n, "'async for' outside async function%s", top_await_hint(u));
        return;
    }
    int state = u->top, close = iterable_close(s->iter, async);
    int r = expr_last(u, s->iter);
    loop_prepare(u, state, r, async);
    int body = u->top;
    label head = label_new(u), orelse = label_new(u), end = label_new(u), handler = label_new(u);
    label_bind_loop(u, head);
    int dst = assign_dst(u, s->target), item = dst >= 0 ? dst : temp(u);
    loop_next(u, state, item, async, orelse);
    block *b = block_push(u, BLOCK_FOR, n);
    b->reg = state;
    b->close = (uint8_t)close;
    b->head = head;
    b->end = end;
    if (close) block_guard(u, b, handler, body);
    if (dst < 0) temp_push(u, 1);
    assign_to(u, s->target, item);
    u->top = body;
    stmt_body(u, s->body);
    u->at = node_span(n);
    emit_loop(u, head);
    block_pop(u);
    if (close) loop_handler(u, state, close, handler);
    label_bind(u, orelse);
    u->top = state;
    stmt_body(u, s->orelse);
    label_bind(u, end);
}

static void while_stmt(unit *u, struct ast_While *s)
{
    label head = label_new(u), orelse = label_new(u), end = label_new(u);
    label_bind_loop(u, head);
    block *b = block_push(u, BLOCK_WHILE, &s->base);
    b->head = head;
    b->end = end;
    cond(u, s->test, false, orelse);
    stmt_body(u, s->body);
    u->at = node_span(&s->base);
    emit_loop(u, head);
    block_pop(u);
    label_bind(u, orelse);
    stmt_body(u, s->orelse);
    label_bind(u, end);
}

static void if_stmt(unit *u, struct ast_If *s)
{
    label end = label_new(u);
    for (;;) { /* down a chain of elif */
        label next = label_new(u);
        u->at = node_span(&s->base);
        cond(u, s->test, false, next);
        stmt_body(u, s->body);
        if (!s->orelse->n) {
            label_bind(u, next);
            break;
        }
        emit_jump(u, end);
        label_bind(u, next);
        if (s->orelse->n != 1 || s->orelse->items[0]->kind != AST_If) {
            stmt_body(u, s->orelse);
            break;
        }
        s = AST_AS(If, s->orelse->items[0]);
    }
    label_bind(u, end);
}

/* ---- imports ---- */

static void emit_import(unit *u, int dst, str *name, uint32_t level, uint32_t fromlist)
{
    emit_d(u, OP_IMPORT, dst, name_index16(u, name));
    emit_word(u, level);
    emit_word(u, fromlist);
}

static str *dotted_part(unit *u, const char *s, size_t n)
{
    str *part = str_intern_utf8(u->c->vm, s, n);
    return value_is_unbound(comp_keep(u->c, part ? value_obj(part) : V_UNBOUND)) ? NULL : part;
}

static void import_stmt(unit *u, struct ast_Import *s)
{
    int t = u->top;
    for (uint32_t i = 0; i < s->names->n && !u->c->failed; i++) {
        struct ast_alias *a = AST_AS(alias, s->names->items[i]);
        const char *dot = memchr(a->name->text, '.', a->name->len), *end = a->name->text + a->name->len;
        emit_import(u, temp(u), comp_name(u->c, a->name), 0, UINT32_MAX);
        if (!a->asname && !dot) {
            name_store(u, unit_name(u, a->name), t);
        } else if (!a->asname) {
            name_store(u, dotted_part(u, a->name->text, (size_t)(dot - a->name->text)), t);
        } else {
            while (dot) { /* import a.b.c as x: the leaf */
                const char *from = dot + 1;
                dot = memchr(from, '.', (size_t)(end - from));
                emit_named(u, OP_IMPORTFROM, t, t, 0, dotted_part(u, from, (size_t)((dot ? dot : end) - from)));
            }
            name_store(u, unit_name(u, a->asname), t);
        }
    }
}

static void import_from(unit *u, struct ast_ImportFrom *s)
{
    compiler *c = u->c;
    int t = temp(u);
    uint32_t n = s->names->n;
    if (s->module && !s->level && s->module->len == 10 && !memcmp(s->module->text, "__future__", 10)) return;
    tuple *names = c->failed ? NULL : tuple_new(c->vm, n);
    if (!names) return;
    for (uint32_t i = 0; i < n; i++) {
        str *name = unit_name(u, AST_AS(alias, s->names->items[i])->name);
        if (!name) return;
        names->items[i] = value_obj(name);
    }
    str *module = s->module ? comp_name(c, s->module) : c->vm->empty_str;
    emit_import(u, t, module, (uint32_t)s->level, const_index(u, comp_intern(c, value_obj(names))));
    temp_push(u, 1);
    for (uint32_t i = 0; i < n && !c->failed; i++) {
        struct ast_alias *a = AST_AS(alias, s->names->items[i]);
        if (a->name->len == 1 && a->name->text[0] == '*') {
            emit(u, OP_IMPORTSTAR, t, 0, 0);
            break;
        }
        int r = temp(u);
        emit_named(u, OP_IMPORTFROM, r, t, 0, unit_name(u, a->name));
        temp_push(u, 1);
        name_store(u, unit_name(u, a->asname ? a->asname : a->name), r);
        u->top = t + 1;
    }
    u->top = t;
}

/* ---- the small ones ---- */

/* Where a failed assertion is reported: at the comparison evaluated last, as CPython does, else the
 * statement. */
static span assert_position(const ast *test, span at)
{
    switch (test->kind) {
    case AST_Compare: return node_span(test);
    case AST_UnaryOp:
        return AST_AS(UnaryOp, test)->op == AST_OP_Not ? assert_position(AST_AS(UnaryOp, test)->operand, at) : at;
    case AST_BoolOp:
        for (uint32_t i = 0; i < AST_AS(BoolOp, test)->values->n; i++)
            at = assert_position(AST_AS(BoolOp, test)->values->items[i], at);
        return at;
    case AST_IfExp:
        at = assert_position(AST_AS(IfExp, test)->test, at);
        at = assert_position(AST_AS(IfExp, test)->body, at);
        return assert_position(AST_AS(IfExp, test)->orelse, at);
    default: return at;
    }
}

static void assert_stmt(unit *u, struct ast_Assert *s)
{
    bool always = s->test->kind == AST_Tuple && AST_AS(Tuple, s->test)->elts->n;
    if (is_const(s->test)) {
        value v = const_of(u->c, s->test);
        always = IS_TUPLE(v) && AS(tuple, v)->len;
    }
    if (always) comp_warn(u->c, &s->base, "assertion is always true, perhaps remove parentheses?");
    label ok = label_new(u);
    int t = u->top;
    cond(u, s->test, true, ok);
    span at = assert_position(s->test, node_span(&s->base));
    u->at = at;
    emit(u, OP_LOADBUILTIN, temp(u), 1, 0);
    temp_push(u, 1);
    if (s->msg) {
        expr_push(u, s->msg);
        u->top = t;
        u->at = at;
        emit(u, OP_CALL, t, t, 1);
    }
    u->top = t;
    emit(u, OP_RAISE, t, 0, 1);
    label_bind(u, ok);
}

static void raise_stmt(unit *u, struct ast_Raise *s)
{
    int mark = u->top;
    if (!s->exc) {
        emit(u, OP_RAISE, 0, 0, 0);
        return;
    }
    int e = s->cause ? expr_before(u, s->exc, s->cause) : expr_last(u, s->exc);
    int from = s->cause ? expr_last(u, s->cause) : 0;
    u->top = mark;
    emit(u, OP_RAISE, e, from, s->cause ? 2 : 1);
}

static void expr_stmt(unit *u, struct ast_Expr *s)
{
    if (u->c->mode >= COMPILE_SINGLE && u->scope->kind == SCOPE_MODULE) {
        int mark = u->top, r = expr_last(u, s->value);
        u->top = mark;
        emit(u, OP_PRINTEXPR, r, 0, 0);
        return;
    }
    u->at = node_span(s->value);
    expr_drop(u, s->value);
}

void stmt(unit *u, ast *s)
{
    if (u->c->failed || comp_too_deep(u->c)) return;
    int top = u->top, base = u->spill_base;
    u->spill_base = top;
    unit_at(u, s);
    switch (s->kind) {
    case AST_Expr: expr_stmt(u, AST_AS(Expr, s)); break;
    case AST_Assign: assign_stmt(u, AST_AS(Assign, s)); break;
    case AST_AugAssign: assign_aug(u, AST_AS(AugAssign, s)); break;
    case AST_AnnAssign: assign_ann(u, AST_AS(AnnAssign, s)); break;
    case AST_If: if_stmt(u, AST_AS(If, s)); break;
    case AST_For: for_stmt(u, s, false); break;
    case AST_AsyncFor: for_stmt(u, s, true); break;
    case AST_While: while_stmt(u, AST_AS(While, s)); break;
    case AST_Return: return_stmt(u, AST_AS(Return, s)); break;
    case AST_Break: jump_stmt(u, s, true); break;
    case AST_Continue: jump_stmt(u, s, false); break;
    case AST_FunctionDef:
    case AST_AsyncFunctionDef: func_def(u, s); break;
    case AST_ClassDef: func_class(u, s); break;
    case AST_Try: try_stmt(u, AST_AS(Try, s)); break;
    case AST_TryStar: try_star(u, AST_AS(TryStar, s)); break;
    case AST_With: try_with(u, s, AST_AS(With, s)->items, AST_AS(With, s)->body, 0, false); break;
    case AST_AsyncWith: try_with(u, s, AST_AS(AsyncWith, s)->items, AST_AS(AsyncWith, s)->body, 0, true); break;
    case AST_Raise: raise_stmt(u, AST_AS(Raise, s)); break;
    case AST_Assert: assert_stmt(u, AST_AS(Assert, s)); break;
    case AST_Import: import_stmt(u, AST_AS(Import, s)); break;
    case AST_ImportFrom: import_from(u, AST_AS(ImportFrom, s)); break;
    case AST_Delete: {
        ast_seq *targets = AST_AS(Delete, s)->targets;
        for (uint32_t i = 0; i < targets->n; i++) assign_delete(u, targets->items[i]);
        break;
    }
    case AST_TypeAlias: typeparam_alias(u, AST_AS(TypeAlias, s)); break;
    case AST_Match: match_stmt(u, AST_AS(Match, s)); break;
    case AST_Global:
    case AST_Nonlocal:
    case AST_Pass: break;
    default: comp_unsupported(u->c, s, "this statement"); break;
    }
    u->top = top;
    u->spill_base = base;
}

void stmt_body(unit *u, ast_seq *body)
{
    for (uint32_t i = 0; i < body->n && !u->c->failed; i++) stmt(u, body->items[i]);
}
