/* Accepting connections, and the module _asyncio_io: what the script half of
 * networking (stdlib/_asyncio_net.aio and its kin) is made of.
 *
 * A listening socket is watched level-triggered. What was accepted becomes a transport in the next turn, as CPython
 * does it. Without descriptors or memory for one more connection the socket is not watched for a second, so the loop
 * does not spin. */
#include "runtime/stream.h"
#include "vm/attr.h"
#include "vm/native.h"
#include "vm/str.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define DOC_FILE runtime_server
DOC_BEGIN;

static const double ACCEPT_PAUSE = 1;

typedef struct acceptor {
    object h;
    value *slots;
    loop *loop;
    value sock, factory, server, context;
    callback_obj *callback;
    int64_t backlog;
} acceptor;

static void report(vm *vm, loop *l, const char *message, const char *key, value v)
{
    value exc = exc_take(vm);
    ROOTS(vm, &exc, &v);
    str *text = str_from_cstr(vm, message);
    if (text) loop_report(vm, l, value_obj(text), "exception", exc, key, v, NULL);
    else exc_clear(vm);
}
static bool leaves_loop(vm *vm) { return exc_matches(vm, EXC_KeyboardInterrupt) || exc_matches(vm, EXC_SystemExit); }

/* The turn after accept(): cb->a acceptor, cb->b socket. */
static void make_connection(vm *vm, callback_obj *cb, value unused)
{
    (void)unused;
    acceptor *s = AS(acceptor, cb->a);
    socket_obj *sock = SOCKET(cb->b);
    value protocol = V_NONE;
    ROOTS(vm, &protocol);
    vm->thread->context = s->context;
    protocol = vm_call0(vm, s->factory);
    transport *t = value_is_error(protocol) ? NULL
                                            : stream_transport_new(vm, s->loop, TRANSPORT_SOCKET, cb->b, sock->fd,
                                                                   protocol, V_UNBOUND, V_UNBOUND, s->server);
    vm->thread->context = V_UNBOUND;
    if (t) return;
    value exc = exc_take(vm);
    ROOTS(vm, &exc);
    if (!socket_close(vm, sock)) exc_clear(vm);
    vm->thread->exc = exc;
    if (!leaves_loop(vm))
        report(vm, s->loop, "Error on transport creation for incoming connection", "protocol",
               value_is_unbound(protocol) ? V_NONE : protocol);
}

static void resume_accepting(vm *vm, callback_obj *cb, value unused)
{
    (void)unused;
    acceptor *s = AS(acceptor, cb->a);
    int fd = SOCKET(s->sock)->fd;
    if (fd < 0 || s->loop->closed || s->callback->dead) return;
    if (!poller_add(vm, s->loop, fd, POLL_READ, value_obj(s->callback)))
        report(vm, s->loop, "The server could not go on accepting", "socket", s->sock);
}
static void pause_accepting(vm *vm, acceptor *s, int err)
{
    bool resources = err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
    loop *l = s->loop;
    int fd = SOCKET(s->sock)->fd;
    raise_os_error(vm, err, V_UNBOUND);
    report(vm, l, resources ? "socket.accept() out of system resource" : "socket.accept() failed", "socket", s->sock);
    if (raised(vm)) return;
    poller_remove(vm, l, fd, POLL_READ);
    s->callback->dead = false; /* removing it has cancelled it; it comes back */
    timers_call_at(vm, l, loop_time(vm, l) + ACCEPT_PAUSE, resume_accepting, value_obj(s));
}

