/* Future: a result that is not there yet, and who waits for it.
 *
 * Invariants
 *  1. Whoever waits is told through the ready queue when the state changes, in the order of registration, never from
 *     within set_result or cancel.
 *  2. The commonest waiter, one Task, sits in the inline slot `waiter`; everything registered later is in `callbacks`
 *     (has_context tells how). So the order is: waiter, then the list. The slot is used only while the list is empty.
 *  3. An exception that is stored remembers how long its traceback was (cancel_msg, a count): each retrieval continues
 *     from there, so tracebacks do not grow with the number of readers.
 */
#include "runtime/graph.h"
#include "vm/attr.h"
#include "vm/list.h"
#include "vm/native.h"
#include "vm/str.h"

#define DOC_FILE runtime_future
DOC_BEGIN;

future *future_new(vm *vm, loop *l)
{
    if (UNLIKELY(!l)) { /* of an object that was made without its __init__() */
        raise(vm, EXC_RuntimeError, "the object was not initialised: call its __init__()");
        return NULL;
    }
    future *f = gc_new_fast(vm, K_FUTURE, TYPE_FUTURE, sizeof *f);
    if (!f) return NULL;
    f->loop = &l->h;
    if (UNLIKELY(l->debug)) future_note_source(vm, f);
    return f;
}

/* ---- who waits ---- */

/* Tasks, callbacks in C and futures to be finished stand alone in the list; a callable is followed by its context. */
static inline bool has_context(vm *vm, value what)
{
    return !value_is_kind(what, K_TASK) && !value_is_kind(what, K_FUTURE) && !callback_is(vm, what);
}

/* ---- completion ---- */

static bool schedule_one(vm *vm, future *f, value what, value context)
{
    loop *l = (loop *)f->loop;
    if (value_is_kind(what, K_TASK)) {
        AS(task, what)->wake = V_UNBOUND; /* take it from waiting_on */
        return loop_push(vm, l, what, V_UNBOUND);
    }
    if (value_is_kind(what, K_FUTURE)) return loop_push(vm, l, what, V_NONE);
    bool own = !value_is_unbound(context) && !value_is_none(context);
    if (LIKELY(!own && value_is_obj(what))) return loop_push(vm, l, what, value_obj(f));
    if (!own) context = V_UNBOUND; /* None or a number as callback: its handle will say that it can't be called */
    value arg = value_obj(f);
    handle *h = handle_new(vm, l, what, &arg, 1, context, 0, false);
    return h && loop_push(vm, l, value_obj(h), V_UNBOUND);
}

static void schedule_waiters(vm *vm, future *f)
{
    object *w = f->waiter;
    value callbacks = f->callbacks;
    f->waiter = NULL;
    f->callbacks = V_UNBOUND;
    if (w) schedule_one(vm, f, value_obj(w), V_UNBOUND);
    if (!IS_LIST(callbacks)) return;
    list *l = AS(list, callbacks);
    for (size_t i = 0; i < l->len; i++) {
        value what = l->items[i], context = V_UNBOUND;
        if (has_context(vm, what)) context = l->items[++i];
        schedule_one(vm, f, what, context);
    }
}

static inline void set_state(vm *vm, future *f, unsigned state)
{
    if (UNLIKELY(f->h.flags & FUT_HOST)) runtime_of(vm)->host_future(vm, f);
    if (UNLIKELY(f->h.flags & FUT_TIMER)) {
        timers_note_dead(vm, (loop *)f->loop);
        f->h.flags &= (uint16_t)~FUT_TIMER;
    }
    f->h.flags = (uint16_t)((f->h.flags & ~FUT_STATE) | state);
}

void future_finish(vm *vm, future *f, value v)
{
    set_state(vm, f, FUT_FINISHED);
    f->result = v;
    if (value_is_obj(v)) gc_barrier_to(vm, f, value_as_obj(v));
    schedule_waiters(vm, f);
}

