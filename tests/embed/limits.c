/* Budgets, slices, sinks, capabilities, imports, the sandbox: what bounds a VM. */
#include "check.h"

#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static char printed[2000];
static void on_output(void *ud, int stream, const char *text, size_t n)
{
    CHECK(ud == printed && (stream == 1 || stream == 2));
    size_t have = strlen(printed);
    if (n > sizeof printed - 1 - have) n = sizeof printed - 1 - have;
    memcpy(printed + have, text, n);
    printed[have + n] = 0;
}
static aiovm_config base(void)
{
    aiovm_config c = {0};
    c.size = sizeof c;
    c.output_fn = on_output;
    c.report_fn = keep_report;
    c.sink_ud = printed;
    *printed = *reports = 0;
    return c;
}
static aiovm *open_config(const aiovm_config *c)
{
    aiovm *vm = aiovm_open(c);
    if (!vm) exit(1);
    return vm;
}

/* ---- the uncatchable end ---- */

static int cancels, finals, dones;
static void on_cancel(void *ud) { (void)ud, cancels++; }
static void on_final(void *data, void *ud) { (void)data, (void)ud, finals++; }
static void on_done(aiovm *vm, void *ud, aiovm_status status, aiovm_value v)
{
    (void)vm, (void)ud, (void)v;
    dones++;
    CHECK_STATUS(status, AIOVM_ENDED);
}
static const aiovm_class thing = {.name = "Thing", .size = 8, .finalize = on_final};
static aiovm_op *pending_op;
static aiovm_status op(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)a;
    return aiovm_future(vm, on_cancel, NULL, &pending_op, out);
}
static aiovm_status sort_of_call(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    aiovm_status status = aiovm_call(vm, a->argv[0], 0, NULL, out);
    if (status == AIOVM_ENDED) CHECK_STATUS(aiovm_int(vm, 1, out), AIOVM_ENDED);
    return status == AIOVM_ENDED ? AIOVM_OK : status; /* a native that swallows it keeps nothing alive */
}
static const aiovm_func functions[] = {{"op()", op, NULL, 0}, {"call(f)", sort_of_call, NULL, 0}, {0}};

static const char stubborn[] = "class D:\n"
                               "    def __del__(self): print('del')\n"
                               "class CM:\n"
                               "    def __enter__(self): pass\n"
                               "    def __exit__(self, *a): print('exit'); return True\n"
                               "def gen():\n"
                               "    try: yield 1\n"
                               "    finally: print('gen finally')\n"
                               "def forever():\n"
                               "    d = D(); g = gen(); next(g)\n"
                               "    while True:\n"
                               "        try:\n"
                               "            with CM():\n"
                               "                while True: pass\n"
                               "        except BaseException: print('caught')\n"
                               "        finally: print('finally')\n"
                               "async def aforever():\n"
                               "    try:\n"
                               "        while True: await asyncio.sleep(0)\n"
                               "    finally: print('async finally')\n"
                               "async def stuck(f):\n"
                               "    try: await f()\n"
                               "    finally: print('op finally')\n";

static void check_ended(aiovm *vm, const char *reason, const char *type)
{
    CHECK(strcmp(aiovm_end_reason(vm), reason) == 0 && strcmp(aiovm_error_type(vm), type) == 0);
    CHECK(*aiovm_error_message(vm) && strstr(aiovm_error_text(vm), aiovm_error_message(vm)));
    CHECK_STATUS(run(vm, "1"), AIOVM_ENDED);
    CHECK_STATUS(aiovm_int(vm, 1, NULL), AIOVM_ENDED);
    CHECK_STATUS(aiovm_set_budget(vm, 1000000, 0), AIOVM_ENDED);
    CHECK(aiovm_run_ready(vm, 0) == AIOVM_STATE_ENDED && aiovm_timeout_ns(vm) == -1);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
    CHECK(*printed == 0 && *reports == 0);
    if (*printed || *reports) printf("%s%s", printed, reports);
}

static aiovm *stubborn_vm(aiovm_config *c)
{
    aiovm *vm = open_config(c);
    aiovm_value v;
    OK(aiovm_module(vm, "__main__", functions, NULL));
    OK(run(vm, "import asyncio"));
    OK(run(vm, stubborn));
    CHECK(aiovm_new(vm, &thing, &v));
    OK(aiovm_set_global(vm, "thing", v));
    return vm;
}

