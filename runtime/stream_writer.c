/* asyncio.StreamWriter: writing to a transport, and waiting until it has taken what was written. */
#include "runtime/stream.h"
#include "vm/attr.h"
#include "vm/native.h"

#define DOC_FILE runtime_stream_writer
DOC_BEGIN;

#define WRITER(v) AS(stream_writer, v)
#define WM(NAME)  static value NAME(vm *vm, value *a, uint32_t n, value kw)
#define UNUSED    (void)n, (void)kw

stream_writer *stream_writer_new(vm *vm, loop *l, value transport, value protocol, value reader)
{
    ROOTS(vm, &transport, &protocol, &reader);
    stream_writer *w = userdata_new(vm, runtime_of(vm)->types[RT_STREAM_WRITER]);
    if (!w) return NULL;
    w->loop = l;
    w->transport = transport;
    w->protocol = protocol;
    w->reader = reader;
    return w;
}

static value forward(vm *vm, value *a, const char *method, uint32_t n)
{
    return vm_call_method(vm, WRITER(a[0])->transport, str_intern_utf8(vm, method, strlen(method)), a + 1, n);
}
static inline transport *native_transport(vm *vm, value *a)
{
    value t = WRITER(a[0])->transport;
    return LIKELY(transport_is(vm, t)) ? AS(transport, t) : NULL;
}

WM(w_write)
{
    UNUSED;
    transport *t = native_transport(vm, a);
    if (UNLIKELY(!t)) return value_is_error(forward(vm, a, "write", 1)) ? V_ERROR : V_NONE;
    return transport_write_value(vm, t, a[1]) ? V_NONE : V_ERROR;
}
WM(w_writelines)
{
    UNUSED;
    return value_is_error(forward(vm, a, "writelines", 1)) ? V_ERROR : V_NONE;
}
#define FORWARD(NAME)                    \
    WM(w_##NAME)                         \
    {                                    \
        UNUSED;                          \
        return forward(vm, a, #NAME, 0); \
    }
FORWARD(write_eof)
FORWARD(can_write_eof)
FORWARD(close)
FORWARD(is_closing)
#undef FORWARD
WM(w_get_extra_info)
{
    UNUSED;
    value args[3] = {a[0], a[1], value_is_unbound(a[2]) ? V_NONE : a[2]};
    return forward(vm, args, "get_extra_info", 2);
}

/* drain(): raises what the reader has met; gives a closing transport a turn to say so; waits below the high-water mark.
 * r: self | stage, future or coroutine */
enum { DRAIN_BEGIN, DRAIN_YIELDED, DRAIN_WAITING, DRAIN_FOREIGN };
static bool reader_ok(vm *vm, value reader)
{
    if (value_is_none(reader)) return true;
    value exc;
    if (LIKELY(value_is_exact(reader, runtime_of(vm)->types[RT_STREAM_READER]->root_shape)))
        exc = AS(stream_reader, reader)->exception;
    else exc = vm_call_method(vm, reader, str_intern_utf8(vm, "exception", 9), NULL, 0);
    if (value_is_error(exc)) return false;
    if (LIKELY(value_is_none(exc))) return true;
    if (!IS_EXC(exc)) return !value_is_error(raise_type_error(vm, "exceptions must derive from BaseException"));
    raise_exception(vm, exc);
    return false;
}
static enum nstep drain_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    stream_writer *w = WRITER(r[0]);
    int64_t stage = value_is_unbound(r[1]) ? DRAIN_BEGIN : value_as_int(r[1]);
    if (stage == DRAIN_FOREIGN) {
        *out = sent;
        return value_is_unbound(sent) ? NSTEP_ERROR : NSTEP_DONE;
    }
    if (stage == DRAIN_WAITING && UNLIKELY(!stream_protocol_is_native(vm, w->protocol))) { /* exchanged meanwhile */
        *out = V_NONE;
        return value_is_unbound(sent) ? NSTEP_ERROR : NSTEP_DONE;
    }
    if (stage == DRAIN_WAITING) return stream_drain_step(vm, AS(stream_protocol, w->protocol), &r[2], sent, out);
    if (value_is_unbound(sent)) return NSTEP_ERROR;
    if (stage == DRAIN_BEGIN) {
        if (!reader_ok(vm, w->reader)) return NSTEP_ERROR;
        transport *t = native_transport(vm, r);
        int closing = t ? t->closing : 0;
        if (!t) {
            value v = forward(vm, r, "is_closing", 0);
            closing = value_is_error(v) ? -1 : obj_truth(vm, v);
            if (closing < 0) return NSTEP_ERROR;
        }
        if (closing) {
            r[1] = value_int(DRAIN_YIELDED);
            *out = V_NONE;
            return NSTEP_YIELD;
        }
    }
    if (LIKELY(stream_protocol_is_native(vm, w->protocol))) {
        r[1] = value_int(DRAIN_WAITING);
        return stream_drain_step(vm, AS(stream_protocol, w->protocol), &r[2], sent, out);
    }
    *out = vm_call_method(vm, w->protocol, str_intern_utf8(vm, "_drain_helper", 13), NULL, 0);
    r[1] = value_int(DRAIN_FOREIGN);
    return value_is_error(*out) ? NSTEP_ERROR : NSTEP_AWAIT;
}
/* r: self | asked */
static enum nstep wait_closed_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    if (!value_is_unbound(r[1])) {
        *out = V_NONE;
        return value_is_unbound(sent) ? NSTEP_ERROR : NSTEP_DONE;
    }
    r[1] = V_TRUE;
    *out = vm_call_method(vm, WRITER(r[0])->protocol, str_intern_utf8(vm, "_get_close_waiter", 17), &r[0], 1);
    return value_is_error(*out) ? NSTEP_ERROR : NSTEP_AWAIT;
}
/* The work is _asyncio_net.writer_start_tls's. */
WM(w_start_tls)
{
    value m = import_module(vm, str_intern_utf8(vm, "_asyncio_net", 12));
    value f = value_is_error(m) ? m : obj_getattr(vm, m, str_intern_utf8(vm, "writer_start_tls", 16));
    return value_is_error(f) ? V_ERROR : vm_call_kw(vm, f, a, n, kw);
}

