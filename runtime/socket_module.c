/* The module _socket: socket.aio puts enumerations, files and helpers on top. */
#include "runtime/socket.h"
#include "vm/attr.h"
#include "vm/bytes.h"
#include "vm/caps.h"
#include "vm/list.h"
#include "vm/native.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define DOC_FILE runtime_socket_module
DOC_BEGIN;

#define MF(NAME) static value NAME(vm *vm, value *a, uint32_t n, value kw)
#define UNUSED   (void)n, (void)kw

static value os_error(vm *vm) { return raise_os_error(vm, errno, V_UNBOUND); }

static bool unsigned_argument(vm *vm, value v, const char *who, uint64_t max, uint64_t *out)
{
    int64_t n;
    if (!int_is(v)) return !value_is_error(raise_type_error(vm, "expected int, %T found", v));
    if (!int_to_i64(vm, v, &n) || n < 0 || (uint64_t)n > max) {
        if (int_sign(vm, v) < 0)
            raise_overflow(vm, "%s: can't convert negative Python int to C %d-bit unsigned integer", who,
                           max > 65535 ? 32 : 16);
        else
            raise_overflow(vm,
                           max > 65535 ? "int larger than 32 bits"
                                       : "%s: Python int too large to convert to C 16-bit unsigned integer",
                           who);
        return false;
    }
    *out = (uint64_t)n;
    return true;
}
MF(m_htons)
{
    UNUSED;
    uint64_t x;
    return unsigned_argument(vm, a[0], "htons", 65535, &x) ? value_int(htons((uint16_t)x)) : V_ERROR;
}
MF(m_ntohs)
{
    UNUSED;
    uint64_t x;
    return unsigned_argument(vm, a[0], "ntohs", 65535, &x) ? value_int(ntohs((uint16_t)x)) : V_ERROR;
}
MF(m_htonl)
{
    UNUSED;
    uint64_t x;
    return unsigned_argument(vm, a[0], "htonl", UINT32_MAX, &x) ? value_int(htonl((uint32_t)x)) : V_ERROR;
}
MF(m_ntohl)
{
    UNUSED;
    uint64_t x;
    return unsigned_argument(vm, a[0], "ntohl", UINT32_MAX, &x) ? value_int(ntohl((uint32_t)x)) : V_ERROR;
}

static const char *c_text(vm *vm, value v, const char *who)
{
    size_t n;
    if (!IS_STR(v)) {
        raise_type_error(vm, "%s must be str, not %T", who, v);
        return NULL;
    }
    const char *s = str_utf8(vm, AS(str, v), &n);
    if (s && strlen(s) != n) {
        raise_value_error(vm, "embedded null character");
        return NULL;
    }
    return s;
}
MF(m_inet_aton)
{
    UNUSED;
    struct in_addr in;
    const char *s = c_text(vm, a[0], "inet_aton() argument 1");
    if (!s) return V_ERROR;
    if (!inet_aton(s, &in)) return raise(vm, EXC_OSError, "illegal IP address string passed to inet_aton");
    bytes *b = bytes_new(vm, &in, sizeof in);
    return b ? value_obj(b) : V_ERROR;
}
MF(m_inet_pton)
{
    UNUSED;
    uint8_t buf[16];
    int64_t family;
    const char *s = c_text(vm, a[1], "inet_pton() argument 2");
    if (!s || !obj_as_index(vm, a[0], &family, EXC_OverflowError)) return V_ERROR;
    int r = inet_pton((int)family, s, buf);
    if (r < 0) return os_error(vm);
    if (r == 0) return raise(vm, EXC_OSError, "illegal IP address string passed to inet_pton");
    bytes *b = bytes_new(vm, buf, family == AF_INET ? 4 : 16);
    return b ? value_obj(b) : V_ERROR;
}
static value ntop(vm *vm, int64_t family, value v, const char *who)
{
    const uint8_t *p;
    size_t n, want = family == AF_INET ? 4 : 16;
    char text[INET6_ADDRSTRLEN];
    if (!buffer_need(vm, v, &p, &n)) return V_ERROR;
    if (family != AF_INET && family != AF_INET6) return raise_value_error(vm, "unknown address family %ld", family);
    if (n != want) {
        if (strcmp(who, "inet_ntoa") == 0) return raise(vm, EXC_OSError, "packed IP wrong length for inet_ntoa");
        return raise_value_error(vm, "invalid length of packed IP address string");
    }
    str *s = inet_ntop((int)family, p, text, sizeof text) ? str_from_cstr(vm, text) : NULL;
    return s ? value_obj(s) : raised(vm) ? V_ERROR : os_error(vm);
}
MF(m_inet_ntoa)
{
    UNUSED;
    return ntop(vm, AF_INET, a[0], "inet_ntoa");
}
MF(m_inet_ntop)
{
    UNUSED;
    int64_t family;
    return obj_as_index(vm, a[0], &family, EXC_OverflowError) ? ntop(vm, family, a[1], "inet_ntop") : V_ERROR;
}

