/* The public API: opening, what a config says, reports, the monitor, budgets. */
#include "api_test.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static void names(void **state)
{
    (void)state;
    assert_string_equal(aiovm_status_name(AIOVM_OK), "AIOVM_OK");
    assert_string_equal(aiovm_status_name(AIOVM_INVALID), "AIOVM_INVALID");
    assert_string_equal(aiovm_status_name((aiovm_status)11), "an unknown status");
    assert_string_equal(aiovm_status_name((aiovm_status)-1), "an unknown status");
    assert_string_equal(aiovm_state_name(AIOVM_STATE_READY), "READY");
    assert_string_equal(aiovm_state_name(AIOVM_STATE_BUSY), "BUSY");
    assert_string_equal(aiovm_state_name((aiovm_state)99), "an unknown state");
    assert_non_null(strchr(aiovm_version(), '.'));
}

static void sizes(void **state)
{
    (void)state;
    assert_ok(aiovm_close(aiovm_open(NULL)));
    assert_ok(aiovm_close(NULL));
    /* of an older header */
    aiovm_config c = {.size = offsetof(aiovm_config, reports), .reports = "nonsense", .monitor = 77};
    assert_ok(aiovm_close(aiovm_open(&c)));
    struct {
        aiovm_config c;
        char later[64];
    } newer = {.c = {.size = sizeof newer}};
    memset(newer.later, 1, sizeof newer.later);
    assert_ok(aiovm_close(aiovm_open(&newer.c)));
    aiovm_config empty = {0};
    assert_ok(aiovm_close(aiovm_open(&empty)));
}

