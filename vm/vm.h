/* struct vm: everything that one virtual machine owns, and the error and call interface for C code.
 * No other mutable state exists. vm/ reaches the event loop only through struct vm_hooks. */
#ifndef AIO_VM_H
#define AIO_VM_H

#include <stdarg.h>

#include "gc.h"
#include "object.h"
#include "type.h"

enum name_id {
#define NAME(x) N_##x,
#include "names.def"
#undef NAME
    NAME_COUNT
};

/* What the event loop (runtime/) gives the interpreter. */
typedef struct vm_hooks {
    /* `leaf`, innermost frame of the running task, awaits the pending future `fut`: records the leaf in the task and
     * links the task as a waiter. false: raised (awaits itself, other loop, ...): thrown at the leaf. */
    bool (*suspend_on)(vm *, frame *leaf, value fut);
    /* The chain of the running task yielded v through to the task (bare yield, foreign awaitable). Never raises:
     * what is wrong with v is thrown at the task's next step. */
    void (*task_yield)(vm *, frame *leaf, value v);
    /* A task's root coroutine ended; result unbound: the pending exception is the outcome (taken). */
    void (*task_done)(vm *, frame *root, value result);
    /* Leaf of the next ready task, made current; *sent unbound: throw the pending exception. NULL: back to the loop. */
    frame *(*next_ready)(vm *, value *sent);
    /* Result of a finished future (retrieves it); error: its exception is pending. */
    value (*future_result)(vm *, value fut);
    void (*coroutine_dropped)(vm *, frame *f, uint32_t line); /* never awaited: warn */
    void (*attention)(vm *);                                  /* the main thread's loop is to look at vm->pending */
    /* A native with NATIVE_HOST: a function of the host, whole call (binding too). */
    value (*host_call)(vm *, struct native *, value *args, uint32_t nargs, value kwnames);
    /* VMP_SIGINT, _SIGNAL, _MONITOR, _DUMP seen at a poll; may raise */
    void (*signals)(vm *, int pending);
    /* A native is about to block the thread for a noticeable time. false: raised (reported as an error). */
    bool (*blocking)(vm *, const char *what, const char *instead);
    void (*forked)(vm *); /* in the child of fork(): only this thread is left */
} vm_hooks;

struct module_source; /* import.h */

typedef struct vm_limits {
    size_t mem_soft, mem_hard; /* bytes; 0: none */
    uint64_t fuel;             /* 0: none */
    uint32_t recursion;        /* default 1000 */
    uint32_t int_str_digits;   /* 4300 */
    uint32_t bigint_bits;      /* 2^26 */
    uint32_t threads;          /* at the same time, the main one included; 0: none */
    uint32_t tasks, fds;       /* pending tasks, descriptors of scripts; 0: none */
} vm_limits;

/* One OS thread that runs script in this VM. */
struct thread {
    vm *vm;
    char *top, *limit; /* free part of the current stack segment */
    struct segment *segment;
    frame *current;        /* innermost frame while C code runs; the interpreter keeps its own copy */
    struct task_run *runs; /* event loops that run tasks, innermost first: frame.h */
    value exc;             /* pending exception (unbound: none) */
    value handled;         /* what sys.exc_info() sees: exception being handled, or unbound */
    root_frame *roots;
    uint32_t depth;        /* script frames + native re-entries */
    uint32_t nreent;       /* native re-entries alone */
    uintptr_t c_stack_low; /* natives may not re-enter below this address */
    value current_task;    /* unbound or Task */
    value loop;            /* running loop object, unbound */
    void *loop_state;      /* runtime/loop.h */
    value context;         /* contextvars: current Context, unbound until used */
    value asyncgen_firstiter, asyncgen_finalizer;
    value event_loop;    /* set_event_loop of this thread, or unbound */
    bool event_loop_set; /* set_event_loop was called */
    bool stuck;          /* parked with no end in sight */
    bool killed;         /* the VM ends: it runs no more script */
    value object;        /* threading's object for it, or unbound */
    value start;         /* (function, args, kwargs) until it runs */
    int64_t native_id;
    uint64_t serial;      /* 1 for the main thread; never used again */
    struct thread_os *os; /* lock.c */
    thread *next;
};

