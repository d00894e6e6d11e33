/* The type `object`: what every value can do unless its type says otherwise; bare instances. */
#include "attr.h"
#include "native.h"
#include "slot_table.h"
#include "type_parts.h"
#include "types_api.h"

#define DOC_FILE vm_object
DOC_BEGIN;

value instance_new(vm *vm, type *t)
{
    /* A class's first instance comes before it has learnt how many attributes they have. */
    uint32_t cap = t->nshapes <= 1 ? t->nmembers + SLOTS_INLINE_FIRST : t->inline_slots;
    instance *o = gc_new_fast(vm, K_INSTANCE, t->root_shape, sizeof *o + cap * sizeof(value));
    if (UNLIKELY(!o)) return V_ERROR;
    o->h.flags = (uint16_t)cap;
    o->slots = o->inl;
    if (UNLIKELY(t->flags & TF_FINALIZER)) gc_register_finalizer(vm, &o->h);
    return value_obj(o);
}

static bool has_args(uint32_t nargs, value kwnames)
{
    return nargs || (!value_is_unbound(kwnames) && AS(tuple, kwnames)->len);
}

static value abstract_error(vm *vm, type *t)
{
    value names = obj_getattr(vm, value_obj(t), N(vm, __abstractmethods__));
    list *l = value_is_error(names) ? NULL : obj_to_list(vm, names);
    ROOTS(vm, &l);
    if (!l || !list_sort(vm, l, V_NONE, false)) return V_ERROR;
    str_builder b;
    sb_init(&b, vm);
    for (size_t i = 0; i < l->len; i++) {
        if (i) sb_cstr(&b, ", ");
        if (IS_STR(l->items[i])) sb_str(&b, AS(str, l->items[i]));
    }
    str *joined = sb_finish(&b);
    if (!joined) return V_ERROR;
    return raise_type_error(vm, "Can't instantiate abstract class %N with abstract method%s %U", t,
                            l->len == 1 ? "" : "s", joined);
}

value object_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args;
    if (has_args(nargs, kwnames)) {
        if (t->s.new_ != object_slot_new)
            return raise_type_error(vm, "object.__new__() takes exactly one argument (the type to instantiate)");
        if (t->s.init == object_slot_init) return raise_type_error(vm, "%N() takes no arguments", t);
    }
    if (t->flags & TF_ABSTRACT) return abstract_error(vm, t);
    if (LIKELY(t->inst_kind == K_INSTANCE)) return instance_new(vm, t);
    if (t->inst_kind == K_USERDATA && t->layout) {
        void *o = userdata_new(vm, t);
        return o ? value_obj(o) : V_ERROR;
    }
    return raise_type_error(vm, "cannot create '%N' instances", t);
}

bool object_slot_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    (void)args;
    if (!has_args(nargs, kwnames)) return true;
    type *t = type_of(vm, self);
    if (t->s.init != object_slot_init) {
        raise_type_error(vm, "object.__init__() takes exactly one argument (the instance to initialize)");
        return false;
    }
    if (t->s.new_ == object_slot_new) {
        raise_type_error(vm, "%N.__init__() takes exactly one argument (the instance to initialize)", t);
        return false;
    }
    return true;
}

static value object_repr(vm *vm, value v)
{
    char addr[20];
    type *t = type_of(vm, v);
    value m = t->flags & TF_HEAP ? type_lookup(vm, t, N(vm, __module__)) : t->module;
    str *s;
    if (IS_STR(m) && !str_eq(AS(str, m), N(vm, builtins)))
        s = str_format(vm, "<%U.%U object at %s>", m, t->qualname, address_text(value_as_obj(v), addr));
    else s = str_format(vm, "<%N object at %s>", t, address_text(value_as_obj(v), addr));
    return s ? value_obj(s) : V_ERROR;
}

static value object_str(vm *vm, value v)
{
    if (!vm_enter(vm)) return V_ERROR; /* __repr__ may be str's */
    value r = type_of(vm, v)->s.repr(vm, v);
    vm_leave(vm);
    return r;
}

/* Objects never move: the address is the identity. */
static bool object_hash(vm *vm, value v, uint64_t *out)
{
    (void)vm;
    uint64_t h = v.bits >> 4 | v.bits << 60;
    *out = h == UINT64_MAX ? h - 1 : h;
    return true;
}

static value object_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (op == CMP_EQ) return value_is(a, b) ? V_TRUE : V_NOTIMPLEMENTED;
    if (op != CMP_NE) return V_NOTIMPLEMENTED;
    compare_fn f = type_of(vm, a)->s.compare; /* != is not == */
    value r = f ? f(vm, a, b, CMP_EQ) : V_NOTIMPLEMENTED;
    if (value_is_error(r) || value_is(r, V_NOTIMPLEMENTED)) return r;
    int t = obj_truth(vm, r);
    return t < 0 ? V_ERROR : value_bool(!t);
}

