/* Stream transports: between a non-blocking descriptor and a protocol.
 *
 * The order of events is CPython's: connection_made in the turn after the transport was made, then reading begins; data
 * in the turn whose poll found it; connection_lost in the turn after the transport was closed or broke; one receive per
 * turn.
 *
 * Invariants
 *  1. The descriptor is told to epoll once, edge-triggered, and taken out just before it is closed (descriptors 0-2,
 *     which other processes share, are level-triggered and never made non-blocking: `level`).
 *  2. A write is tried at once; what the kernel does not take is copied to `out`, and is counted as work in flight.
 *  3. After the end of the stream, an error, close() without unsent data or abort(), `lost` is set and
 *     connection_lost() is scheduled, exactly once. It releases the descriptor whatever the protocol does.
 *  4. Exceptions of the protocol's methods are reported and abort the connection; KeyboardInterrupt and SystemExit
 *     leave the loop.
 */
#include "runtime/transport.h"
#include "runtime/asyncio.h"
#include "vm/attr.h"
#include "vm/bytes.h"
#include "vm/file.h"
#include "vm/native.h"
#include "vm/str.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { HIGH_WATER = 64 * 1024, TOLERATED_WRITES = 5, LEVEL_CHUNK = 512 };

static str *name(vm *vm, const char *s) { return str_intern_utf8(vm, s, strlen(s)); }
static value os_exception(vm *vm, int err)
{
    raise_os_error(vm, err, V_UNBOUND);
    return exc_take(vm);
}

/* ---- the descriptor ---- */

/* Interrupted calls are made again. As much as goes without blocking: the count, or -1 and errno (EAGAIN: nothing). */
static ssize_t put(const transport *t, const uint8_t *p, size_t n)
{
    if (t->level) {
        struct pollfd w = {.fd = t->fd, .events = POLLOUT};
        if (poll(&w, 1, 0) <= 0) {
            errno = EAGAIN;
            return -1;
        }
        return platform_pipe_write(t->fd, p, n < LEVEL_CHUNK ? n : LEVEL_CHUNK);
    }
    ssize_t r;
    do r = t->kind == TRANSPORT_SOCKET ? send(t->fd, p, n, MSG_NOSIGNAL) : platform_pipe_write(t->fd, p, n);
    while (r < 0 && errno == EINTR);
    return r;
}
static ssize_t get(const transport *t, void *p, size_t n)
{
    if (t->level) {
        struct pollfd w = {.fd = t->fd, .events = POLLIN};
        if (poll(&w, 1, 0) <= 0) {
            errno = EAGAIN;
            return -1;
        }
    }
    ssize_t r;
    do r = t->kind == TRANSPORT_SOCKET ? recv(t->fd, p, n, 0) : read(t->fd, p, n);
    while (r < 0 && errno == EINTR);
    return r;
}
static bool would_block(int err) { return err == EAGAIN || err == EWOULDBLOCK; }

/* The poller knows the descriptor from here on. false: raised. */
static bool watch_begin(vm *vm, transport *t)
{
    if (t->level) {
        if (t->kind == TRANSPORT_READ_PIPE && !t->paused)
            return poller_add(vm, t->loop, t->fd, POLL_READ, value_obj(t->reader));
        return true;
    }
    if (value_is(poller_owner(t->loop, t->fd), value_obj(t))) return true;
    return poller_own(vm, t->loop, t->fd, t->reader, t->writer, value_obj(t));
}
static void watch_end(vm *vm, transport *t)
{
    if (!t->loop || t->fd < 0) return;
    if (t->level) {
        poller_remove(vm, t->loop, t->fd, POLL_READ);
        poller_remove(vm, t->loop, t->fd, POLL_WRITE);
    } else if (value_is(poller_owner(t->loop, t->fd), value_obj(t))) {
        poller_disown(vm, t->loop, t->fd);
    }
}

/* ---- calling the protocol ---- */

