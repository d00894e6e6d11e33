/* Weak references.
 *
 * A side table maps each target to the chain of its references (weakref.next, newest first, but a
 * plain reference without callback stands at the head, so that it can be shared). The table keeps
 * nothing alive.
 *
 * Invariants
 *  1. GC_WEAK is set on an object iff it has an entry in the table.
 *  2. Between collections every reference in a chain is alive or garbage not yet found; a
 * collection unlinks the unmarked ones before they are freed. So freeing a reference needs no
 * table.
 *  3. `fresh` holds each target that got a reference since the last cycle: only these can have a
 * dead target or a dead reference in a minor cycle, for old objects are not collected there.
 *  4. A cleared reference with a callback is linked, through `next`, into the queue, which is a root.
 */
#include "weakref.h"

#include "attr.h"
#include "native.h"
#include "type_parts.h"
#include "types_api.h"

typedef struct weak_entry {
    object *target; /* NULL: empty */
    weakref *head;
} weak_entry;

typedef struct weak_state {
    weak_entry *table;
    size_t cap, used; /* cap: power of two */
    object **fresh;
    size_t nfresh, capfresh;
    weakref *queue, *queue_last;
} weak_state;

enum { REF_HASHED = 1, REF_QUEUED = 2 /* header.flags */ };

static weak_state *state_of(vm *vm) { return vm->state[VMS_WEAK]; }

/* ---- the table ---- */

static size_t slot_of(const weak_state *w, const object *o)
{
    uintptr_t x = (uintptr_t)o >> 4;
    return (x ^ x >> 11) & (w->cap - 1);
}

static weak_entry *table_find(const weak_state *w, const object *o)
{
    if (!w->cap) return NULL;
    for (size_t i = slot_of(w, o); w->table[i].target; i = (i + 1) & (w->cap - 1))
        if (w->table[i].target == o) return &w->table[i];
    return NULL;
}

static bool table_grow(vm *vm, weak_state *w)
{
    if ((w->used + 1) * 3 <= w->cap * 2) return true;
    size_t cap = w->cap ? w->cap * 2 : 64;
    weak_entry *t = mem_zalloc(vm, cap * sizeof *t);
    if (!t) return false;
    weak_state old = *w;
    w->table = t;
    w->cap = cap;
    for (size_t i = 0; i < old.cap; i++) {
        if (!old.table[i].target) continue;
        size_t j = slot_of(w, old.table[i].target);
        while (t[j].target) j = (j + 1) & (cap - 1);
        t[j] = old.table[i];
    }
    if (old.table) mem_free(vm, old.table, old.cap * sizeof *t);
    return true;
}

static void table_remove(weak_state *w, weak_entry *e)
{
    size_t mask = w->cap - 1, hole = (size_t)(e - w->table);
    for (size_t i = (hole + 1) & mask; w->table[i].target; i = (i + 1) & mask) {
        size_t home = slot_of(w, w->table[i].target);
        if (((i - home) & mask) >= ((i - hole) & mask)) { /* it may move back into the hole */
            w->table[hole] = w->table[i];
            hole = i;
        }
    }
    w->table[hole].target = NULL;
    w->used--;
}

/* ---- what the collector calls ---- */

static void enqueue(weak_state *w, weakref *r)
{
    r->h.flags |= REF_QUEUED;
    r->next = NULL;
    if (w->queue_last) w->queue_last->next = r;
    else w->queue = r;
    w->queue_last = r;
}

static void clear_target(vm *vm, weak_state *w, weak_entry *e)
{
    weakref *r = e->head;
    while (r) {
        weakref *next = r->next;
        r->target = NULL;
        r->next = NULL;
        if (gc_is_alive(vm, &r->h) && !value_is_none(r->callback)) enqueue(w, r);
        r = next;
    }
    e->target->gc &= (uint8_t)~GC_WEAK;
    table_remove(w, e);
}

/* true: the entry went away */
static bool visit_entry(vm *vm, weak_state *w, weak_entry *e)
{
    if (!gc_is_alive(vm, e->target)) {
        clear_target(vm, w, e);
        return true;
    }
    for (weakref **p = &e->head; *p;) {
        if (gc_is_alive(vm, &(*p)->h)) p = &(*p)->next;
        else *p = (*p)->next;
    }
    if (e->head) return false;
    e->target->gc &= (uint8_t)~GC_WEAK;
    table_remove(w, e);
    return true;
}

void weakref_clear_dead(vm *vm, bool minor)
{
    weak_state *w = state_of(vm);
    if (!w) return;
    if (minor) {
        for (size_t i = 0; i < w->nfresh; i++) {
            weak_entry *e = table_find(w, w->fresh[i]);
            if (e) visit_entry(vm, w, e);
        }
    } else {
        /* Removal shifts later entries back: the slot is looked at again. What wraps round was
         * visited before. */
        for (size_t i = 0; i < w->cap;)
            if (!w->table[i].target || !visit_entry(vm, w, &w->table[i])) i++;
    }
    w->nfresh = 0;
}

