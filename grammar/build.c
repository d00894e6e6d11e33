/* build.c: nodes, sequences and interned names.
 *
 * A sequence starts with room for four items and doubles; since it is usually the newest thing in
 * the arena while it grows, that is done in place. The name table is open addressing, at most half
 * full, and doubles in the arena too.
 */
#include "build.h"

#include "parser.h"

#include <string.h>
#include <utf8proc.h>

/* ---- nodes ---- */

void *ast_make(struct parse_state *ps, ast_kind kind, uint32_t start, uint32_t end)
{
    const struct ast_info *info = &ast_infos[kind];
    ast *n = arena_alloc(ps->a, info->size);
    if (!n) {
        state_nomem(ps);
        n = ps->sink;
        kind = AST_NONE;
    }
    memset(n, 0, info->size);
    n->kind = (uint16_t)kind;
    n->start = start;
    n->end = end;
    n->depth = n->nest = 1;
    for (unsigned i = 0; i < info->nfields; i++) {
        switch (info->fields[i].type) {
        case AST_FIELD_SEQ:
        case AST_FIELD_OPTSEQ: *(ast_seq **)ast_field_at(n, i) = ps->empty; break;
        case AST_FIELD_IDS: *(ast_ids **)ast_field_at(n, i) = ps->no_ids; break;
        case AST_FIELD_OPS: *(ast_ops **)ast_field_at(n, i) = ps->no_ops; break;
        default: break;
        }
    }
    return n;
}

/* Do the steps from n to a child of the same shape in its first field count as no nesting? */
static bool is_chain(const ast *n)
{
    switch (n->kind) {
    case AST_BinOp:
    case AST_Attribute:
    case AST_Call:
    case AST_Subscript: return !(n->flags & AST_PAREN);
    default: return false;
    }
}

ast *ast_done(struct parse_state *ps, void *node)
{
    ast *n = node;
    if (ps->nomem) return ps->sink;
    const struct ast_info *info = &ast_infos[n->kind];
    unsigned depth = 0, nest = 0;
    for (unsigned i = 0; i < info->nfields; i++) {
        unsigned d = 0, k = 0;
        switch (info->fields[i].type) {
        case AST_FIELD_NODE:
        case AST_FIELD_OPT: {
            const ast *child = *(ast **)ast_field_at(n, i);
            if (!child) break;
            d = child->depth;
            k = child->nest;
            if (i == 0 && k && is_chain(child) && is_chain(n)) k--;
            break;
        }
        case AST_FIELD_SEQ:
        case AST_FIELD_OPTSEQ: {
            const ast_seq *s = *(ast_seq **)ast_field_at(n, i);
            d = s->depth;
            k = s->nest;
            if (n->kind == AST_If && s->n == 1 && k && (s->items[0]->flags & AST_ELIF)) k--;
            break;
        }
        default: break;
        }
        depth = d > depth ? d : depth;
        nest = k > nest ? k : nest;
    }
    n->depth = (uint16_t)(depth + 1);
    n->nest = (uint16_t)(nest + 1);
    if (depth >= AST_MAX_DEPTH || nest >= AST_MAX_NEST) {
        n->depth = n->nest = 1;
        state_fail(ps, DIAG_RECURSION_ERROR, n->start, n->start, "maximum recursion depth exceeded during compilation");
    }
    return n;
}

/* ---- sequences ---- */

/* Room for one more item in a growing array with a header of {n, cap}; NULL when out of memory. */
static void *grow(struct parse_state *ps, void *s, uint32_t n, uint32_t *cap, size_t head, size_t item, bool is_static)
{
    if (n < *cap) return s;
    size_t old = head + (size_t)*cap * item;
    uint32_t cap_new = *cap ? *cap * 2 : 4;
    if (*cap > UINT32_MAX / 16) {
        state_nomem(ps);
        return NULL;
    }
    void *p = arena_grow(ps->a, is_static ? NULL : s, old, head + (size_t)cap_new * item);
    if (!p) state_nomem(ps);
    *cap = cap_new;
    return p;
}

