/* The module array: sequences of machine numbers.
 *
 * Invariants
 *  1. `data` holds cap items, len of them in use; it is NULL exactly when cap is 0.
 *  2. While exports > 0 neither data nor len changes. A view that nobody can reach any more still
 *     counts until it is collected, so a resize that finds exports collects fully before it gives
 *     up.
 *  3. Items are converted before a place for them is looked for: conversion can run script, which
 *     can change the array.
 */
#include "module_state.h"

#include "vm/attr.h"
#include "vm/buffer.h"
#include "vm/int.h"
#include "vm/iter.h"
#include "vm/list.h"
#include "vm/slot_table.h"
#include "vm/str.h"

enum item_class { ITEM_INT, ITEM_FLOAT, ITEM_CHAR };

struct item_kind {
    char code;
    uint8_t size, cls;
    bool is_signed;
    uint8_t machine; /* machine format code of pickles, little-endian */
};

static const struct item_kind kinds[] = {
    {'b', 1, ITEM_INT, true, 1},    {'B', 1, ITEM_INT, false, 0},  {'u', 4, ITEM_CHAR, false, 20},
    {'h', 2, ITEM_INT, true, 4},    {'H', 2, ITEM_INT, false, 2},  {'i', 4, ITEM_INT, true, 8},
    {'I', 4, ITEM_INT, false, 6},   {'l', 8, ITEM_INT, true, 12},  {'L', 8, ITEM_INT, false, 10},
    {'q', 8, ITEM_INT, true, 12},   {'Q', 8, ITEM_INT, false, 10}, {'f', 4, ITEM_FLOAT, true, 14},
    {'d', 8, ITEM_FLOAT, true, 16},
};
enum { NKINDS = sizeof kinds / sizeof kinds[0] };
#define BIG_ENDIAN_HOST (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

struct array {
    uint8_t *data;
    size_t len, cap;
    const struct item_kind *kind;
    uint32_t exports;
};
struct array_iter {
    value of; /* unbound: exhausted */
    size_t i;
};

static struct array *array_of(value v) { return (struct array *)(void *)AS(userdata, v)->body; }
static struct array_iter *iter_of(value v)
{
    return (struct array_iter *)(void *)AS(userdata, v)->body;
}
static type *array_type(vm *vm) { return module_state_type(vm, STATE_ARRAY); }
static bool is_array(vm *vm, value v) { return value_isa(vm, v, array_type(vm)); }
static uint8_t *place(const struct array *a, size_t i) { return a->data + i * a->kind->size; }
static size_t max_items(const struct array *a) { return (size_t)PTRDIFF_MAX / a->kind->size / 2; }

static const struct item_kind *kind_find(uint32_t code)
{
    for (size_t i = 0; i < NKINDS; i++)
        if ((uint32_t)kinds[i].code == code) return &kinds[i];
    return NULL;
}

/* ---- items ---- */

static value item_unpack(vm *vm, const struct item_kind *k, const uint8_t *p)
{
    union {
        int16_t h;
        uint16_t H;
        int32_t i;
        uint32_t I;
        int64_t q;
        uint64_t Q;
        float f;
        double d;
    } u;
    memcpy(&u, p, k->size);
    if (k->cls == ITEM_FLOAT) return value_float(k->size == 4 ? (double)u.f : u.d);
    if (k->cls == ITEM_CHAR) {
        if (u.I <= 0x10FFFF) return str_value(str_char(vm, u.I));
        char hex[8];
        for (int n = 0; n < 8; n++)
            hex[n] = "0123456789abcdef"[u.I >> (28 - 4 * n) & 15];
        str *s = str_new_latin1(vm, (const uint8_t *)hex, 8);
        return s ? raise_value_error(vm, "character U+%U is not in range [U+0000; U+10ffff]", s)
                 : V_ERROR;
    }
    switch (k->size) {
    case 1: return value_int(k->is_signed ? (int8_t)*p : *p);
    case 2: return value_int(k->is_signed ? u.h : u.H);
    case 4: return value_int(k->is_signed ? (int64_t)u.i : (int64_t)u.I);
    default: return k->is_signed ? int_from_i64(vm, u.q) : int_from_u64(vm, u.Q);
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
        if (huge || n >> 64)
            return overflow(vm, "Python int too large to convert to C unsigned long");
        return overflow(vm, "unsigned int is greater than maximum");
    case 'q': return overflow(vm, "int too big to convert");
    case 'Q':
        return overflow(vm, below ? "can't convert negative int to unsigned"
                                  : "int too big to convert");
    default: break;
    }
    if (huge || n != (int64_t)n)
        return overflow(vm, "Python int too large to convert to C long");
    if (code == 'H' && n == (int)n)
        return overflow(vm, below ? "unsigned short is less than minimum"
                                  : "unsigned short is greater than maximum");
    if (code == 'H' || code == 'i')
        return overflow(vm, below ? "signed integer is less than minimum"
                                  : "signed integer is greater than maximum");
    if (code == 'b' && n == (int16_t)n)
        return overflow(vm, below ? "signed char is less than minimum"
                                  : "signed char is greater than maximum");
    if (code == 'B')
        return overflow(vm, below ? "unsigned byte integer is less than minimum"
                                  : "unsigned byte integer is greater than maximum");
    return overflow(vm, below ? "signed short integer is less than minimum"
                              : "signed short integer is greater than maximum");
}

/* Converts v into out[8]; may run script. */
static bool item_pack(vm *vm, const struct item_kind *k, value v, uint8_t *out)
{
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
        if (!float_as_double(vm, v, &d)) return false;
        float f = (float)d;
        if (k->size == 4)
            memcpy(out, &f, 4);
        else
            memcpy(out, &d, 8);
        return true;
    }
    i128 n = 0;
    v = obj_index(vm, v);
    if (value_is_error(v)) return false;
    bool huge = !int_to_i128(v, &n);
    if (huge) n = int_sign(vm, v) < 0 ? -1 : 1;
    unsigned bits = k->size * 8u;
    i128 top = k->is_signed ? ((i128)1 << (bits - 1)) - 1 : ((i128)1 << bits) - 1;
    if (huge || n > top || n < (k->is_signed ? -top - 1 : 0))
        return int_misfit(vm, k->code, huge, n);
    uint64_t word = (uint64_t)n;
    memcpy(out, (uint8_t *)&word + (BIG_ENDIAN_HOST ? 8 - k->size : 0), k->size);
    return true;
}

