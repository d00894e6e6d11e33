/* The public API: values both ways, containers, references, code objects, errors as data. */
#include "api_test.h"

#include <math.h>
#include <stdio.h>

static void conversions(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    aiovm_value v;
    static const int64_t ints[] = {0,         1,        -1, INT64_C(1) << 31, INT64_C(1) << 47, -(INT64_C(1) << 48),
                                   INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        assert_ok(aiovm_int(vm, ints[i], &v));
        assert_true(aiovm_to_int(vm, v, 5) == ints[i]);
        assert_true(aiovm_to_uint(vm, v, 5) == (ints[i] < 0 ? 5 : (uint64_t)ints[i]));
        assert_true(aiovm_to_float(vm, v, 5) == (double)ints[i]);
    }
    assert_ok(aiovm_uint(vm, UINT64_MAX, &v));
    assert_true(aiovm_to_uint(vm, v, 5) == UINT64_MAX);
    assert_true(aiovm_to_int(vm, v, 5) == 5);
    assert_ok(aiovm_uint(vm, UINT64_C(1) << 63, &v));
    assert_true(aiovm_to_uint(vm, v, 5) == UINT64_C(1) << 63);
    v = eval(vm, "1 << 64");
    assert_true(aiovm_to_uint(vm, v, 5) == 5);
    v = eval(vm, "1 << 130");
    assert_true(aiovm_to_uint(vm, v, 5) == 5);
    v = eval(vm, "-(1 << 64)");
    assert_true(aiovm_to_uint(vm, v, 5) == 5 && aiovm_to_int(vm, v, 5) == 5);
    v = eval(vm, "10 ** 400");
    assert_true(aiovm_to_float(vm, v, 5) == 5);
    assert_string_equal(aiovm_error_type(vm), ""); /* no failure */
    v = eval(vm, "True");
    assert_true(aiovm_to_int(vm, v, 5) == 1 && aiovm_to_uint(vm, v, 5) == 1 && aiovm_to_bool(vm, v, false));
    v = eval(vm, "1");
    assert_false(aiovm_to_bool(vm, v, false));
    assert_true(isnan(aiovm_to_float(vm, aiovm_float(NAN), 0)));
    assert_true(aiovm_to_float(vm, aiovm_none(), 0.5) == 0.5);

    assert_ok(aiovm_int_parse(vm, " -0x_ff ", AIOVM_ZTS, 16, &v));
    assert_repr(vm, v, "-255");
    assert_ok(aiovm_int_parse(vm, "12345678901234567890123junk", 23, 10, &v));
    assert_repr(vm, v, "12345678901234567890123");
    assert_fails(aiovm_int_parse(vm, "x", AIOVM_ZTS, 10, &v), "ValueError",
                 "invalid literal for int() with base 10: 'x'");
    assert_fails(aiovm_int_parse(vm, "1", AIOVM_ZTS, 99, &v), "ValueError", "");
    assert_fails(aiovm_int_parse(vm, "\xff", AIOVM_ZTS, 10, &v), "UnicodeDecodeError", "");

    size_t n;
    assert_ok(aiovm_text(vm, "a\0\xf0\x9f\x98\x80", 6, &v));
    assert_int_equal(aiovm_type_of(vm, v), AIOVM_TYPE_STR);
    assert_memory_equal(aiovm_to_text(vm, v, &n), "a\0\xf0\x9f\x98\x80", 7);
    assert_int_equal(n, 6);
    assert_ok(aiovm_length(vm, v, &n));
    assert_int_equal(n, 3);
    static const char *const not_utf8[] = {
        "\x80", "\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80"};
    for (size_t i = 0; i < sizeof not_utf8 / sizeof *not_utf8; i++)
        assert_fails(aiovm_text(vm, not_utf8[i], AIOVM_ZTS, &v), "UnicodeDecodeError", "'utf-8' codec can't decode");
    v = eval(vm, "'\\ud800'");
    assert_null(aiovm_to_text(vm, v, &n));
    assert_int_equal(n, 0);
    assert_null(aiovm_to_text(vm, aiovm_none(), &n));
    assert_ok(aiovm_bytes(vm, "a\0b", 3, &v));
    assert_memory_equal(aiovm_to_text(vm, v, &n), "a\0b", 3);
    assert_int_equal(n, 3);
    assert_ok(aiovm_close(vm));
}

