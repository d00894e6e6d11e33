/* asyncio.StreamReader: bytes that have come, and one reader that may wait for more.
 *
 * Invariants
 *  1. At most one coroutine waits; `waiter` is its Future.
 *  2. More than 2 * limit bytes unread stop the transport from reading; at most limit let it go on.
 *  3. An empty buffer that has grown beyond KEEP is given back: idle connections cost little. */
#include "runtime/stream.h"
#include "vm/bytes.h"
#include "vm/list.h"
#include "vm/native.h"

#define DOC_FILE runtime_stream_reader
DOC_BEGIN;

enum { DEFAULT_LIMIT = 64 * 1024, KEEP = 4096 };
#define READER(v) AS(stream_reader, v)

loop *stream_loop(vm *vm, value v)
{
    if (absent(v)) return loop_get_event_loop(vm);
    if (loop_is(vm, v)) return AS(loop, v);
    raise_type_error(vm, "an event loop is expected, got %R", v);
    return NULL;
}

static void reader_setup(stream_reader *r, loop *l, size_t limit)
{
    r->loop = l;
    r->limit = limit;
    r->waiter = r->exception = r->transport = V_NONE;
}

/* ---- the buffer ---- */

static bool reserve(vm *vm, stream_reader *r, size_t n)
{
    size_t len = reader_len(r), need;
    if (LIKELY(r->cap - r->end >= n)) return true;
    if (!size_add(len, n, &need) || need > SIZE_MAX / 4) return !value_is_error(raise_memory(vm));
    if (need <= r->cap && r->pos >= r->cap / 2) {
        memmove(r->buf, r->buf + r->pos, len);
    } else {
        size_t cap = need < 256 ? 256 : need + need / 2;
        uint8_t *buf = mem_alloc(vm, cap);
        if (!buf) return false;
        if (len) memcpy(buf, r->buf + r->pos, len);
        if (r->buf) mem_free(vm, r->buf, r->cap);
        r->buf = buf;
        r->cap = cap;
    }
    r->pos = 0;
    r->end = len;
    return true;
}
static void discard(vm *vm, stream_reader *r, size_t n)
{
    r->pos += n;
    if (r->pos < r->end) return;
    r->pos = r->end = 0;
    if (r->cap <= KEEP) return;
    mem_free(vm, r->buf, r->cap);
    r->buf = NULL;
    r->cap = 0;
}
static const uint8_t *start_of(const stream_reader *r) { return r->buf ? r->buf + r->pos : (const uint8_t *)""; }

/* ---- flow ---- */

static bool call_transport(vm *vm, value tr, bool pause)
{
    if (transport_is(vm, tr))
        return pause ? transport_pause_reading(vm, AS(transport, tr)) : transport_resume_reading(vm, AS(transport, tr));
    const char *s = pause ? "pause_reading" : "resume_reading";
    return !value_is_error(vm_call_method(vm, tr, str_intern_utf8(vm, s, strlen(s)), NULL, 0));
}
static bool maybe_resume(vm *vm, stream_reader *r)
{
    if (LIKELY(!r->paused) || reader_len(r) > r->limit) return true;
    r->paused = false;
    return call_transport(vm, r->transport, false);
}
static bool wake(vm *vm, stream_reader *r)
{
    value w = r->waiter;
    if (value_is_none(w)) return true;
    r->waiter = V_NONE;
    if (future_is(w)) {
        if (future_state(AS(future, w)) == FUT_PENDING) future_finish(vm, AS(future, w), V_NONE);
        else if (future_state(AS(future, w)) == FUT_FINISHED) return future_set_result(vm, AS(future, w), V_NONE);
    }
    return true;
}

bool stream_reader_feed(vm *vm, stream_reader *r, const uint8_t *p, size_t n)
{
    if (!n) return true;
    if (!reserve(vm, r, n)) return false;
    memcpy(r->buf + r->end, p, n);
    r->end += n;
    if (!wake(vm, r)) return false;
    if (value_is_none(r->transport) || r->paused || reader_len(r) <= 2 * r->limit) return true;
    if (call_transport(vm, r->transport, true)) {
        r->paused = true;
        return true;
    }
    if (!exc_clear_if(vm, EXC_NotImplementedError)) return false;
    r->transport = V_NONE; /* it can't be paused: not asked again */
    return true;
}
static bool stream_reader_eof(vm *vm, stream_reader *r)
{
    r->eof = true;
    return wake(vm, r);
}
static bool stream_reader_fail(vm *vm, stream_reader *r, value exc)
{
    value w = r->waiter;
    r->exception = exc;
    r->waiter = V_NONE;
    gc_barrier(vm, r);
    if (!future_is(w) || future_state(AS(future, w)) == FUT_CANCELLED) return true;
    return future_set_exception(vm, AS(future, w), exc);
}

