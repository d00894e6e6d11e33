/* bytearray: a resizable byte string.
 *
 * Invariants
 *  1. alloc <= data, data + len <= alloc + cap; alloc is NULL exactly when cap is 0. Deleting at the
 *     front only moves `data`.
 *  2. While exports > 0 neither data nor len changes. A view that nobody can reach any more still counts
 *     until it is collected, so a resize that finds exports collects fully before it gives up.
 *  3. Whatever can run script comes before any pointer into the storage is taken.
 */
#include "bytes.h"
#include "codec.h"
#include "native.h"
#include "str_search.h"

#define DOC_FILE vm_bytearray
DOC_BEGIN;

#define SELF          AS(bytearray, args[0])
#define RANGE_MESSAGE "byte must be in range(0, 256)"

/* ---- storage ---- */

bytearray *bytearray_alloc(vm *vm, type *t, size_t n)
{
    bytearray *b = gc_new(vm, K_BYTEARRAY, t->root_shape, sizeof(bytearray));
    if (!b) return NULL;
    if (n > BYTES_LEN_MAX) return raise_memory(vm), NULL;
    if (n && !(b->alloc = mem_zalloc(vm, n))) return NULL;
    b->data = b->alloc;
    b->len = b->cap = n;
    return b;
}

bytearray *bytearray_new(vm *vm, const void *p, size_t n)
{
    bytearray *b = bytearray_alloc(vm, T(vm, BYTEARRAY), n);
    if (!b || !n) return b;
    if (p) memcpy(b->data, p, n);
    else memset(b->data, 0, n);
    return b;
}

/* May it change its length? Can run finalisers: call it before looking at anything. */
static bool resizable(vm *vm, bytearray *b)
{
    if (LIKELY(b->exports == 0)) return true;
    ROOTS(vm, &b);
    gc_collect_full(vm);
    if (b->exports == 0) return true;
    raise(vm, EXC_BufferError, "Existing exports of data: object cannot be re-sized");
    return false;
}

/* The storage for n bytes, without the test for exports. */
static bool set_size(vm *vm, bytearray *b, size_t n)
{
    size_t front = (size_t)(b->data - b->alloc);
    if (n <= b->cap - front && (n >= b->cap / 4 || b->cap < 256)) {
        b->len = n;
        return true;
    }
    if (n > BYTES_LEN_MAX) return raise_memory(vm), false;
    if (front) {
        memmove(b->alloc, b->data, b->len);
        b->data = b->alloc;
        if (n <= b->cap && n >= b->cap / 4) {
            b->len = n;
            return true;
        }
    }
    size_t cap = n < b->cap ? n : n + n / 4 + 16;
    if (cap == 0) {
        mem_free(vm, b->alloc, b->cap);
        b->alloc = b->data = NULL;
    } else {
        uint8_t *p = mem_realloc(vm, b->alloc, b->cap, cap);
        if (!p) return false;
        b->alloc = b->data = p;
    }
    b->cap = cap;
    b->len = n;
    return true;
}

bool bytearray_resize(vm *vm, bytearray *b, size_t n)
{
    return n == b->len || (resizable(vm, b) && set_size(vm, b, n));
}

static bool splice_bytes(vm *vm, bytearray *b, size_t from, size_t to, const uint8_t *p, size_t n)
{
    size_t gone = to - from, tail = b->len - to;
    if (n < gone && from == 0) { /* shrink at the front: no byte moves */
        b->data += gone - n;
        b->len -= gone - n;
    } else if (n < gone) {
        memmove(b->data + from + n, b->data + to, tail);
        if (!set_size(vm, b, b->len - (gone - n))) return false;
    } else if (n > gone) {
        if (!set_size(vm, b, b->len + (n - gone))) return false;
        memmove(b->data + from + n, b->data + to, tail);
    }
    if (n) memcpy(b->data + from, p, n);
    return true;
}

/* Appends what src gives: a buffer (b itself too) or ints. */
static bool append_object(vm *vm, bytearray *b, value src)
{
    byte_builder tmp;
    bb_init(&tmp, vm);
    ROOTS(vm, &b, &src);
    bool ok = bb_add_object(&tmp, src, "bytearray") && (tmp.len == 0 || resizable(vm, b)) &&
              splice_bytes(vm, b, b->len, b->len, tmp.data, tmp.len);
    bb_drop(&tmp);
    return ok;
}

/* ---- bytearray(...) ---- */

