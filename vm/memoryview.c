/* memoryview: a one-dimensional, possibly strided window on the memory of an exporter.
 *
 * Invariants
 *  1. `base` is the exporter itself, never another view; it is pinned from creation to release (or death),
 *     so `data` stays valid.
 *  2. data is the first item; item i lies at data + i * stride; stride may be negative.
 */
#include "buffer.h"

#include "bytes.h"
#include "native.h"

typedef struct memoryview {
    object h;
    value base;
    const buffer_ops *ops;
    uint8_t *data;
    size_t len;     /* items */
    int64_t stride; /* bytes */
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

static bool contiguous(const memoryview *m) { return m->stride == (int64_t)m->itemsize || m->len == 1; }
static inline uint8_t *item_at(const memoryview *m, size_t i) { return m->data + (int64_t)i * m->stride; }

static memoryview *view_alloc(vm *vm, value base, const buffer_ops *ops)
{
    memoryview *m = gc_new(vm, K_MEMORYVIEW, TYPE_MEMORYVIEW, sizeof(memoryview));
    if (!m || !gc_register_dying(vm, &m->h)) return NULL;
    m->base = base;
    m->ops = ops;
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

static int64_t slot_len(vm *vm, value v) { return alive(vm, VIEW(v)) ? (int64_t)VIEW(v)->len : -1; }

/* A key that is neither index nor slice. A tuple of one index is taken apart (*key); else raises. */
static bool key_of_tuple(vm *vm, value *key)
{
    if (IS_TUPLE(*key)) {
        const tuple *t = AS(tuple, *key);
        size_t indices = 0, slices = 0;
        for (size_t i = 0; i < t->len; i++) {
            slices += value_is_kind(t->items[i], K_SLICE);
            indices += int_is(t->items[i]) || type_of(vm, t->items[i])->s.index;
        }
        if (indices == t->len && t->len == 1) {
            *key = t->items[0];
            return true;
        }
        if (!t->len) return raise(vm, EXC_NotImplementedError, "sub-views are not implemented"), false;
        if (indices == t->len)
            return raise_type_error(vm, "cannot index 1-dimension view with %zu-element tuple", t->len), false;
        if (slices == t->len)
            return raise(vm, EXC_NotImplementedError, "multi-dimensional slicing is not implemented"), false;
    }
    return raise_type_error(vm, "memoryview: invalid slice key"), false;
}

static value slot_getitem(vm *vm, value v, value key)
{
    memoryview *m = VIEW(v);
    ROOTS(vm, &v, &key);
    if (!alive(vm, m)) return V_ERROR;
    if (value_is_kind(key, K_SLICE)) {
        int64_t start, stop, step, count;
        if (!slice_plain(vm, &key) || !slice_adjust(vm, key, (int64_t)m->len, &start, &stop, &step, &count))
            return V_ERROR;
        if (!alive(vm, m)) return V_ERROR;
        memoryview *n = view_copy(vm, m);
        if (!n) return V_ERROR;
        n->data = count > 0 ? item_at(m, (size_t)start) : m->data;
        n->len = count > 0 ? (size_t)count : 0;
        n->stride = m->stride * step;
        return value_obj(n);
    }
    if (!int_is(key) && !type_of(vm, key)->s.index && !key_of_tuple(vm, &key)) return V_ERROR;
    size_t i;
    if (!bytes_index(vm, key, m->len, "", "index out of bounds on dimension 1", &i) || !alive(vm, m)) return V_ERROR;
    return unpack(vm, m, item_at(m, i));
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
    if (o->len != n || o->format != m->format) {
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
    if (value_is_kind(key, K_SLICE)) return assign_slice(vm, m, key, v);
    if (!int_is(key) && !type_of(vm, key)->s.index && !key_of_tuple(vm, &key)) return false;
    size_t i;
    uint8_t item[8];
    if (!bytes_index(vm, key, m->len, "", "index out of bounds on dimension 1", &i)) return false;
    if (!pack(vm, m->format, v, item) || !alive(vm, m)) return false;
    memcpy(item_at(m, i), item, m->itemsize);
    return true;
}

static bool same_items(vm *vm, const memoryview *a, const memoryview *b, bool *same)
{
    *same = false;
    if (a->len != b->len) return true;
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

/* The items in order, strided views too. */
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

/* All views have one dimension, so that every order is the same. */
static METHOD(method_tobytes)
{
    if (!alive(vm, SELF)) return V_ERROR;
    if (!value_is_unbound(args[1]) && !value_is_none(args[1])) {
        if (!IS_STR(args[1]))
            return raise_type_error(vm, "tobytes() argument 'order' must be str or None, not %T", args[1]);
        const str *s = AS(str, args[1]);
        uint32_t c = s->len == 1 ? str_at(s, 0) : 0;
        if (c != 'C' && c != 'F' && c != 'A') return raise_value_error(vm, "order must be 'C', 'F' or 'A'");
    }
    return to_bytes(vm, SELF);
}

static METHOD(method_tolist)
{
    memoryview *m = SELF;
    list *l = alive(vm, m) ? list_new(vm, m->len) : NULL;
    for (size_t i = 0; l && i < m->len; i++) {
        value v = unpack(vm, m, item_at(m, i));
        if (value_is_error(v) || !list_append(vm, l, v)) return V_ERROR;
    }
    return value_obj(l);
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
    if (!value_is_unbound(args[2]))
        return raise(vm, EXC_NotImplementedError, "memoryview: multi-dimensional views are not supported");
    if (!contiguous(m)) return raise_type_error(vm, "memoryview: casts are restricted to C-contiguous views");
    if (!is_byte_format(format) && !is_byte_format(m->format))
        return raise_type_error(vm, "memoryview: cannot cast between two non-byte formats");
    size_t n = m->len * m->itemsize;
    if (n % size) return raise_type_error(vm, "memoryview: length is not a multiple of itemsize");
    memoryview *r = view_copy(vm, m);
    if (!r) return V_ERROR;
    r->format = format;
    r->at_prefix = prefix;
    r->itemsize = size;
    r->stride = size;
    r->len = n / size;
    return value_obj(r);
}

static const native_def methods[] = {
    {"tobytes(self, /, order='C')", method_tobytes, "Return the data in the buffer as a byte string.", 0},
    {"tolist(self, /)", method_tolist, "Return the data in the buffer as a list of elements.", 0},
    {"hex(self, /, sep=None, bytes_per_sep=1)", method_hex,
     "Return the data in the buffer as a str of hexadecimal numbers.", 0},
    {"cast(self, /, format, shape=None)", method_cast, "Cast a memoryview to a new format.", 0},
    {"toreadonly(self, /)", method_toreadonly, "Return a readonly version of the memoryview.", 0},
    {"release(self, /)", method_release, "Release the underlying buffer exposed by the memoryview object.", 0},
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
GETTER(ndim, value_int(1))
GETTER(contiguous, value_bool(contiguous(m)))
GETTER(suboffsets, value_obj(vm->empty_tuple))

static value get_format(vm *vm, value self)
{
    memoryview *m = VIEW(self);
    if (!alive(vm, m)) return V_ERROR;
    return str_value(m->at_prefix ? str_format(vm, "@%c", m->format) : str_char(vm, (uint8_t)m->format));
}

static value one_tuple(vm *vm, int64_t n)
{
    value v = int_from_i64(vm, n);
    return value_is_error(v) ? v : value_obj(tuple_from(vm, &v, 1));
}
GETTER(shape, one_tuple(vm, (int64_t)m->len))
GETTER(strides, one_tuple(vm, m->stride))

static const getset_def getsets[] = {
    {"obj", get_obj, NULL, "The underlying object of the memoryview."},
    {"nbytes", get_nbytes, NULL,
     "The amount of space in bytes that the array would use in a contiguous representation."},
    {"readonly", get_readonly, NULL, "A bool indicating whether the memory is read only."},
    {"itemsize", get_itemsize, NULL, "The size in bytes of each element of the memoryview."},
    {"format", get_format, NULL, "The format (in struct module style) of each element."},
    {"ndim", get_ndim, NULL, "The number of dimensions."},
    {"shape", get_shape, NULL, "The number of elements in each dimension."},
    {"strides", get_strides, NULL, "The bytes to step to the next element in each dimension."},
    {"suboffsets", get_suboffsets, NULL, "Used internally for PIL-style arrays."},
    {"c_contiguous", get_contiguous, NULL, "A bool indicating whether the memory is C contiguous."},
    {"f_contiguous", get_contiguous, NULL, "A bool indicating whether the memory is Fortran contiguous."},
    {"contiguous", get_contiguous, NULL, "A bool indicating whether the memory is contiguous."},
    {0},
};

static void traverse(vm *vm, object *o) { gc_mark_value(vm, ((memoryview *)(void *)o)->base); }

static void dying(vm *vm, object *o)
{
    memoryview *m = (memoryview *)(void *)o;
    if (value_is_obj(m->base) && gc_is_alive(vm, value_as_obj(m->base))) release_base(m);
    else m->released = true; /* the exporter dies as well */
}

static const gc_kind_ops kind_ops = {.traverse = traverse, .dying = dying};

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