ast_seq *ast_seq_add(struct parse_state *ps, ast_seq *s, ast *item)
{
    if (ps->nomem) return ps->empty;
    uint32_t cap = s->cap;
    ast_seq *p = grow(ps, s, s->n, &cap, sizeof *s, sizeof *s->items, s == ps->empty);
    if (!p) return s;
    if (s == ps->empty) {
        p->n = 0;
        p->depth = p->nest = 0;
    }
    p->cap = cap;
    p->items[p->n++] = item;
    if (item && item->depth > p->depth) p->depth = item->depth;
    if (item && item->nest > p->nest) p->nest = item->nest;
    return p;
}

ast_seq *ast_seq_of(struct parse_state *ps, ast *item)
{
    if (ps->nomem) return ps->empty;
    ast_seq *s = arena_alloc(ps->a, sizeof *s + sizeof *s->items);
    if (!s) {
        state_nomem(ps);
        return ps->empty;
    }
    s->n = s->cap = 1;
    s->depth = item ? item->depth : 0;
    s->nest = item ? item->nest : 0;
    s->items[0] = item;
    return s;
}

ast_seq *ast_seq_join(struct parse_state *ps, ast_seq *s, const ast_seq *more)
{
    if (ps->nomem) return ps->empty;
    for (uint32_t i = 0; i < more->n; i++) s = ast_seq_add(ps, s, more->items[i]);
    return s;
}

ast_ids *ast_ids_add(struct parse_state *ps, ast_ids *s, const ast_name *name)
{
    if (ps->nomem) return ps->no_ids;
    uint32_t cap = s->cap;
    ast_ids *p = grow(ps, s, s->n, &cap, sizeof *s, sizeof *s->items, s == ps->no_ids);
    if (!p) return s;
    if (s == ps->no_ids) p->n = 0;
    p->cap = cap;
    p->items[p->n++] = name;
    return p;
}

static ast_ops *ast_ops_add(struct parse_state *ps, ast_ops *s, ast_op op)
{
    if (ps->nomem) return ps->no_ops;
    uint32_t cap = s->cap;
    ast_ops *p = grow(ps, s, s->n, &cap, sizeof *s, sizeof *s->items, s == ps->no_ops);
    if (!p) return s;
    if (s == ps->no_ops) p->n = 0;
    p->cap = cap;
    p->items[p->n++] = (uint8_t)op;
    return p;
}

/* ---- names ---- */

static uint32_t name_hash(const char *text, size_t len)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++) h = (h ^ (unsigned char)text[i]) * 16777619u;
    return h ^ (h >> 15);
}

static bool name_table_grow(struct parse_state *ps)
{
    struct name_table *t = &ps->names;
    uint32_t cap = t->cap ? t->cap * 2 : 128;
    ast_name **slots = arena_alloc_array(ps->a, 0, cap, sizeof *slots);
    if (!slots) return false;
    memset(slots, 0, cap * sizeof *slots);
    for (uint32_t i = 0; i < t->cap; i++) {
        ast_name *n = t->slots[i];
        if (!n) continue;
        uint32_t j = n->hash & (cap - 1);
        while (slots[j]) j = (j + 1) & (cap - 1);
        slots[j] = n;
    }
    t->slots = slots;
    t->cap = cap;
    return true;
}

const ast_name *ast_name_intern(struct parse_state *ps, const char *text, size_t len)
{
    struct name_table *t = &ps->names;
    uint32_t hash = name_hash(text, len);
    if (t->n * 2 >= t->cap && !name_table_grow(ps)) {
        state_nomem(ps);
        return ps->no_name;
    }
    uint32_t i = hash & (t->cap - 1);
    for (; t->slots[i]; i = (i + 1) & (t->cap - 1)) {
        const ast_name *n = t->slots[i];
        if (n->hash == hash && n->len == len && memcmp(n->text, text, len) == 0) return n;
    }
    ast_name *n = arena_alloc(ps->a, sizeof *n + len + 1);
    if (!n) {
        state_nomem(ps);
        return ps->no_name;
    }
    n->len = (uint32_t)len;
    n->hash = hash;
    n->id = t->n++;
    memcpy(n->text, text, len);
    n->text[len] = 0;
    t->slots[i] = n;
    return n;
}

