/* The object protocol: attributes, items, text, hash, truth, comparison of any value.
 *
 * Each function is one slot call with CPython's error where the slot is missing. What may nest as
 * deep as data does (repr, comparison, hash) counts as a level of recursion. Operators:
 * abstract_ops.c; iteration: abstract_seq.c; isinstance: abstract_class.c.
 */
#include "attr.h"
#include "list.h"
#include "native.h"
#include "slot_table.h"
#include "str.h"
#include "type_parts.h"
#include "type_state.h"
#include "types_api.h"

/* ---- attributes ---- */

static inline str *interned(vm *vm, str *name)
{
    return LIKELY(name->h.flags & STR_INTERNED) ? name : str_intern(vm, name);
}

value obj_getattr(vm *vm, value o, str *name)
{
    if (!(name = interned(vm, name))) return V_ERROR;
    type *t = type_of(vm, o);
    if (LIKELY(t->flags & TF_GETATTR_PLAIN)) return attr_generic_get(vm, o, name);
    ROOTS(vm, &o, &name);
    return t->s.getattr(vm, o, value_obj(name));
}

value obj_getattr_opt(vm *vm, value o, str *name)
{
    if (!(name = interned(vm, name))) return V_ERROR;
    type *t = type_of(vm, o);
    value v;
    if (LIKELY(t->flags & TF_GETATTR_PLAIN)) {
        v = attr_generic_opt(vm, o, name);
    } else if (t->s.getattr == type_slot_get && value_is_unbound(type_lookup(vm, AS(type, o), name)) &&
               value_is_unbound(type_lookup(vm, t, name))) {
        return V_UNBOUND;
    } else {
        ROOTS(vm, &o, &name);
        v = t->s.getattr(vm, o, value_obj(name));
    }
    if (value_is_unbound(v) && raised(vm)) exc_clear_if(vm, EXC_AttributeError);
    return v;
}

bool obj_setattr(vm *vm, value o, str *name, value v)
{
    if (!(name = interned(vm, name))) return false;
    type *t = type_of(vm, o);
    if (LIKELY(t->flags & TF_SETATTR_PLAIN)) return attr_generic_set(vm, o, name, v);
    ROOTS(vm, &o, &name, &v);
    return t->s.setattr(vm, o, value_obj(name), v);
}

/* ---- items ---- */

value obj_getitem(vm *vm, value o, value key)
{
    type *t = type_of(vm, o);
    if (LIKELY(t->s.getitem != NULL)) return t->s.getitem(vm, o, key);
    if (IS_TYPE(o)) {
        if (AS(type, o) == T(vm, TYPE)) return alias_new(vm, o, key);
        ROOTS(vm, &o, &key);
        value f = obj_getattr_opt(vm, o, N(vm, __class_getitem__));
        if (!value_is_unbound(f) && !value_is_none(f)) return vm_call1(vm, f, key);
        if (raised(vm)) return V_ERROR;
        return raise_type_error(vm, "type '%N' is not subscriptable", AS(type, o));
    }
    return raise_type_error(vm, "'%T' object is not subscriptable", o);
}

bool obj_setitem(vm *vm, value o, value key, value v)
{
    type *t = type_of(vm, o);
    if (LIKELY(t->s.setitem != NULL)) return t->s.setitem(vm, o, key, v);
    /* CPython's sequences (and script classes) have a wording of their own for deleting by an int.
     */
    bool sequence =
        value_is_unbound(v) && ((t->flags & TF_HEAP) || t->s.len) && (int_is(key) || type_of(vm, key)->s.index);
    raise_type_error(vm, "'%T' object %s support item %s", o, sequence ? "doesn't" : "does not",
                     value_is_unbound(v) ? "deletion" : "assignment");
    return false;
}

int obj_contains(vm *vm, value o, value key)
{
    type *t = type_of(vm, o);
    if (LIKELY(t->s.contains != NULL)) return t->s.contains(vm, o, key);
    if (!t->s.iter && !t->s.getitem) {
        raise_type_error(vm, "argument of type '%T' is not iterable", o);
        return -1;
    }
    value it = obj_iter(vm, o), v = V_NONE;
    if (value_is_error(it)) {
        if (exc_clear_if(vm, EXC_TypeError)) raise_type_error(vm, "argument of type '%T' is not iterable", o);
        return -1;
    }
    ROOTS(vm, &it, &key, &v);
    while (!value_is(v = obj_next(vm, it), V_STOP)) {
        if (value_is_error(v)) return -1;
        int eq = obj_equal(vm, v, key);
        if (eq) return eq;
        if (!vm_tick(vm, 1)) return -1;
    }
    return 0;
}

