/* lines.c: a session whose cells are lines from a pipe or a file, as `python3.11 -m asyncio` reads them there.
 *
 * Lines come through sys.stdin's own buffer, so that a cell that calls input() gets the line after it. The prompts go
 * to stdout, what is said about the session to stderr. While no line is there the loop runs: descriptor 0 is watched,
 * where it is one that can be watched.
 */
#include "cli/lines.h"

#include "cli/session.h"

#include "runtime/poller.h"
#include "vm/dict.h"
#include "vm/file.h"
#include "vm/str.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct lines {
    session session;
    char *text; /* the cell so far */
    size_t len, cap;
    bool prompted;
};

void lines_banner(session *s)
{
    session_write(s, "aio REPL " AIOVM_VERSION " on linux\n"
                     "Use \"await\" directly instead of \"asyncio.run()\".\n"
                     "Type \"help\" for more information.\n"
                     ">>> import asyncio\n");
}

static bool append(struct lines *l, const char *p, size_t n)
{
    size_t need;
    if (!size_add(l->len, n, &need)) return false;
    if (need > l->cap) {
        size_t cap = need < 256 ? 256 : need * 2;
        char *text = cap > need ? realloc(l->text, cap) : NULL;
        if (!text) return false;
        l->text = text;
        l->cap = cap;
    }
    memcpy(l->text + l->len, p, n);
    l->len += n;
    return true;
}

static bool prompt(struct lines *l)
{
    vm *vm = l->session.vm;
    if (l->prompted) return true;
    l->prompted = true;
    value out = sys_attribute(vm, "stdout");
    if (value_is_unbound(out) || value_is_none(out)) return true;
    ROOTS(vm, &out);
    str *s = str_from_cstr(vm, l->len ? "... " : ">>> ");
    return s && file_put(vm, out, s) && file_flush(vm, out);
}

/* Nothing to read yet; false: there is, or nobody can tell. */
static bool must_wait(struct lines *l)
{
    vm *vm = l->session.vm;
    file *in = file_state_of(vm)->std[0];
    value now = sys_attribute(vm, "stdin");
    if (!in || in->fd != 0 || !value_is(now, value_obj(in)) || in->eof ||
        (in->end > in->pos && !in->dirty && memchr(in->buf + in->pos, '\n', in->end - in->pos)))
        return false;
    struct pollfd p = {.fd = 0, .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}

/* The next line of sys.stdin, added to the cell: 1, 0 at the end, -1 raised. */
static int read_line(struct lines *l)
{
    vm *vm = l->session.vm;
    value in = sys_attribute(vm, "stdin");
    if (value_is_unbound(in) || value_is_none(in)) return 0;
    value line = vm_call_method(vm, in, N(vm, readline), NULL, 0);
    if (value_is_error(line)) return -1;
    if (!IS_STR(line)) {
        raise_type_error(vm, "sys.stdin.readline() returned %T instead of str", line);
        return -1;
    }
    size_t n;
    const char *p = str_wtf8(vm, AS(str, line), &n);
    if (!p) return -1;
    if (n == 0) return 0;
    if (append(l, p, n) && (p[n - 1] == '\n' || append(l, "\n", 1))) return 1;
    raise_memory(vm);
    return -1;
}

/* No cell begins with an empty line. */
static bool is_blank(const char *p, size_t n) { return strspn(p, " \t\f\r\n") >= n; }

static void idle(void *ud);

static void on_input(vm *vm, callback_obj *cb, value found)
{
    (void)cb, (void)found;
    session *s = session_of(vm);
    poller_remove(vm, s->loop, 0, POLL_READ);
    idle(s->front.ud);
}

/* Lines until a cell is whole. */
static void idle(void *ud)
{
    struct lines *l = ud;
    vm *vm = l->session.vm;
    for (;;) {
        if (!prompt(l)) return; /* session_run shows it */
        if (must_wait(l)) {
            callback_obj *cb = callback_new(vm, on_input, V_UNBOUND, V_UNBOUND, V_UNBOUND);
            if (cb && poller_add(vm, l->session.loop, 0, POLL_READ, value_obj(cb))) return;
            exc_clear(vm); /* then the read waits */
        }
        int got = read_line(l);
        l->prompted = false;
        if (got < 0) return;
        if (got == 0) break;
        if (!append(l, "", 1)) { /* a NUL behind */
            raise_memory(vm);
            return;
        }
        l->len--;
        bool blank = is_blank(l->text, l->len);
        if (!blank && !session_command(&l->session, l->text, l->len) && !session_submit(&l->session, l->text, l->len))
            continue;
        l->len = 0;
        if (!blank) return;
    }
    session_write(&l->session, "\nexiting aio REPL...\n");
    session_end(&l->session);
}

bool lines_session(struct vm *vm, struct module *main, struct code *program, void *ud)
{
    (void)ud;
    struct lines l = {0};
    ROOTS(vm, &main, &program);
    bool ok = session_open(&l.session, vm, main, COMPILE_SINGLE);
    if (ok) {
        l.session.front = (struct session_front){idle, NULL, &l};
        if (!program) lines_banner(&l.session);
        ok = session_run(&l.session, program);
    }
    session_close(&l.session);
    free(l.text);
    return ok;
}
