/* Tasks and loops that are not ours: classes of the script's, which announce themselves by _register_task() and
 * _enter_task().
 *
 * Our own tasks are known anyway (task.c); the others are kept in a WeakSet, and the current task of each loop that is
 * entered by hand in a dict, both made when they are first needed.
 */
#include "runtime/asyncio.h"
#include "vm/attr.h"
#include "vm/dict.h"
#include "vm/list.h"
#include "vm/native.h"
#include "vm/str.h"

#define DOC_FILE runtime_foreign
DOC_BEGIN;

static value call_of(vm *vm, value of, const char *name, value *args, uint32_t n)
{
    return vm_call_method(vm, of, str_intern_utf8(vm, name, strlen(name)), args, n);
}

/* ---- the current task ---- */

value current_task_of(vm *vm, value loop_value)
{
    value t = vm->thread->current_task;
    if (value_is_kind(t, K_TASK) && value_is_obj(loop_value) && AS(task, t)->f.loop == value_as_obj(loop_value))
        return t;
    value entered = runtime_of(vm)->entered;
    if (value_is_unbound(entered)) return V_NONE;
    value found = dict_get(vm, AS(dict, entered), loop_value);
    return value_is_unbound(found) ? raised(vm) ? V_ERROR : V_NONE : found;
}

/* None: no task runs any more. */
static bool set_current(vm *vm, value loop_value, value t)
{
    runtime *rt = runtime_of(vm);
    if (loop_is(vm, loop_value) && AS(loop, loop_value)->running_in == vm->thread &&
        (value_is_none(t) || value_is_kind(t, K_TASK))) {
        vm->thread->current_task = value_is_none(t) ? V_UNBOUND : t;
        return true;
    }
    if (value_is_unbound(rt->entered)) {
        dict *d = dict_new(vm);
        if (!d) return false;
        rt->entered = value_obj(d);
    }
    if (!value_is_none(t)) return dict_set(vm, AS(dict, rt->entered), loop_value, t);
    return dict_del(vm, AS(dict, rt->entered), loop_value) >= 0;
}

static value enter_task(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    value now = current_task_of(vm, a[0]);
    if (value_is_error(now)) return V_ERROR;
    if (!value_is_none(now))
        return raise(vm, EXC_RuntimeError, "Cannot enter into task %R while another task %R is being executed.", a[1],
                     now);
    return set_current(vm, a[0], a[1]) ? V_NONE : V_ERROR;
}
static value leave_task(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    value now = current_task_of(vm, a[0]);
    if (value_is_error(now)) return V_ERROR;
    if (now.bits != a[1].bits)
        return raise(vm, EXC_RuntimeError, "Leaving task %R does not match the current task %R.", a[1], now);
    return set_current(vm, a[0], V_NONE) ? V_NONE : V_ERROR;
}
static value swap_current_task(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    value before = current_task_of(vm, a[0]);
    ROOTS(vm, &before);
    return value_is_error(before) || !set_current(vm, a[0], a[1]) ? V_ERROR : before;
}

/* ---- all tasks ---- */

static value register_task(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    runtime *rt = runtime_of(vm);
    if (value_is_kind(a[0], K_TASK)) return V_NONE; /* since it was made */
    if (value_is_unbound(rt->foreign_tasks)) {
        value m = import_module(vm, str_from_cstr(vm, "weakref"));
        value set = value_is_error(m) ? m : call_of(vm, m, "WeakSet", NULL, 0);
        if (value_is_error(set)) return V_ERROR;
        rt->foreign_tasks = set;
    }
    return value_is_error(call_of(vm, rt->foreign_tasks, "add", a, 1)) ? V_ERROR : V_NONE;
}
static value unregister_task(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    value all = runtime_of(vm)->foreign_tasks;
    if (value_is_kind(a[0], K_TASK) || value_is_unbound(all)) return V_NONE;
    return value_is_error(call_of(vm, all, "discard", a, 1)) ? V_ERROR : V_NONE;
}

/* Is t, of a class that we don't know, a pending task of that loop? -1: raised. */
static int belongs(vm *vm, value t, value loop_value)
{
    value its = obj_getattr_opt(vm, t, str_intern_utf8(vm, "get_loop", 8));
    if (raised(vm)) return -1;
    its = value_is_unbound(its) ? obj_getattr(vm, t, str_intern_utf8(vm, "_loop", 5)) : vm_call0(vm, its);
    if (value_is_error(its)) return -1;
    if (its.bits != loop_value.bits) return 0;
    value done = call_of(vm, t, "done", NULL, 0);
    int is_done = value_is_error(done) ? -1 : obj_truth(vm, done);
    return is_done < 0 ? -1 : !is_done;
}

bool foreign_tasks_add(vm *vm, value loop_value, set *to)
{
    value all = runtime_of(vm)->foreign_tasks;
    if (value_is_unbound(all)) return true;
    ROOTS(vm, &loop_value, &to);
    list *tasks = obj_to_list(vm, all);
    if (!tasks) return false;
    ROOTS(vm, &tasks);
    for (size_t i = 0; i < tasks->len; i++) {
        int is = belongs(vm, tasks->items[i], loop_value);
        if (is < 0 || (is && !set_add(vm, to, tasks->items[i]))) return false;
    }
    return true;
}

/* ---- the running loop ---- */

static value set_running_loop(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!value_is_none(a[0]) && !loop_is(vm, a[0]))
        return raise_type_error(vm, "loop must be an event loop of asyncio's or None, not '%T'", a[0]);
    vm->thread->loop_state = value_is_none(a[0]) ? NULL : AS(loop, a[0]);
    return V_NONE;
}

const native_def foreign_functions[] = {
    {"_enter_task(loop, task)", enter_task, DOC("task begins a step in loop."), 0},
    {"_leave_task(loop, task)", leave_task, DOC("task has ended a step in loop."), 0},
    {"_swap_current_task(loop, task)", swap_current_task, DOC("Make task the current one; returns the one before."), 0},
    {"_register_task(task)", register_task, DOC("all_tasks() is to know a task of another class."), 0},
    {"_unregister_task(task)", unregister_task, DOC("all_tasks() is to forget it."), 0},
    {"_set_running_loop(loop)", set_running_loop, DOC("Make loop the running one of this thread; None: none."), 0},
    {0},
};
