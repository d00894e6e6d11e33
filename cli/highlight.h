/* highlight.h: the colours of source text, by the language's own scanner. */
#ifndef AIOVM_CLI_HIGHLIGHT_H
#define AIOVM_CLI_HIGHLIGHT_H

#include <stddef.h>
#include <stdint.h>

/* Sets styles[0, n), zeroes, to enum editor_style. The text needs no NUL behind. */
void highlight(const char *text, size_t n, uint8_t *styles);

#endif
