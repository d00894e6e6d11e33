/* The collector: when it runs, what it starts from, what it does around marking and sweeping.
 *
 * An essay on the heap
 *
 * Objects lie in cells of 64 KiB blocks, one size class per block (heap_blocks.c); what is larger than 8 KiB
 * stands alone. Nothing ever moves. What is free in a block is carved into free cells a few KiB at a time, and
 * every class has one list of free cells, from which gc_new_fast pops. Buffers (list items, dict tables, string
 * data) are no objects: they belong to one and are freed with it (heap_mem.c).
 *
 * Collection is generational with sticky mark bits. A cycle marks what is reachable and frees the rest; the
 * survivors keep their mark, and are thereby old. A minor cycle starts with these marks in place: it traces
 * the roots and the old objects that were written to since (the remembered set), and never looks behind a
 * mark; then it sweeps only the blocks that were allocated from since the last cycle. A major cycle takes all
 * marks off first (a full cycle: gc.collect(), the soft limit), or is made in slices.
 *
 * The dead are not looked at. A block has two bitmaps: `old` says where marked objects begin, `parts` where there is an
 * object with something to free. To sweep a block is to call the free functions of what is in `parts` and not in `old`,
 * and to count the bits of `old`; all else in it is free. A cell is written to again when it is carved, just before
 * it is used: it comes into the cache once for both. Between two sweeps, what lies before `carved` in a block and
 * is not old is a free cell (K_FREE) or a young object; behind it is only what is old, and memory that says nothing.
 * The mark is in the header as well, for the barrier and for marking, which have the object at hand.
 *
 * Major cycles in slices (gc_slice.c). GC_EPOCH, next to GC_MARK, tells white from black among the old. A cycle
 * begins just after a minor one, when all that lives is old and black: the meaning of the bit is turned over, so
 * that all old objects are white without being touched. What the roots refer to becomes grey, and slices at
 * safepoints trace grey objects. Minor cycles go on between the slices, with one difference: an old white object
 * that they meet becomes grey. What survives its first cycle becomes old and black at once, having been traced.
 * This is incremental update, and the barrier is the one that minor cycles need: a store into an old object
 * remembers it, and the next minor cycle traces what is remembered again, the young and the white alike. So a
 * reference that the program moved from a white object to a black one is found; registers and other roots, which
 * have no barrier, are looked at in every minor cycle. A suspended frame does not change; the interpreter
 * remembers it when it leaves it. Nothing old is freed meanwhile.
 * When slices find nothing grey, the next minor cycle traces what it met to the end, and if that is little (it is,
 * but for what happened since the last minor cycle) all that is still white is dead: this cycle also does what
 * follows marking, for all. The dead are condemned, no more, and blocks are swept in slices; a touched block by the
 * minor cycle that comes first. Cells that are free already wait in their blocks until these are swept.
 * In such a cycle all shapes are roots, and with them types; classes die in full cycles, which come when shapes
 * have doubled. So slices need not empty inline caches.
 *
 * Allocation never collects: it adds to the debt, and when that passes its limit, asks for a cycle at the
 * next safepoint. So C code holds raw references until it calls something that may run script.
 *
 * What happens in a cycle, in order:
 *     free lists are forgotten; roots and remembered objects are marked; weak references to the unmarked
 *     are cleared; unmarked objects with a finaliser are queued, marked with all they reach; the weak tables
 *     (interned strings, method cache) forget the unmarked; these are swept.
 * After it, outside of the collector but still at the safepoint, the queued finalisers run, once each, then
 * the callbacks of cleared weak references.
 *
 * Invariants
 *  1. Between cycles: GC_MARK set = old; clear = allocated since the last minor or full cycle. An object in a block has
 *     its bit in block.old if and only if it has GC_MARK. A free cell that was carved has kind K_FREE.
 *  2. An old object that may refer to a young one is in the remembered set, whole (GC_BARRIER clear) or by
 *     card (GC_CARDS set). Exempt are the frames that are on some thread's chain: they are roots.
 *  3. Young objects are only in blocks on the `touched` list and in large[nlarge_old..].
 *  4. A cell belongs to exactly one of: a live object, a list in free[] or stash[] (its block is touched then), the
 *     uncarved part of its block.
 *  5. Types and shapes die in full cycles only, and every full cycle empties the inline caches of the code
 *     it reaches and the method cache. So a cache may compare shape ids and hold what a class holds. Caches that
 *     compare names, which are interned strings, are emptied in any cycle in which one of these died.
 *  6. An object with GC_FINALIZE is in fin[]; one that waits for its finaliser is in finq[], a root, with
 *     GC_FINALIZE clear.
 *  7. Neither traverse nor free functions allocate objects or run script; free touches no other object.
 *  8. used = all bytes taken from the VM's allocator and not given back.
 *  9. While a major cycle marks, an old black object that is not grey refers to no old white one, unless it is in the
 *     remembered set or is a frame on some thread's chain.
 * 10. While it sweeps, no object that lives and no table refers to a condemned one (GC_MARK, other epoch).
 * 11. An object of which the free function must be called has its bit in block.parts, and no other cell has.
 * 12. What is unmarked in an unswept block is dead; nothing is allocated there, and no object that lives and no table
 *     refers to it. No block is unswept while a major cycle sweeps.
 */
