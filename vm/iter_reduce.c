/* __reduce__ and __setstate__ of the builtin iterators, for copy and pickle. What the fields mean: iter.h.
 *
 * An iterator over a sequence becomes (iter, (sequence,), position); one over a dict or set the list of what is left;
 * those over other iterators their own type and these.
 */
#include "iter.h"

#include "list.h"

#define METHOD(NAME) \
    value NAME(vm *vm, value *args, uint32_t nargs __attribute__((unused)), value kwnames __attribute__((unused)))

static value builtin(vm *vm, const char *name)
{
    str *s = str_intern_utf8(vm, name, strlen(name));
    value f = s ? dict_get_str(vm, vm->builtins, s) : V_ERROR;
    if (s && value_is_unbound(f)) return raise(vm, EXC_AttributeError, "%s", name);
    return f;
}

/* (f, (arg,)) or (f, (arg,), state) */
static value call_of(vm *vm, value f, value arg, value state)
{
    ROOTS(vm, &f, &arg);
    tuple *t = value_is_error(f) || value_is_error(arg) ? NULL : tuple_pack(vm, 1, arg);
    if (!t) return V_ERROR;
    return value_obj(value_is_unbound(state) ? tuple_pack(vm, 2, f, value_obj(t))
                                             : tuple_pack(vm, 3, f, value_obj(t), state));
}

static value empty_of(vm *vm, const iter *it)
{
    switch (it->h.shape) {
    case TYPE_STR_ITER:
    case TYPE_STR_ASCII_ITER: return value_obj(vm->empty_str);
    case TYPE_LIST_ITER:
    case TYPE_LIST_REVITER: return value_obj(list_new(vm, 0));
    default: return value_obj(vm->empty_tuple);
    }
}

METHOD(iter_reduce_seq)
{
    iter *it = AS(iter, args[0]);
    ROOTS(vm, &it);
    bool ended = value_is_unbound(it->a), back = it->h.shape == TYPE_REVERSED || it->h.shape == TYPE_LIST_REVITER;
    value f = back && !(ended && it->h.shape == TYPE_LIST_REVITER) ? value_obj(T(vm, REVERSED)) : builtin(vm, "iter");
    if (it->h.shape >= TYPE_COUNT) f = value_obj(type_of(vm, args[0])); /* a class of the script's, below reversed */
    if (ended) return call_of(vm, f, empty_of(vm, it), V_UNBOUND);
    return call_of(vm, f, it->a, int_from_i64(vm, (int64_t)it->i - back));
}

METHOD(iter_setstate_seq)
{
    iter *it = AS(iter, args[0]);
    bool back = it->h.shape == TYPE_LIST_REVITER || value_isa(vm, args[0], T(vm, REVERSED));
    int64_t i;
    if (!obj_as_index(vm, args[1], &i, 0)) return V_ERROR;
    if (value_is_unbound(it->a)) return V_NONE;
    if (back) {
        int64_t n = obj_len(vm, it->a);
        if (n < 0) return V_ERROR;
        it->i = i < -1 ? 0 : (uint64_t)(i > n - 1 ? n : i + 1);
    } else {
        it->i = i < 0 ? 0 : (uint64_t)i;
    }
    return V_NONE;
}

/* The rest of a copy: the iterator itself stays where it is. */
METHOD(iter_reduce_items)
{
    iter *it = AS(iter, args[0]);
    iter *other = gc_new(vm, K_ITER, it->h.shape, sizeof *it);
    if (!other) return V_ERROR;
    other->a = it->a, other->b = it->b, other->c = it->c;
    other->i = it->i, other->n = it->n;
    ROOTS(vm, &other);
    list *l = obj_to_list(vm, value_obj(other));
    return l ? call_of(vm, builtin(vm, "iter"), value_obj(l), V_UNBOUND) : V_ERROR;
}

METHOD(iter_reduce_range)
{
    iter *it = AS(iter, args[0]);
    bool small = it->h.shape == TYPE_RANGE_ITER;
    value in[3] = {it->a, V_UNBOUND, it->b}, count = small ? int_from_u64(vm, it->n) : it->c;
    ROOT_SPAN(vm, in, 3);
    ROOTS(vm, &it, &count);
    if (value_is_error(count)) return V_ERROR;
    in[1] = int_binary(vm, OPR_MUL, count, it->b);
    if (value_is_error(in[1]) || value_is_error(in[1] = int_binary(vm, OPR_ADD, in[0], in[1]))) return V_ERROR;
    value r = vm_call(vm, value_obj(T(vm, RANGE)), in, 3);
    ROOTS(vm, &r);
    return value_is_error(r) ? r : call_of(vm, builtin(vm, "iter"), r, int_from_u64(vm, small ? it->i : 0));
}

METHOD(iter_setstate_range)
{
    iter *it = AS(iter, args[0]);
    int64_t i;
    if (!obj_as_index(vm, args[1], &i, 0)) return V_ERROR;
    if (it->h.shape == TYPE_RANGE_ITER) {
        it->i = i < 0 ? 0 : (uint64_t)i > it->n ? it->n : (uint64_t)i;
        return V_NONE;
    }
    for (; i > 0; i--) { /* these are not pickled half-way */
        value v = type_of(vm, args[0])->s.next(vm, args[0]);
        if (value_is_error(v)) return v;
        if (value_is(v, V_STOP)) break;
    }
    return V_NONE;
}

/* Iterators over iterators: (type, arguments), the arguments as their constructor takes them. */
METHOD(iter_reduce_parts)
{
    iter *it = AS(iter, args[0]);
    value self = value_obj(type_of(vm, args[0]));
    tuple *t = NULL;
    bool strict = false;
    ROOTS(vm, &it, &self, &t);
    if (it->h.shape == TYPE_CALL_ITER) {
        self = builtin(vm, "iter");
        if (!value_is_error(self) && value_is_unbound(it->a))
            return call_of(vm, self, value_obj(vm->empty_tuple), V_UNBOUND);
        t = tuple_pack(vm, 2, it->a, it->b);
    } else if (value_isa(vm, args[0], T(vm, ENUMERATE))) {
        t = tuple_pack(vm, 2, it->a, it->b);
    } else if (value_isa(vm, args[0], T(vm, FILTER))) {
        t = tuple_pack(vm, 2, it->b, it->a);
    } else if (value_isa(vm, args[0], T(vm, ZIP))) {
        t = AS(tuple, it->a);
        strict = value_is(it->b, V_TRUE);
    } else {
        const tuple *its = AS(tuple, it->a);
        t = tuple_new(vm, its->len + 1);
        if (t) {
            t->items[0] = it->b;
            memcpy(t->items + 1, its->items, its->len * sizeof *its->items);
        }
    }
    if (!t || value_is_error(self)) return V_ERROR;
    return value_obj(strict ? tuple_pack(vm, 3, self, value_obj(t), V_TRUE) : tuple_pack(vm, 2, self, value_obj(t)));
}

METHOD(iter_setstate_zip)
{
    int strict = obj_truth(vm, args[1]);
    if (strict < 0) return V_ERROR;
    AS(iter, args[0])->b = value_bool(strict);
    return V_NONE;
}
