/* strptime: reads a time by a format, with CPython's directives, defaults and messages, in the C
 * locale.
 *
 * The format is cut into items: runs of white space, directives, other characters. An item that can
 * match text of several lengths tries them in CPython's order, and the rest of the format decides.
 * No directive may occur twice, so this is bounded. */
#include "time_module.h"

#include "vm/str.h"
#include "vm/str_unicode.h"

enum { DIRECTIVES = 24 };
static const char letters[DIRECTIVES + 1] = "aAbBdfGHIjmMpSuUVwWyYzZ%";

struct found {
    bool has[128];
    int64_t n[128]; /* by the directive's letter */
    int64_t gmtoff;
    value zone;
};

struct parser {
    vm *vm;
    str *text, *format;
    struct found out;
    const char *zones[2];
};

enum match { MATCH_NO, MATCH_YES, MATCH_RAISED };

static uint32_t fold(uint32_t c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }
static bool is_digit(uint32_t c) { return c - '0' < 10; }
static uint32_t at(const str *s, size_t i) { return i < s->len ? str_at(s, i) : 0; }

static bool match_word(const struct parser *p, size_t i, const char *word, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (i + k >= p->text->len || fold(str_at(p->text, i + k)) != fold((uint8_t)word[k])) return false;
    return true;
}

/* Numbers: a text of 1 to `digits` digits whose value is in [low, high]; `fixed`: of exactly so
 * many. */
static const struct number {
    char letter;
    uint8_t digits;
    bool fixed;
    int16_t low, high;
} numbers[] = {
    {'d', 2, false, 1, 31}, {'H', 2, false, 0, 23},  {'I', 2, false, 1, 12},  {'j', 3, false, 1, 366},
    {'m', 2, false, 1, 12}, {'M', 2, false, 0, 59},  {'S', 2, false, 0, 61},  {'u', 1, true, 1, 7},
    {'U', 2, false, 0, 53}, {'V', 2, false, 0, 53},  {'w', 1, true, 0, 6},    {'W', 2, false, 0, 53},
    {'y', 2, true, 0, 99},  {'Y', 4, true, 0, 9999}, {'G', 4, true, 0, 9999},
};

/* The lengths that a directive can take at position i, best first; values beside them. */
struct choice {
    uint8_t len;
    int64_t n;
};

static unsigned number_choices(const struct parser *p, size_t i, const struct number *d, struct choice *out)
{
    unsigned count = 0;
    for (unsigned len = d->digits; len >= (d->fixed ? d->digits : 1u); len--) {
        int64_t n = 0;
        unsigned k = 0;
        while (k < len && is_digit(at(p->text, i + k))) n = n * 10 + (at(p->text, i + k++) - '0');
        if (k == len && n >= d->low && n <= d->high) out[count++] = (struct choice){(uint8_t)len, n};
    }
    if (d->letter == 'd' && !count && at(p->text, i) == ' ' && at(p->text, i + 1) - '1' < 9)
        out[count++] = (struct choice){2, at(p->text, i + 1) - '0'};
    return count;
}

static unsigned name_choices(const struct parser *p, size_t i, const char *const *names, int n, bool whole,
                             struct choice *out)
{
    int best = -1;
    size_t best_len = 0;
    for (int k = 0; k < n; k++) {
        size_t len = whole ? strlen(names[k]) : 3;
        if (len > best_len && match_word(p, i, names[k], len)) {
            best = k;
            best_len = len;
        }
    }
    if (best < 0) return 0;
    out[0] = (struct choice){(uint8_t)best_len, best};
    return 1;
}

/* %z: +hhmm, +hh:mm, with seconds and their fraction, or Z. 0: no match. */
static size_t match_offset(const struct parser *p, size_t i, int64_t *seconds, bool *mixed)
{
    const str *s = p->text;
    size_t from = i;
    *mixed = false;
    if (at(s, i) == 'Z') {
        *seconds = 0;
        return 1;
    }
    if (at(s, i) != '+' && at(s, i) != '-') return 0;
    bool minus = at(s, i++) == '-';
    if (!is_digit(at(s, i)) || !is_digit(at(s, i + 1))) return 0;
    int64_t h = (at(s, i) - '0') * 10 + (at(s, i + 1) - '0'), m, sec = 0;
    i += 2;
    bool colon = at(s, i) == ':';
    i += colon;
    if (at(s, i) - '0' > 5 || !is_digit(at(s, i + 1))) return 0;
    m = (at(s, i) - '0') * 10 + (at(s, i + 1) - '0');
    i += 2;
    size_t k = i + (at(s, i) == ':');
    if (at(s, k) - '0' <= 5 && is_digit(at(s, k + 1))) {
        *mixed = colon != (k > i);
        sec = (at(s, k) - '0') * 10 + (at(s, k + 1) - '0');
        i = k + 2;
        if (at(s, i) == '.' && is_digit(at(s, i + 1)))
            for (i++, k = i; i < k + 6 && is_digit(at(s, i));) i++;
    }
    *seconds = (h * 3600 + m * 60 + sec) * (minus ? -1 : 1);
    return i - from;
}

