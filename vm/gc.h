/* The heap: allocation, accounting, the write barrier, roots. The essay is in gc.c.
 *
 * Rules for C code (design section 3)
 *  1. Allocation never collects. Collection happens at safepoints: in anything that can run script
 *     (vm_call, obj_* that may reach a dunder) and in gc_safepoint().
 *  2. So a native may hold raw values until such a call. Around it, keep them alive:
 *         value acc = ..., it = ...;
 *         ROOTS(vm, &acc, &it);      // until the end of the enclosing block; object pointers too
 *     The variables may be assigned to meanwhile. The native's own args[] are rooted by the caller.
 *  3. Never hold a pointer into a list's, dict's, set's or bytearray's storage across such a call.
 *  4. After storing a reference into a heap object o: gc_barrier(vm, o). (Before the next safepoint;
 *     not needed for an object allocated since the last safepoint.)
 *  5. A native that allocates in a loop of unbounded length calls gc_safepoint(vm) now and then.
 *  6. Every allocation may fail: gc_new returns NULL with MemoryError raised.
 */
#ifndef AIO_GC_H
#define AIO_GC_H

#include "object.h"

enum gc_bits {
    GC_MARK = 1,     /* reached in the current cycle, or old (sticky) */
    GC_BARRIER = 2,  /* old and not in the remembered set: a store must remember it */
    GC_LARGE = 4,    /* stands alone, outside the blocks */
    GC_FINALIZE = 8, /* has a finaliser that has not run */
    GC_WEAK = 16,    /* some weakref points here */
    GC_GREY = 32,    /* the heap verifier's, while it is at work */
    GC_CARDS = 64,   /* old, and some of its cards are dirty (it is in the remembered set) */
    GC_EPOCH = 128,  /* with GC_MARK: reached by the last major cycle if it is as in heap.black */
};

/* Zeroed object (but a bigint is not) of `size` bytes (header included), of builtin type/shape `shape`. NULL:
 * MemoryError raised. gc_new_fast (gc_inline.h) is the same, inline, for the hot places. */
void *gc_new(vm *vm, enum object_kind kind, uint32_t shape, size_t size);
void gc_remember(vm *vm, object *o);
static inline void gc_barrier(vm *vm, void *o)
{
    if (UNLIKELY(((object *)o)->gc & GC_BARRIER)) gc_remember(vm, (object *)o);
}

/* An object that was just made becomes old at once: for what a million old objects will refer to, that they need not
 * be remembered for it (gc_barrier_to in gc_inline.h). It lives until a major cycle. */
void gc_tenure(vm *vm, object *o);

/* Cards: a container with more than GC_CARD_MIN bytes of storage keeps one byte per card of it and, when it
 * has GC_BARRIER set, marks the card of a stored reference instead of having itself remembered whole:
 *     if (UNLIKELY(l->h.gc & GC_BARRIER)) gc_remember_card(vm, &l->h, &cards[i / n]);
 * A plain gc_barrier stays right: the object is then traversed whole. References that merely move inside
 * the storage need a gc_barrier only if GC_CARDS is set (else all of them are old). */
enum { GC_CARD_MIN = 4096 };
void gc_remember_card(vm *vm, object *o, uint8_t *card);

/* Accounted buffers: sizes are given back on free. NULL: MemoryError raised (n > 0). mem_realloc of NULL allocates. */
void *mem_alloc(vm *vm, size_t n);
void *mem_zalloc(vm *vm, size_t n);
void *mem_realloc(vm *vm, void *p, size_t old, size_t n);
void *mem_realloc_quiet(vm *vm, void *p, size_t old, size_t n); /* raises nothing: for what may be left out */
void mem_free(vm *vm, void *p, size_t n);
/* Memory that a library has taken from elsewhere for an object of the VM: counts as the VM's, as far as it is known.
 * false: MemoryError raised, nothing counts. */
bool mem_charge(vm *vm, size_t n);
void mem_uncharge(vm *vm, size_t n);
/* Checked size arithmetic: false on overflow (nothing raised); size_array raises MemoryError itself by returning 0. */
static inline bool size_mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool size_add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

/* Rooted local variables, linked through the C stack: cannot fail, unlinked at scope exit. */
typedef struct root_frame {
    struct root_frame *prev;
    vm *owner;
    uint32_t n;
    bool span; /* slots is the first of n consecutive values instead of an array of pointers */
    void *slots;
} root_frame;
static inline void root_frame_pop(root_frame *f); /* both in gc_inline.h */
static inline root_frame **root_frame_head(vm *vm);
#define GC_CAT2(a, b) a##b
#define GC_CAT(a, b)  GC_CAT2(a, b)
#define ROOTS(VM, ...)                                                                                                \
    void *GC_CAT(roots_, __LINE__)[] = {__VA_ARGS__};                                                                 \
    __attribute__((cleanup(root_frame_pop)))                                                                          \
    root_frame GC_CAT(rf_, __LINE__) = {*root_frame_head(VM), (VM), sizeof GC_CAT(roots_, __LINE__) / sizeof(void *), \
                                        false, GC_CAT(roots_, __LINE__)};                                             \
    *root_frame_head(VM) = &GC_CAT(rf_, __LINE__)
/* The same for n consecutive values. */
#define ROOT_SPAN(VM, PTR, N)                                                                            \
    __attribute__((cleanup(root_frame_pop)))                                                             \
    root_frame GC_CAT(rf_, __LINE__) = {*root_frame_head(VM), (VM), (uint32_t)(N), true, (void *)(PTR)}; \
    *root_frame_head(VM) = &GC_CAT(rf_, __LINE__)

