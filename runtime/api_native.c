/* The public C API: the host's functions as script callables, checking their arguments, and modules of them.
 *
 * A host function is a native whose header has NATIVE_HOST: calling it goes through vm->hooks.host_call, which finds
 * the host's part behind the native_def. An AIOVM_ASYNC one is a native coroutine (vm/async_native.c) whose step
 * function is ours; its scratch registers hold the four values of args->keep and the step.
 */
#include "runtime/api.h"

#include "vm/attr.h"
#include "vm/buffer.h"
#include "vm/list.h"
#include "vm/native.h"
#include "vm/native_sig.h"
#include "vm/str.h"

enum { KEEP = 4, SCRATCH = KEEP + 1 };

struct host_def {
    native_def def; /* first: native.def points here */
    aiovm_native *fn;
    void *ud;
    host_def *next;
    size_t size; /* of the strings behind the struct */
    char text[];
};

static const host_def *host_def_of(const native_def *d) { return (const host_def *)(const void *)d; }

/* ---- calling ---- */

/* The outcome of one call of the host's function. error: raised. */
static value conclude(vm *vm, aiovm_status status, aiovm_value result, value name)
{
    if (LIKELY(status == AIOVM_OK)) return result.bits ? from_host(result) : V_NONE;
    api_throw(vm, status, name);
    return V_ERROR;
}

/* Binding for signatures with *args or **kw: out[] in the order of the signature, stars included. false: raised. */
static bool bind_stars(vm *vm, native *n, value *args, uint32_t nargs, value kwnames, value *out, uint32_t *count)
{
    tuple *kw = value_is_unbound(kwnames) ? NULL : AS(tuple, kwnames);
    uint32_t at = 0, taken = 0, nkw = kw ? (uint32_t)kw->len : 0;
    uint64_t used = 0;
    bool only_keywords = false, rest = false;
    dict *extra = NULL;
    sig_param p;
    if (nkw > 63) {
        raise_type_error(vm, "%U() takes at most 63 keyword arguments", n->name);
        return false;
    }
    unsigned index = 0;
    for (const char *s = sig_first(n->def->sig); (s = sig_next(s, &p));) {
        value v = V_UNBOUND;
        switch (p.kind) {
        case SIG_SLASH: continue;
        case SIG_STAR: only_keywords = true; continue;
        case SIG_VARARGS: {
            tuple *t = tuple_from(vm, args + taken, nargs - taken);
            if (!t) return false;
            taken = nargs;
            v = value_obj(t);
            only_keywords = rest = true;
            break;
        }
        case SIG_VARKW:
            extra = dict_new(vm);
            if (!extra) return false;
            v = value_obj(extra);
            break;
        case SIG_PARAM:
            if (!only_keywords && taken < nargs) {
                v = args[taken++];
            } else if (index >= n->nposonly) {
                str *name = str_new_utf8(vm, p.name, p.len);
                if (!name) return false;
                for (uint32_t k = 0; k < nkw; k++) {
                    if (!str_eq(AS(str, kw->items[k]), name)) continue;
                    v = args[nargs + k];
                    used |= UINT64_C(1) << k;
                }
            }
            if (value_is_unbound(v) && !p.has_default) {
                str *name = str_new_utf8(vm, p.name, p.len);
                if (name)
                    raise_type_error(vm, "%U() missing required argument '%U' (pos %d)", n->name, value_obj(name),
                                     (int)index + 1);
                return false;
            }
            index++;
            break;
        }
        out[at++] = v;
    }
    if (taken < nargs && !rest) {
        raise_type_error(vm, "%U() takes at most %d positional arguments (%d given)", n->name, (int)taken, (int)nargs);
        return false;
    }
    for (uint32_t k = 0; k < nkw; k++) {
        if (used >> k & 1) continue;
        if (!extra) {
            raise_type_error(vm, "'%U' is an invalid keyword argument for %U()", kw->items[k], n->name);
            return false;
        }
        if (!dict_set(vm, extra, kw->items[k], args[nargs + k])) return false;
    }
    *count = at;
    return true;
}

value api_host_call(vm *vm, native *n, value *args, uint32_t nargs, value kwnames)
{
    const host_def *d = host_def_of(n->def);
    value bound[NATIVE_MAX_PARAMS + 2];
    uint32_t count = n->nparams;
    memset(bound, 0, sizeof bound);
    ROOT_SPAN(vm, bound, NATIVE_MAX_PARAMS + 2);
    bool ok = n->h.flags & NATIVE_RAW ? bind_stars(vm, n, args, nargs, kwnames, bound, &count)
                                      : native_bind(vm, n, args, nargs, kwnames, bound);
    if (!ok) return V_ERROR;
    aiovm_args call = {.argc = (int)count, .argv = (const aiovm_value *)(const void *)bound, .ud = d->ud};
    if (n->owner && count) call.self = api_self(vm, bound[0]);
    aiovm_value result = to_host(V_NONE);
    if (!vm_enter(vm)) return V_ERROR;
    size_t mark = api_scope_begin(vm);
    aiovm_status status = d->fn(outside(vm), &call, &result);
    if (status == AIOVM_AWAIT) {
        raise(vm, EXC_RuntimeError, "%U() can't await: it is not registered with AIOVM_ASYNC", n->name);
        api_catch(vm);
        status = AIOVM_ERROR;
    }
    api_scope_end(vm, mark);
    if (UNLIKELY(vm->killed) && status == AIOVM_OK) status = AIOVM_ENDED; /* whatever it makes of it */
    value v = conclude(vm, status, result, n->name);
    vm_leave(vm);
    return v;
}

