/* functools.lru_cache: a function together with its results.
 *
 * Three ways, by maxsize: 0 only counts; None keeps every result in a dict from key to result; else
 * the dict leads from the key to a place. Place i has its key and result in places[2i], places[2i +
 * 1], and is a node of a ring of links, whose head (link 0) has the oldest place after it and the
 * newest before it: place i is node i + 1.
 *
 * A key is the argument itself if there is one, an exact int or str; else a tuple of the arguments,
 * then, if there are keywords, a mark with their names and values, then, if types count, the types.
 *
 * Invariants
 *  1. The dict, the places and the links agree whenever script may run.
 *  2. Looking a key up may run script (__eq__), which may call or clear this very cache: nothing is kept across. */
#include "module_state.h"
#include "vm/attr.h"
#include "vm/dict.h"
#include "vm/list.h"
#include "vm/str.h"

#define DOC_FILE stdlib_lru_cache
DOC_BEGIN;

struct link {
    uint32_t before, after;
};

struct lru {
    value fn, info; /* the function; the class of cache_info() */
    value cache;    /* dict */
    value places;   /* list */
    struct link *links;
    size_t nlinks;   /* room */
    int64_t maxsize; /* -1: none */
    int64_t hits, misses;
    bool typed;
};

static struct lru *lru_of(value v) { return (struct lru *)(void *)AS(userdata, v)->body; }
static void lru_traverse(vm *vm, object *o) { gc_mark_values(vm, &lru_of(value_obj(o))->fn, 4); }
static void lru_free(vm *vm, object *o)
{
    struct lru *c = lru_of(value_obj(o));
    if (c->links) mem_free(vm, c->links, c->nlinks * sizeof *c->links);
}
static const type_layout lru_layout = {.size = sizeof(struct lru), .traverse = lru_traverse, .free = lru_free};

/* ---- the ring ---- */

static void link_out(struct lru *c, uint32_t i)
{
    c->links[c->links[i].before].after = c->links[i].after;
    c->links[c->links[i].after].before = c->links[i].before;
}

static void link_newest(struct lru *c, uint32_t i)
{
    uint32_t last = c->links[0].before;
    c->links[i] = (struct link){last, 0};
    c->links[last].after = i;
    c->links[0].before = i;
}

static bool links_reserve(vm *vm, struct lru *c, size_t n)
{
    if (n <= c->nlinks) return true;
    size_t cap = c->nlinks ? c->nlinks * 2 : 16;
    if (cap < n) cap = n;
    struct link *p = mem_realloc(vm, c->links, c->nlinks * sizeof *p, cap * sizeof *p);
    if (!p) return false;
    if (!c->nlinks) p[0] = (struct link){0, 0};
    c->links = p;
    c->nlinks = cap;
    return true;
}

static bool lru_clear(vm *vm, value self)
{
    struct lru *c = lru_of(self);
    dict *d = dict_new(vm);
    list *l = list_new(vm, 0);
    if (!d || !l) return false;
    c->cache = value_obj(d);
    c->places = value_obj(l);
    c->hits = c->misses = 0;
    if (c->links) c->links[0] = (struct link){0, 0};
    gc_barrier(vm, value_as_obj(self));
    return true;
}

/* ---- keys ---- */

static value make_key(vm *vm, value self, const struct lru *c, const value *args, uint32_t nargs, value kwnames)
{
    size_t nkw = value_is_unbound(kwnames) ? 0 : AS(tuple, kwnames)->len;
    if (!c->typed && nkw == 0 && nargs == 1 &&
        (value_is_int(args[0]) || value_is_exact(args[0], TYPE_STR) || value_is_exact(args[0], TYPE_INT)))
        return args[0];
    size_t n = nargs + (nkw ? 1 + 2 * nkw : 0);
    if (c->typed) n += nargs + nkw;
    tuple *t = tuple_new(vm, n);
    if (!t) return V_ERROR;
    value *out = t->items;
    if (nargs) memcpy(out, args, nargs * sizeof *out);
    out += nargs;
    if (nkw) {
        *out++ = value_obj(type_of(vm, self)); /* the mark: nobody passes it */
        for (size_t i = 0; i < nkw; i++) {
            *out++ = AS(tuple, kwnames)->items[i];
            *out++ = args[nargs + i];
        }
    }
    if (c->typed)
        for (size_t i = 0; i < nargs + nkw; i++) *out++ = value_obj(type_of(vm, args[i]));
    return value_obj(t);
}

