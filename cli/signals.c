/* Signals go to the program while it runs; before and after it they do what they do by default. */
#include "cli/signals.h"
#include "runtime/run.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

/* A signal handler gets no context: this one pointer is where it finds the running VM. */
static struct vm *volatile running;
static struct sigaction interrupt_before, quit_before;

static void on_interrupt(int number) { (void)number, run_interrupt(running); }
static void on_quit(int number) { (void)number, run_dump(running); }
static void on_signal(int number) { run_signal(running, number); }

static int install(int number, void (*handler)(int), struct sigaction *before)
{
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, before) == 0 ? 0 : errno;
}

/* signal.signal() and add_signal_handler(): what becomes of a signal. */
static int set_action(void *ud, int number, int action)
{
    (void)ud;
    if (action == RUN_SIGNAL_IGNORE) return install(number, SIG_IGN, NULL);
    if (action == RUN_SIGNAL_CATCH) return install(number, on_signal, NULL);
    return install(number, SIG_DFL, NULL);
}

/* Started in the background of a shell without job control, Ctrl-C is meant for others. */
static void catch_key(int number, void (*handler)(int), struct sigaction *before)
{
    if (sigaction(number, NULL, before) == 0 && before->sa_handler != SIG_IGN) install(number, handler, NULL);
}

void signals_begin(struct vm *vm)
{
    running = vm;
    run_own_signals(vm, set_action);
    catch_key(SIGINT, on_interrupt, &interrupt_before);
    catch_key(SIGQUIT, on_quit, &quit_before);
}

void signals_end(void)
{
    sigaction(SIGINT, &interrupt_before, NULL);
    sigaction(SIGQUIT, &quit_before, NULL);
    running = NULL;
}
