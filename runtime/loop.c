/* The event loop: turns, timers, and the asyncio methods of the loop object.
 *
 * A turn: wait until something can run (poll), move due timers to the ready queue, then run exactly the entries that
 * were ready at that moment. What they schedule runs in the next turn. This is the order of CPython's default loop,
 * iteration by iteration, and it is part of the contract.
 *
 * Invariants
 *  1. The ready queue is a ring of (what, arg, context); a Task needs no handle. The queue and the timer heap are
 *     roots of whoever holds the loop: the running loop is held by its thread.
 *  2. The clock is read only when a timer exists, or in debug mode.
 *  3. thread->loop_state is the running loop, during a turn and between turns of one run_forever.
 *  4. KeyboardInterrupt and SystemExit leave the loop at once: the turn stops, run_forever raises.
 *  5. Nothing ready, no timer, nothing watched, no operation of the host under way, and no other thread that can still
 *     do something: nothing can ever wake the program. That is a deadlock, reported as an error.
 */
#include "runtime/loop.h"
#include "runtime/monitor.h"
#include "runtime/signals.h"
#include "runtime/poller.h"
#include "vm/attr.h"
#include "vm/file.h"
#include "vm/interp.h"
#include "vm/list.h"
#include "vm/lock.h"
#include "vm/native.h"
#include "vm/str.h"

static const double CLOCK_RESOLUTION = 1e-9;
static const double MAX_WAIT = 24 * 3600; /* as CPython: a longer wait is several waits */

/* ---- the ready queue ---- */

/* The entries lie from index 0 on now. */
static void queue_moved(loop *l)
{
    l->qclean = l->qclean > l->qhead ? l->qclean - l->qhead : 0;
    l->qhead = 0;
}

static bool queue_grow(vm *vm, loop *l)
{
    size_t cap = l->queue ? (size_t)1 << l->qlog : 0, ncap = cap ? cap * 2 : 64, bytes;
    if (!size_mul(ncap, sizeof(ready), &bytes)) return !value_is_error(raise_memory(vm));
    ready *q = mem_alloc(vm, bytes);
    if (!q) return false;
    for (size_t i = 0; i < l->qlen; i++) q[i] = l->queue[(l->qhead + i) & (cap - 1)];
    if (l->queue) mem_free(vm, l->queue, cap * sizeof(ready));
    l->queue = q;
    queue_moved(l);
    l->qlog = l->qlog && cap ? l->qlog + 1 : 6;
    return true;
}

/* A burst is over: its memory goes back. */
static void queue_shrink(vm *vm, loop *l)
{
    enum { KEEP_LOG = 10 };
    size_t cap = (size_t)1 << l->qlog;
    uint32_t log = KEEP_LOG;
    while (((size_t)1 << log) < 4 * l->qlen) log++;
    if (log >= l->qlog) return;
    ready *q = mem_realloc_quiet(vm, NULL, 0, sizeof(ready) << log);
    if (!q) return;
    for (size_t i = 0; i < l->qlen; i++) q[i] = l->queue[(l->qhead + i) & (cap - 1)];
    mem_free(vm, l->queue, cap * sizeof(ready));
    l->queue = q;
    l->qlog = log;
    queue_moved(l);
}

bool loop_push(vm *vm, loop *l, value what, value arg)
{
    if (UNLIKELY(!l->queue || l->qlen == (size_t)1 << l->qlog) && !queue_grow(vm, l)) return false;
    ready *r = &l->queue[(l->qhead + l->qlen++) & (((size_t)1 << l->qlog) - 1)];
    r->what = what;
    r->arg = arg;
    /* A queue may be long: a minor cycle looks at what was added since the one before. */
    if (UNLIKELY(((object *)l)->gc & GC_BARRIER)) gc_remember_card(vm, (object *)l, &l->qcard);
    return true;
}

bool loop_is(vm *vm, value v)
{
    return value_is_kind(v, K_USERDATA) && type_is_subtype(type_of(vm, v), runtime_of(vm)->loop_type);
}

