/* dict: storage, lookup, insertion, deletion. Invariants: dict.h; methods: dict_methods.c; views: dict_view.c. */
#include "dict.h"

#include "iter.h"
#include "list.h"

/* ---- the index ---- */

static inline void dict_put_slot(const dict *d, size_t i, int64_t ix)
{
    if (d->log2 < 8) ((int8_t *)d->index)[i] = (int8_t)ix;
    else if (d->log2 < 16) ((int16_t *)d->index)[i] = (int16_t)ix;
    else ((int32_t *)d->index)[i] = (int32_t)ix;
}

/* A slot for a new key: the first that holds no entry. */
static inline size_t dict_free_slot(const dict *d, uint64_t hash)
{
    uint64_t perturb = hash;
    size_t mask = ((size_t)1 << d->log2) - 1, i = hash & mask;
    while (dict_slot(d, i) >= 0) DICT_PROBE_NEXT(i, perturb, mask);
    return i;
}

/* Numbers entries[0, n) in an index that is empty. */
static inline __attribute__((always_inline)) void dict_index_width(dict *d, size_t n, uint32_t log2)
{
    const dict_entry *e = d->entries;
    size_t mask = ((size_t)1 << d->log2) - 1;
    for (size_t ix = 0; ix < n; ix++) {
        uint64_t hash = e[ix].hash, perturb = hash;
        size_t i = hash & mask;
        if (log2 < 8) {
            int8_t *slots = d->index;
            while (slots[i] >= 0) DICT_PROBE_NEXT(i, perturb, mask);
            slots[i] = (int8_t)ix;
        } else if (log2 < 16) {
            int16_t *slots = d->index;
            while (slots[i] >= 0) DICT_PROBE_NEXT(i, perturb, mask);
            slots[i] = (int16_t)ix;
        } else {
            int32_t *slots = d->index;
            while (slots[i] >= 0) DICT_PROBE_NEXT(i, perturb, mask);
            slots[i] = (int32_t)ix;
        }
    }
}

static void dict_make_index(dict *d, size_t n)
{
    memset(d->index, 0xFF, dict_index_bytes(d->log2));
    if (d->log2 < 8) dict_index_width(d, n, 7);
    else if (d->log2 < 16) dict_index_width(d, n, 15);
    else dict_index_width(d, n, 31);
}

static size_t dict_slot_of(const dict *d, int64_t ix)
{
    uint64_t hash = d->entries[ix].hash, perturb = hash;
    size_t mask = ((size_t)1 << d->log2) - 1, i = hash & mask;
    while (dict_slot(d, i) != ix) DICT_PROBE_NEXT(i, perturb, mask);
    return i;
}

void dict_remember(vm *vm, dict *d, size_t ix)
{
    if (d->log2 >= DICT_CARD_LOG2) gc_remember_card(vm, &d->h, &dict_cards(d)[ix >> DICT_CARD_SHIFT]);
    else gc_remember(vm, &d->h);
}

/* New storage with 1 << log2 slots, the live entries moved together. */
static bool dict_rebuild(vm *vm, dict *d, uint32_t log2)
{
    if (log2 > DICT_MAX_LOG2) {
        raise_memory(vm);
        return false;
    }
    dict_entry *entries = mem_alloc(vm, dict_bytes(log2));
    if (!entries) return false;
    if (d->h.gc & GC_CARDS) gc_barrier(vm, d);
    dict_entry *old = d->entries;
    uint32_t old_log2 = d->log2;
    size_t n = d->used;
    if (n == d->fill) {
        if (n) memcpy(entries, old, n * sizeof *entries);
    } else {
        dict_entry *out = entries;
        for (size_t i = 0; i < d->fill; i++) {
            if (!value_is_unbound(old[i].key)) *out++ = old[i];
        }
    }
    d->entries = entries;
    d->index = entries + dict_usable(log2);
    d->log2 = log2;
    d->cap = dict_usable(log2);
    d->fill = n;
    d->first = 0;
    d->version = 0;
    memset(dict_cards(d), 0, dict_ncards(log2));
    dict_make_index(d, n);
    if (old) mem_free(vm, old, dict_bytes(old_log2));
    return true;
}

