/* The loop object: the methods and attributes that scripts see. */
#include "runtime/loop.h"
#include "runtime/poller.h"
#include "vm/native.h"

#define DOC_FILE runtime_loop_type
DOC_BEGIN;

#define LOOP(a) AS(loop, (a)[0])
static bool is_coro_function(vm *vm, value f)
{
    if (value_is_kind(f, K_METHOD)) f = AS(method, f)->func;
    (void)vm;
    return value_is_kind(f, K_FUNCTION) && (AS(function, f)->code->flags & CODE_COROUTINE);
}
bool callback_no_coroutine(vm *vm, value cb, const char *method)
{
    if (!is_coroutine(vm, cb) && !is_coro_function(vm, cb)) return true;
    raise_type_error(vm, "coroutines cannot be used with %s()", method);
    return false;
}
bool loop_check_callback(vm *vm, value cb, const char *method)
{
    if (!callback_no_coroutine(vm, cb, method)) return false;
    if (!obj_is_callable(vm, cb)) {
        raise_type_error(vm, "a callable object was expected by %s(), got %R", method, cb);
        return false;
    }
    return true;
}
/* The context= keyword of call_soon and its kin. */
static bool context_keyword(vm *vm, const char *who, value *vals, value kw, value *context)
{
    *context = V_UNBOUND;
    if (value_is_unbound(kw)) return true;
    tuple *t = AS(tuple, kw);
    for (size_t i = 0; i < t->len; i++) {
        if (!str_eq(AS(str, t->items[i]), N(vm, context))) {
            raise_type_error(vm, "%s() got an unexpected keyword argument '%U'", who, t->items[i]);
            return false;
        }
        if (!value_is_none(vals[i])) *context = vals[i];
    }
    return true;
}
static bool want_args(vm *vm, const char *who, uint32_t n, uint32_t min, const char *missing)
{
    if (n >= min) return true;
    raise_type_error(vm, "%s() missing %d required positional argument%s: %s", who, (int)(min - n),
                     min - n == 1 ? "" : "s", missing);
    return false;
}

/* In debug mode: what is not thread-safe is refused in another thread than the loop's. */
static bool check_thread(vm *vm, loop *l)
{
    if (!l->running_in || l->running_in == vm->thread) return true;
    raise(vm, EXC_RuntimeError, "Non-thread-safe operation invoked on an event loop other than the current one");
    return false;
}

value loop_call_soon_checked(vm *vm, const char *who, value *a, uint32_t n, value kw, bool same_thread)
{
    value context;
    if (!want_args(vm, who, n, 2, "'callback'")) return V_ERROR;
    loop *l = LOOP(a);
    if (!loop_check_open(vm, l) || !context_keyword(vm, who, a + n, kw, &context)) return V_ERROR;
    if (l->debug && ((same_thread && !check_thread(vm, l)) || !loop_check_callback(vm, a[1], strchr(who, '.') + 1)))
        return V_ERROR;
    handle *h = handle_new(vm, l, a[1], a + 2, n - 2, context, 0, false);
    if (!h || !loop_push(vm, l, value_obj(h), V_UNBOUND)) return V_ERROR;
    return value_obj(h);
}
static value call_soon(vm *vm, value *a, uint32_t n, value kw)
{
    return loop_call_soon_checked(vm, "BaseEventLoop.call_soon", a, n, kw, true);
}
static value schedule_at(vm *vm, loop *l, double when, value cb, value *args, uint32_t nargs, value context)
{
    handle *h = handle_new(vm, l, cb, args, nargs, context, when, true);
    if (!h) return V_ERROR;
    h->state |= HANDLE_SCHEDULED;
    return timers_add(vm, l, when, value_obj(h), V_UNBOUND) ? value_obj(h) : V_ERROR;
}
static value call_at_or_later(vm *vm, value *a, uint32_t n, value kw, bool later)
{
    const char *who = later ? "BaseEventLoop.call_later" : "BaseEventLoop.call_at";
    value context;
    if (!want_args(vm, who, n, 3, n < 2 ? (later ? "'delay' and 'callback'" : "'when' and 'callback'") : "'callback'"))
        return V_ERROR;
    loop *l = LOOP(a);
    double when;
    if (value_is_none(a[1])) return raise_type_error(vm, later ? "delay must not be None" : "when cannot be None");
    if (!float_as_double(vm, a[1], &when) || !context_keyword(vm, who, a + n, kw, &context)) return V_ERROR;
    if (!loop_check_open(vm, l)) return V_ERROR;
    if (l->debug && !check_thread(vm, l)) return V_ERROR;
    if (l->debug && !loop_check_callback(vm, a[2], later ? "call_later" : "call_at")) return V_ERROR;
    if (later) {
        when += loop_time(vm, l);
        if (raised(vm)) return V_ERROR;
        value own = loop_own_method(vm, l, "call_at");
        if (!value_is_unbound(own)) {
            a[1] = value_float(when);
            return vm_call_kw(vm, own, a + 1, n - 1, kw);
        }
        if (raised(vm)) return V_ERROR;
    }
    return schedule_at(vm, l, when, a[2], a + 3, n - 3, context);
}
static value call_later(vm *vm, value *a, uint32_t n, value kw) { return call_at_or_later(vm, a, n, kw, true); }
static value call_at(vm *vm, value *a, uint32_t n, value kw) { return call_at_or_later(vm, a, n, kw, false); }

