/* The smallest host: run a script, call a function of it, print what went wrong. */
#include <aiovm.h>

#include <stdio.h>

static const char script[] = "def greet(name, times=1):\n"
                             "    return ', '.join([f'hello {name}'] * times)\n";

int main(void)
{
    aiovm *vm = aiovm_open(NULL);
    if (!vm) return 1;
    int status = 1;
    aiovm_value greet, args[2], result;
    if (aiovm_eval(vm, script, AIOVM_ZTS, "greet.aio", NULL) == AIOVM_OK &&
        aiovm_get_global(vm, "greet", &greet) == AIOVM_OK && aiovm_text(vm, "world", AIOVM_ZTS, &args[0]) == AIOVM_OK &&
        aiovm_int(vm, 2, &args[1]) == AIOVM_OK && aiovm_call(vm, greet, 2, args, &result) == AIOVM_OK) {
        printf("%s\n", aiovm_to_text(vm, result, NULL));
        status = 0;
    } else {
        fputs(aiovm_error_text(vm), stderr);
    }
    aiovm_close(vm);
    return status;
}
