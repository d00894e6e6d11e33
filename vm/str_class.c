/* str.isX(): what a whole string consists of. */
#include "str.h"
#include "str_unicode.h"

#define SELF AS(str, args[0])

/* All characters satisfy the test, and there is one. ASCII strings go by the class table. */
static value all_of(const str *s, uint8_t ascii_mask, bool (*test)(uint32_t))
{
    if (s->len == 0) return V_FALSE;
    unsigned w = str_width(s);
    if (str_is_ascii(s)) {
        const uint8_t *p = s->data;
        for (size_t i = 0; i < s->len; i++) {
            if (!(ascii_class[p[i]] & ascii_mask)) return V_FALSE;
        }
        return V_TRUE;
    }
    for (size_t i = 0; i < s->len; i++) {
        if (!test(text_at(s->data, w, i))) return V_FALSE;
    }
    return V_TRUE;
}

static bool test_alpha(uint32_t c) { return uni_is_alpha(c); }
static bool test_space(uint32_t c) { return uni_is_space(c); }

METHOD(str_isalnum)
{
    (void)vm;
    return all_of(SELF, AC_ALNUM, uni_is_alnum);
}
METHOD(str_isalpha)
{
    (void)vm;
    return all_of(SELF, AC_ALPHA, test_alpha);
}
METHOD(str_isdecimal)
{
    (void)vm;
    return all_of(SELF, AC_DIGIT, uni_is_decimal);
}
METHOD(str_isdigit)
{
    (void)vm;
    return all_of(SELF, AC_DIGIT, uni_is_digit);
}
METHOD(str_isnumeric)
{
    (void)vm;
    return all_of(SELF, AC_DIGIT, uni_is_numeric);
}
METHOD(str_isspace)
{
    (void)vm;
    return all_of(SELF, AC_SPACE, test_space);
}
METHOD(str_isascii)
{
    (void)vm;
    return value_bool(str_is_ascii(SELF));
}

METHOD(str_isprintable)
{
    (void)vm;
    const str *s = SELF;
    for (size_t i = 0; i < s->len; i++) {
        if (!uni_is_printable(str_at(s, i))) return V_FALSE;
    }
    return V_TRUE;
}

METHOD(str_isidentifier)
{
    (void)vm;
    const str *s = SELF;
    if (s->len == 0 || !uni_is_id_start(str_at(s, 0))) return V_FALSE;
    for (size_t i = 1; i < s->len; i++) {
        if (!uni_is_id_continue(str_at(s, i))) return V_FALSE;
    }
    return V_TRUE;
}

/* Of ASCII: a letter of the wanted case is there, and none of the other. */
static value ascii_cased(const str *s, uint8_t wanted, uint8_t other)
{
    const uint8_t *p = s->data;
    uint8_t seen = 0;
    for (size_t i = 0; i < s->len; i++) seen |= ascii_class[p[i]];
    return value_bool((seen & wanted) && !(seen & other));
}

METHOD(str_islower)
{
    (void)vm;
    const str *s = SELF;
    if (str_is_ascii(s)) return ascii_cased(s, AC_LOWER, AC_UPPER);
    bool cased = false;
    for (size_t i = 0; i < s->len; i++) {
        uint32_t c = str_at(s, i);
        if (uni_is_upper(c) || uni_is_title(c)) return V_FALSE;
        cased = cased || uni_is_lower(c);
    }
    return value_bool(cased);
}

METHOD(str_isupper)
{
    (void)vm;
    const str *s = SELF;
    if (str_is_ascii(s)) return ascii_cased(s, AC_UPPER, AC_LOWER);
    bool cased = false;
    for (size_t i = 0; i < s->len; i++) {
        uint32_t c = str_at(s, i);
        if (uni_is_lower(c) || uni_is_title(c)) return V_FALSE;
        cased = cased || uni_is_upper(c);
    }
    return value_bool(cased);
}

METHOD(str_istitle)
{
    (void)vm;
    const str *s = SELF;
    bool cased = false, previous = false;
    for (size_t i = 0; i < s->len; i++) {
        uint32_t c = str_at(s, i);
        if (uni_is_upper(c) || uni_is_title(c)) {
            if (previous) return V_FALSE;
            previous = cased = true;
        } else if (uni_is_lower(c)) {
            if (!previous) return V_FALSE;
            previous = cased = true;
        } else {
            previous = false;
        }
    }
    return value_bool(cased);
}