loop *loop_new(vm *vm)
{
    loop *l = userdata_new(vm, runtime_of(vm)->loop_type);
    if (!l) return NULL;
    l->fatal = l->exception_handler = l->task_factory = l->asyncgens = l->main_task = V_UNBOUND;
    l->slow_callback_duration = 0.1;
    l->resolution = CLOCK_RESOLUTION;
    l->debug = runtime_of(vm)->loop_debug;
    return l;
}

loop *loop_running(vm *vm) { return (loop *)vm->thread->loop_state; }

loop *loop_running_or_raise(vm *vm)
{
    loop *l = loop_running(vm);
    if (!l) raise(vm, EXC_RuntimeError, "no running event loop");
    return l;
}

loop *loop_get_event_loop(vm *vm)
{
    loop *l = loop_running(vm);
    if (l) return l;
    thread *th = vm->thread;
    if (loop_is(vm, th->event_loop)) return AS(loop, th->event_loop);
    if (th->event_loop_set || !thread_is_main(vm, th)) {
        value name = thread_name(vm, th);
        if (!value_is_error(name)) raise(vm, EXC_RuntimeError, "There is no current event loop in thread %R.", name);
        return NULL;
    }
    l = loop_new(vm);
    if (!l) return NULL;
    th->event_loop = value_obj(l);
    th->event_loop_set = true;
    return l;
}

bool loop_check_open(vm *vm, loop *l)
{
    if (LIKELY(!l->closed)) return true;
    raise(vm, EXC_RuntimeError, "Event loop is closed");
    return false;
}

static double clock_time(vm *vm)
{
    runtime *rt = runtime_of(vm);
    return (double)rt->platform->monotonic_ns(&rt->clock) * 1e-9;
}

double loop_time(vm *vm, loop *l)
{
    value own = loop_own_method(vm, l, "time");
    if (LIKELY(value_is_unbound(own))) return clock_time(vm);
    value v = vm_call0(vm, own);
    double t = 0;
    return value_is_error(v) || !float_as_double(vm, v, &t) ? 0 : t;
}

/* ---- turns ---- */

static bool finish_timeout(vm *vm, ready *r)
{
    future *f = AS(future, r->what);
    if (future_state(f) == FUT_PENDING) future_finish(vm, f, r->arg);
    return !raised(vm);
}

/* A script's done-callback. false: fatal. */
static bool run_callback(vm *vm, loop *l, ready *r)
{
    value cb = r->what, fut = r->arg;
    thread *th = vm->thread;
    ROOTS(vm, &cb, &fut, &l);
    th->context = V_UNBOUND;
    value v = vm_call1(vm, cb, fut);
    th->context = V_UNBOUND;
    if (!value_is_error(v)) return true;
    if (exc_matches(vm, EXC_KeyboardInterrupt) || exc_matches(vm, EXC_SystemExit)) return false;
    value exc = exc_take(vm);
    ROOTS(vm, &exc);
    tuple *args = tuple_pack(vm, 1, fut);
    str *text = args ? callback_text(vm, cb, value_obj(args)) : NULL;
    str *msg = text ? str_format(vm, "Exception in callback %U", value_obj(text)) : NULL;
    handle *h = msg ? handle_new(vm, l, cb, &fut, 1, V_UNBOUND, 0, false) : NULL;
    if (h) loop_report(vm, l, value_obj(msg), "exception", exc, "handle", value_obj(h), NULL);
    else exc_clear(vm);
    return !raised(vm);
}

