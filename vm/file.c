/* The types of file objects and their methods. */
#include "file.h"
#include "attr.h"
#include "builtins.h"
#include "bytes.h"
#include "buffer.h"
#include "list.h"
#include "native.h"
#include "str.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define SELF (AS(file, a[0]))

static value get_buffer(vm *vm, value self);
static value get_raw(vm *vm, value self);

/* ---- what goes wrong ---- */

value file_unsupported_type(vm *vm)
{
    file_state *st = file_state_of(vm);
    if (st->unsupported) return value_obj(st->unsupported);
    tuple *bases = tuple_pack(vm, 2, value_obj(EXC_T(vm, OSError)), value_obj(EXC_T(vm, ValueError)));
    dict *ns = dict_new(vm);
    str *name = str_from_cstr(vm, "UnsupportedOperation"), *module = str_from_cstr(vm, "io");
    if (!bases || !ns || !name || !module || !dict_set_str(vm, ns, N(vm, __module__), value_obj(module)))
        return V_ERROR;
    ROOTS(vm, &bases, &ns, &name);
    value t = type_new_class(vm, T(vm, TYPE), name, bases, ns, NULL, V_UNBOUND);
    if (IS_TYPE(t)) st->unsupported = AS(type, t);
    return t;
}

value raise_unsupported(vm *vm, const char *what)
{
    value t = file_unsupported_type(vm);
    if (value_is_error(t)) return t;
    str *s = str_from_cstr(vm, what);
    if (!s) return V_ERROR;
    value e = vm_call1(vm, t, value_obj(s));
    return value_is_error(e) ? e : raise_exception(vm, e);
}

static bool is_closed(const file *f) { return (f->of ? f->of : f)->fd < 0; }

/* false: raised. `doing`: how binary files name the operation ("read"), NULL: as text files say it. */
bool file_check_open(vm *vm, file *f, const char *doing)
{
    if (UNLIKELY(f->detached)) {
        raise_value_error(vm, f->binary ? "raw stream has been detached" : "underlying buffer has been detached");
        return false;
    }
    if (LIKELY(!is_closed(f)) && (LIKELY(!file_stream(f)->generic) || !source_closed(vm, file_stream(f))))
        return !raised(vm);
    if (!f->binary || !doing) raise_value_error(vm, "I/O operation on closed file.");
    else if ((f->binary && f->unbuffered)) raise_value_error(vm, "I/O operation on closed file");
    else if (strcmp(doing, "write to") == 0) raise_value_error(vm, "write to closed file");
    else raise_value_error(vm, "%s of closed file", doing);
    return false;
}

static bool check_readable(vm *vm, file *f, const char *doing)
{
    if (!file_check_open(vm, f, doing)) return false;
    if (LIKELY(f->readable)) return true;
    raise_unsupported(vm, !f->binary ? "not readable" : f->unbuffered ? "File not open for reading" : "read");
    return false;
}
bool file_check_writable(vm *vm, file *f)
{
    if (UNLIKELY(f->detached || file_stream(f)->generic) && !file_check_open(vm, f, "write to")) return false;
    if (UNLIKELY(is_closed(f)) && (f->writable || !f->binary)) {
        raise_value_error(vm, f->binary && !f->unbuffered ? "write to closed file" : "I/O operation on closed file.");
        return false;
    }
    if (LIKELY(f->writable)) return true;
    raise_unsupported(vm, !f->binary ? "not writable" : f->unbuffered ? "File not open for writing" : "write");
    return false;
}
static bool check_seekable(vm *vm, file *f, const char *doing)
{
    if (!file_check_open(vm, f, doing)) return false;
    if (file_stream(f)->seekable) return true;
    if (f->binary) raise_unsupported(vm, "File or stream is not seekable.");
    else raise_unsupported(vm, "underlying stream is not seekable");
    return false;
}

/* A size argument: absent and None mean all (-1). */
static bool size_argument(vm *vm, value v, int64_t *out)
{
    *out = -1;
    if (value_is_unbound(v) || value_is_none(v)) return true;
    if (!int_is(v) && !type_of(vm, v)->s.index) {
        raise_type_error(vm, "argument should be integer or None, not '%T'", v);
        return false;
    }
    return obj_as_index(vm, v, out, EXC_OverflowError);
}

/* ---- reading ---- */

