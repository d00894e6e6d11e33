/* Handle and TimerHandle: scheduled callbacks that script can cancel; and done-callbacks written in C. */
#include "runtime/loop.h"
#include "vm/attr.h"
#include "vm/native.h"
#include "vm/str.h"

#define DOC_FILE runtime_handle
DOC_BEGIN;

handle *handle_new(vm *vm, loop *l, value callback, value *args, uint32_t nargs, value context, double when,
                   bool is_timer)
{
    runtime *rt = runtime_of(vm);
    if (UNLIKELY(!value_is_unbound(context)) && !context_check(vm, context)) return NULL;
    ROOTS(vm, &callback, &context, &l);
    tuple *t = nargs ? tuple_from(vm, args, nargs) : vm->empty_tuple;
    if (!t) return NULL;
    handle *h = userdata_new(vm, is_timer ? rt->timer_handle_type : rt->handle_type);
    if (!h) return NULL;
    h->callback = callback;
    h->args = value_obj(t);
    h->context = value_is_unbound(context) ? context_copy_current(vm) : context;
    if (raised(vm)) return NULL;
    h->loop = l;
    h->when = when;
    if (UNLIKELY(l && l->debug)) h->source = source_here(vm);
    if (is_timer) h->state |= HANDLE_TIMER;
    return h;
}

enum ready_kind ready_kind(vm *vm, value what)
{
    const object *o = value_as_obj(what);
    if (o->kind == K_TASK) return READY_TASK;
    if (o->kind == K_FUTURE) return READY_TIMEOUT;
    if (o->kind != K_USERDATA) return READY_CALLBACK;
    const runtime *rt = runtime_of(vm);
    if (o->shape == rt->callback_type->root_shape) return READY_NATIVE;
    return o->shape == rt->handle_type->root_shape || o->shape == rt->timer_handle_type->root_shape ? READY_HANDLE
                                                                                                    : READY_CALLBACK;
}

void handle_cancel(vm *vm, handle *h)
{
    if (h->state & HANDLE_CANCELLED) return;
    h->state |= HANDLE_CANCELLED;
    h->callback = h->args = V_NONE;
    if (h->state & HANDLE_SCHEDULED) timers_note_dead(vm, h->loop);
}

static value call_with(vm *vm, value callback, value args)
{
    enum { FEW = 4 };
    value few[FEW] = {V_UNBOUND};
    if (UNLIKELY(!value_is_exact(args, TYPE_TUPLE) || AS(tuple, args)->len > FEW))
        return vm_call_ex(vm, callback, args, V_UNBOUND);
    uint32_t n = (uint32_t)AS(tuple, args)->len;
    for (uint32_t i = 0; i < n; i++) few[i] = AS(tuple, args)->items[i];
    ROOT_SPAN(vm, few, FEW);
    return vm_call(vm, callback, few, n);
}

bool handle_run(vm *vm, handle *h)
{
    thread *th = vm->thread;
    ROOTS(vm, &h);
    th->context = h->context;
    value v = call_with(vm, h->callback, h->args);
    th->context = V_UNBOUND;
    if (!value_is_error(v)) return true;
    if (exc_matches(vm, EXC_KeyboardInterrupt) || exc_matches(vm, EXC_SystemExit)) return false;
    value exc = exc_take(vm);
    ROOTS(vm, &exc);
    str *text = callback_text(vm, h->callback, h->args);
    str *msg = text ? str_format(vm, "Exception in callback %U", value_obj(text)) : NULL;
    if (!msg) {
        exc_clear(vm);
        return true;
    }
    value m = value_obj(msg);
    ROOTS(vm, &m);
    dict *d = dict_new(vm);
    value dv = d ? value_obj(d) : V_UNBOUND;
    ROOTS(vm, &dv);
    value made = h->source ? source_list(vm, h->source) : V_NONE;
    if (d && h->source && !value_is_error(made)) dict_set_str(vm, d, str_intern_utf8(vm, "source_traceback", 16), made);
    if (raised(vm)) exc_clear(vm);
    if (d && dict_set_str(vm, d, N(vm, message), m) && dict_set_str(vm, d, N(vm, exception), exc) &&
        dict_set_str(vm, d, N(vm, handle), value_obj(h)))
        if (h->loop) loop_call_exception_handler(vm, h->loop, dv);
    if (raised(vm) && !exc_matches(vm, EXC_KeyboardInterrupt) && !exc_matches(vm, EXC_SystemExit)) exc_clear(vm);
    return !raised(vm);
}

