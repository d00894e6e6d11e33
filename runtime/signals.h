/* Signal handlers of scripts. The essay is in signals.c. */
#ifndef AIOVM_RUNTIME_SIGNALS_H
#define AIOVM_RUNTIME_SIGNALS_H

#include "runtime/loop.h"

enum { SIGNAL_COUNT = 65 };
enum signal_action { SIGNAL_DEFAULT, SIGNAL_IGNORE, SIGNAL_CATCH };

/* Who owns the process's signals (the command, or a host that says so): sets what the process does on a signal;
 * SIGNAL_CATCH makes it call signals_note from its handler. 0, or an errno value. */
typedef int (*signal_owner)(void *ud, int number, int action);

typedef struct signals {
    signal_owner owner; /* NULL: scripts can't set handlers */
    void *ud;
    value default_int;                 /* default_int_handler: what SIGINT has until the script sets something */
    uint64_t pending;                  /* atomic: bit number - 1 */
    uint64_t handled;                  /* how many were, for pause() */
    value handlers[SIGNAL_COUNT];      /* SIG_DFL 0, SIG_IGN 1, a callable; unbound: never set by the script */
    value loop_handlers[SIGNAL_COUNT]; /* Handle of add_signal_handler, or unbound */
    value loops[SIGNAL_COUNT];         /* whose it is */
    uint32_t count;                    /* handlers that could wake the program */
    int wakeup_fd;                     /* signal.set_wakeup_fd, -1: none */
    bool wakeup_warns;                 /* when its buffer is full, too */
    int wakeup_errno;                  /* atomic: writing to it failed, and that is not reported yet */
} signals;

signals *signals_of(vm *vm); /* made at the first call; NULL raised */
void signals_set_owner(vm *vm, signal_owner owner, void *ud);
void signals_note(vm *vm, int number); /* from the owner's signal handler: async-signal-safe */
/* At a poll of the main thread: runs the handlers. SIGINT without a handler of the script's stays in *interrupt. false:
 * raised. */
bool signals_dispatch(vm *vm, bool *interrupt);
bool signals_waited_for(vm *vm); /* a handler of the script's could wake the program */
void signals_mark(vm *vm, signals *s);
void signals_close(vm *vm); /* back to the process's defaults */
void signals_loop_closed(vm *vm, loop *l);
/* signal.signal(): returns the previous handler; error: raised. */
value signals_set(vm *vm, int number, value handler);
value signals_get(vm *vm, int number);

bool signal_module_init(vm *vm, module *m); /* signal_module.c */
value loop_add_signal_handler(vm *vm, value *a, uint32_t n, value kw);
value loop_remove_signal_handler(vm *vm, value *a, uint32_t n, value kw);

#endif
