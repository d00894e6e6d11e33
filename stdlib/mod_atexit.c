/* The module atexit: functions that run, last first, when the program ends.
 *
 * They are kept in one list of [function, args, kwargs]; the first registration puts _run_exitfuncs
 * among what the VM calls at its end (sys._exit_functions). */
#include "module_state.h"
#include "vm/builtins.h"
#include "vm/dict.h"
#include "vm/file.h"
#include "vm/list.h"
#include "vm/warn.h"

#define DOC_FILE stdlib_mod_atexit
DOC_BEGIN;

static list *entries(vm *vm, bool make)
{
    value v = module_state_get(vm, STATE_ATEXIT);
    if (!value_is_unbound(v) || !make) return value_is_unbound(v) ? NULL : AS(list, v);
    list *l = list_new(vm, 4);
    return l && module_state_set(vm, STATE_ATEXIT, value_obj(l)) ? l : NULL;
}

FN(a_run_exitfuncs)
{
    list *l = entries(vm, false);
    value e = V_UNBOUND;
    ROOTS(vm, &l, &e);
    while (l && l->len) {
        e = l->items[l->len - 1];
        list_truncate(vm, l, l->len - 1);
        value *part = AS(tuple, e)->items;
        if (value_is_error(vm_call_ex(vm, part[0], part[1], part[2])))
            exc_report_unraisable_in(vm, "in atexit callback", AS(tuple, e)->items[0]);
    }
    return V_NONE;
}

/* sys._exit_functions gets our runner at the first registration, and again when it has run. */
static bool arm(vm *vm)
{
    value l = sys_attribute(vm, "_exit_functions");
    if (!IS_LIST(l)) return true;
    str *module_name = str_intern_utf8(vm, "atexit", 6), *name = str_intern_utf8(vm, "_run_exitfuncs", 14);
    if (!module_name || !name) return false;
    value m = dict_get_str(vm, vm->modules, module_name);
    value f = value_is_kind(m, K_MODULE) ? dict_get_str(vm, AS(module, m)->dict, name) : V_UNBOUND;
    if (value_is_unbound(f)) return !raised(vm);
    for (size_t i = 0; i < AS(list, l)->len; i++)
        if (value_is(AS(list, l)->items[i], f)) return true;
    return list_insert(vm, AS(list, l), 0, f);
}

FN(a_register)
{
    if (nargs == 0) return raise_type_error(vm, "register() takes at least 1 argument (0 given)");
    if (!obj_is_callable(vm, args[0])) return raise_type_error(vm, "the first argument must be callable");
    list *l = entries(vm, true);
    tuple *pos = l ? tuple_from(vm, args + 1, nargs - 1) : NULL;
    dict *kw = NULL;
    if (!pos) return V_ERROR;
    if (!value_is_unbound(kwnames)) {
        if (!(kw = dict_new(vm))) return V_ERROR;
        for (size_t i = 0; i < AS(tuple, kwnames)->len; i++)
            if (!dict_set(vm, kw, AS(tuple, kwnames)->items[i], args[nargs + i])) return V_ERROR;
    }
    tuple *e = tuple_pack(vm, 3, args[0], value_obj(pos), kw ? value_obj(kw) : V_UNBOUND);
    return e && list_append(vm, l, value_obj(e)) && arm(vm) ? args[0] : V_ERROR;
}

FN(a_unregister)
{
    list *l = entries(vm, false);
    ROOTS(vm, &l);
    for (size_t i = l ? l->len : 0; i-- > 0;) {
        if (i >= l->len) continue; /* the comparison took some away */
        value e = l->items[i];
        int same = value_equal(vm, AS(tuple, e)->items[0], args[0]);
        if (same < 0) return V_ERROR;
        if (!same || i >= l->len || !value_is(l->items[i], e)) continue;
        memmove(l->items + i, l->items + i + 1, (l->len - i - 1) * sizeof *l->items);
        list_truncate(vm, l, l->len - 1);
        list_moved(vm, l);
    }
    return V_NONE;
}

FN(a_clear)
{
    list *l = entries(vm, false);
    if (l) list_clear(vm, l);
    return V_NONE;
}

FN(a_ncallbacks)
{
    const list *l = entries(vm, false);
    return value_int(l ? (int64_t)l->len : 0);
}

static const native_def functions[] = {
    {"register(func, *args, **kwargs)", a_register,
     DOC("Register a function to be executed upon normal program termination."), NATIVE_RAW},
    {"unregister(func, /)", a_unregister,
     DOC("Unregister an exit function which was previously registered using atexit.register."), 0},
    {"_run_exitfuncs()", a_run_exitfuncs, DOC("Run all registered exit functions."), 0},
    {"_clear()", a_clear, DOC("Clear the list of previously registered exit functions."), 0},
    {"_ncallbacks()", a_ncallbacks, DOC("Return the number of registered exit functions."), 0},
    {0},
};

bool atexit_init(vm *vm, module *m) { return module_add_natives(vm, m, functions); }
