/* io.StringIO: a text file in memory.
 *
 * Invariants
 *  1. data holds len code points of `width` bytes each, with room for cap; it only grows wider until
 *     the stream is truncated to nothing or closed.
 *  2. pos may lie beyond len: a write there fills the gap with NULs.
 *  3. No pointer into data is kept across a call that can run script. */
#include "io_module.h"

#include "vm/file.h"

#define DOC_FILE stdlib_string_io
DOC_BEGIN;

struct string_io {
    uint8_t *data;
    size_t len, cap, pos;
    uint8_t width;   /* 1, 2, 4; 0 until there is data */
    uint8_t newline; /* enum file_newline: how lines end, and what is written for them */
    uint8_t seen;    /* SEEN_*, of universal newlines */
    bool ready, closed;
};

static struct string_io *sio_of(value v) { return (struct string_io *)(void *)AS(userdata, v)->body; }

static void sio_drop(vm *vm, struct string_io *s)
{
    if (s->data) mem_free(vm, s->data, s->cap * s->width);
    s->data = NULL;
    s->len = s->cap = s->pos = 0;
    s->width = 0;
}
static void sio_free(vm *vm, object *o) { sio_drop(vm, sio_of(value_obj(o))); }
static const type_layout sio_layout = {.size = sizeof(struct string_io), .free = sio_free};

static struct string_io *sio_open(vm *vm, value self)
{
    struct string_io *s = sio_of(self);
    if (LIKELY(s->ready && !s->closed)) return s;
    if (!s->ready) raise_value_error(vm, "I/O operation on uninitialized object");
    else raise_value_error(vm, "I/O operation on closed file");
    return NULL;
}

/* Room for n code points of `width` bytes at least. */
static bool sio_reserve(vm *vm, struct string_io *s, size_t n, unsigned width)
{
    if (width < s->width) width = s->width;
    if (n <= s->cap && width == s->width) return true;
    if (n > STR_LEN_MAX / 2) {
        raise_memory(vm);
        return false;
    }
    size_t cap = n <= s->cap ? s->cap : n + n / 2 + 16;
    uint8_t *data = mem_alloc(vm, cap * width);
    if (!data) return false;
    if (s->len) text_widen(data, width, s->data, s->width, s->len);
    if (s->data) mem_free(vm, s->data, s->cap * s->width);
    s->data = data;
    s->cap = cap;
    s->width = (uint8_t)width;
    return true;
}

static bool sio_put(vm *vm, struct string_io *s, const str *text)
{
    size_t end;
    if (!text->len) return true;
    if (!size_add(s->pos, text->len, &end) || end > INT64_MAX) {
        raise_overflow(vm, "new position too large");
        return false;
    }
    if (!sio_reserve(vm, s, end > s->len ? end : s->len, str_width(text))) return false;
    if (s->pos > s->len) memset(s->data + s->len * s->width, 0, (s->pos - s->len) * s->width);
    text_widen(s->data + s->pos * s->width, s->width, text->data, str_width(text), text->len);
    s->pos = end;
    if (end > s->len) s->len = end;
    return true;
}

/* Notes which line ends the text has, and turns them into \n where that is wanted. NULL raised. */
static str *from_universal(vm *vm, struct string_io *s, str *text)
{
    bool change = s->newline == NEWLINE_UNIVERSAL;
    if (!str_find_char(text, '\r')) {
        if (str_find_char(text, '\n')) s->seen |= SEEN_LF;
        return text;
    }
    str_builder b;
    sb_init(&b, vm);
    for (size_t i = 0; i < text->len; i++) {
        uint32_t c = str_at(text, i);
        if (c == '\n') s->seen |= SEEN_LF;
        if (c == '\r') {
            bool pair = i + 1 < text->len && str_at(text, i + 1) == '\n';
            s->seen |= pair ? SEEN_CRLF : SEEN_CR;
            i += pair;
            c = '\n';
        }
        if (change) sb_char(&b, c);
    }
    if (change) return sb_finish(&b);
    sb_drop(&b);
    return text;
}

static str *to_newline(vm *vm, const struct string_io *s, str *text)
{
    if (!str_find_char(text, '\n')) return text;
    str_builder b;
    sb_init(&b, vm);
    for (size_t i = 0; i < text->len; i++) {
        uint32_t c = str_at(text, i);
        if (c == '\n') {
            sb_char(&b, '\r');
            if (s->newline == NEWLINE_CR) continue;
        }
        sb_char(&b, c);
    }
    return sb_finish(&b);
}

