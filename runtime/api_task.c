/* The public C API: tasks of the host, and the host's loop driving the VM. */
#include "runtime/api.h"

#include "runtime/poller.h"
#include "vm/file.h"
#include "vm/list.h"
#include "vm/lock.h"

#include <stdlib.h>

struct aiovm_task {
    vm *vm;           /* until it is done; NULL: done */
    value task;       /* a root until then */
    callback_obj *cb; /* its n is this; 0: done has been called already */
    aiovm_done *done;
    void *ud;
    uint32_t refs; /* the host's, and the VM's until it is done */
    bool ended;    /* done because its VM ended */
    aiovm_task *prev, *next;
};

loop *api_loop(vm *vm)
{
    loop *l = loop_running(vm);
    if (!l) l = runtime_of(vm)->host_loop;
    if (!l)
        raise(vm, EXC_RuntimeError,
              "no running event loop: open the VM with AIOVM_HOST_LOOP, or call this from a script that runs in one");
    return l;
}

/* ---- spawning ---- */

static void task_unref(aiovm_task *t)
{
    if (--t->refs == 0) free(t);
}

static void unlink_task(api *a, aiovm_task *t)
{
    if (t->next) t->next->prev = t->prev;
    if (t->prev) t->prev->next = t->next;
    else a->tasks = t->next;
    t->vm = NULL;
    t->task = V_UNBOUND;
    t->cb->n = 0;
    t->cb = NULL;
}

static void tell_done(vm *vm, aiovm_task *t, aiovm_status status, value result)
{
    size_t mark = api_scope_begin(vm);
    if (t->done) t->done(outside(vm), t->ud, status, to_host(result));
    api_scope_end(vm, mark);
}

static void spawn_done(vm *vm, callback_obj *cb, value fut)
{
    api *a = api_of(vm);
    aiovm_task *t = (aiovm_task *)(uintptr_t)cb->n;
    if (!t) return; /* a loop that runs while the VM is being closed */
    future *f = AS(future, fut);
    ROOTS(vm, &fut);
    unlink_task(a, t);
    api_forget_error(vm);
    value result = V_NONE;
    aiovm_status status = AIOVM_OK;
    if (future_state(f) == FUT_CANCELLED) {
        status = AIOVM_CANCELLED;
    } else {
        result = future_get_result(vm, f);
        if (value_is_error(result)) {
            result = V_NONE;
            status = api_catch(vm);
        }
    }
    ROOTS(vm, &result);
    tell_done(vm, t, status, result);
    task_unref(t);
}

static value spawn(vm *vm, value coro, aiovm_done *done, void *ud, aiovm_task **out)
{
    api *a = api_of(vm);
    loop *l = api_loop(vm);
    if (!l) return V_ERROR;
    if (!api_present(vm, coro)) return V_ERROR;
    ROOTS(vm, &coro);
    value task = future_is(coro) ? coro : loop_create_task(vm, l, coro, V_UNBOUND, V_UNBOUND);
    if (value_is_error(task)) return V_ERROR;
    if (!future_is(task)) return raise_type_error(vm, "a Task was expected, not %T", task);
    ROOTS(vm, &task);
    callback_obj *cb = callback_new(vm, spawn_done, task, V_UNBOUND, V_UNBOUND);
    aiovm_task *t = cb ? calloc(1, sizeof *t) : NULL;
    if (!t) return cb ? raise_memory(vm) : V_ERROR;
    *t = (aiovm_task){.vm = vm, .task = task, .cb = cb, .done = done, .ud = ud, .refs = out ? 2 : 1, .next = a->tasks};
    cb->n = (int64_t)(uintptr_t)t;
    if (!future_add_native(vm, task, cb)) {
        free(t);
        return V_ERROR;
    }
    fut_hide_pending_report(task); /* done tells, if it is still pending at the end */
    if (t->next) t->next->prev = t;
    a->tasks = t;
    if (out) *out = t;
    return task;
}

aiovm_status aiovm_spawn(aiovm *host, aiovm_value coroutine, aiovm_done *done, void *ud, aiovm_task **task)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    if (task) *task = NULL;
    aiovm_status status = api_enter(vm, API_SCRIPT, NULL);
    if (status) return status;
    value v = spawn(vm, from_host(coroutine), done, ud, task);
    status = api_finish(vm, API_SCRIPT, !value_is_error(v));
    api_host_loop_changed(vm);
    return status;
}

