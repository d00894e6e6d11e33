/* terminal.c: the terminal that a session talks to.
 *
 * However the process ends, the terminal is to be as it was found: at exit, when it is stopped, and when SIGTERM or
 * SIGHUP end it.
 */
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Signal handlers get no context: what they need of the one terminal of the process. */
static struct {
    volatile int event_fd;
    volatile sig_atomic_t continued;
    struct termios before;
} shared = {.event_fd = -1};

bool terminal_is_usable(void)
{
    const char *term = getenv("TERM");
    return isatty(0) && isatty(1) && term != NULL && term[0] && strcmp(term, "dumb") != 0;
}

/* ---- signals ---- */

static void on_event(int signal_number)
{
    int error = errno;
    uint64_t one = 1;
    if (signal_number == SIGCONT) shared.continued = 1;
    ssize_t written = write(shared.event_fd, &one, sizeof one);
    (void)written;
    errno = error;
}

static void on_end(int signal_number)
{
    static const char off[] = "\x1b[?2004l\x1b[0m\r\n";
    tcsetattr(0, TCSANOW, &shared.before);
    ssize_t written = write(1, off, sizeof off - 1);
    (void)written;
    signal(signal_number, SIG_DFL);
    kill(getpid(), signal_number); /* raise() is the VM's own in this program */
}

/* Not where the signal is ignored: nohup. */
static void catch_signal(int signal_number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(signal_number, &action, NULL);
}

bool terminal_take_events(struct terminal *t)
{
    uint64_t count;
    ssize_t got = read(t->event_fd, &count, sizeof count);
    (void)got;
    bool continued = shared.continued;
    shared.continued = 0;
    return continued;
}

/* ---- modes ---- */

static void set_modes(const struct termios *modes)
{
    while (tcsetattr(0, TCSADRAIN, modes) != 0 && errno == EINTR)
        ;
}

void terminal_edit(struct terminal *t)
{
    if (t->editing) return;
    struct termios raw = t->before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | IEXTEN);
    raw.c_lflag |= ISIG | NOFLSH; /* Ctrl-\\ must not take what was typed before it */
    raw.c_iflag &= (tcflag_t) ~(IXON | IXOFF | INLCR | IGNCR | ISTRIP);
    raw.c_iflag |= ICRNL;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VINTR] = 3;
    raw.c_cc[VQUIT] = 28;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;
    set_modes(&raw);
    terminal_write("\x1b[?2004h", 8);
    t->editing = true;
}

void terminal_lend(struct terminal *t)
{
    if (!t->editing) return;
    terminal_write("\x1b[?2004l", 8);
    set_modes(&t->before);
    t->editing = false;
}

void terminal_drop_input(void) { tcflush(0, TCIFLUSH); }

void terminal_stop(struct terminal *t)
{
    terminal_lend(t);
    kill(0, SIGTSTP);
    /* Stopped here until SIGCONT. */
    terminal_edit(t);
}

/* ---- the rest ---- */

bool terminal_open(struct terminal *t)
{
    memset(t, 0, sizeof *t);
    if (tcgetattr(0, &t->before) != 0) return false;
    t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->event_fd < 0) return false;
    const char *no_color = getenv("NO_COLOR");
    t->colour = no_color == NULL || no_color[0] == 0;
    shared.before = t->before;
    shared.event_fd = t->event_fd;
    catch_signal(SIGWINCH, on_event);
    catch_signal(SIGCONT, on_event);
    catch_signal(SIGTERM, on_end);
    catch_signal(SIGHUP, on_end);
    return true;
}

void terminal_close(struct terminal *t)
{
    terminal_lend(t);
    static const int caught[] = {SIGWINCH, SIGCONT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) catch_signal(caught[i], SIG_DFL);
    shared.event_fd = -1;
    close(t->event_fd);
}

void terminal_size(unsigned *columns, unsigned *rows)
{
    struct winsize size = {0};
    if (ioctl(1, TIOCGWINSZ, &size) != 0) size.ws_col = size.ws_row = 0;
    *columns = size.ws_col ? size.ws_col : 80;
    *rows = size.ws_row ? size.ws_row : 24;
}

void terminal_write(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(1, p, n);
        if (k < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = 1, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else if (k < 0 && errno != EINTR) {
            return;
        }
        if (k > 0) {
            p += k;
            n -= (size_t)k;
        }
    }
}
