/* Generators, coroutines and async generators as objects: stepping them from C, their methods and attributes. */
#include "interp.h"

#define DOC_FILE vm_gen
DOC_BEGIN;

const char *frame_kind_name(const frame *f)
{
    return f->h.shape == TYPE_COROUTINE         ? "coroutine"
           : f->h.shape == TYPE_ASYNC_GENERATOR ? "async generator"
                                                : "generator";
}

value frame_coroutine_name(vm *vm, frame *f)
{
    (void)vm;
    return f->func ? f->func->qualname : value_obj(f->code->qualname);
}

enum step frame_step(vm *vm, frame *f, value sent, value *out)
{
    *out = V_UNBOUND;
    value pending = V_UNBOUND;
    if (value_is_unbound(sent)) {
        pending = exc_take(vm); /* vm_enter and the boundary may raise on their own */
    }
    ROOTS(vm, &pending, &sent, &f);
    if (!vm_enter(vm)) return STEP_ERROR;
    thread *th = vm->thread;
    frame *b = stack_push_boundary(vm, th);
    enum step result = STEP_ERROR;
    if (b) {
        f->up = b;
        f->ret = RET_MAKE(0, RET_SEND);
        f->link.task = NULL;
        f->h.flags |= FRAME_AWAITED;
        if (value_is_unbound(sent)) th->exc = pending;
        value v = interp_resume(vm, f, sent);
        result = (enum step)b->origin;
        *out = v;
        f->up = NULL;
        stack_pop_boundary(vm, th, b);
    }
    vm_leave(vm);
    return result;
}

value frame_child(frame *f)
{
    if (!(f->h.flags & FRAME_DELEGATING)) return V_UNBOUND;
    insn i = f->pc[-2];
    if (I_OP(i) == OP_AWAIT || I_OP(i) == OP_YIELDFROM) return f->r[I_B(i)];
    return f->r[I_B(f->pc[-3]) + 1];
}

bool frame_close(vm *vm, frame *f)
{
    unsigned st = frame_state(f);
    if (st == FRAME_CREATED) {
        f->h.flags |= FRAME_AWAITED;
        frame_set_state(f, FRAME_DONE);
        return true;
    }
    if (st == FRAME_DONE) return true;
    if (st == FRAME_RUNNING) {
        raise(vm, EXC_ValueError, "%s already executing", frame_kind_name(f));
        return false;
    }
    if (!(f->h.flags & FRAME_DELEGATING) && !code_handler(f->code, (uint32_t)(f->pc - f->code->insns))) {
        frame_set_state(f, FRAME_DONE);
        return true;
    }
    ROOTS(vm, &f);
    raise(vm, EXC_GeneratorExit, NULL);
    value out;
    switch (frame_step(vm, f, V_UNBOUND, &out)) {
    case STEP_YIELD:
    case STEP_AYIELD: raise(vm, EXC_RuntimeError, "%s ignored GeneratorExit", frame_kind_name(f)); return false;
    case STEP_DONE: return true;
    default:
        return exc_clear_if(vm, EXC_GeneratorExit) || exc_clear_if(vm, EXC_StopIteration) ||
               (f->h.shape == TYPE_ASYNC_GENERATOR && exc_clear_if(vm, EXC_StopAsyncIteration));
    }
}

void op_convert_stop(vm *vm, frame *f)
{
    bool stop = exc_matches(vm, EXC_StopIteration);
    if (!stop && !(f->h.shape == TYPE_ASYNC_GENERATOR && exc_matches(vm, EXC_StopAsyncIteration))) return;
    value cause = exc_take(vm);
    ROOTS(vm, &cause);
    raise(vm, EXC_RuntimeError, "%s raised %s", frame_kind_name(f), stop ? "StopIteration" : "StopAsyncIteration");
    if (IS_EXC(vm->thread->exc) && IS_EXC(cause)) {
        exception *e = AS(exception, vm->thread->exc);
        e->cause = e->context = cause;
        e->h.flags |= EXC_SUPPRESS_CONTEXT;
        gc_barrier(vm, e);
    }
}

