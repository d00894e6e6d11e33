/* aiovm.h: run aio scripts inside a C program.
 *
 *     aiovm *vm = aiovm_open(NULL);
 *     aiovm_value v;
 *     if (aiovm_eval(vm, "6 * 7", AIOVM_ZTS, "<host>", &v) == AIOVM_OK)
 *         printf("%lld\n", (long long)aiovm_to_int(vm, v, 0));
 *     else
 *         fputs(aiovm_error_text(vm), stderr);
 *     aiovm_close(vm);
 *
 * Threads. VMs share nothing: each may run in a thread of its own. One VM is used by one thread at a time. What may be
 * called from any other thread says so: aiovm_complete, the functions of aiovm_op and aiovm_handle, and aiovm_post,
 * aiovm_interrupt and aiovm_kill, of which the last two are safe in signal handlers too.
 *
 * Values. An aiovm_value is a number or a reference that the VM keeps alive for the host:
 *   - inside a native function, until that function returns;
 *   - outside, until the next aiovm_eval, aiovm_eval_code, aiovm_call, aiovm_call_method, aiovm_run or aiovm_run_ready:
 *     its result takes the place of all values given out before.
 * What is needed longer is kept by aiovm_ref_new. Text and bytes behind a value live as long as it does.
 *
 * Statuses. Whatever may fail returns an aiovm_status. When it is not AIOVM_OK, *out is None, and the aiovm_error_
 * functions describe what happened until the next call that fails or one of the calls listed above. No function ends
 * the process, jumps over frames of the host, prints, or installs a signal handler. out may be NULL where the result is
 * of no interest. An absent value where one is needed is an AIOVM_ERROR (ValueError). A NULL ref, op, task or handle,
 * as a call that failed has left it, is AIOVM_INVALID or nothing: no call but those with the VM itself needs it
 * checked.
 *
 * Inside. Native functions and the callbacks of this header run on the VM's thread and may call back, except where it
 * says so; aiovm_run, aiovm_run_ready, aiovm_close and aiovm_shutdown then return AIOVM_BUSY.
 *
 * The end. When a budget (fuel, wall time) is used up, or after aiovm_kill, no script of the VM ever runs again: not an
 * except, finally or __del__. Cancel callbacks, done callbacks and finalisers of host data do run. All further calls
 * but those that look at errors, and aiovm_close, return AIOVM_ENDED.
 */
#ifndef AIOVM_H
#define AIOVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define AIOVM_API               __attribute__((visibility("default")))
#define AIOVM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define AIOVM_API
#define AIOVM_PRINTF(fmt, args)
#endif
#define AIOVM_ZTS ((size_t)-1) /* as a length: the text ends with a NUL */

typedef struct aiovm aiovm;
typedef struct aiovm_ref aiovm_ref;       /* keeps a value: of the VM's thread */
typedef struct aiovm_op aiovm_op;         /* an operation of the host that takes time: counted, outlives the VM */
typedef struct aiovm_task aiovm_task;     /* a coroutine that was spawned: of the VM's thread, may outlive the VM */
typedef struct aiovm_handle aiovm_handle; /* the VM as other threads know it: counted, outlives the VM */
typedef struct aiovm_value {
    uint64_t bits; /* opaque; 0 is AIOVM_ABSENT */
} aiovm_value;

typedef enum aiovm_status {
    AIOVM_OK = 0,
    AIOVM_ERROR = 1,     /* the script raised an exception */
    AIOVM_EXIT = 2,      /* the script asked to end (sys.exit): aiovm_exit_code */
    AIOVM_BUSY = 3,      /* not from in here: the VM is running, or runs a callback that must not call this */
    AIOVM_NOMEM = 4,     /* no memory, not even for the description of the error */
    AIOVM_PENDING = 5,   /* aiovm_eval: it awaits; *out is the task, which run_ready drives */
    AIOVM_ENDED = 6,     /* the VM has ended: a budget is used up, it was killed, or (handles, ops) closed */
    AIOVM_CANCELLED = 7, /* the operation or task was cancelled */
    AIOVM_DONE = 8,      /* the operation was finished before; aiovm_next: there is no further item */
    AIOVM_AWAIT = 9,     /* what aiovm_await returns, for an AIOVM_ASYNC function to return */
    AIOVM_INVALID = 10   /* arguments that make no sense (a NULL where something is needed): nothing was done */
} aiovm_status;
/* "AIOVM_OK", ...: never NULL. */
AIOVM_API const char *aiovm_status_name(aiovm_status status);
/* "0.1.0" */
AIOVM_API const char *aiovm_version(void);

