/* Unpacking of frozen scripts; the format is described in pack.h. */
#include "pack.h"

struct decoder {
    const uint8_t *p, *end;
    uint32_t range, code;
};

static unsigned next_byte(struct decoder *d) { return d->p < d->end ? *d->p++ : 0; }

static void renew(struct decoder *d)
{
    while (d->range < 1u << 24) {
        d->range <<= 8;
        d->code = d->code << 8 | next_byte(d);
    }
}

static unsigned get_bit(struct decoder *d, uint16_t *p)
{
    uint32_t bound = (d->range / PACK_ONE) * *p;
    unsigned bit = d->code >= bound;
    if (bit) {
        d->code -= bound;
        d->range -= bound;
        *p = (uint16_t)(*p - (*p >> PACK_RATE));
    } else {
        d->range = bound;
        *p = (uint16_t)(*p + ((PACK_ONE - *p) >> PACK_RATE));
    }
    renew(d);
    return bit;
}

static unsigned get_tree(struct decoder *d, uint16_t *tree, unsigned bits)
{
    unsigned at = 1;
    for (unsigned i = 0; i < bits; i++) at = at << 1 | get_bit(d, &tree[at]);
    return at - (1u << bits);
}

static uint32_t get_raw(struct decoder *d, unsigned bits)
{
    uint32_t v = 0;
    while (bits--) {
        d->range >>= 1;
        unsigned bit = d->code >= d->range;
        if (bit) d->code -= d->range;
        v = v << 1 | bit;
        renew(d);
    }
    return v;
}

bool pack_decode(const uint8_t *in, size_t n, char *out, size_t length, const struct pack_seed *seed,
                 struct pack_model *end)
{
    struct pack_model m;
    size_t before = seed ? seed->length : 0; /* how far one can reach back behind `out` */
    struct decoder d = {in, in + n, UINT32_MAX, 0};
    if (seed) m = seed->model;
    else pack_model_init(&m);
    for (int i = 0; i < 4; i++) d.code = d.code << 8 | next_byte(&d);
    unsigned was_match = 0;
    size_t distance = 1;
    uint8_t last = before ? (uint8_t)seed->text[before - 1] : 0;
    for (size_t at = 0; at < length;) {
        if (!get_bit(&d, &m.match[was_match])) {
            out[at] = (char)get_tree(&d, m.literal[last >> 5], 8);
            last = (uint8_t)out[at++];
            was_match = 0;
            continue;
        }
        unsigned same = get_bit(&d, &m.same[was_match]);
        if (!same) {
            unsigned bits = get_tree(&d, m.bits, 5);
            if (bits < 1 || bits > PACK_WINDOW_BITS) return false;
            distance = (size_t)1 << (bits - 1) | get_raw(&d, bits - 1);
        }
        size_t run = get_tree(&d, m.length[same], 8) + PACK_LEAST;
        if (distance > at + before || run > length - at) return false;
        for (; run; run--, at++) out[at] = distance > at ? seed->text[before + at - distance] : out[at - distance];
        last = (uint8_t)out[at - 1];
        was_match = 1;
    }
    if (end) *end = m;
    return true;
}
