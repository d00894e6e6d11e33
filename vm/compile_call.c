/* Calls, method calls, super(), and attribute loads.
 *
 * A call's window: the callee, then the arguments. Method calls keep a second register for the
 * receiver (LOADMETHOD ... CALLM). When no argument's evaluation can have an effect the whole call
 * is one instruction, CALLMETHOD: then it doesn't matter that the attribute is looked up after
 * them.
 */
#include "compile.h"

static bool has_star(const ast_seq *args, const ast_seq *keywords)
{
    for (uint32_t i = 0; i < args->n; i++) {
        if (args->items[i]->kind == AST_Starred) return true;
    }
    for (uint32_t i = 0; i < keywords->n; i++) {
        if (!AST_AS(keyword, keywords->items[i])->arg) return true;
    }
    return false;
}

/* Too many for a window, or with stars: CALLEX. */
static bool needs_spread(unit *u, int nfixed, ast_seq *args, ast_seq *keywords)
{
    return (uint64_t)nfixed + args->n + keywords->n > (uint64_t)window_room(u) || has_star(args, keywords);
}

static bool check_keywords(unit *u, ast_seq *keywords)
{
    for (uint32_t i = 0; i < keywords->n; i++) {
        const ast_name *name = AST_AS(keyword, keywords->items[i])->arg;
        if (!name) continue;
        if (name->len == 9 && !memcmp(name->text, "__debug__", 9)) {
            comp_error(u->c, u->at, "cannot assign to __debug__");
            return false;
        }
        for (uint32_t j = i + 1; j < keywords->n; j++) {
            if (AST_AS(keyword, keywords->items[j])->arg != name) continue;
            comp_error_node(u->c, keywords->items[j], "keyword argument repeated: %s", name->text);
            return false;
        }
    }
    return true;
}

static uint32_t keyword_names(unit *u, ast_seq *keywords)
{
    tuple *t = u->c->failed ? NULL : tuple_new(u->c->vm, keywords->n);
    if (!t) {
        u->c->failed = true;
        return 0;
    }
    for (uint32_t i = 0; i < keywords->n; i++) {
        str *s = comp_name(u->c, AST_AS(keyword, keywords->items[i])->arg);
        if (!s) return 0;
        t->items[i] = value_obj(s);
    }
    return const_index(u, comp_intern(u->c, value_obj(t)));
}

static void push_all(unit *u, ast_seq *args)
{
    for (uint32_t i = 0; i < args->n && !u->c->failed; i++) expr_push(u, args->items[i]);
}

static void push_keywords(unit *u, ast_seq *keywords)
{
    for (uint32_t i = 0; i < keywords->n && !u->c->failed; i++)
        expr_push(u, AST_AS(keyword, keywords->items[i])->value);
}

/* f(*args, **kw): the positional arguments as a tuple (a lone *x as it is) in r[base + 1], the
 * keywords as a dict in r[base + 2]. The first nfixed ones lie in the window already. */
