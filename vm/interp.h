/* Private to the interpreter's files: slow paths of instructions and frame pushing. */
#ifndef AIO_INTERP_H
#define AIO_INTERP_H

#include "attr.h"
#include "dict.h"
#include "float_ops.h"
#include "frame.h"
#include "future.h"
#include "gc_inline.h"
#include "list.h"
#include "native.h"
#include "str.h"
#include "types_api.h"

extern const code interp_exit_code, interp_segpop_code;

value interp_resume(vm *vm, frame *f, value sent); /* sent unbound: throw the pending exception in */

/* ---- thread stacks (stack.c) ---- */
/* Room for a frame of `size` bytes when the segment is full: a new segment begins with a boundary that is linked to
 * *up and takes over *ret; *up becomes that boundary. NULL: MemoryError raised. */
frame *stack_grow(vm *vm, thread *th, size_t size, frame **up, uint32_t *ret);
void stack_segment_pop(vm *vm, thread *th, frame *boundary);
/* Boundary under which C steps a frame. NULL raised. */
#define BOUNDARY_SIZE ((sizeof(frame) + 2 * sizeof(value) + 15) & ~(size_t)15)
frame *stack_push_boundary(vm *vm, thread *th);
void stack_pop_boundary(vm *vm, thread *th, frame *b);
bool depth_error(vm *vm); /* raises RecursionError, false */

static inline void frame_init_stack(frame *nf, code *c, function *fn, frame *up, uint32_t ret)
{
    static const object head = {.shape = TYPE_STACK_FRAME, .kind = K_FRAME, .flags = FRAME_ONSTACK | FRAME_RUNNING};
    nf->h = head;
    nf->code = c;
    nf->func = fn;
    nf->pc = c->insns;
    nf->up = up;
    nf->ret = ret;
}
/* Pushes a frame for code c above `up`; locals from `nset` on are unbound; the caller fills r[0..nset). NULL raised. */
static inline frame *stack_push(vm *vm, thread *th, frame *up, code *c, function *fn, uint32_t ret, uint32_t nset)
{
    if (UNLIKELY(th->depth >= vm->limits.recursion)) {
        depth_error(vm);
        return NULL;
    }
    frame *nf = (frame *)th->top;
    if (UNLIKELY((size_t)(th->limit - th->top) < c->frame_size)) {
        nf = stack_grow(vm, th, c->frame_size, &up, &ret);
        if (!nf) return NULL;
    } else {
        th->top += c->frame_size;
    }
    th->depth++;
    frame_init_stack(nf, c, fn, up, ret);
    for (uint32_t i = nset; i < c->nlocals; i++) nf->r[i] = V_UNBOUND;
    if (UNLIKELY(c->nhigh)) memset(&nf->r[HIGH_BASE], 0, c->nhigh * sizeof(value));
    return nf;
}

/* A function that is called with just the arguments it declares needs no binding: may its frame be pushed as it is? */
static inline bool stack_fits(const vm *vm, const thread *th, const code *c, uint32_t argc)
{
    return c->plain_argc == argc && th->depth < vm->limits.recursion && (size_t)(th->limit - th->top) >= c->frame_size;
}
/* Then this does it. */
static inline frame *stack_push_plain(thread *th, frame *up, function *fn, const value *args, uint32_t argc,
                                      uint32_t ret)
{
    code *c = fn->code;
    frame *nf = (frame *)th->top;
    th->top += c->frame_size;
    th->depth++;
    frame_init_stack(nf, c, fn, up, ret);
    for (uint32_t i = 0; i < argc; i++) nf->r[i] = args[i];
    for (uint32_t i = argc; i < c->nlocals; i++) nf->r[i] = V_UNBOUND;
    return nf;
}

/* ---- generic call (call.c): everything the fast paths of CALL do not cover ---- */
enum call_kind { CALL_ERROR, CALL_VALUE, CALL_FRAME, CALL_CORO };
/* args[-1] may be overwritten (the window's callee slot). CALL_FRAME: *nf is pushed and bound, to be entered;
 * CALL_CORO: *result is a fresh coroutine frame; CALL_VALUE: *result is the value. window: register that may keep the
 * instance while __init__ runs. */