/* ---- opening and closing ---- */

/* aiovm_config.flags */
#define AIOVM_VIRTUAL_TIME 1u /* a clock that jumps to the next timer instead of waiting: for tests */
#define AIOVM_HOST_LOOP    2u /* the host drives the loop by aiovm_run_ready; asyncio.run and its kin are refused */
#define AIOVM_STDIN        4u /* scripts may read the process's standard input; else sys.stdin is None */

/* aiovm_config.caps: what of the machine scripts may reach. None is granted by default. */
#define AIOVM_CAP_FS      1u  /* files */
#define AIOVM_CAP_NET     2u  /* sockets */
#define AIOVM_CAP_DNS     4u  /* name look-ups */
#define AIOVM_CAP_PROCESS 8u  /* starting and signalling processes */
#define AIOVM_CAP_ENV     16u /* environment variables, user and host names */
#define AIOVM_CAP_SIGNALS 32u
#define AIOVM_CAP_THREADS 64u
#define AIOVM_CAP_ALL     127u

/* aiovm_config.monitor */
#define AIOVM_WATCH 1u /* report_fn is told of a task that holds the loop for more than 100 ms, while it does */
/* `aio ps PID` and `aio tree PID` of the same user get an answer, whenever the VM's loop runs */
#define AIOVM_INSPECT 2u

/* A module's source text, for aiovm_config.load. */
typedef struct aiovm_source {
    const char *text; /* UTF-8; NULL: there is no such module */
    size_t length;
    const char *file; /* what tracebacks and __file__ say; NULL: "<host NAME>" */
    bool is_package;  /* has submodules, whose names are asked for with a dot */
    void (*release)(void *ud, const struct aiovm_source *source); /* when the text is no longer needed; may be NULL */
} aiovm_source;

typedef struct aiovm_config {
    size_t size; /* sizeof(aiovm_config): fields added later are taken as 0 */
    /* realloc with the old size; new size 0 frees. Called by the VM's threads only. NULL: malloc and free. (Ops and
     * handles, which outlive the VM, are malloc'ed.) */
    void *(*alloc)(void *ud, void *p, size_t old_size, size_t new_size);
    void *alloc_ud;
    /* Limits; 0: none unless it says otherwise. */
    size_t memory_soft;      /* bytes: beyond it the heap is collected more eagerly */
    size_t memory_hard;      /* bytes: beyond it MemoryError */
    uint64_t fuel;           /* units of work (about one per loop iteration or call) after which the VM ends */
    int64_t wall_ns;         /* time spent inside calls that run script after which the VM ends */
    uint64_t output;         /* bytes written to stdout and stderr; beyond it OSError */
    uint32_t recursion;      /* depth of calls; 0: 1000 */
    uint32_t tasks;          /* tasks pending at a time; beyond it RuntimeError */
    uint32_t fds;            /* descriptors that scripts hold open at a time; beyond it OSError */
    uint32_t threads;        /* OS threads that scripts run at a time; 0: 4 */
    uint32_t int_bits;       /* size of integers; 0: 2^26 */
    uint32_t int_str_digits; /* decimal digits converted from and to text; 0: 4300 */
    uint32_t caps;           /* AIOVM_CAP_ */
    uint32_t flags;          /* AIOVM_VIRTUAL_TIME, ... */
    uint64_t hash_seed;      /* of str; 0: a random one */
    uint64_t random_seed;    /* of the module random; 0: a random one */
    /* Imports: first what aiovm_module registered and the library has; then load, if given; then import_folder. */
    bool (*load)(void *ud, const char *name, aiovm_source *out); /* false: the import fails with ImportError */
    void *load_ud;
    const char *import_folder; /* a folder with scripts; NULL: none. Needs no AIOVM_CAP_FS */
    /* NULL-terminated: the modules of the library that scripts may import; NULL: all. It is no capability: what such a
     * module is built on can be found through it (logging.os), and does what the capabilities allow. */
    const char *const *modules;
    /* What scripts print. stream: 1 stdout, 2 stderr. NULL: the process's. Must not call the VM. */
    void (*output_fn)(void *ud, int stream, const char *text, size_t length);
    /* Reports of the VM itself: warnings, tasks that failed unseen, exceptions in __del__. NULL: they go to stderr. */
    void (*report_fn)(void *ud, const char *text, size_t length);
    void *sink_ud;
    /* The clocks, in nanoseconds; NULL: the system's. The monotonic one also decides when timers are due. */
    int64_t (*monotonic_fn)(void *ud);
    int64_t (*wall_fn)(void *ud);
    void *clock_ud;
    /* Which reports are made, as AIOVM_REPORT says it for the command: "slow:off,blocking:error". Entries NAME:on,
     * NAME:off or NAME:error of deadlock, failed, slow, blocking, swallowed and all. NULL: all are made. The
     * environment is not asked. */
    const char *reports;
    /* AIOVM_WATCH, AIOVM_INSPECT: a thread of the VM's own, begun with its first loop. It runs no script */
    uint32_t monitor;
} aiovm_config;

