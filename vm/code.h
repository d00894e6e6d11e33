/* Code objects and the instruction word.
 *
 * Register file of a frame: r[0..nlocals) the locals (parameters first, in the order positional, keyword-only,
 * *args, **kwargs: CPython's co_varnames), r[nlocals..nregs) temporaries used as a stack, never above 255.
 * Locals that do not fit below MAX_LOW_LOCALS live from register 256 on (`nhigh` of them) and are reached by LOADX
 * and STOREX; all of them do when there are more parameters than that. Class bodies and module code: r[0] is the
 * namespace mapping or unbound.
 *
 * Invariants
 *  1. `safepoints` is sorted by pc; entry e covers the instructions from e.pc up to the next entry's pc. When a
 *     collection looks at a frame whose saved pc (offset of the NEXT instruction) is p, the entry that covers p-1
 *     tells: temporaries r[nlocals .. live) are live if a script frame runs above this one, and r[nlocals .. window)
 *     if the frame is the innermost of its interpreter (operands of the running instruction are still needed). Each
 *     of these registers holds a value or is unbound then, never garbage.
 *  2. A local is always initialised (unbound or a value). Temporaries need not be.
 *  3. The exception table is sorted by nesting: the first entry that covers pc is the innermost handler.
 */
#ifndef AIO_CODE_H
#define AIO_CODE_H

#include "vm.h"

enum opcode {
#define OP(NAME, WORDS, FORMAT, DOC) OP_##NAME,
#include "opcodes.def"
#undef OP
    OP_COUNT
};
_Static_assert(OP_COUNT <= 256, "an opcode is a byte");

#define I_OP(w)               ((w)&0xff)
#define I_A(w)                ((w) >> 8 & 0xff)
#define I_B(w)                ((w) >> 16 & 0xff)
#define I_C(w)                ((w) >> 24)
#define I_D(w)                ((w) >> 16)
#define I_E(w)                ((int32_t)(w) >> 8)
#define MAKE_ABC(op, a, b, c) ((insn)(op) | (insn)(a) << 8 | (insn)(b) << 16 | (insn)(c) << 24)
#define MAKE_AD(op, a, d)     ((insn)(op) | (insn)(a) << 8 | (insn)(d) << 16)
#define MAKE_E(op, e)         ((insn)(op) | (insn)(e) << 8)
enum { MAX_LOW_LOCALS = 160, MAX_REGS = 250, HIGH_BASE = 256 };

enum code_flags {
    CODE_VARARGS = 1,
    CODE_VARKW = 2,
    CODE_GENERATOR = 4,
    CODE_COROUTINE = 8,
    CODE_ASYNC_GEN = 16, /* generator kinds: exactly one or none */
    CODE_NESTED = 32,
    CODE_MODULE = 64, /* module-level: r[0] namespace or unbound */
    CODE_CLASS = 128, /* class body */
    /* plain function: no star or keyword-only parameters, no cells among parameters: fast call */
    CODE_SIMPLE = 256,
    CODE_ITERABLE_CORO = 512, /* types.coroutine */
    CODE_NATIVE = 1024,       /* stub of an async native */
    CODE_NEWLOCALS = 2048,
    CODE_PLAIN_CORO = 8192, /* coroutine whose parameters bind one to one: `await f(x)` enters it directly */
    CODE_HAS_AWAIT = 4096,  /* module code with top-level await: runs as a coroutine */
};

typedef struct exc_range {
    uint32_t start, end, target;
    uint16_t reg;
} exc_range; /* word offsets; end exclusive */
typedef struct safepoint {
    uint32_t pc;
    uint16_t live, window;
} safepoint;
/* lines from 1, columns in characters from 0 */
typedef struct src_pos {
    uint32_t line, end_line, col, end_col;
} src_pos;
/* free variable: cell in the maker's register / closure */
typedef struct capture {
    uint16_t index;
    bool from_local;
} capture;

struct code {
    object h;
    insn *insns; /* ninsns words */
    value *consts;
    str **cnames; /* names used by instructions, interned */
    uint32_t ninsns, nconsts, nnames;
    uint16_t nregs; /* registers below 256 */
    uint16_t nlocals, nhigh;
    uint16_t argcount;   /* positional, positional-only included */
    uint16_t plain_argc; /* the same if CODE_SIMPLE, else UINT16_MAX: a call that has as many enters at once */
    uint16_t posonly, kwonly;
    uint16_t nfree, ncellvars;
    uint32_t flags;
    uint32_t frame_size; /* bytes: header + registers, multiple of 16 */
    str **varnames;      /* nlocals + nhigh */
    str **freenames;     /* nfree */
    str **cellnames;     /* ncellvars */
    capture *captures;   /* nfree: where MAKEFUNC takes them */
    exc_range *excs;
    safepoint *safepoints;
    uint32_t *discards; /* pcs (next instruction) of calls whose result is dropped: expression statements */
    uint8_t *positions; /* compressed: code_position */
    uint32_t nexcs, nsafepoints, ndiscards, npositions, firstlineno;
    str *name, *qualname, *filename;
    value doc;                    /* str or None */
    void *native_step;            /* CODE_NATIVE */
    const native_def *native_def; /* the same */
};

bool code_position(const code *c, uint32_t pc_next, src_pos *out); /* of the instruction before pc_next */
uint32_t code_line(const code *c, uint32_t pc_next);
const exc_range *code_handler(const code *c, uint32_t pc_next); /* NULL: none */
const safepoint *code_safepoint(const code *c, uint32_t pc_next);
bool code_is_discarded(const code *c, uint32_t pc_next);
static inline bool code_may_discard(const code *c, uint32_t pc_next) /* false: code_is_discarded is */
{
    return c->ndiscards && pc_next >= c->discards[0];
}
uint32_t op_words(insn w);
/* Such an instruction can neither collect nor fail and needs no entry in the tables. (A JMP may become a LOOP, which
 * polls.) */
bool op_is_quiet(unsigned op);
void code_clear_caches(code *c); /* every inline cache and specialised opcode back to general */
/* and nested code */
bool code_disassemble(vm *vm, code *c, void (*write)(void *ud, const char *s, size_t n), void *ud);
/* false: why says what is wrong, or MemoryError is raised */
bool code_verify(vm *vm, const code *c, char *why, size_t whysize);

/* code_save.c: NULL raised */
bytes *code_save(vm *vm, code *c);
code *code_load(vm *vm, const uint8_t *p, size_t n); /* ValueError: damaged, or of another version */

/* compile.h: source -> code */
enum compile_mode {
    COMPILE_FILE,
    COMPILE_EVAL,
    COMPILE_SINGLE,
    COMPILE_CELL /* any number of interactive statements */
};
enum compile_flags {
    COMPILE_TOP_AWAIT = 1 /* top-level await allowed */,
    COMPILE_INCOMPLETE = 2 /* REPL: report incomplete input */,
    COMPILE_IS_TEXT = 4 /* the source came from a str: no BOM, no encoding declaration */
};
/* NULL: SyntaxError (or MemoryError, ...) raised. *incomplete is set with COMPILE_INCOMPLETE when more input is needed
 * (nothing raised). */
code *compile_source(vm *vm, const char *src, size_t n, str *filename, enum compile_mode mode, unsigned flags,
                     bool *incomplete);

#endif
