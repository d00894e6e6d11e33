/* Async generators as objects: asend, athrow, aclose, __anext__ and the awaitables they give out.
 *
 * `async for` steps an async generator's frame directly (AFORITER) and needs none of this. The awaitables here are for
 * explicit calls; each is stepped by hand like a generator, and each step forwards to the generator's frame: a plain
 * yield inside (an await that suspends) is passed on, the generator's own yield ends the awaitable with that value.
 */
#include "interp.h"

#define DOC_FILE vm_asyncgen
DOC_BEGIN;

enum { OP_STATE_INIT, OP_STATE_ITER, OP_STATE_CLOSED };

bool op_agen_first(vm *vm, frame *gen)
{
    gen->h.flags |= FRAME_AGEN_HOOKED;
    gc_register_finalizer(vm, &gen->h);
    if (value_is_unbound(vm->thread->asyncgen_firstiter) || value_is_none(vm->thread->asyncgen_firstiter)) return true;
    ROOTS(vm, &gen);
    return !value_is_error(vm_call1(vm, vm->thread->asyncgen_firstiter, value_obj(gen)));
}

static value agen_op_new(vm *vm, value gen, enum agen_opcode op, value arg)
{
    frame *g = AS(frame, gen);
    ROOTS(vm, &gen, &arg);
    if (!(g->h.flags & FRAME_AGEN_HOOKED) && !op_agen_first(vm, g)) return V_ERROR;
    agen_op *o =
        gc_new(vm, K_AGEN_OP, op == AGEN_ASEND ? TYPE_ASYNC_GENERATOR_ASEND : TYPE_ASYNC_GENERATOR_ATHROW, sizeof *o);
    if (!o) return V_ERROR;
    o->gen = g;
    o->op = (uint8_t)op;
    o->arg = arg;
    return value_obj(o);
}

static value agen_anext(vm *vm, value self) { return agen_op_new(vm, self, AGEN_ASEND, V_NONE); }
static value agen_asend(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return agen_op_new(vm, a[0], AGEN_ASEND, a[1]);
}
static value agen_athrow(vm *vm, value *a, uint32_t n, value kw)
{
    (void)kw;
    tuple *t = tuple_new(vm, 3);
    (void)n;
    if (!t) return V_ERROR;
    for (int i = 0; i < 3; i++) t->items[i] = value_is_unbound(a[i + 1]) ? V_NONE : a[i + 1];
    return agen_op_new(vm, a[0], AGEN_ATHROW, value_obj(t));
}
static value agen_aclose(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return agen_op_new(vm, a[0], AGEN_ACLOSE, V_NONE);
}

static const char *op_name(const agen_op *o)
{
    return o->op == AGEN_ASEND ? "__anext__()/asend()" : o->op == AGEN_ACLOSE ? "aclose()" : "athrow()";
}

static value op_reused(vm *vm, agen_op *o)
{
    if (o->op == AGEN_ASEND) return raise(vm, EXC_RuntimeError, "cannot reuse already awaited __anext__()/asend()");
    return raise(vm, EXC_RuntimeError, "cannot reuse already awaited aclose()/athrow()");
}

/* What a step of the generator means for the operation; clears the running mark when the operation is over. */
static value op_outcome(vm *vm, agen_op *o, enum step s, value out)
{
    frame *g = o->gen;
    if (s == STEP_YIELD) {
        g->h.flags |= FRAME_AGEN_RUNNING;
        if (o->op == AGEN_ACLOSE || o->op == AGEN_ATHROW) return out;
        return out;
    }
    o->state = OP_STATE_CLOSED;
    g->h.flags &= (uint16_t)~FRAME_AGEN_RUNNING;
    switch (s) {
    case STEP_AYIELD:
        if (o->op == AGEN_ACLOSE) return raise(vm, EXC_RuntimeError, "async generator ignored GeneratorExit");
        return raise_stop_iteration(vm, out);
    case STEP_DONE:
        if (o->op == AGEN_ACLOSE) return raise_stop_iteration(vm, V_UNBOUND);
        return raise(vm, EXC_StopAsyncIteration, NULL);
    default:
        if (o->op == AGEN_ACLOSE && (exc_clear_if(vm, EXC_StopAsyncIteration) || exc_clear_if(vm, EXC_GeneratorExit)))
            return raise_stop_iteration(vm, V_UNBOUND);
        return V_ERROR;
    }
}