/* n bytes, or all. */
static value read_bytes(vm *vm, file *f, int64_t n)
{
    file *s = file_stream(f);
    if (!stream_before_read(vm, s)) return V_ERROR;
    while (n < 0 || (uint64_t)n > s->end - s->pos) {
        int r = stream_fill(vm, s);
        if (r < 0) return V_ERROR;
        if (r == 0 || (f->unbuffered && n >= 0)) break;
        if (!vm_tick(vm, 64)) return V_ERROR;
    }
    if (s->end == s->pos && s->blocked && n != 0) { /* a stream that would block has nothing yet */
        s->blocked = false;
        return V_NONE;
    }
    size_t have = s->end - s->pos, take = n < 0 || (uint64_t)n > have ? have : (size_t)n;
    bytes *b = bytes_new(vm, s->buf + s->pos, take);
    if (!b) return V_ERROR;
    s->pos += take;
    return value_obj(b);
}

static value read_line_bytes(vm *vm, file *f, int64_t limit)
{
    file *s = file_stream(f);
    if (!stream_before_read(vm, s)) return V_ERROR;
    size_t seen = 0, take;
    for (;;) {
        size_t have = s->end - s->pos;
        uint8_t *nl = have > seen ? memchr(s->buf + s->pos + seen, '\n', have - seen) : NULL;
        take = nl ? (size_t)(nl + 1 - (s->buf + s->pos)) : have;
        if (nl || (limit >= 0 && have >= (uint64_t)limit)) break;
        seen = have;
        int r = stream_fill(vm, s);
        if (r < 0) return V_ERROR;
        if (r == 0) break;
    }
    if (limit >= 0 && take > (uint64_t)limit) take = (size_t)limit;
    bytes *b = bytes_new(vm, s->buf + s->pos, take);
    if (!b) return V_ERROR;
    s->pos += take;
    return value_obj(b);
}

static value str_or_error(str *s) { return s ? value_obj(s) : V_ERROR; }

NATIVE(f_read)
{
    int64_t size;
    if (!check_readable(vm, SELF, "read") || !size_argument(vm, a[1], &size)) return V_ERROR;
    if (!SELF->binary) return str_or_error(text_read(vm, SELF, size));
    if (size < -1) return raise_value_error(vm, "read length must be non-negative or -1");
    return read_bytes(vm, SELF, size);
}

NATIVE(f_readall) { return check_readable(vm, SELF, "read") ? read_bytes(vm, SELF, -1) : V_ERROR; }

NATIVE(f_read1)
{
    int64_t size;
    if (!check_readable(vm, SELF, "read") || !size_argument(vm, a[1], &size)) return V_ERROR;
    file *s = file_stream(SELF);
    if (!stream_before_read(vm, s)) return V_ERROR;
    if (s->end == s->pos && size != 0 && stream_fill(vm, s) < 0) return V_ERROR;
    size_t have = s->end - s->pos;
    if (size < 0 || (uint64_t)size > have) size = (int64_t)have;
    return read_bytes(vm, SELF, size);
}

NATIVE(f_peek)
{
    if (!check_readable(vm, SELF, "peek")) return V_ERROR;
    file *s = file_stream(SELF);
    if (!stream_before_read(vm, s)) return V_ERROR;
    if (s->end == s->pos && stream_fill(vm, s) < 0) return V_ERROR;
    bytes *b = bytes_new(vm, s->buf + s->pos, s->end - s->pos);
    return b ? value_obj(b) : V_ERROR;
}

/* Keeps a buffer where it is while something may run. */
static void buffer_hold(vm *vm, value v, int delta)
{
    const buffer_ops *ops = buffer_ops_of(vm, v);
    if (ops && ops->pin) ops->pin(value_as_obj(v), delta);
}

NATIVE(f_readinto)
{
    buffer_info info;
    if (!check_readable(vm, SELF, "read")) return V_ERROR;
    if (!buffer_info_of(vm, a[1], &info) || info.readonly)
        return raised(vm)
                   ? V_ERROR
                   : raise_type_error(vm, "readinto() argument must be read-write bytes-like object, not %T", a[1]);
    buffer_hold(vm, a[1], 1);
    value v = read_bytes(vm, SELF, (int64_t)info.n);
    buffer_hold(vm, a[1], -1);
    if (value_is_error(v) || value_is_none(v)) return v;
    bytes *b = AS(bytes, v);
    if (b->len) memcpy(info.data, b->data, b->len);
    return int_from_u64(vm, b->len);
}