/* ---- send, throw, close, next ---- */

/* Is f, or what it delegates to, on the active chain? */
bool frame_is_executing(const frame *f)
{
    while (frame_state(f) == FRAME_SUSPENDED && (f->h.flags & FRAME_DELEGATING)) {
        value c = frame_child((frame *)f);
        if (!value_is_kind(c, K_FRAME)) return false;
        f = AS(frame, c);
    }
    return frame_state(f) == FRAME_RUNNING;
}

static bool check_sendable(vm *vm, frame *f, value sent)
{
    unsigned st = frame_state(f);
    if (st == FRAME_RUNNING || frame_is_executing(f)) {
        raise(vm, EXC_ValueError, "%s already executing", frame_kind_name(f));
        return false;
    }
    if (st == FRAME_DONE && f->h.shape == TYPE_COROUTINE) {
        raise(vm, EXC_RuntimeError, "cannot reuse already awaited coroutine");
        return false;
    }
    if (st == FRAME_CREATED && !value_is_none(sent) && !value_is_unbound(sent)) {
        raise_type_error(vm, "can't send non-None value to a just-started %s", frame_kind_name(f));
        return false;
    }
    return true;
}

/* One step as send() and throw() show it: the yielded value, or StopIteration. */
static value step_as_method(vm *vm, frame *f, value sent)
{
    value out;
    switch (frame_step(vm, f, sent, &out)) {
    case STEP_YIELD:
    case STEP_AYIELD: return out;
    case STEP_DONE: return raise_stop_iteration(vm, value_is_none(out) ? V_UNBOUND : out);
    default: return V_ERROR;
    }
}

static value gen_send(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return gen_resume(vm, AS(frame, a[0]), a[1]);
}

/* frame_step(f, None) for a generator that is idle and delegates to nothing, while the stack has room: without the
 * calls that it is made of, since sum(), list(), join() and the like come here for each item. */
static inline enum step step_idle(vm *vm, thread *th, frame *f, value *out)
{
    frame *b = (frame *)th->top, *below = th->current;
    th->top += BOUNDARY_SIZE;
    frame_init_stack(b, (code *)&interp_exit_code, NULL, below, RET_MAKE(0, RET_PLAIN));
    b->h.flags |= FRAME_BOUNDARY;
    b->origin = STEP_DONE;
    b->r[0] = b->r[1] = V_UNBOUND;
    th->depth++;
    th->nreent++;
    f->up = b;
    f->ret = RET_MAKE(0, RET_SEND);
    f->link.task = NULL;
    f->h.flags |= FRAME_AWAITED;
    *out = interp_resume(vm, f, V_NONE);
    enum step result = (enum step)b->origin;
    f->up = NULL;
    th->top = (char *)b;
    th->current = below;
    vm_leave(vm);
    return result;
}

static value gen_next(vm *vm, value self)
{
    frame *f = AS(frame, self);
    thread *th = vm->thread;
    unsigned fl = f->h.flags & (FRAME_STATE | FRAME_DELEGATING);
    if (LIKELY((fl == FRAME_SUSPENDED || fl == FRAME_CREATED) && th->depth < vm->limits.recursion &&
               (uintptr_t)__builtin_frame_address(0) >= th->c_stack_low &&
               (size_t)(th->limit - th->top) >= BOUNDARY_SIZE)) {
        ROOTS(vm, &f);
        value item;
        enum step r = step_idle(vm, th, f, &item);
        if (LIKELY(r == STEP_YIELD)) return item;
        if (r == STEP_DONE) return value_is_none(item) ? V_STOP : raise_stop_iteration(vm, item);
        if (r != STEP_AYIELD) return V_ERROR;
        return item;
    }
    if (frame_state(f) == FRAME_DONE) return V_STOP;
    if (!check_sendable(vm, f, V_NONE)) return V_ERROR;
    value out;
    switch (frame_step(vm, f, V_NONE, &out)) {
    case STEP_YIELD:
    case STEP_AYIELD: return out;
    case STEP_DONE: return value_is_none(out) ? V_STOP : raise_stop_iteration(vm, out);
    default: return V_ERROR;
    }
}

