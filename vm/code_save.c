/* Code objects as bytes and back.
 *
 *   "aiovmbc\n"  fingerprint (8)  checksum of the payload (16)  length of the payload (8)  payload
 *
 * The fingerprint is a hash of everything the payload's meaning depends on: the version of the library, the instruction
 * set with its names and formats, and the layout of the machine. The checksum finds accidental damage only: anybody can
 * make one. So every count is checked against what is left, every structure is built from checked parts, and
 * code_verify proves of the result what the interpreter takes for granted.
 *
 * Invariants
 *  1. A counter in a code object is set together with the array that it counts, so an object whose loading failed can
 *     be freed.
 *  2. Reading a long integer may poll, and so collect: what is being built is rooted.
 *  3. The collector resets the caches of code that it marks: a code object has no instructions until they are about to
 *     be verified, and none if they are refused.
 */
#include "compile.h"
#include "float.h"
#include "frame.h"
#include "int.h"
#include "set.h"
#include "str.h"

enum { MAX_DEPTH = 200, HEAD = 8 + 8 + 16 + 8 };
static const char magic[8] = {'a', 'i', 'o', 'v', 'm', 'b', 'c', '\n'};

enum tag {
    TAG_UNBOUND,
    TAG_NONE,
    TAG_TRUE,
    TAG_FALSE,
    TAG_ELLIPSIS,
    TAG_INT,
    TAG_BIGINT,
    TAG_FLOAT,
    TAG_COMPLEX,
    TAG_STR,
    TAG_INTERNED,
    TAG_BYTES,
    TAG_TUPLE,
    TAG_FROZENSET,
    TAG_CODE
};

static uint64_t fingerprint(void)
{
    static const char *const names[] = {
#define OP(NAME, WORDS, FORMAT, DOC) #NAME ":" #WORDS ":" FORMAT,
#include "opcodes.def"
#undef OP
    };
    uint64_t key[2] = {sizeof(void *), sizeof(frame *) << 8 | sizeof(exc_range) << 16 | sizeof(safepoint) << 24};
    uint64_t h = siphash13(key, AIOVM_VERSION, strlen(AIOVM_VERSION));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        key[0] = h;
        h = siphash13(key, names[i], strlen(names[i]));
    }
    const uint16_t order = 1; /* the bytes of a word */
    key[1] ^= *(const uint8_t *)&order;
    return siphash13(key, &h, sizeof h);
}

static void checksum(const uint8_t *p, size_t n, uint64_t out[2])
{
    static const uint64_t keys[2][2] = {{1, 2}, {3, 4}};
    out[0] = siphash13(keys[0], p, n);
    out[1] = siphash13(keys[1], p, n);
}

/* ---- writing ---- */

typedef struct writer {
    vm *vm;
    uint8_t *p;
    size_t n, cap;
    bool failed; /* raised */
} writer;

static void put(writer *w, const void *p, size_t n)
{
    size_t need;
    if (w->failed || !n) return;
    if (!size_add(w->n, n, &need)) {
        w->failed = true;
        raise_memory(w->vm);
        return;
    }
    if (need > w->cap) {
        size_t cap = w->cap ? w->cap : 256;
        while (cap < need && cap <= SIZE_MAX / 2) cap *= 2;
        uint8_t *q = cap >= need ? mem_realloc(w->vm, w->p, w->cap, cap) : NULL;
        if (!q) {
            if (!raised(w->vm)) raise_memory(w->vm);
            w->failed = true;
            return;
        }
        w->p = q;
        w->cap = cap;
    }
    memcpy(w->p + w->n, p, n);
    w->n = need;
}
static void put8(writer *w, unsigned x) { put(w, &(uint8_t){(uint8_t)x}, 1); }
static void put32(writer *w, uint32_t x) { put(w, &x, sizeof x); }
static void put64(writer *w, uint64_t x) { put(w, &x, sizeof x); }
static void put_code(writer *w, const code *c, int depth);

static void put_str(writer *w, const str *s)
{
    put8(w, s->h.flags & STR_INTERNED ? TAG_INTERNED : TAG_STR);
    put8(w, str_width(s));
    put64(w, s->len);
    put(w, s->data, s->len * str_width(s));
}