static uint32_t dict_log2_for(size_t slots)
{
    uint32_t log2 = DICT_MIN_LOG2;
    while (((size_t)1 << log2) < slots && log2 <= DICT_MAX_LOG2) log2++;
    return log2;
}

bool dict_reserve(vm *vm, dict *d, size_t n)
{
    if (n <= d->cap) return true;
    if (n > (size_t)1 << 40) {
        raise_memory(vm);
        return false;
    }
    return dict_rebuild(vm, d, dict_log2_for((n * 3 + 1) / 2));
}

/* ---- making ---- */

dict *dict_new(vm *vm)
{
    dict *d = gc_new_fast(vm, K_DICT, TYPE_DICT, sizeof *d);
    if (UNLIKELY(!d)) return NULL;
    d->h.flags = DICT_STRKEYS;
    gc_note_parts(&d->h);
    return d;
}

dict *dict_new_sized(vm *vm, size_t n)
{
    dict *d = dict_new(vm);
    return !d || n == 0 || dict_reserve(vm, d, n) ? d : NULL;
}

/* All of `from` into d, which has no entries, with room for `n` in all. Nothing is compared: the keys differ. */
static bool dict_fill(vm *vm, dict *d, const dict *from, size_t n)
{
    bool compact = from->used == from->fill && from->cap == dict_usable(from->log2);
    uint32_t log2 = compact && n <= from->cap ? from->log2 : dict_log2_for((n * 3 + 1) / 2);
    if (n > (size_t)1 << 40 || log2 > DICT_MAX_LOG2) {
        raise_memory(vm);
        return false;
    }
    dict_entry *entries = d->entries, *out;
    bool fresh = !entries || d->log2 < log2 || d->cap != dict_usable(d->log2);
    if (fresh && !(entries = mem_alloc(vm, dict_bytes(log2)))) return false;
    gc_barrier(vm, d);
    if (fresh) {
        if (d->entries) mem_free(vm, d->entries, dict_bytes(d->log2));
        d->entries = entries;
        d->log2 = log2;
        d->cap = dict_usable(log2);
        d->index = entries + d->cap;
        memset(dict_cards(d), 0, dict_ncards(log2));
    }
    if (from->used == from->fill) {
        memcpy(entries, from->entries, from->fill * sizeof *entries);
    } else {
        out = entries;
        for (size_t i = 0; i < from->fill; i++) {
            if (!value_is_unbound(from->entries[i].key)) *out++ = from->entries[i];
        }
    }
    if (compact && d->log2 == from->log2) memcpy(d->index, from->index, dict_index_bytes(d->log2));
    else dict_make_index(d, from->used);
    d->used = d->fill = from->used;
    d->first = 0;
    d->version = 0;
    d->mutations++;
    d->h.flags = (uint16_t)((d->h.flags & ~DICT_STRKEYS) | (from->h.flags & DICT_STRKEYS));
    return true;
}

dict *dict_copy(vm *vm, dict *d)
{
    dict *c = dict_new(vm);
    return !c || d->used == 0 || dict_fill(vm, c, d, d->used) ? c : NULL;
}

dict *dict_union(vm *vm, dict *a, dict *b)
{
    dict *c = dict_new(vm);
    if (!c || (a->used && !dict_fill(vm, c, a, a->used + b->used))) return NULL;
    ROOTS(vm, &c);
    return dict_merge(vm, c, b) ? c : NULL;
}

void dict_clear(vm *vm, dict *d)
{
    dict_entry *old = d->entries;
    size_t bytes = old ? dict_bytes(d->log2) : 0;
    d->entries = NULL;
    d->index = NULL;
    d->log2 = 0;
    d->used = d->fill = d->cap = d->first = 0;
    d->version = 0;
    d->mutations++;
    d->h.flags |= DICT_STRKEYS;
    if (old) mem_free(vm, old, bytes);
}

/* ---- lookup ---- */

