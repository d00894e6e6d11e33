/* builtins: functions that walk iterables. */
#include "builtins.h"
#include "frame.h"
#include "interp.h"
#include "iter.h"
#include "list.h"
#include "native.h"
#include "str.h"

#define DOC_FILE vm_builtins_iter
DOC_BEGIN;

value anext_default(vm *vm, value awaitable, value deflt); /* asyncgen.c */

NATIVE(b_len)
{
    int64_t len = obj_len(vm, a[0]);
    return len < 0 ? V_ERROR : int_from_i64(vm, len);
}

NATIVE(b_iter)
{
    if (value_is_unbound(a[1])) return obj_iter(vm, a[0]);
    if (!obj_is_callable(vm, a[0])) return raise_type_error(vm, "iter(v, w): v must be callable");
    value it = iter_new(vm, TYPE_CALL_ITER, a[0]);
    if (!value_is_error(it)) AS(iter, it)->b = a[1];
    return it;
}

/* it.__next__(): the item, or StopIteration raised with the value that a generator returned. */
static value next_or_raise(vm *vm, value it)
{
    type *t = type_of(vm, it);
    if (!t->s.next) return raise_type_error(vm, "'%T' object is not an iterator", it);
    if (value_is_kind(it, K_FRAME)) return gen_resume(vm, AS(frame, it), V_NONE);
    if (t->flags & TF_HEAP) {
        value f = type_lookup(vm, t, N(vm, __next__));
        if (value_is_kind(f, K_FUNCTION)) return vm_call1(vm, f, it);
    }
    value v = t->s.next(vm, it);
    return value_is(v, V_STOP) ? raise_stop_iteration(vm, V_UNBOUND) : v;
}

value b_next(vm *vm, value *a, uint32_t n __attribute__((unused)), value kw __attribute__((unused)))
{
    value v = next_or_raise(vm, a[0]);
    if (value_is_error(v) && !value_is_unbound(a[1]) && exc_clear_if(vm, EXC_StopIteration)) return a[1];
    return v;
}

NATIVE(b_aiter)
{
    type *t = type_of(vm, a[0]);
    if (!t->s.aiter) return raise_type_error(vm, "'%T' object is not an async iterable", a[0]);
    value it = t->s.aiter(vm, a[0]);
    if (!value_is_error(it) && !type_of(vm, it)->s.anext)
        return raise_type_error(vm, "aiter() returned not an async iterator of type '%T'", it);
    return it;
}

NATIVE(b_anext)
{
    type *t = type_of(vm, a[0]);
    if (!t->s.anext) return raise_type_error(vm, "'%T' object is not an async iterator", a[0]);
    value v = t->s.anext(vm, a[0]);
    return value_is_error(v) || value_is_unbound(a[1]) ? v : anext_default(vm, v, a[1]);
}

/* Walks `source`: each item in *item. A list is read in place. */
typedef struct walk {
    value source, it;
    size_t at;
} walk;
static bool walk_start(vm *vm, walk *w, value source)
{
    *w = (walk){.source = source};
    if (value_is_exact(source, TYPE_LIST) || value_is_exact(source, TYPE_TUPLE)) return true;
    w->it = obj_iter(vm, source);
    return !value_is_error(w->it);
}
/* V_STOP at the end, error: raised. */
static inline value walk_next(vm *vm, walk *w)
{
    if (!value_is_unbound(w->it)) return iter_step(vm, w->it);
    if (value_as_obj(w->source)->kind == K_LIST) {
        list *l = AS(list, w->source);
        return w->at < l->len ? l->items[w->at++] : V_STOP;
    }
    tuple *t = AS(tuple, w->source);
    return w->at < t->len ? t->items[w->at++] : V_STOP;
}
static bool walk_tick(vm *vm, const walk *w) { return LIKELY(w->at & 255) || vm_tick(vm, 16); }

static value any_all(vm *vm, value source, bool wanted)
{
    walk w;
    if (!walk_start(vm, &w, source)) return V_ERROR;
    ROOTS(vm, &w.it);
    for (;;) {
        value v = walk_next(vm, &w);
        if (value_is(v, V_STOP)) return value_bool(!wanted);
        if (value_is_error(v)) return V_ERROR;
        int t = value_is_bool(v) ? value_is(v, V_TRUE) : obj_truth(vm, v);
        if (t < 0) return V_ERROR;
        if (t == wanted) return value_bool(wanted);
        if (!walk_tick(vm, &w)) return V_ERROR;
    }
}
NATIVE(b_any) { return any_all(vm, a[0], true); }
NATIVE(b_all) { return any_all(vm, a[0], false); }

