/* The module _cares: name look-ups that don't block, by c-ares. The script half is _asyncio_dns.aio.
 *
 * A Channel is one epoll set with the sockets of its questions and a timerfd for their timeouts in it, so a loop
 * watches a single descriptor and calls process() when it is readable. The timeouts run on real time even where the
 * loop's clock is virtual: the servers answer in real time.
 *
 * Invariants
 *  1. What c-ares calls back only fills a query in and moves it to the list of finished ones. Nothing allocates in
 *     the VM, raises or runs script there; results become objects in process(), from its caller's stack.
 *  2. A query lives from its submission until process() has reported it or the channel is closed.
 *  3. ares == NULL: closed; then there are no queries and no descriptors. */
#include "dynlib.h"
#include "module_state.h"
#include "vm/caps.h"
#include "vm/list.h"
#include "vm/str.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define DOC_FILE stdlib_mod_cares
DOC_BEGIN;

struct cares {
#define DYN(R, NAME, PARAMS) R(*NAME) PARAMS;
#include "cares_lib.def"
#undef DYN
};
static const char *const function_names[] = {
#define DYN(R, NAME, PARAMS) "ares_" #NAME,
#include "cares_lib.def"
#undef DYN
};
enum { FUNCTION_COUNT = sizeof function_names / sizeof *function_names };
_Static_assert(sizeof(struct cares) == FUNCTION_COUNT * sizeof(void (*)(void)), "a plain array of function pointers");

typedef struct library {
    object h;
    value *slots;
    struct cares f;
} library;

static const struct cares *cares_lib(vm *vm) { return &AS(library, module_state_get(vm, STATE_CARES_LIB))->f; }

/* Host names may have 255 characters; what is longer c-ares refuses. */
enum { NAME_ROOM = 1025 };

struct query {
    struct query *next;
    struct channel *channel;
    int64_t id;
    int status;                  /* ARES_* */
    struct ares_addrinfo *found; /* of resolve() */
    char name[NAME_ROOM];        /* of reverse() */
};

typedef struct channel {
    object h;
    value *slots;
    ares_channel ares;
    struct cares lib; /* its own: the collector may find this object after the module's state has gone */
    int epoll_fd, timer_fd;
    struct query *pending, *done, **done_end; /* done: in the order of their ends */
    int64_t last_id;
} channel;

/* ---- what c-ares calls ---- */

static void watch_socket(void *ud, ares_socket_t fd, int readable, int writable)
{
    channel *c = ud;
    struct epoll_event e = {.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u), .data.fd = fd};
    if (!e.events) epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    /* A socket that can't be watched makes its question run into the timeout. */
    else if (epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, fd, &e) < 0 && errno == ENOENT)
        epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

static void query_done(struct query *q, int status)
{
    channel *c = q->channel;
    q->status = status;
    struct query **p = &c->pending;
    while (*p != q) p = &(*p)->next;
    *p = q->next;
    q->next = NULL;
    *c->done_end = q;
    c->done_end = &q->next;
}
static void addresses_found(void *ud, int status, int timeouts, struct ares_addrinfo *found)
{
    struct query *q = ud;
    (void)timeouts;
    q->found = found;
    query_done(q, status);
}
static void name_found(void *ud, int status, int timeouts, struct hostent *host)
{
    struct query *q = ud;
    (void)timeouts;
    size_t n = status == ARES_SUCCESS && host && host->h_name ? strlen(host->h_name) : NAME_ROOM;
    if (n < NAME_ROOM) memcpy(q->name, host->h_name, n + 1);
    else if (status == ARES_SUCCESS) status = ARES_ENOTFOUND;
    query_done(q, status);
}

/* ---- channels ---- */

