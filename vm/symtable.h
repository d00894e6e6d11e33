/* Symbol tables: which variable every name of a source means.
 *
 * One `scope` per module, class body, function, lambda, comprehension and generator expression, and for what
 * belongs to type parameters (compile_typeparam.c). After
 * symtable_build each symbol says where its variable lives, and each scope that has a frame of its own lists
 * the cells that its maker has to hand in.
 *
 * Invariants
 *  1. Names are interned strs, private ones mangled already: compare by pointer.
 *  2. An inlined comprehension has no frame: its variables are temporaries of the enclosing frame and no
 *     function captures them. Names that it only uses are looked up in its parent (but never in a class body).
 *  3. `free` holds each captured name once, sorted by name.
 */
#ifndef AIO_SYMTABLE_H
#define AIO_SYMTABLE_H

#include "grammar/ast.h"
#include "object.h"

typedef struct compiler compiler;

enum scope_kind {
    SCOPE_MODULE,
    SCOPE_CLASS,
    SCOPE_FUNCTION,
    SCOPE_LAMBDA,
    SCOPE_COMP,
    SCOPE_GENEXPR,
    SCOPE_TYPE_PARAMS, /* around a definition with type parameters, or a type alias */
    SCOPE_BOUND,       /* the bound of a type variable, evaluated when it is asked for */
    SCOPE_ALIAS,       /* the value of a type alias, likewise */
};

enum symbol_flags {
    SYM_GLOBAL = 1,   /* declared global */
    SYM_NONLOCAL = 2, /* declared nonlocal */
    SYM_PARAM = 4,
    SYM_LOCAL = 8, /* assigned */
    SYM_USE = 16,
    SYM_ANNOT = 32,
    SYM_ITER = 64,    /* a comprehension's loop variable */
    SYM_WALRUS = 128, /* bound by := somewhere: an expression may change it half-way */
    SYM_DEL = 256,    /* unbound somewhere by del or at the end of an except clause */
    SYM_EARLY = 512,  /* read in a comprehension before the loop that binds it */
    SYM_IMPORT = 1024,
    SYM_TYPE_PARAM = 2048,
    SYM_CLASS_FIRST = 4096, /* looked up in the class around a type parameter scope first */
    SYM_BOUND = SYM_PARAM | SYM_LOCAL | SYM_ITER | SYM_IMPORT,
};

enum symbol_where {
    WHERE_NOWHERE,
    WHERE_LOCAL, /* register */
    WHERE_CELL,  /* register that holds a cell */
    WHERE_FREE,  /* closure */
    WHERE_GLOBAL,
    WHERE_NAME, /* a module's or class body's namespace, then globals */
    WHERE_HOST, /* inlined comprehension: what the name means in the parent */
};

typedef struct symbol {
    str *name;
    struct symbol *next; /* in order of appearance */
    uint32_t flags;
    uint8_t where;
    int32_t var;         /* WHERE_LOCAL, WHERE_CELL: number of the variable in its frame */
    int32_t reg;         /* variables of inlined comprehensions: the register while it runs */
    uint32_t start, end; /* source range of the global or nonlocal statement */
} symbol;

typedef struct scope {
    uint8_t kind;
    bool inlined, no_inline;
    bool generator;     /* contains a yield */
    bool coroutine;     /* contains an await; for async def always */
    bool class_cell;    /* a method needs __class__ */
    bool annotations;   /* module or class with annotated assignments */
    bool iter_target;   /* while the targets of a comprehension are visited */
    uint32_t iter_expr; /* depth of comprehension iterables around */
    ast *node;
    const void *key; /* what symtable_scope finds it by: node, but for type parameters */
    struct scope *parent, *first, **last, *next;
    const ast_name *klass; /* innermost class: for mangling */
    symbol *syms, **syms_end;
    symbol **table;
    uint32_t nsyms, cap;
    str **free;
    uint32_t nfree, capfree;
} scope;

/* The module's scope, or NULL with the compiler failed. */
scope *symtable_build(compiler *c, ast *module);
scope *symtable_scope(compiler *c, const void *key);
/* The key of the scope for a definition's type parameters; NULL: it has none. */
const void *scope_type_key(const ast *n);
/* Names that no source can spell: variables of type parameter scopes. */
enum scope_name { NAME_DEFAULTS, NAME_KWDEFAULTS, NAME_CLASSDICT, NAME_TYPE_PARAMS, NAME_GENERIC };
str *scope_name(compiler *c, enum scope_name which);
symbol *scope_find(const scope *s, const str *name);
int32_t scope_free_index(const scope *s, const str *name); /* -1: not captured */

/* ---- between the steps of the pass ---- */

symbol *scope_add(compiler *c, scope *s, str *name, uint32_t flags); /* NULL: failed */
void symtable_decide(compiler *c, scope *s);
void symtable_resolve(compiler *c, scope *s);

static inline bool scope_is_function(const scope *s) { return s->kind >= SCOPE_FUNCTION; }

static inline bool scope_is_comp(const scope *s) { return s->kind == SCOPE_COMP || s->kind == SCOPE_GENEXPR; }

static inline bool scope_is_type(const scope *s) { return s->kind >= SCOPE_TYPE_PARAMS; }

#endif
