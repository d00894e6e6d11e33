/* The VM's lock: one thread at a time runs script and touches the heap.
 *
 * A thread that blocks gives it up (vm_unlock). One that computes is asked for it: who has waited for an interval sets
 * VMP_LOCK, and the holder's next poll hands the lock to the first in the queue and queues up itself. So a lock that is
 * given up for a moment may be taken back at once (no convoys), and nobody waits longer than the interval times the
 * queue.
 *
 * Invariants
 *  1. vm->thread is the holder, NULL while nobody holds the lock. Who takes it sets vm->thread to itself, so a
 *     thread's own copy of vm->thread stays right across a hand-over.
 *  2. A thread that does not hold the lock stands at a safepoint: its roots, its stack and th->current do not change.
 *     The collector, which the holder runs, reads them.
 *  3. `mutex` guards struct vm_lock and the os part of every thread; it is held for a few instructions only, and
 *     nothing of the heap is touched under it.
 *  4. Which struct thread an OS thread is, is looked up by pthread_self(): there is no thread-local state.
 *  5. Signals are handled by the main thread only. Other threads block them all; bits that such a thread meets in
 *     vm->pending are deferred until the main thread has the lock.
 *  6. Under a virtual clock (vm->clock_advance_ns) a thread that is parked, or polls in a loop, is idle until its
 *     wake_at. The clock moves only when all threads are idle: to the earliest wake_at. Where a loop polls, that loop
 *     moves it, since it may have descriptors to look at first; else whoever became idle last. So a thread that
 *     computes or is in a system call stops the clock.
 *  7. A finished thread stays on `finished` until somebody has joined its OS thread: lock_close joins what is left.
 */
#include "lock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "types_api.h"

enum { LOCK_BUCKETS = 64, LOCK_INTERVAL_NS = 5 * 1000 * 1000 };

/* What a thread needs beside its script state. */
struct thread_os {
    pthread_t id;
    bool known; /* id is set, and in its bucket */
    thread *bucket_next;
    pthread_cond_t turn; /* it waits for the lock */
    bool given;          /* the lock was handed to it */
    thread *queue_next;
    sem_t parked;
    bool idle, polling; /* virtual clock: waits until wake_at; in a loop's poll */
    bool moves;         /* and is the one that moves the clock, if the poll finds nothing */
    int64_t wake_at;    /* INT64_MAX: until somebody wakes it */
    bool outside;       /* in a call that blocks, for how long nobody knows */
};

struct vm_lock {
    pthread_mutex_t mutex;
    bool held;
    thread *first, *last; /* who waits, in the order of coming */
    thread *buckets[LOCK_BUCKETS];
    thread *finished; /* through next: OS threads to be joined */
    int deferred;     /* signal bits for the main thread */
    int64_t interval_ns;
    uint64_t serials;
    bool ended; /* threads_end has given some up */
    int end_fd; /* an eventfd, once there are other threads: thread_end_fd; -1 */
    uint32_t forks;
};

static thread **lock_bucket(struct vm_lock *l, pthread_t id)
{
    uint64_t x = (uint64_t)id;
    return &l->buckets[(x >> 12 ^ x >> 20) % LOCK_BUCKETS];
}

static thread *lock_self(struct vm_lock *l)
{
    pthread_t me = pthread_self();
    thread *th = *lock_bucket(l, me);
    while (th && !pthread_equal(th->os->id, me)) th = th->os->bucket_next;
    return th;
}

static void lock_know(struct vm_lock *l, thread *th, pthread_t id)
{
    thread **b = lock_bucket(l, id);
    th->os->id = id;
    th->os->known = true;
    th->os->bucket_next = *b;
    *b = th;
}

static void lock_unknow(struct vm_lock *l, thread *th)
{
    if (!th->os->known) return;
    thread **p = lock_bucket(l, th->os->id);
    while (*p != th) p = &(*p)->os->bucket_next;
    *p = th->os->bucket_next;
    th->os->known = false;
}

/* ---- the queue ---- */

static void lock_queue(struct vm_lock *l, thread *th)
{
    th->os->given = false;
    th->os->queue_next = NULL;
    if (l->last) l->last->os->queue_next = th;
    else l->first = th;
    l->last = th;
}

static void lock_unqueue(struct vm_lock *l, thread *th)
{
    thread *before = NULL, **p = &l->first;
    while (*p != th) {
        before = *p;
        p = &(*p)->os->queue_next;
    }
    *p = th->os->queue_next;
    if (l->last == th) l->last = before;
}