#include "gc.h"

#include <time.h>

#include "attr.h"
#include "code.h"
#include "frame.h"
#include "heap.h"
#include "shape.h"
#include "str.h"
#include "weakref.h"

enum {
    DEBT_MIN = 1 << 20,      /* a minor cycle after so many bytes at least: they stay in the cache */
    DEBT_MAX = 16 << 20,     /* and at most, if a quarter of the live heap is more; all of it may survive */
    GROWTH_MIN = 8 << 20,    /* a major one when the old objects have doubled and grown by this */
    DISABLED_MIN = 64 << 20, /* gc.disable(): collect all the same at twice the live heap plus this */
    PAUSE_WORK = 1 << 17,    /* a minor cycle that visits more references than this makes the next come sooner */
    BYTES_PER_REF = 64,      /* of what was allocated: an eighth has survived, or next to nothing */
    BYTES_PER_ROOT = 128,    /* to be allocated at least: many roots are looked at more seldom */
    SLICE_WORK = 1 << 14,    /* references visited by a slice: about a millisecond when all misses the cache */
    SWEEP_AHEAD = 640 << 10, /* bytes of young cells that a slice makes free: more than it takes to the next one */
    SLICE_STEP = 512 << 10,  /* bytes allocated between two slices: marking 1 MiB takes one or two */
    SHAPES_MIN = 4096,       /* a full cycle when the shapes have doubled and grown by this */
    FULL_ROUNDS = 10,        /* finalisers may make garbage with finalisers: so often at most */
};

static size_t heap_live(const heap *h) { return h->cell_bytes + h->large_bytes + h->buffer_bytes; }

/* How much to allocate before the next minor cycle, after one that visited `work` references beyond the roots, `all`
 * with them. The longer the way, the more has died of what is in use only for a while; but a short way stays in the
 * cache, and is enough where nearly all dies at once. */
static void gc_adapt_nursery(heap *h, uint64_t all, uint64_t work)
{
    size_t quarter = h->live / 4;
    int64_t max = quarter < DEBT_MIN ? DEBT_MIN : quarter > DEBT_MAX ? DEBT_MAX : (int64_t)quarter;
    int64_t survived = (int64_t)work * BYTES_PER_REF;
    if (all > PAUSE_WORK || survived < h->nursery / 128) h->nursery /= 2;
    else if (survived > h->nursery / 8) h->nursery *= 2;
    int64_t min = (int64_t)(all - work) * BYTES_PER_ROOT;
    if (min > max) min = max;
    if (h->nursery > max) h->nursery = max;
    if (h->nursery < min) h->nursery = min;
    if (h->nursery < DEBT_MIN) h->nursery = DEBT_MIN;
}

/* Is there anything for gc_advance to do before the next minor cycle? */
static bool gc_has_slices(const heap *h) { return h->phase != GC_IDLE || h->unswept; }

/* May a minor cycle leave its sweep to slices? A short nursery is in the cache and soon swept; near a limit the memory
 * is wanted at once. */