static void swap_items(uint8_t *p, size_t n, size_t size)
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
static bool resizable(vm *vm, value self)
{
    if (LIKELY(array_of(self)->exports == 0)) return true;
    ROOTS(vm, &self);
    gc_collect_full(vm);
    if (array_of(self)->exports == 0) return true;
    raise(vm, EXC_BufferError, "cannot resize an array that is exporting buffers");
    return false;
}

/* The storage for n items, without the test for exports; runs nothing. */
static bool set_len(vm *vm, struct array *a, size_t n)
{
    size_t size = a->kind->size;
    if (n > max_items(a)) return raise_memory(vm), false;
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
static const type_layout array_layout = {
    .size = sizeof(struct array), .free = array_free, .buffer = &array_buffer};

/* An array of n items of undefined content. */
static value array_alloc(vm *vm, type *t, const struct item_kind *k, size_t n)
{
    void *o = userdata_new(vm, t);
    if (!o) return V_ERROR;
    struct array *a = array_of(value_obj(o));
    a->kind = k;
    return n == 0 || set_len(vm, a, n) ? value_obj(o) : V_ERROR;
}

/* A plain array of n items at p, which stays valid: allocation runs nothing. */
static value array_from(vm *vm, const struct item_kind *k, const uint8_t *p, size_t n)
{
    value v = array_alloc(vm, array_type(vm), k, n);
    if (!value_is_error(v) && n) memcpy(array_of(v)->data, p, n * k->size);
    return v;
}

/* Replaces [from, to) by n items at p, which must not lie in the array. */
static bool splice(vm *vm, struct array *a, size_t from, size_t to, const uint8_t *p, size_t n)
{
    size_t size = a->kind->size, tail = (a->len - to) * size, old = a->len;
    if (n > max_items(a)) return raise_memory(vm), false;
    if (n < to - from) {
        if (tail) memmove(place(a, from + n), place(a, to), tail);
        if (!set_len(vm, a, old - (to - from) + n)) return false;
    } else if (n > to - from) {
        if (!set_len(vm, a, old - (to - from) + n)) return false;
        if (tail) memmove(place(a, from + n), place(a, to), tail);
    }
    if (n) memcpy(place(a, from), p, n * size);
    return true;
}

static bool append(vm *vm, value self, value v)
{
    uint8_t item[8];
    ROOTS(vm, &self);
    if (!item_pack(vm, array_of(self)->kind, v, item) || !resizable(vm, self)) return false;
    struct array *a = array_of(self);
    if (!set_len(vm, a, a->len + 1)) return false;
    memcpy(place(a, a->len - 1), item, a->kind->size);
    return true;
}

static bool append_all(vm *vm, value self, value iterable)
{
    ROOTS(vm, &self, &iterable);
    value it = obj_iter(vm, iterable);
    if (value_is_error(it)) return false;
    ROOTS(vm, &it);
    for (;;) {
        value v = iter_step(vm, it);
        if (value_is_error(v)) return false;
        if (v.bits == V_STOP.bits) return true;
        if (!append(vm, self, v) || UNLIKELY(!vm_tick(vm, 1))) return false;
    }
}

/* Appends the items of another array (or of itself). */
static bool append_array(vm *vm, value self, value other)
{
    ROOTS(vm, &self, &other);
    if (array_of(other)->len && !resizable(vm, self)) return false;
    struct array *a = array_of(self);
    const struct array *b = array_of(other);
    size_t old = a->len, n = b->len;
    if (n > max_items(a)) return raise_memory(vm), false;
    if (!n || !set_len(vm, a, old + n)) return n == 0;
    memcpy(place(a, old), b->data, n * a->kind->size);
    return true;
}

static bool append_str(vm *vm, value self, str *s)
{
    ROOTS(vm, &self, &s);
    if (s->len && !resizable(vm, self)) return false;
    struct array *a = array_of(self);
    size_t old = a->len;
    if (s->len > max_items(a)) return raise_memory(vm), false;
    if (!set_len(vm, a, old + s->len)) return false;
    for (size_t i = 0; i < s->len; i++) {
        uint32_t c = str_at(s, i);
        memcpy(place(a, old + i), &c, 4);
    }
    return true;
}

static bool append_bytes(vm *vm, value self, value v)
{
    ROOTS(vm, &self, &v);
    buffer_info info;
    if (!buffer_is(vm, v)) {
        raise_type_error(vm, "a bytes-like object is required, not '%T'", v);
        return false;
    }
    if (!resizable(vm, self)) return false;
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
    if (n > max_items(a)) return raise_memory(vm), false;
    bool own = info.data == a->data;
    if (!set_len(vm, a, old + n)) return false;
    memcpy(place(a, old), own ? a->data : info.data, info.n);
    return true;
}

/* ---- making ---- */

static value array_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    if (t == array_type(vm) && !value_is_unbound(kwnames) && AS(tuple, kwnames)->len)
        return raise_type_error(vm, "array.array() takes no keyword arguments");
    if (nargs < 1) return raise_type_error(vm, "array() takes at least 1 argument (0 given)");
    if (nargs > 2)
        return raise_type_error(vm, "array() takes at most 2 arguments (%d given)", (int)nargs);
    value init = nargs > 1 ? args[1] : V_UNBOUND;
    if (!IS_STR(args[0]) || AS(str, args[0])->len != 1)
        return raise_type_error(vm, "array() argument 1 must be a unicode character, not %T",
                                args[0]);
    uint32_t code = str_at(AS(str, args[0]), 0);
    ROOTS(vm, &init);
    bool given = !value_is_unbound(init), from_array = given && is_array(vm, init);
    if (given && code != 'u') {
        str *c = str_char(vm, code);
        if (!c) return V_ERROR;
        if (IS_STR(init))
            return raise_type_error(
                vm, "cannot use a str to initialize an array with typecode '%U'", c);
        if (from_array && array_of(init)->kind->code == 'u')
            return raise_type_error(
                vm, "cannot use a unicode array to initialize an array with typecode '%U'", c);
    }
    bool raw = given && (value_is_kind(init, K_BYTES) || value_is_kind(init, K_BYTEARRAY));
    bool direct = raw || from_array || (given && IS_STR(init));
    if (given && !direct && !IS_LIST(init) && !IS_TUPLE(init)) {
        init = obj_iter(vm, init);
        if (value_is_error(init)) return V_ERROR;
    }
    const struct item_kind *k = kind_find(code);
    if (!k)
        return raise_value_error(
            vm, "bad typecode (must be b, B, u, h, H, i, I, l, L, q, Q, f or d)");
    value self = array_alloc(vm, t, k, 0);
    if (value_is_error(self) || !given) return self;
    ROOTS(vm, &self);
    bool ok;
    if (raw)
        ok = append_bytes(vm, self, init);
    else if (IS_STR(init))
        ok = append_str(vm, self, AS(str, init));
    else if (from_array && array_of(init)->kind == k)
        ok = append_array(vm, self, init);
    else
        ok = append_all(vm, self, init);
    return ok ? self : V_ERROR;
}