static value call_protocol(vm *vm, transport *t, const char *method, value *args, uint32_t n)
{
    str *s = name(vm, method);
    thread *th = vm->thread;
    if (!s) return V_ERROR;
    th->context = t->context;
    value v = vm_call_method(vm, t->protocol, s, args, n);
    th->context = V_UNBOUND;
    return v;
}
/* As a callback of the loop: what it raises is reported by the loop. false: leave the loop. */
static bool call_as_handle(vm *vm, transport *t, const char *method, value arg)
{
    str *s = name(vm, method);
    value f = s ? obj_getattr(vm, t->protocol, s) : V_ERROR;
    handle *h = value_is_error(f) ? NULL : handle_new(vm, t->loop, f, &arg, 1, t->context, 0, false);
    if (h) return handle_run(vm, h);
    if (exc_matches(vm, EXC_KeyboardInterrupt) || exc_matches(vm, EXC_SystemExit)) return false;
    exc_report_unraisable(vm, t->protocol);
    return true;
}

static bool leaves_loop(vm *vm) { return exc_matches(vm, EXC_KeyboardInterrupt) || exc_matches(vm, EXC_SystemExit); }

static void lose(vm *vm, transport *t, value exc);

/* Reports (OSErrors only in debug mode) and aborts; takes the pending exception. false: it must leave the loop. */
static bool transport_fatal(vm *vm, transport *t, const char *message)
{
    if (leaves_loop(vm)) return false;
    value exc = exc_take(vm), tv = value_obj(t);
    ROOTS(vm, &exc, &tv);
    if (t->loop && (!value_isa_id(vm, exc, EXC_OSError) || t->loop->debug)) {
        str *text = str_from_cstr(vm, message);
        if (text)
            loop_report(vm, t->loop, value_obj(text), "exception", exc, "transport", tv, "protocol", t->protocol, NULL);
        else exc_clear(vm);
    }
    return transport_abort(vm, t, exc) && !raised(vm);
}
/* The same with an errno. */
static bool fatal_errno(vm *vm, transport *t, int err, const char *message)
{
    raise_os_error(vm, err, V_UNBOUND);
    return transport_fatal(vm, t, message);
}

/* ---- flow control ---- */

static bool flow_call(vm *vm, transport *t, bool pause)
{
    t->protocol_paused = pause;
    if (!value_is_error(call_protocol(vm, t, pause ? "pause_writing" : "resume_writing", NULL, 0))) return true;
    if (leaves_loop(vm)) return false;
    value exc = exc_take(vm);
    ROOTS(vm, &exc);
    str *text = str_from_cstr(vm, pause ? "protocol.pause_writing() failed" : "protocol.resume_writing() failed");
    if (text)
        loop_report(vm, t->loop, value_obj(text), "exception", exc, "transport", value_obj(t), "protocol", t->protocol,
                    NULL);
    return !raised(vm);
}
bool transport_maybe_pause(vm *vm, transport *t)
{
    return t->protocol_paused || transport_unsent(t) <= t->high || flow_call(vm, t, true);
}
static bool maybe_resume(vm *vm, transport *t)
{
    return !t->protocol_paused || transport_unsent(t) > t->low || flow_call(vm, t, false);
}

static void drop_unsent(vm *vm, transport *t)
{
    if (!t->out) return;
    if (transport_unsent(t)) runtime_of(vm)->in_flight--;
    mem_free(vm, t->out, t->out_cap);
    t->out = NULL;
    t->out_pos = t->out_end = t->out_cap = 0;
}
static bool keep_unsent(vm *vm, transport *t, const uint8_t *p, size_t n)
{
    size_t unsent = transport_unsent(t), need;
    if (!size_add(unsent, n, &need)) return !value_is_error(raise_memory(vm));
    if (need > t->out_cap - t->out_pos) {
        if (need > t->out_cap || t->out_pos < t->out_cap / 2) {
            size_t cap = need + need / 2 + 1024;
            uint8_t *out = cap < need ? NULL : mem_alloc(vm, cap);
            if (!out) return raised(vm) ? false : !value_is_error(raise_memory(vm));
            if (unsent) memcpy(out, t->out + t->out_pos, unsent);
            mem_free(vm, t->out, t->out_cap);
            t->out = out;
            t->out_cap = cap;
        } else {
            memmove(t->out, t->out + t->out_pos, unsent);
        }
        t->out_pos = 0;
        t->out_end = unsent;
    }
    memcpy(t->out + t->out_end, p, n);
    t->out_end += n;
    if (!unsent) runtime_of(vm)->in_flight++;
    return true;
}

