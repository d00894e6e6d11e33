/* The public API: operations of the host, tasks, the host's loop, shutting down, other threads. */
#include "api_test.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

/* ---- what callbacks have seen ---- */

static int dropped, made, cancels, done_calls;
static aiovm_status done_status;
static int64_t done_result;
static char done_error[80];

static void drop(void *ud) { (void)ud, __atomic_add_fetch(&dropped, 1, __ATOMIC_RELAXED); }
static aiovm_status make(aiovm *vm, void *ud, aiovm_value *out)
{
    made++;
    return aiovm_int(vm, (int64_t)(intptr_t)ud, out);
}
static aiovm_status make_error(aiovm *vm, void *ud, aiovm_value *out)
{
    (void)ud, (void)out;
    made++;
    return aiovm_raise(vm, "OSError", "the disk is gone");
}
static aiovm_status make_absent(aiovm *vm, void *ud, aiovm_value *out)
{
    (void)vm, (void)ud;
    *out = AIOVM_ABSENT;
    return AIOVM_OK;
}
static aiovm_status make_nothing(aiovm *vm, void *ud, aiovm_value *out)
{
    (void)vm, (void)ud, (void)out;
    return AIOVM_CANCELLED;
}
static void cancelled(void *ud) { (void)ud, cancels++; }
static void done(aiovm *vm, void *ud, aiovm_status status, aiovm_value result)
{
    (void)ud;
    done_calls++;
    done_status = status;
    done_result = aiovm_to_int(vm, result, -1);
    done_error[0] = 0;
    if (status == AIOVM_ERROR) strncat(done_error, aiovm_error_message(vm), sizeof done_error - 1);
}
static void forget(void) { dropped = made = cancels = done_calls = 0; }

static const char basics[] =
    "import asyncio\nasync def wait(x):\n    return await x\nasync def forever():\n    await asyncio.sleep(1e6)\n";

/* A task that waits for a new operation. */
static aiovm_op *waiting(aiovm *vm, aiovm_task **task)
{
    aiovm_op *op;
    aiovm_value v;
    assert_ok(aiovm_future(vm, cancelled, NULL, &op, &v));
    assert_ok(aiovm_set_global(vm, "operation", v));
    v = eval(vm, "wait(operation)");
    assert_ok(aiovm_spawn(vm, v, done, NULL, task));
    aiovm_state s = aiovm_run_ready(vm, 0);
    assert_true(s == AIOVM_STATE_WAIT_HOST || s == AIOVM_STATE_READY); /* another one was completed meanwhile */
    return op;
}

static void turn(aiovm *vm)
{
    for (int i = 0; i < 20 && aiovm_run_ready(vm, 0) == AIOVM_STATE_READY; i++)
        ;
    aiovm_run_ready(vm, 0);
}

/* ---- operations ---- */

static void finishing(void **state)
{
    (void)state;
    aiovm *vm = open_vm(AIOVM_HOST_LOOP);
    eval(vm, basics);
    aiovm_value v;
    for (int how = 0; how < 8; how++) {
        forget();
        aiovm_op *op = waiting(vm, NULL);
        switch (how) {
        case 0:
            assert_ok(aiovm_int(vm, 5, &v));
            assert_ok(aiovm_resolve(vm, op, v));
            break;
        case 1: assert_ok(aiovm_reject(vm, op, "OSError", "the disk is gone")); break;
        case 2: assert_ok(aiovm_complete(op, make, (void *)5, drop)); break;
        case 3: assert_ok(aiovm_complete(op, make_error, NULL, NULL)); break;
        case 4: assert_ok(aiovm_reject(vm, op, "NoSuchError", "x")); break;
        case 5: assert_ok(aiovm_complete(op, make_absent, NULL, NULL)); break;
        case 6: assert_ok(aiovm_complete(op, make_nothing, NULL, NULL)); break;
        default: aiovm_op_release(aiovm_op_retain(op)); aiovm_op_release(op); /* without a result */
        }
        if (how < 7) { /* only the first time counts */
            assert_false(aiovm_op_wanted(op));
            assert_status(aiovm_resolve(vm, op, aiovm_none()), AIOVM_DONE);
            assert_status(aiovm_reject(vm, op, "OSError", "x"), AIOVM_DONE);
            assert_status(aiovm_complete(op, make, NULL, drop), AIOVM_DONE);
            assert_int_equal(dropped, 1);
        }
        turn(vm);
        assert_int_equal(done_calls, 1);
        assert_int_equal(cancels, 0);
        static const char *const errors[] = {"",
                                             "the disk is gone",
                                             "",
                                             "the disk is gone",
                                             "there is no exception class 'NoSuchError'",
                                             "",
                                             "a host operation() failed with AIOVM_CANCELLED, but without an error",
                                             "the host has dropped the operation without a result"};
        assert_status(done_status, *errors[how] ? AIOVM_ERROR : AIOVM_OK);
        assert_string_equal(done_error, errors[how]);
        if (how == 0 || how == 2) assert_int_equal(done_result, 5);
        if (how < 7) aiovm_op_release(op);
    }
    assert_ok(aiovm_close(vm));
}

