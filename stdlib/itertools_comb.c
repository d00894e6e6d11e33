/* itertools: product, permutations, combinations, combinations_with_replacement.
 *
 * v[0] is the pool: a tuple (product: a tuple of tuples). index[] holds the positions of the next
 * result; i is the state. */
#include "itertools.h"

#include "vm/str.h"

enum { FRESH, RUNNING, ENDED };

/* self with an index of n places; error: raised. */
static value comb_new(vm *vm, type *t, tuple *pool, size_t n)
{
    ROOTS(vm, &pool);
    value self = it_new(vm, t);
    if (value_is_error(self)) return self;
    itdata *d = it_data(self);
    d->v[0] = value_obj(pool);
    size_t bytes;
    if (!size_mul(n, sizeof *d->index, &bytes)) return raise_memory(vm);
    if (bytes && !(d->index = mem_zalloc(vm, bytes))) return V_ERROR;
    d->nindex = n;
    return self;
}

/* A tuple of n items, each of which the caller sets at once. */
static inline tuple *comb_tuple(vm *vm, size_t n)
{
    tuple *t = n ? gc_new_raw(vm, K_TUPLE, TYPE_TUPLE, sizeof(tuple) + n * sizeof(value)) : NULL;
    if (UNLIKELY(!t)) return tuple_new(vm, n);
    t->len = n;
    return t;
}

/* The tuple of pool[index[0]], pool[index[1]], ... */
static value comb_result(vm *vm, const itdata *d, size_t r)
{
    const tuple *pool = AS(tuple, d->v[0]);
    tuple *t = comb_tuple(vm, r);
    if (!t) return V_ERROR;
    for (size_t i = 0; i < r; i++) t->items[i] = pool->items[d->index[i]];
    return value_obj(t);
}

/* ---- product ---- */

static value product_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    int64_t repeat = 1;
    size_t nkw = value_is_unbound(kwnames) ? 0 : AS(tuple, kwnames)->len, total;
    for (size_t i = 0; i < nkw; i++) {
        str *name = AS(str, AS(tuple, kwnames)->items[i]);
        if (!str_equal_ascii(name, "repeat"))
            return raise_type_error(vm, "'%U' is an invalid keyword argument for product()", name);
        if (!args_ssize(vm, args[nargs + i], 0, &repeat)) return V_ERROR;
        if (repeat < 0) return raise_value_error(vm, "repeat argument cannot be negative");
    }
    if (repeat == 0) nargs = 0;
    if (!size_mul(nargs, (size_t)repeat, &total) || total > SIZE_MAX / 64)
        return raise_overflow(vm, "repeat argument too large");
    tuple *pools = tuple_new(vm, total);
    ROOTS(vm, &pools, &t);
    for (uint32_t i = 0; pools && i < nargs; i++) {
        tuple *pool = obj_to_tuple(vm, args[i]);
        if (!pool) return V_ERROR;
        pools->items[i] = value_obj(pool);
        gc_barrier(vm, pools);
    }
    for (size_t i = nargs; pools && i < total; i++) pools->items[i] = pools->items[i - nargs];
    return pools ? comb_new(vm, t, pools, total) : V_ERROR;
}

static value product_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    const tuple *pools = AS(tuple, d->v[0]);
    size_t n = pools->len;
    if (d->i == ENDED) return V_STOP;
    if (d->i == FRESH) {
        d->i = RUNNING;
        for (size_t i = 0; i < n; i++)
            if (!AS(tuple, pools->items[i])->len) d->i = ENDED;
        if (d->i == ENDED) return V_STOP;
    } else {
        size_t i = n;
        while (i > 0 && (size_t)++d->index[i - 1] == AS(tuple, pools->items[i - 1])->len) d->index[--i] = 0;
        if (i == 0) {
            d->i = ENDED;
            return V_STOP;
        }
    }
    tuple *t = comb_tuple(vm, n);
    if (!t) return V_ERROR;
    for (size_t i = 0; i < n; i++) t->items[i] = AS(tuple, pools->items[i])->items[d->index[i]];
    return value_obj(t);
}

/* ---- permutations: index[0, n) the order, index[n, n + r) counts down how many are still to be
 * tried at a place ---- */

static value permutations_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[2];
    int64_t r;
    if (!args_bind(vm, "permutations(iterable, r=None)", args, nargs, kwnames, in)) return V_ERROR;
    tuple *pool = NULL;
    ROOTS(vm, &pool, &in[1], &t);
    if (!(pool = obj_to_tuple(vm, in[0]))) return V_ERROR;
    r = (int64_t)pool->len;
    if (!value_is_unbound(in[1]) && !value_is_none(in[1])) {
        if (!int_is(in[1])) return raise_type_error(vm, "Expected int as r");
        if (!args_ssize(vm, in[1], 0, &r)) return V_ERROR;
        if (r < 0) return raise_value_error(vm, "r must be non-negative");
    }
    bool none = (size_t)r > pool->len;
    value self = comb_new(vm, t, pool, none ? 0 : pool->len + (size_t)r);
    if (value_is_error(self)) return self;
    itdata *d = it_data(self);
    d->k = r;
    if (none) {
        d->i = ENDED;
        return self;
    }
    for (size_t i = 0; i < pool->len; i++) d->index[i] = (int64_t)i;
    for (int64_t i = 0; i < r; i++) d->index[(int64_t)pool->len + i] = (int64_t)pool->len - i;
    return self;
}

