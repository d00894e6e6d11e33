/* Hidden classes. Invariants: shape.h.
 *
 * Transitions: `next` is nothing, one child, or a table of children hashed by name (nnext > 1). The
 * table has its capacity in its first word. `table` is the map from name to slot of a shape with
 * many attributes, open addressing over {name, slot}, made on the first lookup; if memory is short,
 * lookups walk the parents.
 *
 * Ids of dead shapes: the free op leaves a NULL in vm->shapes. shape_recycle_ids clears the inline
 * caches and links the holes into a free list, whose links are (next << 1 | 1), so never a pointer.
 */
#include "shape.h"

#include "attr.h"
#include "code.h"
#include "type_state.h"
#include "types_api.h"

typedef struct shape_table {
    uint32_t mask;
    struct {
        const str *name;
        int32_t slot;
    } e[];
} shape_table;

typedef struct transition_table {
    size_t cap; /* power of two */
    shape *child[];
} transition_table;

static size_t shape_table_size(uint32_t mask)
{
    return sizeof(shape_table) + ((size_t)mask + 1) * sizeof(((shape_table *)0)->e[0]);
}

static uint32_t name_hash(const str *name)
{
    uint64_t x = (uint64_t)(uintptr_t)name >> 4;
    return (uint32_t)(x ^ x >> 15 ^ x >> 7);
}

/* ---- ids ---- */

static bool shape_take_id(vm *vm, uint32_t *out)
{
    if (vm->free_shape) {
        uint32_t id = vm->free_shape;
        vm->free_shape = (uint32_t)((uintptr_t)vm->shapes[id] >> 1);
        *out = id;
        return true;
    }
    if (vm->nshapes == vm->capshapes) {
        size_t cap = vm->capshapes ? (size_t)vm->capshapes * 2 : 1024;
        if (cap > UINT32_MAX) {
            raise_memory(vm);
            return false;
        }
        shape **p = mem_realloc(vm, vm->shapes, vm->capshapes * sizeof *p, cap * sizeof *p);
        if (!p) return false;
        vm->shapes = p;
        vm->capshapes = (uint32_t)cap;
    }
    *out = vm->nshapes++;
    return true;
}

static void clear_code(void *ud, object *o)
{
    (void)ud;
    if (o->kind == K_CODE) code_clear_caches((code *)(void *)o);
}

void shape_flush_caches(vm *vm)
{
    attr_poly_flush(vm);
    gc_each_object(vm, clear_code, NULL);
}

void shape_recycle_ids(vm *vm)
{
    type_state *ts = type_state_of(vm);
    if (!ts || ts->dead_shapes < 2000) return;
    shape_flush_caches(vm);
    for (uint32_t id = vm->nshapes; id-- > TYPE_COUNT;)
        if (!vm->shapes[id]) {
            vm->shapes[id] = (shape *)((uintptr_t)vm->free_shape << 1 | 1);
            vm->free_shape = id;
        }
    ts->dead_shapes = 0;
}

/* ---- making shapes ---- */

static shape *shape_alloc(vm *vm, type *t, uint32_t id)
{
    if (!id && !shape_take_id(vm, &id)) return NULL;
    shape *s = gc_new(vm, K_SHAPE, TYPE_SHAPE, sizeof *s);
    if (!s) {
        if (id >= TYPE_COUNT) { /* a hole, filled again by the next recycling */
            vm->shapes[id] = NULL;
            type_state_of(vm)->dead_shapes++;
        }
        return NULL;
    }
    s->id = id;
    s->cls = t;
    vm->shapes[id] = s;
    t->nshapes++;
    return s;
}

shape *shape_new_root(vm *vm, type *t, uint32_t id)
{
    shape *s = shape_alloc(vm, t, id);
    if (!s) return NULL;
    s->count = t->nmembers;
    return s;
}

shape *shape_dict_mode(vm *vm, type *t)
{
    if (t->dict_shape) return t->dict_shape;
    shape *s = shape_alloc(vm, t, 0);
    if (!s) return NULL;
    s->count = t->nmembers + 1u;
    s->sflags = SHAPE_DICT | SHAPE_UNCACHEABLE;
    t->dict_shape = s;
    gc_barrier(vm, t);
    return s;
}

