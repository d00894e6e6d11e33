/* memoryview: a possibly strided window on the memory of an exporter. Views of several dimensions (or of none) come
 * from cast() alone.
 *
 * Invariants
 *  1. `base` is the exporter itself, never another view; it is pinned from creation to release (or death),
 *     so `data` stays valid.
 *  2. data is the first item; with one dimension item i lies at data + i * stride; stride may be negative.
 *  3. dims is NULL unless ndim > 1: then it holds the shape, followed by the strides. len is the number of all items,
 *     which item_at() numbers in C order. No view of several dimensions has zeros in its shape but in the first place
 *     (by slicing).
 */
#include "buffer.h"

#include "bytes.h"
#include "native.h"

#define DOC_FILE vm_memoryview
DOC_BEGIN;

typedef struct memoryview {
    object h;
    value base;
    const buffer_ops *ops;
    uint8_t *data;
    size_t len;     /* items */
    int64_t stride; /* bytes; of one dimension */
    int64_t *dims;
    uint32_t ndim;
    uint32_t itemsize;
    char format;
    bool readonly, released, hashed, at_prefix; /* at_prefix: the format was given as '@x' */
    uint64_t hash;
} memoryview;

#define VIEW(v) AS(memoryview, v)
#define SELF    VIEW(args[0])

static bool alive(vm *vm, const memoryview *m)
{
    if (LIKELY(!m->released)) return true;
    raise_value_error(vm, "operation forbidden on released memoryview object");
    return false;
}

enum { MAX_NDIM = 64 };
static inline size_t dims_bytes(const memoryview *m) { return 2 * m->ndim * sizeof(int64_t); }
static inline const int64_t *strides_of(const memoryview *m) { return m->dims + m->ndim; }

/* Is dimension 0 (C order) or the last one (Fortran's) the slowest, without gaps? */
static bool contiguous_in(const memoryview *m, bool fortran)
{
    if (!m->dims) return m->stride == (int64_t)m->itemsize || m->len <= 1;
    int64_t step = m->itemsize;
    for (uint32_t i = 0; m->len && i < m->ndim; i++) {
        uint32_t d = fortran ? i : m->ndim - 1 - i;
        if (m->dims[d] != 1 && strides_of(m)[d] != step) return false;
        step *= m->dims[d];
    }
    return true;
}
static bool contiguous(const memoryview *m) { return contiguous_in(m, false); }

static uint8_t *item_in_dims(const memoryview *m, size_t i)
{
    uint8_t *p = m->data;
    for (uint32_t d = m->ndim; d-- > 0; i /= (size_t)m->dims[d])
        p += (int64_t)(i % (size_t)m->dims[d]) * strides_of(m)[d];
    return p;
}
static inline uint8_t *item_at(const memoryview *m, size_t i)
{
    return m->dims ? item_in_dims(m, i) : m->data + (int64_t)i * m->stride;
}

static memoryview *view_alloc(vm *vm, value base, const buffer_ops *ops)
{
    memoryview *m = gc_new(vm, K_MEMORYVIEW, TYPE_MEMORYVIEW, sizeof(memoryview));
    if (!m || !gc_register_dying(vm, &m->h)) return NULL;
    m->base = base;
    m->ops = ops;
    m->ndim = 1;
    if (ops->pin) ops->pin(value_as_obj(base), 1);
    return m;
}

/* A second view of the same memory. */
static memoryview *view_copy(vm *vm, const memoryview *m)
{
    memoryview *n = view_alloc(vm, m->base, m->ops);
    if (!n) return NULL;
    n->data = m->data;
    n->len = m->len;
    n->stride = m->stride;
    n->itemsize = m->itemsize;
    n->format = m->format;
    n->at_prefix = m->at_prefix;
    n->readonly = m->readonly;
    if (m->dims) {
        if (!(n->dims = mem_alloc(vm, dims_bytes(m)))) return NULL;
        memcpy(n->dims, m->dims, dims_bytes(m));
    }
    n->ndim = m->ndim;
    return n;
}

