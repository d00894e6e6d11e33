/* The public C API: running source, code objects, functions and coroutines; globals and imports. */
#include "runtime/api.h"

#include "vm/code.h"
#include "vm/codec.h"
#include "vm/exception.h"
#include "vm/import.h"
#include "vm/list.h"

#define ENTER(KIND, OUT)                                 \
    vm *vm = inside(host);                               \
    API_COME_IN(vm);                                     \
    aiovm_status status_ = api_enter(vm, (KIND), (OUT)); \
    if (status_) return status_

dict *api_main(vm *vm)
{
    if (value_is_kind(vm->main_module, K_MODULE)) return AS(module, vm->main_module)->dict;
    module *m = module_new(vm, N(vm, __main__), V_NONE);
    if (!m || !dict_set_str(vm, vm->modules, N(vm, __main__), value_obj(m))) return NULL;
    value builtins = dict_get_str(vm, vm->modules, N(vm, builtins));
    if (!dict_set_str(vm, m->dict, N(vm, __builtins__), builtins)) return NULL;
    vm->main_module = value_obj(m);
    return m->dict;
}

/* ---- source ---- */

/* As an expression if it is one, else as statements. NULL: raised. */
static code *compile_any(vm *vm, const char *source, size_t n, const char *name)
{
    str *file = api_text(vm, name ? name : "<host>", AIOVM_ZTS);
    if (!file) return NULL;
    ROOTS(vm, &file);
    if (!source_register(vm, file, source, n)) {
        if (raised(vm)) exc_clear(vm); /* tracebacks do without the lines */
    }
    code *c = compile_source(vm, source, n, file, COMPILE_EVAL, COMPILE_TOP_AWAIT, NULL);
    if (c || !exc_matches(vm, EXC_SyntaxError)) return c;
    exc_clear(vm);
    return compile_source(vm, source, n, file, COMPILE_FILE, COMPILE_TOP_AWAIT, NULL);
}

/* *pending: the value is a task of the host's loop. */
static value run_code(vm *vm, code *c, bool *pending)
{
    *pending = false;
    dict *globals = api_main(vm);
    if (!globals) return V_ERROR;
    value v = interp_run_code(vm, c, globals, V_UNBOUND);
    if (value_is_error(v) || !(c->flags & CODE_COROUTINE)) return v;
    runtime *rt = runtime_of(vm);
    if (!rt->host_driven) {
        if (!loop_running(vm)) return runner_run_main(vm, v, -1);
    }
    ROOTS(vm, &v);
    loop *l = api_loop(vm);
    if (!l) return V_ERROR;
    *pending = true;
    return loop_create_task(vm, l, v, V_UNBOUND, V_UNBOUND);
}

/* From a native function inside a running task, eval may not wait: it makes a task there, too. */
static aiovm_status leave_code(vm *vm, value v, bool pending, aiovm_value *out)
{
    aiovm_status status = api_leave(vm, API_OUTER, v, out);
    return status == AIOVM_OK && pending ? AIOVM_PENDING : status;
}

/* eval and call may come from inside; from outside their result takes the place of what was given out before. */
static int outer_or_script(vm *vm) { return api_is_inside(vm) ? API_SCRIPT : API_OUTER; }

aiovm_status aiovm_eval(aiovm *host, const char *source, size_t length, const char *name, aiovm_value *out)
{
    if (!source) return api_invalid(out);
    ENTER(outer_or_script(vm), out);
    bool pending = false;
    code *c = compile_any(vm, source, length == AIOVM_ZTS ? strlen(source) : length, name);
    ROOTS(vm, &c);
    value v = c ? run_code(vm, c, &pending) : V_ERROR;
    return leave_code(vm, v, pending, out);
}

aiovm_status aiovm_compile(aiovm *host, const char *source, size_t length, const char *name, aiovm_value *out)
{
    if (!source) return api_invalid(out);
    ENTER(API_SCRIPT, out);
    code *c = compile_any(vm, source, length == AIOVM_ZTS ? strlen(source) : length, name);
    return api_leave(vm, API_SCRIPT, c ? value_obj(c) : V_ERROR, out);
}

aiovm_status aiovm_eval_code(aiovm *host, aiovm_value code_, aiovm_value *out)
{
    ENTER(outer_or_script(vm), out);
    bool pending = false;
    value c = from_host(code_), v;
    ROOTS(vm, &c);
    if (!api_present(vm, c)) v = V_ERROR;
    else if (!value_is_kind(c, K_CODE)) v = raise_type_error(vm, "a code object was expected, not %T", c);
    else if (AS(code, c)->nfree) v = raise_type_error(vm, "a code object with free variables can't be run by itself");
    else v = run_code(vm, AS(code, c), &pending);
    return leave_code(vm, v, pending, out);
}

