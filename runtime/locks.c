/* Lock, Event, Condition.
 *
 * Whoever has to wait gets a future of its own in the queue of waiters, and takes it out again when it goes on, so that
 * a cancelled waiter passes on what it was given.
 */
#include "runtime/locks.h"

#include "runtime/asyncio.h"
#include "vm/attr.h"
#include "vm/list.h"
#include "vm/native.h"

#define DOC_FILE runtime_locks
DOC_BEGIN;

/* ---- what they share ---- */

str *object_repr_with(vm *vm, value self, const char *fmt, ...)
{
    ROOTS(vm, &self);
    va_list ap;
    va_start(ap, fmt);
    str *extra = str_vformat(vm, fmt, ap);
    va_end(ap);
    if (!extra) return NULL;
    value ev = value_obj(extra);
    ROOTS(vm, &ev);
    value whole = T(vm, OBJECT)->s.repr(vm, self);
    if (value_is_error(whole)) return NULL;
    str *s = AS(str, whole), *cut = str_substr(vm, s, 1, s->len - 1);
    return cut ? str_format(vm, "<%U [%U]>", value_obj(cut), ev) : NULL;
}

void waiters_object_mark(vm *vm, object *o)
{
    struct waiting_object *w = (struct waiting_object *)(void *)o;
    gc_mark_obj(vm, w->loop ? &w->loop->h : NULL);
    waiters_mark(vm, &w->waiting);
}
void waiters_object_free(vm *vm, object *o) { waiters_free(vm, &((struct waiting_object *)(void *)o)->waiting); }

value waiters_object_repr(vm *vm, value self, const char *state)
{
    size_t n = AS(struct waiting_object, self)->waiting.len;
    str *s = n ? object_repr_with(vm, self, "%s, waiters:%zu", state, n) : object_repr_with(vm, self, "%s", state);
    return s ? value_obj(s) : V_ERROR;
}

value waiters_object_list(vm *vm, value self)
{
    waiters *w = &AS(struct waiting_object, self)->waiting;
    if (!w->items) return V_NONE;
    list *l = list_new(vm, w->len);
    for (size_t i = 0; l && i < w->len; i++)
        if (!list_append(vm, l, waiters_at(w, i))) return V_ERROR;
    return l ? value_obj(l) : V_ERROR;
}

static bool all_cancelled(const waiters *w)
{
    for (size_t i = 0; i < w->len; i++)
        if (future_state(AS(future, waiters_at(w, i))) != FUT_CANCELLED) return false;
    return true;
}

static bool no_arguments_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    (void)args;
    if (!n && (value_is_unbound(kw) || !AS(tuple, kw)->len)) return true;
    if (n) raise_type_error(vm, "%T.__init__() takes 1 positional argument but %d were given", self, (int)(n + 1));
    else raise_type_error(vm, "%T.__init__() got an unexpected keyword argument %R", self, AS(tuple, kw)->items[0]);
    return false;
}

/* ---- Lock ---- */

static void lock_wake_first(vm *vm, lock *l)
{
    if (!l->waiting.len) return;
    future *f = AS(future, waiters_at(&l->waiting, 0));
    if (future_state(f) == FUT_PENDING) future_finish(vm, f, V_TRUE);
}

value lock_holder(vm *vm, value v)
{
    type *t = runtime_of(vm)->types[RT_LOCK];
    return t && value_isa(vm, v, t) ? AS(lock, v)->holder : V_UNBOUND;
}

static enum nstep lock_taken(vm *vm, lock *l, value *out)
{
    l->locked = true;
    l->holder = vm->thread->current_task;
    gc_barrier(vm, l);
    *out = V_TRUE;
    return NSTEP_DONE;
}