static bool run_entry(vm *vm, loop *l, ready *r)
{
    switch (ready_kind(vm, r->what)) {
    case READY_TASK: {
        task *t = AS(task, r->what);
        /* the interpreter goes on to other tasks in there: this entry must not keep the first one alive meanwhile */
        if (LIKELY(!l->debug) && t->coro) r->what = V_NONE;
        return task_run_ready(vm, l, t);
    }
    case READY_TIMEOUT: return finish_timeout(vm, r);
    case READY_NATIVE: {
        callback_obj *cb = AS(callback_obj, r->what);
        if (!cb->dead) cb->fn(vm, cb, r->arg);
        if (raised(vm) && !exc_matches(vm, EXC_KeyboardInterrupt) && !exc_matches(vm, EXC_SystemExit))
            exc_report_unraisable(vm, r->what);
        return !raised(vm);
    }
    case READY_HANDLE: {
        handle *h = AS(handle, r->what);
        return (h->state & HANDLE_CANCELLED) || handle_run(vm, h);
    }
    default: return run_callback(vm, l, r);
    }
}

/* Debug mode: an entry by itself (no other task runs within it), timed. */
static bool run_timed(vm *vm, loop *l, ready *r)
{
    runtime *rt = runtime_of(vm);
    size_t todo = l->todo;
    l->todo = 0;
    int64_t begin = rt->platform->monotonic_ns(&rt->clock);
    bool ok = run_entry(vm, l, r);
    l->todo = todo;
    double took = (double)(rt->platform->monotonic_ns(&rt->clock) - begin) * 1e-9;
    if (ok && took >= l->slow_callback_duration) ok = report_slow_callback(vm, r->what, took);
    return ok;
}

/* Waits until something may be ready; what is watched is polled in any case. false: raised (interrupt, deadlock). */
static bool wait_for_events(vm *vm, loop *l)
{
    double when, delay;
    value selector;
    if (!l->qlen && !l->stopping && l->unretrieved && !idle_reports(vm, l)) return false;
    if (UNLIKELY(loop_own_selector(vm, l, &selector))) {
        delay = l->qlen || l->stopping ? 0 : !timers_next(l, &when) ? -1 : (when -= loop_time(vm, l)) > 0 ? when : 0;
        if (raised(vm) || !loop_own_select(vm, l, selector, delay)) return false;
        return !poller_active(l) || poller_poll(vm, l, 0);
    }
    if (raised(vm)) return false;
    if (l->qlen || l->stopping) return !poller_active(l) || poller_poll(vm, l, 0);
    if (!timers_next(l, &when)) {
        if (!poller_active(l) && !runtime_busy(runtime_of(vm))) return loop_deadlock(vm, l);
        return poller_poll(vm, l, -1);
    }
    delay = when - loop_time(vm, l);
    if (raised(vm)) return false;
    if (delay <= 0) return !poller_active(l) || poller_poll(vm, l, 0);
    return poller_poll(vm, l, (int64_t)((delay < MAX_WAIT ? delay : MAX_WAIT) * 1e9) + 1);
}

/* The next turn begins. !wait: it looks at what has happened, but never blocks. */
static bool turn_begin(vm *vm, loop *l, bool wait)
{
    runtime *rt = runtime_of(vm);
    if (UNLIKELY(l->failed_lately) && !young_reports(vm, l)) return false;
    if (rt->host_queue && !rt->host_queue(vm)) return false;
    if (UNLIKELY(rt->session != NULL)) {
        rt->session->waits(vm, rt->session->ud, true);
        if (!wait_for_events(vm, l)) return false;
        if (rt->session) rt->session->waits(vm, rt->session->ud, false);
    } else if (wait) {
        if (!wait_for_events(vm, l)) return false;
    } else {
        if (!l->qlen && l->unretrieved && !idle_reports(vm, l)) return false;
        if (l->poller && !poller_poll(vm, l, 0)) return false;
    }
    if (l->ntimers) {
        double now = loop_time(vm, l);
        if (raised(vm) || !timers_pop_due(vm, l, now + l->resolution)) return false;
    }
    if (UNLIKELY(l->qlog > 12 && l->qlen < ((size_t)1 << l->qlog) / 16)) queue_shrink(vm, l);
    l->todo = l->qlen;
    if (UNLIKELY(runtime_of(vm)->shuffle)) loop_shuffle(runtime_of(vm), l);
    l->turns++;
    return true;
}

