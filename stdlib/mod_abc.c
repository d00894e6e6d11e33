/* The module _abc: the metaclass of abstract base classes, whole.
 *
 * Each class of an ABCMeta has an `_abc_impl` in its dict: which classes are known to be subclasses
 * of it (`cache`), which are known not to be (`negative`, void when the token has changed since),
 * and which were registered (weak references). The caches hold the classes' serial numbers, which
 * are never used again, so they keep no class alive. */
#include "module_state.h"
#include "vm/attr.h"
#include "vm/dict.h"
#include "vm/list.h"
#include "vm/set.h"
#include "vm/slot_table.h"
#include "vm/str.h"
#include "vm/type_parts.h"
#include "vm/weakref.h"

#define DOC_FILE stdlib_mod_abc
DOC_BEGIN;

struct abc_data {
    value cache, negative, registry;
    int64_t token;
};

static struct abc_data *data_body(value v) { return (struct abc_data *)(void *)AS(userdata, v)->body; }
static void data_traverse(vm *vm, object *o) { gc_mark_values(vm, &data_body(value_obj(o))->cache, 3); }

static const type_layout data_layout = {.size = sizeof(struct abc_data), .traverse = data_traverse};
static const type_spec data_spec = {
    .name = "_abc._abc_data", .doc = "Internal state held by ABC machinery.", .layout = &data_layout};

static int64_t token(vm *vm)
{
    value v = module_state_get(vm, STATE_ABC_TOKEN);
    return value_is_unbound(v) ? 0 : value_as_int(v);
}

static str *impl_name(vm *vm)
{
    value v = module_state_get(vm, STATE_ABC_NAME);
    if (!value_is_unbound(v)) return AS(str, v);
    str *s = str_intern_utf8(vm, "_abc_impl", 9);
    return s && module_state_set(vm, STATE_ABC_NAME, value_obj(s)) ? s : NULL;
}

/* The class's own data; unbound: raised. */
static value abc_data(vm *vm, value cls)
{
    str *name = impl_name(vm);
    value v = name && IS_TYPE(cls) && AS(type, cls)->dict ? dict_get_str(vm, AS(type, cls)->dict, name) : V_UNBOUND;
    if (raised(vm)) return V_UNBOUND;
    if (value_is_unbound(v) || type_of(vm, v) != module_state_type(vm, STATE_ABC_DATA))
        return raise_type_error(vm, "_abc_impl is set to a wrong type");
    return v;
}

static bool in_cache(vm *vm, value cache, const type *t)
{
    return !value_is_unbound(cache) && set_contains(vm, AS(set, cache), value_int(t->serial)) > 0;
}

/* data: rooted by the caller */
static bool add_to(vm *vm, value data, bool negative, const type *t)
{
    struct abc_data *d = data_body(data);
    value *where = negative ? &d->negative : &d->cache;
    if (value_is_unbound(*where)) {
        set *s = set_new(vm, TYPE_SET);
        if (!s) return false;
        *where = value_obj(s);
        gc_barrier(vm, value_as_obj(data));
    }
    return set_add(vm, AS(set, *where), value_int(t->serial));
}

/* ---- subclass and instance checks: 1 0 -1 ---- */