/* ---- waiting ---- */

static bool raise_stored(vm *vm, stream_reader *r)
{
    if (LIKELY(value_is_none(r->exception))) return true;
    raise_exception(vm, r->exception);
    return false;
}

/* Waits for data; *slot holds the Future meanwhile. */
static enum nstep wait_begin(vm *vm, stream_reader *r, const char *who, value *slot, value *out)
{
    if (!value_is_none(r->waiter)) {
        raise(vm, EXC_RuntimeError, "%s() called while another coroutine is already waiting for incoming data", who);
        return NSTEP_ERROR;
    }
    if (r->paused) { /* it needs more than the limit, or nothing would ever come */
        r->paused = false;
        if (!call_transport(vm, r->transport, false)) return NSTEP_ERROR;
    }
    future *f = future_new(vm, r->loop);
    if (!f) return NSTEP_ERROR;
    r->waiter = *slot = *out = value_obj(f);
    gc_barrier(vm, r);
    return NSTEP_AWAIT;
}
/* The step after it. false: cancelled or failed. */
static bool wait_end(stream_reader *r, value *slot, value sent)
{
    if (value_is_unbound(*slot)) return true;
    *slot = V_UNBOUND;
    r->waiter = V_NONE;
    return !value_is_unbound(sent);
}

/* The first n bytes. */
static enum nstep take(vm *vm, stream_reader *r, size_t n, size_t drop, value *out)
{
    bytes *b = bytes_new(vm, start_of(r), n);
    if (!b) return NSTEP_ERROR;
    *out = value_obj(b);
    discard(vm, r, n + drop);
    if (UNLIKELY(r->paused)) {
        value v = *out;
        ROOTS(vm, &v);
        if (!maybe_resume(vm, r)) return NSTEP_ERROR;
        *out = v;
    }
    return NSTEP_DONE;
}

static enum nstep raise_incomplete(vm *vm, stream_reader *r, value expected)
{
    bytes *b = bytes_new(vm, start_of(r), reader_len(r));
    if (!b) return NSTEP_ERROR;
    discard(vm, r, reader_len(r));
    value args[2] = {value_obj(b), expected};
    ROOT_SPAN(vm, args, 2);
    value e = exc_make(vm, EXC_T(vm, IncompleteReadError), args, 2);
    if (!value_is_error(e)) raise_exception(vm, e);
    return NSTEP_ERROR;
}

/* ---- read ---- */

/* r: self n | future, list of blocks */
static enum nstep read_all(vm *vm, stream_reader *s, value *r, value *out)
{
    if (value_is_unbound(r[3])) {
        list *l = list_new(vm, 4);
        if (!l) return NSTEP_ERROR;
        r[3] = value_obj(l);
    }
    if (reader_len(s)) {
        value block;
        if (take(vm, s, reader_len(s), 0, &block) != NSTEP_DONE || !list_append(vm, AS(list, r[3]), block))
            return NSTEP_ERROR;
    }
    if (!raise_stored(vm, s)) return NSTEP_ERROR;
    if (!s->eof) return wait_begin(vm, s, "read", &r[2], out);
    list *l = AS(list, r[3]);
    if (l->len == 1) {
        *out = l->items[0];
        return NSTEP_DONE;
    }
    *out = vm_call_method(vm, value_obj(vm->empty_bytes), str_intern_utf8(vm, "join", 4), &r[3], 1);
    return value_is_error(*out) ? NSTEP_ERROR : NSTEP_DONE;
}
static enum nstep read_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    stream_reader *s = READER(r[0]);
    int64_t n = -1;
    bool first = value_is_unbound(r[2]) && value_is_unbound(r[3]);
    if (!wait_end(s, &r[2], sent)) return NSTEP_ERROR;
    if (first && !raise_stored(vm, s)) return NSTEP_ERROR;
    if (LIKELY(value_is_int(r[1]))) n = value_as_int(r[1]);
    else if (!value_is_unbound(r[1]) && !obj_as_index(vm, r[1], &n, 0)) return NSTEP_ERROR;
    if (n == 0) {
        *out = value_obj(vm->empty_bytes);
        return NSTEP_DONE;
    }
    if (n < 0) return read_all(vm, s, r, out);
    size_t len = reader_len(s);
    if (!len && !s->eof && first) return wait_begin(vm, s, "read", &r[2], out);
    return take(vm, s, len < (size_t)n ? len : (size_t)n, 0, out);
}

