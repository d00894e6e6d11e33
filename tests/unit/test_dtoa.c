/* Text <-> double: known hard cases, and round trips over a fixed pseudo-random sequence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "vm/dtoa.h"

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

static uint64_t bits_of(double x)
{
    uint64_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

static double of_bits(uint64_t b)
{
    double x;
    memcpy(&x, &b, sizeof x);
    return x;
}

static void check_format(double x, char mode, int precision, unsigned flags, const char *want)
{
    char buf[512];
    size_t n = dtoa_format(buf, sizeof buf - 1, x, mode, precision, flags);
    assert_true(n < sizeof buf);
    buf[n] = 0;
    assert_string_equal(buf, want);
}

static void test_repr(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *text;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {0.1, "0.1"},
        {1e15, "1000000000000000.0"},
        {1e16, "1e+16"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {1e-4, "0.0001"},
        {1e-5, "1e-05"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {9007199254740993.0, "9007199254740992.0"},
        {1e23, "1e+23"},
        {9.5367431640625e-07, "9.5367431640625e-07"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
        {2e-44, "2e-44"},
        {4.35, "4.35"},
    };
    char buf[DTOA_REPR_MAX + 1];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf[dtoa_repr(buf, cases[i].x)] = 0;
        assert_string_equal(buf, cases[i].text);
    }
}

static void test_format(void **state)
{
    (void)state;
    check_format(0.125, 'f', 2, 0, "0.12");
    check_format(0.375, 'f', 2, 0, "0.38");
    check_format(2.5, 'f', 0, 0, "2");
    check_format(2.5, 'f', 0, DTOA_ALT, "2.");
    check_format(2.675, 'f', 2, DTOA_SIGN, "+2.67");
    check_format(-0.001, 'f', 2, 0, "-0.00");
    check_format(-0.001, 'f', 2, DTOA_NO_NEG_0, "0.00");
    check_format(1e22, 'e', 3, 0, "1.000e+22");
    check_format(9.9999, 'e', 2, 0, "1.00e+01");
    check_format(123456.0, 'g', 6, 0, "123456");
    check_format(1234567.0, 'g', 6, 0, "1.23457e+06");
    check_format(0.0001, 'G', 6, DTOA_ALT, "0.000100000");
    check_format(1e-320, 'e', 5, 0, "9.99989e-321");
    check_format(INFINITY, 'F', 6, 0, "INF");
    check_format(0.1, 'f', 55, 0, "0.1000000000000000055511151231257827021181583404541015625");
    assert_int_equal(dtoa_format(NULL, 0, 1.5, 'f', DTOA_PRECISION_MAX, 0), DTOA_PRECISION_MAX + 2);
}

static double parse(const char *s) { return dtoa_parse(s, strlen(s)); }

static void test_parse(void **state)
{
    (void)state;
    assert_int_equal(bits_of(parse("9007199254740993")), bits_of(9007199254740992.0));
    assert_int_equal(bits_of(parse("9007199254740993.00000000000000000000000000000000000001")),
                     bits_of(9007199254740994.0));
    assert_int_equal(bits_of(parse("2.4703282292062327208e-324")), 0);
    assert_int_equal(bits_of(parse("2.4703282292062327209e-324")), 1);
    assert_int_equal(bits_of(parse("2.2250738585072011e-308")), 0x000fffffffffffff);
    assert_int_equal(bits_of(parse("1.7976931348623158e308")), 0x7fefffffffffffff);
    assert_true(isinf(parse("1.7976931348623159e308")));
    assert_true(isinf(parse("1e99999999999999999999")));
    assert_true(parse("1e-99999999999999999999") == 0);
    assert_true(parse("1_000.5_5e-0_1") == 100.055);
    char zeros[1200];
    memset(zeros, '0', sizeof zeros);
    zeros[0] = '1';
    memcpy(zeros + sizeof zeros - 6, "e-1194", 6);
    assert_true(dtoa_parse(zeros, sizeof zeros) == 0.1);
    double x;
    assert_true(dtoa_parse_text("-Infinity", 9, &x) && x == -INFINITY);
    assert_true(dtoa_parse_text("nan", 3, &x) && isnan(x));
    static const char *const bad[] = {"", "+", ".", "e5", "1e", "1__0", "_1", "1_", "1._0", "1.0x", "0x1", "in"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(dtoa_parse_text(bad[i], strlen(bad[i]), &x));
}

static void test_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 1;
    char buf[DTOA_REPR_MAX + DTOA_HEX_MAX];
    for (int i = 0; i < 200000; i++) {
        double x = of_bits(next(&seed)), y;
        if (!isfinite(x)) continue;
        assert_int_equal(bits_of(dtoa_parse(buf, dtoa_repr(buf, x))), bits_of(x));
        size_t n = dtoa_format(buf, sizeof buf, x, 'e', 16, 0);
        assert_int_equal(bits_of(dtoa_parse(buf, n)), bits_of(x));
        n = dtoa_hex(buf, x);
        assert_int_equal(dtoa_parse_hex(buf, n, &y), DTOA_HEX_OK);
        assert_int_equal(bits_of(y), bits_of(x));
    }
}

static void test_hex(void **state)
{
    (void)state;
    double x;
    assert_int_equal(dtoa_parse_hex(" -0x.8p1\n", 9, &x), DTOA_HEX_OK);
    assert_true(x == -1.0);
    assert_int_equal(dtoa_parse_hex("0x1p1024", 8, &x), DTOA_HEX_OVERFLOW);
    assert_int_equal(dtoa_parse_hex("0x1.fffffffffffff8p1023", 23, &x), DTOA_HEX_OVERFLOW);
    assert_int_equal(dtoa_parse_hex("0x", 2, &x), DTOA_HEX_SYNTAX);
    assert_int_equal(dtoa_parse_hex("0x1p-1075", 9, &x), DTOA_HEX_OK);
    assert_true(x == 0);
    assert_int_equal(dtoa_parse_hex("0x1.8p-1075", 11, &x), DTOA_HEX_OK);
    assert_true(x == 0x1p-1074);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repr),       cmocka_unit_test(test_format), cmocka_unit_test(test_parse),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
