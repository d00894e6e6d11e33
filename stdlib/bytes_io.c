/* io.BytesIO: a binary file in memory.
 *
 * Invariants
 *  1. data has cap bytes, the first len are the content; pos may lie beyond: a write there fills the
 *     gap with zeros.
 *  2. While exports->views is not 0 (memoryviews of getbuffer() live) data neither moves nor changes its
 *     length: everything that would do so passes may_resize. */
#include "io_module.h"

#include "vm/bytes.h"

#define DOC_FILE stdlib_bytes_io
DOC_BEGIN;

/* Shared by a stream and its buffers, which may die in any order. */
struct bio_exports {
    size_t views, owners;
};
struct bytes_io {
    uint8_t *data;
    size_t len, cap, pos;
    struct bio_exports *exports; /* NULL until getbuffer() */
    bool closed;
};
/* What getbuffer()'s view looks at. */
struct bio_buffer {
    value source;
    struct bio_exports *exports;
    size_t views; /* its part of exports->views */
};

static struct bytes_io *bio_of(value v) { return (struct bytes_io *)(void *)AS(userdata, v)->body; }

static void bio_drop(vm *vm, struct bytes_io *b)
{
    if (b->data) mem_free(vm, b->data, b->cap);
    b->data = NULL;
    b->len = b->cap = b->pos = 0;
}
static void exports_leave(vm *vm, struct bio_exports *e)
{
    if (e && !--e->owners) mem_free(vm, e, sizeof *e);
}
static void bio_free(vm *vm, object *o)
{
    bio_drop(vm, bio_of(value_obj(o)));
    exports_leave(vm, bio_of(value_obj(o))->exports);
}
static const type_layout bio_layout = {.size = sizeof(struct bytes_io), .free = bio_free};

static struct bytes_io *bio_open(vm *vm, value self)
{
    struct bytes_io *b = bio_of(self);
    if (LIKELY(!b->closed)) return b;
    io_closed_error(vm);
    return NULL;
}
static bool may_resize(vm *vm, const struct bytes_io *b)
{
    if (LIKELY(!b->exports || !b->exports->views)) return true;
    raise(vm, EXC_BufferError, "Existing exports of data: object cannot be re-sized");
    return false;
}

/* ---- the buffer ---- */

static struct bio_buffer *buffer_of(object *o) { return (struct bio_buffer *)(void *)((userdata *)(void *)o)->body; }
static bool buffer_get(vm *vm, object *o, buffer_info *out)
{
    const struct bytes_io *b = bio_open(vm, buffer_of(o)->source);
    if (!b) return false;
    *out = (buffer_info){b->data ? b->data : (uint8_t *)(uintptr_t) "", b->len, 1, 'B', false};
    return true;
}
static void buffer_pin_source(object *o, int delta)
{
    struct bio_buffer *b = buffer_of(o);
    b->views += (size_t)(int64_t)delta;
    b->exports->views += (size_t)(int64_t)delta;
}
static void buffer_free(vm *vm, object *o)
{
    struct bio_buffer *b = buffer_of(o);
    if (!b->exports) return;
    b->exports->views -= b->views; /* of views that died together with it */
    exports_leave(vm, b->exports);
}
static void buffer_traverse(vm *vm, object *o) { gc_mark_value(vm, buffer_of(o)->source); }
static const buffer_ops bio_buffer_ops = {buffer_get, buffer_pin_source};
static const type_layout buffer_layout = {
    .size = sizeof(struct bio_buffer), .traverse = buffer_traverse, .free = buffer_free, .buffer = &bio_buffer_ops};

/* ---- content ---- */