/* ---- attributes and methods ---- */

static value get_class(vm *vm, value v) { return value_obj(type_of(vm, v)); }
static bool set_class(vm *vm, value v, value cls) { return object_set_class(vm, v, cls); }

static value object_format(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    if (!IS_STR(args[1])) return raise_type_error(vm, "__format__() argument must be str, not %A", args[1]);
    if (AS(str, args[1])->len)
        return raise_type_error(vm, "unsupported format string passed to %T.__format__", args[0]);
    str *s = obj_str(vm, args[0]);
    return s ? value_obj(s) : V_ERROR;
}

static value object_dir_method(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    list *l = object_dir(vm, args[0]);
    return l ? value_obj(l) : V_ERROR;
}

static value object_sizeof(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)vm;
    (void)nargs;
    (void)kwnames;
    if (!value_is_obj(args[0])) return value_int(8);
    return value_int((int64_t)gc_size_of(value_as_obj(args[0])));
}

static value object_init_subclass(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    if (!value_is_unbound(kwnames) && AS(tuple, kwnames)->len)
        return raise_type_error(vm, "%U.__init_subclass__() takes no keyword arguments", AS(type, args[0])->qualname);
    if (nargs > 1)
        return raise_type_error(vm, "%U.__init_subclass__() takes no arguments (%d given)", AS(type, args[0])->qualname,
                                (int)nargs - 1);
    return V_NONE;
}

static value object_subclasshook(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)vm;
    (void)args;
    (void)nargs;
    (void)kwnames;
    return V_NOTIMPLEMENTED;
}

/* The attributes of an instance, members included: None, a dict, or (dict or None, members). */
value object_getstate(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    value o = args[0], state = V_NONE;
    dict *members = NULL;
    ROOTS(vm, &o, &state, &members);
    type *t = type_of(vm, o);
    if (value_is_obj(o) && (t->flags & TF_HAS_DICT) && value_as_obj(o)->kind != K_TYPE) {
        dict *d = object_dict(vm, o);
        if (!d) return V_ERROR;
        if (d->used || !t->nmembers) state = d->used ? value_obj(d) : V_NONE;
    }
    if (!t->nmembers) return state;
    for (size_t i = 0; t->mro && i < t->mro->len; i++) {
        type *k = AS(type, t->mro->items[i]);
        size_t pos = 0;
        value key, d;
        while (k->dict && dict_next(k->dict, &pos, &key, &d)) {
            if (!value_is_exact(d, TYPE_MEMBER) || AS(descr, d)->def) continue;
            value v = member_get(vm, AS(descr, d), o);
            if (value_is_unbound(v)) {
                exc_clear(vm);
                continue;
            }
            if ((!members && !(members = dict_new(vm))) || !dict_set_str(vm, members, AS(str, key), v)) return V_ERROR;
        }
    }
    if (!members) return state;
    tuple *both = tuple_pack(vm, 2, state, value_obj(members));
    return both ? value_obj(both) : V_ERROR;
}

static const getset_def object_getsets[] = {
    {"__class__", get_class, set_class, DOC("the object's class")},
    {0},
};

static const native_def object_methods[] = {
    {"__format__(self, format_spec, /)", object_format, DOC("Default object formatter."), 0},
    {"__dir__(self, /)", object_dir_method, DOC("Default dir() implementation."), 0},
    {"__sizeof__(self, /)", object_sizeof, DOC("Size of object in memory, in bytes."), 0},
    {"__init_subclass__(cls, *args, **kwargs)", object_init_subclass,
     DOC("This method is called when a class is subclassed."), NATIVE_CLASS | NATIVE_RAW},
    {"__subclasshook__(cls, *args)", object_subclasshook,
     DOC("Abstract classes can override this to customize issubclass()."), NATIVE_CLASS | NATIVE_RAW},
    {"__getstate__(self, /)", object_getstate, DOC("Helper for pickle."), 0},
    {"__reduce_ex__(self, protocol, /)", object_reduce_ex, DOC("Helper for pickle."), 0},
    {"__reduce__(self, /)", object_reduce, DOC("Helper for pickle."), 0},
    {0},
};

void type_init_object(vm *vm)
{
    type *t = T(vm, OBJECT);
    t->s.new_ = object_slot_new;
    t->s.init = object_slot_init;
    t->s.repr = object_repr;
    t->s.str_ = object_str;
    t->s.hash = object_hash;
    t->s.compare = object_compare;
    t->s.getattr = attr_slot_get;
    t->s.setattr = attr_slot_set;
    t->methods = object_methods;
    t->getsets = object_getsets;
}
