/* Warnings: the filters, and what issues warnings from C and for the module warnings. */
#ifndef AIO_WARN_H
#define AIO_WARN_H

#include "types_api.h"

bool warnings_open(vm *vm); /* the default filters */
void warnings_close(vm *vm);
/* An argument of -W: action:message:category:module:line. *wrong: what is the matter with it, or NULL. false: raised.
 */
bool warnings_option(vm *vm, const char *arg, str **wrong);
/* The whole way of a warning: filters, registry (a dict or None), output. category: a class; message: text or an
 * instance of Warning; module NULL: after the file. false: raised. */
bool warn_issue(vm *vm, value category, value message, str *filename, uint32_t line, str *module, value registry,
                value source);
/* For the script frame `up` levels out (0: the running one). */
bool warn_at_caller(vm *vm, value category, value message, uint32_t up, value source);
/* What warnings.filters is: tuples (action, message pattern, category, module pattern, line). */
list *warnings_filters(vm *vm);
void warnings_filters_changed(vm *vm);
dict *warnings_once(vm *vm);
/* exc_report_unraisable with other words than "in": "Exception ignored in atexit callback: <function ...>". */
void exc_report_unraisable_in(vm *vm, const char *what, value where);

#endif
