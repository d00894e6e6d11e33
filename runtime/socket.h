/* Sockets: the objects, blocking operations with timeouts, addresses, name look-ups. Scripts see them through the
 * module socket (socket.aio over _socket), transports through this header.
 *
 * Invariants
 *  1. fd is -1 once the socket is closed or detached.
 *  2. timeout_ns < 0: blocking. The descriptor has O_NONBLOCK exactly when timeout_ns >= 0.
 *  3. No operation blocks while the VM's lock is held: what would block gives the lock up in socket_wait. */
#ifndef AIOVM_RUNTIME_SOCKET_H
#define AIOVM_RUNTIME_SOCKET_H

#include "runtime/loop.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>

typedef struct socket_obj {
    object h;
    value *slots;
    int fd, family, type, proto;
    int64_t timeout_ns;
    uint32_t io_refs; /* files made by makefile(): the descriptor is closed when the last is */
    bool closing;     /* close() was called */
    bool counted;     /* the descriptor counts against the VM's limit */
} socket_obj;
#define SOCKET(v) AS(socket_obj, v)

typedef union socket_address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
} socket_address;

/* ---- socket.c ---- */
bool socket_types_open(vm *vm); /* false: raised; may be called again */
static inline bool socket_is(vm *vm, value v)
{
    type *t = runtime_of(vm)->types[RT_SOCKET];
    return t && value_is_kind(v, K_USERDATA) && type_is_subtype(type_of(vm, v), t);
}
/* A socket.socket that owns fd (closed if that fails); NULL raised. */
socket_obj *socket_from_fd(vm *vm, int fd, int family, int type, int proto);
bool socket_close(vm *vm, socket_obj *s);                   /* false: raised */
bool socket_timeout_argument(vm *vm, value v, int64_t *ns); /* None, or seconds; false: raised */
int64_t *socket_default_timeout(vm *vm);
/* AddressFamily and so on; the int when it has no such member */
value socket_enum(vm *vm, const char *enum_name, int64_t n);

/* ---- socket_io.c ---- */
/* Until `events` (POLLIN, POLLOUT) or the deadline (monotonic ns; negative: none). 1, 0 timed out, -1 raised. */
int socket_wait(vm *vm, int fd, short events, int64_t deadline);
#define SOCKET_IO_METHODS(X)                                                                                          \
    X("recv(self, bufsize, flags=0, /)", socket_recv, "Up to bufsize bytes; b'' at the end of the stream.")           \
    X("recv_into(self, buffer, nbytes=0, flags=0)", socket_recv_into,                                                 \
      "recv() into a writable buffer: how many bytes.")                                                               \
    X("recvfrom(self, bufsize, flags=0, /)", socket_recvfrom, "(data, address of the sender).")                       \
    X("recvfrom_into(self, buffer, nbytes=0, flags=0)", socket_recvfrom_into,                                         \
      "(how many bytes, address of the sender).")                                                                     \
    X("recvmsg(self, bufsize, ancbufsize=0, flags=0, /)", socket_recvmsg, "(data, ancillary data, flags, address).")  \
    X("recvmsg_into(self, buffers, ancbufsize=0, flags=0, /)", socket_recvmsg_into, "The same into several buffers.") \
    X("send(self, data, flags=0, /)", socket_send, "Send data: how many bytes were taken.")                           \
    X("sendall(self, data, flags=0, /)", socket_sendall, "Send all of the data.")                                     \
    X("sendto(self, data, *args)", socket_sendto, "sendto(data[, flags], address): send a datagram.")                 \
    X("sendmsg(self, buffers, ancdata=(), flags=0, address=None, /)", socket_sendmsg,                                 \
      "Send buffers and ancillary data.")                                                                             \
    X("connect(self, address, /)", socket_connect, "Connect to a remote address.")                                    \
    X("connect_ex(self, address, /)", socket_connect_ex, "The same, but returns the error number.")                   \
    X("_accept(self)", socket_accept_fd, "(descriptor, address) of a new connection.")
#define SOCKET_IO_DECLARE(SIG, FN, DOC) value FN(vm *vm, value *a, uint32_t n, value kw);
SOCKET_IO_METHODS(SOCKET_IO_DECLARE)
/* int of the new descriptor; error: raised */
value socket_accept(vm *vm, socket_obj *s, socket_address *addr, socklen_t *len);

/* ---- socket_address.c ---- */
/* A script's address for a socket of this family. who: "connect". false: raised. */
bool address_from_value(vm *vm, int family, value v, const char *who, socket_address *out, socklen_t *len);
value address_value(vm *vm, const socket_address *a, socklen_t len); /* None for an empty one; error: raised */
str *ip_text(vm *vm, const socket_address *a);                       /* "127.0.0.1", "::1%eth0" */

/* ---- resolve.c ---- */
value raise_gai_error(vm *vm, int err); /* socket.gaierror */
/* Blocking name look-up (lock given up): the first address of that family. false: raised. */
bool resolve_host(vm *vm, const char *name, int family, socket_address *out, socklen_t *len);
/* no look-up; false: not numeric */
bool resolve_numeric(const char *name, int family, socket_address *out, socklen_t *len);
extern const native_def resolve_functions[];

bool socket_module_init(vm *vm, module *m); /* socket_module.c: _socket */

#endif
