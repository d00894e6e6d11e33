/* bytes and bytearray inside vm/: creation, the inline helpers, and what bytes*.c share. */
#ifndef AIO_BYTES_H
#define AIO_BYTES_H

#include "buffer.h"
#include "str.h"

#define IS_BYTES(v)     value_is_kind(v, K_BYTES)
#define IS_BYTEARRAY(v) value_is_kind(v, K_BYTEARRAY)
#define BYTES_LEN_MAX   ((size_t)1 << 60)
#define BYTES_SIZE_MAX  ((size_t)PTRDIFF_MAX - 33) /* beyond it CPython says OverflowError, not MemoryError */

/* ---- bytes.c ---- */
bool bytes_open(vm *vm);                 /* b"": called by str_open */
bool bytes_check_size(vm *vm, size_t n); /* false: raised */
bytes *bytes_alloc(vm *vm, size_t n);    /* every byte of u.inl is to be written; not for n == 0 */
bytes *bytes_concat(vm *vm, bytes *a, const uint8_t *p, size_t n); /* p stays valid: allocation runs nothing */
bytes *bytes_substr(vm *vm, bytes *b, size_t from, size_t to);
bytes *bytes_over_buffer(vm *vm, object *owner, const uint8_t *data, size_t n);
uint64_t bytes_hash(vm *vm, bytes *b);
static inline bytes *bytes_plain(bytes *b) { return LIKELY(b->h.shape == TYPE_BYTES) ? b : (bytes *)b->u.owner; }
/* prefix, b'...', suffix */
str *bytes_repr(vm *vm, const uint8_t *p, size_t n, const char *prefix, const char *suffix);
/* An index or slice key of bytes, bytearray, memoryview. what: "byte", "bytearray". */
bool bytes_index(vm *vm, value key, size_t len, const char *kind_message, const char *range_message, size_t *out);

/* ---- bytes_new.c: from other objects ---- */
bytes *bytes_from_object(vm *vm, value v); /* bytes(v): __bytes__, a size, a buffer, an iterable of ints */
value bytes_result(vm *vm, bool array, const void *p, size_t n);               /* a new bytes or bytearray */
bool bytes_value(vm *vm, value item, uint8_t *out, const char *range_message); /* an int in range(256) */

/* ---- bytes_build.c: a growing byte string, as str_builder is for text ---- */
typedef struct byte_builder {
    vm *vm;
    uint8_t *data;
    size_t len, cap;
    bool failed;
    uint8_t inl[128];
} byte_builder;
void bb_init(byte_builder *b, vm *vm);
bool bb_reserve(byte_builder *b, size_t n);
void bb_byte(byte_builder *b, uint8_t c);
void bb_add(byte_builder *b, const void *p, size_t n);
void bb_fill(byte_builder *b, uint8_t c, size_t n);
bytes *bb_finish(byte_builder *b);
bytearray *bb_finish_array(byte_builder *b);
value bb_result(byte_builder *b, bool array);
void bb_drop(byte_builder *b);
/* Appends every int of an iterable, or a buffer's bytes. target: "bytes" or "bytearray". */
bool bb_add_object(byte_builder *b, value src, const char *target);

/* ---- bytearray.c ---- */
bytearray *bytearray_new(vm *vm, const void *p, size_t n); /* p NULL: zeros */
bytearray *bytearray_alloc(vm *vm, type *t, size_t n);     /* zeroed content */
bool bytearray_resize(vm *vm, bytearray *b, size_t n);     /* BufferError while exported; new bytes undefined */

/* ---- methods that bytes and bytearray share: results are of the receiver's family ---- */
typedef struct octets {
    const uint8_t *p;
    size_t n;
    bool array;
} octets;
static inline octets octets_of(value v)
{
    if (IS_BYTES(v)) return (octets){AS(bytes, v)->data, AS(bytes, v)->len, false};
    const bytearray *b = AS(bytearray, v);
    return (octets){b->data ? b->data : (const uint8_t *)"", b->len, true};
}
value octets_unchanged(vm *vm, value self); /* self, or a copy when it is mutable or of a subclass */
value bytearray_iter(vm *vm, value v);      /* bytes.c */

