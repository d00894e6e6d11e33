/* The code verifier: may these words be run at all, whoever has written them?
 *
 * First the form, here: every word decodes, every operand is in range, every jump lands on an instruction, the tables
 * are sorted and in bounds, the flags fit the rest. Then the flow (code_flow.c): what the registers hold where they are
 * read. Builds with -Dheap_verify run it on everything that is compiled, so it also guards against mistakes of the
 * compiler.
 */
#include "compile.h"

#include <stdio.h>

enum {
    CODE_KNOWN = CODE_VARARGS | CODE_VARKW | CODE_GENERATOR | CODE_COROUTINE | CODE_ASYNC_GEN | CODE_NESTED |
                 CODE_MODULE | CODE_CLASS | CODE_SIMPLE | CODE_ITERABLE_CORO | CODE_NEWLOCALS | CODE_PLAIN_CORO |
                 CODE_HAS_AWAIT,
    MAX_LINE = 1 << 30
};

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
    case OP_GETGLOBAL:
    case OP_GETNAME: return (!p[1] && !p[2] && !p[3]) || fail(k, pc, "an inline cache is filled");
    case OP_SETGLOBAL:
    case OP_SETNAME: return (!p[1] && !p[2]) || fail(k, pc, "an inline cache is filled");
    case OP_LOADKX: return p[1] < c->nconsts || fail(k, pc, "constant %u", p[1]);
    case OP_GETATTR:
    case OP_SETATTR:
    case OP_LOADMETHOD:
    case OP_SUPERATTR:
    case OP_SUPERMETHOD:
    case OP_CALLMETHOD:
        if (p[2] || p[3] || p[4] || p[5]) return fail(k, pc, "an inline cache is filled");
        return p[1] < c->nnames || fail(k, pc, "name %u", p[1]);
    case OP_DELATTR:
    case OP_IMPORTFROM: return p[1] < c->nnames || fail(k, pc, "name %u", p[1]);
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
    if (op != I_OP(w)) return fail(k, pc, "specialised instruction (%u)", I_OP(w));
    if (op == OP_NATIVESTEP || op == OP_EXIT || op == OP_SEGPOP) return fail(k, pc, "instruction %u", op);
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

bool code_jump_target(const code *c, uint32_t pc, uint32_t *to)
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

/* Jumps land on instructions, and lead back only where the interpreter polls. */
static bool check_targets(check *k, const uint8_t *starts)
{
    const code *c = k->c;
    for (uint32_t pc = 0, to; pc < c->ninsns; pc += op_words(c->insns[pc])) {
        if (!code_jump_target(c, pc, &to)) continue;
        unsigned op = op_general(I_OP(c->insns[pc]));
        if (to >= c->ninsns) return fail(k, pc, "jump to %u of %u", to, c->ninsns);
        if (!starts[to]) return fail(k, pc, "jump into an instruction at %u", to);
        insn w = c->insns[pc], at = c->insns[to];
        if ((op == OP_FORLOOP || op == OP_FORBACK) && op_general(I_OP(at)) != OP_FORITER)
            return fail(k, pc, "%s to no FORITER at %u", op == OP_FORLOOP ? "FORLOOP" : "FORBACK", to);
        if (op == OP_FORLOOP && (I_A(w) != I_A(at) || I_B(w) != I_B(at)))
            return fail(k, pc, "FORLOOP of another loop than %u", to);
        if (to <= pc && op != OP_LOOP && op != OP_FORLOOP && op != OP_FORBACK)
            return fail(k, pc, "jump back to %u", to);
    }
    for (uint32_t i = 0; i < c->nexcs; i++) {
        const exc_range *x = &c->excs[i];
        if (x->start >= x->end || x->end > c->ninsns || x->target >= c->ninsns || x->reg >= c->nregs)
            return fail(k, x->start, "exception range %u", i);
        if (!starts[x->start] || !starts[x->target] || !starts[x->end])
            return fail(k, x->start, "exception range %u cuts an instruction", i);
        if (x->target < x->end) return fail(k, x->start, "the handler of exception range %u lies before its end", i);
    }
    return true;
}

/* Numbers of the table end inside it, and the places they stand for are such as a source text has. */
static bool check_positions(check *k)
{
    const code *c = k->c;
    const uint8_t *p = c->positions, *end = p + c->npositions;
    uint64_t pc = 0;
    int64_t line = c->firstlineno;
    if (line > MAX_LINE) return fail(k, 0, "line %u", c->firstlineno);
    while (p < end) {
        uint32_t x[5];
        for (int i = 0; i < 5; i++) {
            uint64_t n = 0;
            unsigned shift = 0;
            do {
                if (p == end || shift > 28) return fail(k, (uint32_t)pc, "position table");
                n |= (uint64_t)(*p & 0x7f) << shift;
                shift += 7;
            } while (*p++ & 0x80);
            if (n > UINT32_MAX) return fail(k, (uint32_t)pc, "position table");
            x[i] = (uint32_t)n;
        }
        pc += x[0];
        line += x[1] & 1 ? ~(int64_t)(x[1] >> 1) : (int64_t)(x[1] >> 1);
        if (pc > c->ninsns || line < 0 || line > MAX_LINE || x[2] > MAX_LINE || line + x[2] > MAX_LINE ||
            x[3] > MAX_LINE || x[4] > MAX_LINE || !x[3] != !x[4] || (x[3] && !x[2] && x[4] < x[3]))
            return fail(k, (uint32_t)(pc > c->ninsns ? c->ninsns : pc), "position table");
    }
    return true;
}

