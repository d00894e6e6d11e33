/* The table of modules written in C. */
#include "vm/import.h"

#define CORE(NAME, INIT, DOC)   bool INIT(vm *vm, module *m);
#define MODULE(NAME, INIT, DOC) bool INIT(vm *vm, module *m);
#include "modules.def"
#undef CORE
#undef MODULE

const struct builtin_module builtin_modules[] = {
#define CORE(NAME, INIT, DOC)   {#NAME, INIT, true, DOC},
#define MODULE(NAME, INIT, DOC) {#NAME, INIT, false, DOC},
#include "modules.def"
#undef CORE
#undef MODULE
};
const size_t builtin_module_count = sizeof builtin_modules / sizeof *builtin_modules;
