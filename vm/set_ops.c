/* Set algebra, by the same steps as CPython: what is walked and what is looked up decides the order of the
 * result and which of two equal keys it keeps.
 *
 * Every loop over a table re-reads it by position, since looking up may run script that changes it.
 */
#include "set_inline.h"

#include "dict.h"
#include "iter.h"
#include "list.h"

static unsigned set_base(const vm *vm, const set *s)
{
    if (s->h.shape == TYPE_SET || s->h.shape == TYPE_FROZENSET) return s->h.shape;
    return type_is_subtype(vm->shapes[s->h.shape]->cls, T(vm, FROZENSET)) ? TYPE_FROZENSET : TYPE_SET;
}

/* Calls fn for each item of any iterable with its hash; fn: 1 go on, 0 stop, -1 raised. Result alike. */
typedef int (*set_step)(vm *vm, void *ud, value v, uint64_t hash);

static inline __attribute__((always_inline)) int set_each(vm *vm, value other, void *ud, set_step fn)
{
    value v = V_UNBOUND, it = V_UNBOUND;
    uint64_t hash;
    ROOTS(vm, &other, &v, &it);
    if (set_is(other)) {
        uint32_t n = 0;
        for (size_t pos = 0; set_next(AS(set, other), &pos, &v, &hash);) {
            int r = fn(vm, ud, v, hash);
            if (r <= 0) return r;
            if (UNLIKELY((++n & 63) == 0) && !vm_tick(vm, 64)) return -1;
        }
        return 1;
    }
    if (value_is_exact(other, TYPE_DICT)) {
        for (size_t i = 0; i < AS(dict, other)->fill; i++) {
            dict_entry e = AS(dict, other)->entries[i];
            if (value_is_unbound(e.key)) continue;
            v = e.key;
            int r = fn(vm, ud, v, e.hash);
            if (r <= 0) return r;
            if (UNLIKELY(!vm_tick(vm, 1))) return -1;
        }
        return 1;
    }
    if (value_is_exact(other, TYPE_LIST) || value_is_exact(other, TYPE_TUPLE)) {
        for (size_t i = 0;; i++) { /* as its iterator would: the list may change */
            value *items = NULL;
            size_t len = 0;
            list_or_tuple(other, &items, &len);
            if (i >= len) break;
            v = items[i];
            if (LIKELY(value_is_int(v))) hash = dict_hash_int(v);
            else if (value_is_exact(v, TYPE_STR)) hash = dict_hash_str(vm, AS(str, v));
            else if (!dict_hash_key(vm, v, &hash)) return -1;
            int r = fn(vm, ud, v, hash);
            if (r <= 0) return r;
            if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 64)) return -1;
        }
        return 1;
    }
    it = obj_iter(vm, other);
    if (value_is_error(it)) return -1;
    for (;;) {
        v = iter_step(vm, it);
        if (v.bits == V_STOP.bits) return 1;
        if (value_is_error(v) || !dict_hash_key(vm, v, &hash)) return -1;
        int r = fn(vm, ud, v, hash);
        if (r <= 0) return r;
        if (UNLIKELY(!vm_tick(vm, 1))) return -1;
    }
}

static inline int step_add(vm *vm, void *ud, value v, uint64_t hash) { return set_put(vm, ud, v, hash) ? 1 : -1; }

static int step_discard(vm *vm, void *ud, value v, uint64_t hash)
{
    return set_discard_hashed(vm, ud, v, hash) < 0 ? -1 : 1;
}

static inline int step_toggle(vm *vm, void *ud, value v, uint64_t hash)
{
    set *s = ud;
    set_need_table(s);
    if (value_is_unbound(s->table[hash & s->mask].key)) return set_put(vm, s, v, hash) ? 1 : -1;
    int r = set_discard_hashed(vm, ud, v, hash);
    if (r == 0) return set_add_hashed(vm, ud, v, hash) ? 1 : -1;
    return r;
}

static int step_must_have(vm *vm, void *ud, value v, uint64_t hash) { return set_find(vm, ud, v, hash); }

static int step_must_lack(vm *vm, void *ud, value v, uint64_t hash)
{
    int r = set_find(vm, ud, v, hash);
    return r < 0 ? -1 : !r;
}

/* Adds to `out` what `in` has (wanted) or has not. */
typedef struct set_filter {
    set *out;
    value in;
    int wanted;
} set_filter;

static int step_filter(vm *vm, void *ud, value v, uint64_t hash)
{
    set_filter *f = ud;
    int r;
    if (set_is(f->in)) {
        r = set_find(vm, AS(set, f->in), v, hash);
    } else {
        int64_t ix = dict_lookup(vm, AS(dict, f->in), v, hash);
        r = ix >= 0 ? 1 : ix == DICT_ABSENT ? 0 : -1;
    }
    if (r < 0) return -1;
    if (r != f->wanted) return 1;
    return set_add_hashed(vm, f->out, v, hash) ? 1 : -1;
}

