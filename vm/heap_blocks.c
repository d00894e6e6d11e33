/* Where cells come from: chunks of the VM's allocator, cut into aligned 64 KiB blocks, cut into cells.
 *
 * Invariants
 *  1. Every byte comes from vm->alloc_fn and is counted in heap.used.
 *  2. The free cells of a block have been carved since it was last swept, or it is heap.carving[class], or in avail[],
 *     or too few for that.
 *  3. A block is in the pool, or serves cells of one class, or buffers of one class.
 */
#include "heap.h"
#include "vm.h"

#if HEAP_ASAN
#include <sanitizer/asan_interface.h>
#endif

void *heap_take_force(vm *vm, size_t n)
{
    void *p = vm->alloc_fn(vm->alloc_ud, NULL, 0, n);
    if (p) vm->heap->used += n;
    return p;
}

void *heap_take(vm *vm, size_t n)
{
    heap *h = vm->heap;
    if (h->limit_hard && (n > h->limit_hard || h->used > h->limit_hard - n)) return NULL;
    void *p = heap_take_force(vm, n);
    if (UNLIKELY(h->limit_soft && h->used > h->soft_next)) {
        h->soft_next = h->used + h->used / 4;
        h->want_full = true;
        gc_request(vm);
    }
    return p;
}

void heap_give(vm *vm, void *p, size_t n)
{
    if (!p) return;
    vm->heap->used -= n;
    vm->alloc_fn(vm->alloc_ud, p, n, 0);
}

/* ---- chunks and the pool ---- */

static bool heap_new_chunk(vm *vm, uint32_t nblocks)
{
    heap *h = vm->heap;
    size_t size = (size_t)(nblocks + 1) * HEAP_BLOCK - 16; /* so many aligned blocks at least, wherever it lies */
    char *mem = heap_take(vm, size);
    if (!mem) return false;
    heap_chunk *c = heap_take(vm, sizeof *c);
    if (!c) {
        heap_give(vm, mem, size);
        return false;
    }
    char *first = (char *)(((uintptr_t)mem + HEAP_BLOCK - 1) & ~(uintptr_t)(HEAP_BLOCK - 1));
    *c = (heap_chunk){.next = h->chunks, .mem = mem, .size = size, .first = first};
    c->room = c->npool = (uint32_t)((size_t)(mem + size - first) / HEAP_BLOCK);
    h->chunks = c;
    h->nblocks += c->room;
    h->npool += c->room;
    return true;
}

/* A block of no class: a used one, else the next one of the newest chunk (the only one that can have any left). */
static heap_block *heap_pool_take(vm *vm)
{
    heap *h = vm->heap;
    heap_block *b = h->pool;
    if (b) {
        h->pool = b->next;
    } else {
        if ((!h->chunks || h->chunks->nblocks == h->chunks->room) &&
            !heap_new_chunk(vm, h->chunks ? HEAP_CHUNK_BLOCKS : HEAP_FIRST_BLOCKS) && !heap_new_chunk(vm, 1))
            return NULL;
        b = heap_chunk_block(h->chunks, h->chunks->nblocks++);
        b->chunk = h->chunks;
    }
    h->npool--;
    b->chunk->npool--;
    return b;
}

heap_block *heap_new_block(vm *vm, unsigned cls, enum block_state state, uint32_t cell)
{
    heap *h = vm->heap;
    heap_block *b = heap_pool_take(vm);
    if (!b) return NULL;
    heap_chunk *c = b->chunk;
    size_t head = state == BLOCK_RAW ? HEAP_RAW_HEAD : HEAP_BLOCK_HEAD;
    memset(b, 0, head);
    b->chunk = c;
    b->cell = cell;
    b->ncells = (uint16_t)((HEAP_BLOCK - head) / cell);
    b->cls = (uint8_t)cls;
    b->state = (uint8_t)state;
    b->swept = h->nsweep;
    return b;
}

void heap_release_block(heap *h, heap_block *b)
{
    b->state = BLOCK_POOL;
    b->carved = 0;
    b->is_touched = b->is_avail = false;
    b->next = h->pool;
    h->pool = b;
    h->npool++;
    b->chunk->npool++;
}

/* Gives chunks back whose blocks are all in the pool: all of them, or those beyond a quarter of the heap, `max` at
 * most: the system takes its time. */
