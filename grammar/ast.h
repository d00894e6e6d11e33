/* ast.h: the syntax tree that the parser makes and the compiler reads.
 *
 * Everything lives in one arena and is freed with it. ast.def lists the nodes; for each line
 * `AST(If, ...)` there is a kind `AST_If` and a `struct ast_If` that begins with a `struct ast`.
 * Every field of a node starts at a multiple of eight bytes after that header, in the order of
 * ast.def, so generic code (dumper, depth bookkeeping) finds field i at a computed offset.
 *
 * Invariants a consumer may rely on:
 *   - sequences are never NULL; which node fields may be NULL is written in ast.def;
 *   - `depth` is at most AST_MAX_DEPTH, so plain recursion over the tree is bounded;
 *   - `nest` is at most AST_MAX_NEST: the same depth, not counting the steps down the left operand
 *     of a chain of binary operators, attributes, calls and subscripts, or down a chain of `elif`;
 *   - two equal identifiers of one parse are the same `ast_name` pointer.
 */
#ifndef AIOVM_GRAMMAR_AST_H
#define AIOVM_GRAMMAR_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AST_MAX_DEPTH = 3000, AST_MAX_NEST = 1000 };

typedef enum ast_kind {
    AST_NONE,
#define AST(name, group, fields) AST_##name,
#include "ast.def"
#undef AST
    AST_COUNT
} ast_kind;

typedef enum ast_group {
    AST_GROUP_MOD = 1,
    AST_GROUP_STMT,
    AST_GROUP_EXPR,
    AST_GROUP_PATTERN,
    AST_GROUP_PART,     /* has no position of its own in CPython's tree */
    AST_GROUP_PART_POS, /* has one */
} ast_group;

/* Bits of ast.flags. The upper eight bits are the consumer's. */
enum {
    AST_PAREN = 1,      /* an expression written in (extra) parentheses: `(x)`, `(a, b)`, `(yield)` */
    AST_ELIF = 2,       /* an If that was written `elif` */
    AST_FSTRING_EQ = 4, /* a FormattedValue or Constant that came from `{x=}` */
    AST_USER = 0x0100,
};

typedef struct ast {
    uint16_t kind; /* ast_kind */
    uint16_t flags;
    uint32_t start, end; /* byte offsets into parse_result.src; end is exclusive */
    uint16_t depth, nest;
} ast;

typedef struct ast_seq {
    uint32_t n, cap;
    uint16_t depth, nest; /* the largest of the items' */
    ast *items[];
} ast_seq;

/* An identifier, NFKC-normalised UTF-8, NUL-terminated (it never contains a NUL). Names of imported
 * modules are kept whole ("os.path"). Interned per parse: compare by pointer. */
typedef struct ast_name {
    uint32_t len;
    uint32_t hash;
    uint32_t id; /* 0, 1, 2, ... in order of first appearance */
    char text[];
} ast_name;

typedef struct ast_ids {
    uint32_t n, cap;
    const ast_name *items[];
} ast_ids;

typedef struct ast_ops {
    uint32_t n, cap;
    uint8_t items[]; /* ast_op */
} ast_ops;

/* Operators, with their spelling. */
// clang-format off
#define AST_OPS(X)     \
    X(Add, "+")        \
    X(Sub, "-")        \
    X(Mult, "*")       \
    X(MatMult, "@")    \
    X(Div, "/")        \
    X(Mod, "%")        \
    X(Pow, "**")       \
    X(LShift, "<<")    \
    X(RShift, ">>")    \
    X(BitOr, "|")      \
    X(BitXor, "^")     \
    X(BitAnd, "&")     \
    X(FloorDiv, "//")  \
    X(And, "and")      \
    X(Or, "or")        \
    X(Invert, "~")     \
    X(Not, "not")      \
    X(UAdd, "+")       \
    X(USub, "-")       \
    X(Eq, "==")        \
    X(NotEq, "!=")     \
    X(Lt, "<")         \
    X(LtE, "<=")       \
    X(Gt, ">")         \
    X(GtE, ">=")       \
    X(Is, "is")        \
    X(IsNot, "is not") \
    X(In, "in")        \
    X(NotIn, "not in")
