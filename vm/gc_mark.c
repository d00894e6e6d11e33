/* Marking: the prefetch queue, the grey stack, the remembered set and its cards.
 *
 * gc_mark_obj does not look at its object: it asks the memory for it and puts it into a short queue; the one
 * that falls out of the queue, whose header has arrived by then, is marked and made grey.
 *
 * Invariants
 *  1. White: GC_MARK clear. Grey: GC_MARK set, on the grey stack. Black: GC_MARK set, traversed.
 *  2. If the grey stack can't grow, grey_lost is set and the object stays marked but is never traversed: then
 *     gc_drain goes through all marked objects of the heap again, until nothing is lost.
 *  3. Objects of a kind without traverse function whose shape is builtin are never grey.
 *  4. An object is in remembered[] at most once for being whole (GC_BARRIER clear) and once for cards.
 */
#include "code.h"
#include "heap.h"
#include "list.h"
#include "vm.h"

/* ---- the remembered set ---- */

enum {
    REMEMBERED_MAX = 1 << 15,
    PART_MIN = 512, /* longer lists and tuples are traced in parts by slices */
    PART_STEP = 128,
    MANY_MIN = 1 << 14,
    PUT_OFF_MAX = 1 << 23, /* references that one major cycle leaves to slices */
};

static void gc_remember_push(vm *vm, object *o)
{
    heap *h = vm->heap;
    if (UNLIKELY(!heap_vec_push(vm, &h->remembered, o))) {
        h->remember_lost = true;
        gc_request(vm);
    } else if (UNLIKELY(h->remembered.n % REMEMBERED_MAX == 0)) {
        gc_request(vm); /* all of it will be one pause */
        h->debt_limit = h->minor_at = INT64_MIN;
    }
}

void gc_remember(vm *vm, object *o)
{
    o->gc &= (uint8_t)~GC_BARRIER;
    gc_remember_push(vm, o);
}

/* Black, and remembered whole: the next minor cycle traces it. */
void gc_tenure(vm *vm, object *o)
{
    if (o->gc & (GC_MARK | GC_LARGE)) return;
    o->gc |= vm->heap->black;
    heap_set_old(o);
    gc_remember_push(vm, o);
}

void gc_remember_card(vm *vm, object *o, uint8_t *card)
{
    *card = 1;
    if (o->gc & GC_CARDS) return;
    o->gc |= GC_CARDS;
    gc_remember_push(vm, o);
}

/* ---- colours ---- */

static inline void gc_blacken_later(vm *vm, object *o)
{
    heap *h = vm->heap;
    uint8_t gc = o->gc;
    if (((gc ^ h->black) & (GC_MARK | GC_EPOCH)) == 0) return;
    bool leaf = (h->leaf_kinds >> o->kind & 1) && o->shape < TYPE_COUNT;
    if (gc & GC_MARK) { /* old, and not yet reached by the major cycle */
        o->gc = gc ^ GC_EPOCH;
        if (!leaf && UNLIKELY(!heap_vec_push(vm, &h->grey_old, o))) h->want_full = true;
        return;
    }
    if (h->old_only) return; /* its owner is remembered */
    heap_set_old(o);
    gc = (uint8_t)((gc & ~GC_EPOCH) | h->black);
    if (leaf) {
        o->gc = gc;
        return;
    }
    o->gc = gc | GC_BARRIER;
    if (UNLIKELY(!heap_vec_push(vm, &h->grey, o))) h->grey_lost = true;
}

bool gc_is_alive(const vm *vm, const object *o) { return heap_survives(vm->heap, o); }
bool gc_is_condemned(const vm *vm, const object *o) { return heap_is_condemned(vm->heap, o); }

void gc_mark_obj(vm *vm, object *o)
{
    if (!o) return;
    heap *h = vm->heap;
    if (UNLIKELY(h->visit != NULL)) {
        h->visit(h->visit_ud, o);
        return;
    }
    uint32_t i = h->nrefs++ % HEAP_RING;
    if (h->skip_old && heap_in_block(o) && heap_is_old(heap_block_of(o), o)) return;
    __builtin_prefetch(o);
    object *out = h->ring[i];
    h->ring[i] = o;
    if (out) gc_blacken_later(vm, out);
}

void gc_mark_values(vm *vm, const value *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (value_is_obj(p[i])) gc_mark_obj(vm, value_as_obj(p[i]));
    }
}

/* In a major cycle what is passed over may be white: o becomes grey again then, for the slices. Not without end: the
 * cycle has to come to its own. */