/* Nobody there, or only this connection has failed: accept(2) hands out its network errors. */
static bool passing(int err)
{
    static const int errors[] = {EAGAIN,      EINTR,     ECONNABORTED, EPERM,        EPROTO,     ENETDOWN,
                                 ENOPROTOOPT, EHOSTDOWN, ENONET,       EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (err == errors[i]) return true;
    return false;
}

static void on_connection(vm *vm, callback_obj *cb, value bits)
{
    (void)bits;
    acceptor *s = AS(acceptor, cb->a);
    socket_obj *listener = SOCKET(s->sock);
    for (int64_t i = 0; i < s->backlog && listener->fd >= 0; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            int err = errno;
            if (!passing(err)) pause_accepting(vm, s, err);
            return;
        }
        socket_obj *sock = socket_from_fd(vm, fd, listener->family, listener->type | SOCK_NONBLOCK, listener->proto);
        if (!sock) { /* the VM's own limit of descriptors */
            if (exc_clear_if(vm, EXC_OSError)) pause_accepting(vm, s, EMFILE);
            return;
        }
        callback_obj *next = callback_new(vm, make_connection, value_obj(s), value_obj(sock), V_UNBOUND);
        if (!next || !loop_push(vm, s->loop, value_obj(next), V_NONE)) return;
    }
}

/* ---- the module ---- */

#define IO(NAME) static value NAME(vm *vm, value *a, uint32_t n, value kw)
#define UNUSED   (void)n, (void)kw

