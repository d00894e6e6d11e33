/* The methods of str that look for, cut, fill and replace text, and the table of all its methods. */
#include "bytes.h"
#include "codec.h"
#include "str.h"
#include "str_search.h"
#include "str_unicode.h"

#define DOC_FILE vm_str_methods
DOC_BEGIN;

#define SELF AS(str, args[0])

static value need_str(vm *vm, value v) { return IS_STR(v) ? v : raise_type_error(vm, "must be str, not %T", v); }

/* ---- find, index, count ---- */

typedef size_t (*search_fn)(vm *, const str *, const str *, size_t, size_t);

/* FINDER_NONE: absent or raised. */
static size_t search(vm *vm, value *args, search_fn fn)
{
    size_t from, to;
    bool empty;
    if (!args_range(vm, args[2], args[3], SELF->len, &from, &to, &empty)) return FINDER_NONE;
    if (value_is_error(need_str(vm, args[1])) || !str_tick(vm, to - from)) return FINDER_NONE;
    if (empty) return fn == str_count ? 0 : FINDER_NONE;
    return fn(vm, SELF, AS(str, args[1]), from, to);
}

static value found(vm *vm, size_t at, bool must)
{
    if (at != FINDER_NONE) return value_int((int64_t)at);
    if (raised(vm)) return V_ERROR;
    return must ? raise_value_error(vm, "substring not found") : value_int(-1);
}

static METHOD(method_find) { return found(vm, search(vm, args, str_find), false); }
static METHOD(method_rfind) { return found(vm, search(vm, args, str_rfind), false); }
static METHOD(method_index) { return found(vm, search(vm, args, str_find), true); }
static METHOD(method_rindex) { return found(vm, search(vm, args, str_rfind), true); }
static METHOD(method_count)
{
    size_t n = search(vm, args, str_count);
    return raised(vm) ? V_ERROR : value_int((int64_t)n);
}

/* ---- startswith, endswith, removeprefix, removesuffix ---- */

static bool matches_at(const str *s, const str *sub, size_t at)
{
    unsigned w = str_width(s), sw = str_width(sub);
    if (sw == w) return memcmp(text_ptr(s->data, w, at), sub->data, sub->len * w) == 0;
    if (sw > w) return sub->len == 0;
    for (size_t i = 0; i < sub->len; i++) {
        if (text_at(s->data, w, at + i) != text_at(sub->data, sw, i)) return false;
    }
    return true;
}

static bool tail_match(const str *s, const str *sub, size_t from, size_t to, bool end)
{
    if (to - from < sub->len) return false;
    return matches_at(s, sub, end ? to - sub->len : from);
}

static value tail_method(vm *vm, value *args, const char *name, bool end)
{
    size_t from, to;
    bool empty;
    if (LIKELY(IS_STR(args[1]) && value_is_unbound(args[2]) && value_is_unbound(args[3]))) {
        const str *s = SELF, *p = AS(str, args[1]);
        if (p->len > s->len) return V_FALSE;
        size_t at = end ? s->len - p->len : 0;
        if (p->len && str_at(s, at) != str_at(p, 0)) return V_FALSE;
        return value_bool(matches_at(s, p, at));
    }
    if (!args_range(vm, args[2], args[3], SELF->len, &from, &to, &empty)) return V_ERROR;
    if (IS_STR(args[1])) return value_bool(!empty && tail_match(SELF, AS(str, args[1]), from, to, end));
    if (!IS_TUPLE(args[1]))
        return raise_type_error(vm, "%s first arg must be str or a tuple of str, not %T", name, args[1]);
    const tuple *t = AS(tuple, args[1]);
    for (size_t i = 0; i < t->len; i++) {
        if (!IS_STR(t->items[i]))
            return raise_type_error(vm, "tuple for %s must only contain str, not %T", name, t->items[i]);
        if (!empty && tail_match(SELF, AS(str, t->items[i]), from, to, end)) return V_TRUE;
    }
    return V_FALSE;
}

static METHOD(method_startswith) { return tail_method(vm, args, "startswith", false); }
static METHOD(method_endswith) { return tail_method(vm, args, "endswith", true); }

static METHOD(method_removeprefix)
{
    if (!IS_STR(args[1])) return args_need_str(vm, "removeprefix() argument", args[1]);
    const str *p = AS(str, args[1]);
    bool match = p->len && tail_match(SELF, p, 0, SELF->len, false);
    return str_value(match ? str_substr(vm, SELF, p->len, SELF->len) : str_plain(SELF));
}

