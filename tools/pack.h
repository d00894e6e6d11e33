/* The packing half of vm/pack.h, for tools/freeze.c. */
#ifndef AIO_TOOLS_PACK_H
#define AIO_TOOLS_PACK_H

#include "vm/pack.h"

/* Packs n bytes into `out`, which has room for PACK_BOUND(n); the size. SIZE_MAX: out of memory. */
#define PACK_BOUND(n) ((n)*2 + 16)
size_t pack_encode(const uint8_t *in, size_t n, uint8_t *out);

#endif
