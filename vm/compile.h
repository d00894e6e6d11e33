/* What the files of the compiler share. compile_source() itself is declared in code.h.
 *
 * Source -> tree (grammar/) -> symbol table (symtable.c) -> folded constants (compile_fold.c) -> code, emitted
 * in one pass over the tree, one `unit` per code object (compile*.c) -> code object (assemble.c).
 *
 * Registers. A unit's registers are its variables, then temporaries, a stack whose height is `top`.
 *
 * Invariants
 *  1. Every temporary below `top` holds a value: a collection may look at it. So a destination is never
 *     counted before the instruction that writes it, and `top` is lowered to what stays needed before an
 *     instruction is emitted (its operands are found from the instruction itself: op_regs).
 *  2. expr_to(u, e, dst) leaves `top` as it was and writes dst, with its last instruction, only when nothing
 *     can fail any more; dst is a variable or a register at or above `top`.
 *  3. expr(), expr_last() and expr_push() leave the value in the register they return: a variable's own, or
 *     the new top temporary.
 *  4. After a failure (c->failed) an exception is pending and every function returns quickly; emitted code
 *     is not looked at any more. After a jump away (u->dead) nothing is emitted until a used label is bound.
 *  5. `bound` holds the variables that are certainly bound here. It is merged at labels; a handler begins
 *     with what was bound where its region opened. Variables that the unit unbinds somewhere (`deletable`)
 *     are taken out at loop heads and handlers.
 */
#ifndef AIO_COMPILE_H
#define AIO_COMPILE_H

#include "code.h"
#include "grammar/parse.h"
#include "symtable.h"
#include "types_api.h"

typedef struct unit unit;
typedef uint32_t label;
typedef struct span {
    uint32_t start, end;
} span; /* byte offsets into the source */

/* Private kind of ast_const: `text` holds the bits of the value. Made by compile_fold.c. */
enum { AST_CONST_VALUE = 100 };
enum {
    AST_FOLDED = AST_USER,     /* Constant that was an expression: no docstring */
    AST_WARNED = AST_USER << 1 /* finally bodies are compiled twice, their warnings reported once */
};

struct source_warning {
    struct source_warning *next;
    uint8_t category;
    const char *message;
    str *text;
    uint32_t line;
    span at;
};

struct compiler {
    vm *vm;
    arena arena;
    struct parse_result parse;
    str *filename;
    enum compile_mode mode;
    unsigned flags;
    bool failed;
    bool future_annotations;
    str **names;  /* by ast_name.id, made on demand */
    list *keep;   /* every heap value made so far: the compiler's one root */
    scope *scope; /* symtable.c: the current one */
    struct {
        scope **slots;
        uint32_t n, cap;
    } scopes; /* by node */
    struct {
        struct const_slot {
            uint64_t hash;
            value v;
        } * slots;
        uint32_t n, cap;
    } interned;
    unit *unit;
    struct source_warning *warnings, **warnings_end;
    uint32_t line;   /* the last one looked up */
    uint32_t *chars; /* assemble.c: characters before each block of the source */
};

/* A protected range of code under construction. */
typedef struct region {
    label handler;
    int reg; /* where the handler finds the exception */
    uint32_t start;
    uint32_t depth;
    bool open;
} region;

enum block_kind {
    BLOCK_WHILE,
    BLOCK_FOR,
    BLOCK_TRY,
    BLOCK_FINALLY,
    BLOCK_WITH,
    BLOCK_AWITH,
    BLOCK_HANDLER, /* an exception is handled: reg is that of PUSHEXC */
    BLOCK_NAMED,   /* body of `except ... as name` */
    BLOCK_STAR,    /* body of an except* clause */
};
/* is the iterator closed when the loop is left early? */
enum { LOOP_PLAIN, LOOP_CLOSE, LOOP_CLOSE_ASYNC };

/* C of an AWAIT that belongs to an async with: for its message */
enum { AWAIT_ENTER = 1, AWAIT_EXIT = 2 };

