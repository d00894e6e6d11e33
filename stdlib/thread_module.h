/* The parts of the module _thread, and waiting for what another thread does. */
#ifndef AIO_STDLIB_THREAD_MODULE_H
#define AIO_STDLIB_THREAD_MODULE_H

#include "module_state.h"
#include "vm/lock.h"

/* A queue of threads that wait for one thing: for a lock to be free, for an item.
 *
 * Whoever makes the thing available wakes the first; it stays in the queue until it has got it, so nothing is lost when
 * somebody else comes first. One that was woken in vain is `starved`: the next time it is served before newcomers.
 * All of it under the VM's lock. */
typedef struct waiter {
    thread *th;
    struct waiter *next;
    bool woken, starved;
} waiter;
typedef struct wait_queue {
    waiter *first, *last;
    uint32_t forks; /* in a child, those that waited before the fork are no more */
} wait_queue;

void wait_queue_wake(const vm *vm, wait_queue *q); /* the first that was not woken yet */
/* Waits until try(vm, self) says 1 (got it) or -1 (raised), or `ns` have passed (negative: for ever). Says 1 (got it),
 * 0 (time-out) or -1 (raised). `self` is rooted by the caller, and q lies in it. */
typedef int (*wait_try_fn)(vm *vm, value self);
int wait_queue_wait(vm *vm, wait_queue *q, int64_t ns, wait_try_fn try, value self);

/* for ever; no report of a task that blocks */
int wait_queue_wait_silently(vm *vm, wait_queue *q, wait_try_fn try, value self);

/* The arguments (blocking=True, timeout=-1) of acquire(); *ns: 0 not at all, negative for ever. false: raised. */
bool wait_arguments(vm *vm, value blocking, value timeout, int64_t *ns);

static inline bool wait_absent(value v) { return value_is_unbound(v) || value_is_none(v); }

bool thread_lock_types(vm *vm, module *m);
bool local_type_open(vm *vm, module *m);
void local_forget_thread(vm *vm, const thread *th); /* the thread ends: its values go */

#endif
