/* The module gc, over vm/gc.h.
 *
 * What differs from CPython by nature: dead objects without cycles are found here too, so collect()
 * counts them; pacing follows bytes, so set_threshold() only stores its numbers (0 turns automatic
 * collection off, as there). Lists of objects are made right after a full collection, so that they
 * hold live ones only. */
#include "module_state.h"
#include "vm/dict.h"
#include "vm/heap.h"
#include "vm/frame.h"
#include "vm/list.h"

#define DOC_FILE stdlib_mod_gc
DOC_BEGIN;

/* ---- what counts as an object of the collector's ---- */

/* Objects that scripts may see: not the collector's and the interpreter's own. */
static bool is_visible(const object *o)
{
    switch ((enum object_kind)o->kind) {
    case K_FREE:
    case K_SHAPE:
    case K_BUFFER: return false;
    case K_DICT: return !(o->flags & DICT_NAMESPACE);
    case K_FRAME: return !(o->flags & (FRAME_ONSTACK | FRAME_FUSED)) && o->shape != TYPE_STACK_FRAME;
    default: return true;
    }
}

/* Exact instances of builtin types that refer to nothing. */
static bool is_atom(value v)
{
    if (!value_is_obj(v)) return true;
    const object *o = value_as_obj(v);
    switch ((enum object_kind)o->kind) {
    case K_INT64:
    case K_BIGINT:
    case K_COMPLEX:
    case K_STR:
    case K_BYTES:
    case K_BYTEARRAY:
    case K_RANGE:
    case K_CODE:
    case K_SLICE:
    case K_FREE:
    case K_SHAPE:
    case K_BUFFER: return o->shape < TYPE_COUNT;
    case K_TYPE: return !(((const type *)(const void *)o)->flags & TF_HEAP);
    case K_INSTANCE: return o->shape == TYPE_OBJECT;
    default: return false;
    }
}

/* gc.is_tracked: may it be part of a cycle? Tuples and dicts count if they hold anything that may.
 */
static bool is_container(const object *o)
{
    if (o->shape == TYPE_TUPLE) {
        const tuple *t = (const tuple *)(const void *)o;
        for (size_t i = 0; i < t->len; i++)
            if (!is_atom(t->items[i])) return true;
        return false;
    }
    if (o->shape == TYPE_DICT) {
        value k, v;
        for (size_t pos = 0; dict_next((const dict *)(const void *)o, &pos, &k, &v);)
            if (!is_atom(k) || !is_atom(v)) return true;
        return false;
    }
    return !is_atom(value_obj(o));
}

/* ---- collecting ---- */

static bool call_back(vm *vm, bool start, int64_t generation, int64_t collected)
{
    value l = module_state_get(vm, STATE_GC_CALLBACKS);
    if (!IS_LIST(l) || !AS(list, l)->len) return true;
    const struct {
        const char *name;
        int64_t n;
    } items[] = {{"generation", generation}, {"collected", collected}, {"uncollectable", 0}};
    value info = V_UNBOUND, f = V_UNBOUND;
    ROOTS(vm, &l, &info, &f);
    dict *d = dict_new(vm);
    str *phase = str_from_cstr(vm, start ? "start" : "stop");
    if (!d || !phase) return false;
    info = value_obj(d);
    for (int i = 0; i < 3; i++) {
        str *key = str_intern_utf8(vm, items[i].name, strlen(items[i].name));
        if (!key || !dict_set_str(vm, d, key, value_int(items[i].n))) return false;
    }
    ROOTS(vm, &phase);
    for (size_t i = 0; i < AS(list, l)->len; i++) {
        f = AS(list, l)->items[i];
        if (value_is_error(vm_call2(vm, f, value_obj(phase), info))) exc_report_unraisable(vm, f);
    }
    return true;
}

FN(g_collect)
{
    int64_t generation = 2;
    if (!value_is_unbound(args[0])) {
        value n = obj_index(vm, args[0]);
        if (value_is_error(n)) return V_ERROR;
        if (!int_to_i64(vm, n, &generation)) return raise_overflow(vm, "Python int too large to convert to C int");
    }
    if (generation < 0 || generation > 2) return raise_value_error(vm, "invalid generation");
    gc_stats st;
    if (!call_back(vm, true, generation, 0)) return V_ERROR;
    gc_collect_full(vm);
    gc_get_stats(vm, &st);
    int64_t n = (int64_t)st.freed_last;
    return call_back(vm, false, generation, n) ? value_int(n) : V_ERROR;
}