#define FIELD(NAME)                                            \
    static value get_##NAME(vm *vm, value self)                \
    {                                                          \
        (void)vm;                                              \
        return WRITER(self)->NAME;                             \
    }                                                          \
    static bool put_##NAME(vm *vm, value self, value v)        \
    {                                                          \
        WRITER(self)->NAME = value_is_unbound(v) ? V_NONE : v; \
        gc_barrier(vm, value_as_obj(self));                    \
        return true;                                           \
    }
FIELD(transport)
FIELD(protocol)
FIELD(reader)
static value get_loop(vm *vm, value self)
{
    (void)vm;
    return WRITER(self)->loop ? value_obj(WRITER(self)->loop) : V_NONE;
}
static value writer_repr(vm *vm, value self)
{
    stream_writer *w = WRITER(self);
    str *s = value_is_none(w->reader)
                 ? str_format(vm, "<StreamWriter transport=%R>", w->transport)
                 : str_format(vm, "<StreamWriter transport=%R reader=%R>", w->transport, w->reader);
    return s ? value_obj(s) : V_ERROR;
}
static value writer_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    value v = zeroed_slot_new(vm, t, args, n, kw);
    if (!value_is_error(v)) WRITER(v)->transport = WRITER(v)->protocol = WRITER(v)->reader = V_NONE;
    return v;
}
static bool writer_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value v[4];
    if (!args_bind(vm, "StreamWriter.__init__(transport, protocol, reader, loop)", args, n, kw, v)) return false;
    stream_writer *w = WRITER(self);
    w->transport = v[0];
    w->protocol = v[1];
    w->reader = v[2];
    w->loop = loop_is(vm, v[3]) ? AS(loop, v[3]) : NULL;
    gc_barrier(vm, w);
    return true;
}
static void writer_traverse(vm *vm, object *o)
{
    stream_writer *w = (stream_writer *)o;
    gc_mark_value(vm, w->transport);
    gc_mark_value(vm, w->protocol);
    gc_mark_value(vm, w->reader);
    gc_mark_obj(vm, w->loop ? &w->loop->h : NULL);
}

static const native_def methods[] = {
    {"write(self, data)", w_write, DOC("Send data; follow it with `await drain()`."), 0},
    {"writelines(self, data)", w_writelines, DOC("Send all of an iterable of bytes."), 0},
    NATIVE_ASYNC_DEF("drain(self)", drain_step, DOC("Wait until the transport wants more data."), 2),
    {"write_eof(self)", w_write_eof, DOC("Close the sending side when everything is sent."), 0},
    {"can_write_eof(self)", w_can_write_eof, DOC("Does write_eof() work?"), 0},
    {"close(self)", w_close, DOC("Close the connection when everything is sent."), 0},
    {"is_closing(self)", w_is_closing, DOC("Is it closing or closed?"), 0},
    NATIVE_ASYNC_DEF("wait_closed(self)", wait_closed_step, DOC("Wait until the connection is closed."), 1),
    {"get_extra_info(self, name, default=None)", w_get_extra_info, DOC("'peername', 'sockname', 'socket', ..."), 0},
    {"start_tls(self, *args, **kwargs)", w_start_tls,
     DOC("start_tls(sslcontext, *, server_hostname=None, ssl_handshake_timeout=None): go on over TLS."), 0},
    {0},
};
static const getset_def getsets[] = {
    {"transport", get_transport, NULL, DOC("The transport.")},
    {"_transport", get_transport, put_transport, NULL},
    {"_protocol", get_protocol, put_protocol, NULL},
    {"_reader", get_reader, put_reader, NULL},
    {"_loop", get_loop, NULL, NULL},
    {0},
};
static void fill(struct type_slots *s)
{
    s->new_ = writer_slot_new;
    s->init = writer_init;
    s->repr = writer_repr;
}
static const type_layout layout = {.size = sizeof(stream_writer) - sizeof(userdata), .traverse = writer_traverse};

bool stream_writer_type_open(vm *vm)
{
    static const type_spec spec = {"asyncio.streams.StreamWriter",
                                   "Writes to a stream.",
                                   &layout,
                                   methods,
                                   getsets,
                                   0,
                                   TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                   fill};
    return (runtime_of(vm)->types[RT_STREAM_WRITER] = type_from_spec(vm, &spec)) != NULL;
}
