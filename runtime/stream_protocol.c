/* asyncio.StreamReaderProtocol: what a transport talks to when a program uses streams; and FlowControlMixin, its half
 * that lets drain() wait, for protocols of other kinds. Both have the same layout.
 *
 * Invariants
 *  1. closed is made when wait_closed() first asks; it is done from connection_lost() on.
 *  2. drainers hold a Future per drain() that waits; each is woken by resume_writing() or connection_lost(). */
#include "runtime/stream.h"
#include "vm/attr.h"
#include "vm/native.h"

#define DOC_FILE runtime_stream_protocol
DOC_BEGIN;

#define PROTOCOL(v) AS(stream_protocol, v)
#define PM(NAME)    static value NAME(vm *vm, value *a, uint32_t n, value kw)
#define UNUSED      (void)n, (void)kw

bool stream_protocol_is_native(vm *vm, value protocol)
{
    type *t = runtime_of(vm)->types[RT_STREAM_PROTOCOL];
    return t && value_is_exact(protocol, t->root_shape);
}

bool stream_protocol_data(vm *vm, value protocol, const uint8_t *p, size_t n)
{
    value r = PROTOCOL(protocol)->reader;
    if (LIKELY(value_is_exact(r, runtime_of(vm)->types[RT_STREAM_READER]->root_shape))) {
        if (UNLIKELY(AS(stream_reader, r)->eof)) {
            raise(vm, EXC_AssertionError, "feed_data after feed_eof");
            return false;
        }
        return stream_reader_feed(vm, AS(stream_reader, r), p, n);
    }
    if (value_is_none(r)) return true;
    bytes *b = bytes_new(vm, p, n);
    value data = b ? value_obj(b) : V_UNBOUND;
    return b && !value_is_error(vm_call_method(vm, r, str_intern_utf8(vm, "feed_data", 9), &data, 1));
}

/* A method of the reader, which may be a subclass of the script's or something else. */
static bool tell_reader(vm *vm, stream_protocol *p, const char *method, value *args, uint32_t n)
{
    if (value_is_none(p->reader)) return true;
    return !value_is_error(vm_call_method(vm, p->reader, str_intern_utf8(vm, method, strlen(method)), args, n));
}

/* The handler of a connection has ended. */
static void handler_done(vm *vm, callback_obj *cb, value task)
{
    value transport = cb->a;
    ROOTS(vm, &transport);
    if (!future_is(task)) return;
    future *f = AS(future, task);
    if (future_state(f) == FUT_FINISHED) {
        if (!(f->h.flags & FUT_EXCEPTION)) return;
        future_retrieved(f);
        str *text = str_from_cstr(vm, "Unhandled exception in client_connected_cb");
        if (!text) return;
        loop_report(vm, (loop *)f->loop, value_obj(text), "exception", f->result, "transport", transport, NULL);
    }
    if (!raised(vm)) vm_call_method(vm, transport, str_intern_utf8(vm, "close", 5), NULL, 0);
}

PM(p_connection_made)
{
    UNUSED;
    stream_protocol *p = PROTOCOL(a[0]);
    value transport = a[1];
    p->transport = transport;
    gc_barrier(vm, p);
    if (!tell_reader(vm, p, "set_transport", &transport, 1)) return V_ERROR;
    str *key = str_intern_utf8(vm, "sslcontext", 10);
    if (!key) return V_ERROR;
    value ssl = value_obj(key);
    if (!transport_is(vm, transport)) {
        ssl = vm_call_method(vm, transport, str_intern_utf8(vm, "get_extra_info", 14), &ssl, 1);
        if (value_is_error(ssl)) return V_ERROR;
        p->over_ssl = !value_is_none(ssl);
    }
    if (value_is_none(p->callback)) return V_NONE;
    stream_writer *w = stream_writer_new(vm, p->loop, transport, a[0], p->reader);
    if (!w) return V_ERROR;
    p->writer = value_obj(w);
    gc_barrier(vm, p);
    value coro = vm_call2(vm, p->callback, p->reader, p->writer);
    if (value_is_error(coro) || !is_coroutine(vm, coro)) return value_is_error(coro) ? V_ERROR : V_NONE;
    value task = loop_create_task(vm, p->loop, coro, V_UNBOUND, V_UNBOUND);
    if (value_is_error(task)) return V_ERROR;
    p->task = task;
    gc_barrier(vm, p);
    callback_obj *cb = callback_new(vm, handler_done, transport, V_UNBOUND, V_UNBOUND);
    return cb && future_add_any(vm, task, value_obj(cb)) ? V_NONE : V_ERROR;
}