bool gen_throw_arguments(vm *vm, value t, value v, value tb)
{
    if (value_is_none(tb)) tb = V_UNBOUND;
    if (!value_is_unbound(tb) && !value_is_kind(tb, K_TRACEBACK)) {
        raise_type_error(vm, "throw() third argument must be a traceback object");
        return false;
    }
    value exc = t;
    ROOTS(vm, &exc, &v, &tb);
    if (exc_is_cls(vm, t)) {
        if (IS_EXC(v) && obj_isinstance(vm, v, t) > 0) exc = v;
        else if (value_is_unbound(v) || value_is_none(v)) exc = vm_call0(vm, t);
        else if (IS_TUPLE(v)) exc = vm_call_ex(vm, t, v, V_UNBOUND);
        else exc = vm_call1(vm, t, v);
        if (value_is_error(exc)) return true; /* this is what is raised inside */
        if (!IS_EXC(exc)) {
            raise_type_error(vm, "calling %R should have returned an instance of BaseException, not %T", t, exc);
            return true;
        }
    } else if (IS_EXC(t)) {
        if (!value_is_unbound(v) && !value_is_none(v)) {
            raise_type_error(vm, "instance exception may not have a separate value");
            return false;
        }
    } else {
        raise_type_error(vm, "exceptions must be classes or instances deriving from BaseException, not %T", t);
        return false;
    }
    if (!value_is_unbound(tb)) {
        AS(exception, exc)->traceback = tb;
        gc_barrier(vm, value_as_obj(exc));
    }
    vm->thread->exc = exc; /* its context is what the generator handles, not the caller */
    return true;
}

static value throw_pending(vm *vm, frame *f)
{
    unsigned st = frame_state(f);
    if (st == FRAME_DONE || st == FRAME_CREATED) {
        if (st == FRAME_DONE && f->h.shape == TYPE_COROUTINE) {
            exc_clear(vm);
            return raise(vm, EXC_RuntimeError, "cannot reuse already awaited coroutine");
        }
        if (st == FRAME_CREATED) {
            f->h.flags |= FRAME_AWAITED;
            frame_set_state(f, FRAME_DONE);
            exc_add_traceback(vm, vm->thread->exc, f->code, 1);
            op_convert_stop(vm, f);
        }
        return V_ERROR;
    }
    return step_as_method(vm, f, V_UNBOUND);
}

static value gen_throw(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!gen_throw_arguments(vm, a[1], a[2], a[3])) return V_ERROR;
    return gen_resume(vm, AS(frame, a[0]), V_UNBOUND);
}

static value gen_close(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return frame_close(vm, AS(frame, a[0])) ? V_NONE : V_ERROR;
}

static value self_iter(vm *vm, value self)
{
    (void)vm;
    return self;
}

/* ---- coroutine.__await__() ---- */

static value coro_await(vm *vm, value self)
{
    corowrap *w = gc_new(vm, K_COROWRAP, TYPE_COROUTINE_WRAPPER, sizeof *w);
    if (!w) return V_ERROR;
    w->coro = AS(frame, self);
    return value_obj(w);
}
static value corowrap_next(vm *vm, value self)
{
    value a[2] = {value_obj(AS(corowrap, self)->coro), V_NONE};
    value v = gen_send(vm, a, 2, V_UNBOUND);
    return v;
}
static value corowrap_send(vm *vm, value *a, uint32_t n, value kw)
{
    value b[2] = {value_obj(AS(corowrap, a[0])->coro), a[1]};
    return gen_send(vm, b, n, kw);
}
static value corowrap_throw(vm *vm, value *a, uint32_t n, value kw)
{
    value b[4] = {value_obj(AS(corowrap, a[0])->coro), a[1], a[2], a[3]};
    return gen_throw(vm, b, n, kw);
}
static value corowrap_close(vm *vm, value *a, uint32_t n, value kw)
{
    value b[1] = {value_obj(AS(corowrap, a[0])->coro)};
    return gen_close(vm, b, n, kw);
}
static void corowrap_traverse(vm *vm, object *o) { gc_mark_obj(vm, &((corowrap *)o)->coro->h); }

