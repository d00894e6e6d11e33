/* What bytes and bytearray share: searching, cutting, filling, translating, decoding, hexadecimal.
 *
 * The receiver may be a bytearray: everything that can run script (index conversions) comes first, then
 * views of the receiver and the arguments are taken. */
#include "bytes.h"
#include "codec.h"
#include "str_search.h"
#include "str_unicode.h"

/* ---- find, index, count ---- */

typedef struct search_args {
    octets self;
    const uint8_t *p;
    size_t n, from, to;
    bool empty;
    uint8_t one;
} search_args;

static bool read_search(vm *vm, value *args, search_args *s)
{
    bool number = !buffer_is(vm, args[1]);
    if (!args_range(vm, args[2], args[3], octets_of(args[0]).n, &s->from, &s->to, &s->empty)) return false;
    if (number) {
        if (!int_is(args[1]) && !type_of(vm, args[1])->s.index) {
            raise_type_error(vm, "argument should be integer or bytes-like object, not '%T'", args[1]);
            return false;
        }
        if (!bytes_value(vm, args[1], &s->one, "byte must be in range(0, 256)")) return false;
    }
    if (!args_range(vm, args[2], args[3], octets_of(args[0]).n, &s->from, &s->to, &s->empty)) return false;
    if (!str_tick(vm, s->to - s->from)) return false;
    s->p = &s->one;
    s->n = 1;
    if (!number && !buffer_need(vm, args[1], &s->p, &s->n)) return false;
    s->self = octets_of(args[0]);
    if (s->to > s->self.n) s->to = s->self.n; /* shrunk meanwhile */
    if (s->from > s->to) s->from = s->to;
    return true;
}

static value search(vm *vm, value *args, bool last, bool must)
{
    search_args s;
    if (!read_search(vm, args, &s)) return V_ERROR;
    size_t at = FINDER_NONE;
    if (!s.empty) {
        if (s.n == 0) {
            at = last ? s.to : s.from;
        } else {
            finder f;
            finder_init(&f, vm, s.p, 1, s.n, 1, last);
            at = last ? finder_last(&f, s.self.p, s.from, s.to) : finder_next(&f, s.self.p, s.from, s.to);
            finder_done(&f);
        }
    }
    if (at != FINDER_NONE) return value_int((int64_t)at);
    return must ? raise_value_error(vm, "subsection not found") : value_int(-1);
}

METHOD(bytes_find) { return search(vm, args, false, false); }
METHOD(bytes_rfind) { return search(vm, args, true, false); }
METHOD(bytes_index_method) { return search(vm, args, false, true); }
METHOD(bytes_rindex) { return search(vm, args, true, true); }

METHOD(bytes_count)
{
    search_args s;
    if (!read_search(vm, args, &s)) return V_ERROR;
    if (s.empty) return value_int(0);
    if (s.n == 0) return value_int((int64_t)(s.to - s.from + 1));
    finder f;
    finder_init(&f, vm, s.p, 1, s.n, 1, false);
    int64_t count = 0;
    for (size_t at; (at = finder_next(&f, s.self.p, s.from, s.to)) != FINDER_NONE; s.from = at + s.n) count++;
    finder_done(&f);
    return value_int(count);
}

/* ---- startswith and relatives ---- */

static bool tail_match(octets o, const uint8_t *p, size_t n, size_t from, size_t to, bool end)
{
    return to - from >= n && memcmp(o.p + (end ? to - n : from), p, n) == 0;
}

static value tail_method(vm *vm, value *args, const char *name, bool end)
{
    size_t from, to, n;
    const uint8_t *p;
    bool empty;
    if (!args_range(vm, args[2], args[3], octets_of(args[0]).n, &from, &to, &empty)) return V_ERROR;
    octets o = octets_of(args[0]);
    if (to > o.n) to = o.n;
    if (from > to) from = to;
    if (IS_TUPLE(args[1])) {
        const tuple *t = AS(tuple, args[1]);
        for (size_t i = 0; i < t->len; i++) {
            if (!buffer_need(vm, t->items[i], &p, &n)) return V_ERROR;
            if (!empty && tail_match(o, p, n, from, to, end)) return V_TRUE;
        }
        return V_FALSE;
    }
    if (!buffer_is(vm, args[1]))
        return raise_type_error(vm, "%s first arg must be bytes or a tuple of bytes, not %T", name, args[1]);
    if (!buffer_need(vm, args[1], &p, &n)) return V_ERROR;
    return value_bool(!empty && tail_match(o, p, n, from, to, end));
}

