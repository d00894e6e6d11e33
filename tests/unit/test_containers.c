/* dict and list.sort against simple models, at sizes that pass through every width of the index and every kind of
 * key. What scripts can see of the containers is tested in tests/lang. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "vm/dict.h"
#include "vm/list.h"
#include "vm/set.h"
#include "vm/vm.h"

static vm *v;

static int open_vm(void **state)
{
    (void)state;
    v = vm_new(NULL, NULL, NULL, 1);
    return v ? 0 : -1;
}

static int close_vm(void **state)
{
    (void)state;
    vm_free(v);
    return 0;
}

static uint32_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

enum { KEYS = 60000 };

/* Keys of several types; equal numbers are equal keys. */
static value make_key(int i, bool other_type)
{
    switch (i % 4) {
    case 0: return other_type ? value_float(i) : value_int(i);
    case 1: return value_float(i + 0.5);
    case 2: return value_obj(tuple_pack(v, 2, value_int(i), other_type ? V_FALSE : value_int(0)));
    default: return value_obj(str_format(v, "key %d", i));
    }
}

static void dict_agrees_with_a_model(void **state)
{
    (void)state;
    static int model[KEYS];
    uint64_t seed = 5;
    size_t used = 0;
    dict *d = dict_new(v);
    ROOTS(v, &d);
    for (int i = 0; i < KEYS; i++) model[i] = -1;
    for (int step = 0; step < 400000; step++) {
        /* The range of keys widens, so that the dict grows slowly. */
        int k = (int)(next(&seed) % (uint32_t)(step / 8 + 10)) % KEYS;
        value key = make_key(k, next(&seed) % 2), x, y;
        switch (next(&seed) % 8) {
        case 0:
        case 1:
            used -= model[k] >= 0;
            assert_int_equal(dict_del(v, d, key), model[k] >= 0);
            model[k] = -1;
            break;
        case 2:
            x = dict_get(v, d, key);
            assert_int_equal(value_is_unbound(x), model[k] < 0);
            if (model[k] >= 0) assert_int_equal(value_as_int(x), model[k]);
            break;
        case 3:
            if (step % 5 || !dict_popitem(v, d, &x, &y)) break;
            for (k = 0; model[k] != value_as_int(y); k++) assert_true(k < KEYS);
            model[k] = -1;
            used--;
            break;
        default:
            used += model[k] < 0;
            assert_true(dict_set(v, d, key, value_int(step)));
            model[k] = step;
        }
        assert_int_equal(d->used, used);
        if (step % 20000 == 0) gc_collect_full(v);
        gc_safepoint(v);
    }
    for (int k = 0; k < KEYS; k++) {
        value x = dict_get(v, d, make_key(k, false));
        assert_true(model[k] < 0 ? value_is_unbound(x) : value_as_int(x) == model[k]);
    }
}

static void dict_keeps_order_and_versions(void **state)
{
    (void)state;
    dict *d = dict_new(v);
    ROOTS(v, &d);
    for (int i = 0; i < 1000; i++) dict_set(v, d, value_int(i * 37 % 1000), value_int(i));
    for (int i = 0; i < 1000; i += 2) dict_del(v, d, value_int(i * 37 % 1000));
    uint32_t version = dict_version(v, d);
    assert_true(version != 0);
    dict_set(v, d, value_int(37), V_NONE); /* a store into an entry moves nothing */
    assert_int_equal(dict_version(v, d), version);
    size_t pos = 0;
    value key;
    for (int i = 1; i < 1000; i += 2) {
        assert_true(dict_next(d, &pos, &key, NULL));
        assert_int_equal(value_as_int(key), i * 37 % 1000);
    }
    assert_false(dict_next(d, &pos, &key, NULL));
    dict_set(v, d, value_int(5000), V_NONE);
    assert_true(dict_version(v, d) != version);
    /* Popping and adding for ever must not fill the index with dead slots. */
    for (int i = 0; i < 100000; i++) {
        value x;
        dict_set(v, d, value_int(10000 + i), V_NONE);
        assert_true(dict_popitem(v, d, &key, &x));
        assert_int_equal(value_as_int(key), 10000 + i);
    }
}

