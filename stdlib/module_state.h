/* What the C modules keep per VM: the types they make and a few objects, in one table that is a
 * root.
 *
 * A module that is imported afresh (it was taken out of sys.modules) finds here what it made
 * before. */
#ifndef AIO_STDLIB_MODULE_STATE_H
#define AIO_STDLIB_MODULE_STATE_H

#include "vm/native.h"
#include "vm/types_api.h"

enum module_state_id {
    STATE_STRUCT_TIME,
    STATE_GC_CALLBACKS,
    STATE_GC_GARBAGE,
    STATE_GC_THRESHOLD,
    STATE_GC_DEBUG,
    STATE_GC_FROZEN,
    STATE_ATEXIT, /* list of [function, args, kwargs] */
    STATE_TEE,
    STATE_TEE_NODE,
    STATE_GROUPBY,
    STATE_GROUPER,
    STATE_PRODUCT,
    STATE_PERMUTATIONS,
    STATE_COMBINATIONS,
    STATE_COMBINATIONS_WR,
    STATE_ITERTOOLS_FIRST,
    STATE_ITERTOOLS_LAST = STATE_ITERTOOLS_FIRST + 15,
    STATE_PARTIAL,
    STATE_LRU_CACHE,
    STATE_KEY_WRAPPER,
    STATE_DEQUE,
    STATE_DEQUE_ITER,
    STATE_DEQUE_REVITER,
    STATE_DEFAULTDICT,
    STATE_ORDERED_DICT,
    STATE_TUPLE_GETTER,
    STATE_ITEMGETTER,
    STATE_ATTRGETTER,
    STATE_METHODCALLER,
    STATE_ABC_META,
    STATE_ABC_DATA,
    STATE_ABC_NAME,
    STATE_ABC_TOKEN,
    STATE_STRING_IO,
    STATE_BYTES_IO,
    STATE_BYTES_IO_BUFFER,
    STATE_ARRAY,
    STATE_ARRAY_ITER,
    STATE_STRUCT,
    STATE_STRUCT_ITER,
    STATE_STRUCT_ERROR,
    STATE_STRUCT_CACHE,
    STATE_RE_ENGINE,
    STATE_RE_PATTERN,
    STATE_RE_MATCH,
    STATE_RE_SCANNER,
    STATE_RE_EMIT,
    STATE_RE_TEMPLATE,
    STATE_RE_ERROR,
    STATE_STAT_RESULT,
    STATE_STATVFS_RESULT,
    STATE_TERMINAL_SIZE,
    STATE_UNAME_RESULT,
    STATE_TIMES_RESULT,
    STATE_JSON_ERROR,
    STATE_LOCK,
    STATE_RLOCK,
    STATE_THREAD_LOCAL,
    STATE_THREAD_HOOK_ARGS,
    STATE_BINASCII_ERROR,
    STATE_BINASCII_INCOMPLETE,
    STATE_CSV_ERROR,
    STATE_CSV_LIMIT,
    STATE_CSV_READER,
    STATE_CSV_WRITER,
    STATE_SIMPLE_QUEUE,
    STATE_QUEUE_EMPTY,
    STATE_CRYPTO_LIBRARY,
    STATE_HASH,
    STATE_HASH_XOF,
    STATE_CARES_LIB,
    STATE_CARES_LIB_TYPE,
    STATE_CARES_CHANNEL,
    STATE_SSL_LIB,
    STATE_SSL_LIB_TYPE,
    STATE_SSL_ERRORS,
    STATE_SSL_CONTEXT,
    STATE_SSL_BIO,
    STATE_SSL_CONN,
    STATE_ZLIB,
    STATE_ZLIB_ERROR,
    STATE_ZLIB_COMPRESS,
    STATE_ZLIB_DECOMPRESS,
    STATE_SIZE
};

/* unbound: not set yet */
value module_state_get(vm *vm, enum module_state_id id);
bool module_state_set(vm *vm, enum module_state_id id, value v); /* false: raised */
static inline type *module_state_type(vm *vm, enum module_state_id id)
{
    value v = module_state_get(vm, id);
    return value_is_unbound(v) ? NULL : AS(type, v);
}
/* The type of `id`, made from `spec` at the first call; NULL raised. */
type *module_state_make(vm *vm, enum module_state_id id, const type_spec *spec);
/* The same, and adds it to the module under its own name. */
type *module_add_type(vm *vm, module *m, enum module_state_id id, const type_spec *spec);
/* Adds names to a builtin type's own dict (class attributes that are no methods). */
bool type_add_attribute(vm *vm, type *t, const char *name, value v);

/* The head of a native function: `FN(name) { ... args[0] ... }` */
#define UNUSED_ARG __attribute__((unused))
#define FN(NAME) \
    static value NAME(vm *vm UNUSED_ARG, value *args UNUSED_ARG, uint32_t nargs UNUSED_ARG, value kwnames UNUSED_ARG)

/* cls[item] for generic types written in C. */
#define CLASS_GETITEM_METHOD                                                                 \
    {                                                                                        \
        "__class_getitem__(cls, item, /)", module_class_getitem, "See PEP 585", NATIVE_CLASS \
    }
value module_class_getitem(vm *vm, value *args, uint32_t nargs, value kwnames);

#endif
