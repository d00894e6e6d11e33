/* The module unicodedata: properties of characters and normal forms, by utf8proc. */
#include <utf8proc.h>

#include "module_state.h"
#include "vm/str.h"
#include "vm/str_unicode.h"

#define DOC_FILE stdlib_mod_unicodedata
DOC_BEGIN;

static bool char_of(vm *vm, value v, const char *function, uint32_t *out)
{
    if (!IS_STR(v)) {
        raise_type_error(vm, "%s() argument%s must be a unicode character, not %T", function,
                         function[0] == 'd' || function[0] == 'n' ? " 1" : "", v);
        return false;
    }
    if (AS(str, v)->len != 1) {
        raise_type_error(vm, "%s() argument%s must be a unicode character, not str", function,
                         function[0] == 'd' || function[0] == 'n' ? " 1" : "");
        return false;
    }
    *out = str_at(AS(str, v), 0);
    return true;
}

static value ascii(vm *vm, const char *s) { return str_value(str_intern_utf8(vm, s, strlen(s))); }

FN(u_category)
{
    uint32_t c;
    if (!char_of(vm, args[0], "category", &c)) return V_ERROR;
    return ascii(vm, utf8proc_category_string((utf8proc_int32_t)c));
}

FN(u_bidirectional)
{
    static const char *const names[] = {"",   "L",  "LRE", "LRO", "R", "AL", "RLE", "RLO", "PDF", "EN",  "ES",  "ET",
                                        "AN", "CS", "NSM", "BN",  "B", "S",  "WS",  "ON",  "LRI", "RLI", "FSI", "PDI"};
    uint32_t c;
    if (!char_of(vm, args[0], "bidirectional", &c)) return V_ERROR;
    unsigned k = (unsigned)utf8proc_get_property((utf8proc_int32_t)c)->bidi_class;
    return ascii(vm, k < sizeof names / sizeof *names ? names[k] : "");
}

FN(u_combining)
{
    uint32_t c;
    if (!char_of(vm, args[0], "combining", &c)) return V_ERROR;
    return value_int(utf8proc_get_property((utf8proc_int32_t)c)->combining_class);
}

FN(u_mirrored)
{
    uint32_t c;
    if (!char_of(vm, args[0], "mirrored", &c)) return V_ERROR;
    return value_int(utf8proc_get_property((utf8proc_int32_t)c)->bidi_mirrored);
}

FN(u_east_asian_width)
{
    enum { N, A, F, H, Na, W };
    static const char *const names[] = {"N", "A", "F", "H", "Na", "W"};
    static const struct {
        uint32_t first : 24, kind : 8, last;
    } table[] = {
#define WIDTH(FIRST, LAST, KIND) {FIRST, KIND, LAST},
#include "unicodedata.def"
#undef WIDTH
    };
    uint32_t c;
    if (!char_of(vm, args[0], "east_asian_width", &c)) return V_ERROR;
    size_t lo = 0, hi = sizeof table / sizeof *table;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c > table[mid].last) lo = mid + 1;
        else hi = mid;
    }
    bool in = lo < sizeof table / sizeof *table && c >= table[lo].first;
    return ascii(vm, names[in ? table[lo].kind : N]);
}

/* ---- numbers ---- */

static const struct numeric {
    uint32_t first, last;
    int64_t num, step;
    int32_t den;
    bool digit;
} numerics[] = {
#define NUMERIC(FIRST, LAST, NUM, DEN, STEP, DIGIT) {FIRST, LAST, NUM, STEP, DEN, DIGIT},
#include "unicodedata.def"
#undef NUMERIC
};

static const struct numeric *numeric_of(uint32_t c)
{
    size_t lo = 0, hi = sizeof numerics / sizeof *numerics;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c > numerics[mid].last) lo = mid + 1;
        else hi = mid;
    }
    return lo < sizeof numerics / sizeof *numerics && c >= numerics[lo].first ? &numerics[lo] : NULL;
}

static value or_default(vm *vm, value dflt, const char *what)
{
    return value_is_unbound(dflt) ? raise_value_error(vm, "not a %s", what) : dflt;
}

FN(u_decimal)
{
    uint32_t c;
    if (!char_of(vm, args[0], "decimal", &c)) return V_ERROR;
    int d = uni_decimal(c);
    return d < 0 ? or_default(vm, args[1], "decimal") : value_int(d);
}

FN(u_digit)
{
    uint32_t c;
    if (!char_of(vm, args[0], "digit", &c)) return V_ERROR;
    int d = uni_decimal(c);
    if (d >= 0) return value_int(d);
    const struct numeric *n = numeric_of(c);
    return n && n->digit ? value_int(n->num + n->step * (int64_t)(c - n->first)) : or_default(vm, args[1], "digit");
}

