/* The module _collections: deque (deque.c), OrderedDict (ordered_dict.c), defaultdict, and what
 * Counter and namedtuple have in C. */
#include "collections.h"

#include "vm/attr.h"
#include "vm/dict.h"
#include "vm/iter.h"
#include "vm/shape.h"
#include "vm/str.h"

#define DOC_FILE stdlib_collections
DOC_BEGIN;

/* ---- defaultdict: a dict; the factory is in an attribute slot that belongs to the type ---- */

static value factory_of(vm *vm, value self)
{
    const value *slots = object_slots(vm, value_as_obj(self), NULL);
    return slots && !value_is_unbound(slots[0]) ? slots[0] : V_NONE;
}

static value get_factory(vm *vm, value self) { return factory_of(vm, self); }

static bool set_factory(vm *vm, value self, value v)
{
    object *o = value_as_obj(self);
    /* All of the type's slots at once, and those of a subclass: the shape counts them. */
    value *slots = slots_reserve(vm, o, shape_of(vm, o)->count - 1);
    if (!slots) return false;
    slots[0] = value_is_unbound(v) ? V_NONE : v;
    gc_barrier(vm, o);
    return true;
}

static bool defaultdict_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    if (nargs && !value_is_none(args[0]) && !obj_is_callable(vm, args[0])) {
        raise_type_error(vm, "first argument must be callable or None");
        return false;
    }
    if (!set_factory(vm, self, nargs ? args[0] : V_NONE)) return false;
    return T(vm, DICT)->s.init(vm, self, args + (nargs > 0), nargs ? nargs - 1 : 0, kwnames);
}

static value missing(vm *vm, value self, value key)
{
    value f = factory_of(vm, self);
    if (value_is_none(f)) return raise_key_error(vm, key);
    ROOTS(vm, &self, &key);
    value v = vm_call0(vm, f);
    if (value_is_error(v)) return v;
    ROOTS(vm, &v);
    return obj_setitem(vm, self, key, v) ? v : V_ERROR;
}
FN(dd_missing) { return missing(vm, args[0], args[1]); }

static value defaultdict_getitem(vm *vm, value self, value key)
{
    if (type_of(vm, self) != module_state_type(vm, STATE_DEFAULTDICT)) return dict_subscript(vm, self, key);
    ROOTS(vm, &self, &key);
    value v = dict_get(vm, AS(dict, self), key);
    if (LIKELY(!value_is_unbound(v)) || raised(vm)) return v;
    return missing(vm, self, key);
}

FN(dd_copy)
{
    value call[2] = {factory_of(vm, args[0]), args[0]};
    return vm_call(vm, value_obj(type_of(vm, args[0])), call, 2);
}

FN(dd_reduce)
{
    value f = factory_of(vm, args[0]), it = V_UNBOUND;
    tuple *in = value_is_none(f) ? vm->empty_tuple : tuple_pack(vm, 1, f);
    ROOTS(vm, &in, &it);
    it = in ? vm_call_method(vm, args[0], N(vm, items), NULL, 0) : V_ERROR;
    if (!value_is_error(it)) it = obj_iter(vm, it);
    if (value_is_error(it)) return V_ERROR;
    tuple *r = tuple_pack(vm, 5, value_obj(type_of(vm, args[0])), value_obj(in), V_NONE, V_NONE, it);
    return r ? value_obj(r) : V_ERROR;
}

static value defaultdict_repr(vm *vm, value self)
{
    value base = V_UNBOUND, f = factory_of(vm, self), name = type_of(vm, self)->name;
    str *factory;
    ROOTS(vm, &self, &base, &f);
    base = T(vm, DICT)->s.repr(vm, self);
    if (value_is_error(base)) return base;
    int entered = repr_enter(vm, self); /* the factory may be a method of this very dict */
    if (entered < 0) return V_ERROR;
    factory = entered ? obj_repr(vm, f) : str_from_cstr(vm, "...");
    if (entered) repr_leave(vm, self);
    return factory ? str_value(str_format(vm, "%U(%U, %U)", name, factory, base)) : V_ERROR;
}

