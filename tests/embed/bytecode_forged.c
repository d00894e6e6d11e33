/* Bytecode as an attacker would write it, word by word: the verifier refuses each of these, and says why. What it
 * should accept (marked by a NULL) runs. Linked with the library's objects, for the checksum. */
#include "check.h"

#include "vm/code.h"
#include "vm/str.h"

enum { HEAD = 40, MAX_BYTES = 4096 };

typedef struct attack {
    const char *what, *refused; /* what the message ends with; NULL: it is accepted */
    insn code[24];
    int n;
    uint32_t flags, nregs, nlocals; /* 0: CODE_MODULE, 8, 1 */
    uint32_t excs[4];               /* start, end, target, register; none if the end is 0 */
    uint32_t points[6];             /* pairs: pc, live | window << 16; up to a pair of zeros. None: all registers set */
    uint32_t npoints;
    uint8_t positions[8];
    uint32_t npositions;
} attack;

#define I(OP, a, b, c)          MAKE_ABC(OP_##OP, a, b, c)
#define D(OP, a, d)             MAKE_AD(OP_##OP, a, d)
#define J(OP, e)                MAKE_E(OP_##OP, e)
#define POINT(pc, live, window) pc, (live) | (uint32_t)(window) << 16

/* Constants: 0 the int 7, 1 the str 's', 2 the tuple ('s',), 3 the tuple (7,). Names: 0 'append', 1 'len'. */
static const attack attacks[] = {
    {"a sound module", NULL, {D(LOADK, 1, 0), I(RETURN, 1, 0, 0)}, 2, 0},
    {"nothing to return from", "at 1: control runs off the end", {D(LOADK, 1, 0), D(LOADK, 1, 0)}, 2, 0},
    {"a register beyond the frame", "register 200 of 8", {I(MOVE, 1, 200, 0), I(RETURNNONE, 0, 0, 0)}, 2, 0},
    {"a constant beyond the table", "constant 9 of 4", {D(LOADK, 1, 9), I(RETURN, 1, 0, 0)}, 2, 0},
    {"garbage is read", "register 3 is no value", {I(RETURN, 3, 0, 0)}, 1, 0},
    {"an unbound word gets out", "register 1 is no value", {I(UNBIND, 1, 0, 0), I(RETURN, 1, 0, 0)}, 2, 0},
    {"an int as a list",
     "register 1 is no list",
     {D(LOADK, 1, 0), I(LISTAPPEND, 1, 1, 0), I(RETURNNONE, 0, 0, 0)},
     3,
     0},
    {"an int as a cell", "register 1 is no cell", {D(LOADK, 1, 0), I(CELLGET, 1, 1, 0), I(RETURN, 1, 0, 0)}, 3, 0},
    {"an int as a loop",
     "register 1 is no loop",
     {D(LOADK, 1, 0), D(LOADK, 2, 0), D(LOADK, 3, 0), I(FORITER, 1, 4, 0), 0, I(RETURNNONE, 0, 0, 0)},
     6,
     0},
    {"a loop's state is handed out",
     "register can't be copied",
     {D(LOADK, 1, 1), I(FORPREP, 2, 1, 0), I(MOVE, 5, 2, 0), I(RETURN, 5, 0, 0)},
     4,
     0,
     .points = {POINT(1, 2, 2)},
     .npoints = 1},
    {"a loop's state is mixed",
     "register 4 is no loop",
     {D(LOADK, 1, 1), I(FORPREP, 2, 1, 0), D(LOADK, 4, 0), I(FORITER, 2, 5, 0), 0, I(RETURNNONE, 0, 0, 0)},
     6,
     0,
     .points = {POINT(1, 2, 2)},
     .npoints = 1},
    {"a forged method",
     "registers 1, 2 are no method",
     {D(LOADK, 1, 0), D(LOADK, 2, 0), I(CALLM, 1, 1, 0), I(RETURN, 1, 0, 0)},
     4,
     0},
    {"the receiver of another method",
     "registers 5, 6 are no method",
     {D(LOADK, 1, 1), I(LOADMETHOD, 1, 1, 0), 0, 0, 0, 0, 0, I(MOVE, 5, 1, 0), D(LOADK, 6, 0), I(CALLM, 5, 5, 0),
      I(RETURN, 5, 0, 0)},
     11,
     0,
     .points = {POINT(1, 2, 2), POINT(9, 5, 7)},
     .npoints = 2},
    {"a jump into an instruction",
     "jump into an instruction at 2",
     {J(JMP, 1), I(GETNAME, 1, 0, 0), 0, 0, 0, I(RETURN, 1, 0, 0)},
     6,
     0},
    {"a jump out of the code", "of 2", {J(JMP, 1000), I(RETURNNONE, 0, 0, 0)}, 2, 0},
    {"a loop without a poll", "jump back to 0", {J(JMP, 0xffffff), I(RETURNNONE, 0, 0, 0)}, 2, 0},
    {"a loop back with other operands",
     "FORLOOP of another loop than 0",
     {I(FORITER, 1, 4, 0), 2, I(FORLOOP, 1, 5, 0), (uint32_t)-4, I(RETURNNONE, 0, 0, 0)},
     5,
     0},
    {"a loop by handlers",
     "lies before its end",
     {I(RAISE, 0, 0, 0), I(RETURNNONE, 0, 0, 0)},
     2,
     0,
     .excs = {0, 1, 0, 2}},
    {"a filled cache", "an inline cache is filled", {I(GETNAME, 1, 0, 0), 1, 2, 3, I(RETURN, 1, 0, 0)}, 5, 0},
    {"a specialised instruction",
     "specialised instruction",
     {I(GETGLOBAL_MODULE, 1, 0, 0), 0, 0, 0, I(RETURN, 1, 0, 0)},
     5,
     0},
    {"an instruction of stubs", "instruction", {I(EXIT, 0, 0, 0), I(RETURNNONE, 0, 0, 0)}, 2, 0},
    {"no such instruction", "no such instruction (255)", {255, I(RETURNNONE, 0, 0, 0)}, 2, 0},
    {"yield of a module",
     "YIELD in no generator",
     {D(LOADK, 1, 0), I(YIELD, 1, 1, 0), 0, I(RETURNNONE, 0, 0, 0)},
     4,
     0,
     .points = {POINT(1, 1, 2)},
     .npoints = 1},
    {"await of a module",
     "AWAIT in no coroutine",
     {D(LOADK, 1, 0), I(AWAIT, 1, 1, 0), 0, I(RETURNNONE, 0, 0, 0)},
     4,
     0,
     .points = {POINT(1, 1, 2)},
     .npoints = 1},
    {"return of a coroutine",
     "RETURN in a generator or coroutine",
     {D(LOADK, 1, 0), I(RETURN, 1, 0, 0)},
     2,
     CODE_MODULE | CODE_COROUTINE},
    {"two kinds at once",
     "more than one kind of generator",
     {D(LOADK, 1, 0), I(RETGEN, 1, 0, 0)},
     2,
     CODE_GENERATOR | CODE_COROUTINE},
    {"a handler word without handlers",
     "register 2 is no exception",
     {D(LOADK, 1, 0), D(LOADK, 2, 0), D(LOADK, 3, 0), I(YIELD, 1, 1, 0), 1 | 2 << 8 | 2 << 16, I(RETGEN, 1, 0, 0)},
     6,
     CODE_GENERATOR,
     .points = {POINT(3, 4, 4)},
     .npoints = 1},
    {"the collector sees garbage",
     "register 1 is not set at a safepoint",
     {D(LOADK, 2, 0), I(NOT, 2, 2, 0), I(RETURN, 2, 0, 0)},
     3,
     0,
     .points = {POINT(1, 1, 3)},
     .npoints = 1},
    {"an object is hidden from the collector",
     "register 1 is no value",
     {I(LIST, 1, 1, 0), D(LOADK, 2, 1), I(GETATTR, 2, 2, 0), 0, 0, 0, 0, 0, I(RETURN, 1, 0, 0)},
     9,
     0,
     .points = {POINT(0, 1, 1), POINT(2, 1, 3)},
     .npoints = 2},
    {"operands are hidden from the collector",
     "the safepoint leaves operands out",
     {D(LOADK, 1, 0), D(LOADK, 2, 0), I(ADD, 1, 1, 2), I(RETURN, 1, 0, 0)},
     4,
     0,
     .points = {POINT(0, 1, 1)},
     .npoints = 1},
    {"a safepoint that cuts an instruction",
     "safepoint inside an instruction",
     {I(GETNAME, 1, 0, 0), 0, 0, 0, I(RETURN, 1, 0, 0)},
     5,
     0,
     .points = {POINT(2, 1, 1)},
     .npoints = 1},
    {"keyword names that are numbers",
     "keyword names",
     {D(LOADK, 1, 0), D(LOADK, 2, 0), I(CALLKW, 1, 1, 1), 3, I(RETURN, 1, 0, 0)},
     5,
     0,
     .points = {POINT(2, 1, 3)},
     .npoints = 1},
    {"more keywords than arguments",
     "keyword names",
     {D(LOADK, 1, 0), I(CALLKW, 1, 1, 0), 2, I(RETURN, 1, 0, 0)},
     4,
     0},
    {"an int as code", "constant 0 is no code", {I(MAKEFUNC, 1, 1, 0), 0, I(RETURN, 1, 0, 0)}, 3, 0},
    {"an int as a str", "register 1 is no str", {D(LOADK, 1, 0), I(BUILDSTR, 1, 1, 1), I(RETURN, 1, 0, 0)}, 3, 0},
    {"star arguments that are no tuple",
     "register 2 is no tuple",
     {D(LOADK, 1, 0), D(LOADK, 2, 0), I(CALLEX, 1, 1, 0), I(RETURN, 1, 0, 0)},
     4,
     0},
    {"an exception that is none",
     "register 1 is no exception",
     {D(LOADK, 1, 0), I(PUSHEXC, 1, 0, 0), I(RETURNNONE, 0, 0, 0)},
     3,
     0},
    {"more locals than registers", "9 locals in 8 registers", {I(RETURNNONE, 0, 0, 0)}, 1, CODE_MODULE, 8, 9},
    {"no such flag", "flags", {I(RETURNNONE, 0, 0, 0)}, 1, 1u << 20},
    {"a position table without end",
     "position table",
     {I(RETURNNONE, 0, 0, 0)},
     1,
     0,
     .positions = {0x81, 0x80},
     .npositions = 2},
    {"raise of a number", NULL, {D(LOADK, 1, 0), I(RERAISE, 1, 0, 0)}, 2, 0, .points = {POINT(1, 1, 2)}, .npoints = 1},
};