/* The interpreter counts vm->poll down without knowing of us: a store that is lost is repeated after an interval. Not
 * instrumented, since it is a race by intention. */
__attribute__((no_sanitize("thread"))) static void lock_poll_soon(vm *vm) { *(volatile int32_t *)&vm->poll = 0; }

static struct timespec lock_time_after(int64_t ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t s = ns / 1000000000;
    if (s > INT32_MAX) s = INT32_MAX; /* decades: who waits comes back and waits again */
    t.tv_sec += (time_t)s;
    t.tv_nsec += (long)(ns % 1000000000);
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

/* th is queued: waits until it has the lock. */
static void lock_wait_turn(vm *vm, struct vm_lock *l, thread *th)
{
    while (!th->os->given) {
        if (!l->held) {
            lock_unqueue(l, th);
            break;
        }
        struct timespec until = lock_time_after(l->interval_ns);
        if (pthread_cond_timedwait(&th->os->turn, &l->mutex, &until) == ETIMEDOUT && l->held && !th->os->given) {
            __atomic_fetch_or(&vm->pending, VMP_LOCK, __ATOMIC_ACQ_REL);
            lock_poll_soon(vm);
        }
    }
    th->os->given = false;
    l->held = true;
}

/* th has the lock: it is the one that runs. */
static void lock_begin_turn(vm *vm, struct vm_lock *l, thread *th)
{
    vm->thread = th;
    if (UNLIKELY(l->deferred && thread_is_main(vm, th))) {
        __atomic_fetch_or(&vm->pending, l->deferred, __ATOMIC_ACQ_REL);
        l->deferred = 0;
        vm_poll_soon(vm);
    }
    if (UNLIKELY(th->killed)) vm_poll_soon(vm);
}

static void lock_take(vm *vm, struct vm_lock *l, thread *th)
{
    if (l->held) {
        lock_queue(l, th);
        lock_wait_turn(vm, l, th);
    } else {
        l->held = true;
    }
    lock_begin_turn(vm, l, th);
}

static void lock_release(vm *vm, struct vm_lock *l)
{
    vm->thread = NULL;
    l->held = false;
    if (l->first) pthread_cond_signal(&l->first->os->turn);
}

static void lock_give_up(vm *vm, bool outside)
{
    int saved = errno;
    struct vm_lock *l = vm->lock;
    pthread_mutex_lock(&l->mutex);
    vm->thread->os->outside = outside;
    lock_release(vm, l);
    pthread_mutex_unlock(&l->mutex);
    errno = saved;
}

void vm_unlock(vm *vm) { lock_give_up(vm, true); }

void vm_lock(vm *vm)
{
    int saved = errno; /* of the call that blocked */
    struct vm_lock *l = vm->lock;
    pthread_mutex_lock(&l->mutex);
    thread *th = lock_self(l);
    th->os->outside = false;
    lock_take(vm, l, th);
    pthread_mutex_unlock(&l->mutex);
    errno = saved;
}

void lock_hand_over(vm *vm)
{
    struct vm_lock *l = vm->lock;
    pthread_mutex_lock(&l->mutex);
    thread *th = vm->thread, *next = l->first;
    if (next) {
        l->first = next->os->queue_next;
        if (!l->first) l->last = NULL;
        next->os->given = true;
        vm->thread = NULL;
        pthread_cond_signal(&next->os->turn);
        lock_queue(l, th);
        lock_wait_turn(vm, l, th);
        lock_begin_turn(vm, l, th);
    }
    pthread_mutex_unlock(&l->mutex);
}

void lock_set_interval(vm *vm, int64_t ns)
{
    pthread_mutex_lock(&vm->lock->mutex);
    vm->lock->interval_ns = ns;
    pthread_mutex_unlock(&vm->lock->mutex);
}

int64_t lock_interval(vm *vm) { return vm->lock->interval_ns; }

/* ---- signals ---- */

void lock_defer_signals(vm *vm, int bits)
{
    struct vm_lock *l = vm->lock;
    pthread_mutex_lock(&l->mutex);
    l->deferred |= bits;
    pthread_mutex_unlock(&l->mutex);
    lock_attention(vm);
}

void lock_attention(vm *vm)
{
    int saved = errno;
    if (vm->main_thread.os) sem_post(&vm->main_thread.os->parked);
    errno = saved;
}

/* ---- parking ---- */

bool threads_are_stuck(vm *vm)
{
    for (thread *th = vm->threads; th; th = th->next)
        if (th != vm->thread && !th->stuck) return false;
    return true;
}

/* Nothing can happen any more but in a loop that waits: it is to look. */
static void thread_told_stuck(vm *vm)
{
    if (!thread_alone(vm) && vm->hooks.attention && threads_are_stuck(vm)) vm->hooks.attention(vm);
}

/* ---- the virtual clock ---- */

static bool threads_idle(const vm *vm, const thread *but)
{
    for (const thread *th = vm->threads; th; th = th->next)
        if (th != but && !th->os->idle) return false;
    return true;
}

static int64_t threads_next_wake(const vm *vm, const thread *but)
{
    int64_t first = INT64_MAX;
    for (const thread *th = vm->threads; th; th = th->next)
        if (th != but && th->os->idle && th->os->wake_at < first) first = th->os->wake_at;
    return first;
}

/* Ends the waits that are over. */
static void threads_wake_due(vm *vm)
{
    int64_t now = vm->clock_monotonic_ns(vm);
    bool polls = false;
    for (thread *th = vm->threads; th; th = th->next) {
        if (!th->os->idle || th->os->wake_at > now) continue;
        th->os->idle = false;
        if (th->os->polling) polls = true;
        else sem_post(&th->os->parked);
    }
    if (polls && vm->hooks.attention) vm->hooks.attention(vm);
}

/* A thread became idle, or went: moves the clock if nobody does anything. */
static void threads_step(vm *vm)
{
    if (!threads_idle(vm, NULL)) return;
    for (const thread *th = vm->threads; th; th = th->next) {
        if (!th->os->polling) continue;
        if (vm->hooks.attention) vm->hooks.attention(vm);
        return;
    }
    int64_t first = threads_next_wake(vm, NULL), now = vm->clock_monotonic_ns(vm);
    if (first == INT64_MAX) return;
    if (first > now) vm->clock_advance_ns(vm, first - now);
    threads_wake_due(vm);
}

static void thread_become_idle(vm *vm, thread *th, int64_t ns)
{
    if (ns < 0 || __builtin_add_overflow(vm->clock_monotonic_ns(vm), ns, &th->os->wake_at)) th->os->wake_at = INT64_MAX;
    th->os->idle = true;
}

int64_t thread_poll_begin(vm *vm, int64_t ns, bool busy)
{
    thread *th = vm->thread;
    thread_become_idle(vm, th, ns);
    th->os->polling = true;
    th->os->moves = !busy && threads_idle(vm, th) && threads_next_wake(vm, NULL) != INT64_MAX;
    return th->os->moves ? 0 : -1;
}

void thread_poll_end(vm *vm, bool quiet)
{
    thread *th = vm->thread;
    /* Not idle any more: another thread has moved the clock to our time, or woken the loop, since the poll. */
    if (quiet && th->os->moves && th->os->idle && threads_idle(vm, th)) {
        int64_t first = threads_next_wake(vm, NULL), now = vm->clock_monotonic_ns(vm);
        if (first != INT64_MAX && first > now) vm->clock_advance_ns(vm, first - now);
    }
    th->os->idle = th->os->polling = false;
    threads_wake_due(vm);
}

static void thread_sleep_virtual(vm *vm, thread *th, int64_t ns)
{
    thread_become_idle(vm, th, ns);
    th->stuck = ns < 0;
    if (th->stuck) thread_told_stuck(vm);
    threads_step(vm);
    lock_give_up(vm, false);
    sem_wait(&th->os->parked);
    vm_lock(vm);
    th->stuck = th->os->idle = false;
}

static void thread_sleep(vm *vm, thread *th, int64_t ns)
{
    struct timespec until = lock_time_after(ns < 0 ? 0 : ns);
    th->stuck = ns < 0;
    if (th->stuck) thread_told_stuck(vm);
    lock_give_up(vm, false);
    if (ns < 0) sem_wait(&th->os->parked);
    else sem_clockwait(&th->os->parked, CLOCK_MONOTONIC, &until);
    vm_lock(vm);
    th->stuck = false;
}

void thread_park(vm *vm, int64_t ns)
{
    thread *th = vm->thread;
    while (sem_trywait(&th->os->parked) == 0) { /* wake-ups that nobody waited for */
    }
    if (__atomic_load_n(&vm->pending, __ATOMIC_ACQUIRE) & ~VMP_LOCK || th->killed || ns == 0) return;
    if (vm->clock_advance_ns) thread_sleep_virtual(vm, th, ns);
    else thread_sleep(vm, th, ns);
}

void thread_rouse(thread *th) { th->stuck = th->os->idle = false; }

void thread_unpark(thread *th)
{
    thread_rouse(th);
    sem_post(&th->os->parked);
}

/* ---- threads ---- */

static bool thread_os_open(vm *vm, thread *th)
{
    struct thread_os *os = mem_zalloc(vm, sizeof *os);
    if (!os) return false;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&os->turn, &attr);
    pthread_condattr_destroy(&attr);
    sem_init(&os->parked, 0, 0);
    th->os = os;
    th->serial = ++vm->lock->serials;
    return true;
}