static void cancelling(void **state)
{
    (void)state;
    aiovm *vm = open_vm(AIOVM_HOST_LOOP);
    eval(vm, basics);
    for (int how = 0; how < 3; how++) {
        forget();
        aiovm_task *task;
        aiovm_op *op = waiting(vm, &task);
        if (how == 1) assert_ok(aiovm_complete(op, make, NULL, drop)); /* on its way when the task is cancelled */
        if (how == 2) eval(vm, "operation.set_result(8)");             /* by the script itself */
        else assert_ok(aiovm_cancel(task));
        turn(vm);
        assert_int_equal(done_calls, 1);
        if (how != 1) assert_status(done_status, how == 2 ? AIOVM_OK : AIOVM_CANCELLED);
        assert_int_equal(cancels, how != 1);
        assert_int_equal(dropped + made, how == 1);
        assert_status(aiovm_cancel(task), AIOVM_DONE);
        assert_status(aiovm_complete(op, make, NULL, NULL), AIOVM_CANCELLED);
        aiovm_op_release(op);
        aiovm_task_release(task);
    }
    assert_ok(aiovm_close(vm));
}

static void closing(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        forget();
        aiovm *vm = open_vm(AIOVM_HOST_LOOP);
        eval(vm, basics);
        aiovm_task *task;
        aiovm_op *op = waiting(vm, &task);
        if (how == 1) assert_ok(aiovm_complete(op, make, NULL, drop));
        if (how == 2) assert_ok(aiovm_reject(vm, op, "OSError", "x"));
        assert_ok(aiovm_close(vm));
        assert_int_equal(done_calls, 1);
        assert_status(done_status, AIOVM_ENDED);
        assert_int_equal(cancels, how == 0);
        assert_int_equal(dropped, how == 1);
        assert_int_equal(made, 0);
        assert_false(aiovm_op_wanted(op));
        assert_status(aiovm_complete(op, make, NULL, drop), how == 2 ? AIOVM_DONE : AIOVM_ENDED);
        assert_int_equal(dropped, 1 + (how == 1));
        assert_status(aiovm_cancel(task), AIOVM_ENDED);
        aiovm_op_release(op);
        aiovm_task_release(task);
    }
}

/* ---- tasks ---- */

static void spawning(void **state)
{
    (void)state;
    aiovm *vm = open_vm(AIOVM_HOST_LOOP | AIOVM_VIRTUAL_TIME);
    aiovm_task *task = (aiovm_task *)(void *)vm;
    eval(vm, basics);
    assert_fails(aiovm_spawn(vm, aiovm_none(), done, NULL, &task), "TypeError", "a coroutine was expected, got None");
    assert_null(task);
    aiovm_value v = eval(vm, "asyncio.sleep(5, 17)");
    forget();
    assert_ok(aiovm_spawn(vm, v, done, NULL, NULL));
    assert_int_equal(aiovm_timeout_ns(vm), 0);
    assert_int_equal(aiovm_run_ready(vm, 0), AIOVM_STATE_IDLE);
    turn(vm);
    assert_int_equal(done_result, 17);
    assert_int_equal(aiovm_run_ready(vm, 0), AIOVM_STATE_DONE);
    assert_int_equal(aiovm_timeout_ns(vm), -1);
    v = eval(vm, "asyncio.sleep(0, 4)");
    assert_ok(aiovm_spawn(vm, v, done, NULL, &task));
    aiovm_task_release(task); /* it goes on */
    turn(vm);
    assert_int_equal(done_result, 4);
    /* waiting for each other */
    eval(vm, "async def a(): await tb\nasync def b(): await ta\n");
    eval(vm, "async def both():\n    global ta, tb\n    ta = asyncio.create_task(a()); tb = asyncio.create_task(b())\n "
             "   await ta\n");
    v = eval(vm, "both()");
    assert_ok(aiovm_spawn(vm, v, done, NULL, NULL));
    aiovm_state s = AIOVM_STATE_READY;
    for (int i = 0; i < 10 && s == AIOVM_STATE_READY; i++) s = aiovm_run_ready(vm, 0);
    assert_string_equal(aiovm_state_name(s), "DEADLOCK");
    assert_true(*aiovm_error_message(vm));
    assert_ok(aiovm_close(vm));
}