static size_t traceback_length(value exc)
{
    const exception *e = AS(exception, exc);
    size_t n = e->ntb;
    for (value tb = e->traceback; value_is_kind(tb, K_TRACEBACK); tb = AS(traceback, tb)->next) n++;
    return n;
}

/* Takes away what was added to the traceback (at its outer end) since it had n entries. */
static void traceback_cut(vm *vm, value exc, size_t n)
{
    exception *e = AS(exception, exc);
    size_t have = traceback_length(exc);
    while (have > n && e->ntb) {
        e->ntb--;
        have--;
    }
    for (; have > n; have--) e->traceback = AS(traceback, e->traceback)->next;
    gc_barrier(vm, e);
}

void future_fail(vm *vm, future *f, value exc)
{
    set_state(vm, f, FUT_FINISHED);
    f->h.flags |= FUT_EXCEPTION | FUT_LOG_TB;
    f->result = exc;
    f->cancel_msg = value_int((int64_t)traceback_length(exc));
    gc_barrier(vm, f);
    gc_register_finalizer(vm, &f->h);
    ((loop *)f->loop)->unretrieved++;
    ((loop *)f->loop)->failed_lately = true;
    const session_hooks *session = runtime_of(vm)->session;
    if (UNLIKELY(session != NULL)) session->failed(vm, session->ud, f);
    schedule_waiters(vm, f);
}

void future_cancelled(vm *vm, future *f, value msg, value exc)
{
    set_state(vm, f, FUT_CANCELLED);
    f->cancel_msg = msg;
    f->result = exc;
    gc_barrier(vm, f);
    schedule_waiters(vm, f);
}

bool future_set_result(vm *vm, future *f, value v)
{
    if (UNLIKELY(future_state(f) != FUT_PENDING)) {
        raise(vm, EXC_InvalidStateError, "invalid state");
        return false;
    }
    future_finish(vm, f, v);
    return true;
}

bool future_set_exception(vm *vm, future *f, value exc)
{
    if (future_state(f) != FUT_PENDING) {
        raise(vm, EXC_InvalidStateError, "invalid state");
        return false;
    }
    if (exc_is_cls(vm, exc)) {
        exc = vm_call0(vm, exc);
        if (value_is_error(exc)) return false;
    }
    if (!IS_EXC(exc)) {
        raise_type_error(vm, "invalid exception object");
        return false;
    }
    if (value_is_exact(exc, EXC_StopIteration)) { /* it would end the generator that awaits */
        raise_type_error(vm, "StopIteration interacts badly with generators and cannot be raised into a Future");
        return false;
    }
    future_fail(vm, f, exc);
    return true;
}

/* ---- looking at the outcome ---- */

value future_make_cancelled(vm *vm, future *f)
{
    if (IS_EXC(f->result)) {
        value e = f->result;
        f->result = V_UNBOUND;
        return e;
    }
    return exc_new(vm, EXC_CancelledError,
                   value_is_unbound(f->cancel_msg) || value_is_none(f->cancel_msg) ? V_UNBOUND : f->cancel_msg);
}

void future_retrieved(future *f)
{
    if (!(f->h.flags & FUT_LOG_TB)) return;
    f->h.flags &= (uint16_t)~FUT_LOG_TB;
    /* nothing left to report */
    if (f->h.shape == TYPE_FUTURE || f->h.shape == TYPE_TASK) f->h.gc &= (uint8_t)~GC_FINALIZE;
    loop *l = (loop *)f->loop;
    if (l && l->unretrieved) l->unretrieved--;
}

value future_get_result(vm *vm, future *f)
{
    switch (future_state(f)) {
    case FUT_PENDING: return raise(vm, EXC_InvalidStateError, "Result is not set.");
    case FUT_CANCELLED: {
        value e = future_make_cancelled(vm, f);
        return value_is_error(e) ? V_ERROR : raise_exception(vm, e);
    }
    default:
        if (LIKELY(!(f->h.flags & FUT_EXCEPTION))) return f->result;
        future_retrieved(f);
        if (value_is_int(f->cancel_msg)) traceback_cut(vm, f->result, (size_t)value_as_int(f->cancel_msg));
        return raise_exception(vm, f->result);
    }
}

