/* Module objects. Their namespace is a plain dict, which is what globals() of the module's functions is. */
#include "attr.h"
#include "dict.h"
#include "import.h"
#include "list.h"
#include "native.h"
#include "str.h"

#define DOC_FILE vm_module
DOC_BEGIN;

static module *module_alloc(vm *vm, type *t)
{
    module *m = gc_new(vm, K_MODULE, t->root_shape, sizeof *m);
    if (!m) return NULL;
    m->dict = dict_new(vm);
    return m->dict ? m : NULL;
}

static bool module_fill(vm *vm, module *m, value name, value doc)
{
    dict *d = m->dict;
    return dict_set_str(vm, d, N(vm, __name__), name) && dict_set_str(vm, d, N(vm, __doc__), doc) &&
           dict_set_str(vm, d, N(vm, __package__), V_NONE) && dict_set_str(vm, d, N(vm, __loader__), V_NONE) &&
           dict_set_str(vm, d, N(vm, __spec__), V_NONE);
}

module *module_new(vm *vm, str *name, value doc)
{
    module *m = module_alloc(vm, T(vm, MODULE));
    return m && module_fill(vm, m, value_obj(name), value_is_unbound(doc) ? V_NONE : doc) ? m : NULL;
}

bool module_add(vm *vm, module *m, const char *name, value v)
{
    if (value_is_error(v)) return false;
    str *s = str_intern_utf8(vm, name, strlen(name));
    return s && dict_set_str(vm, m->dict, s, v);
}

bool module_add_natives(vm *vm, module *m, const native_def *defs)
{
    value name = dict_get_str(vm, m->dict, N(vm, __name__));
    for (; defs->sig; defs++) {
        native *n = native_new(vm, defs, NULL, IS_STR(name) ? name : V_NONE);
        if (!n || !dict_set_str(vm, m->dict, AS(str, n->name), value_obj(n))) return false;
    }
    return true;
}

value module_getattr_error(vm *vm, module *m, str *name)
{
    value own = dict_get_str(vm, m->dict, N(vm, __name__));
    if (!IS_STR(own)) raise(vm, EXC_AttributeError, "module has no attribute '%U'", value_obj(name));
    else if (m->h.flags & MODULE_INITIALIZING)
        raise(vm, EXC_AttributeError,
              "partially initialized module '%U' has no attribute '%U' (most likely due to a circular import)", own,
              value_obj(name));
    else raise(vm, EXC_AttributeError, "module '%U' has no attribute '%U'", own, value_obj(name));
    return V_ERROR;
}

/* ---- slots ---- */

static value module_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    (void)args, (void)n, (void)kw;
    module *m = module_alloc(vm, t);
    return m ? value_obj(m) : V_ERROR;
}

static bool module_slot_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value out[2];
    if (!args_bind(vm, "module(name, doc=None)", args, n, kw, out)) return false;
    if (!IS_STR(out[0])) {
        raise_type_error(vm, "module() argument 'name' must be str, not %A", out[0]);
        return false;
    }
    return module_fill(vm, AS(module, self), out[0], value_is_unbound(out[1]) ? V_NONE : out[1]);
}

static value module_repr(vm *vm, value self)
{
    module *m = AS(module, self);
    value name = dict_get_str(vm, m->dict, N(vm, __name__)), file = dict_get_str(vm, m->dict, N(vm, __file__));
    str *s;
    if (value_is_unbound(name)) name = value_obj(vm->chars['?']);
    if (m->h.flags & MODULE_BUILTIN) s = str_format(vm, "<module %R (built-in)>", name);
    else if (m->h.flags & MODULE_FROZEN) s = str_format(vm, "<module %R (frozen)>", name);
    else if (!value_is_unbound(file) && !value_is_none(file)) s = str_format(vm, "<module %R from %R>", name, file);
    else if (m->h.flags & MODULE_NAMESPACE) s = str_format(vm, "<module %R (namespace)>", name);
    else {
        str *loader_name = str_intern_utf8(vm, "__loader__", 10);
        value loader = loader_name ? dict_get_str(vm, m->dict, loader_name) : V_ERROR;
        bool known = !value_is_unbound(loader) && !value_is_none(loader);
        s = known ? str_format(vm, "<module %R (%R)>", name, loader) : str_format(vm, "<module %R>", name);
    }
    return s ? value_obj(s) : V_ERROR;
}

/* Made when first asked for. */
static value module_annotations(vm *vm, value self)
{
    module *m = AS(module, self);
    value v = dict_get_str(vm, m->dict, N(vm, __annotations__));
    if (!value_is_unbound(v)) return v;
    dict *d = dict_new(vm);
    return d && dict_set_str(vm, m->dict, N(vm, __annotations__), value_obj(d)) ? value_obj(d) : V_ERROR;
}

static bool module_set_annotations(vm *vm, value self, value v)
{
    dict *d = AS(module, self)->dict;
    if (!value_is_unbound(v)) return dict_set_str(vm, d, N(vm, __annotations__), v);
    int r = dict_del(vm, d, value_obj(N(vm, __annotations__)));
    if (r == 0) raise(vm, EXC_AttributeError, "__annotations__");
    return r > 0;
}

static const getset_def module_getsets[] = {{"__annotations__", module_annotations, module_set_annotations, NULL}, {0}};

static value module_dir(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    dict *d = AS(module, a[0])->dict;
    value hook = dict_get_str(vm, d, N(vm, __dir__));
    if (!value_is_unbound(hook)) return vm_call0(vm, hook);
    list *l = list_new(vm, d->used);
    size_t pos = 0;
    value k, v;
    while (l && dict_next(d, &pos, &k, &v))
        if (!list_append(vm, l, k)) return V_ERROR;
    return l ? value_obj(l) : V_ERROR;
}

static void module_traverse(vm *vm, object *o)
{
    module *m = (module *)o;
    gc_mark_slots(vm, o, m->slots);
    gc_mark_obj(vm, (object *)m->dict);
}
static void module_free(vm *vm, object *o) { object_slots_free(vm, o, ((module *)o)->slots); }
static const gc_kind_ops module_kind_ops = {.traverse = module_traverse, .free = module_free, .tells_parts = true};
static const native_def module_methods[] = {{"__dir__(self, /)", module_dir, DOC("List of the module's names."), 0},
                                            {0}};

void type_init_module(vm *vm)
{
    gc_register_kind(vm, K_MODULE, &module_kind_ops);
    type *t = T(vm, MODULE);
    t->s.new_ = module_slot_new;
    t->s.init = module_slot_init;
    t->getsets = module_getsets;
    t->s.getattr = module_slot_getattr;
    t->s.repr = module_repr;
    t->methods = module_methods;
}
