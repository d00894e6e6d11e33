/* Iteration over any value, collecting it, and unpacking. */
#include "attr.h"
#include "iter.h"
#include "list.h"
#include "slot_table.h"
#include "types_api.h"

value obj_iter(vm *vm, value o)
{
    type *t = type_of(vm, o);
    if (LIKELY(t->s.iter != NULL)) {
        value it = t->s.iter(vm, o);
        if (UNLIKELY(!value_is_error(it) && (!type_of(vm, it)->s.next || type_of(vm, it)->s.next == slot_next_missing)))
            return raise_type_error(vm, "iter() returned non-iterator of type '%T'", it);
        return it;
    }
    /* The old sequence protocol; dict-like builtins all have iter. */
    if (t->s.getitem && !IS_TYPE(o) && t->s.getitem == generic_getitem) return iter_new(vm, TYPE_SEQ_ITER, o);
    return raise_type_error(vm, "'%T' object is not iterable", o);
}

value obj_next(vm *vm, value it)
{
    type *t = type_of(vm, it);
    if (UNLIKELY(!t->s.next)) return raise_type_error(vm, "'%T' object is not an iterator", it);
    value v = t->s.next(vm, it);
    /* A generator that returns a value ends by StopIteration. */
    if (UNLIKELY(value_is_error(v)) && exc_clear_if(vm, EXC_StopIteration)) return V_STOP;
    return v;
}

/* Its length is at hand: no proxy's, nothing that runs script. */
static bool knows_length(value o)
{
    if (!value_is_obj(o) || value_as_obj(o)->shape >= TYPE_COUNT) return false;
    switch (value_as_obj(o)->kind) {
    case K_DICTVIEW: return value_as_obj(o)->shape != TYPE_MAPPINGPROXY;
    case K_DICT:
    case K_SET:
    case K_RANGE:
    case K_STR:
    case K_BYTES: return true;
    default: return false;
    }
}

list *obj_to_list(vm *vm, value o)
{
    value *items;
    size_t n;
    if (list_or_tuple(o, &items, &n) && value_as_obj(o)->shape < TYPE_COUNT) return list_from(vm, items, n);
    list *l = NULL;
    ROOTS(vm, &o, &l);
    /* Few items, or an iterator that doesn't say how many: one cell for the list and them. */
    int64_t few = 8;
    if (knows_length(o) && (few = type_of(vm, o)->s.len(vm, o)) < 0) return NULL;
    if (!(l = list_new(vm, few <= LIST_INLINE_MAX ? (size_t)few : 0)) || !list_extend(vm, l, o)) return NULL;
    return l;
}

tuple *obj_to_tuple(vm *vm, value o)
{
    if (value_is_exact(o, TYPE_TUPLE)) return AS(tuple, o);
    value *items;
    size_t n;
    if (list_or_tuple(o, &items, &n) && value_as_obj(o)->shape < TYPE_COUNT) return tuple_from(vm, items, n);
    list *l = obj_to_list(vm, o);
    return l ? tuple_from(vm, l->items, l->len) : NULL;
}

/* ---- unpacking ---- */

/* The iterator to unpack from; error: raised. */
static value unpack_iter(vm *vm, value o)
{
    type *t = type_of(vm, o);
    if (!t->s.iter && t->s.getitem != generic_getitem)
        return raise_type_error(vm, "cannot unpack non-iterable %T object", o);
    return obj_iter(vm, o);
}

static bool not_enough(vm *vm, uint32_t want, size_t got, bool star)
{
    raise_value_error(vm, "not enough values to unpack (expected %s%d, got %zu)", star ? "at least " : "", (int)want,
                      got);
    return false;
}

static bool too_many(vm *vm, uint32_t want)
{
    raise_value_error(vm, "too many values to unpack (expected %d)", (int)want);
    return false;
}

bool obj_unpack(vm *vm, value o, uint32_t n, value *out)
{
    value *items;
    size_t len;
    if (list_or_tuple(o, &items, &len) && value_as_obj(o)->shape < TYPE_COUNT) {
        if (UNLIKELY(len < n)) return not_enough(vm, n, len, false);
        if (UNLIKELY(len > n)) return too_many(vm, n);
        if (n) memcpy(out, items, n * sizeof *out);
        return true;
    }
    value it = unpack_iter(vm, o);
    if (value_is_error(it)) return false;
    for (uint32_t i = 0; i < n; i++) out[i] = V_UNBOUND;
    ROOTS(vm, &it, &o);
    ROOT_SPAN(vm, out, n);
    for (uint32_t i = 0; i < n; i++) {
        value v = obj_next(vm, it);
        if (value_is_error(v)) return false;
        if (value_is(v, V_STOP)) return not_enough(vm, n, i, false);
        out[i] = v;
    }
    value v = obj_next(vm, it);
    if (value_is(v, V_STOP)) return true;
    return value_is_error(v) ? false : too_many(vm, n);
}

bool obj_unpack_star(vm *vm, value o, uint32_t before, uint32_t after, value *out)
{
    value *items;
    size_t len;
    if (list_or_tuple(o, &items, &len) && value_as_obj(o)->shape < TYPE_COUNT) {
        if (UNLIKELY(len < (size_t)before + after)) return not_enough(vm, before + after, len, true);
        list *middle = list_from(vm, items + before, len - before - after);
        if (!middle) return false;
        if (before) memcpy(out, items, before * sizeof *out);
        if (after) memcpy(out + before + 1, items + (len - after), after * sizeof *out);
        out[before] = value_obj(middle);
        return true;
    }
    value it = unpack_iter(vm, o);
    if (value_is_error(it)) return false;
    list *rest = NULL;
    uint32_t n = before + 1 + after;
    for (uint32_t i = 0; i < n; i++) out[i] = V_UNBOUND;
    ROOTS(vm, &it, &o, &rest);
    ROOT_SPAN(vm, out, n);
    for (uint32_t i = 0; i < before; i++) {
        value v = obj_next(vm, it);
        if (value_is_error(v)) return false;
        if (value_is(v, V_STOP)) return not_enough(vm, before + after, i, true);
        out[i] = v;
    }
    if (!(rest = list_new(vm, 0)) || !list_extend(vm, rest, it)) return false;
    if (rest->len < after) return not_enough(vm, before + after, before + rest->len, true);
    size_t keep = rest->len - after;
    if (after) memcpy(out + before + 1, rest->items + keep, after * sizeof *out);
    list_truncate(vm, rest, keep);
    out[before] = value_obj(rest);
    return true;
}
