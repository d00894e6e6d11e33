/* The module _random. */
#ifndef AIO_STDLIB_RANDOM_H
#define AIO_STDLIB_RANDOM_H

#include "vm/vm.h"

bool random_init(vm *vm, module *m); /* fills the fresh module `_random` */

#endif
