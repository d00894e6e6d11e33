/* The runtime of one VM: its state, what it gives the interpreter, the builtins it adds, waiting and waking up.
 *
 * Invariants
 *  1. runtime_open comes before any script runs, and runtime_close when none runs any more.
 *  2. Signal handlers and other threads only set bits in vm->pending, which the next refill sees, and write to the
 *     wake-up descriptor. It is made by the first wait: a wait looks at vm->pending after it is there, so nothing is
 *     lost.
 */
#include "runtime/graph.h"
#include "runtime/monitor.h"
#include "runtime/signals.h"
#include "runtime/socket.h"
#include "runtime/transport.h"
#include "vm/file.h"
#include "vm/import.h"
#include "vm/lock.h"

#include <stdlib.h>

static void mark_roots(vm *vm, void *ud)
{
    runtime *rt = ud;
    type *types[] = {rt->loop_type, rt->handle_type, rt->timer_handle_type, rt->callback_type};
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) gc_mark_obj(vm, types[i] ? &types[i]->h : NULL);
    for (unsigned i = 0; i < RT_TYPES; i++) gc_mark_obj(vm, rt->types[i] ? &rt->types[i]->h : NULL);
    gc_mark_value(vm, rt->policy);
    gc_mark_value(vm, rt->foreign_tasks);
    gc_mark_value(vm, rt->entered);
    gc_mark_value(vm, rt->runner_main);
    places_mark(vm, rt);
    signals_mark(vm, rt->signals);
    gc_mark_obj(vm, rt->expired ? &rt->expired->h : NULL);
    gc_mark_obj(vm, rt->host_loop ? &rt->host_loop->h : NULL);
    gc_mark_value(vm, rt->left_task);
    gc_mark_value(vm, rt->left_handled);
    gc_mark_value(vm, rt->left_context);
    for (thread *th = vm->threads; th; th = th->next) {
        if (th->loop_state) gc_mark_obj(vm, &((loop *)th->loop_state)->h);
        gc_mark_value(vm, th->context);
        gc_mark_value(vm, th->current_task);
    }
}

/* ---- interrupts ---- */

void runtime_interrupt(vm *vm, int why)
{
    __atomic_fetch_or(&vm->pending, why, __ATOMIC_ACQ_REL);
    runtime *rt = runtime_of(vm);
    if (rt) platform_wake(__atomic_load_n(&rt->wake_fd, __ATOMIC_ACQUIRE));
    lock_attention(vm);
}

int runtime_wake_fd(vm *vm)
{
    runtime *rt = runtime_of(vm);
    if (rt->wake_fd < 0) __atomic_store_n(&rt->wake_fd, platform_wake_open(), __ATOMIC_RELEASE);
    return rt->wake_fd;
}

int64_t runtime_clamp_wait(vm *vm, int64_t ns)
{
    if (LIKELY(!vm->deadline_ns) || runtime_of(vm)->clock.is_virtual) return ns;
    int64_t left = vm->deadline_ns - platform_real.monotonic_ns(NULL);
    if (left < 1) left = 1;
    return ns < 0 || ns > left ? left : ns;
}

void runtime_wait(vm *vm, int64_t ns)
{
    ns = runtime_clamp_wait(vm, ns);
    thread_park(vm, ns);
    /* look whether it is up */
    if (UNLIKELY(vm->deadline_ns)) __atomic_fetch_or(&vm->pending, VMP_LIMIT, __ATOMIC_ACQ_REL);
}

static void hook_attention(vm *vm) { platform_wake(runtime_of(vm)->wake_fd); }

/* The first Ctrl-C during asyncio.run() cancels the main task, the second is a KeyboardInterrupt wherever it meets. */
static void hook_signals(vm *vm, int pending)
{
    runtime *rt = runtime_of(vm);
    if ((pending & (VMP_MONITOR | VMP_DUMP)) && !monitor_serve(vm, pending)) return;
    bool interrupt = pending & VMP_SIGINT;
    if ((pending & VMP_SIGNAL) && !signals_dispatch(vm, &interrupt)) return;
    if (!interrupt) return;
    if (rt->session && rt->session->interrupt(vm, rt->session->ud)) return;
    if (value_is_kind(rt->runner_main, K_TASK)) {
        task *main = AS(task, rt->runner_main);
        if (++rt->interrupts == 1 && future_state(&main->f) == FUT_PENDING) {
            task_cancel(vm, main, V_UNBOUND);
            return;
        }
    }
    raise(vm, EXC_KeyboardInterrupt, NULL);
}

/* The monitor's thread is not in the child, and the parent's wake-up descriptor is not for it. */
static void hook_forked(vm *vm)
{
    runtime *rt = runtime_of(vm);
    lock_forked(vm);
    monitor_forked(vm);
    platform_wake_close(rt->wake_fd);
    rt->wake_fd = -1;
}

/* ---- the clock for others ---- */