static void types(void **state)
{
    (void)state;
    aiovm *vm = open_vm(AIOVM_HOST_LOOP);
    eval(vm, "import asyncio\nasync def co(): pass\ndef gen(): yield\n");
    static const struct {
        const char *source;
        aiovm_type type;
        const char *name;
    } cases[] = {
        {"None", AIOVM_TYPE_NONE, "NoneType"},
        {"True", AIOVM_TYPE_BOOL, "bool"},
        {"1", AIOVM_TYPE_INT, "int"},
        {"1 << 99", AIOVM_TYPE_INT, "int"},
        {"0.5", AIOVM_TYPE_FLOAT, "float"},
        {"''", AIOVM_TYPE_STR, "str"},
        {"b''", AIOVM_TYPE_BYTES, "bytes"},
        {"[]", AIOVM_TYPE_LIST, "list"},
        {"()", AIOVM_TYPE_TUPLE, "tuple"},
        {"{}", AIOVM_TYPE_DICT, "dict"},
        {"set()", AIOVM_TYPE_SET, "set"},
        {"frozenset()", AIOVM_TYPE_SET, "frozenset"},
        {"len", AIOVM_TYPE_CALLABLE, "builtin_function_or_method"},
        {"int", AIOVM_TYPE_CALLABLE, "type"},
        {"co", AIOVM_TYPE_CALLABLE, "function"},
        {"c = co()\nc", AIOVM_TYPE_NONE, "NoneType"},
        {"c", AIOVM_TYPE_COROUTINE, "coroutine"},
        {"gen()", AIOVM_TYPE_OTHER, "generator"},
        {"...", AIOVM_TYPE_OTHER, "ellipsis"},
        {"object()", AIOVM_TYPE_OTHER, "object"},
        {"1j", AIOVM_TYPE_OTHER, "complex"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        aiovm_value v = eval(vm, cases[i].source);
        if (aiovm_type_of(vm, v) != cases[i].type) fail_msg("%s is of another type", cases[i].source);
        assert_string_equal(aiovm_type_name(vm, v), cases[i].name);
    }
    aiovm_value v;
    aiovm_op *op;
    assert_ok(aiovm_future(vm, NULL, NULL, &op, &v));
    assert_int_equal(aiovm_type_of(vm, v), AIOVM_TYPE_FUTURE);
    aiovm_op_release(op);
    eval(vm, "c.close()");
    assert_ok(aiovm_close(vm));
}

static void containers(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    aiovm_value items[3], l, t, s, d, v, it, k;
    for (int i = 0; i < 3; i++) assert_ok(aiovm_int(vm, i * 10, &items[i]));
    assert_ok(aiovm_list(vm, 3, items, &l));
    assert_ok(aiovm_append(vm, l, aiovm_none()));
    assert_repr(vm, l, "[0, 10, 20, None]");
    assert_ok(aiovm_tuple(vm, 2, items, &t));
    assert_ok(aiovm_at(vm, t, 1, &v));
    assert_true(aiovm_to_int(vm, v, 0) == 10);
    assert_fails(aiovm_at(vm, t, 2, &v), "IndexError", "tuple index out of range");
    assert_fails(aiovm_at(vm, l, SIZE_MAX, &v), "IndexError", "list index out of range");
    assert_fails(aiovm_at(vm, items[0], 0, &v), "TypeError", "a list or tuple was expected, not int");
    assert_fails(aiovm_append(vm, t, v), "TypeError", "a list was expected, not tuple");
    assert_ok(aiovm_set(vm, 3, items, &s));
    assert_ok(aiovm_set_add(vm, s, t));
    assert_fails(aiovm_set_add(vm, s, l), "TypeError", "unhashable type: 'list'");
    assert_fails(aiovm_set_add(vm, l, t), "TypeError", "a set was expected, not list");
    v = eval(vm, "frozenset()");
    assert_fails(aiovm_set_add(vm, v, t), "TypeError", "a set was expected, not frozenset");
    assert_ok(aiovm_list(vm, 1, items, &l));
    assert_fails(aiovm_set(vm, 1, &l, &s), "TypeError", "unhashable type: 'list'");

    assert_ok(aiovm_dict(vm, &d));
    assert_ok(aiovm_set_item(vm, d, items[1], items[2]));
    assert_ok(aiovm_set_item(vm, d, t, aiovm_none()));
    size_t pos = 0, count = 0;
    while (aiovm_dict_next(vm, d, &pos, &k, &v)) count++;
    assert_int_equal(count, 2);
    assert_true(aiovm_is_none(k) && aiovm_is_none(v));
    pos = 0;
    assert_true(aiovm_dict_next(vm, d, &pos, NULL, NULL));
    pos = 0;
    assert_false(aiovm_dict_next(vm, items[0], &pos, &k, &v));
    assert_ok(aiovm_get_item(vm, d, items[1], &v));
    assert_true(aiovm_to_int(vm, v, 0) == 20);
    assert_ok(aiovm_del_item(vm, d, items[1]));
    assert_fails(aiovm_get_item(vm, d, items[1], &v), "KeyError", "10");
    assert_true(aiovm_is_none(v));
    assert_fails(aiovm_del_item(vm, d, items[1]), "KeyError", "10");
    assert_fails(aiovm_set_item(vm, d, l, v), "TypeError", "unhashable type: 'list'");
    assert_fails(aiovm_set_item(vm, t, items[0], v), "TypeError", "'tuple' object does not support item assignment");

    assert_ok(aiovm_iter(vm, t, &it));
    assert_ok(aiovm_next(vm, it, &v));
    assert_ok(aiovm_next(vm, it, &v));
    assert_status(aiovm_next(vm, it, &v), AIOVM_DONE);
    assert_true(aiovm_is_none(v));
    assert_status(aiovm_next(vm, it, NULL), AIOVM_DONE);
    assert_fails(aiovm_iter(vm, items[0], &v), "TypeError", "'int' object is not iterable");
    assert_fails(aiovm_next(vm, l, &v), "TypeError", "'list' object is not an iterator");
    it = eval(vm, "(1 // x for x in [1, 0])");
    aiovm_ref *keep = aiovm_ref_new(vm, it);
    assert_ok(aiovm_next(vm, aiovm_ref_get(keep), &v));
    assert_fails(aiovm_next(vm, aiovm_ref_get(keep), &v), "ZeroDivisionError", "");
    assert_ptr_equal(aiovm_ref_retain(keep), keep);
    aiovm_ref_release(keep);
    assert_int_equal(aiovm_type_of(vm, aiovm_ref_get(keep)), AIOVM_TYPE_OTHER);
    aiovm_ref_release(keep);
    assert_ok(aiovm_close(vm));
}

static void dunders(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    eval(vm, "class Bad:\n    def f(self, *a): 1/0\n"
             "    __str__ = __repr__ = __bool__ = __len__ = __eq__ = __getitem__ = __setitem__ = __delitem__ = "
             "__iter__ = f\n"
             "    __hash__ = f\n    def __getattr__(self, name): 1/0\n");
    aiovm_value v = eval(vm, "Bad()"), out;
    aiovm_ref *keep = aiovm_ref_new(vm, v);
    bool b = true;
    size_t n = 9;
#define ZERO(x) assert_fails(x, "ZeroDivisionError", "division by zero")
    ZERO(aiovm_str(vm, v, &out));
    ZERO(aiovm_repr(vm, v, &out));
    ZERO(aiovm_truth(vm, v, &b));
    assert_false(b);
    ZERO(aiovm_equal(vm, v, aiovm_none(), &b));
    ZERO(aiovm_length(vm, v, &n));
    assert_int_equal(n, 0);
    ZERO(aiovm_get_item(vm, v, v, &out));
    ZERO(aiovm_set_item(vm, v, v, v));
    ZERO(aiovm_del_item(vm, v, v));
    ZERO(aiovm_get_attr(vm, v, "x", &out));
    ZERO(aiovm_iter(vm, v, &out));
    ZERO(aiovm_set(vm, 1, &v, &out));
    assert_fails(aiovm_get_attr(vm, aiovm_none(), "x", &out), "AttributeError",
                 "'NoneType' object has no attribute 'x'");
    assert_fails(aiovm_get_attr(vm, v, "\xff", &out), "UnicodeDecodeError", "");
    assert_fails(aiovm_set_attr(vm, v, "\xff", v), "UnicodeDecodeError", "");
    assert_fails(aiovm_set_attr(vm, aiovm_none(), "x", v), "AttributeError", "'NoneType' object has no attribute 'x'");
    assert_ok(aiovm_set_attr(vm, v, "x", aiovm_bool(true)));
    assert_ok(aiovm_get_attr(vm, v, "x", &out));
    assert_ok(aiovm_set_attr(vm, v, "x", AIOVM_ABSENT));
    assert_fails(aiovm_set_attr(vm, v, "x", AIOVM_ABSENT), "AttributeError", "");
    assert_fails(aiovm_length(vm, aiovm_none(), &n), "TypeError", "object of type 'NoneType' has no len()");
    assert_ok(aiovm_truth(vm, aiovm_none(), NULL));
    assert_ok(aiovm_equal(vm, aiovm_none(), aiovm_none(), NULL));
    /* an error whose description fails */
    eval(vm, "class Mute(Exception):\n    def __str__(self): 1/0\n");
    assert_status(aiovm_eval(vm, "raise Mute", AIOVM_ZTS, NULL, NULL), AIOVM_ERROR);
    assert_string_equal(aiovm_error_type(vm), "Mute");
    assert_string_equal(aiovm_error_message(vm), "");
    assert_non_null(strstr(aiovm_error_text(vm), "Mute"));
    aiovm_ref_release(keep);
    assert_ok(aiovm_close(vm));
}

/* ---- source, code, calls ---- */

static void code_objects(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    aiovm_value code, data, v;
    size_t n;
    assert_ok(aiovm_compile(vm, "x = 20\nx + 1", AIOVM_ZTS, "c.aio", &code));
    aiovm_ref *c = aiovm_ref_new(vm, code);
    assert_ok(aiovm_eval_code(vm, aiovm_ref_get(c), &v));
    assert_ok(aiovm_eval_code(vm, aiovm_ref_get(c), &v));
    assert_ok(aiovm_get_global(vm, "x", &v));
    assert_true(aiovm_to_int(vm, v, 0) == 20);
    assert_ok(aiovm_save(vm, aiovm_ref_get(c), &data));
    aiovm_ref *saved = aiovm_ref_new(vm, data);
    const char *bytes = aiovm_to_text(vm, data, &n);
    assert_ok(aiovm_load(vm, bytes, n, &code));
    assert_ok(aiovm_eval_code(vm, code, NULL));
    for (size_t cut = 0; cut < n; cut += 7) assert_fails(aiovm_load(vm, bytes, cut, &code), "ValueError", "");
    char *wrong = malloc(n);
    for (size_t i = 0; i < n; i += 3) {
        memcpy(wrong, bytes, n);
        wrong[i] ^= 4;
        assert_fails(aiovm_load(vm, wrong, n, &code), "ValueError", "");
    }
    free(wrong);
    aiovm_ref_release(saved);
    aiovm_ref_release(c);
    assert_fails(aiovm_eval_code(vm, aiovm_none(), NULL), "TypeError", "a code object was expected, not NoneType");
    assert_fails(aiovm_save(vm, aiovm_none(), NULL), "TypeError", "a code object was expected, not NoneType");
    code = eval(vm, "(lambda a: lambda: a)(1).__code__");
    assert_fails(aiovm_eval_code(vm, code, NULL), "TypeError", "a code object with free variables");
    assert_fails(aiovm_compile(vm, "def", AIOVM_ZTS, NULL, &v), "SyntaxError", "");
    aiovm_frame f;
    assert_true(aiovm_error_where(vm, &f));
    assert_string_equal(f.file, "<host>");
    assert_int_equal(f.line, 1);
    assert_fails(aiovm_compile(vm, "x = 'a", AIOVM_ZTS, "\xff", &v), "UnicodeDecodeError", "");
    assert_fails(aiovm_eval(vm, "x = 1\n  y = 2", AIOVM_ZTS, NULL, &v), "IndentationError", "");
    assert_fails(aiovm_eval(vm, "'\xff'", AIOVM_ZTS, NULL, &v), "SyntaxError", "");
    assert_fails(aiovm_eval(vm, "1\0 2", 4, NULL, &v), "ValueError", "source code string cannot contain null bytes");
    assert_ok(aiovm_close(vm));
}

static void calls(void **state)
{
    (void)state;
    aiovm *vm = open_vm(AIOVM_VIRTUAL_TIME);
    aiovm_value v, a[2];
    eval(vm, "import asyncio\ndef f(a, b): return a - b\nasync def co(n):\n    await asyncio.sleep(n)\n    return n\n");
    assert_ok(aiovm_get_global(vm, "f", &v));
    assert_ok(aiovm_int(vm, 5, &a[0]));
    assert_ok(aiovm_int(vm, 3, &a[1]));
    aiovm_ref *f = aiovm_ref_new(vm, v);
    assert_ok(aiovm_call(vm, v, 2, a, &v));
    assert_true(aiovm_to_int(vm, v, 0) == 2);
    assert_fails(aiovm_call(vm, aiovm_ref_get(f), 1, a, &v), "TypeError",
                 "f() missing 1 required positional argument: 'b'");
    assert_fails(aiovm_call(vm, aiovm_none(), 0, NULL, &v), "TypeError", "'NoneType' object is not callable");
    assert_fails(aiovm_call_method(vm, aiovm_none(), "x", 0, NULL, &v), "AttributeError",
                 "'NoneType' object has no attribute 'x'");
    assert_fails(aiovm_call_method(vm, aiovm_none(), "\xff", 0, NULL, &v), "UnicodeDecodeError", "");
    aiovm_ref_release(f);
    v = eval(vm, "co(3)");
    assert_ok(aiovm_run(vm, v, &v));
    assert_true(aiovm_to_int(vm, v, 0) == 3);
    assert_fails(aiovm_run(vm, aiovm_none(), &v), "ValueError", "a coroutine was expected, got None");
    assert_fails(aiovm_get_global(vm, "nowhere", &v), "NameError", "name 'nowhere' is not defined");
    assert_fails(aiovm_get_global(vm, "\xff", &v), "UnicodeDecodeError", "");
    assert_fails(aiovm_set_global(vm, "\xff", aiovm_none()), "UnicodeDecodeError", "");
    assert_ok(aiovm_get_global(vm, "len", &v));
    assert_ok(aiovm_close(vm));
}

/* ---- errors ---- */

static void error_data(void **state)
{
    (void)state;
    aiovm *vm = open_vm(AIOVM_VIRTUAL_TIME);
    aiovm_frame f;
    aiovm_value v;
    assert_false(aiovm_error_where(vm, &f));
    assert_string_equal(f.file, "");
    assert_null(aiovm_error_task(vm, 0));
    eval(vm, "def f():\n    return g()\ndef g():\n    raise KeyError('k')\n");
    assert_fails(aiovm_eval(vm, "f()", AIOVM_ZTS, "call.aio", NULL), "KeyError", "'k'");
    assert_int_equal(aiovm_error_frame_count(vm), 3);
    assert_true(aiovm_error_frame(vm, 0, &f));
    assert_string_equal(f.file, "call.aio");
    assert_false(aiovm_error_frame(vm, 3, &f));
    assert_string_equal(f.function, "");
    assert_false(aiovm_error_frame(vm, -1, &f));
    assert_ok(aiovm_error_value(vm, &v));
    assert_repr(vm, v, "KeyError('k')");
    /* a script has looked at the traceback: it is a chain of objects then */
    assert_fails(aiovm_eval(vm, "try:\n    f()\nexcept KeyError as e:\n    e.__traceback__\n    raise\n", AIOVM_ZTS,
                            "chain.aio", NULL),
                 "KeyError", "'k'");
    assert_int_equal(aiovm_error_frame_count(vm), 3);
    assert_true(aiovm_error_frame(vm, 1, &f) && f.line == 2);
    assert_string_equal(f.function, "f");
    assert_true(aiovm_error_where(vm, &f) && f.line == 4);
    assert_string_equal(f.function, "g");
    aiovm_error_clear(vm);
    assert_string_equal(aiovm_error_text(vm), "");
    assert_ok(aiovm_error_value(vm, &v));
    assert_true(aiovm_is_none(v));

    static const struct {
        const char *source;
        int code;
    } exits[] = {
        {"import sys; sys.exit()", 0}, {"sys.exit(7)", 7},      {"sys.exit('text')", 1},       {"sys.exit(-1)", 255},
        {"sys.exit(1 << 99)", 255},    {"raise SystemExit", 0}, {"raise SystemExit(None)", 0}, {"exit(3)", 3},
    };
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
        assert_status(aiovm_eval(vm, exits[i].source, AIOVM_ZTS, NULL, NULL), AIOVM_EXIT);
        assert_int_equal(aiovm_exit_code(vm), exits[i].code);
    }
    eval(vm, "import asyncio\nasync def inner():\n    await asyncio.sleep(1)\n    1/0\n"
             "async def outer():\n    await asyncio.create_task(inner(), name='inner one')\n");
    assert_fails(aiovm_eval(vm, "await outer()", AIOVM_ZTS, NULL, NULL), "ZeroDivisionError", "division by zero");
    assert_string_equal(aiovm_error_task(vm, 0), "inner one");
    assert_non_null(aiovm_error_task(vm, 1));
    assert_null(aiovm_error_task(vm, 2));
    assert_null(aiovm_error_task(vm, -1));
    assert_fails(aiovm_eval(vm, "raise SyntaxError('m', ('f.aio', 3, 4, 'text', 3, 9))", AIOVM_ZTS, NULL, NULL),
                 "SyntaxError", "");
    assert_true(aiovm_error_where(vm, &f));
    assert_int_equal(f.line, 3);
    assert_fails(aiovm_eval(vm, "raise SyntaxError('m')", AIOVM_ZTS, NULL, NULL), "SyntaxError", "m");
    assert_true(aiovm_error_where(vm, &f) && f.line == 1);
    assert_ok(aiovm_close(vm));
}

