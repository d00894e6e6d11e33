#include <aiovm.h>
#include <stdio.h>

int main(void)
{
    aiovm *vm = aiovm_open(NULL);
    aiovm_value f, args[2], v;
    if (!vm) return 1;
    aiovm_eval(vm, "def area(w, h):\n    return w * h / 0\n", AIOVM_ZTS, "area.aio", NULL);
    aiovm_get_global(vm, "area", &f);
    aiovm_int(vm, 6, &args[0]);
    args[1] = aiovm_float(7.0);
    if (aiovm_call(vm, f, 2, args, &v) != AIOVM_OK) {
        aiovm_frame where;
        aiovm_error_where(vm, &where);
        printf("%s: %s (%s, line %d, column %d)\n", aiovm_error_type(vm), aiovm_error_message(vm), where.file, where.line,
               where.column);
        fputs(aiovm_error_text(vm), stdout);
    }
    aiovm_close(vm);
    return 0;
}
