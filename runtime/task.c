/* Task: a coroutine driven by the loop. The interpreter calls the hooks here when a chain of frames that a task drives
 * suspends or ends, and asks for the next task without leaving its loop.
 *
 * Invariants
 *  1. Every frame of a task's chain has the task in link.task; task->leaf is the innermost while it is suspended, else
 *     the root: inner frames are recycled when they return.
 *  2. A pending task is in at most one place that will wake it: the ready queue, or the callbacks of waiting_on.
 *  3. thread->handled belongs to the running task; it is saved in the task at suspension and is unbound between tasks.
 *  4. The table of pending tasks is weak: a task that nothing can wake and nobody holds is collected, with a report.
 */
#include "runtime/api.h"
#include "runtime/graph.h"
#include "vm/attr.h"
#include "vm/interp.h"
#include "vm/list.h"
#include "vm/native.h"
#include "vm/str.h"

/* ---- the table of pending tasks ---- */

static void table_compact(runtime *rt)
{
    size_t n = 0;
    for (size_t i = 0; i < rt->ntasks; i++) {
        task *t = rt->all_tasks[i];
        if (!t) continue;
        rt->all_tasks[n++] = t;
        t->index = (uint32_t)n;
    }
    rt->ntasks = n;
}

static bool table_add(vm *vm, task *t)
{
    runtime *rt = runtime_of(vm);
    if (rt->ntasks == rt->captasks && rt->live_tasks < rt->ntasks / 2) table_compact(rt);
    if (rt->ntasks == rt->captasks) {
        size_t cap = rt->captasks ? rt->captasks * 2 : 64;
        task **p = mem_realloc(vm, rt->all_tasks, rt->captasks * sizeof *p, cap * sizeof *p);
        if (!p) return false;
        rt->all_tasks = p;
        rt->captasks = cap;
    }
    rt->all_tasks[rt->ntasks++] = t;
    rt->live_tasks++;
    t->index = (uint32_t)rt->ntasks;
    return true;
}

static void table_remove(vm *vm, task *t)
{
    runtime *rt = runtime_of(vm);
    if (!t->index || !rt) return;
    rt->all_tasks[t->index - 1] = NULL;
    rt->live_tasks--;
    while (rt->ntasks && !rt->all_tasks[rt->ntasks - 1]) rt->ntasks--;
    t->index = 0;
}

list *all_tasks_list(vm *vm, loop *l)
{
    runtime *rt = runtime_of(vm);
    list *out = list_new(vm, rt->live_tasks);
    for (size_t i = 0; out && i < rt->ntasks; i++) {
        task *t = rt->all_tasks[i];
        if (t && (!l || t->f.loop == &l->h) && !list_append(vm, out, value_obj(t))) return NULL;
    }
    return out;
}

/* ---- creation ---- */

bool is_coroutine(vm *vm, value v)
{
    if (value_is_kind(v, K_FRAME)) {
        frame *f = AS(frame, v);
        return f->h.shape == TYPE_COROUTINE || (f->code->flags & CODE_ITERABLE_CORO);
    }
    if (!value_is_obj(v) || future_is(v) || IS_TYPE(v)) return false;
    type *t = type_of(vm, v);
    return t->s.await && !value_is_unbound(type_lookup(vm, t, N(vm, send))) &&
           !value_is_unbound(type_lookup(vm, t, N(vm, throw))) && !value_is_unbound(type_lookup(vm, t, N(vm, close)));
}

static bool task_prepare(vm *vm, task *t, loop *l, value coro, value name, value context)
{
    if (!is_coroutine(vm, coro)) {
        raise_type_error(vm, "a coroutine was expected, got %R", coro);
        return false;
    }
    t->f.loop = &l->h;
    t->coro_obj = coro;
    if (value_is_kind(coro, K_FRAME)) {
        frame *f = AS(frame, coro);
        t->coro = t->leaf = f;
        f->h.flags |= FRAME_AWAITED | FRAME_TASK_ROOT;
        f->origin = place_here(vm);
        f->h.gc &= (uint8_t)~GC_FINALIZE; /* the task sees to it: task_finalize */
    }
    t->wake = V_NONE;
    t->context = value_is_unbound(context) ? context_copy_current(vm) : context;
    if (raised(vm)) return false;
    if (value_is_unbound(name) || value_is_none(name)) {
        t->name = value_int(++runtime_of(vm)->task_names);
    } else {
        ROOTS(vm, &t, &coro);
        str *s = obj_str(vm, name);
        if (!s) return false;
        t->name = value_obj(s);
    }
    gc_barrier(vm, t);
    if (UNLIKELY(vm->limits.tasks && runtime_of(vm)->live_tasks >= vm->limits.tasks)) {
        raise(vm, EXC_RuntimeError, "too many tasks: the limit of this VM is %d", (int)vm->limits.tasks);
        return false;
    }
    if (!table_add(vm, t)) return false;
    if (UNLIKELY(l->debug)) future_note_source(vm, &t->f);
    gc_register_finalizer(vm, &t->f.h);
    return true;
}