/* The entries of this turn; a slice that is used up leaves some of them (l->todo) for later. */
static bool turn_run(vm *vm, loop *l)
{
    if (UNLIKELY(vm->preempted && vm->thread == &vm->main_thread) && !task_run_preempted(vm, l)) return false;
    while (l->todo && LIKELY(!vm->slice_over)) {
        ready r = l->queue[l->qhead++ & (((size_t)1 << l->qlog) - 1)];
        l->qlen--;
        l->todo--;
        ROOTS(vm, &r.what, &r.arg);
        bool ok = LIKELY(!l->debug) ? run_entry(vm, l, &r) : run_timed(vm, l, &r);
        if (UNLIKELY(vm->poll <= 0)) {
            value exc = ok ? V_UNBOUND : exc_take(vm);
            ROOTS(vm, &exc);
            vm_poll(vm);
            if (!ok) vm->thread->exc = exc;
            else ok = !raised(vm);
        }
        if (UNLIKELY(!ok)) {
            l->todo = 0;
            return false;
        }
    }
    if (UNLIKELY(vm_attention(vm))) {
        vm_poll(vm);
        if (raised(vm)) return false;
    }
    return true;
}

/* One iteration. false: an exception leaves the loop. */
static bool loop_turn(vm *vm, loop *l)
{
    if (UNLIKELY(l->todo || vm->preempted)) return turn_run(vm, l); /* what a slice of run_ready has left */
    return turn_begin(vm, l, true) && turn_run(vm, l);
}

/* A class of the script's may have its own _run_once(), or may have been given one meanwhile. */
static bool own_turn(vm *vm, loop *l)
{
    value own = loop_own_method(vm, l, "_run_once");
    if (!value_is_unbound(own)) return !value_is_error(vm_call0(vm, own));
    return !raised(vm) && loop_turn(vm, l);
}

static bool loop_run_slice(vm *vm, loop *l)
{
    if (!l->todo && !vm->preempted && !turn_begin(vm, l, false)) return false;
    return turn_run(vm, l);
}

/* Runs `turn` until the loop is to stop, or once. */
static bool loop_run(vm *vm, loop *l, bool (*turn)(struct vm *, loop *), bool once)
{
    thread *th = vm->thread;
    if (!loop_check_open(vm, l)) return false;
    if (l->running_in) {
        raise(vm, EXC_RuntimeError, "This event loop is already running");
        return false;
    }
    if (th->loop_state) {
        raise(vm, EXC_RuntimeError, "Cannot run the event loop while another loop is running");
        return false;
    }
    ROOTS(vm, &l);
    if (!vm_enter(vm)) return false;
    vm->slice_nreent = th->nreent + 1; /* a task's own entry into the interpreter */
    value handled = th->handled, task = th->current_task, first = th->asyncgen_firstiter, fin = th->asyncgen_finalizer;
    value context = th->context;
    ROOTS(vm, &handled, &task, &first, &fin, &context);
    th->handled = th->current_task = th->context = V_UNBOUND;
    l->running_in = th;
    th->loop_state = l;
    th->loop = value_obj(l);
    monitor_loop_begins(vm, l);
    bool ok = asyncgen_hooks_install(vm, l);
    while (ok) {
        ok = turn(vm, l);
        if (l->stopping || once) break;
    }
    l->stopping = false;
    monitor_loop_ends(vm, l);
    l->running_in = NULL;
    th->loop_state = NULL;
    th->loop = V_UNBOUND;
    th->handled = handled;
    th->current_task = task;
    th->context = context;
    th->asyncgen_firstiter = first;
    th->asyncgen_finalizer = fin;
    vm_leave(vm);
    return ok;
}

bool loop_run_forever(vm *vm, loop *l) { return loop_run(vm, l, loop_is_plain(vm, l) ? loop_turn : own_turn, false); }
bool loop_run_once(vm *vm, loop *l) { return loop_run(vm, l, loop_run_slice, true); }

