/* The format mini-language for int, float, complex and str.
 *
 * A number is text in four parts: sign, prefix (0x), digits (the only part that is grouped) and the rest
 * (point, fraction, exponent). format_number lays them out; everything before it is making the digits.
 */
#include "format.h"

#include "dtoa.h"
#include "str.h"

/* ---- parsing ---- */

static bool is_align(uint32_t c) { return c == '<' || c == '>' || c == '^' || c == '='; }

/* Digits at *pos. -1 raised, else how many were read. */
static int read_number(vm *vm, const str *s, size_t *pos, int64_t *out)
{
    int digits = 0;
    int64_t n = 0;
    for (; *pos < s->len; ++*pos) {
        uint32_t c = str_at(s, *pos);
        if (c < '0' || c > '9') break;
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (int64_t)(c - '0'), &n)) {
            raise_value_error(vm, "Too many decimal digits in format string");
            return -1;
        }
        digits = 1;
    }
    if (digits) *out = n;
    return digits;
}

/* A type code as messages show it: itself, or \xNN. */
str *format_code_name(vm *vm, uint32_t type)
{
    if (type > 32 && type < 128) return str_char(vm, type);
    str_builder b;
    sb_init(&b, vm);
    unsigned digits = 1;
    while (digits < 8 && type >> (4 * digits)) digits++;
    sb_ascii(&b, "\\x", 2);
    sb_hex(&b, type, digits);
    return sb_finish(&b);
}

static bool bad_thousands(vm *vm, char sep, uint32_t type)
{
    str *code = format_code_name(vm, type);
    if (code) raise_value_error(vm, "Cannot specify '%c' with '%U'.", sep, code);
    return false;
}

static bool bad_type(vm *vm, uint32_t type, value obj)
{
    str *code = format_code_name(vm, type);
    if (code) raise_value_error(vm, "Unknown format code '%U' for object of type '%T'", code, obj);
    return false;
}

/* [<>^=][0][width][,][.precision][letter] and nothing else, as most are. false: read it with care. */
static bool parse_plain(const str *spec, char default_align, format_spec *f)
{
    if (!str_is_ascii(spec)) return false;
    const uint8_t *p = spec->data, *end = p + spec->len;
    if (is_align(*p)) {
        f->align = (char)*p++;
        f->align_given = true;
    }
    if (p < end && *p == '0') {
        f->fill = '0';
        if (!f->align_given && default_align == '>') f->align = '=';
        p++;
    }
    if (p < end && (unsigned)(*p - '0') < 10) {
        int n = 0;
        for (int k = 0; p < end && (unsigned)(*p - '0') < 10; p++) {
            if (++k > 4) return false;
            n = n * 10 + (*p - '0');
        }
        f->width = n;
    }
    bool comma = p < end && *p == ',';
    if (comma) f->thousands = (char)*p++;
    if (p < end && *p == '.') {
        int n = 0, k = 0;
        for (p++; p < end && (unsigned)(*p - '0') < 10; p++) {
            if (++k > 4) return false;
            n = n * 10 + (*p - '0');
        }
        if (!k) return false;
        f->precision = n;
    }
    if (p < end) f->type = *p++;
    if (p != end || f->type == 'z' || (f->type && (f->type | 32) - 'a' >= 26 && f->type != '%')) return false;
    if (comma && f->type && !strchr("defg%EFG", (int)f->type)) return false;
    if (!f->type && default_align == '<') f->type = 's';
    return !(comma && f->type == 's');
}

