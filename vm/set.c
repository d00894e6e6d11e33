/* set and frozenset: the table. Operations are in set_ops.c, methods in set_methods.c. Invariants: set.h. */
#include "set_inline.h"

#include "dict.h"
#include "list.h"

/* ---- storage ---- */

static size_t set_ncards(size_t size)
{
    return size > SET_CARD_MIN ? (size + (1 << SET_CARD_SHIFT) - 1) >> SET_CARD_SHIFT : 0;
}
static size_t set_bytes(size_t size) { return size * sizeof(set_entry) + set_ncards(size); }
static uint8_t *set_cards(const set *s) { return (uint8_t *)(s->table + s->mask + 1); }

void set_remember(vm *vm, set *s, size_t i)
{
    if (s->mask >= SET_CARD_MIN) gc_remember_card(vm, &s->h, &set_cards(s)[i >> SET_CARD_SHIFT]);
    else gc_remember(vm, &s->h);
}

/* The first table of a set, or its next after set_clear. */
void set_make_table(set *s)
{
    memset(s->small, 0, sizeof s->small);
    s->table = s->small;
}

set *set_alloc(vm *vm, uint32_t shape)
{
    _Static_assert(sizeof((set *)0)->small == SET_MIN * sizeof(set_entry), "the least table");
    set *s = gc_new_raw(vm, K_SET, shape, sizeof *s);
    if (UNLIKELY(!s) && !(s = gc_new(vm, K_SET, shape, sizeof *s))) return NULL;
    memset((char *)s + sizeof(object), 0, offsetof(set, small) - sizeof(object));
    s->mask = SET_MIN - 1;
    return s;
}

static void set_free_table(vm *vm, set *s)
{
    if (s->h.flags & SET_BUFFER) mem_free(vm, s->table, set_bytes(s->mask + 1));
    s->h.flags &= (uint16_t)~SET_BUFFER;
}

set *set_new(vm *vm, unsigned type_id) { return set_alloc(vm, type_id); }

void set_clear(vm *vm, set *s)
{
    set_free_table(vm, s);
    s->table = NULL;
    s->mask = SET_MIN - 1;
    s->used = s->fill = 0;
    s->hash = 0;
    s->mutations++;
}

bool set_resize(vm *vm, set *s, size_t minused)
{
    size_t size = SET_MIN;
    while (size <= minused) size <<= 1;
    if (size > (size_t)1 << 40) {
        raise_memory(vm);
        return false;
    }
    set_entry *table = s->small, *old = s->table, few[SET_MIN];
    if (size > SET_MIN && !(table = mem_zalloc(vm, set_bytes(size)))) return false;
    if (s->h.gc & GC_CARDS) gc_barrier(vm, s);
    size_t n = old ? s->mask + 1 : 0;
    if (size == SET_MIN) {
        if (old == table) old = memcpy(few, old, sizeof few);
        memset(table, 0, sizeof few);
    }
    if (s->used) {
        for (size_t i = 0; i < n; i++) {
            if (set_entry_live(&old[i])) set_insert_clean(table, size - 1, old[i].key, old[i].hash);
        }
    }
    set_free_table(vm, s);
    s->table = table;
    s->mask = size - 1;
    s->fill = s->used;
    s->mutations++;
    if (size > SET_MIN) {
        s->h.flags |= SET_BUFFER;
        gc_note_parts(&s->h);
    }
    return true;
}

/* The table of `from`, which is to be given another. */
static void set_take_body(set *s, const set *from)
{
    s->table = from->table;
    if (from->table && !(from->h.flags & SET_BUFFER)) {
        memcpy(s->small, from->small, sizeof s->small);
        s->table = s->small;
    }
    s->mask = from->mask;
    s->used = from->used;
    s->fill = from->fill;
    s->hash = 0;
    s->mutations++;
    s->h.flags = (uint16_t)((s->h.flags & ~SET_BUFFER) | (from->h.flags & SET_BUFFER));
    if (s->h.flags & SET_BUFFER) gc_note_parts(&s->h);
}