static value m_time(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    return value_float(loop_clock(vm));
}
static value m_run_forever(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return loop_check_host(vm) && loop_run_forever(vm, LOOP(a)) ? V_NONE : V_ERROR;
}
static value m_run_until_complete(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return loop_check_host(vm) ? loop_run_until_complete(vm, LOOP(a), a[1]) : V_ERROR;
}
static value m_run_once(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return loop_run_turn(vm, LOOP(a)) ? V_NONE : V_ERROR;
}
static value m_stop(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    LOOP(a)->stopping = true;
    return V_NONE;
}
static value m_close(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return loop_close(vm, LOOP(a)) ? V_NONE : V_ERROR;
}
static value m_is_running(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_bool(LOOP(a)->running_in != NULL);
}
static value m_is_closed(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_bool(LOOP(a)->closed);
}
static value m_create_future(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    future *f = future_new(vm, LOOP(a));
    return f ? value_obj(f) : V_ERROR;
}
value loop_create_task(vm *vm, loop *l, value coro, value name, value context)
{
    if (!loop_check_open(vm, l)) return V_ERROR;
    if (value_is_none(context)) context = V_UNBOUND;
    if (LIKELY(value_is_unbound(l->task_factory) || value_is_none(l->task_factory))) {
        task *t = task_new(vm, l, coro, name, context);
        return t ? value_obj(t) : V_ERROR;
    }
    value args[3] = {value_obj(l), coro, context};
    tuple *kw = NULL;
    ROOTS(vm, &l, &name);
    if (eager_factory_is(vm, l->task_factory)) /* the name is there when the first step runs */
        return eager_task(vm, value_obj(T(vm, TASK)), args[0], coro, name, context);
    if (!value_is_unbound(context) && !(kw = tuple_pack(vm, 1, value_obj(N(vm, context))))) return V_ERROR;
    value t = vm_call_kw(vm, l->task_factory, args, 2, kw ? value_obj(kw) : V_UNBOUND);
    if (value_is_error(t) || value_is_unbound(name) || value_is_none(name)) return t;
    ROOTS(vm, &t);
    value set = obj_getattr_opt(vm, t, str_intern_utf8(vm, "set_name", 8));
    if (raised(vm)) return V_ERROR;
    if (!value_is_unbound(set) && value_is_error(vm_call1(vm, set, name))) return V_ERROR;
    return t;
}
/* asyncio.create_task() and TaskGroup's: there a task is numbered first and gets its name then. */
value loop_create_task_numbered(vm *vm, loop *l, value coro, value name, value context)
{
    bool plain = value_is_unbound(l->task_factory) || value_is_none(l->task_factory);
    if (plain && !value_is_unbound(name) && !value_is_none(name)) runtime_of(vm)->task_names++;
    return loop_create_task(vm, l, coro, name, context);
}
value loop_create_task_eager(vm *vm, loop *l, value coro, value name, value context, value eager)
{
    int now = obj_truth(vm, eager);
    if (now < 0 || !loop_check_open(vm, l)) return V_ERROR;
    value factory = l->task_factory;
    if (!value_is_unbound(factory) && !value_is_none(factory) && !eager_factory_is(vm, factory)) {
        value args[5] = {value_obj(l), coro, value_is_unbound(name) ? V_NONE : name,
                         value_is_unbound(context) ? V_NONE : context, eager};
        tuple *kw = tuple_pack(vm, 3, value_obj(N(vm, name)), value_obj(N(vm, context)),
                               value_obj(str_intern_utf8(vm, "eager_start", 11)));
        return kw ? vm_call_kw(vm, factory, args, 2, value_obj(kw)) : V_ERROR;
    }
    if (now) return eager_task(vm, value_obj(T(vm, TASK)), value_obj(l), coro, name, context);
    task *t = task_new(vm, l, coro, name, value_is_none(context) ? V_UNBOUND : context);
    return t ? value_obj(t) : V_ERROR;
}
static value m_create_task(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (UNLIKELY(!value_is_unbound(a[4]) && !value_is_none(a[4])))
        return loop_create_task_eager(vm, LOOP(a), a[1], a[2], a[3], a[4]);
    return loop_create_task(vm, LOOP(a), a[1], a[2], a[3]);
}
static value m_get_debug(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_bool(LOOP(a)->debug);
}
static value m_set_debug(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int t = obj_truth(vm, a[1]);
    if (t < 0) return V_ERROR;
    LOOP(a)->debug = t;
    return V_NONE;
}
static value m_set_task_factory(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!value_is_none(a[1]) && !obj_is_callable(vm, a[1]))
        return raise_type_error(vm, "task factory must be a callable or None");
    LOOP(a)->task_factory = a[1];
    gc_barrier(vm, LOOP(a));
    return V_NONE;
}
static value m_get_task_factory(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    value f = LOOP(a)->task_factory;
    return value_is_unbound(f) ? V_NONE : f;
}
static value m_set_exception_handler(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!value_is_none(a[1]) && !obj_is_callable(vm, a[1]))
        return raise_type_error(vm, "A callable object or None is expected, got %R", a[1]);
    LOOP(a)->exception_handler = a[1];
    gc_barrier(vm, LOOP(a));
    return V_NONE;
}
static value m_get_exception_handler(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    value h = LOOP(a)->exception_handler;
    return value_is_unbound(h) ? V_NONE : h;
}
static value m_call_exception_handler(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    loop_call_exception_handler(vm, LOOP(a), a[1]);
    return raised(vm) ? V_ERROR : V_NONE;
}
static value m_default_exception_handler(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    loop_default_exception_handler(vm, LOOP(a), a[1]);
    return raised(vm) ? V_ERROR : V_NONE;
}
static value loop_repr(vm *vm, value self)
{
    loop *l = AS(loop, self);
    str *s = str_format(vm, "<%U running=%s closed=%s debug=%s>", type_of(vm, self)->name,
                        l->running_in ? "True" : "False", l->closed ? "True" : "False", l->debug ? "True" : "False");
    return s ? value_obj(s) : V_ERROR;
}
static value get_executor(vm *vm, value self)
{
    (void)vm;
    value e = AS(loop, self)->executor;
    return value_is_unbound(e) ? V_NONE : e;
}
static value get_resolution(vm *vm, value self)
{
    (void)vm;
    return value_float(AS(loop, self)->resolution);
}
static bool put_resolution(vm *vm, value self, value v) { return float_as_double(vm, v, &AS(loop, self)->resolution); }
static value get_dead_timers(vm *vm, value self)
{
    (void)vm;
    return value_int((int64_t)AS(loop, self)->dead_timers);
}
static value get_debug(vm *vm, value self)
{
    (void)vm;
    return value_bool(AS(loop, self)->debug);
}
static value get_closed(vm *vm, value self)
{
    (void)vm;
    return value_bool(AS(loop, self)->closed);
}
static value get_slow(vm *vm, value self)
{
    (void)vm;
    return value_float(AS(loop, self)->slow_callback_duration);
}
static bool put_slow(vm *vm, value self, value v)
{
    return float_as_double(vm, v, &AS(loop, self)->slow_callback_duration);
}
static value loop_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    value selector[1]; /* taken and ignored: the loop has its own */
    if (!args_bind(vm, "BaseSelectorEventLoop.__init__(selector=None)", args, n, kw, selector)) return V_ERROR;
    loop *l = userdata_new(vm, t);
    if (!l) return V_ERROR;
    l->fatal = l->exception_handler = l->task_factory = l->asyncgens = l->main_task = V_UNBOUND;
    l->slow_callback_duration = 0.1;
    l->resolution = LOOP_RESOLUTION;
    l->debug = runtime_of(vm)->loop_debug;
    return value_obj(l);
}

