/* itertools: groupby and tee. */
#include "itertools.h"

#include "vm/dict.h"
#include "vm/str.h"

#define DOC_FILE stdlib_itertools_group
DOC_BEGIN;

/* ---- groupby ---- */

/* The values are unbound where CPython has NULL: nothing read, or given out. */
struct groupby {
    value it, keyfunc, target, key, current, grouper;
};
struct grouper {
    value parent, target;
};

static struct groupby *groupby_of(value v) { return (struct groupby *)(void *)AS(userdata, v)->body; }
static struct grouper *grouper_of(value v) { return (struct grouper *)(void *)AS(userdata, v)->body; }

static void groupby_traverse(vm *vm, object *o) { gc_mark_values(vm, &groupby_of(value_obj(o))->it, 6); }
static void grouper_traverse(vm *vm, object *o) { gc_mark_values(vm, &grouper_of(value_obj(o))->parent, 2); }
static const type_layout groupby_layout = {.size = sizeof(struct groupby), .traverse = groupby_traverse};
static const type_layout grouper_layout = {.size = sizeof(struct grouper), .traverse = grouper_traverse};

static value groupby_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[2], it = V_UNBOUND;
    if (!args_bind(vm, "groupby(iterable, key=None)", args, nargs, kwnames, in)) return V_ERROR;
    ROOTS(vm, &it, &in[1], &t);
    it = obj_iter(vm, in[0]);
    value self = value_is_error(it) ? it : it_new(vm, t);
    if (value_is_error(self)) return self;
    groupby_of(self)->it = it;
    groupby_of(self)->keyfunc = value_is_unbound(in[1]) ? V_NONE : in[1];
    return self;
}

/* Reads one item: V_NONE, V_STOP, or error. self is rooted by the caller. */
static value groupby_step(vm *vm, value self)
{
    struct groupby *g = groupby_of(self);
    value v = V_UNBOUND, key;
    ROOTS(vm, &v);
    v = iter_step(vm, g->it);
    if (value_is_error(v) || v.bits == V_STOP.bits) return v;
    key = value_is_none(g->keyfunc) ? v : vm_call1(vm, g->keyfunc, v);
    if (value_is_error(key)) return key;
    g->current = v;
    g->key = key;
    gc_barrier(vm, value_as_obj(self));
    return V_NONE;
}

static value groupby_next(vm *vm, value self)
{
    struct groupby *g = groupby_of(self);
    ROOTS(vm, &self);
    g->grouper = V_UNBOUND;
    for (;;) { /* to the first item of another group */
        if (!value_is_unbound(g->key)) {
            if (value_is_unbound(g->target)) break;
            int same = value_equal(vm, g->target, g->key);
            if (same < 0) return V_ERROR;
            if (!same) break;
        }
        value r = groupby_step(vm, self);
        if (!value_is_none(r)) return r;
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
    g->target = g->key;
    type *t = module_state_type(vm, STATE_GROUPER);
    value sub = it_new(vm, t);
    if (value_is_error(sub)) return sub;
    grouper_of(sub)->parent = self;
    grouper_of(sub)->target = g->target;
    g->grouper = sub;
    gc_barrier(vm, value_as_obj(self));
    tuple *pair = tuple_pack(vm, 2, g->key, sub);
    return pair ? value_obj(pair) : V_ERROR;
}

static value grouper_next(vm *vm, value self)
{
    value parent = grouper_of(self)->parent;
    struct groupby *g = groupby_of(parent);
    if (!value_is(g->grouper, self)) return V_STOP;
    ROOTS(vm, &self, &parent);
    if (value_is_unbound(g->current)) {
        value r = groupby_step(vm, parent);
        if (!value_is_none(r)) return r;
    }
    int same = value_equal(vm, grouper_of(self)->target, g->key);
    if (same <= 0) return same < 0 ? V_ERROR : V_STOP;
    value v = g->current;
    g->current = g->key = V_UNBOUND;
    return value_is_unbound(v) ? V_STOP : v;
}

IT_FILL(groupby)
static void grouper_fill(struct type_slots *s)
{
    s->iter = it_self;
    s->next = grouper_next;
}

/* ---- tee: a list of nodes with what was read; each tee has a place in it ---- */

enum { TEE_ITEMS = 57 };
struct tee_node {
    value it, next, items[TEE_ITEMS];
    uint32_t n;
    bool running;
};
struct tee {
    value node;
    uint32_t i;
};

static struct tee_node *node_of(value v) { return (struct tee_node *)(void *)AS(userdata, v)->body; }
static struct tee *tee_of(value v) { return (struct tee *)(void *)AS(userdata, v)->body; }

static void node_traverse(vm *vm, object *o)
{
    const struct tee_node *n = node_of(value_obj(o));
    gc_mark_values(vm, &n->it, 2);
    gc_mark_values(vm, n->items, n->n);
}
static void tee_traverse(vm *vm, object *o) { gc_mark_value(vm, tee_of(value_obj(o))->node); }
static const type_layout node_layout = {.size = sizeof(struct tee_node), .traverse = node_traverse};
static const type_layout tee_layout = {.size = sizeof(struct tee), .traverse = tee_traverse};

static value node_new(vm *vm, value it)
{
    value v = it_new(vm, module_state_type(vm, STATE_TEE_NODE));
    if (!value_is_error(v)) node_of(v)->it = it;
    return v;
}

/* A tee over any iterable; a copy if it is one already. */
static value tee_over(vm *vm, type *t, value iterable)
{
    value it = obj_iter(vm, iterable), node, self;
    if (value_is_error(it)) return it;
    ROOTS(vm, &it, &t);
    const type *base = module_state_type(vm, STATE_TEE);
    if (value_isa(vm, it, base)) {
        if (value_is_error(self = it_new(vm, t))) return self;
        *tee_of(self) = *tee_of(it);
        return self;
    }
    if (value_is_error(node = node_new(vm, it))) return node;
    if (value_is_error(self = it_new(vm, t))) return self;
    tee_of(self)->node = node;
    return self;
}

static value tee_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in;
    return args_unpack(vm, "_tee", args, nargs, kwnames, 1, 1, &in) ? tee_over(vm, t, in) : V_ERROR;
}

