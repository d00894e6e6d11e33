/* What the files that make up the type system share with each other only. */
#ifndef AIO_TYPE_PARTS_H
#define AIO_TYPE_PARTS_H

#include "vm.h"

/* type.c */
bool type_cache_open(vm *vm);
void type_cache_close(vm *vm);
bool type_add_subclass(vm *vm, type *base, type *sub);

/* types_open.c */
bool type_materialize(vm *vm, type *t); /* fills a builtin type's dict; false: raised */
type *type_alloc(vm *vm, type *meta);   /* zeroed, with a serial; NULL raised */

/* class.c, mro.c */
int type_compute_mro(vm *vm, type *t); /* from t->bases; calls a metaclass's mro(). -1 raised, 0 set meanwhile */
tuple *type_c3(vm *vm, type *t);
type *type_best_base(vm *vm, tuple *bases); /* NULL: raised */
type *type_solid_base(type *t);
type *type_winner_meta(vm *vm, type *meta, tuple *bases);
bool type_set_bases(vm *vm, type *t, value bases);
value type_slot_new(vm *vm, type *meta, value *args, uint32_t nargs, value kwnames);
bool type_slot_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames);

/* object.c, reduce.c */
value object_getstate(vm *vm, value *args, uint32_t nargs, value kwnames);
value object_reduce(vm *vm, value *args, uint32_t nargs, value kwnames);
value object_reduce_ex(vm *vm, value *args, uint32_t nargs, value kwnames);

/* type_attrs.c */
bool type_check_name(vm *vm, str *name); /* no NUL, no lone surrogate; false: raised */
extern const getset_def type_getsets[];
extern const native_def type_methods[];
value type_slot_repr(vm *vm, value v);
value type_slot_or(vm *vm, value a, value b);

/* alias.c */
extern const native_def alias_class_getitem[]; /* __class_getitem__ of generic builtins */
bool alias_is_generic_type(unsigned type_id);
value alias_new(vm *vm, value origin, value args);
value union_of(vm *vm, value a, value b); /* a | b, or NotImplemented */
tuple *union_members(value u);            /* NULL: not a union */

extern const getset_def class_dict_getset; /* __dict__ of instances (class.c) */

/* descr.c, function.c */
value getset_new(vm *vm, type *owner, const getset_def *def);
value member_new(vm *vm, type *owner, str *name, uint32_t index);
value staticmethod_new(vm *vm, value f);
value classmethod_new(vm *vm, value f);
value member_get(vm *vm, descr *d, value o);
value mappingproxy_new(vm *vm, value of);

#endif
