/* Arguments of natives: conversions that the signature strings cannot say (binding is native.h's). Shared by str, bytes
 * and bytearray. */
#include "str.h"

value args_need_str(vm *vm, const char *where, value v)
{
    if (value_is_none(v)) return raise_type_error(vm, "%s must be str, not None", where);
    return raise_type_error(vm, "%s must be str, not %T", where, v);
}

static bool slice_bound(vm *vm, value v, int64_t *out)
{
    if (LIKELY(value_is_int(v))) {
        *out = value_as_int(v);
        return true;
    }
    if (value_is_unbound(v) || value_is_none(v)) return true;
    if (!int_is(v) && !type_of(vm, v)->s.index) {
        raise_type_error(vm, "slice indices must be integers or None or have an __index__ method");
        return false;
    }
    return obj_as_index(vm, v, out, 0);
}

bool args_range(vm *vm, value start, value end, size_t len, size_t *from, size_t *to, bool *empty)
{
    int64_t n = (int64_t)len, a = 0, b = n;
    if (LIKELY(value_is_unbound(start) && value_is_unbound(end))) {
        *from = 0;
        *to = len;
        *empty = false;
        return true;
    }
    if (!slice_bound(vm, start, &a) || !slice_bound(vm, end, &b)) return false;
    if (b > n) b = n;
    else if (b < 0 && (b += n) < 0) b = 0;
    if (a < 0 && (a += n) < 0) a = 0;
    *empty = a > b;
    *from = (size_t)(a > b ? b : a);
    *to = (size_t)b;
    return true;
}

bool slice_plain(vm *vm, value *key)
{
    slice *s = AS(slice, *key);
    value in[3] = {s->start, s->stop, s->step};
    bool plain = true;
    for (int i = 0; i < 3; i++) plain = plain && (value_is_none(in[i]) || int_is(in[i]));
    if (plain) return true;
    ROOT_SPAN(vm, in, 3);
    for (int i = 0; i < 3; i++) {
        int64_t n = 0;
        if (value_is_none(in[i])) continue;
        if (!slice_bound(vm, in[i], &n)) return false;
        in[i] = int_from_i64(vm, n);
        if (value_is_error(in[i])) return false;
    }
    *key = slice_new(vm, in[0], in[1], in[2]);
    return !value_is_error(*key);
}

bool args_ssize(vm *vm, value v, int64_t dflt, int64_t *out)
{
    *out = dflt;
    if (value_is_unbound(v)) return true;
    if (LIKELY(value_is_int(v))) {
        *out = value_as_int(v);
        return true;
    }
    v = obj_index(vm, v);
    if (value_is_error(v)) return false;
    if (int_to_i64(vm, v, out)) return true;
    raise_overflow(vm, "Python int too large to convert to C ssize_t");
    return false;
}

bool args_int(vm *vm, value v, int dflt, int *out)
{
    int64_t n = dflt;
    if (!value_is_unbound(v)) {
        v = obj_index(vm, v);
        if (value_is_error(v)) return false;
        if (!int_to_i64(vm, v, &n) || n != (int)n) {
            raise_overflow(vm, "Python int too large to convert to C int");
            return false;
        }
    }
    *out = (int)n;
    return true;
}

bool args_bool(vm *vm, value v, bool dflt, bool *out)
{
    int t = value_is_unbound(v) ? dflt : obj_truth(vm, v);
    *out = t == 1;
    return t >= 0;
}