/* sum: small ints, then floats (ints among them), then whatever `+` does. */
NATIVE(b_sum)
{
    value start = value_is_unbound(a[1]) ? value_int(0) : a[1];
    walk w;
    if (!walk_start(vm, &w, a[0])) return V_ERROR;
    if (IS_STR(start)) return raise_type_error(vm, "sum() can't sum strings [use ''.join(seq) instead]");
    if (value_is_kind(start, K_BYTES)) return raise_type_error(vm, "sum() can't sum bytes [use b''.join(seq) instead]");
    if (value_is_kind(start, K_BYTEARRAY))
        return raise_type_error(vm, "sum() can't sum bytearray [use b''.join(seq) instead]");
    value acc = start;
    ROOTS(vm, &w.it, &acc);
    value v = walk_next(vm, &w);
    while (value_is_int(acc)) {
        if (value_is_bool(v)) v = value_int(value_is(v, V_TRUE));
        else if (!value_is_int(v)) break;
        int64_t n = value_as_int(acc) + value_as_int(v);
        acc = int_fits(n) ? value_int(n) : int_from_i64(vm, n);
        if (value_is_error(acc) || !walk_tick(vm, &w)) return V_ERROR;
        v = walk_next(vm, &w);
    }
    if (value_is_float(acc) || (value_is_int(acc) && value_is_float(v))) {
        double sum = value_is_float(acc) ? value_as_float(acc) : (double)value_as_int(acc);
        for (;; v = walk_next(vm, &w)) {
            if (value_is_float(v)) sum += value_as_float(v);
            else if (value_is_int(v)) sum += (double)value_as_int(v);
            else break;
            if (!walk_tick(vm, &w)) return V_ERROR;
        }
        acc = value_float(sum);
    }
    for (;; v = walk_next(vm, &w)) {
        if (value_is(v, V_STOP)) return acc;
        if (value_is_error(v)) return V_ERROR;
        acc = obj_binary(vm, OPR_ADD, acc, v);
        if (value_is_error(acc) || !walk_tick(vm, &w)) return V_ERROR;
    }
}

/* key and reverse, unbound where not given. */
static bool sort_options(vm *vm, value *kwvals, value kw, value by[2])
{
    by[0] = by[1] = V_UNBOUND;
    if (value_is_unbound(kw)) return true;
    const tuple *names = AS(tuple, kw);
    size_t i = 0;
    for (; i < names->len && i < 2; i++) {
        value *to = str_equal_ascii(AS(str, names->items[i]), "key")       ? &by[0]
                    : str_equal_ascii(AS(str, names->items[i]), "reverse") ? &by[1]
                                                                           : NULL;
        if (!to || !value_is_unbound(*to)) break;
        *to = kwvals[i];
    }
    return i == names->len || args_bind(vm, "sort(*, key=None, reverse=False)", kwvals, 0, kw, by);
}

NATIVE(b_sorted)
{
    value source, by[2];
    if (!args_unpack(vm, "sorted", a, n, V_UNBOUND, 1, 1, &source)) return V_ERROR;
    if (!sort_options(vm, a + n, kw, by)) return V_ERROR;
    list *l = obj_to_list(vm, source);
    if (!l) return V_ERROR;
    ROOTS(vm, &l);
    int64_t reverse = 0; /* an int, as list.sort wants it */
    if (!value_is_unbound(by[1]) && !value_is_bool(by[1]) && !obj_as_index(vm, by[1], &reverse, EXC_OverflowError))
        return V_ERROR;
    if (value_is(by[1], V_TRUE)) reverse = 1;
    return list_sort(vm, l, value_is_unbound(by[0]) ? V_NONE : by[0], reverse != 0) ? value_obj(l) : V_ERROR;
}

/* ---- min, max ---- */

static bool better(vm *vm, value v, value best, enum compare_op op, int *out)
{
    if (value_both_int(v, best)) {
        *out = op == CMP_LT ? v.bits < best.bits : v.bits > best.bits;
    } else if (value_is_float(v) && value_is_float(best)) {
        *out = op == CMP_LT ? value_as_float(v) < value_as_float(best) : value_as_float(v) > value_as_float(best);
    } else {
        *out = obj_compare_bool(vm, v, best, op);
    }
    return *out >= 0;
}