static void thread_os_close(vm *vm, thread *th)
{
    if (!th->os) return;
    pthread_cond_destroy(&th->os->turn);
    sem_destroy(&th->os->parked);
    mem_free(vm, th->os, sizeof *th->os);
    th->os = NULL;
}

bool lock_open(vm *vm)
{
    struct vm_lock *l = mem_zalloc(vm, sizeof *l);
    if (!l) return false;
    vm->lock = l;
    l->end_fd = -1;
    pthread_mutex_init(&l->mutex, NULL);
    l->interval_ns = LOCK_INTERVAL_NS;
    l->held = true;
    if (!thread_os_open(vm, &vm->main_thread)) return false;
    lock_know(l, &vm->main_thread, pthread_self());
    return true;
}

/* Joins the OS threads that have finished. */
static void lock_reap(vm *vm)
{
    struct vm_lock *l = vm->lock;
    for (;;) {
        pthread_mutex_lock(&l->mutex);
        thread *th = l->finished;
        if (th) l->finished = th->next;
        pthread_mutex_unlock(&l->mutex);
        if (!th) return;
        pthread_join(th->os->id, NULL);
        thread_os_close(vm, th);
        mem_free(vm, th, sizeof *th);
    }
}

void lock_close(vm *vm)
{
    struct vm_lock *l = vm->lock;
    if (!l) return;
    lock_reap(vm);
    thread_os_close(vm, &vm->main_thread);
    if (l->end_fd >= 0) close(l->end_fd);
    pthread_mutex_destroy(&l->mutex);
    mem_free(vm, l, sizeof *l);
    vm->lock = NULL;
}

