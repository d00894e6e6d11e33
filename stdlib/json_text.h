/* What the two halves of _json in C share. */
#ifndef AIO_JSON_TEXT_H
#define AIO_JSON_TEXT_H

#include "module_state.h"

#include "vm/str.h"

/* The string as a JSON literal, quotes included. */
void json_put_string(str_builder *b, const str *s, bool ascii);
/* encode_basestring or encode_basestring_ascii; *ascii says which. */
bool json_is_quote(value v, bool *ascii);

/* json_encode.c */
value json_encode(vm *vm, value *args, uint32_t nargs, value kwnames);
extern const char json_encode_sig[];

#endif
