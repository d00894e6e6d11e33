/* The monitor thread.
 *
 * It looks at the loop of the main thread twenty times a second while that runs, and sleeps for good while the loop
 * waits. When nothing has moved for two looks, some task holds the loop: the monitor asks the VM to say which, while it
 * does. It also listens on a socket for `aio ps` and `aio tree`. It touches nothing of the VM: it sets bits in
 * vm->pending, and the main thread answers at its next poll, where everything is in order.
 *
 * Invariants
 *  1. `mutex` guards `watched`, the request and `stop`. The main thread takes it only when a loop begins or ends and
 *     when it answers.
 *  2. `watched` is a loop that runs in the main thread; of it only the counters qhead and turns are read, without a
 *     lock: any change means progress, so a torn or stale value does no harm.
 *  3. While the monitor is dormant it is in poll() without a time limit; the loop wakes it through wake_fd after a
 *     wait.
 *  4. The socket is in the abstract namespace, so it leaves no file behind. Only the same user, or root, gets an
 *     answer.
 */
#include "runtime/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "runtime/graph.h"
#include "runtime/monitor_socket.h"
#include "vm/file.h"
#include "vm/os_thread.h"
#include "vm/str.h"

enum { LOOK_MS = 50, SLOW_MS = 100, ANSWER_MS = 2000, WRITE_MS = 2000, REQUEST_MAX = 16, STACK_SIZE = 128 * 1024 };

struct monitor {
    vm *vm;
    unsigned duties;
    pthread_t thread;
    bool started, running, stop;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    int wake_fd, listen_fd;
    loop *watched;
    long loop_tid;   /* the thread of `watched` */
    int64_t held_ms; /* of the report that is asked for; 0: none */
    bool asked;      /* a question waits for its answer */
    enum dump_format format;
    char *answer; /* malloc, or NULL */
    size_t length;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the socket ---- */

static int listen_on_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    for (int number = 0; number < MONITOR_VMS; number++) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int n = monitor_socket_name(a.sun_path, sizeof a.sun_path, (long)getpid(), number);
        if (bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)) == 0) {
            if (listen(fd, 4) == 0) return fd;
            break;
        }
        if (errno != EADDRINUSE) break;
    }
    close(fd);
    return -1;
}

static bool may_ask(int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (who.uid == geteuid() || who.uid == 0);
}

static bool wait_for(int fd, short events, int ms)
{
    struct pollfd p = {fd, events, 0};
    return poll(&p, 1, ms) > 0;
}

static void write_all(int fd, const char *text, size_t n)
{
    int64_t end = now_ms() + WRITE_MS;
    while (n && now_ms() < end) {
        ssize_t did = send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (did > 0) {
            text += did;
            n -= (size_t)did;
        } else if (did < 0 && errno == EAGAIN) {
            wait_for(fd, POLLOUT, WRITE_MS);
        } else if (errno != EINTR) {
            return;
        }
    }
}

static bool parse_request(const char *text, enum dump_format *format)
{
    static const struct {
        const char *word;
        enum dump_format format;
    } words[] = {
        {"ps\n", DUMP_TABLE},
        {"tree\n", DUMP_TREE},
        {"stacks\n", DUMP_STACKS},
        {"json\n", DUMP_JSON},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i].word) != 0) continue;
        *format = words[i].format;
        return true;
    }
    return false;
}

/* Called with the mutex held, which it gives up while it waits. */
static bool wait_for_answer(struct monitor *m)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ANSWER_MS / 1000;
    while (m->asked && !m->stop)
        if (pthread_cond_timedwait(&m->answered, &m->mutex, &until) == ETIMEDOUT) break;
    bool answered = !m->asked;
    m->asked = false;
    return answered;
}

static void take_question(struct monitor *m)
{
    int fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    char text[REQUEST_MAX + 1] = {0};
    enum dump_format format;
    if (!may_ask(fd)) {
        static const char refused[] = "aio: only the user who runs the program may ask\n";
        write_all(fd, refused, sizeof refused - 1);
    } else if (wait_for(fd, POLLIN, WRITE_MS) && recv(fd, text, REQUEST_MAX, 0) > 0 && parse_request(text, &format)) {
        pthread_mutex_lock(&m->mutex);
        m->format = format;
        m->asked = true;
        pthread_mutex_unlock(&m->mutex);
        runtime_interrupt(m->vm, VMP_MONITOR);
        pthread_mutex_lock(&m->mutex);
        bool answered = wait_for_answer(m);
        char *answer = m->answer;
        size_t n = m->length;
        m->answer = NULL;
        pthread_mutex_unlock(&m->mutex);
        static const char busy[] =
            "aio: the program does not answer: it is inside a call that does not come back to the VM\n";
        if (answered && answer) write_all(fd, answer, n);
        else write_all(fd, busy, sizeof busy - 1);
        free(answer);
    }
    close(fd);
}

