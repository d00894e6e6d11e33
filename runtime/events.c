/* Functions of asyncio about loops and tasks: finding them, making them, asking what something is. */
#include "runtime/asyncio.h"
#include "vm/attr.h"
#include "vm/dict.h"
#include "vm/list.h"
#include "vm/lock.h"
#include "vm/native.h"

#define DOC_FILE runtime_events
DOC_BEGIN;

/* ---- loops ---- */

static value get_running_loop(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    loop *l = loop_running_or_raise(vm);
    return l ? value_obj(l) : V_ERROR;
}
static value get_running_loop_or_none(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    loop *l = loop_running(vm);
    return l ? value_obj(l) : V_NONE;
}
static value policy_of(vm *vm)
{
    runtime *rt = runtime_of(vm);
    if (value_is_unbound(rt->policy)) {
        value p = vm_call0(vm, value_obj(rt->types[RT_POLICY]));
        if (value_is_error(p)) return V_ERROR;
        rt->policy = p;
    }
    return rt->policy;
}
static bool policy_is_own(vm *vm)
{
    runtime *rt = runtime_of(vm);
    return value_is_unbound(rt->policy) || value_is_exact(rt->policy, rt->types[RT_POLICY]->root_shape);
}
/* A loop that a script wrote from nothing: it may be set, but C never runs it. */
static bool is_foreign_loop(vm *vm, value v) { return value_is_obj(v) && !loop_is(vm, v); }
static value get_event_loop(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    if (!loop_running(vm) && !policy_is_own(vm))
        return vm_call_method(vm, runtime_of(vm)->policy, str_intern_utf8(vm, "get_event_loop", 14), NULL, 0);
    loop *l = loop_get_event_loop(vm);
    return l ? value_obj(l) : V_ERROR;
}
/* Is it what C has, or of the script's class for such things? false: raised, perhaps. */
static bool is_abstract(vm *vm, value v, value own, const char *class_name)
{
    int is = obj_isinstance(vm, v, own);
    if (is) return is > 0;
    ROOTS(vm, &v);
    value m = import_module(vm, str_from_cstr(vm, "asyncio.abstract"));
    value c = value_is_error(m) ? m : obj_getattr(vm, m, str_intern_utf8(vm, class_name, strlen(class_name)));
    return !value_is_error(c) && obj_isinstance(vm, v, c) > 0;
}
/* Makes l the current loop; the policy's child watcher, if there is one, goes with it in the main thread. */
static bool set_current_loop(vm *vm, value policy, value l)
{
    thread *th = vm->thread;
    th->event_loop = value_is_none(l) ? V_UNBOUND : l;
    th->event_loop_set = true;
    if (value_is_unbound(policy) || !thread_is_main(vm, th)) return true;
    ROOTS(vm, &l);
    value watcher = obj_getattr_opt(vm, policy, str_intern_utf8(vm, "_watcher", 8));
    if (raised(vm)) return false;
    if (value_is_unbound(watcher) || value_is_none(watcher)) return true;
    return !value_is_error(vm_call_method(vm, watcher, str_intern_utf8(vm, "attach_loop", 11), &l, 1));
}
bool event_loop_set(vm *vm, value l)
{
    runtime *rt = runtime_of(vm);
    if (rt->types[RT_POLICY] && !policy_is_own(vm))
        return !value_is_error(vm_call_method(vm, rt->policy, str_intern_utf8(vm, "set_event_loop", 14), &l, 1));
    return set_current_loop(vm, rt->policy, l);
}
static value set_event_loop(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!policy_is_own(vm)) return event_loop_set(vm, a[0]) ? V_NONE : V_ERROR;
    if (!value_is_none(a[0]) && !is_abstract(vm, a[0], value_obj(runtime_of(vm)->loop_type), "AbstractEventLoop"))
        return raised(vm)
                   ? V_ERROR
                   : raise_type_error(vm, "loop must be an instance of AbstractEventLoop or None, not '%T'", a[0]);
    return event_loop_set(vm, a[0]) ? V_NONE : V_ERROR;
}
value event_loop_new(vm *vm)
{
    runtime *rt = runtime_of(vm);
    if (rt->types[RT_POLICY] && !policy_is_own(vm))
        return vm_call_method(vm, rt->policy, str_intern_utf8(vm, "new_event_loop", 14), NULL, 0);
    loop *l = loop_new(vm);
    return l ? value_obj(l) : V_ERROR;
}
static value new_event_loop(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    return event_loop_new(vm);
}
static value get_event_loop_policy(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    return policy_of(vm);
}
static value set_event_loop_policy(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    runtime *rt = runtime_of(vm);
    if (!value_is_none(a[0]) && !is_abstract(vm, a[0], value_obj(rt->types[RT_POLICY]), "AbstractEventLoopPolicy"))
        return raised(vm) ? V_ERROR
                          : raise_type_error(
                                vm, "policy must be an instance of AbstractEventLoopPolicy or None, not '%T'", a[0]);
    rt->policy = value_is_none(a[0]) ? V_UNBOUND : a[0];
    return V_NONE;
}

