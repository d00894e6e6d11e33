/* terminal.h: the terminal that a session talks to: its modes, its size, the signals that concern it. */
#ifndef AIOVM_CLI_TERMINAL_H
#define AIOVM_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct terminal {
    struct termios before; /* as it was found */
    bool editing;          /* in the editor's mode */
    bool colour;
    int event_fd; /* readable after SIGWINCH and SIGCONT */
};

/* Descriptors 0 and 1 are a terminal that understands escape sequences. */
bool terminal_is_usable(void);
bool terminal_open(struct terminal *t);
void terminal_close(struct terminal *t); /* as it was found */

/* Bytes as they are typed, without echo; Ctrl-C and Ctrl-\ are signals still. */
void terminal_edit(struct terminal *t);
/* Lines, echoed: for a script that reads. */
void terminal_lend(struct terminal *t);
void terminal_drop_input(void); /* what was typed and not read yet */
void terminal_size(unsigned *columns, unsigned *rows);
void terminal_write(const char *p, size_t n);
/* What came in at event_fd is taken; true: the process was stopped meanwhile, so modes and screen are not known. */
bool terminal_take_events(struct terminal *t);
/* Stops the process, as Ctrl-Z does; returns when it goes on. */
void terminal_stop(struct terminal *t);

#endif
