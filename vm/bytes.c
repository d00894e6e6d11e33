/* bytes: layout, creation, the type's slots and iterator. Slack buffers work as in str.c. */
#include "iter.h"
#include "bytes.h"

#include "codec.h"
#include "native.h"
#include "str_search.h"

#define DOC_FILE vm_bytes
DOC_BEGIN;

enum { CONCAT_BUFFER_MIN = 256, SHARE_MIN = 4096 };

bool bytes_check_size(vm *vm, size_t n)
{
    if (LIKELY(n <= BYTES_LEN_MAX)) return true;
    if (n > BYTES_SIZE_MAX) raise_overflow(vm, "byte string is too large");
    else raise_memory(vm);
    return false;
}

bytes *bytes_alloc(vm *vm, size_t n)
{
    if (!bytes_check_size(vm, n)) return NULL;
    size_t size = offsetof(bytes, u) + n + 1;
    if (size < sizeof(bytes)) size = sizeof(bytes);
    bytes *b = gc_new_raw(vm, K_BYTES, TYPE_BYTES, size);
    if (UNLIKELY(!b) && !(b = gc_new(vm, K_BYTES, TYPE_BYTES, size))) return NULL;
    b->len = n;
    b->data = b->u.inl;
    b->u.inl[n] = 0;
    return b;
}

bytes *bytes_new(vm *vm, const void *p, size_t n)
{
    if (n == 0) return vm->empty_bytes;
    bytes *b = bytes_alloc(vm, n);
    if (b) text_copy(b->u.inl, p, n);
    return b;
}

bool bytes_open(vm *vm)
{
    vm->empty_bytes = bytes_alloc(vm, 0);
    return vm->empty_bytes != NULL;
}

bytes *bytes_over_buffer(vm *vm, object *owner, const uint8_t *data, size_t n)
{
    bytes *b = gc_new_fast(vm, K_BYTES, TYPE_BYTES, sizeof(bytes));
    if (!b) return NULL;
    b->len = n;
    b->data = data;
    b->u.owner = owner;
    b->h.flags = STR_BUFFER;
    return b;
}

static bytes *subclass_new(vm *vm, type *t, bytes *b)
{
    b = bytes_plain(b);
    bytes *sub = gc_new(vm, K_BYTES, t->root_shape, sizeof(bytes) + sizeof(value *));
    if (!sub) return NULL;
    sub->len = b->len;
    sub->data = b->data;
    sub->u.owner = &b->h;
    sub->h.flags = STR_BUFFER;
    return sub;
}

uint64_t bytes_hash(vm *vm, bytes *b)
{
    if (!(b->h.flags & STR_HASHED)) {
        b->hash = text_hash(vm, b->data, b->len);
        b->h.flags |= STR_HASHED;
    }
    return b->hash;
}

bytes *bytes_concat(vm *vm, bytes *a, const uint8_t *p, size_t n)
{
    size_t len = a->len + n;
    a = bytes_plain(a);
    if (n == 0) return a;
    if (len > BYTES_LEN_MAX) return raise_memory(vm), NULL;
    bool buffered = a->h.flags & STR_BUFFER && a->u.owner->kind == K_BUFFER;
    if (len > CONCAT_BUFFER_MIN && (buffered || a->h.flags & STR_CONCATED)) {
        buffer *buf = buffered ? (buffer *)a->u.owner : NULL;
        if (!buf || a->data + a->len != buf->data + buf->fill || n > buf->cap - buf->fill) {
            buf = buffer_new(vm, len + len / 2 + (len < ((size_t)1 << 20) ? len / 2 : 0));
            if (!buf) return NULL;
            memcpy(buf->data, a->data, a->len);
            buf->fill = a->len;
        }
        const uint8_t *start = buf->data + buf->fill - a->len;
        bytes *b = bytes_over_buffer(vm, &buf->h, start, len);
        if (!b) return NULL;
        memcpy(buf->data + buf->fill, p, n);
        buf->fill += n;
        return b;
    }
    bytes *b = bytes_alloc(vm, len);
    if (!b) return NULL;
    text_copy(b->u.inl, a->data, a->len);
    text_copy(b->u.inl + a->len, p, n);
    b->h.flags |= STR_CONCATED;
    return b;
}

