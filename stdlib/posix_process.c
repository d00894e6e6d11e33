/* The module posix: processes, users, and the machine itself. */
#define raise libc_raise /* ours has that name */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#undef raise

#include "posix.h"

#include "structseq.h"
#include "vm/lock.h"
#include "vm/bytes.h"
#include "vm/codec.h"
#include "vm/file.h"
#include "vm/list.h"

#include <sched.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/utsname.h>

#define DOC_FILE stdlib_posix_process
DOC_BEGIN;

extern char **environ;

#define INT_ARG(NAME, ARG) \
    int NAME;              \
    if (!args_int(vm, ARG, 0, &NAME)) return V_ERROR
#define PROCESS_CAP \
    if (!cap_require(vm, CAP_PROCESS)) return V_ERROR
static value int_result(vm *vm, int64_t rc) { return rc < 0 ? posix_error(vm) : int_from_i64(vm, rc); }

/* ---- processes ---- */

FN(p_pidfd_open)
{
    int64_t pid, flags = 0;
    if (!int_as_i64(vm, args[0], &pid) || (!value_is_unbound(args[1]) && !int_as_i64(vm, args[1], &flags)) ||
        !cap_require(vm, CAP_PROCESS))
        return V_ERROR;
    long fd = syscall(SYS_pidfd_open, (pid_t)pid, (unsigned)flags);
    if (fd < 0) return posix_error(vm);
    return fd_take(vm, (int)fd) ? value_int(fd) : V_ERROR;
}

/* Who and where the host is: for those who may see the environment or start processes. */
static bool may_know(vm *vm) { return (vm->caps & (CAP_PROCESS | CAP_ENV)) || cap_require(vm, CAP_ENV); }
#define KNOW_CAP \
    if (!may_know(vm)) return V_ERROR

/* Too common to fail: log records have it, and names of temporary files. */
FN(p_getpid) { return value_int(vm->caps & (CAP_PROCESS | CAP_ENV) ? getpid() : 1); }
FN(p_getppid) { return may_know(vm) ? value_int(getppid()) : V_ERROR; }
FN(p_getuid) { return may_know(vm) ? value_int(getuid()) : V_ERROR; }
FN(p_geteuid) { return may_know(vm) ? value_int(geteuid()) : V_ERROR; }
FN(p_getgid) { return may_know(vm) ? value_int(getgid()) : V_ERROR; }
FN(p_getegid) { return may_know(vm) ? value_int(getegid()) : V_ERROR; }
FN(p_getpgrp) { return may_know(vm) ? value_int(getpgrp()) : V_ERROR; }
FN(p_getpgid)
{
    KNOW_CAP;
    INT_ARG(pid, args[0]);
    return int_result(vm, getpgid(pid));
}
FN(p_getsid)
{
    KNOW_CAP;
    INT_ARG(pid, args[0]);
    return int_result(vm, getsid(pid));
}
FN(p_setsid)
{
    PROCESS_CAP;
    return posix_result(vm, setsid());
}
FN(p_setpgid)
{
    PROCESS_CAP;
    INT_ARG(pid, args[0]);
    INT_ARG(group, args[1]);
    return posix_result(vm, setpgid(pid, group));
}
FN(p_getgroups)
{
    KNOW_CAP;
    gid_t ids[1024];
    int n = getgroups(1024, ids);
    list *l = list_new(vm, 0);
    if (n < 0) return posix_error(vm);
    for (int i = 0; l && i < n; i++)
        if (!list_append(vm, l, value_int(ids[i]))) return V_ERROR;
    return l ? value_obj(l) : V_ERROR;
}
FN(p_getlogin)
{
    char name[256];
    if (!cap_require(vm, CAP_ENV)) return V_ERROR;
    int err = getlogin_r(name, sizeof name);
    errno = err;
    return err ? posix_error(vm) : posix_name(vm, name, strlen(name), false);
}
FN(p_umask)
{
    PROCESS_CAP;
    INT_ARG(mask, args[0]);
    return value_int(umask((mode_t)mask));
}
FN(p_nice)
{
    PROCESS_CAP;
    INT_ARG(by, args[0]);
    errno = 0;
    int r = nice(by);
    return r == -1 && errno ? posix_error(vm) : value_int(r);
}
FN(p_getpriority)
{
    KNOW_CAP;
    INT_ARG(which, args[0]);
    INT_ARG(who, args[1]);
    errno = 0;
    int r = getpriority((unsigned)which, (id_t)who);
    return r == -1 && errno ? posix_error(vm) : value_int(r);
}
FN(p_kill)
{
    PROCESS_CAP;
    INT_ARG(pid, args[0]);
    INT_ARG(sig, args[1]);
    if (kill(pid, sig) < 0) return posix_error(vm);
    if (vm_attention(vm)) vm_poll(vm); /* a signal to ourselves is handled at once */
    return raised(vm) ? V_ERROR : V_NONE;
}
FN(p_killpg)
{
    PROCESS_CAP;
    INT_ARG(group, args[0]);
    INT_ARG(sig, args[1]);
    return posix_result(vm, killpg(group, sig));
}

