/* What the files of the public C API (api_*.c) share: the state of one embedding, and the way in and out.
 *
 * Every function of aiovm.h that does anything goes through api_enter and api_leave (or api_give). The first says
 * whether the host may come in now, the second turns the pending exception into a status and the current error.
 *
 * Invariants
 *  1. Between two calls of the host no exception is pending in the thread: it is the current error, api->error.
 *  2. Every heap object that the host was given is in one of api->scopes, and so a root, until the native function
 *     that got it returns, or until the next outermost call that runs script ends.
 *  3. While the collector sweeps (finalisers of host data) every call is refused; while a future changes its state
 *     (cancel callbacks) every call that may run script is.
 *  4. Ops and handles belong to both sides and are malloc'ed; everything else is the VM's memory.
 */
#ifndef AIOVM_RUNTIME_API_H
#define AIOVM_RUNTIME_API_H

#include "include/aiovm.h"
#include "runtime/asyncio.h"
#include "vm/file.h"

typedef struct host_def host_def;
typedef struct host_class host_class;

/* What was given to the host. */
typedef struct api_scope {
    value *items;
    size_t n, cap;
} api_scope;

typedef struct api {
    aiovm_ref *refs;
    /* of the main thread, a stack; and of all threads of scripts, until none is in a native */
    api_scope scopes[2];
    uint32_t thread_natives;                   /* calls of the host that are under way in threads of scripts */
    value error;                               /* the current one, or unbound */
    value type_text, message_text, whole_text; /* of it: str, made when asked for */
    value task_names;                          /* of it: list of str, or unbound */
    value chain_exc;                           /* the exception that task_chain belongs to */
    value task_chain;                          /* list of task names */
    value loaded;                              /* names of frames given out: kept for the life of the error */
    int exit_code;
    uint32_t in_sweep, no_script;
    bool unlocked;                 /* other threads may run: the host's calls take the lock */
    bool closing, entered;         /* entered: an outermost call is running script */
    int64_t wall_left, wall_start; /* ns; wall_left 0: no limit */
    host_def *defs;                /* registered functions */
    host_class *classes;
    aiovm_handle *handle;
    aiovm_op **ops; /* pending ones; a future's `result` is its place + 1 */
    size_t nops, capops;
    aiovm_task *tasks;   /* a list */
    aiovm_config config; /* without pointers to text */
    char *folder;        /* import_folder, absolute */
    size_t folder_size;
    char **modules;            /* copy of config.modules, NULL-terminated */
    uint64_t output;           /* bytes printed */
    size_t used_after_collect; /* memory: by the collection that a call began with */
    uint64_t fuel_base;        /* used by opening */
    file_terminal terminal;    /* sinks */
    bool fd_asked, end_done;   /* the host polls our descriptor; what an uncatchable end asks for was done */
    double armed;              /* what the descriptor's timer is set to; negative: nothing */
} api;

enum { API_PLAIN, API_SCRIPT, API_OUTER }; /* runs no script; may run script; never from inside */

static inline struct vm *inside(aiovm *vm) { return (struct vm *)(void *)vm; }
static inline aiovm *outside(struct vm *vm) { return (aiovm *)(void *)vm; }
static inline api *api_of(vm *vm) { return vm->state[VMS_API]; }
static inline value from_host(aiovm_value v) { return (value){v.bits}; }
static inline aiovm_value to_host(value v) { return (aiovm_value){v.bits}; }

/* ---- api_core.c ---- */
/* AIOVM_OK: go on, and leave by api_leave. Else *out is None and the status is to be returned. */
aiovm_status api_enter(vm *vm, int kind, aiovm_value *out);
/* An exception is pending (v is the error value), or v is the result. */
aiovm_status api_leave(vm *vm, int kind, value v, aiovm_value *out);
/* The same for calls that give no value; ok false: an exception is pending. */
aiovm_status api_finish(vm *vm, int kind, bool ok);
/* Arguments that make no sense: *out is None. */
static inline aiovm_status api_invalid(aiovm_value *out)
{
    if (out) *out = to_host(V_NONE);
    return AIOVM_INVALID;
}
bool api_present(vm *vm, value v);                      /* false: raised ValueError, it is AIOVM_ABSENT */
aiovm_status api_catch(vm *vm);                         /* the pending exception becomes the current error */
void api_throw(vm *vm, aiovm_status status, value who); /* the current error becomes the pending exception */
bool api_keep(vm *vm, value v);                         /* in the scope; false: MemoryError is pending */
size_t api_scope_begin(vm *vm);                         /* the host is called: what it gets is let go at the end */
void api_scope_end(vm *vm, size_t mark);
bool api_is_inside(vm *vm);
bool api_acquire(vm *vm); /* the VM's lock, for a call from outside; true: it was not held */
void api_give_up(vm *vm); /* the end of a call from outside */
static inline void api_come_out(vm *const *vm) { api_give_up(*vm); }
/* In front of all ROOTS of a function that comes in, by api_enter or api_acquire: gives the lock up after they are
 * popped. */
#define API_COME_IN(VM) __attribute__((cleanup(api_come_out), unused)) struct vm *const came_in_ = (VM)
str *api_text(vm *vm, const char *s, size_t length);
void api_forget_error(vm *vm);
void api_time_begin(vm *vm); /* the wall clock runs while script does */
void api_time_end(vm *vm);

bool api_core_open(vm *vm);
void api_core_close(vm *vm); /* before the heap is freed */

/* ---- api_error.c ---- */
/* as aiovm_raise, but pending; msg NULL: something is pending already */
void api_raise(vm *vm, const char *type, str *msg);
/* ---- api_native.c ---- */
value api_host_call(vm *vm, native *n, value *args, uint32_t nargs, value kwnames);
native *api_native_new(vm *vm, const aiovm_func *f, void *ud, type *owner, value module);
void api_defs_free(vm *vm);
/* ---- api_class.c ---- */
void *api_self(vm *vm, value v); /* host data of any host object; NULL: it is none */
void api_classes_free(vm *vm);
/* ---- api_op.c ---- */
bool api_ops_open(vm *vm);
void api_ops_mark(vm *vm);
void api_ops_close(vm *vm); /* cancels what is pending */
void api_handle_close(vm *vm);
bool api_queue_waits(vm *vm); /* other threads have posted or completed something since the turn began */
/* ---- api_task.c ---- */
void api_tasks_close(vm *vm, aiovm_status status); /* done callbacks that were not called yet */
void api_tasks_mark(vm *vm);
void api_task_failed(vm *vm, task *t, value exc);
void api_host_loop_changed(vm *vm); /* from outside something may have been made ready */
loop *api_loop(vm *vm);             /* the running one or the host's; NULL raised */
/* ---- api_run.c ---- */
dict *api_main(vm *vm);
/* ---- api_sink.c ---- */
bool api_sinks_open(vm *vm);

#endif
