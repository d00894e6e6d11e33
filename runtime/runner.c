/* asyncio.run and Runner: a loop for one main coroutine, and the clean-up after it in exactly this order: cancel what
 * is left and wait for it, close the asynchronous generators, then the executor, close the loop.
 *
 * Ctrl-C: while run() runs, rt->runner_main is its task; hook_signals cancels it at the first, and at the second
 * raises.
 */
#include "runtime/asyncio.h"
#include "vm/list.h"
#include "vm/lock.h"
#include "vm/native.h"

#define DOC_FILE runtime_runner
DOC_BEGIN;

enum runner_state { RUNNER_CREATED, RUNNER_INITIALIZED, RUNNER_CLOSED };
typedef struct runner {
    object h;
    value *slots;
    value debug, loop_factory;
    value loop, context;
    enum runner_state state;
    bool set_loop;
} runner;

value zeroed_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    (void)args, (void)n, (void)kw;
    void *o = userdata_new(vm, t);
    return o ? value_obj(o) : V_ERROR;
}

static bool runner_open(vm *vm, runner *r)
{
    if (r->state == RUNNER_CLOSED) {
        raise(vm, EXC_RuntimeError, "Runner is closed");
        return false;
    }
    if (r->state == RUNNER_INITIALIZED) return true;
    bool own = absent(r->loop_factory);
    value l = own ? event_loop_new(vm) : vm_call0(vm, r->loop_factory);
    if (value_is_error(l)) return false;
    if (!loop_is(vm, l)) {
        raise_type_error(vm, "an event loop was expected, got %R", l);
        return false;
    }
    r->loop = l;
    gc_barrier(vm, r);
    if (own && !r->set_loop) {
        r->set_loop = true;
        if (!event_loop_set(vm, l)) return false;
    }
    if (!absent(r->debug)) {
        int t = obj_truth(vm, r->debug);
        if (t < 0) return false;
        AS(loop, r->loop)->debug = t;
    }
    if (!context_types_open(vm)) return false;
    value mine = context_copy_current(vm);
    if (raised(vm)) return false;
    if (value_is_unbound(mine)) { /* run() called twice shares one context, so it has to be an object */
        value before = vm->thread->context;
        vm->thread->context = V_UNBOUND;
        mine = context_current(vm);
        vm->thread->context = before;
        if (value_is_error(mine)) return false;
    }
    r->context = mine;
    gc_barrier(vm, r);
    r->state = RUNNER_INITIALIZED;
    return true;
}

static value runner_run(vm *vm, runner *r, value coro, value context)
{
    runtime *rt = runtime_of(vm);
    if (!is_coroutine(vm, coro) && !value_is_exact(coro, TYPE_GENERATOR))
        return raise_value_error(vm, "a coroutine was expected, got %R", coro);
    if (loop_running(vm)) return raise(vm, EXC_RuntimeError, "Runner.run() cannot be called from a running event loop");
    ROOTS(vm, &r, &coro, &context);
    if (!runner_open(vm, r)) return V_ERROR;
    value t = loop_create_task(vm, AS(loop, r->loop), coro, V_UNBOUND, absent(context) ? r->context : context);
    if (value_is_error(t)) return V_ERROR;
    value outer_main = rt->runner_main;
    uint32_t outer_interrupts = rt->interrupts;
    ROOTS(vm, &t, &outer_main);
    bool main_thread = thread_is_main(vm, vm->thread); /* Ctrl-C is the main thread's */
    if (main_thread) {
        rt->runner_main = t;
        rt->interrupts = 0;
    }
    value v = loop_run_until_complete(vm, AS(loop, r->loop), t);
    uint32_t interrupts = 0;
    if (main_thread) {
        interrupts = rt->interrupts;
        rt->runner_main = outer_main;
        rt->interrupts = outer_interrupts;
    }
    if (value_is_error(v) && interrupts && exc_matches(vm, EXC_CancelledError) && value_is_kind(t, K_TASK)) {
        task *main = AS(task, t);
        if (main->ncancel) main->ncancel--;
        if (!main->ncancel) {
            value cancelled = exc_take(vm);
            ROOTS(vm, &cancelled);
            raise(vm, EXC_KeyboardInterrupt, NULL);
            if (IS_EXC(vm->thread->exc)) AS(exception, vm->thread->exc)->context = cancelled;
        }
    }
    return v;
}

bool runner_cancel_all(vm *vm, loop *l)
{
    list *tasks = all_tasks_list(vm, l);
    if (!tasks) return false;
    if (!tasks->len) return true;
    ROOTS(vm, &l, &tasks);
    for (size_t i = 0; i < tasks->len; i++) {
        future_cancel(vm, tasks->items[i], V_UNBOUND);
        if (raised(vm)) return false;
    }
    /* A copy of the arguments: nothing may grow the list meanwhile, but tasks could be made. */
    value all = gather_values(vm, tasks->items, tasks->len, true);
    if (value_is_error(all) || value_is_error(loop_run_until_complete(vm, l, all))) return false;
    for (size_t i = 0; i < tasks->len; i++) {
        future *f = AS(future, tasks->items[i]);
        if (!(f->h.flags & FUT_EXCEPTION)) continue;
        future_retrieved(f);
        str *msg = str_from_cstr(vm, "unhandled exception during asyncio.run() shutdown");
        if (msg) loop_report(vm, l, value_obj(msg), "exception", f->result, "task", value_obj(f), NULL);
        if (raised(vm)) return false;
    }
    return true;
}

