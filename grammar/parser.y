/* parser.y: the grammar of Python 3.12, for lemon, without conflicts.
 *
 * It is a little wider than the language where LALR(1) needs that (targets are parsed as
 * expressions, parameters as a flat list, `(a as b)` as an atom); actions build the tree and call
 * check.h, which refuses the rest.
 *
 * Every expression carries the range of its text, which includes the parentheses around it; the
 * node itself does not (see struct ex).
 *
 * `match` and `type` are told from names by the lexer, `case` by %fallback.
 */
%name grammar
%token_prefix T_
%token_type {struct token}
%default_type {struct ex}
%extra_context {struct parse_state *ps}
%stack_size 3000
%include {
#include "actions.h"
#include "build.h"
#include "check.h"
#include "literal.h"
#include "state.h"

#include "parser.h"

#include <assert.h>
#include <string.h>

#define YYNOERRORRECOVERY 1

}
%syntax_error {
    (void)yymajor;
    if (ps->error.kind == DIAG_NONE) {
        state_fail(ps, DIAG_SYNTAX_ERROR, TOKEN.start, TOKEN.end, "invalid syntax");
        ps->error.origin = ERROR_TOKEN;
        ps->error.token = TOKEN;
    }
}
%stack_overflow {
    state_fail(ps, DIAG_MEMORY_ERROR, ps->last.start, ps->last.start,
               "Parser stack overflowed - Python source too complex to parse");
}
%parse_accept { ps->accepted = true; }

%fallback NAME MATCH CASE TYPE.

/* Characters that no rule knows: a syntax error wherever they stand. */
%token BAD.

%left BAR.
%left CARET.
%left AMP.
%left LSHIFT RSHIFT.
%left PLUS MINUS.
%left STAR SLASH DSLASH PERCENT AT.
%right UNARY TILDE.
%right DSTAR.
%left OR.
%left AND.
%right NOT.

%type stmts {struct list}
%type suite {struct list}
%type smalls {struct list}
%type simple_line {struct list}
%type assigns {struct list}
%type exprs_list {struct list}
%type exprs_items {struct list}
%type targets {struct list}
%type elifs {struct list}
%type else_opt {struct list}
%type excepts {struct list}
%type tests {struct list}
%type witems {struct list}
%type decorators {struct list}
%type names {struct id_list}
%type dotted {struct id_list}
%type imports {struct list}
%type from_names {struct list}
%type from_list {struct list}
%type dots {struct token}
%type type_params {struct list}
%type type_list {struct list}
%type params {ast *}
%type param_list {struct params *}
%type lambda_params {ast *}
%type lambda_list {struct params *}
%type param {struct param_at}
%type lambda_param {struct param_at}
%type cases {struct list}
%type pattern_list {struct list}
%type pattern_args {struct pattern_args *}
%type pattern_arg_list {struct pattern_args *}
%type mapping {struct mapping *}
%type arguments {struct call_args *}
%type argument_list {struct call_args *}
%type argument {struct arg_at}
%type slices {struct list}
%type comps {struct list}
%type comp_ifs {struct list}
%type parens {struct list}
%type items {struct list}
%type pairs {struct pair_list}
%type pair {struct pair}
%type strings {struct list}
%type fparts {struct list}
%type field_equal {struct token}
%type field_convert {struct name_at}
%type comparison_op {int}

/* ---- whole sources ---- */

start ::= START_FILE stmts(B). { ps->result = (ast *)B.s; }
start ::= START_EVAL exprs(X) NEWLINE. { ps->result = X.n; act_end_simple_line(ps); }
start ::= START_SINGLE single.
start ::= START_TEST test(X). { ps->result = X.n; }
/* Parts that explain.c looks for. */
start ::= START_EXPR expr(X). { ps->result = X.n; }
start ::= START_EXPRS exprs(X). { ps->result = X.n; }
start ::= START_BITOR bitor(X). { ps->result = X.n; }
start ::= START_COMPS comps. { ps->result = ps->sink; }

single ::= . { ps->result = (ast *)ps->empty; }
single ::= simple_line(B). { ps->result = (ast *)B.s; }
single ::= compound(X). { ps->result = (ast *)ast_seq_of(ps, X.n); }

stmts(A) ::= . { A = (struct list){ps->empty, 0, 0, false}; }
stmts(A) ::= stmts(A) simple_line(B). { A.s = ast_seq_join(ps, A.s, B.s); A.end = B.end; }
stmts(A) ::= stmts(A) compound(X). { A.s = ast_seq_add(ps, A.s, X.n); A.end = X.end; }

simple_line(A) ::= smalls(A) NEWLINE. { act_end_simple_line(ps); }
simple_line(A) ::= smalls(A) SEMI(T) NEWLINE. { A.end = T.end; act_end_simple_line(ps); }
smalls(A) ::= small(X). { A = act_list(ps, X); }
smalls(A) ::= smalls(A) SEMI small(X). { act_list_add(ps, &A, X); }

suite(A) ::= simple_line(A).
suite(A) ::= NEWLINE INDENT block(B) DEDENT. { A = B; }
%type block {struct list}
block(A) ::= simple_line(A).
block(A) ::= compound(X). { A = act_list(ps, X); }
block(A) ::= block(A) simple_line(B). { A.s = ast_seq_join(ps, A.s, B.s); A.end = B.end; }
block(A) ::= block(A) compound(X). { act_list_add(ps, &A, X); }

/* ---- simple statements ---- */