int64_t obj_len(vm *vm, value o)
{
    type *t = type_of(vm, o);
    if (LIKELY(t->s.len != NULL)) return t->s.len(vm, o);
    raise_type_error(vm, "object of type '%T' has no len()", o);
    return -1;
}

int64_t obj_length_hint(vm *vm, value o, int64_t fallback)
{
    type *t = type_of(vm, o);
    if (t->s.len) {
        int64_t n = t->s.len(vm, o);
        if (n >= 0) return n;
        if (!exc_clear_if(vm, EXC_TypeError)) return -1;
    }
    value hook = type_lookup(vm, t, N(vm, __length_hint__));
    if (value_is_unbound(hook)) return raised(vm) ? -1 : fallback;
    value r = dunder_call(vm, hook, &o, 1);
    if (value_is_error(r)) return exc_clear_if(vm, EXC_TypeError) ? fallback : -1;
    if (value_is(r, V_NOTIMPLEMENTED)) return fallback;
    int64_t n;
    if (!int_is(r)) {
        raise_type_error(vm, "__length_hint__ must be an integer, not %T", r);
        return -1;
    }
    if (!int_as_i64(vm, int_plain(vm, r), &n)) return -1;
    if (n < 0) {
        raise_value_error(vm, "__length_hint__() should return >= 0");
        return -1;
    }
    return n;
}

/* ---- text ---- */

static str *as_text(vm *vm, value r, const char *dunder)
{
    if (value_is_error(r)) return NULL;
    if (LIKELY(IS_STR(r))) return AS(str, r);
    raise_type_error(vm, "%s returned non-string (type %T)", dunder, r);
    return NULL;
}

str *obj_repr(vm *vm, value o)
{
    type *t = type_of(vm, o);
    if (value_is_exact(o, TYPE_STR)) return str_repr(vm, AS(str, o));
    if (!vm_enter(vm)) return NULL;
    ROOTS(vm, &o);
    value r = t->s.repr(vm, o);
    vm_leave(vm);
    return as_text(vm, r, "__repr__");
}

str *obj_str(vm *vm, value o)
{
    if (value_is_exact(o, TYPE_STR)) return AS(str, o);
    type *t = type_of(vm, o);
    if (!vm_enter(vm)) return NULL;
    ROOTS(vm, &o);
    value r = t->s.str_(vm, o);
    vm_leave(vm);
    return as_text(vm, r, "__str__");
}

value obj_format(vm *vm, value o, value spec)
{
    if (value_is_unbound(spec) || (IS_STR(spec) && !AS(str, spec)->len)) {
        if (value_is_exact(o, TYPE_STR)) return o;
        if (value_is_int(o) || value_is_float(o)) {
            str *s = obj_str(vm, o);
            return s ? value_obj(s) : V_ERROR;
        }
        spec = value_obj(vm->empty_str);
    }
    if (!IS_STR(spec)) return raise_type_error(vm, "Format specifier must be a string, not %T", spec);
    value f = type_lookup(vm, type_of(vm, o), N(vm, __format__));
    if (value_is_unbound(f)) return raised(vm) ? V_ERROR : raise_type_error(vm, "Type %T doesn't define __format__", o);
    if (!vm_enter(vm)) return V_ERROR;
    value args[2] = {o, spec};
    ROOT_SPAN(vm, args, 2);
    value r = dunder_call(vm, f, args, 2);
    vm_leave(vm);
    if (!value_is_error(r) && !IS_STR(r)) return raise_type_error(vm, "__format__ must return a str, not %T", r);
    return r;
}

/* ---- hash, truth ---- */

bool obj_hash(vm *vm, value o, uint64_t *out)
{
    if (value_is_obj(o) && value_as_obj(o)->shape == TYPE_STR) {
        *out = str_hash(vm, AS(str, o));
        return true;
    }
    type *t = type_of(vm, o);
    if (UNLIKELY(!t->s.hash)) return slot_unhashable(vm, o, out);
    if (!value_is_obj(o) || value_as_obj(o)->shape < TYPE_BYTES) return t->s.hash(vm, o, out);
    if (!vm_enter(vm)) return false; /* tuples in tuples in tuples */
    bool ok = t->s.hash(vm, o, out);
    vm_leave(vm);
    return ok;
}

