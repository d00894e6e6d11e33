/* The type str: its slots, constructor and iterator. */
#include "iter.h"
#include "bytes.h"
#include "codec.h"
#include "native.h"
#include "str.h"
#include "str_search.h"

#define DOC_FILE vm_str_type
DOC_BEGIN;

static value slot_repr(vm *vm, value v) { return str_value(str_repr(vm, AS(str, v))); }
static value slot_str(vm *vm, value v)
{
    (void)vm;
    return value_obj(str_plain(AS(str, v)));
}
static int64_t slot_len(vm *vm, value v)
{
    (void)vm;
    return (int64_t)AS(str, v)->len;
}

static bool slot_hash(vm *vm, value v, uint64_t *out)
{
    *out = str_hash_get(vm, AS(str, v));
    return true;
}

static value slot_compare(vm *vm, value a, value b, enum compare_op op)
{
    (void)vm;
    if (!IS_STR(a) || !IS_STR(b)) return V_NOTIMPLEMENTED;
    const str *x = AS(str, a), *y = AS(str, b);
    if (op == CMP_EQ) return value_bool(str_eq_fast(x, y));
    if (op == CMP_NE) return value_bool(!str_eq_fast(x, y));
    int c = x == y ? 0 : str_cmp(x, y);
    return value_bool(op == CMP_LT ? c < 0 : op == CMP_LE ? c <= 0 : op == CMP_GT ? c > 0 : c >= 0);
}

static int slot_contains(vm *vm, value v, value sub)
{
    if (!IS_STR(sub)) {
        raise_type_error(vm, "'in <string>' requires string as left operand, not %T", sub);
        return -1;
    }
    const str *s = AS(str, v), *p = AS(str, sub);
    if (p->len == 1 && str_is_ascii(p) && str_width(s) == 1) { /* c in "aeiou" */
        const uint8_t *text = s->data, c = *(const uint8_t *)p->data;
        if (s->len > 32) return memchr(text, c, s->len) != NULL;
        for (size_t i = 0; i < s->len; i++)
            if (text[i] == c) return 1;
        return 0;
    }
    size_t at = str_find(vm, s, p, 0, s->len);
    return at != FINDER_NONE ? 1 : raised(vm) ? -1 : 0;
}

static value slot_getitem(vm *vm, value v, value key)
{
    str *s = AS(str, v);
    int64_t i;
    if (LIKELY(value_is_int(key))) {
        i = value_as_int(key);
    } else if (value_is_kind(key, K_SLICE)) {
        int64_t start, stop, step, count;
        ROOTS(vm, &v, &key);
        if (!slice_adjust(vm, key, (int64_t)s->len, &start, &stop, &step, &count)) return V_ERROR;
        return str_value(str_slice(vm, s, start, step, (size_t)count));
    } else {
        if (!int_is(key) && !type_of(vm, key)->s.index)
            return raise_type_error(vm, "string indices must be integers, not '%T'", key);
        ROOTS(vm, &v, &key);
        if (!obj_as_index(vm, key, &i, EXC_IndexError)) return V_ERROR;
    }
    if (i < 0) i += (int64_t)s->len;
    if ((uint64_t)i >= s->len) return raise(vm, EXC_IndexError, "string index out of range");
    return str_value(str_item(vm, s, (size_t)i));
}

static value slot_concat(vm *vm, value a, value b)
{
    if (!IS_STR(b)) return raise_type_error(vm, "can only concatenate str (not \"%T\") to str", b);
    return str_value(str_concat(vm, AS(str, a), AS(str, b)));
}

static value slot_repeat(vm *vm, value v, value n)
{
    int64_t count;
    ROOTS(vm, &v, &n);
    if (!obj_as_index(vm, n, &count, EXC_OverflowError)) return V_ERROR;
    return str_value(str_repeat(vm, AS(str, v), count));
}

static value slot_mod(vm *vm, value a, value b)
{
    if (!IS_STR(a)) return V_NOTIMPLEMENTED;
    return str_mod(vm, a, b);
}

/* ---- str(...) ---- */

