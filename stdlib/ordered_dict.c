/* collections.OrderedDict: a dict, which is ordered anyway, with what depends on the order: moving
 * keys to an end, taking the first item, comparison.
 *
 * In a class derived from it items come in through its own __setitem__, as in CPython. */
#include "collections.h"

#include "vm/attr.h"
#include "vm/dict.h"
#include "vm/iter.h"
#include "vm/list.h"
#include "vm/str.h"

#define DOC_FILE stdlib_ordered_dict
DOC_BEGIN;

static type *odict_type(vm *vm) { return module_state_type(vm, STATE_ORDERED_DICT); }
static bool is_odict(vm *vm, value v) { return value_isa(vm, v, odict_type(vm)); }
/* May items be stored without asking the class? */
static bool is_plain(vm *vm, value self)
{
    return value_is(type_lookup(vm, type_of(vm, self), N(vm, __setitem__)),
                    type_lookup(vm, T(vm, DICT), N(vm, __setitem__)));
}

/* self[k] = v for the items of a mapping or pairs. false: raised. */
static bool store_all(vm *vm, value self, value other)
{
    if (is_plain(vm, self) && IS_DICT(other)) return dict_update(vm, AS(dict, self), other);
    list *l = NULL;
    value k = V_UNBOUND, v = V_UNBOUND, keys = V_UNBOUND;
    ROOTS(vm, &self, &other, &l, &k, &v, &keys);
    keys = obj_getattr_opt(vm, other, N(vm, keys));
    if (raised(vm)) return false;
    if (!value_is_unbound(keys)) {
        keys = vm_call0(vm, keys);
        if (value_is_error(keys) || !(l = obj_to_list(vm, keys))) return false;
        for (size_t i = 0; i < l->len; i++) {
            k = l->items[i];
            v = obj_getitem(vm, other, k);
            if (value_is_error(v) || !obj_setitem(vm, self, k, v)) return false;
        }
        return true;
    }
    if (!(l = obj_to_list(vm, other))) return false;
    for (size_t i = 0; i < l->len; i++) {
        list *pair = obj_to_list(vm, l->items[i]);
        if (!pair) return false;
        if (pair->len != 2) {
            if (pair->len < 2)
                raise_value_error(vm, "need more than %zu value%s to unpack", pair->len, pair->len == 1 ? "" : "s");
            else raise_value_error(vm, "too many values to unpack (expected 2)");
            return false;
        }
        k = pair->items[0];
        v = pair->items[1];
        if (!obj_setitem(vm, self, k, v)) return false;
    }
    return true;
}

static bool store_keywords(vm *vm, value self, const value *values, value kwnames)
{
    if (value_is_unbound(kwnames)) return true;
    for (size_t i = 0; i < AS(tuple, kwnames)->len; i++)
        if (!obj_setitem(vm, self, AS(tuple, kwnames)->items[i], values[i])) return false;
    return true;
}

static bool odict_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    if (nargs > 1) {
        raise_type_error(vm, "expected at most 1 arguments, got %d", (int)nargs);
        return false;
    }
    return (!nargs || store_all(vm, self, args[0])) && store_keywords(vm, self, args + nargs, kwnames);
}

FN(od_update)
{
    if (nargs > 2)
        return raise_type_error(vm, "update() takes at most 1 positional argument (%d given)", (int)nargs - 1);
    return (nargs < 2 || store_all(vm, args[0], args[1])) && store_keywords(vm, args[0], args + nargs, kwnames)
               ? V_NONE
               : V_ERROR;
}

/* The dict again with `front` before all others. */
static bool move_to_front(vm *vm, dict *d, dict_entry front)
{
    size_t n = 0, bytes = d->used * sizeof(dict_entry);
    dict_entry *copy = mem_alloc(vm, bytes);
    if (!copy) return false;
    copy[n++] = front;
    for (size_t i = d->first; i < d->fill; i++)
        if (!value_is_unbound(d->entries[i].key) && d->entries[i].key.bits != front.key.bits) copy[n++] = d->entries[i];
    /* Emptied from its end, a dict has all its room again but for the dead slots of the index. */
    for (size_t i = d->fill; i-- > 0;)
        if (!value_is_unbound(d->entries[i].key)) dict_delete_at(vm, d, (int64_t)i);
    bool ok = dict_reserve(vm, d, n);
    for (size_t i = 0; i < n; i++) ok = dict_insert_new(vm, d, copy[i].key, copy[i].hash, copy[i].val) && ok;
    mem_free(vm, copy, bytes);
    return ok;
}

