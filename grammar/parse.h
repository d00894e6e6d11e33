/* parse.h: source text to syntax tree.
 *
 *     arena a;
 *     arena_init(&a, alloc, ud);
 *     struct parse_result r;
 *     switch (parse_source(&a, text, len, "<stdin>", PARSE_FILE, 0, &r)) {
 *     case PARSE_OK: ... r.module ...
 *     case PARSE_ERROR: ... r.diag ...
 *     }
 *     arena_free(&a);
 *
 * The tree, the messages, the text that offsets point into and the line index all live in the
 * arena.
 */
#ifndef AIOVM_GRAMMAR_PARSE_H
#define AIOVM_GRAMMAR_PARSE_H

#include "arena.h"
#include "ast.h"
#include "diag.h"

typedef enum parse_mode {
    PARSE_FILE,   /* a module: AST_Module */
    PARSE_EVAL,   /* one expression: AST_Expression */
    PARSE_SINGLE, /* one interactive statement: AST_Interactive; may answer PARSE_INCOMPLETE */
    PARSE_CELL,   /* interactive statements, none to many: otherwise as PARSE_SINGLE */
} parse_mode;

enum {
    /* The source is text already (it came from a str): no BOM, no encoding declaration. */
    PARSE_IS_TEXT = 1,
};

typedef enum parse_status {
    PARSE_OK,
    PARSE_ERROR,      /* see diag */
    PARSE_INCOMPLETE, /* PARSE_SINGLE, PARSE_CELL: more lines may make it whole */
    PARSE_NOMEM,      /* the arena's allocator refused */
} parse_status;

/* Where the lines of a text begin, for turning offsets into lines. */
struct line_index {
    const char *src;
    uint32_t len;
    uint32_t n;             /* number of lines, at least 1 */
    const uint32_t *starts; /* n byte offsets */
};

struct line_pos {
    uint32_t line; /* from 1 */
    uint32_t byte; /* column in bytes, from 0 */
    uint32_t col;  /* column in characters, from 0 */
};

struct parse_result {
    parse_status status;
    ast *module; /* AST_Module, AST_Expression or AST_Interactive when status is PARSE_OK */
    struct diag diag;
    struct diag *warnings; /* in source order; there also when the status is PARSE_ERROR */
    uint32_t nnames;       /* how many ast_names there are: their ids are below this */
    /* The text that all offsets point into: UTF-8, newlines as \n, NUL-terminated. Always a
     * copy in the arena: the caller's buffer is not needed any more. */
    const char *src;
    uint32_t len;
    struct line_index lines;
    const char *filename;
};

/* `src` need not end in a NUL. Returns out->status. */
parse_status parse_source(arena *a, const char *src, size_t len, const char *filename, parse_mode mode, unsigned flags,
                          struct parse_result *out);

/* The name in a `coding:` comment on the first two lines of [p, end); its length, or 0. The grammar itself reads UTF-8,
 * ASCII and Latin-1; text in other encodings has to come with PARSE_IS_TEXT. */
size_t parse_find_cookie(const char *p, const char *end, const char **name);

/* Line and columns of a byte offset: O(log lines + length of the line). */
struct line_pos line_index_pos(const struct line_index *li, uint32_t offset);
/* Line `line` (from 1) without its newline. */
const char *line_index_text(const struct line_index *li, uint32_t line, uint32_t *len);

/* Fills in d's positions from a byte range: for the errors and warnings of later passes. */
void line_index_locate(const struct line_index *li, uint32_t start, uint32_t end, struct diag *d);

#endif
