/* Case conversion. ASCII goes a byte at a time through arithmetic that the compiler vectorises; the rest
 * by the full Unicode mappings, with the final sigma. */
#include "str.h"
#include "str_unicode.h"

#define SELF AS(str, args[0])

typedef enum case_op { OP_UPPER, OP_LOWER, OP_FOLD, OP_SWAP, OP_TITLE, OP_CAPITALIZE } case_op;

static str *map_ascii(vm *vm, str *s, uint8_t first)
{
    if (s->len < 2) {
        if (s->len == 0) return str_plain(s);
        uint8_t c = *(const uint8_t *)s->data;
        return vm->chars[(uint8_t)(c - first) < 26 ? c ^ 32 : c];
    }
    str *r = str_alloc(vm, s->len, 0x7F);
    if (!r) return NULL;
    uint8_t *d = str_wdata(r);
    const uint8_t *p = s->data;
    for (size_t i = 0; i < s->len; i++) d[i] = p[i] ^ (uint8_t)((uint8_t)(p[i] - first) < 26) << 5;
    return r;
}

static str *swap_ascii(vm *vm, const str *s)
{
    str *r = str_alloc(vm, s->len, 0x7F);
    if (!r) return NULL;
    uint8_t *d = str_wdata(r);
    const uint8_t *p = s->data;
    for (size_t i = 0; i < s->len; i++) d[i] = p[i] ^ (uint8_t)((uint8_t)((p[i] | 32) - 'a') < 26) << 5;
    return r;
}

static str *title_ascii(vm *vm, const str *s)
{
    str *r = str_alloc(vm, s->len, 0x7F);
    if (!r) return NULL;
    uint8_t *d = str_wdata(r), previous = 0; /* 32: the point before is a letter */
    const uint8_t *p = s->data;
    for (size_t i = 0; i < s->len; i++) {
        bool letter = (uint8_t)((p[i] | 32) - 'a') < 26;
        d[i] = letter ? (uint8_t)((p[i] & ~32) | previous) : p[i];
        previous = (uint8_t)letter << 5;
    }
    return r;
}

/* Is the sigma at i the last letter of a word? */
static bool final_sigma(const str *s, size_t i)
{
    size_t j = i;
    uint32_t c = 0;
    while (j > 0) {
        c = str_at(s, --j);
        if (!uni_is_case_ignorable(c)) break;
        c = 0;
    }
    if (!c || !uni_is_cased(c)) return false;
    for (j = i + 1; j < s->len; j++) {
        c = str_at(s, j);
        if (!uni_is_case_ignorable(c)) return !uni_is_cased(c);
    }
    return true;
}

static unsigned lower_at(const str *s, size_t i, uint32_t c, uint32_t out[3])
{
    if (c != 0x3A3) return uni_lower(c, out);
    out[0] = final_sigma(s, i) ? 0x3C2 : 0x3C3;
    return 1;
}

static void put_points(str_builder *b, const uint32_t *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++) sb_char(b, p[i]);
}

/* One point's mapping where that is one point and needs no neighbours; NO_PLAIN: look it up. */
enum { NO_PLAIN = UINT32_MAX };
static inline uint32_t plain_upper(uint32_t c)
{
    if (c < 0x80) return c - 'a' < 26 ? c ^ 32 : c;
    if (LIKELY(uni_is_low(c))) {
        const low_kind *k = uni_low(c);
        return k->flags & LOW_SPECIAL ? (uint32_t)NO_PLAIN : c + (uint32_t)k->upper;
    }
    return uni_is_caseless(c) ? c : (uint32_t)NO_PLAIN;
}

static inline uint32_t plain_lower(uint32_t c)
{
    if (c < 0x80) return c - 'A' < 26 ? c ^ 32 : c;
    if (LIKELY(uni_is_low(c))) {
        const low_kind *k = uni_low(c);
        return k->flags & LOW_SPECIAL || c == 0x3A3 ? (uint32_t)NO_PLAIN : c + (uint32_t)k->lower;
    }
    return uni_is_caseless(c) ? c : (uint32_t)NO_PLAIN;
}

static inline uint32_t plain_case(uint32_t c, case_op op, bool previous, size_t i)
{
    switch (op) {
    case OP_UPPER: return plain_upper(c);
    case OP_FOLD:
        if (uni_is_low(c) && (uni_low(c)->flags & LOW_FOLDS || c == 0x3A3)) return NO_PLAIN;
        return plain_lower(c);
    case OP_LOWER: return plain_lower(c);
    case OP_SWAP: {
        uint32_t u = plain_upper(c);
        return u != c ? u : plain_lower(c);
    }
    case OP_TITLE: return previous ? plain_lower(c) : plain_upper(c);
    default: return i ? plain_lower(c) : plain_upper(c);
    }
}

