/* The heap: collection of random graphs, cards, limits, finalisers, and every allocation made to fail once.
 * The verifier runs after each collection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "vm/dict.h"
#include "vm/list.h"
#include "vm/set.h"
#include "vm/vm.h"

static uint32_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static size_t outstanding; /* bytes that the VM holds */
static long fail_in;       /* the allocator's n-th call from now fails, and all after it; 0: none */

static void *counting_alloc(void *ud, void *p, size_t old, size_t n)
{
    (void)ud;
    if (n == 0) {
        if (p) outstanding -= old;
        free(p);
        return NULL;
    }
    if (fail_in > 0 && --fail_in == 0) {
        fail_in = 1;
        return NULL;
    }
    void *q = realloc(p, n);
    if (q) outstanding += n - old;
    return q;
}

static vm *open_vm(size_t soft, size_t hard)
{
    vm_limits limits = {.mem_soft = soft, .mem_hard = hard};
    vm *v = vm_new(counting_alloc, NULL, &limits, 1);
    assert_non_null(v);
    return v;
}

static void close_vm(vm *v)
{
    vm_free(v);
    assert_int_equal(outstanding, 0);
}

static void collect(vm *v, bool full)
{
    if (full) gc_collect_full(v);
    else gc_collect_minor(v);
    assert_true(gc_verify(v));
}

static void opens_and_closes(void **state)
{
    (void)state;
    vm *v = open_vm(0, 0);
    collect(v, false);
    collect(v, true);
    close_vm(v);
    for (long n = 1;; n++) { /* short of memory at each step of opening */
        fail_in = n;
        v = vm_new(counting_alloc, NULL, NULL, 1);
        fail_in = 0;
        if (v) break;
        assert_int_equal(outstanding, 0);
    }
    close_vm(v);
}

static void keeps_what_is_reachable(void **state)
{
    (void)state;
    vm *v = open_vm(0, 0);
    uint64_t seed = 7;
    list *root = list_new(v, 0);
    {
        ROOTS(v, &root);
        for (int i = 0; i < 500; i++) assert_true(list_append(v, root, V_NONE));
        for (int step = 0; step < 60000; step++) {
            list *n = list_new(v, 0);
            for (uint32_t k = next(&seed) % 4; k > 0; k--)
                assert_true(list_append(v, n, root->items[next(&seed) % 500]));
            if (next(&seed) % 3 == 0) {
                dict *d = dict_new(v);
                assert_true(dict_set(v, d, value_int(1), value_obj(n)));
                assert_true(dict_set(v, d, value_int(2), root->items[next(&seed) % 500]));
                assert_true(list_append(v, n, value_obj(d)));
            }
            size_t at = next(&seed) % 500;
            value old = root->items[at];
            if (next(&seed) % 2 && IS_LIST(old) && AS(list, old)->len < 20) {
                assert_true(list_append(v, AS(list, old), value_obj(n)));
            } else {
                root->items[at] = next(&seed) % 5 ? value_obj(n) : V_NONE;
                list_barrier(v, root, at);
            }
            if (step % 2000 == 0) collect(v, step % 6000 == 0);
            if (step % 64 == 0) gc_safepoint(v);
        }
        collect(v, true);
    }
    collect(v, true);
    gc_stats end;
    gc_get_stats(v, &end);
    assert_true(end.live < 1 << 20);
    close_vm(v);
}

/* A graph of lists is changed at random between the slices of major cycles, and a model of it beside: what the model
 * reaches must be there, with its edges, and after a full cycle nothing else. */
enum { ROOTS_N = 700, EDGES = 4, STEPS = 40000 };

typedef struct model {
    int (*edge)[EDGES]; /* of each node ever made: the number of another node, or -1 */
    int root[ROOTS_N];
    bool *seen;
    object **at; /* where it was met */
    int *stack;
    int n;
} model;

static int node_number(value node) { return (int)value_as_int(AS(list, node)->items[0]); }

static list *node_new(vm *v, model *m)
{
    list *l = list_new(v, 0);
    assert_true(l && list_append(v, l, value_int(m->n)));
    for (int k = 0; k < EDGES; k++) {
        assert_true(list_append(v, l, V_NONE));
        m->edge[m->n][k] = -1;
    }
    m->n++;
    return l;
}

static void model_visit(model *m, int *top, value node, int number)
{
    if (number < 0) {
        assert_true(value_is_none(node));
        return;
    }
    assert_true(IS_LIST(node) && AS(list, node)->len == 1 + EDGES);
    assert_int_equal(node_number(node), number);
    if (m->seen[number]) {
        assert_ptr_equal(m->at[number], value_as_obj(node));
        return;
    }
    m->seen[number] = true;
    m->at[number] = value_as_obj(node);
    m->stack[(*top)++] = number;
}

