/* The % operator of str and bytes.
 *
 * Both run here: a bytes template is read as latin-1 text, its arguments become latin-1 text, and the
 * result turns back into bytes. What differs is marked by p->as_bytes.
 */
#include "bytes.h"
#include "dtoa.h"
#include "format.h"
#include "str.h"
#include "str_search.h"

enum { F_LEFT = 1, F_PLUS = 2, F_SPACE = 4, F_ALT = 8, F_ZERO = 16 };

typedef struct percent {
    vm *vm;
    str *fmt;
    value args;         /* as given */
    value mapping;      /* args when it can serve as one, else unbound */
    size_t next, count; /* positional: of a tuple's items, or of the one argument */
    bool single;        /* args is the only argument itself */
    bool as_bytes;
    str_builder out;
} percent;

typedef struct directive {
    unsigned flags;
    int64_t width, precision; /* -1: none */
    uint32_t type;
    size_t at; /* index of the type character */
} directive;

static value next_arg(percent *p)
{
    if (p->next < p->count) {
        size_t i = p->next++;
        return p->single ? p->args : AS(tuple, p->args)->items[i];
    }
    return raise_type_error(p->vm, "not enough arguments for format string");
}

/* * or digits. false: raised. */
static bool read_size(percent *p, size_t *i, int64_t *out, const char *too_big)
{
    vm *vm = p->vm;
    if (*i < p->fmt->len && str_at(p->fmt, *i) == '*') {
        ++*i;
        value v = next_arg(p);
        if (value_is_error(v)) return false;
        if (!int_is(v)) return raise_type_error(vm, "* wants int"), false;
        if (!int_to_i64(vm, int_plain(vm, v), out))
            return raise_overflow(vm, "Python int too large to convert to C ssize_t"), false;
        return true;
    }
    int64_t n = 0;
    for (; *i < p->fmt->len; ++*i) {
        uint32_t c = str_at(p->fmt, *i);
        if (c < '0' || c > '9') break;
        if (n > INT64_MAX / 10 - 1) return raise_value_error(vm, "%s", too_big), false;
        n = n * 10 + (c - '0');
        *out = n;
    }
    return true;
}

/* %(key): makes the value the only argument. */
static bool read_key(percent *p, size_t *i)
{
    vm *vm = p->vm;
    if (value_is_unbound(p->mapping)) return raise_type_error(vm, "format requires a mapping"), false;
    size_t start = ++*i, level = 1;
    for (; *i < p->fmt->len; ++*i) {
        uint32_t c = str_at(p->fmt, *i);
        if (c == '(') level++;
        else if (c == ')' && --level == 0) break;
    }
    if (*i == p->fmt->len) return raise_value_error(vm, "incomplete format key"), false;
    str *key = str_substr(vm, p->fmt, start, (*i)++);
    if (!key) return false;
    value k = value_obj(key);
    if (p->as_bytes) k = value_obj(bytes_new(vm, key->data, key->len));
    value v = value_is_error(k) ? V_ERROR : obj_getitem(vm, p->mapping, k);
    if (value_is_error(v)) return false;
    p->args = v;
    p->single = true;
    p->next = 0;
    p->count = 1;
    return true;
}

/* [-+ #0][width][.precision]type in ASCII, with no more than four digits each. false: nothing is consumed. */
static bool read_plain(const percent *p, size_t *i, directive *d)
{
    const uint8_t *start = p->fmt->data, *q = start + *i, *end = start + p->fmt->len;
    unsigned flags = 0;
    for (; q < end; q++) {
        if (*q == '0') flags |= F_ZERO;
        else if (*q == '-') flags |= F_LEFT;
        else if (*q == '+') flags |= F_PLUS;
        else if (*q == ' ') flags |= F_SPACE;
        else if (*q == '#') flags |= F_ALT;
        else break;
    }
    int width = -1, precision = -1, k = 0;
    for (; q < end && (unsigned)(*q - '0') < 10; q++) {
        if (++k > 4) return false;
        width = (width < 0 ? 0 : width * 10) + (*q - '0');
    }
    if (q < end && *q == '.') {
        precision = 0;
        for (q++, k = 0; q < end && (unsigned)(*q - '0') < 10; q++) {
            if (++k > 4) return false;
            precision = precision * 10 + (*q - '0');
        }
    }
    if (q >= end || (unsigned)((*q | 32) - 'a') >= 26 || *q == 'h' || (*q | 32) == 'l') return false;
    *d = (directive){.flags = flags, .width = width, .precision = precision, .type = *q, .at = (size_t)(q - start)};
    *i = d->at + 1;
    return true;
}

