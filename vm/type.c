/* Types: what type a value has, lookup along the MRO, the method cache, setting class attributes.
 *
 * The method cache is one table per VM, hashed on (type, interned name). An entry holds for one
 * value of vm->class_epoch. It keeps nothing alive: the collector empties it before it frees
 * a type or an interned string.
 *
 * Invariants
 *  1. Whatever changes the outcome of a lookup through t or a subclass bumps class_epoch, except
 * that a plain value written over a plain value only drops the entries of that name (type_forget).
 *  2. A builtin type's dict is filled at the first lookup that passes through it (TF_LAZY).
 */
#include "attr.h"
#include "native.h"
#include "slot_table.h"
#include "type_parts.h"
#include "type_state.h"
#include "types_api.h"
#include "weakref.h"

enum { CACHE_FIRST = 128, CACHE_SIZE = 2048 };

struct cache_entry {
    type *t;
    const str *name;
    value v;
    uint32_t epoch;
};
struct method_cache {
    uint32_t mask, lost; /* lost: entries that gave way to others since it has this size */
    struct cache_entry e[];
};

static inline size_t cache_bytes(size_t entries)
{
    return sizeof(struct method_cache) + entries * sizeof(struct cache_entry);
}

static inline struct cache_entry *cache_at(vm *vm, const type *t, const str *name)
{
    uintptr_t x = (uintptr_t)t >> 4 ^ (uintptr_t)name >> 5 ^ (uintptr_t)name >> 13;
    return &vm->method_cache->e[x & vm->method_cache->mask];
}

bool type_cache_open(vm *vm)
{
    vm->method_cache = mem_zalloc(vm, cache_bytes(CACHE_FIRST));
    if (vm->method_cache) vm->method_cache->mask = CACHE_FIRST - 1;
    return vm->method_cache != NULL;
}

/* Begins again with four times the room; without memory, as it was. */
static void type_cache_grow(vm *vm)
{
    size_t had = vm->method_cache->mask + 1, n = had * 4;
    struct method_cache *c = mem_zalloc(vm, cache_bytes(n));
    vm->method_cache->lost = 0;
    if (!c) return;
    mem_free(vm, vm->method_cache, cache_bytes(had));
    c->mask = (uint32_t)n - 1;
    vm->method_cache = c;
}

static void type_cache_put(vm *vm, type *t, const str *name, value v)
{
    struct method_cache *c = vm->method_cache;
    struct cache_entry *e = cache_at(vm, t, name);
    if (e->t && e->epoch == vm->class_epoch && ++c->lost > c->mask / 2 && c->mask < CACHE_SIZE - 1) {
        type_cache_grow(vm);
        e = cache_at(vm, t, name);
    }
    *e = (struct cache_entry){t, name, v, vm->class_epoch};
}

void type_cache_close(vm *vm)
{
    if (vm->method_cache) mem_free(vm, vm->method_cache, cache_bytes(vm->method_cache->mask + 1));
    vm->method_cache = NULL;
}

void type_cache_flush(vm *vm)
{
    attr_poly_flush(vm);
    if (vm->method_cache) memset(vm->method_cache->e, 0, cache_bytes(vm->method_cache->mask + 1) - cache_bytes(0));
}

/* ---- the type of a value ---- */

uint32_t type_id_of_imm(value v)
{
    if (value_is_int(v)) return TYPE_INT;
    if (value_is_float(v)) return TYPE_FLOAT;
    if (value_is_bool(v)) return TYPE_BOOL;
    if (value_is(v, V_ELLIPSIS)) return TYPE_ELLIPSIS;
    if (value_is(v, V_NOTIMPLEMENTED)) return TYPE_NOTIMPLEMENTED;
    return TYPE_NONETYPE;
}

/* The linkable form: type_inline.h has the other. */
type *(type_of)(vm *vm, value v) { return type_of_inline(vm, v); }

bool type_is_subtype(const type *t, const type *of)
{
    if (t == of) return true;
    const tuple *mro = t->mro;
    if (UNLIKELY(!mro)) { /* a class under construction */
        for (t = t->base; t; t = t->base)
            if (t == of) return true;
        return false;
    }
    for (size_t i = 0; i < mro->len; i++) /* mro() may have put anything first */
        if (value_as_obj(mro->items[i]) == &of->h) return true;
    return false;
}