static void put_value(writer *w, value v, int depth)
{
    if (depth > MAX_DEPTH) {
        if (!w->failed) raise_value_error(w->vm, "the code is nested too deeply to be saved");
        w->failed = true;
        return;
    }
    if (value_is_unbound(v)) put8(w, TAG_UNBOUND);
    else if (value_is_none(v)) put8(w, TAG_NONE);
    else if (value_is_bool(v)) put8(w, value_is(v, V_TRUE) ? TAG_TRUE : TAG_FALSE);
    else if (value_is(v, V_ELLIPSIS)) put8(w, TAG_ELLIPSIS);
    else if (value_is_float(v)) {
        double d = value_as_float(v);
        put8(w, TAG_FLOAT);
        put(w, &d, sizeof d);
    } else if (int_is(v) && !value_is_kind(v, K_BIGINT)) {
        int64_t n = 0;
        int_to_i64(w->vm, v, &n);
        put8(w, TAG_INT);
        put64(w, (uint64_t)n);
    } else if (value_is_kind(v, K_BIGINT)) {
        str *s = int_to_str(w->vm, v, 16);
        if (!s) {
            w->failed = true;
            return;
        }
        put8(w, TAG_BIGINT);
        put_str(w, s);
    } else if (IS_STR(v)) {
        put_str(w, AS(str, v));
    } else if (value_is_kind(v, K_BYTES)) {
        put8(w, TAG_BYTES);
        put64(w, AS(bytes, v)->len);
        put(w, AS(bytes, v)->data, AS(bytes, v)->len);
    } else if (value_is_kind(v, K_COMPLEX)) {
        put8(w, TAG_COMPLEX);
        put(w, &AS(complex_obj, v)->re, sizeof(double));
        put(w, &AS(complex_obj, v)->im, sizeof(double));
    } else if (IS_TUPLE(v)) {
        put8(w, TAG_TUPLE);
        put64(w, AS(tuple, v)->len);
        for (size_t i = 0; i < AS(tuple, v)->len; i++) put_value(w, AS(tuple, v)->items[i], depth + 1);
    } else if (value_is_kind(v, K_SET)) {
        const set *s = AS(set, v);
        put8(w, TAG_FROZENSET);
        put64(w, s->used);
        for (size_t i = 0; s->table && i <= s->mask; i++) {
            value key = s->table[i].key;
            if (!value_is_unbound(key) && !value_is(key, V_DELETED)) put_value(w, key, depth + 1);
        }
    } else if (value_is_kind(v, K_CODE)) {
        put8(w, TAG_CODE);
        put_code(w, AS(code, v), depth + 1);
    } else {
        if (!w->failed) raise_value_error(w->vm, "a constant of type %T can't be saved", v);
        w->failed = true;
    }
}

static void put_strs(writer *w, str *const *p, uint32_t n, int depth)
{
    for (uint32_t i = 0; i < n; i++) put_value(w, p[i] ? value_obj(p[i]) : V_UNBOUND, depth + 1);
}

/* Instructions as the compiler made them: what they have learnt is left out. */
static void put_insns(writer *w, const code *c)
{
    size_t size = c->ninsns * sizeof(insn);
    insn *copy = mem_alloc(w->vm, size);
    if (!copy) {
        w->failed = true;
        return;
    }
    memcpy(copy, c->insns, size);
    code plain = {.insns = copy, .ninsns = c->ninsns};
    code_clear_caches(&plain);
    put(w, copy, size);
    mem_free(w->vm, copy, size);
}

