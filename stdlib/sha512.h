/* SHA-512 (FIPS 180-4), one-shot. */
#ifndef AIO_STDLIB_SHA512_H
#define AIO_STDLIB_SHA512_H

#include <stddef.h>
#include <stdint.h>

#define SHA512_SIZE 64

void sha512(const uint8_t *p, size_t n, uint8_t out[SHA512_SIZE]);

#endif
