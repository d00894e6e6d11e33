/* Class creation: type.__new__, and what the class statement does around the body.
 *
 * The order of events is CPython's: bases and layout, __slots__, the namespace's special names, MRO,
 * slots, __classcell__, then the hooks that run script: __set_name__ and __init_subclass__.
 */
#include "attr.h"
#include "frame.h"
#include "native.h"
#include "slot_table.h"
#include "str.h"
#include "type_parts.h"
#include "types_api.h"

/* ---- metaclass ---- */

/* The most derived of meta and the bases' metaclasses; NULL: raised. */
type *type_winner_meta(vm *vm, type *meta, tuple *bases)
{
    for (size_t i = 0; i < bases->len; i++) {
        type *m = type_of(vm, bases->items[i]);
        if (type_is_subtype(meta, m)) continue;
        if (!type_is_subtype(m, meta)) {
            raise_type_error(vm, "metaclass conflict: the metaclass of a derived class must be a "
                                 "(non-strict) subclass "
                                 "of the metaclasses of all its bases");
            return NULL;
        }
        meta = m;
    }
    return meta;
}

/* ---- __slots__ ---- */

static bool is_identifier(vm *vm, str *s)
{
    value r = vm_call_method(vm, value_obj(s), str_intern_utf8(vm, "isidentifier", 12), NULL, 0);
    return value_is(r, V_TRUE);
}

/* "__x" of class C is stored as "_C__x", except dunders. */
static str *mangle(vm *vm, str *cls, str *name)
{
    size_t n = name->len, k = 0;
    if (n < 2 || str_at(name, 0) != '_' || str_at(name, 1) != '_') return name;
    if (n >= 4 && str_at(name, n - 1) == '_' && str_at(name, n - 2) == '_') return name;
    while (k < cls->len && str_at(cls, k) == '_') k++;
    if (k == cls->len) return name;
    str *bare = str_substr(vm, cls, k, cls->len);
    return bare ? str_format(vm, "_%U%U", bare, name) : NULL;
}

static bool takes_weakrefs(const type *t) { return (t->flags & TF_HEAP) && !(t->flags & TF_NO_WEAKREF); }

/* The names of __slots__, checked, mangled and interned, without __dict__ and __weakref__. NULL
 * raised. */
static list *slot_names(vm *vm, type *base, str *name, value slots, bool *dict_slot, bool *weakref_slot)
{
    tuple *given = IS_STR(slots) ? tuple_pack(vm, 1, slots) : obj_to_tuple(vm, slots);
    if (!given) return NULL;
    list *out = NULL;
    ROOTS(vm, &given, &out);
    if (!(out = list_new(vm, given->len))) return NULL;
    bool variable = base->inst_kind == K_TUPLE || base->inst_kind == K_BYTES || base->inst_kind == K_TYPE ||
                    type_is_subtype(base, T(vm, INT));
    if (given->len && variable) {
        raise_type_error(vm, "nonempty __slots__ not supported for subtype of '%N'", base);
        return NULL;
    }
    for (size_t i = 0; i < given->len; i++) {
        if (!IS_STR(given->items[i])) {
            raise_type_error(vm, "__slots__ items must be strings, not '%T'", given->items[i]);
            return NULL;
        }
        str *s = AS(str, given->items[i]);
        if (!is_identifier(vm, s)) {
            if (!raised(vm)) raise_type_error(vm, "__slots__ must be identifiers");
            return NULL;
        }
        if (str_eq(s, N(vm, __dict__))) {
            if (*dict_slot || (base->flags & TF_HAS_DICT)) {
                raise_type_error(vm, "__dict__ slot disallowed: we already got one");
                return NULL;
            }
            *dict_slot = true;
            continue;
        }
        if (str_eq(s, N(vm, __weakref__))) {
            if (*weakref_slot || variable || takes_weakrefs(base)) {
                raise_type_error(vm, "__weakref__ slot disallowed: either we already got one, or "
                                     "__itemsize__ != 0");
                return NULL;
            }
            *weakref_slot = true;
            continue;
        }
        if (!(s = mangle(vm, name, s)) || !(s = str_intern(vm, s)) || !list_append(vm, out, value_obj(s))) return NULL;
    }
    /* Sorted, so that classes with the same members have the same layout. */
    if (!list_sort(vm, out, V_NONE, false)) return NULL;
    if (base->nmembers + out->len > 200) {
        raise_type_error(vm, "too many __slots__");
        return NULL;
    }
    return out;
}

