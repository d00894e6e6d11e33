/* Types: slots, attribute lookup, class creation, native methods.
 *
 * A slot is a C function pointer for an operation (`len`, `add`, ...). Builtin types fill them by hand;
 * a script class inherits its bases' slots, and a dunder defined in it installs the generic slot that
 * looks the dunder up and calls it. slots.def is the one table: slot, dunder, wrapper. Builtin types'
 * dunder attributes (int.__add__) are made from their slots.
 *
 * Invariants
 *  1. vm->class_epoch grows whenever a lookup through any type could now find something else than an
 *     inline cache has recorded; overwriting plain data in a class with plain data does not count.
 *  2. Methods of builtin types are materialised on the first attribute lookup in that type, not at start.
 */
#ifndef AIO_TYPE_H
#define AIO_TYPE_H

#include "object.h"

enum compare_op { CMP_LT, CMP_LE, CMP_EQ, CMP_NE, CMP_GT, CMP_GE };
/* What an order (negative, 0 or positive) says to a comparison. */
static inline bool compare_holds(int order, enum compare_op op)
{
    switch (op) {
    case CMP_LT: return order < 0;
    case CMP_LE: return order <= 0;
    case CMP_EQ: return order == 0;
    case CMP_NE: return order != 0;
    case CMP_GT: return order > 0;
    default: return order >= 0;
    }
}

typedef value (*unary_fn)(vm *, value);
typedef value (*binary_fn)(vm *, value, value); /* may return V_NOTIMPLEMENTED */
typedef value (*ternary_fn)(vm *, value, value, value);
typedef value (*compare_fn)(vm *, value, value, enum compare_op);
typedef int64_t (*len_fn)(vm *, value);              /* -1: raised */
typedef bool (*hash_fn)(vm *, value, uint64_t *out); /* false: raised */
typedef int (*test_fn)(vm *, value);                 /* 1, 0, -1 raised */
typedef int (*contains_fn)(vm *, value, value);      /* 1, 0, -1 raised */
/* setitem, setattr, descr_set; value unbound: delete; false: raised */
typedef bool (*store_fn)(vm *, value, value, value);
typedef value (*call_fn)(vm *, value callee, value *args, uint32_t nargs, value kwnames);
typedef value (*new_fn)(vm *, type *, value *args, uint32_t nargs, value kwnames); /* args without the class */
typedef bool (*init_fn)(vm *, value self, value *args, uint32_t nargs, value kwnames);

struct type_slots {
#define SLOT(FIELD, CTYPE, DUNDER, WRAPPER) CTYPE FIELD;
#include "slots.def"
#undef SLOT
};

/* How a userdata-like kind is traced and freed, when the kind alone does not say. */
typedef struct type_layout {
    size_t size;
    void (*traverse)(vm *, object *);
    void (*free)(vm *, object *);             /* releases C resources; runs no script */
    void (*finalize)(vm *, value);            /* at a safepoint, may run script */
    const struct buffer_ops *buffer;          /* buffer.h: instances export memory; NULL: they don't */
    void (*cards)(vm *, object *, bool mark); /* gc_kind_ops.cards, for containers that use gc_remember_card */
    bool (*traverse_part)(vm *, object *, size_t *at, size_t n); /* gc_kind_ops.traverse_part; or NULL */
} type_layout;

