/* The packing half of vm/pack.h, for tools/freeze.c. */
#ifndef AIO_TOOLS_PACK_H
#define AIO_TOOLS_PACK_H

#include "vm/pack.h"

/* Packs what follows the first `start` bytes of `in`, which are the text of the seed, into `out`, which has room for
 * PACK_BOUND(n); the size. `m` is the model at the end of the seed, a fresh one for the seed itself, and is changed.
 * SIZE_MAX: out of memory. */
#define PACK_BOUND(n) ((n)*2 + 16)
size_t pack_encode(const uint8_t *in, size_t start, size_t n, struct pack_model *m, uint8_t *out);

#endif