FN(g_enable)
{
    gc_set_enabled(vm, true);
    return V_NONE;
}
FN(g_disable)
{
    gc_set_enabled(vm, false);
    return V_NONE;
}
FN(g_isenabled) { return value_bool(gc_is_enabled(vm)); }

/* ---- settings and figures ---- */

static bool arg_int(vm *vm, value v, int64_t *out)
{
    value n = obj_index(vm, v);
    if (value_is_error(n)) return false;
    if (int_to_i64(vm, n, out) && *out >= INT32_MIN && *out <= INT32_MAX) return true;
    raise_overflow(vm, "Python int too large to convert to C int");
    return false;
}

FN(g_get_threshold)
{
    value t = module_state_get(vm, STATE_GC_THRESHOLD);
    if (!value_is_unbound(t)) return t;
    tuple *r = tuple_pack(vm, 3, value_int(700), value_int(10), value_int(10));
    return r ? value_obj(r) : V_ERROR;
}

FN(g_set_threshold)
{
    int64_t n[3] = {0, 0, 0};
    if (nargs < 1 || nargs > 3)
        return raise_type_error(vm, "set_threshold() takes at %s argument%s (%d given)", nargs ? "most 3" : "least 1",
                                nargs ? "s" : "", (int)nargs);
    for (uint32_t i = 0; i < nargs; i++)
        if (!arg_int(vm, args[i], &n[i])) return V_ERROR;
    value old = g_get_threshold(vm, NULL, 0, V_UNBOUND);
    tuple *t = value_is_error(old) ? NULL : tuple_from(vm, AS(tuple, old)->items, 3);
    if (!t) return V_ERROR;
    bool was_off = value_is(t->items[0], value_int(0));
    for (uint32_t i = 0; i < nargs; i++) t->items[i] = value_int(n[i]);
    if (!module_state_set(vm, STATE_GC_THRESHOLD, value_obj(t))) return V_ERROR;
    if (n[0] == 0) gc_set_enabled(vm, false);
    else if (was_off) gc_set_enabled(vm, true);
    return V_NONE;
}

static value stored_int(vm *vm, enum module_state_id id)
{
    value v = module_state_get(vm, id);
    return value_is_unbound(v) ? value_int(0) : v;
}

FN(g_get_debug) { return stored_int(vm, STATE_GC_DEBUG); }
FN(g_set_debug)
{
    int64_t n;
    return arg_int(vm, args[0], &n) && module_state_set(vm, STATE_GC_DEBUG, value_int(n)) ? V_NONE : V_ERROR;
}

/* Allocations since the last cycle (in units of a small object), and how many cycles there were. */
FN(g_get_count)
{
    gc_stats st;
    gc_get_stats(vm, &st);
    int64_t debt = vm->heap->debt > 0 ? vm->heap->debt / 64 : 0;
    tuple *r = tuple_pack(vm, 3, value_int(debt), value_int((int64_t)st.minors), value_int((int64_t)st.majors));
    return r ? value_obj(r) : V_ERROR;
}

FN(g_get_stats)
{
    gc_stats st;
    gc_get_stats(vm, &st);
    const uint64_t rows[3][2] = {{st.minors, 0}, {0, 0}, {st.majors, st.freed}};
    static const char *const names[] = {"collections", "collected", "uncollectable"};
    list *l = list_new(vm, 3);
    for (int i = 0; l && i < 3; i++) {
        dict *d = dict_new(vm);
        for (int k = 0; d && k < 3; k++) {
            str *key = str_intern_utf8(vm, names[k], strlen(names[k]));
            if (!key || !dict_set_str(vm, d, key, value_int(k < 2 ? (int64_t)rows[i][k] : 0))) return V_ERROR;
        }
        if (!d || !list_append(vm, l, value_obj(d))) return V_ERROR;
    }
    return l ? value_obj(l) : V_ERROR;
}

