/* Code objects: what an instruction is made of, the tables beside the code, and their life.
 *
 * The position table is a run of records, one for each stretch of instructions with one source
 * range: words of the stretch; line difference (zigzag); lines that the range spans; column + 1;
 * end column + 1 each as a base-128 number. A column of 0 stands for "none".
 */
#include "compile.h"

enum {
#define OP(NAME, WORDS, FORMAT, DOC) WORDS_##NAME = WORDS,
#define QOP(NAME, BASE)              WORDS_##NAME = WORDS_##BASE,
#include "opcodes.def"
#undef OP
#undef QOP
};

static const uint8_t word_counts[OP_COUNT] = {
#define OP(NAME, WORDS, FORMAT, DOC) [OP_##NAME] = WORDS,
#define QOP(NAME, BASE)              [OP_##NAME] = WORDS_##BASE,
#include "opcodes.def"
#undef OP
#undef QOP
};

/* The general instruction that a specialised one stands for. */
static const uint8_t base_ops[OP_COUNT] = {
#define OP(NAME, WORDS, FORMAT, DOC) [OP_##NAME] = OP_##NAME,
#define QOP(NAME, BASE)              [OP_##NAME] = OP_##BASE,
#include "opcodes.def"
#undef OP
#undef QOP
};

static const char formats[OP_COUNT][4] = {
#define OP(NAME, WORDS, FORMAT, DOC) [OP_##NAME] = FORMAT,
#define QOP(NAME, BASE)              [OP_##NAME] = "",
#include "opcodes.def"
#undef OP
#undef QOP
};

bool op_is_quiet(unsigned op)
{
    switch (op) {
    case OP_NOP:
    case OP_MOVE:
    case OP_LOADK:
    case OP_LOADKX:
    case OP_LOADI:
    case OP_LOADNONE:
    case OP_LOADTRUE:
    case OP_LOADFALSE:
    case OP_LOADX:
    case OP_STOREX:
    case OP_UNBIND:
    case OP_UNBINDX: return true;
    default: return false;
    }
}

uint32_t op_words(insn w) { return I_OP(w) < OP_COUNT ? word_counts[I_OP(w)] : 0; }
unsigned op_general(unsigned op) { return op < OP_COUNT ? base_ops[op] : OP_COUNT; }
const char *op_format(unsigned op) { return formats[base_ops[op]]; }

static uint32_t max2(uint32_t a, uint32_t b) { return a > b ? a : b; }

void op_regs(const insn *p, uint32_t *reads, uint32_t *writes)
{
    insn w = *p;
    uint32_t a = I_A(w), b = I_B(w), c = I_C(w), r = 0, wr = 0;
    const char *f = op_format(I_OP(w));
    const uint32_t operand[3] = {a, b, c};
    for (int i = 0; i < 3 && f[i]; i++) {
        if (f[i] >= 'A' && f[i] <= 'C') r = max2(r, operand[i] + 1);
        if (f[i] >= 'a' && f[i] <= 'c') wr = max2(wr, operand[i] + 1);
    }
    switch (op_general(I_OP(w))) {
    case OP_CALL:
    case OP_CALLKW: r = b + 1 + c; break;
    case OP_CALLM:
    case OP_CALLMKW:
    case OP_CALLMETHOD:
        r = b + 2 + c;
        wr = max2(wr, b + 1);
        break;
    case OP_CALLEX: r = b + 2 + (c & 1); break;
    case OP_LIST:
    case OP_TUPLE:
    case OP_SET:
    case OP_BUILDSTR: r = b + c; break;
    case OP_SLICE: r = b + c; break;
    case OP_GETSLICE: r = max2(b + c, p[1] < UINT16_MAX ? p[1] + 1 : UINT32_MAX); break; /* w1 is below b */
    case OP_DICT: r = b + 2 * c; break;
    case OP_MAKEFUNC: r = c & 4 ? b + 3 : c & 2 ? b + 2 : c & 1 ? b + 1 : 0; break;
    case OP_LOADMETHOD: wr = a + 2; break;
    case OP_SUPERATTR:
    case OP_SUPERMETHOD:
        r = a + 3;
        wr = max2(wr, a + 2);
        break;
    case OP_FORPREP: wr = a + 3; break;
    case OP_FORITER: r = a + 3; break;
    case OP_FOREND: r = a + (b ? 2 : 3); break;
    case OP_AFORITER: r = b + 2; break;
    case OP_UNPACK: wr = a + c; break;
    case OP_UNPACKEX: wr = a + (p[1] & 0xffff) + (p[1] >> 16) + 1; break;
    case OP_BEFOREWITH:
    case OP_BEFOREAWITH: wr = a + 2; break;
    case OP_PUSHEXC: wr = a + 2; break;
    case OP_POPEXC: r = wr = a + 2; break;
    case OP_EGMATCH: wr = a + 2; break;
    case OP_MAKECELL:
    case OP_NATIVESTEP: r = a + 1; break;
    case OP_RAISE: r = c == 2 ? max2(a, b) + 1 : c ? a + 1 : 0; break;
    default: break;
    }
    *reads = r;
    *writes = wr;
}