struct vm {
    int32_t poll; /* counts down at back-edges and calls; <= 0: vm_poll */
    uint32_t class_epoch;
    thread *thread; /* the one that holds the lock; NULL: nobody */
    shape **shapes; /* id -> shape */
    uint32_t nshapes, capshapes, free_shape;
    type *types[TYPE_COUNT];
    str *names[NAME_COUNT];
    str *chars[256]; /* one-character strings, latin-1 */
    str *empty_str;
    bytes *empty_bytes;
    tuple *empty_tuple;
    struct interned *interned;
    dict *builtins; /* the builtins module's namespace */
    dict *modules;  /* sys.modules */
    heap *heap;
    const gc_kind_ops *kind_ops[KIND_COUNT];
    struct method_cache *method_cache;
    uint32_t dict_version; /* source of dict.version */
    uint32_t func_version;
    uint64_t hash_key[2]; /* SipHash-1-3 */
    bool hash_seed_zero;
    thread main_thread;
    thread *threads; /* all of them, the main one first */
    uint32_t nthreads;
    size_t thread_stack_size; /* of new threads; 0: the system's default */
    struct vm_lock *lock;     /* lock.c */
    vm_hooks hooks;
    vm_limits limits;
    uint32_t caps; /* enum capability: caps.h */
    /* The clock, which may be simulated; set by runtime/. Sleeping returns false when it was interrupted and raised. */
    int64_t (*clock_monotonic_ns)(vm *);
    int64_t (*clock_wall_ns)(vm *);
    bool (*clock_sleep_ns)(vm *, int64_t ns);
    void (*clock_advance_ns)(vm *, int64_t ns); /* a simulated clock moves; NULL: the clock is real */
    value memory_error;                         /* preallocated */
    value recursion_error;                      /* preallocated */
    volatile int pending;                       /* atomic flags: VMP_* */
    /* Budget (poll.c). Used so far is what was given to `poll` less what is left of it: vm_fuel_used. */
    uint64_t fuel_given;
    uint64_t slice_end;    /* of run_ready, in units used; 0: none */
    int64_t deadline_ns;   /* wall time, by the real monotonic clock; 0: none */
    uint8_t killed;        /* enum vm_end: no script runs any more */
    bool slice_over;       /* run_ready is to stop before the next task */
    bool preempt;          /* the interpreter leaves its task half done: interp.c */
    uint8_t preempt_loop;  /* words of the jump back that it is left at, or 0 */
    uint32_t slice_nreent; /* only with so many native re-entries on the stack */
    frame *preempted;      /* innermost frame of the task that was left */
    /* values owned by modules, reachable as roots: see vm_root_slot */
    value *module_roots;
    uint32_t nmodule_roots;
    void *state[24];                     /* per-subsystem C state: see enum vm_state */
    value stub_codes[2 + CONSUME_COUNT]; /* wrapper coroutines: async_native.c; loops over generators: consume.c */
    struct list *warning_filters;        /* warn.h */
    value main_module;
    value import_function; /* the builtin __import__: others are called */
    void *(*alloc_fn)(void *ud, void *p, size_t old, size_t n);
    void *alloc_ud;
    void (*host_free)(vm *);   /* runtime/api_vm.c: after the last object is freed */
    uint32_t nfds;             /* descriptors that scripts hold: caps.h */
    uint64_t *bare_fds;        /* a bit for each of those that they hold by number */
    uint32_t nbare_fds;        /* words of it */
    uint64_t random_seed;      /* 0: seeds come from the system; else counts on from it */
    const char *import_folder; /* the host's, which needs no CAP_FS; or NULL */
    /* import.c asks: may the library's module be imported? May be NULL. */
    bool (*import_allowed)(vm *, const char *name);
    /* Source of a module from the host: 1 *text (of mem_alloc'ed size), 0 it has none, -1 raised. May be NULL. */
    int (*import_load)(vm *, str *name, struct module_source *out);
};
/* look at the limits */
enum vm_pending {
    VMP_SIGINT = 1,
    VMP_GC = 2,
    VMP_LOCK = 4,
    VMP_KILL = 8,
    VMP_SIGNAL = 16,
    VMP_LIMIT = 32,
    VMP_MONITOR = 64,
    VMP_DUMP = 128 /* the monitor wants an answer; Ctrl-\: what do all tasks do? */
};
enum vm_end { END_NONE, END_FUEL, END_TIME, END_KILLED };
enum vm_state {
    VMS_LOOP,
    VMS_IO,
    VMS_RANDOM,
    VMS_TIME,
    VMS_WARN,
    VMS_IMPORT,
    VMS_MATH,
    VMS_WEAK,
    VMS_SYS,
    VMS_CACHE,
    VMS_THREADS,
    VMS_TEXT,
    VMS_TYPES,
    VMS_STDLIB,
    VMS_POLY,
    VMS_SIGNATURES,
    VMS_API,
    VMS_COUNT
};
#define N(vm, x)        ((vm)->names[N_##x])
#define T(vm, ID)       ((vm)->types[TYPE_##ID])
#define EXC_T(vm, NAME) ((vm)->types[EXC_##NAME])

/* ---- errors ----
 * raise* set the pending exception and return V_ERROR, so `return raise(...)`. The format is our own:
 *   %s C string (UTF-8)  %d int  %ld int64_t  %zu size_t  %c char  %U str* / value of str
 *   %R repr of a value   %S str of a value    %T type name of a value   %N name of a type*   %% percent
 * __context__ is set at raise from thread->handled. */
