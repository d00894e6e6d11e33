/* Bytecode that was changed behind its checksum's back: reading it must end in a code object or an error, and running
 * what was accepted in a result, an error or the end of its budget; never in a crash. Changes are made where they hurt:
 * in instructions, tables and heads, found by walking over the format. Linked with the library's objects, for the
 * checksum.
 *
 *     bytecode_fuzz [ROUNDS [SEED [FILE ...]]]        ROUNDS for each of the sources; without files one of its own */
#include "check.h"

#include "vm/code.h"
#include "vm/str.h"

enum { HEAD = 40, FIELDS = 17, MAX_PARTS = 4096 };

static uint64_t state = 88172645463325252u;
static uint32_t next(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (uint32_t)(state >> 33) % n : 0;
}

static void seal(uint8_t *p, size_t n)
{
    static const uint64_t keys[2][2] = {{1, 2}, {3, 4}};
    uint64_t length = n - HEAD, sum[2];
    for (int i = 0; i < 2; i++) sum[i] = siphash13(keys[i], p + HEAD, n - HEAD);
    memcpy(p + 16, sum, 16);
    memcpy(p + 32, &length, 8);
}

/* ---- where the parts of saved code lie (code_save.c) ---- */

typedef struct part {
    size_t at;
    uint32_t n; /* units */
    uint8_t size;
    uint8_t what;
} part;
enum { PART_HEAD, PART_INSNS, PART_TABLE, PART_BYTES };
static part parts[MAX_PARTS];
static int nparts;

static void add_part(int what, size_t at, uint32_t n, unsigned size)
{
    if (n && nparts < MAX_PARTS) parts[nparts++] = (part){at, n, (uint8_t)size, (uint8_t)what};
}
static uint32_t word_at(const uint8_t *p, size_t at)
{
    uint32_t x;
    memcpy(&x, p + at, 4);
    return x;
}
static uint64_t long_at(const uint8_t *p, size_t at)
{
    uint64_t x;
    memcpy(&x, p + at, 8);
    return x;
}
static size_t walk_code(const uint8_t *p, size_t at);

/* Tags in the order of code_save.c: unbound none true false ellipsis int bigint float complex str interned bytes tuple
 * frozenset code. */
static size_t walk_value(const uint8_t *p, size_t at)
{
    switch (p[at++]) {
    case 5:
    case 7: return at + 8;
    case 6: return walk_value(p, at);
    case 8: return at + 16;
    case 9:
    case 10: return at + 9 + long_at(p, at + 1) * p[at];
    case 11: return at + 8 + long_at(p, at);
    case 12:
    case 13: {
        uint64_t n = long_at(p, at);
        at += 8;
        while (n--) at = walk_value(p, at);
        return at;
    }
    case 14: return walk_code(p, at);
    default: return at;
    }
}

static size_t walk_values(const uint8_t *p, size_t at, uint64_t n)
{
    while (n--) at = walk_value(p, at);
    return at;
}

static size_t walk_code(const uint8_t *p, size_t at)
{
    uint32_t h[FIELDS]; /* in the order of put_code */
    for (int i = 0; i < FIELDS; i++) h[i] = word_at(p, at + 4 * (size_t)i);
    add_part(PART_HEAD, at, FIELDS, 4);
    at += 4 * FIELDS;
    add_part(PART_INSNS, at, h[8], 4);
    at = walk_values(p, at + 4 * (size_t)h[8], h[9]);
    at = walk_values(p, at, (uint64_t)h[10] + h[2] + h[3] + h[11] + h[12]);
    add_part(PART_TABLE, at, h[11] + 4 * h[13] + 2 * h[14] + h[15], 4);
    at += 4 * (size_t)(h[11] + 4 * h[13] + 2 * h[14] + h[15]);
    add_part(PART_BYTES, at, h[16], 1);
    return walk_values(p, at + h[16], 4);
}

/* ---- changes ---- */

