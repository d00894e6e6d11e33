/* timeout(), timeout_at(): a deadline for a block of code. When it passes, the task is cancelled; at the end of the
 * block that CancelledError becomes TimeoutError, unless somebody else cancelled the task as well. */
#include "runtime/asyncio.h"
#include "vm/native.h"

#define DOC_FILE runtime_timeouts
DOC_BEGIN;

enum timeout_state { TIMEOUT_CREATED, TIMEOUT_ENTERED, TIMEOUT_EXPIRING, TIMEOUT_EXPIRED, TIMEOUT_EXITED };
static const char *const state_names[] = {"created", "active", "expiring", "expired", "finished"};

typedef struct timeout {
    object h;
    value *slots;
    value when; /* number or None */
    value task;
    value timer;         /* callback_obj: in the heap, or in the ready queue when the deadline has passed already */
    uint32_t cancelling; /* requests at entry */
    enum timeout_state state;
} timeout;

static timeout *timeout_new(vm *vm, value when)
{
    timeout *t = userdata_new(vm, runtime_of(vm)->types[RT_TIMEOUT]);
    if (t) t->when = when;
    return t;
}

static void on_timeout(vm *vm, callback_obj *cb, value fut)
{
    (void)fut;
    timeout *t = AS(timeout, cb->a);
    if (t->state != TIMEOUT_ENTERED) return;
    t->state = TIMEOUT_EXPIRING;
    t->timer = V_UNBOUND;
    if (!expired_add(vm, t->task)) return;
    future_cancel(vm, t->task, V_UNBOUND);
}

static void stop_timer(vm *vm, timeout *t)
{
    if (value_is_unbound(t->timer)) return;
    timers_cancel_call(vm, (loop *)AS(task, t->task)->f.loop, AS(callback_obj, t->timer));
    t->timer = V_UNBOUND;
}

static bool start_timer(vm *vm, timeout *t)
{
    if (value_is_none(t->when)) return true;
    loop *l = loop_running_or_raise(vm);
    double when;
    if (!l || !float_as_double(vm, t->when, &when)) return false;
    callback_obj *cb;
    double now = loop_time(vm, l);
    if (raised(vm)) return false;
    if (when <= now) {
        cb = callback_new(vm, on_timeout, value_obj(t), V_UNBOUND, V_UNBOUND);
        if (!cb || !loop_push(vm, l, value_obj(cb), V_NONE)) return false;
    } else {
        cb = timers_call_at(vm, l, when, on_timeout, value_obj(t));
        if (!cb) return false;
    }
    t->timer = value_obj(cb);
    gc_barrier(vm, t);
    return true;
}

static enum nstep enter_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f, (void)sent;
    timeout *t = AS(timeout, r[0]);
    if (t->state != TIMEOUT_CREATED) {
        raise(vm, EXC_RuntimeError, "Timeout has already been entered");
        return NSTEP_ERROR;
    }
    task *me = task_current(vm);
    if (!me) {
        raise(vm, EXC_RuntimeError, "Timeout should be used inside a task");
        return NSTEP_ERROR;
    }
    t->state = TIMEOUT_ENTERED;
    t->task = value_obj(me);
    t->cancelling = me->ncancel;
    gc_barrier(vm, t);
    if (!start_timer(vm, t)) return NSTEP_ERROR;
    *out = r[0];
    return NSTEP_DONE;
}

/* r: self, exc_type, exc_val, exc_tb */
static enum nstep exit_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f, (void)sent;
    timeout *t = AS(timeout, r[0]);
    *out = V_NONE;
    if (t->state != TIMEOUT_ENTERED && t->state != TIMEOUT_EXPIRING) {
        raise(vm, EXC_AssertionError, NULL);
        return NSTEP_ERROR;
    }
    stop_timer(vm, t);
    if (t->state == TIMEOUT_ENTERED) {
        t->state = TIMEOUT_EXITED;
        return NSTEP_DONE;
    }
    t->state = TIMEOUT_EXPIRED;
    expired_remove(vm, t->task);
    task *me = AS(task, t->task);
    if (me->ncancel && --me->ncancel == 0) me->f.h.flags &= (uint16_t)~FUT_TASK_MUST_CANCEL;
    if (me->ncancel > t->cancelling || !IS_EXC(r[2]) || !value_isa_id(vm, r[2], EXC_CancelledError)) return NSTEP_DONE;
    raise(vm, EXC_TimeoutError, NULL);
    if (IS_EXC(vm->thread->exc)) {
        AS(exception, vm->thread->exc)->context = r[2];
        gc_barrier(vm, value_as_obj(vm->thread->exc));
    }
    return NSTEP_ERROR;
}

