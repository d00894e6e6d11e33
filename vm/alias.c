/* What subscripting and or-ing classes gives: list[int] (types.GenericAlias) and int | None
 * (types.UnionType).
 *
 * Both are K_DESCR objects. Alias: get = origin, set = arguments (tuple). Union: set = members
 * (tuple).
 */
#include "attr.h"
#include "native.h"
#include "type_parts.h"
#include "set.h"
#include "types_api.h"

#define DOC_FILE vm_alias
DOC_BEGIN;

static value repr_value(str *s) { return s ? value_obj(s) : V_ERROR; }

/* ---- GenericAlias ---- */

value alias_new(vm *vm, value origin, value args)
{
    tuple *t = IS_TUPLE(args) ? AS(tuple, args) : tuple_pack(vm, 1, args);
    descr *d = t ? gc_new(vm, K_DESCR, TYPE_GENERIC_ALIAS, sizeof *d) : NULL;
    if (!d) return V_ERROR;
    d->get = origin;
    d->set = value_obj(t);
    return value_obj(d);
}

static value class_getitem(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    return alias_new(vm, args[0], args[1]);
}

const native_def alias_class_getitem[] = {
    {"__class_getitem__(cls, item, /)", class_getitem, DOC("See PEP 585"), NATIVE_CLASS},
};

bool alias_is_generic_type(unsigned id)
{
    switch (id) {
    case TYPE_LIST:
    case TYPE_DICT:
    case TYPE_TUPLE:
    case TYPE_SET:
    case TYPE_FROZENSET:
    case TYPE_ENUMERATE:
    case TYPE_MAPPINGPROXY:
    case TYPE_ASYNC_GENERATOR:
    case TYPE_FUTURE:
    case TYPE_TASK:
    case TYPE_WEAKREF:
    case EXC_BaseExceptionGroup: return true;
    default: return false;
    }
}

static value alias_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value a[2];
    if (!args_unpack(vm, "GenericAlias", args, nargs, kwnames, 2, 2, a)) return V_ERROR;
    value v = alias_new(vm, a[0], a[1]);
    if (!value_is_error(v)) value_as_obj(v)->shape = t->root_shape;
    return v;
}

/* A type argument as it is written: int, a.b.C, ..., or its repr. */
static bool write_arg(vm *vm, str_builder *b, value v)
{
    if (value_is(v, V_ELLIPSIS)) {
        sb_cstr(b, "...");
        return true;
    }
    if (value_is_none(v) || value_is(v, value_obj(T(vm, NONETYPE)))) {
        sb_cstr(b, value_is_none(v) ? "None" : "NoneType");
        return true;
    }
    bool plain = IS_TYPE(v); /* what has __origin__ and __args__ is an alias of some kind: it has its own repr */
    ROOTS(vm, &v);
    if (!plain && !value_is_exact(v, TYPE_GENERIC_ALIAS) && !value_is_exact(v, TYPE_UNION)) {
        str *origin = str_intern_utf8(vm, "__origin__", 10);
        if (!origin) return false;
        plain = value_is_unbound(obj_getattr_opt(vm, v, origin));
        if (raised(vm)) return false;
    }
    value q = plain ? obj_getattr_opt(vm, v, N(vm, __qualname__)) : V_UNBOUND;
    ROOTS(vm, &q);
    value m = value_is_unbound(q) ? q : obj_getattr_opt(vm, v, N(vm, __module__));
    if (raised(vm)) return false;
    if (IS_STR(q) && IS_STR(m)) {
        if (!str_eq(AS(str, m), N(vm, builtins))) {
            sb_str(b, AS(str, m));
            sb_char(b, '.');
        }
        sb_str(b, AS(str, q));
        return true;
    }
    str *r = obj_repr(vm, v);
    if (!r) return false;
    sb_str(b, r);
    return true;
}

static bool is_unpacked(value v) { return value_is(AS(descr, v)->del, V_TRUE); }

