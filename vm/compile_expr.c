/* Expressions: everything but conditions (compile_cond.c), calls (compile_call.c) and
 * comprehensions. */
#include "compile.h"

enum {
    /* Above this many registers an operand moves the temporaries below it away, ... */
    SPILL_AT = MAX_REGS - 32,
    /* ... if there are at least so many. */
    SPILL_MIN = 8,
    /* Elements of a display evaluated before they are packed, when registers are scarce. */
    CHUNK = 24,
};

int window_room(const unit *u) { return u->top < MAX_REGS / 2 ? 2 * CHUNK : CHUNK; }

/* ---- operands ---- */

bool expr_is_plain(const ast *n) { return n->kind == AST_Constant || n->kind == AST_Name; }

/* The register of a plain variable that certainly is bound after the check emitted here; -1: no
 * such. */
static int variable_operand(unit *u, ast *e, bool stable)
{
    if (e->kind != AST_Name || u->c->failed) return -1;
    str *name = unit_name(u, AST_AS(Name, e)->id);
    place p = name_place(u, name);
    if (p.kind != AT_REG || (stable && p.sym && (p.sym->flags & SYM_WALRUS))) return -1;
    if (!name_bound(u, p)) {
        span old = unit_at(u, e);
        emit(u, OP_CHECK, p.reg, 0, 0);
        name_set_bound(u, p.var);
        u->at = old;
    }
    return p.reg;
}

int expr_push(unit *u, ast *e)
{
    int t = temp(u);
    expr_to(u, e, t);
    u->top = t + 1;
    return t;
}

int expr(unit *u, ast *e)
{
    int r = variable_operand(u, e, true);
    return r >= 0 ? r : expr_push(u, e);
}

int expr_last(unit *u, ast *e)
{
    int r = variable_operand(u, e, false);
    if (r >= 0) return r;
    if (e->kind == AST_NamedExpr) {
        struct ast_NamedExpr *n = AST_AS(NamedExpr, e);
        r = name_reg(u, unit_name(u, AST_AS(Name, n->target)->id));
        if (r >= 0) {
            expr_to(u, e, r);
            return r;
        }
    }
    return expr_push(u, e);
}

int expr_before(unit *u, ast *e, const ast *next) { return expr_is_plain(next) ? expr_last(u, e) : expr(u, e); }

/* Evaluates e with the temporaries of the current statement saved in high registers. */
static void expr_spilled(unit *u, ast *e, int dst)
{
    int base = u->spill_base, n = u->top - base, top = u->top;
    uint32_t high = HIGH_BASE + (u->nvars - u->nlow) + u->spills;
    u->spills += (uint32_t)n + 1;
    if (u->spills > u->maxspills) u->maxspills = u->spills;
    if (high + (uint32_t)n > 60000) comp_error_node(u->c, e, "expression is too complex");
    for (int i = 0; i < n; i++) emit_d(u, OP_STOREX, base + i, high + (uint32_t)i);
    u->top = base;
    expr_to(u, e, base);
    emit_d(u, OP_STOREX, base, high + (uint32_t)n);
    for (int i = 0; i < n; i++) emit_d(u, OP_LOADX, base + i, high + (uint32_t)i);
    u->top = top;
    emit_d(u, OP_LOADX, dst, high + (uint32_t)n);
    for (int i = 0; i <= n; i++) emit_d(u, OP_UNBINDX, 0, high + (uint32_t)i);
    u->spills -= (uint32_t)n + 1;
}

/* ---- operators ---- */

unsigned binary_opcode(ast_op op, bool inplace)
{
    unsigned base;
    switch (op) {
    case AST_OP_Add: base = OP_ADD; break;
    case AST_OP_Sub: base = OP_SUB; break;
    case AST_OP_Mult: base = OP_MUL; break;
    case AST_OP_MatMult: base = OP_MATMUL; break;
    case AST_OP_Div: base = OP_TRUEDIV; break;
    case AST_OP_FloorDiv: base = OP_FLOORDIV; break;
    case AST_OP_Mod: base = OP_MOD; break;
    case AST_OP_LShift: base = OP_LSHIFT; break;
    case AST_OP_RShift: base = OP_RSHIFT; break;
    case AST_OP_BitAnd: base = OP_AND; break;
    case AST_OP_BitOr: base = OP_OR; break;
    case AST_OP_BitXor: base = OP_XOR; break;
    default: base = OP_POW; break;
    }
    return inplace ? base + (OP_IADD - OP_ADD) : base;
}

