/* lexer.h: text to tokens, one at a time, with indentation and f-strings as CPython 3.12 has them.
 *
 * The text is UTF-8, free of NULs and carriage returns, and followed by a NUL. A token is a range
 * of offsets. The whole state is one flat struct, so looking ahead is done on a copy of it.
 */
#ifndef AIOVM_GRAMMAR_LEXER_H
#define AIOVM_GRAMMAR_LEXER_H

#include "arena.h"
#include "diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEXER_MAX_BRACKETS = 200,
    LEXER_MAX_INDENTS = 100,
    LEXER_MAX_FSTRINGS = 150,
    LEXER_MAX_MODES = 3 * LEXER_MAX_FSTRINGS,
};

/* Bits of token.flags. */
enum {
    TOKEN_RAW = 1,       /* STRING, FMIDDLE: backslashes stand for themselves */
    TOKEN_BYTES = 2,     /* STRING: b'...' */
    TOKEN_U = 4,         /* STRING: u'...' */
    TOKEN_TRIPLE = 8,    /* STRING: three quotes */
    TOKEN_SPEC = 16,     /* FMIDDLE: inside a format spec, where braces are not doubled */
    TOKEN_NONASCII = 32, /* NAME: needs normalising */
    TOKEN_LAST = 64,     /* NEWLINE that the end of the text implied */
};

struct token {
    uint32_t start, end; /* byte offsets */
    uint16_t kind;       /* T_... of parser.h; AUGOP tokens are told apart by their text */
    uint16_t flags;
};

/* What lexer_next answers besides a token kind. */
enum {
    LEXER_EOF = 0,
    LEXER_ERROR = -1,
    /* The text ends inside a bracket, a string or after a backslash: an error too, described as
     * one, but more text could mend it. */
    LEXER_MORE = -2,
};

struct lexer_mode {
    uint8_t kind; /* enum in lexer.re: f-string text, replacement field, format spec */
    uint8_t quote;
    bool triple, raw;
    uint16_t depth; /* open brackets when it began */
    uint32_t at;    /* where it began */
};

struct lexer_error {
    diag_kind kind;
    const char *message;
    uint32_t start, end; /* equal when CPython shows no range */
    bool in_bracket;     /* the text ended inside a bracket, which is at `start` */
    bool soft;           /* an error of the grammar before it comes first */
};

struct lexer {
    const char *src, *cur, *lim;
    arena *a;    /* for messages */
    int last;    /* kind of the token before */
    int pending; /* DEDENTs still to be told */
    bool line_start;
    bool continued; /* the text so far ends in a backslash */
    uint16_t nindents, nbrackets, nmodes, nfstrings;
    uint32_t indents[LEXER_MAX_INDENTS], alt_indents[LEXER_MAX_INDENTS];
    uint32_t brackets[LEXER_MAX_BRACKETS]; /* offsets of the open ones */
    struct lexer_mode modes[LEXER_MAX_MODES];
    struct lexer_error error;
    /* Called for a number that runs into a keyword, as in `1if x`. NULL when nobody wants it. */
    void (*warn)(void *ud, uint32_t start, uint32_t end, const char *message);
    void *ud;
};

void lexer_init(struct lexer *lx, arena *a, const char *src, uint32_t len);
/* The next token's kind, LEXER_EOF, or a negative answer with lx->error filled in. */
int lexer_next(struct lexer *lx, struct token *t);

/* Is the identifier character `cp` one that may start (or continue) a name? */
bool lexer_is_name_start(uint32_t cp);
bool lexer_is_name_part(uint32_t cp);

#endif