small(A) ::= exprs(X). { UNARY_NODE(A, Expr, value, X.n, X.start, X.end); }
small(A) ::= yield(X). { UNARY_NODE(A, Expr, value, X.n, X.start, X.end); }
small(A) ::= assigns(T) rhs(V). {
    struct ast_Assign *n = MAKE(Assign, T.start, V.end);
    n->targets = T.s;
    n->value = V.n;
    A = act_ex(ast_done(ps, n));
}
assigns(A) ::= rhs(X) ASSIGN(E). { check_assign_target(ps, X, E); A = act_list(ps, X); }
assigns(A) ::= assigns(A) rhs(X) ASSIGN(E). {
    check_assign_target(ps, X, E);
    act_list_add(ps, &A, X);
}
small(A) ::= exprs(X) AUGOP(O) rhs(V). {
    check_augmented_target(ps, X);
    struct ast_AugAssign *n = MAKE(AugAssign, X.start, V.end);
    n->target = X.n;
    n->op = ast_build_binary_op(ps, O);
    n->value = V.n;
    A = act_ex(ast_done(ps, n));
}
small(A) ::= exprs(X) COLON test(T). {
    check_annotated_target(ps, X);
    struct ast_AnnAssign *n = MAKE(AnnAssign, X.start, T.end);
    n->target = X.n;
    n->annotation = T.n;
    n->simple = X.n->kind == AST_Name && !(X.n->flags & AST_PAREN);
    A = act_ex(ast_done(ps, n));
}
small(A) ::= exprs(X) COLON test(T) ASSIGN rhs(V). {
    check_annotated_target(ps, X);
    struct ast_AnnAssign *n = MAKE(AnnAssign, X.start, V.end);
    n->target = X.n;
    n->annotation = T.n;
    n->value = V.n;
    n->simple = X.n->kind == AST_Name && !(X.n->flags & AST_PAREN);
    A = act_ex(ast_done(ps, n));
}
small(A) ::= PASS(T). { A = act_ex(ast_done(ps, MAKE(Pass, T.start, T.end))); }
small(A) ::= BREAK(T). { A = act_ex(ast_done(ps, MAKE(Break, T.start, T.end))); }
small(A) ::= CONTINUE(T). { A = act_ex(ast_done(ps, MAKE(Continue, T.start, T.end))); }
small(A) ::= RETURN(T). { UNARY_NODE(A, Return, value, NULL, T.start, T.end); }
small(A) ::= RETURN(T) exprs(X). { UNARY_NODE(A, Return, value, X.n, T.start, X.end); }
small(A) ::= RAISE(T). { UNARY_NODE(A, Raise, exc, NULL, T.start, T.end); }
small(A) ::= RAISE(T) test(X). { UNARY_NODE(A, Raise, exc, X.n, T.start, X.end); }
small(A) ::= RAISE(T) test(X) FROM test(Y). {
    struct ast_Raise *n = MAKE(Raise, T.start, Y.end);
    n->exc = X.n;
    n->cause = Y.n;
    A = act_ex(ast_done(ps, n));
}
small(A) ::= DEL(T) exprs_list(L). {
    for (uint32_t i = 0; i < L.s->n; i++)
        check_target(ps, L.s->items[i], TARGET_DELETE);
    UNARY_NODE(A, Delete, targets, L.s, T.start, L.end);
}
small(A) ::= ASSERT(T) test(X). { UNARY_NODE(A, Assert, test, X.n, T.start, X.end); }
small(A) ::= ASSERT(T) test(X) COMMA test(Y). {
    struct ast_Assert *n = MAKE(Assert, T.start, Y.end);
    n->test = X.n;
    n->msg = Y.n;
    A = act_ex(ast_done(ps, n));
}
small(A) ::= GLOBAL(T) names(L). { UNARY_NODE(A, Global, names, L.s, T.start, L.end); }
small(A) ::= NONLOCAL(T) names(L). { UNARY_NODE(A, Nonlocal, names, L.s, T.start, L.end); }
names(A) ::= NAME(N). { A = act_id_list(ps, N); }
names(A) ::= names(A) COMMA NAME(N). { act_id_list_add(ps, &A, N); }
small(A) ::= TYPE(T) NAME(N) type_params(P) ASSIGN test(X). {
    struct ast_TypeAlias *n = MAKE(TypeAlias, T.start, X.end);
    n->name = ast_build_name(ps, N, AST_Store);
    n->type_params = P.s;
    n->value = X.n;
    A = act_ex(ast_done(ps, n));
}

small(A) ::= IMPORT(T) imports(L). { UNARY_NODE(A, Import, names, L.s, T.start, L.end); }
imports(A) ::= import(X). { A = act_list(ps, X); }
imports(A) ::= imports(A) COMMA import(X). { act_list_add(ps, &A, X); }
import(A) ::= dotted(D). { A = act_alias(ps, act_join_name(ps, &D), NULL); }
import(A) ::= dotted(D) AS NAME(N). { A = act_alias(ps, act_join_name(ps, &D), &N); }
dotted(A) ::= NAME(N). { A = act_id_list(ps, N); }
dotted(A) ::= dotted(A) DOT NAME(N). { act_id_list_add(ps, &A, N); }
small(A) ::= FROM(T) dotted(D) IMPORT from_names(L). {
    struct ast_ImportFrom *n = MAKE(ImportFrom, T.start, L.end);
    n->module = act_join_name(ps, &D).name;
    n->names = L.s;
    A = act_ex(ast_done(ps, n));
}
small(A) ::= FROM(T) dots(D) IMPORT from_names(L). {
    struct ast_ImportFrom *n = MAKE(ImportFrom, T.start, L.end);
    n->level = (int32_t)D.start;
    n->names = L.s;
    A = act_ex(ast_done(ps, n));
}
small(A) ::= FROM(T) dots(D) dotted(M) IMPORT from_names(L). {
    struct ast_ImportFrom *n = MAKE(ImportFrom, T.start, L.end);
    n->level = (int32_t)D.start;
    n->module = act_join_name(ps, &M).name;
    n->names = L.s;
    A = act_ex(ast_done(ps, n));
}
/* The number of dots is kept in token.start. */
dots(A) ::= DOT(A). { A.start = 1; }
dots(A) ::= ELLIPSIS(A). { A.start = 3; }
dots(A) ::= dots(A) DOT. { A.start += 1; }
dots(A) ::= dots(A) ELLIPSIS. { A.start += 3; }
from_names(A) ::= STAR(T). {
    struct name_at star = {ast_name_intern(ps, "*", 1), T.start, T.end};
    A = act_list(ps, act_alias(ps, star, NULL));
}
from_names(A) ::= from_list(A).
from_names(A) ::= from_list(A) COMMA. {
    FAIL_TOKEN(ps->last, ps->last.kind == T_NEWLINE
                             ? "trailing comma not allowed without surrounding parentheses"
                             : "invalid syntax");
}
from_names(A) ::= LPAR(O) from_list(L) RPAR(C). { A = L; A.start = O.start; A.end = C.end; }
from_names(A) ::= LPAR(O) from_list(L) COMMA RPAR(C). { A = L; A.start = O.start; A.end = C.end; }
from_list(A) ::= from_name(X). { A = act_list(ps, X); }
from_list(A) ::= from_list(A) COMMA from_name(X). { act_list_add(ps, &A, X); }
from_name(A) ::= NAME(N). {
    struct name_at name = {ast_name_of_token(ps, N), N.start, N.end};
    A = act_alias(ps, name, NULL);
}
from_name(A) ::= NAME(N) AS NAME(M). {
    struct name_at name = {ast_name_of_token(ps, N), N.start, N.end};
    A = act_alias(ps, name, &M);
}

rhs(A) ::= exprs(A).
rhs(A) ::= yield(A).
yield(A) ::= YIELD(T). { UNARY_NODE(A, Yield, value, NULL, T.start, T.end); }
yield(A) ::= YIELD(T) exprs(X). { UNARY_NODE(A, Yield, value, X.n, T.start, X.end); }
yield(A) ::= YIELD(T) FROM test(X). { UNARY_NODE(A, YieldFrom, value, X.n, T.start, X.end); }

