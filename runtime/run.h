/* run.h: what the aio command asks of the runtime: run one program from start to exit status.
 *
 * The command parses its arguments and reads the source; everything that has to do with a program
 * (sys.argv, the module __main__, top-level await, tracebacks, reports, flushing, the exit status)
 * happens behind run_main. A host that embeds the library never uses this: it has <aiovm.h>.
 */
#ifndef AIOVM_RUNTIME_RUN_H
#define AIOVM_RUNTIME_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;
struct module;
struct code;

enum run_mode {
    RUN_EXECUTE,
    RUN_CHECK,       /* compile only; status 1 and the message on stderr when that fails */
    RUN_DISASSEMBLE, /* compile and list the code on stdout */
};

struct run_options {
    enum run_mode mode;
    /* What to run: source text, or (source NULL) the module to look up as an import would, or (session) nothing. */
    const char *source; /* UTF-8 not checked yet, NUL-terminated, may contain NULs before its end */
    size_t length;
    const char *module;
    /* How the code names itself in tracebacks: an absolute path, "<string>" or "<stdin>". */
    const char *name;
    /* __file__ of __main__ when the source came from a file, else NULL. */
    const char *file;
    /* First entry of sys.path: the script's folder, or "" for -c, -m and standard input. */
    const char *folder;
    /* sys.argv; argv[0] is the script as given, or "-c", "-m", "-" or "". */
    int argc;
    char *const *argv;
    /* Arguments of -W, in the order given. */
    const char *const *warnings;
    int warning_count;
    /* An interactive session: takes the place of running the program. `main` is the module __main__, `program`
     * its code object or NULL. false: the exception that is pending ends the command. */
    bool (*session)(struct vm *vm, struct module *main, struct code *program, void *ud);
    void *session_ud;
    bool shuffle; /* the ready entries of a turn run in an order drawn from `seed` */
    uint64_t seed;
    bool virtual_time; /* a clock that jumps to the next timer instead of waiting */
};

/* A VM for one program of the command, or NULL when there is no memory for it. */
struct vm *run_open(const struct run_options *options);

/* Run it to its end. The exit status: 0, 1 after an uncaught exception (reported on stderr), what
 * sys.exit asked for, 130 after an uncaught KeyboardInterrupt. Everything printed is flushed. */
int run_main(struct vm *vm, const struct run_options *options);

/* Ctrl-C: may be called from a signal handler while run_main is running. */
void run_interrupt(struct vm *vm);

/* The traceback of an exception that nothing caught, by sys.excepthook. Rooted by the caller; raises nothing. */
struct exception;
void run_show_exception(struct vm *vm, struct exception *exc);
/* The command owns the process's signals: set_action says what becomes of one (an errno value, or 0), and the handler
 * of RUN_SIGNAL_CATCH calls run_signal. */
enum run_signal_action { RUN_SIGNAL_DEFAULT, RUN_SIGNAL_IGNORE, RUN_SIGNAL_CATCH };
void run_own_signals(struct vm *vm, int (*set_action)(void *ud, int number, int action));
void run_signal(struct vm *vm, int number);

/* Ctrl-\: every task with its await stack, on stderr, at the VM's next poll; from a signal handler too. */
void run_dump(struct vm *vm);

void run_close(struct vm *vm);

#endif