aiovm_status aiovm_cancel(aiovm_task *t)
{
    if (!t) return AIOVM_INVALID;
    if (!t->vm) return t->ended ? AIOVM_ENDED : AIOVM_DONE;
    vm *vm = t->vm;
    API_COME_IN(vm);
    aiovm_status status = api_enter(vm, API_SCRIPT, NULL);
    if (status) return status;
    value task = t->task;
    ROOTS(vm, &task);
    bool did = future_cancel(vm, task, V_NONE);
    status = api_finish(vm, API_SCRIPT, !raised(vm));
    api_host_loop_changed(vm);
    return status ? status : did ? AIOVM_OK : AIOVM_DONE;
}

void aiovm_task_release(aiovm_task *t)
{
    if (t) task_unref(t);
}

void api_tasks_mark(vm *vm)
{
    for (aiovm_task *t = api_of(vm)->tasks; t; t = t->next) {
        gc_mark_value(vm, t->task);
        gc_mark_obj(vm, &t->cb->h);
    }
}

void api_tasks_close(vm *vm, aiovm_status status)
{
    api *a = api_of(vm);
    while (a->tasks) {
        aiovm_task *t = a->tasks;
        unlink_task(a, t);
        t->ended = true;
        a->no_script++;
        tell_done(vm, t, status, V_NONE);
        a->no_script--;
        task_unref(t);
    }
}

/* A task failed: the tasks that an exception has come through. */
void api_task_failed(vm *vm, task *t, value exc)
{
    api *a = api_of(vm);
    if (!value_is(a->chain_exc, exc)) {
        list *l = list_new(vm, 2);
        a->chain_exc = a->task_chain = V_UNBOUND;
        if (!l) {
            exc_clear(vm);
            return;
        }
        a->chain_exc = exc;
        a->task_chain = value_obj(l);
    }
    str *name = task_name(vm, t);
    if (!name || !list_append(vm, AS(list, a->task_chain), value_obj(name))) exc_clear(vm);
}

/* ---- the host's loop ---- */

static bool something_ready(vm *vm, const loop *l)
{
    return api_queue_waits(vm) || l->qlen || vm->preempted || (l->poller && l->poller->nagain);
}

/* When the next timer is due, from now: 0 at once, -1 none. */
static int64_t next_timer(vm *vm, loop *l)
{
    double when;
    if (!timers_next(l, &when)) return -1;
    double delay = when - loop_time(vm, l);
    if (delay <= 0) return 0;
    return delay < 9e9 ? (int64_t)(delay * 1e9) + 1 : INT64_MAX;
}

/* The descriptor is readable while something is ready, and when the next timer is due. */
void api_host_loop_changed(vm *vm)
{
    runtime *rt = runtime_of(vm);
    loop *l = rt->host_loop;
    api *a = api_of(vm);
    if (!l || !a->fd_asked || api_is_inside(vm) || vm->killed) return;
    int64_t next = something_ready(vm, l) ? 0 : next_timer(vm, l);
    if (next == 0 || (next > 0 && rt->clock.is_virtual)) {
        poller_wake(l);
        return;
    }
    double when = 0;
    if (!timers_next(l, &when)) when = -1;
    if (when == a->armed || rt->clock.host) return;
    if (!poller_arm(vm, l, when < 0 ? -1 : when < 9e9 ? (int64_t)(when * 1e9) : INT64_MAX)) exc_clear(vm);
    else a->armed = when;
}

static aiovm_state state_now(vm *vm, loop *l)
{
    runtime *rt = runtime_of(vm);
    double when;
    if (something_ready(vm, l)) return AIOVM_STATE_READY;
    if (poller_active(l)) return AIOVM_STATE_WAIT_IO;
    if (timers_next(l, &when)) return AIOVM_STATE_IDLE;
    if (rt->in_flight) return AIOVM_STATE_WAIT_HOST;
    if (!rt->live_tasks) return AIOVM_STATE_DONE;
    if (!threads_are_stuck(vm)) return AIOVM_STATE_WAIT_HOST;
    return AIOVM_STATE_DEADLOCK;
}

