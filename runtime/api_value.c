/* The public C API: values from C and to C, and what can be done with any value. */
#include "runtime/api.h"

#include "vm/attr.h"
#include "vm/list.h"
#include "vm/set.h"
#include "vm/str.h"

_Static_assert(sizeof(aiovm_value) == sizeof(value), "arrays of values are passed as they are");

/* ---- what it is ---- */

aiovm_type aiovm_type_of(aiovm *host, aiovm_value h)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    value v = from_host(h);
    if (value_is_unbound(v)) return AIOVM_TYPE_ABSENT;
    if (value_is_none(v)) return AIOVM_TYPE_NONE;
    if (value_is_bool(v)) return AIOVM_TYPE_BOOL;
    if (int_is(v)) return AIOVM_TYPE_INT;
    if (value_is_float(v)) return AIOVM_TYPE_FLOAT;
    if (!value_is_obj(v)) return AIOVM_TYPE_OTHER;
    switch (value_as_obj(v)->kind) {
    case K_STR: return AIOVM_TYPE_STR;
    case K_BYTES: return AIOVM_TYPE_BYTES;
    case K_LIST: return AIOVM_TYPE_LIST;
    case K_TUPLE: return AIOVM_TYPE_TUPLE;
    case K_DICT: return AIOVM_TYPE_DICT;
    case K_SET: return AIOVM_TYPE_SET;
    case K_FUTURE:
    case K_TASK: return AIOVM_TYPE_FUTURE;
    default: break;
    }
    if (is_coroutine(vm, v)) return AIOVM_TYPE_COROUTINE;
    return obj_is_callable(vm, v) ? AIOVM_TYPE_CALLABLE : AIOVM_TYPE_OTHER;
}

const char *aiovm_type_name(aiovm *host, aiovm_value h)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    value v = from_host(h);
    if (value_is_unbound(v)) return "";
    const char *s = str_wtf8(vm, AS(str, type_of(vm, v)->name), NULL);
    if (s) return s;
    exc_clear(vm);
    return "";
}

bool aiovm_is_none(aiovm_value v) { return value_is_none(from_host(v)); }
bool aiovm_is_absent(aiovm_value v) { return v.bits == 0; }

/* ---- from C ---- */

#define ENTER_PLAIN(OUT)                                    \
    vm *vm = inside(host);                                  \
    API_COME_IN(vm);                                        \
    aiovm_status status_ = api_enter(vm, API_PLAIN, (OUT)); \
    if (status_) return status_
#define ENTER_SCRIPT(OUT)                                    \
    vm *vm = inside(host);                                   \
    API_COME_IN(vm);                                         \
    aiovm_status status_ = api_enter(vm, API_SCRIPT, (OUT)); \
    if (status_) return status_

static value object_or_error(const void *o) { return o ? value_obj(o) : V_ERROR; }

aiovm_value aiovm_none(void) { return to_host(V_NONE); }
aiovm_value aiovm_bool(bool b) { return to_host(value_bool(b)); }
aiovm_value aiovm_float(double d) { return to_host(value_float(d)); }

aiovm_status aiovm_int(aiovm *host, int64_t n, aiovm_value *out)
{
    ENTER_PLAIN(out);
    return api_leave(vm, API_PLAIN, int_from_i64(vm, n), out);
}
aiovm_status aiovm_uint(aiovm *host, uint64_t n, aiovm_value *out)
{
    ENTER_PLAIN(out);
    return api_leave(vm, API_PLAIN, int_from_u64(vm, n), out);
}
aiovm_status aiovm_int_parse(aiovm *host, const char *text, size_t length, int base, aiovm_value *out)
{
    if (!text) return api_invalid(out);
    ENTER_SCRIPT(out);
    str *s = api_text(vm, text, length);
    value v = V_ERROR;
    if (s) {
        value args[2] = {value_obj(s), value_int(base)};
        v = vm_call(vm, value_obj(T(vm, INT)), args, 2);
    }
    return api_leave(vm, API_SCRIPT, v, out);
}
aiovm_status aiovm_text(aiovm *host, const char *s, size_t length, aiovm_value *out)
{
    if (!s) return api_invalid(out);
    ENTER_PLAIN(out);
    return api_leave(vm, API_PLAIN, object_or_error(api_text(vm, s, length)), out);
}
aiovm_status aiovm_bytes(aiovm *host, const void *p, size_t length, aiovm_value *out)
{
    if (!p && length) return api_invalid(out);
    ENTER_PLAIN(out);
    return api_leave(vm, API_PLAIN, object_or_error(bytes_new(vm, p, length)), out);
}

