/* The module select: select(), poll objects, epoll objects. Every wait gives the VM's lock up and ends early for
 * signals. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "runtime/poller.h"
#include "vm/lock.h"
#include "vm/caps.h"
#include "vm/dict.h"
#include "vm/list.h"
#include "vm/native.h"

#define DOC_FILE runtime_select_module
DOC_BEGIN;

#define FN(NAME)                                                                                       \
    static value NAME(vm *vm, value *args __attribute__((unused)), uint32_t n __attribute__((unused)), \
                      value kw __attribute__((unused)))

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* An int, or what fileno() gives; -1 raised. */
/* A VM that can have no descriptors of its own has none to watch: what is left are the host's. */
static bool may_watch(vm *vm) { return (vm->caps & (CAP_FS | CAP_NET | CAP_PROCESS)) || cap_require(vm, CAP_NET); }

static int descriptor(vm *vm, value v)
{
    if (!may_watch(vm)) return -1;
    if (!int_is(v)) {
        value fileno = obj_getattr(vm, v, str_intern_utf8(vm, "fileno", 6));
        if (value_is_error(fileno)) {
            if (exc_clear_if(vm, EXC_AttributeError))
                raise_type_error(vm, "argument must be an int, or have a fileno() method.");
            return -1;
        }
        v = vm_call0(vm, fileno);
        if (!value_is_error(v) && !int_is(v)) v = raise_type_error(vm, "fileno() returned a non-integer");
        if (value_is_error(v)) return -1;
    }
    int64_t fd;
    if (!int_to_i64(vm, int_plain(vm, v), &fd) || fd > INT32_MAX || fd < INT32_MIN) {
        raise_overflow(vm, "Python int too large to convert to C int");
        return -1;
    }
    if (fd < 0) raise_value_error(vm, "file descriptor cannot be a negative integer (%ld)", fd);
    return fd < 0 ? -1 : (int)fd;
}

/* ---- waiting ---- */

/* poll() of the first n entries for `ns` (negative: for ever); there must be room for one more. -1: raised. */
static int wait_ready(vm *vm, struct pollfd *fds, size_t count, int64_t ns)
{
    int64_t end = ns < 0 ? -1 : 0;
    if (ns >= 0 && __builtin_add_overflow(now_ns(), ns, &end)) end = INT64_MAX;
    if (ns && !vm_blocking(vm, "waiting for descriptors", "loop.add_reader()")) return -1;
    bool is_main = thread_is_main(vm, vm->thread);
    fds[count] = (struct pollfd){is_main ? runtime_wake_fd(vm) : thread_end_fd(vm), POLLIN, 0};
    for (;;) {
        int64_t left = end < 0 ? -1 : end - now_ns();
        if (end >= 0 && left < 0) left = 0;
        struct timespec t = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        bool asked = __atomic_load_n(&vm->pending, __ATOMIC_ACQUIRE);
        if (asked) t = (struct timespec){0};
        vm_unlock(vm);
        int r = ppoll(fds, count + 1, left < 0 && !asked ? NULL : &t, NULL), err = errno;
        vm_lock(vm);
        if (r < 0 && err != EINTR) {
            raise_os_error(vm, err, V_UNBOUND);
            return -1;
        }
        if (r > 0 && fds[count].revents) {
            if (is_main) platform_wake_drain(fds[count].fd);
            else asked = true; /* the VM ends */
            r--;
        }
        if (r > 0) return r;
        if (vm_attention(vm) || asked) {
            vm_poll(vm);
            if (raised(vm)) return -1;
        }
        if (end >= 0 && now_ns() >= end) return 0;
    }
}

/* None: for ever. `unit` ns each. */
static bool timeout_arg(vm *vm, value v, double unit, int64_t *ns)
{
    *ns = -1;
    if (value_is_unbound(v) || value_is_none(v)) return true;
    double d;
    if (!value_is_float(v) && !int_is(v)) {
        value f = obj_index(vm, v);
        if (value_is_error(f)) {
            exc_clear(vm);
            raise_type_error(vm, unit > 1e6 ? "timeout must be a float or None" : "timeout must be an integer or None");
            return false;
        }
        v = f;
    }
    if (!float_as_double(vm, v, &d)) return false;
    if (d < 0) *ns = -1;
    else *ns = d * unit > 9e18 ? INT64_MAX : (int64_t)(d * unit + 0.999999);
    return true;
}