FN(od_move_to_end)
{
    bool last = true;
    uint64_t hash;
    dict *d = AS(dict, args[0]);
    if (!args_bool(vm, args[2], true, &last) || !dict_hash_key(vm, args[1], &hash)) return V_ERROR;
    int64_t ix = dict_lookup(vm, d, args[1], hash);
    if (ix == DICT_ERROR) return V_ERROR;
    if (ix == DICT_ABSENT) return raise_key_error(vm, args[1]);
    dict_entry e = d->entries[ix];
    if (!last) return (size_t)ix == d->first || move_to_front(vm, d, e) ? V_NONE : V_ERROR;
    size_t end = d->fill;
    while (value_is_unbound(d->entries[end - 1].key)) end--;
    if ((size_t)ix == end - 1) return V_NONE;
    dict_delete_at(vm, d, ix);
    return dict_insert_new(vm, d, e.key, e.hash, e.val) ? V_NONE : V_ERROR;
}

FN(od_popitem)
{
    bool last = true;
    dict *d = AS(dict, args[0]);
    value k, v;
    if (!args_bool(vm, args[1], true, &last)) return V_ERROR;
    if (!d->used) return raise(vm, EXC_KeyError, "dictionary is empty");
    if (last) {
        dict_popitem(vm, d, &k, &v);
    } else {
        size_t ix = d->first;
        k = d->entries[ix].key;
        v = d->entries[ix].val;
        dict_delete_at(vm, d, (int64_t)ix);
    }
    tuple *t = tuple_pack(vm, 2, k, v);
    return t ? value_obj(t) : V_ERROR;
}

FN(od_pop)
{
    dict *d = AS(dict, args[0]);
    uint64_t hash;
    if (!dict_hash_key(vm, args[1], &hash)) return V_ERROR;
    int64_t ix = dict_lookup(vm, d, args[1], hash);
    if (ix == DICT_ERROR) return V_ERROR;
    if (ix == DICT_ABSENT) return value_is_unbound(args[2]) ? raise_key_error(vm, args[1]) : args[2];
    value v = d->entries[ix].val;
    dict_delete_at(vm, d, ix);
    return v;
}

FN(od_setdefault)
{
    value dflt = value_is_unbound(args[2]) ? V_NONE : args[2];
    value v = dict_get(vm, AS(dict, args[0]), args[1]);
    if (!value_is_unbound(v) || raised(vm)) return v;
    return obj_setitem(vm, args[0], args[1], dflt) ? dflt : V_ERROR;
}

FN(od_copy)
{
    value self = args[0], c = vm_call0(vm, value_obj(type_of(vm, self)));
    if (value_is_error(c)) return c;
    ROOTS(vm, &c);
    return store_all(vm, c, self) ? c : V_ERROR;
}

