/* The event loop: its ready queue and its turns. What scripts see of it is in loop_type.c.
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
#include "vm/lock.h"

static const double MAX_WAIT = 24 * 3600; /* as CPython: a longer wait is several waits */

/* ---- the ready queue ---- */

enum { QUEUE_KEEP = 1024 }; /* entries that are never given back */

/* The entries lie from index 0 on now. */
static void queue_moved(loop *l)
{
    l->qclean = l->qclean > l->qhead ? l->qclean - l->qhead : 0;
    l->qtraced = l->qtraced > l->qhead ? l->qtraced - l->qhead : 0;
    __atomic_store_n(&l->qhead, 0, __ATOMIC_RELAXED);
}

static bool queue_grow(vm *vm, loop *l)
{
    size_t cap = l->qcap, ncap = cap ? cap * 2 : 64, bytes;
    if (!size_mul(ncap, sizeof(ready), &bytes)) return !value_is_error(raise_memory(vm));
    ready *q = mem_alloc(vm, bytes);
    if (!q) return false;
    for (size_t i = 0; i < l->qlen; i++) q[i] = l->queue[(l->qhead + i) & (cap - 1)];
    if (l->queue) mem_free(vm, l->queue, cap * sizeof(ready));
    l->queue = q;
    l->qcap = ncap;
    queue_moved(l);
    return true;
}

/* A burst is over: its memory goes back. */
static void queue_shrink(vm *vm, loop *l)
{
    size_t cap = QUEUE_KEEP;
    while (cap < 4 * l->qlen) cap *= 2;
    if (cap >= l->qcap) return;
    ready *q = mem_realloc_quiet(vm, NULL, 0, sizeof(ready) * cap);
    if (!q) return;
    for (size_t i = 0; i < l->qlen; i++) q[i] = l->queue[(l->qhead + i) & (l->qcap - 1)];
    mem_free(vm, l->queue, l->qcap * sizeof(ready));
    l->queue = q;
    l->qcap = cap;
    queue_moved(l);
}

bool loop_push_slow(vm *vm, loop *l, value what, value arg) { return queue_grow(vm, l) && loop_push(vm, l, what, arg); }

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
    l->resolution = LOOP_RESOLUTION;
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

double loop_clock(vm *vm)
{
    runtime *rt = runtime_of(vm);
    return (double)rt->platform->monotonic_ns(&rt->clock) * 1e-9;
}

double loop_time(vm *vm, loop *l)
{
    value own = loop_own_method(vm, l, "time");
    if (LIKELY(value_is_unbound(own))) return loop_clock(vm);
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
    if (UNLIKELY(l->qcap > 4 * QUEUE_KEEP && l->qlen < l->qcap / 16)) queue_shrink(vm, l);
    l->todo = l->qlen;
    if (UNLIKELY(runtime_of(vm)->shuffle)) loop_shuffle(vm, l);
    __atomic_store_n(&l->turns, l->turns + 1, __ATOMIC_RELAXED); /* the monitor's thread looks at it, and at qhead */
    return true;
}

/* The entries of this turn; a slice that is used up leaves some of them (l->todo) for later. */
static bool turn_run(vm *vm, loop *l)
{
    if (UNLIKELY(vm->preempted && vm->thread == &vm->main_thread) && !task_run_preempted(vm, l)) return false;
    while (l->todo && LIKELY(!vm->slice_over)) {
        ready r = l->queue[l->qhead & (l->qcap - 1)];
        __atomic_store_n(&l->qhead, l->qhead + 1, __ATOMIC_RELAXED);
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
    if (UNLIKELY(vm_attention(vm) || vm->thread->killed)) {
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
bool loop_run_turn(vm *vm, loop *l)
{
    return l->running_in ? loop_turn(vm, l) : loop_check_host(vm) && loop_run(vm, l, loop_turn, true);
}
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