NATIVE(f_readline)
{
    int64_t size;
    if (!check_readable(vm, SELF, "readline") || !size_argument(vm, a[1], &size)) return V_ERROR;
    return SELF->binary ? read_line_bytes(vm, SELF, size) : str_or_error(text_readline(vm, SELF, size));
}

static size_t line_length(value v) { return IS_STR(v) ? AS(str, v)->len : AS(bytes, v)->len; }

static value next_line(vm *vm, file *f)
{
    return f->binary ? read_line_bytes(vm, f, -1) : str_or_error(text_readline(vm, f, -1));
}

static value file_next(vm *vm, value self)
{
    file *f = AS(file, self);
    if (!check_readable(vm, f, "readline")) return V_ERROR;
    f->no_tell = !f->binary;
    value v = next_line(vm, f);
    if (value_is_error(v) || line_length(v)) return v;
    f->no_tell = false;
    return V_STOP;
}
static value file_iter(vm *vm, value self) { return file_check_open(vm, AS(file, self), NULL) ? self : V_ERROR; }

NATIVE(f_readlines)
{
    int64_t hint, total = 0;
    if (!file_check_open(vm, SELF, NULL) || !check_readable(vm, SELF, NULL) || !size_argument(vm, a[1], &hint))
        return V_ERROR;
    list *l = list_new(vm, 0);
    if (!l) return V_ERROR;
    ROOTS(vm, &l);
    for (;;) {
        value v = next_line(vm, SELF);
        if (value_is_error(v)) return V_ERROR;
        size_t len = line_length(v);
        if (!len) break;
        if (!list_append(vm, l, v) || !vm_tick(vm, 1)) return V_ERROR;
        total += (int64_t)len;
        if (hint > 0 && total > hint) break;
    }
    return value_obj(l);
}

/* ---- writing ---- */

static bool write_value(vm *vm, file *f, value v, size_t *written)
{
    if (!f->binary) {
        if (!IS_STR(v)) {
            raise_type_error(vm, "write() argument must be str, not %A", v);
            return false;
        }
        *written = AS(str, v)->len;
        return text_write(vm, f, str_plain(AS(str, v)));
    }
    const uint8_t *p;
    if (IS_STR(v) || !buffer_need(vm, v, &p, written)) {
        if (!raised(vm)) raise_type_error(vm, "a bytes-like object is required, not '%T'", v);
        return false;
    }
    file *s = file_stream(f);
    s->started = true;
    if (!s->generic && (*written < 1 << 15 || IS_BYTES(v))) {
        if (!stream_write(vm, s, p, *written)) return false;
    } else { /* a signal handler could resize it meanwhile */
        buffer_hold(vm, v, 1);
        bool ok = stream_write(vm, s, p, *written);
        buffer_hold(vm, v, -1);
        if (!ok) return false;
    }
    return !f->line_buffered || !f->of || stream_flush(vm, s);
}

NATIVE(f_write)
{
    size_t written;
    if (SELF->binary && !is_closed(SELF) && IS_STR(a[1]))
        return raise_type_error(vm, "a bytes-like object is required, not 'str'");
    if (!file_check_writable(vm, SELF) || !write_value(vm, SELF, a[1], &written)) return V_ERROR;
    return int_from_u64(vm, written);
}

NATIVE(f_writelines)
{
    if (!file_check_open(vm, SELF, NULL)) return V_ERROR;
    value it = obj_iter(vm, a[1]);
    if (value_is_error(it)) return V_ERROR;
    ROOTS(vm, &it);
    for (;;) {
        value v = obj_next(vm, it);
        size_t written;
        if (value_is(v, V_STOP)) return V_NONE;
        if (value_is_error(v) || !file_check_writable(vm, SELF)) return V_ERROR;
        ROOTS(vm, &v);
        if (!write_value(vm, SELF, v, &written)) return V_ERROR;
    }
}

NATIVE(f_flush)
{
    if (!file_check_open(vm, SELF, SELF->writable ? "flush" : NULL)) return V_ERROR;
    if (!stream_flush(vm, file_stream(SELF))) return V_ERROR;
    if (file_stream(SELF)->generic && (!SELF->binary || !SELF->writable))
        return value_is_error(source_call(vm, file_stream(SELF), "flush", NULL, 0)) ? V_ERROR : V_NONE;
    return V_NONE;
}