static void refused(void **state)
{
    (void)state;
    const aiovm_config wrong[] = {
        {.size = sizeof *wrong, .monitor = 4},          {.size = sizeof *wrong, .flags = 8},
        {.size = sizeof *wrong, .reports = "slow"},     {.size = sizeof *wrong, .reports = "slow:maybe"},
        {.size = sizeof *wrong, .reports = "speed:on"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        errno = 0;
        assert_null(aiovm_open(&wrong[i]));
        assert_int_equal(errno, EINVAL);
    }
}

static void *no_memory(void *ud, void *p, size_t old_size, size_t new_size)
{
    int *left = ud;
    (void)old_size;
    if (!new_size) {
        free(p);
        return NULL;
    }
    return (*left)-- > 0 ? realloc(p, new_size) : NULL;
}

static void no_memory_to_open(void **state)
{
    (void)state;
    for (int n = 0;; n = n < 20 ? n + 1 : n + 37) {
        int left = n;
        aiovm_config c = {.size = sizeof c,
                          .alloc = no_memory,
                          .alloc_ud = &left,
                          .reports = "slow:off",
                          .import_folder = ".",
                          .modules = (const char *const[]){"json", NULL},
                          .flags = AIOVM_HOST_LOOP};
        errno = 0;
        aiovm *vm = aiovm_open(&c);
        if (vm) {
            left = 1000000;
            assert_ok(aiovm_close(vm));
            assert_true(n > 20);
            return;
        }
        assert_int_equal(errno, ENOMEM);
    }
}

static void sandbox(void **state)
{
    (void)state;
    aiovm_config c = {
        .caps = AIOVM_CAP_ALL, .flags = AIOVM_STDIN | AIOVM_HOST_LOOP, .import_folder = ".", .recursion = 77};
    aiovm_sandbox(&c);
    assert_int_equal(c.size, sizeof c);
    assert_int_equal(c.caps, 0);
    assert_int_equal(c.flags, AIOVM_HOST_LOOP);
    assert_null(c.import_folder);
    assert_int_equal(c.recursion, 77);
    assert_true(c.fuel && c.wall_ns && c.memory_hard && c.output && c.tasks && c.fds);
}

/* ---- reports ---- */

static const char hold[] = "import asyncio, time\nasync def hold():\n    t = time.process_time() + 0.4\n    while "
                           "time.process_time() < t: pass\n";
static const char block[] = "import asyncio, time\nasync def block():\n    time.sleep(0.01)\nasyncio.run(block())\n";

static aiovm *open_reporting(const char *which, uint32_t monitor, uint32_t flags)
{
    aiovm_config c = {.size = sizeof c, .flags = flags, .report_fn = keep_report, .reports = which, .monitor = monitor};
    reports[0] = 0;
    aiovm *vm = aiovm_open(&c);
    assert_non_null(vm);
    return vm;
}

static void which_reports(void **state)
{
    (void)state;
    aiovm *vm = open_reporting(NULL, 0, 0);
    eval(vm, block);
    assert_non_null(strstr(reports, "time.sleep"));
    assert_ok(aiovm_close(vm));
    vm = open_reporting("blocking:off,", 0, 0);
    eval(vm, block);
    assert_string_equal(reports, "");
    assert_ok(aiovm_close(vm));
    vm = open_reporting("all:off,blocking:error", 0, 0);
    assert_fails(aiovm_eval(vm, block, AIOVM_ZTS, NULL, NULL), "RuntimeError", "time.sleep");
    assert_ok(aiovm_close(vm));
}

static void slow_task_reported(void **state)
{
    (void)state;
    aiovm *vm = open_reporting(NULL, AIOVM_WATCH, 0);
    eval(vm, hold);
    eval(vm, "asyncio.run(hold())");
    assert_non_null(strstr(reports, "has held the loop for"));
    assert_non_null(strstr(reports, "in hold"));
    assert_ok(aiovm_close(vm));
    vm = open_reporting("slow:off", AIOVM_WATCH, 0);
    eval(vm, hold);
    eval(vm, "asyncio.run(hold())");
    assert_string_equal(reports, "");
    assert_ok(aiovm_close(vm));
    vm = open_reporting(NULL, 0, 0); /* nobody watches by default */
    eval(vm, hold);
    eval(vm, "asyncio.run(hold())");
    assert_string_equal(reports, "");
    assert_ok(aiovm_close(vm));
}

static void slow_task_in_the_hosts_loop(void **state)
{
    (void)state;
    aiovm *vm = open_reporting(NULL, AIOVM_WATCH, AIOVM_HOST_LOOP);
    eval(vm, hold);
    assert_ok(aiovm_spawn(vm, eval(vm, "hold()"), NULL, NULL, NULL));
    for (int i = 0; i < 100 && aiovm_run_ready(vm, 0) != AIOVM_STATE_DONE; i++)
        ;
    assert_non_null(strstr(reports, "has held the loop for"));
    assert_ok(aiovm_close(vm));
}

/* ---- aio ps ---- */

static FILE *ask(const char *verb)
{
    char self[PATH_MAX], command[PATH_MAX + 100];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = 0;
    *strrchr(self, '/') = 0; /* BUILD/tests/unit */
    snprintf(command, sizeof command, "'%s/../../aio' %s %ld 2>&1", self, verb, (long)getpid());
    FILE *f = popen(command, "r");
    assert_non_null(f);
    return f;
}

/* The answer, while the host drives the VM. */
static void asked(aiovm *vm, const char *verb, char *out, size_t size)
{
    FILE *f = ask(verb);
    size_t have = 0;
    int fd = fileno(f);
    for (int i = 0; i < 20000; i++) {
        aiovm_run_ready(vm, 0);
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        struct timeval t = {0, 1000};
        if (select(fd + 1, &set, NULL, NULL, &t) <= 0) continue;
        ssize_t got = read(fd, out + have, size - 1 - have);
        if (got <= 0) break;
        have += (size_t)got;
    }
    out[have] = 0;
    pclose(f);
}

static void inspected(void **state)
{
    (void)state;
    char text[8000];
    aiovm *vm = open_reporting(NULL, AIOVM_INSPECT, AIOVM_HOST_LOOP);
    eval(vm, "import asyncio\nasync def wait_for_orders():\n    await asyncio.sleep(3600)\n");
    eval(vm, "async def main():\n    async with asyncio.TaskGroup() as g:\n        g.create_task(wait_for_orders(), "
             "name='worker')\n");
    assert_ok(aiovm_spawn(vm, eval(vm, "main()"), NULL, NULL, NULL));
    aiovm_run_ready(vm, 0);
    asked(vm, "ps", text, sizeof text);
    if (!strstr(text, "worker")) fail_msg("aio ps: %s", text);
    asked(vm, "tree", text, sizeof text);
    if (!strstr(text, "worker") || !strstr(text, "wait_for_orders")) fail_msg("aio tree: %s", text);
    assert_ok(aiovm_close(vm));

    vm = open_reporting(NULL, AIOVM_WATCH, AIOVM_HOST_LOOP); /* watching is not answering */
    eval(vm, "import asyncio");
    assert_ok(aiovm_spawn(vm, eval(vm, "asyncio.sleep(3600)"), NULL, NULL, NULL));
    asked(vm, "ps", text, sizeof text);
    assert_null(strstr(text, "Task-"));
    assert_ok(aiovm_close(vm));
}

/* ---- budgets ---- */

static void budgets(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    assert_string_equal(aiovm_end_reason(vm), "");
    assert_int_equal(aiovm_fuel_used(vm), 0);
    eval(vm, "for i in range(1000): pass");
    assert_true(aiovm_fuel_used(vm) >= 1000);
    assert_true(aiovm_memory_used(vm) > 10000);
    assert_status(aiovm_set_budget(vm, 0, -1), AIOVM_INVALID);
    assert_ok(aiovm_collect(vm));
    assert_ok(aiovm_set_budget(vm, 500, 0));
    assert_status(aiovm_eval(vm, "while True: pass", AIOVM_ZTS, NULL, NULL), AIOVM_ENDED);
    assert_string_equal(aiovm_end_reason(vm), "fuel");
    assert_string_equal(aiovm_error_type(vm), "FuelLimit");
    assert_status(aiovm_set_budget(vm, 1000, 0), AIOVM_ENDED);
    assert_status(aiovm_collect(vm), AIOVM_ENDED);
    assert_ok(aiovm_close(vm));
}

static aiovm_status in_host(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)out;
    if (a->ud) return aiovm_set_budget(vm, 0, 50000000);
    assert_status(aiovm_close(vm), AIOVM_BUSY);
    assert_status(aiovm_shutdown(vm, 0), AIOVM_BUSY);
    assert_status(aiovm_run(vm, aiovm_none(), NULL), AIOVM_BUSY);
    assert_int_equal(aiovm_run_ready(vm, 0), AIOVM_STATE_BUSY);
    return AIOVM_OK;
}

static void from_inside(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    assert_ok(aiovm_module(vm, "host", (const aiovm_func[]){{"check()", in_host, NULL, 0}, {0}}, NULL));
    eval(vm, "import host; host.check()");
    assert_ok(aiovm_module(vm, "host", (const aiovm_func[]){{"limit()", in_host, NULL, 0}, {0}}, vm));
    assert_status(aiovm_eval(vm, "host.limit()\nwhile True: pass", AIOVM_ZTS, NULL, NULL), AIOVM_ENDED);
    assert_string_equal(aiovm_end_reason(vm), "time");
    assert_ok(aiovm_close(vm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test_without_faults(names),
        cmocka_unit_test(sizes),
        cmocka_unit_test(refused),
        unit_test_without_faults(no_memory_to_open),
        unit_test_without_faults(sandbox),
        cmocka_unit_test(which_reports),
        unit_test_without_faults(slow_task_reported),
        unit_test_without_faults(slow_task_in_the_hosts_loop),
        unit_test_without_faults(inspected),
        cmocka_unit_test(budgets),
        cmocka_unit_test(from_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
