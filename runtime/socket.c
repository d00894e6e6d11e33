/* socket.socket: creating, closing, options, names. Sending and receiving: socket_io.c. */
#include "runtime/socket.h"
#include "runtime/poller.h"
#include "vm/bytes.h"
#include "vm/caps.h"
#include "vm/exception.h"
#include "vm/native.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DOC_FILE runtime_socket
DOC_BEGIN;

static value os_error(vm *vm) { return raise_os_error(vm, errno, V_UNBOUND); }

int64_t *socket_default_timeout(vm *vm) { return &runtime_of(vm)->socket_timeout_ns; }

bool socket_timeout_argument(vm *vm, value v, int64_t *ns)
{
    double d;
    if (value_is_none(v)) {
        *ns = -1;
        return true;
    }
    if (!value_is_float(v) && value_is_error(v = obj_index(vm, v))) return false;
    if (!float_as_double(vm, v, &d)) return false;
    if (d != d) return !value_is_error(raise_value_error(vm, "Invalid value NaN (not a number)"));
    if (d < 0) return !value_is_error(raise_value_error(vm, "Timeout value out of range"));
    if (d > 9e9) return !value_is_error(raise_overflow(vm, "timestamp too large to convert to C _PyTime_t"));
    *ns = (int64_t)(d * 1e9);
    if (d > 0 && *ns == 0) *ns = 1;
    return true;
}

static bool socket_set_timeout(vm *vm, socket_obj *s, int64_t ns)
{
    int on = ns >= 0;
    if (ioctl(s->fd, FIONBIO, &on) < 0) return !value_is_error(os_error(vm));
    s->timeout_ns = ns;
    return true;
}

/* The socket owns fd from here on, unless the VM may have no more: then it is the caller's still (s->fd is -1). */
static bool adopt(vm *vm, socket_obj *s, int fd, int family, int type, int proto)
{
    fd_let_go(vm, fd);
    if (!fd_admit(vm)) return false;
    s->counted = true;
    s->fd = fd;
    s->family = family;
    s->type = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    s->proto = proto;
    s->timeout_ns = -1;
    int64_t dflt = *socket_default_timeout(vm);
    if (type & SOCK_NONBLOCK) s->timeout_ns = 0;
    else if (dflt >= 0) return socket_set_timeout(vm, s, dflt);
    return true;
}

socket_obj *socket_from_fd(vm *vm, int fd, int family, int type, int proto)
{
    socket_obj *s = socket_types_open(vm) ? userdata_new(vm, runtime_of(vm)->types[RT_SOCKET]) : NULL;
    if (!s) {
        close(fd);
        return NULL;
    }
    s->fd = -1;
    if (adopt(vm, s, fd, family, type, proto)) return s;
    if (s->fd < 0) close(fd);
    return NULL;
}

static bool int_field(vm *vm, value v, int dflt, int *out)
{
    int64_t n;
    *out = dflt;
    if (value_is_unbound(v)) return true;
    value i = obj_index(vm, v);
    if (value_is_error(i)) return false;
    if (!int_to_i64(vm, i, &n) || n < INT32_MIN || n > INT32_MAX)
        return !value_is_error(raise_overflow(vm, "signed integer is %s than %s",
                                              int_sign(vm, i) < 0 ? "less" : "greater",
                                              int_sign(vm, i) < 0 ? "minimum" : "maximum"));
    *out = (int)n;
    return true;
}

/* socket(family, type, proto, fileno=fd): what is not given is asked of the kernel. */
static bool from_fileno(vm *vm, socket_obj *s, value fileno, int family, int type, int proto)
{
    socket_address a;
    socklen_t len = sizeof a, n = sizeof(int);
    int64_t fd;
    if (value_is_float(fileno)) return !value_is_error(raise_type_error(vm, "integer argument expected, got float"));
    value i = obj_index(vm, fileno);
    if (value_is_error(i)) return false;
    if (!int_to_i64(vm, i, &fd) || fd > INT32_MAX || fd < 0)
        return !value_is_error(raise_value_error(vm, "negative file descriptor"));
    if (getsockname((int)fd, &a.sa, &len) < 0) {
        if (family == -1 || errno == EBADF || errno == ENOTSOCK) return !value_is_error(os_error(vm));
    } else if (family == -1) {
        family = a.sa.sa_family;
    }
    if (type == -1 && getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0) return !value_is_error(os_error(vm));
    if (proto == -1 && getsockopt((int)fd, SOL_SOCKET, SO_PROTOCOL, &proto, &n) < 0) proto = 0;
    return adopt(vm, s, (int)fd, family, type, proto);
}