bool task_init(vm *vm, task *t, loop *l, value coro, value name, value context)
{
    return task_prepare(vm, t, l, coro, name, context) && loop_push(vm, l, value_obj(t), V_UNBOUND);
}

void fut_hide_pending_report(value fut)
{
    if (value_is_kind(fut, K_TASK)) AS(task, fut)->f.h.flags |= FUT_TASK_NO_LOG;
}

task *task_new(vm *vm, loop *l, value coro, value name, value context)
{
    task *t = gc_new_fast(vm, K_TASK, TYPE_TASK, sizeof *t);
    if (!t) return NULL;
    return task_init(vm, t, l, coro, name, context) ? t : NULL;
}

task *task_current(vm *vm)
{
    value v = vm->thread->current_task;
    return value_is_kind(v, K_TASK) ? AS(task, v) : NULL;
}

str *task_name(vm *vm, task *t)
{
    if (value_is_int(t->name)) return str_format(vm, "Task-%ld", value_as_int(t->name));
    return IS_STR(t->name) ? AS(str, t->name) : vm->empty_str;
}

/* ---- steps ---- */

/* Makes t the running task. The outcome it was woken with: the value to send, or unbound with the exception pending. */
static value begin_step(vm *vm, task *t)
{
    thread *th = vm->thread;
    th->current_task = value_obj(t);
    th->handled = t->handled;
    th->context = t->context;
    t->f.h.flags |= FUT_TASK_RUNNING;
    object *waited = t->waiting_on;
    value wake = t->wake, sent = V_NONE;
    bool direct = (t->f.h.flags & FUT_TASK_DIRECT) != 0;
    t->waiting_on = NULL;
    t->wake = V_NONE;
    t->handled = V_UNBOUND;
    t->f.h.flags &= (uint16_t)~FUT_TASK_DIRECT;
    value exc = V_UNBOUND;
    if (value_is_unbound(wake) && waited) {
        value w = value_obj(waited);
        if (future_is(w)) {
            sent = future_get_result(vm, (future *)waited);
        } else {
            ROOTS(vm, &w);
            sent = vm_call_method(vm, w, N(vm, result), NULL, 0);
        }
        if (value_is_error(sent)) exc = exc_take(vm);
        else if (!direct) sent = V_NONE;
    } else if (IS_EXC(wake)) {
        exc = wake;
    }
    if (UNLIKELY(t->f.h.flags & FUT_TASK_MUST_CANCEL)) {
        t->f.h.flags &= (uint16_t)~FUT_TASK_MUST_CANCEL;
        if (!IS_EXC(exc) || !value_isa_id(vm, exc, EXC_CancelledError)) {
            value made = future_make_cancelled(vm, &t->f);
            if (!value_is_error(made)) exc = made;
            else exc = exc_take(vm);
        }
    }
    if (LIKELY(value_is_unbound(exc))) return sent;
    raise_exception(vm, exc);
    return V_UNBOUND;
}

static void end_step(vm *vm, task *t)
{
    thread *th = vm->thread;
    t->f.h.flags &= (uint16_t)~FUT_TASK_RUNNING;
    if (UNLIKELY(t->context.bits != th->context.bits)) { /* the first ContextVar.set in an empty context made one */
        t->context = th->context;
        gc_barrier(vm, t);
    }
    th->current_task = th->handled = th->context = V_UNBOUND;
}

static bool schedule_throw(vm *vm, task *t, value exc)
{
    t->wake = exc;
    gc_barrier(vm, t);
    return loop_push(vm, (loop *)t->f.loop, value_obj(t), V_UNBOUND);
}

static void throw_later(vm *vm, task *t, const char *fmt, value v)
{
    ROOTS(vm, &t, &v);
    str *self = obj_repr(vm, value_obj(t));
    value exc = V_UNBOUND;
    if (self) {
        str *msg = str_format(vm, fmt, value_obj(self), v);
        if (msg) exc = exc_new(vm, EXC_RuntimeError, value_obj(msg));
    }
    if (!IS_EXC(exc)) exc = exc_take(vm);
    if (!schedule_throw(vm, t, exc)) exc_clear(vm);
}

