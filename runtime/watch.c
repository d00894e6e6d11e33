/* loop.add_reader(), add_writer(), remove_reader(), remove_writer(): descriptors of the script's own. */
#include "runtime/poller.h"
#include "vm/attr.h"
#include "vm/caps.h"
#include "vm/native.h"

static int invalid_object(vm *vm, value v)
{
    value exc = exc_take(vm);
    if (!value_is_unbound(exc) && !value_isa_id(vm, exc, EXC_AttributeError) && !value_isa_id(vm, exc, EXC_TypeError) &&
        !value_isa_id(vm, exc, EXC_ValueError)) {
        vm->thread->exc = exc;
        return -1;
    }
    raise_value_error(vm, "Invalid file object: %R", v);
    return -1;
}

int fd_argument(vm *vm, value v)
{
    value given = v;
    ROOTS(vm, &given);
    int64_t fd;
    /* a number may be anybody's descriptor: not for those who can have none */
    if (!(vm->caps & (CAP_FS | CAP_NET | CAP_PROCESS)) && !cap_require(vm, CAP_NET)) return -1;
    if (!int_is(v)) {
        v = vm_call_method(vm, v, str_intern_utf8(vm, "fileno", 6), NULL, 0);
        if (value_is_error(v)) return invalid_object(vm, given);
        if (!int_is(v)) v = obj_index(vm, v);
        if (value_is_error(v)) return invalid_object(vm, given);
    }
    if (int_to_i64(vm, v, &fd) && fd >= 0 && fd <= INT32_MAX) return (int)fd;
    raise_value_error(vm, "Invalid file descriptor: %S", v);
    return -1;
}

/* The descriptor, if no transport of the loop has it; -1 raised. */
static int free_fd(vm *vm, loop *l, value v)
{
    ROOTS(vm, &v, &l);
    int fd = fd_argument(vm, v);
    if (fd < 0) return -1;
    value owner = poller_owner(l, fd);
    if (value_is_unbound(owner)) return fd;
    raise(vm, EXC_RuntimeError, "File descriptor %R is used by transport %R", v, owner);
    return -1;
}

/* Gives the handle, which is cancelled when another callback takes its place. */
static value add(vm *vm, const char *who, value *a, uint32_t n, value kw, enum poll_bits what)
{
    if (!value_is_unbound(kw)) return raise_type_error(vm, "%s() takes no keyword arguments", who);
    if (n < 3)
        return raise_type_error(vm, "%s() missing %d required positional argument%s: %s", who, 3 - (int)n,
                                n == 2 ? "" : "s", n == 2 ? "'callback'" : "'fd' and 'callback'");
    loop *l = AS(loop, a[0]);
    int fd = free_fd(vm, l, a[1]);
    if (fd < 0 || !loop_check_open(vm, l)) return V_ERROR;
    handle *h = handle_new(vm, l, a[2], a + 3, n - 3, V_UNBOUND, 0, false);
    ROOTS(vm, &h);
    return h && poller_add(vm, l, fd, what, value_obj(h)) ? value_obj(h) : V_ERROR;
}
static value remove_watch(vm *vm, value *a, enum poll_bits what)
{
    loop *l = AS(loop, a[0]);
    int fd = free_fd(vm, l, a[1]);
    return fd < 0 ? V_ERROR : value_bool(poller_remove(vm, l, fd, what));
}

value loop_add_reader(vm *vm, value *a, uint32_t n, value kw)
{
    return value_is_error(add(vm, "BaseSelectorEventLoop.add_reader", a, n, kw, POLL_READ)) ? V_ERROR : V_NONE;
}
value loop_add_writer(vm *vm, value *a, uint32_t n, value kw)
{
    return value_is_error(add(vm, "BaseSelectorEventLoop.add_writer", a, n, kw, POLL_WRITE)) ? V_ERROR : V_NONE;
}
value loop_add_reader_handle(vm *vm, value *a, uint32_t n, value kw)
{
    return add(vm, "BaseSelectorEventLoop._add_reader", a, n, kw, POLL_READ);
}
value loop_add_writer_handle(vm *vm, value *a, uint32_t n, value kw)
{
    return add(vm, "BaseSelectorEventLoop._add_writer", a, n, kw, POLL_WRITE);
}
value loop_remove_reader(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return remove_watch(vm, a, POLL_READ);
}
value loop_remove_writer(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return remove_watch(vm, a, POLL_WRITE);
}