static void change_word(uint8_t *p, const part *x)
{
    size_t at = x->at + 4 * (size_t)next(x->n);
    uint32_t w = word_at(p, at);
    switch (next(8)) {
    case 0: w ^= 1u << next(32); break;
    case 1: w += next(2) ? 1u << 8 * next(4) : -(1u << 8 * next(4)); break; /* an operand, by one */
    case 2: w = (w & ~0xffu) | next(OP_COUNT); break;
    case 3: { /* an operand of another instruction */
        uint32_t other = word_at(p, x->at + 4 * (size_t)next(x->n)), mask = 0xffu << 8 * next(4);
        w = (w & ~mask) | (other & mask);
        break;
    }
    case 4: w = word_at(p, x->at + 4 * (size_t)next(x->n)); break;
    case 5: w = (w & ~(0xffu << 8 * next(4))) | next(12) << 8 * next(4); break;
    case 6: w = next(64) ? next(16) : UINT32_MAX; break;
    default: { /* two of them change places */
        size_t with = x->at + 4 * (size_t)next(x->n);
        uint32_t other = word_at(p, with);
        memcpy(p + with, &w, 4);
        w = other;
    }
    }
    memcpy(p + at, &w, 4);
}

static size_t change(uint8_t *p, size_t n, size_t room)
{
    if (nparts && next(12)) {
        const part *x = &parts[next((uint32_t)nparts)];
        /* mostly instructions */
        for (int i = 0; i < 4 && x->what != PART_INSNS; i++) x = &parts[next((uint32_t)nparts)];
        if (x->size == 4) change_word(p, x);
        else p[x->at + next(x->n)] = (uint8_t)next(256);
        return n;
    }
    size_t at = HEAD + next((uint32_t)(n - HEAD));
    switch (next(5)) {
    case 0: p[at] ^= (uint8_t)(1u << next(8)); break;
    case 1: p[at] = (uint8_t)next(256); break;
    case 2: p[at] = next(2) ? 0xff : 0; break;
    case 3: return next(8) ? n : at + 1;
    default:
        if (n + 8 < room && !next(8)) {
            memmove(p + at + 8, p + at, n - at);
            return n + 8;
        }
    }
    return n;
}

/* ---- running ---- */

static int loaded, refused, ended[16];

static void swallow(void *ud, int stream, const char *text, size_t n) { (void)ud, (void)stream, (void)text, (void)n; }
static void swallow_report(void *ud, const char *text, size_t n) { (void)ud, (void)text, (void)n; }

static aiovm *open_sandbox(void)
{
    aiovm_config c = {.size = sizeof c};
    aiovm_sandbox(&c);
    c.memory_hard = 24u << 20;
    c.fuel = 40000;
    c.wall_ns = INT64_C(2000000000);
    c.output_fn = swallow;
    c.report_fn = swallow_report;
    c.flags = AIOVM_VIRTUAL_TIME;
    c.hash_seed = c.random_seed = 1;
    return aiovm_open(&c);
}

static void try_one(const uint8_t *p, size_t n)
{
    aiovm *vm = open_sandbox();
    aiovm_value code, v;
    if (!vm) return;
    aiovm_status s = aiovm_load(vm, p, n, &code);
    if (s == AIOVM_OK) {
        loaded++;
        s = aiovm_eval_code(vm, code, &v);
        ended[s]++;
        if (s == AIOVM_OK) aiovm_repr(vm, v, NULL);
        else aiovm_error_text(vm);
        aiovm_collect(vm);
        /* what it has defined: functions are called with nothing, for their errors' sake */
        if (aiovm_eval(vm, "for f_ in list(globals().values()):\n    try: f_()\n    except Exception: pass\n",
                       AIOVM_ZTS, NULL, NULL) == AIOVM_ERROR)
            aiovm_error_text(vm);
        aiovm_collect(vm);
    } else if (s == AIOVM_ERROR || s == AIOVM_NOMEM) {
        refused++;
    } else {
        CHECK(!"another status");
    }
    aiovm_close(vm);
}

static void fuzz(const char *source, size_t len, const char *name, int rounds)
{
    aiovm *vm = open_sandbox();
    aiovm_value code, v;
    size_t n;
    if (!vm || aiovm_compile(vm, source, len, name, &code) != AIOVM_OK || aiovm_save(vm, code, &v) != AIOVM_OK) {
        aiovm_close(vm);
        return;
    }
    const char *good = aiovm_to_text(vm, v, &n);
    uint8_t *p = malloc(2 * n);
    memcpy(p, good, n);
    seal(p, n);
    CHECK(memcmp(p, good, n) == 0);
    nparts = 0;
    CHECK(walk_code(p, HEAD) == n);
    if (aiovm_load(vm, p, n, NULL) != AIOVM_OK) {
        failures++;
        printf("%s: what was saved is not accepted: %s\n", name, aiovm_error_message(vm));
    }
    for (int i = 0; i < rounds; i++) {
        size_t m = n;
        memcpy(p, good, n);
        for (uint32_t k = 0, changes = 1 + next(4) * next(2); k < changes; k++) m = change(p, m, 2 * n);
        seal(p, m);
        const char *keep = getenv("BYTECODE_FUZZ_KEEP"); /* a file for the one that crashes */
        if (keep) {
            FILE *f = fopen(keep, "wb");
            if (f) {
                fwrite(p, 1, m, f);
                fclose(f);
            }
        }
        try_one(p, m);
    }
    free(p);
    aiovm_close(vm);
}