static uint8_t out[MAX_BYTES];
static size_t length;

static void put(const void *p, size_t n)
{
    if (length + n > MAX_BYTES) abort();
    memcpy(out + length, p, n);
    length += n;
}
static void put8(unsigned x) { put(&(uint8_t){(uint8_t)x}, 1); }
static void put32(uint32_t x) { put(&x, 4); }
static void put64(uint64_t x) { put(&x, 8); }
enum { TAG_NONE = 1, TAG_INT = 5, TAG_STR = 9, TAG_TUPLE = 12 }; /* of code_save.c */
static void put_text(const char *s)
{
    put8(TAG_STR);
    put8(1);
    put64(strlen(s));
    put(s, strlen(s));
}
static void put_number(uint64_t n)
{
    put8(TAG_INT);
    put64(n);
}

/* As code_save.c writes a module. */
static void forge(const attack *a, const char *head)
{
    static const uint64_t keys[2][2] = {{1, 2}, {3, 4}};
    bool excs = a->excs[1] != 0;
    uint32_t nlocals = a->nlocals ? a->nlocals : 1;
    const uint32_t fields[] = {a->flags ? a->flags : CODE_MODULE,
                               a->nregs ? a->nregs : 8,
                               nlocals,
                               0,
                               0,
                               0,
                               0,
                               1,
                               (uint32_t)a->n,
                               4,
                               2,
                               0,
                               0,
                               excs,
                               a->npoints,
                               0,
                               a->npositions};
    length = 0;
    put(head, HEAD);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) put32(fields[i]);
    put(a->code, (size_t)a->n * sizeof(insn));
    put_number(7);
    put_text("s");
    put8(TAG_TUPLE);
    put64(1);
    put_text("s");
    put8(TAG_TUPLE);
    put64(1);
    put_number(7);
    put_text("append");
    put_text("len");
    for (uint32_t i = 0; i < nlocals; i++) put_text("x");
    for (int i = 0; excs && i < 4; i++) put32(a->excs[i]);
    for (uint32_t i = 0; i < 2 * a->npoints; i++) put32(a->points[i]);
    put(a->positions, a->npositions);
    put_text("name");
    put_text("name");
    put_text("forged");
    put8(TAG_NONE);
    uint64_t n = length - HEAD, sum[2];
    for (int i = 0; i < 2; i++) sum[i] = siphash13(keys[i], out + HEAD, length - HEAD);
    memcpy(out + 16, sum, 16);
    memcpy(out + 32, &n, 8);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

int main(void)
{
    aiovm *vm = open_with(0);
    aiovm_value code, v;
    OK(aiovm_compile(vm, "1", AIOVM_ZTS, NULL, &code));
    OK(aiovm_save(vm, code, &v));
    char head[HEAD];
    memcpy(head, aiovm_to_text(vm, v, NULL), HEAD);
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        const attack *a = &attacks[i];
        forge(a, head);
        aiovm_status s = aiovm_load(vm, out, length, &code);
        const char *message = aiovm_error_message(vm);
        bool as_expected = a->refused
                               ? s == AIOVM_ERROR && (ends_with(message, a->refused) || strstr(message, a->refused))
                               : s == AIOVM_OK;
        if (!as_expected) {
            failures++;
            printf("%s: %s: %s\n", a->what, aiovm_status_name(s), s ? message : "accepted");
        }
        if (s == AIOVM_OK) {
            s = aiovm_eval_code(vm, code, &v);
            CHECK(s == AIOVM_OK || s == AIOVM_ERROR);
        }
    }
    return finish(vm);
}
