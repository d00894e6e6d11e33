/* The module _subprocess: starting a child process, for subprocess and asyncio.
 *
 * Between vfork and exec the child runs in the parent's memory: it calls only what is safe there, and touches nothing
 * of the VM. With a preexec_fn, which is script, the child is a real copy (fork). What goes wrong in the child is
 * written to a pipe that exec closes. */
#define raise libc_raise /* ours has that name */
#include <signal.h>
#include <sys/wait.h>
#undef raise

#include "posix.h"
#include "vm/abstract.h"
#include "vm/file.h"
#include "vm/list.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define DOC_FILE stdlib_mod_subprocess
DOC_BEGIN;

enum stage { STAGE_EXEC, STAGE_CWD, STAGE_PREEXEC, STAGE_OTHER };

/* All that the child needs, made before it is. */
struct spawn {
    char **argv, **env, **paths; /* paths: what to try to execute, in order */
    const char *cwd;
    const int *keep; /* descriptors to leave open, ascending */
    size_t nkeep;
    bool close_fds, new_session, restore_signals;
    int fds[3]; /* what 0, 1 and 2 are to be; -1: as they are */
    int error_fd;
    int64_t group, gid, uid, umask; /* -1: as they are */
    gid_t *groups;
    int ngroups;   /* -1: as they are */
    sigset_t mask; /* of the parent before */
};
struct failure {
    int stage, err;
};

/* ---- in the child ---- */

static void close_others(const struct spawn *s)
{
    int from = 3;
    for (size_t i = 0; i <= s->nkeep; i++) {
        int upto = i < s->nkeep ? s->keep[i] : INT_MAX;
        if (upto > from) {
            unsigned last = i < s->nkeep ? (unsigned)upto - 1 : ~0u;
            if (syscall(SYS_close_range, (unsigned)from, last,
                        4 /* CLOSE_RANGE_CLOEXEC: the error pipe is still needed */) < 0) {
                long max = sysconf(_SC_OPEN_MAX);
                for (int fd = from; fd < upto && fd < max; fd++)
                    if (fd != s->error_fd) close(fd);
            }
        }
        if (upto >= from && upto < INT_MAX) from = upto + 1;
    }
}

/* The three standard descriptors, even when they are given in each other's place. */
static bool place_fds(const struct spawn *s)
{
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = s->fds[i];
        /* One that a later dup2 would overwrite is moved out of the way. */
        if (fds[i] >= 0 && fds[i] < i && (fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3)) < 0) return false;
    }
    for (int i = 0; i < 3; i++)
        for (int k = i + 1; k < 3; k++)
            if (fds[k] == i && (fds[k] = fcntl(fds[k], F_DUPFD_CLOEXEC, 3)) < 0) return false;
    for (int i = 0; i < 3; i++) {
        if (fds[i] < 0) continue;
        if (fds[i] == i) {
            int flags = fcntl(i, F_GETFD);
            if (flags < 0 || fcntl(i, F_SETFD, flags & ~FD_CLOEXEC) < 0) return false;
        } else if (dup2(fds[i], i) < 0) {
            return false;
        }
    }
    return true;
}

static bool set_up(const struct spawn *s, int *stage)
{
    *stage = STAGE_OTHER;
    if (!place_fds(s)) return false;
    if (s->cwd) {
        *stage = STAGE_CWD;
        if (chdir(s->cwd) < 0) return false;
        *stage = STAGE_OTHER;
    }
    if (s->umask >= 0) umask((mode_t)s->umask);
    struct sigaction dflt = {.sa_handler = SIG_DFL};
    if (s->restore_signals) {
        sigaction(SIGPIPE, &dflt, NULL);
        sigaction(SIGXFSZ, &dflt, NULL);
    }
    if (s->new_session && setsid() < 0) return false;
    if (s->group >= 0 && setpgid(0, (pid_t)s->group) < 0) return false;
    if (s->ngroups >= 0 && syscall(SYS_setgroups, s->ngroups, s->groups) < 0) return false;
    if (s->gid >= 0 && syscall(SYS_setregid, (gid_t)s->gid, (gid_t)s->gid) < 0) return false;
    if (s->uid >= 0 && syscall(SYS_setreuid, (uid_t)s->uid, (uid_t)s->uid) < 0) return false;
    return true;
}