/* The lines of both method tables: bytes_methods.c, bytes_split.c, bytes_case.c. */
METHOD(bytes_count);
METHOD(bytes_find);
METHOD(bytes_rfind);
METHOD(bytes_index_method);
METHOD(bytes_rindex);
METHOD(bytes_startswith);
METHOD(bytes_endswith);
METHOD(bytes_removeprefix);
METHOD(bytes_removesuffix);
METHOD(bytes_strip);
METHOD(bytes_lstrip);
METHOD(bytes_rstrip);
METHOD(bytes_replace);
METHOD(bytes_translate);
METHOD(bytes_ljust);
METHOD(bytes_rjust);
METHOD(bytes_center);
METHOD(bytes_zfill);
METHOD(bytes_expandtabs);
METHOD(bytes_decode);
METHOD(bytes_hex);
METHOD(bytes_fromhex);
METHOD(bytes_maketrans);
METHOD(bytes_split);
METHOD(bytes_rsplit);
METHOD(bytes_splitlines);
METHOD(bytes_partition);
METHOD(bytes_rpartition);
METHOD(bytes_join);
METHOD(bytes_upper);
METHOD(bytes_lower);
METHOD(bytes_swapcase);
METHOD(bytes_title);
METHOD(bytes_capitalize);
METHOD(bytes_isalnum);
METHOD(bytes_isalpha);
METHOD(bytes_isascii);
METHOD(bytes_isdigit);
METHOD(bytes_islower);
METHOD(bytes_isspace);
METHOD(bytes_istitle);
METHOD(bytes_isupper);

