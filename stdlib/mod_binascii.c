/* The module binascii: bytes to and from texts of ASCII. Everything is checked before it is sized. */
#include "module_state.h"
#include "vm/buffer.h"
#include "vm/bytes.h"
#include "vm/str.h"

#define DOC_FILE stdlib_mod_binascii
DOC_BEGIN;

/* The bytes of an argument: bytes-like, or (`text`) a str of ASCII. false: raised. */
static bool input(vm *vm, value v, bool text, const uint8_t **p, size_t *n)
{
    if (text && IS_STR(v)) {
        const str *s = AS(str, v);
        if (!str_is_ascii(s)) {
            raise_value_error(vm, "string argument should contain only ASCII characters");
            return false;
        }
        *p = s->data;
        *n = s->len;
        return true;
    }
    if (buffer_view(vm, v, p, n)) return true;
    if (!raised(vm))
        raise_type_error(vm,
                         text ? "argument should be bytes, buffer or ASCII string, not '%T'"
                              : "a bytes-like object is required, not '%T'",
                         v);
    return false;
}

static value error(vm *vm, enum module_state_id id, const char *fmt, int n)
{
    str *text = str_format(vm, fmt, n);
    ROOTS(vm, &text);
    value e = text ? vm_call1(vm, module_state_get(vm, id), value_obj(text)) : V_ERROR;
    return value_is_error(e) ? e : raise_exception(vm, e);
}
static value bad(vm *vm, const char *fmt, int n) { return error(vm, STATE_BINASCII_ERROR, fmt, n); }

/* A growing output; `p` NULL: MemoryError was raised. */
struct out {
    uint8_t *p;
    size_t n, cap;
};
static bool out_open(vm *vm, struct out *o, size_t cap)
{
    *o = (struct out){mem_alloc(vm, cap ? cap : 1), 0, cap ? cap : 1};
    return o->p;
}
static value out_bytes(vm *vm, struct out *o)
{
    bytes *b = bytes_new(vm, o->p, o->n);
    mem_free(vm, o->p, o->cap);
    return b ? value_obj(b) : V_ERROR;
}
static value out_drop(vm *vm, struct out *o)
{
    mem_free(vm, o->p, o->cap);
    return V_ERROR;
}
/* n * times + extra bytes, checked. */
static bool out_open_times(vm *vm, struct out *o, size_t n, size_t times, size_t extra)
{
    if (n > (SIZE_MAX / 2 - extra) / times) {
        raise_memory(vm);
        return false;
    }
    return out_open(vm, o, n * times + extra);
}

/* ---- hexadecimal ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

FN(b_hexlify)
{
    str *name = str_intern_utf8(vm, "hex", 3);
    const uint8_t *p;
    size_t n;
    if (!name || !input(vm, args[0], false, &p, &n)) return V_ERROR;
    if (value_is_unbound(args[1]) && value_is_unbound(args[2])) {
        if (n == 0) return value_obj(vm->empty_bytes);
        if (n > BYTES_LEN_MAX / 2) return raise_memory(vm);
        bytes *b = bytes_alloc(vm, 2 * n);
        if (b) hex_digits(b->u.inl, p, n);
        return value_obj(b);
    }
    /* bytes.hex() knows about separators. */
    value data = args[0], sep[2] = {args[1], args[2]};
    ROOTS(vm, &data);
    ROOT_SPAN(vm, sep, 2);
    if (!IS_BYTES(data)) {
        bytes *b = bytes_new(vm, p, n);
        if (!b) return V_ERROR;
        data = value_obj(b);
    }
    uint32_t nsep = value_is_unbound(sep[0]) ? 0 : value_is_unbound(sep[1]) ? 1 : 2;
    value text = vm_call_method(vm, data, name, sep, nsep);
    if (value_is_error(text)) return text;
    const str *s = AS(str, text);
    bytes *b = bytes_new(vm, s->data, s->len);
    return b ? value_obj(b) : V_ERROR;
}