/* ---- the thread ---- */

struct look {
    uint64_t head, turns;
    int64_t since, starved; /* starved_ms() then */
    bool reported;
};

/* How long the loop's thread was ready to run while others had the processors: not the fault of any task. */
static int64_t starved_ms(const struct monitor *m)
{
    char path[64], text[96];
    snprintf(path, sizeof path, "/proc/self/task/%ld/schedstat", m->loop_tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    long long ran = 0, waited = 0; /* nanoseconds */
    return sscanf(text, "%lld %lld", &ran, &waited) == 2 ? waited / 1000000 : 0;
}

/* One look at the loop. Returns how long to sleep: -1 until woken. */
static int look_at_loop(struct monitor *m, struct look *last)
{
    runtime *rt = runtime_of(m->vm);
    int64_t held = 0;
    int sleep_ms = LOOK_MS;
    pthread_mutex_lock(&m->mutex);
    loop *l = m->watched;
    if (!(m->duties & MONITOR_WATCHDOG) || !l || __atomic_load_n(&rt->asleep, __ATOMIC_SEQ_CST)) {
        last->since = 0;
        sleep_ms = -1;
    } else {
        uint64_t head = __atomic_load_n(&l->qhead, __ATOMIC_RELAXED),
                 turns = __atomic_load_n(&l->turns, __ATOMIC_RELAXED);
        int64_t now = now_ms();
        if (!last->since || head != last->head || turns != last->turns) {
            *last = (struct look){head, turns, now, starved_ms(m), false};
        } else if (!last->reported && now - last->since >= SLOW_MS) {
            int64_t own = now - last->since - (starved_ms(m) - last->starved);
            if (own >= SLOW_MS) held = own;
        }
        if (held) {
            last->reported = true;
            m->held_ms = held;
        }
    }
    pthread_mutex_unlock(&m->mutex);
    if (held) runtime_interrupt(m->vm, VMP_MONITOR);
    return sleep_ms;
}

static void *monitor_main(void *ud)
{
    struct monitor *m = ud;
    runtime *rt = runtime_of(m->vm);
    struct look last = {0};
    pthread_mutex_lock(&m->mutex);
    m->thread = pthread_self();
    m->running = true;
    pthread_cond_signal(&m->answered);
    pthread_mutex_unlock(&m->mutex);
    for (;;) {
        int ms = look_at_loop(m, &last);
        if (ms < 0) {
            __atomic_store_n(&rt->monitor_dormant, true, __ATOMIC_SEQ_CST);
            ms = look_at_loop(m, &last); /* it may have woken up just before */
        }
        struct pollfd fds[2] = {{m->wake_fd, POLLIN, 0}, {m->listen_fd, POLLIN, 0}};
        int n = poll(fds, m->listen_fd >= 0 ? 2 : 1, ms);
        __atomic_store_n(&rt->monitor_dormant, false, __ATOMIC_SEQ_CST);
        if (n > 0 && fds[0].revents) platform_wake_drain(m->wake_fd);
        pthread_mutex_lock(&m->mutex);
        bool stop = m->stop;
        pthread_mutex_unlock(&m->mutex);
        if (stop) return NULL;
        if (n > 0 && m->listen_fd >= 0 && fds[1].revents) take_question(m);
    }
}

static void monitor_start(struct monitor *m)
{
    m->wake_fd = platform_wake_open();
    if (m->wake_fd < 0) return;
    if (m->duties & MONITOR_INSPECT) m->listen_fd = listen_on_socket();
    m->started = os_thread_start(STACK_SIZE, monitor_main, m) == 0;
    pthread_mutex_lock(&m->mutex);
    while (m->started && !m->running) pthread_cond_wait(&m->answered, &m->mutex); /* it says who it is */
    pthread_mutex_unlock(&m->mutex);
}

/* ---- what the main thread calls ---- */

void monitor_allow(vm *vm, unsigned duties)
{
    runtime *rt = runtime_of(vm);
    if (rt->report[REPORT_SLOW] == REPORT_OFF) duties &= ~(unsigned)MONITOR_WATCHDOG;
    if (rt->monitor || !duties) return;
    struct monitor *m = mem_realloc_quiet(vm, NULL, 0, sizeof *m);
    if (!m) return; /* the program does without */
    *m = (struct monitor){.vm = vm, .duties = duties, .wake_fd = -1, .listen_fd = -1};
    pthread_mutex_init(&m->mutex, NULL);
    pthread_cond_init(&m->answered, NULL);
    rt->monitor = m;
}

/* One that only answers questions sleeps until there is one. */
void monitor_wake(runtime *rt)
{
    if (rt->monitor->duties & MONITOR_WATCHDOG) platform_wake(rt->monitor->wake_fd);
}

static void watch(runtime *rt, loop *l)
{
    struct monitor *m = rt->monitor;
    pthread_mutex_lock(&m->mutex);
    m->watched = l;
    m->loop_tid = syscall(SYS_gettid);
    pthread_mutex_unlock(&m->mutex);
    if (m->started && l && __atomic_load_n(&rt->monitor_dormant, __ATOMIC_SEQ_CST)) monitor_wake(rt);
}

void monitor_loop_begins(vm *vm, loop *l)
{
    runtime *rt = runtime_of(vm);
    struct monitor *m = rt->monitor;
    if (!m || vm->thread != &vm->main_thread) return;
    rt->asleep = false;
    if (!m->started) monitor_start(m);
    if (m->started) watch(rt, l);
}

void monitor_loop_ends(vm *vm, loop *l)
{
    runtime *rt = runtime_of(vm);
    if (rt->monitor && rt->monitor->watched == l) watch(rt, NULL);
}

static void close_all(vm *vm, bool forked)
{
    runtime *rt = runtime_of(vm);
    struct monitor *m = rt->monitor;
    if (!m) return;
    if (m->started && !forked) {
        pthread_mutex_lock(&m->mutex);
        m->stop = true;
        pthread_cond_signal(&m->answered);
        pthread_mutex_unlock(&m->mutex);
        platform_wake(m->wake_fd);
        pthread_join(m->thread, NULL);
    }
    platform_wake_close(m->wake_fd);
    if (m->listen_fd >= 0) close(m->listen_fd);
    free(m->answer);
    if (!forked) { /* else the thread, which is not there, may be waiting for them */
        pthread_cond_destroy(&m->answered);
        pthread_mutex_destroy(&m->mutex);
    }
    mem_free(vm, m, sizeof *m);
    rt->monitor = NULL;
}

void monitor_close(vm *vm) { close_all(vm, false); }
void monitor_forked(vm *vm) { close_all(vm, true); }

/* The task that runs, or "a callback", and where. false: raised by a report that is an error. */
static bool report_held(vm *vm, int64_t ms)
{
    value now = vm->thread->current_task;
    ROOTS(vm, &now);
    str *who = value_is_kind(now, K_TASK) ? task_name(vm, AS(task, now)) : NULL;
    if (who) who = str_format(vm, "task %R", value_obj(who));
    if (!who && !raised(vm)) who = str_from_cstr(vm, "a callback");
    str *at = who ? place_running(vm) : NULL;
    str *seconds = at ? float_repr(vm, (double)(ms / 10) / 100) : NULL;
    if (!seconds) {
        exc_clear(vm);
        return true;
    }
    return report_line(vm, REPORT_SLOW, true,
                       at->len ? "%U has held the loop for %U s, at %U" : "%U has held the loop for %U s",
                       value_obj(who), value_obj(seconds), value_obj(at));
}

/* Text for another thread: malloc. */
static char *answer_text(vm *vm, enum dump_format format, size_t *n)
{
    str *s = dump_tasks(vm, format);
    const char *text = s ? str_wtf8(vm, s, n) : NULL;
    char *copy = text ? malloc(*n + 1) : NULL;
    if (copy) memcpy(copy, text, *n + 1);
    if (raised(vm)) exc_clear(vm);
    return copy;
}

static bool serve_monitor(vm *vm)
{
    struct monitor *m = runtime_of(vm)->monitor;
    if (!m) return true;
    pthread_mutex_lock(&m->mutex);
    int64_t held = m->held_ms;
    bool asked = m->asked;
    enum dump_format format = m->format;
    m->held_ms = 0;
    pthread_mutex_unlock(&m->mutex);
    if (asked) {
        size_t n = 0;
        char *text = answer_text(vm, format, &n);
        pthread_mutex_lock(&m->mutex);
        if (m->asked) {
            free(m->answer);
            m->answer = text;
            m->length = n;
            m->asked = false;
            pthread_cond_signal(&m->answered);
        } else {
            free(text);
        }
        pthread_mutex_unlock(&m->mutex);
    }
    return !held || report_held(vm, held);
}

bool monitor_serve(vm *vm, int bits)
{
    value exc = raised(vm) ? exc_take(vm) : V_UNBOUND;
    ROOTS(vm, &exc);
    if (bits & VMP_DUMP) {
        str *at = place_running(vm);
        if (at && at->len && (at = str_format(vm, "the program is at %U\n", value_obj(at)))) file_write_stderr(vm, at);
        str *text = dump_tasks(vm, DUMP_STACKS);
        if (text) file_write_stderr(vm, text);
        if (raised(vm)) exc_clear(vm);
    }
    if ((bits & VMP_MONITOR) && !serve_monitor(vm)) return false;
    vm->thread->exc = exc;
    return true;
}
