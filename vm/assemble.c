/* From a finished unit to a code object: jumps, exception table, positions, names, captures. */
#include "compile.h"
#include "frame.h"

/* ---- jumps ---- */

static const struct unit_fix *fix_at(const unit *u, uint32_t pc)
{
    uint32_t lo = 0, hi = u->nfixes; /* in the order of their pc */
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (u->fixes[mid].pc < pc) lo = mid + 1;
        else hi = mid;
    }
    return lo < u->nfixes && u->fixes[lo].pc == pc ? &u->fixes[lo] : NULL;
}

/* Where a jump to pc ends up if only jumps follow. */
static uint32_t final_target(const unit *u, uint32_t pc)
{
    for (int i = 0; i < 8 && pc < u->n && I_OP(u->code[pc]) == OP_JMP; i++) {
        const struct unit_fix *f = fix_at(u, pc);
        if (!f) break;
        pc = u->labels[f->to].at;
    }
    return pc;
}

static void fix_jumps(unit *u)
{
    for (uint32_t i = 0; i < u->nfixes; i++) {
        uint32_t pc = u->fixes[i].pc, op = I_OP(u->code[pc]), words = op_words(u->code[pc]);
        uint32_t to = op == OP_LOOP || op == OP_FORLOOP ? u->labels[u->fixes[i].to].at
                                                        : final_target(u, u->labels[u->fixes[i].to].at);
        if (op == OP_JMP && to < u->n) {
            insn w = u->code[to];
            if (I_OP(w) == OP_LOOP || I_OP(w) == OP_FORLOOP) { /* a jump to a jump back jumps back itself */
                op = I_OP(w) == OP_LOOP ? OP_LOOP : OP_FORBACK;
                to = u->labels[fix_at(u, to)->to].at;
            } else if (I_OP(w) == OP_RETURN || I_OP(w) == OP_RETURNNONE) {
                u->code[pc] = w;
                continue;
            }
        }
        int32_t offset = (int32_t)to - (int32_t)(pc + words);
        if (op == OP_JMP || op == OP_LOOP || op == OP_FORBACK) u->code[pc] = MAKE_E(op, (uint32_t)offset);
        else u->code[pc + words - 1] = (insn)offset;
    }
}

/* Innermost first: by depth, then as they came. */
static void sort_regions(unit *u)
{
    for (uint32_t i = 1; i < u->nexcs; i++) {
        struct unit_exc x = u->excs[i];
        uint32_t j = i;
        for (; j > 0 && u->excs[j - 1].depth < x.depth; j--) u->excs[j] = u->excs[j - 1];
        u->excs[j] = x;
    }
}

/* ---- positions ---- */

/* Characters before `offset`: from a table of their number before every block of CHAR_BLOCK bytes.
 */
enum { CHAR_BLOCK = 64 };

static uint32_t count_chars(const char *s, uint32_t from, uint32_t to)
{
    uint32_t n = 0;
    for (uint32_t i = from; i < to; i++) n += ((uint8_t)s[i] & 0xc0) != 0x80;
    return n;
}

static uint32_t chars_before(compiler *c, uint32_t offset)
{
    const struct line_index *li = &c->parse.lines;
    if (!c->chars) {
        uint32_t n = li->len / CHAR_BLOCK + 1, count = 0;
        uint32_t *table = comp_alloc_array(c, n, sizeof *table);
        if (!table) return 0;
        for (uint32_t i = 0; i < n; i++) {
            table[i] = count;
            uint32_t end = i + 1 < n ? (i + 1) * CHAR_BLOCK : li->len;
            count += count_chars(li->src, i * CHAR_BLOCK, end);
        }
        c->chars = table;
    }
    uint32_t block = offset / CHAR_BLOCK;
    if (block < li->len / CHAR_BLOCK && c->chars[block + 1] - c->chars[block] == CHAR_BLOCK) /* ASCII */
        return c->chars[block] + offset % CHAR_BLOCK;
    return c->chars[block] + count_chars(li->src, block * CHAR_BLOCK, offset);
}