/* An absent value would be a hole in a container. */
static bool all_present(vm *vm, size_t n, const aiovm_value *items)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i].bits) continue;
        raise_value_error(vm, "value %zu of %zu is absent", i, n);
        return false;
    }
    return true;
}
aiovm_status aiovm_list(aiovm *host, size_t n, const aiovm_value *items, aiovm_value *out)
{
    if (!items && n) return api_invalid(out);
    ENTER_PLAIN(out);
    list *l = all_present(vm, n, items) ? list_from(vm, (const value *)(const void *)items, n) : NULL;
    return api_leave(vm, API_PLAIN, object_or_error(l), out);
}
aiovm_status aiovm_tuple(aiovm *host, size_t n, const aiovm_value *items, aiovm_value *out)
{
    if (!items && n) return api_invalid(out);
    ENTER_PLAIN(out);
    tuple *t = all_present(vm, n, items) ? tuple_from(vm, (const value *)(const void *)items, n) : NULL;
    return api_leave(vm, API_PLAIN, object_or_error(t), out);
}
aiovm_status aiovm_dict(aiovm *host, aiovm_value *out)
{
    ENTER_PLAIN(out);
    return api_leave(vm, API_PLAIN, object_or_error(dict_new(vm)), out);
}
aiovm_status aiovm_set(aiovm *host, size_t n, const aiovm_value *items, aiovm_value *out)
{
    if (!items && n) return api_invalid(out);
    ENTER_SCRIPT(out);
    set *s = all_present(vm, n, items) ? set_new(vm, TYPE_SET) : NULL;
    ROOTS(vm, &s);
    bool ok = s != NULL;
    for (size_t i = 0; ok && i < n; i++) ok = set_add(vm, s, from_host(items[i]));
    return api_leave(vm, API_SCRIPT, ok ? value_obj(s) : V_ERROR, out);
}

/* ---- to C ---- */

int64_t aiovm_to_int(aiovm *host, aiovm_value h, int64_t otherwise)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    value v = from_host(h);
    int64_t n;
    return int_is(v) && int_to_i64(vm, int_plain(vm, v), &n) ? n : otherwise;
}
uint64_t aiovm_to_uint(aiovm *host, aiovm_value h, uint64_t otherwise)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    value v = from_host(h);
    int64_t n;
    if (!int_is(v)) return otherwise;
    v = int_plain(vm, v);
    if (int_to_i64(vm, v, &n)) return n < 0 ? otherwise : (uint64_t)n;
    if (!value_is_kind(v, K_BIGINT)) return otherwise;
    const bigint *b = AS(bigint, v);
    if (b->sign || b->used > 2 || (b->used == 2 && b->digits[1] > 15)) return otherwise;
    return b->digits[0] | (b->used == 2 ? b->digits[1] << 60 : 0);
}
double aiovm_to_float(aiovm *host, aiovm_value h, double otherwise)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    value v = from_host(h);
    if (value_is_float(v)) return value_as_float(v);
    if (!int_is(v)) return otherwise;
    bool ok = true;
    double d = int_to_double(vm, int_plain(vm, v), &ok);
    if (ok) return d;
    exc_clear(vm);
    return otherwise;
}
bool aiovm_to_bool(aiovm *host, aiovm_value h, bool otherwise)
{
    (void)host;
    value v = from_host(h);
    return value_is_bool(v) ? value_is(v, V_TRUE) : otherwise;
}
const char *aiovm_to_text(aiovm *host, aiovm_value h, size_t *length)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    value v = from_host(h);
    const char *s = NULL;
    size_t n = 0;
    if (IS_STR(v)) {
        s = str_utf8(vm, AS(str, v), &n);
        if (!s) exc_clear(vm);
    } else if (value_is_kind(v, K_BYTES)) {
        s = (const char *)AS(bytes, v)->data;
        n = AS(bytes, v)->len;
    }
    if (length) *length = s ? n : 0;
    return s;
}

