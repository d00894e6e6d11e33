/* The Redis module under load: 50 clients each call a script that takes 300 ms; all have their answer within 400 ms,
 * while PING is answered at once. Without redis-server there is nothing to be shown.
 *
 *     redis [-v]    -v: exactly that, and figures
 */
#include "check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 50 };

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static void send_command(int fd, int argc, const char *const *argv)
{
    char buf[2000];
    int n = snprintf(buf, sizeof buf, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++)
        n += snprintf(buf + n, sizeof buf - (size_t)n, "$%zu\r\n%s\r\n", strlen(argv[i]), argv[i]);
    CHECK(write(fd, buf, (size_t)n) == n);
}

/* One reply: simple, error, or bulk. */
static const char *reply(int fd)
{
    static char buf[1000];
    size_t have = 0;
    for (;;) {
        ssize_t n = read(fd, buf + have, sizeof buf - 1 - have);
        if (n <= 0) return "";
        have += (size_t)n;
        buf[have] = 0;
        if (have < 2 || strcmp(buf + have - 2, "\r\n") != 0) continue;
        char *line = strstr(buf, "\r\n");
        if (buf[0] != '$') {
            *line = 0;
            return buf;
        }
        if (strncmp(buf, "$-1", 3) == 0) return "";
        if (line + 2 == buf + have) continue; /* the bulk is still to come */
        buf[have - 2] = 0;
        return line + 2;
    }
}
#define COMMAND(fd, ...)                                                                                               \
    (send_command((fd), (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *[]){__VA_ARGS__}), \
     reply(fd))

static const char script[] = "import asyncio, redis\n"
                             "async def slow(ms, tag):\n"
                             "    await asyncio.sleep(int(ms) / 1000)\n"
                             "    redis.call('INCR', 'calls')\n"
                             "    return tag\n"
                             "def plain(x): return x * 2\n"
                             "async def fail(): raise ValueError('as asked')\n"
                             "async def forever():\n"
                             "    try: await asyncio.sleep(1000)\n"
                             "    finally: redis.call('SET', 'cancelled', 'yes')\n";

static void load(const char *socket_path, bool verbose)
{
    int fds[CLIENTS], control = connect_to(socket_path);
    const char *got = COMMAND(control, "AIO.LOAD", script);
    CHECK(strcmp(got, "+OK") == 0);
    CHECK(strcmp(COMMAND(control, "AIO.CALL", "plain", "ab"), "abab") == 0);
    CHECK(strcmp(COMMAND(control, "AIO.CALL", "fail"), "-ERR ValueError: as asked") == 0);
    CHECK(strcmp(COMMAND(control, "AIO.CALL", "nothing"), "-ERR NameError: name 'nothing' is not defined") == 0);
    CHECK(strncmp(COMMAND(control, "AIO.LOAD", "def f(:"), "-ERR SyntaxError", 16) == 0);
    for (int i = 0; i < CLIENTS; i++) CHECK((fds[i] = connect_to(socket_path)) >= 0);
    double start = now_ms(), worst_ping = 0, last = 0;
    for (int i = 0; i < CLIENTS; i++) {
        char tag[20];
        snprintf(tag, sizeof tag, "tag%d", i);
        send_command(fds[i], 4, (const char *[]){"AIO.CALL", "slow", "300", tag});
    }
    int answered = 0;
    while (answered < CLIENTS && now_ms() - start < 5000) {
        double ping = now_ms();
        CHECK(strcmp(COMMAND(control, "PING"), "+PONG") == 0);
        ping = now_ms() - ping;
        if (ping > worst_ping) worst_ping = ping;
        for (int i = 0; i < CLIENTS; i++) {
            struct pollfd p = {.fd = fds[i], .events = POLLIN};
            if (fds[i] < 0 || poll(&p, 1, 0) != 1) continue;
            char tag[20];
            snprintf(tag, sizeof tag, "tag%d", i);
            CHECK(strcmp(reply(fds[i]), tag) == 0);
            close(fds[i]);
            fds[i] = -1;
            answered++;
            last = now_ms() - start;
        }
        usleep(1000);
    }
    CHECK(answered == CLIENTS);
    CHECK(last >= 299 && last < (verbose ? 400 : 2000)); /* a busy machine is no failure */
    CHECK(worst_ping < (verbose ? 5 : 200));
    if (verbose) fprintf(stderr, "%.1f ms for all, PING %.2f ms at worst\n", last, worst_ping);
    CHECK(strcmp(COMMAND(control, "GET", "calls"), "50") == 0);
    /* A client that goes away cancels its task. */
    int leaver = connect_to(socket_path);
    send_command(leaver, 2, (const char *[]){"AIO.CALL", "forever"});
    usleep(20000);
    close(leaver);
    for (int i = 0; i < 100; i++) {
        got = COMMAND(control, "GET", "cancelled");
        if (strcmp(got, "yes") == 0) break;
        usleep(5000);
    }
    CHECK(strcmp(got, "yes") == 0);
    close(control);
}

int main(int argc, char **argv)
{
    (void)argv;
    char module[4096], socket_path[100], self[4000];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    for (int up = 0; up < 3; up++)
        if (strrchr(self, '/')) *strrchr(self, '/') = 0;
    snprintf(module, sizeof module, "%s/examples/embed/redis_module.so", self);
    snprintf(socket_path, sizeof socket_path, "/tmp/aiovm-redis-%d.sock", (int)getpid());
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    module[0] = 0; /* a server without the sanitizer's runtime can't load such a module */
#endif
    if (access(module, R_OK) != 0 || access("/usr/bin/redis-server", X_OK) != 0) {
        puts("ok");
        return 0;
    }
    pid_t server = fork();
    if (server == 0) {
        if (!freopen("/dev/null", "w", stdout)) _exit(1);
        execl("/usr/bin/redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--save", "",
              "--loadmodule", module, (char *)NULL);
        _exit(1);
    }
    int fd = -1;
    for (int i = 0; i < 500 && fd < 0; i++) {
        usleep(10000);
        fd = connect_to(socket_path);
    }
    CHECK(fd >= 0);
    if (fd >= 0) {
        close(fd);
        load(socket_path, argc > 1);
    }
    kill(server, SIGTERM);
    int status = 0;
    waitpid(server, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    unlink(socket_path);
    if (!failures) puts("ok");
    return failures != 0;
}
