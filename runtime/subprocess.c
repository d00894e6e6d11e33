/* The loop's methods that start processes: the work is done by asyncio/base_subprocess.aio. */
#include "runtime/loop.h"
#include "vm/native.h"

static value call_script(vm *vm, const char *function, value *a, uint32_t n, value kw)
{
    str *module = str_from_cstr(vm, "asyncio.base_subprocess"),
        *name = module ? str_intern_utf8(vm, function, strlen(function)) : NULL;
    ROOTS(vm, &name);
    value m = name ? import_module(vm, module) : V_ERROR;
    value f = value_is_error(m) ? m : obj_getattr(vm, m, name);
    if (value_is_error(f)) return f;
    ROOTS(vm, &f);
    return value_is_unbound(kw) ? vm_call(vm, f, a, n) : vm_call_kw(vm, f, a, n, kw);
}
value loop_subprocess_exec(vm *vm, value *a, uint32_t n, value kw)
{
    return call_script(vm, "subprocess_exec", a, n, kw);
}
value loop_subprocess_shell(vm *vm, value *a, uint32_t n, value kw)
{
    return call_script(vm, "subprocess_shell", a, n, kw);
}

/* So much more (or less) work is under way outside that will wake the loop: a virtual clock waits for it. */
value loop_work(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int64_t by;
    if (!int_as_i64(vm, a[1], &by)) return V_ERROR;
    uint64_t *in_flight = &runtime_of(vm)->in_flight;
    *in_flight = by < 0 && (uint64_t)-by > *in_flight ? 0 : *in_flight + (uint64_t)by;
    return V_NONE;
}
