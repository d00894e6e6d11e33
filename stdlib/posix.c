/* The module posix: its arguments, errors, constants and environment. */
#define raise libc_raise /* ours has that name */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#undef raise

#include "posix.h"

#include "vm/bytes.h"
#include "vm/codec.h"
#include "vm/exception.h"
#include "vm/file.h"

#include <sched.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sysexits.h>

#define DOC_FILE stdlib_posix
DOC_BEGIN;

extern char **environ;

/* ---- arguments ---- */

/* The file system's bytes of s; NULL raised. */
static bytes *name_bytes(vm *vm, str *s)
{
    str *errors = str_from_cstr(vm, "surrogateescape");
    return errors ? codec_encode(vm, CODEC_UTF8, s, value_obj(errors)) : NULL;
}

value posix_name(vm *vm, const char *s, size_t n, bool as_bytes)
{
    if (as_bytes) {
        bytes *b = bytes_new(vm, s, n);
        return b ? value_obj(b) : V_ERROR;
    }
    str *errors = str_from_cstr(vm, "surrogateescape");
    if (!errors) return V_ERROR;
    return str_value(codec_decode(vm, CODEC_UTF8, (const uint8_t *)s, n, value_obj(errors), true, NULL, NULL));
}

bool posix_path_arg(vm *vm, value v, const char *func, const char *arg, int allow, posix_path *p)
{
    p->given = v;
    p->fd = -1;
    p->bytes = false;
    if (!cap_require(vm, CAP_FS)) return false;
    if (allow & PATH_NONE && (value_is_unbound(v) || value_is_none(v))) {
        memcpy(p->s, ".", 2);
        p->given = V_UNBOUND;
        return true;
    }
    if (!IS_STR(v) && !IS_BYTES(v)) {
        int64_t fd;
        value f = V_UNBOUND, r;
        if (!(allow & PATH_FD && type_of(vm, v)->s.index)) {
            f = type_lookup_special(vm, v, N(vm, __fspath__));
            if (raised(vm)) return false;
        }
        if (allow & PATH_FD && value_is_unbound(f) && type_of(vm, v)->s.index) {
            if (!obj_as_index(vm, v, &fd, EXC_OverflowError)) return false;
            if (fd > INT_MAX || fd < INT_MIN) {
                raise_overflow(vm, "fd is %s than %s", fd > 0 ? "greater" : "less", fd > 0 ? "maximum" : "minimum");
                return false;
            }
            p->fd = (int)fd;
            if (p->fd >= 0) return true;
            errno = EBADF;
            posix_path_error(vm, p);
            return false;
        }
        if (value_is_unbound(f)) {
            raise_type_error(vm, "%s: %s should be string, bytes%s os.PathLike%s%s, not %T", func, arg,
                             allow ? "," : " or",
                             allow & PATH_FD ? allow & PATH_NONE ? ", integer" : " or integer" : "",
                             allow & PATH_NONE ? " or None" : "", v);
            return false;
        }
        value given = v;
        r = vm_call0(vm, f);
        if (value_is_error(r)) return false;
        if (!IS_STR(r) && !IS_BYTES(r)) {
            raise_type_error(vm, "expected %T.__fspath__() to return str or bytes, not %T", given, r);
            return false;
        }
        v = r;
    }
    p->bytes = IS_BYTES(v);
    bytes *b = p->bytes ? AS(bytes, v) : name_bytes(vm, str_plain(AS(str, v)));
    if (!b) return false;
    if (memchr(b->data, 0, b->len)) {
        raise_value_error(vm, "embedded null byte");
        return false;
    }
    if (b->len > PATH_MAX) {
        errno = ENAMETOOLONG;
        posix_path_error(vm, p);
        return false;
    }
    memcpy(p->s, b->data, b->len);
    p->s[b->len] = 0;
    files_flush_all(vm); /* what files that are open have got is there to be seen */
    return true;
}