static bool gc_may_leave_unswept(const heap *h)
{
    if (h->phase == GC_SWEEPING || h->limit_soft || h->limit_hard || h->disabled) return false;
#ifdef AIOVM_GC_STRESS
    return h->nonce & 128; /* with the slices; else what is freed is poisoned at once */
#else
    return h->nursery > DEBT_MIN;
#endif
}

/* After a cycle, or a change of limits: when is the next one due? */
static void gc_set_goal(heap *h)
{
    h->debt_limit = h->nursery;
    if (h->limit_soft && h->used < h->limit_soft) {
        /* Close to the limit the steps get shorter, so that garbage does not carry us over it. */
        size_t room = h->limit_soft - h->used;
        if ((size_t)h->debt_limit > room / 2 + 65536) h->debt_limit = (int64_t)(room / 2 + 65536);
    }
    h->soft_next = h->limit_soft > h->used ? h->limit_soft : h->used + h->used / 4;
    h->minor_at = h->debt_limit;
    if (gc_has_slices(h) && h->debt_limit > SLICE_STEP) h->debt_limit = SLICE_STEP;
}

static bool gc_full_is_due(const heap *h) { return h->want_full || h->remember_lost; }

static bool gc_major_is_due(const heap *h)
{
    size_t base = h->live_major;
    size_t goal = base * 2 > base + GROWTH_MIN ? base * 2 : base + GROWTH_MIN;
    return h->live > goal;
}

static uint64_t gc_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void gc_pause_ends(heap *h, uint64_t began)
{
    uint64_t ns = gc_clock() - began;
    h->pause_ns += ns;
    if (ns > h->longest_ns) h->longest_ns = ns;
}

static void gc_cycle(vm *vm, bool full)
{
    heap *h = vm->heap;
    uint64_t began = gc_clock(), refs = h->nrefs;
    h->collecting = true;
    gc_sweep_young_some(vm, SIZE_MAX);
    h->major = full;
    heap_retire_cells(h);
    uint64_t before = 0;
    if (full) {
        gc_abandon(vm);
        before = gc_count_objects(vm);
        gc_forget_marks(vm);
    }
    gc_mark_roots(vm);
    uint64_t beyond = h->nrefs;
    gc_mark_remembered(vm);
    gc_drain(vm);
    if (!full) gc_adapt_nursery(h, h->nrefs - refs, h->nrefs - beyond);
    bool ends = gc_finish_marking(vm);
    weakref_clear_dead(vm, !full && !ends);
    if (gc_queue_finalizers(vm, full || ends)) gc_drain(vm);
    h->finishing = false;
    if (ends && UNLIKELY(gc_unfinish_marking(vm))) ends = false;
    gc_tell_dying(vm, full || ends);
    /* these caches name strings, and hold what classes do */
    if (interned_sweep(vm, !full && !ends) || full) type_cache_flush(vm);
    h->freed_last = 0;
    if (ends) gc_condemn(vm);
    bool later = !full && !ends && gc_may_leave_unswept(h);
    if (later) gc_leave_unswept(vm);
    else gc_sweep(vm);
    if (full) h->freed_last = before - gc_count_objects(vm);
    h->freed += h->freed_last;
    if (full) {
        h->nmajor++;
        h->remember_lost = false;
        shape_recycle_ids(vm);
        heap_release_chunks(vm, false, SIZE_MAX);
        h->nshapes_full = vm->nshapes;
    } else {
        h->nminor++;
        gc_end_sweeping(vm);
    }
    h->debt = 0;
    if (!h->unswept) h->live = heap_live(h); /* else it is known when all is swept */
    if (full) {
        h->live_major = h->live;
        h->want_full = false;
    } else if (h->phase == GC_IDLE && gc_major_is_due(h)) {
        if (vm->nshapes > h->nshapes_full * 2 + SHAPES_MIN) h->want_full = true;
        else gc_begin(vm);
    }
    if (later) gc_sweep_young_some(vm, SWEEP_AHEAD);
    h->due = false;
    h->collecting = false;
    gc_set_goal(h);
    __atomic_and_fetch(&vm->pending, ~VMP_GC, __ATOMIC_RELAXED);
    /* memory for the collector's own lists was short, or classes have become many */
    if (h->want_full) gc_request(vm);
    gc_pause_ends(h, began);
#ifdef AIOVM_HEAP_VERIFY
    if (full || ends || !HEAP_ALWAYS_SLOW) gc_verify(vm);
#endif
}

