/* The module _json: the parser behind json.aio, and the quoting of strings.
 *
 * The parser recurses in C once per level of nesting, under vm_enter. What is read is kept alive by
 * the caller's arguments; hooks may run script at any point. */
#include "json_text.h"

#include "vm/dict.h"
#include "vm/dtoa.h"
#include "vm/list.h"

#define DOC_FILE stdlib_mod_json
DOC_BEGIN;

/* ---- reading ---- */

struct reader {
    vm *vm;
    str *s;
    size_t at;
    bool strict;
    value object_hook, pairs_hook, parse_float, parse_int, parse_constant, error;
    dict *memo; /* equal keys are one object */
};

static value read_value(struct reader *r);

static value fail(struct reader *r, const char *msg, size_t pos)
{
    vm *vm = r->vm;
    value in[3] = {V_UNBOUND, value_obj(r->s), value_int((int64_t)pos)};
    str *text = str_from_cstr(vm, msg);
    if (!text) return V_ERROR;
    in[0] = value_obj(text);
    if (value_is_unbound(r->error)) return raise(vm, EXC_ValueError, "%s", msg); /* json was not imported */
    value e = vm_call(vm, r->error, in, 3);
    if (!value_is_error(e) && !IS_EXC(e)) return raise_type_error(vm, "exceptions must derive from BaseException");
    return value_is_error(e) ? e : raise_exception(vm, e);
}
/* No value begins at pos: the caller makes the message of it. */
static value no_value(struct reader *r, size_t pos) { return raise_stop_iteration(r->vm, value_int((int64_t)pos)); }
static inline uint32_t peek(const struct reader *r) { return r->at < r->s->len ? str_at(r->s, r->at) : UINT32_MAX; }
static inline uint32_t skip_space(struct reader *r)
{
    uint32_t c;
    while ((c = peek(r)) == ' ' || c == '\n' || c == '\r' || c == '\t') r->at++;
    return c;
}

/* Four hex digits at r->at; -1: not there. */
static int64_t read_hex(const struct reader *r)
{
    uint32_t v = 0;
    if (r->s->len - r->at < 4 || r->at > r->s->len) return -1;
    for (size_t i = 0; i < 4; i++) {
        uint32_t c = str_at(r->s, r->at + i), lower = c | 32;
        if (c >= '0' && c <= '9') v = v << 4 | (c - '0');
        else if (lower >= 'a' && lower <= 'f' && c < 128) v = v << 4 | (lower - 'a' + 10);
        else return -1;
    }
    return v;
}

