/* Values both ways, containers, references, the protocol of any value. */
#include "check.h"

#include <math.h>

static void scalars(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    aiovm_value v;
    CHECK(aiovm_is_none(aiovm_none()) && !aiovm_is_none(aiovm_bool(false)));
    CHECK(aiovm_is_absent(AIOVM_ABSENT) && !aiovm_is_absent(aiovm_none()));
    CHECK(aiovm_to_bool(vm, aiovm_bool(true), false) && !aiovm_to_bool(vm, aiovm_bool(false), true));
    CHECK(aiovm_to_bool(vm, aiovm_none(), true));
    CHECK(aiovm_to_float(vm, aiovm_float(2.5), 0) == 2.5 && aiovm_to_float(vm, aiovm_none(), -1) == -1);
    CHECK(isnan(aiovm_to_float(vm, aiovm_float(NAN), 0)) && isinf(aiovm_to_float(vm, aiovm_float(-INFINITY), 0)));
    static const int64_t ints[] = {0,
                                   1,
                                   -1,
                                   INT64_C(1) << 48,
                                   (INT64_C(1) << 49) - 1,
                                   INT64_C(1) << 49,
                                   -(INT64_C(1) << 49),
                                   -(INT64_C(1) << 49) - 1,
                                   INT64_MAX,
                                   INT64_MIN};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        OK(aiovm_int(vm, ints[i], &v));
        CHECK(aiovm_to_int(vm, v, ints[i] == 5 ? 6 : 5) == ints[i]);
        CHECK(aiovm_type_of(vm, v) == AIOVM_TYPE_INT);
        CHECK(aiovm_to_uint(vm, v, 7) == (ints[i] < 0 ? 7 : (uint64_t)ints[i]));
    }
    OK(aiovm_uint(vm, UINT64_MAX, &v));
    CHECK(aiovm_to_uint(vm, v, 1) == UINT64_MAX && aiovm_to_int(vm, v, -5) == -5);
    OK(aiovm_int_parse(vm, "-123456789012345678901234567890", AIOVM_ZTS, 10, &v));
    CHECK(aiovm_to_int(vm, v, 3) == 3 && aiovm_to_float(vm, v, 0) < -1.2e29);
    OK(aiovm_str(vm, v, &v));
    CHECK(check_text(vm, v, "-123456789012345678901234567890"));
    OK(aiovm_int_parse(vm, "ff", 2, 16, &v));
    CHECK(aiovm_to_int(vm, v, 0) == 255);
    FAILS(aiovm_int_parse(vm, "12x", AIOVM_ZTS, 10, &v), "ValueError", "invalid literal for int() with base 10: '12x'");
    CHECK(aiovm_is_none(v));
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

