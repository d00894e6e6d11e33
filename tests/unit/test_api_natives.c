/* The public API: functions, modules and classes of the host; the checks of their arguments. */
#include "api_test.h"

#include <stdio.h>

/* ---- aiovm_unpack ---- */

static const aiovm_class point; /* below */

static aiovm_status ints(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    int64_t n = -1;
    if (aiovm_unpack(vm, a, "i", &n)) return AIOVM_ERROR;
    return aiovm_int(vm, n, out);
}
static aiovm_status floats(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    double d = -1;
    if (aiovm_unpack(vm, a, "d", &d)) return AIOVM_ERROR;
    *out = aiovm_float(d);
    return AIOVM_OK;
}
static aiovm_status bools(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    bool b = false;
    if (aiovm_unpack(vm, a, "b", &b)) return AIOVM_ERROR;
    *out = aiovm_bool(b);
    return AIOVM_OK;
}
static aiovm_status strings(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    const char *s = NULL;
    if (aiovm_unpack(vm, a, "s", &s)) return AIOVM_ERROR;
    return aiovm_text(vm, s, AIOVM_ZTS, out);
}
static aiovm_status texts(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    const char *s = NULL;
    size_t n = 0;
    if (aiovm_unpack(vm, a, "t", &s, &n)) return AIOVM_ERROR;
    return aiovm_uint(vm, n, out);
}
static aiovm_status buffers(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    const char *s = NULL;
    size_t n = 0;
    if (aiovm_unpack(vm, a, "y", &s, &n)) return AIOVM_ERROR;
    return aiovm_bytes(vm, s, n, out);
}
/* One letter for each value that is taken as it is: ud says which. */
static aiovm_status values(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    *out = aiovm_none();
    return aiovm_unpack(vm, a, a->ud, out);
}
static aiovm_status objects(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    int *data = NULL;
    if (aiovm_unpack(vm, a, "o", &point, &data)) return AIOVM_ERROR;
    return aiovm_int(vm, *data, out);
}
static aiovm_status optional(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    int64_t n = 1, m = 2, k = 3;
    if (aiovm_unpack(vm, a, "i?|i?i", &n, &m, &k)) return AIOVM_ERROR;
    return aiovm_int(vm, n * 100 + m * 10 + k, out);
}
static aiovm_status missing(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    int64_t n;
    (void)out;
    return aiovm_unpack(vm, a, "i", &n); /* forgot that it is optional */
}
static aiovm_status misfit(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    int64_t n, m;
    (void)out;
    return aiovm_unpack(vm, a, a->ud, &n, &m);
}

