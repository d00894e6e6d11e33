/* Capabilities: the check. */
#include "caps.h"

#include <errno.h>

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
