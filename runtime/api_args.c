/* The public C API: aiovm_unpack, which checks and converts the arguments of a host function. */
#include "runtime/api.h"

#include "vm/attr.h"
#include "vm/str.h"

typedef struct unpack {
    vm *vm;
    int index; /* of the argument, self not counted, from 1 */
    value v;
} unpack;

static bool wrong(unpack *u, const char *expected)
{
    raise_type_error(u->vm, "argument %d must be %s, not %T", u->index, expected, u->v);
    return false;
}

static bool get_int(unpack *u, int64_t *out)
{
    value v = int_is(u->v) ? u->v : V_UNBOUND;
    if (value_is_unbound(v)) return wrong(u, "int");
    if (int_to_i64(u->vm, int_plain(u->vm, v), out)) return true;
    raise_overflow(u->vm, "argument %d does not fit into 64 bits", u->index);
    return false;
}

static bool get_float(unpack *u, double *out)
{
    if (value_is_float(u->v)) {
        *out = value_as_float(u->v);
        return true;
    }
    if (int_is(u->v)) {
        bool ok = true;
        *out = int_to_double(u->vm, int_plain(u->vm, u->v), &ok);
        return ok;
    }
    return value_isa_id(u->vm, u->v, TYPE_FLOAT) ? float_as_double(u->vm, u->v, out) : wrong(u, "float");
}

/* length NULL: without NULs inside. */
static bool get_str(unpack *u, const char **out, size_t *length)
{
    size_t n;
    if (!IS_STR(u->v)) return wrong(u, "str");
    const char *s = str_utf8(u->vm, AS(str, u->v), &n);
    if (!s) return false;
    if (!length && memchr(s, 0, n)) {
        raise_value_error(u->vm, "argument %d contains a null character", u->index);
        return false;
    }
    *out = s;
    if (length) *length = n;
    return true;
}

static bool get_bytes(unpack *u, const char **out, size_t *length)
{
    if (!value_is_kind(u->v, K_BYTES)) return wrong(u, "bytes");
    *out = (const char *)AS(bytes, u->v)->data;
    *length = AS(bytes, u->v)->len;
    return true;
}

static bool get_value(unpack *u, bool fits, const char *expected, aiovm_value *out)
{
    if (!fits) return wrong(u, expected);
    *out = to_host(u->v);
    return true;
}

static bool get_object(unpack *u, const aiovm_class *cls, void **out)
{
    void *data = aiovm_data(outside(u->vm), cls, to_host(u->v));
    if (!data) return wrong(u, cls->name);
    *out = data;
    return true;
}

static bool get_truth(unpack *u, bool *out)
{
    int t = obj_truth(u->vm, u->v);
    *out = t > 0;
    return t >= 0;
}

/* Takes the variables of one letter off *ap; stores only if `store`. false: raised. */
static bool convert(unpack *u, char letter, bool store, va_list *ap)
{
    void *first = NULL, *second = NULL;
    if (letter == 'o') {
        const aiovm_class *cls = va_arg(*ap, const aiovm_class *);
        void **out = va_arg(*ap, void **);
        return !store || get_object(u, cls, out);
    }
    first = va_arg(*ap, void *);
    if (letter == 't' || letter == 'y') second = va_arg(*ap, void *);
    if (!store) return true;
    switch (letter) {
    case 'i': return get_int(u, first);
    case 'd': return get_float(u, first);
    case 'b': return get_truth(u, first);
    case 's': return get_str(u, first, NULL);
    case 't': return get_str(u, first, second);
    case 'y': return get_bytes(u, first, second);
    case 'l': return get_value(u, IS_LIST(u->v), "list", first);
    case 'T': return get_value(u, IS_TUPLE(u->v), "tuple", first);
    case 'D': return get_value(u, IS_DICT(u->v), "dict", first);
    case 'c': return get_value(u, obj_is_callable(u->vm, u->v), "callable", first);
    default: return get_value(u, true, "", first);
    }
}

static bool unpack_all(vm *vm, const aiovm_args *a, const char *format, va_list *ap)
{
    int at = a->self ? 1 : 0;
    unpack u = {.vm = vm, .index = 1};
    bool optional = false;
    for (const char *p = format; *p; p++) {
        if (*p == '|') {
            optional = true;
            continue;
        }
        if (!strchr("idbvstylTDco", *p) || at >= a->argc) {
            raise(vm, EXC_SystemError, "aiovm_unpack: the format '%s' does not fit the signature", format);
            return false;
        }
        u.v = from_host(a->argv[at]);
        bool none_ok = p[1] == '?';
        bool store = !value_is_unbound(u.v) && !(none_ok && value_is_none(u.v));
        if (value_is_unbound(u.v) && !optional) {
            raise_type_error(vm, "argument %d is missing", u.index);
            return false;
        }
        if (!convert(&u, *p, store, ap)) return false;
        if (none_ok) p++;
        at++;
        u.index++;
    }
    return true;
}

aiovm_status aiovm_unpack(aiovm *host, const aiovm_args *args, const char *format, ...)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    aiovm_status status = api_enter(vm, API_SCRIPT, NULL);
    if (status) return status;
    va_list ap;
    va_start(ap, format);
    bool ok = unpack_all(vm, args, format, &ap);
    va_end(ap);
    return api_finish(vm, API_SCRIPT, ok);
}
