/* Functions, bound methods and cells: the objects. Calling them is the interpreter's affair
 * (call.c). */
#include "attr.h"
#include "frame.h"
#include "native.h"
#include "type_parts.h"
#include "types_api.h"

#define DOC_FILE vm_function
DOC_BEGIN;

static value repr_value(str *s) { return s ? value_obj(s) : V_ERROR; }
static value or_none(value v) { return value_is_unbound(v) ? V_NONE : v; }

/* ---- functions ---- */

function *function_new(vm *vm, code *c, dict *globals, uint32_t ncells)
{
    size_t size;
    if (!size_mul(ncells, sizeof(cell *), &size) || !size_add(size, sizeof(function), &size)) {
        raise_memory(vm);
        return NULL;
    }
    function *f = gc_new_fast(vm, K_FUNCTION, TYPE_FUNCTION, size);
    if (!f) return NULL;
    f->h.flags = (uint16_t)c->flags;
    f->code = c;
    f->globals = globals;
    f->defaults = f->kwdefaults = f->annotations = V_NONE;
    f->name = value_obj(c->name);
    f->qualname = value_obj(c->qualname);
    f->doc = or_none(c->doc);
    f->ncells = ncells;
    return f;
}

value function_builtins(vm *vm, dict *globals)
{
    value b = dict_get_str(vm, globals, N(vm, __builtins__));
    if (value_is_kind(b, K_MODULE)) b = value_obj(AS(module, b)->dict);
    return value_is(b, value_obj(vm->builtins)) ? V_UNBOUND : b;
}

static value function_call(vm *vm, value f, value *args, uint32_t nargs, value kwnames)
{
    return vm_call_kw(vm, f, args, nargs, kwnames);
}

static value function_get(vm *vm, value f, value o, value t)
{
    (void)t;
    return value_is_unbound(o) ? f : method_new(vm, f, o);
}

static value function_repr(vm *vm, value v)
{
    char addr[20];
    return repr_value(
        str_format(vm, "<function %U at %s>", AS(function, v)->qualname, address_text(value_as_obj(v), addr)));
}

/* types.FunctionType(code, globals, name=None, argdefs=None, closure=None) */
static value function_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)t;
    value a[5];
    if (!args_bind(vm, "function(code, globals, name=None, argdefs=None, closure=None)", args, nargs, kwnames, a))
        return V_ERROR;
    if (!value_is_kind(a[0], K_CODE))
        return raise_type_error(vm, "function() argument 'code' must be code, not %T", a[0]);
    if (!IS_DICT(a[1])) return raise_type_error(vm, "function() argument 'globals' must be dict, not %T", a[1]);
    for (int i = 2; i < 5; i++) a[i] = or_none(a[i]);
    if (!value_is_none(a[2]) && !IS_STR(a[2])) return raise_type_error(vm, "arg 3 (name) must be None or string");
    if (!value_is_none(a[3]) && !IS_TUPLE(a[3])) return raise_type_error(vm, "arg 4 (defaults) must be None or tuple");
    code *c = AS(code, a[0]);
    if (!IS_TUPLE(a[4]) && (c->nfree || !value_is_none(a[4])))
        return raise_type_error(vm,
                                c->nfree ? "arg 5 (closure) must be tuple" : "arg 5 (closure) must be None or tuple");
    uint32_t ncells = IS_TUPLE(a[4]) ? (uint32_t)AS(tuple, a[4])->len : 0;
    if (ncells != c->nfree)
        return raise_value_error(vm, "%U requires closure of length %d, not %d", c->name, (int)c->nfree, (int)ncells);
    for (uint32_t i = 0; i < ncells; i++)
        if (!value_is_kind(AS(tuple, a[4])->items[i], K_CELL))
            return raise_type_error(vm, "arg 5 (closure) expected cell, found %T", AS(tuple, a[4])->items[i]);
    function *f = function_new(vm, c, AS(dict, a[1]), ncells);
    if (!f) return V_ERROR;
    for (uint32_t i = 0; i < ncells; i++) f->cells[i] = AS(cell, AS(tuple, a[4])->items[i]);
    if (IS_STR(a[2])) f->name = f->qualname = a[2];
    f->defaults = a[3];
    f->builtins = function_builtins(vm, f->globals);
    return value_obj(f);
}