static void put_code(writer *w, const code *c, int depth)
{
    if (c->flags & CODE_NATIVE) {
        raise_value_error(w->vm, "the code of a native function can't be saved");
        w->failed = true;
        return;
    }
    const uint32_t head[] = {c->flags,     c->nregs,       c->nlocals,     c->nhigh,     c->argcount,  c->posonly,
                             c->kwonly,    c->firstlineno, c->ninsns,      c->nconsts,   c->nnames,    c->nfree,
                             c->ncellvars, c->nexcs,       c->nsafepoints, c->ndiscards, c->npositions};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) put32(w, head[i]);
    put_insns(w, c);
    for (uint32_t i = 0; i < c->nconsts; i++) put_value(w, c->consts[i], depth);
    put_strs(w, c->cnames, c->nnames, depth);
    put_strs(w, c->varnames, (uint32_t)c->nlocals + c->nhigh, depth);
    put_strs(w, c->freenames, c->nfree, depth);
    put_strs(w, c->cellnames, c->ncellvars, depth);
    for (uint32_t i = 0; i < c->nfree; i++) put32(w, c->captures[i].index | (uint32_t)c->captures[i].from_local << 16);
    for (uint32_t i = 0; i < c->nexcs; i++) {
        const exc_range *x = &c->excs[i];
        put32(w, x->start);
        put32(w, x->end);
        put32(w, x->target);
        put32(w, x->reg);
    }
    for (uint32_t i = 0; i < c->nsafepoints; i++) {
        put32(w, c->safepoints[i].pc);
        put32(w, c->safepoints[i].live | (uint32_t)c->safepoints[i].window << 16);
    }
    put(w, c->discards, c->ndiscards * sizeof *c->discards);
    put(w, c->positions, c->npositions);
    put_value(w, value_obj(c->name), depth);
    put_value(w, value_obj(c->qualname), depth);
    put_value(w, value_obj(c->filename), depth);
    put_value(w, c->doc, depth);
}

bytes *code_save(vm *vm, code *c)
{
    writer w = {.vm = vm};
    const uint8_t blank[HEAD] = {0};
    put(&w, blank, HEAD);
    put_code(&w, c, 0);
    bytes *b = NULL;
    if (!w.failed) {
        uint64_t sum[2], print = fingerprint(), length = w.n - HEAD;
        checksum(w.p + HEAD, w.n - HEAD, sum);
        memcpy(w.p, magic, 8);
        memcpy(w.p + 8, &print, 8);
        memcpy(w.p + 16, sum, 16);
        memcpy(w.p + 32, &length, 8);
        b = bytes_new(vm, w.p, w.n);
    }
    mem_free(vm, w.p, w.cap);
    return b;
}

/* ---- reading ---- */

typedef struct reader {
    vm *vm;
    const uint8_t *p;
    size_t left;
    bool failed; /* raised */
} reader;

static void damaged(reader *r, const char *what)
{
    if (!r->failed && !raised(r->vm)) raise_value_error(r->vm, "the saved code is damaged: %s", what);
    r->failed = true;
}
static bool get(reader *r, void *out, size_t n)
{
    if (r->failed || n > r->left) {
        damaged(r, "it ends too early");
        memset(out, 0, n);
        return false;
    }
    memcpy(out, r->p, n);
    r->p += n;
    r->left -= n;
    return true;
}
static uint32_t get32(reader *r)
{
    uint32_t x = 0;
    get(r, &x, sizeof x);
    return x;
}
static uint64_t get64(reader *r)
{
    uint64_t x = 0;
    get(r, &x, sizeof x);
    return x;
}
static code *get_code(reader *r, int depth);

/* n items of at least one byte each must be there. */
static bool plausible(reader *r, uint64_t n)
{
    if (!r->failed && n <= r->left) return true;
    damaged(r, "a count is too large");
    return false;
}

static str *get_text(reader *r, bool interned)
{
    uint8_t width = 0;
    get(r, &width, 1);
    uint64_t n = get64(r);
    size_t size;
    if ((width != 1 && width != 2 && width != 4) || !size_mul((size_t)n, width, &size) || size > r->left) {
        damaged(r, "text");
        return NULL;
    }
    str *s;
    if (width == 1) {
        s = str_new_latin1(r->vm, r->p, (size_t)n);
    } else {
        str_builder b;
        sb_init(&b, r->vm);
        for (size_t i = 0; i < n; i++) {
            uint32_t cp = 0;
            memcpy(&cp, r->p + i * width, width);
            if (cp > 0x10FFFF) {
                sb_drop(&b);
                damaged(r, "a character");
                return NULL;
            }
            sb_char(&b, cp);
        }
        s = sb_finish(&b);
    }
    if (s && interned) s = str_intern(r->vm, s);
    if (!s) {
        r->failed = true;
        return NULL;
    }
    r->p += size;
    r->left -= size;
    return s;
}