FN(b_unhexlify)
{
    const uint8_t *p;
    size_t n;
    struct out o;
    if (!input(vm, args[0], true, &p, &n)) return V_ERROR;
    if (n & 1) return bad(vm, "Odd-length string", 0);
    if (!out_open(vm, &o, n / 2)) return V_ERROR;
    for (size_t i = 0; i < n; i += 2) {
        int a = hex_digit(p[i]), b = hex_digit(p[i + 1]);
        if (a < 0 || b < 0) {
            out_drop(vm, &o);
            return bad(vm, "Non-hexadecimal digit found", 0);
        }
        o.p[o.n++] = (uint8_t)(a << 4 | b);
    }
    return out_bytes(vm, &o);
}

/* ---- base 64 ---- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* A digit's value + 1. */
static const uint8_t base64_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64};
static inline int base64_digit(uint8_t c) { return base64_values[c] - 1; }

FN(b_b2a_base64)
{
    const uint8_t *p;
    size_t n;
    bool newline;
    struct out o;
    if (!args_bool(vm, args[1], true, &newline) || !input(vm, args[0], false, &p, &n) ||
        !out_open_times(vm, &o, n / 3 + 1, 4, 1))
        return V_ERROR;
    size_t i = 0;
    for (; i + 3 <= n; i += 3) {
        uint32_t w = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        o.p[o.n++] = (uint8_t)base64_digits[w >> 18];
        o.p[o.n++] = (uint8_t)base64_digits[w >> 12 & 63];
        o.p[o.n++] = (uint8_t)base64_digits[w >> 6 & 63];
        o.p[o.n++] = (uint8_t)base64_digits[w & 63];
    }
    if (i < n) {
        size_t left = n - i;
        uint32_t w = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0);
        o.p[o.n++] = (uint8_t)base64_digits[w >> 18];
        o.p[o.n++] = (uint8_t)base64_digits[w >> 12 & 63];
        o.p[o.n++] = left > 1 ? (uint8_t)base64_digits[w >> 6 & 63] : '=';
        o.p[o.n++] = '=';
    }
    if (newline) o.p[o.n++] = '\n';
    return out_bytes(vm, &o);
}

FN(b_a2b_base64)
{
    const uint8_t *p;
    size_t n;
    bool strict;
    struct out o;
    if (!args_bool(vm, args[1], false, &strict) || !input(vm, args[0], true, &p, &n) ||
        !out_open_times(vm, &o, n / 4 + 1, 3, 0))
        return V_ERROR;
    const char *wrong = NULL;
    uint32_t bits = 0;
    int quad = 0, pads = 0;
    bool padded = false, done = false;
    if (strict && n && p[0] == '=') wrong = "Leading padding not allowed";
    for (size_t i = 0; !wrong && !done && i < n; i++) {
        if (quad == 0 && !padded) { /* whole groups of digits */
            for (; n - i >= 4; i += 4, o.n += 3) {
                int a = base64_digit(p[i]), b = base64_digit(p[i + 1]), c = base64_digit(p[i + 2]),
                    d = base64_digit(p[i + 3]);
                if ((a | b | c | d) < 0) break;
                uint32_t w = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | (uint32_t)d;
                o.p[o.n] = (uint8_t)(w >> 16);
                o.p[o.n + 1] = (uint8_t)(w >> 8);
                o.p[o.n + 2] = (uint8_t)w;
            }
            if (i == n) break;
        }
        uint8_t c = p[i];
        int d = base64_digit(c);
        if (c == '=') {
            padded = true;
            if (quad >= 2 && quad + ++pads >= 4) {
                /* A quad is full: the data ends here. */
                if (strict && i + 1 < n) wrong = "Excess data after padding";
                done = true;
            }
            continue;
        }
        if (d < 0) {
            if (strict) wrong = "Only base64 data is allowed";
            continue;
        }
        if (strict && padded) wrong = "Discontinuous padding not allowed";
        pads = 0;
        bits = bits << 6 | (uint32_t)d;
        if (quad) o.p[o.n++] = (uint8_t)(bits >> (quad == 1 ? 4 : quad == 2 ? 2 : 0));
        quad = (quad + 1) & 3;
    }
    if (!wrong && !done && quad == 1) {
        int chars = (int)(o.n / 3 * 4 + 1);
        out_drop(vm, &o);
        return bad(
            vm, "Invalid base64-encoded string: number of data characters (%d) cannot be 1 more than a multiple of 4",
            chars);
    }
    if (!wrong && !done && quad) wrong = "Incorrect padding";
    if (!wrong) return out_bytes(vm, &o);
    out_drop(vm, &o);
    return bad(vm, wrong, 0);
}