bool value_isa_id(vm *vm, value v, unsigned type_id) { return type_is_subtype(type_of(vm, v), vm->types[type_id]); }

const char *type_name(const type *t)
{
    /* Names are interned; ASCII ones are their own UTF-8. */
    const str *s = AS(str, t->name);
    return s->h.flags & STR_ASCII ? (const char *)s->data : "?";
}

bool type_is_heap(const type *t) { return t->flags & TF_HEAP; }

/* ---- lookup ---- */

dict *type_dict(vm *vm, type *t)
{
    if ((t->flags & TF_LAZY) && !type_materialize(vm, t)) return NULL;
    return t->dict;
}

static value lookup_mro(vm *vm, type *t, size_t from, str *name, type **where)
{
    /* A key that is no str runs script, which may change t->mro: the lookup goes on in the old one.
     */
    tuple *mro = t->mro;
    if (UNLIKELY(!mro)) return V_UNBOUND;
    ROOTS(vm, &mro, &name);
    for (size_t i = from; i < mro->len; i++) {
        type *k = AS(type, mro->items[i]);
        dict *d = type_dict(vm, k);
        if (UNLIKELY(!d)) return V_UNBOUND;
        value v = dict_get_str(vm, d, name);
        if (!value_is_unbound(v)) {
            if (where) *where = k;
            return v;
        }
    }
    return V_UNBOUND;
}

value type_lookup(vm *vm, type *t, str *name)
{
    if (UNLIKELY(!(name->h.flags & STR_INTERNED))) return lookup_mro(vm, t, 0, name, NULL);
    struct cache_entry *e = cache_at(vm, t, name);
    uint32_t epoch = vm->class_epoch;
    if (LIKELY(e->t == t && e->name == name && e->epoch == epoch)) return e->v;
    value v = lookup_mro(vm, t, 0, name, NULL);
    if (UNLIKELY(epoch != vm->class_epoch || (value_is_unbound(v) && raised(vm)))) return v;
    type_cache_put(vm, t, name, v);
    return v;
}

value type_lookup_where(vm *vm, type *t, str *name, type **where) { return lookup_mro(vm, t, 0, name, where); }

value type_lookup_from(vm *vm, type *t, type *start, str *name)
{
    if (!t->mro) return V_UNBOUND;
    for (size_t i = 0; i < t->mro->len; i++)
        if (value_as_obj(t->mro->items[i]) == &start->h) return lookup_mro(vm, t, i + 1, name, NULL);
    return V_UNBOUND;
}

value type_lookup_special(vm *vm, value v, str *name)
{
    type *t = type_of(vm, v);
    value f = type_lookup(vm, t, name);
    if (value_is_unbound(f)) return f;
    return attr_bind(vm, f, v, t);
}

/* ---- subclasses ---- */

bool type_add_subclass(vm *vm, type *base, type *sub)
{
    value ref = weakref_new(vm, value_obj(sub), V_NONE);
    if (value_is_error(ref)) return false;
    if (!base->subclasses) {
        list *l = list_new(vm, 1);
        if (!l) return false;
        base->subclasses = l;
        gc_barrier(vm, base);
    }
    list *l = base->subclasses;
    if (l->len >= 8 && l->len == l->cap) { /* before it grows: drop the dead */
        size_t n = 0;
        for (size_t i = 0; i < l->len; i++)
            if (!value_is_none(weakref_get(l->items[i]))) l->items[n++] = l->items[i];
        l->len = n;
        gc_barrier(vm, l);
    }
    return list_append(vm, l, ref);
}

list *type_subclasses(vm *vm, type *t)
{
    list *out = list_new(vm, 4);
    if (!out) return NULL;
    if (t->id) /* builtin classes are not in their bases' lists */
        for (unsigned i = 1; i < TYPE_COUNT; i++) {
            type *k = vm->types[i];
            if (!k || k == t || i == TYPE_NATIVE_BOUND) continue;
            for (size_t j = 0; j < k->bases->len; j++)
                if (value_as_obj(k->bases->items[j]) == &t->h && !list_append(vm, out, value_obj(k))) return NULL;
        }
    if (t->subclasses)
        for (size_t i = 0; i < t->subclasses->len; i++) {
            value k = weakref_get(t->subclasses->items[i]);
            if (!value_is_none(k) && !list_append(vm, out, k)) return NULL;
        }
    return out;
}

enum { TYPE_VISITED = 1 /* header.flags of a type: in the list of type_each_subclass */ };

