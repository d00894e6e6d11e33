/* Assignment: targets, unpacking, augmented and annotated assignment, del. */
#include "compile.h"

int assign_dst(unit *u, ast *target)
{
    return target->kind == AST_Name ? name_reg(u, unit_name(u, AST_AS(Name, target)->id)) : -1;
}

static bool is_debug(const ast_name *n) { return n->len == 9 && !memcmp(n->text, "__debug__", 9); }

/* ---- unpacking ---- */

/* All targets are plain variables in consecutive registers: the first one, else -1. */
static int consecutive(unit *u, ast_seq *elts, uint32_t n)
{
    int first = -1;
    for (uint32_t i = 0; i < n; i++) {
        int r = assign_dst(u, elts->items[i]);
        if (r < 0 || (i && r != first + (int)i)) return -1;
        if (i == 0) first = r;
    }
    return first;
}

static void store_items(unit *u, ast_seq *elts, uint32_t from, uint32_t n, int base)
{
    for (uint32_t i = 0; i < n && !u->c->failed; i++) {
        ast *t = elts->items[from + i];
        if (t->kind == AST_Starred) t = AST_AS(Starred, t)->value;
        assign_to(u, t, base + (int)i);
    }
}

static void unpack_to(unit *u, ast *target, int src)
{
    ast_seq *elts = AST_AS(Tuple, target)->elts; /* List has the same fields */
    uint32_t n = elts->n, star = n, from = 0, room = (uint32_t)window_room(u);
    int base = u->top;
    for (uint32_t i = 0; i < n; i++) {
        if (elts->items[i]->kind != AST_Starred) continue;
        if (star < n) {
            comp_error_node(u->c, target, "multiple starred expressions in assignment");
            return;
        }
        star = i;
    }
    int direct = star == n ? consecutive(u, elts, n) : -1;
    if (direct >= 0 && n <= 200) {
        emit(u, OP_UNPACK, direct, src, (int)n);
        store_items(u, elts, 0, n, direct);
        return;
    }
    /* More than a window holds: the first ones, then the rest from a list. */
    while (star - from > room && !u->c->failed) {
        emit(u, OP_UNPACKEX, base, src, 0);
        emit_word(u, room - 1);
        u->top = base + (int)room;
        store_items(u, elts, from, room - 1, base);
        from += room - 1;
        emit_move(u, base, base + (int)room - 1);
        u->top = base + 1;
        src = base;
    }
    uint32_t rest = n - from;
    if (rest > room) {
        comp_error_node(u->c, target, "more than %d targets after a starred one are not supported", (int)room);
        return;
    }
    if (star == n) {
        emit(u, OP_UNPACK, base, src, (int)rest);
    } else {
        emit(u, OP_UNPACKEX, base, src, 0);
        emit_word(u, (star - from) | (n - star - 1) << 16);
    }
    u->top = base + (int)rest;
    store_items(u, elts, from, rest, base);
    u->top = base;
}

/* Stores r[src], which stays live if it is a temporary below top. */
void assign_to(unit *u, ast *target, int src)
{
    if (u->c->failed || comp_too_deep(u->c)) return;
    span old = unit_at(u, target);
    int mark = u->top;
    switch (target->kind) {
    case AST_Name: name_store(u, unit_name(u, AST_AS(Name, target)->id), src); break;
    case AST_Attribute: {
        struct ast_Attribute *t = AST_AS(Attribute, target);
        if (is_debug(t->attr)) comp_error_node(u->c, target, "cannot assign to __debug__");
        int o = expr_last(u, t->value);
        u->top = mark;
        unit_at_attr(u, target, target);
        emit_named(u, OP_SETATTR, o, src, 0, unit_name(u, t->attr));
        break;
    }
    case AST_Subscript: {
        struct ast_Subscript *t = AST_AS(Subscript, target);
        int o = expr_before(u, t->value, t->slice), k = expr_index(u, t->slice);
        u->top = mark;
        emit(u, OP_SETITEM, o, k, src);
        break;
    }
    case AST_Tuple:
    case AST_List: unpack_to(u, target, src); break;
    case AST_Starred: comp_error_node(u->c, target, "starred assignment target must be in a list or tuple"); break;
    default: comp_unsupported(u->c, target, "this assignment target"); break;
    }
    u->top = mark;
    u->at = old;
}

