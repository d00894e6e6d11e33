/* Sweeping: what is not marked is freed, and each block's free list is rebuilt in the order of addresses.
 *
 * Invariants
 *  1. A minor cycle sweeps the touched blocks and young large objects only; nothing else can have died.
 *  2. A block goes to its class's `avail` only if an eighth of it is free: fewer free cells are not worth
 *     the sweep that their use costs. The next major cycle looks at it again.
 *  3. When a free function runs, dead objects may be gone already and their cells used again: it looks at no other.
 *  4. After a major cycle in slices a block is swept once for both, young and old: by gc_sweep_some, or if it was
 *     touched meanwhile, by the minor cycle that follows. Until then nothing is allocated from it but what was
 *     never carved.
 *  5. A minor cycle outside of that leaves its touched blocks unswept, but for those that are being carved: nothing
 *     is allocated from them. Slices sweep them a little ahead of the allocation that uses them, so that their cells
 *     come into the cache once for both; the next cycle begins with the rest.
 */
#include "heap.h"
#include "vm.h"

#if HEAP_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define POISON(p, n)   ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

enum {
    POISON_BYTE = 0xDB,
    AHEAD = 1024,      /* bytes: the header of a cell is asked for so early */
    YOUNG_BLOCKS = 48, /* swept by one slice, at most */
};

/* Of an object whose kind has a free function. */
static inline void gc_free_parts(vm *vm, object *o)
{
    const gc_kind_ops *ops = vm->kind_ops[o->kind];
    if (o->shape >= TYPE_COUNT || !ops->free_flags || (o->flags & ops->free_flags)) ops->free(vm, o);
}

static void gc_free_object(vm *vm, heap *h, object *o)
{
    h->freed_last++;
    bool exact = o->shape < TYPE_COUNT;
    if ((exact ? h->free_exact_kinds : h->free_kinds) >> o->kind & 1) gc_free_parts(vm, o);
}

static void sweep_block(vm *vm, heap_block *b)
{
    heap *h = vm->heap;
    heap_cell *list = NULL, **tail = &list;
    uint32_t live = 0, cell_size = b->cell, freed = 0;
    const uint8_t black = h->black, mask = h->alive_mask;
    const uint64_t exact = h->free_exact_kinds, others = h->free_kinds;
    char *p = (char *)heap_cell_at(b, 0), *end = p + (size_t)b->carved * cell_size;
    for (; p < end; p += cell_size) {
        heap_cell *cell = (heap_cell *)(void *)p;
        __builtin_prefetch(p + AHEAD, 1);
        object head = cell->h;
        if (head.kind != K_FREE) {
            if (((head.gc ^ black) & mask) == 0 || (head.gc & GC_PINNED)) { /* heap_survives */
                live++;
                continue;
            }
            freed++;
            if ((head.shape < TYPE_COUNT ? exact : others) >> head.kind & 1) gc_free_parts(vm, &cell->h);
#ifdef AIOVM_GC_STRESS
            memset(cell, POISON_BYTE, cell_size);
#endif
            cell->h = (object){.kind = K_FREE};
        }
        *tail = cell;
        tail = &cell->next;
        POISON(cell + 1, cell_size - sizeof *cell);
    }
    h->freed_last += freed;
    *tail = NULL;
    h->cell_bytes += (size_t)live * b->cell;
    h->cell_bytes -= (size_t)b->live * b->cell;
    b->live = live;
    b->free = list;
    b->is_touched = b->is_avail = b->is_unswept = false;
    b->swept = h->nsweep;
    if (live == 0) {
        UNPOISON(b, HEAP_BLOCK);
        if (h->carving[b->cls] == b) h->carving[b->cls] = NULL;
        b->free = NULL;
        heap_release_block(h, b);
        return;
    }
    if (b->carved - live > b->ncells / 8) {
        b->is_avail = true;
        b->next = h->avail[b->cls];
        h->avail[b->cls] = b;
    }
}

static void sweep_large(vm *vm, size_t from)
{
    heap *h = vm->heap;
    size_t n = from;
    for (size_t i = from; i < h->large.n; i++) {
        object *o = h->large.p[i];
        if (heap_survives(h, o)) {
            h->large.p[n++] = o;
            continue;
        }
        heap_large *l = heap_large_of(o);
        gc_free_object(vm, h, o);
        h->large_bytes -= l->total;
        heap_give(vm, l, l->total);
    }
    h->large.n = h->nlarge_old = n;
}