void gc_mark_many(vm *vm, object *o, const value *p, size_t n)
{
    heap *h = vm->heap;
    bool again = h->phase == GC_MARKING;
    if (n < MANY_MIN || h->slicing || h->finishing || h->visit || (again && h->put_off + n > PUT_OFF_MAX)) {
        gc_mark_values(vm, p, n);
        return;
    }
    h->skip_old = true;
    gc_mark_values(vm, p, n);
    h->skip_old = false;
    if (!again) return;
    h->put_off += n;
    if (UNLIKELY(!heap_vec_push(vm, &h->grey_old, o))) h->want_full = true;
}

void gc_mark_slots(vm *vm, object *o, value *slots)
{
    if (!slots) return;
    shape *s = vm->shapes[o->shape];
    gc_mark_values(vm, slots, s->count);
}

static void gc_traverse(vm *vm, object *o)
{
    if (o->shape >= TYPE_COUNT) gc_mark_obj(vm, (object *)vm->shapes[o->shape]);
    const gc_kind_ops *ops = vm->kind_ops[o->kind];
    if (!ops) return;
    if (UNLIKELY(o->kind == K_CODE) && vm->heap->major && !vm->heap->visit) code_clear_caches((code *)(void *)o);
    if (ops->traverse) ops->traverse(vm, o);
}

void gc_each_reference(vm *vm, object *o, void (*fn)(void *, object *), void *ud)
{
    heap *h = vm->heap;
    h->visit = fn;
    h->visit_ud = ud;
    gc_traverse(vm, o);
    h->visit = NULL;
}

/* ---- tracing ---- */

typedef void (*gc_object_fn)(vm *, object *);

static void gc_each_old_of(vm *vm, heap_block *b, gc_object_fn fn)
{
    for (uint32_t w = 0; w < HEAP_BLOCK_WORDS; w++) {
        for (uint64_t bits = b->old[w]; bits; bits &= bits - 1) fn(vm, heap_bit_cell(b, w, bits));
    }
}

/* All marked objects, and large ones that are not. */
static void gc_each_old(vm *vm, gc_object_fn fn)
{
    heap *h = vm->heap;
    for (heap_chunk *c = h->chunks; c; c = c->next) {
        for (uint32_t i = 0; i < c->nblocks; i++) {
            heap_block *b = heap_chunk_block(c, i);
            if (b->state == BLOCK_CELLS) gc_each_old_of(vm, b, fn);
        }
    }
    for (size_t i = 0; i < h->large.n; i++) fn(vm, h->large.p[i]);
}

static void gc_flush_ring(vm *vm)
{
    heap *h = vm->heap;
    for (unsigned i = 0; i < HEAP_RING; i++) {
        object *o = h->ring[i];
        h->ring[i] = NULL;
        if (o) gc_blacken_later(vm, o);
    }
}

/* A list or tuple that is worth special treatment, for being long. */
static bool gc_is_long(const object *o, const value **items, size_t *n)
{
    if (o->kind == K_LIST) {
        *items = ((const list *)(const void *)o)->items;
        *n = ((const list *)(const void *)o)->len;
    } else if (o->kind == K_TUPLE) {
        *items = ((const tuple *)(const void *)o)->items;
        *n = ((const tuple *)(const void *)o)->len;
    } else {
        return false;
    }
    return *n > PART_MIN;
}

static void gc_drain_stack(vm *vm)
{
    heap *h = vm->heap;
    do {
        while (h->grey.n) gc_traverse(vm, h->grey.p[--h->grey.n]);
        gc_flush_ring(vm);
    } while (h->grey.n);
}

static void gc_retrace(vm *vm, object *o)
{
    if ((o->gc ^ vm->heap->black) & (GC_MARK | GC_EPOCH)) return;
    gc_traverse(vm, o);
    gc_drain_stack(vm);
}

void gc_drain(vm *vm)
{
    heap *h = vm->heap;
    do {
        gc_drain_stack(vm);
        while (UNLIKELY(h->grey_lost)) {
            h->grey_lost = false;
            gc_each_old(vm, gc_retrace);
        }
    } while (h->finishing && h->grey_old.n && gc_drain_old(vm, SIZE_MAX));
}

/* Between the parts of its tracing a long list (or tuple) has GC_CARDS, or is remembered whole: then whatever moves its
 * items runs a barrier, so that none can slip from behind the part to be traced to before it. */
static void gc_hold_part(vm *vm)
{
    object *o = vm->heap->part;
    if (!o || o->kind == K_TUPLE || (o->gc & GC_CARDS) || !(o->gc & GC_BARRIER)) return;
    o->gc |= GC_CARDS;
    gc_remember_push(vm, o);
}

static void gc_begin_part(vm *vm, object *o)
{
    vm->heap->part = o;
    vm->heap->part_at = 0;
    value **where, *slots = o->shape >= TYPE_COUNT ? object_slots(vm, o, &where) : NULL;
    if (o->shape >= TYPE_COUNT) gc_mark_obj(vm, (object *)vm->shapes[o->shape]);
    gc_mark_slots(vm, o, slots);
    const gc_kind_ops *ops = vm->kind_ops[o->kind];
    if (ops->traverse_part && !ops->traverse_part(vm, o, &vm->heap->part_at, PART_STEP)) vm->heap->part = NULL;
}

