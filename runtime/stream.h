/* StreamReader, StreamWriter, StreamReaderProtocol: what the files that implement them share. */
#ifndef AIOVM_RUNTIME_STREAM_H
#define AIOVM_RUNTIME_STREAM_H

#include "runtime/asyncio.h"
#include "runtime/transport.h"
#include "runtime/waiters.h"

typedef struct stream_reader {
    object h;
    value *slots;
    loop *loop;
    uint8_t *buf; /* received and not yet read: buf[pos, end) */
    size_t pos, end, cap;
    size_t limit;
    value waiter;     /* Future of the one that reads, or None */
    value exception;  /* None, or what reading raises */
    value transport;  /* None until the connection is made */
    bool eof, paused; /* paused: the transport was told to stop reading */
} stream_reader;

typedef struct stream_protocol {
    object h;
    value *slots;
    loop *loop;
    value reader, writer; /* writer: of a server's connection */
    value callback;       /* client_connected_cb, or None */
    value transport;
    value task;   /* the handler's */
    value closed; /* Future of wait_closed(), made when somebody asks; unbound */
    value lost_exc;
    waiters drainers;
    bool paused, lost, over_ssl;
} stream_protocol;

typedef struct stream_writer {
    object h;
    value *slots;
    loop *loop;
    value transport, protocol, reader;
} stream_writer;

static inline size_t reader_len(const stream_reader *r) { return r->end - r->pos; }
bool stream_reader_feed(vm *vm, stream_reader *r, const uint8_t *p, size_t n); /* false: raised */
/* The loop of an optional argument: NULL raised. */
loop *stream_loop(vm *vm, value v);
stream_writer *stream_writer_new(vm *vm, loop *l, value transport, value protocol, value reader);
/* drain of a StreamReaderProtocol */
enum nstep stream_drain_step(vm *vm, stream_protocol *p, value *fut, value sent, value *out);
bool stream_writer_type_open(vm *vm);

#endif
