/* Errors as data and as text; raising; sys.exit; places of syntax errors. */
#include "check.h"

static aiovm_status raiser(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)out;
    const char *type = NULL, *text = NULL;
    if (aiovm_unpack(vm, a, "ss", &type, &text)) return AIOVM_ERROR;
    return aiovm_raise(vm, type, "%s %d%%", text, 50);
}
static aiovm_status again(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)out;
    return aiovm_raise_value(vm, a->argv[0]);
}
static aiovm_status careless(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)vm, (void)a, (void)out;
    return AIOVM_ERROR;
}
/* Calls, looks at the error, forgets it. */
static aiovm_status guard(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    aiovm_status status = aiovm_call(vm, a->argv[0], 0, NULL, out);
    if (status != AIOVM_ERROR) return status;
    char text[100];
    snprintf(text, sizeof text, "%s/%s", aiovm_error_type(vm), aiovm_error_message(vm));
    aiovm_error_clear(vm);
    return aiovm_text(vm, text, AIOVM_ZTS, out);
}
static aiovm_status pass_on(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    return aiovm_call(vm, a->argv[0], 0, NULL, out);
}
static const aiovm_func functions[] = {
    {"raiser(type, text)", raiser, NULL, 0}, {"again(exc)", again, NULL, 0},
    {"careless()", careless, NULL, 0},       {"guard(f)", guard, NULL, 0},
    {"pass_on(f)", pass_on, NULL, 0},        {0},
};

static void errors(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    aiovm_value v;
    aiovm_frame f;
    CHECK(*aiovm_error_type(vm) == 0 && *aiovm_error_message(vm) == 0 && *aiovm_error_text(vm) == 0);
    CHECK(aiovm_error_frame_count(vm) == 0 && !aiovm_error_where(vm, &f) && !aiovm_error_task(vm, 0));
    OK(aiovm_error_value(vm, &v));
    CHECK(aiovm_is_none(v));
    OK(aiovm_module(vm, "__main__", functions, NULL));

    OK(aiovm_eval(vm, "def f(x):\n    return g(x)\n\ndef g(x):\n    return 1 / x\n", AIOVM_ZTS, "script.aio", NULL));
    FAILS(run(vm, "f(0)"), "ZeroDivisionError", "division by zero");
    CHECK(strcmp(aiovm_error_text(vm), "Traceback (most recent call last):\n"
                                       "  File \"<test>\", line 1, in <module>\n    f(0)\n"
                                       "  File \"script.aio\", line 2, in f\n    return g(x)\n           ^^^^\n"
                                       "  File \"script.aio\", line 5, in g\n    return 1 / x\n           ~~^~~\n"
                                       "ZeroDivisionError: division by zero\n") == 0);
    CHECK(aiovm_error_frame_count(vm) == 3);
    CHECK(aiovm_error_frame(vm, 1, &f) && strcmp(f.file, "script.aio") == 0 && strcmp(f.function, "f") == 0 &&
          f.line == 2);
    CHECK(aiovm_error_where(vm, &f) && f.line == 5 && f.column == 12 && f.end_column == 17 &&
          strcmp(f.function, "g") == 0);
    CHECK(!aiovm_error_frame(vm, 3, &f) && !aiovm_error_frame(vm, -1, &f));
    OK(aiovm_error_value(vm, &v));
    CHECK(strcmp(aiovm_type_name(vm, v), "ZeroDivisionError") == 0);
    aiovm_error_clear(vm);
    CHECK(*aiovm_error_text(vm) == 0);

    CHECK_STATUS(aiovm_eval(vm, "x = 1\ny = (2 +\n", AIOVM_ZTS, "bad.aio", NULL), AIOVM_ERROR);
    CHECK(strcmp(aiovm_error_type(vm), "SyntaxError") == 0);
    CHECK(aiovm_error_where(vm, &f) && strcmp(f.file, "bad.aio") == 0 && f.line == 2 && f.column == 5);

    CHECK_STATUS(run(vm, "import sys; sys.exit(3)"), AIOVM_EXIT);
    CHECK(aiovm_exit_code(vm) == 3);
    CHECK_STATUS(run(vm, "raise SystemExit"), AIOVM_EXIT);
    CHECK(aiovm_exit_code(vm) == 0);
    CHECK_STATUS(run(vm, "raise SystemExit('text')"), AIOVM_EXIT);
    CHECK(aiovm_exit_code(vm) == 1);
    CHECK_STATUS(run(vm, "pass_on(lambda: sys.exit(9))"), AIOVM_EXIT);
    CHECK(aiovm_exit_code(vm) == 9);

    FAILS(run(vm, "raiser('KeyError', 'half')"), "KeyError", "'half 50%'");
    FAILS(run(vm, "raiser('NoSuchError', 'half')"), "SystemError", "there is no exception class 'NoSuchError'");
    FAILS(run(vm, "raiser('len', 'half')"), "SystemError", "there is no exception class 'len'");
    OK(run(vm, "import json\nclass Mine(Exception): pass\n"));
    FAILS(run(vm, "raiser('__main__.Mine', 'own')"), "Mine", "own 50%");
    CHECK(evals_to(vm, "(lambda: [e for e in [1]])()", "[1]"));
    FAILS(run(vm, "again(Mine(7))"), "Mine", "7");
    FAILS(run(vm, "again(Mine)"), "Mine", "");
    FAILS(run(vm, "again(7)"), "TypeError", "exceptions must derive from BaseException");
    FAILS(run(vm, "careless()"), "RuntimeError", "careless() failed with AIOVM_ERROR, but without an error");
    CHECK(evals_to(vm, "guard(lambda: {}['k'])", "\"KeyError/'k'\""));
    CHECK(evals_to(vm, "guard(lambda: 5)", "5"));
    FAILS(run(vm, "pass_on(lambda: f(0))"), "ZeroDivisionError", "division by zero");
    CHECK(aiovm_error_frame_count(vm) == 4);
    OK(run(vm, "def t():\n    try: pass_on(lambda: f(0))\n    except ZeroDivisionError as e: return repr(e), "
               "e.__context__\n"));
    CHECK(evals_to(vm, "t()", "(\"ZeroDivisionError('division by zero')\", None)"));
    OK(run(vm, "def c():\n    try: 1 / 0\n    except Exception: raiser('ValueError', 'second')\n"));
    CHECK(evals_to(vm, "guard(c)", "'ValueError/second 50%'"));
    OK(run(vm, "class Odd(Exception):\n    def __str__(self): raise TypeError('in str')\n"));
    CHECK_STATUS(run(vm, "raise Odd"), AIOVM_ERROR);
    CHECK(strcmp(aiovm_error_type(vm), "Odd") == 0);
    (void)aiovm_error_message(vm);
    CHECK(strstr(aiovm_error_text(vm), "Odd: <exception str() failed>") != NULL);

    OK(run(vm, "import asyncio\nasync def inner(): raise LookupError('deep')\n"
               "async def outer(): await asyncio.create_task(inner(), name='inner')\n"));
    FAILS(run(vm, "await asyncio.create_task(outer(), name='outer')"), "LookupError", "deep");
    CHECK(aiovm_error_task(vm, 0) && strcmp(aiovm_error_task(vm, 0), "inner") == 0);
    CHECK(aiovm_error_task(vm, 1) && strcmp(aiovm_error_task(vm, 1), "outer") == 0);
    CHECK(aiovm_error_task(vm, 2) && !aiovm_error_task(vm, 3) && !aiovm_error_task(vm, -1));
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

PARTS(PART(errors))