void gc_safepoint(vm *vm);    /* collects if it is due (or always, in the stress build); runs finalisers */
void gc_collect_full(vm *vm); /* gc.collect(): complete when it returns, finalisers and weakref callbacks run */
bool gc_verify(vm *vm);       /* heap verifier: describes what is wrong on stderr and traps; true: all is well */
void gc_register_finalizer(vm *vm, object *o); /* o gets its type's finaliser when unreachable */
bool gc_register_dying(vm *vm, object *o);     /* at most once per object; false: raised */

/* Per-kind operations, registered at open. */
typedef struct gc_kind_ops {
    void (*traverse)(vm *, object *); /* calls gc_mark_value on each reference; NULL: no references */
    void (*free)(vm *, object *);     /* releases buffers, looks at no other object; NULL: nothing */
    /* Containers with cards: visits the references in dirty cards (mark: calls gc_mark_value on them) and
     * cleans these cards. NULL: the kind has no cards. */
    void (*cards)(vm *, object *, bool mark);
    /* Kinds whose objects may hold very many references: visits about n of them in a slice of a major cycle, from *at
     * on, which is 0 for the first part; false: all are visited. What moves references inside of such an object
     * meanwhile runs its barrier, and new ones are found by cards. NULL: traverse is called. (Attribute slots are the
     * collector's affair.) */
    bool (*traverse_part)(vm *, object *, size_t *at, size_t n);
    /* What a registered object of this kind does when it is found unreachable, at a safepoint; may run
     * script. Runs after the type's __del__. NULL: nothing but that. */
    void (*finalize)(vm *, value);
    /* Objects passed to gc_register_dying: called when it is found dead, before anything is freed. Here another
     * object may be touched if gc_is_alive; allocates nothing, runs no script. */
    void (*dying)(vm *, object *);
    /* Not every object of the kind needs its free function: gc_note_parts says which. Whoever makes objects with
     * gc_new_fast must tell it in any case. */
    bool tells_parts;
} gc_kind_ops;
void gc_register_kind(vm *vm, enum object_kind kind, const gc_kind_ops *ops);
/* From now on o has something that its kind's free function gives back. Without that, dead objects are not looked at.
 */
static inline void gc_note_parts(object *o); /* in gc_inline.h */
void gc_mark_obj(vm *vm, object *o);         /* o may be NULL */
static inline void gc_mark_value(vm *vm, value v)
{
    if (value_is_obj(v)) gc_mark_obj(vm, value_as_obj(v));
}
void gc_mark_values(vm *vm, const value *p, size_t n);
/* The same for references that lie in o, of which there may be very many, and most are old. */
void gc_mark_many(vm *vm, object *o, const value *p, size_t n);
void gc_mark_slots(vm *vm, object *o, value *slots); /* instance slots: count comes from o's shape */

typedef void (*gc_roots_fn)(vm *, void *ud);
/* More roots than struct vm has: fn runs in every cycle and calls gc_mark_*. false: raised. */
bool gc_add_roots(vm *vm, gc_roots_fn fn, void *ud);
void gc_remove_roots(vm *vm, gc_roots_fn fn, void *ud);
/* For what the collector calls when it has marked: does it live on? */
bool gc_is_alive(const vm *vm, const object *o);
bool gc_is_condemned(const vm *vm, const object *o); /* between cycles: such an object must not be given out */

/* For the module gc, sys and the tests. */
void gc_set_enabled(vm *vm, bool on);
bool gc_is_enabled(vm *vm);
size_t gc_size_of(const object *o);                                    /* bytes of its cell, without its buffers */
void gc_each_object(vm *vm, void (*fn)(void *ud, object *), void *ud); /* fn must not allocate objects */
void gc_each_reference(vm *vm, object *o, void (*fn)(void *ud, object *), void *ud);
void gc_collect_minor(vm *vm); /* runs no finaliser: for tests */
/* the same for a step of an incremental cycle; begins one when there is none */
void gc_collect_slice(vm *vm, size_t work);
bool gc_has_finalizers(vm *vm); /* is anything but files registered, or a callback waiting for its end? */
void gc_finalize_all(vm *vm);   /* at exit: every registered finaliser runs, reachable or not */
/* after an uncatchable end: no __del__ and no weakref callback runs any more */
void gc_scripts_off(vm *vm);
typedef struct gc_stats {
    size_t used, live, buffers; /* bytes: from the allocator; live after the last cycle; buffers now */
    uint64_t minors, majors, freed, freed_last;
    uint64_t slices;               /* steps of incremental major cycles */
    uint64_t pause_ns, longest_ns; /* CPU time of all pauses together, and of the longest */
} gc_stats;
void gc_get_stats(vm *vm, gc_stats *out);
void gc_set_limits(vm *vm, size_t soft, size_t hard); /* bytes; 0: none */
/* Fault injection: the n-th allocation from now fails (sticky: and all after it); 0 turns it off.
 * Returns how many allocations were counted since the last call. */
uint64_t gc_fail_at(vm *vm, uint64_t n, bool sticky);

typedef struct heap heap;
bool gc_open(vm *vm);
void gc_free_objects(vm *vm); /* the VM ends: every object's free function, no script */
void gc_close(vm *vm);        /* after that and when the last buffer is freed: the memory itself */

#endif
