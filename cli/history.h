/* history.h: the cells that were entered, in memory and in a file. */
#ifndef AIOVM_CLI_HISTORY_H
#define AIOVM_CLI_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

struct history {
    char **entries; /* oldest first, NUL-terminated */
    size_t n, cap;
    char *path; /* NULL: kept in memory only */
};

/* $XDG_STATE_HOME/aio/history or ~/.local/state/aio/history, made on demand; NULL: no home, or no memory. To be freed.
 */
char *history_default_path(void);
/* Reads the file (path may be NULL, the file need not exist). What can't be read is not an error: there is no history.
 */
void history_open(struct history *h, const char *path);
/* Adds to memory and file, unless it is empty or what came last. */
void history_add(struct history *h, const char *text, size_t len);
/* The entry nearest to `from` (exclusive) that begins with (contains) the text; h->n or SIZE_MAX: none. */
size_t history_find_prefix(const struct history *h, size_t from, bool older, const char *prefix, size_t len);
size_t history_find_within(const struct history *h, size_t from, bool older, const char *text, size_t len);
void history_close(struct history *h);

#endif
