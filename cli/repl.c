/* repl.c: the session on a terminal: keys to the editor, cells to the session, what is printed above the prompt.
 *
 * Everything happens in turns of the one loop: the terminal is a watched descriptor like any socket. While a cell is
 * awaited the keyboard is watched too (Ctrl-Z sends it to the background); what is typed ahead waits for the next
 * prompt.
 *
 * What scripts write to a terminal goes through on_write: the prompt makes room at once, and comes back when the turn
 * is over, or a little later when it was there a moment ago.
 */
#include "cli/repl.h"

#include "cli/complete.h"
#include "cli/editor.h"
#include "cli/highlight.h"
#include "cli/lines.h"
#include "cli/relay.h"
#include "cli/session.h"
#include "cli/terminal.h"

#include "runtime/poller.h"
#include "vm/file.h"
#include "vm/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double REDRAW_PAUSE = 0.01; /* seconds between two prompts drawn because of output */

struct repl {
    session session;
    struct terminal terminal;
    struct editor editor;
    struct history history;
    file_terminal files;
    callback_obj *on_keys, *on_event, *on_redraw, *on_relay;
    struct relay relay;     /* opened for the first child process */
    struct bytes_out ahead; /* typed while a cell ran */
    bool prompting;
    bool redraw_queued;
    bool tty[3];
    double drawn; /* when the prompt was drawn last */
};

static void mark(vm *vm, void *ud)
{
    struct repl *r = ud;
    gc_mark_obj(vm, (object *)r->on_keys);
    gc_mark_obj(vm, (object *)r->on_event);
    gc_mark_obj(vm, (object *)r->on_redraw);
    gc_mark_obj(vm, (object *)r->on_relay);
}

static struct repl *repl_of(vm *vm) { return session_of(vm)->front.ud; }

static void flush(struct repl *r)
{
    terminal_write(r->editor.out.p, r->editor.out.n);
    r->editor.out.n = 0;
}

static void draw(struct repl *r)
{
    editor_render(&r->editor);
    flush(r);
    r->drawn = loop_time(r->session.vm, r->session.loop);
}

static void drop_ahead(struct repl *r, size_t n)
{
    r->ahead.n -= n;
    memmove(r->ahead.p, r->ahead.p + n, r->ahead.n);
}

/* ---- what scripts write and read ---- */

static void redraw(vm *vm, callback_obj *cb, value none)
{
    (void)cb, (void)none;
    struct repl *r = repl_of(vm);
    r->redraw_queued = false;
    if (r->prompting) draw(r);
}

static void queue_redraw(struct repl *r)
{
    if (!r->prompting || r->redraw_queued) return;
    vm *vm = r->session.vm;
    loop *l = r->session.loop;
    value pending = exc_take(vm);
    double soon = r->drawn + REDRAW_PAUSE;
    if (loop_time(vm, l) < soon) r->redraw_queued = timers_add(vm, l, soon, value_obj(r->on_redraw), V_UNBOUND);
    else r->redraw_queued = loop_push(vm, l, value_obj(r->on_redraw), V_UNBOUND);
    if (vm->thread != &vm->main_thread) /* the loop may be waiting meanwhile */
        poller_wake(l);
    vm->thread->exc = pending;
}

static bool on_write(void *ud, int fd, const void *p, size_t n)
{
    struct repl *r = ud;
    if (!r->tty[fd]) return false;
    editor_print_above(&r->editor, p, n);
    flush(r);
    queue_redraw(r);
    return true;
}

/* What child processes have written is treated as if a script had. */
static void on_relay(vm *vm, callback_obj *cb, value found)
{
    (void)vm, (void)cb, (void)found;
    struct repl *r = repl_of(vm);
    char bytes[4096];
    ssize_t n = read(r->relay.master, bytes, sizeof bytes);
    if (n > 0) on_write(r, 1, bytes, (size_t)n);
}

static int child(void *ud, int fd)
{
    struct repl *r = ud;
    if (!r->tty[fd]) return -1;
    if (r->relay.master < 0) {
        unsigned columns, rows;
        terminal_size(&columns, &rows);
        if (!relay_open(&r->relay, columns, rows)) return -1;
        if (!poller_add(r->session.vm, r->session.loop, r->relay.master, POLL_READ, value_obj(r->on_relay))) {
            exc_clear(r->session.vm);
            relay_close(&r->relay);
        }
    }
    return r->relay.slave;
}

