/* str and bytes below the language: hashes, builders, shared buffers, interning, UTF-8, the search engines,
 * views that die, and every allocation made to fail once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "vm/bytes.h"
#include "vm/codec.h"
#include "vm/str.h"
#include "vm/str_search.h"
#include "vm/str_unicode.h"

static size_t outstanding; /* bytes that the VM holds */
static long fail_in;       /* the n-th allocation from now fails, once; 0: none */

static void *counting_alloc(void *ud, void *p, size_t old, size_t n)
{
    (void)ud;
    if (n == 0) {
        if (p) outstanding -= old;
        free(p);
        return NULL;
    }
    if (fail_in > 0 && --fail_in == 0) return NULL;
    void *q = realloc(p, n);
    if (q) outstanding += n - old;
    return q;
}

static vm *open_vm(void)
{
    vm *v = vm_new(counting_alloc, NULL, NULL, 0); /* seed 0: CPython's hashes under PYTHONHASHSEED=0 */
    assert_non_null(v);
    return v;
}

static void close_vm(vm *v)
{
    vm_free(v);
    assert_int_equal(outstanding, 0);
}

static uint32_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void test_hash(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t hash;
    } known[] = {
        {"a", UINT64_C(4644417185603328019)},
        {"hello", UINT64_C(16350172494705860510)},
        {"abcdefgh", UINT64_C(4574395652268504554)},
        {"h\xC3\xA9"
         "llo",
         UINT64_C(6395329678795984700)},
        {"\xE4\xB8\x80\xE4\xB8\x81", UINT64_C(4880906036055427689)},
        {"the quick brown fox jumps", UINT64_C(56729954816557122)},
    };
    vm *v = open_vm();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        str *s = str_from_cstr(v, known[i].text);
        assert_true(str_hash(v, s) == known[i].hash);
    }
    close_vm(v);
}

static void test_builder(void **state)
{
    (void)state;
    vm *v = open_vm();
    static const uint32_t points[] = {'a', 0xE9, 0x4E00, 0x1F600};
    for (size_t n = 0; n < 3000; n = n * 2 + 1) {
        for (unsigned widest = 0; widest < 4; widest++) {
            str_builder b;
            sb_init(&b, v);
            for (size_t i = 0; i < n; i++) sb_char(&b, points[i % (widest + 1)]);
            str *s = sb_finish(&b);
            assert_non_null(s);
            assert_int_equal(s->len, n);
            unsigned top = n == 0 ? 0 : n - 1 < widest ? (unsigned)n - 1 : widest;
            assert_int_equal(str_width(s), top < 2 ? 1 : top == 2 ? 2 : 4);
            assert_int_equal(str_is_ascii(s), top == 0);
            for (size_t i = 0; i < n; i++) assert_int_equal(str_at(s, i), points[i % (widest + 1)]);
        }
    }
    close_vm(v);
}

/* Appending in place never shows through an older string, and takes linear time and memory. */
static void run_concat(vm *v)
{
    str *s = v->empty_str, *old = NULL, *fork = NULL;
    ROOTS(v, &s, &old, &fork);
    for (int i = 0; i < 100000; i++) {
        s = str_concat(v, s, v->chars['a' + i % 26]);
        if (i == 5000) old = s;
        if (i == 5001) fork = str_concat(v, old, v->chars['!']);
        if (i % 1000 == 0) gc_safepoint(v);
    }
    assert_int_equal(s->len, 100000);
    assert_int_equal(old->len, 5001);
    assert_int_equal(fork->len, 5002);
    assert_int_equal(str_at(fork, 5001), '!');
    assert_int_equal(str_at(s, 5001), 'a' + 5001 % 26);
    for (int i = 0; i < 5001; i++) assert_true(str_at(old, (size_t)i) == (uint32_t)('a' + i % 26));
    str *part = str_substr(v, s, 10, 99990);
    assert_true(part->h.flags & STR_BUFFER); /* shared, not copied */
    str *wide = str_concat(v, part, str_char(v, 0x4E00));
    assert_int_equal(str_width(wide), 2);
    assert_int_equal(str_at(wide, 0), 'a' + 10);
}

