/* Opening and closing: 10,000 times at flat memory; the host's own allocator sees everything come back. */
#include "counting.h"

#include <time.h>
#include <unistd.h>

static aiovm *open_counted(uint32_t flags)
{
    aiovm_config c = {
        .size = sizeof c, .alloc = counting, .alloc_ud = &in_use, .flags = flags, .report_fn = keep_report};
    aiovm *vm = aiovm_open(&c);
    if (!vm) exit(1);
    return vm;
}

int main(int argc, char **argv)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(AIOVM_GC_STRESS)
    int cycles = 500;
#else
    int cycles = 10000;
#endif
    if (argc > 1) cycles = atoi(argv[1]);
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
    (void)before, (void)after;
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed for a while */
    CHECK(after < before + (256 << 10));
#endif
    if (argc > 2)
        fprintf(stderr, "%d us per open, run and close; %d us to open; %d KiB each at most\n",
                (int)(((t1.tv_sec - t0.tv_sec) * 1000000 + (t1.tv_nsec - t0.tv_nsec) / 1000) / cycles),
                (int)(open_ns / 1000), (int)(most_in_use / 1024));
    CHECK_STATUS(aiovm_close(NULL), AIOVM_OK);
    if (!failures) puts("ok");
    return failures != 0;
}
