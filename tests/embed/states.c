/* Closing a VM in the middle of anything: nothing is left, neither memory nor descriptors. */
#include "counting.h"

#include <unistd.h>

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
    ("async def a():\n    try: yield 1\n    finally: await asyncio.sleep(1)\nx = a()\nawait anext(x)\n"
     "await asyncio.sleep(100)"),
    "for i in range(1000): asyncio.get_event_loop_policy\nwhile True: pass",
    "f = open('/dev/null', 'w'); f.write('unwritten')",
    "import sys; sys.exit(1)",
    "import atexit; atexit.register(lambda: 1 / 0)",
    "import threading; t = threading.Thread(target=lambda: None); t.start()",
    "import json, re, collections, itertools, functools, random",
};

static void close_in_each_state(void **state)
{
    (void)state;
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
                OK(aiovm_module(vm, "__main__", (aiovm_func[]){{"op()", op, NULL, 0}, {0}}, NULL));
                OK(run(vm, "import asyncio, warnings\nwarnings.simplefilter('ignore')"));
                if (!host) OK(aiovm_set_budget(vm, 200000, 30000000));
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

PARTS(PART(close_in_each_state))
