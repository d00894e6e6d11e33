/* strftime and asctime: all of glibc's directives, its flags (_ - 0 ^ #) and widths, in the C
 * locale. The host's locale has no say. */
#include "time_module.h"

#include "vm/str.h"

const char *const time_days[7] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
const char *const time_months[12] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};

int64_t time_days_from_civil(int64_t y, int m, int d)
{
    /* Years begin in March, so that the leap day is the last; 400 years are 146097 days. */
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, in_era = y - era * 400;
    int64_t day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + day_of_year - 719468;
}

bool time_to_tm(const struct time_parts *t, struct tm *out)
{
    *out = (struct tm){0};
    if (t->year - 1900 < INT32_MIN || t->year - 1900 > INT32_MAX) return false;
    out->tm_year = (int)(t->year - 1900);
    out->tm_mon = t->mon - 1;
    out->tm_mday = t->mday;
    out->tm_hour = t->hour;
    out->tm_min = t->min;
    out->tm_sec = t->sec;
    out->tm_wday = (t->wday + 1) % 7;
    out->tm_yday = t->yday - 1;
    out->tm_isdst = t->isdst;
    return true;
}

const char *time_zone_name(bool dst) { return tzname[dst]; } /* as of the last tzset: time_init calls it */

/* ---- one directive ---- */

struct spec {
    uint32_t flag; /* _ - 0, or 0: the directive's own padding */
    bool upper, swap;
    int64_t width; /* -1: none */
};

static void put_padding(str_builder *b, const struct spec *s, size_t len, char own)
{
    if (s->width <= (int64_t)len) return;
    sb_fill(b, s->flag == '0' ? '0' : s->flag == '_' ? ' ' : (uint32_t)own, (size_t)s->width - len);
}

static char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 32) : c; }
static char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

enum letters { LETTERS_AS_IS, LETTERS_UPPER, LETTERS_LOWER };

static void put_name(str_builder *b, const struct spec *s, const char *p, size_t n, enum letters change)
{
    if (s->upper) change = LETTERS_UPPER;
    put_padding(b, s, n, ' ');
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        sb_char(b, (uint8_t)(change == LETTERS_UPPER ? ascii_upper(c) : change == LETTERS_LOWER ? ascii_lower(c) : c));
    }
}

/* A number of at least `digits` digits, filled up with `pad` unless a flag says otherwise. */
static void put_number(str_builder *b, const struct spec *s, int64_t n, int digits, char pad)
{
    char buf[24];
    uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    unsigned len = u64_digits(buf + 3, u);
    int64_t want = s->width > digits ? s->width : digits;
    uint32_t fill = s->flag == '_' ? ' ' : s->flag == '0' ? '0' : (uint32_t)pad;
    if (s->flag == '-') want = 0;
    want -= (n < 0) + (int64_t)len;
    if (fill == ' ' && want > 0) sb_fill(b, ' ', (size_t)want);
    if (n < 0) sb_char(b, '-');
    if (fill == '0' && want > 0) sb_fill(b, '0', (size_t)want);
    sb_ascii(b, buf + 3 + 20 - len, len);
}

/* The ISO week of a date; *year gets its year. */
static int iso_week(const struct time_parts *t, int64_t *year)
{
    *year = t->year;
    int yday = t->yday - 1;
    for (;;) {
        /* Week 1 is the one with the first Thursday. */
        int monday = yday - t->wday, week = (monday + 10) / 7; /* monday >= -6 */
        int days = 365 + time_is_leap(*year);
        if (week < 1 || monday + 10 < 7) {
            (*year)--;
            yday += 365 + time_is_leap(*year);
            continue;
        }
        if (monday + 3 >= days) { /* its Thursday lies in the next year */
            (*year)++;
            return 1;
        }
        return week;
    }
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (a % b < 0);
}

static bool format_into(vm *vm, str_builder *b, const char *f, const struct time_parts *t, const struct spec *outer);

/* A directive that stands for several: formatted apart if it is to be padded or capitalised. */
static bool put_composed(vm *vm, str_builder *b, const struct spec *s, const char *f, const struct time_parts *t)
{
    if (s->width < 0) return format_into(vm, b, f, t, s);
    str_builder part;
    sb_init(&part, vm);
    bool ok = format_into(vm, &part, f, t, s);
    str *text = sb_finish(&part);
    if (!ok || !text) return false;
    put_padding(b, s, text->len, ' ');
    sb_str(b, text);
    return true;
}

