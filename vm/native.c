/* C functions as script objects: builtin functions, methods and class methods of builtin types,
 * bound ones.
 *
 * One struct `native`, told apart by the type of the object and by header.flags. A bound one is a
 * K_METHOD of shape TYPE_NATIVE_BOUND, whose type is builtin_function_or_method too.
 */
#include "native.h"

#include "attr.h"
#include "frame.h"
#include "native_sig.h"
#include "slot_table.h"
#include "type_parts.h"
#include "types_api.h"

enum { FEW = 5 };

/* ---- making ---- */

native *native_new(vm *vm, const native_def *def, type *owner, value module)
{
    sig_info s;
    sig_scan(def->sig, &s);
    str *name = str_intern_utf8(vm, def->sig, sig_name_len(def->sig));
    if (!name) return NULL;
    unsigned shape = !owner || (def->flags & (NATIVE_STATIC | NATIVE_NEWLIKE)) ? TYPE_NATIVE
                     : def->flags & NATIVE_CLASS                               ? TYPE_NATIVE_CLASSMETHOD
                                                                               : TYPE_NATIVE_METHOD;
    if (s.nparams > NATIVE_MAX_PARAMS) {
        raise(vm, EXC_SystemError, "%s has too many parameters", def->sig);
        return NULL;
    }
    native *n = gc_new(vm, K_NATIVE, shape, sizeof *n);
    if (!n) return NULL;
    n->h.flags = (uint16_t)(def->flags & (63 | NATIVE_CONSUMES | NATIVE_PASSES));
    if (s.raw) n->h.flags |= NATIVE_RAW;
    if (s.varkw) n->h.flags |= NATIVE_VARKW;
    if (s.kwreq) n->h.flags |= NATIVE_KWREQ;
    if (s.max < s.nparams) n->h.flags |= NATIVE_KWONLY;
    if (shape != TYPE_NATIVE) {
        n->h.flags |= NATIVE_METHOD;
        if (!s.nposonly) s.nposonly = 1; /* the receiver is never a keyword */
    }
    if (!(n->h.flags & (NATIVE_RAW | NATIVE_KWREQ)) && s.nparams <= FEW) n->h.flags |= NATIVE_FEW;
    n->fn = def->fn;
    n->min = s.min;
    n->max = s.max;
    n->nparams = s.nparams;
    n->nposonly = s.nposonly;
    n->def = def;
    n->name = value_obj(name);
    n->params = V_NONE;
    n->owner = owner;
    n->module = module;
    return n;
}

static const native_def new_def = {"__new__($type, *args, **kwargs)", NULL,
                                   "Create and return a new object.  See help(type) for accurate signature.",
                                   NATIVE_NEWLIKE | NATIVE_RAW};

native *native_new_wrapper(vm *vm, type *owner) { return native_new(vm, &new_def, owner, V_NONE); }

/* ---- binding ---- */

static value native_fullname(vm *vm, const native *n)
{
    str *s;
    if (n->owner) s = str_format(vm, "%U.%U", n->owner->qualname, n->name);
    else if (value_is_none(n->module) || value_is_unbound(n->module) || str_eq(AS(str, n->module), N(vm, builtins)))
        return n->name;
    else s = str_format(vm, "%U.%U", n->module, n->name);
    if (s) return value_obj(s);
    exc_clear(vm);
    return n->name;
}

static value target_fullname(vm *vm, const sig_target *b) { return native_fullname(vm, b->ud); }

/* The names of the parameters, made when keywords are first given. */
static tuple *native_params(vm *vm, native *n)
{
    if (!value_is_none(n->params)) return AS(tuple, n->params);
    tuple *t = tuple_new(vm, n->nparams);
    if (!t) return NULL;
    sig_param p;
    unsigned i = 0;
    for (const char *s = sig_first(n->def->sig); i < n->nparams && (s = sig_next(s, &p));) {
        if (p.kind != SIG_PARAM) continue;
        str *name = str_intern_utf8(vm, p.name, p.len);
        if (!name) return NULL;
        t->items[i++] = value_obj(name);
    }
    n->params = value_obj(t);
    gc_barrier(vm, n);
    return t;
}