static value m_when(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return AS(timeout, a[0])->when;
}
static value m_expired(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_bool(AS(timeout, a[0])->state == TIMEOUT_EXPIRING || AS(timeout, a[0])->state == TIMEOUT_EXPIRED);
}
static value m_reschedule(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    timeout *t = AS(timeout, a[0]);
    if (t->state == TIMEOUT_CREATED) return raise(vm, EXC_RuntimeError, "Timeout has not been entered");
    if (t->state != TIMEOUT_ENTERED)
        return raise(vm, EXC_RuntimeError, "Cannot change state of %s Timeout", state_names[t->state]);
    t->when = a[1];
    gc_barrier(vm, t);
    stop_timer(vm, t);
    return start_timer(vm, t) ? V_NONE : V_ERROR;
}
static value timeout_repr(vm *vm, value self)
{
    timeout *t = AS(timeout, self);
    str *s;
    if (t->state != TIMEOUT_ENTERED) {
        s = str_format(vm, "<Timeout [%s]>", state_names[t->state]);
    } else {
        value when = t->when;
        if (!value_is_none(when)) {
            value args[2] = {when, value_int(3)};
            value round = dict_get_str(vm, vm->builtins, str_intern_utf8(vm, "round", 5));
            when = vm_call(vm, round, args, 2);
            if (value_is_error(when)) return V_ERROR;
        }
        s = str_format(vm, "<Timeout [%s] when=%S>", state_names[t->state], when);
    }
    return s ? value_obj(s) : V_ERROR;
}
static value timeout_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    value v = zeroed_slot_new(vm, t, args, n, kw);
    if (!value_is_error(v)) AS(timeout, v)->when = V_NONE;
    return v;
}
static bool timeout_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value out[1];
    if (!args_bind(vm, "Timeout.__init__(when)", args, n, kw, out)) return false;
    AS(timeout, self)->when = out[0];
    AS(timeout, self)->state = TIMEOUT_CREATED;
    gc_barrier(vm, value_as_obj(self));
    return true;
}
static void timeout_traverse(vm *vm, object *o)
{
    timeout *t = (timeout *)(void *)o;
    gc_mark_value(vm, t->when);
    gc_mark_value(vm, t->task);
    gc_mark_value(vm, t->timer);
}
static void timeout_fill(struct type_slots *s)
{
    s->new_ = timeout_slot_new;
    s->init = timeout_init;
    s->repr = timeout_repr;
}

bool timeout_type_open(vm *vm)
{
    static const native_def methods[] = {
        {"when(self)", m_when, DOC("The deadline, on the loop's clock, or None."), 0},
        {"reschedule(self, when)", m_reschedule, DOC("Move the deadline; None: there is none."), 0},
        {"expired(self)", m_expired, DOC("Did the deadline pass within the block?"), 0},
        NATIVE_ASYNC_DEF("__aenter__(self)", enter_step, NULL, 0),
        NATIVE_ASYNC_DEF("__aexit__(self, exc_type, exc_val, exc_tb)", exit_step, NULL, 0),
        {0},
    };
    static const type_layout layout = {.size = sizeof(timeout) - sizeof(userdata), .traverse = timeout_traverse};
    static const type_spec spec = {"asyncio.timeouts.Timeout",
                                   "A deadline for a block of code.",
                                   &layout,
                                   methods,
                                   NULL,
                                   0,
                                   TF_IMMUTABLE | TF_PLAIN_NAME,
                                   timeout_fill};
    return (runtime_of(vm)->types[RT_TIMEOUT] = type_from_spec(vm, &spec)) != NULL;
}

static value timeout_call(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    loop *l = loop_running_or_raise(vm);
    if (!l) return V_ERROR;
    value when = V_NONE;
    if (!value_is_none(a[0])) {
        when = obj_binary(vm, OPR_ADD, value_float(loop_time(vm, l)), a[0]);
        if (value_is_error(when)) return V_ERROR;
    }
    timeout *t = timeout_new(vm, when);
    return t ? value_obj(t) : V_ERROR;
}
static value timeout_at_call(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    timeout *t = timeout_new(vm, a[0]);
    return t ? value_obj(t) : V_ERROR;
}

const native_def timeout_functions[] = {
    {"timeout(delay)", timeout_call,
     DOC("A context manager: TimeoutError if the block takes longer than delay seconds."), 0},
    {"timeout_at(when)", timeout_at_call, DOC("The same with an absolute time on the loop's clock."), 0},
    {0},
};