enum nstep lock_acquire(vm *vm, lock *l, value *fut, value sent, value *out)
{
    if (value_is_unbound(*fut)) {
        if (LIKELY(!l->locked && (!l->waiting.len || all_cancelled(&l->waiting)))) return lock_taken(vm, l, out);
        loop *lp = bound_loop(vm, value_obj(l), &l->loop);
        future *f = lp ? waiters_wait(vm, l, &l->waiting, lp) : NULL;
        if (!f) return NSTEP_ERROR;
        *out = *fut = value_obj(f);
        return NSTEP_AWAIT;
    }
    waiters_remove(&l->waiting, *fut);
    *fut = V_UNBOUND;
    if (LIKELY(!value_is_unbound(sent))) return lock_taken(vm, l, out);
    if (exc_matches(vm, EXC_CancelledError) && !l->locked) lock_wake_first(vm, l);
    return NSTEP_ERROR;
}

bool lock_release(vm *vm, lock *l)
{
    if (!l->locked) {
        raise(vm, EXC_RuntimeError, "Lock is not acquired.");
        return false;
    }
    l->locked = false;
    l->holder = V_UNBOUND;
    lock_wake_first(vm, l);
    return !raised(vm);
}

LOCK_METHODS(lock, lock, lock_acquire, lock_release)

static value lock_m_locked(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_bool(AS(lock, a[0])->locked);
}
static value lock_repr(vm *vm, value self)
{
    lock *l = AS(lock, self);
    return waiters_object_repr(vm, self, l->locked ? "locked" : "unlocked");
}
static void lock_traverse(vm *vm, object *o)
{
    waiters_object_mark(vm, o);
    gc_mark_value(vm, ((lock *)(void *)o)->holder);
}
/* ---- Event ---- */

event *event_new(vm *vm, bool is_set)
{
    event *e = userdata_new(vm, runtime_of(vm)->types[RT_EVENT]);
    if (e) e->is_set = is_set;
    return e;
}

void event_set(vm *vm, event *e)
{
    if (e->is_set) return;
    e->is_set = true;
    waiters_wake_all(vm, &e->waiting, V_TRUE);
}

enum nstep event_wait(vm *vm, event *e, value *fut, value sent, value *out)
{
    *out = V_TRUE;
    if (value_is_unbound(*fut)) {
        if (e->is_set) return NSTEP_DONE;
        loop *l = bound_loop(vm, value_obj(e), &e->loop);
        future *f = l ? waiters_wait(vm, e, &e->waiting, l) : NULL;
        if (!f) return NSTEP_ERROR;
        *out = *fut = value_obj(f);
        return NSTEP_AWAIT;
    }
    waiters_remove(&e->waiting, *fut);
    *fut = V_UNBOUND;
    return value_is_unbound(sent) ? NSTEP_ERROR : NSTEP_DONE;
}

static enum nstep event_wait_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    return event_wait(vm, AS(event, r[0]), &r[1], sent, out);
}
static value event_m_set(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    event_set(vm, AS(event, a[0]));
    return raised(vm) ? V_ERROR : V_NONE;
}
static value event_m_clear(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    AS(event, a[0])->is_set = false;
    return V_NONE;
}
static value event_m_is_set(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_bool(AS(event, a[0])->is_set);
}
static value event_repr(vm *vm, value self)
{
    event *e = AS(event, self);
    return waiters_object_repr(vm, self, e->is_set ? "set" : "unset");
}

/* ---- Condition ---- */

