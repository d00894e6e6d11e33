/* str inside vm/: representation helpers, hot inline paths, and what str*.c share.
 *
 * Invariants
 *  1. The width is the narrowest that fits, and STR_ASCII is set exactly when every code point is
 *     below 128: so equal strings have equal width, and "needle wider than haystack" means absent.
 *  2. Data never changes once a str points at it. A buffer's bytes beyond `fill` belong to nobody.
 *  3. Inline data is NUL-terminated; data in a buffer or in another str need not be.
 *  4. An instance of a subclass is STR_BUFFER, its owner is an exact str with the same text, and one
 *     word (the slots pointer) follows the struct.
 *  5. "" is always vm->empty_str and a one-character latin-1 str is always vm->chars[c], for exact strs.
 */
#ifndef AIO_STR_H
#define AIO_STR_H

#include "types_api.h"

/* More bits of str.h.flags and bytes.h.flags. */
enum {
    STR_CONCATED = 16, /* made by +: the next + on it goes into a buffer with room */
    STR_HAS_UTF8 = 32, /* the VM's table holds a UTF-8 copy */
};

#define STR_LEN_MAX ((size_t)1 << 58)
#define CP_MAX      0x10FFFFu

/* Work in proportion to a length: keeps long natives interruptible and charged. A safepoint when it
 * polls, so call it while nothing unrooted is held. */
static inline bool str_tick(vm *vm, size_t units)
{
    if (LIKELY(units < 4096)) return true;
    return vm_tick(vm, units > ((size_t)1 << 26) ? 1 << 20 : (uint32_t)(units >> 6));
}

static inline unsigned char_width(uint32_t maxchar) { return maxchar < 0x100 ? 1 : maxchar < 0x10000 ? 2 : 4; }
static inline bool str_is_ascii(const str *s) { return s->h.flags & STR_ASCII; }
static inline size_t str_size(const str *s) { return s->len * str_width(s); }
/* An upper bound of its code points, exact enough to choose width and ASCII flag from. */
static inline uint32_t str_maxchar(const str *s)
{
    unsigned w = str_width(s);
    return str_is_ascii(s) ? 0x7F : w == 1 ? 0xFF : w == 2 ? 0xFFFF : CP_MAX;
}
static inline uint32_t text_at(const void *p, unsigned width, size_t i)
{
    return width == 1 ? ((const uint8_t *)p)[i] : width == 2 ? ((const uint16_t *)p)[i] : ((const uint32_t *)p)[i];
}
static inline void text_put(void *p, unsigned width, size_t i, uint32_t c)
{
    if (width == 1) ((uint8_t *)p)[i] = (uint8_t)c;
    else if (width == 2) ((uint16_t *)p)[i] = (uint16_t)c;
    else ((uint32_t *)p)[i] = c;
}
static inline const void *text_ptr(const void *p, unsigned width, size_t i) { return (const uint8_t *)p + i * width; }

/* ---- str.c ---- */
bool str_open(vm *vm);  /* interning table, "", b"", the one-character strings: before names and types */
void str_close(vm *vm); /* frees the tables */
/* The collector, marks complete: forgets interned strings that are unmarked; true: there were such. `young`: what was
 * interned before the last cycle is marked. */
bool interned_sweep(vm *vm, bool young);
void text_widen(void *dst, unsigned dw, const void *src, unsigned sw, size_t n);  /* dw >= sw: copies */
void text_narrow(void *dst, unsigned dw, const void *src, unsigned sw, size_t n); /* the values fit in dw */
size_t ascii_prefix(const uint8_t *p, size_t n);                /* how many leading bytes are below 128 */
uint32_t text_maxchar(const void *p, unsigned width, size_t n); /* 0x7F, 0xFF, 0xFFFF or CP_MAX */
/* Writable text of `len` points that fit maxchar's class; every one is to be written. NULL raised. Not for len 0, and
 * for len 1 only when the point is >= 256 (str_char does it all). */
