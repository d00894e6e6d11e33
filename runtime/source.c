/* Debug mode: the calls that led to where a Handle, a Future or a Task was made (_source_traceback).
 *
 * Taken where nothing may run script, so a stack is only noted: as one number, of a node in a tree of places (place.c)
 * in which equal stacks are one node. The list that scripts see is made when it is asked for. A Handle keeps its number
 * itself; those of Futures are in a table by address, and FUT_SOURCE tells who is in it. The tree stops growing at a
 * size that no honest program reaches: objects that are made later have no stack.
 */
#include "runtime/graph.h"
#include "vm/list.h"
#include "vm/str.h"

enum { STACK_DEPTH = 10, MAX_NODES = 1 << 17 };

typedef struct node {
    uint32_t up, place;
} node; /* up: the calls before this one; 0: none */
typedef struct entry {
    const future *key;
    uint32_t stack;
} entry;
struct sources {
    node *nodes; /* by number - 1 */
    uint32_t nnodes, capnodes;
    uint32_t *index; /* of nodes: open addressing, twice the room for nodes */
    entry *entries;  /* of Futures: open addressing */
    uint32_t nentries, log2;
};

static struct sources *sources_of(vm *vm)
{
    runtime *rt = runtime_of(vm);
    if (rt->sources) return rt->sources;
    rt->sources = mem_realloc_quiet(vm, NULL, 0, sizeof *rt->sources);
    if (rt->sources) memset(rt->sources, 0, sizeof *rt->sources);
    return rt->sources;
}

/* ---- the tree ---- */

static uint32_t node_slot(const struct sources *s, uint32_t up, uint32_t place)
{
    uint32_t mask = s->capnodes * 2 - 1,
             i = (uint32_t)((((uint64_t)up << 20) + place) * 0x9e3779b97f4a7c15u >> 32) & mask;
    while (s->index[i] && (s->nodes[s->index[i] - 1].up != up || s->nodes[s->index[i] - 1].place != place))
        i = (i + 1) & mask;
    return i;
}

static bool nodes_grow(vm *vm, struct sources *s)
{
    uint32_t cap = s->capnodes ? s->capnodes * 2 : 64;
    uint32_t *index = mem_realloc_quiet(vm, NULL, 0, 2 * cap * sizeof *index);
    if (!index) return false;
    node *nodes = mem_realloc_quiet(vm, s->nodes, s->capnodes * sizeof *nodes, cap * sizeof *nodes);
    if (!nodes) {
        mem_free(vm, index, 2 * cap * sizeof *index);
        return false;
    }
    if (s->index) mem_free(vm, s->index, 2 * s->capnodes * sizeof *index);
    memset(index, 0, 2 * cap * sizeof *index);
    s->nodes = nodes;
    s->index = index;
    s->capnodes = cap;
    for (uint32_t n = 1; n <= s->nnodes; n++) index[node_slot(s, nodes[n - 1].up, nodes[n - 1].place)] = n;
    return true;
}

static uint32_t node_intern(vm *vm, struct sources *s, uint32_t up, uint32_t place)
{
    if (s->nnodes == s->capnodes && (s->nnodes >= MAX_NODES || !nodes_grow(vm, s))) return 0;
    uint32_t i = node_slot(s, up, place);
    if (!s->index[i]) {
        s->nodes[s->nnodes++] = (node){up, place};
        s->index[i] = s->nnodes;
    }
    return s->index[i];
}

uint32_t source_here(vm *vm)
{
    uint32_t calls[STACK_DEPTH], n = 0, number = 0;
    for (frame *f = frame_running_script(vm->thread->current); f && n < STACK_DEPTH; f = frame_running_script(f->up))
        if (!(calls[n++] = place_of(vm, f))) return 0;
    struct sources *s = n ? sources_of(vm) : NULL;
    if (!s) return 0;
    while (n--)
        if (!(number = node_intern(vm, s, number, calls[n]))) return 0;
    return number;
}

bool source_last(vm *vm, uint32_t stack, code **c, uint32_t *line)
{
    return stack && place_get(vm, runtime_of(vm)->sources->nodes[stack - 1].place, c, line);
}

