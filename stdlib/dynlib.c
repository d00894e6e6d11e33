/* Loading libraries on demand: see dynlib.h. */
#include "dynlib.h"

#include <dlfcn.h>
#include <stdio.h>

#include "vm/types_api.h"

bool dynlib_load(vm *vm, const char *module, const char *soname, const char *package, const char *const *names,
                 size_t n, const char *suffix, void *out)
{
    void *handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        raise(vm, EXC_ImportError, "the module %s needs the library %s: install it (Debian: %s)", module, soname,
              package);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", names[i], suffix);
        void *f = dlsym(handle, name);
        if (!f) {
            raise(vm, EXC_ImportError, "the module %s needs the function %s, which this %s lacks", module, name,
                  soname);
            dlclose(handle);
            return false;
        }
        memcpy((char *)out + i * sizeof f, &f, sizeof f);
    }
    return true;
}