/* Entries of the ready queue: up to two pieces of the ring. */
static void mark_ready(vm *vm, loop *l, size_t from, size_t end)
{
    size_t cap = l->qcap;
    while (from < end) {
        size_t at = from & (cap - 1), n = end - from < cap - at ? end - from : cap - at;
        gc_mark_many(vm, (object *)l, &l->queue[at].what, n * (sizeof(ready) / sizeof(value)));
        from += n;
    }
}

static void mark_fields(vm *vm, loop *l)
{
    for (size_t i = 0; i < l->ntimers; i++) {
        gc_mark_value(vm, l->timers[i].what);
        gc_mark_value(vm, l->timers[i].arg);
    }
    gc_mark_value(vm, l->fatal);
    gc_mark_value(vm, l->exception_handler);
    gc_mark_value(vm, l->task_factory);
    gc_mark_value(vm, l->asyncgens);
    gc_mark_value(vm, l->main_task);
    gc_mark_value(vm, l->executor);
    gc_mark_value(vm, l->resolver);
    poller_mark(vm, l->poller);
}

static void loop_traverse(vm *vm, object *o)
{
    loop *l = (loop *)o;
    mark_ready(vm, l, l->qhead, l->qhead + l->qlen);
    mark_fields(vm, l);
}

/* A million tasks may be ready. What is added meanwhile is found by its card. */
static bool loop_traverse_part(vm *vm, object *o, size_t *at, size_t n)
{
    loop *l = (loop *)o;
    if (*at == 0) {
        mark_fields(vm, l);
        *at = 1;
        l->qtraced = 0;
    }
    size_t from = l->qtraced > l->qhead ? l->qtraced : l->qhead, end = l->qhead + l->qlen;
    l->qtraced = end > from && end - from > n / 2 ? from + n / 2 : end;
    mark_ready(vm, l, from, l->qtraced);
    return l->qtraced < end;
}