/* A line typed ahead is taken, and shown as if it were typed now. */
static size_t on_read(void *ud, void *p, size_t room)
{
    struct repl *r = ud;
    editor_hide(&r->editor);
    const char *nl = r->ahead.n ? memchr(r->ahead.p, '\n', r->ahead.n) : NULL;
    size_t n = nl ? (size_t)(nl + 1 - r->ahead.p) : 0;
    if (n == 0 || n > room) {
        flush(r);
        terminal_lend(&r->terminal);
        return 0;
    }
    memcpy(p, r->ahead.p, n);
    editor_print_above(&r->editor, p, n);
    flush(r);
    drop_ahead(r, n);
    queue_redraw(r);
    return n;
}

static void has_read(void *ud)
{
    struct repl *r = ud;
    terminal_edit(&r->terminal);
    r->editor.partial.n = 0; /* Enter was echoed */
    r->editor.below_partial = false;
    queue_redraw(r);
}

/* ---- cells ---- */

static void prompt(struct repl *r)
{
    editor_reset(&r->editor);
    r->prompting = true;
}

static void submit(struct repl *r)
{
    struct editor *e = &r->editor;
    editor_leave(e);
    flush(r);
    r->prompting = false;
    const char *text = e->submitted ? e->submitted : "";
    size_t n = e->submitted_len;
    if (n == 0) {
        session_next(&r->session);
        return;
    }
    /* Two line ends: a block is over. */
    char *cell = malloc(n + 3);
    if (cell == NULL) return;
    memcpy(cell, text, n);
    memcpy(cell + n, "\n\n", 3);
    if (!session_command(&r->session, text, n) && !session_submit(&r->session, cell, n + 2)) {
        /* Cut off, yet not whole: that can't be. It is shown again. */
        prompt(r);
        editor_set_text(e, text, n);
    }
    free(cell);
}

static void leave(struct repl *r)
{
    editor_leave(&r->editor);
    flush(r);
    r->prompting = false;
    session_end(&r->session);
}

static bool interrupted(void *ud)
{
    struct repl *r = ud;
    if (!r->prompting) return false;
    terminal_drop_input();
    r->ahead.n = 0;
    editor_leave(&r->editor);
    editor_print_above(&r->editor, "KeyboardInterrupt\n", 18);
    prompt(r);
    draw(r);
    return true;
}

static void stop(struct repl *r)
{
    editor_hide(&r->editor);
    flush(r);
    terminal_stop(&r->terminal);
    editor_forget(&r->editor);
}

/* What was typed goes to the editor; behind a cell it waits, since the cell may read it. */
static void feed(struct repl *r)
{
    struct editor *e = &r->editor;
    while (r->ahead.n > 0 && r->prompting && !raised(r->session.vm)) {
        drop_ahead(r, editor_feed(e, r->ahead.p, r->ahead.n));
        switch (e->event) {
        case EDITOR_SUBMIT: submit(r); break;
        case EDITOR_END: leave(r); break;
        case EDITOR_INTERRUPT: interrupted(r); break;
        case EDITOR_SUSPEND: stop(r); break;
        default: break;
        }
    }
}

static void idle(void *ud)
{
    struct repl *r = ud;
    files_flush_all(r->session.vm);
    prompt(r);
    feed(r);
    if (r->prompting) draw(r);
}

/* ---- the keyboard ---- */

static void on_keys(vm *vm, callback_obj *cb, value found)
{
    (void)cb, (void)found;
    struct repl *r = repl_of(vm);
    char bytes[4096];
    ssize_t n = read(0, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) { /* the terminal is gone */
        poller_remove(vm, r->session.loop, 0, POLL_READ);
        session_end(&r->session);
        return;
    }
    if (r->prompting) {
        out_bytes(&r->ahead, bytes, (size_t)n);
        feed(r);
        if (r->prompting && !raised(vm)) draw(r);
        return;
    }
    const char *p = bytes, *end = bytes + n;
    while (p < end) {
        const char *z = memchr(p, 'Z' & 31, (size_t)(end - p));
        out_bytes(&r->ahead, p, (size_t)((z ? z : end) - p));
        if (z != NULL) session_to_background(&r->session);
        p = z ? z + 1 : end;
    }
}

