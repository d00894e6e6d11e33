/* gather(): one Future for many awaitables.
 *
 * The Future that gather returns (_GatheringFuture) keeps its children in `result` while it is pending. All children
 * share one callback: a = the outer future, n = how many are still to come.
 */
#include "runtime/loop.h"
#include "vm/list.h"

#define DOC_FILE runtime_gather
DOC_BEGIN;

enum { TENURE_MIN = 1024 }; /* children: they are old, perhaps, and are not to be traced for what they call */

static inline type *gather_type(vm *vm) { return runtime_of(vm)->types[RT_GATHER]; }

bool gather_cancel(vm *vm, future *outer, value msg)
{
    if (future_state(outer) != FUT_PENDING) return false;
    bool any = false;
    ROOTS(vm, &outer, &msg);
    value children = outer->result;
    ROOTS(vm, &children);
    for (size_t i = 0; IS_LIST(children) && i < AS(list, children)->len; i++) {
        if (future_cancel(vm, AS(list, children)->items[i], msg)) any = true;
        if (raised(vm)) return false;
    }
    if (any) outer->h.flags |= FUT_GATHER_CANCEL;
    return any;
}

/* What a finished child means: its exception, or unbound; *cancelled: it was cancelled. Runs no script for our own. */
static value child_exception(vm *vm, value fut, bool *cancelled)
{
    *cancelled = false;
    if (future_is(fut)) {
        future *f = AS(future, fut);
        if (future_state(f) == FUT_CANCELLED) {
            *cancelled = true;
            return V_UNBOUND;
        }
        value e = future_exception_value(vm, f);
        return value_is_none(e) ? V_UNBOUND : e;
    }
    ROOTS(vm, &fut);
    value c = vm_call_method(vm, fut, str_intern_utf8(vm, "cancelled", 9), NULL, 0);
    if (value_is_error(c)) return V_UNBOUND;
    if (obj_truth(vm, c) > 0) {
        *cancelled = true;
        return V_UNBOUND;
    }
    value e = vm_call_method(vm, fut, N(vm, exception), NULL, 0);
    return value_is_none(e) ? V_UNBOUND : e;
}

static value cancelled_error_of(vm *vm, value fut)
{
    return future_is(fut) ? future_make_cancelled(vm, AS(future, fut)) : exc_new(vm, EXC_CancelledError, V_UNBOUND);
}

static void fail_outer(vm *vm, future *outer, value exc)
{
    if (!value_is_error(exc)) future_fail(vm, outer, exc);
}

static void all_done(vm *vm, future *outer, value last)
{
    list *children = AS(list, outer->result);
    list *results = list_new(vm, children->len);
    if (!results) return;
    ROOTS(vm, &outer, &children, &results, &last);
    for (size_t i = 0; i < children->len; i++) {
        value fut = children->items[i], v;
        if (LIKELY(future_is(fut) && (AS(future, fut)->h.flags & (FUT_STATE | FUT_EXCEPTION)) == FUT_FINISHED)) {
            v = AS(future, fut)->result;
        } else {
            bool cancelled;
            v = child_exception(vm, fut, &cancelled);
            if (cancelled) {
                value msg = future_is(fut) ? AS(future, fut)->cancel_msg : V_UNBOUND;
                v = exc_new(vm, EXC_CancelledError,
                            value_is_unbound(msg) || value_is_none(msg) ? value_obj(vm->empty_str) : msg);
            } else if (value_is_unbound(v) && !raised(vm)) {
                v = vm_call_method(vm, fut, N(vm, result), NULL, 0);
            }
            if (value_is_error(v)) return;
        }
        if (!list_append(vm, results, v)) return;
    }
    if (outer->h.flags & FUT_GATHER_CANCEL) fail_outer(vm, outer, cancelled_error_of(vm, last));
    else future_finish(vm, outer, value_obj(results));
}

static void child_done(vm *vm, callback_obj *cb, value fut)
{
    future *outer = AS(future, cb->a);
    if (--cb->n == 0) cb->a = V_NONE; /* it may be old, and would keep the results */
    bool cancelled, return_exceptions = value_is(cb->b, V_TRUE);
    if (future_state(outer) != FUT_PENDING) {
        child_exception(vm, fut, &cancelled); /* looked at: no report */
        return;
    }
    ROOTS(vm, &cb, &outer, &fut);
    if (!return_exceptions) {
        value exc = child_exception(vm, fut, &cancelled);
        if (cancelled) {
            fail_outer(vm, outer, cancelled_error_of(vm, fut));
            return;
        }
        if (!value_is_unbound(exc)) {
            fail_outer(vm, outer, exc);
            return;
        }
    }
    if (cb->n == 0 && !raised(vm)) all_done(vm, outer, fut);
    /* No memory for the results: whoever awaits them hears of it. */
    if (raised(vm) && future_state(outer) == FUT_PENDING) fail_outer(vm, outer, exc_take(vm));
}

