/* session.c: cells: compiled, run in a turn of the loop, awaited, shown.
 *
 * Invariants
 *  1. A cell runs inside a turn, so that create_task and get_running_loop work in it. One with a top-level await is a
 *     coroutine and becomes a task: `cell` until it is done.
 *  2. The front end is asked for the next cell only when the last one is done and the tasks that it made ready have
 *     had their turns, so what is printed comes in the same order whether lines are typed or piped.
 *  3. Only SystemExit leaves the loop for good; KeyboardInterrupt and a deadlock end the cell.
 *  4. A failed task is reported a few turns after it failed, unless somebody waits for it or has looked at it.
 */
#include "cli/session.h"
#include "cli/source.h"

#include "grammar/parse.h"
#include "runtime/asyncio.h"
#include "runtime/graph.h"
#include "runtime/run.h"
#include "vm/code.h"
#include "vm/dict.h"
#include "vm/exception.h"
#include "vm/file.h"
#include "vm/frame.h"
#include "vm/frozen.h"
#include "vm/import.h"
#include "vm/list.h"
#include "vm/str.h"

#include <stdlib.h>

enum { SETTLE_TURNS = 64, REPORT_TURNS = 4 };

session *session_of(vm *vm)
{
    const session_hooks *hooks = runtime_of(vm)->session;
    return hooks ? hooks->ud : NULL;
}

static void mark(vm *vm, void *ud)
{
    session *s = ud;
    gc_mark_obj(vm, (object *)s->loop);
    gc_mark_obj(vm, (object *)s->main);
    gc_mark_obj(vm, (object *)s->step);
    gc_mark_obj(vm, (object *)s->report);
    gc_mark_obj(vm, (object *)s->failed);
    gc_mark_value(vm, s->cell);
    gc_mark_value(vm, s->helper);
}

void session_write(session *s, const char *text)
{
    str *t = str_from_cstr(s->vm, text);
    if (t) file_write_stderr(s->vm, t);
    if (raised(s->vm)) exc_clear(s->vm);
}

/* Shows the pending exception. */
static void show_pending(session *s)
{
    value exc = exc_take(s->vm);
    ROOTS(s->vm, &exc);
    files_flush_all(s->vm); /* what was printed before it comes before it */
    run_show_exception(s->vm, AS(exception, exc));
}

/* ---- reports of failed tasks ---- */

static bool is_looked_after(vm *vm, task *t)
{
    (void)vm;
    return !(t->f.h.flags & FUT_LOG_TB) || t->f.waiter || !value_is_unbound(t->f.callbacks);
}

static void report_failed(vm *vm, callback_obj *cb, value none)
{
    (void)none;
    session *s = session_of(vm);
    if (++s->report_turns < REPORT_TURNS && loop_push(vm, s->loop, value_obj(cb), V_UNBOUND)) return;
    s->report_queued = false;
    value failed = value_obj(s->failed);
    ROOTS(vm, &failed);
    list *fresh = list_new(vm, 0);
    if (!fresh) return;
    s->failed = fresh;
    for (size_t i = 0; i < AS(list, failed)->len; i++) {
        task *t = AS(task, AS(list, failed)->items[i]);
        if (is_looked_after(vm, t)) continue;
        future_retrieved(&t->f);
        str *name = task_name(vm, t);
        str *message = name ? str_format(vm, "Task %R failed", value_obj(name)) : NULL;
        if (message) loop_report(vm, s->loop, value_obj(message), "exception", t->f.result, NULL);
        if (raised(vm)) return;
    }
}

static void on_failed(vm *vm, void *ud, future *f)
{
    session *s = ud;
    if (!value_is_kind(value_obj(f), K_TASK) || f->loop != &s->loop->h || value_is(value_obj(f), s->cell)) return;
    value pending = exc_take(vm);
    ROOTS(vm, &pending);
    if (list_append(vm, s->failed, value_obj(f)) && !s->report_queued) {
        s->report_turns = 0;
        s->report_queued = loop_push(vm, s->loop, value_obj(s->report), V_UNBOUND);
    }
    vm->thread->exc = pending;
}

static void on_wait(vm *vm, void *ud, bool before)
{
    session *s = ud;
    /* What was printed is to be seen now; the prompt that has to be drawn again is ready then, so the loop won't wait.
     */
    if (before && !s->loop->qlen) files_flush_all(vm);
    waiting_turn(&s->waiting, vm, before);
}

/* ---- Ctrl-C ---- */

/* While script runs it is a KeyboardInterrupt there; else the awaited cell is cancelled. */
static bool on_interrupt(vm *vm, void *ud)
{
    session *s = ud;
    if (vm->thread->current) return false;
    if (value_is_kind(s->cell, K_TASK)) {
        s->interrupted = true;
        task_cancel(vm, AS(task, s->cell), V_UNBOUND);
        return true;
    }
    return s->front.interrupted && s->front.interrupted(s->front.ud);
}

