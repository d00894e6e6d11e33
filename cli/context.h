/* context.h: where in a cell the cursor is: what could be completed there, and which call it is in. */
#ifndef AIOVM_CLI_CONTEXT_H
#define AIOVM_CLI_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

enum context_kind {
    CONTEXT_NONE,        /* in a string, a comment, a number */
    CONTEXT_NAME,        /* a name (keywords of the call `callee` too) */
    CONTEXT_ATTRIBUTE,   /* an attribute of `base`, a dotted name */
    CONTEXT_MODULE,      /* after import or from: a module, dotted perhaps: base is what stands before the last dot */
    CONTEXT_FROM_IMPORT, /* after `from base import` */
};

struct text_span {
    size_t from, to;
};

struct context {
    enum context_kind kind;
    struct text_span typed;  /* what is completed: ends at the cursor */
    struct text_span base;   /* empty: none */
    struct text_span callee; /* the dotted name that is called, innermost open bracket; empty: none */
};

/* Of the text up to the cursor; by the language's scanner. */
void context_at(const char *text, size_t cursor, struct context *c);

#endif