bool posix_dirfd(vm *vm, value v, int *fd)
{
    *fd = AT_FDCWD;
    if (value_is_unbound(v) || value_is_none(v)) return true;
    if (!type_of(vm, v)->s.index) {
        raise_type_error(vm, "argument should be integer or None, not %T", v);
        return false;
    }
    return args_int(vm, v, AT_FDCWD, fd);
}

bool posix_fd(vm *vm, value v, int *fd) { return cap_require(vm, CAP_FS) && args_int(vm, v, -1, fd); }

bool posix_fileno(vm *vm, value v, int *fd)
{
    if (int_is(v)) {
        if (!posix_fd(vm, v, fd)) return false;
    } else {
        str *name = str_intern_utf8(vm, "fileno", 6);
        value f = name ? obj_getattr_opt(vm, v, name) : V_UNBOUND;
        if (value_is_unbound(f)) {
            if (!raised(vm)) raise_type_error(vm, "argument must be an int, or have a fileno() method.");
            return false;
        }
        value r = vm_call0(vm, f);
        if (value_is_error(r)) return false;
        if (!int_is(r)) {
            raise_type_error(vm, "fileno() returned a non-integer");
            return false;
        }
        if (!posix_fd(vm, r, fd)) return false;
    }
    if (*fd >= 0) return true;
    raise_value_error(vm, "file descriptor cannot be a negative integer (%d)", *fd);
    return false;
}

bool posix_flag(vm *vm, value v, bool dflt, bool *out) { return args_bool(vm, v, dflt, out); }

bool posix_i64(vm *vm, value v, int64_t *out) { return obj_as_index(vm, v, out, EXC_OverflowError); }

bool posix_id(vm *vm, value v, const char *what, uint32_t *out)
{
    if (!type_of(vm, v)->s.index) {
        raise_type_error(vm, "%s should be integer, not %T", what, v);
        return false;
    }
    value i = obj_index(vm, v);
    int64_t n;
    if (value_is_error(i)) return false;
    bool fits = int_to_i64(vm, i, &n);
    if (fits && n >= -1 && n <= UINT32_MAX) {
        *out = (uint32_t)n;
        return true;
    }
    bool large = !fits && int_sign(vm, i) > 0; /* what only fits into a long counts as too small, as in CPython */
    raise_overflow(vm, "%s is %s than %s", what, large ? "greater" : "less", large ? "maximum" : "minimum");
    return false;
}

value posix_error(vm *vm) { return raise_os_error(vm, errno, V_UNBOUND); }
value posix_path_error(vm *vm, const posix_path *p) { return raise_os_error(vm, errno, p->given); }
value posix_path_error2(vm *vm, const posix_path *a, const posix_path *b)
{
    int err = errno;
    str *text = str_from_cstr(vm, os_error_text(err));
    if (!text) return V_ERROR;
    value args[5] = {value_int(err), value_obj(text), a->given, V_NONE, b->given};
    ROOT_SPAN(vm, args, 5);
    value e = exc_make(vm, EXC_T(vm, OSError), args, 5);
    return value_is_error(e) ? V_ERROR : raise_exception(vm, e);
}
value posix_result(vm *vm, int rc) { return rc < 0 ? posix_error(vm) : V_NONE; }

/* ---- the environment ---- */

static value environ_dict(vm *vm)
{
    dict *d = dict_new(vm);
    if (!d) return V_ERROR;
    ROOTS(vm, &d);
    for (char **e = vm->caps & CAP_ENV ? environ : NULL; e && *e; e++) {
        const char *eq = strchr(*e, '=');
        if (!eq) continue;
        value k = posix_name(vm, *e, (size_t)(eq - *e), true);
        value v = posix_name(vm, eq + 1, strlen(eq + 1), true);
        if (value_is_error(k) || value_is_error(v)) return V_ERROR;
        value old = dict_get(vm, d, k);
        if (raised(vm) || (value_is_unbound(old) && !dict_set(vm, d, k, v))) return V_ERROR;
    }
    return value_obj(d);
}

