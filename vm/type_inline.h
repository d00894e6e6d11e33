/* The inline form of type_of, which nearly everything asks. Included by vm.h, after struct vm. */
#ifndef AIO_TYPE_INLINE_H
#define AIO_TYPE_INLINE_H

static inline type *type_of_inline(vm *vm, value v)
{
    if (LIKELY(value_is_obj(v))) return vm->shapes[value_as_obj(v)->shape]->cls;
    return vm->types[type_id_of_imm(v)];
}
#define type_of(VM, V) type_of_inline(VM, V)

#endif
