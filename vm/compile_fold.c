/* Constant folding: one walk over the tree, bottom up, that replaces expressions of constants by
 * Constants.
 *
 * Only operations on ints, floats, complex numbers, strs and bytes are tried, so no script runs; an
 * operation that raises is left to run time; a result is at most FOLD_MAX bytes. A folded Constant
 * has the source range of the expression and its value in the node (AST_CONST_VALUE).
 */
#include "compile.h"
#include "set.h"
#include "dtoa.h"
#include "float.h"

enum { FOLD_MAX = 4096 };

static ast *fold(compiler *c, ast *n);
static void fold_seq(compiler *c, ast_seq *s);

bool is_const(const ast *n) { return n->kind == AST_Constant; }

static void set_value(struct ast_const *k, value v)
{
    k->kind = AST_CONST_VALUE;
    k->text = (const char *)(uintptr_t)v.bits;
}

static bool identifier_like(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char ch = s[i];
        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_'))
            return false;
    }
    return n <= 256;
}

value ast_const_value(vm *vm, const struct ast_const *k)
{
    switch (k->kind) {
    case AST_CONST_NONE: return V_NONE;
    case AST_CONST_TRUE: return V_TRUE;
    case AST_CONST_FALSE: return V_FALSE;
    case AST_CONST_ELLIPSIS: return V_ELLIPSIS;
    case AST_CONST_FLOAT: return value_float(dtoa_parse(k->text, k->len));
    case AST_CONST_IMAG: return complex_new(vm, 0.0, dtoa_parse(k->text, k->len));
    case AST_CONST_STR: {
        bool intern = identifier_like(k->text, k->len);
        str *s = intern ? str_intern_utf8(vm, k->text, k->len) : str_new_utf8(vm, k->text, k->len);
        return s ? value_obj(s) : V_UNBOUND;
    }
    case AST_CONST_BYTES: {
        bytes *b = bytes_new(vm, k->text, k->len);
        return b ? value_obj(b) : V_UNBOUND;
    }
    default: {
        value v = int_parse(vm, k->text, k->len, k->base);
        if (value_is_unbound(v) && !raised(vm)) raise_value_error(vm, "invalid integer literal");
        return v;
    }
    }
}

value const_of(compiler *c, ast *n)
{
    struct ast_const *k = &AST_AS(Constant, n)->value;
    if (k->kind == AST_CONST_VALUE) return (value){(uint64_t)(uintptr_t)k->text};
    value v = c->failed ? V_UNBOUND : comp_intern(c, ast_const_value(c->vm, k));
    if (!value_is_unbound(v)) set_value(k, v);
    return v;
}

int const_truth(compiler *c, ast *n)
{
    if (!is_const(n)) return -1;
    value v = const_of(c, n);
    return value_is_unbound(v) ? -1 : obj_truth(c->vm, v);
}

static ast *make_const(compiler *c, ast *from, value v)
{
    if (value_is_unbound(v)) {
        if (!raised(c->vm)) return from;
        if (exc_matches(c->vm, EXC_MemoryError)) c->failed = true;
        else exc_clear(c->vm);
        return from;
    }
    v = comp_intern(c, v);
    struct ast_Constant *k = comp_alloc(c, sizeof *k);
    if (!k) return from;
    k->base = *from;
    k->base.kind = AST_Constant;
    k->base.flags |= AST_FOLDED;
    set_value(&k->value, v);
    return &k->base;
}

/* ---- operations ---- */

static bool plain_number(value v)
{
    return value_is_int(v) || value_is_float(v) || value_is_bool(v) || value_is_kind(v, K_INT64) ||
           value_is_kind(v, K_BIGINT) || value_is_kind(v, K_COMPLEX);
}

static bool sized(value v, int64_t *n)
{
    if (IS_STR(v)) return *n = (int64_t)AS(str, v)->len, true;
    if (value_is_kind(v, K_BYTES)) return *n = (int64_t)AS(bytes, v)->len, true;
    if (IS_TUPLE(v)) return *n = (int64_t)AS(tuple, v)->len * 8, true;
    return false;
}

/* Bits of an int's magnitude; 0 for what is no int. */
static int64_t int_bits(value v)
{
    if (value_is_kind(v, K_BIGINT)) return (int64_t)AS(bigint, v)->used * 60;
    if (value_is_kind(v, K_INT64)) return 64;
    if (!value_is_int(v)) return value_is_bool(v) ? 1 : 0;
    int64_t n = value_as_int(v);
    uint64_t m = n < 0 ? -(uint64_t)n : (uint64_t)n;
    return m ? 64 - __builtin_clzll(m) : 0;
}

