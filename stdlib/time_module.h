/* What the files of the module time share. */
#ifndef AIO_STDLIB_TIME_MODULE_H
#define AIO_STDLIB_TIME_MODULE_H

#include <time.h>

#include "vm/types_api.h"

/* A broken-down time as the module passes it about: struct tm's fields with CPython's meaning, so
 * the year is the whole year, months count from 1, Monday is day 0 of the week, days of the year
 * count from 1. */
struct time_parts {
    int64_t year;
    int mon, mday, hour, min, sec, wday, yday, isdst;
    value zone; /* str or None: not known */
    int64_t gmtoff;
    bool has_gmtoff;
    int micro; /* strptime's %f */
};

bool time_init(vm *vm, module *m);

extern const char *const time_days[7], *const time_months[12]; /* full names, Monday first */

/* time_format.c: strftime in the C locale. NULL: raised. */
str *time_format(vm *vm, str *format, const struct time_parts *t);
str *time_asctime(vm *vm, const struct time_parts *t);
/* The local zone's name, and its offset from UTC in seconds, with or without daylight saving. */
const char *time_zone_name(bool dst);
bool time_to_tm(const struct time_parts *t, struct tm *out); /* false: the year does not fit */

/* time_parse.c: strptime. false: raised. */
bool time_parse(vm *vm, str *text, str *format, struct time_parts *out);

/* Days since 1970-01-01 of a date in the Gregorian calendar, any year. */
int64_t time_days_from_civil(int64_t year, int month, int day);
static inline bool time_is_leap(int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

/* mod_time.c: a number of seconds as nanoseconds; `up`: away from zero (time-outs), else to the nearest, ties to even.
 * false: raised. */
bool time_seconds_to_ns(vm *vm, value v, bool up, int64_t *out);

#endif
