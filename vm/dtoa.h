// Text <-> double, independent of the host's locale.
//
// Pure functions over the caller's buffers: no allocation, no state, a few KiB of stack at most.
// All results are exact: printing rounds the exact binary value half to even, reading gives the
// nearest double (ties to even), and the shortest form is the shortest text that reads back as the
// same double.

#ifndef AIO_VM_DTOA_H
#define AIO_VM_DTOA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Flags of dtoa_format.
enum {
    DTOA_SIGN = 1,     // '+' before what is not negative
    DTOA_DOT_0 = 2,    // modes 'r' and 'g': "1.0" where "1" would look like an int
    DTOA_ALT = 4,      // '#': always a point, and 'g' keeps its trailing zeros
    DTOA_NO_NEG_0 = 8, // 'z': what rounds to zero has no minus sign
};

#define DTOA_REPR_MAX      32        // enough for every dtoa_repr
#define DTOA_HEX_MAX       32        // enough for every dtoa_hex
#define DTOA_PRECISION_MAX (1 << 20) // the highest precision dtoa_format takes

// repr(x), which is also str(x): "0.1", "1.0", "1e+16", "-0.0", "inf", "nan". Returns the length;
// no NUL is added.
size_t dtoa_repr(char buf[DTOA_REPR_MAX], double x);

// Formats as mode 'e' 'E' 'f' 'F' 'g' 'G' say in C's printf, or as 'r' (shortest; the precision is
// ignored). The upper-case modes also write "INF" and "NAN". A nan has no sign. Returns the length
// of the whole text; when that is more than size nothing is written (as a first call with size 0
// does, to ask for the length). No NUL is added. 0 <= precision <= DTOA_PRECISION_MAX.
size_t dtoa_format(char *buf, size_t size, double x, char mode, int precision, unsigned flags);

// x rounded half to even at 10**-places, as round(x, places) does. A result beyond the doubles
// comes back as inf.
double dtoa_round(double x, int places);

// Reads digits [. digits] [e [sign] digits] with an optional sign before it. The caller has checked
// the syntax (a lexer has); underscores are skipped. Overflow gives inf, underflow 0.
double dtoa_parse(const char *s, size_t n);

// Checks and reads what float() takes: the above with underscores between digits only, or inf,
// infinity, nan in any case. No surrounding space. False when s is none of these.
bool dtoa_parse_text(const char *s, size_t n, double *out);

// float.hex(): "0x1.8000000000000p+1", "-0x0.0p+0", "inf", "nan". Returns the length.
size_t dtoa_hex(char buf[DTOA_HEX_MAX], double x);

enum dtoa_hex_status { DTOA_HEX_OK, DTOA_HEX_SYNTAX, DTOA_HEX_OVERFLOW };

// float.fromhex(), with surrounding ASCII space allowed.
enum dtoa_hex_status dtoa_parse_hex(const char *s, size_t n, double *out);

// 10**k as a 128-bit fraction: floor(10**k / 2**dtoa_pow10_exp(k)), whose top bit is set. The
// quotient is exact when 0 <= k <= 55. Shared by the two halves of this module.
struct dtoa_pow10 {
    uint64_t hi, lo;
};

#define DTOA_POW10_MIN (-342)
#define DTOA_POW10_MAX 324

extern const struct dtoa_pow10 dtoa_pow10_table[DTOA_POW10_MAX - DTOA_POW10_MIN + 1];

static inline int dtoa_floor_log2_pow10(int k)
{
    return (int)(((int64_t)k * 1741647) >> 19); // right for |k| <= 1233
}

static inline int dtoa_pow10_exp(int k) { return dtoa_floor_log2_pow10(k) - 127; }

static inline bool dtoa_pow10_exact(int k) { return k >= 0 && k <= 55; }

#endif
