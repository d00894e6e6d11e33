/* The driver: source -> tree -> symbol table -> code. Units: one code object under construction
 * each. */
#include "compile.h"

#include "exception.h"

static void *arena_memory(void *ud, void *p, size_t old, size_t n)
{
    if (n == 0) {
        mem_free(ud, p, old);
        return NULL;
    }
    return mem_realloc(ud, p, old, n);
}

bool comp_too_deep(compiler *c)
{
    if (LIKELY((uintptr_t)__builtin_frame_address(0) > c->vm->thread->c_stack_low)) return c->failed;
    if (!c->failed) raise(c->vm, EXC_RecursionError, "maximum recursion depth exceeded during compilation");
    c->failed = true;
    return true;
}

/* ---- names ---- */

str *comp_name(compiler *c, const ast_name *n)
{
    if (c->failed) return NULL;
    str **slot = &c->names[n->id];
    if (!*slot) {
        str *s = str_intern_utf8(c->vm, n->text, n->len);
        if (value_is_unbound(comp_keep(c, s ? value_obj(s) : V_UNBOUND))) return NULL;
        *slot = s;
    }
    return *slot;
}

/* __name in class _Klass is _Klass__name. */
str *comp_mangle(compiler *c, const ast_name *klass, const ast_name *n)
{
    if (LIKELY(!klass || n->len < 3 || n->text[0] != '_' || n->text[1] != '_')) return comp_name(c, n);
    if ((n->text[n->len - 1] == '_' && n->text[n->len - 2] == '_') || memchr(n->text, '.', n->len))
        return comp_name(c, n);
    const char *k = klass->text;
    size_t len = klass->len;
    while (len && *k == '_') k++, len--;
    if (!len) return comp_name(c, n);
    char *text = comp_alloc(c, len + n->len + 1);
    if (!text) return NULL;
    text[0] = '_';
    memcpy(text + 1, k, len);
    memcpy(text + 1 + len, n->text, n->len);
    str *s = str_intern_utf8(c->vm, text, len + n->len + 1);
    return value_is_unbound(comp_keep(c, s ? value_obj(s) : V_UNBOUND)) ? NULL : s;
}

/* ---- units ---- */

bool unit_is_function(const unit *u) { return u->scope->kind >= SCOPE_FUNCTION; }

bool unit_top_await(const unit *u) { return u->scope->kind == SCOPE_MODULE && (u->c->flags & COMPILE_TOP_AWAIT); }

static str *make_qualname(compiler *c, unit *parent, scope *s, str *name)
{
    while (parent && parent->scope->kind == SCOPE_TYPE_PARAMS) parent = parent->parent;
    if (!parent || parent->scope->kind == SCOPE_MODULE) return name;
    if (s->kind == SCOPE_FUNCTION || s->kind == SCOPE_CLASS) {
        symbol *y = scope_find(parent->scope, comp_mangle(c, parent->scope->klass, AST_AS(FunctionDef, s->node)->name));
        if (y && (y->flags & SYM_GLOBAL)) return name;
    }
    str *q = str_format(c->vm, parent->scope->kind == SCOPE_CLASS ? "%U.%U" : "%U.<locals>.%U", parent->qualname, name);
    return value_is_unbound(comp_keep(c, q ? value_obj(q) : V_UNBOUND)) ? NULL : q;
}

/* The iterator that a comprehension's function gets. */
static bool comp_argument(unit *u)
{
    symbol *y = comp_alloc(u->c, sizeof *y);
    str *name = str_intern_utf8(u->c->vm, ".0", 2);
    if (!y || value_is_unbound(comp_keep(u->c, name ? value_obj(name) : V_UNBOUND))) return false;
    *y = (symbol){.name = name, .flags = SYM_PARAM | SYM_LOCAL, .where = WHERE_LOCAL, .reg = -1};
    u->vars[0] = y;
    name_set_bound(u, 0);
    return true;
}