static bool bio_put(vm *vm, struct bytes_io *b, const uint8_t *p, size_t n)
{
    size_t end;
    if (!n) return true;
    if (!size_add(b->pos, n, &end) || end > BYTES_SIZE_MAX) {
        raise_overflow(vm, "new buffer size too large");
        return false;
    }
    if (end > b->cap) {
        size_t cap = end + end / 4 + 32;
        uint8_t *data = mem_realloc(vm, b->data, b->cap, cap);
        if (!data) return false;
        b->data = data;
        b->cap = cap;
    }
    if (b->pos > b->len) memset(b->data + b->len, 0, b->pos - b->len);
    memcpy(b->data + b->pos, p, n);
    b->pos = end;
    if (end > b->len) b->len = end;
    return true;
}

/* The next n bytes at most; n < 0: all. */
static value bio_take(vm *vm, struct bytes_io *b, int64_t n)
{
    size_t left = b->pos < b->len ? b->len - b->pos : 0;
    if (n >= 0 && (size_t)n < left) left = (size_t)n;
    if (!left) return value_obj(vm->empty_bytes);
    bytes *r = bytes_new(vm, b->data + b->pos, left);
    if (!r) return V_ERROR;
    b->pos += left;
    return value_obj(r);
}
static value bio_line(vm *vm, struct bytes_io *b, int64_t limit)
{
    if (b->pos >= b->len) return value_obj(vm->empty_bytes);
    const uint8_t *from = b->data + b->pos, *nl = memchr(from, '\n', b->len - b->pos);
    int64_t n = nl ? nl + 1 - from : (int64_t)(b->len - b->pos);
    return bio_take(vm, b, limit >= 0 && limit < n ? limit : n);
}

static value bio_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args, (void)nargs, (void)kwnames;
    void *o = userdata_new(vm, t);
    return o ? value_obj(o) : V_ERROR;
}
/* Writes any bytes-like object at pos; how many bytes, or -1 raised. */
static int64_t bio_write_object(vm *vm, value self, value v)
{
    const uint8_t *p;
    size_t n;
    struct bytes_io *b = bio_open(vm, self);
    if (!b || !may_resize(vm, b) || !buffer_need(vm, v, &p, &n)) return -1;
    return bio_put(vm, b, p, n) ? (int64_t)n : -1;
}
static bool bio_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value initial;
    struct bytes_io *b = bio_of(self);
    if (!args_bind(vm, "BytesIO(initial_bytes=b'')", args, nargs, kwnames, &initial)) return false;
    if (!may_resize(vm, b)) return false;
    b->closed = false;
    b->len = b->pos = 0;
    if (value_is_unbound(initial) || value_is_none(initial)) return true;
    if (bio_write_object(vm, self, initial) < 0) return false;
    b->pos = 0;
    return true;
}

/* ---- methods ---- */