/* A step of the major cycle under way; a cycle when that is what comes next. */
static void gc_advance(vm *vm, size_t work)
{
    heap *h = vm->heap;
    uint64_t began = gc_clock();
    h->collecting = true;
    h->major = false;
    gc_sweep_young_some(vm, work < SLICE_WORK ? work : SWEEP_AHEAD);
    bool cycle = h->phase != GC_IDLE && gc_slice(vm, work);
    h->collecting = false;
    gc_pause_ends(h, began);
    if (cycle) {
        gc_cycle(vm, false);
        return;
    }
    h->due = false;
    bool soon = gc_has_slices(h) && h->debt + SLICE_STEP < h->minor_at;
    h->debt_limit = soon ? h->debt + SLICE_STEP : h->minor_at;
    __atomic_and_fetch(&vm->pending, ~VMP_GC, __ATOMIC_RELAXED);
}

/* The cycle that is due, if it still is. */
static void gc_step(vm *vm)
{
    heap *h = vm->heap;
    if (h->collecting) return;
    if (h->disabled && !h->want_full && h->debt < (int64_t)h->live + DISABLED_MIN) {
        h->due = false;
        h->debt_limit = (int64_t)h->live + DISABLED_MIN;
        __atomic_and_fetch(&vm->pending, ~VMP_GC, __ATOMIC_RELAXED);
        return;
    }
#ifdef AIOVM_HEAP_VERIFY
    gc_verify(vm);
#endif
    if (gc_full_is_due(h)) gc_cycle(vm, true);
    else if (gc_has_slices(h) && h->debt < h->minor_at) gc_advance(vm, SLICE_WORK);
    else gc_cycle(vm, false);
}

void gc_safepoint(vm *vm)
{
    heap *h = vm->heap;
#ifdef AIOVM_GC_STRESS
    /* A step at every safepoint before which something was allocated: nothing else can have become dangling that
     * the one before it did not catch. For 128 steps every fourth is a full cycle and the others are minor ones;
     * for the next 128, slices of major cycles with a minor cycle after every second. A large heap gets fewer and
     * larger steps, in proportion, or a test that builds one would never end. */
    if (!h->collecting && !h->disabled && h->nallocs_cycle > h->live >> 19) {
        h->nallocs_cycle = 0;
        uint32_t step = h->nonce++;
        bool slices = step & 128, full = !slices && step % 4 == 0;
#ifdef AIOVM_HEAP_VERIFY
        if (step % 4 == 0) gc_verify(vm);
#endif
        if (slices && step % 3) gc_collect_slice(vm, step % 5 ? h->live / 512 : 1);
        else gc_cycle(vm, full);
    }
#endif
    if (UNLIKELY(h->due)) gc_step(vm);
    if (UNLIKELY(gc_queues_pending(vm)) && !h->running && !h->collecting) gc_run_queues(vm);
}

void gc_request(vm *vm)
{
    vm->heap->due = true;
    __atomic_or_fetch(&vm->pending, VMP_GC, __ATOMIC_RELAXED);
    vm_poll_soon(vm);
}

void gc_collect_full(vm *vm)
{
    heap *h = vm->heap;
    if (h->collecting) return;
    uint64_t freed = 0;
    for (int round = 0; round < FULL_ROUNDS; round++) {
#ifdef AIOVM_HEAP_VERIFY
        gc_verify(vm);
#endif
        gc_cycle(vm, true);
        freed += h->freed_last;
        if (h->running || !gc_run_queues(vm)) break;
    }
    h->freed_last = freed;
}

void gc_collect_minor(vm *vm)
{
    if (vm->heap->collecting) return;
#ifdef AIOVM_HEAP_VERIFY
    gc_verify(vm);
#endif
    gc_cycle(vm, false);
}

void gc_collect_slice(vm *vm, size_t work)
{
    heap *h = vm->heap;
    if (h->collecting) return;
    if (h->phase == GC_IDLE) {
        gc_cycle(vm, false);
        if (h->phase == GC_IDLE) gc_begin(vm);
    } else {
        gc_advance(vm, work);
    }
}