value future_exception_value(vm *vm, future *f)
{
    (void)vm;
    if (future_state(f) != FUT_FINISHED) return V_UNBOUND;
    if (!(f->h.flags & FUT_EXCEPTION)) return V_NONE;
    future_retrieved(f);
    return f->result;
}

/* ---- waiters ---- */

static bool callbacks_append(vm *vm, future *f, value what, value context)
{
    list *l;
    if (IS_LIST(f->callbacks)) {
        l = AS(list, f->callbacks);
    } else {
        l = list_new(vm, 2);
        if (!l) return false;
        f->callbacks = value_obj(l);
        gc_barrier(vm, f);
    }
    return list_push(vm, l, what) &&
           (!has_context(vm, what) || list_push(vm, l, value_is_unbound(context) ? V_NONE : context));
}

bool future_add_waiter(vm *vm, future *f, task *t)
{
    if (LIKELY(!f->waiter && value_is_unbound(f->callbacks))) {
        f->waiter = &t->f.h;
        gc_barrier(vm, f);
        return true;
    }
    return callbacks_append(vm, f, value_obj(t), V_NONE);
}

static bool add_any(vm *vm, future *f, value what, value context)
{
    if (future_state(f) != FUT_PENDING) return schedule_one(vm, f, what, context);
    if (!f->waiter && value_is_unbound(f->callbacks) && (callback_is(vm, what) || value_is_kind(what, K_FUTURE))) {
        f->waiter = value_as_obj(what);
        gc_barrier_to(vm, f, f->waiter);
        return true;
    }
    return callbacks_append(vm, f, what, context);
}

static void release_waiter(vm *vm, callback_obj *cb, value fut)
{
    (void)fut;
    if (future_state(AS(future, cb->a)) == FUT_PENDING) future_finish(vm, AS(future, cb->a), V_NONE);
}

/* any callable, or a Future to be finished with None */
static bool future_add_callback(vm *vm, future *f, value cb, value context) { return add_any(vm, f, cb, context); }

bool future_add_native(vm *vm, value fut, callback_obj *cb)
{
    return add_any(vm, AS(future, fut), value_obj(cb), V_NONE);
}

bool future_add_any(vm *vm, value fut, value cb)
{
    if (future_is(fut)) return add_any(vm, AS(future, fut), cb, V_NONE);
    ROOTS(vm, &fut, &cb);
    if (value_is_kind(cb, K_FUTURE)) { /* others need something to call */
        callback_obj *c = callback_new(vm, release_waiter, cb, V_UNBOUND, V_UNBOUND);
        if (!c) return false;
        cb = value_obj(c);
    }
    return !value_is_error(vm_call_method(vm, fut, N(vm, add_done_callback), &cb, 1));
}

bool future_remove_any(vm *vm, value fut, value cb)
{
    if (future_is(fut)) return future_remove_callback(vm, AS(future, fut), cb) >= 0;
    return !value_is_error(vm_call_method(vm, fut, str_intern_utf8(vm, "remove_done_callback", 20), &cb, 1));
}

bool future_any_done(vm *vm, value fut)
{
    if (future_is(fut)) return future_state(AS(future, fut)) != FUT_PENDING;
    value v = vm_call_method(vm, fut, N(vm, done), NULL, 0);
    return !value_is_error(v) && obj_truth(vm, v) > 0;
}

int64_t future_remove_callback(vm *vm, future *f, value cb)
{
    int64_t n = 0;
    ROOTS(vm, &f, &cb);
    if (f->waiter && value_is(value_obj(f->waiter), cb)) {
        f->waiter = NULL;
        n++;
    }
    for (size_t i = 0; IS_LIST(f->callbacks) && i < AS(list, f->callbacks)->len;) {
        value what = AS(list, f->callbacks)->items[i];
        size_t width = has_context(vm, what) ? 2 : 1;
        int eq = value_is(what, cb) ? 1 : width == 1 ? 0 : obj_equal(vm, what, cb);
        if (eq < 0) return -1;
        if (!IS_LIST(f->callbacks)) break; /* __eq__ may have finished the future */
        list *l = AS(list, f->callbacks);
        if (!eq || i + width > l->len || !value_is(l->items[i], what)) {
            i += width;
            continue;
        }
        memmove(l->items + i, l->items + i + width, (l->len - i - width) * sizeof(value));
        l->len -= width;
        list_moved(vm, l);
        n++;
    }
    return n;
}