/* The form of op for a constant on the left; 0: there is none. */
static unsigned left_opcode(ast_op op)
{
    switch (op) {
    case AST_OP_Add: return OP_ADDL;
    case AST_OP_Sub: return OP_SUBL;
    case AST_OP_Mult: return OP_MULL;
    case AST_OP_Div: return OP_TRUEDIVL;
    case AST_OP_LShift: return OP_LSHIFTL;
    default: return 0;
    }
}

static bool int8_const(value v) { return value_is_int(v) && value_as_int(v) >= -128 && value_as_int(v) <= 127; }

void expr_binary(unit *u, ast *left, int leftreg, ast_op op, ast *right, bool inplace, int dst)
{
    int mark = u->top;
    unsigned code = binary_opcode(op, inplace), left_code = left_opcode(op);
    if (left && left_code && is_const(left) && !is_const(right)) {
        uint32_t i = const_index(u, const_of(u->c, left));
        if (i < 256) {
            span all = u->at;
            int r = expr_last(u, right);
            u->top = mark;
            u->at = all;
            emit(u, left_code, dst, r, (int)i);
            return;
        }
    }
    int b = left ? expr_before(u, left, right) : leftreg, r;
    span at = u->at;
    if (is_const(right)) {
        value k = const_of(u->c, right);
        if (int8_const(k) && (op == AST_OP_Add || op == AST_OP_Sub)) {
            static const uint8_t immediate[2][2] = {{OP_ADDI, OP_SUBI}, {OP_IADDI, OP_ISUBI}};
            u->top = mark;
            emit(u, immediate[inplace][op == AST_OP_Sub], dst, b, (int)(value_as_int(k) & 0xff));
            return;
        }
        uint32_t i = op == AST_OP_MatMult ? UINT32_MAX : const_index(u, k);
        if (i < 256) {
            u->top = mark;
            emit(u, code + (OP_ADDK - OP_ADD), dst, b, (int)i);
            return;
        }
    }
    r = expr_last(u, right);
    u->top = mark;
    u->at = at;
    emit(u, code, dst, b, r);
}

static void unary_expr(unit *u, struct ast_UnaryOp *e, int dst)
{
    int mark = u->top, r = expr_last(u, e->operand);
    static const uint8_t ops[] = {OP_INVERT, OP_NOT, OP_POS, OP_NEG};
    u->top = mark;
    emit(u, ops[e->op - AST_OP_Invert], dst, r, 0);
}

/* Would the evaluation of n neither fail nor read or write the variable in register reg? */
static bool harmless(unit *u, ast *n, int reg)
{
    if (is_const(n)) return true;
    if (n->kind != AST_Name) return false;
    place p = name_place(u, unit_name(u, AST_AS(Name, n)->id));
    return p.kind == AT_REG && p.reg != reg && name_bound(u, p);
}

static void bool_expr(unit *u, struct ast_BoolOp *e, int dst)
{
    uint32_t n = e->values->n;
    bool safe = dst >= u->top;
    if (!safe) {
        safe = true;
        for (uint32_t i = 1; i < n; i++) safe = safe && harmless(u, e->values->items[i], dst);
    }
    int t = safe ? dst : temp(u);
    label end = label_new(u);
    unsigned op = e->op == AST_OP_And ? OP_JF : OP_JT;
    for (uint32_t i = 0; i < n; i++) {
        expr_to(u, e->values->items[i], t);
        if (i + 1 == n) break;
        /* the collector looks at all up to the jump's operand: what is left out below must not be garbage */
        for (int r = u->top; r < t; r++) emit(u, OP_UNBIND, r, 0, 0);
        emit_branch(u, op, t, 0, end);
    }
    label_bind(u, end);
    emit_move(u, dst, t);
}

