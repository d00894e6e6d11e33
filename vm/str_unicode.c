/* Character classes and case mappings. utf8proc has the general categories, the bidirectional classes and
 * the simple mappings; derived properties and the mappings to several points are in str_unicode.def. */
#include "str_unicode.h"
#include "grammar/unicode_names.h"

#include <utf8proc.h>

const uint8_t ascii_class[128] = {
    [9 ... 13] = AC_SPACE,
    [28 ... 31] = AC_SPACE,
    [32] = AC_SPACE | AC_PRINT,
    [33 ... 47] = AC_PRINT,
    ['0' ... '9'] = AC_DIGIT | AC_PRINT,
    [58 ... 64] = AC_PRINT,
    ['A' ... 'Z'] = AC_UPPER | AC_PRINT,
    [91 ... 94] = AC_PRINT,
    ['_'] = AC_UNDERSCORE | AC_PRINT,
    [96] = AC_PRINT,
    ['a' ... 'z'] = AC_LOWER | AC_PRINT,
    [123 ... 126] = AC_PRINT,
};

const low_kind low_kinds[] = {
#define KIND(FLAGS, UPPER, LOWER) {FLAGS, UPPER, LOWER},
#include "str_unicode_low.def"
#undef KIND
};
#define KIND_OF(...) const uint8_t low_kind_of[LOW_END - LOW_FIRST] = {__VA_ARGS__};
#include "str_unicode_low.def"
#undef KIND_OF

typedef struct cp_range {
    uint32_t first, last;
} cp_range;

#define PROP_BEGIN(NAME) static const cp_range prop_##NAME[] = {
#define PROP(A, B)       {A, B},
#define PROP_END \
    }            \
    ;
#include "str_unicode.def"
#undef PROP_BEGIN
#undef PROP
#undef PROP_END

#define ZERO(C) C,
static const uint32_t zeros[] = {
#include "str_unicode.def"
};
#undef ZERO

typedef struct case_entry {
    uint32_t c;
    uint16_t upper[3], title[3];
} case_entry;
#define POINTS(...) \
    {               \
        __VA_ARGS__ \
    }
#define CASE(C, U, T) {C, POINTS U, POINTS T},
static const case_entry cases[] = {
#include "str_unicode.def"
};
#undef CASE

static bool in_ranges(const cp_range *r, size_t n, uint32_t c)
{
    size_t lo = 0;
    while (lo < n) {
        size_t mid = (lo + n) / 2;
        if (c < r[mid].first) n = mid;
        else if (c > r[mid].last) lo = mid + 1;
        else return true;
    }
    return false;
}
#define IN(NAME, C) in_ranges(prop_##NAME, sizeof prop_##NAME / sizeof(cp_range), (C))

/* The general category as one bit. */
static inline uint32_t category_bit(uint32_t c) { return 1u << utf8proc_category((utf8proc_int32_t)c); }
#define CAT(X)  (1u << UTF8PROC_CATEGORY_##X)
#define LETTERS (CAT(LU) | CAT(LL) | CAT(LT) | CAT(LM) | CAT(LO))

bool uni_wide_alpha(uint32_t c)
{
    if (uni_is_low(c)) return uni_low(c)->flags & LOW_ALPHA;
    return uni_is_plain_letter(c) || category_bit(c) & LETTERS;
}