static value wait_result(vm *vm, int pid, int status)
{
    tuple *t = tuple_pack(vm, 2, value_int(pid), value_int(status));
    return t ? value_obj(t) : V_ERROR;
}
FN(p_waitpid)
{
    int status = 0, r;
    PROCESS_CAP;
    INT_ARG(pid, args[0]);
    INT_ARG(options, args[1]);
    if (!(options & WNOHANG) && !vm_blocking(vm, "waiting for a process", "await asyncio.create_subprocess_exec()"))
        return V_ERROR;
    /* in a thread the VM may end meanwhile */
    int fd = pid > 0 && !(options & (WNOHANG | WUNTRACED | WCONTINUED)) && !thread_is_main(vm, vm->thread)
                 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0u)
                 : -1;
    while (fd >= 0 && !raised(vm) && thread_wait_fd(vm, fd, POLLIN, -1) == 0) vm_poll(vm);
    if (fd >= 0) close(fd);
    if (raised(vm)) return V_ERROR;
    POSIX_BLOCKING(r, waitpid(pid, &status, options));
    return r < 0 ? posix_error(vm) : wait_result(vm, r, status);
}
FN(p_wait)
{
    int status = 0, r;
    PROCESS_CAP;
    POSIX_BLOCKING(r, wait(&status));
    return r < 0 ? posix_error(vm) : wait_result(vm, r, status);
}
#define STATUS_FN(NAME, RESULT)   \
    FN(NAME)                      \
    {                             \
        INT_ARG(status, args[0]); \
        return RESULT;            \
    }
STATUS_FN(p_wifexited, value_bool(WIFEXITED(status)))
STATUS_FN(p_wexitstatus, value_int(WEXITSTATUS(status)))
STATUS_FN(p_wifsignaled, value_bool(WIFSIGNALED(status)))
STATUS_FN(p_wtermsig, value_int(WTERMSIG(status)))
STATUS_FN(p_wifstopped, value_bool(WIFSTOPPED(status)))
STATUS_FN(p_wstopsig, value_int(WSTOPSIG(status)))
STATUS_FN(p_wifcontinued, value_bool(WIFCONTINUED(status)))
STATUS_FN(p_wcoredump, value_bool(WCOREDUMP(status)))
FN(p_exitcode)
{
    INT_ARG(status, args[0]);
    if (WIFEXITED(status)) return value_int(WEXITSTATUS(status));
    if (WIFSIGNALED(status)) return value_int(-WTERMSIG(status));
    if (WIFSTOPPED(status)) return raise_value_error(vm, "process stopped by delivery of signal %d", WSTOPSIG(status));
    return raise_value_error(vm, "invalid wait status: %d", status);
}

FN(p_fork)
{
    PROCESS_CAP;
    files_flush_all(vm);
    pid_t pid = fork();
    if (pid == 0 && vm->hooks.forked) vm->hooks.forked(vm);
    return int_result(vm, pid);
}
FN(p_exit)
{
    PROCESS_CAP;
    INT_ARG(status, args[0]);
    syscall(SYS_exit_group, status); /* by name: the library itself never ends the process */
    return V_NONE;
}
FN(p_abort)
{
    PROCESS_CAP;
    kill(getpid(), SIGABRT);
    return V_NONE;
}