/* Reads from behind '%' up to the type character, which is consumed. */
static bool read_directive(percent *p, size_t *i, directive *d)
{
    vm *vm = p->vm;
    size_t n = p->fmt->len;
    *d = (directive){.width = -1, .precision = -1};
    if (*i < n && str_at(p->fmt, *i) == '(' && !read_key(p, i)) return false;
    if (str_is_ascii(p->fmt) && read_plain(p, i, d)) return true;
    for (; *i < n; ++*i) {
        uint32_t c = str_at(p->fmt, *i);
        unsigned flag = c == '-'   ? F_LEFT
                        : c == '+' ? F_PLUS
                        : c == ' ' ? F_SPACE
                        : c == '#' ? F_ALT
                        : c == '0' ? F_ZERO
                                   : 0;
        if (!flag) break;
        d->flags |= flag;
    }
    if (!read_size(p, i, &d->width, "width too big")) return false;
    if (d->width < -1 || (d->width == -1 && *i && str_at(p->fmt, *i - 1) == '*')) { /* a negative * means left */
        d->flags |= F_LEFT;
        d->width = d->width == INT64_MIN ? INT64_MAX : -d->width;
    }
    if (*i < n && str_at(p->fmt, *i) == '.') {
        ++*i;
        d->precision = 0;
        if (!read_size(p, i, &d->precision, "precision too big")) return false;
        if (d->precision > INT32_MAX && str_at(p->fmt, *i - 1) == '*')
            return raise_overflow(p->vm, "Python int too large to convert to C int"), false;
        if (d->precision < 0) d->precision = 0;
    }
    if (*i < n) {
        uint32_t c = str_at(p->fmt, *i);
        if (c == 'h' || c == 'l' || c == 'L') ++*i;
    }
    if (*i == n) return raise_value_error(vm, "incomplete format"), false;
    d->at = *i;
    d->type = str_at(p->fmt, (*i)++);
    return true;
}

static bool check_sizes(percent *p, const directive *d)
{
    if (d->width > FORMAT_WIDTH_MAX) return raise_value_error(p->vm, "width too big"), false;
    return true;
}

/* The text [from, to) of s, padded with spaces. */
static bool put_text(percent *p, const directive *d, str *s)
{
    size_t len = d->precision >= 0 && (uint64_t)d->precision < s->len ? (size_t)d->precision : s->len;
    size_t pad = d->width > (int64_t)len ? (size_t)d->width - len : 0;
    if (!(d->flags & F_LEFT)) sb_fill(&p->out, ' ', pad);
    sb_range(&p->out, s, 0, len);
    if (d->flags & F_LEFT) sb_fill(&p->out, ' ', pad);
    return !p->out.failed;
}