static bool socket_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value v[4];
    int family, type, proto;
    socket_obj *s = SOCKET(self);
    if (!args_bind(vm, "socket(family=-1, type=-1, proto=-1, fileno=None)", args, n, kw, v) ||
        !cap_require(vm, CAP_NET))
        return false;
    if (!int_field(vm, v[0], -1, &family) || !int_field(vm, v[1], -1, &type) || !int_field(vm, v[2], -1, &proto))
        return false;
    if (s->fd >= 0 && !socket_close(vm, s)) return false;
    s->closing = false;
    if (!value_is_unbound(v[3]) && !value_is_none(v[3])) return from_fileno(vm, s, v[3], family, type, proto);
    if (family == -1) family = AF_INET;
    if (type == -1) type = SOCK_STREAM;
    if (proto == -1) proto = 0;
    int fd = socket(family, type | SOCK_CLOEXEC, proto);
    if (fd < 0) return !value_is_error(os_error(vm));
    if (adopt(vm, s, fd, family, type, proto)) return true;
    if (s->fd < 0) close(fd);
    return false;
}

static value socket_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    (void)args, (void)n, (void)kw;
    socket_obj *s = userdata_new(vm, t);
    if (!s) return V_ERROR;
    s->fd = -1;
    s->timeout_ns = -1;
    return value_obj(s);
}

/* The descriptor, which is no longer the socket's; -1: there was none. */
static int give_up(vm *vm, socket_obj *s)
{
    int fd = s->fd;
    s->fd = -1;
    s->closing = true;
    if (s->counted) fd_gone(vm);
    s->counted = false;
    return fd;
}

bool socket_close(vm *vm, socket_obj *s)
{
    int fd = give_up(vm, s);
    if (fd < 0) return true;
    vm_unlock(vm);
    int r = close(fd), err = errno;
    vm_lock(vm);
    if (r < 0 && err != ECONNRESET && err != EINTR) return !value_is_error(raise_os_error(vm, err, V_UNBOUND));
    return true;
}

/* ---- text ---- */

static str *name_of(vm *vm, socket_obj *s, bool peer)
{
    socket_address a;
    socklen_t len = sizeof a;
    if ((peer ? getpeername(s->fd, &a.sa, &len) : getsockname(s->fd, &a.sa, &len)) < 0) return vm->empty_str;
    value v = address_value(vm, &a, len);
    if (value_is_error(v)) {
        exc_clear(vm);
        return vm->empty_str;
    }
    if (value_is_none(v)) return str_format(vm, ", %s=None", peer ? "raddr" : "laddr");
    return str_format(vm, ", %s=%R", peer ? "raddr" : "laddr", v);
}
static str *socket_repr_as(vm *vm, socket_obj *s, str *class_name)
{
    value name = value_obj(class_name), here = V_UNBOUND, there = V_UNBOUND;
    ROOTS(vm, &s, &name, &here, &there);
    str *t = s->fd >= 0 ? name_of(vm, s, false) : vm->empty_str;
    here = value_obj(t);
    t = t && s->fd >= 0 ? name_of(vm, s, true) : t;
    there = value_obj(t);
    if (!t) return NULL;
    return str_format(vm, "<%U fd=%d, family=%d, type=%d, proto=%d%U%U>", name, s->fd, s->family, s->type, s->proto,
                      here, there);
}
static value socket_repr(vm *vm, value self)
{
    socket_obj *s = SOCKET(self);
    type *t = type_of(vm, self);
    ROOTS(vm, &self);
    value mod = obj_getattr_opt(vm, value_obj(t), N(vm, __module__));
    if (raised(vm)) exc_clear(vm);
    str *name = IS_STR(mod) ? str_format(vm, "%U.%U%s", mod, t->qualname, s->closing || s->fd < 0 ? " [closed]" : "")
                            : AS(str, t->name);
    str *r = name ? socket_repr_as(vm, s, name) : NULL;
    return r ? value_obj(r) : V_ERROR;
}

static void socket_finalize(vm *vm, value v)
{
    socket_obj *s = SOCKET(v);
    if (s->fd < 0) return;
    ROOTS(vm, &v);
    warn(vm, EXC_ResourceWarning, "unclosed %R", v);
    if (raised(vm)) exc_report_unraisable(vm, v);
    if (!socket_close(vm, s)) exc_clear(vm);
}
static void socket_free(vm *vm, object *o)
{
    int fd = give_up(vm, (socket_obj *)o);
    if (fd >= 0) close(fd);
}