/* The same for all of the set `walked`; out is empty. */
static bool set_filter_set(vm *vm, set *out, set *walked, set *in, int wanted)
{
    bool distinct = true; /* until script ran, which may change what is walked */
    uint32_t n = 0;
    ROOTS(vm, &out, &walked, &in);
    for (size_t i = 0; walked->table && i <= walked->mask; i++) {
        set_entry e = walked->table[i];
        size_t at, dead;
        if (!set_entry_live(&e)) continue;
        int r = in->used ? set_probe_fast(in, e.key, e.hash, &at, &dead) : 0;
        if (UNLIKELY(r == 2)) {
            distinct = false;
            ROOTS(vm, &e.key);
            r = set_find_slow(vm, in, e.key, e.hash);
        }
        if (UNLIKELY(r < 0)) return false;
        if (r == wanted) {
            bool added =
                LIKELY(distinct) ? set_add_absent(vm, out, e.key, e.hash) : set_add_hashed(vm, out, e.key, e.hash);
            if (UNLIKELY(!added)) return false;
        }
        if (UNLIKELY((++n & 63) == 0)) {
            uint64_t mutations = walked->mutations;
            if (!vm_tick(vm, 64)) return false;
            if (walked->mutations != mutations) distinct = false;
        }
    }
    return true;
}

/* ---- making ---- */

set *set_make(vm *vm, unsigned type_id, value iterable)
{
    set *s = set_new(vm, type_id);
    if (!s || value_is_unbound(iterable)) return s;
    ROOTS(vm, &s);
    return set_update(vm, s, iterable) ? s : NULL;
}

set *set_copy(vm *vm, set *s)
{
    set *c = set_new(vm, set_base(vm, s));
    ROOTS(vm, &c);
    return c && set_merge(vm, c, s) ? c : NULL;
}

bool set_update(vm *vm, set *s, value other)
{
    if (set_is(other)) return set_merge(vm, s, AS(set, other));
    ROOTS(vm, &s, &other);
    if (value_is_exact(other, TYPE_DICT)) {
        size_t n = AS(dict, other)->used;
        if (n == 0) return true;
        if ((s->fill + n) * 5 >= s->mask * 3 && !set_resize(vm, s, (s->used + n) * 2)) return false;
    }
    return set_each(vm, other, s, step_add) > 0;
}

/* ---- two sets into one ---- */

set *set_intersection(vm *vm, set *s, value other)
{
    if (value_is_obj(other) && value_as_obj(other) == &s->h) return set_copy(vm, s);
    set *r = set_new(vm, set_base(vm, s));
    if (!r) return NULL;
    ROOTS(vm, &r, &s);
    if (set_is(other)) {
        set *o = AS(set, other);
        bool more = o->used > s->used;
        return set_filter_set(vm, r, more ? s : o, more ? o : s, 1) ? r : NULL;
    }
    set_filter f = {r, value_obj(s), 1};
    return set_each(vm, other, &f, step_filter) > 0 ? r : NULL;
}

set *set_difference(vm *vm, set *s, value other)
{
    size_t n = set_is(other) ? AS(set, other)->used : value_is_exact(other, TYPE_DICT) ? AS(dict, other)->used : 0;
    bool table = set_is(other) || value_is_exact(other, TYPE_DICT);
    set *r = NULL;
    ROOTS(vm, &s, &other, &r);
    if (!table || s->used >> 2 > n) {
        r = set_copy(vm, s);
        return r && set_difference_update(vm, r, other) ? r : NULL;
    }
    r = set_new(vm, set_base(vm, s));
    if (!r) return NULL;
    if (set_is(other)) return set_filter_set(vm, r, s, AS(set, other), 0) ? r : NULL;
    set_filter f = {r, other, 0};
    return set_each(vm, value_obj(s), &f, step_filter) > 0 ? r : NULL;
}

bool set_difference_update(vm *vm, set *s, value other)
{
    ROOTS(vm, &s, &other);
    if (value_is_obj(other) && value_as_obj(other) == &s->h) {
        set_clear(vm, s);
        return true;
    }
    if (set_is(other) && AS(set, other)->used >> 3 > s->used) {
        /* Far more than we have: only the common ones need a look. */
        set *common = set_intersection(vm, s, other);
        if (!common) return false;
        other = value_obj(common);
    }
    if (set_each(vm, other, s, step_discard) < 0) return false;
    if (s->fill - s->used <= s->mask / 4) return true;
    return set_resize(vm, s, s->used > 50000 ? s->used * 2 : s->used * 4);
}

bool set_symmetric_difference_update(vm *vm, set *s, value other)
{
    ROOTS(vm, &s, &other);
    if (value_is_obj(other) && value_as_obj(other) == &s->h) {
        set_clear(vm, s);
        return true;
    }
    if (!set_is(other) && !value_is_exact(other, TYPE_DICT)) {
        set *t = set_make(vm, set_base(vm, s), other); /* duplicates must not toggle twice */
        if (!t) return false;
        other = value_obj(t);
    }
    return set_each(vm, other, s, step_toggle) > 0;
}

/* ---- predicates: 1 0 -1 ---- */

int set_issubset(vm *vm, set *s, value other)
{
    ROOTS(vm, &s, &other);
    if (!set_is(other)) {
        set *common = set_intersection(vm, s, other);
        return common ? common->used == s->used : -1;
    }
    if (s->used > AS(set, other)->used) return 0;
    return set_each(vm, value_obj(s), AS(set, other), step_must_have);
}

int set_issuperset(vm *vm, set *s, value other)
{
    if (set_is(other)) return set_issubset(vm, AS(set, other), value_obj(s));
    ROOTS(vm, &s);
    return set_each(vm, other, s, step_must_have);
}

int set_isdisjoint(vm *vm, set *s, value other)
{
    ROOTS(vm, &s, &other);
    if (value_is_obj(other) && value_as_obj(other) == &s->h) return s->used == 0;
    if (set_is(other) && AS(set, other)->used > s->used)
        return set_each(vm, value_obj(s), AS(set, other), step_must_lack);
    return set_each(vm, other, s, step_must_lack);
}
