/* The transport object as scripts see it: _SelectorSocketTransport and its siblings for pipes. */
#include "runtime/transport.h"
#include "runtime/asyncio.h"
#include "vm/bytes.h"
#include "vm/list.h"
#include "vm/native.h"

#define DOC_FILE runtime_transport_methods
DOC_BEGIN;

#define TRANSPORT(v) AS(transport, v)
#define TM(NAME)     static value NAME(vm *vm, value *a, uint32_t n, value kw)
#define UNUSED       (void)n, (void)kw

TM(t_write)
{
    UNUSED;
    return transport_write_value(vm, TRANSPORT(a[0]), a[1]) ? V_NONE : V_ERROR;
}
TM(t_writelines)
{
    UNUSED;
    value data = vm_call_method(vm, value_obj(vm->empty_bytes), str_intern_utf8(vm, "join", 4), &a[1], 1);
    ROOTS(vm, &data);
    return !value_is_error(data) && transport_write_value(vm, TRANSPORT(a[0]), data) ? V_NONE : V_ERROR;
}
TM(t_write_eof)
{
    UNUSED;
    return transport_write_eof(vm, TRANSPORT(a[0])) ? V_NONE : V_ERROR;
}
TM(t_can_write_eof)
{
    (void)vm, (void)a, UNUSED;
    return V_TRUE;
}
TM(t_close)
{
    UNUSED;
    return transport_close(vm, TRANSPORT(a[0])) ? V_NONE : V_ERROR;
}
TM(t_abort)
{
    UNUSED;
    return transport_abort(vm, TRANSPORT(a[0]), V_NONE) ? V_NONE : V_ERROR;
}
TM(t_force_close) /* abort() with a reason, for TLS */
{
    UNUSED;
    return transport_abort(vm, TRANSPORT(a[0]), a[1]) ? V_NONE : V_ERROR;
}
TM(t_is_closing)
{
    (void)vm, UNUSED;
    return value_bool(TRANSPORT(a[0])->closing);
}
TM(t_pause_reading)
{
    UNUSED;
    return transport_pause_reading(vm, TRANSPORT(a[0])) ? V_NONE : V_ERROR;
}
TM(t_resume_reading)
{
    UNUSED;
    return transport_resume_reading(vm, TRANSPORT(a[0])) ? V_NONE : V_ERROR;
}
TM(t_is_reading)
{
    (void)vm, UNUSED;
    return value_bool(!TRANSPORT(a[0])->closing && !TRANSPORT(a[0])->paused);
}
TM(t_get_extra_info)
{
    UNUSED;
    value dflt = value_is_unbound(a[2]) ? V_NONE : a[2];
    transport *t = TRANSPORT(a[0]);
    if (IS_STR(a[1])) return transport_extra(vm, t, AS(str, a[1]), dflt);
    value v = IS_DICT(t->extra) ? dict_get(vm, AS(dict, t->extra), a[1]) : V_UNBOUND;
    return raised(vm) ? V_ERROR : value_is_unbound(v) ? dflt : v;
}
TM(t_set_protocol)
{
    UNUSED;
    return transport_set_protocol(vm, TRANSPORT(a[0]), a[1]) ? V_NONE : V_ERROR;
}
TM(t_get_protocol)
{
    (void)vm, UNUSED;
    return TRANSPORT(a[0])->protocol;
}
TM(t_get_write_buffer_size)
{
    (void)vm, UNUSED;
    return value_int((int64_t)transport_unsent(TRANSPORT(a[0])));
}
TM(t_get_write_buffer_limits)
{
    UNUSED;
    const transport *t = TRANSPORT(a[0]);
    tuple *r = tuple_pack(vm, 2, int_from_i64(vm, (int64_t)t->low), int_from_i64(vm, (int64_t)t->high));
    return r ? value_obj(r) : V_ERROR;
}