/* The text behind an opening quote, the closing one included. */
static value read_string(struct reader *r)
{
    size_t begin = r->at - 1, run = r->at;
    str_builder b;
    sb_init(&b, r->vm);
    for (;;) {
        uint32_t c = peek(r);
        if (c == UINT32_MAX) {
            sb_drop(&b);
            return fail(r, "Unterminated string starting at", begin);
        }
        if (c < 0x20 && r->strict) {
            sb_drop(&b);
            return fail(r, "Invalid control character at", r->at);
        }
        if (c != '"' && c != '\\') {
            r->at++;
            continue;
        }
        if (c == '"' && !b.len) {
            str *s = str_substr(r->vm, r->s, run, r->at++);
            sb_drop(&b);
            return str_value(s);
        }
        sb_range(&b, r->s, run, r->at);
        r->at++;
        if (c == '"') return str_value(sb_finish(&b));
        size_t escape = r->at - 1;
        c = peek(r);
        if (c == UINT32_MAX) {
            sb_drop(&b);
            return fail(r, "Unterminated string starting at", begin);
        }
        r->at++;
        switch (c) {
        case '"':
        case '\\':
        case '/': break;
        case 'b': c = '\b'; break;
        case 'f': c = '\f'; break;
        case 'n': c = '\n'; break;
        case 'r': c = '\r'; break;
        case 't': c = '\t'; break;
        case 'u': {
            int64_t v = read_hex(r);
            if (v < 0) {
                sb_drop(&b);
                return fail(r, "Invalid \\uXXXX escape", escape + 1);
            }
            r->at += 4;
            c = (uint32_t)v;
            if (c >= 0xD800 && c < 0xDC00 && r->at + 6 <= r->s->len && peek(r) == '\\' &&
                str_at(r->s, r->at + 1) == 'u') {
                r->at += 2;
                int64_t low = read_hex(r);
                if (low >= 0xDC00 && low < 0xE000) {
                    c = 0x10000 + ((c - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
                    r->at += 4;
                } else {
                    r->at -= 2;
                }
            }
            break;
        }
        default: sb_drop(&b); return fail(r, "Invalid \\escape", escape);
        }
        sb_char(&b, c);
        run = r->at;
    }
}

static value read_number(struct reader *r)
{
    vm *vm = r->vm;
    size_t begin = r->at, at = r->at, n = r->s->len;
    const str *s = r->s;
    bool fraction = false;
#define DIGIT(I) ((I) < n && str_at(s, (I)) >= '0' && str_at(s, (I)) <= '9')
    if (str_at(s, at) == '-') at++;
    if (!DIGIT(at)) return no_value(r, begin);
    if (str_at(s, at) == '0') at++;
    else
        while (DIGIT(at)) at++;
    if (at < n && str_at(s, at) == '.' && DIGIT(at + 1)) {
        fraction = true;
        for (at += 2; DIGIT(at);) at++;
    }
    if (at < n && (str_at(s, at) | 32) == 'e') {
        size_t e = at + 1;
        if (e < n && (str_at(s, e) == '+' || str_at(s, e) == '-')) e++;
        if (DIGIT(e)) {
            fraction = true;
            for (at = e; DIGIT(at);) at++;
        }
    }
#undef DIGIT
    r->at = at;
    value text = str_value(str_substr(vm, r->s, begin, at)), parse = fraction ? r->parse_float : r->parse_int;
    if (value_is_error(text)) return text;
    if (!value_is_none(parse)) return vm_call1(vm, parse, text);
    if (fraction) return float_from_str(vm, text);
    return vm_call1(vm, value_obj(T(vm, INT)), text);
}

static value read_array(struct reader *r)
{
    vm *vm = r->vm;
    list *l = list_new(vm, 0);
    if (!l) return V_ERROR;
    ROOTS(vm, &l);
    if (skip_space(r) == ']') {
        r->at++;
        return value_obj(l);
    }
    for (;;) {
        value v = read_value(r);
        if (value_is_error(v) || !list_append(vm, l, v)) return V_ERROR;
        uint32_t c = skip_space(r);
        if (c == ']') break;
        if (c != ',') return fail(r, "Expecting ',' delimiter", r->at);
        r->at++;
        skip_space(r);
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
    r->at++;
    return value_obj(l);
}

static value read_key(struct reader *r)
{
    value key = read_string(r), had;
    if (value_is_error(key)) return key;
    had = dict_get_str(r->vm, r->memo, AS(str, key));
    if (!value_is_unbound(had)) return had;
    return dict_set_str(r->vm, r->memo, AS(str, key), key) ? key : V_ERROR;
}

static value read_object(struct reader *r)
{
    vm *vm = r->vm;
    bool pairs = !value_is_none(r->pairs_hook);
    dict *d = pairs ? NULL : dict_new(vm);
    list *l = pairs ? list_new(vm, 0) : NULL;
    value key = V_UNBOUND;
    ROOTS(vm, &d, &l, &key);
    if (!d && !l) return V_ERROR;
    if (skip_space(r) == '}') {
        r->at++;
    } else {
        for (;;) {
            if (peek(r) != '"') return fail(r, "Expecting property name enclosed in double quotes", r->at);
            r->at++;
            if (value_is_error(key = read_key(r))) return V_ERROR;
            if (skip_space(r) != ':') return fail(r, "Expecting ':' delimiter", r->at);
            r->at++;
            skip_space(r);
            value v = read_value(r);
            if (value_is_error(v)) return v;
            if (pairs) {
                tuple *t = tuple_pack(vm, 2, key, v);
                if (!t || !list_append(vm, l, value_obj(t))) return V_ERROR;
            } else if (!dict_set(vm, d, key, v)) {
                return V_ERROR;
            }
            uint32_t c = skip_space(r);
            if (c == '}') break;
            if (c != ',') return fail(r, "Expecting ',' delimiter", r->at);
            r->at++;
            skip_space(r);
            if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
        }
        r->at++;
    }
    if (pairs) return vm_call1(vm, r->pairs_hook, value_obj(l));
    return value_is_none(r->object_hook) ? value_obj(d) : vm_call1(vm, r->object_hook, value_obj(d));
}

static bool word(struct reader *r, const char *w)
{
    size_t i = 0;
    for (; w[i]; i++)
        if (r->at + i >= r->s->len || str_at(r->s, r->at + i) != (uint8_t)w[i]) return false;
    r->at += i;
    return true;
}

static value read_constant(struct reader *r, const char *w)
{
    str *s = str_from_cstr(r->vm, w);
    return s ? vm_call1(r->vm, r->parse_constant, value_obj(s)) : V_ERROR;
}

static value read_value(struct reader *r)
{
    value v;
    switch (peek(r)) {
    case '"': r->at++; return read_string(r);
    case '{':
    case '[':
        if (!vm_enter(r->vm)) return V_ERROR;
        v = str_at(r->s, r->at++) == '{' ? read_object(r) : read_array(r);
        vm_leave(r->vm);
        return v;
    case 'n':
        if (word(r, "null")) return V_NONE;
        break;
    case 't':
        if (word(r, "true")) return V_TRUE;
        break;
    case 'f':
        if (word(r, "false")) return V_FALSE;
        break;
    case 'N':
        if (word(r, "NaN")) return read_constant(r, "NaN");
        break;
    case 'I':
        if (word(r, "Infinity")) return read_constant(r, "Infinity");
        break;
    case '-':
        if (word(r, "-Infinity")) return read_constant(r, "-Infinity");
        return read_number(r);
    case '0' ... '9': return read_number(r);
    }
    return no_value(r, r->at);
}

FN(json_scan)
{
    int64_t at;
    if (!IS_STR(args[0])) return raise_type_error(vm, "first argument must be a string, not %T", args[0]);
    struct reader r = {.vm = vm,
                       .s = AS(str, args[0]),
                       .object_hook = args[3],
                       .pairs_hook = args[4],
                       .parse_float = args[5],
                       .parse_int = args[6],
                       .parse_constant = args[7],
                       .error = args[8]};
    if (!args_ssize(vm, args[1], 0, &at) || !args_bool(vm, args[2], true, &r.strict)) return V_ERROR;
    if (at < 0) return raise_value_error(vm, "idx cannot be negative");
    r.at = (size_t)at;
    if (!(r.memo = dict_new(vm))) return V_ERROR;
    ROOTS(vm, &r.memo);
    value v = read_value(&r);
    if (value_is_error(v)) return v;
    tuple *t = tuple_pack(vm, 2, v, value_int((int64_t)r.at));
    return t ? value_obj(t) : V_ERROR;
}

FN(json_scanstring)
{
    int64_t at;
    if (!obj_as_index(vm, args[1], &at, EXC_OverflowError)) return V_ERROR;
    if (!IS_STR(args[0])) return raise_type_error(vm, "first argument must be a string, not %T", args[0]);
    struct reader r = {.vm = vm, .s = AS(str, args[0]), .error = module_state_get(vm, STATE_JSON_ERROR)};
    if (!args_bool(vm, args[2], true, &r.strict)) return V_ERROR;
    if (at < 0 || (size_t)at > r.s->len) return raise_value_error(vm, "end is out of bounds");
    if (at == 0) at = 1; /* the opening quote lies before it */
    r.at = (size_t)at;
    value v = read_string(&r);
    if (value_is_error(v)) return v;
    tuple *t = tuple_pack(vm, 2, v, value_int((int64_t)r.at));
    return t ? value_obj(t) : V_ERROR;
}

FN(json_set_error) { return module_state_set(vm, STATE_JSON_ERROR, args[0]) ? V_NONE : V_ERROR; }

/* ---- quoting ---- */

static void put_escaped(str_builder *b, uint32_t c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", escaped[] = "\"\\bfnrt";
    const char *p = c && c < 128 ? strchr(plain, (int)c) : NULL;
    if (p) {
        sb_char(b, '\\');
        sb_char(b, (uint8_t)escaped[p - plain]);
        return;
    }
    if (c > 0xFFFF) {
        c -= 0x10000;
        sb_cstr(b, "\\u");
        sb_hex(b, 0xD800 | c >> 10, 4);
        c = 0xDC00 | (c & 0x3FF);
    }
    sb_cstr(b, "\\u");
    sb_hex(b, c, 4);
}

void json_put_string(str_builder *b, const str *s, bool ascii)
{
    unsigned width = str_width(s);
    size_t run = 0;
    sb_char(b, '"');
    for (size_t i = 0; i < s->len; i++) {
        uint32_t c = text_at(s->data, width, i);
        if (LIKELY(c >= 0x20 && c != '"' && c != '\\' && (c < 0x7F || !ascii))) continue;
        sb_range(b, s, run, i);
        put_escaped(b, c);
        run = i + 1;
    }
    sb_range(b, s, run, s->len);
    sb_char(b, '"');
}

static value quote(vm *vm, value v, bool ascii)
{
    if (!IS_STR(v)) return raise_type_error(vm, "first argument must be a string, not %T", v);
    str_builder b;
    sb_init(&b, vm);
    json_put_string(&b, AS(str, v), ascii);
    return str_value(sb_finish(&b));
}

FN(json_quote_ascii) { return quote(vm, args[0], true); }
FN(json_quote) { return quote(vm, args[0], false); }

bool json_is_quote(value v, bool *ascii)
{
    if (!value_is_kind(v, K_NATIVE)) return false;
    *ascii = AS(native, v)->fn == json_quote_ascii;
    return *ascii || AS(native, v)->fn == json_quote;
}

static const native_def json_functions[] = {
    {"scan(string, idx, strict, object_hook, object_pairs_hook, parse_float, parse_int, "
     "parse_constant, error, /)",
     json_scan, DOC("The value that begins at idx, and where it ends."), 0},
    {"scanstring(string, end, strict=True, /)", json_scanstring,
     DOC("The JSON string whose opening quote lies before end, and where it ends."), 0},
    {"encode_basestring_ascii(string, /)", json_quote_ascii,
     DOC("Return an ASCII-only JSON representation of a Python string"), 0},
    {"encode_basestring(string, /)", json_quote, DOC("Return a JSON representation of a Python string"), 0},
    {json_encode_sig, json_encode, DOC("The whole value as JSON."), 0},
    {"_set_error(cls, /)", json_set_error, DOC("The exception that scanstring raises."), 0},
    {0},
};

bool json_init(vm *vm, module *m) { return module_add_natives(vm, m, json_functions); }
