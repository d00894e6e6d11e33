/* The module time: clocks, sleeping, and conversions between seconds, struct_time and text.
 *
 * Wall clock, monotonic clock and sleeping go through the VM's clock functions when there are any:
 * they may be simulated. The CPU clocks are always the real ones. */
#include <errno.h>
#include <math.h>

#include "module_state.h"
#include "structseq.h"
#include "time_module.h"
#include "vm/caps.h"
#include "vm/str.h"

#define DOC_FILE stdlib_mod_time
DOC_BEGIN;

enum { NS = 1000000000 };

/* ---- clocks ---- */

/* false: raised */
static bool read_clock(vm *vm, clockid_t id, int64_t *ns)
{
    struct timespec ts;
    if (id == CLOCK_REALTIME && vm->clock_wall_ns) {
        *ns = vm->clock_wall_ns(vm);
        return true;
    }
    if (id == CLOCK_MONOTONIC && vm->clock_monotonic_ns) {
        *ns = vm->clock_monotonic_ns(vm);
        return true;
    }
    if (clock_gettime(id, &ts) != 0) {
        raise_os_error(vm, errno, V_UNBOUND);
        return false;
    }
    *ns = (int64_t)ts.tv_sec * NS + ts.tv_nsec;
    return true;
}

/* One rounding when the seconds are not whole, as CPython does it. */
static double ns_to_seconds(int64_t ns) { return ns % NS == 0 ? (double)(ns / NS) : (double)ns / 1e9; }

static value clock_float(vm *vm, clockid_t id)
{
    int64_t ns;
    return read_clock(vm, id, &ns) ? value_float(ns_to_seconds(ns)) : V_ERROR;
}

static value clock_int(vm *vm, clockid_t id)
{
    int64_t ns;
    return read_clock(vm, id, &ns) ? int_from_i64(vm, ns) : V_ERROR;
}

/* CLOCK(function, clock) */
#define CLOCKS(X)                 \
    X(time, CLOCK_REALTIME)       \
    X(monotonic, CLOCK_MONOTONIC) \
    X(perf_counter, CLOCK_MONOTONIC) X(process_time, CLOCK_PROCESS_CPUTIME_ID) X(thread_time, CLOCK_THREAD_CPUTIME_ID)
