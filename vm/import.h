/* Finding, loading and binding modules. */
#ifndef AIO_IMPORT_H
#define AIO_IMPORT_H

#include "vm.h"

enum module_flags {                          /* header.flags of a module */
                    MODULE_INITIALIZING = 1, /* its code is running */
                    MODULE_BUILTIN = 2,      /* written in C */
                    MODULE_FROZEN = 4,       /* compiled into the library */
                    MODULE_NAMESPACE = 8,    /* a folder without __init__ */
};

/* Modules written in C (stdlib/modules.def): `init` fills a fresh module object. `core` ones can't be hidden by a file
 * beside the script, as in CPython. */
struct builtin_module {
    const char *name;
    bool (*init)(vm *, module *);
    bool core;
    const char *doc;
};
extern const struct builtin_module builtin_modules[];
extern const size_t builtin_module_count;
/* The names of modules that this library was built without (-Dmodules), each ended by a NUL, and an empty one. */
extern const char builtin_left_out[];
bool import_left_out(const str *name);
/* C modules that vm/ does not know by name (asyncio, ...): looked up as if they were in that table, not core. */
typedef bool (*module_init_fn)(vm *, module *);
bool import_register(vm *vm, const char *name, module_init_fn init); /* name: static text; false: raised */
/* The docs of functions written in C, unpacked (frozen.h): kept until the VM ends; NULL: raised. */
const char *frozen_docs_of(vm *vm);
void import_close(vm *vm);

/* The import statement: `import a.b` gives a, with a fromlist the leaf; level counts leading dots. */
value import_name(vm *vm, str *name, dict *globals, value fromlist, uint32_t level);
value import_from(vm *vm, value m, str *name); /* attribute or submodule; ImportError "cannot import name ..." */
bool import_star(vm *vm, value m, value namespace);
/* Sets sys.path: `folder` (the script's; "" is the current one, NULL: none), then the folders on AIOVM_PATH. */
bool import_set_path(vm *vm, const char *folder);
value module_getattr_error(vm *vm, module *m, str *name);
/* builtins.c: the builtin module `name`, fresh, initialised and in sys.modules; NULL raised */
module *import_builtin(vm *vm, str *name, const struct builtin_module *b);
const struct builtin_module *builtin_find(vm *vm, str *name);
/* `-m`: source and file of a module without running it. false: raised. */
struct module_source {
    char *text;
    size_t size; /* as allocated: mem_free(text, size) */
    size_t length;
    str *file;
    bool is_package;
};
bool import_find_source(vm *vm, str *name, struct module_source *out);

#endif