/* r: self n | future */
static enum nstep readexactly_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    stream_reader *s = READER(r[0]);
    int64_t n;
    bool first = value_is_unbound(r[2]);
    if (!wait_end(s, &r[2], sent) || !obj_as_index(vm, r[1], &n, 0)) return NSTEP_ERROR;
    if (first && n < 0) {
        raise_value_error(vm, "readexactly size can not be less than zero");
        return NSTEP_ERROR;
    }
    if (first && !raise_stored(vm, s)) return NSTEP_ERROR;
    if (reader_len(s) >= (size_t)n) return take(vm, s, (size_t)n, 0, out);
    if (s->eof) return raise_incomplete(vm, s, r[1]);
    return wait_begin(vm, s, "readexactly", &r[2], out);
}

/* ---- readuntil, readline ---- */

enum found { FOUND, NOT_YET, OVERRUN_FOUND, OVERRUN_MISSING };
typedef struct separators {
    const uint8_t *p[32];
    size_t n[32], count, min, max;
} separators;

static bool add_separator(vm *vm, separators *s, value v)
{
    if (s->count == sizeof s->n / sizeof *s->n) return !value_is_error(raise_value_error(vm, "Too many separators"));
    if (!buffer_need(vm, v, &s->p[s->count], &s->n[s->count])) return false;
    size_t n = s->n[s->count++];
    if (s->count == 1 || n < s->min) s->min = n;
    if (n > s->max) s->max = n;
    return true;
}
static bool separators_of(vm *vm, value v, separators *s)
{
    s->count = s->min = s->max = 0;
    if (value_is_unbound(v)) {
        s->p[0] = (const uint8_t *)"\n";
        s->n[0] = s->count = s->min = s->max = 1;
    } else if (IS_TUPLE(v)) {
        for (size_t i = 0; i < AS(tuple, v)->len; i++)
            if (!add_separator(vm, s, AS(tuple, v)->items[i])) return false;
        if (!s->count) return !value_is_error(raise_value_error(vm, "Separator should contain at least one element"));
    } else if (!add_separator(vm, s, v)) {
        return false;
    }
    if (!s->min) return !value_is_error(raise_value_error(vm, "Separator should be at least one-byte string"));
    return true;
}

/* Looks behind *offset; *at, *end: the separator's place, or in *at what can be dropped. */
static enum found find_separator(const stream_reader *r, const separators *s, size_t *offset, size_t *at, size_t *end)
{
    size_t len = reader_len(r);
    const uint8_t *p = start_of(r);
    *end = 0;
    for (size_t i = 0; i < s->count && len >= *offset + s->min; i++) {
        const uint8_t *hit = memmem(p + *offset, len - *offset, s->p[i], s->n[i]);
        if (!hit || (*end && (size_t)(hit - p) + s->n[i] >= *end)) continue;
        *at = (size_t)(hit - p);
        *end = *at + s->n[i];
    }
    if (*end) return *at > r->limit ? OVERRUN_FOUND : FOUND;
    if (len >= *offset + s->min) {
        *offset = len + 1 > s->max ? len + 1 - s->max : 0;
        *at = *offset;
        if (*offset > r->limit) return OVERRUN_MISSING;
    }
    return NOT_YET;
}

