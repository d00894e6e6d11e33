/* What the files of the module array share; array_data.c has the invariants. */
#ifndef STDLIB_ARRAY_H
#define STDLIB_ARRAY_H

#include "module_state.h"

#include "vm/attr.h"
#include "vm/buffer.h"
#include "vm/str.h"

enum item_class { ITEM_INT, ITEM_FLOAT, ITEM_CHAR };

struct array_kind {
    char code;
    uint8_t size, cls;
    bool is_signed;
    uint8_t machine; /* machine format code of pickles, little-endian */
};
enum { ARRAY_KINDS = 13 };
extern const struct array_kind array_kinds[ARRAY_KINDS];
#define ARRAY_BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

struct array {
    uint8_t *data;
    size_t len, cap;
    const struct array_kind *kind;
    uint32_t exports;
};

static inline struct array *array_of(value v) { return (struct array *)(void *)AS(userdata, v)->body; }
static inline type *array_type(vm *vm) { return module_state_type(vm, STATE_ARRAY); }
static inline bool array_is(vm *vm, value v) { return value_isa(vm, v, array_type(vm)); }
static inline uint8_t *array_place(const struct array *a, size_t i) { return a->data + i * a->kind->size; }

static inline size_t array_max_items(const struct array *a) { return (size_t)PTRDIFF_MAX / a->kind->size / 2; }

/* ---- items ---- */

const struct array_kind *array_kind_find(uint32_t code); /* NULL: there is none */
value array_unpack(vm *vm, const struct array_kind *k, const uint8_t *p);
/* Converts v into out[8]; may run script. */
bool array_pack(vm *vm, const struct array_kind *k, value v, uint8_t *out);
void array_swap_items(uint8_t *p, size_t n, size_t size); /* their byte order */

/* ---- storage ---- */

extern const type_layout array_layout;
/* An array of n items of undefined content. */
value array_alloc(vm *vm, type *t, const struct array_kind *k, size_t n);
/* A plain array of n items at p, which stays valid: allocation runs nothing. */
value array_from(vm *vm, const struct array_kind *k, const uint8_t *p, size_t n);
/* May it change its length? Can run finalisers: call it before looking at anything. */
bool array_resizable(vm *vm, value self);
/* The storage for n items, without the test for exports; runs nothing. */
bool array_set_len(vm *vm, struct array *a, size_t n);
/* Replaces [from, to) by n items at p, which must not lie in the array. */
bool array_splice(vm *vm, struct array *a, size_t from, size_t to, const uint8_t *p, size_t n);
bool array_append(vm *vm, value self, value v);
bool array_append_all(vm *vm, value self, value iterable);
bool array_append_array(vm *vm, value self, value other);
bool array_append_str(vm *vm, value self, str *s);
bool array_append_bytes(vm *vm, value self, value v);

/* ---- methods that pickling needs, and its own ---- */

value array_tolist(vm *vm, value self);
value array_tobytes(vm *vm, value self);
value array_reduce(vm *vm, value *args, uint32_t nargs, value kwnames);
value array_reconstruct(vm *vm, value *args, uint32_t nargs, value kwnames);

#endif
