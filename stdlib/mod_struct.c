/* The module struct: values to and from the bytes of C structs.
 *
 * A format is compiled once into a plan: an array of fields that lies in a bytes object, so that it
 * outlives a Struct that script gives another format while it packs.
 *
 * Invariants
 *  1. A plan's fields lie within its size; pack writes into a fresh bytes object of that size,
 *     which no script has seen.
 *  2. Conversions can run script; pointers into foreign memory are taken after the last of them.
 */
#include "module_state.h"

#include <math.h>

#include "vm/buffer.h"
#include "vm/bytes.h"
#include "vm/int.h"
#include "vm/str.h"

#define DOC_FILE stdlib_mod_struct
DOC_BEGIN;

struct field {
    char code;
    uint8_t size;          /* of one item; s and p: 1 */
    bool big, own;         /* big-endian; judged as the machine's own type (which decides messages) */
    int64_t offset, count; /* s and p: count is the length */
};

struct plan {
    value format, fields; /* bytes; bytes that hold struct field[] */
    int64_t size, items;  /* -1: __init__ has not run */
};
struct struct_iter {
    value of, buffer; /* buffer unbound: exhausted */
    int64_t i;
};

static struct plan *plan_of(value v) { return (struct plan *)(void *)AS(userdata, v)->body; }
static struct struct_iter *iter_of(value v) { return (struct struct_iter *)(void *)AS(userdata, v)->body; }
#define BIG_ENDIAN_HOST (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

static value fail(vm *vm, str *message)
{
    value m = str_value(message);
    if (value_is_error(m)) return m;
    value e = exc_make(vm, module_state_type(vm, STATE_STRUCT_ERROR), &m, 1);
    return value_is_error(e) ? e : raise_exception(vm, e);
}
#define FAIL(...) fail(vm, str_format(vm, __VA_ARGS__))

/* ---- formats ---- */

static const struct format_code {
    char code;
    uint8_t size, align, standard; /* standard 0: in native formats only */
} codes[] = {
#define NATIVE_CODE(CODE, T, STANDARD)         \
    {                                          \
        CODE, sizeof(T), _Alignof(T), STANDARD \
    }
    {'x', 1, 1, 1},
    {'b', 1, 1, 1},
    {'B', 1, 1, 1},
    {'c', 1, 1, 1},
    {'s', 1, 1, 1},
    {'p', 1, 1, 1},
    NATIVE_CODE('?', bool, 1),
    NATIVE_CODE('h', short, 2),
    NATIVE_CODE('H', short, 2),
    NATIVE_CODE('i', int, 4),
    NATIVE_CODE('I', int, 4),
    NATIVE_CODE('l', long, 4),
    NATIVE_CODE('L', long, 4),
    NATIVE_CODE('q', long long, 8),
    NATIVE_CODE('Q', long long, 8),
    NATIVE_CODE('n', ptrdiff_t, 0),
    NATIVE_CODE('N', size_t, 0),
    NATIVE_CODE('P', void *, 0),
    NATIVE_CODE('e', short, 2),
    NATIVE_CODE('f', float, 4),
    NATIVE_CODE('d', double, 8),
#undef NATIVE_CODE
};

static const struct format_code *code_find(uint8_t c)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if ((uint8_t)codes[i].code == c) return &codes[i];
    return NULL;
}

static bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Compiles p->format. */
static bool compile(vm *vm, value self)
{
    ROOTS(vm, &self);
    const bytes *format = AS(bytes, plan_of(self)->format);
    const uint8_t *s = format->data, *end = s + format->len;
    byte_builder out;
    bb_init(&out, vm);
    const char *error = NULL;
    int64_t size = 0, items = 0;
    bool native = true, big = BIG_ENDIAN_HOST;
    if (memchr(s, 0, format->len)) error = "embedded null character";
    if (s < end && memchr("@=<>!", *s, 5)) {
        native = *s == '@';
        if (*s == '<') big = false;
        if (*s == '>' || *s == '!') big = true;
        s++;
    }
    while (!error && s < end) {
        if (is_space(*s)) {
            s++;
            continue;
        }
        int64_t n = 1;
        if (*s >= '0' && *s <= '9') {
            bool over = false;
            for (n = 0; s < end && *s >= '0' && *s <= '9'; s++)
                over |= __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *s - '0', &n);
            error = over       ? "total struct size too long"
                    : s == end ? "repeat count given without format specifier"
                               : NULL;
            if (error) break;
        }
        const struct format_code *c = code_find(*s++);
        if (!c || (!native && !c->standard)) {
            error = "bad char in struct format";
            break;
        }
        struct field f = {.code = c->code, .big = big, .count = n};
        f.size = native ? c->size : c->standard;
        f.own = native || (big == BIG_ENDIAN_HOST && c->size == c->standard && c->code != 'f');
        int64_t pad = native ? (c->align - size % c->align) % c->align : 0, bytes;
        if (__builtin_add_overflow(size, pad, &size) || __builtin_mul_overflow(n, (int64_t)f.size, &bytes)) {
            error = "total struct size too long";
            break;
        }
        f.offset = size;
        if (__builtin_add_overflow(size, bytes, &size)) error = "total struct size too long";
        if (c->code == 'x') continue;
        bool text = c->code == 's' || c->code == 'p';
        items += text ? 1 : n; /* at most size, or the format's length */
        if (text || n) bb_add(&out, &f, sizeof f);
    }
    if (error) {
        bb_drop(&out);
        FAIL("%s", error);
        return false;
    }
    bytes *b = bb_finish(&out);
    if (!b) return false;
    struct plan *p = plan_of(self);
    p->fields = value_obj(b);
    gc_barrier(vm, value_as_obj(self));
    p->size = size;
    p->items = items;
    return true;
}

static void plan_traverse(vm *vm, object *o)
{
    gc_mark_value(vm, plan_of(value_obj(o))->format);
    gc_mark_value(vm, plan_of(value_obj(o))->fields);
}
static const type_layout plan_layout = {.size = sizeof(struct plan), .traverse = plan_traverse};

static value struct_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args, (void)nargs, (void)kwnames;
    void *o = userdata_new(vm, t);
    if (!o) return V_ERROR;
    value self = value_obj(o);
    ROOTS(vm, &self);
    bytes *none = bytes_new(vm, "", 0);
    if (!none) return V_ERROR;
    struct plan *p = plan_of(self);
    p->format = p->fields = value_obj(none);
    gc_barrier(vm, value_as_obj(self));
    p->size = p->items = -1;
    return self;
}

static bool set_format(vm *vm, value self, value format)
{
    ROOTS(vm, &self, &format);
    if (IS_STR(format)) {
        str *encode = str_intern_utf8(vm, "encode", 6);
        value ascii = encode ? str_value(str_from_cstr(vm, "ascii")) : V_ERROR;
        if (value_is_error(ascii)) return false;
        format = vm_call_method(vm, format, encode, &ascii, 1);
        if (value_is_error(format)) return false;
    }
    if (!IS_BYTES(format)) {
        raise_type_error(vm, "Struct() argument 1 must be a str or bytes object, not %T", format);
        return false;
    }
    plan_of(self)->format = format;
    gc_barrier(vm, value_as_obj(self));
    return compile(vm, self);
}

static bool struct_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value format;
    return args_bind(vm, "Struct(format)", args, nargs, kwnames, &format) && set_format(vm, self, format);
}

/* The Struct of a module function's first argument; the latest ones are kept. */
static value struct_for(vm *vm, value format)
{
    enum { CACHE_MAX = 100 };
    value cache = module_state_get(vm, STATE_STRUCT_CACHE);
    bool plain = value_is_exact(format, TYPE_STR) || value_is_exact(format, TYPE_BYTES);
    ROOTS(vm, &format, &cache);
    if (plain) {
        value v = dict_get(vm, AS(dict, cache), format);
        if (!value_is_unbound(v) || raised(vm)) return v;
    }
    value self = struct_new(vm, module_state_type(vm, STATE_STRUCT), NULL, 0, V_UNBOUND);
    if (value_is_error(self)) return self;
    ROOTS(vm, &self);
    if (!set_format(vm, self, format)) return V_ERROR;
    if (!plain) return self;
    if (AS(dict, cache)->used >= CACHE_MAX) dict_clear(vm, AS(dict, cache));
    return dict_set(vm, AS(dict, cache), format, self) ? self : V_ERROR;
}

/* ---- packing ---- */

