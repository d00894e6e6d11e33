/* Conditions: truth as control flow, and comparisons. */
#include "compile.h"

/* The value form of a comparison and, where there is a fused branch, JFxx (JTxx, JFxxK, ... follow
 * it). */
static unsigned compare_opcode(unsigned op)
{
    switch (op) {
    case AST_OP_Eq: return OP_EQ;
    case AST_OP_NotEq: return OP_NE;
    case AST_OP_Lt: return OP_LT;
    case AST_OP_LtE: return OP_LE;
    case AST_OP_Gt: return OP_GT;
    case AST_OP_GtE: return OP_GE;
    case AST_OP_Is: return OP_IS;
    case AST_OP_IsNot: return OP_ISNOT;
    case AST_OP_In: return OP_IN;
    default: return OP_NOTIN;
    }
}

/* Where JFxx of each form lies behind the value form; JTxx follows it. */
enum { FORM_REG = 1, FORM_CONST = 3, FORM_INT = 5 };

/* Jumps to l if (r[a] op right) is sense. Lowers top to mark. Returns right's register if keep is
 * set. */
static int compare_jump(unit *u, int a, unsigned op, ast *right, bool sense, label l, int mark, bool keep)
{
    span at = u->at;
    if (is_const(right) && !keep) {
        value k = const_of(u->c, right);
        if (value_is_none(k) && (op == AST_OP_Is || op == AST_OP_IsNot)) {
            u->top = mark;
            emit_branch(u, (op == AST_OP_Is) == sense ? OP_JNONE : OP_JNOTNONE, a, 0, l);
            return -1;
        }
        if (op >= AST_OP_Eq && op <= AST_OP_GtE) {
            unsigned base = compare_opcode(op) + !!sense;
            if (value_is_int(k) && value_as_int(k) >= -128 && value_as_int(k) <= 127) {
                u->top = mark;
                emit_branch(u, base + FORM_INT, a, (int)(value_as_int(k) & 0xff), l);
                return -1;
            }
            uint32_t i = const_index(u, k);
            if (i < 256) {
                u->top = mark;
                emit_branch(u, base + FORM_CONST, a, (int)i, l);
                return -1;
            }
        }
    }
    int r = keep ? expr(u, right) : expr_last(u, right);
    if (!keep) u->top = mark;
    u->at = at;
    switch (op) {
    case AST_OP_In: emit_branch(u, sense ? OP_JTIN : OP_JFIN, a, r, l); break;
    case AST_OP_NotIn: emit_branch(u, sense ? OP_JFIN : OP_JTIN, a, r, l); break;
    case AST_OP_Is:
    case AST_OP_IsNot: {
        int t = temp(u);
        emit(u, OP_IS, t, a, r);
        emit_branch(u, (op == AST_OP_Is) == sense ? OP_JT : OP_JF, t, 0, l);
        break;
    }
    default: emit_branch(u, compare_opcode(op) + FORM_REG + !!sense, a, r, l); break;
    }
    return r;
}

/* In a long chain the operand that is still needed moves down, so that a chain takes few registers.
 */
static int keep_low(unit *u, int r, int low)
{
    if (u->top - low < 3 || r < low) return r;
    emit_move(u, low, r);
    u->top = low + 1;
    return low;
}

static void compare_cond(unit *u, struct ast_Compare *e, bool sense, label l)
{
    uint32_t n = e->ops->n;
    int mark = u->top;
    int a = expr_before(u, e->left, e->comparators->items[0]);
    label fail = n > 1 && sense ? label_new(u) : l;
    for (uint32_t i = 0; i + 1 < n && !u->c->failed; i++) {
        a = compare_jump(u, a, e->ops->items[i], e->comparators->items[i], false, fail, mark, true);
        a = keep_low(u, a, mark);
    }
    compare_jump(u, a, e->ops->items[n - 1], e->comparators->items[n - 1], sense, l, mark, false);
    if (fail != l) label_bind(u, fail);
}

void compare_value(unit *u, struct ast_Compare *e, int dst)
{
    uint32_t n = e->ops->n;
    int mark = u->top, x = dst;
    span at = u->at;
    if (n > 1) { /* the result so far has a register of its own below the operands */
        x = temp(u);
        emit(u, OP_LOADNONE, x, 0, 0);
        temp_push(u, 1);
    }
    int low = u->top, a = expr_before(u, e->left, e->comparators->items[0]);
    label end = label_new(u);
    for (uint32_t i = 0; i < n && !u->c->failed; i++) {
        bool last = i + 1 == n;
        ast *right = e->comparators->items[i];
        int r = last ? expr_last(u, right) : expr(u, right);
        if (last) u->top = low;
        u->at = at;
        emit(u, compare_opcode(e->ops->items[i]), x, a, r);
        if (!last) emit_branch(u, OP_JF, x, 0, end);
        a = last ? r : keep_low(u, r, low);
    }
    label_bind(u, end);
    u->top = mark;
    emit_move(u, dst, x);
}

static void cond_bool(unit *u, struct ast_BoolOp *e, bool sense, label l)
{
    uint32_t n = e->values->n;
    bool decides = e->op == AST_OP_Or; /* the truth that ends it early */
    if (decides == sense) {
        for (uint32_t i = 0; i < n; i++) cond(u, e->values->items[i], sense, l);
        return;
    }
    label skip = label_new(u);
    for (uint32_t i = 0; i + 1 < n; i++) cond(u, e->values->items[i], !sense, skip);
    cond(u, e->values->items[n - 1], sense, l);
    label_bind(u, skip);
}

void cond(unit *u, ast *e, bool sense, label l)
{
    if (u->c->failed || comp_too_deep(u->c)) return;
    int truth = const_truth(u->c, e);
    if (truth >= 0) {
        if (truth == (int)sense) emit_jump(u, l);
        return;
    }
    span old = unit_at(u, e);
    int mark = u->top;
    switch (e->kind) {
    case AST_UnaryOp:
        if (AST_AS(UnaryOp, e)->op != AST_OP_Not) goto plain;
        cond(u, AST_AS(UnaryOp, e)->operand, !sense, l);
        break;
    case AST_BoolOp: cond_bool(u, AST_AS(BoolOp, e), sense, l); break;
    case AST_Compare: compare_cond(u, AST_AS(Compare, e), sense, l); break;
    case AST_IfExp: {
        struct ast_IfExp *i = AST_AS(IfExp, e);
        label no = label_new(u), end = label_new(u);
        cond(u, i->test, false, no);
        cond(u, i->body, sense, l);
        emit_jump(u, end);
        label_bind(u, no);
        cond(u, i->orelse, sense, l);
        label_bind(u, end);
        break;
    }
    plain:
    default: {
        int r = expr_last(u, e);
        u->top = mark;
        emit_branch(u, sense ? OP_JT : OP_JF, r, 0, l);
        break;
    }
    }
    u->top = mark;
    u->at = old;
}
