/* Views of dicts: keys, values, items, mappingproxy, and their iterators (fields: iter.h).
 *
 * keys and items are sets as far as operators go; the results are real sets.
 */
#include "dict.h"
#include "iter.h"
#include "list.h"
#include "native.h"
#include "set.h"
#include "type_parts.h"

#define DOC_FILE vm_dict_view
DOC_BEGIN;

value dictview_new(vm *vm, unsigned type_id, value of)
{
    dictview *w = gc_new_fast(vm, K_DICTVIEW, type_id, sizeof *w);
    if (!w) return V_ERROR;
    w->of = of;
    return value_obj(w);
}

static void dictview_traverse(vm *vm, object *o) { gc_mark_value(vm, ((dictview *)(void *)o)->of); }

static dict *view_dict(value self) { return AS(dict, AS(dictview, self)->of); }

/* ---- iterators ---- */

value dict_iter_new(vm *vm, unsigned type_id, dict *d)
{
    value v = iter_new(vm, type_id, value_obj(d));
    if (value_is_error(v)) return v;
    iter *it = AS(iter, v);
    it->n = d->used;
    it->b = value_int((int64_t)d->used);
    it->i = type_id >= TYPE_DICT_REVKEYITER ? d->fill : d->first;
    return v;
}

static bool dict_iter_check(vm *vm, iter *it, dict *d)
{
    if (LIKELY(it->n == d->used)) return true;
    it->n = UINT64_MAX; /* and from now on always */
    raise(vm, EXC_RuntimeError, "dictionary changed size during iteration");
    return false;
}

/* The next entry in either direction: 1, 0 exhausted, -1 raised. */
static inline int dict_iter_step(vm *vm, value self, bool back, dict_entry *out)
{
    iter *it = AS(iter, self);
    if (value_is_unbound(it->a)) return 0;
    dict *d = AS(dict, it->a);
    if (!dict_iter_check(vm, it, d)) return -1;
    size_t i = it->i;
    if (back) {
        if (i > d->fill) i = d->fill;
        while (i > 0 && value_is_unbound(d->entries[i - 1].key)) i--;
        if (i == 0) {
            it->a = V_UNBOUND;
            return 0;
        }
        it->i = --i;
    } else {
        while (i < d->fill && value_is_unbound(d->entries[i].key)) i++;
        if (i >= d->fill) {
            it->a = V_UNBOUND;
            return 0;
        }
        it->i = i + 1;
        if (UNLIKELY(it->b.bits == value_int(0).bits)) {
            it->a = V_UNBOUND;
            raise(vm, EXC_RuntimeError, "dictionary keys changed during iteration");
            return -1;
        }
    }
    it->b.bits--;
    *out = d->entries[i];
    return 1;
}

static value dict_iter_pair(vm *vm, const dict_entry *e)
{
    tuple *t = gc_new_fast(vm, K_TUPLE, TYPE_TUPLE, sizeof(tuple) + 2 * sizeof(value));
    if (!t) return V_ERROR;
    t->len = 2;
    t->items[0] = e->key;
    t->items[1] = e->val;
    return value_obj(t);
}

#define DICT_ITER_NEXT(NAME, BACK, RESULT)                      \
    static value NAME(vm *vm, value self)                       \
    {                                                           \
        dict_entry e;                                           \
        int r = dict_iter_step(vm, self, BACK, &e);             \
        if (UNLIKELY(r <= 0)) return r == 0 ? V_STOP : V_ERROR; \
        return RESULT;                                          \
    }
DICT_ITER_NEXT(dict_keyiter_next, false, e.key)
DICT_ITER_NEXT(dict_valueiter_next, false, e.val)
DICT_ITER_NEXT(dict_itemiter_next, false, dict_iter_pair(vm, &e))
DICT_ITER_NEXT(dict_revkeyiter_next, true, e.key)
DICT_ITER_NEXT(dict_revvalueiter_next, true, e.val)
DICT_ITER_NEXT(dict_revitemiter_next, true, dict_iter_pair(vm, &e))

static value dict_iter_hint(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)vm, (void)nargs, (void)kwnames;
    iter *it = AS(iter, args[0]);
    if (value_is_unbound(it->a) || AS(dict, it->a)->used != it->n) return value_int(0);
    return it->b;
}

static const native_def dict_iter_methods[] = {
    {"__length_hint__(self, /)", dict_iter_hint, DOC("Private method returning an estimate of len(list(it))."), 0},
    {"__reduce__(self, /)", iter_reduce_items, DOC("Return state information for pickling."), 0},
    {0},
};

