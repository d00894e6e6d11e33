/* arena.c: the bump allocator of arena.h.
 *
 * Blocks grow with what is used already, so a parse of any size takes few of them; an allocation
 * larger than a block gets one of its own size.
 */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_ALIGN = 8, ARENA_MIN_BLOCK = 4096, ARENA_MAX_BLOCK = 1 << 20 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* with this header */
};

static void *libc_alloc(void *ud, void *ptr, size_t old_size, size_t new_size)
{
    (void)ud;
    (void)old_size;
    if (new_size) return realloc(ptr, new_size);
    free(ptr);
    return NULL;
}

void arena_init(arena *a, arena_alloc_fn fn, void *ud) { *a = (arena){.fn = fn ? fn : libc_alloc, .ud = ud}; }

void arena_free(arena *a)
{
    for (struct arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        a->fn(a->ud, b, b->size, 0);
    }
    a->blocks = NULL;
    a->cur = a->lim = NULL;
    a->total = 0;
    a->failed = false;
}

static void *new_block(arena *a, size_t size)
{
    size_t block = a->total / 2;
    if (block < ARENA_MIN_BLOCK) block = ARENA_MIN_BLOCK;
    if (block > ARENA_MAX_BLOCK) block = ARENA_MAX_BLOCK;
    size_t need = size + sizeof(struct arena_block);
    if (block < need) block = need;
    struct arena_block *b = a->fn(a->ud, NULL, 0, block);
    if (!b) {
        a->failed = true;
        return NULL;
    }
    b->size = block;
    b->next = a->blocks;
    a->blocks = b;
    a->total += block;
    char *p = (char *)(b + 1);
    a->cur = p + size;
    a->lim = (char *)b + block;
    return p;
}

void *arena_alloc(arena *a, size_t size)
{
    if (size > SIZE_MAX / 2) {
        a->failed = true;
        return NULL;
    }
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (size <= (size_t)(a->lim - a->cur) && a->cur) {
        void *p = a->cur;
        a->cur += size;
        return p;
    }
    return new_block(a, size);
}

void *arena_alloc_array(arena *a, size_t head, size_t n, size_t item)
{
    size_t size;
    if (__builtin_mul_overflow(n, item, &size) || __builtin_add_overflow(size, head, &size)) {
        a->failed = true;
        return NULL;
    }
    return arena_alloc(a, size);
}

void *arena_grow(arena *a, void *old, size_t old_size, size_t new_size)
{
    size_t rounded = (old_size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (old && (char *)old + rounded == a->cur && new_size >= old_size &&
        new_size - old_size <= (size_t)(a->lim - a->cur)) {
        size_t more = (new_size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
        if (more - rounded <= (size_t)(a->lim - a->cur)) {
            a->cur += more - rounded;
            return old;
        }
    }
    void *p = arena_alloc(a, new_size);
    if (p && old) memcpy(p, old, old_size < new_size ? old_size : new_size);
    return p;
}