static int subclasscheck(vm *vm, value cls, value sub)
{
    if (!IS_TYPE(sub)) {
        raise_type_error(vm, "issubclass() arg 1 must be a class");
        return -1;
    }
    value data = abc_data(vm, cls);
    if (value_is_unbound(data)) return -1;
    type *t = AS(type, sub);
    struct abc_data *d = data_body(data);
    if (in_cache(vm, d->cache, t)) return 1;
    if (d->token < token(vm)) {
        d->negative = V_UNBOUND;
        d->token = token(vm);
    } else if (in_cache(vm, d->negative, t)) {
        return 0;
    }
    if (!vm_enter(vm)) return -1;
    int result = -1;
    list *l = NULL;
    ROOTS(vm, &cls, &sub, &data, &l);

    value r = vm_call_method(vm, cls, N(vm, __subclasshook__), &sub, 1);
    if (value_is_error(r)) goto done;
    if (value_is_bool(r)) {
        result = value_is(r, V_TRUE);
        goto known;
    }
    if (!value_is(r, V_NOTIMPLEMENTED)) {
        raise(vm, EXC_AssertionError, "__subclasshook__ must return either False, True, or NotImplemented");
        goto done;
    }
    if (type_is_subtype(t, AS(type, cls))) {
        result = 1;
        goto known;
    }
    l = value_is_unbound(d->registry) ? list_new(vm, 0) : obj_to_list(vm, d->registry);
    for (size_t i = 0; l && i < l->len; i++) {
        value other = weakref_get(l->items[i]);
        int is = value_is_none(other) ? 0 : obj_issubclass(vm, sub, other);
        if (is < 0) goto done;
        if (is) {
            result = 1;
            goto known;
        }
    }
    if (!l || !(l = type_subclasses(vm, AS(type, cls)))) goto done;
    for (size_t i = 0; i < l->len; i++) {
        int is = obj_issubclass(vm, sub, l->items[i]);
        if (is < 0) goto done;
        if (is) {
            result = 1;
            goto known;
        }
    }
    result = 0;
known:
    if (!add_to(vm, data, !result, AS(type, sub))) result = -1;
done:
    vm_leave(vm);
    return result;
}

/* As cls.__subclasscheck__(sub): a metaclass derived from ABCMeta may have its own. */
static int ask_subclasscheck(vm *vm, value cls, value sub)
{
    const type *meta = type_of(vm, cls), *own = module_state_type(vm, STATE_ABC_META);
    if (meta == own) return subclasscheck(vm, cls, sub);
    value r = vm_call_method(vm, cls, N(vm, __subclasscheck__), &sub, 1);
    return value_is_error(r) ? -1 : obj_truth(vm, r);
}

/* o.__class__, most often its type. */
static value class_of(vm *vm, value o)
{
    type *t = type_of(vm, o);
    if ((t->flags & TF_GETATTR_PLAIN) &&
        value_is(type_lookup(vm, t, N(vm, __class__)), type_lookup(vm, T(vm, OBJECT), N(vm, __class__))))
        return value_obj(t);
    return obj_getattr(vm, o, N(vm, __class__));
}

FN(abc_instancecheck)
{
    value cls = args[0], o = args[1], data = abc_data(vm, cls), sub;
    if (value_is_unbound(data)) return V_ERROR;
    ROOTS(vm, &data);
    sub = class_of(vm, o);
    if (value_is_error(sub)) return V_ERROR;
    ROOTS(vm, &sub);
    const struct abc_data *d = data_body(data);
    type *t = type_of(vm, o);
    if (IS_TYPE(sub) && in_cache(vm, d->cache, AS(type, sub))) return V_TRUE;
    if (value_is(sub, value_obj(t))) {
        if (d->token == token(vm) && in_cache(vm, d->negative, t)) return V_FALSE;
        int r = ask_subclasscheck(vm, cls, sub);
        return r < 0 ? V_ERROR : value_bool(r);
    }
    int r = ask_subclasscheck(vm, cls, sub);
    if (!r) r = ask_subclasscheck(vm, cls, value_obj(type_of(vm, o)));
    return r < 0 ? V_ERROR : value_bool(r);
}

FN(abc_subclasscheck)
{
    int r = subclasscheck(vm, args[0], args[1]);
    return r < 0 ? V_ERROR : value_bool(r);
}

/* ---- register ---- */

static bool spread_flags(vm *vm, type *t, uint32_t flags)
{
    /* str and bytes are registered as sequences as well, but match no sequence pattern. */
    if (t->flags & TF_IMMUTABLE || (t->flags & (TF_SEQUENCE | TF_MAPPING)) == flags) return true;
    t->flags = (t->flags & ~(uint32_t)(TF_SEQUENCE | TF_MAPPING)) | flags;
    if (!vm_enter(vm)) return false;
    list *l = type_subclasses(vm, t);
    ROOTS(vm, &l);
    bool ok = l;
    for (size_t i = 0; ok && i < l->len; i++) ok = spread_flags(vm, AS(type, l->items[i]), flags);
    vm_leave(vm);
    return ok;
}