bool format_parse(vm *vm, str *spec, value obj, char default_align, format_spec *f)
{
    *f = (format_spec){.width = -1, .precision = -1, .fill = ' ', .align = default_align, .group = 3};
    if (spec->len && parse_plain(spec, default_align, f)) return true;
    *f = (format_spec){.width = -1, .precision = -1, .fill = ' ', .align = default_align, .group = 3};
    size_t i = 0, n = spec->len;
    uint32_t c = n ? str_at(spec, 0) : 0;
    if (n == 0) return true;
    if (n >= 2 && is_align(str_at(spec, 1))) {
        f->fill = c;
        f->align = (char)str_at(spec, 1);
        f->fill_given = f->align_given = true;
        i = 2;
    } else if (is_align(c)) {
        f->align = (char)c;
        f->align_given = true;
        i = 1;
    }
#define PEEK (i < n ? str_at(spec, i) : 0)
    c = PEEK;
    if (c == '+' || c == '-' || c == ' ') {
        f->sign = (char)c;
        i++;
    }
    if (PEEK == 'z') {
        f->no_neg_0 = true;
        i++;
    }
    if (PEEK == '#') {
        f->alternate = true;
        i++;
    }
    if (!f->fill_given && PEEK == '0') {
        f->fill = '0';
        if (!f->align_given && default_align == '>') f->align = '=';
        i++;
    }
    if (read_number(vm, spec, &i, &f->width) < 0) return false;
    if (f->width > FORMAT_WIDTH_MAX) {
        raise_value_error(vm, "Too many decimal digits in format string");
        return false;
    }
    if (PEEK == ',') {
        f->thousands = ',';
        i++;
    }
    if (PEEK == '_') {
        if (f->thousands) goto both;
        f->thousands = '_';
        i++;
    }
    if (PEEK == ',' && f->thousands == '_') goto both;
    if (PEEK == '.') {
        i++;
        int got = read_number(vm, spec, &i, &f->precision);
        if (got < 0) return false;
        if (got == 0) {
            raise_value_error(vm, "Format specifier missing precision");
            return false;
        }
    }
    if (n - i > 1) {
        raise_value_error(vm, "Invalid format specifier '%U' for object of type '%T'", spec, obj);
        return false;
    }
    f->type = PEEK;
#undef PEEK
    if (!f->type && default_align == '<') f->type = 's';
    if (f->thousands) {
        switch (f->type) {
        case 'd':
        case 'e':
        case 'f':
        case 'g':
        case 'E':
        case 'G':
        case '%':
        case 'F':
        case 0: break;
        case 'b':
        case 'o':
        case 'x':
        case 'X':
            if (f->thousands == '_') {
                f->group = 4;
                break;
            }
            return bad_thousands(vm, f->thousands, f->type);
        default: return bad_thousands(vm, f->thousands, f->type);
        }
    }
    return true;
both:
    raise_value_error(vm, "Cannot specify both ',' and '_'.");
    return false;
}

/* ---- numbers ---- */

/* How wide `ndigits` digits become with separators and zeros up to min_width. */
static int64_t grouped_width(const format_spec *f, int64_t ndigits, int64_t min_width)
{
    int64_t n = ndigits > min_width ? ndigits : min_width;
    if (!f->thousands) return n > 1 ? n : 1;
    int64_t g = f->group, by_digits = ndigits + (ndigits - 1) / g;
    if (by_digits >= min_width) return by_digits;
    /* Fill to min_width; a separator may not stand first, so it can take one more. */
    return min_width % (g + 1) == 0 ? min_width + 1 : min_width;
}

static void put_grouped(char *end, int64_t width, const format_spec *f, const char *digits, int64_t ndigits)
{
    int64_t in_group = 0;
    while (width-- > 0) {
        if (f->thousands && in_group == f->group) {
            *--end = f->thousands;
            in_group = 0;
            continue;
        }
        *--end = ndigits > 0 ? digits[--ndigits] : '0';
        in_group++;
    }
}

void format_number(str_builder *b, const format_spec *f, bool negative, const char *prefix, size_t nprefix,
                   const char *digits, size_t ndigits, const char *rest, size_t nrest)
{
    char sign = negative ? '-' : f->sign == '+' || f->sign == ' ' ? f->sign : 0;
    int64_t fixed = (sign != 0) + (int64_t)nprefix + (int64_t)nrest;
    int64_t min_width = f->fill == '0' && f->align == '=' ? f->width - fixed : 0;
    int64_t grouped = ndigits ? grouped_width(f, (int64_t)ndigits, min_width) : 0;
    int64_t padding = f->width - fixed - grouped;
    int64_t left = 0, inner = 0, right = 0;
    if (padding > 0) {
        if (f->align == '<') right = padding;
        else if (f->align == '^') left = padding / 2, right = padding - left;
        else if (f->align == '=') inner = padding;
        else left = padding;
    }
    size_t whole = (size_t)(left + fixed + inner + grouped + right);
    char *at = f->fill < 128 && whole < 256 ? sb_ascii_room(b, whole) : NULL;
    if (LIKELY(at != NULL)) { /* all of it in place */
        char *p = at;
        if (left) p = (char *)memset(p, (int)f->fill, (size_t)left) + left;
        if (sign) *p++ = sign;
        if (nprefix) p = (char *)mempcpy(p, prefix, nprefix);
        if (inner) p = (char *)memset(p, (int)f->fill, (size_t)inner) + inner;
        if (grouped == (int64_t)ndigits) text_copy(p, digits, ndigits);
        else put_grouped(p + grouped, grouped, f, digits, (int64_t)ndigits);
        p += grouped;
        text_copy(p, rest, nrest);
        if (right) memset(p + nrest, (int)f->fill, (size_t)right);
        sb_advance(b, whole);
        return;
    }
    sb_fill(b, f->fill, (size_t)left);
    if (sign) sb_ascii(b, &sign, 1);
    sb_ascii(b, prefix, nprefix);
    sb_fill(b, f->fill, (size_t)inner);
    if (grouped == (int64_t)ndigits) {
        sb_ascii(b, digits, ndigits);
    } else if (sb_reserve(b, (size_t)grouped, 0x7F)) {
        char *room = sb_ascii_room(b, (size_t)grouped);
        if (room) {
            put_grouped(room + grouped, grouped, f, digits, (int64_t)ndigits);
            sb_advance(b, (size_t)grouped);
        } else { /* wide text before it: by way of a buffer */
            char *tmp = mem_alloc(b->vm, (size_t)grouped);
            if (!tmp) {
                sb_drop(b);
                b->failed = true;
                return;
            }
            put_grouped(tmp + grouped, grouped, f, digits, (int64_t)ndigits);
            sb_ascii(b, tmp, (size_t)grouped);
            mem_free(b->vm, tmp, (size_t)grouped);
        }
    }
    sb_ascii(b, rest, nrest);
    sb_fill(b, f->fill, (size_t)right);
}