/* ---- the namespace ---- */

static value wrap_function(vm *vm, dict *d, str *name, bool is_class)
{
    value f = dict_get_str(vm, d, name);
    if (!value_is_kind(f, K_FUNCTION)) return V_NONE;
    f = is_class ? classmethod_new(vm, f) : staticmethod_new(vm, f);
    if (value_is_error(f) || !dict_set_str(vm, d, name, f)) return V_ERROR;
    return V_NONE;
}

static value get_dict(vm *vm, value self)
{
    /* Of a class whose metaclass has a script base in front of type. */
    if (IS_TYPE(self)) {
        dict *own = type_dict(vm, AS(type, self));
        return own ? mappingproxy_new(vm, value_obj(own)) : V_ERROR;
    }
    dict *d = object_dict(vm, self);
    return d ? value_obj(d) : V_ERROR;
}
static bool set_dict(vm *vm, value self, value v) { return object_set_dict(vm, self, v); }
static value get_weakref(vm *vm, value self)
{
    (void)vm;
    (void)self;
    return V_NONE;
}
const getset_def class_dict_getset = {"__dict__", get_dict, set_dict, "dictionary for instance variables (if defined)"};
static const getset_def class_weakref_getset = {"__weakref__", get_weakref, NULL,
                                                "list of weak references to the object (if defined)"};

/* Module of the code that creates the class. */
static value caller_module(vm *vm)
{
    for (frame *f = vm->thread->current; f; f = f->up)
        if (f->func && f->func->globals) return dict_get_str(vm, f->func->globals, N(vm, __name__));
    return V_UNBOUND;
}

static bool add_descriptor(vm *vm, type *t, const getset_def *gs, str *name)
{
    if (!value_is_unbound(dict_get_str(vm, t->dict, name))) return true;
    value v = getset_new(vm, t, gs);
    return !value_is_error(v) && dict_set_str(vm, t->dict, name, v);
}

/* Fills in and takes out the names that mean something to type.__new__. */
static bool settle_namespace(vm *vm, type *t, list *members)
{
    dict *d = t->dict;
    value q = dict_pop_str(vm, d, N(vm, __qualname__));
    if (raised(vm)) return false;
    if (!value_is_unbound(q) && !IS_STR(q)) {
        raise_type_error(vm, "type __qualname__ must be a str, not %T", q);
        return false;
    }
    t->qualname = value_is_unbound(q) ? t->name : q;
    if (value_is_unbound(dict_get_str(vm, d, N(vm, __module__)))) {
        value m = caller_module(vm);
        if (!value_is_unbound(m) && !dict_set_str(vm, d, N(vm, __module__), m)) return false;
    }
    if (value_is_error(wrap_function(vm, d, N(vm, __new__), false)) ||
        value_is_error(wrap_function(vm, d, N(vm, __init_subclass__), true)) ||
        value_is_error(wrap_function(vm, d, N(vm, __class_getitem__), true)))
        return false;
    for (size_t i = 0; members && i < members->len; i++) {
        str *name = AS(str, members->items[i]);
        if (!value_is_unbound(dict_get_str(vm, d, name))) {
            raise_value_error(vm, "%R in __slots__ conflicts with class variable", value_obj(name));
            return false;
        }
        value m = member_new(vm, t, name, t->base->nmembers + (uint32_t)i);
        if (value_is_error(m) || !dict_set_str(vm, d, name, m)) return false;
    }
    if ((t->flags & TF_HAS_DICT) && !(t->base->flags & TF_HAS_DICT) && t->inst_kind != K_TYPE &&
        !add_descriptor(vm, t, &class_dict_getset, N(vm, __dict__)))
        return false;
    if (!(t->flags & TF_NO_WEAKREF) && t->base == T(vm, OBJECT) &&
        !add_descriptor(vm, t, &class_weakref_getset, N(vm, __weakref__)))
        return false;
    if (value_is_unbound(dict_get_str(vm, d, N(vm, __doc__))) && !dict_set_str(vm, d, N(vm, __doc__), V_NONE))
        return false;
    if (!value_is_unbound(dict_get_str(vm, d, N(vm, __eq__))) &&
        value_is_unbound(dict_get_str(vm, d, N(vm, __hash__))) && !dict_set_str(vm, d, N(vm, __hash__), V_NONE))
        return false;
    return !raised(vm);
}

