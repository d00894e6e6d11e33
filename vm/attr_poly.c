/* The second level of the attribute caches: one table per VM from (shape, name) to what attr_cache_fill_get and _set
 * found.
 *
 * An inline cache remembers one receiver shape per site. Sites that see several (a method called on objects of
 * different classes) miss it again and again; they find their answer here in a few loads instead of a lookup through
 * shape and MRO. The interpreter looks here before it calls out (interp_attr.inc).
 *
 * Invariants
 *  1. An entry is a hint, checked by shape id and name pointer, and by class_epoch where the kind needs it (attr.h).
 *  2. It keeps nothing alive: the table is emptied whenever the inline caches are (full collection, flush), and when an
 *     interned string has died. All names are such.
 */
#include "attr.h"
#include "interp.h"

static struct attr_poly *poly_table(vm *vm)
{
    struct attr_poly *p = vm->state[VMS_POLY];
    if (UNLIKELY(!p)) {
        p = mem_zalloc(vm, sizeof *p);
        if (!p) exc_clear(vm); /* it is only a cache */
        vm->state[VMS_POLY] = p;
    }
    return p;
}

void attr_poly_flush(vm *vm)
{
    struct attr_poly *p = vm->state[VMS_POLY];
    if (p) memset(p, 0, sizeof *p);
}

void attr_poly_close(vm *vm)
{
    struct attr_poly *p = vm->state[VMS_POLY];
    vm->state[VMS_POLY] = NULL;
    if (p) mem_free(vm, p, sizeof *p);
}

static const struct attr_cache *find(vm *vm, poly_entry *table, value o, str *name, bool set)
{
    uint32_t shape = value_as_obj(o)->shape;
    poly_entry *e = poly_slot(table, shape, name);
    if (LIKELY(e->name == name && e->c.shape == shape)) {
        if (e->c.kind == ATTR_SLOT || (set && e->c.kind != ATTR_SET_DESCR) || e->c.epoch == vm->class_epoch)
            return &e->c;
    }
    struct attr_cache c;
    if (!(set ? attr_cache_fill_set(vm, o, name, &c) : attr_cache_fill_get(vm, o, name, &c)) || c.shape != shape)
        return NULL;
    e->name = name;
    e->c = c;
    return &e->c;
}

const struct attr_cache *attr_poly_get(vm *vm, value o, str *name)
{
    if (!value_is_obj(o) || value_as_obj(o)->kind != K_INSTANCE) return NULL;
    struct attr_poly *p = poly_table(vm);
    return p ? find(vm, p->get, o, name, false) : NULL;
}

const struct attr_cache *attr_poly_set(vm *vm, value o, str *name)
{
    if (!value_is_obj(o) || value_as_obj(o)->kind != K_INSTANCE) return NULL;
    struct attr_poly *p = poly_table(vm);
    return p ? find(vm, p->set, o, name, true) : NULL;
}