int obj_truth(vm *vm, value o)
{
    if (value_is_bool(o)) return value_is(o, V_TRUE);
    if (value_is_none(o)) return 0;
    if (value_is_int(o)) return value_as_int(o) != 0;
    if (value_is_obj(o)) {
        switch (value_as_obj(o)->shape) {
        case TYPE_STR: return AS(str, o)->len != 0;
        case TYPE_LIST: return AS(list, o)->len != 0;
        case TYPE_TUPLE: return AS(tuple, o)->len != 0;
        case TYPE_DICT: return AS(dict, o)->used != 0;
        default: break;
        }
    }
    type *t = type_of(vm, o);
    if (t->s.truth) return t->s.truth(vm, o);
    if (!t->s.len) return 1;
    int64_t n = t->s.len(vm, o);
    return n < 0 ? -1 : n > 0;
}

/* ---- comparison ---- */

static const char *const compare_symbols[] = {"<", "<=", "==", "!=", ">", ">="};
static const uint8_t swapped[] = {CMP_GT, CMP_GE, CMP_EQ, CMP_NE, CMP_LT, CMP_LE};

static value compare_slots(vm *vm, value a, value b, enum compare_op op)
{
    type *ta = type_of(vm, a), *tb = type_of(vm, b);
    bool tried = false;
    value r;
    if (ta != tb && tb->s.compare && type_is_subtype(tb, ta)) {
        tried = true;
        r = tb->s.compare(vm, b, a, swapped[op]);
        if (!value_is(r, V_NOTIMPLEMENTED)) return r;
    }
    if (ta->s.compare) {
        r = ta->s.compare(vm, a, b, op);
        if (!value_is(r, V_NOTIMPLEMENTED)) return r;
    }
    return obj_compare_reflected(vm, a, b, tried ? NULL : tb, op);
}

value obj_compare_reflected(vm *vm, value a, value b, type *tb, enum compare_op op)
{
    if (tb && tb->s.compare) {
        value r = tb->s.compare(vm, b, a, swapped[op]);
        if (!value_is(r, V_NOTIMPLEMENTED)) return r;
    }
    if (op == CMP_EQ) return value_bool(value_is(a, b));
    if (op == CMP_NE) return value_bool(!value_is(a, b));
    return raise_type_error(vm, "'%s' not supported between instances of '%T' and '%T'", compare_symbols[op], a, b);
}

/* Two small ints, two floats or two strings: 1 0; -1: anything else. */
static inline int compare_fast(value a, value b, enum compare_op op)
{
    if (value_both_int(a, b)) return compare_holds(a.bits < b.bits ? -1 : a.bits > b.bits, op);
    if (value_is_float(a) && value_is_float(b)) {
        double x = value_as_float(a), y = value_as_float(b);
        switch (op) {
        case CMP_LT: return x < y;
        case CMP_LE: return x <= y;
        case CMP_EQ: return x == y;
        case CMP_NE: return x != y;
        case CMP_GT: return x > y;
        case CMP_GE: return x >= y;
        }
    }
    if (!value_is_exact(a, TYPE_STR) || !value_is_exact(b, TYPE_STR)) return -1;
    if (op == CMP_EQ || op == CMP_NE) return str_eq(AS(str, a), AS(str, b)) == (op == CMP_EQ);
    return compare_holds(str_cmp(AS(str, a), AS(str, b)), op);
}

value obj_compare(vm *vm, value a, value b, enum compare_op op)
{
    int fast = compare_fast(a, b, op);
    if (fast >= 0) return value_bool(fast);
    if (!value_is_obj(a) && !value_is_obj(b)) return compare_slots(vm, a, b, op);
    int order = seq_order_fast(a, b);
    if (order != SEQ_UNKNOWN) return value_bool(compare_holds(order, op));
    ROOTS(vm, &a, &b);
    if (!vm_enter(vm)) return V_ERROR;
    value r = compare_slots(vm, a, b, op);
    vm_leave(vm);
    return r;
}