static bool settle_classcell(vm *vm, type *t)
{
    value c = dict_pop_str(vm, t->dict, N(vm, __classcell__));
    if (value_is_unbound(c)) return !raised(vm);
    if (!value_is_kind(c, K_CELL)) {
        raise_type_error(vm, "__classcell__ must be a nonlocal cell, not %R", value_obj(type_of(vm, c)));
        return false;
    }
    AS(cell, c)->v = value_obj(t);
    gc_barrier(vm, AS(cell, c));
    return true;
}

static void settle_slots(vm *vm, type *t)
{
    if (t->bases->len != 1 || t->mro->len != t->base->mro->len + 1) {
        slot_update_all(vm, t);
        return;
    }
    t->s = t->base->s;
    size_t pos = 0;
    value k, v;
    while (dict_next(t->dict, &pos, &k, &v)) {
        if (!IS_STR(k) || AS(str, k)->len < 5 || str_at(AS(str, k), 0) != '_') continue;
        int row = slot_row_of(vm, AS(str, k));
        if (row >= 0) slot_update(vm, t, dunder_rows[row].slot);
    }
}

/* ---- hooks ---- */

static bool call_set_names(vm *vm, type *t)
{
    dict *snapshot = NULL;
    ROOTS(vm, &t, &snapshot);
    size_t pos = 0;
    value k, v;
    bool any = false;
    while (!any && dict_next(t->dict, &pos, &k, &v)) /* most classes have none */
        any = !value_is_kind(v, K_FUNCTION) && value_is_obj(v) &&
              !value_is_unbound(type_lookup(vm, type_of(vm, v), N(vm, __set_name__)));
    if (!any) return !raised(vm);
    if (!(snapshot = dict_copy(vm, t->dict))) return false;
    for (pos = 0; dict_next(snapshot, &pos, &k, &v);) {
        value hook = type_lookup(vm, type_of(vm, v), N(vm, __set_name__));
        if (value_is_unbound(hook)) continue;
        value args[3] = {v, value_obj(t), k};
        if (!value_is_error(dunder_call(vm, hook, args, 3))) continue;
        value cause = exc_take(vm);
        ROOTS(vm, &cause);
        raise(vm, EXC_RuntimeError, "Error calling __set_name__ on '%T' instance %R in '%N'", v, k, t);
        if (raised(vm) && IS_EXC(vm->thread->exc) && IS_EXC(cause)) {
            exception *e = AS(exception, vm->thread->exc);
            e->cause = e->context = cause;
            e->h.flags |= EXC_SUPPRESS_CONTEXT;
            gc_barrier(vm, e);
        }
        return false;
    }
    return true;
}

static bool call_init_subclass(vm *vm, type *t, value *kwvals, value kwnames)
{
    bool found = false; /* what super().__init_subclass__ would be looked up from */
    for (size_t i = 0; !found && i < t->mro->len; i++) found = value_as_obj(t->mro->items[i]) == &t->h;
    if (!found) {
        raise_type_error(vm, "super(type, obj): obj must be an instance or subtype of type");
        return false;
    }
    value hook = type_lookup_from(vm, t, t, N(vm, __init_subclass__));
    if (value_is_unbound(hook)) return !raised(vm);
    uint32_t nkw = value_is_unbound(kwnames) ? 0 : (uint32_t)AS(tuple, kwnames)->len;
    if (!nkw && value_is_exact(hook, TYPE_NATIVE_CLASSMETHOD) && AS(native, hook)->owner == T(vm, OBJECT)) return true;
    hook = attr_bind(vm, hook, V_UNBOUND, t);
    if (value_is_error(hook)) return false;
    ROOTS(vm, &hook, &t);
    return !value_is_error(vm_call_kw(vm, hook, kwvals, 0, nkw ? kwnames : V_UNBOUND));
}

