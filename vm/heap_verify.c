/* The heap verifier: goes through every block and object and checks the invariants of gc.c. It runs before and
 * after each cycle in builds with heap verification, and when a test asks.
 *
 * It changes nothing, allocates nothing, and describes the first violation on standard error.
 */
#include <stdio.h>

#include "frame.h"
#include "heap.h"
#include "vm.h"

/* While the verifier is at work, grey objects have this bit, which otherwise only leaf objects have. */
enum { GREY = GC_PINNED };

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
    if (v->old && !(o->gc & (GC_MARK | GC_PINNED)))
        complain(v, o, "an old object that is not remembered refers to this young one");
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
        v->old && v->vm->heap->phase == GC_MARKING && !((o->gc ^ v->vm->heap->black) & GC_EPOCH) && !(o->gc & GREY);
    gc_each_reference(v->vm, o, verify_reference, v);
}

static void verify_block(verifier *v, heap_block *b)
{
    uint32_t nfree = 0, listed = 0;
    bool young = false;
    for (uint32_t i = 0; i < b->carved; i++) {
        object *o = heap_cell_at(b, i);
        if (o->kind == K_FREE) nfree++;
        else if (!(o->gc & (GC_MARK | GC_PINNED)) && !b->is_unswept) young = true;
    }
    for (heap_cell *c = b->free; c; c = c->next) {
        listed++;
        if (heap_block_of(c) != b || c->h.kind != K_FREE || listed > nfree) {
            complain(v, &c->h, "a damaged free list");
            return;
        }
    }
    object *first = heap_cell_at(b, 0);
    if (b->carved > b->ncells || b->cell != heap_class_size(b->cls)) complain(v, first, "a damaged block header");
    if (young && !b->is_touched) complain(v, first, "young objects in a block that is not touched");
    if (!b->is_touched && !b->is_unswept && listed != nfree) complain(v, first, "a free cell that is on no list");
    if (b->carved < b->ncells && v->vm->heap->carving[b->cls] != b) complain(v, first, "lost uncarved cells");
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
    verify_remembered(&v);
    for (size_t i = 0; i < h->grey_old.n; i++) h->grey_old.p[i]->gc |= GREY;
    if (v.ok) gc_each_object(vm, verify_object, &v);
    for (size_t i = 0; i < h->grey_old.n; i++) h->grey_old.p[i]->gc &= (uint8_t)~GREY;
    if (!v.ok) __builtin_trap();
    return v.ok;
}
