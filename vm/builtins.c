/* The module builtins: which types, exceptions, functions and constants are in it; and the order in which it, the
 * standard files and sys come up. */
#include "builtins.h"
#include "exception.h"
#include "file.h"
#include "import.h"
#include "list.h"
#include "native.h"
#include "str.h"
#include "warn.h"

static const struct {
    const char *name;
    uint16_t id;
} builtin_classes[] = {
    {"bool", TYPE_BOOL},
    {"bytearray", TYPE_BYTEARRAY},
    {"bytes", TYPE_BYTES},
    {"classmethod", TYPE_CLASSMETHOD},
    {"complex", TYPE_COMPLEX},
    {"dict", TYPE_DICT},
    {"enumerate", TYPE_ENUMERATE},
    {"filter", TYPE_FILTER},
    {"float", TYPE_FLOAT},
    {"frozenset", TYPE_FROZENSET},
    {"int", TYPE_INT},
    {"list", TYPE_LIST},
    {"map", TYPE_MAP},
    {"memoryview", TYPE_MEMORYVIEW},
    {"object", TYPE_OBJECT},
    {"property", TYPE_PROPERTY},
    {"range", TYPE_RANGE},
    {"reversed", TYPE_REVERSED},
    {"set", TYPE_SET},
    {"slice", TYPE_SLICE},
    {"staticmethod", TYPE_STATICMETHOD},
    {"str", TYPE_STR},
    {"super", TYPE_SUPER},
    {"tuple", TYPE_TUPLE},
    {"type", TYPE_TYPE},
    {"zip", TYPE_ZIP},
    {"EnvironmentError", EXC_OSError},
    {"IOError", EXC_OSError},
};

static bool add_classes(vm *vm, module *m)
{
    for (size_t i = 0; i < sizeof builtin_classes / sizeof *builtin_classes; i++)
        if (!module_add(vm, m, builtin_classes[i].name, value_obj(vm->types[builtin_classes[i].id]))) return false;
    for (unsigned id = EXC_BaseException; id < TYPE_COUNT; id++) { /* asyncio's own, at the end, are not builtins */
        if (id >= EXC_CancelledError) break;
        type *t = vm->types[id];
        if (!dict_set_str(vm, m->dict, AS(str, t->name), value_obj(t))) return false;
    }
    return true;
}

static bool add_constants(vm *vm, module *m)
{
    return module_add(vm, m, "None", V_NONE) && module_add(vm, m, "Ellipsis", V_ELLIPSIS) &&
           module_add(vm, m, "NotImplemented", V_NOTIMPLEMENTED) && module_add(vm, m, "False", V_FALSE) &&
           module_add(vm, m, "True", V_TRUE) && module_add(vm, m, "__debug__", V_TRUE);
}

static bool add_functions(vm *vm, module *m)
{
    return module_add_natives(vm, m, builtins_objects) && module_add_natives(vm, m, builtins_iteration) &&
           module_add_natives(vm, m, builtins_numbers) && module_add_natives(vm, m, builtins_running) &&
           module_add_natives(vm, m, builtins_printing);
}

value sys_value(vm *vm, str *name)
{
    value sys = vm->modules ? dict_get_str(vm, vm->modules, N(vm, sys)) : V_UNBOUND;
    return value_is_kind(sys, K_MODULE) ? dict_get_str(vm, AS(module, sys)->dict, name) : V_UNBOUND;
}

value sys_attribute(vm *vm, const char *name)
{
    str *s = str_intern_utf8(vm, name, strlen(name));
    if (s) return sys_value(vm, s);
    exc_clear(vm);
    return V_UNBOUND;
}

value sys_get_required(vm *vm, const char *name, const char *lost)
{
    value v = sys_attribute(vm, name);
    if (value_is_unbound(v)) raise(vm, EXC_RuntimeError, "%s", lost);
    return v;
}

bool builtins_open(vm *vm)
{
    str *doc = str_from_cstr(vm, "Built-in functions, types, exceptions, and other objects.");
    module *m = doc ? module_new(vm, N(vm, builtins), value_obj(doc)) : NULL;
    if (!m) return false;
    m->h.flags |= MODULE_BUILTIN;
    vm->builtins = m->dict;
    if (!dict_set_str(vm, m->dict, N(vm, __package__), value_obj(vm->empty_str)) ||
        !dict_set_str(vm, vm->modules, N(vm, builtins), value_obj(m)))
        return false;
    if (!add_constants(vm, m) || !add_classes(vm, m) || !add_functions(vm, m)) return false;
    vm->import_function = dict_get_str(vm, m->dict, N(vm, __import__));
    if (!files_open(vm) || !warnings_open(vm)) return false;
    const struct builtin_module *sys = builtin_find(vm, N(vm, sys));
    return !sys || import_builtin(vm, N(vm, sys), sys);
}

bool sys_set_argv(vm *vm, int argc, char *const *argv)
{
    value sys = dict_get_str(vm, vm->modules, N(vm, sys));
    list *l = list_new(vm, argc > 0 ? (size_t)argc : 0);
    str *errors = str_from_cstr(vm, "surrogateescape");
    if (!l || !errors || !value_is_kind(sys, K_MODULE)) return false;
    for (int i = 0; i < argc; i++) {
        str *s = codec_decode(vm, CODEC_UTF8, (const uint8_t *)argv[i], strlen(argv[i]), value_obj(errors), true, NULL,
                              NULL);
        if (!s || !list_append(vm, l, value_obj(s))) return false;
    }
    return module_add(vm, AS(module, sys), "argv", value_obj(l));
}

void sys_run_exit_functions(vm *vm)
{
    value l = sys_attribute(vm, "_exit_functions");
    ROOTS(vm, &l);
    while (IS_LIST(l) && AS(list, l)->len) {
        list *functions = AS(list, l);
        value f = functions->items[functions->len - 1];
        ROOTS(vm, &f);
        list_truncate(vm, functions, functions->len - 1);
        if (value_is_error(vm_call0(vm, f))) exc_report_unraisable(vm, f);
    }
}

void builtins_close(vm *vm)
{
    files_close(vm);
    warnings_close(vm);
    source_close(vm);
    import_close(vm);
}