/* The policy object: what get_event_loop and its kin do, as methods that a subclass may redefine. */
static value p_get(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    thread *th = vm->thread;
    if (is_foreign_loop(vm, th->event_loop)) return th->event_loop;
    void *running = th->loop_state; /* the policy's own loop, whatever runs */
    th->loop_state = NULL;
    loop *l = loop_get_event_loop(vm);
    th->loop_state = running;
    return l ? value_obj(l) : V_ERROR;
}
static value p_set(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!value_is_none(a[1]) && !is_abstract(vm, a[1], value_obj(runtime_of(vm)->loop_type), "AbstractEventLoop"))
        return raised(vm)
                   ? V_ERROR
                   : raise_type_error(vm, "loop must be an instance of AbstractEventLoop or None, not '%T'", a[1]);
    return set_current_loop(vm, a[0], a[1]) ? V_NONE : V_ERROR;
}
static value p_new(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    loop *l = loop_new(vm);
    return l ? value_obj(l) : V_ERROR;
}
static value watcher_call(vm *vm, const char *function, value *a, uint32_t n)
{
    str *name = str_intern_utf8(vm, function, strlen(function));
    ROOTS(vm, &name);
    value m = name ? import_module(vm, str_from_cstr(vm, "asyncio.child_watchers")) : V_ERROR;
    value f = value_is_error(m) ? m : obj_getattr(vm, m, name);
    return value_is_error(f) ? f : vm_call(vm, f, a, n);
}
static value p_get_watcher(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return watcher_call(vm, "policy_watcher", a, 1);
}
static value p_set_watcher(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return watcher_call(vm, "policy_set_watcher", a, 2);
}
bool policy_type_open(vm *vm)
{
    static const native_def methods[] = {
        {"get_event_loop(self)", p_get, DOC("The current event loop."), 0},
        {"set_event_loop(self, loop)", p_set, DOC("Make it the current event loop."), 0},
        {"new_event_loop(self)", p_new, DOC("A new event loop."), 0},
        {"get_child_watcher(self)", p_get_watcher, DOC("The child watcher; made when it is first asked for."), 0},
        {"set_child_watcher(self, watcher)", p_set_watcher, DOC("Make it the child watcher; the one before is closed."),
         0},
        {0},
    };
    static const type_spec spec = {"asyncio.DefaultEventLoopPolicy",
                                   "How the current event loop is found.",
                                   NULL,
                                   methods,
                                   NULL,
                                   0,
                                   TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                   NULL};
    return (runtime_of(vm)->types[RT_POLICY] = type_from_spec(vm, &spec)) != NULL;
}

const native_def event_functions[] = {
    {"get_running_loop()", get_running_loop, DOC("The running event loop; RuntimeError if there is none."), 0},
    {"_get_running_loop()", get_running_loop_or_none, DOC("The running event loop or None."), 0},
    {"get_event_loop()", get_event_loop, DOC("The running event loop, or the one that set_event_loop set."), 0},
    {"set_event_loop(loop)", set_event_loop, DOC("Make loop the one that get_event_loop gives."), 0},
    {"new_event_loop()", new_event_loop, DOC("A new event loop."), 0},
    {"get_event_loop_policy()", get_event_loop_policy, DOC("The event loop policy."), 0},
    {"set_event_loop_policy(policy)", set_event_loop_policy, DOC("Set the event loop policy; None: the default one."),
     0},
    {0},
};

/* ---- tasks ---- */

static bool loop_argument(vm *vm, value v, loop **l)
{
    if (absent(v)) {
        *l = loop_running_or_raise(vm);
        return *l != NULL;
    }
    if (loop_is(vm, v)) {
        *l = AS(loop, v);
        return true;
    }
    raise_type_error(vm, "loop must be an event loop, not %T", v);
    return false;
}

