/* Places in scripts: where a suspended chain of frames stands, and where a task was made.
 *
 * The root frame of a task keeps in `origin` the number of the place that made the task; the table of places holds each
 * place once, and its code object, so that line numbers are worked out only for a report. The last ones that were asked
 * for are found by the frame's pc alone. It stops growing at a size
 * that no honest program reaches: tasks that are made later have no place.
 */
#include "runtime/graph.h"
#include "vm/str.h"

typedef struct place {
    code *code;
    uint32_t pc;
    bool asked;
} place;
enum { RECENT_PLACES = 16 };
struct places {
    place *items; /* by number - 1 */
    uint32_t len, cap;
    uint32_t *index; /* open addressing: number or 0 */
    uint32_t log2;
    struct {
        const insn *pc; /* in the code of the place `number`, which lives as long as the table */
        uint32_t number;
    } recent[RECENT_PLACES]; /* by pc */
};
enum { MAX_PLACES = 1 << 15 };

static inline uint32_t place_hash(const code *c, uint32_t pc, uint32_t log2)
{
    return (uint32_t)((((uint64_t)(uintptr_t)c >> 4) * 31 + pc) * 0x9e3779b97f4a7c15u >> (64 - log2));
}

static void places_insert(struct places *p, uint32_t number)
{
    const place *at = &p->items[number - 1];
    uint32_t mask = (1u << p->log2) - 1, i = place_hash(at->code, at->pc, p->log2);
    while (p->index[i]) i = (i + 1) & mask;
    p->index[i] = number;
}

static bool places_grow(vm *vm, struct places *p)
{
    uint32_t cap = p->cap ? p->cap * 2 : 32, log2 = p->cap ? p->log2 + 1 : 6;
    uint32_t *index = mem_realloc_quiet(vm, NULL, 0, sizeof *index << log2);
    if (!index) return false;
    place *items = mem_realloc_quiet(vm, p->items, p->cap * sizeof *items, cap * sizeof *items);
    if (!items) {
        mem_free(vm, index, sizeof *index << log2);
        return false;
    }
    p->items = items;
    if (p->index) mem_free(vm, p->index, sizeof *p->index << p->log2);
    memset(index, 0, sizeof *index << log2);
    p->index = index;
    p->cap = cap;
    p->log2 = log2;
    for (uint32_t n = 1; n <= p->len; n++) places_insert(p, n);
    return true;
}

str *place_format(vm *vm, code *c, uint32_t line)
{
    return str_format(vm, "%U:%d in %U", value_obj(c->filename), (int)line, value_obj(c->name));
}

static bool is_frozen(const code *c)
{
    static const char start[] = "<frozen ";
    for (size_t i = 0; i + 1 < sizeof start; i++)
        if (i >= c->filename->len || str_at(c->filename, i) != (unsigned char)start[i]) return false;
    return true;
}

/* The innermost frame of the program's own code: what the library's modules do is done on its behalf. */
static frame *running_script(vm *vm)
{
    frame *first = NULL;
    for (frame *f = vm->thread->current; f; f = f->up) {
        if ((f->h.flags & FRAME_BOUNDARY) || !f->code || (f->code->flags & CODE_NATIVE)) continue;
        if (!is_frozen(f->code)) return f;
        if (!first) first = f;
    }
    return first;
}

frame *frame_running_script(frame *f)
{
    while (f && ((f->h.flags & FRAME_BOUNDARY) || !f->code || (f->code->flags & CODE_NATIVE) || is_frozen(f->code)))
        f = f->up;
    return f;
}

uint32_t place_here(vm *vm)
{
    frame *top = vm->thread->current;
    struct places *p = runtime_of(vm)->places;
    unsigned at = 0;
    if (LIKELY(p && top && !(top->h.flags & FRAME_BOUNDARY))) {
        at = (unsigned)((uintptr_t)top->pc / sizeof(insn)) % RECENT_PLACES;
        if (LIKELY(p->recent[at].pc == top->pc)) return p->recent[at].number;
    }
    frame *f = running_script(vm);
    uint32_t number = f ? place_of(vm, f) : 0;
    if (p && f == top && number) {
        p->recent[at].pc = top->pc;
        p->recent[at].number = number;
    }
    return number;
}

uint32_t place_of(vm *vm, frame *f)
{
    runtime *rt = runtime_of(vm);
    struct places *p = rt->places;
    if (!p) {
        p = rt->places = mem_realloc_quiet(vm, NULL, 0, sizeof *p);
        if (!p) return 0;
        memset(p, 0, sizeof *p);
    }
    uint32_t pc = (uint32_t)(f->pc - f->code->insns);
    if (p->len) {
        uint32_t mask = (1u << p->log2) - 1, i = place_hash(f->code, pc, p->log2);
        for (; p->index[i]; i = (i + 1) & mask)
            if (p->items[p->index[i] - 1].code == f->code && p->items[p->index[i] - 1].pc == pc) return p->index[i];
    }
    if (p->len == MAX_PLACES || (p->len == p->cap && !places_grow(vm, p))) return 0;
    p->items[p->len++] = (place){f->code, pc, false};
    places_insert(p, p->len);
    return p->len;
}

bool place_first_time(vm *vm)
{
    uint32_t number = place_here(vm);
    struct places *p = runtime_of(vm)->places;
    if (!number || p->items[number - 1].asked) return !number;
    return p->items[number - 1].asked = true;
}

bool place_get(vm *vm, uint32_t number, code **c, uint32_t *line)
{
    struct places *p = runtime_of(vm)->places;
    if (!p || !number || number > p->len) return false;
    *c = p->items[number - 1].code;
    *line = code_line(*c, p->items[number - 1].pc);
    return true;
}

str *place_running(vm *vm)
{
    frame *f = running_script(vm);
    return f ? place_format(vm, f->code, code_line(f->code, (uint32_t)(f->pc - f->code->insns))) : vm->empty_str;
}

str *place_text(vm *vm, uint32_t number)
{
    code *c;
    uint32_t line;
    return place_get(vm, number, &c, &line) ? place_format(vm, c, line) : vm->empty_str;
}

void places_mark(vm *vm, runtime *rt)
{
    for (uint32_t i = 0; rt->places && i < rt->places->len; i++) gc_mark_obj(vm, &rt->places->items[i].code->h);
}

void places_free(vm *vm, runtime *rt)
{
    struct places *p = rt->places;
    if (!p) return;
    if (p->items) mem_free(vm, p->items, p->cap * sizeof *p->items);
    if (p->index) mem_free(vm, p->index, sizeof *p->index << p->log2);
    mem_free(vm, p, sizeof *p);
    rt->places = NULL;
}

/* ---- where a chain of frames stands ---- */

frame *frame_innermost_script(frame *f)
{
    frame *best = NULL;
    while (f) {
        if (!(f->code->flags & CODE_NATIVE)) best = f;
        value c = frame_child(f);
        f = value_is_kind(c, K_FRAME) ? AS(frame, c) : NULL;
    }
    return best;
}

str *frame_place(vm *vm, frame *root)
{
    frame *f = frame_innermost_script(root);
    if (!f) return vm->empty_str;
    uint32_t pc = (uint32_t)(f->pc - f->code->insns);
    return place_format(vm, f->code, pc ? code_line(f->code, pc) : f->code->firstlineno);
}
