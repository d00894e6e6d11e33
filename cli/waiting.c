/* waiting.c: since when tasks wait where they wait.
 *
 * Tasks record no times: a clock read at every suspension would cost more than the suspension. Instead the session
 * looks at all of them between two turns, at most every 20 ms and for at most a fiftieth of the time; who is not where
 * he was at the last look came there in the turns between. So the times are right to some 20 ms, whatever comes
 * between.
 */
#include "cli/waiting.h"

#include <stdlib.h>

enum { LOOK_NS = 20 * 1000 * 1000, COST_FACTOR = 50 };

struct waiting_row {
    const task *task; /* never dereferenced; NULL: free */
    const void *pc, *on;
    int64_t since;
};

static int64_t now(vm *vm) { return vm->clock_monotonic_ns(vm); }

static struct waiting_row *find(struct waiting_row *rows, size_t cap, const task *t)
{
    size_t i = ((uintptr_t)t >> 4) * 0x9E3779B97F4A7C15u >> 20;
    for (;; i++) {
        struct waiting_row *r = &rows[i & (cap - 1)];
        if (r->task == t || r->task == NULL) return r;
    }
}

static void look(struct waiting *w, vm *vm, int64_t when)
{
    int64_t begin = now(vm);
    runtime *rt = runtime_of(vm);
    size_t cap = 64;
    while (cap < rt->live_tasks * 2 + 2) cap *= 2;
    struct waiting_row *rows = calloc(cap, sizeof *rows);
    if (rows == NULL) return;
    size_t n = 0;
    for (size_t i = 0; i < rt->ntasks && n < cap / 2; i++) {
        const task *t = rt->all_tasks[i];
        if (t == NULL) continue;
        struct waiting_row row = {t, t->leaf ? t->leaf->pc : NULL, t->waiting_on, when};
        const struct waiting_row *old = w->cap ? find(w->rows, w->cap, t) : NULL;
        if (old && old->task && old->pc == row.pc && old->on == row.on) row.since = old->since;
        *find(rows, cap, t) = row;
        n++;
    }
    free(w->rows);
    w->rows = rows;
    w->cap = cap;
    w->skipped = 0;
    w->looked = now(vm);
    w->cost = w->looked - begin;
}

void waiting_turn(struct waiting *w, vm *vm, bool before)
{
    int64_t t = now(vm), pause = w->cost * COST_FACTOR > LOOK_NS ? w->cost * COST_FACTOR : LOOK_NS;
    bool due = w->cap == 0 || t - w->looked >= pause;
    if (before && due) look(w, vm, t);
    else if (before) w->skipped = t;
    else if (due && w->skipped) look(w, vm, w->skipped);
}

double waiting_seconds(struct waiting *w, vm *vm, const task *t)
{
    if (w->cap == 0) return -1;
    const struct waiting_row *r = find(w->rows, w->cap, t);
    /* Not where it was seen: it came there a moment ago. */
    if (r->task == NULL || r->pc != (t->leaf ? t->leaf->pc : NULL) || r->on != t->waiting_on) return 0;
    return (double)(now(vm) - r->since) * 1e-9;
}

void waiting_free(struct waiting *w)
{
    free(w->rows);
    *w = (struct waiting){0};
}