static void query_free(vm *vm, channel *c, struct query *q)
{
    if (q->found) c->lib.freeaddrinfo(q->found);
    mem_free(vm, q, sizeof *q);
}
static void channel_close(vm *vm, channel *c)
{
    if (!c->ares) return;
    ares_channel ares = c->ares;
    c->lib.destroy(ares); /* finishes every query */
    c->ares = NULL;
    while (c->done) {
        struct query *q = c->done;
        c->done = q->next;
        query_free(vm, c, q);
    }
    c->done_end = &c->done;
    close(c->timer_fd);
    close(c->epoll_fd);
    fd_gone(vm);
    fd_gone(vm);
}
static void channel_free(vm *vm, object *o) { channel_close(vm, (channel *)(void *)o); }

/* The timerfd goes off when c-ares has to be called although no socket is ready. */
static void channel_arm(channel *c)
{
    struct timeval room, *tv = c->lib.timeout(c->ares, NULL, &room);
    struct itimerspec when = {0};
    if (tv) {
        when.it_value = (struct timespec){.tv_sec = tv->tv_sec, .tv_nsec = tv->tv_usec * 1000};
        if (!tv->tv_sec && !tv->tv_usec) when.it_value.tv_nsec = 1; /* 0 would disarm */
    } else if (c->done) {
        when.it_value.tv_nsec = 1; /* an answer from /etc/hosts, to be fetched */
    }
    timerfd_settime(c->timer_fd, 0, &when, NULL);
}

static value channel_open(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    value none[1];
    if (!args_bind(vm, "Channel()", args, n, kw, none) || !cap_require(vm, CAP_DNS)) return V_ERROR;
    channel *c = userdata_new(vm, t);
    if (!c) return V_ERROR;
    c->lib = *cares_lib(vm);
    c->done_end = &c->done;
    if (!fd_admit(vm)) return V_ERROR;
    if (!fd_admit(vm)) return fd_gone(vm), V_ERROR;
    c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    c->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = c->timer_fd};
    int status = ARES_SUCCESS, err = 0;
    if (c->epoll_fd < 0 || c->timer_fd < 0 || epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->timer_fd, &e) < 0) {
        err = errno;
    } else {
        struct ares_options options = {.sock_state_cb = watch_socket, .sock_state_cb_data = c};
        status = c->lib.init_options(&c->ares, &options, ARES_OPT_SOCK_STATE_CB);
        const char *servers = getenv("AIOVM_DNS_SERVERS");
        if (status != ARES_SUCCESS) {
            c->ares = NULL;
        } else if (servers && *servers && c->lib.set_servers_ports_csv(c->ares, servers) != ARES_SUCCESS) {
            channel_close(vm, c);
            return raise_value_error(vm, "AIOVM_DNS_SERVERS: a list HOST:PORT,... is expected, not %s", servers);
        }
    }
    if (c->ares) return value_obj(c);
    if (c->epoll_fd >= 0) close(c->epoll_fd);
    if (c->timer_fd >= 0) close(c->timer_fd);
    fd_gone(vm);
    fd_gone(vm);
    if (status == ARES_ENOMEM) return raise_memory(vm);
    if (!err) return raise(vm, EXC_OSError, "c-ares can't be set up (its status is %d)", status);
    return raise_os_error(vm, err, V_UNBOUND);
}
static void channel_fill(struct type_slots *s) { s->new_ = channel_open; }

static bool channel_check(vm *vm, channel *c)
{
    if (c->ares) return true;
    raise_value_error(vm, "the channel is closed");
    return false;
}
static struct query *query_new(vm *vm, channel *c)
{
    struct query *q = mem_alloc(vm, sizeof *q);
    if (!q) return NULL;
    q->next = c->pending;
    q->channel = c;
    q->id = ++c->last_id;
    q->status = 0;
    q->found = NULL;
    q->name[0] = 0;
    c->pending = q;
    return q;
}