static value type_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args;
    (void)nargs;
    (void)kwnames;
    return value_obj(bytearray_alloc(vm, t, 0));
}

static bool type_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    static const char *const names[] = {"", "bytearray() argument 'encoding'", "bytearray() argument 'errors'"};
    value a[3] = {nargs ? args[0] : V_UNBOUND};
    if ((nargs > 1 || !value_is_unbound(kwnames)) &&
        !args_bind(vm, "bytearray(source=b'', encoding='utf-8', errors='strict')", args, nargs, kwnames, a))
        return false;
    for (int i = 1; i < 3; i++) {
        if (value_is_unbound(a[i]) || IS_STR(a[i])) continue;
        args_need_str(vm, names[i], a[i]);
        return false;
    }
    bytearray *b = AS(bytearray, self);
    ROOTS(vm, &b);
    if (b->len && !bytearray_resize(vm, b, 0)) return false;
    bool coded = !value_is_unbound(a[1]) || !value_is_unbound(a[2]);
    if (value_is_unbound(a[0]) || !IS_STR(a[0])) {
        if (coded)
            return raise_type_error(vm, "%s without a string argument", value_is_unbound(a[1]) ? "errors" : "encoding"),
                   false;
        if (value_is_unbound(a[0])) return true;
    } else {
        if (value_is_unbound(a[1])) return raise_type_error(vm, "string argument without an encoding"), false;
        bytes *e = codec_encode_any(vm, a[1], AS(str, a[0]), a[2]);
        return e && splice_bytes(vm, b, 0, b->len, e->data, e->len);
    }
    if (!buffer_is(vm, a[0]) && (int_is(a[0]) || type_of(vm, a[0])->s.index)) {
        int64_t n;
        if (obj_as_index(vm, a[0], &n, EXC_OverflowError)) {
            if (n < 0) return raise_value_error(vm, "negative count"), false;
            if (!bytearray_resize(vm, b, (size_t)n)) return false;
            if (n) memset(b->data, 0, (size_t)n);
            return true;
        }
        if (!exc_clear_if(vm, EXC_TypeError)) return false;
    }
    return append_object(vm, b, a[0]);
}

/* ---- slots ---- */

static value slot_repr(vm *vm, value v)
{
    bytearray *b = AS(bytearray, v);
    str *prefix = str_format(vm, "%T(", v);
    const char *p = prefix ? str_wtf8(vm, prefix, NULL) : NULL;
    return p ? str_value(bytes_repr(vm, b->data, b->len, p, ")")) : V_ERROR;
}

static int64_t slot_len(vm *vm, value v)
{
    (void)vm;
    return (int64_t)AS(bytearray, v)->len;
}

static value slot_compare(vm *vm, value a, value b, enum compare_op op)
{
    const uint8_t *q;
    size_t n;
    if (!buffer_view(vm, b, &q, &n)) return raised(vm) ? V_ERROR : V_NOTIMPLEMENTED;
    octets x = octets_of(a);
    if ((op == CMP_EQ || op == CMP_NE) && x.n != n) return value_bool(op == CMP_NE);
    size_t min = x.n < n ? x.n : n;
    int c = min ? memcmp(x.p, q, min) : 0;
    if (c == 0) c = x.n < n ? -1 : x.n > n;
    return value_bool(compare_holds(c, op));
}

static int slot_contains(vm *vm, value v, value sub)
{
    const uint8_t *p;
    size_t n;
    ROOTS(vm, &v, &sub);
    if (int_is(sub) || type_of(vm, sub)->s.index) {
        uint8_t c;
        if (!bytes_value(vm, sub, &c, RANGE_MESSAGE)) return -1;
        octets o = octets_of(v);
        return o.n && memchr(o.p, c, o.n) != NULL;
    }
    if (!buffer_need(vm, sub, &p, &n)) return -1;
    octets o = octets_of(v);
    return n == 0 || (o.n && memmem(o.p, o.n, p, n) != NULL);
}

/* The slice's bounds for the bytearray as it is after every __index__ has run. */
static bool slice_bounds(vm *vm, bytearray *b, value *key, int64_t *start, int64_t *step, int64_t *count)
{
    int64_t stop;
    return slice_plain(vm, key) && slice_adjust(vm, *key, (int64_t)b->len, start, &stop, step, count);
}