bool future_like(vm *vm, value v)
{
    if (future_is(v)) return true;
    if (!value_is_obj(v) || IS_TYPE(v)) return false;
    value b = type_lookup(vm, type_of(vm, v), N(vm, _asyncio_future_blocking));
    if (value_is_unbound(b)) {
        b = obj_getattr_opt(vm, v, N(vm, _asyncio_future_blocking));
        if (raised(vm)) exc_clear(vm);
    }
    return !value_is_unbound(b) && !value_is_none(b);
}

bool future_cancel(vm *vm, value fut, value msg)
{
    if (value_is_kind(fut, K_TASK) &&
        type_lookup(vm, type_of(vm, fut), N(vm, cancel)).bits == type_lookup(vm, T(vm, TASK), N(vm, cancel)).bits)
        return task_cancel(vm, AS(task, fut), msg);
    if (value_is_kind(fut, K_FUTURE) && (AS(future, fut)->h.flags & FUT_GATHER))
        return gather_cancel(vm, AS(future, fut), msg);
    if (value_is_exact(fut, TYPE_FUTURE)) {
        future *f = AS(future, fut);
        if (future_state(f) != FUT_PENDING) {
            future_retrieved(f);
            return false;
        }
        future_cancelled(vm, f, msg, V_UNBOUND);
        return true;
    }
    value r;
    ROOTS(vm, &fut);
    if (value_is_unbound(msg) || value_is_none(msg)) {
        r = vm_call_method(vm, fut, N(vm, cancel), NULL, 0);
    } else {
        value m = obj_getattr(vm, fut, N(vm, cancel));
        if (value_is_error(m)) return false;
        tuple *names = tuple_pack(vm, 1, value_obj(N(vm, msg)));
        if (!names) return false;
        r = vm_call_kw(vm, m, &msg, 0, value_obj(names));
    }
    return !value_is_error(r) && obj_truth(vm, r) > 0;
}

/* ---- the type ---- */

value future_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    (void)args, (void)n, (void)kw;
    size_t size = sizeof(future);
    if (t->inst_kind == K_TASK) size = sizeof(task);
    future *f = gc_new(vm, t->inst_kind, t->root_shape, size);
    return f ? value_obj(f) : V_ERROR;
}

static bool future_slot_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value out[1];
    if (!args_bind(vm, "Future(*, loop=None)", args, n, kw, out)) return false;
    future *f = AS(future, self);
    loop *l;
    if (value_is_unbound(out[0]) || value_is_none(out[0])) {
        l = loop_get_event_loop(vm);
        if (!l) return false;
    } else {
        if (!loop_is(vm, out[0])) {
            raise_type_error(vm, "loop must be an event loop, not %T", out[0]);
            return false;
        }
        l = AS(loop, out[0]);
    }
    f->loop = &l->h;
    gc_barrier(vm, f);
    if (UNLIKELY(l->debug)) future_note_source(vm, f);
    return true;
}

static bool initialised(vm *vm, future *f)
{
    if (LIKELY(f->loop != NULL)) return true;
    raise(vm, EXC_RuntimeError, "Future object is not initialized.");
    return false;
}

