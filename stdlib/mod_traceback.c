/* The module _traceback: what traceback asks the VM, so that both print alike. */
#include "module_state.h"
#include "vm/exception.h"
#include "vm/str.h"

#define DOC_FILE stdlib_mod_traceback
DOC_BEGIN;

FN(t_anchors)
{
    int64_t start, end;
    size_t left, right;
    if (!IS_STR(args[0])) return raise_type_error(vm, "anchors() argument 1 must be str");
    if (!int_as_i64(vm, args[1], &start) || !int_as_i64(vm, args[2], &end)) return V_ERROR;
    str *line = str_plain(AS(str, args[0]));
    if (start < 0 || end < start || (size_t)end > line->len ||
        !exc_anchors(vm, line, (size_t)start, (size_t)end, &left, &right))
        return raised(vm) ? V_ERROR : V_NONE;
    return value_obj(tuple_pack(vm, 2, value_int((int64_t)left), value_int((int64_t)right)));
}

FN(t_source_line)
{
    int64_t line;
    if (!IS_STR(args[0])) return raise_type_error(vm, "source_line() argument 1 must be str");
    if (!int_as_i64(vm, args[1], &line)) return V_ERROR;
    str *s = line > 0 && line < UINT32_MAX ? source_line(vm, str_plain(AS(str, args[0])), (uint32_t)line) : NULL;
    return s ? value_obj(s) : value_obj(vm->empty_str);
}

static const native_def functions[] = {
    {"anchors(line, start, end, /)", t_anchors,
     DOC("The columns of what an error in line[start:end] is about, or None."), 0},
    {"source_line(filename, line, /)", t_source_line, DOC("A line of code that came from no file, or of a file."), 0},
    {0},
};

bool traceback_module_init(vm *vm, module *m) { return module_add_natives(vm, m, functions); }
