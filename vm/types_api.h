/* The C interfaces of the builtin types, one block per file. NULL / V_ERROR / false / -1: raised. */
#ifndef AIO_TYPES_API_H
#define AIO_TYPES_API_H

#include "abstract.h"

/* int.c, int_big.c, int_text.c */
value int_from_i64(vm *vm, int64_t n);
value int_from_u64(vm *vm, uint64_t n);
value int_from_double(vm *vm, double d);        /* truncates; OverflowError/ValueError for inf/nan */
bool int_is(value v);                           /* any int, bool and subclasses included; no vm needed */
bool int_to_i64(vm *vm, value v, int64_t *out); /* false when it does not fit: nothing raised */
bool int_as_i64(vm *vm, value v, int64_t *out); /* raises OverflowError, or TypeError for no int: runs no script */
int int_sign(vm *vm, value v);
value int_plain(vm *vm, value v);                              /* bool or subclass -> plain int value */
value int_binary(vm *vm, enum binary_op op, value a, value b); /* both ints of any size (plain) */
int int_compare(vm *vm, value a, value b);                     /* -1 0 1; plain ints */
uint64_t int_hash(vm *vm, value v);                            /* CPython's: modulo 2^61-1, as int64 two's complement */
double int_to_double(vm *vm, value v, bool *ok);               /* OverflowError raised: ok false */
/* ASCII digits, maybe sign and underscores; ValueError left to the caller: unbound without exception */
value int_parse(vm *vm, const char *s, size_t n, int base);
str *int_to_str(vm *vm, value v, int base); /* base 2 8 10 16, no prefix; ValueError over the digit limit */
/* float.c */
uint64_t float_hash(double d, const void *identity);
str *float_repr(vm *vm, double d);
bool float_as_double(vm *vm, value v, double *out); /* float, int, __float__, __index__: as PyFloat_AsDouble */
value float_from_str(vm *vm, value s);
/* complex.c */
bool complex_from_number(vm *vm, value v, double *re, double *im); /* complex, __complex__, or as float_as_double */
/* str.c, str_methods.c, str_build.c */
/* WTF-8 accepted (lone surrogates); the caller has validated; NULL raised */
str *str_new_utf8(vm *vm, const char *s, size_t n);
str *str_from_cstr(vm *vm, const char *s);
str *str_new_latin1(vm *vm, const uint8_t *s, size_t n);
str *str_new_ucs4(vm *vm, const uint32_t *s, size_t n);
str *str_char(vm *vm, uint32_t cp);
str *str_intern(vm *vm, str *s); /* the canonical object (may be s) */
str *str_intern_utf8(vm *vm, const char *s, size_t n);
str *str_concat(vm *vm, str *a, str *b);
str *str_substr(vm *vm, str *s, size_t from, size_t to);
bool str_eq(const str *a, const str *b);
int str_cmp(const str *a, const str *b);
uint64_t str_hash(vm *vm, str *s);
/* NUL-terminated UTF-8, owned by s (cached while s lives); lone surrogates raise UnicodeEncodeError; NULL raised */
const char *str_utf8(vm *vm, str *s, size_t *n);
/* the same, surrogates passed through: for messages and output with 'surrogateescape' in mind */
const char *str_wtf8(vm *vm, str *s, size_t *n);
static inline uint32_t str_at(const str *s, size_t i)
{
    switch (str_width(s)) {
    case 1: return ((const uint8_t *)s->data)[i];
    case 2: return ((const uint16_t *)s->data)[i];
    default: return ((const uint32_t *)s->data)[i];
    }
}
str *str_repr(vm *vm, str *s);
value str_mod(vm *vm, value fmt, value args); /* the % operator */
/* Incremental building. Lives on the C stack; must be finished or dropped. */
/* data may be inl: never copy the struct */
typedef struct str_builder {
    vm *vm;
    void *data;
    size_t len, cap;
    uint32_t maxchar;
    uint8_t width;
    bool failed;
    uint64_t inl[16];
} str_builder;
void sb_init(str_builder *b, vm *vm);
void sb_char(str_builder *b, uint32_t cp);
void sb_str(str_builder *b, const str *s);
void sb_ascii(str_builder *b, const char *s, size_t n);
void sb_cstr(str_builder *b, const char *s);
str *sb_finish(str_builder *b); /* NULL raised (also if any append failed) */
void sb_drop(str_builder *b);
/* bytes.c */
bytes *bytes_new(vm *vm, const void *p, size_t n);
/* bytes, bytearray, memoryview; false: not one (nothing raised) */
bool buffer_view(vm *vm, value v, const uint8_t **p, size_t *n);
/* format.c: the mini-language */
value format_int(vm *vm, value v, str *spec);
value format_float(vm *vm, double d, str *spec);
value format_complex(vm *vm, double re, double im, str *spec);
value format_str(vm *vm, str *s, str *spec);
/* list.c */
struct list *list_new(vm *vm, size_t cap);
bool list_append(vm *vm, struct list *l, value v);
bool list_sort(vm *vm, struct list *l, value key, bool reverse);
/* tuple.c */
tuple *tuple_new(vm *vm, size_t n); /* items unbound: fill before the next safepoint */
tuple *tuple_from(vm *vm, const value *items, size_t n);
tuple *tuple_pack(vm *vm, uint32_t n, ...); /* values */
/* dict.c: get never raises for str keys in a DICT_STRKEYS dict */
dict *dict_new(vm *vm);
value dict_get(vm *vm, dict *d, value key); /* unbound: absent (or raised: check) */
/* interned or not; never raises, runs no script when all keys are strs */
value dict_get_str(vm *vm, dict *d, str *key);
bool dict_set(vm *vm, dict *d, value key, value v);
bool dict_set_str(vm *vm, dict *d, str *key, value v);
int dict_del(vm *vm, dict *d, value key); /* 1 deleted, 0 absent, -1 raised */
value dict_pop_str(vm *vm, dict *d, str *key);
void dict_clear(vm *vm, dict *d);
dict *dict_copy(vm *vm, dict *d);
bool dict_update(vm *vm, dict *d, value other);                     /* mapping or iterable of pairs */
bool dict_next(const dict *d, size_t *pos, value *key, value *val); /* walk; pos starts at 0; no mutation meanwhile */
int64_t dict_find_str(vm *vm, dict *d, str *key);                   /* entry number for inline caches, -1 absent */
uint32_t dict_version(vm *vm, dict *d);                             /* gives it a version if it has none */
/* set.c */
struct set *set_new(vm *vm, unsigned type_id);
bool set_add(vm *vm, struct set *s, value v);
int set_contains(vm *vm, struct set *s, value v);
/* slice.c, range.c */
bool slice_adjust(vm *vm, value slice, int64_t len, int64_t *start, int64_t *stop, int64_t *step, int64_t *count);
value slice_new(vm *vm, value a, value b, value c);
/* exception.c, traceback.c */
value exc_make(vm *vm, type *cls, value *args, uint32_t n);
void exc_print(vm *vm, value exc); /* CPython's traceback on sys.stderr */
str *exc_format(vm *vm, value exc);
/* stripped, without newline; empty when unknown; NULL raised */
str *source_line(vm *vm, str *filename, uint32_t line);
bool exc_add_traceback(vm *vm, value exc, code *c, uint32_t pc);
value exc_get_traceback(vm *vm, value exc);           /* traceback object or None */
bool exc_is_cls(vm *vm, value v);                     /* a class that derives from BaseException */
int exc_match(vm *vm, value exc, value cls_or_tuple); /* except clause: 1 0 -1 */
/* module.c, import.c */
module *module_new(vm *vm, str *name, value doc);
bool module_add(vm *vm, module *m, const char *name, value v);
bool module_add_natives(vm *vm, module *m, const native_def *defs);
value import_module(vm *vm, str *name); /* absolute, dotted: returns the leaf module */
/* function.c */
value method_new(vm *vm, value func, value self);
value cell_new(vm *vm, value v);
value property_new(vm *vm, value get, value set, value del, value doc);
value weakref_new(vm *vm, value target, value callback);
#endif
