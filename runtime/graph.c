/* The graph of waiting tasks.
 *
 * A task that waits is among the callbacks of what it waits for, directly or through the callback that gather, wait,
 * shield, as_completed or a TaskGroup has put there. Following these gives the awaiters of a future; turned round, the
 * tasks that a task waits for. Locks add an edge from who waits to who holds.
 */
#include "runtime/graph.h"

#include <stdlib.h>

#include "runtime/asyncio.h"
#include "runtime/locks.h"
#include "vm/list.h"
#include "vm/str.h"

/* ---- one task ---- */

static frame *native_leaf(task *t)
{
    frame *f = t->leaf;
    return f && (f->code->flags & CODE_NATIVE) && f->code->native_step ? f : NULL;
}

wait_state graph_wait(vm *vm, task *t)
{
    wait_state w = {WAIT_READY, V_UNBOUND, V_UNBOUND, NULL};
    if (value_is(vm->thread->current_task, value_obj(t))) {
        w.kind = WAIT_RUNNING;
        return w;
    }
    if (!t->waiting_on) return w;
    w.on = value_obj(t->waiting_on);
    if (future_is(w.on) && future_state(AS(future, w.on)) != FUT_PENDING) return w; /* it has been woken */
    if (value_is_kind(w.on, K_TASK)) {
        w.kind = WAIT_TASK;
        return w;
    }
    w.kind = value_is_kind(w.on, K_FUTURE) && (AS(future, w.on)->h.flags & FUT_TIMER) ? WAIT_TIMER : WAIT_FUTURE;
    frame *f = native_leaf(t);
    if (!f) return w;
    w.method = f->code->name;
    if (f->code->argcount && value_is_kind(f->r[0], K_USERDATA) && w.kind == WAIT_FUTURE) {
        w.kind = WAIT_OBJECT;
        w.on = f->r[0];
        w.holder = lock_holder(vm, w.on);
        if (str_equal_ascii(w.method, "join")) w.holder = queue_holder(vm, w.on);
    }
    return w;
}

/* ---- the awaiters of a future ---- */

/* What goes on when a callback of ours has run: a Task, a Future, or unbound. */
static value callback_target(vm *vm, value cb)
{
    value to = AS(callback_obj, cb)->a;
    if (future_is(to)) return to;
    value parent = group_parent(vm, to);
    return value_is_unbound(parent) ? as_completed_waiter(vm, to) : parent;
}

static value awaiter_of(vm *vm, value what)
{
    if (future_is(what)) return what;
    return callback_is(vm, what) ? callback_target(vm, what) : V_UNBOUND;
}

/* Calls fn for each; false: it returned false. */
typedef bool (*awaiter_fn)(vm *vm, value awaiter, void *ud);
static bool each_awaiter(vm *vm, future *f, awaiter_fn fn, void *ud)
{
    if (future_state(f) != FUT_PENDING) return true;
    value first = f->waiter ? awaiter_of(vm, value_obj(f->waiter)) : V_UNBOUND;
    if (!value_is_unbound(first) && !fn(vm, first, ud)) return false;
    for (size_t i = 0; IS_LIST(f->callbacks) && i < AS(list, f->callbacks)->len; i++) {
        value what = AS(list, f->callbacks)->items[i];
        if (!future_is(what) && !callback_is(vm, what)) i++; /* its context follows */
        value to = awaiter_of(vm, what);
        if (!value_is_unbound(to) && !fn(vm, to, ud)) return false;
    }
    return true;
}

static bool append(vm *vm, value v, void *ud) { return list_append(vm, ud, v); }

bool graph_awaiters(vm *vm, value fut, list *out) { return each_awaiter(vm, AS(future, fut), append, out); }

list *graph_awaiting_tasks(vm *vm, task *t)
{
    enum { MAX = 1000 };
    list *out = list_new(vm, 0);
    if (!out || !graph_awaiters(vm, value_obj(t), out)) return NULL;
    for (size_t i = 0; i < out->len && i < MAX; i++)
        if (value_is_kind(out->items[i], K_FUTURE) && !graph_awaiters(vm, out->items[i], out)) return NULL;
    return out;
}

/* ---- the whole graph ---- */

/* `what`, a Future or a Task, goes on when the task `by` is done: sorted by `what`, for look-up. */
typedef struct edge {
    object *what;
    task *by;
} edge;
struct graph {
    edge *items;
    size_t len, cap;
    task *by; /* while it is built */
    unsigned depth;
};

