/* wait(), wait_for(), shield(). */
#include "runtime/asyncio.h"
#include "vm/list.h"
#include "vm/native.h"
#include "vm/set.h"
#include "vm/str.h"

/* ---- wait ---- */

enum wait_mode { WAIT_ALL, WAIT_FIRST, WAIT_FIRST_EXCEPTION };

/* Shared by all futures: a = the future that wait() itself waits on, n = how many are to come << 2 | enum wait_mode. */
static void one_done(vm *vm, callback_obj *cb, value fut)
{
    future *waiter = AS(future, cb->a);
    cb->n -= 4;
    bool enough = cb->n < 4 || (cb->n & 3) == WAIT_FIRST;
    if (!enough && (cb->n & 3) == WAIT_FIRST_EXCEPTION) {
        if (future_is(fut)) {
            enough = AS(future, fut)->h.flags & FUT_EXCEPTION;
            if (enough) future_retrieved(AS(future, fut));
        } else {
            ROOTS(vm, &cb, &waiter, &fut);
            value c = vm_call_method(vm, fut, str_intern_utf8(vm, "cancelled", 9), NULL, 0);
            if (value_is_error(c)) return;
            if (obj_truth(vm, c) == 0) {
                value e = vm_call_method(vm, fut, N(vm, exception), NULL, 0);
                if (value_is_error(e)) return;
                enough = !value_is_none(e);
            }
        }
    }
    if (enough && future_state(waiter) == FUT_PENDING) future_finish(vm, waiter, V_NONE);
}

static bool wait_mode(vm *vm, value v, enum wait_mode *mode)
{
    static const char *const names[] = {"ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"};
    *mode = WAIT_ALL;
    if (value_is_unbound(v)) return true;
    for (unsigned i = 0; i < 3; i++) {
        if (!IS_STR(v) || !str_equal_ascii(AS(str, v), names[i])) continue;
        *mode = (enum wait_mode)i;
        return true;
    }
    str *s = obj_str(vm, v);
    if (s) raise_value_error(vm, "Invalid return_when value: %U", value_obj(s));
    return false;
}

/* The distinct futures of fs, in their order. NULL raised. */
static list *distinct_futures(vm *vm, value fs, const char *what)
{
    if (future_like(vm, fs) || is_coroutine(vm, fs)) {
        raise_type_error(vm, "expect %s of futures, not %U", what, type_of(vm, fs)->name);
        return NULL;
    }
    list *all = obj_to_list(vm, fs);
    set *seen = all ? set_new(vm, TYPE_SET) : NULL;
    if (!seen) return NULL;
    ROOTS(vm, &all, &seen);
    size_t n = 0;
    for (size_t i = 0; i < all->len; i++) {
        int known = set_contains(vm, seen, all->items[i]);
        if (known < 0 || (!known && !set_add(vm, seen, all->items[i]))) return NULL;
        if (!known) all->items[n++] = all->items[i];
    }
    list_truncate(vm, all, n);
    return all;
}

/* r: fs timeout return_when | list of futures, callback, waiter, the pending exception while cleaning up */
static bool wait_begin(vm *vm, value *r)
{
    enum wait_mode mode;
    if (future_like(vm, r[0]) || is_coroutine(vm, r[0])) {
        raise_type_error(vm, "expect a list of futures, not %U", type_of(vm, r[0])->name);
        return false;
    }
    int any = obj_truth(vm, r[0]);
    if (any < 0) return false;
    if (!any) {
        raise_value_error(vm, "Set of Tasks/Futures is empty.");
        return false;
    }
    if (!wait_mode(vm, r[2], &mode)) return false;
    list *fs = distinct_futures(vm, r[0], "a list");
    if (!fs) return false;
    r[3] = value_obj(fs);
    for (size_t i = 0; i < fs->len; i++) {
        if (is_coroutine(vm, fs->items[i])) {
            raise_type_error(vm, "Passing coroutines is forbidden, use tasks explicitly.");
            return false;
        }
    }
    if (!fs->len) {
        raise_value_error(vm, "Set of Tasks/Futures is empty.");
        return false;
    }
    loop *l = loop_running_or_raise(vm);
    future *waiter = l ? future_new(vm, l) : NULL;
    callback_obj *cb = waiter ? callback_new(vm, one_done, value_obj(waiter), V_UNBOUND, V_UNBOUND) : NULL;
    if (!cb) return false;
    r[5] = value_obj(waiter);
    r[4] = value_obj(cb);
    cb->n = (int64_t)fs->len << 2 | mode;
    if (!absent(r[1])) {
        double delay;
        if (!float_as_double(vm, r[1], &delay)) return false;
        if (!loop_finish_later(vm, l, delay, waiter, V_NONE)) return false;
    }
    for (size_t i = 0; i < fs->len; i++)
        if (!future_add_any(vm, AS(list, r[3])->items[i], r[4])) return false;
    return true;
}