enum call_kind call_any(vm *vm, frame *F, value f, value *args, uint32_t argc, value kwnames, uint32_t dst,
                        uint32_t window, frame **nf, value *result);
/* args: a tuple, or any iterable with `any` (f(*x) alone). */
enum call_kind call_star(vm *vm, frame *F, value f, value args_tuple, bool any, value kw, bool any_kw, uint32_t dst,
                         frame **nf, value *result);
/* RET_INIT keeps its instance in register `window` of F; the number is stored where the return will look. */
static inline void frame_set_window(frame *nf, frame *F, uint32_t window)
{
    (nf->up == F ? nf : nf->up)->origin = window;
}

/* consume.c: a native or type that walks the generator among its arguments; false: nothing of that kind, else *result
 * is what call_any returns. */
bool consume_native(vm *vm, frame *F, native *n, value *args, uint32_t argc, uint32_t dst, uint32_t window, frame **nf,
                    enum call_kind *result);
bool consume_type(vm *vm, frame *F, type *t, value *args, uint32_t argc, uint32_t dst, uint32_t window, frame **nf,
                  enum call_kind *result);
/* async_native.c: code of a stub frame. */
code *stub_new(vm *vm, str *name, str *qualname, uint32_t nlocals, uint32_t nargs, const insn *words, uint32_t nwords,
               const exc_range *range, void *step);

/* A builtin type whose calls are its new_ and nothing else: str, int, range. (type_slot_call has the whole story.) */
static inline bool type_makes_values(vm *vm, const type *t)
{
    return (t->flags & TF_IMMUTABLE) && t->h.shape == TYPE_TYPE && t != T(vm, TYPE) && t->s.new_ &&
           (!t->s.init || (t->s.init == object_slot_init && t->s.new_ != object_slot_new));
}

/* ---- gen.c, asyncgen.c, frameview.c, async_native.c ---- */
frame *stub_frame(vm *vm, bool iterator, value v); /* a coroutine that yields from / awaits v; NULL raised */
bool stub_is_wrapper(vm *vm, const frame *f);
value gen_resume(vm *vm, frame *f, value sent);
void agen_types_init(vm *vm);
void frameview_types_init(vm *vm);
value frameview_of(vm *vm, frame *f);            /* script-visible frame object */
value frameview_current(vm *vm, uint32_t depth); /* sys._getframe(depth) */

/* ---- slow paths of instructions (ops_*.c) ---- */
value op_arith(vm *vm, enum binary_op op, value a, value b, bool inplace);
value b_next(vm *vm, value *a, uint32_t n, value kw);      /* builtins_iter.c; CALL steps a generator itself */
value op_getglobal(vm *vm, frame *F, insn *pc, str *name); /* pc: the instruction; fills its cache */
bool op_setglobal(vm *vm, frame *F, insn *pc, str *name, value v);
bool op_delglobal(vm *vm, frame *F, str *name);
value op_getname(vm *vm, value ns, str *name); /* unbound without exception: absent */
bool op_setname(vm *vm, value ns, str *name, value v);
bool op_delname(vm *vm, value ns, str *name);
value op_name_error(vm *vm, str *name);
value op_unbound_local(vm *vm, code *c, uint32_t reg);
value op_unbound_cell(vm *vm, frame *F, uint32_t reg);
value op_unbound_free(vm *vm, code *c, uint32_t index);
value op_getattr(vm *vm, frame *F, insn *pc, value o, frame **getter, uint32_t dst);
bool op_setattr(vm *vm, frame *F, insn *pc, value o, value v);
bool op_loadmethod(vm *vm, frame *F, insn *pc, value o, value *out); /* out[0] function, out[1] self or unbound */
/* method_self NULL: the bound attribute; else as attr_load_method. */
value op_superattr(vm *vm, value super_fn, value cls, value self, str *name, value *method_self);
bool frame_is_executing(const frame *f);
const char *frame_kind_name(const frame *f); /* "generator", "coroutine", ... */
/* the same for __aenter__ and __aexit__: the instruction before AWAIT tells */
void await_error(vm *vm, insn before, value v);
void anext_error(vm *vm, value aw); /* replaces await_frame's TypeError for what __anext__ returned */
value op_getitem(vm *vm, value o, value k);
value op_getslice(vm *vm, value o, value start, value stop);
value op_getslice_step(vm *vm, value o, value start, value stop, value step);
/* All registers are written, or none. */
bool op_unpack(vm *vm, value v, uint32_t n, value *out);
bool op_unpack_star(vm *vm, value v, uint32_t before, uint32_t after, value *out);
bool op_forprep(vm *vm, value iterable, value *state);
/* 1: *item, 0 exhausted, -1 raised */
int op_foriter(vm *vm, value *state, value *item);
enum { FORITER_WHOLE = 2, FORITER_PARTS = 4 };
/* The same when the item is unpacked at once into n variables and seen by nothing else: pairs of dict items, zip and
 * enumerate are not built. FORITER_WHOLE: not such an iterator, nothing was done. */
