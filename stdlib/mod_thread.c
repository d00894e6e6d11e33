/* The module _thread: starting OS threads, and what threading is made of.
 *
 * A new thread keeps the function and its arguments in thread->start until it runs. threading gives each thread its
 * Thread object (thread->object), so that current_thread() is one look. */
#include "thread_module.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "structseq.h"
#include "vm/caps.h"
#include "vm/exception.h"
#include "vm/os_thread.h"
#include "vm/warn.h"

#define DOC_FILE stdlib_mod_thread
DOC_BEGIN;

enum { STACK_MIN = 128 * 1024 };

static void thread_run(vm *vm, thread *th)
{
    value call = th->start, *part = AS(tuple, call)->items;
    ROOTS(vm, &call);
    th->start = V_UNBOUND;
    vm_poll(vm); /* the VM may be ending */
    if (!raised(vm)) vm_call_ex(vm, part[0], part[1], part[2]);
    if (!raised(vm)) return;
    if (th->killed || exc_matches(vm, EXC_SystemExit)) exc_clear(vm);
    else exc_report_unraisable_in(vm, "in thread started by", part[0]);
    if (raised(vm)) exc_clear(vm);
}

static void *thread_main(void *arg)
{
    thread *th = arg;
    thread_enter(th);
    th->native_id = (int64_t)syscall(SYS_gettid);
    thread_run(th->vm, th);
    local_forget_thread(th->vm, th);
    thread_leave(th);
    return NULL;
}

FN(start_new_thread)
{
    if (!cap_require(vm, CAP_THREADS)) return V_ERROR;
    if (!obj_is_callable(vm, args[0])) return raise_type_error(vm, "first arg must be callable");
    if (!IS_TUPLE(args[1])) return raise_type_error(vm, "2nd arg must be a tuple");
    if (!value_is_unbound(args[2]) && !IS_DICT(args[2]))
        return raise_type_error(vm, "optional 3rd arg must be a dictionary");
    tuple *call = tuple_pack(vm, 3, args[0], args[1], args[2]);
    thread *th = call ? thread_new(vm) : NULL;
    if (!th) return V_ERROR;
    th->start = value_obj(call);
    uint64_t serial = th->serial;
    int err = os_thread_start(vm->thread_stack_size, thread_main, th);
    if (err == 0) return value_int((int64_t)serial);
    thread_forget(vm, th);
    return raise(vm, EXC_RuntimeError, "can't start new thread");
}

FN(get_ident) { return value_int((int64_t)vm->thread->serial); }
FN(get_native_id)
{
    if (!(vm->caps & (CAP_PROCESS | CAP_ENV | CAP_THREADS))) return value_int(1); /* who is it to know? as os.getpid */
    return value_int((int64_t)syscall(SYS_gettid));
}
FN(thread_count) { return value_int(vm->nthreads - 1); }

FN(stack_size)
{
    int64_t n = 0, before = (int64_t)vm->thread_stack_size;
    if (!value_is_unbound(args[0])) {
        if (!int_as_i64(vm, args[0], &n)) return V_ERROR;
        if (n < 0) return raise_value_error(vm, "size must be 0 or a positive value");
        if (n && n < STACK_MIN) return raise_value_error(vm, "size not valid: %ld bytes", n);
        vm->thread_stack_size = (size_t)n;
    }
    return value_int(before);
}

FN(exit_thread) { return raise(vm, EXC_SystemExit, NULL); }

FN(interrupt_main)
{
    int64_t n = 2;
    if (!value_is_unbound(args[0]) && !int_as_i64(vm, args[0], &n)) return V_ERROR;
    if (n < 1 || n > 64) return raise_value_error(vm, "signal number out of range");
    if (n != 2) return raise_value_error(vm, "interrupt_main() can simulate signal 2 (SIGINT) only");
    if (thread_is_main(vm, vm->thread)) {
        __atomic_fetch_or(&vm->pending, VMP_SIGINT, __ATOMIC_ACQ_REL);
        vm_poll_soon(vm);
    } else {
        lock_defer_signals(vm, VMP_SIGINT);
        if (vm->hooks.attention) vm->hooks.attention(vm);
    }
    return V_NONE;
}

FN(set_object)
{
    vm->thread->object = args[0];
    return V_NONE;
}
FN(get_object) { return value_is_unbound(vm->thread->object) ? V_NONE : vm->thread->object; }
FN(is_main) { return value_bool(thread_is_main(vm, vm->thread)); }
FN(main_object)
{
    if (nargs && !value_is_unbound(args[0])) vm->main_thread.object = args[0];
    return value_is_unbound(vm->main_thread.object) ? V_NONE : vm->main_thread.object;
}

static const getset_def hook_fields[] = {
    STRUCTSEQ_FIELD(0, "exc_type", "Exception type"),
    STRUCTSEQ_FIELD(1, "exc_value", "Exception value"),
    STRUCTSEQ_FIELD(2, "exc_traceback", "Exception traceback"),
    STRUCTSEQ_FIELD(3, "thread", "Thread"),
    {0},
};
static const structseq_spec hook_spec = {"_thread._ExceptHookArgs", "What threading.excepthook is told.", hook_fields};

static const native_def functions[] = {
    {"start_new_thread(function, args, kwargs=None, /)", start_new_thread,
     DOC("Call function(*args, **kwargs) in a new thread; returns its identifier."), 0},
    {"start_new(function, args, kwargs=None, /)", start_new_thread,
     DOC("Call function(*args, **kwargs) in a new thread; returns its identifier."), 0},
    {"get_ident()", get_ident, DOC("A number that is this thread's alone."), 0},
    {"get_native_id()", get_native_id, DOC("The number that the system knows this thread by."), 0},
    {"_count()", thread_count, DOC("How many threads run beside the main one."), 0},
    {"stack_size(size=0, /)", stack_size,
     DOC("Set the stack size of new threads (0: the system's default); returns the one before."), 0},
    {"exit()", exit_thread, DOC("End this thread, by SystemExit."), 0},
    {"exit_thread()", exit_thread, DOC("End this thread, by SystemExit."), 0},
    {"interrupt_main(signum=2, /)", interrupt_main,
     DOC("As if Ctrl-C had been pressed: KeyboardInterrupt in the main thread."), 0},
    {"_set_object(thread, /)", set_object, DOC("Make it the Thread object of this thread."), 0},
    {"_get_object()", get_object, DOC("This thread's Thread object, or None."), 0},
    {"_main_object(thread=None, /)", main_object, DOC("The main thread's Thread object; sets it first."), 0},
    {"_is_main()", is_main, DOC("Is this the main thread?"), 0},
    {0},
};

bool thread_init(vm *vm, module *m)
{
    type *hook = module_state_type(vm, STATE_THREAD_HOOK_ARGS);
    if (!hook) {
        hook = structseq_type(vm, &hook_spec);
        if (!hook || !module_state_set(vm, STATE_THREAD_HOOK_ARGS, value_obj(hook))) return false;
    }
    return module_add_natives(vm, m, functions) && thread_lock_types(vm, m) && local_type_open(vm, m) &&
           module_add(vm, m, "_ExceptHookArgs", value_obj(hook)) &&
           module_add(vm, m, "error", value_obj(EXC_T(vm, RuntimeError))) &&
           module_add(vm, m, "TIMEOUT_MAX", value_float(9223372036.0));
}