static inline lock *own_lock(vm *vm, condition *c)
{
    return value_is_exact(c->lock, runtime_of(vm)->types[RT_LOCK]->root_shape) ? AS(lock, c->lock) : NULL;
}
static int condition_locked(vm *vm, condition *c)
{
    lock *l = own_lock(vm, c);
    if (l) return l->locked;
    value v = vm_call_method(vm, c->lock, str_intern_utf8(vm, "locked", 6), NULL, 0);
    return value_is_error(v) ? -1 : obj_truth(vm, v);
}
static bool condition_release(vm *vm, condition *c)
{
    lock *l = own_lock(vm, c);
    return l ? lock_release(vm, l)
             : !value_is_error(vm_call_method(vm, c->lock, str_intern_utf8(vm, "release", 7), NULL, 0));
}
/* As lock_acquire; a foreign lock's coroutine is awaited as a whole: *fut is True meanwhile. */
static enum nstep condition_acquire(vm *vm, condition *c, value *fut, value sent, value *out)
{
    lock *l = own_lock(vm, c);
    if (l) return lock_acquire(vm, l, fut, sent, out);
    if (value_is_unbound(*fut)) {
        *out = vm_call_method(vm, c->lock, str_intern_utf8(vm, "acquire", 7), NULL, 0);
        if (value_is_error(*out)) return NSTEP_ERROR;
        *fut = V_TRUE;
        return NSTEP_AWAIT;
    }
    *fut = V_UNBOUND;
    *out = sent;
    return value_is_unbound(sent) ? NSTEP_ERROR : NSTEP_DONE;
}

/* wait(): s[0] stage, s[1] the future of the current stage, s[2] the exception to leave with. The lock is taken again
 * whatever happens; a cancellation meanwhile is remembered. */
enum { COND_START, COND_WAITING = 1, COND_REACQUIRING = 2 };
enum nstep condition_wait(vm *vm, condition *c, value *s, value sent, value *out)
{
    if (value_is_unbound(s[0])) {
        int locked = condition_locked(vm, c);
        if (locked < 0) return NSTEP_ERROR;
        if (!locked) {
            raise(vm, EXC_RuntimeError, "cannot wait on un-acquired lock");
            return NSTEP_ERROR;
        }
        if (!condition_release(vm, c)) return NSTEP_ERROR;
        loop *l = bound_loop(vm, value_obj(c), &c->loop);
        future *f = l ? waiters_wait(vm, c, &c->waiting, l) : NULL;
        if (f) {
            s[0] = value_int(COND_WAITING);
            *out = s[1] = value_obj(f);
            return NSTEP_AWAIT;
        }
        s[2] = exc_take(vm);
    } else if (value_is(s[0], value_int(COND_WAITING))) {
        waiters_remove(&c->waiting, s[1]);
        s[1] = V_UNBOUND;
        if (value_is_unbound(sent)) s[2] = exc_take(vm);
        sent = V_NONE;
    } else if (value_is_unbound(sent)) {
        value dummy;
        value exc = exc_take(vm);
        ROOTS(vm, &exc);
        vm->thread->exc = exc;
        if (!exc_matches(vm, EXC_CancelledError)) {
            if (!value_is_unbound(s[1])) condition_acquire(vm, c, &s[1], V_UNBOUND, &dummy);
            return NSTEP_ERROR;
        }
        condition_acquire(vm, c, &s[1], V_UNBOUND, &dummy); /* takes our future out of the lock's queue */
        s[2] = exc_take(vm);
        s[1] = V_UNBOUND;
        sent = V_NONE;
    }
    s[0] = value_int(COND_REACQUIRING);
    enum nstep step = condition_acquire(vm, c, &s[1], sent, out);
    if (step != NSTEP_DONE) return step;
    s[0] = V_UNBOUND;
    if (!value_is_unbound(s[2])) {
        vm->thread->exc = s[2];
        s[2] = V_UNBOUND;
        return NSTEP_ERROR;
    }
    *out = V_TRUE;
    return NSTEP_DONE;
}

static enum nstep condition_wait_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    return condition_wait(vm, AS(condition, r[0]), r + 1, sent, out);
}
/* r: self predicate | the three of condition_wait */
static enum nstep condition_wait_for_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    condition *c = AS(condition, r[0]);
    bool waiting = !value_is_unbound(r[2]);
    for (;;) {
        if (waiting) {
            enum nstep s = condition_wait(vm, c, r + 2, sent, out);
            if (s != NSTEP_DONE) return s;
        }
        value v = vm_call0(vm, r[1]);
        if (value_is_error(v)) return NSTEP_ERROR;
        ROOTS(vm, &v);
        int t = obj_truth(vm, v);
        if (t < 0) return NSTEP_ERROR;
        if (t) {
            *out = v;
            return NSTEP_DONE;
        }
        waiting = true;
        sent = V_NONE;
    }
}
LOCK_METHODS(condition, condition, condition_acquire, condition_release)

