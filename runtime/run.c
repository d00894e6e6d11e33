/* One program from start to exit status: what the aio command does with a VM. */
#include "runtime/run.h"

#include <stdlib.h>

#include "runtime/asyncio.h"
#include "runtime/monitor.h"
#include "runtime/signals.h"
#include "vm/builtins.h"
#include "vm/code.h"
#include "vm/codec.h"
#include "vm/compile.h"
#include "vm/exception.h"
#include "vm/file.h"
#include "vm/frame.h"
#include "vm/import.h"
#include "vm/lock.h"
#include "vm/warn.h"

enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_INTERRUPTED = 130, STATUS_UNWRITTEN = 120 };

/* ---- opening ---- */

/* str hashes differ from run to run, unless the environment fixes the seed. */
static uint64_t hash_seed(void)
{
    const char *s = getenv("AIOVM_HASH_SEED");
    if (!s || !*s) s = getenv("PYTHONHASHSEED");
    uint64_t seed = 0;
    if (s && *s >= '0' && *s <= '9') {
        for (; *s >= '0' && *s <= '9'; s++) seed = seed * 10 + (uint64_t)(*s - '0');
        return seed;
    }
    platform_real.random_bytes(&seed, sizeof seed);
    return seed ? seed : 1;
}

static bool set_options(vm *vm, const struct run_options *o)
{
    for (int i = 0; i < o->warning_count; i++) {
        str *wrong;
        if (!warnings_option(vm, o->warnings[i], &wrong)) return false;
        if (!wrong) continue;
        str *s = str_format(vm, "Invalid -W option ignored: %U\n", wrong);
        if (!s) return false;
        file_write_stderr(vm, s);
    }
    const char *report = getenv("AIOVM_REPORT"), *debug = getenv("PYTHONASYNCIODEBUG");
    runtime_of(vm)->loop_debug = debug && *debug;
    const char *wrong_report = report ? report_configure(runtime_of(vm), report) : NULL;
    if (wrong_report) {
        str *s = str_format(vm, "AIOVM_REPORT: %s, e.g. deadlock:off,blocking:error\n", wrong_report);
        if (!s) return false;
        file_write_stderr(vm, s);
    }
    if (o->mode == RUN_EXECUTE) monitor_allow(vm, MONITOR_WATCHDOG | MONITOR_INSPECT);
    return import_set_path(vm, o->folder) && sys_set_argv(vm, o->argc, o->argv);
}

struct vm *run_open(const struct run_options *o)
{
    vm *vm = vm_new(NULL, NULL, NULL, hash_seed());
    if (!vm) return NULL;
    if (runtime_open(vm, o->virtual_time)) {
        runtime_of(vm)->shuffle = o->shuffle;
        runtime_of(vm)->shuffle_state = o->seed;
        return vm;
    }
    run_close(vm);
    return NULL;
}

void run_interrupt(struct vm *vm)
{
    if (vm) runtime_interrupt(vm, VMP_SIGINT);
}

void run_own_signals(struct vm *vm, int (*set_action)(void *ud, int number, int action))
{
    signals_set_owner(vm, set_action, NULL);
}
void run_signal(struct vm *vm, int number)
{
    if (vm) signals_note(vm, number);
}

void run_dump(struct vm *vm)
{
    if (vm) runtime_interrupt(vm, VMP_DUMP);
}

void run_close(struct vm *vm)
{
    files_flush_all(vm);
    if (!threads_end(vm)) return; /* the process ends, and they with it */
    runtime_close(vm);
    vm_free(vm);
}

/* ---- the exit status ---- */

/* sys.excepthook, when the script has put its own there; else the usual traceback. */
static void show_exception(vm *vm, value exc)
{
    value hook = sys_attribute(vm, "excepthook");
    ROOTS(vm, &exc, &hook);
    if (value_is_unbound(hook) || value_is_kind(hook, K_NATIVE)) {
        exc_print(vm, exc);
        return;
    }
    value args[3] = {value_obj(type_of(vm, exc)), exc, exc_get_traceback(vm, exc)};
    ROOT_SPAN(vm, args, 3);
    if (!value_is_error(vm_call(vm, hook, args, 3))) return;
    value second = exc_take(vm);
    ROOTS(vm, &second);
    str *s = str_from_cstr(vm, "Error in sys.excepthook:\n");
    if (s) file_write_stderr(vm, s);
    exc_print(vm, second);
    s = str_from_cstr(vm, "\nOriginal exception was:\n");
    if (s) file_write_stderr(vm, s);
    exc_print(vm, exc);
}

