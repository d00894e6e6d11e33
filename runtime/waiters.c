/* Queues of waiting futures, and what the things that have one share. */
#include "runtime/waiters.h"

bool waiters_grow(vm *vm, waiters *w)
{
    size_t cap = w->items ? (size_t)1 << w->log2 : 0, ncap = cap ? cap * 2 : 4, bytes;
    if (!size_mul(ncap, sizeof(value), &bytes)) return !value_is_error(raise_memory(vm));
    value *p = mem_alloc(vm, bytes);
    if (!p) return false;
    for (size_t i = 0; i < w->len; i++) p[i] = w->items[(w->head + i) & (cap - 1)];
    if (w->items) mem_free(vm, w->items, cap * sizeof(value));
    w->log2 = cap ? w->log2 + 1 : 2;
    w->items = p;
    w->head = 0;
    return true;
}

bool waiters_remove(waiters *w, value v)
{
    size_t mask = w->items ? ((size_t)1 << w->log2) - 1 : 0;
    for (size_t i = 0; i < w->len; i++) {
        if (!value_is(w->items[(w->head + i) & mask], v)) continue;
        if (i < w->len / 2) { /* close the gap from the nearer end */
            for (; i > 0; i--) w->items[(w->head + i) & mask] = w->items[(w->head + i - 1) & mask];
            w->head++;
        } else {
            for (; i + 1 < w->len; i++) w->items[(w->head + i) & mask] = w->items[(w->head + i + 1) & mask];
        }
        w->len--;
        return true;
    }
    return false;
}

void waiters_mark(vm *vm, const waiters *w)
{
    for (size_t i = 0; i < w->len; i++) gc_mark_value(vm, waiters_at(w, i));
}

void waiters_free(vm *vm, waiters *w)
{
    if (w->items) mem_free(vm, w->items, sizeof(value) << w->log2);
    *w = (waiters){0};
}

future *waiters_wait(vm *vm, void *owner, waiters *w, loop *l)
{
    future *f = future_new(vm, l);
    return f && waiters_push(vm, owner, w, value_obj(f)) ? f : NULL;
}

bool waiters_wake_first(vm *vm, waiters *w, value result)
{
    for (size_t i = 0; i < w->len; i++) {
        future *f = AS(future, waiters_at(w, i));
        if (future_state(f) != FUT_PENDING) continue;
        future_finish(vm, f, result);
        return true;
    }
    return false;
}

size_t waiters_wake_all(vm *vm, waiters *w, value result)
{
    size_t n = 0;
    for (size_t i = 0; i < w->len; i++) {
        future *f = AS(future, waiters_at(w, i));
        if (future_state(f) != FUT_PENDING) continue;
        future_finish(vm, f, result);
        n++;
    }
    return n;
}

void waiters_pop_and_wake(vm *vm, waiters *w)
{
    while (w->len) {
        future *f = AS(future, waiters_pop(w));
        if (future_state(f) != FUT_PENDING) continue;
        future_finish(vm, f, V_NONE);
        return;
    }
}

loop *bound_loop(vm *vm, value self, loop **where)
{
    loop *l = loop_running_or_raise(vm);
    if (!l) return NULL;
    if (!*where) {
        *where = l;
        gc_barrier(vm, value_as_obj(self));
    }
    if (*where == l) return l;
    raise(vm, EXC_RuntimeError, "%R is bound to a different event loop", self);
    return NULL;
}