/* ---- writing ---- */

/* p stays valid and in place; false: raised */
static bool transport_write(vm *vm, transport *t, const uint8_t *p, size_t n)
{
    if (!n) return true;
    if (UNLIKELY(t->lost || (t->kind == TRANSPORT_WRITE_PIPE && t->closing))) {
        if (t->ignored++ >= TOLERATED_WRITES) {
            str *s = str_from_cstr(vm, t->kind == TRANSPORT_SOCKET
                                           ? "socket.send() raised exception.\n"
                                           : "pipe closed by peer or os.write(pipe, data) raised exception.\n");
            if (!s) return false;
            file_write_stderr(vm, s);
        }
        return true;
    }
    if (LIKELY(!transport_unsent(t))) {
        /* Until it would block: only then is another edge due. */
        while (n) {
            ssize_t sent = put(t, p, n);
            if (LIKELY(sent >= 0)) {
                p += sent;
                n -= (size_t)sent;
            } else if (would_block(errno)) {
                break;
            } else {
                return fatal_errno(vm, t, errno,
                                   t->kind == TRANSPORT_SOCKET ? "Fatal write error on socket transport"
                                                               : "Fatal write error on pipe transport");
            }
        }
        if (LIKELY(!n)) return true;
        if (t->level ? !poller_add(vm, t->loop, t->fd, POLL_WRITE, value_obj(t->writer)) : !watch_begin(vm, t))
            return transport_fatal(vm, t, "Fatal write error on transport");
        if (!t->level) poller_rearm(vm, t->loop, t->fd);
    }
    return keep_unsent(vm, t, p, n) && transport_maybe_pause(vm, t);
}

bool transport_write_value(vm *vm, transport *t, value data)
{
    const uint8_t *p;
    size_t n;
    if (LIKELY(IS_BYTES(data))) {
        p = AS(bytes, data)->data;
        n = AS(bytes, data)->len;
    } else {
        if ((!IS_BYTEARRAY(data) && !value_isa_id(vm, data, TYPE_MEMORYVIEW)) || !buffer_view(vm, data, &p, &n)) {
            if (!raised(vm))
                raise_type_error(vm, "data argument must be a bytes-like object, not %R", type_of(vm, data)->name);
            return false;
        }
    }
    if (UNLIKELY(t->eof)) {
        raise(vm, EXC_RuntimeError, "Cannot call write() after write_eof()");
        return false;
    }
    if (UNLIKELY(!value_is_unbound(t->empty_waiter))) {
        raise(vm, EXC_RuntimeError, "unable to write; sendfile is in progress");
        return false;
    }
    return transport_write(vm, t, p, n);
}

static void finish_empty_waiter(vm *vm, transport *t, value exc)
{
    value w = t->empty_waiter;
    if (!future_is(w) || future_state(AS(future, w)) != FUT_PENDING) return;
    if (value_is_unbound(exc)) future_finish(vm, AS(future, w), V_NONE);
    else future_fail(vm, AS(future, w), exc);
}

static bool shut_down(vm *vm, transport *t)
{
    if (shutdown(t->fd, SHUT_WR) == 0 || errno == ENOTCONN) return true;
    raise_os_error(vm, errno, V_UNBOUND);
    return false;
}