#define BYTES_SHARED_METHODS                                                                                           \
    {"capitalize(self, /)", bytes_capitalize, "Return a copy with only its first character capitalized (ASCII).", 0},  \
        {"center(self, width, fillchar=b' ', /)", bytes_center, "Return a centered copy of length width.", 0},         \
        {"count(self, sub, start=..., end=..., /)", bytes_count,                                                       \
         "Return the number of non-overlapping occurrences of sub.", 0},                                               \
        {"decode(self, /, encoding='utf-8', errors='strict')", bytes_decode,                                           \
         "Decode the bytes using the codec for encoding.", 0},                                                         \
        {"endswith(self, suffix, start=..., end=..., /)", bytes_endswith, "Return True if it ends with the suffix.",   \
         0},                                                                                                           \
        {"expandtabs(self, /, tabsize=8)", bytes_expandtabs, "Return a copy where tabs are expanded using spaces.",    \
         0},                                                                                                           \
        {"find(self, sub, start=..., end=..., /)", bytes_find, "Return the lowest index of sub, or -1.", 0},           \
        {"fromhex(cls, string, /)", bytes_fromhex, "Create an object from a string of hexadecimal numbers.",           \
         NATIVE_CLASS},                                                                                                \
        {"hex(self, /, sep=None, bytes_per_sep=1)", bytes_hex, "Create a str of hexadecimal numbers.", 0},             \
        {"index(self, sub, start=..., end=..., /)", bytes_index_method, "Like find, but raises ValueError.", 0},       \
        {"isalnum(self, /)", bytes_isalnum, "True if all characters are alphanumeric and there is one.", 0},           \
        {"isalpha(self, /)", bytes_isalpha, "True if all characters are alphabetic and there is one.", 0},             \
        {"isascii(self, /)", bytes_isascii, "True if empty or all characters are ASCII.", 0},                          \
        {"isdigit(self, /)", bytes_isdigit, "True if all characters are digits and there is one.", 0},                 \
        {"islower(self, /)", bytes_islower, "True if all cased characters are lowercase and there is one.", 0},        \
        {"isspace(self, /)", bytes_isspace, "True if all characters are whitespace and there is one.", 0},             \
        {"istitle(self, /)", bytes_istitle, "True if it is title-cased and there is a character.", 0},                 \
        {"isupper(self, /)", bytes_isupper, "True if all cased characters are uppercase and there is one.", 0},        \
        {"join(self, iterable_of_bytes, /)", bytes_join, "Concatenate any number of bytes objects.", 0},               \
        {"ljust(self, width, fillchar=b' ', /)", bytes_ljust, "Return a left-justified copy of length width.", 0},     \
        {"lower(self, /)", bytes_lower, "Return a copy with all ASCII characters converted to lowercase.", 0},         \
        {"lstrip(self, bytes=None, /)", bytes_lstrip, "Strip leading bytes contained in the argument.", 0},            \
        {"maketrans(frm, to, /)", bytes_maketrans, "Return a translation table for the translate method.",             \
         NATIVE_STATIC},                                                                                               \
        {"partition(self, sep, /)", bytes_partition, "Partition into three parts using the given separator.", 0},      \
        {"replace(self, old, new, count=-1, /)", bytes_replace,                                                        \
         "Return a copy with occurrences of old replaced by new.", 0},                                                 \
        {"removeprefix(self, prefix, /)", bytes_removeprefix, "Return a copy without the given prefix if present.",    \
         0},                                                                                                           \
        {"removesuffix(self, suffix, /)", bytes_removesuffix, "Return a copy without the given suffix if present.",    \
         0},                                                                                                           \
        {"rfind(self, sub, start=..., end=..., /)", bytes_rfind, "Return the highest index of sub, or -1.", 0},        \
        {"rindex(self, sub, start=..., end=..., /)", bytes_rindex, "Like rfind, but raises ValueError.", 0},           \
        {"rjust(self, width, fillchar=b' ', /)", bytes_rjust, "Return a right-justified copy of length width.", 0},    \
        {"rpartition(self, sep, /)", bytes_rpartition, "Partition into three parts, searching from the end.", 0},      \
        {"rsplit(self, /, sep=None, maxsplit=-1)", bytes_rsplit,                                                       \
         "Return a list of the sections, splitting from the end.", 0},                                                 \
        {"rstrip(self, bytes=None, /)", bytes_rstrip, "Strip trailing bytes contained in the argument.", 0},           \
        {"split(self, /, sep=None, maxsplit=-1)", bytes_split, "Return a list of the sections.", 0},                   \
        {"splitlines(self, /, keepends=False)", bytes_splitlines, "Return a list of the lines.", 0},                   \
        {"startswith(self, prefix, start=..., end=..., /)", bytes_startswith,                                          \
         "Return True if it starts with the prefix.", 0},                                                              \
        {"strip(self, bytes=None, /)", bytes_strip, "Strip leading and trailing bytes contained in the argument.", 0}, \
        {"swapcase(self, /)", bytes_swapcase, "Return a copy with the case of ASCII characters swapped.", 0},          \
        {"title(self, /)", bytes_title, "Return a titlecased copy (ASCII).", 0},                                       \
        {"translate(self, table, /, delete=b'')", bytes_translate,                                                     \
         "Return a copy with each character mapped by the table.", 0},                                                 \
        {"upper(self, /)", bytes_upper, "Return a copy with all ASCII characters converted to uppercase.", 0},         \
    {                                                                                                                  \
        "zfill(self, width, /)", bytes_zfill, "Pad a numeric string with zeros on the left.", 0                        \
    }

void hex_digits(uint8_t *d, const uint8_t *p, size_t n); /* 2 * n of them */
value bytes_hex_of(vm *vm, const uint8_t *p, size_t n, value sep, value per);

/* str_percent.c */
value bytes_mod(vm *vm, value fmt, value args, bool array);

#endif