static value defaultdict_or(vm *vm, value a, value b)
{
    if (!IS_DICT(a) || !IS_DICT(b)) return V_NOTIMPLEMENTED;
    const type *own = module_state_type(vm, STATE_DEFAULTDICT);
    value self = value_isa(vm, a, own) ? a : b, c = V_UNBOUND, call[2] = {factory_of(vm, self), a};
    ROOTS(vm, &a, &b, &c);
    c = vm_call(vm, value_obj(type_of(vm, self)), call, 2);
    if (!value_is_error(c) && !IS_DICT(c)) return raise_type_error(vm, "%T() must return a dict, not %T", self, c);
    return !value_is_error(c) && dict_update(vm, AS(dict, c), b) ? c : V_ERROR;
}

static const getset_def defaultdict_getsets[] = {
    {"default_factory", get_factory, set_factory, DOC("Factory for default value called by __missing__().")}, {0}};
static const native_def defaultdict_methods[] = {
    {"__missing__(self, key, /)", dd_missing, DOC("Called by __getitem__ for a key that is not there."), 0},
    {"copy(self, /)", dd_copy, DOC("D.copy() -> a shallow copy of D."), 0},
    {"__copy__(self, /)", dd_copy, DOC("D.copy() -> a shallow copy of D."), 0},
    {"__reduce__(self, /)", dd_reduce, DOC("Return state information for pickling."), 0},
    CLASS_GETITEM_METHOD,
    {0},
};
static void defaultdict_fill(struct type_slots *s)
{
    s->init = defaultdict_init;
    s->getitem = defaultdict_getitem;
    s->repr = defaultdict_repr;
    s->or_ = defaultdict_or;
}
static const type_spec defaultdict_spec = {
    .name = "collections.defaultdict",
    .doc = "defaultdict(default_factory=None, /, [...]) --> dict with default factory",
    .methods = defaultdict_methods,
    .getsets = defaultdict_getsets,
    .base_id = TYPE_DICT,
    .flags = TF_BASE,
    .fill = defaultdict_fill,
    .nslots = 1,
};

/* ---- Counter's counting ---- */

/* Is the class's method still dict's? */
static bool same_method(vm *vm, value self, str *name)
{
    return value_is(type_lookup(vm, type_of(vm, self), name), type_lookup(vm, T(vm, DICT), name));
}

FN(c_count_elements)
{
    value map = args[0], it = obj_iter(vm, args[1]), key = V_UNBOUND, n;
    if (value_is_error(it)) return it;
    ROOTS(vm, &it, &key);
    bool plain = IS_DICT(map) && same_method(vm, map, N(vm, get)) && same_method(vm, map, N(vm, __setitem__));
    for (;;) {
        key = iter_step(vm, it);
        if (value_is_error(key)) return V_ERROR;
        if (key.bits == V_STOP.bits) return V_NONE;
        if (plain) {
            uint64_t hash;
            if (!dict_hash_key(vm, key, &hash)) return V_ERROR;
            int64_t ix = dict_lookup(vm, AS(dict, map), key, hash);
            if (ix == DICT_ERROR) return V_ERROR;
            if (ix >= 0) {
                dict_entry *e = &AS(dict, map)->entries[ix];
                if (LIKELY(value_is_int(e->val) && value_as_int(e->val) < SMALL_MAX)) {
                    e->val = value_int(value_as_int(e->val) + 1);
                } else {
                    n = obj_binary(vm, OPR_ADD, e->val, value_int(1));
                    if (value_is_error(n) || !dict_set_hashed(vm, AS(dict, map), key, hash, n)) return V_ERROR;
                }
            } else if (!dict_insert_new(vm, AS(dict, map), key, hash, value_int(1))) {
                return V_ERROR;
            }
        } else {
            value call[2] = {key, value_int(0)};
            n = vm_call_method(vm, map, N(vm, get), call, 2);
            if (!value_is_error(n)) n = obj_binary(vm, OPR_ADD, n, value_int(1));
            if (value_is_error(n) || !obj_setitem(vm, map, key, n)) return V_ERROR;
        }
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
}

/* ---- namedtuple's fields: descriptors of tuple items ---- */

struct tuple_getter {
    value doc;
    int64_t index;
};

static struct tuple_getter *getter_of(value v) { return (struct tuple_getter *)(void *)AS(userdata, v)->body; }
static void getter_traverse(vm *vm, object *o) { gc_mark_value(vm, getter_of(value_obj(o))->doc); }
static const type_layout getter_layout = {.size = sizeof(struct tuple_getter), .traverse = getter_traverse};

static value getter_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[2];
    int64_t index;
    if (!args_unpack(vm, "_tuplegetter", args, nargs, kwnames, 2, 2, in) || !args_ssize(vm, in[0], 0, &index))
        return V_ERROR;
    void *o = userdata_new(vm, t);
    if (!o) return V_ERROR;
    *getter_of(value_obj(o)) = (struct tuple_getter){in[1], index};
    return value_obj(o);
}

