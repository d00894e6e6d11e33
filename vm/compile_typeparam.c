/* Type parameters and type aliases (PEP 695).
 *
 * A definition with type parameters is made by a function of its own, called at once, whose
 * variables are the parameters: they are seen by bases, annotations, bounds and the body, not by
 * decorators and defaults, which are evaluated outside and handed in. Bounds and the values of
 * aliases are functions that the objects of the module _typing call when somebody asks. Inside a
 * class the namespace is handed in too, because all of these see the class's names.
 */
#include "compile.h"

static str *kept(unit *u, str *s) { return value_is_unbound(comp_keep(u->c, s ? value_obj(s) : V_UNBOUND)) ? NULL : s; }

/* r[top] = _typing.<name>, pushed */
static void push_typing(unit *u, const char *name)
{
    int t = temp(u);
    str *module = kept(u, str_intern_utf8(u->c->vm, "_typing", 7));
    str *attr = kept(u, str_intern_utf8(u->c->vm, name, strlen(name)));
    if (!module || !attr) return;
    emit_d(u, OP_IMPORT, t, name_index16(u, module));
    emit_word(u, 0);
    emit_word(u, UINT32_MAX);
    emit_named(u, OP_GETATTR, t, t, 0, attr);
    temp_push(u, 1);
}

static void push_str(unit *u, str *s)
{
    emit_value(u, s ? value_obj(s) : V_UNBOUND, temp(u));
    temp_push(u, 1);
}

static void push_name(unit *u, enum scope_name which)
{
    name_load(u, scope_name(u->c, which), temp(u));
    temp_push(u, 1);
}

/* A function of no arguments that evaluates e in the scope found by key. */
static void push_later(unit *u, const ast *key, ast *e, str *name)
{
    unit *f = unit_begin(u->c, symtable_scope(u->c, key), e, name, 0);
    if (!f) return;
    f->at = node_span(e);
    f->spill_base = f->top;
    unit_return(f, expr_last(f, e));
    code *k = unit_end(f);
    int t = temp(u);
    if (k) func_make(u, k, t, 0, t);
    temp_push(u, 1);
}

/* Makes the variables, and the tuple of them. */
static void make_params(unit *u, ast_seq *params)
{
    for (uint32_t i = 0; i < params->n && !u->c->failed; i++) {
        struct ast_TypeVar *p = (struct ast_TypeVar *)(void *)params->items[i];
        int base = u->top, nargs = 1;
        span old = unit_at(u, &p->base);
        push_typing(u, p->base.kind == AST_TypeVar     ? "_type_var"
                       : p->base.kind == AST_ParamSpec ? "_param_spec"
                                                       : "_type_var_tuple");
        push_str(u, comp_name(u->c, p->name));
        if (p->base.kind == AST_TypeVar && p->bound) {
            push_later(u, &p->base, p->bound, comp_name(u->c, p->name));
            emit(u, p->bound->kind == AST_Tuple ? OP_LOADTRUE : OP_LOADFALSE, temp(u), 0, 0);
            temp_push(u, 1);
            nargs = 3;
        }
        u->top = base;
        emit(u, OP_CALL, base, base, nargs);
        temp_push(u, 1);
        name_store(u, unit_name(u, p->name), base);
        u->top = base;
        u->at = old;
    }
    int list = temp(u);
    emit(u, OP_LIST, list, list, 0);
    temp_push(u, 1);
    for (uint32_t i = 0; i < params->n && !u->c->failed; i++) {
        int t = temp(u);
        name_load(u, unit_name(u, ((struct ast_TypeVar *)(void *)params->items[i])->name), t);
        emit(u, OP_LISTAPPEND, list, t, 0);
    }
    emit(u, OP_LISTTOTUPLE, list, list, 0);
    name_store(u, scope_name(u->c, NAME_TYPE_PARAMS), list);
    u->top = list;
}

static unit *begin(unit *u, ast *n, const ast_name *of, ast_seq *params)
{
    str *name = kept(u, str_format(u->c->vm, "<generic parameters of %s>", of->text));
    unit *f = unit_begin(u->c, symtable_scope(u->c, scope_type_key(n)), n, name, 0);
    if (!f) return NULL;
    f->spill_base = f->top;
    for (symbol *y = f->scope->syms; y; y = y->next) f->argcount += (y->flags & SYM_PARAM) != 0;
    make_params(f, params);
    return f->c->failed ? NULL : f;
}

