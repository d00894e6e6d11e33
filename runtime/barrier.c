/* Barrier: so many tasks wait for each other, then all go on.
 *
 * Each of the methods takes the lock of one Condition first, as in CPython, so tasks go on in the same iterations. The
 * stages of wait() (r[2]) are the places where it can wait; r[3..5] belong to the condition, r[6] is the task's number.
 */
#include "runtime/asyncio.h"
#include "runtime/locks.h"
#include "vm/native.h"

#define DOC_FILE runtime_barrier
DOC_BEGIN;

enum barrier_state { FILLING, DRAINING, RESETTING, BROKEN };
static const char *const state_names[] = {"filling", "draining", "resetting", "broken"};

typedef struct barrier {
    object h;
    value *slots;
    lock *lock;
    condition *cond;
    int64_t parties, count;
    enum barrier_state state;
} barrier;

static void notify_all(vm *vm, barrier *b) { waiters_wake_all(vm, &b->cond->waiting, V_FALSE); }

static void leave(vm *vm, barrier *b)
{
    b->count--;
    if (b->count == 0) {
        if (b->state == RESETTING || b->state == DRAINING) b->state = FILLING;
        notify_all(vm, b);
    }
}

static enum nstep broken(vm *vm, const char *why)
{
    raise(vm, EXC_BrokenBarrierError, "%s", why);
    return NSTEP_ERROR;
}

enum { STAGE_LOCK = 1, STAGE_BLOCKED, STAGE_FILLING };

/* Stage over: what comes next. The lock is held. */
static enum nstep wait_on(vm *vm, barrier *b, value *s, value sent, value *out)
{
    for (;;) {
        int64_t stage = value_as_int(s[0]);
        enum nstep step = NSTEP_DONE;
        if (stage == STAGE_LOCK) {
            step = lock_acquire(vm, b->lock, &s[1], sent, out);
            if (step != NSTEP_DONE) return step;
            s[0] = value_int(STAGE_BLOCKED);
            s[1] = V_UNBOUND;
            continue;
        }
        if (stage == STAGE_BLOCKED) {
            if (!value_is_unbound(s[1])) {
                step = condition_wait(vm, b->cond, s + 1, sent, out);
                if (step != NSTEP_DONE) return step;
                sent = V_NONE;
            }
            if (b->state == DRAINING || b->state == RESETTING) {
                step = condition_wait(vm, b->cond, s + 1, sent, out);
                if (step != NSTEP_DONE) return step;
                continue;
            }
            if (b->state == BROKEN) return broken(vm, "Barrier aborted");
            int64_t index = b->count++;
            s[4] = value_int(index);
            if (index + 1 == b->parties) {
                b->state = DRAINING;
                notify_all(vm, b);
                return NSTEP_DONE;
            }
            s[0] = value_int(STAGE_FILLING);
            sent = V_NONE;
            continue;
        }
        if (!value_is_unbound(s[1])) {
            step = condition_wait(vm, b->cond, s + 1, sent, out);
            if (step != NSTEP_DONE) return step;
        }
        if (b->state == FILLING) {
            step = condition_wait(vm, b->cond, s + 1, V_NONE, out);
            if (step != NSTEP_DONE) return step;
            continue;
        }
        if (b->state == BROKEN || b->state == RESETTING) return broken(vm, "Abort or reset of barrier");
        return NSTEP_DONE;
    }
}

/* r: self | stage, three of the condition, number */
static enum nstep barrier_wait_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    barrier *b = AS(barrier, r[0]);
    value *s = r + 1;
    if (value_is_unbound(s[0])) s[0] = value_int(STAGE_LOCK);
    enum nstep step = wait_on(vm, b, s, sent, out);
    if (step == NSTEP_AWAIT) return step;
    value exc = step == NSTEP_ERROR ? exc_take(vm) : V_UNBOUND;
    ROOTS(vm, &exc);
    if (!value_is_unbound(s[4])) leave(vm, b);
    if (!value_is(s[0], value_int(STAGE_LOCK))) lock_release(vm, b->lock);
    if (raised(vm)) exc_clear(vm);
    if (step == NSTEP_ERROR) vm->thread->exc = exc;
    else *out = s[4];
    return step;
}

