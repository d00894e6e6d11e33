/* Keeping type slots and dunder attributes in step.
 *
 * A script class gets, per slot: the generic function if the MRO finds a script-defined dunder for
 * it, else the C function behind the wrapper that the MRO finds. So a subclass of list that defines
 * nothing has list's own functions in its slots.
 */
#include "attr.h"
#include "native.h"
#include "slot_table.h"
#include "type_state.h"

const dunder_row dunder_rows[] = {
#define DUNDER(NAME, FIELD, WRAP, VARIANT, GENERIC, SIG, DOC) \
    {N_##NAME, SLOT_INDEX(FIELD), WRAP_##WRAP, VARIANT, (slot_any)(GENERIC), SIG, DOC},
#include "dunders.def"
#undef DUNDER
};
const unsigned dunder_count = sizeof dunder_rows / sizeof *dunder_rows;
_Static_assert(sizeof dunder_rows / sizeof *dunder_rows * 2 < DUNDER_MAP, "the map of dunders has room");

static unsigned map_hash(const str *name)
{
    return (unsigned)((uintptr_t)name >> 4 ^ (uintptr_t)name >> 12) & (DUNDER_MAP - 1);
}

bool slot_table_open(vm *vm)
{
    type_state *ts = type_state_of(vm);
    for (unsigned r = 0; r < dunder_count; r++) {
        const str *name = vm->names[dunder_rows[r].name];
        unsigned i = map_hash(name);
        while (ts->dunders[i].name && ts->dunders[i].name != name) i = (i + 1) & (DUNDER_MAP - 1);
        if (ts->dunders[i].name) continue;
        ts->dunders[i].name = name;
        ts->dunders[i].row = (uint16_t)(r + 1);
    }
    return true;
}

int slot_row_of(vm *vm, const str *name)
{
    const type_state *ts = type_state_of(vm);
    for (unsigned i = map_hash(name); ts->dunders[i].name; i = (i + 1) & (DUNDER_MAP - 1))
        if (ts->dunders[i].name == name) return ts->dunders[i].row - 1;
    return -1;
}

bool slot_unhashable(vm *vm, value v, uint64_t *out)
{
    (void)out;
    raise_type_error(vm, "unhashable type: '%T'", v);
    return false;
}

value slot_next_missing(vm *vm, value v) { return raise_type_error(vm, "'%T' object is not an iterator", v); }

/* ---- builtin types ---- */

void slot_inherit(type *t, const type *base)
{
    /* A type that compares but does not hash is not hashable. */
    if (!t->s.hash && t->s.compare) t->s.hash = slot_unhashable;
    /* object.__new__ makes plain instances only: other builtin types have their own or can't be
     * made. */
    bool takes_new = base->base != NULL || t->inst_kind == K_INSTANCE;
    for (unsigned i = 0; i < SLOT_COUNT; i++)
        if (!slot_get(t, i) && (i != SLOT_INDEX(new_) || takes_new)) slot_set(t, i, slot_get(base, i));
}

/* ---- script classes ---- */

/* The C function that a dunder found in a class dict stands for; NULL: it must be called as it is.
 */
static slot_any wrapped_slot(type *t, value d, const dunder_row *row)
{
    if (!value_is_kind(d, K_NATIVE)) return NULL;
    native *n = AS(native, d);
    if (!n->owner || !type_is_subtype(t, n->owner)) return NULL;
    if (n->h.flags & NATIVE_WRAPPER)
        return &dunder_rows[value_as_int(n->data)] == row ? slot_get(n->owner, row->slot) : NULL;
    if ((n->h.flags & NATIVE_NEWLIKE) && row->slot == SLOT_INDEX(new_)) return slot_get(n->owner, row->slot);
    return NULL;
}

/* Is it the wrapper of concat or repeat, which stand behind the number slots of + and *? */
static bool is_sequence_half(type *t, value d)
{
    if (!value_is_kind(d, K_NATIVE) || !(AS(native, d)->h.flags & NATIVE_WRAPPER)) return false;
    unsigned slot = dunder_rows[value_as_int(AS(native, d)->data)].slot;
    return (slot == SLOT_INDEX(concat) || slot == SLOT_INDEX(repeat)) && type_is_subtype(t, AS(native, d)->owner);
}

void slot_update(vm *vm, type *t, unsigned slot)
{
    if (slot == SLOT_INDEX(concat) || slot == SLOT_INDEX(repeat)) {
        slot_set(t, slot, NULL);
        for (size_t i = 1; t->mro && i < t->mro->len && !slot_get(t, slot); i++)
            slot_set(t, slot, slot_get(AS(type, t->mro->items[i]), slot));
        return;
    }
    slot_any generic = NULL, specific = NULL;
    for (unsigned r = 0; r < dunder_count; r++) {
        const dunder_row *row = &dunder_rows[r];
        if (row->slot != slot || !row->generic) continue;
        value d = type_lookup(vm, t, vm->names[row->name]);
        if (value_is_unbound(d)) continue;
        if (slot == SLOT_INDEX(new_) && value_is_exact(d, TYPE_STATICMETHOD)) d = AS(descr, d)->get;
        if (slot == SLOT_INDEX(hash) && value_is_none(d)) {
            slot_set(t, slot, (slot_any)slot_unhashable);
            return;
        }
        slot_any f = wrapped_slot(t, d, row);
        if (f && (!specific || specific == f)) {
            specific = f;
        } else if (!f && is_sequence_half(t, d)) {
            /* that slot has it */
        } else {
            generic = row->generic;
        }
    }
    /* A class that lost its __next__ may be in the middle of a loop. */
    if (!generic && !specific && slot == SLOT_INDEX(next) && slot_get(t, slot)) specific = (slot_any)slot_next_missing;
    slot_set(t, slot, generic ? generic : specific);
}

void slot_update_all(vm *vm, type *t)
{
    for (unsigned i = 0; i < SLOT_COUNT; i++) slot_update(vm, t, i);
}

void type_update_flags(vm *vm, type *t)
{
    uint32_t f =
        t->flags & ~(uint32_t)(TF_GETATTR_PLAIN | TF_SETATTR_PLAIN | TF_FINALIZER | TF_INIT_SCRIPT | TF_ITER_SCRIPT);
    if (t->s.getattr == attr_slot_get) f |= TF_GETATTR_PLAIN;
    if (t->s.setattr == attr_slot_set) f |= TF_SETATTR_PLAIN;
    if (t->s.del) f |= TF_FINALIZER;
    if (t->s.iter == generic_iter) f |= TF_ITER_SCRIPT;
    if ((f & TF_HEAP) && t->s.new_ == object_slot_new && t->inst_kind == K_INSTANCE && !(f & TF_ABSTRACT) &&
        type_of(vm, value_obj(t))->s.call == type_slot_call && t->s.init == generic_init &&
        value_is_kind(type_lookup(vm, t, N(vm, __init__)), K_FUNCTION))
        f |= TF_INIT_SCRIPT;
    t->flags = f;
}