static value slot_getitem(vm *vm, value v, value key)
{
    bytearray *b = AS(bytearray, v);
    ROOTS(vm, &v, &key);
    if (value_is_kind(key, K_SLICE)) {
        int64_t start, step, count;
        if (!slice_bounds(vm, b, &key, &start, &step, &count)) return V_ERROR;
        if (step == 1 || count <= 0)
            return value_obj(bytearray_new(vm, count > 0 ? b->data + start : NULL, count > 0 ? (size_t)count : 0));
        bytearray *r = bytearray_alloc(vm, T(vm, BYTEARRAY), (size_t)count);
        for (int64_t i = 0; r && i < count; i++) r->data[i] = b->data[start + i * step];
        return value_obj(r);
    }
    size_t i;
    int64_t n = 0;
    if (!value_is_int(key)) { /* __index__ first, then the length */
        if (!int_is(key) && !type_of(vm, key)->s.index)
            return raise_type_error(vm, "bytearray indices must be integers or slices, not %T", key);
        if (!obj_as_index(vm, key, &n, EXC_IndexError)) return V_ERROR;
        key = int_fits(n) ? value_int(n) : value_int(SMALL_MAX);
    }
    if (!bytes_index(vm, key, b->len, "", "bytearray index out of range", &i)) return V_ERROR;
    return value_int(b->data[i]);
}

static bool delete_slice(vm *vm, bytearray *b, int64_t start, int64_t step, int64_t count)
{
    if (count <= 0) return true;
    if (step < 0) {
        start += (count - 1) * step;
        step = -step;
    }
    if (step == 1) return splice_bytes(vm, b, (size_t)start, (size_t)(start + count), NULL, 0);
    size_t out = (size_t)start;
    for (size_t i = out; i < b->len; i++) {
        bool gone = (i - (size_t)start) % (size_t)step == 0 && (i - (size_t)start) / (size_t)step < (size_t)count;
        if (!gone) b->data[out++] = b->data[i];
    }
    return set_size(vm, b, out);
}

static bool set_slice(vm *vm, bytearray *b, value key, value v)
{
    int64_t start, step, count;
    byte_builder tmp;
    bb_init(&tmp, vm);
    ROOTS(vm, &b, &key, &v);
    bool ok = false, deleting = value_is_unbound(v);
    if (!deleting) {
        if (int_is(v) || IS_STR(v))
            return raise_type_error(vm, "can assign only bytes, buffers, or iterables of ints in range(0, 256)"), false;
        if (!bb_add_object(&tmp, v, "bytearray")) goto done;
    }
    if (!slice_plain(vm, &key)) goto done;
    int64_t stop;
    if (!slice_adjust(vm, key, (int64_t)b->len, &start, &stop, &step, &count)) goto done;
    if (count < 0) count = 0;
    if ((size_t)count != tmp.len && b->exports) {
        if (!resizable(vm, b)) goto done; /* may have run finalisers */
        if (!slice_adjust(vm, key, (int64_t)b->len, &start, &stop, &step, &count)) goto done;
        if (count < 0) count = 0;
    }
    if (deleting || (step != 1 && tmp.len == 0)) {
        ok = delete_slice(vm, b, start, step, count);
    } else if (step == 1) {
        ok = splice_bytes(vm, b, (size_t)start, (size_t)(start + count), tmp.data, tmp.len);
    } else if (tmp.len != (size_t)count) {
        raise_value_error(vm, "attempt to assign bytes of size %zu to extended slice of size %ld", tmp.len, count);
    } else {
        for (int64_t i = 0; i < count; i++) b->data[start + i * step] = tmp.data[i];
        ok = true;
    }
done:
    bb_drop(&tmp);
    return ok;
}

static bool slot_setitem(vm *vm, value self, value key, value v)
{
    bytearray *b = AS(bytearray, self);
    ROOTS(vm, &self, &key, &v);
    if (value_is_kind(key, K_SLICE)) return set_slice(vm, b, key, v);
    int64_t n;
    uint8_t c = 0;
    if (!int_is(key) && !type_of(vm, key)->s.index)
        return raise_type_error(vm, "bytearray indices must be integers or slices, not %T", key), false;
    if (!obj_as_index(vm, key, &n, EXC_IndexError)) return false;
    bool deleting = value_is_unbound(v);
    if (deleting ? !resizable(vm, b) : !bytes_value(vm, v, &c, RANGE_MESSAGE)) return false;
    if (n < 0) n += (int64_t)b->len;
    if ((uint64_t)n >= b->len) return raise(vm, EXC_IndexError, "bytearray index out of range"), false;
    if (deleting) return splice_bytes(vm, b, (size_t)n, (size_t)n + 1, NULL, 0);
    b->data[n] = c;
    return true;
}

