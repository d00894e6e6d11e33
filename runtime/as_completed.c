/* as_completed(): an iterator of coroutines, each of which waits for the next one to be done; or, by `async for`, of
 * the original futures. */
#include "runtime/asyncio.h"
#include "runtime/waiters.h"
#include "vm/attr.h"
#include "vm/list.h"
#include "vm/native.h"
#include "vm/set.h"

typedef struct completed {
    object h;
    value *slots;
    loop *loop;
    value todo;         /* list of the distinct futures */
    waiters done;       /* those that are done and not given out; None: the time is up */
    waiters getters;    /* who waits for the next */
    size_t left, ntodo; /* to be given out; not done yet */
    value callback;     /* on each future */
    value timer;        /* callback_obj or unbound */
    bool begun, expired;
} completed;

static bool put_done(vm *vm, completed *c, value v)
{
    if (!waiters_push(vm, c, &c->done, v)) return false;
    waiters_pop_and_wake(vm, &c->getters);
    return true;
}

static void one_done(vm *vm, callback_obj *cb, value fut)
{
    completed *c = AS(completed, cb->a);
    if (c->expired) return;
    c->ntodo--;
    if (!put_done(vm, c, fut)) return;
    if (!c->ntodo && !value_is_unbound(c->timer)) timers_cancel_call(vm, c->loop, AS(callback_obj, c->timer));
}

static void time_is_up(vm *vm, callback_obj *cb, value fut)
{
    (void)fut;
    completed *c = AS(completed, cb->a);
    c->expired = true;
    list *todo = AS(list, c->todo);
    ROOTS(vm, &c, &todo);
    for (size_t i = 0; i < todo->len; i++) {
        value f = todo->items[i];
        if (future_any_done(vm, f)) continue; /* its callback is on the way: it counts as late, as in CPython */
        if (raised(vm) || !future_remove_any(vm, f, c->callback)) return;
    }
    for (; c->ntodo; c->ntodo--)
        if (!put_done(vm, c, V_NONE)) return;
}

value as_completed_waiter(vm *vm, value v)
{
    type *t = runtime_of(vm)->types[RT_AS_COMPLETED];
    if (!t || !value_isa(vm, v, t) || !AS(completed, v)->getters.len) return V_UNBOUND;
    return waiters_at(&AS(completed, v)->getters, 0);
}

value as_completed_call(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!as_completed_type_open(vm)) return V_ERROR;
    value fs = a[0], timeout = absent(a[1]) ? V_NONE : a[1];
    ROOTS(vm, &fs, &timeout);
    completed *c = userdata_new(vm, runtime_of(vm)->types[RT_AS_COMPLETED]);
    if (!c) return V_ERROR;
    c->todo = fs;
    c->timer = timeout;
    return value_obj(c);
}

/* Nothing begins before somebody asks for the first: until then todo is what was given, timer the timeout. */
static bool begin(vm *vm, completed *c)
{
    value fs = c->todo, timeout = c->timer;
    if (future_like(vm, fs) || is_coroutine(vm, fs)) {
        raise_type_error(vm, "expect an iterable of futures, not %U", type_of(vm, fs)->name);
        return false;
    }
    ROOTS(vm, &c, &timeout);
    list *all = obj_to_list(vm, fs);
    if (!all) return false;
    ROOTS(vm, &all);
    loop *l = loop_get_event_loop(vm);
    set *seen = l ? set_new(vm, TYPE_SET) : NULL;
    list *todo = seen ? list_new(vm, all->len) : NULL;
    if (!todo) return false;
    ROOTS(vm, &seen, &todo, &l);
    callback_obj *cb = callback_new(vm, one_done, value_obj(c), V_UNBOUND, V_UNBOUND);
    if (!cb) return false;
    c->callback = value_obj(cb);
    for (size_t i = 0; i < all->len; i++) {
        int known = set_contains(vm, seen, all->items[i]);
        if (known < 0) return false;
        if (known) continue;
        if (!set_add(vm, seen, all->items[i])) return false;
        value f = ensure_future(vm, all->items[i], l);
        if (value_is_error(f) || !list_append(vm, todo, f)) return false;
    }
    c->begun = true;
    c->loop = l;
    c->todo = value_obj(todo);
    c->timer = V_UNBOUND;
    c->left = c->ntodo = todo->len;
    gc_barrier(vm, c);
    for (size_t i = 0; i < todo->len; i++)
        if (!future_add_any(vm, todo->items[i], c->callback)) return false;
    if (!todo->len || value_is_none(timeout)) return true;
    double delay;
    if (!float_as_double(vm, timeout, &delay)) return false;
    double now = loop_time(vm, l);
    if (raised(vm)) return false;
    callback_obj *t = timers_call_at(vm, l, now + delay, time_is_up, value_obj(c));
    if (!t) return false;
    c->timer = value_obj(t);
    gc_barrier(vm, c);
    return true;
}