void weakref_mark_queue(vm *vm)
{
    weak_state *w = state_of(vm);
    if (!w) return;
    for (weakref *r = w->queue; r; r = r->next) gc_mark_obj(vm, &r->h);
}

bool weakref_any_callback(vm *vm)
{
    const weak_state *w = state_of(vm);
    for (size_t i = 0; w && i < w->cap; i++) {
        if (!w->table[i].target) continue;
        for (const weakref *r = w->table[i].head; r; r = r->next) {
            if (!value_is_unbound(r->callback) && !value_is_none(r->callback)) return true;
        }
    }
    return false;
}

bool weakref_pending(vm *vm)
{
    weak_state *w = state_of(vm);
    return w && w->queue;
}

bool weakref_run_callbacks(vm *vm)
{
    weak_state *w = state_of(vm);
    bool any = false;
    while (w && w->queue) {
        weakref *r = w->queue;
        w->queue = r->next;
        if (!w->queue) w->queue_last = NULL;
        r->next = NULL;
        r->h.flags &= (uint16_t)~REF_QUEUED;
        value f = r->callback, ref = value_obj(r);
        r->callback = V_NONE;
        ROOTS(vm, &f, &ref);
        any = true;
        if (value_is_error(vm_call1(vm, f, ref))) exc_report_unraisable(vm, f);
    }
    return any;
}

static void mark_queue(vm *vm, void *ud)
{
    (void)ud;
    weakref_mark_queue(vm);
}

bool weakref_open(vm *vm)
{
    vm->state[VMS_WEAK] = mem_zalloc(vm, sizeof(weak_state));
    return vm->state[VMS_WEAK] && gc_add_roots(vm, mark_queue, NULL);
}

void weakref_close(vm *vm)
{
    weak_state *w = state_of(vm);
    if (!w) return;
    if (w->table) mem_free(vm, w->table, w->cap * sizeof *w->table);
    if (w->fresh) mem_free(vm, w->fresh, w->capfresh * sizeof *w->fresh);
    mem_free(vm, w, sizeof *w);
    vm->state[VMS_WEAK] = NULL;
}

/* ---- making references ---- */

bool weakref_supported(vm *vm, value v)
{
    if (!value_is_obj(v)) return false;
    const type *t = type_of(vm, v);
    if (t->flags & TF_NO_WEAKREF) return false;
    switch ((enum object_kind)value_as_obj(v)->kind) {
    case K_INSTANCE: return t->id != TYPE_OBJECT;
    case K_FUNCTION:
    case K_METHOD:
    case K_TYPE:
    case K_MODULE:
    case K_SET:
    case K_FRAME:
    case K_FUTURE:
    case K_TASK:
    case K_FILE:
    case K_CODE:
    case K_NATIVE:
    case K_USERDATA:
    case K_MEMORYVIEW: return true;
    case K_NUMSUB: return type_is_subtype(t, T(vm, FLOAT));
    case K_TUPLE:
    case K_BYTES: return false;
    default: return t->flags & TF_HEAP || (!t->id && t->flags & TF_HAS_DICT); /* OrderedDict */
    }
}

value weakref_make(vm *vm, type *t, value target, value callback)
{
    weak_state *w = state_of(vm);
    if (value_is_unbound(callback)) callback = V_NONE;
    if (!weakref_supported(vm, target))
        return raise_type_error(vm, "cannot create weak reference to '%T' object", target);
    object *o = value_as_obj(target);
    weak_entry *e = table_find(w, o);
    bool plain =
        value_is_none(callback) && (t == T(vm, WEAKREF) || t == T(vm, WEAKPROXY) || t == T(vm, CALLABLE_PROXY));
    if (plain && e)
        for (weakref *r = e->head; r && value_is_none(r->callback); r = r->next)
            if (r->h.shape == t->root_shape) return value_obj(r);
    if (w->nfresh == w->capfresh) {
        size_t cap = w->capfresh ? w->capfresh * 2 : 64;
        object **p = mem_realloc(vm, w->fresh, w->capfresh * sizeof *p, cap * sizeof *p);
        if (!p) return V_ERROR;
        w->fresh = p;
        w->capfresh = cap;
    }
    if (!e && !table_grow(vm, w)) return V_ERROR;
    weakref *r = gc_new(vm, K_WEAKREF, t->root_shape, sizeof *r);
    if (!r) return V_ERROR;
    r->target = o;
    r->callback = callback;
    if (!e) {
        size_t i = slot_of(w, o);
        while (w->table[i].target) i = (i + 1) & (w->cap - 1);
        e = &w->table[i];
        *e = (weak_entry){o, NULL};
        w->used++;
        o->gc |= GC_WEAK;
    }
    weakref **at = &e->head;
    if (!plain) /* behind the shared ones */
        while (*at && value_is_none((*at)->callback) && (*at)->h.shape < TYPE_COUNT) at = &(*at)->next;
    r->next = *at;
    *at = r;
    if (!w->nfresh || w->fresh[w->nfresh - 1] != o) w->fresh[w->nfresh++] = o;
    return value_obj(r);
}

