/* Making the builtin types: at start, all of types.def in one go with empty dicts; the dicts at
 * first use.
 *
 * Start order: the type objects and their root shapes, then every type_init_* (slots, method
 * tables), then inheritance of unset slots from the base, in id order, so that a base is complete
 * before what derives from it.
 */
#include "attr.h"
#include "native.h"
#include "slot_table.h"
#include "type_parts.h"
#include "type_state.h"
#include "types_api.h"
#include "weakref.h"

#define INIT(NAME) void type_init_##NAME(vm *vm);
#include "builtin_types.def"
#undef INIT

struct type_row {
    const char *name;
    uint8_t kind;
    uint16_t base;
    uint16_t flags;
};

static const struct type_row type_rows[TYPE_COUNT] = {
#define TYPE(ID, NAME, K, BASE, FL) {NAME, K_##K, TYPE_##BASE, FL},
#define EXCTYPE(NAME, BASE)         {#NAME, K_EXCEPTION, EXC_##BASE, TF_BASE | TF_EXC | TF_HAS_DICT},
#include "types.def"
#undef TYPE
#undef EXCTYPE
};

/* Types that are not of the module builtins. */
static const struct {
    uint16_t id;
    const char *module;
} type_modules[] = {
    {TYPE_GENERIC_ALIAS, "types"},
    {TYPE_UNION, "types"},
    {TYPE_WEAKREF, "weakref"},
    {TYPE_WEAKPROXY, "weakref"},
    {TYPE_CALLABLE_PROXY, "weakref"},
    {TYPE_TEXTIO, "_io"},
    {TYPE_BINARYIO, "_io"},
    {TYPE_BUFFEREDIO, "_io"},
    {TYPE_BUFFEREDWRITER, "_io"},
    {TYPE_BUFFEREDRANDOM, "_io"},
    {TYPE_FILEIO, "_io"},
    {TYPE_FUTURE, "_asyncio"},
    {TYPE_TASK, "_asyncio"},
    {EXC_CancelledError, "asyncio.exceptions"},
    {EXC_InvalidStateError, "asyncio.exceptions"},
    {EXC_BrokenBarrierError, "asyncio.exceptions"},
    {EXC_SendfileNotAvailableError, "asyncio.exceptions"},
    {EXC_IncompleteReadError, "asyncio.exceptions"},
    {EXC_LimitOverrunError, "asyncio.exceptions"},
    {EXC_QueueEmpty, "asyncio.queues"},
    {EXC_QueueFull, "asyncio.queues"},
    {EXC_QueueShutDown, "asyncio.queues"},
};

/* Instances take attributes although the type is builtin. */
static const uint16_t types_with_dict[] = {TYPE_FUNCTION, TYPE_MODULE,       TYPE_FUTURE,
                                           TYPE_TASK,     TYPE_STATICMETHOD, TYPE_CLASSMETHOD};
/* Exceptions with C fields of their own: two of them can't be mixed in one class, as in CPython. */
static const uint16_t solid_exceptions[] = {
    EXC_BaseException,
    EXC_BaseExceptionGroup,
    EXC_SystemExit,
    EXC_AttributeError,
    EXC_ImportError,
    EXC_NameError,
    EXC_OSError,
    EXC_StopIteration,
    EXC_SyntaxError,
    EXC_UnicodeDecodeError,
    EXC_UnicodeEncodeError,
    EXC_UnicodeTranslateError,
};

type *type_alloc(vm *vm, type *meta)
{
    type *t = gc_new(vm, K_TYPE, meta ? meta->root_shape : TYPE_TYPE, sizeof *t);
    if (t) t->serial = ++type_state_of(vm)->serial;
    return t;
}

static bool builtin_mro(vm *vm, unsigned id, type *t, type *base)
{
    if (!base) {
        t->bases = vm->empty_tuple;
        return t->bases && (t->mro = tuple_pack(vm, 1, value_obj(t)));
    }
    if (id == EXC_ExceptionGroup) { /* the one builtin class with two bases */
        type *group = EXC_T(vm, BaseExceptionGroup), *exc = EXC_T(vm, Exception);
        t->bases = tuple_pack(vm, 2, value_obj(group), value_obj(exc));
        t->mro = tuple_pack(vm, 5, value_obj(t), value_obj(group), value_obj(exc), value_obj(EXC_T(vm, BaseException)),
                            value_obj(T(vm, OBJECT)));
        return t->bases && t->mro;
    }
    t->bases = tuple_pack(vm, 1, value_obj(base));
    t->mro = tuple_new(vm, base->mro->len + 1);
    if (!t->bases || !t->mro) return false;
    t->mro->items[0] = value_obj(t);
    memcpy(t->mro->items + 1, base->mro->items, base->mro->len * sizeof(value));
    return true;
}