static value m_result(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return future_get_result(vm, AS(future, a[0]));
}
static value m_exception(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    future *f = AS(future, a[0]);
    if (future_state(f) == FUT_PENDING) return raise(vm, EXC_InvalidStateError, "Exception is not set.");
    if (future_state(f) == FUT_CANCELLED) return future_get_result(vm, f);
    return future_exception_value(vm, f);
}
static value m_set_result(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    future *f = AS(future, a[0]);
    if (value_is_kind(a[0], K_TASK)) return raise(vm, EXC_RuntimeError, "Task does not support set_result operation");
    return initialised(vm, f) && future_set_result(vm, f, a[1]) ? V_NONE : V_ERROR;
}
static value m_set_exception(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    future *f = AS(future, a[0]);
    if (value_is_kind(a[0], K_TASK))
        return raise(vm, EXC_RuntimeError, "Task does not support set_exception operation");
    return initialised(vm, f) && future_set_exception(vm, f, a[1]) ? V_NONE : V_ERROR;
}
static value m_done(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_bool(future_state(AS(future, a[0])) != FUT_PENDING);
}
static value m_cancelled(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_bool(future_state(AS(future, a[0])) == FUT_CANCELLED);
}
static value m_cancel(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    future *f = AS(future, a[0]);
    if (!initialised(vm, f)) return V_ERROR;
    future_retrieved(f);
    if (future_state(f) != FUT_PENDING) return V_FALSE;
    future_cancelled(vm, f, a[1], V_UNBOUND);
    return raised(vm) ? V_ERROR : V_TRUE;
}
/* What is wrong with a callback that can't be called comes up when it is called. */
static void call_anyway(vm *vm, callback_obj *cb, value fut)
{
    value v = cb->a;
    ROOTS(vm, &v, &fut);
    if (!value_is_error(vm_call1(vm, v, fut))) return;
    value exc = exc_take(vm);
    ROOTS(vm, &exc);
    str *msg = str_format(vm, "Exception in callback %R", v);
    if (msg && future_is(fut)) loop_report(vm, (loop *)AS(future, fut)->loop, value_obj(msg), "exception", exc, NULL);
}
static value m_add_done_callback(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    future *f = AS(future, a[0]);
    if (!initialised(vm, f)) return V_ERROR;
    if (!has_context(vm, a[1]) && !callback_is(vm, a[1])) { /* a Task or Future as callback: it can't be called */
        callback_obj *cb = callback_new(vm, call_anyway, a[1], V_UNBOUND, V_UNBOUND);
        return cb && future_add_any(vm, a[0], value_obj(cb)) ? V_NONE : V_ERROR;
    }
    bool own = !value_is_unbound(a[2]) && !value_is_none(a[2]);
    if (own && !context_check(vm, a[2])) return V_ERROR;
    value context = own ? a[2] : context_copy_current(vm);
    return future_add_callback(vm, f, a[1], context) && !raised(vm) ? V_NONE : V_ERROR;
}
static value m_remove_done_callback(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!initialised(vm, AS(future, a[0]))) return V_ERROR;
    int64_t k = future_remove_callback(vm, AS(future, a[0]), a[1]);
    return k < 0 ? V_ERROR : value_int(k);
}
static value m_get_loop(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    future *f = AS(future, a[0]);
    return initialised(vm, f) ? value_obj(f->loop) : V_ERROR;
}

/* Future.__await__() by hand: yields itself while pending, then returns its result. State: i. */
static value await_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    future *f = AS(future, it->a);
    if (future_state(f) == FUT_PENDING) {
        if (it->i) return raise(vm, EXC_RuntimeError, "await wasn't used with future");
        it->i = 1;
        f->h.flags |= FUT_BLOCKING;
        return it->a;
    }
    value v = future_get_result(vm, f);
    return value_is_error(v) ? V_ERROR : raise_stop_iteration(vm, v);
}
static value await_send(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return await_next(vm, a[0]);
}
static value await_throw(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    gen_throw_arguments(vm, a[1], a[2], a[3]);
    return V_ERROR;
}
static value await_close(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    AS(iter, a[0])->i = 1;
    return V_NONE;
}
static value iter_self(vm *vm, value self)
{
    (void)vm;
    return self;
}
static value future_await(vm *vm, value self)
{
    if (!initialised(vm, AS(future, self))) return V_ERROR;
    iter *it = gc_new(vm, K_ITER, TYPE_FUTURE_ITER, sizeof *it);
    if (!it) return V_ERROR;
    it->a = self;
    return value_obj(it);
}

