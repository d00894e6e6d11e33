/* What the tests of the public API (test_api_*.c) share: they see nothing but aiovm.h. */
#ifndef AIOVM_API_TEST_H
#define AIOVM_API_TEST_H

#ifdef AIOVM_TEST_FAULTS
#include "tests/faults/faults.h"
#else
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "include/aiovm.h"

#define unit_test_without_faults(f) \
    cmocka_unit_test(f) /* of no use in tests/faults: it takes long, or allocates nothing */
#endif

static char reports[8000]; /* what the VM under test reports by itself */
static inline void keep_report(void *ud, const char *text, size_t n)
{
    (void)ud;
    size_t have = strlen(reports);
    if (n > sizeof reports - 1 - have) n = sizeof reports - 1 - have;
    memcpy(reports + have, text, n);
    reports[have + n] = 0;
}

static inline aiovm *open_vm(uint32_t flags)
{
    aiovm_config c = {.size = sizeof c, .flags = flags, .report_fn = keep_report};
    reports[0] = 0;
    aiovm *vm = aiovm_open(&c);
    assert_non_null(vm);
    return vm;
}

#define assert_status(x, expected) assert_string_equal(aiovm_status_name(x), aiovm_status_name(expected))
#define assert_ok(x)               assert_status(x, AIOVM_OK)
/* The call fails with this type, and the message begins so. */
#define assert_fails(x, type, message)                                       \
    do {                                                                     \
        assert_status(x, AIOVM_ERROR);                                       \
        assert_string_equal(aiovm_error_type(vm), type);                     \
        if (strncmp(aiovm_error_message(vm), message, strlen(message)) != 0) \
            assert_string_equal(aiovm_error_message(vm), message);           \
    } while (0)
#define assert_text(v, expected) assert_string_equal(aiovm_to_text(vm, v, NULL), expected)

static inline aiovm_value eval(aiovm *vm, const char *source)
{
    aiovm_value v;
    aiovm_status status = aiovm_eval(vm, source, AIOVM_ZTS, "<test>", &v);
    if (status != AIOVM_OK) fail_msg("%s: %s: %s", source, aiovm_status_name(status), aiovm_error_text(vm));
    return v;
}

static inline void assert_repr(aiovm *vm, aiovm_value v, const char *expected)
{
    aiovm_value text;
    assert_ok(aiovm_repr(vm, v, &text));
    assert_text(text, expected);
}

static inline void assert_evals(aiovm *vm, const char *source, const char *expected)
{
    assert_repr(vm, eval(vm, source), expected);
}

#endif
