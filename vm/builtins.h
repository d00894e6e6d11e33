/* The module builtins, spread over several files by subject. */
#ifndef AIO_BUILTINS_H
#define AIO_BUILTINS_H

#include "types_api.h"

#define NATIVE(NAME) \
    static value NAME(vm *vm, value *a, uint32_t n __attribute__((unused)), value kw __attribute__((unused)))

extern const native_def builtins_objects[];   /* builtins_object.c */
extern const native_def builtins_iteration[]; /* builtins_iter.c */
extern const native_def builtins_numbers[];   /* builtins_number.c */
extern const native_def builtins_running[];   /* builtins_run.c */
extern const native_def builtins_printing[];  /* builtins_print.c */

/* Makes builtins, the standard files and sys; after types and exceptions are there. false: raised. */
bool builtins_open(vm *vm);
/* Frees what these modules hold outside of the heap. Unwritten output is flushed before: files_flush_all. */
void builtins_close(vm *vm);
bool sys_set_argv(vm *vm, int argc, char *const *argv); /* false: raised */
void sys_run_exit_functions(vm *vm); /* what atexit and finalizers registered, last first; nothing is raised */
value sys_get_required(vm *vm, const char *name, const char *lost); /* sys.name or RuntimeError(lost) */

#endif