enum type_flags {
    TF_BASE = 1,           /* may be a base class */
    TF_HEAP = 2,           /* made by script */
    TF_HAS_DICT = 4,       /* instances take arbitrary attributes */
    TF_LAZY = 8,           /* methods not yet materialised */
    TF_CACHED = 16,        /* some inline cache looked through it */
    TF_FINALIZER = 32,     /* has __del__ */
    TF_GETATTR_PLAIN = 64, /* getattr is the default: inline caches may be used */
    TF_SETATTR_PLAIN = 128,
    TF_INIT_SCRIPT = 256, /* __new__ is object's and __init__ is a script function: calls stay in the interpreter */
    TF_ABSTRACT = 512,    /* has __abstractmethods__ */
    TF_NO_WEAKREF = 1024,
    TF_SLOTS = 2048, /* has __slots__ without __dict__ */
    TF_ITER_SCRIPT = 4096,
    TF_EXC = 8192, /* BaseException subclass */
    TF_SEQUENCE = 1 << 20,
    TF_MAPPING = 1 << 21,    /* match statement: collections.abc registers them */
    TF_IMMUTABLE = 16384,    /* builtin: attributes can't be set */
    TF_PLAIN_NAME = 1 << 24, /* CPython has it as a class written in Python: no module before its name in messages */
};

struct type {
    object h;
    value *slots; /* of a metaclass instance; usually NULL */
    uint32_t id;  /* TYPE_x / EXC_x, or 0 for script types */
    uint32_t flags;
    uint32_t root_shape;   /* shape id of a fresh instance */
    uint8_t inst_kind;     /* layout of instances */
    uint16_t inline_slots; /* how many slots a fresh instance gets inline (learnt) */
    uint16_t nmembers;     /* slots taken by __slots__ members, bases included */
    uint16_t layout_index; /* of `layout` in the list of them in userdata.c; 0: not asked for yet */
    type *base;            /* layout base ("solid base" chain) */
    tuple *bases, *mro;
    dict *dict;
    value name, qualname, doc, module; /* doc/module unbound: look in dict */
    list *subclasses;                  /* weak references */
    const native_def *methods;         /* builtin: until materialised */
    const struct getset_def *getsets;
    const type_layout *layout;
    shape *root;
    shape *dict_shape; /* of instances whose __dict__ owns the attributes; made lazily (shape.c) */
    type *solid;       /* the class in the base chain that decides the layout (class.c) */
    uint32_t nshapes;  /* shapes made for it: beyond a bound instances go to dict mode */
    uint32_t serial;   /* never reused: inline caches of class attributes compare it */
    struct type_slots s;
};

/* ---- native functions ---- */

#include "docs.h"

enum native_flags {
    NATIVE_RAW = 1, /* gets (args, nargs, kwnames) unbound, parses them itself */
    NATIVE_STATIC = 2,
    NATIVE_CLASS = 4,
    NATIVE_ASYNC = 8,    /* `async_step` instead of fn: see async_native.h */
    NATIVE_NEWLIKE = 16, /* __new__: first argument is the class */
    NATIVE_BLOCKING = 32,
    NATIVE_CONSUMES = 2048, /* walks a generator as a frame, not in C: NATIVE_CONSUME(what) (consume.c) */
    NATIVE_CONSUME_SHIFT = 16,
};
enum consume {
    CONSUME_SUM,
    CONSUME_ANY,
    CONSUME_ALL,
    CONSUME_LIST,
    CONSUME_TUPLE,
    CONSUME_SET,
    CONSUME_CALL1, /* the native is called with a list in the generator's place, its only argument */
    CONSUME_CALL2, /* the second one, after the receiver */
    CONSUME_COUNT
};
#define NATIVE_CONSUME(what) (NATIVE_CONSUMES | (unsigned)(what) << NATIVE_CONSUME_SHIFT)
/* `sig` is "name(self, x, /, y=None, *, key=None)": it binds arguments, makes CPython's messages, and is
 * the __text_signature__. The native receives args[0..nparams): declared order, missing optional ones
 * unbound (V_UNBOUND); defaults in sig are documentation. `*args` / `**kw` in sig imply NATIVE_RAW:
 * the native then gets nargs positionals in args[], followed by the values of kwnames (tuple or unbound). */
