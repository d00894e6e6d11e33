/* TaskGroup: tasks that end together.
 *
 * The group's own end (__aexit__) waits for all of them. The first failure cancels the others and the task that has the
 * group open; that cancellation is taken back at the end, where the failures are raised as one ExceptionGroup.
 */
#include "runtime/asyncio.h"
#include "vm/dict.h"
#include "vm/list.h"
#include "vm/native.h"

#define DOC_FILE runtime_taskgroup
DOC_BEGIN;

typedef struct group {
    object h;
    value *slots;
    loop *loop;
    value parent;     /* Task */
    value tasks;      /* dict whose keys are the tasks that are not done, in the order of creation */
    value errors;     /* list */
    value base_error; /* KeyboardInterrupt or SystemExit */
    value waiting;    /* the future that __aexit__ waits on */
    value on_done;    /* the callback of all tasks */
    bool entered, exiting, aborting, parent_cancel_requested, parent_uncancelled;
} group;

static bool is_base_error(vm *vm, value exc)
{
    return value_isa_id(vm, exc, EXC_SystemExit) || value_isa_id(vm, exc, EXC_KeyboardInterrupt);
}

static inline size_t ntasks(const group *g) { return IS_DICT(g->tasks) ? AS(dict, g->tasks)->used : 0; }

static void abort_all(vm *vm, group *g)
{
    g->aborting = true;
    list *tasks = obj_to_list(vm, g->tasks);
    if (!tasks) return;
    ROOTS(vm, &g, &tasks);
    for (size_t i = 0; i < tasks->len; i++) {
        value t = tasks->items[i];
        if (future_is(t) && future_state(AS(future, t)) != FUT_PENDING) continue;
        future_cancel(vm, t, V_UNBOUND);
        if (raised(vm)) return;
    }
}

static bool note_error(vm *vm, group *g, value exc)
{
    if (!IS_LIST(g->errors)) {
        list *l = list_new(vm, 1);
        if (!l) return false;
        g->errors = value_obj(l);
        gc_barrier(vm, g);
    }
    return list_append(vm, AS(list, g->errors), exc);
}

static void task_done(vm *vm, callback_obj *cb, value t)
{
    group *g = AS(group, cb->a);
    ROOTS(vm, &g, &t);
    if (dict_del(vm, AS(dict, g->tasks), t) < 0) return;
    if (!ntasks(g) && future_is(g->waiting) && future_state(AS(future, g->waiting)) == FUT_PENDING)
        future_finish(vm, AS(future, g->waiting), V_TRUE);
    if (!future_is(t)) return;
    future *f = AS(future, t);
    if (!(f->h.flags & FUT_EXCEPTION)) return;
    future_retrieved(f);
    value exc = f->result;
    if (!note_error(vm, g, exc)) return;
    if (is_base_error(vm, exc) && value_is_unbound(g->base_error)) {
        g->base_error = exc;
        gc_barrier(vm, g);
    }
    if (future_state(AS(future, g->parent)) != FUT_PENDING) {
        str *msg = str_format(vm, "Task %R has errored out but its parent task %S is already completed", t, g->parent);
        if (msg) loop_report(vm, g->loop, value_obj(msg), "exception", exc, "task", t, NULL);
        return;
    }
    if (!g->aborting && !g->parent_cancel_requested) {
        abort_all(vm, g);
        if (raised(vm)) return;
        g->parent_cancel_requested = true;
        future_cancel(vm, g->parent, V_UNBOUND);
    }
}

static enum nstep enter_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f, (void)sent;
    group *g = AS(group, r[0]);
    if (g->entered) {
        raise(vm, EXC_RuntimeError, "TaskGroup %R has been already entered", r[0]);
        return NSTEP_ERROR;
    }
    loop *l = loop_running_or_raise(vm);
    if (!l) return NSTEP_ERROR;
    task *me = task_current(vm);
    if (!me) {
        raise(vm, EXC_RuntimeError, "TaskGroup %R cannot determine the parent task", r[0]);
        return NSTEP_ERROR;
    }
    dict *tasks = dict_new(vm);
    callback_obj *cb = tasks ? callback_new(vm, task_done, r[0], V_UNBOUND, V_UNBOUND) : NULL;
    if (!cb) return NSTEP_ERROR;
    g->entered = true;
    g->loop = l;
    g->parent = value_obj(me);
    g->tasks = value_obj(tasks);
    g->on_done = value_obj(cb);
    gc_barrier(vm, g);
    *out = r[0];
    return NSTEP_DONE;
}