/* The Future for one argument; *fresh: it has not been among them yet. */
static value child_for(vm *vm, value arg, loop *l, value *args, size_t at, list *children, bool *fresh)
{
    *fresh = true;
    bool known;
    if (value_is_kind(arg, K_FRAME)) known = AS(frame, arg)->h.flags & FRAME_TASK_ROOT;
    else if (future_is(arg)) known = AS(future, arg)->h.flags & FUT_SEEN;
    else known = true;
    uint64_t hash;
    if (UNLIKELY(known && !future_is(arg) && !obj_hash(vm, arg, &hash))) return V_ERROR; /* they are keys in CPython */
    if (UNLIKELY(known)) {
        for (size_t i = 0; i < at; i++) {
            int same =
                future_is(arg) || value_is_kind(arg, K_FRAME) ? value_is(args[i], arg) : obj_equal(vm, args[i], arg);
            if (same < 0) return V_ERROR;
            if (!same) continue;
            *fresh = false;
            return children->items[i];
        }
    }
    value fut = ensure_future(vm, arg, l);
    if (value_is_error(fut)) return V_ERROR;
    if (!value_is(fut, arg)) fut_hide_pending_report(fut);
    if (future_is(fut)) AS(future, fut)->h.flags |= FUT_SEEN;
    return fut;
}

value gather_values(vm *vm, value *args, size_t n, bool return_exceptions)
{
    loop *l = NULL;
    if (n == 0) {
        l = loop_get_event_loop(vm);
        future *f = l ? future_new(vm, l) : NULL;
        list *none = f ? list_new(vm, 0) : NULL;
        if (!none) return V_ERROR;
        future_finish(vm, f, value_obj(none));
        return value_obj(f);
    }
    list *children = list_new(vm, n);
    if (!children) return V_ERROR;
    future *outer = gc_new(vm, K_FUTURE, gather_type(vm)->root_shape, sizeof *outer);
    callback_obj *cb =
        outer ? callback_new(vm, child_done, value_obj(outer), value_bool(return_exceptions), V_UNBOUND) : NULL;
    if (!cb) return V_ERROR;
    ROOTS(vm, &children, &outer, &cb, &l);
    outer->h.flags |= FUT_GATHER;
    if (n >= TENURE_MIN) gc_tenure(vm, &cb->h);
    value result = V_ERROR;
    size_t ndone = 0;
    for (size_t i = 0; i < n; i++) {
        bool fresh;
        value fut = child_for(vm, args[i], l, args, i, children, &fresh);
        if (value_is_error(fut)) goto out;
        if (!l) {
            if (future_is(fut)) {
                l = (loop *)AS(future, fut)->loop;
            } else {
                value lv = vm_call_method(vm, fut, str_intern_utf8(vm, "get_loop", 8), NULL, 0);
                if (value_is_error(lv)) goto out;
                if (!loop_is(vm, lv)) {
                    raise_type_error(vm, "an event loop was expected, got %R", lv);
                    goto out;
                }
                l = AS(loop, lv);
            }
            outer->loop = &l->h;
            gc_barrier(vm, outer);
        }
        if (!list_append(vm, children, fut)) goto out;
        if (!fresh) continue;
        cb->n++;
        if (future_is(fut) && future_state(AS(future, fut)) != FUT_PENDING && value_is_kind(args[i], K_FRAME)) {
            ndone++; /* a task that was started eagerly and is done already */
            continue;
        }
        if (!future_add_any(vm, fut, value_obj(cb))) goto out;
    }
    outer->result = value_obj(children);
    gc_barrier(vm, outer);
    for (size_t i = 0; ndone && i < n; i++) {
        value fut = children->items[i];
        if (!future_is(fut) || !value_is_kind(args[i], K_FRAME) || future_state(AS(future, fut)) == FUT_PENDING)
            continue;
        if (!(AS(future, fut)->h.flags & FUT_SEEN)) continue; /* the same again */
        AS(future, fut)->h.flags &= (uint16_t)~FUT_SEEN;
        child_done(vm, cb, fut);
        if (raised(vm)) goto out;
    }
    result = value_obj(outer);
out:
    if (value_is_error(result)) cb->dead = true; /* the children that have it go on alone */
    for (size_t i = 0; i < children->len; i++)
        if (future_is(children->items[i])) AS(future, children->items[i])->h.flags &= (uint16_t)~FUT_SEEN;
    return result;
}

static value m_cancel(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    bool did = gather_cancel(vm, AS(future, a[0]), a[1]);
    return raised(vm) ? V_ERROR : value_bool(did);
}

bool gather_type_open(vm *vm)
{
    static const native_def methods[] = {
        {"cancel(self, msg=None)", m_cancel, DOC("Cancel all children that are not done."), 0},
        {0},
    };
    static const type_spec spec = {"asyncio.tasks._GatheringFuture",
                                   "What gather() returns.",
                                   NULL,
                                   methods,
                                   NULL,
                                   TYPE_FUTURE,
                                   TF_IMMUTABLE | TF_PLAIN_NAME,
                                   NULL};
    return (runtime_of(vm)->types[RT_GATHER] = type_from_spec(vm, &spec)) != NULL;
}
