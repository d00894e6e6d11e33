/* What the loop needs of the operating system, behind one small table, so that time can be simulated. */
#ifndef AIOVM_RUNTIME_PLATFORM_H
#define AIOVM_RUNTIME_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct clock_state {
    bool is_virtual;
    int64_t now_ns, wall_ns; /* virtual time */
    int64_t grace_ns;        /* virtual: a poll of watched descriptors lasts so long before time jumps */
    void *host;              /* the embedding host's clock: api_vm.c */
    uint32_t reads;          /* since it last moved: a script that polls the clock gets real time after a while */
} clock_state;

typedef struct platform {
    int64_t (*monotonic_ns)(clock_state *);
    int64_t (*wall_ns)(clock_state *);
    void (*advance)(clock_state *, int64_t ns); /* a wait in which nothing happens; NULL: time passes by itself */
    /* epoll_wait for `ns` (negative: for ever), `max` events. Virtual: time jumps when nothing comes within the grace
     * period (at once when no descriptor is `watched`), but stands still while work is under way outside (`busy`). */
    int (*poll)(clock_state *, int epfd, void *events, int max, int64_t ns, bool watched, bool busy);
    void (*random_bytes)(void *p, uint64_t n);
} platform;

extern const platform platform_real, platform_virtual;

/* write() that raises no SIGPIPE. */
ssize_t platform_pipe_write(int fd, const void *p, size_t n);
int platform_wake_open(void);          /* a descriptor to wake waits with; -1: errno */
void platform_wake(int wake_fd);       /* from any thread or signal handler */
void platform_wake_drain(int wake_fd); /* of an eventfd or timerfd, or -1 */
void platform_wake_close(int wake_fd);

#endif