/* ---- checksums ---- */

FN(b_crc32)
{
    const uint8_t *p;
    size_t n;
    static const uint32_t table[256] = {
#include "crc32.def"
    };
    uint32_t crc = 0;
    if (!input(vm, args[0], false, &p, &n)) return V_ERROR;
    if (!value_is_unbound(args[1])) {
        value mask = obj_index(vm, args[1]);
        if (!value_is_error(mask)) mask = int_binary(vm, OPR_AND, mask, value_int(0xFFFFFFFF));
        int64_t start;
        if (value_is_error(mask) || !int_to_i64(vm, mask, &start)) return V_ERROR;
        crc = (uint32_t)start;
        if (!buffer_view(vm, args[0], &p, &n)) return V_ERROR;
    }
    crc = ~crc;
    if (n >= 4096) { /* four bytes at a time, by tables of the bytes further ahead */
        uint32_t ahead[3][256];
        for (unsigned i = 0; i < 256; i++) {
            ahead[0][i] = table[i] >> 8 ^ table[table[i] & 255];
            ahead[1][i] = ahead[0][i] >> 8 ^ table[ahead[0][i] & 255];
            ahead[2][i] = ahead[1][i] >> 8 ^ table[ahead[1][i] & 255];
        }
        for (; n >= 4; n -= 4, p += 4) {
            crc ^= p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
            crc = ahead[2][crc & 255] ^ ahead[1][crc >> 8 & 255] ^ ahead[0][crc >> 16 & 255] ^ table[crc >> 24];
        }
    }
    for (size_t i = 0; i < n; i++) crc = crc >> 8 ^ table[(crc ^ p[i]) & 255];
    return int_from_u64(vm, ~crc & 0xFFFFFFFF);
}

FN(b_crc_hqx)
{
    const uint8_t *p;
    size_t n;
    int64_t start;
    if (!obj_as_index(vm, args[1], &start, 0) || !input(vm, args[0], false, &p, &n)) return V_ERROR;
    uint32_t crc = (uint32_t)start & 0xFFFF;
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint32_t)p[i] << 8;
        for (int k = 0; k < 8; k++) crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xFFFF;
    }
    return value_int(crc);
}

/* ---- quoted-printable ---- */

FN(b_a2b_qp)
{
    const uint8_t *p;
    size_t n;
    bool header;
    struct out o;
    if (!args_bool(vm, args[1], false, &header) || !input(vm, args[0], true, &p, &n) || !out_open(vm, &o, n))
        return V_ERROR;
    for (size_t i = 0; i < n;) {
        if (p[i] == '=') {
            if (++i >= n) break;
            if (p[i] == '\n' || p[i] == '\r') { /* a soft line break */
                if (p[i] != '\n')
                    while (i < n && p[i] != '\n') i++;
                if (i < n) i++;
            } else if (p[i] == '=') { /* broken, but it is around */
                o.p[o.n++] = '=';
                i++;
            } else if (i + 1 < n && hex_digit(p[i]) >= 0 && hex_digit(p[i + 1]) >= 0) {
                o.p[o.n++] = (uint8_t)(hex_digit(p[i]) << 4 | hex_digit(p[i + 1]));
                i += 2;
            } else {
                o.p[o.n++] = '=';
            }
        } else {
            o.p[o.n++] = header && p[i] == '_' ? ' ' : p[i];
            i++;
        }
    }
    return out_bytes(vm, &o);
}