static void put_word(const struct field *f, uint8_t *out, uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t turned = f->big ? __builtin_bswap64(word) >> (64 - f->size * 8u) : word;
    switch (f->size) {
    case 1: *out = (uint8_t)turned; return;
    case 2: memcpy(out, &turned, 2); return;
    case 4: memcpy(out, &turned, 4); return;
    case 8: memcpy(out, &turned, 8); return;
    default: break;
    }
#endif
    for (unsigned i = 0; i < f->size; i++) out[f->big ? f->size - 1u - i : i] = (uint8_t)(word >> 8 * i);
}

static uint64_t get_word(const struct field *f, const uint8_t *p)
{
    uint64_t word = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    switch (f->size) {
    case 1: return *p;
    case 2: memcpy(&word, p, 2); return f->big ? __builtin_bswap16((uint16_t)word) : word;
    case 4: memcpy(&word, p, 4); return f->big ? __builtin_bswap32((uint32_t)word) : word;
    case 8: memcpy(&word, p, 8); return f->big ? __builtin_bswap64(word) : word;
    default: break;
    }
#endif
    for (unsigned i = 0; i < f->size; i++) word = word << 8 | p[f->big ? i : f->size - 1u - i];
    return word;
}

/* Of an integer's code. */
static bool code_is_signed(char c) { return c >= 'a'; }

static bool pack_int(vm *vm, const struct field *f, value v, uint8_t *out)
{
    if (LIKELY(value_is_int(v) && f->code != 'P')) {
        int64_t n = value_as_int(v), top = INT64_MAX >> (64 - f->size * 8u);
        if (code_is_signed(f->code) ? n >= -top - 1 && n <= top : n >= 0 && (n >> 1) <= top) {
            put_word(f, out, (uint64_t)n);
            return true;
        }
    }
    if (!int_is(v) && !type_of(vm, v)->s.index) {
        FAIL("required argument is not an integer");
        return false;
    }
    v = obj_index(vm, v);
    if (value_is_error(v)) return false;
    i128 n = 0, wide = (i128)1 << 63;
    bool fits = int_to_i128(v, &n), is_signed = code_is_signed(f->code);
    unsigned bits = f->size * 8u;
    i128 top = ((i128)1 << (is_signed ? bits - 1 : bits)) - 1, low = is_signed ? -top - 1 : 0;
    if (f->code == 'P') low = -wide; /* pointers may be given as negative numbers */
    if (fits && n >= low && n <= top) {
        put_word(f, out, (uint64_t)n);
        return true;
    }
    /* The words depend on the C type that each code is read by first. */
    bool small = f->code == 'B' || (f->code == 'H' && f->own);
    if (f->code == 'P' || (!f->own && (f->code == 'q' || f->code == 'Q'))) FAIL("int too large to convert");
    else if (!fits || ((is_signed || small) ? n < -wide || n >= wide : n < 0 || n >= 2 * wide) || f->size == 8)
        FAIL("argument out of range");
    else if (f->size == 1)
        FAIL(is_signed ? "byte format requires -128 <= number <= 127" : "ubyte format requires 0 <= number <= 255");
    else if (f->size == 2 && f->own)
        FAIL(is_signed ? "short format requires -32768 <= number <= 32767"
                       : "ushort format requires 0 <= number <= 65535");
    else FAIL("'%c' format requires %ld <= number <= %ld", f->code, (int64_t)low, (int64_t)top);
    return false;
}

/* The nearest half-precision number's bits; false: too large. */
static bool half_bits(double d, uint32_t *out)
{
    uint32_t sign = signbit(d) ? 0x8000 : 0, bits = 0;
    double a = fabs(d);
    if (isnan(d)) {
        bits = 0x7E00;
    } else if (isinf(d)) {
        bits = 0x7C00;
    } else if (a >= 65520) {
        return false;
    } else if (a > 0) {
        int e;
        frexp(a, &e);
        int unit = e - 11 < -24 ? -24 : e - 11; /* exponent of the last place */
        bits = ((uint32_t)(unit + 24) << 10) + (uint32_t)rint(ldexp(a, -unit));
    }
    *out = sign | bits;
    return true;
}

static double half_value(uint32_t bits)
{
    uint32_t e = bits >> 10 & 31, m = bits & 1023;
    double a = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(m + 1024, (int)e - 25) : ldexp(m, -24);
    return bits & 0x8000 ? -a : a;
}