FN(od_fromkeys)
{
    value c = vm_call0(vm, args[0]), v = value_is_unbound(args[2]) ? V_NONE : args[2];
    if (value_is_error(c)) return c;
    ROOTS(vm, &c, &v);
    value it = obj_iter(vm, args[1]);
    if (value_is_error(it)) return it;
    ROOTS(vm, &it);
    for (;;) {
        value k = iter_step(vm, it);
        if (value_is_error(k)) return V_ERROR;
        if (k.bits == V_STOP.bits) return c;
        if (!obj_setitem(vm, c, k, v)) return V_ERROR;
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
}

FN(od_reduce)
{
    value state = V_UNBOUND, it = V_UNBOUND;
    ROOTS(vm, &state, &it);
    state = vm_call_method(vm, args[0], N(vm, __getstate__), NULL, 0);
    if (value_is_error(state)) return V_ERROR;
    it = vm_call_method(vm, args[0], N(vm, items), NULL, 0);
    if (!value_is_error(it)) it = obj_iter(vm, it);
    if (value_is_error(it)) return V_ERROR;
    tuple *r = tuple_pack(vm, 5, value_obj(type_of(vm, args[0])), value_obj(vm->empty_tuple), state, V_NONE, it);
    return r ? value_obj(r) : V_ERROR;
}

static value odict_repr(vm *vm, value self)
{
    value name = type_of(vm, self)->name, items = V_UNBOUND;
    if (!AS(dict, self)->used) return str_value(str_format(vm, "%U()", name));
    int entered = repr_enter(vm, self);
    if (entered <= 0) return entered < 0 ? V_ERROR : str_value(str_from_cstr(vm, "..."));
    ROOTS(vm, &self, &items);
    items = vm_call_method(vm, self, N(vm, items), NULL, 0);
    list *l = value_is_error(items) ? NULL : obj_to_list(vm, items);
    str *s = l ? str_format(vm, "%U(%R)", name, value_obj(l)) : NULL;
    repr_leave(vm, self);
    return str_value(s);
}

/* Equal as dicts; and in the same order, if both are ordered. */
static value odict_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (op != CMP_EQ && op != CMP_NE) return V_NOTIMPLEMENTED;
    if (!IS_DICT(a) || !IS_DICT(b)) return V_NOTIMPLEMENTED;
    ROOTS(vm, &a, &b);
    value r = T(vm, DICT)->s.compare(vm, a, b, CMP_EQ);
    if (value_is_error(r) || value_is(r, V_NOTIMPLEMENTED)) return r;
    bool equal = value_is(r, V_TRUE);
    if (equal && is_odict(vm, a) && is_odict(vm, b)) {
        value x = V_UNBOUND, y = V_UNBOUND;
        ROOTS(vm, &x, &y);
        for (size_t i = 0, k = 0;
             equal && dict_next(AS(dict, a), &i, &x, NULL) && dict_next(AS(dict, b), &k, &y, NULL);) {
            int same = value_equal(vm, x, y);
            if (same < 0) return V_ERROR;
            equal = same;
        }
    }
    return value_bool(equal == (op == CMP_EQ));
}

/* The result is of the class of the ordered one. */
static value odict_or(vm *vm, value a, value b)
{
    if (!IS_DICT(a) || !IS_DICT(b)) return V_NOTIMPLEMENTED;
    type *t = type_of(vm, is_odict(vm, a) ? a : b);
    value c = V_UNBOUND;
    ROOTS(vm, &a, &b, &c);
    c = vm_call1(vm, value_obj(t), a);
    return !value_is_error(c) && store_all(vm, c, b) ? c : V_ERROR;
}

static value odict_ior(vm *vm, value self, value other)
{
    ROOTS(vm, &self);
    return store_all(vm, self, other) ? self : V_ERROR;
}

static const native_def odict_methods[] = {
    {"update(self, /, *args, **kwargs)", od_update,
     DOC("D.update([E, ]**F) -> None.  Update D from mapping/iterable E and F."), 0},
    {"move_to_end(self, key, last=True)", od_move_to_end,
     DOC("Move an existing element to the end (or beginning if last is false)."), 0},
    {"popitem(self, last=True)", od_popitem, DOC("Remove and return a (key, value) pair from the dictionary."), 0},
    {"pop(self, key, default=...)", od_pop, DOC("Remove specified key and return the corresponding value."), 0},
    {"setdefault(self, key, default=None)", od_setdefault,
     DOC("Insert key with a value of default if key is not in the dictionary."), 0},
    {"copy(self, /)", od_copy, DOC("od.copy() -> a shallow copy of od"), 0},
    {"fromkeys(cls, iterable, value=None)", od_fromkeys,
     DOC("Create a new ordered dictionary with keys from iterable and values set to value."), NATIVE_CLASS},
    {"__reduce__(self, /)", od_reduce, DOC("Return state information for pickling"), 0},
    {0},
};

static void odict_fill(struct type_slots *s)
{
    s->init = odict_init;
    s->repr = odict_repr;
    s->compare = odict_compare;
    s->hash = slot_unhashable;
    s->or_ = odict_or;
    s->ior = odict_ior;
}

bool ordered_dict_add(vm *vm, module *m)
{
    static const type_spec spec = {
        .name = "collections.OrderedDict",
        .doc = "Dictionary that remembers insertion order",
        .methods = odict_methods,
        .base_id = TYPE_DICT,
        .flags = TF_BASE | TF_HAS_DICT,
        .fill = odict_fill,
    };
    return module_add_type(vm, m, STATE_ORDERED_DICT, &spec);
}