bool dict_hash_key(vm *vm, value key, uint64_t *hash)
{
    if (value_is_int(key)) *hash = dict_hash_int(key);
    else if (value_is_exact(key, TYPE_STR)) *hash = dict_hash_str(vm, AS(str, key));
    else return obj_hash(vm, key, hash);
    return true;
}

/* A key of the same hash that is not identical: equal? 1 0 -1. The script may change d. */
static int dict_keys_equal(vm *vm, dict *d, value have, value key)
{
    int r = value_equal_fast(have, key);
    if (r >= 0) return r;
    ROOTS(vm, &d, &have, &key);
    return obj_equal(vm, have, key);
}

int64_t dict_lookup(vm *vm, dict *d, value key, uint64_t hash)
{
    if ((d->h.flags & DICT_STRKEYS) && value_is_exact(key, TYPE_STR)) return dict_find_in_strs(vm, d, AS(str, key));
restart:
    if (!d->used) return DICT_ABSENT;
    uint64_t perturb = hash;
    size_t mask = ((size_t)1 << d->log2) - 1, i = hash & mask;
    for (;;) {
        int64_t ix = dict_slot(d, i);
        if (ix >= 0) {
            dict_entry *e = &d->entries[ix];
            if (e->key.bits == key.bits) return ix;
            if (e->hash == hash) {
                value have = e->key;
                uint32_t log2 = d->log2;
                int r = dict_keys_equal(vm, d, have, key);
                if (r < 0) return DICT_ERROR;
                if (e != d->entries + ix || d->log2 != log2 || e->key.bits != have.bits) goto restart;
                if (r) return ix;
            }
        } else if (ix == DICT_EMPTY) {
            return DICT_ABSENT;
        }
        DICT_PROBE_NEXT(i, perturb, mask);
    }
}

/* The hash and the entry of a key. *hash is set unless the result is DICT_ERROR. */
static int64_t dict_search(vm *vm, dict *d, value key, uint64_t *hash)
{
    if (value_is_int(key)) {
        *hash = dict_hash_int(key);
        int64_t ix = dict_find_int(d, key);
        if (LIKELY(ix != DICT_ASK)) return ix;
    } else if (value_is_exact(key, TYPE_STR)) {
        *hash = dict_hash_str(vm, AS(str, key));
        if (LIKELY(d->h.flags & DICT_STRKEYS)) return dict_find_in_strs(vm, d, AS(str, key));
    } else {
        ROOTS(vm, &d, &key);
        if (!obj_hash(vm, key, hash)) return DICT_ERROR;
        return dict_lookup(vm, d, key, *hash);
    }
    ROOTS(vm, &d, &key);
    return dict_lookup(vm, d, key, *hash);
}

value dict_get(vm *vm, dict *d, value key)
{
    uint64_t hash;
    int64_t ix = dict_search(vm, d, key, &hash);
    return ix >= 0 ? d->entries[ix].val : V_UNBOUND;
}

int64_t dict_find_str(vm *vm, dict *d, str *key)
{
    if (LIKELY(d->h.flags & DICT_STRKEYS)) return dict_find_in_strs(vm, d, key);
    uint64_t hash = dict_hash_str(vm, key);
    ROOTS(vm, &d, &key);
    return dict_lookup(vm, d, value_obj(key), hash);
}

value dict_get_str(vm *vm, dict *d, str *key)
{
    int64_t ix = dict_find_str(vm, d, key);
    return ix >= 0 ? d->entries[ix].val : V_UNBOUND;
}

/* ---- insertion and deletion ---- */

/* A key that is absent; slot: where a search for it has found that. */
static inline bool dict_insert_at(vm *vm, dict *d, size_t slot, value key, uint64_t hash, value v)
{
    if (UNLIKELY(d->fill >= d->cap)) {
        if (!dict_rebuild(vm, d, dict_log2_for(d->used * 3))) return false;
        slot = dict_free_slot(d, hash);
    }
    size_t ix = d->fill;
    dict_put_slot(d, slot, (int64_t)ix);
    d->entries[ix] = (dict_entry){key, v, hash};
    d->fill = ix + 1;
    d->used++;
    d->version = 0;
    d->mutations++;
    if (!value_is_exact(key, TYPE_STR)) d->h.flags &= (uint16_t)~DICT_STRKEYS;
    dict_barrier(vm, d, ix);
    return true;
}

