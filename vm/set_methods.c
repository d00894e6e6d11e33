/* set and frozenset: slots, methods, the iterator. */
#include "dict.h"
#include "iter.h"
#include "list.h"
#include "native.h"
#include "set.h"

#define DOC_FILE vm_set_methods
DOC_BEGIN;

static bool set_is_frozen(vm *vm, value v) { return value_isa_id(vm, v, TYPE_FROZENSET); }

/* ---- making ---- */

static value set_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args, (void)nargs, (void)kwnames;
    return value_obj(set_alloc(vm, t->root_shape));
}

static bool set_slot_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value iterable = V_UNBOUND;
    if (!args_unpack(vm, "set", args, nargs, kwnames, 0, 1, &iterable)) return false;
    if (AS(set, self)->fill) set_clear(vm, AS(set, self));
    return value_is_unbound(iterable) || set_update(vm, AS(set, self), iterable);
}

static value frozenset_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value iterable = V_UNBOUND;
    bool strict = t == T(vm, FROZENSET) || t->s.init == T(vm, FROZENSET)->s.init;
    if (!args_unpack(vm, "frozenset", args, nargs, strict ? kwnames : V_UNBOUND, 0, 1, &iterable)) return V_ERROR;
    if (t == T(vm, FROZENSET) && value_is_exact(iterable, TYPE_FROZENSET)) return iterable;
    set *s = set_alloc(vm, t->root_shape);
    if (!s || value_is_unbound(iterable)) return value_obj(s);
    ROOTS(vm, &s);
    return set_update(vm, s, iterable) ? value_obj(s) : V_ERROR;
}

/* ---- slots ---- */

static value set_slot_repr(vm *vm, value self)
{
    set *s = AS(set, self);
    if (s->used == 0) return value_obj(str_format(vm, "%T()", self));
    ROOTS(vm, &self);
    int entered = repr_enter(vm, self);
    if (entered < 0) return V_ERROR;
    if (!entered) return value_obj(str_format(vm, "%T(...)", self));
    list *l = obj_to_list(vm, self);
    str *r = NULL;
    ROOTS(vm, &l);
    if (l) {
        value text = list_repr(vm, value_obj(l));
        if (!value_is_error(text)) {
            str *body = AS(str, text);
            str_builder b;
            sb_init(&b, vm);
            bool plain = value_is_exact(self, TYPE_SET);
            if (!plain) {
                sb_cstr(&b, type_name(type_of(vm, self)));
                sb_char(&b, '(');
            }
            sb_char(&b, '{');
            str *inside = str_substr(vm, body, 1, body->len - 1);
            if (inside) sb_str(&b, inside);
            sb_char(&b, '}');
            if (!plain) sb_char(&b, ')');
            r = sb_finish(&b);
        }
    }
    repr_leave(vm, self);
    return value_obj(r);
}

static value set_slot_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (!set_is(b)) return V_NOTIMPLEMENTED;
    set *x = AS(set, a), *y = AS(set, b);
    int r = 0;
    ROOTS(vm, &x, &y);
    switch (op) {
    case CMP_EQ:
    case CMP_NE:
        if (x->used == y->used) {
            bool differ = set_is_frozen(vm, a) && set_is_frozen(vm, b) && x->hash && y->hash && x->hash != y->hash;
            r = differ ? 0 : set_issubset(vm, x, b);
        }
        if (op == CMP_NE && r >= 0) r = !r;
        break;
    case CMP_LE: r = set_issubset(vm, x, b); break;
    case CMP_GE: r = set_issubset(vm, y, a); break;
    case CMP_LT: r = x->used >= y->used ? 0 : set_issubset(vm, x, b); break;
    case CMP_GT: r = x->used <= y->used ? 0 : set_issubset(vm, y, a); break;
    }
    return r < 0 ? V_ERROR : value_bool(r);
}

static uint64_t shuffle_bits(uint64_t h) { return ((h ^ UINT64_C(89869747)) ^ h << 16) * UINT64_C(3644798167); }

/* Every entry counts alike, whatever the order; the unused and dead ones are as if they were not there. */
static bool frozenset_slot_hash(vm *vm, value self, uint64_t *out)
{
    (void)vm;
    set *s = AS(set, self);
    if (s->hash == 0) {
        uint64_t hash = 0;
        for (size_t i = 0; s->table && i <= s->mask; i++) {
            if (set_entry_live(&s->table[i])) hash ^= shuffle_bits(s->table[i].hash);
        }
        hash ^= (s->used + 1) * UINT64_C(1927868237);
        hash ^= hash >> 11 ^ hash >> 25;
        hash = hash * 69069 + UINT64_C(907133923);
        s->hash = hash == UINT64_MAX ? UINT64_C(590923713) : hash;
    }
    *out = s->hash;
    return true;
}

