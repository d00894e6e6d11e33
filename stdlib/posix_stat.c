/* The module posix: what is known of a file and of a file system, as named tuples. */
#include "posix.h"

#include "structseq.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define DOC_FILE stdlib_posix_stat
DOC_BEGIN;

static const getset_def stat_fields[] = {
    STRUCTSEQ_FIELD(0, "st_mode", "protection bits"),
    STRUCTSEQ_FIELD(1, "st_ino", "inode"),
    STRUCTSEQ_FIELD(2, "st_dev", "device"),
    STRUCTSEQ_FIELD(3, "st_nlink", "number of hard links"),
    STRUCTSEQ_FIELD(4, "st_uid", "user ID of owner"),
    STRUCTSEQ_FIELD(5, "st_gid", "group ID of owner"),
    STRUCTSEQ_FIELD(6, "st_size", "total size, in bytes"),
    /* As items these are whole seconds; the names mean the floats below. */
    STRUCTSEQ_FIELD(7, "st_atime", "integer time of last access"),
    STRUCTSEQ_FIELD(8, "st_mtime", "integer time of last modification"),
    STRUCTSEQ_FIELD(9, "st_ctime", "integer time of last change"),
    STRUCTSEQ_HIDDEN(0, "st_atime", "time of last access"),
    STRUCTSEQ_HIDDEN(1, "st_mtime", "time of last modification"),
    STRUCTSEQ_HIDDEN(2, "st_ctime", "time of last change"),
    STRUCTSEQ_HIDDEN(3, "st_atime_ns", "time of last access in nanoseconds"),
    STRUCTSEQ_HIDDEN(4, "st_mtime_ns", "time of last modification in nanoseconds"),
    STRUCTSEQ_HIDDEN(5, "st_ctime_ns", "time of last change in nanoseconds"),
    STRUCTSEQ_HIDDEN(6, "st_blksize", "blocksize for filesystem I/O"),
    STRUCTSEQ_HIDDEN(7, "st_blocks", "number of blocks allocated"),
    STRUCTSEQ_HIDDEN(8, "st_rdev", "device type (if inode device)"),
    {0},
};
static const getset_def statvfs_fields[] = {
    STRUCTSEQ_FIELD(0, "f_bsize", NULL),   STRUCTSEQ_FIELD(1, "f_frsize", NULL), STRUCTSEQ_FIELD(2, "f_blocks", NULL),
    STRUCTSEQ_FIELD(3, "f_bfree", NULL),   STRUCTSEQ_FIELD(4, "f_bavail", NULL), STRUCTSEQ_FIELD(5, "f_files", NULL),
    STRUCTSEQ_FIELD(6, "f_ffree", NULL),   STRUCTSEQ_FIELD(7, "f_favail", NULL), STRUCTSEQ_FIELD(8, "f_flag", NULL),
    STRUCTSEQ_FIELD(9, "f_namemax", NULL), STRUCTSEQ_HIDDEN(0, "f_fsid", NULL),  {0},
};
static const structseq_spec stat_spec = {"os.stat_result", "What stat, fstat and lstat tell.", stat_fields};
static const structseq_spec statvfs_spec = {"os.statvfs_result", "What statvfs and fstatvfs tell.", statvfs_fields};

static type *seq_type(vm *vm, enum module_state_id id, const structseq_spec *spec)
{
    type *t = module_state_type(vm, id);
    if (t) return t;
    t = structseq_type(vm, spec);
    return t && module_state_set(vm, id, value_obj(t)) ? t : NULL;
}

static value seq_make(vm *vm, type *t, const value *v, int n)
{
    for (int i = 0; i < n; i++)
        if (value_is_error(v[i])) return V_ERROR;
    return t ? structseq_new(vm, t, v) : V_ERROR;
}

static value stat_value(vm *vm, const struct stat *st)
{
    const struct timespec *times[] = {&st->st_atim, &st->st_mtim, &st->st_ctim};
    value v[19] = {int_from_u64(vm, st->st_mode),  int_from_u64(vm, st->st_ino), int_from_u64(vm, st->st_dev),
                   int_from_u64(vm, st->st_nlink), int_from_u64(vm, st->st_uid), int_from_u64(vm, st->st_gid),
                   int_from_i64(vm, st->st_size)};
    for (int i = 0; i < 3; i++) {
        int64_t sec = times[i]->tv_sec, ns = times[i]->tv_nsec;
        v[7 + i] = int_from_i64(vm, sec);
        v[10 + i] = value_float((double)sec + 1e-9 * (double)ns);
        /* Dates beyond 2262 have no 64 bits of nanoseconds. */
        value big = int_binary(vm, OPR_MUL, int_from_i64(vm, sec), value_int(1000000000));
        v[13 + i] = value_is_error(big) ? big : int_binary(vm, OPR_ADD, big, value_int(ns));
    }
    v[16] = int_from_i64(vm, st->st_blksize);
    v[17] = int_from_i64(vm, st->st_blocks);
    v[18] = int_from_u64(vm, st->st_rdev);
    return seq_make(vm, seq_type(vm, STATE_STAT_RESULT, &stat_spec), v, 19);
}

