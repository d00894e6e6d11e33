/* dict: slots and methods. */
#include "dict.h"
#include "iter.h"
#include "list.h"
#include "native.h"
#include "set.h"

#define DOC_FILE vm_dict_methods
DOC_BEGIN;

static bool dict_update_args(vm *vm, value self, const char *fname, value *args, uint32_t nargs, value kwnames)
{
    value other = V_UNBOUND;
    if (!args_unpack(vm, fname, args, nargs, V_UNBOUND, 0, 1, &other)) return false;
    dict *d = AS(dict, self);
    ROOTS(vm, &d, &kwnames);
    if (!value_is_unbound(other) && !dict_update(vm, d, other)) return false;
    if (value_is_unbound(kwnames)) return true;
    for (size_t i = 0; i < AS(tuple, kwnames)->len; i++) {
        if (!dict_set(vm, d, AS(tuple, kwnames)->items[i], args[nargs + i])) return false;
    }
    return true;
}

static value dict_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args, (void)nargs, (void)kwnames;
    dict *d = gc_new(vm, K_DICT, t->root_shape, sizeof *d);
    if (!d) return V_ERROR;
    d->h.flags = DICT_STRKEYS;
    gc_note_parts(&d->h);
    return value_obj(d);
}

static bool dict_slot_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    return dict_update_args(vm, self, "dict", args, nargs, kwnames);
}

static value dict_slot_repr(vm *vm, value self)
{
    dict *d = AS(dict, self);
    if (d->used == 0) return value_obj(str_from_cstr(vm, "{}"));
    int entered = repr_enter(vm, self);
    if (entered < 0) return V_ERROR;
    if (!entered) return value_obj(str_from_cstr(vm, "{...}"));
    value key = V_UNBOUND, v = V_UNBOUND;
    ROOTS(vm, &d, &key, &v);
    str_builder b;
    sb_init(&b, vm);
    sb_char(&b, '{');
    bool ok = true, first = true;
    for (size_t pos = 0; ok && dict_next(d, &pos, &key, &v);) {
        if (!first) sb_ascii(&b, ", ", 2);
        first = false;
        str *s = obj_repr(vm, key);
        if (s) {
            sb_str(&b, s);
            sb_ascii(&b, ": ", 2);
            s = obj_repr(vm, v);
            if (s) sb_str(&b, s);
        }
        ok = s && !b.failed && vm_tick(vm, 2);
    }
    repr_leave(vm, self);
    return repr_end(&b, ok, '}');
}

/* 1 equal, 0 not, -1 raised. */
static int dict_equal(vm *vm, dict *a, dict *b)
{
    if (a->used != b->used) return 0;
    value key = V_UNBOUND, x = V_UNBOUND;
    ROOTS(vm, &a, &b, &key, &x);
    for (size_t i = 0; i < a->fill; i++) {
        dict_entry e = a->entries[i];
        if (value_is_unbound(e.key)) continue;
        key = e.key;
        x = e.val;
        int64_t ix = dict_lookup(vm, b, key, e.hash);
        if (ix == DICT_ERROR) return -1;
        if (ix == DICT_ABSENT) return 0;
        int r = value_equal(vm, x, b->entries[ix].val);
        if (r <= 0) return r;
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return -1;
    }
    return 1;
}

static value dict_slot_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (!IS_DICT(b) || (op != CMP_EQ && op != CMP_NE)) return V_NOTIMPLEMENTED;
    int r = dict_equal(vm, AS(dict, a), AS(dict, b));
    return r < 0 ? V_ERROR : value_bool((op == CMP_EQ) == (r == 1));
}

static int64_t dict_slot_len(vm *vm, value self)
{
    (void)vm;
    return (int64_t)AS(dict, self)->used;
}

static int dict_slot_contains(vm *vm, value self, value key)
{
    dict *d = AS(dict, self);
    uint64_t hash;
    if (value_is_int(key)) {
        int64_t ix = dict_find_int(d, key);
        if (LIKELY(ix != DICT_ASK)) return ix >= 0;
    }
    ROOTS(vm, &d, &key);
    if (!dict_hash_key(vm, key, &hash)) return -1;
    int64_t ix = dict_lookup(vm, d, key, hash);
    return ix >= 0 ? 1 : ix == DICT_ABSENT ? 0 : -1;
}

value dict_subscript(vm *vm, value self, value key)
{
    dict *d = AS(dict, self);
    ROOTS(vm, &self, &key);
    value v = dict_get(vm, d, key);
    if (LIKELY(!value_is_unbound(v)) || raised(vm)) return v;
    if (value_as_obj(self)->shape != TYPE_DICT) {
        value missing = type_lookup_special(vm, self, N(vm, __missing__));
        if (!value_is_unbound(missing)) return vm_call1(vm, missing, key);
        if (raised(vm)) return V_ERROR;
    }
    return raise_key_error(vm, key);
}

