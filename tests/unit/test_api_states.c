/* The public API: every function that may be refused, in each state in which it is: from a finaliser of host data, from
 * a cancel callback, after the end of the VM; and with arguments that make no sense. */
#include "api_test.h"

static aiovm_value text, number, list, coroutine, code, absent, dict;
static aiovm_op *op;
static aiovm_task *task;
static const aiovm_class thing = {.name = "Thing", .size = 8};
static const aiovm_func f = {"f()", NULL, NULL, 0};

/* ---- each function as a call that gives a status ---- */

#define CALL(NAME, ...)                                          \
    static aiovm_status call_##NAME(aiovm *vm, aiovm_value *out) \
    {                                                            \
        (void)out;                                               \
        return aiovm_##NAME(vm, __VA_ARGS__);                    \
    }
CALL(eval, "1", AIOVM_ZTS, NULL, out)
CALL(compile, "1", AIOVM_ZTS, NULL, out)
CALL(eval_code, code, out)
CALL(save, code, out)
CALL(load, "xx", 2, out)
CALL(call, text, 0, NULL, out)
CALL(call_method, text, "upper", 0, NULL, out)
CALL(run, coroutine, out)
CALL(get_global, "print", out)
CALL(set_global, "x", number)
CALL(import, "json", out)
CALL(int, INT64_MAX, out)
CALL(uint, UINT64_MAX, out)
CALL(int_parse, "17", AIOVM_ZTS, 10, out)
CALL(text, "abc", AIOVM_ZTS, out)
CALL(bytes, "abc", 3, out)
CALL(list, 1, &number, out)
CALL(tuple, 1, &number, out)
CALL(dict, out)
CALL(set, 1, &number, out)
CALL(str, number, out)
CALL(repr, number, out)
CALL(truth, number, (bool[1]){0})
CALL(equal, number, text, (bool[1]){0})
CALL(length, text, (size_t[1]){0})
CALL(get_item, list, number, out)
CALL(set_item, dict, number, text)
CALL(del_item, dict, number)
CALL(get_attr, text, "upper", out)
CALL(set_attr, text, "upper", text)
CALL(iter, list, out)
CALL(next, list, out)
CALL(at, list, 0, out)
CALL(append, list, number)
CALL(set_add, text, number)
CALL(raise, "ValueError", "%d", 1)
CALL(raise_value, text)
CALL(function, &f, NULL, out)
CALL(module, "made", NULL, NULL)
CALL(module_set, "made", "x", number)
CALL(class_make, &thing, NULL, out)
CALL(resolve, op, number)
CALL(reject, op, "ValueError", "no")
CALL(spawn, coroutine, NULL, NULL, NULL)
CALL(shutdown, 0)
CALL(unpack, (&(aiovm_args){0}), "")
static aiovm_status call_collect(aiovm *vm, aiovm_value *out) { return (void)out, aiovm_collect(vm); }
static aiovm_status call_cancel(aiovm *vm, aiovm_value *out) { return (void)vm, (void)out, aiovm_cancel(task); }
static aiovm_status call_future(aiovm *vm, aiovm_value *out)
{
    aiovm_op *another = NULL;
    aiovm_status status = aiovm_future(vm, NULL, NULL, &another, out);
    aiovm_op_release(another);
    return status;
}
static aiovm_status call_new(aiovm *vm, aiovm_value *out)
{
    if (aiovm_new(vm, &thing, out)) return AIOVM_OK;
    return *aiovm_end_reason(vm) ? AIOVM_ENDED : AIOVM_BUSY;
}