static value condition_m_locked(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int t = condition_locked(vm, AS(condition, a[0]));
    return t < 0 ? V_ERROR : value_bool(t);
}
static value notify(vm *vm, condition *c, int64_t count)
{
    int locked = condition_locked(vm, c);
    if (locked < 0) return V_ERROR;
    if (!locked) return raise(vm, EXC_RuntimeError, "cannot notify on un-acquired lock");
    for (size_t i = 0; i < c->waiting.len && count > 0; i++) {
        future *f = AS(future, waiters_at(&c->waiting, i));
        if (future_state(f) != FUT_PENDING) continue;
        count--;
        future_finish(vm, f, V_FALSE);
    }
    return raised(vm) ? V_ERROR : V_NONE;
}
static value condition_m_notify(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int64_t count = 1;
    if (!value_is_unbound(a[1]) && !int_as_i64(vm, a[1], &count)) return V_ERROR;
    return notify(vm, AS(condition, a[0]), count);
}
static value condition_m_notify_all(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return notify(vm, AS(condition, a[0]), INT64_MAX);
}
static bool condition_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value out[1];
    if (!args_bind(vm, "Condition.__init__(lock=None)", args, n, kw, out)) return false;
    if (absent(out[0])) return true;
    ROOTS(vm, &self, &out[0]);
    if (value_is_error(obj_getattr(vm, out[0], str_intern_utf8(vm, "locked", 6)))) return false; /* no lock */
    condition *c = AS(condition, self);
    c->lock = out[0];
    gc_barrier(vm, c);
    return true;
}
static value condition_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    value v = zeroed_slot_new(vm, t, args, n, kw);
    lock *l = value_is_error(v) ? NULL : userdata_new(vm, runtime_of(vm)->types[RT_LOCK]);
    if (!l) return V_ERROR;
    AS(condition, v)->lock = value_obj(l);
    return v;
}
static value condition_repr(vm *vm, value self)
{
    condition *c = AS(condition, self);
    int locked = condition_locked(vm, c);
    return locked < 0 ? V_ERROR : waiters_object_repr(vm, self, locked ? "locked" : "unlocked");
}
static value condition_get_lock(vm *vm, value self)
{
    (void)vm;
    return AS(condition, self)->lock;
}
static void condition_traverse(vm *vm, object *o)
{
    waiters_object_mark(vm, o);
    gc_mark_value(vm, ((condition *)(void *)o)->lock);
}

/* ---- types ---- */

/* Events and conditions have an empty queue from the start, as CPython's. */
static value queue_of_waiters(vm *vm, value self)
{
    value v = waiters_object_list(vm, self);
    return value_is(v, V_NONE) ? value_obj(list_new(vm, 0)) : v;
}

