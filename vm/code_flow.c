/* The second half of the verifier: what may each register hold, at each instruction?
 *
 * An abstract interpretation of one function whose words and operands code_verify has found sound. A register's state
 * is a set of kinds; where ways meet the sets are united. An instruction demands of the registers it reads what the
 * interpreter takes for granted about them: a bound value, a cell, a list that nobody else made, the three parts of a
 * loop's state, a method and its receiver from one LOADMETHOD. What the interpreter checks itself is any bound value
 * here.
 *
 * The collector sees temporaries only up to what the safepoint table says. So whatever lies beyond is gone (RAW) after
 * each instruction that may collect, and what lies below must never be RAW there: a forged table can neither let the
 * collector see a stale word nor hide a live object from it.
 *
 * Invariants
 *  1. No kind but those of a bound value can be read by an instruction that hands it on to scripts or natives.
 *  2. FOR_OBJECT, FOR_AT and FOR_END are made by FORPREP alone, three at a time, and never copied: three in a row
 * belong together. METHOD and SELF may be copied; `from` tells which LOADMETHOD made them, and running that again takes
 * the mark from what it made before.
 *  3. Every way round a loop passes a LOOP, FORLOOP or FORBACK, which polls: all other jumps and all handlers lie
 *     ahead.
 *  4. The work is bounded by a multiple of the code's length; code that would need more is refused.
 */
#include "compile.h"
#include "object.h"

#include <stdio.h>

enum kind {
    RAW = 1,     /* never written, or dead: whatever is there means nothing */
    UNBOUND = 2, /* the unbound word */
    ANY = 4,     /* a bound value of which nothing is known */
    CELL = 8,
    LIST = 16,
    DICT = 32,
    SET = 64,
    STR = 128,
    TUPLE = 256,
    EXC = 512,       /* an exception object: what a handler begins with */
    ITER = 1024,     /* what GETYFITER gives */
    METHOD = 2048,   /* what LOADMETHOD gives: the function, and behind it */
    SELF = 4096,     /* the receiver, or unbound */
    SAVED = 1 << 13, /* the exception that was handled before, or unbound */
    FOR_OBJECT = 1 << 14,
    FOR_AT = 1 << 15,
    FOR_END = 1 << 16,
    CAUGHT = 1 << 17, /* an exception or None: what EGMATCH gives */
    BOUND = ANY | CELL | LIST | DICT | SET | STR | TUPLE | EXC | ITER | METHOD | CAUGHT,
    LOOSE = BOUND | UNBOUND, /* what a variable may hold */
    FOR_STATE = FOR_OBJECT | FOR_AT | FOR_END
};
enum { MAX_STATES = 1 << 28 }; /* bytes */
/* A set of kinds; `from` is 0 unless it is METHOD or SELF alone: the instruction that made it, plus 1. */
typedef struct reg {
    uint32_t kinds, from;
} reg;

typedef struct flow {
    vm *vm;
    const code *c;
    uint32_t size; /* registers: the low ones, then the high ones */
    uint32_t nlabels;
    uint32_t *labels;  /* by word: number of the label + 1 */
    uint32_t *handler; /* by word: number of the innermost range + 1 */
    reg *states;       /* by label */
    uint8_t *reached;  /* by label: 1 has a state, 2 is to be looked at again */
    reg *now;
    uint32_t pc;
    uint64_t work, most;
    bool failed;
    char *why;
    size_t whysize;
} flow;

__attribute__((format(printf, 2, 3))) static void refuse(flow *f, const char *fmt, ...)
{
    char text[120];
    va_list ap;
    if (f->failed) return;
    f->failed = true;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(f->why, f->whysize, "at %u: %s", f->pc, text);
}

static uint32_t high_at(const flow *f, uint32_t r) { return r < HIGH_BASE ? r : f->c->nregs + (r - HIGH_BASE); }

static void need(flow *f, uint32_t r, uint32_t kinds, const char *what)
{
    if (r >= f->size || f->now[r].kinds & ~kinds) refuse(f, "register %u is no %s", r, what);
}
static void need_value(flow *f, uint32_t r) { need(f, r, BOUND, "value"); }
static void need_values(flow *f, uint32_t r, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) need_value(f, r + i);
}
static void put(flow *f, uint32_t r, uint32_t kinds) { f->now[r] = (reg){kinds, 0}; }