/* High and low, None or unbound for the default. false: raised. */
static bool water_marks(vm *vm, value high, value low, size_t *out_high, size_t *out_low)
{
    int64_t h = 64 * 1024, l = 0;
    bool no_high = absent(high), no_low = absent(low);
    if (!no_low && !obj_as_index(vm, low, &l, EXC_OverflowError)) return false;
    if (!no_high && !obj_as_index(vm, high, &h, EXC_OverflowError)) return false;
    if (no_high && !no_low && __builtin_mul_overflow(l, 4, &h)) h = INT64_MAX;
    if (no_low) l = h / 4 - (h % 4 < 0);
    if (h < l || l < 0) {
        raise_value_error(vm, "high (%ld) must be >= low (%ld) must be >= 0", h, l);
        return false;
    }
    *out_high = (size_t)h;
    *out_low = (size_t)l;
    return true;
}
TM(t_set_write_buffer_limits)
{
    UNUSED;
    transport *t = TRANSPORT(a[0]);
    return water_marks(vm, a[1], a[2], &t->high, &t->low) && transport_maybe_pause(vm, t) ? V_NONE : V_ERROR;
}

/* sendfile() waits until the buffer is empty, and nothing may be written until it is over. */
TM(t_make_empty_waiter)
{
    UNUSED;
    transport *t = TRANSPORT(a[0]);
    if (!value_is_unbound(t->empty_waiter)) return raise(vm, EXC_RuntimeError, "Empty waiter is already set");
    if (!t->loop) return raise(vm, EXC_ConnectionError, "Connection is closed by peer");
    future *f = future_new(vm, t->loop);
    if (!f) return V_ERROR;
    t->empty_waiter = value_obj(f);
    gc_barrier(vm, t);
    if (!transport_unsent(t)) future_finish(vm, f, V_NONE);
    return value_obj(f);
}
TM(t_reset_empty_waiter)
{
    (void)vm, UNUSED;
    TRANSPORT(a[0])->empty_waiter = V_UNBOUND;
    return V_NONE;
}

/* ---- attributes ---- */

static value get_sock(vm *vm, value self)
{
    (void)vm;
    value f = TRANSPORT(self)->file;
    return value_is_unbound(f) ? V_NONE : f;
}
static value get_loop(vm *vm, value self)
{
    (void)vm;
    loop *l = TRANSPORT(self)->loop;
    return l ? value_obj(l) : V_NONE;
}
static value get_protocol(vm *vm, value self)
{
    (void)vm;
    return TRANSPORT(self)->protocol;
}
static value get_closing(vm *vm, value self)
{
    (void)vm;
    return value_bool(TRANSPORT(self)->closing);
}
static value get_extra(vm *vm, value self)
{
    (void)vm;
    transport *t = TRANSPORT(self);
    if (IS_DICT(t->extra)) return t->extra;
    dict *d = dict_new(vm);
    if (!d) return V_ERROR;
    t->extra = value_obj(d);
    gc_barrier(vm, t);
    return t->extra;
}

const char *transport_class(const transport *t)
{
    static const char *const names[] = {"_SelectorSocketTransport", "_UnixReadPipeTransport",
                                        "_UnixWritePipeTransport"};
    return names[t->kind];
}
static value transport_repr(vm *vm, value self)
{
    const transport *t = TRANSPORT(self);
    const char *cls = transport_class(t);
    const char *state = value_is_unbound(t->file) ? " closed" : t->closing ? " closing" : "";
    bool polling = t->started && t->loop && !t->loop->closed && !t->paused && !t->closing && !t->no_more;
    str *s;
    if (!t->loop || t->loop->closed)
        s = str_format(vm, "<%s%s fd=%d%s>", cls, state, t->fd, t->kind != TRANSPORT_SOCKET && !*state ? " open" : "");
    else if (t->kind == TRANSPORT_READ_PIPE)
        s = str_format(vm, "<%s%s fd=%d %s>", cls, state, t->fd, polling ? "polling" : "idle");
    else if (t->kind == TRANSPORT_WRITE_PIPE)
        s = str_format(vm, "<%s%s fd=%d %s bufsize=%zu>", cls, state, t->fd, polling ? "polling" : "idle",
                       transport_unsent(t));
    else
        s = str_format(vm, "<%s%s fd=%d read=%s write=<%s, bufsize=%zu>>", cls, state, t->fd,
                       polling ? "polling" : "idle", transport_unsent(t) ? "polling" : "idle", transport_unsent(t));
    return s ? value_obj(s) : V_ERROR;
}