NATIVE(f_close)
{
    if (SELF->detached && !file_check_open(vm, SELF, NULL)) return V_ERROR;
    /* a subclass may have a flush of its own */
    if ((type_of(vm, a[0])->flags & TF_HEAP) && !is_closed(SELF) && !SELF->detached) {
        value r = vm_call_method(vm, a[0], N(vm, flush), NULL, 0);
        if (value_is_error(r)) {
            value failed = exc_take(vm);
            ROOTS(vm, &failed);
            if (!stream_close(vm, file_stream(SELF))) exc_clear(vm);
            return raise_exception(vm, failed);
        }
    }
    return stream_close(vm, file_stream(SELF)) ? V_NONE : V_ERROR;
}

/* ---- position ---- */

static bool check_descriptor(vm *vm, file *f)
{
    if (UNLIKELY(f->detached)) return file_check_open(vm, f, NULL);
    if (!is_closed(f)) return true;
    raise_value_error(vm, "I/O operation on closed file");
    return false;
}

NATIVE(f_tell)
{
    if (SELF->binary ? !check_descriptor(vm, SELF) : !check_seekable(vm, SELF, NULL)) return V_ERROR;
    if (SELF->no_tell) return raise(vm, EXC_OSError, "telling position disabled by next() call");
    int64_t at = stream_tell(vm, file_stream(SELF));
    return at < 0 ? V_ERROR : int_from_i64(vm, at);
}

NATIVE(f_seek)
{
    int64_t offset, whence = 0, at;
    file *f = SELF;
    if (!check_seekable(vm, f, "seek")) return V_ERROR;
    if (!obj_as_index(vm, a[1], &offset, EXC_OverflowError)) return V_ERROR;
    if (!value_is_unbound(a[2]) && !obj_as_index(vm, a[2], &whence, EXC_OverflowError)) return V_ERROR;
    if (f->binary) {
        if (whence < 0 || whence > 2) return raise_value_error(vm, "whence value %ld unsupported", whence);
    } else {
        if (whence < 0 || whence > 2) return raise_value_error(vm, "invalid whence (%ld, should be 0, 1 or 2)", whence);
        if (whence == 1 && offset) return raise_unsupported(vm, "can't do nonzero cur-relative seeks");
        if (whence == 2 && offset) return raise_unsupported(vm, "can't do nonzero end-relative seeks");
        if (offset < 0) return raise_value_error(vm, "negative seek position %ld", offset);
    }
    file *s = file_stream(f);
    if (!stream_seek(vm, s, offset, (int)whence, &at)) return V_ERROR;
    f->no_tell = false;
    s->transcoded = false;
    s->started = at != 0;
    return int_from_i64(vm, at);
}

NATIVE(f_truncate)
{
    file *f = SELF, *s = file_stream(f);
    int64_t size;
    if (!file_check_open(vm, f, "truncate")) return V_ERROR;
    if (!f->writable) return raise_unsupported(vm, "truncate");
    if (!stream_flush(vm, s)) return V_ERROR;
    if (value_is_unbound(a[1]) || value_is_none(a[1])) {
        size = stream_tell(vm, s);
        if (size < 0) return V_ERROR;
    } else if (!obj_as_index(vm, a[1], &size, EXC_OverflowError)) {
        return V_ERROR;
    }
    if (s->generic) {
        value n = int_from_i64(vm, size);
        return value_is_error(n) ? n : source_call(vm, s, "truncate", &n, 1);
    }
    if (ftruncate(s->fd, (off_t)size) != 0) return raise_os_error(vm, errno, V_UNBOUND);
    return int_from_i64(vm, size);
}

/* ---- the rest ---- */

/* Asks the object below a generic stream. */
#define ASK_SOURCE(NAME)                                                              \
    if (UNLIKELY(SELF->detached) && !file_check_open(vm, SELF, NULL)) return V_ERROR; \
    if (UNLIKELY(file_stream(SELF)->generic)) return source_call(vm, file_stream(SELF), NAME, NULL, 0)

