/* bytes and bytearray from other objects, and the byte builder. */
#include "bytes.h"

/* ---- the builder ---- */

void bb_init(byte_builder *b, vm *vm)
{
    b->vm = vm;
    b->data = b->inl;
    b->len = 0;
    b->cap = sizeof b->inl;
    b->failed = false;
}

void bb_drop(byte_builder *b)
{
    if (b->data != b->inl) mem_free(b->vm, b->data, b->cap);
    b->data = b->inl;
    b->cap = sizeof b->inl;
    b->len = 0;
}

bool bb_reserve(byte_builder *b, size_t n)
{
    if (LIKELY(n <= b->cap - b->len)) return !b->failed;
    if (b->failed) return false;
    size_t need, cap;
    uint8_t *p = NULL;
    if (!size_add(b->len, n, &need)) need = SIZE_MAX;
    if (bytes_check_size(b->vm, need)) {
        cap = need + need / 2;
        p = b->data == b->inl ? mem_alloc(b->vm, cap) : mem_realloc(b->vm, b->data, b->cap, cap);
    }
    if (!p) {
        bb_drop(b);
        b->failed = true;
        return false;
    }
    if (b->data == b->inl) memcpy(p, b->inl, b->len);
    b->data = p;
    b->cap = cap;
    return true;
}

void bb_byte(byte_builder *b, uint8_t c)
{
    if (bb_reserve(b, 1)) b->data[b->len++] = c;
}

void bb_add(byte_builder *b, const void *p, size_t n)
{
    if (!n || !bb_reserve(b, n)) return;
    memcpy(b->data + b->len, p, n);
    b->len += n;
}

void bb_fill(byte_builder *b, uint8_t c, size_t n)
{
    if (!n || !bb_reserve(b, n)) return;
    memset(b->data + b->len, c, n);
    b->len += n;
}

bytes *bb_finish(byte_builder *b)
{
    if (b->failed) return NULL;
    bytes *r = bytes_new(b->vm, b->data, b->len);
    bb_drop(b);
    return r;
}

bytearray *bb_finish_array(byte_builder *b)
{
    if (b->failed) return NULL;
    bytearray *r = bytearray_new(b->vm, b->data, b->len);
    bb_drop(b);
    return r;
}

value bb_result(byte_builder *b, bool array) { return array ? value_obj(bb_finish_array(b)) : value_obj(bb_finish(b)); }

value bytes_result(vm *vm, bool array, const void *p, size_t n)
{
    return array ? value_obj(bytearray_new(vm, p, n)) : value_obj(bytes_new(vm, p, n));
}

value octets_unchanged(vm *vm, value self)
{
    if (IS_BYTES(self)) return value_obj(bytes_plain(AS(bytes, self)));
    octets o = octets_of(self);
    return value_obj(bytearray_new(vm, o.p, o.n));
}

/* ---- from objects ---- */

bool bytes_value(vm *vm, value item, uint8_t *out, const char *range_message)
{
    int64_t n;
    if (LIKELY(value_is_int(item))) {
        n = value_as_int(item);
    } else {
        value v = obj_index(vm, item);
        if (value_is_error(v)) return false;
        if (!int_to_i64(vm, v, &n)) n = -1;
    }
    if ((uint64_t)n > 255) return raise_value_error(vm, "%s", range_message), false;
    *out = (uint8_t)n;
    return true;
}

static bool add_items(byte_builder *b, value src, const char *message)
{
    vm *vm = b->vm;
    uint8_t c;
    if (value_is_exact(src, TYPE_LIST)) { /* items may change under a script __index__: look again each time */
        for (size_t i = 0; i < AS(list, src)->len; i++) {
            if (!bytes_value(vm, AS(list, src)->items[i], &c, message)) return false;
            bb_byte(b, c);
        }
        return !b->failed;
    }
    value it = obj_iter(vm, src);
    if (value_is_error(it)) return false;
    ROOTS(vm, &it);
    for (;;) {
        value v = obj_next(vm, it);
        if (value_is(v, V_STOP)) return !b->failed;
        if (value_is_error(v) || !bytes_value(vm, v, &c, message) || !vm_tick(vm, 1)) return false;
        bb_byte(b, c);
    }
}

bool bb_add_object(byte_builder *b, value src, const char *target)
{
    vm *vm = b->vm;
    const uint8_t *p;
    size_t n;
    ROOTS(vm, &src);
    if (value_is_kind(src, K_MEMORYVIEW)) { /* may be strided */
        bytes *copy = memoryview_bytes(vm, src);
        if (!copy) return false;
        src = value_obj(copy);
    }
    if (buffer_view(vm, src, &p, &n)) {
        bb_add(b, p, n);
        return !b->failed;
    }
    if (raised(vm)) return false;
    type *t = type_of(vm, src);
    bool iterable = t->s.iter || t->s.getitem;
    if (!iterable) {
        raise_type_error(vm, "cannot convert '%T' object to %s", src, target);
        return false;
    }
    return add_items(b, src, target[4] == 's' ? "bytes must be in range(0, 256)" : "byte must be in range(0, 256)");
}

bytes *bytes_from_object(vm *vm, value v)
{
    if (value_is_exact(v, TYPE_BYTES)) return AS(bytes, v);
    ROOTS(vm, &v);
    if (!value_is_int(v) && !value_is_exact(v, TYPE_LIST) && !value_is_exact(v, TYPE_BYTEARRAY)) {
        value m = type_lookup_special(vm, v, N(vm, __bytes__));
        if (raised(vm)) return NULL;
        if (!value_is_unbound(m)) {
            value r = vm_call0(vm, m);
            if (value_is_error(r)) return NULL;
            if (!IS_BYTES(r)) return raise_type_error(vm, "__bytes__ returned non-bytes (type %T)", r), NULL;
            return AS(bytes, r);
        }
    }
    if (int_is(v) || type_of(vm, v)->s.index) {
        int64_t n;
        if (!obj_as_index(vm, v, &n, EXC_OverflowError)) {
            if (!exc_clear_if(vm, EXC_TypeError)) return NULL;
        } else {
            if (n < 0) return raise_value_error(vm, "negative count"), NULL;
            if (n == 0) return vm->empty_bytes;
            bytes *zeros = bytes_alloc(vm, (size_t)n);
            if (zeros) memset(zeros->u.inl, 0, (size_t)n);
            return zeros;
        }
    }
    byte_builder b;
    bb_init(&b, vm);
    if (bb_add_object(&b, v, "bytes")) return bb_finish(&b);
    bb_drop(&b);
    return NULL;
}
