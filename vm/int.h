/* The inside of the int type, shared by int.c (values, small arithmetic, slots), int_big.c
 * (arithmetic of any length), int_text.c (reading and printing) and int_methods.c. Others use
 * types_api.h.
 *
 * Invariants
 *  1. A plain int is the value word when it fits 50 bits, else an int64 cell when it fits 64, else a bigint: one
 *     number, one form.
 *  2. A bigint's digits are 60 bits each, least significant first, the top one is not zero.
 *  3. Everything named big_* may pass a safepoint before it computes. It roots its own operands; a
 * caller that keeps other values over the call roots those.
 */
#ifndef AIO_INT_H
#define AIO_INT_H

#include "vm.h"
#include "types_api.h"

#define DIGIT_BITS 60
#define DIGIT_MASK ((UINT64_C(1) << DIGIT_BITS) - 1)

typedef unsigned __int128 u128;
typedef __int128 i128;

/* The magnitude of a plain int as digits, whatever its form. `d` may point into the view itself, so
 * a view must not be copied. */
struct int_view {
    const uint64_t *d;
    int32_t used;
    int32_t sign; /* 1: negative */
    uint64_t own[2];
};
void int_view_of(struct int_view *w, value v);

/* int.c */
bool int_to_i128(value v, i128 *out); /* plain; false beyond 120 bits */
value int_from_i128(vm *vm, i128 n);
value int_from_digits(vm *vm, const uint64_t *d, size_t n, bool negative);
uint64_t int_bit_length(value v); /* plain: of |v| */
value int_neg(vm *vm, value v);   /* plain */
value int_shift(vm *vm, value a, value n, bool left);
value int_pow_mod(vm *vm, value a, value b, value mod); /* three-argument pow; plain */
value int_round(vm *vm, value v, value ndigits);        /* v.__round__(ndigits), plain */

/* Charges `ops` digit operations; false: raised. A safepoint. */
bool int_charge(vm *vm, uint64_t ops);

/* int_big.c: plain ints of any form */
value big_add(vm *vm, value a, value b, bool subtract);
value big_mul(vm *vm, value a, value b);
bool big_divmod(vm *vm, value a, value b, value *q, value *r); /* floor; q or r may be NULL; b is not 0 */
value big_bitwise(vm *vm, enum binary_op op, value a, value b);
value big_shl(vm *vm, value a, uint64_t n);
value big_shr(vm *vm, value a, uint64_t n);
value big_true_divide(vm *vm, value a, value b);
value big_pow_mod(vm *vm, value a, value e, value m); /* 0 <= a < m, e >= 0, m > 1 */
value big_gcd(vm *vm, value a, value b);              /* int_gcd.c */
bool big_to_double(vm *vm, value v, double *out);     /* false: too large, nothing raised */

/* Digit arrays: no allocation, no safepoint, unless a vm is passed. */
size_t digits_trim(const uint64_t *d, size_t n);
int digits_compare(const uint64_t *a, size_t na, const uint64_t *b, size_t nb);
uint64_t digits_mul_add_1(uint64_t *r, const uint64_t *a, size_t n, uint64_t m, uint64_t add); /* carry */
uint64_t digits_div_1(uint64_t *q, const uint64_t *a, size_t n, uint64_t d);                   /* remainder */
void digits_add_to(uint64_t *r, const uint64_t *b, size_t nb); /* r += b; the carry stays inside r */
/* r[0..na+nb) = a * b; r overlaps neither. false: raised. No safepoint: charge before. */
void digits_sub(uint64_t *r, const uint64_t *a, size_t na, const uint64_t *b, size_t nb); /* r = a - b >= 0 */
bool digits_mul(vm *vm, uint64_t *r, const uint64_t *a, size_t na, const uint64_t *b, size_t nb);
uint64_t digits_mul_cost(size_t na, size_t nb);
/* a = q * b + r; q has na - nb + 1 digits, r has nb (either may be NULL). nb >= 1, na >= nb, b's
 * top digit is not zero. Safepoints between rows: whoever owns a and b is rooted. false: raised. */
bool digits_divide(vm *vm, uint64_t *q, uint64_t *r, const uint64_t *a, size_t na, const uint64_t *b, size_t nb);

/* A bigint with room for n digits; refuses what is beyond the VM's limit. NULL: raised. */
bigint *big_new(vm *vm, size_t n);
bigint *big_new_unset(vm *vm, size_t n); /* the digits are garbage */
/* The plain int in b: trims, and gives the short forms their due. b is the caller's own fresh
 * object. */
value big_done(vm *vm, bigint *b);

/* int_text.c */
value int_from_text(vm *vm, value text, int base); /* int(text, base): str, bytes or bytearray, CPython's messages */
/* Strips white space and turns Unicode's decimal digits into ASCII, in a buffer of the VM's (*cap
 * bytes, to be freed) unless the text is ASCII already (*cap 0). Other characters become '?'. NULL:
 * raised. */
char *text_to_ascii(vm *vm, str *s, size_t *n, size_t *cap);

/* int_methods.c */
void int_fill_methods(vm *vm);

#endif