static void if_expr(unit *u, struct ast_IfExp *e, int dst)
{
    label no = label_new(u), end = label_new(u);
    cond(u, e->test, false, no);
    expr_to(u, e->body, dst);
    emit_jump(u, end);
    label_bind(u, no);
    expr_to(u, e->orelse, dst);
    label_bind(u, end);
}

static void walrus_expr(unit *u, struct ast_NamedExpr *e, int dst)
{
    str *name = unit_name(u, AST_AS(Name, e->target)->id);
    place p = name_place(u, name);
    if (p.kind == AT_REG && p.var >= 0) {
        expr_to(u, e->value, p.reg);
        name_set_bound(u, p.var);
        emit_move(u, dst, p.reg);
        return;
    }
    int mark = u->top, t = expr_push(u, e->value);
    span old = unit_at(u, e->target);
    name_store(u, name, t);
    u->at = old;
    u->top = mark;
    emit_move(u, dst, t);
}

/* ---- subscripts ---- */

static void warn_subscript(unit *u, struct ast_Subscript *e)
{
    ast *v = e->value;
    const char *what = NULL;
    bool sequence = false;
    switch (v->kind) {
    case AST_Constant: {
        value k = const_of(u->c, v);
        if (u->c->failed) return;
        sequence = IS_STR(k) || value_is_kind(k, K_BYTES) || IS_TUPLE(k);
        break;
    }
    case AST_Set: what = "set"; break;
    case AST_SetComp: what = "set"; break;
    case AST_GeneratorExp: what = "generator"; break;
    case AST_Lambda: what = "function"; break;
    case AST_Tuple:
    case AST_List:
    case AST_ListComp:
    case AST_JoinedStr: sequence = true; break;
    default: return;
    }
    if (v->kind == AST_Constant && !sequence) {
        value k = const_of(u->c, v);
        comp_warn(u->c, &e->base, "'%T' object is not subscriptable; perhaps you missed a comma?", k);
    } else if (what) {
        comp_warn(u->c, &e->base, "'%s' object is not subscriptable; perhaps you missed a comma?", what);
    }
    if (!sequence || !is_const(e->slice)) return;
    value i = const_of(u->c, e->slice);
    if (u->c->failed || int_is(i)) return;
    const char *seq = v->kind == AST_List || v->kind == AST_ListComp ? "list" : v->kind == AST_Tuple ? "tuple" : "str";
    if (v->kind == AST_Constant)
        comp_warn(u->c, &e->base, "%T indices must be integers or slices, not %T; perhaps you missed a comma?",
                  const_of(u->c, v), i);
    else
        comp_warn(u->c, &e->base, "%s indices must be integers or slices, not %T; perhaps you missed a comma?", seq, i);
}

/* Start, stop and n == 3: step as temporaries; the first one's register. */
static int slice_parts(unit *u, struct ast_Slice *e, int n)
{
    int base = u->top;
    ast *const part[3] = {e->lower, e->upper, e->step};
    for (int i = 0; i < n; i++) {
        if (part[i]) {
            expr_push(u, part[i]);
        } else {
            emit(u, OP_LOADNONE, temp(u), 0, 0);
            temp_push(u, 1);
        }
    }
    u->top = base;
    return base;
}

static void slice_expr(unit *u, struct ast_Slice *e, int dst)
{
    int n = e->step ? 3 : 2;
    emit(u, OP_SLICE, dst, slice_parts(u, e, n), n);
}

int expr_index(unit *u, ast *slice) { return expr_last(u, slice); }

static void subscript_expr(unit *u, struct ast_Subscript *e, int dst)
{
    warn_subscript(u, e);
    int mark = u->top, o = expr_before(u, e->value, e->slice);
    if (is_const(e->slice)) {
        value k = const_of(u->c, e->slice);
        if (int8_const(k)) {
            u->top = mark;
            emit(u, OP_GETITEMI, dst, o, (int)(value_as_int(k) & 0xff));
            return;
        }
    }
    if (e->slice->kind == AST_Slice) {
        bool step = AST_AS(Slice, e->slice)->step != NULL;
        int parts = slice_parts(u, AST_AS(Slice, e->slice), 2 + step);
        u->top = mark;
        emit(u, OP_GETSLICE, dst, parts, 2 + step);
        emit_word(u, (uint32_t)o);
        return;
    }
    int i = expr_index(u, e->slice);
    u->top = mark;
    emit(u, OP_GETITEM, dst, o, i);
}