NATIVE(f_fileno)
{
    ASK_SOURCE("fileno");
    return check_descriptor(vm, SELF) ? value_int(file_stream(SELF)->fd) : V_ERROR;
}
NATIVE(f_isatty)
{
    ASK_SOURCE("isatty");
    return check_descriptor(vm, SELF) ? value_bool(isatty(file_stream(SELF)->fd)) : V_ERROR;
}
NATIVE(f_readable)
{
    if (SELF->readable || !SELF->binary) {
        ASK_SOURCE("readable");
    }
    return check_descriptor(vm, SELF) ? value_bool(SELF->readable) : V_ERROR;
}
NATIVE(f_writable)
{
    if (SELF->writable || !SELF->binary) {
        ASK_SOURCE("writable");
    }
    return !SELF->writable || check_descriptor(vm, SELF) ? value_bool(SELF->writable) : V_ERROR;
}
NATIVE(f_seekable)
{
    ASK_SOURCE("seekable");
    return check_descriptor(vm, SELF) ? value_bool(file_stream(SELF)->seekable) : V_ERROR;
}
/* The object below is the caller's again; this one is of no use any more. */
NATIVE(f_detach)
{
    file *f = SELF;
    if (f->detached) {
        file_check_open(vm, f, NULL);
        return V_ERROR;
    }
    if ((f->binary && f->unbuffered)) return raise_unsupported(vm, "detach");
    if (value_is_error(vm_call_method(vm, a[0], N(vm, flush), NULL, 0))) return V_ERROR;
    value below = f->binary ? get_raw(vm, a[0]) : get_buffer(vm, a[0]);
    if (value_is_error(below)) return below;
    if (f->generic && f->end > f->pos) f->pos = f->end = 0;
    f->detached = true;
    return below;
}

NATIVE(f_enter) { return file_check_open(vm, SELF, NULL) ? a[0] : V_ERROR; }
NATIVE(f_exit)
{
    return !(type_of(vm, a[0])->flags & TF_HEAP) ? f_close(vm, a, n, kw)
                                                 : vm_call_method(vm, a[0], N(vm, close), NULL, 0);
}

NATIVE(f_reconfigure)
{
    file *f = SELF;
    str *encoding, *errors, *newline;
    if (!file_check_open(vm, f, NULL) || !file_text_argument(vm, a[1], "reconfigure", "encoding", &encoding) ||
        !file_text_argument(vm, a[2], "reconfigure", "errors", &errors))
        return V_ERROR;
    if (file_stream(f)->started && f->readable && (encoding || !value_is_unbound(a[3])))
        return raise_unsupported(vm,
                                 "It is not possible to set the encoding or newline of stream after the first read");
    if (encoding) {
        codec_id id = codec_need(vm, value_obj(encoding));
        if (id == CODEC_UNKNOWN) return V_ERROR;
        f->codec = (uint8_t)id;
        f->encoding = value_obj(encoding);
        if (!errors && !(errors = str_from_cstr(vm, "strict"))) return V_ERROR;
    }
    if (errors) f->errors = value_obj(errors);
    gc_barrier(vm, f);
    if (!value_is_unbound(a[3]) &&
        (!file_text_argument(vm, a[3], "reconfigure", "newline", &newline) || !file_newline(vm, newline, &f->newline)))
        return V_ERROR;
    for (int i = 4; i < 6; i++) {
        if (value_is_unbound(a[i]) || value_is_none(a[i])) continue;
        int on = obj_truth(vm, a[i]);
        if (on < 0) return V_ERROR;
        if (i == 4) f->line_buffered = on;
        else f->write_through = on;
    }
    return stream_flush(vm, file_stream(f)) ? V_NONE : V_ERROR;
}