/* ---- repr and private attributes ---- */

static str *callback_repr(vm *vm, value cb)
{
    if (value_is_kind(cb, K_TASK)) return str_from_cstr(vm, "Task.task_wakeup()");
    if (callback_is(vm, cb)) return str_from_cstr(vm, "<callback>()");
    if (value_is_kind(cb, K_FUTURE)) return str_from_cstr(vm, "_release_waiter()");
    return callback_text(vm, cb, V_UNBOUND);
}

static str *callbacks_repr(vm *vm, future *f)
{
    size_t total = 0;
    value first = V_UNBOUND, second = V_UNBOUND, last = V_UNBOUND;
    if (f->waiter) {
        first = last = value_obj(f->waiter);
        total = 1;
    }
    for (size_t i = 0; IS_LIST(f->callbacks) && i < AS(list, f->callbacks)->len; i++) {
        last = AS(list, f->callbacks)->items[i];
        if (has_context(vm, last)) i++;
        if (++total == 1) first = last;
        else if (total == 2) second = last;
    }
    if (total == 0) return vm->empty_str;
    ROOTS(vm, &second, &last);
    str *a = callback_repr(vm, first);
    if (!a) return NULL;
    if (total == 1) return str_format(vm, "cb=[%U]", value_obj(a));
    ROOTS(vm, &a);
    str *b = callback_repr(vm, total == 2 ? second : last);
    if (!b) return NULL;
    if (total == 2) return str_format(vm, "cb=[%U, %U]", value_obj(a), value_obj(b));
    return str_format(vm, "cb=[%U, <%zu more>, %U]", value_obj(a), total - 2, value_obj(b));
}

str *future_repr_info(vm *vm, future *f, str *middle)
{
    static const char *const states[] = {"pending", "finished", "cancelled"};
    bool cancelling = f->h.kind == K_TASK && future_state(f) == FUT_PENDING && ((task *)f)->ncancel;
    str *state = str_from_cstr(vm, cancelling ? "cancelling" : states[future_state(f)]), *outcome = vm->empty_str;
    if (!state) return NULL;
    ROOTS(vm, &state, &outcome, &middle);
    if (future_state(f) == FUT_FINISHED) {
        if (f->h.flags & FUT_EXCEPTION) {
            outcome = str_format(vm, " exception=%R", f->result);
        } else {
            str *r = obj_repr(vm, f->result);
            if (r && r->len > 80) { /* reprlib's shortening */
                str *head = str_substr(vm, r, 0, 28), *tail = str_substr(vm, r, r->len - 29, r->len);
                r = head && tail && IS_STR(f->result) ? str_format(vm, "%U...%U", value_obj(head), value_obj(tail)) : r;
            }
            outcome = r ? str_format(vm, " result=%U", value_obj(r)) : NULL;
        }
        if (!outcome) return NULL;
    }
    str *cbs = callbacks_repr(vm, f);
    if (!cbs) return NULL;
    code *c;
    uint32_t line;
    str *made = vm->empty_str;
    if (source_last(vm, future_source(vm, f), &c, &line))
        made = str_format(vm, " created at %U:%d", value_obj(c->filename), (int)line);
    if (!made) return NULL;
    return str_format(vm, "%U%U%U%s%U%U", value_obj(state), value_obj(middle), value_obj(outcome), cbs->len ? " " : "",
                      value_obj(cbs), value_obj(made));
}

static value future_repr(vm *vm, value self)
{
    int r = repr_enter(vm, self);
    if (r < 0) return V_ERROR;
    if (r == 0) return value_obj(str_format(vm, "<%U ...>", type_of(vm, self)->name));
    str *info = future_repr_info(vm, AS(future, self), vm->empty_str);
    str *s = info ? str_format(vm, "<%U %U>", type_of(vm, self)->name, value_obj(info)) : NULL;
    repr_leave(vm, self);
    return s ? value_obj(s) : V_ERROR;
}

