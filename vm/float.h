/* What the number types share beyond types_api.h. */
#ifndef AIO_FLOAT_H
#define AIO_FLOAT_H

#include "types_api.h"

value float_pow(vm *vm, double x, double y);                 /* x ** y: may be complex */
void float_divmod(double x, double y, double *q, double *r); /* floor division; y is not 0 */
int float_compare_int(vm *vm, double x, value n);            /* exact; x is not nan, n a plain int; -1 0 1 */
/* A number for mixed arithmetic: float, or int (converted). false: neither (nothing raised), or
 * raised. */
bool float_operand(vm *vm, value v, double *out);

value complex_new(vm *vm, double re, double im);
value complex_pow(vm *vm, double ar, double ai, double br, double bi);

#endif