/* Not in CPython. */
FN(g_get_pauses)
{
    gc_stats st;
    gc_get_stats(vm, &st);
    tuple *r = tuple_pack(vm, 3, value_int((int64_t)(st.minors + st.majors + st.slices)),
                          value_float((double)st.pause_ns / 1e9), value_float((double)st.longest_ns / 1e9));
    return r ? value_obj(r) : V_ERROR;
}

/* ---- walking the heap ---- */

/* Collects objects without allocating any: a buffer of pointers, sized by a first walk. */
struct walk {
    vm *vm;
    object **found;
    size_t n, cap;
    const value *targets;
    uint32_t ntargets;
    bool hit;
};

static void count_object(void *ud, object *o)
{
    struct walk *w = ud;
    w->cap += is_visible(o);
}
static void take_object(void *ud, object *o)
{
    struct walk *w = ud;
    if (is_visible(o) && w->n < w->cap && is_container(o)) w->found[w->n++] = o;
}
static void check_reference(void *ud, object *o)
{
    struct walk *w = ud;
    for (uint32_t i = 0; i < w->ntargets; i++) {
        if (!value_is_obj(w->targets[i])) continue;
        const object *t = value_as_obj(w->targets[i]);
        /* An instance refers to its class through its shape. */
        if (t == o || (o->kind == K_SHAPE && (object *)((shape *)(void *)o)->cls == t)) w->hit = true;
    }
}
static void take_referrer(void *ud, object *o)
{
    struct walk *w = ud;
    if (!is_visible(o) || w->n >= w->cap) return;
    w->hit = false;
    gc_each_reference(w->vm, o, check_reference, w);
    if (w->hit) w->found[w->n++] = o;
}

static bool list_of_found(vm *vm, list *l, const struct walk *w)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->found[i]->kind == K_FRAME) frame_expose((frame *)(void *)w->found[i]);
        if (!list_push(vm, l, value_obj(w->found[i]))) return false;
    }
    return true;
}

static value walk_heap(vm *vm, struct walk *w, void (*take)(void *, object *))
{
    gc_collect_full(vm);
    gc_each_object(vm, count_object, w);
    size_t size;
    if (!size_mul(w->cap + 1, sizeof *w->found, &size)) return raise_memory(vm);
    w->found = mem_alloc(vm, size);
    if (!w->found) return V_ERROR;
    gc_each_object(vm, take, w);
    list *l = list_new(vm, w->n);
    bool ok = l && list_of_found(vm, l, w);
    mem_free(vm, w->found, size);
    return ok ? value_obj(l) : V_ERROR;
}

FN(g_get_objects)
{
    struct walk w = {.vm = vm};
    if (!value_is_unbound(args[0]) && !value_is_none(args[0])) {
        int64_t n;
        if (!int_is(args[0])) return raise_type_error(vm, "argument should be integer or None, not '%T'", args[0]);
        if (!arg_int(vm, args[0], &n)) return V_ERROR;
        if (n >= 3)
            return raise_value_error(vm,
                                     "generation parameter must be less than the number of available generations (3)");
        if (n < -1) return raise_value_error(vm, "generation parameter cannot be negative");
    }
    return walk_heap(vm, &w, take_object);
}

FN(g_get_referrers)
{
    struct walk w = {.vm = vm, .targets = args, .ntargets = nargs};
    return walk_heap(vm, &w, take_referrer);
}

static void count_reference(void *ud, object *o)
{
    (void)o;
    ((struct walk *)ud)->cap++;
}
static void take_reference(void *ud, object *o)
{
    struct walk *w = ud;
    if (o->kind == K_SHAPE) o = (object *)((shape *)(void *)o)->cls;
    if (o && is_visible(o) && w->n < w->cap) w->found[w->n++] = o;
}

FN(g_get_referents)
{
    struct walk w = {.vm = vm};
    for (uint32_t i = 0; i < nargs; i++)
        if (value_is_obj(args[i])) gc_each_reference(vm, value_as_obj(args[i]), count_reference, &w);
    size_t size;
    if (!size_mul(w.cap + 1, sizeof *w.found, &size)) return raise_memory(vm);
    if (!(w.found = mem_alloc(vm, size))) return V_ERROR;
    for (uint32_t i = 0; i < nargs; i++)
        if (value_is_obj(args[i])) gc_each_reference(vm, value_as_obj(args[i]), take_reference, &w);
    list *l = list_new(vm, w.n);
    bool ok = l && list_of_found(vm, l, &w);
    mem_free(vm, w.found, size);
    return ok ? value_obj(l) : V_ERROR;
}