/* One or more expressions, perhaps starred, without parentheses. */
exprs(A) ::= exprs_list(L). { A = act_list_expr(ps, &L); }
exprs_list(A) ::= exprs_items(A).
exprs_list(A) ::= exprs_items(A) COMMA(C). { act_list_comma(&A, C); }
exprs_items(A) ::= exprs_item(X). { A = act_list(ps, X); }
exprs_items(A) ::= exprs_items(A) COMMA exprs_item(X). { act_list_add(ps, &A, X); }
exprs_item(A) ::= test(A).
exprs_item(A) ::= starred(A).
starred(A) ::= STAR(S) bitor(X). { A = act_ex(ast_build_starred(ps, S, X)); }

/* The targets of `for` stop before `in`, so they are no full expressions. */
targets(A) ::= target(X). { A = act_list(ps, X); }
targets(A) ::= targets(A) COMMA target(X). { act_list_add(ps, &A, X); }
target(A) ::= primary(A).
target(A) ::= STAR(S) primary(X). { A = act_ex(ast_build_starred(ps, S, X)); }
target_list(A) ::= targets(L). { A = act_list_expr(ps, &L); }
target_list(A) ::= targets(L) COMMA(C). { act_list_comma(&L, C); A = act_list_expr(ps, &L); }

/* ---- compound statements ---- */

compound(A) ::= IF(T) namedtest(X) COLON suite(B) elifs(E) else_opt(O). {
    struct ast_If *n = MAKE(If, T.start, B.end);
    n->test = X.n;
    n->body = B.s;
    A = act_if(ps, n, &E, &O);
}
elifs(A) ::= . { A = (struct list){ps->empty, 0, 0, false}; }
elifs(A) ::= elifs(A) ELIF(T) namedtest(X) COLON suite(B). {
    struct ast_If *n = MAKE(If, T.start, B.end);
    n->base.flags |= AST_ELIF;
    n->test = X.n;
    n->body = B.s;
    act_list_add(ps, &A, act_ex(&n->base));
}
else_opt(A) ::= . { A = (struct list){ps->empty, 0, 0, false}; }
else_opt(A) ::= ELSE COLON suite(B). { A = B; }
compound(A) ::= WHILE(T) namedtest(X) COLON suite(B) else_opt(O). {
    struct ast_While *n = MAKE(While, T.start, O.s->n ? O.end : B.end);
    n->test = X.n;
    n->body = B.s;
    n->orelse = O.s;
    A = act_ex(ast_done(ps, n));
}
compound(A) ::= for(A).
compound(A) ::= ASYNC(T) for(X). { act_set_async(X.n, T); A = act_ex(X.n); }
for(A) ::= for_target(X) exprs(Y) COLON suite(B) else_opt(O). { A = act_for(ps, X, Y, &B, &O); }
for_target(A) ::= FOR(T) target_list(X) IN. {
    check_target(ps, X.n, TARGET_FOR);
    A = act_ex_at(X.n, T.start, X.end);
}
compound(A) ::= with(A).
compound(A) ::= ASYNC(T) with(X). { act_set_async(X.n, T); A = act_ex(X.n); }
with(A) ::= act_with_head(X) suite(B). { A = act_with(ps, X.n, &B); }
act_with_head(A) ::= WITH(T) witems(L) COLON. { A = act_with_head(ps, T, &L); }
witems(A) ::= witem(X). { A = act_list(ps, X); }
witems(A) ::= witems(A) COMMA witem(X). { act_list_add(ps, &A, X); }
witem(A) ::= test(X). { A = act_ex(act_withitem(ps, X, NULL)); }
witem(A) ::= test(X) AS target(Y). {
    check_target(ps, Y.n, TARGET_WITH);
    A = act_ex(act_withitem(ps, X, &Y));
}
compound(A) ::= TRY(T) COLON suite(B) FINALLY COLON suite(F). {
    A = act_try(ps, T.start, &B, NULL, NULL, &F);
}
compound(A) ::= TRY(T) COLON suite(B) excepts(H) else_opt(O). {
    A = act_try(ps, T.start, &B, &H, &O, NULL);
}
compound(A) ::= TRY(T) COLON suite(B) excepts(H) else_opt(O) FINALLY COLON suite(F). {
    A = act_try(ps, T.start, &B, &H, &O, &F);
}
/* `comma` of this list means: the handlers are except*. */
excepts(A) ::= except(X). { A = act_list(ps, X); }
excepts(A) ::= except_star(X). { A = act_list(ps, X); A.comma = true; }
excepts(A) ::= excepts(A) except(X). {
    if (A.comma)
        act_mixed_except(ps, X.start, false);
    act_list_add(ps, &A, X);
}
excepts(A) ::= excepts(A) except_star(X). {
    if (!A.comma)
        act_mixed_except(ps, X.start, true);
    act_list_add(ps, &A, X);
    A.comma = true;
}
except(A) ::= EXCEPT(T) COLON suite(B). { A = act_handler(ps, T, NULL, NULL, &B); }
except(A) ::= EXCEPT(T) except_head(X) suite(B). { A = act_handler(ps, T, X.type, X.name, &B); }
except_star(A) ::= EXCEPT(T) STAR except_head(X) suite(B). {
    A = act_handler(ps, T, X.type, X.name, &B);
}
%type except_head {struct except_head}
except_head(A) ::= tests(L) COLON(C). { A = act_except_head(ps, &L, NULL, C); }
except_head(A) ::= tests(L) AS NAME(N) COLON(C). { A = act_except_head(ps, &L, &N, C); }
tests(A) ::= test(X). { A = act_list(ps, X); }
tests(A) ::= tests(A) COMMA test(X). { act_list_add(ps, &A, X); }

compound(A) ::= def(A).
compound(A) ::= ASYNC(T) def(X). { act_set_async(X.n, T); A = act_ex(X.n); }
compound(A) ::= class(A).
compound(A) ::= decorators(D) def(X). { act_decorate(ps, X.n, &D); A = X; }
compound(A) ::= decorators(D) ASYNC(T) def(X). {
    act_set_async(X.n, T);
    act_decorate(ps, X.n, &D);
    A = act_ex(X.n);
}
compound(A) ::= decorators(D) class(X). { act_decorate(ps, X.n, &D); A = X; }
decorators(A) ::= AT namedtest(X) NEWLINE. { A = act_list(ps, X); }
decorators(A) ::= decorators(A) AT namedtest(X) NEWLINE. { act_list_add(ps, &A, X); }
def(A) ::= DEF(T) NAME(N) type_params(P) LPAR params(L) RPAR returns(R) COLON suite(B). {
    A = act_function(ps, T, N, &P, L, R, &B);
}
returns(A) ::= . { A = (struct ex){NULL, 0, 0}; }
returns(A) ::= ARROW test(X). { A = X; }
class(A) ::= CLASS(T) NAME(N) type_params(P) COLON suite(B). {
    A = act_class(ps, T, N, &P, NULL, &B);
}
class(A) ::= CLASS(T) NAME(N) type_params(P) bases(L) COLON suite(B). {
    A = act_class(ps, T, N, &P, L, &B);
}
%type bases {struct call_args *}
bases(A) ::= LPAR(O) arguments(L) RPAR(C). {
    check_call_args_done(ps, L, O.start, C, true);
    A = L;
}