/* t waits for w (a Future or like one, pending or not). false: raised. */
static bool wait_for_future(vm *vm, task *t, value w)
{
    if (future_is(w)) {
        future *f = AS(future, w);
        if (UNLIKELY(future_state(f) != FUT_PENDING)) { /* a foreign __await__ yielded a finished one */
            if (!loop_push(vm, (loop *)t->f.loop, value_obj(t), V_UNBOUND)) return false;
        } else if (!future_add_waiter(vm, f, t)) {
            return false;
        }
    } else {
        ROOTS(vm, &t, &w);
        value wakeup = obj_getattr(vm, value_obj(t), str_intern_utf8(vm, "_wakeup", 7));
        if (value_is_error(wakeup)) return false;
        if (value_is_error(vm_call_method(vm, w, N(vm, add_done_callback), &wakeup, 1))) return false;
    }
    t->waiting_on = value_as_obj(w);
    t->wake = V_UNBOUND;
    gc_barrier(vm, t);
    if (UNLIKELY(t->f.h.flags & FUT_TASK_MUST_CANCEL)) {
        if (future_cancel(vm, w, t->f.cancel_msg)) t->f.h.flags &= (uint16_t)~FUT_TASK_MUST_CANCEL;
        if (raised(vm)) return false;
    }
    return true;
}

static bool hook_suspend_on(vm *vm, frame *leaf, value fut)
{
    thread *th = vm->thread;
    task *t = (task *)(void *)leaf->link.task;
    future *f = AS(future, fut);
    if (UNLIKELY(f->loop != t->f.loop)) {
        str *self = obj_repr(vm, value_obj(t));
        if (self)
            raise(vm, EXC_RuntimeError, "Task %U got Future %R attached to a different loop", value_obj(self), fut);
        return false;
    }
    if (UNLIKELY((object *)f == &t->f.h)) {
        raise(vm, EXC_RuntimeError, "Task cannot await on itself: %R", value_obj(t));
        return false;
    }
    t->leaf = leaf;
    t->f.h.flags |= FUT_TASK_DIRECT;
    if (LIKELY(!(t->f.h.flags & FUT_TASK_MUST_CANCEL) && !f->waiter && value_is_unbound(f->callbacks))) {
        f->waiter = &t->f.h;
        gc_barrier(vm, f);
        t->waiting_on = &f->h;
        t->wake = V_UNBOUND;
        gc_barrier(vm, t);
    } else if (!wait_for_future(vm, t, fut)) {
        return false;
    }
    t->handled = th->handled;
    gc_barrier(vm, t);
    end_step(vm, t);
    if (UNLIKELY(t->ncancel && runtime_of(vm)->expired)) report_swallowed(vm, t);
    return true;
}

static void hook_task_yield(vm *vm, frame *leaf, value v)
{
    task *t = (task *)(void *)leaf->link.task;
    t->leaf = leaf;
    t->handled = vm->thread->handled;
    gc_barrier(vm, t);
    end_step(vm, t);
    ROOTS(vm, &t, &v);
    if (value_is_none(v)) {
        if (!loop_push(vm, (loop *)t->f.loop, value_obj(t), V_UNBOUND)) exc_clear(vm);
        return;
    }
    if (future_like(vm, v)) {
        bool blocking;
        if (future_is(v)) {
            future *f = AS(future, v);
            blocking = f->h.flags & FUT_BLOCKING;
            f->h.flags &= (uint16_t)~FUT_BLOCKING;
            if (f->loop != t->f.loop) {
                throw_later(vm, t, "Task %U got Future %R attached to a different loop", v);
                return;
            }
        } else {
            value b = obj_getattr(vm, v, N(vm, _asyncio_future_blocking));
            blocking = !value_is_error(b) && obj_truth(vm, b) > 0;
            if (!raised(vm) && blocking) obj_setattr(vm, v, N(vm, _asyncio_future_blocking), V_FALSE);
        }
        if (!raised(vm)) {
            if (!blocking) {
                throw_later(vm, t, "yield was used instead of yield from in task %U with %R", v);
                return;
            }
            if (value_is(v, value_obj(t))) {
                throw_later(vm, t, "Task cannot await on itself: %U", v);
                return;
            }
            if (wait_for_future(vm, t, v)) return;
        }
        value exc = exc_take(vm);
        if (!schedule_throw(vm, t, exc)) exc_clear(vm);
        return;
    }
    if (value_is_kind(v, K_FRAME) && value_as_obj(v)->shape == TYPE_GENERATOR)
        throw_later(vm, t, "yield was used instead of yield from for generator in task %U with %R", v);
    else {
        str *msg = str_format(vm, "Task got bad yield: %R", v);
        value exc = msg ? exc_new(vm, EXC_RuntimeError, value_obj(msg)) : V_ERROR;
        if (value_is_error(exc)) exc = exc_take(vm);
        if (!schedule_throw(vm, t, exc)) exc_clear(vm);
    }
}

