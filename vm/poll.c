/* The refill of vm->poll: everything that must happen "now and then" while script runs, and the limits of a run.
 * Other threads and signal handlers only set bits in vm->pending, which are seen here.
 *
 * Three amounts are kept apart: the portion (at most POLL_PORTION units until the next refill), the slice that a host
 * gives run_ready, which stops the loop between tasks or inside one, and the budget (fuel or wall time), which ends the
 * VM.
 *
 * The end is uncatchable. vm->killed makes the interpreter skip every handler while it unwinds; with a recursion limit
 * of 0 nothing enters script any more, by whatever way; finalisers and weakref callbacks of scripts are off; and every
 * poll raises again, in case a native has swallowed the exception.
 */
#include "interp.h"
#include "lock.h"

#include <time.h>

enum { POLL_PORTION = 10000, ATTENTION = VMP_SIGINT | VMP_SIGNAL | VMP_MONITOR | VMP_DUMP };

static void poll_signals(vm *vm, int bits)
{
    if (!thread_is_main(vm, vm->thread)) lock_defer_signals(vm, bits);
    else if (vm->hooks.signals) vm->hooks.signals(vm, bits);
    else if (bits & VMP_SIGINT) raise(vm, EXC_KeyboardInterrupt, NULL);
}

/* The VM ends, and this thread with it: it meets an exception that no handler catches, again and again. */
static void poll_killed(vm *vm)
{
    __atomic_fetch_or(&vm->pending, VMP_LOCK, __ATOMIC_RELAXED);
    vm->poll = 1;
    if (!raised(vm)) raise(vm, EXC_SystemExit, NULL);
}

static int64_t real_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

value vm_raise_killed(vm *vm)
{
    static const char *const why[] = {"", "the fuel budget is used up", "the time limit is used up",
                                      "the host has ended the script"};
    str *msg = str_from_cstr(vm, why[vm->killed]);
    value e = msg ? exc_new(vm, EXC_BaseException, value_obj(msg)) : V_ERROR;
    vm->thread->exc = value_is_error(e) ? vm->memory_error : e;
    return V_ERROR;
}

void vm_kill(vm *vm, enum vm_end why)
{
    if (!vm->killed) vm->killed = why;
    vm->limits.recursion = 0;
    gc_scripts_off(vm);
    vm_raise_killed(vm);
}

void vm_slice_begin(vm *vm, uint64_t fuel)
{
    vm_poll_soon(vm);
    vm->slice_end = fuel ? vm_fuel_used(vm) + fuel : 0;
    vm->slice_over = vm->preempt = false;
}

/* How much may be used until the next look; may kill, or ask for an end of the slice. */
static int32_t check_limits(vm *vm, uint64_t used)
{
    int32_t portion = POLL_PORTION;
    if (vm->limits.fuel) {
        if (used >= vm->limits.fuel) {
            vm_kill(vm, END_FUEL);
            return 0;
        }
        if (vm->limits.fuel - used < (uint64_t)portion) portion = (int32_t)(vm->limits.fuel - used);
    }
    if (vm->deadline_ns && real_now() >= vm->deadline_ns) {
        vm_kill(vm, END_TIME);
        return 0;
    }
    if (vm->slice_end && thread_is_main(vm, vm->thread)) {
        if (used >= vm->slice_end) {
            vm->slice_over = true;
            vm->preempt = vm->thread->nreent == vm->slice_nreent;
        } else if (vm->slice_end - used < (uint64_t)portion) {
            portion = (int32_t)(vm->slice_end - used);
        }
    }
    return portion;
}

void vm_poll(vm *vm)
{
    uint64_t used = vm_fuel_used(vm);
    int pending = __atomic_exchange_n(&vm->pending, 0, __ATOMIC_ACQ_REL);
    int32_t portion = POLL_PORTION;
    if (UNLIKELY(vm->killed)) {
        vm->fuel_given = used;
        vm->poll = 0;
        vm_raise_killed(vm);
        return;
    }
    if (UNLIKELY(pending & VMP_KILL)) {
        vm_kill(vm, END_KILLED);
        return;
    }
    if (UNLIKELY(vm->limits.fuel || vm->deadline_ns || vm->slice_end)) portion = check_limits(vm, used);
    vm->fuel_given = used + (uint64_t)(int64_t)portion;
    vm->poll = portion;
    if (UNLIKELY(vm->killed)) return;
    gc_safepoint(vm);
    if (LIKELY(!pending && !vm->thread->killed)) return;
    if (pending & VMP_LOCK) lock_hand_over(vm);
    if (UNLIKELY(vm->thread->killed)) poll_killed(vm);
    else if (pending & ATTENTION) poll_signals(vm, pending & ATTENTION);
}
