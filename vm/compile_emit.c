/* Emission: growing arrays, instruction words with their positions and safepoints, labels, regions,
 * constants. */
#include "compile.h"

/* ---- memory: everything lives in the arena until the code is assembled ---- */

void *comp_alloc(compiler *c, size_t n)
{
    void *p = c->failed ? NULL : arena_alloc(&c->arena, n);
    if (p) return memset(p, 0, n);
    if (!c->failed && !raised(c->vm)) raise_memory(c->vm);
    c->failed = true;
    return NULL;
}

void *comp_alloc_array(compiler *c, size_t n, size_t item)
{
    size_t size;
    if (!size_mul(n, item, &size)) {
        if (!c->failed) raise_memory(c->vm);
        c->failed = true;
        return NULL;
    }
    return comp_alloc(c, size);
}

bool comp_grow(compiler *c, void *array, uint32_t *cap, uint32_t need, size_t item)
{
    void **p = array;
    if (c->failed) return false;
    uint32_t want = *cap ? *cap * 2 : 8;
    if (want < need) want = need;
    size_t size;
    void *q = want > *cap && size_mul(want, item, &size) ? arena_grow(&c->arena, *p, (size_t)*cap * item, size) : NULL;
    if (!q) {
        if (!raised(c->vm)) raise_memory(c->vm);
        c->failed = true;
        return false;
    }
    *p = q;
    *cap = want;
    return true;
}

value comp_keep(compiler *c, value v)
{
    if (c->failed) return V_UNBOUND;
    if (value_is_unbound(v) || (value_is_obj(v) && !list_append(c->vm, c->keep, v))) {
        c->failed = true;
        return V_UNBOUND;
    }
    return v;
}

/* ---- constants of the whole compilation: equal ones are one object ---- */

static bool same_const(value a, value b)
{
    if (value_is(a, b)) return true;
    if (!value_is_obj(a) || !value_is_obj(b) || value_as_obj(a)->shape != value_as_obj(b)->shape) return false;
    switch (value_as_obj(a)->kind) {
    case K_STR: return str_eq(AS(str, a), AS(str, b));
    case K_BYTES:
        return AS(bytes, a)->len == AS(bytes, b)->len &&
               !memcmp(AS(bytes, a)->data, AS(bytes, b)->data, AS(bytes, a)->len);
    case K_INT64: return AS(int64_cell, a)->n == AS(int64_cell, b)->n;
    case K_BIGINT:
        return AS(bigint, a)->used == AS(bigint, b)->used && AS(bigint, a)->sign == AS(bigint, b)->sign &&
               !memcmp(AS(bigint, a)->digits, AS(bigint, b)->digits, (size_t)AS(bigint, a)->used * 8);
    case K_COMPLEX:
        return !memcmp(&AS(complex_obj, a)->re, &AS(complex_obj, b)->re, sizeof(double)) &&
               !memcmp(&AS(complex_obj, a)->im, &AS(complex_obj, b)->im, sizeof(double));
    case K_TUPLE:
        /* The items are interned already. */
        return AS(tuple, a)->len == AS(tuple, b)->len &&
               !memcmp(AS(tuple, a)->items, AS(tuple, b)->items, AS(tuple, a)->len * sizeof(value));
    default: return false;
    }
}