/* ---- select() ---- */

/* A list and where its descriptors are among the polled ones. */
struct select_set {
    list *objects;
    size_t from;
};

static bool add_set(vm *vm, value seq, short events, struct select_set *s, struct pollfd **fds, size_t *count,
                    size_t *cap)
{
    list *l = obj_to_list(vm, seq);
    if (!l) {
        if (exc_clear_if(vm, EXC_TypeError)) raise_type_error(vm, "arguments 1-3 must be sequences");
        return false;
    }
    s->objects = l;
    s->from = *count;
    ROOTS(vm, &s->objects);
    for (size_t i = 0; i < s->objects->len; i++) {
        int fd = descriptor(vm, s->objects->items[i]);
        if (fd < 0) return false;
        if (*count + 1 >= *cap) {
            size_t ncap = *cap * 2;
            struct pollfd *p = mem_realloc(vm, *fds, *cap * sizeof *p, ncap * sizeof *p);
            if (!p) return false;
            *fds = p;
            *cap = ncap;
        }
        (*fds)[(*count)++] = (struct pollfd){fd, events, 0};
    }
    return true;
}

FN(s_select)
{
    static const short events[3] = {POLLIN, POLLOUT, POLLPRI};
    static const short found[3] = {POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI};
    size_t count = 0, cap = 16;
    int64_t ns;
    struct select_set sets[3] = {0};
    ROOTS(vm, &sets[0].objects, &sets[1].objects, &sets[2].objects);
    if (!timeout_arg(vm, args[3], 1e9, &ns)) return V_ERROR;
    if (ns < 0 && !value_is_unbound(args[3]) && !value_is_none(args[3]))
        return raise_value_error(vm, "timeout must be non-negative");
    struct pollfd *fds = mem_alloc(vm, cap * sizeof *fds);
    value result = V_ERROR;
    bool ok = fds;
    for (int i = 0; ok && i < 3; i++) ok = add_set(vm, args[i], events[i], &sets[i], &fds, &count, &cap);
    if (ok && wait_ready(vm, fds, count, ns) >= 0) {
        list *out[3] = {0};
        ROOTS(vm, &out[0], &out[1], &out[2]);
        for (int i = 0; ok && i < 3; i++) {
            ok = (out[i] = list_new(vm, 0)) != NULL;
            for (size_t k = 0; ok && k < sets[i].objects->len; k++) {
                short got = fds[sets[i].from + k].revents;
                if (got & POLLNVAL) {
                    raise_os_error(vm, EBADF, V_UNBOUND);
                    ok = false;
                } else if (got & found[i]) {
                    ok = list_append(vm, out[i], sets[i].objects->items[k]);
                }
            }
        }
        tuple *t = ok ? tuple_pack(vm, 3, value_obj(out[0]), value_obj(out[1]), value_obj(out[2])) : NULL;
        if (t) result = value_obj(t);
    }
    mem_free(vm, fds, cap * sizeof *fds);
    return result;
}

/* ---- poll objects ---- */

typedef struct poll_obj {
    object h;
    value *slots;
    dict *fds; /* fd -> events */
    bool busy;
} poll_obj;

static void poll_traverse(vm *vm, object *o)
{
    poll_obj *p = (poll_obj *)(void *)o;
    gc_mark_obj(vm, p->fds ? &p->fds->h : NULL);
}