static int model_compare(model *m, const list *roots)
{
    int top = 0, reached = 0;
    memset(m->seen, 0, (size_t)m->n * sizeof *m->seen);
    for (int i = 0; i < ROOTS_N; i++) model_visit(m, &top, roots->items[i], m->root[i]);
    for (; top > 0; reached++) {
        int number = m->stack[--top];
        for (int k = 0; k < EDGES; k++) model_visit(m, &top, ((list *)m->at[number])->items[1 + k], m->edge[number][k]);
    }
    return reached;
}

static value some_node(model *m, const list *roots, uint64_t *seed)
{
    value node = roots->items[next(seed) % ROOTS_N];
    for (uint32_t far = next(seed) % 12; far > 0 && !value_is_none(node); far--) {
        value to = AS(list, node)->items[1 + next(seed) % EDGES];
        if (value_is_none(to)) break;
        node = to;
    }
    (void)m;
    return node;
}

static void model_step(vm *v, model *m, list *roots, uint64_t *seed)
{
    value to = next(seed) % 3 ? some_node(m, roots, seed) : V_NONE;
    if (next(seed) % 3 == 0) {
        list *l = node_new(v, m);
        l->items[1] = to;
        m->edge[m->n - 1][0] = value_is_none(to) ? -1 : node_number(to);
        to = value_obj(l);
    }
    int number = value_is_none(to) ? -1 : node_number(to);
    value from = some_node(m, roots, seed);
    if (next(seed) % 4 == 0 || value_is_none(from)) {
        size_t i = next(seed) % ROOTS_N, last = ROOTS_N - 1;
        if (next(seed) % 8 == 0) { /* in the middle of the roots: they move up, the last one goes */
            assert_true(list_insert(v, roots, i, to));
            list_truncate(v, roots, ROOTS_N);
            memmove(m->root + i + 1, m->root + i, (last - i) * sizeof *m->root);
        } else {
            roots->items[i] = to;
            list_barrier(v, roots, i);
        }
        m->root[i] = number;
    } else {
        size_t k = next(seed) % EDGES;
        AS(list, from)->items[1 + k] = to;
        list_barrier(v, AS(list, from), 1 + k);
        m->edge[node_number(from)][k] = number;
    }
}

static void count_node(void *ud, object *o)
{
    if (o->kind == K_LIST && ((list *)o)->len == 1 + EDGES && value_is_int(((list *)o)->items[0])) ++*(int *)ud;
}

static void marks_in_slices(void **state)
{
    (void)state;
    for (uint64_t run = 1; run <= 8; run++) {
        vm *v = open_vm(0, 0);
        uint64_t seed = run;
        model m = {.edge = malloc(STEPS * sizeof *m.edge),
                   .seen = malloc(STEPS * sizeof *m.seen),
                   .at = malloc(STEPS * sizeof *m.at),
                   .stack = malloc(STEPS * sizeof *m.stack)};
        assert_true(m.edge && m.seen && m.at && m.stack);
        list *roots = list_new(v, 0);
        {
            ROOTS(v, &roots);
            for (int i = 0; i < ROOTS_N; i++) {
                m.root[i] = -1;
                assert_true(list_append(v, roots, V_NONE));
            }
            for (int step = 0; step < STEPS / 4; step++) {
                model_step(v, &m, roots, &seed);
                uint32_t what = next(&seed) % 64;
                size_t work = run == 1 ? 1 : 1 + next(&seed) % (run * run * 64);
                if (what == 0) gc_collect_minor(v);
                else if (what < 24) gc_collect_slice(v, work);
                if (step % 500 == 0) {
                    assert_true(gc_verify(v));
                    int reached = model_compare(&m, roots);
                    if (step % 4000 == 3500) {
                        int count = 0;
                        collect(v, true);
                        gc_each_object(v, count_node, &count);
                        assert_int_equal(count, reached);
                    }
                }
            }
            gc_stats st;
            gc_get_stats(v, &st);
            assert_true(st.slices > 1000 && (run == 1 || st.majors > 4));
            model_compare(&m, roots);
        }
        free(m.edge);
        free(m.seen);
        free(m.at);
        free(m.stack);
        close_vm(v);
    }
}

