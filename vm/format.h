/* The format mini-language, [[fill]align][sign][z][#][0][width][,_][.precision][type], for whoever writes text
 * into a builder: str.format, f-strings, %, repr of complex. */
#ifndef AIO_FORMAT_H
#define AIO_FORMAT_H

#include "types_api.h"

#define FORMAT_WIDTH_MAX ((int64_t)1 << 20)

typedef struct format_spec {
    int64_t width, precision; /* -1: not given */
    uint32_t fill, type;      /* type 0: not given */
    char align;               /* < > ^ = */
    char sign;                /* + - space, or 0 */
    char thousands;           /* , _ or 0 */
    uint8_t group;            /* digits per group: 3 or 4 */
    bool alternate, no_neg_0, fill_given, align_given;
} format_spec;

/* Parses `spec`; obj names the type in messages. */
bool format_parse(vm *vm, str *spec, value obj, char default_align, format_spec *out);

/* The parts of a number: [sign][prefix][digits][rest], ASCII. Pads and groups as the spec says. */
void format_number(str_builder *b, const format_spec *f, bool negative, const char *prefix, size_t nprefix,
                   const char *digits, size_t ndigits, const char *rest, size_t nrest);
/* false: raised. */
bool format_int_to(str_builder *b, value v, const format_spec *f);
bool format_float_to(str_builder *b, double d, value obj, const format_spec *f);
bool format_str_to(str_builder *b, str *s, value obj, const format_spec *f);
/* format(v, spec) appended to b: exact str, int, float without any call; else __format__. spec may be NULL. */
bool format_value_to(str_builder *b, value v, str *spec);
str *format_code_name(vm *vm, uint32_t type); /* a type code as messages show it */
value format_complex(vm *vm, double re, double im, str *spec);

#endif
