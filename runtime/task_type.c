/* The type Task: its methods, attributes and repr. task.c runs the tasks. */
#include "runtime/graph.h"
#include "vm/attr.h"
#include "vm/interp.h"
#include "vm/list.h"
#include "vm/native.h"
#include "vm/str.h"

#define DOC_FILE runtime_task_type
DOC_BEGIN;

static bool task_slot_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value out[5];
    if (!args_bind(vm, "Task(coro, *, loop=None, name=None, context=None, eager_start=False)", args, n, kw, out))
        return false;
    loop *l;
    if (value_is_unbound(out[1]) || value_is_none(out[1])) {
        l = loop_get_event_loop(vm);
        if (!l) return false;
    } else if (loop_is(vm, out[1])) {
        l = AS(loop, out[1]);
    } else {
        raise_type_error(vm, "loop must be an event loop, not %T", out[1]);
        return false;
    }
    task *t = AS(task, self);
    value context = value_is_unbound(out[3]) || value_is_none(out[3]) ? V_UNBOUND : out[3];
    int eager = value_is_unbound(out[4]) ? 0 : obj_truth(vm, out[4]);
    if (eager < 0) return false;
    if (!eager || l->running_in != vm->thread) return task_init(vm, t, l, out[0], out[2], context);
    return task_prepare(vm, t, l, out[0], out[2], context) && !value_is_error(task_start_eagerly(vm, t));
}

static value m_cancel(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    bool did = task_cancel(vm, AS(task, a[0]), value_is_unbound(a[1]) ? V_NONE : a[1]);
    return raised(vm) ? V_ERROR : value_bool(did);
}
static value m_cancelling(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_int(AS(task, a[0])->ncancel);
}
static value m_uncancel(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    task *t = AS(task, a[0]);
    if (t->ncancel && --t->ncancel == 0) t->f.h.flags &= (uint16_t)~FUT_TASK_MUST_CANCEL;
    return value_int(t->ncancel);
}
static value m_get_name(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    str *s = task_name(vm, AS(task, a[0]));
    return s ? value_obj(s) : V_ERROR;
}
static value m_set_name(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    str *s = obj_str(vm, a[1]);
    if (!s) return V_ERROR;
    AS(task, a[0])->name = value_obj(s);
    gc_barrier(vm, value_as_obj(a[0]));
    return V_NONE;
}
static value m_get_coro(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    value c = AS(task, a[0])->coro_obj;
    return value_is_unbound(c) ? V_NONE : c;
}
static value m_get_context(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    task *t = AS(task, a[0]);
    thread *th = vm->thread;
    if (value_is(th->current_task, a[0])) return context_current(vm);
    if (value_is_unbound(t->context)) { /* empty so far: from now on somebody else knows it */
        value mine = th->context;
        th->context = V_UNBOUND;
        value c = context_current(vm);
        th->context = mine;
        if (value_is_error(c)) return V_ERROR;
        t->context = c;
        gc_barrier(vm, t);
    }
    return t->context;
}
static value m_wakeup(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    task *t = AS(task, a[0]);
    if (future_state(&t->f) != FUT_PENDING || !t->f.loop) return V_NONE;
    t->wake = V_UNBOUND;
    return loop_push(vm, (loop *)t->f.loop, a[0], V_UNBOUND) ? V_NONE : V_ERROR;
}

static value stack_list(vm *vm, task *t, int64_t limit)
{
    list *l = list_new(vm, 1);
    if (!l) return V_ERROR;
    ROOTS(vm, &l, &t);
    if (t->coro && frame_state(t->coro) != FRAME_DONE) {
        value v = frameview_of(vm, t->coro);
        if (value_is_error(v) || !list_append(vm, l, v)) return V_ERROR;
    } else if (t->f.h.flags & FUT_EXCEPTION) {
        value tb = exc_get_traceback(vm, t->f.result);
        ROOTS(vm, &tb);
        while (value_is_kind(tb, K_TRACEBACK) && (limit < 0 || (int64_t)l->len < limit)) {
            value fv = obj_getattr(vm, tb, str_intern_utf8(vm, "tb_frame", 8));
            if (value_is_error(fv) || !list_append(vm, l, fv)) return V_ERROR;
            tb = AS(traceback, tb)->next;
        }
    }
    return value_obj(l);
}
static value m_get_stack(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int64_t limit = -1;
    if (!value_is_unbound(a[1]) && !value_is_none(a[1]) && !int_as_i64(vm, a[1], &limit)) return V_ERROR;
    return stack_list(vm, AS(task, a[0]), limit);
}