static value made(reader *r, const void *o)
{
    if (o) return value_obj(o);
    r->failed = true;
    return V_UNBOUND;
}

static value get_value(reader *r, int depth);

static value get_items(reader *r, unsigned tag, int depth)
{
    uint64_t n = get64(r);
    if (!plausible(r, n)) return V_UNBOUND;
    tuple *t = tuple_new(r->vm, (size_t)n);
    if (!t) return made(r, NULL);
    ROOTS(r->vm, &t);
    for (size_t i = 0; i < n; i++) {
        value v = get_value(r, depth + 1);
        t->items[i] = v;
        gc_barrier(r->vm, t);
        if (r->failed) return V_UNBOUND;
        if (value_is_unbound(t->items[i])) {
            damaged(r, "an item is missing");
            return V_UNBOUND;
        }
    }
    if (tag == TAG_TUPLE) return value_obj(t);
    set *s = set_new(r->vm, TYPE_FROZENSET);
    for (size_t i = 0; s && i < n; i++) {
        value k = t->items[i];
        if (value_is_kind(k, K_CODE) || !set_add(r->vm, s, k)) {
            damaged(r, "an item of a set");
            return V_UNBOUND;
        }
    }
    return made(r, s);
}

static value get_value(reader *r, int depth)
{
    uint8_t tag = TAG_UNBOUND;
    double d[2];
    if (depth > MAX_DEPTH) {
        damaged(r, "it is nested too deeply");
        return V_UNBOUND;
    }
    get(r, &tag, 1);
    if (r->failed) return V_UNBOUND;
    switch (tag) {
    case TAG_UNBOUND: return V_UNBOUND;
    case TAG_NONE: return V_NONE;
    case TAG_TRUE: return V_TRUE;
    case TAG_FALSE: return V_FALSE;
    case TAG_ELLIPSIS: return V_ELLIPSIS;
    case TAG_INT: {
        value v = int_from_i64(r->vm, (int64_t)get64(r));
        if (value_is_error(v)) r->failed = true;
        return v;
    }
    case TAG_BIGINT: {
        uint8_t inner = 0;
        get(r, &inner, 1);
        str *s = inner == TAG_STR || inner == TAG_INTERNED ? get_text(r, false) : NULL;
        if (!s || str_width(s) != 1) {
            damaged(r, "an integer");
            return V_UNBOUND;
        }
        ROOTS(r->vm, &s);
        value v = int_parse(r->vm, s->data, s->len, 16);
        if (value_is_error(v)) damaged(r, "an integer");
        return v;
    }
    case TAG_FLOAT: get(r, d, sizeof *d); return value_float(d[0]);
    case TAG_COMPLEX: {
        get(r, d, sizeof d);
        value v = complex_new(r->vm, d[0], d[1]);
        if (value_is_error(v)) r->failed = true;
        return v;
    }
    case TAG_STR:
    case TAG_INTERNED: return made(r, get_text(r, tag == TAG_INTERNED));
    case TAG_BYTES: {
        uint64_t n = get64(r);
        if (!plausible(r, n)) return V_UNBOUND;
        bytes *b = bytes_new(r->vm, r->p, (size_t)n);
        r->p += n;
        r->left -= (size_t)n;
        return made(r, b);
    }
    case TAG_TUPLE:
    case TAG_FROZENSET: return get_items(r, tag, depth);
    case TAG_CODE: return made(r, get_code(r, depth + 1));
    default: damaged(r, "an unknown kind of constant"); return V_UNBOUND;
    }
}

/* NULL: r->failed. */
static str *get_name(reader *r, bool intern)
{
    uint8_t tag = TAG_UNBOUND;
    get(r, &tag, 1);
    if (!r->failed && tag != TAG_STR && tag != TAG_INTERNED) damaged(r, "a name is missing");
    return r->failed ? NULL : get_text(r, intern || tag == TAG_INTERNED);
}

