/* The module posix: file descriptors. */
#include "posix.h"

#include "structseq.h"
#include "vm/lock.h"
#include "vm/buffer.h"
#include "vm/bytes.h"

#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define DOC_FILE stdlib_posix_fd
DOC_BEGIN;

#define FD(ARG) \
    int fd;     \
    if (!posix_fd(vm, ARG, &fd)) return V_ERROR
#define FILENO(ARG) \
    int fd;         \
    if (!posix_fileno(vm, ARG, &fd)) return V_ERROR
enum { IO_MAX = 0x7ffff000 }; /* what Linux moves at once */

/* In a thread other than the main one a call that waits could not be ended with the VM: so it waits for the descriptor,
 * and then does what can be done at once. */
static bool waits_apart(vm *vm, int fd)
{
    if (thread_is_main(vm, vm->thread)) return false;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && !(flags & O_NONBLOCK);
}

/* Until fd is ready. What can't be polled is. false: raised. */
static bool wait_for(vm *vm, int fd, short events)
{
    while (thread_wait_fd(vm, fd, events, -1) == 0) {
        vm_poll(vm);
        if (raised(vm)) return false;
    }
    return true;
}

/* n bytes at most, from `at` (-1: from the position). */
static value read_some(vm *vm, int fd, int64_t n, int64_t at)
{
    if (n < 0) {
        errno = EINVAL;
        return posix_error(vm);
    }
    if (n > IO_MAX) n = IO_MAX;
    uint8_t *p = mem_alloc(vm, n ? (size_t)n : 1);
    if (!p) return V_ERROR;
    ssize_t got = -1;
    bool apart = at < 0 && waits_apart(vm, fd);
    while (!apart || wait_for(vm, fd, POLLIN)) {
        vm_unlock(vm);
        got = apart ? thread_read_now(fd, p, (size_t)n) : at < 0 ? read(fd, p, (size_t)n) : pread(fd, p, (size_t)n, at);
        int err = errno;
        vm_lock(vm);
        errno = err;
        if (got >= 0 || (err != EINTR && (err != EAGAIN || !apart))) break;
        vm_poll(vm);
        if (raised(vm)) break;
    }
    value v = V_ERROR;
    if (got >= 0) {
        bytes *b = bytes_new(vm, p, (size_t)got);
        if (b) v = value_obj(b);
    } else if (!raised(vm)) {
        posix_error(vm);
    }
    mem_free(vm, p, n ? (size_t)n : 1);
    return v;
}

FN(p_read)
{
    int64_t n;
    FD(args[0]);
    return posix_i64(vm, args[1], &n) ? read_some(vm, fd, n, -1) : V_ERROR;
}
FN(p_pread)
{
    int64_t n, at;
    FD(args[0]);
    if (!posix_i64(vm, args[1], &n) || !posix_i64(vm, args[2], &at)) return V_ERROR;
    if (at < 0) {
        errno = EINVAL;
        return posix_error(vm);
    }
    return read_some(vm, fd, n, at);
}

static value write_some(vm *vm, int fd, value data, int64_t at)
{
    const buffer_ops *ops;
    const uint8_t *p;
    size_t n;
    if (!buffer_need(vm, data, &p, &n)) return V_ERROR;
    if (n > IO_MAX) n = IO_MAX;
    ROOTS(vm, &data);
    ops = buffer_ops_of(vm, data);
    if (ops && ops->pin) ops->pin(value_as_obj(data), 1); /* it stays where it is */
    /* a thread writes to a pipe in pieces that never block, so that the VM can end meanwhile */
    struct stat st;
    bool apart = at < 0 && waits_apart(vm, fd);
    bool pieces = apart && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode);
    ssize_t done = -1;
    size_t written = 0;
    while (!apart || wait_for(vm, fd, POLLOUT)) {
        size_t size = pieces && n - written > PIPE_BUF ? PIPE_BUF : n - written;
        vm_unlock(vm);
        done = apart    ? thread_write_now(fd, p + written, size)
               : at < 0 ? write(fd, p + written, size)
                        : pwrite(fd, p, n, at);
        int err = errno;
        vm_lock(vm);
        errno = err;
        if (done > 0) written += (size_t)done;
        if (done > 0 && pieces && written < n) continue;
        if (done >= 0 || (err != EINTR && (err != EAGAIN || !apart))) break;
        vm_poll(vm);
        if (raised(vm)) break;
    }
    int err = errno;
    if (ops && ops->pin) ops->pin(value_as_obj(data), -1);
    errno = err;
    if (raised(vm)) return V_ERROR;
    return done >= 0 || written ? int_from_i64(vm, (int64_t)written) : posix_error(vm);
}
FN(p_write)
{
    FD(args[0]);
    return write_some(vm, fd, args[1], -1);
}
FN(p_pwrite)
{
    int64_t at;
    FD(args[0]);
    return posix_i64(vm, args[2], &at) ? write_some(vm, fd, args[1], at < 0 ? INT64_MAX : at) : V_ERROR;
}