type_params(A) ::= . { A = (struct list){ps->empty, 0, 0, false}; }
type_params(A) ::= LSQB type_list(L) RSQB. { A = L; }
type_params(A) ::= LSQB type_list(L) COMMA RSQB. { A = L; }
type_list(A) ::= type_param(X). { A = act_list(ps, X); }
type_list(A) ::= type_list(A) COMMA type_param(X). { act_list_add(ps, &A, X); }
type_param(A) ::= NAME(N). {
    struct ast_TypeVar *n = MAKE(TypeVar, N.start, N.end);
    n->name = ast_name_of_token(ps, N);
    A = act_ex(ast_done(ps, n));
}
type_param(A) ::= NAME(N) COLON test(X). {
    struct ast_TypeVar *n = MAKE(TypeVar, N.start, X.end);
    n->name = ast_name_of_token(ps, N);
    n->bound = X.n;
    A = act_ex(ast_done(ps, n));
}
type_param(A) ::= STAR(S) NAME(N). {
    struct ast_TypeVarTuple *n = MAKE(TypeVarTuple, S.start, N.end);
    n->name = ast_name_of_token(ps, N);
    A = act_ex(ast_done(ps, n));
}
type_param(A) ::= DSTAR(S) NAME(N). {
    struct ast_ParamSpec *n = MAKE(ParamSpec, S.start, N.end);
    n->name = ast_name_of_token(ps, N);
    A = act_ex(ast_done(ps, n));
}

/* The order of parameters is checked as they are added. */
params(A) ::= . {
    A = check_params_done(ps, check_params_new(ps, ps->last.start), ps->last, false);
}
params(A) ::= param_list(L). { A = check_params_done(ps, L, ps->last, false); }
params(A) ::= param_list(L) COMMA. { A = check_params_done(ps, L, ps->last, false); }
param_list(A) ::= param(X). {
    A = check_params_new(ps, X.start);
    check_params_add(ps, A, X);
}
param_list(A) ::= param_list(A) COMMA param(X). { check_params_add(ps, A, X); }
param(A) ::= NAME(N) annotation(T) default(D). { A = act_param_name(ps, N, T, D); }
param(A) ::= STAR(S). { A = act_param_star(ps, PARAM_BARE_STAR, S, NULL, NULL, 0); }
param(A) ::= STAR(S) NAME(N) no_default(D). {
    act_refuse_default(ps, D, "var-positional argument cannot have default value");
    A = act_param_star(ps, PARAM_STAR, S, &N, NULL, 0);
}
param(A) ::= STAR(S) NAME(N) COLON exprs_item(T) no_default(D). {
    act_refuse_default(ps, D, "var-positional argument cannot have default value");
    A = act_param_star(ps, PARAM_STAR, S, &N, T.n, T.end);
}
param(A) ::= DSTAR(S) NAME(N) annotation(T) no_default(D). {
    act_refuse_default(ps, D, "var-keyword argument cannot have default value");
    A = act_param_star(ps, PARAM_DSTAR, S, &N, T.n, T.end);
}
param(A) ::= SLASH(S). { A = act_param_star(ps, PARAM_SLASH, S, NULL, NULL, 0); }
annotation(A) ::= . { A = (struct ex){NULL, 0, 0}; }
annotation(A) ::= COLON test(X). { A = X; }
default(A) ::= . { A = (struct ex){NULL, 0, 0}; }
default(A) ::= ASSIGN test(X). { A = X; }
default(A) ::= ASSIGN(E). {
    if (ps->last.kind == T_COMMA || ps->last.kind == T_RPAR)
        FAIL_TOKEN(E, "expected default value expression");
    else
        FAIL_TOKEN(ps->last, "invalid syntax");
    A = (struct ex){NULL, 0, 0};
}
/* A default where none may be: parsed to say so. */
%type no_default {struct token}
no_default(A) ::= . { A = (struct token){0, 0, 0, 0}; }
no_default(A) ::= ASSIGN(A) test.
no_default(A) ::= ASSIGN(A).

/* ---- match ---- */

