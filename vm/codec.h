/* Text encodings: pure functions from bytes to str and back, with the error handlers of CPython.
 * None of them runs script. Files decode piecewise with `final` false. */
#ifndef AIO_CODEC_H
#define AIO_CODEC_H

#include "types_api.h"

typedef enum codec_id {
    CODEC_UNKNOWN,
    CODEC_UTF8,
    CODEC_UTF8_SIG, /* a BOM at the start is dropped, and written */
    CODEC_ASCII,
    CODEC_LATIN1,
    CODEC_UTF16, /* native order with BOM */
    CODEC_UTF16_LE,
    CODEC_UTF16_BE,
    CODEC_UTF32,
    CODEC_UTF32_LE,
    CODEC_UTF32_BE,
    CODEC_UNICODE_ESCAPE,
    CODEC_RAW_UNICODE_ESCAPE,
    CODEC_CHARMAP, /* and above: an entry of charmaps.def each */
} codec_id;

/* By name or alias, in any case and with - _ or space; CODEC_UNKNOWN: none, nothing raised. */
codec_id codec_find(const str *name);
const char *codec_name(codec_id id); /* "utf-8" */
/* codec_find, raising LookupError "unknown encoding: X". name unbound: UTF-8. */
codec_id codec_need(vm *vm, value name);

/* errors: a str, or unbound/None for 'strict'; unknown handlers are noticed at the first error.
 * final false: an incomplete sequence at the end stays; *consumed (may be NULL when final) says how much
 * was used. *order (may be NULL) carries what a BOM said between pieces: 0 not seen yet, -1 little, 1 big. */
str *codec_decode(vm *vm, codec_id id, const uint8_t *p, size_t n, value errors, bool final, size_t *consumed,
                  int *order);
bytes *codec_encode(vm *vm, codec_id id, str *s, value errors);

typedef enum codec_handler {
    H_STRICT,
    H_IGNORE,
    H_REPLACE,
    H_BACKSLASH,
    H_XMLCHARREF,
    H_NAMEREPLACE,
    H_SURROGATEESCAPE,
    H_SURROGATEPASS,
    H_UNKNOWN
} codec_handler;
codec_handler codec_handler_of(value errors);
void codec_raise_handler(vm *vm, value errors); /* LookupError: H_UNKNOWN */
const char *codec_error_name(codec_id id);      /* what exceptions call it */
bool codec_handler_known(value errors);         /* one of those built in */

/* codec_fast.c: text without errors by whole runs. NULL without an exception: not done, go the long way. *order as for
 * codec_decode. */
str *codec_decode_fast(vm *vm, codec_id id, const uint8_t *p, size_t n, int *order);
bytes *codec_encode_fast(vm *vm, codec_id id, str *s);
static inline uint32_t codec_read16(const uint8_t *p, bool big)
{
    return big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

/* codec_open.c: by name, codecs and error handlers that scripts registered included. These may run script. */
bytes *codec_encode_any(vm *vm, value encoding, str *s, value errors);
str *codec_decode_any(vm *vm, value encoding, value object, value errors);

/* codec_charmap.c */
enum { CHARMAP_NONE = 0xFFFFFFFFu };
codec_id charmap_find(const char *name); /* normalised */
extern const char charmap_unknown[];     /* the end of the message about an encoding that there is none of */
const char *charmap_name(codec_id id);
uint32_t charmap_point(codec_id id, uint8_t byte); /* CHARMAP_NONE: no character */
int charmap_byte(codec_id id, uint32_t c);         /* -1: has none */
const uint16_t *charmap_upper(codec_id id);        /* the points of bytes 128 to 255; CHARMAP_GAP: no character */
enum { CHARMAP_GAP = 0xFFFE };

/* The exceptions. `object` is what was decoded or encoded. */
value codec_decode_error(vm *vm, const char *name, const uint8_t *p, size_t n, size_t start, size_t end,
                         const char *reason);
value codec_encode_error(vm *vm, const char *name, str *s, size_t start, size_t end, const char *reason);

/* str_utf8.c */
size_t utf8_put(uint8_t *d, uint32_t cp);      /* 1-4 bytes; surrogates as they come */
size_t utf8_size(const str *s);                /* bytes of its WTF-8 */
uint8_t *utf8_write(uint8_t *d, const str *s); /* the end */
/* Checks strict UTF-8. On success n points in *points and *maxchar (a class). Else the offset of the first bad
 * sequence in *bad, the end of its erroneous range in *bad_end, and the reason; "unexpected end of data" may be
 * incomplete input. */
bool utf8_check(const uint8_t *p, size_t n, size_t *points, uint32_t *maxchar, size_t *bad, size_t *bad_end,
                const char **reason);
str *utf8_decode_valid(vm *vm, const uint8_t *p, size_t n, size_t points, uint32_t maxchar);
bool str_has_surrogates(const str *s);
const char *str_utf8_cached(vm *vm, const str *s, size_t *n);
bool str_utf8_keep(vm *vm, str *s, char *text, size_t n);

#endif
