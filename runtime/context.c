/* contextvars: Context, ContextVar, Token.
 *
 * A Context is an object with a dict that maps variables to values. Copies share the dict until one of them changes it,
 * so that a task or a callback costs nothing more as long as no variable is set: the usual, empty context is an unbound
 * word, and a Context object for it is made only when somebody asks or sets a variable.
 *
 * Invariants
 *  1. thread->context is the current one. A task's is taken over at each of its steps and stored back after it.
 *  2. `shared` is set in every Context whose dict another one may have too; a change copies the dict first.
 */
#include "runtime/loop.h"
#include "vm/attr.h"
#include "vm/dict.h"
#include "vm/native.h"
#include "vm/weakref.h"

#define DOC_FILE runtime_context
DOC_BEGIN;

typedef struct context {
    object h;
    value *slots;
    value map; /* dict or unbound: empty */
    bool shared, entered;
} context;
typedef struct context_var {
    object h;
    value *slots;
    value name, deflt;
} context_var;
typedef struct token {
    object h;
    value *slots;
    value var, old, context;
    bool used;
} token;

static inline type *type_at(vm *vm, enum runtime_type t) { return runtime_of(vm)->types[t]; }
static bool context_is(vm *vm, value v)
{
    return type_at(vm, RT_CONTEXT) && value_is_exact(v, type_at(vm, RT_CONTEXT)->root_shape);
}

bool context_check(vm *vm, value v)
{
    if (LIKELY(context_is(vm, v))) return true;
    raise_type_error(vm, "a Context from contextvars was expected, got %T", v);
    return false;
}

static context *context_new(vm *vm)
{
    if (!context_types_open(vm)) return NULL;
    return userdata_new(vm, type_at(vm, RT_CONTEXT));
}

static context *context_copy(vm *vm, context *from)
{
    ROOTS(vm, &from);
    context *c = context_new(vm);
    if (!c) return NULL;
    c->map = from->map;
    if (!value_is_unbound(c->map)) c->shared = from->shared = true;
    return c;
}

value context_copy_current(vm *vm)
{
    value cur = vm->thread->context;
    if (LIKELY(value_is_unbound(cur)) || value_is_unbound(AS(context, cur)->map)) return V_UNBOUND;
    context *c = context_copy(vm, AS(context, cur));
    return c ? value_obj(c) : V_ERROR;
}

value context_current(vm *vm)
{
    thread *th = vm->thread;
    if (value_is_unbound(th->context)) {
        context *c = context_new(vm);
        if (!c) return V_ERROR;
        th->context = value_obj(c);
    }
    return th->context;
}

/* The dict of the current context for writing; NULL raised. */
static dict *current_map(vm *vm)
{
    value v = context_current(vm);
    if (value_is_error(v)) return NULL;
    context *c = AS(context, v);
    if (value_is_unbound(c->map) || c->shared) {
        dict *d = value_is_unbound(c->map) ? dict_new(vm) : dict_copy(vm, AS(dict, c->map));
        if (!d) return NULL;
        c->map = value_obj(d);
        c->shared = false;
        gc_barrier(vm, c);
    }
    return AS(dict, c->map);
}

static value lookup(vm *vm, value ctx, value var)
{
    if (value_is_unbound(ctx) || value_is_unbound(AS(context, ctx)->map)) return V_UNBOUND;
    return dict_get(vm, AS(dict, AS(context, ctx)->map), var);
}

/* ---- ContextVar ---- */

