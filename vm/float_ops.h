/* Float arithmetic between value words in memory, for the interpreter. On x86 a float is loaded, un-tagged, computed,
 * tagged and stored in vector registers.
 *
 * No tag is tested on the way: what is no float becomes a NaN when it is un-tagged (pointers and immediates lie below
 * DOUBLE_OFF and wrap round, ints have all exponent bits left), and so does every result computed from it. So a result
 * that is a number proves that all operands were floats; only a NaN needs a look at them. */
#ifndef AIO_FLOAT_OPS_H
#define AIO_FLOAT_OPS_H

#include "value.h"

#ifdef __SSE2__
#include <emmintrin.h>
typedef __m128d float_reg;
/* From memory, though the word is in an integer register too. */
#define FLOAT_LOAD(LVALUE)                                                           \
    ({                                                                               \
        __m128i x_;                                                                  \
        __asm__("movq %1, %0" : "=x"(x_) : "m"(LVALUE));                             \
        _mm_castsi128_pd(_mm_sub_epi64(x_, _mm_set1_epi64x((long long)DOUBLE_OFF))); \
    })
static inline float_reg float_from(double d) { return _mm_set_sd(d); }
static inline void float_store(value *p, float_reg x)
{
    __m128i tagged = _mm_add_epi64(_mm_castpd_si128(x), _mm_set1_epi64x((long long)DOUBLE_OFF));
    _mm_storel_epi64((__m128i *)(void *)p, tagged);
}
static inline bool float_is_number(float_reg x) { return !__builtin_isunordered(x[0], x[0]); }
/* Neither 0.0 nor a NaN. */
static inline bool float_is_divisor(float_reg x) { return __builtin_islessgreater(x[0], 0.0); }
static inline float_reg float_add(float_reg x, float_reg y) { return _mm_add_sd(x, y); }
static inline float_reg float_sub(float_reg x, float_reg y) { return _mm_sub_sd(x, y); }
static inline float_reg float_mul(float_reg x, float_reg y) { return _mm_mul_sd(x, y); }
static inline float_reg float_div(float_reg x, float_reg y) { return _mm_div_sd(x, y); }
#else
typedef double float_reg;
#define FLOAT_LOAD(LVALUE) value_as_float(LVALUE)
static inline float_reg float_from(double d) { return d; }
static inline void float_store(value *p, float_reg x) { *p = value_float_arith(x); }
static inline bool float_is_number(float_reg x) { return x == x; }
static inline bool float_is_divisor(float_reg x) { return __builtin_islessgreater(x, 0.0); }
static inline float_reg float_add(float_reg x, float_reg y) { return x + y; }
static inline float_reg float_sub(float_reg x, float_reg y) { return x - y; }
static inline float_reg float_mul(float_reg x, float_reg y) { return x * y; }
static inline float_reg float_div(float_reg x, float_reg y) { return x / y; }
#endif
#endif