/* ---- joining ---- */

static bool join_reg(reg *into, reg from)
{
    if (into->kinds == from.kinds && into->from == from.from) return false;
    reg old = *into;
    into->kinds |= from.kinds;
    if (into->from != from.from || old.kinds != from.kinds) {
        into->from = 0;
        if (into->kinds & METHOD) into->kinds = (into->kinds & ~(uint32_t)METHOD) | ANY;
        if (into->kinds & SELF) into->kinds = (into->kinds & ~(uint32_t)SELF) | ANY | UNBOUND;
    }
    return into->kinds != old.kinds || into->from != old.from;
}

static void reach(flow *f, uint32_t pc)
{
    uint32_t l = f->labels[pc] - 1;
    reg *to = f->states + (size_t)l * f->size;
    bool changed = !f->reached[l];
    f->work += f->size / 16 + 1;
    if (changed) {
        memcpy(to, f->now, f->size * sizeof *to);
    } else {
        for (uint32_t i = 0; i < f->size; i++)
            if (join_reg(&to[i], f->now[i])) changed = true;
    }
    if (changed) f->reached[l] = 2;
}

/* ---- safepoints and handlers ---- */

/* Instructions that neither collect nor fail: more than those that the compiler makes no entry for. */
static bool is_quiet(unsigned op)
{
    switch (op) {
    case OP_CELLSET:
    case OP_FREESET:
    case OP_FREECELL:
    case OP_JMP:
    case OP_JNONE:
    case OP_JNOTNONE:
    case OP_IS:
    case OP_ISNOT:
    case OP_PUSHEXC:
    case OP_POPEXC:
    case OP_RETURN:
    case OP_RETURNNONE:
    case OP_RETGEN:
    case OP_RETCORO: return true;
    default: return op_is_quiet(op);
    }
}

/* Where the table ends: the collector takes the temporaries below for values. A script's frame that the instruction
 * puts right above this one has the operands already (live); in all other cases they count (window). */
static uint32_t table_end(const flow *f, bool window)
{
    const safepoint *s = code_safepoint(f->c, f->pc + 1);
    uint32_t end = !s ? 0 : window ? s->window : s->live;
    return end > f->c->nlocals ? end : f->c->nlocals;
}

static bool pushes_frame(unsigned op)
{
    switch (op) {
    case OP_CALL:
    case OP_CALLM:
    case OP_CALLMETHOD:
    case OP_CALLKW:
    case OP_CALLMKW:
    case OP_CALLEX:
    case OP_GETATTR:
    case OP_FORITER: return true;
    default: return false;
    }
}

/* The collector may look while this instruction runs. */
static void safepoint_here(flow *f, const insn *p, unsigned op)
{
    const code *c = f->c;
    uint32_t live = table_end(f, false), window = table_end(f, true), reads, writes;
    if (op == OP_CALLMETHOD && I_B(*p) >= live) put(f, I_B(*p), UNBOUND); /* the interpreter writes it first */
    for (uint32_t r = c->nlocals; r < window; r++)
        if (f->now[r].kinds & RAW) refuse(f, "register %u is not set at a safepoint", r);
    op_regs(p, &reads, &writes);
    if (reads > window && reads > c->nlocals) refuse(f, "the safepoint leaves operands out");
}

/* Behind it: what the collector need not have kept is gone. */
static void forget(flow *f, unsigned op)
{
    for (uint32_t r = table_end(f, !pushes_frame(op)); r < f->c->nregs; r++) put(f, r, RAW);
}

/* An exception goes to the innermost handler with what the registers hold now. */
static void fail_here(flow *f)
{
    uint32_t h = f->handler[f->pc];
    if (!h) return;
    const exc_range *x = &f->c->excs[h - 1];
    reg kept = f->now[x->reg];
    put(f, x->reg, EXC);
    reach(f, x->target);
    f->now[x->reg] = kept;
}

/* ---- operands ---- */

static uint32_t kind_of_const(const code *c, uint32_t i)
{
    value v = c->consts[i];
    return IS_STR(v) ? STR : IS_TUPLE(v) ? TUPLE : ANY;
}