static int64_t clock_monotonic(vm *vm) { return runtime_of(vm)->platform->monotonic_ns(&runtime_of(vm)->clock); }
static int64_t clock_wall(vm *vm) { return runtime_of(vm)->platform->wall_ns(&runtime_of(vm)->clock); }
static void clock_advance(vm *vm, int64_t ns) { runtime_of(vm)->platform->advance(&runtime_of(vm)->clock, ns); }
static bool clock_sleep(vm *vm, int64_t ns)
{
    int64_t end;
    if (__builtin_add_overflow(clock_monotonic(vm), ns, &end)) end = INT64_MAX;
    for (;;) {
        int64_t left = end - clock_monotonic(vm);
        if (left > 0) runtime_wait(vm, left);
        if (vm_attention(vm)) vm_poll(vm);
        if (raised(vm)) return false;
        if (left <= 0) return true;
    }
}

static void hook_coroutine_dropped(vm *vm, frame *f, uint32_t line) { report_coroutine_dropped(vm, f, line); }

/* ---- builtins ---- */

/* gather, and as_completed of a module that is imported only when it is called. */
static value builtin_gather(vm *vm, value *a, uint32_t n, value kw)
{
    bool return_exceptions = false;
    if (!value_is_unbound(kw)) {
        tuple *names = AS(tuple, kw);
        for (size_t i = 0; i < names->len; i++) {
            if (!str_eq(AS(str, names->items[i]), N(vm, return_exceptions)))
                return raise_type_error(vm, "gather() got an unexpected keyword argument '%U'", names->items[i]);
            int t = obj_truth(vm, a[n + i]);
            if (t < 0) return V_ERROR;
            return_exceptions = t;
        }
    }
    return gather_values(vm, a, n, return_exceptions);
}

static bool add_builtins(vm *vm)
{
    static const native_def gather_def = {"gather(*coros_or_futures, return_exceptions=False)", builtin_gather,
                                          "A Future of the list of their results.", 0};
    static const native_def as_completed_def = {"as_completed(fs, *, timeout=None)", as_completed_call,
                                                "An iterator over awaitables, in the order in which they are done.", 0};
    value module = value_obj(str_intern_utf8(vm, "asyncio.tasks", 13));
    native *g = native_new(vm, &gather_def, NULL, module),
           *c = g ? native_new(vm, &as_completed_def, NULL, module) : NULL;
    return c && dict_set_str(vm, vm->builtins, str_intern_utf8(vm, "Future", 6), value_obj(T(vm, FUTURE))) &&
           dict_set_str(vm, vm->builtins, str_intern_utf8(vm, "Task", 4), value_obj(T(vm, TASK))) &&
           dict_set_str(vm, vm->builtins, str_intern_utf8(vm, "gather", 6), value_obj(g)) &&
           dict_set_str(vm, vm->builtins, str_intern_utf8(vm, "as_completed", 12), value_obj(c));
}

/* AIOVM_VIRTUAL_GRACE: milliseconds. */
static int64_t virtual_grace(void)
{
    const char *text = getenv("AIOVM_VIRTUAL_GRACE");
    int64_t ms = 0;
    if (!text || *text < '0' || *text > '9') return 5 * 1000000;
    for (; *text >= '0' && *text <= '9' && ms < 1000000; text++) ms = ms * 10 + (*text - '0');
    return ms * 1000000;
}

bool runtime_open(vm *vm, bool virtual_time)
{
    runtime *rt = mem_zalloc(vm, sizeof *rt);
    if (!rt) return false;
    rt->platform = virtual_time ? &platform_virtual : &platform_real;
    rt->clock.is_virtual = virtual_time;
    rt->clock.grace_ns = virtual_time ? virtual_grace() : 0;
    rt->wake_fd = -1;
    rt->socket_timeout_ns = -1;
    vm->state[VMS_LOOP] = rt;
    if (!gc_add_roots(vm, mark_roots, rt)) return false;
    vm->clock_monotonic_ns = clock_monotonic;
    vm->clock_wall_ns = clock_wall;
    vm->clock_sleep_ns = clock_sleep;
    vm->clock_advance_ns = virtual_time ? clock_advance : NULL;
    vm->hooks.signals = hook_signals;
    vm->hooks.attention = hook_attention;
    vm->hooks.blocking = virtual_time ? NULL : report_blocking; /* nothing takes time then */
    vm->hooks.forked = hook_forked;
    vm->hooks.coroutine_dropped = hook_coroutine_dropped;
    if (!handle_types_open(vm) || !loop_type_open(vm) || !future_types_open(vm) || !task_types_open(vm)) return false;
    if (!gather_type_open(vm)) return false;
    return add_builtins(vm) && import_register(vm, "asyncio", asyncio_module_init) &&
           import_register(vm, "contextvars", contextvars_module_init) &&
           import_register(vm, "_socket", socket_module_init) && import_register(vm, "_signal", signal_module_init) &&
           import_register(vm, "select", select_module_init) && import_register(vm, "_asyncio_io", server_module_init);
}

void runtime_close(vm *vm)
{
    runtime *rt = runtime_of(vm);
    if (!rt) return;
    gc_remove_roots(vm, mark_roots, rt);
    monitor_close(vm);
    signals_close(vm);
    platform_wake_close(rt->wake_fd);
    places_free(vm, rt);
    sources_free(vm, rt);
    mem_free(vm, rt->read_buffer, READ_BUFFER);
    mem_free(vm, rt->all_tasks, rt->captasks * sizeof *rt->all_tasks);
    vm->state[VMS_LOOP] = NULL;
    vm->hooks = (vm_hooks){0};
    mem_free(vm, rt, sizeof *rt);
}
