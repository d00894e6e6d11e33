/* Signals for scripts: signal.signal() and loop.add_signal_handler().
 *
 * The library touches no signal of the process: whoever owns them (the command; a host that wants to) gives a function
 * that installs a handler, and that handler calls signals_note. It sets a bit and makes the main thread's next poll
 * come soon; there the script's handlers run, between two instructions, as in CPython.
 *
 * Invariants
 *  1. signals_note only sets bits and writes to descriptors.
 *  2. Handlers run in the main thread, lowest number first; one that raises leaves the others pending.
 *  3. A signal with a handler of a loop goes to that loop, as a callback of its next turn; else to the script's
 *     handler.
 *  4. SIGINT that no handler of the script's takes is Ctrl-C: the caller's business (runtime.c).
 */
#include "runtime/signals.h"

#define raise libc_raise /* ours has that name */
#include <signal.h>
#undef raise
#include <errno.h>
#include <unistd.h>

#include "runtime/poller.h"
#include "vm/caps.h"
#include "vm/exception.h"
#include "vm/file.h"
#include "vm/interp.h"
#include "vm/lock.h"
#include "vm/native.h"

enum { HANDLER_DEFAULT = 0, HANDLER_IGNORE = 1 };

signals *signals_of(vm *vm)
{
    runtime *rt = runtime_of(vm);
    if (LIKELY(rt->signals)) return rt->signals;
    signals *s = mem_zalloc(vm, sizeof *s);
    if (s) s->wakeup_fd = -1;
    return rt->signals = s;
}

void signals_set_owner(vm *vm, signal_owner owner, void *ud)
{
    signals *s = signals_of(vm);
    if (!s) return;
    s->owner = owner;
    s->ud = ud;
}

void signals_note(vm *vm, int number)
{
    signals *s = runtime_of(vm) ? runtime_of(vm)->signals : NULL;
    if (!s || number < 1 || number >= SIGNAL_COUNT) return;
    __atomic_fetch_or(&s->pending, (uint64_t)1 << (number - 1), __ATOMIC_ACQ_REL);
    int fd = __atomic_load_n(&s->wakeup_fd, __ATOMIC_RELAXED);
    if (fd >= 0) {
        int saved = errno;
        uint8_t byte = (uint8_t)number;
        if (write(fd, &byte, 1) < 0 && (errno != EAGAIN || s->wakeup_warns))
            __atomic_store_n(&s->wakeup_errno, errno, __ATOMIC_RELAXED);
        errno = saved;
    }
    runtime_interrupt(vm, VMP_SIGNAL);
}

/* ---- running handlers ---- */

static bool call_handler(vm *vm, int number, value handler)
{
    ROOTS(vm, &handler);
    value frame = frameview_current(vm, 0);
    if (value_is_error(frame)) {
        exc_clear(vm);
        frame = V_NONE;
    }
    ROOTS(vm, &frame);
    return !value_is_error(vm_call2(vm, handler, value_int(number), frame));
}

static bool deliver(vm *vm, signals *s, int number, bool *interrupt)
{
    s->handled++;
    value h = s->loop_handlers[number];
    if (!value_is_unbound(h)) {
        handle *hd = AS(handle, h);
        if (hd->state & HANDLE_CANCELLED) return true;
        loop *l = AS(loop, s->loops[number]);
        if (!loop_push(vm, l, h, V_UNBOUND)) return false;
        poller_wake(l);
        return true;
    }
    value handler = s->handlers[number];
    if (value_is_unbound(handler) || value_is(handler, s->default_int)) {
        if (number == SIGINT) *interrupt = true;
        return true;
    }
    return value_is_int(handler) || call_handler(vm, number, handler);
}

/* set_wakeup_fd()'s descriptor takes no more. */
static void report_wakeup_failure(vm *vm, int err)
{
    raise_os_error(vm, err, V_UNBOUND);
    value exc = exc_take(vm);
    ROOTS(vm, &exc);
    str *trace = exc_format(vm, exc);
    str *text =
        trace ? str_format(vm, "Exception ignored when trying to write to the signal wakeup fd:\n%U", value_obj(trace))
              : NULL;
    if (text) file_write_stderr(vm, text);
    if (raised(vm)) exc_clear(vm);
}