static value get_name(vm *vm, value self)
{
    file *f = AS(file, self);
    if (f->detached && !file_check_open(vm, f, NULL)) return V_ERROR;
    return value_is_unbound(f->name) ? source_attribute(vm, f, "name") : f->name;
}
static bool set_name(vm *vm, value self, value v)
{
    AS(file, self)->name = v; /* unbound: deleted */
    gc_barrier(vm, AS(file, self));
    return true;
}
static value get_blksize(vm *vm, value self)
{
    struct stat st;
    file *s = file_stream(AS(file, self));
    return s->fd < 0 || s->generic || fstat(s->fd, &st) ? value_int(8192) : int_from_i64(vm, st.st_blksize);
}
static value get_mode(vm *vm, value self)
{
    file *f = AS(file, self);
    if (value_is_unbound(f->mode)) {
        if (f->binary) return source_attribute(vm, f, "mode");
        str *name = str_intern_utf8(vm, "mode", 4);
        return name ? raise_attribute_error(vm, self, name) : V_ERROR;
    }
    str *m = AS(str, f->mode);
    if (!f->binary || !str_find_char(m, '+')) return f->mode;
    return str_or_error(str_from_cstr(vm, "rb+")); /* raw files say so whatever order it was given in */
}
static value get_closed(vm *vm, value self)
{
    file *f = AS(file, self);
    if (f->detached && !file_check_open(vm, f, NULL)) return V_ERROR;
    if (file_stream(f)->generic && !value_is_unbound(file_stream(f)->src))
        return source_attribute(vm, file_stream(f), "closed");
    return value_bool(is_closed(f));
}
static value get_encoding(vm *vm, value self)
{
    (void)vm;
    return AS(file, self)->encoding;
}
static value get_errors(vm *vm, value self)
{
    (void)vm;
    return AS(file, self)->errors;
}
static value get_line_buffering(vm *vm, value self)
{
    (void)vm;
    return value_bool(AS(file, self)->line_buffered);
}
static value get_write_through(vm *vm, value self)
{
    (void)vm;
    return value_bool(AS(file, self)->write_through);
}
static value get_newlines(vm *vm, value self)
{
    static const char *const texts[] = {"\r", "\n", "\r\n"};
    uint8_t seen = AS(file, self)->seen_newlines;
    value v[3];
    uint32_t n = 0;
    for (int i = 0; i < 3; i++) {
        if (!(seen & 1 << i)) continue;
        str *s = str_from_cstr(vm, texts[i]);
        if (!s) return V_ERROR;
        v[n++] = value_obj(s);
    }
    if (n < 2) return n ? v[0] : V_NONE;
    tuple *t = tuple_from(vm, v, n);
    return t ? value_obj(t) : V_ERROR;
}

/* The bytes below a text file. */
static value get_buffer(vm *vm, value self)
{
    file *t = AS(file, self);
    if (t->detached) return V_NONE;
    if (!value_is_unbound(t->src)) return t->src;
    unsigned id = t->readable && t->writable ? TYPE_BUFFEREDRANDOM
                  : t->readable              ? TYPE_BUFFEREDIO
                                             : TYPE_BUFFEREDWRITER;
    file *f = file_alloc(vm, id);
    if (!f) return V_ERROR;
    f->of = t;
    f->binary = true;
    f->readable = t->readable;
    f->writable = t->writable;
    f->line_buffered = false;
    f->name = t->name;
    str *mode = str_from_cstr(vm, id == TYPE_BUFFEREDRANDOM ? "rb+" : t->readable ? "rb" : "wb");
    if (!mode) return V_ERROR;
    f->mode = value_obj(mode);
    t->src = value_obj(f);
    gc_barrier(vm, t);
    return value_obj(f);
}
static value get_raw(vm *vm, value self)
{
    (void)vm;
    file *f = AS(file, self);
    if (f->detached) return V_NONE;
    return !value_is_unbound(f->src) ? f->src : self;
}

static value file_repr(vm *vm, value self)
{
    file *f = AS(file, self);
    str *s;
    if (!(f->binary && f->unbuffered) && (f->detached || value_is_unbound(f->name) || value_is_unbound(f->mode))) {
        value name = get_name(vm, self);
        if (value_is_error(name)) {
            if (!exc_clear_if(vm, EXC_AttributeError) && !exc_clear_if(vm, EXC_ValueError)) return V_ERROR;
            s = f->binary ? str_format(vm, "<%T>", self) : str_format(vm, "<%T encoding=%R>", self, f->encoding);
        } else if (f->binary) {
            s = str_format(vm, "<%T name=%R>", self, name);
        } else {
            s = str_format(vm, "<%T name=%R encoding=%R>", self, name, f->encoding);
        }
    } else if (!f->binary) s = str_format(vm, "<%T name=%R mode=%R encoding=%R>", self, f->name, f->mode, f->encoding);
    else if (!(f->binary && f->unbuffered)) s = str_format(vm, "<%T name=%R>", self, f->name);
    else if (is_closed(f)) s = str_format(vm, "<_io.FileIO [closed]>");
    else if (value_is_unbound(f->name) || value_is_none(f->name))
        s = str_format(vm, "<_io.FileIO fd=%d mode=%R closefd=%s>", f->fd, f->mode, f->closefd ? "True" : "False");
    else s = str_format(vm, "<_io.FileIO name=%R mode=%R closefd=%s>", f->name, f->mode, f->closefd ? "True" : "False");
    return str_or_error(s);
}

