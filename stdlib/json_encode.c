/* The module _json: writing a whole value as JSON.
 *
 * Recurses in C once per level of nesting, under vm_enter. The containers around the one being
 * written are a chain on the C stack: that finds circular references. `default` and a script's own
 * string encoder may change anything, so containers are read anew after each item.
 */
#include "json_text.h"

#include "vm/dict.h"
#include "vm/list.h"

/* One container that is being written; what it is stays alive through `root`. */
struct around {
    value container;
    const struct around *outer;
};

struct writer {
    vm *vm;
    str_builder out;
    value default_, encoder;
    str *key_separator, *item_separator, *indent; /* indent NULL: all on one line */
    bool quote, ascii;                            /* encoder is one of ours */
    bool check, sort_keys, skipkeys, allow_nan;
};

const char json_encode_sig[] =
    "encode(obj, markers, default, encoder, indent, key_separator, item_separator, sort_keys, "
    "skipkeys, allow_nan, level=0, /)";

static bool write_value(struct writer *w, value v, int64_t level, const struct around *outer);

static bool write_string(struct writer *w, value v)
{
    vm *vm = w->vm;
    if (w->quote) {
        json_put_string(&w->out, AS(str, v), w->ascii);
        return str_tick(vm, AS(str, v)->len);
    }
    value r = vm_call(vm, w->encoder, &v, 1);
    if (value_is_error(r)) return false;
    if (!IS_STR(r)) {
        raise_type_error(vm, "encoder() must return a string, not %T", r);
        return false;
    }
    sb_str(&w->out, AS(str, r));
    return true;
}

