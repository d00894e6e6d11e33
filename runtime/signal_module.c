/* The module _signal: the half of signal in C. Handlers are runtime/signals.c's; here are the functions around them. */
#define raise libc_raise /* ours has that name */
#include <signal.h>
#undef raise
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "runtime/signals.h"
#include "vm/caps.h"
#include "vm/list.h"
#include "vm/lock.h"
#include "vm/native.h"
#include "vm/set.h"

#define DOC_FILE runtime_signal_module
DOC_BEGIN;

#define FN(NAME)                                                                                       \
    static value NAME(vm *vm, value *args __attribute__((unused)), uint32_t n __attribute__((unused)), \
                      value kw __attribute__((unused)))

static value os_error(vm *vm) { return raise_os_error(vm, errno, V_UNBOUND); }

/* An int argument; false: raised. */
static bool int_arg(vm *vm, value v, int *out)
{
    value i = obj_index(vm, v);
    int64_t n;
    if (value_is_error(i)) return false;
    if (!int_to_i64(vm, i, &n) || n < INT32_MIN || n > INT32_MAX) {
        raise_overflow(vm, "Python int too large to convert to C int");
        return false;
    }
    *out = (int)n;
    return true;
}
static bool signal_arg(vm *vm, value v, int *out)
{
    if (!int_arg(vm, v, out)) return false;
    if (*out >= 1 && *out < SIGNAL_COUNT) return true;
    raise_value_error(vm, "signal number out of range");
    return false;
}

/* ---- handlers ---- */

FN(s_signal)
{
    int number;
    if (!signal_arg(vm, args[0], &number)) return V_ERROR;
    value h = args[1];
    if (int_is(h)) h = int_plain(vm, h);
    bool constant = value_is(h, value_int(0)) || value_is(h, value_int(1));
    if (!constant && !obj_is_callable(vm, h))
        return raise_type_error(vm, "signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object");
    return signals_set(vm, number, h);
}
FN(s_getsignal)
{
    int number;
    return signal_arg(vm, args[0], &number) ? signals_get(vm, number) : V_ERROR;
}
FN(s_default_int_handler) { return raise(vm, EXC_KeyboardInterrupt, NULL); }
FN(s_set_wakeup_fd)
{
    int fd;
    signals *s = int_arg(vm, args[0], &fd) ? signals_of(vm) : NULL;
    if (!s || !cap_require(vm, CAP_SIGNALS)) return V_ERROR;
    if (!thread_is_main(vm, vm->thread))
        return raise_value_error(vm, "set_wakeup_fd only works in main thread of the main interpreter");
    int warns = value_is_unbound(args[1]) ? 1 : obj_truth(vm, args[1]);
    if (warns < 0) return V_ERROR;
    int before = s->wakeup_fd;
    __atomic_store_n(&s->wakeup_fd, fd < 0 ? -1 : fd, __ATOMIC_RELAXED);
    s->wakeup_warns = warns;
    return value_int(before);
}
FN(s_siginterrupt)
{
    int number, flag;
    /* interrupted calls go on: PEP 475 */
    return signal_arg(vm, args[0], &number) && int_arg(vm, args[1], &flag) ? V_NONE : V_ERROR;
}

/* ---- sending and waiting ---- */