/* ---- what the three views share ---- */

static int64_t view_len(vm *vm, value self)
{
    (void)vm;
    return (int64_t)view_dict(self)->used;
}

static value view_iter(vm *vm, value self)
{
    unsigned shape = value_as_obj(self)->shape;
    return dict_iter_new(vm, TYPE_DICT_KEYITER + (shape - TYPE_DICT_KEYS), view_dict(self));
}

static value view_reversed(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    unsigned shape = value_as_obj(args[0])->shape;
    return dict_iter_new(vm, TYPE_DICT_REVKEYITER + (shape - TYPE_DICT_KEYS), view_dict(args[0]));
}

static value view_mapping(vm *vm, value self) { return dictview_new(vm, TYPE_MAPPINGPROXY, AS(dictview, self)->of); }

/* Does the view belong to a collections.OrderedDict? Its views call themselves odict_keys and so on. */
static bool is_odict_view(vm *vm, value self)
{
    const type *t = type_of(vm, AS(dictview, self)->of);
    while (t->flags & TF_HEAP) t = t->base;
    return !t->id && strcmp(type_name(t), "OrderedDict") == 0;
}

static value view_repr(vm *vm, value self)
{
    ROOTS(vm, &self);
    int entered = repr_enter(vm, self);
    if (entered < 0) return V_ERROR;
    if (!entered) return value_obj(str_from_cstr(vm, "..."));
    list *l = obj_to_list(vm, self);
    str *s = l ? str_format(vm, "%s%T(%R)", is_odict_view(vm, self) ? "o" : "", self, value_obj(l)) : NULL;
    repr_leave(vm, self);
    return value_obj(s);
}

static int keys_contains(vm *vm, value self, value key)
{
    uint64_t hash;
    ROOTS(vm, &self, &key);
    if (!dict_hash_key(vm, key, &hash)) return -1;
    int64_t ix = dict_lookup(vm, view_dict(self), key, hash);
    return ix >= 0 ? 1 : ix == DICT_ABSENT ? 0 : -1;
}

static int items_contains(vm *vm, value self, value item)
{
    if (!IS_TUPLE(item) || AS(tuple, item)->len != 2) return 0;
    ROOTS(vm, &self, &item);
    value v = dict_get(vm, view_dict(self), AS(tuple, item)->items[0]);
    if (value_is_unbound(v)) return raised(vm) ? -1 : 0;
    return value_equal(vm, v, AS(tuple, item)->items[1]);
}

/* ---- keys and items as sets ---- */

static bool view_is_setlike(value v)
{
    return value_is_kind(v, K_SET) || value_is_exact(v, TYPE_DICT_KEYS) || value_is_exact(v, TYPE_DICT_ITEMS);
}

/* Is every item of a in b? 1 0 -1 */
static int view_all_in(vm *vm, value a, value b)
{
    value it = V_UNBOUND, v = V_UNBOUND;
    ROOTS(vm, &b, &it, &v);
    it = obj_iter(vm, a);
    if (value_is_error(it)) return -1;
    for (;;) {
        v = iter_step(vm, it);
        if (v.bits == V_STOP.bits) return 1;
        if (value_is_error(v)) return -1;
        int r = obj_contains(vm, b, v);
        if (r <= 0) return r;
    }
}

static value view_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (!view_is_setlike(b)) return V_NOTIMPLEMENTED;
    ROOTS(vm, &a, &b);
    int64_t m = (int64_t)view_dict(a)->used, n = obj_len(vm, b);
    if (n < 0) return V_ERROR;
    int r = 0;
    switch (op) {
    case CMP_EQ:
    case CMP_NE:
        if (m == n) r = view_all_in(vm, a, b);
        if (op == CMP_NE && r >= 0) r = !r;
        break;
    case CMP_LT:
        if (m < n) r = view_all_in(vm, a, b);
        break;
    case CMP_LE:
        if (m <= n) r = view_all_in(vm, a, b);
        break;
    case CMP_GT:
        if (m > n) r = view_all_in(vm, b, a);
        break;
    case CMP_GE:
        if (m >= n) r = view_all_in(vm, b, a);
        break;
    }
    return r < 0 ? V_ERROR : value_bool(r);
}

static value view_to_set(vm *vm, value v)
{
    set *s = set_new(vm, TYPE_SET);
    ROOTS(vm, &s);
    return s && set_update(vm, s, v) ? value_obj(s) : V_ERROR;
}

static value view_sub(vm *vm, value a, value b)
{
    ROOTS(vm, &a, &b);
    a = view_to_set(vm, a);
    return !value_is_error(a) && set_difference_update(vm, AS(set, a), b) ? a : V_ERROR;
}