static int64_t set_slot_len(vm *vm, value self)
{
    (void)vm;
    return (int64_t)AS(set, self)->used;
}

/* A set as a key stands for the frozenset with its items. */
static bool set_key_retry(vm *vm, value *key)
{
    if (!set_is(*key) || set_is_frozen(vm, *key) || !exc_matches(vm, EXC_TypeError)) return false;
    exc_clear(vm);
    set *f = set_make(vm, TYPE_FROZENSET, *key);
    *key = value_obj(f);
    return f != NULL;
}

static int set_slot_contains(vm *vm, value self, value key)
{
    if (LIKELY(value_is_int(key))) return set_contains(vm, AS(set, self), key);
    ROOTS(vm, &self, &key);
    int r = set_contains(vm, AS(set, self), key);
    return r < 0 && set_key_retry(vm, &key) ? set_contains(vm, AS(set, self), key) : r;
}

static value set_slot_iter(vm *vm, value self)
{
    value v = iter_new(vm, TYPE_SET_ITER, self);
    if (value_is_error(v)) return v;
    iter *it = AS(iter, v);
    it->n = AS(set, self)->used;
    it->b = value_int((int64_t)it->n);
    return v;
}

static value set_iter_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    if (value_is_unbound(it->a)) return V_STOP;
    set *s = AS(set, it->a);
    if (UNLIKELY(it->n != s->used)) {
        it->n = UINT64_MAX;
        return raise(vm, EXC_RuntimeError, "Set changed size during iteration");
    }
    value v;
    size_t pos = it->i;
    if (!set_next(s, &pos, &v, NULL)) {
        it->a = V_UNBOUND;
        return V_STOP;
    }
    it->i = pos;
    it->b.bits--;
    return v;
}

static value set_iter_hint(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)vm, (void)nargs, (void)kwnames;
    iter *it = AS(iter, args[0]);
    return value_is_unbound(it->a) || AS(set, it->a)->used != it->n ? value_int(0) : it->b;
}

/* ---- operators: only between sets ---- */

static value set_slot_and(vm *vm, value a, value b)
{
    return set_is(a) && set_is(b) ? value_obj(set_intersection(vm, AS(set, a), b)) : V_NOTIMPLEMENTED;
}

static value set_slot_or(vm *vm, value a, value b)
{
    if (!set_is(a) || !set_is(b)) return V_NOTIMPLEMENTED;
    set *r = NULL;
    ROOTS(vm, &r, &b);
    r = set_copy(vm, AS(set, a));
    return r && set_update(vm, r, b) ? value_obj(r) : V_ERROR;
}

static value set_slot_sub(vm *vm, value a, value b)
{
    return set_is(a) && set_is(b) ? value_obj(set_difference(vm, AS(set, a), b)) : V_NOTIMPLEMENTED;
}

/* A copy of other, toggled by our items. */
static set *set_symmetric(vm *vm, value a, value b)
{
    set *r = NULL;
    ROOTS(vm, &a, &r);
    r = set_make(vm, set_is_frozen(vm, a) ? TYPE_FROZENSET : TYPE_SET, b);
    return r && set_symmetric_difference_update(vm, r, a) ? r : NULL;
}

static value set_slot_xor(vm *vm, value a, value b)
{
    return set_is(a) && set_is(b) ? value_obj(set_symmetric(vm, a, b)) : V_NOTIMPLEMENTED;
}

static value set_slot_iand(vm *vm, value a, value b)
{
    if (!set_is(b)) return V_NOTIMPLEMENTED;
    ROOTS(vm, &a);
    set *r = set_intersection(vm, AS(set, a), b);
    if (!r) return V_ERROR;
    set_swap_bodies(vm, AS(set, a), r);
    return a;
}

static value set_slot_ior(vm *vm, value a, value b)
{
    if (!set_is(b)) return V_NOTIMPLEMENTED;
    ROOTS(vm, &a);
    return set_update(vm, AS(set, a), b) ? a : V_ERROR;
}

static value set_slot_isub(vm *vm, value a, value b)
{
    if (!set_is(b)) return V_NOTIMPLEMENTED;
    ROOTS(vm, &a);
    return set_difference_update(vm, AS(set, a), b) ? a : V_ERROR;
}

static value set_slot_ixor(vm *vm, value a, value b)
{
    if (!set_is(b)) return V_NOTIMPLEMENTED;
    ROOTS(vm, &a);
    return set_symmetric_difference_update(vm, AS(set, a), b) ? a : V_ERROR;
}

/* ---- methods ---- */

static value set_m_add(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return set_add(vm, AS(set, args[0]), args[1]) ? V_NONE : V_ERROR;
}