static void on_event(vm *vm, callback_obj *cb, value found)
{
    (void)cb, (void)found;
    struct repl *r = repl_of(vm);
    if (terminal_take_events(&r->terminal)) {
        r->terminal.editing = false;
        terminal_edit(&r->terminal);
        editor_forget(&r->editor);
    }
    unsigned columns, rows;
    terminal_size(&columns, &rows);
    editor_resize(&r->editor, columns, rows);
    relay_resize(&r->relay, columns, rows);
    flush(r);
    if (r->prompting) draw(r);
}

/* ---- the editor's questions ---- */

static bool is_complete(void *ud, const char *text, size_t n)
{
    struct repl *r = ud;
    return session_is_command(&r->session, text, n) || session_is_complete(&r->session, text, n);
}

static void complete(void *ud, const char *text, size_t n, size_t cursor, struct completions *out)
{
    (void)n;
    complete_at(&((struct repl *)ud)->session, text, cursor, out);
}

static void hint(void *ud, const char *text, size_t n, size_t cursor, char *line, size_t room)
{
    (void)n;
    complete_hint(&((struct repl *)ud)->session, text, cursor, line, room);
}

/* ---- the whole ---- */

static bool make_watch(struct repl *r, callback_obj **cb, callback_fn fn, int fd)
{
    vm *vm = r->session.vm;
    *cb = callback_new(vm, fn, V_UNBOUND, V_UNBOUND, V_UNBOUND);
    if (*cb == NULL) return false;
    return fd < 0 || poller_add(vm, r->session.loop, fd, POLL_READ, value_obj(*cb));
}

static bool open_repl(struct repl *r, vm *vm, module *main)
{
    static const struct editor_client asks = {is_complete, highlight, complete, hint, NULL};
    struct editor_client client = asks;
    client.ud = r;
    unsigned columns, rows;
    terminal_size(&columns, &rows);
    char *path = history_default_path();
    history_open(&r->history, path);
    free(path);
    editor_open(&r->editor, &client, &r->history, columns, rows);
    r->editor.colour = r->terminal.colour;
    for (int fd = 1; fd <= 2; fd++) r->tty[fd] = isatty(fd);
    if (!session_open(&r->session, vm, main, COMPILE_CELL) || !gc_add_roots(vm, mark, r)) return false;
    r->session.front = (struct session_front){idle, interrupted, r};
    if (!make_watch(r, &r->on_keys, on_keys, 0) || !make_watch(r, &r->on_redraw, redraw, -1) ||
        !make_watch(r, &r->on_relay, on_relay, -1) || !make_watch(r, &r->on_event, on_event, r->terminal.event_fd))
        return false;
    terminal_edit(&r->terminal);
    r->files = (file_terminal){.write = on_write, .read = on_read, .has_read = has_read, .child = child, .ud = r};
    file_state_of(vm)->terminal = &r->files;
    return true;
}

static void close_repl(struct repl *r, vm *vm)
{
    files_flush_all(vm);
    flush(r);
    file_state_of(vm)->terminal = NULL;
    gc_remove_roots(vm, mark, r);
    session_close(&r->session);
    editor_close(&r->editor);
    history_close(&r->history);
    relay_close(&r->relay);
    free(r->ahead.p);
}

bool repl_session(struct vm *vm, struct module *main, struct code *program, void *ud)
{
    ROOTS(vm, &main, &program);
    struct repl *r = calloc(1, sizeof *r);
    if (r != NULL) r->relay.master = r->relay.slave = -1;
    if (r == NULL || !terminal_open(&r->terminal)) {
        free(r);
        return lines_session(vm, main, program, ud);
    }
    bool ok = open_repl(r, vm, main);
    if (ok) {
        if (!program) lines_banner(&r->session);
        ok = session_run(&r->session, program);
    }
    close_repl(r, vm);
    terminal_close(&r->terminal);
    free(r);
    return ok;
}