static void on_writable(vm *vm, callback_obj *cb, value bits)
{
    (void)bits;
    transport *t = AS(transport, cb->a);
    if (t->kind == TRANSPORT_WRITE_PIPE && !t->lost && (value_as_int(bits) & POLL_END)) { /* the reader has gone */
        value exc = V_NONE;
        if (transport_unsent(t)) exc = os_exception(vm, EPIPE);
        transport_abort(vm, t, exc);
        return;
    }
    if (t->lost || !transport_unsent(t)) return; /* only that it could be written to */
    while (transport_unsent(t)) {
        ssize_t sent = put(t, t->out + t->out_pos, transport_unsent(t));
        if (sent < 0 && would_block(errno)) {
            if (!t->level) poller_rearm(vm, t->loop, t->fd);
            break;
        }
        if (sent < 0) {
            int err = errno;
            value exc = os_exception(vm, err);
            ROOTS(vm, &exc);
            drop_unsent(vm, t);
            finish_empty_waiter(vm, t, exc);
            vm->thread->exc = exc;
            transport_fatal(vm, t,
                            t->kind == TRANSPORT_SOCKET ? "Fatal write error on socket transport"
                                                        : "Fatal write error on pipe transport");
            return;
        }
        t->out_pos += (size_t)sent;
        if (transport_unsent(t)) continue;
        runtime_of(vm)->in_flight--;
        t->out_pos = t->out_end = 0;
        drop_unsent(vm, t);
    }
    if (t->lost || !t->loop || !maybe_resume(vm, t) || transport_unsent(t) || t->lost) return;
    if (t->level) poller_remove(vm, t->loop, t->fd, POLL_WRITE);
    finish_empty_waiter(vm, t, V_UNBOUND);
    if (t->closing) lose(vm, t, V_NONE);
    else if (t->eof && t->kind == TRANSPORT_SOCKET && !shut_down(vm, t))
        transport_fatal(vm, t, "Fatal write error on socket transport");
}

bool transport_write_eof(vm *vm, transport *t)
{
    if (t->kind == TRANSPORT_WRITE_PIPE) return transport_close(vm, t);
    if (t->closing || t->eof) return true;
    t->eof = true;
    if (transport_unsent(t)) return true;
    if (shutdown(t->fd, SHUT_WR) == 0) return true;
    raise_os_error(vm, errno, V_UNBOUND);
    return false;
}

/* ---- reading ---- */

static bool stream_end(vm *vm, transport *t)
{
    t->no_more = true;
    if (t->level) poller_remove(vm, t->loop, t->fd, POLL_READ);
    if (t->kind == TRANSPORT_READ_PIPE) {
        t->closing = true;
        if (value_is_error(call_protocol(vm, t, "eof_received", NULL, 0)) &&
            !transport_fatal(vm, t, "Fatal error: protocol.eof_received() call failed."))
            return false;
        lose(vm, t, V_NONE);
        return !raised(vm);
    }
    value keep = call_protocol(vm, t, "eof_received", NULL, 0);
    int open = value_is_error(keep) ? -1 : obj_truth(vm, keep);
    if (open < 0) return transport_fatal(vm, t, "Fatal error: protocol.eof_received() call failed.");
    return open || transport_close(vm, t);
}

/* BufferedProtocol: into the protocol's own memory. The count received, 0 at the end, -1: nothing more to do now. */
static ssize_t read_buffered(vm *vm, transport *t, size_t *room)
{
    value hint = value_int(-1), buf = call_protocol(vm, t, "get_buffer", &hint, 1);
    ROOTS(vm, &buf);
    buffer_info b;
    if (!value_is_error(buf)) {
        if (!buffer_info_of(vm, buf, &b) && !raised(vm))
            raise_type_error(vm, "a bytes-like object is required, not '%T'", buf);
        else if (!raised(vm) && !b.n) raise(vm, EXC_RuntimeError, "get_buffer() returned an empty buffer");
        else if (!raised(vm) && b.readonly) raise_type_error(vm, "get_buffer() returned a read-only buffer");
    }
    if (raised(vm)) {
        transport_fatal(vm, t, "Fatal error: protocol.get_buffer() call failed.");
        return -1;
    }
    *room = b.n;
    ssize_t n = get(t, b.data, b.n);
    if (n <= 0) return n < 0 && would_block(errno) ? -1 : n < 0 ? -2 : 0;
    value count = value_int(n);
    if (value_is_error(call_protocol(vm, t, "buffer_updated", &count, 1)))
        transport_fatal(vm, t, "Fatal error: protocol.buffer_updated() call failed.");
    return n;
}