/* The exception for athrow(): pending. */
static bool op_throw_args(vm *vm, agen_op *o)
{
    tuple *t = AS(tuple, o->arg);
    value cls = t->items[0], v = t->items[1], exc = cls;
    if (exc_is_cls(vm, cls)) {
        if (IS_EXC(v) && obj_isinstance(vm, v, cls) > 0) exc = v;
        else if (value_is_none(v)) exc = vm_call0(vm, cls);
        else if (IS_TUPLE(v)) exc = vm_call_ex(vm, cls, v, V_UNBOUND);
        else exc = vm_call1(vm, cls, v);
        if (value_is_error(exc)) return false;
    }
    if (!IS_EXC(exc)) {
        raise_type_error(vm, "exceptions must be classes or instances deriving from BaseException, not %T", cls);
        return false;
    }
    raise_exception(vm, exc);
    return true;
}

static value op_start(vm *vm, agen_op *o, value sent)
{
    frame *g = o->gen;
    if (g->h.flags & FRAME_AGEN_RUNNING) {
        const char *who = o->op == AGEN_ASEND ? "anext()" : op_name(o);
        o->state = OP_STATE_CLOSED;
        return raise(vm, EXC_RuntimeError, "%s: asynchronous generator is already running", who);
    }
    unsigned st = frame_state(g);
    if (o->op == AGEN_ASEND) {
        if (value_is_none(sent)) sent = o->arg;
        o->state = OP_STATE_ITER;
        if (st == FRAME_DONE || (g->h.flags & FRAME_AGEN_CLOSED)) {
            o->state = OP_STATE_CLOSED;
            return raise(vm, EXC_StopAsyncIteration, NULL);
        }
        if (st == FRAME_CREATED && !value_is_none(sent)) {
            o->state = OP_STATE_CLOSED;
            return raise_type_error(vm, "can't send non-None value to a just-started async generator");
        }
        value out;
        g->h.flags |= FRAME_AGEN_RUNNING;
        enum step s = frame_step(vm, g, sent, &out);
        return op_outcome(vm, o, s, out);
    }
    if (st == FRAME_DONE || (g->h.flags & FRAME_AGEN_CLOSED)) {
        o->state = OP_STATE_CLOSED;
        if (o->op == AGEN_ACLOSE) return raise_stop_iteration(vm, V_UNBOUND);
        return raise(vm, EXC_StopAsyncIteration, NULL);
    }
    if (!value_is_none(sent))
        return raise(vm, EXC_RuntimeError, "can't send non-None value to a just-started coroutine");
    o->state = OP_STATE_ITER;
    if (o->op == AGEN_ACLOSE) {
        g->h.flags |= FRAME_AGEN_CLOSED;
        raise(vm, EXC_GeneratorExit, NULL);
    } else if (!op_throw_args(vm, o)) {
        o->state = OP_STATE_CLOSED;
        return V_ERROR;
    }
    if (st == FRAME_CREATED) {
        frame_set_state(g, FRAME_DONE);
        return op_outcome(vm, o, STEP_ERROR, V_UNBOUND);
    }
    value out;
    g->h.flags |= FRAME_AGEN_RUNNING;
    enum step s = frame_step(vm, g, V_UNBOUND, &out);
    return op_outcome(vm, o, s, out);
}