/* Sets what makes a VM safe for scripts that nobody has read, and leaves the other fields as they are: memory 64
 * MiB, fuel 10^8, wall time 30 s, output 64 MiB, 100,000 tasks, 256 descriptors, no threads, integers of 2^20 bits,
 * no capability, no import_folder. The size is set if it is 0. */
AIOVM_API void aiovm_sandbox(aiovm_config *config);

/* A new VM; NULL with errno ENOMEM: no memory for it; EINVAL: config->reports names no report, or config->monitor or
 * flags has bits that mean nothing here. config NULL: everything as by default. The VM may go from thread to thread. */
AIOVM_API aiovm *aiovm_open(const aiovm_config *config);
/* Ends the VM, in whatever state: pending operations are cancelled and tasks that were spawned are reported as
 * cancelled, finalisers run, files are flushed, everything is freed. It waits for nothing: tasks get no chance to run
 * their finally blocks (aiovm_shutdown gives it). OS threads that scripts have started are woken from what they wait
 * for: locks, sleep, sockets, pipes, terminals, processes, select and the loop. AIOVM_BUSY: called from inside, nothing
 * was done. AIOVM_PENDING: after a tenth of a second such a thread is still inside a call that nothing can end (a name
 * look-up, an open() of a FIFO, a lock of a file, a file system that hangs, a native function of the host), or has not
 * had a processor; nothing was freed, call again later. NULL is fine. */
AIOVM_API aiovm_status aiovm_close(aiovm *vm);
/* Brings a VM down in order: cancels all tasks and runs them to their end, then closes asynchronous generators, for at
 * most timeout_ns (negative: as long as it takes). AIOVM_PENDING: the time was up. To be followed by aiovm_close. */
AIOVM_API aiovm_status aiovm_shutdown(aiovm *vm, int64_t timeout_ns);

/* Why the VM has ended: "fuel", "time", "killed"; "" if it has not. */
AIOVM_API const char *aiovm_end_reason(aiovm *vm);
/* Fuel used since aiovm_open, exactly. */
AIOVM_API uint64_t aiovm_fuel_used(aiovm *vm);
/* New budgets that count from now; 0: none. A VM that has ended stays so. */
AIOVM_API aiovm_status aiovm_set_budget(aiovm *vm, uint64_t fuel, int64_t wall_ns);
/* Bytes in use now. */
AIOVM_API size_t aiovm_memory_used(aiovm *vm);
/* A full collection: finalisers and weakref callbacks have run when it returns. */
AIOVM_API aiovm_status aiovm_collect(aiovm *vm);

/* ---- running ---- */

/* Runs source text in the namespace of the module __main__. A single expression gives its value; statements give None.
 * `name` stands for the file in tracebacks; NULL: "<host>". `await` works at the top level: the text then runs as
 * asyncio.run would run it, to its end; under AIOVM_HOST_LOOP the result is AIOVM_PENDING and *out the task. */
AIOVM_API aiovm_status aiovm_eval(aiovm *vm, const char *source, size_t length, const char *name, aiovm_value *out);
/* Compiles without running: *out is a code object for aiovm_eval_code and aiovm_save. */
AIOVM_API aiovm_status aiovm_compile(aiovm *vm, const char *source, size_t length, const char *name, aiovm_value *out);
/* As aiovm_eval. A code object may run any number of times. */
AIOVM_API aiovm_status aiovm_eval_code(aiovm *vm, aiovm_value code, aiovm_value *out);
/* Bytecode of a code object as bytes, for aiovm_load of the same version of the library on the same kind of machine. */
AIOVM_API aiovm_status aiovm_save(aiovm *vm, aiovm_value code, aiovm_value *out);
/* A code object from saved bytecode. AIOVM_ERROR (ValueError): damaged, or of another version. It is verified before
 * anything of it runs, so whoever has made it, it can do no more than source text could: the checksum finds accidents,
 * and the verifier proves what the interpreter relies on (operands, jumps, tables, and what each register holds where
 * it is used). Bytecode of somebody else is as safe as a script of somebody else: run both in a sandbox. */