str *str_alloc(vm *vm, size_t len, uint32_t maxchar);
static inline void *str_wdata(str *s) { return s->u.inl; }
str *str_from_text(vm *vm, const void *p, unsigned width, size_t n); /* copies, narrowing as needed */
str *str_from_ascii(vm *vm, const char *p, size_t n);
str *str_over_buffer(vm *vm, object *owner, const void *data, size_t len, unsigned width, bool ascii);
buffer *buffer_new(vm *vm, size_t cap);
buffer *buffer_adopt(vm *vm, void *data, size_t fill, size_t cap); /* takes data, also when it fails */
str *str_repeat(vm *vm, str *s, int64_t n);
str *str_slice(vm *vm, str *s, int64_t start, int64_t step, size_t count);
uint64_t siphash13(const uint64_t key[2], const void *p, size_t n);
uint64_t text_hash(vm *vm, const void *p, size_t n); /* never (uint64_t)-1; 0 for empty */
uint64_t str_hash_slow(vm *vm, str *s);
str *str_subclass_new(vm *vm, type *t, str *s);
str *str_join_values(vm *vm, const value *parts, size_t n);           /* all strs: f-strings */
str *str_join_parts(vm *vm, str *sep, const value *parts, size_t n);  /* all strs */
void str_copy_to(void *dst, unsigned width, size_t at, const str *s); /* width >= the str's */
bool str_equal_ascii(const str *s, const char *ascii);
int str_find_char(const str *s, uint32_t c); /* contains it? */

/* memcpy without a call for the lengths that strings mostly have. */
static inline void text_copy(void *dst, const void *src, size_t n)
{
    uint8_t *d = (uint8_t *)dst;
    const uint8_t *s = (const uint8_t *)src;
    if (n > 32) {
        memcpy(d, s, n);
    } else if (n >= 16) {
        memcpy(d, s, 16);
        memcpy(d + n - 16, s + n - 16, 16);
    } else if (n >= 8) {
        memcpy(d, s, 8);
        memcpy(d + n - 8, s + n - 8, 8);
    } else if (n >= 4) {
        memcpy(d, s, 4);
        memcpy(d + n - 4, s + n - 4, 4);
    } else if (n) {
        d[0] = s[0];
        d[n >> 1] = s[n >> 1];
        d[n - 1] = s[n - 1];
    }
}
/* str_from_ascii for hot loops. */
static inline str *str_from_ascii_fast(vm *vm, const void *p, size_t n)
{
    str *s;
    size_t size = offsetof(str, u) + n + 1;
    if (UNLIKELY(n < 2) || !(s = (str *)gc_new_raw(vm, K_STR, TYPE_STR, size < sizeof(str) ? sizeof(str) : size))) {
        return str_from_ascii(vm, (const char *)p, n);
    }
    s->len = n;
    s->data = s->u.inl;
    s->h.flags = 1 << STR_WIDTH_SHIFT | STR_ASCII;
    text_copy(s->u.inl, p, n);
    s->u.inl[n] = 0;
    return s;
}
/* The exact str with this text: itself unless it is of a subclass. */
static inline str *str_plain(str *s) { return LIKELY(s->h.shape == TYPE_STR) ? s : (str *)s->u.owner; }
static inline str *str_char1(vm *vm, uint32_t cp) { return LIKELY(cp < 256) ? vm->chars[cp] : str_char(vm, cp); }
/* s[i] for an index already in range. NULL raised. */
static inline str *str_item(vm *vm, const str *s, size_t i) { return str_char1(vm, str_at(s, i)); }
static inline uint64_t str_hash_get(vm *vm, str *s)
{
    return LIKELY(s->h.flags & STR_HASHED) ? s->hash : str_hash_slow(vm, s);
}
/* == of two strs with the shortcuts inline. */
static inline bool str_eq_fast(const str *a, const str *b)
{
    if (a == b) return true;
    if (a->len != b->len || ((a->h.flags ^ b->h.flags) & ~0xFEu)) return false;
    if (a->h.flags & b->h.flags & STR_INTERNED) return false;
    if ((a->h.flags & b->h.flags & STR_HASHED) && a->hash != b->hash) return false;
    return memcmp(a->data, b->data, str_size(a)) == 0;
}