/* What a run of the loop came to; an exception may be pending. */
static aiovm_state conclude(vm *vm, loop *l, bool ok)
{
    const runtime *rt = runtime_of(vm);
    if (ok) {
        aiovm_state s = state_now(vm, l);
        if (s != AIOVM_STATE_DEADLOCK) return s;
        if (rt->report[REPORT_DEADLOCK] != REPORT_OFF) loop_deadlock(vm, l); /* a description, for the host */
        return AIOVM_STATE_DEADLOCK;
    }
    return vm->killed ? AIOVM_STATE_ENDED : AIOVM_STATE_FAILED;
}

aiovm_state aiovm_run_ready(aiovm *host, uint64_t fuel)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    runtime *rt = runtime_of(vm);
    loop *l = rt->host_loop;
    switch (api_enter(vm, API_OUTER, NULL)) {
    case AIOVM_OK: break;
    case AIOVM_ENDED: return AIOVM_STATE_ENDED;
    default: return AIOVM_STATE_BUSY;
    }
    if (!l) {
        raise(vm, EXC_RuntimeError, "the VM was not opened with AIOVM_HOST_LOOP");
        api_finish(vm, API_OUTER, false);
        return AIOVM_STATE_FAILED;
    }
    if (rt->clock.is_virtual && !something_ready(vm, l) && !rt->in_flight) {
        int64_t next = next_timer(vm, l);
        if (next > 0) rt->platform->advance(&rt->clock, next);
    }
    vm_slice_begin(vm, fuel);
    bool ok = loop_run_once(vm, l);
    vm_slice_begin(vm, 0);
    aiovm_state s = conclude(vm, l, ok);
    aiovm_status status = api_finish(vm, API_OUTER, !raised(vm));
    if (status == AIOVM_ENDED) return AIOVM_STATE_ENDED;
    api_host_loop_changed(vm);
    return s;
}

const char *aiovm_state_name(aiovm_state state)
{
    static const char *const names[] = {"READY", "WAIT_IO", "IDLE",  "WAIT_HOST", "DEADLOCK",
                                        "DONE",  "FAILED",  "ENDED", "BUSY"};
    return (unsigned)state < sizeof names / sizeof *names ? names[state] : "an unknown state";
}

int aiovm_fd(aiovm *host)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    loop *l = runtime_of(vm)->host_loop;
    if (!l || api_enter(vm, API_PLAIN, NULL)) return -1;
    int fd = poller_host_fd(vm, l);
    if (fd < 0) {
        api_catch(vm);
        return -1;
    }
    api *a = api_of(vm);
    if (!a->fd_asked) {
        a->fd_asked = true;
        a->armed = -1;
        api_host_loop_changed(vm);
    }
    return fd;
}

int64_t aiovm_timeout_ns(aiovm *host)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    loop *l = runtime_of(vm)->host_loop;
    api_acquire(vm);
    if (!l || vm->killed || api_of(vm)->in_sweep) return -1;
    return something_ready(vm, l) ? 0 : next_timer(vm, l);
}

/* ---- shutting down ---- */

static void time_is_up(vm *vm, callback_obj *cb, value arg)
{
    (void)vm, (void)arg;
    AS(loop, cb->a)->stopping = true;
    cb->n = 1;
}

static bool close_asyncgens(vm *vm, loop *l)
{
    str *name = str_intern_utf8(vm, "shutdown_asyncgens", 18);
    value c = name ? vm_call_method(vm, value_obj(l), name, NULL, 0) : V_ERROR;
    return !value_is_error(c) && !value_is_error(loop_run_until_complete(vm, l, c));
}

aiovm_status aiovm_shutdown(aiovm *host, int64_t timeout_ns)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    aiovm_status status = api_enter(vm, API_OUTER, NULL);
    if (status) return status;
    loop *l = runtime_of(vm)->host_loop;
    if (!l) return api_finish(vm, API_OUTER, true);
    vm_slice_begin(vm, 0);
    callback_obj *cb = NULL;
    ROOTS(vm, &l, &cb);
    if (timeout_ns >= 0) {
        cb = timers_call_at(vm, l, loop_time(vm, l) + (double)timeout_ns * 1e-9, time_is_up, value_obj(l));
        if (!cb) return api_finish(vm, API_OUTER, false);
    }
    bool ok = runner_cancel_all(vm, l) && close_asyncgens(vm, l);
    bool late = cb && cb->n;
    if (cb && !late) timers_cancel_call(vm, l, cb);
    if (!ok && late) {
        exc_clear(vm);
        api_finish(vm, API_OUTER, true);
        return AIOVM_PENDING;
    }
    return api_finish(vm, API_OUTER, ok);
}