/* Nothing is left to report about it. */
static inline void forget_finalizer(task *t)
{
    if (LIKELY(t->f.h.shape == TYPE_TASK)) t->f.h.gc &= (uint8_t)~GC_FINALIZE;
}

/* Who awaits a task that fails, for its report: the table of callbacks is gone by then. */
static object *first_awaiter(vm *vm, task *t)
{
    list *all = graph_awaiting_tasks(vm, t);
    if (!all) exc_clear(vm);
    for (size_t i = 0; all && i < all->len; i++)
        if (value_is_kind(all->items[i], K_TASK)) return value_as_obj(all->items[i]);
    return NULL;
}

/* The coroutine ended: result, or unbound with the exception pending. */
static void finish(vm *vm, task *t, value result)
{
    loop *l = (loop *)t->f.loop;
    value exc = value_is_unbound(result) ? exc_take(vm) : V_UNBOUND;
    end_step(vm, t);
    t->coro = t->leaf = NULL;
    t->waiting_on = LIKELY(value_is_unbound(exc)) ? NULL : first_awaiter(vm, t);
    table_remove(vm, t);
    if (LIKELY(value_is_unbound(exc))) {
        if (UNLIKELY(t->f.h.flags & FUT_TASK_MUST_CANCEL)) {
            t->f.h.flags &= (uint16_t)~FUT_TASK_MUST_CANCEL;
            future_cancelled(vm, &t->f, t->f.cancel_msg, V_UNBOUND);
        } else {
            future_finish(vm, &t->f, result);
        }
        forget_finalizer(t);
    } else if (value_isa_id(vm, exc, EXC_CancelledError)) {
        future_cancelled(vm, &t->f, V_UNBOUND, exc);
        forget_finalizer(t);
    } else {
        if (vm->state[VMS_API]) api_task_failed(vm, t, exc);
        future_fail(vm, &t->f, exc);
        if (UNLIKELY(value_isa_id(vm, exc, EXC_KeyboardInterrupt) || value_isa_id(vm, exc, EXC_SystemExit))) {
            l->fatal = exc;
            gc_barrier(vm, l);
        }
    }
    if (raised(vm)) exc_clear(vm); /* no memory to queue a wake-up: nothing better can be done */
}

static void hook_task_done(vm *vm, frame *root, value result)
{
    finish(vm, (task *)(void *)root->link.task, result);
}

/* A coroutine-like object that is no frame: one step through its methods. */
static void step_object(vm *vm, task *t)
{
    ROOTS(vm, &t);
    value sent = begin_step(vm, t), v;
    if (value_is_unbound(sent)) {
        value exc = exc_take(vm);
        v = vm_call_method(vm, t->coro_obj, N(vm, throw), &exc, 1);
    } else {
        v = vm_call_method(vm, t->coro_obj, N(vm, send), &sent, 1);
    }
    if (value_is_error(v)) {
        value result = V_UNBOUND;
        if (exc_matches(vm, EXC_StopIteration)) {
            value exc = exc_take(vm);
            result = AS(exception, exc)->field[0];
            if (value_is_unbound(result)) result = V_NONE;
        }
        finish(vm, t, result);
        return;
    }
    frame fake = {.link.task = &t->f.h};
    hook_task_yield(vm, &fake, v);
    t->leaf = NULL;
}

static bool is_steppable(const task *t) { return t->coro != NULL; }

/* Where the step begins. The leaf's frame may be gone at the end of it: from here on the task knows its root only. */
static inline frame *take_leaf(task *t)
{
    frame *leaf = t->leaf;
    if (leaf == t->coro) {
        leaf->link.task = &t->f.h;
        leaf->up = NULL;
        leaf->ret = 0;
    }
    t->leaf = t->coro;
    return leaf;
}