static value min_max(vm *vm, value *a, uint32_t n, value kw, enum compare_op op)
{
    const char *name = op == CMP_LT ? "min" : "max";
    value key = V_NONE, deflt = V_UNBOUND;
    size_t nkw = value_is_unbound(kw) ? 0 : AS(tuple, kw)->len;
    for (size_t i = 0; i < nkw; i++) {
        str *k = AS(str, AS(tuple, kw)->items[i]);
        if (str_equal_ascii(k, "key")) key = a[n + i];
        else if (str_equal_ascii(k, "default")) deflt = a[n + i];
        else return raise_type_error(vm, "'%U' is an invalid keyword argument for %s()", value_obj(k), name);
    }
    if (n == 0) return raise_type_error(vm, "%s expected at least 1 argument, got 0", name);
    if (n > 1 && !value_is_unbound(deflt))
        return raise_type_error(vm, "Cannot specify a default for %s() with multiple positional arguments", name);
    walk w = {0};
    if (n == 1 && !walk_start(vm, &w, a[0])) return V_ERROR;
    value best = V_UNBOUND, best_key = V_UNBOUND, v = V_UNBOUND, k;
    ROOTS(vm, &w.it, &best, &best_key, &v);
    for (uint32_t i = 0;; i++) {
        if (n == 1) v = walk_next(vm, &w);
        else v = i < n ? a[i] : V_STOP;
        if (value_is(v, V_STOP)) break;
        if (value_is_error(v)) return V_ERROR;
        k = value_is_none(key) ? v : vm_call1(vm, key, v);
        if (value_is_error(k)) return V_ERROR;
        int take = 1;
        if (i > 0) {
            value fresh = k;
            ROOTS(vm, &fresh);
            if (!better(vm, k, best_key, op, &take)) return V_ERROR;
        }
        if (take) {
            best = v;
            best_key = k;
        }
        if (!walk_tick(vm, &w)) return V_ERROR;
    }
    if (!value_is_unbound(best)) return best;
    if (!value_is_unbound(deflt)) return deflt;
    return raise_value_error(vm, "%s() arg is an empty sequence", name);
}
NATIVE(b_min) { return min_max(vm, a, n, kw, CMP_LT); }
NATIVE(b_max) { return min_max(vm, a, n, kw, CMP_GT); }

const native_def builtins_iteration[] = {
    {"len(obj, /)", b_len, DOC("Return the number of items in a container."), 0},
    {"iter(object, sentinel=None, /)", b_iter, DOC("Get an iterator from an object."), 0},
    {"next(iterator, default=None, /)", b_next, DOC("Return the next item from the iterator."), 0},
    {"aiter(async_iterable, /)", b_aiter, DOC("Return an AsyncIterator for an AsyncIterable object."), 0},
    {"anext(aiterator, default=None, /)", b_anext, DOC("Return the next item from the async iterator."), 0},
    {"any(iterable, /)", b_any, DOC("Return True if bool(x) is True for any x in the iterable."),
     NATIVE_CONSUME(CONSUME_ANY)},
    {"all(iterable, /)", b_all, DOC("Return True if bool(x) is True for all values x in the iterable."),
     NATIVE_CONSUME(CONSUME_ALL)},
    {"sum(iterable, /, start=0)", b_sum,
     DOC("Return the sum of a 'start' value (default: 0) plus an iterable of numbers."), NATIVE_CONSUME(CONSUME_SUM)},
    {"sorted(iterable, /, *, key=None, reverse=False)", b_sorted,
     DOC("Return a new list containing all items from the iterable in ascending order."),
     NATIVE_RAW | NATIVE_CONSUME(CONSUME_CALL1)},
    {"min(iterable, *args, default=None, key=None)", b_min,
     DOC("min(iterable, *[, default=obj, key=func]) -> value\nmin(arg1, arg2, *args, *[, key=func]) -> value\n\nThe "
         "smallest item, or the smallest argument."),
     NATIVE_RAW},
    {"max(iterable, *args, default=None, key=None)", b_max,
     DOC("max(iterable, *[, default=obj, key=func]) -> value\nmax(arg1, arg2, *args, *[, key=func]) -> value\n\nThe "
         "biggest item, or the biggest argument."),
     NATIVE_RAW},
    {0},
};
