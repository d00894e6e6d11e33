/* --shuffle: the entries of a turn in an order drawn from a seed. What programs may rely on (which turn something runs
 * in) stays; what they should not rely on (the order within a turn) changes. */
#include "runtime/loop.h"

/* splitmix64: the same order for the same seed on every machine. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void loop_shuffle(vm *vm, loop *l)
{
    runtime *rt = runtime_of(vm);
    size_t mask = l->qcap - 1;
    l->qclean = l->qtraced = 0;
    if (l->h.gc & GC_BARRIER) gc_remember_card(vm, &l->h, &l->qcard);
    for (size_t n = l->todo; n > 1; n--) {
        ready *a = &l->queue[(l->qhead + n - 1) & mask],
              *b = &l->queue[(l->qhead + draw(&rt->shuffle_state) % n) & mask], t = *a;
        *a = *b;
        *b = t;
    }
}
