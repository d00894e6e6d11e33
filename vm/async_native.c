/* Coroutine functions written in C, and the stub frames that await what is no coroutine.
 *
 * A native coroutine is an ordinary heap frame whose code is a four-line stub around one instruction:
 *
 *       L: NATIVESTEP io -> D    step function; done: jump to D
 *       A: AWAIT io io           what it asked to await
 *          JMP L
 *       Y: YIELD io io           a bare yield
 *          JMP L
 *       D: RETCORO io
 *       X: NATIVESTEP io -> D    (handler of AWAIT and YIELD) the exception is thrown into the step function
 *          JMP A
 *
 * Y stands three words before D: NATIVESTEP finds it from there.
 *
 * So suspension, cancellation, throw(), close() and tracebacks need nothing of their own for natives. Its locals are
 * the parameters, the scratch registers, and `io`.
 */
#include "future.h"
#include "interp.h"

code *stub_new(vm *vm, str *name, str *qualname, uint32_t nlocals, uint32_t nargs, const insn *words, uint32_t nwords,
               const exc_range *range, void *step)
{
    code *c = gc_new(vm, K_CODE, TYPE_CODE, sizeof *c);
    if (!c) return NULL;
    ROOTS(vm, &c);
    c->insns = mem_alloc(vm, nwords * sizeof(insn));
    if (!c->insns) return NULL;
    memcpy(c->insns, words, nwords * sizeof(insn));
    c->ninsns = nwords;
    c->nregs = c->nlocals = (uint16_t)nlocals;
    c->argcount = (uint16_t)nargs;
    c->plain_argc = UINT16_MAX;
    c->frame_size = (uint32_t)((sizeof(frame) + nlocals * sizeof(value) + 15) & ~(size_t)15);
    c->flags = CODE_COROUTINE | CODE_NATIVE;
    c->name = name;
    c->qualname = qualname;
    c->filename = vm->empty_str;
    c->doc = V_NONE;
    c->native_step = step;
    if (range) {
        c->excs = mem_alloc(vm, sizeof *range);
        if (!c->excs) return NULL;
        c->excs[0] = *range;
        c->nexcs = 1;
    }
    return c;
}

static code *native_stub(vm *vm, native *n)
{
    uint32_t scratch = n->def->flags >> 16, io = n->nparams + scratch;
    insn words[] = {
        MAKE_ABC(OP_NATIVESTEP, io, 0, 0),
        6, /* 0: done -> 8 */
        MAKE_ABC(OP_AWAIT, io, io, 0),
        0,                  /* 2 */
        MAKE_E(OP_JMP, -5), /* 4: -> 0 */
        MAKE_ABC(OP_YIELD, io, io, 0),
        0,                              /* 5 */
        MAKE_E(OP_JMP, -8),             /* 7: -> 0 */
        MAKE_ABC(OP_RETCORO, io, 0, 0), /* 8 */
        MAKE_ABC(OP_NATIVESTEP, io, 0, 1),
        (insn)-3,            /* 9: done -> 8 */
        MAKE_E(OP_JMP, -10), /* 11: -> 2 */
    };
    exc_range range = {.start = 2, .end = 8, .target = 9, .reg = (uint16_t)io};
    str *name = AS(str, n->name), *qual = name;
    if (n->owner) {
        qual = str_format(vm, "%U.%U", n->owner->qualname, n->name);
        if (!qual) return NULL;
    }
    code *c = stub_new(vm, name, qual, io + 1, n->nparams, words, sizeof words / sizeof *words, &range, (void *)n->fn);
    if (c) c->native_def = n->def;
    return c;
}