static bool const_strings(const code *c, uint32_t i)
{
    const tuple *t = AS(tuple, c->consts[i]);
    for (size_t k = 0; k < t->len; k++)
        if (!IS_STR(t->items[k])) return false;
    return true;
}

/* h of a suspension: which registers hold the exceptions that are handled (see YIELD in opcodes.def). */
static void need_handlers(flow *f, insn h, uint32_t dst)
{
    if (!h) return;
    uint32_t inner = h >> 8 & 0xff, outer = (h >> 16 & 0xff) + 1;
    if ((h & 0xff) != 1 || h >> 24 || inner >= f->c->nregs || outer >= f->c->nregs) {
        refuse(f, "handler word");
        return;
    }
    need(f, inner, EXC, "exception");
    need(f, outer, SAVED, "saved exception");
    if (dst == inner || dst == outer) refuse(f, "handler word");
    uint32_t end = table_end(f, true);
    if (inner >= end || outer >= end) refuse(f, "the safepoint leaves handled exceptions out");
}

/* Are the closure's cells where the code of a function that is made here says? */
static void need_captures(flow *f, const code *inner)
{
    for (uint32_t i = 0; i < inner->nfree; i++) {
        capture k = inner->captures[i];
        if (!k.from_local) {
            if (k.index >= f->c->nfree) refuse(f, "closure index %u", k.index);
        } else if (k.index < HIGH_BASE ? k.index >= f->c->nregs : k.index - HIGH_BASE >= f->c->nhigh) {
            refuse(f, "captured register %u", k.index);
        } else if (f->now[high_at(f, k.index)].kinds != CELL) {
            refuse(f, "captured register %u is no cell", k.index);
        }
    }
}

static void need_method(flow *f, uint32_t r)
{
    reg m = f->now[r], s = f->now[r + 1];
    if (m.kinds != METHOD || s.kinds != SELF || m.from != s.from) refuse(f, "registers %u, %u are no method", r, r + 1);
}

static void put_method(flow *f, uint32_t r)
{
    uint32_t from = f->pc + 1;
    for (uint32_t i = 0; i < f->size; i++) {
        if (f->now[i].from != from) continue;
        put(f, i, f->now[i].kinds == METHOD ? ANY : ANY | UNBOUND);
    }
    f->work += f->size / 16;
    f->now[r] = (reg){METHOD, from};
    f->now[r + 1] = (reg){SELF, from};
}

static void copy(flow *f, uint32_t to, uint32_t from)
{
    if (f->now[from].kinds & (RAW | FOR_STATE)) refuse(f, "register can't be copied");
    f->now[to] = f->now[from];
}

/* ---- one instruction ---- */

/* Operands by the letters of the format: capitals are read, the others written. */
static void read_plain(flow *f, insn w, const char *format)
{
    const uint32_t x[3] = {I_A(w), I_B(w), I_C(w)};
    for (int i = 0; i < 3 && format[i]; i++)
        if (format[i] >= 'A' && format[i] <= 'C') need_value(f, x[i]);
}
static void write_plain(flow *f, insn w, const char *format)
{
    const uint32_t x[3] = {I_A(w), I_B(w), I_C(w)};
    for (int i = 0; i < 3 && format[i]; i++)
        if (format[i] >= 'a' && format[i] <= 'c') put(f, x[i], ANY);
}

