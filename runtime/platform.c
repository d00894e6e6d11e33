/* Clocks, sleeping and randomness: the real ones, and a clock that jumps. */
#include "runtime/platform.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int64_t now(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t real_monotonic(clock_state *c)
{
    (void)c;
    return now(CLOCK_MONOTONIC);
}
static int64_t real_wall(clock_state *c)
{
    (void)c;
    return now(CLOCK_REALTIME);
}
/* To the nanosecond where the kernel can do it (5.11), else rounded up to milliseconds. */
static int poll_for(int epfd, struct epoll_event *events, int max, int64_t ns)
{
    enum { MS = 1000000 };
    if (ns <= 0) return epoll_wait(epfd, events, max, ns < 0 ? -1 : 0);
    struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    int n = epoll_pwait2(epfd, events, max, &t, NULL);
    if (n >= 0 || (errno != ENOSYS && errno != EPERM)) return n;
    int64_t ms = ns / MS + (ns % MS != 0);
    return epoll_wait(epfd, events, max, ms > INT32_MAX ? INT32_MAX : (int)ms);
}
static int real_poll(clock_state *c, int epfd, void *events, int max, int64_t ns, bool watched, bool busy)
{
    (void)c, (void)watched, (void)busy;
    return poll_for(epfd, events, max, ns);
}

int platform_wake_open(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
void platform_wake(int wake_fd)
{
    int saved = errno; /* we may be in a signal handler */
    uint64_t one = 1;
    ssize_t done = wake_fd >= 0 ? write(wake_fd, &one, sizeof one) : 0;
    (void)done;
    errno = saved;
}
void platform_wake_drain(int wake_fd)
{
    uint64_t n;
    ssize_t got = wake_fd >= 0 ? read(wake_fd, &n, sizeof n) : 0;
    (void)got;
}
void platform_wake_close(int wake_fd)
{
    if (wake_fd >= 0) close(wake_fd);
}

/* write() to a pipe without its reader raises SIGPIPE, whose handling is the host's affair: it is held back meanwhile.
 */
ssize_t platform_pipe_write(int fd, const void *p, size_t n)
{
    sigset_t pipe_set, old, pending;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
    ssize_t r = write(fd, p, n);
    int err = errno;
    if (r < 0 && err == EPIPE && !sigismember(&pending, SIGPIPE)) {
        struct timespec none = {0};
        while (sigtimedwait(&pipe_set, NULL, &none) < 0 && errno == EINTR) continue;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = err;
    return r;
}

static void random_bytes(void *p, uint64_t n)
{
    unsigned char *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got <= 0) {
            if (got < 0 && errno == EINTR) continue;
            for (uint64_t i = 0; i < n; i++) at[i] = (unsigned char)(now(CLOCK_MONOTONIC) >> (i & 7));
            return;
        }
        at += got;
        n -= (uint64_t)got;
    }
}

/* Virtual time stands still between sleeps, so that results do not depend on the machine's speed. A script that waits
 * by reading the clock in a loop would never end: after many reads without a sleep, a read moves time by a microsecond.
 */
enum { PATIENT_READS = 10000, BUSY_STEP_NS = 1000 };
static void virtual_read(clock_state *c)
{
    if (c->now_ns == 0) {
        c->now_ns = now(CLOCK_MONOTONIC);
        c->wall_ns = now(CLOCK_REALTIME);
    }
    if (++c->reads > PATIENT_READS) {
        c->now_ns += BUSY_STEP_NS;
        c->wall_ns += BUSY_STEP_NS;
    }
}
static int64_t virtual_monotonic(clock_state *c)
{
    virtual_read(c);
    return c->now_ns;
}
static int64_t virtual_wall(clock_state *c)
{
    virtual_read(c);
    return c->wall_ns;
}
static void virtual_advance(clock_state *c, int64_t ns)
{
    virtual_read(c);
    c->now_ns += ns;
    c->wall_ns += ns;
    c->reads = 0;
}

static int virtual_poll(clock_state *c, int epfd, void *events, int max, int64_t ns, bool watched, bool busy)
{
    if (ns > 0) {
        virtual_read(c);
        c->reads = 0;
    }
    int n = poll_for(epfd, events, max, ns < 0 || busy ? -1 : watched ? c->grace_ns : 0);
    if (n == 0 && ns > 0) {
        c->now_ns += ns;
        c->wall_ns += ns;
    }
    return n;
}

const platform platform_real = {real_monotonic, real_wall, NULL, real_poll, random_bytes};
const platform platform_virtual = {virtual_monotonic, virtual_wall, virtual_advance, virtual_poll, random_bytes};
