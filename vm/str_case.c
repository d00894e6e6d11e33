/* Case conversion. ASCII goes a byte at a time through arithmetic that the compiler vectorises; the rest
 * by the full Unicode mappings, with the final sigma. */
#include "str.h"
#include "str_unicode.h"

#define SELF AS(str, args[0])

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

typedef enum case_op { OP_UPPER, OP_LOWER, OP_FOLD, OP_SWAP, OP_TITLE, OP_CAPITALIZE } case_op;

/* The points whose other case is plain: ASCII, most of Latin-1, and the scripts from CJK radicals to Vai, which have no
 * case. 0: look it up (U+0000 is itself, looked up or not). */
static inline uint32_t plain_case(uint32_t c, case_op op)
{
    if (c < 0x80) return c - (op == OP_UPPER ? 'a' : 'A') < 26 ? c ^ 32 : c;
    if (c >= 0x2E80 && c < 0xA640) return c;
    if (c >= 0x100 || op == OP_FOLD) return 0;
    if (op == OP_LOWER) return c >= 0xC0 && c <= 0xDE && c != 0xD7 ? c + 32 : c;
    if (c == 0xB5 || c == 0xDF || c == 0xFF) return 0;
    return c >= 0xE0 && c != 0xF7 ? c - 32 : c;
}

static value convert(vm *vm, value *args, case_op op)
{
    if (!str_tick(vm, SELF->len)) return V_ERROR;
    str *s = SELF;
    str_builder b;
    sb_init(&b, vm);
    sb_reserve(&b, s->len, 0x7F);
    bool previous = false; /* the point before is cased */
    for (size_t i = 0; i < s->len && !b.failed; i++) {
        uint32_t c = str_at(s, i), out[3];
        unsigned n;
        uint32_t plain = op <= OP_FOLD ? plain_case(c, op) : 0;
        if (plain) {
            sb_char(&b, plain);
            continue;
        }
        switch (op) {
        case OP_UPPER: n = uni_upper(c, out); break;
        case OP_LOWER: n = lower_at(s, i, c, out); break;
        case OP_FOLD: n = uni_fold(c, out); break;
        case OP_SWAP:
            if (uni_is_upper(c)) n = lower_at(s, i, c, out);
            else if (uni_is_lower(c)) n = uni_upper(c, out);
            else out[0] = c, n = 1;
            break;
        case OP_TITLE:
            n = previous ? lower_at(s, i, c, out) : uni_title(c, out);
            previous = uni_is_cased(c);
            break;
        default: n = i ? lower_at(s, i, c, out) : uni_title(c, out);
        }
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
