/* Sending, receiving, connecting and accepting by socket objects, blocking or not.
 *
 * Each operation is tried at once without blocking (MSG_DONTWAIT). When it would block and the socket may, the VM's
 * lock is given up in socket_wait until the descriptor is ready. So the lock is never held while blocking and a signal
 * is never lost: the main thread waits for its wake-up descriptor as well. Buffers that script could resize meanwhile
 * are pinned. */
#include "runtime/socket.h"
#include "vm/lock.h"
#include "vm/bytes.h"
#include "vm/caps.h"
#include "vm/file.h"
#include "vm/list.h"
#include "vm/native.h"

#include <errno.h>
#include <poll.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int64_t real_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
static int64_t deadline_of(const socket_obj *s) { return s->timeout_ns < 0 ? -1 : real_now() + s->timeout_ns; }

int socket_wait(vm *vm, int fd, short events, int64_t deadline)
{
    bool is_main = thread_is_main(vm, vm->thread);
    int wake = is_main ? runtime_wake_fd(vm) : thread_end_fd(vm);
    if (!vm_blocking(vm, "a blocking call of a socket", "asyncio's streams, or await loop.sock_recv() and its kin,"))
        return -1;
    files_flush_all(vm);
    for (;;) {
        struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = wake, .events = POLLIN}};
        struct timespec t = {0};
        if (deadline >= 0) {
            int64_t left = deadline - real_now();
            if (left < 0) left = 0;
            t.tv_sec = left / 1000000000;
            t.tv_nsec = left % 1000000000;
        }
        vm_unlock(vm);
        int r = ppoll(p, 2, deadline < 0 ? NULL : &t, NULL), err = errno;
        vm_lock(vm);
        if (r > 0 && p[1].revents && is_main) platform_wake_drain(wake);
        if (vm_attention(vm) || (r > 0 && p[1].revents)) vm_poll(vm);
        if (raised(vm)) return -1;
        if (r > 0 && p[0].revents) return 1;
        if (r == 0) return 0;
        if (r < 0 && err != EINTR) {
            raise_os_error(vm, err, V_UNBOUND);
            return -1;
        }
    }
}

/* After a call failed with `err`: true, try again; false: raised. */
static bool may_retry(vm *vm, socket_obj *s, int err, short events, int64_t *deadline)
{
    if (err == EINTR) {
        vm_poll(vm);
        return !raised(vm);
    }
    if ((err == EAGAIN || err == EWOULDBLOCK) && s->timeout_ns != 0) {
        if (*deadline == INT64_MIN) *deadline = deadline_of(s);
        int r = socket_wait(vm, s->fd, events, *deadline);
        if (r == 0) raise(vm, EXC_TimeoutError, "timed out");
        return r > 0;
    }
    raise_os_error(vm, err, V_UNBOUND);
    return false;
}
#define NO_DEADLINE INT64_MIN /* not looked at the clock yet */

/* recvmsg or sendmsg until it is done; -1 raised. */
static ssize_t transfer(vm *vm, socket_obj *s, struct msghdr *m, int flags, bool send, int64_t *deadline)
{
    socklen_t namelen = m->msg_namelen;
    size_t controllen = m->msg_controllen;
    for (;;) {
        m->msg_namelen = namelen;
        m->msg_controllen = controllen;
        ssize_t n = send ? sendmsg(s->fd, m, flags | MSG_NOSIGNAL | MSG_DONTWAIT)
                         : recvmsg(s->fd, m, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n >= 0) return n;
        if (!may_retry(vm, s, errno, send ? POLLOUT : POLLIN, deadline)) return -1;
    }
}

static bool int_argument(vm *vm, value v, int dflt, int *out)
{
    int64_t n;
    *out = dflt;
    if (value_is_unbound(v)) return true;
    if (!obj_as_index(vm, v, &n, EXC_OverflowError)) return false;
    if (n < INT32_MIN || n > INT32_MAX)
        return !value_is_error(raise_overflow(vm, "signed integer is greater than maximum"));
    *out = (int)n;
    return true;
}

/* ---- buffers ---- */

