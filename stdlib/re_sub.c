/* Pattern.sub() and the templates of replacements. */
#include "re_module.h"
#include "vm/bytes.h"
#include "vm/list.h"
#include "vm/str.h"

/* The text that is being put together: a str or bytes. */
struct output {
    bool is_str;
    str_builder s;
    byte_builder b;
};

static void output_init(struct output *o, vm *vm, value string)
{
    o->is_str = IS_STR(string);
    if (o->is_str) sb_init(&o->s, vm);
    else bb_init(&o->b, vm);
}

static void output_drop(struct output *o)
{
    if (o->is_str) sb_drop(&o->s);
    else bb_drop(&o->b);
}

static value output_finish(struct output *o)
{
    return o->is_str ? str_value(sb_finish(&o->s)) : value_obj(bb_finish(&o->b));
}

/* string[from:to] goes out. false: raised. */
static bool put_range(vm *vm, struct output *o, value string, size_t from, size_t to)
{
    if (o->is_str) {
        if (from < to) sb_range(&o->s, AS(str, string), from, to);
        return true;
    }
    const uint8_t *p;
    size_t n;
    if (!buffer_need(vm, string, &p, &n)) return false;
    if (to > n) to = n;
    if (from < to) bb_add(&o->b, p + from, to - from);
    return true;
}

/* A replacement goes out; false: raised, it is of another kind than the string. */
static bool put_text(vm *vm, struct output *o, value text, size_t index)
{
    const uint8_t *p;
    size_t n;
    if (o->is_str && IS_STR(text)) {
        sb_str(&o->s, AS(str, text));
        return true;
    }
    if (!o->is_str && !IS_STR(text) && buffer_view(vm, text, &p, &n)) {
        bb_add(&o->b, p, n);
        return true;
    }
    if (raised(vm)) return false;
    raise_type_error(vm,
                     o->is_str ? "sequence item %zu: expected str instance, %T found"
                               : "sequence item %zu: expected a bytes-like object, %T found",
                     index, text);
    return false;
}

static bool fill(vm *vm, struct output *o, value pattern, value string, value parts, const size_t *span, size_t index)
{
    list *l = AS(list, parts);
    for (size_t i = 0; i < l->len; i++) {
        value v = l->items[i];
        if (!value_is_int(v)) {
            if (!put_text(vm, o, v, index)) return false;
            continue;
        }
        size_t g = (size_t)value_as_int(v);
        if (g > re_pattern_of(pattern)->groups || span[2 * g] == SIZE_MAX) continue;
        if (!put_range(vm, o, string, span[2 * g], span[2 * g + 1])) return false;
    }
    return true;
}

value re_fill_template(vm *vm, value pattern, value string, value parts, const size_t *span)
{
    struct output o;
    output_init(&o, vm, string);
    if (fill(vm, &o, pattern, string, parts, span, 0)) return output_finish(&o);
    output_drop(&o);
    return V_ERROR;
}

value re_parse_template(vm *vm, value pattern, value repl)
{
    value parts = vm_call2(vm, module_state_get(vm, STATE_RE_TEMPLATE), pattern, repl);
    if (value_is_error(parts) || IS_LIST(parts)) return parts;
    return raise_type_error(vm, "re's template parser must return a list");
}

/* Has the replacement no backslash? Then it stands for itself. */
static bool is_literal(vm *vm, value repl)
{
    const uint8_t *p;
    size_t n;
    if (IS_STR(repl)) return !str_find_char(AS(str, repl), '\\');
    return buffer_view(vm, repl, &p, &n) && (!n || !memchr(p, 0x5C, n));
}

value re_pattern_sub(vm *vm, value *args, bool count_too)
{
    value self = args[0], repl = args[1], string = args[2], parts = V_UNBOUND, m = V_UNBOUND;
    int64_t count;
    if (!args_ssize(vm, args[3], 0, &count)) return V_ERROR;
    int64_t end = re_subject_length(vm, re_pattern_of(self), string);
    if (end < 0) return V_ERROR;
    ROOTS(vm, &repl, &parts, &m);
    bool call = obj_is_callable(vm, repl);
    if (!call && !is_literal(vm, repl)) {
        parts = re_parse_template(vm, self, repl);
        if (value_is_error(parts)) return V_ERROR;
    }
    if (raised(vm)) return V_ERROR;
    struct output o;
    output_init(&o, vm, string);
    size_t at = 0, last = 0, pieces = 0;
    int64_t n = 0;
    for (bool not_empty = false; !count || n < count; n++) {
        const size_t *span;
        int r = re_exec(vm, self, string, RE_SEARCH, at, (size_t)end, not_empty, &span);
        if (r < 0) goto failed;
        if (!r) break;
        size_t from = span[0], to = span[1];
        if (last < from) {
            if (!put_range(vm, &o, string, last, from)) goto failed;
            pieces++;
        }
        if (call) {
            m = re_match_new(vm, self, string, 0, end, span);
            if (value_is_error(m)) goto failed;
            value text = vm_call1(vm, repl, m);
            if (value_is_error(text)) goto failed;
            if (!value_is_none(text) && !put_text(vm, &o, text, pieces++)) goto failed;
        } else if (!value_is_unbound(parts)) {
            if (!fill(vm, &o, self, string, parts, span, pieces++)) goto failed;
        } else if (!put_text(vm, &o, repl, pieces++)) {
            goto failed;
        }
        at = last = to;
        not_empty = from == to;
    }
    value result;
    if (!n) {
        output_drop(&o);
        result = re_slice(vm, string, 0, (size_t)end);
    } else {
        if (!put_range(vm, &o, string, last, (size_t)end)) goto failed;
        result = output_finish(&o);
    }
    if (value_is_error(result) || !count_too) return result;
    return value_obj(tuple_pack(vm, 2, result, value_int(n)));
failed:
    output_drop(&o);
    return V_ERROR;
}