typedef struct block {
    uint8_t kind;
    uint8_t close;   /* BLOCK_FOR */
    int reg;         /* loop state, exit function, handled exception */
    label head, end; /* loops */
    ast *node;       /* statement, for positions */
    ast_seq *body;   /* BLOCK_FINALLY */
    str *name;       /* BLOCK_NAMED */
    region region;
    bool guarded; /* has a region */
} block;
enum { MAX_BLOCKS = 20, BLOCK_SLOTS = 72 };

struct unit_label {
    uint32_t at;
    bool used;
    uint64_t *bound;
};
/* the offset is in the last word of the instruction at pc */
struct unit_fix {
    uint32_t pc;
    label to;
};
struct unit_pos {
    uint32_t pc;
    span at;
};
struct unit_exc {
    exc_range range;
    label handler;
    uint32_t depth;
};
struct index_slot {
    uint64_t key;
    uint32_t index;
};
typedef struct index_map {
    struct index_slot *slots;
    uint32_t n, cap;
} index_map;

struct unit {
    compiler *c;
    unit *parent;
    scope *scope; /* the frame's */
    /* where names are looked up: scope, or an inlined comprehension inside it */
    scope *cur;
    str *name, *qualname;
    value doc;
    uint32_t flags, argcount, posonly, kwonly, first; /* first: source offset of firstlineno */
    insn *code;
    struct unit_pos *pos;
    struct unit_fix *fixes;
    struct unit_label *labels;
    struct unit_exc *excs;
    safepoint *safepoints;
    uint32_t *discards;
    value *consts;
    str **cnames;
    uint32_t n, cap, npos, cappos, nfixes, capfixes, nlabels, caplabels, nexcs, capexcs, nsp, capsp;
    uint32_t ndiscards, capdiscards, nconsts, capconsts, nnames, capnames;
    index_map const_map, name_map;
    symbol **vars; /* by variable number */
    /* variables; those in registers below nlow (a class body's or module's r[0] included) */
    uint32_t nvars, nlow;
    uint32_t spills, maxspills;
    int top, maxreg, spill_base;
    uint64_t *bound, *deletable;
    uint32_t nwords;
    bool dead;
    span at; /* position of what is emitted */
    block *blocks;
    uint32_t nblocks, depth;
};

/* -- compile.c: units, names of things -- */
bool comp_too_deep(compiler *c); /* C stack: raises RecursionError */
str *comp_name(compiler *c, const ast_name *n);
str *comp_mangle(compiler *c, const ast_name *klass, const ast_name *n);
static inline str *unit_name(unit *u, const ast_name *n) { return comp_mangle(u->c, u->cur->klass, n); }
unit *unit_begin(compiler *c, scope *s, ast *node, str *name, uint32_t flags);
/* ends the function: implicit return, assembly */
code *unit_end(unit *u);
void unit_return(unit *u, int reg); /* RETURN, RETGEN or RETCORO; reg -1: None */
bool unit_top_await(const unit *u);
bool unit_is_function(const unit *u);

/* -- compile_error.c -- */
void raise_syntax_error(vm *vm, unsigned exc_id, str *msg, str *filename, uint32_t line, uint32_t offset,
                        uint32_t end_line, uint32_t end_offset, str *text);
void comp_error(compiler *c, span at, const char *fmt, ...);
void comp_error_node(compiler *c, const ast *n, const char *fmt, ...);
void comp_unsupported(compiler *c, const ast *n, const char *what);
void comp_warn(compiler *c, ast *n, const char *fmt, ...); /* SyntaxWarning */
void comp_raise_diag(compiler *c, const struct diag *d);
bool comp_report_warnings(compiler *c);
static inline span node_span(const ast *n) { return (span){n->start, n->end}; }