/* One step of an AIOVM_ASYNC function. */
static enum nstep host_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    api *a = api_of(vm);
    const host_def *d = host_def_of(f->code->native_def);
    uint32_t nparams = (uint32_t)f->code->nlocals - SCRATCH - 1;
    value *keep = r + nparams, *step = keep + KEEP;
    value exc = V_UNBOUND;
    if (value_is_unbound(sent)) {
        exc = exc_take(vm);
        sent = V_NONE;
    }
    aiovm_args call = {.argc = (int)nparams,
                       .argv = (const aiovm_value *)(const void *)r,
                       .ud = d->ud,
                       .step = value_is_int(*step) ? (int)value_as_int(*step) : 0,
                       .sent = to_host(sent),
                       .failed = !value_is_unbound(exc),
                       .keep = (aiovm_value *)(void *)keep};
    ROOTS(vm, &exc, &sent);
    if (d->def.flags >> 8 & 1 && nparams) call.self = api_self(vm, r[0]);
    if (!vm_enter(vm)) return NSTEP_ERROR;
    api_forget_error(vm);
    a->error = exc;
    aiovm_value result = to_host(V_NONE);
    size_t mark = api_scope_begin(vm);
    aiovm_status status = d->fn(outside(vm), &call, &result);
    api_scope_end(vm, mark);
    if (UNLIKELY(vm->killed)) status = AIOVM_ENDED;
    vm_leave(vm);
    gc_barrier(vm, f);
    if (status == AIOVM_AWAIT) {
        *step = value_int(call.step);
        *out = from_host(result);
        if (!value_is_unbound(*out)) return NSTEP_AWAIT;
        raise_type_error(vm, "%U() awaits an absent value", value_obj(f->code->name));
        return NSTEP_ERROR;
    }
    *out = conclude(vm, status, result, value_obj(f->code->name));
    return value_is_error(*out) ? NSTEP_ERROR : NSTEP_DONE;
}

aiovm_status aiovm_await(aiovm *vm, aiovm_args *args, aiovm_value awaitable, int step, aiovm_value *out)
{
    (void)vm;
    args->step = step;
    *out = awaitable;
    return AIOVM_AWAIT;
}

/* ---- registering ---- */

/* A name that a script can say, with a list of parameters as a def may have it: one * at the most, one **, which is
 * last. */
static bool signature_is_sound(const char *sig)
{
    const char *p = sig;
    while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' || (p > sig && *p >= '0' && *p <= '9'))
        p++;
    if (p == sig || *p != '(' || !strchr(p, ')')) return false;
    unsigned seen = 0; /* a bit per kind */
    sig_param param;
    for (const char *s = p + 1; (s = sig_next(s, &param));) {
        unsigned kind = param.kind == SIG_VARARGS ? SIG_STAR : param.kind;
        bool named = param.kind != SIG_SLASH && param.kind != SIG_STAR;
        if ((named && !param.len) || (kind != SIG_PARAM && seen >> kind & 1) || seen >> SIG_VARKW & 1) return false;
        seen |= 1u << kind;
    }
    return true;
}

static bool takes_rest(const char *sig)
{
    sig_info s;
    sig_scan(sig, &s);
    return s.raw;
}