static bool check_tables(check *k, const uint8_t *starts)
{
    const code *c = k->c;
    for (uint32_t i = 0; i < c->nsafepoints; i++) {
        const safepoint *s = &c->safepoints[i];
        if (s->pc >= c->ninsns || (i && s->pc <= s[-1].pc)) return fail(k, s->pc, "safepoints are not sorted");
        if (!starts[s->pc]) return fail(k, s->pc, "safepoint inside an instruction");
        if (s->live > s->window || s->window > c->nregs || s->live < c->nlocals)
            return fail(k, s->pc, "safepoint registers");
    }
    for (uint32_t i = 0; i < c->ndiscards; i++) {
        if (c->discards[i] > c->ninsns || (i && c->discards[i] <= c->discards[i - 1]))
            return fail(k, c->discards[i], "discards are not sorted");
    }
    return check_positions(k);
}

/* What of the head other parts take for granted. */
static bool check_head(check *k)
{
    const code *c = k->c;
    uint32_t kinds = c->flags & (CODE_GENERATOR | CODE_COROUTINE | CODE_ASYNC_GEN);
    uint32_t params = (uint32_t)c->argcount + c->kwonly + !!(c->flags & CODE_VARARGS) + !!(c->flags & CODE_VARKW);
    bool one_to_one = !(c->flags & (CODE_VARARGS | CODE_VARKW)) && !c->kwonly && !c->nhigh;
    if (c->flags & ~(uint32_t)CODE_KNOWN) return fail(k, 0, "flags %#x", c->flags);
    if (c->nregs > 256 || c->nlocals > c->nregs) return fail(k, 0, "%u locals in %u registers", c->nlocals, c->nregs);
    if (c->posonly > c->argcount) return fail(k, 0, "%u positional-only parameters of %u", c->posonly, c->argcount);
    if (params > c->nlocals && (params > c->nhigh || c->nlocals))
        return fail(k, 0, "%u parameters in %u locals", params, c->nlocals);
    if (kinds & (kinds - 1)) return fail(k, 0, "more than one kind of generator");
    if ((c->flags & CODE_ITERABLE_CORO) && kinds != CODE_GENERATOR) return fail(k, 0, "no generator to await");
    if ((c->flags & CODE_SIMPLE) && (kinds || !one_to_one)) return fail(k, 0, "not as simple as it says");
    if ((c->flags & CODE_PLAIN_CORO) && (kinds != CODE_COROUTINE || !one_to_one))
        return fail(k, 0, "no plain coroutine");
    if ((c->flags & (CODE_MODULE | CODE_CLASS)) && (params || !c->nlocals)) return fail(k, 0, "no namespace");
    for (uint32_t i = 0; i < c->nfree; i++) {
        if (!c->freenames[i]) return fail(k, 0, "free variable %u has no name", i);
    }
    for (uint32_t i = 0; i < (uint32_t)c->nlocals + c->nhigh; i++) {
        if (!c->varnames[i]) return fail(k, 0, "variable %u has no name", i);
    }
    for (uint32_t i = 0; i < c->nconsts; i++) {
        if (value_is_unbound(c->consts[i])) return fail(k, 0, "constant %u is missing", i);
    }
    return true;
}

bool op_ends(unsigned op)
{
    switch (op) {
    case OP_JMP:
    case OP_LOOP:
    case OP_FORLOOP:
    case OP_FORBACK:
    case OP_RETURN:
    case OP_RETURNNONE:
    case OP_RETGEN:
    case OP_RETCORO:
    case OP_RAISE:
    case OP_RERAISE: return true;
    default: return false;
    }
}

bool code_verify(vm *vm, const code *c, char *why, size_t whysize)
{
    check k = {c, why, whysize};
    if (whysize) why[0] = 0;
    if (c->ninsns == 0) return fail(&k, 0, "no code");
    if (!check_head(&k)) return false;
    uint8_t *starts = mem_zalloc(vm, (size_t)c->ninsns + 1);
    if (!starts) return false;
    bool ok = true;
    uint32_t last = 0;
    for (uint32_t pc = 0; ok && pc < c->ninsns; pc += op_words(c->insns[pc])) {
        ok = check_instruction(&k, pc);
        starts[pc] = 1;
        last = pc;
    }
    starts[c->ninsns] = 1;
    if (ok && !op_ends(op_general(I_OP(c->insns[last])))) ok = fail(&k, last, "control runs off the end");
    ok = ok && check_targets(&k, starts) && check_tables(&k, starts) && code_check_flow(vm, c, why, whysize);
    mem_free(vm, starts, (size_t)c->ninsns + 1);
    return ok;
}
