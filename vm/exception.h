/* Private to the exception files. */
#ifndef AIO_EXCEPTION_H
#define AIO_EXCEPTION_H

#include "code.h"
#include "types_api.h"

/* os_error.c: errno as text (English, whatever the locale) and as exception class (0: plain OSError). */
const char *os_error_text(int err);
unsigned os_error_class(int64_t err);

/* exception.c: BaseException's own construction. */
value exc_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw);
bool exc_slot_init(vm *vm, value self, value *args, uint32_t n, value kw);
bool exc_open(vm *vm); /* preallocated exceptions; false: no memory */

/* exc_group.c */
void exc_group_init(vm *vm);
void exc_streams_init(vm *vm); /* exc_streams.c */
/* The end of a try statement with except*: what is to be raised, or None. `raised` holds, clause by clause, what the
 * clauses raised and, last, what none of them matched (None: nothing). */
value exc_group_reraise(vm *vm, value orig, list *raised);

/* source.c: source lines of files and of registered text. */
/* text of <stdin>, a REPL cell, a frozen module */
bool source_register(vm *vm, str *filename, const char *text, size_t n);
/* without its newline; NULL: not to be had (nothing raised) */
/* A source in an encoding that its first lines name, as text. NULL: the grammar reads it as it is; or raised. */
str *source_decode(vm *vm, const char *p, size_t n);
str *source_line(vm *vm, str *filename, uint32_t line);
void source_close(vm *vm);
/* traceback.c: the position that the caller of C code is at, `up` frames further out. false: no script runs. */
bool traceback_caller(vm *vm, uint32_t up, str **filename, uint32_t *line, dict **globals);

/* exc_print.c: without what it came from. */
str *exc_format_alone(vm *vm, value exc);
/* Which part of line[start:end] the carets are for, when the whole has failed; false: all of it. */
bool exc_anchors(vm *vm, str *line, size_t start, size_t end, size_t *left, size_t *right);

/* exc_hints.c: what the program may have meant by the name in a NameError or AttributeError; NULL: no idea. Raises
 * nothing. */
str *exc_hint(vm *vm, value exc);

exception *exc_alloc(vm *vm, type *cls); /* without arguments; NULL raised */

#endif