/* ---- methods ---- */

FN(a_append) { return append(vm, args[0], args[1]) ? V_NONE : V_ERROR; }

static bool extend(vm *vm, value self, value other)
{
    if (!is_array(vm, other)) return append_all(vm, self, other);
    if (array_of(self)->kind == array_of(other)->kind) return append_array(vm, self, other);
    raise_type_error(vm, "can only extend with array of same kind");
    return false;
}
FN(a_extend) { return extend(vm, args[0], args[1]) ? V_NONE : V_ERROR; }

FN(a_buffer_info)
{
    const struct array *a = array_of(args[0]);
    value address = int_from_u64(vm, (uintptr_t)a->data);
    ROOTS(vm, &address);
    value n = int_from_i64(vm, (int64_t)a->len);
    tuple *t = value_is_error(address) || value_is_error(n) ? NULL : tuple_pack(vm, 2, address, n);
    return t ? value_obj(t) : V_ERROR;
}

FN(a_byteswap)
{
    const struct array *a = array_of(args[0]);
    swap_items(a->data, a->len, a->kind->size);
    return V_NONE;
}

FN(a_copy)
{
    const struct array *a = array_of(args[0]);
    return array_from(vm, a->kind, a->data, a->len);
}

/* The first item in [from, to) that equals v: its index, -1 none, -2 raised. */
static int64_t find(vm *vm, value self, value v, size_t from, size_t to)
{
    ROOTS(vm, &self, &v);
    for (size_t i = from; i < to && i < array_of(self)->len; i++) {
        const struct array *a = array_of(self);
        value item = item_unpack(vm, a->kind, place(a, i));
        int r = value_is_error(item) ? -1 : obj_compare_bool(vm, item, v, CMP_EQ);
        if (r) return r < 0 ? -2 : (int64_t)i;
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return -2;
    }
    return -1;
}

FN(a_count)
{
    int64_t n = 0, i = -1;
    while ((i = find(vm, args[0], args[1], (size_t)(i + 1), SIZE_MAX)) >= 0)
        n++;
    return i == -2 ? V_ERROR : int_from_i64(vm, n);
}

FN(a_index)
{
    int64_t from = 0, to = INT64_MAX;
    for (int k = 2; k < 4; k++) {
        if (value_is_unbound(args[k])) continue;
        if (!int_is(args[k]) && !type_of(vm, args[k])->s.index)
            return raise_type_error(vm,
                                    "slice indices must be integers or have an __index__ method");
        if (!obj_as_index(vm, args[k], k == 2 ? &from : &to, 0)) return V_ERROR;
    }
    int64_t len = (int64_t)array_of(args[0])->len;
    if (from < 0 && (from += len) < 0) from = 0;
    if (to < 0 && (to += len) < 0) to = 0;
    int64_t i = find(vm, args[0], args[1], (size_t)from, (size_t)to);
    if (i >= 0) return int_from_i64(vm, i);
    return i == -2 ? V_ERROR : raise_value_error(vm, "array.index(x): x not in array");
}

FN(a_remove)
{
    int64_t i = find(vm, args[0], args[1], 0, SIZE_MAX);
    if (i == -2) return V_ERROR;
    if (i < 0) return raise_value_error(vm, "array.remove(x): x not in array");
    if (!resizable(vm, args[0])) return V_ERROR;
    struct array *a = array_of(args[0]);
    if ((size_t)i >= a->len) return V_NONE; /* == has shortened it */
    return splice(vm, a, (size_t)i, (size_t)i + 1, NULL, 0) ? V_NONE : V_ERROR;
}

FN(a_insert)
{
    int64_t i;
    uint8_t item[8];
    if (!args_ssize(vm, args[1], 0, &i)) return V_ERROR;
    if (!item_pack(vm, array_of(args[0])->kind, args[2], item)) return V_ERROR;
    if (!resizable(vm, args[0])) return V_ERROR;
    struct array *a = array_of(args[0]);
    int64_t len = (int64_t)a->len;
    if (i < 0 && (i += len) < 0) i = 0;
    if (i > len) i = len;
    return splice(vm, a, (size_t)i, (size_t)i, item, 1) ? V_NONE : V_ERROR;
}