FN(p_close)
{
    FD(args[0]);
    fd_let_go(vm, fd);
    return close(fd) < 0 && errno != EINTR ? posix_error(vm) : V_NONE;
}
FN(p_closerange)
{
    int to;
    FD(args[0]);
    if (!args_int(vm, args[1], 0, &to)) return V_ERROR;
    if (fd < 0) fd = 0;
    for (int i = fd; i < to && (uint32_t)i / 64 < vm->nbare_fds; i++) fd_let_go(vm, i);
    if (fd < to) close_range((unsigned)fd, (unsigned)to - 1, 0);
    return V_NONE;
}
FN(p_dup)
{
    FD(args[0]);
    int to = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (to < 0) return posix_error(vm);
    return fd_take(vm, to) ? value_int(to) : V_ERROR;
}
FN(p_dup2)
{
    int to;
    bool inheritable;
    FD(args[0]);
    if (!args_int(vm, args[1], 0, &to) || !posix_flag(vm, args[2], true, &inheritable)) return V_ERROR;
    bool others = fcntl(to, F_GETFD) >= 0 && !fd_is_taken(vm, to); /* the host's, or an object's, stays so */
    int rc = inheritable || fd == to ? dup2(fd, to) : dup3(fd, to, O_CLOEXEC);
    if (rc < 0) return posix_error(vm);
    return others || fd == to || fd_take(vm, rc) ? value_int(rc) : V_ERROR;
}
/* Two new descriptors, which count from now on; closed if they are too many. */
static value fd_pair(vm *vm, const int *fds)
{
    if (!fd_take(vm, fds[0])) return close(fds[1]), V_ERROR;
    if (!fd_take(vm, fds[1])) return fd_let_go(vm, fds[0]), close(fds[0]), V_ERROR;
    tuple *t = tuple_pack(vm, 2, value_int(fds[0]), value_int(fds[1]));
    return t ? value_obj(t) : V_ERROR;
}
static value pipe_pair(vm *vm, int flags)
{
    int fds[2];
    if (!cap_require(vm, CAP_FS)) return V_ERROR;
    if (pipe2(fds, flags) < 0) return posix_error(vm);
    return fd_pair(vm, fds);
}
FN(p_pipe) { return pipe_pair(vm, O_CLOEXEC); }
/* The master end of a new pseudo-terminal, then its slave. */
FN(p_openpty)
{
    char name[64];
    if (!cap_require(vm, CAP_FS)) return V_ERROR;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave = -1;
    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof name) == 0)
        slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave >= 0) return fd_pair(vm, (int[2]){master, slave});
    value failed = posix_error(vm);
    if (master >= 0) close(master);
    return failed;
}
FN(p_pipe2)
{
    int flags;
    return args_int(vm, args[0], 0, &flags) ? pipe_pair(vm, flags) : V_ERROR;
}
FN(p_lseek)
{
    int64_t at;
    int whence;
    FD(args[0]);
    if (!posix_i64(vm, args[1], &at) || !args_int(vm, args[2], 0, &whence)) return V_ERROR;
    off_t r = lseek(fd, at, whence);
    return r < 0 ? posix_error(vm) : int_from_i64(vm, r);
}
FN(p_isatty)
{
    FD(args[0]);
    return value_bool(isatty(fd));
}
FN(p_ttyname)
{
    char name[256];
    FD(args[0]);
    int err = ttyname_r(fd, name, sizeof name);
    errno = err;
    return err ? posix_error(vm) : posix_name(vm, name, strlen(name), false);
}
FN(p_fsync)
{
    int rc;
    FILENO(args[0]);
    POSIX_BLOCKING(rc, fsync(fd));
    return posix_result(vm, rc);
}
FN(p_fdatasync)
{
    int rc;
    FILENO(args[0]);
    POSIX_BLOCKING(rc, fdatasync(fd));
    return posix_result(vm, rc);
}
FN(p_fchdir)
{
    FILENO(args[0]);
    return posix_result(vm, fchdir(fd));
}
FN(p_ftruncate)
{
    int64_t n;
    FD(args[0]);
    return posix_i64(vm, args[1], &n) ? posix_result(vm, ftruncate(fd, n)) : V_ERROR;
}
FN(p_fchmod)
{
    int mode;
    FD(args[0]);
    return args_int(vm, args[1], 0, &mode) ? posix_result(vm, fchmod(fd, (mode_t)mode)) : V_ERROR;
}
FN(p_fchown)
{
    uint32_t uid, gid;
    FD(args[0]);
    if (!posix_id(vm, args[1], "uid", &uid) || !posix_id(vm, args[2], "gid", &gid)) return V_ERROR;
    return posix_result(vm, fchown(fd, uid, gid));
}
FN(p_get_blocking)
{
    FD(args[0]);
    int fl = fcntl(fd, F_GETFL);
    return fl < 0 ? posix_error(vm) : value_bool(!(fl & O_NONBLOCK));
}
FN(p_set_blocking)
{
    bool on;
    FD(args[0]);
    if (!posix_flag(vm, args[1], true, &on)) return V_ERROR;
    int fl = fcntl(fd, F_GETFL);
    if (fl < 0) return posix_error(vm);
    return posix_result(vm, fcntl(fd, F_SETFL, on ? fl & ~O_NONBLOCK : fl | O_NONBLOCK));
}
FN(p_get_inheritable)
{
    FD(args[0]);
    int fl = fcntl(fd, F_GETFD);
    return fl < 0 ? posix_error(vm) : value_bool(!(fl & FD_CLOEXEC));
}
FN(p_set_inheritable)
{
    bool on;
    FD(args[0]);
    if (!posix_flag(vm, args[1], true, &on)) return V_ERROR;
    return posix_result(vm, fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC));
}
FN(p_sendfile)
{
    int in;
    int64_t at, count;
    off_t offset;
    ssize_t n;
    FD(args[0]);
    if (!args_int(vm, args[1], 0, &in) || !posix_i64(vm, args[3], &count)) return V_ERROR;
    bool given = !value_is_none(args[2]);
    if (given && !posix_i64(vm, args[2], &at)) return V_ERROR;
    offset = given ? at : 0;
    POSIX_BLOCKING(n, sendfile(fd, in, given ? &offset : NULL, (size_t)count));
    return n < 0 ? posix_error(vm) : int_from_i64(vm, n);
}
FN(p_lockf)
{
    int command, rc;
    int64_t n;
    FD(args[0]);
    if (!args_int(vm, args[1], 0, &command) || !posix_i64(vm, args[2], &n)) return V_ERROR;
    POSIX_BLOCKING(rc, lockf(fd, command, n));
    return posix_result(vm, rc);
}