static void transport_traverse(vm *vm, object *o)
{
    transport *t = (transport *)o;
    const value all[] = {t->protocol, t->file,    t->closed_file,  t->extra,    t->server,
                         t->waiter,   t->context, t->empty_waiter, t->lost_exc, t->peername};
    gc_mark_values(vm, all, sizeof all / sizeof *all);
    gc_mark_obj(vm, t->loop ? &t->loop->h : NULL);
    gc_mark_obj(vm, t->reader ? &t->reader->h : NULL);
    gc_mark_obj(vm, t->writer ? &t->writer->h : NULL);
}
static void transport_free(vm *vm, object *o)
{
    transport *t = (transport *)o;
    if (transport_unsent(t) && runtime_of(vm)) runtime_of(vm)->in_flight--;
    mem_free(vm, t->out, t->out_cap);
}
static void transport_finalize(vm *vm, value v)
{
    transport *t = TRANSPORT(v);
    if (value_is_unbound(t->file)) return;
    ROOTS(vm, &v);
    warn(vm, EXC_ResourceWarning, "unclosed transport %R", v);
    if (raised(vm)) exc_report_unraisable(vm, v);
    value f = t->file;
    t->file = V_UNBOUND;
    if (value_is_error(vm_call_method(vm, f, str_intern_utf8(vm, "close", 5), NULL, 0))) exc_report_unraisable(vm, v);
}

static const native_def methods[] = {
    {"write(self, data)", t_write, DOC("Send data, now or as soon as the peer takes it."), 0},
    {"writelines(self, list_of_data)", t_writelines, DOC("Send all of an iterable of bytes."), 0},
    {"write_eof(self)", t_write_eof, DOC("Close the sending side when everything is sent."), 0},
    {"can_write_eof(self)", t_can_write_eof, DOC("Does write_eof() work?"), 0},
    {"close(self)", t_close, DOC("Close when everything is sent."), 0},
    {"abort(self)", t_abort, DOC("Close at once; what is unsent is lost."), 0},
    {"_force_close(self, exc, /)", t_force_close, NULL, 0},
    {"is_closing(self)", t_is_closing, DOC("Is it closing or closed?"), 0},
    {"pause_reading(self)", t_pause_reading, DOC("No data for the protocol until resume_reading()."), 0},
    {"resume_reading(self)", t_resume_reading, DOC("Go on reading."), 0},
    {"is_reading(self)", t_is_reading, DOC("Is it reading?"), 0},
    {"get_extra_info(self, name, default=None)", t_get_extra_info, DOC("'peername', 'sockname', 'socket', 'pipe', ..."),
     0},
    {"set_protocol(self, protocol)", t_set_protocol, DOC("Hand the connection to another protocol."), 0},
    {"get_protocol(self)", t_get_protocol, DOC("The protocol."), 0},
    {"get_write_buffer_size(self)", t_get_write_buffer_size, DOC("How many bytes are unsent."), 0},
    {"get_write_buffer_limits(self)", t_get_write_buffer_limits, DOC("The water marks: (low, high)."), 0},
    {"set_write_buffer_limits(self, high=None, low=None)", t_set_write_buffer_limits, DOC("Set the water marks."), 0},
    {"_make_empty_waiter(self)", t_make_empty_waiter, NULL, 0},
    {"_reset_empty_waiter(self)", t_reset_empty_waiter, NULL, 0},
    {0},
};
static const getset_def getsets[] = {
    {"_sock", get_sock, NULL, NULL},
    {"_pipe", get_sock, NULL, NULL},
    {"_loop", get_loop, NULL, NULL},
    {"_protocol", get_protocol, NULL, NULL},
    {"_closing", get_closing, NULL, NULL},
    {"_extra", get_extra, NULL, NULL},
    {0},
};
static void fill(struct type_slots *s) { s->repr = transport_repr; }
static const type_layout layout = {.size = sizeof(transport) - sizeof(userdata),
                                   .traverse = transport_traverse,
                                   .free = transport_free,
                                   .finalize = transport_finalize};

bool transport_types_open(vm *vm)
{
    static const type_spec spec = {"asyncio.selector_events._SelectorSocketTransport",
                                   "A connection.",
                                   &layout,
                                   methods,
                                   getsets,
                                   0,
                                   TF_HAS_DICT | TF_PLAIN_NAME,
                                   fill};
    return (runtime_of(vm)->types[RT_STREAM_TRANSPORT] = type_from_spec(vm, &spec)) != NULL;
}