/* ---- a, b = x, y ---- */

static ast_seq *parallel_elements(ast *n)
{
    if (n->kind != AST_Tuple && n->kind != AST_List) return NULL;
    ast_seq *elts = AST_AS(Tuple, n)->elts;
    for (uint32_t i = 0; i < elts->n; i++) {
        if (elts->items[i]->kind == AST_Starred) return NULL;
    }
    return elts;
}

/* May storing into target change the variable in register reg? */
static bool target_changes(unit *u, ast *target, int reg)
{
    switch (target->kind) {
    case AST_Name: return assign_dst(u, target) == reg;
    case AST_Attribute:
    case AST_Subscript: return false; /* := inside makes expr() copy */
    default: return true;
    }
}

static bool assign_parallel(unit *u, ast *target, ast *val)
{
    ast_seq *to = parallel_elements(target);
    if (!to || to->n == 0 || to->n > (uint32_t)window_room(u)) return false;
    int mark = u->top;
    if (is_const(val)) {
        value v = const_of(u->c, val);
        if (!IS_TUPLE(v) || AS(tuple, v)->len != to->n) return false;
        for (uint32_t i = 0; i < to->n && !u->c->failed; i++) {
            int dst = assign_dst(u, to->items[i]), r = dst >= 0 ? dst : temp(u);
            emit_value(u, AS(tuple, v)->items[i], r);
            if (dst < 0) temp_push(u, 1);
            assign_to(u, to->items[i], r);
            u->top = mark;
        }
        return true;
    }
    ast_seq *from = parallel_elements(val);
    if (!from || from->n != to->n) return false;
    int regs[64];
    for (uint32_t i = 0; i < to->n && !u->c->failed; i++) {
        int top = u->top, r = expr(u, from->items[i]);
        if (r < top) { /* a variable's own register: not if it has another value by the time it is
                          stored */
            for (uint32_t j = 0; j < i; j++) {
                if (!target_changes(u, to->items[j], r)) continue;
                emit(u, OP_MOVE, temp(u), r, 0);
                r = u->top++;
                break;
            }
        }
        regs[i] = r;
    }
    for (uint32_t i = 0; i < to->n && !u->c->failed; i++) assign_to(u, to->items[i], regs[i]);
    u->top = mark;
    return true;
}

void assign_stmt(unit *u, struct ast_Assign *s)
{
    int mark = u->top;
    ast *first = s->targets->items[0];
    if (s->targets->n == 1 && assign_parallel(u, first, s->value)) return;
    int dst = assign_dst(u, first), r;
    if (dst >= 0) {
        expr_to(u, s->value, dst);
        assign_to(u, first, dst);
        r = dst;
    } else {
        /* A target's own subexpressions may rebind a variable. */
        r = expr(u, s->value);
        assign_to(u, first, r);
    }
    for (uint32_t i = 1; i < s->targets->n && !u->c->failed; i++) assign_to(u, s->targets->items[i], r);
    u->top = mark;
}

/* ---- x += y ---- */