/* ---- text ---- */

/* Is it shown whole by reprlib as well? Containers are cut by their number of items: left to reprlib. */
static bool shown_whole(vm *vm, value v, const str *text)
{
    return text->len <= 30 && (!value_is_obj(v) || IS_STR(v) || value_is_kind(v, K_FUTURE) ||
                               value_is_kind(v, K_TASK) || value_isa(vm, v, runtime_of(vm)->handle_type));
}

/* The text of most: a function of the script's, or a native one, with short arguments. NULL: not so simple, or raised.
 */
static str *plain_text(vm *vm, value callback, value args)
{
    str *src = vm->empty_str;
    value name = obj_getattr_opt(vm, callback, N(vm, __qualname__)), wrapped = V_UNBOUND;
    ROOTS(vm, &callback, &args, &name, &src);
    if (value_is_kind(callback, K_FUNCTION)) {
        code *c = AS(function, callback)->code;
        wrapped = obj_getattr_opt(vm, callback, str_intern_utf8(vm, "__wrapped__", 11));
        src = str_format(vm, " at %U:%d", value_obj(c->filename), (int)c->firstlineno);
    } else if (!value_is_kind(callback, K_NATIVE)) {
        return NULL;
    }
    if (raised(vm) || !src || !IS_STR(name) || !value_is_unbound(wrapped)) return NULL;
    str_builder b;
    sb_init(&b, vm);
    sb_str(&b, AS(str, name));
    sb_char(&b, '(');
    for (size_t i = 0; IS_TUPLE(args) && i < AS(tuple, args)->len; i++) {
        str *r = obj_repr(vm, AS(tuple, args)->items[i]);
        if (!r || !shown_whole(vm, AS(tuple, args)->items[i], r)) {
            sb_drop(&b);
            return NULL;
        }
        if (i) sb_cstr(&b, ", ");
        sb_str(&b, r);
    }
    sb_char(&b, ')');
    sb_str(&b, src);
    return sb_finish(&b);
}

/* The call that a handle makes, and where its function is written. */
str *callback_text(vm *vm, value callback, value args)
{
    ROOTS(vm, &callback, &args);
    str *plain = plain_text(vm, callback, args);
    if (plain || raised(vm)) return plain;
    value m = import_module(vm, str_from_cstr(vm, "asyncio.format_helpers"));
    value f = value_is_error(m) ? m : obj_getattr(vm, m, str_intern_utf8(vm, "_format_callback_source", 23));
    value v = value_is_error(f) ? f : vm_call2(vm, f, callback, IS_TUPLE(args) ? args : value_obj(vm->empty_tuple));
    return value_is_error(v) ? NULL : obj_str(vm, v);
}

/* An int stays one: when() gives back what call_at() was given. */
static value when_of(const handle *h)
{
    return h->state & HANDLE_INT_WHEN ? value_int((int64_t)h->when) : value_float(h->when);
}

static value handle_repr(vm *vm, value self)
{
    handle *h = AS(handle, self);
    ROOTS(vm, &self);
    str *cb = h->state & HANDLE_CANCELLED ? vm->empty_str : callback_text(vm, h->callback, h->args);
    if (!cb) return V_ERROR;
    code *c;
    uint32_t line;
    str *made = vm->empty_str;
    ROOTS(vm, &cb);
    if (source_last(vm, h->source, &c, &line))
        made = str_format(vm, " created at %U:%d", value_obj(c->filename), (int)line);
    if (!made) return V_ERROR;
    const char *cancelled = h->state & HANDLE_CANCELLED ? " cancelled" : "";
    str *s;
    if (h->state & HANDLE_TIMER)
        s = str_format(vm, "<%U%s when=%R%s%U%U>", type_of(vm, self)->name, cancelled, when_of(h), cb->len ? " " : "",
                       value_obj(cb), value_obj(made));
    else
        s = str_format(vm, "<%U%s%s%U%U>", type_of(vm, self)->name, cancelled, cb->len ? " " : "", value_obj(cb),
                       value_obj(made));
    return s ? value_obj(s) : V_ERROR;
}

/* ---- methods ---- */

