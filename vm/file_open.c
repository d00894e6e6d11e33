/* open(): what its arguments mean, and the file object that comes of them. */
#include "file.h"
#include "builtins.h"
#include "bytes.h"
#include "caps.h"
#include "native.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

file *file_alloc(vm *vm, unsigned type_id)
{
    file *f = gc_new(vm, K_FILE, type_id, sizeof *f);
    if (!f) return NULL;
    f->name = f->mode = f->encoding = f->errors = V_NONE;
    f->fd = -1;
    return f;
}

bool file_text_argument(vm *vm, value v, const char *where, const char *name, str **out)
{
    *out = NULL;
    if (value_is_unbound(v) || value_is_none(v)) return true;
    if (!IS_STR(v)) {
        raise_type_error(vm, "%s() argument '%s' must be str or None, not %T", where, name, v);
        return false;
    }
    *out = str_plain(AS(str, v));
    return true;
}

bool file_newline(vm *vm, str *s, uint8_t *out)
{
    if (!s) *out = NEWLINE_UNIVERSAL;
    else if (s->len == 0) *out = NEWLINE_KEEP;
    else if (str_equal_ascii(s, "\n")) *out = NEWLINE_LF;
    else if (str_equal_ascii(s, "\r")) *out = NEWLINE_CR;
    else if (str_equal_ascii(s, "\r\n")) *out = NEWLINE_CRLF;
    else {
        raise_value_error(vm, "illegal newline value: %U", s);
        return false;
    }
    return true;
}

/* Encoding, errors and newline of a text file, as given. */
bool file_text_setup(vm *vm, file *f, value encoding, value errors, value newline, const char *where)
{
    str *e, *h, *n;
    if (!file_text_argument(vm, encoding, where, "encoding", &e) ||
        !file_text_argument(vm, errors, where, "errors", &h) ||
        !file_text_argument(vm, newline, where, "newline", &n) || !file_newline(vm, n, &f->newline))
        return false;
    if ((!e || str_equal_ascii(e, "locale")) && !(e = str_from_cstr(vm, "UTF-8"))) return false;
    f->encoding = value_obj(e);
    gc_barrier(vm, f);
    f->codec = (uint8_t)codec_need(vm, f->encoding);
    if (f->codec == CODEC_UNKNOWN) return false;
    if (!h && !(h = str_from_cstr(vm, "strict"))) return false;
    f->errors = value_obj(h);
    gc_barrier(vm, f);
    return true;
}

struct open_mode {
    bool create, read, write, append, plus, text, binary;
};

static bool parse_mode(vm *vm, str *mode, struct open_mode *m)
{
    *m = (struct open_mode){0};
    for (size_t i = 0; i < mode->len; i++) {
        bool *flag;
        uint32_t c = str_at(mode, i);
        switch (c) {
        case 'x': flag = &m->create; break;
        case 'r': flag = &m->read; break;
        case 'w': flag = &m->write; break;
        case 'a': flag = &m->append; break;
        case '+': flag = &m->plus; break;
        case 't': flag = &m->text; break;
        case 'b': flag = &m->binary; break;
        default: flag = NULL;
        }
        if (!flag || *flag) {
            raise_value_error(vm, "invalid mode: %R", value_obj(mode));
            return false;
        }
        *flag = true;
    }
    int kinds = m->create + m->read + m->write + m->append;
    if (m->text && m->binary) raise_value_error(vm, "can't have text and binary mode at once");
    else if (kinds > 1) raise_value_error(vm, "must have exactly one of create/read/write/append mode");
    else if (kinds == 0)
        raise_value_error(vm, "Must have exactly one of create/read/write/append mode and at most one plus");
    else return true;
    return false;
}

static int open_flags(const struct open_mode *m)
{
    int flags = m->plus ? O_RDWR : m->read ? O_RDONLY : O_WRONLY;
    if (m->create) flags |= O_CREAT | O_EXCL;
    if (m->write) flags |= O_CREAT | O_TRUNC;
    if (m->append) flags |= O_CREAT | O_APPEND;
    return flags | O_CLOEXEC;
}

/* Opens the path; -1: raised. Out of descriptors: files that nobody refers to any more are closed first. */
static int open_path(vm *vm, value name, str *path, int flags, value opener)
{
    if (!value_is_unbound(opener) && !value_is_none(opener)) {
        value r = vm_call2(vm, opener, name, value_int(flags));
        int64_t fd;
        if (value_is_error(r)) return -1;
        if (!int_is(r)) {
            raise_type_error(vm, "expected integer from opener");
            return -1;
        }
        if (!int_to_i64(vm, r, &fd) || fd < 0 || fd > INT32_MAX) {
            raise_value_error(vm, "opener returned %S", r);
            return -1;
        }
        return (int)fd;
    }
    if (str_find_char(path, 0)) {
        raise_value_error(vm, "embedded null byte");
        return -1;
    }
    const char *p = str_wtf8(vm, path, NULL);
    if (!p) return -1;
    for (int tries = 0;; tries++) {
        int fd = open(p, flags, 0666);
        if (fd >= 0) return fd;
        if (errno == EINTR) {
            if (vm_attention(vm)) vm_poll(vm);
            if (raised(vm)) return -1;
        } else if ((errno == EMFILE || errno == ENFILE) && tries == 0) {
            gc_collect_full(vm);
        } else {
            raise_os_error(vm, errno, name);
            return -1;
        }
    }
}

