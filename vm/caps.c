/* Capabilities: the check. */
#include "caps.h"

#include <errno.h>
#include <unistd.h>

static const char *cap_name(enum capability cap)
{
    switch (cap) {
    case CAP_FS: return "the file system";
    case CAP_NET: return "the network";
    case CAP_DNS: return "name look-ups";
    case CAP_PROCESS: return "processes";
    case CAP_ENV: return "the environment";
    case CAP_SIGNALS: return "signal handlers";
    default: return "threads";
    }
}

bool cap_require(vm *vm, enum capability cap)
{
    if (LIKELY(vm->caps & cap)) return true;
    raise(vm, EXC_PermissionError, "access to %s is not granted to this VM", cap_name(cap));
    return false;
}

bool fd_admit(vm *vm)
{
    if (UNLIKELY(vm->limits.fds && vm->nfds >= vm->limits.fds)) {
        raise_os_error(vm, EMFILE, V_UNBOUND);
        return false;
    }
    vm->nfds++;
    return true;
}

bool fd_is_taken(const vm *vm, int fd)
{
    uint32_t word = (uint32_t)fd / 64;
    return fd >= 0 && word < vm->nbare_fds && (vm->bare_fds[word] >> (fd & 63) & 1);
}

bool fd_take(vm *vm, int fd)
{
    uint32_t word = (uint32_t)fd / 64;
    if (fd < 0 || fd_is_taken(vm, fd)) return true;
    if (!fd_admit(vm)) {
        close(fd);
        return false;
    }
    if (word >= vm->nbare_fds) {
        size_t old = vm->nbare_fds * sizeof(uint64_t), size = ((size_t)word + 1) * sizeof(uint64_t);
        uint64_t *p = mem_realloc(vm, vm->bare_fds, old, size);
        if (!p) {
            fd_gone(vm);
            close(fd);
            return false;
        }
        memset((char *)p + old, 0, size - old);
        vm->bare_fds = p;
        vm->nbare_fds = word + 1;
    }
    vm->bare_fds[word] |= UINT64_C(1) << (fd & 63);
    return true;
}

void fd_let_go(vm *vm, int fd)
{
    if (!fd_is_taken(vm, fd)) return;
    vm->bare_fds[fd / 64] &= ~(UINT64_C(1) << (fd & 63));
    fd_gone(vm);
}

void fd_close_all(vm *vm)
{
    for (uint32_t i = 0; i < vm->nbare_fds * 64; i++)
        if (fd_is_taken(vm, (int)i)) close((int)i);
    mem_free(vm, vm->bare_fds, vm->nbare_fds * sizeof(uint64_t));
    vm->bare_fds = NULL;
    vm->nbare_fds = 0;
}