const ast_name *ast_name_of_token(struct parse_state *ps, struct token t)
{
    const char *text = ps->src + t.start;
    size_t len = t.end - t.start;
    if (!(t.flags & TOKEN_NONASCII)) return ast_name_intern(ps, text, len);
    /* Normalised in two steps, so that the memory is the arena's. */
    utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
    utf8proc_ssize_t n = utf8proc_decompose((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, NULL, 0, options);
    utf8proc_int32_t *cps = n < 0 ? NULL : arena_alloc_array(ps->a, 1, (size_t)n + 1, sizeof *cps);
    if (!cps) {
        state_nomem(ps);
        return ps->no_name;
    }
    n = utf8proc_decompose((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, cps, n, options);
    n = n < 0 ? n : utf8proc_reencode(cps, n, options);
    return n < 0 ? ast_name_intern(ps, text, len) : ast_name_intern(ps, (char *)cps, (size_t)n);
}

/* ---- expressions ---- */

ast *ast_build_name(struct parse_state *ps, struct token t, ast_ctx ctx)
{
    struct ast_Name *n = ast_make(ps, AST_Name, t.start, t.end);
    n->id = ast_name_of_token(ps, t);
    n->ctx = ctx;
    return &n->base;
}

ast *ast_build_const(struct parse_state *ps, ast_const_kind kind, uint32_t start, uint32_t end)
{
    struct ast_Constant *n = ast_make(ps, AST_Constant, start, end);
    n->value.kind = (uint8_t)kind;
    n->value.text = "";
    return &n->base;
}

ast *ast_build_binop(struct parse_state *ps, struct ex left, ast_op op, struct ex right)
{
    struct ast_BinOp *n = MAKE(BinOp, left.start, right.end);
    n->left = left.n;
    n->op = op;
    n->right = right.n;
    return ast_done(ps, n);
}

/* a or b or c is one node; parentheses end it. */
ast *ast_build_boolop(struct parse_state *ps, struct ex left, ast_op op, struct ex right)
{
    struct ast_BoolOp *n = AST_AS(BoolOp, left.n);
    if (n->base.kind != AST_BoolOp || n->op != (int32_t)op || (n->base.flags & AST_PAREN)) {
        n = MAKE(BoolOp, left.start, right.end);
        n->op = op;
        n->values = ast_seq_of(ps, left.n);
    }
    n->values = ast_seq_add(ps, n->values, right.n);
    n->base.end = right.end;
    return ast_done(ps, n);
}

/* So is a < b < c. */
ast *ast_build_compare(struct parse_state *ps, struct ex left, ast_op op, struct ex right)
{
    struct ast_Compare *n = AST_AS(Compare, left.n);
    if (n->base.kind != AST_Compare || (n->base.flags & AST_PAREN)) {
        n = MAKE(Compare, left.start, right.end);
        n->left = left.n;
    }
    n->ops = ast_ops_add(ps, n->ops, op);
    n->comparators = ast_seq_add(ps, n->comparators, right.n);
    n->base.end = right.end;
    return ast_done(ps, n);
}

ast *ast_build_unary(struct parse_state *ps, struct token op_token, ast_op op, struct ex operand)
{
    struct ast_UnaryOp *n = MAKE(UnaryOp, op_token.start, operand.end);
    n->op = op;
    n->operand = operand.n;
    return ast_done(ps, n);
}

ast *ast_build_tuple(struct parse_state *ps, ast_seq *elts, uint32_t start, uint32_t end)
{
    struct ast_Tuple *n = MAKE(Tuple, start, end);
    n->elts = elts;
    return ast_done(ps, n);
}

ast *ast_build_starred(struct parse_state *ps, struct token star, struct ex value)
{
    struct ast_Starred *n = MAKE(Starred, star.start, value.end);
    n->value = value.n;
    return ast_done(ps, n);
}

ast_op ast_build_binary_op(struct parse_state *ps, struct token t)
{
    const char *p = ps->src + t.start;
    switch (*p) {
    case '+': return AST_OP_Add;
    case '-': return AST_OP_Sub;
    case '*': return p[1] == '*' ? AST_OP_Pow : AST_OP_Mult;
    case '/': return p[1] == '/' ? AST_OP_FloorDiv : AST_OP_Div;
    case '%': return AST_OP_Mod;
    case '@': return AST_OP_MatMult;
    case '&': return AST_OP_BitAnd;
    case '|': return AST_OP_BitOr;
    case '^': return AST_OP_BitXor;
    case '<': return AST_OP_LShift;
    default: return AST_OP_RShift;
    }
}