/* ---- cells ---- */

static void step(vm *vm, callback_obj *cb, value none)
{
    (void)none;
    session *s = session_of(vm);
    if (s->loop->qlen && s->settled++ < SETTLE_TURNS && loop_push(vm, s->loop, value_obj(cb), V_UNBOUND)) return;
    s->settled = 0;
    s->step_queued = false;
    if (!s->ended) s->front.idle(s->front.ud);
}

void session_next(session *s)
{
    if (s->step_queued) return;
    s->settled = 0;
    s->step_queued = loop_push(s->vm, s->loop, value_obj(s->step), V_UNBOUND);
}

static bool leaves(vm *vm) { return exc_matches(vm, EXC_SystemExit); }

/* A done-callback of the awaited cell. */
static void cell_done(vm *vm, callback_obj *cb, value fut)
{
    session *s = session_of(vm);
    (void)cb;
    if (!value_is(fut, s->cell)) { /* in the background by now: a failure is reported as any task's */
        future *f = AS(future, fut);
        if (f->h.flags & FUT_LOG_TB) on_failed(vm, s, f);
        return;
    }
    s->cell = V_UNBOUND;
    ROOTS(vm, &fut);
    value v = future_get_result(vm, AS(future, fut));
    if (value_is_error(v)) {
        if (s->told && exc_matches(vm, EXC_CancelledError)) {
            exc_clear(vm);
        } else if ((s->interrupted && exc_matches(vm, EXC_CancelledError)) || exc_matches(vm, EXC_KeyboardInterrupt)) {
            exc_clear(vm);
            session_write(s, "KeyboardInterrupt\n");
        } else if (!leaves(vm)) {
            show_pending(s);
        }
    }
    s->interrupted = s->told = false;
    if (!raised(vm)) session_next(s);
}

static void await_cell(session *s, value coro)
{
    vm *vm = s->vm;
    ROOTS(vm, &coro);
    callback_obj *done = callback_new(vm, cell_done, V_UNBOUND, V_UNBOUND, V_UNBOUND);
    ROOTS(vm, &done);
    value t = done ? loop_create_task(vm, s->loop, coro, V_UNBOUND, V_UNBOUND) : V_ERROR;
    if (!value_is_error(t)) {
        s->cell = t;
        s->interrupted = false;
        if (future_add_native(vm, t, done)) return;
        s->cell = V_UNBOUND;
    }
    show_pending(s);
    session_next(s);
}

static void run_cell(session *s, code *c)
{
    vm *vm = s->vm;
    /* Who waits for the prompt needs no report of what holds the loop. */
    runtime *rt = runtime_of(vm);
    uint8_t slow = rt->report[REPORT_SLOW];
    rt->report[REPORT_SLOW] = REPORT_OFF;
    value v = interp_run_code(vm, c, s->main->dict, V_UNBOUND);
    rt->report[REPORT_SLOW] = slow;
    if (!value_is_error(v) && (c->flags & CODE_COROUTINE)) {
        await_cell(s, v);
        return;
    }
    if (value_is_error(v)) {
        if (leaves(vm)) return; /* out of the callback, out of the loop */
        show_pending(s);
    }
    session_next(s);
}

static str *cell_name(session *s) { return str_format(s->vm, "<cell %d>", (int)(s->ncells + 1)); }

bool session_submit(session *s, const char *text, size_t n)
{
    vm *vm = s->vm;
    bool incomplete = false;
    str *name = cell_name(s);
    ROOTS(vm, &name);
    /* Before it is compiled: warnings show their line. */
    if (name) source_register(vm, name, text, n);
    code *c =
        name ? compile_source(vm, text, n, name, s->mode, COMPILE_TOP_AWAIT | COMPILE_INCOMPLETE, &incomplete) : NULL;
    if (incomplete) return false;
    s->ncells++;
    if (c) {
        run_cell(s, c);
    } else {
        show_pending(s);
        session_next(s);
    }
    return true;
}

/* ---- commands ---- */

/* The cell that does what the command says; unbound: it is none. */
static value command_cell(session *s, const char *text, size_t n)
{
    enum { LONGEST = 64 };
    vm *vm = s->vm;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' ')) n--;
    if (n == 0 || n > LONGEST || memchr(text, '\n', n)) return V_UNBOUND;
    str *t = str_new_utf8(vm, text, n);
    value args[2] = {t ? value_obj(t) : V_ERROR, value_obj(s->main)};
    ROOT_SPAN(vm, args, 2);
    value v = t ? session_help(s, "command", args, 2) : V_ERROR;
    if (value_is_error(v) && raised(vm)) exc_clear(vm);
    return IS_STR(v) ? v : V_UNBOUND;
}

