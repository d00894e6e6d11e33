/* The public C API: where output and reports go, and where modules come from. */
#include "runtime/api.h"

#include "vm/caps.h"
#include "vm/file.h"
#include "vm/import.h"
#include "vm/str.h"

/* ---- output ---- */

static bool sink_write(void *ud, int fd, const void *p, size_t n)
{
    api *a = api_of(ud);
    a->output += n;
    if (!a->config.output_fn) return false;
    a->in_sweep++; /* it must not call back */
    a->config.output_fn(a->config.sink_ud, fd, p, n);
    a->in_sweep--;
    return true;
}

static bool sink_admit(void *ud, size_t n)
{
    api *a = api_of(ud);
    return !a->config.output || n <= a->config.output - a->output;
}

static bool sink_report(void *ud, const char *text, size_t n)
{
    api *a = api_of(ud);
    if (!a->config.report_fn) return false;
    a->in_sweep++;
    a->config.report_fn(a->config.sink_ud, text, n);
    a->in_sweep--;
    return true;
}

/* ---- modules ---- */

static bool is_listed(char **names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0) return true;
    return false;
}

/* The library imports for its own needs what it likes: only a script's own imports are checked. */
static bool imported_by_library(vm *vm)
{
    dict *globals = frame_current_globals(vm);
    value name = globals ? dict_get_str(vm, globals, N(vm, __name__)) : V_UNBOUND;
    value m = IS_STR(name) ? dict_get_str(vm, vm->modules, AS(str, name)) : V_UNBOUND;
    return value_is_kind(m, K_MODULE) && AS(module, m)->dict == globals && (value_as_obj(m)->flags & MODULE_FROZEN);
}

static bool import_allowed(vm *vm, const char *name)
{
    api *a = api_of(vm);
    return !a->modules || is_listed(a->modules, name) || imported_by_library(vm);
}

static int import_load(vm *vm, str *name, struct module_source *out)
{
    api *a = api_of(vm);
    const char *text = str_utf8(vm, name, NULL);
    aiovm_source src = {0};
    if (!text) return -1;
    a->no_script++;
    bool ok = a->config.load(a->config.load_ud, text, &src);
    a->no_script--;
    if (!ok) {
        raise(vm, EXC_ImportError, "the host could not load module '%U'", value_obj(name));
        return -1;
    }
    if (!src.text) return 0;
    size_t n = src.length == AIOVM_ZTS ? strlen(src.text) : src.length;
    *out = (struct module_source){.size = n + 1, .length = n, .is_package = src.is_package};
    out->text = n < SIZE_MAX ? mem_alloc(vm, n + 1) : NULL;
    out->file = src.file ? api_text(vm, src.file, AIOVM_ZTS) : str_format(vm, "<host %U>", value_obj(name));
    if (out->text) {
        memcpy(out->text, src.text, n);
        out->text[n] = 0;
    }
    if (src.release) src.release(a->config.load_ud, &src);
    if (out->text && out->file) return 1;
    if (!raised(vm)) raise_memory(vm);
    mem_free(vm, out->text, out->size);
    return -1;
}

bool api_sinks_open(vm *vm)
{
    api *a = api_of(vm);
    file_state *st = file_state_of(vm);
    a->terminal = (file_terminal){.write = sink_write, .admit = sink_admit, .report = sink_report, .ud = vm};
    st->terminal = &a->terminal;
    vm->import_allowed = import_allowed;
    if (a->config.load) vm->import_load = import_load;
    value sys = dict_get_str(vm, vm->modules, N(vm, sys));
    if (!(vm->caps & (CAP_FS | CAP_PROCESS | CAP_ENV)) && value_is_kind(sys, K_MODULE) &&
        !module_add(vm, AS(module, sys), "executable", value_obj(vm->empty_str)))
        return false;
    if (a->config.flags & AIOVM_STDIN) return true;
    st->std[0] = NULL;
    return value_is_kind(sys, K_MODULE) && module_add(vm, AS(module, sys), "stdin", V_NONE) &&
           module_add(vm, AS(module, sys), "__stdin__", V_NONE);
}
