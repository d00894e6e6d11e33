/* Host operations, spawned tasks, handles and the host's loop. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static aiovm_op *last_op;
static int cancels, drops, makes;

static void on_cancel(void *ud) { cancels += *(int *)ud; }
static void on_drop(void *ud) { drops += ud == &drops; }
static aiovm_status make_int(aiovm *vm, void *ud, aiovm_value *out)
{
    makes++;
    return aiovm_int(vm, (intptr_t)ud, out);
}
static aiovm_status make_error(aiovm *vm, void *ud, aiovm_value *out)
{
    (void)out;
    return aiovm_raise(vm, "OSError", "%s", (const char *)ud);
}
static aiovm_status make_nothing(aiovm *vm, void *ud, aiovm_value *out)
{
    (void)vm, (void)ud, (void)out;
    return AIOVM_ERROR;
}
static aiovm_status op(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    static int one = 1;
    (void)a;
    return aiovm_future(vm, on_cancel, &one, &last_op, out);
}

/* ---- operations completed by threads ---- */

static void *complete_later(void *p)
{
    usleep(1000);
    aiovm_complete(p, make_int, (void *)21, NULL);
    aiovm_op_release(p);
    return NULL;
}
static pthread_t threads[100];
static int nthreads;
static aiovm_status in_thread(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)a;
    aiovm_op *o;
    aiovm_status status = aiovm_future(vm, NULL, NULL, &o, out);
    if (status) return status;
    if (pthread_create(&threads[nthreads], NULL, complete_later, o)) {
        aiovm_op_release(o);
        return aiovm_raise(vm, "RuntimeError", "no thread");
    }
    nthreads++;
    return AIOVM_OK;
}
static void join_threads(void)
{
    while (nthreads) pthread_join(threads[--nthreads], NULL);
}
static const aiovm_func functions[] = {{"op()", op, NULL, 0}, {"in_thread()", in_thread, NULL, 0}, {0}};

/* Drives the VM until nothing is left to be driven. */
static aiovm_state drive(aiovm *vm)
{
    for (;;) {
        aiovm_state s = aiovm_run_ready(vm, 0);
        if (s == AIOVM_STATE_READY) continue;
        if (s != AIOVM_STATE_WAIT_IO && s != AIOVM_STATE_IDLE && s != AIOVM_STATE_WAIT_HOST) return s;
        struct pollfd p = {.fd = aiovm_fd(vm), .events = POLLIN};
        if (poll(&p, 1, 500) == 0) return s;
    }
}

/* ---- spawned tasks ---- */

static aiovm_status done_status;
static int done_calls;
static char done_text[100];
static void on_done(aiovm *vm, void *ud, aiovm_status status, aiovm_value result)
{
    CHECK(ud == &done_calls);
    done_calls++;
    done_status = status;
    aiovm_value text;
    if (status == AIOVM_ERROR) snprintf(done_text, sizeof done_text, "%s", aiovm_error_message(vm));
    else if (aiovm_repr(vm, result, &text) == AIOVM_OK)
        snprintf(done_text, sizeof done_text, "%s", aiovm_to_text(vm, text, NULL));
    else *done_text = 0;
}
static aiovm_task *spawn(aiovm *vm, const char *call)
{
    aiovm_value coro;
    aiovm_task *t = NULL;
    OK(aiovm_eval(vm, call, AIOVM_ZTS, NULL, &coro));
    OK(aiovm_spawn(vm, coro, on_done, &done_calls, &t));
    done_calls = 0;
    *done_text = 0;
    return t;
}

static aiovm *prepared(uint32_t flags)
{
    aiovm *vm = open_with(flags);
    OK(aiovm_module(vm, "__main__", functions, NULL));
    OK(run(vm, "import asyncio\n"
               "async def wait(f): return await f()\n"
               "async def many(f): return sum(await asyncio.gather(*[f() for i in range(50)]))\n"
               "async def impatient(f):\n"
               "    try: await asyncio.wait_for(f(), 0.01)\n"
               "    except TimeoutError: return 'too slow'\n"
               "async def meddle(f):\n"
               "    fut = f()\n"
               "    fut.set_result('mine')\n"
               "    return await fut\n"));
    return vm;
}

