/* Objects of C modules: header, attribute slots, and a body that a type_layout describes.
 *
 * The layout's index stands in header.flags, so that freeing one needs no type (which may be dead
 * already). */
#include "type_state.h"
#include "types_api.h"

unsigned layout_index(vm *vm, const type_layout *l)
{
    type_state *ts = type_state_of(vm);
    for (uint32_t i = 1; i < ts->nlayouts; i++)
        if (ts->layouts[i] == l) return i;
    if (ts->nlayouts >= UINT16_MAX) {
        raise(vm, EXC_SystemError, "too many layouts");
        return 0;
    }
    if (ts->nlayouts == ts->caplayouts) {
        uint32_t cap = ts->caplayouts ? ts->caplayouts * 2 : 16;
        const type_layout **p = mem_realloc(vm, ts->layouts, ts->caplayouts * sizeof *p, cap * sizeof *p);
        if (!p) return 0;
        ts->layouts = p;
        ts->caplayouts = cap;
    }
    if (!ts->nlayouts) ts->layouts[ts->nlayouts++] = NULL;
    ts->layouts[ts->nlayouts] = l;
    return ts->nlayouts++;
}

void *userdata_new(vm *vm, type *t)
{
    size_t size;
    unsigned index = t->layout_index;
    if (!index && !(index = t->layout_index = layout_index(vm, t->layout))) return NULL;
    if (!size_add(sizeof(userdata), t->layout->size, &size)) {
        raise_memory(vm);
        return NULL;
    }
    userdata *o = gc_new_fast(vm, K_USERDATA, t->root_shape, size);
    if (!o) return NULL;
    o->h.flags = (uint16_t)index;
    if (t->layout->free) gc_note_parts(&o->h);
    if (t->layout->finalize || (t->flags & TF_FINALIZER)) gc_register_finalizer(vm, &o->h);
    return o;
}

static const type_layout *layout_of(vm *vm, const object *o)
{
    const type_state *ts = type_state_of(vm);
    return ts && o->flags < ts->nlayouts ? ts->layouts[o->flags] : NULL;
}

static void userdata_traverse(vm *vm, object *o)
{
    gc_mark_slots(vm, o, ((userdata *)(void *)o)->slots);
    const type_layout *l = layout_of(vm, o);
    if (l && l->traverse) l->traverse(vm, o);
}

static bool userdata_traverse_part(vm *vm, object *o, size_t *at, size_t n)
{
    const type_layout *l = layout_of(vm, o);
    if (l && l->traverse_part) return l->traverse_part(vm, o, at, n);
    if (l && l->traverse) l->traverse(vm, o);
    return false;
}

static void userdata_free(vm *vm, object *o)
{
    const type_layout *l = layout_of(vm, o);
    if (l && l->free) l->free(vm, o);
    object_slots_free(vm, o, ((userdata *)(void *)o)->slots);
}

static void userdata_finalize(vm *vm, value v)
{
    const type_layout *l = layout_of(vm, value_as_obj(v));
    if (l && l->finalize) l->finalize(vm, v);
}

/* Only for objects that had a card remembered. */
static void userdata_cards(vm *vm, object *o, bool mark) { layout_of(vm, o)->cards(vm, o, mark); }

void userdata_open(vm *vm)
{
    static const gc_kind_ops ops = {.traverse = userdata_traverse,
                                    .traverse_part = userdata_traverse_part,
                                    .free = userdata_free,
                                    .cards = userdata_cards,
                                    .finalize = userdata_finalize,
                                    .tells_parts = true};
    gc_register_kind(vm, K_USERDATA, &ops);
}