static value var_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    value out[2];
    if (!args_bind(vm, "ContextVar(name, /, *, default=None)", args, n, kw, out)) return V_ERROR;
    if (!IS_STR(out[0])) return raise_type_error(vm, "context variable name must be a str");
    context_var *v = userdata_new(vm, t);
    if (!v) return V_ERROR;
    v->name = out[0];
    v->deflt = out[1];
    return value_obj(v);
}
static value var_get(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    value v = lookup(vm, vm->thread->context, a[0]);
    if (!value_is_unbound(v) || raised(vm)) return v;
    if (!value_is_unbound(a[1])) return a[1];
    v = AS(context_var, a[0])->deflt;
    if (!value_is_unbound(v)) return v;
    value exc = exc_new(vm, EXC_LookupError, a[0]);
    return value_is_error(exc) ? V_ERROR : raise_exception(vm, exc);
}
static value var_set(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    dict *d = current_map(vm);
    if (!d) return V_ERROR;
    token *t = userdata_new(vm, type_at(vm, RT_TOKEN));
    if (!t) return V_ERROR;
    t->var = a[0];
    t->context = vm->thread->context;
    t->old = dict_get(vm, d, a[0]);
    if (raised(vm) || !dict_set(vm, d, a[0], a[1])) return V_ERROR;
    return value_obj(t);
}
static value var_reset(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!value_is_exact(a[1], type_at(vm, RT_TOKEN)->root_shape))
        return raise_type_error(vm, "expected an instance of Token, got %R", a[1]);
    token *t = AS(token, a[1]);
    if (t->used) return raise(vm, EXC_RuntimeError, "%R has already been used once", a[1]);
    if (!value_is(t->var, a[0])) return raise_value_error(vm, "%R was created by a different ContextVar", a[1]);
    value cur = context_current(vm);
    if (value_is_error(cur)) return V_ERROR;
    if (!value_is(t->context, cur)) return raise_value_error(vm, "%R was created in a different Context", a[1]);
    dict *d = current_map(vm);
    if (!d) return V_ERROR;
    t->used = true;
    if (value_is_unbound(t->old)) return dict_del(vm, d, a[0]) < 0 ? V_ERROR : V_NONE;
    return dict_set(vm, d, a[0], t->old) ? V_NONE : V_ERROR;
}
static value var_repr(vm *vm, value self)
{
    context_var *v = AS(context_var, self);
    char buf[20];
    str *s;
    if (value_is_unbound(v->deflt))
        s = str_format(vm, "<ContextVar name=%R at %s>", v->name, address_text(value_as_obj(self), buf));
    else
        s = str_format(vm, "<ContextVar name=%R default=%R at %s>", v->name, v->deflt,
                       address_text(value_as_obj(self), buf));
    return s ? value_obj(s) : V_ERROR;
}
static value var_get_name(vm *vm, value self)
{
    (void)vm;
    return AS(context_var, self)->name;
}
static void var_traverse(vm *vm, object *o)
{
    gc_mark_value(vm, ((context_var *)(void *)o)->name);
    gc_mark_value(vm, ((context_var *)(void *)o)->deflt);
}

/* ---- Token ---- */

static value token_repr(vm *vm, value self)
{
    token *t = AS(token, self);
    char buf[20];
    str *s =
        str_format(vm, "<Token%s var=%R at %s>", t->used ? " used" : "", t->var, address_text(value_as_obj(self), buf));
    return s ? value_obj(s) : V_ERROR;
}
static value token_get_var(vm *vm, value self)
{
    (void)vm;
    return AS(token, self)->var;
}
static value token_get_old(vm *vm, value self)
{
    value v = AS(token, self)->old;
    if (!value_is_unbound(v)) return v;
    return obj_getattr(vm, value_obj(type_at(vm, RT_TOKEN)), str_intern_utf8(vm, "MISSING", 7));
}
static void token_traverse(vm *vm, object *o)
{
    token *t = (token *)(void *)o;
    gc_mark_value(vm, t->var);
    gc_mark_value(vm, t->old);
    gc_mark_value(vm, t->context);
}

/* ---- Context ---- */

