/* The poller: one epoll set per loop, one record per watched descriptor.
 *
 * A turn of the loop polls whenever a descriptor is watched. What is ready is appended to the ready queue, reader
 * before writer, before the timers that are due: the order of CPython's selector loop.
 *
 * Invariants
 *  1. The epoll set is made by the first wait or watch, never at the start of a VM: a host may fork until then.
 *  2. Each registration carries descriptor | generation << 32. Events of another generation are of a descriptor that
 *     was closed while a duplicate keeps its registration alive: they are dropped, and when they keep coming the set
 *     is made anew.
 *  3. A descriptor is either level-triggered (reader and writer come and go; epoll is told each time, since the
 *     script may have closed and reopened it) or owned by a transport (edge-triggered, told once).
 *  4. An owner that did not read until EAGAIN has its `again` bits set, and the next poll does not wait.
 *  5. Nothing is lost when the ready queue can't grow: the bits stay in `again`.
 */
#include "runtime/poller.h"
#include "runtime/monitor.h"
#include "vm/file.h"
#include "vm/lock.h"
#include "vm/native.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { MIN_EVENTS = 64, MAX_EVENTS = 4096, MAX_STALE = 16, BLIND_WAIT_NS = 50 * 1000 * 1000 };
#define ID_WAKE UINT32_MAX /* in the place of the descriptor: one of our own */

static bool epoll_add(int epfd, int fd, uint64_t data, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.u64 = data};
    return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e) == 0;
}

/* The VM's own wake-up descriptor (signals) and the loop's (other threads) are both in the set. The first is in those
 * of all threads' loops, so it is edge-triggered and nobody drains it. false: errno. */
static bool epoll_open(vm *vm, poller *p)
{
    runtime *rt = runtime_of(vm);
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) return false;
    if (p->wake_fd < 0) p->wake_fd = platform_wake_open();
    bool ok = p->wake_fd >= 0 && runtime_wake_fd(vm) >= 0 && epoll_add(fd, p->wake_fd, ID_WAKE, EPOLLIN) &&
              epoll_add(fd, rt->wake_fd, ID_WAKE, EPOLLIN | EPOLLET) &&
              (p->timer_fd < 0 || epoll_add(fd, p->timer_fd, ID_WAKE, EPOLLIN));
    if (ok) {
        p->fd = fd;
        return true;
    }
    int err = errno;
    close(fd);
    errno = err;
    return false;
}

/* false: errno, or MemoryError is raised. */
static bool open_quiet(vm *vm, loop *l)
{
    if (LIKELY(l->poller && l->poller->fd >= 0)) return true;
    if (!l->poller) {
        poller *p = mem_zalloc(vm, sizeof *p);
        if (!p) return false;
        p->fd = p->wake_fd = p->timer_fd = -1;
        l->poller = p;
    }
    return epoll_open(vm, l->poller);
}
static poller *poller_open(vm *vm, loop *l)
{
    if (LIKELY(open_quiet(vm, l))) return l->poller;
    if (!raised(vm)) raise_os_error(vm, errno, V_UNBOUND);
    return NULL;
}

/* ---- records ---- */

static watch *find(const loop *l, int fd)
{
    poller *p = l->poller;
    return p && fd >= 0 && (size_t)fd < p->cap ? &p->watches[fd] : NULL;
}

static watch *record(vm *vm, poller *p, int fd)
{
    if ((size_t)fd >= p->cap) {
        size_t cap = p->cap ? p->cap : 16, bytes;
        while (cap <= (size_t)fd) cap *= 2;
        watch *w = size_mul(cap, sizeof *w, &bytes) ? mem_realloc(vm, p->watches, p->cap * sizeof *w, bytes) : NULL;
        if (!w) {
            if (!raised(vm)) raise_memory(vm);
            return NULL;
        }
        memset(w + p->cap, 0, (cap - p->cap) * sizeof *w);
        p->watches = w;
        p->cap = cap;
    }
    return &p->watches[fd];
}

static bool in_use(const watch *w) { return !value_is_unbound(w->reader) || !value_is_unbound(w->writer); }

static void cancel(vm *vm, value *cb)
{
    value v = *cb;
    *cb = V_UNBOUND;
    if (value_is_unbound(v)) return;
    if (callback_is(vm, v)) AS(callback_obj, v)->dead = true;
    else handle_cancel(vm, AS(handle, v));
}