frame *async_native_frame(vm *vm, native *n, value *args, uint32_t nargs, value kwnames)
{
    if (value_is_unbound(n->code) || value_is_none(n->code)) {
        code *c = native_stub(vm, n);
        if (!c) return NULL;
        n->code = value_obj(c);
        gc_barrier(vm, n);
    }
    if ((n->h.flags & NATIVE_METHOD) && UNLIKELY(!nargs || !value_is_exact(args[0], n->owner->root_shape)) &&
        !native_check_receiver(vm, n, args, nargs))
        return NULL;
    code *c = AS(code, n->code);
    frame *f = gc_new_raw(vm, K_FRAME, TYPE_COROUTINE, c->frame_size);
    if (UNLIKELY(!f) && !(f = gc_new(vm, K_FRAME, TYPE_COROUTINE, c->frame_size))) return NULL;
    uint32_t i = 0, io = c->nlocals - 1u;
    f->code = c;
    f->func = NULL;
    f->pc = c->insns;
    f->up = NULL;
    f->link.task = NULL;
    f->ret = f->origin = 0;
    bool plain = value_is_unbound(kwnames) && nargs >= n->min && nargs <= n->max && !(n->h.flags & NATIVE_KWREQ);
    if (LIKELY(plain))
        for (; i < nargs; i++) f->r[i] = args[i];
    for (; i < io; i++) f->r[i] = V_UNBOUND;
    f->r[io] = V_NONE;
    if (LIKELY(plain) || native_bind(vm, n, args, nargs, kwnames, f->r)) return f;
    frame_set_state(f, FRAME_DONE);
    return NULL;
}

/* As if f had called sleep(), which has yielded: its scratch register is True then. */
frame *async_native_passing(vm *vm, frame *f)
{
    insn w = f->pc[-2], h = f->pc[-1];
    value zero = value_int(0), callee = f->r[I_B(w)];
    native *n = AS(native, callee);
    frame *c = async_native_frame(vm, n, &zero, 1, V_UNBOUND);
    if (!c) return NULL;
    task *t = (task *)(void *)f->link.task;
    c->r[n->nparams] = V_TRUE;
    c->pc = c->code->insns + 7; /* after YIELD */
    c->h.flags = FRAME_SUSPENDED | FRAME_AWAITED;
    c->up = f;
    c->ret = RET_MAKE(I_A(w), RET_AWAIT) | (RET_LEVEL(f->ret) + 1) << 12;
    c->link.task = f->link.task;
    f->r[I_B(w)] = value_obj(c);
    f->h.flags |= FRAME_DELEGATING;
    gc_barrier(vm, f);
    t->leaf = c;
    if (h) { /* f is in its handler again */
        f->r[(h >> 16 & 0xff) + 1] = t->handled;
        t->handled = f->r[h >> 8 & 0xff];
    }
    gc_barrier(vm, t);
    return c;
}

/* Wrapper coroutines around an iterator (`yield from`) or a Future subclass (`await`). */
frame *stub_frame(vm *vm, bool iterator, value v)
{
    value *slot = &vm->stub_codes[iterator];
    ROOTS(vm, &v);
    if (value_is_unbound(*slot)) {
        insn words[] = {
            MAKE_ABC(iterator ? OP_YIELDFROM : OP_AWAIT, 0, 0, 0),
            0,
            MAKE_ABC(OP_RETCORO, 0, 0, 0),
        };
        code *c = stub_new(vm, N(vm, __await__), N(vm, __await__), 1, 0, words, 3, NULL, NULL);
        if (!c) return NULL;
        *slot = value_obj(c);
    }
    code *c = AS(code, *slot);
    frame *f = gc_new_fast(vm, K_FRAME, TYPE_COROUTINE, c->frame_size);
    if (!f) return NULL;
    f->code = c;
    f->pc = c->insns;
    f->h.flags |= FRAME_AWAITED;
    f->r[0] = v;
    return f;
}

frame *stub_await_any(vm *vm, value v) { return stub_frame(vm, false, v); }

bool stub_is_wrapper(vm *vm, const frame *f)
{
    value c = value_obj(f->code);
    return value_is(c, vm->stub_codes[0]) || value_is(c, vm->stub_codes[1]);
}
