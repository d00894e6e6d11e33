/* What the test programs of this folder share: CHECK says on stdout what does not hold, and where. */
#ifndef AIOVM_TEST_CHECK_H
#define AIOVM_TEST_CHECK_H

#include "include/aiovm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef AIOVM_TEST_FAULTS
#include "tests/faults/faults.h"
#endif

static int failures;

#ifdef AIOVM_TEST_FAULTS
#define CHECK(x) faults_expect(x)
#define CHECK_STATUS(x, expected)                                                   \
    do {                                                                            \
        aiovm_status got_ = (x);                                                    \
        if (got_ != (expected)) faults_status_missed(__FILE__, __LINE__, #x, got_); \
    } while (0)
#define OK(x) CHECK_STATUS(x, AIOVM_OK)
#define FAILS(x, type, message)                                                 \
    do {                                                                        \
        aiovm_status got_ = (x);                                                \
        if (got_ != AIOVM_ERROR || strcmp(aiovm_error_type(vm), (type)) != 0 || \
            strcmp(aiovm_error_message(vm), (message)) != 0)                    \
            faults_status_missed(__FILE__, __LINE__, #x, got_);                 \
    } while (0)
#else
#define CHECK(x)                                           \
    do {                                                   \
        if (!(x)) {                                        \
            failures++;                                    \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #x); \
        }                                                  \
    } while (0)
#define CHECK_STATUS(x, expected)                                                                          \
    do {                                                                                                   \
        aiovm_status got_ = (x);                                                                           \
        if (got_ != (expected)) {                                                                          \
            failures++;                                                                                    \
            printf("%s:%d: %s: %s, not %s\n", __FILE__, __LINE__, #x, aiovm_status_name(got_), #expected); \
        }                                                                                                  \
    } while (0)
#define OK(x)                                                                                                        \
    do {                                                                                                             \
        aiovm_status got_ = (x);                                                                                     \
        if (got_ != AIOVM_OK) {                                                                                      \
            failures++;                                                                                              \
            printf("%s:%d: %s: %s: %s: %s\n", __FILE__, __LINE__, #x, aiovm_status_name(got_), aiovm_error_type(vm), \
                   aiovm_error_message(vm));                                                                         \
        }                                                                                                            \
    } while (0)
/* The call fails with this type and message. */
#define FAILS(x, type, message)                                                                                      \
    do {                                                                                                             \
        aiovm_status got_ = (x);                                                                                     \
        if (got_ != AIOVM_ERROR || strcmp(aiovm_error_type(vm), (type)) != 0 ||                                      \
            strcmp(aiovm_error_message(vm), (message)) != 0) {                                                       \
            failures++;                                                                                              \
            printf("%s:%d: %s: %s, %s: %s\n", __FILE__, __LINE__, #x, aiovm_status_name(got_), aiovm_error_type(vm), \
                   aiovm_error_message(vm));                                                                         \
        }                                                                                                            \
    } while (0)

#endif

static inline int check_text(aiovm *vm, aiovm_value v, const char *expected)
{
    const char *s = aiovm_to_text(vm, v, NULL);
    if (s && strcmp(s, expected) == 0) return 1;
    printf("got %s\n", s ? s : "no text");
    return 0;
}

/* The repr of what an expression gives. */
static inline int evals_to(aiovm *vm, const char *source, const char *expected)
{
    aiovm_value v;
    aiovm_status status = aiovm_eval(vm, source, AIOVM_ZTS, "<test>", &v);
    if (status != AIOVM_OK) {
        printf("%s: %s %s: %s\n", source, aiovm_status_name(status), aiovm_error_type(vm), aiovm_error_message(vm));
        return 0;
    }
    return aiovm_repr(vm, v, &v) == AIOVM_OK && check_text(vm, v, expected);
}

static inline aiovm_status run(aiovm *vm, const char *source)
{
    return aiovm_eval(vm, source, AIOVM_ZTS, "<test>", NULL);
}

/* What the VM reports by itself. */
static char reports[4000];
static inline void keep_report(void *ud, const char *text, size_t n)
{
    (void)ud;
    size_t have = strlen(reports);
    if (n > sizeof reports - 1 - have) n = sizeof reports - 1 - have;
    memcpy(reports + have, text, n);
    reports[have + n] = 0;
}

static inline aiovm *open_with(uint32_t flags)
{
    aiovm_config config = {
        .size = sizeof config, .flags = flags, .memory_hard = (size_t)512 << 20, .report_fn = keep_report};
    aiovm *vm = aiovm_open(&config);
    if (!vm) {
        puts("the VM can't be opened");
        exit(1);
    }
    return vm;
}

static inline int finish(aiovm *vm)
{
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
    if (!failures) puts("ok");
    return failures != 0;
}

/* A program of parts, one after the other; each opens what it needs. */
typedef struct test_part {
    const char *name;
    void (*run)(void **);
} test_part;
#ifdef AIOVM_TEST_FAULTS
#define PARTS(...)                                              \
    int main(void)                                              \
    {                                                           \
        static const struct CMUnitTest parts[] = {__VA_ARGS__}; \
        return faults_run(parts, sizeof parts / sizeof *parts); \
    }
#else
#define PARTS(...)                                                                    \
    int main(void)                                                                    \
    {                                                                                 \
        static const test_part parts[] = {__VA_ARGS__};                               \
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) parts[i].run(NULL); \
        if (!failures) puts("ok");                                                    \
        return failures != 0;                                                         \
    }
#endif
#define PART(f) \
    {           \
#f, f   \
    }
#ifdef AIOVM_TEST_FAULTS
#define PART_WITHOUT_FAULTS(f) unit_test_without_faults(f)
#else
#define PART_WITHOUT_FAULTS(f) PART(f)
#endif

#endif