static value get_name(vm *vm, value v)
{
    (void)vm;
    return AS(function, v)->name;
}
static value get_qualname(vm *vm, value v)
{
    (void)vm;
    return AS(function, v)->qualname;
}
static value get_doc(vm *vm, value v)
{
    (void)vm;
    return AS(function, v)->doc;
}
static value get_module(vm *vm, value v)
{
    function *f = AS(function, v);
    if (!value_is_unbound(f->module)) return f->module;
    value m = dict_get_str(vm, f->globals, N(vm, __name__)); /* as of now: nobody has set it */
    return raised(vm) ? V_ERROR : or_none(m);
}
static value get_defaults(vm *vm, value v)
{
    (void)vm;
    return or_none(AS(function, v)->defaults);
}
static value get_kwdefaults(vm *vm, value v)
{
    (void)vm;
    return or_none(AS(function, v)->kwdefaults);
}
static value get_code(vm *vm, value v)
{
    (void)vm;
    return value_obj(AS(function, v)->code);
}
static value get_globals(vm *vm, value v)
{
    (void)vm;
    return value_obj(AS(function, v)->globals);
}
static value get_builtins(vm *vm, value v)
{
    value b = AS(function, v)->builtins;
    return !value_is_unbound(b) ? b : value_obj(vm->builtins);
}
static value get_closure(vm *vm, value v)
{
    function *f = AS(function, v);
    if (!f->ncells) return V_NONE;
    tuple *t = tuple_new(vm, f->ncells);
    if (!t) return V_ERROR;
    for (uint32_t i = 0; i < f->ncells; i++) t->items[i] = value_obj(f->cells[i]);
    return value_obj(t);
}

static value get_annotations(vm *vm, value v)
{
    function *f = AS(function, v);
    if (IS_DICT(f->annotations)) return f->annotations;
    dict *d = dict_new(vm);
    if (!d) return V_ERROR;
    if (IS_TUPLE(f->annotations)) {
        tuple *t = AS(tuple, f->annotations);
        for (size_t i = 0; i + 1 < t->len; i += 2)
            if (!dict_set_str(vm, d, AS(str, t->items[i]), t->items[i + 1])) return V_ERROR;
    }
    f->annotations = value_obj(d);
    gc_barrier(vm, f);
    return f->annotations;
}

static bool set_str(vm *vm, value self, value *field, value v, const char *name)
{
    if (!IS_STR(v)) {
        raise_type_error(vm, "%s must be set to a string object", name);
        return false;
    }
    *field = v;
    gc_barrier(vm, value_as_obj(self));
    return true;
}
static bool set_name(vm *vm, value self, value v)
{
    return set_str(vm, self, &AS(function, self)->name, v, "__name__");
}
static bool set_qualname(vm *vm, value self, value v)
{
    return set_str(vm, self, &AS(function, self)->qualname, v, "__qualname__");
}

static bool set_doc(vm *vm, value self, value v)
{
    AS(function, self)->doc = or_none(v);
    gc_barrier(vm, value_as_obj(self));
    return true;
}
static bool set_module(vm *vm, value self, value v)
{
    AS(function, self)->module = or_none(v);
    gc_barrier(vm, value_as_obj(self));
    return true;
}

static bool set_defaults(vm *vm, value self, value v)
{
    function *f = AS(function, self);
    v = or_none(v);
    if (!value_is_none(v) && !IS_TUPLE(v)) {
        raise_type_error(vm, "__defaults__ must be set to a tuple object");
        return false;
    }
    f->defaults = v;
    f->version = ++vm->func_version;
    gc_barrier(vm, f);
    return true;
}

static bool set_kwdefaults(vm *vm, value self, value v)
{
    function *f = AS(function, self);
    v = or_none(v);
    if (!value_is_none(v) && !IS_DICT(v)) {
        raise_type_error(vm, "__kwdefaults__ must be set to a dict object");
        return false;
    }
    f->kwdefaults = v;
    f->version = ++vm->func_version;
    gc_barrier(vm, f);
    return true;
}

static bool set_code(vm *vm, value self, value v)
{
    function *f = AS(function, self);
    if (!value_is_kind(v, K_CODE)) {
        raise_type_error(vm, "__code__ must be set to a code object");
        return false;
    }
    code *c = AS(code, v);
    if (c->nfree != f->ncells) {
        raise_value_error(vm, "%U() requires a code object with %d free vars, not %d", f->name, (int)f->ncells,
                          (int)c->nfree);
        return false;
    }
    f->code = c;
    f->h.flags = (uint16_t)c->flags;
    f->version = ++vm->func_version;
    vm->class_epoch++; /* an inline cache may know it as a plain getter */
    gc_barrier(vm, f);
    return true;
}

