/* itertools: __reduce__ and __setstate__, for copy and pickle.
 *
 * What __reduce__ gives is what CPython's gives; __setstate__ checks all of it, as it may come from anywhere. */
#include "itertools.h"

#include "vm/str.h"

#define DOC_FILE stdlib_itertools_reduce
DOC_BEGIN;

enum { FRESH, RUNNING, ENDED }; /* as in itertools_comb.c */

/* (class, args), or (class, args, state) unless that is V_STOP; args NULL: raised already */
static value reduced(vm *vm, value self, tuple *args, value state)
{
    if (!args || value_is_error(state)) return V_ERROR;
    value cls = value_obj(type_of(vm, self));
    return value_obj(value_is(state, V_STOP) ? tuple_pack(vm, 2, cls, value_obj(args))
                                             : tuple_pack(vm, 3, cls, value_obj(args), state));
}

static value empty_iterator(vm *vm) { return iter_new(vm, TYPE_TUPLE_ITER, value_obj(vm->empty_tuple)); }

static bool is_iterator(vm *vm, value v) { return type_of(vm, v)->s.next != NULL; }

/* The state as a tuple of n items at the least and m at the most; NULL raised. */
static tuple *state_tuple(vm *vm, value state, size_t n, size_t m)
{
    if (IS_TUPLE(state) && AS(tuple, state)->len >= n && AS(tuple, state)->len <= m) return AS(tuple, state);
    if (!IS_TUPLE(state)) raise_type_error(vm, "state is not a tuple");
    else raise_type_error(vm, "invalid arguments");
    return NULL;
}

FN(it_reduce_two) /* v[0] v[1] */
{
    const itdata *d = it_data(args[0]);
    return reduced(vm, args[0], tuple_pack(vm, 2, d->v[0], d->v[1]), V_STOP);
}

FN(it_reduce_function) /* function first */
{
    const itdata *d = it_data(args[0]);
    return reduced(vm, args[0], tuple_pack(vm, 2, d->v[1], d->v[0]), V_STOP);
}

FN(it_reduce_while)
{
    const itdata *d = it_data(args[0]);
    return reduced(vm, args[0], tuple_pack(vm, 2, d->v[1], d->v[0]), value_int(d->i != 0));
}

FN(it_setstate_while)
{
    int flag = obj_truth(vm, args[1]);
    if (flag < 0) return V_ERROR;
    it_data(args[0])->i = flag;
    return V_NONE;
}

FN(it_reduce_accumulate)
{
    const itdata *d = it_data(args[0]);
    if (value_is_unbound(d->v[3]))
        return reduced(vm, args[0], tuple_pack(vm, 2, d->v[0], d->v[1]), value_is_unbound(d->v[2]) ? V_NONE : d->v[2]);
    value in[2] = {V_UNBOUND, d->v[0]}; /* initial is still to come: in front of the rest */
    tuple *first = tuple_pack(vm, 1, d->v[3]);
    type *chain = module_state_type(vm, STATE_ITERTOOLS_FIRST + 1);
    if (!first || !chain) return V_ERROR;
    in[0] = value_obj(first);
    ROOT_SPAN(vm, in, 2);
    value it = vm_call(vm, value_obj(chain), in, 2);
    if (value_is_error(it)) return V_ERROR;
    return reduced(vm, args[0], tuple_pack(vm, 2, it, it_data(args[0])->v[1]), V_NONE);
}

FN(it_setstate_accumulate)
{
    it_set(vm, args[0], 2, value_is_none(args[1]) ? V_UNBOUND : args[1]);
    return V_NONE;
}

FN(it_reduce_chain)
{
    const itdata *d = it_data(args[0]);
    if (value_is_unbound(d->v[0])) return reduced(vm, args[0], vm->empty_tuple, V_STOP);
    tuple *t = value_is_unbound(d->v[1]) ? tuple_pack(vm, 1, d->v[0]) : tuple_pack(vm, 2, d->v[0], d->v[1]);
    return t ? reduced(vm, args[0], vm->empty_tuple, value_obj(t)) : V_ERROR;
}

FN(it_setstate_chain)
{
    const tuple *t = state_tuple(vm, args[1], 1, 2);
    if (!t) return V_ERROR;
    for (size_t i = 0; i < t->len; i++)
        if (!is_iterator(vm, t->items[i])) return raise_type_error(vm, "Arguments must be iterators.");
    it_set(vm, args[0], 0, t->items[0]);
    it_set(vm, args[0], 1, t->len > 1 ? t->items[1] : V_UNBOUND);
    return V_NONE;
}

