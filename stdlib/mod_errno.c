/* The module errno: the numbers of system errors, by name and by number. */
#include "module_state.h"

#include <errno.h>

static const struct {
    const char *name;
    int number;
} numbers[] = {
#define ERRNO(NAME, TEXT) {#NAME, NAME},
#include "vm/os_error.def"
#undef ERRNO
    /* second names last: where errorcode shows them, it is instead of the first */
    {"EWOULDBLOCK", EWOULDBLOCK},
    {"EDEADLOCK", EDEADLOCK},
    {"ENOTSUP", ENOTSUP},
};

bool errno_init(vm *vm, module *m)
{
    dict *codes = dict_new(vm);
    ROOTS(vm, &m, &codes);
    if (!codes || !module_add(vm, m, "errorcode", value_obj(codes))) return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *name = numbers[i].name;
        value number = value_int(numbers[i].number);
        str *s = str_intern_utf8(vm, name, strlen(name));
        if (!s || !module_add(vm, m, name, number)) return false;
        if (numbers[i].number == EWOULDBLOCK && EAGAIN == EWOULDBLOCK && strcmp(name, "EAGAIN") != 0) continue;
        if (!dict_set(vm, codes, number, value_obj(s))) return false;
    }
    return true;
}
