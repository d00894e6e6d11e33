/* A host with a poll() loop of its own over two sockets. Each line that comes in on one of them starts a script
 * function, which sleeps a little and answers through the host; the VM's descriptor is one more entry in the array
 * given to poll().
 *
 * The peers are played by this program too, so that it can be run without any: two socket pairs, on which three
 * requests each are written.
 */
#include <aiovm.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 2, REQUESTS = 3 };
static int host_end[CLIENTS], peer_end[CLIENTS];

static const char script[] = "import asyncio, host\n"
                             "async def serve(client, line):\n"
                             "    name, delay = line.split()\n"
                             "    await asyncio.sleep(float(delay))\n"
                             "    host.send(client, f'{name} after {delay} s\\n')\n";

/* host.send(client, text) */
static aiovm_status host_send(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)out;
    int64_t client = 0;
    const char *text = NULL;
    size_t n = 0;
    if (aiovm_unpack(vm, a, "it", &client, &text, &n)) return AIOVM_ERROR;
    if (client < 0 || client >= CLIENTS) return aiovm_raise(vm, "ValueError", "there is no client %ld", (long)client);
    if (write(host_end[client], text, n) < 0) return aiovm_raise(vm, "OSError", "the client is gone");
    return AIOVM_OK;
}
static const aiovm_func functions[] = {{"send(client, text)", host_send, "Send text to a client.", 0}, {0}};

static int finished;
static void on_done(aiovm *vm, void *ud, aiovm_status status, aiovm_value result)
{
    (void)ud, (void)result;
    if (status != AIOVM_OK) fputs(aiovm_error_text(vm), stderr);
    finished++;
}

static int serve_line(aiovm *vm, int client, const char *line, size_t n)
{
    aiovm_value f, args[2], coroutine;
    return aiovm_get_global(vm, "serve", &f) || aiovm_int(vm, client, &args[0]) || aiovm_text(vm, line, n, &args[1]) ||
           aiovm_call(vm, f, 2, args, &coroutine) || aiovm_spawn(vm, coroutine, on_done, NULL, NULL);
}

static void read_client(aiovm *vm, int client)
{
    char buf[512];
    ssize_t n = read(host_end[client], buf, sizeof buf);
    for (char *p = buf; n > 0 && p < buf + n;) { /* whole lines, for the example's sake */
        char *end = memchr(p, '\n', (size_t)(buf + n - p));
        if (!end) break;
        if (serve_line(vm, client, p, (size_t)(end - p))) fputs(aiovm_error_text(vm), stderr);
        p = end + 1;
    }
}

int main(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return 1;
        host_end[i] = pair[0];
        peer_end[i] = pair[1];
        for (int k = 0; k < REQUESTS; k++) {
            char line[64];
            int n = snprintf(line, sizeof line, "request%d.%d 0.%02d\n", i, k, 3 * k + i + 1);
            if (write(peer_end[i], line, (size_t)n) != n) return 1;
        }
    }
    aiovm_config config = {.size = sizeof config, .flags = AIOVM_HOST_LOOP};
    aiovm *vm = aiovm_open(&config);
    if (!vm || aiovm_module(vm, "host", functions, NULL) || aiovm_eval(vm, script, AIOVM_ZTS, "serve.aio", NULL))
        return 1;
    while (finished < CLIENTS * REQUESTS) {
        struct pollfd fds[CLIENTS + 1];
        for (int i = 0; i < CLIENTS; i++) fds[i] = (struct pollfd){.fd = host_end[i], .events = POLLIN};
        fds[CLIENTS] = (struct pollfd){.fd = aiovm_fd(vm), .events = POLLIN};
        if (poll(fds, CLIENTS + 1, 10000) <= 0) break;
        for (int i = 0; i < CLIENTS; i++)
            if (fds[i].revents) read_client(vm, i);
        if (fds[CLIENTS].revents) aiovm_run_ready(vm, 100000);
    }
    for (int i = 0; i < CLIENTS; i++) {
        char buf[512];
        ssize_t n = read(peer_end[i], buf, sizeof buf);
        printf("client %d got\n%.*s", i, n > 0 ? (int)n : 0, buf);
        close(host_end[i]);
        close(peer_end[i]);
    }
    return aiovm_close(vm) == AIOVM_OK && finished == CLIENTS * REQUESTS ? 0 : 1;
}