#define X(NAME, ID)                 \
    FN(t_##NAME)                    \
    {                               \
        (void)args;                 \
        return clock_float(vm, ID); \
    }                               \
    FN(t_##NAME##_ns)               \
    {                               \
        (void)args;                 \
        return clock_int(vm, ID);   \
    }
CLOCKS(X)
#undef X

static bool clock_id(vm *vm, value v, clockid_t *out)
{
    int64_t n;
    value i = obj_index(vm, v);
    if (value_is_error(i)) return false;
    if (!int_to_i64(vm, i, &n) || n < INT32_MIN || n > INT32_MAX) {
        raise_overflow(vm, "Python int too large to convert to C int");
        return false;
    }
    *out = (clockid_t)n;
    return true;
}

FN(t_clock_gettime)
{
    clockid_t id;
    return clock_id(vm, args[0], &id) ? clock_float(vm, id) : V_ERROR;
}

FN(t_clock_gettime_ns)
{
    clockid_t id;
    return clock_id(vm, args[0], &id) ? clock_int(vm, id) : V_ERROR;
}

FN(t_clock_getres)
{
    clockid_t id;
    struct timespec ts;
    if (!clock_id(vm, args[0], &id)) return V_ERROR;
    if (clock_getres(id, &ts) != 0) return raise_os_error(vm, errno, V_UNBOUND);
    return value_float((double)ts.tv_sec + (double)ts.tv_nsec * 1e-9);
}

/* A number of seconds as nanoseconds; `up`: away from zero (time-outs), else to the nearest, ties
 * to even. false: raised. */
bool time_seconds_to_ns(vm *vm, value v, bool up, int64_t *out)
{
    if (value_is_float(v) || value_isa_id(vm, v, TYPE_FLOAT)) {
        double d;
        if (!float_as_double(vm, v, &d)) return false;
        if (isnan(d)) {
            raise_value_error(vm, "Invalid value NaN (not a number)");
            return false;
        }
        d *= 1e9;
        d = !up ? nearbyint(d) : d >= 0 ? ceil(d) : floor(d);
        if (!(d >= -0x1p63 && d < 0x1p63)) {
            raise_overflow(vm, "timestamp too large to convert to C _PyTime_t");
            return false;
        }
        *out = (int64_t)d;
        return true;
    }
    value n = obj_index(vm, v);
    if (value_is_error(n)) return false;
    if (!int_to_i64(vm, n, out) || __builtin_mul_overflow(*out, (int64_t)NS, out)) {
        raise_overflow(vm, "timestamp too large to convert to C _PyTime_t");
        return false;
    }
    return true;
}

static value set_clock(vm *vm, value which, int64_t ns)
{
    clockid_t id;
    if (!clock_id(vm, which, &id)) return V_ERROR;
    struct timespec ts = {.tv_sec = ns / NS, .tv_nsec = ns % NS};
    if (ts.tv_nsec < 0) ts.tv_nsec += NS, ts.tv_sec--;
    return clock_settime(id, &ts) == 0 ? V_NONE : raise_os_error(vm, errno, V_UNBOUND);
}

FN(t_clock_settime)
{
    int64_t ns;
    return time_seconds_to_ns(vm, args[1], false, &ns) ? set_clock(vm, args[0], ns) : V_ERROR;
}

FN(t_clock_settime_ns)
{
    int64_t ns;
    value n = obj_index(vm, args[1]);
    if (value_is_error(n) || !int_as_i64(vm, n, &ns)) return V_ERROR;
    return set_clock(vm, args[0], ns);
}

FN(t_get_clock_info)
{
    static const struct {
        const char *name, *implementation;
        bool monotonic;
        clockid_t id;
    } clocks[] = {
        {"time", "clock_gettime(CLOCK_REALTIME)", false, CLOCK_REALTIME},
        {"monotonic", "clock_gettime(CLOCK_MONOTONIC)", true, CLOCK_MONOTONIC},
        {"perf_counter", "clock_gettime(CLOCK_MONOTONIC)", true, CLOCK_MONOTONIC},
        {"process_time", "clock_gettime(CLOCK_PROCESS_CPUTIME_ID)", true, CLOCK_PROCESS_CPUTIME_ID},
        {"thread_time", "clock_gettime(CLOCK_THREAD_CPUTIME_ID)", true, CLOCK_THREAD_CPUTIME_ID},
    };
    if (!IS_STR(args[0])) return raise_type_error(vm, "get_clock_info() argument 1 must be str, not %A", args[0]);
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        if (!str_equal_ascii(AS(str, args[0]), clocks[i].name)) continue;
        struct timespec ts;
        if (clock_getres(clocks[i].id, &ts) != 0) return raise_os_error(vm, errno, V_UNBOUND);
        value ns = V_UNBOUND, text = V_UNBOUND;
        ROOTS(vm, &ns, &text);
        str *types = str_intern_utf8(vm, "types", 5), *cls = str_intern_utf8(vm, "SimpleNamespace", 15);
        ROOTS(vm, &cls);
        value m = types && cls ? import_module(vm, types) : V_ERROR;
        value c = value_is_error(m) ? m : obj_getattr(vm, m, cls);
        ns = value_is_error(c) ? c : vm_call0(vm, c);
        text = value_obj(str_from_cstr(vm, clocks[i].implementation));
        if (value_is_error(ns) || value_is_error(text)) return V_ERROR;
        const struct {
            const char *name;
            value v;
        } fields[] = {
            {"implementation", text},
            {"monotonic", value_bool(clocks[i].monotonic)},
            {"adjustable", value_bool(!clocks[i].monotonic)},
            {"resolution", value_float((double)ts.tv_sec + (double)ts.tv_nsec * 1e-9)},
        };
        for (int k = 0; k < 4; k++) {
            str *name = str_intern_utf8(vm, fields[k].name, strlen(fields[k].name));
            if (!name || !obj_setattr(vm, ns, name, fields[k].v)) return V_ERROR;
        }
        return ns;
    }
    return raise_value_error(vm, "unknown clock");
}

/* ---- sleeping ---- */

/* In a VM without a clock of its own. A signal ends the wait; then it goes on, unless its handler
 * raised. */
static bool sleep_real(vm *vm, int64_t ns)
{
    struct timespec until;
    int64_t now, rest;
    if (clock_gettime(CLOCK_MONOTONIC, &until) != 0) return !value_is_error(raise_os_error(vm, errno, V_UNBOUND));
    now = (int64_t)until.tv_sec * NS + until.tv_nsec;
    if (__builtin_add_overflow(now, ns, &rest)) rest = INT64_MAX;
    until = (struct timespec){.tv_sec = rest / NS, .tv_nsec = rest % NS};
    for (;;) {
        vm_poll(vm);
        if (raised(vm)) return false;
        int err = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        if (err == 0) break;
        if (err == EINTR) continue;
        raise_os_error(vm, err, V_UNBOUND);
        return false;
    }
    vm_poll(vm);
    return !raised(vm);
}

enum { NOTICEABLE_NS = 5 * 1000 * 1000 };
FN(t_sleep)
{
    int64_t ns;
    if (!time_seconds_to_ns(vm, args[0], true, &ns)) return V_ERROR;
    if (ns < 0) return raise_value_error(vm, "sleep length must be non-negative");
    if (ns >= NOTICEABLE_NS && !vm_blocking(vm, "time.sleep()", "await asyncio.sleep()")) return V_ERROR;
    bool ok = vm->clock_sleep_ns ? vm->clock_sleep_ns(vm, ns) : sleep_real(vm, ns);
    return ok ? V_NONE : V_ERROR;
}

/* ---- struct_time ---- */

static const getset_def struct_time_fields[] = {
    STRUCTSEQ_FIELD(0, "tm_year", "year, for example, 1993"),
    STRUCTSEQ_FIELD(1, "tm_mon", "month of year, range [1, 12]"),
    STRUCTSEQ_FIELD(2, "tm_mday", "day of month, range [1, 31]"),
    STRUCTSEQ_FIELD(3, "tm_hour", "hours, range [0, 23]"),
    STRUCTSEQ_FIELD(4, "tm_min", "minutes, range [0, 59]"),
    STRUCTSEQ_FIELD(5, "tm_sec", "seconds, range [0, 61])"),
    STRUCTSEQ_FIELD(6, "tm_wday", "day of week, range [0, 6], Monday is 0"),
    STRUCTSEQ_FIELD(7, "tm_yday", "day of year, range [1, 366]"),
    STRUCTSEQ_FIELD(8, "tm_isdst", "1 if summer time is in effect, 0 if not, and -1 if unknown"),
    STRUCTSEQ_HIDDEN(0, "tm_zone", "abbreviation of timezone name"),
    STRUCTSEQ_HIDDEN(1, "tm_gmtoff", "offset from UTC in seconds"),
    {0},
};

static type *struct_time_type(vm *vm)
{
    static const structseq_spec spec = {
        .name = "time.struct_time",
        .doc = "A time in its parts: a tuple of nine ints that have names too.",
        .fields = struct_time_fields,
    };
    type *t = module_state_type(vm, STATE_STRUCT_TIME);
    if (t) return t;
    t = structseq_type(vm, &spec);
    return t && module_state_set(vm, STATE_STRUCT_TIME, value_obj(t)) ? t : NULL;
}

static value struct_time_new(vm *vm, const struct time_parts *p)
{
    value v[11] = {value_int(p->year),
                   value_int(p->mon),
                   value_int(p->mday),
                   value_int(p->hour),
                   value_int(p->min),
                   value_int(p->sec),
                   value_int(p->wday),
                   value_int(p->yday),
                   value_int(p->isdst),
                   p->zone,
                   p->has_gmtoff ? value_int(p->gmtoff) : V_NONE};
    type *t = struct_time_type(vm);
    return t ? structseq_new(vm, t, v) : V_ERROR;
}

static bool parts_from_tm(vm *vm, const struct tm *tm, struct time_parts *p)
{
    const char *zone = tm->tm_zone ? tm->tm_zone : "";
    str *name = str_new_utf8(vm, zone, strlen(zone));
    if (!name) return false;
    *p = (struct time_parts){.year = (int64_t)tm->tm_year + 1900,
                             .mon = tm->tm_mon + 1,
                             .mday = tm->tm_mday,
                             .hour = tm->tm_hour,
                             .min = tm->tm_min,
                             .sec = tm->tm_sec,
                             .wday = (tm->tm_wday + 6) % 7,
                             .yday = tm->tm_yday + 1,
                             .isdst = tm->tm_isdst,
                             .zone = value_obj(name),
                             .gmtoff = tm->tm_gmtoff,
                             .has_gmtoff = true};
    return true;
}

/* Whole seconds of an optional argument; now if there is none. false: raised. */
static bool arg_seconds(vm *vm, value v, time_t *out)
{
    int64_t n;
    if (value_is_unbound(v) || value_is_none(v)) {
        if (!read_clock(vm, CLOCK_REALTIME, &n)) return false;
        *out = (time_t)(n / NS - (n % NS < 0));
        return true;
    }
    if (value_is_float(v) || value_isa_id(vm, v, TYPE_FLOAT)) {
        double d;
        if (!float_as_double(vm, v, &d)) return false;
        if (isnan(d)) {
            raise_value_error(vm, "Invalid value NaN (not a number)");
            return false;
        }
        d = floor(d);
        if (d >= -0x1p63 && d < 0x1p63) {
            *out = (time_t)d;
            return true;
        }
    } else {
        value i = obj_index(vm, v);
        if (value_is_error(i)) return false;
        if (int_to_i64(vm, i, &n)) {
            *out = (time_t)n;
            return true;
        }
    }
    raise_overflow(vm, "timestamp out of range for platform time_t");
    return false;
}

static bool convert(vm *vm, value seconds, bool local, struct time_parts *out)
{
    time_t t;
    struct tm tm;
    if (!arg_seconds(vm, seconds, &t)) return false;
    if (!(local ? localtime_r(&t, &tm) : gmtime_r(&t, &tm))) {
        raise_os_error(vm, EOVERFLOW, V_UNBOUND);
        return false;
    }
    return parts_from_tm(vm, &tm, out);
}

/* A tuple of nine ints as parts, unchecked. false: raised. */
static bool parts_from_tuple(vm *vm, value v, const char *fname, struct time_parts *p)
{
    int64_t n[9];
    if (!IS_TUPLE(v)) {
        raise_type_error(vm, "Tuple or struct_time argument required");
        return false;
    }
    const type *st = struct_time_type(vm);
    const tuple *t = AS(tuple, v);
    if (!st) return false;
    ROOTS(vm, &t);
    if (t->len != 9) {
        raise_type_error(vm, "%s(): illegal time tuple argument", fname);
        return false;
    }
    for (int i = 0; i < 9; i++) {
        value x = obj_index(vm, t->items[i]);
        if (value_is_error(x)) return false;
        if (!int_to_i64(vm, x, &n[i]) || n[i] < INT32_MIN || n[i] > INT32_MAX) {
            bool low = int_sign(vm, x) < 0;
            raise_overflow(vm, low ? "signed integer is less than minimum" : "signed integer is greater than maximum");
            return false;
        }
    }
    if (n[0] < (int64_t)INT32_MIN + 1900) {
        raise_overflow(vm, "year out of range");
        return false;
    }
    int64_t wday = n[6] % 7;
    *p = (struct time_parts){.year = n[0],
                             .mon = (int)n[1],
                             .mday = (int)n[2],
                             .hour = (int)n[3],
                             .min = (int)n[4],
                             .sec = (int)n[5],
                             .wday = (int)wday,
                             .yday = (int)n[7],
                             .isdst = (int)n[8],
                             .zone = V_NONE};
    if (type_is_subtype(type_of(vm, v), st)) {
        p->zone = structseq_hidden_0(vm, v);
        value off = structseq_hidden_1(vm, v);
        if (!value_is_none(off)) {
            if (!int_is(off) || !int_to_i64(vm, off, &p->gmtoff) || p->gmtoff < INT32_MIN || p->gmtoff > INT32_MAX) {
                if (!int_is(off)) raise_type_error(vm, "an integer is required (got type %T)", off);
                else raise_overflow(vm, "Python int too large to convert to C int");
                return false;
            }
            p->has_gmtoff = true;
        }
    }
    return true;
}

/* What strftime and asctime need to be in range. */
static bool parts_check(vm *vm, struct time_parts *p)
{
    const char *wrong = NULL;
    if (p->mon == 0) p->mon = 1;
    if (p->mday == 0) p->mday = 1;
    if (p->yday == 0) p->yday = 1;
    if (p->mon < 1 || p->mon > 12) wrong = "month out of range";
    else if (p->mday < 1 || p->mday > 31) wrong = "day of month out of range";
    else if (p->hour < 0 || p->hour > 23) wrong = "hour out of range";
    else if (p->min < 0 || p->min > 59) wrong = "minute out of range";
    else if (p->sec < 0 || p->sec > 61) wrong = "seconds out of range";
    else if (p->wday < -1) wrong = "day of week out of range";
    else if (p->yday < 1 || p->yday > 366) wrong = "day of year out of range";
    if (wrong) raise_value_error(vm, "%s", wrong);
    if (p->wday < 0) p->wday = 6;
    return !wrong;
}

static value convert_to_struct(vm *vm, value seconds, bool local)
{
    struct time_parts p;
    return convert(vm, seconds, local, &p) ? struct_time_new(vm, &p) : V_ERROR;
}

FN(t_localtime) { return convert_to_struct(vm, args[0], true); }
FN(t_gmtime) { return convert_to_struct(vm, args[0], false); }

FN(t_mktime)
{
    struct time_parts p;
    struct tm tm;
    if (!parts_from_tuple(vm, args[0], "mktime", &p)) return V_ERROR;
    time_to_tm(&p, &tm);
    tm.tm_wday = -1; /* mktime sets it if it succeeds: -1 is a time too */
    time_t t = mktime(&tm);
    if (t == (time_t)-1 && tm.tm_wday == -1) return raise_overflow(vm, "mktime argument out of range");
    return value_float((double)t);
}

FN(t_strftime)
{
    struct time_parts p;
    if (!IS_STR(args[0])) return raise_type_error(vm, "strftime() argument 1 must be str, not %A", args[0]);
    str *format = str_plain(AS(str, args[0]));
    if (value_is_unbound(args[1])) {
        if (!convert(vm, V_NONE, true, &p)) return V_ERROR;
    } else {
        if (!parts_from_tuple(vm, args[1], "strftime", &p) || !parts_check(vm, &p)) return V_ERROR;
    }
    if (str_find_char(format, 0)) return raise_value_error(vm, "embedded null character");
    return str_value(time_format(vm, format, &p));
}

static bool parse_args(vm *vm, const value *args, struct time_parts *p)
{
    static const char dflt[] = "%a %b %d %H:%M:%S %Y";
    for (int i = 0; i < 2; i++) {
        if (value_is_unbound(args[i]) || IS_STR(args[i])) continue;
        raise_type_error(vm, "strptime() argument %d must be str, not %R", i, value_obj(type_of(vm, args[i])));
        return false;
    }
    str *format = value_is_unbound(args[1]) ? str_from_cstr(vm, dflt) : str_plain(AS(str, args[1]));
    return format && time_parse(vm, str_plain(AS(str, args[0])), format, p);
}

FN(t_strptime)
{
    struct time_parts p;
    return parse_args(vm, args, &p) ? struct_time_new(vm, &p) : V_ERROR;
}

/* For datetime: the six fields, microseconds, the offset's seconds or None, its microseconds, the zone. */
FN(t_strptime_all)
{
    struct time_parts p;
    if (!parse_args(vm, args, &p)) return V_ERROR;
    tuple *fields = tuple_pack(vm, 6, value_int(p.year), value_int(p.mon), value_int(p.mday), value_int(p.hour),
                               value_int(p.min), value_int(p.sec));
    tuple *t = fields ? tuple_pack(vm, 5, value_obj(fields), value_int(p.micro),
                                   p.has_gmtoff ? value_int(p.gmtoff) : V_NONE, value_int(0), p.zone)
                      : NULL;
    return t ? value_obj(t) : V_ERROR;
}

FN(t_asctime)
{
    struct time_parts p;
    if (value_is_unbound(args[0])) {
        if (!convert(vm, V_NONE, true, &p)) return V_ERROR;
    } else if (!parts_from_tuple(vm, args[0], "asctime", &p) || !parts_check(vm, &p)) {
        return V_ERROR;
    }
    return str_value(time_asctime(vm, &p));
}

FN(t_ctime)
{
    struct time_parts p;
    return convert(vm, args[0], true, &p) ? str_value(time_asctime(vm, &p)) : V_ERROR;
}

/* ---- the local zone ---- */

/* timezone, altzone, daylight, tzname: from a day in winter and one in summer of about this year.
 */
static bool add_zone(vm *vm, module *m)
{
    enum { YEAR = (365 * 24 + 6) * 3600 };
    struct tm winter, summer;
    tzset();
    time_t t = time(NULL) / YEAR * YEAR, u = t + YEAR / 2;
    if (!localtime_r(&t, &winter) || !localtime_r(&u, &summer))
        return !value_is_error(raise_os_error(vm, errno, V_UNBOUND));
    if (winter.tm_gmtoff > summer.tm_gmtoff) { /* the southern half of the world */
        struct tm swap = winter;
        winter = summer;
        summer = swap;
    }
    str *a = str_new_utf8(vm, winter.tm_zone, strlen(winter.tm_zone)),
        *b = str_new_utf8(vm, summer.tm_zone, strlen(summer.tm_zone));
    tuple *names = a && b ? tuple_pack(vm, 2, value_obj(a), value_obj(b)) : NULL;
    return names && module_add(vm, m, "timezone", value_int(-(int64_t)winter.tm_gmtoff)) &&
           module_add(vm, m, "altzone", value_int(-(int64_t)summer.tm_gmtoff)) &&
           module_add(vm, m, "daylight", value_int(winter.tm_gmtoff != summer.tm_gmtoff)) &&
           module_add(vm, m, "tzname", value_obj(names));
}

FN(t_tzset)
{
    (void)args;
    if (!(vm->caps & CAP_ENV)) return V_NONE; /* the zone stays as it is, for all of the process */
    str *name = str_intern_utf8(vm, "time", 4);
    value m = name ? dict_get_str(vm, vm->modules, name) : V_ERROR;
    if (raised(vm)) return V_ERROR;
    if (!value_is_kind(m, K_MODULE)) {
        tzset();
        return V_NONE;
    }
    return add_zone(vm, AS(module, m)) ? V_NONE : V_ERROR;
}

static const native_def functions[] = {
    {"time()", t_time, DOC("Return the current time in seconds since the Epoch, as a float."), 0},
    {"time_ns()", t_time_ns, DOC("Return the current time in nanoseconds since the Epoch."), 0},
    {"monotonic()", t_monotonic, DOC("Monotonic clock, cannot go backward."), 0},
    {"monotonic_ns()", t_monotonic_ns, DOC("Monotonic clock, cannot go backward, as nanoseconds."), 0},
    {"perf_counter()", t_perf_counter, DOC("Performance counter for benchmarking."), 0},
    {"perf_counter_ns()", t_perf_counter_ns, DOC("Performance counter for benchmarking as nanoseconds."), 0},
    {"process_time()", t_process_time, DOC("Process time for profiling: sum of the kernel and user-space CPU time."),
     0},
    {"process_time_ns()", t_process_time_ns, DOC("Process time for profiling as nanoseconds."), 0},
    {"thread_time()", t_thread_time, DOC("Thread time for profiling: sum of the kernel and user-space CPU time."), 0},
    {"thread_time_ns()", t_thread_time_ns, DOC("Thread time for profiling as nanoseconds."), 0},
    {"clock_gettime(clk_id, /)", t_clock_gettime, DOC("Return the time of the specified clock clk_id."), 0},
    {"clock_gettime_ns(clk_id, /)", t_clock_gettime_ns,
     DOC("Return the time of the specified clock clk_id as nanoseconds."), 0},
    {"clock_getres(clk_id, /)", t_clock_getres, DOC("Return the resolution (precision) of the specified clock clk_id."),
     0},
    {"clock_settime(clk_id, time, /)", t_clock_settime, DOC("Set the time of the specified clock clk_id."), 0},
    {"clock_settime_ns(clk_id, time, /)", t_clock_settime_ns,
     DOC("Set the time of the specified clock clk_id with nanoseconds."), 0},
    {"get_clock_info(name, /)", t_get_clock_info, DOC("Get information of the specified clock."), 0},
    {"sleep(seconds, /)", t_sleep, DOC("Delay execution for a given number of seconds."), NATIVE_BLOCKING},
    {"localtime(seconds=..., /)", t_localtime, DOC("Convert seconds since the Epoch to a struct_time in local time."),
     0},
    {"gmtime(seconds=..., /)", t_gmtime, DOC("Convert seconds since the Epoch to a struct_time in UTC."), 0},
    {"mktime(tuple, /)", t_mktime, DOC("Convert a time tuple in local time to seconds since the Epoch."), 0},
    {"strftime(format, tuple=..., /)", t_strftime, DOC("Convert a time tuple to a string according to a format."), 0},
    {"strptime(string, format='%a %b %d %H:%M:%S %Y', /)", t_strptime,
     DOC("Parse a string to a struct_time according to a format."), 0},
    {"asctime(tuple=..., /)", t_asctime, DOC("Convert a time tuple to a string, e.g. 'Sat Jun 06 16:26:11 1998'."), 0},
    {"ctime(seconds=..., /)", t_ctime, DOC("Convert seconds since the Epoch to a string in local time."), 0},
    {"_strptime(string, format, /)", t_strptime_all, DOC("What datetime.strptime() needs."), 0},
    {"tzset()", t_tzset, DOC("Take the local time zone from the environment again."), 0},
    {0},
};

bool time_init(vm *vm, module *m)
{
    static const struct {
        const char *name;
        int n;
    } constants[] = {
        {"CLOCK_REALTIME", CLOCK_REALTIME},
        {"CLOCK_MONOTONIC", CLOCK_MONOTONIC},
        {"CLOCK_PROCESS_CPUTIME_ID", CLOCK_PROCESS_CPUTIME_ID},
        {"CLOCK_THREAD_CPUTIME_ID", CLOCK_THREAD_CPUTIME_ID},
        {"CLOCK_MONOTONIC_RAW", CLOCK_MONOTONIC_RAW},
        {"CLOCK_BOOTTIME", CLOCK_BOOTTIME},
        {"CLOCK_TAI", CLOCK_TAI},
        {"_STRUCT_TM_ITEMS", 11},
    };
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!module_add(vm, m, constants[i].name, value_int(constants[i].n))) return false;
    type *t = struct_time_type(vm);
    return t && module_add(vm, m, "struct_time", value_obj(t)) && module_add_natives(vm, m, functions) &&
           add_zone(vm, m);
}
