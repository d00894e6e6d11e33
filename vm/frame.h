/* Frames: activation records of functions, and the coroutine, generator and async generator objects themselves.
 *
 * One struct, two homes: plain calls push it on the thread's stack segments, which never move; async and
 * generator calls allocate it in the heap. The essay on frames and suspension is in interp.c.
 *
 * Invariants
 *  1. `up` is the resumer of this run (caller or awaiter), set at every resume, not an owner; NULL when not running.
 *  2. While a frame is not the innermost, `pc` is the NEXT instruction. The interpreter writes it back
 *     before anything that can run script, collect or raise.
 *  3. A frame that delegates (AWAIT, YIELDFROM, AFORITER) has FRAME_DELEGATING; its child is in a register that
 *     the instruction before pc names (frame_child). In a chain that a task drives, all frames carry the task in
 *     link.task and a resume goes straight to task->leaf; else link.task is NULL and resumes descend level by level.
 *  4. Suspended frames keep r[nlocals..window) of their safepoint alive, so a chain is reachable from its root.
 */
#ifndef AIO_FRAME_H
#define AIO_FRAME_H

#include "code.h"

enum frame_state { FRAME_CREATED, FRAME_RUNNING, FRAME_SUSPENDED, FRAME_DONE };
enum frame_flags { /* header.flags: state in the low 2 bits */
                   FRAME_STATE = 3,
                   FRAME_ONSTACK = 4,
                   FRAME_DELEGATING =
                       8, /* suspended (or not innermost) at AWAIT, YIELDFROM or AFORITER: pc is after it */
                   FRAME_AWAITED = 16, /* started or scheduled: no "never awaited" warning */
                   FRAME_CLOSING = 32,
                   FRAME_AGEN_HOOKED = 64,
                   FRAME_AGEN_RUNNING = 128, /* an asend/athrow/aclose is under way */
                   FRAME_BOUNDARY = 256,     /* C called in from here, or a stack segment ends here */
                   FRAME_FUSED =
                       512, /* made by `await f(x)`: no script value refers to it, so it is recycled at return */
                   FRAME_AGEN_CLOSED = 1024,
                   FRAME_TASK_ROOT = 2048,
                   FRAME_WARNED = 4096,
};
/* frame.ret: destination register (8 bits), what up waits for (4 bits), await depth of a heap frame (20 bits). */
enum ret_kind {
    RET_PLAIN = 0, /* r[dst] = value */
    RET_INIT,      /* __init__: value must be None; r[dst] = r[origin], the instance in the call window */
    RET_FORITER,   /* generator stepped by FORITER */
    RET_NEXT,      /* generator stepped by the call next(g): its end raises StopIteration */
    RET_AWAIT,     /* delegation by AWAIT: value to r[dst] */
    RET_YIELDFROM, /* delegation by YIELDFROM */
    RET_AFORITER,  /* async generator or __anext__ awaitable stepped by AFORITER */
    RET_ASEND,     /* async generator stepped by awaiting asend()/__anext__(): end raises StopAsyncIteration */
    RET_DISCARD,   /* value ignored */
    RET_SEND,      /* stepped from C through a boundary */
};
#define RET_MAKE(dst, kind) ((uint32_t)(dst) | (uint32_t)(kind) << 8)
#define RET_DST(ret)        ((ret)&0xff)
#define RET_KIND(ret)       ((ret) >> 8 & 0xf)
#define RET_LEVEL(ret)      ((ret) >> 12)

struct frame {
    object h;
    code *code;
    function *func;
    const insn *pc;
    frame *up;
    union {
        object *task;
        frame *next_free;
    } link;
    uint32_t ret, origin; /* origin: line of creation */
    value r[];
};
_Static_assert(sizeof(struct frame) == 56, "the budget of a suspended coroutine depends on it");

static inline unsigned frame_state(const frame *f) { return f->h.flags & FRAME_STATE; }
static inline void frame_set_state(frame *f, unsigned s) { f->h.flags = (uint16_t)((f->h.flags & ~FRAME_STATE) | s); }

/* A script or C code gets hold of the frame: what nobody else could hold until now is not recycled when it returns. */
static inline void frame_expose(frame *f)
{
    if (f->h.shape == TYPE_COROUTINE) f->h.flags &= (uint16_t)~FRAME_FUSED;
}

/* ---- call.c: entering the interpreter from C, argument binding, thread stacks ---- */
bool thread_open(vm *vm, thread *th);
void thread_close(vm *vm, thread *th);
void thread_set_c_stack(thread *th); /* by the OS thread that th is */
/* Binds arguments to f's parameters into r (all nlocals are set). false: TypeError raised. */
bool call_bind(vm *vm, function *f, value self, value *args, uint32_t nargs, value kwnames, value *r);
/* A heap frame for a generator, coroutine or async generator function, bound and ready; NULL raised. */
frame *call_make_heap_frame(vm *vm, function *f, value self, value *args, uint32_t nargs, value kwnames);
/* module or exec code; locals unbound: globals */
value interp_run_code(vm *vm, code *c, dict *globals, value locals);
value interp_run_closure(vm *vm, code *c, dict *globals, value locals, tuple *cells); /* the same; cells NULL: none */
/* Class body: runs f with r[0] = ns; the result is the __class__ cell or None. */
value interp_run_class_body(vm *vm, function *f, value ns);
value function_builtins(vm *vm, dict *globals); /* what globals['__builtins__'] stands for; unbound: the VM's own */
function *function_new(vm *vm, code *c, dict *globals, uint32_t ncells); /* function.c: cells unset; NULL raised */