value memoryview_new(vm *vm, value obj)
{
    if (value_is_kind(obj, K_MEMORYVIEW)) return alive(vm, VIEW(obj)) ? value_obj(view_copy(vm, VIEW(obj))) : V_ERROR;
    const buffer_ops *ops = buffer_ops_of(vm, obj);
    buffer_info info;
    if (!ops) return raise_type_error(vm, "memoryview: a bytes-like object is required, not '%T'", obj);
    if (!ops->get(vm, value_as_obj(obj), &info)) return V_ERROR;
    memoryview *m = view_alloc(vm, obj, ops);
    if (!m) return V_ERROR;
    m->data = info.data;
    m->itemsize = info.itemsize;
    m->len = info.n / info.itemsize;
    m->stride = info.itemsize;
    m->format = info.format;
    m->readonly = info.readonly;
    return value_obj(m);
}

bool memoryview_info(vm *vm, value v, buffer_info *out)
{
    memoryview *m = VIEW(v);
    if (!alive(vm, m)) return false;
    if (!contiguous(m)) return raise(vm, EXC_BufferError, "memoryview: underlying buffer is not C-contiguous"), false;
    *out = (buffer_info){m->data, m->len * m->itemsize, m->itemsize, m->format, m->readonly};
    return true;
}

static void release_base(memoryview *m)
{
    if (m->released) return;
    m->released = true;
    if (m->ops->pin) m->ops->pin(value_as_obj(m->base), -1);
}

/* ---- items ---- */

static uint32_t format_size(char f)
{
    switch (f) {
    case 'b':
    case 'B':
    case 'c':
    case '?': return 1;
    case 'h':
    case 'H': return 2;
    case 'i':
    case 'I':
    case 'f': return 4;
    case 'l':
    case 'L':
    case 'q':
    case 'Q':
    case 'n':
    case 'N':
    case 'd':
    case 'P': return 8;
    default: return 0;
    }
}

static value unpack(vm *vm, const memoryview *m, const uint8_t *p)
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
    memcpy(&u, p, m->itemsize <= sizeof u ? m->itemsize : sizeof u);
    switch (m->format) {
    case 'B': return value_int(*p);
    case 'b': return value_int((int8_t)*p);
    case 'c': return value_obj(bytes_new(vm, p, 1));
    case '?': return value_bool(*p != 0);
    case 'h': return value_int(u.h);
    case 'H': return value_int(u.H);
    case 'i': return value_int(u.i);
    case 'I': return value_int(u.I);
    case 'l':
    case 'q':
    case 'n': return int_from_i64(vm, u.q);
    case 'L':
    case 'Q':
    case 'N':
    case 'P': return int_from_u64(vm, u.Q);
    case 'f': return value_float((double)u.f);
    case 'd': return value_float(u.d);
    default: return raise(vm, EXC_NotImplementedError, "memoryview: format %c not supported", m->format);
    }
}

/* Converts v into out[8]; may run script. */
static bool pack(vm *vm, char format, value v, uint8_t out[8])
{
    double d;
    switch (format) {
    case 'c':
        if (!IS_BYTES(v)) goto bad_type;
        if (AS(bytes, v)->len != 1) goto bad_value;
        out[0] = AS(bytes, v)->data[0];
        return true;
    case '?': {
        int t = obj_truth(vm, v);
        out[0] = t == 1;
        return t >= 0;
    }
    case 'f':
    case 'd':
        if (!float_as_double(vm, v, &d)) {
            if (exc_clear_if(vm, EXC_TypeError)) goto bad_type;
            return false;
        }
        if (format == 'f') {
            float f = (float)d;
            memcpy(out, &f, sizeof f);
        } else {
            memcpy(out, &d, sizeof d);
        }
        return true;
    default: break;
    }
    if (!int_is(v) && !type_of(vm, v)->s.index) goto bad_type;
    v = obj_index(vm, v);
    if (value_is_error(v)) return false;
    uint32_t size = format_size(format);
    bool is_signed = format == 'b' || format == 'h' || format == 'i' || format == 'l' || format == 'q' || format == 'n';
    int64_t n = 0;
    uint64_t bits;
    if (int_to_i64(vm, v, &n)) {
        bits = (uint64_t)n;
        if (is_signed) {
            int64_t max = size == 8 ? INT64_MAX : ((int64_t)1 << (8 * size - 1)) - 1;
            if (n > max || n < -max - 1) goto bad_value;
        } else if (n < 0 || (size < 8 && n >> (8 * size))) {
            goto bad_value;
        }
    } else { /* the upper half of uint64 */
        if (is_signed || size != 8 || int_sign(vm, v) < 0) goto bad_value;
        value top = int_binary(vm, OPR_RSHIFT, v, value_int(32)),
              low = int_binary(vm, OPR_AND, v, value_int(0xFFFFFFFF));
        if (value_is_error(top) || value_is_error(low)) return false;
        if (!value_is_int(top) || value_as_int(top) >> 32) goto bad_value;
        bits = (uint64_t)value_as_int(top) << 32 | (uint64_t)value_as_int(low);
    }
    memcpy(out, &bits, size);
    return true;
bad_type:
    raise_type_error(vm, "memoryview: invalid type for format '%c'", format);
    return false;
bad_value:
    raise_value_error(vm, "memoryview: invalid value for format '%c'", format);
    return false;
}