static void fuel_end(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "forever()",
        "call(forever)",
        "[forever() for i in [1]]",
        "sorted([1, 2], key=lambda x: forever())",
        "sum(1 for i in iter(int, 1))",
        "'x'.join(str(i) for i in iter(int, 1))",
        "for i in iter(int, 1): pass",
        "def r():\n  try: r()\n  except RecursionError: pass\nwhile True: r()",
        "max(iter(int, 1))",
        "list(map(lambda x: forever(), [1]))",
        "class X:\n  forever()",
        "import re\nwhile 1: 'a' * 10",
        "asyncio.run(aforever())",
        "await aforever()",
        "await asyncio.gather(aforever(), aforever())",
        "async def t():\n  async with asyncio.timeout(100): await aforever()\nawait t()"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        aiovm_config c = base();
        aiovm *vm = stubborn_vm(&c);
        *printed = 0;
        finals = 0;
        OK(aiovm_set_budget(vm, 30000, 0));
        uint64_t used = aiovm_fuel_used(vm);
        aiovm_status status = run(vm, ways[i]);
        if (status != AIOVM_ENDED)
            printf("%s: %s %s\n", ways[i], aiovm_status_name(status), aiovm_error_message(vm)), failures++;
        used = aiovm_fuel_used(vm) - used;
        if (used < 30000 || used > 31000) printf("%s used %d\n", ways[i], (int)used), failures++;
        check_ended(vm, "fuel", "FuelLimit");
        CHECK(finals == 1);
    }
    /* With pending operations and tasks of the host. */
    aiovm_config c = base();
    c.flags = AIOVM_HOST_LOOP;
    aiovm *vm = stubborn_vm(&c);
    aiovm_value v;
    cancels = dones = 0;
    OK(aiovm_eval(vm, "stuck(op)", AIOVM_ZTS, NULL, &v));
    OK(aiovm_spawn(vm, v, on_done, NULL, NULL));
    CHECK(aiovm_run_ready(vm, 0) == AIOVM_STATE_WAIT_HOST);
    OK(aiovm_set_budget(vm, 10000, 0));
    CHECK_STATUS(run(vm, "await aforever()"), AIOVM_PENDING);
    aiovm_state s;
    while ((s = aiovm_run_ready(vm, 500)) == AIOVM_STATE_READY) continue;
    CHECK(s == AIOVM_STATE_ENDED && cancels == 1 && dones == 1);
    CHECK_STATUS(aiovm_resolve(vm, pending_op, aiovm_none()), AIOVM_ENDED);
    aiovm_op_release(pending_op);
    check_ended(vm, "fuel", "FuelLimit");
}

static void *kill_soon(void *p)
{
    usleep(20000);
    aiovm_kill(p);
    aiovm_handle_release(p);
    return NULL;
}

static void time_and_kill(void **state)
{
    (void)state;
    static const char *const ways[] = {"forever()", "import time; time.sleep(100)", "await asyncio.sleep(100)",
                                       "await asyncio.Event().wait()"};
    for (int i = 0; i < 3; i++) {
        aiovm_config c = base();
        aiovm *vm = stubborn_vm(&c);
        OK(aiovm_set_budget(vm, 0, 30000000));
        int64_t start = now_ns();
        CHECK_STATUS(run(vm, ways[i]), AIOVM_ENDED);
        CHECK(now_ns() - start >= 29000000 && now_ns() - start < INT64_C(2000000000));
        check_ended(vm, "time", "TimeLimit");

        c = base();
        vm = stubborn_vm(&c);
        aiovm_handle *h = aiovm_handle_new(vm);
        pthread_t t;
        pthread_create(&t, NULL, kill_soon, h);
        CHECK_STATUS(run(vm, ways[i]), AIOVM_ENDED);
        pthread_join(t, NULL);
        check_ended(vm, "killed", "Killed");
    }
    /* Waiting outside costs no time. */
    aiovm_config c = base();
    c.wall_ns = 20000000;
    aiovm *vm = open_config(&c);
    usleep(40000);
    OK(run(vm, "1"));
    CHECK_STATUS(aiovm_set_budget(vm, 0, -1), AIOVM_INVALID);
    aiovm_close(vm);
}

/* ---- slices ---- */