/* In a VM whose host drives the loop, scripts run no loop of their own. false: raised. */
bool loop_check_host(vm *vm)
{
    if (LIKELY(!runtime_of(vm)->host_driven)) return true;
    raise(vm, EXC_RuntimeError, "the host drives the loop: use top-level await");
    return false;
}

static void stop_when_done(vm *vm, callback_obj *cb, value fut)
{
    (void)vm;
    loop *l = AS(loop, cb->a);
    future *f = future_is(fut) ? AS(future, fut) : NULL;
    if (f) future_retrieved(f);
    /* KeyboardInterrupt and SystemExit leave by themselves. */
    if (f && future_state(f) == FUT_FINISHED && (f->h.flags & FUT_EXCEPTION) &&
        (value_isa_id(vm, f->result, EXC_KeyboardInterrupt) || value_isa_id(vm, f->result, EXC_SystemExit)))
        return;
    l->stopping = true;
}

value loop_run_until_complete(vm *vm, loop *l, value v)
{
    ROOTS(vm, &l, &v);
    if (!loop_check_open(vm, l)) return V_ERROR;
    if (l->running_in) return raise(vm, EXC_RuntimeError, "This event loop is already running");
    if (loop_running(vm)) return raise(vm, EXC_RuntimeError, "Cannot run the event loop while another loop is running");
    bool was_future = future_is(v);
    value fut = ensure_future(vm, v, l);
    if (value_is_error(fut)) return V_ERROR;
    ROOTS(vm, &fut);
    if (!future_is(fut)) return raise_type_error(vm, "run_until_complete() needs a Future, Task or coroutine");
    if (!was_future) fut_hide_pending_report(fut);
    callback_obj *cb = callback_new(vm, stop_when_done, value_obj(l), V_UNBOUND, V_UNBOUND);
    if (!cb) return V_ERROR;
    ROOTS(vm, &cb);
    if (!future_add_native(vm, fut, cb)) return V_ERROR;
    bool ok = loop_run_forever(vm, l);
    future *f = AS(future, fut);
    if (!ok) {
        value exc = exc_take(vm);
        ROOTS(vm, &exc);
        if (!was_future && future_state(f) != FUT_PENDING) future_retrieved(f);
        future_remove_callback(vm, f, value_obj(cb));
        vm->thread->exc = exc;
        return V_ERROR;
    }
    future_remove_callback(vm, f, value_obj(cb));
    if (future_state(f) == FUT_PENDING)
        return raise(vm, EXC_RuntimeError, "Event loop stopped before Future completed.");
    return future_get_result(vm, f);
}

bool loop_close(vm *vm, loop *l)
{
    if (l->running_in) {
        raise(vm, EXC_RuntimeError, "Cannot close a running event loop");
        return false;
    }
    if (l->closed) return true;
    l->closed = true;
    l->qlen = 0;
    l->ntimers = 0;
    signals_loop_closed(vm, l);
    poller_close(vm, l);
    ROOTS(vm, &l);
    bool ok = value_is_unbound(l->resolver) ||
              !value_is_error(vm_call_method(vm, l->resolver, str_intern_utf8(vm, "close", 5), NULL, 0));
    return loop_drop_executor(vm, l) && ok;
}

/* ---- methods ---- */

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
    return value_float(clock_time(vm));
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
    loop *l = LOOP(a);
    bool ok = l->running_in ? loop_turn(vm, l) : loop_check_host(vm) && loop_run(vm, l, loop_turn, true);
    return ok ? V_NONE : V_ERROR;
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
static value m_create_task(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
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
    l->resolution = CLOCK_RESOLUTION;
    l->debug = runtime_of(vm)->loop_debug;
    return value_obj(l);
}