native *api_native_new(vm *vm, const aiovm_func *f, void *ud, type *owner, value module)
{
    if (!f->signature || !f->fn || !signature_is_sound(f->signature)) {
        raise_value_error(vm, "the signature '%s' is not of the form name(parameters)",
                          f->signature ? f->signature : "");
        return NULL;
    }
    if ((f->flags & AIOVM_ASYNC) && takes_rest(f->signature)) {
        raise_value_error(vm, "%s: an AIOVM_ASYNC function takes no *args and no **kw", f->signature);
        return NULL;
    }
    size_t nsig = strlen(f->signature) + 1, ndoc = f->doc ? strlen(f->doc) + 1 : 0, size;
    if (!size_add(nsig, ndoc, &size) || !size_add(size, sizeof(host_def), &size)) {
        raise_memory(vm);
        return NULL;
    }
    host_def *d = mem_zalloc(vm, size);
    if (!d) return NULL;
    memcpy(d->text, f->signature, nsig);
    if (ndoc) memcpy(d->text + nsig, f->doc, ndoc);
    d->size = size;
    d->fn = f->fn;
    d->ud = ud;
    d->def.sig = d->text;
    d->def.doc = ndoc ? d->text + nsig : NULL;
    d->next = api_of(vm)->defs;
    api_of(vm)->defs = d;
    if (f->flags & AIOVM_ASYNC) {
        d->def.flags = NATIVE_ASYNC | (uint32_t)SCRATCH << 16 | (owner ? 1u << 8 : 0);
        d->def.fn = (native_fn)(void (*)(void))host_step;
    }
    if (owner && (f->flags & AIOVM_STATIC)) d->def.flags |= NATIVE_STATIC;
    native *n = native_new(vm, &d->def, owner, module);
    if (n && !(f->flags & AIOVM_ASYNC)) n->h.flags |= NATIVE_HOST;
    return n;
}

void api_defs_free(vm *vm)
{
    api *a = api_of(vm);
    while (a->defs) {
        host_def *d = a->defs;
        a->defs = d->next;
        mem_free(vm, d, d->size);
    }
}

aiovm_status aiovm_function(aiovm *host, const aiovm_func *func, void *ud, aiovm_value *out)
{
    if (!func) return api_invalid(out);
    vm *vm = inside(host);
    API_COME_IN(vm);
    aiovm_status status = api_enter(vm, API_PLAIN, out);
    if (status) return status;
    native *n = api_native_new(vm, func, ud, NULL, V_NONE);
    return api_leave(vm, API_PLAIN, n ? value_obj(n) : V_ERROR, out);
}

/* ---- modules ---- */

static module *api_module(vm *vm, const char *name)
{
    str *s = api_text(vm, name, AIOVM_ZTS);
    if (!s || !(s = str_intern(vm, s))) return NULL;
    if (s == N(vm, __main__)) {
        if (!api_main(vm)) return NULL;
        return AS(module, vm->main_module);
    }
    value m = dict_get_str(vm, vm->modules, s);
    if (value_is_kind(m, K_MODULE)) return AS(module, m);
    module *made = s->len ? module_new(vm, s, V_NONE) : NULL;
    if (!made) {
        if (!raised(vm)) raise_value_error(vm, "a module needs a name");
        return NULL;
    }
    if (!dict_set_str(vm, made->dict, N(vm, __package__), value_obj(vm->empty_str)) ||
        !dict_set_str(vm, vm->modules, s, value_obj(made)))
        return NULL;
    /* pkg.mod is an attribute of pkg, which is made too. */
    const char *dot = strrchr(name, '.');
    if (!dot) return made;
    char parent_name[256];
    size_t n = (size_t)(dot - name);
    if (!n || n >= sizeof parent_name) {
        raise_value_error(vm, "'%s' is no name of a module", name);
        return NULL;
    }
    memcpy(parent_name, name, n);
    parent_name[n] = 0;
    module *parent = api_module(vm, parent_name);
    list *path = parent ? list_new(vm, 0) : NULL;
    if (!path || !module_add(vm, parent, dot + 1, value_obj(made))) return NULL;
    if (!value_is_unbound(dict_get_str(vm, parent->dict, N(vm, __path__)))) return made;
    return dict_set_str(vm, parent->dict, N(vm, __path__), value_obj(path)) ? made : NULL;
}

static bool add_functions(vm *vm, module *m, const char *name, const aiovm_func *funcs, void *ud)
{
    str *owner = api_text(vm, name, AIOVM_ZTS);
    bool ok = owner != NULL;
    for (; ok && funcs && funcs->signature; funcs++) {
        native *n = api_native_new(vm, funcs, ud, NULL, value_obj(owner));
        ok = n && dict_set_str(vm, m->dict, AS(str, n->name), value_obj(n));
    }
    return ok;
}

aiovm_status aiovm_module(aiovm *host, const char *name, const aiovm_func *funcs, void *ud)
{
    if (!name) return AIOVM_INVALID;
    vm *vm = inside(host);
    API_COME_IN(vm);
    aiovm_status status = api_enter(vm, API_PLAIN, NULL);
    if (status) return status;
    module *m = api_module(vm, name);
    return api_finish(vm, API_PLAIN, m && add_functions(vm, m, name, funcs, ud));
}

aiovm_status aiovm_module_set(aiovm *host, const char *mod, const char *name, aiovm_value v)
{
    if (!mod || !name) return AIOVM_INVALID;
    vm *vm = inside(host);
    API_COME_IN(vm);
    aiovm_status status = api_enter(vm, API_PLAIN, NULL);
    if (status) return status;
    module *m = api_module(vm, mod);
    return api_finish(vm, API_PLAIN, m && api_present(vm, from_host(v)) && module_add(vm, m, name, from_host(v)));
}
