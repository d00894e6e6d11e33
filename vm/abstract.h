/* The object protocol: what any value can be asked. All may run script (so collect) unless said otherwise. */
#ifndef AIO_ABSTRACT_H
#define AIO_ABSTRACT_H

#include "vm.h"

value obj_getattr(vm *vm, value o, str *name);
/* Absent (AttributeError): returns unbound with nothing raised; other errors: unbound and raised. */
value obj_getattr_opt(vm *vm, value o, str *name);
bool obj_setattr(vm *vm, value o, str *name, value v); /* v unbound: delete */
value obj_getitem(vm *vm, value o, value key);
bool obj_setitem(vm *vm, value o, value key, value v); /* v unbound: delete */
int obj_contains(vm *vm, value o, value key);
int64_t obj_len(vm *vm, value o);                           /* -1 raised */
int64_t obj_length_hint(vm *vm, value o, int64_t fallback); /* -1 raised */
value obj_iter(vm *vm, value o);
value obj_next(vm *vm, value it); /* V_STOP: exhausted; error: raised */
str *obj_repr(vm *vm, value o);   /* NULL raised */
str *obj_str(vm *vm, value o);
value obj_format(vm *vm, value o, value spec);                   /* spec str or unbound */
bool obj_hash(vm *vm, value o, uint64_t *out);                   /* "unhashable type: 'list'" */
int obj_truth(vm *vm, value o);                                  /* 1 0, -1 raised */
value obj_compare(vm *vm, value a, value b, enum compare_op op); /* rich: any value */
/* What is left of it after the class of `a` answered NotImplemented: b of class tb (NULL: was asked), else identity or
 * a TypeError. */
value obj_compare_reflected(vm *vm, value a, value b, type *tb, enum compare_op op);
int obj_compare_bool(vm *vm, value a, value b, enum compare_op op);
int obj_equal(vm *vm, value a, value b); /* identity first, then ==; -1 raised */
/* an int (of any size): "'str' object cannot be interpreted as an integer" */
value obj_index(vm *vm, value o);
/* clamped when exc_id is 0, else raises it on overflow */
bool obj_as_index(vm *vm, value o, int64_t *out, unsigned exc_id);
bool obj_is_callable(vm *vm, value o);
int obj_isinstance(vm *vm, value o, value cls); /* whole protocol; -1 raised */
int obj_issubclass(vm *vm, value c, value cls);

enum binary_op {
    OPR_ADD,
    OPR_SUB,
    OPR_MUL,
    OPR_MATMUL,
    OPR_TRUEDIV,
    OPR_FLOORDIV,
    OPR_MOD,
    OPR_DIVMOD,
    OPR_LSHIFT,
    OPR_RSHIFT,
    OPR_AND,
    OPR_OR,
    OPR_XOR,
    OPR_POW,
    OPR_COUNT
};
value obj_binary(vm *vm, enum binary_op op, value a, value b); /* whole protocol: reflected, concat, messages */
value obj_inplace(vm *vm, enum binary_op op, value a, value b);
value obj_pow3(vm *vm, value a, value b, value mod);
enum unary_op { OPR_NEG, OPR_POS, OPR_INVERT, OPR_NOT };
value obj_unary(vm *vm, enum unary_op op, value a);

/* Collect any iterable. NULL raised. */
struct list *obj_to_list(vm *vm, value o);
tuple *obj_to_tuple(vm *vm, value o);
/* Unpack exactly n items into out (CPython's messages). */
bool obj_unpack(vm *vm, value o, uint32_t n, value *out);
bool obj_unpack_star(vm *vm, value o, uint32_t before, uint32_t after, value *out); /* out[before] gets the list */

/* Recursion guard for repr of containers: 1 entered, 0 already inside (print "[...]"), -1 raised. */
int repr_enter(vm *vm, value o);
void repr_leave(vm *vm, value o);
struct str_builder;
/* One item of a container's repr, with the comma before all but the first; false: raised. */
bool repr_item(struct str_builder *b, size_t i, value item);
/* The text, with its last character; V_ERROR if not ok. */
value repr_end(struct str_builder *b, bool ok, char close);
#endif
