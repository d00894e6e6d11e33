/* The two halves of the math module. */
#ifndef AIO_STDLIB_MATH_MODULE_H
#define AIO_STDLIB_MATH_MODULE_H

#include "vm/int.h"

bool math_init(vm *vm, module *m); /* fills the fresh module `math` */

extern const native_def math_int_functions[];

#endif