static ssize_t read_bytes(vm *vm, transport *t, size_t *room)
{
    runtime *rt = runtime_of(vm);
    *room = READ_BUFFER;
    if (UNLIKELY(!rt->read_buffer) && !(rt->read_buffer = mem_alloc(vm, READ_BUFFER))) {
        transport_fatal(vm, t, "Fatal read error on transport");
        return -1;
    }
    ssize_t n = get(t, rt->read_buffer, READ_BUFFER);
    if (n <= 0) return n < 0 && would_block(errno) ? -1 : n < 0 ? -2 : 0;
    bool ok;
    if (LIKELY(t->native)) {
        ok = stream_protocol_data(vm, t->protocol, rt->read_buffer, (size_t)n);
    } else {
        bytes *b = bytes_new(vm, rt->read_buffer, (size_t)n);
        value data = b ? value_obj(b) : V_UNBOUND;
        ok = b && !value_is_error(call_protocol(vm, t, "data_received", &data, 1));
    }
    if (UNLIKELY(!ok)) transport_fatal(vm, t, "Fatal error: protocol.data_received() call failed.");
    return n;
}

static void on_readable(vm *vm, callback_obj *cb, value bits)
{
    transport *t = AS(transport, cb->a);
    if (UNLIKELY(t->closing || t->lost || t->no_more)) return;
    if (t->kind == TRANSPORT_WRITE_PIPE) { /* nothing to read, but the peer has gone */
        if (value_as_int(bits) & POLL_END) on_writable(vm, cb, bits);
        return;
    }
    if (UNLIKELY(t->paused || !t->started)) {
        t->readable = true;
        return;
    }
    size_t room = READ_BUFFER;
    ssize_t n = t->buffered ? read_buffered(vm, t, &room) : read_bytes(vm, t, &room);
    if (UNLIKELY(raised(vm))) return;
    if (UNLIKELY(n == -1)) { /* nothing there, or the protocol has failed */
        if (!t->level && !t->closing && t->loop) poller_rearm(vm, t->loop, t->fd);
        return;
    }
    if (n == -2) {
        fatal_errno(vm, t, errno,
                    t->kind == TRANSPORT_SOCKET ? "Fatal read error on socket transport"
                                                : "Fatal read error on pipe transport");
    } else if (n == 0) {
        stream_end(vm, t);
    } else if (UNLIKELY((size_t)n == room || (value_as_int(bits) & POLL_END)) && !t->level && !t->closing) {
        if (t->paused) t->readable = true; /* there may be more: no edge will tell */
        else poller_again(vm, t->loop, t->fd, (enum poll_bits)(POLL_READ | (value_as_int(bits) & POLL_END)));
    }
}

bool transport_pause_reading(vm *vm, transport *t)
{
    if (t->closing || t->paused) return true;
    t->paused = true;
    if (t->level) poller_remove(vm, t->loop, t->fd, POLL_READ);
    return true;
}
bool transport_resume_reading(vm *vm, transport *t)
{
    if (t->closing || !t->paused) return true;
    t->paused = false;
    if (t->level) return !t->started || t->no_more || watch_begin(vm, t);
    /* An edge may have been seen by a receive that left something: one more try costs little. */
    if (t->started && t->readable) poller_again(vm, t->loop, t->fd, POLL_READ | POLL_END);
    t->readable = false;
    return true;
}

/* ---- beginning and end ---- */

static void start(vm *vm, callback_obj *cb, value unused)
{
    (void)unused;
    transport *t = AS(transport, cb->a);
    if (!call_as_handle(vm, t, "connection_made", value_obj(t))) return;
    t->started = true;
    if (!t->closing && t->loop) {
        if (!watch_begin(vm, t) && !transport_fatal(vm, t, "Fatal error on transport")) return;
        if (t->readable && !t->paused && !t->closing) {
            t->readable = false;
            poller_again(vm, t->loop, t->fd, POLL_READ);
        }
    }
    value w = t->waiter;
    t->waiter = V_UNBOUND;
    if (future_is(w) && future_state(AS(future, w)) == FUT_PENDING) future_finish(vm, AS(future, w), V_NONE);
}