/* ---- calling ---- */

static value lru_call_bounded(vm *vm, value self, value key, uint64_t hash, value *args, uint32_t nargs, value kwnames)
{
    struct lru *c = lru_of(self);
    int64_t ix = dict_lookup(vm, AS(dict, c->cache), key, hash);
    if (ix == DICT_ERROR) return V_ERROR;
    if (ix >= 0) {
        uint32_t node = (uint32_t)value_as_int(AS(dict, c->cache)->entries[ix].val) + 1;
        c->hits++;
        if (c->links[0].before != node) {
            link_out(c, node);
            link_newest(c, node);
        }
        return AS(list, c->places)->items[2 * (node - 1) + 1];
    }
    c->misses++;
    value r = vm_call_kw(vm, c->fn, args, nargs, kwnames);
    if (value_is_error(r)) return r;
    ROOTS(vm, &r);
    ix = dict_lookup(vm, AS(dict, c->cache), key, hash);
    if (ix == DICT_ERROR) return V_ERROR;
    if (ix >= 0) return r; /* the call has entered this key itself */
    dict *d = AS(dict, c->cache);
    list *places = AS(list, c->places);
    uint32_t place;
    if ((int64_t)d->used < c->maxsize) {
        place = (uint32_t)d->used;
        if (!links_reserve(vm, c, (size_t)place + 2) || !list_reserve(vm, places, 2 * ((size_t)place + 1)) ||
            !dict_insert_new(vm, d, key, hash, value_int(place)))
            return V_ERROR;
        list_push(vm, places, key);
        list_push(vm, places, r);
        link_newest(c, place + 1);
        return r;
    }
    uint32_t oldest = c->links[0].after;
    value old_key = places->items[2 * (oldest - 1)];
    uint64_t old_hash;
    ROOTS(vm, &old_key);
    if (!dict_hash_key(vm, old_key, &old_hash)) return V_ERROR;
    ix = dict_lookup(vm, d, old_key, old_hash);
    if (ix == DICT_ERROR) return V_ERROR;
    /* That ran script: if the cache has changed meanwhile this result is not kept. */
    if (ix < 0 || !value_is(c->cache, value_obj(d)) || c->links[0].after != oldest ||
        !value_is(places->items[2 * (oldest - 1)], old_key) || d->used != (size_t)c->maxsize)
        return r;
    if (dict_lookup(vm, d, key, hash) != DICT_ABSENT) return raised(vm) ? V_ERROR : r;
    dict_delete_at(vm, d, ix);
    link_out(c, oldest);
    place = oldest - 1;
    if (!dict_insert_new(vm, d, key, hash,
                         value_int(place))) { /* no memory: everything is forgotten, as a place is lost */
        value e = exc_take(vm);
        ROOTS(vm, &e);
        lru_clear(vm, self);
        vm->thread->exc = e;
        return V_ERROR;
    }
    places->items[2 * place] = key;
    list_barrier(vm, places, 2 * place);
    places->items[2 * place + 1] = r;
    list_barrier(vm, places, 2 * place + 1);
    link_newest(c, oldest);
    return r;
}