static value wait_result(vm *vm, value *r)
{
    set *done = set_new(vm, TYPE_SET), *pending = done ? set_new(vm, TYPE_SET) : NULL;
    if (!pending) return V_ERROR;
    ROOTS(vm, &done, &pending);
    list *fs = AS(list, r[3]);
    for (size_t i = 0; i < fs->len; i++) {
        bool is_done = future_any_done(vm, fs->items[i]);
        if (raised(vm) || !set_add(vm, is_done ? done : pending, fs->items[i])) return V_ERROR;
    }
    tuple *t = tuple_pack(vm, 2, value_obj(done), value_obj(pending));
    return t ? value_obj(t) : V_ERROR;
}

enum nstep wait_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    if (value_is_unbound(r[3])) {
        if (!wait_begin(vm, r)) return NSTEP_ERROR;
        *out = r[5];
        return NSTEP_AWAIT;
    }
    value exc = value_is_unbound(sent) ? exc_take(vm) : V_UNBOUND;
    ROOTS(vm, &exc);
    for (size_t i = 0; i < AS(list, r[3])->len; i++) {
        if (!future_remove_any(vm, AS(list, r[3])->items[i], r[4])) return NSTEP_ERROR;
    }
    AS(callback_obj, r[4])->dead = true;
    if (!value_is_unbound(exc)) {
        vm->thread->exc = exc;
        return NSTEP_ERROR;
    }
    *out = wait_result(vm, r);
    return value_is_error(*out) ? NSTEP_ERROR : NSTEP_DONE;
}

/* ---- wait_for ---- */

/* The outcome of fut as the outcome of the call: its result, or its exception pending. */
static value outcome(vm *vm, value fut)
{
    return future_is(fut) ? future_get_result(vm, AS(future, fut)) : vm_call_method(vm, fut, N(vm, result), NULL, 0);
}

static bool cancel_and_wait(vm *vm, loop *l, value *r)
{
    future *waiter = future_new(vm, l);
    if (!waiter) return false;
    r[3] = value_obj(waiter);
    if (!future_add_any(vm, r[0], r[3])) return false;
    future_cancel(vm, r[0], V_UNBOUND);
    return !raised(vm);
}

/* A CancelledError that fut ended with becomes TimeoutError. */
static enum nstep outcome_or_timeout(vm *vm, value fut, value *out)
{
    *out = outcome(vm, fut);
    if (!value_is_error(*out)) return NSTEP_DONE;
    if (!exc_matches(vm, EXC_CancelledError)) return NSTEP_ERROR;
    value cancelled = exc_take(vm);
    ROOTS(vm, &cancelled);
    raise(vm, EXC_TimeoutError, NULL);
    if (IS_EXC(vm->thread->exc)) {
        exception *e = AS(exception, vm->thread->exc);
        e->cause = e->context = cancelled;
        e->h.flags |= EXC_SUPPRESS_CONTEXT;
        gc_barrier(vm, e);
    }
    return NSTEP_ERROR;
}

enum wait_for_state { WF_PLAIN = 1, WF_WAITING, WF_TIMED_OUT, WF_CANCELLED };

/* r: fut timeout | state, waiter, the exception to raise when the inner one has ended, - */
static enum nstep wait_for_begin(vm *vm, value *r, value *out)
{
    loop *l = loop_running_or_raise(vm);
    if (!l) return NSTEP_ERROR;
    if (value_is_none(r[1])) {
        r[2] = value_int(WF_PLAIN);
        *out = r[0];
        return NSTEP_AWAIT;
    }
    double timeout;
    if (!float_as_double(vm, r[1], &timeout)) return NSTEP_ERROR;
    value fut = ensure_future(vm, r[0], l);
    if (value_is_error(fut)) return NSTEP_ERROR;
    r[0] = fut;
    if (timeout <= 0) {
        bool done = future_any_done(vm, fut);
        if (raised(vm)) return NSTEP_ERROR;
        if (done) {
            *out = outcome(vm, fut);
            return value_is_error(*out) ? NSTEP_ERROR : NSTEP_DONE;
        }
        r[2] = value_int(WF_TIMED_OUT);
        if (!expired_add(vm, r[0]) || !cancel_and_wait(vm, l, r)) return NSTEP_ERROR;
        *out = r[3];
        return NSTEP_AWAIT;
    }
    future *waiter = future_new(vm, l);
    if (!waiter) return NSTEP_ERROR;
    r[3] = value_obj(waiter);
    if (!loop_finish_later(vm, l, timeout, waiter, V_NONE)) return NSTEP_ERROR;
    if (!future_add_any(vm, fut, r[3])) return NSTEP_ERROR;
    r[2] = value_int(WF_WAITING);
    *out = r[3];
    return NSTEP_AWAIT;
}

