/* unicode_names.h: characters by name, for \N{...}, and names of characters. */
#ifndef AIOVM_GRAMMAR_UNICODE_NAMES_H
#define AIOVM_GRAMMAR_UNICODE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define UNICODE_NAME_UNKNOWN UINT32_MAX
enum { UNICODE_NAME_MOST = 128 }; /* no name is longer, nor an alias */

/* The code point of a character name (upper or lower case), or UNICODE_NAME_UNKNOWN. */
uint32_t unicode_name_lookup(const char *name, size_t len);
extern const char unicode_name_unknown[]; /* the message when there is none */
/* Writes the name of a character, without a NUL; its length, 0: it has none. */
size_t unicode_name_of(uint32_t cp, char name[UNICODE_NAME_MOST]);

#endif