compound(A) ::= MATCH(T) subject(X) COLON NEWLINE INDENT cases(L) DEDENT. {
    struct ast_Match *n = MAKE(Match, T.start, L.end);
    n->subject = X.n;
    n->cases = L.s;
    A = act_ex(ast_done(ps, n));
}
subject(A) ::= items(L). { A = act_list_expr(ps, &L); }
subject(A) ::= items(L) COMMA(C). { act_list_comma(&L, C); A = act_list_expr(ps, &L); }
cases(A) ::= case(X). { A = act_list(ps, X); }
cases(A) ::= cases(A) case(X). { act_list_add(ps, &A, X); }
case(A) ::= CASE(T) open_pattern(P) guard(G) COLON suite(B). {
    struct ast_match_case *n = MAKE(match_case, T.start, B.end);
    n->pattern = P.n;
    n->guard = G.n;
    n->body = B.s;
    A = act_ex(ast_done(ps, n));
}
guard(A) ::= . { A = (struct ex){NULL, 0, 0}; }
guard(A) ::= IF namedtest(X). { A = X; }
open_pattern(A) ::= pattern_list(L). { A = act_list_pattern(ps, &L, true); }
open_pattern(A) ::= pattern_list(L) COMMA(C). {
    act_list_comma(&L, C);
    A = act_list_pattern(ps, &L, true);
}
pattern_list(A) ::= pattern(X). { A = act_list(ps, X); }
pattern_list(A) ::= pattern_list(A) COMMA pattern(X). { act_list_add(ps, &A, X); }
pattern(A) ::= or_pattern(A).
pattern(A) ::= or_pattern(X) AS NAME(N). {
    struct ast_MatchAs *n = MAKE(MatchAs, X.start, N.end);
    n->pattern = X.n;
    n->name = ast_name_of_token(ps, N);
    if (n->name->len == 1 && n->name->text[0] == '_')
        FAIL_TOKEN(N, "cannot use '_' as a target");
    A = act_ex(ast_done(ps, n));
}
pattern(A) ::= STAR(S) NAME(N). {
    struct ast_MatchStar *n = MAKE(MatchStar, S.start, N.end);
    n->name = ast_name_of_token(ps, N);
    if (n->name->len == 1 && n->name->text[0] == '_')
        n->name = NULL;
    A = act_ex(ast_done(ps, n));
}
or_pattern(A) ::= closed_pattern(A).
or_pattern(A) ::= or_pattern(X) BAR closed_pattern(Y). {
    struct ast_MatchOr *n = AST_AS(MatchOr, X.n);
    if (X.n->kind != AST_MatchOr || (X.n->flags & AST_PAREN)) {
        n = MAKE(MatchOr, X.start, Y.end);
        n->patterns = ast_seq_of(ps, X.n);
    }
    n->patterns = ast_seq_add(ps, n->patterns, Y.n);
    n->base.end = Y.end;
    A = act_ex(ast_done(ps, n));
}
closed_pattern(A) ::= pattern_number(X). { A = act_match_value(ps, X); }
closed_pattern(A) ::= pattern_number(X) PLUS|MINUS(O) NUMBER(N). {
    A = act_match_value(ps, act_ex(check_complex(ps, X, O, N)));
}
pattern_number(A) ::= NUMBER(N). { A = act_ex(literal_number(ps, N)); }
pattern_number(A) ::= MINUS(O) NUMBER(N). {
    A = act_ex(ast_build_unary(ps, O, AST_OP_USub, act_ex(literal_number(ps, N))));
}
closed_pattern(A) ::= strings(L). {
    struct ex x = act_ex(literal_join(ps, L.s, L.start, L.end));
    if (x.n->kind == AST_JoinedStr)
        state_fail(ps, DIAG_SYNTAX_ERROR, x.start, x.end,
                   "patterns may only match literals and attribute lookups");
    A = act_match_value(ps, x);
}
closed_pattern(A) ::= NONE(T). { A = act_match_singleton(ps, T, AST_CONST_NONE); }
closed_pattern(A) ::= TRUE(T). { A = act_match_singleton(ps, T, AST_CONST_TRUE); }
closed_pattern(A) ::= FALSE(T). { A = act_match_singleton(ps, T, AST_CONST_FALSE); }
closed_pattern(A) ::= pattern_name(X). { A = act_match_name(ps, X); }
closed_pattern(A) ::= pattern_name(X) LPAR pattern_args(L) RPAR(C). {
    struct ast_MatchClass *n = MAKE(MatchClass, X.start, C.end);
    n->cls = X.n;
    n->patterns = L->patterns;
    n->kwd_attrs = L->kwd_attrs;
    n->kwd_patterns = L->kwd_patterns;
    A = act_ex(ast_done(ps, n));
}
pattern_name(A) ::= NAME(N). { A = act_ex(ast_build_name(ps, N, AST_Load)); }
pattern_name(A) ::= pattern_name(X) DOT NAME(N). {
    struct ast_Attribute *n = MAKE(Attribute, X.start, N.end);
    n->value = X.n;
    n->attr = ast_name_of_token(ps, N);
    A = act_ex(ast_done(ps, n));
}
closed_pattern(A) ::= LPAR(O) RPAR(C). {
    struct list none = {ps->empty, O.start, C.end, true};
    A = act_list_pattern(ps, &none, false);
}
closed_pattern(A) ::= LPAR(O) pattern_list(L) RPAR(C). {
    if (L.s->n == 1) {
        struct ex x = act_list_pattern(ps, &L, true);
        x.n->flags |= AST_PAREN;
        A = act_ex_at(x.n, O.start, C.end);
    } else {
        L.start = O.start;
        L.end = C.end;
        A = act_list_pattern(ps, &L, false);
    }
}
closed_pattern(A) ::= LPAR(O) pattern_list(L) COMMA RPAR(C). {
    L.start = O.start;
    L.end = C.end;
    A = act_list_pattern(ps, &L, false);
}
closed_pattern(A) ::= LSQB(O) RSQB(C). {
    struct list none = {ps->empty, O.start, C.end, true};
    A = act_list_pattern(ps, &none, false);
}
closed_pattern(A) ::= LSQB(O) pattern_list(L) RSQB(C). {
    L.start = O.start;
    L.end = C.end;
    A = act_list_pattern(ps, &L, false);
}
closed_pattern(A) ::= LSQB(O) pattern_list(L) COMMA RSQB(C). {
    L.start = O.start;
    L.end = C.end;
    A = act_list_pattern(ps, &L, false);
}
closed_pattern(A) ::= LBRACE(O) RBRACE(C). { A = act_mapping(ps, O, check_mapping_new(ps), C); }
closed_pattern(A) ::= LBRACE(O) mapping(M) RBRACE(C). { A = act_mapping(ps, O, M, C); }
closed_pattern(A) ::= LBRACE(O) mapping(M) COMMA RBRACE(C). { A = act_mapping(ps, O, M, C); }
mapping(A) ::= closed_pattern(X) COLON(C) pattern(Y). {
    A = check_mapping_new(ps);
    check_mapping_add(ps, A, X, C, Y);
}
mapping(A) ::= DSTAR(S) NAME(N). {
    A = check_mapping_new(ps);
    check_mapping_rest(ps, A, S, (struct name_at){ast_name_of_token(ps, N), N.start, N.end});
}
mapping(A) ::= mapping(A) COMMA closed_pattern(X) COLON(C) pattern(Y). {
    check_mapping_add(ps, A, X, C, Y);
}
mapping(A) ::= mapping(A) COMMA DSTAR(S) NAME(N). {
    check_mapping_rest(ps, A, S, (struct name_at){ast_name_of_token(ps, N), N.start, N.end});
}
pattern_args(A) ::= . { A = check_pattern_args_new(ps); }
pattern_args(A) ::= pattern_arg_list(A).
pattern_args(A) ::= pattern_arg_list(A) COMMA.
pattern_arg_list(A) ::= pattern(X). {
    A = check_pattern_args_new(ps);
    check_pattern_args_add(ps, A, (struct name_at){NULL, 0, 0}, X);
}
pattern_arg_list(A) ::= NAME(N) ASSIGN pattern(X). {
    A = check_pattern_args_new(ps);
    check_pattern_args_add(ps, A, (struct name_at){ast_name_of_token(ps, N), N.start, N.end}, X);
}
pattern_arg_list(A) ::= pattern_arg_list(A) COMMA pattern(X). {
    check_pattern_args_add(ps, A, (struct name_at){NULL, 0, 0}, X);
}
pattern_arg_list(A) ::= pattern_arg_list(A) COMMA NAME(N) ASSIGN pattern(X). {
    check_pattern_args_add(ps, A, (struct name_at){ast_name_of_token(ps, N), N.start, N.end}, X);
}

/* ---- expressions ---- */