// clang-format on

typedef enum ast_op {
#define X(name, text) AST_OP_##name,
    AST_OPS(X)
#undef X
        AST_OP_COUNT
} ast_op;

typedef enum ast_ctx { AST_Load, AST_Store, AST_Del } ast_ctx;

typedef enum ast_const_kind {
    AST_CONST_NONE,
    AST_CONST_TRUE,
    AST_CONST_FALSE,
    AST_CONST_ELLIPSIS,
    AST_CONST_INT,   /* text: digits in `base`, without prefix and underscores */
    AST_CONST_FLOAT, /* text: without underscores */
    AST_CONST_IMAG,  /* the same, without the j */
    AST_CONST_STR,   /* text: decoded; WTF-8, so lone surrogates survive; may contain NUL */
    AST_CONST_BYTES, /* text: the bytes */
} ast_const_kind;

struct ast_const {
    uint8_t kind; /* ast_const_kind */
    uint8_t base; /* INT: 2, 8, 10, 16 */
    uint8_t u;    /* STR: the (first) literal was written u'...' */
    uint32_t len; /* bytes in text, which is NUL-terminated beyond */
    const char *text;
};

/* One struct per node. */
#define AST_FIELD_(type, f) _Alignas(8) type f;
#define NODE(f)             AST_FIELD_(ast *, f)
#define OPT(f)              AST_FIELD_(ast *, f)
#define SEQ(f)              AST_FIELD_(ast_seq *, f)
#define OPTSEQ(f)           AST_FIELD_(ast_seq *, f)
#define ID(f)               AST_FIELD_(const ast_name *, f)
#define OPTID(f)            AST_FIELD_(const ast_name *, f)
#define IDS(f)              AST_FIELD_(ast_ids *, f)
#define OP(f)               AST_FIELD_(int32_t, f)
#define OPS(f)              AST_FIELD_(ast_ops *, f)
#define CTX(f)              AST_FIELD_(int32_t, f)
#define INT(f)              AST_FIELD_(int32_t, f)
#define BOOL(f)             AST_FIELD_(int32_t, f)
#define CONST(f)            AST_FIELD_(struct ast_const, f)
#define AST(name, group, fields) \
    struct ast_##name {          \
        ast base;                \
        fields                   \
    };
#include "ast.def"
#undef AST
#undef NODE
#undef OPT
#undef SEQ
#undef OPTSEQ
#undef ID
#undef OPTID
#undef IDS
#undef OP
#undef OPS
#undef CTX
#undef INT
#undef BOOL
#undef CONST

/* AST_AS(If, node)->test; the caller has looked at node->kind. */
#define AST_AS(name, node) ((struct ast_##name *)(node))

/* What a field holds, for generic walkers. */
typedef enum ast_field_type {
    AST_FIELD_NODE,
    AST_FIELD_OPT,
    AST_FIELD_SEQ,
    AST_FIELD_OPTSEQ,
    AST_FIELD_ID,
    AST_FIELD_OPTID,
    AST_FIELD_IDS,
    AST_FIELD_OP,
    AST_FIELD_OPS,
    AST_FIELD_CTX,
    AST_FIELD_INT,
    AST_FIELD_BOOL,
    AST_FIELD_CONST,
} ast_field_type;

struct ast_field {
    const char *name;
    uint8_t type; /* ast_field_type */
};

struct ast_info {
    const char *name;
    uint8_t group; /* ast_group */
    uint8_t nfields;
    uint16_t size; /* of the struct */
    const struct ast_field *fields;
};

extern const struct ast_info ast_infos[AST_COUNT];
extern const char *const ast_op_names[AST_OP_COUNT]; /* "Add" */
extern const char *const ast_op_texts[AST_OP_COUNT]; /* "+" */
extern const char *const ast_ctx_names[3];           /* "Load" */

static inline void *ast_field_at(const ast *node, unsigned i) { return (char *)node + sizeof(ast) + 8 * (size_t)i; }

#endif
