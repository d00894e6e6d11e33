/* split, rsplit, splitlines, partition, join. */
#include "str.h"
#include "str_search.h"
#include "str_unicode.h"

#define SELF AS(str, args[0])

static bool push(vm *vm, list *l, str *part)
{
    if (UNLIKELY(!part)) return false;
    if (LIKELY(l->len < l->cap)) { /* a list of our own, younger than any safepoint */
        l->items[l->len++] = value_obj(part);
        return true;
    }
    return list_append(vm, l, value_obj(part));
}

static bool push_range(vm *vm, list *l, str *s, size_t from, size_t to)
{
    return push(vm, l, str_substr(vm, s, from, to));
}

static void reverse(list *l)
{
    for (size_t i = 0, j = l->len; i + 1 < j; i++) {
        value t = l->items[--j];
        l->items[j] = l->items[i];
        l->items[i] = t;
    }
}

/* sep and maxsplit of split and rsplit. */
static bool split_args(vm *vm, value *args, str **sep, size_t *max)
{
    int64_t n;
    if (!args_ssize(vm, args[2], -1, &n)) return false;
    if (value_is_unbound(args[1]) || value_is_none(args[1])) {
        *sep = NULL;
    } else if (IS_STR(args[1])) {
        *sep = AS(str, args[1]);
    } else {
        raise_type_error(vm, "must be str or None, not %T", args[1]);
        return false;
    }
    if (!str_tick(vm, SELF->len)) return false;
    *max = n < 0 ? SIZE_MAX : (size_t)n;
    if (*sep && (*sep)->len == 0) {
        raise_value_error(vm, "empty separator");
        return false;
    }
    return true;
}

static inline bool is_ascii_space(uint8_t c) { return c <= ' ' && ascii_class[c] & AC_SPACE; }

static list *split_space_ascii(vm *vm, str *s, list *l)
{
    const uint8_t *p = s->data, *end = p + s->len;
    for (;;) {
        while (p < end && is_ascii_space(*p)) p++;
        if (p == end) return l;
        const uint8_t *start = p;
        while (p < end && !is_ascii_space(*p)) p++;
        size_t n = (size_t)(p - start);
        if (!push(vm, l, n == s->len ? str_plain(s) : str_from_ascii_fast(vm, start, n))) return NULL;
    }
}

static list *split_space(vm *vm, str *s, size_t max)
{
    list *l = list_new(vm, 8);
    if (!l) return NULL;
    if (str_is_ascii(s) && max == SIZE_MAX) return split_space_ascii(vm, s, l);
    size_t i = 0, n = s->len;
    unsigned w = str_width(s);
    bool ascii = str_is_ascii(s);
    const uint8_t *p = s->data;
    while (i < n) {
        if (ascii)
            while (i < n && ascii_class[p[i]] & AC_SPACE) i++;
        else
            while (i < n && uni_is_space(text_at(p, w, i))) i++;
        if (i == n) break;
        if (max-- == 0) return push_range(vm, l, s, i, n) ? l : NULL;
        size_t start = i;
        if (ascii)
            while (i < n && !(ascii_class[p[i]] & AC_SPACE)) i++;
        else
            while (i < n && !uni_is_space(text_at(p, w, i))) i++;
        if (!push_range(vm, l, s, start, i)) return NULL;
    }
    return l;
}

/* The usual case: ASCII at each single character. */
static bool split_ascii(vm *vm, list *l, str *s, uint32_t sep)
{
    const uint8_t *p = s->data, *end = p + s->len;
    if (sep > 127 || !memchr(p, (int)sep, s->len)) return push(vm, l, str_plain(s));
    for (const uint8_t *q; (q = memchr(p, (int)sep, (size_t)(end - p))); p = q + 1) {
        if (!push(vm, l, str_from_ascii_fast(vm, p, (size_t)(q - p)))) return false;
    }
    return push(vm, l, str_from_ascii_fast(vm, p, (size_t)(end - p)));
}

METHOD(str_split)
{
    str *sep;
    size_t max;
    if (!split_args(vm, args, &sep, &max)) return V_ERROR;
    str *s = SELF;
    if (!sep) return value_obj(split_space(vm, s, max));
    list *l = list_new(vm, max < 12 ? max + 1 : 12);
    finder f;
    if (l && sep->len == 1 && str_is_ascii(s) && max == SIZE_MAX)
        return split_ascii(vm, l, s, str_at(sep, 0)) ? value_obj(l) : V_ERROR;
    if (!l || !finder_init(&f, vm, sep->data, str_width(sep), sep->len, str_width(s), false)) return V_ERROR;
    size_t done = 0;
    bool ok = true;
    for (size_t at; ok && max > 0 && (at = finder_next(&f, s->data, done, s->len)) != FINDER_NONE; max--) {
        ok = push_range(vm, l, s, done, at);
        done = at + sep->len;
    }
    finder_done(&f);
    return ok && push_range(vm, l, s, done, s->len) ? value_obj(l) : V_ERROR;
}