/* ---- what await steps ---- */

frame *await_frame(vm *vm, value v)
{
    if (value_is_kind(v, K_FRAME)) {
        frame *f = AS(frame, v);
        if (f->h.shape == TYPE_COROUTINE || (f->code->flags & CODE_ITERABLE_CORO)) return f;
    }
    type *t = type_of(vm, v);
    if (value_is_kind(v, K_FUTURE) || value_is_kind(v, K_TASK)) {
        if (t->s.await == T(vm, FUTURE)->s.await) return stub_frame(vm, false, v);
    }
    if (!t->s.await) {
        raise_type_error(vm, "object %T can't be used in 'await' expression", v);
        return NULL;
    }
    value it = t->s.await(vm, v);
    if (value_is_error(it)) return NULL;
    if (value_is_kind(it, K_FRAME)) {
        frame *f = AS(frame, it);
        if (f->h.shape == TYPE_COROUTINE || (f->code->flags & CODE_ITERABLE_CORO)) {
            raise_type_error(vm, "__await__() returned a coroutine");
            return NULL;
        }
        if (f->h.shape == TYPE_GENERATOR && frame_state(f) != FRAME_DONE) return f;
    }
    if (!type_of(vm, it)->s.next) {
        raise_type_error(vm, "__await__() returned non-iterator of type '%T'", it);
        return NULL;
    }
    return stub_frame(vm, true, it);
}

void anext_error(vm *vm, value aw)
{
    value cause = exc_take(vm);
    ROOTS(vm, &cause);
    raise_type_error(vm, "'async for' received an invalid object from __anext__: %T", aw);
    if (IS_EXC(vm->thread->exc)) {
        exception *e = AS(exception, vm->thread->exc);
        e->cause = cause;
        e->h.flags |= EXC_SUPPRESS_CONTEXT;
        gc_barrier(vm, e);
    }
}

void await_error(vm *vm, insn before, value v)
{
    const char *method = I_OP(before) == OP_BEFOREAWITH                                   ? "__aenter__"
                         : I_OP(before) == OP_WITHEXIT || I_OP(before) == OP_WITHEXITNONE ? "__aexit__"
                                                                                          : NULL;
    if (!method || type_of(vm, v)->s.await || !exc_clear_if(vm, EXC_TypeError)) return;
    raise_type_error(vm, "'async with' received an object from %s that does not implement __await__: %T", method, v);
}

/* ---- delegates that are no frames ---- */

enum step op_iter_send(vm *vm, value it, value sent, value *out)
{
    type *t = type_of(vm, it);
    value v;
    if (value_is_none(sent) && t->s.next) {
        v = t->s.next(vm, it);
        if (v.bits == V_STOP.bits) {
            *out = V_NONE;
            return STEP_DONE;
        }
    } else {
        v = vm_call_method(vm, it, N(vm, send), &sent, 1);
    }
    if (!value_is_error(v)) {
        *out = v;
        return STEP_YIELD;
    }
    if (!exc_matches(vm, EXC_StopIteration)) return STEP_ERROR;
    value exc = exc_take(vm);
    *out = AS(exception, exc)->field[0];
    if (value_is_unbound(*out)) *out = V_NONE;
    return STEP_DONE;
}

