/* Waiting for what another thread does. */
#include "thread_module.h"

#include "time_module.h"

enum { NANOSECONDS = 1000000000 };

/* The first that waits; the waiters are on the stacks of their threads. */
static waiter *wait_queue_first(const vm *vm, wait_queue *q)
{
    if (UNLIKELY(q->forks != lock_forks(vm))) *q = (wait_queue){.forks = lock_forks(vm)};
    return q->first;
}

void wait_queue_wake(const vm *vm, wait_queue *q)
{
    waiter *w = wait_queue_first(vm, q);
    while (w && w->woken) w = w->next;
    if (!w) return;
    w->woken = true;
    thread_unpark(w->th);
}

static void wait_queue_add(const vm *vm, wait_queue *q, waiter *w)
{
    if (wait_queue_first(vm, q)) q->last->next = w;
    else q->first = w;
    q->last = w;
}

static void wait_queue_remove(const vm *vm, wait_queue *q, waiter *w)
{
    waiter *before = NULL, **p = &q->first;
    if (!wait_queue_first(vm, q)) return; /* a signal handler has forked, and this is the child */
    while (*p && *p != w) {
        before = *p;
        p = &(*p)->next;
    }
    if (!*p) return;
    *p = w->next;
    if (q->last == w) q->last = before;
    /* What it was woken for and did not take is for the next. */
    if (w->woken) wait_queue_wake(vm, q);
}

enum { NOTICEABLE_NS = 5 * 1000 * 1000 };

/* patient: the wait is not reported when it becomes noticeable. */
static int wait_in_queue(vm *vm, wait_queue *q, int64_t ns, wait_try_fn try, value self, bool patient)
{
    const waiter *next = wait_queue_first(vm, q);
    int got = next && next->starved ? 0 : try(vm, self);
    if (got || ns == 0) return got;
    int64_t end = INT64_MAX;
    if (ns > 0 && __builtin_add_overflow(vm->clock_monotonic_ns(vm), ns, &end)) ns = -1;
    waiter me = {.th = vm->thread};
    if (!vm->hooks.blocking || value_is_unbound(vm->thread->current_task)) patient = true;
    wait_queue_add(vm, q, &me);
    for (;;) {
        int64_t left = ns < 0 ? -1 : end - vm->clock_monotonic_ns(vm);
        if (ns > 0 && left <= 0) break;
        if (!patient && (left < 0 || left > NOTICEABLE_NS)) left = NOTICEABLE_NS;
        /* Woken while the poll below had given the lock away: parking would drop that wake-up. */
        if (!me.woken) thread_park(vm, left);
        if (!patient && !me.woken) {
            patient = true;
            if (!vm_blocking(vm, "waiting for another thread",
                             "what asyncio has for it (asyncio.Lock, await asyncio.to_thread())")) {
                got = -1;
                break;
            }
        }
        /* First the thing, then signals: an acquire that raises has not acquired. */
        if (me.woken) {
            me.woken = false;
            got = try(vm, self);
            if (got) break;
            me.starved = true;
        }
        if (vm_attention(vm) || vm->poll <= 0) vm_poll(vm);
        if (raised(vm)) {
            got = -1;
            break;
        }
    }
    if (!got) got = try(vm, self); /* at the last moment */
    wait_queue_remove(vm, q, &me);
    return got;
}

int wait_queue_wait(vm *vm, wait_queue *q, int64_t ns, wait_try_fn try, value self)
{
    return wait_in_queue(vm, q, ns, try, self, false);
}

int wait_queue_wait_silently(vm *vm, wait_queue *q, wait_try_fn try, value self)
{
    return wait_in_queue(vm, q, -1, try, self, true);
}

bool wait_arguments(vm *vm, value blocking, value timeout, int64_t *ns)
{
    int block = value_is_unbound(blocking) ? 1 : obj_truth(vm, blocking);
    if (block < 0) return false;
    int64_t given = -NANOSECONDS;
    if (!value_is_unbound(timeout) && !time_seconds_to_ns(vm, timeout, true, &given)) return false;
    if (!block && given != -NANOSECONDS) {
        raise_value_error(vm, "can't specify a timeout for a non-blocking call");
    } else if (given < 0 && given != -NANOSECONDS) {
        raise_value_error(vm, "timeout value must be positive");
    } else {
        *ns = !block ? 0 : given;
        return true;
    }
    return false;
}