/* ---- any value ---- */

static bool both_present(vm *vm, aiovm_value a, aiovm_value b)
{
    return api_present(vm, from_host(a)) && api_present(vm, from_host(b));
}

aiovm_status aiovm_str(aiovm *host, aiovm_value v, aiovm_value *out)
{
    ENTER_SCRIPT(out);
    return api_leave(vm, API_SCRIPT,
                     api_present(vm, from_host(v)) ? object_or_error(obj_str(vm, from_host(v))) : V_ERROR, out);
}
aiovm_status aiovm_repr(aiovm *host, aiovm_value v, aiovm_value *out)
{
    ENTER_SCRIPT(out);
    return api_leave(vm, API_SCRIPT,
                     api_present(vm, from_host(v)) ? object_or_error(obj_repr(vm, from_host(v))) : V_ERROR, out);
}
aiovm_status aiovm_truth(aiovm *host, aiovm_value v, bool *out)
{
    if (out) *out = false;
    ENTER_SCRIPT(NULL);
    int t = api_present(vm, from_host(v)) ? obj_truth(vm, from_host(v)) : -1;
    if (out) *out = t > 0;
    return api_finish(vm, API_SCRIPT, t >= 0);
}
aiovm_status aiovm_equal(aiovm *host, aiovm_value a, aiovm_value b, bool *out)
{
    if (out) *out = false;
    ENTER_SCRIPT(NULL);
    int t = both_present(vm, a, b) ? obj_equal(vm, from_host(a), from_host(b)) : -1;
    if (out) *out = t > 0;
    return api_finish(vm, API_SCRIPT, t >= 0);
}
aiovm_status aiovm_length(aiovm *host, aiovm_value v, size_t *out)
{
    if (out) *out = 0;
    ENTER_SCRIPT(NULL);
    int64_t n = api_present(vm, from_host(v)) ? obj_len(vm, from_host(v)) : -1;
    if (n >= 0 && out) *out = (size_t)n;
    return api_finish(vm, API_SCRIPT, n >= 0);
}
aiovm_status aiovm_get_item(aiovm *host, aiovm_value o, aiovm_value key, aiovm_value *out)
{
    ENTER_SCRIPT(out);
    return api_leave(vm, API_SCRIPT, both_present(vm, o, key) ? obj_getitem(vm, from_host(o), from_host(key)) : V_ERROR,
                     out);
}
aiovm_status aiovm_set_item(aiovm *host, aiovm_value o, aiovm_value key, aiovm_value v)
{
    ENTER_SCRIPT(NULL);
    return api_finish(vm, API_SCRIPT,
                      both_present(vm, o, key) && api_present(vm, from_host(v)) &&
                          obj_setitem(vm, from_host(o), from_host(key), from_host(v)));
}
aiovm_status aiovm_del_item(aiovm *host, aiovm_value o, aiovm_value key)
{
    ENTER_SCRIPT(NULL);
    return api_finish(vm, API_SCRIPT,
                      both_present(vm, o, key) && obj_setitem(vm, from_host(o), from_host(key), V_UNBOUND));
}
aiovm_status aiovm_get_attr(aiovm *host, aiovm_value o, const char *name, aiovm_value *out)
{
    if (!name) return api_invalid(out);
    ENTER_SCRIPT(out);
    str *s = api_present(vm, from_host(o)) ? api_text(vm, name, AIOVM_ZTS) : NULL;
    s = s ? str_intern(vm, s) : NULL;
    return api_leave(vm, API_SCRIPT, s ? obj_getattr(vm, from_host(o), s) : V_ERROR, out);
}
aiovm_status aiovm_set_attr(aiovm *host, aiovm_value o, const char *name, aiovm_value v)
{
    if (!name) return AIOVM_INVALID;
    ENTER_SCRIPT(NULL);
    str *s = api_present(vm, from_host(o)) ? api_text(vm, name, AIOVM_ZTS) : NULL;
    s = s ? str_intern(vm, s) : NULL;
    return api_finish(vm, API_SCRIPT, s && obj_setattr(vm, from_host(o), s, from_host(v)));
}
aiovm_status aiovm_iter(aiovm *host, aiovm_value v, aiovm_value *out)
{
    ENTER_SCRIPT(out);
    return api_leave(vm, API_SCRIPT, api_present(vm, from_host(v)) ? obj_iter(vm, from_host(v)) : V_ERROR, out);
}
aiovm_status aiovm_next(aiovm *host, aiovm_value it, aiovm_value *out)
{
    ENTER_SCRIPT(out);
    value v = api_present(vm, from_host(it)) ? obj_next(vm, from_host(it)) : V_ERROR;
    if (!value_is(v, V_STOP)) return api_leave(vm, API_SCRIPT, v, out);
    aiovm_status status = api_leave(vm, API_SCRIPT, V_NONE, out);
    return status ? status : AIOVM_DONE;
}