/* ---- displays ---- */

static bool has_star(const ast_seq *elts)
{
    for (uint32_t i = 0; i < elts->n; i++) {
        if (elts->items[i]->kind == AST_Starred) return true;
    }
    return false;
}

/* A list or set is grown in the register list, which is the top temporary. */
static void add_elements(unit *u, ast_seq *elts, uint32_t from, int to, bool set)
{
    for (uint32_t i = from; i < elts->n && !u->c->failed; i++) {
        ast *e = elts->items[i];
        int mark = u->top;
        bool star = e->kind == AST_Starred;
        int r = expr_last(u, star ? AST_AS(Starred, e)->value : e);
        u->top = mark;
        if (star) emit(u, set ? OP_SETUPDATE : OP_LISTEXTEND, to, r, 0);
        else emit(u, set ? OP_SETADD : OP_LISTAPPEND, to, r, 0);
    }
}

/* Elements before the first star, as far as one window holds. */
static uint32_t push_elements(unit *u, ast_seq *elts)
{
    uint32_t n = 0, room = (uint32_t)window_room(u);
    while (n < elts->n && n < room && elts->items[n]->kind != AST_Starred && !u->c->failed)
        expr_push(u, elts->items[n++]);
    return n;
}

static void sequence_expr(unit *u, ast_seq *elts, unsigned op, int dst)
{
    int base = u->top;
    uint32_t n = elts->n;
    value all = op == OP_LIST && n >= 3 ? const_tuple(u->c, elts) : V_UNBOUND;
    uint32_t k = value_is_unbound(all) ? UINT32_MAX : const_index(u, all);
    if (k <= 0xffff) {
        emit_d(u, OP_LISTK, dst, k);
        return;
    }
    all = op == OP_SET && n >= 3 ? const_frozenset(u->c, elts) : V_UNBOUND;
    if (!value_is_unbound(all)) { /* by way of a frozenset, as CPython: the order of printing depends on it */
        emit(u, OP_SET, base, base, 0);
        u->top = base + 1;
        emit_value(u, all, temp(u));
        emit(u, OP_SETUPDATE, base, base + 1, 0);
        u->top = base;
        emit_move(u, dst, base);
        return;
    }
    if (n <= (uint32_t)window_room(u) && !has_star(elts)) {
        for (uint32_t i = 0; i < n; i++) expr_push(u, elts->items[i]);
        u->top = base;
        emit(u, op, dst, base, (int)n);
        return;
    }
    uint32_t done = push_elements(u, elts);
    u->top = base;
    emit(u, op == OP_SET ? OP_SET : OP_LIST, base, base, (int)done);
    u->top = base + 1;
    add_elements(u, elts, done, base, op == OP_SET);
    u->top = base;
    if (op == OP_TUPLE) emit(u, OP_LISTTOTUPLE, dst, base, 0);
    else emit_move(u, dst, base);
}

void expr_tuple(unit *u, ast_seq *elts, int dst) { sequence_expr(u, elts, OP_TUPLE, dst); }

static void dict_expr(unit *u, struct ast_Dict *e, int dst)
{
    int base = u->top;
    uint32_t n = e->keys->n, i = 0, room = (uint32_t)window_room(u) / 2;
    while (i < n && i < room && e->keys->items[i] && !u->c->failed) {
        expr_push(u, e->keys->items[i]);
        expr_push(u, e->values->items[i++]);
    }
    u->top = base;
    if (i == n) {
        emit(u, OP_DICT, dst, base, (int)i);
        return;
    }
    emit(u, OP_DICT, base, base, (int)i);
    u->top = base + 1;
    for (; i < n && !u->c->failed; i++) {
        ast *key = e->keys->items[i], *val = e->values->items[i];
        int k = key ? expr_before(u, key, val) : -1, v = expr_last(u, val);
        u->top = base + 1;
        if (key) emit(u, OP_DICTSET, base, k, v);
        else emit(u, OP_DICTUPDATE, base, v, 0);
    }
    u->top = base;
    emit_move(u, dst, base);
}

/* ---- f-strings ---- */