/* ---- slots ---- */

static value type_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value object;
    (void)t;
    if (!args_bind(vm, "memoryview(object)", args, nargs, kwnames, &object)) return V_ERROR;
    return memoryview_new(vm, object);
}

static value slot_repr(vm *vm, value v)
{
    char hex[16];
    uint64_t a = v.bits;
    unsigned n = 0;
    do hex[15 - n++] = "0123456789abcdef"[a & 15];
    while (a >>= 4);
    str *s = str_from_ascii(vm, hex + 16 - n, n);
    return s ? str_value(str_format(vm, VIEW(v)->released ? "<released memory at 0x%U>" : "<memory at 0x%U>", s))
             : V_ERROR;
}

static int64_t slot_len(vm *vm, value v)
{
    const memoryview *m = VIEW(v);
    return !alive(vm, m) ? -1 : m->dims ? m->dims[0] : (int64_t)m->len;
}

static bool is_index(vm *vm, value v) { return int_is(v) || type_of(vm, v)->s.index; }

/* The item that one index, or a tuple with one per dimension, names. NULL: raised; anything else is no key of an item.
 */
static uint8_t *item_of_key(vm *vm, memoryview *m, value key, bool store)
{
    const char *sub_views = "multi-dimensional sub-views are not implemented";
    const value *keys = &key;
    size_t n = 1, indices = 0, slices = 0;
    if (IS_TUPLE(key)) {
        keys = AS(tuple, key)->items;
        n = AS(tuple, key)->len;
    }
    if (store || IS_TUPLE(key)) sub_views = "sub-views are not implemented";
    for (size_t i = 0; i < n; i++) {
        slices += value_is_kind(keys[i], K_SLICE);
        indices += is_index(vm, keys[i]);
    }
    if (!m->ndim && (n || !IS_TUPLE(key))) {
        raise_type_error(vm, "invalid indexing of 0-dim memory");
    } else if (indices == n && n < m->ndim) {
        raise(vm, EXC_NotImplementedError, sub_views);
    } else if (indices == n && n > m->ndim) {
        raise_type_error(vm, "cannot index %d-dimension view with %zu-element tuple", (int)m->ndim, n);
    } else if (indices == n) {
        int64_t offset = 0;
        for (size_t i = 0; i < n; i++) {
            char message[48] = "index out of bounds on dimension 1";
            size_t at, digit = strlen(message) - 1;
            if (i >= 9) message[digit++] = (char)('0' + (i + 1) / 10);
            message[digit] = (char)('0' + (i + 1) % 10);
            if (!bytes_index(vm, keys[i], m->dims ? (size_t)m->dims[i] : m->len, "", message, &at)) return NULL;
            offset += (int64_t)at * (m->dims ? strides_of(m)[i] : m->stride);
        }
        return alive(vm, m) ? m->data + offset : NULL;
    } else if (slices == n) {
        raise(vm, EXC_NotImplementedError,
              store ? "memoryview slice assignments are currently restricted to ndim = 1"
                    : "multi-dimensional slicing is not implemented");
    } else {
        raise_type_error(vm, "memoryview: invalid slice key");
    }
    return NULL;
}

