/* The files of the module _collections. */
#ifndef AIO_STDLIB_COLLECTIONS_H
#define AIO_STDLIB_COLLECTIONS_H

#include "module_state.h"
#include "vm/slot_table.h"

bool deque_add(vm *vm, module *m);        /* deque.c */
bool ordered_dict_add(vm *vm, module *m); /* ordered_dict.c */

#endif
