/* What the files of the module itertools share: one layout for nearly all its iterators. */
#ifndef AIO_STDLIB_ITERTOOLS_H
#define AIO_STDLIB_ITERTOOLS_H

#include "module_state.h"
#include "vm/iter.h"
#include "vm/list.h"

/* The meaning of the fields is each type's affair; v[] are references. */
typedef struct itdata {
    value v[4];
    int64_t i, n, k;
    int64_t *index; /* combinatoric ones: nindex positions */
    size_t nindex;
} itdata;

static inline itdata *it_data(value self) { return (itdata *)(void *)AS(userdata, self)->body; }
static inline void it_set(vm *vm, value self, int field, value v)
{
    it_data(self)->v[field] = v;
    gc_barrier(vm, value_as_obj(self));
}
value it_new(vm *vm, type *t);     /* a fresh instance, fields zero; error: raised */
value it_self(vm *vm, value self); /* the iter slot */
extern const type_layout it_layout;

/* Keywords that a type's constructor may refuse: not those of a subclass with an __init__ of its own, which may take
 * them. */
static inline value it_strict(const type *t, value kwnames)
{
    const type *own = t;
    while (own->flags & TF_HEAP) own = own->base;
    return t->s.init != own->s.init ? V_UNBOUND : kwnames;
}

/* NAME_fill, from NAME_new and NAME_next. */
#define IT_FILL(NAME)                             \
    static void NAME##_fill(struct type_slots *s) \
    {                                             \
        s->new_ = NAME##_new;                     \
        s->iter = it_self;                        \
        s->next = NAME##_next;                    \
    }

/* One row of a table of types. */
struct it_type {
    type_spec spec;
    enum module_state_id id;
    bool hidden; /* not a name of the module */
};

/* itertools_reduce.c */
extern const native_def it_compress_methods[], it_function_methods[], it_while_methods[], it_accumulate_methods[],
    it_cycle_methods[], it_islice_methods[], it_zip_longest_methods[], it_product_methods[], it_permutations_methods[],
    it_combinations_methods[], it_combinations_wr_methods[], it_chain_methods[];
value it_chain_from_iterable(vm *vm, value *args, uint32_t nargs, value kwnames); /* itertools.c */

extern const struct it_type it_comb_types[], it_group_types[];
extern const size_t it_comb_count, it_group_count;
extern const native_def it_group_functions[];

#endif