static value slot_getitem(vm *vm, value v, value key)
{
    memoryview *m = VIEW(v);
    ROOTS(vm, &v, &key);
    if (!alive(vm, m)) return V_ERROR;
    if (value_is_kind(key, K_SLICE)) {
        int64_t start, stop, step, count;
        if (!m->ndim) return raise_type_error(vm, "invalid indexing of 0-dim memory");
        if (!slice_plain(vm, &key) || !slice_adjust(vm, key, slot_len(vm, v), &start, &stop, &step, &count))
            return V_ERROR;
        if (!alive(vm, m)) return V_ERROR;
        memoryview *n = view_copy(vm, m);
        if (!n) return V_ERROR;
        if (count < 0) count = 0;
        int64_t stride = m->dims ? strides_of(m)[0] : m->stride;
        if (count) n->data = m->data + start * stride;
        if (m->dims) {
            n->len = m->len / (size_t)(m->dims[0] ? m->dims[0] : 1) * (size_t)count;
            n->dims[0] = count;
            n->dims[m->ndim] = stride * step;
        } else {
            n->len = (size_t)count;
            n->stride = stride * step;
        }
        return value_obj(n);
    }
    if (!m->ndim && value_is(key, V_ELLIPSIS)) return v;
    const uint8_t *item = item_of_key(vm, m, key, false);
    return item ? unpack(vm, m, item) : V_ERROR;
}

static bool assign_slice(vm *vm, memoryview *m, value key, value v)
{
    int64_t start, stop, step, count;
    if (!slice_plain(vm, &key) || !slice_adjust(vm, key, (int64_t)m->len, &start, &stop, &step, &count) ||
        !alive(vm, m))
        return false;
    if (!buffer_is(vm, v)) return raise_type_error(vm, "a bytes-like object is required, not '%T'", v), false;
    value other = memoryview_new(vm, v);
    if (value_is_error(other)) return false;
    memoryview *o = VIEW(other);
    bool ok = false;
    size_t n = count > 0 ? (size_t)count : 0, size = n * m->itemsize;
    if (o->ndim != 1 || o->len != n || o->format != m->format) {
        raise_value_error(vm, "memoryview assignment: lvalue and rvalue have different structures");
    } else if (n) {
        uint8_t *tmp = mem_alloc(vm, size); /* the two may overlap in any manner */
        if (tmp) {
            for (size_t i = 0; i < n; i++) memcpy(tmp + i * m->itemsize, item_at(o, i), m->itemsize);
            for (size_t i = 0; i < n; i++)
                memcpy(m->data + (start + (int64_t)i * step) * m->stride, tmp + i * m->itemsize, m->itemsize);
            mem_free(vm, tmp, size);
            ok = true;
        }
    } else {
        ok = true;
    }
    release_base(o);
    return ok;
}

static bool slot_setitem(vm *vm, value self, value key, value v)
{
    memoryview *m = VIEW(self);
    ROOTS(vm, &self, &key, &v);
    if (!alive(vm, m)) return false;
    if (m->readonly) return raise_type_error(vm, "cannot modify read-only memory"), false;
    if (value_is_unbound(v)) return raise_type_error(vm, "cannot delete memory"), false;
    if (value_is_kind(key, K_SLICE) && m->ndim == 1) return assign_slice(vm, m, key, v);
    uint8_t packed[8], *item = m->data;
    if (m->ndim || !value_is(key, V_ELLIPSIS)) item = item_of_key(vm, m, key, true);
    if (!item || !pack(vm, m->format, v, packed) || !alive(vm, m)) return false;
    memcpy(item, packed, m->itemsize);
    return true;
}