/* Calls fn on t and all that derive from it. false: no memory (nothing raised), fn was called on
 * none. */
static bool type_each_subclass(vm *vm, type *t, void (*fn)(struct vm *, type *, void *), void *ud)
{
    if (!t->subclasses) {
        fn(vm, t, ud);
        return true;
    }
    type *few[16];
    type **work = few;
    size_t cap = sizeof few / sizeof *few, n = 0;
    bool ok = true;
    work[n++] = t;
    t->h.flags |= TYPE_VISITED;
    for (size_t i = 0; ok && i < n; i++) {
        list *l = work[i]->subclasses;
        for (size_t j = 0; l && ok && j < l->len; j++) {
            value k = weakref_get(l->items[j]);
            if (value_is_none(k) || (AS(type, k)->h.flags & TYPE_VISITED)) continue;
            if (n == cap) {
                type **more = mem_alloc(vm, cap * 2 * sizeof *more);
                ok = more != NULL;
                if (!ok) break;
                memcpy(more, work, n * sizeof *more);
                if (work != few) mem_free(vm, work, cap * sizeof *work);
                work = more;
                cap *= 2;
            }
            work[n++] = AS(type, k);
            AS(type, k)->h.flags |= TYPE_VISITED;
        }
    }
    for (size_t i = 0; i < n; i++) work[i]->h.flags &= (uint16_t)~TYPE_VISITED;
    if (ok)
        for (size_t i = 0; i < n; i++) fn(vm, work[i], ud);
    else exc_clear(vm);
    if (work != few) mem_free(vm, work, cap * sizeof *work);
    return ok;
}

/* ---- setting class attributes ---- */

bool attr_is_plain(vm *vm, value v)
{
    const type *t = type_of(vm, v);
    return !t->s.descr_get && !t->s.descr_set;
}

static void forget_one(vm *vm, type *t, void *name)
{
    struct cache_entry *e = cache_at(vm, t, name);
    if (e->t == t && e->name == name) e->name = NULL;
}

static void update_one(vm *vm, type *t, void *row)
{
    if (row) slot_update(vm, t, ((const dunder_row *)row)->slot);
    else slot_update_all(vm, t);
    type_update_flags(vm, t);
}

void type_update_slots(vm *vm, type *t)
{
    vm->class_epoch++;
    type_each_subclass(vm, t, update_one, NULL);
}

bool type_setattr(vm *vm, type *t, str *name, value v)
{
    if (t->flags & TF_IMMUTABLE) {
        raise_type_error(vm, "cannot set %R attribute of immutable type '%N'", value_obj(name), t);
        return false;
    }
    if (!(name->h.flags & STR_INTERNED) && !(name = str_intern(vm, name))) return false;
    dict *d = t->dict;
    value old = dict_get_str(vm, d, name);
    if (value_is_unbound(v) && value_is_unbound(old)) {
        raise_attribute_error(vm, value_obj(t), name);
        return false;
    }
    int row = slot_row_of(vm, name);
    bool plain = row < 0 && !value_is_unbound(v) && attr_is_plain(vm, v);
    if (plain && !value_is_unbound(old) && attr_is_plain(vm, old)) {
        if (!dict_set_str(vm, d, name, v)) return false;
        if (!type_each_subclass(vm, t, forget_one, name)) vm->class_epoch++;
        return true;
    }
    /* A data descriptor comes or goes: slot loads that caches remember may be wrong now. */
    bool flush = (!value_is_unbound(v) && type_of(vm, v)->s.descr_set) ||
                 (!value_is_unbound(old) && type_of(vm, old)->s.descr_set);
    if (value_is_unbound(v)) {
        dict_pop_str(vm, d, name);
        if (raised(vm)) return false;
    } else if (!dict_set_str(vm, d, name, v)) {
        return false;
    }
    vm->class_epoch++;
    if (row >= 0) {
        const dunder_row *r = &dunder_rows[row];
        if (!type_each_subclass(vm, t, update_one, (void *)(uintptr_t)r)) {
            raise_memory(vm);
            return false;
        }
        flush = flush || r->slot == SLOT_INDEX(getattr) || r->slot == SLOT_INDEX(setattr) ||
                r->slot == SLOT_INDEX(descr_set) || r->slot == SLOT_INDEX(descr_get);
    }
    if (flush) shape_flush_caches(vm);
    return true;
}