FN(abc_register)
{
    value cls = args[0], sub = args[1];
    if (!IS_TYPE(sub)) return raise_type_error(vm, "Can only register classes");
    int is = obj_issubclass(vm, sub, cls);
    if (is) return is < 0 ? V_ERROR : sub;
    is = obj_issubclass(vm, cls, sub);
    if (is) return is < 0 ? V_ERROR : raise(vm, EXC_RuntimeError, "Refusing to create an inheritance cycle");
    value data = abc_data(vm, cls);
    if (value_is_unbound(data)) return V_ERROR;
    struct abc_data *d = data_body(data);
    value ref = weakref_new(vm, sub, V_NONE);
    if (value_is_error(ref)) return V_ERROR;
    if (value_is_unbound(d->registry)) {
        list *l = list_new(vm, 2);
        if (!l) return V_ERROR;
        d->registry = value_obj(l);
        gc_barrier(vm, value_as_obj(data));
    }
    if (!list_append(vm, AS(list, d->registry), ref) ||
        !module_state_set(vm, STATE_ABC_TOKEN, value_int(token(vm) + 1)))
        return V_ERROR;
    uint32_t flags = AS(type, cls)->flags & (TF_SEQUENCE | TF_MAPPING);
    return !flags || spread_flags(vm, AS(type, sub), flags) ? sub : V_ERROR;
}

/* ---- making an abstract class ---- */

/* 1 0 -1 */
static int is_abstract(vm *vm, value v)
{
    if (!value_is_obj(v) || value_is_kind(v, K_STR) || value_is_kind(v, K_NATIVE)) return 0;
    value flag = obj_getattr_opt(vm, v, N(vm, __isabstractmethod__));
    if (value_is_unbound(flag)) return raised(vm) ? -1 : 0;
    return obj_truth(vm, flag);
}

/* Which names are abstract: the own ones, and the inherited ones that nothing overrides. */
static bool set_abstract_methods(vm *vm, value cls)
{
    set *names = set_new(vm, TYPE_FROZENSET);
    value k = V_UNBOUND, v = V_UNBOUND;
    list *keys = NULL;
    ROOTS(vm, &cls, &names, &k, &v, &keys);
    if (!names || !(keys = obj_to_list(vm, value_obj(AS(type, cls)->dict)))) return false;
    for (size_t i = 0; i < keys->len; i++) {
        k = keys->items[i];
        v = dict_get(vm, AS(type, cls)->dict, k);
        if (value_is_unbound(v)) {
            if (raised(vm)) return false;
            continue;
        }
        int is = is_abstract(vm, v);
        if (is < 0 || (is && !set_add(vm, names, k))) return false;
    }
    const tuple *bases = AS(type, cls)->bases;
    for (size_t i = 0; i < bases->len; i++) {
        if (!(AS(type, bases->items[i])->flags & TF_ABSTRACT)) continue;
        v = obj_getattr_opt(vm, bases->items[i], N(vm, __abstractmethods__));
        if (value_is_unbound(v)) {
            if (raised(vm)) return false;
            continue;
        }
        if (!(keys = obj_to_list(vm, v))) return false;
        for (size_t n = 0; n < keys->len; n++) {
            k = keys->items[n];
            if (!IS_STR(k)) continue;
            v = obj_getattr_opt(vm, cls, AS(str, k));
            if (raised(vm)) return false;
            int is = value_is_unbound(v) ? 0 : is_abstract(vm, v);
            if (is < 0 || (is && !set_add(vm, names, k))) return false;
        }
    }
    return obj_setattr(vm, cls, N(vm, __abstractmethods__), value_obj(names));
}