enum { PLAIN, SCRIPT, OUTER }; /* runs no script; may; never from inside */
static const struct entry {
    const char *name;
    aiovm_status (*call)(aiovm *, aiovm_value *);
    int kind;
    bool gives; /* a value */
} entries[] = {
#define E(NAME, KIND, GIVES)            \
    {                                   \
#NAME, call_##NAME, KIND, GIVES \
    }
    E(eval, SCRIPT, 1),        E(compile, SCRIPT, 1),   E(eval_code, SCRIPT, 1),   E(save, PLAIN, 1),
    E(load, PLAIN, 1),         E(call, SCRIPT, 1),      E(call_method, SCRIPT, 1), E(run, OUTER, 1),
    E(get_global, PLAIN, 1),   E(set_global, PLAIN, 0), E(import, SCRIPT, 1),      E(int, PLAIN, 1),
    E(uint, PLAIN, 1),         E(int_parse, SCRIPT, 1), E(text, PLAIN, 1),         E(bytes, PLAIN, 1),
    E(list, PLAIN, 1),         E(tuple, PLAIN, 1),      E(dict, PLAIN, 1),         E(set, SCRIPT, 1),
    E(str, SCRIPT, 1),         E(repr, SCRIPT, 1),      E(truth, SCRIPT, 0),       E(equal, SCRIPT, 0),
    E(length, SCRIPT, 0),      E(get_item, SCRIPT, 1),  E(set_item, SCRIPT, 0),    E(del_item, SCRIPT, 0),
    E(get_attr, SCRIPT, 1),    E(set_attr, SCRIPT, 0),  E(iter, SCRIPT, 1),        E(next, SCRIPT, 1),
    E(at, PLAIN, 1),           E(append, PLAIN, 0),     E(set_add, SCRIPT, 0),     E(raise, SCRIPT, 0),
    E(raise_value, SCRIPT, 0), E(function, PLAIN, 1),   E(module, PLAIN, 0),       E(module_set, PLAIN, 0),
    E(class_make, SCRIPT, 1),  E(resolve, PLAIN, 0),    E(reject, SCRIPT, 0),      E(spawn, SCRIPT, 0),
    E(shutdown, OUTER, 0),     E(unpack, SCRIPT, 0),    E(collect, SCRIPT, 0),     E(cancel, SCRIPT, 0),
    E(future, PLAIN, 1),       E(new, SCRIPT, 1),
};
enum { NENTRIES = sizeof entries / sizeof *entries };

/* Each call of at least this kind gives the status, and None. */
static void all_give(aiovm *vm, int from, aiovm_status expected)
{
    for (int i = 0; i < NENTRIES; i++) {
        aiovm_value out = number;
        if (entries[i].kind < from) continue;
        aiovm_status status = entries[i].call(vm, &out);
        if (status != expected)
            fail_msg("%s: %s, not %s", entries[i].name, aiovm_status_name(status), aiovm_status_name(expected));
        if (entries[i].gives && !aiovm_is_none(out)) fail_msg("%s: the result is not None", entries[i].name);
    }
}

/* ---- the VM and its values ---- */

static aiovm_ref *refs[8];
static int nrefs;

static aiovm_value kept(aiovm *vm, aiovm_value v)
{
    refs[nrefs] = aiovm_ref_new(vm, v);
    assert_non_null(refs[nrefs]);
    return aiovm_ref_get(refs[nrefs++]);
}

static void cancelled(void *ud);

static aiovm *prepare(void)
{
    aiovm *vm = open_vm(AIOVM_HOST_LOOP);
    aiovm_value v;
    nrefs = 0;
    number = kept(vm, eval(vm, "1 << 70"));
    text = kept(vm, eval(vm, "'a text'"));
    list = kept(vm, eval(vm, "[1, 2]"));
    dict = kept(vm, eval(vm, "{}"));
    assert_ok(aiovm_compile(vm, "1 + 1", AIOVM_ZTS, NULL, &v));
    code = kept(vm, v);
    eval(vm, "import asyncio\nasync def wait(x):\n    return await x\n");
    assert_ok(aiovm_future(vm, cancelled, vm, &op, &v));
    assert_ok(aiovm_set_global(vm, "operation", v));
    assert_ok(aiovm_spawn(vm, eval(vm, "wait(operation)"), NULL, NULL, &task));
    coroutine = kept(vm, eval(vm, "c = wait(operation)\nc"));
    coroutine = kept(vm, eval(vm, "c"));
    aiovm_run_ready(vm, 0);
    return vm;
}

static void put_away(aiovm *vm)
{
    while (nrefs) aiovm_ref_release(refs[--nrefs]);
    assert_ok(aiovm_close(vm));
    aiovm_task_release(task);
    aiovm_op_release(op);
}

/* ---- the states ---- */

static int called;