FN(p_system)
{
    PROCESS_CAP;
    if (!IS_STR(args[0]) && !IS_BYTES(args[0]))
        return raise_type_error(vm, "expected str, bytes or os.PathLike object, not %T", args[0]);
    size_t n;
    const char *s;
    if (IS_STR(args[0])) {
        if (!(s = str_wtf8(vm, AS(str, args[0]), &n))) return V_ERROR;
    } else {
        s = (const char *)AS(bytes, args[0])->data;
        n = AS(bytes, args[0])->len;
    }
    if (memchr(s, 0, n)) return raise_value_error(vm, "embedded null byte");
    char *command = mem_alloc(vm, n + 1);
    if (!command) return V_ERROR;
    memcpy(command, s, n);
    command[n] = 0;
    if (!vm_blocking(vm, "os.system()", "await asyncio.create_subprocess_shell()")) {
        mem_free(vm, command, n + 1);
        return V_ERROR;
    }
    files_flush_all(vm);
    char *argv[] = {"sh", "-c", command, NULL};
    pid_t pid;
    int status = -1, r, err = posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
    mem_free(vm, command, n + 1);
    if (err) return value_int(127 << 8);
    POSIX_BLOCKING(r, waitpid(pid, &status, 0));
    return value_int(status);
}

/* A NULL-ended array of C strings from a sequence of names, in one block of memory. */
char **posix_strings(vm *vm, value seq, size_t *size)
{
    tuple *t = obj_to_tuple(vm, seq);
    if (!t) return NULL;
    ROOTS(vm, &t);
    size_t total = (t->len + 1) * sizeof(char *);
    for (size_t i = 0; i < t->len; i++) {
        value v = t->items[i];
        size_t n;
        if (IS_BYTES(v)) {
            n = AS(bytes, v)->len;
        } else if (!IS_STR(v)) {
            raise_type_error(vm, "expected str, bytes or os.PathLike object, not %T", v);
            return NULL;
        } else if (!str_wtf8(vm, AS(str, v), &n)) {
            return NULL;
        }
        if (memchr(IS_BYTES(v) ? (const char *)AS(bytes, v)->data : str_wtf8(vm, AS(str, v), &n), 0, n)) {
            raise_value_error(vm, "embedded null byte");
            return NULL;
        }
        if (!size_add(total, n + 1, &total)) {
            raise_memory(vm);
            return NULL;
        }
    }
    char **out = mem_alloc(vm, total), *p;
    if (!out) return NULL;
    p = (char *)(out + t->len + 1);
    for (size_t i = 0; i < t->len; i++) {
        value v = t->items[i];
        size_t n;
        const char *s = IS_BYTES(v) ? (const char *)AS(bytes, v)->data : str_wtf8(vm, AS(str, v), &n);
        if (IS_BYTES(v)) n = AS(bytes, v)->len;
        if (!s) {
            mem_free(vm, out, total);
            return NULL;
        }
        out[i] = memcpy(p, s, n);
        p[n] = 0;
        p += n + 1;
    }
    out[t->len] = NULL;
    *size = total;
    return out;
}

/* args: path, argv, env (unbound: as it is). Comes back only with an error. */
static value exec_program(vm *vm, value *args, const char *name, value env)
{
    posix_path p;
    size_t nargv, nenv = 0;
    char **argv, **envp = NULL;
    PROCESS_CAP;
    if (!posix_path_arg(vm, args[0], name, "path", 0, &p)) return V_ERROR;
    if (!IS_TUPLE(args[1]) && !IS_LIST(args[1])) return raise_type_error(vm, "%s: argv must be a tuple or list", name);
    if (!(argv = posix_strings(vm, args[1], &nargv))) return V_ERROR;
    if (!argv[0]) {
        raise_value_error(vm, "%s: argv must not be empty", name);
    } else if (value_is_unbound(env) || (envp = posix_strings(vm, env, &nenv))) {
        files_flush_all(vm);
        if (envp) execve(p.s, argv, envp);
        else execv(p.s, argv);
        posix_error(vm);
    }
    mem_free(vm, argv, nargv);
    if (envp) mem_free(vm, envp, nenv);
    return V_ERROR;
}
FN(p_execv) { return exec_program(vm, args, "execv", V_UNBOUND); }
FN(p_execve) { return exec_program(vm, args, "execve", args[2]); }