static bool set_annotations(vm *vm, value self, value v)
{
    v = or_none(v);
    if (!value_is_none(v) && !IS_DICT(v)) {
        raise_type_error(vm, "__annotations__ must be set to a dict object");
        return false;
    }
    AS(function, self)->annotations = v;
    gc_barrier(vm, value_as_obj(self));
    return true;
}

static const getset_def function_getsets[] = {
    {"__name__", get_name, set_name, NULL},
    {"__qualname__", get_qualname, set_qualname, NULL},
    {"__doc__", get_doc, set_doc, NULL},
    {"__module__", get_module, set_module, NULL},
    {"__defaults__", get_defaults, set_defaults, NULL},
    {"__kwdefaults__", get_kwdefaults, set_kwdefaults, NULL},
    {"__code__", get_code, set_code, NULL},
    {"__globals__", get_globals, getset_readonly, NULL},
    {"__builtins__", get_builtins, getset_readonly, NULL},
    {"__closure__", get_closure, getset_readonly, NULL},
    {"__annotations__", get_annotations, set_annotations, NULL},
    {0},
};

static void function_traverse(vm *vm, object *o)
{
    function *f = (function *)(void *)o;
    gc_mark_obj(vm, (object *)(void *)f->code);
    gc_mark_obj(vm, (object *)(void *)f->globals);
    gc_mark_value(vm, f->defaults);
    gc_mark_value(vm, f->kwdefaults);
    gc_mark_value(vm, f->name);
    gc_mark_value(vm, f->qualname);
    gc_mark_value(vm, f->doc);
    gc_mark_value(vm, f->module);
    gc_mark_value(vm, f->annotations);
    gc_mark_value(vm, f->attrs);
    gc_mark_value(vm, f->builtins);
    for (uint32_t i = 0; i < f->ncells; i++) gc_mark_obj(vm, (object *)(void *)f->cells[i]);
}

/* ---- methods ---- */

value method_new(vm *vm, value func, value self)
{
    method *m = gc_new_fast(vm, K_METHOD, TYPE_METHOD, sizeof *m);
    if (UNLIKELY(!m)) return V_ERROR;
    m->func = func;
    m->self = self;
    return value_obj(m);
}

static value method_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)t;
    value a[2];
    if (!args_unpack(vm, "method", args, nargs, kwnames, 2, 2, a)) return V_ERROR;
    if (!obj_is_callable(vm, a[0])) return raise_type_error(vm, "first argument must be callable");
    if (value_is_none(a[1])) return raise_type_error(vm, "self must not be None");
    return method_new(vm, a[0], a[1]);
}

static value method_repr(vm *vm, value v)
{
    method *m = AS(method, v);
    value name = obj_getattr_opt(vm, m->func, N(vm, __qualname__));
    if (!raised(vm) && !IS_STR(name)) name = obj_getattr_opt(vm, m->func, N(vm, __name__));
    if (raised(vm)) return V_ERROR;
    ROOTS(vm, &name);
    str *self = obj_repr(vm, m->self);
    if (!self) return V_ERROR;
    if (!IS_STR(name)) return repr_value(str_format(vm, "<bound method ? of %U>", self));
    return repr_value(str_format(vm, "<bound method %U of %U>", name, self));
}

static value method_compare(vm *vm, value a, value b, enum compare_op op)
{
    if ((op != CMP_EQ && op != CMP_NE) || !value_is_exact(b, TYPE_METHOD)) return V_NOTIMPLEMENTED;
    method *x = AS(method, a), *y = AS(method, b);
    int eq = value_is(x->self, y->self);
    if (eq) eq = obj_equal(vm, x->func, y->func);
    return eq < 0 ? V_ERROR : value_bool(eq == (op == CMP_EQ));
}

static bool method_hash(vm *vm, value v, uint64_t *out)
{
    method *m = AS(method, v);
    uint64_t f;
    if (!obj_hash(vm, m->func, &f)) return false;
    *out = f ^ (m->self.bits >> 4 | m->self.bits << 60);
    if (*out == UINT64_MAX) *out -= 1;
    return true;
}

/* What a method has not itself, its function has. */
static value method_getattr(vm *vm, value self, value name)
{
    str *s = AS(str, name);
    if (!(s->h.flags & STR_INTERNED) && !(s = str_intern(vm, s))) return V_ERROR;
    value d = type_lookup(vm, T(vm, METHOD), s);
    if (!value_is_unbound(d)) return attr_bind(vm, d, self, T(vm, METHOD));
    if (raised(vm) || !vm_enter(vm)) return V_ERROR;
    d = obj_getattr(vm, AS(method, self)->func, s);
    vm_leave(vm);
    return d;
}