/* A number: [sign][prefix][zeros][digits], padded. */
static bool put_number(percent *p, const directive *d, bool negative, const char *prefix, size_t zeros,
                       const char *digits, size_t n)
{
    str_builder *b = &p->out;
    size_t np = strlen(prefix);
    char sign = negative ? '-' : d->flags & F_PLUS ? '+' : d->flags & F_SPACE ? ' ' : 0;
    size_t len = (sign != 0) + np + zeros + n, pad = d->width > (int64_t)len ? (size_t)d->width - len : 0;
    bool left = d->flags & F_LEFT;
    char *at = pad + len < 256 ? sb_ascii_room(b, pad + len) : NULL;
    if (LIKELY(at != NULL)) {
        if (pad && !left && !(d->flags & F_ZERO)) at = (char *)memset(at, ' ', pad) + pad;
        if (sign) *at++ = sign;
        if (np) at = (char *)mempcpy(at, prefix, np);
        if (pad && !left && d->flags & F_ZERO) zeros += pad;
        if (zeros) at = (char *)memset(at, '0', zeros) + zeros;
        text_copy(at, digits, n);
        if (left && pad) memset(at + n, ' ', pad);
        sb_advance(b, pad + len);
        return true;
    }
    if (pad && !left && !(d->flags & F_ZERO)) sb_fill(b, ' ', pad);
    if (sign) sb_ascii(b, &sign, 1);
    sb_ascii(b, prefix, np);
    if (pad && !left && d->flags & F_ZERO) sb_fill(b, '0', pad);
    sb_fill(b, '0', zeros);
    sb_ascii(b, digits, n);
    if (left) sb_fill(b, ' ', pad);
    return !b->failed;
}

/* int(v) for %d; what has no such value is told by the caller. */
static value to_int(vm *vm, value v, bool index_only)
{
    if (int_is(v)) return int_plain(vm, v);
    type *t = type_of(vm, v);
    if (index_only) return t->s.index ? obj_index(vm, v) : V_ERROR;
    double x;
    if (type_is_subtype(t, T(vm, FLOAT))) return float_as_double(vm, v, &x) ? int_from_double(vm, x) : V_ERROR;
    if (t->s.int_) {
        value n = t->s.int_(vm, v);
        return value_is_error(n) ? n : int_plain(vm, n);
    }
    return t->s.index ? obj_index(vm, v) : V_ERROR;
}

static bool put_int(percent *p, const directive *d, value arg)
{
    vm *vm = p->vm;
    bool index_only = d->type == 'x' || d->type == 'X' || d->type == 'o';
    value v = to_int(vm, arg, index_only);
    if (value_is_error(v)) {
        if (raised(vm) && !exc_clear_if(vm, EXC_TypeError)) return false;
        int shown = p->as_bytes && d->type == 'i' ? 'd' : (int)d->type;
        raise_type_error(vm, "%%%c format: %s is required, not %T", shown, index_only ? "an integer" : "a real number",
                         arg);
        return false;
    }
    char small[64];
    const char *digits;
    size_t n;
    bool negative;
    unsigned base = d->type == 'o' ? 8 : index_only ? 16 : 10;
    if (LIKELY(value_is_int(v))) {
        int64_t i = value_as_int(v);
        negative = i < 0;
        uint64_t u = negative ? 0 - (uint64_t)i : (uint64_t)i;
        char *q = small + sizeof small;
        const char *alphabet = d->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
        if (base == 10) q -= u64_digits(q - 20, u);
        else if (base == 16) do
                *--q = alphabet[u & 15];
            while (u >>= 4);
        else do
                *--q = alphabet[u & 7];
            while (u >>= 3);
        digits = q;
        n = (size_t)(small + sizeof small - q);
    } else {
        str *s = int_to_str(vm, v, (int)base);
        if (!s) return false;
        negative = str_at(s, 0) == '-';
        n = s->len - negative;
        digits = (const char *)s->data + negative;
        if (d->type == 'X') {
            str *u = str_from_ascii(vm, digits, n);
            if (!u) return false;
            char *w = str_wdata(u);
            for (size_t i = 0; i < n; i++)
                if (w[i] >= 'a') w[i] ^= 32;
            digits = w;
        }
    }
    if (d->precision > FORMAT_WIDTH_MAX) return raise_value_error(vm, "precision too big"), false;
    size_t zeros = d->precision > (int64_t)n ? (size_t)d->precision - n : 0;
    const char *prefix = !(d->flags & F_ALT) ? ""
                         : d->type == 'x'    ? "0x"
                         : d->type == 'X'    ? "0X"
                         : d->type == 'o'    ? "0o"
                                             : "";
    return put_number(p, d, negative, prefix, zeros, digits, n);
}