/* Makes epoll watch for `events` (0: nothing). false: errno. */
static bool tell(vm *vm, poller *p, int fd, watch *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.u64 = (uint32_t)fd | (uint64_t)w->generation << 32};
    if (!events) { /* what is closed has left the set by itself */
        if (w->told) epoll_ctl(p->fd, EPOLL_CTL_DEL, fd, &e);
        w->told = 0;
        return true;
    }
    if (w->told && epoll_ctl(p->fd, EPOLL_CTL_MOD, fd, &e) == 0) {
        w->told = events;
        return true;
    }
    if (w->told) { /* it was closed: the callbacks were those of another file */
        if (errno != ENOENT && errno != EBADF) return false;
        cancel(vm, &w->reader);
        cancel(vm, &w->writer);
        p->count--;
        w->told = 0;
    }
    w->generation = p->generation++;
    e.data.u64 = (uint32_t)fd | (uint64_t)w->generation << 32;
    if (epoll_ctl(p->fd, EPOLL_CTL_ADD, fd, &e) && (errno != EEXIST || epoll_ctl(p->fd, EPOLL_CTL_MOD, fd, &e)))
        return false;
    w->told = events;
    return true;
}

bool poller_add(vm *vm, loop *l, int fd, enum poll_bits what, value callback)
{
    poller *p = poller_open(vm, l);
    watch *w = p ? record(vm, p, fd) : NULL;
    if (!w) return false;
    uint32_t events = (what == POLL_READ || !value_is_unbound(w->reader) ? EPOLLIN : 0) |
                      (what == POLL_WRITE || !value_is_unbound(w->writer) ? EPOLLOUT : 0);
    if (!tell(vm, p, fd, w, events)) {
        raise_os_error(vm, errno, V_UNBOUND);
        return false;
    }
    if (!in_use(w)) {
        p->count++;
        if (w->told != (what == POLL_READ ? EPOLLIN : EPOLLOUT))
            tell(vm, p, fd, w, what == POLL_READ ? EPOLLIN : EPOLLOUT);
    }
    value *cb = what == POLL_READ ? &w->reader : &w->writer;
    cancel(vm, cb);
    *cb = callback;
    gc_barrier(vm, l);
    return true;
}

int poller_remove(vm *vm, loop *l, int fd, enum poll_bits what)
{
    watch *w = find(l, fd);
    value *cb = w ? (what == POLL_READ ? &w->reader : &w->writer) : NULL;
    if (!w || value_is_unbound(*cb)) return 0;
    cancel(vm, cb);
    uint32_t events = (value_is_unbound(w->reader) ? 0 : EPOLLIN) | (value_is_unbound(w->writer) ? 0 : EPOLLOUT);
    if (!events) l->poller->count--;
    if (!tell(vm, l->poller, fd, w, events)) w->told = 0; /* can't be: the other callback stays for a later event */
    return 1;
}

bool poller_own(vm *vm, loop *l, int fd, callback_obj *reader, callback_obj *writer, value owner)
{
    poller *p = poller_open(vm, l);
    watch *w = p ? record(vm, p, fd) : NULL;
    if (!w) return false;
    if (in_use(w)) { /* of a file that was closed and whose number came up again */
        cancel(vm, &w->reader);
        cancel(vm, &w->writer);
        p->count--;
    }
    uint32_t events = EPOLLET | EPOLLRDHUP | (reader ? EPOLLIN : 0) | (writer ? EPOLLOUT : 0);
    w->again = 0;
    if (!tell(vm, p, fd, w, 0) || !tell(vm, p, fd, w, events)) {
        raise_os_error(vm, errno, V_UNBOUND);
        return false;
    }
    w->reader = reader ? value_obj(reader) : V_UNBOUND;
    w->writer = writer ? value_obj(writer) : V_UNBOUND;
    w->owner = owner;
    p->count++;
    gc_barrier(vm, l);
    return true;
}

void poller_disown(vm *vm, loop *l, int fd)
{
    watch *w = find(l, fd);
    if (!w || !in_use(w)) return;
    tell(vm, l->poller, fd, w, 0);
    w->reader = w->writer = w->owner = V_UNBOUND;
    w->again = 0;
    l->poller->count--;
}