static enum match match_rest(struct parser *p, size_t f, size_t i, size_t *end);

static enum match match_directive(struct parser *p, char c, size_t f, size_t i, size_t *end)
{
    static const char *const halves[] = {"AM", "PM"};
    struct choice choices[6];
    unsigned n = 0;
    p->out.has[(int)c] = true;
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        if (numbers[k].letter == c) n = number_choices(p, i, &numbers[k], choices);
    switch (c) {
    case 'a': n = name_choices(p, i, time_days, 7, false, choices); break;
    case 'A': n = name_choices(p, i, time_days, 7, true, choices); break;
    case 'b': n = name_choices(p, i, time_months, 12, false, choices); break;
    case 'B': n = name_choices(p, i, time_months, 12, true, choices); break;
    case 'p': n = name_choices(p, i, halves, 2, true, choices); break;
    case 'f': {
        int64_t v = 0;
        unsigned len = 0;
        while (len < 6 && is_digit(at(p->text, i + len))) len++;
        for (n = 0; len; len--) {
            v = 0;
            for (unsigned k = 0; k < 6; k++) v = v * 10 + (k < len ? at(p->text, i + k) - '0' : 0);
            choices[n++] = (struct choice){(uint8_t)len, v};
        }
        break;
    }
    case 'z': {
        int64_t off;
        bool mixed;
        size_t len = match_offset(p, i, &off, &mixed);
        if (mixed) {
            str *part = str_substr(p->vm, p->text, i, i + len);
            if (part) raise_value_error(p->vm, "Inconsistent use of : in %U", part);
            return MATCH_RAISED;
        }
        if (len) {
            p->out.gmtoff = off;
            choices[n++] = (struct choice){(uint8_t)len, off};
        }
        break;
    }
    case 'Z': {
        static const char *const fixed[] = {"UTC", "GMT"};
        const char *names[4] = {fixed[0], fixed[1], p->zones[0], p->zones[1]};
        size_t best = 0;
        int64_t dst = -1;
        for (int k = 0; k < 4; k++) {
            size_t len = strlen(names[k]);
            if (len <= best || len > 200 || !match_word(p, i, names[k], len)) continue;
            best = len;
            dst = k == 3;
        }
        if (best) choices[n++] = (struct choice){(uint8_t)best, dst};
        break;
    }
    default: break;
    }
    for (unsigned k = 0; k < n; k++) {
        enum match r = match_rest(p, f, i + choices[k].len, end);
        if (r == MATCH_NO) continue;
        p->out.n[(int)c] = choices[k].n;
        if (c == 'Z' && r == MATCH_YES) {
            str *zone = str_substr(p->vm, p->text, i, i + choices[k].len);
            if (!zone) return MATCH_RAISED;
            p->out.zone = value_obj(zone);
        }
        return r;
    }
    return MATCH_NO;
}

/* What a directive that stands for several is short for. */
static const char *composed(char c)
{
    return c == 'c' ? "%a %b %d %H:%M:%S %Y" : c == 'x' ? "%m/%d/%y" : c == 'X' ? "%H:%M:%S" : NULL;
}

