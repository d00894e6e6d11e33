/* ast.c: tables that describe the nodes, made from ast.def. */
#include "ast.h"

#define NODE(f)   {#f, AST_FIELD_NODE},
#define OPT(f)    {#f, AST_FIELD_OPT},
#define SEQ(f)    {#f, AST_FIELD_SEQ},
#define OPTSEQ(f) {#f, AST_FIELD_OPTSEQ},
#define ID(f)     {#f, AST_FIELD_ID},
#define OPTID(f)  {#f, AST_FIELD_OPTID},
#define IDS(f)    {#f, AST_FIELD_IDS},
#define OP(f)     {#f, AST_FIELD_OP},
#define OPS(f)    {#f, AST_FIELD_OPS},
#define CTX(f)    {#f, AST_FIELD_CTX},
#define INT(f)    {#f, AST_FIELD_INT},
#define BOOL(f)   {#f, AST_FIELD_BOOL},
#define CONST(f)  {#f, AST_FIELD_CONST},

/* The extra entry at the end keeps the arrays of nodes without fields from being empty. */
#define AST(name, group, fields) static const struct ast_field fields_##name[] = {fields{"", AST_FIELD_NODE}};
#include "ast.def"
#undef AST

const struct ast_info ast_infos[AST_COUNT] = {
    [AST_NONE] = {"none", 0, 0, sizeof(ast), NULL},
#define AST(name, group, fields)                                                                \
    [AST_##name] = {#name, AST_GROUP_##group, sizeof fields_##name / sizeof *fields_##name - 1, \
                    sizeof(struct ast_##name), fields_##name},
#include "ast.def"
#undef AST
};

const char *const ast_op_names[AST_OP_COUNT] = {
#define X(name, text) [AST_OP_##name] = #name,
    AST_OPS(X)
#undef X
};

const char *const ast_op_texts[AST_OP_COUNT] = {
#define X(name, text) [AST_OP_##name] = text,
    AST_OPS(X)
#undef X
};

const char *const ast_ctx_names[3] = {"Load", "Store", "Del"};

/* ast_field_at relies on these. */
_Static_assert(sizeof(ast) == 16, "the header of a node is two words");
_Static_assert(offsetof(struct ast_If, orelse) == sizeof(ast) + 16, "fields are eight bytes apart");
_Static_assert(offsetof(struct ast_AnnAssign, simple) == sizeof(ast) + 24, "fields are eight bytes apart");