/* Fills in what the descriptor tells. false: raised. */
static bool attach(vm *vm, file *f, int fd, value name, const struct open_mode *m)
{
    struct stat st;
    f->fd = fd;
    if (fstat(fd, &st) != 0) {
        raise_os_error(vm, errno, value_is_int(name) ? V_UNBOUND : name);
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        raise_os_error(vm, EISDIR, name);
        return false;
    }
    f->readable = m->read || m->plus;
    f->writable = !m->read || m->plus;
    f->append = m->append;
    f->seekable = lseek(fd, 0, m->append ? SEEK_END : SEEK_CUR) >= 0;
    f->started = m->append && f->seekable && st.st_size > 0; /* no second byte order mark */
    return true;
}

value file_open(vm *vm, value *a)
{
    str *mode = vm->chars['r'], *encoding, *errors, *newline;
    int64_t buffering = -1, fd_given = -1;
    str *path = NULL;
    if (!cap_require(vm, CAP_FS)) return V_ERROR;
    if (int_is(a[0])) {
        if (!int_as_i64(vm, a[0], &fd_given)) return V_ERROR;
        if (fd_given < 0) return raise_value_error(vm, "negative file descriptor");
        if (fd_given > INT32_MAX) return raise_overflow(vm, "signed integer is greater than maximum");
    } else if (!(path = path_argument(vm, a[0]))) {
        return V_ERROR;
    }
    ROOTS(vm, &path);
    if (!value_is_unbound(a[1])) {
        if (!IS_STR(a[1])) return raise_type_error(vm, "open() argument 'mode' must be str, not %A", a[1]);
        mode = str_plain(AS(str, a[1]));
    }
    if (!value_is_unbound(a[2]) && !obj_as_index(vm, a[2], &buffering, EXC_OverflowError)) return V_ERROR;
    if (!file_text_argument(vm, a[3], "open", "encoding", &encoding) ||
        !file_text_argument(vm, a[4], "open", "errors", &errors) ||
        !file_text_argument(vm, a[5], "open", "newline", &newline))
        return V_ERROR;
    int closefd = value_is_unbound(a[6]) ? 1 : obj_truth(vm, a[6]);
    if (closefd < 0) return V_ERROR;
    struct open_mode m;
    if (!parse_mode(vm, mode, &m)) return V_ERROR;
    if (m.binary && encoding) return raise_value_error(vm, "binary mode doesn't take an encoding argument");
    if (m.binary && errors) return raise_value_error(vm, "binary mode doesn't take an errors argument");
    if (m.binary && newline) return raise_value_error(vm, "binary mode doesn't take a newline argument");
    if (buffering < -1) return raise_value_error(vm, "invalid buffering size");
    if (buffering == 0 && !m.binary) return raise_value_error(vm, "can't have unbuffered text I/O");
    if (path && !closefd) return raise_value_error(vm, "Cannot use closefd=False with file name");
    unsigned type_id = !m.binary        ? TYPE_TEXTIO
                       : buffering == 0 ? TYPE_FILEIO
                       : m.plus         ? TYPE_BUFFEREDRANDOM
                       : m.read         ? TYPE_BUFFEREDIO
                                        : TYPE_BUFFEREDWRITER;
    file *f = file_alloc(vm, type_id);
    if (!f) return V_ERROR;
    ROOTS(vm, &f);
    if (!m.binary) {
        if (!file_text_setup(vm, f, a[3], a[4], a[5], "open")) return V_ERROR;
    }
    f->binary = m.binary;
    f->unbuffered = buffering == 0;
    f->name = !path || IS_STR(a[0]) || IS_BYTES(a[0]) ? a[0] : value_obj(path);
    f->mode = value_obj(mode);
    gc_barrier(vm, f);
    /* What this program wrote to a file that it forgot to close is there when it opens it again. */
    files_flush_all(vm);
    if (path && !(f->counted = fd_admit(vm))) return V_ERROR;
    int fd = path ? open_path(vm, a[0], path, open_flags(&m), a[7]) : (int)fd_given;
    if (fd < 0) return V_ERROR;
    f->closefd = path != NULL; /* a descriptor of the caller's stays open when this fails */
    if (!attach(vm, f, fd, a[0], &m)) {
        stream_drop(vm, f);
        return V_ERROR;
    }
    f->closefd = closefd;
    f->line_buffered = buffering == 1 || (buffering < 0 && f->writable && isatty(fd));
    return value_obj(f);
}
