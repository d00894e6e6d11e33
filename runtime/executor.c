/* Calls between an event loop and threads: call_soon_threadsafe, and the loop's default executor. The rest is script:
 * stdlib/asyncio/threads.aio.
 *
 * The default executor is made by the first call that needs it; shutdown_default_executor() waits for its threads,
 * close() does not. */
#include "runtime/asyncio.h"
#include "runtime/poller.h"
#include "vm/import.h"
#include "vm/native.h"

#define LOOP(a) AS(loop, (a)[0])

/* A function of asyncio.threads. */
static value helper(vm *vm, const char *name)
{
    str *module = str_from_cstr(vm, "asyncio.threads");
    value m = module ? import_module(vm, module) : V_ERROR;
    if (value_is_error(m)) return m;
    ROOTS(vm, &m);
    str *s = str_intern_utf8(vm, name, strlen(name));
    return s ? obj_getattr(vm, m, s) : V_ERROR;
}

value loop_call_soon_threadsafe(vm *vm, value *a, uint32_t n, value kw)
{
    value h = loop_call_soon_checked(vm, "BaseEventLoop.call_soon_threadsafe", a, n, kw, false);
    if (!value_is_error(h) && LOOP(a)->running_in != vm->thread) poller_wake(LOOP(a));
    return h;
}

static value default_executor(vm *vm, loop *l)
{
    if (l->executor_shutdown) return raise(vm, EXC_RuntimeError, "Executor shutdown has been called");
    if (!value_is_unbound(l->executor)) return l->executor;
    ROOTS(vm, &l);
    value f = helper(vm, "_new_executor"), e = value_is_error(f) ? f : vm_call0(vm, f);
    if (value_is_error(e)) return e;
    l->executor = e;
    gc_barrier(vm, l);
    return e;
}

value loop_run_in_executor(vm *vm, value *a, uint32_t n, value kw)
{
    (void)kw;
    loop *l = LOOP(a);
    if (!loop_check_open(vm, l)) return V_ERROR;
    if (l->debug && !loop_check_callback(vm, a[2], "run_in_executor")) return V_ERROR;
    value executor = value_is_none(a[1]) ? default_executor(vm, l) : a[1];
    if (value_is_error(executor)) return executor;
    value future = vm_call_method(vm, executor, str_intern_utf8(vm, "submit", 6), a + 2, n - 2);
    if (value_is_error(future)) return future;
    ROOTS(vm, &l, &future);
    value wrap = helper(vm, "wrap_future");
    tuple *names = value_is_error(wrap) ? NULL : tuple_pack(vm, 1, value_obj(N(vm, loop)));
    if (!names) return V_ERROR;
    value args[2] = {future, value_obj(l)};
    return vm_call_kw(vm, wrap, args, 1, value_obj(names));
}

value loop_set_default_executor(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    value check = helper(vm, "_check_executor");
    if (value_is_error(check) || value_is_error(vm_call1(vm, check, a[1]))) return V_ERROR;
    LOOP(a)->executor = a[1];
    gc_barrier(vm, LOOP(a));
    return V_NONE;
}

enum nstep loop_shutdown_executor_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    loop *l = LOOP(r);
    if (value_is_none(r[2])) return *out = V_NONE, value_is_unbound(sent) ? NSTEP_ERROR : NSTEP_DONE;
    l->executor_shutdown = true;
    r[2] = V_NONE;
    if (value_is_unbound(l->executor)) return *out = V_NONE, NSTEP_DONE;
    value shut = helper(vm, "_shutdown_executor");
    if (value_is_error(shut)) return NSTEP_ERROR;
    value args[3] = {r[0], l->executor, absent(r[1]) ? V_NONE : r[1]};
    *out = vm_call(vm, shut, args, 3);
    return value_is_error(*out) ? NSTEP_ERROR : NSTEP_AWAIT;
}

/* The loop is closed: its threads end by themselves. */
bool loop_drop_executor(vm *vm, loop *l)
{
    l->executor_shutdown = true;
    value e = l->executor;
    if (value_is_unbound(e)) return true;
    l->executor = V_UNBOUND;
    str *wait = str_intern_utf8(vm, "wait", 4);
    tuple *names = wait ? tuple_pack(vm, 1, value_obj(wait)) : NULL;
    ROOTS(vm, &e, &names);
    value f = names ? obj_getattr(vm, e, str_intern_utf8(vm, "shutdown", 8)) : V_ERROR;
    value arg = V_FALSE;
    return !value_is_error(f) && !value_is_error(vm_call_kw(vm, f, &arg, 0, value_obj(names)));
}