static inline bool is_cased(uint32_t c)
{
    if (c < 0x80) return ascii_class[c] & AC_ALPHA;
    return uni_is_low(c) ? uni_low(c)->flags & LOW_CASED : uni_is_cased(c);
}

/* The mapping of the point at i into out; how many points. */
static unsigned map_point(const str *s, size_t i, uint32_t c, case_op op, bool previous, uint32_t out[3])
{
    uint32_t plain = plain_case(c, op, previous, i);
    if (LIKELY(plain != NO_PLAIN)) return out[0] = plain, 1;
    switch (op) {
    case OP_UPPER: return uni_upper(c, out);
    case OP_LOWER: return lower_at(s, i, c, out);
    case OP_FOLD: return uni_fold(c, out);
    case OP_SWAP:
        if (uni_is_upper(c)) return lower_at(s, i, c, out);
        if (uni_is_lower(c)) return uni_upper(c, out);
        return out[0] = c, 1;
    case OP_TITLE: return previous ? lower_at(s, i, c, out) : uni_title(c, out);
    default: return i ? lower_at(s, i, c, out) : uni_title(c, out);
    }
}

/* Point for point into text of the same width; NULL without an exception where the result has another length or width.
 */
static inline __attribute__((always_inline)) str *map_same(vm *vm, const str *s, case_op op, unsigned w)
{
    str *r = str_alloc(vm, s->len, str_maxchar(s));
    if (!r) return NULL;
    void *d = str_wdata(r);
    uint32_t bits = 0;
    bool previous = false; /* the point before is cased */
    for (size_t i = 0; i < s->len; i++) {
        uint32_t c = text_at(s->data, w, i), out[3] = {plain_case(c, op, previous, i)};
        if (UNLIKELY(out[0] == NO_PLAIN) && map_point(s, i, c, op, previous, out) != 1) return NULL;
        if (op == OP_TITLE) previous = is_cased(c);
        text_put(d, w, i, out[0]);
        bits |= out[0];
    }
    unsigned need = bits > 0xFFFF ? 4 : bits > 0xFF ? 2 : bits > 0x7F ? 1 : 0;
    return need == w ? r : NULL;
}

static value convert(vm *vm, value *args, case_op op)
{
    if (!str_tick(vm, SELF->len)) return V_ERROR;
    str *s = SELF, *r = NULL;
    if (s->len > 1 && !str_is_ascii(s)) {
        if (str_width(s) != 2) r = map_same(vm, s, op, str_width(s));
        else if (op == OP_UPPER) r = map_same(vm, s, OP_UPPER, 2);
        else if (op == OP_LOWER) r = map_same(vm, s, OP_LOWER, 2);
        else r = map_same(vm, s, op, 2);
        if (r || raised(vm)) return str_value(r);
    }
    str_builder b;
    sb_init(&b, vm);
    sb_reserve(&b, s->len, 0x7F);
    bool previous = false;
    for (size_t i = 0; i < s->len && !b.failed; i++) {
        uint32_t c = str_at(s, i), out[3];
        unsigned n = map_point(s, i, c, op, previous, out);
        if (op == OP_TITLE) previous = is_cased(c);
        put_points(&b, out, n);
    }
    return str_value(sb_finish(&b));
}

METHOD(str_upper) { return str_is_ascii(SELF) ? str_value(map_ascii(vm, SELF, 'a')) : convert(vm, args, OP_UPPER); }
METHOD(str_lower) { return str_is_ascii(SELF) ? str_value(map_ascii(vm, SELF, 'A')) : convert(vm, args, OP_LOWER); }
METHOD(str_casefold) { return str_is_ascii(SELF) ? str_value(map_ascii(vm, SELF, 'A')) : convert(vm, args, OP_FOLD); }
METHOD(str_swapcase)
{
    return str_is_ascii(SELF) && SELF->len > 1 ? str_value(swap_ascii(vm, SELF)) : convert(vm, args, OP_SWAP);
}
METHOD(str_title)
{
    return str_is_ascii(SELF) && SELF->len > 1 ? str_value(title_ascii(vm, SELF)) : convert(vm, args, OP_TITLE);
}

METHOD(str_capitalize)
{
    if (!str_is_ascii(SELF) || SELF->len < 2) return convert(vm, args, OP_CAPITALIZE);
    str *r = map_ascii(vm, SELF, 'A');
    if (r) *(uint8_t *)str_wdata(r) = ascii_upper(*(const uint8_t *)r->data);
    return str_value(r);
}
