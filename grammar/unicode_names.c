/* unicode_names.c: finds characters by name, and names by character.
 *
 * The tables are generated, and their form is described, in unicode_names.py: a name is a row of words, written as what
 * it adds to the name before it, in blocks that are read alone. A look-up turns the name into numbers of words, and
 * reads the blocks that have a name that begins with the first of them. Names that follow a rule are computed:
 * ideographs carry their code point, Hangul syllables the names of their letters.
 */
#include "unicode_names.h"

#include <stdbool.h>
#include <string.h>

struct name_range {
    const char *family;
    uint32_t first, last;
};

#include "unicode_names.inc"

const char unicode_name_unknown[] = "unknown Unicode character name";

#define COUNT(ARRAY) (sizeof(ARRAY) / sizeof *(ARRAY))

/* ---- codes ---- */

struct reader {
    const uint8_t *bits;
    uint32_t at;
};

/* The rank of the next symbol in a canonical code that has lengths[n] codes of n bits. */
static uint32_t next_code(struct reader *r, const uint16_t *lengths)
{
    uint32_t code = 0, first = 0, rank = 0;
    for (unsigned n = 1;; n++) {
        code |= r->bits[r->at >> 3] >> (7 - (r->at & 7)) & 1;
        r->at++;
        if (code - first < lengths[n]) return rank + (code - first);
        rank += lengths[n];
        first = (first + lengths[n]) << 1;
        code <<= 1;
    }
}

/* ---- words ---- */

struct word {
    char text[WORD_MOST + 1];
    size_t len;
};

/* Turns the word before into this one; the first of a group shares nothing. */
static void word_next(struct reader *r, struct word *w, bool first)
{
    w->len = first ? 0 : share_symbols[next_code(r, share_lengths)];
    for (char c; (c = (char)letter_symbols[next_code(r, letter_lengths)]) != 0;) w->text[w->len++] = c;
}

static int word_compare(const struct word *w, const char *text, size_t len)
{
    int order = memcmp(w->text, text, w->len < len ? w->len : len);
    return order ? order : (w->len > len) - (w->len < len);
}

/* The number of a word, -1: no name has it. */
static int word_find(const char *text, size_t len)
{
    uint32_t rank = 0, group = 0;
    for (size_t n = 0; n < COUNT(word_lengths); n++) {
        uint32_t count = word_lengths[n], groups = (count + WORD_GROUP - 1) / WORD_GROUP, lo = 0, hi = groups;
        struct word w;
        while (lo < hi) { /* the first group that begins behind it */
            uint32_t mid = lo + (hi - lo) / 2;
            struct reader r = {word_bits, word_groups[group + mid]};
            word_next(&r, &w, true);
            if (word_compare(&w, text, len) <= 0) lo = mid + 1;
            else hi = mid;
        }
        if (lo > 0) {
            struct reader r = {word_bits, word_groups[group + lo - 1]};
            for (uint32_t i = (lo - 1) * WORD_GROUP; i < count && i < lo * WORD_GROUP; i++) {
                word_next(&r, &w, i % WORD_GROUP == 0);
                int order = word_compare(&w, text, len);
                if (order == 0) return (int)(rank + i);
                if (order > 0) break;
            }
        }
        rank += count;
        group += groups;
    }
    return -1;
}

static void word_read(uint32_t number, struct word *w)
{
    uint32_t group = 0;
    const uint16_t *count = word_lengths;
    for (; number >= *count; count++) {
        number -= *count;
        group += (*count + WORD_GROUP - 1u) / WORD_GROUP;
    }
    struct reader r = {word_bits, word_groups[group + number / WORD_GROUP]};
    for (uint32_t i = 0; i <= number % WORD_GROUP; i++) word_next(&r, w, i == 0);
}

/* ---- names ---- */

struct row {
    uint16_t words[WORDS_MOST];
    unsigned n;
};

