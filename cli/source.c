/* source.c: reading a script from a file, a folder or standard input.
 *
 * Whether the bytes are text (UTF-8, no NULs) is the front end's business: it says the same for a
 * script, an import and an embedded program. Here: what can go wrong with files, worded as CPython
 * words it, and a limit, so that `aio /dev/zero` ends with a message.
 */
#include "cli/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE_MAX (64u << 20)

/* strerror would follow the locale. */
static const char *error_text(int error)
{
    const char *text = strerrordesc_np(error);
    return text ? text : "Unknown error";
}

static int no_memory(void)
{
    fputs("aio: out of memory\n", stderr);
    return 1;
}

static char *join_path(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    bool slash = na > 0 && a[na - 1] != '/';
    char *path = malloc(na + slash + nb + 1);
    if (path == NULL) return NULL;
    memcpy(path, a, na);
    if (slash) path[na] = '/';
    memcpy(path + na + slash, b, nb + 1);
    return path;
}

/* The path as tracebacks show it: absolute, otherwise as given. */
static char *absolute_path(const char *path)
{
    if (path[0] == '/') return strdup(path);
    char *here = getcwd(NULL, 0);
    if (here == NULL) return strdup(path);
    char *joined = path[0] ? join_path(here, path) : strdup(here);
    free(here);
    return joined;
}

/* Read all of fd. 0, an errno, or -1 when it is over the limit. */
static int read_all(int fd, size_t expected, struct source *s)
{
    size_t room = expected + 1 < 4096 ? 4096 : expected + 1, used = 0;
    char *text = malloc(room);
    if (text == NULL) return ENOMEM;
    for (;;) {
        /* One byte stays free for the NUL. */
        ssize_t n = read(fd, text + used, room - 1 - used);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            int error = errno;
            free(text);
            return error;
        }
        if (n == 0) break;
        used += (size_t)n;
        if (used > SOURCE_MAX) {
            free(text);
            return -1;
        }
        if (used == room - 1) {
            char *more = realloc(text, room * 2);
            if (more == NULL) {
                free(text);
                return ENOMEM;
            }
            text = more;
            room *= 2;
        }
    }
    text[used] = 0;
    s->text = text;
    s->length = used;
    return 0;
}

static int cannot_open(const char *path, int error)
{
    fprintf(stderr, "aio: can't open file '%s': [Errno %d] %s\n", path, error, error_text(error));
    return 2;
}

static int cannot_read(const char *path, int error)
{
    if (error < 0) fprintf(stderr, "aio: '%s' is too large: a source text may have %u MiB\n", path, SOURCE_MAX >> 20);
    else fprintf(stderr, "aio: can't read file '%s': [Errno %d] %s\n", path, error, error_text(error));
    return 1;
}

/* The script that a folder stands for. */
static char *main_of_folder(const char *folder)
{
    static const char *const names[] = {"__main__.aio", "__main__.py"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = join_path(folder, names[i]);
        struct stat st;
        if (path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode)) return path;
        free(path);
    }
    return NULL;
}

int source_read_file(struct source *s, const char *given)
{
    memset(s, 0, sizeof *s);
    s->path = absolute_path(given);
    if (s->path == NULL) return no_memory();
    struct stat st;
    if (stat(s->path, &st) == 0 && S_ISDIR(st.st_mode)) {
        char *script = main_of_folder(s->path);
        if (script == NULL) {
            fprintf(stderr, "aio: can't find '__main__' module in '%s'\n", s->path);
            return 1;
        }
        free(s->path);
        s->path = script;
    }
    int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return cannot_open(s->path, errno);
    size_t expected = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        expected = (size_t)st.st_size > SOURCE_MAX ? SOURCE_MAX : (size_t)st.st_size;
    /* One more, so that the end of a file of the expected size is seen without growing. */
    int error = read_all(fd, expected + 1, s);
    close(fd);
    if (error == ENOMEM) return no_memory();
    if (error != 0) return cannot_read(s->path, error);
    /* Imports are looked up where the file really is: a command in ~/bin may be a link. */
    char *real = realpath(s->path, NULL);
    const char *where = real ? real : s->path;
    const char *slash = strrchr(where, '/');
    s->folder = slash == NULL || slash == where ? strdup(slash ? "/" : "") : strndup(where, (size_t)(slash - where));
    free(real);
    return s->folder == NULL ? no_memory() : 0;
}

int source_read_stdin(struct source *s)
{
    memset(s, 0, sizeof *s);
    int error = read_all(STDIN_FILENO, 0, s);
    if (error == ENOMEM) return no_memory();
    return error == 0 ? 0 : cannot_read("<stdin>", error);
}

void source_free(struct source *s)
{
    free(s->text);
    free(s->path);
    free(s->folder);
    memset(s, 0, sizeof *s);
}