FN(bio_getvalue)
{
    const struct bytes_io *b = bio_open(vm, args[0]);
    if (!b) return V_ERROR;
    bytes *r = b->len ? bytes_new(vm, b->data, b->len) : vm->empty_bytes;
    return r ? value_obj(r) : V_ERROR;
}
FN(bio_getbuffer)
{
    struct bytes_io *b = bio_open(vm, args[0]);
    if (!b) return V_ERROR;
    if (!b->exports) {
        if (!(b->exports = mem_zalloc(vm, sizeof *b->exports))) return V_ERROR;
        b->exports->owners = 1;
    }
    object *o = userdata_new(vm, module_state_type(vm, STATE_BYTES_IO_BUFFER));
    if (!o) return V_ERROR;
    b->exports->owners++;
    *buffer_of(o) = (struct bio_buffer){args[0], b->exports, 0};
    return memoryview_new(vm, value_obj(o));
}
FN(bio_tell)
{
    const struct bytes_io *b = bio_open(vm, args[0]);
    return b ? int_from_u64(vm, b->pos) : V_ERROR;
}
FN(bio_read)
{
    int64_t n;
    if (!bio_open(vm, args[0]) || !io_size(vm, args[1], -1, &n)) return V_ERROR;
    return bio_take(vm, bio_of(args[0]), n);
}
FN(bio_readline)
{
    int64_t n;
    if (!bio_open(vm, args[0]) || !io_size(vm, args[1], -1, &n)) return V_ERROR;
    return bio_line(vm, bio_of(args[0]), n);
}
FN(bio_readinto)
{
    buffer_info to;
    struct bytes_io *b = bio_open(vm, args[0]);
    if (!b) return V_ERROR;
    if (!buffer_info_of(vm, args[1], &to) || to.readonly) {
        if (raised(vm)) return V_ERROR;
        return raise_type_error(vm, "readinto() argument must be read-write bytes-like object, not %T", args[1]);
    }
    size_t n = b->pos < b->len ? b->len - b->pos : 0;
    if (n > to.n) n = to.n;
    if (n) memmove(to.data, b->data + b->pos, n);
    b->pos += n;
    return int_from_u64(vm, n);
}
FN(bio_truncate)
{
    struct bytes_io *b = bio_open(vm, args[0]);
    int64_t n;
    if (!b || !may_resize(vm, b) || !io_size(vm, args[1], (int64_t)b->pos, &n)) return V_ERROR;
    if (n < 0) return raise_value_error(vm, "negative size value %ld", n);
    if ((size_t)n < b->len && may_resize(vm, b)) b->len = (size_t)n;
    return raised(vm) ? V_ERROR : int_from_i64(vm, n);
}
FN(bio_seek)
{
    int64_t pos = 0;
    int whence;
    if (!bio_open(vm, args[0]) || !args_ssize(vm, args[1], 0, &pos) || !io_whence(vm, args[2], &whence)) return V_ERROR;
    struct bytes_io *b = bio_open(vm, args[0]);
    if (!b) return V_ERROR;
    if (pos < 0 && !whence) return raise_value_error(vm, "negative seek value %ld", pos);
    if (whence < 0 || whence > 2) return raise_value_error(vm, "invalid whence (%d, should be 0, 1 or 2)", whence);
    int64_t base = whence == 0 ? 0 : (int64_t)(whence == 1 ? b->pos : b->len);
    if (__builtin_add_overflow(base, pos, &pos)) return raise_overflow(vm, "new position too large");
    b->pos = pos < 0 ? 0 : (size_t)pos;
    return int_from_u64(vm, b->pos);
}
FN(bio_write)
{
    int64_t n = bio_write_object(vm, args[0], args[1]);
    return n < 0 ? V_ERROR : int_from_i64(vm, n);
}
FN(bio_close)
{
    struct bytes_io *b = bio_of(args[0]);
    if (!may_resize(vm, b)) return V_ERROR;
    b->closed = true;
    bio_drop(vm, b);
    return V_NONE;
}
FN(bio_yes) { return bio_open(vm, args[0]) ? V_TRUE : V_ERROR; }
FN(bio_isatty) { return bio_open(vm, args[0]) ? V_FALSE : V_ERROR; }

static value bio_next(vm *vm, value self)
{
    struct bytes_io *b = bio_open(vm, self);
    if (!b) return V_ERROR;
    value line = bio_line(vm, b, -1);
    return !value_is_error(line) && !AS(bytes, line)->len ? V_STOP : line;
}

FN(bio_getstate)
{
    const struct bytes_io *b = bio_open(vm, args[0]);
    if (!b) return V_ERROR;
    value part[3] = {bio_getvalue(vm, args, 1, V_UNBOUND), int_from_u64(vm, b->pos), V_NONE};
    ROOT_SPAN(vm, part, 3);
    dict *d = object_dict(vm, args[0]);
    if (d) d = dict_copy(vm, d);
    if (!d || value_is_error(part[0]) || value_is_error(part[1])) return V_ERROR;
    part[2] = value_obj(d);
    tuple *r = tuple_from(vm, part, 3);
    return r ? value_obj(r) : V_ERROR;
}
FN(bio_setstate)
{
    int64_t pos;
    if (!IS_TUPLE(args[1]) || AS(tuple, args[1])->len < 3)
        return raise_type_error(vm, "%T.__setstate__ argument should be 3-tuple, got %T", args[0], args[1]);
    const value *state = AS(tuple, args[1])->items;
    struct bytes_io *b = bio_of(args[0]);
    if (!may_resize(vm, b)) return V_ERROR;
    b->len = b->pos = 0;
    if (bio_write_object(vm, args[0], state[0]) < 0) return V_ERROR;
    if (!int_is(state[1])) return raise_type_error(vm, "second item of state must be an integer, not %T", state[1]);
    if (!int_as_i64(vm, int_plain(vm, state[1]), &pos)) return V_ERROR;
    if (pos < 0) return raise_value_error(vm, "position value cannot be negative");
    b->pos = (size_t)pos;
    return io_restore_dict(vm, args[0], state[2]) ? V_NONE : V_ERROR;
}

