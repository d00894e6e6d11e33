/* Libraries that a module needs and that are loaded when it is first imported, so that a program that
 * doesn't import it pays nothing.
 *
 * The functions of a library stand in a .def file, DYN(result, name, (parameters)) each. A struct of
 * pointers and the table of names are made from it, in the same order:
 *
 *     struct foo_functions {
 *     #define DYN(R, NAME, PARAMS) R(*NAME) PARAMS;
 *     #include "foo.def"
 *     #undef DYN
 *     };
 *     static const char *const foo_names[] = {
 *     #define DYN(R, NAME, PARAMS) "foo_" #NAME,
 *     ...
 *
 * A library stays loaded until the process ends: objects of any VM may still need its code. */
#ifndef AIO_STDLIB_DYNLIB_H
#define AIO_STDLIB_DYNLIB_H

#include "vm/vm.h"

/* Loads `soname` and fills out[0..n), an array of function pointers, with the functions called
 * names[i] + suffix. false: ImportError raised: "`module` needs `soname` (Debian package `package`)". */
bool dynlib_load(vm *vm, const char *module, const char *soname, const char *package, const char *const *names,
                 size_t n, const char *suffix, void *out);

#endif
