/* The layouts of heap objects. Only structs and trivial accessors: behaviour lives in each type's file.
 *
 * Invariants
 *  1. Every heap object begins with the 8-byte header `object`. `shape` is an index into vm->shapes;
 *     the shape names the type. The root shape of builtin type number T has id T, so an exact type
 *     check is one 32-bit compare: o->shape == TYPE_LIST.
 *  2. `kind` is the layout; an instance of a script subclass of list has kind K_LIST and its own shape.
 *  3. Stores of references into heap objects pass gc_barrier (gc.h). Frame registers are exempt.
 */
#ifndef AIO_OBJECT_H
#define AIO_OBJECT_H

#include "value.h"

typedef struct vm vm;
typedef struct thread thread;
typedef struct type type;
typedef struct shape shape;
typedef struct frame frame;
typedef struct code code;
typedef struct str str;
typedef struct tuple tuple;
typedef struct dict dict;
typedef uint32_t insn;

struct object {
    uint32_t shape;
    uint8_t kind;
    uint8_t gc;     /* GC_* bits, the collector's */
    uint16_t flags; /* per kind */
};

enum object_kind {
#define KIND(NAME, S) K_##NAME,
#include "kinds.def"
#undef KIND
    KIND_COUNT
};

enum type_id {
#define TYPE(ID, NAME, K, BASE, FL) TYPE_##ID,
#define EXCTYPE(NAME, BASE)         EXC_##NAME,
#include "types.def"
#undef TYPE
#undef EXCTYPE
    TYPE_COUNT
};
#define EXC_object TYPE_OBJECT

static inline bool value_is_kind(value v, unsigned kind) { return value_is_obj(v) && value_as_obj(v)->kind == kind; }
static inline bool value_is_exact(value v, unsigned type_id)
{
    return value_is_obj(v) && value_as_obj(v)->shape == type_id;
}
#define IS_STR(v)   value_is_kind(v, K_STR)
#define IS_LIST(v)  value_is_kind(v, K_LIST)
#define IS_TUPLE(v) value_is_kind(v, K_TUPLE)
#define IS_DICT(v)  value_is_kind(v, K_DICT)
#define IS_TYPE(v)  value_is_kind(v, K_TYPE)
#define IS_EXC(v)   value_is_kind(v, K_EXCEPTION)
#define AS(T, v)    ((T *)(void *)value_as_obj(v))

/* ---- numbers ---- */
typedef struct int64_cell {
    object h;
    int64_t n;
} int64_cell;           /* |n| >= 2^49, all of int64 */
typedef struct bigint { /* beyond int64 */
    object h;
    int32_t used; /* number of 60-bit digits */
    int32_t sign; /* 0 positive, 1 negative (libtommath's MP_ZPOS, MP_NEG) */
    uint64_t digits[];
} bigint;
/* subclass of int/float: num is the plain number */
typedef struct numsub {
    object h;
    value *slots;
    value num;
} numsub;
typedef struct complex_obj {
    object h;
    value *slots;
    double re, im;
} complex_obj;

/* ---- str, bytes: immutable, header.flags below; data points inline or into a shared buffer ---- */
enum {
    STR_ASCII = 1,    /* every code point < 128 (then width is 1) */
    STR_INTERNED = 2, /* equal interned strings are the same object */
    STR_BUFFER = 4,   /* data lies in u.owner's storage */
    STR_HASHED = 8,
    STR_WIDTH_SHIFT = 8 /* flags >> 8: 1, 2 or 4 bytes per code point (narrowest that fits) */
};
struct str {
    object h;
    uint64_t hash; /* valid when STR_HASHED */
    size_t len;    /* code points */
    const void *data;
    union {
        object *owner;  /* STR_BUFFER: the buffer (or the base str) that holds data */
        uint8_t inl[8]; /* else: the code points, NUL-terminated, as long as allocated */
    } u;
    /* instance of a subclass: always STR_BUFFER, followed by `value *slots` */
};
typedef struct bytes {
    object h;
    uint64_t hash;
    size_t len;
    const uint8_t *data;
    union {
        object *owner;
        uint8_t inl[8];
    } u;
} bytes;
typedef struct buffer { /* growing slack storage; `fill` bytes are in use by some string */
    object h;
    size_t fill, cap;
    uint8_t *data;
} buffer;
typedef struct bytearray {
    object h;
    value *slots;
    uint8_t *data; /* first byte (moves forward on deletes at the front) */
    uint8_t *alloc;
    size_t len, cap;
    uint32_t exports; /* live memoryviews: resizing raises BufferError */
} bytearray;
static inline unsigned str_width(const str *s) { return s->h.flags >> STR_WIDTH_SHIFT; }