static void loop_cards(vm *vm, object *o, bool mark)
{
    loop *l = (loop *)o;
    size_t from = l->qclean > l->qhead ? l->qclean : l->qhead, end = l->qhead + l->qlen;
    if (mark) mark_ready(vm, l, from, end);
    for (size_t i = 0; mark && l->timer_clean != l->timer_seq && i < l->ntimers; i++) {
        timer *t = &l->timers[i]; /* they move within the heap, but their numbers tell */
        if (t->seq >> 3 < l->timer_clean) continue;
        gc_mark_value(vm, t->what);
        gc_mark_value(vm, t->arg);
    }
    l->qcard = 0;
    l->qclean = end;
    l->timer_clean = l->timer_seq;
}
static void loop_free(vm *vm, object *o)
{
    loop *l = (loop *)o;
    if (l->queue) mem_free(vm, l->queue, l->qcap * sizeof(ready));
    if (l->timers) mem_free(vm, l->timers, l->captimers * sizeof(timer));
    poller_close(vm, l);
}

#define LOOP_METHOD(SIG, FN, DOC)           value FN(vm *vm, value *a, uint32_t n, value kw);
#define LOOP_RAW(SIG, FN, DOC)              LOOP_METHOD(SIG, FN, DOC)
#define LOOP_ASYNC(SIG, STEP, DOC, SCRATCH) enum nstep STEP(vm *vm, frame *f, value *r, value sent, value *out);
#define LOOP_SCRIPT(MODULE, NAME, DOC)      value loop_script_##NAME(vm *vm, value *a, uint32_t n, value kw);
#include "runtime/loop_methods.def"
#undef LOOP_METHOD
#undef LOOP_RAW
#undef LOOP_ASYNC
#undef LOOP_SCRIPT