static bool event_mask(vm *vm, value v, unsigned dflt, unsigned *out)
{
    int64_t x = dflt;
    if (!value_is_unbound(v) && !int_as_i64(vm, v, &x)) return false;
    if (x >= 0 && x <= UINT16_MAX) return *out = (unsigned)x, true;
    if (x < 0) raise_value_error(vm, "value must be positive");
    else raise_overflow(vm, "Python int too large to convert to C unsigned short");
    return false;
}
static bool poll_set(vm *vm, value *args, bool modify)
{
    poll_obj *p = AS(poll_obj, args[0]);
    unsigned events;
    int fd = descriptor(vm, args[1]);
    if (fd < 0 || !event_mask(vm, args[2], POLLIN | POLLPRI | POLLOUT, &events)) return false;
    if (modify && value_is_unbound(dict_get(vm, p->fds, value_int(fd)))) {
        raise_os_error(vm, ENOENT, V_UNBOUND);
        return false;
    }
    return dict_set(vm, p->fds, value_int(fd), value_int(events));
}
FN(poll_register) { return poll_set(vm, args, false) ? V_NONE : V_ERROR; }
FN(poll_modify) { return poll_set(vm, args, true) ? V_NONE : V_ERROR; }
FN(poll_unregister)
{
    int fd = descriptor(vm, args[1]);
    if (fd < 0) return V_ERROR;
    int r = dict_del(vm, AS(poll_obj, args[0])->fds, value_int(fd));
    return r > 0 ? V_NONE : r < 0 ? V_ERROR : raise_key_error(vm, value_int(fd));
}
FN(poll_poll)
{
    poll_obj *p = AS(poll_obj, args[0]);
    int64_t ns;
    if (!timeout_arg(vm, args[1], 1e6, &ns)) return V_ERROR;
    if (p->busy) return raise(vm, EXC_RuntimeError, "concurrent poll() invocation");
    size_t count = 0, pos = 0, cap = p->fds->used + 1, bytes;
    if (!size_mul(cap, sizeof(struct pollfd), &bytes)) return raise_memory(vm);
    struct pollfd *fds = mem_alloc(vm, bytes);
    if (!fds) return V_ERROR;
    value k, v;
    while (dict_next(p->fds, &pos, &k, &v))
        fds[count++] = (struct pollfd){(int)value_as_int(k), (short)value_as_int(v), 0};
    p->busy = true;
    int r = wait_ready(vm, fds, count, ns);
    p->busy = false;
    list *out = r < 0 ? NULL : list_new(vm, 0);
    ROOTS(vm, &out);
    for (size_t i = 0; out && i < count; i++) {
        if (!fds[i].revents) continue;
        tuple *t = tuple_pack(vm, 2, value_int(fds[i].fd), value_int((unsigned short)fds[i].revents));
        if (!t || !list_append(vm, out, value_obj(t))) out = NULL;
    }
    mem_free(vm, fds, bytes);
    return out ? value_obj(out) : V_ERROR;
}

static type *poll_type(vm *vm)
{
    static const native_def methods[] = {
        {"register(self, fd, eventmask=7, /)", poll_register,
         DOC("Register a file descriptor with the polling object."), 0},
        {"modify(self, fd, eventmask, /)", poll_modify, DOC("Modify an already registered file descriptor."), 0},
        {"unregister(self, fd, /)", poll_unregister,
         DOC("Remove a file descriptor being tracked by the polling object."), 0},
        {"poll(self, timeout=None, /)", poll_poll,
         DOC("Polls the set of registered file descriptors: a list of (fd, events)."), 0},
        {0},
    };
    static const type_layout layout = {.size = sizeof(poll_obj) - sizeof(userdata), .traverse = poll_traverse};
    static const type_spec spec = {
        "select.poll", "A set of descriptors to poll.", &layout, methods, NULL, 0, TF_IMMUTABLE, NULL};
    runtime *rt = runtime_of(vm);
    if (!rt->types[RT_POLL]) rt->types[RT_POLL] = type_from_spec(vm, &spec);
    return rt->types[RT_POLL];
}
FN(s_poll)
{
    type *t = poll_type(vm);
    poll_obj *p = t ? userdata_new(vm, t) : NULL;
    if (!p || !(p->fds = dict_new(vm))) return V_ERROR;
    return value_obj(p);
}

/* ---- epoll objects ---- */

typedef struct epoll_obj {
    object h;
    value *slots;
    int fd; /* + 1; 0: closed */
} epoll_obj;