/* Memory of an object, fixed in place until pin_release. */
typedef struct pinned {
    value of;
    buffer_info info;
    const buffer_ops *ops;
} pinned;
static bool pin(vm *vm, value v, const char *writable /* whose argument, or NULL: for reading */, pinned *out)
{
    out->of = v;
    out->ops = NULL;
    if (!buffer_info_of(vm, v, &out->info)) {
        if (raised(vm)) return false;
        if (writable) raise_type_error(vm, "%s must be read-write bytes-like object, not %T", writable, v);
        else raise_type_error(vm, "a bytes-like object is required, not '%T'", v);
        return false;
    }
    if (writable && out->info.readonly)
        return !value_is_error(raise_type_error(vm, "%s must be read-write bytes-like object, not %T", writable, v));
    out->ops = buffer_ops_of(vm, v);
    if (out->ops && out->ops->pin) out->ops->pin(value_as_obj(v), 1);
    return true;
}
static void unpin(pinned *p)
{
    if (p->ops && p->ops->pin) p->ops->pin(value_as_obj(p->of), -1);
}

/* ---- receiving ---- */

/* (what, address of the sender), or just `what`. */
static value with_sender(vm *vm, value what, const struct msghdr *m)
{
    if (!m->msg_name) return what;
    ROOTS(vm, &what);
    value addr = address_value(vm, m->msg_name, m->msg_namelen);
    tuple *t = value_is_error(addr) ? NULL : tuple_pack(vm, 2, what, addr);
    return t ? value_obj(t) : V_ERROR;
}
static value receive(vm *vm, value *a, bool with_address)
{
    socket_obj *s = SOCKET(a[0]);
    int64_t size, deadline = NO_DEADLINE;
    int flags;
    if (!obj_as_index(vm, a[1], &size, EXC_OverflowError) || !int_argument(vm, a[2], 0, &flags)) return V_ERROR;
    if (size < 0) return raise_value_error(vm, "negative buffersize in %s", with_address ? "recvfrom" : "recv");
    socket_address from;
    struct iovec v = {.iov_len = (size_t)size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    if (with_address) {
        m.msg_name = &from;
        m.msg_namelen = sizeof from;
    }
    uint8_t small[4096];
    v.iov_base = (size_t)size <= sizeof small ? small : mem_alloc(vm, (size_t)size);
    if (!v.iov_base) return V_ERROR;
    ssize_t n = transfer(vm, s, &m, flags, false, &deadline);
    bytes *b = n < 0 ? NULL : bytes_new(vm, v.iov_base, (size_t)n < (size_t)size ? (size_t)n : (size_t)size);
    if (v.iov_base != small) mem_free(vm, v.iov_base, (size_t)size);
    return b ? with_sender(vm, value_obj(b), &m) : V_ERROR;
}
value socket_recv(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return receive(vm, a, false);
}
value socket_recvfrom(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return receive(vm, a, true);
}

static value receive_into(vm *vm, value *a, bool with_address)
{
    socket_obj *s = SOCKET(a[0]);
    int64_t size = 0, deadline = NO_DEADLINE;
    int flags;
    pinned p;
    socket_address from;
    if (!value_is_unbound(a[2]) && !obj_as_index(vm, a[2], &size, EXC_OverflowError)) return V_ERROR;
    if (!int_argument(vm, a[3], 0, &flags) ||
        !pin(vm, a[1], with_address ? "recvfrom_into() argument 1" : "recv_into() argument 1", &p))
        return V_ERROR;
    struct iovec v = {.iov_base = p.info.data, .iov_len = size ? (size_t)size : p.info.n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    if (with_address) {
        m.msg_name = &from;
        m.msg_namelen = sizeof from;
    }
    ssize_t got = -1;
    if (size < 0) raise_value_error(vm, "negative buffersize in %s", with_address ? "recvfrom_into" : "recv_into");
    else if ((size_t)size > p.info.n)
        raise_value_error(vm, with_address ? "nbytes is greater than the length of the buffer"
                                           : "buffer too small for requested bytes");
    else got = transfer(vm, s, &m, flags, false, &deadline);
    unpin(&p);
    return got < 0 ? V_ERROR : with_sender(vm, value_int(got), &m);
}
value socket_recv_into(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return receive_into(vm, a, false);
}
value socket_recvfrom_into(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return receive_into(vm, a, true);
}

/* [(level, type, data), ...] */
static value control_list(vm *vm, struct msghdr *m)
{
    list *l = list_new(vm, 0);
    bool full = false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); l && c; c = CMSG_NXTHDR(m, c)) {
        size_t len = c->cmsg_len >= CMSG_LEN(0) ? c->cmsg_len - CMSG_LEN(0) : 0;
        for (size_t i = 0; c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && i + sizeof(int) <= len;
             i += sizeof(int)) { /* descriptors that have been sent */
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i, sizeof fd);
            full = !fd_take(vm, fd) || full;
        }
        if (full) return V_ERROR;
        bytes *b = bytes_new(vm, CMSG_DATA(c), len);
        tuple *t = b ? tuple_pack(vm, 3, value_int(c->cmsg_level), value_int(c->cmsg_type), value_obj(b)) : NULL;
        if (!t || !list_append(vm, l, value_obj(t))) return V_ERROR;
    }
    return l ? value_obj(l) : V_ERROR;
}
enum { MAX_BUFFERS = 1024 };
/* What recvmsg returns after the data: `first`, ancillary data, flags, address. */
static value message_tuple(vm *vm, value first, struct msghdr *m)
{
    value anc = V_UNBOUND;
    ROOTS(vm, &first, &anc);
    anc = control_list(vm, m);
    value addr = value_is_error(anc) ? V_ERROR : address_value(vm, m->msg_name, m->msg_namelen);
    tuple *t =
        value_is_error(addr) ? NULL : tuple_pack(vm, 4, first, anc, value_int(m->msg_flags & ~MSG_CMSG_CLOEXEC), addr);
    return t ? value_obj(t) : V_ERROR;
}
static bool control_size(vm *vm, value v, int64_t *out)
{
    *out = 0;
    if (!value_is_unbound(v) && !obj_as_index(vm, v, out, EXC_OverflowError)) return false;
    if (*out >= 0 && *out <= INT32_MAX) return true;
    raise_value_error(vm, "invalid ancillary data buffer length");
    return false;
}
value socket_recvmsg(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int64_t size, csize, deadline = NO_DEADLINE;
    int flags;
    socket_address from;
    if (!obj_as_index(vm, a[1], &size, EXC_OverflowError) || !control_size(vm, a[2], &csize) ||
        !int_argument(vm, a[3], 0, &flags))
        return V_ERROR;
    if (size < 0) return raise_value_error(vm, "negative buffer size in recvmsg()");
    void *data = mem_alloc(vm, (size_t)size + 1), *control = data ? mem_zalloc(vm, (size_t)csize + 1) : NULL;
    value r = V_ERROR;
    if (control) {
        struct iovec v = {.iov_base = data, .iov_len = (size_t)size};
        struct msghdr m = {.msg_name = &from,
                           .msg_namelen = sizeof from,
                           .msg_iov = &v,
                           .msg_iovlen = 1,
                           .msg_control = csize ? control : NULL,
                           .msg_controllen = (size_t)csize};
        ssize_t got = transfer(vm, SOCKET(a[0]), &m, flags, false, &deadline);
        bytes *b = got < 0 ? NULL : bytes_new(vm, data, (size_t)got);
        if (b) r = message_tuple(vm, value_obj(b), &m);
        mem_free(vm, control, (size_t)csize + 1);
    }
    mem_free(vm, data, (size_t)size + 1);
    return r;
}