/* ---- the machine ---- */

FN(p_cpu_count)
{
    long n = vm->caps & (CAP_PROCESS | CAP_ENV | CAP_THREADS) ? sysconf(_SC_NPROCESSORS_ONLN) : 1;
    return n > 0 ? value_int(n) : V_NONE;
}
FN(p_affinity)
{
    cpu_set_t cpus;
    KNOW_CAP;
    INT_ARG(pid, args[0]);
    if (sched_getaffinity(pid, sizeof cpus, &cpus) < 0) return posix_error(vm);
    set *s = set_new(vm, TYPE_SET);
    ROOTS(vm, &s);
    for (int i = 0; s && i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &cpus) && !set_add(vm, s, value_int(i))) return V_ERROR;
    return s ? value_obj(s) : V_ERROR;
}
FN(p_yield)
{
    vm_unlock(vm);
    sched_yield();
    vm_lock(vm);
    return V_NONE;
}
FN(p_getloadavg)
{
    double d[3];
    KNOW_CAP;
    if (getloadavg(d, 3) != 3) return raise(vm, EXC_OSError, "Load averages are unobtainable");
    tuple *t = tuple_pack(vm, 3, value_float(d[0]), value_float(d[1]), value_float(d[2]));
    return t ? value_obj(t) : V_ERROR;
}

static value random_bytes(vm *vm, int64_t n, int flags)
{
    if (n < 0) return raise_value_error(vm, "negative argument not allowed");
    if (n > INT32_MAX) return raise_memory(vm);
    uint8_t *p = mem_alloc(vm, n ? (size_t)n : 1);
    if (!p) return V_ERROR;
    value v = V_ERROR;
    int64_t done = 0;
    while (done < n) {
        ssize_t k = getrandom(p + done, (size_t)(n - done), (unsigned)flags);
        if (k < 0 && errno == EINTR) {
            vm_poll(vm);
            if (raised(vm)) break;
            continue;
        }
        if (k < 0) {
            posix_error(vm);
            break;
        }
        done += k;
    }
    if (done == n) {
        bytes *b = bytes_new(vm, p, (size_t)n);
        if (b) v = value_obj(b);
    }
    mem_free(vm, p, n ? (size_t)n : 1);
    return v;
}
FN(p_urandom)
{
    int64_t n;
    return posix_i64(vm, args[0], &n) ? random_bytes(vm, n, 0) : V_ERROR;
}
FN(p_getrandom)
{
    int64_t n;
    int flags;
    if (!posix_i64(vm, args[0], &n) || !args_int(vm, args[1], 0, &flags)) return V_ERROR;
    return random_bytes(vm, n, flags);
}

static const getset_def uname_fields[] = {
    STRUCTSEQ_FIELD(0, "sysname", "operating system name"),
    STRUCTSEQ_FIELD(1, "nodename", "name of machine on network (implementation-defined)"),
    STRUCTSEQ_FIELD(2, "release", "operating system release"),
    STRUCTSEQ_FIELD(3, "version", "operating system version"),
    STRUCTSEQ_FIELD(4, "machine", "hardware identifier"),
    {0},
};
static const getset_def times_fields[] = {
    STRUCTSEQ_FIELD(0, "user", "user time"),
    STRUCTSEQ_FIELD(1, "system", "system time"),
    STRUCTSEQ_FIELD(2, "children_user", "user time of children"),
    STRUCTSEQ_FIELD(3, "children_system", "system time of children"),
    STRUCTSEQ_FIELD(4, "elapsed", "elapsed time since an arbitrary point in the past"),
    {0},
};
static const structseq_spec uname_spec = {"posix.uname_result", "What uname() tells.", uname_fields};
static const structseq_spec times_spec = {"posix.times_result", "What times() tells.", times_fields};