static void formatted_expr(unit *u, struct ast_FormattedValue *e, int dst)
{
    int mark = u->top;
    int conv = e->conversion == 's' ? 1 : e->conversion == 'r' ? 2 : e->conversion == 'a' ? 3 : 0;
    if (!e->format_spec) {
        int r = expr_last(u, e->value);
        u->top = mark;
        emit(u, OP_FORMAT, dst, r, conv);
        return;
    }
    int r = expr(u, e->value), spec = expr_last(u, e->format_spec);
    u->top = mark;
    emit(u, OP_FORMATSPEC, dst, r, spec);
    emit_word(u, (uint32_t)conv);
}

static void joined_expr(unit *u, struct ast_JoinedStr *e, int dst)
{
    int base = u->top;
    uint32_t n = e->values->n;
    if (n == 1) {
        expr_to(u, e->values->items[0], dst);
        return;
    }
    for (uint32_t i = 0; i < n && !u->c->failed; i++) {
        if (u->top - base >= CHUNK) { /* what is there becomes one string */
            int have = u->top - base;
            u->top = base;
            emit(u, OP_BUILDSTR, base, base, have);
            u->top = base + 1;
        }
        expr_push(u, e->values->items[i]);
    }
    int have = u->top - base;
    u->top = base;
    emit(u, OP_BUILDSTR, dst, base, have);
}

/* ---- suspension ---- */

static void yield_expr(unit *u, struct ast_Yield *e, int dst)
{
    if (!unit_is_function(u)) {
        comp_error_node(u->c, &e->base, "'yield' outside function");
        return;
    }
    int mark = u->top, r;
    if (e->value) {
        r = expr_last(u, e->value);
    } else {
        r = temp(u);
        emit(u, OP_LOADNONE, r, 0, 0);
    }
    u->top = mark;
    emit(u, u->flags & CODE_ASYNC_GEN ? OP_AYIELD : OP_YIELD, dst, r, 0);
    emit_word(u, emit_handler_word(u));
}

static void yield_from_expr(unit *u, struct ast_YieldFrom *e, int dst)
{
    if (!unit_is_function(u)) {
        comp_error_node(u->c, &e->base, "'yield' outside function");
        return;
    }
    if (u->flags & (CODE_ASYNC_GEN | CODE_COROUTINE)) {
        comp_error_node(u->c, &e->base, "'yield from' inside async function");
        return;
    }
    int mark = u->top, r = expr_last(u, e->value);
    u->top = mark;
    emit(u, OP_GETYFITER, mark, r, 0);
    emit(u, OP_YIELDFROM, dst, mark, 0);
    emit_word(u, emit_handler_word(u));
}

const char *top_await_hint(const unit *u)
{
    return u->scope->kind == SCOPE_MODULE && u->c->mode == COMPILE_FILE
               ? " (await at the top level works in the main script only, not in a module)"
               : "";
}

bool in_async_function(const unit *u)
{
    return u->scope->kind == SCOPE_FUNCTION && u->scope->node->kind == AST_AsyncFunctionDef;
}

static void await_expr(unit *u, struct ast_Await *e, int dst)
{
    if (!unit_top_await(u)) {
        if (!unit_is_function(u)) {
            comp_error_node(u->c, &e->base, "'await' outside function%s", top_await_hint(u));
            return;
        }
        bool comp = u->scope->kind == SCOPE_COMP || u->scope->kind == SCOPE_GENEXPR || u->cur->inlined;
        if (!in_async_function(u) && !comp) {
            comp_error_node(u->c, &e->base, "'await' outside async function");
            return;
        }
    }
    /* The operand is a temporary always: the interpreter may put the awaited frame there. */
    int mark = u->top;
    expr_push(u, e->value);
    u->top = mark;
    emit(u, OP_AWAIT, dst, mark, 0);
    emit_word(u, emit_handler_word(u));
}

/* ---- all of them ---- */

