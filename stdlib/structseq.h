/* Tuples with named fields: time.struct_time and its like.
 *
 * The first `visible` fields are the items of the tuple; further ones are attributes only. */
#ifndef AIO_STDLIB_STRUCTSEQ_H
#define AIO_STDLIB_STRUCTSEQ_H

#include "vm/types_api.h"

enum { STRUCTSEQ_MAX_VISIBLE = 20, STRUCTSEQ_MAX_HIDDEN = 9 };

typedef struct structseq_spec {
    const char *name, *doc;   /* "time.struct_time" */
    const getset_def *fields; /* STRUCTSEQ_FIELD, then STRUCTSEQ_HIDDEN, ended by {0} */
} structseq_spec;

/* The n-th item; the n-th field beyond the items. */
#define STRUCTSEQ_FIELD(N, NAME, DOC)       \
    {                                       \
        NAME, structseq_item_##N, NULL, DOC \
    }
#define STRUCTSEQ_HIDDEN(N, NAME, DOC)        \
    {                                         \
        NAME, structseq_hidden_##N, NULL, DOC \
    }

#define STRUCTSEQ_ITEMS(X) \
    X(0)                   \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19)
#define STRUCTSEQ_HIDDENS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#define X(N)                 value structseq_item_##N(vm *vm, value self);
STRUCTSEQ_ITEMS(X)
#undef X
#define X(N) value structseq_hidden_##N(vm *vm, value self);
STRUCTSEQ_HIDDENS(X)
#undef X

type *structseq_type(vm *vm, const structseq_spec *spec); /* NULL raised */
/* values: all fields, hidden ones last. They are rooted by the caller, or immediate. */
value structseq_new(vm *vm, type *t, const value *values);

#endif
