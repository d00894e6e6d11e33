/* The layouts of Lock, Event and Condition, for the files that use one inside. */
#ifndef AIOVM_RUNTIME_LOCKS_H
#define AIOVM_RUNTIME_LOCKS_H

#include "runtime/waiters.h"

typedef struct lock {
    object h;
    value *slots;
    loop *loop; /* that it first had to wait in */
    waiters waiting;
    value holder; /* the task that has it, for reports; unbound when free */
    bool locked;
} lock;
typedef struct event {
    object h;
    value *slots;
    loop *loop;
    waiters waiting;
    bool is_set;
} event;
typedef struct condition {
    object h;
    value *slots;
    loop *loop;
    waiters waiting;
    value lock; /* a Lock, or what the script gave */
} condition;

/* One step of taking a lock: NSTEP_DONE it is ours; NSTEP_AWAIT *out; NSTEP_ERROR. *fut is the caller's register for
 * it, unbound at first. sent as in native_step_fn. */
value lock_holder(vm *vm, value v); /* the task that has the lock v; unbound: none, or v is no lock */
enum nstep lock_acquire(vm *vm, lock *l, value *fut, value sent, value *out);
bool lock_release(vm *vm, lock *l);
void event_set(vm *vm, event *e);
/* As for lock_acquire: waiting for the event. */
enum nstep event_wait(vm *vm, event *e, value *fut, value sent, value *out);
/* wait() of a condition: s[0..3) are the caller's registers for it, unbound at first and when it is done. */
enum nstep condition_wait(vm *vm, condition *c, value *s, value sent, value *out);
event *event_new(vm *vm, bool is_set);

/* ---- what every type that begins like these shares; semaphores too ---- */

struct waiting_object {
    object h;
    value *slots;
    loop *loop;
    waiters waiting;
};
void waiters_object_mark(vm *vm, object *o);
void waiters_object_free(vm *vm, object *o);
value waiters_object_repr(vm *vm, value self, const char *state);
value waiters_object_list(vm *vm, value self); /* the futures that wait; None: there has never been one */
str *object_repr_with(vm *vm, value self, const char *fmt, ...); /* "<asyncio.locks.Lock object at 0x.. [extra]>" */

/* The methods of whatever can be acquired and released, as NOUN_acquire_step, NOUN_enter_step, NOUN_exit_step and
 * NOUN_m_release: `async with` gives None where acquire() gives True. */
#define LOCK_METHODS(NOUN, TYPE, ACQUIRE, RELEASE)                                            \
    static enum nstep NOUN##_acquire_step(vm *vm, frame *f, value *r, value sent, value *out) \
    {                                                                                         \
        (void)f;                                                                              \
        return ACQUIRE(vm, AS(TYPE, r[0]), &r[1], sent, out);                                 \
    }                                                                                         \
    static enum nstep NOUN##_enter_step(vm *vm, frame *f, value *r, value sent, value *out)   \
    {                                                                                         \
        enum nstep s = NOUN##_acquire_step(vm, f, r, sent, out);                              \
        if (s == NSTEP_DONE) *out = V_NONE;                                                   \
        return s;                                                                             \
    }                                                                                         \
    static enum nstep NOUN##_exit_step(vm *vm, frame *f, value *r, value sent, value *out)    \
    {                                                                                         \
        (void)f, (void)sent;                                                                  \
        *out = V_NONE;                                                                        \
        return RELEASE(vm, AS(TYPE, r[0])) ? NSTEP_DONE : NSTEP_ERROR;                        \
    }                                                                                         \
    static value NOUN##_m_release(vm *vm, value *a, uint32_t n, value kw)                     \
    {                                                                                         \
        (void)n, (void)kw;                                                                    \
        return RELEASE(vm, AS(TYPE, a[0])) ? V_NONE : V_ERROR;                                \
    }

#endif
