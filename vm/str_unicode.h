/* Character classes and case mappings of code points. Pure functions; ASCII by table, the rest by utf8proc
 * and str_unicode.def. */
#ifndef AIO_STR_UNICODE_H
#define AIO_STR_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AC_UPPER = 1,
    AC_LOWER = 2,
    AC_DIGIT = 4,
    AC_SPACE = 8,
    AC_PRINT = 16,
    AC_UNDERSCORE = 32,
    AC_ALPHA = 3,
    AC_ALNUM = 7,
    AC_IDENT = 39
};
extern const uint8_t ascii_class[128];

static inline uint8_t ascii_upper(uint8_t c) { return (uint8_t)(c - 'a') < 26 ? c ^ 32 : c; }
static inline uint8_t ascii_lower(uint8_t c) { return (uint8_t)(c - 'A') < 26 ? c ^ 32 : c; }

/* U+0080 to U+058F by table (str_unicode_low.def). */
enum {
    LOW_ALPHA = 1,
    LOW_UPPER = 2,
    LOW_LOWER = 4,
    LOW_TITLE = 8,
    LOW_NUMBER = 16,
    LOW_PRINT = 32,
    LOW_IGNORABLE = 64,
    LOW_SPECIAL = 128,
    LOW_FOLDS = 256,
    LOW_CASED = LOW_UPPER | LOW_LOWER | LOW_TITLE,
    LOW_FIRST = 0x80,
    LOW_END = 0x590,
};
typedef struct low_kind {
    uint16_t flags;
    int8_t upper, lower;
} low_kind;
extern const low_kind low_kinds[];
extern const uint8_t low_kind_of[LOW_END - LOW_FIRST];
static inline bool uni_is_low(uint32_t c) { return c - LOW_FIRST < LOW_END - LOW_FIRST; }
static inline const low_kind *uni_low(uint32_t c) { return &low_kinds[low_kind_of[c - LOW_FIRST]]; }
/* Han, kana and Hangul: letters without case, printable. Not all of them: a quick yes. */
static inline bool uni_is_plain_letter(uint32_t c)
{
    return c - 0x4E00 <= 0x9FFC - 0x4E00 || c - 0xAC00 <= 0xD7A3 - 0xAC00 || c - 0x30A1 <= 0x30FA - 0x30A1 ||
           c - 0x3041 <= 0x3096 - 0x3041;
}

/* CJK radicals to Vai, Hangul, punctuation and what comes after the circled letters, emoji among it: neither upper nor
 * lower, nor with another case. */
static inline bool uni_is_caseless(uint32_t c)
{
    return c - 0x2E80 < 0xA640 - 0x2E80 || c - 0x2000 < 0x70 || c - 0xAC00 <= 0xD7A3 - 0xAC00 || c >= 0x1F200;
}

bool uni_wide_alpha(uint32_t c);
bool uni_wide_space(uint32_t c);
bool uni_wide_printable(uint32_t c);
static inline bool uni_is_alpha(uint32_t c) { return c < 128 ? ascii_class[c] & AC_ALPHA : uni_wide_alpha(c); }
static inline bool uni_is_space(uint32_t c) { return c < 128 ? ascii_class[c] & AC_SPACE : uni_wide_space(c); }
static inline bool uni_is_printable(uint32_t c) { return c < 128 ? ascii_class[c] & AC_PRINT : uni_wide_printable(c); }
bool uni_is_decimal(uint32_t c);
bool uni_is_digit(uint32_t c);
bool uni_is_numeric(uint32_t c);
bool uni_is_alnum(uint32_t c);
bool uni_is_upper(uint32_t c);
bool uni_is_lower(uint32_t c);
bool uni_is_title(uint32_t c);
bool uni_is_cased(uint32_t c);
bool uni_is_case_ignorable(uint32_t c);
bool uni_is_id_start(uint32_t c);    /* XID_Start or _ */
bool uni_is_id_continue(uint32_t c); /* XID_Continue */
enum { UNI_NAME_MOST = 128 };
size_t uni_name_of(uint32_t c, char name[UNI_NAME_MOST]); /* its length; 0: it has none */
uint32_t uni_by_name(const char *name, size_t n);         /* beyond CP_MAX: no such character */
int uni_decimal(uint32_t c);                              /* value of a decimal digit, -1: none */
static inline bool uni_is_linebreak(uint32_t c)
{
    return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* Full mappings into out[0..3]; the count. uni_lower knows nothing of final sigma. */
unsigned uni_upper(uint32_t c, uint32_t out[3]);
unsigned uni_lower(uint32_t c, uint32_t out[3]);
unsigned uni_title(uint32_t c, uint32_t out[3]);
unsigned uni_fold(uint32_t c, uint32_t out[3]);

#endif