static value m_cancel(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    handle_cancel(vm, AS(handle, a[0]));
    return V_NONE;
}
static value m_cancelled(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_bool(AS(handle, a[0])->state & HANDLE_CANCELLED);
}
static value m_when(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return when_of(AS(handle, a[0]));
}
static value m_get_context(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    value c = AS(handle, a[0])->context;
    return value_is_unbound(c) ? V_NONE : c;
}
static value get_callback(vm *vm, value self)
{
    (void)vm;
    return AS(handle, self)->callback;
}
static value get_args(vm *vm, value self)
{
    (void)vm;
    return AS(handle, self)->args;
}
static value get_cancelled(vm *vm, value self)
{
    (void)vm;
    return value_bool(AS(handle, self)->state & HANDLE_CANCELLED);
}
static value get_context(vm *vm, value self)
{
    (void)vm;
    value c = AS(handle, self)->context;
    return value_is_unbound(c) ? V_NONE : c;
}
static value get_loop(vm *vm, value self)
{
    (void)vm;
    loop *l = AS(handle, self)->loop;
    return l ? value_obj(l) : V_NONE;
}
static value get_source(vm *vm, value self) { return source_list(vm, AS(handle, self)->source); }
static value m_run(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    handle *h = AS(handle, a[0]);
    if (h->state & HANDLE_CANCELLED) return raise_type_error(vm, "the handle is cancelled: it has no callback");
    value context = vm->thread->context;
    ROOTS(vm, &context);
    bool ok = handle_run(vm, h);
    vm->thread->context = context;
    return ok ? V_NONE : V_ERROR;
}
static value timer_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (type_of(vm, b) != runtime_of(vm)->timer_handle_type) return V_NOTIMPLEMENTED;
    double x = AS(handle, a)->when, y = AS(handle, b)->when;
    switch (op) {
    case CMP_LT: return value_bool(x < y);
    case CMP_LE: return value_bool(x <= y);
    case CMP_GT: return value_bool(x > y);
    case CMP_GE: return value_bool(x >= y);
    default: break;
    }
    handle *h = AS(handle, a), *o = AS(handle, b);
    int same = x == y && (h->state & HANDLE_CANCELLED) == (o->state & HANDLE_CANCELLED) ? 1 : 0;
    if (same) same = obj_equal(vm, h->callback, o->callback);
    if (same > 0) same = obj_equal(vm, h->args, o->args);
    return same < 0 ? V_ERROR : value_bool((same > 0) == (op == CMP_EQ));
}

static void handle_traverse(vm *vm, object *o)
{
    handle *h = (handle *)o;
    gc_mark_value(vm, h->callback);
    gc_mark_value(vm, h->args);
    gc_mark_value(vm, h->context);
    gc_mark_obj(vm, h->loop ? &h->loop->h : NULL);
}
static void callback_traverse(vm *vm, object *o)
{
    callback_obj *c = (callback_obj *)o;
    gc_mark_value(vm, c->a);
    gc_mark_value(vm, c->b);
    gc_mark_value(vm, c->c);
}

callback_obj *callback_new(vm *vm, callback_fn fn, value a, value b, value c)
{
    ROOTS(vm, &a, &b, &c);
    callback_obj *cb = userdata_new(vm, runtime_of(vm)->callback_type);
    if (!cb) return NULL;
    cb->fn = fn;
    cb->a = a;
    cb->b = b;
    cb->c = c;
    return cb;
}

static value callback_call(vm *vm, value self, value *args, uint32_t n, value kw)
{
    (void)kw;
    callback_obj *cb = AS(callback_obj, self);
    if (!cb->dead) cb->fn(vm, cb, n ? args[0] : V_NONE);
    return raised(vm) ? V_ERROR : V_NONE;
}