static value overrun(vm *vm, enum found how, size_t consumed)
{
    str *s = str_from_cstr(vm, how == OVERRUN_FOUND ? "Separator is found, but chunk is longer than limit"
                                                    : "Separator is not found, and chunk exceed the limit");
    if (!s) return V_ERROR;
    value args[2] = {value_obj(s), value_int((int64_t)consumed)};
    ROOT_SPAN(vm, args, 2);
    return exc_make(vm, EXC_T(vm, LimitOverrunError), args, 2);
}
/* readline(): a ValueError that came of the LimitOverrunError; what was too long is dropped. */
static enum nstep line_too_long(vm *vm, stream_reader *r, enum found how, size_t at, size_t end)
{
    value e = overrun(vm, how, at);
    if (value_is_error(e)) return NSTEP_ERROR;
    ROOTS(vm, &e);
    discard(vm, r, how == OVERRUN_FOUND ? end : reader_len(r));
    if (!maybe_resume(vm, r)) return NSTEP_ERROR;
    tuple *args = AS(tuple, AS(exception, e)->args);
    raise_value_error(vm, "%S", args->items[0]);
    if (IS_EXC(vm->thread->exc)) {
        AS(exception, vm->thread->exc)->context = e;
        gc_barrier(vm, value_as_obj(vm->thread->exc));
    }
    return NSTEP_ERROR;
}

static enum nstep until(vm *vm, value *r, value sep, value *slot, value *offset, bool line, value sent, value *out)
{
    stream_reader *s = READER(r[0]);
    separators seps;
    size_t at = 0, end = 0, from = value_is_unbound(*offset) ? 0 : (size_t)value_as_int(*offset);
    bool first = value_is_unbound(*slot);
    if (!wait_end(s, slot, sent) || !separators_of(vm, sep, &seps)) return NSTEP_ERROR;
    if (first && !raise_stored(vm, s)) return NSTEP_ERROR;
    enum found how = find_separator(s, &seps, &from, &at, &end);
    *offset = value_int((int64_t)from);
    if (how == FOUND) return take(vm, s, end, 0, out);
    if (how != NOT_YET) {
        if (line) return line_too_long(vm, s, how, at, end);
        value e = overrun(vm, how, at);
        if (!value_is_error(e)) raise_exception(vm, e);
        return NSTEP_ERROR;
    }
    if (!s->eof) return wait_begin(vm, s, "readuntil", slot, out);
    return line ? take(vm, s, reader_len(s), 0, out) : raise_incomplete(vm, s, V_NONE);
}
/* r: self separator | future, offset */
static enum nstep readuntil_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    return until(vm, r, r[1], &r[2], &r[3], false, sent, out);
}
/* r: self | future, offset */
static enum nstep readline_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    return until(vm, r, V_UNBOUND, &r[1], &r[2], true, sent, out);
}
static enum nstep anext_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    enum nstep s = readline_step(vm, f, r, sent, out);
    if (s != NSTEP_DONE || AS(bytes, *out)->len) return s;
    raise(vm, EXC_StopAsyncIteration, NULL);
    return NSTEP_ERROR;
}
/* r: self func_name | future */
static enum nstep data_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    stream_reader *s = READER(r[0]);
    bool first = value_is_unbound(r[2]);
    if (!wait_end(s, &r[2], sent)) return NSTEP_ERROR;
    *out = V_NONE;
    if (!first) return NSTEP_DONE;
    size_t len;
    const char *who = IS_STR(r[1]) ? str_utf8(vm, AS(str, r[1]), &len) : "read";
    return who ? wait_begin(vm, s, who, &r[2], out) : NSTEP_ERROR;
}

/* ---- methods ---- */

#define RM(NAME) static value NAME(vm *vm, value *a, uint32_t n, value kw)
#define UNUSED   (void)n, (void)kw

RM(m_feed_data)
{
    UNUSED;
    const uint8_t *p;
    size_t len;
    stream_reader *r = READER(a[0]);
    if (r->eof) return raise(vm, EXC_AssertionError, "feed_data after feed_eof");
    return buffer_need(vm, a[1], &p, &len) && stream_reader_feed(vm, r, p, len) ? V_NONE : V_ERROR;
}
RM(m_feed_eof)
{
    UNUSED;
    return stream_reader_eof(vm, READER(a[0])) ? V_NONE : V_ERROR;
}
RM(m_at_eof)
{
    (void)vm, UNUSED;
    return value_bool(READER(a[0])->eof && !reader_len(READER(a[0])));
}
RM(m_exception)
{
    (void)vm, UNUSED;
    return READER(a[0])->exception;
}
RM(m_set_exception)
{
    UNUSED;
    return stream_reader_fail(vm, READER(a[0]), a[1]) ? V_NONE : V_ERROR;
}
RM(m_set_transport)
{
    UNUSED;
    stream_reader *r = READER(a[0]);
    if (!value_is_none(r->transport)) return raise(vm, EXC_AssertionError, "Transport already set");
    r->transport = a[1];
    gc_barrier(vm, r);
    return V_NONE;
}
RM(m_wakeup)
{
    UNUSED;
    return wake(vm, READER(a[0])) ? V_NONE : V_ERROR;
}
RM(m_maybe_resume)
{
    UNUSED;
    return maybe_resume(vm, READER(a[0])) ? V_NONE : V_ERROR;
}
RM(m_aiter)
{
    (void)vm, UNUSED;
    return a[0];
}

