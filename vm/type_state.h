/* What the type system keeps per VM, besides the method cache: vm->state[VMS_TYPES]. */
#ifndef AIO_TYPE_STATE_H
#define AIO_TYPE_STATE_H

#include "vm.h"

enum { DUNDER_MAP = 512 };

typedef struct type_state {
    uint32_t dead_shapes; /* ids that wait for shape_recycle_ids */
    uint32_t serial;      /* source of type.serial */
    uint32_t nlayouts;    /* userdata.c: index in header.flags of K_USERDATA objects */
    uint32_t caplayouts;
    const type_layout **layouts;
    struct repr_entry {
        object *o;
        thread *in;
    } repr_stack[64], *repr_more; /* containers whose repr is running, beyond 64 in repr_more */
    uint32_t nrepr, caprepr;
    struct {
        const str *name;
        uint16_t row;
    } dunders[DUNDER_MAP]; /* name -> first row + 1 of dunders.def */
} type_state;

static inline type_state *type_state_of(vm *vm) { return vm->state[VMS_TYPES]; }

bool shape_open(vm *vm);
void userdata_open(vm *vm);
void types_close(vm *vm);                            /* frees what types_open took, after the heap is gone */
unsigned layout_index(vm *vm, const type_layout *l); /* 0: raised */

#endif
