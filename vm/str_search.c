/* The search engines: memchr and memmem for single bytes, for wider text a scan for the first point
 * that falls back to Knuth-Morris-Pratt when it has wasted more comparisons than the text is long, so
 * that the worst case stays linear ('a' * n in 'a' * m + 'b').
 */
#include "str_search.h"

#include "str.h"

bool finder_init(finder *f, vm *vm, const void *p, unsigned pw, size_t m, unsigned width, bool reverse)
{
    f->vm = vm;
    f->p = p;
    f->m = m;
    f->width = width;
    f->absent = false;
    f->reverse = reverse;
    f->wasted = f->owned_size = 0;
    f->fail = NULL;
    f->owned = NULL;
    if (pw > width) {
        f->absent = true;
    } else if (pw < width) {
        void *w = f->small;
        if (m * width > sizeof f->small) {
            f->owned_size = m * width;
            w = f->owned = mem_alloc(vm, f->owned_size);
            if (!w) return false;
        }
        text_widen(w, width, p, pw, m);
        f->p = w;
    }
    return true;
}

void finder_done(finder *f)
{
    if (f->owned) mem_free(f->vm, f->owned, f->owned_size);
    if (f->fail) mem_free(f->vm, f->fail, f->m * sizeof(size_t));
}

size_t text_find_char(const void *p, unsigned width, size_t from, size_t to, uint32_t c)
{
    if (width == 1) {
        if (c > 0xFF) return FINDER_NONE;
        const uint8_t *q = memchr((const uint8_t *)p + from, (int)c, to - from);
        return q ? (size_t)(q - (const uint8_t *)p) : FINDER_NONE;
    }
    if (width == 2) {
        if (c > 0xFFFF) return FINDER_NONE;
        const uint16_t *q = p;
        uint64_t four = c * UINT64_C(0x0001000100010001), w;
        for (; to - from >= 4; from += 4) { /* a word of four at a time: a zero among the differences */
            memcpy(&w, q + from, 8);
            w ^= four;
            if ((w - UINT64_C(0x0001000100010001)) & ~w & UINT64_C(0x8000800080008000)) break;
        }
        for (; from < to; from++)
            if (q[from] == c) return from;
    } else {
        for (const uint32_t *q = p; from < to; from++)
            if (q[from] == c) return from;
    }
    return FINDER_NONE;
}

size_t text_rfind_char(const void *p, unsigned width, size_t from, size_t to, uint32_t c)
{
    if (width == 1) {
        if (c > 0xFF) return FINDER_NONE;
        const uint8_t *q = memrchr((const uint8_t *)p + from, (int)c, to - from);
        return q ? (size_t)(q - (const uint8_t *)p) : FINDER_NONE;
    }
    while (to > from) {
        if (text_at(p, width, --to) == c) return to;
    }
    return FINDER_NONE;
}

/* The needle as the engine walks it: backwards for finder_last. */
static inline uint32_t needle_at(const finder *f, size_t j)
{
    return text_at(f->p, f->width, f->reverse ? f->m - 1 - j : j);
}

/* fail[j]: length of the longest proper border of the first j+1 points. */
static bool kmp_prepare(finder *f)
{
    size_t size;
    if (!size_mul(f->m, sizeof(size_t), &size)) return false;
    f->fail = mem_alloc(f->vm, size);
    if (!f->fail) {
        exc_clear(f->vm); /* slow is better than an error */
        f->wasted = 0;
        return false;
    }
    f->fail[0] = 0;
    for (size_t j = 1, k = 0; j < f->m; j++) {
        while (k && needle_at(f, j) != needle_at(f, k)) k = f->fail[k - 1];
        if (needle_at(f, j) == needle_at(f, k)) k++;
        f->fail[j] = k;
    }
    return true;
}

static size_t kmp_next(const finder *f, const void *data, size_t from, size_t to)
{
    for (size_t i = from, k = 0; i < to; i++) {
        uint32_t c = text_at(data, f->width, i);
        while (k && needle_at(f, k) != c) k = f->fail[k - 1];
        if (needle_at(f, k) == c && ++k == f->m) return i + 1 - k;
    }
    return FINDER_NONE;
}