FN(u_numeric)
{
    uint32_t c;
    if (!char_of(vm, args[0], "numeric", &c)) return V_ERROR;
    int d = uni_decimal(c);
    if (d >= 0) return value_float(d);
    const struct numeric *n = numeric_of(c);
    if (!n) return or_default(vm, args[1], "numeric character");
    return value_float((double)(n->num + n->step * (int64_t)(c - n->first)) / n->den);
}

/* ---- names ---- */

FN(u_lookup)
{
    if (!IS_STR(args[0])) return raise_type_error(vm, "lookup() argument must be str, not %T", args[0]);
    size_t n;
    const char *s = str_utf8(vm, str_plain(AS(str, args[0])), &n);
    if (!s) return V_ERROR;
    uint32_t c = uni_by_name(s, n);
    if (c <= CP_MAX) return str_value(str_char(vm, c));
    return raise(vm, EXC_KeyError, "undefined character name '%S'", args[0]);
}

FN(u_name)
{
    uint32_t c;
    char name[UNI_NAME_MOST];
    if (!char_of(vm, args[0], "name", &c)) return V_ERROR;
    size_t n = uni_name_of(c, name);
    if (n) return str_value(str_from_ascii(vm, name, n));
    return value_is_unbound(args[1]) ? raise_value_error(vm, "no such name") : args[1];
}

/* ---- normal forms ---- */

struct points {
    int32_t *p;
    size_t n, cap;
};

static bool points_room(vm *vm, struct points *b, size_t more)
{
    if (b->cap - b->n >= more) return true;
    size_t cap = b->cap + b->cap / 2 + more + 16, size, old = b->cap * sizeof *b->p;
    if (!size_mul(cap, sizeof *b->p, &size)) {
        raise_memory(vm);
        return false;
    }
    int32_t *p = mem_realloc(vm, b->p, old, size);
    if (!p) return false;
    b->p = p;
    b->cap = cap;
    return true;
}

static unsigned combining_class(int32_t c) { return (unsigned)utf8proc_get_property(c)->combining_class; }

/* Stable order of the marks after a base by their combining classes. */
static void order_marks(struct points *b)
{
    for (size_t i = 1; i < b->n; i++) {
        unsigned k = combining_class(b->p[i]);
        if (!k) continue;
        int32_t c = b->p[i];
        size_t j = i;
        for (; j > 0 && combining_class(b->p[j - 1]) > k; j--) b->p[j] = b->p[j - 1];
        b->p[j] = c;
    }
}