static bool run_method(vm *vm, loop *l, const char *name)
{
    str *method = str_intern_utf8(vm, name, strlen(name));
    value c = method ? vm_call_method(vm, value_obj(l), method, NULL, 0) : V_ERROR;
    return !value_is_error(c) && !value_is_error(loop_run_until_complete(vm, l, c));
}

bool runner_shut_down(vm *vm, loop *l)
{
    return runner_cancel_all(vm, l) && run_method(vm, l, "shutdown_asyncgens") &&
           run_method(vm, l, "shutdown_default_executor");
}

static bool runner_close(vm *vm, runner *r)
{
    if (r->state != RUNNER_INITIALIZED) return true;
    loop *l = AS(loop, r->loop);
    value before = exc_take(vm); /* what left the with block: it is the context of what goes wrong here */
    ROOTS(vm, &r, &l, &before);
    bool ok = runner_shut_down(vm, l);
    value failed = ok ? V_UNBOUND : exc_take(vm);
    ROOTS(vm, &failed);
    if (r->set_loop && !event_loop_set(vm, V_NONE) && ok) {
        ok = false;
        failed = exc_take(vm);
    }
    loop_close(vm, l);
    if (raised(vm)) exc_clear(vm);
    r->loop = V_NONE;
    r->state = RUNNER_CLOSED;
    if (!ok) {
        if (IS_EXC(before) && IS_EXC(failed) && !value_is(before, failed) && !IS_EXC(AS(exception, failed)->context)) {
            AS(exception, failed)->context = before;
            gc_barrier(vm, value_as_obj(failed));
        }
        vm->thread->exc = failed;
    } else if (!value_is_unbound(before) && !raised(vm)) {
        vm->thread->exc = before;
    }
    return ok;
}

static value run_with(vm *vm, value main, value debug, value loop_factory)
{
    runner *r = userdata_new(vm, runtime_of(vm)->types[RT_RUNNER]);
    if (!r) return V_ERROR;
    ROOTS(vm, &r, &main);
    r->debug = debug;
    r->loop_factory = loop_factory;
    if (!runner_open(vm, r)) return V_ERROR;
    value v = runner_run(vm, r, main, V_UNBOUND);
    ROOTS(vm, &v);
    if (!runner_close(vm, r)) return V_ERROR;
    return v;
}

value runner_run_main(vm *vm, value coro, int debug)
{
    if (!runner_type_open(vm)) return V_ERROR;
    return run_with(vm, coro, debug < 0 ? V_UNBOUND : value_bool(debug), V_UNBOUND);
}

static value run_call(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!loop_check_host(vm)) return V_ERROR;
    if (loop_running(vm))
        return raise(vm, EXC_RuntimeError, "asyncio.run() cannot be called from a running event loop");
    return run_with(vm, a[0], a[1], a[2]);
}

/* ---- the class ---- */

static bool runner_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value out[2];
    if (!args_bind(vm, "Runner.__init__(*, debug=None, loop_factory=None)", args, n, kw, out)) return false;
    runner *r = AS(runner, self);
    r->debug = out[0];
    r->loop_factory = out[1];
    r->state = RUNNER_CREATED;
    r->set_loop = false;
    gc_barrier(vm, r);
    return true;
}
static value m_enter(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return runner_open(vm, AS(runner, a[0])) ? a[0] : V_ERROR;
}
static value m_close(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return runner_close(vm, AS(runner, a[0])) ? V_NONE : V_ERROR;
}
static value m_get_loop(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return runner_open(vm, AS(runner, a[0])) ? AS(runner, a[0])->loop : V_ERROR;
}
static value m_run(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return loop_check_host(vm) ? runner_run(vm, AS(runner, a[0]), a[1], a[2]) : V_ERROR;
}
static value get_loop(vm *vm, value self)
{
    (void)vm;
    value l = AS(runner, self)->loop;
    return value_is_unbound(l) ? V_NONE : l;
}
static void runner_traverse(vm *vm, object *o)
{
    runner *r = (runner *)(void *)o;
    gc_mark_value(vm, r->debug);
    gc_mark_value(vm, r->loop_factory);
    gc_mark_value(vm, r->loop);
    gc_mark_value(vm, r->context);
}
static void runner_fill(struct type_slots *s)
{
    s->new_ = zeroed_slot_new;
    s->init = runner_init;
}

bool runner_type_open(vm *vm)
{
    runtime *rt = runtime_of(vm);
    if (rt->types[RT_RUNNER]) return true;
    static const native_def methods[] = {
        {"__enter__(self)", m_enter, NULL, 0},
        {"__exit__(self, exc_type, exc_val, exc_tb)", m_close, NULL, 0},
        {"close(self)", m_close, DOC("Cancel what is left, shut down and close the loop."), 0},
        {"get_loop(self)", m_get_loop, DOC("The runner's loop."), 0},
        {"run(self, coro, *, context=None)", m_run, DOC("Run a coroutine in the runner's loop."), 0},
        {0},
    };
    static const getset_def getsets[] = {{"_loop", get_loop, NULL, NULL}, {0}};
    static const type_layout layout = {.size = sizeof(runner) - sizeof(userdata), .traverse = runner_traverse};
    static const type_spec spec = {"asyncio.runners.Runner",
                                   "A loop, and the clean-up after it, for several run() calls.",
                                   &layout,
                                   methods,
                                   getsets,
                                   0,
                                   TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                   runner_fill};
    return (rt->types[RT_RUNNER] = type_from_spec(vm, &spec)) != NULL;
}

const native_def runner_functions[] = {
    {"run(main, *, debug=None, loop_factory=None)", run_call,
     DOC("Run the coroutine main in a new loop; returns its result."), 0},
    {0},
};
