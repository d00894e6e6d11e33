/* The module _warnings: the C half of warnings. */
#include "vm/builtins.h"
#include "vm/list.h"
#include "vm/native.h"
#include "vm/str.h"
#include "vm/warn.h"

#define DOC_FILE stdlib_mod_warnings
DOC_BEGIN;

/* The category: given, or that of a message that is a Warning; UserWarning else. */
static value category_of(vm *vm, value message, value category)
{
    if (value_isa_id(vm, message, EXC_Warning)) return value_obj(type_of(vm, message));
    if (value_is_unbound(category) || value_is_none(category)) return value_obj(EXC_T(vm, UserWarning));
    if (IS_TYPE(category) && type_is_subtype(AS(type, category), EXC_T(vm, Warning))) return category;
    return raise_type_error(vm, "category must be a Warning subclass, not '%T'", category);
}

NATIVE(w_warn)
{
    int64_t level = 1;
    value category = category_of(vm, a[0], a[1]);
    if (value_is_error(category)) return V_ERROR;
    if (!value_is_unbound(a[2]) && !obj_as_index(vm, a[2], &level, EXC_OverflowError)) return V_ERROR;
    uint32_t up = level <= 1 ? 0 : level > UINT32_MAX ? UINT32_MAX : (uint32_t)(level - 1);
    return warn_at_caller(vm, category, a[0], up, value_is_unbound(a[3]) ? V_NONE : a[3]) ? V_NONE : V_ERROR;
}

NATIVE(w_warn_explicit)
{
    int64_t line;
    value category = category_of(vm, a[0], a[1]);
    if (value_is_error(category)) return V_ERROR;
    if (!IS_STR(a[2])) return raise_type_error(vm, "warn_explicit() argument 3 must be str, not %A", a[2]);
    if (!obj_as_index(vm, a[3], &line, EXC_OverflowError)) return V_ERROR;
    value registry = value_is_unbound(a[5]) ? V_NONE : a[5];
    if (!value_is_none(registry) && !IS_DICT(registry))
        return raise_type_error(vm, "'registry' must be a dict or None");
    str *module = IS_STR(a[4]) ? AS(str, a[4]) : NULL;
    return warn_issue(vm, category, a[0], AS(str, a[2]), line > 0 && line < INT32_MAX ? (uint32_t)line : 0, module,
                      registry, value_is_unbound(a[7]) ? V_NONE : a[7])
               ? V_NONE
               : V_ERROR;
}

NATIVE(w_filters_mutated)
{
    (void)a;
    warnings_filters_changed(vm);
    return V_NONE;
}

/* The filters become what the argument, a list, holds: warnings.filters was bound to another list. */
NATIVE(w_set_filters)
{
    if (!IS_LIST(a[0])) return raise_type_error(vm, "warnings.filters must be a list");
    vm->warning_filters = AS(list, a[0]);
    warnings_filters_changed(vm);
    return V_NONE;
}

static const native_def functions[] = {
    {"warn(message, category=None, stacklevel=1, source=None)", w_warn,
     DOC("Issue a warning, or maybe ignore it or raise an exception."), 0},
    {"warn_explicit(message, category, filename, lineno, module=None, registry=None, module_globals=None, source=None)",
     w_warn_explicit, DOC("Issue a warning for a place, or maybe ignore it or raise an exception."), 0},
    {"_filters_mutated()", w_filters_mutated, NULL, 0},
    {"_set_filters(filters, /)", w_set_filters, NULL, 0},
    {0},
};

bool warnings_module_init(vm *vm, module *m);
bool warnings_module_init(vm *vm, module *m)
{
    return module_add(vm, m, "filters", value_obj(warnings_filters(vm))) &&
           module_add(vm, m, "_onceregistry", value_obj(warnings_once(vm))) && module_add_natives(vm, m, functions);
}