/* The decomposition of s[from:to], canonical or compatible, composed again if asked for. false: raised. */
static bool normal_form(vm *vm, const str *s, bool compat, bool compose, struct points *out)
{
    utf8proc_option_t options = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE;
    if (compat) options |= UTF8PROC_COMPAT;
    for (size_t i = 0; i < s->len; i++) {
        int boundary = UTF8PROC_BOUNDCLASS_START;
        int32_t c = (int32_t)str_at(s, i);
        if (!points_room(vm, out, 24)) return false;
        utf8proc_ssize_t n = utf8proc_decompose_char(c, out->p + out->n, 24, options, &boundary);
        if (n < 0 || n > 24) { /* a lone surrogate: it stands for itself */
            out->p[out->n] = c;
            n = 1;
        }
        out->n += (size_t)n;
    }
    order_marks(out);
    if (compose) {
        utf8proc_ssize_t n =
            utf8proc_normalize_utf32(out->p, (utf8proc_ssize_t)out->n, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
        if (n >= 0) out->n = (size_t)n;
    }
    return true;
}

static value normalized(vm *vm, value form, value v)
{
    if (!IS_STR(form) || !IS_STR(v))
        return raise_type_error(vm, "normalize() argument %d must be str, not %T", IS_STR(form) ? 2 : 1,
                                IS_STR(form) ? v : form);
    const str *f = AS(str, form);
    bool compat = str_equal_ascii(f, "NFKC") || str_equal_ascii(f, "NFKD");
    bool compose = str_equal_ascii(f, "NFC") || str_equal_ascii(f, "NFKC");
    if (!compat && !compose && !str_equal_ascii(f, "NFD")) return raise_value_error(vm, "invalid normalization form");
    str *s = str_plain(AS(str, v));
    if (str_is_ascii(s) || !s->len) return value_obj(s);
    if (!str_tick(vm, s->len)) return V_ERROR;
    struct points b = {0};
    str *r = normal_form(vm, s, compat, compose, &b) ? str_from_text(vm, b.p, 4, b.n) : NULL;
    if (b.p) mem_free(vm, b.p, b.cap * sizeof *b.p);
    return str_value(r);
}

FN(u_normalize) { return normalized(vm, args[0], args[1]); }
FN(u_is_normalized)
{
    value r = normalized(vm, args[0], args[1]);
    return value_is_error(r) ? V_ERROR : value_bool(str_eq(AS(str, r), AS(str, args[1])));
}

/* utf8proc knows whole decompositions; Unicode's data one step: of a canonical one that is a base and a mark, or one
 * other character; of a compatible one the whole, composed. */
FN(u_decomposition)
{
    static const char *const tags[] = {
        "",          "<font> ",     "<noBreak> ", "<initial> ",  "<medial> ", "<final> ",  "<isolated> ",
        "<circle> ", "<super> ",    "<sub> ",     "<vertical> ", "<wide> ",   "<narrow> ", "<small> ",
        "<square> ", "<fraction> ", "<compat> "};
    uint32_t c;
    if (!char_of(vm, args[0], "decomposition", &c)) return V_ERROR;
    const utf8proc_property_t *p = utf8proc_get_property((utf8proc_int32_t)c);
    if (p->decomp_seqindex == UINT16_MAX || (c >= 0xAC00 && c <= 0xD7A3)) return value_obj(vm->empty_str);
    struct points b = {0};
    bool compat = p->decomp_type != 0;
    if (!normal_form(vm, AS(str, args[0]), compat, false, &b)) {
        if (b.p) mem_free(vm, b.p, b.cap * sizeof *b.p);
        return V_ERROR;
    }
    size_t compose = compat ? b.n : b.n - 1;
    if (compose > 1) {
        int32_t last = b.p[b.n - 1];
        utf8proc_ssize_t n =
            utf8proc_normalize_utf32(b.p, (utf8proc_ssize_t)compose, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
        if (n >= 0) {
            b.n = (size_t)n;
            if (!compat) b.p[b.n++] = last;
        }
    }
    str_builder out;
    sb_init(&out, vm);
    sb_cstr(&out, (size_t)p->decomp_type < sizeof tags / sizeof *tags ? tags[p->decomp_type] : "");
    for (size_t i = 0; i < b.n; i++) {
        char hex[12];
        unsigned at = 0, digits = b.p[i] > 0xFFFFF ? 6 : b.p[i] > 0xFFFF ? 5 : 4;
        if (i) sb_char(&out, ' ');
        for (; at < digits; at++) hex[at] = "0123456789ABCDEF"[(uint32_t)b.p[i] >> 4 * (digits - 1 - at) & 15];
        sb_ascii(&out, hex, digits);
    }
    mem_free(vm, b.p, b.cap * sizeof *b.p);
    return str_value(sb_finish(&out));
}

static const native_def functions[] = {
    {"lookup(name, /)", u_lookup, DOC("The character of this name."), 0},
    {"name(chr, default=None, /)", u_name, DOC("The name of this character, such as 'LATIN SMALL LETTER A'."), 0},
    {"category(chr, /)", u_category, DOC("The general category, such as 'Lu'."), 0},
    {"bidirectional(chr, /)", u_bidirectional, DOC("The bidirectional class, such as 'L'."), 0},
    {"combining(chr, /)", u_combining, DOC("The canonical combining class; 0: none."), 0},
    {"mirrored(chr, /)", u_mirrored, DOC("1 if it is mirrored in text from right to left."), 0},
    {"east_asian_width(chr, /)", u_east_asian_width, DOC("The East Asian width, such as 'W'."), 0},
    {"decimal(chr, default=None, /)", u_decimal, DOC("The value as a decimal digit."), 0},
    {"digit(chr, default=None, /)", u_digit, DOC("The value as a digit."), 0},
    {"numeric(chr, default=None, /)", u_numeric, DOC("The value as a number."), 0},
    {"decomposition(chr, /)", u_decomposition, DOC("The decomposition mapping; empty: none."), 0},
    {"normalize(form, unistr, /)", u_normalize, DOC("The normal form NFC, NFKC, NFD or NFKD of a text."), 0},
    {"is_normalized(form, unistr, /)", u_is_normalized, DOC("Is the text in the normal form?"), 0},
    {0},
};

bool unicodedata_init(vm *vm, module *m)
{
    return module_add_natives(vm, m, functions) && module_add(vm, m, "unidata_version", ascii(vm, "14.0.0"));
}