void run_show_exception(struct vm *vm, struct exception *exc)
{
    show_exception(vm, value_obj(exc));
    if (raised(vm)) exc_clear(vm);
}

static int exit_code(vm *vm, value exc)
{
    value code = AS(exception, exc)->field[0];
    ROOTS(vm, &exc, &code);
    if (value_is_unbound(code) || value_is_none(code)) return STATUS_OK;
    int64_t n;
    if (int_is(code)) return int_to_i64(vm, int_plain(vm, code), &n) ? (int)(n & 0xff) : 0xff;
    str *s = obj_str(vm, code);
    s = s ? str_format(vm, "%U\n", value_obj(s)) : NULL;
    if (s) file_write_stderr(vm, s);
    if (raised(vm)) exc_clear(vm);
    return STATUS_FAILED;
}

/* The pending exception ends the program. */
static int failed_status(vm *vm)
{
    value exc = exc_take(vm);
    ROOTS(vm, &exc);
    if (value_isa_id(vm, exc, EXC_SystemExit)) return exit_code(vm, exc);
    bool interrupted = value_isa_id(vm, exc, EXC_KeyboardInterrupt);
    show_exception(vm, exc);
    if (raised(vm)) exc_clear(vm);
    return interrupted ? STATUS_INTERRUPTED : STATUS_FAILED;
}

/* ---- running ---- */

static module *make_main(vm *vm, const char *file)
{
    module *m = module_new(vm, N(vm, __main__), V_NONE);
    if (!m) return NULL;
    value builtins = dict_get_str(vm, vm->modules, N(vm, builtins));
    vm->main_module = value_obj(m);
    dict *annotations = dict_new(vm);
    if (!annotations || !dict_set_str(vm, vm->modules, N(vm, __main__), value_obj(m)) ||
        !dict_set_str(vm, m->dict, N(vm, __annotations__), value_obj(annotations)) ||
        !dict_set_str(vm, m->dict, N(vm, __builtins__), builtins))
        return NULL;
    if (file) {
        str *path = str_new_utf8(vm, file, strlen(file));
        str *cached = str_intern_utf8(vm, "__cached__", 10);
        if (!path || !cached || !dict_set_str(vm, m->dict, N(vm, __file__), value_obj(path)) ||
            !dict_set_str(vm, m->dict, cached, V_NONE))
            return NULL;
    }
    return m;
}

static code *compile_text(vm *vm, const char *text, size_t n, str *name)
{
    return compile_source(vm, text, n, name, COMPILE_FILE, COMPILE_TOP_AWAIT, NULL);
}

/* Does one of the first two lines declare an encoding? */
static bool has_cookie(const char *text, size_t n)
{
    const char *end = text + n, *line = text;
    for (int i = 0; i < 2 && line < end; i++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        if (memchr(line, '#', (size_t)(stop - line)) && memmem(line, (size_t)(stop - line), "coding", 6)) return true;
        line = stop + 1;
    }
    return false;
}

/* What CPython says of a script whose bytes are no source text, before anything is parsed. */
static bool check_bytes(vm *vm, const struct run_options *o, str *name)
{
    if (memchr(o->source, 0, o->length)) {
        raise(vm, EXC_SyntaxError, "source code cannot contain null bytes");
        return false;
    }
    size_t points, bad, bad_end;
    uint32_t maxchar;
    const char *reason;
    const uint8_t *p = (const uint8_t *)o->source;
    if (utf8_check(p, o->length, &points, &maxchar, &bad, &bad_end, &reason) || has_cookie(o->source, o->length))
        return true;
    uint32_t line = 1;
    for (size_t i = 0; i < bad; i++) line += p[i] == '\n';
    static const char hex[] = "0123456789abcdef";
    char byte[3] = {hex[p[bad] >> 4], hex[p[bad] & 15], 0};
    str *msg = str_format(vm,
                          "Non-UTF-8 code starting with '\\x%s' in file %U on line %d, but no encoding declared; see "
                          "https://peps.python.org/pep-0263/ for details",
                          byte, value_obj(name), (int)line);
    if (msg) raise_syntax_error(vm, EXC_SyntaxError, msg, name, line, 0, 0, 0, NULL);
    return false;
}