static void slices(void **state)
{
    (void)state;
    aiovm_config c = base();
    c.flags = AIOVM_HOST_LOOP;
    aiovm *vm = open_config(&c);
    aiovm_value v;
    OK(run(vm, "import asyncio\n"
               "n = 0\n"
               "def work(depth):\n"
               "    global n\n"
               "    if depth: work(depth - 1)\n"
               "    for i in range(300): n += 1\n"
               "async def spin(k):\n"
               "    try:\n"
               "        1 / 0\n"
               "    except ZeroDivisionError:\n"
               "        for i in range(k): work(10)\n"
               "        import sys\n"
               "        assert sys.exc_info()[0] is ZeroDivisionError\n"
               "        assert asyncio.current_task().get_name() == 'spin'\n"
               "    await asyncio.sleep(0)\n"
               "    return sum(x for x in range(k))\n"
               "async def many(k): return await asyncio.gather(*[spin2(i) for i in range(k)])\n"
               "async def spin2(i):\n"
               "    for j in range(100): await asyncio.sleep(0)\n"
               "    return i\n"));
    CHECK_STATUS(run(vm, "r = await asyncio.create_task(spin(20), name='spin')"), AIOVM_PENDING);
    CHECK_STATUS(run(vm, "r2 = await many(50)"), AIOVM_PENDING);
    int turns = 0;
    uint64_t most = 0;
    aiovm_state s;
    do {
        uint64_t before = aiovm_fuel_used(vm);
        s = aiovm_run_ready(vm, 500);
        uint64_t used = aiovm_fuel_used(vm) - before;
        if (used > most) most = used;
        turns++;
        if (turns % 10 == 0) { /* the host uses the VM while a task is half done */
            OK(aiovm_eval(vm, "import gc; gc.collect(); [work(2), n][1]", AIOVM_ZTS, NULL, &v));
            CHECK(evals_to(vm, "__import__('sys').exc_info()", "(None, None, None)"));
        }
    } while (s == AIOVM_STATE_READY);
    CHECK(s == AIOVM_STATE_DONE && turns > 140 && most <= 520);
    if (s != AIOVM_STATE_DONE) printf("%s %s\n", aiovm_state_name(s), aiovm_error_text(vm));
    CHECK(evals_to(vm, "r, r2 == list(range(50))", "(190, True)"));
    /* A VM that is closed while a task is half done. */
    CHECK_STATUS(run(vm, "await spin(1000)"), AIOVM_PENDING);
    CHECK(aiovm_run_ready(vm, 1000) == AIOVM_STATE_READY);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
    /* One that is shut down then: the task is cancelled when it next waits. */
    vm = open_config(&c);
    OK(run(vm, "import asyncio\nasync def spin():\n    try:\n        for i in range(100000): pass\n        await "
               "asyncio.sleep(100)\n    finally: print('cleaned')\n"));
    CHECK_STATUS(run(vm, "await spin()"), AIOVM_PENDING);
    CHECK(aiovm_run_ready(vm, 1000) == AIOVM_STATE_READY);
    *printed = 0;
    OK(aiovm_shutdown(vm, INT64_C(10000000000)));
    CHECK(strcmp(printed, "cleaned\n") == 0);
    CHECK_STATUS(run(vm, "async def no():\n    while True:\n        try: await asyncio.sleep(0.001)\n        except "
                         "asyncio.CancelledError: pass\n"),
                 AIOVM_OK);
    CHECK_STATUS(run(vm, "await no()"), AIOVM_PENDING);
    aiovm_run_ready(vm, 0);
    CHECK_STATUS(aiovm_shutdown(vm, 20000000), AIOVM_PENDING);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

/* ---- other limits ---- */

static void amounts(void **state)
{
    (void)state;
    aiovm_config c = base();
    c.memory_hard = 8 << 20;
    c.recursion = 50;
    c.output = 100;
    c.tasks = 10;
    c.int_bits = 1000;
    c.int_str_digits = 700;
    c.caps = AIOVM_CAP_FS;
    c.fds = 2;
    aiovm *vm = open_config(&c);
    FAILS(run(vm, "x = [0] * 10**7"), "MemoryError", "");
    FAILS(run(vm, "def fill():\n    l = []\n    while True: l.append(bytes(1000))\nfill()"), "MemoryError", "");
    FAILS(run(vm, "fill()"), "MemoryError", "");
    FAILS(run(vm, "def r(): r()\nr()"), "RecursionError", "maximum recursion depth exceeded");
    CHECK_STATUS(run(vm, "1 << 2000"), AIOVM_ERROR);
    OK(run(vm, "print('x' * 90)"));
    CHECK(strlen(printed) == 91);
    CHECK_STATUS(run(vm, "for i in range(20): print('y', flush=True)"), AIOVM_ERROR);
    CHECK(strcmp(aiovm_error_type(vm), "OSError") == 0 && strlen(printed) <= 100);
    FAILS(run(vm, "import asyncio\nawait asyncio.gather(*[asyncio.sleep(0) for i in range(20)])"), "RuntimeError",
          "too many tasks: the limit of this VM is 10");
    OK(run(vm, "a = open('/dev/null'); b = open('/dev/null')"));
    FAILS(run(vm, "open('/dev/null')"), "OSError", "[Errno 24] Too many open files");
    OK(run(vm, "a.close(); c = open('/dev/null'); c.close(); b.close()"));
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

static void sandbox(void **state)
{
    (void)state;
    static const char *const forbidden[] = {
        "open('/etc/passwd')",
        "open(0)",
        "open(1, 'w')",
        "import io; io.open('/etc/passwd')",
        "import io; io.FileIO('/etc/passwd')",
        "import io; io.FileIO(0)",
        "__import__('nothing')",
        "import sys; sys.path.append('/tmp/aiovm_sandbox_test'); import planted",
        "import sys; sys.stdin.read()",
        "input()",
        "import os; os.listdir('/')",
        "import os; os.stat('/')",
        "import os; os.open('/etc/passwd', 0)",
        "import os; os.read(0, 1)",
        "import os; os.write(1, b'x')",
        "import os; os.pipe()",
        "import os; os.system('true')",
        "import os; os.fork()",
        "import os; os.kill(os.getpid(), 0)",
        "import os; os._exit(0)",
        "import os; os.execv('/bin/true', ['x'])",
        "import os; os.environ['PATH']",
        "import os; os.putenv('A', 'b')",
        "import os; os.getcwd()",
        "import os; os.uname()",
        "import os; os.umask(0)",
        "import os; os.sync()",
        "import os; os.nice(1)",
        "import os; os.abort()",
        "import os; os.get_terminal_size()",
        "import tempfile; tempfile.mkdtemp()",
        "import pathlib; pathlib.Path('/etc/passwd').read_text()",
        "import logging; logging.FileHandler('/tmp/aiovm_log')",
        "import select; select.select([0], [], [], 0)",
        "import select; select.poll().register(0)",
        "import select; select.epoll()",
        "import selectors; selectors.SelectSelector().register(0, 1); selectors.DefaultSelector()",
        "import signal; signal.pause()",
        "import signal; signal.sigwait([2])",
        "import signal; signal.sigtimedwait([2], 0)",
        "import signal; signal.signal(2, print)",
        "import signal; signal.alarm(1)",
        "import signal; signal.raise_signal(2)",
        "import socket; socket.socket()",
        "import socket; socket.socketpair()",
        "import socket; socket.gethostname()",
        "import subprocess; subprocess.run(['true'])",
        "import shutil; shutil.copy('/etc/passwd', '/tmp/p')",
        "import tempfile; tempfile.TemporaryFile()",
        "import threading; threading.Thread(target=print).start()",
        "import ctypes",
        "import asyncio; await asyncio.start_server(print, '127.0.0.1', 0)",
        "import asyncio; await asyncio.open_connection('127.0.0.1', 80)",
        "import asyncio; await asyncio.create_subprocess_exec('true')",
        "import asyncio; await asyncio.to_thread(print)",
        "import ssl; ssl.create_default_context().load_cert_chain('/etc/passwd')",
    };
    mkdir("/tmp/aiovm_sandbox_test", 0700);
    FILE *f = fopen("/tmp/aiovm_sandbox_test/planted.py", "w");
    if (f) fputs("print('planted')\n", f), fclose(f);
    aiovm_config c = base();
    aiovm_sandbox(&c);
    CHECK(c.fuel == 100000000 && c.memory_hard == (size_t)64 << 20 && c.caps == 0 && c.output_fn == on_output);
    aiovm *vm = open_config(&c);
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        aiovm_status status = run(vm, forbidden[i]);
        if (status != AIOVM_ERROR) printf("%s: %s\n", forbidden[i], aiovm_status_name(status)), failures++;
    }
    CHECK(evals_to(vm, "__import__('math').pi > 3, [i for i in range(3)]", "(True, [0, 1, 2])"));
    /* A traceback shows no line of a file that the script has named. */
    CHECK_STATUS(run(vm, "exec(compile('1/0', '/tmp/aiovm_sandbox_test/planted.py', 'exec'))"), AIOVM_ERROR);
    CHECK(strstr(aiovm_error_text(vm), "planted.py") && !strstr(aiovm_error_text(vm), "print("));
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
    /* The import folder needs no capability. */
    c = base();
    c.import_folder = "/tmp/aiovm_sandbox_test";
    vm = open_config(&c);
    OK(run(vm, "import planted"));
    CHECK(strcmp(printed, "planted\n") == 0);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
    unlink("/tmp/aiovm_sandbox_test/planted.py");
    rmdir("/tmp/aiovm_sandbox_test");
}

static int released;
static void release_source(void *ud, const aiovm_source *s)
{
    (void)ud;
    released += s->text != NULL;
}
static bool load(void *ud, const char *name, aiovm_source *out)
{
    CHECK(ud == &released);
    out->length = AIOVM_ZTS;
    out->release = release_source;
    if (strcmp(name, "forbidden") == 0) return false;
    if (strcmp(name, "game") == 0) {
        out->text = "speed = 3\nfrom game.parts import wheel\n";
        out->is_package = true;
    } else if (strcmp(name, "game.parts") == 0) {
        out->text = "wheel = 'round'\ndef boom(): 1 / 0\n";
        out->file = "parts.script";
    }
    return true;
}

static void imports(void **state)
{
    (void)state;
    static const char *const allowed[] = {"json", "sys", NULL};
    aiovm_config c = base();
    c.load = load;
    c.load_ud = &released;
    c.modules = allowed;
    aiovm *vm = open_config(&c);
    OK(run(vm, "import game, json, sys, game.parts"));
    CHECK(evals_to(vm, "game.speed, game.wheel, game.parts.__file__, game.__file__, json.dumps([1])",
                   "(3, 'round', 'parts.script', '<host game>', '[1]')"));
    CHECK_STATUS(run(vm, "game.parts.boom()"), AIOVM_ERROR);
    CHECK(strstr(aiovm_error_text(vm), "File \"parts.script\", line 2, in boom\n"));
    FAILS(run(vm, "import math"), "ModuleNotFoundError", "No module named 'math'");
    FAILS(run(vm, "import forbidden"), "ImportError", "the host could not load module 'forbidden'");
    FAILS(run(vm, "import absent"), "ModuleNotFoundError", "No module named 'absent'");
    CHECK(released == 2);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

static int64_t my_time = INT64_C(5000000000);
static int64_t my_clock(void *ud)
{
    CHECK(ud == &my_time);
    return my_time;
}

static void clocks_and_seeds(void **state)
{
    (void)state;
    aiovm_config c = base();
    c.monotonic_fn = c.wall_fn = my_clock;
    c.clock_ud = &my_time;
    c.random_seed = 7;
    c.hash_seed = 9;
    c.flags = AIOVM_HOST_LOOP;
    char first[200] = "";
    for (int i = 0; i < 2; i++) {
        my_time = INT64_C(5000000000);
        aiovm *vm = open_config(&c);
        aiovm_value v;
        OK(run(vm, "import time, random, asyncio"));
        CHECK(evals_to(vm, "time.time(), time.monotonic()", "(5.0, 5.0)"));
        OK(aiovm_eval(vm, "repr((random.random(), random.Random().random(), hash('x')))", AIOVM_ZTS, NULL, &v));
        if (i == 0) snprintf(first, sizeof first, "%s", aiovm_to_text(vm, v, NULL));
        else CHECK(check_text(vm, v, first));
        CHECK_STATUS(run(vm, "await asyncio.sleep(2)\nawait asyncio.sleep(1)\ndone = True"), AIOVM_PENDING);
        CHECK(aiovm_run_ready(vm, 0) == AIOVM_STATE_IDLE && aiovm_timeout_ns(vm) > 1900000000);
        my_time += 2000000000;
        CHECK(aiovm_timeout_ns(vm) == 0);
        while (aiovm_run_ready(vm, 0) == AIOVM_STATE_READY) continue;
        my_time += 1000000000;
        while (aiovm_run_ready(vm, 0) == AIOVM_STATE_READY) continue;
        CHECK(evals_to(vm, "done", "True"));
        CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
    }
    c = base();
    c.flags = AIOVM_HOST_LOOP | AIOVM_VIRTUAL_TIME;
    aiovm *vm = open_config(&c);
    CHECK_STATUS(run(vm, "import asyncio\nawait asyncio.sleep(3600)\nprint('an hour')"), AIOVM_PENDING);
    aiovm_state s = AIOVM_STATE_READY;
    for (int i = 0; i < 10 && s != AIOVM_STATE_DONE; i++) s = aiovm_run_ready(vm, 0);
    CHECK(s == AIOVM_STATE_DONE && strcmp(printed, "an hour\n") == 0);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

static void reported(void **state)
{
    (void)state;
    aiovm_config c = base();
    aiovm *vm = open_config(&c);
    OK(run(vm, "async def c(): pass\ndef f(): c()\nf()"));
    CHECK(strstr(reports, "coroutine 'c' was never awaited") != NULL && *printed == 0);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

PARTS(PART(fuel_end), PART(time_and_kill), PART(slices), PART(amounts), PART(sandbox), PART(imports),
      PART(clocks_and_seeds), PART(reported))
