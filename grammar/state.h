/* state.h: what the parts of the parser share while they work on one source.
 *
 * The driver (parse.c) owns a parse_state; the grammar's actions (parser.y) build nodes through
 * build.h and call check.h; the first error found ends the parse. `explain` (explain.c) may then
 * run the machinery again, quietly, over parts of the text, to find a better message.
 *
 * Out of memory never makes a builder return NULL: it sets `nomem` and hands out `sink`, a scratch
 * node of kind AST_NONE, and the driver stops before the next token.
 */
#ifndef AIOVM_GRAMMAR_STATE_H
#define AIOVM_GRAMMAR_STATE_H

#include "arena.h"
#include "ast.h"
#include "diag.h"
#include "lexer.h"
#include "parse.h"

#include <stdbool.h>
#include <stdint.h>

/* A node and the text it came from, which is more than the node's own when it is in parentheses. */
struct ex {
    ast *n;
    uint32_t start, end;
};

/* A list of nodes under construction, with its text, which includes a trailing comma. */
struct list {
    ast_seq *s;
    uint32_t start, end;
    bool comma;
};

struct id_list {
    ast_ids *s;
    uint32_t start, end;
};

/* One item of a dict display; key NULL: `**value`. */
struct pair {
    ast *key, *value;
    uint32_t start, end;
};

struct pair_list {
    ast_seq *keys, *values;
};

struct name_at {
    const ast_name *name; /* may be NULL */
    uint32_t start, end;
};

struct parse_error {
    diag_kind kind; /* DIAG_NONE: there is none */
    const char *message;
    uint32_t start, end; /* equal: no range */
    bool before;         /* the column shown is that of the character before `start`, perhaps 0 */
    uint32_t seen;       /* how far the text has been looked at: an offset */
    /* How the error came about, for explain.c. */
    enum {
        ERROR_CHECK,  /* told by an action */
        ERROR_LEXER,  /* told by the scanner */
        ERROR_FINAL,  /* told by explain.c; no later error may take its place */
        ERROR_TOKEN,  /* the grammar refused the token at start..end */
        ERROR_TARGET, /* an invalid target of `=` */
    } origin;
    struct token token; /* ERROR_TOKEN: the token; ERROR_TARGET: the `=` */
};

struct name_table {
    ast_name **slots;
    uint32_t cap, n;
};

struct parse_state {
    arena *a;
    const char *src;
    uint32_t len;
    struct lexer lx;
    struct parse_error error;
    /* A string literal that cannot be decoded: reported at the token after the last adjacent one.
     */
    const char *string_error;
    bool nomem;
    bool quiet; /* an explaining run: no warnings */
    bool stop;  /* error or nomem: feed no more tokens */
    bool accepted;

    ast *result; /* body or expression, by the start symbol */

    ast_seq *empty;
    ast_ids *no_ids;
    ast_ops *no_ops;
    void *sink;
    void *spare;             /* the same for what check.c allocates */
    const ast_name *no_name; /* what a name is when memory is out */
    struct name_table names;
    struct diag *warnings, **warnings_end;

    struct token last; /* the token fed last */

    /* `(a as b)` parses as an atom; only a `with` statement may use it, and at once. */
    ast *with_cover;
    uint32_t with_as_start, with_as_end;
    unsigned with_covers;
};

enum { STATE_SPARE_SIZE = 256 };

enum start_symbol {
    START_AT_FILE,
    START_AT_EVAL,
    START_AT_SINGLE,
    START_AT_TEST,  /* an expression */
    START_AT_EXPR,  /* one without a conditional or a lambda on top */
    START_AT_EXPRS, /* one or more, perhaps starred */
    START_AT_BITOR, /* an operand of a comparison */
    START_AT_COMPS, /* for ... in ... if ... */
};

/* Records an error unless there is one already. */
void state_fail(struct parse_state *ps, diag_kind kind, uint32_t start, uint32_t end, const char *message);
/* The same for a SyntaxError with a formatted message. */
void state_failf(struct parse_state *ps, uint32_t start, uint32_t end, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void state_nomem(struct parse_state *ps);
void state_warn(struct parse_state *ps, diag_kind kind, uint32_t start, uint32_t end, const char *message);

/* Prepares ps for src; false when out of memory. */
bool state_init(struct parse_state *ps, arena *a, const char *src, uint32_t len);

/* The generated parser. */
struct yyParser;
size_t grammar_size(void);
void grammar_init(struct yyParser *p, struct parse_state *ps);
void grammar_feed(struct yyParser *p, int kind, struct token t);
/* Would this token be accepted next? Changes nothing. */
bool grammar_accepts(struct yyParser *p, int kind);
/* The token that selects what is parsed; it must be fed first. */
int grammar_start_token(enum start_symbol start);

#endif