static size_t kmp_last(const finder *f, const void *data, size_t from, size_t to)
{
    for (size_t i = to, k = 0; i > from; i--) {
        uint32_t c = text_at(data, f->width, i - 1);
        while (k && needle_at(f, k) != c) k = f->fail[k - 1];
        if (needle_at(f, k) == c && ++k == f->m) return i - 1;
    }
    return FINDER_NONE;
}

static inline size_t wasted_limit(const finder *f, size_t span) { return span + 8 * f->m + 256; }

/* How many points of the needle match at `at`. */
static size_t match_length(const finder *f, const void *data, size_t at)
{
    const uint8_t *h = text_ptr(data, f->width, at);
    if (memcmp(h, f->p, f->m * f->width) == 0) return f->m;
    size_t j = 0;
    while (text_at(h, f->width, j) == text_at(f->p, f->width, j)) j++;
    return j;
}

size_t finder_next(finder *f, const void *data, size_t from, size_t to)
{
    size_t m = f->m;
    if (f->absent || to - from < m) return FINDER_NONE;
    if (m == 1) return text_find_char(data, f->width, from, to, text_at(f->p, f->width, 0));
    if (f->width == 1) {
        /* memmem prepares itself for long texts: it pays only after some false starts. */
        const uint8_t *base = data, *p = f->p, *end = base + to - m + 1, *q = base + from;
        for (int starts = 0; starts < 4; starts++, q++) {
            q = q < end ? memchr(q, *p, (size_t)(end - q)) : NULL;
            if (!q) return FINDER_NONE;
            if (memcmp(q + 1, p + 1, m - 1) == 0) return (size_t)(q - base);
        }
        q = memmem(q, (size_t)(base + to - q), p, m);
        return q ? (size_t)(q - base) : FINDER_NONE;
    }
    if (f->fail) return kmp_next(f, data, from, to);
    uint32_t first = text_at(f->p, f->width, 0), last = text_at(f->p, f->width, m - 1);
    size_t limit = wasted_limit(f, to - from), stop = to - m + 1;
    for (size_t i = from; (i = text_find_char(data, f->width, i, stop, first)) != FINDER_NONE; i++) {
        if (text_at(data, f->width, i + m - 1) != last) continue;
        size_t k = match_length(f, data, i);
        if (k == m) return i;
        f->wasted += k;
        if (f->wasted > limit && kmp_prepare(f)) return kmp_next(f, data, i + 1, to);
    }
    return FINDER_NONE;
}

size_t finder_last(finder *f, const void *data, size_t from, size_t to)
{
    size_t m = f->m;
    if (f->absent || to - from < m) return FINDER_NONE;
    if (m == 1) return text_rfind_char(data, f->width, from, to, text_at(f->p, f->width, 0));
    if (f->fail) return kmp_last(f, data, from, to);
    uint32_t first = text_at(f->p, f->width, 0), last = text_at(f->p, f->width, m - 1);
    size_t limit = wasted_limit(f, to - from);
    for (size_t stop = to - m + 1, i; (i = text_rfind_char(data, f->width, from, stop, first)) != FINDER_NONE;
         stop = i) {
        if (text_at(data, f->width, i + m - 1) != last) continue;
        size_t k = match_length(f, data, i);
        if (k == m) return i;
        f->wasted += k;
        if (f->wasted > limit && kmp_prepare(f)) return kmp_last(f, data, from, i + m - 1);
    }
    return FINDER_NONE;
}

/* ---- str ---- */

size_t str_find(vm *vm, const str *s, const str *sub, size_t from, size_t to)
{
    finder f;
    if (sub->len == 0) return from;
    if (sub->len == 1) return text_find_char(s->data, str_width(s), from, to, str_at(sub, 0));
    if (!finder_init(&f, vm, sub->data, str_width(sub), sub->len, str_width(s), false)) return FINDER_NONE;
    size_t at = finder_next(&f, s->data, from, to);
    finder_done(&f);
    return at;
}

size_t str_rfind(vm *vm, const str *s, const str *sub, size_t from, size_t to)
{
    finder f;
    if (sub->len == 0) return to;
    if (!finder_init(&f, vm, sub->data, str_width(sub), sub->len, str_width(s), true)) return FINDER_NONE;
    size_t at = finder_last(&f, s->data, from, to);
    finder_done(&f);
    return at;
}