static void finalised(void *data, void *ud)
{
    (void)data;
    aiovm *vm = ud;
    called++;
    all_give(vm, PLAIN, AIOVM_BUSY);
    assert_null(aiovm_ref_new(vm, aiovm_none()));
    assert_null(aiovm_handle_new(vm));
    assert_int_equal(aiovm_fd(vm), -1);
    assert_int_equal(aiovm_timeout_ns(vm), -1);
    assert_null(aiovm_data(vm, &thing, text));
    assert_status(aiovm_close(vm), AIOVM_BUSY);
    assert_int_equal(aiovm_run_ready(vm, 0), AIOVM_STATE_BUSY);
    assert_string_equal(aiovm_error_message(vm), "");
    assert_int_equal(aiovm_error_frame_count(vm), 0);
    aiovm_value v;
    assert_status(aiovm_error_value(vm, &v), AIOVM_BUSY);
    aiovm_error_clear(vm);
    size_t pos = 0;
    assert_false(aiovm_dict_next(vm, dict, &pos, NULL, NULL));
}

static void in_a_finaliser(void **state)
{
    (void)state;
    static const aiovm_class dying = {.name = "Dying", .size = 8, .finalize = finalised};
    aiovm *vm = prepare();
    called = 0;
    assert_ok(aiovm_class_make(vm, &dying, vm, NULL));
    assert_non_null(aiovm_new(vm, &dying, NULL));
    eval(vm, "None");
    assert_ok(aiovm_collect(vm));
    assert_int_equal(called, 1);
    put_away(vm);
}

static bool checking;
static void cancelled(void *ud)
{
    aiovm *vm = ud;
    if (!checking) return;
    checking = false;
    called++;
    all_give(vm, SCRIPT, AIOVM_BUSY);
    assert_status(aiovm_close(vm), AIOVM_BUSY);
    aiovm_value v; /* what runs no script is allowed */
    assert_ok(aiovm_text(vm, "x", AIOVM_ZTS, &v));
    assert_ok(aiovm_append(vm, list, v));
}

static void in_a_cancel_callback(void **state)
{
    (void)state;
    aiovm *vm = prepare();
    called = 0;
    checking = true;
    assert_ok(aiovm_cancel(task));
    aiovm_run_ready(vm, 0);
    assert_int_equal(called, 1);
    assert_status(aiovm_resolve(vm, op, number), AIOVM_CANCELLED);
    assert_status(aiovm_reject(vm, op, "ValueError", "no"), AIOVM_CANCELLED);
    put_away(vm);
}

static void after_the_end(void **state)
{
    (void)state;
    aiovm *vm = prepare();
    aiovm_handle *h = aiovm_handle_new(vm);
    assert_non_null(h);
    aiovm_kill(h);
    assert_status(aiovm_eval(vm, "while True: pass", AIOVM_ZTS, NULL, NULL), AIOVM_ENDED);
    all_give(vm, PLAIN, AIOVM_ENDED);
    assert_int_equal(aiovm_run_ready(vm, 0), AIOVM_STATE_ENDED);
    assert_string_equal(aiovm_end_reason(vm), "killed");
    assert_string_equal(aiovm_error_type(vm), "Killed");
    assert_true(*aiovm_error_message(vm));
    assert_int_equal(aiovm_timeout_ns(vm), -1);
    assert_false(aiovm_op_wanted(op));
    put_away(vm);
    assert_status(aiovm_post(h, (void (*)(aiovm *, void *))abort, NULL), AIOVM_ENDED);
    aiovm_interrupt(h);
    aiovm_kill(h);
    aiovm_handle_release(h);
}

/* ---- arguments ---- */

