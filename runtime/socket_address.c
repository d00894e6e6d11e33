/* Socket addresses to and from what scripts write: (host, port), (host, port, flowinfo, scope_id), paths. */
#include "runtime/socket.h"
#include "vm/bytes.h"
#include "vm/caps.h"
#include "vm/codec.h"
#include "vm/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>

str *ip_text(vm *vm, const socket_address *a)
{
    char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
    if (a->sa.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->in.sin_addr, text, sizeof text);
    } else {
        inet_ntop(AF_INET6, &a->in6.sin6_addr, text, INET6_ADDRSTRLEN);
        char name[IF_NAMESIZE];
        if (a->in6.sin6_scope_id) {
            if (if_indextoname(a->in6.sin6_scope_id, name)) return str_format(vm, "%s%%%s", text, name);
            return str_format(vm, "%s%%%ld", text, (int64_t)a->in6.sin6_scope_id);
        }
    }
    return str_from_cstr(vm, text);
}

static value unix_value(vm *vm, const struct sockaddr_un *un, socklen_t len)
{
    size_t n = len > offsetof(struct sockaddr_un, sun_path) ? len - offsetof(struct sockaddr_un, sun_path) : 0;
    if (n > sizeof un->sun_path) n = sizeof un->sun_path;
    if (n && un->sun_path[0] == 0) {
        bytes *b = bytes_new(vm, un->sun_path, n);
        return b ? value_obj(b) : V_ERROR;
    }
    size_t end = strnlen(un->sun_path, n);
    bytes *b = bytes_new(vm, un->sun_path, end);
    str *s = b ? path_argument(vm, value_obj(b)) : NULL;
    return s ? value_obj(s) : V_ERROR;
}

value address_value(vm *vm, const socket_address *a, socklen_t len)
{
    if (len < sizeof(sa_family_t)) return V_NONE;
    tuple *t;
    value host;
    switch (a->sa.sa_family) {
    case AF_INET:
    case AF_INET6: {
        str *s = ip_text(vm, a);
        if (!s) return V_ERROR;
        host = value_obj(s);
        if (a->sa.sa_family == AF_INET) t = tuple_pack(vm, 2, host, value_int(ntohs(a->in.sin_port)));
        else
            t = tuple_pack(vm, 4, host, value_int(ntohs(a->in6.sin6_port)), value_int(ntohl(a->in6.sin6_flowinfo)),
                           value_int(a->in6.sin6_scope_id));
        break;
    }
    case AF_UNIX: return unix_value(vm, &a->un, len);
    default: {
        size_t off = offsetof(struct sockaddr, sa_data);
        bytes *b = bytes_new(vm, a->sa.sa_data, len > off ? len - off : 0);
        t = b ? tuple_pack(vm, 2, value_int(a->sa.sa_family), value_obj(b)) : NULL;
    }
    }
    return t ? value_obj(t) : V_ERROR;
}

static bool fill_unix(vm *vm, value v, socket_address *out, socklen_t *len)
{
    const uint8_t *p;
    size_t n;
    if (IS_STR(v)) {
        str *errors = str_from_cstr(vm, "surrogateescape");
        bytes *b = errors ? codec_encode(vm, CODEC_UTF8, AS(str, v), value_obj(errors)) : NULL;
        if (!b) return false;
        p = b->data;
        n = b->len;
    } else if (!buffer_need(vm, v, &p, &n)) {
        return false;
    }
    bool abstract = n && p[0] == 0;
    if (n + !abstract > sizeof out->un.sun_path)
        return !value_is_error(raise(vm, EXC_OSError, "AF_UNIX path too long"));
    memset(&out->un, 0, sizeof out->un);
    out->un.sun_family = AF_UNIX;
    memcpy(out->un.sun_path, p, n);
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + !abstract);
    return true;
}

static bool port_argument(vm *vm, value v, const char *who, uint16_t *port)
{
    int64_t n;
    value i = obj_index(vm, v);
    if (value_is_error(i)) return false;
    if (!int_to_i64(vm, i, &n) || n < 0 || n > 65535)
        return !value_is_error(raise_overflow(vm, "%s(): port must be 0-65535.", who));
    *port = htons((uint16_t)n);
    return true;
}

/* A host name: "", "<broadcast>", a number or a name to be looked up. false: raised. */
static bool host_argument(vm *vm, value v, int family, socket_address *out, socklen_t *len)
{
    size_t n;
    const char *name;
    if (IS_STR(v)) {
        name = str_utf8(vm, AS(str, v), &n);
        if (!name) return false;
    } else {
        const uint8_t *p;
        if (!IS_BYTES(v) && !IS_BYTEARRAY(v))
            return !value_is_error(raise_type_error(vm, "str, bytes or bytearray expected, not %T", v));
        if (!buffer_need(vm, v, &p, &n)) return false;
        bytes *b = bytes_new(vm, p, n);
        if (!b) return false;
        name = (const char *)b->data;
    }
    if (strlen(name) != n) return !value_is_error(raise_type_error(vm, "host name must not contain null character"));
    memset(out, 0, sizeof *out);
    out->sa.sa_family = (sa_family_t)family;
    *len = family == AF_INET ? sizeof out->in : sizeof out->in6;
    if (!n) return true;
    if (family == AF_INET && (strcmp(name, "<broadcast>") == 0 || strcmp(name, "255.255.255.255") == 0)) {
        out->in.sin_addr.s_addr = htonl(INADDR_BROADCAST);
        return true;
    }
    if (resolve_numeric(name, family, out, len)) return true;
    char copy[1026]; /* the look-up gives the lock up: the script's object could go */
    if (n >= sizeof copy) return !value_is_error(raise_gai_error(vm, -2));
    memcpy(copy, name, n + 1);
    return resolve_host(vm, copy, family, out, len);
}

bool address_from_value(vm *vm, int family, value v, const char *who, socket_address *out, socklen_t *len)
{
    if (family == AF_UNIX) return fill_unix(vm, v, out, len);
    if (family != AF_INET && family != AF_INET6)
        return !value_is_error(raise(vm, EXC_OSError, "%s(): unsupported address family", who));
    bool six = family == AF_INET6;
    if (!IS_TUPLE(v))
        return !value_is_error(
            raise_type_error(vm, "%s(): AF_INET%s address must be tuple, not %T", who, six ? "6" : "", v));
    tuple *t = AS(tuple, v);
    uint16_t port = 0;
    int64_t flow = 0, scope = 0;
    if (six ? t->len < 2 || t->len > 4 : t->len != 2)
        return !value_is_error(
            raise_type_error(vm, six ? "AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])"
                                     : "AF_INET address must be a pair (host, port)"));
    if (!host_argument(vm, t->items[0], family, out, len) || !port_argument(vm, t->items[1], who, &port)) return false;
    if (!six) {
        out->in.sin_port = port;
        return true;
    }
    if (t->len > 2 && !obj_as_index(vm, t->items[2], &flow, EXC_OverflowError)) return false;
    if (t->len > 3 && !obj_as_index(vm, t->items[3], &scope, EXC_OverflowError)) return false;
    if (flow < 0 || flow > 0xfffff)
        return !value_is_error(raise_overflow(vm, "%s(): flowinfo must be 0-1048575.", who));
    out->in6.sin6_port = port;
    out->in6.sin6_flowinfo = htonl((uint32_t)flow);
    if (t->len > 3) out->in6.sin6_scope_id = (uint32_t)scope;
    return true;
}