/* ---- containers ---- */
typedef struct list {
    object h;
    value *slots; /* only of subclasses */
    value *items; /* never hold across a call that can run script */
    size_t len, cap;
} list;
struct tuple {
    object h;
    size_t len;
    value items[]; /* subclass instances: items[len] is the slots pointer's word */
};
typedef struct dict_entry {
    value key, val;
    uint64_t hash;
} dict_entry; /* dead: val == V_DELETED.. key unbound */
struct dict {
    object h; /* flags: DICT_STRKEYS */
    value *slots;
    dict_entry *entries; /* in insertion order; `fill` used, dead ones included */
    void *index;         /* 1<<log2 slots of 1, 2, 4 or 8 bytes: entry number, or empty / dead marks */
    uint32_t version;    /* key layout: a new number whenever an entry appears, dies or moves; 0 = none yet given */
    uint32_t log2;
    size_t used, cap, fill; /* what grows together is not side by side, else compilers load the pair as one word */
    size_t first;           /* all entries before it are dead: walks may begin there */
    uint64_t mutations;     /* grows with each insert or delete: iterators check it */
};
enum {
    DICT_STRKEYS = 1 /* all keys are exact strs */,
    DICT_NAMESPACE = 2 /* of a type: writes go through type_setattr */
};
typedef struct set_entry {
    value key;
    uint64_t hash;
} set_entry;
typedef struct set { /* CPython's table exactly */
    object h;
    value *slots;
    set_entry *table;
    size_t used, mask, fill; /* used and fill grow together: were they neighbours, compilers would load them as one */
    uint64_t hash;           /* frozenset: cached */
    uint64_t mutations;
    set_entry small[8]; /* the least table; garbage while it is not in use */
} set;
typedef struct range {
    object h;
    value start, stop, step, len;
} range;
typedef struct slice {
    object h;
    value start, stop, step;
} slice;
typedef struct dictview {
    object h;
    value of;
} dictview;           /* keys/values/items/mappingproxy */
typedef struct iter { /* builtin iterators: what the fields mean is the type's affair */
    object h;
    value *slots;
    value a, b, c;
    uint64_t i, n;
} iter;

/* ---- types, shapes, instances ---- */
typedef struct instance {
    object h;
    value *slots;
    value inl[];
} instance;
struct shape { /* hidden class: which attribute lies in which slot */
    object h;
    uint32_t id;    /* index in vm->shapes */
    uint32_t count; /* attributes = slots in use */
    type *cls;
    shape *parent; /* without `name` */
    str *name;     /* the attribute that this shape adds, at slot count-1 */
    void *next;    /* transitions: none, one shape, or a table (shape.c) */
    void *table;   /* name -> slot, made lazily */
    uint32_t nnext;
    uint32_t sflags; /* SHAPE_DICT: slots[0] is the instance's __dict__, which owns the attributes */
};
enum {
    SHAPE_DICT = 1,
    SHAPE_UNCACHEABLE = 2,
    SHAPE_GROWN = 4 /* a transition table was made for a child that is not there yet */
};

/* ---- callables ---- */
typedef struct cell {
    object h;
    value v;
} cell;
typedef struct function {
    object h; /* flags: FUNC_* copies of code flags that calls test */
    code *code;
    dict *globals;
    value defaults;       /* tuple or None */
    value kwdefaults;     /* dict or None */
    value name, qualname; /* str */
    value doc, module;
    value annotations; /* dict, tuple (name, value, ...) until asked for, or None */
    value attrs;       /* dict made on demand, or unbound */
    value builtins;    /* unbound: the VM's */
    uint32_t ncells;
    uint32_t version;
    cell *cells[]; /* the closure */
} function;
typedef value (*native_fn)(vm *vm, value *args, uint32_t nargs, value kwnames);
typedef struct native_def native_def;
typedef struct native { /* a C function; a method when `owner` is set */
    object h;           /* flags: NATIVE_* of native.h */
    native_fn fn;
    uint8_t min, max; /* positional arguments, self included; max 255: any */
    uint8_t nparams;  /* all parameters that bind to args[] */
    uint8_t nposonly; /* how many of them cannot be keywords */
    const native_def *def;
    value name;   /* str */
    value params; /* tuple of names, or None */
    type *owner;  /* methods: the type they belong to */
    value module; /* its module's name, or None */
    value code;   /* async natives: the stub code (async_native.c) */
    value data;   /* host data (embedding), or unbound */
} native;
typedef struct method {
    object h;
    value func, self;
} method;
typedef struct descr { /* by type: property (get,set,del,doc), static/classmethod (get), getset, member */
    object h;
    value *slots;
    value get, set, del, doc, name;
    const void *def; /* getset_def / member slot */
    type *owner;
    uint32_t index; /* member: slot index */
} descr;
typedef struct super {
    object h;
    value *slots;
    value cls, self, self_type;
} super;

/* ---- exceptions ---- */
/* pc: word offset of the NEXT instruction */
typedef struct tb_entry {
    code *code;
    uint32_t pc;
    uint32_t lineno;
} tb_entry;
typedef struct exception {
    object h; /* flags: EXC_SUPPRESS... */
    value *slots;
    value args;           /* tuple */
    value cause, context; /* exception or None */
    value traceback;      /* None, a traceback set by script (with_traceback), or unbound: use tb */
    /* by class: StopIteration value; OSError errno, strerror, filename, filename2; ... (exception.h) */
    value field[6];
    tb_entry *tb; /* innermost first, appended while unwinding */
    uint32_t ntb, captb;
} exception;
enum { EXC_SUPPRESS_CONTEXT = 1, EXC_REPORTED = 2, EXC_PREALLOCATED = 4 };
typedef struct traceback {
    object h;
    value next;
    value frame;
    code *code;
    uint32_t pc, lineno;
} traceback;
typedef struct frameview {
    object h;
    code *code;
    uint32_t pc, lineno;
    value globals, locals, back;
    frame *live;
} frameview;

/* ---- modules, weak references, userdata ---- */
typedef struct module {
    object h;
    value *slots;
    dict *dict;
} module;
typedef struct weakref {
    object h;
    value *slots;
    object *target; /* NULL when dead */
    value callback;
    struct weakref *next;
    uint64_t hash;
} weakref;
typedef struct userdata {
    object h;
    value *slots;
    uint64_t body[];
} userdata; /* ops: type->layout */

#endif