static value op_send(vm *vm, value self, value sent)
{
    agen_op *o = AS(agen_op, self);
    ROOTS(vm, &self);
    if (o->state == OP_STATE_CLOSED) return op_reused(vm, o);
    if (o->state == OP_STATE_INIT) return op_start(vm, o, sent);
    value out;
    enum step s = frame_step(vm, o->gen, sent, &out);
    return op_outcome(vm, o, s, out);
}
static value op_next(vm *vm, value self) { return op_send(vm, self, V_NONE); }
static value op_send_method(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return op_send(vm, a[0], a[1]);
}
static value op_throw_method(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    agen_op *o = AS(agen_op, a[0]);
    if (o->state == OP_STATE_CLOSED) return op_reused(vm, o);
    value exc = a[1];
    if (exc_is_cls(vm, exc))
        exc = value_is_unbound(a[2]) || value_is_none(a[2]) ? vm_call0(vm, exc) : vm_call1(vm, exc, a[2]);
    if (value_is_error(exc)) return V_ERROR;
    if (!IS_EXC(exc))
        return raise_type_error(vm, "exceptions must be classes or instances deriving from BaseException, not %T", exc);
    if (o->state == OP_STATE_INIT) {
        if (o->gen->h.flags & FRAME_AGEN_RUNNING)
            return raise(vm, EXC_RuntimeError, "%s: asynchronous generator is already running",
                         o->op == AGEN_ASEND ? "anext()" : op_name(o));
        o->state = OP_STATE_ITER;
        o->gen->h.flags |= FRAME_AGEN_RUNNING;
    }
    raise_exception(vm, exc);
    if (frame_state(o->gen) == FRAME_DONE) return op_outcome(vm, o, STEP_ERROR, V_UNBOUND);
    if (frame_state(o->gen) == FRAME_CREATED) {
        frame_set_state(o->gen, FRAME_DONE);
        return op_outcome(vm, o, STEP_ERROR, V_UNBOUND);
    }
    value out;
    enum step s = frame_step(vm, o->gen, V_UNBOUND, &out);
    return op_outcome(vm, o, s, out);
}
static value op_close_method(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    agen_op *o = AS(agen_op, a[0]);
    if (o->state == OP_STATE_ITER) o->gen->h.flags &= (uint16_t)~FRAME_AGEN_RUNNING;
    o->state = OP_STATE_CLOSED;
    return V_NONE;
}
static value op_self(vm *vm, value self)
{
    (void)vm;
    return self;
}
static void op_traverse(vm *vm, object *obj)
{
    agen_op *o = (agen_op *)obj;
    if (o->gen) gc_mark_obj(vm, &o->gen->h);
    gc_mark_value(vm, o->arg);
    gc_mark_value(vm, o->tb);
}

/* anext(it, default): an awaitable that turns StopAsyncIteration into the default. `tb` holds what is awaited, `gen`
 * its frame, made at the first step: only then it is an error that the thing can't be awaited. */
value anext_default(vm *vm, value awaitable, value deflt)
{
    ROOTS(vm, &awaitable, &deflt);
    agen_op *o = gc_new(vm, K_AGEN_OP, TYPE_ANEXT_AWAITABLE, sizeof *o);
    if (!o) return V_ERROR;
    o->tb = awaitable;
    o->op = AGEN_ANEXT_DEFAULT;
    o->arg = deflt;
    return value_obj(o);
}
static value anext_outcome(vm *vm, agen_op *o, value v)
{
    if (!value_is_error(v)) return v;
    if (exc_clear_if(vm, EXC_StopAsyncIteration)) return raise_stop_iteration(vm, o->arg);
    return V_ERROR;
}
/* false: raised */
static bool anext_ready(vm *vm, agen_op *o)
{
    if (o->gen) return true;
    ROOTS(vm, &o);
    o->gen = await_frame(vm, o->tb);
    gc_barrier(vm, o);
    return o->gen != NULL;
}
static value anext_next(vm *vm, value self)
{
    agen_op *o = AS(agen_op, self);
    ROOTS(vm, &self);
    if (!anext_ready(vm, o)) return V_ERROR;
    return anext_outcome(vm, o, gen_resume(vm, o->gen, V_NONE));
}
static value anext_send_method(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    agen_op *o = AS(agen_op, a[0]);
    if (!anext_ready(vm, o)) return V_ERROR;
    return anext_outcome(vm, o, gen_resume(vm, o->gen, a[1]));
}
static value anext_throw_method(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    agen_op *o = AS(agen_op, a[0]);
    if (!anext_ready(vm, o)) return V_ERROR;
    bool separate = !value_is_unbound(a[2]) && IS_EXC(a[2]); /* throw(type, value, traceback) */
    value exc = separate ? a[2] : exc_is_cls(vm, a[1]) ? vm_call0(vm, a[1]) : a[1];
    if (value_is_error(exc)) return V_ERROR;
    if (!IS_EXC(exc))
        return raise_type_error(vm, "exceptions must be classes or instances deriving from BaseException, not %T", exc);
    raise_exception(vm, exc);
    return anext_outcome(vm, o, gen_resume(vm, o->gen, V_UNBOUND));
}
static value anext_close_method(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return anext_ready(vm, AS(agen_op, a[0])) && frame_close(vm, AS(agen_op, a[0])->gen) ? V_NONE : V_ERROR;
}

