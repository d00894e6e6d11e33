/* Functions, lambdas and classes: parameters, defaults, annotations, decorators, bodies. */
#include "compile.h"

str *const_docstring(compiler *c, ast_seq *body)
{
    if (!body->n || body->items[0]->kind != AST_Expr) return NULL;
    ast *e = AST_AS(Expr, body->items[0])->value;
    if (!is_const(e) || (e->flags & AST_FOLDED)) return NULL;
    value v = const_of(c, e);
    return !value_is_unbound(v) && IS_STR(v) ? AS(str, v) : NULL;
}

void func_make(unit *u, code *k, int base, unsigned have, int dst)
{
    if (u->c->failed) return;
    uint32_t i = const_index(u, value_obj(k));
    emit(u, OP_MAKEFUNC, dst, base, (int)have);
    emit_word(u, i);
}

/* ---- what is evaluated where the function is made ---- */

static void push_defaults(unit *u, ast_seq *defaults)
{
    int t = temp(u);
    value v = const_tuple(u->c, defaults);
    if (!value_is_unbound(v)) emit_value(u, v, t);
    else expr_tuple(u, defaults, t);
    temp_push(u, 1);
}

static void push_kwdefaults(unit *u, struct ast_arguments *a)
{
    int d = temp(u);
    emit(u, OP_DICT, d, d, 0);
    temp_push(u, 1);
    for (uint32_t i = 0; i < a->kw_defaults->n && !u->c->failed; i++) {
        if (!a->kw_defaults->items[i]) continue;
        int k = temp(u);
        str *name = unit_name(u, AST_AS(arg, a->kwonlyargs->items[i])->arg);
        emit_value(u, name ? value_obj(name) : V_UNBOUND, k);
        temp_push(u, 1);
        int v = expr_last(u, a->kw_defaults->items[i]);
        u->top = d + 1;
        emit(u, OP_DICTSET, d, k, v);
    }
}

static void add_to_list(unit *u, int list)
{
    u->top--;
    emit(u, OP_LISTAPPEND, list, u->top, 0);
}

static void push_annotation(unit *u, str *name, ast *annotation, int list)
{
    if (!annotation || !name || u->c->failed) return;
    emit_value(u, value_obj(name), temp(u));
    temp_push(u, 1);
    add_to_list(u, list);
    if (u->c->future_annotations) {
        str *text = unparse_expr(u->c, annotation);
        emit_value(u, text ? value_obj(text) : V_UNBOUND, temp(u));
        temp_push(u, 1);
    } else if (annotation->kind == AST_Starred) { /* *args: *Ts */
        expr_push(u, AST_AS(Starred, annotation)->value);
        emit(u, OP_UNPACK, u->top - 1, u->top - 1, 1);
    } else {
        expr_push(u, annotation);
    }
    add_to_list(u, list);
}

static void push_annotations(unit *u, struct ast_arguments *a, ast *returns)
{
    int list = temp(u);
    emit(u, OP_LIST, list, list, 0);
    temp_push(u, 1);
    ast *one[2] = {a->vararg, a->kwarg};
    ast_seq *const groups[3] = {a->posonlyargs, a->args, a->kwonlyargs};
    for (int g = 0; g < 3; g++) {
        if (g == 2 && one[0])
            push_annotation(u, unit_name(u, AST_AS(arg, one[0])->arg), AST_AS(arg, one[0])->annotation, list);
        for (uint32_t i = 0; i < groups[g]->n; i++) {
            struct ast_arg *p = AST_AS(arg, groups[g]->items[i]);
            push_annotation(u, unit_name(u, p->arg), p->annotation, list);
        }
    }
    if (one[1]) push_annotation(u, unit_name(u, AST_AS(arg, one[1])->arg), AST_AS(arg, one[1])->annotation, list);
    if (returns) {
        str *name = str_intern_utf8(u->c->vm, "return", 6);
        if (!value_is_unbound(comp_keep(u->c, name ? value_obj(name) : V_UNBOUND)))
            push_annotation(u, name, returns, list);
    }
    emit(u, OP_LISTTOTUPLE, list, list, 0);
}

static bool any_annotation(ast_seq *args)
{
    for (uint32_t i = 0; i < args->n; i++) {
        if (AST_AS(arg, args->items[i])->annotation) return true;
    }
    return false;
}