/* ---- interp.c ---- */
value interp_loop(vm *vm, frame *f); /* runs f until the boundary below it is reached; V_ERROR: raised */
/* A task's chain ends at its root; the frames that the event loop itself was called from are found through this. */
struct task_run {
    frame *below;
    struct task_run *outer;
};
/* Runs tasks from `leaf` on until hooks.next_ready says NULL. sent unbound: the pending exception is thrown in. */
void interp_run_tasks(vm *vm, frame *leaf, value sent);
/* Goes on with vm->preempted, the task that was left half done when a slice was used up. */
void interp_run_preempted(vm *vm);

/* ---- gen.c: stepping heap frames from C ---- */
enum step { STEP_YIELD, STEP_AYIELD, STEP_DONE, STEP_ERROR };
/* Resume f with `sent` (unbound: throw the pending exception). *out: yielded or returned value. */
enum step frame_step(vm *vm, frame *f, value sent, value *out);
bool frame_close(vm *vm, frame *f); /* gen.close(): false raised */
/* What throw(type, value, traceback) or throw(instance) means becomes pending; false: the TypeError of bad ones does.
 */
bool gen_throw_arguments(vm *vm, value t, value v, value tb);
value frame_child(frame *f);                  /* what a delegating frame delegates to; unbound: nothing */
value frame_coroutine_name(vm *vm, frame *f); /* qualname */
/* __name__ and __qualname__ of generators, coroutines and async generators (gen.c). */
value frame_get_name(vm *vm, value self);
bool frame_put_name(vm *vm, value self, value v);
value frame_get_qualname(vm *vm, value self);
bool frame_put_qualname(vm *vm, value self, value v);
struct agen_op {
    object h;
    frame *gen;
    value arg, tb;
    uint8_t op, state;
};
struct corowrap {
    object h;
    frame *coro;
};
enum agen_opcode { AGEN_ASEND, AGEN_ATHROW, AGEN_ACLOSE, AGEN_ANEXT_DEFAULT };
typedef struct agen_op agen_op;
typedef struct corowrap corowrap;
/* What `await v` steps: a heap frame (perhaps a fresh wrapper around an iterator); NULL raised. Futures are not for it.
 */
frame *await_frame(vm *vm, value v);

/* ---- frame_gc.c ---- */
void frames_mark_thread(vm *vm, thread *th);
void frame_traverse(vm *vm, object *o);
void frame_barrier_old(vm *vm, frame *f);
/* f is left as it is: what its registers got since it was entered. An old one that got nothing new, as of tasks that
 * take turns, is not remembered. */
static inline void frame_barrier(vm *vm, frame *f)
{
    if (UNLIKELY(f->h.gc & GC_BARRIER)) frame_barrier_old(vm, f);
}
void frame_finalize(vm *vm, frame *f);

/* ---- async_native.c: coroutine functions written in C ---- */
/* One step of a native coroutine. args and scratch registers are f->r[0..]; `sent` is the result of what it awaited
 * last (None at first; unbound: the await raised, the exception is pending and may be taken with exc_take).
 * NSTEP_DONE: *out is the result. NSTEP_AWAIT: *out is awaited next. NSTEP_YIELD: a bare yield (*out None): one trip
 * through the loop. NSTEP_ERROR: raised. State: f->r[nparams..]. */
enum nstep { NSTEP_DONE, NSTEP_AWAIT, NSTEP_YIELD, NSTEP_ERROR };
typedef enum nstep (*native_step_fn)(vm *vm, frame *f, value *r, value sent, value *out);
/* native_def with NATIVE_ASYNC: fn is a native_step_fn cast to native_fn; `flags >> 16` is the number of scratch
 * registers. */
#define NATIVE_ASYNC_DEF(SIG, STEP, DOC, SCRATCH)                                             \
    {                                                                                         \
        SIG, (native_fn)(void (*)(void))(STEP), DOC, NATIVE_ASYNC | (uint32_t)(SCRATCH) << 16 \
    }
frame *stub_await_any(vm *vm, value v); /* a coroutine that awaits v, whatever it is; NULL raised */
frame *async_native_frame(vm *vm, native *n, value *args, uint32_t nargs, value kwnames);
/* Is f at an `await sleep(0)` that it does by itself (NATIVE_PASSES)? It is suspended at AWAIT, delegates to nobody,
 * and the register of what it awaits has sleep(). */
static inline bool frame_passes(const frame *f)
{
    return (f->h.flags & (FRAME_STATE | FRAME_DELEGATING)) == FRAME_SUSPENDED && f->h.shape == TYPE_COROUTINE &&
           I_OP(f->pc[-2]) == OP_AWAIT;
}
frame *async_native_passing(vm *vm,
                            frame *f); /* the same with a coroutine of sleep(), which is given out; NULL raised */

#endif
