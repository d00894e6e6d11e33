/* The event loop and the objects it schedules: shared by the files of runtime/. The essay is in loop.c. */
#ifndef AIOVM_RUNTIME_LOOP_H
#define AIOVM_RUNTIME_LOOP_H

#include "runtime/platform.h"
#include "vm/future.h"
#include "vm/types_api.h"

/* What a ready entry asks for: `what` tells by its kind (ready_kind). */
enum ready_kind {
    READY_TASK,     /* Task: its next step */
    READY_HANDLE,   /* Handle */
    READY_NATIVE,   /* callback_obj, arg: the future it is called with */
    READY_TIMEOUT,  /* Future: to be finished with `arg` unless it is done */
    READY_CALLBACK, /* any other callable, arg: the future it is called with, in an empty context */
};
typedef struct ready {
    value what, arg;
} ready; /* a million tasks may be ready at once: 16 bytes */

/* A done-callback or timer written in C: no handle, no call through script. Whoever will run it keeps it alive. It is
 * callable from script too, for subjects that are no Future of ours. */
typedef struct callback_obj callback_obj;
typedef void (*callback_fn)(vm *vm, callback_obj *cb, value fut);
struct callback_obj {
    object h;
    value *slots;
    callback_fn fn;
    value a, b, c;
    int64_t n;
    bool dead; /* as a timer or in the ready queue: it will not run */
};

typedef struct handle {
    object h;
    value *slots;
    uint32_t state;       /* HANDLE_* */
    value callback, args; /* args: tuple; both None when cancelled */
    value context;
    struct loop *loop;
    double when;
    uint32_t source; /* debug mode: source_here() */
} handle;
enum { HANDLE_CANCELLED = 1, HANDLE_TIMER = 2, HANDLE_SCHEDULED = 4, HANDLE_INT_WHEN = 8 };

typedef struct timer { /* 4-ary heap entry: timers.c */
    double when;
    uint64_t seq; /* order of creation << 3 | enum ready_kind (not READY_TASK) */
    value what;   /* Handle, callback_obj or Future */
    value arg;    /* Future: its result */
} timer;

#define LOOP_RESOLUTION 1e-9 /* timers that are so close are due together */
typedef struct loop {
    object h;
    value *slots;
    ready *queue; /* ring of qcap entries: a power of two, or 0 */
    size_t qcap;
    size_t qclean;  /* entries before this index are old, as qhead counts; shuffling sets it to 0 */
    size_t qtraced; /* entries before this index are traced by the major cycle under way, as qhead counts */
    uint8_t qcard;
    /* not side by side with todo: a vector load of both would wait for the single stores before it */
    size_t qlen, qhead;
    size_t todo; /* entries of this turn not yet run */
    timer *timers;
    size_t ntimers, captimers, dead_timers;
    uint64_t timer_seq, timer_clean; /* timers before the second are old, as qclean for the queue */
    thread *running_in;              /* NULL: not running */
    bool stopping, closed, debug, in_turn;
    bool shutdown_asyncgens_called;
    value fatal; /* KeyboardInterrupt or SystemExit under way out of the loop */
    value exception_handler;
    value task_factory;
    value asyncgens; /* list of weakrefs or frames that are being iterated: asyncgens.c */
    value main_task; /* of run(): SIGINT cancels it */
    value executor;  /* the default one; unbound: none yet */
    bool executor_shutdown;
    value resolver; /* the name look-ups under way: _asyncio_dns.aio; unbound: none yet */
    uint32_t sigints;
    uint64_t turns;
    /* failed futures whose exception was not looked at; at the last idle look */
    uint64_t unretrieved, unretrieved_seen;
    bool failed_lately; /* some future failed since the last look at the young ones */
    size_t live_asyncgens;
    double slow_callback_duration, resolution;
    struct poller *poller; /* descriptors: poller.h; NULL until the first wait or watch */
} loop;

/* Types made when the module that has them is first imported. */
enum runtime_type {
    RT_GATHER,
    RT_LOCK,
    RT_EVENT,
    RT_CONDITION,
    RT_SEMAPHORE,
    RT_BOUNDED_SEMAPHORE,
    RT_BARRIER,
    RT_QUEUE,
    RT_PRIORITY_QUEUE,
    RT_LIFO_QUEUE,
    RT_TIMEOUT,
    RT_TASK_GROUP,
    RT_RUNNER,
    RT_AS_COMPLETED,
    RT_POLICY,
    RT_CONTEXT_VAR,
    RT_CONTEXT,
    RT_TOKEN,
    RT_POLL,
    RT_EPOLL,
    RT_SOCKET,
    RT_GAI_ERROR,
    RT_HERROR,
    RT_BASE_PROTOCOL,
    RT_PROTOCOL,
    RT_BUFFERED_PROTOCOL,
    RT_DATAGRAM_PROTOCOL,
    RT_SUBPROCESS_PROTOCOL,
    RT_STREAM_TRANSPORT,
    RT_STREAM_READER,
    RT_STREAM_WRITER,
    RT_FLOW_CONTROL,
    RT_STREAM_PROTOCOL,
    RT_ACCEPTOR,
    RT_TYPES
};