static void test_concat(void **state)
{
    (void)state;
    vm *v = open_vm();
    run_concat(v); /* its roots end before the machine does */
    close_vm(v);
}

static void run_intern(vm *v)
{
    gc_collect_full(v);
    str *kept = str_intern_utf8(v, "kept name", 9);
    ROOTS(v, &kept);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20000; i++) {
            str_builder b;
            sb_init(&b, v);
            sb_ascii(&b, "name", 4);
            sb_int(&b, i);
            str *s = str_intern(v, sb_finish(&b)), *again = str_intern(v, str_format(v, "name%d", i));
            assert_ptr_equal(s, again);
        }
        gc_collect_full(v);
        assert_ptr_equal(str_intern_utf8(v, "kept name", 9), kept);
        assert_ptr_equal(str_intern(v, str_format(v, "kept %s", "name")), kept);
    }
}

static void test_intern(void **state)
{
    (void)state;
    vm *v = open_vm();
    run_intern(v); /* its roots end before the machine does */
    close_vm(v);
}

static void test_utf8(void **state)
{
    (void)state;
    vm *v = open_vm();
    uint64_t seed = 7;
    static const uint32_t limits[] = {0x80, 0x100, 0x800, 0x10000, 0x110000};
    for (int round = 0; round < 3000; round++) {
        uint32_t points[40], limit = limits[round % 5];
        size_t n = next(&seed) % 40;
        for (size_t i = 0; i < n; i++) points[i] = next(&seed) % limit;
        str *s = str_new_ucs4(v, points, n);
        size_t size;
        const char *text = str_wtf8(v, s, &size);
        assert_non_null(text);
        assert_int_equal(text[size], 0);
        assert_ptr_equal(str_wtf8(v, s, NULL), text);
        assert_true(str_eq(s, str_new_utf8(v, text, size)));
        if (str_has_surrogates(s)) {
            assert_null(str_utf8(v, s, &size));
            assert_true(exc_clear_if(v, EXC_UnicodeEncodeError));
        } else {
            assert_ptr_equal(str_utf8(v, s, NULL), text);
        }
        /* In pieces of any size. */
        str_builder b;
        sb_init(&b, v);
        size_t at = 0, have = 0;
        while (at < size && !str_has_surrogates(s)) {
            have += 1 + next(&seed) % 5;
            if (have > size - at) have = size - at;
            size_t used;
            str *piece = codec_decode(v, CODEC_UTF8, (const uint8_t *)text + at, have, V_UNBOUND, at + have == size,
                                      &used, NULL);
            assert_non_null(piece);
            sb_str(&b, piece);
            at += used;
            have -= used;
        }
        str *joined = sb_finish(&b);
        assert_true(str_has_surrogates(s) || str_eq(joined, s));
        /* Noise is never taken for text, nor read beyond its end. */
        uint8_t noise[24];
        for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)next(&seed);
        assert_non_null(str_new_utf8(v, (const char *)noise, sizeof noise));
        if (round % 500 == 0) gc_collect_full(v);
    }
    close_vm(v);
}

static size_t naive(const str *s, const str *p, size_t from, size_t to, bool last)
{
    size_t found = FINDER_NONE;
    for (size_t i = from; i + p->len <= to; i++) {
        size_t k = 0;
        while (k < p->len && str_at(s, i + k) == str_at(p, k)) k++;
        if (k < p->len) continue;
        found = i;
        if (!last) break;
    }
    return found;
}

static void test_search(void **state)
{
    (void)state;
    vm *v = open_vm();
    uint64_t seed = 3;
    static const uint32_t base[] = {'a', 0xE9, 0x4E00, 0x1F600};
    for (int round = 0; round < 20000; round++) {
        uint32_t hay[300], needle[60], c = base[round % 4];
        size_t n = next(&seed) % 300, m = 1 + next(&seed) % (round % 3 ? 6 : 59);
        unsigned odds = 2 + next(&seed) % 30;
        for (size_t i = 0; i < n; i++) hay[i] = c + (next(&seed) % odds == 0);
        for (size_t i = 0; i < m; i++) needle[i] = c + (next(&seed) % odds == 0);
        str *s = str_new_ucs4(v, hay, n), *p = str_new_ucs4(v, needle, m);
        size_t from = n ? next(&seed) % n : 0, to = from + (n > from ? next(&seed) % (n - from + 1) : 0);
        assert_true(str_find(v, s, p, from, to) == naive(s, p, from, to, false));
        assert_true(str_rfind(v, s, p, from, to) == naive(s, p, from, to, true));
        if (round % 1000 == 0) gc_collect_full(v);
    }
    close_vm(v);
}