static void file_traverse(vm *vm, object *o)
{
    file *f = (file *)o;
    gc_mark_slots(vm, o, f->slots);
    gc_mark_value(vm, f->name);
    gc_mark_value(vm, f->mode);
    gc_mark_value(vm, f->encoding);
    gc_mark_value(vm, f->errors);
    gc_mark_obj(vm, (object *)f->of);
    gc_mark_value(vm, f->src);
}
static void file_free(vm *vm, object *o)
{
    stream_drop(vm, (file *)o);
    object_slots_free(vm, o, ((file *)o)->slots);
}
static const gc_kind_ops file_kind_ops = {.traverse = file_traverse, .free = file_free, .finalize = source_finalize};

#define SHARED_METHODS                                                                                          \
    {"readline(self, size=-1, /)", f_readline, NULL, 0}, {"readlines(self, hint=-1, /)", f_readlines, NULL, 0}, \
        {"write(self, text, /)", f_write, NULL, 0}, {"writelines(self, lines, /)", f_writelines, NULL, 0},      \
        {"flush(self, /)", f_flush, NULL, 0}, {"close(self, /)", f_close, NULL, 0},                             \
        {"seek(self, cookie, whence=0, /)", f_seek, NULL, 0}, {"tell(self, /)", f_tell, NULL, 0},               \
        {"truncate(self, pos=None, /)", f_truncate, NULL, 0},                                                   \
        {"detach(self, /)", f_detach, "Separate the object below from this one and return it.", 0},             \
        {"fileno(self, /)", f_fileno, NULL, 0}, {"isatty(self, /)", f_isatty, NULL, 0},                         \
        {"readable(self, /)", f_readable, NULL, 0}, {"writable(self, /)", f_writable, NULL, 0},                 \
        {"seekable(self, /)", f_seekable, NULL, 0}, {"__enter__(self, /)", f_enter, NULL, 0},                   \
    {                                                                                                           \
        "__exit__(self, exc_type=None, exc=None, tb=None, /)", f_exit, NULL, 0                                  \
    }

static const native_def text_methods[] = {
    {"read(self, size=-1, /)", f_read, NULL, 0},
    {"reconfigure(self, encoding=None, errors=None, newline=None, line_buffering=None, write_through=None)",
     f_reconfigure, NULL, 0},
    SHARED_METHODS,
    {0},
};
static const native_def binary_methods[] = {
    {"read(self, size=-1, /)", f_read, NULL, 0},
    {"read1(self, size=-1, /)", f_read1, NULL, 0},
    {"peek(self, size=0, /)", f_peek, NULL, 0},
    {"readinto(self, buffer, /)", f_readinto, NULL, 0},
    {"readinto1(self, buffer, /)", f_readinto, NULL, 0},
    {"readall(self, /)", f_readall, NULL, 0},
    SHARED_METHODS,
    {0},
};
static const getset_def text_getsets[] = {
    {"name", get_name, set_name, NULL},
    {"mode", get_mode, NULL, NULL},
    {"closed", get_closed, NULL, NULL},
    {"encoding", get_encoding, NULL, NULL},
    {"errors", get_errors, NULL, NULL},
    {"buffer", get_buffer, NULL, NULL},
    {"line_buffering", get_line_buffering, NULL, NULL},
    {"write_through", get_write_through, NULL, NULL},
    {"newlines", get_newlines, NULL, NULL},
    {0},
};
static const getset_def binary_getsets[] = {
    {"name", get_name, set_name, NULL}, {"mode", get_mode, NULL, NULL},        {"closed", get_closed, NULL, NULL},
    {"raw", get_raw, NULL, NULL},       {"_blksize", get_blksize, NULL, NULL}, {0},
};

void type_init_file(vm *vm)
{
    gc_register_kind(vm, K_FILE, &file_kind_ops);
    type *text = T(vm, TEXTIO), *binary = T(vm, BINARYIO);
    file_source_slots(vm);
    text->s.repr = binary->s.repr = file_repr;
    text->s.iter = binary->s.iter = file_iter;
    text->s.next = binary->s.next = file_next;
    text->methods = text_methods;
    text->getsets = text_getsets;
    binary->methods = binary_methods;
    binary->getsets = binary_getsets;
}