static void pad_text(str_builder *b, const format_spec *f, str *s, size_t len)
{
    size_t pad = f->width > (int64_t)len ? (size_t)f->width - len : 0;
    size_t left = f->align == '>' ? pad : f->align == '^' ? pad / 2 : 0;
    char *at = f->fill < 128 && str_is_ascii(s) ? sb_ascii_room(b, pad + len) : NULL;
    if (at) {
        if (left) memset(at, (int)f->fill, left);
        text_copy(at + left, s->data, len);
        if (pad > left) memset(at + left + len, (int)f->fill, pad - left);
        sb_advance(b, pad + len);
        return;
    }
    sb_fill(b, f->fill, left);
    sb_range(b, s, 0, len);
    sb_fill(b, f->fill, pad - left);
}

static bool format_char(str_builder *b, value v, const format_spec *f)
{
    int64_t c;
    vm *vm = b->vm;
    if (f->sign) return raise_value_error(vm, "Sign not allowed with integer format specifier 'c'"), false;
    if (f->alternate)
        return raise_value_error(vm, "Alternate form (#) not allowed with integer format specifier 'c'"), false;
    if (!int_to_i64(vm, v, &c)) return raise_overflow(vm, "Python int too large to convert to C long"), false;
    if (c < 0 || c > CP_MAX) return raise_overflow(vm, "%%c arg not in range(0x110000)"), false;
    str *s = str_char(vm, (uint32_t)c);
    if (!s) return false;
    format_spec g = *f;
    if (g.align == '=') g.align = '>';
    pad_text(b, &g, s, 1);
    return true;
}

bool format_int_to(str_builder *b, value obj, const format_spec *f)
{
    vm *vm = b->vm;
    value v = int_plain(vm, obj);
    uint32_t type = f->type ? f->type : 'd';
    switch (type) {
    case 'b':
    case 'c':
    case 'd':
    case 'o':
    case 'x':
    case 'X':
    case 'n': break;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case '%': {
        bool ok = true;
        double d = int_to_double(vm, v, &ok);
        return ok && format_float_to(b, d, obj, f);
    }
    default: return bad_type(vm, type, obj);
    }
    if (f->precision >= 0) return raise_value_error(vm, "Precision not allowed in integer format specifier"), false;
    if (f->no_neg_0)
        return raise_value_error(vm, "Negative zero coercion (z) not allowed in integer format specifier"), false;
    if (type == 'c') return format_char(b, v, f);

    unsigned base = type == 'b' ? 2 : type == 'o' ? 8 : type == 'x' || type == 'X' ? 16 : 10;
    char prefix[2] = {'0', (char)type};
    size_t nprefix = f->alternate && base != 10 ? 2 : 0;
    char small[64];
    const char *digits;
    size_t n;
    bool negative;
    if (LIKELY(value_is_int(v))) {
        int64_t i = value_as_int(v);
        negative = i < 0;
        uint64_t u = negative ? 0 - (uint64_t)i : (uint64_t)i;
        char *p = small + sizeof small;
        unsigned shift = base == 2 ? 1 : base == 8 ? 3 : 4;
        if (base == 10) p -= u64_digits(p - 20, u);
        else do
                *--p = "0123456789abcdef"[u & (base - 1)];
            while (u >>= shift);
        digits = p;
        n = (size_t)(small + sizeof small - p);
    } else {
        str *s = int_to_str(vm, v, (int)base);
        if (!s) return false;
        negative = s->len && str_at(s, 0) == '-';
        digits = (const char *)s->data + negative;
        n = s->len - negative;
    }
    if (type == 'X') { /* upper-case copies; big ones are converted in what the builder got */
        if (n <= sizeof small) {
            memmove(small, digits, n);
            for (size_t i = 0; i < n; i++)
                if (small[i] >= 'a') small[i] ^= 32;
            digits = small;
        } else {
            str *u = str_from_ascii(vm, digits, n);
            if (!u) return false;
            uint8_t *w = str_wdata(u);
            for (size_t i = 0; i < n; i++)
                if (w[i] >= 'a') w[i] ^= 32;
            digits = (const char *)w;
        }
    }
    format_number(b, f, negative, prefix, nprefix, digits, n, "", 0);
    return !b->failed;
}