static METHOD(method_removesuffix)
{
    if (!IS_STR(args[1])) return args_need_str(vm, "removesuffix() argument", args[1]);
    const str *p = AS(str, args[1]);
    bool match = p->len && tail_match(SELF, p, 0, SELF->len, true);
    return str_value(match ? str_substr(vm, SELF, 0, SELF->len - p->len) : str_plain(SELF));
}

/* ---- strip ---- */

enum { STRIP_LEFT = 1, STRIP_RIGHT = 2 };

static value strip(vm *vm, value *args, const char *name, unsigned sides)
{
    const str *s = SELF;
    size_t from = 0, to = s->len;
    unsigned w = str_width(s);
    if (value_is_unbound(args[1]) || value_is_none(args[1])) {
        if (sides & STRIP_LEFT)
            while (from < to && uni_is_space(text_at(s->data, w, from))) from++;
        if (sides & STRIP_RIGHT)
            while (to > from && uni_is_space(text_at(s->data, w, to - 1))) to--;
    } else if (IS_STR(args[1])) {
        const str *set = AS(str, args[1]);
        if (sides & STRIP_LEFT)
            while (from < to && str_find_char(set, text_at(s->data, w, from))) from++;
        if (sides & STRIP_RIGHT)
            while (to > from && str_find_char(set, text_at(s->data, w, to - 1))) to--;
    } else {
        return raise_type_error(vm, "%s arg must be None or str", name);
    }
    return str_value(str_substr(vm, SELF, from, to));
}

static METHOD(method_strip) { return strip(vm, args, "strip", STRIP_LEFT | STRIP_RIGHT); }
static METHOD(method_lstrip) { return strip(vm, args, "lstrip", STRIP_LEFT); }
static METHOD(method_rstrip) { return strip(vm, args, "rstrip", STRIP_RIGHT); }

/* ---- padding ---- */

static bool fill_char(vm *vm, value v, uint32_t *out)
{
    *out = ' ';
    if (value_is_unbound(v)) return true;
    if (!IS_STR(v)) {
        raise_type_error(vm, "The fill character must be a unicode character, not %T", v);
        return false;
    }
    if (AS(str, v)->len != 1) {
        raise_type_error(vm, "The fill character must be exactly one character long");
        return false;
    }
    *out = str_at(AS(str, v), 0);
    return true;
}

static str *pad(vm *vm, str *s, size_t left, size_t right, uint32_t fill)
{
    if (!left && !right) return str_plain(s);
    size_t len;
    if (!size_add(s->len, left, &len) || !size_add(len, right, &len) || len > PTRDIFF_MAX) {
        return raise_overflow(vm, "padded string is too long"), NULL;
    }
    if (len > STR_LEN_MAX) return raise_memory(vm), NULL;
    uint32_t max = str_maxchar(s);
    if (fill > max) max = fill;
    if (len == 1) return str_char(vm, fill);
    str *r = str_alloc(vm, len, max);
    if (!r) return NULL;
    unsigned w = str_width(r);
    void *d = str_wdata(r);
    if (w == 1) {
        memset(d, (int)fill, left);
        memset((uint8_t *)d + left + s->len, (int)fill, right);
    } else {
        for (size_t i = 0; i < left; i++) text_put(d, w, i, fill);
        for (size_t i = 0; i < right; i++) text_put(d, w, left + s->len + i, fill);
    }
    str_copy_to(d, w, left, s);
    return r;
}

static value justify(vm *vm, value *args, int where)
{
    int64_t width;
    uint32_t fill;
    if (!args_ssize(vm, args[1], 0, &width) || !fill_char(vm, args[2], &fill)) return V_ERROR;
    if (width <= (int64_t)SELF->len) return value_obj(str_plain(SELF));
    size_t n = (size_t)width - SELF->len;
    /* The odd one goes left when the width is odd too. */
    size_t left = where < 0 ? 0 : where > 0 ? n : n / 2 + (n & (size_t)width & 1);
    return str_value(pad(vm, SELF, left, n - left, fill));
}

static METHOD(method_ljust) { return justify(vm, args, -1); }
static METHOD(method_rjust) { return justify(vm, args, 1); }
static METHOD(method_center) { return justify(vm, args, 0); }

static METHOD(method_zfill)
{
    int64_t width;
    if (!args_ssize(vm, args[1], 0, &width)) return V_ERROR;
    if (width <= (int64_t)SELF->len) return value_obj(str_plain(SELF));
    size_t n = (size_t)width - SELF->len;
    str *r = pad(vm, SELF, n, 0, '0');
    if (!r || r->len < 2 || SELF->len == 0) return str_value(r);
    uint32_t sign = str_at(r, n);
    if (sign == '+' || sign == '-') { /* not yet seen by anyone else */
        text_put(str_wdata(r), str_width(r), 0, sign);
        text_put(str_wdata(r), str_width(r), n, '0');
    }
    return value_obj(r);
}