static void texts(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    aiovm_value v;
    size_t n;
    OK(aiovm_text(vm, "h\xc3\xa9\0\xf0\x9f\x98\x80", 8, &v));
    const char *s = aiovm_to_text(vm, v, &n);
    CHECK(n == 8 && memcmp(s, "h\xc3\xa9\0\xf0\x9f\x98\x80", 9) == 0);
    OK(aiovm_length(vm, v, &n));
    CHECK(n == 4);
    FAILS(aiovm_text(vm, "\xff", 1, &v), "UnicodeDecodeError",
          "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte");
    OK(aiovm_bytes(vm, "a\0b", 3, &v));
    CHECK(aiovm_type_of(vm, v) == AIOVM_TYPE_BYTES);
    s = aiovm_to_text(vm, v, &n);
    CHECK(n == 3 && memcmp(s, "a\0b", 3) == 0);
    OK(aiovm_eval(vm, "'\\ud800'", AIOVM_ZTS, NULL, &v));
    CHECK(aiovm_to_text(vm, v, &n) == NULL && n == 0);
    CHECK(aiovm_to_text(vm, aiovm_none(), &n) == NULL);
    CHECK(strcmp(aiovm_type_name(vm, v), "str") == 0);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

static void containers(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    aiovm_value items[3], l, t, d, s, v, key;
    size_t n, pos = 0;
    bool b;
    for (int i = 0; i < 3; i++) OK(aiovm_int(vm, i * 10, &items[i]));
    OK(aiovm_list(vm, 3, items, &l));
    OK(aiovm_tuple(vm, 2, items, &t));
    OK(aiovm_append(vm, l, t));
    OK(aiovm_at(vm, l, 3, &v));
    CHECK(aiovm_type_of(vm, v) == AIOVM_TYPE_TUPLE);
    FAILS(aiovm_at(vm, t, 2, &v), "IndexError", "tuple index out of range");
    FAILS(aiovm_at(vm, aiovm_none(), 0, &v), "TypeError", "a list or tuple was expected, not NoneType");
    FAILS(aiovm_append(vm, t, t), "TypeError", "a list was expected, not tuple");
    FAILS(aiovm_append(vm, l, AIOVM_ABSENT), "ValueError", "the value is absent");
    aiovm_value hole[2] = {items[0], AIOVM_ABSENT};
    FAILS(aiovm_list(vm, 2, hole, &v), "ValueError", "value 1 of 2 is absent");
    OK(aiovm_list(vm, 0, NULL, &v));
    OK(aiovm_length(vm, v, &n));
    CHECK(n == 0);
    OK(aiovm_dict(vm, &d));
    OK(aiovm_text(vm, "k", AIOVM_ZTS, &key));
    OK(aiovm_set_item(vm, d, key, l));
    OK(aiovm_set_item(vm, d, items[1], t));
    OK(aiovm_get_item(vm, d, items[1], &v));
    OK(aiovm_equal(vm, v, t, &b));
    CHECK(b);
    int seen = 0;
    while (aiovm_dict_next(vm, d, &pos, &key, &v)) seen++;
    CHECK(seen == 2 && aiovm_is_none(key));
    OK(aiovm_del_item(vm, d, items[1]));
    FAILS(aiovm_get_item(vm, d, items[1], &v), "KeyError", "10");
    FAILS(aiovm_set_item(vm, d, l, l), "TypeError", "unhashable type: 'list'");
    FAILS(aiovm_set_item(vm, d, key, AIOVM_ABSENT), "ValueError", "the value is absent");
    OK(aiovm_set(vm, 3, items, &s));
    OK(aiovm_set_add(vm, s, items[0]));
    OK(aiovm_length(vm, s, &n));
    CHECK(n == 3 && aiovm_type_of(vm, s) == AIOVM_TYPE_SET);
    FAILS(aiovm_set_add(vm, s, d), "TypeError", "unhashable type: 'dict'");
    FAILS(aiovm_set_add(vm, d, d), "TypeError", "a set was expected, not dict");
    OK(aiovm_iter(vm, s, &s));
    int64_t sum = 0;
    aiovm_status status;
    while ((status = aiovm_next(vm, s, &v)) == AIOVM_OK) sum += aiovm_to_int(vm, v, 1000);
    CHECK_STATUS(status, AIOVM_DONE);
    CHECK(sum == 30);
    FAILS(aiovm_iter(vm, aiovm_float(1), &v), "TypeError", "'float' object is not iterable");
    FAILS(aiovm_next(vm, aiovm_float(1), &v), "TypeError", "'float' object is not an iterator");
    FAILS(aiovm_length(vm, aiovm_float(1), &n), "TypeError", "object of type 'float' has no len()");
    pos = 0;
    CHECK(!aiovm_dict_next(vm, l, &pos, NULL, NULL));
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

static void attributes(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    aiovm_value o, v;
    bool b;
    OK(run(vm, "class P:\n    def __bool__(self): raise ValueError('no truth')\n    def __eq__(self, o): 1 / 0\n    "
               "def m(self, a, b): return [a, b]\n"
               "p = P()\n"));
    OK(aiovm_get_global(vm, "p", &o));
    aiovm_ref *keep = aiovm_ref_new(vm, o);
    OK(aiovm_set_attr(vm, o, "x", aiovm_bool(true)));
    OK(aiovm_get_attr(vm, o, "x", &v));
    CHECK(aiovm_to_bool(vm, v, false));
    OK(aiovm_set_attr(vm, o, "x", AIOVM_ABSENT));
    FAILS(aiovm_get_attr(vm, o, "x", &v), "AttributeError", "'P' object has no attribute 'x'");
    FAILS(aiovm_truth(vm, o, &b), "ValueError", "no truth");
    OK(aiovm_truth(vm, aiovm_float(0.5), &b));
    CHECK(b);
    FAILS(aiovm_equal(vm, o, aiovm_none(), &b), "ZeroDivisionError", "division by zero");
    aiovm_value args[2] = {aiovm_float(1), aiovm_none()};
    OK(aiovm_call_method(vm, aiovm_ref_get(keep), "m", 2, args, &v));
    OK(aiovm_repr(vm, v, &v));
    CHECK(check_text(vm, v, "[1.0, None]"));
    FAILS(aiovm_call_method(vm, aiovm_ref_get(keep), "nope", 0, NULL, &v), "AttributeError",
          "'P' object has no attribute 'nope'");
    args[1] = AIOVM_ABSENT;
    FAILS(aiovm_call_method(vm, aiovm_ref_get(keep), "m", 2, args, &v), "ValueError", "argument 1 is absent");
    FAILS(aiovm_call(vm, aiovm_none(), 0, NULL, &v), "TypeError", "'NoneType' object is not callable");
    FAILS(aiovm_call(vm, AIOVM_ABSENT, 0, NULL, &v), "ValueError", "the callable is absent");
    FAILS(aiovm_get_global(vm, "nothing_here", &v), "NameError", "name 'nothing_here' is not defined");
    FAILS(aiovm_set_global(vm, "a", AIOVM_ABSENT), "ValueError", "the value is absent");
    OK(aiovm_set_global(vm, "a", aiovm_ref_get(keep)));
    CHECK(aiovm_ref_retain(keep) == keep);
    aiovm_ref_release(keep);
    OK(run(vm, "import gc; del p, a; gc.collect()"));
    CHECK(strcmp(aiovm_type_name(vm, aiovm_ref_get(keep)), "P") == 0);
    aiovm_ref_release(keep);
    aiovm_ref_release(NULL);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

static void types(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    static const struct {
        const char *source;
        aiovm_type type;
    } cases[] = {
        {"None", AIOVM_TYPE_NONE},    {"True", AIOVM_TYPE_BOOL},      {"1", AIOVM_TYPE_INT},
        {"1 << 100", AIOVM_TYPE_INT}, {"1.5", AIOVM_TYPE_FLOAT},      {"''", AIOVM_TYPE_STR},
        {"b''", AIOVM_TYPE_BYTES},    {"[]", AIOVM_TYPE_LIST},        {"()", AIOVM_TYPE_TUPLE},
        {"{}", AIOVM_TYPE_DICT},      {"{1}", AIOVM_TYPE_SET},        {"frozenset()", AIOVM_TYPE_SET},
        {"len", AIOVM_TYPE_CALLABLE}, {"int", AIOVM_TYPE_CALLABLE},   {"lambda: 1", AIOVM_TYPE_CALLABLE},
        {"...", AIOVM_TYPE_OTHER},    {"range(3)", AIOVM_TYPE_OTHER}, {"[].append", AIOVM_TYPE_CALLABLE},
    };
    aiovm_value v;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OK(aiovm_eval(vm, cases[i].source, AIOVM_ZTS, NULL, &v));
        if (aiovm_type_of(vm, v) != cases[i].type)
            printf("%s is of type %d\n", cases[i].source, aiovm_type_of(vm, v)), failures++;
    }
    CHECK(aiovm_type_of(vm, AIOVM_ABSENT) == AIOVM_TYPE_ABSENT && *aiovm_type_name(vm, AIOVM_ABSENT) == 0);
    OK(run(vm, "async def c(): pass\n"));
    OK(aiovm_eval(vm, "c()", AIOVM_ZTS, NULL, &v));
    CHECK(aiovm_type_of(vm, v) == AIOVM_TYPE_COROUTINE);
    OK(aiovm_run(vm, v, NULL));
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

static void scope(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    aiovm_value v;
    size_t mark = aiovm_mark(vm);
    for (int i = 0; i < 1000; i++) OK(aiovm_text(vm, "some text that is not interned", AIOVM_ZTS, &v));
    CHECK(aiovm_mark(vm) == mark + 1000);
    aiovm_release(vm, mark);
    CHECK(aiovm_mark(vm) == mark);
    aiovm_release(vm, mark + 5);
    OK(run(vm, "1"));
    CHECK(aiovm_mark(vm) <= 1);
    OK(aiovm_collect(vm));
    CHECK(aiovm_memory_used(vm) > 1000);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

static void imports(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    aiovm_value v;
    OK(aiovm_import(vm, "math", NULL));
    OK(aiovm_import(vm, "collections.abc", &v));
    FAILS(aiovm_import(vm, "no_such_module", &v), "ModuleNotFoundError", "No module named 'no_such_module'");
    CHECK(strcmp(aiovm_version(), AIOVM_VERSION) == 0);
    CHECK(strcmp(aiovm_status_name((aiovm_status)99), "an unknown status") == 0);
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

PARTS(PART(scalars), PART(texts), PART(containers), PART(attributes), PART(types), PART(scope), PART(imports))
