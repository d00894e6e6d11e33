/* Docs of functions written in C. A table has DOC("text") where it would have "text": a number in the place of a
 * pointer, which no object lies at. The text itself is not compiled: tools/collect_docs finds it in the source, and the
 * library has all of them together, packed like the scripts.
 *
 * A source that uses DOC says, above all tables,
 *     #define DOC_FILE vm_list
 *     DOC_BEGIN;
 * and that name has a row in vm/docs.def. DOC can't stand in other macros' definitions, in headers or between #if
 * and #endif: the texts are counted. Included by type.h. */
#ifndef AIO_DOCS_H
#define AIO_DOCS_H

enum docs {
#define DOCS(NAME) DOCS_##NAME,
#include "docs.def"
#undef DOCS
};

#define DOC_PASTE_(A, B) A##B
#define DOC_PASTE(A, B)  DOC_PASTE_(A, B)
#define DOC_BEGIN        enum { DOC_PASTE(doc_first_, DOC_FILE) = __COUNTER__ }
#define DOC(TEXT)                                                      \
    ((const char *)(uintptr_t)((DOC_PASTE(DOCS_, DOC_FILE) + 1) << 8 | \
                               (__COUNTER__ - DOC_PASTE(doc_first_, DOC_FILE) - 1)))

/* The text of a DOC, or of a C string; None for NULL; V_ERROR raised. */
value doc_text(vm *vm, const char *doc);

#endif