bytes *bytes_substr(vm *vm, bytes *b, size_t from, size_t to)
{
    size_t n = to - from;
    if (n == b->len) return bytes_plain(b);
    if (n >= SHARE_MIN) {
        object *owner = b->h.flags & STR_BUFFER ? b->u.owner : &b->h;
        size_t whole = owner->kind == K_BUFFER ? ((buffer *)owner)->cap : ((bytes *)owner)->len;
        if (n >= whole / 2) return bytes_over_buffer(vm, owner, b->data + from, n);
    }
    return bytes_new(vm, b->data + from, n);
}

str *bytes_repr(vm *vm, const uint8_t *p, size_t n, const char *prefix, const char *suffix)
{
    uint8_t quote = n && memchr(p, '\'', n) && !memchr(p, '"', n) ? '"' : '\'';
    uint8_t escaped = *prefix ? '\'' : quote; /* bytearray escapes ' in any case, as CPython does */
    str_builder b;
    sb_init(&b, vm);
    sb_cstr(&b, prefix);
    sb_ascii(&b, "b", 1);
    sb_char(&b, quote);
    size_t done = 0;
    for (size_t i = 0; i < n && !b.failed; i++) {
        uint8_t c = p[i];
        if (LIKELY(c >= 32 && c < 127 && c != escaped && c != '\\')) continue;
        sb_ascii(&b, (const char *)p + done, i - done);
        done = i + 1;
        if (c == escaped || c == '\\') {
            char e[2] = {'\\', (char)c};
            sb_ascii(&b, e, 2);
        } else if (c == '\n' || c == '\r' || c == '\t') {
            sb_ascii(&b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t", 2);
        } else {
            sb_ascii(&b, "\\x", 2);
            sb_hex(&b, c, 2);
        }
    }
    sb_ascii(&b, (const char *)p + done, n - done);
    sb_char(&b, quote);
    sb_cstr(&b, suffix);
    return sb_finish(&b);
}

bool bytes_index(vm *vm, value key, size_t len, const char *kind_message, const char *range_message, size_t *out)
{
    int64_t i;
    if (LIKELY(value_is_int(key))) {
        i = value_as_int(key);
    } else {
        if (!int_is(key) && !type_of(vm, key)->s.index)
            return raise_type_error(vm, "%s, not %T", kind_message, key), false;
        if (!obj_as_index(vm, key, &i, EXC_IndexError)) return false;
    }
    if (i < 0) i += (int64_t)len;
    if ((uint64_t)i >= len) return raise(vm, EXC_IndexError, "%s", range_message), false;
    *out = (size_t)i;
    return true;
}

/* ---- slots ---- */

static value slot_repr(vm *vm, value v)
{
    return str_value(bytes_repr(vm, AS(bytes, v)->data, AS(bytes, v)->len, "", ""));
}

static int64_t slot_len(vm *vm, value v)
{
    (void)vm;
    return (int64_t)AS(bytes, v)->len;
}

static bool slot_hash(vm *vm, value v, uint64_t *out)
{
    *out = bytes_hash(vm, AS(bytes, v));
    return true;
}

static value slot_compare(vm *vm, value a, value b, enum compare_op op)
{
    (void)vm;
    if (!IS_BYTES(a) || !IS_BYTES(b)) return V_NOTIMPLEMENTED;
    const bytes *x = AS(bytes, a), *y = AS(bytes, b);
    size_t n = x->len < y->len ? x->len : y->len;
    if ((op == CMP_EQ || op == CMP_NE) && x->len != y->len) return value_bool(op == CMP_NE);
    int c = x == y ? 0 : memcmp(x->data, y->data, n);
    if (c == 0) c = x->len < y->len ? -1 : x->len > y->len;
    return value_bool(compare_holds(c, op));
}

static value slot_getitem(vm *vm, value v, value key)
{
    bytes *b = AS(bytes, v);
    ROOTS(vm, &v, &key);
    if (value_is_kind(key, K_SLICE)) {
        int64_t start, stop, step, count;
        if (!slice_adjust(vm, key, (int64_t)b->len, &start, &stop, &step, &count)) return V_ERROR;
        if (step == 1 || count <= 0)
            return value_obj(count <= 0 ? vm->empty_bytes
                                        : bytes_substr(vm, b, (size_t)start, (size_t)(start + count)));
        bytes *r = bytes_alloc(vm, (size_t)count);
        if (!r) return V_ERROR;
        for (int64_t i = 0; i < count; i++) r->u.inl[i] = b->data[start + i * step];
        return value_obj(r);
    }
    size_t i;
    if (!bytes_index(vm, key, b->len, "byte indices must be integers or slices", "index out of range", &i))
        return V_ERROR;
    return value_int(b->data[i]);
}

static int slot_contains(vm *vm, value v, value sub)
{
    const uint8_t *p;
    size_t n;
    ROOTS(vm, &v, &sub);
    if (int_is(sub) || type_of(vm, sub)->s.index) {
        uint8_t c;
        if (!bytes_value(vm, sub, &c, "byte must be in range(0, 256)")) return -1;
        return memchr(AS(bytes, v)->data, c, AS(bytes, v)->len) != NULL;
    }
    if (!buffer_need(vm, sub, &p, &n)) return -1;
    const bytes *b = AS(bytes, v);
    return n == 0 || memmem(b->data, b->len, p, n) != NULL;
}

static value slot_concat(vm *vm, value a, value b)
{
    const uint8_t *p;
    size_t n;
    if (!buffer_view(vm, b, &p, &n)) return raised(vm) ? V_ERROR : raise_type_error(vm, "can't concat %T to %T", b, a);
    if (AS(bytes, a)->len == 0 && IS_BYTES(b)) return value_obj(bytes_plain(AS(bytes, b)));
    return value_obj(bytes_concat(vm, AS(bytes, a), p, n));
}

static value slot_repeat(vm *vm, value v, value times)
{
    int64_t n;
    size_t size;
    ROOTS(vm, &v, &times);
    if (!obj_as_index(vm, times, &n, EXC_OverflowError)) return V_ERROR;
    const bytes *b = AS(bytes, v);
    if (n <= 0 || b->len == 0) return value_obj(vm->empty_bytes);
    if (n == 1) return value_obj(bytes_plain(AS(bytes, v)));
    if (!size_mul(b->len, (size_t)n, &size) || size > PTRDIFF_MAX)
        return raise_overflow(vm, "repeated bytes are too long");
    if (size > BYTES_SIZE_MAX) return raise_memory(vm);
    bytes *r = bytes_alloc(vm, size);
    if (!r) return V_ERROR;
    memcpy(r->u.inl, b->data, b->len);
    for (size_t done = b->len; done < size;) {
        size_t m = done < size - done ? done : size - done;
        memcpy(r->u.inl + done, r->u.inl, m);
        done += m;
    }
    return value_obj(r);
}

static value slot_mod(vm *vm, value a, value b) { return IS_BYTES(a) ? bytes_mod(vm, a, b, false) : V_NOTIMPLEMENTED; }

/* ---- bytes(...) ---- */

static value type_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value a[3] = {nargs ? args[0] : V_UNBOUND};
    if ((nargs > 1 || !value_is_unbound(kwnames)) &&
        !args_bind(vm, "bytes(source=b'', encoding='utf-8', errors='strict')", args, nargs, kwnames, a))
        return V_ERROR;
    static const char *const names[] = {"", "bytes() argument 'encoding'", "bytes() argument 'errors'"};
    for (int i = 1; i < 3; i++) {
        if (!value_is_unbound(a[i]) && !IS_STR(a[i])) return args_need_str(vm, names[i], a[i]);
    }
    ROOTS(vm, &t);
    bytes *b;
    if (value_is_unbound(a[1]) && value_is_unbound(a[2])) {
        if (value_is_unbound(a[0])) b = vm->empty_bytes;
        else if (IS_STR(a[0]) && value_is_unbound(type_lookup(vm, type_of(vm, a[0]), N(vm, __bytes__))))
            return raise_type_error(vm, "string argument without an encoding");
        else b = bytes_from_object(vm, a[0]);
    } else {
        const char *what = value_is_unbound(a[1]) ? "errors" : "encoding";
        if (value_is_unbound(a[0]) || !IS_STR(a[0])) return raise_type_error(vm, "%s without a string argument", what);
        if (value_is_unbound(a[1])) return raise_type_error(vm, "string argument without an encoding");
        b = codec_encode_any(vm, a[1], AS(str, a[0]), a[2]);
    }
    if (!b || t == T(vm, BYTES)) return value_obj(b);
    return value_obj(subclass_new(vm, t, b));
}

