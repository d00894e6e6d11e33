/* The code verifier: does every word decode, is every operand in range, does every jump land on an
 * instruction? It guards against mistakes of the compiler (debug builds run it on everything) and
 * against damaged stored code.
 */
#include "compile.h"

#include <stdio.h>

typedef struct check {
    const code *c;
    char *why;
    size_t whysize;
} check;

__attribute__((format(printf, 3, 4))) static bool fail(check *k, uint32_t pc, const char *fmt, ...)
{
    char text[120];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(k->why, k->whysize, "at %u: %s", pc, text);
    return false;
}

static bool high_register(const code *c, uint32_t r) { return r >= HIGH_BASE && r < HIGH_BASE + (uint32_t)c->nhigh; }

static bool const_kind(const code *c, uint32_t i, unsigned kind)
{
    return i < c->nconsts && value_is_kind(c->consts[i], kind);
}

/* The D operand: register beyond 255, closure index, or the name and constant kinds handled by the
 * format. */
static bool check_wide(check *k, uint32_t pc, unsigned op, uint32_t d)
{
    switch (op) {
    case OP_LOADX:
    case OP_STOREX:
    case OP_UNBINDX:
    case OP_CHECKX: return high_register(k->c, d) || fail(k, pc, "high register %u", d);
    case OP_FREEGET:
    case OP_FREESET:
    case OP_FREEDEL:
    case OP_FREECELL: return d < k->c->nfree || fail(k, pc, "closure index %u", d);
    default: return true;
    }
}

static bool check_words(check *k, uint32_t pc, unsigned op)
{
    const code *c = k->c;
    const insn *p = &c->insns[pc];
    switch (op) {
    case OP_LOADKX: return p[1] < c->nconsts || fail(k, pc, "constant %u", p[1]);
    case OP_GETATTR:
    case OP_SETATTR:
    case OP_LOADMETHOD:
    case OP_SUPERATTR:
    case OP_SUPERMETHOD:
    case OP_CALLMETHOD: return (p[1] & 0xffffff) < c->nnames || fail(k, pc, "name %u", p[1] & 0xffffff);
    case OP_DELATTR:
    case OP_IMPORTFROM:
    case OP_CLASSDEREF: return p[1] < c->nfree || fail(k, pc, "closure index %u", p[1]);
    case OP_FORMATSPEC: return p[1] <= 3 || fail(k, pc, "conversion %u", p[1]);
    case OP_MAKEFUNC: return const_kind(c, p[1], K_CODE) || fail(k, pc, "constant %u is no code", p[1]);
    case OP_CALLKW:
    case OP_CALLMKW:
        return (const_kind(c, p[1], K_TUPLE) && AS(tuple, c->consts[p[1]])->len <= I_C(*p)) ||
               fail(k, pc, "keyword names");
    case OP_IMPORT: return p[2] == UINT32_MAX || const_kind(c, p[2], K_TUPLE) || fail(k, pc, "import names");
    case OP_MATCHCLASS: return const_kind(c, p[2], K_TUPLE) || fail(k, pc, "attribute names");
    default: return true;
    }
}

static bool check_instruction(check *k, uint32_t pc)
{
    const code *c = k->c;
    insn w = c->insns[pc];
    uint32_t n = op_words(w), reads, writes;
    if (n == 0) return fail(k, pc, "no such instruction (%u)", I_OP(w));
    if (n > c->ninsns - pc) return fail(k, pc, "instruction cut off");
    unsigned op = op_general(I_OP(w));
    const char *f = op_format(op);
    op_regs(&c->insns[pc], &reads, &writes);
    if (reads > c->nregs || writes > c->nregs)
        return fail(k, pc, "register %u of %u", (reads > writes ? reads : writes) - 1, c->nregs);
    bool wide = strlen(f) == 2;
    for (int i = 1; i < 3 && f[i]; i++) {
        uint32_t x = wide ? I_D(w) : i == 1 ? I_B(w) : I_C(w);
        if (f[i] == 'k' && x >= c->nconsts) return fail(k, pc, "constant %u of %u", x, c->nconsts);
        if (f[i] == 'n' && x >= c->nnames) return fail(k, pc, "name %u of %u", x, c->nnames);
        if (f[i] == 'u' && wide && !check_wide(k, pc, op, x)) return false;
    }
    return check_words(k, pc, op);
}