/* A signal that this thread sent itself has been noted: its handler runs now. */
static value run_handlers(vm *vm)
{
    if (vm_attention(vm)) vm_poll(vm);
    return raised(vm) ? V_ERROR : V_NONE;
}
FN(s_raise_signal)
{
    int number;
    if (!int_arg(vm, args[0], &number) || !cap_require(vm, CAP_PROCESS)) return V_ERROR;
    if (kill(getpid(), number) < 0) return os_error(vm); /* to the process: the thread that runs this may block it */
    return run_handlers(vm);
}
FN(s_pthread_kill)
{
    int number;
    value id = obj_index(vm, args[0]);
    int64_t thread;
    if (value_is_error(id) || !int_arg(vm, args[1], &number) || !cap_require(vm, CAP_PROCESS)) return V_ERROR;
    if (!int_to_i64(vm, id, &thread)) return raise_overflow(vm, "Python int too large to convert to C long");
    int err = pthread_kill((pthread_t)thread, number);
    return err ? raise_os_error(vm, err, V_UNBOUND) : run_handlers(vm);
}
FN(s_pause)
{
    signals *s = cap_require(vm, CAP_SIGNALS) ? signals_of(vm) : NULL;
    if (!s) return V_ERROR;
    for (uint64_t before = s->handled; s->handled == before;) {
        runtime_wait(vm, -1);
        if (value_is_error(run_handlers(vm))) return V_ERROR;
    }
    return V_NONE;
}

/* ---- sets of signals ---- */

static bool set_from(vm *vm, value v, sigset_t *out)
{
    sigemptyset(out);
    list *l = obj_to_list(vm, v);
    if (!l) return false;
    ROOTS(vm, &l);
    for (size_t i = 0; i < l->len; i++) {
        int number;
        if (!int_arg(vm, l->items[i], &number)) return false;
        if (number < 1 || number >= SIGNAL_COUNT) {
            raise_value_error(vm, "signal number %d out of range [1; 64]", number);
            return false;
        }
        sigaddset(out, number);
    }
    return true;
}
static value set_to(vm *vm, const sigset_t *from)
{
    set *s = set_new(vm, TYPE_SET);
    for (int n = 1; s && n < SIGNAL_COUNT; n++)
        if (sigismember(from, n) == 1 && !set_add(vm, s, value_int(n))) return V_ERROR;
    return s ? value_obj(s) : V_ERROR;
}
FN(s_valid_signals)
{
    sigset_t all;
    sigfillset(&all);
    return set_to(vm, &all);
}
FN(s_pthread_sigmask)
{
    int how;
    sigset_t mask, before;
    if (!int_arg(vm, args[0], &how) || !set_from(vm, args[1], &mask) || !cap_require(vm, CAP_SIGNALS)) return V_ERROR;
    int err = pthread_sigmask(how, &mask, &before);
    if (err) return raise_os_error(vm, err, V_UNBOUND);
    return value_is_error(run_handlers(vm)) ? V_ERROR : set_to(vm, &before);
}
FN(s_sigpending)
{
    sigset_t mask;
    return sigpending(&mask) < 0 ? os_error(vm) : set_to(vm, &mask);
}
FN(s_sigwait)
{
    sigset_t mask;
    if (!cap_require(vm, CAP_SIGNALS) || !set_from(vm, args[0], &mask)) return V_ERROR;
    int number, err;
    vm_unlock(vm);
    do err = sigwait(&mask, &number);
    while (err == EINTR);
    vm_lock(vm);
    return err ? raise_os_error(vm, err, V_UNBOUND) : value_int(number);
}

/* seconds < 0: without end. */
static value wait_info(vm *vm, value signals, double seconds)
{
    if (!cap_require(vm, CAP_SIGNALS)) return V_ERROR;
    sigset_t mask;
    if (!set_from(vm, signals, &mask)) return V_ERROR;
    siginfo_t info;
    struct timespec t = {0};
    if (seconds >= 0) {
        t.tv_sec = (time_t)seconds;
        t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    }
    int number, err;
    do {
        vm_unlock(vm);
        number = seconds < 0 ? sigwaitinfo(&mask, &info) : sigtimedwait(&mask, &info, &t);
        err = errno;
        vm_lock(vm);
        if (number < 0 && err == EINTR && value_is_error(run_handlers(vm))) return V_ERROR;
    } while (number < 0 && err == EINTR);
    if (number < 0) return err == EAGAIN ? V_NONE : raise_os_error(vm, err, V_UNBOUND);
    tuple *r = tuple_pack(vm, 7, value_int(info.si_signo), value_int(info.si_code), value_int(info.si_errno),
                          value_int(info.si_pid), value_int((int64_t)info.si_uid), value_int(info.si_status),
                          value_int(info.si_band));
    return r ? value_obj(r) : V_ERROR;
}
FN(s_sigwaitinfo) { return wait_info(vm, args[0], -1); }
FN(s_sigtimedwait)
{
    double seconds;
    if (!float_as_double(vm, args[1], &seconds)) return V_ERROR;
    if (!(seconds >= 0)) return raise_value_error(vm, "timeout must be non-negative");
    return wait_info(vm, args[0], seconds > 1e9 ? 1e9 : seconds);
}