size_t str_count(vm *vm, const str *s, const str *sub, size_t from, size_t to)
{
    if (sub->len == 0) return to - from + 1;
    size_t n = 0;
    if (sub->len == 1 && str_width(s) == 1 && str_width(sub) == 1) {
        const uint8_t *p = s->data, c = *(const uint8_t *)sub->data;
        for (; from < to; from++) n += p[from] == c;
        return n;
    }
    if (sub->len == 1 && str_width(s) == 2) {
        const uint16_t *p = s->data;
        uint32_t c = str_at(sub, 0);
        for (; from < to; from++) n += p[from] == c;
        return n;
    }
    finder f;
    if (!finder_init(&f, vm, sub->data, str_width(sub), sub->len, str_width(s), false)) return 0;
    for (size_t at; (at = finder_next(&f, s->data, from, to)) != FINDER_NONE; from = at + sub->len) n++;
    finder_done(&f);
    return n;
}

int str_find_char(const str *s, uint32_t c)
{
    return text_find_char(s->data, str_width(s), 0, s->len, c) != FINDER_NONE;
}

/* ---- replace ---- */

/* '' matches before every point and at the end. */
static str *replace_empty(vm *vm, str *s, str *to, size_t max)
{
    str_builder b;
    sb_init(&b, vm);
    size_t n = s->len + 1 < max ? s->len + 1 : max, extra;
    if (!size_mul(n, to->len, &extra) || !size_add(extra, s->len, &extra)) return raise_memory(vm), NULL;
    uint32_t ms = str_maxchar(s), mt = str_maxchar(to);
    sb_reserve(&b, extra, ms > mt ? ms : mt);
    for (size_t i = 0; i < n && !b.failed; i++) {
        sb_str(&b, to);
        if (i < s->len) sb_char(&b, str_at(s, i));
    }
    if (n < s->len) sb_range(&b, s, n, s->len);
    return sb_finish(&b);
}

/* One point for one point of the same width class: the length stays. */
static str *replace_char(vm *vm, str *s, uint32_t from, uint32_t to, size_t max)
{
    unsigned w = str_width(s);
    size_t at = text_find_char(s->data, w, 0, s->len, from);
    if (at == FINDER_NONE) return str_plain(s);
    str *r = str_alloc(vm, s->len, str_maxchar(s));
    if (!r) return NULL;
    uint8_t *d = str_wdata(r);
    if (w == 1 && max >= s->len) { /* all of them: one pass that the compiler vectorises */
        const uint8_t *p = s->data;
        uint8_t a = (uint8_t)from, b = (uint8_t)to;
        for (size_t i = 0; i < s->len; i++) d[i] = p[i] == a ? b : p[i];
        return r;
    }
    memcpy(d, s->data, str_size(s));
    for (; at != FINDER_NONE && max; max--) {
        text_put(d, w, at, to);
        at = text_find_char(d, w, at + 1, s->len, from);
    }
    return r;
}

str *str_replace(vm *vm, str *s, str *from, str *to, int64_t limit)
{
    size_t max = limit < 0 ? SIZE_MAX : (size_t)limit;
    if (max == 0 || from->len > s->len || str_eq_fast(from, to)) return str_plain(s);
    if (from->len == 0) return replace_empty(vm, s, to, max);
    if (from->len == 1 && to->len == 1 && str_maxchar(s) == str_maxchar(to)) { /* so it stays what it is */
        return replace_char(vm, s, str_at(from, 0), str_at(to, 0), max);
    }
    if (!str_find_char(s, str_at(from, 0))) return str_plain(s);
    finder f;
    if (!finder_init(&f, vm, from->data, str_width(from), from->len, str_width(s), false)) return NULL;
    size_t at = finder_next(&f, s->data, 0, s->len), done = 0;
    if (at == FINDER_NONE) {
        finder_done(&f);
        return str_plain(s);
    }
    str_builder b;
    sb_init(&b, vm);
    sb_reserve(&b, to->len > from->len ? s->len + 8 * (to->len - from->len) : s->len, 0x7F);
    for (; at != FINDER_NONE && max && !b.failed; max--) {
        sb_range(&b, s, done, at);
        sb_str(&b, to);
        done = at + from->len;
        at = finder_next(&f, s->data, done, s->len);
    }
    finder_done(&f);
    sb_range(&b, s, done, s->len);
    return sb_finish(&b);
}