static void operations(void **state)
{
    (void)state;
    aiovm *vm = prepared(AIOVM_HOST_LOOP);
    aiovm_task *t = spawn(vm, "wait(op)");
    CHECK(aiovm_run_ready(vm, 0) == AIOVM_STATE_WAIT_HOST);
    CHECK(aiovm_op_wanted(last_op) && aiovm_timeout_ns(vm) == -1);
    OK(aiovm_resolve(vm, last_op, aiovm_float(1.5)));
    CHECK(aiovm_timeout_ns(vm) == 0);
    CHECK_STATUS(aiovm_resolve(vm, last_op, aiovm_none()), AIOVM_DONE);
    CHECK_STATUS(aiovm_complete(last_op, make_int, &drops, on_drop), AIOVM_DONE);
    CHECK(drops == 1 && !aiovm_op_wanted(last_op));
    CHECK(drive(vm) == AIOVM_STATE_DONE && done_calls == 1 && done_status == AIOVM_OK && strcmp(done_text, "1.5") == 0);
    aiovm_op_release(last_op);
    CHECK_STATUS(aiovm_cancel(t), AIOVM_DONE);
    aiovm_task_release(t);

    t = spawn(vm, "wait(op)");
    aiovm_run_ready(vm, 0);
    OK(aiovm_reject(vm, last_op, "KeyError", "gone"));
    CHECK_STATUS(aiovm_reject(vm, last_op, "KeyError", "gone"), AIOVM_DONE);
    aiovm_op_release(last_op);
    CHECK(drive(vm) == AIOVM_STATE_DONE && done_status == AIOVM_ERROR && strcmp(done_text, "'gone'") == 0);
    aiovm_task_release(t);

    /* Completed twice, once in vain. */
    t = spawn(vm, "wait(op)");
    aiovm_run_ready(vm, 0);
    OK(aiovm_complete(last_op, make_int, (void *)5, on_drop));
    CHECK_STATUS(aiovm_complete(last_op, make_int, &drops, on_drop), AIOVM_DONE);
    CHECK(drops == 2);
    aiovm_op_release(last_op);
    CHECK(drive(vm) == AIOVM_STATE_DONE && strcmp(done_text, "5") == 0 && makes == 1);
    aiovm_task_release(t);

    t = spawn(vm, "wait(op)");
    aiovm_run_ready(vm, 0);
    OK(aiovm_complete(last_op, make_error, (void *)"disk", NULL));
    aiovm_op_release(last_op);
    drive(vm);
    CHECK(done_status == AIOVM_ERROR && strcmp(done_text, "disk") == 0);
    aiovm_task_release(t);

    t = spawn(vm, "wait(op)");
    aiovm_run_ready(vm, 0);
    OK(aiovm_complete(last_op, make_nothing, NULL, NULL));
    CHECK_STATUS(aiovm_complete(last_op, NULL, NULL, NULL), AIOVM_INVALID);
    aiovm_op_release(last_op);
    drive(vm);
    CHECK(strcmp(done_text, "a host operation() failed with AIOVM_ERROR, but without an error") == 0);
    aiovm_task_release(t);

    /* Dropped without a result. */
    t = spawn(vm, "wait(op)");
    aiovm_run_ready(vm, 0);
    CHECK(aiovm_op_retain(last_op) == last_op);
    aiovm_op_release(last_op);
    CHECK(aiovm_op_wanted(last_op));
    aiovm_op_release(last_op);
    drive(vm);
    CHECK(strcmp(done_text, "the host has dropped the operation without a result") == 0);
    aiovm_task_release(t);

    /* Cancelled: by the host, by a script, and while its result is on the way. */
    cancels = 0;
    t = spawn(vm, "wait(op)");
    aiovm_run_ready(vm, 0);
    OK(aiovm_cancel(t));
    CHECK(cancels == 1 && !aiovm_op_wanted(last_op));
    CHECK_STATUS(aiovm_complete(last_op, make_int, &drops, on_drop), AIOVM_CANCELLED);
    CHECK_STATUS(aiovm_resolve(vm, last_op, aiovm_none()), AIOVM_CANCELLED);
    aiovm_op_release(last_op);
    CHECK(drive(vm) == AIOVM_STATE_DONE && done_status == AIOVM_CANCELLED && done_calls == 1 && drops == 3);
    aiovm_task_release(t);
    t = spawn(vm, "impatient(op)");
    CHECK(drive(vm) == AIOVM_STATE_DONE && cancels == 2 && strcmp(done_text, "'too slow'") == 0);
    aiovm_op_release(last_op);
    aiovm_task_release(t);
    t = spawn(vm, "wait(op)");
    aiovm_run_ready(vm, 0);
    OK(aiovm_complete(last_op, make_int, &drops, on_drop));
    OK(aiovm_cancel(t));
    CHECK(drive(vm) == AIOVM_STATE_DONE && cancels == 2 && drops == 4);
    aiovm_op_release(last_op);
    aiovm_task_release(t);
    /* A script finishes the host's future itself. */
    t = spawn(vm, "meddle(op)");
    drive(vm);
    CHECK(cancels == 3 && strcmp(done_text, "'mine'") == 0);
    CHECK_STATUS(aiovm_resolve(vm, last_op, aiovm_none()), AIOVM_CANCELLED);
    aiovm_op_release(last_op);
    aiovm_task_release(t);

    t = spawn(vm, "many(in_thread)");
    CHECK(drive(vm) == AIOVM_STATE_DONE && strcmp(done_text, "1050") == 0);
    join_threads();
    aiovm_task_release(t);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

static void tasks(void **state)
{
    (void)state;
    aiovm *vm = prepared(AIOVM_HOST_LOOP);
    FAILS(aiovm_spawn(vm, aiovm_none(), NULL, NULL, NULL), "TypeError", "a coroutine was expected, got None");
    OK(run(vm, "async def fail(): raise ValueError('spawned')\nasync def nap(n):\n    await asyncio.sleep(n)\n    "
               "return n\n"));
    aiovm_task *t = spawn(vm, "fail()");
    drive(vm);
    CHECK(done_status == AIOVM_ERROR && strcmp(done_text, "spawned") == 0);
    aiovm_task_release(t);
    t = spawn(vm, "nap(0.01)");
    CHECK(aiovm_run_ready(vm, 0) == AIOVM_STATE_IDLE);
    CHECK(aiovm_timeout_ns(vm) > 0 && aiovm_timeout_ns(vm) <= 10000001);
    CHECK(drive(vm) == AIOVM_STATE_DONE && strcmp(done_text, "0.01") == 0);
    aiovm_task_release(t);
    t = spawn(vm, "nap(100)");
    aiovm_task_release(t); /* it goes on */
    aiovm_run_ready(vm, 0);
    t = spawn(vm, "nap(0)");
    drive(vm);
    aiovm_task_release(t);
    OK(run(vm, "for t in asyncio.all_tasks(asyncio.get_event_loop_policy().get_event_loop()) if False else (): pass"));
    aiovm_value v;
    CHECK_STATUS(aiovm_eval(vm, "await nap(0.001)", AIOVM_ZTS, NULL, &v), AIOVM_PENDING);
    CHECK(aiovm_type_of(vm, v) == AIOVM_TYPE_FUTURE);
    OK(aiovm_eval(vm, "nap(0.002)", AIOVM_ZTS, NULL, &v));
    OK(aiovm_run(vm, v, &v)); /* the host's loop, blocking */
    CHECK(aiovm_to_float(vm, v, 0) == 0.002);
    static const char *const refused[] = {"asyncio.run(nap(0))", "asyncio.new_event_loop().run_until_complete(nap(0))",
                                          "asyncio.new_event_loop().run_forever()", "asyncio.Runner().run(nap(0))"};
    OK(run(vm, "import warnings; warnings.simplefilter('ignore')"));
    for (int i = 0; i < 4; i++)
        FAILS(run(vm, refused[i]), "RuntimeError", "the host drives the loop: use top-level await");
    CHECK_STATUS(run(vm, "import sys\nawait asyncio.sleep(0)\nsys.exit(4)"), AIOVM_PENDING);
    aiovm_state s;
    while ((s = aiovm_run_ready(vm, 0)) == AIOVM_STATE_READY) continue;
    CHECK(s == AIOVM_STATE_FAILED && aiovm_exit_code(vm) == 4);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

/* ---- handles ---- */

static int posted, posted_null;
static void on_post(aiovm *vm, void *ud)
{
    if (vm) posted += *(int *)ud;
    else posted_null += *(int *)ud;
}
static void *post_many(void *p)
{
    static int one = 1;
    for (int i = 0; i < 1000; i++) aiovm_post(p, on_post, &one);
    aiovm_handle_release(p);
    return NULL;
}
static void *interrupt_soon(void *p)
{
    usleep(20000);
    aiovm_interrupt(p);
    aiovm_handle_release(p);
    return NULL;
}

static void handles(void **state)
{
    (void)state;
    aiovm *vm = prepared(AIOVM_HOST_LOOP);
    aiovm_handle *h = aiovm_handle_new(vm);
    CHECK(h);
    pthread_t t[4];
    CHECK_STATUS(aiovm_post(h, NULL, NULL), AIOVM_INVALID);
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, post_many, aiovm_handle_retain(h));
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    struct pollfd p = {.fd = aiovm_fd(vm), .events = POLLIN};
    CHECK(poll(&p, 1, 0) == 1);
    aiovm_run_ready(vm, 0);
    CHECK(posted == 4000);
    pthread_create(&t[0], NULL, interrupt_soon, aiovm_handle_retain(h));
    FAILS(run(vm, "while True: pass"), "KeyboardInterrupt", "");
    pthread_join(t[0], NULL);
    pthread_create(&t[0], NULL, interrupt_soon, aiovm_handle_retain(h));
    FAILS(run(vm, "import time; time.sleep(100)"), "KeyboardInterrupt", "");
    pthread_join(t[0], NULL);
    aiovm_handle_release(h);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

/* Handles, ops and tasks outlive their VM. */
static void orphans(void **state)
{
    (void)state;
    aiovm *vm = prepared(AIOVM_HOST_LOOP);
    int one = 1;
    aiovm_handle *h = aiovm_handle_new(vm);
    CHECK(h);
    aiovm_task *t = spawn(vm, "wait(op)");
    aiovm_run_ready(vm, 0);
    aiovm_op *first_op = last_op;
    aiovm_task *never = spawn(vm, "wait(op)");
    aiovm_run_ready(vm, 0);
    OK(aiovm_post(h, on_post, &one));
    cancels = drops = done_calls = 0;
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
    CHECK(posted_null == 1 && cancels == 2 && done_calls == 2 && done_status == AIOVM_ENDED);
    CHECK_STATUS(aiovm_complete(last_op, make_int, &drops, on_drop), AIOVM_ENDED);
    CHECK(drops == 1 && !aiovm_op_wanted(last_op));
    aiovm_op_release(last_op);
    aiovm_op_release(first_op); /* without a result, when nobody is there any more */
    CHECK_STATUS(aiovm_cancel(t), AIOVM_ENDED);
    aiovm_task_release(t);
    aiovm_task_release(never);
    CHECK_STATUS(aiovm_post(h, on_post, &one), AIOVM_ENDED);
    aiovm_interrupt(h);
    aiovm_kill(h);
    aiovm_handle_release(h);
    aiovm_handle_release(NULL);
    aiovm_task_release(NULL);
    aiovm_op_release(NULL);
}

/* A VM that runs its own loop. */
static void own_loop(void **state)
{
    (void)state;
    aiovm *vm = prepared(0);
    FAILS(run(vm, "op()"), "RuntimeError",
          "no running event loop: open the VM with AIOVM_HOST_LOOP, or call this from a script that runs in one");
    CHECK(aiovm_run_ready(vm, 0) == AIOVM_STATE_FAILED && aiovm_fd(vm) == -1 && aiovm_timeout_ns(vm) == -1);
    CHECK(evals_to(vm, "await many(in_thread)", "1050"));
    join_threads();
    aiovm_handle *h = aiovm_handle_new(vm);
    CHECK(h);
    pthread_t t;
    CHECK(pthread_create(&t, NULL, interrupt_soon, h) == 0);
    FAILS(run(vm, "await asyncio.sleep(100)"), "KeyboardInterrupt", "");
    pthread_join(t, NULL);
    CHECK_STATUS(aiovm_shutdown(vm, 0), AIOVM_OK);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

PARTS(PART(operations), PART(handles), PART(tasks), PART(orphans), PART(own_loop))
