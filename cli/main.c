/* main.c: the aio command: its arguments, its exit status, Ctrl-C.
 *
 * Options follow CPython's where both have them, so that `aio` can stand where `python3` stood:
 * what comes after the script (or after -c CODE, -m MODULE, -) belongs to the script.
 */
#include "cli/lines.h"
#include "cli/repl.h"
#include "cli/ps.h"
#include "cli/race.h"
#include "cli/signals.h"
#include "cli/source.h"
#include "cli/terminal.h"
#include "runtime/run.h"

#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help_text[] =
    "usage: aio [option ...] [script.aio | -c code | -m module | -] [argument ...]\n"
    "\n"
    "Runs a script. `await`, `async for` and `async with` work at its top level.\n"
    "Without arguments, on a terminal, opens the REPL.\n"
    "\n"
    "  -c code          run this text\n"
    "  -m module        run a module, found as an import would find it\n"
    "  -                read the script from standard input (also without argument or terminal)\n"
    "  -i               run the script, then open the REPL in its namespace; without a script\n"
    "                   and a terminal, read standard input as a session\n"
    "  -d               list the compiled code instead of running it\n"
    "  --check          compile only: status 1 and a message when the script is not valid\n"
    "  -W action        what to do with warnings: default, error, ignore, always, once, module,\n"
    "                   or action:message:category:module:line; may be repeated\n"
    "  --virtual-time   a clock that jumps: sleep(10) takes no time, in the same order\n"
    "  --shuffle        the tasks that are ready run in an order drawn from the seed\n"
    "  --seed N         the seed of --shuffle (0)\n"
    "  --find-race K    run the script in K orders; report the first that gives something else\n"
    "  -V, --version    print the version\n"
    "  -h, --help       print this text\n"
    "\n"
    "`aio ps` and `aio tree PID` show the tasks of a running program; Ctrl-\\ prints them.\n"
    "\n"
    "Environment: AIOVM_PATH holds folders, separated by colons, to look for modules in;\n"
    "AIOVM_STARTUP names a script that runs before the first prompt of the REPL;\n"
    "AIOVM_REPORT turns reports off or into errors, e.g. deadlock:off,blocking:error (deadlock,\n"
    "failed, slow, blocking, swallowed, all; on, off, error); AIOVM_HASH_SEED=0 makes runs repeatable.\n"
    "\n"
    "Examples:\n"
    "  aio hello.aio\n"
    "  aio -c 'from asyncio import sleep; print(await gather(sleep(1, \"a\"), sleep(1, \"b\")))'\n"
    "  echo 'print(6 * 7)' | aio -\n"
    "  aio --virtual-time timeouts.aio\n"
    "  aio --find-race 100 workers.aio\n"
    "  aio -d hello.aio\n"
    "  aio --check hello.aio && echo fine\n";

__attribute__((format(printf, 1, 2))) static int wrong_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("aio: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nusage: aio [option ...] [script.aio | -c code | -m module | -] [argument ...]\n"
          "Try `aio --help' for more information.\n",
          stderr);
    return 2;
}

/* A missing standard descriptor would be given to the first file or socket that the program opens,
 * and print would write into it. What stands in for it can't be used, so that sys.stdout is None, say. */
static void fill_standard_fds(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            int got = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
            if (got >= 0 && got != fd) {
                dup2(got, fd);
                close(got);
            }
        }
    }
}

/* What the arguments ask for. */
struct request {
    struct run_options options;
    const char *code;   /* -c */
    const char *script; /* a path; NULL: standard input */
    const char **warnings;
    bool interactive; /* -i */
    bool from_stdin;  /* - */
    long find_race;   /* so many orders; 0: run it once */
};

enum parsed { PARSED_RUN, PARSED_DONE, PARSED_WRONG };

static enum parsed print_help(void)
{
    fputs(help_text, stdout);
    return PARSED_DONE;
}

static enum parsed print_version(void)
{
    puts("aio " AIOVM_VERSION);
    return PARSED_DONE;
}

/* The value of an option, attached to it or the next argument. */
static const char *option_value(int argc, char **argv, int *i)
{
    if (argv[*i][2] != 0) return argv[*i] + 2;
    return *i + 1 < argc ? argv[++*i] : NULL;
}

/* The number after an option; false: a message was printed. */
static bool option_number(int argc, char **argv, int *i, long long least, long long *out)
{
    const char *option = argv[*i], *text = *i + 1 < argc ? argv[++*i] : "";
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (*text != 0 && *end == 0 && errno == 0 && *out >= least) return true;
    wrong_usage("%s needs a number of at least %lld", option, least);
    return false;
}

static enum parsed parse_long_option(int argc, char **argv, int *i, struct request *r)
{
    const char *arg = argv[*i];
    long long number;
    if (strcmp(arg, "--help") == 0) return print_help();
    if (strcmp(arg, "--version") == 0) return print_version();
    if (strcmp(arg, "--check") == 0) {
        r->options.mode = RUN_CHECK;
    } else if (strcmp(arg, "--virtual-time") == 0) {
        r->options.virtual_time = true;
    } else if (strcmp(arg, "--shuffle") == 0) {
        r->options.shuffle = true;
    } else if (strcmp(arg, "--seed") == 0) {
        if (!option_number(argc, argv, i, 0, &number)) return PARSED_WRONG;
        r->options.seed = (uint64_t)number;
    } else if (strcmp(arg, "--find-race") == 0) {
        if (!option_number(argc, argv, i, 1, &number)) return PARSED_WRONG;
        r->find_race = (long)number;
    } else {
        wrong_usage("unknown option %s", arg);
        return PARSED_WRONG;
    }
    return PARSED_RUN;
}