/* The program's code object; with -m its file becomes *file. NULL: raised. */
static code *load(vm *vm, const struct run_options *o, str **file)
{
    *file = NULL;
    if (o->source) {
        str *name = str_new_utf8(vm, o->name, strlen(o->name));
        if (!name || (o->file && !check_bytes(vm, o, name))) return NULL;
        return compile_text(vm, o->source, o->length, name);
    }
    str *name = str_new_utf8(vm, o->module, strlen(o->module));
    struct module_source src = {0};
    if (!name || !import_find_source(vm, name, &src)) return NULL;
    *file = src.file;
    code *c = compile_text(vm, src.text, src.length, src.file);
    mem_free(vm, src.text, src.size);
    return c;
}

static void write_stdout(void *ud, const char *s, size_t n)
{
    vm *vm = ud;
    str *text = str_new_utf8(vm, s, n);
    value out = sys_attribute(vm, "stdout");
    if (text && !value_is_unbound(out)) file_put(vm, out, text);
}

static bool execute(vm *vm, const struct run_options *o)
{
    module *m = make_main(vm, o->file);
    if (!m) return false;
    ROOTS(vm, &m);
    str *file;
    code *c = load(vm, o, &file);
    if (!c) return false;
    ROOTS(vm, &c);
    if (file) { /* -m: the script is the file that was found */
        if (!dict_set_str(vm, m->dict, N(vm, __file__), value_obj(file))) return false;
        value argv = sys_attribute(vm, "argv");
        if (IS_LIST(argv) && AS(list, argv)->len) {
            AS(list, argv)->items[0] = value_obj(file);
            gc_barrier(vm, value_as_obj(argv));
        }
    }
    value v = interp_run_code(vm, c, m->dict, V_UNBOUND);
    if (value_is_error(v)) return false;
    return !(c->flags & CODE_COROUTINE) || !value_is_error(runner_run_main(vm, v, -1));
}

/* -i: a program that does not compile or ends in an exception still leaves a session behind. */
static bool execute_session(vm *vm, const struct run_options *o)
{
    module *m = make_main(vm, o->file);
    if (!m) return false;
    str *file;
    code *c = o->source || o->module ? load(vm, o, &file) : NULL;
    ROOTS(vm, &m, &c);
    if (raised(vm)) {
        value exc = exc_take(vm);
        ROOTS(vm, &exc);
        run_show_exception(vm, AS(exception, exc));
    }
    return o->session(vm, m, c, o->session_ud);
}

static bool run_mode(vm *vm, const struct run_options *o)
{
    if (!set_options(vm, o)) return false;
    if (o->session) return execute_session(vm, o);
    if (o->mode == RUN_EXECUTE) return execute(vm, o);
    str *file;
    code *c = load(vm, o, &file);
    if (!c) return false;
    return o->mode == RUN_CHECK || (code_disassemble(vm, c, write_stdout, vm) && !raised(vm));
}

/* What is still to be said when nothing runs any more: finalisers, coroutines never awaited, failures nobody looked at.
 */
static void last_reports(vm *vm)
{
    vm->main_thread.handled = V_UNBOUND;
    if (gc_has_finalizers(vm)) gc_collect_full(vm); /* else there is nothing to find */
    if (raised(vm)) exc_clear(vm);
    gc_finalize_all(vm);
    if (raised(vm)) exc_clear(vm);
}

/* threading, where it is imported, waits for the threads that are no daemons. */
static void wait_for_threads(vm *vm)
{
    value m = dict_get_str(vm, vm->modules, str_intern_utf8(vm, "threading", 9));
    if (!value_is_kind(m, K_MODULE)) return;
    ROOTS(vm, &m);
    if (value_is_error(vm_call_method(vm, m, str_intern_utf8(vm, "_shutdown", 9), NULL, 0)))
        exc_report_unraisable(vm, m);
}

int run_main(struct vm *vm, const struct run_options *o)
{
    int status = run_mode(vm, o) ? STATUS_OK : failed_status(vm);
    vm->main_thread.handled = V_UNBOUND;
    wait_for_threads(vm);
    sys_run_exit_functions(vm);
    value out = sys_attribute(vm, "stdout");
    if (!value_is_unbound(out) && !value_is_none(out) && !IS_FILE(out) && !file_flush(vm, out)) exc_clear(vm);
    bool written = files_finish(vm);
    threads_end(vm);
    last_reports(vm);
    if (!files_finish(vm)) written = false;
    if (status == STATUS_OK && runtime_of(vm)->reported_error) status = STATUS_FAILED;
    return written ? status : STATUS_UNWRITTEN;
}