static bool put_float(percent *p, const directive *d, value arg)
{
    vm *vm = p->vm;
    double x;
    if (value_is_float(arg)) {
        x = value_as_float(arg);
    } else if (!float_as_double(vm, arg, &x)) {
        if (p->as_bytes && exc_clear_if(vm, EXC_TypeError))
            raise_type_error(vm, "float argument required, not %T", arg);
        return false;
    }
    if (d->precision > DTOA_PRECISION_MAX) return raise_value_error(vm, "precision too big"), false;
    char buf[128], *t = buf;
    int precision = d->precision < 0 ? 6 : (int)d->precision;
    unsigned flags = d->flags & F_ALT ? DTOA_ALT : 0;
    size_t n = dtoa_format(buf, sizeof buf, x, (char)d->type, precision, flags);
    if (n > sizeof buf) {
        if (!(t = mem_alloc(vm, n))) return false;
        dtoa_format(t, n, x, (char)d->type, precision, flags);
    }
    bool negative = t[0] == '-';
    bool ok = put_number(p, d, negative, "", 0, t + negative, n - negative);
    if (t != buf) mem_free(vm, t, n);
    return ok;
}

static bool put_char(percent *p, const directive *d, value arg)
{
    vm *vm = p->vm;
    int64_t limit = p->as_bytes ? 0xFF : CP_MAX, c;
    str *s = NULL;
    const uint8_t *data;
    size_t n;
    if (!p->as_bytes && IS_STR(arg)) {
        if (AS(str, arg)->len == 1) s = AS(str, arg);
    } else if (p->as_bytes && (IS_BYTES(arg) || IS_BYTEARRAY(arg)) && buffer_view(vm, arg, &data, &n)) {
        if (n == 1) s = str_char(vm, data[0]);
    } else if (int_is(arg) || type_of(vm, arg)->s.index) {
        value v = obj_index(vm, arg);
        if (value_is_error(v)) return false;
        if (!int_to_i64(vm, v, &c) || c < 0 || c > limit) {
            return raise_overflow(vm, "%%c arg not in range(%s)", p->as_bytes ? "256" : "0x110000"), false;
        }
        if (!(s = str_char(vm, (uint32_t)c))) return false;
    }
    if (!s) {
        raise_type_error(vm, p->as_bytes ? "%%c requires an integer in range(256) or a single byte"
                                         : "%%c requires int or char");
        return false;
    }
    directive plain = *d;
    plain.precision = -1;
    return put_text(p, &plain, s);
}

/* %b and %s of bytes. */
static bool put_bytes(percent *p, const directive *d, value arg)
{
    vm *vm = p->vm;
    const uint8_t *data;
    size_t n;
    if (!buffer_view(vm, arg, &data, &n)) {
        if (raised(vm)) return false;
        value m = type_lookup_special(vm, arg, N(vm, __bytes__));
        if (value_is_unbound(m)) {
            if (!raised(vm))
                raise_type_error(
                    vm, "%%b requires a bytes-like object, or an object that implements __bytes__, not '%T'", arg);
            return false;
        }
        value b = vm_call0(vm, m);
        if (value_is_error(b)) return false;
        if (!IS_BYTES(b)) return raise_type_error(vm, "__bytes__ returned non-bytes (type %T)", b), false;
        data = AS(bytes, b)->data;
        n = AS(bytes, b)->len;
    }
    str *s = str_new_latin1(vm, data, n);
    return s && put_text(p, d, s);
}

static bool put_object(percent *p, const directive *d, value arg)
{
    vm *vm = p->vm;
    str *s;
    if (d->type == 's') {
        if (p->as_bytes) return put_bytes(p, d, arg);
        s = IS_STR(arg) && value_is_exact(arg, TYPE_STR) ? AS(str, arg) : obj_str(vm, arg);
    } else {
        s = obj_repr(vm, arg);
        if (s && (d->type == 'a' || p->as_bytes)) s = str_ascii_escape(vm, s);
    }
    return s && put_text(p, d, s);
}