static void unpacking(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    static const aiovm_func funcs[] = {
        {"ints(x)", ints, NULL, 0},         {"floats(x)", floats, NULL, 0},
        {"bools(x)", bools, NULL, 0},       {"strings(x)", strings, NULL, 0},
        {"texts(x)", texts, NULL, 0},       {"buffers(x)", buffers, NULL, 0},
        {"objects(x)", objects, NULL, 0},   {"optional(a, b=2, c=3)", optional, NULL, 0},
        {"missing(a=1)", missing, NULL, 0}, {0},
    };
    static const char *const letters[] = {"l", "T", "D", "c", "v"};
    assert_ok(aiovm_module(vm, "__main__", funcs, NULL));
    for (int i = 0; i < 5; i++) {
        char sig[] = "take_X(x)";
        sig[5] = letters[i][0];
        assert_ok(aiovm_module(vm, "__main__", (const aiovm_func[]){{sig, values, NULL, 0}, {0}},
                               (void *)(uintptr_t)letters[i]));
    }
    aiovm_value cls;
    assert_ok(aiovm_class_make(vm, &point, NULL, &cls));
    assert_ok(aiovm_set_global(vm, "Point", cls));

    assert_evals(vm, "[ints(7), ints(True), ints(-2**63), floats(1), floats(2.5), floats(True), bools([]), bools('x')]",
                 "[7, 1, -9223372036854775808, 1.0, 2.5, 1.0, False, True]");
    assert_evals(vm, "class F(float): pass\nclass I(int): pass", "None");
    assert_evals(
        vm, "[floats(F(0.5)), ints(I(9)), strings('\\u20ac'), texts('a\\0b'), buffers(b'a\\0b'), objects(Point(4))]",
        "[0.5, 9, '\xe2\x82\xac', 3, b'a\\x00b', 4]");
    assert_evals(vm, "[take_l([1]), take_T((1,)), take_D({}), take_c(len), take_v(None)]",
                 "[[1], (1,), {}, <built-in function len>, None]");
    assert_evals(vm, "[optional(None), optional(5), optional(5, None), optional(5, 6), optional(5, c=7)]",
                 "[123, 523, 523, 563, 527]");

    const char *const wrong[][3] = {
        {"ints('x')", "TypeError", "argument 1 must be int, not str"},
        {"ints(2**63)", "OverflowError", "argument 1 does not fit into 64 bits"},
        {"floats('x')", "TypeError", "argument 1 must be float, not str"},
        {"floats(10**400)", "OverflowError", ""},
        {"strings(b'x')", "TypeError", "argument 1 must be str, not bytes"},
        {"strings('a\\0b')", "ValueError", "argument 1 contains a null character"},
        {"strings('\\udc80')", "UnicodeEncodeError", ""},
        {"texts(1)", "TypeError", "argument 1 must be str, not int"},
        {"texts('\\udc80')", "UnicodeEncodeError", ""},
        {"buffers('x')", "TypeError", "argument 1 must be bytes, not str"},
        {"take_l(())", "TypeError", "argument 1 must be list, not tuple"},
        {"take_T([])", "TypeError", "argument 1 must be tuple, not list"},
        {"take_D([])", "TypeError", "argument 1 must be dict, not list"},
        {"take_c(1)", "TypeError", "argument 1 must be callable, not int"},
        {"objects(1)", "TypeError", "argument 1 must be geo.Point, not int"},
        {"optional()", "TypeError", ""},
        {"optional(1, 2, None)", "TypeError", "argument 3 must be int, not NoneType"},
        {"optional(1, d=2)", "TypeError", ""},
        {"optional(1, 2, 3, 4)", "TypeError", ""},
        {"missing()", "TypeError", "argument 1 is missing"},
        {"bools(type('B', (), {'__bool__': lambda self: 1/0})())", "ZeroDivisionError", "division by zero"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_fails(aiovm_eval(vm, wrong[i][0], AIOVM_ZTS, NULL, NULL), wrong[i][1], wrong[i][2]);
    static const char *const misfits[] = {"ii", "x"};
    for (int i = 0; i < 2; i++) {
        assert_ok(aiovm_module(vm, "__main__", (const aiovm_func[]){{"misfit(x)", misfit, NULL, 0}, {0}},
                               (void *)(uintptr_t)misfits[i]));
        assert_fails(aiovm_eval(vm, "misfit(1)", AIOVM_ZTS, NULL, NULL), "SystemError", "aiovm_unpack: the format");
    }
    assert_ok(aiovm_close(vm));
}

/* ---- signatures ---- */

/* A list of the arguments, 'absent' where there is none. */
static aiovm_status show(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    aiovm_value v[64];
    for (int i = 0; i < a->argc; i++) {
        v[i] = a->argv[i];
        if (aiovm_is_absent(v[i]) && aiovm_text(vm, "absent", AIOVM_ZTS, &v[i])) return AIOVM_ERROR;
    }
    return aiovm_list(vm, (size_t)a->argc, v, out);
}
static aiovm_status silent(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)vm, (void)out;
    return *(aiovm_status *)a->ud;
}

static void signatures(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    static const aiovm_func funcs[] = {
        {"plain(a, b=1)", show, "plain(a, b=1)\n--\n\nTwo.", 0},
        {"rest(a, *args, k=1, **kw)", show, NULL, 0},
        {"only(a, /, b, *, c, **kw)", show, NULL, 0},
        {"args(*args)", show, NULL, 0},
        {"few(a, b=2, *, c, **kw)", show, NULL, 0},
        {"some(*args, c)", show, NULL, 0},
        {0},
    };
    assert_ok(aiovm_module(vm, "__main__", funcs, NULL));
    assert_evals(vm, "plain(1), plain(1, 2), plain(b=1, a=2)", "([1, 'absent'], [1, 2], [2, 1])");
    assert_evals(vm, "rest(1), rest(1, 2, 3, k=4, z=5), rest(a=1)",
                 "([1, (), 'absent', {}], [1, (2, 3), 4, {'z': 5}], [1, (), 'absent', {}])");
    assert_evals(vm, "only(1, 2, c=3, a=9), only(1, b=2, c=3)", "([1, 2, 3, {'a': 9}], [1, 2, 3, {}])");
    assert_evals(vm, "args(), args(1, 2), some(1, c=2)", "([()], [(1, 2)], [(1,), 2])");
    static const char *const wrong[] = {"plain()",
                                        "plain(1, 2, 3)",
                                        "plain(1, a=1)",
                                        "plain(1, z=1)",
                                        "rest()",
                                        "only(a=1, b=2, c=3)",
                                        "only(1, 2)",
                                        "few(1, 2, 3, c=4)",
                                        "args(x=1)",
                                        "some(1)",
                                        "some(1, c=1, d=2)",
                                        "few(1, c=1, **{f'k{i}': i for i in range(70)})"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_fails(aiovm_eval(vm, wrong[i], AIOVM_ZTS, NULL, NULL), "TypeError", "");

    aiovm_value v;
    static const char *const bad[] = {"", "f", "1f(x)", "f x()", "f(", "(x)"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(aiovm_function(vm, &(aiovm_func){bad[i], show, NULL, 0}, NULL, &v), "ValueError", "the signature");
    assert_fails(aiovm_function(vm, &(aiovm_func){NULL, show, NULL, 0}, NULL, &v), "ValueError", "the signature ''");
    assert_fails(aiovm_function(vm, &(aiovm_func){"f()", NULL, NULL, 0}, NULL, &v), "ValueError", "the signature");
    assert_fails(aiovm_function(vm, &(aiovm_func){"f(*args)", show, NULL, AIOVM_ASYNC}, NULL, &v), "ValueError",
                 "f(*args): an AIOVM_ASYNC");

    static aiovm_status status; /* statuses without an error */
    assert_ok(aiovm_function(vm, &(aiovm_func){"silent()", silent, NULL, 0}, &status, &v));
    assert_ok(aiovm_set_global(vm, "silent", v));
    status = AIOVM_ERROR;
    assert_fails(aiovm_eval(vm, "silent()", AIOVM_ZTS, NULL, NULL), "RuntimeError",
                 "silent() failed with AIOVM_ERROR, but without an error");
    status = AIOVM_INVALID;
    assert_fails(aiovm_eval(vm, "silent()", AIOVM_ZTS, NULL, NULL), "RuntimeError",
                 "silent() failed with AIOVM_INVALID");
    status = AIOVM_NOMEM;
    assert_fails(aiovm_eval(vm, "silent()", AIOVM_ZTS, NULL, NULL), "MemoryError", "");
    assert_ok(aiovm_close(vm));
}

/* ---- modules ---- */

static void modules(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    assert_ok(aiovm_module_set(vm, "a.b.c", "x", aiovm_bool(true)));
    assert_evals(vm, "import a.b.c\na.b.c.x", "None");
    assert_evals(vm, "a.b.c.x", "True");
    assert_ok(
        aiovm_module(vm, "a.b", (const aiovm_func[]){{"f()", show, NULL, 0}, {0}}, NULL)); /* adds to what is there */
    assert_evals(vm, "a.b.f()", "[]");
    assert_ok(aiovm_module_set(vm, "builtins", "answer", aiovm_float(42)));
    assert_evals(vm, "answer", "42.0");
    assert_fails(aiovm_module(vm, "", NULL, NULL), "ValueError", "a module needs a name");
    assert_fails(aiovm_module(vm, ".x", NULL, NULL), "ValueError", "'.x' is no name of a module");
    assert_fails(aiovm_module(vm, "\xff", NULL, NULL), "UnicodeDecodeError", "");
    assert_fails(aiovm_module(vm, "bad", (const aiovm_func[]){{"f", show, NULL, 0}, {0}}, NULL), "ValueError",
                 "the signature");
    aiovm_value v;
    assert_ok(aiovm_import(vm, "a.b", &v));
    assert_ok(aiovm_get_attr(vm, v, "__name__", &v));
    assert_text(v, "a.b");
    assert_fails(aiovm_import(vm, "no_such", &v), "ModuleNotFoundError", "No module named 'no_such'");
    assert_fails(aiovm_import(vm, "\xff", &v), "UnicodeDecodeError", "");
    assert_ok(aiovm_close(vm));
}

/* ---- classes ---- */

static int ended;
static void point_end(void *data, void *ud) { (void)data, (void)ud, ended++; }
static aiovm_status point_init(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    int64_t x = 0;
    (void)out;
    if (aiovm_unpack(vm, a, "|i", &x)) return AIOVM_ERROR;
    *(int *)a->self = (int)x;
    return AIOVM_OK;
}
static aiovm_status point_len(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    return aiovm_int(vm, *(int *)a->self, out);
}
static aiovm_status point_make(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)a;
    return aiovm_new(vm, &point, out) ? AIOVM_OK : AIOVM_ERROR;
}
static const aiovm_class point = {
    .name = "geo.Point",
    .doc = "A point.",
    .size = sizeof(int),
    .finalize = point_end,
    .init_signature = "Point( x=0)",
    .init = point_init,
    .methods = (const aiovm_func[]){{"__len__(self)", point_len, NULL, 0},
                                    {"make()", point_make, "Another.", AIOVM_STATIC},
                                    {0}},
    .properties =
        (const aiovm_property[]){{"x", point_len, point_init, "Where."}, {"size", point_len, NULL, NULL}, {0}},
    .subclassable = true,
};

static void classes(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    aiovm_value cls, again;
    assert_ok(aiovm_class_make(vm, &point, NULL, &cls));
    assert_ok(aiovm_class_make(vm, &point, NULL, &again));
    assert_true(cls.bits == again.bits);
    assert_ok(aiovm_set_global(vm, "Point", cls));
    assert_evals(vm, "p = Point(3)\n", "None");
    assert_evals(
        vm, "[p.x, len(p), p.size, len(Point()), len(Point.make()), Point.__module__, Point.__doc__, Point.x.__doc__]",
        "[3, 3, 3, 0, 0, 'geo', 'A point.', 'Where.']");
    assert_evals(vm, "class Sub(Point):\n    def __init__(self, a, b): super().__init__(a + b); self.more = b\n",
                 "None");
    assert_evals(vm, "[len(Sub(1, 2)), Sub(1, 5).more]", "[3, 5]");
    assert_fails(aiovm_eval(vm, "Point('x')", AIOVM_ZTS, NULL, NULL), "TypeError", "argument 1 must be int, not str");
    assert_fails(aiovm_eval(vm, "Point(1, 2)", AIOVM_ZTS, NULL, NULL), "TypeError", "");
    assert_fails(aiovm_eval(vm, "Point(y=2)", AIOVM_ZTS, NULL, NULL), "TypeError", "");
    assert_fails(aiovm_eval(vm, "Point.__len__(1)", AIOVM_ZTS, NULL, NULL), "TypeError", "");
    assert_fails(aiovm_eval(vm, "p.size = 1", AIOVM_ZTS, NULL, NULL), "AttributeError", "");
    assert_fails(aiovm_eval(vm, "del p.x", AIOVM_ZTS, NULL, NULL), "AttributeError", "");
    assert_fails(aiovm_eval(vm, "Point.y = 1", AIOVM_ZTS, NULL, NULL), "TypeError", "");

    static const aiovm_class closed = {.name = "Closed", .size = 8};
    aiovm_value v;
    assert_non_null(aiovm_new(vm, &closed, &v)); /* makes the class too */
    assert_non_null(aiovm_data(vm, &closed, v));
    assert_null(aiovm_data(vm, &point, v));
    assert_int_equal(aiovm_type_of(vm, v), AIOVM_TYPE_OTHER);
    assert_string_equal(aiovm_type_name(vm, v), "Closed");
    assert_ok(aiovm_class_make(vm, &closed, NULL, &cls));
    assert_ok(aiovm_set_global(vm, "Closed", cls));
    assert_fails(aiovm_eval(vm, "Closed()", AIOVM_ZTS, NULL, NULL), "TypeError",
                 "cannot create '__main__.Closed' instances");
    assert_fails(aiovm_eval(vm, "object.__new__(Closed)", AIOVM_ZTS, NULL, NULL), "TypeError", "");
    assert_fails(aiovm_eval(vm, "class S(Closed): pass", AIOVM_ZTS, NULL, NULL), "TypeError", "");
    assert_fails(aiovm_eval(vm, "Point.__new__(Closed)", AIOVM_ZTS, NULL, NULL), "TypeError", "");

    static char long_name[300];
    memset(long_name, 'x', sizeof long_name - 1);
    static const aiovm_func no_signature[] = {{"f", point_len, NULL, 0}, {0}};
    static aiovm_property long_property[] = {{NULL, point_len, NULL, NULL}, {0}};
    static const aiovm_property no_text[] = {{"x", NULL, NULL, "\xff"}, {0}};
    long_property[0].name = long_name;
    static const aiovm_class wrong[] = {
        {.name = long_name},
        {.name = "A", .init_signature = "A", .init = point_init},
        {.name = "A", .methods = no_signature},
        {.name = "A", .properties = long_property},
        {.name = "A", .properties = no_text},
        {.name = "A", .size = SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_status(aiovm_class_make(vm, &wrong[i], NULL, &v), AIOVM_ERROR);
        assert_null(aiovm_new(vm, &wrong[i], &v));
        assert_true(aiovm_is_none(v));
    }
    assert_ok(aiovm_close(vm));
}

static void finalised_once(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    ended = 0;
    aiovm_value cls;
    assert_ok(aiovm_class_make(vm, &point, NULL, &cls));
    assert_ok(aiovm_set_global(vm, "Point", cls));
    eval(vm, "for i in range(10): Point(i)");
    assert_status(aiovm_eval(vm, "Point('failed')", AIOVM_ZTS, NULL, NULL), AIOVM_ERROR);
    aiovm_error_clear(vm);
    eval(vm, "keep = Point(1)\nkeep2 = [keep]; keep2.append(keep2)\n");
    assert_ok(aiovm_collect(vm));
    assert_int_equal(ended, 11);
    aiovm_ref *never_released = aiovm_ref_new(vm, eval(vm, "Point(7)"));
    assert_non_null(never_released);
    assert_ok(aiovm_close(vm));
    assert_int_equal(ended, 13);
}

/* ---- functions that await ---- */

static aiovm_status twice(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    switch (a->step) {
    case 0: a->keep[0] = a->argv[0]; return aiovm_await(vm, a, a->argv[0], 1, out);
    case 1:
        if (a->failed) return AIOVM_ERROR;
        a->keep[1] = a->sent;
        return aiovm_await(vm, a, a->argv[1], 2, out);
    default:
        if (a->failed) {
            char text[80];
            snprintf(text, sizeof text, "caught %s", aiovm_error_type(vm));
            return aiovm_text(vm, text, AIOVM_ZTS, out);
        }
        return aiovm_tuple(vm, 2, (aiovm_value[]){a->keep[1], a->sent}, out);
    }
}
static aiovm_status awaits_nothing(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    return aiovm_await(vm, a, AIOVM_ABSENT, 1, out);
}
static aiovm_status awaits_sync(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    return aiovm_await(vm, a, aiovm_none(), 1, out);
}

static void awaiting(void **state)
{
    (void)state;
    aiovm *vm = open_vm(AIOVM_VIRTUAL_TIME);
    static const aiovm_func funcs[] = {
        {"twice(a, b)", twice, "Both.", AIOVM_ASYNC},
        {"nothing()", awaits_nothing, NULL, AIOVM_ASYNC},
        {"sync()", awaits_sync, NULL, 0},
        {0},
    };
    assert_ok(aiovm_module(vm, "__main__", funcs, NULL));
    eval(vm, "import asyncio\nasync def value(x):\n    await asyncio.sleep(1)\n    return x\nasync def bad():\n    "
             "await asyncio.sleep(1)\n    1/0\n");
    assert_evals(vm, "await twice(value(1), value(2))", "(1, 2)");
    assert_evals(vm, "await twice(value(1), bad())", "'caught ZeroDivisionError'");
    assert_fails(aiovm_eval(vm, "await twice(bad(), value(1))", AIOVM_ZTS, NULL, NULL), "ZeroDivisionError",
                 "division by zero");
    assert_fails(aiovm_eval(vm, "await twice(1, 2)", AIOVM_ZTS, NULL, NULL), "TypeError",
                 "object int can't be used in 'await' expression");
    assert_fails(aiovm_eval(vm, "await nothing()", AIOVM_ZTS, NULL, NULL), "TypeError",
                 "nothing() awaits an absent value");
    assert_fails(aiovm_eval(vm, "sync()", AIOVM_ZTS, NULL, NULL), "RuntimeError",
                 "sync() can't await: it is not registered with AIOVM_ASYNC");
    assert_fails(aiovm_eval(vm, "twice(1)", AIOVM_ZTS, NULL, NULL), "TypeError", "");
    assert_ok(aiovm_close(vm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unpacking), cmocka_unit_test(signatures),     cmocka_unit_test(modules),
        cmocka_unit_test(classes),   cmocka_unit_test(finalised_once), cmocka_unit_test(awaiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