METHOD(bytes_startswith) { return tail_method(vm, args, "startswith", false); }
METHOD(bytes_endswith) { return tail_method(vm, args, "endswith", true); }

static value subsection(vm *vm, value self, size_t from, size_t to)
{
    octets o = octets_of(self);
    return o.array ? value_obj(bytearray_new(vm, o.p + from, to - from))
                   : value_obj(bytes_substr(vm, AS(bytes, self), from, to));
}

static value remove_affix(vm *vm, value *args, bool end)
{
    const uint8_t *p;
    size_t n;
    if (!buffer_need(vm, args[1], &p, &n)) return V_ERROR;
    octets o = octets_of(args[0]);
    if (!n || !tail_match(o, p, n, 0, o.n, end)) return octets_unchanged(vm, args[0]);
    return end ? subsection(vm, args[0], 0, o.n - n) : subsection(vm, args[0], n, o.n);
}

METHOD(bytes_removeprefix) { return remove_affix(vm, args, false); }
METHOD(bytes_removesuffix) { return remove_affix(vm, args, true); }

/* ---- strip ---- */

static value strip(vm *vm, value *args, bool left, bool right)
{
    static const uint8_t space[] = " \t\n\r\f\v";
    const uint8_t *set = space;
    size_t n = 6;
    if (!value_is_unbound(args[1]) && !value_is_none(args[1]) && !buffer_need(vm, args[1], &set, &n)) return V_ERROR;
    octets o = octets_of(args[0]);
    size_t from = 0, to = o.n;
    if (left)
        while (from < to && n && memchr(set, o.p[from], n)) from++;
    if (right)
        while (to > from && n && memchr(set, o.p[to - 1], n)) to--;
    if (to - from == o.n) return octets_unchanged(vm, args[0]);
    return subsection(vm, args[0], from, to);
}

METHOD(bytes_strip) { return strip(vm, args, true, true); }
METHOD(bytes_lstrip) { return strip(vm, args, true, false); }
METHOD(bytes_rstrip) { return strip(vm, args, false, true); }

/* ---- padding ---- */

static value justify(vm *vm, value *args, const char *name, int where)
{
    int64_t width;
    uint8_t fill = ' ';
    if (!args_ssize(vm, args[1], 0, &width)) return V_ERROR;
    if (!value_is_unbound(args[2])) {
        if (!(IS_BYTES(args[2]) || IS_BYTEARRAY(args[2])) || octets_of(args[2]).n != 1) {
            return raise_type_error(vm, "%s() argument 2 must be a byte string of length 1, not %A", name, args[2]);
        }
        fill = octets_of(args[2]).p[0];
    }
    octets o = octets_of(args[0]);
    if (width <= (int64_t)o.n) return octets_unchanged(vm, args[0]);
    size_t n = (size_t)width - o.n, left = where < 0 ? 0 : where > 0 ? n : n / 2 + (n & (size_t)width & 1);
    byte_builder b;
    bb_init(&b, vm);
    bb_reserve(&b, (size_t)width);
    bb_fill(&b, fill, left);
    bb_add(&b, o.p, o.n);
    bb_fill(&b, fill, n - left);
    return bb_result(&b, o.array);
}

METHOD(bytes_ljust) { return justify(vm, args, "ljust", -1); }
METHOD(bytes_rjust) { return justify(vm, args, "rjust", 1); }
METHOD(bytes_center) { return justify(vm, args, "center", 0); }

METHOD(bytes_zfill)
{
    int64_t width;
    if (!args_ssize(vm, args[1], 0, &width)) return V_ERROR;
    octets o = octets_of(args[0]);
    if (width <= (int64_t)o.n) return octets_unchanged(vm, args[0]);
    byte_builder b;
    bb_init(&b, vm);
    bb_reserve(&b, (size_t)width);
    size_t sign = o.n && (o.p[0] == '+' || o.p[0] == '-');
    bb_add(&b, o.p, sign);
    bb_fill(&b, '0', (size_t)width - o.n);
    bb_add(&b, o.p + sign, o.n - sign);
    return bb_result(&b, o.array);
}

METHOD(bytes_expandtabs)
{
    int tab;
    if (!args_int(vm, args[1], 8, &tab)) return V_ERROR;
    octets o = octets_of(args[0]);
    byte_builder b;
    bb_init(&b, vm);
    size_t column = 0;
    for (size_t i = 0; i < o.n && !b.failed; i++) {
        if (o.p[i] == '\t') {
            size_t n = tab > 0 ? (size_t)tab - column % (size_t)tab : 0;
            bb_fill(&b, ' ', n);
            column += n;
        } else {
            bb_byte(&b, o.p[i]);
            column = o.p[i] == '\n' || o.p[i] == '\r' ? 0 : column + 1;
        }
    }
    return bb_result(&b, o.array);
}

