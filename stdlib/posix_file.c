/* The module posix: functions that name files and folders. */
#include "posix.h"

#include "vm/list.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#define DOC_FILE stdlib_posix_file
DOC_BEGIN;

/* The path in args[0], as most functions take it. */
#define PATH(FUNC) \
    posix_path p;  \
    if (!posix_path_arg(vm, args[0], FUNC, "path", 0, &p)) return V_ERROR
#define DIR_FD(ARG) \
    int dir;        \
    if (!posix_dirfd(vm, ARG, &dir)) return V_ERROR
#define PATH_RESULT(CALL) return (CALL) < 0 ? posix_path_error(vm, &p) : V_NONE

static value list_dir(vm *vm, value path, bool entries)
{
    posix_path p;
    if (!posix_path_arg(vm, path, entries ? "scandir" : "listdir", "path", PATH_FD | PATH_NONE, &p)) return V_ERROR;
    DIR *dir;
    if (!fd_admit(vm)) return V_ERROR;
    fd_gone(vm); /* none is open any more when this returns */
    if (p.fd >= 0) {
        int fd = fcntl(p.fd, F_DUPFD_CLOEXEC, 0);
        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir && fd >= 0) {
            int err = errno;
            close(fd);
            errno = err;
        }
        if (dir) rewinddir(dir);
    } else {
        dir = opendir(p.s);
    }
    if (!dir) return posix_path_error(vm, &p);
    list *l = list_new(vm, 0);
    bool ok = l;
    struct dirent *e = NULL;
    while (ok && (errno = 0, e = readdir(dir))) {
        const char *s = e->d_name;
        if (s[0] == '.' && (!s[1] || (s[1] == '.' && !s[2]))) continue;
        value name = posix_name(vm, s, strlen(s), p.bytes);
        if (!value_is_error(name) && entries) {
            value inode = int_from_u64(vm, e->d_ino);
            tuple *t = value_is_error(inode) ? NULL : tuple_pack(vm, 3, name, value_int(e->d_type), inode);
            name = t ? value_obj(t) : V_ERROR;
        }
        ok = !value_is_error(name) && list_append(vm, l, name);
    }
    int err = errno;
    closedir(dir);
    if (!ok) return V_ERROR;
    errno = err;
    return err ? posix_path_error(vm, &p) : value_obj(l);
}

FN(p_listdir) { return list_dir(vm, args[0], false); }
FN(p_scandir) { return list_dir(vm, args[0], true); }

FN(p_mkdir)
{
    int mode;
    PATH("mkdir");
    DIR_FD(args[2]);
    if (!args_int(vm, args[1], 0777, &mode)) return V_ERROR;
    PATH_RESULT(mkdirat(dir, p.s, (mode_t)mode));
}
FN(p_rmdir)
{
    PATH("rmdir");
    DIR_FD(args[1]);
    PATH_RESULT(unlinkat(dir, p.s, AT_REMOVEDIR));
}
FN(p_unlink)
{
    PATH("unlink");
    DIR_FD(args[1]);
    PATH_RESULT(unlinkat(dir, p.s, 0));
}
FN(p_remove)
{
    PATH("remove");
    DIR_FD(args[1]);
    PATH_RESULT(unlinkat(dir, p.s, 0));
}

static value rename_file(vm *vm, value *args, const char *name)
{
    posix_path p, q;
    int from, to;
    if (!posix_path_arg(vm, args[0], name, "src", 0, &p) || !posix_path_arg(vm, args[1], name, "dst", 0, &q) ||
        !posix_dirfd(vm, args[2], &from) || !posix_dirfd(vm, args[3], &to))
        return V_ERROR;
    return renameat(from, p.s, to, q.s) < 0 ? posix_path_error2(vm, &p, &q) : V_NONE;
}
FN(p_rename) { return rename_file(vm, args, "rename"); }
FN(p_replace) { return rename_file(vm, args, "replace"); }

FN(p_link)
{
    posix_path p, q;
    int from, to;
    bool follow;
    if (!posix_path_arg(vm, args[0], "link", "src", 0, &p) || !posix_path_arg(vm, args[1], "link", "dst", 0, &q) ||
        !posix_dirfd(vm, args[2], &from) || !posix_dirfd(vm, args[3], &to) || !posix_flag(vm, args[4], true, &follow))
        return V_ERROR;
    /* As CPython, which calls plain link(): a symbolic link is not followed on Linux. */
    bool plain = from == AT_FDCWD && to == AT_FDCWD;
    int rc = linkat(from, p.s, to, q.s, follow && !plain ? AT_SYMLINK_FOLLOW : 0);
    return rc < 0 ? posix_path_error2(vm, &p, &q) : V_NONE;
}