/* Old containers above 4 KiB are remembered by card. */
static void finds_young_objects_by_card(void **state)
{
    (void)state;
    vm *v = open_vm(0, 0);
    uint64_t seed = 3;
    list *l = list_new(v, 0);
    dict *d = NULL;
    set *s = NULL;
    {
        ROOTS(v, &l, &d, &s);
        d = dict_new(v);
        s = set_new(v, TYPE_SET);
        for (int i = 0; i < 5000; i++) {
            assert_true(list_append(v, l, value_obj(list_new(v, 1))));
            assert_true(dict_set(v, d, value_int(i), value_obj(list_new(v, 1))));
            assert_true(set_add(v, s, value_obj(tuple_pack(v, 1, value_int(i)))));
            if (i % 500 == 0) collect(v, i % 1000 == 0);
        }
        collect(v, false);
        for (int round = 0; round < 30; round++) {
            for (int k = 0; k < 20; k++) {
                size_t i = next(&seed) % l->len;
                l->items[i] = value_obj(list_new(v, 1));
                list_barrier(v, l, i);
                assert_true(dict_set(v, d, value_int(next(&seed) % 5000), value_obj(list_new(v, 2))));
                assert_true(list_insert(v, l, next(&seed) % l->len, value_obj(list_new(v, 0))));
                if (round % 3 == 0) list_truncate(v, l, l->len - 1);
            }
            assert_true(set_add(v, s, value_obj(tuple_pack(v, 1, value_int(10000 + round)))));
            collect(v, false);
        }
        for (size_t i = 0; i < l->len; i++) assert_true(value_is_exact(l->items[i], TYPE_LIST));
        size_t pos = 0;
        value item;
        while (dict_next(d, &pos, NULL, &item)) assert_true(value_is_exact(item, TYPE_LIST));
    }
    close_vm(v);
}

/* Some of everything that has a buffer, or gets one, or had one: n objects, some of which become garbage at once. */
static void make_parts(vm *v, list *keep, uint64_t *seed, int n)
{
    for (int i = 0; i < n; i++) {
        value o;
        uint32_t kind = next(seed) % 6, size = next(seed) % 14;
        if (kind == 0) {
            list *l = list_new(v, size); /* short: its items lie in its cell, until there are more */
            for (uint32_t k = next(seed) % 20; k > 0; k--) assert_true(list_append(v, l, value_int(k)));
            if (size % 3 == 0) list_clear(v, l);
            o = value_obj(l);
        } else if (kind == 1) {
            dict *d = dict_new(v);
            for (uint32_t k = 0; k < size; k++) assert_true(dict_set(v, d, value_int(k), V_NONE));
            o = value_obj(d);
        } else if (kind == 2) {
            set *s = set_new(v, TYPE_SET);
            for (uint32_t k = 0; k < size; k++) assert_true(set_add(v, s, value_int(k)));
            o = value_obj(s);
        } else if (kind == 3) {
            str *s = str_format(v, "\xc3\xa9 %d", (int)size);
            size_t bytes;
            if (size % 2) assert_non_null(str_utf8(v, s, &bytes)); /* the VM keeps a copy as long as s lives */
            o = value_obj(s);
        } else if (kind == 4) {
            o = value_obj(tuple_pack(v, 1, value_int(size)));
        } else {
            list *l = list_new(v, 1100); /* large: stands alone */
            assert_true(list_append(v, l, value_int(size)));
            o = value_obj(l);
        }
        size_t at = next(seed) % keep->len;
        if (next(seed) % 3 == 0) {
            keep->items[at] = o;
            list_barrier(v, keep, at);
        } else if (IS_LIST(keep->items[at])) {
            assert_true(list_append(v, AS(list, keep->items[at]), value_int(1)));
        }
    }
}

/* Dead objects are looked at only if they have something to free: nothing is forgotten, whenever it was made or grew.
 */
static void frees_what_the_dead_had(void **state)
{
    (void)state;
    vm *v = open_vm(0, 0);
    uint64_t seed = 11;
    gc_stats before, after;
    collect(v, true);
    gc_get_stats(v, &before);
    {
        list *keep = list_new(v, 0);
        ROOTS(v, &keep);
        for (int i = 0; i < 300; i++) assert_true(list_append(v, keep, V_NONE));
        for (int round = 0; round < 60; round++) {
            make_parts(v, keep, &seed, 400);
            if (round % 7 == 0) collect(v, round % 3 == 0);
            for (uint32_t k = next(&seed) % 4; k > 0; k--) {
                gc_collect_slice(v, next(&seed) % 2000 + 1);
                assert_true(gc_verify(v));
            }
        }
        make_parts(v, keep, &seed, 400);
    }
    collect(v, true);
    gc_get_stats(v, &after);
    assert_in_range(after.buffers, 0, before.buffers + 64 * 1024); /* the table of UTF-8 copies may have grown */
    assert_true(after.freed_last > 0);
    close_vm(v); /* all buffers that are left are given back, too */
}