/* ---- timers ---- */

FN(s_alarm)
{
    int seconds;
    if (!int_arg(vm, args[0], &seconds) || !cap_require(vm, CAP_SIGNALS)) return V_ERROR;
    return value_int(alarm((unsigned)seconds));
}
static bool timeval_of(vm *vm, value v, struct timeval *out)
{
    *out = (struct timeval){0};
    if (value_is_unbound(v)) return true;
    double d;
    if (!float_as_double(vm, v, &d)) return false;
    if (!(d >= 0 && d < 1e15)) {
        errno = EINVAL;
        return true; /* setitimer says so */
    }
    out->tv_sec = (time_t)d;
    out->tv_usec = (suseconds_t)((d - floor(d)) * 1e6);
    if (d > 0 && !out->tv_sec && !out->tv_usec) out->tv_usec = 1; /* 0 would turn it off */
    return true;
}
static value timer_pair(vm *vm, const struct itimerval *t)
{
    tuple *r = tuple_pack(vm, 2, value_float((double)t->it_value.tv_sec + (double)t->it_value.tv_usec * 1e-6),
                          value_float((double)t->it_interval.tv_sec + (double)t->it_interval.tv_usec * 1e-6));
    return r ? value_obj(r) : V_ERROR;
}
FN(s_setitimer)
{
    int which;
    struct itimerval t, before;
    if (!int_arg(vm, args[0], &which) || !timeval_of(vm, args[1], &t.it_value) ||
        !timeval_of(vm, args[2], &t.it_interval) || !cap_require(vm, CAP_SIGNALS))
        return V_ERROR;
    return setitimer((__itimer_which_t)which, &t, &before) < 0 ? os_error(vm) : timer_pair(vm, &before);
}
FN(s_getitimer)
{
    int which;
    struct itimerval t;
    if (!int_arg(vm, args[0], &which)) return V_ERROR;
    return getitimer((__itimer_which_t)which, &t) < 0 ? os_error(vm) : timer_pair(vm, &t);
}
FN(s_strsignal)
{
    int number;
    if (!signal_arg(vm, args[0], &number)) return V_ERROR;
    const char *text = sigdescr_np(number);
    if (!text) return V_NONE;
    str *s = str_from_cstr(vm, text);
    return s ? value_obj(s) : V_ERROR;
}

/* ---- the module ---- */