/* Could the result be larger than what is worth keeping in the code? */
static bool too_large(unsigned op, value a, value b)
{
    int64_t n = 0, m = 0, small = value_is_int(b) ? value_as_int(b) : value_is_bool(b) ? 1 : -1;
    switch (op) {
    case OPR_MUL:
        if (sized(a, &n)) return value_is_int(b) ? small > FOLD_MAX || n * (small > 0 ? small : 0) > FOLD_MAX : true;
        if (sized(b, &n)) {
            if (!value_is_int(a)) return true;
            int64_t k = value_as_int(a);
            return k > FOLD_MAX || n * (k > 0 ? k : 0) > FOLD_MAX;
        }
        return int_bits(a) + int_bits(b) > FOLD_MAX * 8;
    case OPR_POW:
        if (int_bits(a) == 0 || value_is_float(b) || value_is_kind(b, K_COMPLEX)) return false;
        return small < 0 ? !value_is_int(b) : small > FOLD_MAX * 8 || int_bits(a) * small > FOLD_MAX * 8;
    case OPR_LSHIFT: return small < 0 || small > FOLD_MAX * 8 || int_bits(a) + small > FOLD_MAX * 8;
    case OPR_ADD: return sized(a, &n) && sized(b, &m) && n + m > FOLD_MAX;
    case OPR_MOD: return IS_STR(a) || value_is_kind(a, K_BYTES);
    default: return false;
    }
}

static int fold_operator(ast_op op)
{
    switch (op) {
    case AST_OP_Add: return OPR_ADD;
    case AST_OP_Sub: return OPR_SUB;
    case AST_OP_Mult: return OPR_MUL;
    case AST_OP_Div: return OPR_TRUEDIV;
    case AST_OP_FloorDiv: return OPR_FLOORDIV;
    case AST_OP_Mod: return OPR_MOD;
    case AST_OP_Pow: return OPR_POW;
    case AST_OP_LShift: return OPR_LSHIFT;
    case AST_OP_RShift: return OPR_RSHIFT;
    case AST_OP_BitAnd: return OPR_AND;
    case AST_OP_BitOr: return OPR_OR;
    case AST_OP_BitXor: return OPR_XOR;
    default: return -1;
    }
}

static ast *fold_binop(compiler *c, ast *n)
{
    struct ast_BinOp *e = AST_AS(BinOp, n);
    int op = fold_operator(e->op);
    if (op < 0 || !is_const(e->left) || !is_const(e->right)) return n;
    value a = const_of(c, e->left), b = const_of(c, e->right);
    int64_t size;
    if (c->failed || !(plain_number(a) || sized(a, &size)) || !(plain_number(b) || sized(b, &size))) return n;
    if (too_large((unsigned)op, a, b)) return n;
    return make_const(c, n, obj_binary(c->vm, (enum binary_op)op, a, b));
}

static ast *fold_unary(compiler *c, ast *n)
{
    struct ast_UnaryOp *e = AST_AS(UnaryOp, n);
    if (!is_const(e->operand)) return n;
    value a = const_of(c, e->operand);
    if (c->failed) return n;
    if (e->op == AST_OP_Not) {
        int t = obj_truth(c->vm, a);
        return make_const(c, n, t < 0 ? V_UNBOUND : value_bool(!t));
    }
    if (!plain_number(a) || (e->op == AST_OP_Invert && value_is_bool(a))) return n;
    unsigned op = e->op == AST_OP_USub ? OPR_NEG : e->op == AST_OP_UAdd ? OPR_POS : OPR_INVERT;
    return make_const(c, n, obj_unary(c->vm, (enum unary_op)op, a));
}

static ast *fold_subscript(compiler *c, ast *n)
{
    struct ast_Subscript *e = AST_AS(Subscript, n);
    int64_t size;
    if (e->ctx != AST_Load || !is_const(e->value) || !is_const(e->slice)) return n;
    value a = const_of(c, e->value), k = const_of(c, e->slice);
    if (c->failed || !sized(a, &size) || !value_is_int(k)) return n;
    return make_const(c, n, obj_getitem(c->vm, a, k));
}

/* The values of a display of constants as a tuple; unbound: some are not constant. */
static value const_elements(compiler *c, ast_seq *elts)
{
    for (uint32_t i = 0; i < elts->n; i++) {
        if (!is_const(elts->items[i])) return V_UNBOUND;
    }
    tuple *t = c->failed ? NULL : tuple_new(c->vm, elts->n);
    if (!t) {
        c->failed = true;
        return V_UNBOUND;
    }
    for (uint32_t i = 0; i < elts->n; i++) t->items[i] = const_of(c, elts->items[i]);
    return c->failed ? V_UNBOUND : value_obj(t);
}

value const_tuple(compiler *c, ast_seq *elts)
{
    value v = const_elements(c, elts);
    return value_is_unbound(v) ? v : comp_intern(c, v);
}