static void nulls(void **state)
{
    (void)state;
    aiovm *vm = prepare();
    aiovm_value out, *const o = &out;
#define INVALID(x)                       \
    do {                                 \
        out = number;                    \
        assert_status(x, AIOVM_INVALID); \
    } while (0)
#define INVALID_NONE(x)                  \
    do {                                 \
        INVALID(x);                      \
        assert_true(aiovm_is_none(out)); \
    } while (0)
    INVALID_NONE(aiovm_eval(vm, NULL, 0, NULL, o));
    INVALID_NONE(aiovm_compile(vm, NULL, 0, NULL, o));
    INVALID_NONE(aiovm_load(vm, NULL, 0, o));
    INVALID_NONE(aiovm_call(vm, text, -1, NULL, o));
    INVALID_NONE(aiovm_call(vm, text, 1, NULL, o));
    INVALID_NONE(aiovm_call_method(vm, text, NULL, 0, NULL, o));
    INVALID_NONE(aiovm_call_method(vm, text, "upper", -1, NULL, o));
    INVALID_NONE(aiovm_call_method(vm, text, "upper", 1, NULL, o));
    INVALID_NONE(aiovm_get_global(vm, NULL, o));
    INVALID(aiovm_set_global(vm, NULL, number));
    INVALID_NONE(aiovm_import(vm, NULL, o));
    INVALID_NONE(aiovm_int_parse(vm, NULL, 0, 10, o));
    INVALID_NONE(aiovm_text(vm, NULL, 0, o));
    INVALID_NONE(aiovm_bytes(vm, NULL, 1, o));
    INVALID_NONE(aiovm_list(vm, 1, NULL, o));
    INVALID_NONE(aiovm_tuple(vm, 1, NULL, o));
    INVALID_NONE(aiovm_set(vm, 1, NULL, o));
    INVALID_NONE(aiovm_get_attr(vm, text, NULL, o));
    INVALID(aiovm_set_attr(vm, text, NULL, number));
    INVALID(aiovm_error_value(vm, NULL));
    INVALID(aiovm_raise(vm, NULL, "x"));
    INVALID_NONE(aiovm_function(vm, NULL, NULL, o));
    INVALID(aiovm_module(vm, NULL, NULL, NULL));
    INVALID(aiovm_module_set(vm, NULL, "x", number));
    INVALID(aiovm_module_set(vm, "m", NULL, number));
    INVALID_NONE(aiovm_class_make(vm, NULL, NULL, o));
    INVALID_NONE(aiovm_class_make(vm, &(aiovm_class){0}, NULL, o));
    INVALID_NONE(aiovm_future(vm, NULL, NULL, NULL, o));
    INVALID(aiovm_reject(vm, op, NULL, "x"));
    INVALID(aiovm_reject(vm, op, "ValueError", NULL));
    INVALID(aiovm_complete(op, NULL, NULL, NULL));
    aiovm *other = open_vm(AIOVM_HOST_LOOP);
    INVALID(aiovm_resolve(other, op, number));
    INVALID(aiovm_reject(other, op, "ValueError", "of another VM"));
    assert_ok(aiovm_close(other));
    aiovm_handle *h = aiovm_handle_new(vm);
    assert_non_null(h);
    INVALID(aiovm_post(h, NULL, NULL));
    aiovm_handle_release(h);
    INVALID(aiovm_post(NULL, (void (*)(aiovm *, void *))abort, NULL));
    INVALID(aiovm_resolve(vm, NULL, number));
    INVALID(aiovm_reject(vm, NULL, "ValueError", "x"));
    INVALID(aiovm_complete(NULL, (aiovm_status(*)(aiovm *, void *, aiovm_value *))abort, NULL, NULL));
    INVALID(aiovm_cancel(NULL));
    assert_false(aiovm_op_wanted(NULL));
    assert_null(aiovm_op_retain(NULL));
    assert_null(aiovm_ref_retain(NULL));
    assert_null(aiovm_handle_retain(NULL));
    assert_true(aiovm_is_absent(aiovm_ref_get(NULL)));
    aiovm_interrupt(NULL);
    aiovm_kill(NULL);
    aiovm_handle_release(NULL);
    aiovm_task_release(NULL);
    aiovm_op_release(NULL);
    aiovm_ref_release(NULL);
    assert_ok(aiovm_bytes(vm, NULL, 0, o));
    assert_ok(aiovm_list(vm, 0, NULL, NULL));
    put_away(vm);
}