static value view_or(vm *vm, value a, value b)
{
    ROOTS(vm, &a, &b);
    a = view_to_set(vm, a);
    return !value_is_error(a) && set_update(vm, AS(set, a), b) ? a : V_ERROR;
}

static value view_xor(vm *vm, value a, value b)
{
    ROOTS(vm, &a, &b);
    a = view_to_set(vm, a);
    if (value_is_error(a)) return a;
    return set_symmetric_difference_update(vm, AS(set, a), b) ? a : V_ERROR;
}

/* Walks the smaller operand where that can be seen. */
static value view_and(vm *vm, value a, value b)
{
    if (!value_is_obj(a) || (value_as_obj(a)->shape != TYPE_DICT_KEYS && value_as_obj(a)->shape != TYPE_DICT_ITEMS)) {
        value t = a;
        a = b;
        b = t;
    }
    value it = V_UNBOUND, v = V_UNBOUND;
    set *s = NULL;
    ROOTS(vm, &a, &b, &it, &v, &s);
    if (view_is_setlike(b)) {
        int64_t n = obj_len(vm, b);
        if (n < 0) return V_ERROR;
        if (n > (int64_t)view_dict(a)->used) {
            value t = a;
            a = b;
            b = t;
        }
    }
    s = set_new(vm, TYPE_SET);
    if (!s) return V_ERROR;
    it = obj_iter(vm, b);
    if (value_is_error(it)) return V_ERROR;
    for (;;) {
        v = iter_step(vm, it);
        if (v.bits == V_STOP.bits) return value_obj(s);
        if (value_is_error(v)) return V_ERROR;
        int r = obj_contains(vm, a, v);
        if (r < 0 || (r && !set_add(vm, s, v))) return V_ERROR;
    }
}

static value view_isdisjoint(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    value self = args[0], other = args[1], it = V_UNBOUND, v = V_UNBOUND;
    if (self.bits == other.bits) return value_bool(view_dict(self)->used == 0);
    ROOTS(vm, &self, &other, &it, &v);
    if (view_is_setlike(other)) {
        int64_t n = obj_len(vm, other);
        if (n < 0) return V_ERROR;
        if (n > (int64_t)view_dict(self)->used) {
            value t = other;
            other = self;
            self = t;
        }
    }
    it = obj_iter(vm, other);
    if (value_is_error(it)) return V_ERROR;
    for (;;) {
        v = iter_step(vm, it);
        if (v.bits == V_STOP.bits) return V_TRUE;
        if (value_is_error(v)) return V_ERROR;
        int r = obj_contains(vm, self, v);
        if (r) return r < 0 ? V_ERROR : V_FALSE;
    }
}

static const native_def view_set_methods[] = {
    {"isdisjoint(self, other, /)", view_isdisjoint,
     DOC("Return True if the view and the given iterable have a null intersection."), 0},
    {"__reversed__(self, /)", view_reversed, DOC("Return a reverse iterator over the view."), 0},
    {0},
};
static const native_def view_values_methods[] = {
    {"__reversed__(self, /)", view_reversed, DOC("Return a reverse iterator over the dict values."), 0},
    {0},
};
static const getset_def view_getsets[] = {
    {"mapping", view_mapping, NULL, DOC("dictionary that this view refers to")},
    {0},
};

/* ---- mappingproxy ---- */

static value proxy_of(value self) { return AS(dictview, self)->of; }

static value proxy_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)t;
    value of = V_UNBOUND;
    if (!args_bind(vm, "mappingproxy(mapping)", args, nargs, kwnames, &of)) return V_ERROR;
    if (!type_of(vm, of)->s.getitem || IS_LIST(of) || IS_TUPLE(of))
        return raise_type_error(vm, "mappingproxy() argument must be a mapping, not %T", of);
    return dictview_new(vm, TYPE_MAPPINGPROXY, of);
}

static value proxy_repr(vm *vm, value self) { return value_obj(str_format(vm, "mappingproxy(%R)", proxy_of(self))); }

static value proxy_str(vm *vm, value self) { return value_obj(obj_str(vm, proxy_of(self))); }

static int64_t proxy_len(vm *vm, value self) { return obj_len(vm, proxy_of(self)); }

static value proxy_getitem(vm *vm, value self, value key) { return obj_getitem(vm, proxy_of(self), key); }

static int proxy_contains(vm *vm, value self, value key) { return obj_contains(vm, proxy_of(self), key); }