/* The next ready task of this turn, if the next entry is a task that the interpreter can run. */
static frame *hook_next_ready(vm *vm, value *sent)
{
    loop *l = (loop *)vm->thread->loop_state;
    while (LIKELY(l && l->todo && vm->poll > 0 && !vm->slice_over)) {
        if (UNLIKELY(!value_is_unbound(l->fatal))) return NULL;
        size_t mask = ((size_t)1 << l->qlog) - 1;
        ready *r = &l->queue[l->qhead & mask];
        if (value_as_obj(r->what)->kind == K_FUTURE) { /* READY_TIMEOUT */
            future *f = AS(future, r->what);
            l->qhead++;
            l->qlen--;
            l->todo--;
            if (future_state(f) == FUT_PENDING) future_finish(vm, f, r->arg);
            if (UNLIKELY(raised(vm))) exc_report_unraisable(vm, value_obj(f));
            continue;
        }
        if (value_as_obj(r->what)->kind != K_TASK) return NULL;
        task *t = AS(task, r->what);
        if (UNLIKELY(future_state(&t->f) == FUT_PENDING && !is_steppable(t))) return NULL;
        l->qhead++;
        l->qlen--;
        l->todo--;
        vm->poll--;
        if (UNLIKELY(future_state(&t->f) != FUT_PENDING)) continue;
        *sent = begin_step(vm, t);
        return take_leaf(t);
    }
    return NULL;
}

/* A slice was used up in the middle of a step: what belongs to the running task waits with it. */
static void leave_preempted(vm *vm)
{
    runtime *rt = runtime_of(vm);
    thread *th = vm->thread;
    rt->left_task = th->current_task;
    rt->left_handled = th->handled;
    rt->left_context = th->context;
    th->current_task = th->handled = th->context = V_UNBOUND;
}

bool task_run_preempted(vm *vm, loop *l)
{
    runtime *rt = runtime_of(vm);
    thread *th = vm->thread;
    th->current_task = rt->left_task;
    th->handled = rt->left_handled;
    th->context = rt->left_context;
    rt->left_task = rt->left_handled = rt->left_context = V_UNBOUND;
    interp_run_preempted(vm);
    if (UNLIKELY(vm->preempted)) leave_preempted(vm);
    if (LIKELY(value_is_unbound(l->fatal))) return true;
    vm->thread->exc = l->fatal;
    l->fatal = V_UNBOUND;
    return false;
}

bool task_run_ready(vm *vm, loop *l, task *t)
{
    if (future_state(&t->f) == FUT_PENDING) {
        if (!is_steppable(t)) {
            step_object(vm, t);
        } else {
            value sent = begin_step(vm, t);
            interp_run_tasks(vm, take_leaf(t), sent);
            if (UNLIKELY(vm->preempted)) leave_preempted(vm);
        }
    }
    if (LIKELY(value_is_unbound(l->fatal))) return true;
    vm->thread->exc = l->fatal;
    l->fatal = V_UNBOUND;
    return false;
}

/* Runs t, which was just made, until it first waits; whatever runs now goes on afterwards as if nothing had been. */
value task_start_eagerly(vm *vm, task *t)
{
    thread *th = vm->thread;
    loop *l = (loop *)t->f.loop;
    value current = th->current_task, handled = th->handled, context = th->context;
    ROOTS(vm, &t, &l, &current, &handled, &context);
    if (!vm_enter(vm)) return V_ERROR;
    size_t todo = l->todo;
    l->todo = 0; /* no other task runs in here */
    bool ok = task_run_ready(vm, l, t);
    l->todo = todo;
    th->current_task = current;
    th->handled = handled;
    th->context = context;
    vm_leave(vm);
    return ok ? value_obj(t) : V_ERROR;
}

/* ---- cancellation ---- */

bool task_cancel(vm *vm, task *t, value msg)
{
    future_retrieved(&t->f);
    if (future_state(&t->f) != FUT_PENDING) return false;
    t->ncancel++;
    if (t->waiting_on) {
        ROOTS(vm, &t, &msg);
        if (future_cancel(vm, value_obj(t->waiting_on), msg)) return true;
        if (raised(vm)) return false;
    }
    t->f.h.flags |= FUT_TASK_MUST_CANCEL;
    t->f.cancel_msg = msg;
    gc_barrier(vm, t);
    return true;
}

/* ---- the type ---- */

