/* arena.h: a bump allocator for everything that one parse produces.
 *
 * Memory comes in blocks from the caller's allocator, which may refuse; then arena_alloc returns
 * NULL and `failed` stays set, so code that builds a tree may check once, at the end. Nothing is
 * freed before arena_free.
 */
#ifndef AIOVM_GRAMMAR_ARENA_H
#define AIOVM_GRAMMAR_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/* realloc-like: `ptr` NULL allocates, `new_size` 0 frees. Returns NULL when it refuses. */
typedef void *(*arena_alloc_fn)(void *ud, void *ptr, size_t old_size, size_t new_size);

struct arena_block;

typedef struct arena {
    arena_alloc_fn fn;
    void *ud;
    struct arena_block *blocks; /* newest first */
    char *cur, *lim;            /* free space of the newest block */
    size_t total;               /* bytes taken from the allocator */
    bool failed;
} arena;

/* `fn` NULL means malloc and free. */
void arena_init(arena *a, arena_alloc_fn fn, void *ud);
void arena_free(arena *a);

/* `size` bytes aligned to 8, not zeroed; NULL when the allocator refuses. */
void *arena_alloc(arena *a, size_t size);
/* The same for n items of `item` bytes after a header of `head` bytes, the product checked. */
void *arena_alloc_array(arena *a, size_t head, size_t n, size_t item);
/* Grows an allocation, in place when it is the newest one; the old contents are kept. */
void *arena_grow(arena *a, void *old, size_t old_size, size_t new_size);

#endif