FN(p_uname)
{
    struct utsname u;
    if (!cap_require(vm, CAP_ENV)) return V_ERROR;
    if (uname(&u) < 0) return posix_error(vm);
    const char *texts[] = {u.sysname, u.nodename, u.release, u.version, u.machine};
    value v[5];
    for (int i = 0; i < 5; i++) {
        v[i] = posix_name(vm, texts[i], strlen(texts[i]), false);
        if (value_is_error(v[i])) return V_ERROR;
    }
    return structseq_new(vm, module_state_type(vm, STATE_UNAME_RESULT), v);
}
FN(p_times)
{
    struct tms t;
    KNOW_CAP;
    clock_t now = times(&t);
    double tick = (double)sysconf(_SC_CLK_TCK);
    value v[5] = {value_float((double)t.tms_utime / tick), value_float((double)t.tms_stime / tick),
                  value_float((double)t.tms_cutime / tick), value_float((double)t.tms_cstime / tick),
                  value_float((double)now / tick)};
    return structseq_new(vm, module_state_type(vm, STATE_TIMES_RESULT), v);
}

static const struct {
    const char *name;
    int n;
} sysconf_names[] = {
    {"SC_ARG_MAX", _SC_ARG_MAX},
    {"SC_CHILD_MAX", _SC_CHILD_MAX},
    {"SC_CLK_TCK", _SC_CLK_TCK},
    {"SC_NGROUPS_MAX", _SC_NGROUPS_MAX},
    {"SC_OPEN_MAX", _SC_OPEN_MAX},
    {"SC_PAGESIZE", _SC_PAGESIZE},
    {"SC_PAGE_SIZE", _SC_PAGESIZE},
    {"SC_NPROCESSORS_CONF", _SC_NPROCESSORS_CONF},
    {"SC_NPROCESSORS_ONLN", _SC_NPROCESSORS_ONLN},
    {"SC_PHYS_PAGES", _SC_PHYS_PAGES},
    {"SC_AVPHYS_PAGES", _SC_AVPHYS_PAGES},
    {"SC_IOV_MAX", _SC_IOV_MAX},
    {"SC_HOST_NAME_MAX", _SC_HOST_NAME_MAX},
};
FN(p_sysconf)
{
    int n;
    KNOW_CAP;
    if (IS_STR(args[0])) {
        size_t i = 0, count = sizeof sysconf_names / sizeof *sysconf_names;
        while (i < count && !str_equal_ascii(AS(str, args[0]), sysconf_names[i].name)) i++;
        if (i == count) return raise_value_error(vm, "unrecognized configuration name");
        n = sysconf_names[i].n;
    } else if (!args_int(vm, args[0], 0, &n)) {
        return V_ERROR;
    }
    errno = 0;
    long r = sysconf(n);
    return r < 0 && errno ? posix_error(vm) : int_from_i64(vm, r);
}
FN(p_sync)
{
    if (!cap_require(vm, CAP_FS)) return V_ERROR;
    vm_unlock(vm);
    sync();
    vm_lock(vm);
    return V_NONE;
}