/* ---- replace, translate ---- */

METHOD(bytes_replace)
{
    int64_t limit;
    const uint8_t *from, *to;
    size_t nfrom, nto;
    for (int i = 1; i < 3; i++) { /* complain about these first, but look at them when no script runs any more */
        if (!buffer_need(vm, args[i], &from, &nfrom)) return V_ERROR;
    }
    if (!args_ssize(vm, args[3], -1, &limit) || !str_tick(vm, octets_of(args[0]).n)) return V_ERROR;
    if (!buffer_need(vm, args[1], &from, &nfrom) || !buffer_need(vm, args[2], &to, &nto)) return V_ERROR;
    octets o = octets_of(args[0]);
    size_t max = limit < 0 ? SIZE_MAX : (size_t)limit, done = 0;
    byte_builder b;
    bb_init(&b, vm);
    if (max == 0 || nfrom > o.n) return octets_unchanged(vm, args[0]);
    if (nfrom == 0) {
        for (size_t i = 0; i <= o.n && max && !b.failed; i++, max--) {
            bb_add(&b, to, nto);
            if (i < o.n) bb_byte(&b, o.p[i]);
            done = i + 1;
        }
    } else {
        finder f;
        finder_init(&f, vm, from, 1, nfrom, 1, false);
        for (size_t at; max && !b.failed && (at = finder_next(&f, o.p, done, o.n)) != FINDER_NONE; max--) {
            bb_add(&b, o.p + done, at - done);
            bb_add(&b, to, nto);
            done = at + nfrom;
        }
        finder_done(&f);
        if (done == 0) return octets_unchanged(vm, args[0]);
    }
    if (done < o.n) bb_add(&b, o.p + done, o.n - done);
    return bb_result(&b, o.array);
}

METHOD(bytes_translate)
{
    const uint8_t *table = NULL, *gone = NULL;
    size_t n, ngone = 0;
    if (!value_is_none(args[1])) {
        if (!buffer_need(vm, args[1], &table, &n)) return V_ERROR;
        if (n != 256) return raise_value_error(vm, "translation table must be 256 characters long");
    }
    if (!value_is_unbound(args[2]) && !buffer_need(vm, args[2], &gone, &ngone)) return V_ERROR;
    octets o = octets_of(args[0]);
    bool drop[256] = {false};
    for (size_t i = 0; i < ngone; i++) drop[gone[i]] = true;
    byte_builder b;
    bb_init(&b, vm);
    if (!bb_reserve(&b, o.n)) return V_ERROR;
    for (size_t i = 0; i < o.n; i++) {
        if (!drop[o.p[i]]) b.data[b.len++] = table ? table[o.p[i]] : o.p[i];
    }
    return bb_result(&b, o.array);
}

/* A static method: args[0] and args[1] are frm and to. */
METHOD(bytes_maketrans)
{
    const uint8_t *from, *to;
    size_t nfrom, nto;
    if (!buffer_need(vm, args[0], &from, &nfrom) || !buffer_need(vm, args[1], &to, &nto)) return V_ERROR;
    if (nfrom != nto) return raise_value_error(vm, "maketrans arguments must have same length");
    bytes *b = bytes_alloc(vm, 256);
    if (!b) return V_ERROR;
    for (unsigned i = 0; i < 256; i++) b->u.inl[i] = (uint8_t)i;
    for (size_t i = 0; i < nfrom; i++) b->u.inl[from[i]] = to[i];
    return value_obj(b);
}

/* ---- text ---- */

METHOD(bytes_decode)
{
    static const char *const names[] = {"", "decode() argument 'encoding'", "decode() argument 'errors'"};
    for (int i = 1; i < 3; i++) {
        if (!value_is_unbound(args[i]) && !IS_STR(args[i])) {
            return args_need_str(vm, names[i], args[i]);
        }
    }
    if (!str_tick(vm, octets_of(args[0]).n)) return V_ERROR;
    if (octets_of(args[0]).n == 0) return value_obj(vm->empty_str);
    return str_value(codec_decode_any(vm, args[1], args[0], args[2]));
}