static void lock_fill(struct type_slots *s)
{
    s->new_ = zeroed_slot_new;
    s->init = no_arguments_init;
    s->repr = lock_repr;
}
static void event_fill(struct type_slots *s)
{
    s->new_ = zeroed_slot_new;
    s->init = no_arguments_init;
    s->repr = event_repr;
}
static void condition_fill(struct type_slots *s)
{
    s->new_ = condition_new;
    s->init = condition_init;
    s->repr = condition_repr;
}
static const native_def lock_methods[] = {
    NATIVE_ASYNC_DEF("acquire(self)", lock_acquire_step, DOC("Wait until the lock is free, and take it."), 1),
    {"release(self)", lock_m_release, DOC("Give the lock to the next who waits."), 0},
    {"locked(self)", lock_m_locked, DOC("Is it taken?"), 0},
    NATIVE_ASYNC_DEF("__aenter__(self)", lock_enter_step, NULL, 1),
    NATIVE_ASYNC_DEF("__aexit__(self, exc_type, exc, tb)", lock_exit_step, NULL, 0),
    {0},
};
static const native_def event_methods[] = {
    NATIVE_ASYNC_DEF("wait(self)", event_wait_step, DOC("Wait until the event is set."), 1),
    {"set(self)", event_m_set, DOC("Set the event: all who wait go on."), 0},
    {"clear(self)", event_m_clear, DOC("Unset it."), 0},
    {"is_set(self)", event_m_is_set, DOC("Is it set?"), 0},
    {0},
};
static const native_def condition_methods[] = {
    NATIVE_ASYNC_DEF("acquire(self)", condition_acquire_step, DOC("Take the lock."), 1),
    {"release(self)", condition_m_release, DOC("Release the lock."), 0},
    {"locked(self)", condition_m_locked, DOC("Is the lock taken?"), 0},
    NATIVE_ASYNC_DEF("wait(self)", condition_wait_step,
                     DOC("Release the lock, wait to be notified, take the lock again."), 3),
    NATIVE_ASYNC_DEF("wait_for(self, predicate)", condition_wait_for_step, DOC("wait() until predicate() is true."), 3),
    {"notify(self, n=1)", condition_m_notify, DOC("Wake n of those who wait."), 0},
    {"notify_all(self)", condition_m_notify_all, DOC("Wake all who wait."), 0},
    NATIVE_ASYNC_DEF("__aenter__(self)", condition_enter_step, NULL, 1),
    NATIVE_ASYNC_DEF("__aexit__(self, exc_type, exc, tb)", condition_exit_step, NULL, 0),
    {0},
};
static const getset_def lock_getsets[] = {{"_waiters", waiters_object_list, NULL, NULL}, {0}};
static const getset_def event_getsets[] = {{"_waiters", queue_of_waiters, NULL, NULL}, {0}};
static const getset_def condition_getsets[] = {
    {"_waiters", queue_of_waiters, NULL, NULL}, {"_lock", condition_get_lock, NULL, NULL}, {0}};

bool locks_types_open(vm *vm)
{
    runtime *rt = runtime_of(vm);
    static const type_layout lock_layout = {
        .size = sizeof(lock) - sizeof(userdata), .traverse = lock_traverse, .free = waiters_object_free};
    static const type_layout event_layout = {
        .size = sizeof(event) - sizeof(userdata), .traverse = waiters_object_mark, .free = waiters_object_free};
    static const type_layout condition_layout = {
        .size = sizeof(condition) - sizeof(userdata), .traverse = condition_traverse, .free = waiters_object_free};
    static const type_spec l = {.name = "asyncio.locks.Lock",
                                .doc = "A mutual exclusion lock, first come first served.",
                                .layout = &lock_layout,
                                .methods = lock_methods,
                                .getsets = lock_getsets,
                                .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                .fill = lock_fill};
    static const type_spec e = {.name = "asyncio.locks.Event",
                                .doc = "A flag that tasks wait for.",
                                .layout = &event_layout,
                                .methods = event_methods,
                                .getsets = event_getsets,
                                .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                .fill = event_fill};
    static const type_spec c = {.name = "asyncio.locks.Condition",
                                .doc = "A lock, and tasks that wait to be notified.",
                                .layout = &condition_layout,
                                .methods = condition_methods,
                                .getsets = condition_getsets,
                                .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                .fill = condition_fill};
    return (rt->types[RT_LOCK] = type_from_spec(vm, &l)) && (rt->types[RT_EVENT] = type_from_spec(vm, &e)) &&
           (rt->types[RT_CONDITION] = type_from_spec(vm, &c));
}