bool session_is_command(session *s, const char *text, size_t n) { return !value_is_unbound(command_cell(s, text, n)); }

bool session_command(session *s, const char *text, size_t n)
{
    value cell = command_cell(s, text, n);
    if (value_is_unbound(cell)) return false;
    ROOTS(s->vm, &cell);
    size_t len;
    const char *p = str_wtf8(s->vm, AS(str, cell), &len);
    return p && session_submit(s, p, len);
}

static void *arena_memory(void *ud, void *p, size_t old, size_t n)
{
    if (n) return mem_realloc_quiet(ud, p, old, n);
    mem_free(ud, p, old);
    return NULL;
}

bool session_is_complete(session *s, const char *text, size_t n)
{
    arena a;
    arena_init(&a, arena_memory, s->vm);
    struct parse_result r;
    parse_status status = parse_source(&a, text, n, "", PARSE_CELL, 0, &r);
    arena_free(&a);
    return status != PARSE_INCOMPLETE;
}

void session_to_background(session *s)
{
    vm *vm = s->vm;
    if (!value_is_kind(s->cell, K_TASK)) return;
    value args[2] = {s->cell, value_obj(s->main)};
    ROOT_SPAN(vm, args, 2);
    s->cell = V_UNBOUND;
    session_help(s, "to_background", args, 2);
    session_next(s);
}

/* ---- the module _repl ---- */

/* tasks_now(): (task, what it does, seconds since when or None, where) of every task but the running one. */
static value tasks_now(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    session *s = session_of(vm);
    list *tasks = s ? all_tasks_list(vm, s->loop) : list_new(vm, 0), *rows = list_new(vm, 0);
    if (!tasks || !rows) return V_ERROR;
    ROOTS(vm, &tasks, &rows);
    for (size_t i = 0; i < tasks->len; i++) {
        value t = tasks->items[i];
        if (value_is(t, vm->thread->current_task)) continue;
        ROOTS(vm, &t);
        str *state = wait_text(vm, AS(task, t));
        if (!state) return V_ERROR;
        str *where = AS(task, t)->coro ? frame_place(vm, AS(task, t)->coro) : vm->empty_str;
        if (!where) return V_ERROR;
        double since = waiting_seconds(&s->waiting, vm, AS(task, t));
        tuple *row = tuple_pack(vm, 4, t, value_obj(state), since < 0 ? V_NONE : value_float(since), value_obj(where));
        if (!row || !list_append(vm, rows, value_obj(row))) return V_ERROR;
    }
    return value_obj(rows);
}

static value tree_now(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    str *text = dump_tasks(vm, DUMP_TREE);
    return text ? value_obj(text) : V_ERROR;
}

/* module_names(): what can be imported without a file. */
static value module_names(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    list *names = list_new(vm, 0);
    for (size_t i = 0; names && i < frozen_module_count; i++) {
        str *name = str_from_cstr(vm, frozen_name(&frozen_modules[i]));
        if (!name || !list_append(vm, names, value_obj(name))) return V_ERROR;
    }
    for (size_t i = 0; names && i < builtin_module_count; i++) {
        str *name = str_from_cstr(vm, builtin_modules[i].name);
        if (!name || !list_append(vm, names, value_obj(name))) return V_ERROR;
    }
    return names ? value_obj(names) : V_ERROR;
}

static bool add_natives(session *s)
{
    static const native_def natives[] = {
        {"tasks_now()", tasks_now,
         "(task, what it does, seconds since when or None, where) of every task but the running one.", 0},
        {"tree_now()", tree_now, "Who awaits whom, as text.", 0},
        {"module_names()", module_names, "The modules that can be imported without a file.", 0},
    };
    vm *vm = s->vm;
    for (size_t i = 0; i < sizeof natives / sizeof *natives; i++) {
        native *f = native_new(vm, &natives[i], NULL, V_NONE);
        if (!f || !dict_set_str(vm, AS(module, s->helper)->dict, AS(str, f->name), value_obj(f))) return false;
    }
    str *name = str_intern_utf8(vm, "install", 7);
    value install = name ? obj_getattr(vm, s->helper, name) : V_ERROR;
    return !value_is_error(install) && !value_is_error(vm_call0(vm, install));
}

value session_help(session *s, const char *function, value *args, uint32_t n)
{
    vm *vm = s->vm;
    value v = V_ERROR;
    str *name = str_intern_utf8(vm, function, strlen(function));
    if (name) {
        value f = obj_getattr(vm, s->helper, name);
        if (!value_is_error(f)) v = vm_call(vm, f, args, n);
    }
    if (value_is_error(v) && !leaves(vm) && !exc_matches(vm, EXC_KeyboardInterrupt)) show_pending(s);
    return v;
}

/* ---- the whole ---- */