FN(a_pop)
{
    int64_t i;
    if (!args_ssize(vm, args[1], -1, &i) || !resizable(vm, args[0])) return V_ERROR;
    struct array *a = array_of(args[0]);
    if (!a->len) return raise(vm, EXC_IndexError, "pop from empty array");
    if (i < 0) i += (int64_t)a->len;
    if (i < 0 || (size_t)i >= a->len) return raise(vm, EXC_IndexError, "pop index out of range");
    value v = item_unpack(vm, a->kind, place(a, (size_t)i));
    if (value_is_error(v)) return v;
    return splice(vm, a, (size_t)i, (size_t)i + 1, NULL, 0) ? v : V_ERROR;
}

FN(a_reverse)
{
    const struct array *a = array_of(args[0]);
    size_t size = a->kind->size;
    uint8_t item[8];
    for (size_t i = 0; i < a->len / 2; i++) {
        uint8_t *p = place(a, i), *q = place(a, a->len - 1 - i);
        memcpy(item, p, size);
        memcpy(p, q, size);
        memcpy(q, item, size);
    }
    return V_NONE;
}

FN(a_frombytes) { return append_bytes(vm, args[0], args[1]) ? V_NONE : V_ERROR; }

FN(a_tobytes)
{
    const struct array *a = array_of(args[0]);
    bytes *b = bytes_new(vm, a->data, a->len * a->kind->size);
    return b ? value_obj(b) : V_ERROR;
}

FN(a_fromlist)
{
    if (!IS_LIST(args[1])) return raise_type_error(vm, "arg must be list");
    size_t old = array_of(args[0])->len, n = AS(list, args[1])->len;
    for (size_t i = 0; i < n; i++) {
        bool ok = append(vm, args[0], AS(list, args[1])->items[i]);
        if (ok && AS(list, args[1])->len != n) {
            raise(vm, EXC_RuntimeError, "list changed size during iteration");
            ok = false;
        }
        if (!ok) { /* all or nothing; what grew can shrink */
            struct array *a = array_of(args[0]);
            if (!a->exports && a->len > old) a->len = old;
            return V_ERROR;
        }
    }
    return V_NONE;
}

FN(a_tolist)
{
    list *l = list_new(vm, array_of(args[0])->len);
    if (!l) return V_ERROR;
    ROOTS(vm, &l);
    for (size_t i = 0; i < array_of(args[0])->len; i++) {
        const struct array *a = array_of(args[0]);
        value v = item_unpack(vm, a->kind, place(a, i));
        if (value_is_error(v) || !list_append(vm, l, v)) return V_ERROR;
    }
    return value_obj(l);
}

static value to_str(vm *vm, value self)
{
    const struct array *a = array_of(self);
    for (size_t i = 0; i < a->len; i++) {
        uint32_t c;
        memcpy(&c, place(a, i), 4);
        if (c > 0x10FFFF) return item_unpack(vm, a->kind, place(a, i));
    }
    return str_value(a->len ? str_new_ucs4(vm, (const uint32_t *)(const void *)a->data, a->len)
                            : str_new_latin1(vm, (const uint8_t *)"", 0));
}

FN(a_tounicode)
{
    if (array_of(args[0])->kind->cls != ITEM_CHAR)
        return raise_value_error(vm, "tounicode() may only be called on unicode type arrays");
    return to_str(vm, args[0]);
}

FN(a_fromunicode)
{
    if (!IS_STR(args[1])) return args_need_str(vm, "fromunicode() argument", args[1]);
    if (array_of(args[0])->kind->cls != ITEM_CHAR)
        return raise_value_error(vm, "fromunicode() may only be called on unicode type arrays");
    return append_str(vm, args[0], AS(str, args[1])) ? V_NONE : V_ERROR;
}

FN(a_fromfile)
{
    int64_t n, want, size = array_of(args[0])->kind->size;
    if (!args_ssize(vm, args[2], 0, &n)) return V_ERROR;
    if (n < 0) return raise_value_error(vm, "negative count");
    if (n > INT64_MAX / size) return raise_memory(vm);
    want = n * size;
    value count = int_from_i64(vm, want);
    ROOTS(vm, &count);
    value b = value_is_error(count) ? count : vm_call_method(vm, args[1], N(vm, read), &count, 1);
    if (value_is_error(b)) return b;
    if (!value_is_kind(b, K_BYTES)) return raise_type_error(vm, "read() didn't return bytes");
    bool enough = AS(bytes, b)->len == (size_t)want;
    if (!append_bytes(vm, args[0], b)) return V_ERROR;
    return enough ? V_NONE : raise(vm, EXC_EOFError, "read() didn't return enough bytes");
}

FN(a_tofile)
{
    enum { BLOCK = 64 * 1024 };
    for (size_t from = 0;; from += BLOCK) {
        const struct array *a = array_of(args[0]);
        size_t all = a->len * a->kind->size;
        if (from >= all) return V_NONE;
        bytes *b = bytes_new(vm, a->data + from, all - from < BLOCK ? all - from : BLOCK);
        if (!b) return V_ERROR;
        value v = value_obj(b);
        ROOTS(vm, &v);
        if (value_is_error(vm_call_method(vm, args[1], N(vm, write), &v, 1))) return V_ERROR;
    }
}

FN(a_sizeof)
{
    const struct array *a = array_of(args[0]);
    return int_from_i64(vm, (int64_t)(sizeof(userdata) + sizeof(struct array) +
                                      a->cap * a->kind->size));
}

/* ---- pickling ---- */