/* Exhausted: nothing to come, and the items from the next one on. */
FN(it_reduce_cycle)
{
    const itdata *d = it_data(args[0]);
    value self = args[0], it = d->v[0];
    const list *l = AS(list, d->v[1]);
    list *saved = list_new(vm, l->len);
    ROOTS(vm, &self, &it, &saved);
    size_t start = value_is_unbound(it) && l->len ? (size_t)d->i % l->len : 0;
    for (size_t i = 0; saved && i < l->len; i++)
        if (!list_append(vm, saved, l->items[(start + i) % l->len])) return V_ERROR;
    if (!saved || (value_is_unbound(it) && value_is_error(it = empty_iterator(vm)))) return V_ERROR;
    tuple *state = tuple_pack(vm, 2, value_obj(saved), value_bool(value_is_unbound(d->v[0])));
    ROOTS(vm, &state);
    return state ? reduced(vm, self, tuple_pack(vm, 1, it), value_obj(state)) : V_ERROR;
}

FN(it_setstate_cycle)
{
    tuple *t = state_tuple(vm, args[1], 2, 2);
    if (!t) return V_ERROR;
    if (!IS_LIST(t->items[0]) || !int_is(t->items[1])) return raise_type_error(vm, "invalid arguments");
    list *saved = obj_to_list(vm, t->items[0]); /* not shared with whoever gave it */
    if (!saved) return V_ERROR;
    it_set(vm, args[0], 1, value_obj(saved));
    it_data(args[0])->i = 0;
    it_data(args[0])->n = int_sign(vm, int_plain(vm, t->items[1])) != 0;
    return V_NONE;
}

FN(it_reduce_islice)
{
    const itdata *d = it_data(args[0]);
    if (value_is_unbound(d->v[0])) {
        value it = empty_iterator(vm);
        return value_is_error(it) ? it : reduced(vm, args[0], tuple_pack(vm, 2, it, value_int(0)), value_int(0));
    }
    value stop = d->k < 0 ? V_NONE : int_from_i64(vm, d->k), next = int_from_i64(vm, d->n),
          seen = int_from_i64(vm, d->i);
    return reduced(vm, args[0], tuple_pack(vm, 4, d->v[0], next, stop, d->v[1]), seen);
}

FN(it_setstate_islice)
{
    int64_t i;
    if (!obj_as_index(vm, args[1], &i, EXC_OverflowError)) return V_ERROR;
    it_data(args[0])->i = i < 0 ? 0 : i;
    return V_NONE;
}

FN(it_reduce_zip_longest)
{
    const itdata *d = it_data(args[0]);
    const list *its = AS(list, d->v[0]);
    tuple *t = tuple_new(vm, its->len);
    for (size_t i = 0; t && i < its->len; i++)
        t->items[i] = value_is_none(its->items[i]) ? value_obj(vm->empty_tuple) : its->items[i];
    return reduced(vm, args[0], t, d->v[1]);
}

FN(it_setstate_zip_longest)
{
    it_set(vm, args[0], 1, args[1]);
    return V_NONE;
}

/* ---- combinatorics ---- */

static tuple *positions(vm *vm, const int64_t *from, size_t n)
{
    tuple *t = tuple_new(vm, n);
    for (size_t i = 0; t && i < n; i++) t->items[i] = value_int(from[i]);
    return t;
}

/* Reads n positions of a state, each put between 0 and what `limit` says. */
static bool read_positions(vm *vm, value from, int64_t *to, size_t n, int64_t (*limit)(const itdata *, size_t),
                           const itdata *d)
{
    if (!IS_TUPLE(from) || AS(tuple, from)->len != n) return raise_value_error(vm, "invalid arguments"), false;
    for (size_t i = 0; i < n; i++) {
        int64_t at, most = limit(d, i);
        if (!int_is(AS(tuple, from)->items[i]) || !obj_as_index(vm, AS(tuple, from)->items[i], &at, 0)) {
            if (!raised(vm)) raise_type_error(vm, "an integer is required");
            return false;
        }
        to[i] = at < 0 ? 0 : at > most ? most : at;
    }
    return true;
}

FN(it_reduce_product)
{
    const itdata *d = it_data(args[0]);
    if (d->i == ENDED) return reduced(vm, args[0], tuple_pack(vm, 1, value_obj(vm->empty_tuple)), V_STOP);
    tuple *pools = AS(tuple, d->v[0]);
    if (d->i == FRESH) return reduced(vm, args[0], pools, V_STOP);
    tuple *at = positions(vm, d->index, d->nindex);
    return at ? reduced(vm, args[0], pools, value_obj(at)) : V_ERROR;
}

static int64_t product_limit(const itdata *d, size_t i)
{
    return (int64_t)AS(tuple, AS(tuple, d->v[0])->items[i])->len - 1;
}

FN(it_setstate_product)
{
    itdata *d = it_data(args[0]);
    for (size_t i = 0; i < d->nindex; i++) {
        if (product_limit(d, i) < 0) {
            d->i = ENDED;
            return V_NONE;
        }
    }
    if (!read_positions(vm, args[1], d->index, d->nindex, product_limit, d)) return V_ERROR;
    d->i = RUNNING;
    return V_NONE;
}