static const native_def functions[] = {
    {"getpid()", p_getpid, DOC("Return the current process id."), 0},
    {"getppid()", p_getppid, DOC("Return the parent's process id."), 0},
    {"getuid()", p_getuid, DOC("Return the current process's user id."), 0},
    {"geteuid()", p_geteuid, DOC("Return the current process's effective user id."), 0},
    {"pidfd_open(pid, flags=0)", p_pidfd_open, DOC("A descriptor that is readable when the process has ended."), 0},
    {"getgid()", p_getgid, DOC("Return the current process's group id."), 0},
    {"getegid()", p_getegid, DOC("Return the current process's effective group id."), 0},
    {"getpgrp()", p_getpgrp, DOC("Return the current process group id."), 0},
    {"getpgid(pid)", p_getpgid, DOC("Call the system call getpgid()."), 0},
    {"getsid(pid, /)", p_getsid, DOC("Call the system call getsid(pid)."), 0},
    {"setsid()", p_setsid, DOC("Call the system call setsid()."), 0},
    {"setpgid(pid, pgrp, /)", p_setpgid, DOC("Call the system call setpgid(pid, pgrp)."), 0},
    {"getgroups()", p_getgroups, DOC("Return list of supplemental group IDs for the process."), 0},
    {"getlogin()", p_getlogin, DOC("Return the actual login name."), 0},
    {"umask(mask, /)", p_umask, DOC("Set the current numeric umask and return the previous umask."), 0},
    {"nice(increment, /)", p_nice, DOC("Add increment to the priority of process and return the new priority."), 0},
    {"getpriority(which, who)", p_getpriority, DOC("Return program scheduling priority."), 0},
    {"kill(pid, signal, /)", p_kill, DOC("Kill a process with a signal."), 0},
    {"killpg(pgid, signal, /)", p_killpg, DOC("Kill a process group with a signal."), 0},
    {"waitpid(pid, options, /)", p_waitpid, DOC("Wait for completion of a given child process: (pid, status)."), 0},
    {"wait()", p_wait, DOC("Wait for completion of a child process: (pid, status)."), 0},
    {"WIFEXITED(status)", p_wifexited, DOC("Did the process end by itself?"), 0},
    {"WEXITSTATUS(status)", p_wexitstatus, DOC("Return the process return code from status."), 0},
    {"WIFSIGNALED(status)", p_wifsignaled, DOC("Was the process terminated by a signal?"), 0},
    {"WTERMSIG(status)", p_wtermsig, DOC("Return the signal that terminated the process."), 0},
    {"WIFSTOPPED(status)", p_wifstopped, DOC("Was the process stopped?"), 0},
    {"WSTOPSIG(status)", p_wstopsig, DOC("Return the signal that stopped the process."), 0},
    {"WIFCONTINUED(status)", p_wifcontinued, DOC("Was the process continued from a job control stop?"), 0},
    {"WCOREDUMP(status, /)", p_wcoredump, DOC("Was the process dumped to a core file?"), 0},
    {"waitstatus_to_exitcode(status)", p_exitcode, DOC("Convert a wait status to an exit code."), 0},
    {"fork()", p_fork, DOC("Fork a child process."), 0},
    {"_exit(status)", p_exit, DOC("Exit to the system with specified status, without normal exit processing."), 0},
    {"abort()", p_abort, DOC("Abort the interpreter immediately."), 0},
    {"system(command)", p_system, DOC("Execute the command in a subshell."), 0},
    {"execv(path, argv, /)", p_execv, DOC("Execute an executable path with arguments, replacing current process."), 0},
    {"_execve(path, argv, env, /)", p_execve, DOC("The same with an environment of \"name=value\"."), 0},
    {"cpu_count()", p_cpu_count, DOC("Return the number of CPUs in the system; None if indeterminable."), 0},
    {"sched_getaffinity(pid, /)", p_affinity, DOC("Return the affinity of the process identified by pid."), 0},
    {"sched_yield()", p_yield, DOC("Voluntarily relinquish the CPU."), 0},
    {"getloadavg()", p_getloadavg, DOC("Return average recent system load information."), 0},
    {"urandom(size, /)", p_urandom,
     DOC("Return a bytes object containing random bytes suitable for cryptographic use."), 0},
    {"getrandom(size, flags=0)", p_getrandom, DOC("Obtain a series of random bytes."), 0},
    {"uname()", p_uname, DOC("Return an object identifying the current operating system."), 0},
    {"times()", p_times, DOC("Return a collection containing process timing information."), 0},
    {"sysconf(name, /)", p_sysconf, DOC("Return an integer-valued system configuration variable."), 0},
    {"sync()", p_sync, DOC("Force write of everything to disk."), 0},
    {0},
};

static bool add_seq(vm *vm, module *m, enum module_state_id id, const structseq_spec *spec, const char *name)
{
    type *t = module_state_type(vm, id);
    if (!t && (!(t = structseq_type(vm, spec)) || !module_state_set(vm, id, value_obj(t)))) return false;
    return module_add(vm, m, name, value_obj(t));
}

bool posix_process_add(vm *vm, module *m)
{
    dict *names = dict_new(vm);
    ROOTS(vm, &m, &names);
    for (size_t i = 0; names && i < sizeof sysconf_names / sizeof *sysconf_names; i++) {
        str *s = str_from_cstr(vm, sysconf_names[i].name);
        if (!s || !dict_set_str(vm, names, s, value_int(sysconf_names[i].n))) return false;
    }
    return names && module_add(vm, m, "sysconf_names", value_obj(names)) &&
           add_seq(vm, m, STATE_UNAME_RESULT, &uname_spec, "uname_result") &&
           add_seq(vm, m, STATE_TIMES_RESULT, &times_spec, "times_result") && module_add_natives(vm, m, functions);
}