void poller_again(vm *vm, loop *l, int fd, enum poll_bits what)
{
    watch *w = find(l, fd);
    if (!w || !in_use(w)) return;
    poller *p = l->poller;
    if (!w->again) {
        if (p->nagain == p->capagain) {
            size_t cap = p->capagain ? p->capagain * 2 : 16;
            int *again = mem_realloc_quiet(vm, p->again, p->capagain * sizeof *again, cap * sizeof *again);
            if (!again) { /* no room for the note: epoll tells it once more when it is told anew */
                tell(vm, p, fd, w, w->told);
                return;
            }
            p->again = again;
            p->capagain = cap;
        }
        p->again[p->nagain++] = fd;
    }
    w->again |= what;
}

void poller_rearm(vm *vm, loop *l, int fd)
{
    watch *w = find(l, fd);
    if (w && w->told && in_use(w)) tell(vm, l->poller, fd, w, w->told);
}

value poller_owner(loop *l, int fd)
{
    watch *w = find(l, fd);
    return w ? w->owner : V_UNBOUND;
}

/* ---- polling ---- */

/* A watch's callbacks go into the ready queue. false: raised; what is not yet there stays in `again`. */
static bool deliver(vm *vm, loop *l, int fd, watch *w, unsigned bits)
{
    value arg = value_int(bits);
    if ((bits & POLL_READ) && !value_is_unbound(w->reader) && !loop_push(vm, l, w->reader, arg)) {
        poller_again(vm, l, fd, bits);
        return false;
    }
    if ((bits & POLL_WRITE) && !value_is_unbound(w->writer) && !loop_push(vm, l, w->writer, arg)) {
        poller_again(vm, l, fd, bits & ~POLL_READ);
        return false;
    }
    return true;
}

/* A closed file keeps reporting through a duplicate of its descriptor: a fresh set knows it no more. */
static void rebuild(vm *vm, poller *p)
{
    int old = p->fd;
    p->stale = 0;
    if (!epoll_open(vm, p)) {
        p->fd = old;
        return;
    }
    for (size_t fd = 0; fd < p->cap; fd++) {
        watch *w = &p->watches[fd];
        uint32_t events = w->told;
        w->told = 0;
        if (events) tell(vm, p, (int)fd, w, events);
    }
    close(old);
}

static unsigned bits_of(uint32_t events)
{
    return (events & ~EPOLLOUT ? POLL_READ : 0) | (events & ~(EPOLLIN | EPOLLRDHUP) ? POLL_WRITE : 0) |
           (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? POLL_END : 0);
}

static bool deliver_events(vm *vm, loop *l, const struct epoll_event *events, int n)
{
    poller *p = l->poller;
    bool ok = true;
    for (int i = 0; i < n; i++) {
        uint32_t fd = (uint32_t)events[i].data.u64;
        if (fd == ID_WAKE) {
            platform_wake_drain(p->wake_fd);
            platform_wake_drain(p->timer_fd);
            continue;
        }
        watch *w = fd < p->cap ? &p->watches[fd] : NULL;
        if (!w || !w->told || w->generation != events[i].data.u64 >> 32) p->stale++;
        else w->hit |= bits_of(events[i].events);
    }
    size_t nagain = p->nagain;
    for (size_t i = 0; i < nagain; i++) {
        int fd = p->again[i];
        watch *w = &p->watches[fd];
        unsigned bits = w->again | w->hit;
        bool wanted = w->again != 0;
        w->again = w->hit = 0;
        if (wanted && ok) ok = deliver(vm, l, fd, w, bits);
        else if (wanted) poller_again(vm, l, fd, bits);
    }
    if (nagain) {
        memmove(p->again, p->again + nagain, (p->nagain - nagain) * sizeof *p->again);
        p->nagain -= nagain;
    }
    for (int i = 0; i < n; i++) {
        uint32_t fd = (uint32_t)events[i].data.u64;
        watch *w = fd < p->cap ? &p->watches[fd] : NULL;
        unsigned bits = w ? w->hit : 0;
        if (!bits) continue;
        w->hit = 0;
        if (ok) ok = deliver(vm, l, (int)fd, w, bits);
        else poller_again(vm, l, (int)fd, bits);
    }
    if (UNLIKELY(p->stale >= MAX_STALE)) rebuild(vm, p);
    return ok;
}

/* Room for an event of each descriptor, not while another thread may add some: so just before a poll. */
static void grow_events(vm *vm, poller *p)
{
    size_t n = p->cap_events ? p->cap_events : MIN_EVENTS;
    while (n < p->count && n < MAX_EVENTS) n *= 2;
    if (n == p->cap_events) return;
    void *events =
        mem_realloc_quiet(vm, p->events, p->cap_events * sizeof(struct epoll_event), n * sizeof(struct epoll_event));
    if (!events) return;
    p->events = events;
    p->cap_events = n;
}