/* A copy of the argument's bytes; NULL raised. */
static char *env_text(vm *vm, value v, size_t *size)
{
    if (!IS_STR(v) && !IS_BYTES(v)) {
        raise_type_error(vm, "expected str, bytes or os.PathLike object, not %T", v);
        return NULL;
    }
    bytes *b = IS_BYTES(v) ? AS(bytes, v) : name_bytes(vm, str_plain(AS(str, v)));
    if (!b) return NULL;
    if (memchr(b->data, 0, b->len)) {
        raise_value_error(vm, "embedded null byte");
        return NULL;
    }
    *size = b->len + 1;
    char *s = mem_alloc(vm, *size);
    if (s) {
        memcpy(s, b->data, b->len);
        s[b->len] = 0;
    }
    return s;
}

static value env_change(vm *vm, value name, value v)
{
    size_t nname, nv = 0;
    char *k, *s = NULL;
    if (!cap_require(vm, CAP_ENV) || !(k = env_text(vm, name, &nname))) return V_ERROR;
    bool ok = value_is_unbound(v) || (s = env_text(vm, v, &nv));
    if (ok && strchr(k, '=')) {
        raise_value_error(vm, "illegal environment variable name");
        ok = false;
    }
    if (ok && (s ? setenv(k, s, 1) : unsetenv(k)) != 0) {
        posix_error(vm);
        ok = false;
    }
    mem_free(vm, k, nname);
    if (s) mem_free(vm, s, nv);
    return ok ? V_NONE : V_ERROR;
}

FN(p_putenv) { return env_change(vm, args[0], args[1]); }
FN(p_unsetenv) { return env_change(vm, args[0], V_UNBOUND); }

FN(p_strerror)
{
    int n;
    if (!args_int(vm, args[0], 0, &n)) return V_ERROR;
    const char *text = os_error_text(n);
    if (strcmp(text, "Unknown error") == 0) return str_value(str_format(vm, "Unknown error %d", n));
    return str_value(str_from_cstr(vm, text));
}

FN(p_fspath)
{
    value v = args[0];
    if (IS_STR(v) || IS_BYTES(v)) return v;
    value f = type_lookup_special(vm, v, N(vm, __fspath__));
    if (value_is_unbound(f))
        return raised(vm) ? V_ERROR : raise_type_error(vm, "expected str, bytes or os.PathLike object, not %T", v);
    value r = vm_call0(vm, f);
    if (value_is_error(r) || IS_STR(r) || IS_BYTES(r)) return r;
    return raise_type_error(vm, "expected %T.__fspath__() to return str or bytes, not %T", v, r);
}

static const native_def functions[] = {
    {"putenv(name, value, /)", p_putenv, DOC("Change or add an environment variable."), 0},
    {"unsetenv(name, /)", p_unsetenv, DOC("Delete an environment variable."), 0},
    {"strerror(code, /)", p_strerror, DOC("Translate an error code to a message string."), 0},
    {"fspath(path)", p_fspath, DOC("Return the file system path representation of the object."), 0},
    {0},
};

static const struct {
    const char *name;
    int64_t n;
} constants[] = {
#define CONSTANT(NAME) {#NAME, NAME},
#include "posix_constants.def"
#undef CONSTANT
};

bool posix_init(vm *vm, module *m)
{
    value env = environ_dict(vm);
    ROOTS(vm, &m, &env);
    if (value_is_error(env) || !module_add(vm, m, "environ", env)) return false;
    if (!module_add(vm, m, "error", value_obj(EXC_T(vm, OSError)))) return false;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!module_add(vm, m, constants[i].name, value_int(constants[i].n))) return false;
    return module_add_natives(vm, m, functions) && posix_file_add(vm, m) && posix_stat_add(vm, m) &&
           posix_fd_add(vm, m) && posix_process_add(vm, m);
}
