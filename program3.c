#include <aiovm.h>
#include <poll.h>
#include <stdio.h>

static aiovm_op *question;
static aiovm_status ask(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)a;
    return aiovm_future(vm, NULL, NULL, &question, out);
}
static void done(aiovm *vm, void *ud, aiovm_status status, aiovm_value result)
{
    (void)ud;
    if (status == AIOVM_OK) printf("%s\n", aiovm_to_text(vm, result, NULL));
}

int main(void)
{
    aiovm_config config = {.size = sizeof config, .flags = AIOVM_HOST_LOOP};
    aiovm *vm = aiovm_open(&config);
    aiovm_value main_function, coroutine, answer;
    if (!vm || aiovm_module(vm, "host", (aiovm_func[]){{"ask()", ask, NULL, 0}, {0}}, NULL)) return 1;
    aiovm_eval(vm, "import asyncio, host\nasync def main():\n    a, b = await asyncio.gather(host.ask(), asyncio.sleep(0.01, 'rested'))\n"
                   "    return f'{a} and {b}'\n", AIOVM_ZTS, NULL, NULL);
    aiovm_get_global(vm, "main", &main_function);
    aiovm_call(vm, main_function, 0, NULL, &coroutine);
    aiovm_spawn(vm, coroutine, done, NULL, NULL);
    aiovm_state state = AIOVM_STATE_READY;
    while (state != AIOVM_STATE_DONE) {
        struct pollfd fd = {.fd = aiovm_fd(vm), .events = POLLIN};
        poll(&fd, 1, -1);
        state = aiovm_run_ready(vm, 100000); /* at most so much work, then the host is asked again */
        if (question) { /* the host answers when it likes */
            aiovm_text(vm, "answered", AIOVM_ZTS, &answer);
            aiovm_resolve(vm, question, answer);
            aiovm_op_release(question);
            question = NULL;
        }
    }
    return aiovm_close(vm);
}
