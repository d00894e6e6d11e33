/* The buffer protocol's dispatch. */
#include "buffer.h"

#include "bytes.h"

static bool bytes_get(vm *vm, object *o, buffer_info *out)
{
    (void)vm;
    bytes *b = (bytes *)(void *)o;
    *out = (buffer_info){(uint8_t *)(uintptr_t)b->data, b->len, 1, 'B', true};
    return true;
}

static bool bytearray_get(vm *vm, object *o, buffer_info *out)
{
    (void)vm;
    bytearray *b = (bytearray *)(void *)o;
    *out = (buffer_info){b->data, b->len, 1, 'B', false};
    return true;
}

static void bytearray_pin(object *o, int delta) { ((bytearray *)(void *)o)->exports += (uint32_t)delta; }

static bool view_get(vm *vm, object *o, buffer_info *out) { return memoryview_info(vm, value_obj(o), out); }

static const buffer_ops bytes_ops = {.get = bytes_get};
static const buffer_ops bytearray_ops = {.get = bytearray_get, .pin = bytearray_pin};
static const buffer_ops view_ops = {.get = view_get};

const buffer_ops *buffer_ops_of(vm *vm, value v)
{
    if (!value_is_obj(v)) return NULL;
    switch (value_as_obj(v)->kind) {
    case K_BYTES: return &bytes_ops;
    case K_BYTEARRAY: return &bytearray_ops;
    case K_MEMORYVIEW: return &view_ops;
    case K_USERDATA: {
        const type_layout *l = type_of(vm, v)->layout;
        return l ? l->buffer : NULL;
    }
    default: return NULL;
    }
}

bool buffer_is(vm *vm, value v) { return buffer_ops_of(vm, v) != NULL; }

bool buffer_info_of(vm *vm, value v, buffer_info *out)
{
    const buffer_ops *ops = buffer_ops_of(vm, v);
    return ops && ops->get(vm, value_as_obj(v), out);
}

bool buffer_view(vm *vm, value v, const uint8_t **p, size_t *n)
{
    if (LIKELY(IS_BYTES(v))) {
        *p = AS(bytes, v)->data;
        *n = AS(bytes, v)->len;
        return true;
    }
    buffer_info info;
    if (!buffer_info_of(vm, v, &info)) return false;
    *p = info.data ? info.data : (const uint8_t *)"";
    *n = info.n;
    return true;
}

bool buffer_need(vm *vm, value v, const uint8_t **p, size_t *n)
{
    if (buffer_view(vm, v, p, n)) return true;
    if (!raised(vm)) raise_type_error(vm, "a bytes-like object is required, not '%T'", v);
    return false;
}