/* Pins every buffer of an iterable; *out, *v: arrays of *n. false: raised, nothing is pinned. */
static bool pin_all(vm *vm, value buffers, bool writable, list **of, pinned **out, struct iovec **v, size_t *n)
{
    list *l = obj_to_list(vm, buffers);
    *of = l;
    if (!l) return false;
    *n = l->len;
    if (*n > MAX_BUFFERS)
        return !value_is_error(
            raise(vm, EXC_OSError, "%s() argument 1 is too long", writable ? "recvmsg_into" : "sendmsg"));
    *out = mem_alloc(vm, *n * sizeof **out + 1);
    *v = *out ? mem_alloc(vm, *n * sizeof **v + 1) : NULL;
    size_t done = 0;
    for (; *v && done < *n && pin(vm, l->items[done], writable ? "recvmsg_into() buffers" : NULL, &(*out)[done]);
         done++)
        (*v)[done] = (struct iovec){(*out)[done].info.data, (*out)[done].info.n};
    if (*v && done == *n) return true;
    while (done--) unpin(&(*out)[done]);
    if (*v) mem_free(vm, *v, *n * sizeof **v + 1);
    if (*out) mem_free(vm, *out, *n * sizeof **out + 1);
    return false;
}
static void unpin_all(vm *vm, pinned *p, struct iovec *v, size_t n)
{
    for (size_t i = 0; i < n; i++) unpin(&p[i]);
    mem_free(vm, v, n * sizeof *v + 1);
    mem_free(vm, p, n * sizeof *p + 1);
}
value socket_recvmsg_into(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int64_t csize, deadline = NO_DEADLINE;
    int flags;
    socket_address from;
    list *l = NULL;
    pinned *p;
    struct iovec *v;
    size_t count;
    value r = V_ERROR;
    ROOTS(vm, &l);
    if (!control_size(vm, a[2], &csize) || !int_argument(vm, a[3], 0, &flags) ||
        !pin_all(vm, a[1], true, &l, &p, &v, &count))
        return V_ERROR;
    void *control = mem_zalloc(vm, (size_t)csize + 1);
    if (control) {
        struct msghdr m = {.msg_name = &from,
                           .msg_namelen = sizeof from,
                           .msg_iov = v,
                           .msg_iovlen = count,
                           .msg_control = csize ? control : NULL,
                           .msg_controllen = (size_t)csize};
        ssize_t got = transfer(vm, SOCKET(a[0]), &m, flags, false, &deadline);
        if (got >= 0) r = message_tuple(vm, value_int(got), &m);
        mem_free(vm, control, (size_t)csize + 1);
    }
    unpin_all(vm, p, v, count);
    return r;
}

