/* relay.h: what child processes write to the terminal, on its way through the session. */
#ifndef AIOVM_CLI_RELAY_H
#define AIOVM_CLI_RELAY_H

#include <stdbool.h>

/* A pseudo-terminal: to a child its slave is a terminal like any; its master is watched by the session. -1: not open */
struct relay {
    int master, slave;
};

bool relay_open(struct relay *r, unsigned columns, unsigned rows);
void relay_resize(struct relay *r, unsigned columns, unsigned rows);
void relay_close(struct relay *r);

#endif