static uint64_t hash_bytes(const void *p, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ n;
    for (size_t i = 0; i < n; i++) h = (h ^ ((const uint8_t *)p)[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static uint64_t hash_const(vm *vm, value v)
{
    if (value_is_obj(v)) {
        switch (value_as_obj(v)->kind) {
        case K_STR: return str_hash(vm, AS(str, v));
        case K_BYTES: return hash_bytes(AS(bytes, v)->data, AS(bytes, v)->len) + 1;
        case K_INT64: return hash_bytes(&AS(int64_cell, v)->n, 8) + 2;
        case K_BIGINT: return hash_bytes(AS(bigint, v)->digits, (size_t)AS(bigint, v)->used * 8) + 3;
        case K_COMPLEX: return hash_bytes(&AS(complex_obj, v)->im, 8) + 4;
        case K_TUPLE: return hash_bytes(AS(tuple, v)->items, AS(tuple, v)->len * sizeof(value)) + 5;
        default: break;
        }
    }
    return hash_bytes(&v, sizeof v);
}

value comp_intern(compiler *c, value v)
{
    if (c->failed || value_is_unbound(v)) {
        c->failed = true;
        return V_UNBOUND;
    }
    if (!value_is_obj(v)) return v;
    if ((c->interned.n + 1) * 2 > c->interned.cap) {
        uint32_t cap = c->interned.cap ? c->interned.cap * 2 : 64;
        struct const_slot *slots = comp_alloc_array(c, cap, sizeof *slots);
        if (!slots) return V_UNBOUND;
        for (uint32_t j = 0; j < c->interned.cap; j++) {
            struct const_slot *s = &c->interned.slots[j];
            if (value_is_unbound(s->v)) continue;
            uint32_t i = (uint32_t)s->hash & (cap - 1);
            while (!value_is_unbound(slots[i].v)) i = (i + 1) & (cap - 1);
            slots[i] = *s;
        }
        c->interned.slots = slots;
        c->interned.cap = cap;
    }
    uint64_t h = hash_const(c->vm, v);
    uint32_t i = (uint32_t)h & (c->interned.cap - 1);
    for (; !value_is_unbound(c->interned.slots[i].v); i = (i + 1) & (c->interned.cap - 1)) {
        struct const_slot *s = &c->interned.slots[i];
        if (s->hash == h && same_const(s->v, v)) return s->v;
    }
    if (value_is_unbound(comp_keep(c, v))) return V_UNBOUND;
    c->interned.slots[i].hash = h;
    c->interned.slots[i].v = v;
    c->interned.n++;
    return v;
}

/* ---- instructions ---- */

span unit_at(unit *u, const ast *n)
{
    span old = u->at;
    u->at = node_span(n);
    return old;
}

span unit_at_attr(unit *u, const ast *n, const ast *attr)
{
    span old = u->at;
    u->at = node_span(n);
    const struct line_index *lines = &u->c->parse.lines;
    const char *nl = attr->start < attr->end ? memchr(lines->src + n->start, '\n', attr->end - n->start) : NULL;
    if (nl) u->at.start = attr->end - AST_AS(Attribute, attr)->attr->len;
    return old;
}

static void record_position(unit *u)
{
    if (u->npos && u->pos[u->npos - 1].at.start == u->at.start && u->pos[u->npos - 1].at.end == u->at.end) return;
    if (!COMP_ROOM(u->c, u->pos, u->npos, u->cappos)) return;
    u->pos[u->npos++] = (struct unit_pos){u->n, u->at};
}

void emit_position(unit *u)
{
    if (!u->dead && !u->c->failed) record_position(u);
}

static void record_safepoint(unit *u, uint32_t live, uint32_t window)
{
    if (window < live) window = live;
    if (u->nsp && u->safepoints[u->nsp - 1].live == live && u->safepoints[u->nsp - 1].window == window) return;
    if (!COMP_ROOM(u->c, u->safepoints, u->nsp, u->capsp)) return;
    u->safepoints[u->nsp++] = (safepoint){u->n, (uint16_t)live, (uint16_t)window};
}

static bool put_word(unit *u, insn w)
{
    if (u->n >= (1u << 22)) {
        comp_error(u->c, u->at, "function or module is too large");
        return false;
    }
    if (!COMP_ROOM(u->c, u->code, u->n, u->cap)) return false;
    u->code[u->n++] = w;
    return true;
}

static void put(unit *u, insn w, uint32_t w1)
{
    if (u->dead || u->c->failed) return;
    insn probe[2] = {w, w1};
    uint32_t reads, writes;
    op_regs(probe, &reads, &writes);
    uint32_t high = reads > writes ? reads : writes;
    if (high < (uint32_t)u->top) high = (uint32_t)u->top;
    if (high > (uint32_t)u->maxreg) u->maxreg = (int)high;
    if (high > MAX_REGS) {
        comp_error(u->c, u->at, "expression is too complex");
        return;
    }
    record_position(u);
    if (!op_is_quiet(I_OP(w))) record_safepoint(u, (uint32_t)u->top, reads);
    if (!put_word(u, w)) return;
    switch (I_OP(w)) {
    case OP_JMP:
    case OP_LOOP:
    case OP_FORLOOP:
    case OP_RETURN:
    case OP_RETURNNONE:
    case OP_RETGEN:
    case OP_RETCORO:
    case OP_RAISE:
    case OP_RERAISE: u->dead = true;
    }
}

static bool fits(unit *u, int a, int b, int cc)
{
    if (((a | b | cc) & ~255) == 0) return true;
    if (!u->dead) comp_error(u->c, u->at, "expression is too complex");
    return false;
}

void emit(unit *u, unsigned op, int a, int b, int cc)
{
    if (fits(u, a, b, cc)) put(u, MAKE_ABC(op, a, b, cc), 0);
}

void emit_d(unit *u, unsigned op, int a, uint32_t d)
{
    if (fits(u, a, 0, 0)) put(u, MAKE_AD(op, a, d & 0xffff), 0);
}

void emit_i(unit *u, int a, int n) { emit_d(u, OP_LOADI, a, (uint16_t)(int16_t)n); }

void emit_word(unit *u, uint32_t w)
{
    if (!u->dead && !u->c->failed) put_word(u, w);
}

void emit_words(unit *u, unsigned n)
{
    while (n--) emit_word(u, 0);
}

void emit_named(unit *u, unsigned op, int a, int b, int cc, str *name)
{
    insn w = MAKE_ABC(op, a & 255, b & 255, cc & 255);
    emit(u, op, a, b, cc);
    emit_word(u, name_index(u, name));
    emit_words(u, op_words(w) - 2);
}

void emit_move(unit *u, int dst, int src)
{
    if (dst != src) emit(u, OP_MOVE, dst, src, 0);
}

void emit_value(unit *u, value v, int dst)
{
    if (u->dead || value_is_unbound(v)) return;
    if (value_is_none(v)) {
        emit(u, OP_LOADNONE, dst, 0, 0);
    } else if (value_is_bool(v)) {
        emit(u, value_is(v, V_TRUE) ? OP_LOADTRUE : OP_LOADFALSE, dst, 0, 0);
    } else if (value_is_int(v) && value_as_int(v) >= INT16_MIN && value_as_int(v) <= INT16_MAX) {
        emit_i(u, dst, (int)value_as_int(v));
    } else {
        uint32_t i = const_index(u, v);
        if (i <= 0xffff) {
            emit_d(u, OP_LOADK, dst, i);
        } else {
            emit(u, OP_LOADKX, dst, 0, 0);
            emit_word(u, i);
        }
    }
}

uint32_t emit_handler_word(const unit *u)
{
    int inner = -1, outer = -1;
    for (uint32_t i = 0; i < u->nblocks; i++) {
        if (u->blocks[i].kind != BLOCK_HANDLER) continue;
        if (outer < 0) outer = u->blocks[i].reg;
        inner = u->blocks[i].reg;
    }
    return inner < 0 ? 0 : 1u | (uint32_t)inner << 8 | (uint32_t)outer << 16;
}

/* ---- labels ---- */

static void merge_bound(uint64_t *into, const uint64_t *from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) into[i] &= from[i];
}

/* What is bound here reaches the label too; without what the unit may unbind when `uncertain`. */
static void label_merge(unit *u, label l, bool uncertain)
{
    struct unit_label *p = &u->labels[l];
    if (!u->nwords) return;
    bool fresh = !p->bound;
    if (fresh) {
        p->bound = comp_alloc_array(u->c, u->nwords, sizeof(uint64_t));
        if (!p->bound) return;
        memcpy(p->bound, u->bound, u->nwords * sizeof(uint64_t));
    } else {
        merge_bound(p->bound, u->bound, u->nwords);
    }
    for (uint32_t i = 0; uncertain && i < u->nwords; i++) p->bound[i] &= ~u->deletable[i];
}

label label_new(unit *u)
{
    if (!COMP_ROOM(u->c, u->labels, u->nlabels, u->caplabels)) return 0;
    u->labels[u->nlabels] = (struct unit_label){0, false, NULL};
    return u->nlabels++;
}

void label_bind(unit *u, label l)
{
    if (u->c->failed) return;
    struct unit_label *p = &u->labels[l];
    p->at = u->n;
    if (!p->used) return;
    if (u->nwords && p->bound) {
        if (u->dead) memcpy(u->bound, p->bound, u->nwords * sizeof(uint64_t));
        else merge_bound(u->bound, p->bound, u->nwords);
    }
    u->dead = false;
}

void label_bind_loop(unit *u, label l)
{
    if (u->c->failed) return;
    u->labels[l].at = u->n;
    for (uint32_t i = 0; i < u->nwords; i++) u->bound[i] &= ~u->deletable[i];
}

static void refer(unit *u, label l, uint32_t pc)
{
    if (!COMP_ROOM(u->c, u->fixes, u->nfixes, u->capfixes)) return;
    u->fixes[u->nfixes++] = (struct unit_fix){pc, l};
}

void emit_jump(unit *u, label l)
{
    if (u->dead || u->c->failed) return;
    u->labels[l].used = true;
    label_merge(u, l, false);
    refer(u, l, u->n);
    put(u, MAKE_E(OP_JMP, 0), 0);
}

void emit_loop(unit *u, label l)
{
    if (u->dead || u->c->failed) return;
    refer(u, l, u->n);
    uint32_t at = u->labels[l].at;
    insn head = at < u->n ? u->code[at] : 0;
    if (I_OP(head) != OP_FORITER) {
        put(u, MAKE_E(OP_LOOP, 0), 0);
        return;
    }
    put(u, MAKE_ABC(OP_FORLOOP, I_A(head), I_B(head), 0), 0);
    if (!u->c->failed) put_word(u, 0);
}

void emit_branch(unit *u, unsigned op, int a, int b, label l)
{
    if (u->dead || u->c->failed) return;
    uint32_t pc = u->n;
    emit(u, op, a, b, 0);
    if (u->c->failed) return;
    u->labels[l].used = true;
    label_merge(u, l, false);
    refer(u, l, pc);
    emit_word(u, 0);
}

void emit_aforiter(unit *u, int dst, int it, label l)
{
    if (u->dead || u->c->failed) return;
    uint32_t pc = u->n;
    emit(u, OP_AFORITER, dst, it, 0);
    if (u->c->failed) return;
    u->labels[l].used = true;
    label_merge(u, l, false);
    refer(u, l, pc);
    emit_word(u, emit_handler_word(u));
    emit_word(u, 0);
}

/* ---- protected regions ---- */

void region_reopen(unit *u, region *r)
{
    if (u->c->failed) return;
    r->start = u->n;
    r->open = true;
    if (!u->dead) label_merge(u, r->handler, true);
}

void region_open(unit *u, region *r, label handler, int reg)
{
    r->handler = handler;
    r->reg = reg;
    r->depth = ++u->depth;
    region_reopen(u, r);
}

/* Leaves the range for good or for the code of a way out. */
void region_cut(unit *u, region *r)
{
    if (u->c->failed || !r->open) return;
    r->open = false;
    if (r->start == u->n) return;
    if (!COMP_ROOM(u->c, u->excs, u->nexcs, u->capexcs)) return;
    u->labels[r->handler].used = true;
    struct unit_exc *x = &u->excs[u->nexcs++];
    *x = (struct unit_exc){{r->start, u->n, 0, (uint16_t)r->reg}, r->handler, r->depth};
}

void region_close(unit *u, region *r)
{
    region_cut(u, r);
    u->depth--;
}

/* ---- temporaries ---- */

int temp(unit *u)
{
    if (u->top >= MAX_REGS - 1 && !u->c->failed) comp_error(u->c, u->at, "expression is too complex");
    return u->top;
}

void temp_push(unit *u, int n) { u->top += n; }

/* ---- constants and names of a unit ---- */

/* The number that goes with key: a new one is *n. UINT32_MAX: failed. */
static uint32_t map_index(compiler *c, index_map *m, uint64_t key, uint32_t n)
{
    if ((m->n + 1) * 2 > m->cap) {
        uint32_t cap = m->cap ? m->cap * 2 : 16;
        struct index_slot *slots = comp_alloc_array(c, cap, sizeof *slots);
        if (!slots) return UINT32_MAX;
        for (uint32_t j = 0; j < m->cap; j++) {
            if (!m->slots[j].key) continue;
            uint32_t i = (uint32_t)(m->slots[j].key * UINT64_C(0x9E3779B97F4A7C15) >> 33) & (cap - 1);
            while (slots[i].key) i = (i + 1) & (cap - 1);
            slots[i] = m->slots[j];
        }
        m->slots = slots;
        m->cap = cap;
    }
    uint32_t i = (uint32_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 33) & (m->cap - 1);
    for (; m->slots[i].key; i = (i + 1) & (m->cap - 1)) {
        if (m->slots[i].key == key) return m->slots[i].index;
    }
    m->slots[i] = (struct index_slot){key, n};
    m->n++;
    return n;
}

uint32_t const_index(unit *u, value v)
{
    if (u->c->failed || value_is_unbound(v)) return 0;
    uint32_t i = map_index(u->c, &u->const_map, v.bits, u->nconsts);
    if (i != u->nconsts || !COMP_ROOM(u->c, u->consts, u->nconsts, u->capconsts)) return u->c->failed ? 0 : i;
    u->consts[u->nconsts++] = v;
    return i;
}

uint32_t name_index(unit *u, str *name)
{
    if (u->c->failed || !name) return 0;
    uint32_t i = map_index(u->c, &u->name_map, value_obj(name).bits, u->nnames);
    if (i != u->nnames || !COMP_ROOM(u->c, u->cnames, u->nnames, u->capnames)) return u->c->failed ? 0 : i;
    u->cnames[u->nnames++] = name;
    if (i >= 1u << 24) comp_error(u->c, u->at, "too many names in one scope");
    return i;
}

uint32_t name_index16(unit *u, str *name)
{
    uint32_t i = name_index(u, name);
    if (i > 0xffff) comp_error(u->c, u->at, "more than 65535 names in one scope are not supported");
    return i & 0xffff;
}
