/* The symbol table pass: scopes, what their names are, and CPython's complaints about them.
 *
 * Three steps. `visit` walks the tree and notes in each scope how every name occurs. Then, in
 * symtable_resolve.c, `decide`
 * settles, innermost first, which comprehensions are inlined. `resolve` then finds each name's
 * variable, outermost first, turns captured variables into cells and passes them down through the
 * scopes between.
 */
#include "symtable.h"

#include "compile.h"

#include <stdlib.h>

static void visit(compiler *c, ast *n);
static void visit_seq(compiler *c, ast_seq *s);

/* ---- scopes and symbols ---- */

static uint32_t pointer_hash(const void *p)
{
    uint64_t h = (uint64_t)(uintptr_t)p >> 3;
    return (uint32_t)((h * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

symbol *scope_find(const scope *s, const str *name)
{
    if (!s->cap) return NULL;
    for (uint32_t i = pointer_hash(name) & (s->cap - 1);; i = (i + 1) & (s->cap - 1)) {
        symbol *sym = s->table[i];
        if (!sym || sym->name == name) return sym;
    }
}

static bool scope_grow(compiler *c, scope *s)
{
    uint32_t cap = s->cap ? s->cap * 2 : 8;
    symbol **table = comp_alloc_array(c, cap, sizeof *table);
    if (!table) return false;
    for (symbol *y = s->syms; y; y = y->next) {
        uint32_t i = pointer_hash(y->name) & (cap - 1);
        while (table[i]) i = (i + 1) & (cap - 1);
        table[i] = y;
    }
    s->table = table;
    s->cap = cap;
    return true;
}

/* The symbol of that name, made if it is new; NULL: failed. */
symbol *scope_add(compiler *c, scope *s, str *name, uint32_t flags)
{
    if (c->failed || !name) return NULL;
    symbol *sym = scope_find(s, name);
    if (!sym) {
        if ((s->nsyms + 1) * 2 > s->cap && !scope_grow(c, s)) return NULL;
        sym = comp_alloc(c, sizeof *sym);
        if (!sym) return NULL;
        sym->name = name;
        sym->var = sym->reg = -1;
        *s->syms_end = sym;
        s->syms_end = &sym->next;
        s->nsyms++;
        uint32_t i = pointer_hash(name) & (s->cap - 1);
        while (s->table[i]) i = (i + 1) & (s->cap - 1);
        s->table[i] = sym;
    }
    sym->flags |= flags;
    return sym;
}

static bool map_scope(compiler *c, scope *s)
{
    if ((c->scopes.n + 1) * 2 > c->scopes.cap) {
        uint32_t cap = c->scopes.cap ? c->scopes.cap * 2 : 16;
        scope **slots = comp_alloc_array(c, cap, sizeof *slots);
        if (!slots) return false;
        for (uint32_t j = 0; j < c->scopes.cap; j++) {
            if (!c->scopes.slots[j]) continue;
            uint32_t i = pointer_hash(c->scopes.slots[j]->key) & (cap - 1);
            while (slots[i]) i = (i + 1) & (cap - 1);
            slots[i] = c->scopes.slots[j];
        }
        c->scopes.slots = slots;
        c->scopes.cap = cap;
    }
    uint32_t i = pointer_hash(s->key) & (c->scopes.cap - 1);
    while (c->scopes.slots[i]) i = (i + 1) & (c->scopes.cap - 1);
    c->scopes.slots[i] = s;
    c->scopes.n++;
    return true;
}

scope *symtable_scope(compiler *c, const void *key)
{
    for (uint32_t i = pointer_hash(key) & (c->scopes.cap - 1);; i = (i + 1) & (c->scopes.cap - 1)) {
        scope *s = c->scopes.slots[i];
        if (!s || s->key == key) return s;
    }
}

int32_t scope_free_index(const scope *s, const str *name)
{
    for (uint32_t i = 0; i < s->nfree; i++) {
        if (s->free[i] == name) return (int32_t)i;
    }
    return -1;
}

static bool scope_push_key(compiler *c, enum scope_kind kind, ast *node, const void *key)
{
    scope *s = comp_alloc(c, sizeof *s);
    if (!s) return false;
    s->kind = (uint8_t)kind;
    s->node = node;
    s->key = key;
    s->last = &s->first;
    s->syms_end = &s->syms;
    s->parent = c->scope;
    if (c->scope) {
        *c->scope->last = s;
        c->scope->last = &s->next;
        s->klass = c->scope->klass;
        s->iter_expr = c->scope->iter_expr;
    }
    c->scope = s;
    return map_scope(c, s);
}

static bool scope_push(compiler *c, enum scope_kind kind, ast *node) { return scope_push_key(c, kind, node, node); }

static symbol *define(compiler *c, const ast_name *name, uint32_t flags, const ast *at)
{
    scope *s = c->scope;
    str *n = comp_mangle(c, s->klass, name);
    symbol *sym = n ? scope_find(s, n) : NULL;
    if (name->len == 9 && !memcmp(name->text, "__debug__", 9)) {
        comp_error_node(
            c, at, flags & SYM_DEL && at->kind == AST_Name ? "cannot delete __debug__" : "cannot assign to __debug__");
        return NULL;
    }
    if (sym && (flags & sym->flags & SYM_PARAM)) {
        comp_error_node(c, at, "duplicate argument '%U' in function definition", n);
        return NULL;
    }
    if (flags & SYM_TYPE_PARAM && sym && sym->flags & SYM_TYPE_PARAM) {
        comp_error_node(c, at, "duplicate type parameter '%U'", n);
        return NULL;
    }
    if (s->iter_target) {
        if (sym && (sym->flags & (SYM_GLOBAL | SYM_NONLOCAL))) {
            comp_error_node(c, at, "comprehension inner loop cannot rebind assignment expression target '%U'", n);
            return NULL;
        }
        flags |= SYM_ITER;
    }
    return scope_add(c, s, n, flags);
}

/* ---- the walk ---- */

static void use_name(compiler *c, struct ast_Name *e)
{
    str *n = comp_mangle(c, c->scope->klass, e->id);
    if (!scope_add(c, c->scope, n, SYM_USE)) return;
    /* A comprehension that reads a variable of its own too early can't keep it in a temporary. */
    for (scope *s = c->scope; s && scope_is_comp(s); s = s->parent) {
        symbol *sym = scope_find(s, n);
        if (sym && (sym->flags & SYM_BOUND)) break;
        if (!scope_add(c, s, n, s == c->scope ? SYM_USE | SYM_EARLY : SYM_EARLY)) return;
    }
    if (scope_is_function(c->scope) && e->id->len == 5 && !memcmp(e->id->text, "super", 5))
        scope_add(c, c->scope, N(c->vm, __class__), SYM_USE);
}

/* An annotation that is kept as text is not compiled, but may not contain these. */
static void check_annotation(compiler *c, ast *n)
{
    if (c->failed || comp_too_deep(c)) return;
    const char *what = n->kind == AST_NamedExpr                           ? "named expression"
                       : n->kind == AST_Await                             ? "await expression"
                       : n->kind == AST_Yield || n->kind == AST_YieldFrom ? "yield expression"
                                                                          : NULL;
    if (what) {
        comp_error_node(c, n, "'%s' can not be used within an annotation", what);
        return;
    }
    const struct ast_info *info = &ast_infos[n->kind];
    for (unsigned i = 0; i < info->nfields; i++) {
        void *f = ast_field_at(n, i);
        if (info->fields[i].type == AST_FIELD_NODE || info->fields[i].type == AST_FIELD_OPT) {
            if (*(ast **)f) check_annotation(c, *(ast **)f);
        } else if (info->fields[i].type == AST_FIELD_SEQ || info->fields[i].type == AST_FIELD_OPTSEQ) {
            ast_seq *s = *(ast_seq **)f;
            for (uint32_t j = 0; j < s->n; j++) {
                if (s->items[j]) check_annotation(c, s->items[j]);
            }
        }
    }
}

static void visit_annotation(compiler *c, ast *n)
{
    if (c->future_annotations) check_annotation(c, n);
    else visit(c, n);
}

static void visit_arg_annotations(compiler *c, ast_seq *args)
{
    for (uint32_t i = 0; i < args->n; i++) {
        ast *a = AST_AS(arg, args->items[i])->annotation;
        if (a) visit_annotation(c, a);
    }
}

/* What is evaluated in the enclosing scope. */
static void visit_defaults(compiler *c, struct ast_arguments *a)
{
    visit_seq(c, a->defaults);
    for (uint32_t i = 0; i < a->kw_defaults->n; i++) {
        if (a->kw_defaults->items[i]) visit(c, a->kw_defaults->items[i]);
    }
}

static void visit_annotations(compiler *c, struct ast_arguments *a, ast *returns)
{
    visit_arg_annotations(c, a->posonlyargs);
    visit_arg_annotations(c, a->args);
    if (a->vararg && AST_AS(arg, a->vararg)->annotation) visit_annotation(c, AST_AS(arg, a->vararg)->annotation);
    if (a->kwarg && AST_AS(arg, a->kwarg)->annotation) visit_annotation(c, AST_AS(arg, a->kwarg)->annotation);
    visit_arg_annotations(c, a->kwonlyargs);
    if (returns) visit_annotation(c, returns);
}

static void define_params(compiler *c, ast_seq *args)
{
    for (uint32_t i = 0; i < args->n; i++)
        define(c, AST_AS(arg, args->items[i])->arg, SYM_PARAM | SYM_LOCAL, args->items[i]);
}

static void visit_params(compiler *c, struct ast_arguments *a)
{
    define_params(c, a->posonlyargs);
    define_params(c, a->args);
    define_params(c, a->kwonlyargs);
    if (a->vararg) define(c, AST_AS(arg, a->vararg)->arg, SYM_PARAM | SYM_LOCAL, a->vararg);
    if (a->kwarg) define(c, AST_AS(arg, a->kwarg)->arg, SYM_PARAM | SYM_LOCAL, a->kwarg);
}

/* ---- type parameters ---- */

str *scope_name(compiler *c, enum scope_name which)
{
    static const char *const names[] = {".defaults", ".kwdefaults", ".classdict", ".type_params", ".generic_base"};
    str *s = c->failed ? NULL : str_intern_utf8(c->vm, names[which], strlen(names[which]));
    return value_is_unbound(comp_keep(c, s ? value_obj(s) : V_UNBOUND)) ? NULL : s;
}

static ast_seq *type_params_of(const ast *n)
{
    return n->kind == AST_ClassDef    ? ((const struct ast_ClassDef *)n)->type_params
           : n->kind == AST_TypeAlias ? ((const struct ast_TypeAlias *)n)->type_params
                                      : ((const struct ast_FunctionDef *)n)->type_params;
}

const void *scope_type_key(const ast *n)
{
    /* An alias without parameters needs the scope inside a class, to see its names. */
    if (n->kind == AST_TypeAlias) return ((const struct ast_TypeAlias *)n)->name;
    return type_params_of(n)->n ? type_params_of(n) : NULL;
}

static bool defaults_in(const struct ast_arguments *a, bool keyword)
{
    if (!keyword) return a->defaults->n;
    for (uint32_t i = 0; i < a->kw_defaults->n; i++) {
        if (a->kw_defaults->items[i]) return true;
    }
    return false;
}

/* What is evaluated later sees the names of the class around its type parameters. */
static void use_class_names(compiler *c)
{
    scope *s = c->scope;
    while (s && scope_is_type(s)) s = s->parent;
    if (s && s->kind == SCOPE_CLASS) scope_add(c, c->scope, scope_name(c, NAME_CLASSDICT), SYM_USE);
}

static void visit_later(compiler *c, enum scope_kind kind, ast *key, ast *value)
{
    scope *outer = c->scope;
    if (!scope_push_key(c, kind, value, key)) return;
    use_class_names(c);
    visit(c, value);
    c->scope = outer;
}

/* Opens the scope of n's type parameters, whose own parameters are what its maker hands in. */
static bool enter_type_params(compiler *c, ast *n, const struct ast_arguments *a)
{
    bool in_class = c->scope->kind == SCOPE_CLASS;
    ast_seq *params = type_params_of(n);
    if (!scope_push_key(c, SCOPE_TYPE_PARAMS, n, scope_type_key(n))) return false;
    scope *s = c->scope;
    if (a && defaults_in(a, false)) scope_add(c, s, scope_name(c, NAME_DEFAULTS), SYM_PARAM | SYM_LOCAL);
    if (a && defaults_in(a, true)) scope_add(c, s, scope_name(c, NAME_KWDEFAULTS), SYM_PARAM | SYM_LOCAL);
    if (in_class) scope_add(c, s, scope_name(c, NAME_CLASSDICT), SYM_PARAM | SYM_LOCAL);
    scope_add(c, s, scope_name(c, NAME_TYPE_PARAMS), SYM_LOCAL);
    for (uint32_t i = 0; i < params->n && !c->failed; i++) {
        ast *p = params->items[i]; /* the three kinds begin with the name */
        define(c, AST_AS(TypeVar, p)->name, SYM_LOCAL | SYM_TYPE_PARAM, p);
        if (p->kind == AST_TypeVar && AST_AS(TypeVar, p)->bound)
            visit_later(c, SCOPE_BOUND, p, AST_AS(TypeVar, p)->bound);
    }
    return !c->failed;
}

static void visit_alias(compiler *c, ast *n)
{
    struct ast_TypeAlias *s = AST_AS(TypeAlias, n);
    scope *outer = c->scope;
    visit(c, s->name);
    if (!enter_type_params(c, n, NULL)) return;
    visit_later(c, SCOPE_ALIAS, n, s->value);
    c->scope = outer;
}

static void check_type_scope(compiler *c, ast *n, const char *what)
{
    const scope *s = c->scope;
    while (scope_is_comp(s)) s = s->parent;
    if (!scope_is_type(s)) return;
    comp_error_node(c, n, "%s cannot be used within %s", what,
                    s->kind == SCOPE_BOUND   ? "a TypeVar bound"
                    : s->kind == SCOPE_ALIAS ? "a type alias"
                                             : "the definition of a generic");
}

/* ---- functions and classes ---- */

static void visit_function(compiler *c, ast *n)
{
    struct ast_FunctionDef *s = AST_AS(FunctionDef, n); /* AsyncFunctionDef has the same fields */
    struct ast_arguments *a = AST_AS(arguments, s->args);
    scope *outer = c->scope;
    define(c, s->name, SYM_LOCAL, n);
    visit_defaults(c, a);
    if (!s->type_params->n) visit_annotations(c, a, s->returns);
    visit_seq(c, s->decorator_list);
    if (s->type_params->n) {
        if (!enter_type_params(c, n, a)) return;
        visit_annotations(c, a, s->returns);
    }
    if (!scope_push(c, SCOPE_FUNCTION, n)) return;
    c->scope->coroutine = n->kind == AST_AsyncFunctionDef;
    visit_params(c, a);
    visit_seq(c, s->body);
    c->scope = outer;
}

static void visit_class(compiler *c, ast *n)
{
    struct ast_ClassDef *s = AST_AS(ClassDef, n);
    scope *outer = c->scope;
    define(c, s->name, SYM_LOCAL, n);
    visit_seq(c, s->decorator_list);
    if (s->type_params->n) {
        if (!enter_type_params(c, n, NULL)) return;
        scope_add(c, c->scope, scope_name(c, NAME_GENERIC), SYM_LOCAL);
    }
    visit_seq(c, s->bases);
    visit_seq(c, s->keywords);
    if (!scope_push(c, SCOPE_CLASS, n)) return;
    if (s->type_params->n) scope_add(c, c->scope, scope_name(c, NAME_TYPE_PARAMS), SYM_USE);
    c->scope->klass = s->name;
    visit_seq(c, s->body);
    c->scope = outer;
}

static void visit_lambda(compiler *c, ast *n)
{
    struct ast_Lambda *e = AST_AS(Lambda, n);
    visit_defaults(c, AST_AS(arguments, e->args));
    scope *outer = c->scope;
    if (!scope_push(c, SCOPE_LAMBDA, n)) return;
    visit_params(c, AST_AS(arguments, e->args));
    visit(c, e->body);
    c->scope = outer;
}

static void visit_iterable(compiler *c, ast *iter)
{
    c->scope->iter_expr++;
    visit(c, iter);
    c->scope->iter_expr--;
}

static void visit_comprehension(compiler *c, ast *n, ast_seq *generators, ast *elt, ast *val)
{
    bool genexpr = n->kind == AST_GeneratorExp;
    struct ast_comprehension *g = AST_AS(comprehension, generators->items[0]);
    visit_iterable(c, g->iter);
    scope *outer = c->scope;
    if (!scope_push(c, genexpr ? SCOPE_GENEXPR : SCOPE_COMP, n)) return;
    scope *s = c->scope;
    for (uint32_t i = 0; i < generators->n; i++) {
        g = AST_AS(comprehension, generators->items[i]);
        if (g->is_async) s->coroutine = true;
        if (i) visit_iterable(c, g->iter);
        s->iter_target = true;
        visit(c, g->target);
        s->iter_target = false;
        visit_seq(c, g->ifs);
    }
    visit(c, elt);
    if (val) visit(c, val);
    c->scope = outer;
    if (s->coroutine && !genexpr) outer->coroutine = true;
}

static const char *comp_noun(const scope *s)
{
    switch (s->node->kind) {
    case AST_ListComp: return "list comprehension";
    case AST_SetComp: return "set comprehension";
    case AST_DictComp: return "dict comprehension";
    default: return "generator expression";
    }
}

/* `name := ...` inside a comprehension binds in the scope around all comprehensions. */
static void bind_outside(compiler *c, ast *n)
{
    struct ast_Name *target = AST_AS(Name, n);
    str *name = comp_mangle(c, c->scope->klass, target->id);
    if (!name) return;
    scope *s = c->scope;
    for (; scope_is_comp(s); s = s->parent) {
        symbol *sym = scope_find(s, name);
        if (sym && (sym->flags & SYM_ITER)) {
            comp_error_node(c, n, "assignment expression cannot rebind comprehension iteration variable '%U'", name);
            return;
        }
    }
    if (s->kind == SCOPE_CLASS) {
        comp_error_node(c, n, "assignment expression within a comprehension cannot be used in a class body");
        return;
    }
    symbol *sym = scope_find(s, name);
    bool global = s->kind == SCOPE_MODULE || (sym && (sym->flags & SYM_GLOBAL));
    symbol *own = scope_add(c, c->scope, name, global ? SYM_GLOBAL : SYM_NONLOCAL);
    if (own) own->start = n->start, own->end = n->end;
    scope_add(c, s, name, s->kind == SCOPE_MODULE ? SYM_GLOBAL : SYM_LOCAL | SYM_WALRUS);
}

static void visit_walrus(compiler *c, ast *n)
{
    struct ast_NamedExpr *e = AST_AS(NamedExpr, n);
    check_type_scope(c, n, "named expression");
    if (c->scope->iter_expr) {
        comp_error_node(c, n, "assignment expression cannot be used in a comprehension iterable expression");
        return;
    }
    if (scope_is_comp(c->scope)) bind_outside(c, e->target);
    visit(c, e->value);
    if (!scope_is_comp(c->scope)) define(c, AST_AS(Name, e->target)->id, SYM_LOCAL | SYM_WALRUS, e->target);
}

/* A global statement anywhere makes the name one of the module's own code, too: that counts where exec gets other
 * locals than globals. */
static void declare_at_top(compiler *c, str *name)
{
    scope *top = c->scope;
    while (top->parent) top = top->parent;
    if (top != c->scope) scope_add(c, top, name, SYM_GLOBAL);
}

static void visit_declaration(compiler *c, ast *n, ast_ids *names, bool global)
{
    for (uint32_t i = 0; i < names->n && !c->failed; i++) {
        str *name = comp_mangle(c, c->scope->klass, names->items[i]);
        if (!name) return;
        symbol *sym = scope_find(c->scope, name);
        uint32_t f = sym ? sym->flags : 0;
        const char *what = global ? "global" : "nonlocal";
        if (f & SYM_PARAM) comp_error_node(c, n, "name '%U' is parameter and %s", name, what);
        else if (f & SYM_USE) comp_error_node(c, n, "name '%U' is used prior to %s declaration", name, what);
        else if (f & SYM_ANNOT) comp_error_node(c, n, "annotated name '%U' can't be %s", name, what);
        else if (f & SYM_LOCAL) comp_error_node(c, n, "name '%U' is assigned to before %s declaration", name, what);
        else if ((sym = scope_add(c, c->scope, name, global ? SYM_GLOBAL : SYM_NONLOCAL)) && sym->end == 0)
            sym->start = n->start, sym->end = n->end;
        if (global) declare_at_top(c, name);
    }
}

static void visit_annassign(compiler *c, ast *n)
{
    struct ast_AnnAssign *s = AST_AS(AnnAssign, n);
    if (!scope_is_function(c->scope)) c->scope->annotations = true;
    if (s->target->kind == AST_Name) {
        const ast_name *id = AST_AS(Name, s->target)->id;
        str *name = comp_mangle(c, c->scope->klass, id);
        if (!name) return;
        symbol *sym = scope_find(c->scope, name);
        if (sym && (sym->flags & (SYM_GLOBAL | SYM_NONLOCAL)) && c->scope->kind != SCOPE_MODULE && s->simple) {
            comp_error_node(c, n, "annotated name '%U' can't be %s", name,
                            sym->flags & SYM_GLOBAL ? "global" : "nonlocal");
            return;
        }
        if (s->simple) define(c, id, SYM_ANNOT | SYM_LOCAL, s->target);
        else if (s->value) define(c, id, SYM_LOCAL, s->target);
    } else {
        visit(c, s->target);
    }
    visit_annotation(c, s->annotation);
    if (s->value) visit(c, s->value);
}

static void visit_import(compiler *c, ast_seq *names)
{
    for (uint32_t i = 0; i < names->n; i++) {
        struct ast_alias *a = AST_AS(alias, names->items[i]);
        if (a->asname) {
            define(c, a->asname, SYM_IMPORT, names->items[i]);
            continue;
        }
        const char *dot = memchr(a->name->text, '.', a->name->len);
        if (a->name->len == 1 && a->name->text[0] == '*') {
            if (c->scope->kind != SCOPE_MODULE)
                comp_error_node(c, names->items[i], "import * only allowed at module level");
        } else if (!dot) {
            define(c, a->name, SYM_IMPORT, names->items[i]);
        } else {
            str *s = str_intern_utf8(c->vm, a->name->text, (size_t)(dot - a->name->text));
            if (value_is_unbound(comp_keep(c, s ? value_obj(s) : V_UNBOUND))) return;
            scope_add(c, c->scope, s, SYM_IMPORT);
        }
    }
}

static void visit_yield(compiler *c, ast *n, ast *val)
{
    if (val) visit(c, val);
    check_type_scope(c, n, "yield expression");
    if (scope_is_comp(c->scope)) {
        comp_error_node(c, n, "'yield' inside %s", comp_noun(c->scope));
        return;
    }
    c->scope->generator = true;
}

static void visit_handler(compiler *c, ast *n)
{
    struct ast_ExceptHandler *h = AST_AS(ExceptHandler, n);
    if (h->type) visit(c, h->type);
    if (h->name) define(c, h->name, SYM_LOCAL | SYM_DEL, n);
    visit_seq(c, h->body);
}

/* Down a chain of elif without recursion. */
static void visit_if(compiler *c, struct ast_If *s)
{
    for (;;) {
        visit(c, s->test);
        visit_seq(c, s->body);
        if (s->orelse->n != 1 || s->orelse->items[0]->kind != AST_If) break;
        s = AST_AS(If, s->orelse->items[0]);
    }
    visit_seq(c, s->orelse);
}

static void visit_seq(compiler *c, ast_seq *s)
{
    for (uint32_t i = 0; i < s->n && !c->failed; i++) {
        if (s->items[i]) visit(c, s->items[i]);
    }
}

static void visit_children(compiler *c, ast *n)
{
    const struct ast_info *info = &ast_infos[n->kind];
    for (unsigned i = 0; i < info->nfields && !c->failed; i++) {
        void *f = ast_field_at(n, i);
        switch (info->fields[i].type) {
        case AST_FIELD_NODE:
        case AST_FIELD_OPT:
            if (*(ast **)f) visit(c, *(ast **)f);
            break;
        case AST_FIELD_SEQ:
        case AST_FIELD_OPTSEQ: visit_seq(c, *(ast_seq **)f); break;
        default: break;
        }
    }
}

static void visit(compiler *c, ast *n)
{
    if (c->failed || comp_too_deep(c)) return;
    switch (n->kind) {
    case AST_FunctionDef:
    case AST_AsyncFunctionDef: visit_function(c, n); break;
    case AST_ClassDef: visit_class(c, n); break;
    case AST_Lambda: visit_lambda(c, n); break;
    case AST_ListComp:
    case AST_SetComp:
    case AST_GeneratorExp:
        visit_comprehension(c, n, AST_AS(ListComp, n)->generators, AST_AS(ListComp, n)->elt, NULL);
        break;
    case AST_DictComp:
        visit_comprehension(c, n, AST_AS(DictComp, n)->generators, AST_AS(DictComp, n)->key,
                            AST_AS(DictComp, n)->value);
        break;
    case AST_NamedExpr: visit_walrus(c, n); break;
    case AST_Name: {
        struct ast_Name *e = AST_AS(Name, n);
        if (e->ctx == AST_Load) use_name(c, e);
        else define(c, e->id, e->ctx == AST_Del ? SYM_LOCAL | SYM_DEL : SYM_LOCAL, n);
        break;
    }
    case AST_Global: visit_declaration(c, n, AST_AS(Global, n)->names, true); break;
    case AST_Nonlocal: visit_declaration(c, n, AST_AS(Nonlocal, n)->names, false); break;
    case AST_AnnAssign: visit_annassign(c, n); break;
    case AST_Import: visit_import(c, AST_AS(Import, n)->names); break;
    case AST_ImportFrom: visit_import(c, AST_AS(ImportFrom, n)->names); break;
    case AST_Yield: visit_yield(c, n, AST_AS(Yield, n)->value); break;
    case AST_YieldFrom: visit_yield(c, n, AST_AS(YieldFrom, n)->value); break;
    case AST_Await:
        check_type_scope(c, n, "await expression");
        visit(c, AST_AS(Await, n)->value);
        c->scope->coroutine = true;
        break;
    case AST_AsyncFor:
    case AST_AsyncWith:
        if (c->scope->kind == SCOPE_MODULE) c->scope->coroutine = true;
        visit_children(c, n);
        break;
    case AST_If: visit_if(c, AST_AS(If, n)); break;
    case AST_ExceptHandler: visit_handler(c, n); break;
    case AST_MatchAs:
        if (AST_AS(MatchAs, n)->pattern) visit(c, AST_AS(MatchAs, n)->pattern);
        if (AST_AS(MatchAs, n)->name) define(c, AST_AS(MatchAs, n)->name, SYM_LOCAL, n);
        break;
    case AST_MatchStar:
        if (AST_AS(MatchStar, n)->name) define(c, AST_AS(MatchStar, n)->name, SYM_LOCAL, n);
        break;
    case AST_MatchMapping:
        visit_children(c, n);
        if (AST_AS(MatchMapping, n)->rest) define(c, AST_AS(MatchMapping, n)->rest, SYM_LOCAL, n);
        break;
    case AST_TypeAlias: visit_alias(c, n); break;
    default: visit_children(c, n); break;
    }
}

scope *symtable_build(compiler *c, ast *module)
{
    c->scope = NULL;
    if (!scope_push(c, SCOPE_MODULE, module)) return NULL;
    scope *top = c->scope;
    visit_children(c, module);
    if (!c->failed) symtable_decide(c, top);
    if (!c->failed) symtable_resolve(c, top);
    return c->failed ? NULL : top;
}