/* ---- sending ---- */

value socket_send(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int flags;
    int64_t deadline = NO_DEADLINE;
    pinned p;
    if (!int_argument(vm, a[2], 0, &flags) || !pin(vm, a[1], NULL, &p)) return V_ERROR;
    struct iovec v = {.iov_base = p.info.data, .iov_len = p.info.n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    ssize_t sent = transfer(vm, SOCKET(a[0]), &m, flags, true, &deadline);
    unpin(&p);
    return sent < 0 ? V_ERROR : value_int(sent);
}
value socket_sendall(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int flags;
    int64_t deadline = NO_DEADLINE;
    pinned p;
    if (!int_argument(vm, a[2], 0, &flags) || !pin(vm, a[1], NULL, &p)) return V_ERROR;
    struct iovec v = {.iov_base = p.info.data, .iov_len = p.info.n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    ssize_t sent = 0;
    while (v.iov_len && (sent = transfer(vm, SOCKET(a[0]), &m, flags, true, &deadline)) >= 0) {
        v.iov_base = (uint8_t *)v.iov_base + sent;
        v.iov_len -= (size_t)sent;
        if (!vm_tick(vm, 1)) sent = -1;
        if (sent < 0) break;
    }
    unpin(&p);
    return sent < 0 ? V_ERROR : V_NONE;
}
value socket_sendto(vm *vm, value *a, uint32_t n, value kw)
{
    (void)kw;
    socket_obj *s = SOCKET(a[0]);
    int flags = 0;
    int64_t deadline = NO_DEADLINE;
    socket_address to;
    socklen_t len;
    pinned p;
    if (n < 3 || n > 4) return raise_type_error(vm, "sendto() takes 2 or 3 arguments (%d given)", (int)n - 1);
    if (n == 4 && !int_argument(vm, a[2], 0, &flags)) return V_ERROR;
    if (!address_from_value(vm, s->family, a[n - 1], "sendto", &to, &len) || !pin(vm, a[1], NULL, &p)) return V_ERROR;
    struct iovec v = {.iov_base = p.info.data, .iov_len = p.info.n};
    struct msghdr m = {.msg_name = &to, .msg_namelen = len, .msg_iov = &v, .msg_iovlen = 1};
    ssize_t sent = transfer(vm, s, &m, flags, true, &deadline);
    unpin(&p);
    return sent < 0 ? V_ERROR : value_int(sent);
}

/* The control message of one (level, type, data); *used grows by its room. buf NULL: only that. */
static bool control_item(vm *vm, value item, uint8_t *buf, size_t room, size_t *used)
{
    value f[3];
    int level, type;
    const uint8_t *data;
    size_t len;
    if (!obj_unpack(vm, item, 3, f) || !int_argument(vm, f[0], 0, &level) || !int_argument(vm, f[1], 0, &type))
        return false;
    if (!buffer_need(vm, f[2], &data, &len)) return false;
    if (len > INT32_MAX) return !value_is_error(raise(vm, EXC_OSError, "ancillary data item too large"));
    if (buf && *used + CMSG_SPACE(len) > room) /* reading the list changed it */
        return !value_is_error(raise(vm, EXC_RuntimeError, "ancillary data changed size during sendmsg()"));
    if (buf) {
        struct cmsghdr c = {.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
        memcpy(buf + *used, &c, sizeof c);
        memcpy(buf + *used + CMSG_LEN(0), data, len);
    }
    *used += CMSG_SPACE(len);
    return true;
}
value socket_sendmsg(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    socket_obj *s = SOCKET(a[0]);
    int flags;
    int64_t deadline = NO_DEADLINE;
    socket_address to;
    socklen_t len = 0;
    list *l = NULL, *anc = NULL;
    pinned *p;
    struct iovec *v;
    size_t count, room = 0, used = 0;
    ROOTS(vm, &l, &anc);
    if (!int_argument(vm, a[3], 0, &flags)) return V_ERROR;
    if (!value_is_unbound(a[4]) && !value_is_none(a[4]) &&
        !address_from_value(vm, s->family, a[4], "sendmsg", &to, &len))
        return V_ERROR;
    anc = value_is_unbound(a[2]) ? list_new(vm, 0) : obj_to_list(vm, a[2]);
    if (!anc) return V_ERROR;
    for (size_t i = 0; i < anc->len; i++)
        if (!control_item(vm, anc->items[i], NULL, 0, &room)) return V_ERROR;
    uint8_t *control = mem_zalloc(vm, room + 1);
    if (!control) return V_ERROR;
    ssize_t sent = -1;
    bool ok = true;
    for (size_t i = 0; ok && i < anc->len; i++) ok = control_item(vm, anc->items[i], control, room, &used);
    if (ok && pin_all(vm, a[1], false, &l, &p, &v, &count)) {
        struct msghdr m = {.msg_name = len ? &to : NULL,
                           .msg_namelen = len,
                           .msg_iov = v,
                           .msg_iovlen = count,
                           .msg_control = used ? control : NULL,
                           .msg_controllen = used};
        sent = transfer(vm, s, &m, flags, true, &deadline);
        unpin_all(vm, p, v, count);
    }
    mem_free(vm, control, room + 1);
    return sent < 0 ? V_ERROR : value_int(sent);
}

/* ---- connections ---- */

/* 0, an errno, or -1: raised. */
static int do_connect(vm *vm, socket_obj *s, const socket_address *to, socklen_t len)
{
    int fd = s->fd, err, r;
    bool again = false;
    for (;;) {
        vm_unlock(vm);
        r = connect(fd, &to->sa, len);
        err = r < 0 ? errno : 0;
        vm_lock(vm);
        if (err != EINTR) break;
        again = true;
        vm_poll(vm);
        if (raised(vm)) return -1;
    }
    if (again && err == EISCONN) return 0; /* the interrupted call went on by itself */
    if (again && err == EALREADY) err = EINPROGRESS;
    if (err != EINPROGRESS || s->timeout_ns == 0) return err;
    r = socket_wait(vm, fd, POLLOUT, deadline_of(s));
    if (r < 0) return -1;
    if (r == 0) {
        raise(vm, EXC_TimeoutError, "timed out");
        return -1;
    }
    socklen_t n = sizeof err;
    err = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0) err = errno;
    return err == EISCONN ? 0 : err;
}
value socket_connect(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    socket_address to;
    socklen_t len;
    if (!address_from_value(vm, SOCKET(a[0])->family, a[1], "connect", &to, &len)) return V_ERROR;
    int err = do_connect(vm, SOCKET(a[0]), &to, len);
    return err < 0 ? V_ERROR : err ? raise_os_error(vm, err, V_UNBOUND) : V_NONE;
}
value socket_connect_ex(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    socket_address to;
    socklen_t len;
    if (!address_from_value(vm, SOCKET(a[0])->family, a[1], "connect_ex", &to, &len)) return V_ERROR;
    int err = do_connect(vm, SOCKET(a[0]), &to, len);
    if (err < 0 && exc_clear_if(vm, EXC_TimeoutError)) err = EAGAIN;
    return err < 0 ? V_ERROR : value_int(err);
}

value socket_accept(vm *vm, socket_obj *s, socket_address *addr, socklen_t *len)
{
    int64_t deadline = NO_DEADLINE;
    if (s->timeout_ns < 0 && s->fd >= 0 && socket_wait(vm, s->fd, POLLIN, -1) < 0) return V_ERROR;
    for (;;) {
        *len = sizeof *addr;
        int fd = accept4(s->fd, &addr->sa, len, SOCK_CLOEXEC);
        if (fd >= 0) return value_int(fd);
        if (!may_retry(vm, s, errno, POLLIN, &deadline)) return V_ERROR;
    }
}
value socket_accept_fd(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    socket_address addr;
    socklen_t len;
    value fd = socket_accept(vm, SOCKET(a[0]), &addr, &len);
    if (value_is_error(fd) || !fd_take(vm, (int)value_as_int(fd))) return V_ERROR;
    value from = address_value(vm, &addr, len);
    tuple *t = value_is_error(from) ? NULL : tuple_pack(vm, 2, fd, from);
    if (t) return value_obj(t);
    fd_let_go(vm, (int)value_as_int(fd));
    close((int)value_as_int(fd));
    return V_ERROR;
}