static value ctx_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    (void)args;
    if (!args_none(vm, "Context", n, kw)) return V_ERROR;
    context *c = userdata_new(vm, t);
    return c ? value_obj(c) : V_ERROR;
}
static value ctx_run(vm *vm, value *a, uint32_t n, value kw)
{
    if (n < 2) return raise_type_error(vm, "run() missing 1 required positional argument");
    context *c = AS(context, a[0]);
    thread *th = vm->thread;
    if (c->entered || value_is(th->context, a[0]))
        return raise(vm, EXC_RuntimeError, "cannot enter context: %R is already entered", a[0]);
    value before = th->context;
    ROOTS(vm, &before, &c);
    c->entered = true;
    th->context = value_obj(c);
    value v = vm_call_kw(vm, a[1], a + 2, n - 2, kw);
    th->context = before;
    c->entered = false;
    return v;
}
static value ctx_copy(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    context *c = context_copy(vm, AS(context, a[0]));
    return c ? value_obj(c) : V_ERROR;
}
static bool is_var(vm *vm, value v)
{
    if (value_is_exact(v, type_at(vm, RT_CONTEXT_VAR)->root_shape)) return true;
    raise_type_error(vm, "a ContextVar key was expected, got %R", v);
    return false;
}
static value ctx_getitem(vm *vm, value self, value key)
{
    if (!is_var(vm, key)) return V_ERROR;
    value v = lookup(vm, self, key);
    return value_is_unbound(v) && !raised(vm) ? raise_key_error(vm, key) : v;
}
static int ctx_contains(vm *vm, value self, value key)
{
    if (!is_var(vm, key)) return -1;
    value v = lookup(vm, self, key);
    return raised(vm) ? -1 : !value_is_unbound(v);
}
static int64_t ctx_len(vm *vm, value self)
{
    (void)vm;
    value m = AS(context, self)->map;
    return value_is_unbound(m) ? 0 : (int64_t)AS(dict, m)->used;
}
/* The dict, for keys() and its kin: never changed through them, and replaced rather than changed while shared. */
static value ctx_map(vm *vm, value self)
{
    context *c = AS(context, self);
    if (value_is_unbound(c->map)) {
        dict *d = dict_new(vm);
        return d ? value_obj(d) : V_ERROR;
    }
    c->shared = true;
    return c->map;
}
static value ctx_iter(vm *vm, value self)
{
    value m = ctx_map(vm, self);
    return value_is_error(m) ? V_ERROR : obj_iter(vm, m);
}
static value ctx_get(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!is_var(vm, a[1])) return V_ERROR;
    value v = lookup(vm, a[0], a[1]);
    if (value_is_unbound(v) && !raised(vm)) return value_is_unbound(a[2]) ? V_NONE : a[2];
    return v;
}
static value map_call(vm *vm, value self, str *name)
{
    value m = ctx_map(vm, self);
    return value_is_error(m) ? V_ERROR : vm_call_method(vm, m, name, NULL, 0);
}
static value ctx_keys(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return map_call(vm, a[0], N(vm, keys));
}
static value ctx_values(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return map_call(vm, a[0], N(vm, values));
}
static value ctx_items(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return map_call(vm, a[0], N(vm, items));
}
static value ctx_compare(vm *vm, value a, value b, enum compare_op op)
{
    if ((op != CMP_EQ && op != CMP_NE) || !context_is(vm, b)) return V_NOTIMPLEMENTED;
    value x = ctx_map(vm, a), y = value_is_error(x) ? V_ERROR : ctx_map(vm, b);
    return value_is_error(y) ? V_ERROR : obj_compare(vm, x, y, op);
}
static bool ctx_hash(vm *vm, value self, uint64_t *out)
{
    (void)vm;
    *out = (uint64_t)(uintptr_t)value_as_obj(self) >> 4;
    return true;
}
static void ctx_traverse(vm *vm, object *o) { gc_mark_value(vm, ((context *)(void *)o)->map); }

static value copy_context(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    value cur = context_current(vm);
    if (value_is_error(cur)) return V_ERROR;
    context *c = context_copy(vm, AS(context, cur));
    return c ? value_obj(c) : V_ERROR;
}

/* ---- types and module ---- */