static const char own[] =
    "import asyncio\n"
    "def f(a, b=2, *c, d=1.5, **e):\n"
    "    try:\n"
    "        return [x for x in (a, 1 << 90, 'text', b'b') if x in {1, 2}]\n"
    "    except ValueError as g:\n"
    "        del g\n"
    "    finally:\n"
    "        print(lambda: (a, b))\n"
    "class K:\n"
    "    x: int = 1\n"
    "    def m(self, *a, **k): return super().__repr__(), self.x, a, k\n"
    "    def __enter__(self): return self\n"
    "    def __exit__(self, *a): return True\n"
    "def gen(n):\n"
    "    for i in range(n):\n"
    "        try: yield i\n"
    "        except KeyError: yield -1\n"
    "    yield from {'a': 1, 'b': 2}.items()\n"
    "async def agen():\n"
    "    for i in range(3):\n"
    "        await asyncio.sleep(0)\n"
    "        yield i\n"
    "async def h():\n"
    "    total = 0\n"
    "    async for x in agen(): total += x\n"
    "    try: await asyncio.wait_for(asyncio.sleep(5), 1)\n"
    "    except TimeoutError as e: total += len(str(e))\n"
    "    return total\n"
    "def matched(v):\n"
    "    match v:\n"
    "        case [a, *b, {'k': c}]: return a, b, c\n"
    "        case K(x=1): return 1\n"
    "        case str() | int(): return f'{v!r:>4}{v}'\n"
    "print(f(1), f(1, 2, 3, d=4, z=5), K().m(1, k=2), list(gen(4)))\n"
    "for k, v in {1: 2, 3: 4}.items(): print(k + v, -k, k * 'x', k < v <= 4)\n"
    "with K() as k: raise ValueError('swallowed')\n"
    "try: raise ExceptionGroup('g', [ValueError(1), KeyError(2)])\n"
    "except* ValueError as e: print(e)\n"
    "except* KeyError: pass\n"
    "print(matched([1, 2, {'k': 3}]), matched(K()), matched('s'), f(*[1], **{'d': 2}), (lambda *, q=3: q)(q=4))\n"
    "g = gen(2); print(next(g), g.throw(KeyError('k')), [a + b for a, b in zip((1, 2), (3, 4))])\n"
    "def outer():\n"
    "    n = 0\n"
    "    def inner():\n"
    "        nonlocal n\n"
    "        n += 1\n"
    "        return n\n"
    "    return [inner() for _ in range(3)], {i: i for i in 'ab'}, {i for i in (1, 2)}\n"
    "print(outer(), sorted(['b', 'a'], key=str.lower, reverse=True)[::-1][0:1])\n"
    "print(await h())\n";

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 1500;
    if (argc > 2) state ^= (uint64_t)atoi(argv[2]) << 20;
    if (argc <= 3) fuzz(own, sizeof own - 1, "own.aio", rounds);
    for (int i = 3; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        char *text = f ? malloc(1 << 20) : NULL;
        size_t n = text ? fread(text, 1, 1 << 20, f) : 0;
        if (text && n < 1 << 20) fuzz(text, n, argv[i], rounds);
        free(text);
        if (f) fclose(f);
    }
    if (argc > 1) {
        fprintf(stderr, "%d loaded, %d refused;", loaded, refused);
        for (int i = 0; i < 16; i++)
            if (ended[i]) fprintf(stderr, " %s %d", aiovm_status_name((aiovm_status)i), ended[i]);
        fputc('\n', stderr);
    }
    if (argc <= 3) CHECK(loaded > rounds / 20 && refused > rounds / 4);
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