/* -- compile_emit.c: memory, instructions, labels, constants -- */
void *comp_alloc(compiler *c, size_t n); /* zeroed; NULL: failed */
void *comp_alloc_array(compiler *c, size_t n, size_t item);
bool comp_grow(compiler *c, void *array, uint32_t *cap, uint32_t need, size_t item);
#define COMP_ROOM(C, ARR, N, CAP) ((N) < (CAP) || comp_grow((C), &(ARR), &(CAP), (N) + 1, sizeof *(ARR)))
value comp_keep(compiler *c, value v); /* roots v; unbound in: failed */
/* the one constant that equals v in value and type */
value comp_intern(compiler *c, value v);
void emit(unit *u, unsigned op, int a, int b, int cc);
void emit_d(unit *u, unsigned op, int a, uint32_t d);
void emit_i(unit *u, int a, int n); /* LOADI */
void emit_word(unit *u, uint32_t w);
void emit_words(unit *u, unsigned n); /* n zero words: caches */
/* op with a name in w1, caches after it */
void emit_named(unit *u, unsigned op, int a, int b, int cc, str *name);
void emit_jump(unit *u, label l);
void emit_loop(unit *u, label l);
void emit_branch(unit *u, unsigned op, int a, int b, label l);
void emit_aforiter(unit *u, int dst, int it, label l);
/* the rest of the instruction under way has position u->at */
void emit_position(unit *u);
void emit_move(unit *u, int dst, int src);
void emit_value(unit *u, value v, int dst); /* LOADK and its short forms */
uint32_t emit_handler_word(const unit *u);
label label_new(unit *u);
void label_bind(unit *u, label l);
void label_bind_loop(unit *u, label l);
void region_open(unit *u, region *r, label handler, int reg);
void region_reopen(unit *u, region *r);
/* leaves the range for a while: region_reopen */
void region_cut(unit *u, region *r);
void region_close(unit *u, region *r);
/* the register at top; checks that there is one */
int temp(unit *u);
void temp_push(unit *u, int n); /* n registers at top now hold values */
uint32_t const_index(unit *u, value v);
uint32_t name_index(unit *u, str *name);   /* fits 24 bits */
uint32_t name_index16(unit *u, str *name); /* fits 16 bits */
span unit_at(unit *u, const ast *n);       /* sets the position, returns the one before */
/* the same for an attribute on a line of its own */
span unit_at_attr(unit *u, const ast *n, const ast *attr);

/* -- compile_name.c: variables -- */
enum place_kind { AT_REG, AT_HIGH, AT_CELL, AT_HIGH_CELL, AT_FREE, AT_CLASS_FREE, AT_GLOBAL, AT_NAME };
/* var -1: always bound */
typedef struct place {
    uint8_t kind;
    int reg;
    int var;
    symbol *sym;
} place;
place name_place(unit *u, str *name);
/* register of a plain variable, bound or not; -1: none */
int name_reg(unit *u, str *name);
void name_load(unit *u, str *name, int dst);
void name_store(unit *u, str *name, int src);
void name_delete(unit *u, str *name);
void name_unbind(unit *u, str *name); /* end of an except clause: never fails */
bool name_bound(const unit *u, place p);
void name_set_bound(unit *u, int var);
int name_cell(unit *u, str *name, bool *local); /* for captures */

/* -- compile_fold.c -- */
void fold_module(compiler *c, ast *module);
bool is_const(const ast *n);
value ast_const_value(vm *vm, const struct ast_const *k); /* a literal's; V_ERROR raised */
value const_of(compiler *c, ast *n);                      /* n is a Constant */
value const_tuple(compiler *c, ast_seq *elts);            /* unbound: some element is not constant */
value const_frozenset(compiler *c, ast_seq *elts);
int const_truth(compiler *c, ast *n); /* 1, 0; -1: no constant */

/* -- compile_expr.c, compile_cond.c, compile_call.c, compile_comp.c -- */
/* stays valid while other expressions are evaluated */
int expr(unit *u, ast *e);
int expr_last(unit *u, ast *e); /* only until the next expression */
/* expr_last when evaluating next can't change variables */
int expr_before(unit *u, ast *e, const ast *next);
int expr_push(unit *u, ast *e);
void expr_to(unit *u, ast *e, int dst);
void expr_drop(unit *u, ast *e);
int expr_index(unit *u, ast *slice);              /* a subscript's key */
void expr_tuple(unit *u, ast_seq *elts, int dst); /* a tuple display */
unsigned binary_opcode(ast_op op, bool inplace);
void expr_binary(unit *u, ast *left, int leftreg, ast_op op, ast *right, bool inplace, int dst);
int window_room(const unit *u); /* how many operands a window may take here */
bool in_async_function(const unit *u);
const char *top_await_hint(const unit *u); /* for messages */
/* a constant or name: evaluating it changes no variable */
bool expr_is_plain(const ast *n);
void cond(unit *u, ast *e, bool sense, label l); /* jump to l if e's truth is sense */
void compare_value(unit *u, struct ast_Compare *e, int dst);
void call_expr(unit *u, ast *e, int dst);
void call_attribute(unit *u, ast *e, int dst); /* attribute load, super() included */
void call_window(unit *u, int base, int nfixed, ast_seq *args, ast_seq *keywords, span at, int dst);
void comp_expr(unit *u, ast *e, int dst);
int iterable_close(const ast *iter, bool async); /* LOOP_*: may nobody else hold the iterator? */
/* top is above the loop's state afterwards */
void loop_prepare(unit *u, int state, int iterable, bool async);
void loop_next(unit *u, int state, int dst, bool async, label end);
void for_close(unit *u, int state, int how);
void loop_handler(unit *u, int state, int how, label handler);

