/* The heap's own structures: blocks, size classes, accounting, collector state.
 *
 * Only gc*.c, heap*.c and the inline allocation path (gc_inline.h) look inside. The essay, with the
 * invariants, is at the head of gc.c.
 */
#ifndef AIO_HEAP_H
#define AIO_HEAP_H

#include "gc.h"

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_ASAN 1
#endif
#endif
#ifndef HEAP_ASAN
#define HEAP_ASAN 0
#endif

#ifdef AIOVM_GC_STRESS
#define HEAP_ALWAYS_SLOW 1 /* every allocation passes gc_new: it is counted, or unpoisoned */
#else
#define HEAP_ALWAYS_SLOW HEAP_ASAN
#endif

enum {
    HEAP_BLOCK = 64 * 1024,                  /* bytes of a block, and its alignment */
    HEAP_BLOCK_WORDS = HEAP_BLOCK / 16 / 64, /* of a bitmap with a bit for every 16 bytes of a block */
    HEAP_CHUNK_BLOCKS = 16,                  /* blocks asked of the allocator at once, except the first time */
    HEAP_FIRST_BLOCKS = 4,
    HEAP_FINE_MAX = 512, /* up to here a size class every 16 bytes */
    HEAP_FINE = HEAP_FINE_MAX / 16 + 1,
    HEAP_CELL_MAX = 8192, /* up to here four classes per doubling; beyond: large objects */
    HEAP_CLASSES = HEAP_FINE + 16,
    HEAP_CARVE = 4096,                  /* what is free in a block becomes a list of cells by so many bytes */
    HEAP_RAW_MAX = HEAP_ASAN ? 0 : 512, /* buffers up to here come from blocks, too */
    HEAP_RAW_CLASSES = 512 / 16 + 1,
    HEAP_RING = 8,      /* depth of the prefetch queue in front of the grey stack */
    VM_ROOT_CHUNK = 63, /* vm_root_slot: values per chunk, after the link */
};

/* A free cell: an object header of kind K_FREE, then the link. */
typedef struct heap_cell {
    object h;
    struct heap_cell *next;
} heap_cell;

/* Where an incremental major cycle stands. */
enum gc_phase { GC_IDLE, GC_MARKING, GC_SWEEPING };

enum block_state { BLOCK_POOL, BLOCK_CELLS, BLOCK_RAW };

typedef struct heap_block {
    struct heap_block *next;    /* in the pool, in a class's `avail`, or among the raw blocks with room */
    struct heap_block *prev;    /* raw blocks only */
    struct heap_block *touched; /* next one that may hold young objects, or that is unswept */
    struct heap_chunk *chunk;
    heap_cell *free; /* raw blocks only: free buffers, linked through `next` */
    uint32_t cell;   /* bytes of a cell */
    uint32_t swept;  /* number of the major cycle that it was last swept for, or made in */
    uint16_t ncells;
    uint16_t carved;  /* cells before this one that are not old were made free cells since the last sweep */
    uint16_t reached; /* cells from this one on have never been used */
    uint16_t live;    /* cells in use as of the last sweep; raw: now */
    uint8_t cls, state;
    bool is_touched : 1, is_avail : 1;
    bool is_unswept : 1; /* what is not marked in it died in the last minor cycle */
    /* Blocks of cells only. A bit for every 16 bytes; that of a cell is the one of its first. */
    uint64_t old[HEAP_BLOCK_WORDS];   /* it holds an old object (GC_MARK) */
    uint64_t parts[HEAP_BLOCK_WORDS]; /* it holds an object whose free function must be called */
} heap_block;
enum { HEAP_BLOCK_HEAD = sizeof(heap_block), HEAP_RAW_HEAD = offsetof(heap_block, old) };
_Static_assert(HEAP_RAW_HEAD == 64 && HEAP_BLOCK_HEAD % 16 == 0, "cells and buffers are aligned");

