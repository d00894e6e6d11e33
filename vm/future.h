/* The layouts of Future and Task: what the interpreter touches inline when it awaits. Behaviour: runtime/. */
#ifndef AIO_FUTURE_H
#define AIO_FUTURE_H

#include "frame.h"

enum future_flags {                /* header.flags */
                    FUT_STATE = 3, /* FUT_PENDING, FUT_FINISHED, FUT_CANCELLED */
                    FUT_PENDING = 0,
                    FUT_FINISHED = 1,
                    FUT_CANCELLED = 2,
                    FUT_EXCEPTION = 4, /* FINISHED with an exception in `result` */
                    FUT_LOG_TB = 8,    /* exception not retrieved yet */
                    FUT_BLOCKING = 16, /* _asyncio_future_blocking */
                    FUT_TASK_MUST_CANCEL = 32,
                    FUT_TASK_LISTED = 64,  /* in the table of pending tasks */
                    FUT_TASK_NO_LOG = 128, /* no "destroyed but pending" */
                    FUT_GATHER = 256,      /* gather's outer future */
                    FUT_TASK_RUNNING = 512,
                    FUT_TASK_DIRECT = 1024, /* the leaf is at AWAIT of waiting_on: its result is sent as it is */
                    FUT_TIMER = 2048, /* a timer finishes it: finishing it otherwise leaves a dead entry in the heap */
                    FUT_GATHER_CANCEL = 4096, /* gather: cancel() was asked for and some child took it */
                    FUT_HOST = 16384,         /* of a host operation, whose number `result` holds while it is pending */
                    FUT_SOURCE = 32768,       /* debug mode knows where it was made: runtime/source.c */
                    FUT_SEEN = 8192,          /* gather: already among the arguments; only set within the call */
};
typedef struct future {
    object h;
    value *slots;
    value result; /* result or exception; CANCELLED: the CancelledError given out last, or unbound */
    object *loop;
    object *waiter; /* the first registered waiter when that is a Task (inline slot), else NULL */
    /* unbound, or list of callback, context, callback, context, ... registered after `waiter` */
    value callbacks;
    value cancel_msg;
} future;
typedef struct task {
    future f;
    frame *coro;        /* NULL when done, or when the coroutine is no frame */
    frame *leaf;        /* innermost suspended frame: where a resume goes */
    value coro_obj;     /* what get_coro() gives */
    object *waiting_on; /* what it waits for: a Future, or something like one; when it failed: who awaited it */
    /* next step: unbound = outcome of waiting_on, an exception = throw it, None = send None */
    value wake;
    value context; /* contextvars.Context or unbound */
    value name;    /* str, or int N for the default "Task-N" */
    value handled; /* its thread->handled while suspended */
    uint32_t ncancel;
    uint32_t index; /* in the runtime's table of pending tasks, + 1 */
} task;

static inline unsigned future_state(const future *f) { return f->h.flags & FUT_STATE; }
#endif