void hex_digits(uint8_t *d, const uint8_t *p, size_t n)
{
    static const uint8_t digits[] = "0123456789abcdef";
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; n >= 4; n -= 4, p += 4, d += 8) { /* four bytes at a time: their nibbles apart in a word, then made digits */
        uint32_t four;
        memcpy(&four, p, 4);
        uint64_t w = four;
        w = (w | w << 16) & UINT64_C(0x0000FFFF0000FFFF);
        w = (w | w << 8) & UINT64_C(0x00FF00FF00FF00FF);
        w = (w >> 4 & UINT64_C(0x000F000F000F000F)) | (w & UINT64_C(0x000F000F000F000F)) << 8;
        uint64_t letters = (w + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
        w += UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
        memcpy(d, &w, 8);
    }
#endif
    for (; n; n--, p++) {
        *d++ = digits[*p >> 4];
        *d++ = digits[*p & 15];
    }
}

/* For memoryview too. */
value bytes_hex_of(vm *vm, const uint8_t *p, size_t n, value sep, value per)
{
    uint32_t c = 0;
    int group = 1;
    if (!value_is_unbound(sep)) {
        bool text = IS_STR(sep) || IS_BYTES(sep);
        int64_t len = IS_STR(sep)     ? (int64_t)AS(str, sep)->len
                      : IS_BYTES(sep) ? (int64_t)AS(bytes, sep)->len
                                      : obj_len(vm, sep);
        if (len < 0) return V_ERROR;
        if (len != 1) return raise_value_error(vm, "sep must be length 1.");
        if (!text) return raise_type_error(vm, "sep must be str or bytes.");
        c = IS_STR(sep) ? str_at(AS(str, sep), 0) : AS(bytes, sep)->data[0];
        if (c > 127) return raise_value_error(vm, "sep must be ASCII.");
    }
    if (!args_int(vm, per, 1, &group)) return V_ERROR;
    size_t size = group < 0 ? 0 - (size_t)(int64_t)group : (size_t)group;
    str_builder b;
    sb_init(&b, vm);
    if (n > STR_LEN_MAX / 4) return raise_memory(vm);
    bool grouped = !value_is_unbound(sep) && size > 0;
    if (!grouped && n) {
        str *s = str_alloc(vm, n * 2, 0x7F);
        if (s) hex_digits(str_wdata(s), p, n);
        return str_value(s);
    }
    sb_reserve(&b, n * 2, 0x7F);
    for (size_t i = 0; i < n && !b.failed; i++) {
        /* Positive groups are counted from the right. */
        if (grouped && i && (group > 0 ? n - i : i) % size == 0) sb_char(&b, c);
        char h[2] = {"0123456789abcdef"[p[i] >> 4], "0123456789abcdef"[p[i] & 15]};
        sb_ascii(&b, h, 2);
    }
    return str_value(sb_finish(&b));
}

METHOD(bytes_hex)
{
    octets o = octets_of(args[0]);
    if (!value_is_unbound(args[2])) { /* bytes_per_sep may run script */
        int group;
        if (!args_int(vm, args[2], 1, &group)) return V_ERROR;
        args[2] = value_int(group);
        o = octets_of(args[0]);
    }
    return bytes_hex_of(vm, o.p, o.n, args[1], args[2]);
}

static int hex_digit(uint32_t c)
{
    return c >= '0' && c <= '9'                            ? (int)c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' && c < 128 ? (int)(c | 32) - 'a' + 10
                                                           : -1;
}

METHOD(bytes_fromhex)
{
    if (!IS_STR(args[1])) return args_need_str(vm, "fromhex() argument", args[1]);
    const str *s = AS(str, args[1]);
    type *cls = AS(type, args[0]);
    byte_builder b;
    bb_init(&b, vm);
    for (size_t i = 0; i < s->len;) {
        uint32_t c = str_at(s, i);
        if (c == ' ' || (c >= 9 && c <= 13)) {
            i++;
            continue;
        }
        int hi = hex_digit(c), lo = i + 1 < s->len ? hex_digit(str_at(s, i + 1)) : -1;
        if (hi < 0 || lo < 0) {
            bb_drop(&b);
            return raise_value_error(vm, "non-hexadecimal number found in fromhex() arg at position %zu",
                                     hi < 0 ? i : i + 1);
        }
        bb_byte(&b, (uint8_t)(hi << 4 | lo));
        i += 2;
    }
    bool array = type_is_subtype(cls, T(vm, BYTEARRAY));
    value v = bb_result(&b, array);
    if (value_is_error(v) || cls == T(vm, BYTES) || cls == T(vm, BYTEARRAY)) return v;
    return vm_call1(vm, value_obj(cls), v);
}