static bool write_float(struct writer *w, value v)
{
    double d;
    if (!float_as_double(w->vm, v, &d)) return false;
    if (d - d != 0) { /* not finite */
        if (!w->allow_nan) return raise_value_error(w->vm, "Out of range float values are not JSON compliant"), false;
        sb_cstr(&w->out, d != d ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
        return true;
    }
    str *s = float_repr(w->vm, d);
    if (s) sb_str(&w->out, s);
    return s != NULL;
}

/* None, bools and numbers; *done false: something else. */
static bool write_plain(struct writer *w, value v, bool *done)
{
    *done = true;
    if (value_is_none(v)) sb_cstr(&w->out, "null");
    else if (value_is(v, V_TRUE)) sb_cstr(&w->out, "true");
    else if (value_is(v, V_FALSE)) sb_cstr(&w->out, "false");
    else if (value_is_int(v)) sb_int(&w->out, value_as_int(v));
    else if (int_is(v)) {
        value n = int_plain(w->vm, v);
        str *s = value_is_error(n) ? NULL : int_to_str(w->vm, n, 10);
        if (s) sb_str(&w->out, s);
        return s != NULL;
    } else if (value_is_float(v) || value_isa(w->vm, v, w->vm->types[TYPE_FLOAT])) {
        return write_float(w, v);
    } else {
        *done = false;
    }
    return true;
}

static void new_line(struct writer *w, int64_t level)
{
    if (!w->indent) return;
    sb_char(&w->out, '\n');
    for (int64_t i = 0; i < level && !w->out.failed; i++) sb_str(&w->out, w->indent);
}

static bool write_items(struct writer *w, value v, int64_t level, const struct around *here)
{
    bool is_list = IS_LIST(v);
    size_t n = is_list ? AS(list, v)->len : AS(tuple, v)->len;
    if (!n) {
        sb_cstr(&w->out, "[]");
        return true;
    }
    sb_char(&w->out, '[');
    new_line(w, level + 1);
    for (size_t i = 0; i < (is_list ? AS(list, v)->len : n); i++) {
        if (i) {
            sb_str(&w->out, w->item_separator);
            new_line(w, level + 1);
        }
        if (!write_value(w, is_list ? AS(list, v)->items[i] : AS(tuple, v)->items[i], level + 1, here)) return false;
    }
    new_line(w, level);
    sb_char(&w->out, ']');
    return true;
}

static bool write_key(struct writer *w, value key, bool *skip)
{
    vm *vm = w->vm;
    *skip = false;
    if (IS_STR(key)) return true;
    if (value_is_none(key) || value_is_bool(key) || int_is(key) || value_isa(vm, key, vm->types[TYPE_FLOAT]))
        return true;
    if (w->skipkeys) {
        *skip = true;
        return true;
    }
    raise_type_error(vm, "keys must be str, int, float, bool or None, not %N", type_of(vm, key));
    return false;
}

/* A key that is no str is written as what it would be as a value, in quotes. */
static bool write_key_text(struct writer *w, value key)
{
    bool done;
    if (IS_STR(key)) return write_string(w, key);
    struct writer text = *w;
    sb_init(&text.out, w->vm);
    if (!write_plain(&text, key, &done)) {
        sb_drop(&text.out);
        return false;
    }
    str *s = sb_finish(&text.out);
    return s && write_string(w, value_obj(s));
}

/* The pairs as a list of tuples: they may change while they are written, and be sorted. */
static list *pairs_of(struct writer *w, value v)
{
    vm *vm = w->vm;
    list *l = NULL;
    ROOTS(vm, &l);
    if (!value_is_exact(v, TYPE_DICT)) {
        str *items = str_intern_utf8(vm, "items", 5);
        value r = items ? vm_call_method(vm, v, items, NULL, 0) : V_ERROR;
        l = value_is_error(r) ? NULL : obj_to_list(vm, r);
    } else if ((l = list_new(vm, 8))) {
        size_t pos = 0;
        for (value k, x; l && dict_next(AS(dict, v), &pos, &k, &x);) {
            tuple *t = tuple_pack(vm, 2, k, x);
            if (!t || !list_append(vm, l, value_obj(t))) l = NULL;
        }
    }
    if (l && w->sort_keys && !list_sort(vm, l, V_NONE, false)) return NULL;
    return l;
}

static bool write_pairs(struct writer *w, value v, int64_t level, const struct around *here)
{
    vm *vm = w->vm;
    int64_t n = obj_len(vm, v);
    if (n <= 0) {
        sb_cstr(&w->out, "{}");
        return n == 0;
    }
    list *l = pairs_of(w, v);
    if (!l) return false;
    ROOTS(vm, &l);
    bool first = true, skip;
    sb_char(&w->out, '{');
    for (size_t i = 0; i < l->len; i++) {
        if (!IS_TUPLE(l->items[i]) || AS(tuple, l->items[i])->len != 2)
            return raise_value_error(vm, "items must return 2-tuples"), false;
        value *pair = AS(tuple, l->items[i])->items;
        if (!write_key(w, pair[0], &skip)) return false;
        if (skip) continue;
        if (!first) sb_str(&w->out, w->item_separator);
        first = false;
        new_line(w, level + 1);
        if (!write_key_text(w, pair[0])) return false;
        sb_str(&w->out, w->key_separator);
        if (!write_value(w, pair[1], level + 1, here)) return false;
    }
    new_line(w, level);
    sb_char(&w->out, '}');
    return true;
}

static bool write_container(struct writer *w, value v, int64_t level, const struct around *outer)
{
    vm *vm = w->vm;
    for (const struct around *a = outer; a && w->check; a = a->outer) {
        if (value_is(a->container, v)) return raise_value_error(vm, "Circular reference detected"), false;
    }
    struct around here = {v, outer};
    ROOTS(vm, &here.container);
    if (IS_LIST(v) || IS_TUPLE(v)) return write_items(w, v, level, &here);
    if (IS_DICT(v)) return write_pairs(w, v, level, &here);
    value r = vm_call(vm, w->default_, &v, 1);
    ROOTS(vm, &r);
    return !value_is_error(r) && write_value(w, r, level, &here);
}

static bool write_value(struct writer *w, value v, int64_t level, const struct around *outer)
{
    bool done;
    if (w->out.failed) return raised(w->vm) ? false : (raise_memory(w->vm), false);
    if (IS_STR(v)) return write_string(w, v);
    if (!write_plain(w, v, &done)) return false;
    if (done) return true;
    if (!vm_enter(w->vm)) return false;
    bool ok = write_container(w, v, level, outer);
    vm_leave(w->vm);
    return ok;
}

value json_encode(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    int64_t level;
    struct writer w = {.vm = vm, .default_ = args[2], .encoder = args[3], .check = !value_is_none(args[1])};
    if (!IS_STR(args[5]) || !IS_STR(args[6]) || !(value_is_none(args[4]) || IS_STR(args[4])))
        return raise_type_error(vm, "separators and indent must be str");
    w.key_separator = AS(str, args[5]);
    w.item_separator = AS(str, args[6]);
    w.indent = value_is_none(args[4]) ? NULL : AS(str, args[4]);
    w.quote = json_is_quote(args[3], &w.ascii);
    if (!args_bool(vm, args[7], false, &w.sort_keys) || !args_bool(vm, args[8], false, &w.skipkeys) ||
        !args_bool(vm, args[9], true, &w.allow_nan) || !args_ssize(vm, args[10], 0, &level))
        return V_ERROR;
    sb_init(&w.out, vm);
    if (!write_value(&w, args[0], level, NULL)) {
        sb_drop(&w.out);
        return V_ERROR;
    }
    return str_value(sb_finish(&w.out));
}