value raise(vm *vm, unsigned exc_id, const char *fmt, ...);
value raise_type_error(vm *vm, const char *fmt, ...);
value raise_value_error(vm *vm, const char *fmt, ...);
value raise_memory(vm *vm); /* the preallocated MemoryError */
value raise_overflow(vm *vm, const char *fmt, ...);
value raise_key_error(vm *vm, value key);
value raise_stop_iteration(vm *vm, value v);           /* v unbound: no value */
value raise_os_error(vm *vm, int err, value filename); /* picks the subclass; filename unbound: none */
value raise_attribute_error(vm *vm, value o, str *name);
/* A pending AttributeError that says nothing of its object and name gets these. */
void exc_attribute_context(vm *vm, value o, str *name);
value raise_exception(vm *vm, value exc); /* an instance: sets pending as it is, with context */
static inline bool raised(const vm *vm) { return !value_is_unbound(vm->thread->exc); }
value exc_take(vm *vm); /* the pending exception, which is cleared */
static inline void exc_clear(vm *vm) { vm->thread->exc = V_UNBOUND; }
bool exc_matches(vm *vm, unsigned exc_id);                  /* is the pending one an instance? */
bool exc_clear_if(vm *vm, unsigned exc_id);                 /* matches: clear it, true */
value exc_new(vm *vm, unsigned exc_id, value arg);          /* instance with one argument (or none: unbound) */
bool warn(vm *vm, unsigned category, const char *fmt, ...); /* false: the warning was turned into an error */
/* for a place; false: as above */
bool warn_explicit(vm *vm, unsigned category, str *msg, str *filename, uint32_t line);
void exc_report_unraisable(vm *vm, value where);       /* prints and clears the pending exception */
str *str_vformat(vm *vm, const char *fmt, va_list ap); /* the format above */
str *str_format(vm *vm, const char *fmt, ...);

/* ---- calls: any of these may run script, so collect. args are rooted by the callee side. ---- */
value vm_call(vm *vm, value f, value *args, uint32_t nargs);
/* kw values follow the nargs positionals */
value vm_call_kw(vm *vm, value f, value *args, uint32_t nargs, value kwnames);
value vm_call0(vm *vm, value f);
value vm_call1(vm *vm, value f, value a);
value vm_call2(vm *vm, value f, value a, value b);
value vm_call_method(vm *vm, value o, str *name, value *args, uint32_t nargs); /* args without self */
value vm_call_ex(vm *vm, value f, value args_tuple, value kw_dict);            /* f(*args, **kw); kw unbound: none */
bool vm_enter(vm *vm); /* before C recurses: RecursionError when too deep (false) */
void vm_leave(vm *vm);
value frame_current_locals(vm *vm);  /* locals() of the running script frame */
dict *frame_current_globals(vm *vm); /* NULL: no script frame */
/* the refill of vm->poll: collection, signals, interrupts, limits; may set the pending exception */
void vm_poll(vm *vm);
/* Is there something that vm_poll is to see? */
static inline bool vm_attention(const vm *vm) { return __atomic_load_n(&vm->pending, __ATOMIC_RELAXED) != 0; }
/* The refill comes at the next place that polls: by the thread that holds the lock (others set a bit in vm->pending).
 */
static inline void vm_poll_soon(vm *vm)
{
    vm->fuel_given -= (uint64_t)(int64_t)vm->poll;
    vm->poll = 0;
}
static inline uint64_t vm_fuel_used(const vm *vm) { return vm->fuel_given - (uint64_t)(int64_t)vm->poll; }
/* Ends every script of the VM uncatchably, for good: no except, finally or __del__ holds it up. Raises what reports it.
 */
void vm_kill(vm *vm, enum vm_end why);
void vm_slice_begin(vm *vm, uint64_t fuel);    /* 0: no slice */
value vm_raise_killed(vm *vm);                 /* the same again */
static inline bool vm_tick(vm *vm, uint32_t n) /* long natives: n units of work; false: raised (interrupt, budget) */
{
    vm->poll -= (int32_t)n;
    if (LIKELY(vm->poll > 0)) return true;
    vm_poll(vm);
    return !raised(vm);
}
value *vm_root_slot(vm *vm); /* a fresh root for a module's C state; NULL raised; lives as long as the VM */

/* ---- the VM's lock ----
 * One thread at a time runs script and touches the heap. A native that is about to block (sleep, read, connect, join)
 * gives the lock up first: everything it holds across is rooted or plain C data, and it touches nothing of the VM until
 * vm_lock returned. */
/* Called before that with what it is ("time.sleep()") and what a task should do instead ("await asyncio.sleep()"):
 * inside a task it is reported. false: raised. */
static inline bool vm_blocking(vm *vm, const char *what, const char *instead)
{
    return !vm->hooks.blocking || vm->hooks.blocking(vm, what, instead);
}
void vm_unlock(vm *vm);
void vm_lock(vm *vm);

/* ---- the whole ---- */
vm *vm_new(void *(*alloc)(void *, void *, size_t, size_t), void *ud, const vm_limits *limits, uint64_t seed);
void vm_free(vm *vm);

#include "gc_inline.h"
#include "type_inline.h"

#endif