static void loop_traverse(vm *vm, object *o)
{
    loop *l = (loop *)o;
    for (size_t i = 0; i < l->qlen; i++) {
        ready *r = &l->queue[(l->qhead + i) & (((size_t)1 << l->qlog) - 1)];
        gc_mark_value(vm, r->what);
        gc_mark_value(vm, r->arg);
    }
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
static void loop_cards(vm *vm, object *o, bool mark)
{
    loop *l = (loop *)o;
    size_t from = l->qclean > l->qhead ? l->qclean : l->qhead, end = l->qhead + l->qlen;
    for (size_t i = from; mark && i < end; i++) {
        ready *r = &l->queue[i & (((size_t)1 << l->qlog) - 1)];
        gc_mark_value(vm, r->what);
        gc_mark_value(vm, r->arg);
    }
    l->qcard = 0;
    l->qclean = end;
}
static void loop_free(vm *vm, object *o)
{
    loop *l = (loop *)o;
    if (l->queue) mem_free(vm, l->queue, ((size_t)1 << l->qlog) * sizeof(ready));
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
    {"call_soon(self, callback, *args, context=None)", call_soon, "Call callback(*args) in the next iteration.",
     NATIVE_RAW},
    {"call_later(self, delay, callback, *args, context=None)", call_later, "Call callback(*args) after delay seconds.",
     NATIVE_RAW},
    {"call_at(self, when, callback, *args, context=None)", call_at, "Call callback(*args) at the loop's time `when`.",
     NATIVE_RAW},
    {"time(self)", m_time, "The loop's clock, in seconds.", 0},
    {"run_forever(self)", m_run_forever, "Run until stop() is called.", 0},
    {"run_until_complete(self, future)", m_run_until_complete, "Run until the future is done; returns its result.", 0},
    {"_run_once(self)", m_run_once, "One iteration.", 0},
    {"stop(self)", m_stop, "Stop at the end of this iteration.", 0},
    {"close(self)", m_close, "Close the loop; it must not be running.", 0},
    {"is_running(self)", m_is_running, "Is the loop running?", 0},
    {"is_closed(self)", m_is_closed, "Was the loop closed?", 0},
    {"create_future(self)", m_create_future, "A new Future of this loop.", 0},
    {"create_task(self, coro, *, name=None, context=None)", m_create_task, "Run a coroutine as a Task.", 0},
    {"get_debug(self)", m_get_debug, "The debug mode.", 0},
    {"set_debug(self, enabled)", m_set_debug, "Set the debug mode.", 0},
    {"set_task_factory(self, factory)", m_set_task_factory, "Make create_task() use factory(loop, coro).", 0},
    {"get_task_factory(self)", m_get_task_factory, "The task factory, or None.", 0},
    {"set_exception_handler(self, handler)", m_set_exception_handler,
     "Set handler(loop, context), or None for the default.", 0},
    {"get_exception_handler(self)", m_get_exception_handler, "The handler, or None.", 0},
    {"call_exception_handler(self, context)", m_call_exception_handler, "Report through the exception handler.", 0},
    {"default_exception_handler(self, context)", m_default_exception_handler, "Write the report to stderr.", 0},
    NATIVE_ASYNC_DEF("shutdown_asyncgens(self)", shutdown_asyncgens_step,
                     "Close the asynchronous generators that are still open.", 2),
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
    {"slow_callback_duration", get_slow, put_slow, "Debug mode names what runs longer, in seconds."},
    {0},
};
static void loop_fill(struct type_slots *s)
{
    s->new_ = loop_slot_new;
    s->repr = loop_repr;
}
static const type_layout loop_layout = {
    .size = sizeof(loop) - sizeof(userdata), .traverse = loop_traverse, .cards = loop_cards, .free = loop_free};

bool loop_type_open(vm *vm)
{
    static const type_spec spec = {
        "asyncio._UnixSelectorEventLoop",      "The event loop.", &loop_layout, loop_methods, loop_getsets, 0,
        TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME, loop_fill};
    type *t = type_from_spec(vm, &spec);
    runtime_of(vm)->loop_type = t;
    return t != NULL;
}
