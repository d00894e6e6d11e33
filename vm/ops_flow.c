/* Slow paths of flow instructions: functions, with, raise and handlers, imports. */
#include "interp.h"
#include "exception.h"
#include "import.h"

value op_makefunc(vm *vm, frame *F, code *c, value *operands, unsigned flags)
{
    function *fn = function_new(vm, c, F->func->globals, c->nfree);
    if (!fn) return V_ERROR;
    fn->builtins = F->func->builtins;
    if (UNLIKELY(flags)) { /* in code that no compiler made they may be anything */
        if (((flags & 1) && !IS_TUPLE(operands[0])) || ((flags & 2) && !IS_DICT(operands[1])) ||
            ((flags & 4) && !IS_TUPLE(operands[2])))
            return raise_type_error(vm, "defaults and annotations of a function are tuples and a dict");
    }
    for (uint32_t i = 0; i < c->nfree; i++) {
        capture k = c->captures[i];
        fn->cells[i] = k.from_local ? AS(cell, F->r[k.index]) : F->func->cells[k.index];
    }
    if (flags & 1) fn->defaults = operands[0];
    if (flags & 2) fn->kwdefaults = operands[1];
    if (flags & 4) fn->annotations = operands[2];
    return value_obj(fn);
}

/* A method as a class has it, which binding would only wrap. */
static bool is_plain_method(value f)
{
    return value_is_kind(f, K_FUNCTION) || (value_is_kind(f, K_NATIVE) && value_as_obj(f)->shape == TYPE_NATIVE_METHOD);
}

/* func(args...) of a coroutine function: its frame, which nobody else has seen; V_STOP: it is another function. */
static value fresh_coroutine(vm *vm, value func, value *args, uint32_t nargs)
{
    frame *f;
    if (value_is_kind(func, K_FUNCTION) && (AS(function, func)->code->flags & CODE_COROUTINE))
        f = call_make_heap_frame(vm, AS(function, func), V_UNBOUND, args, nargs, V_UNBOUND);
    else if (value_is_kind(func, K_NATIVE) && (value_as_obj(func)->flags & NATIVE_ASYNC))
        f = async_native_frame(vm, AS(native, func), args, nargs, V_UNBOUND);
    else return V_STOP;
    return f ? value_obj(f) : V_ERROR;
}

value op_anext_fresh(vm *vm, value it)
{
    type *t = type_of(vm, it);
    if (!(t->flags & TF_HEAP)) return V_STOP;
    value func = type_lookup(vm, t, N(vm, __anext__));
    return value_is_kind(func, K_FUNCTION) ? fresh_coroutine(vm, func, &it, 1) : V_STOP;
}

value op_aexit_fresh(vm *vm, value exit)
{
    if (!value_is_kind(exit, K_METHOD)) return V_STOP;
    method *m = AS(method, exit);
    if (m->h.shape != TYPE_METHOD && m->h.shape != TYPE_NATIVE_BOUND) return V_STOP;
    value args[4] = {m->self, V_NONE, V_NONE, V_NONE};
    return fresh_coroutine(vm, m->func, args, 4);
}

bool op_beforewith(vm *vm, value mgr, value *out, bool is_async, bool *fresh)
{
    ROOTS(vm, &mgr);
    str *enter_name = is_async ? N(vm, __aenter__) : N(vm, __enter__);
    str *exit_name = is_async ? N(vm, __aexit__) : N(vm, __exit__);
    const char *proto = is_async ? "asynchronous context manager" : "context manager";
    value enter = type_lookup(vm, type_of(vm, mgr), enter_name);
    bool plain = is_plain_method(enter);
    if (!plain && !value_is_unbound(enter)) enter = attr_bind(vm, enter, mgr, type_of(vm, mgr));
    if (value_is_unbound(enter)) {
        if (!raised(vm)) raise_type_error(vm, "'%T' object does not support the %s protocol", mgr, proto);
        return false;
    }
    ROOTS(vm, &enter);
    value exit = type_lookup_special(vm, mgr, exit_name);
    if (value_is_unbound(exit)) {
        if (!raised(vm))
            raise_type_error(vm, "'%T' object does not support the %s protocol (missed %s method)", mgr, proto,
                             is_async ? "__aexit__" : "__exit__");
        return false;
    }
    ROOTS(vm, &exit);
    value v = is_async && plain ? fresh_coroutine(vm, enter, &mgr, 1) : V_STOP;
    *fresh = !value_is(v, V_STOP);
    if (!*fresh) v = plain ? vm_call1(vm, enter, mgr) : vm_call0(vm, enter);
    if (value_is_error(v)) return false;
    out[0] = exit;
    out[1] = v;
    return true;
}

value op_withexit(vm *vm, value exit, value exc)
{
    value args[3] = {V_NONE, V_NONE, V_NONE};
    if (IS_EXC(exc)) {
        args[0] = value_obj(type_of(vm, exc));
        args[1] = exc;
        args[2] = exc_get_traceback(vm, exc);
        if (value_is_error(args[2])) return V_ERROR;
    }
    return vm_call(vm, exit, args, 3);
}

/* An exception instance from a class or instance; V_ERROR: raised. */
static value as_exception(vm *vm, value v, const char *what)
{
    if (IS_EXC(v)) return v;
    if (exc_is_cls(vm, v)) {
        value e = vm_call0(vm, v);
        if (value_is_error(e)) return e;
        if (!IS_EXC(e))
            return raise_type_error(vm, "calling %R should have returned an instance of BaseException, not %T", v, e);
        return e;
    }
    return raise_type_error(vm, "%s must derive from BaseException", what);
}