enum nstep wait_for_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    if (value_is_unbound(r[2])) return wait_for_begin(vm, r, out);
    int64_t state = value_as_int(r[2]);
    if (state == WF_PLAIN) {
        *out = sent;
        return value_is_unbound(sent) ? NSTEP_ERROR : NSTEP_DONE;
    }
    value exc = value_is_unbound(sent) ? exc_take(vm) : V_UNBOUND;
    ROOTS(vm, &exc);
    loop *l = (loop *)AS(future, r[3])->loop;
    bool done = future_any_done(vm, r[0]);
    if (raised(vm)) return NSTEP_ERROR;
    if (state == WF_WAITING) {
        if (!future_remove_any(vm, r[0], r[3])) return NSTEP_ERROR;
        bool cancelled = IS_EXC(exc) && value_isa_id(vm, exc, EXC_CancelledError);
        if (!value_is_unbound(exc) && (done || !cancelled)) {
            /* A cancellation that comes together with the result is not swallowed. */
            if (done && future_is(r[0])) future_retrieved(AS(future, r[0]));
            vm->thread->exc = exc;
            return NSTEP_ERROR;
        }
        if (done) {
            *out = outcome(vm, r[0]);
            return value_is_error(*out) ? NSTEP_ERROR : NSTEP_DONE;
        }
        r[2] = value_int(cancelled ? WF_CANCELLED : WF_TIMED_OUT);
        r[4] = exc;
        if (!cancelled && !expired_add(vm, r[0])) return NSTEP_ERROR;
        if (!cancel_and_wait(vm, l, r)) return NSTEP_ERROR;
        *out = r[3];
        return NSTEP_AWAIT;
    }
    /* The inner one was cancelled, and has ended unless we were cancelled meanwhile. */
    if (state == WF_TIMED_OUT) expired_remove(vm, r[0]);
    if (!done && !future_remove_any(vm, r[0], r[3])) return NSTEP_ERROR;
    if (!value_is_unbound(exc)) {
        vm->thread->exc = exc;
        return NSTEP_ERROR;
    }
    if (state == WF_CANCELLED) {
        vm->thread->exc = r[4];
        return NSTEP_ERROR;
    }
    return outcome_or_timeout(vm, r[0], out);
}

/* ---- shield ---- */

static void inner_done(vm *vm, callback_obj *cb, value inner)
{
    future *outer = AS(future, cb->a);
    ROOTS(vm, &cb, &outer, &inner);
    if (future_is(inner)) {
        future *f = AS(future, inner);
        if (future_state(outer) != FUT_PENDING) {
            future_retrieved(f);
        } else if (future_state(f) == FUT_CANCELLED) {
            future_cancelled(vm, outer, V_UNBOUND, V_UNBOUND);
        } else if (f->h.flags & FUT_EXCEPTION) {
            future_retrieved(f);
            future_fail(vm, outer, f->result);
        } else {
            future_finish(vm, outer, f->result);
        }
        return;
    }
    if (future_state(outer) != FUT_PENDING) return;
    value v = outcome(vm, inner);
    if (!value_is_error(v)) {
        future_finish(vm, outer, v);
        return;
    }
    value exc = exc_take(vm);
    if (value_isa_id(vm, exc, EXC_CancelledError)) future_cancelled(vm, outer, V_UNBOUND, V_UNBOUND);
    else future_fail(vm, outer, exc);
}

/* a = inner, b = its callback */
static void outer_done(vm *vm, callback_obj *cb, value outer)
{
    (void)outer;
    ROOTS(vm, &cb);
    if (!future_any_done(vm, cb->a) && !raised(vm)) future_remove_any(vm, cb->a, cb->b);
}

value shield_call(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    value inner = ensure_future(vm, a[0], NULL);
    if (value_is_error(inner)) return V_ERROR;
    ROOTS(vm, &inner);
    if (future_any_done(vm, inner) || raised(vm)) return raised(vm) ? V_ERROR : inner;
    loop *l = future_is(inner) ? (loop *)AS(future, inner)->loop : loop_get_event_loop(vm);
    future *outer = l ? future_new(vm, l) : NULL;
    value ov = outer ? value_obj(outer) : V_UNBOUND;
    callback_obj *in = outer ? callback_new(vm, inner_done, ov, V_UNBOUND, V_UNBOUND) : NULL;
    callback_obj *on = in ? callback_new(vm, outer_done, inner, value_obj(in), V_UNBOUND) : NULL;
    if (!on) return V_ERROR;
    ROOTS(vm, &ov, &on);
    if (!future_add_any(vm, inner, value_obj(in)) || !future_add_any(vm, ov, value_obj(on))) return V_ERROR;
    return ov;
}