static value alias_repr(vm *vm, value v)
{
    tuple *args = AS(tuple, AS(descr, v)->set);
    if (!vm_enter(vm)) return V_ERROR;
    str_builder b;
    sb_init(&b, vm);
    if (is_unpacked(v)) sb_char(&b, '*');
    bool ok = write_arg(vm, &b, AS(descr, v)->get);
    sb_char(&b, '[');
    for (size_t i = 0; ok && i < args->len; i++) {
        if (i) sb_cstr(&b, ", ");
        ok = write_arg(vm, &b, args->items[i]);
    }
    if (!args->len) sb_cstr(&b, "()");
    sb_char(&b, ']');
    vm_leave(vm);
    if (!ok) {
        sb_drop(&b);
        return V_ERROR;
    }
    return repr_value(sb_finish(&b));
}

static value alias_call(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    ROOTS(vm, &self);
    if (!vm_enter(vm)) return V_ERROR;
    value r = vm_call_kw(vm, AS(descr, self)->get, args, nargs, kwnames);
    ROOTS(vm, &r);
    if (value_is_obj(r) && type_of(vm, r)->flags & TF_HEAP) { /* other objects don't take the attribute */
        str *name = str_intern_utf8(vm, "__orig_class__", 14);
        if ((!name || !obj_setattr(vm, r, name, self)) && !exc_clear_if(vm, EXC_AttributeError) &&
            !exc_clear_if(vm, EXC_TypeError))
            r = V_ERROR;
    }
    vm_leave(vm);
    return r;
}

static const char *const own_names[] = {"__origin__",
                                        "__args__",
                                        "__parameters__",
                                        "__mro_entries__",
                                        "__reduce_ex__",
                                        "__reduce__",
                                        "__class__",
                                        "__copy__",
                                        "__deepcopy__",
                                        "__unpacked__",
                                        "__typing_unpacked_tuple_args__"};

/* All but a few attributes are the origin's. */
static value alias_getattr(vm *vm, value self, value name)
{
    str *s = AS(str, name);
    bool dunder = s->len > 4 && str_at(s, 0) == '_' && str_at(s, 1) == '_';
    bool own = false;
    for (size_t i = 0; dunder && i < sizeof own_names / sizeof *own_names; i++)
        own = own ||
              ((s->h.flags & STR_ASCII) && strlen(own_names[i]) == s->len && !memcmp(own_names[i], s->data, s->len));
    if (own) return attr_slot_get(vm, self, name);
    if (!vm_enter(vm)) return V_ERROR;
    value r = obj_getattr(vm, AS(descr, self)->get, s);
    vm_leave(vm);
    return r;
}

static value alias_compare(vm *vm, value a, value b, enum compare_op op)
{
    if ((op != CMP_EQ && op != CMP_NE) || !value_isa(vm, b, T(vm, GENERIC_ALIAS))) return V_NOTIMPLEMENTED;
    int eq = obj_equal(vm, AS(descr, a)->get, AS(descr, b)->get);
    if (eq > 0) eq = obj_equal(vm, AS(descr, a)->set, AS(descr, b)->set);
    if (eq > 0) eq = is_unpacked(a) == is_unpacked(b);
    return eq < 0 ? V_ERROR : value_bool(eq == (op == CMP_EQ));
}

static bool alias_hash(vm *vm, value v, uint64_t *out)
{
    uint64_t a, b;
    if (!obj_hash(vm, AS(descr, v)->get, &a) || !obj_hash(vm, AS(descr, v)->set, &b)) return false;
    *out = a ^ b;
    if (*out == UINT64_MAX) *out -= 1;
    return true;
}

/* The module typing knows type variables: what has none never gets there. */
static value typing_attr(vm *vm, const char *function)
{
    str *name = str_intern_utf8(vm, "typing", 6);
    value m = name ? import_module(vm, name) : V_ERROR;
    str *attr = str_intern_utf8(vm, function, strlen(function));
    return value_is_error(m) || !attr ? V_ERROR : obj_getattr(vm, m, attr);
}

static value ask_typing(vm *vm, const char *function, value *args, uint32_t n)
{
    value f = typing_attr(vm, function);
    return value_is_error(f) ? f : vm_call(vm, f, args, n);
}

/* Could a type variable be in these arguments? */
static bool may_have_parameters(const tuple *args)
{
    for (size_t i = 0; i < args->len; i++) {
        value v = args->items[i];
        if (value_is_obj(v) && !IS_TYPE(v) && !IS_STR(v)) return true;
    }
    return false;
}