static void leaving_the_loop(void **state)
{
    (void)state;
    aiovm *vm = open_vm(AIOVM_HOST_LOOP);
    eval(vm, "import asyncio, sys\nasync def leave():\n    sys.exit(9)\nasync def spin():\n    while True: pass\n");
    aiovm_value v = eval(vm, "leave()");
    assert_ok(aiovm_spawn(vm, v, NULL, NULL, NULL));
    assert_int_equal(aiovm_run_ready(vm, 0), AIOVM_STATE_FAILED);
    assert_int_equal(aiovm_exit_code(vm), 9);
    aiovm_handle *h = aiovm_handle_new(vm);
    aiovm_handle *again = aiovm_handle_new(vm);
    assert_non_null(h);
    assert_ptr_equal(h, again);
    assert_ptr_equal(aiovm_handle_retain(h), h);
    aiovm_handle_release(h);
    aiovm_handle_release(again);
    v = eval(vm, "spin()");
    assert_ok(aiovm_spawn(vm, v, NULL, NULL, NULL));
    assert_int_equal(aiovm_run_ready(vm, 1000), AIOVM_STATE_READY);
    aiovm_interrupt(h);
    assert_int_equal(aiovm_run_ready(vm, 100000), AIOVM_STATE_FAILED);
    assert_string_equal(aiovm_error_type(vm), "KeyboardInterrupt");
    aiovm_handle_release(h);
    assert_ok(aiovm_close(vm));
}

static void shutting_down(void **state)
{
    (void)state;
    forget();
    aiovm *vm = open_vm(AIOVM_HOST_LOOP);
    eval(vm, basics);
    eval(vm, "log = []\nasync def tidy():\n    try:\n        await asyncio.sleep(1e6)\n    finally:\n        await "
             "asyncio.sleep(0); log.append('tidied')\n"
             "async def stubborn():\n    while True:\n        try: await asyncio.sleep(1e6)\n        except "
             "asyncio.CancelledError: pass\n"
             "async def agen():\n    try: yield 1\n    finally: log.append('closed')\nasync def user():\n    global "
             "g\n    g = agen()\n    await anext(g)\n");
    static const char *const coroutines[] = {"tidy()", "user()", "forever()"};
    for (int i = 0; i < 3; i++) {
        aiovm_value v = eval(vm, coroutines[i]);
        assert_ok(aiovm_spawn(vm, v, done, NULL, NULL));
    }
    aiovm_run_ready(vm, 0);
    assert_ok(aiovm_shutdown(vm, 5000000000));
    assert_evals(vm, "log", "['tidied', 'closed']");
    assert_int_equal(done_calls, 3);
    aiovm_value v = eval(vm, "stubborn()");
    assert_ok(aiovm_spawn(vm, v, done, NULL, NULL));
    aiovm_run_ready(vm, 0);
    assert_status(aiovm_shutdown(vm, 20000000), AIOVM_PENDING);
    assert_ok(aiovm_close(vm));
    assert_int_equal(done_calls, 4);
    assert_status(done_status, AIOVM_ENDED);
}

static void evaluating_with_await(void **state)
{
    (void)state;
    aiovm *vm = open_vm(AIOVM_HOST_LOOP | AIOVM_VIRTUAL_TIME);
    aiovm_value v, code;
    eval(vm, basics);
    assert_status(aiovm_eval(vm, "await asyncio.sleep(1, 6)", AIOVM_ZTS, NULL, &v), AIOVM_PENDING);
    assert_int_equal(aiovm_type_of(vm, v), AIOVM_TYPE_FUTURE);
    forget();
    assert_ok(aiovm_spawn(vm, v, done, NULL, NULL)); /* a task that exists already */
    turn(vm);
    turn(vm);
    assert_int_equal(done_result, 6);
    assert_ok(aiovm_compile(vm, "await asyncio.sleep(1, 7)", AIOVM_ZTS, NULL, &code));
    assert_status(aiovm_eval_code(vm, code, &v), AIOVM_PENDING);
    assert_ok(aiovm_run(vm, v, &v)); /* blocks until it is done */
    assert_int_equal(aiovm_to_int(vm, v, 0), 7);
    assert_fails(aiovm_eval(vm, "asyncio.run(forever())", AIOVM_ZTS, NULL, NULL), "RuntimeError", "");
    assert_fails(aiovm_run(vm, aiovm_none(), &v), "TypeError", "a coroutine was expected, got None");
    assert_ok(aiovm_close(vm));
}