static void remember_extra(vm *vm, transport *t);
static bool close_file(vm *vm, transport *t)
{
    value f = t->file;
    t->file = V_UNBOUND;
    if (value_is_unbound(f)) return true;
    t->closed_file = f;
    return !value_is_error(vm_call_method(vm, f, name(vm, "close"), NULL, 0));
}

/* connection_lost() raised. false: leave the loop. */
static bool lost_failed(vm *vm, transport *t, value why)
{
    if (leaves_loop(vm)) return false;
    value exc = exc_take(vm), tv = value_obj(t);
    ROOTS(vm, &exc, &tv, &why);
    str *text = str_format(vm, "Exception in callback %s._call_connection_lost(%R)", transport_class(t), why);
    if (text)
        loop_report(vm, t->loop, value_obj(text), "exception", exc, "transport", tv, "protocol", t->protocol, NULL);
    else exc_clear(vm);
    return !raised(vm);
}

static void lost(vm *vm, callback_obj *cb, value unused)
{
    (void)unused;
    transport *t = AS(transport, cb->a);
    value exc = t->lost_exc, server = t->server;
    ROOTS(vm, &exc, &server);
    bool ok = value_is_none(t->protocol) || !value_is_error(call_protocol(vm, t, "connection_lost", &exc, 1)) ||
              lost_failed(vm, t, exc);
    value left = ok ? V_UNBOUND : exc_take(vm);
    ROOTS(vm, &left);
    drop_unsent(vm, t);
    remember_extra(vm, t);
    watch_end(vm, t);
    if (!close_file(vm, t)) exc_report_unraisable(vm, value_obj(t));
    if (!value_is_unbound(t->empty_waiter)) {
        value e = exc_new(vm, EXC_ConnectionError, value_obj(str_from_cstr(vm, "Connection is closed by peer")));
        if (!value_is_error(e)) finish_empty_waiter(vm, t, e);
    }
    t->protocol = V_NONE;
    t->native = false;
    t->server = V_UNBOUND;
    if (!value_is_unbound(server) && value_is_error(vm_call_method(vm, server, name(vm, "_detach"), &cb->a, 1)))
        exc_report_unraisable(vm, server);
    t->loop = NULL;
    if (!ok) vm->thread->exc = left;
}
/* connection_lost(exc) in the next turn. */
static void lose(vm *vm, transport *t, value exc)
{
    if (t->lost || !t->loop || !loop_check_open(vm, t->loop)) return;
    t->lost = true;
    t->closing = true;
    t->ignored = 1;
    t->lost_exc = exc;
    gc_barrier(vm, t);
    callback_obj *cb = callback_new(vm, lost, value_obj(t), V_UNBOUND, V_UNBOUND);
    if (!cb) return;
    loop_push(vm, t->loop, value_obj(cb), V_NONE);
}

bool transport_close(vm *vm, transport *t)
{
    if (t->closing) return true;
    t->closing = true;
    if (t->level && t->loop) poller_remove(vm, t->loop, t->fd, POLL_READ);
    if (transport_unsent(t)) return true;
    lose(vm, t, V_NONE);
    return !raised(vm);
}
bool transport_abort(vm *vm, transport *t, value exc)
{
    if (t->lost) return true;
    drop_unsent(vm, t);
    lose(vm, t, exc);
    return !raised(vm);
}

bool transport_set_protocol(vm *vm, transport *t, value protocol)
{
    t->protocol = protocol;
    gc_barrier(vm, t);
    t->native = stream_protocol_is_native(vm, protocol);
    t->buffered = !t->native && value_isa(vm, protocol, runtime_of(vm)->types[RT_BUFFERED_PROTOCOL]);
    return true;
}

static value peer_of(vm *vm, int fd)
{
    socket_address a;
    socklen_t len = sizeof a;
    if (getpeername(fd, &a.sa, &len) < 0) return V_NONE;
    value v = address_value(vm, &a, len);
    return v;
}

