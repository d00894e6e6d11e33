/* The trail of a failed task: who awaited it when it failed, and where, task by task up to the outermost.
 *
 * By the time of a report these tasks have gone on, so it is taken down at once: a tuple of [task, code, pc, code, pc,
 * ...] for each of them, the frames outermost first. Its text continues the traceback of the exception. Where a single
 * task awaits the failed one itself there is none: it gets the exception, so there will be no report.
 */
#include "runtime/graph.h"
#include "vm/list.h"
#include "vm/str.h"

enum { MAX_TASKS = 16, MAX_WORDS = 256 };

static task *awaiter_of(vm *vm, task *t)
{
    list *all = graph_awaiting_tasks(vm, t);
    if (!all) exc_clear(vm);
    for (size_t i = 0; all && i < all->len; i++)
        if (value_is_kind(all->items[i], K_TASK)) return AS(task, all->items[i]);
    return NULL;
}

static bool put_frames(vm *vm, list *out, task *t)
{
    for (frame *f = t->coro; f && out->len < MAX_WORDS;) {
        if (!(f->code->flags & CODE_NATIVE) &&
            (!list_push(vm, out, value_obj(f->code)) || !list_push(vm, out, value_int(f->pc - f->code->insns))))
            return false;
        value c = frame_child(f);
        f = value_is_kind(c, K_FRAME) ? AS(frame, c) : NULL;
    }
    return true;
}

object *trail_record(vm *vm, task *t)
{
    list *out = NULL;
    if (t->f.waiter && t->f.waiter->kind == K_TASK && value_is_unbound(t->f.callbacks)) return NULL;
    for (unsigned n = 0; n < MAX_TASKS; n++) {
        task *by = awaiter_of(vm, t);
        if (!by || future_state(&by->f) != FUT_PENDING) break;
        if (!out && !(out = list_new(vm, 8))) break;
        if (!list_push(vm, out, value_obj(by)) || !put_frames(vm, out, by)) break;
        t = by;
    }
    if (raised(vm)) exc_clear(vm);
    tuple *all = out ? tuple_from(vm, out->items, (uint32_t)out->len) : NULL;
    if (raised(vm)) exc_clear(vm);
    return all ? &all->h : NULL;
}

/* "\nawaited by task 'name' at FILE:LINE in FUNCTION, from ...", the task being the item at *at. */
static str *task_text(vm *vm, const tuple *trail, size_t *at)
{
    size_t first = *at + 1, end = first;
    while (end < trail->len && !value_is_kind(trail->items[end], K_TASK)) end += 2;
    str *name = task_name(vm, AS(task, trail->items[*at])), *text = NULL;
    *at = end;
    if (name) text = str_format(vm, "\nawaited by task %R", value_obj(name));
    for (size_t i = end; text && i > first; i -= 2) {
        code *c = AS(code, trail->items[i - 2]);
        uint32_t pc = (uint32_t)value_as_int(trail->items[i - 1]);
        str *place = place_format(vm, c, pc ? code_line(c, pc) : c->firstlineno);
        if (!place) return NULL;
        text = str_format(vm, i == end ? "%U at %U" : "%U, from %U", value_obj(text), value_obj(place));
    }
    return text;
}

str *trail_text(vm *vm, value trail)
{
    str *whole = vm->empty_str;
    if (!IS_TUPLE(trail)) return whole;
    ROOTS(vm, &trail, &whole);
    for (size_t i = 0; i < AS(tuple, trail)->len;) {
        str *one = task_text(vm, AS(tuple, trail), &i);
        whole = one ? str_concat(vm, whole, one) : NULL;
        if (!whole) return NULL;
    }
    return whole;
}