/* dtoa_format's text, in buf or in *heap (free it with *size). NULL raised. */
static char *float_text(vm *vm, double d, char mode, int precision, unsigned flags, char *buf, size_t bufsize,
                        size_t *n, char **heap)
{
    *heap = NULL;
    *n = dtoa_format(buf, bufsize, d, mode, precision, flags);
    if (LIKELY(*n <= bufsize)) return buf;
    if (!(*heap = mem_alloc(vm, *n))) return NULL;
    dtoa_format(*heap, *n, d, mode, precision, flags);
    return *heap;
}

/* Splits text into sign, digits and rest. */
static void put_float_text(str_builder *b, const format_spec *f, const char *t, size_t n)
{
    bool negative = n && t[0] == '-';
    size_t i = negative;
    while (i < n && t[i] >= '0' && t[i] <= '9') i++;
    format_number(b, f, negative, "", 0, t + negative, i - negative, t + i, n - i);
}

static bool float_params(vm *vm, const format_spec *f, value obj, char *mode, int *precision, unsigned *flags,
                         bool *percent)
{
    uint32_t type = f->type;
    *flags = (f->alternate ? DTOA_ALT : 0) | (f->no_neg_0 ? DTOA_NO_NEG_0 : 0);
    *precision = 6;
    *percent = type == '%';
    switch (type) {
    case 0:
        *flags |= DTOA_DOT_0;
        *mode = f->precision < 0 ? 'r' : 'g';
        break;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G': *mode = (char)type; break;
    case 'n': *mode = 'g'; break;
    case '%': *mode = 'f'; break;
    default: return bad_type(vm, type, obj);
    }
    if (f->precision >= 0) {
        if (f->precision > DTOA_PRECISION_MAX) return raise_value_error(vm, "precision too big"), false;
        *precision = (int)f->precision;
    }
    return true;
}

bool format_float_to(str_builder *b, double d, value obj, const format_spec *f)
{
    char mode, buf[128], *heap;
    int precision;
    unsigned flags;
    bool percent;
    vm *vm = b->vm;
    if (!float_params(vm, f, obj, &mode, &precision, &flags, &percent)) return false;
    size_t n;
    if (percent) d *= 100;
    char *t = float_text(vm, d, mode, precision, flags, buf, sizeof buf - 1, &n, &heap);
    if (!t) return false;
    if (!percent) {
        put_float_text(b, f, t, n);
    } else if (!heap) {
        t[n] = '%';
        put_float_text(b, f, t, n + 1);
    } else {
        char *u = mem_realloc(vm, heap, n, n + 1);
        if (!u) {
            mem_free(vm, heap, n);
            return false;
        }
        heap = u;
        heap[n++] = '%';
        put_float_text(b, f, heap, n);
    }
    if (heap) mem_free(vm, heap, n);
    return !b->failed;
}

bool format_str_to(str_builder *b, str *s, value obj, const format_spec *f)
{
    vm *vm = b->vm;
    if (f->type && f->type != 's') return bad_type(vm, f->type, obj);
    if (f->sign) {
        return raise_value_error(vm, f->sign == ' ' ? "Space not allowed in string format specifier"
                                                    : "Sign not allowed in string format specifier"),
               false;
    }
    if (f->no_neg_0)
        return raise_value_error(vm, "Negative zero coercion (z) not allowed in string format specifier"), false;
    if (f->alternate) return raise_value_error(vm, "Alternate form (#) not allowed in string format specifier"), false;
    if (f->align == '=') return raise_value_error(vm, "'=' alignment not allowed in string format specifier"), false;
    size_t len = f->precision >= 0 && (uint64_t)f->precision < s->len ? (size_t)f->precision : s->len;
    pad_text(b, f, s, len);
    return !b->failed;
}

/* ---- complex: two numbers, padded as one text ---- */