static const native_def handle_methods[] = {
    {"cancel(self, /)", m_cancel, DOC("The callback will not run."), 0},
    {"cancelled(self, /)", m_cancelled, DOC("Was cancel() called?"), 0},
    {"_run(self, /)", m_run, DOC("Call the callback; an exception goes to the loop's exception handler."), 0},
    {"get_context(self, /)", m_get_context, DOC("The context the callback runs in."), 0},
    {0},
};
static const native_def timer_methods[] = {
    {"when(self, /)", m_when, DOC("The time, on the loop's clock, for which the callback is scheduled."), 0},
    {0},
};
static const getset_def handle_getsets[] = {
    {"_callback", get_callback, NULL, NULL},
    {"_args", get_args, NULL, NULL},
    {"_cancelled", get_cancelled, NULL, NULL},
    {"_context", get_context, NULL, NULL},
    {"_loop", get_loop, NULL, NULL},
    {"_source_traceback", get_source, NULL, NULL},
    {0},
};
/* Handle(callback, args, loop, context=None); for a TimerHandle the time comes first. */
static value make(vm *vm, type *t, value when, value *v)
{
    handle *h = userdata_new(vm, t);
    if (!h) return V_ERROR;
    ROOTS(vm, &h);
    if (!value_is_unbound(when) && (value_is_none(when) || !float_as_double(vm, when, &h->when))) {
        if (!raised(vm)) raise(vm, EXC_AssertionError, NULL);
        return V_ERROR;
    }
    if (!value_is_unbound(when)) h->state |= HANDLE_TIMER | (value_is_int(when) ? HANDLE_INT_WHEN : 0);
    h->callback = v[0];
    h->args = v[1];
    if (!IS_TUPLE(v[1])) {
        tuple *args = obj_to_tuple(vm, v[1]);
        if (!args) return V_ERROR;
        h->args = value_obj(args);
    }
    if (loop_is(vm, v[2])) h->loop = AS(loop, v[2]);
    bool debug = h->loop && h->loop->debug;
    if (!h->loop && !value_is_none(v[2])) { /* what stands for a loop */
        value asked = vm_call_method(vm, v[2], str_intern_utf8(vm, "get_debug", 9), NULL, 0);
        if (value_is_error(asked)) return V_ERROR;
        debug = obj_truth(vm, asked) > 0;
    }
    if (debug) h->source = source_here(vm);
    h->context = value_is_none(v[3]) || value_is_unbound(v[3]) ? context_copy_current(vm) : v[3];
    return raised(vm) ? V_ERROR : value_obj(h);
}
static value handle_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    value out[4];
    return args_bind(vm, "Handle.__init__(callback, args, loop, context=None)", args, n, kw, out)
               ? make(vm, t, V_UNBOUND, out)
               : V_ERROR;
}
static value timer_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    value out[5];
    return args_bind(vm, "TimerHandle.__init__(when, callback, args, loop, context=None)", args, n, kw, out)
               ? make(vm, t, out[0], out + 1)
               : V_ERROR;
}
static bool timer_hash(vm *vm, value self, uint64_t *out)
{
    return obj_hash(vm, value_float(AS(handle, self)->when), out);
}

static void handle_fill(struct type_slots *s)
{
    s->new_ = handle_slot_new;
    s->repr = handle_repr;
}
static void timer_fill(struct type_slots *s)
{
    s->new_ = timer_slot_new;
    s->repr = handle_repr;
    s->hash = timer_hash;
    s->compare = timer_compare;
}
static void callback_fill(struct type_slots *s) { s->call = callback_call; }
static const type_layout handle_layout = {.size = sizeof(handle) - sizeof(userdata), .traverse = handle_traverse};
static const type_layout callback_layout = {.size = sizeof(callback_obj) - sizeof(userdata),
                                            .traverse = callback_traverse};

bool handle_types_open(vm *vm)
{
    runtime *rt = runtime_of(vm);
    static const type_spec h = {"asyncio.Handle",
                                "A scheduled callback.",
                                &handle_layout,
                                handle_methods,
                                handle_getsets,
                                0,
                                TF_IMMUTABLE | TF_PLAIN_NAME,
                                handle_fill};
    static const type_spec t = {"asyncio.TimerHandle",
                                "A callback scheduled for a time.",
                                &handle_layout,
                                timer_methods,
                                NULL,
                                0,
                                TF_IMMUTABLE | TF_PLAIN_NAME,
                                timer_fill};
    static const type_spec c = {"asyncio.<callback>",         NULL,         &callback_layout, NULL, NULL, 0,
                                TF_IMMUTABLE | TF_PLAIN_NAME, callback_fill};
    rt->handle_type = type_from_spec(vm, &h);
    rt->timer_handle_type = rt->handle_type ? type_derive(vm, &t, rt->handle_type) : NULL;
    rt->callback_type = rt->timer_handle_type ? type_from_spec(vm, &c) : NULL;
    return rt->callback_type != NULL;
}