static bool take_flags(vm *vm, type *t)
{
    str *name = str_intern_utf8(vm, "__abc_tpflags__", 15);
    value v = name ? dict_get_str(vm, t->dict, name) : V_ERROR;
    if (raised(vm)) return false;
    if (!value_is_int(v)) return true;
    if (value_as_int(v) & 1 << 5) t->flags |= TF_SEQUENCE;
    if (value_as_int(v) & 1 << 6) t->flags |= TF_MAPPING;
    return type_setattr(vm, t, name, V_UNBOUND);
}

static value abc_new(vm *vm, type *meta, value *args, uint32_t nargs, value kwnames)
{
    value cls = type_slot_new(vm, meta, args, nargs, kwnames);
    if (value_is_error(cls) || !value_isa(vm, cls, module_state_type(vm, STATE_ABC_META))) return cls;
    ROOTS(vm, &cls);
    void *data = userdata_new(vm, module_state_type(vm, STATE_ABC_DATA));
    str *name = impl_name(vm);
    if (!data || !name || !type_setattr(vm, AS(type, cls), name, value_obj(data)) || !take_flags(vm, AS(type, cls)) ||
        !set_abstract_methods(vm, cls))
        return V_ERROR;
    return cls;
}

/* A class's __init__ may be given keywords for __init_subclass__. */
static bool abc_init_class(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    return type_slot_init(vm, self, args, nargs, kwnames);
}

static void fill(struct type_slots *s)
{
    s->new_ = abc_new;
    s->init = abc_init_class;
}

/* ---- for tests and tools ---- */

FN(abc_clear_registry)
{
    value data = abc_data(vm, args[0]);
    if (value_is_unbound(data)) return V_ERROR;
    data_body(data)->registry = V_UNBOUND;
    return V_NONE;
}

FN(abc_clear_caches)
{
    value data = abc_data(vm, args[0]);
    if (value_is_unbound(data)) return V_ERROR;
    data_body(data)->cache = data_body(data)->negative = V_UNBOUND;
    data_body(data)->token = 0;
    return V_NONE;
}

FN(abc_token) { return value_int(token(vm)); }

FN(abc_update)
{
    if (!IS_TYPE(args[0]) || (AS(type, args[0])->flags & TF_IMMUTABLE)) return args[0];
    value have = obj_getattr_opt(vm, args[0], N(vm, __abstractmethods__));
    if (value_is_unbound(have)) return raised(vm) ? V_ERROR : args[0];
    return set_abstract_methods(vm, args[0]) ? args[0] : V_ERROR;
}

static const native_def meta_methods[] = {
    {"register(cls, subclass)", abc_register, DOC("Register a virtual subclass of an ABC."), 0},
    {"__instancecheck__(cls, instance, /)", abc_instancecheck, DOC("Override for isinstance(instance, cls)."), 0},
    {"__subclasscheck__(cls, subclass, /)", abc_subclasscheck, DOC("Override for issubclass(subclass, cls)."), 0},
    {"_abc_registry_clear(cls)", abc_clear_registry, DOC("Clear the registry (for debugging or testing)."), 0},
    {"_abc_caches_clear(cls)", abc_clear_caches, DOC("Clear the caches (for debugging or testing)."), 0},
    {0},
};

static const native_def functions[] = {
    {"get_cache_token()", abc_token, DOC("Returns the current ABC cache token."), 0},
    {"update_abstractmethods(cls, /)", abc_update, DOC("Recalculate the set of abstract methods of an abstract class."),
     0},
    {0},
};

bool abc_init(vm *vm, module *m)
{
    static const type_spec meta = {
        .name = "abc.ABCMeta",
        .doc = "Metaclass for defining Abstract Base Classes (ABCs).",
        .methods = meta_methods,
        .base_id = TYPE_TYPE,
        .flags = TF_BASE,
        .fill = fill,
    };
    return module_state_make(vm, STATE_ABC_DATA, &data_spec) && module_add_type(vm, m, STATE_ABC_META, &meta) &&
           module_add_natives(vm, m, functions);
}
