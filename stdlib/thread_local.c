/* _thread._local: attributes that every thread has its own of.
 *
 * An object keeps one dict per thread that has used it, found by the thread's serial number (which is never used
 * again). All such objects of a VM are linked, so that a thread's dicts go when it ends. The arguments of the
 * constructor are kept: a subclass's __init__ is called with them the first time another thread uses the object. */
#include "thread_module.h"
#include "vm/attr.h"
#include "vm/dict.h"

struct local_entry {
    uint64_t serial;
    dict *values;
};
typedef struct local_object {
    object h;
    value *slots;
    struct local_entry *entries;
    size_t n, cap;
    value args, kw;                   /* of the constructor: tuple; dict or unbound */
    struct local_object *prev, *next; /* all of the VM: vm->state[VMS_THREADS] is the first */
} local_object;

static void local_link(vm *vm, local_object *l)
{
    l->next = vm->state[VMS_THREADS];
    if (l->next) l->next->prev = l;
    vm->state[VMS_THREADS] = l;
}

static void local_free(vm *vm, object *o)
{
    local_object *l = (local_object *)(void *)o;
    mem_free(vm, l->entries, l->cap * sizeof *l->entries);
    if (value_is_unbound(l->args)) return; /* never linked */
    if (l->next) l->next->prev = l->prev;
    if (l->prev) l->prev->next = l->next;
    else vm->state[VMS_THREADS] = l->next;
}

static void local_traverse(vm *vm, object *o)
{
    local_object *l = (local_object *)(void *)o;
    for (size_t i = 0; i < l->n; i++) gc_mark_obj(vm, (object *)l->entries[i].values);
    gc_mark_value(vm, l->args);
    gc_mark_value(vm, l->kw);
}

void local_forget_thread(vm *vm, const thread *th)
{
    for (local_object *l = vm->state[VMS_THREADS]; l; l = l->next)
        for (size_t i = 0; i < l->n; i++)
            if (l->entries[i].serial == th->serial) {
                l->entries[i] = l->entries[--l->n];
                break;
            }
}

/* The current thread's dict, made if need be; NULL: raised. */
static dict *local_add(vm *vm, local_object *l)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4, bytes;
        if (!size_mul(cap, sizeof *l->entries, &bytes)) return raise_memory(vm), NULL;
        struct local_entry *e = mem_realloc(vm, l->entries, l->cap * sizeof *e, bytes);
        if (!e) return NULL;
        l->entries = e;
        l->cap = cap;
    }
    dict *d = dict_new(vm);
    if (!d) return NULL;
    l->entries[l->n++] = (struct local_entry){vm->thread->serial, d};
    gc_barrier(vm, l);
    return d;
}

static dict *local_values(vm *vm, value self)
{
    local_object *l = AS(local_object, self);
    uint64_t me = vm->thread->serial;
    for (size_t i = 0; i < l->n; i++)
        if (l->entries[i].serial == me) return l->entries[i].values;
    dict *d = local_add(vm, l);
    if (!d) return NULL;
    ROOTS(vm, &self, &d);
    value init = type_lookup(vm, type_of(vm, self), N(vm, __init__));
    if (!value_is_kind(init, K_FUNCTION)) return d;
    value f = obj_getattr(vm, self, N(vm, __init__));
    if (value_is_error(f) || value_is_error(vm_call_ex(vm, f, l->args, l->kw))) {
        for (size_t i = 0; i < l->n; i++) /* as if it had never been used here */
            if (l->entries[i].serial == me) l->entries[i] = l->entries[--l->n];
        return NULL;
    }
    return d;
}

static value local_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    bool named = !value_is_unbound(kw) && AS(tuple, kw)->len;
    if ((n || named) && !value_is_kind(type_lookup(vm, t, N(vm, __init__)), K_FUNCTION))
        return raise_type_error(vm, "Initialization arguments are not supported");
    local_object *l = userdata_new(vm, t);
    tuple *all = l ? tuple_from(vm, args, n) : NULL;
    if (!all) return V_ERROR;
    if (named) {
        dict *d = dict_new(vm);
        if (!d) return V_ERROR;
        for (size_t i = 0; i < AS(tuple, kw)->len; i++)
            if (!dict_set(vm, d, AS(tuple, kw)->items[i], args[n + i])) return V_ERROR;
        l->kw = value_obj(d);
    }
    l->args = value_obj(all);
    local_link(vm, l);
    return local_add(vm, l) ? value_obj(l) : V_ERROR;
}

static value local_getattr(vm *vm, value self, value name)
{
    dict *d = local_values(vm, self);
    if (!d) return V_ERROR;
    str *s = AS(str, name);
    if (str_eq(s, N(vm, __dict__))) return value_obj(d);
    type *t = type_of(vm, self);
    if (!(s->h.flags & STR_INTERNED) && !(s = str_intern(vm, s))) return V_ERROR;
    value found = type_lookup(vm, t, s);
    if (raised(vm)) return V_ERROR;
    const type *how = value_is_unbound(found) ? NULL : type_of(vm, found);
    if (how && how->s.descr_set && how->s.descr_get) return how->s.descr_get(vm, found, self, value_obj(t));
    value v = dict_get_str(vm, d, s);
    if (!value_is_unbound(v) || raised(vm)) return v;
    return attr_generic_get(vm, self, s); /* the class's, or the error */
}

static bool local_setattr(vm *vm, value self, value name, value v)
{
    dict *d = local_values(vm, self);
    if (!d) return false;
    str *s = AS(str, name);
    if (!(s->h.flags & STR_INTERNED) && !(s = str_intern(vm, s))) return false;
    if (str_eq(s, N(vm, __dict__))) {
        raise(vm, EXC_AttributeError, "'%T' object attribute '__dict__' is read-only", self);
        return false;
    }
    value found = type_lookup(vm, type_of(vm, self), s);
    if (raised(vm)) return false;
    if (!value_is_unbound(found)) {
        const type *how = type_of(vm, found);
        if (how->s.descr_set) return how->s.descr_set(vm, found, self, v);
    }
    if (!value_is_unbound(v)) return dict_set_str(vm, d, s, v);
    if (value_is_unbound(dict_get_str(vm, d, s))) {
        raise_attribute_error(vm, self, s);
        return false;
    }
    return dict_del(vm, d, value_obj(s)) > 0;
}

static void local_fill(struct type_slots *s)
{
    s->new_ = local_new;
    s->getattr = local_getattr;
    s->setattr = local_setattr;
}

bool local_type_open(vm *vm, module *m)
{
    static const type_layout layout = {
        .size = sizeof(local_object) - sizeof(userdata), .traverse = local_traverse, .free = local_free};
    static const type_spec spec = {.name = "_thread._local",
                                   .doc = "Attributes that every thread has its own of.",
                                   .layout = &layout,
                                   .flags = TF_BASE,
                                   .fill = local_fill};
    return module_add_type(vm, m, STATE_THREAD_LOCAL, &spec) != NULL;
}