static void call_spread(unit *u, int base, int nfixed, ast_seq *args, ast_seq *keywords, span at, int dst)
{
    int list = base + 1, kw = base + 2;
    bool single = nfixed == 0 && args->n == 1 && args->items[0]->kind == AST_Starred; /* passed on as it is */
    u->top = list;
    if (single) expr_push(u, AST_AS(Starred, args->items[0])->value);
    else emit(u, OP_LIST, list, list, nfixed);
    u->top = kw;
    for (uint32_t i = single; i < args->n && !u->c->failed; i++) {
        ast *a = args->items[i];
        bool star = a->kind == AST_Starred;
        int r = expr_last(u, star ? AST_AS(Starred, a)->value : a);
        u->top = kw;
        emit(u, star ? OP_LISTEXTEND : OP_LISTAPPEND, list, r, 0);
    }
    if (!single) emit(u, OP_LISTTOTUPLE, list, list, 0);
    bool one = keywords->n == 1 && !AST_AS(keyword, keywords->items[0])->arg; /* f(**kw): no copy */
    if (one) {
        expr_push(u, AST_AS(keyword, keywords->items[0])->value);
    } else if (keywords->n) {
        emit(u, OP_DICT, kw, kw, 0);
        u->top = kw + 1;
        for (uint32_t i = 0; i < keywords->n && !u->c->failed; i++) {
            struct ast_keyword *k = AST_AS(keyword, keywords->items[i]);
            if (k->arg) { /* a dict of one: DICTMERGE finds duplicates of what a ** gave */
                str *name = comp_name(u->c, k->arg);
                emit_value(u, name ? value_obj(name) : V_UNBOUND, temp(u));
                temp_push(u, 1);
                expr_push(u, k->value);
                u->top = kw + 1;
                emit(u, OP_DICT, kw + 1, kw + 1, 1);
                emit(u, OP_DICTMERGE, kw, kw + 1, base);
            } else {
                int r = expr_last(u, k->value);
                u->top = kw + 1;
                emit(u, OP_DICTMERGE, kw, r, base);
            }
        }
    }
    u->top = base;
    u->at = at;
    emit(u, OP_CALLEX, dst, base, (keywords->n > 0) | single << 1 | one << 2);
}

/* The callee is in r[base], nfixed arguments follow it, top is above them: evaluates the others and
 * calls. */
void call_window(unit *u, int base, int nfixed, ast_seq *args, ast_seq *keywords, span at, int dst)
{
    if (!check_keywords(u, keywords)) return;
    if (needs_spread(u, nfixed, args, keywords)) {
        call_spread(u, base, nfixed, args, keywords, at, dst);
        return;
    }
    push_all(u, args);
    push_keywords(u, keywords);
    int n = nfixed + (int)(args->n + keywords->n);
    u->top = base;
    u->at = at;
    emit(u, keywords->n ? OP_CALLKW : OP_CALL, dst, base, n);
    if (keywords->n) emit_word(u, keyword_names(u, keywords));
}

/* The same after LOADMETHOD or SUPERMETHOD: r[base], r[base + 1]. */
static void method_window(unit *u, int base, struct ast_Call *e, span at, int dst)
{
    push_all(u, e->args);
    push_keywords(u, e->keywords);
    u->top = base;
    u->at = at;
    int n = (int)(e->args->n + e->keywords->n);
    emit(u, e->keywords->n ? OP_CALLMKW : OP_CALLM, dst, base, n);
    if (e->keywords->n) emit_word(u, keyword_names(u, e->keywords));
}

/* ---- super() without arguments ---- */

/* Inside a method: super() needs the __class__ cell and the first argument. */
static bool is_plain_super(unit *u, ast *n)
{
    if (n->kind != AST_Call || !unit_is_function(u)) return false;
    struct ast_Call *e = AST_AS(Call, n);
    if (e->args->n || e->keywords->n || e->func->kind != AST_Name) return false;
    const ast_name *id = AST_AS(Name, e->func)->id;
    if (id->len != 5 || memcmp(id->text, "super", 5) || u->argcount == 0) return false;
    place p = name_place(u, comp_name(u->c, id));
    if (p.kind != AT_GLOBAL || (u->nwords && !(u->bound[0] & 1))) return false;
    return scope_free_index(u->scope, N(u->c->vm, __class__)) >= 0;
}

/* r[base] super, r[base + 1] the class, r[base + 2] the first argument; top is left at base. */
static void push_super(unit *u, ast *call, int base)
{
    span old = unit_at(u, call);
    expr_push(u, AST_AS(Call, call)->func);
    emit_d(u, OP_FREEGET, temp(u), (uint32_t)scope_free_index(u->scope, N(u->c->vm, __class__)));
    temp_push(u, 1);
    scope *cur = u->cur;
    u->cur = u->scope;
    name_load(u, u->vars[0]->name, temp(u));
    u->cur = cur;
    u->top = base;
    u->at = old;
}

