/* Files over other objects: TextIOWrapper(buffer), BufferedReader(raw) and their like, FileIO(path).
 *
 * A wrapper of one of our own files shares that file's stream (`of`), so nothing is called. Every other object below is
 * `src` of a `generic` stream: its readinto, read1, write, seek, tell and close are called where a file calls the
 * system.
 *
 * Such a call runs script, which may use, close or detach the very same stream: after each, the stream is looked at
 * anew. Generic streams are not in the list of dirty files (writing them out runs script); their finaliser closes them.
 */
#include "file.h"
#include "attr.h"
#include "buffer.h"
#include "bytes.h"
#include "native.h"
#include "str.h"

#include <errno.h>

enum { GENERIC_FD = INT32_MAX, GENERIC_BUFFER = 8192 };

value source_call(vm *vm, file *s, const char *name, value *args, uint32_t nargs)
{
    str *n = str_intern_utf8(vm, name, strlen(name));
    return n ? vm_call_method(vm, s->src, n, args, nargs) : V_ERROR;
}

value source_attribute(vm *vm, file *s, const char *name)
{
    str *n = str_intern_utf8(vm, name, strlen(name));
    return n ? obj_getattr(vm, s->src, n) : V_ERROR;
}

/* 1, 0, -1 raised: the answer of src.name(). */
int source_test(vm *vm, file *s, const char *name)
{
    value v = source_call(vm, s, name, NULL, 0);
    return value_is_error(v) ? -1 : obj_truth(vm, v);
}

static bool still_open(vm *vm, file *s)
{
    if (s->fd >= 0) return true;
    raise_value_error(vm, "I/O operation on closed file.");
    return false;
}

static int append_read(vm *vm, file *s, const uint8_t *p, size_t n)
{
    if (!still_open(vm, s) || !stream_reserve(vm, s, n)) return -1;
    if (n) memcpy(s->buf + s->end, p, n);
    s->end += n;
    s->eof = n == 0;
    return n > 0;
}

static int fill_raw(vm *vm, file *s)
{
    bytearray *b = bytearray_new(vm, NULL, s->bufsize);
    ROOTS(vm, &b);
    value view = b ? memoryview_new(vm, value_obj(b)) : V_ERROR, r;
    if (value_is_error(view)) return -1;
    int64_t n;
    do r = source_call(vm, s, "readinto", &view, 1);
    while (value_is_error(r) && exc_clear_if(vm, EXC_InterruptedError));
    if (value_is_error(r)) return -1;
    if (value_is_none(r)) {
        s->blocked = true;
        return 0;
    }
    if (!obj_as_index(vm, r, &n, 0)) {
        if (!exc_matches(vm, EXC_TypeError)) return -1;
        value cause = exc_take(vm);
        ROOTS(vm, &cause);
        raise(vm, EXC_OSError, "raw readinto() failed");
        if (IS_EXC(vm->thread->exc)) {
            AS(exception, vm->thread->exc)->cause = cause;
            AS(exception, vm->thread->exc)->h.flags |= EXC_SUPPRESS_CONTEXT;
        }
        return -1;
    }
    if (n < 0 || (uint64_t)n > b->len) {
        raise(vm, EXC_OSError, "raw readinto() returned invalid length %ld (should have been between 0 and %zu)", n,
              b->len);
        return -1;
    }
    return append_read(vm, s, b->data, (size_t)n);
}

int source_fill(vm *vm, file *s)
{
    s->blocked = false;
    if (s->binary) return fill_raw(vm, s);
    const char *name = s->has_read1 ? "read1" : "read";
    value size = value_int(s->bufsize), v = source_call(vm, s, name, &size, 1);
    if (value_is_error(v)) return -1;
    ROOTS(vm, &v);
    const uint8_t *p;
    size_t n;
    if (!buffer_view(vm, v, &p, &n)) {
        raise_type_error(vm, "underlying %s() should have returned a bytes-like object, not '%T'", name, v);
        return -1;
    }
    return append_read(vm, s, p, n);
}