FN(a_reduce)
{
    int64_t protocol;
    value parts[4] = {V_UNBOUND, V_UNBOUND, V_NONE, V_UNBOUND}, self = args[0];
    ROOT_SPAN(vm, parts, 4);
    if (!int_is(args[1]))
        return raise_type_error(vm, "__reduce_ex__ argument should be an integer");
    if (!int_as_i64(vm, args[1], &protocol)) return V_ERROR;
    value d = obj_getattr_opt(vm, self, N(vm, __dict__));
    if (raised(vm)) return V_ERROR;
    if (!value_is_unbound(d)) parts[2] = d;
    const struct item_kind *k = array_of(self)->kind;
    parts[3] = str_value(str_char(vm, (uint32_t)k->code));
    if (value_is_error(parts[3])) return V_ERROR;
    value cls = value_obj(type_of(vm, self));
    tuple *in;
    if (protocol < 3) {
        parts[0] = cls;
        parts[1] = a_tolist(vm, &self, 1, V_UNBOUND);
        in = value_is_error(parts[1]) ? NULL : tuple_pack(vm, 2, parts[3], parts[1]);
    } else {
        str *name = str_intern_utf8(vm, "array", 5);
        value m = name ? import_module(vm, name) : V_ERROR;
        name = value_is_error(m) ? NULL : str_intern_utf8(vm, "_array_reconstructor", 20);
        parts[0] = name ? obj_getattr(vm, m, name) : V_ERROR;
        if (value_is_error(parts[0])) return V_ERROR;
        parts[1] = a_tobytes(vm, &self, 1, V_UNBOUND);
        if (value_is_error(parts[1])) return V_ERROR;
        bool big = BIG_ENDIAN_HOST && k->size > 1;
        in = tuple_pack(vm, 4, cls, parts[3], value_int(k->machine + big), parts[1]);
    }
    tuple *r = in ? tuple_pack(vm, 3, parts[0], value_obj(in), parts[2]) : NULL;
    return r ? value_obj(r) : V_ERROR;
}

/* Machine formats: what their bytes are. */
static const struct machine_format {
    uint8_t size, cls;
    bool is_signed, big;
} machine_formats[] = {
    {1, ITEM_INT, false, false},  {1, ITEM_INT, true, false},   {2, ITEM_INT, false, false},
    {2, ITEM_INT, false, true},   {2, ITEM_INT, true, false},   {2, ITEM_INT, true, true},
    {4, ITEM_INT, false, false},  {4, ITEM_INT, false, true},   {4, ITEM_INT, true, false},
    {4, ITEM_INT, true, true},    {8, ITEM_INT, false, false},  {8, ITEM_INT, false, true},
    {8, ITEM_INT, true, false},   {8, ITEM_INT, true, true},    {4, ITEM_FLOAT, true, false},
    {4, ITEM_FLOAT, true, true},  {8, ITEM_FLOAT, true, false}, {8, ITEM_FLOAT, true, true},
    {2, ITEM_CHAR, false, false}, {2, ITEM_CHAR, false, true},  {4, ITEM_CHAR, false, false},
    {4, ITEM_CHAR, false, true},
};

FN(m_reconstruct)
{
    int format;
    if (!IS_TYPE(args[0]))
        return raise_type_error(vm, "first argument must be a type object, not %T", args[0]);
    if (!IS_STR(args[1]) || AS(str, args[1])->len != 1)
        return raise_type_error(
            vm, "_array_reconstructor() argument 2 must be a unicode character, not %T", args[1]);
    if (!args_int(vm, args[2], 0, &format)) return V_ERROR;
    if (!type_is_subtype(AS(type, args[0]), array_type(vm)))
        return raise_type_error(vm, "%N is not a subtype of %N", AS(type, args[0]),
                                array_type(vm));
    const struct item_kind *k = kind_find(str_at(AS(str, args[1]), 0));
    if (!k) return raise_value_error(vm, "second argument must be a valid type code");
    if (format < 0 || (size_t)format >= sizeof machine_formats / sizeof machine_formats[0])
        return raise_value_error(vm, "third argument must be a valid machine format code.");
    if (!value_is_kind(args[3], K_BYTES))
        return raise_type_error(vm, "fourth argument should be bytes, not %T", args[3]);
    const struct machine_format *f = &machine_formats[format];
    value in[2] = {args[1], V_UNBOUND};
    ROOT_SPAN(vm, in, 2);
    if (f->cls == ITEM_CHAR) { /* text, which may be of another width */
        static const char *const names[] = {"utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"};
        str *decode = str_intern_utf8(vm, "decode", 6);
        value name = decode ? str_value(str_from_cstr(vm, names[format - 18])) : V_ERROR;
        if (value_is_error(name)) return name;
        in[1] = vm_call_method(vm, args[3], decode, &name, 1);
    } else {
        /* The items, in the kind that holds them on this machine. */
        const struct item_kind *from = NULL;
        for (size_t i = 0; i < NKINDS && !from; i++)
            if (kinds[i].size == f->size && kinds[i].cls == f->cls &&
                kinds[i].is_signed == f->is_signed)
                from = &kinds[i];
        if (!from) return raise_value_error(vm, "unsupported machine format");
        if (k->size == f->size && k->cls == f->cls && k->is_signed == f->is_signed) from = k;
        const bytes *b = AS(bytes, args[3]);
        if (b->len % f->size)
            return raise_value_error(vm, k == from ? "bytes length not a multiple of item size"
                                                   : "string length not a multiple of item size");
        in[1] = array_from(vm, from, b->data, b->len / f->size);
        if (value_is_error(in[1])) return V_ERROR;
        if (f->big != BIG_ENDIAN_HOST) swap_items(array_of(in[1])->data, b->len / f->size, f->size);
        if (f->cls == ITEM_INT && k->cls == ITEM_INT) { /* the values decide, not the letter */
            in[0] = str_value(str_char(vm, (uint32_t)from->code));
            if (value_is_error(in[0])) return V_ERROR;
        }
    }
    return value_is_error(in[1]) ? V_ERROR : vm_call(vm, args[0], in, 2);
}

/* ---- slots ---- */

static int64_t array_len(vm *vm, value self)
{
    (void)vm;
    return (int64_t)array_of(self)->len;
}

/* The integer of an index; the place is looked for afterwards. */
static bool key_index(vm *vm, value key, int64_t *i)
{
    if (!int_is(key) && !type_of(vm, key)->s.index) {
        raise_type_error(vm, "array indices must be integers");
        return false;
    }
    return obj_as_index(vm, key, i, EXC_IndexError);
}

