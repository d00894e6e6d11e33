/* Allocation: objects (the slow path of gc_new), buffers, and what tests do to them (fault injection).
 *
 * Small buffers come from blocks like cells do, each block with a count and a free list of its own, so that
 * an empty one goes back to the pool. A buffer's size is known to its owner, who says it when he frees it.
 *
 * Invariants
 *  1. While heap.slow is set, free[] is empty and every object passes gc_new, so each allocation is counted.
 *  2. A raw block is in raw[class] exactly when it has a free buffer.
 */
#include "heap.h"
#include "vm.h"

#if HEAP_ASAN
#include <sanitizer/asan_interface.h>
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define UNPOISON(p, n) ((void)0)
#endif

bool heap_fault(heap *h)
{
    h->nallocs++;
    h->nallocs_cycle++;
    if (h->fail_in == 0) return false;
    if (h->fail_in > 1) {
        h->fail_in--;
        return false;
    }
    if (!h->fail_sticky) h->fail_in = 0;
    return true;
}

uint64_t gc_fail_at(vm *vm, uint64_t n, bool sticky)
{
    heap *h = vm->heap;
    uint64_t count = h->nallocs;
    h->nallocs = 0;
    h->fail_in = n;
    h->fail_sticky = sticky;
    heap_set_slow(h, n != 0 || HEAP_ALWAYS_SLOW);
    return count;
}

/* ---- objects ---- */

/* A bigint is all written by whoever makes it, and may be long. */
#define CLEARED(kind) ((kind) != K_BIGINT)

static void *heap_new_large(vm *vm, size_t size, bool clear)
{
    heap *h = vm->heap;
    size_t total;
    if (!size_add(size, sizeof(heap_large) + 8, &total)) return NULL;
    void *mem = heap_take(vm, total);
    if (!mem) return NULL;
    uintptr_t at = (uintptr_t)mem + sizeof(heap_large);
    object *o = (object *)(at & 8 ? at : at + 8);
    *heap_large_of(o) = (heap_large){.mem = mem, .size = size, .total = total};
    if (clear) memset(o, 0, size);
    if (!heap_vec_push(vm, &h->large, o)) {
        heap_give(vm, mem, total);
        return NULL;
    }
    h->large_bytes += total;
    h->debt += (int64_t)total;
    return o;
}

void *gc_new(vm *vm, enum object_kind kind, uint32_t shape, size_t size)
{
    heap *h = vm->heap;
    if (UNLIKELY(h->slow) && heap_fault(h)) goto fail;
    if (size < sizeof(heap_cell)) size = sizeof(heap_cell);
    object *o;
    uint8_t bits = 0;
    if (size <= HEAP_CELL_MAX) {
        unsigned cls = heap_class(size);
        heap_cell **slot = h->slow ? &h->stash[cls] : &h->free[cls];
        if (UNLIKELY(!*slot) && !heap_refill(vm, cls, slot)) goto fail;
        heap_cell *cell = *slot;
        *slot = cell->next;
        UNPOISON(cell, heap_class_size(cls));
        o = &cell->h;
        if (CLEARED(kind)) memset((char *)o + sizeof(object), 0, size - sizeof(object));
    } else {
        o = heap_new_large(vm, size, CLEARED(kind));
        if (!o) goto fail;
        bits = GC_LARGE;
    }
    *o = (object){.shape = shape, .kind = (uint8_t)kind, .gc = bits};
    if (h->free_kinds >> kind & 1) gc_note_parts(o);
#ifdef AIOVM_GC_STRESS
    vm_poll_soon(vm); /* the next place that polls is a safepoint */
#endif
    if (UNLIKELY(h->debt >= h->debt_limit && !h->due)) gc_request(vm);
    return o;
fail:
    raise_memory(vm);
    return NULL;
}

size_t gc_size_of(const object *o)
{
    if (o->gc & GC_LARGE) return heap_large_of((object *)(uintptr_t)o)->size;
    return heap_block_of(o)->cell;
}

/* ---- buffers ---- */

static void raw_unlink(heap *h, heap_block *b)
{
    if (b->prev) b->prev->next = b->next;
    else h->raw[b->cls] = b->next;
    if (b->next) b->next->prev = b->prev;
    b->next = b->prev = NULL;
}

static void raw_link(heap *h, heap_block *b)
{
    b->prev = NULL;
    b->next = h->raw[b->cls];
    if (b->next) b->next->prev = b;
    h->raw[b->cls] = b;
}