bool poller_poll(vm *vm, loop *l, int64_t ns)
{
    runtime *rt = runtime_of(vm);
    if (ns && UNLIKELY(!open_quiet(vm, l))) { /* no descriptors left: wait without them */
        if (raised(vm)) return false;
        runtime_wait(vm, ns < 0 || ns > BLIND_WAIT_NS ? BLIND_WAIT_NS : ns); /* threads can't wake us */
        return true;
    }
    poller *p = l->poller;
    if (!p) return true;
    if (UNLIKELY(p->count > p->cap_events)) grow_events(vm, p);
    struct epoll_event few[4], *events = p->cap_events ? p->events : few;
    int max = (int)(p->cap_events ? p->cap_events : sizeof few / sizeof *few), n, err;
    if (p->nagain || (ns && __atomic_load_n(&vm->pending, __ATOMIC_ACQUIRE))) ns = 0;
    if (ns) {
        ns = runtime_clamp_wait(vm, ns);
        files_flush_all(vm);
        monitor_sleeps(rt, true);
        bool busy = runtime_busy(rt), with_threads = rt->clock.is_virtual && !thread_alone(vm);
        if (UNLIKELY(with_threads)) ns = thread_poll_begin(vm, ns, busy);
        vm_unlock(vm);
        n = rt->platform->poll(&rt->clock, p->fd, events, max, ns, p->count > 0, busy);
        err = errno;
        vm_lock(vm);
        if (UNLIKELY(with_threads)) thread_poll_end(vm, n == 0);
        if (UNLIKELY(vm->deadline_ns)) __atomic_fetch_or(&vm->pending, VMP_LIMIT, __ATOMIC_ACQ_REL);
        monitor_sleeps(rt, false);
    } else {
        n = epoll_wait(p->fd, events, max, 0);
        err = errno;
    }
    if (n < 0 && err != EINTR) {
        raise_os_error(vm, err, V_UNBOUND);
        return false;
    }
    return deliver_events(vm, l, events, n < 0 ? 0 : n);
}

void poller_wake(loop *l)
{
    if (l->running_in) thread_rouse(l->running_in);
    if (l->poller) platform_wake(l->poller->wake_fd);
}

/* ---- for hosts ---- */

int poller_host_fd(vm *vm, loop *l)
{
    poller *p = poller_open(vm, l);
    if (!p) return -1;
    if (p->timer_fd < 0) {
        int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (fd < 0 || !epoll_add(p->fd, fd, ID_WAKE, EPOLLIN)) {
            raise_os_error(vm, errno, V_UNBOUND);
            if (fd >= 0) close(fd);
            return -1;
        }
        p->timer_fd = fd;
    }
    return p->fd;
}

bool poller_arm(vm *vm, loop *l, int64_t when_ns)
{
    if (poller_host_fd(vm, l) < 0) return false;
    struct itimerspec t = {0};
    if (when_ns >= 0) { /* 0 would disarm it */
        t.it_value.tv_sec = when_ns / 1000000000;
        t.it_value.tv_nsec = when_ns % 1000000000 + (when_ns == 0);
    }
    if (timerfd_settime(l->poller->timer_fd, TFD_TIMER_ABSTIME, &t, NULL) == 0) return true;
    raise_os_error(vm, errno, V_UNBOUND);
    return false;
}

/* ---- the end ---- */

void poller_close(vm *vm, loop *l)
{
    poller *p = l->poller;
    if (!p) return;
    l->poller = NULL;
    const int fds[] = {p->fd, p->wake_fd, p->timer_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0) close(fds[i]);
    mem_free(vm, p->watches, p->cap * sizeof *p->watches);
    mem_free(vm, p->again, p->capagain * sizeof *p->again);
    mem_free(vm, p->events, p->cap_events * sizeof(struct epoll_event));
    mem_free(vm, p, sizeof *p);
}

void poller_mark(vm *vm, const poller *p)
{
    for (size_t i = 0; p && i < p->cap; i++) {
        gc_mark_value(vm, p->watches[i].reader);
        gc_mark_value(vm, p->watches[i].writer);
        gc_mark_value(vm, p->watches[i].owner);
    }
}