/* Turns the name before into this one. */
static void row_next(struct reader *r, struct row *row)
{
    unsigned shape = shape_symbols[next_code(r, shape_lengths)];
    unsigned same = shape >> 8, fresh = shape >> 4 & 15, end = shape & 15;
    memmove(&row->words[same + fresh], &row->words[row->n - end], end * sizeof *row->words);
    for (unsigned i = 0; i < fresh; i++) row->words[same + i] = (uint16_t)next_code(r, word_lengths);
    row->n = same + fresh + end;
}

/* A word takes the space or the hyphen before it along. */
static bool row_parse(const char *name, size_t len, struct row *row)
{
    row->n = 0;
    for (size_t at = 0, end; at < len; at = end) {
        end = at + (name[at] == ' ' || name[at] == '-');
        while (end < len && name[end] != ' ' && name[end] != '-') end++;
        if (row->n == WORDS_MOST - 1 || end - at > WORD_MOST) return false;
        int number = word_find(name + at, end - at);
        if (number < 0) return false;
        row->words[row->n++] = (uint16_t)number;
    }
    return row->n > 0;
}

static uint32_t row_char(uint32_t index)
{
    size_t lo = 0, hi = COUNT(name_run_starts);
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (name_run_starts[mid] <= index) lo = mid;
        else hi = mid;
    }
    return name_run_chars[lo] + (index - name_run_starts[lo]);
}

static uint32_t listed(const char *name, size_t len)
{
    struct row wanted, row;
    if (!row_parse(name, len, &wanted)) return UNICODE_NAME_UNKNOWN;
    for (uint32_t block = 0; block < COUNT(name_blocks); block++) {
        if (!(name_filters[block] >> wanted.words[0] % 32 & 1)) continue;
        struct reader r = {name_bits, name_blocks[block]};
        row.n = 0;
        for (uint32_t i = block * NAME_BLOCK; i < NAME_ALL && i < (block + 1) * NAME_BLOCK; i++) {
            row_next(&r, &row);
            if (row.n == wanted.n && memcmp(row.words, wanted.words, row.n * sizeof *row.words) == 0)
                return row_char(i);
        }
    }
    return UNICODE_NAME_UNKNOWN;
}

static size_t listed_name(uint32_t cp, char *name)
{
    size_t lo = 0, hi = COUNT(name_run_starts);
    while (hi > 0 && name_run_starts[hi - 1] >= NAME_COUNT) hi--; /* aliases */
    size_t runs = hi;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (name_run_chars[mid] <= cp) lo = mid;
        else hi = mid;
    }
    uint32_t end = lo + 1 < runs ? name_run_starts[lo + 1] : NAME_COUNT;
    if (cp < name_run_chars[lo] || cp - name_run_chars[lo] >= end - name_run_starts[lo]) return 0;
    uint32_t index = name_run_starts[lo] + (cp - name_run_chars[lo]);
    struct reader r = {name_bits, name_blocks[index / NAME_BLOCK]};
    struct row row = {.n = 0};
    for (uint32_t i = 0; i <= index % NAME_BLOCK; i++) row_next(&r, &row);
    size_t len = 0;
    for (unsigned i = 0; i < row.n; i++) {
        struct word w;
        word_read(row.words[i], &w);
        memcpy(name + len, w.text, w.len);
        len += w.len;
    }
    return len;
}

/* ---- names that follow a rule ---- */

static char upper(char c) { return (unsigned char)(c - 'a') < 26 ? (char)(c - 32) : c; }

/* `exact` is the name as it was given: as in CPython, only names that are listed there are found in lower case. */
static uint32_t ideograph(const char *name, const char *exact, size_t len)
{
    for (size_t i = 0; i < sizeof name_ranges / sizeof *name_ranges; i++) {
        const struct name_range *r = &name_ranges[i];
        size_t n = strlen(r->family);
        bool listed = memcmp(r->family, "CJK U", 5) != 0;
        const char *s = listed ? name : exact;
        if (len < n + 4 || len > n + 5 || memcmp(s, r->family, n) != 0 || (listed && s[n] == '0')) continue;
        uint32_t cp = 0;
        for (size_t k = n; k < len; k++) {
            char c = s[k];
            if ((unsigned char)(c - '0') < 10) cp = cp << 4 | (uint32_t)(c - '0');
            else if ((unsigned char)(c - 'A') < 6) cp = cp << 4 | (uint32_t)(c - 'A' + 10);
            else return UNICODE_NAME_UNKNOWN;
        }
        if (cp >= r->first && cp <= r->last) return cp;
    }
    return UNICODE_NAME_UNKNOWN;
}