static bool sio_write(vm *vm, struct string_io *s, str *text)
{
    if (s->newline <= NEWLINE_KEEP) text = from_universal(vm, s, text);
    else if (s->newline != NEWLINE_LF) text = to_newline(vm, s, text);
    return text && sio_put(vm, s, text);
}

/* The end of the line that begins at `at`. */
static size_t line_end(const struct string_io *s, size_t at)
{
    for (size_t i = at; i < s->len; i++) {
        uint32_t c = text_at(s->data, s->width, i);
        if (c != '\n' && c != '\r') continue;
        bool pair = c == '\r' && i + 1 < s->len && text_at(s->data, s->width, i + 1) == '\n';
        switch (s->newline) {
        case NEWLINE_KEEP: return i + 1 + pair;
        case NEWLINE_CR:
            if (c == '\r') return i + 1;
            break;
        case NEWLINE_CRLF:
            if (pair) return i + 2;
            break;
        default:
            if (c == '\n') return i + 1;
        }
    }
    return s->len;
}

static value sio_take(vm *vm, struct string_io *s, size_t end)
{
    if (s->pos >= end) return value_obj(vm->empty_str);
    str *text = str_from_text(vm, s->data + s->pos * s->width, s->width, end - s->pos);
    if (!text) return V_ERROR;
    s->pos = end;
    return value_obj(text);
}

static value sio_line(vm *vm, struct string_io *s, int64_t limit)
{
    if (s->pos >= s->len || !limit) return value_obj(vm->empty_str);
    size_t end = line_end(s, s->pos);
    if (limit > 0 && (size_t)limit < end - s->pos) end = s->pos + (size_t)limit;
    return sio_take(vm, s, end);
}

static value sio_text(vm *vm, const struct string_io *s)
{
    return s->len ? str_value(str_from_text(vm, s->data, s->width, s->len)) : value_obj(vm->empty_str);
}

/* ---- construction ---- */

static value sio_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args, (void)nargs, (void)kwnames;
    void *o = userdata_new(vm, t);
    return o ? value_obj(o) : V_ERROR;
}

static bool sio_setup(vm *vm, value self, value text, value newline)
{
    struct string_io *s = sio_of(self);
    uint8_t mode = NEWLINE_LF;
    if (value_is_none(newline)) {
        mode = NEWLINE_UNIVERSAL;
    } else if (!value_is_unbound(newline)) {
        if (!IS_STR(newline)) {
            raise_type_error(vm, "newline must be str or None, not %T", newline);
            return false;
        }
        const str *n = AS(str, newline);
        if (!n->len) mode = NEWLINE_KEEP;
        else if (str_equal_ascii(n, "\r")) mode = NEWLINE_CR;
        else if (str_equal_ascii(n, "\r\n")) mode = NEWLINE_CRLF;
        else if (!str_equal_ascii(n, "\n")) {
            raise_value_error(vm, "illegal newline value: %R", newline);
            return false;
        }
    }
    if (!value_is_unbound(text) && !value_is_none(text) && !IS_STR(text)) {
        raise_type_error(vm, "initial_value must be str or None, not %T", text);
        return false;
    }
    sio_drop(vm, s);
    s->newline = mode;
    s->seen = 0;
    s->closed = false;
    s->ready = true;
    if (IS_STR(text) && !sio_write(vm, s, AS(str, text))) return false;
    s->pos = 0;
    return true;
}

static bool sio_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value in[2];
    return args_bind(vm, "StringIO(initial_value='', newline='\\n')", args, nargs, kwnames, in) &&
           sio_setup(vm, self, in[0], in[1]);
}

/* ---- methods ---- */