static value slot_concat(vm *vm, value a, value b)
{
    const uint8_t *p;
    size_t n;
    if (!buffer_view(vm, b, &p, &n)) return raised(vm) ? V_ERROR : raise_type_error(vm, "can't concat %T to %T", b, a);
    octets o = octets_of(a);
    bytearray *r = bytearray_alloc(vm, T(vm, BYTEARRAY), o.n + n);
    if (!r) return V_ERROR;
    if (o.n) memcpy(r->data, o.p, o.n);
    if (n) memcpy(r->data + o.n, p, n);
    return value_obj(r);
}

static bool repeat_into(vm *vm, bytearray *b, size_t unit, int64_t n)
{
    size_t size;
    if (n < 0) n = 0;
    if (!size_mul(unit, (size_t)n, &size)) return raise_memory(vm), false;
    if (!set_size(vm, b, size)) return false;
    for (size_t done = unit; done < size;) {
        size_t m = done < size - done ? done : size - done;
        memcpy(b->data + done, b->data, m);
        done += m;
    }
    return true;
}

static value slot_repeat(vm *vm, value v, value times)
{
    int64_t n;
    ROOTS(vm, &v, &times);
    if (!obj_as_index(vm, times, &n, EXC_OverflowError)) return V_ERROR;
    octets o = octets_of(v);
    bytearray *r = bytearray_new(vm, o.p, n > 0 ? o.n : 0);
    return r && repeat_into(vm, r, r->len, n) ? value_obj(r) : V_ERROR;
}

static value slot_iadd(vm *vm, value self, value other)
{
    bytearray *b = AS(bytearray, self);
    const uint8_t *p;
    size_t n;
    ROOTS(vm, &self, &other);
    if (!buffer_is(vm, other)) return raise_type_error(vm, "can't concat %T to %T", other, self);
    if (b->exports && !resizable(vm, b)) return V_ERROR;
    if (!buffer_need(vm, other, &p, &n)) return V_ERROR;
    if (value_is(self, other) && n)
        return raise(vm, EXC_BufferError, "Existing exports of data: object cannot be re-sized");
    return splice_bytes(vm, b, b->len, b->len, p, n) ? self : V_ERROR;
}

static value slot_imul(vm *vm, value self, value times)
{
    int64_t n;
    bytearray *b = AS(bytearray, self);
    ROOTS(vm, &self, &times);
    if (!int_is(times) && !type_of(vm, times)->s.index) return V_NOTIMPLEMENTED;
    if (!obj_as_index(vm, times, &n, EXC_OverflowError) || (n != 1 && !resizable(vm, b))) return V_ERROR;
    return n == 1 || repeat_into(vm, b, b->len, n) ? self : V_ERROR;
}

static value slot_mod(vm *vm, value a, value b)
{
    return IS_BYTEARRAY(a) ? bytes_mod(vm, a, b, true) : V_NOTIMPLEMENTED;
}

/* ---- methods ---- */

static METHOD(method_append)
{
    uint8_t c;
    if (!bytes_value(vm, args[1], &c, RANGE_MESSAGE) || !resizable(vm, SELF)) return V_ERROR;
    return splice_bytes(vm, SELF, SELF->len, SELF->len, &c, 1) ? V_NONE : V_ERROR;
}

static METHOD(method_extend)
{
    if (!buffer_is(vm, args[1])) {
        type *t = type_of(vm, args[1]);
        if (!t->s.iter && !t->s.getitem) return raise_type_error(vm, "can't extend bytearray with %T", args[1]);
    }
    return append_object(vm, SELF, args[1]) ? V_NONE : V_ERROR;
}

static METHOD(method_insert)
{
    int64_t i;
    uint8_t c;
    if (!args_ssize(vm, args[1], 0, &i) || !bytes_value(vm, args[2], &c, RANGE_MESSAGE) || !resizable(vm, SELF))
        return V_ERROR;
    int64_t n = (int64_t)SELF->len;
    if (i < 0 && (i += n) < 0) i = 0;
    if (i > n) i = n;
    return splice_bytes(vm, SELF, (size_t)i, (size_t)i, &c, 1) ? V_NONE : V_ERROR;
}

