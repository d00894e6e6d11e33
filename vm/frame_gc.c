/* Frames as the collector sees them: which registers live, what a frame that nothing refers to still has to do. */
#include "interp.h"

/* Locals are always live; temporaries up to what the safepoint table says. innermost: operands of the running
 * instruction count too. A suspended frame counts as innermost: its delegate is such an operand. */
static void mark_registers(vm *vm, frame *f, bool innermost)
{
    const code *c = f->code;
    uint32_t top = c->nlocals;
    uint32_t pc = (uint32_t)(f->pc - c->insns);
    gc_mark_values(vm, f->r, c->nlocals);
    if (pc > 0) {
        const safepoint *s = code_safepoint(c, pc);
        if (s) {
            uint32_t end = innermost ? s->window : s->live;
            if (end > top) gc_mark_values(vm, f->r + top, end - top);
        }
    }
    if (c->nhigh) gc_mark_values(vm, f->r + HIGH_BASE, c->nhigh);
}

static void mark_frame_body(vm *vm, frame *f, bool innermost)
{
    gc_mark_shared(vm, (object *)f->code);
    gc_mark_shared(vm, (object *)f->func);
    mark_registers(vm, f, innermost);
}

static void mark_chain(vm *vm, frame *current)
{
    bool innermost = true;
    for (frame *f = current; f; f = f->up) {
        if (f->h.flags & FRAME_BOUNDARY) {
            gc_mark_values(vm, f->r, 2);
            if (f->code == &interp_exit_code) innermost = true;
            if (RET_KIND(f->ret) == RET_INIT) gc_mark_value(vm, f->up->r[f->origin]);
            continue;
        }
        if (!(f->h.flags & FRAME_ONSTACK)) gc_mark_obj(vm, &f->h);
        /* A frame below a delegating chain keeps its operands: the child is one of them. */
        mark_frame_body(vm, f, innermost || !(f->h.flags & FRAME_ONSTACK));
        if ((f->h.flags & FRAME_ONSTACK) && RET_KIND(f->ret) == RET_INIT && f->up && !(f->up->h.flags & FRAME_BOUNDARY))
            gc_mark_value(vm, f->up->r[f->origin]);
        innermost = false;
    }
}

void frames_mark_thread(vm *vm, thread *th)
{
    mark_chain(vm, th->current);
    if (th == &vm->main_thread) mark_chain(vm, vm->preempted);
    for (struct task_run *run = th->runs; run; run = run->outer) mark_chain(vm, run->below);
}

void frame_traverse(vm *vm, object *o)
{
    frame *f = (frame *)o;
    if (frame_state(f) == FRAME_DONE) {
        /* Nobody asks a finished frame for its task, which may be younger: no barrier runs when a frame ends. */
        gc_mark_obj(vm, (object *)f->code);
        gc_mark_obj(vm, (object *)f->func);
        return;
    }
    if (f->link.task) gc_mark_obj(vm, f->link.task);
    mark_frame_body(vm, f, true);
}

static bool is_unreached(const heap *h, const object *o) { return ((o->gc ^ h->black) & (GC_MARK | GC_EPOCH)) != 0; }

static bool any_unreached(const heap *h, const value *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (value_is_obj(p[i]) && is_unreached(h, value_as_obj(p[i]))) return true;
    return false;
}

void frame_barrier_old(vm *vm, frame *f)
{
    const heap *h = vm->heap;
    const code *c = f->code;
    uint32_t top = c->nlocals;
    if (!c->nhigh && !(f->link.task && is_unreached(h, f->link.task)) && !any_unreached(h, f->r, top)) {
        const safepoint *s = code_safepoint(c, (uint32_t)(f->pc - c->insns));
        if (!s || s->window <= top || !any_unreached(h, f->r + top, s->window - top)) return;
    }
    gc_remember(vm, &f->h);
}

static bool inside_handler_range(const frame *f)
{
    return code_handler(f->code, (uint32_t)(f->pc - f->code->insns)) != NULL;
}

void frame_finalize(vm *vm, frame *f)
{
    unsigned st = frame_state(f);
    if (UNLIKELY(vm->killed)) { /* dropped: no finally runs any more */
        frame_set_state(f, FRAME_DONE);
        return;
    }
    if (st == FRAME_CREATED) {
        if (f->h.shape == TYPE_COROUTINE && !(f->h.flags & (FRAME_WARNED | FRAME_AWAITED)) &&
            vm->hooks.coroutine_dropped) {
            f->h.flags |= FRAME_WARNED;
            vm->hooks.coroutine_dropped(vm, f, 0);
            if (raised(vm)) exc_report_unraisable(vm, value_obj(f));
        }
        frame_set_state(f, FRAME_DONE);
        return;
    }
    if (st != FRAME_SUSPENDED) return;
    if (f->h.shape == TYPE_ASYNC_GENERATOR) {
        value hook = f->h.flags & FRAME_AGEN_HOOKED ? vm->thread->asyncgen_finalizer : V_UNBOUND;
        if (!value_is_unbound(hook) && !value_is_none(hook)) {
            value r = vm_call1(vm, hook, value_obj(f));
            if (value_is_error(r)) exc_report_unraisable(vm, value_obj(f));
            return;
        }
    }
    if (!(f->h.flags & FRAME_DELEGATING) && !inside_handler_range(f)) {
        frame_set_state(f, FRAME_DONE);
        return;
    }
    if (!frame_close(vm, f)) exc_report_unraisable(vm, value_obj(f));
}