/* ---- type.__new__ ---- */

static bool take_layout(vm *vm, type *t, list *members, bool has_slots, bool dict_slot, bool weakref_slot)
{
    type *base = t->base;
    t->flags = TF_HEAP | TF_BASE | (base->flags & (TF_EXC | TF_NO_WEAKREF));
    bool base_dict = false, base_weakref = false;
    for (size_t i = 0; i < t->bases->len; i++) {
        const type *b = AS(type, t->bases->items[i]);
        t->flags |= b->flags & (TF_SEQUENCE | TF_MAPPING);
        base_dict = base_dict || (b->flags & TF_HAS_DICT);
        base_weakref = base_weakref || ((b->flags & TF_HEAP) && !(b->flags & TF_NO_WEAKREF));
    }
    if (!has_slots || dict_slot || base_dict) t->flags |= TF_HAS_DICT;
    else t->flags |= TF_SLOTS;
    if (!has_slots || weakref_slot || base_weakref) t->flags &= ~(uint32_t)TF_NO_WEAKREF;
    else if (base->inst_kind == K_INSTANCE || base->inst_kind == K_NUMSUB || base->inst_kind == K_TUPLE)
        t->flags |= TF_NO_WEAKREF;
    t->nmembers = (uint16_t)(base->nmembers + (members ? members->len : 0));
    t->inline_slots = t->nmembers;
    t->solid = members && members->len ? t : base->solid;
    t->layout = base->layout;
    t->inst_kind = base->id == TYPE_INT || base->id == TYPE_FLOAT ? K_NUMSUB : base->inst_kind;
    t->root = shape_new_root(vm, t, 0);
    if (t->root) t->root_shape = t->root->id;
    return t->root != NULL;
}

value type_new_class(vm *vm, type *meta, str *name, tuple *bases, dict *ns, value *kwvals, value kwnames)
{
    type *t = NULL, *base;
    list *members = NULL;
    ROOTS(vm, &t, &members, &bases, &name, &ns, &meta);
    if (!type_check_name(vm, name) || !(name = str_intern(vm, name))) return V_ERROR;
    if (bases->len == 0 && !(bases = tuple_pack(vm, 1, value_obj(T(vm, OBJECT))))) return V_ERROR;
    if (!(base = type_best_base(vm, bases))) return V_ERROR;
    value slots = dict_get_str(vm, ns, N(vm, __slots__));
    bool has_slots = !value_is_unbound(slots), dict_slot = false, weakref_slot = false;
    if (has_slots && !(members = slot_names(vm, base, name, slots, &dict_slot, &weakref_slot))) return V_ERROR;

    if (!(t = type_alloc(vm, meta))) return V_ERROR;
    t->name = value_obj(name);
    t->bases = bases;
    t->base = base;
    if (!take_layout(vm, t, members, has_slots, dict_slot, weakref_slot)) return V_ERROR;
    if (!(t->dict = dict_copy(vm, ns)) || !settle_namespace(vm, t, members)) return V_ERROR;
    if (type_compute_mro(vm, t) < 0) return V_ERROR;
    settle_slots(vm, t);
    type_update_flags(vm, t);
    if (raised(vm) || !settle_classcell(vm, t)) return V_ERROR;
    gc_barrier(vm, t);
    for (size_t i = 0; i < bases->len; i++)
        if (!type_add_subclass(vm, AS(type, bases->items[i]), t)) return V_ERROR;
    if (!call_set_names(vm, t) || !call_init_subclass(vm, t, kwvals, kwnames)) return V_ERROR;
    return value_obj(t);
}

