/* Name look-ups by the C library: they block, so the VM's lock is given up meanwhile. Numeric addresses and ports take
 * no look-up. */
#include "runtime/socket.h"
#include "vm/bytes.h"
#include "vm/caps.h"
#include "vm/file.h"
#include "vm/list.h"
#include "vm/native.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <unistd.h>

#define DOC_FILE runtime_resolve
DOC_BEGIN;

static const char *gai_text(int err)
{
    static const struct {
        int err;
        const char *text;
    } texts[] = {
        {EAI_ADDRFAMILY, "Address family for hostname not supported"},
        {EAI_AGAIN, "Temporary failure in name resolution"},
        {EAI_BADFLAGS, "Bad value for ai_flags"},
        {EAI_FAIL, "Non-recoverable failure in name resolution"},
        {EAI_FAMILY, "ai_family not supported"},
        {EAI_MEMORY, "Memory allocation failure"},
        {EAI_NODATA, "No address associated with hostname"},
        {EAI_NONAME, "Name or service not known"},
        {EAI_SERVICE, "Servname not supported for ai_socktype"},
        {EAI_SOCKTYPE, "ai_socktype not supported"},
        {EAI_SYSTEM, "System error"},
        {EAI_OVERFLOW, "Result too large for supplied buffer"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].err == err) return texts[i].text;
    return "Unknown error";
}

static value raise_pair(vm *vm, enum runtime_type which, int err, const char *text)
{
    if (!socket_types_open(vm)) return V_ERROR;
    str *s = str_from_cstr(vm, text);
    if (!s) return V_ERROR;
    value args[2] = {value_int(err), value_obj(s)};
    value e = exc_make(vm, runtime_of(vm)->types[which], args, 2);
    return value_is_error(e) ? V_ERROR : raise_exception(vm, e);
}
value raise_gai_error(vm *vm, int err) { return raise_pair(vm, RT_GAI_ERROR, err, gai_text(err)); }
static value raise_host_error(vm *vm, int err)
{
    return raise_pair(vm, RT_HERROR, err,
                      err == HOST_NOT_FOUND ? "Unknown host"
                      : err == TRY_AGAIN    ? "Host name lookup failure"
                      : err == NO_DATA      ? "No address associated with name"
                                            : "Unknown server error");
}

bool resolve_numeric(const char *name, int family, socket_address *out, socklen_t *len)
{
    if ((family == AF_INET || family == AF_UNSPEC) && inet_pton(AF_INET, name, &out->in.sin_addr) == 1) {
        out->sa.sa_family = AF_INET;
        *len = sizeof out->in;
        return true;
    }
    if (family == AF_INET || strchr(name, '%') || inet_pton(AF_INET6, name, &out->in6.sin6_addr) != 1) return false;
    out->sa.sa_family = AF_INET6;
    *len = sizeof out->in6;
    return true;
}

/* getaddrinfo with the lock given up. 0 or EAI_*; -100: raised. */
static int look_up(vm *vm, const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out)
{
    bool numeric = !host || (hints->ai_flags & AI_NUMERICHOST) || strchr(host, ':') ||
                   (strspn(host, "0123456789.") == strlen(host));
    if (!numeric && !cap_require(vm, CAP_DNS)) return -100;
    if (!numeric && !vm_blocking(vm, "a name look-up", "await loop.getaddrinfo()")) return -100;
    vm_unlock(vm);
    int r = getaddrinfo(host, port, hints, out), err = errno;
    vm_lock(vm);
    if (r == EAI_SYSTEM) {
        raise_os_error(vm, err, V_UNBOUND);
        return -100;
    }
    return r;
}