/* ---- methods ---- */

#define SOCK(NAME) static value NAME(vm *vm, value *a, uint32_t n, value kw)
#define UNUSED     (void)n, (void)kw

SOCK(s_bind)
{
    UNUSED;
    socket_address addr;
    socklen_t len;
    if (!address_from_value(vm, SOCKET(a[0])->family, a[1], "bind", &addr, &len)) return V_ERROR;
    return bind(SOCKET(a[0])->fd, &addr.sa, len) < 0 ? os_error(vm) : V_NONE;
}
SOCK(s_listen)
{
    UNUSED;
    int backlog;
    if (!int_field(vm, a[1], 128, &backlog)) return V_ERROR;
    return listen(SOCKET(a[0])->fd, backlog < 0 ? 0 : backlog) < 0 ? os_error(vm) : V_NONE;
}
SOCK(s_close)
{
    UNUSED;
    socket_obj *s = SOCKET(a[0]);
    s->closing = true;
    return s->io_refs || socket_close(vm, s) ? V_NONE : V_ERROR;
}
SOCK(s_incref)
{
    (void)vm, UNUSED;
    SOCKET(a[0])->io_refs++;
    return V_NONE;
}
SOCK(s_decref)
{
    UNUSED;
    socket_obj *s = SOCKET(a[0]);
    if (s->io_refs) s->io_refs--;
    return s->io_refs || !s->closing || socket_close(vm, s) ? V_NONE : V_ERROR;
}
SOCK(s_detach)
{
    UNUSED;
    int fd = give_up(vm, SOCKET(a[0]));
    return fd_take(vm, fd) ? value_int(fd) : V_ERROR;
}
SOCK(s_fileno)
{
    (void)vm, UNUSED;
    return value_int(SOCKET(a[0])->fd);
}
SOCK(s_shutdown)
{
    UNUSED;
    int how;
    if (!int_field(vm, a[1], 0, &how)) return V_ERROR;
    return shutdown(SOCKET(a[0])->fd, how) < 0 ? os_error(vm) : V_NONE;
}
SOCK(s_getsockname)
{
    UNUSED;
    socket_address addr;
    socklen_t len = sizeof addr;
    if (getsockname(SOCKET(a[0])->fd, &addr.sa, &len) < 0) return os_error(vm);
    return address_value(vm, &addr, len);
}
SOCK(s_getpeername)
{
    UNUSED;
    socket_address addr;
    socklen_t len = sizeof addr;
    if (getpeername(SOCKET(a[0])->fd, &addr.sa, &len) < 0) return os_error(vm);
    return address_value(vm, &addr, len);
}
SOCK(s_setblocking)
{
    UNUSED;
    int on = obj_truth(vm, a[1]);
    return on >= 0 && socket_set_timeout(vm, SOCKET(a[0]), on ? -1 : 0) ? V_NONE : V_ERROR;
}
SOCK(s_getblocking)
{
    (void)vm, UNUSED;
    return value_bool(SOCKET(a[0])->timeout_ns != 0);
}
SOCK(s_settimeout)
{
    UNUSED;
    int64_t ns;
    return socket_timeout_argument(vm, a[1], &ns) && socket_set_timeout(vm, SOCKET(a[0]), ns) ? V_NONE : V_ERROR;
}
SOCK(s_gettimeout)
{
    (void)vm, UNUSED;
    int64_t ns = SOCKET(a[0])->timeout_ns;
    return ns < 0 ? V_NONE : value_float((double)ns / 1e9);
}
SOCK(s_setsockopt)
{
    UNUSED;
    int level, option, number;
    const void *p = &number;
    size_t len = sizeof number;
    const uint8_t *data;
    if (!int_field(vm, a[1], 0, &level) || !int_field(vm, a[2], 0, &option)) return V_ERROR;
    if (value_is_none(a[3])) {
        int want;
        if (value_is_unbound(a[4]))
            return raise_type_error(vm, "socket.setsockopt() takes 4 arguments when the value is None");
        if (!int_field(vm, a[4], 0, &want)) return V_ERROR;
        p = NULL;
        len = (size_t)(unsigned)want;
    } else if (int_is(a[3]) || type_of(vm, a[3])->s.index) {
        if (!int_field(vm, a[3], 0, &number)) return V_ERROR;
    } else {
        if (!buffer_need(vm, a[3], &data, &len)) return V_ERROR;
        p = data;
    }
    return setsockopt(SOCKET(a[0])->fd, level, option, p, (socklen_t)len) < 0 ? os_error(vm) : V_NONE;
}
SOCK(s_getsockopt)
{
    UNUSED;
    int level, option, size, number = 0;
    socklen_t len = sizeof number;
    if (!int_field(vm, a[1], 0, &level) || !int_field(vm, a[2], 0, &option) || !int_field(vm, a[3], 0, &size))
        return V_ERROR;
    if (size == 0)
        return getsockopt(SOCKET(a[0])->fd, level, option, &number, &len) < 0 ? os_error(vm) : value_int(number);
    if (size < 0 || size > 1024) return raise(vm, EXC_OSError, "getsockopt buflen out of range");
    uint8_t buf[1024];
    len = (socklen_t)size;
    if (getsockopt(SOCKET(a[0])->fd, level, option, buf, &len) < 0) return os_error(vm);
    bytes *b = bytes_new(vm, buf, len);
    return b ? value_obj(b) : V_ERROR;
}
SOCK(s_dup)
{
    UNUSED;
    socket_obj *s = SOCKET(a[0]);
    int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return os_error(vm);
    socket_obj *d = socket_from_fd(vm, fd, s->family, s->type, s->proto);
    if (!d) return V_ERROR;
    d->timeout_ns = s->timeout_ns; /* O_NONBLOCK is the open file's, so the duplicate shares it */
    return value_obj(d);
}
SOCK(s_get_inheritable)
{
    UNUSED;
    int flags = fcntl(SOCKET(a[0])->fd, F_GETFD);
    return flags < 0 ? os_error(vm) : value_bool(!(flags & FD_CLOEXEC));
}
SOCK(s_set_inheritable)
{
    UNUSED;
    int on = obj_truth(vm, a[1]);
    if (on < 0) return V_ERROR;
    return fcntl(SOCKET(a[0])->fd, F_SETFD, on ? 0 : FD_CLOEXEC) < 0 ? os_error(vm) : V_NONE;
}
SOCK(s_enter)
{
    (void)vm, UNUSED;
    return a[0];
}
SOCK(s_exit)
{
    UNUSED;
    if (SOCKET(a[0])->closing) return V_NONE;
    return value_is_error(vm_call_method(vm, a[0], str_intern_utf8(vm, "close", 5), NULL, 0)) ? V_ERROR : V_NONE;
}
SOCK(s_accept)
{
    UNUSED;
    socket_obj *s = SOCKET(a[0]);
    socket_address addr;
    socklen_t len = sizeof addr;
    value fd = socket_accept(vm, s, &addr, &len);
    if (value_is_error(fd)) return V_ERROR;
    socket_obj *c = socket_from_fd(vm, (int)value_as_int(fd), s->family, s->type, s->proto);
    if (!c) return V_ERROR;
    value cv = value_obj(c);
    ROOTS(vm, &cv);
    value from = address_value(vm, &addr, len);
    tuple *t = value_is_error(from) ? NULL : tuple_pack(vm, 2, cv, from);
    return t ? value_obj(t) : V_ERROR;
}
SOCK(s_reduce)
{
    UNUSED;
    return raise_type_error(vm, "cannot pickle '%T' object", a[0]);
}