FN(b_b2a_qp)
{
    enum { LINE_MAX_LEN = 76 };
    const uint8_t *p;
    size_t n, line = 0;
    bool quotetabs, istext, header, crlf = false;
    struct out o;
    if (!args_bool(vm, args[1], false, &quotetabs) || !args_bool(vm, args[2], true, &istext) ||
        !args_bool(vm, args[3], false, &header) || !input(vm, args[0], false, &p, &n) ||
        !out_open_times(vm, &o, n, 6, 8))
        return V_ERROR;
    const uint8_t *nl = n ? memchr(p, '\n', n) : NULL;
    crlf = nl && nl > p && nl[-1] == '\r';
    for (size_t i = 0; i < n;) {
        uint8_t c = p[i];
        bool last = i + 1 >= n;
        bool quote = c > 126 || c == '=' || (header && c == '_') ||
                     (c == '.' && line == 0 && (last || p[i + 1] == '\n' || p[i + 1] == '\r' || p[i + 1] == 0)) ||
                     (!istext && (c == '\r' || c == '\n')) || ((c == '\t' || c == ' ') && last) ||
                     (c < 33 && c != '\r' && c != '\n' && c != '\t' && c != ' ') ||
                     (c < 33 && c != '\r' && c != '\n' && quotetabs);
        if (quote) {
            if (line + 3 >= LINE_MAX_LEN) {
                o.p[o.n++] = '=';
                if (crlf) o.p[o.n++] = '\r';
                o.p[o.n++] = '\n';
                line = 0;
            }
            static const char hex[] = "0123456789ABCDEF";
            o.p[o.n++] = '=';
            o.p[o.n++] = (uint8_t)hex[c >> 4];
            o.p[o.n++] = (uint8_t)hex[c & 15];
            line += 3;
            i++;
            continue;
        }
        if (istext && (c == '\n' || (c == '\r' && !last && p[i + 1] == '\n'))) {
            line = 0;
            /* White space at the end of a line would get lost. */
            if (o.n && (o.p[o.n - 1] == ' ' || o.p[o.n - 1] == '\t')) {
                uint8_t ch = o.p[o.n - 1];
                o.p[o.n - 1] = '=';
                o.p[o.n++] = ch == ' ' ? '2' : '0';
                o.p[o.n++] = ch == ' ' ? '0' : '9';
            }
            if (crlf) o.p[o.n++] = '\r';
            o.p[o.n++] = '\n';
            i += c == '\r' ? 2 : 1;
            continue;
        }
        if (!last && p[i + 1] != '\n' && line + 1 >= LINE_MAX_LEN) {
            o.p[o.n++] = '=';
            if (crlf) o.p[o.n++] = '\r';
            o.p[o.n++] = '\n';
            line = 0;
        }
        line++;
        o.p[o.n++] = header && c == ' ' ? '_' : c;
        i++;
    }
    return out_bytes(vm, &o);
}

/* ---- uuencode ---- */

FN(b_a2b_uu)
{
    const uint8_t *p;
    size_t n, i = 1;
    struct out o;
    if (!input(vm, args[0], true, &p, &n)) return V_ERROR;
    size_t want = n ? (p[0] - ' ') & 63 : 32;
    if (!out_open(vm, &o, want)) return V_ERROR;
    uint32_t bits = 0;
    int nbits = 0;
    const char *wrong = NULL;
    while (!wrong && o.n < want) {
        uint8_t c = i < n ? p[i] : 0;
        uint32_t d = 0;
        if (i < n && c != '\n' && c != '\r') {
            if (c < ' ' || c > ' ' + 64) wrong = "Illegal char";
            d = (c - ' ') & 63;
        }
        i++;
        bits = bits << 6 | d;
        nbits += 6;
        if (nbits >= 8) {
            nbits -= 8;
            o.p[o.n++] = (uint8_t)(bits >> nbits);
        }
    }
    for (; !wrong && i < n; i++)
        if (p[i] != ' ' && p[i] != ' ' + 64 && p[i] != '\n' && p[i] != '\r') wrong = "Trailing garbage";
    if (!wrong) return out_bytes(vm, &o);
    out_drop(vm, &o);
    return bad(vm, wrong, 0);
}