/* _wait_for_one(self, resolve): r[2] the getter. */
static enum nstep next_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    completed *c = AS(completed, r[0]);
    /* cancelled: the next getter takes what came meanwhile */
    if (!value_is_unbound(r[2]) && value_is_unbound(sent)) {
        future *getter = AS(future, r[2]);
        bool woken = future_state(getter) == FUT_FINISHED;
        waiters_remove(&c->getters, r[2]);
        if (woken && c->done.len) waiters_pop_and_wake(vm, &c->getters);
        return NSTEP_ERROR;
    }
    if (!c->done.len) {
        loop *l = loop_running_or_raise(vm);
        future *getter = l ? waiters_wait(vm, c, &c->getters, l) : NULL;
        if (!getter) return NSTEP_ERROR;
        *out = r[2] = value_obj(getter);
        return NSTEP_AWAIT;
    }
    value fut = waiters_pop(&c->done);
    if (value_is_none(fut)) {
        raise(vm, EXC_TimeoutError, NULL);
        return NSTEP_ERROR;
    }
    if (!value_is(r[1], V_TRUE)) *out = fut;
    else
        *out =
            future_is(fut) ? future_get_result(vm, AS(future, fut)) : vm_call_method(vm, fut, N(vm, result), NULL, 0);
    return value_is_error(*out) ? NSTEP_ERROR : NSTEP_DONE;
}

static value next_coroutine(vm *vm, value self, bool resolve)
{
    value n = type_lookup(vm, type_of(vm, self), str_intern_utf8(vm, "_wait_for_one", 13));
    if (!value_is_kind(n, K_NATIVE)) return raise(vm, EXC_SystemError, "no _wait_for_one");
    value args[2] = {self, value_bool(resolve)};
    frame *f = async_native_frame(vm, AS(native, n), args, 2, V_UNBOUND);
    if (!f) return V_ERROR;
    gc_register_finalizer(vm, &f->h);
    return value_obj(f);
}
static value completed_next(vm *vm, value self)
{
    completed *c = AS(completed, self);
    if (!c->begun && !begin(vm, c)) return V_ERROR;
    if (!c->left) return V_STOP;
    c->left--;
    return next_coroutine(vm, self, true);
}
static value completed_anext(vm *vm, value self)
{
    completed *c = AS(completed, self);
    if (!c->begun && !begin(vm, c)) return V_ERROR;
    if (c->left) {
        c->left--;
        return next_coroutine(vm, self, false);
    }
    return raise(vm, EXC_StopAsyncIteration, NULL);
}
static value itself(vm *vm, value self)
{
    (void)vm;
    return self;
}
static void completed_traverse(vm *vm, object *o)
{
    completed *c = (completed *)(void *)o;
    gc_mark_obj(vm, c->loop ? &c->loop->h : NULL);
    gc_mark_value(vm, c->todo);
    gc_mark_value(vm, c->callback);
    gc_mark_value(vm, c->timer);
    waiters_mark(vm, &c->done);
    waiters_mark(vm, &c->getters);
}
static void completed_free(vm *vm, object *o)
{
    completed *c = (completed *)(void *)o;
    waiters_free(vm, &c->done);
    waiters_free(vm, &c->getters);
}
static void completed_fill(struct type_slots *s)
{
    s->iter = itself;
    s->next = completed_next;
    s->aiter = itself;
    s->anext = completed_anext;
}

bool as_completed_type_open(vm *vm)
{
    runtime *rt = runtime_of(vm);
    if (rt->types[RT_AS_COMPLETED]) return true;
    static const native_def methods[] = {
        NATIVE_ASYNC_DEF("_wait_for_one(self, resolve=False)", next_step, NULL, 1),
        {0},
    };
    static const type_layout layout = {
        .size = sizeof(completed) - sizeof(userdata), .traverse = completed_traverse, .free = completed_free};
    static const type_spec spec = {"asyncio.tasks._AsCompletedIterator",
                                   "What as_completed() returns.",
                                   &layout,
                                   methods,
                                   NULL,
                                   0,
                                   TF_IMMUTABLE | TF_PLAIN_NAME,
                                   completed_fill};
    return (rt->types[RT_AS_COMPLETED] = type_from_spec(vm, &spec)) != NULL;
}