/* Numbers the variables: parameters come first in the scope, the rest by appearance. */
static bool number_variables(unit *u)
{
    scope *s = u->scope;
    bool function = unit_is_function(u), comp = s->kind == SCOPE_COMP || s->kind == SCOPE_GENEXPR;
    uint32_t n = function ? comp : 1 + s->class_cell;
    for (symbol *y = s->syms; y && function; y = y->next) {
        if (y->where == WHERE_LOCAL || y->where == WHERE_CELL) y->var = (int32_t)n++;
    }
    u->nvars = n;
    uint32_t nparams = 0;
    for (symbol *y = s->syms; y && function; y = y->next) nparams += (y->flags & SYM_PARAM) != 0;
    /* The parameters are bound side by side: if they don't fit, all variables lie high. */
    u->nlow = nparams > MAX_LOW_LOCALS ? 0 : n < MAX_LOW_LOCALS ? n : MAX_LOW_LOCALS;
    u->nwords = function ? (n + 63) / 64 : 0;
    if (n > 60000) {
        comp_error_node(u->c, s->node, "more than 60000 local variables are not supported");
        return false;
    }
    u->vars = comp_alloc_array(u->c, n ? n : 1, sizeof *u->vars);
    u->bound = comp_alloc_array(u->c, u->nwords + 1, sizeof(uint64_t));
    u->deletable = comp_alloc_array(u->c, u->nwords + 1, sizeof(uint64_t));
    u->blocks = comp_alloc_array(u->c, BLOCK_SLOTS, sizeof *u->blocks);
    if (u->c->failed) return false;
    if (comp && !comp_argument(u)) return false;
    for (symbol *y = s->syms; y && function; y = y->next) {
        if (y->var < 0) continue;
        u->vars[y->var] = y;
        if (y->flags & SYM_PARAM) name_set_bound(u, y->var);
        if (y->flags & SYM_DEL) u->deletable[y->var / 64] |= UINT64_C(1) << (y->var & 63);
    }
    return true;
}

static void make_cells(unit *u)
{
    if (u->scope->kind == SCOPE_CLASS && u->scope->class_cell) {
        emit(u, OP_UNBIND, 1, 0, 0);
        emit(u, OP_MAKECELL, 1, 0, 0);
    }
    if (!unit_is_function(u)) return;
    for (uint32_t i = 0; i < u->nvars && !u->c->failed; i++) {
        if (u->vars[i]->where != WHERE_CELL) continue;
        if (i < u->nlow) {
            emit(u, OP_MAKECELL, (int)i, 0, 0);
        } else { /* unbound so far: no parameter lies that high */
            uint32_t reg = HIGH_BASE + i - u->nlow;
            emit_d(u, OP_LOADX, temp(u), reg);
            emit(u, OP_MAKECELL, u->top, 0, 0);
            emit_d(u, OP_STOREX, u->top, reg);
        }
    }
}

unit *unit_begin(compiler *c, scope *s, ast *node, str *name, uint32_t flags)
{
    unit *u = comp_alloc(c, sizeof *u);
    if (!u || !name) return NULL;
    u->c = c;
    u->parent = c->unit;
    u->scope = u->cur = s;
    u->name = name;
    u->doc = V_NONE;
    u->qualname = make_qualname(c, u->parent, s, name);
    u->first = node->start;
    u->at = (span){node->start, node->start};
    if (!u->qualname || !number_variables(u)) return NULL;
    if (u->parent && u->parent->scope->kind != SCOPE_MODULE) flags |= CODE_NESTED;
    if (unit_is_function(u)) {
        flags |= CODE_NEWLOCALS;
        if (s->coroutine && s->generator) flags |= CODE_ASYNC_GEN;
        else if (s->coroutine) flags |= s->kind == SCOPE_GENEXPR ? CODE_ASYNC_GEN : CODE_COROUTINE;
        else if (s->generator || s->kind == SCOPE_GENEXPR) flags |= CODE_GENERATOR;
    }
    u->flags = flags;
    u->top = u->spill_base = u->maxreg = (int)u->nlow;
    c->unit = u;
    make_cells(u);
    return u;
}