static bool put_directive(percent *p, directive *d)
{
    vm *vm = p->vm;
    value arg = next_arg(p);
    if (value_is_error(arg)) return false;
    ROOTS(vm, &arg);
    if (!check_sizes(p, d)) return false;
    /* The two that matter, without padding. */
    if (d->width < 0 && d->precision < 0 && !d->flags) {
        bool plain = value_is_exact(arg, TYPE_STR) || value_is_int(arg) || value_is_float(arg);
        if (d->type == 's' && plain && !p->as_bytes) return format_value_to(&p->out, arg, NULL);
        if (d->type == 'd' && value_is_int(arg)) return sb_int(&p->out, value_as_int(arg)), !p->out.failed;
    }
    switch (d->type) {
    case 's':
    case 'r':
    case 'a': return put_object(p, d, arg);
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o': return put_int(p, d, arg);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G': return put_float(p, d, arg);
    case 'c': return put_char(p, d, arg);
    case 'b':
        if (p->as_bytes) return put_bytes(p, d, arg);
        break;
    default: break;
    }
    str *c = d->type > 31 && d->type < 128 ? str_char(vm, d->type) : str_char(vm, '?');
    str_builder hex;
    sb_init(&hex, vm);
    unsigned digits = 1;
    while (digits < 8 && d->type >> (4 * digits)) digits++;
    sb_hex(&hex, d->type, digits);
    str *code = sb_finish(&hex);
    if (code) raise_value_error(vm, "unsupported format character '%U' (0x%U) at index %zu", c, code, d->at);
    return false;
}

static str *run(percent *p)
{
    vm *vm = p->vm;
    const str *fmt = p->fmt;
    unsigned w = str_width(fmt);
    ROOTS(vm, &p->fmt, &p->args, &p->mapping);
    sb_init(&p->out, vm);
    bool literal = true;
    for (size_t i = 0; i < fmt->len;) {
        size_t start = i;
        i = text_find_char(fmt->data, w, start, fmt->len, '%');
        if (i == FINDER_NONE) i = fmt->len;
        if (start < i) sb_range(&p->out, fmt, start, i);
        if (i == fmt->len) break;
        literal = false;
        i++;
        if (i < fmt->len && text_at(fmt->data, w, i) == '%') {
            sb_char(&p->out, '%');
            i++;
            continue;
        }
        directive d;
        if (!read_directive(p, &i, &d) || !put_directive(p, &d)) goto failed;
    }
    if (p->next < p->count && value_is_unbound(p->mapping)) {
        raise_type_error(vm, "not all arguments converted during %s formatting", p->as_bytes ? "bytes" : "string");
        goto failed;
    }
    if (literal && fmt->len) { /* the template itself, as CPython gives */
        sb_drop(&p->out);
        return p->fmt;
    }
    return sb_finish(&p->out);
failed:
    sb_drop(&p->out);
    return NULL;
}

static void take_args(percent *p, value args)
{
    p->args = args;
    p->single = !IS_TUPLE(args);
    p->count = p->single ? 1 : AS(tuple, args)->len;
    bool text = IS_TUPLE(args) || IS_STR(args) || (p->as_bytes && (IS_BYTES(args) || IS_BYTEARRAY(args)));
    if (!text && type_of(p->vm, args)->s.getitem) p->mapping = args;
}

value str_mod(vm *vm, value fmt, value args)
{
    percent p = {.vm = vm, .fmt = AS(str, fmt)};
    take_args(&p, args);
    return str_value(run(&p));
}

value bytes_mod(vm *vm, value fmt, value args, bool array)
{
    const uint8_t *data;
    size_t n;
    percent p = {.vm = vm, .as_bytes = true};
    ROOTS(vm, &fmt, &args);
    if (!buffer_view(vm, fmt, &data, &n) || !(p.fmt = str_new_latin1(vm, data, n))) return V_ERROR;
    take_args(&p, args);
    str *s = run(&p);
    return s ? bytes_result(vm, array, s->data, s->len) : V_ERROR;
}