/* ---- containers, without script ---- */

aiovm_status aiovm_at(aiovm *host, aiovm_value sequence, size_t i, aiovm_value *out)
{
    ENTER_PLAIN(out);
    value *items, v = from_host(sequence);
    size_t n;
    if (!api_present(vm, v)) v = V_ERROR;
    else if (!list_or_tuple(v, &items, &n)) v = raise_type_error(vm, "a list or tuple was expected, not %T", v);
    else if (i >= n) v = raise(vm, EXC_IndexError, "%T index out of range", v);
    else v = items[i];
    return api_leave(vm, API_PLAIN, v, out);
}
aiovm_status aiovm_append(aiovm *host, aiovm_value l, aiovm_value v)
{
    ENTER_PLAIN(NULL);
    if (!IS_LIST(from_host(l))) {
        if (api_present(vm, from_host(l))) raise_type_error(vm, "a list was expected, not %T", from_host(l));
        return api_finish(vm, API_PLAIN, false);
    }
    return api_finish(vm, API_PLAIN,
                      api_present(vm, from_host(v)) && list_append(vm, AS(list, from_host(l)), from_host(v)));
}
aiovm_status aiovm_set_add(aiovm *host, aiovm_value s, aiovm_value v)
{
    ENTER_SCRIPT(NULL);
    if (!value_is_kind(from_host(s), K_SET) || !value_isa_id(vm, from_host(s), TYPE_SET)) {
        if (api_present(vm, from_host(s))) raise_type_error(vm, "a set was expected, not %T", from_host(s));
        return api_finish(vm, API_SCRIPT, false);
    }
    return api_finish(vm, API_SCRIPT,
                      api_present(vm, from_host(v)) && set_add(vm, AS(set, from_host(s)), from_host(v)));
}
bool aiovm_dict_next(aiovm *host, aiovm_value d, size_t *pos, aiovm_value *key, aiovm_value *val)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    value k = V_NONE, v = V_NONE;
    api_acquire(vm);
    bool some = !api_of(vm)->in_sweep && IS_DICT(from_host(d)) && dict_next(AS(dict, from_host(d)), pos, &k, &v);
    if (some && (!api_keep(vm, k) || !api_keep(vm, v))) {
        api_catch(vm);
        some = false;
    }
    if (key) *key = to_host(some ? k : V_NONE);
    if (val) *val = to_host(some ? v : V_NONE);
    return some;
}