static enum match match_rest(struct parser *p, size_t f, size_t i, size_t *end)
{
    for (;;) {
        if (f >= p->format->len) {
            *end = i;
            return MATCH_YES;
        }
        uint32_t c = str_at(p->format, f);
        if (c == '%') {
            char d = (char)str_at(p->format, f + 1); /* known to be a directive */
            f += 2;
            if (d == '%') {
                if (at(p->text, i) != '%') return MATCH_NO;
                i++;
                continue;
            }
            return match_directive(p, d, f, i, end);
        }
        if (uni_is_space(c)) {
            size_t k = i;
            while (f < p->format->len && uni_is_space(str_at(p->format, f))) f++;
            while (k < p->text->len && uni_is_space(str_at(p->text, k))) k++;
            if (k == i) return MATCH_NO;
            if (f >= p->format->len || str_at(p->format, f) != '%' || str_at(p->format, f + 1) != 'd') {
                i = k;
                continue;
            }
            for (; k > i; k--) { /* %d may begin with a space */
                enum match r = match_rest(p, f, k, end);
                if (r != MATCH_NO) return r;
            }
            return MATCH_NO;
        }
        if (i >= p->text->len || fold(str_at(p->text, i)) != fold(c)) return MATCH_NO;
        f++, i++;
    }
}

/* Checks the directives; expands the composed ones. NULL: raised. */
static str *prepare(vm *vm, str *format)
{
    bool seen[128] = {0};
    str_builder b;
    sb_init(&b, vm);
    for (size_t i = 0; i < format->len; i++) {
        uint32_t c = str_at(format, i);
        if (c != '%') {
            sb_char(&b, c);
            continue;
        }
        if (++i == format->len) {
            sb_drop(&b);
            raise_value_error(vm, "stray %% in format '%U'", format);
            return NULL;
        }
        c = str_at(format, i);
        const char *parts = c < 128 ? composed((char)c) : NULL;
        char own[3] = {'%', (char)c, 0};
        if (!parts && c < 128 && c && strchr(letters, (int)c)) parts = own;
        if (!parts) {
            sb_drop(&b);
            raise_value_error(vm, "'%U' is a bad directive in format '%U'", str_char(vm, c), format);
            return NULL;
        }
        for (const char *q = parts; *q; q++) {
            sb_char(&b, (uint8_t)*q);
            if (*q != '%') continue;
            sb_char(&b, (uint8_t) * ++q);
            if (*q != '%' && seen[(int)*q]) {
                sb_drop(&b);
                raise_value_error(vm, "directive '%c' occurs twice in format '%U'", *q, format);
                return NULL;
            }
            seen[(int)*q] = true;
        }
    }
    return sb_finish(&b);
}

/* ---- from the fields to a date ---- */

static int weekday_of(int64_t y, int m, int d)
{
    int64_t n = (time_days_from_civil(y, m, d) + 3) % 7;
    return (int)(n < 0 ? n + 7 : n);
}

static int64_t day_of_year(int64_t y, int m, int d)
{
    return time_days_from_civil(y, m, d) - time_days_from_civil(y, 1, 1) + 1;
}

static const uint8_t month_days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

static bool check_iso(vm *vm, const struct found *o, bool weekday)
{
    if (o->has['G']) {
        if (o->has['j'])
            raise_value_error(vm, "Day of the year directive '%%j' is not compatible with ISO year "
                                  "directive '%%G'. Use '%%Y' instead.");
        else if (!o->has['V'] || !weekday)
            raise_value_error(vm, "ISO year directive '%%G' must be used with the ISO week "
                                  "directive '%%V' and a weekday "
                                  "directive ('%%A', '%%a', '%%w', or '%%u').");
    } else if (o->has['V']) {
        if (!o->has['Y'] && !o->has['y'])
            raise_value_error(vm, "ISO week directive '%%V' must be used with the ISO year "
                                  "directive '%%G' and a weekday "
                                  "directive ('%%A', '%%a', '%%w', or '%%u').");
        else if (!weekday)
            raise_value_error(vm, "ISO week directive '%%V' must be used with the ISO year "
                                  "directive '%%G' and a weekday "
                                  "directive ('%%A', '%%a', '%%w', or '%%u').");
        else
            raise_value_error(vm, "ISO week directive '%%V' is incompatible with the year "
                                  "directive '%%Y'. Use the ISO year "
                                  "'%%G' instead.");
    }
    return !raised(vm);
}