/* What the instruction takes for granted. */
static void demand(flow *f, const insn *p, unsigned op)
{
    const code *c = f->c;
    insn w = *p;
    uint32_t a = I_A(w), b = I_B(w), n = I_C(w), flags = c->flags;
    bool coroutine = flags & (CODE_COROUTINE | CODE_ASYNC_GEN);
    bool plain = !(flags & (CODE_COROUTINE | CODE_ASYNC_GEN | CODE_GENERATOR));
    switch (op) {
    case OP_MOVE:
    case OP_LOADX:
    case OP_STOREX: break; /* copy looks */
    case OP_CHECK:
        if (a >= c->nlocals) refuse(f, "register %u is no variable", a);
        need(f, a, LOOSE, "variable");
        break;
    case OP_CHECKX: need(f, a, LOOSE, "variable"); break;
    case OP_MAKECELL: need(f, a, LOOSE, "variable"); break;
    case OP_CELLGET: need(f, b, CELL, "cell"); break;
    case OP_CELLSET:
        need(f, a, CELL, "cell");
        need_value(f, b);
        break;
    case OP_CELLDEL: need(f, a, CELL, "cell"); break;
    case OP_GETNAME:
    case OP_DELNAME:
    case OP_CLASSDEREF:
    case OP_SETUPANNOT: need(f, 0, LOOSE, "namespace"); break;
    case OP_SETNAME:
        need(f, 0, LOOSE, "namespace");
        need_value(f, a);
        break;
    case OP_IMPORTSTAR:
        need(f, 0, LOOSE, "namespace");
        need_value(f, a);
        break;
    case OP_SUPERATTR:
    case OP_SUPERMETHOD: need_values(f, a, 3); break;
    case OP_GETSLICE:
        if (n != 2 && n != 3) refuse(f, "%u operands", n);
        need_value(f, p[1]);
        need_values(f, b, n == 3 ? 3 : 2);
        break;
    case OP_SLICE:
        if (n != 2 && n != 3) refuse(f, "%u operands", n);
        need_values(f, b, n == 3 ? 3 : 2);
        break;
    case OP_FORITER:
        need(f, a, FOR_OBJECT, "loop");
        need(f, a + 1, FOR_AT, "loop");
        need(f, a + 2, FOR_END, "loop");
        break;
    case OP_FOREND:
        if (b) {
            need_value(f, a);
        } else {
            need(f, a, FOR_OBJECT, "loop");
            need(f, a + 1, FOR_AT, "loop");
            need(f, a + 2, FOR_END, "loop");
        }
        break;
    case OP_LIST:
    case OP_TUPLE:
    case OP_SET: need_values(f, b, n); break;
    case OP_DICT: need_values(f, b, 2 * n); break;
    case OP_BUILDSTR:
        for (uint32_t i = 0; i < n; i++) need(f, b + i, STR, "str");
        break;
    case OP_LISTK:
        if (kind_of_const(c, I_D(w)) != TUPLE) refuse(f, "constant %u is no tuple", I_D(w));
        break;
    case OP_LISTAPPEND:
    case OP_LISTEXTEND:
        need(f, a, LIST, "list");
        need_value(f, b);
        break;
    case OP_SETADD:
    case OP_SETUPDATE:
        need(f, a, SET, "set");
        need_value(f, b);
        break;
    case OP_DICTSET:
    case OP_DICTMERGE:
        need(f, a, DICT, "dict");
        need_value(f, b);
        need_value(f, n);
        break;
    case OP_DICTUPDATE:
        need(f, a, DICT, "dict");
        need_value(f, b);
        break;
    case OP_LISTTOTUPLE: need(f, b, LIST, "list"); break;
    case OP_FORMAT:
        if (n > 3) refuse(f, "conversion %u", n);
        need_value(f, b);
        break;
    case OP_FORMATSPEC:
        need_value(f, b);
        need(f, n, STR, "str");
        break;
    case OP_CALL: need_values(f, b, n + 1); break;
    case OP_CALLKW:
        need_values(f, b, n + 1);
        if (!const_strings(c, p[1])) refuse(f, "keyword names");
        break;
    case OP_CALLM:
        need_method(f, b);
        need_values(f, b + 2, n);
        break;
    case OP_CALLMKW:
        need_method(f, b);
        need_values(f, b + 2, n);
        if (!const_strings(c, p[1])) refuse(f, "keyword names");
        break;
    case OP_CALLMETHOD: need_values(f, b + 1, n + 1); break;
    case OP_CALLEX:
        if (n > 7 || (n & 5) == 4) refuse(f, "call flags");
        need_value(f, b);
        if (n & 2) need_value(f, b + 1);
        else need(f, b + 1, TUPLE, "tuple");
        if (n & 4) need_value(f, b + 2);
        else if (n & 1) need(f, b + 2, DICT, "dict");
        break;
    case OP_MAKEFUNC:
        if (n > 7) refuse(f, "function flags");
        if (n & 1) need_value(f, b);
        if (n & 2) need_value(f, b + 1);
        if (n & 4) need_value(f, b + 2);
        need_captures(f, AS(code, c->consts[p[1]]));
        break;
    case OP_RETURN:
        need_value(f, a);
        if (!plain) refuse(f, "RETURN in a generator or coroutine");
        break;
    case OP_RETURNNONE:
        if (!plain) refuse(f, "RETURN in a generator or coroutine");
        break;
    case OP_RETGEN:
        need_value(f, a);
        if (!(flags & (CODE_GENERATOR | CODE_ASYNC_GEN))) refuse(f, "RETGEN in no generator");
        break;
    case OP_RETCORO:
        need_value(f, a);
        if (!(flags & CODE_COROUTINE)) refuse(f, "RETCORO in no coroutine");
        break;
    case OP_YIELD:
        need_value(f, b);
        need_handlers(f, p[1], a);
        if (!(flags & CODE_GENERATOR)) refuse(f, "YIELD in no generator");
        break;
    case OP_AYIELD:
        need_value(f, b);
        need_handlers(f, p[1], a);
        if (!(flags & CODE_ASYNC_GEN)) refuse(f, "AYIELD in no asynchronous generator");
        break;
    case OP_YIELDFROM:
        need(f, b, ITER, "iterator");
        need_handlers(f, p[1], a);
        if (!(flags & (CODE_GENERATOR | CODE_COROUTINE))) refuse(f, "YIELDFROM in no generator");
        break;
    case OP_GETYFITER:
        need_value(f, b);
        if (!(flags & (CODE_GENERATOR | CODE_COROUTINE))) refuse(f, "GETYFITER in no generator");
        break;
    case OP_AWAIT:
        need_value(f, b);
        need_handlers(f, p[1], a);
        if (b < c->nlocals) refuse(f, "await of a variable");
        if (!coroutine) refuse(f, "AWAIT in no coroutine");
        break;
    case OP_AFORITER:
        need_value(f, b);
        need_handlers(f, p[1], a);
        if (b + 1 < c->nlocals) refuse(f, "async for over variables");
        if (!coroutine) refuse(f, "AFORITER in no coroutine");
        break;
    case OP_RAISE:
        if (n > 2) refuse(f, "form %u of raise", n);
        if (n >= 1) need_value(f, a);
        if (n == 2) need_value(f, b);
        break;
    case OP_PUSHEXC: need(f, a, EXC, "exception"); break;
    case OP_POPEXC: need(f, a + 1, SAVED, "saved exception"); break;
    case OP_EGRAISE:
        need_value(f, b);
        need(f, n, LIST, "list");
        break;
    case OP_IMPORT:
        if (p[1] > 1000) refuse(f, "level %u of an import", p[1]);
        if (p[2] != UINT32_MAX && !const_strings(c, p[2])) refuse(f, "import names");
        break;
    case OP_MATCHKEYS:
        need_value(f, b);
        need(f, n, TUPLE, "tuple");
        break;
    case OP_MATCHCLASS:
        need_value(f, b);
        need_value(f, n);
        if (p[1] > 60000) refuse(f, "%u patterns", p[1]);
        if (!const_strings(c, p[2])) refuse(f, "attribute names");
        break;
    default: read_plain(f, w, op_format(op)); break;
    }
}

