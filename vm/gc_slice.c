/* Major cycles in slices: begin, mark a little, end, sweep a little. The argument is in the essay of gc.c.
 *
 * Invariants
 *  1. GC_MARKING: nothing is freed that was old when the cycle began. grey_old holds each old object that has
 *     the current epoch and is not yet traced, and no other.
 *  2. A slice never marks a young object: whoever refers to it is remembered, or a root, and the next minor
 *     cycle makes it old and black, or frees it.
 *  3. GC_SWEEPING: an object with the other epoch is condemned. Nothing that lives refers to it, no table names
 *     it, the next cycles do not look at it.
 *  4. GC_IDLE: every old object has the current epoch.
 *  5. heap.part is an object with the current epoch of which the references before part_at are traced; between slices
 *     it is in the remembered set, unless it can't change (a tuple).
 */
#include "heap.h"
#include "vm.h"

enum {
    FINISH_WORK = 1 << 15, /* so many references may be left when a minor cycle ends the marking */
    FINISH_ATTEMPTS = 16,  /* after so many it takes what it takes */
    FIN_SHARE = 2,         /* an entry of fin[] counts as so many references */
    RELEASE_CHUNKS = 4,    /* given back per cycle */
};

/* All objects are old and black. Now the old ones are white, and grey is what the roots refer to. */
void gc_begin(vm *vm)
{
    heap *h = vm->heap;
    h->phase = GC_MARKING;
    h->black ^= GC_EPOCH;
    h->alive_mask = GC_MARK;
    h->marked_out = false;
    h->attempts = 0;
    h->put_off = 0;
    h->old_only = true;
    gc_mark_roots(vm);
    gc_drain_old(vm, 0);
    h->old_only = false;
}

bool gc_slice(vm *vm, size_t work)
{
    heap *h = vm->heap;
    h->nslices++;
    if (h->phase == GC_SWEEPING) {
        uint64_t before = h->freed_last;
        bool more = gc_sweep_some(vm, work);
        h->freed += h->freed_last - before;
        return !more;
    }
    h->old_only = true;
    bool out = gc_drain_old(vm, work);
    h->old_only = false;
    if (!out || gc_suspect_finalizers(vm, work / FIN_SHARE + 1)) return false;
    h->marked_out = true;
    return true;
}

/* The minor cycle has marked what is reachable and young. What it found of the old is traced as well; is it much,
 * the rest is left to slices again. */
bool gc_finish_marking(vm *vm)
{
    heap *h = vm->heap;
    if (h->phase != GC_MARKING || !h->marked_out || h->want_full) return false;
    size_t work = h->attempts++ < FINISH_ATTEMPTS ? FINISH_WORK : SIZE_MAX;
    uint64_t from = h->nrefs;
    for (;;) {
        bool out = gc_drain_old(vm, work);
        gc_drain(vm);
        if (h->want_full) return false; /* something grey may be lost: what was not reached may live */
        if (out && !h->grey_old.n) break;
        if (h->nrefs - from >= work) {
            h->marked_out = false;
            return false;
        }
    }
    h->finishing = true; /* what finalisers resurrect is traced at once */
    h->phase = GC_SWEEPING;
    h->alive_mask = GC_MARK | GC_EPOCH;
    return true;
}

/* Something that a finaliser may bring back could not be remembered as grey: the full cycle to come finds what died. */
bool gc_unfinish_marking(vm *vm)
{
    heap *h = vm->heap;
    if (!h->want_full) return false;
    h->phase = GC_MARKING;
    h->alive_mask = GC_MARK;
    h->marked_out = false;
    return true;
}

void gc_end_sweeping(vm *vm)
{
    heap *h = vm->heap;
    if (h->releasing && h->phase == GC_IDLE) h->releasing = heap_release_chunks(vm, false, RELEASE_CHUNKS);
    if (h->phase != GC_SWEEPING || h->sweep_chunk) return;
    h->phase = GC_IDLE;
    h->live_major = h->cell_bytes + h->large_bytes + h->buffer_bytes;
    h->nmajor++;
    h->releasing = true;
}

void gc_abandon(vm *vm)
{
    heap *h = vm->heap;
    gc_restore_suspects(vm);
    h->fin_kept = h->fin_seen = 0;
    h->phase = GC_IDLE;
    h->alive_mask = GC_MARK | GC_EPOCH;
    h->grey_old.n = 0;
    h->part = NULL;
    h->sweep_chunk = NULL;
    h->nsweep++;
}