/* The usual call with keywords: they name optional parameters. false: nothing is known yet, or raised. */
static bool bind_optional(vm *vm, native *n, value *args, uint32_t nargs, const tuple *kw, value *out)
{
    const tuple *names = native_params(vm, n);
    if (!names) return false;
    if (nargs) memcpy(out, args, nargs * sizeof *out);
    for (uint32_t i = nargs; i < n->nparams; i++) out[i] = V_UNBOUND;
    for (size_t k = 0; k < kw->len; k++) {
        uint32_t i = nargs > n->nposonly ? nargs : n->nposonly;
        while (i < n->nparams && names->items[i].bits != kw->items[k].bits) i++;
        if (i >= n->nparams || !value_is_unbound(out[i])) return false;
        out[i] = args[nargs + k];
    }
    return true;
}

bool native_bind(vm *vm, native *n, value *args, uint32_t nargs, value kwnames, value *out)
{
    bool has_kw = !value_is_unbound(kwnames) && AS(tuple, kwnames)->len;
    if (LIKELY(!has_kw && nargs >= n->min && nargs <= n->max && !(n->h.flags & NATIVE_KWREQ))) {
        if (nargs) memcpy(out, args, nargs * sizeof *out);
        for (uint32_t i = nargs; i < n->nparams; i++) out[i] = V_UNBOUND;
        return true;
    }
    if (has_kw && nargs >= n->min && nargs <= n->max && !(n->h.flags & NATIVE_KWREQ) &&
        bind_optional(vm, n, args, nargs, AS(tuple, kwnames), out))
        return true;
    if (raised(vm)) return false;
    sig_target b = {.sig = n->def->sig,
                    .skip = n->h.flags & NATIVE_METHOD ? 1 : 0,
                    .name = n->name,
                    .fullname = target_fullname,
                    .ud = n};
    sig_scan(b.sig, &b.info);
    b.info.nposonly = n->nposonly;
    if (has_kw && !(b.names = native_params(vm, n))) return false;
    return sig_bind(vm, &b, args, nargs, kwnames, out);
}

/* ---- calling ---- */

value native_retry(vm *vm, native *n, value *args, uint32_t nargs, value kwnames)
{
    gc_collect_full(vm);
    value r = n->fn(vm, args, nargs, kwnames);
    return value_is(r, V_RETRY) ? raise_memory(vm) : r;
}

static inline value invoke(vm *vm, native *n, value *args, uint32_t nargs, value kwnames)
{
    value r = n->fn(vm, args, nargs, kwnames);
    return UNLIKELY(value_is(r, V_RETRY)) ? native_retry(vm, n, args, nargs, kwnames) : r;
}

/* X.__new__(cls, ...): the checks that keep a type's layout and its constructor together. */
static value call_new(vm *vm, native *n, value *args, uint32_t nargs, value kwnames)
{
    type *t = n->owner;
    if (!nargs) return raise_type_error(vm, "%N.__new__(): not enough arguments", t);
    if (!IS_TYPE(args[0])) return raise_type_error(vm, "%N.__new__(X): X is not a type object (%T)", t, args[0]);
    type *sub = AS(type, args[0]);
    if (!type_is_subtype(sub, t))
        return raise_type_error(vm, "%N.__new__(%N): %N is not a subtype of %N", t, sub, sub, t);
    if (!sub->mro) /* its metaclass's mro() is at work */
        return raise_type_error(vm, "%N.__new__(%N) is not safe, use %N.__new__()", t, sub, sub);
    type *builtin = sub;
    while (builtin->base && (builtin->flags & TF_HEAP)) builtin = builtin->base;
    if (builtin->s.new_ != t->s.new_) {
        if (!builtin->s.new_) return raise_type_error(vm, "cannot create '%N' instances", sub);
        return raise_type_error(vm, "%N.__new__(%N) is not safe, use %N.__new__()", t, sub, builtin);
    }
    return t->s.new_(vm, sub, args + 1, nargs - 1, kwnames);
}