/* ---- open, close, settings ---- */

bool gc_open(vm *vm)
{
    heap *h = vm->alloc_fn(vm->alloc_ud, NULL, 0, sizeof *h);
    if (!h) return false;
    memset(h, 0, sizeof *h);
    vm->heap = h;
    h->used = sizeof *h;
    h->leaf_kinds = ~UINT64_C(0);
    h->free_kinds = ~UINT64_C(0);
    h->black = GC_MARK;
    h->nursery = DEBT_MIN;
    h->alive_mask = GC_MARK | GC_EPOCH;
    h->grey.p = heap_take_force(vm, 4096 * sizeof(object *));
    if (!h->grey.p) {
        vm->heap = NULL;
        vm->alloc_fn(vm->alloc_ud, h, sizeof *h, 0);
        return false;
    }
    h->grey.cap = 4096;
    gc_set_limits(vm, vm->limits.mem_soft, vm->limits.mem_hard);
    gc_set_goal(h);
    heap_set_slow(h, HEAP_ALWAYS_SLOW);
    return true;
}

void gc_free_objects(vm *vm)
{
    vm->heap->collecting = true;
    gc_sweep_all_at_close(vm);
}

void gc_close(vm *vm)
{
    heap *h = vm->heap;
    heap_release_chunks(vm, true, SIZE_MAX);
    heap_vec_drop(vm, &h->large);
    heap_vec_drop(vm, &h->grey);
    heap_vec_drop(vm, &h->remembered);
    heap_vec_drop(vm, &h->fin);
    heap_vec_drop(vm, &h->grey_old);
    heap_vec_drop(vm, &h->suspects);
    heap_vec_drop(vm, &h->dying);
    heap_vec_drop(vm, &h->finq);
    heap_give(vm, h->root_fns, h->caproot_fns * sizeof *h->root_fns);
    vm->heap = NULL;
    vm->alloc_fn(vm->alloc_ud, h, sizeof *h, 0);
}

void gc_register_kind(vm *vm, enum object_kind kind, const gc_kind_ops *ops)
{
    heap *h = vm->heap;
    vm->kind_ops[kind] = ops;
    uint64_t bit = UINT64_C(1) << kind;
    h->leaf_kinds = ops && ops->traverse ? h->leaf_kinds & ~bit : h->leaf_kinds | bit;
    bool frees = ops && ops->free && !ops->tells_parts;
    h->free_kinds = frees ? h->free_kinds | bit : h->free_kinds & ~bit;
}
_Static_assert(KIND_COUNT <= 64, "sets of kinds are 64-bit words");

void gc_set_limits(vm *vm, size_t soft, size_t hard)
{
    heap *h = vm->heap;
    h->limit_soft = soft;
    h->limit_hard = hard;
    h->soft_next = soft > h->used ? soft : h->used + h->used / 4;
}

void gc_set_enabled(vm *vm, bool on)
{
    vm->heap->disabled = !on;
    if (on) gc_set_goal(vm->heap);
}

bool gc_is_enabled(vm *vm) { return !vm->heap->disabled; }

void gc_scripts_off(vm *vm) { vm->heap->scripts_off = true; }

void gc_get_stats(vm *vm, gc_stats *out)
{
    heap *h = vm->heap;
    *out = (gc_stats){.used = h->used,
                      .live = h->live,
                      .buffers = h->buffer_bytes,
                      .minors = h->nminor,
                      .majors = h->nmajor,
                      .freed = h->freed,
                      .freed_last = h->freed_last,
                      .slices = h->nslices,
                      .pause_ns = h->pause_ns,
                      .longest_ns = h->longest_ns};
}

/* ---- roots ---- */

bool gc_add_roots(vm *vm, gc_roots_fn fn, void *ud)
{
    heap *h = vm->heap;
    if (h->nroot_fns == h->caproot_fns) {
        size_t cap = h->caproot_fns ? h->caproot_fns * 2 : 8;
        heap_root_fn *p = heap_take(vm, cap * sizeof *p);
        if (!p) {
            raise_memory(vm);
            return false;
        }
        if (h->nroot_fns) memcpy(p, h->root_fns, h->nroot_fns * sizeof *p);
        heap_give(vm, h->root_fns, h->caproot_fns * sizeof *p);
        h->root_fns = p;
        h->caproot_fns = cap;
    }
    h->root_fns[h->nroot_fns++] = (heap_root_fn){fn, ud};
    return true;
}