static void wake_drainers(vm *vm, stream_protocol *p, value exc)
{
    for (size_t i = 0; i < p->drainers.len; i++) {
        future *f = AS(future, waiters_at(&p->drainers, i));
        if (future_state(f) != FUT_PENDING) continue;
        if (value_is_none(exc)) future_finish(vm, f, V_NONE);
        else future_fail(vm, f, exc);
    }
}
static void finish_closed(vm *vm, stream_protocol *p)
{
    if (!future_is(p->closed) || future_state(AS(future, p->closed)) != FUT_PENDING) return;
    if (value_is_none(p->lost_exc)) {
        future_finish(vm, AS(future, p->closed), V_NONE);
    } else {
        future_fail(vm, AS(future, p->closed), p->lost_exc);
        future_retrieved(AS(future, p->closed)); /* nobody has to ask */
    }
}
/* FlowControlMixin: nothing but what drain() needs. */
PM(p_flow_lost)
{
    (void)vm, UNUSED;
    stream_protocol *p = PROTOCOL(a[0]);
    p->lost = true;
    if (p->paused) wake_drainers(vm, p, a[1]);
    return V_NONE;
}
PM(p_flow_close_waiter)
{
    (void)a, UNUSED;
    return raise(vm, EXC_NotImplementedError, NULL);
}
PM(p_connection_lost)
{
    UNUSED;
    stream_protocol *p = PROTOCOL(a[0]);
    if (!tell_reader(vm, p, value_is_none(a[1]) ? "feed_eof" : "set_exception", &a[1], !value_is_none(a[1])))
        return V_ERROR;
    p->lost = true;
    p->lost_exc = a[1];
    gc_barrier(vm, p);
    finish_closed(vm, p);
    if (p->paused) wake_drainers(vm, p, a[1]);
    p->writer = p->task = p->transport = V_NONE;
    return V_NONE;
}
PM(p_data_received)
{
    UNUSED;
    value r = PROTOCOL(a[0])->reader;
    if (value_is_none(r)) return V_NONE;
    return vm_call_method(vm, r, str_intern_utf8(vm, "feed_data", 9), &a[1], 1);
}
PM(p_eof_received)
{
    UNUSED;
    stream_protocol *p = PROTOCOL(a[0]);
    return tell_reader(vm, p, "feed_eof", NULL, 0) ? value_bool(!p->over_ssl) : V_ERROR;
}
PM(p_pause_writing)
{
    UNUSED;
    if (PROTOCOL(a[0])->paused) return raise(vm, EXC_AssertionError, NULL);
    PROTOCOL(a[0])->paused = true;
    return V_NONE;
}
PM(p_resume_writing)
{
    UNUSED;
    stream_protocol *p = PROTOCOL(a[0]);
    if (!p->paused) return raise(vm, EXC_AssertionError, NULL);
    p->paused = false;
    wake_drainers(vm, p, V_NONE);
    return V_NONE;
}

/* r: self | future */
enum nstep stream_drain_step(vm *vm, stream_protocol *p, value *fut, value sent, value *out)
{
    if (!value_is_unbound(*fut)) {
        waiters_remove(&p->drainers, *fut);
        *fut = V_UNBOUND;
        *out = V_NONE;
        return value_is_unbound(sent) ? NSTEP_ERROR : NSTEP_DONE;
    }
    *out = V_NONE;
    if (p->lost) {
        raise(vm, EXC_ConnectionResetError, "Connection lost");
        return NSTEP_ERROR;
    }
    if (LIKELY(!p->paused)) return NSTEP_DONE;
    future *f = waiters_wait(vm, p, &p->drainers, p->loop);
    if (!f) return NSTEP_ERROR;
    *fut = *out = value_obj(f);
    return NSTEP_AWAIT;
}
static enum nstep drain_helper_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    return stream_drain_step(vm, PROTOCOL(r[0]), &r[1], sent, out);
}