bool uni_wide_space(uint32_t c)
{
    if (c < 0x1680) return c == 0x85 || c == 0xA0;
    return c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

bool uni_wide_printable(uint32_t c)
{
    if (uni_is_low(c)) return uni_low(c)->flags & LOW_PRINT;
    if (uni_is_plain_letter(c)) return true;
    return !(category_bit(c) & (CAT(CC) | CAT(CF) | CAT(CS) | CAT(CO) | CAT(CN) | CAT(ZL) | CAT(ZP) | CAT(ZS)));
}

bool uni_is_decimal(uint32_t c) { return c < 128 ? ascii_class[c] & AC_DIGIT : category_bit(c) & CAT(ND); }

bool uni_is_digit(uint32_t c)
{
    if (c < 128) return ascii_class[c] & AC_DIGIT;
    return category_bit(c) & CAT(ND) || IN(DIGIT, c);
}

bool uni_is_numeric(uint32_t c)
{
    if (c < 128) return ascii_class[c] & AC_DIGIT;
    return category_bit(c) & (CAT(ND) | CAT(NL) | CAT(NO)) || IN(NUMERIC, c);
}

bool uni_is_alnum(uint32_t c)
{
    if (c < 128) return ascii_class[c] & AC_ALNUM;
    if (uni_is_low(c)) return uni_low(c)->flags & (LOW_ALPHA | LOW_NUMBER);
    if (uni_is_plain_letter(c)) return true;
    return category_bit(c) & (LETTERS | CAT(ND) | CAT(NL) | CAT(NO)) || IN(DIGIT, c) || IN(NUMERIC, c);
}

/* Letters that are no Lu, Ll or Lt yet have a case are of few categories. */
bool uni_is_upper(uint32_t c)
{
    if (c < 128) return ascii_class[c] & AC_UPPER;
    if (uni_is_low(c)) return uni_low(c)->flags & LOW_UPPER;
    if (uni_is_caseless(c)) return false;
    uint32_t bit = category_bit(c);
    return bit & CAT(LU) || (bit & (CAT(NL) | CAT(SO)) && IN(UPPER, c));
}

bool uni_is_lower(uint32_t c)
{
    if (c < 128) return ascii_class[c] & AC_LOWER;
    if (uni_is_low(c)) return uni_low(c)->flags & LOW_LOWER;
    if (uni_is_caseless(c)) return false;
    uint32_t bit = category_bit(c);
    return bit & CAT(LL) || (bit & (CAT(LM) | CAT(MN) | CAT(NL) | CAT(SO)) && IN(LOWER, c));
}

bool uni_is_title(uint32_t c)
{
    if (uni_is_low(c)) return uni_low(c)->flags & LOW_TITLE;
    return c >= 128 && !uni_is_caseless(c) && category_bit(c) & CAT(LT);
}

bool uni_is_cased(uint32_t c)
{
    if (uni_is_low(c)) return uni_low(c)->flags & LOW_CASED;
    return !uni_is_caseless(c) && (uni_is_upper(c) || uni_is_lower(c) || uni_is_title(c));
}

bool uni_is_case_ignorable(uint32_t c)
{
    if (uni_is_low(c)) return uni_low(c)->flags & LOW_IGNORABLE;
    bool by_category = category_bit(c) & (CAT(MN) | CAT(ME) | CAT(CF) | CAT(LM) | CAT(SK));
    return by_category != IN(IGNORABLE, c);
}

bool uni_is_id_start(uint32_t c)
{
    if (c < 128) return ascii_class[c] & (AC_ALPHA | AC_UNDERSCORE);
    bool by_category = category_bit(c) & (LETTERS | CAT(NL));
    return by_category != IN(IDSTART, c);
}

bool uni_is_id_continue(uint32_t c)
{
    if (c < 128) return ascii_class[c] & AC_IDENT;
    bool by_category = category_bit(c) & (LETTERS | CAT(NL) | CAT(MN) | CAT(MC) | CAT(ND) | CAT(PC));
    return by_category != IN(IDCONT, c);
}

int uni_decimal(uint32_t c)
{
    if (c < 128) return ascii_class[c] & AC_DIGIT ? (int)c - '0' : -1;
    size_t lo = 0, hi = sizeof zeros / sizeof *zeros;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (zeros[mid] <= c) lo = mid;
        else hi = mid;
    }
    return c >= zeros[lo] && c - zeros[lo] < 10 ? (int)(c - zeros[lo]) : -1;
}

static const case_entry *special(uint32_t c)
{
    if (uni_is_low(c) && !(uni_low(c)->flags & LOW_SPECIAL)) return NULL;
    if (c - LOW_END < 0x1E00 - LOW_END || c - 0x2000 < 0xFB00 - 0x2000) return NULL; /* none there */
    size_t lo = 0, hi = sizeof cases / sizeof *cases;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (cases[mid].c == c) return &cases[mid];
        if (cases[mid].c < c) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}

static unsigned copy_points(const uint16_t p[3], uint32_t out[3])
{
    unsigned n = 0;
    while (n < 3 && p[n]) out[n] = p[n], n++;
    return n;
}

unsigned uni_upper(uint32_t c, uint32_t out[3])
{
    if (c < 128) return out[0] = ascii_upper((uint8_t)c), 1;
    const case_entry *e = special(c);
    if (e) return copy_points(e->upper, out);
    out[0] = (uint32_t)utf8proc_toupper((utf8proc_int32_t)c);
    return 1;
}

unsigned uni_title(uint32_t c, uint32_t out[3])
{
    if (c < 128) return out[0] = ascii_upper((uint8_t)c), 1;
    const case_entry *e = special(c);
    if (e) return copy_points(e->title, out);
    out[0] = (uint32_t)utf8proc_totitle((utf8proc_int32_t)c);
    return 1;
}

unsigned uni_lower(uint32_t c, uint32_t out[3])
{
    if (c < 128) return out[0] = ascii_lower((uint8_t)c), 1;
    if (c == 0x130) { /* I with dot: the only lower case of two points */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    return 1;
}

unsigned uni_fold(uint32_t c, uint32_t out[3])
{
    if (c < 128) return out[0] = ascii_lower((uint8_t)c), 1;
    utf8proc_int32_t buf[4];
    int boundclass = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, buf, 4, UTF8PROC_CASEFOLD, &boundclass);
    if (n < 1 || n > 3) return out[0] = c, 1;
    for (utf8proc_ssize_t i = 0; i < n; i++) out[i] = (uint32_t)buf[i];
    return (unsigned)n;
}

_Static_assert((int)UNI_NAME_MOST == (int)UNICODE_NAME_MOST, "the grammar's names fit");
size_t uni_name_of(uint32_t c, char name[UNI_NAME_MOST]) { return unicode_name_of(c, name); }
uint32_t uni_by_name(const char *name, size_t n) { return unicode_name_lookup(name, n); }