void gc_remove_roots(vm *vm, gc_roots_fn fn, void *ud)
{
    heap *h = vm->heap;
    for (size_t i = 0; i < h->nroot_fns; i++) {
        if (h->root_fns[i].fn == fn && h->root_fns[i].ud == ud) {
            h->root_fns[i] = h->root_fns[--h->nroot_fns];
            return;
        }
    }
}

void frames_mark_thread(vm *vm, thread *th);

static void gc_mark_thread(vm *vm, thread *th)
{
    gc_mark_value(vm, th->exc);
    gc_mark_value(vm, th->handled);
    gc_mark_value(vm, th->current_task);
    gc_mark_value(vm, th->loop);
    gc_mark_value(vm, th->context);
    gc_mark_value(vm, th->asyncgen_firstiter);
    gc_mark_value(vm, th->asyncgen_finalizer);
    gc_mark_value(vm, th->event_loop);
    gc_mark_value(vm, th->object);
    gc_mark_value(vm, th->start);
    for (root_frame *f = th->roots; f; f = f->prev) {
        if (f->span) {
            gc_mark_values(vm, f->slots, f->n);
            continue;
        }
        /* Variables of type value or pointer to an object: a reference is a plain pointer in both. */
        void **vars = f->slots;
        for (uint32_t i = 0; i < f->n; i++) gc_mark_value(vm, *(value *)vars[i]);
    }
    frames_mark_thread(vm, th);
}

static void gc_mark_root_slots(vm *vm)
{
    /* Chunks of VM_ROOT_CHUNK values (vm.c); the first word of each is the address of the one before. */
    value *chunk = vm->module_roots;
    if (!chunk) return;
    uint32_t n = (vm->nmodule_roots - 1) % VM_ROOT_CHUNK + 1;
    for (; chunk; chunk = (value *)(uintptr_t)chunk[0].bits, n = VM_ROOT_CHUNK) gc_mark_values(vm, chunk + 1, n);
}

void gc_mark_roots(vm *vm)
{
    heap *h = vm->heap;
    for (unsigned i = 0; i < NAME_COUNT; i++) gc_mark_obj(vm, (object *)vm->names[i]);
    for (unsigned i = 0; i < 256; i++) gc_mark_obj(vm, (object *)vm->chars[i]);
    gc_mark_obj(vm, (object *)vm->empty_str);
    gc_mark_obj(vm, (object *)vm->empty_bytes);
    gc_mark_obj(vm, (object *)vm->empty_tuple);
    for (unsigned i = 0; i < TYPE_COUNT; i++) gc_mark_obj(vm, (object *)vm->types[i]);
    /* But for a full cycle every shape is a root, so that ids and classes die in full ones only. */
    uint32_t n = h->major ? TYPE_COUNT : vm->nshapes;
    for (uint32_t i = 0; i < n && i < vm->nshapes; i++) {
        shape *s = vm->shapes[i];
        if (s && !((uintptr_t)s & 1)) gc_mark_obj(vm, (object *)s);
    }
    gc_mark_obj(vm, (object *)vm->builtins);
    gc_mark_obj(vm, (object *)vm->modules);
    gc_mark_obj(vm, (object *)vm->warning_filters);
    gc_mark_value(vm, vm->memory_error);
    gc_mark_value(vm, vm->recursion_error);
    gc_mark_values(vm, vm->stub_codes, 2 + CONSUME_COUNT);
    gc_mark_value(vm, vm->import_function);
    gc_mark_value(vm, vm->main_module);
    gc_mark_root_slots(vm);
    for (thread *th = vm->threads; th; th = th->next) gc_mark_thread(vm, th);
    for (size_t i = h->finq_head; i < h->finq.n; i++) gc_mark_obj(vm, h->finq.p[i]);
    for (size_t i = 0; i < h->nroot_fns; i++) h->root_fns[i].fn(vm, h->root_fns[i].ud);
}
