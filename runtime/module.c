/* The module asyncio: everything in one namespace; the names of its submodules are aliases of it. */
#include "runtime/asyncio.h"
#include "vm/str.h"
#include "vm/list.h"

static bool add_types(vm *vm, module *m)
{
    runtime *rt = runtime_of(vm);
    static const struct {
        const char *name;
        uint16_t id;
    } ids[] = {
        {"Future", TYPE_FUTURE},
        {"Task", TYPE_TASK},
        {"_CFuture", TYPE_FUTURE},
        {"_CTask", TYPE_TASK},
        {"_PyFuture", TYPE_FUTURE},
        {"_PyTask", TYPE_TASK},
        {"CancelledError", EXC_CancelledError},
        {"InvalidStateError", EXC_InvalidStateError},
        {"TimeoutError", EXC_TimeoutError},
        {"QueueEmpty", EXC_QueueEmpty},
        {"QueueFull", EXC_QueueFull},
        {"QueueShutDown", EXC_QueueShutDown},
        {"BrokenBarrierError", EXC_BrokenBarrierError},
        {"SendfileNotAvailableError", EXC_SendfileNotAvailableError},
        {"IncompleteReadError", EXC_IncompleteReadError},
        {"LimitOverrunError", EXC_LimitOverrunError},
        {"DeadlockError", EXC_DeadlockError},
    };
    static const struct {
        const char *name;
        enum runtime_type t;
    } own[] = {
        {"Lock", RT_LOCK},
        {"Event", RT_EVENT},
        {"Condition", RT_CONDITION},
        {"Semaphore", RT_SEMAPHORE},
        {"BoundedSemaphore", RT_BOUNDED_SEMAPHORE},
        {"Barrier", RT_BARRIER},
        {"Queue", RT_QUEUE},
        {"PriorityQueue", RT_PRIORITY_QUEUE},
        {"LifoQueue", RT_LIFO_QUEUE},
        {"Timeout", RT_TIMEOUT},
        {"TaskGroup", RT_TASK_GROUP},
        {"Runner", RT_RUNNER},
        {"DefaultEventLoopPolicy", RT_POLICY},
        {"BaseDefaultEventLoopPolicy", RT_POLICY},
        {"BaseProtocol", RT_BASE_PROTOCOL},
        {"Protocol", RT_PROTOCOL},
        {"BufferedProtocol", RT_BUFFERED_PROTOCOL},
        {"DatagramProtocol", RT_DATAGRAM_PROTOCOL},
        {"SubprocessProtocol", RT_SUBPROCESS_PROTOCOL},
        {"StreamReader", RT_STREAM_READER},
        {"StreamWriter", RT_STREAM_WRITER},
        {"StreamReaderProtocol", RT_STREAM_PROTOCOL},
        {"FlowControlMixin", RT_FLOW_CONTROL},
        {"_GatheringFuture", RT_GATHER},
        {"_DefaultEventLoopPolicy", RT_POLICY},
        {"_UnixDefaultEventLoopPolicy", RT_POLICY},
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (!module_add(vm, m, ids[i].name, value_obj(vm->types[ids[i].id]))) return false;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (rt->types[own[i].t] && !module_add(vm, m, own[i].name, value_obj(rt->types[own[i].t]))) return false;
    value l = value_obj(rt->loop_type);
    return module_add(vm, m, "Handle", value_obj(rt->handle_type)) &&
           module_add(vm, m, "TimerHandle", value_obj(rt->timer_handle_type)) &&
           module_add(vm, m, "BaseEventLoop", l) && module_add(vm, m, "SelectorEventLoop", l) &&
           module_add(vm, m, "EventLoop", l) && module_add(vm, m, "BaseSelectorEventLoop", l) &&
           module_add(vm, m, "_UnixSelectorEventLoop", l);
}

/* What CPython writes twice, in C and in Python: there is one of each here. */
static bool add_aliases(vm *vm, module *m)
{
    static const char *const names[] = {"_enter_task",      "_leave_task",       "_register_task",
                                        "_unregister_task", "_get_running_loop", "_set_running_loop",
                                        "get_running_loop", "get_event_loop",    "current_task"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        value f = dict_get_str(vm, m->dict, str_intern_utf8(vm, names[i], strlen(names[i])));
        for (unsigned k = 0; k < 2; k++) {
            bool bare = i < 4; /* "_c_enter_task", but "_c__get_running_loop" */
            str *alias = str_format(vm, bare ? k ? "_py%s" : "_c%s" : k ? "_py_%s" : "_c_%s", names[i]);
            if (!alias || value_is_unbound(f) || !dict_set_str(vm, m->dict, str_intern(vm, alias), f)) return false;
        }
    }
    return true;
}

static bool add_constants(vm *vm, module *m)
{
    static const char *const texts[] = {"FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        str *s = str_intern_utf8(vm, texts[i], strlen(texts[i]));
        if (!s || !module_add(vm, m, texts[i], value_obj(s))) return false;
    }
    value g = dict_get_str(vm, vm->builtins, str_intern_utf8(vm, "gather", 6));
    value c = dict_get_str(vm, vm->builtins, str_intern_utf8(vm, "as_completed", 12));
    return module_add(vm, m, "gather", g) && module_add(vm, m, "as_completed", c);
}

/* `import asyncio.tasks`, `from asyncio.locks import Lock`: every submodule has all the names. */
static bool add_submodules(vm *vm, module *m)
{
    static const char *const names[] = {
        "base_events", "base_futures", "base_tasks", "coroutines", "events",    "exceptions",      "futures",
        "locks",       "mixins",       "queues",     "runners",    "tasks",     "taskgroups",      "timeouts",
        "streams",     "transports",   "protocols",  "trsock",     "staggered", "selector_events", "unix_events"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        str *full = str_format(vm, "asyncio.%s", names[i]);
        if (!full || !dict_set_str(vm, vm->modules, full, value_obj(m)) || !module_add(vm, m, names[i], value_obj(m)))
            return false;
    }
    list *path = list_new(vm, 0); /* a package, as far as the import statement is concerned */
    return path && dict_set_str(vm, m->dict, N(vm, __path__), value_obj(path));
}

/* What is rarely used is in script modules of its own, imported when a name of theirs is asked for. */
static value lazy_attribute(vm *vm, value *a, uint32_t n, value kw)
{
    static const struct {
        const char *name, *module;
    } lazy[] = {
        {"open_connection", "_asyncio_net"},
        {"start_server", "_asyncio_net"},
        {"open_unix_connection", "_asyncio_net"},
        {"start_unix_server", "_asyncio_net"},
        {"Server", "_asyncio_net"},
        {"AbstractServer", "_asyncio_net"},
        {"TransportSocket", "_asyncio_transports"},
        {"BaseTransport", "_asyncio_transports"},
        {"ReadTransport", "_asyncio_transports"},
        {"WriteTransport", "_asyncio_transports"},
        {"Transport", "_asyncio_transports"},
        {"DatagramTransport", "_asyncio_transports"},
        {"SubprocessTransport", "_asyncio_transports"},
        {"staggered_race", "_asyncio_net"},
        {"_SelectorDatagramTransport", "_asyncio_datagram"},
        {"AbstractEventLoop", "asyncio.abstract"},
        {"AbstractEventLoopPolicy", "asyncio.abstract"},
        {"AbstractChildWatcher", "asyncio.child_watchers"},
        {"BaseChildWatcher", "asyncio.child_watchers"},
        {"SafeChildWatcher", "asyncio.child_watchers"},
        {"FastChildWatcher", "asyncio.child_watchers"},
        {"MultiLoopChildWatcher", "asyncio.child_watchers"},
        {"ThreadedChildWatcher", "asyncio.child_watchers"},
        {"PidfdChildWatcher", "asyncio.child_watchers"},
        {"get_child_watcher", "asyncio.child_watchers"},
        {"set_child_watcher", "asyncio.child_watchers"},
        {"waitstatus_to_exitcode", "asyncio.child_watchers"},
        {"create_eager_task_factory", "asyncio.eager"},
        {"logger", "asyncio.log"},
        {"log", "asyncio.log"},
        {"format_helpers", "asyncio.format_helpers"},
        {"constants", "asyncio.constants"},
        {"threads", "asyncio.threads"},
        {"base_subprocess", "asyncio.base_subprocess"},
        {"_set_reuseport", "_asyncio_net"},
        {"sslproto", "_asyncio_tls"},
        {"SSLProtocol", "_asyncio_tls"},
        {"capture_call_graph", "asyncio.graph"},
        {"format_call_graph", "asyncio.graph"},
        {"print_call_graph", "asyncio.graph"},
        {"FutureCallGraph", "asyncio.graph"},
        {"FrameCallGraphEntry", "asyncio.graph"},
        {"subprocess", "asyncio.subprocess"},
        {"graph", "asyncio.graph"},
        {"create_subprocess_exec", "asyncio.subprocess"},
        {"create_subprocess_shell", "asyncio.subprocess"},
        {"to_thread", "asyncio.threads"},
        {"wrap_future", "asyncio.threads"},
        {"run_coroutine_threadsafe", "asyncio.threads"},
    };
    (void)n, (void)kw;
    for (size_t i = 0; IS_STR(a[0]) && i < sizeof lazy / sizeof *lazy; i++) {
        if (!str_equal_ascii(AS(str, a[0]), lazy[i].name)) continue;
        str *module = str_from_cstr(vm, lazy[i].module);
        value m = module ? import_module(vm, module) : V_ERROR;
        const char *last = strrchr(lazy[i].module, '.');
        bool submodule = (last && strcmp(last + 1, lazy[i].name) == 0) || strcmp(lazy[i].name, "sslproto") == 0;
        return value_is_error(m) || submodule ? m : obj_getattr(vm, m, AS(str, a[0]));
    }
    return raise(vm, EXC_AttributeError, "module 'asyncio' has no attribute %R", a[0]);
}
static const native_def lazy_functions[] = {{"__getattr__(name, /)", lazy_attribute, NULL, 0}, {0}};

bool asyncio_module_init(vm *vm, module *m)
{
    static const native_def *const tables[] = {lazy_functions,    event_functions,  task_functions,
                                               foreign_functions, runner_functions, timeout_functions};
    ROOTS(vm, &m);
    if (!runtime_of(vm)->types[RT_POLICY]) {
        if (!context_types_open(vm) || !policy_type_open(vm) || !runner_type_open(vm) || !locks_types_open(vm) ||
            !semaphore_types_open(vm) || !barrier_type_open(vm) || !queue_types_open(vm) || !timeout_type_open(vm) ||
            !task_group_type_open(vm))
            return false;
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (!module_add_natives(vm, m, tables[i])) return false;
    return asyncio_add_streams(vm) && add_types(vm, m) && add_constants(vm, m) && add_aliases(vm, m) &&
           add_submodules(vm, m);
}