static value reduce_choice(vm *vm, value self, value state)
{
    const itdata *d = it_data(self);
    value pool = d->i == ENDED ? value_obj(vm->empty_tuple) : d->v[0];
    return reduced(vm, self, tuple_pack(vm, 2, pool, int_from_i64(vm, d->k)), d->i == RUNNING ? state : V_STOP);
}

FN(it_reduce_choice)
{
    const itdata *d = it_data(args[0]);
    tuple *at = positions(vm, d->index, d->nindex);
    return at ? reduce_choice(vm, args[0], value_obj(at)) : V_ERROR;
}

static int64_t combinations_limit(const itdata *d, size_t i)
{
    return (int64_t)AS(tuple, d->v[0])->len - d->k + (int64_t)i;
}
static int64_t pool_limit(const itdata *d, size_t i)
{
    (void)i;
    return (int64_t)AS(tuple, d->v[0])->len - 1;
}

static value set_choice(vm *vm, value self, value state, int64_t (*limit)(const itdata *, size_t))
{
    itdata *d = it_data(self);
    if (!read_positions(vm, state, d->index, d->nindex, limit, d)) return V_ERROR;
    if (d->i != ENDED) d->i = RUNNING;
    return V_NONE;
}
FN(it_setstate_combinations) { return set_choice(vm, args[0], args[1], combinations_limit); }
FN(it_setstate_combinations_wr) { return set_choice(vm, args[0], args[1], pool_limit); }

FN(it_reduce_permutations)
{
    const itdata *d = it_data(args[0]);
    if (d->i != RUNNING) return reduce_choice(vm, args[0], V_STOP);
    size_t n = AS(tuple, d->v[0])->len;
    tuple *order = positions(vm, d->index, n), *left = order ? positions(vm, d->index + n, d->nindex - n) : NULL;
    tuple *state = left ? tuple_pack(vm, 2, value_obj(order), value_obj(left)) : NULL;
    return state ? reduce_choice(vm, args[0], value_obj(state)) : V_ERROR;
}

static int64_t cycle_limit(const itdata *d, size_t i) { return (int64_t)AS(tuple, d->v[0])->len - (int64_t)i; }

FN(it_setstate_permutations)
{
    itdata *d = it_data(args[0]);
    const tuple *t = state_tuple(vm, args[1], 2, 2);
    if (!t) return V_ERROR;
    size_t n = AS(tuple, d->v[0])->len;
    if (d->i == ENDED) return V_NONE;
    if (!read_positions(vm, t->items[0], d->index, n, pool_limit, d) ||
        !read_positions(vm, t->items[1], d->index + n, d->nindex - n, cycle_limit, d))
        return V_ERROR;
    for (size_t i = n; i < d->nindex; i++)
        if (d->index[i] < 1) d->index[i] = 1;
    d->i = RUNNING;
    return V_NONE;
}

#define REDUCE(F)                                                             \
    {                                                                         \
        "__reduce__(self, /)", F, "Return state information for pickling.", 0 \
    }
#define SETSTATE(F)                                                                   \
    {                                                                                 \
        "__setstate__(self, state, /)", F, "Set state information for unpickling.", 0 \
    }

const native_def it_compress_methods[] = {REDUCE(it_reduce_two), {0}};
const native_def it_function_methods[] = {REDUCE(it_reduce_function), {0}};
const native_def it_while_methods[] = {REDUCE(it_reduce_while), SETSTATE(it_setstate_while), {0}};
const native_def it_accumulate_methods[] = {REDUCE(it_reduce_accumulate), SETSTATE(it_setstate_accumulate), {0}};
const native_def it_cycle_methods[] = {REDUCE(it_reduce_cycle), SETSTATE(it_setstate_cycle), {0}};
const native_def it_islice_methods[] = {REDUCE(it_reduce_islice), SETSTATE(it_setstate_islice), {0}};
const native_def it_zip_longest_methods[] = {REDUCE(it_reduce_zip_longest), SETSTATE(it_setstate_zip_longest), {0}};
const native_def it_product_methods[] = {REDUCE(it_reduce_product), SETSTATE(it_setstate_product), {0}};
const native_def it_permutations_methods[] = {REDUCE(it_reduce_permutations), SETSTATE(it_setstate_permutations), {0}};
const native_def it_combinations_methods[] = {REDUCE(it_reduce_choice), SETSTATE(it_setstate_combinations), {0}};
const native_def it_combinations_wr_methods[] = {REDUCE(it_reduce_choice), SETSTATE(it_setstate_combinations_wr), {0}};
const native_def it_chain_methods[] = {
    {"from_iterable(cls, iterable, /)", it_chain_from_iterable,
     DOC("Alternative chain() constructor taking a single iterable argument that evaluates lazily."), NATIVE_CLASS},
    REDUCE(it_reduce_chain),
    SETSTATE(it_setstate_chain),
    CLASS_GETITEM_METHOD,
    {0}};