value group_parent(vm *vm, value v)
{
    type *t = runtime_of(vm)->types[RT_TASK_GROUP];
    return t && value_isa(vm, v, t) ? AS(group, v)->parent : V_UNBOUND;
}

/* `raise exc from None` of the group made of all errors. */
static enum nstep raise_group(vm *vm, group *g)
{
    str *msg = str_from_cstr(vm, "unhandled errors in a TaskGroup");
    if (!msg) return NSTEP_ERROR;
    value errors = g->errors;
    g->errors = V_UNBOUND;
    value exc = vm_call2(vm, value_obj(EXC_T(vm, BaseExceptionGroup)), value_obj(msg), errors);
    if (value_is_error(exc)) return NSTEP_ERROR;
    raise_exception(vm, exc);
    AS(exception, exc)->h.flags |= EXC_SUPPRESS_CONTEXT;
    return NSTEP_ERROR;
}

static enum nstep leave(vm *vm, group *g, value et, value exc, value propagate, value *out)
{
    bool failed = IS_LIST(g->errors) && AS(list, g->errors)->len;
    if (!value_is_unbound(g->base_error)) {
        raise_exception(vm, g->base_error);
        return NSTEP_ERROR;
    }
    if (!value_is_none(propagate) && !failed) {
        raise_exception(vm, propagate);
        return NSTEP_ERROR;
    }
    if (!value_is_none(et) && !value_is(et, value_obj(EXC_T(vm, CancelledError)))) {
        if (!note_error(vm, g, exc)) return NSTEP_ERROR;
        failed = true;
    }
    if (failed) return raise_group(vm, g);
    *out = V_NONE;
    return NSTEP_DONE;
}

/* Takes back what the group asked of its parent, once. true: nobody else has asked for it. */
static bool uncancel_parent(group *g)
{
    if (!g->parent_cancel_requested || g->parent_uncancelled) return false;
    task *parent = AS(task, g->parent);
    g->parent_uncancelled = true;
    if (parent->ncancel) parent->ncancel--;
    if (parent->ncancel) return false;
    parent->f.h.flags &= (uint16_t)~FUT_TASK_MUST_CANCEL;
    return true;
}

/* r: self et exc tb | the cancellation to propagate, or None */
static enum nstep exit_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    group *g = AS(group, r[0]);
    value et = r[1], exc = r[2];
    if (!g->entered) {
        raise(vm, EXC_RuntimeError, "TaskGroup %R has not been entered", r[0]);
        return NSTEP_ERROR;
    }
    if (value_is_unbound(r[4])) {
        g->exiting = true;
        if (IS_EXC(exc) && is_base_error(vm, exc) && value_is_unbound(g->base_error)) {
            g->base_error = exc;
            gc_barrier(vm, g);
        }
        r[4] = value_is(et, value_obj(EXC_T(vm, CancelledError))) ? exc : V_NONE;
        if (uncancel_parent(g)) r[4] = V_NONE;
        if (!value_is_none(et) && !g->aborting) abort_all(vm, g);
        if (raised(vm)) return NSTEP_ERROR;
    } else {
        if (value_is_unbound(sent)) {
            if (!exc_matches(vm, EXC_CancelledError)) return NSTEP_ERROR;
            value cancelled = exc_take(vm);
            if (!g->aborting) {
                r[4] = cancelled;
                abort_all(vm, g);
                if (raised(vm)) return NSTEP_ERROR;
            }
        }
        g->waiting = V_UNBOUND;
    }
    if (ntasks(g)) {
        future *w = future_new(vm, g->loop);
        if (!w) return NSTEP_ERROR;
        *out = g->waiting = value_obj(w);
        gc_barrier(vm, g);
        return NSTEP_AWAIT;
    }
    if (uncancel_parent(g)) r[4] = V_NONE; /* a child failed while the parent was waiting here */
    return leave(vm, g, et, exc, r[4], out);
}

