/* The public C API: classes over host data.
 *
 * An object is a userdata whose body begins with its host_class, followed by the host's bytes, which never move. The
 * class's functions, properties and dunder methods are ordinary attributes of the type, set one by one.
 *
 * Invariant: the host's finaliser runs once for each object, in the sweep that frees it, when the VM is closed at the
 * latest.
 */
#include "runtime/api.h"

#include "vm/attr.h"
#include "vm/native.h"
#include "vm/type_parts.h"

struct host_class {
    type_layout layout; /* first: type.layout points here */
    const aiovm_class *cls;
    void *ud;
    type *type;
    host_class *next;
    native *init;
    char *name; /* copies */
    size_t name_size;
};
typedef struct host_object {
    object h;
    value *slots;
    host_class *of;
    uint64_t pad;
    _Alignas(16) char data[];
} host_object;

static void object_free(vm *vm, object *o)
{
    host_object *h = (host_object *)(void *)o;
    api *a = api_of(vm);
    if (!h->of || !h->of->cls->finalize) return;
    a->in_sweep++;
    h->of->cls->finalize(h->data, h->of->ud);
    a->in_sweep--;
}

static host_class *class_of_type(vm *vm, const type *t)
{
    for (host_class *c = api_of(vm)->classes; c; c = c->next)
        if (t->layout == &c->layout) return c;
    return NULL;
}

static host_object *object_of(vm *vm, value v)
{
    if (!value_is_kind(v, K_USERDATA)) return NULL;
    const type_layout *l = type_of(vm, v)->layout;
    return l && l->free == object_free ? AS(host_object, v) : NULL;
}

void *api_self(vm *vm, value v)
{
    host_object *h = object_of(vm, v);
    return h ? h->data : NULL;
}

static host_object *make(vm *vm, host_class *c, type *t)
{
    host_object *h = userdata_new(vm, t);
    if (h) h->of = c;
    return h;
}

static value class_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    (void)args, (void)n, (void)kw;
    host_class *c = class_of_type(vm, t);
    if (!c || !c->init) return raise_type_error(vm, "cannot create '%N' instances", t);
    host_object *h = make(vm, c, t);
    return h ? value_obj(h) : V_ERROR;
}

static void class_fill(struct type_slots *s) { s->new_ = class_new; }

/* ---- making a class ---- */

static bool add_attribute(vm *vm, type *t, const char *name, value v)
{
    str *s = str_intern_utf8(vm, name, strlen(name));
    return s && !value_is_error(v) && type_setattr(vm, t, s, v);
}

static value make_native(vm *vm, host_class *c, const aiovm_func *f)
{
    native *n = api_native_new(vm, f, c->ud, c->type, c->type->module);
    return n ? value_obj(n) : V_ERROR;
}

/* name(self) or name(self, value, /) as a native for a property. */
static value accessor(vm *vm, host_class *c, const char *name, const char *params, aiovm_native *fn)
{
    char sig[160];
    size_t n = strlen(name), m = strlen(params) + 1;
    if (!fn) return V_NONE;
    if (n + m > sizeof sig) return raise_value_error(vm, "the name of the property '%s' is too long", name);
    memcpy(sig, name, n);
    memcpy(sig + n, params, m);
    return make_native(vm, c, &(aiovm_func){sig, fn, NULL, 0});
}

static bool add_property(vm *vm, host_class *c, const aiovm_property *p)
{
    value get = accessor(vm, c, p->name, "(self)", p->get), set = V_NONE, doc = V_NONE;
    ROOTS(vm, &get, &set, &doc);
    if (value_is_error(get)) return false;
    set = accessor(vm, c, p->name, "(self, value, /)", p->set);
    if (value_is_error(set)) return false;
    if (p->doc) {
        str *s = api_text(vm, p->doc, AIOVM_ZTS);
        if (!s) return false;
        doc = value_obj(s);
    }
    return add_attribute(vm, c->type, p->name, property_new(vm, get, set, V_NONE, doc));
}

/* "Entity(x, y)" -> "__init__(self, x, y)" */
static bool add_init(vm *vm, host_class *c)
{
    const char *open = strchr(c->cls->init_signature, '(');
    char sig[400];
    const char head[] = "__init__(self";
    if (!open || !strchr(open, ')') || strlen(open) + sizeof head + 3 > sizeof sig) {
        raise_value_error(vm, "the signature '%s' is not of the form name(parameters)", c->cls->init_signature);
        return false;
    }
    const char *rest = open + 1;
    while (*rest == ' ') rest++;
    memcpy(sig, head, sizeof head);
    if (*rest != ')') memcpy(sig + sizeof head - 1, ", ", 3);
    memcpy(sig + strlen(sig), rest, strlen(rest) + 1);
    c->init = api_native_new(vm, &(aiovm_func){sig, c->cls->init, NULL, 0}, c->ud, c->type, c->type->module);
    return c->init && add_attribute(vm, c->type, "__init__", value_obj(c->init));
}