/* Of a function with `*args`: does it lack what stands before these? With **kwargs, names may give some. */
static bool too_few(const native *n, uint32_t nargs, bool has_kw)
{
    return !(has_kw && n->h.flags & NATIVE_VARKW) || nargs < n->nposonly;
}
static value raise_missing(vm *vm, native *n, value *args, uint32_t nargs)
{
    value out[NATIVE_MAX_PARAMS];
    if (native_bind(vm, n, args, nargs, V_UNBOUND, out))
        raise_type_error(vm, "%U() lacks arguments", native_fullname(vm, n));
    return V_ERROR;
}

static value call_few(vm *vm, native *n, const value *args, uint32_t nargs)
{
    value few[FEW] = {V_UNBOUND};
    for (uint32_t i = 0; i < nargs; i++) few[i] = args[i];
    ROOT_SPAN(vm, few, FEW);
    return invoke(vm, n, few, n->nparams, V_UNBOUND);
}

static value call_general(vm *vm, native *n, value *args, uint32_t nargs, value kwnames)
{
    unsigned fl = n->h.flags;
    if (UNLIKELY(fl & NATIVE_SPECIAL)) {
        if (fl & NATIVE_WRAPPER) return slot_wrapper_call(vm, n, args, nargs, kwnames);
        if (fl & NATIVE_HOST) return vm->hooks.host_call(vm, n, args, nargs, kwnames);
        if (fl & NATIVE_NEWLIKE) return call_new(vm, n, args, nargs, kwnames);
        if (fl & NATIVE_ASYNC) {
            frame *f = async_native_frame(vm, n, args, nargs, kwnames);
            return f ? value_obj(f) : V_ERROR;
        }
    }
    bool has_kw = !value_is_unbound(kwnames) && AS(tuple, kwnames)->len;
    if (fl & NATIVE_RAW) {
        if (has_kw && !(fl & NATIVE_VARKW) && n->nparams <= n->max && !(n->def->flags & NATIVE_RAW))
            return raise_type_error(vm, "%U() takes no keyword arguments", native_fullname(vm, n));
        if (UNLIKELY(nargs < n->min) && !(n->def->flags & NATIVE_RAW) && too_few(n, nargs, has_kw))
            return raise_missing(vm, n, args, nargs);
        return invoke(vm, n, args, nargs, has_kw ? kwnames : V_UNBOUND);
    }
    if (LIKELY(!has_kw && nargs == n->nparams && !(fl & NATIVE_KWREQ) && nargs <= n->max))
        return invoke(vm, n, args, nargs, V_UNBOUND);
    value out[NATIVE_MAX_PARAMS];
    if (LIKELY(!has_kw && nargs >= n->min && nargs <= n->max && !(fl & NATIVE_KWREQ))) {
        uint32_t i = 0;
        for (; i < nargs; i++) out[i] = args[i];
        for (; i < n->nparams; i++) out[i] = V_UNBOUND;
    } else if (!native_bind(vm, n, args, nargs, kwnames, out)) return V_ERROR;
    ROOT_SPAN(vm, out, n->nparams);
    return invoke(vm, n, out, n->nparams, V_UNBOUND);
}

value native_call_checked(vm *vm, native *n, value *args, uint32_t nargs, value kwnames)
{
    if (LIKELY((n->h.flags & (NATIVE_FEW | NATIVE_SPECIAL)) == NATIVE_FEW && value_is_unbound(kwnames) &&
               nargs < n->nparams && nargs >= n->min && nargs <= n->max))
        return call_few(vm, n, args, nargs);
    return call_general(vm, n, args, nargs, kwnames);
}

/* A method's first argument must be what the method is for. */
bool native_check_receiver(vm *vm, native *n, value *args, uint32_t nargs)
{
    type *t = n->owner;
    if (n->h.shape == TYPE_NATIVE_CLASSMETHOD) {
        if (nargs && IS_TYPE(args[0]) && type_is_subtype(AS(type, args[0]), t)) return true;
        if (!nargs) raise_type_error(vm, "descriptor '%U' of '%N' object needs an argument", n->name, t);
        else if (!IS_TYPE(args[0]))
            raise_type_error(vm, "descriptor '%U' for type '%N' needs a type, not a '%T' as arg 2", n->name, t,
                             args[0]);
        else
            raise_type_error(vm, "descriptor '%U' requires a subtype of '%N' but received '%N'", n->name, t,
                             AS(type, args[0]));
        return false;
    }
    if (!nargs) {
        raise_type_error(vm, "unbound method %N.%U() needs an argument", t, n->name);
        return false;
    }
    if (LIKELY(value_isa(vm, args[0], t))) return true;
    raise_type_error(vm, "descriptor '%U' for '%N' objects doesn't apply to a '%T' object", n->name, t, args[0]);
    return false;
}