static const native_def functions[] = {
    {"signal(signalnum, handler, /)", s_signal, DOC("Set the action for the given signal."), 0},
    {"getsignal(signalnum, /)", s_getsignal, DOC("Return the current action for the given signal."), 0},
    {"default_int_handler(signalnum, frame, /)", s_default_int_handler,
     DOC("The default handler for SIGINT: raises KeyboardInterrupt."), 0},
    {"set_wakeup_fd(fd, /, *, warn_on_full_buffer=True)", s_set_wakeup_fd,
     DOC("Sets the fd to be written to (with the signal number) when a signal comes in."), 0},
    {"siginterrupt(signalnum, flag, /)", s_siginterrupt, DOC("Change system call restart behaviour."), 0},
    {"raise_signal(signalnum, /)", s_raise_signal, DOC("Send a signal to the executing process."), 0},
    {"pthread_kill(thread_id, signalnum, /)", s_pthread_kill, DOC("Send a signal to a thread."), 0},
    {"pause()", s_pause, DOC("Wait until a signal arrives."), 0},
    {"valid_signals()", s_valid_signals, DOC("Return a set of valid signal numbers on this platform."), 0},
    {"pthread_sigmask(how, mask, /)", s_pthread_sigmask,
     DOC("Fetch and/or change the signal mask of the calling thread."), 0},
    {"sigpending()", s_sigpending, DOC("Examine pending signals."), 0},
    {"sigwait(sigset, /)", s_sigwait, DOC("Wait for a signal."), 0},
    {"sigwaitinfo(sigset, /)", s_sigwaitinfo,
     DOC("Wait synchronously until one of the signals in *sigset* is delivered."), 0},
    {"sigtimedwait(sigset, timeout, /)", s_sigtimedwait, DOC("Like sigwaitinfo(), but with a timeout."), 0},
    {"alarm(seconds, /)", s_alarm, DOC("Arrange for SIGALRM to arrive after the given number of seconds."), 0},
    {"setitimer(which, seconds, interval=0.0, /)", s_setitimer,
     DOC("Sets given itimer (one of ITIMER_REAL, ITIMER_VIRTUAL or ITIMER_PROF)."), 0},
    {"getitimer(which, /)", s_getitimer, DOC("Returns current value of given itimer."), 0},
    {"strsignal(signalnum, /)", s_strsignal, DOC("Return the system description of the given signal."), 0},
    {0},
};

static const struct {
    const char *name;
    int number;
} numbers[] = {
#define S(NAME)     \
    {               \
#NAME, NAME \
    }
    S(SIGHUP),
    S(SIGINT),
    S(SIGQUIT),
    S(SIGILL),
    S(SIGTRAP),
    S(SIGABRT),
    S(SIGBUS),
    S(SIGFPE),
    S(SIGKILL),
    S(SIGUSR1),
    S(SIGSEGV),
    S(SIGUSR2),
    S(SIGPIPE),
    S(SIGALRM),
    S(SIGTERM),
    S(SIGSTKFLT),
    S(SIGCHLD),
    S(SIGCONT),
    S(SIGSTOP),
    S(SIGTSTP),
    S(SIGTTIN),
    S(SIGTTOU),
    S(SIGURG),
    S(SIGXCPU),
    S(SIGXFSZ),
    S(SIGVTALRM),
    S(SIGPROF),
    S(SIGWINCH),
    S(SIGIO),
    S(SIGPWR),
    S(SIGSYS),
    {"SIGCLD", SIGCHLD},
    {"SIGPOLL", SIGIO},
    {"SIGIOT", SIGABRT},
    {"SIG_DFL", 0},
    {"SIG_IGN", 1},
    S(SIG_BLOCK),
    S(SIG_UNBLOCK),
    S(SIG_SETMASK),
    {"ITIMER_REAL", ITIMER_REAL},
    {"ITIMER_VIRTUAL", ITIMER_VIRTUAL},
    {"ITIMER_PROF", ITIMER_PROF},
    {"NSIG", SIGNAL_COUNT},
#undef S
};

bool signal_module_init(vm *vm, module *m)
{
    ROOTS(vm, &m);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!module_add(vm, m, numbers[i].name, value_int(numbers[i].number))) return false;
    if (!module_add(vm, m, "SIGRTMIN", value_int(SIGRTMIN)) || !module_add(vm, m, "SIGRTMAX", value_int(SIGRTMAX)) ||
        !module_add_natives(vm, m, functions))
        return false;
    /* Ctrl-C has its handler from the start. */
    signals *s = signals_of(vm);
    value h = s ? dict_get_str(vm, m->dict, str_intern_utf8(vm, "default_int_handler", 19)) : V_ERROR;
    if (value_is_error(h)) return false;
    if (s->owner && value_is_unbound(s->handlers[SIGINT])) {
        struct sigaction now;
        bool ignored = sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
        if (!ignored) s->default_int = h;
    }
    return true;
}