static bool dict_slot_setitem(vm *vm, value self, value key, value v)
{
    if (!value_is_unbound(v)) return dict_set(vm, AS(dict, self), key, v);
    ROOTS(vm, &key);
    int r = dict_del(vm, AS(dict, self), key);
    if (r == 0) raise_key_error(vm, key);
    return r > 0;
}

static value dict_slot_or(vm *vm, value a, value b)
{
    if (!IS_DICT(a) || !IS_DICT(b)) return V_NOTIMPLEMENTED;
    if (!dict_has_own_iter(vm, b)) return value_obj(dict_union(vm, AS(dict, a), AS(dict, b)));
    dict *d = NULL;
    ROOTS(vm, &d, &b);
    d = dict_copy(vm, AS(dict, a));
    return d && dict_update(vm, d, b) ? value_obj(d) : V_ERROR;
}

static value dict_slot_ior(vm *vm, value self, value other)
{
    ROOTS(vm, &self);
    return dict_update(vm, AS(dict, self), other) ? self : V_ERROR;
}

static value dict_slot_iter(vm *vm, value self) { return dict_iter_new(vm, TYPE_DICT_KEYITER, AS(dict, self)); }

/* ---- methods ---- */

static value dict_m_clear(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    dict_clear(vm, AS(dict, args[0]));
    return V_NONE;
}

static value dict_m_copy(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return value_obj(dict_copy(vm, AS(dict, args[0])));
}

/* The keys of a dict or set need no hashing again. */
static bool dict_fill_keys(vm *vm, dict *d, value iterable, value v)
{
    value key;
    if (value_is_exact(iterable, TYPE_DICT)) {
        dict *src = AS(dict, iterable);
        for (size_t i = 0; i < src->fill; i++) {
            dict_entry e = src->entries[i];
            if (!value_is_unbound(e.key) && !dict_set_hashed(vm, d, e.key, e.hash, v)) return false;
        }
        return true;
    }
    value it = V_UNBOUND;
    ROOTS(vm, &d, &it, &v);
    if (value_is_exact(iterable, TYPE_SET) || value_is_exact(iterable, TYPE_FROZENSET)) {
        uint64_t hash;
        for (size_t pos = 0; set_next(AS(set, iterable), &pos, &key, &hash);)
            if (!dict_set_hashed(vm, d, key, hash, v) || UNLIKELY(!vm_tick(vm, 1))) return false;
        return true;
    }
    it = obj_iter(vm, iterable);
    if (value_is_error(it)) return false;
    for (;;) {
        key = iter_step(vm, it);
        if (key.bits == V_STOP.bits) return true;
        if (value_is_error(key) || !dict_set(vm, d, key, v)) return false;
        if (UNLIKELY(!vm_tick(vm, 1))) return false;
    }
}

static value dict_m_fromkeys(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    value v = value_is_unbound(args[2]) ? V_NONE : args[2];
    value d = V_UNBOUND, it = V_UNBOUND, key = V_UNBOUND;
    ROOTS(vm, &d, &it, &key, &v);
    d = vm_call0(vm, args[0]);
    if (value_is_error(d)) return d;
    if (value_is_exact(d, TYPE_DICT)) return dict_fill_keys(vm, AS(dict, d), args[1], v) ? d : V_ERROR;
    it = obj_iter(vm, args[1]);
    if (value_is_error(it)) return V_ERROR;
    for (;;) {
        key = iter_step(vm, it);
        if (key.bits == V_STOP.bits) return d;
        if (value_is_error(key) || !obj_setitem(vm, d, key, v)) return V_ERROR;
    }
}

static value dict_m_get(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    value v = dict_get(vm, AS(dict, args[0]), args[1]);
    if (!value_is_unbound(v) || raised(vm)) return v;
    return value_is_unbound(args[2]) ? V_NONE : args[2];
}

static value dict_m_setdefault(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    dict *d = AS(dict, args[0]);
    value v = value_is_unbound(args[2]) ? V_NONE : args[2];
    uint64_t hash;
    if (!dict_hash_key(vm, args[1], &hash)) return V_ERROR;
    int64_t ix = dict_lookup(vm, d, args[1], hash);
    if (ix == DICT_ERROR) return V_ERROR;
    if (ix >= 0) return d->entries[ix].val;
    return dict_insert_new(vm, d, args[1], hash, v) ? v : V_ERROR;
}