AIOVM_API aiovm_status aiovm_load(aiovm *vm, const void *data, size_t length, aiovm_value *out);

/* Calls a function or any other callable. What it returns may be a coroutine: see aiovm_run and aiovm_spawn. */
AIOVM_API aiovm_status aiovm_call(aiovm *vm, aiovm_value callable, int argc, const aiovm_value *argv, aiovm_value *out);
/* o.name(...) */
AIOVM_API aiovm_status aiovm_call_method(aiovm *vm, aiovm_value o, const char *name, int argc, const aiovm_value *argv,
                                         aiovm_value *out);
/* Runs a coroutine to its end and gives its result: as asyncio.run does; under AIOVM_HOST_LOOP in the host's loop,
 * which then blocks until it is done. */
AIOVM_API aiovm_status aiovm_run(aiovm *vm, aiovm_value coroutine, aiovm_value *out);

/* Global variables of __main__, builtins included. */
AIOVM_API aiovm_status aiovm_get_global(aiovm *vm, const char *name, aiovm_value *out);
AIOVM_API aiovm_status aiovm_set_global(aiovm *vm, const char *name, aiovm_value v);
/* Imports a module, as the statement does; a dotted name gives the last module. */
AIOVM_API aiovm_status aiovm_import(aiovm *vm, const char *name, aiovm_value *out);

/* ---- values ---- */

typedef enum aiovm_type {
    AIOVM_TYPE_ABSENT, /* no value at all: a parameter that was not given */
    AIOVM_TYPE_NONE,
    AIOVM_TYPE_BOOL,
    AIOVM_TYPE_INT,
    AIOVM_TYPE_FLOAT,
    AIOVM_TYPE_STR,
    AIOVM_TYPE_BYTES,
    AIOVM_TYPE_LIST,
    AIOVM_TYPE_TUPLE,
    AIOVM_TYPE_DICT,
    AIOVM_TYPE_SET,       /* frozenset too */
    AIOVM_TYPE_CALLABLE,  /* functions, methods, classes */
    AIOVM_TYPE_COROUTINE, /* what aiovm_run and aiovm_spawn take */
    AIOVM_TYPE_FUTURE,    /* Future or Task */
    AIOVM_TYPE_OTHER
} aiovm_type;
#ifdef __cplusplus
#define AIOVM_ABSENT (aiovm_value()) /* C++ has no compound literals */
#else
#define AIOVM_ABSENT ((aiovm_value){0})
#endif

AIOVM_API aiovm_type aiovm_type_of(aiovm *vm, aiovm_value v);
/* The name of its class, "int". Valid until the next call. */
AIOVM_API const char *aiovm_type_name(aiovm *vm, aiovm_value v);

/* From C. Text is UTF-8; what is not is an AIOVM_ERROR (UnicodeDecodeError). */
AIOVM_API aiovm_value aiovm_none(void);
AIOVM_API aiovm_value aiovm_bool(bool b);
AIOVM_API aiovm_value aiovm_float(double d);
AIOVM_API aiovm_status aiovm_int(aiovm *vm, int64_t n, aiovm_value *out);
AIOVM_API aiovm_status aiovm_uint(aiovm *vm, uint64_t n, aiovm_value *out);
/* An integer of any size from text, as int(text, base) reads it. The other way round is aiovm_str. */
AIOVM_API aiovm_status aiovm_int_parse(aiovm *vm, const char *text, size_t length, int base, aiovm_value *out);
AIOVM_API aiovm_status aiovm_text(aiovm *vm, const char *s, size_t length, aiovm_value *out);
AIOVM_API aiovm_status aiovm_bytes(aiovm *vm, const void *p, size_t length, aiovm_value *out);
/* Of n values, which may be NULL if n is 0. */
AIOVM_API aiovm_status aiovm_list(aiovm *vm, size_t n, const aiovm_value *items, aiovm_value *out);
AIOVM_API aiovm_status aiovm_tuple(aiovm *vm, size_t n, const aiovm_value *items, aiovm_value *out);
/* An empty dict: fill it by aiovm_set_item. */
AIOVM_API aiovm_status aiovm_dict(aiovm *vm, aiovm_value *out);
AIOVM_API aiovm_status aiovm_set(aiovm *vm, size_t n, const aiovm_value *items, aiovm_value *out);