/* ---- the descriptor ---- */

static bool readable(aiovm *vm, int ms)
{
    struct pollfd p = {aiovm_fd(vm), POLLIN, 0};
    return poll(&p, 1, ms) == 1;
}

static void nothing_posted(aiovm *vm, void *ud) { *(int *)ud += vm ? 1 : 100; }

static void descriptor(void **state)
{
    (void)state;
    aiovm *vm = open_vm(AIOVM_HOST_LOOP);
    eval(vm, basics);
    assert_true(aiovm_fd(vm) >= 0);
    assert_int_equal(aiovm_fd(vm), aiovm_fd(vm));
    assert_false(readable(vm, 0));
    aiovm_value v = eval(vm, "asyncio.sleep(0.02)");
    assert_ok(aiovm_spawn(vm, v, NULL, NULL, NULL));
    assert_true(readable(vm, 0));
    assert_int_equal(aiovm_run_ready(vm, 0), AIOVM_STATE_IDLE);
    assert_true(aiovm_timeout_ns(vm) > 0);
    assert_true(readable(vm, 2000)); /* the timer */
    turn(vm);
    assert_int_equal(aiovm_run_ready(vm, 0), AIOVM_STATE_DONE);
    assert_false(readable(vm, 0));
    aiovm_handle *h = aiovm_handle_new(vm);
    assert_non_null(h);
    static int calls; /* not of this frame, which is left when an expectation fails */
    calls = 0;
    assert_ok(aiovm_post(h, nothing_posted, &calls));
    assert_true(readable(vm, 2000));
    turn(vm);
    assert_int_equal(calls, 1);
    assert_ok(aiovm_post(h, nothing_posted, &calls)); /* not run before it is closed */
    assert_ok(aiovm_close(vm));
    assert_int_equal(calls, 101);
    assert_status(aiovm_post(h, nothing_posted, &calls), AIOVM_ENDED);
    aiovm_handle_release(h);
}

/* ---- other threads ---- */

enum { THREADS = 4, EACH = 200 };
static aiovm_handle *shared;
static int posted;

static void count(aiovm *vm, void *ud) { (void)vm, (void)ud, posted++; }
static void *poster(void *ud)
{
    int *accepted = ud;
    for (int i = 0; i < EACH; i++)
        if (aiovm_post(shared, count, NULL) == AIOVM_OK) ++*accepted;
    aiovm_handle_release(aiovm_handle_retain(shared));
    return NULL;
}
static void *completer(void *ud)
{
    aiovm_op *op = ud;
    usleep(2000);
    if (aiovm_op_wanted(op)) aiovm_complete(op, make, (void *)3, drop);
    aiovm_op_release(op);
    return NULL;
}

/* Exactly what was accepted is called, also when the VM is closed meanwhile. */
static void posting_threads(void **state)
{
    (void)state;
    for (int close_early = 0; close_early < 2; close_early++) {
        aiovm *vm = open_vm(AIOVM_HOST_LOOP);
        pthread_t threads[THREADS];
        int accepted[THREADS] = {0}, sum = 0;
        posted = 0;
        shared = aiovm_handle_new(vm);
        assert_non_null(shared);
        for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, poster, &accepted[i]), 0);
        if (close_early) assert_ok(aiovm_close(vm));
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
        for (int i = 0; i < THREADS; i++) sum += accepted[i];
        if (!close_early) turn(vm);
        assert_int_equal(posted, sum);
        if (!close_early) assert_int_equal(sum, THREADS * EACH);
        if (!close_early) assert_ok(aiovm_close(vm));
        aiovm_handle_release(shared);
    }
}

static void completing_threads(void **state)
{
    (void)state;
    forget();
    aiovm *vm = open_vm(AIOVM_HOST_LOOP);
    eval(vm, basics);
    pthread_t threads[20];
    aiovm_task *tasks[20];
    for (int i = 0; i < 20; i++) {
        aiovm_op *op = waiting(vm, &tasks[i]);
        assert_int_equal(pthread_create(&threads[i], NULL, completer, op), 0);
        if (i % 2) assert_ok(aiovm_cancel(tasks[i]));
    }
    for (int i = 0; i < 500 && done_calls < 20; i++) {
        readable(vm, 10);
        aiovm_run_ready(vm, 0);
    }
    assert_int_equal(done_calls, 20);
    for (int i = 0; i < 20; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 20; i++) aiovm_task_release(tasks[i]);
    assert_true(made >= 10);
    assert_ok(aiovm_close(vm));
}