/* What it may have changed when it fails half-way. */
static void disturb(flow *f, insn w, unsigned op)
{
    uint32_t b = I_B(w);
    switch (op) {
    case OP_CALL:
    case OP_CALLKW:
    case OP_CALLEX: put(f, b, ANY); break;
    case OP_CALLM:
    case OP_CALLMKW:
    case OP_CALLMETHOD:
        put(f, b, ANY | UNBOUND);
        put(f, b + 1, ANY | UNBOUND);
        break;
    case OP_AWAIT: put(f, b, RAW); break; /* a frame that nobody else refers to is used again */
    case OP_AFORITER: put(f, b + 1, ANY); break;
    case OP_FOREND:
        if (!b)
            for (uint32_t i = 0; i < 3; i++) put(f, I_A(w) + i, UNBOUND | ANY);
        break;
    default: break;
    }
}

/* What it leaves behind when it has succeeded and goes on. */
static void settle(flow *f, const insn *p, unsigned op)
{
    const code *c = f->c;
    insn w = *p;
    uint32_t a = I_A(w), b = I_B(w), n = I_C(w);
    switch (op) {
    case OP_MOVE: copy(f, a, b); break;
    case OP_LOADX: copy(f, a, high_at(f, I_D(w))); break;
    case OP_STOREX: copy(f, high_at(f, I_D(w)), a); break;
    case OP_LOADK: put(f, a, kind_of_const(c, I_D(w))); break;
    case OP_LOADKX: put(f, a, kind_of_const(c, p[1])); break;
    case OP_UNBIND: put(f, a, UNBOUND); break;
    case OP_UNBINDX: put(f, high_at(f, I_D(w)), UNBOUND); break;
    case OP_CHECK:
    case OP_CHECKX: f->now[a].kinds &= ~(uint32_t)UNBOUND; break;
    case OP_MAKECELL: put(f, a, CELL); break;
    case OP_FREECELL: put(f, a, CELL); break;
    case OP_LOADMETHOD: put_method(f, a); break;
    case OP_SUPERMETHOD: put_method(f, a); break;
    case OP_FORPREP:
        put(f, a, FOR_OBJECT);
        put(f, a + 1, FOR_AT);
        put(f, a + 2, FOR_END);
        break;
    case OP_UNPACK:
        for (uint32_t i = 0; i < n; i++) put(f, a + i, ANY);
        break;
    case OP_UNPACKEX: {
        uint32_t before = p[1] & 0xffff, after = p[1] >> 16;
        for (uint32_t i = 0; i < before + 1 + after; i++) put(f, a + i, i == before ? LIST : ANY);
        break;
    }
    case OP_LIST:
    case OP_LISTK: put(f, a, LIST); break;
    case OP_TUPLE:
    case OP_LISTTOTUPLE: put(f, a, TUPLE); break;
    case OP_SET: put(f, a, SET); break;
    case OP_DICT: put(f, a, DICT); break;
    case OP_FORMAT:
    case OP_FORMATSPEC:
    case OP_BUILDSTR: put(f, a, STR); break;
    case OP_GETYFITER: put(f, a, ITER); break;
    case OP_BEFOREWITH:
    case OP_BEFOREAWITH:
        put(f, a, ANY);
        put(f, a + 1, ANY);
        break;
    case OP_PUSHEXC: put(f, a + 1, SAVED); break;
    case OP_POPEXC:
        put(f, a, UNBOUND);
        put(f, a + 1, UNBOUND);
        break;
    case OP_EGMATCH:
        put(f, a, ANY);
        put(f, a + 1, CAUGHT);
        break;
    case OP_JNONE:
        if (f->now[a].kinds == CAUGHT) put(f, a, EXC); /* not None */
        break;
    default: write_plain(f, w, op_format(op)); break;
    }
}