/* What the VM reports on its own, and what becomes of each: AIOVM_REPORT. report_mode.c */
enum report_kind {
    REPORT_DEADLOCK,  /* nothing can wake the program; off: it waits for ever */
    REPORT_FAILED,    /* a failed task that nothing can retrieve */
    REPORT_SLOW,      /* a task that holds the loop */
    REPORT_BLOCKING,  /* time.sleep and the like inside a task */
    REPORT_SWALLOWED, /* a task that goes on after its timeout has cancelled it */
    REPORT_KINDS
};
enum report_mode { REPORT_ON, REPORT_OFF, REPORT_ERROR };

/* What an interactive session wants to know. */
typedef struct session_hooks {
    void (*failed)(vm *vm, void *ud, future *f);  /* f has just failed, and nobody looked yet */
    bool (*interrupt)(vm *vm, void *ud);          /* Ctrl-C; false: KeyboardInterrupt where the script is */
    void (*waits)(vm *vm, void *ud, bool before); /* the loop looks for events now, or has */
    void *ud;
} session_hooks;

/* Per-VM state of the runtime: vm->state[VMS_LOOP]. */
typedef struct runtime {
    const platform *platform;
    clock_state clock;
    type *loop_type, *handle_type, *timer_handle_type, *callback_type;
    type *types[RT_TYPES];
    value foreign_tasks, entered; /* foreign.c; unbound until needed */
    value policy, runner_main;    /* event loop policy object; the task that the first Ctrl-C cancels */
    uint32_t interrupts;          /* Ctrl-C during this run() */
    int64_t task_names;           /* Task-N */
    task **all_tasks;             /* weak: pending tasks in the order of creation; NULL where one has gone */
    size_t ntasks, captasks, live_tasks;
    int64_t next_idle_collect_ns, next_young_look_ns;
    uint32_t fruitless, skip_looks; /* looks at young failures that found none; how many to leave out */
    void *read_buffer;              /* transports receive into it: transport.c */
    int64_t socket_timeout_ns;      /* socket.setdefaulttimeout(); -1: none */
    uint64_t in_flight; /* work under way outside that will wake a loop: thread jobs, look-ups, connects, child
                         * processes, transports with unsent bytes. Stops the virtual clock, and is no deadlock. */
    uint8_t report[REPORT_KINDS]; /* enum report_mode */
    bool reported_error;          /* a report whose mode is REPORT_ERROR was made: the command ends with a failure */
    struct places *places;        /* place.c */
    struct sources *sources;      /* source.c; NULL: no debug mode yet */
    struct signals *signals;      /* signals.c; NULL until used */
    bool loop_debug;              /* new loops begin in debug mode */
    bool shuffle;                 /* shuffle.c */
    uint64_t shuffle_state;
    struct monitor *monitor;      /* monitor.c; NULL: there is none */
    bool asleep, monitor_dormant; /* atomic: the main thread's loop waits; the monitor waits to be woken */
    struct list *expired;         /* swallowed.c; NULL until the first */
    /* Embedding (api_host.c, api_op.c). */
    bool host_driven; /* scripts may run no loop: the host does, by run_ready */
    loop *host_loop;  /* the loop that the host drives, or NULL */
    size_t host_ops;  /* pending host operations, which are in_flight too */
    /* takes in what other threads have completed or posted; NULL: nobody could; false: raised */
    bool (*host_queue)(vm *);
    void (*host_future)(vm *, future *);         /* a future with FUT_HOST was finished or cancelled */
    value left_task, left_handled, left_context; /* of the task that was preempted */
    const session_hooks *session;                /* or NULL */
    int wake_fd; /* eventfd that ends a wait: interrupts and other threads; -1 until the first wait */
} runtime;
static inline runtime *runtime_of(vm *vm) { return (runtime *)vm->state[VMS_LOOP]; }