struct native_def {
    const char *sig;
    native_fn fn;
    const char *doc; /* DOC("..."), or a text (docs.h) */
    uint32_t flags;
};
typedef struct getset_def {
    const char *name;
    value (*get)(vm *, value self);
    bool (*set)(vm *, value self, value v); /* NULL: read-only; v unbound: delete */
    const char *doc;
} getset_def;

/* As `set`: "readonly attribute", and the descriptor is a member_descriptor, as CPython's struct members are. */
bool getset_readonly(vm *vm, value self, value v);

/* ---- api (type.c, attr.c, class.c, shape.c, native.c) ---- */

uint32_t type_id_of_imm(value v);
/* The type of any value. */
type *type_of(vm *vm, value v);
/* MRO lookup without descriptors: unbound when absent, never raises. */
value type_lookup(vm *vm, type *t, str *name);
/* Like type_lookup on type_of(v), then bound to v (descr get). unbound when absent (no exception) or raised (check vm).
 */
value type_lookup_special(vm *vm, value v, str *name);
bool type_is_subtype(const type *t, const type *of);
static inline bool value_isa(vm *vm, value v, const type *t) { return type_is_subtype(type_of(vm, v), t); }
bool value_isa_id(vm *vm, value v, unsigned type_id);
const char *type_name(const type *t);                   /* UTF-8, valid while t lives: for messages use %T */
bool type_setattr(vm *vm, type *t, str *name, value v); /* v unbound: delete. Updates slots, epoch. */
/* type(name, bases, namespace, **kw) after the metaclass is settled. */
value type_new_class(vm *vm, type *meta, str *name, tuple *bases, dict *ns, value *kwvals, value kwnames);
/* What `class X(bases, **kw): body` does around the body: metaclass, __prepare__, body, call. */
value type_build_class(vm *vm, value *args, uint32_t nargs, value kwnames);
void type_update_slots(vm *vm, type *t); /* after dunders changed, subclasses included */
bool types_open(vm *vm);                 /* creates all types of types.def */
/* Each builtin type's file defines `void type_init_<file>(vm *)`, which fills slots, methods, getsets of its types: see
 * builtin_types.def. */

/* A builtin type outside types.def (C modules): layout may be NULL for a plain instance. NULL: raised. */
typedef struct type_spec {
    const char *name; /* "module.Name" */
    const char *doc;
    const type_layout *layout;
    const native_def *methods; /* ended by {0} */
    const getset_def *getsets; /* ended by {0} */
    unsigned base_id;          /* 0: object */
    uint32_t flags;
    void (*fill)(struct type_slots *);
    /* attribute slots that belong to C code: object_slots()[0, nslots), made by slots_reserve */
    uint16_t nslots;
} type_spec;
type *type_from_spec(vm *vm, const type_spec *spec);
/* of a base that is not in types.def; base_id is not looked at */
type *type_derive(vm *vm, const type_spec *spec, type *base);
/* Allocates an instance for `t` (kind from t, slots pointer and body zeroed, body = layout->size bytes after the slots
 * word). */
void *userdata_new(vm *vm, type *t);

native *native_new(vm *vm, const native_def *def, type *owner, value module);
/* Binds (args, nargs, kwnames) to def's parameters in out[nparams]; false: raised. */
bool native_bind(vm *vm, native *n, value *args, uint32_t nargs, value kwnames, value *out);

/* Attributes of instances (generic getattr/setattr = object's slots). */
value attr_generic_get(vm *vm, value o, str *name);
bool attr_generic_set(vm *vm, value o, str *name, value v);
/* Frees the attribute storage of a dying object (slots may be NULL): every kind's free op whose objects have slots
 * calls it. */
void object_slots_free(vm *vm, object *o, value *slots);
/* where the slots pointer lives; NULL if the object has none */
value *object_slots(vm *vm, object *o, value ***where);
dict *object_dict(vm *vm, value o);  /* obj.__dict__, made on demand; NULL raised */
value instance_new(vm *vm, type *t); /* bare instance of any heap type of kind INSTANCE */

#endif
