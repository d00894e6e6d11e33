/* Loops of classes written in script: what such a class (or an attribute of the loop object) redefines is used by the
 * loop's own machinery too, as CPython's does: time(), call_at(), call_later(), _run_once(), call_exception_handler(),
 * and a `_selector` with _process_events(). A plain loop is told from the others by its shape, so it pays one
 * comparison.
 *
 * Here as well: the loop's insides as scripts may look at them (_ready, _scheduled: copies, not the real thing).
 */
#include "runtime/poller.h"
#include "vm/attr.h"
#include "vm/list.h"
#include "vm/native.h"
#include "vm/str.h"

/* The redefinition of a method; unbound: there is none, or raised. */
value loop_own_method(vm *vm, loop *l, const char *name)
{
    type *base = runtime_of(vm)->loop_type;
    if (LIKELY(l->h.shape == base->root_shape)) return V_UNBOUND;
    str *s = str_intern_utf8(vm, name, strlen(name));
    value v = s ? obj_getattr_opt(vm, value_obj(l), s) : V_UNBOUND;
    if (value_is_error(v) || value_is_unbound(v)) return V_UNBOUND;
    if (value_is_kind(v, K_METHOD) && AS(method, v)->func.bits == type_lookup(vm, base, s).bits) return V_UNBOUND;
    return v;
}

/* ---- timers ---- */

static void finish_future(vm *vm, callback_obj *cb, value arg)
{
    (void)arg;
    future *f = AS(future, cb->a);
    if (future_state(f) == FUT_PENDING) future_finish(vm, f, cb->b);
}
static void cancel_handle(vm *vm, callback_obj *cb, value arg)
{
    (void)arg;
    vm_call_method(vm, cb->a, str_intern_utf8(vm, "cancel", 6), NULL, 0);
}

/* own(when, cb), then: when the future is done, the handle is cancelled. */
static bool finish_by_script(vm *vm, value own, double when, future *f, value arg)
{
    ROOTS(vm, &own, &f, &arg);
    callback_obj *cb = callback_new(vm, finish_future, value_obj(f), arg, V_UNBOUND);
    value h = cb ? vm_call2(vm, own, value_float(when), value_obj(cb)) : V_ERROR;
    if (value_is_error(h)) return false;
    ROOTS(vm, &h);
    callback_obj *stop = callback_new(vm, cancel_handle, h, V_UNBOUND, V_UNBOUND);
    return stop && future_add_native(vm, value_obj(f), stop);
}

bool loop_finish_later(vm *vm, loop *l, double delay, future *f, value arg)
{
    ROOTS(vm, &l, &f, &arg);
    value own = loop_own_method(vm, l, "call_later");
    if (!value_is_unbound(own)) return finish_by_script(vm, own, delay, f, arg);
    if (raised(vm)) return false;
    double when = loop_time(vm, l) + delay;
    if (raised(vm)) return false;
    own = loop_own_method(vm, l, "call_at");
    if (!value_is_unbound(own)) return finish_by_script(vm, own, when, f, arg);
    if (raised(vm) || !timers_add(vm, l, when, value_obj(f), arg)) return false;
    f->h.flags |= FUT_TIMER;
    return true;
}

/* ---- turns ---- */

bool loop_own_selector(vm *vm, loop *l, value *selector)
{
    *selector = V_UNBOUND;
    if (l->h.shape == runtime_of(vm)->loop_type->root_shape) return false;
    value v = obj_getattr_opt(vm, value_obj(l), str_intern_utf8(vm, "_selector", 9));
    if (value_is_error(v) || value_is_unbound(v) || value_is_none(v)) return false;
    *selector = v;
    return true;
}

bool loop_own_select(vm *vm, loop *l, value selector, double timeout)
{
    ROOTS(vm, &l, &selector);
    value t = timeout < 0 ? V_NONE : value_float(timeout);
    value events = vm_call_method(vm, selector, str_intern_utf8(vm, "select", 6), &t, 1);
    if (value_is_error(events)) return false;
    return !value_is_error(vm_call_method(vm, value_obj(l), str_intern_utf8(vm, "_process_events", 15), &events, 1));
}

/* ---- what scripts see ---- */

#define LOOP(a) AS(loop, (a)[0])

value loop_process_events(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)a, (void)n, (void)kw; /* the loop's own events have been dealt with */
    return V_NONE;
}
value loop_write_to_self(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    poller_wake(LOOP(a));
    return V_NONE;
}
value loop_check_closed(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return loop_check_open(vm, LOOP(a)) ? V_NONE : V_ERROR;
}
value loop_add_callback(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!value_is_obj(a[1]) || ready_kind(vm, a[1]) != READY_HANDLE)
        return raise_type_error(vm, "a Handle was expected, got %R", a[1]);
    if (AS(handle, a[1])->state & HANDLE_CANCELLED) return V_NONE;
    return loop_push(vm, LOOP(a), a[1], V_UNBOUND) ? V_NONE : V_ERROR;
}

value loop_get_ready(vm *vm, value self)
{
    loop *l = AS(loop, self);
    list *out = list_new(vm, l->qlen);
    for (size_t i = 0; out && i < l->qlen; i++)
        if (!list_append(vm, out, l->queue[(l->qhead + i) & (l->qcap - 1)].what)) return V_ERROR;
    return out ? value_obj(out) : V_ERROR;
}
value loop_get_scheduled(vm *vm, value self)
{
    loop *l = AS(loop, self);
    list *out = list_new(vm, l->ntimers);
    for (size_t i = 0; out && i < l->ntimers; i++)
        if (!list_append(vm, out, l->timers[i].what)) return V_ERROR;
    return out ? value_obj(out) : V_ERROR;
}