static METHOD(method_expandtabs)
{
    int tab;
    if (!args_int(vm, args[1], 8, &tab)) return V_ERROR;
    const str *s = SELF;
    if (!str_find_char(s, '\t')) return value_obj(str_plain(SELF));
    str_builder b;
    sb_init(&b, vm);
    size_t column = 0, done = 0;
    unsigned w = str_width(s);
    for (size_t i = 0; i < s->len && !b.failed; i++) {
        uint32_t c = text_at(s->data, w, i);
        if (c == '\t') {
            sb_range(&b, s, done, i);
            done = i + 1;
            if (tab > 0) {
                size_t n = (size_t)tab - column % (size_t)tab;
                sb_fill(&b, ' ', n);
                column += n;
            }
        } else {
            column = c == '\n' || c == '\r' ? 0 : column + 1;
        }
    }
    sb_range(&b, s, done, s->len);
    return str_value(sb_finish(&b));
}

/* ---- replace, encode and the rest ---- */

static METHOD(method_replace)
{
    int64_t max;
    for (int i = 1; i < 3; i++) {
        if (!IS_STR(args[i]))
            return args_need_str(vm, i == 1 ? "replace() argument 1" : "replace() argument 2", args[i]);
    }
    if (!args_ssize(vm, args[3], -1, &max) || !str_tick(vm, SELF->len)) return V_ERROR;
    return str_value(str_replace(vm, SELF, AS(str, args[1]), AS(str, args[2]), max));
}

static METHOD(method_encode)
{
    static const char *const names[] = {"", "encode() argument 'encoding'", "encode() argument 'errors'"};
    for (int i = 1; i < 3; i++) {
        if (!value_is_unbound(args[i]) && !IS_STR(args[i])) {
            return args_need_str(vm, names[i], args[i]);
        }
    }
    return str_tick(vm, SELF->len) ? value_obj(codec_encode_any(vm, args[1], SELF, args[2])) : V_ERROR;
}

static METHOD(method_getnewargs)
{
    value plain = value_obj(str_plain(SELF));
    return value_obj(tuple_from(vm, &plain, 1));
}

static METHOD(method_sizeof)
{
    (void)vm;
    return value_int((int64_t)(sizeof(str) + str_size(SELF)));
}