namedtest(A) ::= test(A).
namedtest(A) ::= NAME(N) COLONEQ test(X). { A = act_named(ps, N, X); }
test(A) ::= expr(A).
test(A) ::= expr(X) IF expr(C) ELSE test(Y). {
    struct ast_IfExp *n = MAKE(IfExp, X.start, Y.end);
    n->test = C.n;
    n->body = X.n;
    n->orelse = Y.n;
    A = act_ex(ast_done(ps, n));
}
test(A) ::= LAMBDA(T) lambda_params(P) COLON test(X). {
    struct ast_Lambda *n = MAKE(Lambda, T.start, X.end);
    n->args = P;
    n->body = X.n;
    A = act_ex(ast_done(ps, n));
}
lambda_params(A) ::= . {
    A = check_params_done(ps, check_params_new(ps, ps->last.start), ps->last, true);
}
lambda_params(A) ::= lambda_list(L). { A = check_params_done(ps, L, ps->last, true); }
lambda_params(A) ::= lambda_list(L) COMMA. { A = check_params_done(ps, L, ps->last, true); }
lambda_list(A) ::= lambda_param(X). {
    A = check_params_new(ps, X.start);
    check_params_add(ps, A, X);
}
lambda_list(A) ::= lambda_list(A) COMMA lambda_param(X). { check_params_add(ps, A, X); }
lambda_param(A) ::= NAME(N) lambda_default(D). {
    A = act_param_name(ps, N, (struct ex){NULL, 0, 0}, D);
}
lambda_default(A) ::= . { A = (struct ex){NULL, 0, 0}; }
lambda_default(A) ::= ASSIGN test(X). { A = X; }
lambda_param(A) ::= STAR(S). { A = act_param_star(ps, PARAM_BARE_STAR, S, NULL, NULL, 0); }
lambda_param(A) ::= STAR(S) NAME(N) no_default(D). {
    act_refuse_default(ps, D, "var-positional argument cannot have default value");
    A = act_param_star(ps, PARAM_STAR, S, &N, NULL, 0);
}
lambda_param(A) ::= DSTAR(S) NAME(N) no_default(D). {
    act_refuse_default(ps, D, "var-keyword argument cannot have default value");
    A = act_param_star(ps, PARAM_DSTAR, S, &N, NULL, 0);
}
lambda_param(A) ::= SLASH(S). { A = act_param_star(ps, PARAM_SLASH, S, NULL, NULL, 0); }

expr(A) ::= expr(X) OR expr(Y). { A = act_ex(ast_build_boolop(ps, X, AST_OP_Or, Y)); }
expr(A) ::= expr(X) AND expr(Y). { A = act_ex(ast_build_boolop(ps, X, AST_OP_And, Y)); }
expr(A) ::= NOT(T) expr(X). { A = act_ex(ast_build_unary(ps, T, AST_OP_Not, X)); }
expr(A) ::= comparison(A).
comparison(A) ::= bitor(A).
comparison(A) ::= comparison(X) comparison_op(O) bitor(Y). {
    A = act_ex(ast_build_compare(ps, X, (ast_op)O, Y));
}
comparison(A) ::= comparison(X) IS bitor(Y). {
    check_is(ps, X, Y, false);
    A = act_ex(ast_build_compare(ps, X, AST_OP_Is, Y));
}
comparison(A) ::= comparison(X) IS NOT bitor(Y). {
    check_is(ps, X, Y, true);
    A = act_ex(ast_build_compare(ps, X, AST_OP_IsNot, Y));
}
comparison_op(A) ::= LT. { A = AST_OP_Lt; }
comparison_op(A) ::= GT. { A = AST_OP_Gt; }
comparison_op(A) ::= LE. { A = AST_OP_LtE; }
comparison_op(A) ::= GE. { A = AST_OP_GtE; }
comparison_op(A) ::= EQ. { A = AST_OP_Eq; }
comparison_op(A) ::= NE. { A = AST_OP_NotEq; }
comparison_op(A) ::= IN. { A = AST_OP_In; }
comparison_op(A) ::= NOT IN. { A = AST_OP_NotIn; }

bitor(A) ::= bitor(X) BAR bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_BitOr, Y)); }
bitor(A) ::= bitor(X) CARET bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_BitXor, Y)); }
bitor(A) ::= bitor(X) AMP bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_BitAnd, Y)); }
bitor(A) ::= bitor(X) LSHIFT bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_LShift, Y)); }
bitor(A) ::= bitor(X) RSHIFT bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_RShift, Y)); }
bitor(A) ::= bitor(X) PLUS bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_Add, Y)); }
bitor(A) ::= bitor(X) MINUS bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_Sub, Y)); }
bitor(A) ::= bitor(X) STAR bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_Mult, Y)); }
bitor(A) ::= bitor(X) SLASH bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_Div, Y)); }
bitor(A) ::= bitor(X) DSLASH bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_FloorDiv, Y)); }
bitor(A) ::= bitor(X) PERCENT bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_Mod, Y)); }
bitor(A) ::= bitor(X) AT bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_MatMult, Y)); }
bitor(A) ::= PLUS(O) bitor(X). [UNARY] { A = act_ex(ast_build_unary(ps, O, AST_OP_UAdd, X)); }
bitor(A) ::= MINUS(O) bitor(X). [UNARY] { A = act_ex(ast_build_unary(ps, O, AST_OP_USub, X)); }
bitor(A) ::= TILDE(O) bitor(X). [UNARY] { A = act_ex(ast_build_unary(ps, O, AST_OP_Invert, X)); }
bitor(A) ::= bitor(X) DSTAR bitor(Y). { A = act_ex(ast_build_binop(ps, X, AST_OP_Pow, Y)); }
bitor(A) ::= AWAIT(T) primary(X). { UNARY_NODE(A, Await, value, X.n, T.start, X.end); }
bitor(A) ::= primary(A).

primary(A) ::= atom(A).
primary(A) ::= primary(X) DOT NAME(N). {
    struct ast_Attribute *n = MAKE(Attribute, X.start, N.end);
    n->value = X.n;
    n->attr = ast_name_of_token(ps, N);
    A = act_ex(ast_done(ps, n));
}
primary(A) ::= primary(X) LPAR(O) arguments(L) RPAR(C). {
    check_call_args_done(ps, L, O.start, C, false);
    A = act_call(ps, X, O, L, C);
}
primary(A) ::= primary(X) LSQB slices(L) RSQB(C). {
    struct ast_Subscript *n = MAKE(Subscript, X.start, C.end);
    n->value = X.n;
    n->slice = L.s->n == 1 && !L.comma && L.s->items[0]->kind != AST_Starred
                   ? L.s->items[0] : ast_build_tuple(ps, L.s, L.start, L.end);
    A = act_ex(ast_done(ps, n));
}