static value get_buffer(vm *vm, value self)
{
    bytearray *b = bytearray_new(vm, start_of(READER(self)), reader_len(READER(self)));
    return b ? value_obj(b) : V_ERROR;
}
static value get_limit(vm *vm, value self) { return int_from_i64(vm, (int64_t)READER(self)->limit); }
static bool put_limit(vm *vm, value self, value v)
{
    int64_t n;
    if (value_is_unbound(v) || !obj_as_index(vm, v, &n, EXC_OverflowError)) return false;
    READER(self)->limit = n < 0 ? 0 : (size_t)n;
    return true;
}
static value get_eof(vm *vm, value self)
{
    (void)vm;
    return value_bool(READER(self)->eof);
}
static bool put_eof(vm *vm, value self, value v)
{
    int t = value_is_unbound(v) ? 0 : obj_truth(vm, v);
    if (t >= 0) READER(self)->eof = t;
    return t >= 0;
}
static value get_paused(vm *vm, value self)
{
    (void)vm;
    return value_bool(READER(self)->paused);
}
static bool put_paused(vm *vm, value self, value v)
{
    int t = value_is_unbound(v) ? 0 : obj_truth(vm, v);
    if (t >= 0) READER(self)->paused = t;
    return t >= 0;
}
#define FIELD(NAME)                                            \
    static value get_##NAME(vm *vm, value self)                \
    {                                                          \
        (void)vm;                                              \
        return READER(self)->NAME;                             \
    }                                                          \
    static bool put_##NAME(vm *vm, value self, value v)        \
    {                                                          \
        READER(self)->NAME = value_is_unbound(v) ? V_NONE : v; \
        gc_barrier(vm, value_as_obj(self));                    \
        return true;                                           \
    }
FIELD(waiter)
FIELD(exception)
FIELD(transport)
static value get_loop(vm *vm, value self)
{
    (void)vm;
    return READER(self)->loop ? value_obj(READER(self)->loop) : V_NONE;
}

static value reader_repr(vm *vm, value self)
{
    stream_reader *r = READER(self);
    str_builder b;
    ROOTS(vm, &self);
    value wr = r->waiter, er = r->exception, tr = r->transport;
    ROOTS(vm, &wr, &er, &tr);
    value *parts[] = {&wr, &er, &tr};
    for (size_t i = 0; i < 3; i++) {
        if (value_is_none(*parts[i])) continue;
        str *s = obj_repr(vm, *parts[i]);
        if (!s) return V_ERROR;
        *parts[i] = value_obj(s);
    }
    str *bytes_part = reader_len(r) ? str_format(vm, " %zu bytes", reader_len(r)) : vm->empty_str;
    str *limit_part = r->limit != DEFAULT_LIMIT ? str_format(vm, " limit=%zu", r->limit) : vm->empty_str;
    if (!bytes_part || !limit_part) return V_ERROR;
    sb_init(&b, vm);
    sb_cstr(&b, "<StreamReader");
    sb_str(&b, bytes_part);
    if (r->eof) sb_cstr(&b, " eof");
    sb_str(&b, limit_part);
    static const char *const labels[] = {" waiter=", " exception=", " transport="};
    for (size_t i = 0; i < 3; i++) {
        if (value_is_none(*parts[i])) continue;
        sb_cstr(&b, labels[i]);
        sb_str(&b, AS(str, *parts[i]));
    }
    if (r->paused) sb_cstr(&b, " paused");
    sb_char(&b, '>');
    str *s = sb_finish(&b);
    return s ? value_obj(s) : V_ERROR;
}
static value reader_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    value v = zeroed_slot_new(vm, t, args, n, kw);
    if (!value_is_error(v)) reader_setup(READER(v), NULL, DEFAULT_LIMIT);
    return v;
}
static bool reader_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value v[2];
    int64_t limit = DEFAULT_LIMIT;
    if (!args_bind(vm, "StreamReader.__init__(limit=65536, loop=None)", args, n, kw, v)) return false;
    if (!value_is_unbound(v[0]) && !obj_as_index(vm, v[0], &limit, 0)) return false;
    if (limit <= 0) return !value_is_error(raise_value_error(vm, "Limit cannot be <= 0"));
    loop *l = stream_loop(vm, v[1]);
    if (!l) return false;
    READER(self)->loop = l;
    READER(self)->limit = (size_t)limit;
    gc_barrier(vm, value_as_obj(self));
    return true;
}
static void reader_traverse(vm *vm, object *o)
{
    stream_reader *r = (stream_reader *)o;
    gc_mark_value(vm, r->waiter);
    gc_mark_value(vm, r->exception);
    gc_mark_value(vm, r->transport);
    gc_mark_obj(vm, r->loop ? &r->loop->h : NULL);
}
static void reader_free(vm *vm, object *o)
{
    stream_reader *r = (stream_reader *)o;
    if (r->buf) mem_free(vm, r->buf, r->cap);
}