/* r[dst] = the result of f, which gets the defaults, and the class's namespace inside one. */
static void call(unit *u, unit *f, struct ast_arguments *a, int dst)
{
    code *k = unit_end(f);
    if (!k) return;
    int base = temp(u);
    func_make(u, k, base, 0, base);
    temp_push(u, 1);
    if (a) func_defaults(u, a);
    if (u->scope->kind == SCOPE_CLASS) {
        emit(u, OP_CHECK, 0, 0, 0); /* a script may call the class body's code as a function, without one */
        emit_move(u, temp(u), 0);
        temp_push(u, 1);
    }
    int nargs = u->top - base - 1;
    u->top = base;
    emit(u, OP_CALL, dst, base, nargs);
}

void typeparam_func(unit *u, ast *n, int dst)
{
    struct ast_FunctionDef *s = AST_AS(FunctionDef, n);
    struct ast_arguments *a = AST_AS(arguments, s->args);
    unit *f = begin(u, n, s->name, s->type_params);
    if (!f) return;
    int base = f->top;
    unsigned have = func_extras(f, a, s->returns, true);
    code *k = func_code(f, n);
    if (!k) return;
    f->top = base;
    func_make(f, k, base, have, base);
    temp_push(f, 1);
    push_name(f, NAME_TYPE_PARAMS);
    emit_named(f, OP_SETATTR, base, base + 1, 0, kept(f, str_intern_utf8(f->c->vm, "__type_params__", 15)));
    f->top = base;
    unit_return(f, base);
    call(u, f, a, dst);
}

/* The bases and Generic[...] after them. */
static ast_seq *with_generic(unit *u, ast_seq *bases)
{
    static const char text[] = ".generic_base";
    ast_name *name = comp_alloc(u->c, sizeof *name + sizeof text);
    struct ast_Name *e = comp_alloc(u->c, sizeof *e);
    ast_seq *s = comp_alloc(u->c, sizeof *s + (bases->n + 1) * sizeof *s->items);
    if (!name || !e || !s) return NULL;
    name->len = sizeof text - 1;
    name->id = u->c->parse.nnames; /* compile_tree leaves room for one */
    memcpy(name->text, text, sizeof text);
    e->base.kind = AST_Name;
    e->id = name;
    e->ctx = AST_Load;
    s->n = s->cap = bases->n + 1;
    memcpy(s->items, bases->items, bases->n * sizeof *s->items);
    s->items[bases->n] = &e->base;
    return s;
}

void typeparam_class(unit *u, ast *n, int dst)
{
    struct ast_ClassDef *s = AST_AS(ClassDef, n);
    unit *f = begin(u, n, s->name, s->type_params);
    ast_seq *bases = f ? with_generic(f, s->bases) : NULL;
    if (!bases) return;
    int base = f->top;
    push_typing(f, "_generic_base");
    push_name(f, NAME_TYPE_PARAMS);
    f->top = base;
    emit(f, OP_CALL, base, base, 1);
    temp_push(f, 1);
    name_store(f, scope_name(f->c, NAME_GENERIC), base);
    f->top = base;
    func_class_call(f, n, bases, temp(f));
    f->top = base;
    unit_return(f, base);
    call(u, f, NULL, dst);
}

void typeparam_alias(unit *u, struct ast_TypeAlias *s)
{
    const ast_name *id = AST_AS(Name, s->name)->id;
    unit *f = begin(u, &s->base, id, s->type_params);
    if (!f) return;
    int base = f->top;
    push_typing(f, "_type_alias");
    push_str(f, comp_name(f->c, id));
    push_later(f, &s->base, s->value, comp_name(f->c, id));
    push_name(f, NAME_TYPE_PARAMS);
    f->top = base;
    emit(f, OP_CALL, base, base, 3);
    unit_return(f, base);
    int t = temp(u);
    call(u, f, NULL, t);
    u->top = t + 1;
    name_store(u, unit_name(u, id), t);
    u->top = t;
}