void set_swap_bodies(vm *vm, set *a, set *b)
{
    gc_barrier(vm, a);
    gc_barrier(vm, b);
    set t = *a;
    set_take_body(a, b);
    set_take_body(b, &t);
}

/* ---- lookup ---- */

/* A key of the same hash that is not identical: equal? 1 0 -1. The script may change s. */
static int set_keys_equal(vm *vm, set *s, value have, value key)
{
    int r = value_equal_fast(have, key);
    if (r >= 0) return r;
    ROOTS(vm, &s, &have, &key);
    return obj_equal(vm, have, key);
}

/* The position of the key, or of the unused entry where the search ended. 1 found, 0 not, -1 raised.
 * *dead: the last dead entry on the way, or SIZE_MAX. */
static int set_probe(vm *vm, set *s, value key, uint64_t hash, size_t *at, size_t *dead)
{
restart:;
    *dead = SIZE_MAX;
    set_entry *table = s->table;
    size_t mask = s->mask, i = hash & mask;
    uint64_t perturb = hash;
    for (;;) {
        set_entry *e = &table[i];
        size_t probes = i + SET_LINEAR <= mask ? SET_LINEAR : 0;
        do {
            if (e->key.bits == key.bits) {
                *at = (size_t)(e - table);
                return 1;
            }
            if (value_is_unbound(e->key)) {
                *at = (size_t)(e - table);
                if (*dead != SIZE_MAX && table[*dead].key.bits != V_DELETED.bits) *dead = SIZE_MAX; /* by script */
                return 0;
            }
            if (e->key.bits == V_DELETED.bits) {
                *dead = (size_t)(e - table);
            } else if (e->hash == hash) {
                value have = e->key;
                int r = set_keys_equal(vm, s, have, key);
                if (r < 0) return -1;
                if (s->table != table || s->mask != mask || e->key.bits != have.bits) {
                    set_need_table(s);
                    goto restart;
                }
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

int set_find_slow(vm *vm, set *s, value key, uint64_t hash)
{
    size_t at, dead;
    ROOTS(vm, &s, &key);
    return set_probe(vm, s, key, hash, &at, &dead);
}

int set_find(vm *vm, set *s, value v, uint64_t hash)
{
    size_t at, dead;
    if (s->used == 0) return 0;
    int r = set_probe_fast(s, v, hash, &at, &dead);
    return LIKELY(r < 2) ? r : set_find_slow(vm, s, v, hash);
}

bool set_grow(vm *vm, set *s, set_entry *added)
{
    if (set_resize(vm, s, s->used > 50000 ? s->used * 2 : s->used * 4)) return true;
    *added = (set_entry){0}; /* no memory: undo, so that an unused entry remains */
    s->used--;
    s->fill--;
    return false;
}

bool set_add_hashed(vm *vm, set *s, value v, uint64_t hash)
{
    size_t at, dead;
    set_need_table(s);
    int r = set_probe_fast(s, v, hash, &at, &dead);
    if (UNLIKELY(r == 2)) {
        ROOTS(vm, &s, &v);
        r = set_probe(vm, s, v, hash, &at, &dead);
    }
    if (r) return r > 0;
    if (dead != SIZE_MAX) at = dead;
    else s->fill++;
    s->table[at] = (set_entry){v, hash};
    s->used++;
    s->mutations++;
    if (UNLIKELY(s->h.gc & GC_BARRIER)) set_remember(vm, s, at);
    if (dead != SIZE_MAX || s->fill * 5 < s->mask * 3) return true;
    return set_grow(vm, s, &s->table[at]);
}

int set_discard_hashed(vm *vm, set *s, value v, uint64_t hash)
{
    size_t at, dead;
    if (s->used == 0) return 0;
    int r = set_probe_fast(s, v, hash, &at, &dead);
    if (UNLIKELY(r == 2)) {
        ROOTS(vm, &s);
        r = set_probe(vm, s, v, hash, &at, &dead);
    }
    if (r <= 0) return r;
    s->table[at] = (set_entry){V_DELETED, UINT64_MAX};
    s->used--;
    s->mutations++;
    return 1;
}

bool set_add(vm *vm, set *s, value v)
{
    uint64_t hash;
    if (LIKELY(value_is_int(v) || value_is_exact(v, TYPE_STR))) {
        dict_hash_key(vm, v, &hash);
        return set_put(vm, s, v, hash);
    }
    ROOTS(vm, &s, &v);
    return obj_hash(vm, v, &hash) && set_add_hashed(vm, s, v, hash);
}

int set_contains(vm *vm, set *s, value v)
{
    uint64_t hash;
    if (LIKELY(value_is_int(v) || value_is_exact(v, TYPE_STR))) {
        dict_hash_key(vm, v, &hash);
        return set_find(vm, s, v, hash);
    }
    ROOTS(vm, &s, &v);
    return obj_hash(vm, v, &hash) ? set_find(vm, s, v, hash) : -1;
}

/* All of other, in the order and with the growth that CPython has. */
bool set_merge(vm *vm, set *s, set *other)
{
    if (s == other || other->used == 0) return true;
    ROOTS(vm, &s, &other);
    if ((s->fill + other->used) * 5 >= s->mask * 3 && !set_resize(vm, s, (s->used + other->used) * 2)) return false;
    set_need_table(s);
    if (s->fill == 0) {
        gc_barrier(vm, s);
        s->mutations++;
        if (s->mask == other->mask && other->fill == other->used) { /* place by place */
            memcpy(s->table, other->table, (s->mask + 1) * sizeof *s->table);
        } else {
            set_entry *table = s->table;
            const set_entry *e = other->table, *end = e + other->mask;
            size_t mask = s->mask;
            if (other->used == other->fill) {
                for (; e <= end; e++)
                    if (!value_is_unbound(e->key)) set_insert_clean(table, mask, e->key, e->hash);
            } else {
                for (; e <= end; e++)
                    if (set_entry_live(e)) set_insert_clean(table, mask, e->key, e->hash);
            }
        }
        s->fill = s->used = other->used;
        return true;
    }
    for (size_t i = 0; other->table && i <= other->mask; i++) {
        set_entry e = other->table[i];
        if (set_entry_live(&e) && !set_put(vm, s, e.key, e.hash)) return false;
    }
    return true;
}

/* ---- the collector's side ---- */

static void set_mark_entries(vm *vm, set *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) gc_mark_value(vm, s->table[i].key);
}

static void set_traverse(vm *vm, object *o)
{
    set *s = (set *)(void *)o;
    if (s->used) set_mark_entries(vm, s, 0, s->mask + 1);
    if (UNLIKELY(s->slots != NULL)) gc_mark_slots(vm, o, s->slots);
}

static void set_walk_cards(vm *vm, object *o, bool mark)
{
    set *s = (set *)(void *)o;
    size_t n = set_ncards(s->mask + 1);
    if (n == 0) return;
    uint8_t *cards = set_cards(s);
    for (uint8_t *c = cards; (c = memchr(c, 1, n - (size_t)(c - cards))); c++) {
        *c = 0;
        size_t from = (size_t)(c - cards) << SET_CARD_SHIFT;
        if (mark) set_mark_entries(vm, s, from, from + (1 << SET_CARD_SHIFT));
    }
}

static void set_free(vm *vm, object *o)
{
    set *s = (set *)(void *)o;
    set_free_table(vm, s);
    if (UNLIKELY(s->slots != NULL)) object_slots_free(vm, o, s->slots);
}

void type_init_set(vm *vm)
{
    static const gc_kind_ops ops = {
        .traverse = set_traverse, .free = set_free, .cards = set_walk_cards, .tells_parts = true};
    gc_register_kind(vm, K_SET, &ops);
    set_methods_fill(vm);
}