static value set_m_clear(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    set_clear(vm, AS(set, args[0]));
    return V_NONE;
}

static value set_m_copy(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    if (value_is_exact(args[0], TYPE_FROZENSET)) return args[0];
    return value_obj(set_copy(vm, AS(set, args[0])));
}

static int set_drop(vm *vm, set *s, value key)
{
    uint64_t hash;
    ROOTS(vm, &s, &key);
    if (!dict_hash_key(vm, key, &hash)) {
        if (!set_key_retry(vm, &key) || !dict_hash_key(vm, key, &hash)) return -1;
    }
    return set_discard_hashed(vm, s, key, hash);
}

static value set_m_discard(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return set_drop(vm, AS(set, args[0]), args[1]) < 0 ? V_ERROR : V_NONE;
}

static value set_m_remove(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    int r = set_drop(vm, AS(set, args[0]), args[1]);
    return r > 0 ? V_NONE : r == 0 ? raise_key_error(vm, args[1]) : V_ERROR;
}

static value set_m_pop(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    set *s = AS(set, args[0]);
    if (s->used == 0) return raise(vm, EXC_KeyError, "pop from an empty set");
    size_t i = s->hash & s->mask;
    while (!set_entry_live(&s->table[i])) i = (i + 1) & s->mask;
    value v = s->table[i].key;
    s->table[i] = (set_entry){V_DELETED, UINT64_MAX};
    s->used--;
    s->mutations++;
    s->hash = i + 1;
    return v;
}

static value set_m_update(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)kwnames;
    for (uint32_t i = 1; i < nargs; i++) {
        if (!set_update(vm, AS(set, args[0]), args[i])) return V_ERROR;
    }
    return V_NONE;
}

static value set_m_union(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)kwnames;
    set *r = set_copy(vm, AS(set, args[0]));
    ROOTS(vm, &r);
    if (!r) return V_ERROR;
    for (uint32_t i = 1; i < nargs; i++) {
        if (args[i].bits != args[0].bits && !set_update(vm, r, args[i])) return V_ERROR;
    }
    return value_obj(r);
}

static set *set_intersect_all(vm *vm, value *args, uint32_t nargs)
{
    set *r = AS(set, args[0]);
    ROOTS(vm, &r);
    if (nargs == 1) return set_copy(vm, r);
    for (uint32_t i = 1; i < nargs; i++) {
        r = set_intersection(vm, r, args[i]);
        if (!r) return NULL;
    }
    return r;
}

static value set_m_intersection(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)kwnames;
    return value_obj(set_intersect_all(vm, args, nargs));
}

static value set_m_intersection_update(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)kwnames;
    set *r = set_intersect_all(vm, args, nargs);
    if (!r) return V_ERROR;
    set_swap_bodies(vm, AS(set, args[0]), r);
    return V_NONE;
}

static value set_m_difference(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)kwnames;
    set *s = AS(set, args[0]);
    set *r = nargs == 1 ? set_copy(vm, s) : set_difference(vm, s, args[1]);
    ROOTS(vm, &r);
    if (!r) return V_ERROR;
    for (uint32_t i = 2; i < nargs; i++) {
        if (!set_difference_update(vm, r, args[i])) return V_ERROR;
    }
    return value_obj(r);
}

static value set_m_difference_update(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)kwnames;
    for (uint32_t i = 1; i < nargs; i++) {
        if (!set_difference_update(vm, AS(set, args[0]), args[i])) return V_ERROR;
    }
    return V_NONE;
}

static value set_m_symmetric_difference(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return value_obj(set_symmetric(vm, args[0], args[1]));
}

static value set_m_symmetric_difference_update(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return set_symmetric_difference_update(vm, AS(set, args[0]), args[1]) ? V_NONE : V_ERROR;
}

static value set_truth(int r) { return r < 0 ? V_ERROR : value_bool(r); }

static value set_m_isdisjoint(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return set_truth(set_isdisjoint(vm, AS(set, args[0]), args[1]));
}

static value set_m_issubset(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return set_truth(set_issubset(vm, AS(set, args[0]), args[1]));
}

static value set_m_issuperset(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return set_truth(set_issuperset(vm, AS(set, args[0]), args[1]));
}

static value set_m_reduce(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    value l = V_UNBOUND, t = V_UNBOUND, state = V_NONE;
    ROOTS(vm, &l, &t, &state);
    l = value_obj(obj_to_list(vm, args[0]));
    if (value_is_error(l)) return V_ERROR;
    t = value_obj(tuple_pack(vm, 1, l));
    if (value_is_error(t)) return V_ERROR;
    if (value_as_obj(args[0])->shape >= TYPE_COUNT) {
        state = obj_getattr_opt(vm, args[0], N(vm, __dict__));
        if (value_is_unbound(state)) {
            if (raised(vm)) return V_ERROR;
            state = V_NONE;
        }
    }
    return value_obj(tuple_pack(vm, 3, value_obj(type_of(vm, args[0])), t, state));
}

