/* The refill of vm->poll: everything that must happen "now and then" while script runs.
 * Other threads and signal handlers only set bits in vm->pending and make the next refill come soon. */
#include "interp.h"
#include "lock.h"

enum { POLL_PORTION = 10000 };

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

void vm_poll(vm *vm)
{
    vm->fuel_used += (uint64_t)POLL_PORTION;
    vm->poll = POLL_PORTION;
    int pending = __atomic_exchange_n(&vm->pending, 0, __ATOMIC_ACQ_REL);
    gc_safepoint(vm);
    if (LIKELY(!pending)) return;
    if (pending & VMP_LOCK) lock_hand_over(vm);
    if (UNLIKELY(vm->thread->killed)) poll_killed(vm);
    else if (pending & (VMP_SIGINT | VMP_SIGNAL)) poll_signals(vm, pending & (VMP_SIGINT | VMP_SIGNAL));
}