PM(p_get_close_waiter)
{
    UNUSED;
    stream_protocol *p = PROTOCOL(a[0]);
    if (value_is_unbound(p->closed)) {
        future *f = future_new(vm, p->loop);
        if (!f) return V_ERROR;
        p->closed = value_obj(f);
        gc_barrier(vm, p);
        if (p->lost) finish_closed(vm, p);
    }
    return p->closed;
}
PM(p_replace_writer)
{
    UNUSED;
    stream_protocol *p = PROTOCOL(a[0]);
    value w = a[1], t, ssl = value_obj(str_intern_utf8(vm, "sslcontext", 10));
    t = obj_getattr(vm, w, str_intern_utf8(vm, "transport", 9));
    if (value_is_error(t)) return V_ERROR;
    ROOTS(vm, &t);
    ssl = vm_call_method(vm, t, str_intern_utf8(vm, "get_extra_info", 14), &ssl, 1);
    if (value_is_error(ssl)) return V_ERROR;
    p->writer = w;
    p->transport = t;
    p->over_ssl = !value_is_none(ssl);
    gc_barrier(vm, p);
    return V_NONE;
}

/* ---- attributes that start_tls and tests look at ---- */

#define FIELD(NAME)                                              \
    static value get_##NAME(vm *vm, value self)                  \
    {                                                            \
        (void)vm;                                                \
        return PROTOCOL(self)->NAME;                             \
    }                                                            \
    static bool put_##NAME(vm *vm, value self, value v)          \
    {                                                            \
        PROTOCOL(self)->NAME = value_is_unbound(v) ? V_NONE : v; \
        gc_barrier(vm, value_as_obj(self));                      \
        return true;                                             \
    }
FIELD(reader)
FIELD(writer)
FIELD(callback)
FIELD(transport)
FIELD(task)
static value get_loop(vm *vm, value self)
{
    (void)vm;
    return PROTOCOL(self)->loop ? value_obj(PROTOCOL(self)->loop) : V_NONE;
}
static value get_closed(vm *vm, value self) { return p_get_close_waiter(vm, &self, 1, V_UNBOUND); }
#define FLAG(NAME)                                          \
    static value get_##NAME(vm *vm, value self)             \
    {                                                       \
        (void)vm;                                           \
        return value_bool(PROTOCOL(self)->NAME);            \
    }                                                       \
    static bool put_##NAME(vm *vm, value self, value v)     \
    {                                                       \
        int t = value_is_unbound(v) ? 0 : obj_truth(vm, v); \
        if (t >= 0) PROTOCOL(self)->NAME = t;               \
        return t >= 0;                                      \
    }
FLAG(over_ssl)
FLAG(paused)
FLAG(lost)

static value protocol_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    value v = zeroed_slot_new(vm, t, args, n, kw);
    if (value_is_error(v)) return v;
    stream_protocol *p = PROTOCOL(v);
    p->reader = p->writer = p->callback = p->transport = p->task = p->lost_exc = V_NONE;
    return v;
}
static bool protocol_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value v[3];
    if (!args_bind(vm, "StreamReaderProtocol.__init__(stream_reader, client_connected_cb=None, loop=None)", args, n, kw,
                   v))
        return false;
    loop *l = stream_loop(vm, v[2]);
    if (!l) return false;
    stream_protocol *p = PROTOCOL(self);
    p->loop = l;
    p->reader = v[0];
    p->callback = value_is_unbound(v[1]) ? V_NONE : v[1];
    gc_barrier(vm, p);
    return true;
}
static bool flow_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value v[1];
    if (!args_bind(vm, "FlowControlMixin.__init__(loop=None)", args, n, kw, v)) return false;
    PROTOCOL(self)->loop = stream_loop(vm, v[0]);
    gc_barrier(vm, value_as_obj(self));
    return PROTOCOL(self)->loop != NULL;
}
static void protocol_traverse(vm *vm, object *o)
{
    stream_protocol *p = (stream_protocol *)o;
    const value all[] = {p->reader, p->writer, p->callback, p->transport, p->task, p->closed, p->lost_exc};
    gc_mark_values(vm, all, sizeof all / sizeof *all);
    gc_mark_obj(vm, p->loop ? &p->loop->h : NULL);
    waiters_mark(vm, &p->drainers);
}
static void protocol_free(vm *vm, object *o) { waiters_free(vm, &((stream_protocol *)o)->drainers); }