/* The target of the jump at pc; false: the instruction is no jump. */
static bool jump_target(const code *c, uint32_t pc, uint32_t *to)
{
    insn w = c->insns[pc];
    uint32_t n = op_words(w);
    const char *f = op_format(I_OP(w));
    if (op_general(I_OP(w)) == OP_AFORITER) *to = pc + n + c->insns[pc + 2];
    else if (f[0] == 'J') *to = pc + n + (uint32_t)I_E(w);
    else if (strchr(f, 'j') || op_general(I_OP(w)) == OP_NATIVESTEP) *to = pc + n + c->insns[pc + 1];
    else return false;
    return true;
}

enum { WINDOW = 32768 };

/* Targets within one window of the code: a bitmap of where instructions begin. */
static bool check_targets(check *k, uint32_t base)
{
    const code *c = k->c;
    uint8_t starts[WINDOW / 8];
    memset(starts, 0, sizeof starts);
    for (uint32_t pc = 0; pc < c->ninsns; pc += op_words(c->insns[pc])) {
        if (pc - base < WINDOW) starts[(pc - base) / 8] |= (uint8_t)(1 << (pc & 7));
    }
#define LANDS(pc) ((pc)-base >= WINDOW || (starts[((pc)-base) / 8] >> ((pc)&7) & 1))
    for (uint32_t pc = 0, to; pc < c->ninsns; pc += op_words(c->insns[pc])) {
        if (!jump_target(c, pc, &to)) continue;
        if (to >= c->ninsns) return fail(k, pc, "jump to %u of %u", to, c->ninsns);
        if (!LANDS(to)) return fail(k, pc, "jump into an instruction at %u", to);
    }
    for (uint32_t i = 0; i < c->nexcs; i++) {
        const exc_range *x = &c->excs[i];
        if (x->start >= x->end || x->end > c->ninsns || x->target >= c->ninsns || x->reg >= c->nregs)
            return fail(k, x->start, "exception range %u", i);
        if (!LANDS(x->start) || !LANDS(x->target) || (x->end < c->ninsns && !LANDS(x->end)))
            return fail(k, x->start, "exception range %u cuts an instruction", i);
    }
    return true;
#undef LANDS
}

static bool check_tables(check *k)
{
    const code *c = k->c;
    for (uint32_t i = 0; i < c->nsafepoints; i++) {
        const safepoint *s = &c->safepoints[i];
        if (s->pc >= c->ninsns || (i && s->pc <= s[-1].pc)) return fail(k, s->pc, "safepoints are not sorted");
        if (s->live > s->window || s->window > c->nregs || s->live < c->nlocals)
            return fail(k, s->pc, "safepoint registers");
    }
    for (uint32_t i = 0; i < c->ndiscards; i++) {
        if (c->discards[i] > c->ninsns || (i && c->discards[i] <= c->discards[i - 1]))
            return fail(k, c->discards[i], "discards are not sorted");
    }
    if (c->nlocals > c->nregs) return fail(k, 0, "%u locals in %u registers", c->nlocals, c->nregs);
    for (uint32_t i = 0; i < c->nfree; i++) {
        if (!c->freenames[i]) return fail(k, 0, "free variable %u has no name", i);
    }
    uint32_t params = (uint32_t)c->argcount + c->kwonly + !!(c->flags & CODE_VARARGS) + !!(c->flags & CODE_VARKW);
    if ((params > c->nlocals && params > c->nhigh) || c->posonly > c->argcount)
        return fail(k, 0, "%u parameters in %u locals", params, c->nlocals);
    return true;
}

static bool ends_properly(check *k, uint32_t last)
{
    switch (op_general(I_OP(k->c->insns[last]))) {
    case OP_JMP:
    case OP_LOOP:
    case OP_FORLOOP:
    case OP_RETURN:
    case OP_RETURNNONE:
    case OP_RETGEN:
    case OP_RETCORO:
    case OP_RAISE:
    case OP_RERAISE:
    case OP_EXIT:
    case OP_SEGPOP: return true;
    default: return fail(k, last, "control runs off the end");
    }
}

bool code_verify(const code *c, char *why, size_t whysize)
{
    check k = {c, why, whysize};
    if (whysize) why[0] = 0;
    if (c->ninsns == 0) return fail(&k, 0, "no code");
    uint32_t last = 0;
    for (uint32_t pc = 0; pc < c->ninsns; pc += op_words(c->insns[pc])) {
        if (!check_instruction(&k, pc)) return false;
        last = pc;
    }
    for (uint32_t base = 0; base < c->ninsns; base += WINDOW) {
        if (!check_targets(&k, base)) return false;
    }
    return check_tables(&k) && ends_properly(&k, last);
}