static void test_unicode(void **state)
{
    (void)state;
    uint32_t out[3];
    assert_int_equal(uni_upper(0xDF, out), 2);
    assert_true(out[0] == 'S' && out[1] == 'S');
    assert_int_equal(uni_title(0x1C6, out), 1);
    assert_int_equal(out[0], 0x1C5);
    assert_int_equal(uni_lower(0x130, out), 2);
    assert_int_equal(uni_fold(0xFB01, out), 2);
    assert_int_equal(uni_decimal(0x0663), 3);
    assert_int_equal(uni_decimal(0x4E00), -1);
    assert_true(uni_is_numeric(0x4E00) && !uni_is_digit(0x4E00));
    assert_true(uni_is_digit(0xB2) && !uni_is_decimal(0xB2));
    assert_true(uni_is_id_start('_') && uni_is_id_start(0x2118) && !uni_is_id_start('1') && uni_is_id_continue(0xB7));
    assert_true(uni_is_space(0x3000) && !uni_is_printable(0x3000) && !uni_is_space(0x200B));
}

/* A view that nothing reaches any more does not keep its bytearray from growing; one that lives does. */
static void run_exports(vm *v)
{
    bytearray *b = bytearray_new(v, "abc", 3);
    value view = V_UNBOUND;
    ROOTS(v, &b, &view);
    view = memoryview_new(v, value_obj(b));
    assert_false(value_is_error(view));
    assert_false(bytearray_resize(v, b, 10));
    assert_true(exc_clear_if(v, EXC_BufferError));
    view = V_UNBOUND;
    assert_true(bytearray_resize(v, b, 10));
    assert_memory_equal(b->data, "abc", 3);
}

static void test_exports(void **state)
{
    (void)state;
    vm *v = open_vm();
    run_exports(v); /* its roots end before the machine does */
    close_vm(v);
}

static bool work(vm *v)
{
    str *a = str_from_cstr(v, "h\xC3\xA9llo "), *big, *s;
    if (!a || !(big = str_repeat(v, a, 1000))) return false;
    if (!(s = str_concat(v, big, a)) || !(s = str_concat(v, s, a)) || !(s = str_concat(v, s, a))) return false;
    if (!str_wtf8(v, s, NULL)) return false;
    str *x = str_char(v, 0x1F600), *r = x ? str_replace(v, s, a, x, -1) : NULL;
    if (!r || !str_repr(v, r) || !str_intern(v, str_substr(v, r, 3, 9))) return false;
    bytes *e = codec_encode(v, CODEC_UTF16, r, V_UNBOUND);
    if (!e || !codec_decode(v, CODEC_UTF16, e->data, e->len, V_UNBOUND, true, NULL, NULL)) return false;
    value n = format_int(v, value_int(1234567), str_from_cstr(v, "20,"));
    return !value_is_error(n) && bytearray_new(v, e->data, e->len) && str_format(v, "%R %d %U", n, 5, r);
}

static void test_allocation_failure(void **state)
{
    (void)state;
    for (long i = 1;; i++) {
        vm *v = open_vm();
        fail_in = i;
        bool ok = work(v);
        bool reached = fail_in == 0;
        fail_in = 0;
        assert_true(ok || raised(v));
        if (!ok) assert_true(exc_clear_if(v, EXC_MemoryError));
        gc_collect_full(v);
        assert_true(gc_verify(v));
        assert_true(work(v));
        close_vm(v);
        if (!reached) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),    cmocka_unit_test(test_builder), cmocka_unit_test(test_concat),
        cmocka_unit_test(test_intern),  cmocka_unit_test(test_utf8),    cmocka_unit_test(test_search),
        cmocka_unit_test(test_unicode), cmocka_unit_test(test_exports), cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