#define SET_READ_METHODS                                                                                               \
    {"copy(self, /)", set_m_copy, "Return a shallow copy of a set.", 0},                                               \
        {"difference(self, *args)", set_m_difference,                                                                  \
         "Return the difference of two or more sets as a new set.\n\n(i.e. all elements that are in this set but not " \
         "the others.)",                                                                                               \
         0},                                                                                                           \
        {"intersection(self, *args)", set_m_intersection,                                                              \
         "Return the intersection of two sets as a new set.\n\n(i.e. all elements that are in both sets.)", 0},        \
        {"isdisjoint(self, other, /)", set_m_isdisjoint, "Return True if two sets have a null intersection.", 0},      \
        {"issubset(self, other, /)", set_m_issubset, "Report whether another set contains this set.", 0},              \
        {"issuperset(self, other, /)", set_m_issuperset, "Report whether this set contains another set.", 0},          \
        {"symmetric_difference(self, other, /)", set_m_symmetric_difference,                                           \
         "Return the symmetric difference of two sets as a new set.\n\n(i.e. all elements that are in exactly one of " \
         "the "                                                                                                        \
         "sets.)",                                                                                                     \
         0},                                                                                                           \
        {"union(self, *args)", set_m_union,                                                                            \
         "Return the union of sets as a new set.\n\n(i.e. all elements that are in either set.)", 0},                  \
    {                                                                                                                  \
        "__reduce__(self, /)", set_m_reduce, "Return state information for pickling.", 0                               \
    }

static const native_def set_methods[] = {
    SET_READ_METHODS,
    {"add(self, object, /)", set_m_add,
     DOC("Add an element to a set.\n\nThis has no effect if the element is already present."), 0},
    {"clear(self, /)", set_m_clear, DOC("Remove all elements from this set."), 0},
    {"difference_update(self, *args)", set_m_difference_update,
     DOC("Remove all elements of another set from this set."), 0},
    {"discard(self, object, /)", set_m_discard,
     DOC("Remove an element from a set if it is a member.\n\nUnlike set.remove(), the discard() method does not raise\n"
         "an exception when an element is missing from the set."),
     0},
    {"intersection_update(self, *args)", set_m_intersection_update,
     DOC("Update a set with the intersection of itself and another."), 0},
    {"pop(self, /)", set_m_pop,
     DOC("Remove and return an arbitrary set element.\nRaises KeyError if the set is empty."), 0},
    {"remove(self, object, /)", set_m_remove,
     DOC("Remove an element from a set; it must be a member.\n\nIf the element is not a member, raise a KeyError."), 0},
    {"symmetric_difference_update(self, other, /)", set_m_symmetric_difference_update,
     DOC("Update a set with the symmetric difference of itself and another."), 0},
    {"update(self, *args)", set_m_update, DOC("Update a set with the union of itself and others."), 0},
    {0},
};
static const native_def frozenset_methods[] = {SET_READ_METHODS, {0}};
static const native_def set_iter_methods[] = {
    {"__length_hint__(self, /)", set_iter_hint, DOC("Private method returning an estimate of len(list(it))."), 0},
    {"__reduce__(self, /)", iter_reduce_items, DOC("Return state information for pickling."), 0},
    {0},
};

static value self_iter(vm *vm, value self)
{
    (void)vm;
    return self;
}

static void set_fill_common(type *t)
{
    t->s.repr = set_slot_repr;
    t->s.compare = set_slot_compare;
    t->s.len = set_slot_len;
    t->s.contains = set_slot_contains;
    t->s.iter = set_slot_iter;
    t->s.and_ = set_slot_and;
    t->s.or_ = set_slot_or;
    t->s.xor = set_slot_xor;
    t->s.sub = set_slot_sub;
}

void set_methods_fill(vm *vm)
{
    type *t = T(vm, SET);
    set_fill_common(t);
    t->methods = set_methods;
    t->s.new_ = set_slot_new;
    t->s.init = set_slot_init;
    t->s.iand = set_slot_iand;
    t->s.ior = set_slot_ior;
    t->s.isub = set_slot_isub;
    t->s.ixor = set_slot_ixor;
    t = T(vm, FROZENSET);
    set_fill_common(t);
    t->methods = frozenset_methods;
    t->s.new_ = frozenset_slot_new;
    t->s.hash = frozenset_slot_hash;
    t = T(vm, SET_ITER);
    t->s.iter = self_iter;
    t->s.next = set_iter_next;
    t->methods = set_iter_methods;
}