/* To C: `otherwise` if v is something else (or does not fit). They run no script. */
AIOVM_API bool aiovm_is_none(aiovm_value v);
AIOVM_API bool aiovm_is_absent(aiovm_value v);
AIOVM_API int64_t aiovm_to_int(aiovm *vm, aiovm_value v, int64_t otherwise);
AIOVM_API uint64_t aiovm_to_uint(aiovm *vm, aiovm_value v, uint64_t otherwise);
AIOVM_API double aiovm_to_float(aiovm *vm, aiovm_value v, double otherwise); /* ints too */
AIOVM_API bool aiovm_to_bool(aiovm *vm, aiovm_value v, bool otherwise);      /* True and False only */
/* The UTF-8 of a str, NUL-terminated, or the bytes of a bytes object. NULL: something else, or a str with lone
 * surrogates. */
AIOVM_API const char *aiovm_to_text(aiovm *vm, aiovm_value v, size_t *length);

/* These may run script (dunder methods). */
AIOVM_API aiovm_status aiovm_str(aiovm *vm, aiovm_value v, aiovm_value *out);
AIOVM_API aiovm_status aiovm_repr(aiovm *vm, aiovm_value v, aiovm_value *out);
AIOVM_API aiovm_status aiovm_truth(aiovm *vm, aiovm_value v, bool *out);
AIOVM_API aiovm_status aiovm_equal(aiovm *vm, aiovm_value a, aiovm_value b, bool *out);
AIOVM_API aiovm_status aiovm_length(aiovm *vm, aiovm_value v, size_t *out);
AIOVM_API aiovm_status aiovm_get_item(aiovm *vm, aiovm_value o, aiovm_value key, aiovm_value *out); /* o[key] */
AIOVM_API aiovm_status aiovm_set_item(aiovm *vm, aiovm_value o, aiovm_value key, aiovm_value v);
AIOVM_API aiovm_status aiovm_del_item(aiovm *vm, aiovm_value o, aiovm_value key);
AIOVM_API aiovm_status aiovm_get_attr(aiovm *vm, aiovm_value o, const char *name, aiovm_value *out);
/* AIOVM_ABSENT deletes */
AIOVM_API aiovm_status aiovm_set_attr(aiovm *vm, aiovm_value o, const char *name, aiovm_value v);
/* Walking anything iterable: aiovm_iter, then aiovm_next until AIOVM_DONE. */
AIOVM_API aiovm_status aiovm_iter(aiovm *vm, aiovm_value v, aiovm_value *out);
AIOVM_API aiovm_status aiovm_next(aiovm *vm, aiovm_value iterator, aiovm_value *out);

/* These run no script. Item i of a list or tuple; AIOVM_ERROR: IndexError or TypeError. */
AIOVM_API aiovm_status aiovm_at(aiovm *vm, aiovm_value sequence, size_t i, aiovm_value *out);
AIOVM_API aiovm_status aiovm_append(aiovm *vm, aiovm_value list, aiovm_value v);
AIOVM_API aiovm_status aiovm_set_add(aiovm *vm, aiovm_value set, aiovm_value v); /* may run __hash__ and __eq__ */
/* Walks a dict: *pos is 0 at first. false: the end, or v is no dict. The dict must not grow or shrink meanwhile. */
AIOVM_API bool aiovm_dict_next(aiovm *vm, aiovm_value dict, size_t *pos, aiovm_value *key, aiovm_value *value);

/* Keeps a value alive until it is released, or the VM is closed. Counted. NULL: no memory. */
AIOVM_API aiovm_ref *aiovm_ref_new(aiovm *vm, aiovm_value v);
AIOVM_API aiovm_ref *aiovm_ref_retain(aiovm_ref *ref);
AIOVM_API aiovm_value aiovm_ref_get(const aiovm_ref *ref); /* of NULL: AIOVM_ABSENT */
AIOVM_API void aiovm_ref_release(aiovm_ref *ref);          /* before aiovm_close. NULL is fine */
/* In a native function with many values under way: those given out since the mark are let go. */
AIOVM_API size_t aiovm_mark(aiovm *vm);
AIOVM_API void aiovm_release(aiovm *vm, size_t mark);