static const native_def methods[] = {
    NATIVE_ASYNC_DEF("read(self, n=-1)", read_step,
                     DOC("Up to n bytes, at least one unless the stream has ended; -1: all."), 2),
    NATIVE_ASYNC_DEF("readline(self)", readline_step, DOC("One line; what there is at the end of the stream."), 2),
    NATIVE_ASYNC_DEF("readuntil(self, separator=b'\\n')", readuntil_step,
                     DOC("Everything up to a separator (or one of a tuple)."), 2),
    NATIVE_ASYNC_DEF("readexactly(self, n)", readexactly_step, DOC("Exactly n bytes, or IncompleteReadError."), 1),
    NATIVE_ASYNC_DEF("_wait_for_data(self, func_name)", data_step, NULL, 1),
    {"feed_data(self, data)", m_feed_data, DOC("Data has come."), 0},
    {"feed_eof(self)", m_feed_eof, DOC("The stream has ended."), 0},
    {"at_eof(self)", m_at_eof, DOC("Has the stream ended and everything been read?"), 0},
    {"exception(self)", m_exception, DOC("The exception that reading raises, or None."), 0},
    {"set_exception(self, exc)", m_set_exception, DOC("Let reading raise exc."), 0},
    {"set_transport(self, transport)", m_set_transport, DOC("The transport to pause when too much is unread."), 0},
    {"_wakeup_waiter(self)", m_wakeup, NULL, 0},
    {"_maybe_resume_transport(self)", m_maybe_resume, NULL, 0},
    {"__aiter__(self)", m_aiter, NULL, 0},
    NATIVE_ASYNC_DEF("__anext__(self)", anext_step, NULL, 2),
    {0},
};
static const getset_def getsets[] = {
    {"_buffer", get_buffer, NULL, NULL},
    {"_limit", get_limit, put_limit, NULL},
    {"_eof", get_eof, put_eof, NULL},
    {"_paused", get_paused, put_paused, NULL},
    {"_waiter", get_waiter, put_waiter, NULL},
    {"_exception", get_exception, put_exception, NULL},
    {"_transport", get_transport, put_transport, NULL},
    {"_loop", get_loop, NULL, NULL},
    {0},
};
static value reader_aiter(vm *vm, value self)
{
    (void)vm;
    return self;
}
static value reader_anext(vm *vm, value self)
{
    return vm_call_method(vm, self, str_intern_utf8(vm, "__anext__", 9), NULL, 0);
}
static void fill(struct type_slots *s)
{
    s->new_ = reader_slot_new;
    s->init = reader_init;
    s->repr = reader_repr;
    s->aiter = reader_aiter;
    s->anext = reader_anext;
}
static const type_layout layout = {
    .size = sizeof(stream_reader) - sizeof(userdata), .traverse = reader_traverse, .free = reader_free};

bool stream_reader_type_open(vm *vm)
{
    static const type_spec spec = {"asyncio.streams.StreamReader",
                                   "Reads a stream.",
                                   &layout,
                                   methods,
                                   getsets,
                                   0,
                                   TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                   fill};
    type *t = type_from_spec(vm, &spec);
    return (runtime_of(vm)->types[RT_STREAM_READER] = t) != NULL;
}