static bool pack_float(vm *vm, const struct field *f, value v, uint8_t *out)
{
    double d;
    uint64_t word = 0;
    uint32_t half = 0;
    bool ok = true;
    if (!float_as_double(vm, v, &d)) {
        exc_clear(vm);
        FAIL("required argument is not a float");
        return false;
    }
    if (f->code == 'd') {
        memcpy(&word, &d, 8);
    } else if (f->code == 'f') {
        float x = (float)d;
        ok = f->own || !isinf(x) || isinf(d);
        memcpy(&half, &x, 4);
        word = half;
    } else {
        ok = half_bits(d, &half);
        word = half;
    }
    if (ok) put_word(f, out, word);
    else if (int_is(v)) FAIL("int too large to convert");
    else raise_overflow(vm, "float too large to pack with %c format", f->code);
    return ok;
}

static bool pack_item(vm *vm, const struct field *f, value v, uint8_t *out)
{
    switch (f->code) {
    case 'c':
        if (!IS_BYTES(v) || AS(bytes, v)->len != 1) {
            FAIL("char format requires a bytes object of length 1");
            return false;
        }
        *out = AS(bytes, v)->data[0];
        return true;
    case '?': {
        int t = obj_truth(vm, v);
        put_word(f, out, t == 1);
        return t >= 0;
    }
    case 's':
    case 'p': {
        if (!IS_BYTES(v) && !IS_BYTEARRAY(v)) {
            FAIL("argument for '%c' must be a bytes object", f->code);
            return false;
        }
        octets o = octets_of(v);
        size_t head = f->code == 'p', room = (size_t)f->count;
        if (room < head) return true;
        size_t n = o.n < room - head ? o.n : room - head;
        if (n) memcpy(out + head, o.p, n);
        if (head) *out = n < 255 ? (uint8_t)n : 255;
        return true;
    }
    case 'e':
    case 'f':
    case 'd': return pack_float(vm, f, v, out);
    default: return pack_int(vm, f, v, out);
    }
}

/* args are rooted by the caller. fname: of messages. */
static bytes *pack(vm *vm, value self, value *args, uint32_t nargs, const char *fname)
{
    const struct plan *p = plan_of(self);
    if (p->items != (int64_t)nargs) {
        FAIL("%s expected %ld items for packing (got %ld)", fname, p->items, (int64_t)nargs);
        return NULL;
    }
    value fields = p->fields;
    if (p->size == 0) return bytes_new(vm, "", 0);
    ROOTS(vm, &fields);
    if (!bytes_check_size(vm, (size_t)p->size)) return NULL;
    bytes *b = bytes_alloc(vm, (size_t)p->size);
    if (!b) return NULL;
    memset(b->u.inl, 0, b->len); /* what pads */
    ROOTS(vm, &b);
    for (size_t at = 0; at < AS(bytes, fields)->len; at += sizeof(struct field)) {
        struct field f;
        memcpy(&f, AS(bytes, fields)->data + at, sizeof f);
        bool text = f.code == 's' || f.code == 'p';
        for (int64_t i = 0; i < (text ? 1 : f.count); i++) {
            if (!pack_item(vm, &f, *args++, b->u.inl + f.offset + i * f.size)) return NULL;
            if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return NULL;
        }
    }
    return b;
}

/* ---- unpacking ---- */

static value unpack_item(vm *vm, const struct field *f, const uint8_t *p)
{
    uint64_t word;
    double d;
    switch (f->code) {
    case 'c': return value_obj(bytes_new(vm, p, 1));
    case 's': return value_obj(bytes_new(vm, p, (size_t)f->count));
    case 'p': {
        size_t n = f->count ? *p : 0;
        if (n && n >= (size_t)f->count) n = (size_t)f->count - 1;
        return value_obj(bytes_new(vm, p + 1, n));
    }
    default: break;
    }
    word = get_word(f, p);
    uint32_t low = (uint32_t)word;
    float x;
    switch (f->code) {
    case '?': return value_bool(word != 0);
    case 'e': return value_float(half_value(low));
    case 'f': memcpy(&x, &low, 4); return value_float((double)x);
    case 'd': memcpy(&d, &word, 8); return value_float(d);
    default: break;
    }
    if (!code_is_signed(f->code)) return int_from_u64(vm, word);
    unsigned unused = 64 - f->size * 8u;
    return int_from_i64(vm, (int64_t)(word << unused) >> unused);
}