/* ---- runtime.c ---- */
bool runtime_open(vm *vm, bool virtual_time); /* types, hooks, clock, builtins, modules; false: raised */
void runtime_close(vm *vm);                   /* before vm_free */
/* Waits until `ns` have passed (negative: for ever) or something wants the VM's attention: look at vm->pending. */
void runtime_wait(vm *vm, int64_t ns);
int runtime_wake_fd(vm *vm); /* made if need be; -1: errno */
static inline bool runtime_busy(const runtime *rt) { return rt->in_flight > 0; }
void runtime_interrupt(vm *vm, int why); /* VMP_*: from any thread or signal handler */

/* ---- loop.c ---- */
loop *loop_new(vm *vm);              /* NULL raised */
loop *loop_running(vm *vm);          /* of this thread, or NULL */
loop *loop_running_or_raise(vm *vm); /* RuntimeError: no running event loop */
loop *loop_get_event_loop(vm *vm);   /* asyncio.get_event_loop() */
bool loop_is(vm *vm, value v);
bool loop_type_open(vm *vm);
bool loop_push_slow(vm *vm, loop *l, value what, value arg);
static inline bool loop_push(vm *vm, loop *l, value what, value arg) /* false raised */
{
    if (UNLIKELY(l->qlen == l->qcap)) return loop_push_slow(vm, l, what, arg);
    ready *r = &l->queue[(l->qhead + l->qlen++) & (l->qcap - 1)];
    r->what = what;
    r->arg = arg;
    /* A queue may be long: a minor cycle looks at what was added since the one before. */
    if (UNLIKELY(l->h.gc & GC_BARRIER) && !(l->qcard && (l->h.gc & GC_CARDS))) gc_remember_card(vm, &l->h, &l->qcard);
    return true;
}
bool loop_check_open(vm *vm, loop *l);  /* RuntimeError('Event loop is closed') */
bool loop_run_forever(vm *vm, loop *l); /* false raised */
value loop_run_until_complete(vm *vm, loop *l, value fut);
/* a turn that never blocks, or the part of it that fits into the slice */
bool loop_run_once(vm *vm, loop *l);
bool loop_run_turn(vm *vm, loop *l); /* one turn, also from inside of one; false: raised */
double loop_clock(vm *vm);           /* the monotonic clock in seconds, as no class of the script changes it */
bool loop_check_host(vm *vm);
/* runtime.c: so that a wait ends when the time limit of the VM does */
int64_t runtime_clamp_wait(vm *vm, int64_t ns);
bool loop_close(vm *vm, loop *l);
double loop_time(vm *vm, loop *l);
bool callback_no_coroutine(vm *vm, value cb, const char *method); /* TypeError when cb is a coroutine (function) */
void loop_call_exception_handler(vm *vm, loop *l, value context_dict);
/* The usual report: message, and pairs of key and value ended by NULL. Never raises. */
void loop_report(vm *vm, loop *l, value message, ...);
void loop_default_exception_handler(vm *vm, loop *l, value context);

static inline bool loop_is_plain(vm *vm, loop *l) { return l->h.shape == runtime_of(vm)->loop_type->root_shape; }

/* ---- loop_own.c: what a loop's class in script redefines ---- */
value loop_own_method(vm *vm, loop *l, const char *name); /* unbound: not redefined, or raised */
/* f gets the result arg then; false: raised */
bool loop_finish_later(vm *vm, loop *l, double delay, future *f, value arg);
/* does it have a selector of the script's? false: check raised too */
bool loop_own_selector(vm *vm, loop *l, value *selector);
bool loop_own_select(vm *vm, loop *l, value selector, double timeout); /* negative: for ever; false: raised */
value loop_get_ready(vm *vm, value self);
value loop_get_scheduled(vm *vm, value self);

/* ---- source.c: where things were made, in debug mode ---- */
/* the calls that lead to here, as a number; 0: unknown. Runs no script. */
uint32_t source_here(vm *vm);
value source_list(vm *vm, uint32_t stack);                          /* list of FrameSummary; None of 0; error: raised */
bool source_last(vm *vm, uint32_t stack, code **c, uint32_t *line); /* the innermost call; false: of 0 */
void future_note_source(vm *vm, future *f);                         /* runs no script */
uint32_t future_source(vm *vm, const future *f);                    /* 0: unknown */
void future_drop_source(vm *vm, future *f);                         /* f with FUT_SOURCE goes */
void sources_free(vm *vm, runtime *rt);

/* ---- foreign.c ---- */
value current_task_of(vm *vm, value loop);           /* or None; error: raised */
bool foreign_tasks_add(vm *vm, value loop, set *to); /* the pending tasks of other classes; false: raised */

