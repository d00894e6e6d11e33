/* Reports: exceptions that nothing handles, failed tasks that nothing can retrieve, coroutines never awaited, deadlock.
 *
 * Everything goes to stderr and changes no result, except that a deadlock is an exception out of the loop.
 */
#include "runtime/graph.h"
#include "runtime/poller.h"
#include "runtime/signals.h"
#include "runtime/platform.h"
#include "vm/dict.h"
#include "vm/exception.h"
#include "vm/file.h"
#include "vm/list.h"
#include "vm/lock.h"
#include "vm/str.h"

static bool is_fatal(vm *vm) { return exc_matches(vm, EXC_KeyboardInterrupt) || exc_matches(vm, EXC_SystemExit); }

/* ---- the exception handlers of a loop ---- */

/* "created at ..." and "awaited by ..." of the task that a report is about, when it is one of ours. NULL raised. */
static str *origin_text(vm *vm, value context)
{
    value who = IS_DICT(context) ? dict_get_str(vm, AS(dict, context), str_intern_utf8(vm, "future", 6)) : V_UNBOUND;
    if (value_is_unbound(who) && IS_DICT(context))
        who = dict_get_str(vm, AS(dict, context), str_intern_utf8(vm, "task", 4));
    if (!value_is_kind(who, K_TASK)) return vm->empty_str;
    task *t = AS(task, who);
    str *created = task_created(vm, t), *text = vm->empty_str;
    if (created && created->len) text = str_format(vm, "\ncreated at %U", value_obj(created));
    if (!created || !text || future_state(&t->f) == FUT_PENDING || !t->waiting_on) return created ? text : NULL;
    ROOTS(vm, &text);
    str *trail = trail_text(vm, value_obj(t->waiting_on));
    return trail ? str_concat(vm, text, trail) : NULL;
}

/* "source_traceback: Object created at ..." and the calls, after `text`. NULL raised. */
static str *source_lines(vm *vm, value text, value calls)
{
    ROOTS(vm, &text, &calls);
    value m = import_module(vm, str_from_cstr(vm, "asyncio.format_helpers"));
    value f = value_is_error(m) ? m : obj_getattr(vm, m, str_intern_utf8(vm, "_format_calls", 13));
    value lines = value_is_error(f) ? f : vm_call1(vm, f, calls);
    if (value_is_error(lines)) return NULL;
    return str_format(vm, "%U\nsource_traceback: Object created at (most recent call last):\n%S", text, lines);
}

/* The lines of the usual report: message, then the other keys in order; *error: the exception, or None. NULL raised. */
static str *report_text(vm *vm, value context, value *error)
{
    value message = V_NONE, exc = V_NONE;
    ROOTS(vm, &context, &message, &exc);
    value v = vm_call_method(vm, context, N(vm, get), &(value){value_obj(N(vm, message)).bits}, 1);
    if (value_is_error(v)) return NULL;
    message = v;
    v = vm_call_method(vm, context, N(vm, get), &(value){value_obj(N(vm, exception)).bits}, 1);
    if (value_is_error(v)) return NULL;
    exc = v;
    int has_message = obj_truth(vm, message);
    if (has_message < 0) return NULL;
    str *text = has_message ? obj_str(vm, message) : str_from_cstr(vm, "Unhandled exception in event loop");
    if (!text) return NULL;
    list *keys = obj_to_list(vm, context);
    if (!keys) return NULL;
    value kv = value_obj(keys), tv = value_obj(text);
    ROOTS(vm, &kv, &tv);
    if (!list_sort(vm, keys, V_UNBOUND, false)) return NULL;
    for (size_t i = 0; i < AS(list, kv)->len; i++) {
        value key = AS(list, kv)->items[i];
        if (IS_STR(key) && (str_eq(AS(str, key), N(vm, message)) || str_eq(AS(str, key), N(vm, exception)))) continue;
        value item = obj_getitem(vm, context, key);
        if (value_is_error(item)) return NULL;
        str *line = NULL;
        if (IS_STR(key) && str_equal_ascii(AS(str, key), "source_traceback") && IS_LIST(item))
            line = source_lines(vm, tv, item);
        else line = str_format(vm, "%U\n%S: %R", tv, key, item);
        if (!line) return NULL;
        tv = value_obj(line);
    }
    str *origin = origin_text(vm, context);
    str *whole = origin ? str_concat(vm, AS(str, tv), origin) : NULL;
    if (!whole) return NULL;
    *error = IS_EXC(exc) ? exc : V_NONE;
    return whole;
}

