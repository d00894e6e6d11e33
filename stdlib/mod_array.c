/* The module array: the type's methods and slots, its iterator, the module. */
#include "array.h"

#include "vm/int.h"
#include "vm/iter.h"
#include "vm/list.h"
#include "vm/slot_table.h"

#define DOC_FILE stdlib_mod_array
DOC_BEGIN;

struct array_iter {
    value of; /* unbound: exhausted */
    size_t i;
};
static struct array_iter *iter_of(value v) { return (struct array_iter *)(void *)AS(userdata, v)->body; }

/* ---- making ---- */

static value array_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    if (t == array_type(vm) && !value_is_unbound(kwnames) && AS(tuple, kwnames)->len)
        return raise_type_error(vm, "array.array() takes no keyword arguments");
    if (nargs < 1) return raise_type_error(vm, "array() takes at least 1 argument (0 given)");
    if (nargs > 2) return raise_type_error(vm, "array() takes at most 2 arguments (%d given)", (int)nargs);
    value init = nargs > 1 ? args[1] : V_UNBOUND;
    if (!IS_STR(args[0]) || AS(str, args[0])->len != 1)
        return raise_type_error(vm, "array() argument 1 must be a unicode character, not %T", args[0]);
    uint32_t code = str_at(AS(str, args[0]), 0);
    ROOTS(vm, &init);
    bool given = !value_is_unbound(init), from_array = given && array_is(vm, init);
    if (given && code != 'u') {
        str *c = str_char(vm, code);
        if (!c) return V_ERROR;
        if (IS_STR(init)) return raise_type_error(vm, "cannot use a str to initialize an array with typecode '%U'", c);
        if (from_array && array_of(init)->kind->code == 'u')
            return raise_type_error(vm, "cannot use a unicode array to initialize an array with typecode '%U'", c);
    }
    bool raw = given && (value_is_kind(init, K_BYTES) || value_is_kind(init, K_BYTEARRAY));
    bool direct = raw || from_array || (given && IS_STR(init));
    if (given && !direct && !IS_LIST(init) && !IS_TUPLE(init)) {
        init = obj_iter(vm, init);
        if (value_is_error(init)) return V_ERROR;
    }
    const struct array_kind *k = array_kind_find(code);
    if (!k) return raise_value_error(vm, "bad typecode (must be b, B, u, h, H, i, I, l, L, q, Q, f or d)");
    value self = array_alloc(vm, t, k, 0);
    if (value_is_error(self) || !given) return self;
    ROOTS(vm, &self);
    bool ok;
    if (raw) ok = array_append_bytes(vm, self, init);
    else if (IS_STR(init)) ok = array_append_str(vm, self, AS(str, init));
    else if (from_array && array_of(init)->kind == k) ok = array_append_array(vm, self, init);
    else ok = array_append_all(vm, self, init);
    return ok ? self : V_ERROR;
}

/* ---- methods ---- */

FN(a_append) { return array_append(vm, args[0], args[1]) ? V_NONE : V_ERROR; }

static bool extend(vm *vm, value self, value other)
{
    if (!array_is(vm, other)) return array_append_all(vm, self, other);
    if (array_of(self)->kind == array_of(other)->kind) return array_append_array(vm, self, other);
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
    array_swap_items(a->data, a->len, a->kind->size);
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
        value item = array_unpack(vm, a->kind, array_place(a, i));
        int r = value_is_error(item) ? -1 : obj_compare_bool(vm, item, v, CMP_EQ);
        if (r) return r < 0 ? -2 : (int64_t)i;
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return -2;
    }
    return -1;
}

FN(a_count)
{
    int64_t n = 0, i = -1;
    while ((i = find(vm, args[0], args[1], (size_t)(i + 1), SIZE_MAX)) >= 0) n++;
    return i == -2 ? V_ERROR : int_from_i64(vm, n);
}

