/* A queue of values in an object of ours: the futures that wait for a lock, the items of a Queue.
 * A ring that grows; the owner's traverse and free call waiters_mark and waiters_free. */
#ifndef AIOVM_RUNTIME_WAITERS_H
#define AIOVM_RUNTIME_WAITERS_H

#include "runtime/loop.h"

typedef struct waiters {
    value *items; /* 1 << log2, or NULL */
    size_t head, len;
    uint32_t log2;
} waiters;

bool waiters_grow(vm *vm, waiters *w);
static inline bool waiters_push(vm *vm, void *owner, waiters *w, value v)
{
    if (UNLIKELY(!w->items || w->len == (size_t)1 << w->log2) && !waiters_grow(vm, w)) return false;
    w->items[(w->head + w->len++) & (((size_t)1 << w->log2) - 1)] = v;
    gc_barrier(vm, owner);
    return true;
}
static inline value waiters_at(const waiters *w, size_t i)
{
    return w->items[(w->head + i) & (((size_t)1 << w->log2) - 1)];
}
static inline value waiters_pop(waiters *w)
{
    value v = w->items[w->head & (((size_t)1 << w->log2) - 1)];
    w->head++;
    w->len--;
    return v;
}
bool waiters_remove(waiters *w, value v); /* the first that is v; false: there is none */
void waiters_mark(vm *vm, const waiters *w);
void waiters_free(vm *vm, waiters *w);

/* The future that a coroutine of ours waits on, appended to w; NULL raised. */
future *waiters_wait(vm *vm, void *owner, waiters *w, loop *l);
/* Wakes the first waiter that is not done with `result`; true: there was one. */
bool waiters_wake_first(vm *vm, waiters *w, value result);
size_t waiters_wake_all(vm *vm, waiters *w, value result);
/* Takes waiters off the front until one that is not done was woken. */
void waiters_pop_and_wake(vm *vm, waiters *w);

/* Locks, queues and the like belong to the loop in which they first had to wait. NULL: RuntimeError raised. */
loop *bound_loop(vm *vm, value self, loop **where);

#endif