/* reset() and abort(): r[1] the future of the lock. */
static enum nstep change(vm *vm, value *r, value sent, value *out, bool abort)
{
    barrier *b = AS(barrier, r[0]);
    enum nstep step = lock_acquire(vm, b->lock, &r[1], sent, out);
    if (step != NSTEP_DONE) return step;
    if (abort) b->state = BROKEN;
    else b->state = b->count > 0 ? RESETTING : FILLING;
    notify_all(vm, b);
    *out = V_NONE;
    return lock_release(vm, b->lock) ? NSTEP_DONE : NSTEP_ERROR;
}
static enum nstep reset_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    return change(vm, r, sent, out, false);
}
static enum nstep abort_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    return change(vm, r, sent, out, true);
}
static enum nstep exit_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)vm, (void)f, (void)r, (void)sent;
    *out = V_NONE;
    return NSTEP_DONE;
}

static value get_parties(vm *vm, value self) { return int_from_i64(vm, AS(barrier, self)->parties); }
static value get_n_waiting(vm *vm, value self)
{
    (void)vm;
    barrier *b = AS(barrier, self);
    return value_int(b->state == FILLING ? b->count : 0);
}
static value get_broken(vm *vm, value self)
{
    (void)vm;
    return value_bool(AS(barrier, self)->state == BROKEN);
}
static bool init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value out[1];
    int64_t parties;
    if (!args_bind(vm, "Barrier.__init__(parties)", args, n, kw, out)) return false;
    if (!int_is(out[0])) {
        raise_type_error(vm, "'<' not supported between instances of '%T' and 'int'", out[0]);
        return false;
    }
    if (!int_as_i64(vm, out[0], &parties)) return false;
    if (parties < 1) {
        raise_value_error(vm, "parties must be > 0");
        return false;
    }
    barrier *b = AS(barrier, self);
    b->parties = parties < SMALL_MAX ? parties : SMALL_MAX;
    b->count = 0;
    b->state = FILLING;
    return true;
}
static value new_barrier(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    value v = zeroed_slot_new(vm, t, args, n, kw);
    if (value_is_error(v)) return V_ERROR;
    runtime *rt = runtime_of(vm);
    barrier *b = AS(barrier, v);
    b->lock = userdata_new(vm, rt->types[RT_LOCK]);
    b->cond = b->lock ? userdata_new(vm, rt->types[RT_CONDITION]) : NULL;
    if (!b->cond) return V_ERROR;
    b->cond->lock = value_obj(b->lock);
    b->parties = 1;
    return v;
}
static value repr(vm *vm, value self)
{
    barrier *b = AS(barrier, self);
    str *s;
    if (b->state == BROKEN) s = object_repr_with(vm, self, "%s", state_names[b->state]);
    else
        s = object_repr_with(vm, self, "%s, waiters:%ld/%ld", state_names[b->state],
                             b->state == FILLING ? b->count : (int64_t)0, b->parties);
    return s ? value_obj(s) : V_ERROR;
}
static void traverse(vm *vm, object *o)
{
    barrier *b = (barrier *)(void *)o;
    gc_mark_obj(vm, b->lock ? &b->lock->h : NULL);
    gc_mark_obj(vm, b->cond ? &b->cond->h : NULL);
}
static void fill(struct type_slots *s)
{
    s->new_ = new_barrier;
    s->init = init;
    s->repr = repr;
}

bool barrier_type_open(vm *vm)
{
    static const native_def methods[] = {
        NATIVE_ASYNC_DEF("wait(self)", barrier_wait_step,
                         DOC("Wait until `parties` tasks wait here; returns this one's number."), 5),
        NATIVE_ASYNC_DEF("reset(self)", reset_step, DOC("Back to the beginning; who waits gets a BrokenBarrierError."),
                         1),
        NATIVE_ASYNC_DEF("abort(self)", abort_step, DOC("Break the barrier for good."), 1),
        NATIVE_ASYNC_DEF("__aenter__(self)", barrier_wait_step, NULL, 5),
        NATIVE_ASYNC_DEF("__aexit__(self, exc_type, exc, tb)", exit_step, NULL, 0),
        {0},
    };
    static const getset_def getsets[] = {{"parties", get_parties, NULL, NULL},
                                         {"n_waiting", get_n_waiting, NULL, NULL},
                                         {"broken", get_broken, NULL, NULL},
                                         {0}};
    static const type_layout layout = {.size = sizeof(barrier) - sizeof(userdata), .traverse = traverse};
    static const type_spec spec = {.name = "asyncio.locks.Barrier",
                                   .doc = "Tasks that wait for each other.",
                                   .layout = &layout,
                                   .methods = methods,
                                   .getsets = getsets,
                                   .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                   .fill = fill};
    return (runtime_of(vm)->types[RT_BARRIER] = type_from_spec(vm, &spec)) != NULL;
}
