/* unicode_names.h: characters by name, for \N{...}. */
#ifndef AIOVM_GRAMMAR_UNICODE_NAMES_H
#define AIOVM_GRAMMAR_UNICODE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define UNICODE_NAME_UNKNOWN UINT32_MAX

/* The code point of a character name (upper or lower case), or UNICODE_NAME_UNKNOWN. */
uint32_t unicode_name_lookup(const char *name, size_t len);

#endif