static shape *transition_find(const shape *s, const str *name)
{
    if (!s->nnext) return NULL;
    if (s->nnext == 1) {
        shape *c = s->next;
        return c->name == name ? c : NULL;
    }
    const transition_table *t = s->next;
    for (size_t i = name_hash(name) & (t->cap - 1); t->child[i]; i = (i + 1) & (t->cap - 1))
        if (t->child[i]->name == name) return t->child[i];
    return NULL;
}

static void transition_put(transition_table *t, shape *c)
{
    size_t i = name_hash(c->name) & (t->cap - 1);
    while (t->child[i]) i = (i + 1) & (t->cap - 1);
    t->child[i] = c;
}

static size_t transition_size(size_t cap) { return sizeof(transition_table) + cap * sizeof(shape *); }

/* Room for one more child; false: raised. */
static bool transition_grow(vm *vm, shape *s)
{
    if (s->nnext == 0) return true;
    size_t old = 0;
    if (s->nnext > 1) {
        old = ((transition_table *)s->next)->cap;
        if ((size_t)(s->nnext + 1) * 2 <= old) return true;
    }
    size_t cap = old ? old * 2 : 8;
    transition_table *t = mem_zalloc(vm, transition_size(cap));
    if (!t) return false;
    t->cap = cap;
    if (s->nnext == 1) {
        transition_put(t, s->next);
    } else {
        transition_table *was = s->next;
        for (size_t i = 0; i < was->cap; i++)
            if (was->child[i]) transition_put(t, was->child[i]);
        mem_free(vm, was, transition_size(was->cap));
    }
    s->next = t;
    /* One child in a table: pretend there are two until the caller adds it. */
    if (s->nnext == 1) s->nnext = 2, s->sflags |= SHAPE_GROWN;
    return true;
}

shape *shape_add(vm *vm, shape *s, str *name)
{
    shape *c = transition_find(s, name);
    if (c) return c;
    type *t = s->cls;
    if (s->count >= SHAPE_MAX_ATTRS || t->nshapes >= SHAPE_MAX_TREE) return NULL;
    if (!transition_grow(vm, s)) return NULL;
    c = shape_alloc(vm, t, 0);
    if (!c) return NULL;
    c->parent = s;
    c->name = name;
    c->count = s->count + 1;
    if (s->nnext == 0) {
        s->next = c;
        s->nnext = 1;
    } else {
        transition_put(s->next, c);
        if (s->sflags & SHAPE_GROWN) s->sflags &= ~(uint32_t)SHAPE_GROWN;
        else s->nnext++;
    }
    gc_barrier(vm, s);
    if (c->count > t->inline_slots && c->count <= SLOTS_INLINE_MAX) t->inline_slots = (uint16_t)c->count;
    return c;
}

/* ---- lookup ---- */

static shape_table *shape_build_table(vm *vm, shape *s)
{
    uint32_t cap = 16;
    while (cap < s->count * 2) cap *= 2;
    shape_table *t = mem_zalloc(vm, shape_table_size(cap - 1));
    if (!t) {
        exc_clear(vm);
        return NULL;
    }
    t->mask = cap - 1;
    for (const shape *p = s; p->name; p = p->parent) {
        uint32_t i = name_hash(p->name) & t->mask;
        while (t->e[i].name) i = (i + 1) & t->mask;
        t->e[i].name = p->name;
        t->e[i].slot = (int32_t)p->count - 1;
    }
    s->table = t;
    return t;
}

int32_t shape_find(vm *vm, shape *s, const str *name)
{
    if (s->count - s->cls->nmembers > SHAPE_LINEAR && !(s->sflags & SHAPE_DICT)) {
        const shape_table *t = s->table;
        if (!t && !raised(vm)) t = shape_build_table(vm, s);
        if (t) {
            for (uint32_t i = name_hash(name) & t->mask; t->e[i].name; i = (i + 1) & t->mask)
                if (t->e[i].name == name) return t->e[i].slot;
            return -1;
        }
    }
    for (const shape *p = s; p->name; p = p->parent)
        if (p->name == name) return (int32_t)p->count - 1;
    return -1;
}