static str *coroutine_text(vm *vm, task *t)
{
    if (!value_is_kind(t->coro_obj, K_FRAME)) return obj_repr(vm, t->coro_obj);
    frame *f = AS(frame, t->coro_obj);
    value name = frame_coroutine_name(vm, f);
    if (f->code->flags & CODE_NATIVE)
        return str_format(vm, frame_state(f) == FRAME_DONE ? "%U()" : "%U() running", name);
    value file = value_obj(f->code->filename);
    if (frame_state(f) == FRAME_DONE)
        return str_format(vm, "%U() done, defined at %U:%d", name, file, (int)f->code->firstlineno);
    uint32_t pc = (uint32_t)(f->pc - f->code->insns);
    return str_format(vm, "%U() running at %U:%d", name, file,
                      (int)(pc ? code_line(f->code, pc) : f->code->firstlineno));
}

static value task_repr(vm *vm, value self)
{
    task *t = AS(task, self);
    int r = repr_enter(vm, self);
    if (r < 0) return V_ERROR;
    if (r == 0) return value_obj(str_format(vm, "<%U ...>", type_of(vm, self)->name));
    value result = V_ERROR;
    str *name = task_name(vm, t), *middle = NULL;
    if (name) {
        ROOTS(vm, &self, &name, &middle);
        str *coro = coroutine_text(vm, t);
        ROOTS(vm, &coro);
        str *waits = vm->empty_str;
        if (coro && t->waiting_on && future_state(&t->f) == FUT_PENDING)
            waits = str_format(vm, " wait_for=%R", value_obj(t->waiting_on));
        if (coro && waits)
            middle = str_format(vm, " name=%R coro=<%U>%U", value_obj(name), value_obj(coro), value_obj(waits));
        str *info = middle ? future_repr_info(vm, &t->f, middle) : NULL;
        str *s = info ? str_format(vm, "<%U %U>", type_of(vm, self)->name, value_obj(info)) : NULL;
        if (s) result = value_obj(s);
    }
    repr_leave(vm, self);
    return result;
}

static value m_print_stack(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    task *t = AS(task, a[0]);
    value out = value_is_unbound(a[2]) || value_is_none(a[2]) ? V_UNBOUND : a[2];
    if (value_is_unbound(out)) {
        value sys = dict_get_str(vm, vm->modules, N(vm, sys));
        out = value_is_unbound(sys) ? V_NONE : obj_getattr(vm, sys, N(vm, stderr));
        if (value_is_error(out)) return V_ERROR;
    }
    ROOTS(vm, &out);
    str *text;
    if (t->f.h.flags & FUT_EXCEPTION) {
        str *trace = exc_format(vm, t->f.result);
        text = trace ? str_format(vm, "Traceback for %R (most recent call last):\n%U", a[0], value_obj(trace)) : NULL;
    } else if (t->coro && frame_state(t->coro) != FRAME_DONE) {
        frame *f = t->coro;
        uint32_t pc = (uint32_t)(f->pc - f->code->insns);
        str *line = source_line(vm, f->code->filename, pc ? code_line(f->code, pc) : f->code->firstlineno);
        text = str_format(vm, "Stack for %R (most recent call last):\n  File \"%U\", line %d, in %U\n%s%U%s", a[0],
                          value_obj(f->code->filename), (int)(pc ? code_line(f->code, pc) : f->code->firstlineno),
                          value_obj(f->code->name), line && line->len ? "    " : "",
                          value_obj(line ? line : vm->empty_str), line && line->len ? "\n" : "");
    } else {
        text = str_format(vm, "No stack for %R\n", a[0]);
    }
    if (!text) return V_ERROR;
    value tv = value_obj(text);
    return value_is_error(vm_call_method(vm, out, N(vm, write), &tv, 1)) ? V_ERROR : V_NONE;
}