/* The function of the module logging that takes reports, once a script has imported it: unbound: none. */
static value logging_function(vm *vm)
{
    str *module = str_intern_utf8(vm, "logging", 7), *name = str_intern_utf8(vm, "_asyncio_error", 14);
    value m = module && name ? dict_get_str(vm, vm->modules, module) : V_UNBOUND;
    return value_is_unbound(m) ? m : obj_getattr_opt(vm, m, name);
}

/* asyncio.logger, where a script has put one of its own; unbound: it has not. */
static value own_logger(vm *vm)
{
    value m = dict_get_str(vm, vm->modules, str_intern_utf8(vm, "asyncio", 7));
    if (!value_is_kind(m, K_MODULE)) return V_UNBOUND;
    return dict_get_str(vm, AS(module, m)->dict, str_intern_utf8(vm, "logger", 6));
}

/* logger.error(text, exc_info=(type, exception, traceback) or False) */
static void log_error(vm *vm, value logger, str *text, value exc)
{
    value args[2] = {value_obj(text), V_FALSE};
    ROOTS(vm, &logger, &args[0], &args[1], &exc);
    value error = obj_getattr(vm, logger, str_intern_utf8(vm, "error", 5));
    if (value_is_error(error)) return;
    ROOTS(vm, &error);
    if (IS_EXC(exc)) {
        value tb = obj_getattr(vm, exc, str_intern_utf8(vm, "__traceback__", 13));
        tuple *t = value_is_error(tb) ? NULL : tuple_pack(vm, 3, value_obj(type_of(vm, exc)), exc, tb);
        if (!t) return;
        args[1] = value_obj(t);
    }
    tuple *names = tuple_pack(vm, 1, value_obj(str_intern_utf8(vm, "exc_info", 8)));
    if (names) vm_call_kw(vm, error, args, 1, value_obj(names));
}

void loop_default_exception_handler(vm *vm, loop *l, value context)
{
    (void)l;
    value exc = V_NONE, log = V_UNBOUND;
    str *text = report_text(vm, context, &exc);
    ROOTS(vm, &exc, &text, &log);
    if (!text) return;
    log = own_logger(vm);
    if (!value_is_unbound(log)) {
        log_error(vm, log, text, exc);
        return;
    }
    if (raised(vm)) return;
    log = logging_function(vm);
    if (!value_is_unbound(log)) {
        vm_call2(vm, log, value_obj(text), exc);
        return;
    }
    if (raised(vm)) return;
    str *trace = IS_EXC(exc) ? exc_format(vm, exc) : vm->empty_str;
    text = trace ? str_format(vm, "%U\n%U", value_obj(text), value_obj(trace)) : NULL;
    if (text) file_write_stderr(vm, text);
}

/* The traceback of the pending exception under a line that says where it came from. */
static void report_handler_failed(vm *vm, const char *where)
{
    value exc = exc_take(vm);
    ROOTS(vm, &exc);
    str *trace = exc_format(vm, exc);
    str *text = trace ? str_format(vm, "%s\n%U", where, value_obj(trace)) : NULL;
    if (text) file_write_stderr(vm, text);
    if (raised(vm)) exc_clear(vm);
}

static bool default_handler(vm *vm, loop *l, value context)
{
    if (l->h.shape == runtime_of(vm)->loop_type->root_shape) {
        loop_default_exception_handler(vm, l, context);
        return !raised(vm);
    }
    return !value_is_error(
        vm_call_method(vm, value_obj(l), str_intern_utf8(vm, "default_exception_handler", 25), &context, 1));
}