FN(p_symlink)
{
    posix_path p, q;
    DIR_FD(args[3]);
    if (!posix_path_arg(vm, args[0], "symlink", "src", 0, &p) || !posix_path_arg(vm, args[1], "symlink", "dst", 0, &q))
        return V_ERROR;
    return symlinkat(p.s, dir, q.s) < 0 ? posix_path_error2(vm, &p, &q) : V_NONE;
}

FN(p_readlink)
{
    char to[PATH_MAX + 1];
    PATH("readlink");
    DIR_FD(args[1]);
    ssize_t n = readlinkat(dir, p.s, to, sizeof to);
    return n < 0 ? posix_path_error(vm, &p) : posix_name(vm, to, (size_t)n, p.bytes);
}

FN(p_access)
{
    int mode;
    bool effective, follow;
    PATH("access");
    DIR_FD(args[2]);
    if (!args_int(vm, args[1], 0, &mode) || !posix_flag(vm, args[3], false, &effective) ||
        !posix_flag(vm, args[4], true, &follow))
        return V_ERROR;
    int flags = (effective ? AT_EACCESS : 0) | (follow ? 0 : AT_SYMLINK_NOFOLLOW);
    return value_bool(faccessat(dir, p.s, mode, flags) == 0);
}

FN(p_chmod)
{
    posix_path p;
    int mode;
    bool follow;
    DIR_FD(args[2]);
    if (!posix_path_arg(vm, args[0], "chmod", "path", PATH_FD, &p) || !args_int(vm, args[1], 0, &mode) ||
        !posix_flag(vm, args[3], true, &follow))
        return V_ERROR;
    PATH_RESULT(p.fd >= 0 ? fchmod(p.fd, (mode_t)mode)
                          : fchmodat(dir, p.s, (mode_t)mode, follow ? 0 : AT_SYMLINK_NOFOLLOW));
}

FN(p_chown)
{
    posix_path p;
    uint32_t uid, gid;
    bool follow;
    DIR_FD(args[3]);
    if (!posix_path_arg(vm, args[0], "chown", "path", PATH_FD, &p) || !posix_id(vm, args[1], "uid", &uid) ||
        !posix_id(vm, args[2], "gid", &gid) || !posix_flag(vm, args[4], true, &follow))
        return V_ERROR;
    PATH_RESULT(p.fd >= 0 ? fchown(p.fd, uid, gid) : fchownat(dir, p.s, uid, gid, follow ? 0 : AT_SYMLINK_NOFOLLOW));
}

FN(p_chdir)
{
    posix_path p;
    if (!posix_path_arg(vm, args[0], "chdir", "path", PATH_FD, &p)) return V_ERROR;
    PATH_RESULT(p.fd >= 0 ? fchdir(p.fd) : chdir(p.s));
}

static value current_dir(vm *vm, bool as_bytes)
{
    char s[PATH_MAX + 1];
    if (!cap_require(vm, CAP_FS)) return V_ERROR;
    return getcwd(s, sizeof s) ? posix_name(vm, s, strlen(s), as_bytes) : posix_error(vm);
}
FN(p_getcwd) { return current_dir(vm, false); }
FN(p_getcwdb) { return current_dir(vm, true); }

FN(p_open)
{
    int flags, mode, fd;
    PATH("open");
    DIR_FD(args[3]);
    if (!args_int(vm, args[1], 0, &flags) || !args_int(vm, args[2], 0777, &mode)) return V_ERROR;
    POSIX_BLOCKING(fd, openat(dir, p.s, flags | O_CLOEXEC, (mode_t)mode));
    if (fd < 0) return posix_path_error(vm, &p);
    return fd_take(vm, fd) ? value_int(fd) : V_ERROR;
}

FN(p_truncate)
{
    posix_path p;
    int64_t n;
    if (!posix_path_arg(vm, args[0], "truncate", "path", PATH_FD, &p) || !posix_i64(vm, args[1], &n)) return V_ERROR;
    PATH_RESULT(p.fd >= 0 ? ftruncate(p.fd, n) : truncate(p.s, n));
}

FN(p_mkfifo)
{
    int mode;
    PATH("mkfifo");
    DIR_FD(args[2]);
    if (!args_int(vm, args[1], 0666, &mode)) return V_ERROR;
    PATH_RESULT(mkfifoat(dir, p.s, (mode_t)mode));
}

/* A time in seconds, to be rounded down to nanoseconds. */
static bool time_seconds(vm *vm, value v, struct timespec *ts)
{
    int64_t n;
    if (int_is(v)) {
        if (!posix_i64(vm, v, &n)) return false;
        ts->tv_sec = n;
        ts->tv_nsec = 0;
        return true;
    }
    double d, whole;
    if (!float_as_double(vm, v, &d)) return false;
    whole = __builtin_floor(d);
    if (!(whole > -9.2e18 && whole < 9.2e18)) {
        raise_overflow(vm, "timestamp out of range for platform time_t");
        return false;
    }
    ts->tv_sec = (time_t)whole;
    ts->tv_nsec = (long)__builtin_floor((d - whole) * 1e9);
    return true;
}