static value agen_running(vm *vm, value self)
{
    (void)vm;
    return value_bool(AS(frame, self)->h.flags & FRAME_AGEN_RUNNING || frame_state(AS(frame, self)) == FRAME_RUNNING);
}
static value agen_suspended(vm *vm, value self)
{
    (void)vm;
    return value_bool(frame_state(AS(frame, self)) == FRAME_SUSPENDED);
}
static value agen_await(vm *vm, value self)
{
    (void)vm;
    value v = frame_child(AS(frame, self));
    return value_is_unbound(v) ? V_NONE : v;
}
static value agen_code(vm *vm, value self)
{
    (void)vm;
    return value_obj(AS(frame, self)->code);
}
static value agen_frame(vm *vm, value self)
{
    frame *f = AS(frame, self);
    return frame_state(f) == FRAME_DONE ? V_NONE : frameview_of(vm, f);
}

static const native_def agen_methods[] = {
    {"asend(self, value, /)", agen_asend,
     DOC("Awaitable that sends a value into the generator and gives the next one."), 0},
    {"athrow(self, typ, val=None, tb=None, /)", agen_athrow,
     DOC("Awaitable that raises an exception in the generator."), 0},
    {"aclose(self, /)", agen_aclose, DOC("Awaitable that closes the generator."), 0},
    {0},
};
static const getset_def agen_getsets[] = {
    {"__name__", frame_get_name, frame_put_name, NULL},
    {"__qualname__", frame_get_qualname, frame_put_qualname, NULL},
    {"ag_running", agen_running, NULL, NULL},
    {"ag_suspended", agen_suspended, NULL, NULL},
    {"ag_await", agen_await, NULL, NULL},
    {"ag_code", agen_code, NULL, NULL},
    {"ag_frame", agen_frame, NULL, NULL},
    {0},
};
static const native_def op_methods[] = {
    {"send(self, value, /)", op_send_method, DOC("Step the operation."), 0},
    {"throw(self, typ, val=None, tb=None, /)", op_throw_method, DOC("Raise an exception in the operation."), 0},
    {"close(self, /)", op_close_method, DOC("Abandon the operation."), 0},
    {0},
};
static const native_def anext_methods[] = {
    {"send(self, value, /)", anext_send_method, DOC("Step the operation."), 0},
    {"throw(self, typ, val=None, tb=None, /)", anext_throw_method, DOC("Raise an exception in the operation."), 0},
    {"close(self, /)", anext_close_method, DOC("Abandon the operation."), 0},
    {0},
};
static const gc_kind_ops op_kind_ops = {.traverse = op_traverse};

void agen_types_init(vm *vm)
{
    gc_register_kind(vm, K_AGEN_OP, &op_kind_ops);
    type *t = T(vm, ASYNC_GENERATOR);
    t->s.repr = T(vm, GENERATOR)->s.repr;
    t->s.aiter = op_self;
    t->s.anext = agen_anext;
    t->methods = agen_methods;
    t->getsets = agen_getsets;
    type *ops[] = {T(vm, ASYNC_GENERATOR_ASEND), T(vm, ASYNC_GENERATOR_ATHROW)};
    for (int i = 0; i < 2; i++) {
        ops[i]->s.iter = op_self;
        ops[i]->s.await = op_self;
        ops[i]->s.next = op_next;
        ops[i]->methods = op_methods;
    }
    t = T(vm, ANEXT_AWAITABLE);
    t->s.iter = op_self;
    t->s.await = op_self;
    t->s.next = anext_next;
    t->methods = anext_methods;
}