/* ---- attributes ---- */

/* The enum members are made by socket.aio: imported when the first of them is asked for. */
value socket_enum(vm *vm, const char *enum_name, int64_t n)
{
    str *name = str_intern_utf8(vm, "socket", 6), *what = str_from_cstr(vm, enum_name);
    if (!name || !what) return V_ERROR;
    value w = value_obj(what);
    ROOTS(vm, &w);
    value m = import_module(vm, name);
    value cls = value_is_error(m) ? m : obj_getattr(vm, m, AS(str, w));
    value member = value_is_error(cls) ? cls : vm_call1(vm, cls, value_int(n));
    if (!value_is_error(member)) return member;
    if (!exc_clear_if(vm, EXC_ValueError)) return V_ERROR;
    return value_int(n);
}
static value get_family(vm *vm, value self) { return socket_enum(vm, "AddressFamily", SOCKET(self)->family); }
static value get_type(vm *vm, value self) { return socket_enum(vm, "SocketKind", SOCKET(self)->type); }
static value get_proto(vm *vm, value self)
{
    (void)vm;
    return value_int(SOCKET(self)->proto);
}
static value get_timeout(vm *vm, value self) { return s_gettimeout(vm, &self, 1, V_UNBOUND); }
static value get_closed(vm *vm, value self)
{
    (void)vm;
    return value_bool(SOCKET(self)->closing);
}