/* From the label at f->pc to the next one, or to where control goes elsewhere. */
static void walk(flow *f)
{
    const code *c = f->c;
    for (;;) {
        const insn *p = &c->insns[f->pc];
        unsigned op = op_general(I_OP(*p));
        uint32_t to;
        f->work++;
        demand(f, p, op);
        if (!f->failed && !is_quiet(op)) {
            safepoint_here(f, p, op);
            disturb(f, *p, op);
            forget(f, op);
            fail_here(f);
        }
        if (f->failed) return;
        bool jumps = code_jump_target(c, f->pc, &to), early = op == OP_FORITER || op == OP_AFORITER || op == OP_JNONE;
        if (jumps && early) reach(f, to); /* without what comes of going on */
        settle(f, p, op);
        if (f->failed) return;
        if (jumps && !early) reach(f, to);
        if (op_ends(op)) return;
        f->pc += op_words(*p);
        if (f->labels[f->pc]) {
            reach(f, f->pc);
            return;
        }
    }
}

/* ---- the whole function ---- */

static void label_at(flow *f, uint32_t pc)
{
    if (!f->labels[pc]) f->labels[pc] = ++f->nlabels;
}

static void find_labels(flow *f)
{
    const code *c = f->c;
    label_at(f, 0);
    for (uint32_t pc = 0, to; pc < c->ninsns; pc += op_words(c->insns[pc]))
        if (code_jump_target(c, pc, &to)) label_at(f, to);
    for (uint32_t i = 0; i < c->nexcs; i++) label_at(f, c->excs[i].target);
    f->nlabels = 0; /* numbered in the order of the code */
    for (uint32_t pc = 0; pc < c->ninsns; pc++)
        if (f->labels[pc]) f->labels[pc] = ++f->nlabels;
}

