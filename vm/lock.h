/* The VM's lock, the OS threads that share it, and how one of them waits for another. The essay is in lock.c.
 *
 * vm_unlock and vm_lock are in vm.h: they are all that most natives need. */
#ifndef AIO_LOCK_H
#define AIO_LOCK_H

#include <sys/types.h>

#include "vm.h"

bool lock_open(vm *vm);  /* the main thread is the calling one, and holds it; false: no memory */
void lock_close(vm *vm); /* no other thread is left */

/* Another OS thread: thread_new and os_thread_start in the one that starts it, thread_enter in the new one (takes the
 * lock), thread_leave as the last thing it does there (gives the lock up for good and touches nothing of the VM
 * afterwards). */
thread *thread_new(vm *vm);             /* a root already; NULL raised */
void thread_forget(vm *vm, thread *th); /* it was never started */
void thread_enter(thread *th);
void thread_leave(thread *th);
/* The host calls from another OS thread than before: it stands for the main thread from now on. */
void thread_adopt_main(vm *vm);
/* The VM ends: every other thread unwinds at its next poll. false: some are inside a call that blocks; they never run
 * script again, but the VM must not be freed under them. */
bool threads_end(vm *vm);
/* A descriptor that becomes readable when threads_end begins, for a call of a thread that waits for others; nobody
 * reads from it. -1: for the main thread, and where there is none. */
int thread_end_fd(const vm *vm);
/* Gives the lock up until fd is ready (or has an error), the VM ends, or a signal comes: look again. Like poll(). */
int thread_wait_fd(vm *vm, int fd, short events, int ms);
/* As read() and write(), but what a pipe or socket can't do at once fails with EAGAIN: that poll() called it ready is
 * no promise when others use it too. Kernels that can't do that (pipes before Linux 6.4) wait. */
ssize_t thread_read_now(int fd, void *p, size_t n);
ssize_t thread_write_now(int fd, const void *p, size_t n);
uint32_t lock_forks(const vm *vm);     /* how often this process came out of a fork: other threads are gone */
thread *thread_self(vm *vm);           /* which one the calling OS thread is; NULL: none of them */
void lock_forked(vm *vm);              /* in the child of fork(): the other threads are gone */
value thread_name(vm *vm, thread *th); /* "MainThread", "Thread-1 (f)", ...; error: raised */
static inline bool thread_is_main(const vm *vm, const thread *th) { return th == &vm->main_thread; }
static inline bool thread_alone(const vm *vm) { return !vm->main_thread.next; }

/* The poll saw VMP_LOCK: somebody waits for the lock; it gets it, and this thread queues up behind. */
void lock_hand_over(vm *vm);
void lock_set_interval(vm *vm, int64_t ns); /* after which a waiting thread asks for the lock */
int64_t lock_interval(vm *vm);

/* Gives the lock up until thread_unpark(th), `ns` have passed (negative: never) or a signal wants the main thread's
 * attention. May return early for no reason: look at what you wait for, at the clock and, after vm_poll, at raised(vm).
 */
void thread_park(vm *vm, int64_t ns);
void thread_unpark(thread *th); /* the caller holds the lock */
void thread_rouse(thread *th);  /* its loop was woken: it is to do something */
/* A loop under a virtual clock is about to poll for `ns` (negative: for ever); busy: something is in flight. 0: it is
 * to look, and if that finds nothing (end: quiet) the clock moves; -1: the clock stands, so it waits until something
 * happens. */
int64_t thread_poll_begin(vm *vm, int64_t ns, bool busy);
void thread_poll_end(vm *vm, bool quiet);
bool threads_are_stuck(vm *vm); /* every other thread is parked for ever: only this one could end that */

/* A signal handler or a foreign thread has set bits in vm->pending: ends the main thread's park. Async-signal-safe. */
void lock_attention(vm *vm);
/* A thread other than the main one took `bits` (VMP_SIGINT, VMP_SIGNAL) out of vm->pending: the main one is to have
 * them. */
void lock_defer_signals(vm *vm, int bits);

#endif