bool source_write(vm *vm, file *s, const uint8_t *p, size_t n, size_t *done)
{
    *done = 0;
    bytes *b = bytes_new(vm, p, n);
    if (!b) return false;
    ROOTS(vm, &b);
    while (*done < n) {
        value piece = value_obj(b);
        if (*done) {
            bytes *rest = bytes_new(vm, b->data + *done, n - *done);
            if (!rest) return false;
            piece = value_obj(rest);
        }
        value r = source_call(vm, s, "write", &piece, 1);
        if (value_is_error(r)) {
            if (exc_clear_if(vm, EXC_InterruptedError)) continue;
            return false;
        }
        if (!s->binary) { /* a buffer takes everything */
            *done = n;
            break;
        }
        if (value_is_none(r)) {
            value args[3] = {value_int(EAGAIN), V_NONE, value_int(0)};
            str *text = str_from_cstr(vm, "write could not complete without blocking");
            if (!text) return false;
            args[1] = value_obj(text);
            value e = exc_make(vm, EXC_T(vm, BlockingIOError), args, 3);
            if (!value_is_error(e)) raise_exception(vm, e);
            return false;
        }
        int64_t k;
        if (!obj_as_index(vm, r, &k, 0)) return false;
        if (k < 0 || (uint64_t)k > n - *done) {
            raise(vm, EXC_OSError, "raw write() returned invalid length %ld (should have been between 0 and %zu)", k,
                  n - *done);
            return false;
        }
        *done += (size_t)k;
    }
    return true;
}

int64_t source_tell(vm *vm, file *s)
{
    value v = source_call(vm, s, "tell", NULL, 0);
    int64_t at;
    if (value_is_error(v) || !obj_as_index(vm, v, &at, EXC_OverflowError)) return -1;
    if (at < 0) {
        raise(vm, EXC_OSError, "Raw stream returned invalid position %ld", at);
        return -1;
    }
    return at;
}

int64_t source_seek(vm *vm, file *s, int64_t offset, int whence)
{
    value args[2] = {int_from_i64(vm, offset), value_int(whence)}, v;
    int64_t at;
    if (value_is_error(args[0]) || value_is_error(v = source_call(vm, s, "seek", args, 2)) ||
        !obj_as_index(vm, v, &at, EXC_OverflowError))
        return -1;
    if (at < 0) {
        raise(vm, EXC_OSError, "Raw stream returned invalid position %ld", at);
        return -1;
    }
    return at;
}

bool source_closed(vm *vm, file *s)
{
    value v = source_attribute(vm, s, "closed");
    if (!value_is_error(v)) return obj_truth(vm, v) > 0;
    exc_clear_if(vm, EXC_AttributeError);
    return false;
}

/* ---- construction ---- */

value file_new_bare(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args, (void)nargs, (void)kwnames;
    file *f = file_alloc(vm, t->root_shape);
    return f ? value_obj(f) : V_ERROR;
}

/* f is from now on over `src`. */
static bool attach_source(vm *vm, file *f, value src)
{
    f->src = src;
    f->name = f->mode = V_UNBOUND;
    f->detached = false;
    gc_barrier(vm, f);
    if (IS_FILE(src) && AS(file, src)->binary && !file_stream(AS(file, src))->detached) {
        file *below = AS(file, src);
        if (file_stream(below)->generic && !f->binary && !below->of) goto generic; /* text has a buffer of its own */
        f->of = file_stream(below);
        f->readable = below->readable;
        f->writable = below->writable;
        return true;
    }
generic:
    f->of = NULL;
    f->generic = true;
    f->fd = GENERIC_FD;
    f->bufsize = GENERIC_BUFFER;
    f->pos = f->end = f->checked = 0;
    f->eof = f->started = f->transcoded = f->no_tell = false;
    gc_register_finalizer(vm, &f->h);
    return true;
}

static bool has_method(vm *vm, value v, const char *name)
{
    str *n = str_intern_utf8(vm, name, strlen(name));
    value m = n ? obj_getattr_opt(vm, v, n) : V_UNBOUND;
    return !value_is_unbound(m);
}

static bool text_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value in[6];
    file *f = AS(file, self);
    if (!args_bind(vm,
                   "TextIOWrapper(buffer, encoding=None, errors=None, newline=None, line_buffering=False, "
                   "write_through=False)",
                   args, nargs, kwnames, in))
        return false;
    ROOT_SPAN(vm, in, 6);
    if (!file_text_setup(vm, f, in[1], in[2], in[3], "TextIOWrapper") ||
        !args_bool(vm, in[4], false, &f->line_buffered) || !args_bool(vm, in[5], false, &f->write_through))
        return false;
    if (!attach_source(vm, f, in[0])) return false;
    f->binary = false;
    if (!f->generic) return true;
    int seekable = -1;
    if (source_test(vm, f, "readable") < 0 || source_test(vm, f, "writable") < 0 ||
        (seekable = source_test(vm, f, "seekable")) < 0)
        return false;
    f->has_read1 = has_method(vm, in[0], "read1");
    if (raised(vm)) return false;
    f->seekable = seekable;
    f->readable = f->writable = true; /* the object below says no when it is asked */
    if (f->seekable) {
        int64_t at = source_tell(vm, f);
        if (at < 0) return false;
        f->started = at > 0; /* no byte order mark in the middle */
    }
    return true;
}

