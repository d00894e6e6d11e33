/* Compile once, save, load; damaged and foreign bytecode is refused. Each byte of a saved program is changed in turn.
 */
#include "check.h"

static const char program[] = "import asyncio\n"
                              "def h(x, *, y=2.5, **kw):\n"
                              "    'doc'\n"
                              "    return (x, y, 'é\\u4e2d\\U0001f600\\ud800', b'z\\0', 10**30, "
                              "123456789012345678901234567890, -5, 1j, x in {3, 4}, (1, (2,), ...))\n"
                              "class K:\n"
                              "    a: int = 1\n"
                              "    def m(self): return lambda: (self, K)\n"
                              "async def agen(n):\n"
                              "    for i in range(n):\n"
                              "        yield i\n"
                              "        await asyncio.sleep(0)\n"
                              "async def main():\n"
                              "    try:\n"
                              "        return [x async for x in agen(3)]\n"
                              "    except* ValueError as e: pass\n"
                              "    finally: pass\n"
                              "match [1, 2]:\n"
                              "    case [a, *rest]: matched = rest\n"
                              "result = h(4), K().m()()[0].a, await main(), matched, [i for i in range(3) if i]\n";

static size_t save(aiovm *vm, const char *source, char **out)
{
    aiovm_value code, saved;
    size_t n;
    OK(aiovm_compile(vm, source, AIOVM_ZTS, "saved.aio", &code));
    OK(aiovm_eval_code(vm, code, NULL)); /* what it learns when it runs is not saved */
    OK(aiovm_compile(vm, source, AIOVM_ZTS, "saved.aio", &code));
    OK(aiovm_save(vm, code, &saved));
    const char *p = aiovm_to_text(vm, saved, &n);
    *out = malloc(n);
    memcpy(*out, p, n);
    return n;
}

static void saving(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    char *data, *second;
    aiovm_value code, v;
    size_t n = save(vm, program, &data);
    aiovm *other = open_with(0);
    size_t m = save(other, program, &second);
    CHECK(n == m && memcmp(data, second, n) == 0); /* the same program, the same bytes */
    free(second);
    CHECK_STATUS(aiovm_close(other), AIOVM_OK);
    OK(aiovm_eval(vm, "result", AIOVM_ZTS, NULL, &v));
    OK(aiovm_repr(vm, v, &v));
    char *expected = strdup(aiovm_to_text(vm, v, NULL));
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);

    vm = open_with(0);
    OK(aiovm_load(vm, data, n, &code));
    aiovm_ref *keep = aiovm_ref_new(vm, code);
    CHECK(keep);
    for (int i = 0; i < 3; i++) {
        OK(run(vm, "result = None"));
        OK(aiovm_eval_code(vm, aiovm_ref_get(keep), NULL));
        CHECK(evals_to(vm, "result", expected));
    }
    OK(aiovm_save(vm, aiovm_ref_get(keep), &v)); /* after it has run */
    size_t again;
    const char *p = aiovm_to_text(vm, v, &again);
    CHECK(p && again == n && memcmp(p, data, n) == 0);
    aiovm_ref_release(keep);
    FAILS(aiovm_eval_code(vm, aiovm_none(), NULL), "TypeError", "a code object was expected, not NoneType");
    FAILS(aiovm_save(vm, aiovm_none(), &v), "TypeError", "a code object was expected, not NoneType");
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
    free(data);
    free(expected);
}

static void damage(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    char *data;
    aiovm_value v;
    size_t n = save(vm, program, &data);
    FAILS(aiovm_load(vm, "", 0, &v), "ValueError", "this is no saved code");
    data[9] ^= 1;
    FAILS(aiovm_load(vm, data, n, &v), "ValueError", "the code was saved by another version of the library");
    data[9] ^= 1;
    FAILS(aiovm_load(vm, data, n - 1, &v), "ValueError", "the saved code is damaged: its length is wrong");
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit += 3) {
            data[i] ^= (char)(1 << bit);
            CHECK_STATUS(aiovm_load(vm, data, n, &v), AIOVM_ERROR);
            data[i] ^= (char)(1 << bit);
        }
        if (i % 7 == 0) CHECK_STATUS(aiovm_load(vm, data, i, &v), AIOVM_ERROR);
    }
    OK(aiovm_load(vm, data, n, &v));
    CHECK_STATUS(aiovm_compile(vm, "def f(:", AIOVM_ZTS, NULL, &v), AIOVM_ERROR);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
    free(data);
}

PARTS(PART(saving), PART_WITHOUT_FAULTS(damage))
