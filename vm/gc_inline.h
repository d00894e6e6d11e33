/* The inline halves of gc.h: allocation of small objects and the chain of rooted locals.
 * Included by vm.h, after struct vm. */
#ifndef AIO_GC_INLINE_H
#define AIO_GC_INLINE_H

#include "heap.h"

static inline root_frame **root_frame_head(vm *vm) { return &vm->thread->roots; }
static inline void root_frame_pop(root_frame *f) { f->owner->thread->roots = f->prev; }

static inline void gc_note_parts(object *o)
{
    if (!(o->gc & GC_LARGE)) heap_block_of(o)->parts[heap_bit_word(o)] |= heap_bit(o);
}

/* An object of `size` bytes whose header is set and whose body is garbage; NULL: take gc_new. For callers that
 * write every word of the body at once (before anything else is allocated is not needed: before a safepoint is). */
static inline void *gc_new_raw(vm *vm, enum object_kind kind, uint32_t shape, size_t size)
{
    heap *h = vm->heap;
    if (UNLIKELY(size > HEAP_FINE_MAX)) return NULL;
    heap_cell **slot = &h->free[(size + 15) >> 4];
    heap_cell *cell = *slot;
    if (UNLIKELY(!cell)) return NULL;
    *slot = cell->next;
    cell->h = (object){.shape = shape, .kind = (uint8_t)kind};
    return cell;
}

/* gc_new for the hot places: a dozen instructions when the class's free list is not empty. */
static inline void *gc_new_fast(vm *vm, enum object_kind kind, uint32_t shape, size_t size)
{
    void *o = gc_new_raw(vm, kind, shape, size);
    if (UNLIKELY(!o)) return gc_new(vm, kind, shape, size);
    memset((char *)o + sizeof(object), 0, size - sizeof(object));
    return o;
}

/* gc_barrier for a store of a reference to `target` into o: nothing is to be remembered when that is as old, and in a
 * major cycle reached already. */
static inline void gc_barrier_to(vm *vm, void *o, const object *target)
{
    if (((target->gc ^ vm->heap->black) & (GC_MARK | GC_EPOCH)) != 0) gc_barrier(vm, o);
}

/* gc_mark_obj for what many objects refer to: its header is at hand, and as a rule it has been reached. */
static inline void gc_mark_shared(vm *vm, object *o)
{
    const heap *h = vm->heap;
    if (o && (((o->gc ^ h->black) & (GC_MARK | GC_EPOCH)) != 0 || h->visit)) gc_mark_obj(vm, o);
}

/* Gives back an object that its creator knows to be unreferenced (a frame that never escaped). `size` is what
 * it was allocated with; its buffers are gone already. Objects that a cycle has seen, or that some table of the
 * collector names, are left to the collector. It is of a kind without free function. */
static inline void gc_recycle(vm *vm, void *p, size_t size)
{
    object *o = (object *)p;
    if (HEAP_ASAN || size > HEAP_FINE_MAX || o->gc) {
        o->gc &= (uint8_t)~GC_FINALIZE;
        return;
    }
    heap *h = vm->heap;
    heap_cell **slot = &(h->slow ? h->stash : h->free)[(size + 15) >> 4];
    heap_cell *cell = (heap_cell *)p;
    cell->h = (object){.kind = K_FREE};
    cell->next = *slot;
    *slot = cell;
}

/* gc_register_finalizer inline: every coroutine and task has one. */
static inline void gc_register_finalizer_fast(vm *vm, object *o)
{
    heap_vec *fin = &vm->heap->fin;
    if (LIKELY(fin->n < fin->cap && !(o->gc & GC_FINALIZE))) {
        fin->p[fin->n++] = o;
        o->gc |= GC_FINALIZE;
    } else {
        gc_register_finalizer(vm, o);
    }
}

#endif
