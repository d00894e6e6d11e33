/* glyph.h: UTF-8 text as a terminal shows it: clusters of code points, their columns, words. No VM, no state. */
#ifndef AIOVM_CLI_GLYPH_H
#define AIOVM_CLI_GLYPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code point at p < end and its length in bytes; a byte that is no UTF-8 counts as one U+FFFD. */
uint32_t glyph_decode(const char *p, const char *end, size_t *n);

/* The boundary of clusters after (before) the boundary `at`; the text's end (begin) when there is none. */
size_t glyph_next(const char *text, size_t n, size_t at);
size_t glyph_prev(const char *text, size_t n, size_t at);

/* Columns of the cluster text[from, to) that begins in column `col`: control characters are shown as ^X,
 * a tab goes to the next multiple of 8. */
unsigned glyph_columns(const char *text, size_t from, size_t to, unsigned col);
/* Columns of text that a program printed: escape sequences and control characters take none. */
size_t glyph_printed_columns(const char *text, size_t n, size_t col);

/* The end of the word after (begin of the word before) the cursor. */
size_t glyph_word_end(const char *text, size_t n, size_t at);
size_t glyph_word_start(const char *text, size_t n, size_t at);

#endif
