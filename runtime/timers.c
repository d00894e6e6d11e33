/* The timers of a loop: an implicit 4-ary heap ordered by (when, order of creation).
 *
 * A timer finishes a Future with a value, runs a Handle, or a callback in C (callback_obj: n is 1 while it is here).
 *
 * Invariants
 *  1. timers[i] is not earlier than timers[(i - 1) / 4].
 *  2. A cancelled handle or finished future stays in the heap until it comes up; when more than half of at least 100
 *     entries are dead, the heap is rebuilt without them. So timers that never fire cost amortised O(log n).
 *  3. A timer that was added since the last minor cycle has a number of timer_clean at least: that cycle marks these
 *     alone (loop_cards).
 */
#include "runtime/loop.h"
#include "vm/str.h"

static inline bool before(const timer *a, const timer *b)
{
    /* which of two is earlier is anybody's guess: no jumps */
    return (a->when < b->when) | ((a->when == b->when) & (a->seq < b->seq));
}

static inline enum ready_kind kind_of(const timer *t) { return (enum ready_kind)(t->seq & 7); }

static bool is_dead(const timer *t)
{
    switch (kind_of(t)) {
    case READY_TIMEOUT: return future_state(AS(future, t->what)) != FUT_PENDING;
    case READY_NATIVE: return AS(callback_obj, t->what)->dead;
    default: return (AS(handle, t->what)->state & HANDLE_CANCELLED) != 0;
    }
}

static void sift_up(timer *h, size_t i)
{
    timer t = h[i];
    while (i > 0) {
        size_t up = (i - 1) / 4;
        if (!before(&t, &h[up])) break;
        h[i] = h[up];
        i = up;
    }
    h[i] = t;
}

static void sift_down(timer *h, size_t n, size_t i)
{
    timer t = h[i];
    for (;;) {
        size_t first = 4 * i + 1, best = first;
        if (LIKELY(first + 4 <= n)) {
            size_t other = first + 2 + before(&h[first + 3], &h[first + 2]);
            best += before(&h[first + 1], &h[first]);
            best = before(&h[other], &h[best]) ? other : best;
        } else {
            if (first >= n) break;
            for (size_t k = first + 1; k < n; k++)
                if (before(&h[k], &h[best])) best = k;
        }
        if (!before(&h[best], &t)) break;
        h[i] = h[best];
        i = best;
    }
    h[i] = t;
}

static void remove_first(loop *l)
{
    l->timers[0] = l->timers[--l->ntimers];
    if (l->ntimers > 1) sift_down(l->timers, l->ntimers, 0);
    /* one of these is the next but one to come up, and will be looked at then */
    for (size_t i = 1; i <= 4 && i < l->ntimers; i++) __builtin_prefetch(value_as_obj(l->timers[i].what));
}

bool timers_add(vm *vm, loop *l, double when, value what, value arg)
{
    if (l->ntimers == l->captimers) {
        size_t cap = l->captimers ? l->captimers * 2 : 16, old, bytes;
        if (!size_mul(cap, sizeof(timer), &bytes)) return !value_is_error(raise_memory(vm));
        old = l->captimers * sizeof(timer);
        timer *p = mem_realloc(vm, l->timers, old, bytes);
        if (!p) return false;
        l->timers = p;
        l->captimers = cap;
    }
    enum ready_kind kind = ready_kind(vm, what);
    l->timers[l->ntimers] = (timer){.when = when, .seq = l->timer_seq++ << 3 | kind, .what = what, .arg = arg};
    if (UNLIKELY(l->h.gc & GC_BARRIER)) gc_remember_card(vm, &l->h, &l->qcard);
    sift_up(l->timers, l->ntimers++);
    return true;
}

void timers_note_dead(vm *vm, loop *l)
{
    (void)vm;
    if (++l->dead_timers < 100 || l->dead_timers * 2 < l->ntimers) return;
    size_t n = 0;
    for (size_t i = 0; i < l->ntimers; i++)
        if (!is_dead(&l->timers[i])) l->timers[n++] = l->timers[i];
    l->ntimers = n;
    l->dead_timers = 0;
    for (size_t i = n / 4 + 1; i-- > 0;)
        if (i < n) sift_down(l->timers, n, i);
}

callback_obj *timers_call_at(vm *vm, loop *l, double when, callback_fn fn, value a)
{
    callback_obj *cb = callback_new(vm, fn, a, V_UNBOUND, V_UNBOUND);
    if (!cb) return NULL;
    ROOTS(vm, &cb, &l);
    value own = loop_own_method(vm, l, "call_at");
    if (!value_is_unbound(own)) { /* the script's class keeps the time: its handle is ours to cancel */
        cb->c = vm_call2(vm, own, value_float(when), value_obj(cb));
        gc_barrier(vm, cb);
        return value_is_error(cb->c) ? NULL : cb;
    }
    if (raised(vm)) return NULL;
    cb->n = 1;
    return timers_add(vm, l, when, value_obj(cb), V_UNBOUND) ? cb : NULL;
}

void timers_cancel_call(vm *vm, loop *l, callback_obj *cb)
{
    if (cb->dead) return;
    cb->dead = true;
    if (cb->n) timers_note_dead(vm, l);
    else if (!value_is_unbound(cb->c)) vm_call_method(vm, cb->c, str_intern_utf8(vm, "cancel", 6), NULL, 0);
}

static void drop_dead(loop *l)
{
    while (l->ntimers && is_dead(&l->timers[0])) {
        remove_first(l);
        if (l->dead_timers) l->dead_timers--;
    }
}

bool timers_next(loop *l, double *when)
{
    drop_dead(l);
    if (!l->ntimers) return false;
    *when = l->timers[0].when;
    return true;
}

bool timers_pop_due(vm *vm, loop *l, double end)
{
    for (;;) {
        drop_dead(l);
        if (!l->ntimers || l->timers[0].when >= end) return true;
        timer t = l->timers[0];
        enum ready_kind kind = kind_of(&t);
        if (!loop_push(vm, l, t.what, t.arg)) return false;
        /* no entry in the heap any more */
        if (kind == READY_TIMEOUT) AS(future, t.what)->h.flags &= (uint16_t)~FUT_TIMER;
        else if (kind == READY_NATIVE) AS(callback_obj, t.what)->n = 0;
        else AS(handle, t.what)->state &= ~(uint32_t)HANDLE_SCHEDULED;
        remove_first(l);
    }
}