/* Handlers of the parent's must not run in its memory on the child's behalf. */
static void reset_handlers(void)
{
    struct sigaction dflt = {.sa_handler = SIG_DFL}, now;
    for (int n = 1; n < _NSIG; n++)
        if (sigaction(n, NULL, &now) == 0 && now.sa_handler != SIG_IGN && now.sa_handler != SIG_DFL)
            sigaction(n, &dflt, NULL);
}

static bool run_preexec(vm *vm, value fn)
{
    if (vm->hooks.forked) vm->hooks.forked(vm);
    value v = vm_call0(vm, fn);
    files_flush_all(vm);
    return !value_is_error(v);
}

/* Never returns to its caller in the child but to fail. */
static void child(vm *vm, const struct spawn *s, value preexec)
{
    struct failure f = {STAGE_OTHER, 0};
    reset_handlers();
    bool ok = set_up(s, &f.stage);
    if (ok && !value_is_unbound(preexec)) {
        f.stage = STAGE_PREEXEC;
        ok = run_preexec(vm, preexec);
    }
    if (ok) {
        f.stage = STAGE_EXEC;
        for (size_t i = 0; i < s->nkeep; i++) fcntl(s->keep[i], F_SETFD, 0);
        if (s->close_fds) close_others(s);
        sigprocmask(SIG_SETMASK, &s->mask, NULL);
        int first = 0;
        for (size_t i = 0; s->paths[i]; i++) {
            if (s->env) execve(s->paths[i], s->argv, s->env);
            else execv(s->paths[i], s->argv);
            if (errno != ENOENT && errno != ENOTDIR && !first) first = errno;
        }
        if (first) errno = first;
    }
    f.err = errno;
    ssize_t done = write(s->error_fd, &f, sizeof f);
    (void)done;
    syscall(SYS_exit_group, 255);
}

/* ---- in the parent ---- */

static int int_compare_c(const void *a, const void *b)
{
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static bool arg_i64(vm *vm, value v, int64_t *out)
{
    *out = -1;
    return value_is_unbound(v) || value_is_none(v) || int_as_i64(vm, v, out);
}

/* Sequence of ints to an array in one block; NULL raised. */
static int *int_array(vm *vm, value seq, size_t *n, size_t *size)
{
    tuple *t = obj_to_tuple(vm, seq);
    if (!t || !size_mul(t->len + 1, sizeof(int), size)) return t ? (raise_memory(vm), NULL) : NULL;
    int *out = mem_alloc(vm, *size);
    for (size_t i = 0; out && i < t->len; i++) {
        int64_t x;
        if (!int_as_i64(vm, t->items[i], &x) || x < 0 || x > INT_MAX) {
            if (!raised(vm)) raise_value_error(vm, "bad value(s) in fds_to_keep");
            mem_free(vm, out, *size);
            return NULL;
        }
        out[i] = (int)x;
    }
    *n = t->len;
    if (out) qsort(out, t->len, sizeof *out, int_compare_c);
    return out;
}

/* pid, or an errno value negated; *f tells what failed in the child. */
static int64_t start(vm *vm, struct spawn *s, value preexec, struct failure *f)
{
    int fds[2];
    *f = (struct failure){STAGE_OTHER, 0};
    if (pipe2(fds, O_CLOEXEC) < 0) return -errno;
    s->error_fd = fds[1];
    if (fds[1] < 3) { /* it must not be in the place of a standard descriptor */
        s->error_fd = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
        int err = errno;
        close(fds[1]);
        if (s->error_fd < 0) {
            close(fds[0]);
            return -err;
        }
    }
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &s->mask);
    pid_t pid = value_is_unbound(preexec) ? vfork() : fork();
    if (pid == 0) child(vm, s, preexec);
    int err = errno;
    pthread_sigmask(SIG_SETMASK, &s->mask, NULL);
    close(s->error_fd);
    ssize_t got = 0;
    if (pid > 0) {
        vm_unlock(vm);
        do got = read(fds[0], f, sizeof *f);
        while (got < 0 && errno == EINTR);
        if (got == sizeof *f)
            while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
            }
        vm_lock(vm);
    }
    close(fds[0]);
    if (pid < 0) return -err;
    return got == sizeof *f ? 0 : pid;
}