static value getter_get(vm *vm, value self, value o, value cls)
{
    (void)cls;
    int64_t i = getter_of(self)->index;
    if (value_is_unbound(o)) return self;
    if (!IS_TUPLE(o)) {
        if (value_is_none(o)) return self;
        return raise_type_error(vm, "descriptor for index '%ld' for tuple subclasses doesn't apply to '%T' object", i,
                                o);
    }
    const tuple *t = AS(tuple, o);
    if ((uint64_t)i >= t->len) return raise(vm, EXC_IndexError, "tuple index out of range");
    return t->items[i];
}

static bool getter_set(vm *vm, value self, value o, value v)
{
    (void)self, (void)o;
    raise(vm, EXC_AttributeError, value_is_unbound(v) ? "can't delete attribute" : "can't set attribute");
    return false;
}

static value getter_repr(vm *vm, value self)
{
    return str_value(
        str_format(vm, "%U(%ld, %R)", type_of(vm, self)->name, getter_of(self)->index, getter_of(self)->doc));
}
static value get_doc(vm *vm, value self)
{
    (void)vm;
    return getter_of(self)->doc;
}
static bool set_doc(vm *vm, value self, value v)
{
    getter_of(self)->doc = value_is_unbound(v) ? V_NONE : v;
    gc_barrier(vm, value_as_obj(self));
    return true;
}
FN(getter_reduce)
{
    const struct tuple_getter *g = getter_of(args[0]);
    tuple *t = tuple_pack(vm, 2, value_int(g->index), g->doc);
    t = t ? tuple_pack(vm, 2, value_obj(type_of(vm, args[0])), value_obj(t)) : NULL;
    return t ? value_obj(t) : V_ERROR;
}

static const getset_def getter_getsets[] = {{"__doc__", get_doc, set_doc, NULL}, {0}};
static const native_def getter_methods[] = {{"__reduce__(self, /)", getter_reduce, NULL, 0}, {0}};
static void getter_fill(struct type_slots *s)
{
    s->new_ = getter_new;
    s->descr_get = getter_get;
    s->descr_set = getter_set;
    s->repr = getter_repr;
}
static const type_spec getter_spec = {
    .name = "_collections._tuplegetter",
    .layout = &getter_layout,
    .methods = getter_methods,
    .getsets = getter_getsets,
    .fill = getter_fill,
};

static const native_def functions[] = {
    {"_count_elements(mapping, iterable, /)", c_count_elements,
     DOC("Count elements in the iterable, updating the mapping"), 0},
    {0},
};

bool collections_init(vm *vm, module *m)
{
    return deque_add(vm, m) && ordered_dict_add(vm, m) &&
           module_add_type(vm, m, STATE_DEFAULTDICT, &defaultdict_spec) &&
           module_add_type(vm, m, STATE_TUPLE_GETTER, &getter_spec) && module_add_natives(vm, m, functions);
}
