/* builtins: print and input. */
#include "builtins.h"
#include "file.h"
#include "native.h"
#include "str.h"

#define DOC_FILE vm_builtins_print
DOC_BEGIN;

/* A separator argument: None and absent mean the default. false: raised. */
static bool separator(vm *vm, value v, const char *name, str **out)
{
    if (value_is_unbound(v) || value_is_none(v)) return true;
    if (!IS_STR(v)) {
        raise_type_error(vm, "%s must be None or a string, not %T", name, v);
        return false;
    }
    *out = AS(str, v);
    return true;
}

NATIVE(b_print)
{
    value sep = V_UNBOUND, end = V_UNBOUND, file = V_NONE, flush = V_FALSE;
    size_t nkw = value_is_unbound(kw) ? 0 : AS(tuple, kw)->len;
    for (size_t i = 0; i < nkw; i++) {
        str *k = AS(str, AS(tuple, kw)->items[i]);
        if (str_eq(k, N(vm, sep))) sep = a[n + i];
        else if (str_eq(k, N(vm, end))) end = a[n + i];
        else if (str_eq(k, N(vm, file))) file = a[n + i];
        else if (str_eq(k, N(vm, flush))) flush = a[n + i];
        else return raise_type_error(vm, "'%U' is an invalid keyword argument for print()", value_obj(k));
    }
    str *sep_text = NULL, *end_text = NULL;
    if (value_is_none(file)) {
        file = sys_value(vm, N(vm, stdout));
        if (value_is_unbound(file)) return raise(vm, EXC_RuntimeError, "lost sys.stdout");
        if (value_is_none(file)) return V_NONE;
    }
    if (!separator(vm, sep, "sep", &sep_text) || !separator(vm, end, "end", &end_text)) return V_ERROR;
    ROOTS(vm, &file);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 && !(sep_text ? file_put(vm, file, sep_text) : file_put_char(vm, file, ' '))) return V_ERROR;
        if (value_is_int(a[i])) {
            if (!file_put_int(vm, file, value_as_int(a[i]))) return V_ERROR;
            continue;
        }
        str *s = value_is_exact(a[i], TYPE_STR) ? AS(str, a[i]) : obj_str(vm, a[i]);
        if (!s || !file_put(vm, file, s)) return V_ERROR;
    }
    if (!(end_text ? file_put(vm, file, end_text) : file_put_char(vm, file, '\n'))) return V_ERROR;
    if (value_is(flush, V_FALSE)) return V_NONE;
    int now = obj_truth(vm, flush);
    if (now < 0 || (now && !file_flush(vm, file))) return V_ERROR;
    return V_NONE;
}

NATIVE(b_input)
{
    value in = sys_get_required(vm, "stdin", "input(): lost sys.stdin");
    value out = value_is_unbound(in) ? in : sys_get_required(vm, "stdout", "input(): lost sys.stdout");
    if (value_is_unbound(out)) return V_ERROR;
    if (value_is_none(in)) return raise(vm, EXC_RuntimeError, "input(): lost sys.stdin");
    if (value_is_none(out)) return raise(vm, EXC_RuntimeError, "input(): lost sys.stdout");
    if (!vm_blocking(vm, "input()", "await asyncio.to_thread(input)")) return V_ERROR;
    ROOTS(vm, &in, &out);
    value err = sys_attribute(vm, "stderr");
    if (!value_is_unbound(err) && !value_is_none(err) && !file_flush(vm, err)) exc_clear(vm);
    if (!value_is_unbound(a[0])) {
        str *prompt = obj_str(vm, a[0]);
        if (!prompt || !file_put(vm, out, prompt)) return V_ERROR;
    }
    if (!file_flush(vm, out)) exc_clear(vm);
    value line = vm_call_method(vm, in, N(vm, readline), NULL, 0);
    if (value_is_error(line)) return V_ERROR;
    if (!IS_STR(line)) return raise_type_error(vm, "object.readline() returned non-string");
    str *s = AS(str, line);
    if (s->len == 0) return raise(vm, EXC_EOFError, "EOF when reading a line");
    if (str_at(s, s->len - 1) == '\n') s = str_substr(vm, s, 0, s->len - 1);
    return s ? value_obj(s) : V_ERROR;
}

const native_def builtins_printing[] = {
    {"print(*args, sep=' ', end='\\n', file=None, flush=False)", b_print,
     DOC("Prints the values to a stream, or to sys.stdout by default."), NATIVE_RAW},
    {"input(prompt='', /)", b_input, DOC("Read a string from standard input. The trailing newline is stripped."), 0},
    {0},
};
