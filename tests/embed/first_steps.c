/* The smallest embedding: evaluate, call, keep a value, look at errors. */
#include "include/aiovm.h"

#include <stdio.h>
#include <string.h>

static void show(aiovm *vm, const char *source)
{
    aiovm_value v;
    switch (aiovm_eval(vm, source, AIOVM_ZTS, "<host>", &v)) {
    case AIOVM_OK:
        if (aiovm_repr(vm, v, &v) == AIOVM_OK) printf("%s\n", aiovm_to_text(vm, v, NULL));
        break;
    case AIOVM_EXIT: printf("exit %d\n", aiovm_exit_code(vm)); break;
    default: printf("%s: %s\n%s", aiovm_error_type(vm), aiovm_error_message(vm), aiovm_error_text(vm));
    }
}

int main(void)
{
    if (strcmp(aiovm_version(), AIOVM_VERSION) != 0) return 1;
    aiovm_config config = {.size = sizeof config, .flags = AIOVM_VIRTUAL_TIME, .memory_hard = 256 << 20};
    aiovm *vm = aiovm_open(&config);
    if (!vm) return 1;
    show(vm, "6 * 7");
    show(vm, "def f(a, b):\n    return a + b\n");
    show(vm, "1 / 0");
    show(vm, "import sys; sys.exit(3)");
    show(vm, "this was wrong");
    show(vm, "from asyncio import sleep\nawait sleep(3600)\nx = await gather(sleep(1, 'a'), sleep(2, 'b'))\n");
    show(vm, "x");

    aiovm_value f, args[2], v;
    if (aiovm_get_global(vm, "f", &f) != AIOVM_OK) return 1;
    aiovm_ref *keep = aiovm_ref_new(vm, f);
    if (aiovm_int(vm, INT64_C(1) << 60, &args[0]) != AIOVM_OK) return 1;
    args[1] = aiovm_bool(true);
    if (aiovm_call(vm, aiovm_ref_get(keep), 2, args, &v) != AIOVM_OK) return 1;
    printf("%lld\n", (long long)aiovm_to_int(vm, v, -1));
    args[1] = aiovm_float(0.5);
    if (aiovm_call(vm, aiovm_ref_get(keep), 1, args, &v) == AIOVM_ERROR) printf("%s\n", aiovm_error_message(vm));
    aiovm_ref_release(keep);

    if (aiovm_text(vm, "\xc3\xa9t\xc3\xa9", AIOVM_ZTS, &v) != AIOVM_OK || aiovm_set_global(vm, "word", v) != AIOVM_OK)
        return 1;
    show(vm, "[word, len(word)]");
    if (aiovm_text(vm, "\xff", 1, &v) == AIOVM_ERROR) printf("%s\n", aiovm_error_type(vm));
    show(vm, "(lambda n: n)(b'xyz'.hex())");
    return aiovm_close(vm) == AIOVM_OK ? 0 : 1;
}