FN(g_is_tracked) { return value_bool(value_is_obj(args[0]) && is_container(value_as_obj(args[0]))); }

FN(g_is_finalized)
{
    return value_bool(value_is_obj(args[0]) && (type_of(vm, args[0])->flags & TF_FINALIZER) &&
                      !(value_as_obj(args[0])->gc & GC_FINALIZE));
}

/* Freezing keeps nothing out of later cycles: old objects are skipped by minor ones anyway. It is
 * only counted. */
FN(g_freeze)
{
    struct walk w = {.vm = vm};
    gc_each_object(vm, count_object, &w);
    return module_state_set(vm, STATE_GC_FROZEN, value_int((int64_t)w.cap)) ? V_NONE : V_ERROR;
}
FN(g_unfreeze) { return module_state_set(vm, STATE_GC_FROZEN, value_int(0)) ? V_NONE : V_ERROR; }
FN(g_get_freeze_count) { return stored_int(vm, STATE_GC_FROZEN); }

static const native_def functions[] = {
    {"enable()", g_enable, DOC("Enable automatic garbage collection."), 0},
    {"disable()", g_disable, DOC("Disable automatic garbage collection."), 0},
    {"isenabled()", g_isenabled, DOC("Returns true if automatic garbage collection is enabled."), 0},
    {"collect(generation=2)", g_collect,
     DOC("Run the garbage collector. The number of unreachable objects is returned."), 0},
    {"get_count()", g_get_count, DOC("Return a three-tuple of the current collection counts."), 0},
    {"get_pauses()", g_get_pauses,
     DOC("Return how many pauses the collector has made, the CPU seconds of all together, and of the longest."), 0},
    {"get_stats()", g_get_stats, DOC("Return a list of dictionaries containing per-generation statistics."), 0},
    {"get_threshold()", g_get_threshold, DOC("Return the current collection thresholds."), 0},
    {"set_threshold(*args)", g_set_threshold, DOC("set_threshold(threshold0, [threshold1, threshold2])"), 0},
    {"get_debug()", g_get_debug, DOC("Get the garbage collection debugging flags."), 0},
    {"set_debug(flags, /)", g_set_debug, DOC("Set the garbage collection debugging flags."), 0},
    {"get_objects(generation=None)", g_get_objects, DOC("Return a list of objects tracked by the collector."), 0},
    {"get_referrers(*objs)", g_get_referrers, DOC("Return the list of objects that directly refer to any of objs."), 0},
    {"get_referents(*objs)", g_get_referents, DOC("Return the list of objects that are directly referred to by objs."),
     0},
    {"is_tracked(obj, /)", g_is_tracked, DOC("Returns true if the object is tracked by the garbage collector."), 0},
    {"is_finalized(obj, /)", g_is_finalized, DOC("Returns true if the object has been already finalized by the GC."),
     0},
    {"freeze()", g_freeze, DOC("Freeze all current tracked objects."), 0},
    {"unfreeze()", g_unfreeze, DOC("Unfreeze all objects."), 0},
    {"get_freeze_count()", g_get_freeze_count, DOC("Return the number of objects that freeze() found."), 0},
    {0},
};

static bool add_list(vm *vm, module *m, const char *name, enum module_state_id id)
{
    value l = module_state_get(vm, id);
    if (value_is_unbound(l)) {
        list *fresh = list_new(vm, 0);
        if (!fresh || !module_state_set(vm, id, l = value_obj(fresh))) return false;
    }
    return module_add(vm, m, name, l);
}

bool gc_init(vm *vm, module *m)
{
    static const struct {
        const char *name;
        int n;
    } constants[] = {{"DEBUG_STATS", 1},
                     {"DEBUG_COLLECTABLE", 2},
                     {"DEBUG_UNCOLLECTABLE", 4},
                     {"DEBUG_SAVEALL", 32},
                     {"DEBUG_LEAK", 38}};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!module_add(vm, m, constants[i].name, value_int(constants[i].n))) return false;
    return add_list(vm, m, "garbage", STATE_GC_GARBAGE) && add_list(vm, m, "callbacks", STATE_GC_CALLBACKS) &&
           module_add_natives(vm, m, functions);
}