/* The head of a native method: `static METHOD(name) { ... args[0] is the receiver ... }` */
#define METHOD(NAME) \
    value NAME(vm *vm, value *args, uint32_t nargs __attribute__((unused)), value kwnames __attribute__((unused)))
static inline value str_value(str *s) { return value_obj(s); } /* NULL -> V_ERROR */

/* ---- the natives' argument helpers (str_args.c) ---- */
/* "WHERE must be str, not X": a wrong argument in the words of Argument Clinic, which says None and not NoneType. */
value args_need_str(vm *vm, const char *where, value v);
/* Slice bounds as in find(sub, start, end): None or unbound keep the default; clamped to [0, len]. */
bool args_range(vm *vm, value start, value end, size_t len, size_t *from, size_t *to, bool *empty);
/* Replaces a slice whose bounds are objects with __index__ by one of ints, so that slice_adjust runs no script. */
bool slice_plain(vm *vm, value *key);
/* An optional Py_ssize_t argument. */
bool args_ssize(vm *vm, value v, int64_t dflt, int64_t *out);
bool args_int(vm *vm, value v, int dflt, int *out);
/* A bool argument by truth value. */
bool args_bool(vm *vm, value v, bool dflt, bool *out);

/* ---- str_methods.c and its companions ---- */
extern const native_def str_methods[];
value str_type_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames);
/* str_case.c */
METHOD(str_upper);
METHOD(str_lower);
METHOD(str_casefold);
METHOD(str_swapcase);
METHOD(str_title);
METHOD(str_capitalize);
/* str_class.c: isX() */
#define STR_CLASS_METHODS(X) \
    X(isalnum)               \
    X(isalpha)               \
    X(isascii)               \
    X(isdecimal) X(isdigit) X(isidentifier) X(islower) X(isnumeric) X(isprintable) X(isspace) X(istitle) X(isupper)
#define X(NAME) METHOD(str_##NAME);
STR_CLASS_METHODS(X)
#undef X
/* str_split.c */
METHOD(str_split);
METHOD(str_rsplit);
METHOD(str_splitlines);
METHOD(str_partition);
METHOD(str_rpartition);
METHOD(str_join);
/* str_repr.c */
str *str_ascii_escape(vm *vm, str *repr); /* the same for a text that is a repr already: ascii(obj) */
/* str_format.c */
METHOD(str_format_method);
METHOD(str_format_map);
METHOD(str_dunder_format);
/* str_translate.c */
METHOD(str_translate);
METHOD(str_maketrans);

/* ---- str_build.c: beyond types_api.h ---- */
/* Room for n more points of at most `maxchar`: false (and b->failed) when memory is short. */
bool sb_reserve(str_builder *b, size_t n, uint32_t maxchar);
void sb_text(str_builder *b, const void *p, unsigned width, size_t n); /* any values */
void sb_range(str_builder *b, const str *s, size_t from, size_t to);
void sb_fill(str_builder *b, uint32_t cp, size_t n);
void sb_int(str_builder *b, int64_t n);
void sb_hex(str_builder *b, uint32_t v, unsigned digits); /* zero-padded, lower case */
/* Where the next n ASCII characters may be written, or NULL when the builder is not 1 byte wide (or
 * failed); then sb_advance. */
char *sb_ascii_room(str_builder *b, size_t n);
static inline void sb_advance(str_builder *b, size_t n) { b->len += n; }

/* Decimal digits of n into buf's end; returns how many. */
static inline unsigned u64_digits(char buf[20], uint64_t n)
{
    unsigned i = 20;
    for (; n >= 100; n /= 100) {
        unsigned r = (unsigned)(n % 100);
        buf[--i] = (char)('0' + r % 10);
        buf[--i] = (char)('0' + r / 10);
    }
    if (n >= 10) {
        buf[--i] = (char)('0' + n % 10);
        n /= 10;
    }
    buf[--i] = (char)('0' + n);
    return 20 - i;
}

#endif