/* ---- attributes and methods ---- */

void call_attribute(unit *u, ast *n, int dst)
{
    struct ast_Attribute *e = AST_AS(Attribute, n);
    int mark = u->top;
    str *name = unit_name(u, e->attr);
    if (is_plain_super(u, e->value)) {
        push_super(u, e->value, mark);
        emit_named(u, OP_SUPERATTR, mark, dst, 0, name);
        return;
    }
    int r = expr_last(u, e->value);
    u->top = mark;
    unit_at_attr(u, n, n);
    emit_named(u, OP_GETATTR, dst, r, 0, name);
}

/* Evaluating these has no effect at all, and nothing that the receiver's evaluation does is missed.
 */
static bool simple_arguments(unit *u, ast_seq *args)
{
    for (uint32_t i = 0; i < args->n; i++) {
        ast *a = args->items[i];
        if (is_const(a)) continue;
        if (a->kind != AST_Name) return false;
        place p = name_place(u, unit_name(u, AST_AS(Name, a)->id));
        if ((p.kind != AT_REG && p.kind != AT_HIGH) || !name_bound(u, p)) return false;
    }
    return true;
}

static void method_call(unit *u, struct ast_Call *e, int dst)
{
    struct ast_Attribute *f = AST_AS(Attribute, e->func);
    str *name = unit_name(u, f->attr);
    int base = u->top;
    if (!check_keywords(u, e->keywords)) return;
    if (is_plain_super(u, f->value)) {
        push_super(u, f->value, base);
        unit_at_attr(u, e->func, e->func);
        emit_named(u, OP_SUPERMETHOD, base, 0, 0, name);
    } else if (!e->keywords->n && simple_arguments(u, e->args)) {
        expr_to(u, f->value, base + 1);
        u->top = base + 2;
        push_all(u, e->args);
        u->top = base;
        /* The first word has the position of the attribute, the others that of the call: the
         * interpreter's saved pc lies behind the first word while it looks the attribute up. */
        unit_at_attr(u, e->func, e->func);
        emit(u, OP_CALLMETHOD, dst, base, (int)e->args->n);
        unit_at_attr(u, &e->base, e->func);
        emit_position(u);
        emit_word(u, name_index(u, name));
        emit_words(u, op_words(OP_CALLMETHOD) - 2);
        return;
    } else {
        int r = expr_last(u, f->value);
        u->top = base;
        unit_at_attr(u, e->func, e->func);
        emit_named(u, OP_LOADMETHOD, base, r, 0, name);
    }
    u->top = base + 2;
    unit_at_attr(u, &e->base, e->func);
    method_window(u, base, e, u->at, dst);
}

static void warn_callee(unit *u, struct ast_Call *e)
{
    const char *what;
    switch (e->func->kind) {
    case AST_Constant: {
        value v = const_of(u->c, e->func);
        if (!u->c->failed) comp_warn(u->c, &e->base, "'%T' object is not callable; perhaps you missed a comma?", v);
        return;
    }
    case AST_Tuple: what = "tuple"; break;
    case AST_List:
    case AST_ListComp: what = "list"; break;
    case AST_Dict:
    case AST_DictComp: what = "dict"; break;
    case AST_Set:
    case AST_SetComp: what = "set"; break;
    case AST_GeneratorExp: what = "generator"; break;
    case AST_JoinedStr:
    case AST_FormattedValue: what = "str"; break;
    default: return;
    }
    comp_warn(u->c, &e->base, "'%s' object is not callable; perhaps you missed a comma?", what);
}

void call_expr(unit *u, ast *n, int dst)
{
    struct ast_Call *e = AST_AS(Call, n);
    span at = u->at;
    warn_callee(u, e);
    if (e->func->kind == AST_Attribute && !needs_spread(u, 1, e->args, e->keywords)) {
        method_call(u, e, dst);
        return;
    }
    int base = expr_push(u, e->func);
    call_window(u, base, 0, e->args, e->keywords, at, dst);
}
