/* The refill of vm->poll: everything that must happen "now and then" while script runs.
 * Other threads and signal handlers only set bits in vm->pending and make the next refill come soon. */
#include "interp.h"

enum { POLL_PORTION = 10000 };

void vm_poll(vm *vm)
{
    vm->fuel_used += (uint64_t)POLL_PORTION;
    vm->poll = POLL_PORTION;
    int pending = __atomic_exchange_n(&vm->pending, 0, __ATOMIC_ACQ_REL);
    gc_safepoint(vm);
    if (LIKELY(!pending)) return;
    if ((pending & (VMP_SIGINT | VMP_SIGNAL)) && vm->hooks.signals) {
        vm->hooks.signals(vm, pending);
    } else if (pending & VMP_SIGINT) {
        raise(vm, EXC_KeyboardInterrupt, NULL);
    }
}
