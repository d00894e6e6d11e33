/* repl.h: the session on a terminal. */
#ifndef AIOVM_CLI_REPL_H
#define AIOVM_CLI_REPL_H

#include <stdbool.h>

struct vm;
struct module;
struct code;

/* run_options.session; ud: not used */
bool repl_session(struct vm *vm, struct module *main, struct code *program, void *ud);

#endif