static bool collect(vm *vm, value awaiter, void *ud)
{
    enum { MAX_NESTING = 50 };
    graph *g = ud;
    if (g->depth && value_is_kind(awaiter, K_TASK)) return true; /* it is found by the Future that it waits for */
    if (g->len == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 64, bytes;
        if (!size_mul(cap, sizeof *g->items, &bytes)) return !value_is_error(raise_memory(vm));
        edge *p = mem_realloc(vm, g->items, g->cap * sizeof *p, bytes);
        if (!p) return false;
        g->items = p;
        g->cap = cap;
    }
    g->items[g->len++] = (edge){value_as_obj(awaiter), g->by};
    if (value_is_kind(awaiter, K_TASK) || g->depth >= MAX_NESTING) return true;
    g->depth++;
    bool ok = each_awaiter(vm, AS(future, awaiter), collect, g);
    g->depth--;
    return ok;
}

static int edge_compare(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const edge *)a)->what, y = (uintptr_t)((const edge *)b)->what;
    return x < y ? -1 : x > y;
}

graph *graph_new(vm *vm, const list *tasks)
{
    graph *g = mem_zalloc(vm, sizeof *g);
    for (size_t i = 0; g && i < tasks->len; i++) {
        g->by = AS(task, tasks->items[i]);
        if (!each_awaiter(vm, &g->by->f, collect, g)) {
            graph_free(vm, g);
            return NULL;
        }
    }
    if (g && g->len) qsort(g->items, g->len, sizeof *g->items, edge_compare);
    return g;
}

void graph_free(vm *vm, graph *g)
{
    if (!g) return;
    if (g->items) mem_free(vm, g->items, g->cap * sizeof *g->items);
    mem_free(vm, g, sizeof *g);
}

static size_t edges_find(const graph *g, const object *what)
{
    size_t lo = 0, hi = g->len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if ((uintptr_t)g->items[mid].what < (uintptr_t)what) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

/* How many there are of `what`, the first of which is g->items[first]. */
static size_t edges_count(const graph *g, const object *what, size_t first)
{
    size_t lo = first, hi = g->len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (g->items[mid].what == what) lo = mid + 1;
        else hi = mid;
    }
    return lo - first;
}

task *graph_blocker(vm *vm, const graph *g, task *t, size_t n)
{
    wait_state w = graph_wait(vm, t);
    if (value_is_kind(w.holder, K_TASK) && n-- == 0) return AS(task, w.holder);
    object *through = t->waiting_on && t->waiting_on->kind != K_TASK ? t->waiting_on : NULL;
    /* the latter has a task that is awaited, and the tasks of a TaskGroup */
    object *const keys[] = {through, &t->f.h};
    for (unsigned k = 0; k < 2; k++) {
        if (!keys[k]) continue;
        size_t first = edges_find(g, keys[k]), i = first + n;
        if (i >= first && i < g->len && g->items[i].what == keys[k]) return g->items[i].by;
        n -= edges_count(g, keys[k], first);
    }
    return NULL;
}

/* ---- cycles ---- */

typedef struct visit {
    task *t;
    size_t next;
} visit;

/* Depth first, without recursion. seen is by the task's index in the table of pending tasks. */
static bool find_cycle(vm *vm, const graph *g, const list *tasks, visit *path, uint8_t *seen, list *out)
{
    enum { NEW, ON_PATH, DONE };
    runtime *rt = runtime_of(vm);
    for (size_t i = 0; i < tasks->len; i++) {
        size_t depth = 0;
        if (seen[AS(task, tasks->items[i])->index] != NEW) continue;
        path[depth++] = (visit){AS(task, tasks->items[i]), 0};
        seen[path[0].t->index] = ON_PATH;
        while (depth) {
            visit *top = &path[depth - 1];
            task *next = graph_blocker(vm, g, top->t, top->next++);
            if (!next) {
                seen[top->t->index] = DONE;
                depth--;
            } else if (!next->index || next->index > rt->ntasks || seen[next->index] == DONE) {
                continue; /* it is done already, or leads nowhere */
            } else if (seen[next->index] == ON_PATH) {
                size_t from = depth - 1;
                while (path[from].t != next) from--;
                for (; from < depth; from++)
                    if (!list_append(vm, out, value_obj(path[from].t))) return false;
                return true;
            } else {
                seen[next->index] = ON_PATH;
                path[depth++] = (visit){next, 0};
            }
        }
    }
    return true;
}

list *graph_cycle(vm *vm, const graph *g, const list *tasks)
{
    list *out = list_new(vm, 0);
    if (!out) return NULL;
    size_t n = runtime_of(vm)->ntasks + 1;
    visit *path = mem_alloc(vm, n * sizeof *path);
    uint8_t *seen = path ? mem_zalloc(vm, n) : NULL;
    bool ok = seen && find_cycle(vm, g, tasks, path, seen, out);
    if (seen) mem_free(vm, seen, n);
    if (path) mem_free(vm, path, n * sizeof *path);
    return ok ? out : NULL;
}
