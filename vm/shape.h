/* Hidden classes: which attribute of an instance lies in which slot.
 *
 * Every class has a root shape, whose slots are those of its __slots__ members; adding an attribute
 * moves an instance to a child shape. Shapes form a tree that the class owns and that lives as long
 * as the class.
 *
 * Slot storage: a K_INSTANCE has its first slots inline; header.flags is the capacity of what
 * `slots` points to. A block outside of the object (any kind) has a capacity word in front of
 * slots[0].
 *
 * Invariants
 *  1. In a shape without SHAPE_DICT, slots[0, count) are the attributes, the first cls->nmembers of
 * them members (unbound when not set); the others are never unbound.
 *  2. In a SHAPE_DICT shape, count == cls->nmembers + 1 and slots[count - 1] is the instance's dict.
 *  3. Shape ids appear in inline caches, so an id is only reused after the caches were cleared
 *     (shape_recycle_ids, called by the collector after a major cycle).
 */
#ifndef AIO_SHAPE_H
#define AIO_SHAPE_H

#include "vm.h"

enum {
    SHAPE_MAX_ATTRS = 250,  /* more attributes: dict mode */
    SHAPE_MAX_TREE = 1000,  /* shapes of one class */
    SHAPE_LINEAR = 6,       /* up to so many attributes lookup walks the parents */
    SLOTS_INLINE_FIRST = 6, /* inline slots of a class's first instance, before it has learnt */
    SLOTS_INLINE_MAX = 28,
};

shape *shape_new_root(vm *vm, type *t, uint32_t id); /* id 0: the next free one; NULL raised */
/* Slot of an attribute that is not a member, or -1. `name` interned. Runs no script, raises
 * nothing. */
int32_t shape_find(vm *vm, shape *s, const str *name);
/* The child with `name` added. NULL: dict mode is due, or MemoryError raised. */
shape *shape_add(vm *vm, shape *s, str *name);
shape *shape_dict_mode(vm *vm, type *t); /* the class's SHAPE_DICT shape; NULL raised */
/* Names in order, members excluded: out[0, count - nmembers). */
void shape_names(const shape *s, str **out);
void shape_recycle_ids(vm *vm);  /* after a major cycle: ids of dead shapes may be used again */
void shape_flush_caches(vm *vm); /* clears the inline caches of all code */

/* Makes room for slot `index`; NULL raised. Storage may move. */
value *slots_reserve(vm *vm, object *o, uint32_t index);
static inline shape *shape_of(vm *vm, const object *o) { return vm->shapes[o->shape]; }

#endif