FN(sio_getvalue)
{
    const struct string_io *s = sio_open(vm, args[0]);
    return s ? sio_text(vm, s) : V_ERROR;
}
FN(sio_tell)
{
    const struct string_io *s = sio_open(vm, args[0]);
    return s ? int_from_u64(vm, s->pos) : V_ERROR;
}
FN(sio_read)
{
    int64_t n;
    if (!sio_open(vm, args[0]) || !io_size(vm, args[1], -1, &n)) return V_ERROR;
    struct string_io *s = sio_of(args[0]);
    size_t left = s->pos < s->len ? s->len - s->pos : 0;
    return sio_take(vm, s, s->pos + (n < 0 || (size_t)n > left ? left : (size_t)n));
}
FN(sio_readline)
{
    int64_t n;
    if (!sio_open(vm, args[0]) || !io_size(vm, args[1], -1, &n)) return V_ERROR;
    return sio_line(vm, sio_of(args[0]), n);
}
FN(sio_truncate)
{
    struct string_io *s = sio_open(vm, args[0]);
    int64_t n;
    if (!s || !io_size(vm, args[1], (int64_t)s->pos, &n)) return V_ERROR;
    if (n < 0) return raise_value_error(vm, "Negative size value %ld", n);
    s = sio_of(args[0]);
    if ((size_t)n < s->len) s->len = (size_t)n;
    return int_from_i64(vm, n);
}
FN(sio_seek)
{
    int64_t pos = 0;
    int whence;
    if (!sio_open(vm, args[0]) || !args_ssize(vm, args[1], 0, &pos) || !io_whence(vm, args[2], &whence)) return V_ERROR;
    struct string_io *s = sio_open(vm, args[0]);
    if (!s) return V_ERROR;
    if (whence < 0 || whence > 2) return raise_value_error(vm, "Invalid whence (%d, should be 0, 1 or 2)", whence);
    if (pos < 0 && !whence) return raise_value_error(vm, "Negative seek position %ld", pos);
    if (pos && whence) return raise(vm, EXC_OSError, "Can't do nonzero cur-relative seeks");
    s->pos = whence == 0 ? (size_t)pos : whence == 1 ? s->pos : s->len;
    return int_from_u64(vm, s->pos);
}
FN(sio_write_method)
{
    if (!IS_STR(args[1])) return raise_type_error(vm, "string argument expected, got '%T'", args[1]);
    struct string_io *s = sio_open(vm, args[0]);
    str *text = AS(str, args[1]);
    if (!s || !str_tick(vm, text->len)) return V_ERROR;
    return sio_write(vm, s, text) ? int_from_u64(vm, text->len) : V_ERROR;
}
FN(sio_close)
{
    struct string_io *s = sio_of(args[0]);
    s->closed = true;
    sio_drop(vm, s);
    return V_NONE;
}
FN(sio_yes) { return sio_open(vm, args[0]) ? V_TRUE : V_ERROR; }

static value sio_next(vm *vm, value self)
{
    struct string_io *s = sio_open(vm, self);
    if (!s) return V_ERROR;
    ROOTS(vm, &self);
    if (type_of(vm, self) != module_state_type(vm, STATE_STRING_IO)) return io_next_line(vm, self, TYPE_STR, "str");
    value line = sio_line(vm, s, -1);
    return !value_is_error(line) && !AS(str, line)->len ? V_STOP : line;
}

FN(sio_getstate)
{
    static const char *const ends[] = {NULL, "", "\n", "\r", "\r\n"};
    struct string_io *s = sio_open(vm, args[0]);
    if (!s) return V_ERROR;
    value part[4] = {sio_text(vm, s), V_NONE, int_from_u64(vm, s->pos), V_NONE};
    ROOT_SPAN(vm, part, 4);
    if (ends[s->newline]) part[1] = str_value(str_from_cstr(vm, ends[s->newline]));
    dict *d = object_dict(vm, args[0]);
    if (d) d = dict_copy(vm, d);
    if (!d) return V_ERROR;
    part[3] = value_obj(d);
    if (value_is_error(part[0]) || value_is_error(part[1]) || value_is_error(part[2])) return V_ERROR;
    tuple *r = tuple_from(vm, part, 4);
    return r ? value_obj(r) : V_ERROR;
}
FN(sio_setstate)
{
    if (!IS_TUPLE(args[1]) || AS(tuple, args[1])->len < 4)
        return raise_type_error(vm, "%T.__setstate__ argument should be 4-tuple, got %T", args[0], args[1]);
    const value *state = AS(tuple, args[1])->items;
    struct string_io *s = sio_of(args[0]);
    int64_t pos;
    /* The text has its line ends as they are to be: it is put in as it is. */
    if (!sio_setup(vm, args[0], V_UNBOUND, state[1])) return V_ERROR;
    if (!IS_STR(state[0])) return raise_type_error(vm, "initial_value must be str or None, not %T", state[0]);
    if (!sio_put(vm, s, AS(str, state[0]))) return V_ERROR;
    if (!int_is(state[2])) return raise_type_error(vm, "third item of state must be an integer, got %T", state[2]);
    if (!int_as_i64(vm, int_plain(vm, state[2]), &pos)) return V_ERROR;
    if (pos < 0) return raise_value_error(vm, "position value cannot be negative");
    s->pos = (size_t)pos;
    return io_restore_dict(vm, args[0], state[3]) ? V_NONE : V_ERROR;
}