static bool buffered_setup(vm *vm, file *f, const char *sig, bool read, bool write, value *args, uint32_t nargs,
                           value kwnames)
{
    value in[2];
    int64_t size = GENERIC_BUFFER;
    if (!args_bind(vm, sig, args, nargs, kwnames, in)) return false;
    ROOT_SPAN(vm, in, 2);
    if (!args_ssize(vm, in[1], size, &size)) return false;
    f->src = in[0];
    gc_barrier(vm, f);
    f->fd = -1;
    static const char *const tests[] = {"seekable", "readable", "writable"};
    static const char *const errors[] = {"File or stream is not seekable.", "File or stream is not readable.",
                                         "File or stream is not writable."};
    for (int i = read && write ? 0 : read ? 1 : 2; i <= (write ? 2 : 1); i++) {
        int ok = source_test(vm, f, tests[i]);
        if (ok == 0) raise_unsupported(vm, errors[i]);
        if (ok <= 0) return false;
    }
    if (size <= 0 || size > INT32_MAX) {
        raise_value_error(vm, "buffer size must be strictly positive");
        return false;
    }
    f->binary = true;
    if (!attach_source(vm, f, in[0])) return false;
    f->readable = read;
    f->writable = write;
    if (f->generic) {
        f->bufsize = (uint32_t)size;
        f->seekable = true; /* asked when it matters */
    }
    return true;
}

static bool reader_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    return buffered_setup(vm, AS(file, self), "BufferedReader(raw, buffer_size=8192)", true, false, args, nargs,
                          kwnames);
}
static bool writer_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    return buffered_setup(vm, AS(file, self), "BufferedWriter(raw, buffer_size=8192)", false, true, args, nargs,
                          kwnames);
}
static bool random_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    return buffered_setup(vm, AS(file, self), "BufferedRandom(raw, buffer_size=8192)", true, true, args, nargs,
                          kwnames);
}

/* FileIO(file, mode, closefd, opener) is open() without a buffer, into an object that is there already. */
static bool fileio_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value in[4];
    if (!args_bind(vm, "FileIO(file, mode='r', closefd=True, opener=None)", args, nargs, kwnames, in)) return false;
    str *mode = vm->chars['r'];
    if (!value_is_unbound(in[1])) {
        if (!IS_STR(in[1])) {
            raise_type_error(vm, "FileIO() argument 'mode' must be str, not %T", in[1]);
            return false;
        }
        mode = AS(str, in[1]);
    }
    value open_args[8] = {in[0], V_UNBOUND, value_int(0), V_UNBOUND, V_UNBOUND, V_UNBOUND, in[2], in[3]};
    ROOT_SPAN(vm, open_args, 8);
    str *b = str_concat(vm, mode, vm->chars['b']);
    if (str_find_char(mode, 'b')) b = mode;
    if (!b) return false;
    open_args[1] = value_obj(b);
    value made = file_open(vm, open_args);
    if (value_is_error(made)) return false;
    file *f = AS(file, self), *from = AS(file, made);
    stream_close(vm, f);
    f->name = from->name;
    f->mode = from->mode;
    f->fd = from->fd;
    f->binary = f->unbuffered = true;
    f->readable = from->readable;
    f->writable = from->writable;
    f->append = from->append;
    f->seekable = from->seekable;
    f->closefd = from->closefd;
    f->started = from->started;
    f->counted = from->counted;
    from->fd = -1; /* it is f's now */
    from->counted = false;
    gc_barrier(vm, f);
    return true;
}

/* Nobody refers to the wrapper any more: what it holds goes out. */
void source_finalize(vm *vm, value v)
{
    file *f = AS(file, v);
    if (!f->generic || f->fd < 0 || !f->dirty) return;
    ROOTS(vm, &v);
    if (!stream_flush(vm, f)) exc_report_unraisable(vm, v);
}

void file_source_slots(vm *vm)
{
    static const struct {
        unsigned id;
        init_fn init;
    } made[] = {
        {TYPE_TEXTIO, text_init},           {TYPE_BUFFEREDIO, reader_init}, {TYPE_BUFFEREDWRITER, writer_init},
        {TYPE_BUFFEREDRANDOM, random_init}, {TYPE_FILEIO, fileio_init},
    };
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        vm->types[made[i].id]->s.new_ = file_new_bare;
        vm->types[made[i].id]->s.init = made[i].init;
    }
}