FN(b_b2a_uu)
{
    const uint8_t *p;
    size_t n;
    bool backtick;
    struct out o;
    if (!args_bool(vm, args[1], false, &backtick) || !input(vm, args[0], false, &p, &n)) return V_ERROR;
    if (n > 45) return bad(vm, "At most 45 bytes at once", 0);
    if (!out_open(vm, &o, 64)) return V_ERROR;
#define UU(D) ((uint8_t)((D) == 0 && backtick ? '`' : (D) + ' '))
    o.p[o.n++] = UU(n);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t w = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
        for (int k = 18; k >= 0; k -= 6) o.p[o.n++] = UU(w >> k & 63);
    }
#undef UU
    o.p[o.n++] = '\n';
    return out_bytes(vm, &o);
}

static const native_def functions[] = {
    {"hexlify(data, sep=None, bytes_per_sep=1)", b_hexlify, DOC("Hexadecimal representation of binary data."), 0},
    {"b2a_hex(data, sep=None, bytes_per_sep=1)", b_hexlify, DOC("Hexadecimal representation of binary data."), 0},
    {"unhexlify(hexstr, /)", b_unhexlify, DOC("Binary data of hexadecimal representation."), 0},
    {"a2b_hex(hexstr, /)", b_unhexlify, DOC("Binary data of hexadecimal representation."), 0},
    {"b2a_base64(data, /, *, newline=True)", b_b2a_base64, DOC("Base64-code line of data."), 0},
    {"a2b_base64(data, /, *, strict_mode=False)", b_a2b_base64, DOC("Decode a line of base64 data."), 0},
    {"crc32(data, crc=0, /)", b_crc32, DOC("Compute CRC-32 incrementally."), 0},
    {"crc_hqx(data, crc, /)", b_crc_hqx, DOC("Compute CRC-CCITT incrementally."), 0},
    {"a2b_qp(data, header=False)", b_a2b_qp, DOC("Decode a string of qp-encoded data."), 0},
    {"b2a_qp(data, quotetabs=False, istext=True, header=False)", b_b2a_qp,
     DOC("Encode a string using quoted-printable encoding."), 0},
    {"a2b_uu(data, /)", b_a2b_uu, DOC("Decode a line of uuencoded data."), 0},
    {"b2a_uu(data, /, *, backtick=False)", b_b2a_uu, DOC("Uuencode line of data."), 0},
    {0},
};

static bool add_error(vm *vm, module *m, enum module_state_id id, const char *name, unsigned base)
{
    value t = module_state_get(vm, id);
    ROOTS(vm, &m, &t);
    if (value_is_unbound(t)) {
        tuple *bases = tuple_pack(vm, 1, value_obj(EXC_T(vm, ValueError)));
        dict *ns = dict_new(vm);
        str *s = str_from_cstr(vm, name), *in = str_from_cstr(vm, "binascii");
        if (base) bases = tuple_pack(vm, 1, value_obj(vm->types[base]));
        ROOTS(vm, &bases, &ns, &s);
        if (!bases || !ns || !s || !in || !dict_set_str(vm, ns, N(vm, __module__), value_obj(in))) return false;
        t = type_new_class(vm, T(vm, TYPE), s, bases, ns, NULL, V_UNBOUND);
        if (value_is_error(t) || !module_state_set(vm, id, t)) return false;
    }
    return module_add(vm, m, name, t);
}

bool binascii_init(vm *vm, module *m)
{
    ROOTS(vm, &m);
    return add_error(vm, m, STATE_BINASCII_ERROR, "Error", 0) &&
           add_error(vm, m, STATE_BINASCII_INCOMPLETE, "Incomplete", EXC_Exception) &&
           module_add_natives(vm, m, functions);
}
