/* What a VM may reach of the machine: capabilities, granted one by one. The command grants all of them; a sandbox none.
 * Every native that touches files, the network, ... asks first: `if (!cap_require(vm, CAP_NET)) return V_ERROR;`. */
#ifndef AIO_CAPS_H
#define AIO_CAPS_H

#include "vm.h"

enum capability {
    CAP_FS = 1,       /* open, stat, listdir, ...: whatever names a file */
    CAP_NET = 2,      /* sockets */
    CAP_DNS = 4,      /* name look-ups */
    CAP_PROCESS = 8,  /* starting and signalling processes */
    CAP_ENV = 16,     /* environment variables, user and host names */
    CAP_SIGNALS = 32, /* signal handlers */
    CAP_THREADS = 64, /* OS threads */
    CAP_ALL = 127
};

bool cap_require(vm *vm, enum capability cap); /* false: raised PermissionError "... not granted to this VM" */

/* A descriptor is about to be opened for a script: false: raised OSError (EMFILE), the VM's limit is reached. Else it
 * counts until fd_gone. */
bool fd_admit(vm *vm);
static inline void fd_gone(vm *vm)
{
    if (vm->nfds) vm->nfds--;
}
/* Descriptors that no object owns: os.open, os.pipe, dup, detach. false: raised as above, and fd is closed. Whoever
 * closes a descriptor that may be one of them, or hands it to an object that counts by itself, says so. */
bool fd_take(vm *vm, int fd);
bool fd_is_taken(const vm *vm, int fd);
void fd_let_go(vm *vm, int fd);
void fd_close_all(vm *vm); /* the VM is freed: what its scripts have forgotten is closed */

#endif
