/* diag.h: what the parser has to say about a source: one error at most, and warnings.
 *
 * Positions are CPython's: lines and columns count from 1, columns in characters; end_offset is
 * the column after the last character. An offset of 0 means "no column", an end of 0 "no range".
 * The byte range is kept too (offsets into parse_result.src).
 */
#ifndef AIOVM_GRAMMAR_DIAG_H
#define AIOVM_GRAMMAR_DIAG_H

#include "arena.h"

#include <stdarg.h>
#include <stdint.h>

typedef enum diag_kind {
    DIAG_NONE,
    DIAG_SYNTAX_ERROR,
    DIAG_INDENTATION_ERROR,
    DIAG_TAB_ERROR,
    DIAG_VALUE_ERROR,
    DIAG_RECURSION_ERROR,
    DIAG_MEMORY_ERROR,
    DIAG_DEPRECATION_WARNING,
    DIAG_SYNTAX_WARNING,
    DIAG_KIND_COUNT
} diag_kind;

struct diag {
    uint8_t kind;        /* diag_kind */
    const char *message; /* in the parse's arena */
    uint32_t lineno, offset, end_lineno, end_offset;
    uint32_t start, end;
    struct diag *next; /* of the list of warnings */
};

/* "SyntaxError", "DeprecationWarning", ...: the name of the class to raise. */
const char *diag_kind_name(diag_kind kind);

/* printf into the arena, for messages; "out of memory" when the arena is exhausted. */
const char *diag_format(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *diag_vformat(arena *a, const char *format, va_list args);

#endif