static value get_state(vm *vm, value self)
{
    static const char *const states[] = {"PENDING", "FINISHED", "CANCELLED"};
    str *s = str_from_cstr(vm, states[future_state(AS(future, self))]);
    return s ? value_obj(s) : V_ERROR;
}
static value get_blocking(vm *vm, value self)
{
    (void)vm;
    return value_bool(AS(future, self)->h.flags & FUT_BLOCKING);
}
static bool put_blocking(vm *vm, value self, value v)
{
    int t = value_is_unbound(v) ? 0 : obj_truth(vm, v);
    if (t < 0) return false;
    future *f = AS(future, self);
    f->h.flags = (uint16_t)((f->h.flags & ~FUT_BLOCKING) | (t ? FUT_BLOCKING : 0));
    return true;
}
static value get_loop(vm *vm, value self)
{
    (void)vm;
    future *f = AS(future, self);
    return f->loop ? value_obj(f->loop) : V_NONE;
}
static value get_log(vm *vm, value self)
{
    (void)vm;
    return value_bool(AS(future, self)->h.flags & FUT_LOG_TB);
}
static bool put_log(vm *vm, value self, value v)
{
    int t = value_is_unbound(v) ? 0 : obj_truth(vm, v);
    if (t < 0) return false;
    if (t) {
        raise_value_error(vm, "_log_traceback can only be set to False");
        return false;
    }
    future_retrieved(AS(future, self));
    return true;
}
/* A list in the order of registration; CPython 3.14 has a set. */
static value get_awaited_by(vm *vm, value self)
{
    list *l = list_new(vm, 0);
    if (!l || !graph_awaiters(vm, self, l)) return V_ERROR;
    return l->len ? value_obj(l) : V_NONE;
}
static value get_callbacks(vm *vm, value self)
{
    future *f = AS(future, self);
    list *out = list_new(vm, 0);
    if (!out) return V_ERROR;
    if (f->waiter && !list_append(vm, out, value_obj(f->waiter))) return V_ERROR;
    for (size_t i = 0; IS_LIST(f->callbacks) && i < AS(list, f->callbacks)->len; i++) {
        value what = AS(list, f->callbacks)->items[i];
        if (!list_append(vm, out, what)) return V_ERROR;
        if (has_context(vm, what)) i++;
    }
    return out->len ? value_obj(out) : V_NONE;
}
static value get_raw_result(vm *vm, value self)
{
    (void)vm;
    future *f = AS(future, self);
    return future_state(f) == FUT_FINISHED && !(f->h.flags & FUT_EXCEPTION) ? f->result : V_NONE;
}
static value get_raw_exception(vm *vm, value self)
{
    (void)vm;
    future *f = AS(future, self);
    return f->h.flags & FUT_EXCEPTION ? f->result : V_NONE;
}
static value get_cancel_message(vm *vm, value self)
{
    (void)vm;
    future *f = AS(future, self);
    return (f->h.flags & FUT_EXCEPTION) || value_is_unbound(f->cancel_msg) ? V_NONE : f->cancel_msg;
}