/* ---- iterators of bytes and bytearray: a is the object (unbound once exhausted), i the next index ---- */

static value slot_iter(vm *vm, value v) { return iter_new(vm, TYPE_BYTES_ITER, v); }
value bytearray_iter(vm *vm, value v) { return iter_new(vm, TYPE_BYTEARRAY_ITER, v); }

static value iter_next(vm *vm, value self)
{
    (void)vm;
    iter *it = AS(iter, self);
    if (value_is_unbound(it->a)) return V_STOP;
    octets o = octets_of(it->a);
    if (LIKELY(it->i < o.n)) return value_int(o.p[it->i++]);
    it->a = V_UNBOUND;
    return V_STOP;
}

static value iter_self(vm *vm, value self)
{
    (void)vm;
    return self;
}

static METHOD(iter_length_hint)
{
    (void)vm;
    iter *it = AS(iter, args[0]);
    size_t n = value_is_unbound(it->a) ? 0 : octets_of(it->a).n;
    return value_int(n > it->i ? (int64_t)(n - it->i) : 0);
}

static const native_def iter_methods[] = {
    {"__length_hint__(self, /)", iter_length_hint, DOC("Private method returning an estimate of len(list(it))."), 0},
    {"__reduce__(self, /)", iter_reduce_seq, DOC("Return state information for pickling."), 0},
    {"__setstate__(self, state, /)", iter_setstate_seq, DOC("Set state information for unpickling."), 0},
    {0},
};