value source_list(vm *vm, uint32_t stack)
{
    if (!stack) return V_NONE;
    list *calls = list_new(vm, STACK_DEPTH);
    if (!calls) return V_ERROR;
    const struct sources *s = runtime_of(vm)->sources;
    for (; stack; stack = s->nodes[stack - 1].up) {
        code *c;
        uint32_t line;
        if (!place_get(vm, s->nodes[stack - 1].place, &c, &line)) break;
        tuple *t = tuple_pack(vm, 3, value_obj(c->filename), value_int(line), value_obj(c->name));
        if (!t || !list_append(vm, calls, value_obj(t))) return V_ERROR;
    }
    ROOTS(vm, &calls);
    value m = import_module(vm, str_from_cstr(vm, "asyncio.format_helpers"));
    value make = value_is_error(m) ? m : obj_getattr(vm, m, str_intern_utf8(vm, "_summary", 8));
    return value_is_error(make) ? make : vm_call1(vm, make, value_obj(calls));
}

/* ---- of Futures ---- */

static uint32_t entry_slot(const struct sources *s, const future *f)
{
    uint32_t mask = (1u << s->log2) - 1, i = (uint32_t)((uint64_t)(uintptr_t)f * 0x9e3779b97f4a7c15u >> (64 - s->log2));
    while (s->entries[i].key && s->entries[i].key != f) i = (i + 1) & mask;
    return i;
}

static bool entries_grow(vm *vm, struct sources *s)
{
    uint32_t log2 = s->entries ? s->log2 + 1 : 6, old = s->entries ? 1u << s->log2 : 0;
    size_t bytes = sizeof(entry) << log2;
    entry *was = s->entries, *e = log2 < 28 ? mem_realloc_quiet(vm, NULL, 0, bytes) : NULL;
    if (!e) return false;
    memset(e, 0, bytes);
    s->entries = e;
    s->log2 = log2;
    for (uint32_t i = 0; i < old; i++)
        if (was[i].key) e[entry_slot(s, was[i].key)] = was[i];
    if (was) mem_free(vm, was, old * sizeof *was);
    return true;
}

void future_note_source(vm *vm, future *f)
{
    uint32_t stack = source_here(vm);
    struct sources *s = runtime_of(vm)->sources;
    if (!stack || (f->h.flags & FUT_SOURCE)) return;
    if ((!s->entries || s->nentries >= (1u << s->log2) / 2) && !entries_grow(vm, s)) return;
    s->entries[entry_slot(s, f)] = (entry){f, stack};
    s->nentries++;
    f->h.flags |= FUT_SOURCE;
    gc_note_parts(&f->h);
}

uint32_t future_source(vm *vm, const future *f)
{
    if (!(f->h.flags & FUT_SOURCE)) return 0;
    const struct sources *s = runtime_of(vm)->sources;
    return s->entries[entry_slot(s, f)].stack;
}

void future_drop_source(vm *vm, future *f)
{
    runtime *rt = runtime_of(vm);
    if (!rt || !rt->sources) return;
    struct sources *s = rt->sources;
    uint32_t mask = (1u << s->log2) - 1, hole = entry_slot(s, f);
    if (!s->entries[hole].key) return;
    s->nentries--;
    f->h.flags &= (uint16_t)~FUT_SOURCE;
    /* what follows may want to be nearer its place */
    for (uint32_t i = (hole + 1) & mask; s->entries[i].key; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)((uint64_t)(uintptr_t)s->entries[i].key * 0x9e3779b97f4a7c15u >> (64 - s->log2));
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        s->entries[hole] = s->entries[i];
        hole = i;
    }
    s->entries[hole].key = NULL;
}

void sources_free(vm *vm, runtime *rt)
{
    struct sources *s = rt->sources;
    if (!s) return;
    if (s->nodes) mem_free(vm, s->nodes, s->capnodes * sizeof *s->nodes);
    if (s->index) mem_free(vm, s->index, 2 * s->capnodes * sizeof *s->index);
    if (s->entries) mem_free(vm, s->entries, sizeof *s->entries << s->log2);
    mem_free(vm, s, sizeof *s);
    rt->sources = NULL;
}
