/* The interpreter: one loop that runs every script frame of an OS thread.
 *
 * Frames and control. A call of a plain function pushes a frame on the thread's stack; a generator, coroutine or
 * async generator is a frame in the heap that is entered and left by the same few stores. No script-to-script
 * transfer recurses in C: call, return, generator step, await, resume of a task are all "save pc, change F, go on".
 * C recursion happens only where a native calls back (vm_call), and then a *boundary* frame marks the place: its
 * code is a stub whose only instruction, EXIT, returns from interp_loop.
 *
 * Suspension. A frame that awaits or delegates stays linked below its child by child->up, has FRAME_DELEGATING, and
 * its pc is the instruction after the AWAIT: when the child ends, its value goes to r[dst] and it just continues.
 * Two kinds of chains exist. A chain driven by a task has the task in every frame's link.task: when the leaf awaits a
 * pending future the hook records the leaf, and the resume goes straight to it, whatever the depth. A chain driven by
 * hand (send, next, for) has link.task NULL; what the leaf yields walks up to whoever stepped the root, and a resume
 * descends through frame_child. A delegation chain that two owners share therefore needs no special case.
 *
 * Invariants
 *  1. Before anything that can run script, collect or raise, F->pc is the next instruction (SAVE) and
 *     thread->current is F. thread->current changes only where F does.
 *  2. An instruction writes its destination register only when it has succeeded.
 *  3. A handler that may run script re-reads whatever it needs from registers afterwards: natives may have changed
 *     any object, never a register of F.
 *  4. Register writes have no barrier. gc_barrier(F) runs when a heap frame is left (yield, await, delegate); a frame
 *     on the active chain is a root.
 *  5. thread->depth counts stack frames, generator steps and C re-entries. Await depth is counted in frame.ret
 *     instead, because a resume enters in the middle of a chain.
 *  6. Inline caches are hints: every use is guarded by shape id, keys version or class epoch, and they keep nothing
 *     alive (a full collection clears them).
 */
#include "interp.h"

static const insn exit_insns[] = {OP_EXIT};
static const insn segpop_insns[] = {OP_SEGPOP};
const code interp_exit_code = {.h = {.kind = K_CODE}, .insns = (insn *)exit_insns, .ninsns = 1, .nregs = 2};
const code interp_segpop_code = {.h = {.kind = K_CODE}, .insns = (insn *)segpop_insns, .ninsns = 1, .nregs = 2};

/* Operands are read straight from the code (little-endian words), one byte load each: pc must still be after the first
 * word. */
#define BYTE(n) ((size_t)((const uint8_t *)pc)[(n)-4])
#define A       BYTE(1)
#define B       BYTE(2)
#define C       BYTE(3)
#define D       (((const uint16_t *)pc)[-1])
#define E       ((int32_t)pc[-1] >> 8)
#define SC      (((const int8_t *)pc)[-1])
#define SB      (((const int8_t *)pc)[-2])
#define SD      ((int16_t)D)
/* What hangs off the frame needs no variable: so vm, F, th, pc and the table all stay in registers. */
#define R (F->r)
#define K (F->code->consts)

#define DISPATCH()            \
    do {                      \
        pc++;                 \
        goto *table[BYTE(0)]; \
    } while (0)
#define CASE(NAME) L_##NAME
#define NEXT       DISPATCH()
/* Finish an instruction that has n more words. */
#define NEXTN(n)    \
    do {            \
        pc += (n);  \
        DISPATCH(); \
    } while (0)
/* Make F->pc right before leaving the fast path; n as in NEXTN. */
#define SAVE(n) (F->pc = pc + (n))
/* F changed: reload what is cached about it. */
#define ENTER(f)         \
    do {                 \
        F = (f);         \
        th->current = F; \
    } while (0)
/* r[A] = the value of a call that may fail. */
#define STORE_OR_FAIL(EXPR)                                \
    do {                                                   \
        value result_ = (EXPR);                            \
        if (UNLIKELY(value_is_error(result_))) goto error; \
        R[A] = result_;                                    \
    } while (0)
#define FAIL_IF(COND)                   \
    do {                                \
        if (UNLIKELY(COND)) goto error; \
    } while (0)
#define SET_STATE(f, s) frame_set_state((f), (s))
/* Handler words: see YIELD in opcodes.def. */
#define HANDLED_LEAVE(R_, h)                                         \
    do {                                                             \
        if (UNLIKELY(h)) th->handled = (R_)[((h) >> 16 & 0xff) + 1]; \
    } while (0)
#define HANDLED_ENTER(R_, h)                            \
    do {                                                \
        if (UNLIKELY(h)) {                              \
            (R_)[((h) >> 16 & 0xff) + 1] = th->handled; \
            th->handled = (R_)[(h) >> 8 & 0xff];        \
        }                                               \
    } while (0)

enum entry { ENTRY_START, ENTRY_RESUME, ENTRY_THROW, ENTRY_LOOP, ENTRY_FORLOOP };

static value run(vm *vm, frame *F, enum entry entry, value sent)
{
    static const void *const targets[256] = {
#define OP(NAME, WORDS, FORMAT, DOC) [OP_##NAME] = &&L_##NAME,
#include "opcodes.def"
#undef OP
    };
    thread *const th = vm->thread;
    const insn *pc;
    const void *const *table = targets;
    __asm__("" : "+r"(table)); /* or its address is made anew for each jump */
    /* The call in progress: set before `goto do_call`. */
    value callee, *args, kwnames;
    uint32_t argc, dst;
    /* A value under way to another frame: set before the deliver labels. */
    value out;

    ENTER(F);
    pc = F->pc;
    if (entry == ENTRY_RESUME) goto do_resume;
    if (entry == ENTRY_THROW) goto do_throw;
    /* left at a LOOP, FORBACK or FORLOOP whose jump is still to be done */
    if (entry == ENTRY_LOOP) pc += E;
    if (entry == ENTRY_FORLOOP) pc += (int32_t)pc[-1];
    NEXT;

#include "interp_move.inc"
#include "interp_arith.inc"
#include "interp_attr.inc"
#include "interp_data.inc"
#include "interp_call.inc"
#include "interp_suspend.inc"
#include "interp_raise.inc"
}

value interp_loop(vm *vm, frame *f) { return run(vm, f, ENTRY_START, V_NONE); }

value interp_resume(vm *vm, frame *f, value sent)
{
    return run(vm, f, value_is_unbound(sent) ? ENTRY_THROW : ENTRY_RESUME, sent);
}

static void run_tasks(vm *vm, frame *leaf, enum entry entry, value sent)
{
    thread *th = vm->thread;
    struct task_run here = {.below = th->current, .outer = th->runs};
    th->runs = &here;
    th->depth++;
    th->nreent++;
    run(vm, leaf, entry, sent);
    vm_leave(vm);
    th->runs = here.outer;
    th->current = here.below;
}

void interp_run_tasks(vm *vm, frame *leaf, value sent)
{
    run_tasks(vm, leaf, value_is_unbound(sent) ? ENTRY_THROW : ENTRY_RESUME, sent);
}

void interp_run_preempted(vm *vm)
{
    frame *f = vm->preempted;
    vm->preempted = NULL;
    static const uint8_t entries[] = {ENTRY_START, ENTRY_LOOP, ENTRY_FORLOOP};
    run_tasks(vm, f, (enum entry)entries[vm->preempt_loop], V_NONE);
}