static bool task_slot_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value out[5];
    if (!args_bind(vm, "Task(coro, *, loop=None, name=None, context=None, eager_start=False)", args, n, kw, out))
        return false;
    loop *l;
    if (value_is_unbound(out[1]) || value_is_none(out[1])) {
        l = loop_get_event_loop(vm);
        if (!l) return false;
    } else if (loop_is(vm, out[1])) {
        l = AS(loop, out[1]);
    } else {
        raise_type_error(vm, "loop must be an event loop, not %T", out[1]);
        return false;
    }
    task *t = AS(task, self);
    value context = value_is_unbound(out[3]) || value_is_none(out[3]) ? V_UNBOUND : out[3];
    int eager = value_is_unbound(out[4]) ? 0 : obj_truth(vm, out[4]);
    if (eager < 0) return false;
    if (!eager || l->running_in != vm->thread) return task_init(vm, t, l, out[0], out[2], context);
    return task_prepare(vm, t, l, out[0], out[2], context) && !value_is_error(task_start_eagerly(vm, t));
}

static value m_cancel(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    bool did = task_cancel(vm, AS(task, a[0]), value_is_unbound(a[1]) ? V_NONE : a[1]);
    return raised(vm) ? V_ERROR : value_bool(did);
}
static value m_cancelling(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_int(AS(task, a[0])->ncancel);
}
static value m_uncancel(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    task *t = AS(task, a[0]);
    if (t->ncancel && --t->ncancel == 0) t->f.h.flags &= (uint16_t)~FUT_TASK_MUST_CANCEL;
    return value_int(t->ncancel);
}
static value m_get_name(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    str *s = task_name(vm, AS(task, a[0]));
    return s ? value_obj(s) : V_ERROR;
}
static value m_set_name(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    str *s = obj_str(vm, a[1]);
    if (!s) return V_ERROR;
    AS(task, a[0])->name = value_obj(s);
    gc_barrier(vm, value_as_obj(a[0]));
    return V_NONE;
}
static value m_get_coro(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return AS(task, a[0])->coro_obj;
}
static value m_get_context(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    task *t = AS(task, a[0]);
    thread *th = vm->thread;
    if (value_is(th->current_task, a[0])) return context_current(vm);
    if (value_is_unbound(t->context)) { /* empty so far: from now on somebody else knows it */
        value mine = th->context;
        th->context = V_UNBOUND;
        value c = context_current(vm);
        th->context = mine;
        if (value_is_error(c)) return V_ERROR;
        t->context = c;
        gc_barrier(vm, t);
    }
    return t->context;
}
static value m_wakeup(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    task *t = AS(task, a[0]);
    if (future_state(&t->f) != FUT_PENDING) return V_NONE;
    t->wake = V_UNBOUND;
    return loop_push(vm, (loop *)t->f.loop, a[0], V_UNBOUND) ? V_NONE : V_ERROR;
}

static value stack_list(vm *vm, task *t, int64_t limit)
{
    list *l = list_new(vm, 1);
    if (!l) return V_ERROR;
    ROOTS(vm, &l, &t);
    if (t->coro && frame_state(t->coro) != FRAME_DONE) {
        value v = frameview_of(vm, t->coro);
        if (value_is_error(v) || !list_append(vm, l, v)) return V_ERROR;
    } else if (t->f.h.flags & FUT_EXCEPTION) {
        value tb = exc_get_traceback(vm, t->f.result);
        ROOTS(vm, &tb);
        while (value_is_kind(tb, K_TRACEBACK) && (limit < 0 || (int64_t)l->len < limit)) {
            value fv = obj_getattr(vm, tb, str_intern_utf8(vm, "tb_frame", 8));
            if (value_is_error(fv) || !list_append(vm, l, fv)) return V_ERROR;
            tb = AS(traceback, tb)->next;
        }
    }
    return value_obj(l);
}
static value m_get_stack(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int64_t limit = -1;
    if (!value_is_unbound(a[1]) && !value_is_none(a[1]) && !int_as_i64(vm, a[1], &limit)) return V_ERROR;
    return stack_list(vm, AS(task, a[0]), limit);
}

static str *coroutine_text(vm *vm, task *t)
{
    if (!value_is_kind(t->coro_obj, K_FRAME)) return obj_repr(vm, t->coro_obj);
    frame *f = AS(frame, t->coro_obj);
    value name = frame_coroutine_name(vm, f);
    if (f->code->flags & CODE_NATIVE)
        return str_format(vm, frame_state(f) == FRAME_DONE ? "%U()" : "%U() running", name);
    value file = value_obj(f->code->filename);
    if (frame_state(f) == FRAME_DONE)
        return str_format(vm, "%U() done, defined at %U:%d", name, file, (int)f->code->firstlineno);
    uint32_t pc = (uint32_t)(f->pc - f->code->insns);
    return str_format(vm, "%U() running at %U:%d", name, file, (int)(pc ? code_line(f->code, pc) : f->code->firstlineno));
}