static const native_def var_methods[] = {
    {"get(self, default=None, /)", var_get, DOC("The variable's value in the current context."), 0},
    {"set(self, value, /)", var_set, DOC("Set it in the current context; returns a Token for reset()."), 0},
    {"reset(self, token, /)", var_reset, DOC("Back to the value before the set() that made the token."), 0},
    {0},
};
static const getset_def var_getsets[] = {{"name", var_get_name, NULL, NULL}, {0}};
static const getset_def token_getsets[] = {
    {"var", token_get_var, NULL, NULL}, {"old_value", token_get_old, NULL, NULL}, {0}};
static const native_def ctx_methods[] = {
    {"run(self, callable, /, *args, **kwargs)", ctx_run, DOC("Call callable(*args, **kwargs) in this context."),
     NATIVE_RAW},
    {"copy(self, /)", ctx_copy, DOC("A copy."), 0},
    {"get(self, key, default=None, /)", ctx_get, DOC("The variable's value here, or the default."), 0},
    {"keys(self, /)", ctx_keys, DOC("The variables."), 0},
    {"values(self, /)", ctx_values, DOC("Their values."), 0},
    {"items(self, /)", ctx_items, DOC("Pairs of both."), 0},
    {0},
};
static void var_fill(struct type_slots *s)
{
    s->new_ = var_new;
    s->repr = var_repr;
}
static void token_fill(struct type_slots *s) { s->repr = token_repr; }
static void ctx_fill(struct type_slots *s)
{
    s->new_ = ctx_slot_new;
    s->getitem = ctx_getitem;
    s->contains = ctx_contains;
    s->len = ctx_len;
    s->iter = ctx_iter;
    s->compare = ctx_compare;
    s->hash = ctx_hash;
}

bool context_types_open(vm *vm)
{
    runtime *rt = runtime_of(vm);
    if (rt->types[RT_CONTEXT]) return true;
    static const type_layout var_layout = {.size = sizeof(context_var) - sizeof(userdata), .traverse = var_traverse};
    static const type_layout token_layout = {.size = sizeof(token) - sizeof(userdata), .traverse = token_traverse};
    static const type_layout ctx_layout = {.size = sizeof(context) - sizeof(userdata), .traverse = ctx_traverse};
    static const type_spec var = {"_contextvars.ContextVar",
                                  "A variable with a value per context.",
                                  &var_layout,
                                  var_methods,
                                  var_getsets,
                                  0,
                                  TF_IMMUTABLE,
                                  var_fill};
    static const type_spec tok = {"_contextvars.Token",
                                  "What ContextVar.set() gives for reset().",
                                  &token_layout,
                                  NULL,
                                  token_getsets,
                                  0,
                                  0,
                                  token_fill};
    static const type_spec ctx = {"_contextvars.Context",
                                  "A mapping of ContextVars to their values.",
                                  &ctx_layout,
                                  ctx_methods,
                                  NULL,
                                  0,
                                  TF_IMMUTABLE,
                                  ctx_fill};
    if (!(rt->types[RT_CONTEXT_VAR] = type_from_spec(vm, &var))) return false;
    if (!(rt->types[RT_TOKEN] = type_from_spec(vm, &tok))) return false;
    return (rt->types[RT_CONTEXT] = type_from_spec(vm, &ctx)) != NULL;
}

bool contextvars_module_init(vm *vm, module *m)
{
    static const native_def functions[] = {{"copy_context()", copy_context, DOC("A copy of the current context."), 0},
                                           {0}};
    if (!context_types_open(vm)) return false;
    /* The mark for "was not set": any unique object does. */
    value missing = vm_call0(vm, value_obj(T(vm, OBJECT)));
    dict *d = value_is_error(missing) ? NULL : type_dict(vm, type_at(vm, RT_TOKEN));
    return d && dict_set_str(vm, d, str_intern_utf8(vm, "MISSING", 7), missing) &&
           module_add_natives(vm, m, functions) &&
           module_add(vm, m, "ContextVar", value_obj(type_at(vm, RT_CONTEXT_VAR))) &&
           module_add(vm, m, "Context", value_obj(type_at(vm, RT_CONTEXT))) &&
           module_add(vm, m, "Token", value_obj(type_at(vm, RT_TOKEN)));
}