static void epoll_free(vm *vm, object *o)
{
    epoll_obj *e = (epoll_obj *)(void *)o;
    if (!e->fd) return;
    fd_let_go(vm, e->fd - 1);
    close(e->fd - 1);
    e->fd = 0;
}
static int epoll_fd(vm *vm, value v)
{
    epoll_obj *e = AS(epoll_obj, v);
    if (e->fd) return e->fd - 1;
    raise_value_error(vm, "I/O operation on closed epoll object");
    return -1;
}
static value epoll_control(vm *vm, value *args, int op)
{
    int fd = epoll_fd(vm, args[0]) < 0 ? -1 : descriptor(vm, args[1]);
    int ep = fd < 0 ? -1 : epoll_fd(vm, args[0]); /* fileno() may have closed it */
    int64_t events = EPOLLIN | EPOLLPRI | EPOLLOUT;
    if (ep < 0) return V_ERROR;
    if (op != EPOLL_CTL_DEL && !value_is_unbound(args[2]) && !int_as_i64(vm, args[2], &events)) return V_ERROR;
    struct epoll_event e = {.events = (uint32_t)events, .data.fd = fd};
    return epoll_ctl(ep, op, fd, &e) < 0 ? raise_os_error(vm, errno, V_UNBOUND) : V_NONE;
}
FN(epoll_register) { return epoll_control(vm, args, EPOLL_CTL_ADD); }
FN(epoll_modify) { return epoll_control(vm, args, EPOLL_CTL_MOD); }
FN(epoll_unregister) { return epoll_control(vm, args, EPOLL_CTL_DEL); }
FN(epoll_poll)
{
    int64_t ns, max = -1;
    if (!timeout_arg(vm, args[1], 1e9, &ns) || (!value_is_unbound(args[2]) && !int_as_i64(vm, args[2], &max)))
        return V_ERROR;
    int ep = epoll_fd(vm, args[0]);
    if (ep < 0) return V_ERROR;
    if (max == -1) max = 1023;
    if (max < 1) return raise_value_error(vm, "maxevents must be greater than 0, got %ld", max);
    if (max > 65536) max = 65536;
    struct pollfd fds[2] = {{ep, POLLIN, 0}};
    if (wait_ready(vm, fds, 1, ns) < 0 || (ep = epoll_fd(vm, args[0])) < 0) return V_ERROR; /* closed meanwhile */
    size_t bytes = (size_t)max * sizeof(struct epoll_event);
    struct epoll_event *events = mem_alloc(vm, bytes);
    if (!events) return V_ERROR;
    int got = epoll_wait(ep, events, (int)max, 0);
    list *out = got < 0 ? NULL : list_new(vm, 0);
    if (got < 0) raise_os_error(vm, errno, V_UNBOUND);
    for (int i = 0; out && i < got; i++) {
        tuple *t = tuple_pack(vm, 2, value_int(events[i].data.fd), value_int(events[i].events));
        if (!t || !list_append(vm, out, value_obj(t))) out = NULL;
    }
    mem_free(vm, events, bytes);
    return out ? value_obj(out) : V_ERROR;
}
FN(epoll_close)
{
    epoll_free(vm, value_as_obj(args[0]));
    return V_NONE;
}
FN(epoll_fileno)
{
    int fd = epoll_fd(vm, args[0]);
    return fd < 0 ? V_ERROR : value_int(fd);
}
FN(epoll_enter) { return epoll_fd(vm, args[0]) < 0 ? V_ERROR : args[0]; }
static value epoll_closed(vm *vm, value self)
{
    (void)vm;
    return value_bool(!AS(epoll_obj, self)->fd);
}

static value epoll_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    if (!may_watch(vm)) return V_ERROR;
    value a[2];
    int64_t size = -1, flags = 0;
    if (!args_bind(vm, "epoll(sizehint=-1, flags=0)", args, n, kw, a)) return V_ERROR;
    if ((!value_is_unbound(a[0]) && !int_as_i64(vm, a[0], &size)) ||
        (!value_is_unbound(a[1]) && !int_as_i64(vm, a[1], &flags)))
        return V_ERROR;
    if (size < 1 && size != -1) return raise_value_error(vm, "negative sizehint");
    if (flags && flags != EPOLL_CLOEXEC) return raise_os_error(vm, EINVAL, V_UNBOUND);
    epoll_obj *e = userdata_new(vm, t);
    if (!e) return V_ERROR;
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) return raise_os_error(vm, errno, V_UNBOUND);
    if (!fd_take(vm, fd)) return V_ERROR;
    e->fd = fd + 1;
    return value_obj(e);
}
FN(epoll_fromfd)
{
    int fd = descriptor(vm, args[1]);
    if (fd == INT32_MAX) return raise_os_error(vm, EBADF, V_UNBOUND); /* none has this number */
    epoll_obj *e = fd < 0 ? NULL : userdata_new(vm, AS(type, args[0]));
    if (!e) return V_ERROR;
    e->fd = fd + 1;
    return value_obj(e);
}
static void epoll_fill(struct type_slots *s) { s->new_ = epoll_slot_new; }