bool dict_insert_new(vm *vm, dict *d, value key, uint64_t hash, value v)
{
    return dict_insert_at(vm, d, d->fill >= d->cap ? 0 : dict_free_slot(d, hash), key, hash, v);
}

/* In a dict with storage: the entry of a key, or DICT_ABSENT with *slot the place for its number, or DICT_ASK: a
 * comparison would have to run script. */
static inline __attribute__((always_inline)) int64_t dict_probe_fast(const dict *d, value key, uint64_t hash, bool strs,
                                                                     size_t *slot)
{
    uint64_t perturb = hash;
    size_t mask = ((size_t)1 << d->log2) - 1, i = hash & mask, dead = SIZE_MAX;
    for (;;) {
        int64_t ix = dict_slot(d, i);
        if (ix >= 0) {
            const dict_entry *e = &d->entries[ix];
            if (e->key.bits == key.bits) return ix;
            if (e->hash == hash) {
                int r = strs ? str_eq(AS(str, e->key), AS(str, key)) : value_equal_fast(e->key, key);
                if (r) return r < 0 ? DICT_ASK : ix;
            }
        } else if (ix == DICT_EMPTY) {
            *slot = dead != SIZE_MAX ? dead : i;
            return DICT_ABSENT;
        } else if (dead == SIZE_MAX) {
            dead = i;
        }
        DICT_PROBE_NEXT(i, perturb, mask);
    }
}

static __attribute__((noinline)) int64_t dict_lookup_rooted(vm *vm, dict *d, value key, uint64_t hash, value v)
{
    ROOTS(vm, &d, &key, &v);
    return dict_lookup(vm, d, key, hash);
}

bool dict_set_hashed(vm *vm, dict *d, value key, uint64_t hash, value v)
{
    size_t slot = 0;
    int64_t ix = LIKELY(d->entries) ? dict_probe_fast(d, key, hash, false, &slot) : DICT_ABSENT;
    if (ix == DICT_ABSENT) return dict_insert_at(vm, d, slot, key, hash, v);
    if (UNLIKELY(ix == DICT_ASK)) {
        ix = dict_lookup_rooted(vm, d, key, hash, v);
        if (ix == DICT_ERROR) return false;
        if (ix == DICT_ABSENT) return dict_insert_new(vm, d, key, hash, v);
    }
    d->entries[ix].val = v;
    dict_barrier(vm, d, (size_t)ix);
    return true;
}

static __attribute__((noinline)) bool dict_set_slow(vm *vm, dict *d, value key, value v)
{
    uint64_t hash;
    ROOTS(vm, &d, &key, &v);
    return dict_hash_key(vm, key, &hash) && dict_set_hashed(vm, d, key, hash, v);
}

bool dict_set(vm *vm, dict *d, value key, value v)
{
    int64_t ix;
    uint64_t hash;
    size_t slot = 0;
    if (value_is_exact(key, TYPE_STR) && (d->h.flags & DICT_STRKEYS)) {
        hash = dict_hash_str(vm, AS(str, key));
        ix = LIKELY(d->entries) ? dict_probe_fast(d, key, hash, true, &slot) : DICT_ABSENT;
    } else if (value_is_int(key)) {
        hash = dict_hash_int(key);
        ix = LIKELY(d->entries) ? dict_probe_fast(d, key, hash, false, &slot) : DICT_ABSENT;
        if (UNLIKELY(ix == DICT_ASK)) return dict_set_slow(vm, d, key, v);
    } else {
        return dict_set_slow(vm, d, key, v);
    }
    if (ix < 0) return dict_insert_at(vm, d, slot, key, hash, v);
    d->entries[ix].val = v;
    dict_barrier(vm, d, (size_t)ix);
    return true;
}

bool dict_set_str(vm *vm, dict *d, str *key, value v) { return dict_set(vm, d, value_obj(key), v); }

