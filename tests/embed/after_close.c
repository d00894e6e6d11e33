/* What a host still holds of tasks when the VM is closed, and what scripts do while it is. */
#include "check.h"

static int calls;
static aiovm_status last;
static void done(aiovm *vm, void *ud, aiovm_status status, aiovm_value result)
{
    (void)vm, (void)ud, (void)result;
    calls++;
    last = status;
}

static aiovm_status spawn(aiovm *vm, aiovm_args *args, aiovm_value *out)
{
    (void)out;
    return aiovm_spawn(vm, args->argv[0], done, NULL, NULL);
}

/* The handle of a task that is done may be asked after its VM has gone. */
static void handle_of_finished_task(void)
{
    aiovm *vm = open_with(AIOVM_HOST_LOOP);
    aiovm_value coro;
    aiovm_task *task;
    OK(run(vm, "async def f(): return 1"));
    OK(aiovm_eval(vm, "f()", AIOVM_ZTS, NULL, &coro));
    OK(aiovm_spawn(vm, coro, done, NULL, &task));
    while (aiovm_run_ready(vm, 0) == AIOVM_STATE_READY) {
    }
    CHECK(calls == 1 && last == AIOVM_OK);
    OK(aiovm_close(vm));
    CHECK_STATUS(aiovm_cancel(task), AIOVM_DONE);
    aiovm_task_release(task);
}

/* A loop that runs at exit finishes a task whose end the host has been told already. */
static void loop_at_exit(void)
{
    aiovm *vm = open_with(AIOVM_VIRTUAL_TIME);
    static const aiovm_func functions[] = {{"spawn(coro)", spawn, NULL, 0}, {0}};
    calls = 0;
    OK(aiovm_module(vm, "host", functions, NULL));
    OK(run(vm, "import asyncio, atexit, host\n"
               "loop = asyncio.new_event_loop()\n"
               "async def job():\n"
               "    await asyncio.sleep(1)\n"
               "    print('the job ends')\n"
               "async def start():\n"
               "    host.spawn(job())\n"
               "loop.run_until_complete(start())\n"
               "atexit.register(lambda: loop.run_until_complete(asyncio.sleep(2)))\n"));
    CHECK(calls == 0);
    OK(aiovm_close(vm));
    CHECK(calls == 1 && last == AIOVM_ENDED);
}

int main(void)
{
    handle_of_finished_task();
    loop_at_exit();
    if (!failures) puts("ok");
    return failures != 0;
}
