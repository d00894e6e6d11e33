/* The form in which frozen scripts lie in the library: repeated strings (LZ77) in adaptive binary range coding, about
 * a quarter of the text. vm/pack.c unpacks, tools/pack.c packs; both follow this model:
 *
 *   bit match[was_match]                   1: a repeat, 0: a literal
 *   a literal: 8 bits, a tree for each class of the byte before (its upper 3 bits)
 *   a repeat:  bit same[was_match]         1: from as far back as the last one
 *              else the number of bits of the distance (1..PACK_WINDOW_BITS), a tree of 5 bits, then its other
 *              bits, raw
 *              length - PACK_LEAST         8 bits, a tree for each of both ways
 *
 * All texts begin as if they followed one that has the commonest phrases of them all (the seed): repeats reach back
 * into it, and the probabilities are those at its end.
 *
 * A probability is 12 bits of a uint16_t; the coder is carry-less in 32 bits, big-endian bytes.
 */
#ifndef AIO_PACK_H
#define AIO_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACK_LEAST = 2, PACK_MOST = PACK_LEAST + 255, PACK_WINDOW_BITS = 24, PACK_ONE = 4096, PACK_RATE = 4 };

struct pack_model {
    uint16_t match[2], same[2], literal[8][256], bits[32], length[2][256];
};

static inline void pack_model_init(struct pack_model *m)
{
    uint16_t *p = (uint16_t *)(void *)m;
    for (size_t i = 0; i < sizeof *m / sizeof *p; i++) p[i] = PACK_ONE / 2;
}

struct pack_seed {
    const char *text;
    size_t length;
    struct pack_model model;
};

/* Unpacks exactly `length` bytes from the n at `in`; false: that is not what they hold. Without a seed it is one that
 * is unpacked, and `end` takes the model as it is then; else it is NULL. */
bool pack_decode(const uint8_t *in, size_t n, char *out, size_t length, const struct pack_seed *seed,
                 struct pack_model *end);

#endif