value native_call(vm *vm, native *n, value *args, uint32_t nargs, value kwnames)
{
    if ((n->h.flags & NATIVE_METHOD) && !native_check_receiver(vm, n, args, nargs)) return V_ERROR;
    return native_call_checked(vm, n, args, nargs, kwnames);
}

static value native_slot_call(vm *vm, value callee, value *args, uint32_t nargs, value kwnames)
{
    if (value_is_kind(callee, K_METHOD)) return method_call(vm, callee, args, nargs, kwnames);
    return native_call(vm, AS(native, callee), args, nargs, kwnames);
}

value method_call(vm *vm, value callee, value *args, uint32_t nargs, value kwnames)
{
    method *m = AS(method, callee);
    uint32_t nkw = value_is_unbound(kwnames) ? 0 : (uint32_t)AS(tuple, kwnames)->len;
    size_t n = (size_t)nargs + nkw + 1;
    value small[8];
    value *all = small;
    if (n > 8 && !(all = mem_alloc(vm, n * sizeof *all))) return V_ERROR;
    all[0] = m->self;
    if (n > 1) memcpy(all + 1, args, (n - 1) * sizeof *all);
    ROOTS(vm, &callee);
    value r = V_ERROR;
    if (value_is_kind(m->func, K_NATIVE)) {
        r = native_call(vm, AS(native, m->func), all, nargs + 1, kwnames);
    } else if (value_is_kind(m->func, K_FUNCTION)) {
        r = vm_call_kw(vm, m->func, all, nargs + 1, kwnames);
    } else if (vm_enter(vm)) { /* a method of a method of ... */
        r = vm_call_kw(vm, m->func, all, nargs + 1, kwnames);
        vm_leave(vm);
    }
    if (all != small) mem_free(vm, all, n * sizeof *all);
    return r;
}

/* ---- descriptors ---- */

static value bound_new(vm *vm, unsigned shape, value f, value self)
{
    method *m = gc_new_fast(vm, K_METHOD, shape, sizeof *m);
    if (!m) return V_ERROR;
    m->func = f;
    m->self = self;
    return value_obj(m);
}

static value method_slot_get(vm *vm, value d, value o, value t)
{
    (void)t;
    native *n = AS(native, d);
    if (value_is_unbound(o)) return d;
    if (!value_isa(vm, o, n->owner))
        return raise_type_error(vm, "descriptor '%U' for '%N' objects doesn't apply to a '%T' object", n->name,
                                n->owner, o);
    return bound_new(vm, n->h.flags & NATIVE_WRAPPER ? TYPE_METHOD_WRAPPER : TYPE_NATIVE_BOUND, d, o);
}

static value classmethod_slot_get(vm *vm, value d, value o, value t)
{
    if (value_is_unbound(t)) t = value_obj(type_of(vm, o));
    native *n = AS(native, d);
    if (!IS_TYPE(t))
        return raise_type_error(vm, "descriptor '%U' for type '%N' needs a type, not a '%T' as arg 2", n->name,
                                n->owner, t);
    if (!type_is_subtype(AS(type, t), n->owner))
        return raise_type_error(vm, "descriptor '%U' requires a subtype of '%N' but received '%N'", n->name, n->owner,
                                AS(type, t));
    return bound_new(vm, TYPE_NATIVE_BOUND, d, t);
}

/* ---- repr and attributes ---- */

static const native *native_of(value v)
{
    return value_is_kind(v, K_METHOD) ? AS(native, AS(method, v)->func) : AS(native, v);
}

static value repr_value(str *s) { return s ? value_obj(s) : V_ERROR; }

