/* The items of the module array's arrays, and their storage.
 *
 * Invariants
 *  1. `data` holds cap items, len of them in use; it is NULL exactly when cap is 0.
 *  2. While exports > 0 neither data nor len changes. A view that nobody can reach any more still
 *     counts until it is collected, so a resize that finds exports collects fully before it gives
 *     up.
 *  3. Items are converted before a place for them is looked for: conversion can run script, which
 *     can change the array.
 */
#include "array.h"

#include "vm/int.h"
#include "vm/iter.h"

const struct array_kind array_kinds[ARRAY_KINDS] = {
    {'b', 1, ITEM_INT, true, 1},    {'B', 1, ITEM_INT, false, 0},  {'u', 4, ITEM_CHAR, false, 20},
    {'h', 2, ITEM_INT, true, 4},    {'H', 2, ITEM_INT, false, 2},  {'i', 4, ITEM_INT, true, 8},
    {'I', 4, ITEM_INT, false, 6},   {'l', 8, ITEM_INT, true, 12},  {'L', 8, ITEM_INT, false, 10},
    {'q', 8, ITEM_INT, true, 12},   {'Q', 8, ITEM_INT, false, 10}, {'f', 4, ITEM_FLOAT, true, 14},
    {'d', 8, ITEM_FLOAT, true, 16},
};

const struct array_kind *array_kind_find(uint32_t code)
{
    for (size_t i = 0; i < ARRAY_KINDS; i++)
        if ((uint32_t)array_kinds[i].code == code) return &array_kinds[i];
    return NULL;
}

/* ---- items ---- */

static value unpack_char(vm *vm, uint32_t c)
{
    if (c <= 0x10FFFF) return str_value(str_char(vm, c));
    char hex[8];
    for (int n = 0; n < 8; n++) hex[n] = "0123456789abcdef"[c >> (28 - 4 * n) & 15];
    str *s = str_new_latin1(vm, (const uint8_t *)hex, 8);
    return s ? raise_value_error(vm, "character U+%U is not in range [U+0000; U+10ffff]", s) : V_ERROR;
}

value array_unpack(vm *vm, const struct array_kind *k, const uint8_t *p)
{
    float f;
    double d;
    uint16_t h;
    uint32_t w;
    uint64_t q;
    switch (k->size) { /* each copy of a known size: one load */
    case 1: return value_int(k->is_signed ? (int8_t)*p : *p);
    case 2: memcpy(&h, p, 2); return value_int(k->is_signed ? (int16_t)h : h);
    case 4:
        memcpy(&w, p, 4);
        if (k->cls == ITEM_INT) return value_int(k->is_signed ? (int64_t)(int32_t)w : (int64_t)w);
        if (k->cls == ITEM_CHAR) return unpack_char(vm, w);
        memcpy(&f, p, 4);
        return value_float((double)f);
    default:
        if (k->cls == ITEM_FLOAT) {
            memcpy(&d, p, 8);
            return value_float(d);
        }
        memcpy(&q, p, 8);
        return k->is_signed ? int_from_i64(vm, (int64_t)q) : int_from_u64(vm, q);
    }
}

static bool overflow(vm *vm, const char *message)
{
    raise_overflow(vm, "%s", message);
    return false;
}

/* What is wrong with n, in CPython's words, which depend on the C type each code is read by. */
static bool int_misfit(vm *vm, char code, bool huge, i128 n)
{
    bool below = n < 0;
    switch (code) {
    case 'I':
    case 'L':
        if (below) return overflow(vm, "can't convert negative value to unsigned int");
        if (huge || n >> 64) return overflow(vm, "Python int too large to convert to C unsigned long");
        return overflow(vm, "unsigned int is greater than maximum");
    case 'q': return overflow(vm, "int too big to convert");
    case 'Q': return overflow(vm, below ? "can't convert negative int to unsigned" : "int too big to convert");
    default: break;
    }
    if (huge || n != (int64_t)n) return overflow(vm, "Python int too large to convert to C long");
    if (code == 'H' && n == (int)n)
        return overflow(vm, below ? "unsigned short is less than minimum" : "unsigned short is greater than maximum");
    if (code == 'H' || code == 'i')
        return overflow(vm, below ? "signed integer is less than minimum" : "signed integer is greater than maximum");
    if (code == 'b' && n == (int16_t)n)
        return overflow(vm, below ? "signed char is less than minimum" : "signed char is greater than maximum");
    if (code == 'B')
        return overflow(vm, below ? "unsigned byte integer is less than minimum"
                                  : "unsigned byte integer is greater than maximum");
    return overflow(vm, below ? "signed short integer is less than minimum"
                              : "signed short integer is greater than maximum");
}

