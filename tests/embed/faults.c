/* Every allocation fails in turn: once, and from there on. Opening: the host's allocator fails. A workload over the
 * whole API: the heap's own fault injection, which counts objects and buffers alike. Whatever happens, no call may do
 * worse than return a status, and everything comes back.
 *
 *     faults [STEP]    only each STEP-th allocation (the default depends on the build)
 *
 * This program is linked with the library's objects, since fault injection is not in the public header. */
#include "counting.h"

#include "vm/vm.h"

static uint64_t countdown; /* 0: off */
static bool sticky, struck;

static void *failing(void *ud, void *p, size_t old, size_t n)
{
    if (n && countdown) {
        if (countdown == 1) {
            struck = true;
            if (!sticky) countdown = 0;
            return NULL;
        }
        countdown--;
    }
    return counting(ud, p, old, n);
}

static void on_cancel(void *ud) { (void)ud; }
static void on_done(aiovm *vm, void *ud, aiovm_status status, aiovm_value v)
{
    (void)vm, (void)v;
    ++*(int *)ud;
    CHECK(status != AIOVM_OK || !aiovm_is_absent(v));
}
static aiovm_status make(aiovm *vm, void *ud, aiovm_value *out)
{
    (void)ud;
    return aiovm_text(vm, "made", AIOVM_ZTS, out);
}
static int finals;
static void on_final(void *data, void *ud) { (void)data, (void)ud, finals++; }
static aiovm_status nop(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    *out = a->argc ? a->argv[0] : aiovm_none();
    (void)vm;
    return AIOVM_OK;
}
static aiovm_op *ops[8];
static int nops;
static aiovm_status op(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)a;
    aiovm_op *o;
    if (nops == 8) return aiovm_raise(vm, "RuntimeError", "too many");
    aiovm_status status = aiovm_future(vm, on_cancel, NULL, &o, out);
    CHECK((status == AIOVM_OK) == (o != NULL));
    if (o) ops[nops++] = o;
    return status;
}
static aiovm_status both(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    if (a->failed) return AIOVM_ERROR;
    if (a->step < a->argc) return aiovm_await(vm, a, a->argv[a->step], a->step + 1, out);
    *out = a->sent;
    return AIOVM_OK;
}
static const aiovm_func functions[] = {
    {"nop(x=None, *rest, **kw)", nop, "d", 0}, {"op()", op, NULL, 0}, {"both(a, b)", both, NULL, AIOVM_ASYNC}, {0}};
static const aiovm_func methods[] = {{"m(self, x=1)", nop, NULL, 0}, {"__len__(self)", nop, NULL, 0}, {0}};
static const aiovm_property properties[] = {{"p", nop, nop, "doc"}, {0}};
static const aiovm_class thing = {.name = "T",
                                  .doc = "d",
                                  .size = 24,
                                  .finalize = on_final,
                                  .init_signature = "T(x=0)",
                                  .init = nop,
                                  .methods = methods,
                                  .properties = properties,
                                  .subclassable = true};

