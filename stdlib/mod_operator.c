/* The module _operator: the operators as functions, and the three makers of accessors. */
#include "module_state.h"
#include "vm/dict.h"
#include "vm/iter.h"
#include "vm/list.h"
#include "vm/str.h"

#define DOC_FILE stdlib_mod_operator
DOC_BEGIN;

/* ---- operators ---- */

#define COMPARISONS(X) X(lt, CMP_LT) X(le, CMP_LE) X(eq, CMP_EQ) X(ne, CMP_NE) X(ge, CMP_GE) X(gt, CMP_GT)
#define X(NAME, OP) \
    FN(o_##NAME) { return obj_compare(vm, args[0], args[1], OP); }
COMPARISONS(X)
#undef X

/* BINARY(name, in-place name, operator) */
// clang-format off
#define BINARIES(X)                      \
    X(add, iadd, OPR_ADD)                \
    X(sub, isub, OPR_SUB)                \
    X(mul, imul, OPR_MUL)                \
    X(matmul, imatmul, OPR_MATMUL)       \
    X(truediv, itruediv, OPR_TRUEDIV)    \
    X(floordiv, ifloordiv, OPR_FLOORDIV) \
    X(mod, imod, OPR_MOD)                \
    X(lshift, ilshift, OPR_LSHIFT)       \
    X(rshift, irshift, OPR_RSHIFT)       \
    X(and_, iand, OPR_AND)               \
    X(or_, ior, OPR_OR)                  \
    X(xor, ixor, OPR_XOR)                \
    X(pow, ipow, OPR_POW)
// clang-format on
#define X(NAME, INPLACE, OP)                                      \
    FN(o_##NAME) { return obj_binary(vm, OP, args[0], args[1]); } \
    FN(o_##INPLACE) { return obj_inplace(vm, OP, args[0], args[1]); }
BINARIES(X)
#undef X

#define UNARIES(X) X(neg, OPR_NEG) X(pos, OPR_POS) X(invert, OPR_INVERT) X(not_, OPR_NOT)
#define X(NAME, OP) \
    FN(o_##NAME) { return obj_unary(vm, OP, args[0]); }
UNARIES(X)
#undef X

FN(o_abs)
{
    str *name = str_intern_utf8(vm, "abs", 3);
    value f = name ? dict_get_str(vm, vm->builtins, name) : V_ERROR;
    return value_is_error(f) ? f : vm_call1(vm, f, args[0]);
}
FN(o_truth)
{
    int t = obj_truth(vm, args[0]);
    return t < 0 ? V_ERROR : value_bool(t);
}
FN(o_is) { return value_bool(value_is(args[0], args[1])); }
FN(o_is_not) { return value_bool(!value_is(args[0], args[1])); }
FN(o_index) { return obj_index(vm, args[0]); }
FN(o_contains)
{
    int r = obj_contains(vm, args[0], args[1]);
    return r < 0 ? V_ERROR : value_bool(r);
}
FN(o_getitem) { return obj_getitem(vm, args[0], args[1]); }
FN(o_setitem) { return obj_setitem(vm, args[0], args[1], args[2]) ? V_NONE : V_ERROR; }
FN(o_delitem) { return obj_setitem(vm, args[0], args[1], V_UNBOUND) ? V_NONE : V_ERROR; }

/* Only what has items may be concatenated. */
static value concat(vm *vm, value a, value b, bool inplace)
{
    const type *t = type_of(vm, a);
    if (!t->s.concat && !t->s.getitem) return raise_type_error(vm, "'%T' object can't be concatenated", a);
    return inplace ? obj_inplace(vm, OPR_ADD, a, b) : obj_binary(vm, OPR_ADD, a, b);
}
FN(o_concat) { return concat(vm, args[0], args[1], false); }
FN(o_iconcat) { return concat(vm, args[0], args[1], true); }

/* countOf and indexOf: over any iterable. -1 raised. */
static int64_t search(vm *vm, value iterable, value x, bool count)
{
    value it = obj_iter(vm, iterable), v = V_UNBOUND;
    int64_t n = 0;
    if (value_is_error(it)) {
        if (exc_clear_if(vm, EXC_TypeError)) raise_type_error(vm, "argument of type '%T' is not iterable", iterable);
        return -1;
    }
    ROOTS(vm, &it, &v, &x);
    for (int64_t i = 0;; i++) {
        v = iter_step(vm, it);
        if (value_is_error(v)) return -1;
        if (v.bits == V_STOP.bits) break;
        int same = value_equal(vm, v, x);
        if (same < 0) return -1;
        if (same && !count) return i;
        n += same;
        if (UNLIKELY(!vm_tick(vm, 1))) return -1;
    }
    if (count) return n;
    raise_value_error(vm, "sequence.index(x): x not in sequence");
    return -1;
}
FN(o_countOf)
{
    int64_t n = search(vm, args[0], args[1], true);
    return n < 0 ? V_ERROR : int_from_i64(vm, n);
}
FN(o_indexOf)
{
    int64_t n = search(vm, args[0], args[1], false);
    return n < 0 ? V_ERROR : int_from_i64(vm, n);
}

FN(o_length_hint)
{
    int64_t dflt = 0;
    if (!value_is_unbound(args[1])) {
        if (!int_is(args[1])) return raise_type_error(vm, "'%T' object cannot be interpreted as an integer", args[1]);
        if (!args_ssize(vm, args[1], 0, &dflt)) return V_ERROR;
    }
    int64_t n = obj_length_hint(vm, args[0], dflt);
    return n < 0 && raised(vm) ? V_ERROR : int_from_i64(vm, n);
}

FN(o_call)
{
    if (!nargs) return raise_type_error(vm, "call expected at least 1 argument, got 0");
    return vm_call_kw(vm, args[0], args + 1, nargs - 1, kwnames);
}

FN(o_compare_digest)
{
    const uint8_t *a, *b;
    size_t na, nb;
    if (IS_STR(args[0]) && IS_STR(args[1])) {
        const str *x = AS(str, args[0]), *y = AS(str, args[1]);
        if (!str_is_ascii(x) || !str_is_ascii(y))
            return raise_type_error(vm, "comparing strings with non-ASCII characters is not supported");
        a = x->data, na = x->len, b = y->data, nb = y->len;
    } else if (IS_STR(args[0]) || IS_STR(args[1]) || !buffer_view(vm, args[0], &a, &na) ||
               !buffer_view(vm, args[1], &b, &nb)) {
        return raised(vm) ? V_ERROR
                          : raise_type_error(vm, "unsupported operand types(s) or combination of types: '%T' and '%T'",
                                             args[0], args[1]);
    }
    unsigned diff = na != nb; /* takes as long whatever differs */
    for (size_t i = 0; i < nb; i++) diff |= (unsigned)b[i] ^ (na == nb ? a[i] : b[i]);
    return value_bool(!diff);
}

/* ---- itemgetter, attrgetter, methodcaller: names or keys in a tuple ---- */

struct getter {
    value keys, parts, kw;
};

static struct getter *getter_of(value v) { return (struct getter *)(void *)AS(userdata, v)->body; }
static void getter_traverse(vm *vm, object *o) { gc_mark_values(vm, &getter_of(value_obj(o))->keys, 3); }
static const type_layout getter_layout = {.size = sizeof(struct getter), .traverse = getter_traverse};

static value getter_make(vm *vm, type *t, value keys, value parts, value kw)
{
    ROOTS(vm, &keys, &parts, &kw);
    void *o = userdata_new(vm, t);
    if (!o) return V_ERROR;
    *getter_of(value_obj(o)) = (struct getter){keys, parts, kw};
    return value_obj(o);
}

static bool no_keywords(vm *vm, const char *name, value kwnames)
{
    if (value_is_unbound(kwnames) || !AS(tuple, kwnames)->len) return true;
    raise_type_error(vm, "%s() takes no keyword arguments", name);
    return false;
}

/* The getter's one argument. */
static bool one_argument(vm *vm, const char *name, uint32_t nargs, value kwnames)
{
    if (!no_keywords(vm, name, kwnames)) return false;
    if (nargs == 1) return true;
    raise_type_error(vm, "%s expected 1 argument, got %d", name, (int)nargs);
    return false;
}

static value itemgetter_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    if (!no_keywords(vm, "itemgetter", kwnames)) return V_ERROR;
    if (!nargs) return raise_type_error(vm, "itemgetter expected 1 argument, got 0");
    tuple *keys = tuple_from(vm, args, nargs);
    return keys ? getter_make(vm, t, value_obj(keys), V_UNBOUND, V_UNBOUND) : V_ERROR;
}

static value itemgetter_call(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    if (!one_argument(vm, "itemgetter", nargs, kwnames)) return V_ERROR;
    const tuple *keys = AS(tuple, getter_of(self)->keys);
    if (keys->len == 1) return obj_getitem(vm, args[0], keys->items[0]);
    tuple *out = tuple_new(vm, keys->len);
    value o = args[0];
    ROOTS(vm, &self, &out, &keys, &o);
    for (size_t i = 0; out && i < keys->len; i++) {
        value v = obj_getitem(vm, o, keys->items[i]);
        if (value_is_error(v)) return v;
        out->items[i] = v;
        gc_barrier(vm, out);
    }
    return out ? value_obj(out) : V_ERROR;
}

/* parts: for each name its components between the dots, interned, as a tuple. */
static value attrgetter_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    if (!no_keywords(vm, "attrgetter", kwnames)) return V_ERROR;
    if (!nargs) return raise_type_error(vm, "attrgetter expected 1 argument, got 0");
    tuple *keys = tuple_from(vm, args, nargs), *parts = keys ? tuple_new(vm, nargs) : NULL;
    for (uint32_t i = 0; parts && i < nargs; i++) {
        if (!IS_STR(args[i])) return raise_type_error(vm, "attribute name must be a string");
        str *s = AS(str, args[i]);
        size_t n = 1, from = 0, at = 0;
        for (size_t k = 0; k < s->len; k++) n += str_at(s, k) == '.';
        tuple *names = tuple_new(vm, n);
        if (!names) return V_ERROR;
        for (size_t k = 0; k <= s->len; k++) {
            if (k < s->len && str_at(s, k) != '.') continue;
            str *part = str_substr(vm, s, from, k);
            if (!part || !(part = str_intern(vm, part))) return V_ERROR;
            names->items[at++] = value_obj(part);
            from = k + 1;
        }
        parts->items[i] = value_obj(names);
    }
    return parts ? getter_make(vm, t, value_obj(keys), value_obj(parts), V_UNBOUND) : V_ERROR;
}

static value dotted_get(vm *vm, value o, const tuple *names)
{
    ROOTS(vm, &o, &names);
    for (size_t i = 0; i < names->len; i++) {
        o = obj_getattr(vm, o, AS(str, names->items[i]));
        if (value_is_error(o)) return o;
    }
    return o;
}

static value attrgetter_call(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    if (!one_argument(vm, "attrgetter", nargs, kwnames)) return V_ERROR;
    const tuple *parts = AS(tuple, getter_of(self)->parts);
    if (parts->len == 1) return dotted_get(vm, args[0], AS(tuple, parts->items[0]));
    tuple *out = tuple_new(vm, parts->len);
    value o = args[0];
    ROOTS(vm, &self, &out, &parts, &o);
    for (size_t i = 0; out && i < parts->len; i++) {
        value v = dotted_get(vm, o, AS(tuple, parts->items[i]));
        if (value_is_error(v)) return v;
        out->items[i] = v;
        gc_barrier(vm, out);
    }
    return out ? value_obj(out) : V_ERROR;
}

/* keys[0] is the name; parts the positional arguments; kw a dict or unbound. */
static value methodcaller_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    if (!nargs) return raise_type_error(vm, "methodcaller needs at least one argument, the method name");
    if (!IS_STR(args[0])) return raise_type_error(vm, "method name must be a string");
    str *name = str_intern(vm, str_plain(AS(str, args[0])));
    value n = name ? value_obj(name) : V_ERROR;
    tuple *keys = name ? tuple_pack(vm, 1, n) : NULL, *pos = keys ? tuple_from(vm, args + 1, nargs - 1) : NULL;
    dict *kw = NULL;
    if (!pos) return V_ERROR;
    ROOTS(vm, &keys, &pos, &kw);
    if (!value_is_unbound(kwnames) && AS(tuple, kwnames)->len) {
        if (!(kw = dict_new(vm))) return V_ERROR;
        for (size_t i = 0; i < AS(tuple, kwnames)->len; i++)
            if (!dict_set(vm, kw, AS(tuple, kwnames)->items[i], args[nargs + i])) return V_ERROR;
    }
    return getter_make(vm, t, value_obj(keys), value_obj(pos), kw ? value_obj(kw) : V_UNBOUND);
}

static value methodcaller_call(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    if (!one_argument(vm, "methodcaller", nargs, kwnames)) return V_ERROR;
    const struct getter *g = getter_of(self);
    tuple *pos = AS(tuple, g->parts);
    ROOTS(vm, &self);
    if (value_is_unbound(g->kw))
        return vm_call_method(vm, args[0], AS(str, AS(tuple, g->keys)->items[0]), pos->items, (uint32_t)pos->len);
    value f = obj_getattr(vm, args[0], AS(str, AS(tuple, g->keys)->items[0]));
    return value_is_error(f) ? f : vm_call_ex(vm, f, value_obj(pos), g->kw);
}

/* operator.itemgetter(1, 2), operator.methodcaller('name', 1, x=2) */
static value getter_repr(vm *vm, value self)
{
    value keys = getter_of(self)->keys, parts = getter_of(self)->parts, kw = getter_of(self)->kw, k = V_UNBOUND,
          v = V_UNBOUND;
    type *t = type_of(vm, self);
    bool method = t->s.call == methodcaller_call;
    int entered = repr_enter(vm, self);
    if (entered <= 0) return entered < 0 ? V_ERROR : str_value(str_format(vm, "%N(...)", t));
    ROOTS(vm, &self, &keys, &parts, &kw, &k, &v);
    str_builder b;
    sb_init(&b, vm);
    str *s = str_format(vm, "%N(", t);
    bool ok = s, first = true;
    if (s) sb_str(&b, s);
    for (int round = 0; round < (method ? 2 : 1); round++) {
        const tuple *items = AS(tuple, round ? parts : keys);
        for (size_t i = 0; ok && i < items->len; i++) {
            s = obj_repr(vm, items->items[i]);
            if (!(ok = s)) break;
            if (!first) sb_cstr(&b, ", ");
            sb_str(&b, s);
            first = false;
        }
    }
    for (size_t at = 0; ok && !value_is_unbound(kw) && dict_next(AS(dict, kw), &at, &k, &v);) {
        s = str_format(vm, ", %S=%R", k, v);
        if ((ok = s)) sb_str(&b, s);
    }
    repr_leave(vm, self);
    sb_char(&b, ')');
    if (ok) return str_value(sb_finish(&b));
    sb_drop(&b);
    return V_ERROR;
}

FN(getter_reduce)
{
    const struct getter *g = getter_of(args[0]);
    value cls = value_obj(type_of(vm, args[0]));
    if (type_of(vm, args[0])->s.call != methodcaller_call) {
        tuple *r = tuple_pack(vm, 2, cls, g->keys);
        return r ? value_obj(r) : V_ERROR;
    }
    const tuple *pos = AS(tuple, g->parts);
    tuple *all = tuple_new(vm, pos->len + 1);
    if (!all) return V_ERROR;
    all->items[0] = AS(tuple, g->keys)->items[0];
    memcpy(all->items + 1, pos->items, pos->len * sizeof(value));
    tuple *r = NULL;
    if (value_is_unbound(g->kw)) {
        r = tuple_pack(vm, 2, cls, value_obj(all));
    } else { /* functools.partial(cls, name, **kw)(*args) */
        str *module_name = str_intern_utf8(vm, "functools", 9), *name = str_intern_utf8(vm, "partial", 7);
        ROOTS(vm, &name, &all);
        value m = module_name && name ? import_module(vm, module_name) : V_ERROR;
        value f = value_is_error(m) ? m : obj_getattr(vm, m, name);
        tuple *head = tuple_pack(vm, 2, cls, all->items[0]);
        if (value_is_error(f) || !head) return V_ERROR;
        value made = vm_call_ex(vm, f, value_obj(head), getter_of(args[0])->kw);
        if (value_is_error(made)) return V_ERROR;
        r = tuple_pack(vm, 2, made, getter_of(args[0])->parts);
    }
    return r ? value_obj(r) : V_ERROR;
}

static const native_def getter_methods[] = {
    {"__reduce__(self, /)", getter_reduce, DOC("Return state information for pickling"), 0}, {0}};

#define GETTER(NAME, DOC)                                            \
    static void NAME##_fill(struct type_slots *s)                    \
    {                                                                \
        s->new_ = NAME##_new;                                        \
        s->call = NAME##_call;                                       \
        s->repr = getter_repr;                                       \
    }                                                                \
    static const type_spec NAME##_spec = {.name = "operator." #NAME, \
                                          .doc = DOC,                \
                                          .layout = &getter_layout,  \
                                          .methods = getter_methods, \
                                          .fill = NAME##_fill};
GETTER(itemgetter, "Return a callable object that fetches the given item(s) from its operand.")
GETTER(attrgetter, "Return a callable object that fetches the given attribute(s) from its operand.")
GETTER(methodcaller, "Return a callable object that calls the given method on its operand.")

/* ---- the module ---- */

static const native_def functions[] = {
#define X(NAME, OP) {#NAME "(a, b, /)", o_##NAME, "Same as the comparison operator.", 0},
    COMPARISONS(X)
#undef X
#define X(NAME, INPLACE, OP)                                          \
    {#NAME "(a, b, /)", o_##NAME, "Same as the binary operator.", 0}, \
        {#INPLACE "(a, b, /)", o_##INPLACE, "Same as the assignment operator.", 0},
        BINARIES(X)
#undef X
#define X(NAME, OP) {#NAME "(a, /)", o_##NAME, "Same as the unary operator.", 0},
            UNARIES(X)
#undef X
                {"inv(a, /)", o_invert, DOC("Same as ~a."), 0},
    {"abs(a, /)", o_abs, DOC("Same as abs(a)."), 0},
    {"_abs(a, /)", o_abs, DOC("Same as abs(a)."), 0},
    {"truth(a, /)", o_truth, DOC("Return True if a is true, False otherwise."), 0},
    {"is_(a, b, /)", o_is, DOC("Same as a is b."), 0},
    {"is_not(a, b, /)", o_is_not, DOC("Same as a is not b."), 0},
    {"index(a, /)", o_index, DOC("Same as a.__index__()"), 0},
    {"concat(a, b, /)", o_concat, DOC("Same as a + b, for a and b sequences."), 0},
    {"iconcat(a, b, /)", o_iconcat, DOC("Same as a += b, for a and b sequences."), 0},
    {"contains(a, b, /)", o_contains, DOC("Same as b in a (note reversed operands)."), 0},
    {"getitem(a, b, /)", o_getitem, DOC("Same as a[b]."), 0},
    {"setitem(a, b, c, /)", o_setitem, DOC("Same as a[b] = c."), 0},
    {"delitem(a, b, /)", o_delitem, DOC("Same as del a[b]."), 0},
    {"countOf(a, b, /)", o_countOf, DOC("Return the number of items in a which are, or which equal, b."), 0},
    {"indexOf(a, b, /)", o_indexOf, DOC("Return the first index of b in a."), 0},
    {"length_hint(obj, default=0, /)", o_length_hint, DOC("Return an estimate of the number of items in obj."), 0},
    {"call(obj, /, *args, **kwargs)", o_call, DOC("Same as obj(*args, **kwargs)."), NATIVE_RAW},
    {"_compare_digest(a, b, /)", o_compare_digest,
     DOC("Return 'a == b', in a time that does not tell where they differ."), 0},
    {0},
};

bool operator_init(vm *vm, module *m)
{
    return module_add_natives(vm, m, functions) && module_add_type(vm, m, STATE_ITEMGETTER, &itemgetter_spec) &&
           module_add_type(vm, m, STATE_ATTRGETTER, &attrgetter_spec) &&
           module_add_type(vm, m, STATE_METHODCALLER, &methodcaller_spec);
}