static int runs; /* of a script: one more is running */
static aiovm_status running(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)vm, (void)a, (void)out;
    __atomic_add_fetch(&runs, 1, __ATOMIC_RELAXED);
    return AIOVM_OK;
}
static void wait_for_run(int n)
{
    for (int i = 0; i < 1000 && __atomic_load_n(&runs, __ATOMIC_RELAXED) < n; i++) usleep(1000);
}
static void *stopper(void *ud)
{
    aiovm_handle *h = ud;
    wait_for_run(1);
    usleep(2000);
    aiovm_interrupt(h);
    wait_for_run(2);
    usleep(2000);
    aiovm_kill(h);
    aiovm_handle_release(h);
    return NULL;
}

static void stopping_threads(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    pthread_t t;
    assert_ok(aiovm_module(vm, "__main__", (const aiovm_func[]){{"running()", running, NULL, 0}, {0}}, NULL));
    aiovm_handle *h = aiovm_handle_new(vm);
    assert_non_null(h);
    runs = 0;
    assert_int_equal(pthread_create(&t, NULL, stopper, h), 0);
    assert_fails(aiovm_eval(vm, "running()\nwhile True: pass", AIOVM_ZTS, NULL, NULL), "KeyboardInterrupt", "");
    assert_status(aiovm_eval(vm,
                             "running()\nwhile True:\n    try:\n        while True: pass\n    except BaseException: "
                             "pass",
                             AIOVM_ZTS, NULL, NULL),
                  AIOVM_ENDED);
    pthread_join(t, NULL);
    assert_ok(aiovm_close(vm));
}

/* Scripts with threads: the host's calls take the lock; a native may run in any of them. Not with failing allocations:
 * a thread that has no memory in the midst of `with lock` may die with the lock held, as in CPython. */
static aiovm_status from_thread(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)a;
    aiovm_value v;
    assert_status(aiovm_run(vm, aiovm_none(), NULL), AIOVM_BUSY);
    assert_ok(aiovm_text(vm, "made in a thread", AIOVM_ZTS, &v));
    return aiovm_call_method(vm, v, "upper", 0, NULL, out);
}

static void script_threads(void **state)
{
    (void)state;
    aiovm_config c = {.size = sizeof c, .caps = AIOVM_CAP_THREADS, .report_fn = keep_report};
    aiovm *vm = aiovm_open(&c);
    assert_non_null(vm);
    assert_ok(aiovm_module(vm, "__main__", (const aiovm_func[]){{"native()", from_thread, NULL, 0}, {0}}, NULL));
    eval(vm, "import threading\nstop = threading.Event()\nn = 0\nseen = []\n"
             "def work():\n    global n\n    seen.append(native())\n    while not stop.wait(0.001): n += 1\n"
             "ts = [threading.Thread(target=work) for i in range(3)]\nfor t in ts: t.start()\n");
    aiovm_value v;
    int64_t n = 0;
    for (int i = 0; i < 2000 && n < 10; i++) { /* they run while the host does something else */
        usleep(1000);
        assert_ok(aiovm_get_global(vm, "n", &v));
        n = aiovm_to_int(vm, v, 0);
    }
    assert_true(n >= 10);
    eval(vm, "stop.set()\nfor t in ts: t.join()\n");
    assert_evals(vm, "set(seen), len(seen)", "({'MADE IN A THREAD'}, 3)");
    /* closing with a thread that would never end */
    eval(vm, "def spin():\n    while True: pass\nthreading.Thread(target=spin, daemon=True).start()\n");
    assert_ok(aiovm_close(vm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finishing),        cmocka_unit_test(cancelling),
        cmocka_unit_test(closing),          cmocka_unit_test(spawning),
        cmocka_unit_test(leaving_the_loop), cmocka_unit_test(shutting_down),
        cmocka_unit_test(descriptor),       cmocka_unit_test(evaluating_with_await),
        cmocka_unit_test(posting_threads),  cmocka_unit_test(completing_threads),
        cmocka_unit_test(stopping_threads), unit_test_without_faults(script_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