static bool fill_class(vm *vm, host_class *c)
{
    const aiovm_class *cls = c->cls;
    if (!type_materialize(vm, c->type)) return false;
    c->type->flags &= ~(uint32_t)TF_IMMUTABLE; /* while it is built */
    for (const aiovm_func *f = cls->methods; f && f->signature; f++) {
        value n = make_native(vm, c, f);
        if (value_is_error(n)) return false;
        ROOTS(vm, &n);
        const char *open = strchr(f->signature, '(');
        str *name = str_intern_utf8(vm, f->signature, (size_t)(open - f->signature));
        if (!name || !type_setattr(vm, c->type, name, n)) return false;
    }
    for (const aiovm_property *p = cls->properties; p && p->name; p++)
        if (!add_property(vm, c, p)) return false;
    if (cls->init_signature && cls->init && !add_init(vm, c)) return false;
    c->type->flags |= TF_IMMUTABLE;
    return true;
}

static host_class *find_class(vm *vm, const aiovm_class *cls)
{
    for (host_class *c = api_of(vm)->classes; c; c = c->next)
        if (c->cls == cls && c->type) return c;
    return NULL;
}

static host_class *make_class(vm *vm, const aiovm_class *cls, void *ud)
{
    host_class *c = find_class(vm, cls);
    if (c) return c;
    size_t size;
    if (!size_add(cls->size, sizeof(host_object) - sizeof(userdata), &size)) {
        raise_memory(vm);
        return NULL;
    }
    c = mem_zalloc(vm, sizeof *c);
    if (!c) return NULL;
    c->layout.size = size;
    c->layout.free = object_free;
    c->cls = cls;
    c->ud = ud;
    c->next = api_of(vm)->classes;
    api_of(vm)->classes = c; /* from now on it is freed with the VM */
    value *root = vm_root_slot(vm);
    if (!root) return NULL;
    char name[200];
    bool dotted = strchr(cls->name, '.') != NULL;
    if (strlen(cls->name) + sizeof "__main__." > sizeof name) {
        raise_value_error(vm, "the name of the class is too long");
        return NULL;
    }
    name[0] = 0;
    if (!dotted) memcpy(name, "__main__.", sizeof "__main__.");
    memcpy(name + strlen(name), cls->name, strlen(cls->name) + 1);
    type_spec spec = {name,       cls->doc, &c->layout, NULL, NULL, 0, cls->subclassable ? TF_BASE | TF_HAS_DICT : 0,
                      class_fill, 0};
    type *t = type_from_spec(vm, &spec);
    if (!t) return NULL;
    *root = value_obj(t);
    c->type = t;
    if (fill_class(vm, c)) return c;
    c->type = NULL;
    return NULL;
}

void api_classes_free(vm *vm)
{
    api *a = api_of(vm);
    while (a->classes) {
        host_class *c = a->classes;
        a->classes = c->next;
        mem_free(vm, c, sizeof *c);
    }
}

aiovm_status aiovm_class_make(aiovm *host, const aiovm_class *cls, void *ud, aiovm_value *out)
{
    if (!cls || !cls->name) return api_invalid(out);
    vm *vm = inside(host);
    API_COME_IN(vm);
    aiovm_status status = api_enter(vm, API_SCRIPT, out);
    if (status) return status;
    host_class *c = make_class(vm, cls, ud);
    return api_leave(vm, API_SCRIPT, c ? value_obj(c->type) : V_ERROR, out);
}

void *aiovm_new(aiovm *host, const aiovm_class *cls, aiovm_value *out)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    aiovm_value unused;
    if (!out) out = &unused;
    if (api_enter(vm, API_SCRIPT, out)) return NULL;
    host_class *c = make_class(vm, cls, NULL);
    host_object *h = c ? make(vm, c, c->type) : NULL;
    return api_leave(vm, API_SCRIPT, h ? value_obj(h) : V_ERROR, out) == AIOVM_OK ? h->data : NULL;
}

void *aiovm_data(aiovm *host, const aiovm_class *cls, aiovm_value v)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    if (api_of(vm)->in_sweep) return NULL;
    host_object *h = object_of(vm, from_host(v));
    return h && h->of->cls == cls ? h->data : NULL;
}
