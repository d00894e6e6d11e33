/* The heap verifier: goes through every block and object and checks the invariants of gc.c. It runs before and
 * after each cycle in builds with heap verification, and when a test asks.
 *
 * It changes nothing, allocates nothing, and describes the first violation on standard error.
 */
#include <stdio.h>

#include "frame.h"
#include "heap.h"
#include "vm.h"

typedef struct verifier {
    vm *vm;
    object *from; /* whose references are being visited */
    bool old;     /* it is old and clean: all it refers to must be old */
    bool black;   /* and it is traced by the major cycle: all the old it refers to must be so or grey */
    bool ok;
} verifier;

static void complain(verifier *v, const object *o, const char *what)
{
    if (!v->ok) return;
    v->ok = false;
    fprintf(stderr, "heap: %s: object %p kind %u shape %u gc %u flags %u", what, (const void *)o, o->kind, o->shape,
            o->gc, o->flags);
    if (v->from && v->from != o)
        fprintf(stderr, ", reached from %p kind %u shape %u gc %u", (void *)v->from, v->from->kind, v->from->shape,
                v->from->gc);
    fputc('\n', stderr);
}

static void verify_header(verifier *v, const object *o)
{
    if (o->kind == K_FREE) complain(v, o, "a reference to a free cell");
    else if (o->kind >= KIND_COUNT) complain(v, o, "a kind that does not exist");
    else if (v->vm->nshapes > TYPE_COUNT &&
             (o->shape >= v->vm->nshapes || !v->vm->shapes[o->shape] || ((uintptr_t)v->vm->shapes[o->shape] & 1)))
        complain(v, o, "a shape id that is not in use");
    else if (heap_is_condemned(v->vm->heap, o)) complain(v, o, "a reference to a condemned object");
    else if (v->vm->heap->phase == GC_IDLE && (o->gc & GC_MARK) && !heap_survives(v->vm->heap, o))
        complain(v, o, "an old object of another epoch");
    else if ((o->gc & GC_CARDS) && !(o->gc & GC_MARK)) complain(v, o, "a young object with cards");
    else if ((o->gc & GC_BARRIER) && !(o->gc & GC_MARK)) complain(v, o, "a young object with a barrier");
}

static void verify_reference(void *ud, object *o)
{
    verifier *v = ud;
    if (!v->ok) return;
    if ((uintptr_t)o & 7) {
        complain(v, v->from, "a misaligned reference");
        return;
    }
    verify_header(v, o);
    if (v->old && !(o->gc & GC_MARK)) complain(v, o, "an old object that is not remembered refers to this young one");
    if (v->black && (o->gc & GC_MARK) && ((o->gc ^ v->vm->heap->black) & GC_EPOCH))
        complain(v, o, "a black object that is not remembered refers to this white one");
}

static bool verify_is_root_frame(const object *o)
{
    return o->kind == K_FRAME && frame_state((const frame *)(const void *)o) == FRAME_RUNNING;
}

static void verify_object(void *ud, object *o)
{
    verifier *v = ud;
    if (!v->ok) return;
    v->from = NULL;
    verify_header(v, o);
    if (!v->ok) return;
    v->from = o;
    v->old = (o->gc & GC_MARK) && (o->gc & GC_BARRIER) && !(o->gc & GC_CARDS) && !verify_is_root_frame(o);
    v->black =
        v->old && v->vm->heap->phase == GC_MARKING && !((o->gc ^ v->vm->heap->black) & GC_EPOCH) && !(o->gc & GC_GREY);
    gc_each_reference(v->vm, o, verify_reference, v);
}

static void verify_block(verifier *v, heap_block *b)
{
    heap *h = v->vm->heap;
    object *first = heap_cell_at(b, 0);
    if (b->carved > b->reached || b->reached > b->ncells || b->cell != heap_class_size(b->cls)) {
        complain(v, first, "a damaged block header");
        return;
    }
    uint32_t nold = 0, nparts = 0;
    for (uint32_t i = 0; i < b->reached; i++) {
        object *o = heap_cell_at(b, i);
        bool is_object = heap_is_object(b, o, i), parts = b->parts[heap_bit_word(o)] & heap_bit(o);
        nold += heap_is_old(b, o);
        nparts += parts;
        if (parts && !is_object) complain(v, o, "a free cell with parts");
        if (!is_object) continue;
        if (heap_is_old(b, o) != ((o->gc & GC_MARK) != 0)) complain(v, o, "an object whose mark is not its block's");
        if (!parts && (h->free_kinds >> o->kind & 1)) complain(v, o, "an object whose parts would not be freed");
    }
    for (uint32_t w = 0; w < HEAP_BLOCK_WORDS; w++) {
        nold -= (unsigned)__builtin_popcountll(b->old[w]);
        nparts -= (unsigned)__builtin_popcountll(b->parts[w]);
    }
    if (nold || nparts) complain(v, first, "a bit that is no cell's");
    if (b->carved && !b->is_touched && !b->is_unswept)
        complain(v, first, "young objects in a block that is not touched");
    if (h->carving[b->cls] == b && !b->is_touched) complain(v, first, "a block that is carved and not touched");
    if (b->is_touched && b->is_avail) complain(v, first, "a block in use that is to be used next");
}

/* Free cells that are next to be used, and the lists of blocks. */
static void verify_free_cells(verifier *v, const heap_cell *list, unsigned cls)
{
    for (const heap_cell *c = list; c && v->ok; c = c->next) {
        const heap_block *b = heap_block_of(c);
        if (c->h.kind != K_FREE || b->state != BLOCK_CELLS || b->cls != cls || heap_is_old(b, c) || !b->is_touched)
            complain(v, &c->h, "a damaged free list");
    }
}

static void verify_remembered(verifier *v)
{
    heap *h = v->vm->heap;
    for (size_t i = 0; i < h->remembered.n && v->ok; i++) {
        object *o = h->remembered.p[i];
        v->from = NULL;
        verify_header(v, o);
        if (!(o->gc & GC_MARK)) complain(v, o, "a young object in the remembered set");
    }
    for (size_t i = h->finq_head; i < h->finq.n && v->ok; i++) verify_header(v, h->finq.p[i]);
}

bool gc_verify(vm *vm)
{
    heap *h = vm->heap;
    verifier v = {.vm = vm, .ok = true};
    if (h->remember_lost) return true; /* the set is known to be incomplete: the next cycle is a major one */
    for (heap_chunk *c = h->chunks; c && v.ok; c = c->next) {
        for (uint32_t i = 0; i < c->nblocks && v.ok; i++) {
            heap_block *b = heap_chunk_block(c, i);
            if (b->state == BLOCK_CELLS) verify_block(&v, b);
        }
    }
    for (unsigned i = 0; i < HEAP_CLASSES; i++) {
        verify_free_cells(&v, h->free[i], i);
        verify_free_cells(&v, h->stash[i], i);
    }
    verify_remembered(&v);
    for (size_t i = 0; i < h->grey_old.n; i++) h->grey_old.p[i]->gc |= GC_GREY;
    if (v.ok) gc_each_object(vm, verify_object, &v);
    for (size_t i = 0; i < h->grey_old.n; i++) h->grey_old.p[i]->gc &= (uint8_t)~GC_GREY;
    if (!v.ok) __builtin_trap();
    return v.ok;
}