/* The items at p, which stays valid: making them runs nothing. */
static value unpack(vm *vm, value self, const uint8_t *p)
{
    const struct plan *plan = plan_of(self);
    const bytes *fields = AS(bytes, plan->fields); /* no script runs, nothing is collected */
    value few[8];
    if (plan->items == 0) return value_obj(vm->empty_tuple);
    bool small = plan->items <= 8;
    tuple *t = small ? NULL : tuple_new(vm, (size_t)plan->items);
    if (!small && !t) return V_ERROR;
    value *out = small ? few : t->items;
    for (size_t at = 0; at < fields->len; at += sizeof(struct field)) {
        struct field f;
        memcpy(&f, fields->data + at, sizeof f);
        bool text = f.code == 's' || f.code == 'p';
        for (int64_t i = 0; i < (text ? 1 : f.count); i++) {
            value v = unpack_item(vm, &f, p + f.offset + i * f.size);
            if (UNLIKELY(value_is_error(v))) return v;
            *out++ = v;
        }
    }
    if (small) t = tuple_from(vm, few, (size_t)plan->items);
    return t ? value_obj(t) : V_ERROR;
}

/* ---- the methods, and the functions, which have a format where those have self ---- */

static value do_pack(vm *vm, value self, value *args, uint32_t nargs)
{
    ROOTS(vm, &self);
    bytes *b = pack(vm, self, args, nargs, "pack");
    return b ? value_obj(b) : V_ERROR;
}

/* The place of an offset within n bytes; false: raised. */
static bool offset_in(vm *vm, int64_t size, int64_t n, int64_t *offset, bool packing)
{
    if (*offset < 0) {
        if (*offset + size > 0) {
            if (packing) FAIL("no space to pack %ld bytes at offset %ld", size, *offset);
            else FAIL("not enough data to unpack %ld bytes at offset %ld", size, *offset);
            return false;
        }
        if (*offset + n < 0) {
            FAIL("offset %ld out of range for %ld-byte buffer", *offset, n);
            return false;
        }
        *offset += n;
    }
    if (n - *offset >= size) return true;
    value total = int_from_u64(vm, (uint64_t)size + (uint64_t)*offset);
    if (value_is_error(total)) return false;
    FAIL("%s requires a buffer of at least %S bytes for %s %ld bytes at offset %ld (actual buffer "
         "size is %ld)",
         packing ? "pack_into" : "unpack_from", total, packing ? "packing" : "unpacking", size, *offset, n);
    return false;
}

static value do_pack_into(vm *vm, value self, value *args, uint32_t nargs)
{
    int64_t offset;
    buffer_info info;
    ROOTS(vm, &self);
    if (plan_of(self)->items != (int64_t)nargs - 2) {
        if (nargs == 0) return FAIL("pack_into expected buffer argument");
        if (nargs == 1) return FAIL("pack_into expected offset argument");
        return FAIL("pack_into expected %ld items for packing (got %ld)", plan_of(self)->items, (int64_t)nargs - 2);
    }
    bool is = buffer_info_of(vm, args[0], &info);
    if (raised(vm)) return V_ERROR;
    if (!is || info.readonly)
        return raise_type_error(vm, "argument must be read-write bytes-like object, not %T", args[0]);
    if (!obj_as_index(vm, args[1], &offset, EXC_IndexError)) return V_ERROR;
    int64_t at = offset, size = plan_of(self)->size;
    if (!buffer_info_of(vm, args[0], &info) || !offset_in(vm, size, (int64_t)info.n, &at, true)) return V_ERROR;
    bytes *b = pack(vm, self, args + 2, nargs - 2, "pack_into");
    if (!b) return V_ERROR;
    ROOTS(vm, &b);
    /* Script may have changed the buffer. */
    if (!buffer_info_of(vm, args[0], &info) || !offset_in(vm, (int64_t)b->len, (int64_t)info.n, &offset, true))
        return V_ERROR;
    if (b->len) memcpy(info.data + offset, b->data, b->len);
    return V_NONE;
}

static value do_unpack(vm *vm, value self, value buffer)
{
    const uint8_t *p;
    size_t n;
    ROOTS(vm, &self, &buffer);
    if (!buffer_need(vm, buffer, &p, &n)) return V_ERROR;
    if ((int64_t)n != plan_of(self)->size) return FAIL("unpack requires a buffer of %ld bytes", plan_of(self)->size);
    return unpack(vm, self, p);
}

