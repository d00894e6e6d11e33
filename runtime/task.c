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

static bool table_grow(vm *vm, runtime *rt)
{
    if (rt->live_tasks < rt->ntasks / 2) table_compact(rt);
    if (rt->ntasks == rt->captasks) {
        size_t cap = rt->captasks ? rt->captasks * 2 : 64;
        task **p = mem_realloc(vm, rt->all_tasks, rt->captasks * sizeof *p, cap * sizeof *p);
        if (!p) return false;
        rt->all_tasks = p;
        rt->captasks = cap;
    }
    return true;
}

static inline bool table_add(vm *vm, task *t)
{
    runtime *rt = runtime_of(vm);
    if (UNLIKELY(rt->ntasks == rt->captasks) && !table_grow(vm, rt)) return false;
    rt->all_tasks[rt->ntasks++] = t;
    rt->live_tasks++;
    t->index = (uint32_t)rt->ntasks;
    t->f.h.flags |= FUT_TASK_LISTED;
    gc_note_parts(&t->f.h);
    return true;
}

void task_table_remove(vm *vm, task *t)
{
    runtime *rt = runtime_of(vm);
    if (!t->index || !rt) return;
    rt->all_tasks[t->index - 1] = NULL;
    rt->live_tasks--;
    while (rt->ntasks && !rt->all_tasks[rt->ntasks - 1]) rt->ntasks--;
    t->index = 0;
    t->f.h.flags &= (uint16_t)~FUT_TASK_LISTED;
}