typedef struct heap_chunk {
    struct heap_chunk *next;
    void *mem; /* what the allocator gave */
    size_t size;
    char *first;      /* its first aligned block */
    uint32_t room;    /* blocks it can hold */
    uint32_t nblocks; /* of which have been made; the others' memory was never touched */
    uint32_t npool;   /* blocks in the pool or still to be made */
} heap_chunk;

/* In front of every large object, which lies at an odd multiple of 8: so its address tells that it is in no block. */
typedef struct heap_large {
    void *mem;    /* what the allocator gave */
    size_t size;  /* of the object */
    size_t total; /* of the allocation */
} heap_large;

/* A growable array outside of the limits: the collector must work when memory is short. */
typedef struct heap_vec {
    object **p;
    size_t n, cap;
} heap_vec;

typedef struct heap_root_fn {
    void (*fn)(vm *, void *);
    void *ud;
} heap_root_fn;

struct heap {
    heap_cell *free[HEAP_CLASSES];     /* the inline allocation path takes from here */
    heap_cell *stash[HEAP_CLASSES];    /* the same while `slow` keeps that path out */
    heap_block *carving[HEAP_CLASSES]; /* the one block of a class that is not wholly carved */
    heap_block *avail[HEAP_CLASSES];   /* swept blocks with room */
    heap_block *touched;               /* blocks that may hold young objects */
    heap_block *unswept;               /* what a minor cycle left to gc_sweep_young_some */
    heap_block *pool;                  /* blocks of no class; when it is empty, new ones of the first chunk */
    heap_block *raw[HEAP_RAW_CLASSES]; /* raw blocks with room */
    heap_chunk *chunks;
    size_t nblocks, npool;
    heap_vec large; /* large objects; [0, nlarge_old) are old */
    size_t nlarge_old;

    /* accounting, in bytes */
    size_t used;                      /* all that was taken from the allocator */
    size_t limit_soft, limit_hard;    /* 0: none */
    size_t soft_next;                 /* `used` that asks for the next full collection */
    size_t cell_bytes;                /* live cells, as of the last sweep */
    size_t large_bytes, buffer_bytes; /* large objects and buffers, now */
    int64_t debt;                     /* allocated since the last cycle */
    int64_t debt_limit;
    int64_t nursery;         /* bytes to allocate from one minor cycle to the next */
    int64_t minor_at;        /* debt that makes a minor cycle due; debt_limit may be a step before */
    size_t live, live_major; /* after the last cycle; after the last major one */
    bool slow;               /* every allocation takes the slow path */
    uint64_t fail_in;        /* fault injection: the n-th allocation from now fails; 0: off */
    bool fail_sticky;        /* and all after it */
    uint64_t nallocs;        /* counted while `slow`: gc_fail_at gives it out */
    uint64_t nallocs_cycle;  /* the same since the last collection of the stress build */