/* ---- shuffle.c ---- */
void loop_shuffle(vm *vm, loop *l); /* permutes the entries of this turn: the first `todo` of the queue */

bool loop_check_callback(vm *vm, value cb, const char *method); /* callable and no coroutine; false: raised */
/* call_soon's arguments */
value loop_call_soon_checked(vm *vm, const char *who, value *a, uint32_t n, value kw, bool same_thread);

/* ---- executor.c ---- */
bool loop_drop_executor(vm *vm, loop *l); /* the loop is closed; false: raised */

/* ---- handle.c ---- */
handle *handle_new(vm *vm, loop *l, value callback, value *args, uint32_t nargs, value context, double when,
                   bool is_timer);
void handle_cancel(vm *vm, handle *h);
bool handle_run(vm *vm, handle *h); /* false: KeyboardInterrupt or SystemExit is pending */
callback_obj *callback_new(vm *vm, callback_fn fn, value a, value b, value c);
static inline bool callback_is(vm *vm, value v)
{
    return value_is_kind(v, K_USERDATA) && value_as_obj(v)->shape == runtime_of(vm)->callback_type->root_shape;
}
bool handle_types_open(vm *vm);
enum ready_kind ready_kind(vm *vm, value what);
str *callback_text(vm *vm, value callback, value args); /* "f(1) at file:line" */

/* ---- timers.c ---- */
bool timers_add(vm *vm, loop *l, double when, value what, value arg);
bool timers_pop_due(vm *vm, loop *l, double end); /* moves due ones to the ready queue; false raised */
void timers_note_dead(vm *vm, loop *l);           /* one more entry is cancelled: rebuild when they are many */
/* fn(cb, unbound) at `when`, with cb->a = a; NULL raised. */
callback_obj *timers_call_at(vm *vm, loop *l, double when, callback_fn fn, value a);
void timers_cancel_call(vm *vm, loop *l, callback_obj *cb);
bool timers_next(loop *l, double *when); /* of the first live one */

/* ---- future.c ---- */
future *future_new(vm *vm, loop *l);
bool future_set_result(vm *vm, future *f, value v);      /* InvalidStateError when done */
bool future_set_exception(vm *vm, future *f, value exc); /* class or instance */
void future_finish(vm *vm, future *f, value v);          /* pending: becomes finished; schedules callbacks */
void future_fail(vm *vm, future *f, value exc);
/* Future or Task, or anything with cancel(); false: was done (or raised: check) */
bool future_cancel(vm *vm, value fut, value msg);
void future_cancelled(vm *vm, future *f, value msg, value exc); /* state change and callbacks */
value future_get_result(vm *vm, future *f);                     /* result(): raises what it holds */
/* exception or None; unbound while pending; no raise, marks retrieved */
value future_exception_value(vm *vm, future *f);
value future_make_cancelled(vm *vm, future *f); /* a CancelledError instance */
bool future_add_waiter(vm *vm, future *f, task *t);
bool future_add_native(vm *vm, value fut, callback_obj *cb); /* schedules at once when done */
/* for whatever is like a Future: cb a callback_obj or a plain Future */
bool future_add_any(vm *vm, value fut, value cb);
bool future_remove_any(vm *vm, value fut, value cb);
bool future_any_done(vm *vm, value fut);                     /* Future or like one; raised: check */
int64_t future_remove_callback(vm *vm, future *f, value cb); /* -1 raised */
static inline bool future_is(value v) { return value_is_kind(v, K_FUTURE) || value_is_kind(v, K_TASK); }
bool future_like(vm *vm, value v); /* has _asyncio_future_blocking */
bool future_types_open(vm *vm);
str *future_repr_info(vm *vm, future *f, str *middle); /* "finished" middle " result=1 cb=[...]" */
void future_retrieved(future *f);                      /* its exception was looked at: no report */
void future_traverse(vm *vm, object *o);
void future_finalize(vm *vm, value v);
value future_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw);

/* ---- task.c ---- */
task *task_new(vm *vm, loop *l, value coro, value name, value context); /* scheduled; NULL raised */
bool task_init(vm *vm, task *t, loop *l, value coro, value name, value context);
bool task_cancel(vm *vm, task *t, value msg);
bool task_types_open(vm *vm);
/* between task.c and task_type.c */
void task_type_open(vm *vm);
bool task_prepare(vm *vm, task *t, loop *l, value coro, value name, value context); /* fills in a new task */
void task_table_remove(vm *vm, task *t);                                            /* it is no longer pending */
task *task_current(vm *vm);
str *task_name(vm *vm, task *t);
str *task_created(vm *vm, task *t); /* "file:line in f"; empty: unknown; NULL raised */
bool is_coroutine(vm *vm, value v);
/* ensure_future: Future as it is, coroutine becomes a Task, awaitable is wrapped. loop NULL: the running or current
 * one. */