static value dict_m_pop(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    dict *d = AS(dict, args[0]);
    if (d->used) {
        uint64_t hash;
        if (!dict_hash_key(vm, args[1], &hash)) return V_ERROR;
        int64_t ix = dict_lookup(vm, d, args[1], hash);
        if (ix == DICT_ERROR) return V_ERROR;
        if (ix >= 0) {
            value v = d->entries[ix].val;
            dict_delete_at(vm, d, ix);
            return v;
        }
    }
    return value_is_unbound(args[2]) ? raise_key_error(vm, args[1]) : args[2];
}

static value dict_m_popitem(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    value key, v;
    tuple *t = tuple_new(vm, 2);
    if (!t) return V_ERROR;
    if (!dict_popitem(vm, AS(dict, args[0]), &key, &v))
        return raise(vm, EXC_KeyError, "popitem(): dictionary is empty");
    t->items[0] = key;
    t->items[1] = v;
    return value_obj(t);
}

static value dict_m_update(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    if (nargs == 0) return raise_type_error(vm, "unbound method dict.update() needs an argument");
    return dict_update_args(vm, args[0], "update", args + 1, nargs - 1, kwnames) ? V_NONE : V_ERROR;
}

static value dict_m_keys(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return dictview_new(vm, TYPE_DICT_KEYS, args[0]);
}

static value dict_m_values(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return dictview_new(vm, TYPE_DICT_VALUES, args[0]);
}

static value dict_m_items(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return dictview_new(vm, TYPE_DICT_ITEMS, args[0]);
}

static value dict_m_reversed(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return dict_iter_new(vm, TYPE_DICT_REVKEYITER, AS(dict, args[0]));
}

static value dict_m_sizeof(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    dict *d = AS(dict, args[0]);
    return int_from_u64(vm, gc_size_of(&d->h) + (d->entries ? dict_bytes(d->log2) : 0));
}

static const native_def dict_methods[] = {
    {"clear(self, /)", dict_m_clear, DOC("D.clear() -> None.  Remove all items from D."), 0},
    {"copy(self, /)", dict_m_copy, DOC("D.copy() -> a shallow copy of D"), 0},
    {"fromkeys(type, iterable, value=None, /)", dict_m_fromkeys,
     DOC("Create a new dictionary with keys from iterable and values set to value."), NATIVE_CLASS},
    {"get(self, key, default=None, /)", dict_m_get,
     DOC("Return the value for key if key is in the dictionary, else default."), 0},
    {"items(self, /)", dict_m_items, DOC("D.items() -> a set-like object providing a view on D's items"), 0},
    {"keys(self, /)", dict_m_keys, DOC("D.keys() -> a set-like object providing a view on D's keys"), 0},
    {"pop(self, key, default=None, /)", dict_m_pop,
     DOC("D.pop(k[,d]) -> v, remove specified key and return the corresponding value.\n\nIf the key is not found, "
         "return the default if given; otherwise,\nraise a KeyError."),
     0},
    {"popitem(self, /)", dict_m_popitem,
     DOC("Remove and return a (key, value) pair as a 2-tuple.\n\nPairs are returned in LIFO (last-in, first-out) "
         "order.\n"
         "Raises KeyError if the dict is empty."),
     0},
    {"setdefault(self, key, default=None, /)", dict_m_setdefault,
     DOC("Insert key with a value of default if key is not in the dictionary.\n\nReturn the value for key if key is in "
         "the dictionary, else default."),
     0},
    {"update(self, *args, **kwargs)", dict_m_update,
     DOC("D.update([E, ]**F) -> None.  Update D from dict/iterable E and F."), NATIVE_RAW},
    {"values(self, /)", dict_m_values, DOC("D.values() -> an object providing a view on D's values"), 0},
    {"__reversed__(self, /)", dict_m_reversed, DOC("Return a reverse iterator over the dict keys."), 0},
    {"__sizeof__(self, /)", dict_m_sizeof, DOC("D.__sizeof__() -> size of D in memory, in bytes"), 0},
    {0},
};

void dict_methods_fill(vm *vm, type *t)
{
    (void)vm;
    t->methods = dict_methods;
    t->s.new_ = dict_slot_new;
    t->s.init = dict_slot_init;
    t->s.repr = dict_slot_repr;
    t->s.compare = dict_slot_compare;
    t->s.len = dict_slot_len;
    t->s.contains = dict_slot_contains;
    t->s.getitem = dict_subscript;
    t->s.setitem = dict_slot_setitem;
    t->s.or_ = dict_slot_or;
    t->s.ior = dict_slot_ior;
    t->s.iter = dict_slot_iter;
}
