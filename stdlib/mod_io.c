/* The module _io: StringIO and BytesIO, and the types of open files under their names. The abstract
 * classes are in io.aio.
 *
 * Here is what both streams in memory do in the same way. */
#include "io_module.h"

#include "vm/file.h"
#include "vm/list.h"

bool io_size(vm *vm, value v, int64_t dflt, int64_t *out)
{
    *out = dflt;
    if (value_is_unbound(v) || value_is_none(v)) return true;
    if (!type_of(vm, v)->s.index) {
        raise_type_error(vm, "argument should be integer or None, not '%T'", v);
        return false;
    }
    return args_ssize(vm, v, dflt, out);
}

bool io_whence(vm *vm, value v, int *out) { return args_int(vm, v, 0, out); }

value io_closed_error(vm *vm) { return raise_value_error(vm, "I/O operation on closed file."); }

static bool io_is_closed(vm *vm, value self, int *out)
{
    str *name = str_intern_utf8(vm, "closed", 6);
    ROOTS(vm, &self);
    value v = name ? obj_getattr(vm, self, name) : V_ERROR;
    return !value_is_error(v) && (*out = obj_truth(vm, v)) >= 0;
}

static bool check_open(vm *vm, value self)
{
    int closed;
    if (!io_is_closed(vm, self, &closed)) return false;
    if (closed) io_closed_error(vm);
    return !closed;
}

value io_next_line(vm *vm, value self, unsigned type_id, const char *kind)
{
    value line = vm_call_method(vm, self, N(vm, readline), NULL, 0);
    if (value_is_error(line)) return line;
    if (!value_isa_id(vm, line, type_id))
        return raise(vm, EXC_OSError, "readline() should have returned a %s object, not '%T'", kind, line);
    int64_t n = obj_len(vm, line);
    return n < 0 ? V_ERROR : n == 0 ? V_STOP : line;
}

bool io_restore_dict(vm *vm, value self, value state)
{
    if (value_is_none(state)) return true;
    if (!IS_DICT(state)) {
        raise_type_error(vm, "third item of state should be a dict, got a %T", state);
        return false;
    }
    ROOTS(vm, &self, &state);
    dict *d = object_dict(vm, self);
    return d && dict_update(vm, d, state);
}

value io_iter(vm *vm, value self)
{
    ROOTS(vm, &self);
    return check_open(vm, self) ? self : V_ERROR;
}

#define IO_FN(NAME) \
    value NAME(vm *vm UNUSED_ARG, value *args UNUSED_ARG, uint32_t nargs UNUSED_ARG, value kwnames UNUSED_ARG)

IO_FN(io_enter) { return check_open(vm, args[0]) ? args[0] : V_ERROR; }
IO_FN(io_exit) { return vm_call_method(vm, args[0], N(vm, close), NULL, 0); }
IO_FN(io_flush) { return check_open(vm, args[0]) ? V_NONE : V_ERROR; }
IO_FN(io_isatty) { return check_open(vm, args[0]) ? V_FALSE : V_ERROR; }
IO_FN(io_fileno) { return raise_unsupported(vm, "fileno"); }
IO_FN(io_detach) { return raise_unsupported(vm, "detach"); }

IO_FN(io_readlines)
{
    int64_t hint, total = 0;
    if (!io_size(vm, args[1], -1, &hint)) return V_ERROR;
    list *lines = list_new(vm, 0);
    value it = V_UNBOUND, line;
    ROOTS(vm, &lines, &it);
    if (!lines || value_is_error(it = obj_iter(vm, args[0]))) return V_ERROR;
    for (;;) {
        line = obj_next(vm, it);
        if (value_is_error(line)) return line;
        if (value_is(line, V_STOP) || !list_append(vm, lines, line)) break;
        if (hint > 0) {
            int64_t n = obj_len(vm, line);
            if (n < 0) return V_ERROR;
            if (n > hint - total) break;
            total += n;
        }
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
    return raised(vm) ? V_ERROR : value_obj(lines);
}

IO_FN(io_writelines)
{
    if (!check_open(vm, args[0])) return V_ERROR;
    value it = obj_iter(vm, args[1]), line = V_UNBOUND;
    if (value_is_error(it)) return V_ERROR;
    ROOTS(vm, &it, &line);
    for (;;) {
        line = obj_next(vm, it);
        if (value_is_error(line)) return line;
        if (value_is(line, V_STOP)) return V_NONE;
        if (value_is_error(vm_call_method(vm, args[0], N(vm, write), &line, 1))) return V_ERROR;
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
}

bool io_init(vm *vm, module *m)
{
    ROOTS(vm, &m);
    str *open = str_intern_utf8(vm, "open", 4);
    value v = open ? dict_get_str(vm, vm->builtins, open) : V_ERROR;
    return !value_is_error(v) && module_add(vm, m, "open", v) &&
           module_add(vm, m, "UnsupportedOperation", file_unsupported_type(vm)) &&
           module_add(vm, m, "BlockingIOError", value_obj(EXC_T(vm, BlockingIOError))) &&
           module_add(vm, m, "TextIOWrapper", value_obj(T(vm, TEXTIO))) &&
           module_add(vm, m, "BufferedReader", value_obj(T(vm, BUFFEREDIO))) &&
           module_add(vm, m, "BufferedWriter", value_obj(T(vm, BUFFEREDWRITER))) &&
           module_add(vm, m, "BufferedRandom", value_obj(T(vm, BUFFEREDRANDOM))) &&
           module_add(vm, m, "FileIO", value_obj(T(vm, FILEIO))) &&
           module_add(vm, m, "DEFAULT_BUFFER_SIZE", value_int(8192)) && string_io_add(vm, m) && bytes_io_add(vm, m);
}