static value proxy_iter(vm *vm, value self) { return obj_iter(vm, proxy_of(self)); }

static value proxy_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (value_is_exact(b, TYPE_MAPPINGPROXY)) b = proxy_of(b);
    return obj_compare(vm, proxy_of(a), b, op);
}

static value proxy_or(vm *vm, value a, value b)
{
    if (value_is_exact(a, TYPE_MAPPINGPROXY)) a = proxy_of(a);
    if (value_is_exact(b, TYPE_MAPPINGPROXY)) b = proxy_of(b);
    return obj_binary(vm, OPR_OR, a, b);
}

static value proxy_ior(vm *vm, value self, value other)
{
    (void)other;
    return raise_type_error(vm, "'|=' is not supported by %T; use '|' instead", self);
}

static value proxy_call(vm *vm, value *args, const char *name, uint32_t nargs)
{
    str *s = str_intern_utf8(vm, name, strlen(name));
    return s ? vm_call_method(vm, proxy_of(args[0]), s, args + 1, nargs) : V_ERROR;
}

static value proxy_m_get(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    if (value_is_unbound(args[2])) args[2] = V_NONE;
    return proxy_call(vm, args, "get", 2);
}

#define FORWARD(FUNCTION, NAME)                                               \
    static value FUNCTION(vm *vm, value *args, uint32_t nargs, value kwnames) \
    {                                                                         \
        (void)nargs, (void)kwnames;                                           \
        return proxy_call(vm, args, NAME, 0);                                 \
    }
FORWARD(proxy_m_keys, "keys")
FORWARD(proxy_m_values, "values")
FORWARD(proxy_m_items, "items")
FORWARD(proxy_m_copy, "copy")
FORWARD(proxy_m_reversed, "__reversed__")
#undef FORWARD

static const native_def proxy_methods[] = {
    {"get(self, key, default=None, /)", proxy_m_get,
     DOC("Return the value for key if key is in the mapping, else default."), 0},
    {"keys(self, /)", proxy_m_keys, DOC("D.keys() -> a set-like object providing a view on D's keys"), 0},
    {"values(self, /)", proxy_m_values, DOC("D.values() -> an object providing a view on D's values"), 0},
    {"items(self, /)", proxy_m_items, DOC("D.items() -> a set-like object providing a view on D's items"), 0},
    {"copy(self, /)", proxy_m_copy, DOC("D.copy() -> a shallow copy of D"), 0},
    {"__reversed__(self, /)", proxy_m_reversed, DOC("D.__reversed__() -> reverse iterator"), 0},
    {0},
};

value mappingproxy_new(vm *vm, value of) { return dictview_new(vm, TYPE_MAPPINGPROXY, of); }

/* ---- the types ---- */

static value self_iter(vm *vm, value self)
{
    (void)vm;
    return self;
}

void dict_views_fill(vm *vm)
{
    static const gc_kind_ops ops = {.traverse = dictview_traverse};
    static const unary_fn nexts[] = {dict_keyiter_next,    dict_valueiter_next,    dict_itemiter_next,
                                     dict_revkeyiter_next, dict_revvalueiter_next, dict_revitemiter_next};
    gc_register_kind(vm, K_DICTVIEW, &ops);
    for (unsigned i = 0; i < 6; i++) {
        type *t = vm->types[TYPE_DICT_KEYITER + i];
        t->s.iter = self_iter;
        t->s.next = nexts[i];
        t->methods = dict_iter_methods;
    }
    for (unsigned i = 0; i < 3; i++) {
        type *t = vm->types[TYPE_DICT_KEYS + i];
        t->s.len = view_len;
        t->s.iter = view_iter;
        t->s.repr = view_repr;
        t->getsets = view_getsets;
        if (i == 1) {
            t->methods = view_values_methods;
            continue;
        }
        t->methods = view_set_methods;
        t->s.contains = i == 0 ? keys_contains : items_contains;
        t->s.compare = view_compare;
        t->s.sub = view_sub;
        t->s.or_ = view_or;
        t->s.xor = view_xor;
        t->s.and_ = view_and;
    }
    type *t = T(vm, MAPPINGPROXY);
    t->methods = proxy_methods;
    t->s.new_ = proxy_new;
    t->s.repr = proxy_repr;
    t->s.str_ = proxy_str;
    t->s.len = proxy_len;
    t->s.getitem = proxy_getitem;
    t->s.contains = proxy_contains;
    t->s.iter = proxy_iter;
    t->s.compare = proxy_compare;
    t->s.or_ = proxy_or;
    t->s.ior = proxy_ior;
}