/* Converts v into out[8]; may run script. */
bool array_pack(vm *vm, const struct array_kind *k, value v, uint8_t *out)
{
    if (!ARRAY_BIG_ENDIAN && value_is_int(v) && k->cls == ITEM_INT) {
        int64_t n = value_as_int(v), top = INT64_MAX >> (64 - k->size * 8u);
        if (k->is_signed ? n >= -top - 1 && n <= top : n >= 0 && n >> 1 <= top) {
            memcpy(out, &n, 8);
            return true;
        }
    }
    if (k->cls == ITEM_CHAR) {
        if (!IS_STR(v) || AS(str, v)->len != 1) {
            raise_type_error(vm, "array item must be unicode character");
            return false;
        }
        uint32_t c = str_at(AS(str, v), 0);
        memcpy(out, &c, 4);
        return true;
    }
    if (k->cls == ITEM_FLOAT) {
        double d;
        if (LIKELY(value_is_float(v))) d = value_as_float(v);
        else if (!float_as_double(vm, v, &d)) return false;
        float f = (float)d;
        if (k->size == 4) memcpy(out, &f, 4);
        else memcpy(out, &d, 8);
        return true;
    }
    i128 n = 0;
    v = obj_index(vm, v);
    if (value_is_error(v)) return false;
    bool huge = !int_to_i128(v, &n);
    if (huge) n = int_sign(vm, v) < 0 ? -1 : 1;
    unsigned bits = k->size * 8u;
    i128 top = k->is_signed ? ((i128)1 << (bits - 1)) - 1 : ((i128)1 << bits) - 1;
    if (huge || n > top || n < (k->is_signed ? -top - 1 : 0)) return int_misfit(vm, k->code, huge, n);
    uint64_t word = (uint64_t)n;
    memcpy(out, (uint8_t *)&word + (ARRAY_BIG_ENDIAN ? 8 - k->size : 0), k->size);
    return true;
}

void array_swap_items(uint8_t *p, size_t n, size_t size)
{
    for (; n; n--, p += size)
        for (size_t i = 0; i < size / 2; i++) {
            uint8_t c = p[i];
            p[i] = p[size - 1 - i];
            p[size - 1 - i] = c;
        }
}

/* ---- storage ---- */

/* May it change its length? Can run finalisers: call it before looking at anything. */
bool array_resizable(vm *vm, value self)
{
    if (LIKELY(array_of(self)->exports == 0)) return true;
    ROOTS(vm, &self);
    gc_collect_full(vm);
    if (array_of(self)->exports == 0) return true;
    raise(vm, EXC_BufferError, "cannot resize an array that is exporting buffers");
    return false;
}

/* The storage for n items, without the test for exports; runs nothing. */
bool array_set_len(vm *vm, struct array *a, size_t n)
{
    size_t size = a->kind->size;
    if (n > array_max_items(a)) return raise_memory(vm), false;
    if (n > a->cap || n < a->cap / 4) {
        size_t cap = n > a->cap && a->cap ? n + n / 8 + 6 : n;
        if (cap == 0) {
            mem_free(vm, a->data, a->cap * size);
            a->data = NULL;
        } else {
            uint8_t *p = mem_realloc(vm, a->data, a->cap * size, cap * size);
            if (!p) return false;
            a->data = p;
        }
        a->cap = cap;
    }
    a->len = n;
    return true;
}

static void array_free(vm *vm, object *o)
{
    struct array *a = array_of(value_obj(o));
    if (a->data) mem_free(vm, a->data, a->cap * a->kind->size);
}

static bool array_get(vm *vm, object *o, buffer_info *out)
{
    (void)vm;
    const struct array *a = array_of(value_obj(o));
    *out = (buffer_info){a->data, a->len * a->kind->size, a->kind->size,
                         a->kind->cls == ITEM_CHAR ? 'w' : a->kind->code, false};
    return true;
}

static void array_pin(object *o, int delta) { array_of(value_obj(o))->exports += (uint32_t)delta; }

static const buffer_ops array_buffer = {.get = array_get, .pin = array_pin};
const type_layout array_layout = {.size = sizeof(struct array), .free = array_free, .buffer = &array_buffer};