/* spawn(args, paths, cwd, env, fds, pass_fds, close_fds, restore_signals, start_new_session, process_group, gid,
 * groups, uid, umask, preexec_fn): the pid, or a tuple (stage, errno) of what failed in the child. */
FN(p_spawn)
{
    struct spawn s = {.ngroups = -1};
    size_t argv_size = 0, paths_size = 0, env_size = 0, keep_size = 0, groups_size = 0, ngroups = 0;
    int *keep = NULL, *groups = NULL;
    posix_path *cwd = NULL;
    value result = V_ERROR;
    if (!cap_require(vm, CAP_PROCESS)) return V_ERROR;
    tuple *fds = obj_to_tuple(vm, args[4]);
    if (!fds || fds->len != 3) return fds ? raise_value_error(vm, "three descriptors are needed") : V_ERROR;
    for (int i = 0; i < 3; i++) {
        int64_t fd;
        if (!int_as_i64(vm, fds->items[i], &fd)) return V_ERROR;
        s.fds[i] = (int)fd;
    }
    if (!arg_i64(vm, args[9], &s.group) || !arg_i64(vm, args[10], &s.gid) || !arg_i64(vm, args[12], &s.uid) ||
        !arg_i64(vm, args[13], &s.umask))
        return V_ERROR;
    int truth[3];
    for (int i = 0; i < 3; i++)
        if ((truth[i] = obj_truth(vm, args[6 + i])) < 0) return V_ERROR;
    s.close_fds = truth[0];
    s.restore_signals = truth[1];
    s.new_session = truth[2];
    if (!value_is_none(args[2])) {
        if (!(cwd = mem_alloc(vm, sizeof *cwd))) return V_ERROR;
        if (!posix_path_arg(vm, args[2], "chdir", "path", 0, cwd)) goto out;
        s.cwd = cwd->s;
    }
    if (!(s.argv = posix_strings(vm, args[0], &argv_size)) || !(s.paths = posix_strings(vm, args[1], &paths_size)))
        goto out;
    if (!value_is_none(args[3]) && !(s.env = posix_strings(vm, args[3], &env_size))) goto out;
    if (!(keep = int_array(vm, args[5], &s.nkeep, &keep_size))) goto out;
    s.keep = keep;
    if (!value_is_none(args[11])) {
        if (!(groups = int_array(vm, args[11], &ngroups, &groups_size))) goto out;
        s.groups = (gid_t *)groups; /* both 32 bits */
        s.ngroups = (int)ngroups;
    }
    files_flush_all(vm);
    struct failure f;
    int64_t pid = start(vm, &s, value_is_none(args[14]) ? V_UNBOUND : args[14], &f);
    if (pid > 0) {
        result = value_int(pid);
    } else if (pid < 0) {
        raise_os_error(vm, (int)-pid, V_UNBOUND);
    } else {
        tuple *t = tuple_pack(vm, 2, value_int(f.stage), value_int(f.err));
        if (t) result = value_obj(t);
    }
out:
    if (groups) mem_free(vm, groups, groups_size);
    if (keep) mem_free(vm, keep, keep_size);
    if (s.env) mem_free(vm, s.env, env_size);
    if (s.paths) mem_free(vm, s.paths, paths_size);
    if (s.argv) mem_free(vm, s.argv, argv_size);
    if (cwd) mem_free(vm, cwd, sizeof *cwd);
    return result;
}

FN(p_terminal_output)
{
    int fd;
    const file_terminal *t = file_state_of(vm)->terminal;
    if (!args_int(vm, args[0], 0, &fd)) return V_ERROR;
    return value_int(t && t->child && (fd == 1 || fd == 2) ? t->child(t->ud, fd) : -1);
}

static const native_def functions[] = {
    {"terminal_output(fd, /)", p_terminal_output,
     DOC("What a child of the loop's is to write to in place of 1 or 2, where a prompt is on the terminal; or -1."), 0},
    {"spawn(args, paths, cwd, env, fds, pass_fds, close_fds, restore_signals, start_new_session, process_group, gid, "
     "groups, uid, umask, "
     "preexec_fn, /)",
     p_spawn, DOC("Start a process: its pid, or (stage, errno) of what failed in it."), 0},
    {0},
};

bool subprocess_init(vm *vm, module *m) { return module_add_natives(vm, m, functions); }
