/* Packing of scripts for vm/pack.c. Looks for the longest repeat through chains of equal three bytes, and whether
 * waiting for one byte gives a better one. Runs on the build machine only: it may take its time.
 */
#include "pack.h"

#include <stdlib.h>
#include <string.h>

enum { HASH_BITS = 16, CHAIN_MOST = 1000 };

struct encoder {
    uint8_t *out;
    size_t n;
    uint64_t low;
    uint32_t range;
};

/* The sum's carry runs back through what is written. */
static void carry(struct encoder *e)
{
    if (e->low <= UINT32_MAX) return;
    size_t i = e->n;
    while (i > 0 && ++e->out[i - 1] == 0) i--;
    e->low &= UINT32_MAX;
}

static void shift(struct encoder *e)
{
    e->out[e->n++] = (uint8_t)(e->low >> 24);
    e->low = e->low << 8 & UINT32_MAX;
}

static void renew(struct encoder *e)
{
    carry(e);
    while (e->range < 1u << 24) {
        e->range <<= 8;
        shift(e);
    }
}

static void put_bit(struct encoder *e, uint16_t *p, unsigned bit)
{
    uint32_t bound = (e->range / PACK_ONE) * *p;
    if (bit) {
        e->low += bound;
        e->range -= bound;
        *p = (uint16_t)(*p - (*p >> PACK_RATE));
    } else {
        e->range = bound;
        *p = (uint16_t)(*p + ((PACK_ONE - *p) >> PACK_RATE));
    }
    renew(e);
}

static void put_tree(struct encoder *e, uint16_t *tree, unsigned bits, unsigned v)
{
    unsigned at = 1;
    while (bits--) {
        unsigned bit = v >> bits & 1;
        put_bit(e, &tree[at], bit);
        at = at << 1 | bit;
    }
}

static void put_raw(struct encoder *e, uint32_t v, unsigned bits)
{
    while (bits--) {
        e->range >>= 1;
        if (v >> bits & 1) e->low += e->range;
        renew(e);
    }
}

struct finder {
    const uint8_t *in;
    size_t n;
    size_t *head, *prev; /* positions + 1; 0: none */
};

static size_t hash_at(const uint8_t *p)
{
    return ((uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]) * UINT32_C(2654435761) >> (32 - HASH_BITS);
}

static void enter(struct finder *f, size_t at)
{
    if (at + 3 > f->n) return;
    size_t *head = &f->head[hash_at(f->in + at)];
    f->prev[at] = *head;
    *head = at + 1;
}

static size_t common(const struct finder *f, size_t a, size_t b)
{
    size_t k = 0;
    while (k < PACK_MOST && b + k < f->n && f->in[a + k] == f->in[b + k]) k++;
    return k;
}

/* What a repeat saves, in bits, roughly: a literal costs 5, a distance its bits and 8. */
static long worth(size_t length, size_t distance, size_t last)
{
    if (length < PACK_LEAST) return 0;
    long cost = 6;
    if (distance != last) {
        for (size_t d = distance; d; d >>= 1) cost++;
        cost += 3;
    }
    return (long)length * 5 - cost;
}

static long best(const struct finder *f, size_t at, size_t last, size_t *length, size_t *distance)
{
    long most = 0;
    *length = 0;
    if (last <= at && at) {
        size_t k = common(f, at - last, at);
        most = worth(k, last, last);
        *length = k, *distance = last;
    }
    if (at + 3 > f->n) return most > 0 ? most : 0;
    int chain = CHAIN_MOST;
    for (size_t p = f->head[hash_at(f->in + at)]; p && chain--; p = f->prev[p - 1]) {
        size_t k = common(f, p - 1, at);
        long w = worth(k, at - (p - 1), last);
        if (w > most) most = w, *length = k, *distance = at - (p - 1);
    }
    return most > 0 ? most : 0;
}

size_t pack_encode(const uint8_t *in, size_t start, size_t n, struct pack_model *m, uint8_t *out)
{
    struct encoder e = {.out = out, .range = UINT32_MAX};
    struct finder f = {in, n, calloc((size_t)1 << HASH_BITS, sizeof(size_t)), calloc(n + 1, sizeof(size_t))};
    if (!f.head || !f.prev) return SIZE_MAX;
    unsigned was_match = 0;
    size_t last = 1;
    for (size_t at = 0; at < start; at++) enter(&f, at);
    for (size_t at = start; at < n;) {
        size_t length, distance, length2, distance2;
        long w = best(&f, at, last, &length, &distance);
        enter(&f, at);
        if (w > 0 && at + 1 < n && best(&f, at + 1, last, &length2, &distance2) > w + 3) w = 0; /* a literal first */
        put_bit(&e, &m->match[was_match], w > 0);
        if (w == 0) {
            put_tree(&e, m->literal[at ? in[at - 1] >> 5 : 0], 8, in[at]);
            at++;
            was_match = 0;
            continue;
        }
        unsigned same = distance == last, bits = 0;
        put_bit(&e, &m->same[was_match], same);
        if (!same) {
            while (distance >> bits) bits++;
            put_tree(&e, m->bits, 5, bits);
            put_raw(&e, (uint32_t)(distance - ((size_t)1 << (bits - 1))), bits - 1);
            last = distance;
        }
        put_tree(&e, m->length[same], 8, (unsigned)(length - PACK_LEAST));
        for (size_t i = 1; i < length; i++) enter(&f, at + i);
        at += length;
        was_match = 1;
    }
    for (int i = 0; i < 4; i++) shift(&e);
    while (e.n && out[e.n - 1] == 0) e.n--; /* the reader finds zeros behind the end */
    free(f.head);
    free(f.prev);
    return e.n;
}