static value task_repr(vm *vm, value self)
{
    task *t = AS(task, self);
    int r = repr_enter(vm, self);
    if (r < 0) return V_ERROR;
    if (r == 0) return value_obj(str_format(vm, "<%U ...>", type_of(vm, self)->name));
    value result = V_ERROR;
    str *name = task_name(vm, t), *middle = NULL;
    if (name) {
        ROOTS(vm, &self, &name, &middle);
        str *coro = coroutine_text(vm, t);
        ROOTS(vm, &coro);
        str *waits = vm->empty_str;
        if (coro && t->waiting_on && future_state(&t->f) == FUT_PENDING) waits = str_format(vm, " wait_for=%R", value_obj(t->waiting_on));
        if (coro && waits)
            middle = str_format(vm, " name=%R coro=<%U>%U", value_obj(name), value_obj(coro), value_obj(waits));
        str *info = middle ? future_repr_info(vm, &t->f, middle) : NULL;
        str *s = info ? str_format(vm, "<%U %U>", type_of(vm, self)->name, value_obj(info)) : NULL;
        if (s) result = value_obj(s);
    }
    repr_leave(vm, self);
    return result;
}

static value m_print_stack(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    task *t = AS(task, a[0]);
    value out = value_is_unbound(a[2]) || value_is_none(a[2]) ? V_UNBOUND : a[2];
    if (value_is_unbound(out)) {
        value sys = dict_get_str(vm, vm->modules, N(vm, sys));
        out = value_is_unbound(sys) ? V_NONE : obj_getattr(vm, sys, N(vm, stderr));
        if (value_is_error(out)) return V_ERROR;
    }
    ROOTS(vm, &out);
    str *text;
    if (t->f.h.flags & FUT_EXCEPTION) {
        str *trace = exc_format(vm, t->f.result);
        text = trace ? str_format(vm, "Traceback for %R (most recent call last):\n%U", a[0], value_obj(trace)) : NULL;
    } else if (t->coro && frame_state(t->coro) != FRAME_DONE) {
        frame *f = t->coro;
        uint32_t pc = (uint32_t)(f->pc - f->code->insns);
        str *line = source_line(vm, f->code->filename, pc ? code_line(f->code, pc) : f->code->firstlineno);
        text = str_format(vm, "Stack for %R (most recent call last):\n  File \"%U\", line %d, in %U\n%s%U%s", a[0],
                          value_obj(f->code->filename), (int)(pc ? code_line(f->code, pc) : f->code->firstlineno),
                          value_obj(f->code->name), line && line->len ? "    " : "", value_obj(line ? line : vm->empty_str),
                          line && line->len ? "\n" : "");
    } else {
        text = str_format(vm, "No stack for %R\n", a[0]);
    }
    if (!text) return V_ERROR;
    value tv = value_obj(text);
    return value_is_error(vm_call_method(vm, out, N(vm, write), &tv, 1)) ? V_ERROR : V_NONE;
}

static value get_must_cancel(vm *vm, value self)
{
    (void)vm;
    return value_bool(AS(task, self)->f.h.flags & FUT_TASK_MUST_CANCEL);
}
static value get_waiting(vm *vm, value self)
{
    (void)vm;
    object *o = future_state(&AS(task, self)->f) == FUT_PENDING ? AS(task, self)->waiting_on : NULL;
    return o ? value_obj(o) : V_NONE;
}
static value get_coro(vm *vm, value self)
{
    (void)vm;
    return AS(task, self)->coro_obj;
}

static const native_def task_methods[] = {
    {"cancel(self, /, msg=None)", m_cancel, "Request that this task cancel itself.", 0},
    {"cancelling(self, /)", m_cancelling, "How many cancellation requests are pending.", 0},
    {"uncancel(self, /)", m_uncancel, "Withdraw one cancellation request; returns how many remain.", 0},
    {"get_name(self, /)", m_get_name, "The task's name.", 0},
    {"set_name(self, value, /)", m_set_name, "Set the task's name.", 0},
    {"get_coro(self, /)", m_get_coro, "The coroutine that the task runs.", 0},
    {"get_context(self, /)", m_get_context, "The context the task runs in.", 0},
    {"get_stack(self, /, *, limit=None)", m_get_stack, "The list of stack frames of the task's coroutine.", 0},
    {"print_stack(self, /, *, limit=None, file=None)", m_print_stack, "Print the stack or traceback of the task's coroutine.", 0},
    {"_wakeup(self, future, /)", m_wakeup, NULL, 0},
    {0},
};
static const getset_def task_getsets[] = {
    {"_must_cancel", get_must_cancel, NULL, NULL},
    {"_fut_waiter", get_waiting, NULL, NULL},
    {"_coro", get_coro, NULL, NULL},
    {0},
};