aiovm_status aiovm_save(aiovm *host, aiovm_value code_, aiovm_value *out)
{
    ENTER(API_PLAIN, out);
    value c = from_host(code_);
    bytes *b = NULL;
    if (value_is_kind(c, K_CODE)) b = code_save(vm, AS(code, c));
    else if (api_present(vm, c)) raise_type_error(vm, "a code object was expected, not %T", c);
    return api_leave(vm, API_PLAIN, b ? value_obj(b) : V_ERROR, out);
}

aiovm_status aiovm_load(aiovm *host, const void *data, size_t length, aiovm_value *out)
{
    if (!data) return api_invalid(out);
    ENTER(API_PLAIN, out);
    code *c = code_load(vm, data, length);
    return api_leave(vm, API_PLAIN, c ? value_obj(c) : V_ERROR, out);
}

/* ---- calls ---- */

/* The arguments in a list: the host's array is its own. NULL: raised. */
static list *arguments(vm *vm, int argc, const aiovm_value *argv)
{
    for (int i = 0; i < argc; i++) {
        if (argv[i].bits) continue;
        raise_value_error(vm, "argument %d is absent", i);
        return NULL;
    }
    return list_from(vm, (const value *)(const void *)argv, (size_t)argc);
}

aiovm_status aiovm_call(aiovm *host, aiovm_value callable, int argc, const aiovm_value *argv, aiovm_value *out)
{
    if (argc < 0 || (argc && !argv)) return api_invalid(out);
    ENTER(outer_or_script(vm), out);
    value f = from_host(callable);
    list *args = arguments(vm, argc, argv);
    ROOTS(vm, &args, &f);
    value v = V_ERROR;
    if (args && value_is_unbound(f)) v = raise_value_error(vm, "the callable is absent");
    else if (args) v = vm_call(vm, f, args->items, (uint32_t)args->len);
    return api_leave(vm, API_OUTER, v, out);
}

aiovm_status aiovm_call_method(aiovm *host, aiovm_value o, const char *name, int argc, const aiovm_value *argv,
                               aiovm_value *out)
{
    if (!name || argc < 0 || (argc && !argv)) return api_invalid(out);
    ENTER(outer_or_script(vm), out);
    value self = from_host(o);
    list *args = arguments(vm, argc, argv);
    ROOTS(vm, &args, &self);
    str *s = args ? api_text(vm, name, AIOVM_ZTS) : NULL;
    s = s ? str_intern(vm, s) : NULL;
    value v = V_ERROR;
    if (s && value_is_unbound(self)) v = raise_value_error(vm, "the object is absent");
    else if (s) v = vm_call_method(vm, self, s, args->items, (uint32_t)args->len);
    return api_leave(vm, API_OUTER, v, out);
}

aiovm_status aiovm_run(aiovm *host, aiovm_value coroutine, aiovm_value *out)
{
    ENTER(API_OUTER, out);
    runtime *rt = runtime_of(vm);
    value c = from_host(coroutine), v;
    ROOTS(vm, &c);
    if (!api_present(vm, c)) {
        v = V_ERROR;
    } else if (!rt->host_driven) {
        v = runner_run_main(vm, c, -1);
    } else {
        vm_slice_begin(vm, 0);
        value task = future_is(c) ? c : loop_create_task(vm, rt->host_loop, c, V_UNBOUND, V_UNBOUND);
        v = value_is_error(task) ? V_ERROR : loop_run_until_complete(vm, rt->host_loop, task);
    }
    return api_leave(vm, API_OUTER, v, out);
}

/* ---- globals and modules ---- */

aiovm_status aiovm_get_global(aiovm *host, const char *name, aiovm_value *out)
{
    if (!name) return api_invalid(out);
    ENTER(API_PLAIN, out);
    dict *d = api_main(vm);
    str *s = d ? api_text(vm, name, AIOVM_ZTS) : NULL;
    value v = s ? dict_get_str(vm, d, s) : V_ERROR;
    if (s && value_is_unbound(v)) v = dict_get_str(vm, vm->builtins, s);
    if (s && value_is_unbound(v)) v = raise(vm, EXC_NameError, "name '%U' is not defined", value_obj(s));
    return api_leave(vm, API_PLAIN, v, out);
}

aiovm_status aiovm_set_global(aiovm *host, const char *name, aiovm_value v)
{
    if (!name) return AIOVM_INVALID;
    ENTER(API_PLAIN, NULL);
    dict *d = api_main(vm);
    str *s = d ? api_text(vm, name, AIOVM_ZTS) : NULL;
    s = s ? str_intern(vm, s) : NULL;
    return api_finish(vm, API_PLAIN, s && api_present(vm, from_host(v)) && dict_set_str(vm, d, s, from_host(v)));
}

aiovm_status aiovm_import(aiovm *host, const char *name, aiovm_value *out)
{
    if (!name) return api_invalid(out);
    ENTER(API_SCRIPT, out);
    str *s = api_text(vm, name, AIOVM_ZTS);
    s = s ? str_intern(vm, s) : NULL;
    return api_leave(vm, API_SCRIPT, s ? import_module(vm, s) : V_ERROR, out);
}