static void expr_dispatch(unit *u, ast *e, int dst)
{
    switch (e->kind) {
    case AST_Constant: emit_value(u, const_of(u->c, e), dst); break;
    case AST_Name: name_load(u, unit_name(u, AST_AS(Name, e)->id), dst); break;
    case AST_BinOp: {
        struct ast_BinOp *b = AST_AS(BinOp, e);
        expr_binary(u, b->left, -1, (ast_op)b->op, b->right, false, dst);
        break;
    }
    case AST_UnaryOp: unary_expr(u, AST_AS(UnaryOp, e), dst); break;
    case AST_BoolOp: bool_expr(u, AST_AS(BoolOp, e), dst); break;
    case AST_Compare: compare_value(u, AST_AS(Compare, e), dst); break;
    case AST_IfExp: if_expr(u, AST_AS(IfExp, e), dst); break;
    case AST_NamedExpr: walrus_expr(u, AST_AS(NamedExpr, e), dst); break;
    case AST_Lambda: func_lambda(u, e, dst); break;
    case AST_Call: call_expr(u, e, dst); break;
    case AST_Attribute: call_attribute(u, e, dst); break;
    case AST_Subscript: subscript_expr(u, AST_AS(Subscript, e), dst); break;
    case AST_Slice: slice_expr(u, AST_AS(Slice, e), dst); break;
    case AST_List: sequence_expr(u, AST_AS(List, e)->elts, OP_LIST, dst); break;
    case AST_Tuple: sequence_expr(u, AST_AS(Tuple, e)->elts, OP_TUPLE, dst); break;
    case AST_Set: sequence_expr(u, AST_AS(Set, e)->elts, OP_SET, dst); break;
    case AST_Dict: dict_expr(u, AST_AS(Dict, e), dst); break;
    case AST_ListComp:
    case AST_SetComp:
    case AST_DictComp:
    case AST_GeneratorExp: comp_expr(u, e, dst); break;
    case AST_JoinedStr: joined_expr(u, AST_AS(JoinedStr, e), dst); break;
    case AST_FormattedValue: formatted_expr(u, AST_AS(FormattedValue, e), dst); break;
    case AST_Yield: yield_expr(u, AST_AS(Yield, e), dst); break;
    case AST_YieldFrom: yield_from_expr(u, AST_AS(YieldFrom, e), dst); break;
    case AST_Await: await_expr(u, AST_AS(Await, e), dst); break;
    case AST_Starred: comp_error_node(u->c, e, "can't use starred expression here"); break;
    default: comp_unsupported(u->c, e, "this expression"); break;
    }
}

void expr_to(unit *u, ast *e, int dst)
{
    if (u->c->failed || comp_too_deep(u->c)) return;
    if (u->top > SPILL_AT && u->top - u->spill_base >= SPILL_MIN && !expr_is_plain(e)) {
        /* dst may lie in what is saved only when it is a dead register: it is written afterwards.
         */
        expr_spilled(u, e, dst);
        return;
    }
    span old = unit_at(u, e);
    int top = u->top;
    expr_dispatch(u, e, dst);
    u->top = top;
    u->at = old;
}

void expr_drop(unit *u, ast *e)
{
    int mark = u->top;
    if (u->c->failed || comp_too_deep(u->c)) return;
    switch (e->kind) {
    case AST_Constant: return;
    case AST_Name: variable_operand(u, e, false) < 0 ? expr_to(u, e, temp(u)) : (void)0; return;
    case AST_BoolOp: {
        struct ast_BoolOp *b = AST_AS(BoolOp, e);
        label end = label_new(u);
        for (uint32_t i = 0; i + 1 < b->values->n; i++) cond(u, b->values->items[i], b->op == AST_OP_Or, end);
        expr_drop(u, b->values->items[b->values->n - 1]);
        label_bind(u, end);
        return;
    }
    case AST_IfExp: {
        struct ast_IfExp *i = AST_AS(IfExp, e);
        label no = label_new(u), end = label_new(u);
        cond(u, i->test, false, no);
        expr_drop(u, i->body);
        emit_jump(u, end);
        label_bind(u, no);
        expr_drop(u, i->orelse);
        label_bind(u, end);
        return;
    }
    case AST_Call:
        expr_to(u, e, temp(u));
        if (!u->dead && COMP_ROOM(u->c, u->discards, u->ndiscards, u->capdiscards)) u->discards[u->ndiscards++] = u->n;
        return;
    default: break;
    }
    expr_to(u, e, temp(u));
    u->top = mark;
}