static bool put_zone_offset(str_builder *b, const struct spec *s, const struct time_parts *t)
{
    if (t->isdst < 0) return true;
    int64_t off = t->gmtoff, a = off < 0 ? -off : off;
    sb_char(b, off < 0 ? '-' : '+');
    struct spec inner = *s;
    if (inner.width > 0) inner.width--;
    put_number(b, &inner, a / 3600 * 100 + a / 60 % 60, 4, '0');
    return true;
}

static bool put_zone_name(vm *vm, str_builder *b, const struct spec *s, const struct time_parts *t)
{
    const char *name = "";
    size_t n = 0;
    if (IS_STR(t->zone)) {
        if (!(name = str_utf8(vm, AS(str, t->zone), &n))) return false;
    } else if (t->isdst >= 0) {
        name = time_zone_name(t->isdst > 0);
        n = strlen(name);
    }
    put_name(b, s, name, n, s->swap ? LETTERS_LOWER : LETTERS_AS_IS);
    return true;
}

static bool put_seconds_since_epoch(str_builder *b, const struct spec *s, const struct time_parts *t)
{
    struct tm tm;
    if (!time_to_tm(t, &tm)) return true;
    put_number(b, s, (int64_t)mktime(&tm), 1, '0');
    return true;
}

/* false: not a directive (nothing written), or raised. */
static bool put_directive(vm *vm, str_builder *b, uint32_t c, uint32_t modifier, const struct spec *s,
                          const struct time_parts *t)
{
    int64_t iso_year;
    int hour12 = t->hour % 12 ? t->hour % 12 : 12;
    const char *day = time_days[t->wday], *month = time_months[t->mon - 1];
    enum letters caps = s->swap ? LETTERS_UPPER : LETTERS_AS_IS;
    bool ok_e = strchr("cCxXyY", (int)(c < 128 ? c : 1)), ok_o = strchr("BbhdeHIlkmMSuUVwWy", (int)(c < 128 ? c : 1));
    if ((modifier == 'E' && !ok_e) || (modifier == 'O' && !ok_o)) return false;
    switch (c) {
    case 'a': put_name(b, s, day, 3, caps); return true;
    case 'A': put_name(b, s, day, strlen(day), caps); return true;
    case 'b':
    case 'h': put_name(b, s, month, 3, caps); return true;
    case 'B': put_name(b, s, month, strlen(month), caps); return true;
    case 'c': return put_composed(vm, b, s, "%a %b %e %H:%M:%S %Y", t);
    case 'C': put_number(b, s, floor_div(t->year, 100), 1, '0'); return true;
    case 'd': put_number(b, s, t->mday, 2, '0'); return true;
    case 'D':
    case 'x': return put_composed(vm, b, s, "%m/%d/%y", t);
    case 'e': put_number(b, s, t->mday, 2, ' '); return true;
    case 'F': return put_composed(vm, b, s, "%Y-%m-%d", t);
    case 'g':
        iso_week(t, &iso_year);
        put_number(b, s, iso_year - floor_div(iso_year, 100) * 100, 2, '0');
        return true;
    case 'G':
        iso_week(t, &iso_year);
        put_number(b, s, iso_year, 1, '0');
        return true;
    case 'H': put_number(b, s, t->hour, 2, '0'); return true;
    case 'I': put_number(b, s, hour12, 2, '0'); return true;
    case 'j': put_number(b, s, t->yday, 3, '0'); return true;
    case 'k': put_number(b, s, t->hour, 2, ' '); return true;
    case 'l': put_number(b, s, hour12, 2, ' '); return true;
    case 'm': put_number(b, s, t->mon, 2, '0'); return true;
    case 'M': put_number(b, s, t->min, 2, '0'); return true;
    case 'n': put_name(b, s, "\n", 1, LETTERS_AS_IS); return true;
    case 'p': put_name(b, s, t->hour > 11 ? "PM" : "AM", 2, s->swap ? LETTERS_LOWER : LETTERS_AS_IS); return true;
    case 'P': put_name(b, s, t->hour > 11 ? "pm" : "am", 2, LETTERS_AS_IS); return true;
    case 'r': return put_composed(vm, b, s, "%I:%M:%S %p", t);
    case 'R': return put_composed(vm, b, s, "%H:%M", t);
    case 's': return put_seconds_since_epoch(b, s, t);
    case 'S': put_number(b, s, t->sec, 2, '0'); return true;
    case 't': put_name(b, s, "\t", 1, LETTERS_AS_IS); return true;
    case 'T':
    case 'X': return put_composed(vm, b, s, "%H:%M:%S", t);
    case 'u': put_number(b, s, t->wday + 1, 1, '0'); return true;
    case 'U': put_number(b, s, (t->yday - 1 - (t->wday + 1) % 7 + 7) / 7, 2, '0'); return true;
    case 'V': put_number(b, s, iso_week(t, &iso_year), 2, '0'); return true;
    case 'w': put_number(b, s, (t->wday + 1) % 7, 1, '0'); return true;
    case 'W': put_number(b, s, (t->yday - 1 - t->wday + 7) / 7, 2, '0'); return true;
    case 'y': put_number(b, s, t->year - floor_div(t->year, 100) * 100, 2, '0'); return true;
    case 'Y': put_number(b, s, t->year, 1, '0'); return true;
    case 'z': return put_zone_offset(b, s, t);
    case 'Z': return put_zone_name(vm, b, s, t);
    case '%': put_name(b, s, "%", 1, LETTERS_AS_IS); return true;
    default: return false;
    }
}