static void task_traverse(vm *vm, object *o)
{
    task *t = (task *)o;
    future_traverse(vm, o);
    gc_mark_obj(vm, t->coro ? &t->coro->h : NULL);
    gc_mark_obj(vm, t->leaf ? &t->leaf->h : NULL);
    gc_mark_value(vm, t->coro_obj);
    gc_mark_obj(vm, t->waiting_on);
    gc_mark_value(vm, t->wake);
    gc_mark_value(vm, t->context);
    gc_mark_value(vm, t->name);
    gc_mark_value(vm, t->handled);
}
static void task_free(vm *vm, object *o)
{
    table_remove(vm, (task *)o);
    if (UNLIKELY(o->flags & FUT_SOURCE)) future_drop_source(vm, (future *)o);
    object_slots_free(vm, o, ((task *)o)->f.slots);
}
static void task_finalize(vm *vm, value v)
{
    task *t = AS(task, v);
    table_remove(vm, t);
    if (t->coro) gc_register_finalizer(vm, &t->coro->h); /* it is closed when it is found unreachable without the task */
    if (future_state(&t->f) == FUT_PENDING && t->f.loop && !(t->f.h.flags & FUT_TASK_NO_LOG)) {
        str *msg = str_from_cstr(vm, "Task was destroyed but it is pending!");
        uint32_t source = future_source(vm, &t->f);
        ROOTS(vm, &t, &msg);
        value made = source ? source_list(vm, source) : V_NONE;
        if (!msg || value_is_error(made)) return;
        if (source) loop_report(vm, (loop *)t->f.loop, value_obj(msg), "task", v, "source_traceback", made, NULL);
        else loop_report(vm, (loop *)t->f.loop, value_obj(msg), "task", v, NULL);
        return;
    }
    future_finalize(vm, v);
}
static const gc_kind_ops task_kind_ops = {.traverse = task_traverse, .free = task_free, .finalize = task_finalize};

str *task_created(vm *vm, task *t)
{
    return value_is_kind(t->coro_obj, K_FRAME) ? place_text(vm, AS(frame, t->coro_obj)->origin) : vm->empty_str;
}

/* ---- ensure_future ---- */

value ensure_future(vm *vm, value v, loop *l)
{
    if (future_is(v) || future_like(vm, v)) {
        if (l && future_is(v) && AS(future, v)->loop != &l->h)
            return raise_value_error(vm, "The future belongs to a different loop than the one specified as the loop argument");
        return v;
    }
    ROOTS(vm, &v, &l);
    bool wrapped = !is_coroutine(vm, v);
    if (wrapped) {
        if (!type_of(vm, v)->s.await) return raise_type_error(vm, "An asyncio.Future, a coroutine or an awaitable is required");
        frame *f = stub_await_any(vm, v);
        if (!f) return V_ERROR;
        v = value_obj(f);
    }
    if (!l) {
        l = loop_get_event_loop(vm);
        if (!l) return V_ERROR;
    }
    if (UNLIKELY(l->h.shape != runtime_of(vm)->loop_type->root_shape)) /* a subclass may have its own create_task */
        return vm_call_method(vm, value_obj(l), str_intern_utf8(vm, "create_task", 11), &v, 1);
    value t = loop_create_task(vm, l, v, V_UNBOUND, V_UNBOUND);
    if (value_is_error(t) && !wrapped && value_is_kind(v, K_FRAME) && exc_matches(vm, EXC_RuntimeError)) {
        value exc = exc_take(vm); /* a closed loop: nobody will run the coroutine, and that is known */
        ROOTS(vm, &exc);
        if (frame_close(vm, AS(frame, v))) vm->thread->exc = exc;
    }
    return t;
}

static value hook_future_result(vm *vm, value fut) { return future_get_result(vm, AS(future, fut)); }

bool task_types_open(vm *vm)
{
    gc_register_kind(vm, K_TASK, &task_kind_ops);
    type *t = T(vm, TASK);
    t->s.new_ = future_slot_new;
    t->s.init = task_slot_init;
    t->s.repr = task_repr;
    t->methods = task_methods;
    t->getsets = task_getsets;
    type_ready(vm, t);
    vm->hooks.suspend_on = hook_suspend_on;
    vm->hooks.task_yield = hook_task_yield;
    vm->hooks.task_done = hook_task_done;
    vm->hooks.next_ready = hook_next_ready;
    vm->hooks.future_result = hook_future_result;
    return true;
}