bool resolve_host(vm *vm, const char *name, int family, socket_address *out, socklen_t *len)
{
    struct addrinfo hints = {.ai_family = family}, *found = NULL;
    int r = look_up(vm, name, NULL, &hints, &found);
    if (r) {
        if (r != -100) raise_gai_error(vm, r);
        return false;
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static bool int_or(vm *vm, value v, int *out)
{
    int64_t n = 0;
    if (!value_is_unbound(v) && !obj_as_index(vm, v, &n, EXC_OverflowError)) return false;
    *out = (int)n;
    return true;
}
/* A str, bytes or None as C text in buf; *out NULL for None. false: raised. */
static bool text_or_none(vm *vm, value v, char *buf, size_t room, const char **out, const char *what)
{
    const char *s;
    size_t n;
    *out = NULL;
    if (value_is_unbound(v) || value_is_none(v)) return true;
    if (IS_STR(v)) s = str_utf8(vm, AS(str, v), &n);
    else if (IS_BYTES(v)) s = (const char *)AS(bytes, v)->data, n = AS(bytes, v)->len;
    else return !value_is_error(raise_type_error(vm, what));
    if (!s) return false;
    if (memchr(s, 0, n)) return !value_is_error(raise_value_error(vm, "embedded null character"));
    if (n >= room) return !value_is_error(raise_gai_error(vm, EAI_NONAME));
    memcpy(buf, s, n);
    buf[n] = 0;
    *out = buf;
    return true;
}
static bool port_text(vm *vm, value v, char buf[64], const char **out)
{
    int64_t n;
    if (!int_is(v)) return text_or_none(vm, v, buf, 64, out, "Int or String expected");
    if (!int_as_i64(vm, v, &n)) return false;
    str *s = str_format(vm, "%ld", n);
    return s && text_or_none(vm, value_obj(s), buf, 64, out, "");
}

static value info_tuple(vm *vm, const struct addrinfo *i, bool enums)
{
    socket_address a;
    memset(&a, 0, sizeof a);
    memcpy(&a, i->ai_addr, i->ai_addrlen < sizeof a ? i->ai_addrlen : sizeof a);
    value family = value_int(i->ai_family), type = value_int(i->ai_socktype), name = V_UNBOUND, addr = V_UNBOUND;
    ROOTS(vm, &family, &type, &name, &addr);
    addr = address_value(vm, &a, i->ai_addrlen);
    if (value_is_error(addr)) return V_ERROR;
    str *canon = str_from_cstr(vm, i->ai_canonname ? i->ai_canonname : "");
    if (!canon) return V_ERROR;
    name = value_obj(canon);
    if (enums) family = socket_enum(vm, "AddressFamily", i->ai_family);
    if (enums && !value_is_error(family)) type = socket_enum(vm, "SocketKind", i->ai_socktype);
    if (value_is_error(family) || value_is_error(type)) return V_ERROR;
    tuple *t = tuple_pack(vm, 5, family, type, value_int(i->ai_protocol), name, addr);
    return t ? value_obj(t) : V_ERROR;
}

/* host port family type proto flags (unbound: default) -> list */
static value socket_getaddrinfo(vm *vm, value *a, bool enums)
{
    char host_buf[1026], port_buf[64];
    const char *host, *port;
    struct addrinfo hints = {0}, *found = NULL;
    if (!text_or_none(vm, a[0], host_buf, sizeof host_buf, &host, "getaddrinfo() argument 1 must be string or None"))
        return V_ERROR;
    if (!port_text(vm, a[1], port_buf, &port)) return V_ERROR;
    if (!int_or(vm, a[2], &hints.ai_family) || !int_or(vm, a[3], &hints.ai_socktype) ||
        !int_or(vm, a[4], &hints.ai_protocol) || !int_or(vm, a[5], &hints.ai_flags))
        return V_ERROR;
    int r = look_up(vm, host, port, &hints, &found);
    if (r) return r == -100 ? V_ERROR : raise_gai_error(vm, r);
    list *l = list_new(vm, 0);
    value lv = l ? value_obj(l) : V_UNBOUND;
    ROOTS(vm, &lv);
    bool ok = l != NULL;
    for (struct addrinfo *i = found; ok && i; i = i->ai_next) {
        value t = info_tuple(vm, i, enums);
        ok = !value_is_error(t) && list_append(vm, AS(list, lv), t);
    }
    freeaddrinfo(found);
    return ok ? lv : V_ERROR;
}

/* ---- functions ---- */

#define RF(NAME) static value NAME(vm *vm, value *a, uint32_t n, value kw)
#define UNUSED   (void)n, (void)kw

RF(r_getaddrinfo)
{
    UNUSED;
    return socket_getaddrinfo(vm, a, true);
}
RF(r_gai_error)
{
    UNUSED;
    int err;
    return int_or(vm, a[0], &err) ? raise_gai_error(vm, err) : V_ERROR;
}
RF(r_getnameinfo)
{
    UNUSED;
    socket_address addr;
    socklen_t len;
    int flags;
    char host[NI_MAXHOST], service[NI_MAXSERV], name[1026];
    const char *text;
    if (!IS_TUPLE(a[0])) return raise_type_error(vm, "getnameinfo() argument 1 must be a tuple");
    tuple *t = AS(tuple, a[0]);
    if (t->len < 2 || t->len > 4) return raise_type_error(vm, "getnameinfo(): illegal sockaddr argument");
    int64_t port, flow = 0, scope = 0;
    if (!text_or_none(vm, t->items[0], name, sizeof name, &text, "getnameinfo(): illegal sockaddr argument"))
        return V_ERROR;
    if (!obj_as_index(vm, t->items[1], &port, EXC_OverflowError) || !int_or(vm, a[1], &flags)) return V_ERROR;
    if (t->len > 2 && !obj_as_index(vm, t->items[2], &flow, EXC_OverflowError)) return V_ERROR;
    if (t->len > 3 && !obj_as_index(vm, t->items[3], &scope, EXC_OverflowError)) return V_ERROR;
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *found = NULL;
    int r = getaddrinfo(text, "0", &hints, &found);
    if (r) return raise_gai_error(vm, r);
    if (found->ai_next) {
        freeaddrinfo(found);
        return raise(vm, EXC_OSError, "sockaddr resolved to multiple addresses");
    }
    memcpy(&addr, found->ai_addr, found->ai_addrlen);
    len = found->ai_addrlen;
    freeaddrinfo(found);
    if (addr.sa.sa_family == AF_INET6) {
        addr.in6.sin6_port = htons((uint16_t)port);
        addr.in6.sin6_flowinfo = htonl((uint32_t)flow);
        addr.in6.sin6_scope_id = (uint32_t)scope;
    } else {
        addr.in.sin_port = htons((uint16_t)port);
    }
    if (!(flags & NI_NUMERICHOST) && !cap_require(vm, CAP_DNS)) return V_ERROR;
    vm_unlock(vm);
    r = getnameinfo(&addr.sa, len, host, sizeof host, service, sizeof service, flags);
    vm_lock(vm);
    if (r) return raise_gai_error(vm, r);
    str *h = str_from_cstr(vm, host), *s = str_from_cstr(vm, service);
    tuple *out = h && s ? tuple_pack(vm, 2, value_obj(h), value_obj(s)) : NULL;
    return out ? value_obj(out) : V_ERROR;
}
typedef struct host_name {
    char text[1026];
} host_name;

/* The argument of `function`, a host's name or number, looked up. false: raised. */
static bool host_argument(vm *vm, value v, const char *function, int family, host_name *name, socket_address *out)
{
    const uint8_t *p;
    size_t n;
    socklen_t len;
    if (IS_STR(v)) {
        p = (const uint8_t *)str_utf8(vm, AS(str, v), &n);
        if (!p) return false;
    } else if ((!IS_BYTES(v) && !value_is_kind(v, K_BYTEARRAY)) || !buffer_view(vm, v, &p, &n)) {
        raise_type_error(vm, "%s() argument 1 must be str, bytes or bytearray, not %A", function, v);
        return false;
    }
    if (n && memchr(p, 0, n)) {
        raise_type_error(vm, "%s() argument 1 must be encoded string without null bytes, not %T", function, v);
        return false;
    }
    if (n >= sizeof name->text) return !value_is_error(raise_gai_error(vm, EAI_NONAME));
    if (n) memcpy(name->text, p, n);
    name->text[n] = 0;
    memset(out, 0, sizeof *out);
    out->sa.sa_family = (sa_family_t)family;
    if (!n && family == AF_INET) return true; /* any address */
    return resolve_numeric(name->text, family, out, &len) || resolve_host(vm, name->text, family, out, &len);
}

RF(r_gethostbyname)
{
    UNUSED;
    host_name name;
    socket_address addr;
    if (!host_argument(vm, a[0], "gethostbyname", AF_INET, &name, &addr)) return V_ERROR;
    str *s = ip_text(vm, &addr);
    return s ? value_obj(s) : V_ERROR;
}
/* (name, aliases, addresses) */
static value host_tuple(vm *vm, const struct hostent *h)
{
    list *aliases = list_new(vm, 0), *addresses = list_new(vm, 0);
    str *name = str_from_cstr(vm, h->h_name);
    for (char **p = h->h_aliases; aliases && p && *p; p++) {
        str *s = str_from_cstr(vm, *p);
        if (!s || !list_append(vm, aliases, value_obj(s))) return V_ERROR;
    }
    for (char **p = h->h_addr_list; addresses && p && *p; p++) {
        char text[INET6_ADDRSTRLEN] = "";
        inet_ntop(h->h_addrtype, *p, text, sizeof text);
        str *s = str_from_cstr(vm, text);
        if (!s || !list_append(vm, addresses, value_obj(s))) return V_ERROR;
    }
    tuple *t = aliases && addresses && name
                   ? tuple_pack(vm, 3, value_obj(name), value_obj(aliases), value_obj(addresses))
                   : NULL;
    return t ? value_obj(t) : V_ERROR;
}
static value host_entry(vm *vm, const socket_address *addr, const char *name)
{
    struct hostent entry, *found = NULL;
    char buf[16384];
    int err = 0;
    const void *p = addr->sa.sa_family == AF_INET6 ? (const void *)&addr->in6.sin6_addr : &addr->in.sin_addr;
    if (!cap_require(vm, CAP_DNS)) return V_ERROR;
    vm_unlock(vm);
    if (name) gethostbyname_r(name, &entry, buf, sizeof buf, &found, &err);
    else
        gethostbyaddr_r(p, addr->sa.sa_family == AF_INET6 ? 16 : 4, addr->sa.sa_family, &entry, buf, sizeof buf, &found,
                        &err);
    vm_lock(vm);
    return found ? host_tuple(vm, found) : raise_host_error(vm, err);
}
RF(r_gethostbyname_ex)
{
    UNUSED;
    host_name name;
    socket_address addr;
    if (!host_argument(vm, a[0], "gethostbyname_ex", AF_INET, &name, &addr)) return V_ERROR;
    return host_entry(vm, &addr, name.text);
}
RF(r_gethostbyaddr)
{
    UNUSED;
    host_name name;
    socket_address addr;
    if (!host_argument(vm, a[0], "gethostbyaddr", AF_UNSPEC, &name, &addr)) return V_ERROR;
    return host_entry(vm, &addr, NULL);
}
RF(r_gethostname)
{
    (void)a, UNUSED;
    char name[1025];
    if (!cap_require(vm, CAP_ENV)) return V_ERROR;
    if (gethostname(name, sizeof name - 1) < 0) return raise_os_error(vm, errno, V_UNBOUND);
    name[sizeof name - 1] = 0;
    str *s = str_from_cstr(vm, name);
    return s ? value_obj(s) : V_ERROR;
}

/* Tables of the machine. */
static bool may_look_up(vm *vm) { return (vm->caps & CAP_NET) || cap_require(vm, CAP_DNS); }

RF(r_getservbyname)
{
    UNUSED;
    if (!may_look_up(vm)) return V_ERROR;
    char name_buf[256], proto_buf[64], buf[4096];
    const char *name, *proto;
    struct servent entry, *found = NULL;
    if (!text_or_none(vm, a[0], name_buf, sizeof name_buf, &name, "getservbyname() argument 1 must be str"))
        return V_ERROR;
    if (!name) return raise_type_error(vm, "getservbyname() argument 1 must be str, not None");
    if (!text_or_none(vm, a[1], proto_buf, sizeof proto_buf, &proto, "getservbyname() argument 2 must be str"))
        return V_ERROR;
    getservbyname_r(name, proto, &entry, buf, sizeof buf, &found);
    return found ? value_int(ntohs((uint16_t)found->s_port)) : raise(vm, EXC_OSError, "service/proto not found");
}
RF(r_getservbyport)
{
    UNUSED;
    if (!may_look_up(vm)) return V_ERROR;
    int port;
    char proto_buf[64], buf[4096];
    const char *proto;
    struct servent entry, *found = NULL;
    if (!int_or(vm, a[0], &port)) return V_ERROR;
    if (port < 0 || port > 65535) return raise_overflow(vm, "getservbyport: port must be 0-65535.");
    if (!text_or_none(vm, a[1], proto_buf, sizeof proto_buf, &proto, "getservbyport() argument 2 must be str"))
        return V_ERROR;
    getservbyport_r(htons((uint16_t)port), proto, &entry, buf, sizeof buf, &found);
    if (!found) return raise(vm, EXC_OSError, "port/proto not found");
    str *s = str_from_cstr(vm, found->s_name);
    return s ? value_obj(s) : V_ERROR;
}
RF(r_getprotobyname)
{
    UNUSED;
    char name_buf[256], buf[4096];
    const char *name;
    struct protoent entry, *found = NULL;
    if (!text_or_none(vm, a[0], name_buf, sizeof name_buf, &name, "getprotobyname() argument 1 must be str"))
        return V_ERROR;
    if (!name) return raise_type_error(vm, "getprotobyname() argument 1 must be str, not None");
    getprotobyname_r(name, &entry, buf, sizeof buf, &found);
    return found ? value_int(found->p_proto) : raise(vm, EXC_OSError, "protocol not found");
}

const native_def resolve_functions[] = {
    {"getaddrinfo(host, port, family=0, type=0, proto=0, flags=0)", r_getaddrinfo,
     DOC("Addresses to connect to: a list of (family, type, proto, canonname, sockaddr)."), 0},
    {"_raise_gai_error(number, /)", r_gai_error, DOC("Raise the gaierror of an EAI_* number."), 0},
    {"getnameinfo(sockaddr, flags, /)", r_getnameinfo, DOC("(host, port) of an address."), 0},
    {"gethostbyname(host, /)", r_gethostbyname, DOC("The IPv4 address of a host."), 0},
    {"gethostbyname_ex(host, /)", r_gethostbyname_ex, DOC("(name, aliases, addresses) of a host."), 0},
    {"gethostbyaddr(host, /)", r_gethostbyaddr, DOC("(name, aliases, addresses) of an address."), 0},
    {"gethostname()", r_gethostname, DOC("This machine's name."), 0},
    {"getservbyname(servicename, protocolname=None, /)", r_getservbyname, DOC("The port number of a service."), 0},
    {"getservbyport(port, protocolname=None, /)", r_getservbyport, DOC("The name of the service at a port."), 0},
    {"getprotobyname(name, /)", r_getprotobyname, DOC("The number of a protocol."), 0},
    {0},
};