/* An array of n zeroed items that is there even when n is 0. */
static void *array(reader *r, uint64_t n, size_t size)
{
    size_t bytes_;
    if (!n || !plausible(r, n)) return NULL;
    void *p = size_mul((size_t)n, size, &bytes_) ? mem_zalloc(r->vm, bytes_) : NULL;
    if (!p) r->failed = true;
    return p;
}

/* Interned, whatever was saved: these names are compared by identity. */
static void fill_strs(reader *r, str **p, uint32_t n)
{
    for (uint32_t i = 0; p && i < n && !r->failed; i++) p[i] = get_name(r, true);
}

enum head {
    H_FLAGS,
    H_NREGS,
    H_NLOCALS,
    H_NHIGH,
    H_ARGS,
    H_POSONLY,
    H_KWONLY,
    H_LINE,
    H_INSNS,
    H_CONSTS,
    H_NAMES,
    H_FREE,
    H_CELLS,
    H_EXCS,
    H_SAFEPOINTS,
    H_DISCARDS,
    H_POSITIONS,
    H_COUNT
};

static void get_tables(reader *r, code *c, const uint32_t *h)
{
    if ((c->captures = array(r, h[H_FREE], sizeof *c->captures)))
        for (uint32_t i = 0; i < h[H_FREE]; i++) {
            uint32_t x = get32(r);
            c->captures[i] = (capture){.index = (uint16_t)x, .from_local = x >> 16 & 1};
        }
    if ((c->excs = array(r, h[H_EXCS], sizeof *c->excs))) {
        c->nexcs = h[H_EXCS];
        for (uint32_t i = 0; i < c->nexcs; i++) {
            exc_range *x = &c->excs[i];
            x->start = get32(r);
            x->end = get32(r);
            x->target = get32(r);
            x->reg = (uint16_t)get32(r);
        }
    }
    if ((c->safepoints = array(r, h[H_SAFEPOINTS], sizeof *c->safepoints))) {
        c->nsafepoints = h[H_SAFEPOINTS];
        for (uint32_t i = 0; i < c->nsafepoints; i++) {
            c->safepoints[i].pc = get32(r);
            uint32_t x = get32(r);
            c->safepoints[i].live = (uint16_t)x;
            c->safepoints[i].window = (uint16_t)(x >> 16);
        }
    }
    if ((c->discards = array(r, h[H_DISCARDS], sizeof *c->discards))) {
        c->ndiscards = h[H_DISCARDS];
        get(r, c->discards, c->ndiscards * sizeof *c->discards);
    }
    if ((c->positions = array(r, h[H_POSITIONS], 1))) {
        c->npositions = h[H_POSITIONS];
        get(r, c->positions, c->npositions);
    }
}

static bool head_is_sound(const uint32_t *h)
{
    return !(h[H_FLAGS] & CODE_NATIVE) && h[H_NREGS] <= 256 && h[H_NLOCALS] <= 256 && h[H_NHIGH] <= 60000 &&
           h[H_ARGS] <= 60000 && h[H_POSONLY] <= 60000 && h[H_KWONLY] <= 60000 && h[H_FREE] <= 60000 &&
           h[H_CELLS] <= 60000 && h[H_NREGS] > 0;
}

