/* What the files that make up the module asyncio share beyond loop.h: each file's functions and types. */
#ifndef AIOVM_RUNTIME_ASYNCIO_H
#define AIOVM_RUNTIME_ASYNCIO_H

#include "runtime/loop.h"

enum nstep sleep_step(vm *vm, frame *f, value *r, value sent, value *out); /* sleep.c */
enum nstep wait_step(vm *vm, frame *f, value *r, value sent, value *out);  /* wait.c */
enum nstep wait_for_step(vm *vm, frame *f, value *r, value sent, value *out);
value shield_call(vm *vm, value *a, uint32_t n, value kw);
bool as_completed_type_open(vm *vm); /* as_completed.c */
bool timeout_type_open(vm *vm);      /* timeouts.c */
bool task_group_type_open(vm *vm);   /* taskgroup.c */
/* locks.c, semaphore.c, barrier.c */
bool locks_types_open(vm *vm);
bool semaphore_types_open(vm *vm);
bool barrier_type_open(vm *vm);
bool queue_types_open(vm *vm); /* queue.c */
bool runner_type_open(vm *vm); /* runner.c */
bool policy_type_open(vm *vm); /* events.c */

/* server.c: their types */
bool asyncio_add_streams(vm *vm);

/* ended by {0} */
extern const native_def event_functions[], task_functions[], foreign_functions[], runner_functions[],
    timeout_functions[];

/* runner.c: what asyncio.run does with a coroutine; also for a program with a top-level await. error: raised */
value runner_run_main(vm *vm, value coro, int debug /* -1: as it is */);
bool runner_cancel_all(vm *vm, loop *l); /* cancels every task and waits for them; false: raised */
/* cancel all tasks and wait, close what asyncio.run closes; the loop stays open */
bool runner_shut_down(vm *vm, loop *l);
/* new_() for a type whose instances are zeroed userdata that init_ fills in. */
value zeroed_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw);
static inline bool absent(value v) { return value_is_unbound(v) || value_is_none(v); }
/* For the graph of waiting tasks; unbound: not such an object, or nobody. */
value group_parent(vm *vm, value v);        /* taskgroup.c: the task that has the group open */
value as_completed_waiter(vm *vm, value v); /* as_completed.c: the future that waits for the next one */
/* queue.c: the task that took an item and has not called task_done() */
value queue_holder(vm *vm, value v);
value event_loop_new(vm *vm);         /* asyncio.new_event_loop() */
bool event_loop_set(vm *vm, value l); /* asyncio.set_event_loop(l), l None or a loop; false: raised */

#endif
