/* dict inside vm/: the layout of its storage and the lookups that the interpreter inlines.
 *
 * One allocation holds everything: usable(log2) entries in insertion order, then the index (1 << log2 slots of
 * 1, 2 or 4 bytes, open addressing with CPython's probe sequence), then, in large dicts, one card byte per 16
 * entries. A slot holds an entry's number, DICT_EMPTY or DICT_DEAD.
 *
 * Invariants
 *  1. A dead entry has an unbound key; its slot is DICT_DEAD. entries[fill..) are unused.
 *  2. At most two thirds of the slots are not empty, so every probe ends: fill <= cap <= usable(log2), and cap
 *     shrinks with fill where popitem takes entries off the end and leaves dead slots.
 *  3. DICT_STRKEYS: all keys are exact strs. Then a lookup of a str runs no script and can't fail.
 *  4. A lookup starts again if the script that it ran replaced the storage or the entry it was at.
 *  5. version is 0 or names this layout: it is reset by what moves an entry, and by no store into one.
 *  6. Card bytes are 0 unless GC_CARDS is set.
 */
#ifndef AIO_DICT_H
#define AIO_DICT_H

#include "types_api.h"

enum { DICT_EMPTY = -1, DICT_DEAD = -2 };
enum { DICT_ABSENT = -1, DICT_ERROR = -2, DICT_ASK = -2 };
enum { DICT_MIN_LOG2 = 3, DICT_CARD_LOG2 = 9, DICT_CARD_SHIFT = 4, DICT_MAX_LOG2 = 31 };

static inline size_t dict_usable(uint32_t log2) { return ((size_t)2 << log2) / 3; }
static inline size_t dict_index_bytes(uint32_t log2) { return (size_t)1 << (log2 + (log2 >= 8) + (log2 >= 16)); }
static inline size_t dict_ncards(uint32_t log2)
{
    return log2 >= DICT_CARD_LOG2 ? (dict_usable(log2) + (1 << DICT_CARD_SHIFT) - 1) >> DICT_CARD_SHIFT : 0;
}
static inline size_t dict_bytes(uint32_t log2)
{
    return dict_usable(log2) * sizeof(dict_entry) + dict_index_bytes(log2) + dict_ncards(log2);
}
static inline uint8_t *dict_cards(const dict *d) { return (uint8_t *)d->index + dict_index_bytes(d->log2); }

static inline int64_t dict_slot(const dict *d, size_t i)
{
    if (d->log2 < 8) return ((const int8_t *)d->index)[i];
    if (LIKELY(d->log2 < 16)) return ((const int16_t *)d->index)[i];
    return ((const int32_t *)d->index)[i];
}
#define DICT_PROBE_NEXT(i, perturb, mask) ((perturb) >>= 5, (i) = ((i)*5 + (size_t)(perturb) + 1) & (mask))

void dict_remember(vm *vm, dict *d, size_t ix);
/* After d->entries[ix] was stored into. */
static inline void dict_barrier(vm *vm, dict *d, size_t ix)
{
    if (UNLIKELY(d->h.gc & GC_BARRIER)) dict_remember(vm, d, ix);
}

static inline uint64_t dict_hash_int(value key)
{
    int64_t n = value_as_int(key);
    return n == -1 ? (uint64_t)-2 : (uint64_t)n;
}
static inline uint64_t dict_hash_str(vm *vm, str *s)
{
    return LIKELY(s->h.flags & STR_HASHED) ? s->hash : str_hash(vm, s);
}

/* The entry of a small int; DICT_ASK: a key of another type has its hash, use dict_lookup. */
static inline int64_t dict_find_int(const dict *d, value key)
{
    if (!d->used) return DICT_ABSENT;
    uint64_t hash = dict_hash_int(key), perturb = hash;
    size_t mask = ((size_t)1 << d->log2) - 1, i = hash & mask;
    for (;;) {
        int64_t ix = dict_slot(d, i);
        if (LIKELY(ix >= 0)) {
            const dict_entry *e = &d->entries[ix];
            if (LIKELY(e->key.bits == key.bits)) return ix;
            if (UNLIKELY(e->hash == hash && !value_is_int(e->key))) return DICT_ASK;
        } else if (ix == DICT_EMPTY) {
            return DICT_ABSENT;
        }
        DICT_PROBE_NEXT(i, perturb, mask);
    }
}

/* The entry of a str in a dict that has DICT_STRKEYS. */
static inline int64_t dict_find_in_strs(vm *vm, const dict *d, str *key)
{
    if (!d->used) return DICT_ABSENT;
    uint64_t hash = dict_hash_str(vm, key), perturb = hash;
    size_t mask = ((size_t)1 << d->log2) - 1, i = hash & mask;
    for (;;) {
        int64_t ix = dict_slot(d, i);
        if (LIKELY(ix >= 0)) {
            const dict_entry *e = &d->entries[ix];
            if (LIKELY(value_as_obj(e->key) == &key->h)) return ix;
            if (e->hash == hash && str_eq(AS(str, e->key), key)) return ix;
        } else if (ix == DICT_EMPTY) {
            return DICT_ABSENT;
        }
        DICT_PROBE_NEXT(i, perturb, mask);
    }
}

/* d[k] for small ints and strs without script; unbound: absent or not that simple. */
static inline value dict_get_fast(vm *vm, dict *d, value k)
{
    int64_t ix;
    if (value_is_exact(k, TYPE_STR) && (d->h.flags & DICT_STRKEYS)) ix = dict_find_in_strs(vm, d, AS(str, k));
    else if (value_is_int(k)) ix = dict_find_int(d, k);
    else return V_UNBOUND;
    return LIKELY(ix >= 0) ? d->entries[ix].val : V_UNBOUND;
}

bool dict_hash_key(vm *vm, value key, uint64_t *hash); /* false: raised */
/* The entry's number, DICT_ABSENT or DICT_ERROR (raised). Any key; may run script, whose values the caller roots. */
int64_t dict_lookup(vm *vm, dict *d, value key, uint64_t hash);
/* key is absent; no script; false: raised */
bool dict_insert_new(vm *vm, dict *d, value key, uint64_t hash, value v);
bool dict_set_hashed(vm *vm, dict *d, value key, uint64_t hash, value v);
void dict_delete_at(vm *vm, dict *d, int64_t ix);
bool dict_reserve(vm *vm, dict *d, size_t n); /* room for n entries in all */
dict *dict_new_sized(vm *vm, size_t n);
bool dict_merge(vm *vm, dict *d, dict *from);             /* from's entries as they lie there */
dict *dict_union(vm *vm, dict *a, dict *b);               /* a | b as a plain dict; NULL raised */
value dict_subscript(vm *vm, value self, value key);      /* d[key] with __missing__ and KeyError */
bool dict_popitem(vm *vm, dict *d, value *key, value *v); /* the last one; false: empty (nothing raised) */
value dict_iter_new(vm *vm, unsigned type_id, dict *d);
value dictview_new(vm *vm, unsigned type_id, value of);
/* element n of an update sequence; false: raised */
bool dict_pair(vm *vm, value item, size_t n, value *key, value *v);
bool dict_has_own_iter(vm *vm, value v); /* a dict whose class redefines __iter__ */
void dict_methods_fill(vm *vm, type *t); /* dict_methods.c */
void dict_views_fill(vm *vm);            /* dict_view.c */

#endif