static value native_repr(vm *vm, value v)
{
    char addr[20];
    const native *n = native_of(v);
    if (value_is_kind(v, K_METHOD)) {
        value self = AS(method, v)->self;
        return repr_value(str_format(vm, "<built-in method %U of %T object at %s>", n->name, self,
                                     address_text(value_as_obj(self), addr)));
    }
    if (n->owner) /* __new__, static methods */
        return repr_value(
            str_format(vm, "<built-in method %U of type object at %s>", n->name, address_text(n->owner, addr)));
    return repr_value(str_format(vm, "<built-in function %U>", n->name));
}

static value method_repr(vm *vm, value v)
{
    const native *n = AS(native, v);
    return repr_value(str_format(vm, "<%s '%U' of '%N' objects>",
                                 n->h.flags & NATIVE_WRAPPER ? "slot wrapper" : "method", n->name, n->owner));
}

static value method_wrapper_repr(vm *vm, value v)
{
    char addr[20];
    value self = AS(method, v)->self;
    return repr_value(str_format(vm, "<method-wrapper '%U' of %T object at %s>", native_of(v)->name, self,
                                 address_text(value_as_obj(self), addr)));
}

static value get_name(vm *vm, value v)
{
    (void)vm;
    return native_of(v)->name;
}

static value get_qualname(vm *vm, value v)
{
    const native *n = native_of(v);
    if (value_is_kind(v, K_METHOD) && IS_TYPE(AS(method, v)->self))
        return repr_value(str_format(vm, "%U.%U", AS(type, AS(method, v)->self)->qualname, n->name));
    if (n->owner) return repr_value(str_format(vm, "%U.%U", n->owner->qualname, n->name));
    return n->name;
}

static value get_self(vm *vm, value v)
{
    if (value_is_kind(v, K_METHOD)) return AS(method, v)->self;
    const native *n = AS(native, v);
    if (n->owner) return value_obj(n->owner);
    if (value_is_none(n->module) || value_is_unbound(n->module) || !vm->modules) return V_NONE;
    value m = dict_get_str(vm, vm->modules, AS(str, n->module));
    return value_is_unbound(m) ? V_NONE : m;
}

static value get_module(vm *vm, value v)
{
    (void)vm;
    const native *n = native_of(v);
    return value_is_unbound(n->module) ? V_NONE : n->module;
}

static value get_doc(vm *vm, value v)
{
    const native *n = native_of(v);
    const char *doc = n->h.flags & NATIVE_WRAPPER ? dunder_rows[value_as_int(n->data)].doc : n->def->doc;
    return doc_text(vm, doc);
}

static value get_objclass(vm *vm, value v)
{
    (void)vm;
    return value_obj(native_of(v)->owner);
}

/* "(self, object, /)" of a method reads "($self, object, /)". */
static value get_text_signature(vm *vm, value v)
{
    const native *n = native_of(v);
    if (n->h.flags & NATIVE_WRAPPER) return repr_value(str_from_cstr(vm, dunder_rows[value_as_int(n->data)].sig));
    const char *p = sig_first(n->def->sig);
    if (!*p) return V_NONE;
    str_builder b;
    sb_init(&b, vm);
    sb_char(&b, '(');
    if (n->h.flags & NATIVE_METHOD) {
        sig_param first;
        const char *rest = sig_next(p, &first);
        sb_char(&b, '$');
        if (rest) sb_ascii(&b, first.name, first.len);
        if (!strstr(p, ", /")) sb_cstr(&b, ", /");
        p = rest ? rest : p;
    }
    sb_cstr(&b, p);
    return repr_value(sb_finish(&b));
}

static const getset_def native_getsets[] = {
    {"__name__", get_name, NULL, NULL},
    {"__qualname__", get_qualname, NULL, NULL},
    {"__self__", get_self, NULL, NULL},
    {"__module__", get_module, NULL, NULL},
    {"__doc__", get_doc, NULL, NULL},
    {"__text_signature__", get_text_signature, NULL, NULL},
    {0},
};
static const getset_def method_getsets[] = {
    {"__name__", get_name, NULL, NULL},
    {"__qualname__", get_qualname, NULL, NULL},
    {"__objclass__", get_objclass, NULL, NULL},
    {"__doc__", get_doc, NULL, NULL},
    {"__text_signature__", get_text_signature, NULL, NULL},
    {0},
};
static const getset_def wrapper_getsets[] = {
    {"__name__", get_name, NULL, NULL},
    {"__qualname__", get_qualname, NULL, NULL},
    {"__self__", get_self, NULL, NULL},
    {"__objclass__", get_objclass, NULL, NULL},
    {"__doc__", get_doc, NULL, NULL},
    {"__text_signature__", get_text_signature, NULL, NULL},
    {0},
};

