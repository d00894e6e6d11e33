/* faults.h: the test programs of tests/unit/test_api_*.c and tests/embed, run again with each allocation failed in
 * turn.
 *
 * A program that is compiled with AIOVM_TEST_FAULTS includes this instead of cmocka.h and is linked with faults.c,
 * whose main runs each of its scenarios again and again, in a process of its own: the n-th allocation fails, or the
 * n-th and all that follow. What the scenario expects (assert_, CHECK) need not hold any more then: it is left where
 * the first expectation fails, and everything it has open is closed and released. Nothing may crash, hang or be left
 * behind.
 *
 * An expectation that fails in a callback of the VM does not leave it, since its frames can't be jumped over: the
 * callback goes on. Callbacks must bear with that.
 */
#ifndef AIOVM_TEST_FAULTS_H
#define AIOVM_TEST_FAULTS_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "include/aiovm.h"

/* ---- expectations ---- */

void faults_missed(const char *file, int line, const char *what);
void faults_status_missed(const char *file, int line, const char *what, aiovm_status got);
int faults_texts_equal(const char *a, const char *b); /* of which one may be NULL */

#define faults_expect(x) ((x) ? (void)0 : faults_missed(__FILE__, __LINE__, #x))

/* ---- scenarios ---- */

struct CMUnitTest {
    const char *name;
    void (*run)(void **);
};
int faults_run(const struct CMUnitTest *scenarios, size_t n);
int faults_program(void); /* the program's main */

/* ---- what a scenario holds, to be given back when it is left ---- */

aiovm *faults_open(const aiovm_config *config);
aiovm_status faults_close(aiovm *vm);
aiovm_status faults_future(aiovm *vm, void (*cancel)(void *), void *ud, aiovm_op **op, aiovm_value *out);
aiovm_op *faults_op_retain(aiovm_op *op);
void faults_op_release(aiovm_op *op);
aiovm_status faults_spawn(aiovm *vm, aiovm_value coroutine, aiovm_done *done, void *ud, aiovm_task **task);
void faults_task_release(aiovm_task *task);
aiovm_handle *faults_handle_new(aiovm *vm);
aiovm_handle *faults_handle_retain(aiovm_handle *handle);
void faults_handle_release(aiovm_handle *handle);
int faults_thread(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *ud);
int faults_join(pthread_t t, void **result);
void *faults_malloc(size_t n); /* the program's own memory, which never fails */
char *faults_strdup(const char *s);
void faults_free(void *p);
void faults_exit(int status);

#ifndef AIOVM_FAULTS_INSIDE
#define main                 faults_program
#define aiovm_open           faults_open
#define aiovm_close          faults_close
#define aiovm_future         faults_future
#define aiovm_op_retain      faults_op_retain
#define aiovm_op_release     faults_op_release
#define aiovm_spawn          faults_spawn
#define aiovm_task_release   faults_task_release
#define aiovm_handle_new     faults_handle_new
#define aiovm_handle_retain  faults_handle_retain
#define aiovm_handle_release faults_handle_release
#define pthread_create       faults_thread
#define pthread_join         faults_join
#define malloc               faults_malloc
#define strdup               faults_strdup
#define free                 faults_free
#define exit                 faults_exit

#define assert_true(x)            faults_expect(x)
#define assert_false(x)           faults_expect(!(x))
#define assert_null(x)            faults_expect((x) == NULL)
#define assert_non_null(x)        faults_expect((x) != NULL)
#define assert_int_equal(a, b)    faults_expect((a) == (b))
#define assert_ptr_equal(a, b)    faults_expect((a) == (b))
#define assert_string_equal(a, b) faults_expect(faults_texts_equal((a), (b)))
#define assert_memory_equal(a, b, n)                                                \
    do {                                                                            \
        const void *faults_a = (a);                                                 \
        faults_expect(faults_a != NULL && memcmp(faults_a, (b), (size_t)(n)) == 0); \
    } while (0)
#define fail_msg(...) faults_missed(__FILE__, __LINE__, "fail_msg(" #__VA_ARGS__ ")")
#define cmocka_unit_test(f) \
    {                       \
#f, f               \
    }
#define unit_test_without_faults(f) \
    {                               \
#f, 0 ? f : NULL            \
    }
#define cmocka_run_group_tests(tests, setup, teardown) faults_run(tests, sizeof(tests) / sizeof *(tests))
#endif

#endif