static value get_parameters(vm *vm, value v)
{
    value args = AS(descr, v)->set;
    if (!may_have_parameters(AS(tuple, args))) return value_obj(vm->empty_tuple);
    return ask_typing(vm, "_collect_parameters", &args, 1);
}

static value alias_getitem(vm *vm, value self, value key)
{
    if (!may_have_parameters(AS(tuple, AS(descr, self)->set)))
        return raise_type_error(vm, "%R is not a generic class", self);
    value args[] = {self, key};
    ROOTS(vm, &self);
    value r = ask_typing(vm, "_subscript_alias", args, 2);
    if (value_is_exact(r, TYPE_GENERIC_ALIAS) && value_is_exact(self, TYPE_GENERIC_ALIAS))
        AS(descr, r)->del = AS(descr, self)->del;
    return r;
}

/* `*tuple[int, str]` in a subscript or among parameters: the alias once, marked as unpacked. */
static value alias_iter(vm *vm, value self)
{
    value v = alias_new(vm, AS(descr, self)->get, AS(descr, self)->set);
    ROOTS(vm, &v);
    if (value_is_error(v)) return v;
    AS(descr, v)->del = V_TRUE;
    tuple *once = tuple_pack(vm, 1, v);
    return once ? obj_iter(vm, value_obj(once)) : V_ERROR;
}

static value alias_iter_mro(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    tuple *t = tuple_pack(vm, 1, AS(descr, args[0])->get);
    return t ? value_obj(t) : V_ERROR;
}

static value get_origin(vm *vm, value v)
{
    (void)vm;
    return AS(descr, v)->get;
}
static value get_args(vm *vm, value v)
{
    (void)vm;
    return AS(descr, v)->set;
}

static value get_unpacked(vm *vm, value v)
{
    (void)vm;
    return value_bool(is_unpacked(v));
}
static value get_unpacked_tuple_args(vm *vm, value v)
{
    bool of_tuple = value_is(AS(descr, v)->get, value_obj(T(vm, TUPLE)));
    return is_unpacked(v) && of_tuple ? AS(descr, v)->set : V_NONE;
}

static const getset_def alias_getsets[] = {
    {"__origin__", get_origin, NULL, NULL},
    {"__args__", get_args, NULL, NULL},
    {"__parameters__", get_parameters, NULL, DOC("Type variables in the GenericAlias.")},
    {"__unpacked__", get_unpacked, NULL, NULL},
    {"__typing_unpacked_tuple_args__", get_unpacked_tuple_args, NULL, NULL},
    {0},
};
static value alias_reduce(vm *vm, value *a, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    const descr *d = AS(descr, a[0]);
    tuple *call = tuple_pack(vm, 2, d->get, d->set);
    ROOTS(vm, &call);
    value make = is_unpacked(a[0]) ? typing_attr(vm, "_unpacked_alias") : value_obj(type_of(vm, a[0]));
    tuple *r = call && !value_is_error(make) ? tuple_pack(vm, 2, make, value_obj(call)) : NULL;
    return r ? value_obj(r) : V_ERROR;
}

static const native_def alias_methods[] = {
    {"__reduce__(self, /)", alias_reduce, NULL, 0},
    {"__mro_entries__(self, bases, /)", alias_iter_mro, NULL, 0},
    {0},
};

/* ---- UnionType ---- */

tuple *union_members(value u) { return value_is_exact(u, TYPE_UNION) ? AS(tuple, AS(descr, u)->set) : NULL; }

static bool unionable(vm *vm, value v)
{
    return value_is_none(v) || IS_TYPE(v) || value_isa(vm, v, T(vm, GENERIC_ALIAS)) || value_is_exact(v, TYPE_UNION);
}

/* Appends the members of v that are not there yet. */
static bool union_add(vm *vm, list *l, value v)
{
    tuple *more = union_members(v);
    size_t n = more ? more->len : 1;
    for (size_t i = 0; i < n; i++) {
        value m = more ? more->items[i] : value_is_none(v) ? value_obj(T(vm, NONETYPE)) : v;
        bool seen = false;
        for (size_t j = 0; !seen && j < l->len; j++) {
            bool compare = !IS_TYPE(m) && !IS_TYPE(l->items[j]); /* obj_equal() looks at identity first */
            int eq = compare ? obj_equal(vm, l->items[j], m) : value_is(l->items[j], m);
            if (eq < 0) return false;
            seen = eq > 0;
        }
        if (!seen && !list_append(vm, l, m)) return false;
    }
    return true;
}