/* Bound ones are equal when function and receiver are the same. */
static value bound_compare(vm *vm, value a, value b, enum compare_op op)
{
    (void)vm;
    if ((op != CMP_EQ && op != CMP_NE) || !value_is_kind(a, K_METHOD) || !value_is_kind(b, K_METHOD) ||
        value_as_obj(a)->shape != value_as_obj(b)->shape)
        return V_NOTIMPLEMENTED;
    bool eq = value_is(AS(method, a)->func, AS(method, b)->func) && value_is(AS(method, a)->self, AS(method, b)->self);
    return value_bool(eq == (op == CMP_EQ));
}

static bool bound_hash(vm *vm, value v, uint64_t *out)
{
    (void)vm;
    uint64_t x = v.bits >> 4;
    if (value_is_kind(v, K_METHOD)) x = AS(method, v)->func.bits >> 4 ^ AS(method, v)->self.bits >> 3;
    *out = x == UINT64_MAX ? x - 1 : x;
    return true;
}

value native_reduce(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    value owner = V_UNBOUND, name;
    if (value_is_kind(args[0], K_METHOD)) {
        owner = AS(method, args[0])->self;
        name = obj_getattr(vm, AS(method, args[0])->func, N(vm, __name__));
        if (value_is_error(name)) return V_ERROR;
    } else {
        const native *n = AS(native, args[0]);
        name = n->name;
        if (n->owner) owner = value_obj(n->owner);
    }
    if (value_is_unbound(owner)) return name;
    ROOTS(vm, &owner, &name);
    str *s = str_intern_utf8(vm, "getattr", 7);
    value f = s ? dict_get_str(vm, vm->builtins, s) : V_UNBOUND;
    if (value_is_unbound(f)) return raised(vm) ? V_ERROR : raise(vm, EXC_AttributeError, "getattr");
    tuple *t = tuple_pack(vm, 2, owner, name);
    return t ? value_obj(tuple_pack(vm, 2, f, value_obj(t))) : V_ERROR;
}

static void native_traverse(vm *vm, object *o)
{
    native *n = (native *)(void *)o;
    gc_mark_value(vm, n->name);
    gc_mark_value(vm, n->params);
    gc_mark_obj(vm, (object *)(void *)n->owner);
    gc_mark_value(vm, n->module);
    gc_mark_value(vm, n->code);
    gc_mark_value(vm, n->data);
}

void type_init_native(vm *vm)
{
    static const gc_kind_ops ops = {.traverse = native_traverse};
    static const native_def methods[] = {{"__reduce__(self, /)", native_reduce, NULL, 0}, {0}};
    gc_register_kind(vm, K_NATIVE, &ops);
    static const unsigned ids[] = {TYPE_NATIVE, TYPE_NATIVE_METHOD, TYPE_NATIVE_CLASSMETHOD, TYPE_SLOT_WRAPPER,
                                   TYPE_METHOD_WRAPPER};
    for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++) {
        type *t = vm->types[ids[i]];
        t->s.call = native_slot_call;
        t->s.repr = method_repr;
        t->getsets = method_getsets;
        t->methods = methods;
    }
    T(vm, NATIVE)->s.repr = native_repr;
    T(vm, NATIVE)->getsets = native_getsets;
    T(vm, METHOD_WRAPPER)->s.repr = method_wrapper_repr;
    T(vm, METHOD_WRAPPER)->getsets = wrapper_getsets;
    T(vm, NATIVE)->s.compare = T(vm, METHOD_WRAPPER)->s.compare = bound_compare;
    T(vm, NATIVE)->s.hash = T(vm, METHOD_WRAPPER)->s.hash = bound_hash;
    T(vm, NATIVE_METHOD)->s.descr_get = T(vm, SLOT_WRAPPER)->s.descr_get = method_slot_get;
    T(vm, NATIVE_CLASSMETHOD)->s.descr_get = classmethod_slot_get;
}
