/* The hot halves of set.h: searching and adding where no script has to run. */
#ifndef AIO_SET_INLINE_H
#define AIO_SET_INLINE_H

#include "list.h"
#include "set.h"

/* set.c */
void set_remember(vm *vm, set *s, size_t i);
void set_make_table(set *s);
int set_find_slow(vm *vm, set *s, value key, uint64_t hash); /* set_find with script; roots its arguments */
bool set_grow(vm *vm, set *s, set_entry *added);             /* the set got full by the entry `added` */

static inline void set_need_table(set *s)
{
    if (UNLIKELY(!s->table)) set_make_table(s);
}

/* Into a table without dead entries where the key is known to be absent. */
static inline set_entry *set_insert_clean(set_entry *table, size_t mask, value key, uint64_t hash)
{
    uint64_t perturb = hash;
    size_t i = hash & mask;
    if (LIKELY(value_is_unbound(table[i].key))) {
        table[i] = (set_entry){key, hash};
        return &table[i];
    }
    for (;;) {
        set_entry *e = &table[i];
        size_t probes = i + SET_LINEAR <= mask ? SET_LINEAR : 0;
        do {
            if (value_is_unbound(e->key)) {
                *e = (set_entry){key, hash};
                return e;
            }
            e++;
        } while (probes--);
        perturb >>= 5;
        i = (i * 5 + 1 + (size_t)perturb) & mask;
    }
}

/* The position of the key, or of the unused entry where the search ended, where no comparison needs script: 1 found,
 * 0 not; 2: one does need it. *dead: the last dead entry on the way, or SIZE_MAX. The table is there. */
static inline int set_probe_fast(const set *s, value key, uint64_t hash, size_t *at, size_t *dead)
{
    const set_entry *table = s->table;
    size_t mask = s->mask, i = hash & mask;
    uint64_t perturb = hash;
    *dead = SIZE_MAX;
    uint64_t home = table[i].key.bits; /* mostly that settles it */
    if (LIKELY(home == key.bits || home == 0)) {
        *at = i;
        return home != 0;
    }
    for (;;) {
        const set_entry *e = &table[i];
        size_t probes = i + SET_LINEAR <= mask ? SET_LINEAR : 0;
        do {
            if (e->key.bits == key.bits || value_is_unbound(e->key)) {
                *at = (size_t)(e - table);
                return e->key.bits == key.bits;
            }
            if (UNLIKELY(e->key.bits == V_DELETED.bits)) {
                *dead = (size_t)(e - table);
            } else if (e->hash == hash) {
                int r = value_equal_fast(e->key, key);
                if (r < 0) return 2;
                if (r) {
                    *at = (size_t)(e - table);
                    return 1;
                }
            }
            e++;
        } while (probes--);
        perturb >>= 5;
        i = (i * 5 + 1 + (size_t)perturb) & mask;
    }
}

/* For a key that is known to be absent, in a set without dead entries. */
static inline bool set_add_absent(vm *vm, set *s, value v, uint64_t hash)
{
    set_need_table(s);
    set_entry *e = set_insert_clean(s->table, s->mask, v, hash);
    s->fill++;
    s->used++;
    s->mutations++;
    if (UNLIKELY(s->h.gc & GC_BARRIER)) set_remember(vm, s, (size_t)(e - s->table));
    return LIKELY(s->fill * 5 < s->mask * 3) || set_grow(vm, s, e);
}

/* set_add_hashed, its usual end inline: the key is in its first place, or that is free. */
static inline bool set_put(vm *vm, set *s, value v, uint64_t hash)
{
    set_need_table(s);
    set_entry *e = &s->table[hash & s->mask];
    if (e->key.bits == v.bits) return true;
    if (!value_is_unbound(e->key)) return set_add_hashed(vm, s, v, hash);
    *e = (set_entry){v, hash};
    s->fill++;
    s->used++;
    s->mutations++;
    if (UNLIKELY(s->h.gc & GC_BARRIER)) set_remember(vm, s, (size_t)(e - s->table));
    return LIKELY(s->fill * 5 < s->mask * 3) || set_grow(vm, s, e);
}

#endif