static value permutations_next(vm *vm, value self)
{
    itdata *d = it_data(self);
    int64_t n = (int64_t)AS(tuple, d->v[0])->len, *cycles = d->index + n;
    if (d->i == ENDED) return V_STOP;
    if (d->i == FRESH) {
        d->i = RUNNING;
        return comb_result(vm, d, (size_t)d->k);
    }
    for (int64_t i = d->k - 1; i >= 0; i--) {
        if (--cycles[i] == 0) { /* this place has had all: rotate it to the end */
            int64_t first = d->index[i];
            memmove(d->index + i, d->index + i + 1, (size_t)(n - i - 1) * sizeof *d->index);
            d->index[n - 1] = first;
            cycles[i] = n - i;
            continue;
        }
        int64_t swap = d->index[i];
        d->index[i] = d->index[n - cycles[i]];
        d->index[n - cycles[i]] = swap;
        return comb_result(vm, d, (size_t)d->k);
    }
    d->i = ENDED;
    return V_STOP;
}

/* ---- combinations, with or without replacement ---- */

static value choose_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames, const char *sig, bool again)
{
    value in[2];
    int64_t r;
    if (!args_bind(vm, sig, args, nargs, kwnames, in)) return V_ERROR;
    tuple *pool = NULL;
    ROOTS(vm, &pool, &in[1], &t);
    if (!args_ssize(vm, in[1], 0, &r)) return V_ERROR;
    if (!(pool = obj_to_tuple(vm, in[0]))) return V_ERROR;
    if (r < 0) return raise_value_error(vm, "r must be non-negative");
    bool none = again ? !pool->len && r : (size_t)r > pool->len;
    if ((size_t)r > SIZE_MAX / 64) return raise_memory(vm);
    value self = comb_new(vm, t, pool, none ? 0 : (size_t)r);
    if (value_is_error(self)) return self;
    itdata *d = it_data(self);
    d->k = r;
    d->i = none ? ENDED : FRESH;
    for (int64_t i = 0; !none && !again && i < r; i++) d->index[i] = i;
    return self;
}

static value choose_next(vm *vm, value self, bool again)
{
    itdata *d = it_data(self);
    int64_t n = (int64_t)AS(tuple, d->v[0])->len, r = d->k, i;
    if (d->i == ENDED) return V_STOP;
    if (d->i == RUNNING) {
        for (i = r - 1; i >= 0 && d->index[i] == (again ? n - 1 : i + n - r);) i--;
        if (i < 0) {
            d->i = ENDED;
            return V_STOP;
        }
        int64_t at = ++d->index[i];
        while (++i < r) d->index[i] = again ? at : ++at;
    }
    d->i = RUNNING;
    return comb_result(vm, d, (size_t)r);
}

static value combinations_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    return choose_new(vm, t, args, nargs, kwnames, "combinations(iterable, r)", false);
}
static value combinations_next(vm *vm, value self) { return choose_next(vm, self, false); }
static value combinations_with_replacement_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    return choose_new(vm, t, args, nargs, kwnames, "combinations_with_replacement(iterable, r)", true);
}
static value combinations_with_replacement_next(vm *vm, value self) { return choose_next(vm, self, true); }

IT_FILL(product)
IT_FILL(permutations)
IT_FILL(combinations)
IT_FILL(combinations_with_replacement)

#define ROW(NAME, ID, METHODS, DOC)          \
    {                                        \
        .spec = {.name = "itertools." #NAME, \
                 .doc = DOC,                 \
                 .layout = &it_layout,       \
                 .methods = METHODS,         \
                 .flags = TF_BASE,           \
                 .fill = NAME##_fill},       \
        .id = ID                             \
    }

const struct it_type it_comb_types[] = {
    ROW(product, STATE_PRODUCT, it_product_methods,
        "Cartesian product of input iterables.  Equivalent to nested for-loops."),
    ROW(permutations, STATE_PERMUTATIONS, it_permutations_methods,
        "Return successive r-length permutations of elements in the iterable."),
    ROW(combinations, STATE_COMBINATIONS, it_combinations_methods,
        "Return successive r-length combinations of elements in the iterable."),
    ROW(combinations_with_replacement, STATE_COMBINATIONS_WR, it_combinations_wr_methods,
        "Return successive r-length combinations of elements in the iterable allowing individual "
        "elements to have successive repeats."),
};
const size_t it_comb_count = sizeof it_comb_types / sizeof *it_comb_types;