static type *epoll_type(vm *vm)
{
    static const native_def methods[] = {
        {"register(self, fd, eventmask=7)", epoll_register, DOC("Registers a new fd."), 0},
        {"modify(self, fd, eventmask)", epoll_modify, DOC("Modify event mask for a registered file descriptor."), 0},
        {"unregister(self, fd)", epoll_unregister, DOC("Remove a registered file descriptor from the epoll object."),
         0},
        {"poll(self, timeout=None, maxevents=-1)", epoll_poll, DOC("Wait for events: a list of (fd, events)."), 0},
        {"close(self)", epoll_close, DOC("Close the epoll control file descriptor."), 0},
        {"fileno(self)", epoll_fileno, DOC("Return the epoll control file descriptor."), 0},
        {"fromfd(cls, fd, /)", epoll_fromfd, DOC("Create an epoll object from a given control fd."), NATIVE_CLASS},
        {"__enter__(self)", epoll_enter, NULL, 0},
        {"__exit__(self, exc_type=None, exc_value=None, exc_tb=None, /)", epoll_close, NULL, 0},
        {0},
    };
    static const getset_def getsets[] = {{"closed", epoll_closed, NULL, DOC("True if the epoll handler is closed")},
                                         {0}};
    static const type_layout layout = {.size = sizeof(epoll_obj) - sizeof(userdata), .free = epoll_free};
    static const type_spec spec = {"select.epoll", "An epoll set.", &layout, methods, getsets, 0,
                                   TF_IMMUTABLE,   epoll_fill};
    runtime *rt = runtime_of(vm);
    if (!rt->types[RT_EPOLL]) rt->types[RT_EPOLL] = type_from_spec(vm, &spec);
    return rt->types[RT_EPOLL];
}

/* ---- the module ---- */

bool select_module_init(vm *vm, module *m)
{
    static const native_def functions[] = {
        {"select(rlist, wlist, xlist, timeout=None, /)", s_select,
         DOC("Wait until one or more file descriptors are ready for some kind of I/O."), 0},
        {"poll()", s_poll, DOC("Returns a polling object."), 0},
        {0},
    };
    static const struct {
        const char *name;
        int64_t number;
    } numbers[] = {
#define C(NAME) {#NAME, NAME}
        C(POLLIN),          C(POLLPRI),        C(POLLOUT),
        C(POLLERR),         C(POLLHUP),        C(POLLNVAL),
        C(POLLRDNORM),      C(POLLRDBAND),     C(POLLWRNORM),
        C(POLLWRBAND),      C(POLLMSG),        C(POLLRDHUP),
        C(EPOLLIN),         C(EPOLLOUT),       C(EPOLLPRI),
        C(EPOLLERR),        C(EPOLLHUP),       C(EPOLLRDHUP),
        C(EPOLLONESHOT),    C(EPOLLEXCLUSIVE), C(EPOLLRDNORM),
        C(EPOLLRDBAND),     C(EPOLLWRNORM),    C(EPOLLWRBAND),
        C(EPOLLMSG),        C(EPOLL_CLOEXEC),  {"EPOLLET", (int64_t)EPOLLET},
        {"PIPE_BUF", 4096},
#undef C
    };
    ROOTS(vm, &m);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!module_add(vm, m, numbers[i].name, value_int(numbers[i].number))) return false;
    type *t = epoll_type(vm);
    return t && poll_type(vm) && module_add(vm, m, "epoll", value_obj(t)) &&
           module_add(vm, m, "error", value_obj(EXC_T(vm, OSError))) && module_add_natives(vm, m, functions);
}