/* The program's own arguments begin at argv[at], which stands for the program itself. */
static void set_arguments(struct request *r, int argc, char **argv, int at)
{
    r->options.argc = argc - at;
    r->options.argv = argv + at;
}

static enum parsed parse_arguments(int argc, char **argv, struct request *r)
{
    static char no_script[] = "", code_name[] = "-c", module_name[] = "-m";
    static char *no_arguments[] = {no_script, NULL};
    for (int i = 1; i < argc; i++) {
        char *arg = argv[i];
        if (arg[0] != '-' || arg[1] == 0) {
            r->script = arg[0] == '-' ? NULL : arg;
            r->from_stdin = arg[0] == '-';
            set_arguments(r, argc, argv, i);
            return PARSED_RUN;
        }
        const char *given;
        enum parsed parsed;
        switch (arg[1]) {
        case '-':
            parsed = parse_long_option(argc, argv, &i, r);
            if (parsed != PARSED_RUN) return parsed;
            break;
        case 'c':
        case 'm':
            given = option_value(argc, argv, &i);
            if (given == NULL) {
                wrong_usage("argument expected for the -%c option", arg[1]);
                return PARSED_WRONG;
            }
            *(arg[1] == 'c' ? &r->code : &r->options.module) = given;
            /* sys.argv[0] is the option itself, in the place of its value. */
            argv[i] = arg[1] == 'c' ? code_name : module_name;
            set_arguments(r, argc, argv, i);
            return PARSED_RUN;
        case 'W':
            given = option_value(argc, argv, &i);
            if (given == NULL) {
                wrong_usage("argument expected for the -W option");
                return PARSED_WRONG;
            }
            r->warnings[r->options.warning_count++] = given;
            break;
        case 'i':
        case 'd':
        case 'h':
        case 'V':
            if (arg[2] != 0) {
                wrong_usage("unknown option %s", arg);
                return PARSED_WRONG;
            }
            if (arg[1] == 'i') {
                r->interactive = true;
                break;
            }
            if (arg[1] == 'h') return print_help();
            if (arg[1] == 'V') return print_version();
            r->options.mode = RUN_DISASSEMBLE;
            break;
        default: wrong_usage("unknown option -%c", arg[1]); return PARSED_WRONG;
        }
    }
    r->options.argc = 1;
    r->options.argv = no_arguments;
    return PARSED_RUN;
}

/* Find the source text of the request. 0, or the exit status after a message. */
static int load_source(struct request *r, struct source *source)
{
    struct run_options *o = &r->options;
    o->folder = "";
    bool script_given = r->code != NULL || r->script != NULL || o->module != NULL;
    if (o->mode == RUN_EXECUTE && (r->interactive || (!script_given && !r->from_stdin && isatty(0))))
        o->session = terminal_is_usable() ? repl_session : lines_session;
    if (o->module != NULL || (o->session != NULL && !script_given)) return 0;
    if (r->code != NULL) {
        o->source = r->code;
        o->length = strlen(r->code);
        o->name = "<string>";
        return 0;
    }
    int status = r->script ? source_read_file(source, r->script) : source_read_stdin(source);
    if (status != 0) return status;
    o->source = source->text;
    o->length = source->length;
    o->name = source->path ? source->path : "<stdin>";
    o->file = source->path;
    if (source->folder != NULL) o->folder = source->folder;
    return 0;
}

static int run_request(const struct run_options *options)
{
    struct vm *vm = run_open(options);
    if (vm == NULL) {
        fputs("aio: out of memory\n", stderr);
        return 1;
    }
    signals_begin(vm);
    int status = run_main(vm, options);
    signals_end();
    run_close(vm);
    return status;
}

/* Help and version go to a pipe or a full disk like any other output. */
static int flushed(int status)
{
    if (fflush(stdout) != 0 && status == 0) {
        fputs("aio: can't write to standard output\n", stderr);
        return 1;
    }
    return status;
}

/* A collection frees many buffers at once, of which most are needed again: the C library is not to give each of them
 * back to the kernel. */
static void malloc_keep(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
}

int main(int argc, char **argv)
{
    fill_standard_fds();
    /* A closed pipe is a BrokenPipeError in the script, not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    malloc_keep();
    if (ps_wanted(argc, argv)) return flushed(ps_main(argc, argv));
    struct request r = {0};
    r.warnings = calloc((size_t)argc + 1, sizeof *r.warnings);
    if (r.warnings == NULL) {
        fputs("aio: out of memory\n", stderr);
        return 1;
    }
    r.options.warnings = r.warnings;
    int status;
    struct source source = {0};
    switch (parse_arguments(argc, argv, &r)) {
    case PARSED_DONE: status = 0; break;
    case PARSED_WRONG: status = 2; break;
    default:
        if (r.find_race) {
            status = race_main(argc, argv, r.find_race);
            break;
        }
        status = load_source(&r, &source);
        if (status == 0) status = run_request(&r.options);
    }
    source_free(&source);
    free(r.warnings);
    return flushed(status);
}
