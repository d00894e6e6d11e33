/* explain_rules.h: what explain.c and its rules share. */
#ifndef AIOVM_GRAMMAR_EXPLAIN_RULES_H
#define AIOVM_GRAMMAR_EXPLAIN_RULES_H

#include "state.h"

#include "parser.h"

/* What an open bracket is for. */
enum place {
    PLACE_LINE, /* in no bracket */
    PLACE_GROUP,
    PLACE_CALL,
    PLACE_PARAMS,
    PLACE_LIST,
    PLACE_SUBSCRIPT,
    PLACE_BRACE,
    PLACE_FIELD, /* of an f-string */
};

struct explain {
    struct parse_state *ps;  /* of the failed parse */
    struct parse_state look; /* for explain_match() */
    struct yyParser *failed, *parser;
    parse_mode mode;
    struct token *t; /* the line before, then the line of the error and what follows it */
    uint32_t n, cap;
    uint32_t e;     /* index of the token at fault */
    uint32_t line;  /* first token of its logical line */
    uint32_t stmt;  /* first token of its simple statement or header */
    uint32_t begin; /* first token in the innermost open bracket, or stmt */
    enum place place;
    bool in_fstring;
    uint32_t budget; /* tokens that explain_match() may still look at */
};

static inline bool token_opens(int kind)
{
    return kind == T_LPAR || kind == T_LSQB || kind == T_LBRACE || kind == T_FLBRACE;
}

static inline bool token_closes(int kind)
{
    return kind == T_RPAR || kind == T_RSQB || kind == T_RBRACE || kind == T_FRBRACE;
}

static inline int kind_at(const struct explain *x, uint32_t i) { return i < x->n ? x->t[i].kind : LEXER_EOF; }

/* ---- the text (explain.c) ---- */

/* Is token i spelled so? */
bool explain_text_is(const struct explain *x, uint32_t i, const char *text);
/* Does a compound statement begin at token i? */
bool explain_is_header(const struct explain *x, uint32_t i);
/* Finds the statement and the bracket that the fault (x->e) is in. */
void explain_locate(struct explain *x);
/* The longest text of this kind that begins at token i: the index after it, or i if there is none.
 * What it parsed as goes to *node. */
uint32_t explain_match(struct explain *x, uint32_t i, enum start_symbol what, ast **node);
/* These set the message and a range; all return true. */
bool explain_say_at(struct explain *x, uint32_t start, uint32_t end, const char *message);
/* From token i to the end of token k - 1. */
bool explain_say(struct explain *x, uint32_t i, uint32_t k, const char *message);
/* The range of two nodes, whose text ends before token k. */
bool explain_say_from(struct explain *x, uint32_t start, uint32_t end, uint32_t k, const char *message);
/* At the token at fault. */
bool explain_say_here(struct explain *x, const char *message);
/* Is there such a token in from..to, outside of brackets opened there? */
bool explain_has_at_level(const struct explain *x, uint32_t from, uint32_t to, int wanted);
/* The token after i at the same level: a bracket counts with what is in it. */
uint32_t explain_skip(const struct explain *x, uint32_t i);

/* ---- the rules (explain_rules.c); true: the message is set ---- */

bool explain_indentation(struct explain *x);
/* The others, in order. */
bool explain_try_rules(struct explain *x);
/* The target of an assignment statement is wrong: was it meant as a comparison? */
void explain_assign_target(struct explain *x);

#endif