static METHOD(method_pop)
{
    int64_t i;
    if (!args_ssize(vm, args[1], -1, &i)) return V_ERROR;
    if (SELF->len == 0) return raise(vm, EXC_IndexError, "pop from empty bytearray");
    if (!resizable(vm, SELF)) return V_ERROR;
    if (i < 0) i += (int64_t)SELF->len;
    if ((uint64_t)i >= SELF->len) return raise(vm, EXC_IndexError, "pop index out of range");
    uint8_t c = SELF->data[i];
    return splice_bytes(vm, SELF, (size_t)i, (size_t)i + 1, NULL, 0) ? value_int(c) : V_ERROR;
}

static METHOD(method_remove)
{
    uint8_t c;
    if (!bytes_value(vm, args[1], &c, RANGE_MESSAGE)) return V_ERROR;
    if (SELF->exports && !resizable(vm, SELF)) return V_ERROR;
    const uint8_t *p = SELF->len ? memchr(SELF->data, c, SELF->len) : NULL;
    if (!p) return raise_value_error(vm, "value not found in bytearray");
    size_t i = (size_t)(p - SELF->data);
    return splice_bytes(vm, SELF, i, i + 1, NULL, 0) ? V_NONE : V_ERROR;
}

static METHOD(method_reverse)
{
    (void)vm;
    bytearray *b = SELF;
    for (size_t i = 0, j = b->len; i + 1 < j; i++) {
        uint8_t t = b->data[--j];
        b->data[j] = b->data[i];
        b->data[i] = t;
    }
    return V_NONE;
}

static METHOD(method_clear) { return bytearray_resize(vm, SELF, 0) ? V_NONE : V_ERROR; }
static METHOD(method_copy) { return value_obj(bytearray_new(vm, SELF->data, SELF->len)); }
static METHOD(method_alloc)
{
    (void)vm;
    return value_int((int64_t)SELF->cap);
}
static METHOD(method_sizeof)
{
    (void)vm;
    return value_int((int64_t)(sizeof(bytearray) + SELF->cap));
}

static const native_def methods[] = {
    BYTES_SHARED_METHODS,
    {"append(self, item, /)", method_append, DOC("Append a single item to the end of the bytearray."), 0},
    {"extend(self, iterable_of_ints, /)", method_extend,
     DOC("Append all the items from the iterator or sequence to the end."), 0},
    {"insert(self, index, item, /)", method_insert,
     DOC("Insert a single item into the bytearray before the given index."), 0},
    {"pop(self, index=-1, /)", method_pop, DOC("Remove and return a single item from the bytearray."), 0},
    {"remove(self, value, /)", method_remove, DOC("Remove the first occurrence of a value in the bytearray."), 0},
    {"reverse(self, /)", method_reverse, DOC("Reverse the order of the values in the bytearray in place."), 0},
    {"clear(self, /)", method_clear, DOC("Remove all items from the bytearray."), 0},
    {"copy(self, /)", method_copy, DOC("Return a copy of the bytearray."), 0},
    {"__alloc__(self, /)", method_alloc, DOC("Return the number of bytes actually allocated."), 0},
    {"__sizeof__(self, /)", method_sizeof, DOC("Return the size of the bytearray in memory, in bytes."), 0},
    {0},
};

static void traverse(vm *vm, object *o) { gc_mark_slots(vm, o, ((bytearray *)(void *)o)->slots); }

static void release(vm *vm, object *o)
{
    bytearray *b = (bytearray *)(void *)o;
    object_slots_free(vm, o, b->slots);
    if (b->alloc) mem_free(vm, b->alloc, b->cap);
}

static const gc_kind_ops kind_ops = {.traverse = traverse, .free = release};

void type_init_bytearray(vm *vm)
{
    gc_register_kind(vm, K_BYTEARRAY, &kind_ops);
    type *t = T(vm, BYTEARRAY);
    t->s.new_ = type_new;
    t->s.init = type_init;
    t->s.repr = slot_repr;
    t->s.compare = slot_compare;
    t->s.iter = bytearray_iter;
    t->s.len = slot_len;
    t->s.getitem = slot_getitem;
    t->s.setitem = slot_setitem;
    t->s.contains = slot_contains;
    t->s.concat = slot_concat;
    t->s.repeat = slot_repeat;
    t->s.iadd = slot_iadd;
    t->s.imul = slot_imul;
    t->s.mod = slot_mod;
    t->methods = methods;
    t->doc = str_value(str_from_cstr(vm, "bytearray(), bytearray(size), bytearray(iterable_of_ints), bytearray(string, "
                                         "encoding[, errors])\n\nA mutable sequence of bytes."));
}
