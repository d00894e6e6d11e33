/* set and frozenset inside vm/.
 *
 * The table is CPython's, probe for probe, so that sets of ints, floats, bools and tuples of them print in the
 * same order: 8 slots at first, runs of 9 neighbours, growth by 4 (by 2 beyond 50,000 items) at three fifths.
 *
 * Invariants
 *  1. table is NULL (an empty set that never held anything: mask 7) or has mask + 1 entries: those in the set itself
 *     (small, mask 7) or in a buffer of its own (SET_BUFFER), there followed by one card byte per 32 entries if there
 *     are more than SET_CARD_MIN.
 *  2. An unused entry is all zero. A dead one (SET_DEAD) has key V_DELETED and hash -1, which no key has.
 *  3. A new key takes the last dead entry that its search met, else the unused one it ended at. fill counts
 *     used and dead entries; at least one entry is unused, so every search ends.
 *  4. Card bytes are 0 unless GC_CARDS is set.
 *  5. `hash` is a frozenset's hash, 0 until known; in a set it is where pop goes on.
 */
#ifndef AIO_SET_H
#define AIO_SET_H

#include "types_api.h"

enum {
    SET_BUFFER = 1 /* header flag */,
    SET_MIN = 8,
    SET_LINEAR = 9,
    SET_CARD_SHIFT = 5,
    SET_CARD_MIN = GC_CARD_MIN / sizeof(set_entry)
};

static inline bool set_entry_live(const set_entry *e)
{
    return !value_is_unbound(e->key) && e->key.bits != V_DELETED.bits;
}
static inline bool set_is(value v) { return value_is_kind(v, K_SET); }

int set_find(vm *vm, set *s, value v, uint64_t hash); /* 1 0 -1 */
bool set_add_hashed(vm *vm, set *s, value v, uint64_t hash);
int set_discard_hashed(vm *vm, set *s, value v, uint64_t hash); /* 1 removed, 0 absent, -1 raised */
bool set_resize(vm *vm, set *s, size_t minused);
bool set_merge(vm *vm, set *s, set *other);
/* The next live entry from *pos on; the table is read anew each time. */
static inline bool set_next(const set *s, size_t *pos, value *key, uint64_t *hash)
{
    if (!s->table) return false;
    for (size_t i = *pos; i <= s->mask; i++) {
        if (!set_entry_live(&s->table[i])) continue;
        *key = s->table[i].key;
        if (hash) *hash = s->table[i].hash;
        *pos = i + 1;
        return true;
    }
    *pos = s->mask + 1;
    return false;
}
void set_clear(vm *vm, set *s);
set *set_alloc(vm *vm, uint32_t shape);
void set_swap_bodies(vm *vm, set *a, set *b);
/* set_ops.c. In-place ones take any iterable. */
set *set_copy(vm *vm, set *s); /* plain set or frozenset, as s is */
set *set_make(vm *vm, unsigned type_id, value iterable);
bool set_update(vm *vm, set *s, value other);
set *set_intersection(vm *vm, set *s, value other);
set *set_difference(vm *vm, set *s, value other);
bool set_difference_update(vm *vm, set *s, value other);
bool set_symmetric_difference_update(vm *vm, set *s, value other);
int set_issubset(vm *vm, set *s, value other);
int set_issuperset(vm *vm, set *s, value other);
int set_isdisjoint(vm *vm, set *s, value other);
void set_methods_fill(vm *vm); /* set_methods.c */

#endif
