/* Stream transports: sockets and pipes between a loop and a protocol. The essay is in transport.c.
 *
 * For other C code: stream_transport_new gives a transport for a connected socket or a pipe; it owns the descriptor
 * from then on. What it calls is the protocol object: connection_made(transport), data_received(bytes) or
 * get_buffer/buffer_updated, eof_received(), pause_writing(), resume_writing(), connection_lost(exc or None), in this
 * order and each in a turn of the loop of its own as CPython has it. A StreamReaderProtocol is fed without any call of
 * script. */
#ifndef AIOVM_RUNTIME_TRANSPORT_H
#define AIOVM_RUNTIME_TRANSPORT_H

#include "runtime/poller.h"
#include "runtime/socket.h"

enum { READ_BUFFER = 256 * 1024 }; /* one receive at most */
enum transport_kind { TRANSPORT_SOCKET, TRANSPORT_READ_PIPE, TRANSPORT_WRITE_PIPE };

typedef struct transport {
    object h;
    value *slots;
    loop *loop;
    value protocol;     /* None once the connection is lost */
    value file;         /* the socket.socket, or the pipe's file object */
    value closed_file;  /* the same once it is closed */
    value extra;        /* dict of what get_extra_info() knows, or unbound */
    value server;       /* asyncio.Server that accepted it, or unbound */
    value waiter;       /* Future that is done when connection_made has run; unbound: none */
    value context;      /* contextvars.Context of the callbacks, or unbound */
    value empty_waiter; /* Future of sendfile(): the buffer is written out; unbound: none */
    value lost_exc;     /* for connection_lost() */
    value peername;     /* or unbound */
    callback_obj *reader, *writer;
    int fd;
    uint8_t kind;  /* enum transport_kind */
    bool started;  /* reading: after connection_made */
    bool level;    /* level-triggered: descriptors 0-2, whose open file others share */
    bool closing;  /* close() or abort() was called, or the connection broke: nothing is read any more */
    bool paused;   /* pause_reading() */
    bool no_more;  /* the peer's end was seen: nothing to read any more */
    bool readable; /* an event came while reading was paused */
    bool eof;      /* write_eof() */
    bool protocol_paused, buffered;
    bool native;      /* the protocol is a StreamReaderProtocol that no script changed */
    bool lost;        /* connection_lost() is scheduled or done */
    uint32_t ignored; /* writes since then */
    uint8_t *out;     /* unsent bytes: out[out_pos, out_end) */
    size_t out_pos, out_end, out_cap;
    size_t high, low; /* water marks */
} transport;

/* file: a socket_obj (TRANSPORT_SOCKET) or a pipe's file object. waiter, server, extra: unbound when there is none.
 * NULL raised; the file is then still the caller's. */
transport *stream_transport_new(vm *vm, loop *l, enum transport_kind kind, value file, int fd, value protocol,
                                value waiter, value extra, value server);
bool transport_types_open(vm *vm);
static inline bool transport_is(vm *vm, value v)
{
    type *t = runtime_of(vm)->types[RT_STREAM_TRANSPORT];
    return t && value_is_exact(v, t->root_shape);
}
bool transport_write_value(vm *vm, transport *t, value data); /* as write(data); false: raised */
bool transport_write_eof(vm *vm, transport *t);
bool transport_close(vm *vm, transport *t);
/* exc: None, or what connection_lost() gets */
bool transport_abort(vm *vm, transport *t, value exc);
bool transport_pause_reading(vm *vm, transport *t);
bool transport_resume_reading(vm *vm, transport *t);
bool transport_set_protocol(vm *vm, transport *t, value protocol);
bool transport_maybe_pause(vm *vm, transport *t); /* after the water marks changed */
value transport_extra(vm *vm, transport *t, str *name, value dflt);
const char *transport_class(const transport *t); /* "_SelectorSocketTransport" */
static inline size_t transport_unsent(const transport *t) { return t->out_end - t->out_pos; }

/* ---- protocols.c ---- */
bool protocols_open(vm *vm);

/* ---- stream_protocol.c: what a transport calls when t->native ---- */
bool stream_protocol_is_native(vm *vm, value protocol);
bool stream_protocol_data(vm *vm, value protocol, const uint8_t *p, size_t n); /* false: raised */
bool stream_protocol_types_open(vm *vm);

/* ---- stream_reader.c ---- */
bool stream_reader_type_open(vm *vm);

/* ---- server.c ---- */
bool server_module_init(vm *vm, module *m); /* _asyncio_io: what _asyncio_net.aio is made of */

#endif
