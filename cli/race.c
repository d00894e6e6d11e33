/* --find-race: run the program in many orders, each in a process of its own, and report the first whose output, exit
 * status or exception differs from the run in the plain order. */
#include "cli/race.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* What one run left behind. */
struct outcome {
    int status;      /* as waitpid gives it */
    char *out, *err; /* malloc, NUL-terminated */
    size_t out_len, err_len;
};

static char *read_whole(int fd, size_t *n)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);
    *n = 0;
    while (text && *n < (size_t)size) {
        ssize_t got = pread(fd, text + *n, (size_t)size - *n, (off_t)*n);
        if (got <= 0) break;
        *n += (size_t)got;
    }
    if (text) text[*n] = 0;
    return text;
}

static void outcome_free(struct outcome *o)
{
    free(o->out);
    free(o->err);
    *o = (struct outcome){0};
}

static bool run_once(char **argv, struct outcome *o)
{
    *o = (struct outcome){0};
    int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC), e = errno;
    posix_spawn_file_actions_t actions;
    bool ok = out >= 0 && err >= 0;
    if (ok) {
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, out, 1);
        posix_spawn_file_actions_adddup2(&actions, err, 2);
        pid_t pid;
        e = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        ok = e == 0;
        while (ok && waitpid(pid, &o->status, 0) < 0)
            if (errno != EINTR) ok = false;
    }
    if (ok) {
        o->out = read_whole(out, &o->out_len);
        o->err = read_whole(err, &o->err_len);
        ok = o->out && o->err;
        e = ENOMEM;
    }
    if (out >= 0) close(out);
    if (err >= 0) close(err);
    if (!ok) fprintf(stderr, "aio: can't run the program: %s\n", strerrordesc_np(e));
    return ok;
}

/* The last line of stderr: of an uncaught exception its type and message. */
static const char *last_line(const struct outcome *o, size_t *n)
{
    size_t end = o->err_len;
    while (end && o->err[end - 1] == '\n') end--;
    size_t from = end;
    while (from && o->err[from - 1] != '\n') from--;
    *n = end - from;
    return o->err + from;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    if (a->status != b->status || a->out_len != b->out_len || memcmp(a->out, b->out, a->out_len) != 0) return false;
    if (a->status == 0) return true;
    size_t na, nb;
    const char *la = last_line(a, &na), *lb = last_line(b, &nb);
    return na == nb && memcmp(la, lb, na) == 0;
}

static int status_number(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

/* The first lines in which the outputs differ. */
static void print_difference(const struct outcome *a, const struct outcome *b)
{
    const char *p = a->out, *q = b->out;
    for (unsigned line = 1;; line++) {
        size_t n = strcspn(p, "\n"), m = strcspn(q, "\n");
        bool p_end = p == a->out + a->out_len, q_end = q == b->out + b->out_len;
        if (p_end && q_end) break;
        if (n != m || memcmp(p, q, n) != 0 || p_end != q_end) {
            printf("  line %u of the output\n    plain order: %.*s\n    this order:  %.*s\n", line, p_end ? 9 : (int)n,
                   p_end ? "(no more)" : p, q_end ? 9 : (int)m, q_end ? "(no more)" : q);
            break;
        }
        p += n + (p[n] == '\n');
        q += m + (q[m] == '\n');
    }
    if (a->status == b->status && a->status == 0) return;
    size_t na, nb;
    const char *la = last_line(a, &na), *lb = last_line(b, &nb);
    printf("  plain order: status %d  %.*s\n  this order:  status %d  %.*s\n", status_number(a->status), (int)na, la,
           status_number(b->status), (int)nb, lb);
}

/* argv without --find-race K, and with the shuffle's options in front when `seed` is not NULL. */
static void child_arguments(int argc, char **argv, char *seed, char **out)
{
    static char shuffle[] = "--shuffle", seed_option[] = "--seed";
    int n = 0;
    bool options = true;
    out[n++] = argv[0];
    if (seed) {
        out[n++] = shuffle;
        out[n++] = seed_option;
        out[n++] = seed;
    }
    for (int i = 1; i < argc; i++) {
        if (options && strcmp(argv[i], "--find-race") == 0 && i + 1 < argc) {
            i++;
            options = false; /* it stands before the script: what follows is copied */
            continue;
        }
        out[n++] = argv[i];
    }
    out[n] = NULL;
}

static void progress(long done, long runs, time_t *last, bool end)
{
    time_t now = time(NULL);
    if (!isatty(2) || (!end && now == *last)) return;
    *last = now;
    fprintf(stderr, end ? "\r\033[K" : "\raio: run %ld of %ld", done, runs);
    fflush(stderr);
}

int race_main(int argc, char **argv, long runs)
{
    char **child = calloc((size_t)argc + 5, sizeof *child);
    struct outcome plain, other = {0};
    if (!child) {
        fputs("aio: out of memory\n", stderr);
        return 2;
    }
    child_arguments(argc, argv, NULL, child);
    int result = run_once(child, &plain) ? 0 : 2;
    time_t last = time(NULL);
    for (long seed = 1; result == 0 && seed <= runs; seed++) {
        char text[24];
        snprintf(text, sizeof text, "%ld", seed);
        child_arguments(argc, argv, text, child);
        progress(seed, runs, &last, false);
        if (!run_once(child, &other)) {
            result = 2;
        } else if (!same(&plain, &other)) {
            progress(seed, runs, &last, true);
            printf("aio: seed %ld gives something else (see it with --shuffle --seed %ld)\n", seed, seed);
            print_difference(&plain, &other);
            result = 1;
        }
        outcome_free(&other);
    }
    progress(runs, runs, &last, true);
    if (result == 0) printf("aio: no difference in %ld orders\n", runs);
    outcome_free(&plain);
    free(child);
    return result;
}