list *all_tasks_list(vm *vm, loop *l)
{
    runtime *rt = runtime_of(vm);
    list *out = list_new(vm, rt->live_tasks);
    for (size_t i = 0; out && i < rt->ntasks; i++) {
        task *t = rt->all_tasks[i];
        if (t && !gc_is_condemned(vm, &t->f.h) && (!l || t->f.loop == &l->h) && !list_append(vm, out, value_obj(t)))
            return NULL;
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

/* A plain generator is stepped as a coroutine is, though nothing can await it. */
static bool runs_as_task(vm *vm, value v)
{
    return is_coroutine(vm, v) || (value_is_kind(v, K_FRAME) && value_as_obj(v)->shape == TYPE_GENERATOR);
}

static inline __attribute__((always_inline)) bool prepare(vm *vm, task *t, loop *l, value coro, value name,
                                                          value context)
{
    bool plain = value_is_exact(coro, TYPE_COROUTINE);
    if (!LIKELY(plain) && !runs_as_task(vm, coro)) {
        raise_type_error(vm, "a coroutine was expected, got %R", coro);
        return false;
    }
    if (UNLIKELY(!value_is_unbound(context)) && !context_check(vm, context)) return false;
    t->f.loop = &l->h;
    t->coro_obj = coro;
    if (LIKELY(plain) || value_is_kind(coro, K_FRAME)) {
        frame *f = AS(frame, coro);
        t->coro = t->leaf = f;
        f->h.flags |= FRAME_AWAITED | FRAME_TASK_ROOT;
        f->origin = place_here(vm);
        f->h.gc &= (uint8_t)~GC_FINALIZE; /* the task sees to it: task_finalize */
    }
    t->wake = V_NONE;
    if (UNLIKELY(!value_is_unbound(context))) {
        t->context = context;
    } else if (UNLIKELY(!value_is_unbound(vm->thread->context))) {
        t->context = context_copy_current(vm);
        if (raised(vm)) return false;
    }
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
    gc_register_finalizer_fast(vm, &t->f.h);
    return true;
}

bool task_prepare(vm *vm, task *t, loop *l, value coro, value name, value context)
{
    return prepare(vm, t, l, coro, name, context);
}

static inline __attribute__((always_inline)) bool init(vm *vm, task *t, loop *l, value coro, value name, value context)
{
    if (!prepare(vm, t, l, coro, name, context)) return false;
    if (LIKELY(loop_push(vm, l, value_obj(t), V_UNBOUND))) return true;
    task_table_remove(vm, t); /* nobody may wait for a task that will never run */
    t->f.h.flags |= FUT_TASK_NO_LOG;
    return false;
}

bool task_init(vm *vm, task *t, loop *l, value coro, value name, value context)
{
    return init(vm, t, l, coro, name, context);
}

void fut_hide_pending_report(value fut)
{
    if (value_is_kind(fut, K_TASK)) AS(task, fut)->f.h.flags |= FUT_TASK_NO_LOG;
}

task *task_new(vm *vm, loop *l, value coro, value name, value context)
{
    task *t = gc_new_fast(vm, K_TASK, TYPE_TASK, sizeof *t);
    if (!t) return NULL;
    return init(vm, t, l, coro, name, context) ? t : NULL;
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

/* What t was woken with when that is no plain result: the value to send, or unbound with the exception pending. */
static __attribute__((noinline)) value take_outcome(vm *vm, task *t, value wake, object *waited, bool direct)
{
    value exc = V_UNBOUND, sent = V_NONE;
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

/* Makes t the running task. The outcome it was woken with: the value to send, or unbound with the exception pending. */
static inline value begin_step(vm *vm, task *t)
{
    thread *th = vm->thread;
    unsigned flags = t->f.h.flags;
    object *waited = t->waiting_on;
    value wake = t->wake;
    th->current_task = value_obj(t);
    th->handled = t->handled;
    th->context = t->context;
    t->f.h.flags = (uint16_t)((flags | FUT_TASK_RUNNING) & ~(unsigned)FUT_TASK_DIRECT);
    t->waiting_on = NULL;
    t->wake = V_NONE;
    t->handled = V_UNBOUND;
    if (LIKELY(!(flags & FUT_TASK_MUST_CANCEL))) {
        if (value_is_none(wake)) return V_NONE;
        if (LIKELY(value_is_unbound(wake) && (flags & FUT_TASK_DIRECT) && waited)) { /* a Future, and it is done */
            const future *f = (const future *)waited;
            if (LIKELY((f->h.flags & (FUT_STATE | FUT_EXCEPTION)) == FUT_FINISHED)) return f->result;
        }
    }
    return take_outcome(vm, t, wake, waited, (flags & FUT_TASK_DIRECT) != 0);
}

static inline void end_step(vm *vm, task *t)
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

/* Does a class derived from Future have an add_done_callback() of its own, which wants to be called? */
static bool overrides_add_done_callback(vm *vm, const future *f)
{
    value own = type_lookup(vm, type_of(vm, value_obj(f)), N(vm, add_done_callback));
    return !value_is(own, type_lookup(vm, T(vm, FUTURE), N(vm, add_done_callback))) &&
           !value_is(own, type_lookup(vm, T(vm, TASK), N(vm, add_done_callback)));
}

static inline bool adds_callbacks_itself(vm *vm, const future *f)
{
    return UNLIKELY(f->h.shape != TYPE_FUTURE && f->h.shape != TYPE_TASK) && overrides_add_done_callback(vm, f);
}

/* t waits for w (a Future or like one, pending or not). false: raised. */
static bool wait_for_future(vm *vm, task *t, value w)
{
    if (future_is(w) && LIKELY(!adds_callbacks_itself(vm, AS(future, w)))) {
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

/* t goes on at `leaf` the next time. Its coroutine is as old as itself. */
static inline void leave_task(vm *vm, task *t, frame *leaf)
{
    value handled = vm->thread->handled;
    t->leaf = leaf;
    t->handled = handled;
    if (leaf != t->coro) gc_barrier_to(vm, t, &leaf->h);
    if (UNLIKELY(value_is_obj(handled))) gc_barrier(vm, t);
}

static bool hook_suspend_on(vm *vm, frame *leaf, value fut)
{
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
    if (LIKELY(!(t->f.h.flags & FUT_TASK_MUST_CANCEL) && !f->waiter && value_is_unbound(f->callbacks) &&
               !adds_callbacks_itself(vm, f))) {
        f->waiter = &t->f.h;
        gc_barrier_to(vm, f, &t->f.h);
        t->waiting_on = &f->h;
        t->wake = V_UNBOUND;
        gc_barrier_to(vm, t, &f->h);
    } else if (!wait_for_future(vm, t, fut)) {
        return false;
    }
    leave_task(vm, t, leaf);
    end_step(vm, t);
    if (UNLIKELY(t->ncancel && runtime_of(vm)->expired)) report_swallowed(vm, t);
    return true;
}

/* t's chain yielded v, which is not None: a Future, or what no task can wait for. */
static void task_yields(vm *vm, task *t, value v)
{
    ROOTS(vm, &t, &v);
    if (value_is(v, value_obj(t))) {
        throw_later(vm, t, "Task cannot await on itself: %U", v);
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

static void hook_task_yield(vm *vm, frame *leaf, value v)
{
    task *t = (task *)(void *)leaf->link.task;
    leave_task(vm, t, leaf);
    end_step(vm, t);
    if (LIKELY(value_is_none(v))) {
        if (!loop_push(vm, (loop *)t->f.loop, value_obj(t), V_UNBOUND)) exc_clear(vm);
        return;
    }
    task_yields(vm, t, v);
}

/* Nothing is left to report about it. */
static inline void forget_finalizer(task *t)
{
    if (LIKELY(t->f.h.shape == TYPE_TASK)) t->f.h.gc &= (uint8_t)~GC_FINALIZE;
}

/* The coroutine ended: result, or unbound with the exception pending. */
static void finish(vm *vm, task *t, value result)
{
    loop *l = (loop *)t->f.loop;
    value exc = value_is_unbound(result) ? exc_take(vm) : V_UNBOUND;
    end_step(vm, t);
    t->coro = t->leaf = NULL;
    t->waiting_on = NULL;
    task_table_remove(vm, t);
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
        t->waiting_on = trail_record(vm, t); /* it waits for nothing any more */
        future_fail(vm, &t->f, exc);
        if (UNLIKELY(value_isa_id(vm, exc, EXC_KeyboardInterrupt) || value_isa_id(vm, exc, EXC_SystemExit))) {
            l->fatal = exc;
            gc_barrier(vm, l);
        }
    }
    if (raised(vm)) exc_clear(vm); /* no memory to queue a wake-up: nothing better can be done */
}

static void hook_task_done(vm *vm, frame *root, value result) { finish(vm, (task *)(void *)root->link.task, result); }

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

/* If somebody else has stepped the coroutine meanwhile (a second task of it, or send() by hand: the leaf is not this
 * task's any more), the task goes on through its methods from now on. */
static bool leaf_was_taken(task *t)
{
    if (!t->coro) return true;
    if (t->leaf == t->coro && frame_state(t->coro) == FRAME_CREATED) return false;
    t->coro = t->leaf = NULL;
    t->f.h.flags &= (uint16_t)~FUT_TASK_DIRECT;
    return true;
}

/* Can the interpreter go on right at the leaf? */
static inline bool is_steppable(task *t)
{
    return LIKELY(t->leaf && t->leaf->link.task == &t->f.h) || !leaf_was_taken(t);
}

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

/* With many tasks each switch meets cold memory: what the next steps will touch is asked for while this one runs, first
 * the task or the future that a timer finishes and, when that has arrived, the task's frames or who waits. */
enum { AHEAD_FIRST = 5, AHEAD_SECOND = 2, AHEAD_MIN = 16, LINE = 64 };

static inline void prefetch_two_lines(const void *p)
{
    __builtin_prefetch(p, 1);
    __builtin_prefetch((const char *)p + LINE, 1);
}

static inline void prefetch_ready(const loop *l)
{
    size_t mask = l->qcap - 1;
    prefetch_two_lines(value_as_obj(l->queue[(l->qhead + AHEAD_FIRST) & mask].what));
    const object *o = value_as_obj(l->queue[(l->qhead + AHEAD_SECOND) & mask].what);
    if (LIKELY(o->kind == K_TASK)) {
        prefetch_two_lines(((const task *)(const void *)o)->leaf);
        prefetch_two_lines(((const task *)(const void *)o)->coro);
    } else if (o->kind == K_FUTURE && ((const future *)(const void *)o)->waiter) {
        prefetch_two_lines(((const future *)(const void *)o)->waiter);
    }
}

/* The next ready task of this turn, if the next entry is a task that the interpreter can run. */
static frame *hook_next_ready(vm *vm, value *sent)
{
    loop *l = (loop *)vm->thread->loop_state;
    while (LIKELY(l && l->todo && vm->poll > 0 && !vm->slice_over)) {
        if (UNLIKELY(!value_is_unbound(l->fatal))) return NULL;
        ready *r = &l->queue[l->qhead & (l->qcap - 1)];
        task *t = AS(task, r->what);
        if (UNLIKELY(t->f.h.kind != K_TASK)) {
            if (t->f.h.kind != K_FUTURE) return NULL;
            future *f = &t->f; /* READY_TIMEOUT */
            __atomic_store_n(&l->qhead, l->qhead + 1, __ATOMIC_RELAXED);
            l->qlen--;
            l->todo--;
            if (l->todo >= AHEAD_MIN) prefetch_ready(l);
            if (future_state(f) == FUT_PENDING) future_finish(vm, f, r->arg);
            if (UNLIKELY(raised(vm))) exc_report_unraisable(vm, value_obj(f));
            continue;
        }
        if (UNLIKELY(future_state(&t->f) == FUT_PENDING && !is_steppable(t))) return NULL;
        __atomic_store_n(&l->qhead, l->qhead + 1, __ATOMIC_RELAXED);
        l->qlen--;
        l->todo--;
        vm->poll--;
        if (UNLIKELY(l->todo >= AHEAD_MIN)) prefetch_ready(l);
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
    bool ok = true;
    if (vm_enter(vm)) {
        size_t todo = l->todo;
        l->todo = 0; /* no other task runs in here */
        ok = task_run_ready(vm, l, t);
        l->todo = todo;
        vm_leave(vm);
    } else {
        finish(vm, t, V_UNBOUND); /* too deep: what the coroutine would have raised */
    }
    th->current_task = current;
    th->handled = handled;
    th->context = context;
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

/* ---- ensure_future ---- */

value ensure_future(vm *vm, value v, loop *l)
{
    bool is_coro = value_is_exact(v, TYPE_COROUTINE);
    if (!is_coro && (future_is(v) || future_like(vm, v))) {
        if (l && future_is(v) && AS(future, v)->loop != &l->h)
            return raise_value_error(
                vm, "The future belongs to a different loop than the one specified as the loop argument");
        return v;
    }
    ROOTS(vm, &v, &l);
    bool wrapped = !is_coro && !runs_as_task(vm, v);
    if (wrapped) {
        if (!type_of(vm, v)->s.await)
            return raise_type_error(vm, "An asyncio.Future, a coroutine or an awaitable is required");
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
    task_type_open(vm);
    vm->hooks.suspend_on = hook_suspend_on;
    vm->hooks.task_yield = hook_task_yield;
    vm->hooks.task_done = hook_task_done;
    vm->hooks.next_ready = hook_next_ready;
    vm->hooks.future_result = hook_future_result;
    return true;
}