void shape_names(const shape *s, str **out)
{
    uint32_t base = s->cls->nmembers;
    for (const shape *p = s; p->name; p = p->parent) out[p->count - 1 - base] = p->name;
}

/* ---- slot storage ---- */

static size_t block_size(size_t cap) { return (cap + 1) * sizeof(value); }

value *slots_reserve(vm *vm, object *o, uint32_t index)
{
    value **where;
    value *slots = object_slots(vm, o, &where);
    bool is_inline = o->kind == K_INSTANCE && slots == ((instance *)(void *)o)->inl;
    size_t cap = is_inline ? o->flags : slots ? slots[-1].bits : 0;
    if (index < cap) return slots;
    size_t ncap = cap + cap / 2 + 3;
    if (ncap <= index) ncap = (size_t)index + 1;
    value *block = is_inline || !slots ? mem_alloc(vm, block_size(ncap))
                                       : mem_realloc(vm, slots - 1, block_size(cap), block_size(ncap));
    if (!block) return NULL;
    block[0].bits = ncap;
    if (is_inline && cap) memcpy(block + 1, slots, cap * sizeof(value));
    memset(block + 1 + cap, 0, (ncap - cap) * sizeof(value));
    *where = block + 1;
    gc_note_parts(o);
    if (o->kind == K_INSTANCE) o->flags = (uint16_t)ncap;
    return block + 1;
}

void object_slots_free(vm *vm, object *o, value *slots)
{
    if (!slots || (o->kind == K_INSTANCE && slots == ((instance *)(void *)o)->inl)) return;
    mem_free(vm, slots - 1, block_size(slots[-1].bits));
}

/* ---- the collector's view ---- */

static void shape_traverse(vm *vm, object *o)
{
    shape *s = (shape *)(void *)o;
    gc_mark_obj(vm, &s->cls->h);
    gc_mark_obj(vm, (object *)(void *)s->parent);
    gc_mark_obj(vm, (object *)(void *)s->name);
    if (s->nnext == 1) {
        gc_mark_obj(vm, s->next);
    } else if (s->nnext) {
        const transition_table *t = s->next;
        for (size_t i = 0; i < t->cap; i++) gc_mark_obj(vm, (object *)(void *)t->child[i]);
    }
}

static void shape_free(vm *vm, object *o)
{
    shape *s = (shape *)(void *)o;
    if (s->nnext > 1) mem_free(vm, s->next, transition_size(((transition_table *)s->next)->cap));
    if (s->table) mem_free(vm, s->table, shape_table_size(((shape_table *)s->table)->mask));
    if (vm->shapes && s->id >= TYPE_COUNT && vm->shapes[s->id] == s) {
        vm->shapes[s->id] = NULL;
        if (type_state_of(vm)) type_state_of(vm)->dead_shapes++;
    }
}

static void instance_traverse(vm *vm, object *o) { gc_mark_slots(vm, o, ((instance *)(void *)o)->slots); }

static void instance_free(vm *vm, object *o) { object_slots_free(vm, o, ((instance *)(void *)o)->slots); }

bool shape_open(vm *vm)
{
    static const gc_kind_ops shape_ops = {.traverse = shape_traverse, .free = shape_free};
    static const gc_kind_ops instance_ops = {.traverse = instance_traverse, .free = instance_free, .tells_parts = true};
    gc_register_kind(vm, K_SHAPE, &shape_ops);
    gc_register_kind(vm, K_INSTANCE, &instance_ops);
    vm->nshapes = TYPE_COUNT;
    vm->capshapes = (TYPE_COUNT + 512 + 255) / 256 * 256;
    vm->shapes = mem_zalloc(vm, vm->capshapes * sizeof *vm->shapes);
    return vm->shapes != NULL;
}