static bool work(vm *v)
{
    list *l = list_new(v, 0);
    dict *d = NULL;
    set *s = NULL;
    ROOTS(v, &l, &d, &s);
    if (!l || !(d = dict_new(v)) || !(s = set_new(v, TYPE_SET))) return false;
    for (int i = 0; i < 700; i++) {
        size_t n = l->len, used = d->used, members = s->used;
        if (!list_append(v, l, value_int(i * 7919 % 1000))) return assert_int_equal(l->len, n), false;
        if (!dict_set(v, d, value_int(i * 3), value_int(i))) return assert_int_equal(d->used, used), false;
        if (!set_add(v, s, value_int(i * 5))) return assert_int_equal(s->used, members), false;
    }
    if (!list_sort(v, l, V_NONE, true)) return assert_int_equal(l->len, 700), false;
    if (!dict_copy(v, d) || !set_copy(v, s) || !set_difference(v, s, value_obj(l))) return false;
    if (!list_extend(v, l, value_obj(s)) || !list_extend(v, l, value_obj(l))) return false;
    return obj_repr(v, value_obj(l)) != NULL;
}

static void survives_each_failing_allocation(void **state)
{
    (void)state;
    vm *v = open_vm(0, 0);
    gc_fail_at(v, UINT64_MAX, false);
    assert_true(work(v));
    uint64_t total = gc_fail_at(v, 0, false);
    assert_true(total > 100);
#ifdef AIOVM_GC_STRESS
    uint64_t step = total / 60 + 1; /* a collection at every safepoint: a sample is enough */
#else
    uint64_t step = 1;
#endif
    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t n = 1; n <= total; n += step) {
            gc_fail_at(v, n, sticky);
            bool ok = work(v);
            gc_fail_at(v, 0, false);
            assert_int_equal(raised(v), !ok);
            exc_clear(v);
            if (n % 40 == 0) collect(v, true);
        }
    }
    assert_true(work(v));
    close_vm(v);
}

static void respects_limits(void **state)
{
    (void)state;
    vm *v = open_vm(0, 8 << 20);
    list *l = list_new(v, 0);
    {
        ROOTS(v, &l);
        for (;;) {
            list *x = list_new(v, 3);
            if (!x || !list_append(v, l, value_obj(x))) break;
            gc_safepoint(v);
        }
        assert_true(exc_clear_if(v, EXC_MemoryError));
        gc_stats st;
        gc_get_stats(v, &st);
        assert_true(st.used < (8 << 20) + (1 << 20)); /* the collector's own arrays may exceed it */
        list_clear(v, l);
    }
    collect(v, true);
    assert_non_null(list_new(v, 1000));
    close_vm(v);

    v = open_vm(6 << 20, 0);
    for (int i = 0; i < 300000; i++) {
        assert_non_null(list_new(v, 10));
        if (i % 64 == 0) gc_safepoint(v);
    }
    gc_stats st;
    gc_get_stats(v, &st);
    assert_true(st.used < 8 << 20);
    close_vm(v);
}

static int finalized;

static void count_finalizer(vm *v, value o)
{
    (void)v, (void)o;
    finalized++;
}

static void runs_finalizers_once(void **state)
{
    (void)state;
    vm *v = open_vm(0, 0);
    static const type_layout layout = {.size = 8, .finalize = count_finalizer};
    type *t = type_from_spec(v, &(type_spec){.name = "test.Thing", .layout = &layout});
    assert_non_null(t);
    object *kept = NULL;
    {
        ROOTS(v, &t, &kept);
        for (int i = 0; i < 100; i++) {
            object *o = userdata_new(v, t);
            assert_non_null(o);
            gc_register_finalizer(v, o);
            if (i == 50) kept = o;
        }
        finalized = 0;
        gc_collect_full(v);
        assert_int_equal(finalized, 99);
        gc_collect_full(v);
        assert_int_equal(finalized, 99);
        kept = NULL;
        gc_finalize_all(v);
        assert_int_equal(finalized, 100);
        gc_collect_full(v);
        assert_int_equal(finalized, 100);
    }
    close_vm(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_closes),        cmocka_unit_test(keeps_what_is_reachable),
        cmocka_unit_test(marks_in_slices),         cmocka_unit_test(finds_young_objects_by_card),
        cmocka_unit_test(frees_what_the_dead_had), cmocka_unit_test(survives_each_failing_allocation),
        cmocka_unit_test(respects_limits),         cmocka_unit_test(runs_finalizers_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