void unit_return(unit *u, int reg)
{
    unsigned op = u->flags & (CODE_GENERATOR | CODE_ASYNC_GEN) ? OP_RETGEN
                  : u->flags & CODE_COROUTINE                  ? OP_RETCORO
                                                               : OP_RETURN;
    if (reg < 0 && op == OP_RETURN) {
        emit(u, OP_RETURNNONE, 0, 0, 0);
        return;
    }
    if (reg < 0) {
        reg = temp(u);
        emit(u, OP_LOADNONE, reg, 0, 0);
    }
    emit(u, op, reg, 0, 0);
}

code *unit_end(unit *u)
{
    unit_return(u, -1);
    code *k = u->c->failed ? NULL : assemble(u);
    u->c->unit = u->parent;
    if (k && value_is_unbound(comp_keep(u->c, value_obj(k)))) return NULL;
    if (!k) u->c->failed = true;
    return k;
}

/* ---- from __future__ ---- */

static bool is_future(const ast *s)
{
    if (s->kind != AST_ImportFrom) return false;
    const ast_name *m = AST_AS(ImportFrom, s)->module;
    return m && !AST_AS(ImportFrom, s)->level && m->len == 10 && !memcmp(m->text, "__future__", 10);
}

static void check_feature(compiler *c, ast *s, const ast_name *f)
{
    static const char *const known[] = {"nested_scopes",    "generators",     "division",
                                        "absolute_import",  "with_statement", "print_function",
                                        "unicode_literals", "barry_as_FLUFL", "generator_stop"};
    if (!strcmp(f->text, "annotations")) {
        c->future_annotations = true;
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!strcmp(f->text, known[i])) return;
    }
    if (!strcmp(f->text, "braces")) comp_error_node(c, s, "not a chance");
    else comp_error_node(c, s, "future feature %s is not defined", f->text);
}

static void read_futures(compiler *c, ast_seq *body)
{
    bool early = true;
    for (uint32_t i = 0; i < body->n && !c->failed; i++) {
        ast *s = body->items[i];
        if (is_future(s)) {
            if (!early) {
                comp_error_node(c, s, "from __future__ imports must occur at the beginning of the file");
                return;
            }
            ast_seq *names = AST_AS(ImportFrom, s)->names;
            for (uint32_t j = 0; j < names->n && !c->failed; j++)
                check_feature(c, s, AST_AS(alias, names->items[j])->name);
        } else if (i > 0 || s->kind != AST_Expr || AST_AS(Expr, s)->value->kind != AST_Constant) {
            early = false;
        }
    }
}

/* ---- the whole ---- */

static void module_body(unit *u, ast_seq *body)
{
    if (u->scope->annotations) emit(u, OP_SETUPANNOT, 0, 0, 0);
    str *doc = const_docstring(u->c, body);
    if (doc && u->c->mode == COMPILE_FILE) {
        span old = unit_at(u, body->items[0]);
        emit_value(u, value_obj(doc), temp(u));
        name_store(u, N(u->c->vm, __doc__), u->top);
        u->at = old;
        u->doc = value_obj(doc);
    }
    stmt_body(u, body);
}

static code *compile_module(compiler *c, scope *top)
{
    ast *m = c->parse.module;
    uint32_t flags = CODE_MODULE;
    if (top->coroutine && (c->flags & COMPILE_TOP_AWAIT)) flags |= CODE_HAS_AWAIT | CODE_COROUTINE;
    str *name = str_intern_utf8(c->vm, "<module>", 8);
    if (value_is_unbound(comp_keep(c, name ? value_obj(name) : V_UNBOUND))) return NULL;
    unit *u = unit_begin(c, top, m, name, flags);
    if (!u) return NULL;
    u->first = 0;
    u->at = (span){0, 0};
    switch (m->kind) {
    case AST_Module: module_body(u, AST_AS(Module, m)->body); break;
    case AST_Interactive: module_body(u, AST_AS(Interactive, m)->body); break;
    default: unit_return(u, expr_last(u, AST_AS(Expression, m)->body)); break;
    }
    return unit_end(u);
}

