/* literal.h: what number and string tokens stand for. */
#ifndef AIOVM_GRAMMAR_LITERAL_H
#define AIOVM_GRAMMAR_LITERAL_H

#include "state.h"

/* Fewer than this many decimal digits may be converted to an int. */
enum { LITERAL_MAX_DIGITS = 4300 };

ast *literal_number(struct parse_state *ps, struct token t);
/* A string or bytes Constant. */
ast *literal_string(struct parse_state *ps, struct token t);
/* The literal text inside an f-string. */
ast *literal_fstring_text(struct parse_state *ps, struct token t);
/* Adjacent literals become one Constant or one JoinedStr. `next` is the token after them. */
ast *literal_join(struct parse_state *ps, ast_seq *parts, uint32_t start, uint32_t end);
/* A replacement field: its parts in order, to be added to a JoinedStr's values. */
struct fstring_field {
    uint32_t start, end;
    struct ex value;
    uint32_t text_end;      /* of `x=`, where the `!`, `:` or `}` stands */
    bool equal;             /* has a `=` */
    struct name_at convert; /* name NULL: none */
    uint32_t bang;          /* where the `!` stands */
    ast *spec;              /* or NULL */
};
ast_seq *literal_add_field(struct parse_state *ps, ast_seq *values, const struct fstring_field *f);

#endif