static const native_def methods[] = {
    {"connection_made(self, transport)", p_connection_made, DOC("The connection is there."), 0},
    {"connection_lost(self, exc)", p_connection_lost, DOC("The connection has gone."), 0},
    {"data_received(self, data)", p_data_received, DOC("Data has come: for the reader."), 0},
    {"eof_received(self)", p_eof_received, DOC("The peer sends no more."), 0},
    {"_get_close_waiter(self, stream)", p_get_close_waiter, NULL, 0},
    {"_replace_writer(self, writer)", p_replace_writer, NULL, 0},
    {0},
};
static const native_def flow_methods[] = {
    {"pause_writing(self)", p_pause_writing, DOC("drain() has to wait from now on."), 0},
    {"resume_writing(self)", p_resume_writing, DOC("drain() goes on."), 0},
    {"connection_lost(self, exc)", p_flow_lost, DOC("The connection has gone: drain() raises."), 0},
    {"_get_close_waiter(self, stream)", p_flow_close_waiter, NULL, 0},
    NATIVE_ASYNC_DEF("_drain_helper(self)", drain_helper_step, NULL, 1),
    {0},
};
static const getset_def flow_getsets[] = {
    {"_paused", get_paused, put_paused, NULL},
    {"_connection_lost", get_lost, put_lost, NULL},
    {"_loop", get_loop, NULL, NULL},
    {0},
};
static const getset_def getsets[] = {
    {"_stream_reader", get_reader, put_reader, NULL},
    {"_stream_writer", get_writer, put_writer, NULL},
    {"_client_connected_cb", get_callback, put_callback, NULL},
    {"_transport", get_transport, put_transport, NULL},
    {"_task", get_task, put_task, NULL},
    {"_over_ssl", get_over_ssl, put_over_ssl, NULL},
    {"_closed", get_closed, NULL, NULL},
    {0},
};
static void fill(struct type_slots *s)
{
    s->new_ = protocol_slot_new;
    s->init = protocol_init;
}
static void flow_fill(struct type_slots *s)
{
    s->new_ = protocol_slot_new;
    s->init = flow_init;
}
static const type_layout layout = {
    .size = sizeof(stream_protocol) - sizeof(userdata), .traverse = protocol_traverse, .free = protocol_free};

bool stream_protocol_types_open(vm *vm)
{
    runtime *rt = runtime_of(vm);
    static const type_spec spec = {"asyncio.streams.StreamReaderProtocol",
                                   "Between a transport and a StreamReader.",
                                   &layout,
                                   methods,
                                   getsets,
                                   0,
                                   TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                   fill};
    static const type_spec flow = {"asyncio.streams.FlowControlMixin",
                                   "Lets drain() wait for the transport.",
                                   &layout,
                                   flow_methods,
                                   flow_getsets,
                                   0,
                                   TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                   flow_fill};
    rt->types[RT_FLOW_CONTROL] = type_derive(vm, &flow, rt->types[RT_PROTOCOL]);
    if (!rt->types[RT_FLOW_CONTROL]) return false;
    rt->types[RT_STREAM_PROTOCOL] = type_derive(vm, &spec, rt->types[RT_FLOW_CONTROL]);
    return rt->types[RT_STREAM_PROTOCOL] != NULL;
}