int obj_compare_bool(vm *vm, value a, value b, enum compare_op op)
{
    int fast = compare_fast(a, b, op);
    if (fast >= 0) return fast;
    int order = seq_order_fast(a, b);
    if (order != SEQ_UNKNOWN) return compare_holds(order, op);
    value r = obj_compare(vm, a, b, op);
    return value_is_error(r) ? -1 : obj_truth(vm, r);
}

int obj_equal(vm *vm, value a, value b)
{
    if (value_is(a, b)) return 1;
    if (value_both_int(a, b)) return 0;
    if (value_is_obj(a) && value_is_obj(b)) {
        if (value_is_exact(a, TYPE_STR) && value_is_exact(b, TYPE_STR)) return str_eq(AS(str, a), AS(str, b));
    } else {
        value heap = value_is_obj(a) ? a : b; /* a number or constant, and text or a sequence: never equal */
        if (value_is_exact(heap, TYPE_STR) || value_is_exact(heap, TYPE_TUPLE) || value_is_exact(heap, TYPE_LIST))
            return 0;
    }
    return obj_compare_bool(vm, a, b, CMP_EQ);
}

/* ---- ints, callables ---- */

value obj_index(vm *vm, value o)
{
    if (value_is_int(o)) return o;
    if (int_is(o)) return int_plain(vm, o);
    type *t = type_of(vm, o);
    if (!t->s.index) return raise_type_error(vm, "'%T' object cannot be interpreted as an integer", o);
    value r = t->s.index(vm, o);
    if (value_is_error(r)) return r;
    if (!int_is(r)) return raise_type_error(vm, "__index__ returned non-int (type %T)", r);
    return int_plain(vm, r);
}

bool obj_as_index(vm *vm, value o, int64_t *out, unsigned exc_id)
{
    value i = obj_index(vm, o);
    if (value_is_error(i)) return false;
    if (int_to_i64(vm, i, out)) return true;
    if (exc_id) {
        raise(vm, exc_id, "cannot fit '%T' into an index-sized integer", o);
        return false;
    }
    *out = int_sign(vm, i) < 0 ? INT64_MIN : INT64_MAX;
    return true;
}

bool obj_is_callable(vm *vm, value o) { return type_of(vm, o)->s.call != NULL; }

/* ---- the guard of repr ---- */

enum { REPR_NEAR = sizeof(((type_state *)0)->repr_stack) / sizeof(struct repr_entry) };

static struct repr_entry *repr_at(type_state *ts, uint32_t i)
{
    return i < REPR_NEAR ? &ts->repr_stack[i] : &ts->repr_more[i - REPR_NEAR];
}

int repr_enter(vm *vm, value o)
{
    type_state *ts = type_state_of(vm);
    object *p = value_as_obj(o);
    for (uint32_t i = ts->nrepr; i-- > 0;)
        if (repr_at(ts, i)->o == p && repr_at(ts, i)->in == vm->thread) return 0;
    if (ts->nrepr >= REPR_NEAR + ts->caprepr) {
        uint32_t cap = ts->caprepr ? ts->caprepr * 2 : 64;
        struct repr_entry *more = mem_realloc(vm, ts->repr_more, ts->caprepr * sizeof *more, cap * sizeof *more);
        if (!more) return -1;
        ts->repr_more = more;
        ts->caprepr = cap;
    }
    *repr_at(ts, ts->nrepr++) = (struct repr_entry){p, vm->thread};
    return 1;
}

void repr_leave(vm *vm, value o)
{
    type_state *ts = type_state_of(vm);
    for (uint32_t i = ts->nrepr; i-- > 0;)
        if (repr_at(ts, i)->o == value_as_obj(o) && repr_at(ts, i)->in == vm->thread) {
            for (; i + 1 < ts->nrepr; i++) *repr_at(ts, i) = *repr_at(ts, i + 1);
            ts->nrepr--;
            return;
        }
}

bool repr_item(str_builder *b, size_t i, value item)
{
    if (i) sb_ascii(b, ", ", 2);
    str *s = obj_repr(b->vm, item);
    if (!s || b->failed) return false;
    sb_str(b, s);
    return vm_tick(b->vm, 1);
}

value repr_end(str_builder *b, bool ok, char close)
{
    if (ok) {
        sb_char(b, (uint8_t)close);
        return value_obj(sb_finish(b));
    }
    sb_drop(b);
    return V_ERROR;
}