void loop_call_exception_handler(vm *vm, loop *l, value context)
{
    ROOTS(vm, &l, &context);
    if (value_is_unbound(l->exception_handler) || value_is_none(l->exception_handler)) {
        if (!default_handler(vm, l, context) && !is_fatal(vm))
            report_handler_failed(vm, "Exception in default exception handler");
        return;
    }
    value v = vm_call2(vm, l->exception_handler, value_obj(l), context);
    if (!value_is_error(v) || is_fatal(vm)) return;
    value exc = exc_take(vm);
    ROOTS(vm, &exc);
    dict *d = dict_new(vm);
    str *msg = d ? str_from_cstr(vm, "Unhandled error in exception handler") : NULL;
    value dv = d ? value_obj(d) : V_NONE;
    ROOTS(vm, &dv);
    if (!msg || !dict_set_str(vm, d, N(vm, message), value_obj(msg)) || !dict_set_str(vm, d, N(vm, exception), exc) ||
        !dict_set_str(vm, d, N(vm, context), context) || !default_handler(vm, l, dv)) {
        if (!is_fatal(vm))
            report_handler_failed(vm, "Exception in default exception handler while handling an unexpected error "
                                      "in custom exception handler");
    }
}

void loop_report(vm *vm, loop *l, value message, ...)
{
    ROOTS(vm, &l, &message);
    dict *d = dict_new(vm);
    bool ok = d && dict_set_str(vm, d, N(vm, message), message);
    va_list ap;
    va_start(ap, message);
    for (const char *key; ok && (key = va_arg(ap, const char *));) {
        value v = va_arg(ap, value);
        str *k = str_intern_utf8(vm, key, strlen(key));
        ok = k && dict_set_str(vm, d, k, v);
    }
    va_end(ap);
    if (ok) loop_call_exception_handler(vm, l, value_obj(d));
    if (raised(vm) && !is_fatal(vm)) exc_clear(vm);
}

/* ---- at the idle point ---- */

/* A failed task that nothing refers to can never be looked at: a collection finds it, and its finaliser reports it.
 * Done when the number of such tasks has changed, and at most so often that it takes a small part of the time. */
bool idle_reports(vm *vm, loop *l)
{
    enum { COST_FACTOR = 20 };
    runtime *rt = runtime_of(vm);
    if (l->unretrieved == l->unretrieved_seen) return true;
    clock_state real = {0};
    int64_t now = platform_real.monotonic_ns(&real);
    if (now < rt->next_idle_collect_ns) return true;
    ROOTS(vm, &l);
    gc_collect_full(vm);
    int64_t after = platform_real.monotonic_ns(&real);
    rt->next_idle_collect_ns = after + (after - now) * COST_FACTOR;
    l->unretrieved_seen = l->unretrieved;
    return !raised(vm);
}

/* Most tasks that fail and are looked at by nobody are dropped at once: a minor collection finds them, and the report
 * comes where reference counts would give it. Looks that find nothing (the task is still held) become rarer and rarer.
 */
bool young_reports(vm *vm, loop *l)
{
    enum { CHEAP_NS = 500000, COST_FACTOR = 20, MAX_SKIP_LOG = 10 };
    runtime *rt = runtime_of(vm);
    l->failed_lately = false;
    if (!l->unretrieved) return true;
    if (rt->skip_looks) {
        rt->skip_looks--;
        return true;
    }
    clock_state real = {0};
    int64_t now = platform_real.monotonic_ns(&real);
    if (now < rt->next_young_look_ns) return true;
    ROOTS(vm, &l);
    uint64_t before = l->unretrieved;
    gc_collect_minor(vm);
    gc_safepoint(vm);
    int64_t cost = platform_real.monotonic_ns(&real) - now;
    if (cost > CHEAP_NS) rt->next_young_look_ns = now + cost * COST_FACTOR;
    rt->fruitless = l->unretrieved < before ? 0 : rt->fruitless + 1;
    if (rt->fruitless > 3) rt->skip_looks = 1u << (rt->fruitless < MAX_SKIP_LOG ? rt->fruitless : MAX_SKIP_LOG);
    return !raised(vm);
}

/* ---- debug mode ---- */

/* A warning of asyncio's logger: it is imported for this. */
bool report_slow_callback(vm *vm, value what, double seconds)
{
    ROOTS(vm, &what);
    value m = import_module(vm, str_from_cstr(vm, "asyncio.format_helpers"));
    value f = value_is_error(m) ? m : obj_getattr(vm, m, str_intern_utf8(vm, "_report_slow", 12));
    return !value_is_error(f) && !value_is_error(vm_call2(vm, f, what, value_float(seconds)));
}