/* ---- attributes ---- */

static value get_closed(vm *vm, value self)
{
    const struct string_io *s = sio_of(self);
    if (!s->ready) return raise_value_error(vm, "I/O operation on uninitialized object");
    return value_bool(s->closed);
}
static value get_false(vm *vm, value self) { return sio_open(vm, self) ? V_FALSE : V_ERROR; }
static value get_none(vm *vm, value self)
{
    (void)vm, (void)self;
    return V_NONE;
}
static value get_newlines(vm *vm, value self)
{
    static const char *const ends[] = {"\r", "\n", "\r\n"};
    const struct string_io *s = sio_open(vm, self);
    value seen[3];
    uint32_t n = 0;
    if (!s) return V_ERROR;
    for (unsigned i = 0; i < 3; i++) {
        if (!(s->seen >> i & 1)) continue;
        seen[n] = str_value(str_from_cstr(vm, ends[i]));
        if (value_is_error(seen[n++])) return V_ERROR;
    }
    if (n < 2) return n ? seen[0] : V_NONE;
    tuple *t = tuple_from(vm, seen, n);
    return t ? value_obj(t) : V_ERROR;
}

static const getset_def sio_getsets[] = {
    {"closed", get_closed, NULL, NULL},
    {"line_buffering", get_false, NULL, NULL},
    {"newlines", get_newlines, NULL, DOC("Line endings translated so far.")},
    {"encoding", get_none, NULL, DOC("Encoding of the text stream.")},
    {"errors", get_none, NULL, DOC("The error setting of the decoder or encoder.")},
    {0},
};
static const native_def sio_methods[] = {
    {"close(self, /)", sio_close, DOC("Close the IO object."), 0},
    {"getvalue(self, /)", sio_getvalue, DOC("Retrieve the entire contents of the object."), 0},
    {"read(self, size=-1, /)", sio_read, DOC("Read at most size characters, returned as a string."), 0},
    {"readline(self, size=-1, /)", sio_readline, DOC("Read until newline or EOF."), 0},
    {"readlines(self, hint=-1, /)", io_readlines, DOC("Return a list of lines from the stream."), 0},
    {"tell(self, /)", sio_tell, DOC("Tell the current file position."), 0},
    {"truncate(self, pos=None, /)", sio_truncate, DOC("Truncate size to pos."), 0},
    {"seek(self, pos, whence=0, /)", sio_seek, DOC("Change stream position."), 0},
    {"write(self, s, /)", sio_write_method, DOC("Write string to file."), 0},
    {"seekable(self, /)", sio_yes, DOC("Returns True if the IO object can be seeked."), 0},
    {"readable(self, /)", sio_yes, DOC("Returns True if the IO object can be read."), 0},
    {"writable(self, /)", sio_yes, DOC("Returns True if the IO object can be written."), 0},
    {"isatty(self, /)", io_isatty, DOC("Return whether this is an 'interactive' stream."), 0},
    {"__getstate__(self, /)", sio_getstate, NULL, 0},
    {"__setstate__(self, state, /)", sio_setstate, NULL, 0},
    IO_COMMON_METHODS,
    {0},
};

static void sio_fill(struct type_slots *s)
{
    s->new_ = sio_new;
    s->init = sio_init;
    s->iter = io_iter;
    s->next = sio_next;
}

bool string_io_add(vm *vm, module *m)
{
    static const type_spec spec = {
        .name = "_io.StringIO",
        .doc = "Text I/O implementation using an in-memory buffer.\n\nThe initial_value argument "
               "sets the value of object.  The newline\nargument is like the one of TextIOWrapper's "
               "constructor.",
        .layout = &sio_layout,
        .methods = sio_methods,
        .getsets = sio_getsets,
        .flags = TF_BASE | TF_HAS_DICT,
        .fill = sio_fill,
    };
    return module_add_type(vm, m, STATE_STRING_IO, &spec);
}