const native_def str_methods[] = {
    {"encode(self, /, encoding='utf-8', errors='strict')", method_encode,
     DOC("Encode the string using the codec registered for encoding."), 0},
    {"replace(self, old, new, count=-1, /)", method_replace,
     DOC("Return a copy with all occurrences of substring old replaced by new."), 0},
    {"split(self, /, sep=None, maxsplit=-1)", str_split,
     DOC("Return a list of the substrings in the string, using sep as the separator string."), 0},
    {"rsplit(self, /, sep=None, maxsplit=-1)", str_rsplit,
     DOC("Return a list of the substrings in the string, splitting from the end."), 0},
    {"join(self, iterable, /)", str_join, DOC("Concatenate any number of strings, with this string between them."),
     NATIVE_CONSUME(CONSUME_CALL2)},
    {"capitalize(self, /)", str_capitalize, DOC("Return a capitalized version of the string."), 0},
    {"casefold(self, /)", str_casefold, DOC("Return a version of the string suitable for caseless comparisons."), 0},
    {"title(self, /)", str_title, DOC("Return a version of the string where each word is titlecased."), 0},
    {"center(self, width, fillchar=' ', /)", method_center, DOC("Return a centered string of length width."), 0},
    {"count(self, sub, start=..., end=..., /)", method_count,
     DOC("Return the number of non-overlapping occurrences of substring sub in S[start:end]."), 0},
    {"expandtabs(self, /, tabsize=8)", method_expandtabs,
     DOC("Return a copy where all tab characters are expanded using spaces."), 0},
    {"find(self, sub, start=..., end=..., /)", method_find,
     DOC("Return the lowest index where substring sub is found in S[start:end], or -1."), 0},
    {"partition(self, sep, /)", str_partition, DOC("Partition the string into three parts using the given separator."),
     0},
    {"index(self, sub, start=..., end=..., /)", method_index,
     DOC("Like find, but raises ValueError when the substring is not found."), 0},
    {"ljust(self, width, fillchar=' ', /)", method_ljust, DOC("Return a left-justified string of length width."), 0},
    {"lower(self, /)", str_lower, DOC("Return a copy of the string converted to lowercase."), 0},
    {"lstrip(self, chars=None, /)", method_lstrip,
     DOC("Return a copy of the string with leading whitespace (or chars) removed."), 0},
    {"rfind(self, sub, start=..., end=..., /)", method_rfind,
     DOC("Return the highest index where substring sub is found in S[start:end], or -1."), 0},
    {"rindex(self, sub, start=..., end=..., /)", method_rindex,
     DOC("Like rfind, but raises ValueError when the substring is not found."), 0},
    {"rjust(self, width, fillchar=' ', /)", method_rjust, DOC("Return a right-justified string of length width."), 0},
    {"rstrip(self, chars=None, /)", method_rstrip,
     DOC("Return a copy of the string with trailing whitespace (or chars) removed."), 0},
    {"rpartition(self, sep, /)", str_rpartition, DOC("Partition the string into three parts, searching from the end."),
     0},
    {"splitlines(self, /, keepends=False)", str_splitlines,
     DOC("Return a list of the lines in the string, breaking at line boundaries."), 0},
    {"strip(self, chars=None, /)", method_strip,
     DOC("Return a copy of the string with leading and trailing whitespace (or chars) removed."), 0},
    {"swapcase(self, /)", str_swapcase,
     DOC("Convert uppercase characters to lowercase and lowercase characters to uppercase."), 0},
    {"translate(self, table, /)", str_translate,
     DOC("Replace each character in the string using the given translation table."), 0},
    {"upper(self, /)", str_upper, DOC("Return a copy of the string converted to uppercase."), 0},
    {"startswith(self, prefix, start=..., end=..., /)", method_startswith,
     DOC("Return True if S starts with the specified prefix, False otherwise."), 0},
    {"endswith(self, suffix, start=..., end=..., /)", method_endswith,
     DOC("Return True if S ends with the specified suffix, False otherwise."), 0},
    {"removeprefix(self, prefix, /)", method_removeprefix,
     DOC("Return a str with the given prefix string removed if present."), 0},
    {"removesuffix(self, suffix, /)", method_removesuffix,
     DOC("Return a str with the given suffix string removed if present."), 0},
    {"isascii(self, /)", str_isascii, DOC("Return True if all characters in the string are ASCII, False otherwise."),
     0},
    {"islower(self, /)", str_islower, DOC("Return True if the string is a lowercase string, False otherwise."), 0},
    {"isupper(self, /)", str_isupper, DOC("Return True if the string is an uppercase string, False otherwise."), 0},
    {"istitle(self, /)", str_istitle, DOC("Return True if the string is a title-cased string, False otherwise."), 0},
    {"isspace(self, /)", str_isspace, DOC("Return True if the string is a whitespace string, False otherwise."), 0},
    {"isdecimal(self, /)", str_isdecimal, DOC("Return True if the string is a decimal string, False otherwise."), 0},
    {"isdigit(self, /)", str_isdigit, DOC("Return True if the string is a digit string, False otherwise."), 0},
    {"isnumeric(self, /)", str_isnumeric, DOC("Return True if the string is a numeric string, False otherwise."), 0},
    {"isalpha(self, /)", str_isalpha, DOC("Return True if the string is an alphabetic string, False otherwise."), 0},
    {"isalnum(self, /)", str_isalnum, DOC("Return True if the string is an alpha-numeric string, False otherwise."), 0},
    {"isidentifier(self, /)", str_isidentifier,
     DOC("Return True if the string is a valid Python identifier, False otherwise."), 0},
    {"isprintable(self, /)", str_isprintable, DOC("Return True if the string is printable, False otherwise."), 0},
    {"zfill(self, width, /)", method_zfill,
     DOC("Pad a numeric string with zeros on the left, to fill a field of the given width."), 0},
    {"format(self, *args, **kwargs)", str_format_method,
     DOC("Return a formatted version of S, using substitutions from args and kwargs."), 0},
    {"format_map(self, mapping, /)", str_format_map,
     DOC("Return a formatted version of S, using substitutions from mapping."), 0},
    {"__format__(self, format_spec, /)", str_dunder_format,
     DOC("Return a formatted version of the string as described by format_spec."), 0},
    {"maketrans(x, y=None, z=None, /)", str_maketrans, DOC("Return a translation table usable for str.translate()."),
     NATIVE_STATIC},
    {"__getnewargs__(self, /)", method_getnewargs, NULL, 0},
    {"__sizeof__(self, /)", method_sizeof, DOC("Return the size of the string in memory, in bytes."), 0},
    {0},
};
