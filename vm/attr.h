/* Attribute lookup: what inline caches record, and the pieces the interpreter calls directly.
 *
 * A cache entry is {shape, index or epoch, pointer}; which words count depends on the kind. With
 * `s` the receiver's header.shape and `e` vm->class_epoch:
 *
 *   ATTR_SLOT         s == shape                    value: slots[index]
 *   ATTR_CLASS_DATA   s == shape && e == epoch      value: *(value *)ptr, a plain class attribute
 *   ATTR_METHOD       s == shape && e == epoch      function or native ptr, the receiver is self
 *   ATTR_CLASS_VALUE  s == shape && e == epoch      value: value_obj(ptr) (a static method's
 * function, ...) ATTR_PROPERTY     s == shape && e == epoch      call the script function ptr with
 * the receiver ATTR_TYPE_DATA    receiver is a type, ((type *)o)->serial == shape && e == epoch
 * *(value *)ptr ATTR_TYPE_METHOD  as TYPE_DATA                  function or native ptr with the
 * class as self ATTR_MODULE       s == TYPE_MODULE, its dict->version == shape
 * dict->entries[index].val ATTR_SET_SLOT     s == shape                    slots[index] = v, then
 * gc_barrier ATTR_SET_ADD      s == shape && index < header.flags: slots[index] = v, header.shape =
 * epoch, then gc_barrier in any case (the shape is a reference too). K_INSTANCE only.
 *   ATTR_SET_DESCR    s == shape && e == epoch      call descr_set of ptr's type, if it has one; K_INSTANCE only, and
 *                     never in an inline cache
 *
 * Invariants
 *  1. A SLOT or SET_SLOT entry needs no epoch: whenever a class gets a data descriptor or an
 *     attribute hook that could shadow a slot, all inline caches are cleared (shape_flush_caches).
 *  2. A CLASS_DATA pointer leads into the class dict's entries. The entries move only when a key
 *     appears or disappears, and that bumps the epoch.
 */
#ifndef AIO_ATTR_H
#define AIO_ATTR_H

#include "shape.h"

enum attr_cache_kind {
    ATTR_NONE,
    ATTR_SLOT,
    ATTR_CLASS_DATA,
    ATTR_METHOD,
    ATTR_CLASS_VALUE,
    ATTR_PROPERTY,
    ATTR_TYPE_DATA,
    ATTR_TYPE_METHOD,
    ATTR_MODULE,
    ATTR_SET_SLOT,
    ATTR_SET_ADD,
    ATTR_SET_DESCR,
};
struct attr_cache {
    enum attr_cache_kind kind;
    uint32_t shape;
    uint32_t index;
    uint32_t epoch; /* SET_ADD: the new shape's id */
    void *ptr;
};
/* Classifies `o.name` / `o.name = v` for an inline cache. Runs no script, raises nothing. true:
 * kind is not ATTR_NONE. The set form must be asked before the store is made. */
bool attr_cache_fill_get(vm *vm, value o, str *name, struct attr_cache *out);
bool attr_cache_fill_set(vm *vm, value o, str *name, struct attr_cache *out);

/* The same through a table per VM, for sites that see many shapes (attr_poly.c). K_INSTANCE
 * receivers only; NULL: no answer. */
const struct attr_cache *attr_poly_get(vm *vm, value o, str *name);
const struct attr_cache *attr_poly_set(vm *vm, value o, str *name);
enum { POLY_SLOTS = 1024 };
typedef struct poly_entry {
    str *name;
    struct attr_cache c;
} poly_entry;
struct attr_poly {
    poly_entry get[POLY_SLOTS], set[POLY_SLOTS];
};
static inline poly_entry *poly_slot(poly_entry *table, uint32_t shape, const str *name)
{
    return &table[((uint32_t)((uintptr_t)name >> 4) ^ shape * UINT32_C(0x9E3779B1)) & (POLY_SLOTS - 1)];
}
void attr_poly_flush(vm *vm);
void attr_poly_close(vm *vm);

/* For LOADMETHOD: o.name as a callable and its receiver. true: *func is an unbound function or
 * native and *self the receiver; or *self is unbound and *func any callable. false: raised. */
bool attr_load_method(vm *vm, value o, str *name, value *func, value *self);

/* Method cache. type_lookup_from(start) looks in the part of t's MRO that follows `start` (super).
 */
void type_cache_flush(vm *vm); /* by the collector, before anything is freed */
value type_lookup_from(vm *vm, type *t, type *start, str *name);
/* Which class of the MRO defines the name: NULL when none. */
value type_lookup_where(vm *vm, type *t, str *name, type **where);
bool super_find(vm *vm, value cls, value self, type **self_type); /* checks super(cls, self); false: raised */
value super_getattr(vm *vm, type *cls, value self, type *self_type, str *name); /* bound; error: raised */
/* For SUPERMETHOD: as attr_load_method. */
bool super_load_method(vm *vm, value cls, value self, str *name, value *func, value *self_out);

/* The default slots, to compare against. */
value attr_slot_get(vm *vm, value o, value name); /* object.__getattribute__ */
bool attr_slot_set(vm *vm, value o, value name, value v);
value type_slot_get(vm *vm, value o, value name); /* type.__getattribute__ */
bool type_slot_set(vm *vm, value o, value name, value v);
value type_slot_call(vm *vm, value callee, value *args, uint32_t nargs, value kwnames);
value object_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames);
bool object_slot_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames);

/* attr_generic_get that reports absence without an exception: unbound, nothing raised. */
value attr_generic_opt(vm *vm, value o, str *name);
/* The attribute itself is not a descriptor, or only one that a class dict holds as plain data. */
bool attr_is_plain(vm *vm, value v);
/* descr.__get__(o or unbound, t); what is no descriptor comes back as it is. */
value attr_bind(vm *vm, value descr, value o, type *t);
value module_slot_getattr(vm *vm, value o, value name);
bool object_set_class(vm *vm, value o, value cls); /* o.__class__ = cls */
bool object_set_dict(vm *vm, value o, value d);    /* o.__dict__ = d */
struct list *object_dir(vm *vm, value o);          /* unsorted names: object.__dir__; NULL raised */

dict *type_dict(vm *vm, type *t); /* t->dict, materialised; NULL raised */
bool type_is_heap(const type *t);
struct list *type_subclasses(vm *vm, type *t); /* NULL raised */
/* Late filling: a C file that sets slots of a type of types.def after types_open calls it, base
 * first. */
void type_ready(vm *vm, type *t);
/* Text like 0x7f0012345678 into buf. */
const char *address_text(const void *p, char buf[20]);

#endif
