/* The value word: one 64-bit word that is an int, a double, an immediate or a reference.
 *
 *   0                          unbound / empty / "error" as a native's result
 *   0x0000 pppp pppp pppp      reference to a heap object: dereferenced as it is
 *   0x0001 ...                 immediates
 *   0x0002.. to 0xFFFA..       double: its bits + 2<<48
 *   0xFFFC.. to 0xFFFF..       int n in [-2^49, 2^49): INT_BASE + n, INT_BASE = 0xFFFE<<48
 *
 * Invariants
 *  1. Both-int test: (a & b) >= INT_TAG. Neither doubles nor pointers ever have the upper 14 bits set.
 *  2. x86's default NaN (0xFFF8...) becomes 0xFFFA...; only NaNs from outside (with the sign and
 *     payload bits set higher) must be canonicalised: value_float does so.
 *  3. Zeroed memory is a valid array of unbound values.
 *  4. An int is in the word whenever it fits: heap ints never hold a value in [-2^49, 2^49).
 *     So equal small ints are equal words, and `is` on them agrees with ==.
 */
#ifndef AIO_VALUE_H
#define AIO_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint64_t bits;
} value;
typedef struct object object;

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define INT_TAG    (UINT64_C(0xFFFC) << 48)
#define INT_BASE   (UINT64_C(0xFFFE) << 48)
#define DOUBLE_OFF (UINT64_C(0x0002) << 48)
#define IMM_TAG    (UINT64_C(0x0001) << 48)
#define SMALL_MIN  (-(INT64_C(1) << 49))
#define SMALL_MAX  ((INT64_C(1) << 49) - 1)

#define V_UNBOUND        ((value){0})
#define V_ERROR          ((value){0})           /* what a native returns after raising */
#define V_NONE           ((value){IMM_TAG | 1}) /* not | 0: value_is_obj */
#define V_FALSE          ((value){IMM_TAG | 2})
#define V_TRUE           ((value){IMM_TAG | 3})
#define V_ELLIPSIS       ((value){IMM_TAG | 4})
#define V_NOTIMPLEMENTED ((value){IMM_TAG | 5})
#define V_STOP           ((value){IMM_TAG | 8})  /* slot `next`: exhausted, no exception is set */
#define V_RETRY          ((value){IMM_TAG | 9})  /* native: collect fully, call me once more */
#define V_DELETED        ((value){IMM_TAG | 10}) /* hash tables: a dead entry */

static inline bool value_is(value a, value b) { return a.bits == b.bits; }
static inline bool value_is_int(value v) { return v.bits >= INT_TAG; } /* small int only */
static inline bool value_both_int(value a, value b) { return (a.bits & b.bits) >= INT_TAG; }
static inline bool value_is_float(value v) { return v.bits - DOUBLE_OFF < INT_TAG - DOUBLE_OFF; }
/* 1..2^48: no value has the last one's bits, and a shift is shorter than a comparison with 48 bits. */
static inline bool value_is_obj(value v) { return (v.bits - 1) >> 48 == 0; }
/* The same for a value that is known to be bound. */
static inline bool value_is_heap(value v) { return v.bits >> 48 == 0; }
static inline bool value_is_bool(value v) { return (v.bits | 1) == (IMM_TAG | 3); }
static inline bool value_is_none(value v) { return v.bits == V_NONE.bits; }
static inline bool value_is_unbound(value v) { return v.bits == 0; }
static inline bool value_is_error(value v) { return v.bits == 0; }

static inline int64_t value_as_int(value v) { return (int64_t)(v.bits - INT_BASE); }
static inline bool int_fits(int64_t n) { return n >= SMALL_MIN && n <= SMALL_MAX; }
/* n must fit; use int_from_i64(vm, n) when it may not: more bits would make a pointer of it. */
static inline value value_int(int64_t n)
{
#ifdef __SANITIZE_ADDRESS__
    if (!int_fits(n)) __builtin_trap();
#endif
    return (value){INT_BASE + (uint64_t)n};
}
static inline value value_bool(bool b) { return b ? V_TRUE : V_FALSE; }
static inline double value_as_float(value v)
{
    uint64_t b = v.bits - DOUBLE_OFF;
    double d;
    memcpy(&d, &b, sizeof d);
    return d;
}
static inline value value_float(double d)
{
    uint64_t b;
    memcpy(&b, &d, sizeof b);
    if (UNLIKELY(d != d)) b = UINT64_C(0x7FF8) << 48 | (b & UINT64_C(0x8000) << 48);
    return (value){b + DOUBLE_OFF};
}
/* For results of our own arithmetic, whose NaN is the default one. */
static inline value value_float_arith(double d)
{
    uint64_t b;
    memcpy(&b, &d, sizeof b);
    return (value){b + DOUBLE_OFF};
}
static inline object *value_as_obj(value v) { return (object *)(uintptr_t)v.bits; }
/* Accepts any heap object pointer. */
static inline value value_obj(const void *o) { return (value){(uint64_t)(uintptr_t)o}; }

#endif