static value m_create_task(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    group *g = AS(group, a[0]);
    if (!g->entered) return raise(vm, EXC_RuntimeError, "TaskGroup %R has not been entered", a[0]);
    if (g->exiting && !ntasks(g)) return raise(vm, EXC_RuntimeError, "TaskGroup %R is finished", a[0]);
    if (g->aborting) return raise(vm, EXC_RuntimeError, "TaskGroup %R is shutting down", a[0]);
    value t = absent(a[4]) ? loop_create_task_numbered(vm, g->loop, a[1], a[2], a[3])
                           : loop_create_task_eager(vm, g->loop, a[1], a[2], a[3], a[4]);
    if (value_is_error(t)) return V_ERROR;
    ROOTS(vm, &t);
    if (future_is(t) && future_state(AS(future, t)) != FUT_PENDING) { /* started eagerly, and done */
        task_done(vm, AS(callback_obj, g->on_done), t);
        return raised(vm) ? V_ERROR : t;
    }
    return future_add_any(vm, t, g->on_done) && dict_set(vm, AS(dict, g->tasks), t, V_NONE) ? t : V_ERROR;
}

static value group_tasks(vm *vm, value self)
{
    group *g = AS(group, self);
    return vm_call1(vm, value_obj(T(vm, SET)), IS_DICT(g->tasks) ? g->tasks : value_obj(vm->empty_tuple));
}
static value group_repr(vm *vm, value self)
{
    group *g = AS(group, self);
    str_builder b;
    sb_init(&b, vm);
    sb_cstr(&b, "<TaskGroup");
    str *s;
    if (ntasks(g) && (s = str_format(vm, " tasks=%zu", ntasks(g)))) sb_str(&b, s);
    if (IS_LIST(g->errors) && AS(list, g->errors)->len && (s = str_format(vm, " errors=%zu", AS(list, g->errors)->len)))
        sb_str(&b, s);
    if (g->aborting) sb_cstr(&b, " cancelling");
    else if (g->entered) sb_cstr(&b, " entered");
    sb_char(&b, '>');
    s = sb_finish(&b);
    return s ? value_obj(s) : V_ERROR;
}
static bool group_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    (void)self, (void)args;
    return args_none(vm, "TaskGroup", n, kw);
}
static void group_traverse(vm *vm, object *o)
{
    group *g = (group *)(void *)o;
    gc_mark_obj(vm, g->loop ? &g->loop->h : NULL);
    gc_mark_value(vm, g->parent);
    gc_mark_value(vm, g->tasks);
    gc_mark_value(vm, g->errors);
    gc_mark_value(vm, g->base_error);
    gc_mark_value(vm, g->waiting);
    gc_mark_value(vm, g->on_done);
}
static void group_fill(struct type_slots *s)
{
    s->new_ = zeroed_slot_new;
    s->init = group_init;
    s->repr = group_repr;
}

bool task_group_type_open(vm *vm)
{
    static const native_def methods[] = {
        {"create_task(self, coro, *, name=None, context=None, eager_start=None)", m_create_task,
         DOC("Run a coroutine as a task of the group."), 0},
        NATIVE_ASYNC_DEF("__aenter__(self)", enter_step, NULL, 0),
        NATIVE_ASYNC_DEF("__aexit__(self, et, exc, tb)", exit_step, NULL, 1),
        {0},
    };
    static const getset_def getsets[] = {{"_tasks", group_tasks, NULL, NULL}, {0}};
    static const type_layout layout = {.size = sizeof(group) - sizeof(userdata), .traverse = group_traverse};
    static const type_spec spec = {.name = "asyncio.taskgroups.TaskGroup",
                                   .doc = "Tasks that end together.",
                                   .layout = &layout,
                                   .methods = methods,
                                   .getsets = getsets,
                                   .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                   .fill = group_fill};
    return (runtime_of(vm)->types[RT_TASK_GROUP] = type_from_spec(vm, &spec)) != NULL;
}