static bool time_ns(vm *vm, value v, struct timespec *ts)
{
    int64_t n;
    if (!posix_i64(vm, v, &n)) return false;
    ts->tv_sec = n / 1000000000;
    ts->tv_nsec = n % 1000000000;
    if (ts->tv_nsec < 0) {
        ts->tv_nsec += 1000000000;
        ts->tv_sec--;
    }
    return true;
}

FN(p_utime)
{
    posix_path p;
    struct timespec ts[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    bool follow, times = !value_is_unbound(args[1]) && !value_is_none(args[1]);
    bool ns = !value_is_unbound(args[2]);
    DIR_FD(args[3]);
    if (!posix_path_arg(vm, args[0], "utime", "path", PATH_FD, &p) || !posix_flag(vm, args[4], true, &follow))
        return V_ERROR;
    if (times && ns) return raise_value_error(vm, "utime: you may specify either 'times' or 'ns' but not both");
    value pair = times ? args[1] : args[2];
    if (times || ns) {
        if (!IS_TUPLE(pair) || AS(tuple, pair)->len != 2)
            return raise_type_error(vm, times ? "utime: 'times' must be either a tuple of two ints or None"
                                              : "utime: 'ns' must be a tuple of two ints");
        for (int i = 0; i < 2; i++) {
            value v = AS(tuple, pair)->items[i];
            if (!(times ? time_seconds(vm, v, ts + i) : time_ns(vm, v, ts + i))) return V_ERROR;
        }
    }
    PATH_RESULT(p.fd >= 0 ? futimens(p.fd, ts) : utimensat(dir, p.s, ts, follow ? 0 : AT_SYMLINK_NOFOLLOW));
}

static const native_def functions[] = {
    {"listdir(path=None)", p_listdir, DOC("Return a list of the names of the files in the directory."), 0},
    {"_scandir(path=None)", p_scandir, DOC("A list of (name, type, inode)."), 0},
    {"mkdir(path, mode=511, *, dir_fd=None)", p_mkdir, DOC("Create a directory."), 0},
    {"rmdir(path, *, dir_fd=None)", p_rmdir, DOC("Remove a directory."), 0},
    {"unlink(path, *, dir_fd=None)", p_unlink, DOC("Remove a file."), 0},
    {"remove(path, *, dir_fd=None)", p_remove, DOC("Remove a file."), 0},
    {"rename(src, dst, *, src_dir_fd=None, dst_dir_fd=None)", p_rename, DOC("Rename a file or directory."), 0},
    {"replace(src, dst, *, src_dir_fd=None, dst_dir_fd=None)", p_replace,
     DOC("Rename a file or directory, overwriting the destination."), 0},
    {"link(src, dst, *, src_dir_fd=None, dst_dir_fd=None, follow_symlinks=True)", p_link,
     DOC("Create a hard link to a file."), 0},
    {"symlink(src, dst, target_is_directory=False, *, dir_fd=None)", p_symlink,
     DOC("Create a symbolic link pointing to src named dst."), 0},
    {"readlink(path, *, dir_fd=None)", p_readlink, DOC("Return the path to which the symbolic link points."), 0},
    {"access(path, mode, *, dir_fd=None, effective_ids=False, follow_symlinks=True)", p_access,
     DOC("Use the real uid/gid to test for access to a path."), 0},
    {"chmod(path, mode, *, dir_fd=None, follow_symlinks=True)", p_chmod,
     DOC("Change the access permissions of a file."), 0},
    {"chown(path, uid, gid, *, dir_fd=None, follow_symlinks=True)", p_chown,
     DOC("Change the owner and group id of path."), 0},
    {"chdir(path)", p_chdir, DOC("Change the current working directory to the specified path."), 0},
    {"getcwd()", p_getcwd, DOC("Return the current working directory."), 0},
    {"getcwdb()", p_getcwdb, DOC("Return the current working directory as bytes."), 0},
    {"open(path, flags, mode=511, *, dir_fd=None)", p_open, DOC("Open a file for low level IO."), 0},
    {"truncate(path, length)", p_truncate, DOC("Truncate a file to a specific length."), 0},
    {"mkfifo(path, mode=438, *, dir_fd=None)", p_mkfifo, DOC("Create a FIFO (a named pipe)."), 0},
    {"utime(path, times=None, *, ns=None, dir_fd=None, follow_symlinks=True)", p_utime,
     DOC("Set the access and modified time of path."), 0},
    {0},
};

bool posix_file_add(vm *vm, module *m) { return module_add_natives(vm, m, functions); }