value type_slot_new(vm *vm, type *meta, value *args, uint32_t nargs, value kwnames)
{
    if (nargs != 3) return raise_type_error(vm, "type.__new__() takes exactly 3 arguments (%d given)", (int)nargs);
    if (!IS_STR(args[0])) return raise_type_error(vm, "type.__new__() argument 1 must be str, not %A", args[0]);
    if (!IS_TUPLE(args[1])) return raise_type_error(vm, "type.__new__() argument 2 must be tuple, not %A", args[1]);
    if (!IS_DICT(args[2])) return raise_type_error(vm, "type.__new__() argument 3 must be dict, not %A", args[2]);
    tuple *bases = AS(tuple, args[1]);
    for (size_t i = 0; i < bases->len; i++) {
        if (IS_TYPE(bases->items[i])) continue;
        value e = obj_getattr_opt(vm, bases->items[i], N(vm, __mro_entries__));
        if (raised(vm)) return V_ERROR;
        if (!value_is_unbound(e))
            return raise_type_error(vm, "type() doesn't support MRO entry resolution; use types.new_class()");
    }
    type *winner = type_winner_meta(vm, meta, bases);
    if (!winner) return V_ERROR;
    if (winner != meta && winner->s.new_ != type_slot_new) return winner->s.new_(vm, winner, args, nargs, kwnames);
    return type_new_class(vm, winner, AS(str, args[0]), bases, AS(dict, args[2]), args + nargs, kwnames);
}

bool type_slot_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    (void)self;
    (void)args;
    bool has_kw = !value_is_unbound(kwnames) && AS(tuple, kwnames)->len;
    if (nargs == 1 && has_kw) {
        raise_type_error(vm, "type.__init__() takes no keyword arguments");
        return false;
    }
    if (nargs != 1 && nargs != 3) {
        raise_type_error(vm, "type.__init__() takes 1 or 3 arguments");
        return false;
    }
    return true;
}

/* ---- the class statement ---- */

/* Replaces bases that are no classes by what their __mro_entries__ says. NULL raised; the same
 * tuple: no change. */
static tuple *resolve_bases(vm *vm, tuple *bases)
{
    list *out = NULL;
    ROOTS(vm, &out, &bases);
    for (size_t i = 0; i < bases->len; i++) {
        value b = bases->items[i];
        value hook = IS_TYPE(b) ? V_UNBOUND : obj_getattr_opt(vm, b, N(vm, __mro_entries__));
        if (raised(vm)) return NULL;
        if (value_is_unbound(hook)) {
            if (out && !list_append(vm, out, b)) return NULL;
            continue;
        }
        ROOTS(vm, &hook);
        if (!out) {
            if (!(out = list_new(vm, bases->len))) return NULL;
            for (size_t j = 0; j < i; j++)
                if (!list_append(vm, out, bases->items[j])) return NULL;
        }
        value more = vm_call1(vm, hook, value_obj(bases));
        if (value_is_error(more)) return NULL;
        if (!IS_TUPLE(more)) {
            raise_type_error(vm, "__mro_entries__ must return a tuple");
            return NULL;
        }
        for (size_t j = 0; j < AS(tuple, more)->len; j++)
            if (!list_append(vm, out, AS(tuple, more)->items[j])) return NULL;
    }
    return out ? tuple_from(vm, out->items, out->len) : bases;
}

static bool check_classcell(vm *vm, value cls, value cell_, value name)
{
    if (!IS_TYPE(cls) || !value_is_kind(cell_, K_CELL)) return true;
    value in = AS(cell, cell_)->v;
    if (value_is(in, cls)) return true;
    if (value_is_unbound(in))
        raise(vm, EXC_RuntimeError,
              "__class__ not set defining %R as %R. Was __classcell__ propagated to type.__new__?", name, cls);
    else raise_type_error(vm, "__class__ set to %R defining %R as %R", in, name, cls);
    return false;
}