static void thread_unlink(vm *vm, thread *th)
{
    thread **p = &vm->threads;
    while (*p != th) p = &(*p)->next;
    *p = th->next;
    vm->nthreads--;
}

thread *thread_new(vm *vm)
{
    lock_reap(vm);
    if (vm->limits.threads && vm->nthreads >= vm->limits.threads) {
        raise(vm, EXC_RuntimeError, "can't start new thread");
        return NULL;
    }
    thread *th = mem_zalloc(vm, sizeof *th);
    if (!th) return NULL;
    if (!thread_open(vm, th) || !thread_os_open(vm, th)) {
        thread_close(vm, th);
        mem_free(vm, th, sizeof *th);
        return NULL;
    }
    /* without one, a call that blocks is waited for until it returns */
    if (vm->lock->end_fd < 0) vm->lock->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    th->next = vm->main_thread.next; /* the main thread stays the first */
    vm->main_thread.next = th;
    vm->nthreads++;
    return th;
}

void thread_forget(vm *vm, thread *th)
{
    thread_unlink(vm, th);
    thread_close(vm, th);
    thread_os_close(vm, th);
    mem_free(vm, th, sizeof *th);
}

void thread_enter(thread *th)
{
    vm *vm = th->vm;
    struct vm_lock *l = vm->lock;
    pthread_mutex_lock(&l->mutex);
    lock_know(l, th, pthread_self());
    lock_take(vm, l, th);
    pthread_mutex_unlock(&l->mutex);
    thread_set_c_stack(th);
}

void thread_leave(thread *th)
{
    vm *vm = th->vm;
    struct vm_lock *l = vm->lock;
    thread_told_stuck(vm);
    thread_unlink(vm, th);
    if (vm->clock_advance_ns) threads_step(vm);
    thread_close(vm, th);
    pthread_mutex_lock(&l->mutex);
    lock_unknow(l, th);
    th->next = l->finished;
    l->finished = th;
    lock_release(vm, l);
    sem_post(&vm->main_thread.os->parked); /* it may be waiting for the last one */
    pthread_mutex_unlock(&l->mutex);
}

value thread_name(vm *vm, thread *th)
{
    if (!value_is_unbound(th->object)) return obj_getattr(vm, th->object, N(vm, name));
    str *s =
        thread_is_main(vm, th) ? str_from_cstr(vm, "MainThread") : str_format(vm, "Dummy-%ld", (int64_t)th->serial - 1);
    return s ? value_obj(s) : V_ERROR;
}

