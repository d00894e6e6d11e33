/* For test programs that look at what is left of memory: an allocator that counts, and what the process has. */
#ifndef AIOVM_TEST_COUNTING_H
#define AIOVM_TEST_COUNTING_H

#include "check.h"

static size_t in_use, most_in_use, blocks;

/* aiovm_config.alloc with &in_use as its ud. */
static inline void *counting(void *ud, void *p, size_t old, size_t n)
{
    CHECK(ud == &in_use);
    if (n == 0) {
        blocks -= p != NULL;
        in_use -= old;
        free(p);
        return NULL;
    }
    void *q = realloc(p, n);
    if (!q) return NULL;
    blocks += p == NULL;
    in_use += n - old;
    if (in_use > most_in_use) most_in_use = in_use;
    return q;
}

/* Bytes of memory that the process really has. */
static inline size_t resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long size = 0, pages = 0;
    if (f) {
        if (fscanf(f, "%lu %lu", &size, &pages) != 2) pages = 0;
        fclose(f);
    }
    return pages * 4096;
}

#endif