static bool same_items(vm *vm, const memoryview *a, const memoryview *b, bool *same)
{
    *same = false;
    if (a->len != b->len || a->ndim != b->ndim) return true;
    if (a->dims && memcmp(a->dims, b->dims, a->ndim * sizeof *a->dims) != 0) return true;
    bool bitwise = a->format == b->format && a->format != 'f' && a->format != 'd' && a->format != '?';
    for (size_t i = 0; i < a->len; i++) {
        if (bitwise) {
            if (memcmp(item_at(a, i), item_at(b, i), a->itemsize)) return true;
            continue;
        }
        value x = unpack(vm, a, item_at(a, i)), y = value_is_error(x) ? x : unpack(vm, b, item_at(b, i));
        if (value_is_error(y)) return false;
        value r = obj_compare(vm, x, y, CMP_EQ); /* numbers and bytes: no script */
        if (value_is_error(r)) return false;
        if (!value_is(r, V_TRUE)) return true;
    }
    *same = true;
    return true;
}

static value slot_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (op != CMP_EQ && op != CMP_NE) return V_NOTIMPLEMENTED;
    bool same;
    if (value_is(a, b) || VIEW(a)->released) {
        same = value_is(a, b);
    } else {
        if (!buffer_is(vm, b)) return V_NOTIMPLEMENTED;
        if (value_is_kind(b, K_MEMORYVIEW) && VIEW(b)->released) return value_bool(op == CMP_NE);
        value other = memoryview_new(vm, b);
        ROOTS(vm, &a, &other);
        if (value_is_error(other)) return V_ERROR;
        bool ok = same_items(vm, VIEW(a), VIEW(other), &same);
        release_base(VIEW(other));
        if (!ok) return V_ERROR;
    }
    return value_bool(same == (op == CMP_EQ));
}

/* The items in C order, strided views too. */
static value to_bytes(vm *vm, const memoryview *m)
{
    if (m->len == 0) return value_obj(vm->empty_bytes);
    bytes *b = bytes_alloc(vm, m->len * m->itemsize);
    if (!b) return V_ERROR;
    if (contiguous(m)) memcpy(b->u.inl, m->data, b->len);
    else
        for (size_t i = 0; i < m->len; i++) memcpy(b->u.inl + i * m->itemsize, item_at(m, i), m->itemsize);
    return value_obj(b);
}

bytes *memoryview_bytes(vm *vm, value v)
{
    value b = alive(vm, VIEW(v)) ? to_bytes(vm, VIEW(v)) : V_ERROR;
    return value_is_error(b) ? NULL : AS(bytes, b);
}

static bool slot_hash(vm *vm, value v, uint64_t *out)
{
    memoryview *m = VIEW(v);
    if (!m->hashed) {
        if (!alive(vm, m)) return false;
        if (!m->readonly) return raise_value_error(vm, "cannot hash writable memoryview object"), false;
        if (m->format != 'B' && m->format != 'b' && m->format != 'c') {
            return raise_value_error(vm, "memoryview: hashing is restricted to formats 'B', 'b' or 'c'"), false;
        }
        value b = to_bytes(vm, m);
        if (value_is_error(b)) return false;
        m->hash = bytes_hash(vm, AS(bytes, b));
        m->hashed = true;
    }
    *out = m->hash;
    return true;
}

/* ---- the iterator: a is the view (unbound once exhausted), i the next index ---- */

static value slot_iter(vm *vm, value v)
{
    if (!alive(vm, VIEW(v))) return V_ERROR;
    if (!VIEW(v)->ndim) return raise_type_error(vm, "invalid indexing of 0-dim memory");
    if (VIEW(v)->dims) return raise(vm, EXC_NotImplementedError, "multi-dimensional sub-views are not implemented");
    iter *it = gc_new(vm, K_ITER, TYPE_MEMORY_ITER, sizeof(iter));
    if (it) it->a = v;
    return value_obj(it);
}

static value iter_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    if (value_is_unbound(it->a)) return V_STOP;
    memoryview *m = VIEW(it->a);
    if (it->i < m->len) return alive(vm, m) ? unpack(vm, m, item_at(m, it->i++)) : V_ERROR;
    it->a = V_UNBOUND;
    return V_STOP;
}

static value iter_self(vm *vm, value self)
{
    (void)vm;
    return self;
}

/* ---- methods and attributes ---- */