FN(c_resolve)
{
    channel *c = AS(channel, args[0]);
    int64_t family, flags;
    if (!channel_check(vm, c) || !cap_require(vm, CAP_DNS)) return V_ERROR;
    if (!int_as_i64(vm, args[2], &family) || !int_as_i64(vm, args[3], &flags)) return V_ERROR;
    if (!IS_STR(args[1])) return raise_type_error(vm, "a name is a str");
    size_t len;
    const char *name = str_utf8(vm, AS(str, args[1]), &len);
    if (!name) return V_ERROR;
    if (memchr(name, 0, len)) return raise_value_error(vm, "embedded null character");
    struct query *q = query_new(vm, c);
    if (!q) return V_ERROR;
    int64_t id = q->id; /* it may be done, but is not freed, when getaddrinfo returns */
    struct ares_addrinfo_hints hints = {
        .ai_family = (int)family, .ai_socktype = SOCK_STREAM, .ai_flags = flags & AI_CANONNAME ? ARES_AI_CANONNAME : 0};
    c->lib.getaddrinfo(c->ares, name, NULL, &hints, addresses_found, q);
    channel_arm(c);
    return value_int(id);
}
FN(c_reverse)
{
    channel *c = AS(channel, args[0]);
    unsigned char addr[16];
    if (!channel_check(vm, c) || !cap_require(vm, CAP_DNS)) return V_ERROR;
    if (!IS_STR(args[1])) return raise_type_error(vm, "an address is a str");
    const char *text = str_utf8(vm, AS(str, args[1]), NULL);
    if (!text) return V_ERROR;
    int family = inet_pton(AF_INET, text, addr) == 1 ? AF_INET : inet_pton(AF_INET6, text, addr) == 1 ? AF_INET6 : 0;
    if (!family) return raise_value_error(vm, "not an IP address: %R", args[1]);
    struct query *q = query_new(vm, c);
    if (!q) return V_ERROR;
    int64_t id = q->id;
    c->lib.gethostbyaddr(c->ares, addr, family == AF_INET ? 4 : 16, family, name_found, q);
    channel_arm(c);
    return value_int(id);
}

/* ---- results ---- */

/* The number that getaddrinfo of the C library would give. */
static int gai_number(int status)
{
    switch (status) {
    case ARES_SUCCESS: return 0;
    case ARES_ENODATA: return EAI_NODATA;
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
    case ARES_ENONAME: return EAI_NONAME;
    case ARES_ENOMEM: return EAI_MEMORY;
    case ARES_EBADFAMILY: return EAI_FAMILY;
    case ARES_EFORMERR:
    case ARES_EBADRESP: return EAI_FAIL;
    default: return EAI_AGAIN; /* no server answered, or none wanted to */
    }
}

/* [(family, address, scope), ...] */
static value address_list(vm *vm, const struct ares_addrinfo *found)
{
    list *l = list_new(vm, 0);
    ROOTS(vm, &l);
    for (const struct ares_addrinfo_node *i = found->nodes; l && i; i = i->ai_next) {
        char text[INET6_ADDRSTRLEN] = "";
        uint32_t scope = 0;
        if (i->ai_family == AF_INET) {
            inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)i->ai_addr)->sin_addr, text, sizeof text);
        } else if (i->ai_family == AF_INET6) {
            const struct sockaddr_in6 *a = (const void *)i->ai_addr;
            inet_ntop(AF_INET6, &a->sin6_addr, text, sizeof text);
            scope = a->sin6_scope_id;
        } else {
            continue;
        }
        str *s = str_from_cstr(vm, text);
        tuple *t = s ? tuple_pack(vm, 3, value_int(i->ai_family), value_obj(s), value_int(scope)) : NULL;
        if (!t || !list_append(vm, l, value_obj(t))) return V_ERROR;
    }
    return l ? value_obj(l) : V_ERROR;
}
/* (id, EAI_* or 0, what was found, canonical name) */
static value query_result(vm *vm, const struct query *q)
{
    value what = V_NONE;
    ROOTS(vm, &what);
    const char *name = q->name;
    if (q->found) {
        what = address_list(vm, q->found);
        if (value_is_error(what)) return what;
        const struct ares_addrinfo_cname *last = q->found->cnames;
        while (last && last->next) last = last->next;
        name = last && last->name ? last->name : q->found->name ? q->found->name : "";
    }
    char ascii[NAME_ROOM]; /* a name of /etc/hosts may hold anything */
    size_t n = 0;
    for (; name[n] && n < sizeof ascii - 1; n++) ascii[n] = name[n] & 0x80 ? '?' : name[n];
    str *s = str_new_utf8(vm, ascii, n);
    tuple *t = s ? tuple_pack(vm, 4, value_int(q->id), value_int(gai_number(q->status)), what, value_obj(s)) : NULL;
    return t ? value_obj(t) : V_ERROR;
}