static bool has_annotations(struct ast_arguments *a, ast *returns)
{
    return returns || any_annotation(a->posonlyargs) || any_annotation(a->args) || any_annotation(a->kwonlyargs) ||
           (a->vararg && AST_AS(arg, a->vararg)->annotation) || (a->kwarg && AST_AS(arg, a->kwarg)->annotation);
}

static bool has_kwdefaults(const struct ast_arguments *a)
{
    for (uint32_t i = 0; i < a->kw_defaults->n; i++) {
        if (a->kw_defaults->items[i]) return true;
    }
    return false;
}

void func_defaults(unit *u, struct ast_arguments *a)
{
    if (a->defaults->n) push_defaults(u, a->defaults);
    if (has_kwdefaults(a)) push_kwdefaults(u, a);
}

static void push_given(unit *u, enum scope_name which)
{
    name_load(u, scope_name(u->c, which), temp(u));
    temp_push(u, 1);
}

/* Defaults, keyword defaults and annotations in r[base..base + 2], as far as there are any. */
unsigned func_extras(unit *u, struct ast_arguments *a, ast *returns, bool defaults_given)
{
    unsigned have = a->defaults->n ? 1 : 0;
    if (has_kwdefaults(a)) have |= 2;
    if (has_annotations(a, returns)) have |= 4;
    for (unsigned bit = 1; bit <= have; bit <<= 1) {
        if (!(have & bit)) { /* what lies below a used register has to be a value too */
            emit(u, OP_LOADNONE, temp(u), 0, 0);
            temp_push(u, 1);
        } else if (bit == 1) {
            if (defaults_given) push_given(u, NAME_DEFAULTS);
            else push_defaults(u, a->defaults);
        } else if (bit == 2) {
            if (defaults_given) push_given(u, NAME_KWDEFAULTS);
            else push_kwdefaults(u, a);
        } else {
            push_annotations(u, a, returns);
        }
    }
    return have;
}

/* ---- functions ---- */

static void set_parameters(unit *f, struct ast_arguments *a)
{
    f->posonly = a->posonlyargs->n;
    f->argcount = a->posonlyargs->n + a->args->n;
    f->kwonly = a->kwonlyargs->n;
    if (a->vararg) f->flags |= CODE_VARARGS;
    if (a->kwarg) f->flags |= CODE_VARKW;
}

static uint32_t first_offset(ast *s, ast_seq *decorators)
{
    return decorators->n ? decorators->items[0]->start : s->start;
}

static void push_decorators(unit *u, ast_seq *list)
{
    for (uint32_t i = 0; i < list->n && !u->c->failed; i++) expr_push(u, list->items[i]);
}

/* The decorated thing is in the register above the decorators, the first of which is r[base]. */
static void apply_decorators(unit *u, ast_seq *list, int base)
{
    for (uint32_t i = list->n; i-- > 0 && !u->c->failed;) {
        span old = unit_at(u, list->items[i]);
        int t = base + (int)i;
        u->top = t;
        emit(u, OP_CALL, t, t, 1);
        u->at = old;
    }
}

code *func_code(unit *u, ast *n)
{
    struct ast_FunctionDef *s = AST_AS(FunctionDef, n); /* AsyncFunctionDef has the same fields */
    unit *f = unit_begin(u->c, symtable_scope(u->c, n), n, comp_name(u->c, s->name), 0);
    if (!f) return NULL;
    f->first = first_offset(n, s->decorator_list);
    set_parameters(f, AST_AS(arguments, s->args));
    str *doc = const_docstring(u->c, s->body);
    if (doc) f->doc = value_obj(doc);
    stmt_body(f, s->body);
    return unit_end(f);
}

void func_def(unit *u, ast *n)
{
    struct ast_FunctionDef *s = AST_AS(FunctionDef, n);
    uint32_t nd = s->decorator_list->n;
    int base = u->top;
    push_decorators(u, s->decorator_list);
    int extras = u->top;
    str *name = unit_name(u, s->name);
    int reg = nd ? -1 : name_reg(u, name), dst = reg >= 0 ? reg : extras;
    if (s->type_params->n) {
        typeparam_func(u, n, dst);
    } else {
        unsigned have = func_extras(u, AST_AS(arguments, s->args), s->returns, false);
        code *k = func_code(u, n);
        if (!k) return;
        u->top = extras;
        func_make(u, k, extras, have, dst);
    }
    if (nd) apply_decorators(u, s->decorator_list, base);
    u->top = base + (reg < 0);
    name_store(u, name, reg >= 0 ? reg : base);
    u->top = base;
}

