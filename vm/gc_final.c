/* Finalisers: who has one, who is due, and running them at a safepoint, outside of the collector.
 *
 * Invariants
 *  1. fin[] holds registered objects. An entry whose object has lost GC_FINALIZE is dropped at the next look.
 *  2. A finaliser runs once: its object moves to finq[], losing GC_FINALIZE, before anything runs.
 *  3. Finalisers never nest: `running` is set while one runs; what becomes due meanwhile waits in finq[].
 *  4. The pending exception of the thread is the same before and after.
 */
#include "frame.h"
#include "heap.h"
#include "weakref.h"

void frame_finalize(vm *vm, frame *f); /* gen.c */

void gc_register_finalizer(vm *vm, object *o)
{
    heap *h = vm->heap;
    if (o->gc & GC_FINALIZE) return;
    if (heap_vec_push(vm, &h->fin, o)) o->gc |= GC_FINALIZE;
}

/* A survivor of its first cycle belongs to the old part of fin[]; old objects may also be registered late, and
 * then are looked at in one minor cycle in vain. */
bool gc_queue_finalizers(vm *vm, bool all)
{
    heap *h = vm->heap;
    bool any = false;
    if (all) gc_restore_suspects(vm);
    size_t from = all ? h->fin_kept : h->nfin_old, n = from;
    for (size_t i = from; i < h->fin.n; i++) {
        object *o = h->fin.p[i];
        if (!o || !(o->gc & GC_FINALIZE)) continue;
        if (!heap_survives(h, o)) {
            if (o->kind == K_FRAME && frame_state((frame *)o) == FRAME_DONE) { /* a generator that ran to its end */
                o->gc &= (uint8_t)~GC_FINALIZE;
                continue;
            }
            any = true;
            if (heap_vec_push(vm, &h->finq, o)) o->gc &= (uint8_t)~GC_FINALIZE;
            else h->fin.p[n++] = o; /* no memory for the queue: it lives on, and is tried again */
            gc_mark_obj(vm, o);
            continue;
        }
        h->fin.p[n++] = o;
    }
    h->fin.n = h->nfin_old = n;
    if (all) h->fin_kept = h->fin_seen = 0;
    return any;
}

/* A million suspended coroutines are registered: they are looked at in slices, after marking. What is reached by
 * then stays reached; the others (`suspects`) are looked at once more when the cycle ends. */
bool gc_suspect_finalizers(vm *vm, size_t work)
{
    heap *h = vm->heap;
    for (; work > 0 && h->fin_seen < h->nfin_old; work--) {
        size_t i = h->fin_seen;
        object *o = h->fin.p[i];
        if (i + 8 < h->fin.n) __builtin_prefetch(h->fin.p[i + 8]);
        if ((o->gc & GC_FINALIZE) && !((o->gc ^ h->black) & (GC_MARK | GC_EPOCH))) {
            h->fin.p[i] = NULL;
            h->fin.p[h->fin_kept++] = o;
        } else if (o->gc & GC_FINALIZE) {
            if (!heap_vec_push(vm, &h->suspects, o)) { /* no memory: all are looked at in the end */
                gc_restore_suspects(vm);
                h->fin_kept = 0;
                h->fin_seen = h->nfin_old;
                return false;
            }
            h->fin.p[i] = NULL;
        } else {
            h->fin.p[i] = NULL;
        }
        h->fin_seen++;
    }
    return h->fin_seen < h->nfin_old;
}

/* Back into the holes that they left, in their order. */
void gc_restore_suspects(vm *vm)
{
    heap *h = vm->heap;
    (void)vm;
    for (size_t i = 0; i < h->suspects.n; i++) h->fin.p[h->fin_kept + i] = h->suspects.p[i];
    h->suspects.n = 0;
}

bool gc_register_dying(vm *vm, object *o)
{
    if (heap_vec_push(vm, &vm->heap->dying, o)) return true;
    raise_memory(vm);
    return false;
}

void gc_tell_dying(vm *vm, bool all)
{
    heap *h = vm->heap;
    size_t from = all ? 0 : h->ndying_old, n = from;
    for (size_t i = from; i < h->dying.n; i++) {
        object *o = h->dying.p[i];
        if (heap_survives(h, o)) h->dying.p[n++] = o;
        else vm->kind_ops[o->kind]->dying(vm, o);
    }
    h->dying.n = h->ndying_old = n;
}

void gc_finalize_all(vm *vm)
{
    heap *h = vm->heap;
    gc_restore_suspects(vm);
    h->fin_kept = h->fin_seen = 0;
    for (size_t i = 0; i < h->fin.n; i++) {
        object *o = h->fin.p[i];
        if (!o || !(o->gc & GC_FINALIZE)) continue;
        if (heap_vec_push(vm, &h->finq, o)) o->gc &= (uint8_t)~GC_FINALIZE;
    }
    h->fin.n = h->nfin_old = 0;
    gc_run_queues(vm);
}

bool gc_has_finalizers(vm *vm)
{
    heap *h = vm->heap;
    if (h->suspects.n) return true;
    for (size_t i = 0; i < h->fin.n; i++) {
        const object *o = h->fin.p[i];
        if (o && (o->gc & GC_FINALIZE) && o->kind != K_FILE) return true;
    }
    return gc_queues_pending(vm) || weakref_any_callback(vm);
}

bool gc_queues_pending(vm *vm)
{
    heap *h = vm->heap;
    return h->finq.n > h->finq_head || weakref_pending(vm);
}

static void gc_finalize(vm *vm, object *o)
{
    value v = value_obj(o);
    ROOTS(vm, &v);
    type *t = type_of(vm, v);
    if (t->s.del && !vm->heap->scripts_off && o->kind != K_FRAME) {
        value r = t->s.del(vm, v);
        if (value_is_error(r) && raised(vm)) {
            value where = type_lookup(vm, type_of(vm, v), N(vm, __del__));
            exc_report_unraisable(vm, value_is_unbound(where) ? v : where);
        }
    }
    const gc_kind_ops *ops = vm->kind_ops[o->kind];
    if (o->kind == K_FRAME) {
        frame_finalize(vm, (frame *)(void *)o);
    } else if (ops && ops->finalize) {
        ops->finalize(vm, v);
    } else {
        const type_layout *layout = NULL;
        for (t = type_of(vm, v); t && !layout; t = t->base) layout = t->layout;
        if (layout && layout->finalize) layout->finalize(vm, v);
    }
    if (raised(vm)) exc_report_unraisable(vm, v);
    vm->heap->finalized++;
}

bool gc_run_queues(vm *vm)
{
    heap *h = vm->heap;
    if (h->running || !gc_queues_pending(vm)) return false;
    h->running = true;
    bool any = false;
    value exc = vm->thread->exc;
    ROOTS(vm, &exc);
    vm->thread->exc = V_UNBOUND;
    while (h->finq_head < h->finq.n) {
        object *o = h->finq.p[h->finq_head++];
        gc_finalize(vm, o);
        any = true;
        if (h->finq_head == h->finq.n) h->finq_head = h->finq.n = 0;
    }
    if (!h->scripts_off && weakref_run_callbacks(vm)) any = true;
    vm->thread->exc = exc;
    h->running = false;
    return any;
}