/* ---- formats ---- */

/* The directives inside a composed one; it knows no flags. */
static bool format_into(vm *vm, str_builder *b, const char *f, const struct time_parts *t, const struct spec *outer)
{
    for (; *f; f++) {
        struct spec s = {.width = -1, .upper = outer->upper};
        if (*f != '%') sb_char(b, (uint8_t)*f);
        else if (!put_directive(vm, b, (uint8_t) * ++f, 0, &s, t)) return false;
    }
    return true;
}

enum { WIDTH_MAX = 1 << 20 };

str *time_format(vm *vm, str *format, const struct time_parts *t)
{
    str_builder b;
    sb_init(&b, vm);
    size_t n = format->len;
    for (size_t i = 0; i < n && !b.failed; i++) {
        uint32_t c = str_at(format, i), modifier = 0;
        size_t from = i;
        if (c != '%') {
            sb_char(&b, c);
            continue;
        }
        struct spec s = {.width = -1};
        for (i++; i < n && (c = str_at(format, i), c < 128 && c && strchr("_-0^#", (int)c)); i++) {
            if (c == '^') s.upper = true;
            else if (c == '#') s.swap = true;
            else s.flag = c;
        }
        for (; i < n && (c = str_at(format, i), c >= '0' && c <= '9'); i++) {
            if (s.width < 0) s.width = 0;
            s.width = s.width * 10 + (c - '0');
            if (s.width > WIDTH_MAX) {
                sb_drop(&b);
                raise_memory(vm);
                return NULL;
            }
        }
        if (i < n && (str_at(format, i) == 'E' || str_at(format, i) == 'O')) modifier = str_at(format, i++);
        if (i < n && put_directive(vm, &b, str_at(format, i), modifier, &s, t)) continue;
        if (raised(vm)) {
            sb_drop(&b);
            return NULL;
        }
        sb_range(&b, format, from, i < n ? i + 1 : n); /* not a directive: as it stands */
    }
    return sb_finish(&b);
}

str *time_asctime(vm *vm, const struct time_parts *t)
{
    str_builder b;
    sb_init(&b, vm);
    struct spec s = {.width = -1};
    sb_ascii(&b, time_days[t->wday], 3);
    sb_char(&b, ' ');
    sb_ascii(&b, time_months[t->mon - 1], 3);
    put_number(&b, &s, t->mday, 3, ' ');
    sb_char(&b, ' ');
    put_number(&b, &s, t->hour, 2, '0');
    sb_char(&b, ':');
    put_number(&b, &s, t->min, 2, '0');
    sb_char(&b, ':');
    put_number(&b, &s, t->sec, 2, '0');
    sb_char(&b, ' ');
    put_number(&b, &s, t->year, 1, '0');
    return sb_finish(&b);
}