static value sort_item(int kind, uint64_t *seed, int i)
{
    uint32_t x = next(seed) % 5000;
    switch (kind) {
    case 0: return value_int((int64_t)x - 2500);
    case 1: return value_float(x * 0.25 - 300);
    case 2: return value_obj(str_format(v, "%d", (int)x));
    case 3: return x % 2 ? value_int(x) : value_float(x);
    case 4: return value_obj(tuple_pack(v, 2, value_int(x % 50), value_int(i)));
    default: return value_int(i % 700 < 650 ? i : 5000 - i); /* runs */
    }
}

static void sort_sorts(void **state)
{
    (void)state;
    uint64_t seed = 11;
    list *l = NULL;
    ROOTS(v, &l);
    for (int kind = 0; kind < 6; kind++) {
        for (int n = 0; n < 3000; n = n * 5 / 3 + 1) {
            for (int reverse = 0; reverse < 2; reverse++) {
                l = list_new(v, 0);
                for (int i = 0; i < n; i++) assert_true(list_append(v, l, sort_item(kind, &seed, i)));
                assert_true(list_sort(v, l, V_NONE, reverse));
                assert_int_equal(l->len, n);
                for (int i = 1; i < n; i++) {
                    value a = l->items[reverse ? i : i - 1], b = l->items[reverse ? i - 1 : i];
                    assert_int_equal(obj_compare_bool(v, b, a, CMP_LT), 0);
                }
                gc_safepoint(v);
            }
        }
    }
}

static void sort_is_stable(void **state)
{
    (void)state;
    uint64_t seed = 13;
    list *l = list_new(v, 0);
    ROOTS(v, &l);
    /* 1, 1.0 and True are equal, and told apart by their words. */
    for (int i = 0; i < 3000; i++) {
        int x = (int)(next(&seed) % 200);
        assert_true(list_append(v, l, i % 2 ? value_int(x) : value_float(x)));
    }
    list *copy = list_from(v, l->items, l->len);
    ROOTS(v, &copy);
    assert_true(list_sort(v, l, V_NONE, false));
    size_t at = 0;
    for (int x = 0; x < 200; x++) {
        for (size_t i = 0; i < copy->len; i++) {
            if (obj_equal(v, copy->items[i], value_int(x)) == 1) {
                assert_true(l->items[at].bits == copy->items[i].bits);
                at++;
            }
        }
    }
    assert_int_equal(at, l->len);
}

static void set_agrees_with_a_model(void **state)
{
    (void)state;
    static bool model[20000];
    uint64_t seed = 17;
    set *s = set_new(v, TYPE_SET);
    ROOTS(v, &s);
    for (int step = 0; step < 200000; step++) {
        int k = (int)(next(&seed) % (uint32_t)(step / 16 + 5)) % 20000;
        uint64_t hash;
        assert_true(dict_hash_key(v, value_int(k), &hash));
        if (next(&seed) % 3 == 0) {
            assert_int_equal(set_discard_hashed(v, s, value_int(k), hash), model[k]);
            model[k] = false;
        } else {
            assert_true(set_add_hashed(v, s, value_int(k), hash));
            model[k] = true;
        }
    }
    size_t n = 0;
    for (int k = 0; k < 20000; k++) {
        assert_int_equal(set_contains(v, s, value_int(k)), model[k]);
        n += model[k];
    }
    assert_int_equal(n, s->used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dict_agrees_with_a_model, open_vm, close_vm),
        cmocka_unit_test_setup_teardown(dict_keeps_order_and_versions, open_vm, close_vm),
        cmocka_unit_test_setup_teardown(sort_sorts, open_vm, close_vm),
        cmocka_unit_test_setup_teardown(sort_is_stable, open_vm, close_vm),
        cmocka_unit_test_setup_teardown(set_agrees_with_a_model, open_vm, close_vm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