static bool int_or(vm *vm, value v, int dflt, int *out)
{
    int64_t x = dflt;
    if (!value_is_unbound(v) && !value_is_none(v) && !obj_as_index(vm, v, &x, EXC_OverflowError)) return false;
    *out = (int)x;
    return true;
}
MF(m_socketpair)
{
    UNUSED;
    int family, type, proto, fds[2];
    if (!cap_require(vm, CAP_NET) || !int_or(vm, a[0], AF_UNIX, &family) || !int_or(vm, a[1], SOCK_STREAM, &type) ||
        !int_or(vm, a[2], 0, &proto))
        return V_ERROR;
    if (socketpair(family, type | SOCK_CLOEXEC, proto, fds) < 0) return os_error(vm);
    socket_obj *x = socket_from_fd(vm, fds[0], family, type, proto);
    value first = x ? value_obj(x) : V_UNBOUND;
    ROOTS(vm, &first);
    if (!x) {
        close(fds[1]);
        return V_ERROR;
    }
    socket_obj *y = socket_from_fd(vm, fds[1], family, type, proto);
    tuple *t = y ? tuple_pack(vm, 2, first, value_obj(y)) : NULL;
    return t ? value_obj(t) : V_ERROR;
}
MF(m_close)
{
    UNUSED;
    int fd;
    if (!cap_require(vm, CAP_NET) || !int_or(vm, a[0], -1, &fd)) return V_ERROR;
    fd_let_go(vm, fd);
    return close(fd) < 0 && errno != ECONNRESET ? os_error(vm) : V_NONE;
}
MF(m_dup)
{
    UNUSED;
    int fd;
    if (!cap_require(vm, CAP_NET) || !int_or(vm, a[0], -1, &fd)) return V_ERROR;
    fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return os_error(vm);
    return fd_take(vm, fd) ? value_int(fd) : V_ERROR;
}
MF(m_setdefaulttimeout)
{
    UNUSED;
    return socket_timeout_argument(vm, a[0], socket_default_timeout(vm)) ? V_NONE : V_ERROR;
}
MF(m_getdefaulttimeout)
{
    (void)a, UNUSED;
    int64_t ns = *socket_default_timeout(vm);
    return ns < 0 ? V_NONE : value_float((double)ns / 1e9);
}
MF(m_if_nameindex)
{
    (void)a, UNUSED;
    if (!cap_require(vm, CAP_NET)) return V_ERROR;
    struct if_nameindex *all = if_nameindex();
    list *l = all ? list_new(vm, 0) : NULL;
    if (!all) return os_error(vm);
    for (struct if_nameindex *i = all; l && i->if_index; i++) {
        str *s = str_from_cstr(vm, i->if_name);
        tuple *t = s ? tuple_pack(vm, 2, value_int(i->if_index), value_obj(s)) : NULL;
        if (!t || !list_append(vm, l, value_obj(t))) l = NULL;
    }
    if_freenameindex(all);
    return l ? value_obj(l) : V_ERROR;
}
MF(m_if_nametoindex)
{
    UNUSED;
    const char *s = c_text(vm, a[0], "if_nametoindex() argument 1");
    unsigned i = s ? if_nametoindex(s) : 0;
    if (!s) return V_ERROR;
    return i ? value_int(i) : raise(vm, EXC_OSError, "no interface with this name");
}
MF(m_if_indextoname)
{
    UNUSED;
    char name[IF_NAMESIZE];
    int i;
    if (!int_or(vm, a[0], 0, &i)) return V_ERROR;
    str *s = if_indextoname((unsigned)i, name) ? str_from_cstr(vm, name) : NULL;
    return s ? value_obj(s) : raised(vm) ? V_ERROR : os_error(vm);
}
static value cmsg_size(vm *vm, value v, bool space)
{
    int64_t len;
    if (!obj_as_index(vm, v, &len, EXC_OverflowError)) return V_ERROR;
    if (len < 0 || len > INT32_MAX - 64)
        return raise_overflow(vm, "%s() argument out of range", space ? "CMSG_SPACE" : "CMSG_LEN");
    return value_int((int64_t)(space ? CMSG_SPACE((size_t)len) : CMSG_LEN((size_t)len)));
}
MF(m_cmsg_len)
{
    UNUSED;
    return cmsg_size(vm, a[0], false);
}
MF(m_cmsg_space)
{
    UNUSED;
    return cmsg_size(vm, a[0], true);
}