static bool settle(vm *vm, const struct found *o, struct time_parts *t)
{
    int weekday = o->has['a']   ? (int)o->n['a']
                  : o->has['A'] ? (int)o->n['A']
                  : o->has['w'] ? ((int)o->n['w'] + 6) % 7
                  : o->has['u'] ? (int)o->n['u'] - 1
                                : -1;
    bool has_year = o->has['Y'] || o->has['y'], leap_fix = false;
    int64_t year = 1900, julian = o->has['j'] ? o->n['j'] : -1;
    if (!check_iso(vm, o, weekday >= 0)) return false;
    *t = (struct time_parts){.mon = 1, .mday = 1, .isdst = -1, .zone = V_NONE};
    if (o->has['y']) year = o->n['y'] + (o->n['y'] <= 68 ? 2000 : 1900);
    if (o->has['Y']) year = o->n['Y'];
    if (o->has['b']) t->mon = (int)o->n['b'] + 1;
    if (o->has['B']) t->mon = (int)o->n['B'] + 1;
    if (o->has['m']) t->mon = (int)o->n['m'];
    if (o->has['d']) t->mday = (int)o->n['d'];
    if (o->has['H']) t->hour = (int)o->n['H'];
    if (o->has['I']) t->hour = (int)o->n['I'] % 12 + (o->has['p'] && o->n['p'] == 1 ? 12 : 0);
    if (o->has['M']) t->min = (int)o->n['M'];
    if (o->has['S']) t->sec = (int)o->n['S'];
    if (o->has['f']) t->micro = (int)o->n['f'];
    if (o->has['Z']) {
        t->isdst = (int)o->n['Z'];
        t->zone = o->zone;
    }
    if (o->has['z']) {
        t->gmtoff = o->gmtoff;
        t->has_gmtoff = true;
    }
    if (!has_year && !o->has['G'] && t->mon == 2 && t->mday == 29) {
        year = 1904; /* 29 February stands in no other year near */
        leap_fix = true;
    }
    if (julian < 0 && weekday >= 0) {
        if (o->has['U'] || o->has['W']) {
            bool monday = !o->has['U'];
            int64_t week = monday ? o->n['W'] : o->n['U'];
            int first = weekday_of(year, 1, 1), day = weekday;
            if (!monday) first = (first + 1) % 7, day = (day + 1) % 7;
            int64_t week0 = (7 - first) % 7;
            julian = week == 0 ? 1 + day - first : 1 + week0 + 7 * (week - 1) + day;
        } else if (o->has['G']) {
            int64_t jan4 = time_days_from_civil(o->n['G'], 1, 4);
            int64_t date = jan4 - weekday_of(o->n['G'], 1, 4) + (o->n['V'] - 1) * 7 + weekday;
            year = o->n['G'];
            julian = date - time_days_from_civil(year, 1, 1) + 1;
        }
        if (julian >= -400 && (o->has['U'] || o->has['W'] || o->has['G']) && julian <= 0) {
            year--;
            julian += 365 + time_is_leap(year);
        }
    }
    if (julian < 0) {
        if (t->mday > month_days[t->mon - 1] + (t->mon == 2 && time_is_leap(year)) || year < 1) {
            if (year < 1) raise_value_error(vm, "year %ld is out of range", year);
            else raise_value_error(vm, "day is out of range for month");
            return false;
        }
        julian = day_of_year(year, t->mon, t->mday);
    } else {
        int64_t rest = julian; /* the date that the day of the year stands for */
        int64_t y = year;
        while (rest > 365 + time_is_leap(y)) rest -= 365 + time_is_leap(y), y++;
        int m = 0;
        for (; rest > month_days[m] + (m == 1 && time_is_leap(y)); m++)
            rest -= month_days[m] + (m == 1 && time_is_leap(y));
        year = y;
        t->mon = m + 1;
        t->mday = (int)rest;
    }
    if (weekday < 0) weekday = weekday_of(year, t->mon, t->mday);
    t->year = leap_fix ? 1900 : year;
    t->wday = weekday;
    t->yday = (int)julian;
    return true;
}

bool time_parse(vm *vm, str *text, str *format, struct time_parts *out)
{
    struct parser p = {.vm = vm, .text = text, .zones = {time_zone_name(false), time_zone_name(true)}};
    p.out.zone = V_NONE;
    if (!(p.format = prepare(vm, format))) return false;
    size_t end = 0;
    enum match r = match_rest(&p, 0, 0, &end);
    if (r == MATCH_RAISED) return false;
    if (r == MATCH_NO) {
        raise_value_error(vm, "time data %R does not match format %R", value_obj(text), value_obj(format));
        return false;
    }
    if (end != text->len) {
        str *rest = str_substr(vm, text, end, text->len);
        if (rest) raise_value_error(vm, "unconverted data remains: %U", rest);
        return false;
    }
    return settle(vm, &p.out, out);
}
