/* asyncio.Protocol and its kin: the base classes of what transports call. Every method may be left out by a subclass.
 */
#include "runtime/transport.h"
#include "vm/native.h"

#define DOC_FILE runtime_protocols
DOC_BEGIN;

static value nothing(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)a, (void)n, (void)kw;
    return V_NONE;
}

static const native_def base_methods[] = {
    {"connection_made(self, transport)", nothing, DOC("The connection is there; transport is its other half."), 0},
    {"connection_lost(self, exc)", nothing, DOC("The connection has gone; exc says why, None: it was closed."), 0},
    {"pause_writing(self)", nothing, DOC("The transport's buffer is over the high-water mark."), 0},
    {"resume_writing(self)", nothing, DOC("The transport's buffer is down to the low-water mark."), 0},
    {0},
};
static const native_def stream_methods[] = {
    {"data_received(self, data)", nothing, DOC("Some data has come."), 0},
    {"eof_received(self)", nothing, DOC("The peer sends no more; a true result keeps the transport open."), 0},
    {0},
};
static const native_def buffered_methods[] = {
    {"get_buffer(self, sizehint)", nothing, DOC("A writable buffer for the next data."), 0},
    {"buffer_updated(self, nbytes)", nothing, DOC("So many bytes were put into the buffer."), 0},
    {"eof_received(self)", nothing, DOC("The peer sends no more; a true result keeps the transport open."), 0},
    {0},
};
static const native_def datagram_methods[] = {
    {"datagram_received(self, data, addr)", nothing, DOC("A datagram has come."), 0},
    {"error_received(self, exc)", nothing, DOC("A send or receive failed with an OSError."), 0},
    {0},
};
static const native_def subprocess_methods[] = {
    {"pipe_data_received(self, fd, data)", nothing, DOC("The child has written to its pipe fd."), 0},
    {"pipe_connection_lost(self, fd, exc)", nothing, DOC("A pipe to the child was closed."), 0},
    {"process_exited(self)", nothing, DOC("The child has ended."), 0},
    {0},
};

bool protocols_open(vm *vm)
{
    runtime *rt = runtime_of(vm);
    enum { FLAGS = TF_BASE | TF_PLAIN_NAME };
    static const type_spec base = {
        "asyncio.protocols.BaseProtocol", "What all protocols have.", NULL, base_methods, NULL, 0, FLAGS, NULL};
    static const struct {
        enum runtime_type id;
        type_spec spec;
    } kinds[] = {
        {RT_PROTOCOL,
         {"asyncio.protocols.Protocol", "Receives a stream as bytes.", NULL, stream_methods, NULL, 0, FLAGS, NULL}},
        {RT_BUFFERED_PROTOCOL,
         {"asyncio.protocols.BufferedProtocol", "Receives a stream into its own buffer.", NULL, buffered_methods, NULL,
          0, FLAGS, NULL}},
        {RT_DATAGRAM_PROTOCOL,
         {"asyncio.protocols.DatagramProtocol", "Receives datagrams.", NULL, datagram_methods, NULL, 0, FLAGS, NULL}},
        {RT_SUBPROCESS_PROTOCOL,
         {"asyncio.protocols.SubprocessProtocol", "Is told what a child process does.", NULL, subprocess_methods, NULL,
          0, FLAGS, NULL}},
    };
    if (!(rt->types[RT_BASE_PROTOCOL] = type_from_spec(vm, &base))) return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!(rt->types[kinds[i].id] = type_derive(vm, &kinds[i].spec, rt->types[RT_BASE_PROTOCOL]))) return false;
    return true;
}