static code *compile_tree(compiler *c)
{
    ast *m = c->parse.module;
    c->names = comp_alloc_array(c, c->parse.nnames + 2, sizeof *c->names);
    if (m->kind == AST_Module) read_futures(c, AST_AS(Module, m)->body);
    scope *top = c->failed ? NULL : symtable_build(c, m);
    if (!top) return NULL;
    fold_module(c, m);
    return c->failed ? NULL : compile_module(c, top);
}

/* With COMPILE_INCOMPLETE an interactive statement may turn out to need more lines; else it has to
 * be whole. */
static parse_status parse(compiler *c, const char *src, size_t n, const char *name)
{
    unsigned flags = c->flags & COMPILE_IS_TEXT ? PARSE_IS_TEXT : 0;
    parse_mode pm = c->mode == COMPILE_EVAL     ? PARSE_EVAL
                    : c->mode == COMPILE_SINGLE ? PARSE_SINGLE
                    : c->mode == COMPILE_CELL   ? PARSE_CELL
                                                : PARSE_FILE;
    parse_status st = parse_source(&c->arena, src, n, name, pm, flags, &c->parse);
    if (st != PARSE_INCOMPLETE || (c->flags & COMPILE_INCOMPLETE)) return st;
    char *text = comp_alloc(c, n + 3);
    if (!text) return PARSE_NOMEM;
    memcpy(text, src, n);
    memcpy(text + n, "\n\n", 2);
    st = parse_source(&c->arena, text, n + 2, name, pm, flags, &c->parse);
    if (st != PARSE_INCOMPLETE) return st;
    st = parse_source(&c->arena, src, n, name, PARSE_FILE, flags, &c->parse); /* for its message */
    if (st == PARSE_OK) {
        comp_error(c, (span){c->parse.len, c->parse.len}, "incomplete input");
        return PARSE_NOMEM;
    }
    return st;
}

code *compile_source(vm *vm, const char *src, size_t n, str *filename, enum compile_mode mode, unsigned flags,
                     bool *incomplete)
{
    compiler c = {.vm = vm, .filename = filename, .mode = mode, .flags = flags};
    code *k = NULL;
    str *text = NULL;
    ROOTS(vm, &c.keep, &k, &c.filename, &text);
    if (incomplete) *incomplete = false;
    arena_init(&c.arena, arena_memory, vm);
    c.warnings_end = &c.warnings;
    c.keep = list_new(vm, 64);
    size_t len;
    const char *name = c.keep ? str_wtf8(vm, filename, &len) : NULL;
    if (!name) goto out;
    if (!(flags & COMPILE_IS_TEXT)) {
        text = source_decode(vm, src, n);
        if (raised(vm)) goto out;
        if (text && !(src = str_utf8(vm, text, &n))) goto out;
        if (text) c.flags |= COMPILE_IS_TEXT;
    }
    switch (parse(&c, src, n, name)) {
    case PARSE_OK: k = compile_tree(&c); break;
    case PARSE_INCOMPLETE:
        if (!incomplete) break;
        *incomplete = true;
        goto out;
    case PARSE_ERROR: comp_raise_diag(&c, &c.parse.diag); break;
    case PARSE_NOMEM:
        if (!raised(vm)) raise_memory(vm);
        break;
    }
    if (k && !comp_report_warnings(&c)) k = NULL;
    if (!k && !raised(vm)) raise(vm, EXC_SystemError, "compilation failed without an error");
out:
    arena_free(&c.arena);
    return k;
}
