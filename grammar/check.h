/* check.h: rules that the grammar is too generous to enforce, called from its actions.
 *
 * A failed check records the error and goes on; the parse then stops before the next token.
 */
#ifndef AIOVM_GRAMMAR_CHECK_H
#define AIOVM_GRAMMAR_CHECK_H

#include "state.h"

/* What kind of place a target stands in: they differ in what they accept and say. */
enum target_use { TARGET_ASSIGN, TARGET_FOR, TARGET_WITH, TARGET_DELETE };

/* Sets the context of a target and of what is inside it; refuses what cannot be one. */
void check_target(struct parse_state *ps, ast *n, enum target_use use);
/* The target of `=`; `eq` is that token. */
void check_assign_target(struct parse_state *ps, struct ex target, struct token eq);
void check_augmented_target(struct parse_state *ps, struct ex target);
void check_annotated_target(struct parse_state *ps, struct ex target);
/* The part of n that cannot be a target, or NULL. In a `for` the iterable may have been parsed as
 * a comparison: `a + b in x`. */
const ast *check_find_bad_target(const ast *n, enum target_use use);
/* "function call", "literal", ...: what an expression is called in messages. */
const char *check_expr_name(const ast *n);

/* The arguments of a call or the bases of a class, added in source order. */
struct call_args {
    ast_seq *args, *keywords;
    bool unpacked;  /* has a **x */
    uint32_t nargs; /* all of them */
    ast *generator; /* a bare generator expression */
    uint32_t generator_end, generator_for;
    const char *misplaced; /* told at the end: what is wrong with a positional one */
    uint32_t start, end;
};
struct arg_at {
    enum { ARG_PLAIN, ARG_STAR, ARG_KEYWORD, ARG_DSTAR, ARG_GENERATOR } kind;
    ast *n; /* an expression, a Starred or a keyword */
    uint32_t start, end;
    uint32_t for_at; /* GENERATOR: its first `for` */
};
struct call_args *check_call_args_new(struct parse_state *ps);
void check_call_args_add(struct parse_state *ps, struct call_args *c, struct arg_at a);
/* `name=value`, where the grammar lets any expression be the name. */
struct arg_at check_keyword_argument(struct parse_state *ps, struct ex name, struct token eq, struct ex value);
/* The end of the arguments. A lone generator takes the parentheses as its own. */
void check_call_args_done(struct parse_state *ps, struct call_args *c, uint32_t open, struct token close,
                          bool is_class);
/* A trailing comma. */
void check_call_args_comma(struct parse_state *ps, struct call_args *c);

/* The parameters of a function or lambda, added in source order. */
struct params {
    struct ast_arguments *n;
    bool slash, star, dstar;
    bool named_after_star; /* something follows a bare * */
    uint32_t star_at;      /* of a bare * */
    bool bare_star;
    uint32_t count;
};
struct param_at {
    enum { PARAM_PLAIN, PARAM_STAR, PARAM_BARE_STAR, PARAM_DSTAR, PARAM_SLASH } kind;
    ast *arg;
    ast *dflt; /* or NULL */
    uint32_t start, end;
};
struct params *check_params_new(struct parse_state *ps, uint32_t start);
void check_params_add(struct parse_state *ps, struct params *p, struct param_at a);
/* `next` is the token after the last parameter. */
ast *check_params_done(struct parse_state *ps, struct params *p, struct token next, bool lambda);

/* Elements of a display or comprehension that may not be starred. */
void check_comprehension_element(struct parse_state *ps, const ast *n);
/* Warns about `x is 1`. */
void check_is(struct parse_state *ps, struct ex left, struct ex right, bool negated);

/* Class patterns: positional ones first. */
struct pattern_args {
    ast_seq *patterns, *kwd_patterns;
    ast_ids *kwd_attrs;
};
struct pattern_args *check_pattern_args_new(struct parse_state *ps);
/* `name` NULL: positional. */
void check_pattern_args_add(struct parse_state *ps, struct pattern_args *c, struct name_at name, struct ex pattern);
/* Mapping patterns. */
struct mapping {
    ast_seq *keys, *patterns;
    const ast_name *rest;
    bool has_rest;
};
struct mapping *check_mapping_new(struct parse_state *ps);
void check_mapping_add(struct parse_state *ps, struct mapping *m, struct ex key, struct token colon, struct ex pattern);
void check_mapping_rest(struct parse_state *ps, struct mapping *m, struct token star, struct name_at name);
/* `1 + 2j` in a pattern. */
ast *check_complex(struct parse_state *ps, struct ex real, struct token op, struct token imag);

#endif
