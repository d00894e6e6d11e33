/* Bytecode that was damaged behind its checksum's back: reading it must end in a code object or an error, never in a
 * crash. What was read is not run. Linked with the library's objects, for the checksum.
 *
 *     bytecode_fuzz [ROUNDS [SEED]] */
#include "check.h"

#include "vm/str.h"

enum { HEAD = 40 };

static uint64_t state = 88172645463325252u;
static uint32_t next(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % n;
}

static void seal(uint8_t *p, size_t n)
{
    static const uint64_t keys[2][2] = {{1, 2}, {3, 4}};
    uint64_t length = n - HEAD, sum[2];
    for (int i = 0; i < 2; i++) sum[i] = siphash13(keys[i], p + HEAD, n - HEAD);
    memcpy(p + 16, sum, 16);
    memcpy(p + 32, &length, 8);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 20000, loaded = 0, refused = 0;
    if (argc > 2) state ^= (uint64_t)atoi(argv[2]) << 20;
    aiovm *vm = open_with(0);
    aiovm_value code, v;
    size_t n;
    OK(aiovm_compile(vm,
                     "def f(a, b=2, *c, d=1.5, **e):\n    try:\n        return [x for x in (a, 1 << 90, 'text', b'b') "
                     "if x in {1, 2}]\n"
                     "    except ValueError as g:\n        del g\n    finally: print(lambda: a)\n"
                     "class K:\n    x: int = 1\nasync def h(): return await f(1)\n",
                     AIOVM_ZTS, "f.aio", &code));
    OK(aiovm_save(vm, code, &v));
    const char *good = aiovm_to_text(vm, v, &n);
    uint8_t *p = malloc(2 * n);
    memcpy(p, good, n);
    seal(p, n);
    CHECK(memcmp(p, good, n) == 0);
    aiovm_ref *keep = aiovm_ref_new(vm, v);
    for (int i = 0; i < rounds; i++) {
        size_t m = n;
        memcpy(p, good, n);
        for (uint32_t k = 0, changes = 1 + next(3); k < changes; k++) {
            size_t at = HEAD + next((uint32_t)(m - HEAD));
            switch (next(5)) {
            case 0: p[at] ^= (uint8_t)(1u << next(8)); break;
            case 1: p[at] = (uint8_t)next(256); break;
            case 2: p[at] = next(2) ? 0xff : 0; break;
            case 3: m = at > HEAD + 1 ? at : m; break;
            default:
                if (m + 8 < 2 * n) {
                    memmove(p + at + 8, p + at, m - at);
                    m += 8;
                }
            }
        }
        seal(p, m);
        size_t mark = aiovm_mark(vm);
        aiovm_status status = aiovm_load(vm, p, m, &v);
        if (status == AIOVM_OK) loaded++;
        else if (status == AIOVM_ERROR) refused++;
        else CHECK(!"another status");
        aiovm_release(vm, mark);
        if (i % 1000 == 0) OK(aiovm_collect(vm));
    }
    aiovm_ref_release(keep);
    free(p);
    if (argc > 1) fprintf(stderr, "%d loaded, %d refused\n", loaded, refused);
    CHECK(refused > rounds / 2);
    return finish(vm);
}
