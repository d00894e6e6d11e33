/* Finding text in text: one engine for str (1, 2 or 4 bytes a point) and bytes.
 *
 *     finder f;
 *     if (!finder_init(&f, vm, needle->data, width(needle), needle->len, width(haystack), reverse)) return ...;
 *     size_t at = finder_next(&f, data, from, to);    // first match wholly in [from, to), or FINDER_NONE
 *     finder_done(&f);
 */
#ifndef AIO_STR_SEARCH_H
#define AIO_STR_SEARCH_H

#include "types_api.h"

#define FINDER_NONE SIZE_MAX

typedef struct finder {
    vm *vm;
    const void *p; /* the needle, in the haystack's width */
    size_t m;
    unsigned width; /* of both */
    bool absent;    /* the needle has points that the haystack's width can't hold */
    bool reverse;   /* finder_last is used */
    size_t wasted;  /* comparisons that led nowhere, all searches together */
    size_t *fail;   /* the KMP table, made when too much was wasted */
    void *owned;    /* widened needle */
    size_t owned_size;
    uint64_t small[8];
} finder;

bool finder_init(finder *f, vm *vm, const void *p, unsigned pw, size_t m, unsigned width, bool reverse); /* m > 0 */
size_t finder_next(finder *f, const void *data, size_t from, size_t to);
size_t finder_last(finder *f, const void *data, size_t from, size_t to); /* the last match in [from, to) */
void finder_done(finder *f);

/* Memory may run out: check raised(vm). The bounds are clamped already and from <= to. An empty needle matches at
 * `from` (or `to`). */
size_t str_find(vm *vm, const str *s, const str *sub, size_t from, size_t to); /* FINDER_NONE: absent */
size_t str_rfind(vm *vm, const str *s, const str *sub, size_t from, size_t to);
size_t str_count(vm *vm, const str *s, const str *sub, size_t from, size_t to);
size_t text_find_char(const void *p, unsigned width, size_t from, size_t to, uint32_t c); /* FINDER_NONE: absent */
size_t text_rfind_char(const void *p, unsigned width, size_t from, size_t to, uint32_t c);
str *str_replace(vm *vm, str *s, str *from, str *to, int64_t max);

#endif