arguments(A) ::= . { A = check_call_args_new(ps); }
arguments(A) ::= argument_list(A).
arguments(A) ::= argument_list(A) COMMA. { check_call_args_comma(ps, A); }
argument_list(A) ::= argument(X). { A = check_call_args_new(ps); check_call_args_add(ps, A, X); }
argument_list(A) ::= argument_list(A) COMMA argument(X). { check_call_args_add(ps, A, X); }
argument(A) ::= test(X). { A = (struct arg_at){ARG_PLAIN, X.n, X.start, X.end, 0}; }
argument(A) ::= NAME(N) COLONEQ test(X). {
    struct ex x = act_named(ps, N, X);
    A = (struct arg_at){ARG_PLAIN, x.n, x.start, x.end, 0};
}
argument(A) ::= test(X) ASSIGN(E) test(Y). { A = check_keyword_argument(ps, X, E, Y); }
argument(A) ::= STAR(S) test(X). {
    ast *n = ast_build_starred(ps, S, X);
    A = (struct arg_at){ARG_STAR, n, n->start, n->end, 0};
}
argument(A) ::= DSTAR(S) test(X). {
    struct ast_keyword *n = MAKE(keyword, S.start, X.end);
    n->value = X.n;
    A = (struct arg_at){ARG_DSTAR, ast_done(ps, n), S.start, X.end, 0};
}
argument(A) ::= test(X) comps(L). {
    struct ex x = act_comprehension(ps, AST_GeneratorExp, X.start, X.n, &L, L.end);
    A = (struct arg_at){ARG_GENERATOR, x.n, X.start, L.end, L.start};
}
argument(A) ::= NAME(N) COLONEQ test(X) comps(L). {
    struct ex x = act_comprehension(ps, AST_GeneratorExp, N.start, act_named(ps, N, X).n, &L,
                                      L.end);
    A = (struct arg_at){ARG_GENERATOR, x.n, N.start, L.end, L.start};
}

slices(A) ::= slice_list(A).
%type slice_list {struct list}
slices(A) ::= slice_list(A) COMMA(C). { act_list_comma(&A, C); }
slice_list(A) ::= slice(X). { A = act_list(ps, X); }
slice_list(A) ::= slice_list(A) COMMA slice(X). { act_list_add(ps, &A, X); }
slice(A) ::= namedtest(A).
slice(A) ::= STAR(S) test(X). { A = act_ex(ast_build_starred(ps, S, X)); }
slice(A) ::= slice_part(X) COLON(C) slice_part(Y). {
    if (!X.n)
        X.start = C.start;
    A = act_slice(ps, X, Y, NULL, Y.n ? Y.end : C.end);
}
slice(A) ::= slice_part(X) COLON(C) slice_part(Y) COLON(D) slice_part(Z). {
    if (!X.n)
        X.start = C.start;
    A = act_slice(ps, X, Y, &Z, Z.n ? Z.end : D.end);
}
slice_part(A) ::= . { A = (struct ex){NULL, 0, 0}; }
slice_part(A) ::= test(A).

comps(A) ::= comp(X). { A = act_list(ps, X); }
comps(A) ::= comps(A) comp(X). { act_list_add(ps, &A, X); }
comp(A) ::= comp_for(X) expr(Y) comp_ifs(L). {
    struct ast_comprehension *n = AST_AS(comprehension, X.n);
    n->iter = Y.n;
    n->ifs = L.s;
    n->base.end = L.s->n ? L.end : Y.end;
    A = act_ex(ast_done(ps, n));
}
comp_for(A) ::= FOR(T) target_list(X) IN. {
    check_target(ps, X.n, TARGET_FOR);
    struct ast_comprehension *n = MAKE(comprehension, T.start, X.end);
    n->target = X.n;
    A = act_ex(&n->base);
}
comp_for(A) ::= ASYNC(S) FOR target_list(X) IN. {
    check_target(ps, X.n, TARGET_FOR);
    struct ast_comprehension *n = MAKE(comprehension, S.start, X.end);
    n->target = X.n;
    n->is_async = 1;
    A = act_ex(&n->base);
}
comp_ifs(A) ::= . { A = (struct list){ps->empty, 0, 0, false}; }
comp_ifs(A) ::= comp_ifs(A) IF expr(X). { act_list_add(ps, &A, X); }