static const char hangul_prefix[] = "HANGUL SYLLABLE ";
static const char *const hangul_leading[] = {"G",  "GG", "N", "D",  "DD", "R", "M", "B", "BB", "S",
                                             "SS", "",   "J", "JJ", "C",  "K", "T", "P", "H"};
static const char *const hangul_vowels[] = {"A",  "AE", "YA", "YAE", "EO", "E",  "YEO", "YE", "O",  "WA", "WAE",
                                            "OE", "YO", "U",  "WEO", "WE", "WI", "YU",  "EU", "YI", "I"};
static const char *const hangul_trailing[] = {"",   "G",  "GG", "GS", "N",  "NJ", "NH", "D", "L",  "LG",
                                              "LM", "LB", "LS", "LT", "LP", "LH", "M",  "B", "BS", "S",
                                              "SS", "NG", "J",  "C",  "K",  "T",  "P",  "H"};

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
    size_t n = sizeof hangul_prefix - 1;
    if (len <= n || memcmp(name, hangul_prefix, n) != 0) return UNICODE_NAME_UNKNOWN;
    const char *p = name + n, *end = name + len;
    int l = hangul_part(hangul_leading, 19, &p, end);
    int v = hangul_part(hangul_vowels, 21, &p, end);
    int t = hangul_part(hangul_trailing, 28, &p, end);
    if (l < 0 || v < 0 || t < 0 || p != end) return UNICODE_NAME_UNKNOWN;
    return 0xAC00u + (uint32_t)((l * 21 + v) * 28 + t);
}

static size_t put(char *name, size_t at, const char *text)
{
    size_t n = strlen(text);
    memcpy(name + at, text, n);
    return at + n;
}

static size_t hangul_name(uint32_t cp, char *name)
{
    uint32_t i = cp - 0xAC00;
    size_t at = put(name, 0, hangul_prefix);
    at = put(name, at, hangul_leading[i / (21 * 28)]);
    at = put(name, at, hangul_vowels[i / 28 % 21]);
    return put(name, at, hangul_trailing[i % 28]);
}

static size_t ideograph_name(uint32_t cp, char *name)
{
    for (size_t i = 0; i < COUNT(name_ranges); i++) {
        const struct name_range *r = &name_ranges[i];
        if (cp < r->first || cp > r->last) continue;
        size_t at = put(name, 0, r->family);
        for (int shift = cp > 0xFFFF ? 16 : 12; shift >= 0; shift -= 4)
            name[at++] = "0123456789ABCDEF"[cp >> shift & 15];
        return at;
    }
    return 0;
}

/* ---- both ways ---- */

uint32_t unicode_name_lookup(const char *name, size_t len)
{
    char text[UNICODE_NAME_MOST];
    if (len > sizeof text) return UNICODE_NAME_UNKNOWN;
    for (size_t i = 0; i < len; i++) text[i] = upper(name[i]);
    uint32_t cp = listed(text, len);
    if (cp == UNICODE_NAME_UNKNOWN) cp = ideograph(text, name, len);
    return cp != UNICODE_NAME_UNKNOWN ? cp : hangul(name, len);
}

size_t unicode_name_of(uint32_t cp, char name[UNICODE_NAME_MOST])
{
    if (cp >= 0xAC00 && cp < 0xAC00 + 19 * 21 * 28) return hangul_name(cp, name);
    size_t len = listed_name(cp, name);
    return len ? len : ideograph_name(cp, name);
}