/* The items with the first index running fastest. */
static value to_fortran_bytes(vm *vm, const memoryview *m)
{
    bytes *b = bytes_alloc(vm, m->len * m->itemsize);
    if (!b) return V_ERROR;
    for (size_t i = 0; i < m->len; i++) {
        const uint8_t *p = m->data;
        size_t rest = i;
        for (uint32_t d = 0; d < m->ndim; rest /= (size_t)m->dims[d++])
            p += (int64_t)(rest % (size_t)m->dims[d]) * strides_of(m)[d];
        memcpy(b->u.inl + i * m->itemsize, p, m->itemsize);
    }
    return value_obj(b);
}

static METHOD(method_tobytes)
{
    bool fortran = false;
    if (!alive(vm, SELF)) return V_ERROR;
    if (!value_is_unbound(args[1]) && !value_is_none(args[1])) {
        if (!IS_STR(args[1]))
            return raise_type_error(vm, "tobytes() argument 'order' must be str or None, not %T", args[1]);
        const str *s = AS(str, args[1]);
        uint32_t c = s->len == 1 ? str_at(s, 0) : 0;
        if (c != 'C' && c != 'F' && c != 'A') return raise_value_error(vm, "order must be 'C', 'F' or 'A'");
        fortran = c == 'F';
    }
    return fortran && SELF->dims && SELF->len ? to_fortran_bytes(vm, SELF) : to_bytes(vm, SELF);
}

/* Dimension d of the items that begin at item number *at. */
static value list_of(vm *vm, const memoryview *m, uint32_t d, size_t *at)
{
    size_t n = m->dims ? (size_t)m->dims[d] : m->len;
    list *l = list_new(vm, n);
    for (size_t i = 0; l && i < n; i++) {
        value v = d + 1 < m->ndim ? list_of(vm, m, d + 1, at) : unpack(vm, m, item_at(m, (*at)++));
        if (value_is_error(v) || !list_append(vm, l, v)) return V_ERROR;
    }
    return value_obj(l);
}

static METHOD(method_tolist)
{
    size_t at = 0;
    if (!alive(vm, SELF)) return V_ERROR;
    return SELF->ndim ? list_of(vm, SELF, 0, &at) : unpack(vm, SELF, SELF->data);
}

static METHOD(method_hex)
{
    if (!alive(vm, SELF)) return V_ERROR;
    value b = to_bytes(vm, SELF);
    ROOTS(vm, &b);
    return value_is_error(b) ? V_ERROR : bytes_hex_of(vm, AS(bytes, b)->data, AS(bytes, b)->len, args[1], args[2]);
}

static METHOD(method_toreadonly)
{
    memoryview *m = alive(vm, SELF) ? view_copy(vm, SELF) : NULL;
    if (m) m->readonly = true;
    return value_obj(m);
}

static METHOD(method_release)
{
    (void)vm;
    release_base(SELF);
    return V_NONE;
}

static METHOD(method_enter) { return alive(vm, SELF) ? args[0] : V_ERROR; }

static METHOD(method_exit)
{
    (void)vm;
    release_base(VIEW(args[0]));
    return V_NONE;
}

static bool is_byte_format(char f) { return f == 'B' || f == 'b' || f == 'c'; }

/* Gives the view, which is contiguous and of one dimension, a shape. false: raised. */
static bool set_shape(vm *vm, memoryview *m, const value *shape, size_t ndim)
{
    int64_t sizes[MAX_NDIM];
    size_t n = 1;
    for (size_t i = 0; i < ndim; i++) {
        if (!int_is(shape[i])) {
            raise_type_error(vm, "memoryview.cast(): elements of shape must be integers");
            return false;
        }
        if (!int_to_i64(vm, shape[i], &sizes[i])) {
            raise_overflow(vm, "Python int too large to convert to C ssize_t");
            return false;
        }
        if (sizes[i] <= 0) {
            raise_value_error(vm, "memoryview.cast(): elements of shape must be integers > 0");
            return false;
        }
        if (__builtin_mul_overflow(n, (size_t)sizes[i], &n) || n > PTRDIFF_MAX) {
            raise_value_error(vm, "memoryview.cast(): product(shape) > SSIZE_MAX");
            return false;
        }
    }
    if (n != m->len) {
        raise_type_error(vm, "memoryview: product(shape) * itemsize != buffer size");
        return false;
    }
    m->ndim = (uint32_t)ndim;
    if (ndim <= 1) return true;
    if (!(m->dims = mem_alloc(vm, dims_bytes(m)))) {
        m->ndim = 1;
        return false;
    }
    int64_t stride = m->itemsize;
    for (size_t i = ndim; i-- > 0; stride *= sizes[i]) {
        m->dims[i] = sizes[i];
        m->dims[ndim + i] = stride;
    }
    return true;
}

