/* unicode_names.c: finds characters by name.
 *
 * The table is generated (see unicode_names.py): sorted words of 43 bits of hash and 21 of code
 * point. Names that follow a rule are computed: ideographs carry their code point, Hangul syllables
 * the names of their letters.
 */
#include "unicode_names.h"

#include <string.h>

struct name_range {
    const char *family;
    uint32_t first, last;
};

#include "unicode_names.inc"

static char upper(char c) { return (unsigned char)(c - 'a') < 26 ? (char)(c - 32) : c; }

static uint32_t ideograph(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof name_ranges / sizeof *name_ranges; i++) {
        const struct name_range *r = &name_ranges[i];
        size_t n = strlen(r->family);
        if (len < n + 4 || len > n + 5 || memcmp(name, r->family, n) != 0) continue;
        uint32_t cp = 0;
        for (size_t k = n; k < len; k++) {
            char c = name[k];
            if ((unsigned char)(c - '0') < 10) cp = cp << 4 | (uint32_t)(c - '0');
            else if ((unsigned char)(c - 'A') < 6) cp = cp << 4 | (uint32_t)(c - 'A' + 10);
            else return UNICODE_NAME_UNKNOWN;
        }
        if (cp >= r->first && cp <= r->last) return cp;
    }
    return UNICODE_NAME_UNKNOWN;
}

/* The index of the longest of `parts` that begins at *name, which moves behind it. */
static int hangul_part(const char *const *parts, int n, const char **name, const char *end)
{
    int best = -1;
    size_t best_len = 0;
    for (int i = 0; i < n; i++) {
        size_t len = strlen(parts[i]);
        if ((size_t)(end - *name) >= len && memcmp(*name, parts[i], len) == 0 && (best < 0 || len > best_len)) {
            best = i;
            best_len = len;
        }
    }
    *name += best_len;
    return best;
}

static uint32_t hangul(const char *name, size_t len)
{
    static const char prefix[] = "HANGUL SYLLABLE ";
    static const char *const leading[] = {"G",  "GG", "N", "D",  "DD", "R", "M", "B", "BB", "S",
                                          "SS", "",   "J", "JJ", "C",  "K", "T", "P", "H"};
    static const char *const vowels[] = {"A",  "AE", "YA", "YAE", "EO", "E",  "YEO", "YE", "O",  "WA", "WAE",
                                         "OE", "YO", "U",  "WEO", "WE", "WI", "YU",  "EU", "YI", "I"};
    static const char *const trailing[] = {"",   "G",  "GG", "GS", "N",  "NJ", "NH", "D", "L",  "LG",
                                           "LM", "LB", "LS", "LT", "LP", "LH", "M",  "B", "BS", "S",
                                           "SS", "NG", "J",  "C",  "K",  "T",  "P",  "H"};
    size_t n = sizeof prefix - 1;
    if (len <= n || memcmp(name, prefix, n) != 0) return UNICODE_NAME_UNKNOWN;
    const char *p = name + n, *end = name + len;
    int l = hangul_part(leading, 19, &p, end);
    int v = hangul_part(vowels, 21, &p, end);
    int t = hangul_part(trailing, 28, &p, end);
    if (l < 0 || v < 0 || t < 0 || p != end) return UNICODE_NAME_UNKNOWN;
    return 0xAC00u + (uint32_t)((l * 21 + v) * 28 + t);
}

uint32_t unicode_name_lookup(const char *name, size_t len)
{
    char text[96]; /* the longest name has 88 */
    uint64_t hash = 0xCBF29CE484222325u;
    if (len > sizeof text) return UNICODE_NAME_UNKNOWN;
    for (size_t i = 0; i < len; i++) {
        text[i] = upper(name[i]);
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001B3u;
    }
    hash >>= 21;
    size_t lo = 0, hi = sizeof name_entries / sizeof *name_entries;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        uint64_t key = name_entries[mid] >> 21;
        if (key == hash) return (uint32_t)(name_entries[mid] & 0x1FFFFF);
        if (key < hash) lo = mid + 1;
        else hi = mid;
    }
    uint32_t cp = ideograph(text, len);
    return cp != UNICODE_NAME_UNKNOWN ? cp : hangul(text, len);
}