static value do_unpack_from(vm *vm, value self, value buffer, value where)
{
    const uint8_t *p;
    size_t n;
    int64_t offset = 0;
    ROOTS(vm, &self, &buffer);
    if (!buffer_is(vm, buffer)) return buffer_need(vm, buffer, &p, &n), V_ERROR;
    if (!args_ssize(vm, where, 0, &offset) || !buffer_need(vm, buffer, &p, &n)) return V_ERROR;
    if (!offset_in(vm, plan_of(self)->size, (int64_t)n, &offset, false)) return V_ERROR;
    return unpack(vm, self, p + offset);
}

static value do_iter_unpack(vm *vm, value self, value buffer)
{
    const uint8_t *p;
    size_t n;
    int64_t size = plan_of(self)->size;
    ROOTS(vm, &self, &buffer);
    if (size == 0) return FAIL("cannot iteratively unpack with a struct of length 0");
    if (!buffer_need(vm, buffer, &p, &n)) return V_ERROR;
    if (size < 0 || n % (size_t)size)
        return FAIL("iterative unpacking requires a buffer of a multiple of %ld bytes", size);
    void *o = userdata_new(vm, module_state_type(vm, STATE_STRUCT_ITER));
    if (!o) return V_ERROR;
    *iter_of(value_obj(o)) = (struct struct_iter){self, buffer, 0};
    return value_obj(o);
}

FN(s_pack) { return do_pack(vm, args[0], args + 1, nargs - 1); }
FN(s_pack_into) { return do_pack_into(vm, args[0], args + 1, nargs - 1); }
FN(s_unpack) { return do_unpack(vm, args[0], args[1]); }
FN(s_unpack_from) { return do_unpack_from(vm, args[0], args[1], args[2]); }
FN(s_iter_unpack) { return do_iter_unpack(vm, args[0], args[1]); }
FN(s_sizeof)
{
    return int_from_i64(vm,
                        (int64_t)(sizeof(userdata) + sizeof(struct plan) + AS(bytes, plan_of(args[0])->fields)->len));
}

FN(m_pack)
{
    if (nargs == 0) return raise_type_error(vm, "missing format argument");
    value s = struct_for(vm, args[0]);
    return value_is_error(s) ? s : do_pack(vm, s, args + 1, nargs - 1);
}
FN(m_pack_into)
{
    if (nargs == 0) return raise_type_error(vm, "missing format argument");
    value s = struct_for(vm, args[0]);
    return value_is_error(s) ? s : do_pack_into(vm, s, args + 1, nargs - 1);
}
FN(m_unpack)
{
    value s = struct_for(vm, args[0]);
    return value_is_error(s) ? s : do_unpack(vm, s, args[1]);
}
FN(m_unpack_from)
{
    value s = struct_for(vm, args[0]);
    return value_is_error(s) ? s : do_unpack_from(vm, s, args[1], args[2]);
}
FN(m_iter_unpack)
{
    value s = struct_for(vm, args[0]);
    return value_is_error(s) ? s : do_iter_unpack(vm, s, args[1]);
}
FN(m_calcsize)
{
    value s = struct_for(vm, args[0]);
    return value_is_error(s) ? s : int_from_i64(vm, plan_of(s)->size);
}
FN(m_clearcache)
{
    dict_clear(vm, AS(dict, module_state_get(vm, STATE_STRUCT_CACHE)));
    return V_NONE;
}

/* ---- the iterator ---- */

static void iter_traverse(vm *vm, object *o)
{
    gc_mark_value(vm, iter_of(value_obj(o))->of);
    gc_mark_value(vm, iter_of(value_obj(o))->buffer);
}
static const type_layout iter_layout = {.size = sizeof(struct struct_iter), .traverse = iter_traverse};

static value iter_self(vm *vm, value self)
{
    (void)vm;
    return self;
}

static value iter_next(vm *vm, value self)
{
    struct struct_iter *it = iter_of(self);
    const uint8_t *p;
    size_t n;
    if (value_is_unbound(it->buffer)) return V_STOP;
    if (!buffer_need(vm, it->buffer, &p, &n)) return V_ERROR;
    int64_t at = it->i, size = plan_of(it->of)->size;
    if (size <= 0 || at > (int64_t)n || (int64_t)n - at < size) {
        it->buffer = it->of = V_UNBOUND;
        return V_STOP;
    }
    it->i += size;
    return unpack(vm, it->of, p + at);
}