FN(a_index)
{
    int64_t from = 0, to = INT64_MAX;
    for (int k = 2; k < 4; k++) {
        if (value_is_unbound(args[k])) continue;
        if (!int_is(args[k]) && !type_of(vm, args[k])->s.index)
            return raise_type_error(vm, "slice indices must be integers or have an __index__ method");
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
    if (!array_resizable(vm, args[0])) return V_ERROR;
    struct array *a = array_of(args[0]);
    if ((size_t)i >= a->len) return V_NONE; /* == has shortened it */
    return array_splice(vm, a, (size_t)i, (size_t)i + 1, NULL, 0) ? V_NONE : V_ERROR;
}

FN(a_insert)
{
    int64_t i;
    uint8_t item[8];
    if (!args_ssize(vm, args[1], 0, &i)) return V_ERROR;
    if (!array_pack(vm, array_of(args[0])->kind, args[2], item)) return V_ERROR;
    if (!array_resizable(vm, args[0])) return V_ERROR;
    struct array *a = array_of(args[0]);
    int64_t len = (int64_t)a->len;
    if (i < 0 && (i += len) < 0) i = 0;
    if (i > len) i = len;
    return array_splice(vm, a, (size_t)i, (size_t)i, item, 1) ? V_NONE : V_ERROR;
}

FN(a_pop)
{
    int64_t i;
    if (!args_ssize(vm, args[1], -1, &i) || !array_resizable(vm, args[0])) return V_ERROR;
    struct array *a = array_of(args[0]);
    if (!a->len) return raise(vm, EXC_IndexError, "pop from empty array");
    if (i < 0) i += (int64_t)a->len;
    if (i < 0 || (size_t)i >= a->len) return raise(vm, EXC_IndexError, "pop index out of range");
    value v = array_unpack(vm, a->kind, array_place(a, (size_t)i));
    if (value_is_error(v)) return v;
    return array_splice(vm, a, (size_t)i, (size_t)i + 1, NULL, 0) ? v : V_ERROR;
}

FN(a_reverse)
{
    const struct array *a = array_of(args[0]);
    size_t size = a->kind->size;
    uint8_t item[8];
    for (size_t i = 0; i < a->len / 2; i++) {
        uint8_t *p = array_place(a, i), *q = array_place(a, a->len - 1 - i);
        memcpy(item, p, size);
        memcpy(p, q, size);
        memcpy(q, item, size);
    }
    return V_NONE;
}

FN(a_frombytes) { return array_append_bytes(vm, args[0], args[1]) ? V_NONE : V_ERROR; }

value array_tobytes(vm *vm, value self)
{
    const struct array *a = array_of(self);
    bytes *b = bytes_new(vm, a->data, a->len * a->kind->size);
    return b ? value_obj(b) : V_ERROR;
}
FN(a_tobytes) { return array_tobytes(vm, args[0]); }

FN(a_fromlist)
{
    if (!IS_LIST(args[1])) return raise_type_error(vm, "arg must be list");
    size_t old = array_of(args[0])->len, n = AS(list, args[1])->len;
    for (size_t i = 0; i < n; i++) {
        bool ok = array_append(vm, args[0], AS(list, args[1])->items[i]);
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

value array_tolist(vm *vm, value self)
{
    ROOTS(vm, &self);
    list *l = list_new(vm, array_of(self)->len);
    if (!l) return V_ERROR;
    ROOTS(vm, &l);
    for (size_t i = 0; i < array_of(self)->len; i++) {
        const struct array *a = array_of(self);
        value v = array_unpack(vm, a->kind, array_place(a, i));
        if (value_is_error(v) || !list_append(vm, l, v)) return V_ERROR;
    }
    return value_obj(l);
}
FN(a_tolist) { return array_tolist(vm, args[0]); }

static value to_str(vm *vm, value self)
{
    const struct array *a = array_of(self);
    for (size_t i = 0; i < a->len; i++) {
        uint32_t c;
        memcpy(&c, array_place(a, i), 4);
        if (c > 0x10FFFF) return array_unpack(vm, a->kind, array_place(a, i));
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
    return array_append_str(vm, args[0], AS(str, args[1])) ? V_NONE : V_ERROR;
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
    if (!array_append_bytes(vm, args[0], b)) return V_ERROR;
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
    return int_from_i64(vm, (int64_t)(sizeof(userdata) + sizeof(struct array) + a->cap * a->kind->size));
}

/* ---- slots ---- */

static int64_t array_len(vm *vm, value self)
{
    (void)vm;
    return (int64_t)array_of(self)->len;
}

/* word: from array_pack. */
static inline void array_put(const struct array *a, size_t i, const uint8_t *word)
{
    uint8_t *p = array_place(a, i);
    switch (a->kind->size) {
    case 1: *p = *word; break;
    case 2: memcpy(p, word, 2); break;
    case 4: memcpy(p, word, 4); break;
    default: memcpy(p, word, 8); break;
    }
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
    if (LIKELY(value_is_int(key) && (uint64_t)value_as_int(key) < array_of(self)->len)) {
        const struct array *a = array_of(self);
        return array_unpack(vm, a->kind, array_place(a, (size_t)value_as_int(key)));
    }
    ROOTS(vm, &self, &key);
    int64_t i, stop, step, n;
    if (!value_is_kind(key, K_SLICE)) {
        if (!key_index(vm, key, &i)) return V_ERROR;
        const struct array *a = array_of(self);
        if (!index_ok(vm, a, &i, "array index out of range")) return V_ERROR;
        return array_unpack(vm, a->kind, array_place(a, (size_t)i));
    }
    if (!slice_plain(vm, &key)) return V_ERROR;
    const struct array *a = array_of(self);
    if (!slice_adjust(vm, key, (int64_t)a->len, &i, &stop, &step, &n)) return V_ERROR;
    if (n <= 0) return array_from(vm, a->kind, NULL, 0);
    if (step == 1) return array_from(vm, a->kind, array_place(a, (size_t)i), (size_t)n);
    value r = array_alloc(vm, array_type(vm), a->kind, (size_t)n);
    for (int64_t k = 0; !value_is_error(r) && k < n; k++)
        memcpy(array_place(array_of(r), (size_t)k), array_place(a, (size_t)(i + k * step)), a->kind->size);
    return r;
}

static bool delete_slice(vm *vm, struct array *a, int64_t start, int64_t step, int64_t n)
{
    if (n <= 0) return true;
    if (step < 0) {
        start += (n - 1) * step;
        step = -step;
    }
    if (step == 1) return array_splice(vm, a, (size_t)start, (size_t)(start + n), NULL, 0);
    size_t size = a->kind->size, out = (size_t)start;
    for (int64_t k = 0; k < n; k++) { /* what lies between this victim and the next */
        size_t from = (size_t)(start + k * step) + 1;
        size_t to = k + 1 < n ? from + (size_t)step - 1 : a->len;
        memmove(array_place(a, out), array_place(a, from), (to - from) * size);
        out += to - from;
    }
    return array_set_len(vm, a, out);
}

static bool set_slice(vm *vm, value self, value key, value v)
{
    int64_t start, stop, step, n;
    bool deleting = value_is_unbound(v);
    ROOTS(vm, &self, &key, &v);
    if (!slice_plain(vm, &key)) return false;
    if (!deleting) {
        if (!array_is(vm, v)) {
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
            if (!array_resizable(vm, self)) return false;
            continue; /* finalisers have run */
        }
        if (deleting || (have == 0 && step != 1)) return delete_slice(vm, a, start, step, n);
        const uint8_t *p = array_of(v)->data;
        if (step == 1) return array_splice(vm, a, (size_t)start, (size_t)(start + n), p, have);
        if (have != (size_t)n) {
            raise_value_error(vm, "attempt to assign array of size %zu to extended slice of size %ld", have, n);
            return false;
        }
        for (int64_t k = 0; k < n; k++)
            memcpy(array_place(a, (size_t)(start + k * step)), p + (size_t)k * a->kind->size, a->kind->size);
        return true;
    }
}

static bool array_setitem(vm *vm, value self, value key, value v)
{
    static const char message[] = "array assignment index out of range";
    if (LIKELY(value_is_int(key) && (value_is_int(v) || value_is_float(v)))) { /* mostly runs no script */
        uint8_t word[8];
        const struct array *a = array_of(self);
        if ((uint64_t)value_as_int(key) < a->len && (a->kind->cls == ITEM_FLOAT || value_is_int(v))) {
            if (!array_pack(vm, a->kind, v, word)) return false;
            array_put(a, (size_t)value_as_int(key), word);
            return true;
        }
    }
    ROOTS(vm, &self, &v);
    if (value_is_kind(key, K_SLICE)) return set_slice(vm, self, key, v);
    int64_t i;
    uint8_t item[8];
    if (!key_index(vm, key, &i) || !index_ok(vm, array_of(self), &i, message)) return false;
    if (value_is_unbound(v)) {
        if (!array_resizable(vm, self)) return false;
    } else if (!array_pack(vm, array_of(self)->kind, v, item)) {
        return false;
    }
    struct array *a = array_of(self);
    if (!index_ok(vm, a, &i, message)) return false; /* script may have shortened it */
    if (value_is_unbound(v)) return array_splice(vm, a, (size_t)i, (size_t)i + 1, NULL, 0);
    array_put(a, (size_t)i, item);
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
    value items = a->kind->cls == ITEM_CHAR ? to_str(vm, self) : array_tolist(vm, self);
    ROOTS(vm, &items);
    return value_is_error(items) ? items
                                 : str_value(str_format(vm, "%U('%c', %R)", name, array_of(self)->kind->code, items));
}

static value array_compare(vm *vm, value x, value y, enum compare_op op)
{
    if (!array_is(vm, x) || !array_is(vm, y)) return V_NOTIMPLEMENTED;
    if ((op == CMP_EQ || op == CMP_NE) && array_of(x)->len != array_of(y)->len) return value_bool(op == CMP_NE);
    value v = V_UNBOUND, w = V_UNBOUND;
    ROOTS(vm, &x, &y, &v, &w);
    for (size_t i = 0;; i++) {
        const struct array *a = array_of(x), *b = array_of(y);
        if (i >= a->len || i >= b->len) /* the shorter one is the smaller */
            return obj_compare(vm, value_bool(i < a->len), value_bool(i < b->len), op);
        if (a->kind == b->kind && a->kind->cls != ITEM_FLOAT &&
            !memcmp(array_place(a, i), array_place(b, i), a->kind->size))
            continue;
        if (value_is_error(v = array_unpack(vm, a->kind, array_place(a, i)))) return v;
        if (value_is_error(w = array_unpack(vm, b->kind, array_place(b, i)))) return w;
        int same = obj_compare_bool(vm, v, w, CMP_EQ);
        if (same < 0) return V_ERROR;
        if (!same) return op == CMP_EQ ? V_FALSE : op == CMP_NE ? V_TRUE : obj_compare(vm, v, w, op);
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 4)) return V_ERROR;
    }
}

static value array_concat(vm *vm, value x, value y)
{
    if (!array_is(vm, y)) return raise_type_error(vm, "can only append array (not \"%T\") to array", y);
    const struct array *a = array_of(x), *b = array_of(y);
    size_t size = a->kind->size;
    if (a->kind != b->kind) return raise_type_error(vm, "bad argument type for built-in operation");
    value r = array_alloc(vm, array_type(vm), a->kind, a->len + b->len);
    if (value_is_error(r)) return r;
    if (a->len) memcpy(array_of(r)->data, a->data, a->len * size);
    if (b->len) memcpy(array_place(array_of(r), a->len), b->data, b->len * size);
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
    if (!array_is(vm, other)) return raise_type_error(vm, "can only extend array with array (not \"%T\")", other);
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
    if (!array_resizable(vm, self)) return V_ERROR;
    struct array *a = array_of(self);
    size_t unit = a->len * a->kind->size;
    if (__builtin_mul_overflow(a->len, (size_t)n, &total)) return raise_memory(vm);
    if (!array_set_len(vm, a, total)) return V_ERROR;
    if (total) fill(a->data, unit, total * a->kind->size);
    return self;
}

/* ---- the iterator ---- */

static void iter_traverse(vm *vm, object *o) { gc_mark_value(vm, iter_of(value_obj(o))->of); }
static const type_layout iter_layout = {.size = sizeof(struct array_iter), .traverse = iter_traverse};

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
    if (it->i < a->len) return array_unpack(vm, a->kind, array_place(a, it->i++));
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
    tuple *r =
        done ? tuple_pack(vm, 2, f, value_obj(in)) : tuple_pack(vm, 3, f, value_obj(in), value_int((int64_t)it->i));
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
    {"__reduce__(self, /)", iter_reduce, DOC("Return state information for pickling."), 0},
    {"__setstate__(self, state, /)", iter_setstate, DOC("Set state information for unpickling."), 0},
    {0},
};

static void iter_fill(struct type_slots *s)
{
    s->iter = iter_self;
    s->next = iter_next;
}

/* ---- the module ---- */

static value get_typecode(vm *vm, value self) { return str_value(str_char(vm, (uint32_t)array_of(self)->kind->code)); }
static value get_itemsize(vm *vm, value self)
{
    (void)vm;
    return value_int(array_of(self)->kind->size);
}

static const getset_def array_getsets[] = {
    {"typecode", get_typecode, NULL, DOC("the typecode character used to create the array")},
    {"itemsize", get_itemsize, NULL, DOC("the size, in bytes, of one array item")},
    {0},
};
static const native_def array_methods[] = {
    {"append(self, v, /)", a_append, DOC("Append new value v to the end of the array."), 0},
    {"buffer_info(self, /)", a_buffer_info, DOC("Return a tuple of the address of the memory and the length in items."),
     0},
    {"byteswap(self, /)", a_byteswap, DOC("Swap the bytes of every item."), 0},
    {"__copy__(self, /)", a_copy, DOC("Return a copy of the array."), 0},
    {"count(self, v, /)", a_count, DOC("Return number of occurrences of v in the array."), 0},
    {"__deepcopy__(self, unused, /)", a_copy, DOC("Return a copy of the array."), 0},
    {"extend(self, bb, /)", a_extend, DOC("Append items to the end of the array."), 0},
    {"fromfile(self, f, n, /)", a_fromfile, DOC("Read n items from a file and append them."), 0},
    {"fromlist(self, list, /)", a_fromlist, DOC("Append items to array from list."), 0},
    {"frombytes(self, buffer, /)", a_frombytes, DOC("Append the items whose bytes these are."), 0},
    {"fromunicode(self, ustr, /)", a_fromunicode, DOC("Append the characters of a string."), 0},
    {"index(self, v, start=..., stop=..., /)", a_index, DOC("Return index of first occurrence of v in the array."), 0},
    {"insert(self, i, v, /)", a_insert, DOC("Insert a new item v into the array before position i."), 0},
    {"pop(self, i=-1, /)", a_pop, DOC("Return the i-th element and delete it from the array."), 0},
    {"__reduce_ex__(self, value, /)", array_reduce, DOC("Return state information for pickling."), 0},
    {"remove(self, v, /)", a_remove, DOC("Remove the first occurrence of v in the array."), 0},
    {"reverse(self, /)", a_reverse, DOC("Reverse the order of the items in the array."), 0},
    {"tofile(self, f, /)", a_tofile, DOC("Write all items (as machine values) to the file object f."), 0},
    {"tolist(self, /)", a_tolist, DOC("Convert array to an ordinary list with the same items."), 0},
    {"tobytes(self, /)", a_tobytes, DOC("Return the bytes of the items."), 0},
    {"tounicode(self, /)", a_tounicode, DOC("Return the characters as one string."), 0},
    {"__sizeof__(self, /)", a_sizeof, DOC("Size of the array in memory, in bytes."), 0},
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
    static const type_spec iter_spec = {
        .name = "array.arrayiterator", .layout = &iter_layout, .methods = iter_methods, .fill = iter_fill};
    static const native_def functions[] = {
        {"_array_reconstructor(arraytype, typecode, mformat_code, items, /)", array_reconstruct,
         DOC("Internal. Used for pickling support."), 0},
        {0},
    };
    ROOTS(vm, &m);
    char codes[ARRAY_KINDS];
    for (size_t i = 0; i < ARRAY_KINDS; i++) codes[i] = array_kinds[i].code;
    type *t = module_add_type(vm, m, STATE_ARRAY, &array_spec);
    if (!t || !module_state_make(vm, STATE_ARRAY_ITER, &iter_spec)) return false;
    str *s = str_new_latin1(vm, (const uint8_t *)codes, ARRAY_KINDS);
    return s && module_add(vm, m, "typecodes", value_obj(s)) && module_add(vm, m, "ArrayType", value_obj(t)) &&
           module_add_natives(vm, m, functions) && register_sequence(vm, t);
}
