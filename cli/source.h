/* source.h: reading a script from a file, a folder or standard input. */
#ifndef AIOVM_CLI_SOURCE_H
#define AIOVM_CLI_SOURCE_H

#include <stddef.h>

struct source {
    char *text; /* NUL-terminated */
    size_t length;
    char *path;   /* absolute; NULL for standard input */
    char *folder; /* where the script's imports are looked up first; NULL for standard input */
};

/* Read a script (a folder stands for its __main__).
 * 0, or the exit status after a message on stderr. */
int source_read_file(struct source *s, const char *path);
int source_read_stdin(struct source *s);
void source_free(struct source *s);

#endif
