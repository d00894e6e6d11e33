/* The module _weakref: the C half of weakref. */
#include "vm/builtins.h"
#include "vm/list.h"
#include "vm/native.h"
#include "vm/weakref.h"

#define DOC_FILE stdlib_mod_weakref
DOC_BEGIN;

NATIVE(w_proxy) { return weakref_proxy_new(vm, a[0], value_is_unbound(a[1]) ? V_NONE : a[1]); }
NATIVE(w_count) { return value_int(value_is_obj(a[0]) ? weakref_count(vm, a[0]) : 0); }
NATIVE(w_refs)
{
    list *l = value_is_obj(a[0]) ? weakref_list(vm, a[0]) : list_new(vm, 0);
    return l ? value_obj(l) : V_ERROR;
}

static const native_def functions[] = {
    {"proxy(object, callback=None, /)", w_proxy, DOC("Create a proxy object that weakly references 'object'."), 0},
    {"getweakrefcount(object, /)", w_count, DOC("Return the number of weak references to 'object'."), 0},
    {"getweakrefs(object, /)", w_refs, DOC("Return a list of all weak reference objects pointing to 'object'."), 0},
    {0},
};

bool weakref_module_init(vm *vm, module *m);
bool weakref_module_init(vm *vm, module *m)
{
    value ref = value_obj(T(vm, WEAKREF)), proxy = value_obj(T(vm, WEAKPROXY));
    return module_add(vm, m, "ref", ref) && module_add(vm, m, "ReferenceType", ref) &&
           module_add(vm, m, "ProxyType", proxy) &&
           module_add(vm, m, "CallableProxyType", value_obj(T(vm, CALLABLE_PROXY))) &&
           module_add_natives(vm, m, functions);
}