void assign_aug(unit *u, struct ast_AugAssign *s)
{
    int mark = u->top;
    ast *target = s->target;
    ast_op op = (ast_op)s->op;
    switch (target->kind) {
    case AST_Name: {
        int dst = assign_dst(u, target), r = dst >= 0 ? dst : temp(u);
        expr_binary(u, target, -1, op, s->value, true, r);
        if (dst < 0) temp_push(u, 1);
        assign_to(u, target, r);
        break;
    }
    case AST_Attribute: {
        struct ast_Attribute *t = AST_AS(Attribute, target);
        str *name = unit_name(u, t->attr);
        int o = expr(u, t->value), r = temp(u);
        span old = unit_at_attr(u, target, target), at = u->at;
        emit_named(u, OP_GETATTR, r, o, 0, name);
        temp_push(u, 1);
        u->at = old;
        expr_binary(u, NULL, r, op, s->value, true, r);
        u->at = at;
        emit_named(u, OP_SETATTR, o, r, 0, name);
        u->at = old;
        break;
    }
    case AST_Subscript: {
        struct ast_Subscript *t = AST_AS(Subscript, target);
        int o = expr(u, t->value), k = expr(u, t->slice), r = temp(u);
        span old = unit_at(u, target);
        emit(u, OP_GETITEM, r, o, k);
        temp_push(u, 1);
        u->at = old;
        expr_binary(u, NULL, r, op, s->value, true, r);
        unit_at(u, target);
        emit(u, OP_SETITEM, o, k, r);
        u->at = old;
        break;
    }
    default: comp_unsupported(u->c, target, "this assignment target"); break;
    }
    u->top = mark;
}

/* ---- x: T = y ---- */

static void annotation_value(unit *u, ast *annotation)
{
    if (!u->c->future_annotations) {
        expr_push(u, annotation);
        return;
    }
    str *text = unparse_expr(u->c, annotation);
    emit_value(u, text ? value_obj(text) : V_UNBOUND, temp(u));
    temp_push(u, 1);
}

void assign_ann(unit *u, struct ast_AnnAssign *s)
{
    int mark = u->top;
    ast *target = s->target;
    bool stored = !unit_is_function(u);
    if (s->value) {
        int dst = assign_dst(u, target), r = dst >= 0 ? dst : -1;
        if (dst >= 0) expr_to(u, s->value, dst);
        else r = expr(u, s->value);
        assign_to(u, target, r);
        u->top = mark;
    } else if (target->kind == AST_Attribute) {
        expr_drop(u, AST_AS(Attribute, target)->value);
    } else if (target->kind == AST_Subscript) {
        expr_drop(u, AST_AS(Subscript, target)->value);
        if (AST_AS(Subscript, target)->slice->kind != AST_Slice) expr_drop(u, AST_AS(Subscript, target)->slice);
    }
    if (!stored) return;
    if (s->simple && target->kind == AST_Name) {
        vm *vm = u->c->vm;
        annotation_value(u, s->annotation);
        int map = temp(u);
        emit_d(u, OP_GETNAME, map, name_index16(u, N(vm, __annotations__)));
        emit_words(u, 3);
        temp_push(u, 1);
        str *name = unit_name(u, AST_AS(Name, target)->id);
        emit_value(u, name ? value_obj(name) : V_UNBOUND, temp(u));
        u->top = mark;
        emit(u, OP_SETITEM, map, map + 1, mark);
    } else if (!u->c->future_annotations) {
        expr_drop(u, s->annotation);
    }
    u->top = mark;
}

/* ---- del ---- */

void assign_delete(unit *u, ast *target)
{
    if (u->c->failed || comp_too_deep(u->c)) return;
    span old = unit_at(u, target);
    int mark = u->top;
    switch (target->kind) {
    case AST_Name: name_delete(u, unit_name(u, AST_AS(Name, target)->id)); break;
    case AST_Attribute: {
        struct ast_Attribute *t = AST_AS(Attribute, target);
        int o = expr_last(u, t->value);
        u->top = mark;
        emit_named(u, OP_DELATTR, o, 0, 0, unit_name(u, t->attr));
        break;
    }
    case AST_Subscript: {
        struct ast_Subscript *t = AST_AS(Subscript, target);
        int o = expr_before(u, t->value, t->slice), k = expr_index(u, t->slice);
        u->top = mark;
        emit(u, OP_DELITEM, o, k, 0);
        break;
    }
    case AST_Tuple:
    case AST_List: {
        ast_seq *elts = AST_AS(Tuple, target)->elts;
        for (uint32_t i = 0; i < elts->n; i++) assign_delete(u, elts->items[i]);
        break;
    }
    default: comp_unsupported(u->c, target, "this del target"); break;
    }
    u->top = mark;
    u->at = old;
}