bool signals_dispatch(vm *vm, bool *interrupt)
{
    signals *s = runtime_of(vm)->signals;
    if (!s) return true;
    int err = __atomic_exchange_n(&s->wakeup_errno, 0, __ATOMIC_RELAXED);
    if (UNLIKELY(err)) report_wakeup_failure(vm, err);
    uint64_t bits = __atomic_exchange_n(&s->pending, 0, __ATOMIC_ACQ_REL);
    while (bits) {
        int number = __builtin_ctzll(bits) + 1;
        bits &= bits - 1;
        if (deliver(vm, s, number, interrupt)) continue;
        if (bits) { /* the others at the next poll */
            __atomic_fetch_or(&s->pending, bits, __ATOMIC_ACQ_REL);
            __atomic_fetch_or(&vm->pending, VMP_SIGNAL, __ATOMIC_ACQ_REL);
        }
        return false;
    }
    return true;
}

bool signals_waited_for(vm *vm)
{
    signals *s = runtime_of(vm)->signals;
    return s && s->count > 0;
}

void signals_mark(vm *vm, signals *s)
{
    if (!s) return;
    gc_mark_value(vm, s->default_int);
    gc_mark_values(vm, s->handlers, SIGNAL_COUNT);
    gc_mark_values(vm, s->loop_handlers, SIGNAL_COUNT);
    gc_mark_values(vm, s->loops, SIGNAL_COUNT);
}

/* ---- setting them ---- */

static bool is_caught(const signals *s, int number)
{
    return !value_is_unbound(s->loop_handlers[number]) ||
           (!value_is_unbound(s->handlers[number]) && !value_is_int(s->handlers[number]) &&
            !value_is(s->handlers[number], s->default_int));
}

static bool own(vm *vm, signals *s, int number, enum signal_action action)
{
    if (!s->owner) {
        raise(vm, EXC_RuntimeError, "the host of this VM keeps the process's signals to itself");
        return false;
    }
    int err = s->owner(s->ud, number, action);
    if (err) raise_os_error(vm, err, V_UNBOUND);
    return !err;
}

static bool check_main_thread(vm *vm, const char *what)
{
    if (thread_is_main(vm, vm->thread)) return true;
    raise_value_error(vm, "%s only works in main thread of the main interpreter", what);
    return false;
}

value signals_get(vm *vm, int number)
{
    signals *s = signals_of(vm);
    if (!s) return V_ERROR;
    if (!value_is_unbound(s->handlers[number])) return s->handlers[number];
    if (number == SIGINT && !value_is_unbound(s->default_int)) return s->default_int;
    struct sigaction now;
    if (sigaction(number, NULL, &now) != 0) return value_int(HANDLER_DEFAULT);
    if (now.sa_handler == SIG_IGN) return value_int(HANDLER_IGNORE);
    return now.sa_handler == SIG_DFL ? value_int(HANDLER_DEFAULT) : V_NONE;
}

value signals_set(vm *vm, int number, value handler)
{
    signals *s = signals_of(vm);
    if (!s || !cap_require(vm, CAP_SIGNALS) || !check_main_thread(vm, "signal")) return V_ERROR;
    enum signal_action action = SIGNAL_CATCH;
    if (value_is_int(handler)) action = value_as_int(handler) == HANDLER_IGNORE ? SIGNAL_IGNORE : SIGNAL_DEFAULT;
    value before = signals_get(vm, number);
    if (value_is_error(before) || !own(vm, s, number, action)) return V_ERROR;
    bool was = is_caught(s, number);
    s->handlers[number] = handler;
    s->count += (uint32_t)is_caught(s, number) - (uint32_t)was;
    return before;
}