static str *decode_object(vm *vm, value object, value encoding, value errors)
{
    const uint8_t *p;
    size_t n;
    if (IS_STR(object)) return raise_type_error(vm, "decoding str is not supported"), NULL;
    if (!buffer_view(vm, object, &p, &n)) {
        if (!raised(vm)) raise_type_error(vm, "decoding to str: need a bytes-like object, %T found", object);
        return NULL;
    }
    if (n == 0) return vm->empty_str;
    return codec_decode_any(vm, encoding, object, errors);
}

value str_type_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    static const char *const names[] = {"", "str() argument 'encoding'", "str() argument 'errors'"};
    value a[3];
    if (LIKELY(nargs == 1 && value_is_unbound(kwnames))) {
        ROOTS(vm, &t);
        str *text = value_is_int(args[0]) ? int_to_str(vm, args[0], 10) : obj_str(vm, args[0]);
        return str_value(!text || t == T(vm, STR) ? text : str_subclass_new(vm, t, text));
    }
    if (!args_bind(vm, "str(object='', encoding='utf-8', errors='strict')", args, nargs, kwnames, a)) return V_ERROR;
    for (int i = 1; i < 3; i++) {
        if (!value_is_unbound(a[i]) && !IS_STR(a[i])) return args_need_str(vm, names[i], a[i]);
    }
    ROOTS(vm, &t);
    str *s;
    if (value_is_unbound(a[0])) s = vm->empty_str;
    else if (value_is_unbound(a[1]) && value_is_unbound(a[2])) s = obj_str(vm, a[0]);
    else s = decode_object(vm, a[0], a[1], a[2]);
    if (!s || t == T(vm, STR)) return str_value(s);
    return str_value(str_subclass_new(vm, t, s));
}

/* ---- the iterator: a is the str (unbound once exhausted), i the next index ---- */

static value slot_iter(vm *vm, value v)
{
    uint32_t id = str_is_ascii(AS(str, v)) ? TYPE_STR_ASCII_ITER : TYPE_STR_ITER;
    iter *it = gc_new_fast(vm, K_ITER, id, sizeof(iter));
    if (it) it->a = v;
    return value_obj(it);
}

static value iter_next(vm *vm, value self)
{
    iter *it = AS(iter, self);
    if (value_is_unbound(it->a)) return V_STOP;
    const str *s = AS(str, it->a);
    if (LIKELY(it->i < s->len)) return str_value(str_item(vm, s, it->i++));
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
    return value_int(value_is_unbound(it->a) ? 0 : (int64_t)(AS(str, it->a)->len - it->i));
}

static const native_def iter_methods[] = {
    {"__length_hint__(self, /)", iter_length_hint, DOC("Private method returning an estimate of len(list(it))."), 0},
    {"__reduce__(self, /)", iter_reduce_seq, DOC("Return state information for pickling."), 0},
    {"__setstate__(self, state, /)", iter_setstate_seq, DOC("Set state information for unpickling."), 0},
    {0},
};

void type_init_str(vm *vm)
{
    type *t = T(vm, STR);
    t->s.new_ = str_type_new;
    t->s.repr = slot_repr;
    t->s.str_ = slot_str;
    t->s.hash = slot_hash;
    t->s.compare = slot_compare;
    t->s.iter = slot_iter;
    t->s.len = slot_len;
    t->s.getitem = slot_getitem;
    t->s.contains = slot_contains;
    t->s.concat = slot_concat;
    t->s.repeat = slot_repeat;
    t->s.mod = slot_mod;
    t->methods = str_methods;
    t->doc = str_value(str_from_cstr(vm, "str(object='') -> str\nstr(bytes_or_buffer, encoding='utf-8', "
                                         "errors='strict') -> str\n\nText: an immutable sequence of code points."));

    for (uint32_t id = TYPE_STR_ITER; id <= TYPE_STR_ASCII_ITER; id++) {
        type *it = vm->types[id];
        it->s.iter = iter_self;
        it->s.next = iter_next;
        it->methods = iter_methods;
    }
}