static list *rsplit_space(vm *vm, str *s, size_t max)
{
    list *l = list_new(vm, 8);
    if (!l) return NULL;
    size_t i = s->len;
    unsigned w = str_width(s);
    while (i > 0) {
        while (i > 0 && uni_is_space(text_at(s->data, w, i - 1))) i--;
        if (i == 0) break;
        if (max-- == 0) {
            if (!push_range(vm, l, s, 0, i)) return NULL;
            break;
        }
        size_t end = i;
        while (i > 0 && !uni_is_space(text_at(s->data, w, i - 1))) i--;
        if (!push_range(vm, l, s, i, end)) return NULL;
    }
    reverse(l);
    return l;
}

METHOD(str_rsplit)
{
    str *sep;
    size_t max;
    if (!split_args(vm, args, &sep, &max)) return V_ERROR;
    str *s = SELF;
    if (!sep) return value_obj(rsplit_space(vm, s, max));
    list *l = list_new(vm, max < 12 ? max + 1 : 12);
    finder f;
    if (!l || !finder_init(&f, vm, sep->data, str_width(sep), sep->len, str_width(s), true)) return V_ERROR;
    size_t end = s->len;
    bool ok = true;
    for (size_t at; ok && max > 0 && (at = finder_last(&f, s->data, 0, end)) != FINDER_NONE; max--) {
        ok = push_range(vm, l, s, at + sep->len, end);
        end = at;
    }
    finder_done(&f);
    if (!ok || !push_range(vm, l, s, 0, end)) return V_ERROR;
    reverse(l);
    return value_obj(l);
}

METHOD(str_splitlines)
{
    int keep;
    if (!args_int(vm, args[1], 0, &keep) || !str_tick(vm, SELF->len)) return V_ERROR;
    str *s = SELF;
    list *l = list_new(vm, 8);
    if (!l) return V_ERROR;
    unsigned w = str_width(s);
    for (size_t i = 0, n = s->len; i < n;) {
        size_t start = i, end;
        while (i < n && !uni_is_linebreak(text_at(s->data, w, i))) i++;
        end = i;
        if (i < n) {
            i += text_at(s->data, w, i) == '\r' && i + 1 < n && text_at(s->data, w, i + 1) == '\n' ? 2 : 1;
            if (keep) end = i;
        }
        if (!push_range(vm, l, s, start, end)) return V_ERROR;
    }
    return value_obj(l);
}

static value three(vm *vm, str *a, str *b, str *c)
{
    if (!a || !b || !c) return V_ERROR;
    value parts[3] = {value_obj(a), value_obj(b), value_obj(c)};
    return value_obj(tuple_from(vm, parts, 3));
}

static value partition(vm *vm, value *args, bool last)
{
    if (!IS_STR(args[1])) return raise_type_error(vm, "must be str, not %T", args[1]);
    if (AS(str, args[1])->len == 0) return raise_value_error(vm, "empty separator");
    if (!str_tick(vm, SELF->len)) return V_ERROR;
    str *s = SELF, *sep = AS(str, args[1]), *empty = vm->empty_str;
    size_t at = (last ? str_rfind : str_find)(vm, s, sep, 0, s->len);
    if (at == FINDER_NONE) {
        if (raised(vm)) return V_ERROR;
        return last ? three(vm, empty, empty, str_plain(s)) : three(vm, str_plain(s), empty, empty);
    }
    return three(vm, str_substr(vm, s, 0, at), str_plain(sep), str_substr(vm, s, at + sep->len, s->len));
}

METHOD(str_partition) { return partition(vm, args, false); }
METHOD(str_rpartition) { return partition(vm, args, true); }

/* ---- join ---- */

METHOD(str_join)
{
    const value *items;
    size_t n;
    value seq = args[1];
    if (value_is_exact(seq, TYPE_LIST)) {
        items = AS(list, seq)->items;
        n = AS(list, seq)->len;
    } else if (value_is_exact(seq, TYPE_TUPLE)) {
        items = AS(tuple, seq)->items;
        n = AS(tuple, seq)->len;
    } else {
        if (!IS_LIST(seq) && !IS_TUPLE(seq) && !type_of(vm, seq)->s.iter && !type_of(vm, seq)->s.getitem) {
            return raise_type_error(vm, "can only join an iterable");
        }
        list *l = obj_to_list(vm, seq);
        if (!l) return V_ERROR;
        items = l->items;
        n = l->len;
    }
    for (size_t i = 0; i < n; i++) {
        if (UNLIKELY(!IS_STR(items[i])))
            return raise_type_error(vm, "sequence item %zu: expected str instance, %T found", i, items[i]);
    }
    return str_value(str_join_parts(vm, SELF, items, n));
}
