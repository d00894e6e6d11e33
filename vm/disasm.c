/* The disassembler: `aio -d`. One line per instruction: offset, line, name, operands with what they
 * stand for. */
#include "compile.h"

#include <stdio.h>

static const char *const op_names[OP_COUNT] = {
#define OP(NAME, WORDS, FORMAT, DOC) [OP_##NAME] = #NAME,
#define QOP(NAME, BASE)              [OP_##NAME] = #NAME,
#include "opcodes.def"
#undef OP
#undef QOP
};

const char *op_name(unsigned op) { return op < OP_COUNT ? op_names[op] : "?"; }

typedef struct out {
    vm *vm;
    const code *c;
    void (*write)(void *ud, const char *s, size_t n);
    void *ud;
    bool failed;
} out;

static void put(out *o, const char *s) { o->write(o->ud, s, strlen(s)); }

__attribute__((format(printf, 2, 3))) static void putf(out *o, const char *fmt, ...)
{
    char buf[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    if (n > 0) o->write(o->ud, buf, (size_t)n < sizeof buf ? (size_t)n : sizeof buf - 1);
}

static void put_str(out *o, str *s, size_t limit)
{
    size_t n;
    bool cut = s && s->len > limit;
    if (cut) s = str_substr(o->vm, s, 0, limit);
    const char *text = s ? str_wtf8(o->vm, s, &n) : NULL;
    if (!text) {
        o->failed = true;
        return;
    }
    o->write(o->ud, text, n);
    if (cut) put(o, "...");
}

static void put_const(out *o, uint32_t i)
{
    if (i >= o->c->nconsts) {
        putf(o, "K%u?", i);
        return;
    }
    value v = o->c->consts[i];
    if (value_is_kind(v, K_CODE)) {
        put(o, "<code ");
        put_str(o, AS(code, v)->qualname, 80);
        put(o, ">");
        return;
    }
    put_str(o, obj_repr(o->vm, v), 60);
}

static void put_name(out *o, uint32_t i)
{
    if (i < o->c->nnames) put_str(o, o->c->cnames[i], 80);
    else putf(o, "N%u?", i);
}

static void put_reg(out *o, uint32_t r)
{
    const code *c = o->c;
    putf(o, "r%u", r);
    uint32_t i = r < HIGH_BASE ? r : r - HIGH_BASE + c->nlocals;
    if ((r < c->nlocals || (r >= HIGH_BASE && r - HIGH_BASE < c->nhigh)) && c->varnames && c->varnames[i]->len) {
        put(o, ":");
        put_str(o, c->varnames[i], 40);
    }
}

/* Words beyond the first that are no caches. */
static void put_extra(out *o, const insn *p, uint32_t end)
{
    switch (op_general(I_OP(*p))) {
    case OP_LOADKX:
        put(o, ", ");
        put_const(o, p[1]);
        break;
    case OP_GETATTR:
    case OP_SETATTR:
    case OP_LOADMETHOD:
    case OP_SUPERATTR:
    case OP_SUPERMETHOD:
    case OP_CALLMETHOD:
        put(o, ", ");
        put_name(o, p[1] & 0xffffff);
        break;
    case OP_DELATTR:
    case OP_IMPORTFROM:
        put(o, ", ");
        put_name(o, p[1]);
        break;
    case OP_CLASSDEREF:
    case OP_FORMATSPEC: putf(o, ", %u", p[1]); break;
    case OP_UNPACKEX: putf(o, ", %u + list + %u", p[1] & 0xffff, p[1] >> 16); break;
    case OP_CALLKW:
    case OP_CALLMKW:
    case OP_MAKEFUNC:
        put(o, ", ");
        put_const(o, p[1]);
        break;
    case OP_AFORITER: putf(o, ", h%x, -> %u", p[1], end + p[2]); break;
    case OP_IMPORT:
        putf(o, ", level %u, ", p[1]);
        if (p[2] == UINT32_MAX) put(o, "None");
        else put_const(o, p[2]);
        break;
    case OP_MATCHCLASS:
        putf(o, ", %u, ", p[1]);
        put_const(o, p[2]);
        break;
    default: break;
    }
}

static void put_operands(out *o, const insn *p, uint32_t pc)
{
    insn w = *p;
    const char *f = op_format(I_OP(w));
    uint32_t end = pc + op_words(w), abc[3] = {I_A(w), I_B(w), I_C(w)};
    bool wide = strlen(f) == 2;
    const char *sep = "";
    for (int i = 0; i < 3 && f[i]; i++) {
        uint32_t x = i == 1 && wide ? I_D(w) : abc[i];
        if (f[i] == '-') continue;
        put(o, sep);
        sep = ", ";
        switch (f[i]) {
        case 'A':
        case 'B':
        case 'C':
        case 'a':
        case 'b':
        case 'c': put_reg(o, x); break;
        case 'k': put_const(o, x); break;
        case 'n': put_name(o, x); break;
        case 'i': putf(o, "%d", wide ? (int)(int16_t)x : (int)(int8_t)x); break;
        case 'u':
            if (wide && x >= HIGH_BASE && I_OP(w) != OP_FREEGET && I_OP(w) != OP_FREESET) put_reg(o, x);
            else putf(o, "%u", x);
            break;
        case 'j': putf(o, "-> %u", end + p[1]); break;
        case 'J': putf(o, "-> %u", end + (uint32_t)I_E(w)); break;
        case 'h': putf(o, "h%x", p[1]); break;
        default: putf(o, "%u", x); break;
        }
    }
    put_extra(o, p, end);
}

static void put_head(out *o)
{
    const code *c = o->c;
    put(o, "code ");
    put_str(o, c->qualname, 200);
    put(o, " (");
    put_str(o, c->filename, 200);
    putf(o, ":%u): %u registers, %u locals", c->firstlineno, c->nregs, (unsigned)c->nlocals + c->nhigh);
    static const struct {
        uint32_t bit;
        const char *name;
    } flags[] = {{CODE_SIMPLE, " simple"},       {CODE_GENERATOR, " generator"},
                 {CODE_COROUTINE, " coroutine"}, {CODE_ASYNC_GEN, " async-generator"},
                 {CODE_VARARGS, " *args"},       {CODE_VARKW, " **kwargs"},
                 {CODE_CLASS, " class"},         {CODE_MODULE, " module"},
                 {CODE_HAS_AWAIT, " await"}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (c->flags & flags[i].bit) put(o, flags[i].name);
    }
    for (uint32_t i = 0; i < c->nfree; i++) {
        put(o, i ? ", " : "\n  free: ");
        put_str(o, c->freenames[i], 80);
        putf(o, " = %s %u", c->captures[i].from_local ? "register" : "closure", c->captures[i].index);
    }
    put(o, "\n");
}

static void put_tables(out *o)
{
    const code *c = o->c;
    for (uint32_t i = 0; i < c->nexcs; i++)
        putf(o, "  except %u..%u -> %u, r%u\n", c->excs[i].start, c->excs[i].end, c->excs[i].target, c->excs[i].reg);
}

static bool disassemble(out *o, code *k, unsigned depth)
{
    o->c = k;
    put_head(o);
    uint32_t line = 0;
    for (uint32_t pc = 0; pc < k->ninsns && !o->failed;) {
        uint32_t n = op_words(k->insns[pc]), now = code_line(k, pc + 1);
        if (n == 0 || pc + n > k->ninsns) {
            putf(o, "%6u  ?\n", pc);
            break;
        }
        if (now != line) putf(o, "%6u %5u  ", pc, now);
        else putf(o, "%6u        ", pc);
        line = now;
        putf(o, "%-12s ", op_name(I_OP(k->insns[pc])));
        put_operands(o, &k->insns[pc], pc);
        put(o, "\n");
        pc += n;
    }
    put_tables(o);
    for (uint32_t i = 0; i < k->nconsts && depth < 400 && !o->failed; i++) {
        if (!value_is_kind(k->consts[i], K_CODE)) continue;
        put(o, "\n");
        if (!disassemble(o, AS(code, k->consts[i]), depth + 1)) return false;
    }
    return !o->failed;
}

bool code_disassemble(vm *vm, code *c, void (*write)(void *ud, const char *s, size_t n), void *ud)
{
    ROOTS(vm, &c);
    out o = {vm, c, write, ud, false};
    return disassemble(&o, c, 0);
}