void op_raise(vm *vm, value v, value cause, unsigned form)
{
    if (form == 0) {
        value h = vm->thread->handled;
        if (value_is_unbound(h)) raise(vm, EXC_RuntimeError, "No active exception to reraise");
        else vm->thread->exc = h;
        return;
    }
    ROOTS(vm, &v, &cause);
    value exc = as_exception(vm, v, "exceptions");
    if (value_is_error(exc)) return;
    ROOTS(vm, &exc);
    if (form == 2) {
        value c = value_is_none(cause) ? cause : as_exception(vm, cause, "exception causes");
        if (value_is_error(c)) return;
        exception *e = AS(exception, exc);
        e->cause = c;
        e->h.flags |= EXC_SUPPRESS_CONTEXT;
        gc_barrier(vm, e);
    }
    raise_exception(vm, exc);
}

int op_excmatch(vm *vm, value exc, value cls) { return exc_match(vm, exc, cls); }

/* ---- except* ---- */

static value call_split(vm *vm, value group, value cls)
{
    str *name = str_intern_utf8(vm, "split", 5);
    return name ? vm_call_method(vm, group, name, &cls, 1) : V_ERROR;
}

bool op_egmatch(vm *vm, value exc, value cls, value *out)
{
    ROOTS(vm, &exc, &cls);
    if (value_is_none(exc)) {
        out[0] = out[1] = V_NONE;
        return true;
    }
    value group = value_obj(EXC_T(vm, BaseExceptionGroup));
    /* except* takes no ExceptionGroup class, alone or in a tuple. */
    size_t n = IS_TUPLE(cls) ? AS(tuple, cls)->len : 1;
    for (size_t i = 0; i < n; i++) {
        value c = IS_TUPLE(cls) ? AS(tuple, cls)->items[i] : cls;
        if (!exc_is_cls(vm, c)) {
            raise_type_error(vm, "catching classes that do not inherit from BaseException is not allowed");
            return false;
        }
        if (type_is_subtype(AS(type, c), EXC_T(vm, BaseExceptionGroup))) {
            raise_type_error(vm, "catching ExceptionGroup with except* is not allowed. Use except instead.");
            return false;
        }
    }
    int whole = exc_match(vm, exc, cls);
    if (whole < 0) return false;
    if (whole) {
        out[0] = V_NONE;
        out[1] = exc;
        if (!value_isa(vm, exc, AS(type, group))) { /* a bare exception is handled as a group of one */
            tuple *one = tuple_pack(vm, 1, exc);
            if (!one) return false;
            value args[2] = {value_obj(vm->empty_str), value_obj(one)};
            out[1] = vm_call(vm, group, args, 2); /* an ExceptionGroup if it can be one */
            if (value_is_error(out[1])) return false;
        }
        return true;
    }
    if (!value_isa(vm, exc, AS(type, group))) {
        out[0] = exc;
        out[1] = V_NONE;
        return true;
    }
    value pair = call_split(vm, exc, cls);
    if (value_is_error(pair)) return false;
    if (!IS_TUPLE(pair) || AS(tuple, pair)->len < 2) {
        raise_type_error(vm, "%T.split must return a 2-tuple", exc);
        return false;
    }
    for (int i = 0; i < 2; i++) {
        value part = AS(tuple, pair)->items[i];
        if (IS_EXC(part) || value_is_none(part)) continue;
        raise_type_error(vm, "%T.split must return exceptions or None, not %T", exc, part);
        return false;
    }
    out[1] = AS(tuple, pair)->items[0];
    out[0] = AS(tuple, pair)->items[1];
    return true;
}

value op_egraise(vm *vm, value orig, value raised) { return exc_group_reraise(vm, orig, AS(list, raised)); }

/* ---- imports ---- */

value op_import(vm *vm, frame *F, str *name, value fromlist, uint32_t level)
{
    value imp = op_builtin(vm, F, N(vm, __import__));
    if (raised(vm)) return V_ERROR;
    if (value_is_unbound(imp)) return raise(vm, EXC_ImportError, "__import__ not found");
    if (value_is(imp, vm->import_function)) return import_name(vm, name, F->func->globals, fromlist, level);
    value args[5] = {value_obj(name), value_obj(F->func->globals), V_NONE, fromlist, value_int(level)};
    return vm_call(vm, imp, args, 5);
}

value op_importfrom(vm *vm, value m, str *name) { return import_from(vm, m, name); }

bool op_importstar(vm *vm, frame *F, value m)
{
    value ns = F->r[0];
    return import_star(vm, m, value_is_unbound(ns) ? value_obj(F->func->globals) : ns);
}

value op_printexpr(vm *vm, value v)
{
    value sys = dict_get_str(vm, vm->modules, N(vm, sys));
    str *name = str_intern_utf8(vm, "displayhook", 11);
    if (!name) return V_ERROR;
    value hook = value_is_unbound(sys) ? V_UNBOUND : obj_getattr(vm, sys, name);
    if (value_is_unbound(hook)) return raised(vm) ? V_ERROR : raise(vm, EXC_RuntimeError, "lost sys.displayhook");
    return vm_call1(vm, hook, v);
}

value op_getaiter(vm *vm, value v)
{
    type *t = type_of(vm, v);
    if (!t->s.aiter) return raise_type_error(vm, "'async for' requires an object with __aiter__ method, got %T", v);
    value it = t->s.aiter(vm, v);
    if (value_is_error(it)) return it;
    if (!type_of(vm, it)->s.anext)
        return raise_type_error(
            vm, "'async for' received an object from __aiter__ that does not implement __anext__: %T", it);
    return it;
}
