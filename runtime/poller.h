/* Descriptors that a loop watches: the essay is in poller.c.
 *
 * Two kinds of watch:
 *   - poller_add/poller_remove: level-triggered, reading and writing apart, what add_reader() and add_writer() do.
 *     The callback is a Handle or a callback_obj; it goes into the ready queue in the turn whose poll found the
 *     descriptor ready.
 *   - poller_own: a transport's descriptor, told to epoll once, edge-triggered in both directions. After an event the
 *     owner reads (writes) until the call would block, or calls poller_again to be called once more after the next
 *     poll.
 * A callback_obj is called with the int of the POLL_* bits that were found. */
#ifndef AIOVM_RUNTIME_POLLER_H
#define AIOVM_RUNTIME_POLLER_H

#include "runtime/loop.h"

enum poll_bits {
    POLL_READ = 1,
    POLL_WRITE = 2,
    /* the peer has finished, or there is an error: a short read is not the last one (owned descriptors) */
    POLL_END = 4,
};

typedef struct watch {
    value reader, writer; /* Handle or callback_obj; unbound: not watched for that */
    value owner;          /* of an edge-triggered descriptor: its transport; else unbound */
    uint32_t generation;
    uint32_t told;      /* what epoll knows of it; 0: it is not in the set */
    uint8_t again, hit; /* POLL_*: to be called after the next poll in any case; found in this poll */
} watch;

typedef struct poller {
    /* epoll, eventfd and timerfd, the latter two in the set of the first; -1: not there yet */
    int fd, wake_fd, timer_fd;
    watch *watches;    /* by descriptor */
    size_t cap, count; /* count: watched descriptors */
    int *again;        /* descriptors whose watch has `again` bits, in order */
    size_t nagain, capagain;
    void *events; /* struct epoll_event[cap_events] */
    size_t cap_events;
    uint32_t generation, stale; /* stale: events of descriptors that nobody watches, since the last rebuild */
} poller;

/* replaces (and cancels) the one before */
bool poller_add(vm *vm, loop *l, int fd, enum poll_bits what, value callback);
int poller_remove(vm *vm, loop *l, int fd, enum poll_bits what); /* 1, or 0: was not watched */
/* The descriptor belongs to a transport until poller_disown, which must come before close(). false: raised. */
bool poller_own(vm *vm, loop *l, int fd, callback_obj *reader, callback_obj *writer, value owner);
void poller_disown(vm *vm, loop *l, int fd);
/* owned: call me after the next poll */
void poller_again(vm *vm, loop *l, int fd, enum poll_bits what);
/* Owned: a call would have blocked. If the kernel holds the descriptor ready all the same, the event comes again. */
void poller_rearm(vm *vm, loop *l, int fd);
value poller_owner(loop *l, int fd); /* the transport, or unbound */

/* watch.c: an int or the fileno() of an object; -1 raised (ValueError). */
int fd_argument(vm *vm, value v);

/* Something is watched, so an outside event can wake the loop. */
static inline bool poller_active(const loop *l) { return l->poller && l->poller->count; }
/* Polls; `ns` > 0 waits so long, < 0 for ever, 0 not at all. What is ready goes into the ready queue. false: raised. */
bool poller_poll(vm *vm, loop *l, int64_t ns);
/* Ends a wait of this loop, from any thread, with the VM's lock held. */
void poller_wake(loop *l);
/* The one descriptor that tells a host everything; -1: raised. It is readable when a descriptor is ready, the loop was
 * woken or the time set by poller_arm (nanoseconds on the loop's clock; negative: none) has come. */
int poller_host_fd(vm *vm, loop *l);
bool poller_arm(vm *vm, loop *l, int64_t when_ns);

void poller_close(vm *vm, loop *l); /* closes the set and forgets all watches; no script runs */
void poller_mark(vm *vm, const poller *p);

#endif
