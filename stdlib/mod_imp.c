/* The module _imp: what importlib asks of the VM. */
#include "module_state.h"
#include "vm/frozen.h"
#include "vm/str.h"

#define DOC_FILE stdlib_mod_imp
DOC_BEGIN;

FN(i_is_frozen)
{
    if (!IS_STR(args[0])) return raise_type_error(vm, "is_frozen() argument must be str, not %T", args[0]);
    for (size_t i = 0; i < frozen_module_count; i++)
        if (str_equal_ascii(AS(str, args[0]), frozen_name(&frozen_modules[i])))
            return value_int(frozen_modules[i].is_package ? 2 : 1);
    return value_int(0);
}

FN(i_lock_held) { return V_FALSE; }

static const native_def functions[] = {
    {"is_frozen(name, /)", i_is_frozen,
     DOC("1 if the module is compiled into the library, 2 if it is a package, else 0."), 0},
    {"lock_held()", i_lock_held, DOC("There is no import lock."), 0},
    {0},
};

bool imp_init(vm *vm, module *m) { return module_add_natives(vm, m, functions); }