/* ---- errors ---- */

/* What the last call that failed met. Never NULL; "" when there was nothing. */
/* "ValueError"; after the end of a VM "FuelLimit", "TimeLimit", "Killed" */
AIOVM_API const char *aiovm_error_type(aiovm *vm);
AIOVM_API const char *aiovm_error_message(aiovm *vm); /* "invalid literal for int() ..." */
AIOVM_API const char *aiovm_error_text(aiovm *vm);    /* the whole traceback, as the command prints it */
AIOVM_API aiovm_status aiovm_error_value(aiovm *vm, aiovm_value *out); /* the exception object; None: there is none */
AIOVM_API int aiovm_exit_code(aiovm *vm);                              /* after AIOVM_EXIT */
typedef struct aiovm_frame {
    const char *file, *function; /* UTF-8, valid as long as the error is */
    int line, column;            /* from 1; 0: not known */
    int end_line, end_column;
} aiovm_frame;
/* Where: of a SyntaxError the place in the text, else that of the innermost frame. false: not known. */
AIOVM_API bool aiovm_error_where(aiovm *vm, aiovm_frame *out);
/* The frames it came through, outermost first. */
AIOVM_API int aiovm_error_frame_count(aiovm *vm);
AIOVM_API bool aiovm_error_frame(aiovm *vm, int i, aiovm_frame *out);
/* The tasks it came through: the one that failed (0), the one that awaited that, and so on. NULL: no more. */
AIOVM_API const char *aiovm_error_task(aiovm *vm, int i);
AIOVM_API void aiovm_error_clear(aiovm *vm);

/* Raises: sets the error and returns AIOVM_ERROR, for a native function to return. type: the name of a builtin
 * exception, or a dotted one of a module that was imported. The format knows %s %d %ld %zu %c %%. */
AIOVM_API aiovm_status aiovm_raise(aiovm *vm, const char *type, const char *format, ...) AIOVM_PRINTF(3, 4);
/* An exception object or class. */
AIOVM_API aiovm_status aiovm_raise_value(aiovm *vm, aiovm_value exception);

/* ---- functions, modules and classes for scripts ---- */

typedef struct aiovm_args {
    int argc;                /* one per parameter of the signature */
    const aiovm_value *argv; /* in its order; AIOVM_ABSENT where an optional one was not given */
    void *ud;                /* what the function was registered with */
    void *self;              /* methods and properties: the object's host data; its value is argv[0] */
    /* AIOVM_ASYNC functions: */
    int step;          /* 0 at first, then what aiovm_await was given */
    aiovm_value sent;  /* the result of what was awaited */
    bool failed;       /* it failed: the error is set. Return AIOVM_ERROR to pass it on */
    aiovm_value *keep; /* four values that live until the function ends; absent at first */
} aiovm_args;
/* A native function. *out is None at first. Anything but AIOVM_OK raises the current error. */
typedef aiovm_status aiovm_native(aiovm *vm, aiovm_args *args, aiovm_value *out);

/* calling it gives a coroutine; fn is called when that is awaited, and again after each aiovm_await */
#define AIOVM_ASYNC  1u
#define AIOVM_STATIC 2u /* of a class: gets no self */
typedef struct aiovm_func {
    /* "move(self, x, y=0, /, *, fast=False)": the name, and parameters as in a def; also *args (a tuple) and **kw (a
     * dict). Calls are checked against it. Defaults are for the reader: what is not given is absent. */
    const char *signature;
    aiovm_native *fn;
    const char *doc;
    unsigned flags;
} aiovm_func; /* arrays of them end with a NULL signature. All strings are copied. */

/* Checks and converts all arguments (after self) in one call:
 *     if (aiovm_unpack(vm, a, "is|d", &n, &s, &d)) return AIOVM_ERROR;
 *
 *   i  int64_t *          d  double * (ints too)      b  bool * (by truth)       v  aiovm_value *: anything
 *   s  const char **: str without NUL        t  const char **, size_t *: str     y  const char **, size_t *: bytes
 *   l T D  aiovm_value *: list, tuple, dict  c  aiovm_value *: callable
 *   o  const aiovm_class *, void **: host data, an object of that class
 * After | parameters may be absent; a ? behind a letter allows None: the variable then keeps what it has. */
