/* aio ps and aio tree: what the tasks of a running program do. */
#ifndef AIO_CLI_PS_H
#define AIO_CLI_PS_H

#include <stdbool.h>

/* Do the arguments ask for it? A script of that name in the current folder comes first. */
bool ps_wanted(int argc, char **argv);
int ps_main(int argc, char **argv); /* the exit status */

#endif