static bool index_ok(vm *vm, const struct array *a, int64_t *i, const char *message)
{
    if (*i < 0) *i += (int64_t)a->len;
    if (*i >= 0 && (size_t)*i < a->len) return true;
    raise(vm, EXC_IndexError, "%s", message);
    return false;
}

static value array_getitem(vm *vm, value self, value key)
{
    ROOTS(vm, &self, &key);
    int64_t i, stop, step, n;
    if (!value_is_kind(key, K_SLICE)) {
        if (!key_index(vm, key, &i)) return V_ERROR;
        const struct array *a = array_of(self);
        if (!index_ok(vm, a, &i, "array index out of range")) return V_ERROR;
        return item_unpack(vm, a->kind, place(a, (size_t)i));
    }
    if (!slice_plain(vm, &key)) return V_ERROR;
    const struct array *a = array_of(self);
    if (!slice_adjust(vm, key, (int64_t)a->len, &i, &stop, &step, &n)) return V_ERROR;
    if (n <= 0) return array_from(vm, a->kind, NULL, 0);
    if (step == 1) return array_from(vm, a->kind, place(a, (size_t)i), (size_t)n);
    value r = array_alloc(vm, array_type(vm), a->kind, (size_t)n);
    for (int64_t k = 0; !value_is_error(r) && k < n; k++)
        memcpy(place(array_of(r), (size_t)k), place(a, (size_t)(i + k * step)), a->kind->size);
    return r;
}

static bool delete_slice(vm *vm, struct array *a, int64_t start, int64_t step, int64_t n)
{
    if (n <= 0) return true;
    if (step < 0) {
        start += (n - 1) * step;
        step = -step;
    }
    if (step == 1) return splice(vm, a, (size_t)start, (size_t)(start + n), NULL, 0);
    size_t size = a->kind->size, out = (size_t)start;
    for (int64_t k = 0; k < n; k++) { /* what lies between this victim and the next */
        size_t from = (size_t)(start + k * step) + 1;
        size_t to = k + 1 < n ? from + (size_t)step - 1 : a->len;
        memmove(place(a, out), place(a, from), (to - from) * size);
        out += to - from;
    }
    return set_len(vm, a, out);
}

static bool set_slice(vm *vm, value self, value key, value v)
{
    int64_t start, stop, step, n;
    bool deleting = value_is_unbound(v);
    ROOTS(vm, &self, &key, &v);
    if (!slice_plain(vm, &key)) return false;
    if (!deleting) {
        if (!is_array(vm, v)) {
            raise_type_error(vm, "can only assign array (not \"%T\") to array slice", v);
            return false;
        }
        if (value_is(v, self)) { /* its own items, as they are now */
            v = a_copy(vm, &self, 1, V_UNBOUND);
            if (value_is_error(v)) return false;
        }
        if (array_of(v)->kind != array_of(self)->kind) {
            raise_type_error(vm, "bad argument type for built-in operation");
            return false;
        }
    }
    for (bool asked = false;; asked = true) {
        struct array *a = array_of(self);
        if (!slice_adjust(vm, key, (int64_t)a->len, &start, &stop, &step, &n)) return false;
        if (n < 0) n = 0;
        size_t have = deleting ? 0 : array_of(v)->len;
        if ((have == 0 || have != (size_t)n) && a->exports && !asked) {
            if (!resizable(vm, self)) return false;
            continue; /* finalisers have run */
        }
        if (deleting || (have == 0 && step != 1)) return delete_slice(vm, a, start, step, n);
        const uint8_t *p = array_of(v)->data;
        if (step == 1) return splice(vm, a, (size_t)start, (size_t)(start + n), p, have);
        if (have != (size_t)n) {
            raise_value_error(vm,
                              "attempt to assign array of size %zu to extended slice of size %ld",
                              have, n);
            return false;
        }
        for (int64_t k = 0; k < n; k++)
            memcpy(place(a, (size_t)(start + k * step)), p + (size_t)k * a->kind->size,
                   a->kind->size);
        return true;
    }
}

static bool array_setitem(vm *vm, value self, value key, value v)
{
    static const char message[] = "array assignment index out of range";
    ROOTS(vm, &self, &v);
    if (value_is_kind(key, K_SLICE)) return set_slice(vm, self, key, v);
    int64_t i;
    uint8_t item[8];
    if (!key_index(vm, key, &i) || !index_ok(vm, array_of(self), &i, message)) return false;
    if (value_is_unbound(v)) {
        if (!resizable(vm, self)) return false;
    } else if (!item_pack(vm, array_of(self)->kind, v, item)) {
        return false;
    }
    struct array *a = array_of(self);
    if (!index_ok(vm, a, &i, message)) return false; /* script may have shortened it */
    if (value_is_unbound(v)) return splice(vm, a, (size_t)i, (size_t)i + 1, NULL, 0);
    memcpy(place(a, (size_t)i), item, a->kind->size);
    return true;
}

static int array_contains(vm *vm, value self, value v)
{
    int64_t i = find(vm, self, v, 0, SIZE_MAX);
    return i == -2 ? -1 : i >= 0;
}

static value array_repr(vm *vm, value self)
{
    ROOTS(vm, &self);
    const struct array *a = array_of(self);
    value name = type_of(vm, self)->name;
    ROOTS(vm, &name);
    if (!a->len) return str_value(str_format(vm, "%U('%c')", name, a->kind->code));
    value items = a->kind->cls == ITEM_CHAR ? to_str(vm, self) : a_tolist(vm, &self, 1, V_UNBOUND);
    ROOTS(vm, &items);
    return value_is_error(items)
               ? items
               : str_value(str_format(vm, "%U('%c', %R)", name, array_of(self)->kind->code, items));
}