static value lru_call(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    struct lru *c = lru_of(self);
    uint64_t hash;
    ROOTS(vm, &self);
    if (c->maxsize == 0) {
        c->misses++;
        return vm_call_kw(vm, c->fn, args, nargs, kwnames);
    }
    value key = make_key(vm, self, c, args, nargs, kwnames);
    if (value_is_error(key)) return key;
    ROOTS(vm, &key);
    if (!dict_hash_key(vm, key, &hash)) return V_ERROR;
    if (c->maxsize > 0) return lru_call_bounded(vm, self, key, hash, args, nargs, kwnames);
    int64_t ix = dict_lookup(vm, AS(dict, c->cache), key, hash);
    if (ix == DICT_ERROR) return V_ERROR;
    if (ix >= 0) {
        c->hits++;
        return AS(dict, c->cache)->entries[ix].val;
    }
    c->misses++;
    value r = vm_call_kw(vm, c->fn, args, nargs, kwnames);
    if (value_is_error(r)) return r;
    ROOTS(vm, &r);
    return dict_set_hashed(vm, AS(dict, c->cache), key, hash, r) ? r : V_ERROR;
}

/* ---- the type ---- */

static value lru_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[4];
    int64_t maxsize = -1;
    if (!args_bind(vm, "lru_cache(user_function, maxsize, typed, cache_info_type)", args, nargs, kwnames, in))
        return V_ERROR;
    if (!obj_is_callable(vm, in[0])) return raise_type_error(vm, "the first argument must be callable");
    ROOTS(vm, &in[0], &in[3], &t);
    if (!value_is_none(in[1])) {
        if (!int_is(in[1])) return raise_type_error(vm, "maxsize should be integer or None");
        if (!obj_as_index(vm, in[1], &maxsize, EXC_OverflowError)) return V_ERROR;
        if (maxsize < 0) maxsize = 0;
        if (maxsize > INT32_MAX) maxsize = INT32_MAX;
    }
    int typed = obj_truth(vm, in[2]);
    void *o = typed < 0 ? NULL : userdata_new(vm, t);
    if (!o) return V_ERROR;
    value self = value_obj(o);
    struct lru *c = lru_of(self);
    c->fn = in[0];
    c->info = in[3];
    c->maxsize = maxsize;
    c->typed = typed;
    return lru_clear(vm, self) ? self : V_ERROR;
}

static value lru_get(vm *vm, value self, value obj, value cls)
{
    (void)cls;
    return value_is_unbound(obj) || value_is_none(obj) ? self : method_new(vm, self, obj);
}

FN(lru_cache_info)
{
    const struct lru *c = lru_of(args[0]);
    value v[4] = {value_int(c->hits), value_int(c->misses), c->maxsize < 0 ? V_NONE : int_from_i64(vm, c->maxsize),
                  value_int((int64_t)AS(dict, c->cache)->used)};
    return vm_call(vm, c->info, v, 4);
}

FN(lru_cache_clear) { return lru_clear(vm, args[0]) ? V_NONE : V_ERROR; }
FN(lru_reduce) { return obj_getattr(vm, args[0], N(vm, __qualname__)); }
FN(lru_copy) { return args[0]; }
FN(lru_deepcopy) { return args[0]; }

static const native_def lru_methods[] = {
    {"cache_info(self, /)", lru_cache_info, DOC("Report cache statistics"), 0},
    {"cache_clear(self, /)", lru_cache_clear, DOC("Clear the cache and cache statistics"), 0},
    {"__reduce__(self, /)", lru_reduce, NULL, 0},
    {"__copy__(self, /)", lru_copy, NULL, 0},
    {"__deepcopy__(self, memo, /)", lru_deepcopy, NULL, 0},
    {0},
};
static void lru_fill(struct type_slots *s)
{
    s->new_ = lru_new;
    s->call = lru_call;
    s->descr_get = lru_get;
}

type *lru_cache_type(vm *vm)
{
    static const type_spec spec = {
        .name = "functools._lru_cache_wrapper",
        .doc = "Create a cached callable that wraps another function.",
        .layout = &lru_layout,
        .methods = lru_methods,
        .flags = TF_BASE | TF_HAS_DICT,
        .fill = lru_fill,
    };
    return module_state_make(vm, STATE_LRU_CACHE, &spec);
}