static value format_complex_to(vm *vm, double re, double im, const format_spec *f, value obj)
{
    uint32_t type = f->type;
    format_spec part = *f;
    part.width = -1;
    bool skip_re = false, parens = false;
    char mode;
    int precision;
    unsigned flags;
    bool percent;
    if (type == '%') return bad_type(vm, type, obj), V_ERROR;
    if (!float_params(vm, f, obj, &mode, &precision, &flags, &percent)) return V_ERROR;
    if (f->fill == '0') return raise_value_error(vm, "Zero padding is not allowed in complex format specifier");
    if (f->align == '=') return raise_value_error(vm, "'=' alignment flag is not allowed in complex format specifier");
    if (type == 0) { /* as repr does: no ".0", parentheses, no real part that is +0 */
        flags &= ~(unsigned)DTOA_DOT_0;
        skip_re = re == 0 && !__builtin_signbit(re);
        parens = !skip_re;
    }
    char buf[128], *heap;
    size_t n;
    str_builder b;
    sb_init(&b, vm);
    if (parens) sb_char(&b, '(');
    for (int k = skip_re; k < 2; k++) {
        char *t = float_text(vm, k ? im : re, mode, precision, flags, buf, sizeof buf, &n, &heap);
        if (!t) {
            sb_drop(&b);
            return V_ERROR;
        }
        if (k && !skip_re) part.sign = '+';
        put_float_text(&b, &part, t, n);
        if (heap) mem_free(vm, heap, n);
    }
    sb_char(&b, 'j');
    if (parens) sb_char(&b, ')');
    str *s = sb_finish(&b);
    if (!s) return V_ERROR;
    sb_init(&b, vm);
    pad_text(&b, f, s, s->len);
    return str_value(sb_finish(&b));
}

value format_complex(vm *vm, double re, double im, str *spec)
{
    format_spec f;
    complex_obj *c = gc_new(vm, K_COMPLEX, TYPE_COMPLEX, sizeof(complex_obj)); /* names the type in messages */
    if (!c) return V_ERROR;
    value sample = value_obj(c);
    if (!format_parse(vm, spec, sample, '>', &f)) return V_ERROR;
    return format_complex_to(vm, re, im, &f, sample);
}

/* ---- entry points ---- */

value format_int(vm *vm, value v, str *spec)
{
    format_spec f;
    str_builder b;
    if (spec->len == 0) return str_value(obj_str(vm, v));
    if (!format_parse(vm, spec, v, '>', &f)) return V_ERROR;
    sb_init(&b, vm);
    if (format_int_to(&b, v, &f)) return str_value(sb_finish(&b));
    sb_drop(&b);
    return V_ERROR;
}

value format_float(vm *vm, double d, str *spec)
{
    format_spec f;
    str_builder b;
    value obj = value_float(d);
    if (spec->len == 0) return str_value(float_repr(vm, d));
    if (!format_parse(vm, spec, obj, '>', &f)) return V_ERROR;
    sb_init(&b, vm);
    if (format_float_to(&b, d, obj, &f)) return str_value(sb_finish(&b));
    sb_drop(&b);
    return V_ERROR;
}

value format_str(vm *vm, str *s, str *spec)
{
    format_spec f;
    str_builder b;
    if (spec->len == 0) return value_obj(str_plain(s));
    if (!format_parse(vm, spec, value_obj(s), '<', &f)) return V_ERROR;
    sb_init(&b, vm);
    if (format_str_to(&b, s, value_obj(s), &f)) return str_value(sb_finish(&b));
    sb_drop(&b);
    return V_ERROR;
}

bool format_value_to(str_builder *b, value v, str *spec)
{
    format_spec f;
    vm *vm = b->vm;
    bool plain = !spec || spec->len == 0;
    if (value_is_exact(v, TYPE_STR)) {
        if (!plain) return format_parse(vm, spec, v, '<', &f) && format_str_to(b, AS(str, v), v, &f);
        sb_str(b, AS(str, v));
    } else if (value_is_int(v)) {
        if (!plain) return format_parse(vm, spec, v, '>', &f) && format_int_to(b, v, &f);
        sb_int(b, value_as_int(v));
    } else if (value_is_float(v)) {
        char buf[DTOA_REPR_MAX];
        if (!plain) return format_parse(vm, spec, v, '>', &f) && format_float_to(b, value_as_float(v), v, &f);
        sb_ascii(b, buf, dtoa_repr(buf, value_as_float(v)));
    } else {
        value s = obj_format(vm, v, spec ? value_obj(spec) : V_UNBOUND);
        if (value_is_error(s)) return false;
        sb_str(b, AS(str, s));
    }
    return !b->failed;
}