static void absent_values(void **state)
{
    (void)state;
    aiovm *vm = prepare();
    aiovm_value v;
    absent = AIOVM_ABSENT;
    const char *const why = "the value is absent";
#define ABSENT(x) assert_fails(x, "ValueError", why)
    ABSENT(aiovm_str(vm, absent, &v));
    ABSENT(aiovm_repr(vm, absent, &v));
    ABSENT(aiovm_truth(vm, absent, NULL));
    ABSENT(aiovm_equal(vm, absent, number, NULL));
    ABSENT(aiovm_equal(vm, number, absent, NULL));
    ABSENT(aiovm_length(vm, absent, NULL));
    ABSENT(aiovm_get_item(vm, absent, number, &v));
    ABSENT(aiovm_get_item(vm, dict, absent, &v));
    ABSENT(aiovm_set_item(vm, absent, number, number));
    ABSENT(aiovm_set_item(vm, dict, absent, number));
    ABSENT(aiovm_set_item(vm, dict, number, absent));
    ABSENT(aiovm_del_item(vm, absent, number));
    ABSENT(aiovm_del_item(vm, dict, absent));
    ABSENT(aiovm_get_attr(vm, absent, "x", &v));
    ABSENT(aiovm_set_attr(vm, absent, "x", number));
    ABSENT(aiovm_iter(vm, absent, &v));
    ABSENT(aiovm_next(vm, absent, &v));
    ABSENT(aiovm_at(vm, absent, 0, &v));
    ABSENT(aiovm_append(vm, absent, number));
    ABSENT(aiovm_append(vm, list, absent));
    ABSENT(aiovm_set_add(vm, absent, number));
    ABSENT(aiovm_eval_code(vm, absent, &v));
    ABSENT(aiovm_save(vm, absent, &v));
    ABSENT(aiovm_run(vm, absent, &v));
    ABSENT(aiovm_spawn(vm, absent, NULL, NULL, NULL));
    ABSENT(aiovm_set_global(vm, "x", absent));
    ABSENT(aiovm_module_set(vm, "m", "x", absent));
    assert_fails(aiovm_call(vm, absent, 0, NULL, &v), "ValueError", "the callable is absent");
    assert_fails(aiovm_call_method(vm, absent, "x", 0, NULL, &v), "ValueError", "the object is absent");
    assert_fails(aiovm_call(vm, text, 1, &absent, &v), "ValueError", "argument 0 is absent");
    assert_fails(aiovm_list(vm, 1, &absent, &v), "ValueError", "value 0 of 1 is absent");
    assert_fails(aiovm_tuple(vm, 1, &absent, &v), "ValueError", "value 0 of 1 is absent");
    assert_fails(aiovm_set(vm, 1, &absent, &v), "ValueError", "value 0 of 1 is absent");
    ABSENT(aiovm_raise_value(vm, absent));
    assert_fails(aiovm_raise_value(vm, text), "TypeError", "exceptions must derive from BaseException");
    assert_int_equal(aiovm_type_of(vm, absent), AIOVM_TYPE_ABSENT);
    assert_string_equal(aiovm_type_name(vm, absent), "");
    assert_int_equal(aiovm_to_int(vm, absent, 7), 7);
    assert_int_equal(aiovm_to_uint(vm, absent, 7), 7);
    assert_true(aiovm_to_float(vm, absent, 7) == 7);
    assert_true(aiovm_to_bool(vm, absent, true));
    assert_null(aiovm_to_text(vm, absent, NULL));
    assert_null(aiovm_data(vm, &thing, absent));
    aiovm_ref *r = aiovm_ref_new(vm, absent);
    assert_true(aiovm_is_absent(aiovm_ref_get(r)));
    aiovm_ref_release(r);
    assert_ok(aiovm_resolve(vm, op, absent)); /* as None */
    assert_status(aiovm_resolve(vm, op, absent), AIOVM_DONE);
    put_away(vm);
}

/* What needs a loop, in a VM without one. */
static void without_a_loop(void **state)
{
    (void)state;
    aiovm *vm = open_vm(0);
    aiovm_value v;
    aiovm_op *none;
    assert_fails(aiovm_future(vm, NULL, NULL, &none, &v), "RuntimeError", "no running event loop");
    assert_null(none);
    eval(vm, "async def f(): pass");
    aiovm_task *t;
    v = eval(vm, "f()");
    assert_fails(aiovm_spawn(vm, v, NULL, NULL, &t), "RuntimeError", "no running event loop");
    assert_null(t);
    assert_int_equal(aiovm_run_ready(vm, 0), AIOVM_STATE_FAILED);
    assert_string_equal(aiovm_error_message(vm), "the VM was not opened with AIOVM_HOST_LOOP");
    assert_int_equal(aiovm_fd(vm), -1);
    assert_int_equal(aiovm_timeout_ns(vm), -1);
    assert_ok(aiovm_shutdown(vm, 0));
    assert_ok(aiovm_close(vm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_finaliser), cmocka_unit_test(in_a_cancel_callback), cmocka_unit_test(after_the_end),
        cmocka_unit_test(nulls),          cmocka_unit_test(absent_values),        cmocka_unit_test(without_a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
