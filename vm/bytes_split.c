/* split, rsplit, splitlines, partition and join of bytes and bytearray. */
#include "bytes.h"
#include "str_search.h"

static bool is_space(uint8_t c) { return c == ' ' || (c >= 9 && c <= 13); }

static bool push(vm *vm, list *l, octets o, value self, size_t from, size_t to)
{
    value part;
    if (o.array) part = value_obj(bytearray_new(vm, o.p + from, to - from));
    else part = value_obj(bytes_substr(vm, AS(bytes, self), from, to));
    if (UNLIKELY(value_is_error(part))) return false;
    if (LIKELY(l->len < l->cap)) { /* a list of our own, younger than any safepoint */
        l->items[l->len++] = part;
        return true;
    }
    return list_append(vm, l, part);
}

static void reverse(list *l)
{
    for (size_t i = 0, j = l->len; i + 1 < j; i++) {
        value t = l->items[--j];
        l->items[j] = l->items[i];
        l->items[i] = t;
    }
}

static bool split_space(vm *vm, list *l, octets o, value self, size_t max)
{
    size_t i = 0;
    while (i < o.n) {
        while (i < o.n && is_space(o.p[i])) i++;
        if (i == o.n) break;
        if (max-- == 0) return push(vm, l, o, self, i, o.n);
        size_t start = i;
        while (i < o.n && !is_space(o.p[i])) i++;
        if (!push(vm, l, o, self, start, i)) return false;
    }
    return true;
}

static bool rsplit_space(vm *vm, list *l, octets o, value self, size_t max)
{
    size_t i = o.n;
    while (i > 0) {
        while (i > 0 && is_space(o.p[i - 1])) i--;
        if (i == 0) break;
        if (max-- == 0) return push(vm, l, o, self, 0, i);
        size_t end = i;
        while (i > 0 && !is_space(o.p[i - 1])) i--;
        if (!push(vm, l, o, self, i, end)) return false;
    }
    return true;
}

static bool split_by(vm *vm, list *l, octets o, value self, const uint8_t *sep, size_t n, size_t max, bool right)
{
    finder f;
    size_t at, from = 0, to = o.n;
    bool ok = true;
    finder_init(&f, vm, sep, 1, n, 1, right);
    if (right) {
        for (; ok && max && (at = finder_last(&f, o.p, 0, to)) != FINDER_NONE; max--) {
            ok = push(vm, l, o, self, at + n, to);
            to = at;
        }
    } else {
        for (; ok && max && (at = finder_next(&f, o.p, from, o.n)) != FINDER_NONE; max--) {
            ok = push(vm, l, o, self, from, at);
            from = at + n;
        }
    }
    finder_done(&f);
    return ok && push(vm, l, o, self, from, to);
}

static value split(vm *vm, value *args, bool right)
{
    int64_t limit;
    const uint8_t *sep;
    size_t n;
    if (!args_ssize(vm, args[2], -1, &limit) || !str_tick(vm, octets_of(args[0]).n)) return V_ERROR;
    size_t max = limit < 0 ? SIZE_MAX : (size_t)limit;
    bool space = value_is_unbound(args[1]) || value_is_none(args[1]);
    if (!space) {
        if (!buffer_need(vm, args[1], &sep, &n)) return V_ERROR;
        if (n == 0) return raise_value_error(vm, "empty separator");
    }
    octets o = octets_of(args[0]);
    list *l = list_new(vm, 8);
    if (!l) return V_ERROR;
    bool ok = !space ? split_by(vm, l, o, args[0], sep, n, max, right)
                     : (right ? rsplit_space : split_space)(vm, l, o, args[0], max);
    if (!ok) return V_ERROR;
    if (right) reverse(l);
    return value_obj(l);
}

METHOD(bytes_split) { return split(vm, args, false); }
METHOD(bytes_rsplit) { return split(vm, args, true); }

METHOD(bytes_splitlines)
{
    int keep;
    if (!args_int(vm, args[1], 0, &keep)) return V_ERROR;
    octets o = octets_of(args[0]);
    list *l = list_new(vm, 8);
    if (!l) return V_ERROR;
    for (size_t i = 0; i < o.n;) {
        size_t start = i, end;
        while (i < o.n && o.p[i] != '\n' && o.p[i] != '\r') i++;
        end = i;
        if (i < o.n) {
            i += o.p[i] == '\r' && i + 1 < o.n && o.p[i + 1] == '\n' ? 2 : 1;
            if (keep) end = i;
        }
        if (!push(vm, l, o, args[0], start, end)) return V_ERROR;
    }
    return value_obj(l);
}

static value partition(vm *vm, value *args, bool last)
{
    const uint8_t *sep;
    size_t n;
    if (!buffer_need(vm, args[1], &sep, &n)) return V_ERROR;
    if (n == 0) return raise_value_error(vm, "empty separator");
    octets o = octets_of(args[0]);
    finder f;
    finder_init(&f, vm, sep, 1, n, 1, last);
    size_t at = last ? finder_last(&f, o.p, 0, o.n) : finder_next(&f, o.p, 0, o.n);
    finder_done(&f);
    value parts[3];
    if (at == FINDER_NONE) {
        parts[0] = parts[1] = parts[2] = bytes_result(vm, o.array, "", 0);
        if (o.array) parts[1] = bytes_result(vm, true, "", 0);
        parts[last ? 2 : 0] = octets_unchanged(vm, args[0]);
        if (o.array && last) parts[0] = bytes_result(vm, true, "", 0);
    } else {
        parts[0] = bytes_result(vm, o.array, o.p, at);
        parts[1] = o.array ? bytes_result(vm, true, sep, n) : args[1];
        parts[2] = bytes_result(vm, o.array, o.p + at + n, o.n - at - n);
    }
    for (int i = 0; i < 3; i++)
        if (value_is_error(parts[i])) return V_ERROR;
    return value_obj(tuple_from(vm, parts, 3));
}

METHOD(bytes_partition) { return partition(vm, args, false); }
METHOD(bytes_rpartition) { return partition(vm, args, true); }

METHOD(bytes_join)
{
    value seq = args[1];
    ROOTS(vm, &seq);
    if (!value_is_exact(seq, TYPE_LIST) && !value_is_exact(seq, TYPE_TUPLE)) {
        if (!IS_LIST(seq) && !IS_TUPLE(seq) && !type_of(vm, seq)->s.iter && !type_of(vm, seq)->s.getitem) {
            return raise_type_error(vm, "can only join an iterable");
        }
        list *l = obj_to_list(vm, seq);
        if (!l) return V_ERROR;
        seq = value_obj(l);
    }
    bool is_list = IS_LIST(seq);
    const value *items = is_list ? AS(list, seq)->items : AS(tuple, seq)->items;
    size_t count = is_list ? AS(list, seq)->len : AS(tuple, seq)->len;
    octets sep = octets_of(args[0]);
    if (count == 1 && !sep.array && value_is_exact(items[0], TYPE_BYTES)) return items[0];
    byte_builder b;
    bb_init(&b, vm);
    for (size_t i = 0; i < count && !b.failed; i++) { /* views run no script */
        const uint8_t *p;
        size_t n;
        if (!buffer_view(vm, items[i], &p, &n)) {
            bb_drop(&b);
            if (raised(vm)) return V_ERROR;
            return raise_type_error(vm, "sequence item %zu: expected a bytes-like object, %T found", i, items[i]);
        }
        if (i) bb_add(&b, sep.p, sep.n);
        bb_add(&b, p, n);
    }
    return bb_result(&b, sep.array);
}