static value tee_next(vm *vm, value self)
{
    struct tee *t = tee_of(self);
    value node = t->node;
    struct tee_node *n = node_of(node);
    ROOTS(vm, &self, &node);
    if (t->i == TEE_ITEMS) {
        if (value_is_unbound(n->next)) {
            value next = node_new(vm, n->it);
            if (value_is_error(next)) return next;
            n->next = next;
            gc_barrier(vm, value_as_obj(node));
        }
        node = t->node = n->next;
        gc_barrier(vm, value_as_obj(self));
        t->i = 0;
        n = node_of(node);
    }
    if (t->i < n->n) return n->items[t->i++];
    if (n->running) return raise(vm, EXC_RuntimeError, "cannot re-enter the tee iterator");
    n->running = true;
    value v = iter_step(vm, n->it);
    n->running = false;
    if (value_is_error(v) || v.bits == V_STOP.bits) return v;
    if (n->n == TEE_ITEMS) return raise(vm, EXC_RuntimeError, "cannot re-enter the tee iterator");
    n->items[n->n++] = v;
    gc_barrier(vm, value_as_obj(node));
    if (value_is(t->node, node)) t->i = n->n;
    return v;
}

FN(tee_copy)
{
    type *t = module_state_type(vm, STATE_TEE);
    value self = it_new(vm, t);
    if (!value_is_error(self)) *tee_of(self) = *tee_of(args[0]);
    return self;
}

IT_FILL(tee)
static const native_def tee_methods[] = {{"__copy__(self, /)", tee_copy, DOC("Returns an independent iterator."), 0},
                                         {0}};

FN(i_tee)
{
    int64_t n = 2;
    value it = V_UNBOUND, copy = V_UNBOUND;
    tuple *t = NULL;
    ROOTS(vm, &it, &copy, &t);
    if (!value_is_unbound(args[1]) && !args_ssize(vm, args[1], 0, &n)) return V_ERROR;
    if (n < 0) return raise_value_error(vm, "n must be >= 0");
    if (n > INT32_MAX) return raise_memory(vm);
    if (!(t = tuple_new(vm, (size_t)n))) return V_ERROR;
    if (n == 0) return value_obj(t);
    it = obj_iter(vm, args[0]);
    if (value_is_error(it)) return V_ERROR;
    copy = obj_getattr_opt(vm, it, N(vm, __copy__));
    if (value_is_unbound(copy)) {
        if (raised(vm)) return V_ERROR;
        it = tee_over(vm, module_state_type(vm, STATE_TEE), it);
        if (value_is_error(it)) return V_ERROR;
        copy = obj_getattr(vm, it, N(vm, __copy__));
        if (value_is_error(copy)) return V_ERROR;
    }
    t->items[0] = it;
    gc_barrier(vm, t);
    for (int64_t i = 1; i < n; i++) {
        value v = vm_call0(vm, copy);
        if (value_is_error(v)) return V_ERROR;
        t->items[i] = v;
        gc_barrier(vm, t);
    }
    return value_obj(t);
}

const native_def it_group_functions[] = {
    {"tee(iterable, n=2, /)", i_tee, DOC("Returns a tuple of n independent iterators."), 0},
    {0},
};

const struct it_type it_group_types[] = {
    {.spec = {.name = "itertools.groupby",
              .doc = "make an iterator that returns consecutive keys and groups from the iterable",
              .layout = &groupby_layout,
              .flags = TF_BASE,
              .fill = groupby_fill},
     .id = STATE_GROUPBY},
    {.spec = {.name = "itertools._grouper", .layout = &grouper_layout, .fill = grouper_fill}, .id = STATE_GROUPER},
    {.spec = {.name = "itertools._tee",
              .doc = "Iterator wrapped to make it copyable.",
              .layout = &tee_layout,
              .methods = tee_methods,
              .fill = tee_fill},
     .id = STATE_TEE},
    {.spec = {.name = "itertools._tee_dataobject", .layout = &node_layout}, .id = STATE_TEE_NODE},
};
const size_t it_group_count = sizeof it_group_types / sizeof *it_group_types;