transport *stream_transport_new(vm *vm, loop *l, enum transport_kind kind, value file, int fd, value protocol,
                                value waiter, value extra, value server)
{
    if (!loop_check_open(vm, l)) return NULL;
    ROOTS(vm, &file, &protocol, &waiter, &extra, &server);
    transport *t = userdata_new(vm, runtime_of(vm)->types[RT_STREAM_TRANSPORT]);
    if (!t) return NULL;
    value tv = value_obj(t);
    ROOTS(vm, &tv);
    t->fd = -1;
    t->loop = l;
    t->kind = (uint8_t)kind;
    t->level = fd <= 2;
    t->waiter = waiter;
    t->extra = extra;
    t->server = server;
    t->high = HIGH_WATER;
    t->low = HIGH_WATER / 4;
    t->lost_exc = V_NONE;
    t->context = context_copy_current(vm);
    if (raised(vm) || !transport_set_protocol(vm, t, protocol)) return NULL;
    t->reader = callback_new(vm, on_readable, tv, V_UNBOUND, V_UNBOUND);
    t->writer = t->reader ? callback_new(vm, on_writable, tv, V_UNBOUND, V_UNBOUND) : NULL;
    callback_obj *cb = t->writer ? callback_new(vm, start, tv, V_UNBOUND, V_UNBOUND) : NULL;
    if (!cb) return NULL;
    if (kind == TRANSPORT_SOCKET) t->peername = peer_of(vm, fd);
    if (raised(vm)) return NULL;
    value cv = value_obj(cb);
    ROOTS(vm, &cv);
    if (!value_is_unbound(server) && value_is_error(vm_call_method(vm, server, name(vm, "_attach"), &tv, 1)))
        return NULL;
    if (!loop_push(vm, l, cv, V_NONE)) return NULL;
    t->file = file;
    t->fd = fd;
    gc_barrier(vm, t);
    return t;
}

/* ---- get_extra_info ---- */

static value socket_name(vm *vm, int fd)
{
    socket_address a;
    socklen_t len = sizeof a;
    return getsockname(fd, &a.sa, &len) < 0 ? V_NONE : address_value(vm, &a, len);
}
static bool extra_set(vm *vm, transport *t, const char *key, value v)
{
    ROOTS(vm, &v);
    if (!IS_DICT(t->extra)) {
        dict *d = dict_new(vm);
        if (!d) return false;
        t->extra = value_obj(d);
        gc_barrier(vm, t);
    }
    str *s = name(vm, key);
    return s && dict_set_str(vm, AS(dict, t->extra), s, v);
}
/* Before the descriptor is closed: what may still be asked for. Failing is no harm. */
static void remember_extra(vm *vm, transport *t)
{
    if (t->kind != TRANSPORT_SOCKET || value_is_unbound(t->file)) return;
    value v = socket_name(vm, t->fd);
    if (value_is_error(v) || !extra_set(vm, t, "sockname", v)) exc_clear(vm);
}

value transport_extra(vm *vm, transport *t, str *key, value dflt)
{
    ROOTS(vm, &dflt, &key);
    if (IS_DICT(t->extra)) {
        value v = dict_get_str(vm, AS(dict, t->extra), key);
        if (!value_is_unbound(v)) return v;
    }
    value v = V_UNBOUND;
    if (t->kind == TRANSPORT_SOCKET) {
        if (str_equal_ascii(key, "peername")) v = t->peername;
        else if (str_equal_ascii(key, "sockname")) v = value_is_unbound(t->file) ? dflt : socket_name(vm, t->fd);
        else if (str_equal_ascii(key, "socket")) {
            value m = import_module(vm, name(vm, "_asyncio_transports"));
            value cls = value_is_error(m) ? m : obj_getattr(vm, m, name(vm, "TransportSocket"));
            v = value_is_error(cls) ? cls : vm_call1(vm, cls, value_is_unbound(t->file) ? t->closed_file : t->file);
            if (!value_is_error(v)) {
                ROOTS(vm, &v);
                if (!extra_set(vm, t, "socket", v)) return V_ERROR;
            }
        }
        return value_is_unbound(v) && !raised(vm) ? dflt : v;
    }
    return str_equal_ascii(key, "pipe") ? value_is_unbound(t->file) ? t->closed_file : t->file : dflt;
}