value weakref_new(vm *vm, value target, value callback) { return weakref_make(vm, T(vm, WEAKREF), target, callback); }
value weakref_proxy_new(vm *vm, value target, value callback)
{
    return weakref_make(vm, obj_is_callable(vm, target) ? T(vm, CALLABLE_PROXY) : T(vm, WEAKPROXY), target, callback);
}

value weakref_get(value ref)
{
    object *o = AS(weakref, ref)->target;
    return o ? value_obj(o) : V_NONE;
}

uint32_t weakref_count(vm *vm, value target)
{
    weak_entry *e = value_is_obj(target) ? table_find(state_of(vm), value_as_obj(target)) : NULL;
    uint32_t n = 0;
    for (weakref *r = e ? e->head : NULL; r; r = r->next) n++;
    return n;
}

list *weakref_list(vm *vm, value target)
{
    list *l = list_new(vm, 4);
    weak_entry *e = l && value_is_obj(target) ? table_find(state_of(vm), value_as_obj(target)) : NULL;
    for (weakref *r = e ? e->head : NULL; r; r = r->next)
        if (!list_append(vm, l, value_obj(r))) return NULL;
    return l;
}

/* ---- the type ref ---- */

static value ref_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)kwnames;
    if (nargs < 1 || nargs > 2)
        return raise_type_error(vm, "__new__ expected at %s argument%s, got %d", nargs ? "most 2" : "least 1",
                                nargs ? "s" : "", (int)nargs);
    return weakref_make(vm, t, args[0], nargs > 1 ? args[1] : V_NONE);
}

static bool ref_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    (void)self;
    value a[2];
    return args_unpack(vm, "ref", args, nargs, kwnames, 1, 2, a);
}

static value ref_call(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    return args_unpack(vm, "weakref", args, nargs, kwnames, 0, 0, NULL) ? weakref_get(self) : V_ERROR;
}

static value ref_repr(vm *vm, value v)
{
    char a[20], b[20];
    const char *at = address_text(value_as_obj(v), a);
    object *o = AS(weakref, v)->target;
    str *s;
    if (!o) {
        s = str_format(vm, "<weakref at %s; dead>", at);
        return s ? value_obj(s) : V_ERROR;
    }
    value target = value_obj(o);
    ROOTS(vm, &target);
    value name = obj_getattr_opt(vm, target, N(vm, __name__));
    if (raised(vm)) exc_clear(vm);
    if (IS_STR(name)) s = str_format(vm, "<weakref at %s; to '%T' at %s (%U)>", at, target, address_text(o, b), name);
    else s = str_format(vm, "<weakref at %s; to '%T' at %s>", at, target, address_text(o, b));
    return s ? value_obj(s) : V_ERROR;
}

static bool ref_hash(vm *vm, value v, uint64_t *out)
{
    weakref *r = AS(weakref, v);
    if (r->h.flags & REF_HASHED) {
        *out = r->hash;
        return true;
    }
    if (!r->target) {
        raise_type_error(vm, "weak object has gone away");
        return false;
    }
    ROOTS(vm, &v);
    if (!obj_hash(vm, value_obj(r->target), out)) return false;
    r->hash = *out;
    r->h.flags |= REF_HASHED;
    return true;
}

static value ref_compare(vm *vm, value a, value b, enum compare_op op)
{
    if ((op != CMP_EQ && op != CMP_NE) || !value_isa(vm, b, T(vm, WEAKREF))) return V_NOTIMPLEMENTED;
    object *x = AS(weakref, a)->target, *y = AS(weakref, b)->target;
    if (x && y) {
        value vx = value_obj(x), vy = value_obj(y);
        ROOTS(vm, &vx, &vy);
        return obj_compare(vm, vx, vy, op);
    }
    return value_bool(value_is(a, b) == (op == CMP_EQ));
}

static value get_callback(vm *vm, value v)
{
    (void)vm;
    return AS(weakref, v)->target ? AS(weakref, v)->callback : V_NONE;
}

static const getset_def ref_getsets[] = {
    {"__callback__", get_callback, NULL, NULL},
    {0},
};

static void ref_traverse(vm *vm, object *o)
{
    weakref *r = (weakref *)(void *)o;
    gc_mark_slots(vm, o, r->slots);
    gc_mark_value(vm, r->callback);
}
static void ref_free(vm *vm, object *o) { object_slots_free(vm, o, ((weakref *)(void *)o)->slots); }

void weakproxy_init(vm *vm);

void type_init_weakref(vm *vm)
{
    static const gc_kind_ops ops = {.traverse = ref_traverse, .free = ref_free, .tells_parts = true};
    gc_register_kind(vm, K_WEAKREF, &ops);
    type *t = T(vm, WEAKREF);
    t->s.new_ = ref_slot_new;
    t->s.init = ref_init;
    t->s.call = ref_call;
    t->s.repr = ref_repr;
    t->s.hash = ref_hash;
    t->s.compare = ref_compare;
    t->getsets = ref_getsets;
    weakproxy_init(vm);
}
