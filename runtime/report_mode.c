/* AIOVM_REPORT: which reports are made, and which of them are errors; and the reports of one line. */
#include <stdarg.h>

#include "runtime/graph.h"
#include "vm/file.h"

static const char *const kind_names[REPORT_KINDS] = {
    [REPORT_DEADLOCK] = "deadlock", [REPORT_FAILED] = "failed",       [REPORT_SLOW] = "slow",
    [REPORT_BLOCKING] = "blocking", [REPORT_SWALLOWED] = "swallowed",
};
static const char *const mode_names[] = {[REPORT_ON] = "on", [REPORT_OFF] = "off", [REPORT_ERROR] = "error"};

static bool word_is(const char *word, size_t n, const char *name)
{
    return strlen(name) == n && !memcmp(word, name, n);
}

const char *report_configure(runtime *rt, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, ","), k = strcspn(text, ":,");
        if (n) {
            if (k == n) return "every entry is NAME:on, NAME:off or NAME:error";
            int mode = -1, from = -1, to = -1;
            for (int m = 0; m < 3; m++)
                if (word_is(text + k + 1, n - k - 1, mode_names[m])) mode = m;
            if (mode < 0) return "a report is on, off or error";
            for (int i = 0; i < REPORT_KINDS; i++)
                if (word_is(text, k, kind_names[i])) from = i, to = i + 1;
            if (word_is(text, k, "all")) from = 0, to = REPORT_KINDS;
            if (from < 0) return "the reports are deadlock, failed, slow, blocking, swallowed and all";
            for (int i = from; i < to; i++) rt->report[i] = (uint8_t)mode;
        }
        text += n + (text[n] == ',');
    }
    return NULL;
}

bool report_line(vm *vm, enum report_kind kind, bool can_raise, const char *fmt, ...)
{
    runtime *rt = runtime_of(vm);
    if (rt->report[kind] == REPORT_OFF) return true;
    value exc = vm->thread->exc; /* a report says what it has to say beside whatever is under way */
    exc_clear(vm);
    ROOTS(vm, &exc);
    va_list ap;
    va_start(ap, fmt);
    str *text = str_vformat(vm, fmt, ap);
    va_end(ap);
    if (text && rt->report[kind] == REPORT_ERROR && can_raise) {
        raise(vm, EXC_RuntimeError, "%U", value_obj(text));
        return false;
    }
    if (rt->report[kind] == REPORT_ERROR) rt->reported_error = true;
    str *line = text ? str_format(vm, "aio: %U\n", value_obj(text)) : NULL;
    if (line) file_write_stderr(vm, line);
    vm->thread->exc = exc;
    return true;
}

bool report_blocking(vm *vm, const char *what, const char *instead)
{
    runtime *rt = runtime_of(vm);
    value now = vm->thread->current_task;
    if (rt->report[REPORT_BLOCKING] == REPORT_OFF || !value_is_kind(now, K_TASK) || !place_first_time(vm)) return true;
    ROOTS(vm, &now);
    str *name = task_name(vm, AS(task, now)), *at = name ? place_running(vm) : NULL;
    if (!at) {
        exc_clear(vm);
        return true;
    }
    return report_line(vm, REPORT_BLOCKING, true, "%s in task %R holds the loop, at %U: %s lets other tasks run", what,
                       value_obj(name), value_obj(at), instead);
}
