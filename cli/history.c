/* history.c: the cells that were entered.
 *
 * The file has one entry per line, `\n` and `\\` in it for a line end and a backslash. Every entry is appended as it is
 * entered, so that several sessions may share the file and a crash loses nothing; it is rewritten, through a new file
 * that takes its place, only when it has become much longer than what is kept.
 */
#include "cli/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HISTORY_MAX = 10000, HISTORY_FILE_MAX = 32 << 20 };

/* ---- where ---- */

/* mkdir -p of the folders before the last slash. */
static void make_folders(char *path)
{
    for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = 0;
        mkdir(path, 0700);
        *p = '/';
    }
}

char *history_default_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = -1;
    if (state != NULL && state[0] == '/') n = asprintf(&path, "%s/aio/history", state);
    else if (home != NULL && home[0] == '/') n = asprintf(&path, "%s/.local/state/aio/history", home);
    return n < 0 ? NULL : path;
}

/* ---- memory ---- */

static bool push(struct history *h, char *entry)
{
    if (entry == NULL) return false;
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 64;
        char **entries = realloc(h->entries, cap * sizeof *entries);
        if (entries == NULL) {
            free(entry);
            return false;
        }
        h->entries = entries;
        h->cap = cap;
    }
    h->entries[h->n++] = entry;
    return true;
}

static void keep_last(struct history *h, size_t keep)
{
    if (h->n <= keep) return;
    size_t drop = h->n - keep;
    for (size_t i = 0; i < drop; i++) free(h->entries[i]);
    memmove(h->entries, h->entries + drop, keep * sizeof *h->entries);
    h->n = keep;
}

/* ---- the file ---- */

static char *unescape(const char *p, size_t n)
{
    char *out = malloc(n + 1), *q = out;
    if (out == NULL) return NULL;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\\' && i + 1 < n) {
            i++;
            *q++ = p[i] == 'n' ? '\n' : p[i];
        } else {
            *q++ = p[i];
        }
    }
    *q = 0;
    return out;
}

/* One line for the file; *n its length. */
static char *escape(const char *p, size_t len, size_t *n)
{
    char *out = len < SIZE_MAX / 2 - 1 ? malloc(2 * len + 1) : NULL, *q = out;
    if (out == NULL) return NULL;
    for (size_t i = 0; i < len; i++) {
        if (p[i] == '\n' || p[i] == '\\') {
            *q++ = '\\';
            *q++ = p[i] == '\n' ? 'n' : '\\';
        } else {
            *q++ = p[i];
        }
    }
    *q++ = '\n';
    *n = (size_t)(q - out);
    return out;
}

static void write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return;
        p += k;
        n -= (size_t)k;
    }
}

static void append_entry(int fd, const char *text, size_t len)
{
    size_t n;
    char *line = escape(text, len, &n);
    if (line != NULL) write_all(fd, line, n);
    free(line);
}

static void rewrite(struct history *h)
{
    char *path = NULL;
    if (asprintf(&path, "%s.new", h->path) < 0) return;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        for (size_t i = 0; i < h->n; i++) append_entry(fd, h->entries[i], strlen(h->entries[i]));
        if (close(fd) == 0) rename(path, h->path);
    }
    free(path);
}

static void load(struct history *h)
{
    int fd = open(h->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    if (fd < 0) return;
    char *text = NULL;
    size_t size = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < HISTORY_FILE_MAX &&
        (text = malloc((size_t)st.st_size + 1)) != NULL) {
        ssize_t k;
        while (size < (size_t)st.st_size &&
               ((k = read(fd, text + size, (size_t)st.st_size - size)) > 0 || (k < 0 && errno == EINTR)))
            size += k > 0 ? (size_t)k : 0;
    }
    close(fd);
    for (char *p = text, *end = text + size; p && p < end;) {
        char *stop = memchr(p, '\n', (size_t)(end - p));
        if (stop == NULL) break; /* a line that is still being written */
        if (stop > p && memchr(p, 0, (size_t)(stop - p)) == NULL && !push(h, unescape(p, (size_t)(stop - p)))) break;
        p = stop + 1;
    }
    free(text);
    bool much = h->n > HISTORY_MAX + HISTORY_MAX / 4;
    keep_last(h, HISTORY_MAX);
    if (much) rewrite(h);
}

void history_open(struct history *h, const char *path)
{
    memset(h, 0, sizeof *h);
    if (path == NULL || (h->path = strdup(path)) == NULL) return;
    load(h);
}

void history_add(struct history *h, const char *text, size_t len)
{
    if (len == 0 || memchr(text, 0, len) != NULL) return;
    const char *last = h->n ? h->entries[h->n - 1] : NULL;
    if (last != NULL && strlen(last) == len && memcmp(last, text, len) == 0) return;
    if (!push(h, strndup(text, len)) || h->path == NULL) return;
    keep_last(h, HISTORY_MAX);
    make_folders(h->path);
    int fd = open(h->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0) return;
    append_entry(fd, text, len);
    close(fd);
}

/* ---- looking ---- */

static bool fits(const char *entry, const char *text, size_t len, bool within)
{
    if (!within) return strncmp(entry, text, len) == 0;
    return memmem(entry, strlen(entry), text, len) != NULL;
}

static size_t find(const struct history *h, size_t from, bool older, const char *text, size_t len, bool within)
{
    if (older) {
        for (size_t i = from < h->n ? from : h->n; i-- > 0;)
            if (fits(h->entries[i], text, len, within)) return i;
        return SIZE_MAX;
    }
    for (size_t i = from + 1; i < h->n; i++)
        if (fits(h->entries[i], text, len, within)) return i;
    return h->n;
}

size_t history_find_prefix(const struct history *h, size_t from, bool older, const char *prefix, size_t len)
{
    return find(h, from, older, prefix, len, false);
}

size_t history_find_within(const struct history *h, size_t from, bool older, const char *text, size_t len)
{
    return find(h, from, older, text, len, true);
}

void history_close(struct history *h)
{
    for (size_t i = 0; i < h->n; i++) free(h->entries[i]);
    free(h->entries);
    free(h->path);
    memset(h, 0, sizeof *h);
}