bool session_open(session *s, vm *vm, module *main, enum compile_mode mode)
{
    *s = (session){.vm = vm, .main = main, .mode = mode, .cell = V_UNBOUND, .helper = V_UNBOUND};
    if (!gc_add_roots(vm, mark, s)) return false;
    value l = event_loop_new(vm);
    if (value_is_error(l)) return false;
    s->loop = AS(loop, l);
    if (!event_loop_set(vm, l)) return false;
    s->failed = list_new(vm, 0);
    s->step = callback_new(vm, step, V_UNBOUND, V_UNBOUND, V_UNBOUND);
    s->report = s->step ? callback_new(vm, report_failed, V_UNBOUND, V_UNBOUND, V_UNBOUND) : NULL;
    if (!s->failed || !s->report) return false;
    str *name = str_intern_utf8(vm, "asyncio", 7), *helper = str_intern_utf8(vm, "_repl", 5);
    if (!name || !helper) return false;
    value asyncio = import_name(vm, name, main->dict, V_NONE, 0);
    if (value_is_error(asyncio) || !dict_set_str(vm, main->dict, name, asyncio)) return false;
    s->helper = import_name(vm, helper, main->dict, V_NONE, 0);
    if (value_is_error(s->helper) || !add_natives(s)) return false;
    s->hooks = (session_hooks){on_failed, on_interrupt, on_wait, s};
    runtime_of(vm)->session = &s->hooks;
    return true;
}

void session_close(session *s)
{
    runtime_of(s->vm)->session = NULL;
    gc_remove_roots(s->vm, mark, s);
    waiting_free(&s->waiting);
}

/* What left the loop ends the cell. */
static void after_interrupt(session *s)
{
    vm *vm = s->vm;
    if (exc_matches(vm, EXC_KeyboardInterrupt)) {
        exc_clear(vm);
        if (value_is_kind(s->cell, K_TASK) && future_state(AS(future, s->cell)) == FUT_PENDING) {
            s->interrupted = true;
            task_cancel(vm, AS(task, s->cell), V_UNBOUND);
        } else if (value_is_unbound(s->cell)) {
            session_write(s, "\nKeyboardInterrupt\n");
            session_next(s);
        }
        return;
    }
    show_pending(s);
    if (value_is_kind(s->cell, K_TASK)) {
        s->told = true;
        task_cancel(vm, AS(task, s->cell), V_UNBOUND);
    } else {
        session_next(s);
    }
}

static bool shut_down(session *s)
{
    vm *vm = s->vm;
    value exc = exc_take(vm);
    ROOTS(vm, &exc);
    s->ended = true;
    list *tasks = all_tasks_list(vm, s->loop);
    if (tasks && tasks->len) {
        value arg = value_obj(tasks);
        ROOTS(vm, &arg);
        session_help(s, "say_cancelled", &arg, 1);
    }
    if (raised(vm)) exc_clear(vm);
    bool ok = runner_shut_down(vm, s->loop) && event_loop_set(vm, V_NONE);
    if (ok && !loop_close(vm, s->loop)) ok = false;
    if (!value_is_unbound(exc)) vm->thread->exc = exc;
    return ok && value_is_unbound(exc);
}

/* The program comes before the loop runs, so that it may call asyncio.run itself. */
static void run_program(session *s, code *c)
{
    vm *vm = s->vm;
    value v = interp_run_code(vm, c, s->main->dict, V_UNBOUND);
    if (!value_is_error(v) && (c->flags & CODE_COROUTINE)) v = loop_run_until_complete(vm, s->loop, v);
    if (value_is_error(v)) show_pending(s);
}

/* AIOVM_STARTUP: a script for the namespace of every session. */
static void run_startup(session *s)
{
    const char *path = getenv("AIOVM_STARTUP");
    vm *vm = s->vm;
    struct source source = {0};
    if (!path || !*path || source_read_file(&source, path) != 0) {
        source_free(&source);
        return;
    }
    str *name = str_new_utf8(vm, source.path, strlen(source.path));
    code *c = name ? compile_source(vm, source.text, source.length, name, COMPILE_FILE, COMPILE_TOP_AWAIT, NULL) : NULL;
    source_free(&source);
    if (c) run_program(s, c);
    else show_pending(s);
}

bool session_run(session *s, code *program)
{
    vm *vm = s->vm;
    ROOTS(vm, &program);
    run_startup(s);
    if (program) run_program(s, program);
    /* The program may have run a loop of its own, which is not set any more. */
    if (!event_loop_set(vm, value_obj(s->loop))) return false;
    session_next(s);
    while (!s->ended) {
        if (loop_run_forever(vm, s->loop)) continue;
        if (leaves(vm)) break;
        after_interrupt(s);
    }
    return shut_down(s);
}

void session_end(session *s)
{
    s->ended = true;
    s->loop->stopping = true;
}