void func_lambda(unit *u, ast *n, int dst)
{
    struct ast_Lambda *e = AST_AS(Lambda, n);
    struct ast_arguments *a = AST_AS(arguments, e->args);
    int base = u->top;
    unsigned have = func_extras(u, a, NULL, false);
    str *name = str_intern_utf8(u->c->vm, "<lambda>", 8);
    if (value_is_unbound(comp_keep(u->c, name ? value_obj(name) : V_UNBOUND))) return;
    unit *f = unit_begin(u->c, symtable_scope(u->c, n), n, name, 0);
    if (!f) return;
    set_parameters(f, a);
    f->at = node_span(e->body);
    f->spill_base = f->top;
    unit_return(f, expr_last(f, e->body));
    code *k = unit_end(f);
    if (!k) return;
    u->top = base;
    func_make(u, k, base, have, dst);
}

/* ---- classes ---- */

static void set_name(unit *f, str *name, value v)
{
    int t = temp(f);
    emit_value(f, v, t);
    emit_d(f, OP_SETNAME, t, name_index16(f, name));
    emit_words(f, 2);
}

static code *class_body(unit *u, ast *n)
{
    struct ast_ClassDef *s = AST_AS(ClassDef, n);
    vm *vm = u->c->vm;
    unit *f = unit_begin(u->c, symtable_scope(u->c, n), n, comp_name(u->c, s->name), CODE_CLASS);
    if (!f) return NULL;
    f->first = first_offset(n, s->decorator_list);
    f->at = (span){f->first, f->first};
    emit_d(f, OP_GETNAME, temp(f), name_index16(f, N(vm, __name__)));
    emit_words(f, 3);
    emit_d(f, OP_SETNAME, f->top, name_index16(f, N(vm, __module__)));
    emit_words(f, 2);
    set_name(f, N(vm, __qualname__), value_obj(f->qualname));
    if (s->type_params->n) {
        name_load(f, scope_name(u->c, NAME_TYPE_PARAMS), temp(f));
        str *params = str_intern_utf8(vm, "__type_params__", 15);
        if (value_is_unbound(comp_keep(u->c, params ? value_obj(params) : V_UNBOUND))) return NULL;
        emit_d(f, OP_SETNAME, f->top, name_index16(f, params));
        emit_words(f, 2);
    }
    if (f->scope->annotations) emit(f, OP_SETUPANNOT, 0, 0, 0);
    str *doc = const_docstring(u->c, s->body);
    if (doc) {
        f->at = node_span(s->body->items[0]);
        set_name(f, N(vm, __doc__), value_obj(doc));
        f->doc = value_obj(doc);
    }
    stmt_body(f, s->body);
    if (f->scope->class_cell) {
        emit_d(f, OP_SETNAME, 1, name_index16(f, N(vm, __classcell__)));
        emit_words(f, 2);
        unit_return(f, 1);
    }
    return unit_end(f);
}

void func_class_call(unit *u, ast *n, ast_seq *bases, int window)
{
    struct ast_ClassDef *s = AST_AS(ClassDef, n);
    emit(u, OP_LOADBUILTIN, window, 0, 0);
    temp_push(u, 1);
    code *k = class_body(u, n);
    str *name = comp_name(u->c, s->name);
    if (!k || !name) return;
    func_make(u, k, u->top, 0, u->top);
    temp_push(u, 1);
    emit_value(u, value_obj(name), u->top);
    temp_push(u, 1);
    call_window(u, window, 2, bases, s->keywords, node_span(n), window);
}

void func_class(unit *u, ast *n)
{
    struct ast_ClassDef *s = AST_AS(ClassDef, n);
    int base = u->top;
    push_decorators(u, s->decorator_list);
    int window = temp(u);
    if (s->type_params->n) typeparam_class(u, n, window);
    else func_class_call(u, n, s->bases, window);
    if (s->decorator_list->n) apply_decorators(u, s->decorator_list, base);
    u->top = base + 1;
    u->at = node_span(n);
    name_store(u, unit_name(u, s->name), base);
    u->top = base;
}
