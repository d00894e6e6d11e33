/* The parts of the module posix: what os says to the operating system.
 *
 * Paths are copied to the C stack, so that nothing of the heap is held while the VM's lock is given up. */
#ifndef AIO_STDLIB_POSIX_H
#define AIO_STDLIB_POSIX_H

#include "module_state.h"
#include "vm/caps.h"
#include "vm/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

typedef struct posix_path {
    value given; /* as the script gave it: for errors */
    int fd;      /* a descriptor in the place of a path, or -1 */
    bool bytes;  /* names are to be given back as bytes */
    char s[PATH_MAX + 1];
} posix_path;

enum { PATH_FD = 1, PATH_NONE = 2 };

/* `func`: "mkdir"; `arg`: "path". false: raised, also when CAP_FS is not granted. */
bool posix_path_arg(vm *vm, value v, const char *func, const char *arg, int allow, posix_path *p);
bool posix_dirfd(vm *vm, value v, int *fd);  /* None and unbound: AT_FDCWD */
bool posix_fd(vm *vm, value v, int *fd);     /* an int; asks for CAP_FS */
bool posix_fileno(vm *vm, value v, int *fd); /* an int, or has fileno() */
bool posix_flag(vm *vm, value v, bool dflt, bool *out);
bool posix_i64(vm *vm, value v, int64_t *out);
bool posix_id(vm *vm, value v, const char *what, uint32_t *out); /* a "uid" or "gid"; -1: none */
value posix_error(vm *vm);                                       /* OSError of errno */
value posix_path_error(vm *vm, const posix_path *p);
value posix_path_error2(vm *vm, const posix_path *a, const posix_path *b);
value posix_name(vm *vm, const char *s, size_t n, bool as_bytes); /* a name from the system */
value posix_result(vm *vm, int rc);                               /* None, or the OSError */

/* A NULL-ended array of C strings from a sequence of str and bytes, in one block of *size bytes for mem_free; NULL
 * raised. */
char **posix_strings(vm *vm, value seq, size_t *size);

/* RESULT = CALL without the VM's lock, again after signals; leaves the native when a handler raised. */
#define POSIX_BLOCKING(RESULT, CALL)                 \
    for (;;) {                                       \
        vm_unlock(vm);                               \
        (RESULT) = (CALL);                           \
        int error_ = errno;                          \
        vm_lock(vm);                                 \
        errno = error_;                              \
        if ((RESULT) >= 0 || error_ != EINTR) break; \
        vm_poll(vm);                                 \
        if (raised(vm)) return V_ERROR;              \
    }

bool posix_file_add(vm *vm, module *m);    /* posix_file.c: what takes paths */
bool posix_stat_add(vm *vm, module *m);    /* posix_stat.c */
bool posix_fd_add(vm *vm, module *m);      /* posix_fd.c: descriptors */
bool posix_process_add(vm *vm, module *m); /* posix_process.c: processes and the system */

#endif