atom(A) ::= NAME(N). { A = act_ex(ast_build_name(ps, N, AST_Load)); }
atom(A) ::= NUMBER(N). { A = act_ex(literal_number(ps, N)); }
atom(A) ::= NONE(T). { A = act_ex(ast_build_const(ps, AST_CONST_NONE, T.start, T.end)); }
atom(A) ::= TRUE(T). { A = act_ex(ast_build_const(ps, AST_CONST_TRUE, T.start, T.end)); }
atom(A) ::= FALSE(T). { A = act_ex(ast_build_const(ps, AST_CONST_FALSE, T.start, T.end)); }
atom(A) ::= ELLIPSIS(T). { A = act_ex(ast_build_const(ps, AST_CONST_ELLIPSIS, T.start, T.end)); }
atom(A) ::= strings(L). { A = act_ex(literal_join(ps, L.s, L.start, L.end)); }
atom(A) ::= LPAR(O) RPAR(C). {
    ast *n = ast_build_tuple(ps, ps->empty, O.start, C.end);
    n->flags |= AST_PAREN;
    A = act_ex(n);
}
atom(A) ::= LPAR(O) yield(X) RPAR(C). {
    X.n->flags |= AST_PAREN;
    A = act_ex_at(X.n, O.start, C.end);
}
atom(A) ::= LPAR(O) parens(L) RPAR(C). { A = act_parens(ps, O, &L, C); }
atom(A) ::= LPAR(O) parens(L) COMMA(D) RPAR(C). {
    act_list_comma(&L, D);
    A = act_parens(ps, O, &L, C);
}
atom(A) ::= LPAR(O) paren(X) comps(L) RPAR(C). {
    if (X.n->kind == AST_withitem)
        state_fail(ps, DIAG_SYNTAX_ERROR, ps->with_as_start, ps->with_as_end, "invalid syntax");
    A = act_comprehension(ps, AST_GeneratorExp, O.start, X.n, &L, C.end);
}
parens(A) ::= paren(X). { A = act_list(ps, X); }
parens(A) ::= parens(A) COMMA paren(X). { act_list_add(ps, &A, X); }
paren(A) ::= namedtest(A).
paren(A) ::= starred(A).
paren(A) ::= test(X) AS(T) target(Y). {
    check_target(ps, Y.n, TARGET_WITH);
    if (!ps->with_covers) {
        ps->with_as_start = T.start;
        ps->with_as_end = T.end;
    }
    A = act_ex(act_withitem(ps, X, &Y));
}
atom(A) ::= LSQB(O) RSQB(C). { A = act_display(ps, AST_List, O, ps->empty, C); }
atom(A) ::= LSQB(O) items(L) RSQB(C). { A = act_display(ps, AST_List, O, L.s, C); }
atom(A) ::= LSQB(O) items(L) COMMA RSQB(C). { A = act_display(ps, AST_List, O, L.s, C); }
atom(A) ::= LSQB(O) item(X) comps(L) RSQB(C). {
    A = act_comprehension(ps, AST_ListComp, O.start, X.n, &L, C.end);
}
atom(A) ::= LBRACE(O) RBRACE(C). {
    struct pair_list none = {ps->empty, ps->empty};
    A = act_dict(ps, O, &none, C);
}
atom(A) ::= LBRACE(O) items(L) RBRACE(C). { A = act_display(ps, AST_Set, O, L.s, C); }
atom(A) ::= LBRACE(O) items(L) COMMA RBRACE(C). { A = act_display(ps, AST_Set, O, L.s, C); }
atom(A) ::= LBRACE(O) item(X) comps(L) RBRACE(C). {
    A = act_comprehension(ps, AST_SetComp, O.start, X.n, &L, C.end);
}
atom(A) ::= LBRACE(O) pairs(L) RBRACE(C). { A = act_dict(ps, O, &L, C); }
atom(A) ::= LBRACE(O) pairs(L) COMMA RBRACE(C). { A = act_dict(ps, O, &L, C); }
atom(A) ::= LBRACE(O) pair(X) comps(L) RBRACE(C). {
    if (!X.key)
        state_fail(ps, DIAG_SYNTAX_ERROR, X.start, X.start + 2,
                   "dict unpacking cannot be used in dict comprehension");
    struct ast_DictComp *n = MAKE(DictComp, O.start, C.end);
    n->key = X.key;
    n->value = X.value;
    n->generators = L.s;
    A = act_ex(ast_done(ps, n));
}
items(A) ::= item(X). { A = act_list(ps, X); }
items(A) ::= items(A) COMMA item(X). { act_list_add(ps, &A, X); }
item(A) ::= namedtest(A).
item(A) ::= starred(A).
pairs(A) ::= pair(X). { A = (struct pair_list){ps->empty, ps->empty}; act_add_pair(ps, &A, X); }
pairs(A) ::= pairs(A) COMMA pair(X). { act_add_pair(ps, &A, X); }
pair(A) ::= test(X) COLON test(Y). { A = (struct pair){X.n, Y.n, X.start, Y.end}; }
pair(A) ::= DSTAR(S) bitor(X). { A = (struct pair){NULL, X.n, S.start, X.end}; }

/* ---- strings ---- */

strings(A) ::= string(X). { A = act_list(ps, X); }
strings(A) ::= strings(A) string(X). { act_list_add(ps, &A, X); }
string(A) ::= STRING(T). { A = act_ex(literal_string(ps, T)); }
string(A) ::= FSTART(T) fparts(L) FEND(E). {
    UNARY_NODE(A, JoinedStr, values, L.s, T.start, E.end);
}
fparts(A) ::= . { A = (struct list){ps->empty, 0, 0, false}; }
fparts(A) ::= fparts(A) FMIDDLE(T). {
    ast *n = literal_fstring_text(ps, T);
    act_list_add(ps, &A, act_ex(n));
}
fparts(A) ::= fparts(A) field(X). {
    const struct ast_JoinedStr *parts = AST_AS(JoinedStr, X.n);
    if (parts->base.kind == AST_JoinedStr)
        A.s = ast_seq_join(ps, A.s, parts->values);
    A.end = X.end;
}
field(A) ::= FLBRACE(O) rhs(X) field_equal(Q) field_convert(V) field_spec(S) FRBRACE(C). {
    struct fstring_field f = {
        .start = O.start,
        .end = C.end,
        .value = X,
        .equal = Q.kind != 0,
        .convert = V,
        .bang = V.start,
        .spec = S.n,
        .text_end = V.name ? V.start : S.n ? S.start : C.start,
    };
    UNARY_NODE(A, JoinedStr, values, literal_add_field(ps, ps->empty, &f), O.start, C.end);
}
field_equal(A) ::= . { A = (struct token){0, 0, 0, 0}; }
field_equal(A) ::= FEQ(A).
field_convert(A) ::= . { A = (struct name_at){NULL, 0, 0}; }
field_convert(A) ::= FCONV(B) NAME(N). {
    if (B.end != N.start)
        state_fail(ps, DIAG_SYNTAX_ERROR, B.start, N.end,
                   "f-string: conversion type must come right after the exclamation mark");
    A = (struct name_at){ast_name_of_token(ps, N), B.start, N.end};
}
field_spec(A) ::= . { A = (struct ex){NULL, 0, 0}; }
field_spec(A) ::= FCOLON(B) fparts(L). {
    UNARY_NODE(A, JoinedStr, values, L.s, B.start, L.s->n ? L.end : B.end);
}

%code {
/* ---- what the rest of the parser needs to know about the generated code ---- */

size_t grammar_size(void)
{
    return sizeof(yyParser);
}

void grammar_init(struct yyParser *p, struct parse_state *ps)
{
    grammarInit(p, ps);
}

void grammar_feed(struct yyParser *p, int kind, struct token t)
{
    p->ps->last = t;
    grammar(p, kind, t);
}

int grammar_start_token(enum start_symbol start)
{
    static const int tokens[] = {T_START_FILE, T_START_EVAL, T_START_SINGLE, T_START_TEST,
                                 T_START_EXPR, T_START_EXPRS, T_START_BITOR, T_START_COMPS};
    return tokens[start];
}

/* Follows the reductions that the token would cause on a copy of the stack's states. */
bool grammar_accepts(struct yyParser *p, int kind)
{
    YYACTIONTYPE states[YYSTACKDEPTH];
    int n = (int)(p->yytos - p->yystack);
    for (int i = 0; i <= n; i++)
        states[i] = p->yystack[i].stateno;
    for (;;) {
        YYACTIONTYPE action = yy_find_shift_action((YYCODETYPE)kind, states[n]);
        if (action == YY_ACCEPT_ACTION)
            return true;
        if (action < YY_MIN_REDUCE)
            return action <= YY_MAX_SHIFTREDUCE;
        unsigned rule = action - YY_MIN_REDUCE;
        n += yyRuleInfoNRhs[rule]; /* stored negated */
        action = yy_find_reduce_action(states[n], (YYCODETYPE)yyRuleInfoLhs[rule]);
        if (action == YY_ACCEPT_ACTION)
            return true;
        if (n + 1 >= YYSTACKDEPTH)
            return false;
        states[++n] = action;
    }
}
}