    /* the collector */
    bool due, want_full, disabled, collecting, major, running, scripts_off;
    bool grey_lost;      /* an object is marked but could not be pushed: rescan */
    bool remember_lost;  /* the remembered set is incomplete: the next cycle is a major one */
    uint32_t nonce;      /* stress build: number of the cycle */
    uint64_t leaf_kinds; /* bit k: objects of kind k hold no references */
    uint64_t free_kinds; /* bit k: objects of kind k need their free function from birth */
    uint8_t phase;       /* enum gc_phase */
    uint8_t black;       /* GC_MARK and the current GC_EPOCH */
    uint8_t alive_mask;  /* these bits of the living are as in `black` */
    bool old_only;       /* a slice is marking: young objects are left alone */
    bool skip_old;       /* gc_mark_obj does not look at what has a bit in block.old */
    bool slicing;        /* gc_drain_old is at work */
    size_t put_off;      /* references that this major cycle has left to slices so far */
    bool finishing;      /* gc_drain drains grey_old, too */
    bool marked_out;     /* nothing was grey after the last slice: the next cycle may finish */
    uint8_t attempts;    /* to finish that found too much still to be marked */
    bool releasing;      /* chunks are still to be given back */
    uint32_t nsweep;     /* number of the major cycle, for heap_block.swept */
    heap_vec grey_old;   /* old objects that the major cycle has to trace */
    object *part;        /* the long list or tuple that is being traced in parts, from item part_at on */
    size_t part_at;
    heap_vec suspects;         /* taken out of fin[]: not reached when looked at */
    size_t fin_kept, fin_seen; /* fin[0, kept) stay; [kept, seen) are holes; the rest is to be looked at */
    heap_chunk *sweep_chunk;   /* the sweep goes on here */
    uint32_t sweep_block;
    uint32_t nshapes_full; /* shapes after the last full cycle */
    object *ring[HEAP_RING];
    uint64_t nrefs; /* references visited: the measure of work */
    heap_vec grey;
    heap_vec remembered;
    void (*visit)(void *ud, object *); /* set: gc_mark_obj reports instead of marking */
    void *visit_ud;
    heap_vec fin; /* registered finalisers; [0, nfin_old) of old objects */
    size_t nfin_old;
    heap_vec dying; /* objects whose kind wants to know of their death */
    size_t ndying_old;
    heap_vec finq; /* due finalisers, from finq_head on: roots */
    size_t finq_head;
    heap_root_fn *root_fns;
    size_t nroot_fns, caproot_fns;

    /* figures for gc.get_stats and the tests */
    uint64_t nminor, nmajor, freed, freed_last, finalized, nslices, pause_ns, longest_ns;
};

/* The class of a size in (0, HEAP_CELL_MAX], and back. */
static inline unsigned heap_class(size_t size)
{
    if (size <= HEAP_FINE_MAX) return (unsigned)((size + 15) >> 4);
    unsigned top = 63 - (unsigned)__builtin_clzll(size - 1);
    return HEAP_FINE + (top - 9) * 4 + (unsigned)((size - 1) >> (top - 2) & 3);
}
static inline uint32_t heap_class_size(unsigned cls)
{
    if (cls < HEAP_FINE) return cls * 16;
    unsigned k = cls - HEAP_FINE;
    return (5 + (k & 3)) << (k / 4 + 7);
}
static inline heap_block *heap_block_of(const void *p)
{
    return (heap_block *)((uintptr_t)p & ~(uintptr_t)(HEAP_BLOCK - 1));
}
static inline object *heap_cell_at(heap_block *b, uint32_t i)
{
    return (object *)(void *)((char *)b + HEAP_BLOCK_HEAD + (size_t)i * b->cell);
}
/* The bit of a cell in its block's bitmaps: word and mask. */
static inline uint32_t heap_bit_word(const void *cell) { return ((uint32_t)(uintptr_t)cell & (HEAP_BLOCK - 1)) >> 10; }
static inline uint64_t heap_bit(const void *cell) { return UINT64_C(1) << ((uintptr_t)cell >> 4 & 63); }
static inline object *heap_bit_cell(heap_block *b, uint32_t word, uint64_t bits) /* of the lowest bit */
{
    return (object *)(void *)((char *)b + ((size_t)word * 64 + (size_t)__builtin_ctzll(bits)) * 16);
}
static inline bool heap_is_old(const heap_block *b, const void *cell)
{
    return b->old[heap_bit_word(cell)] & heap_bit(cell);
}
static inline uint32_t heap_count_old(const heap_block *b)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < HEAP_BLOCK_WORDS; w++) {
        if (b->old[w]) n += (uint32_t)__builtin_popcountll(b->old[w]);
    }
    return n;
}
/* Is cell i an object's? Others are free, or were freed when their block was swept: their headers say nothing. */
static inline bool heap_is_object(const heap_block *b, const object *o, uint32_t i)
{
    return heap_is_old(b, o) || (i < b->carved && o->kind != K_FREE);
}
static inline bool heap_in_block(const object *o) { return !((uintptr_t)o & 8); }
static inline void heap_set_old(object *o)
{
    if (!(o->gc & GC_LARGE)) heap_block_of(o)->old[heap_bit_word(o)] |= heap_bit(o);
}
/* Survives the sweep: marked, and where a major cycle has said so, reached by it. */
static inline bool heap_survives(const heap *h, const object *o) { return ((o->gc ^ h->black) & h->alive_mask) == 0; }
/* Dead, and no longer looked at by anyone: waits for the sweep. */
static inline bool heap_is_condemned(const heap *h, const object *o)
{
    if (o->gc & GC_MARK) return h->phase == GC_SWEEPING && !heap_survives(h, o);
    return !(o->gc & GC_LARGE) && heap_block_of(o)->is_unswept;
}
static inline heap_large *heap_large_of(object *o) { return (heap_large *)(void *)o - 1; }
static inline heap_block *heap_chunk_block(heap_chunk *c, uint32_t i)
{
    return (heap_block *)(void *)(c->first + (size_t)i * HEAP_BLOCK);
}