AIOVM_API aiovm_status aiovm_unpack(aiovm *vm, const aiovm_args *args, const char *format, ...);

AIOVM_API aiovm_status aiovm_function(aiovm *vm, const aiovm_func *func, void *ud, aiovm_value *out);
/* Adds functions to the module `name`, which is made if it does not exist; scripts import it. "builtins" and "__main__"
 * are modules too. funcs may be NULL. */
AIOVM_API aiovm_status aiovm_module(aiovm *vm, const char *name, const aiovm_func *funcs, void *ud);
/* A constant, class or anything else for a module, which is made if it does not exist. */
AIOVM_API aiovm_status aiovm_module_set(aiovm *vm, const char *module, const char *name, aiovm_value v);

typedef struct aiovm_property {
    const char *name;
    aiovm_native *get;
    aiovm_native *set; /* argv[1] is the value; NULL: read-only */
    const char *doc;
} aiovm_property;
typedef struct aiovm_class {
    const char *name; /* "Entity", or "game.Entity" with its module's name */
    const char *doc;
    size_t size; /* of the host data in each object: zeroed, never moves */
    /* when the object dies, exactly once, if init failed too. Must not call the VM */
    void (*finalize)(void *data, void *ud);
    const char *init_signature; /* "Entity(x, y=0)"; NULL: scripts can't make objects */
    aiovm_native *init;         /* argv[0] is the new object, args->self its data */
    const aiovm_func *methods;  /* dunder methods too: "__len__(self)" */
    const aiovm_property *properties;
    bool subclassable; /* scripts may derive from it */
} aiovm_class;
/* Makes the class, and gives it to the host: aiovm_module_set or aiovm_set_global shows it to scripts. cls must live as
 * long as the VM. Asked again, the same class. */
AIOVM_API aiovm_status aiovm_class_make(aiovm *vm, const aiovm_class *cls, void *ud, aiovm_value *out);
/* A new object; returns its data. NULL: the error is set. init is not called. The class is made if need be, with ud
 * NULL. */
AIOVM_API void *aiovm_new(aiovm *vm, const aiovm_class *cls, aiovm_value *out);
/* The host data of v; NULL: no object of this class. */
AIOVM_API void *aiovm_data(aiovm *vm, const aiovm_class *cls, aiovm_value v);

/* ---- waiting ---- */

/* In an AIOVM_ASYNC function: `return aiovm_await(vm, a, awaitable, 1, out);` goes on with a->step 1 when it is done.
 */
AIOVM_API aiovm_status aiovm_await(aiovm *vm, aiovm_args *args, aiovm_value awaitable, int step, aiovm_value *out);

/* A host operation that takes time: *out is a future, which a native function returns for the script to await; *op is
 * what the host completes it by, later, from its loop or any thread. The host owns *op: it completes it at most once
 * and releases it. cancel (may be NULL) is called on the VM's thread when the script no longer wants the result: the
 * task was cancelled, or the VM is closed; it must not run script. Not called once the operation is finished.
 * AIOVM_ERROR: no loop is running. */
AIOVM_API aiovm_status aiovm_future(aiovm *vm, void (*cancel)(void *ud), void *ud, aiovm_op **op, aiovm_value *out);
/* On the VM's thread. AIOVM_CANCELLED, AIOVM_DONE, AIOVM_ENDED: nobody waits any more, nothing was done. */
AIOVM_API aiovm_status aiovm_resolve(aiovm *vm, aiovm_op *op, aiovm_value v);
AIOVM_API aiovm_status aiovm_reject(aiovm *vm, aiovm_op *op, const char *type, const char *message);
/* From any thread: make(vm, ud, &value) is called later on the VM's thread and gives the result; anything but AIOVM_OK
 * fails the operation with the error it has raised. If nobody waits any more, drop(ud) is called instead, at once or
 * later; it may be NULL. Exactly one of the two is called. */
AIOVM_API aiovm_status aiovm_complete(aiovm_op *op, aiovm_status (*make)(aiovm *vm, void *ud, aiovm_value *out),
                                      void *ud, void (*drop)(void *ud));
