/* unicode_names_none.c: in the place of unicode_names.c in a library without names of characters (-Dmodules=core). */
#include "unicode_names.h"

const char unicode_name_unknown[] =
    "this library has no names of characters: configure it with -Dmodules=core,unicodedata";

uint32_t unicode_name_lookup(const char *name, size_t len)
{
    (void)name, (void)len;
    return UNICODE_NAME_UNKNOWN;
}

size_t unicode_name_of(uint32_t cp, char name[UNICODE_NAME_MOST])
{
    (void)cp, (void)name;
    return 0;
}