/* heap_blocks.c */
/* from the VM's allocator, within the hard limit; NULL: nothing raised */
void *heap_take(vm *vm, size_t n);
void *heap_take_force(vm *vm, size_t n); /* the same outside of the limit, for the collector */
void heap_give(vm *vm, void *p, size_t n);
bool heap_refill(vm *vm, unsigned cls, heap_cell **slot);
heap_block *heap_new_block(vm *vm, unsigned cls, enum block_state state, uint32_t cell);
void heap_release_block(heap *h, heap_block *b);
bool heap_release_chunks(vm *vm, bool all, size_t max); /* true: there are more to be released */
void heap_retire_cells(heap *h);                        /* forget the free lists before a sweep rebuilds them */
bool heap_vec_push(vm *vm, heap_vec *v, object *o);
void heap_vec_drop(vm *vm, heap_vec *v);
void heap_set_slow(heap *h, bool slow);

/* heap_mem.c */
bool heap_fault(heap *h); /* fault injection: must this allocation fail? */
void gc_request(vm *vm);  /* a cycle at the next safepoint */

/* gc_mark.c */
void gc_mark_roots(vm *vm);
void gc_mark_remembered(vm *vm);
void gc_drain(vm *vm);                  /* until nothing is grey */
void gc_forget_marks(vm *vm);           /* a full cycle begins: all objects white */
uint64_t gc_count_objects(vm *vm);      /* while nothing is condemned */
bool gc_drain_old(vm *vm, size_t work); /* false: the work is done and something is still grey */

/* gc_slice.c */
void gc_begin(vm *vm);              /* just after a minor cycle */
bool gc_slice(vm *vm, size_t work); /* true: the time has come for a cycle that ends the phase */
bool gc_finish_marking(vm *vm);     /* in a minor cycle: true if it has become the end of marking */
bool gc_unfinish_marking(vm *vm);   /* true: it was not the end after all, memory was short */
void gc_end_sweeping(vm *vm);       /* after a minor cycle */
void gc_abandon(vm *vm);            /* a full cycle takes over */

/* gc_sweep.c */
void gc_sweep(vm *vm);
void gc_leave_unswept(vm *vm);                   /* instead, in a minor cycle: blocks wait for gc_sweep_young_some */
void gc_sweep_young_some(vm *vm, size_t wanted); /* blocks until that many bytes of cells are free */
void gc_condemn(vm *vm);                         /* the unreached are dead: their blocks wait for gc_sweep_some */
bool gc_sweep_some(vm *vm, size_t work);         /* false: all blocks are swept */
void gc_sweep_all_at_close(vm *vm);

/* gc_final.c */
bool gc_queue_finalizers(vm *vm, bool all);      /* after marking: false when nothing was resurrected */
bool gc_suspect_finalizers(vm *vm, size_t work); /* in slices, before that: false when all were looked at */
void gc_restore_suspects(vm *vm);
void gc_tell_dying(vm *vm, bool all);
bool gc_queues_pending(vm *vm);
bool gc_run_queues(vm *vm); /* finalisers and weakref callbacks; true if any ran */

#endif
