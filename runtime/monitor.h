/* The monitor: one thread beside a VM that notices when a task holds the loop, and takes questions from `aio ps` and
 * `aio tree`. The essay is in monitor.c. */
#ifndef AIOVM_RUNTIME_MONITOR_H
#define AIOVM_RUNTIME_MONITOR_H

#include "runtime/loop.h"

enum monitor_duty { MONITOR_WATCHDOG = 1, MONITOR_INSPECT = 2 };

void monitor_allow(vm *vm, unsigned duties); /* it starts with the first loop that runs in the main thread */
void monitor_loop_begins(vm *vm, loop *l);
void monitor_loop_ends(vm *vm, loop *l);
void monitor_close(vm *vm);
void monitor_forked(vm *vm); /* in the child of fork(), which has no such thread */
/* At a poll of the main thread: bits of VMP_MONITOR and VMP_DUMP. false: raised (a report that is an error). */
bool monitor_serve(vm *vm, int bits);

/* Around a wait of the loop: held up by nothing then. */
void monitor_wake(runtime *rt);
static inline void monitor_sleeps(runtime *rt, bool asleep)
{
    if (LIKELY(!rt->monitor)) return;
    __atomic_store_n(&rt->asleep, asleep, __ATOMIC_SEQ_CST);
    if (!asleep && __atomic_load_n(&rt->monitor_dormant, __ATOMIC_SEQ_CST)) monitor_wake(rt);
}

#endif