/* ---- coroutines never awaited ---- */

bool report_coroutine_dropped(vm *vm, frame *f, uint32_t line)
{
    value name = frame_coroutine_name(vm, f);
    if (line) return warn(vm, EXC_RuntimeWarning, "coroutine '%U' was never awaited", name);
    str *msg = str_format(vm, "coroutine '%U' was never awaited", name);
    if (!msg) return false;
    /* Collected: the line that is running has nothing to do with it; where it was made, it has. */
    str *file = f->code->filename->len ? f->code->filename : NULL;
    code *maker;
    uint32_t made;
    if (!file || !place_get(vm, f->origin, &maker, &made)) return warn(vm, EXC_RuntimeWarning, "%U", value_obj(msg));
    return warn_explicit(vm, EXC_RuntimeWarning, msg, maker->filename, made);
}

/* ---- deadlock ---- */

/* "a -> b -> a", of the tasks that wait for each other in a circle; empty: there is none. NULL raised. */
static str *cycle_text(vm *vm, list *tasks)
{
    graph *g = graph_new(vm, tasks);
    list *cycle = g ? graph_cycle(vm, g, tasks) : NULL;
    graph_free(vm, g);
    if (!cycle) return NULL;
    if (!cycle->len) return vm->empty_str;
    ROOTS(vm, &cycle);
    value text = value_obj(str_from_cstr(vm, "\n  cycle: "));
    ROOTS(vm, &text);
    for (size_t i = 0; i <= cycle->len; i++) {
        str *name = task_name(vm, AS(task, cycle->items[i % cycle->len]));
        str *s = name ? str_format(vm, i < cycle->len ? "%U%R -> " : "%U%R", text, value_obj(name)) : NULL;
        if (!s) return NULL;
        text = value_obj(s);
    }
    return AS(str, text);
}

static str *task_line(vm *vm, task *t)
{
    ROOTS(vm, &t);
    str *wait = wait_text(vm, t);
    if (!wait) return NULL;
    ROOTS(vm, &wait);
    str *name = task_name(vm, t), *place = t->coro ? frame_place(vm, t->coro) : vm->empty_str;
    if (!name || !place) return NULL;
    return str_format(vm, place->len ? "\n  task %R %U, at %U" : "\n  task %R %U", value_obj(name), value_obj(wait),
                      value_obj(place));
}

bool loop_deadlock(vm *vm, loop *l)
{
    enum { MAX_TASKS = 100 }; /* a report of a million lines helps nobody */
    if (runtime_of(vm)->report[REPORT_DEADLOCK] == REPORT_OFF || !threads_are_stuck(vm) || signals_waited_for(vm)) {
        thread *th = vm->thread;
        th->stuck = true;
        bool ok = poller_poll(vm, l, -1);
        th->stuck = false;
        return ok;
    }
    if (vm_attention(vm)) return true; /* an interrupt first */
    ROOTS(vm, &l);
    list *tasks = all_tasks_list(vm, l);
    str *text = tasks ? str_from_cstr(vm, "deadlock: nothing can ever wake the program") : NULL;
    if (!text) return false;
    value lv = value_obj(tasks), tv = value_obj(text);
    ROOTS(vm, &lv, &tv);
    str *cycle = cycle_text(vm, tasks);
    if (!cycle) return false;
    ROOTS(vm, &cycle);
    size_t n = AS(list, lv)->len;
    for (size_t i = 0; i < n && i < MAX_TASKS; i++) {
        str *line = task_line(vm, AS(task, AS(list, lv)->items[i]));
        str *all = line ? str_concat(vm, AS(str, tv), line) : NULL;
        if (!all) return false;
        tv = value_obj(all);
    }
    if (n > MAX_TASKS) {
        str *more = str_format(vm, "%U\n  and %zu more", tv, n - MAX_TASKS);
        if (!more) return false;
        tv = value_obj(more);
    }
    raise(vm, EXC_DeadlockError, "%U%U", tv, value_obj(cycle));
    return false;
}