static value prepare(vm *vm, value meta, value name, tuple *bases, value *kwvals, value kwnames)
{
    value hook = V_UNBOUND;
    if (!value_is(meta, value_obj(T(vm, TYPE)))) hook = obj_getattr_opt(vm, meta, N(vm, __prepare__));
    if (raised(vm)) return V_ERROR;
    if (value_is_unbound(hook)) {
        dict *d = dict_new(vm);
        return d ? value_obj(d) : V_ERROR;
    }
    uint32_t nkw = value_is_unbound(kwnames) ? 0 : (uint32_t)AS(tuple, kwnames)->len;
    value small[8];
    value *all = small;
    if (nkw + 2 > 8 && !(all = mem_alloc(vm, (nkw + 2) * sizeof *all))) return V_ERROR;
    all[0] = name;
    all[1] = value_obj(bases);
    if (nkw) memcpy(all + 2, kwvals, nkw * sizeof *all);
    ROOTS(vm, &hook);
    value ns = vm_call_kw(vm, hook, all, 2, kwnames);
    if (all != small) mem_free(vm, all, (nkw + 2) * sizeof *all);
    if (!value_is_error(ns) && !IS_DICT(ns) && !type_of(vm, ns)->s.getitem) {
        if (IS_TYPE(meta))
            return raise_type_error(vm, "%N.__prepare__() must return a mapping, not %T", AS(type, meta), ns);
        return raise_type_error(vm, "<metaclass>.__prepare__() must return a mapping, not %T", ns);
    }
    return ns;
}

value type_build_class(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    if (nargs < 2) return raise_type_error(vm, "__build_class__: not enough arguments");
    if (!value_is_kind(args[0], K_FUNCTION)) return raise_type_error(vm, "__build_class__: func must be a function");
    if (!IS_STR(args[1])) return raise_type_error(vm, "__build_class__: name is not a string");
    value name = args[1], meta = V_UNBOUND, ns = V_UNBOUND, cell_ = V_NONE;
    uint32_t nkw = value_is_unbound(kwnames) ? 0 : (uint32_t)AS(tuple, kwnames)->len;
    tuple *given = nargs == 2 ? vm->empty_tuple : tuple_from(vm, args + 2, nargs - 2), *bases = NULL;
    tuple *kw = NULL;
    ROOTS(vm, &meta, &ns, &cell_, &given, &bases, &kw);
    if (!given || !(bases = resolve_bases(vm, given))) return V_ERROR;

    /* all: name, bases, namespace, then the keywords without metaclass */
    size_t n = 3 + (size_t)nkw;
    value small[8];
    value *all = n <= 8 ? small : mem_alloc(vm, n * sizeof *all);
    if (!all) return V_ERROR;
    value result = V_ERROR;
    uint32_t nk = 0;
    for (uint32_t i = 0; i < nkw; i++) {
        if (str_eq(AS(str, AS(tuple, kwnames)->items[i]), N(vm, metaclass))) meta = args[nargs + i];
        else all[3 + nk++] = args[nargs + i];
    }
    if (nk && nk == nkw) {
        kw = AS(tuple, kwnames);
    } else if (nk) {
        if (!(kw = tuple_new(vm, nk))) goto done;
        for (uint32_t i = 0, j = 0; i < nkw; i++)
            if (!str_eq(AS(str, AS(tuple, kwnames)->items[i]), N(vm, metaclass)))
                kw->items[j++] = AS(tuple, kwnames)->items[i];
    }
    value kwn = kw ? value_obj(kw) : V_UNBOUND;
    if (value_is_unbound(meta)) meta = value_obj(bases->len ? type_of(vm, bases->items[0]) : T(vm, TYPE));
    if (IS_TYPE(meta)) {
        type *winner = type_winner_meta(vm, AS(type, meta), bases);
        if (!winner) goto done;
        meta = value_obj(winner);
    }
    ns = prepare(vm, meta, name, bases, all + 3, kwn);
    if (value_is_error(ns)) goto done;
    cell_ = interp_run_class_body(vm, AS(function, args[0]), ns);
    if (value_is_error(cell_)) goto done;
    if (bases != given && !obj_setitem(vm, ns, value_obj(N(vm, __orig_bases__)), value_obj(given))) goto done;
    all[0] = name;
    all[1] = value_obj(bases);
    all[2] = ns;
    result = vm_call_kw(vm, meta, all, 3, kwn);
    if (!value_is_error(result) && !check_classcell(vm, result, cell_, name)) result = V_ERROR;
done:
    if (all != small) mem_free(vm, all, n * sizeof *all);
    return result;
}