/* The first range that covers a word is its handler: each word is painted once. skip[pc] leads to the next bare one. */
static void paint_handlers(flow *f, uint32_t *skip)
{
    const code *c = f->c;
    for (uint32_t pc = 0; pc <= c->ninsns; pc++) skip[pc] = pc;
    for (uint32_t i = 0; i < c->nexcs; i++) {
        uint32_t pc = c->excs[i].start, end = c->excs[i].end;
        for (;;) {
            uint32_t at = pc;
            while (skip[at] != at) {
                skip[at] = skip[skip[at]];
                at = skip[at];
            }
            if (at >= end) break;
            f->handler[at] = i + 1;
            skip[at] = at + 1;
            pc = at + 1;
        }
    }
}

static void enter(flow *f)
{
    const code *c = f->c;
    uint32_t params = (uint32_t)c->argcount + c->kwonly + !!(c->flags & CODE_VARARGS) + !!(c->flags & CODE_VARKW);
    uint32_t first = params > c->nlocals ? c->nregs : 0; /* too many: all of them lie high */
    for (uint32_t i = 0; i < f->size; i++) put(f, i, i < c->nlocals || i >= c->nregs ? UNBOUND : RAW);
    /* where a namespace or what exec was given may lie */
    if (c->nlocals) put(f, 0, UNBOUND | ANY);
    for (uint32_t i = 0; i < params; i++) put(f, first + i, ANY);
    reach(f, 0);
}

static void run(flow *f)
{
    const code *c = f->c;
    for (bool again = true; again && !f->failed;) {
        again = false;
        for (uint32_t pc = 0; pc < c->ninsns && !f->failed; pc++) {
            uint32_t l = f->labels[pc];
            if (!l || f->reached[l - 1] != 2) continue;
            f->reached[l - 1] = 1;
            memcpy(f->now, f->states + (size_t)(l - 1) * f->size, f->size * sizeof *f->now);
            f->pc = pc;
            walk(f);
            again = true;
            if (f->work > f->most) refuse(f, "control flow is too tangled to be checked");
        }
        f->work += c->ninsns / 16;
    }
}

bool code_check_flow(vm *vm, const code *c, char *why, size_t whysize)
{
    flow f = {.vm = vm, .c = c, .why = why, .whysize = whysize};
    size_t words = (size_t)c->ninsns + 1, states = 0;
    f.size = (uint32_t)c->nregs + c->nhigh;
    f.most = (uint64_t)c->ninsns * (64 + f.size / 16) + 4096;
    if (f.most > (UINT64_C(1) << 25) + (uint64_t)c->ninsns * 64)
        f.most = (UINT64_C(1) << 25) + (uint64_t)c->ninsns * 64;
    f.labels = mem_zalloc(vm, words * sizeof *f.labels);
    f.handler = mem_zalloc(vm, words * sizeof *f.handler);
    uint32_t *skip = c->nexcs ? mem_alloc(vm, words * sizeof *skip) : NULL;
    if (f.labels && f.handler && (skip || !c->nexcs)) {
        find_labels(&f);
        if (skip) paint_handlers(&f, skip);
        if (!size_mul(f.nlabels + 1, f.size * sizeof(reg), &states) || states > MAX_STATES) {
            refuse(&f, "too large to be checked");
            states = 0;
        } else {
            f.states = mem_alloc(vm, states);
            f.reached = mem_zalloc(vm, f.nlabels);
        }
        if (f.states && f.reached) {
            f.now = f.states + (size_t)f.nlabels * f.size;
            enter(&f);
            run(&f);
        }
    }
    bool done = f.states && f.reached;
    mem_free(vm, f.labels, words * sizeof *f.labels);
    mem_free(vm, f.handler, words * sizeof *f.handler);
    if (skip) mem_free(vm, skip, words * sizeof *skip);
    if (f.states) mem_free(vm, f.states, states);
    if (f.reached) mem_free(vm, f.reached, f.nlabels);
    return done && !f.failed;
}
