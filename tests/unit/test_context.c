/* Where the cursor is in a cell: what could be completed, and which call it is in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/context.h"

static const char *piece(const char *text, struct text_span s)
{
    static char buffers[3][64];
    static int turn;
    char *out = buffers[turn++ % 3];
    size_t n = s.to - s.from;
    assert_true(n < 64);
    memcpy(out, text + s.from, n);
    out[n] = 0;
    return out;
}

static void check(const char *text, enum context_kind kind, const char *typed, const char *base, const char *callee)
{
    struct context c;
    context_at(text, strlen(text), &c);
    if (c.kind != kind) fail_msg("%s: kind %d, not %d", text, c.kind, kind);
    if (kind != CONTEXT_NONE) assert_string_equal(piece(text, c.typed), typed);
    assert_string_equal(piece(text, c.base), base);
    assert_string_equal(piece(text, c.callee), callee);
}

static void test_names(void **state)
{
    (void)state;
    check("", CONTEXT_NAME, "", "", "");
    check("pri", CONTEXT_NAME, "pri", "", "");
    check("x = 1; fo", CONTEXT_NAME, "fo", "", "");
    check("if x:\n    retu", CONTEXT_NAME, "retu", "", "");
    check("a + 한", CONTEXT_NAME, "한", "", "");
    check("12", CONTEXT_NONE, "", "", "");
}

static void test_attributes(void **state)
{
    (void)state;
    check("a.", CONTEXT_ATTRIBUTE, "", "a", "");
    check("x = a.b.co", CONTEXT_ATTRIBUTE, "co", "a.b", "");
    check("f(a.b", CONTEXT_ATTRIBUTE, "b", "a", "f");
    check("f().b", CONTEXT_NONE, "", "", "");
    check("1.", CONTEXT_NONE, "", "", "");
    check("a[0].b", CONTEXT_NONE, "", "", "");
}

static void test_calls(void **state)
{
    (void)state;
    check("f(", CONTEXT_NAME, "", "", "f");
    check("a.b(1, ke", CONTEXT_NAME, "ke", "", "a.b");
    check("f(g(1), ke", CONTEXT_NAME, "ke", "", "f");
    check("f(g(ke", CONTEXT_NAME, "ke", "", "g");
    check("f([ke", CONTEXT_NAME, "ke", "", "");
    check("f(1)", CONTEXT_NAME, "", "", "");
    check("f(\n    ke", CONTEXT_NAME, "ke", "", "f");
    check("def f(a", CONTEXT_NAME, "a", "", "");
    check("(ke", CONTEXT_NAME, "ke", "", "");
}

static void test_imports(void **state)
{
    (void)state;
    check("import ma", CONTEXT_MODULE, "ma", "", "");
    check("import os, ma", CONTEXT_MODULE, "ma", "", "");
    check("import a.b.c", CONTEXT_MODULE, "c", "a.b", "");
    check("import a as b", CONTEXT_NONE, "", "", "");
    check("from ma", CONTEXT_MODULE, "ma", "", "");
    check("from a.b", CONTEXT_MODULE, "b", "a", "");
    check("from a.b import c", CONTEXT_FROM_IMPORT, "c", "a.b", "");
    check("from a import (b, c", CONTEXT_FROM_IMPORT, "c", "a", "");
    check("x = 1\nfrom a import ", CONTEXT_FROM_IMPORT, "", "a", "");
}

static void test_strings(void **state)
{
    (void)state;
    check("'abc", CONTEXT_NONE, "", "", "");
    check("f('abc", CONTEXT_NONE, "", "", "f");
    check("x # comm", CONTEXT_NONE, "", "", "");
    check("x # comm\nna", CONTEXT_NAME, "na", "", "");
    check("'''a\nb", CONTEXT_NONE, "", "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_attributes), cmocka_unit_test(test_calls),
        cmocka_unit_test(test_imports), cmocka_unit_test(test_strings),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
