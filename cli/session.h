/* session.h: an interactive session: cells of text that are compiled, run in the loop and shown.
 *
 * A front end (the editor, or lines from a pipe) gives it one cell after the other. One thread: the loop runs all the
 * time, the front end is called in its turns.
 */
#ifndef AIOVM_CLI_SESSION_H
#define AIOVM_CLI_SESSION_H

#include "cli/waiting.h"
#include "runtime/loop.h"

struct session_front {
    void (*idle)(void *ud);        /* the last cell is done and what it made ready has run: the next one is wanted */
    bool (*interrupted)(void *ud); /* Ctrl-C while no script runs and no cell is awaited; false: nobody wanted it */
    void *ud;
};

typedef struct session {
    vm *vm;
    loop *loop;
    module *main;
    value helper; /* the module _repl */
    callback_obj *step, *report;
    value cell;   /* the task that is awaited, or unbound */
    list *failed; /* tasks to be reported unless somebody looks */
    struct session_front front;
    session_hooks hooks;
    struct waiting waiting;
    enum compile_mode mode;
    uint32_t ncells, settled, report_turns;
    bool interrupted; /* Ctrl-C cancelled the cell */
    bool told;        /* why the cell was cancelled has been shown */
    bool report_queued, step_queued, ended;
} session;

bool session_open(session *s, vm *vm, module *main, enum compile_mode mode); /* false: raised */
void session_close(session *s);
session *session_of(vm *vm); /* NULL: there is none */
/* Runs the program (may be NULL), then what the front end submits until session_end. false: raised. */
bool session_run(session *s, code *program);

/* The next cell: true when it was taken (front.idle will be called), false when it is incomplete. */
bool session_submit(session *s, const char *text, size_t n);
/* Would it be taken? Asks the parser. */
bool session_is_complete(session *s, const char *text, size_t n);
/* The commands on tasks (tasks, tree, cancel N, fg N) and exit: no Python, unless the program has such a name. */
bool session_is_command(session *s, const char *text, size_t n);
bool session_command(session *s, const char *text, size_t n); /* runs it as a cell; false: it is none */
void session_next(session *s);                                /* front.idle, when the loop has nothing else to run */
void session_end(session *s);                                 /* session_run is to return */
void session_to_background(session *s);                       /* the awaited cell runs on as _1, _2, ... */
/* Calls a function of the module _repl; error: what it raised was shown. */
value session_help(session *s, const char *function, value *args, uint32_t n);
void session_write(session *s, const char *text); /* to sys.stderr */

#endif