int op_foriter_unpack(vm *vm, value *state, uint32_t n, value *to);
bool op_forend(vm *vm, value *state);
bool op_aforend(vm *vm, value it);
value op_set(vm *vm, const value *items, uint32_t n);
value op_dict(vm *vm, const value *pairs, uint32_t n);
value op_listextend_error(vm *vm, value o);
bool op_listextend(vm *vm, value l, value o);
bool op_setupdate(vm *vm, value s, value o);
bool op_dictupdate(vm *vm, value d, value o);
bool op_dictmerge(vm *vm, value d, value o, value callee);
value op_format_value(vm *vm, value v, unsigned conv, value spec);
value op_builtin(vm *vm, frame *F, str *name); /* the builtin that F sees, or unbound */
value op_makefunc(vm *vm, frame *F, code *c, value *operands, unsigned flags);
/* fresh: out[1] is a coroutine made just now, as RET of CALL_CORO. */
bool op_beforewith(vm *vm, value mgr, value *out, bool is_async, bool *fresh);
/* it.__anext__() and exit(None, None, None) as such a coroutine; V_STOP: no coroutine function. */
value op_anext_fresh(vm *vm, value it);
value op_aexit_fresh(vm *vm, value exit);
value op_withexit(vm *vm, value exit, value exc);
void op_raise(vm *vm, value exc, value cause, unsigned form);
int op_excmatch(vm *vm, value exc, value cls);
bool op_egmatch(vm *vm, value exc, value cls, value *out);
value op_egraise(vm *vm, value orig, value list);
value op_import(vm *vm, frame *F, str *name, value fromlist, uint32_t level);
value op_importfrom(vm *vm, value m, str *name);
bool op_importstar(vm *vm, frame *F, value m);
bool op_setupannot(vm *vm, frame *F);
bool op_matchseq(vm *vm, value v);
bool op_matchmap(vm *vm, value v);
value op_matchkeys(vm *vm, value v, value keys);
value op_matchclass(vm *vm, value v, value cls, uint32_t npos, value names);
value op_printexpr(vm *vm, value v);
value op_getaiter(vm *vm, value v);
value op_yfiter(vm *vm, frame *F, value v);
/* A Future of a subclass that keeps Future's own __await__. */
static inline bool await_is_future(vm *vm, value v)
{
    return (value_is_kind(v, K_FUTURE) || value_is_kind(v, K_TASK)) &&
           type_of(vm, v)->s.await == T(vm, FUTURE)->s.await;
}
/* Steps a delegate that is no frame: like frame_step. */
enum step op_iter_send(vm *vm, value it, value sent, value *out);
enum step op_iter_throw(vm *vm, value it, value *out); /* the pending exception */
bool op_agen_first(vm *vm, frame *gen);                /* the firstiter hook */
/* A generator-like ended with StopIteration and the like inside: replaces the pending exception by RuntimeError. */
void op_convert_stop(vm *vm, frame *f);
#endif
