/* The encodings that are ASCII below 128 and a table above: code pages, ISO 8859, KOI8, Macintosh. */
#include "codec.h"

/* Apart from the names: what holds pointers is relocated, and so in the memory of each process. */
static const uint16_t maps[][128] = {
#define CHARMAP(NAME, ALIASES, ...) {__VA_ARGS__},
#include "charmaps.def"
#undef CHARMAP
};
static const struct {
    const char *name, *aliases;
} map_names[] = {
#define CHARMAP(NAME, ALIASES, ...) {NAME, ALIASES},
#include "charmaps.def"
#undef CHARMAP
};
enum { MAP_COUNT = sizeof maps / sizeof *maps };
_Static_assert((int)CODEC_CHARMAP + (int)MAP_COUNT < 256, "files keep a codec_id in a byte");

const char charmap_unknown[] = "";

codec_id charmap_find(const char *name)
{
    size_t n = strlen(name);
    if (!n) return CODEC_UNKNOWN;
    for (unsigned i = 0; i < MAP_COUNT; i++) {
        const char *p = map_names[i].aliases;
        while ((p = strstr(p, name))) { /* blanks around every alias */
            if (p[-1] == ' ' && p[n] == ' ') return (codec_id)(CODEC_CHARMAP + i);
            p += n;
        }
    }
    return CODEC_UNKNOWN;
}

const char *charmap_name(codec_id id) { return map_names[id - CODEC_CHARMAP].name; }

const uint16_t *charmap_upper(codec_id id) { return maps[id - CODEC_CHARMAP]; }

uint32_t charmap_point(codec_id id, uint8_t byte)
{
    if (byte < 128) return byte;
    uint16_t c = maps[id - CODEC_CHARMAP][byte - 128];
    return c == CHARMAP_GAP ? CHARMAP_NONE : c;
}

int charmap_byte(codec_id id, uint32_t c)
{
    if (c < 128) return (int)c;
    const uint16_t *upper = maps[id - CODEC_CHARMAP];
    for (int i = 0; i < 128 && c != CHARMAP_GAP; i++) {
        if (upper[i] == c) return 128 + i;
    }
    return -1;
}