enum step op_iter_throw(vm *vm, value it, value *out)
{
    value exc = exc_take(vm);
    ROOTS(vm, &exc, &it);
    if (obj_isinstance(vm, exc, value_obj(EXC_T(vm, GeneratorExit))) > 0) {
        value close = obj_getattr_opt(vm, it, N(vm, close));
        if (value_is_unbound(close) && raised(vm)) exc_report_unraisable(vm, it);
        if (!value_is_unbound(close) && value_is_error(vm_call0(vm, close))) return STEP_ERROR;
        vm->thread->exc = exc;
        return STEP_ERROR;
    }
    value meth = obj_getattr_opt(vm, it, N(vm, throw));
    if (value_is_unbound(meth)) {
        if (!raised(vm)) vm->thread->exc = exc;
        return STEP_ERROR;
    }
    value v = vm_call1(vm, meth, exc);
    if (!value_is_error(v)) {
        *out = v;
        return STEP_YIELD;
    }
    if (!exc_matches(vm, EXC_StopIteration)) return STEP_ERROR;
    exc = exc_take(vm);
    *out = AS(exception, exc)->field[0];
    if (value_is_unbound(*out)) *out = V_NONE;
    return STEP_DONE;
}

value op_yfiter(vm *vm, frame *F, value v)
{
    if (value_is_kind(v, K_FRAME) && value_as_obj(v)->shape == TYPE_COROUTINE) {
        if (!(F->code->flags & (CODE_COROUTINE | CODE_ITERABLE_CORO)))
            return raise_type_error(vm, "cannot 'yield from' a coroutine object in a non-coroutine generator");
        return v;
    }
    if (value_is_exact(v, TYPE_GENERATOR)) return v;
    return obj_iter(vm, v);
}

/* ---- attributes ---- */

value frame_get_name(vm *vm, value self)
{
    (void)vm;
    frame *f = AS(frame, self);
    return f->func ? f->func->name : value_obj(f->code->name);
}
value frame_get_qualname(vm *vm, value self) { return frame_coroutine_name(vm, AS(frame, self)); }
/* A generator's name lives in its function: renaming the one gives it a function of its own. */
static bool put_text(vm *vm, value self, value v, bool qualified)
{
    frame *f = AS(frame, self);
    if (!IS_STR(v)) {
        raise_type_error(vm, "%s must be set to a string object", qualified ? "__qualname__" : "__name__");
        return false;
    }
    if (!f->func) return true;
    function *old = f->func, *own = function_new(vm, old->code, old->globals, old->ncells);
    if (!own) return false;
    for (uint32_t i = 0; i < old->ncells; i++) own->cells[i] = old->cells[i];
    own->builtins = old->builtins;
    own->name = qualified ? old->name : v;
    own->qualname = qualified ? v : old->qualname;
    f->func = own;
    gc_barrier(vm, f);
    return true;
}
bool frame_put_name(vm *vm, value self, value v) { return put_text(vm, self, v, false); }
bool frame_put_qualname(vm *vm, value self, value v) { return put_text(vm, self, v, true); }
static value get_code(vm *vm, value self)
{
    (void)vm;
    return value_obj(AS(frame, self)->code);
}
static value get_running(vm *vm, value self)
{
    (void)vm;
    frame *f = AS(frame, self);
    return value_bool(frame_is_executing(f));
}
static value get_suspended(vm *vm, value self)
{
    (void)vm;
    return value_bool(frame_state(AS(frame, self)) == FRAME_SUSPENDED);
}
static value get_child(vm *vm, value self)
{
    frame *f = AS(frame, self);
    if (frame_passes(f) && !async_native_passing(vm, f)) return V_ERROR;
    value v = frame_is_executing(f) ? V_UNBOUND : frame_child(f);
    if (value_is_unbound(v)) return V_NONE;
    frame *c = value_is_kind(v, K_FRAME) ? AS(frame, v) : NULL;
    if (c) frame_expose(c);
    return c && (c->code->flags & CODE_NATIVE) && stub_is_wrapper(vm, c) ? c->r[0] : v;
}
static value get_frame(vm *vm, value self)
{
    frame *f = AS(frame, self);
    return frame_state(f) == FRAME_DONE ? V_NONE : frameview_of(vm, f);
}
static value get_origin(vm *vm, value self)
{
    (void)vm, (void)self;
    return V_NONE;
}
static value gen_repr(vm *vm, value self)
{
    char buf[20];
    str *s = str_format(vm, "<%s object %U at %s>",
                        value_as_obj(self)->shape == TYPE_ASYNC_GENERATOR ? "async_generator"
                                                                          : frame_kind_name(AS(frame, self)),
                        frame_coroutine_name(vm, AS(frame, self)), address_text(value_as_obj(self), buf));
    return s ? value_obj(s) : V_ERROR;
}