static value array_compare(vm *vm, value x, value y, enum compare_op op)
{
    if (!is_array(vm, x) || !is_array(vm, y)) return V_NOTIMPLEMENTED;
    if ((op == CMP_EQ || op == CMP_NE) && array_of(x)->len != array_of(y)->len)
        return value_bool(op == CMP_NE);
    value v = V_UNBOUND, w = V_UNBOUND;
    ROOTS(vm, &x, &y, &v, &w);
    for (size_t i = 0;; i++) {
        const struct array *a = array_of(x), *b = array_of(y);
        if (i >= a->len || i >= b->len) /* the shorter one is the smaller */
            return obj_compare(vm, value_bool(i < a->len), value_bool(i < b->len), op);
        if (a->kind == b->kind && a->kind->cls != ITEM_FLOAT &&
            !memcmp(place(a, i), place(b, i), a->kind->size))
            continue;
        if (value_is_error(v = item_unpack(vm, a->kind, place(a, i)))) return v;
        if (value_is_error(w = item_unpack(vm, b->kind, place(b, i)))) return w;
        int same = obj_compare_bool(vm, v, w, CMP_EQ);
        if (same < 0) return V_ERROR;
        if (!same) return op == CMP_EQ   ? V_FALSE
                          : op == CMP_NE ? V_TRUE
                                         : obj_compare(vm, v, w, op);
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 4)) return V_ERROR;
    }
}

static value array_concat(vm *vm, value x, value y)
{
    if (!is_array(vm, y))
        return raise_type_error(vm, "can only append array (not \"%T\") to array", y);
    const struct array *a = array_of(x), *b = array_of(y);
    size_t size = a->kind->size;
    if (a->kind != b->kind) return raise_type_error(vm, "bad argument type for built-in operation");
    value r = array_alloc(vm, array_type(vm), a->kind, a->len + b->len);
    if (value_is_error(r)) return r;
    if (a->len) memcpy(array_of(r)->data, a->data, a->len * size);
    if (b->len) memcpy(place(array_of(r), a->len), b->data, b->len * size);
    return r;
}

/* Repeats the first `unit` bytes until there are `total`. */
static void fill(uint8_t *p, size_t unit, size_t total)
{
    for (size_t done = unit; done < total;) {
        size_t n = done < total - done ? done : total - done;
        memcpy(p + done, p, n);
        done += n;
    }
}

static value array_repeat(vm *vm, value self, value count)
{
    int64_t n;
    size_t total;
    ROOTS(vm, &self);
    if (!obj_as_index(vm, count, &n, EXC_OverflowError)) return V_ERROR;
    const struct array *a = array_of(self);
    if (n < 0) n = 0;
    if (__builtin_mul_overflow(a->len, (size_t)n, &total)) return raise_memory(vm);
    value r = array_alloc(vm, array_type(vm), a->kind, total);
    size_t unit = a->len * a->kind->size;
    if (value_is_error(r) || !total) return r;
    memcpy(array_of(r)->data, a->data, unit);
    fill(array_of(r)->data, unit, total * a->kind->size);
    return r;
}

static value array_iadd(vm *vm, value self, value other)
{
    if (!is_array(vm, other))
        return raise_type_error(vm, "can only extend array with array (not \"%T\")", other);
    ROOTS(vm, &self);
    return extend(vm, self, other) ? self : V_ERROR;
}

static value array_imul(vm *vm, value self, value count)
{
    int64_t n;
    size_t total;
    ROOTS(vm, &self);
    if (!obj_as_index(vm, count, &n, EXC_OverflowError)) return V_ERROR;
    if (n < 0) n = 0;
    if (n == 1 || array_of(self)->len == 0) return self;
    if (!resizable(vm, self)) return V_ERROR;
    struct array *a = array_of(self);
    size_t unit = a->len * a->kind->size;
    if (__builtin_mul_overflow(a->len, (size_t)n, &total)) return raise_memory(vm);
    if (!set_len(vm, a, total)) return V_ERROR;
    if (total) fill(a->data, unit, total * a->kind->size);
    return self;
}

/* ---- the iterator ---- */

static void iter_traverse(vm *vm, object *o) { gc_mark_value(vm, iter_of(value_obj(o))->of); }
static const type_layout iter_layout = {.size = sizeof(struct array_iter),
                                        .traverse = iter_traverse};

static value array_iter(vm *vm, value self)
{
    ROOTS(vm, &self);
    void *o = userdata_new(vm, module_state_type(vm, STATE_ARRAY_ITER));
    if (!o) return V_ERROR;
    iter_of(value_obj(o))->of = self;
    return value_obj(o);
}

static value iter_self(vm *vm, value self)
{
    (void)vm;
    return self;
}

static value iter_next(vm *vm, value self)
{
    struct array_iter *it = iter_of(self);
    if (value_is_unbound(it->of)) return V_STOP;
    const struct array *a = array_of(it->of);
    if (it->i < a->len) return item_unpack(vm, a->kind, place(a, it->i++));
    it->of = V_UNBOUND;
    return V_STOP;
}

FN(iter_reduce)
{
    str *name = str_intern_utf8(vm, "iter", 4);
    value f = name ? dict_get_str(vm, vm->builtins, name) : V_ERROR;
    if (value_is_error(f)) return f;
    const struct array_iter *it = iter_of(args[0]);
    bool done = value_is_unbound(it->of);
    tuple *in = tuple_pack(vm, 1, done ? value_obj(vm->empty_tuple) : it->of);
    if (!in) return V_ERROR;
    tuple *r = done ? tuple_pack(vm, 2, f, value_obj(in))
                    : tuple_pack(vm, 3, f, value_obj(in), value_int((int64_t)it->i));
    return r ? value_obj(r) : V_ERROR;
}

FN(iter_setstate)
{
    int64_t i;
    if (!args_ssize(vm, args[1], 0, &i)) return V_ERROR;
    struct array_iter *it = iter_of(args[0]);
    if (value_is_unbound(it->of)) return V_NONE;
    size_t len = array_of(it->of)->len;
    it->i = i < 0 ? 0 : (size_t)i > len ? len : (size_t)i;
    return V_NONE;
}