value union_of(vm *vm, value a, value b)
{
    if (!unionable(vm, a) || !unionable(vm, b)) return V_NOTIMPLEMENTED;
    list *l = list_new(vm, 4);
    if (!l) return V_ERROR;
    ROOTS(vm, &l, &a, &b);
    if (!union_add(vm, l, a) || !union_add(vm, l, b)) return V_ERROR;
    if (l->len == 1) return l->items[0];
    tuple *t = tuple_from(vm, l->items, l->len);
    descr *d = t ? gc_new(vm, K_DESCR, TYPE_UNION, sizeof *d) : NULL;
    if (!d) return V_ERROR;
    d->set = value_obj(t);
    return value_obj(d);
}

static value union_repr(vm *vm, value v)
{
    tuple *t = AS(tuple, AS(descr, v)->set);
    str_builder b;
    sb_init(&b, vm);
    for (size_t i = 0; i < t->len; i++) {
        if (i) sb_cstr(&b, " | ");
        value m = value_is(t->items[i], value_obj(T(vm, NONETYPE))) ? V_NONE : t->items[i];
        if (!write_arg(vm, &b, m)) {
            sb_drop(&b);
            return V_ERROR;
        }
    }
    return repr_value(sb_finish(&b));
}

/* Order does not matter. */
static value union_compare(vm *vm, value a, value b, enum compare_op op)
{
    tuple *x = union_members(a), *y = union_members(b);
    if ((op != CMP_EQ && op != CMP_NE) || !y) return V_NOTIMPLEMENTED;
    bool eq = x->len == y->len;
    for (size_t i = 0; eq && i < x->len; i++) {
        int found = 0;
        for (size_t j = 0; !found && j < y->len; j++) found = obj_equal(vm, x->items[i], y->items[j]);
        if (found < 0) return V_ERROR;
        eq = found;
    }
    return value_bool(eq == (op == CMP_EQ));
}

static bool union_hash(vm *vm, value v, uint64_t *out)
{
    set *s = set_make(vm, TYPE_FROZENSET, AS(descr, v)->set); /* its order does not matter either */
    return s && obj_hash(vm, value_obj(s), out);
}

static value union_instancecheck(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    int r = obj_isinstance(vm, args[1], args[0]);
    return r < 0 ? V_ERROR : value_bool(r);
}
static value union_subclasscheck(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs;
    (void)kwnames;
    int r = obj_issubclass(vm, args[1], args[0]);
    return r < 0 ? V_ERROR : value_bool(r);
}

static const native_def union_methods[] = {
    {"__instancecheck__(self, instance, /)", union_instancecheck, NULL, 0},
    {"__subclasscheck__(self, cls, /)", union_subclasscheck, NULL, 0},
    {0},
};
static value union_module(vm *vm, value v)
{
    (void)v;
    return repr_value(str_from_cstr(vm, "types"));
}
static const getset_def union_getsets[] = {
    {"__module__", union_module, NULL, NULL},
    {"__args__", get_args, NULL, NULL},
    {"__parameters__", get_parameters, NULL, NULL},
    {0},
};

void alias_init(vm *vm)
{
    type *t = T(vm, GENERIC_ALIAS);
    t->s.new_ = alias_slot_new;
    t->s.repr = alias_repr;
    t->s.call = alias_call;
    t->s.getattr = alias_getattr;
    t->s.compare = alias_compare;
    t->s.hash = alias_hash;
    t->s.getitem = alias_getitem;
    t->s.iter = alias_iter;
    t->s.or_ = union_of;
    t->methods = alias_methods;
    t->getsets = alias_getsets;
    t = T(vm, UNION);
    t->s.repr = union_repr;
    t->s.compare = union_compare;
    t->s.hash = union_hash;
    t->s.getitem = alias_getitem;
    t->s.or_ = union_of;
    t->methods = union_methods;
    t->getsets = union_getsets;
}
