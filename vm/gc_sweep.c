/* Sweeping: what is not marked is freed. A block has a bitmap of its old objects, which is all that is needed to know
 * what is free: heap_blocks.c makes lists of these cells again, a few at a time. Dead objects are looked at only if the
 * other bitmap says that their free function must be called.
 *
 * Invariants
 *  1. A minor cycle sweeps the touched blocks and young large objects only; nothing else can have died.
 *  2. A block goes to its class's `avail` only if an eighth of it is free: fewer free cells are not worth
 *     the search. The next major cycle looks at it again.
 *  3. When a free function runs, dead objects may be gone already and their cells used again: it looks at no other.
 *  4. After a major cycle in slices a block is swept once for both, young and old: by gc_sweep_some, or if it was
 *     touched meanwhile, by the minor cycle that follows. Until then nothing is allocated from it but what was
 *     never carved.
 *  5. A minor cycle outside of that leaves those touched blocks unswept in which a free function is to be called, but
 *     for those that are being carved: nothing is allocated from them. Slices sweep them a little ahead of the
 *     allocation that uses them, so that their cells come into the cache once for both; the next cycle begins with
 *     the rest.
 *  6. After the sweep b->parts has no bit that b->old has not.
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
    YOUNG_BLOCKS = 48, /* swept by one slice, at most */
};

static void gc_free_object(vm *vm, object *o)
{
    const gc_kind_ops *ops = vm->kind_ops[o->kind];
    if (ops && ops->free) ops->free(vm, o);
}

/* After a major cycle in slices: old objects that it did not reach are no longer old. */
static void sweep_old(heap *h, heap_block *b)
{
    for (uint32_t w = 0; w < HEAP_BLOCK_WORDS; w++) {
        uint64_t bits = b->old[w], dead = 0;
        for (uint64_t ahead = w + 1 < HEAP_BLOCK_WORDS ? b->old[w + 1] : 0; ahead; ahead &= ahead - 1)
            __builtin_prefetch(heap_bit_cell(b, w + 1, ahead));
        for (uint64_t left = bits; left; left &= left - 1) {
            if (!heap_survives(h, heap_bit_cell(b, w, left))) dead |= left & -left;
        }
        b->old[w] = bits & ~dead;
        h->freed_last += (unsigned)__builtin_popcountll(dead);
    }
}

/* The free functions of the dead. */
static void sweep_parts(vm *vm, heap_block *b)
{
    uint64_t dead = b->parts[0] & ~b->old[0];
    for (uint32_t w = 0; w < HEAP_BLOCK_WORDS; w++) {
        uint64_t next = w + 1 < HEAP_BLOCK_WORDS ? b->parts[w + 1] & ~b->old[w + 1] : 0;
        for (uint64_t left = next; left; left &= left - 1) __builtin_prefetch(heap_bit_cell(b, w + 1, left));
        b->parts[w] &= b->old[w];
        for (; dead; dead &= dead - 1) {
            gc_free_object(vm, heap_bit_cell(b, w, dead));
        }
        dead = next;
    }
}
/* Only where it helps to find errors are the dead written to. Then all that is no object has kind K_FREE. */
static void sweep_poison(heap_block *b)
{
#if defined(AIOVM_GC_STRESS) || HEAP_ASAN
    for (uint32_t i = 0; i < b->reached; i++) {
        heap_cell *cell = (heap_cell *)(void *)heap_cell_at(b, i);
        if (cell->h.kind == K_FREE || heap_is_old(b, cell)) continue;
        memset(cell, POISON_BYTE, b->cell);
        cell->h = (object){.kind = K_FREE};
        POISON(cell + 1, b->cell - sizeof *cell);
    }
#else
    (void)b;
#endif
}

static bool has_dead_parts(const heap_block *b)
{
    uint64_t dead = 0;
    for (uint32_t w = 0; w < HEAP_BLOCK_WORDS; w++) dead |= b->parts[w] & ~b->old[w];
    return dead != 0;
}

static void sweep_block(vm *vm, heap_block *b)
{
    heap *h = vm->heap;
    if (h->phase == GC_SWEEPING && b->swept != h->nsweep) sweep_old(h, b);
    if (has_dead_parts(b)) sweep_parts(vm, b);
    sweep_poison(b);
    uint32_t live = heap_count_old(b);
    h->cell_bytes += (size_t)live * b->cell;
    h->cell_bytes -= (size_t)b->live * b->cell;
    b->live = (uint16_t)live;
    b->carved = 0;
    b->is_touched = b->is_avail = b->is_unswept = false;
    b->swept = h->nsweep;
    if (h->carving[b->cls] == b) h->carving[b->cls] = NULL;
    if (live == 0) {
        UNPOISON(b, HEAP_BLOCK);
        heap_release_block(h, b);
        return;
    }
    if (b->ncells - live > b->ncells / 8) {
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
        gc_free_object(vm, o);
        h->freed_last++;
        h->large_bytes -= l->total;
        heap_give(vm, l->mem, l->total);
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
        if (h->carving[b->cls] == b || !has_dead_parts(b)) {
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
        got += b->state == BLOCK_POOL ? HEAP_BLOCK : b->is_avail ? (size_t)(b->ncells - b->live) * b->cell : 0;
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
            done += b->live;
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
            memset(b->old, 0, sizeof b->old);
            sweep_parts(vm, b);
            UNPOISON(b, HEAP_BLOCK);
        }
    }
    for (size_t i = 0; i < h->large.n; i++) {
        heap_large *l = heap_large_of(h->large.p[i]);
        gc_free_object(vm, h->large.p[i]);
        heap_give(vm, l->mem, l->total);
    }
    h->large.n = 0;
}