/* -- compile_func.c -- */
void func_def(unit *u, ast *s);
void func_lambda(unit *u, ast *e, int dst);
void func_class(unit *u, ast *s);
void func_make(unit *u, code *k, int base, unsigned have, int dst); /* MAKEFUNC; base: see there */
str *const_docstring(compiler *c, ast_seq *body);                   /* NULL: none */

code *func_code(unit *u, ast *s); /* the function's own code */
/* What a function is made from, in registers from top up; returns MAKEFUNC's bits. With a type parameter
 * scope's unit the defaults are taken from what was handed to it. */
unsigned func_extras(unit *u, struct ast_arguments *a, ast *returns, bool defaults_given);
void func_defaults(unit *u, struct ast_arguments *a);              /* pushes those that there are */
void func_class_call(unit *u, ast *s, ast_seq *bases, int window); /* r[window] = the class */

/* -- compile_typeparam.c -- */
void typeparam_func(unit *u, ast *s, int dst);
void typeparam_class(unit *u, ast *s, int dst);
void typeparam_alias(unit *u, struct ast_TypeAlias *s);

/* -- compile_stmt.c, compile_assign.c, compile_try.c, compile_match.c -- */
void stmt(unit *u, ast *s);
void stmt_body(unit *u, ast_seq *body);
void assign_to(unit *u, ast *target, int src);
void assign_stmt(unit *u, struct ast_Assign *s);
void assign_aug(unit *u, struct ast_AugAssign *s);
void assign_ann(unit *u, struct ast_AnnAssign *s);
void assign_delete(unit *u, ast *target);
/* register an instruction may write for this target, or -1 */
int assign_dst(unit *u, ast *target);
block *block_push(unit *u, enum block_kind kind, ast *node);
void block_guard(unit *u, block *b, label handler, int reg);
void block_pop(unit *u); /* closes its region */
struct leave {
    uint32_t nblocks, keep;
    block *saved;
};
/* emits what a jump out of the blocks above `keep` owes ... */
struct leave block_leave(unit *u, uint32_t keep);
/* ... and goes on inside them, after the jump */
void block_back(unit *u, struct leave l);
void try_stmt(unit *u, struct ast_Try *s);
void try_star(unit *u, struct ast_TryStar *s);
void try_with(unit *u, ast *s, ast_seq *items, ast_seq *body, uint32_t i, bool async);
void match_stmt(unit *u, struct ast_Match *s);

/* -- compile_unparse.c -- */
str *unparse_expr(compiler *c, ast *e);

/* -- assemble.c -- */
code *assemble(unit *u);

/* -- code.c, disasm.c: what an instruction is -- */
unsigned op_general(unsigned op); /* what a specialised opcode stands for */
const char *op_format(unsigned op);
const char *op_name(unsigned op);
/* One past the highest register that the instruction at p reads and writes. */
void op_regs(const insn *p, uint32_t *reads, uint32_t *writes);
bool op_ends(unsigned op); /* control never goes on behind it */
/* The target of the jump at pc; false: the instruction is no jump. */
bool code_jump_target(const code *c, uint32_t pc, uint32_t *to);
bool code_check_flow(vm *vm, const code *c, char *why, size_t whysize); /* of code_verify */

#endif