static const getset_def size_fields[] = {
    STRUCTSEQ_FIELD(0, "columns", "width of the terminal window in characters"),
    STRUCTSEQ_FIELD(1, "lines", "height of the terminal window in characters"),
    {0},
};
static const structseq_spec size_spec = {"os.terminal_size",
                                         "A tuple of (columns, lines) for holding terminal window size", size_fields};

FN(p_terminal_size)
{
    int fd;
    struct winsize w;
    if (!cap_require(vm, CAP_FS) || !args_int(vm, args[0], STDOUT_FILENO, &fd)) return V_ERROR;
    if (ioctl(fd, TIOCGWINSZ, &w) < 0) return posix_error(vm);
    value v[2] = {value_int(w.ws_col), value_int(w.ws_row)};
    return structseq_new(vm, module_state_type(vm, STATE_TERMINAL_SIZE), v);
}

static const native_def functions[] = {
    {"read(fd, length, /)", p_read, DOC("Read from a file descriptor.  Returns a bytes object."), 0},
    {"pread(fd, length, offset, /)", p_pread, DOC("Read from a file descriptor at an offset."), 0},
    {"write(fd, data, /)", p_write, DOC("Write a bytes object to a file descriptor."), 0},
    {"pwrite(fd, buffer, offset, /)", p_pwrite, DOC("Write bytes to a file descriptor at an offset."), 0},
    {"close(fd)", p_close, DOC("Close a file descriptor."), 0},
    {"closerange(fd_low, fd_high, /)", p_closerange,
     DOC("Closes all file descriptors in [fd_low, fd_high), ignoring errors."), 0},
    {"dup(fd, /)", p_dup, DOC("Return a duplicate of a file descriptor."), 0},
    {"dup2(fd, fd2, inheritable=True)", p_dup2, DOC("Duplicate file descriptor."), 0},
    {"pipe()", p_pipe, DOC("Create a pipe: (read_fd, write_fd)."), 0},
    {"openpty()", p_openpty, DOC("Open a pseudo-terminal: (master_fd, slave_fd)."), 0},
    {"pipe2(flags, /)", p_pipe2, DOC("Create a pipe with flags set atomically."), 0},
    {"lseek(fd, position, how, /)", p_lseek, DOC("Set the position of a file descriptor.  Return the new position."),
     0},
    {"isatty(fd, /)", p_isatty, DOC("Return True if the fd is connected to a terminal."), 0},
    {"ttyname(fd, /)", p_ttyname, DOC("Return the name of the terminal device connected to 'fd'."), 0},
    {"fsync(fd)", p_fsync, DOC("Force write of fd to disk."), 0},
    {"fdatasync(fd)", p_fdatasync, DOC("Force write of fd to disk without forcing update of metadata."), 0},
    {"fchdir(fd)", p_fchdir, DOC("Change to the directory of the given file descriptor."), 0},
    {"ftruncate(fd, length, /)", p_ftruncate,
     DOC("Truncate a file, specified by file descriptor, to a specific length."), 0},
    {"fchmod(fd, mode)", p_fchmod, DOC("Change the access permissions of the file given by file descriptor fd."), 0},
    {"fchown(fd, uid, gid)", p_fchown, DOC("Change the owner and group id of the file specified by file descriptor."),
     0},
    {"get_blocking(fd, /)", p_get_blocking, DOC("Get the blocking mode of the file descriptor."), 0},
    {"set_blocking(fd, blocking, /)", p_set_blocking, DOC("Set the blocking mode of the specified file descriptor."),
     0},
    {"get_inheritable(fd, /)", p_get_inheritable, DOC("Get the close-on-exe flag of the specified file descriptor."),
     0},
    {"set_inheritable(fd, inheritable, /)", p_set_inheritable,
     DOC("Set the inheritable flag of the specified file descriptor."), 0},
    {"sendfile(out_fd, in_fd, offset, count)", p_sendfile, DOC("Copy count bytes from in_fd to out_fd."), 0},
    {"lockf(fd, command, length, /)", p_lockf, DOC("Apply, test or remove a POSIX lock on an open file descriptor."),
     0},
    {"get_terminal_size(fd=STDOUT_FILENO, /)", p_terminal_size,
     DOC("Return the size of the terminal window as (columns, lines)."), 0},
    {0},
};

bool posix_fd_add(vm *vm, module *m)
{
    type *t = module_state_type(vm, STATE_TERMINAL_SIZE);
    ROOTS(vm, &m);
    if (!t && (!(t = structseq_type(vm, &size_spec)) || !module_state_set(vm, STATE_TERMINAL_SIZE, value_obj(t))))
        return false;
    return module_add(vm, m, "terminal_size", value_obj(t)) && module_add_natives(vm, m, functions);
}
