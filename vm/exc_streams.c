/* IncompleteReadError and LimitOverrunError: what reading a stream raises. Their fields are ordinary attributes. */
#include "vm/exception.h"
#include "vm/native.h"
#include "vm/str.h"

static bool set_field(vm *vm, value self, const char *name, value v)
{
    str *s = str_intern_utf8(vm, name, strlen(name));
    return s && obj_setattr(vm, self, s, v);
}
static bool set_message(vm *vm, value self, str *message)
{
    value text = message ? value_obj(message) : V_ERROR;
    return message && exc_slot_init(vm, self, &text, 1, V_UNBOUND);
}

static bool incomplete_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value v[2];
    if (!args_bind(vm, "IncompleteReadError.__init__(partial, expected)", args, n, kw, v)) return false;
    int64_t len = obj_len(vm, v[0]);
    if (len < 0) return false;
    str *s = value_is_none(v[1]) ? str_format(vm, "%ld bytes read on a total of undefined expected bytes", len)
                                 : str_format(vm, "%ld bytes read on a total of %R expected bytes", len, v[1]);
    return set_message(vm, self, s) && set_field(vm, self, "partial", v[0]) && set_field(vm, self, "expected", v[1]);
}
static bool overrun_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value v[2];
    if (!args_bind(vm, "LimitOverrunError.__init__(message, consumed)", args, n, kw, v)) return false;
    return exc_slot_init(vm, self, v, 1, V_UNBOUND) && set_field(vm, self, "consumed", v[1]);
}

static value reduce(vm *vm, value self, value first, const char *second)
{
    ROOTS(vm, &first);
    str *name = str_intern_utf8(vm, second, strlen(second));
    value v = name ? obj_getattr(vm, self, name) : V_ERROR;
    tuple *args = value_is_error(v) || value_is_error(first) ? NULL : tuple_pack(vm, 2, first, v);
    tuple *t = args ? tuple_pack(vm, 2, value_obj(type_of(vm, self)), value_obj(args)) : NULL;
    return t ? value_obj(t) : V_ERROR;
}
static value incomplete_reduce(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    str *name = str_intern_utf8(vm, "partial", 7);
    return name ? reduce(vm, a[0], obj_getattr(vm, a[0], name), "expected") : V_ERROR;
}
static value overrun_reduce(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    tuple *args = AS(tuple, AS(exception, a[0])->args);
    return reduce(vm, a[0], args->len ? args->items[0] : V_NONE, "consumed");
}

void exc_streams_init(vm *vm)
{
    static const native_def incomplete[] = {{"__reduce__(self, /)", incomplete_reduce, NULL, 0}, {0}};
    static const native_def overrun[] = {{"__reduce__(self, /)", overrun_reduce, NULL, 0}, {0}};
    type *t = EXC_T(vm, IncompleteReadError);
    t->s.init = incomplete_init;
    t->methods = incomplete;
    t = EXC_T(vm, LimitOverrunError);
    t->s.init = overrun_init;
    t->methods = overrun;
}