static const native_def methods[] = {
    {"bind(self, address, /)", s_bind, DOC("Bind the socket to a local address."), 0},
    {"listen(self, backlog=128, /)", s_listen, DOC("Let the socket accept connections."), 0},
    {"accept(self)", s_accept, DOC("Wait for a connection: (socket, address of the peer)."), 0},
    {"close(self)", s_close, DOC("Close the socket (when the files made of it are closed too)."), 0},
    {"_incref(self)", s_incref, DOC("One more file uses the socket."), 0},
    {"_decref_socketios(self)", s_decref, DOC("One file less uses the socket."), 0},
    {"detach(self)", s_detach, DOC("Close the socket object, not the descriptor, which is returned."), 0},
    {"fileno(self)", s_fileno, DOC("The descriptor, -1 when closed."), 0},
    {"shutdown(self, how, /)", s_shutdown, DOC("Shut down the reading side, the writing side or both."), 0},
    {"getsockname(self)", s_getsockname, DOC("The local address."), 0},
    {"getpeername(self)", s_getpeername, DOC("The remote address."), 0},
    {"setblocking(self, flag, /)", s_setblocking, DOC("settimeout(None) or settimeout(0.0)."), 0},
    {"getblocking(self)", s_getblocking, DOC("Is the timeout other than 0?"), 0},
    {"settimeout(self, timeout, /)", s_settimeout,
     DOC("Seconds for blocking operations; None: no limit; 0: never block."), 0},
    {"gettimeout(self)", s_gettimeout, DOC("The timeout in seconds, or None."), 0},
    {"setsockopt(self, level, option, value, optlen=None, /)", s_setsockopt,
     DOC("Set a socket option: an int, bytes, or None."), 0},
    {"getsockopt(self, level, option, buffersize=0, /)", s_getsockopt,
     DOC("A socket option, as an int or as that many bytes."), 0},
    {"dup(self)", s_dup, DOC("A socket with a duplicate of the descriptor."), 0},
    {"get_inheritable(self)", s_get_inheritable, DOC("Do child processes inherit the descriptor?"), 0},
    {"set_inheritable(self, inheritable)", s_set_inheritable, DOC("Let child processes inherit the descriptor or not."),
     0},
#define ROW(SIG, FN, DOC) {SIG, FN, DOC, 0},
    SOCKET_IO_METHODS(ROW)
#undef ROW
        {"__enter__(self)", s_enter, NULL, 0},
    {"__exit__(self, type, value, traceback)", s_exit, NULL, 0},
    {"__getstate__(self)", s_reduce, NULL, 0},
    {"__reduce_ex__(self, protocol, /)", s_reduce, NULL, 0},
    {0},
};
static const getset_def getsets[] = {
    {"family", get_family, NULL, DOC("The address family.")},
    {"type", get_type, NULL, DOC("The kind of socket.")},
    {"proto", get_proto, NULL, DOC("The protocol.")},
    {"timeout", get_timeout, NULL, DOC("The timeout in seconds, or None.")},
    {"_closed", get_closed, NULL, NULL},
    {0},
};
static void fill(struct type_slots *s)
{
    s->new_ = socket_slot_new;
    s->init = socket_init;
    s->repr = socket_repr;
}
static const type_layout layout = {
    .size = sizeof(socket_obj) - sizeof(userdata), .free = socket_free, .finalize = socket_finalize};

bool socket_types_open(vm *vm)
{
    runtime *rt = runtime_of(vm);
    static const type_spec spec = {"socket.socket", "A socket.", &layout, methods, getsets, 0, TF_BASE, fill};
    static const type_spec gai = {
        "socket.gaierror", "A name look-up failed.", NULL, NULL, NULL, EXC_OSError, TF_BASE, NULL};
    static const type_spec host = {
        "socket.herror", "A host look-up failed.", NULL, NULL, NULL, EXC_OSError, TF_BASE, NULL};
    if (rt->types[RT_SOCKET]) return true;
    type *t = type_from_spec(vm, &spec);
    if (!t) return false;
    rt->types[RT_GAI_ERROR] = type_from_spec(vm, &gai);
    rt->types[RT_HERROR] = type_from_spec(vm, &host);
    rt->types[RT_SOCKET] = t;
    return rt->types[RT_GAI_ERROR] && rt->types[RT_HERROR];
}