static METHOD(method_getnewargs)
{
    value plain = value_obj(bytes_plain(AS(bytes, args[0])));
    return value_obj(tuple_from(vm, &plain, 1));
}

static METHOD(method_bytes)
{
    (void)vm;
    return value_obj(bytes_plain(AS(bytes, args[0])));
}

static METHOD(method_sizeof)
{
    (void)vm;
    return value_int((int64_t)(sizeof(bytes) + AS(bytes, args[0])->len));
}

static const native_def bytes_methods[] = {
    BYTES_SHARED_METHODS,
    {"__getnewargs__(self, /)", method_getnewargs, NULL, 0},
    {"__bytes__(self, /)", method_bytes, DOC("Convert this value to exact type bytes."), 0},
    {"__sizeof__(self, /)", method_sizeof, DOC("Return the size of the object in memory, in bytes."), 0},
    {0},
};

void type_init_bytes(vm *vm)
{
    type *t = T(vm, BYTES);
    t->s.new_ = type_new;
    t->s.repr = slot_repr;
    t->s.hash = slot_hash;
    t->s.compare = slot_compare;
    t->s.iter = slot_iter;
    t->s.len = slot_len;
    t->s.getitem = slot_getitem;
    t->s.contains = slot_contains;
    t->s.concat = slot_concat;
    t->s.repeat = slot_repeat;
    t->s.mod = slot_mod;
    t->methods = bytes_methods;
    t->doc = str_value(str_from_cstr(vm, "bytes(), bytes(size), bytes(iterable_of_ints), bytes(string, encoding[, "
                                         "errors]), bytes(bytes_or_buffer)\n\nAn immutable sequence of bytes."));

    static const uint32_t iters[] = {TYPE_BYTES_ITER, TYPE_BYTEARRAY_ITER};
    for (int i = 0; i < 2; i++) {
        type *it = vm->types[iters[i]];
        it->s.iter = iter_self;
        it->s.next = iter_next;
        it->methods = iter_methods;
    }
}