static void gc_trace_part(vm *vm)
{
    heap *h = vm->heap;
    const value *items = NULL;
    size_t len = 0;
    const gc_kind_ops *ops = vm->kind_ops[h->part->kind];
    if (ops->traverse_part) {
        if (!ops->traverse_part(vm, h->part, &h->part_at, PART_STEP)) h->part = NULL;
        return;
    }
    gc_is_long(h->part, &items, &len); /* it may have become short */
    size_t n = len > h->part_at ? len - h->part_at : 0;
    if (n > PART_STEP) n = PART_STEP;
    gc_mark_values(vm, items + h->part_at, n);
    h->nrefs += n / 4; /* small integers are work, too */
    h->part_at += n;
    if (h->part_at >= len) h->part = NULL;
}

/* Traces grey old objects until `work` references were seen. */
bool gc_drain_old(vm *vm, size_t work)
{
    heap *h = vm->heap;
    uint64_t from = h->nrefs;
    bool out = true;
    h->slicing = true;
    do {
        while (h->grey_old.n || h->part) {
            if (h->nrefs - from >= work) {
                out = false;
                break;
            }
            h->nrefs++;
            if (h->part) {
                gc_trace_part(vm);
                continue;
            }
            object *o = h->grey_old.p[--h->grey_old.n];
            const value *items;
            size_t n;
            const gc_kind_ops *ops = vm->kind_ops[o->kind];
            if (gc_is_long(o, &items, &n) || (ops && ops->traverse_part)) gc_begin_part(vm, o);
            else gc_traverse(vm, o);
        }
        gc_flush_ring(vm);
    } while (out && h->grey_old.n);
    h->slicing = false;
    if (!out) gc_hold_part(vm);
    return out;
}

/* Minor cycles: what was stored into old objects. In a major one everything is traced anyway. */
void gc_mark_remembered(vm *vm)
{
    heap *h = vm->heap;
    for (size_t i = 0; i < h->remembered.n; i++) {
        object *o = h->remembered.p[i];
        if (h->major) break;
        const gc_kind_ops *ops = vm->kind_ops[o->kind];
        bool cards = o->gc & GC_CARDS;
        o->gc &= (uint8_t)~GC_CARDS;
        if (!(o->gc & GC_BARRIER)) {
            o->gc |= GC_BARRIER;
            if (cards) ops->cards(vm, o, false);
            gc_traverse(vm, o);
        } else if (cards) {
            ops->cards(vm, o, true);
        }
    }
    h->remembered.n = 0;
    gc_hold_part(vm);
}

static void gc_whiten(vm *vm, object *o)
{
    if (o->gc & GC_CARDS) vm->kind_ops[o->kind]->cards(vm, o, false);
    o->gc &= (uint8_t) ~(GC_MARK | GC_BARRIER | GC_CARDS);
}

void gc_forget_marks(vm *vm)
{
    heap *h = vm->heap;
    gc_each_old(vm, gc_whiten);
    for (heap_chunk *c = h->chunks; c; c = c->next) {
        for (uint32_t i = 0; i < c->nblocks; i++) {
            heap_block *b = heap_chunk_block(c, i);
            if (b->state == BLOCK_CELLS) memset(b->old, 0, sizeof b->old);
        }
    }
}

void gc_each_object(vm *vm, void (*fn)(void *, object *), void *ud)
{
    heap *h = vm->heap;
    for (heap_chunk *c = h->chunks; c; c = c->next) {
        for (uint32_t i = 0; i < c->nblocks; i++) {
            heap_block *b = heap_chunk_block(c, i);
            if (b->state != BLOCK_CELLS) continue;
            for (uint32_t k = 0; k < b->reached; k++) {
                object *o = heap_cell_at(b, k);
                if (heap_is_object(b, o, k) && !heap_is_condemned(h, o)) fn(ud, o);
            }
        }
    }
    for (size_t i = 0; i < h->large.n; i++) fn(ud, h->large.p[i]);
}

uint64_t gc_count_objects(vm *vm)
{
    heap *h = vm->heap;
    uint64_t n = h->large.n;
    for (heap_chunk *c = h->chunks; c; c = c->next) {
        for (uint32_t i = 0; i < c->nblocks; i++) {
            heap_block *b = heap_chunk_block(c, i);
            if (b->state != BLOCK_CELLS) continue;
            n += heap_count_old(b);
            for (uint32_t k = 0; k < b->carved; k++) {
                object *o = heap_cell_at(b, k);
                n += o->kind != K_FREE && !heap_is_old(b, o);
            }
        }
    }
    return n;
}