static void *raw_take(vm *vm, unsigned cls)
{
    heap *h = vm->heap;
    heap_block *b = h->raw[cls];
    if (UNLIKELY(!b)) {
        b = heap_new_block(vm, cls, BLOCK_RAW, cls * 16);
        if (!b) return NULL;
        raw_link(h, b);
    }
    heap_cell *cell = b->free;
    if (cell) {
        b->free = cell->next;
    } else {
        cell = (heap_cell *)(void *)((char *)b + HEAP_RAW_HEAD + (size_t)b->carved * b->cell);
        b->carved++;
    }
    b->live++;
    if (UNLIKELY(!b->free && b->carved == b->ncells)) raw_unlink(h, b);
    return cell;
}

static void raw_give(heap *h, void *p)
{
    heap_block *b = heap_block_of(p);
    heap_cell *cell = p;
    bool was_full = !b->free && b->carved == b->ncells;
    cell->next = b->free;
    b->free = cell;
    b->live--;
    if (UNLIKELY(was_full)) raw_link(h, b);
    /* The last one of its class is kept: it would only be fetched again. */
    if (UNLIKELY(b->live == 0 && (b->next || b->prev))) {
        raw_unlink(h, b);
        heap_release_block(h, b);
    }
}

/* Within the limits, counted, nothing raised. */
static void *buffer_take(vm *vm, size_t n)
{
    heap *h = vm->heap;
    if (UNLIKELY(h->slow) && heap_fault(h)) return NULL;
    void *p = n <= HEAP_RAW_MAX ? raw_take(vm, (unsigned)((n + 15) >> 4)) : heap_take(vm, n);
    if (UNLIKELY(!p)) return NULL;
    h->buffer_bytes += n;
    h->debt += (int64_t)n;
    if (UNLIKELY(h->debt >= h->debt_limit && !h->due)) gc_request(vm);
    return p;
}

void *mem_alloc(vm *vm, size_t n)
{
    if (n == 0) n = 1;
    void *p = buffer_take(vm, n);
    if (UNLIKELY(!p)) raise_memory(vm);
    return p;
}

bool mem_charge(vm *vm, size_t n)
{
    heap *h = vm->heap;
    if (h->limit_hard && (n > h->limit_hard || h->used > h->limit_hard - n)) {
        raise_memory(vm);
        return false;
    }
    h->used += n;
    h->buffer_bytes += n;
    h->debt += (int64_t)n;
    if (UNLIKELY(h->debt >= h->debt_limit && !h->due)) gc_request(vm);
    return true;
}

void mem_uncharge(vm *vm, size_t n)
{
    heap *h = vm->heap;
    h->used -= n;
    h->buffer_bytes -= n;
    h->debt -= (int64_t)n;
}

void *mem_zalloc(vm *vm, size_t n)
{
    void *p = mem_alloc(vm, n);
    if (p) memset(p, 0, n ? n : 1);
    return p;
}

void mem_free(vm *vm, void *p, size_t n)
{
    if (!p) return;
    if (n == 0) n = 1;
    heap *h = vm->heap;
    h->buffer_bytes -= n;
    h->debt -= (int64_t)n;
    if (n <= HEAP_RAW_MAX) raw_give(h, p);
    else heap_give(vm, p, n);
}

void *mem_realloc(vm *vm, void *p, size_t old, size_t n)
{
    if (!p) return mem_alloc(vm, n);
    if (n == 0) n = 1;
    if (old == 0) old = 1;
    heap *h = vm->heap;
    if (old <= HEAP_RAW_MAX && n <= HEAP_RAW_MAX && (old + 15) >> 4 == (n + 15) >> 4) {
        h->buffer_bytes += n - old;
        h->debt += (int64_t)n - (int64_t)old;
        return p;
    }
    if (old <= HEAP_RAW_MAX || n <= HEAP_RAW_MAX) {
        void *q = mem_alloc(vm, n);
        if (!q) return NULL;
        memcpy(q, p, old < n ? old : n);
        mem_free(vm, p, old);
        return q;
    }
    if (UNLIKELY(h->slow) && heap_fault(h)) goto fail;
    if (n > old && h->limit_hard && (n - old > h->limit_hard || h->used > h->limit_hard - (n - old))) goto fail;
    void *q = vm->alloc_fn(vm->alloc_ud, p, old, n);
    if (!q) goto fail;
    h->used += n - old;
    h->buffer_bytes += n - old;
    h->debt += (int64_t)n - (int64_t)old;
    if (UNLIKELY(h->limit_soft && h->used > h->soft_next)) {
        h->soft_next = h->used + h->used / 4;
        h->want_full = true;
        gc_request(vm);
    }
    if (UNLIKELY(h->debt >= h->debt_limit && !h->due)) gc_request(vm);
    return q;
fail:
    raise_memory(vm);
    return NULL;
}

void *mem_realloc_quiet(vm *vm, void *p, size_t old, size_t n)
{
    value pending = vm->thread->exc;
    void *q = mem_realloc(vm, p, old, n);
    if (!q) vm->thread->exc = pending;
    return q;
}