static code *get_code(reader *r, int depth)
{
    uint32_t h[H_COUNT];
    for (int i = 0; i < H_COUNT; i++) h[i] = get32(r);
    if (r->failed || !head_is_sound(h)) {
        damaged(r, "the head of a function");
        return NULL;
    }
    code *c = gc_new(r->vm, K_CODE, TYPE_CODE, sizeof *c);
    if (!c) {
        r->failed = true;
        return NULL;
    }
    ROOTS(r->vm, &c);
    c->name = c->qualname = c->filename = r->vm->empty_str;
    c->doc = V_NONE;
    const uint8_t *insns = r->p;
    size_t insns_size = 0;
    if (!h[H_INSNS] || !size_mul(h[H_INSNS], sizeof(insn), &insns_size) || insns_size > r->left) {
        damaged(r, "a count is too large");
        return NULL;
    }
    r->p += insns_size;
    r->left -= insns_size;
    if ((c->consts = array(r, h[H_CONSTS], sizeof(value)))) {
        c->nconsts = h[H_CONSTS];
        for (uint32_t i = 0; i < c->nconsts && !r->failed; i++) {
            value v = get_value(r, depth);
            c->consts[i] = v;
            gc_barrier(r->vm, c);
        }
    }
    if ((c->cnames = array(r, h[H_NAMES], sizeof *c->cnames))) c->nnames = h[H_NAMES];
    fill_strs(r, c->cnames, h[H_NAMES]);
    if ((c->varnames = array(r, h[H_NLOCALS] + h[H_NHIGH], sizeof *c->varnames))) {
        c->nlocals = (uint16_t)h[H_NLOCALS];
        c->nhigh = (uint16_t)h[H_NHIGH];
    }
    fill_strs(r, c->varnames, h[H_NLOCALS] + h[H_NHIGH]);
    if ((c->freenames = array(r, h[H_FREE], sizeof *c->freenames))) c->nfree = (uint16_t)h[H_FREE];
    fill_strs(r, c->freenames, h[H_FREE]);
    if ((c->cellnames = array(r, h[H_CELLS], sizeof *c->cellnames))) c->ncellvars = (uint16_t)h[H_CELLS];
    fill_strs(r, c->cellnames, h[H_CELLS]);
    gc_barrier(r->vm, c);
    get_tables(r, c, h);
    c->flags = h[H_FLAGS];
    c->nregs = (uint16_t)h[H_NREGS];
    c->argcount = (uint16_t)h[H_ARGS];
    c->posonly = (uint16_t)h[H_POSONLY];
    c->kwonly = (uint16_t)h[H_KWONLY];
    c->firstlineno = h[H_LINE];
    c->plain_argc = c->flags & CODE_SIMPLE ? c->argcount : UINT16_MAX;
    size_t regs = c->nhigh ? HIGH_BASE + (size_t)c->nhigh : c->nregs;
    c->frame_size = (uint32_t)((sizeof(frame) + regs * sizeof(value) + 15) & ~(size_t)15);
    str **names[] = {&c->name, &c->qualname, &c->filename};
    for (int i = 0; i < 3; i++) {
        str *s = get_name(r, false);
        if (s) *names[i] = s;
    }
    value doc = get_value(r, 0);
    if (!r->failed && !IS_STR(doc) && !value_is_none(doc)) damaged(r, "a docstring");
    if (r->failed) return NULL;
    c->doc = doc;
    gc_barrier(r->vm, c);
    c->insns = mem_alloc(r->vm, insns_size);
    if (!c->insns) {
        r->failed = true;
        return NULL;
    }
    c->ninsns = h[H_INSNS];
    memcpy(c->insns, insns, insns_size);
    char why[160];
    if (code_verify(r->vm, c, why, sizeof why)) return c;
    mem_free(r->vm, c->insns, insns_size);
    c->insns = NULL;
    c->ninsns = 0;
    damaged(r, why);
    return NULL;
}

code *code_load(vm *vm, const uint8_t *p, size_t n)
{
    uint64_t sum[2], stored[2], print, length;
    if (n < HEAD || memcmp(p, magic, 8) != 0) {
        raise_value_error(vm, "this is no saved code");
        return NULL;
    }
    memcpy(&print, p + 8, 8);
    memcpy(stored, p + 16, 16);
    memcpy(&length, p + 32, 8);
    if (print != fingerprint()) {
        raise_value_error(vm, "the code was saved by another version of the library");
        return NULL;
    }
    if (length != n - HEAD) {
        raise_value_error(vm, "the saved code is damaged: its length is wrong");
        return NULL;
    }
    checksum(p + HEAD, n - HEAD, sum);
    if (memcmp(sum, stored, 16) != 0) {
        raise_value_error(vm, "the saved code is damaged: its checksum is wrong");
        return NULL;
    }
    reader r = {.vm = vm, .p = p + HEAD, .left = n - HEAD};
    code *c = get_code(&r, 0);
    if (c && r.left) damaged(&r, "there is more behind its end");
    return r.failed ? NULL : c;
}