static METHOD(method_cast)
{
    memoryview *m = SELF;
    if (!alive(vm, m)) return V_ERROR;
    if (!IS_STR(args[1])) return args_need_str(vm, "cast() argument 'format'", args[1]);
    const str *f = AS(str, args[1]);
    bool prefix = f->len == 2 && str_at(f, 0) == '@';
    char format = f->len == 1 || prefix ? (char)str_at(f, prefix) : 0;
    uint32_t size = str_is_ascii(f) ? format_size(format) : 0;
    if (!size)
        return raise_value_error(
            vm,
            "memoryview: destination format must be a native single character format prefixed with an optional '@'");
    const value *shape = NULL;
    size_t ndim = 1;
    bool shaped = !value_is_unbound(args[2]) && !value_is_none(args[2]);
    if (shaped) {
        if (!IS_LIST(args[2]) && !IS_TUPLE(args[2])) return raise_type_error(vm, "shape must be a list or a tuple");
        shape = IS_LIST(args[2]) ? AS(list, args[2])->items : AS(tuple, args[2])->items;
        ndim = IS_LIST(args[2]) ? AS(list, args[2])->len : AS(tuple, args[2])->len;
        if (ndim > MAX_NDIM) return raise_value_error(vm, "memoryview: number of dimensions must not exceed 64");
        if (m->ndim != 1 && ndim != 1) return raise_type_error(vm, "memoryview: cast must be 1D -> ND or ND -> 1D");
    }
    if (!contiguous(m)) return raise_type_error(vm, "memoryview: casts are restricted to C-contiguous views");
    if ((shaped || m->ndim != 1) && !m->len)
        return raise_type_error(vm, "memoryview: cannot cast view with zeros in shape or strides");
    if (!is_byte_format(format) && !is_byte_format(m->format))
        return raise_type_error(vm, "memoryview: cannot cast between two non-byte formats");
    size_t n = m->len * m->itemsize;
    if (n % size) return raise_type_error(vm, "memoryview: length is not a multiple of itemsize");
    memoryview *r = view_alloc(vm, m->base, m->ops);
    if (!r) return V_ERROR;
    r->data = m->data;
    r->readonly = m->readonly;
    r->format = format;
    r->at_prefix = prefix;
    r->itemsize = size;
    r->stride = size;
    r->len = n / size;
    return shaped && !set_shape(vm, r, shape, ndim) ? V_ERROR : value_obj(r);
}

static const native_def methods[] = {
    {"tobytes(self, /, order='C')", method_tobytes, DOC("Return the data in the buffer as a byte string."), 0},
    {"tolist(self, /)", method_tolist, DOC("Return the data in the buffer as a list of elements."), 0},
    {"hex(self, /, sep=None, bytes_per_sep=1)", method_hex,
     DOC("Return the data in the buffer as a str of hexadecimal numbers."), 0},
    {"cast(self, /, format, shape=None)", method_cast, DOC("Cast a memoryview to a new format."), 0},
    {"toreadonly(self, /)", method_toreadonly, DOC("Return a readonly version of the memoryview."), 0},
    {"release(self, /)", method_release, DOC("Release the underlying buffer exposed by the memoryview object."), 0},
    {"__enter__(self, /)", method_enter, NULL, 0},
    {"__exit__(self, type=None, value=None, traceback=None, /)", method_exit, NULL, 0},
    {0},
};

#define GETTER(NAME, EXPR)                      \
    static value get_##NAME(vm *vm, value self) \
    {                                           \
        memoryview *m = VIEW(self);             \
        return alive(vm, m) ? (EXPR) : V_ERROR; \
    }
