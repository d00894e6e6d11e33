/* The table of dunders.def in C: which dunder stands for which slot, and how. */
#ifndef AIO_SLOT_TABLE_H
#define AIO_SLOT_TABLE_H

#include "vm.h"

enum wrap_kind {
    WRAP_NONE,
    WRAP_NEW,
    WRAP_INIT,
    WRAP_CALL,
    WRAP_UNARY,
    WRAP_HASH,
    WRAP_COMPARE,
    WRAP_GETATTR,
    WRAP_SETATTR,
    WRAP_DELATTR,
    WRAP_DESCRGET,
    WRAP_DESCRSET,
    WRAP_DESCRDEL,
    WRAP_NEXT,
    WRAP_LEN,
    WRAP_BINARY1,
    WRAP_BINARY,
    WRAP_RBINARY,
    WRAP_SETITEM,
    WRAP_DELITEM,
    WRAP_CONTAINS,
    WRAP_TRUTH,
    WRAP_DEL,
    WRAP_POW,
    WRAP_RPOW,
    WRAP_REPEAT,
};

typedef void (*slot_any)(void);

typedef struct dunder_row {
    uint16_t name; /* N_ id */
    uint16_t slot; /* index of the slot in struct type_slots */
    uint8_t wrap;
    uint8_t variant; /* compare: the operator */
    slot_any generic;
    const char *sig, *doc;
} dunder_row;

extern const dunder_row dunder_rows[];
extern const unsigned dunder_count;

enum { SLOT_COUNT = sizeof(struct type_slots) / sizeof(slot_any) };
#define SLOT_INDEX(FIELD) ((unsigned)(offsetof(struct type_slots, FIELD) / sizeof(slot_any)))

static inline slot_any slot_get(const type *t, unsigned i)
{
    slot_any f;
    memcpy(&f, (const char *)&t->s + i * sizeof f, sizeof f);
    return f;
}
static inline void slot_set(type *t, unsigned i, slot_any f) { memcpy((char *)&t->s + i * sizeof f, &f, sizeof f); }

/* First row of a dunder's name, or -1. */
int slot_row_of(vm *vm, const str *name);
bool slot_table_open(vm *vm);

/* The hash slot of types that are not hashable; in a class dict: __hash__ = None. */
bool slot_unhashable(vm *vm, value v, uint64_t *out);

/* The next slot of a class that has had a __next__. */
value slot_next_missing(vm *vm, value v);

/* generic_*: look the dunder up in the receiver's class and call it (slot_generic.c). */
value generic_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames);
bool generic_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames);
value generic_call(vm *vm, value self, value *args, uint32_t nargs, value kwnames);
bool generic_hash(vm *vm, value self, uint64_t *out);
value generic_compare(vm *vm, value a, value b, enum compare_op op);
bool generic_setattr(vm *vm, value o, value name, value v);
value generic_descr_get(vm *vm, value d, value o, value t);
bool generic_descr_set(vm *vm, value d, value o, value v);
int64_t generic_len(vm *vm, value self);
bool generic_setitem(vm *vm, value self, value key, value v);
int generic_contains(vm *vm, value self, value key);
int generic_truth(vm *vm, value self);
value generic_pow(vm *vm, value a, value b, value mod);
value generic_repr(vm *vm, value self);
value generic_str_(vm *vm, value self);
value generic_iter(vm *vm, value self);
value generic_next(vm *vm, value self);
value generic_del(vm *vm, value self);
value generic_await(vm *vm, value self);
value generic_aiter(vm *vm, value self);
value generic_anext(vm *vm, value self);
value generic_neg(vm *vm, value self);
value generic_pos(vm *vm, value self);
value generic_abs(vm *vm, value self);
value generic_invert(vm *vm, value self);
value generic_int_(vm *vm, value self);
value generic_float_(vm *vm, value self);
value generic_index(vm *vm, value self);
value generic_getattr(vm *vm, value a, value b);
value generic_getitem(vm *vm, value a, value b);
value generic_add(vm *vm, value a, value b);
value generic_sub(vm *vm, value a, value b);
value generic_mul(vm *vm, value a, value b);
value generic_matmul(vm *vm, value a, value b);
value generic_truediv(vm *vm, value a, value b);
value generic_floordiv(vm *vm, value a, value b);
value generic_mod(vm *vm, value a, value b);
value generic_divmod(vm *vm, value a, value b);
value generic_lshift(vm *vm, value a, value b);
value generic_rshift(vm *vm, value a, value b);
value generic_and_(vm *vm, value a, value b);
value generic_or_(vm *vm, value a, value b);
value generic_xor(vm *vm, value a, value b);
value generic_iadd(vm *vm, value a, value b);
value generic_isub(vm *vm, value a, value b);
value generic_imul(vm *vm, value a, value b);
value generic_imatmul(vm *vm, value a, value b);
value generic_itruediv(vm *vm, value a, value b);
value generic_ifloordiv(vm *vm, value a, value b);
value generic_imod(vm *vm, value a, value b);
value generic_ilshift(vm *vm, value a, value b);
value generic_irshift(vm *vm, value a, value b);
value generic_iand(vm *vm, value a, value b);
value generic_ior(vm *vm, value a, value b);
value generic_ixor(vm *vm, value a, value b);
value generic_ipow(vm *vm, value a, value b);

/* slot_wrappers.c */
bool slot_wrappers_add(vm *vm, type *t, dict *d); /* a builtin type's dunders, made from its own slots */
/* slot_update.c: sets t's slot from the dunders its MRO finds. */
void slot_update(vm *vm, type *t, unsigned slot);
void slot_update_all(vm *vm, type *t);
void slot_inherit(type *t, const type *base); /* unset slots of a builtin type come from its base */
void type_update_flags(vm *vm, type *t);

/* Calls dunder `f`, found in the class of args[0], with args[0, n). */
value dunder_call(vm *vm, value f, value *args, uint32_t n);

#endif