void dict_delete_at(vm *vm, dict *d, int64_t ix)
{
    (void)vm;
    dict_put_slot(d, dict_slot_of(d, ix), DICT_DEAD);
    d->entries[ix] = (dict_entry){V_UNBOUND, V_DELETED, 0};
    d->used--;
    if ((size_t)ix == d->first)
        while (d->first < d->fill && value_is_unbound(d->entries[d->first].key)) d->first++;
    d->version = 0;
    d->mutations++;
}

int dict_del(vm *vm, dict *d, value key)
{
    uint64_t hash;
    ROOTS(vm, &d);
    int64_t ix = dict_search(vm, d, key, &hash);
    if (ix < 0) return ix == DICT_ABSENT ? 0 : -1;
    dict_delete_at(vm, d, ix);
    return 1;
}

value dict_pop_str(vm *vm, dict *d, str *key)
{
    ROOTS(vm, &d);
    int64_t ix = dict_find_str(vm, d, key);
    if (ix < 0) return V_UNBOUND;
    value v = d->entries[ix].val;
    dict_delete_at(vm, d, ix);
    return v;
}

bool dict_popitem(vm *vm, dict *d, value *key, value *v)
{
    if (d->used == 0) return false;
    size_t ix = d->fill - 1;
    while (value_is_unbound(d->entries[ix].key)) ix--;
    *key = d->entries[ix].key;
    *v = d->entries[ix].val;
    dict_delete_at(vm, d, (int64_t)ix);
    d->cap -= d->fill - ix; /* their slots stay dead until the next rebuilding */
    d->fill = ix;
    if (d->first > ix) d->first = ix;
    return true;
}

bool dict_next(const dict *d, size_t *pos, value *key, value *val)
{
    for (size_t i = *pos < d->first ? d->first : *pos; i < d->fill; i++) {
        const dict_entry *e = &d->entries[i];
        if (value_is_unbound(e->key)) continue;
        if (key) *key = e->key;
        if (val) *val = e->val;
        *pos = i + 1;
        return true;
    }
    *pos = d->fill;
    return false;
}

uint32_t dict_version(vm *vm, dict *d)
{
    /* When the numbers are used up nothing is cached any more. */
    if (!d->version && vm->dict_version != UINT32_MAX) d->version = ++vm->dict_version;
    return d->version;
}

/* ---- merging ---- */

bool dict_merge(vm *vm, dict *d, dict *from)
{
    if (d == from || from->used == 0) return true;
    if (d->used == 0) return dict_fill(vm, d, from, from->used);
    ROOTS(vm, &d, &from);
    if (d->cap - d->fill < from->used && !dict_reserve(vm, d, d->used + from->used)) return false;
    bool strs = d->h.flags & from->h.flags & DICT_STRKEYS;
    for (size_t i = 0; i < from->fill; i++) {
        dict_entry e = from->entries[i];
        if (value_is_unbound(e.key)) continue;
        if (strs) { /* no script runs: nothing changes but d */
            size_t slot;
            int64_t ix = dict_probe_fast(d, e.key, e.hash, true, &slot);
            if (ix == DICT_ABSENT) {
                if (!dict_insert_at(vm, d, slot, e.key, e.hash, e.val)) return false;
            } else {
                d->entries[ix].val = e.val;
                dict_barrier(vm, d, (size_t)ix);
            }
            continue;
        }
        uint64_t mutations = from->mutations;
        if (!dict_set_hashed(vm, d, e.key, e.hash, e.val)) return false;
        if (from->mutations != mutations) {
            raise(vm, EXC_RuntimeError, "dict mutated during update");
            return false;
        }
    }
    return true;
}

bool dict_has_own_iter(vm *vm, value v) { return type_of(vm, v)->s.iter != T(vm, DICT)->s.iter; }

