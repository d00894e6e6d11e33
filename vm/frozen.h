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

/* Places in the two arrays, not pointers, which would be relocated when a program starts. */
struct frozen_module {
    uint32_t name;                        /* in frozen_names: dotted, as imported, ended by a NUL */
    uint32_t packed, size;                /* in frozen_packed: the UTF-8 text, for pack_decode */
    uint32_t length : 31, is_package : 1; /* unpacked; from an __init__.aio */
};
extern const char frozen_names[];
extern const uint8_t frozen_packed[];

static inline const char *frozen_name(const struct frozen_module *m) { return frozen_names + m->name; }

/* The text that all of them begin behind: struct pack_seed. */
extern const uint8_t frozen_seed[];
extern const size_t frozen_seed_size, frozen_seed_length; /* packed, unpacked */
extern const struct frozen_module frozen_modules[];
extern const size_t frozen_module_count;

/* All DOC()s (docs.h), packed likewise: where each source's begin among them. */
extern const uint8_t frozen_docs[];
extern const size_t frozen_docs_size, frozen_docs_length, frozen_doc_files;
extern const uint32_t frozen_doc_starts[];

#endif