static value current_task(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    loop *l = NULL;
    if (absent(a[0]) && !loop_argument(vm, a[0], &l)) return V_ERROR;
    return current_task_of(vm, l ? value_obj(l) : a[0]);
}
static value all_tasks(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    loop *l = NULL;
    if ((absent(a[0]) || loop_is(vm, a[0])) && !loop_argument(vm, a[0], &l)) return V_ERROR;
    value of = l ? value_obj(l) : a[0];
    list *tasks = l ? all_tasks_list(vm, l) : list_new(vm, 0);
    set *s = tasks ? set_new(vm, TYPE_SET) : NULL;
    if (!s) return V_ERROR;
    ROOTS(vm, &tasks, &s, &of);
    if (!foreign_tasks_add(vm, of, s)) return V_ERROR;
    for (size_t i = 0; i < tasks->len; i++)
        if (!set_add(vm, s, tasks->items[i])) return V_ERROR;
    return value_obj(s);
}
static value create_task(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    loop *l = loop_running(vm);
    if (LIKELY(l && l->h.shape == runtime_of(vm)->loop_type->root_shape && value_is_unbound(l->task_factory) &&
               !l->closed && value_is_unbound(a[1]) && value_is_unbound(a[2]) && value_is_unbound(a[3]))) {
        task *t = task_new(vm, l, a[0], V_UNBOUND, V_UNBOUND);
        return t ? value_obj(t) : V_ERROR;
    }
    if (!(l = loop_running_or_raise(vm))) return V_ERROR;
    if (UNLIKELY(!absent(a[3]))) return loop_create_task_eager(vm, l, a[0], a[1], a[2], a[3]);
    if (LIKELY(l->h.shape == runtime_of(vm)->loop_type->root_shape))
        return loop_create_task_numbered(vm, l, a[0], a[1], a[2]);
    value args[3] = {a[0]}; /* a subclass may have its own create_task */
    uint32_t k = 0;
    value names[2];
    if (!absent(a[1])) args[1 + k] = a[1], names[k++] = value_obj(N(vm, name));
    if (!absent(a[2])) args[1 + k] = a[2], names[k++] = value_obj(N(vm, context));
    tuple *t = k ? tuple_from(vm, names, k) : NULL;
    if (k && !t) return V_ERROR;
    value f = obj_getattr(vm, value_obj(l), str_intern_utf8(vm, "create_task", 11));
    return value_is_error(f) ? V_ERROR : vm_call_kw(vm, f, args, 1, t ? value_obj(t) : V_UNBOUND);
}
static value ensure_future_call(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    loop *l = NULL;
    if (!absent(a[1]) && !loop_argument(vm, a[1], &l)) return V_ERROR;
    return ensure_future(vm, a[0], l);
}
static value iscoroutine(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return value_bool(is_coroutine(vm, a[0]) || value_is_exact(a[0], TYPE_GENERATOR));
}
static value iscoroutinefunction(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    value f = a[0];
    while (value_is_kind(f, K_METHOD)) f = AS(method, f)->func;
    if (value_is_kind(f, K_FUNCTION)) {
        if (AS(function, f)->code->flags & CODE_COROUTINE) return V_TRUE;
    } else if (value_is_kind(f, K_NATIVE)) {
        return value_bool(value_as_obj(f)->flags & NATIVE_ASYNC);
    }
    value mark = obj_getattr_opt(vm, f, str_intern_utf8(vm, "_is_coroutine", 13));
    if (raised(vm)) return V_ERROR;
    return value_bool(!value_is_unbound(mark) && obj_truth(vm, mark) > 0);
}
static value isfuture(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return value_bool(future_like(vm, a[0]));
}

/* eager_task_factory(loop, coro, *, name=None, context=None): `make` is called. */
value eager_task(vm *vm, value make, value loop_value, value coro, value name, value context)
{
    value args[5] = {coro, loop_value, absent(name) ? V_NONE : name, absent(context) ? V_NONE : context, V_TRUE};
    tuple *names = tuple_pack(vm, 4, value_obj(N(vm, loop)), value_obj(N(vm, name)), value_obj(N(vm, context)),
                              value_obj(str_intern_utf8(vm, "eager_start", 11)));
    return names ? vm_call_kw(vm, make, args, 1, value_obj(names)) : V_ERROR;
}
static value eager_task_factory(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return eager_task(vm, value_obj(T(vm, TASK)), a[0], a[1], a[2], a[3]);
}

bool eager_factory_is(vm *vm, value f)
{
    (void)vm;
    return value_is_kind(f, K_NATIVE) && AS(native, f)->fn == eager_task_factory;
}

const native_def task_functions[] = {
    {"current_task(loop=None)", current_task, DOC("The running task or None."), 0},
    {"all_tasks(loop=None)", all_tasks, DOC("The set of tasks of the loop that are not done."), 0},
    {"create_task(coro, *, name=None, context=None, eager_start=None)", create_task,
     DOC("Run a coroutine as a Task of the running loop."), 0},
    {"ensure_future(coro_or_future, *, loop=None)", ensure_future_call, DOC("A Future for any awaitable."), 0},
    {"iscoroutine(obj)", iscoroutine, DOC("Is it a coroutine object?"), 0},
    {"iscoroutinefunction(func)", iscoroutinefunction, DOC("Is it a coroutine function?"), 0},
    {"isfuture(obj)", isfuture, DOC("Is it a Future?"), 0},
    {"eager_task_factory(loop, coro, *, name=None, context=None)", eager_task_factory,
     DOC("For loop.set_task_factory(): tasks start at once, within create_task()."), 0},
    {"sleep(delay, result=None)", (native_fn)(void (*)(void))sleep_step, DOC("Wait for `delay` seconds."),
     NATIVE_ASYNC | NATIVE_PASSES | 1 << 16},
    NATIVE_ASYNC_DEF("wait(fs, *, timeout=None, return_when='ALL_COMPLETED')", wait_step,
                     DOC("Wait for futures; returns the sets of those that are done and those that are not."), 4),
    NATIVE_ASYNC_DEF("wait_for(fut, timeout)", wait_for_step,
                     DOC("Wait for one awaitable; TimeoutError after `timeout` seconds."), 4),
    {"shield(arg)", shield_call, DOC("A Future for arg whose cancellation does not reach it."), 0},
    {0},
};
