/* The buffer protocol: how memoryview and everything that takes "a bytes-like object" reach the memory
 * of bytes, bytearray, memoryview, and of types outside vm/ that have contiguous memory (array, userdata):
 * those put a `buffer_ops` into their type_layout.
 *
 * buffer_pin keeps an exporter from moving or resizing its memory while a view lives. buffer_view
 * (types_api.h) is the short form for reading at once: nothing that runs script may come in between.
 */
#ifndef AIO_BUFFER_H
#define AIO_BUFFER_H

#include "types_api.h"

typedef struct buffer_info {
    uint8_t *data;
    size_t n; /* bytes */
    uint32_t itemsize;
    char format; /* struct code of an item: 'B' for plain bytes */
    bool readonly;
} buffer_info;

typedef struct buffer_ops {
    bool (*get)(vm *vm, object *o, buffer_info *out); /* false: raised (closed, ...) */
    /* exports += delta; also called from a view's free function; may be NULL */
    void (*pin)(object *o, int delta);
} buffer_ops;

/* The operations of v, or NULL: it exports no memory. */
const buffer_ops *buffer_ops_of(vm *vm, value v);
/* true: described in *out. false: not an exporter (nothing raised), or raised. */
bool buffer_info_of(vm *vm, value v, buffer_info *out);
bool buffer_is(vm *vm, value v); /* bytes-like? */
/* Like buffer_view, raising "a bytes-like object is required, not 'X'". */
bool buffer_need(vm *vm, value v, const uint8_t **p, size_t *n);

/* ---- memoryview.c ---- */
value memoryview_new(vm *vm, value obj);
bytes *memoryview_bytes(vm *vm, value v); /* a copy of the items, of strided views too */
bool memoryview_info(vm *vm, value v, buffer_info *out);

#endif
