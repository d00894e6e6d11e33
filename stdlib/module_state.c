/* What the C modules keep per VM: see module_state.h. */
#include "module_state.h"

#include "vm/attr.h"
#include "vm/type_parts.h"

/* The root slot is vm->state[VMS_STDLIB]; it holds a tuple with one place per id. */
static tuple *table(vm *vm, bool make)
{
    value *root = vm->state[VMS_STDLIB];
    if (root) return AS(tuple, *root);
    if (!make || !(root = vm_root_slot(vm))) return NULL;
    tuple *t = tuple_new(vm, STATE_SIZE);
    if (!t) return NULL;
    *root = value_obj(t);
    vm->state[VMS_STDLIB] = root;
    return t;
}

value module_state_get(vm *vm, enum module_state_id id)
{
    const tuple *t = table(vm, false);
    return t ? t->items[id] : V_UNBOUND;
}

bool module_state_set(vm *vm, enum module_state_id id, value v)
{
    tuple *t = table(vm, true);
    if (!t || value_is_error(v)) return false;
    t->items[id] = v;
    gc_barrier(vm, t);
    return true;
}

type *module_state_make(vm *vm, enum module_state_id id, const type_spec *spec)
{
    type *t = module_state_type(vm, id);
    if (t) return t;
    t = type_from_spec(vm, spec);
    return t && module_state_set(vm, id, value_obj(t)) ? t : NULL;
}

type *module_add_type(vm *vm, module *m, enum module_state_id id, const type_spec *spec)
{
    const char *dot = strrchr(spec->name, '.');
    type *t = module_state_make(vm, id, spec);
    return t && module_add(vm, m, dot ? dot + 1 : spec->name, value_obj(t)) ? t : NULL;
}

bool type_add_attribute(vm *vm, type *t, const char *name, value v)
{
    if (value_is_error(v)) return false;
    ROOTS(vm, &t, &v);
    dict *d = type_dict(vm, t);
    str *s = str_intern_utf8(vm, name, strlen(name));
    return d && s && dict_set_str(vm, d, s, v);
}

value module_class_getitem(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return alias_new(vm, args[0], args[1]);
}
