/* build.h: making nodes, sequences and names; none of these return NULL (see state.h).
 *
 * A node is made by ast_make, its fields are set, and ast_done closes it: that computes its depth
 * and refuses a tree that is too deep.
 */
#ifndef AIOVM_GRAMMAR_BUILD_H
#define AIOVM_GRAMMAR_BUILD_H

#include "state.h"

/* A zeroed node, its sequences empty. */
void *ast_make(struct parse_state *ps, ast_kind kind, uint32_t start, uint32_t end);
ast *ast_done(struct parse_state *ps, void *node);

#define MAKE(Name, start, end) ((struct ast_##Name *)ast_make(ps, AST_##Name, (start), (end)))

ast_seq *ast_seq_add(struct parse_state *ps, ast_seq *s, ast *item); /* item may be NULL */
ast_seq *ast_seq_of(struct parse_state *ps, ast *item);
ast_seq *ast_seq_join(struct parse_state *ps, ast_seq *s, const ast_seq *more);
ast_ids *ast_ids_add(struct parse_state *ps, ast_ids *s, const ast_name *name);

/* The interned name for text that is UTF-8 and normalised already. */
const ast_name *ast_name_intern(struct parse_state *ps, const char *text, size_t len);
/* The name a NAME token stands for: NFKC-normalised. */
const ast_name *ast_name_of_token(struct parse_state *ps, struct token t);

ast *ast_build_name(struct parse_state *ps, struct token t, ast_ctx ctx);
ast *ast_build_const(struct parse_state *ps, ast_const_kind kind, uint32_t start, uint32_t end);
ast *ast_build_binop(struct parse_state *ps, struct ex left, ast_op op, struct ex right);
ast *ast_build_boolop(struct parse_state *ps, struct ex left, ast_op op, struct ex right);
ast *ast_build_compare(struct parse_state *ps, struct ex left, ast_op op, struct ex right);
ast *ast_build_unary(struct parse_state *ps, struct token op_token, ast_op op, struct ex operand);
ast *ast_build_tuple(struct parse_state *ps, ast_seq *elts, uint32_t start, uint32_t end);
ast *ast_build_starred(struct parse_state *ps, struct token star, struct ex value);
/* The operator of an operator token (`+`, `<<=`, `not in` excepted). */
ast_op ast_build_binary_op(struct parse_state *ps, struct token t);

#endif