FN(iter_hint)
{
    const struct struct_iter *it = iter_of(args[0]);
    const uint8_t *p;
    size_t n;
    if (value_is_unbound(it->buffer)) return value_int(0);
    if (!buffer_need(vm, it->buffer, &p, &n)) return V_ERROR;
    int64_t size = plan_of(it->of)->size, left = (int64_t)n - it->i;
    return int_from_i64(vm, size > 0 && left > 0 ? left / size : 0);
}

static const native_def iter_methods[] = {
    {"__length_hint__(self, /)", iter_hint, DOC("How many tuples are left."), 0},
    {0},
};
static void iter_fill(struct type_slots *s)
{
    s->iter = iter_self;
    s->next = iter_next;
}

/* ---- the module ---- */

static value get_format(vm *vm, value self)
{
    const bytes *b = AS(bytes, plan_of(self)->format);
    return str_value(str_new_latin1(vm, b->data, b->len));
}
static value get_size(vm *vm, value self) { return int_from_i64(vm, plan_of(self)->size); }

static const getset_def struct_getsets[] = {
    {"format", get_format, NULL, DOC("struct format string")},
    {"size", get_size, NULL, DOC("struct size in bytes")},
    {0},
};
static const native_def struct_methods[] = {
    {"pack(self, /, *values)", s_pack, DOC("Return the values packed into bytes."), 0},
    {"pack_into(self, /, *values)", s_pack_into,
     DOC("S.pack_into(buffer, offset, v1, v2, ...): pack into a writable buffer."), 0},
    {"unpack(self, buffer, /)", s_unpack, DOC("Return a tuple of the unpacked values."), 0},
    {"unpack_from(self, /, buffer, offset=0)", s_unpack_from,
     DOC("Return a tuple of the values unpacked from an offset."), 0},
    {"iter_unpack(self, buffer, /)", s_iter_unpack, DOC("Return an iterator over the tuples of consecutive structs."),
     0},
    {"__sizeof__(self, /)", s_sizeof, DOC("Size in memory, in bytes."), 0},
    {0},
};
static const native_def functions[] = {
    {"pack(*values)", m_pack, DOC("pack(format, v1, v2, ...) -> bytes"), 0},
    {"pack_into(*values)", m_pack_into, DOC("pack_into(format, buffer, offset, v1, v2, ...)"), 0},
    {"unpack(format, buffer, /)", m_unpack, DOC("Return a tuple of the unpacked values."), 0},
    {"unpack_from(format, /, buffer, offset=0)", m_unpack_from,
     DOC("Return a tuple of the values unpacked from an offset."), 0},
    {"iter_unpack(format, buffer, /)", m_iter_unpack, DOC("Return an iterator over the tuples of consecutive structs."),
     0},
    {"calcsize(format, /)", m_calcsize, DOC("Return size in bytes of the struct."), 0},
    {"_clearcache()", m_clearcache, DOC("Clear the internal cache."), 0},
    {0},
};

static void struct_fill(struct type_slots *s)
{
    s->new_ = struct_new;
    s->init = struct_init;
}

bool struct_module_init(vm *vm, module *m)
{
    static const type_spec spec = {
        .name = "_struct.Struct",
        .doc = "Struct(fmt) --> compiled struct object\n\n",
        .layout = &plan_layout,
        .methods = struct_methods,
        .getsets = struct_getsets,
        .flags = TF_BASE,
        .fill = struct_fill,
    };
    static const type_spec iter_spec = {
        .name = "_struct.unpack_iterator", .layout = &iter_layout, .methods = iter_methods, .fill = iter_fill};
    static const type_spec error_spec = {.name = "struct.error", .base_id = EXC_Exception, .flags = TF_BASE};
    ROOTS(vm, &m);
    if (value_is_unbound(module_state_get(vm, STATE_STRUCT_CACHE))) {
        dict *d = dict_new(vm);
        if (!d || !module_state_set(vm, STATE_STRUCT_CACHE, value_obj(d))) return false;
    }
    return module_add_type(vm, m, STATE_STRUCT_ERROR, &error_spec) && module_add_type(vm, m, STATE_STRUCT, &spec) &&
           module_state_make(vm, STATE_STRUCT_ITER, &iter_spec) && module_add_natives(vm, m, functions);
}