static void raising(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    assert_fails(aiovm_raise(vm, "ValueError", "%s %d %ld %zu %c%%", "text", -1, 2L, (size_t)3, 'c'), "ValueError",
                 "text -1 2 3 c%");
    assert_fails(aiovm_raise(vm, "NoSuchError", "x"), "SystemError", "there is no exception class 'NoSuchError'");
    assert_fails(aiovm_raise(vm, "len", "x"), "SystemError", "there is no exception class 'len'");
    assert_fails(aiovm_raise(vm, "not.imported.Error", "x"), "SystemError",
                 "there is no exception class 'not.imported.Error'");
    eval(vm, "import asyncio");
    assert_fails(aiovm_raise(vm, "asyncio.InvalidStateError", "state"), "InvalidStateError", "state");
    aiovm_value v = eval(vm, "KeyError");
    assert_fails(aiovm_raise_value(vm, v), "KeyError", "");
    v = eval(vm, "KeyError(1)");
    assert_fails(aiovm_raise_value(vm, v), "KeyError", "1");
    assert_fails(aiovm_raise_value(vm, aiovm_none()), "TypeError", "exceptions must derive from BaseException");
    v = eval(vm, "type('Bad', (Exception,), {'__init__': lambda self: 1/0})");
    assert_fails(aiovm_raise_value(vm, v), "ZeroDivisionError", "");
    assert_ok(aiovm_close(vm));
}

static void scope(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    size_t mark = aiovm_mark(vm);
    for (int i = 0; i < 1000; i++) {
        aiovm_value v;
        assert_ok(aiovm_list(vm, 0, NULL, &v));
    }
    assert_int_equal(aiovm_mark(vm), mark + 1000);
    aiovm_release(vm, mark);
    assert_int_equal(aiovm_mark(vm), mark);
    aiovm_release(vm, mark + 5); /* beyond the end: nothing */
    assert_int_equal(aiovm_mark(vm), mark);
    assert_ok(aiovm_close(vm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversions), cmocka_unit_test(types),        cmocka_unit_test(containers),
        cmocka_unit_test(dunders),     cmocka_unit_test(code_objects), cmocka_unit_test(calls),
        cmocka_unit_test(error_data),  cmocka_unit_test(raising),      cmocka_unit_test(scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