value const_frozenset(compiler *c, ast_seq *elts)
{
    value t = const_elements(c, elts);
    if (value_is_unbound(t)) return t;
    struct set *s = set_new(c->vm, TYPE_FROZENSET);
    for (size_t i = 0; s && i < AS(tuple, t)->len; i++) {
        if (!set_add(c->vm, s, AS(tuple, t)->items[i])) s = NULL;
    }
    /* CPython makes it twice, the second time from the first one's order; printing shows that. */
    struct set *again = s ? set_new(c->vm, TYPE_FROZENSET) : NULL;
    value item;
    for (size_t pos = 0; again && set_next(s, &pos, &item, NULL);) {
        if (!set_add(c->vm, again, item)) again = NULL;
    }
    return comp_intern(c, again ? value_obj(again) : V_UNBOUND);
}

static ast *fold_elements(compiler *c, ast *n, ast_seq *elts)
{
    value v = const_elements(c, elts);
    return c->failed ? n : make_const(c, n, v);
}

/* A list or set of constants that is only iterated over or searched is made once. */
static ast *fold_container(compiler *c, ast *n)
{
    if (n->kind == AST_List) return fold_elements(c, n, AST_AS(List, n)->elts);
    if (n->kind != AST_Set) return n;
    value v = const_frozenset(c, AST_AS(Set, n)->elts);
    return value_is_unbound(v) ? n : make_const(c, n, v);
}

static void fold_compare(compiler *c, struct ast_Compare *e)
{
    uint32_t last = e->ops->n - 1;
    if (e->ops->items[last] == AST_OP_In || e->ops->items[last] == AST_OP_NotIn)
        e->comparators->items[last] = fold_container(c, e->comparators->items[last]);
}

static void fold_children(compiler *c, ast *n)
{
    const struct ast_info *info = &ast_infos[n->kind];
    for (unsigned i = 0; i < info->nfields && !c->failed; i++) {
        void *f = ast_field_at(n, i);
        switch (info->fields[i].type) {
        case AST_FIELD_NODE:
        case AST_FIELD_OPT:
            if (*(ast **)f) *(ast **)f = fold(c, *(ast **)f);
            break;
        case AST_FIELD_SEQ:
        case AST_FIELD_OPTSEQ: fold_seq(c, *(ast_seq **)f); break;
        default: break;
        }
    }
}

static void fold_seq(compiler *c, ast_seq *s)
{
    for (uint32_t i = 0; i < s->n && !c->failed; i++) {
        if (s->items[i]) s->items[i] = fold(c, s->items[i]);
    }
}

/* Down a chain of elif without recursion. */
static void fold_if(compiler *c, struct ast_If *s)
{
    for (;;) {
        s->test = fold(c, s->test);
        fold_seq(c, s->body);
        if (s->orelse->n != 1 || s->orelse->items[0]->kind != AST_If) break;
        s = AST_AS(If, s->orelse->items[0]);
    }
    fold_seq(c, s->orelse);
}

static ast *fold(compiler *c, ast *n)
{
    if (n->kind == AST_If) {
        fold_if(c, AST_AS(If, n));
        return n;
    }
    if (c->failed || comp_too_deep(c)) return n;
    /* An annotation that is kept as text is not touched. */
    ast **kept = n->kind == AST_AnnAssign                                        ? &AST_AS(AnnAssign, n)->annotation
                 : n->kind == AST_arg                                            ? &AST_AS(arg, n)->annotation
                 : n->kind == AST_FunctionDef || n->kind == AST_AsyncFunctionDef ? &AST_AS(FunctionDef, n)->returns
                                                                                 : NULL;
    ast *annotation = kept && c->future_annotations ? *kept : NULL;
    struct ast_Constant hole = {{.kind = AST_Constant}, {.kind = AST_CONST_NONE}};
    if (annotation) *kept = &hole.base;
    fold_children(c, n);
    if (annotation) *kept = annotation;
    switch (n->kind) {
    case AST_BinOp: return fold_binop(c, n);
    case AST_UnaryOp: return fold_unary(c, n);
    case AST_Subscript: return fold_subscript(c, n);
    case AST_Compare: fold_compare(c, AST_AS(Compare, n)); return n;
    case AST_Tuple: return AST_AS(Tuple, n)->ctx == AST_Load ? fold_elements(c, n, AST_AS(Tuple, n)->elts) : n;
    case AST_For: AST_AS(For, n)->iter = fold_container(c, AST_AS(For, n)->iter); return n;
    case AST_comprehension:
        AST_AS(comprehension, n)->iter = fold_container(c, AST_AS(comprehension, n)->iter);
        return n;
    case AST_Name: {
        struct ast_Name *e = AST_AS(Name, n);
        if (e->ctx == AST_Load && e->id->len == 9 && !memcmp(e->id->text, "__debug__", 9))
            return make_const(c, n, V_TRUE);
        return n;
    }
    default: return n;
    }
}

void fold_module(compiler *c, ast *module) { fold_children(c, module); }