static const native_def iter_methods[] = {
    {"__reduce__(self, /)", iter_reduce, "Return state information for pickling.", 0},
    {"__setstate__(self, state, /)", iter_setstate, "Set state information for unpickling.", 0},
    {0},
};

static void iter_fill(struct type_slots *s)
{
    s->iter = iter_self;
    s->next = iter_next;
}

/* ---- the module ---- */

static value get_typecode(vm *vm, value self)
{
    return str_value(str_char(vm, (uint32_t)array_of(self)->kind->code));
}
static value get_itemsize(vm *vm, value self)
{
    (void)vm;
    return value_int(array_of(self)->kind->size);
}

static const getset_def array_getsets[] = {
    {"typecode", get_typecode, NULL, "the typecode character used to create the array"},
    {"itemsize", get_itemsize, NULL, "the size, in bytes, of one array item"},
    {0},
};
static const native_def array_methods[] = {
    {"append(self, v, /)", a_append, "Append new value v to the end of the array.", 0},
    {"buffer_info(self, /)", a_buffer_info,
     "Return a tuple of the address of the memory and the length in items.", 0},
    {"byteswap(self, /)", a_byteswap, "Swap the bytes of every item.", 0},
    {"__copy__(self, /)", a_copy, "Return a copy of the array.", 0},
    {"count(self, v, /)", a_count, "Return number of occurrences of v in the array.", 0},
    {"__deepcopy__(self, unused, /)", a_copy, "Return a copy of the array.", 0},
    {"extend(self, bb, /)", a_extend, "Append items to the end of the array.", 0},
    {"fromfile(self, f, n, /)", a_fromfile, "Read n items from a file and append them.", 0},
    {"fromlist(self, list, /)", a_fromlist, "Append items to array from list.", 0},
    {"frombytes(self, buffer, /)", a_frombytes, "Append the items whose bytes these are.", 0},
    {"fromunicode(self, ustr, /)", a_fromunicode, "Append the characters of a string.", 0},
    {"index(self, v, start=..., stop=..., /)", a_index,
     "Return index of first occurrence of v in the array.", 0},
    {"insert(self, i, v, /)", a_insert, "Insert a new item v into the array before position i.", 0},
    {"pop(self, i=-1, /)", a_pop, "Return the i-th element and delete it from the array.", 0},
    {"__reduce_ex__(self, value, /)", a_reduce, "Return state information for pickling.", 0},
    {"remove(self, v, /)", a_remove, "Remove the first occurrence of v in the array.", 0},
    {"reverse(self, /)", a_reverse, "Reverse the order of the items in the array.", 0},
    {"tofile(self, f, /)", a_tofile, "Write all items (as machine values) to the file object f.",
     0},
    {"tolist(self, /)", a_tolist, "Convert array to an ordinary list with the same items.", 0},
    {"tobytes(self, /)", a_tobytes, "Return the bytes of the items.", 0},
    {"tounicode(self, /)", a_tounicode, "Return the characters as one string.", 0},
    {"__sizeof__(self, /)", a_sizeof, "Size of the array in memory, in bytes.", 0},
    {0},
};

static void array_fill(struct type_slots *s)
{
    s->new_ = array_new;
    s->repr = array_repr;
    s->compare = array_compare;
    s->hash = slot_unhashable;
    s->len = array_len;
    s->getitem = array_getitem;
    s->setitem = array_setitem;
    s->contains = array_contains;
    s->iter = array_iter;
    s->concat = array_concat;
    s->repeat = array_repeat;
    s->iadd = array_iadd;
    s->imul = array_imul;
}

/* isinstance(a, MutableSequence) */
static bool register_sequence(vm *vm, type *t)
{
    str *name = str_intern_utf8(vm, "collections.abc", 15);
    value v = name ? import_module(vm, name) : V_ERROR, cls = value_obj(t);
    ROOTS(vm, &v);
    name = value_is_error(v) ? NULL : str_intern_utf8(vm, "MutableSequence", 15);
    v = name ? obj_getattr(vm, v, name) : V_ERROR;
    name = value_is_error(v) ? NULL : str_intern_utf8(vm, "register", 8);
    return name && !value_is_error(vm_call_method(vm, v, name, &cls, 1));
}

bool array_init(vm *vm, module *m)
{
    static const type_spec array_spec = {
        .name = "array.array",
        .doc = "array(typecode [, initializer]) -> array\n\nAn array whose items are restricted by "
               "typecode, made from the optional\ninitializer: a list, a string, bytes, or an "
               "iterable over suitable elements.",
        .layout = &array_layout,
        .methods = array_methods,
        .getsets = array_getsets,
        .flags = TF_BASE | TF_SEQUENCE,
        .fill = array_fill,
    };
    static const type_spec iter_spec = {.name = "array.arrayiterator",
                                        .layout = &iter_layout,
                                        .methods = iter_methods,
                                        .fill = iter_fill};
    static const native_def functions[] = {
        {"_array_reconstructor(arraytype, typecode, mformat_code, items, /)", m_reconstruct,
         "Internal. Used for pickling support.", 0},
        {0},
    };
    ROOTS(vm, &m);
    char codes[NKINDS];
    for (size_t i = 0; i < NKINDS; i++)
        codes[i] = kinds[i].code;
    type *t = module_add_type(vm, m, STATE_ARRAY, &array_spec);
    if (!t || !module_state_make(vm, STATE_ARRAY_ITER, &iter_spec)) return false;
    str *s = str_new_latin1(vm, (const uint8_t *)codes, NKINDS);
    return s && module_add(vm, m, "typecodes", value_obj(s)) &&
           module_add(vm, m, "ArrayType", value_obj(t)) && module_add_natives(vm, m, functions) &&
           register_sequence(vm, t);
}