static const native_def future_methods[] = {
    {"result(self, /)", m_result,
     DOC("The result; raises the exception that was set, CancelledError, or InvalidStateError."), 0},
    {"exception(self, /)", m_exception, DOC("The exception that was set, or None."), 0},
    {"set_result(self, result, /)", m_set_result, DOC("Mark the future done and set its result."), 0},
    {"set_exception(self, exception, /)", m_set_exception, DOC("Mark the future done and set an exception."), 0},
    {"done(self, /)", m_done, DOC("Has it a result or an exception, or was it cancelled?"), 0},
    {"cancelled(self, /)", m_cancelled, DOC("Was it cancelled?"), 0},
    {"cancel(self, /, msg=None)", m_cancel, DOC("Cancel the future and schedule its callbacks; False if it was done."),
     0},
    {"add_done_callback(self, fn, /, *, context=None)", m_add_done_callback,
     DOC("Call fn(future) through the loop when it is done."), 0},
    {"remove_done_callback(self, fn, /)", m_remove_done_callback,
     DOC("Remove all registrations of fn; returns how many."), 0},
    {"get_loop(self, /)", m_get_loop, DOC("The event loop the future belongs to."), 0},
    {0},
};
static bool put_cancel_message(vm *vm, value self, value v)
{
    future *f = AS(future, self);
    f->cancel_msg = value_is_none(v) ? V_UNBOUND : v;
    gc_barrier(vm, f);
    return true;
}
static value get_source(vm *vm, value self) { return source_list(vm, future_source(vm, AS(future, self))); }
static const getset_def future_getsets[] = {
    {"_state", get_state, NULL, NULL},
    {"_asyncio_future_blocking", get_blocking, put_blocking, NULL},
    {"_loop", get_loop, NULL, NULL},
    {"_log_traceback", get_log, put_log, NULL},
    {"_source_traceback", get_source, NULL, NULL},
    {"_callbacks", get_callbacks, NULL, NULL},
    {"_asyncio_awaited_by", get_awaited_by, NULL, NULL},
    {"_result", get_raw_result, NULL, NULL},
    {"_exception", get_raw_exception, NULL, NULL},
    {"_cancel_message", get_cancel_message, put_cancel_message, NULL},
    {0},
};
static const native_def await_methods[] = {
    {"send(self, value, /)", await_send, NULL, 0},
    {"throw(self, typ, val=None, tb=None, /)", await_throw, NULL, 0},
    {"close(self, /)", await_close, NULL, 0},
    {0},
};

void future_traverse(vm *vm, object *o)
{
    future *f = (future *)o;
    gc_mark_slots(vm, o, f->slots);
    gc_mark_value(vm, f->result);
    gc_mark_shared(vm, f->loop);
    gc_mark_obj(vm, f->waiter);
    gc_mark_value(vm, f->callbacks);
    gc_mark_value(vm, f->cancel_msg);
}
static void future_free(vm *vm, object *o)
{
    if (UNLIKELY(o->flags & FUT_SOURCE)) future_drop_source(vm, (future *)o);
    object_slots_free(vm, o, ((future *)o)->slots);
}

/* Unreachable with an exception that nobody looked at. */
void future_finalize(vm *vm, value v)
{
    future *f = AS(future, v);
    if (!(f->h.flags & FUT_LOG_TB)) return;
    future_retrieved(f);
    runtime *rt = runtime_of(vm);
    if (rt->report[REPORT_FAILED] == REPORT_OFF) return;
    if (rt->report[REPORT_FAILED] == REPORT_ERROR) rt->reported_error = true;
    str *msg = str_format(vm, "%U exception was never retrieved", type_of(vm, v)->name);
    uint32_t source = future_source(vm, f);
    ROOTS(vm, &f, &msg);
    value made = source ? source_list(vm, source) : V_NONE;
    if (!msg || value_is_error(made)) return;
    if (source)
        loop_report(vm, (loop *)f->loop, value_obj(msg), "exception", f->result, "future", v, "source_traceback", made,
                    NULL);
    else loop_report(vm, (loop *)f->loop, value_obj(msg), "exception", f->result, "future", v, NULL);
}
static const gc_kind_ops future_kind_ops = {
    .traverse = future_traverse, .free = future_free, .finalize = future_finalize, .tells_parts = true};

bool future_types_open(vm *vm)
{
    gc_register_kind(vm, K_FUTURE, &future_kind_ops);
    type *t = T(vm, FUTURE);
    t->s.new_ = future_slot_new;
    t->s.init = future_slot_init;
    t->s.repr = future_repr;
    t->s.iter = future_await;
    t->s.await = future_await;
    t->methods = future_methods;
    t->getsets = future_getsets;
    type_ready(vm, t);
    t = T(vm, FUTURE_ITER);
    t->s.iter = iter_self;
    t->s.next = await_next;
    t->methods = await_methods;
    type_ready(vm, t);
    return true;
}
