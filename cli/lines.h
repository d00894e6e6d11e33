/* lines.h: a session whose cells are lines from a pipe or a file: `aio -i` without a terminal. */
#ifndef AIOVM_CLI_LINES_H
#define AIOVM_CLI_LINES_H

#include <stdbool.h>

struct vm;
struct module;
struct code;

/* run_options.session; ud: not used */
bool lines_session(struct vm *vm, struct module *main, struct code *program, void *ud);

/* What is said when a session begins: to stderr. */
struct session;
void lines_banner(struct session *s);

#endif