FN(c_process)
{
    channel *c = AS(channel, args[0]);
    if (!channel_check(vm, c)) return V_ERROR;
    ROOTS(vm, &c);
    struct epoll_event events[32];
    int got = epoll_wait(c->epoll_fd, events, 32, 0);
    for (int i = 0; i < got; i++) {
        int fd = events[i].data.fd;
        uint64_t times;
        if (fd == c->timer_fd) {
            if (read(fd, &times, sizeof times) < 0) continue; /* drained already */
            c->lib.process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        } else {
            bool failed = events[i].events & (EPOLLERR | EPOLLHUP);
            c->lib.process_fd(c->ares, failed || events[i].events & EPOLLIN ? fd : ARES_SOCKET_BAD,
                              failed || events[i].events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
        }
    }
    list *l = list_new(vm, 0);
    if (!l) return V_ERROR;
    ROOTS(vm, &l);
    while (c->done) {
        struct query *q = c->done;
        value v = query_result(vm, q);
        if (value_is_error(v) || !list_append(vm, l, v)) return V_ERROR;
        c->done = q->next;
        if (!c->done) c->done_end = &c->done;
        query_free(vm, c, q);
    }
    channel_arm(c);
    return value_obj(l);
}
FN(c_fileno)
{
    channel *c = AS(channel, args[0]);
    return channel_check(vm, c) ? value_int(c->epoll_fd) : V_ERROR;
}
/* AIOVM_DNS_SERVERS decides, not the machine's settings. */
FN(c_own_servers)
{
    const char *servers = getenv("AIOVM_DNS_SERVERS");
    return value_bool(servers && *servers);
}
FN(c_close)
{
    channel_close(vm, AS(channel, args[0]));
    return V_NONE;
}

/* ---- the module ---- */

static bool load(vm *vm)
{
    static const type_layout layout = {.size = sizeof(library) - sizeof(userdata)};
    static const type_spec spec = {.name = "_cares.library", .layout = &layout};
    if (!value_is_unbound(module_state_get(vm, STATE_CARES_LIB))) return true;
    type *t = module_state_make(vm, STATE_CARES_LIB_TYPE, &spec);
    library *l = t ? userdata_new(vm, t) : NULL;
    return l && dynlib_load(vm, "_cares", "libcares.so.2", "libc-ares2", function_names, FUNCTION_COUNT, "", &l->f) &&
           module_state_set(vm, STATE_CARES_LIB, value_obj(l));
}

bool cares_init(vm *vm, module *m)
{
    static const native_def methods[] = {
        {"resolve(self, name, family, flags, /)", c_resolve,
         DOC("Ask for the addresses of a name: the number of the question."), 0},
        {"reverse(self, address, /)", c_reverse, DOC("Ask for the name of an address: the number of the question."), 0},
        {"process(self)", c_process,
         DOC("Take in what has come: a list of (number, EAI_* or 0, [(family, address, scope)] or None, name)."), 0},
        {"fileno(self)", c_fileno, DOC("The descriptor that is readable when process() has something to do."), 0},
        {"own_servers(self)", c_own_servers, DOC("Are the servers given by AIOVM_DNS_SERVERS?"), 0},
        {"close(self)", c_close, DOC("Forget all questions."), 0},
        {0},
    };
    static const type_layout layout = {.size = sizeof(channel) - sizeof(userdata), .free = channel_free};
    static const type_spec spec = {
        "_cares.Channel", "Questions to name servers that are under way.", &layout, methods, NULL, 0, TF_IMMUTABLE,
        channel_fill};
    ROOTS(vm, &m);
    if (!load(vm)) return false;
    type *t = module_state_make(vm, STATE_CARES_CHANNEL, &spec);
    return t && module_add(vm, m, "Channel", value_obj(t));
}