/* Each line may fail; what was made before may be used after. How many allocations were asked for. */
static uint64_t workload(aiovm *vm)
{
    aiovm_value v, l, items[2] = {aiovm_none(), aiovm_float(1.5)};
    size_t n, pos = 0;
    bool b;
    int dones = 0, spawned = 0;
    aiovm_frame f;
    nops = 0;
    (void)aiovm_int(vm, INT64_MAX, &v);
    (void)aiovm_int_parse(vm, "123456789012345678901234567890123456789", AIOVM_ZTS, 10, &v);
    (void)aiovm_text(vm, "h\xc3\xa9llo w\xc3\xb6rld", AIOVM_ZTS, &items[0]);
    (void)aiovm_to_text(vm, items[0], &n);
    (void)aiovm_bytes(vm, "abc", 3, &v);
    (void)aiovm_list(vm, 2, items, &l);
    (void)aiovm_append(vm, l, v);
    (void)aiovm_tuple(vm, 2, items, &v);
    (void)aiovm_set(vm, 2, items, &v);
    (void)aiovm_dict(vm, &v);
    (void)aiovm_set_item(vm, v, items[0], l);
    while (aiovm_dict_next(vm, v, &pos, NULL, NULL)) continue;
    (void)aiovm_repr(vm, v, &v);
    (void)aiovm_iter(vm, l, &v);
    (void)aiovm_next(vm, v, &v);
    (void)aiovm_equal(vm, l, l, &b);
    aiovm_ref *ref = aiovm_ref_new(vm, l);
    (void)aiovm_module(vm, "host", functions, NULL);
    (void)aiovm_module_set(vm, "host.sub", "x", l);
    (void)aiovm_class_make(vm, &thing, NULL, &v);
    (void)aiovm_set_global(vm, "T", v);
    (void)aiovm_new(vm, &thing, &v);
    (void)aiovm_get_attr(vm, v, "p", &v);
    (void)run(vm, "import asyncio, host\nclass S(T): pass\ns = S(3); s.p, s.m(2), host.nop(1, 2, k=3)\n");
    if (run(vm, "def g(x): return [x / 0 for i in range(3)]\ng(1)\n") == AIOVM_ERROR) {
        (void)aiovm_error_text(vm);
        (void)aiovm_error_message(vm);
        (void)aiovm_error_where(vm, &f);
        (void)aiovm_error_frame(vm, 0, &f);
    }
    (void)run(vm, "this is wrong");
    if (aiovm_compile(vm, "def f(a, *, b=2.5): return (a, b, 'text', 1 << 70, {1, 2})\nf(1)", AIOVM_ZTS, NULL, &v) ==
            AIOVM_OK &&
        aiovm_save(vm, v, &v) == AIOVM_OK) {
        const char *p = aiovm_to_text(vm, v, &n);
        if (p && aiovm_load(vm, p, n, &v) == AIOVM_OK) (void)aiovm_eval_code(vm, v, NULL);
    }
    (void)run(vm,
              "async def c(f): return await host.both(f(), asyncio.sleep(0))\nasync def bad(): raise KeyError(1)\n");
    aiovm_task *task = NULL;
    for (int i = 0; i < 3; i++) {
        if (aiovm_eval(vm, i == 2 ? "bad()" : "c(host.op)", AIOVM_ZTS, NULL, &v) == AIOVM_OK &&
            aiovm_spawn(vm, v, on_done, &dones, i ? NULL : &task) == AIOVM_OK)
            spawned++;
    }
    aiovm_handle *h = aiovm_handle_new(vm);
    for (int i = 0; i < 6; i++) {
        aiovm_run_ready(vm, i & 1 ? 50 : 0);
        if (i == 2 && nops > 0) (void)aiovm_resolve(vm, ops[0], aiovm_none());
        if (i == 2 && nops > 1) (void)aiovm_complete(ops[1], make, NULL, NULL);
        if (i == 3 && task) (void)aiovm_cancel(task);
    }
    (void)aiovm_fd(vm);
    (void)aiovm_timeout_ns(vm);
    for (int i = 0; i < nops; i++) aiovm_op_release(ops[i]);
    (void)aiovm_collect(vm);
    (void)aiovm_shutdown(vm, 1000000);
    aiovm_task_release(task);
    aiovm_ref_release(ref);
    uint64_t counted = gc_fail_at((struct vm *)(void *)vm, 0, false);
    while (aiovm_close(vm) == AIOVM_PENDING) continue;
    CHECK(dones == spawned);
    aiovm_handle_release(h);
    return counted;
}

static aiovm *open_failing(void)
{
    aiovm_config c = {.size = sizeof c,
                      .alloc = failing,
                      .alloc_ud = &in_use,
                      .flags = AIOVM_HOST_LOOP,
                      .hash_seed = 1,
                      .random_seed = 1,
                      .report_fn = keep_report};
    return aiovm_open(&c);
}

static void check_empty(const char *what, uint64_t at)
{
    if (!in_use && !blocks) return;
    printf("%s, allocation %d%s: %d bytes in %d blocks are left\n", what, (int)at, sticky ? " and on" : "", (int)in_use,
           (int)blocks);
    failures++;
    in_use = blocks = 0;
}

int main(int argc, char **argv)
{
#if defined(__SANITIZE_ADDRESS__) || defined(AIOVM_GC_STRESS)
    uint64_t step = 41;
#else
    uint64_t step = 3;
#endif
    if (argc > 1) step = (uint64_t)atoi(argv[1]);
    for (int mode = 0; mode < 2 && failures < 10; mode++) {
        sticky = mode;
        struck = true;
        for (uint64_t at = 1; struck && failures < 10; at++) {
            struck = false;
            countdown = at;
            aiovm *vm = open_failing();
            countdown = 0;
            if (vm) CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
            check_empty("opening", at);
        }
    }
    int runs = 0;
    for (int mode = 0; mode < 2 && failures < 10; mode++) {
        sticky = mode;
        for (uint64_t at = 1; failures < 10; at += step) {
            aiovm *vm = open_failing();
            gc_fail_at((struct vm *)(void *)vm, at, sticky);
            uint64_t counted = workload(vm);
            check_empty("running", at);
            runs++;
            if (counted < at) break;
        }
    }
    if (argc > 1) fprintf(stderr, "%d runs\n", runs);
    if (!failures) puts("ok");
    return failures != 0;
}
