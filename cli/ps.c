/* aio ps PID, aio tree PID: ask a running program over its socket (runtime/monitor.c listens) and print the answer. */
#include "cli/ps.h"
#include "runtime/monitor_socket.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char usage[] =
    "usage: aio ps [--json | --stacks] [PID]\n"
    "       aio tree [--json] PID\n"
    "\n"
    "Shows the tasks of a running aio program: what each waits for and where (ps), who waits for whom\n"
    "(tree). Without PID, ps lists the programs that can be asked.\n"
    "\n"
    "  --json     as JSON: name, state, waits_for, held_by, created, stack, awaited_by\n"
    "  --stacks   every task with its await stack, as Ctrl-\\ prints them\n"
    "\n"
    "Examples:\n"
    "  aio ps\n"
    "  aio ps 4242\n"
    "  aio tree 4242\n"
    "  aio ps --json 4242 | python3 -m json.tool\n";

bool ps_wanted(int argc, char **argv)
{
    return argc > 1 && (strcmp(argv[1], "ps") == 0 || strcmp(argv[1], "tree") == 0) && access(argv[1], F_OK) != 0;
}

/* A connection to the number-th VM of the process, -1: there is none (errno). */
static int connect_to(long pid, int number)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int n = monitor_socket_name(a.sun_path, sizeof a.sun_path, pid, number);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        connect(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)) != 0) {
        int err = errno;
        close(fd);
        errno = err;
        fd = -1;
    }
    return fd;
}

/* false: nothing came. */
static bool copy_answer(int fd, const char *question)
{
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    size_t n = strlen(question);
    if (send(fd, question, n, MSG_NOSIGNAL) != (ssize_t)n) return false;
    char buffer[8192];
    bool any = false;
    for (;;) {
        ssize_t got = recv(fd, buffer, sizeof buffer, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return any;
        any = true;
        if (fwrite(buffer, 1, (size_t)got, stdout) != (size_t)got) return true;
    }
}

static int ask(long pid, const char *question)
{
    int asked = 0;
    for (int number = 0; number < MONITOR_VMS; number++) {
        int fd = connect_to(pid, number);
        if (fd < 0) {
            if (asked || number + 1 < MONITOR_VMS) continue;
            fprintf(stderr, "aio: no aio program with a running event loop has the number %ld (`aio ps` lists them)\n",
                    pid);
            return 1;
        }
        if (!copy_answer(fd, question)) {
            fprintf(stderr, "aio: process %ld gives no answer\n", pid);
            close(fd);
            return 1;
        }
        close(fd);
        asked++;
    }
    return 0;
}

/* The command line of a process, its words separated by blanks. */
static void print_command(long pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    for (size_t i = 0; i + 1 < n; i++)
        if ((unsigned char)text[i] < ' ') text[i] = ' ';
    text[n] = 0;
    printf("%8ld  %s\n", pid, text);
}

/* The kernel's list of sockets has the names of those that programs listen on. */
static int list_programs(void)
{
    FILE *f = fopen("/proc/net/unix", "r");
    if (!f) {
        fprintf(stderr, "aio: can't read /proc/net/unix: %s\n", strerrordesc_np(errno));
        return 1;
    }
    char line[512];
    long seen[256];
    size_t nseen = 0;
    while (fgets(line, sizeof line, f)) {
        const char *name = strstr(line, "@aiovm-");
        long pid = name ? strtol(name + 7, NULL, 10) : 0;
        bool known = pid <= 0;
        for (size_t i = 0; i < nseen; i++) known |= seen[i] == pid;
        if (known || nseen == sizeof seen / sizeof *seen) continue;
        seen[nseen++] = pid;
        if (nseen == 1) puts("     PID  COMMAND");
        print_command(pid);
    }
    fclose(f);
    if (!nseen) fputs("aio: no aio program with an event loop is running\n", stderr);
    return nseen ? 0 : 1;
}

int ps_main(int argc, char **argv)
{
    const char *question = strcmp(argv[1], "tree") == 0 ? "tree\n" : "ps\n";
    bool tree = question[0] == 't';
    long pid = 0;
    for (int i = 2; i < argc; i++) {
        char *end;
        if (strcmp(argv[i], "--json") == 0) {
            question = "json\n";
        } else if (strcmp(argv[i], "--stacks") == 0 && !tree) {
            question = "stacks\n";
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        } else if (!pid && (pid = strtol(argv[i], &end, 10)) > 0 && *end == 0) {
            continue;
        } else {
            fprintf(stderr, "aio: `%s' is no process number\n%s", argv[i], usage);
            return 2;
        }
    }
    if (pid) return ask(pid, question);
    if (!tree) return list_programs();
    fprintf(stderr, "aio: which process? `aio ps' lists them\n%s", usage);
    return 2;
}