static value get_must_cancel(vm *vm, value self)
{
    (void)vm;
    return value_bool(AS(task, self)->f.h.flags & FUT_TASK_MUST_CANCEL);
}
static value get_waiting(vm *vm, value self)
{
    (void)vm;
    object *o = future_state(&AS(task, self)->f) == FUT_PENDING ? AS(task, self)->waiting_on : NULL;
    return o ? value_obj(o) : V_NONE;
}
static value get_coro(vm *vm, value self)
{
    (void)vm;
    return AS(task, self)->coro_obj;
}

static const native_def task_methods[] = {
    {"cancel(self, /, msg=None)", m_cancel, DOC("Request that this task cancel itself."), 0},
    {"cancelling(self, /)", m_cancelling, DOC("How many cancellation requests are pending."), 0},
    {"uncancel(self, /)", m_uncancel, DOC("Withdraw one cancellation request; returns how many remain."), 0},
    {"get_name(self, /)", m_get_name, DOC("The task's name."), 0},
    {"set_name(self, value, /)", m_set_name, DOC("Set the task's name."), 0},
    {"get_coro(self, /)", m_get_coro, DOC("The coroutine that the task runs."), 0},
    {"get_context(self, /)", m_get_context, DOC("The context the task runs in."), 0},
    {"get_stack(self, /, *, limit=None)", m_get_stack, DOC("The list of stack frames of the task's coroutine."), 0},
    {"print_stack(self, /, *, limit=None, file=None)", m_print_stack,
     DOC("Print the stack or traceback of the task's coroutine."), 0},
    {"_wakeup(self, future, /)", m_wakeup, NULL, 0},
    {0},
};
static const getset_def task_getsets[] = {
    {"_must_cancel", get_must_cancel, NULL, NULL},
    {"_fut_waiter", get_waiting, NULL, NULL},
    {"_coro", get_coro, NULL, NULL},
    {0},
};

static void task_traverse(vm *vm, object *o)
{
    task *t = (task *)o;
    future_traverse(vm, o);
    gc_mark_value(vm, t->coro_obj); /* coro is that or NULL */
    if (t->leaf && t->leaf != t->coro) gc_mark_obj(vm, &t->leaf->h);
    gc_mark_obj(vm, t->waiting_on);
    gc_mark_value(vm, t->wake);
    gc_mark_value(vm, t->context);
    gc_mark_value(vm, t->name);
    gc_mark_value(vm, t->handled);
}
static void task_free(vm *vm, object *o)
{
    task_table_remove(vm, (task *)o);
    if (UNLIKELY(o->flags & FUT_SOURCE)) future_drop_source(vm, (future *)o);
    object_slots_free(vm, o, ((task *)o)->f.slots);
}
static void task_finalize(vm *vm, value v)
{
    task *t = AS(task, v);
    task_table_remove(vm, t);
    /* it is closed when it is found unreachable without the task */
    if (t->coro) gc_register_finalizer(vm, &t->coro->h);
    if (future_state(&t->f) == FUT_PENDING && t->f.loop && !(t->f.h.flags & FUT_TASK_NO_LOG)) {
        str *msg = str_from_cstr(vm, "Task was destroyed but it is pending!");
        uint32_t source = future_source(vm, &t->f);
        ROOTS(vm, &t, &msg);
        value made = source ? source_list(vm, source) : V_NONE;
        if (!msg || value_is_error(made)) return;
        if (source) loop_report(vm, (loop *)t->f.loop, value_obj(msg), "task", v, "source_traceback", made, NULL);
        else loop_report(vm, (loop *)t->f.loop, value_obj(msg), "task", v, NULL);
        return;
    }
    future_finalize(vm, v);
}
static const gc_kind_ops task_kind_ops = {
    .traverse = task_traverse, .free = task_free, .finalize = task_finalize, .tells_parts = true};

str *task_created(vm *vm, task *t)
{
    return value_is_kind(t->coro_obj, K_FRAME) ? place_text(vm, AS(frame, t->coro_obj)->origin) : vm->empty_str;
}

void task_type_open(vm *vm)
{
    gc_register_kind(vm, K_TASK, &task_kind_ops);
    type *t = T(vm, TASK);
    t->s.new_ = future_slot_new;
    t->s.init = task_slot_init;
    t->s.repr = task_repr;
    t->methods = task_methods;
    t->getsets = task_getsets;
    type_ready(vm, t);
}