static struct line_pos position(compiler *c, uint32_t offset)
{
    const struct line_index *li = &c->parse.lines;
    if (offset > li->len) offset = li->len;
    uint32_t line = c->line;
    if (!line || offset < li->starts[line - 1] || (line < li->n && offset >= li->starts[line])) {
        uint32_t lo = 1, hi = li->n;
        while (lo < hi) {
            uint32_t mid = lo + (hi - lo + 1) / 2;
            if (li->starts[mid - 1] <= offset) lo = mid;
            else hi = mid - 1;
        }
        c->line = line = lo;
    }
    uint32_t start = li->starts[line - 1];
    return (struct line_pos){line, offset - start, chars_before(c, offset) - chars_before(c, start)};
}

typedef struct byte_buffer {
    compiler *c;
    uint8_t *data;
    uint32_t n, cap;
} byte_buffer;

static void put_number(byte_buffer *b, uint32_t n)
{
    for (;;) {
        if (!COMP_ROOM(b->c, b->data, b->n, b->cap)) return;
        b->data[b->n++] = (uint8_t)(n < 128 ? n : (n & 127) | 128);
        if (n < 128) return;
        n >>= 7;
    }
}

static void encode_positions(unit *u, uint32_t firstline, byte_buffer *b)
{
    uint32_t line = firstline;
    for (uint32_t i = 0; i < u->npos; i++) {
        uint32_t pc = u->pos[i].pc, next = i + 1 < u->npos ? u->pos[i + 1].pc : u->n;
        span at = u->pos[i].at;
        struct line_pos from = position(u->c, at.start), to = position(u->c, at.end);
        bool none = at.start == at.end;
        int32_t d = (int32_t)from.line - (int32_t)line;
        put_number(b, next - pc);
        put_number(b, d < 0 ? (uint32_t)~d << 1 | 1 : (uint32_t)d << 1);
        put_number(b, none ? 0 : to.line - from.line);
        put_number(b, none ? 0 : from.col + 1);
        put_number(b, none ? 0 : to.col + 1);
        line = from.line;
    }
}

/* ---- names ---- */

static void set_flags(unit *u, code *k)
{
    k->flags = u->flags;
    bool cells = false;
    for (uint32_t i = 0; i < u->nvars && unit_is_function(u); i++)
        cells = cells || ((u->vars[i]->flags & SYM_PARAM) && u->vars[i]->where == WHERE_CELL);
    uint32_t special =
        CODE_VARARGS | CODE_VARKW | CODE_GENERATOR | CODE_COROUTINE | CODE_ASYNC_GEN | CODE_MODULE | CODE_CLASS;
    if (!(k->flags & special) && !k->kwonly && !k->nhigh && !cells) k->flags |= CODE_SIMPLE;
    if ((k->flags & CODE_COROUTINE) && !(k->flags & (CODE_VARARGS | CODE_VARKW)) && !k->kwonly && !k->nhigh)
        k->flags |= CODE_PLAIN_CORO;
}

static bool fill_names(unit *u, code *k)
{
    vm *vm = u->c->vm;
    bool function = unit_is_function(u);
    uint32_t nv = (uint32_t)k->nlocals + k->nhigh, ncells = 0;
    k->varnames = mem_zalloc(vm, nv * sizeof *k->varnames);
    if (!k->varnames) return false;
    for (uint32_t i = 0; i < nv; i++) {
        if (i >= u->nvars) k->varnames[i] = vm->empty_str;
        else if (function) k->varnames[i] = u->vars[i]->name;
        else k->varnames[i] = i ? N(vm, __class__) : str_intern_utf8(vm, ".ns", 3);
        if (!k->varnames[i]) return false;
        if (function && i < u->nvars && u->vars[i]->where == WHERE_CELL) ncells++;
    }
    if (!function) ncells = u->nvars - 1;
    k->ncellvars = (uint16_t)ncells;
    if (!ncells) return true;
    k->cellnames = mem_zalloc(vm, ncells * sizeof *k->cellnames);
    if (!k->cellnames) return false;
    uint32_t n = 0;
    for (uint32_t i = 0; i < u->nvars; i++) {
        if (function ? u->vars[i]->where == WHERE_CELL : i > 0) k->cellnames[n++] = k->varnames[i];
    }
    return true;
}

