/* The encodings that are ASCII below 128 and a table above: code pages, ISO 8859, KOI8, Macintosh. */
#include "codec.h"

struct charmap {
    const char *name, *aliases;
    uint16_t upper[128];
};

static const struct charmap maps[] = {
#define CHARMAP(NAME, ALIASES, ...) {NAME, ALIASES, {__VA_ARGS__}},
#include "charmaps.def"
#undef CHARMAP
};
enum { MAP_COUNT = sizeof maps / sizeof *maps };
_Static_assert((int)CODEC_CHARMAP + (int)MAP_COUNT < 256, "files keep a codec_id in a byte");

codec_id charmap_find(const char *name)
{
    size_t n = strlen(name);
    if (!n) return CODEC_UNKNOWN;
    for (unsigned i = 0; i < MAP_COUNT; i++) {
        const char *p = maps[i].aliases;
        while ((p = strstr(p, name))) { /* blanks around every alias */
            if (p[-1] == ' ' && p[n] == ' ') return (codec_id)(CODEC_CHARMAP + i);
            p += n;
        }
    }
    return CODEC_UNKNOWN;
}

const char *charmap_name(codec_id id) { return maps[id - CODEC_CHARMAP].name; }

const uint16_t *charmap_upper(codec_id id) { return maps[id - CODEC_CHARMAP].upper; }

uint32_t charmap_point(codec_id id, uint8_t byte)
{
    if (byte < 128) return byte;
    uint16_t c = maps[id - CODEC_CHARMAP].upper[byte - 128];
    return c == CHARMAP_GAP ? CHARMAP_NONE : c;
}

int charmap_byte(codec_id id, uint32_t c)
{
    if (c < 128) return (int)c;
    const uint16_t *upper = maps[id - CODEC_CHARMAP].upper;
    for (int i = 0; i < 128 && c != CHARMAP_GAP; i++) {
        if (upper[i] == c) return 128 + i;
    }
    return -1;
}
