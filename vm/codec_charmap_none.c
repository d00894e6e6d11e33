/* In the place of codec_charmap.c in a library without code pages (-Dmodules=core). */
#include "codec.h"

const char charmap_unknown[] = " (this library has no code pages: configure it with -Dmodules=core,codecs)";

codec_id charmap_find(const char *name)
{
    (void)name;
    return CODEC_UNKNOWN;
}

/* Of no codec_id that there is. */
const char *charmap_name(codec_id id)
{
    (void)id;
    return "";
}

const uint16_t *charmap_upper(codec_id id)
{
    static const uint16_t nothing[128];
    (void)id;
    return nothing;
}

uint32_t charmap_point(codec_id id, uint8_t byte)
{
    (void)id;
    return byte < 128 ? byte : CHARMAP_NONE;
}

int charmap_byte(codec_id id, uint32_t c)
{
    (void)id;
    return c < 128 ? (int)c : -1;
}