void gc_sweep(vm *vm)
{
    heap *h = vm->heap;
    if (!h->major) {
        heap_block *list = h->touched;
        h->touched = NULL;
        for (heap_block *b = list, *next; b; b = next) {
            next = b->touched;
            b->touched = NULL;
            sweep_block(vm, b);
        }
        sweep_large(vm, h->nlarge_old);
        return;
    }
    h->touched = NULL;
    for (unsigned i = 0; i < HEAP_CLASSES; i++) h->avail[i] = NULL;
    for (heap_chunk *c = h->chunks; c; c = c->next) {
        for (uint32_t i = c->nblocks; i-- > 0;) {
            heap_block *b = heap_chunk_block(c, i);
            if (b->state != BLOCK_CELLS) continue;
            b->touched = NULL;
            sweep_block(vm, b);
        }
    }
    sweep_large(vm, 0);
}

void gc_leave_unswept(vm *vm)
{
    heap *h = vm->heap;
    heap_block *list = h->touched;
    h->touched = NULL;
    for (heap_block *b = list, *next; b; b = next) {
        next = b->touched;
        b->touched = NULL;
        if (h->carving[b->cls] == b) {
            sweep_block(vm, b);
            continue;
        }
        b->is_touched = false;
        b->is_unswept = true;
        b->touched = h->unswept;
        h->unswept = b;
    }
    sweep_large(vm, h->nlarge_old);
}

/* What buffers give back was counted as debt before the last cycle. */
void gc_sweep_young_some(vm *vm, size_t wanted)
{
    heap *h = vm->heap;
    if (!h->unswept) return;
    uint64_t freed = h->freed_last;
    int64_t debt = h->debt;
    size_t got = 0;
    for (unsigned n = 0; h->unswept && got < wanted && (n < YOUNG_BLOCKS || wanted == SIZE_MAX); n++) {
        heap_block *b = h->unswept;
        h->unswept = b->touched;
        b->touched = NULL;
        sweep_block(vm, b);
        got += b->state == BLOCK_POOL ? HEAP_BLOCK : b->is_avail ? (size_t)(b->carved - b->live) * b->cell : 0;
    }
    h->debt = debt;
    h->freed += h->freed_last - freed;
    h->freed_last = freed;
    if (!h->unswept) h->live = h->cell_bytes + h->large_bytes + h->buffer_bytes;
}

/* The end of marking in slices: what the last minor cycle does not sweep waits for gc_sweep_some. */
void gc_condemn(vm *vm)
{
    heap *h = vm->heap;
    h->nsweep++;
    for (unsigned i = 0; i < HEAP_CLASSES; i++) h->avail[i] = NULL;
    h->nlarge_old = 0;
    h->sweep_chunk = h->chunks;
    h->sweep_block = 0;
}

/* A touched block holds young objects by now, and is swept in the next minor cycle. */
bool gc_sweep_some(vm *vm, size_t work)
{
    heap *h = vm->heap;
    size_t done = 0;
    uint64_t freed = h->freed_last;
    for (; h->sweep_chunk; h->sweep_chunk = h->sweep_chunk->next, h->sweep_block = 0) {
        while (h->sweep_block < h->sweep_chunk->nblocks) {
            if (done + (h->freed_last - freed) * 8 >= work) return true;
            heap_block *b = heap_chunk_block(h->sweep_chunk, h->sweep_block++);
            done++;
            if (b->state != BLOCK_CELLS || b->is_touched || b->swept == h->nsweep) continue;
            done += b->carved;
            sweep_block(vm, b);
        }
    }
    return false;
}

/* The VM ends: every object's buffers and C resources are released; the cells go with their chunks. */
void gc_sweep_all_at_close(vm *vm)
{
    heap *h = vm->heap;
    for (heap_chunk *c = h->chunks; c; c = c->next) {
        for (uint32_t i = 0; i < c->nblocks; i++) {
            heap_block *b = heap_chunk_block(c, i);
            if (b->state != BLOCK_CELLS) continue;
            for (uint32_t k = 0; k < b->carved; k++) {
                object *o = heap_cell_at(b, k);
                if (o->kind != K_FREE) gc_free_object(vm, h, o);
            }
            UNPOISON(b, HEAP_BLOCK);
        }
    }
    for (size_t i = 0; i < h->large.n; i++) {
        heap_large *l = heap_large_of(h->large.p[i]);
        gc_free_object(vm, h, h->large.p[i]);
        heap_give(vm, l, l->total);
    }
    h->large.n = 0;
}
