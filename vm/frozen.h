/* frozen.h: the scripts of stdlib/ that are compiled into the library.
 *
 * The table is generated at build time (tools/freeze.c) from the list in stdlib/meson.build. It is
 * sorted by name, so that an import finds a module by bisection.
 */
#ifndef AIOVM_VM_FROZEN_H
#define AIOVM_VM_FROZEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frozen_module {
    const char *name;      /* dotted, as imported */
    const uint8_t *packed; /* the UTF-8 text: pack_decode */
    uint32_t size, length; /* packed, unpacked */
    bool is_package;       /* from an __init__.aio */
};

/* The text that all of them begin behind: struct pack_seed. */
extern const uint8_t frozen_seed[];
extern const size_t frozen_seed_size, frozen_seed_length; /* packed, unpacked */
extern const struct frozen_module frozen_modules[];
extern const size_t frozen_module_count;

#endif