value ensure_future(vm *vm, value v, loop *l);
bool task_run_preempted(vm *vm, loop *l); /* goes on with the task that a slice has left half done */
/* Runs the task's next step and the steps of the ready tasks after it. false: fatal exception pending. */
bool task_run_ready(vm *vm, loop *l, task *t);
list *all_tasks_list(vm *vm, loop *l); /* live pending tasks of l, or of all loops (NULL) */
/* nothing can wake it: raises DeadlockError, or waits for a signal */
bool loop_deadlock(vm *vm, loop *l);

value loop_create_task(vm *vm, loop *l, value coro, value name, value context); /* through the task factory */
/* eager: does its first step run at once? */
value loop_create_task_eager(vm *vm, loop *l, value coro, value name, value context, value eager);
value loop_create_task_numbered(vm *vm, loop *l, value coro, value name, value context); /* a name costs a number too */
value eager_task(vm *vm, value make, value loop_value, value coro, value name, value context);
bool eager_factory_is(vm *vm, value f);    /* asyncio.eager_task_factory */
value task_start_eagerly(vm *vm, task *t); /* its first step, now; error: raised */
void fut_hide_pending_report(value fut);   /* no "destroyed but pending" for it */

/* ---- report_mode.c ---- */
/* "deadlock:off,blocking:error" or "all:off": NULL, or what is wrong with it (a constant). */
const char *report_configure(runtime *rt, const char *text);
/* One line on stderr, "aio: ...", as the mode of the kind says. false: the mode is `error`, and a RuntimeError with the
 * text is raised (only where can_raise); otherwise the command's status will tell. */
bool report_line(vm *vm, enum report_kind kind, bool can_raise, const char *fmt, ...);

/* vm_hooks.blocking: a blocking native inside a task is named once per place. */
bool report_blocking(vm *vm, const char *what, const char *instead);

/* ---- report.c ---- */
/* the loop is about to wait: failed tasks that nothing can retrieve */
bool idle_reports(vm *vm, loop *l);
/* the same for those that failed in the last turn; false: raised */
bool young_reports(vm *vm, loop *l);
bool report_slow_callback(vm *vm, value what, double seconds); /* debug mode; false: raised */
bool report_coroutine_dropped(vm *vm, frame *f, uint32_t line);

/* ---- subprocess.c: methods of the loop ---- */
value loop_subprocess_exec(vm *vm, value *a, uint32_t n, value kw);
value loop_subprocess_shell(vm *vm, value *a, uint32_t n, value kw);
value loop_work(vm *vm, value *a, uint32_t n, value kw);

/* ---- swallowed.c ---- */
/* the deadline of t has passed: it is about to be cancelled; false: raised */
bool expired_add(vm *vm, value t);
void expired_remove(vm *vm, value t);   /* the block with the deadline is left */
void report_swallowed(vm *vm, task *t); /* t, once cancelled, waits again: is it one of those? */

/* ---- gather.c ---- */
bool gather_cancel(vm *vm, future *outer, value msg);                       /* _GatheringFuture.cancel() */
value gather_values(vm *vm, value *args, size_t n, bool return_exceptions); /* NULL args: of no arguments */
bool gather_type_open(vm *vm);

/* ---- as_completed.c ---- */
value as_completed_call(vm *vm, value *a, uint32_t n, value kw); /* as_completed(fs, *, timeout=None) */

/* ---- context.c ---- */
/* A copy of the current context for a callback or task to run in; unbound: an empty one (or no memory: raised). */
value context_copy_current(vm *vm);
value context_current(vm *vm);       /* made if there was none; error: raised */
bool context_check(vm *vm, value v); /* TypeError if it is none */
bool context_types_open(vm *vm);

/* ---- asyncgens.c ---- */
enum nstep shutdown_asyncgens_step(vm *vm, frame *f, value *r, value sent, value *out);
bool asyncgen_hooks_install(vm *vm, loop *l);

/* ---- modules ---- */
bool asyncio_module_init(vm *vm, module *m);
bool contextvars_module_init(vm *vm, module *m);
bool select_module_init(vm *vm, module *m);
#endif
