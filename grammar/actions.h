/* actions.h: what the grammar's reductions do beyond making one node: the larger statements, lists,
 * cover constructs. See parser.y for where each is used.
 */
#ifndef AIOVM_GRAMMAR_ACTIONS_H
#define AIOVM_GRAMMAR_ACTIONS_H

#include "build.h"
#include "check.h"
#include "state.h"

#define FAIL_TOKEN(t, message) state_fail(ps, DIAG_SYNTAX_ERROR, (t).start, (t).end, (message))

/* A one-field statement or expression. */
#define UNARY_NODE(A, Kind, field, child, from, to)          \
    do {                                                     \
        struct ast_##Kind *node_ = MAKE(Kind, (from), (to)); \
        node_->field = (child);                              \
        A = act_ex(ast_done(ps, node_));                     \
    } while (0)

struct except_head {
    ast *type;
    const ast_name *name;
};

struct ex act_ex(ast *n);
struct ex act_ex_at(ast *n, uint32_t start, uint32_t end);
struct ex act_if(struct parse_state *ps, struct ast_If *first, const struct list *elifs, const struct list *orelse);
struct ex act_try(struct parse_state *ps, uint32_t start, const struct list *body, const struct list *handlers,
                  const struct list *orelse, const struct list *finalbody);
struct except_head act_except_head(struct parse_state *ps, const struct list *types, const struct token *name,
                                   struct token colon);
struct ex act_handler(struct parse_state *ps, struct token except, ast *type, const ast_name *name,
                      const struct list *body);
void act_mixed_except(struct parse_state *ps, uint32_t start, bool star);
struct ex act_with(struct parse_state *ps, ast *head, const struct list *body);
ast *act_withitem(struct parse_state *ps, struct ex value, const struct ex *target);
struct ex act_with_head(struct parse_state *ps, struct token with, const struct list *items);
void act_set_async(ast *n, struct token async);
void act_decorate(struct parse_state *ps, ast *n, const struct list *decorators);
struct name_at act_join_name(struct parse_state *ps, const struct id_list *parts);
struct ex act_alias(struct parse_state *ps, struct name_at name, const struct token *as);
struct list act_list(struct parse_state *ps, struct ex x);
void act_list_add(struct parse_state *ps, struct list *l, struct ex x);
void act_list_comma(struct list *l, struct token comma);
struct id_list act_id_list(struct parse_state *ps, struct token t);
void act_id_list_add(struct parse_state *ps, struct id_list *l, struct token t);
struct ex act_list_expr(struct parse_state *ps, const struct list *l);
struct ex act_list_pattern(struct parse_state *ps, const struct list *l, bool open);
struct ex act_slice(struct parse_state *ps, struct ex lower, struct ex upper, const struct ex *step, uint32_t end);
struct ex act_named(struct parse_state *ps, struct token name, struct ex value);
struct ex act_comprehension(struct parse_state *ps, ast_kind kind, uint32_t start, ast *elt,
                            const struct list *generators, uint32_t end);
struct ex act_dict(struct parse_state *ps, struct token open, const struct pair_list *l, struct token close);
void act_add_pair(struct parse_state *ps, struct pair_list *l, struct pair p);
struct ex act_display(struct parse_state *ps, ast_kind kind, struct token open, ast_seq *elts, struct token close);
struct ex act_parens(struct parse_state *ps, struct token open, const struct list *l, struct token close);
struct ex act_call(struct parse_state *ps, struct ex func, struct token open, struct call_args *args,
                   struct token close);
struct ex act_match_name(struct parse_state *ps, struct ex x);
struct ex act_match_value(struct parse_state *ps, struct ex x);
struct ex act_match_singleton(struct parse_state *ps, struct token t, ast_const_kind kind);
struct ex act_function(struct parse_state *ps, struct token def, struct token name, const struct list *type_params,
                       ast *params, struct ex returns, const struct list *body);
struct ex act_class(struct parse_state *ps, struct token class_, struct token name, const struct list *type_params,
                    const struct call_args *args, const struct list *body);
struct ex act_for(struct parse_state *ps, struct ex target, struct ex iter, const struct list *body,
                  const struct list *orelse);
struct param_at act_param_name(struct parse_state *ps, struct token name, struct ex annotation, struct ex dflt);
struct param_at act_param_star(struct parse_state *ps, int kind, struct token star, const struct token *name,
                               ast *annotation, uint32_t end);
void act_refuse_default(struct parse_state *ps, struct token eq, const char *message);
void act_end_simple_line(struct parse_state *ps);
struct ex act_mapping(struct parse_state *ps, struct token open, const struct mapping *m, struct token close);

#endif