static value get_closed(vm *vm, value self)
{
    (void)vm;
    return value_bool(bio_of(self)->closed);
}

static const getset_def bio_getsets[] = {{"closed", get_closed, NULL, DOC("True if the file is closed.")}, {0}};
static const native_def bio_methods[] = {
    {"close(self, /)", bio_close, DOC("Disable all I/O operations."), 0},
    {"getvalue(self, /)", bio_getvalue, DOC("Retrieve the entire contents of the BytesIO object."), 0},
    {"getbuffer(self, /)", bio_getbuffer, DOC("Get a read-write view over the contents of the BytesIO object."), 0},
    {"read(self, size=-1, /)", bio_read, DOC("Read at most size bytes, returned as a bytes object."), 0},
    {"read1(self, size=-1, /)", bio_read, DOC("Read at most size bytes, returned as a bytes object."), 0},
    {"readinto(self, buffer, /)", bio_readinto, DOC("Read bytes into buffer."), 0},
    {"readinto1(self, buffer, /)", bio_readinto, NULL, 0},
    {"readline(self, size=-1, /)", bio_readline, DOC("Next line from the file, as a bytes object."), 0},
    {"readlines(self, size=None, /)", io_readlines, DOC("List of bytes objects, each a line from the file."), 0},
    {"tell(self, /)", bio_tell, DOC("Current file position, an integer."), 0},
    {"truncate(self, size=None, /)", bio_truncate, DOC("Truncate the file to at most size bytes."), 0},
    {"seek(self, pos, whence=0, /)", bio_seek, DOC("Change stream position."), 0},
    {"write(self, b, /)", bio_write, DOC("Write bytes to file."), 0},
    {"seekable(self, /)", bio_yes, DOC("Returns True if the IO object can be seeked."), 0},
    {"readable(self, /)", bio_yes, DOC("Returns True if the IO object can be read."), 0},
    {"writable(self, /)", bio_yes, DOC("Returns True if the IO object can be written."), 0},
    {"isatty(self, /)", bio_isatty, DOC("Always returns False."), 0},
    {"__getstate__(self, /)", bio_getstate, NULL, 0},
    {"__setstate__(self, state, /)", bio_setstate, NULL, 0},
    IO_COMMON_METHODS,
    {0},
};

static void bio_fill(struct type_slots *s)
{
    s->new_ = bio_new;
    s->init = bio_init;
    s->iter = io_iter;
    s->next = bio_next;
}

bool bytes_io_add(vm *vm, module *m)
{
    static const type_spec spec = {
        .name = "_io.BytesIO",
        .doc = "Buffered I/O implementation using an in-memory bytes buffer.",
        .layout = &bio_layout,
        .methods = bio_methods,
        .getsets = bio_getsets,
        .flags = TF_BASE | TF_HAS_DICT,
        .fill = bio_fill,
    };
    static const type_spec buffer_spec = {.name = "_io._BytesIOBuffer", .layout = &buffer_layout};
    return module_add_type(vm, m, STATE_BYTES_IO, &spec) && module_state_make(vm, STATE_BYTES_IO_BUFFER, &buffer_spec);
}