static const native_def gen_methods[] = {
    {"send(self, value, /)", gen_send, DOC("Resume the generator with a value, which its yield expression returns."),
     0},
    {"throw(self, typ, val=None, tb=None, /)", gen_throw, DOC("Raise an exception where the generator is suspended."),
     0},
    {"close(self, /)", gen_close, DOC("Raise GeneratorExit where the generator is suspended."), 0},
    {0},
};
static const getset_def gen_getsets[] = {
    {"__name__", frame_get_name, frame_put_name, NULL},
    {"__qualname__", frame_get_qualname, frame_put_qualname, NULL},
    {"gi_code", get_code, NULL, NULL},
    {"gi_running", get_running, NULL, NULL},
    {"gi_suspended", get_suspended, NULL, NULL},
    {"gi_yieldfrom", get_child, NULL, NULL},
    {"gi_frame", get_frame, NULL, NULL},
    {0},
};
static const getset_def coro_getsets[] = {
    {"__name__", frame_get_name, frame_put_name, NULL},
    {"__qualname__", frame_get_qualname, frame_put_qualname, NULL},
    {"cr_code", get_code, NULL, NULL},
    {"cr_running", get_running, NULL, NULL},
    {"cr_suspended", get_suspended, NULL, NULL},
    {"cr_await", get_child, NULL, NULL},
    {"cr_frame", get_frame, NULL, NULL},
    {"cr_origin", get_origin, NULL, NULL},
    {0},
};
static const native_def corowrap_methods[] = {
    {"send(self, value, /)", corowrap_send, DOC("As coroutine.send()."), 0},
    {"throw(self, typ, val=None, tb=None, /)", corowrap_throw, DOC("As coroutine.throw()."), 0},
    {"close(self, /)", corowrap_close, DOC("As coroutine.close()."), 0},
    {0},
};

static const gc_kind_ops frame_kind_ops = {.traverse = frame_traverse};
static const gc_kind_ops corowrap_kind_ops = {.traverse = corowrap_traverse};

void type_init_frame(vm *vm)
{
    gc_register_kind(vm, K_FRAME, &frame_kind_ops);
    gc_register_kind(vm, K_COROWRAP, &corowrap_kind_ops);
    type *t = T(vm, GENERATOR);
    t->s.iter = self_iter;
    t->s.next = gen_next;
    t->s.repr = gen_repr;
    t->methods = gen_methods;
    t->getsets = gen_getsets;
    t = T(vm, COROUTINE);
    t->s.repr = gen_repr;
    t->s.await = coro_await;
    t->methods = gen_methods;
    t->getsets = coro_getsets;
    t = T(vm, COROUTINE_WRAPPER);
    t->s.iter = self_iter;
    t->s.next = corowrap_next;
    t->methods = corowrap_methods;
    agen_types_init(vm);
    frameview_types_init(vm);
}

value gen_resume(vm *vm, frame *f, value sent)
{
    if (value_is_unbound(sent)) {
        value exc = exc_take(vm);
        ROOTS(vm, &exc);
        if (frame_state(f) != FRAME_DONE && !check_sendable(vm, f, V_NONE)) return V_ERROR;
        vm->thread->exc = exc;
        return throw_pending(vm, f);
    }
    if (frame_state(f) == FRAME_DONE && f->h.shape != TYPE_COROUTINE) return raise_stop_iteration(vm, V_UNBOUND);
    return check_sendable(vm, f, sent) ? step_as_method(vm, f, sent) : V_ERROR;
}
