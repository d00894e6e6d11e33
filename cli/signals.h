/* The signals of the process belong to the command: Ctrl-C, Ctrl-\ and what a script wants to handle. */
#ifndef AIO_CLI_SIGNALS_H
#define AIO_CLI_SIGNALS_H

struct vm;

void signals_begin(struct vm *vm); /* from now on they go to this VM */
void signals_end(void);            /* as they were before */

#endif