static void no_delay(const socket_obj *s)
{
    int one = 1;
    if ((s->family == AF_INET || s->family == AF_INET6) && s->type == SOCK_STREAM &&
        (s->proto == 0 || s->proto == IPPROTO_TCP))
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static socket_obj *socket_argument(vm *vm, value v)
{
    if (socket_is(vm, v)) return SOCKET(v);
    raise_type_error(vm, "a socket is expected, got %R", v);
    return NULL;
}
static loop *loop_argument(vm *vm, value v)
{
    if (loop_is(vm, v)) return AS(loop, v);
    raise_type_error(vm, "an event loop is expected, got %R", v);
    return NULL;
}

IO(io_start_serving)
{
    UNUSED;
    loop *l = loop_argument(vm, a[0]);
    socket_obj *sock = l ? socket_argument(vm, a[2]) : NULL;
    int64_t backlog;
    if (!sock || !obj_as_index(vm, a[4], &backlog, 0) || !loop_check_open(vm, l)) return V_ERROR;
    no_delay(sock); /* accepted sockets inherit it */
    acceptor *s = userdata_new(vm, runtime_of(vm)->types[RT_ACCEPTOR]);
    if (!s) return V_ERROR;
    s->loop = l;
    s->factory = a[1];
    s->sock = a[2];
    s->server = a[3];
    s->backlog = backlog < 1 ? 1 : backlog;
    s->context = context_copy_current(vm);
    if (raised(vm)) return V_ERROR;
    s->callback = callback_new(vm, on_connection, value_obj(s), V_UNBOUND, V_UNBOUND);
    return s->callback && poller_add(vm, l, sock->fd, POLL_READ, value_obj(s->callback)) ? V_NONE : V_ERROR;
}
IO(io_stop_serving)
{
    UNUSED;
    loop *l = loop_argument(vm, a[0]);
    socket_obj *sock = l ? socket_argument(vm, a[1]) : NULL;
    if (!sock) return V_ERROR;
    if (sock->fd >= 0) poller_remove(vm, l, sock->fd, POLL_READ);
    return socket_close(vm, sock) ? V_NONE : V_ERROR;
}
static value or_unbound(value v) { return value_is_none(v) ? V_UNBOUND : v; }
IO(io_stream_transport)
{
    UNUSED;
    loop *l = loop_argument(vm, a[0]);
    socket_obj *sock = l ? socket_argument(vm, a[1]) : NULL;
    if (!sock) return V_ERROR;
    no_delay(sock);
    transport *t = stream_transport_new(vm, l, TRANSPORT_SOCKET, a[1], sock->fd, a[2], or_unbound(a[3]),
                                        or_unbound(a[4]), or_unbound(a[5]));
    return t ? value_obj(t) : V_ERROR;
}
IO(io_pipe_transport)
{
    UNUSED;
    loop *l = loop_argument(vm, a[0]);
    int reading = l ? obj_truth(vm, a[5]) : -1, fd = reading < 0 ? -1 : fd_argument(vm, a[1]);
    if (fd < 0) return V_ERROR;
    transport *t = stream_transport_new(vm, l, reading ? TRANSPORT_READ_PIPE : TRANSPORT_WRITE_PIPE, a[1], fd, a[2],
                                        or_unbound(a[3]), or_unbound(a[4]), V_UNBOUND);
    return t ? value_obj(t) : V_ERROR;
}
IO(io_in_flight)
{
    (void)vm, UNUSED;
    if (value_is(a[0], V_TRUE)) runtime_of(vm)->in_flight++;
    else if (runtime_of(vm)->in_flight) runtime_of(vm)->in_flight--;
    return V_NONE;
}

static const native_def functions[] = {
    {"start_serving(loop, protocol_factory, sock, server, backlog)", io_start_serving, DOC("Accept connections."), 0},
    {"stop_serving(loop, sock)", io_stop_serving, DOC("Stop accepting and close the socket."), 0},
    {"stream_transport(loop, sock, protocol, waiter, extra, server)", io_stream_transport,
     DOC("A transport for a connected socket."), 0},
    {"pipe_transport(loop, pipe, protocol, waiter, extra, reading)", io_pipe_transport, DOC("A transport for a pipe."),
     0},
    {"in_flight(begins)", io_in_flight, DOC("Work that will wake the loop begins (True) or has ended (False)."), 0},
    {0},
};

static void acceptor_traverse(vm *vm, object *o)
{
    acceptor *s = (acceptor *)o;
    const value all[] = {s->sock, s->factory, s->server, s->context};
    gc_mark_values(vm, all, sizeof all / sizeof *all);
    gc_mark_obj(vm, &s->loop->h);
    gc_mark_obj(vm, s->callback ? &s->callback->h : NULL);
}
static const type_layout acceptor_layout = {.size = sizeof(acceptor) - sizeof(userdata), .traverse = acceptor_traverse};

bool server_module_init(vm *vm, module *m)
{
    static const type_spec spec = {"asyncio.<acceptor>",         NULL, &acceptor_layout, NULL, NULL, 0,
                                   TF_IMMUTABLE | TF_PLAIN_NAME, NULL};
    runtime *rt = runtime_of(vm);
    ROOTS(vm, &m);
    if (!rt->types[RT_STREAM_TRANSPORT]) {
        raise(vm, EXC_ImportError, "_asyncio_io is a part of asyncio: import that");
        return false;
    }
    if (!rt->types[RT_ACCEPTOR] && !(rt->types[RT_ACCEPTOR] = type_from_spec(vm, &spec))) return false;
    return module_add_natives(vm, m, functions) &&
           module_add(vm, m, "StreamTransport", value_obj(rt->types[RT_STREAM_TRANSPORT]));
}

/* What a module of asyncio's script half has. */
static value script_function(vm *vm, const char *module, const char *name)
{
    str *s = str_intern_utf8(vm, module, strlen(module));
    value m = s ? import_module(vm, s) : V_ERROR;
    if (value_is_error(m)) return V_ERROR;
    ROOTS(vm, &m);
    s = str_intern_utf8(vm, name, strlen(name));
    return s ? obj_getattr(vm, m, s) : V_ERROR;
}
#define LOOP_METHOD(SIG, FN, DOC)
#define LOOP_RAW(SIG, FN, DOC)
#define LOOP_ASYNC(SIG, STEP, DOC, SCRATCH)
#define LOOP_SCRIPT(MODULE, NAME, DOC)                                    \
    value loop_script_##NAME(vm *vm, value *a, uint32_t n, value kw);     \
    value loop_script_##NAME(vm *vm, value *a, uint32_t n, value kw)      \
    {                                                                     \
        value f = script_function(vm, #MODULE, #NAME);                    \
        return value_is_error(f) ? V_ERROR : vm_call_kw(vm, f, a, n, kw); \
    }
#include "runtime/loop_methods.def"
#undef LOOP_METHOD
#undef LOOP_RAW
#undef LOOP_ASYNC
#undef LOOP_SCRIPT

bool asyncio_add_streams(vm *vm)
{
    runtime *rt = runtime_of(vm);
    return rt->types[RT_BASE_PROTOCOL] ||
           (protocols_open(vm) && transport_types_open(vm) && stream_reader_type_open(vm) &&
            stream_protocol_types_open(vm) && stream_writer_type_open(vm));
}
