/* Opening and closing: 10,000 times at flat memory; in every state; the host's own allocator sees everything come back.
 */
#include "check.h"

#include <time.h>
#include <unistd.h>

static size_t in_use, most, blocks;
static void *counting(void *ud, void *p, size_t old, size_t n)
{
    CHECK(ud == &in_use);
    if (n == 0) {
        blocks -= p != NULL;
        in_use -= old;
        free(p);
        return NULL;
    }
    void *q = realloc(p, n);
    if (!q) return NULL;
    blocks += p == NULL;
    in_use += n - old;
    if (in_use > most) most = in_use;
    return q;
}

static size_t resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long size = 0, pages = 0;
    if (f) {
        if (fscanf(f, "%lu %lu", &size, &pages) != 2) pages = 0;
        fclose(f);
    }
    return pages * 4096;
}

static int descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++) n += dup2(fd, fd) == fd;
    return n;
}

static aiovm_status op(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    aiovm_op *o;
    (void)a;
    aiovm_status status = aiovm_future(vm, NULL, NULL, &o, out);
    if (!status) {
        aiovm_ref *r = aiovm_ref_new(vm, aiovm_none()); /* never released by anybody: the VM sees to it */
        CHECK(r);
        OK(aiovm_complete(aiovm_op_retain(o), NULL, NULL, NULL) == AIOVM_INVALID ? AIOVM_OK : AIOVM_ERROR);
        aiovm_op_release(o);
        aiovm_op_release(o);
    }
    return status;
}

static aiovm *open_counted(uint32_t flags)
{
    aiovm_config c = {
        .size = sizeof c, .alloc = counting, .alloc_ud = &in_use, .flags = flags, .report_fn = keep_report};
    aiovm *vm = aiovm_open(&c);
    if (!vm) exit(1);
    return vm;
}

/* What a VM may be in the middle of when it is closed. */
static const char *const states[] = {
    "1",
    "1 / 0",
    "this is no program",
    "l = []; l.append(l)",
    "class D:\n    def __del__(self): global again; again = self\nd = D()",
    "class D:\n    def __del__(self): 1 / 0\nd = D()",
    "def g():\n    try: yield 1\n    finally: print(end='')\nx = g(); next(x)",
    "async def c(): await asyncio.sleep(100)\nx = c()",
    "await asyncio.sleep(100)",
    "await op()",
    "await asyncio.Event().wait()",
    "async def a():\n    try: yield 1\n    finally: await asyncio.sleep(1)\nx = a()\nawait anext(x)\nawait "
    "asyncio.sleep(100)",
    "for i in range(1000): asyncio.get_event_loop_policy\nwhile True: pass",
    "f = open('/dev/null', 'w'); f.write('unwritten')",
    "import sys; sys.exit(1)",
    "import atexit; atexit.register(lambda: 1 / 0)",
    "import threading; t = threading.Thread(target=lambda: None); t.start()",
    "import json, re, collections, itertools, functools, random",
};

static void close_in_each_state(void)
{
    int fds = descriptors();
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        for (int turns = 0; turns < 3; turns++) {
            for (int host = 0; host < 2; host++) {
                aiovm_config c = {.size = sizeof c,
                                  .alloc = counting,
                                  .alloc_ud = &in_use,
                                  .flags = host ? AIOVM_HOST_LOOP : 0,
                                  .report_fn = keep_report,
                                  .caps = AIOVM_CAP_FS | AIOVM_CAP_THREADS,
                                  .fuel = 200000};
                aiovm *vm = aiovm_open(&c);
                if (!host) OK(aiovm_set_budget(vm, 200000, 30000000));
                OK(aiovm_module(vm, "__main__", (aiovm_func[]){{"op()", op, NULL, 0}, {0}}, NULL));
                OK(run(vm, "import asyncio, warnings\nwarnings.simplefilter('ignore')"));
                aiovm_status status = run(vm, states[i]);
                if (status == AIOVM_PENDING)
                    for (int t = 0; t < turns; t++) aiovm_run_ready(vm, turns == 2 ? 1000 : 0);
                (void)aiovm_fd(vm);
                while ((status = aiovm_close(vm)) == AIOVM_PENDING) usleep(1000);
                CHECK_STATUS(status, AIOVM_OK);
                if (in_use || blocks) {
                    printf("%s: %d bytes in %d blocks are left\n", states[i], (int)in_use, (int)blocks);
                    failures++;
                    in_use = blocks = 0;
                }
            }
        }
    }
    CHECK(descriptors() == fds);
}

int main(int argc, char **argv)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(AIOVM_GC_STRESS)
    int cycles = 500;
#else
    int cycles = 10000;
#endif
    if (argc > 1) cycles = atoi(argv[1]);
    close_in_each_state();
    size_t before = 0;
    struct timespec t0, t1;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    int64_t open_ns = INT64_MAX;
    for (int i = 0; i < cycles; i++) {
        if (i == cycles / 10) before = resident();
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        aiovm *vm = open_counted(i & 1 ? AIOVM_HOST_LOOP : 0);
        clock_gettime(CLOCK_MONOTONIC, &b);
        int64_t ns = (b.tv_sec - a.tv_sec) * INT64_C(1000000000) + b.tv_nsec - a.tv_nsec;
        if (ns < open_ns) open_ns = ns;
        aiovm_value v;
        if (aiovm_eval(vm, "[x * x for x in range(10)]", AIOVM_ZTS, NULL, &v)) failures++;
        if (i % 100 == 0) run(vm, "import asyncio\nasync def f(): await asyncio.sleep(0)\nawait f()");
        if (aiovm_close(vm)) failures++;
        CHECK(in_use == 0 && blocks == 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &t1);
    size_t after = resident();
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed for a while */
    CHECK(after < before + (256 << 10));
#endif
    fprintf(argc > 2 ? stderr : stdout,
            argc > 2 ? "%d us per open, run and close; %d us to open; %d KiB each at most\n" : "",
            (int)(((t1.tv_sec - t0.tv_sec) * 1000000 + (t1.tv_nsec - t0.tv_nsec) / 1000) / cycles),
            (int)(open_ns / 1000), (int)(most / 1024));
    CHECK_STATUS(aiovm_close(NULL), AIOVM_OK);
    if (!failures) puts("ok");
    return failures != 0;
}