GETTER(obj, m->base)
GETTER(nbytes, value_int((int64_t)(m->len * m->itemsize)))
GETTER(readonly, value_bool(m->readonly))
GETTER(itemsize, value_int(m->itemsize))
GETTER(ndim, value_int(m->ndim))
GETTER(c_contiguous, value_bool(contiguous(m)))
GETTER(f_contiguous, value_bool(contiguous_in(m, true)))
GETTER(contiguous, value_bool(contiguous(m) || contiguous_in(m, true)))
GETTER(suboffsets, value_obj(vm->empty_tuple))

static value get_format(vm *vm, value self)
{
    memoryview *m = VIEW(self);
    if (!alive(vm, m)) return V_ERROR;
    return str_value(m->at_prefix ? str_format(vm, "@%c", m->format) : str_char(vm, (uint8_t)m->format));
}

static value int_tuple(vm *vm, const int64_t *n, uint32_t count)
{
    tuple *t = tuple_new(vm, count);
    for (uint32_t i = 0; t && i < count; i++) t->items[i] = V_NONE;
    ROOTS(vm, &t);
    for (uint32_t i = 0; t && i < count; i++) {
        value v = int_from_i64(vm, n[i]);
        if (value_is_error(v)) return v;
        t->items[i] = v;
        gc_barrier(vm, &t->h);
    }
    return value_obj(t);
}
GETTER(shape, int_tuple(vm, m->dims ? m->dims : (int64_t *)&m->len, m->ndim))
GETTER(strides, int_tuple(vm, m->dims ? strides_of(m) : &m->stride, m->ndim))

static const getset_def getsets[] = {
    {"obj", get_obj, NULL, DOC("The underlying object of the memoryview.")},
    {"nbytes", get_nbytes, NULL,
     DOC("The amount of space in bytes that the array would use in a contiguous representation.")},
    {"readonly", get_readonly, NULL, DOC("A bool indicating whether the memory is read only.")},
    {"itemsize", get_itemsize, NULL, DOC("The size in bytes of each element of the memoryview.")},
    {"format", get_format, NULL, DOC("The format (in struct module style) of each element.")},
    {"ndim", get_ndim, NULL, DOC("The number of dimensions.")},
    {"shape", get_shape, NULL, DOC("The number of elements in each dimension.")},
    {"strides", get_strides, NULL, DOC("The bytes to step to the next element in each dimension.")},
    {"suboffsets", get_suboffsets, NULL, DOC("Used internally for PIL-style arrays.")},
    {"c_contiguous", get_c_contiguous, NULL, DOC("A bool indicating whether the memory is C contiguous.")},
    {"f_contiguous", get_f_contiguous, NULL, DOC("A bool indicating whether the memory is Fortran contiguous.")},
    {"contiguous", get_contiguous, NULL, DOC("A bool indicating whether the memory is contiguous.")},
    {0},
};

static void traverse(vm *vm, object *o) { gc_mark_value(vm, ((memoryview *)(void *)o)->base); }

static void dying(vm *vm, object *o)
{
    memoryview *m = (memoryview *)(void *)o;
    if (value_is_obj(m->base) && gc_is_alive(vm, value_as_obj(m->base))) release_base(m);
    else m->released = true; /* the exporter dies as well */
}

static void free_dims(vm *vm, object *o)
{
    memoryview *m = (memoryview *)(void *)o;
    if (m->dims) mem_free(vm, m->dims, dims_bytes(m));
}

static const gc_kind_ops kind_ops = {.traverse = traverse, .dying = dying, .free = free_dims};

void type_init_memoryview(vm *vm)
{
    gc_register_kind(vm, K_MEMORYVIEW, &kind_ops);
    type *t = T(vm, MEMORYVIEW);
    t->s.new_ = type_new;
    t->s.repr = slot_repr;
    t->s.hash = slot_hash;
    t->s.compare = slot_compare;
    t->s.iter = slot_iter;
    t->s.len = slot_len;
    t->s.getitem = slot_getitem;
    t->s.setitem = slot_setitem;
    t->methods = methods;
    t->doc = str_value(
        str_from_cstr(vm, "memoryview(object)\n\nA window on the memory of a bytes-like object, without a copy."));
    t->getsets = getsets;

    type *it = T(vm, MEMORY_ITER);
    it->s.iter = iter_self;
    it->s.next = iter_next;
}
