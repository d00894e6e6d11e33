/* waiting.h: since when tasks wait where they wait, for the command `tasks`. */
#ifndef AIOVM_CLI_WAITING_H
#define AIOVM_CLI_WAITING_H

#include "runtime/loop.h"

struct waiting_row;
struct waiting {
    struct waiting_row *rows; /* open addressing by task; cap is a power of two */
    size_t cap;
    int64_t looked, cost; /* the last look: when, and how long it took */
    int64_t skipped;      /* turns that ended then were not looked at; 0: none */
};

/* The loop is about to wait, or (false) has waited. Cheap, as often as it may be called. */
void waiting_turn(struct waiting *w, vm *vm, bool before);
/* Seconds since the task waits; negative: unknown. */
double waiting_seconds(struct waiting *w, vm *vm, const task *t);
void waiting_free(struct waiting *w);

#endif