/* Methods of socket.socket that are written in script: socket.aio. */
MF(m_extend)
{
    (void)n;
    type *t = runtime_of(vm)->types[RT_SOCKET];
    dict *d = type_dict(vm, t);
    tuple *names = AS(tuple, kw);
    if (!d || value_is_unbound(kw)) return d ? V_NONE : V_ERROR;
    for (size_t i = 0; i < names->len; i++)
        if (!dict_set_str(vm, d, AS(str, names->items[i]), a[n + i])) return V_ERROR;
    return V_NONE;
}

static const native_def functions[] = {
    {"_extend(*args, **methods)", m_extend, DOC("Give sockets methods that are written in script."), 0},
    {"htons(x, /)", m_htons, DOC("A 16-bit number in network byte order."), 0},
    {"ntohs(x, /)", m_ntohs, DOC("A 16-bit number from network byte order."), 0},
    {"htonl(x, /)", m_htonl, DOC("A 32-bit number in network byte order."), 0},
    {"ntohl(x, /)", m_ntohl, DOC("A 32-bit number from network byte order."), 0},
    {"inet_aton(ip_addr, /)", m_inet_aton, DOC("The four bytes of an IPv4 address in text."), 0},
    {"inet_ntoa(packed_ip, /)", m_inet_ntoa, DOC("An IPv4 address as text."), 0},
    {"inet_pton(address_family, ip_string, /)", m_inet_pton, DOC("The bytes of an address in text."), 0},
    {"inet_ntop(address_family, packed_ip, /)", m_inet_ntop, DOC("An address as text."), 0},
    {"socketpair(family=AF_UNIX, type=SOCK_STREAM, proto=0)", m_socketpair, DOC("Two connected sockets."), 0},
    {"close(fd, /)", m_close, DOC("Close a descriptor."), 0},
    {"dup(fd, /)", m_dup, DOC("Duplicate a descriptor."), 0},
    {"setdefaulttimeout(timeout, /)", m_setdefaulttimeout, DOC("The timeout of new sockets, in seconds or None."), 0},
    {"getdefaulttimeout()", m_getdefaulttimeout, DOC("The timeout of new sockets."), 0},
    {"if_nameindex()", m_if_nameindex, DOC("(index, name) of every network interface."), 0},
    {"if_nametoindex(if_name, /)", m_if_nametoindex, DOC("The index of a network interface."), 0},
    {"if_indextoname(if_index, /)", m_if_indextoname, DOC("The name of a network interface."), 0},
    {"CMSG_LEN(length, /)", m_cmsg_len, DOC("The length of an ancillary data item, its header included."), 0},
    {"CMSG_SPACE(length, /)", m_cmsg_space, DOC("The room for an ancillary data item, padding included."), 0},
    {0},
};

bool socket_module_init(vm *vm, module *m)
{
    static const struct {
        const char *name;
        int64_t n;
    } constants[] = {
#define CONSTANT(NAME) {#NAME, (int64_t)NAME},
#include "runtime/socket_constants.def"
#undef CONSTANT
    };
    runtime *rt = runtime_of(vm);
    ROOTS(vm, &m);
    if (!socket_types_open(vm)) return false;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!module_add(vm, m, constants[i].name, value_int(constants[i].n))) return false;
    return module_add_natives(vm, m, functions) && module_add_natives(vm, m, resolve_functions) &&
           module_add(vm, m, "socket", value_obj(rt->types[RT_SOCKET])) &&
           module_add(vm, m, "SocketType", value_obj(rt->types[RT_SOCKET])) &&
           module_add(vm, m, "error", value_obj(EXC_T(vm, OSError))) &&
           module_add(vm, m, "timeout", value_obj(EXC_T(vm, TimeoutError))) &&
           module_add(vm, m, "gaierror", value_obj(rt->types[RT_GAI_ERROR])) &&
           module_add(vm, m, "herror", value_obj(rt->types[RT_HERROR])) && module_add(vm, m, "has_ipv6", V_TRUE);
}