static const native_def loop_methods[] = {
    {"call_soon(self, callback, *args, context=None)", call_soon, DOC("Call callback(*args) in the next iteration."),
     NATIVE_RAW},
    {"call_later(self, delay, callback, *args, context=None)", call_later,
     DOC("Call callback(*args) after delay seconds."), NATIVE_RAW},
    {"call_at(self, when, callback, *args, context=None)", call_at,
     DOC("Call callback(*args) at the loop's time `when`."), NATIVE_RAW},
    {"time(self)", m_time, DOC("The loop's clock, in seconds."), 0},
    {"run_forever(self)", m_run_forever, DOC("Run until stop() is called."), 0},
    {"run_until_complete(self, future)", m_run_until_complete, DOC("Run until the future is done; returns its result."),
     0},
    {"_run_once(self)", m_run_once, DOC("One iteration."), 0},
    {"stop(self)", m_stop, DOC("Stop at the end of this iteration."), 0},
    {"close(self)", m_close, DOC("Close the loop; it must not be running."), 0},
    {"is_running(self)", m_is_running, DOC("Is the loop running?"), 0},
    {"is_closed(self)", m_is_closed, DOC("Was the loop closed?"), 0},
    {"create_future(self)", m_create_future, DOC("A new Future of this loop."), 0},
    {"create_task(self, coro, *, name=None, context=None, eager_start=None)", m_create_task,
     DOC("Run a coroutine as a Task."), 0},
    {"get_debug(self)", m_get_debug, DOC("The debug mode."), 0},
    {"set_debug(self, enabled)", m_set_debug, DOC("Set the debug mode."), 0},
    {"set_task_factory(self, factory)", m_set_task_factory, DOC("Make create_task() use factory(loop, coro)."), 0},
    {"get_task_factory(self)", m_get_task_factory, DOC("The task factory, or None."), 0},
    {"set_exception_handler(self, handler)", m_set_exception_handler,
     DOC("Set handler(loop, context), or None for the default."), 0},
    {"get_exception_handler(self)", m_get_exception_handler, DOC("The handler, or None."), 0},
    {"call_exception_handler(self, context)", m_call_exception_handler, DOC("Report through the exception handler."),
     0},
    {"default_exception_handler(self, context)", m_default_exception_handler, DOC("Write the report to stderr."), 0},
    NATIVE_ASYNC_DEF("shutdown_asyncgens(self)", shutdown_asyncgens_step,
                     DOC("Close the asynchronous generators that are still open."), 2),
#define LOOP_METHOD(SIG, FN, DOC)           {SIG, FN, DOC, 0},
#define LOOP_RAW(SIG, FN, DOC)              {SIG, FN, DOC, NATIVE_RAW},
#define LOOP_ASYNC(SIG, STEP, DOC, SCRATCH) NATIVE_ASYNC_DEF(SIG, STEP, DOC, SCRATCH),
#define LOOP_SCRIPT(MODULE, NAME, DOC)      {#NAME "(self, *args, **kwargs)", loop_script_##NAME, DOC, 0},
#include "runtime/loop_methods.def"
#undef LOOP_METHOD
#undef LOOP_RAW
#undef LOOP_ASYNC
#undef LOOP_SCRIPT
    {0},
};
static value get_resolver(vm *vm, value self)
{
    (void)vm;
    value v = AS(loop, self)->resolver;
    return value_is_unbound(v) ? V_NONE : v;
}
static bool put_resolver(vm *vm, value self, value v)
{
    loop *l = AS(loop, self);
    l->resolver = v;
    gc_barrier(vm, l);
    return true;
}
static const getset_def loop_getsets[] = {
    {"_default_executor", get_executor, NULL, NULL},
    {"_ready", loop_get_ready, NULL, NULL},
    {"_scheduled", loop_get_scheduled, NULL, NULL},
    {"_clock_resolution", get_resolution, put_resolution, NULL},
    {"_timer_cancelled_count", get_dead_timers, NULL, NULL},
    {"_debug", get_debug, NULL, NULL},
    {"_closed", get_closed, NULL, NULL},
    {"_resolver", get_resolver, put_resolver, NULL},
    {"slow_callback_duration", get_slow, put_slow, DOC("Debug mode names what runs longer, in seconds.")},
    {0},
};
static void loop_fill(struct type_slots *s)
{
    s->new_ = loop_slot_new;
    s->repr = loop_repr;
}
static const type_layout loop_layout = {.size = sizeof(loop) - sizeof(userdata),
                                        .traverse = loop_traverse,
                                        .traverse_part = loop_traverse_part,
                                        .cards = loop_cards,
                                        .free = loop_free};

bool loop_type_open(vm *vm)
{
    static const type_spec spec = {
        "asyncio._UnixSelectorEventLoop",      "The event loop.", &loop_layout, loop_methods, loop_getsets, 0,
        TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME, loop_fill};
    type *t = type_from_spec(vm, &spec);
    runtime_of(vm)->loop_type = t;
    return t != NULL;
}