void signals_close(vm *vm)
{
    signals *s = runtime_of(vm)->signals;
    if (!s) return;
    for (int n = 1; n < SIGNAL_COUNT; n++)
        if (s->owner && (!value_is_unbound(s->handlers[n]) || !value_is_unbound(s->loop_handlers[n])))
            s->owner(s->ud, n, SIGNAL_DEFAULT);
    runtime_of(vm)->signals = NULL;
    mem_free(vm, s, sizeof *s);
}

/* ---- add_signal_handler, remove_signal_handler ---- */

/* -1 raised */
static int signal_number(vm *vm, value v)
{
    int64_t n;
    if (!int_is(v)) {
        raise_type_error(vm, "sig must be an int, not %R", v);
        return -1;
    }
    if (!int_to_i64(vm, int_plain(vm, v), &n) || n < 1 || n >= SIGNAL_COUNT || n == 32 || n == 33) {
        raise_value_error(vm, "invalid signal number %S", v);
        return -1;
    }
    return (int)n;
}

static void drop_loop_handler(signals *s, int number)
{
    bool was = is_caught(s, number);
    s->loop_handlers[number] = s->loops[number] = V_UNBOUND;
    s->count += (uint32_t)is_caught(s, number) - (uint32_t)was;
}

value loop_add_signal_handler(vm *vm, value *a, uint32_t n, value kw)
{
    static const char who[] = "_UnixSelectorEventLoop.add_signal_handler";
    if (!value_is_unbound(kw))
        return raise_type_error(vm, "%s() got an unexpected keyword argument %R", who, AS(tuple, kw)->items[0]);
    if (n < 3)
        return raise_type_error(vm, "%s() missing %d required positional argument%s: %s", who, 3 - (int)n,
                                n == 2 ? "" : "s", n == 2 ? "'callback'" : "'sig' and 'callback'");
    loop *l = AS(loop, a[0]);
    if (!callback_no_coroutine(vm, a[2], "add_signal_handler")) return V_ERROR;
    int number = signal_number(vm, a[1]);
    signals *s = number < 0 || !loop_check_open(vm, l) ? NULL : signals_of(vm);
    if (!s) return V_ERROR;
    if (!thread_is_main(vm, vm->thread))
        return raise(vm, EXC_RuntimeError, "set_wakeup_fd only works in main thread of the main interpreter");
    handle *h = handle_new(vm, l, a[2], a + 3, n - 3, V_UNBOUND, 0, false);
    if (!h || !cap_require(vm, CAP_SIGNALS)) return V_ERROR;
    if (!own(vm, s, number, SIGNAL_CATCH)) {
        if (!exc_clear_if(vm, EXC_OSError)) return V_ERROR;
        return raise(vm, EXC_RuntimeError, "sig %d cannot be caught", number);
    }
    if (!value_is_unbound(s->loop_handlers[number])) handle_cancel(vm, AS(handle, s->loop_handlers[number]));
    bool was = is_caught(s, number);
    s->loop_handlers[number] = value_obj(h);
    s->loops[number] = a[0];
    s->count += (uint32_t)is_caught(s, number) - (uint32_t)was;
    return V_NONE;
}

static bool forget(vm *vm, signals *s, int number)
{
    handle_cancel(vm, AS(handle, s->loop_handlers[number]));
    drop_loop_handler(s, number);
    s->handlers[number] = V_UNBOUND;
    return own(vm, s, number, number == SIGINT ? SIGNAL_CATCH : SIGNAL_DEFAULT);
}

value loop_remove_signal_handler(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int number = signal_number(vm, a[1]);
    signals *s = number < 0 ? NULL : signals_of(vm);
    if (!s) return V_ERROR;
    if (value_is_unbound(s->loop_handlers[number]) || !value_is(s->loops[number], a[0])) return V_FALSE;
    return forget(vm, s, number) ? V_TRUE : V_ERROR;
}

void signals_loop_closed(vm *vm, loop *l)
{
    signals *s = runtime_of(vm)->signals;
    for (int number = 1; s && number < SIGNAL_COUNT; number++)
        if (value_is(s->loops[number], value_obj(l)) && !forget(vm, s, number)) exc_clear(vm);
}