/* From any thread. An operation whose last hold is released before it is finished fails with RuntimeError. */
AIOVM_API aiovm_op *aiovm_op_retain(aiovm_op *op);
AIOVM_API void aiovm_op_release(aiovm_op *op);
/* From any thread: does anybody still wait? */
AIOVM_API bool aiovm_op_wanted(aiovm_op *op);

/* Runs a coroutine as a task, in the loop that runs, or in the host's. done (may be NULL) is called exactly once, on
 * the VM's thread: with AIOVM_OK and the result; AIOVM_ERROR with the error set; AIOVM_CANCELLED; or AIOVM_ENDED when
 * the VM is closed or killed before. *task (task may be NULL) is for aiovm_cancel and belongs to the host, who releases
 * it. AIOVM_ERROR: no coroutine, or no loop. */
typedef void aiovm_done(aiovm *vm, void *ud, aiovm_status status, aiovm_value result);
AIOVM_API aiovm_status aiovm_spawn(aiovm *vm, aiovm_value coroutine, aiovm_done *done, void *ud, aiovm_task **task);
/* Asks the task to end: CancelledError is raised in it. AIOVM_DONE: it had ended. AIOVM_ENDED: its VM has. */
AIOVM_API aiovm_status aiovm_cancel(aiovm_task *task);
AIOVM_API void aiovm_task_release(aiovm_task *task); /* it goes on running. NULL is fine */

/* ---- the host's own loop drives the VM (AIOVM_HOST_LOOP) ---- */

typedef enum aiovm_state {
    AIOVM_STATE_READY, /* more can run at once: call again. aiovm_fd stays readable */
    /* tasks wait for descriptors: call again when aiovm_fd is readable or the timeout has passed */
    AIOVM_STATE_WAIT_IO,
    AIOVM_STATE_IDLE,      /* tasks sleep: call again when the timeout has passed */
    AIOVM_STATE_WAIT_HOST, /* tasks wait for operations of the host */
    AIOVM_STATE_DEADLOCK,  /* tasks wait for each other, and nothing can wake them: the error tells which */
    AIOVM_STATE_DONE,      /* no task is left */
    AIOVM_STATE_FAILED,    /* KeyboardInterrupt or SystemExit has left the loop: the error tells. Tasks may be left */
    AIOVM_STATE_ENDED,     /* the VM has ended */
    AIOVM_STATE_BUSY       /* called from inside: nothing was done */
} aiovm_state;
AIOVM_API const char *aiovm_state_name(aiovm_state state); /* "READY", ... */
/* One turn of the loop, never blocking: all that is ready runs once. fuel: about so much work at most (0: no matter how
 * much), then it stops between two tasks, or inside one that is just running script, which goes on at the next call. */
AIOVM_API aiovm_state aiovm_run_ready(aiovm *vm, uint64_t fuel);
/* A descriptor that is readable when run_ready should be called: something is ready, a descriptor that scripts wait
 * for, an operation completed, an interrupt. Timers are not in it: see aiovm_timeout_ns. The VM's own: only to be
 * polled. -1: none could be made (errno). */
AIOVM_API int aiovm_fd(aiovm *vm);
/* Nanoseconds until run_ready should be called at the latest: 0 now, -1 no timer. */
AIOVM_API int64_t aiovm_timeout_ns(aiovm *vm);

/* ---- from other threads ---- */

/* The VM for other threads. NULL: no memory. The host releases it. */
AIOVM_API aiovm_handle *aiovm_handle_new(aiovm *vm);
AIOVM_API aiovm_handle *aiovm_handle_retain(aiovm_handle *handle);
AIOVM_API void aiovm_handle_release(aiovm_handle *handle); /* NULL is fine */
/* fn(vm, ud) is called on the VM's thread, between two tasks, the next time its loop runs; with vm NULL if it is closed
 * before. AIOVM_ENDED: the VM is closed, fn is not called. AIOVM_NOMEM. */
AIOVM_API aiovm_status aiovm_post(aiovm_handle *handle, void (*fn)(aiovm *vm, void *ud), void *ud);
/* Ctrl-C for the VM: the running script gets a KeyboardInterrupt; what aiovm_run or aiovm_eval runs as a main coroutine
 * is cancelled first. Signal handlers may call it. */
AIOVM_API void aiovm_interrupt(aiovm_handle *handle);
/* Ends the VM's scripts uncatchably, soon. Signal handlers may call it. */
AIOVM_API void aiovm_kill(aiovm_handle *handle);

#ifdef __cplusplus
}
#endif

#endif