bool heap_release_chunks(vm *vm, bool all, size_t max)
{
    heap *h = vm->heap;
    size_t keep = all ? 0 : h->nblocks / 4 + HEAP_CHUNK_BLOCKS;
    if (!all && h->npool <= keep) return false;
    bool released = false, more = false;
    for (heap_chunk **link = &h->chunks; *link;) {
        heap_chunk *c = *link;
        if (!all && (c->npool < c->room || h->npool < keep + c->room)) {
            link = &c->next;
            continue;
        }
        if (max-- == 0) {
            more = true;
            break;
        }
        *link = c->next;
        h->nblocks -= c->room;
        h->npool -= c->npool;
        heap_give(vm, c->mem, c->size);
        heap_give(vm, c, sizeof *c);
        released = true;
    }
    if (!released) return more;
    h->pool = NULL;
    for (heap_chunk *c = h->chunks; c; c = c->next) {
        for (uint32_t i = c->nblocks; i-- > 0;) {
            heap_block *b = heap_chunk_block(c, i);
            if (b->state != BLOCK_POOL) continue;
            b->next = h->pool;
            h->pool = b;
        }
    }
    return more;
}

/* ---- cells ---- */

static inline heap_cell *heap_free_cell(void *p, heap_cell *next)
{
    heap_cell *cell = p;
    cell->h = (object){.kind = K_FREE};
    cell->next = next;
    return cell;
}

/* The next HEAP_CARVE bytes of a block: what is free of them as a list of cells, in the order of their addresses. */
static heap_cell *heap_carve(heap_block *b, uint32_t *count)
{
    uint32_t size = b->cell, n = HEAP_CARVE / size;
    if (n == 0) n = 1;
    if (n > (uint32_t)b->ncells - b->carved) n = (uint32_t)b->ncells - b->carved;
    char *from = (char *)heap_cell_at(b, b->carved), *p = from + (size_t)n * size;
    b->carved = (uint16_t)(b->carved + n);
    if (b->reached < b->carved) b->reached = b->carved;
    uint64_t old = 0;
    for (uint32_t w = heap_bit_word(from); w <= heap_bit_word(p - 1); w++) old |= b->old[w];
    heap_cell *list = NULL;
    if (old) {
        while (p > from) {
            p -= size;
            if (heap_is_old(b, p)) n--;
            else list = heap_free_cell(p, list);
        }
    } else {
        for (char *end = p, *next = from; (p = next) < end;) {
            next = p + size;
            heap_free_cell(p, (heap_cell *)(void *)next);
        }
        ((heap_cell *)(void *)(p - size))->next = NULL;
        list = (heap_cell *)(void *)from;
    }
    *count = n;
    return list;
}

/* The block of which cells are carved next. NULL: no memory. */
static heap_block *heap_next_block(vm *vm, unsigned cls)
{
    heap *h = vm->heap;
    heap_block *b = h->avail[cls];
    if (b) {
        h->avail[cls] = b->next;
        b->next = NULL;
        b->is_avail = false;
    } else {
        b = heap_new_block(vm, cls, BLOCK_CELLS, heap_class_size(cls));
        if (!b) return NULL;
    }
    b->is_touched = true;
    b->touched = h->touched;
    h->touched = b;
    h->carving[cls] = b;
    return b;
}

/* Puts free cells of the class into *slot. False: no memory (nothing raised). */
bool heap_refill(vm *vm, unsigned cls, heap_cell **slot)
{
    heap *h = vm->heap;
    do {
        heap_block *b = h->carving[cls];
        if (!b && !(b = heap_next_block(vm, cls))) return false;
        uint32_t n;
        *slot = heap_carve(b, &n);
        if (b->carved == b->ncells) h->carving[cls] = NULL;
        h->debt += (int64_t)n * b->cell;
    } while (!*slot); /* what is left of a block may be old */
    return true;
}

/* The sweep that follows makes the cells free again: their blocks are touched. */
void heap_retire_cells(heap *h)
{
    for (unsigned i = 0; i < HEAP_CLASSES; i++) h->free[i] = h->stash[i] = NULL;
}

void heap_set_slow(heap *h, bool slow)
{
    if (h->slow == slow) return;
    h->slow = slow;
    for (unsigned i = 0; i < HEAP_CLASSES; i++) {
        heap_cell *list = h->free[i];
        h->free[i] = h->stash[i];
        h->stash[i] = list;
    }
}

/* ---- the collector's own arrays ---- */

bool heap_vec_push(vm *vm, heap_vec *v, object *o)
{
    if (UNLIKELY(v->n == v->cap)) {
        size_t cap = v->cap ? v->cap * 2 : 64;
        object **p = heap_take_force(vm, cap * sizeof *p);
        if (!p) return false;
        if (v->n) memcpy(p, v->p, v->n * sizeof *p);
        heap_give(vm, v->p, v->cap * sizeof *p);
        v->p = p;
        v->cap = cap;
    }
    v->p[v->n++] = o;
    return true;
}

void heap_vec_drop(vm *vm, heap_vec *v)
{
    heap_give(vm, v->p, v->cap * sizeof *v->p);
    *v = (heap_vec){0};
}