static bool make_builtin(vm *vm, unsigned id)
{
    const struct type_row *row = &type_rows[id];
    type *t = type_alloc(vm, NULL);
    if (!t) return false;
    vm->types[id] = t;
    type *base = id == TYPE_OBJECT || id == 0 ? NULL : vm->types[row->base];
    t->id = id;
    t->flags = row->flags | TF_LAZY | TF_IMMUTABLE;
    t->inst_kind = row->kind;
    t->root_shape = id;
    t->base = base;
    str *name = str_intern_utf8(vm, row->name, strlen(row->name));
    if (!name) return false;
    t->name = t->qualname = value_obj(name);
    t->solid = !base || row->kind != type_rows[row->base].kind ? t : base->solid;
    t->root = shape_new_root(vm, t, id);
    return t->root && builtin_mro(vm, id, t, base);
}

/* A builtin type's slots are complete: inherits the unset ones, settles flags. */
void type_ready(vm *vm, type *t)
{
    if (t->base) slot_inherit(t, t->base);
    type_update_flags(vm, t);
}

static bool set_modules(vm *vm)
{
    for (size_t i = 0; i < sizeof type_modules / sizeof *type_modules; i++) {
        str *m = str_intern_utf8(vm, type_modules[i].module, strlen(type_modules[i].module));
        if (!m) return false;
        vm->types[type_modules[i].id]->module = value_obj(m);
    }
    for (unsigned i = 0; i < TYPE_COUNT; i++)
        if (value_is_unbound(vm->types[i]->module)) vm->types[i]->module = value_obj(N(vm, builtins));
    return true;
}

static void type_traverse(vm *vm, object *o)
{
    type *t = (type *)(void *)o;
    gc_mark_slots(vm, o, t->slots);
    gc_mark_obj(vm, (object *)(void *)t->base);
    gc_mark_obj(vm, (object *)(void *)t->bases);
    gc_mark_obj(vm, (object *)(void *)t->mro);
    gc_mark_obj(vm, (object *)(void *)t->dict);
    gc_mark_obj(vm, (object *)(void *)t->subclasses);
    gc_mark_obj(vm, (object *)(void *)t->root);
    gc_mark_obj(vm, (object *)(void *)t->dict_shape);
    gc_mark_value(vm, t->name);
    gc_mark_value(vm, t->qualname);
    gc_mark_value(vm, t->doc);
    gc_mark_value(vm, t->module);
}

static void type_free(vm *vm, object *o)
{
    type *t = (type *)(void *)o;
    object_slots_free(vm, o, t->slots);
    vm->class_epoch++; /* no cache may hit through its address */
}

static void mark_types(vm *vm, void *ud)
{
    (void)ud;
    for (unsigned i = 0; i < TYPE_COUNT; i++) gc_mark_obj(vm, (object *)(void *)vm->types[i]);
}

bool types_open(vm *vm)
{
    static const gc_kind_ops type_ops = {.traverse = type_traverse, .free = type_free};
    vm->class_epoch = 1;
    vm->state[VMS_TYPES] = mem_zalloc(vm, sizeof(type_state));
    if (!vm->state[VMS_TYPES] || !type_cache_open(vm) || !shape_open(vm) || !weakref_open(vm) || !slot_table_open(vm))
        return false;
    gc_register_kind(vm, K_TYPE, &type_ops);
    userdata_open(vm);
    if (!gc_add_roots(vm, mark_types, NULL)) return false;
    if (!make_builtin(vm, TYPE_OBJECT)) return false;
    for (unsigned i = 0; i < TYPE_COUNT; i++)
        if (i != TYPE_OBJECT && !make_builtin(vm, i)) return false;
    if (!set_modules(vm)) return false;
    for (size_t i = 0; i < sizeof types_with_dict / sizeof *types_with_dict; i++)
        vm->types[types_with_dict[i]]->flags |= TF_HAS_DICT;
    for (size_t i = 0; i < sizeof solid_exceptions / sizeof *solid_exceptions; i++)
        vm->types[solid_exceptions[i]]->solid = vm->types[solid_exceptions[i]];
    for (unsigned i = EXC_BaseException; i < TYPE_COUNT; i++) { /* solid bases again, in order of derivation */
        type *t = vm->types[i];
        if (t->solid != t) t->solid = t->base->solid;
    }
    /* A bound native's type is the same as an unbound one's. */
    vm->shapes[TYPE_NATIVE_BOUND]->cls = T(vm, NATIVE);
#define INIT(NAME) type_init_##NAME(vm);
#include "builtin_types.def"
#undef INIT
    if (raised(vm)) return false;
    type_ready(vm, T(vm, OBJECT));
    for (unsigned i = 0; i < TYPE_COUNT; i++)
        if (i != TYPE_OBJECT) type_ready(vm, vm->types[i]);
    return !raised(vm);
}

void types_close(vm *vm)
{
    type_state *ts = type_state_of(vm);
    weakref_close(vm);
    if (ts) {
        if (ts->layouts) mem_free(vm, ts->layouts, ts->caplayouts * sizeof *ts->layouts);
        if (ts->repr_more) mem_free(vm, ts->repr_more, ts->caprepr * sizeof *ts->repr_more);
        mem_free(vm, ts, sizeof *ts);
    }
    vm->state[VMS_TYPES] = NULL;
    type_cache_close(vm);
    if (vm->shapes) mem_free(vm, vm->shapes, vm->capshapes * sizeof *vm->shapes);
    vm->shapes = NULL;
}