/* An array of n items of undefined content. */
value array_alloc(vm *vm, type *t, const struct array_kind *k, size_t n)
{
    void *o = userdata_new(vm, t);
    if (!o) return V_ERROR;
    struct array *a = array_of(value_obj(o));
    a->kind = k;
    return n == 0 || array_set_len(vm, a, n) ? value_obj(o) : V_ERROR;
}

/* A plain array of n items at p, which stays valid: allocation runs nothing. */
value array_from(vm *vm, const struct array_kind *k, const uint8_t *p, size_t n)
{
    value v = array_alloc(vm, array_type(vm), k, n);
    if (!value_is_error(v) && n) memcpy(array_of(v)->data, p, n * k->size);
    return v;
}

/* Replaces [from, to) by n items at p, which must not lie in the array. */
bool array_splice(vm *vm, struct array *a, size_t from, size_t to, const uint8_t *p, size_t n)
{
    size_t size = a->kind->size, tail = (a->len - to) * size, old = a->len;
    if (n > array_max_items(a)) return raise_memory(vm), false;
    if (n < to - from) {
        if (tail) memmove(array_place(a, from + n), array_place(a, to), tail);
        if (!array_set_len(vm, a, old - (to - from) + n)) return false;
    } else if (n > to - from) {
        if (!array_set_len(vm, a, old - (to - from) + n)) return false;
        if (tail) memmove(array_place(a, from + n), array_place(a, to), tail);
    }
    if (n) memcpy(array_place(a, from), p, n * size);
    return true;
}

bool array_append(vm *vm, value self, value v)
{
    uint8_t item[8];
    ROOTS(vm, &self);
    if (!array_pack(vm, array_of(self)->kind, v, item) || !array_resizable(vm, self)) return false;
    struct array *a = array_of(self);
    if (!array_set_len(vm, a, a->len + 1)) return false;
    memcpy(array_place(a, a->len - 1), item, a->kind->size);
    return true;
}

bool array_append_all(vm *vm, value self, value iterable)
{
    ROOTS(vm, &self, &iterable);
    value it = obj_iter(vm, iterable);
    if (value_is_error(it)) return false;
    ROOTS(vm, &it);
    for (;;) {
        value v = iter_step(vm, it);
        if (value_is_error(v)) return false;
        if (v.bits == V_STOP.bits) return true;
        if (!array_append(vm, self, v) || UNLIKELY(!vm_tick(vm, 1))) return false;
    }
}

/* Appends the items of another array (or of itself). */
bool array_append_array(vm *vm, value self, value other)
{
    ROOTS(vm, &self, &other);
    if (array_of(other)->len && !array_resizable(vm, self)) return false;
    struct array *a = array_of(self);
    const struct array *b = array_of(other);
    size_t old = a->len, n = b->len;
    if (n > array_max_items(a)) return raise_memory(vm), false;
    if (!n || !array_set_len(vm, a, old + n)) return n == 0;
    memcpy(array_place(a, old), b->data, n * a->kind->size);
    return true;
}

bool array_append_str(vm *vm, value self, str *s)
{
    ROOTS(vm, &self, &s);
    if (s->len && !array_resizable(vm, self)) return false;
    struct array *a = array_of(self);
    size_t old = a->len;
    if (s->len > array_max_items(a)) return raise_memory(vm), false;
    if (!array_set_len(vm, a, old + s->len)) return false;
    for (size_t i = 0; i < s->len; i++) {
        uint32_t c = str_at(s, i);
        memcpy(array_place(a, old + i), &c, 4);
    }
    return true;
}

bool array_append_bytes(vm *vm, value self, value v)
{
    ROOTS(vm, &self, &v);
    buffer_info info;
    if (!buffer_is(vm, v)) {
        raise_type_error(vm, "a bytes-like object is required, not '%T'", v);
        return false;
    }
    if (!array_resizable(vm, self)) return false;
    if (!buffer_info_of(vm, v, &info)) return false;
    struct array *a = array_of(self);
    if (info.itemsize != 1) {
        raise_type_error(vm, "a bytes-like object is required");
        return false;
    }
    if (info.n % a->kind->size) {
        raise_value_error(vm, "bytes length not a multiple of item size");
        return false;
    }
    if (!info.n) return true;
    size_t old = a->len, n = info.n / a->kind->size;
    if (n > array_max_items(a)) return raise_memory(vm), false;
    bool own = info.data == a->data;
    if (!array_set_len(vm, a, old + n)) return false;
    memcpy(array_place(a, old), own ? a->data : info.data, info.n);
    return true;
}