static value stat_path(vm *vm, value path, const char *func, value dir_fd, bool follow)
{
    posix_path p;
    struct stat st;
    int dir;
    if (!posix_dirfd(vm, dir_fd, &dir) || !posix_path_arg(vm, path, func, "path", follow ? PATH_FD : 0, &p))
        return V_ERROR;
    int rc = p.fd >= 0 ? fstat(p.fd, &st) : fstatat(dir, p.s, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW);
    return rc < 0 ? posix_path_error(vm, &p) : stat_value(vm, &st);
}

FN(p_stat)
{
    bool follow;
    if (!posix_flag(vm, args[2], true, &follow)) return V_ERROR;
    return stat_path(vm, args[0], "stat", args[1], follow);
}
FN(p_lstat) { return stat_path(vm, args[0], "lstat", args[1], false); }
FN(p_fstat)
{
    int fd;
    struct stat st;
    if (!posix_fd(vm, args[0], &fd)) return V_ERROR;
    return fstat(fd, &st) < 0 ? posix_error(vm) : stat_value(vm, &st);
}

/* What is at the path, for the tests of os.path: the bits of st_mode, or -1. Raises what is no OSError. */
static int64_t path_mode(vm *vm, value path, const char *func, bool follow)
{
    posix_path p;
    struct stat st;
    if (!posix_path_arg(vm, path, func, "path", PATH_FD, &p)) {
        if (!exc_clear_if(vm, EXC_OSError)) exc_clear_if(vm, EXC_ValueError);
        return -1;
    }
    int rc = p.fd >= 0 ? fstat(p.fd, &st) : fstatat(AT_FDCWD, p.s, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW);
    return rc < 0 ? -1 : (int64_t)st.st_mode;
}
static value mode_is(vm *vm, int64_t mode, mode_t kind)
{
    return raised(vm) ? V_ERROR : value_bool(mode >= 0 && (!kind || (mode & S_IFMT) == kind));
}
FN(p_exists) { return mode_is(vm, path_mode(vm, args[0], "stat", true), 0); }
FN(p_lexists) { return mode_is(vm, path_mode(vm, args[0], "lstat", false), 0); }
FN(p_isdir) { return mode_is(vm, path_mode(vm, args[0], "stat", true), S_IFDIR); }
FN(p_isfile) { return mode_is(vm, path_mode(vm, args[0], "stat", true), S_IFREG); }
FN(p_islink) { return mode_is(vm, path_mode(vm, args[0], "lstat", false), S_IFLNK); }

FN(p_statvfs)
{
    posix_path p;
    struct statvfs st;
    if (!posix_path_arg(vm, args[0], "statvfs", "path", PATH_FD, &p)) return V_ERROR;
    if ((p.fd >= 0 ? fstatvfs(p.fd, &st) : statvfs(p.s, &st)) < 0) return posix_path_error(vm, &p);
    value v[11] = {int_from_u64(vm, st.f_bsize),   int_from_u64(vm, st.f_frsize), int_from_u64(vm, st.f_blocks),
                   int_from_u64(vm, st.f_bfree),   int_from_u64(vm, st.f_bavail), int_from_u64(vm, st.f_files),
                   int_from_u64(vm, st.f_ffree),   int_from_u64(vm, st.f_favail), int_from_u64(vm, st.f_flag),
                   int_from_u64(vm, st.f_namemax), int_from_u64(vm, st.f_fsid)};
    return seq_make(vm, seq_type(vm, STATE_STATVFS_RESULT, &statvfs_spec), v, 11);
}

FN(p_major)
{
    int64_t n;
    return posix_i64(vm, args[0], &n) ? value_int(major((dev_t)n)) : V_ERROR;
}
FN(p_minor)
{
    int64_t n;
    return posix_i64(vm, args[0], &n) ? value_int(minor((dev_t)n)) : V_ERROR;
}

static const native_def functions[] = {
    {"stat(path, *, dir_fd=None, follow_symlinks=True)", p_stat, DOC("Perform a stat system call on the given path."),
     0},
    {"lstat(path, *, dir_fd=None)", p_lstat, DOC("Perform a stat system call, without following symbolic links."), 0},
    {"fstat(fd)", p_fstat, DOC("Perform a stat system call on the given file descriptor."), 0},
    {"statvfs(path)", p_statvfs, DOC("Perform a statvfs system call on the given path."), 0},
    {"fstatvfs(fd, /)", p_statvfs, DOC("Perform an fstatvfs system call on the given fd."), 0},
    {"_exists(path)", p_exists, DOC("Test whether a path exists."), 0},
    {"_lexists(path)", p_lexists, DOC("Test whether a path exists; a broken link does."), 0},
    {"_isdir(path)", p_isdir, DOC("Test whether a path is a directory."), 0},
    {"_isfile(path)", p_isfile, DOC("Test whether a path is a regular file."), 0},
    {"_islink(path)", p_islink, DOC("Test whether a path is a symbolic link."), 0},
    {"major(device, /)", p_major, DOC("Extracts a device major number from a raw device number."), 0},
    {"minor(device, /)", p_minor, DOC("Extracts a device minor number from a raw device number."), 0},
    {0},
};

bool posix_stat_add(vm *vm, module *m)
{
    type *t = seq_type(vm, STATE_STAT_RESULT, &stat_spec);
    ROOTS(vm, &m);
    if (!t || !module_add(vm, m, "stat_result", value_obj(t))) return false;
    t = seq_type(vm, STATE_STATVFS_RESULT, &statvfs_spec);
    return t && module_add(vm, m, "statvfs_result", value_obj(t)) && module_add_natives(vm, m, functions);
}