static bool fill_captures(unit *u, code *k)
{
    vm *vm = u->c->vm;
    uint32_t n = u->scope->nfree;
    k->nfree = (uint16_t)n;
    if (!n) return true;
    k->freenames = mem_zalloc(vm, n * sizeof *k->freenames);
    k->captures = k->freenames ? mem_zalloc(vm, n * sizeof *k->captures) : NULL;
    if (!k->captures) return false;
    for (uint32_t i = 0; i < n; i++) {
        bool local = false;
        int index = u->parent ? name_cell(u->parent, u->scope->free[i], &local) : -1;
        if (index < 0) {
            raise(vm, EXC_SystemError, "compiler: no cell for '%U'", u->scope->free[i]);
            return false;
        }
        k->freenames[i] = u->scope->free[i];
        k->captures[i] = (capture){(uint16_t)index, local};
    }
    return true;
}

/* ---- the object ---- */

/* Copies an array out of the arena; false: MemoryError raised. */
static bool take(vm *vm, void *out, const void *from, size_t n, size_t item)
{
    void **p = out;
    if (n == 0) return true;
    *p = mem_alloc(vm, n * item);
    if (!*p) return false;
    memcpy(*p, from, n * item);
    return true;
}

static bool fill_tables(unit *u, code *k)
{
    vm *vm = u->c->vm;
    byte_buffer positions = {u->c, NULL, 0, 0};
    encode_positions(u, k->firstlineno, &positions);
    if (u->c->failed) return false;
    sort_regions(u);
    if (u->nexcs) {
        k->excs = mem_alloc(vm, u->nexcs * sizeof *k->excs);
        if (!k->excs) return false;
        for (uint32_t i = 0; i < u->nexcs; i++) {
            k->excs[i] = u->excs[i].range;
            k->excs[i].target = u->labels[u->excs[i].handler].at;
        }
        k->nexcs = u->nexcs;
    }
    /* Counts are set with each array: the collector may free a half-made code object. */
    if (!take(vm, &k->insns, u->code, u->n, sizeof *u->code)) return false;
    k->ninsns = u->n;
    if (!take(vm, &k->consts, u->consts, u->nconsts, sizeof *u->consts)) return false;
    k->nconsts = u->nconsts;
    if (!take(vm, &k->cnames, u->cnames, u->nnames, sizeof *u->cnames)) return false;
    k->nnames = u->nnames;
    if (!take(vm, &k->safepoints, u->safepoints, u->nsp, sizeof *u->safepoints)) return false;
    k->nsafepoints = u->nsp;
    if (!take(vm, &k->discards, u->discards, u->ndiscards, sizeof *u->discards)) return false;
    k->ndiscards = u->ndiscards;
    if (!take(vm, &k->positions, positions.data, positions.n, 1)) return false;
    k->npositions = positions.n;
    return true;
}

code *assemble(unit *u)
{
    vm *vm = u->c->vm;
    fix_jumps(u);
    code *k = gc_new(vm, K_CODE, TYPE_CODE, sizeof *k);
    if (!k) return NULL;
    k->doc = u->doc;
    k->name = u->name;
    k->qualname = u->qualname;
    k->filename = u->c->filename;
    k->firstlineno = position(u->c, u->first).line;
    uint32_t nhigh = u->nvars - u->nlow + u->maxspills;
    if (nhigh > 60000) {
        raise(vm, EXC_SystemError, "too many registers");
        return NULL;
    }
    k->nlocals = (uint16_t)u->nlow;
    k->nhigh = (uint16_t)nhigh;
    k->nregs = (uint16_t)(u->maxreg > 0 ? u->maxreg : 1);
    k->argcount = (uint16_t)u->argcount;
    k->posonly = (uint16_t)u->posonly;
    k->kwonly = (uint16_t)u->kwonly;
    size_t regs = nhigh ? HIGH_BASE + (size_t)nhigh : k->nregs;
    k->frame_size = (uint32_t)((sizeof(frame) + regs * sizeof(value) + 15) & ~(size_t)15);
    if (!fill_names(u, k) || !fill_captures(u, k) || !fill_tables(u, k)) return NULL;
    set_flags(u, k);
    k->plain_argc = k->flags & CODE_SIMPLE ? k->argcount : UINT16_MAX;
#ifdef AIOVM_HEAP_VERIFY
    char why[160];
    if (!code_verify(vm, k, why, sizeof why)) {
        if (!raised(vm)) raise(vm, EXC_SystemError, "the compiler made code that can't be verified: %s", why);
        return NULL;
    }
#endif
    return k;
}
