/* Tasks that swallow the cancellation of their timeout.
 *
 * A deadline passes, the task is cancelled, and it catches CancelledError and goes on as if nothing had happened: the
 * timeout can't end. Such a task is named when it next waits, if it is no longer handling that CancelledError: cleaning
 * up in `finally` or in the except clause is what it should do.
 *
 * runtime.expired has the tasks whose deadline has passed and whose block is not left; it is looked at only when a task
 * that was cancelled waits.
 */
#include "runtime/graph.h"
#include "vm/list.h"
#include "vm/str.h"

bool expired_add(vm *vm, value t)
{
    runtime *rt = runtime_of(vm);
    if (!value_is_kind(t, K_TASK) || rt->report[REPORT_SWALLOWED] == REPORT_OFF) return true;
    if (!rt->expired && !(rt->expired = list_new(vm, 1))) return false;
    return list_append(vm, rt->expired, t);
}

void expired_remove(vm *vm, value t)
{
    list *l = runtime_of(vm)->expired;
    if (!l) return;
    for (size_t i = l->len; i-- > 0;) {
        if (!value_is(l->items[i], t)) continue;
        l->items[i] = l->items[l->len - 1];
        gc_barrier(vm, l);
        list_truncate(vm, l, l->len - 1);
        return;
    }
}

static bool is_expired(runtime *rt, task *t)
{
    for (size_t i = 0; i < rt->expired->len; i++)
        if (value_is(rt->expired->items[i], value_obj(t))) return true;
    return false;
}

/* Is a CancelledError being handled, further out perhaps? */
static bool handles_cancellation(vm *vm, value handled)
{
    enum { MAX_CHAIN = 1000 };
    for (int n = 0; IS_EXC(handled) && n < MAX_CHAIN; n++) {
        if (value_isa_id(vm, handled, EXC_CancelledError)) return true;
        handled = AS(exception, handled)->context;
    }
    return false;
}

/* Natives that wait after a cancellation in order to do it right: a TaskGroup for its children, wait_for for what it
 * cancelled, a Condition for its lock. */
static bool ends_orderly(task *t)
{
    static const char *const names[] = {"__aexit__", "wait_for", "wait", "wait_closed"};
    frame *f = t->leaf;
    if (!f || !(f->code->flags & CODE_NATIVE)) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_equal_ascii(f->code->name, names[i])) return true;
    return false;
}

void report_swallowed(vm *vm, task *t)
{
    if (!is_expired(runtime_of(vm), t) || handles_cancellation(vm, t->handled) || ends_orderly(t)) return;
    ROOTS(vm, &t);
    expired_remove(vm, value_obj(t)); /* once */
    str *name = task_name(vm, t), *at = name && t->coro ? frame_place(vm, t->coro) : vm->empty_str;
    if (name && at)
        report_line(vm, REPORT_SWALLOWED, false,
                    "task %R swallowed the cancellation of its timeout and waits again, at %U: let CancelledError "
                    "through, or the "
                    "timeout can't end",
                    value_obj(name), value_obj(at));
    if (raised(vm)) exc_clear(vm);
}