static bool dict_update_mapping(vm *vm, dict *d, value other)
{
    value keys = V_UNBOUND, it = V_UNBOUND, key = V_UNBOUND, v;
    ROOTS(vm, &d, &other, &keys, &it, &key);
    keys = vm_call_method(vm, other, N(vm, keys), NULL, 0);
    if (value_is_error(keys)) return false;
    it = obj_iter(vm, keys);
    if (value_is_error(it)) return false;
    for (;;) {
        key = iter_step(vm, it);
        if (key.bits == V_STOP.bits) return true;
        if (value_is_error(key)) return false;
        v = obj_getitem(vm, other, key);
        if (value_is_error(v) || !dict_set(vm, d, key, v)) return false;
    }
}

bool dict_pair(vm *vm, value item, size_t n, value *key, value *v)
{
    value *items;
    size_t len;
    ROOTS(vm, &item);
    if (!list_or_tuple(item, &items, &len)) {
        tuple *t = obj_to_tuple(vm, item);
        if (!t) {
            if (exc_matches(vm, EXC_TypeError) && !type_of(vm, item)->s.iter) {
                exc_clear(vm);
                raise_type_error(vm, "cannot convert dictionary update sequence element #%zu to a sequence", n);
            }
            return false;
        }
        items = t->items;
        len = t->len;
    }
    if (len != 2) {
        raise_value_error(vm, "dictionary update sequence element #%zu has length %zu; 2 is required", n, len);
        return false;
    }
    *key = items[0];
    *v = items[1];
    return true;
}

static bool dict_update_pairs(vm *vm, dict *d, value other)
{
    value it = V_UNBOUND, item = V_UNBOUND, key, v;
    ROOTS(vm, &d, &it, &item);
    it = obj_iter(vm, other);
    if (value_is_error(it)) return false;
    for (size_t n = 0;; n++) {
        item = iter_step(vm, it);
        if (item.bits == V_STOP.bits) return true;
        if (value_is_error(item) || !dict_pair(vm, item, n, &key, &v) || !dict_set(vm, d, key, v)) return false;
        if (UNLIKELY(!vm_tick(vm, 1))) return false;
    }
}

bool dict_update(vm *vm, dict *d, value other)
{
    if (IS_DICT(other) && !dict_has_own_iter(vm, other)) return dict_merge(vm, d, AS(dict, other));
    ROOTS(vm, &d, &other);
    value keys = obj_getattr_opt(vm, other, N(vm, keys));
    if (value_is_unbound(keys)) return !raised(vm) && dict_update_pairs(vm, d, other);
    return dict_update_mapping(vm, d, other);
}

/* ---- the collector's side ---- */

static void dict_mark_entries(vm *vm, dict *d, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        gc_mark_value(vm, d->entries[i].key);
        gc_mark_value(vm, d->entries[i].val);
    }
}

static void dict_traverse(vm *vm, object *o)
{
    dict *d = (dict *)(void *)o;
    dict_mark_entries(vm, d, 0, d->fill);
    if (UNLIKELY(d->slots != NULL)) gc_mark_slots(vm, o, d->slots);
}

static void dict_walk_cards(vm *vm, object *o, bool mark)
{
    dict *d = (dict *)(void *)o;
    size_t n = d->entries ? dict_ncards(d->log2) : 0;
    if (n == 0) return;
    uint8_t *cards = dict_cards(d);
    for (uint8_t *c = cards; (c = memchr(c, 1, n - (size_t)(c - cards))); c++) {
        *c = 0;
        size_t from = (size_t)(c - cards) << DICT_CARD_SHIFT, to = from + (1 << DICT_CARD_SHIFT);
        if (to > d->fill) to = d->fill;
        if (mark && from < to) dict_mark_entries(vm, d, from, to);
    }
}

static void dict_free(vm *vm, object *o)
{
    dict *d = (dict *)(void *)o;
    if (d->entries) mem_free(vm, d->entries, dict_bytes(d->log2));
    if (UNLIKELY(d->slots != NULL)) object_slots_free(vm, o, d->slots);
}

void type_init_dict(vm *vm)
{
    static const gc_kind_ops ops = {
        .traverse = dict_traverse, .free = dict_free, .cards = dict_walk_cards, .tells_parts = true};
    gc_register_kind(vm, K_DICT, &ops);
    dict_methods_fill(vm, T(vm, DICT));
    dict_views_fill(vm);
}
