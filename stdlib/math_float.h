/* Numerical routines of the math module that libm lacks, or where CPython's results differ from
 * libm's. Pure. */
#ifndef AIO_STDLIB_MATH_FLOAT_H
#define AIO_STDLIB_MATH_FLOAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Both: *pole where the function is undefined; an infinite result of a finite argument is an
 * overflow. */
double math_gamma(double x, bool *pole);
double math_lgamma(double x, bool *pole);

/* sqrt(sum of squares), nearly always correctly rounded. v[] is overwritten with absolute values.
 */
double math_norm(double *v, size_t n);

/* An exact sum of doubles: a two's complement number whose lowest bit is 2**-1074. */
#define MATH_SUM_WORDS 35
struct math_sum {
    uint64_t w[MATH_SUM_WORDS];
};
void math_sum_add(struct math_sum *s, double x);   /* finite */
double math_sum_round(const struct math_sum *s);   /* half to even; inf: overflow */
bool math_sum_overflows(const struct math_sum *s); /* |sum| >= 2**1024 */

#endif