/* ---- tables ---- */

static uint32_t read_number(const uint8_t **p)
{
    uint32_t n = 0, shift = 0;
    uint8_t byte;
    do {
        byte = *(*p)++;
        n |= (uint32_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80 && shift < 35);
    return n;
}

bool code_position(const code *c, uint32_t pc_next, src_pos *out)
{
    const uint8_t *p = c->positions, *end = p + c->npositions;
    uint32_t pc = 0, line = c->firstlineno;
    while (p < end) {
        pc += read_number(&p);
        uint32_t d = read_number(&p);
        line += d & 1 ? ~(d >> 1) : d >> 1;
        uint32_t span = read_number(&p), col = read_number(&p), end_col = read_number(&p);
        if (pc_next <= pc) {
            *out = (src_pos){line, line + span, col - 1, end_col - 1};
            return col != 0;
        }
    }
    *out = (src_pos){line, line, 0, 0};
    return false;
}

uint32_t code_line(const code *c, uint32_t pc_next)
{
    src_pos at;
    code_position(c, pc_next, &at);
    return at.line;
}

const exc_range *code_handler(const code *c, uint32_t pc_next)
{
    if (pc_next == 0) return NULL;
    for (uint32_t i = 0; i < c->nexcs; i++) {
        if (c->excs[i].start < pc_next && pc_next <= c->excs[i].end) return &c->excs[i];
    }
    return NULL;
}

const safepoint *code_safepoint(const code *c, uint32_t pc_next)
{
    uint32_t lo = 0, hi = c->nsafepoints;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (c->safepoints[mid].pc < pc_next) lo = mid + 1;
        else hi = mid;
    }
    return lo ? &c->safepoints[lo - 1] : NULL;
}

bool code_is_discarded(const code *c, uint32_t pc_next)
{
    uint32_t lo = 0, hi = c->ndiscards;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (c->discards[mid] < pc_next) lo = mid + 1;
        else hi = mid;
    }
    return lo < c->ndiscards && c->discards[lo] == pc_next;
}

void code_clear_caches(code *c)
{
    for (uint32_t pc = 0; pc < c->ninsns;) {
        insn w = c->insns[pc];
        uint32_t n = op_words(w);
        if (n == 0) return;
        unsigned op = op_general(I_OP(w));
        c->insns[pc] = (w & ~(insn)0xff) | op;
        switch (op) {
        case OP_GETGLOBAL:
        case OP_SETGLOBAL:
        case OP_GETNAME:
        case OP_SETNAME: memset(&c->insns[pc + 1], 0, (n - 1) * sizeof(insn)); break;
        case OP_GETATTR:
        case OP_SETATTR:
        case OP_LOADMETHOD:
        case OP_CALLMETHOD:
        case OP_SUPERATTR:
        case OP_SUPERMETHOD:
            c->insns[pc + 1] &= 0xffffff;
            memset(&c->insns[pc + 2], 0, (n - 2) * sizeof(insn));
            break;
        default: break;
        }
        pc += n;
    }
}

/* ---- the collector's view ---- */

static void mark_strs(vm *vm, str **p, uint32_t n)
{
    for (uint32_t i = 0; i < n && p; i++) gc_mark_obj(vm, (object *)p[i]);
}

static void code_traverse(vm *vm, object *o)
{
    code *c = (code *)o;
    if (c->consts) gc_mark_values(vm, c->consts, c->nconsts);
    mark_strs(vm, c->cnames, c->nnames);
    mark_strs(vm, c->varnames, (uint32_t)c->nlocals + c->nhigh);
    mark_strs(vm, c->freenames, c->nfree);
    mark_strs(vm, c->cellnames, c->ncellvars);
    gc_mark_obj(vm, (object *)c->name);
    gc_mark_obj(vm, (object *)c->qualname);
    gc_mark_obj(vm, (object *)c->filename);
    gc_mark_value(vm, c->doc);
}

static void code_free(vm *vm, object *o)
{
    code *c = (code *)o;
    mem_free(vm, c->insns, c->ninsns * sizeof *c->insns);
    mem_free(vm, c->consts, c->nconsts * sizeof *c->consts);
    mem_free(vm, c->cnames, c->nnames * sizeof *c->cnames);
    mem_free(vm, c->varnames, ((size_t)c->nlocals + c->nhigh) * sizeof *c->varnames);
    mem_free(vm, c->freenames, c->nfree * sizeof *c->freenames);
    mem_free(vm, c->cellnames, c->ncellvars * sizeof *c->cellnames);
    mem_free(vm, c->captures, c->nfree * sizeof *c->captures);
    mem_free(vm, c->excs, c->nexcs * sizeof *c->excs);
    mem_free(vm, c->safepoints, c->nsafepoints * sizeof *c->safepoints);
    mem_free(vm, c->discards, c->ndiscards * sizeof *c->discards);
    mem_free(vm, c->positions, c->npositions);
}

const gc_kind_ops code_kind_ops = {.traverse = code_traverse, .free = code_free};
