/* A libuv host: the VM's descriptor is watched by a uv_poll_t, and script functions start timers of libuv. */
#include <aiovm.h>

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

typedef struct timer {
    uv_timer_t handle;
    aiovm_op *op;
    uint64_t ms;
} timer;

static void on_closed(uv_handle_t *h) { free(h->data); }

/* The script no longer wants it. */
static void on_cancel(void *ud)
{
    timer *t = ud;
    uv_timer_stop(&t->handle);
    aiovm_op_release(t->op);
    uv_close((uv_handle_t *)&t->handle, on_closed);
}

static void on_timer(uv_timer_t *h)
{
    timer *t = h->data;
    aiovm *vm = h->loop->data;
    aiovm_value ms;
    if (aiovm_int(vm, (int64_t)t->ms, &ms) == AIOVM_OK) aiovm_resolve(vm, t->op, ms);
    aiovm_op_release(t->op);
    uv_close((uv_handle_t *)h, on_closed);
}

/* await uv.wait(ms) */
static aiovm_status uv_wait(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    int64_t ms = 0;
    if (aiovm_unpack(vm, a, "i", &ms)) return AIOVM_ERROR;
    if (ms < 0) return aiovm_raise(vm, "ValueError", "a negative time");
    timer *t = calloc(1, sizeof *t);
    if (!t) return AIOVM_NOMEM;
    aiovm_status status = aiovm_future(vm, on_cancel, t, &t->op, out);
    if (status) {
        free(t);
        return status;
    }
    t->ms = (uint64_t)ms;
    t->handle.data = t;
    uv_timer_init(a->ud, &t->handle);
    t->handle.data = t;
    uv_timer_start(&t->handle, on_timer, t->ms, 0);
    return AIOVM_OK;
}
static const aiovm_func functions[] = {{"wait(ms)", uv_wait, "Wait with a timer of libuv; gives ms.", 0}, {0}};

static void on_vm(uv_poll_t *h, int status, int events)
{
    (void)status, (void)events;
    if (aiovm_run_ready(h->loop->data, 100000) == AIOVM_STATE_DONE) uv_close((uv_handle_t *)h, NULL);
}

static const char script[] =
    "import asyncio, uv\n"
    "async def late():\n"
    "    try: await asyncio.wait_for(uv.wait(5000), 0.02)\n"
    "    except TimeoutError: return 'too late'\n"
    "print(await asyncio.gather(uv.wait(30), uv.wait(10), asyncio.sleep(0.02, 'slept'), late()))\n";

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    aiovm_config config = {.size = sizeof config, .flags = AIOVM_HOST_LOOP};
    aiovm *vm = aiovm_open(&config);
    if (!vm || aiovm_module(vm, "uv", functions, loop)) return 1;
    loop->data = vm;
    if (aiovm_eval(vm, script, AIOVM_ZTS, "uv.aio", NULL) != AIOVM_PENDING) return 1;
    uv_poll_t poll;
    uv_poll_init(loop, &poll, aiovm_fd(vm));
    uv_poll_start(&poll, UV_READABLE, on_vm);
    uv_run(loop, UV_RUN_DEFAULT);
    aiovm_status status = aiovm_close(vm);
    uv_loop_close(loop);
    return status != AIOVM_OK;
}