/* ---- materialisation ---- */

static bool add_method(vm *vm, type *t, dict *d, const native_def *def)
{
    native *n = native_new(vm, def, t, V_NONE);
    if (!n) return false;
    value v = value_obj(n);
    if (def->flags & NATIVE_STATIC) {
        v = staticmethod_new(vm, v);
        if (value_is_error(v)) return false;
    }
    return dict_set_str(vm, d, AS(str, n->name), v);
}

/* The docstring of a builtin type, or None. */
static value builtin_doc(vm *vm, uint32_t id)
{
    const char *text = NULL;
    switch (id) {
#define TYPE_DOC(ID, TEXT) \
    case ID:               \
        text = TEXT;       \
        break;
#include "type_docs.def"
#undef TYPE_DOC
    default: return V_NONE;
    }
    str *s = str_from_cstr(vm, text);
    if (!s) exc_clear(vm);
    return s ? value_obj(s) : V_NONE;
}

bool type_materialize(vm *vm, type *t)
{
    if (!t->dict) {
        dict *d = dict_new(vm);
        if (!d) return false;
        t->dict = d;
        gc_barrier(vm, t);
    }
    t->flags &= ~(uint32_t)TF_LAZY;
    dict *d = t->dict;
    bool ok = true;
    for (const native_def *def = t->methods; ok && def && def->sig; def++) ok = add_method(vm, t, d, def);
    for (const getset_def *gs = t->getsets; ok && gs && gs->name; gs++) {
        value v = getset_new(vm, t, gs);
        str *name = value_is_error(v) ? NULL : str_intern_utf8(vm, gs->name, strlen(gs->name));
        ok = name && dict_set_str(vm, d, name, v);
    }
    if (ok && t->id && alias_is_generic_type(t->id)) ok = add_method(vm, t, d, alias_class_getitem);
    ok = ok && slot_wrappers_add(vm, t, d);
    if (ok && (t->flags & TF_HAS_DICT) && !(t->base->flags & TF_HAS_DICT) && t->inst_kind != K_TYPE &&
        value_is_unbound(dict_get_str(vm, d, N(vm, __dict__)))) {
        value v = getset_new(vm, t, &class_dict_getset);
        ok = !value_is_error(v) && dict_set_str(vm, d, N(vm, __dict__), v);
    }
    value doc = value_is_unbound(t->doc) ? builtin_doc(vm, t->id) : t->doc;
    if (ok && value_is_unbound(dict_get_str(vm, d, N(vm, __doc__)))) {
        ok = dict_set_str(vm, d, N(vm, __doc__), doc);
    } else if (!value_is_none(doc)) { /* __doc__ in the namespace is that of the instances: function, property, ... */
        t->doc = doc;
        gc_barrier(vm, t);
    }
    if (!ok) t->flags |= TF_LAZY; /* again at the next lookup: filling is idempotent */
    return ok;
}

/* ---- builtin types of C modules ---- */

type *type_from_spec(vm *vm, const type_spec *spec)
{
    return type_derive(vm, spec, vm->types[spec->base_id ? spec->base_id : TYPE_OBJECT]);
}

type *type_derive(vm *vm, const type_spec *spec, type *base)
{
    const char *dot = strrchr(spec->name, '.');
    const char *name = dot ? dot + 1 : spec->name;
    type *t = type_alloc(vm, NULL);
    if (!t) return NULL;
    ROOTS(vm, &t);
    t->flags = spec->flags | TF_LAZY | TF_IMMUTABLE | (base->flags & (TF_EXC | TF_HAS_DICT));
    t->base = base;
    t->layout = spec->layout ? spec->layout : base->layout;
    t->inst_kind = spec->layout ? K_USERDATA : base->inst_kind;
    t->solid = spec->layout ? t : base->solid;
    t->methods = spec->methods;
    t->getsets = spec->getsets;
    t->nmembers = (uint16_t)(base->nmembers + spec->nslots);
    t->inline_slots = t->nmembers;
    if (spec->fill) spec->fill(&t->s);
    str *s = str_intern_utf8(vm, name, strlen(name));
    str *m = dot ? str_intern_utf8(vm, spec->name, (size_t)(dot - spec->name)) : N(vm, builtins);
    str *doc = spec->doc ? str_from_cstr(vm, spec->doc) : NULL;
    if (!s || !m || (spec->doc && !doc)) return NULL;
    t->name = t->qualname = value_obj(s);
    t->module = value_obj(m);
    if (doc) t->doc = value_obj(doc);
    t->root = shape_new_root(vm, t, 0);
    if (!t->root) return NULL;
    t->root_shape = t->root->id;
    if (!builtin_mro(vm, 0, t, base) || !type_add_subclass(vm, base, t)) return NULL;
    if (t->layout && !layout_index(vm, t->layout)) return NULL;
    type_ready(vm, t);
    return t;
}