/* Nothing of the others is touched but freed: the mutex may have been in any state, and their threads do not exist. */
void lock_forked(vm *vm)
{
    struct vm_lock *l = vm->lock;
    thread *me = vm->thread;
    pthread_mutex_init(&l->mutex, NULL);
    l->held = true;
    l->first = l->last = NULL;
    l->finished = NULL;
    l->deferred = 0;
    l->forks++;
    memset(l->buckets, 0, sizeof l->buckets);
    for (thread *th = vm->main_thread.next, *next; th; th = next) {
        next = th->next;
        if (th == me) continue;
        thread_unlink(vm, th);
        thread_close(vm, th);
        mem_free(vm, th->os, sizeof *th->os);
        mem_free(vm, th, sizeof *th);
    }
    vm->main_thread.stuck = me != &vm->main_thread; /* its script stands still for ever */
    vm->main_thread.os->idle = vm->main_thread.stuck;
    lock_know(l, me, pthread_self());
}

uint32_t lock_forks(const vm *vm) { return vm->lock->forks; }

/* How many threads can still be waited for, since they are not outside. */
static uint32_t threads_inside(struct vm_lock *l, const thread *th)
{
    uint32_t n = 0;
    pthread_mutex_lock(&l->mutex);
    for (; th; th = th->next) n += !th->os->outside;
    pthread_mutex_unlock(&l->mutex);
    return n;
}

bool threads_end(vm *vm)
{
    enum { STEP_NS = 1000 * 1000, PATIENCE = 100 };
    thread *me = vm->thread;
    if (!thread_alone(vm) && vm->lock->end_fd >= 0) {
        ssize_t done = write(vm->lock->end_fd, &(uint64_t){1}, sizeof(uint64_t));
        (void)done;                                       /* it can't be full */
        if (vm->hooks.attention) vm->hooks.attention(vm); /* loops of threads */
    }
    for (int i = vm->lock->ended ? PATIENCE : 0; !thread_alone(vm); i++) {
        for (thread *th = vm->main_thread.next; th; th = th->next) {
            th->killed = true;
            thread_unpark(th);
        }
        if (i >= PATIENCE && !threads_inside(vm->lock, vm->main_thread.next)) {
            vm->lock->ended = true;
            return false;
        }
        thread_sleep(vm, me, STEP_NS);
    }
    return true;
}

int thread_end_fd(const vm *vm) { return thread_is_main(vm, vm->thread) ? -1 : vm->lock->end_fd; }

int thread_wait_fd(vm *vm, int fd, short events, int ms)
{
    struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = thread_end_fd(vm), .events = POLLIN}};
    vm_unlock(vm);
    int r = poll(p, 2, ms), err = errno;
    vm_lock(vm);
    errno = err;
    return r > 0 && !p[0].revents ? 0 : r;
}

/* A file on a disk may not have its data at hand, but can't be polled: there, and where nothing else is known, the call
 * that waits is the right one. errno: of the call that does not. */
static bool can_only_wait(int fd)
{
    struct stat st;
    int err = errno;
    bool only = err == EOPNOTSUPP || err == EINVAL || err == ENOSYS || err == ESPIPE;
    if (err == EAGAIN) only = fstat(fd, &st) == 0 && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode);
    errno = err;
    return only;
}

ssize_t thread_read_now(int fd, void *p, size_t n)
{
    struct iovec v = {.iov_base = p, .iov_len = n};
    ssize_t got = preadv2(fd, &v, 1, -1, RWF_NOWAIT);
    return got < 0 && can_only_wait(fd) ? read(fd, p, n) : got;
}

ssize_t thread_write_now(int fd, const void *p, size_t n)
{
    struct iovec v = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};
    ssize_t done = pwritev2(fd, &v, 1, -1, RWF_NOWAIT);
    return done < 0 && can_only_wait(fd) ? write(fd, p, n) : done;
}

thread *thread_self(vm *vm)
{
    pthread_mutex_lock(&vm->lock->mutex);
    thread *th = lock_self(vm->lock);
    pthread_mutex_unlock(&vm->lock->mutex);
    return th;
}

void thread_adopt_main(vm *vm)
{
    struct vm_lock *l = vm->lock;
    thread *th = &vm->main_thread;
    if (LIKELY(pthread_equal(th->os->id, pthread_self()))) return;
    pthread_mutex_lock(&l->mutex);
    lock_unknow(l, th);
    lock_know(l, th, pthread_self());
    pthread_mutex_unlock(&l->mutex);
    thread_set_c_stack(th);
}