static value method_get_func(vm *vm, value v)
{
    (void)vm;
    return AS(method, v)->func;
}
static value method_get_self(vm *vm, value v)
{
    (void)vm;
    return AS(method, v)->self;
}
static value method_get_doc(vm *vm, value v)
{
    if (!vm_enter(vm)) return V_ERROR;
    value d = obj_getattr_opt(vm, AS(method, v)->func, N(vm, __doc__));
    vm_leave(vm);
    return raised(vm) ? V_ERROR : or_none(d);
}

static const getset_def method_getsets[] = {
    {"__func__", method_get_func, getset_readonly, DOC("the function (or other callable) implementing a method")},
    {"__self__", method_get_self, getset_readonly, DOC("the instance to which a method is bound")},
    {"__doc__", method_get_doc, NULL, NULL},
    {0},
};

static void method_traverse(vm *vm, object *o)
{
    gc_mark_value(vm, ((method *)(void *)o)->func);
    gc_mark_value(vm, ((method *)(void *)o)->self);
}

/* ---- cells ---- */

value cell_new(vm *vm, value v)
{
    cell *c = gc_new_fast(vm, K_CELL, TYPE_CELL, sizeof *c);
    if (UNLIKELY(!c)) return V_ERROR;
    c->v = v;
    return value_obj(c);
}

static value cell_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)t;
    value v;
    if (!args_unpack(vm, "cell", args, nargs, kwnames, 0, 1, &v)) return V_ERROR;
    return cell_new(vm, v);
}

static value cell_repr(vm *vm, value v)
{
    char addr[20], addr2[20];
    value in = AS(cell, v)->v;
    address_text(value_as_obj(v), addr);
    const char *at = address_text(value_as_obj(v), addr);
    if (value_is_unbound(in)) return repr_value(str_format(vm, "<cell at %s: empty>", at));
    return repr_value(str_format(vm, "<cell at %s: %T object at %s>", at, in, address_text(value_as_obj(in), addr2)));
}

static value cell_get(vm *vm, value v)
{
    value in = AS(cell, v)->v;
    return value_is_unbound(in) ? raise_value_error(vm, "Cell is empty") : in;
}
static bool cell_set(vm *vm, value self, value v)
{
    AS(cell, self)->v = v;
    gc_barrier(vm, value_as_obj(self));
    return true;
}

static value cell_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (!value_is_kind(b, K_CELL)) return V_NOTIMPLEMENTED;
    value x = AS(cell, a)->v, y = AS(cell, b)->v;
    if (!value_is_unbound(x) && !value_is_unbound(y)) return obj_compare(vm, x, y, op);
    int64_t l = !value_is_unbound(x), r = !value_is_unbound(y); /* an empty one is less */
    return value_bool(compare_holds((l > r) - (l < r), op));
}

static const getset_def cell_getsets[] = {
    {"cell_contents", cell_get, cell_set, NULL},
    {0},
};

static void cell_traverse(vm *vm, object *o) { gc_mark_value(vm, ((cell *)(void *)o)->v); }

void type_init_function(vm *vm)
{
    static const gc_kind_ops function_ops = {.traverse = function_traverse};
    static const gc_kind_ops method_ops = {.traverse = method_traverse};
    static const gc_kind_ops cell_ops = {.traverse = cell_traverse};
    gc_register_kind(vm, K_FUNCTION, &function_ops);
    gc_register_kind(vm, K_METHOD, &method_ops);
    gc_register_kind(vm, K_CELL, &cell_ops);
    type *t = T(vm, FUNCTION);
    t->s.new_ = function_slot_new;
    t->s.call = function_call;
    t->s.repr = function_repr;
    t->s.descr_get = function_get;
    t->getsets = function_getsets;
    static const native_def method_methods[] = {{"__reduce__(self, /)", native_reduce, NULL, 0}, {0}};
    t = T(vm, METHOD);
    t->methods = method_methods;
    t->s.new_ = method_slot_new;
    t->s.call = method_call;
    t->s.repr = method_repr;
    t->s.compare = method_compare;
    t->s.hash = method_hash;
    t->s.getattr = method_getattr;
    t->getsets = method_getsets;
    t = T(vm, CELL);
    t->s.new_ = cell_slot_new;
    t->s.repr = cell_repr;
    t->s.compare = cell_compare;
    t->getsets = cell_getsets;
}
