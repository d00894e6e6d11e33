/* The module sys. */
#include "vm/caps.h"
#include "vm/attr.h"
#include "vm/builtins.h"
#include "vm/exception.h"
#include "vm/file.h"
#include "vm/import.h"
#include "vm/interp.h"
#include "vm/list.h"
#include "vm/lock.h"
#include "vm/native.h"
#include "vm/str.h"
#include "stdlib/structseq.h"

#include <float.h>
#include <unistd.h>

#define DOC_FILE stdlib_mod_sys
DOC_BEGIN;

#ifndef AIOVM_VERSION
#define AIOVM_VERSION "0"
#endif

/* ---- leaving, exceptions ---- */

NATIVE(sys_exit)
{
    value v = value_is_unbound(a[0]) ? V_NONE : a[0], e;
    if (value_is_exact(v, TYPE_TUPLE)) {
        ROOTS(vm, &v);
        e = exc_make(vm, EXC_T(vm, SystemExit), AS(tuple, v)->items, (uint32_t)AS(tuple, v)->len);
    } else if (value_is_unbound(a[0]) || value_is_none(v)) {
        e = exc_make(vm, EXC_T(vm, SystemExit), NULL, 0);
    } else {
        e = value_isa_id(vm, v, EXC_SystemExit) ? v : exc_new(vm, EXC_SystemExit, v);
    }
    return value_is_error(e) ? e : raise_exception(vm, e);
}

NATIVE(sys_exc_info)
{
    (void)a;
    value h = vm->thread->handled, parts[3] = {V_NONE, V_NONE, V_NONE};
    if (IS_EXC(h)) {
        parts[0] = value_obj(type_of(vm, h));
        parts[1] = h;
        parts[2] = exc_get_traceback(vm, h);
        if (value_is_error(parts[2])) return V_ERROR;
    }
    tuple *t = tuple_from(vm, parts, 3);
    return t ? value_obj(t) : V_ERROR;
}
NATIVE(sys_exception)
{
    (void)a;
    value h = vm->thread->handled;
    return IS_EXC(h) ? h : V_NONE;
}

NATIVE(sys_excepthook)
{
    if (!IS_EXC(a[1])) {
        str *s = str_format(vm, "TypeError: print_exception(): Exception expected for value, %T found\n", a[1]);
        if (s) file_write_stderr(vm, s);
        return V_NONE;
    }
    exc_print(vm, a[1]);
    return V_NONE;
}

NATIVE(sys_unraisablehook)
{
    str *value_name = str_from_cstr(vm, "exc_value"),
        *object_name = value_name ? str_intern_utf8(vm, "object", 6) : NULL;
    value exc = object_name ? obj_getattr(vm, a[0], str_intern(vm, value_name)) : V_ERROR;
    if (value_is_error(exc)) return V_ERROR;
    ROOTS(vm, &exc);
    value where = obj_getattr(vm, a[0], object_name);
    if (value_is_error(where)) return V_ERROR;
    if (!IS_EXC(exc)) return V_NONE;
    vm->thread->exc = exc;
    exc_report_unraisable(vm, value_is_none(where) ? V_UNBOUND : where);
    return V_NONE;
}

NATIVE(sys_displayhook)
{
    if (value_is_none(a[0])) return V_NONE;
    str *underscore = vm->chars['_'];
    if (!dict_set_str(vm, vm->builtins, underscore, V_NONE)) return V_ERROR;
    value out = sys_get_required(vm, "stdout", "lost sys.stdout");
    if (value_is_unbound(out) || value_is_none(out)) return raised(vm) ? V_ERROR : V_NONE;
    ROOTS(vm, &out);
    str *s = obj_repr(vm, a[0]);
    if (!s || !file_put(vm, out, s) || !file_put_char(vm, out, '\n')) return V_ERROR;
    return dict_set_str(vm, vm->builtins, underscore, a[0]) ? V_NONE : V_ERROR;
}

/* ---- limits ---- */

enum { RECURSION_MAX = 1000000 };

NATIVE(sys_getrecursionlimit)
{
    (void)a;
    return value_int(vm->limits.recursion);
}
NATIVE(sys_setrecursionlimit)
{
    int limit;
    if (!args_int(vm, a[0], 0, &limit)) return V_ERROR;
    if (limit < 1) return raise_value_error(vm, "recursion limit must be greater or equal than 1");
    if ((uint32_t)limit <= vm->thread->depth)
        return raise(vm, EXC_RecursionError,
                     "cannot set the recursion limit to %d at the recursion depth %d: the limit is too low", limit,
                     (int)vm->thread->depth);
    vm->limits.recursion = limit > RECURSION_MAX ? RECURSION_MAX : (uint32_t)limit;
    return V_NONE;
}
NATIVE(sys_get_int_max_str_digits)
{
    (void)a;
    return value_int(vm->limits.int_str_digits);
}
NATIVE(sys_set_int_max_str_digits)
{
    int digits;
    if (!args_int(vm, a[0], 0, &digits)) return V_ERROR;
    if (digits != 0 && digits < 640) return raise_value_error(vm, "maxdigits must be 0 or larger than 640");
    vm->limits.int_str_digits = (uint32_t)digits;
    return V_NONE;
}

/* ---- objects ---- */

NATIVE(sys_intern)
{
    if (!IS_STR(a[0])) return raise_type_error(vm, "intern() argument must be str, not %A", a[0]);
    if (!value_is_exact(a[0], TYPE_STR)) return raise_type_error(vm, "can't intern %T", a[0]);
    str *s = str_intern(vm, AS(str, a[0]));
    return s ? value_obj(s) : V_ERROR;
}
NATIVE(sys_getsizeof)
{
    value f = type_lookup_special(vm, a[0], N(vm, __sizeof__));
    value v = value_is_unbound(f) ? V_ERROR : vm_call0(vm, f);
    if (!value_is_error(v)) return v;
    if (value_is_unbound(a[1])) {
        return raised(vm) ? V_ERROR : raise_type_error(vm, "Type %T doesn't define __sizeof__", a[0]);
    }
    return exc_clear_if(vm, EXC_TypeError) || !raised(vm) ? a[1] : V_ERROR;
}
/* Nothing counts references here: the number CPython gives for an object with one owner. */
NATIVE(sys_getrefcount)
{
    (void)vm, (void)a;
    return value_int(2);
}
NATIVE(sys_getframe)
{
    int depth;
    if (!args_int(vm, a[0], 0, &depth)) return V_ERROR;
    return frameview_current(vm, depth < 0 ? 0 : (uint32_t)depth);
}
NATIVE(sys_getallocatedblocks)
{
    (void)a;
    gc_stats st;
    gc_get_stats(vm, &st);
    return int_from_u64(vm, st.live / 16);
}

/* ---- the rest ---- */

static value text(vm *vm, const char *s)
{
    str *t = str_from_cstr(vm, s);
    return t ? value_obj(t) : V_ERROR;
}
NATIVE(sys_utf8)
{
    (void)a;
    return text(vm, "utf-8");
}
NATIVE(sys_surrogateescape)
{
    (void)a;
    return text(vm, "surrogateescape");
}
NATIVE(sys_false)
{
    (void)vm, (void)a;
    return V_FALSE;
}
NATIVE(sys_nothing)
{
    (void)vm, (void)a;
    return V_NONE;
}
NATIVE(sys_zero)
{
    (void)vm, (void)a;
    return value_int(0);
}
NATIVE(sys_getswitchinterval)
{
    (void)a;
    return value_float(1e-6 * (double)(lock_interval(vm) / 1000));
}
NATIVE(sys_setswitchinterval)
{
    double seconds;
    if (!float_as_double(vm, a[0], &seconds)) return V_ERROR;
    if (!(seconds > 0)) return raise_value_error(vm, "switch interval must be strictly positive");
    lock_set_interval(vm, seconds < 1e9 ? (int64_t)(seconds * 1e6) * 1000 : INT64_MAX); /* whole microseconds */
    return V_NONE;
}
NATIVE(sys_settrace)
{
    return value_is_none(a[0]) ? V_NONE : raise(vm, EXC_NotImplementedError, "tracing is not supported");
}
NATIVE(sys_breakpointhook)
{
    (void)a;
    return raise(vm, EXC_NotImplementedError, "there is no debugger");
}
NATIVE(sys_get_asyncgen_hooks)
{
    (void)a;
    value f = vm->thread->asyncgen_firstiter, z = vm->thread->asyncgen_finalizer;
    tuple *t = tuple_pack(vm, 2, value_is_unbound(f) ? V_NONE : f, value_is_unbound(z) ? V_NONE : z);
    return t ? value_obj(t) : V_ERROR;
}
NATIVE(sys_set_asyncgen_hooks)
{
    for (int i = 0; i < 2; i++) {
        if (value_is_unbound(a[i])) continue;
        if (!value_is_none(a[i]) && !obj_is_callable(vm, a[i]))
            return raise_type_error(vm, "callable %s expected, got %T", i ? "finalizer" : "firstiter", a[i]);
    }
    if (!value_is_unbound(a[0])) vm->thread->asyncgen_firstiter = value_is_none(a[0]) ? V_UNBOUND : a[0];
    if (!value_is_unbound(a[1])) vm->thread->asyncgen_finalizer = value_is_none(a[1]) ? V_UNBOUND : a[1];
    return V_NONE;
}
NATIVE(sys_register_exit)
{
    value l = sys_attribute(vm, "_exit_functions");
    return IS_LIST(l) && list_append(vm, AS(list, l), a[0]) ? V_NONE : V_ERROR;
}

static const native_def functions[] = {
    {"exit(status=None, /)", sys_exit, DOC("Exit the interpreter by raising SystemExit(status)."), 0},
    {"exc_info()", sys_exc_info, DOC("Return current exception information: (type, value, traceback)."), 0},
    {"exception()", sys_exception, DOC("Return the current exception."), 0},
    {"excepthook(exctype, value, traceback, /)", sys_excepthook,
     DOC("Handle an exception by displaying it with a traceback on sys.stderr."), 0},
    {"unraisablehook(unraisable, /)", sys_unraisablehook, DOC("Handle an unraisable exception."), 0},
    {"displayhook(object, /)", sys_displayhook, DOC("Print an object to sys.stdout and also save it in builtins._"), 0},
    {"breakpointhook(*args, **kws)", sys_breakpointhook, DOC("This hook function is called by built-in breakpoint()."),
     NATIVE_RAW},
    {"getrecursionlimit()", sys_getrecursionlimit, DOC("Return the current value of the recursion limit."), 0},
    {"setrecursionlimit(limit, /)", sys_setrecursionlimit, DOC("Set the maximum depth of the interpreter stack to n."),
     0},
    {"get_int_max_str_digits()", sys_get_int_max_str_digits,
     DOC("Return the maximum string digits limit for non-binary int<->str conversions."), 0},
    {"set_int_max_str_digits(maxdigits)", sys_set_int_max_str_digits,
     DOC("Set the maximum string digits limit for non-binary int<->str conversions."), 0},
    {"intern(string, /)", sys_intern, DOC("``Intern'' the given string."), 0},
    {"getsizeof(object, default=None)", sys_getsizeof, DOC("Return the size of object in bytes."), 0},
    {"getrefcount(object, /)", sys_getrefcount, DOC("Objects are not counted here: always 2."), 0},
    {"getallocatedblocks()", sys_getallocatedblocks, DOC("Return the number of memory blocks currently allocated."), 0},
    {"_getframe(depth=0, /)", sys_getframe, DOC("Return a frame object from the call stack."), 0},
    {"getdefaultencoding()", sys_utf8, DOC("Return the current default encoding used by the Unicode implementation."),
     0},
    {"getfilesystemencoding()", sys_utf8, DOC("Return the encoding used to convert Unicode filenames to OS filenames."),
     0},
    {"getfilesystemencodeerrors()", sys_surrogateescape,
     DOC("Return the error mode used for Unicode to OS filename conversion."), 0},
    {"is_finalizing()", sys_false, DOC("Return True if the interpreter is exiting."), 0},
    {"getswitchinterval()", sys_getswitchinterval, DOC("Return the current thread switch interval."), 0},
    {"setswitchinterval(interval, /)", sys_setswitchinterval,
     DOC("Set the ideal thread switching delay inside the interpreter."), 0},
    {"settrace(function, /)", sys_settrace, DOC("Only None can be set."), 0},
    {"gettrace()", sys_nothing, DOC("Return the global debug tracing function."), 0},
    {"setprofile(function, /)", sys_settrace, DOC("Only None can be set."), 0},
    {"getprofile()", sys_nothing, DOC("Return the profiling function."), 0},
    {"audit(event, *args)", sys_nothing, DOC("No hook hears of it."), NATIVE_RAW},
    {"addaudithook(hook)", sys_nothing, DOC("Accepted, never called."), 0},
    {"get_asyncgen_hooks()", sys_get_asyncgen_hooks, DOC("Return the current asynchronous generators hooks."), 0},
    {"set_asyncgen_hooks(firstiter=None, finalizer=None)", sys_set_asyncgen_hooks,
     DOC("Set a finalizer for async generators objects."), 0},
    {"get_coroutine_origin_tracking_depth()", sys_zero,
     DOC("Check status of origin tracking for coroutine objects in this thread."), 0},
    {"set_coroutine_origin_tracking_depth(depth)", sys_nothing,
     DOC("The line of a coroutine's creation is always known."), 0},
    {"_register_exit(function, /)", sys_register_exit, DOC("Call the function when the program ends."), 0},
    {0},
};

/* ---- tables of numbers ---- */

/* An item: a number, a truth value or a text. */
struct item {
    enum { VALUE_INT, VALUE_FLOAT, VALUE_TEXT, VALUE_BOOL } kind;
    int64_t n;
    double d;
    const char *s;
};
#define I(V)                  \
    {                         \
        VALUE_INT, V, 0, NULL \
    }
#define B(V)                   \
    {                          \
        VALUE_BOOL, V, 0, NULL \
    }
#define D(V)                    \
    {                           \
        VALUE_FLOAT, 0, V, NULL \
    }
#define S(V)                \
    {                       \
        VALUE_TEXT, 0, 0, V \
    }
#define F STRUCTSEQ_FIELD

static const struct item version_items[] = {
    I(3), I(11), I(2), S("final"), I(0),
};
static const getset_def version_fields[] = {
    F(0, "major", NULL),        F(1, "minor", NULL),  F(2, "micro", NULL),
    F(3, "releaselevel", NULL), F(4, "serial", NULL), {0},
};
static const struct item float_items[] = {
    D(DBL_MAX), I(1024), I(308), D(DBL_MIN), I(-1021), I(-307), I(15), I(53), D(DBL_EPSILON), I(2), I(1),
};
static const getset_def float_fields[] = {
    F(0, "max", NULL),     F(1, "max_exp", NULL),    F(2, "max_10_exp", NULL), F(3, "min", NULL),
    F(4, "min_exp", NULL), F(5, "min_10_exp", NULL), F(6, "dig", NULL),        F(7, "mant_dig", NULL),
    F(8, "epsilon", NULL), F(9, "radix", NULL),      F(10, "rounds", NULL),    {0},
};
static const struct item int_items[] = {
    I(30),
    I(4),
    I(4300),
    I(640),
};
static const getset_def int_fields[] = {
    F(0, "bits_per_digit", NULL),
    F(1, "sizeof_digit", NULL),
    F(2, "default_max_str_digits", NULL),
    F(3, "str_digits_check_threshold", NULL),
    {0},
};
static const struct item hash_items[] = {
    I(64), I(INT64_C(2305843009213693951)), I(314159), I(0), I(1000003), S("siphash13"), I(64), I(128), I(0),
};
static const getset_def hash_fields[] = {
    F(0, "width", NULL),     F(1, "modulus", NULL),   F(2, "inf", NULL),       F(3, "nan", NULL),    F(4, "imag", NULL),
    F(5, "algorithm", NULL), F(6, "hash_bits", NULL), F(7, "seed_bits", NULL), F(8, "cutoff", NULL), {0},
};
static const struct item flags_items[] = {
    I(0), I(0), I(0), I(0), I(1), I(0), I(0), I(0), I(0), I(0), I(0), I(1), I(0), B(0), I(0), I(0), B(0), I(-1),
};
static const getset_def flags_fields[] = {
    F(0, "debug", NULL),
    F(1, "inspect", NULL),
    F(2, "interactive", NULL),
    F(3, "optimize", NULL),
    F(4, "dont_write_bytecode", NULL),
    F(5, "no_user_site", NULL),
    F(6, "no_site", NULL),
    F(7, "ignore_environment", NULL),
    F(8, "verbose", NULL),
    F(9, "bytes_warning", NULL),
    F(10, "quiet", NULL),
    F(11, "hash_randomization", NULL),
    F(12, "isolated", NULL),
    F(13, "dev_mode", NULL),
    F(14, "utf8_mode", NULL),
    F(15, "warn_default_encoding", NULL),
    F(16, "safe_path", NULL),
    F(17, "int_max_str_digits", NULL),
    {0},
};
static const struct item thread_items[] = {
    S("pthread"),
    S("semaphore"),
    S("NPTL"),
};
static const getset_def thread_fields[] = {
    F(0, "name", NULL),
    F(1, "lock", NULL),
    F(2, "version", NULL),
    {0},
};

static value item_value(vm *vm, const struct item *r)
{
    switch (r->kind) {
    case VALUE_INT: return int_from_i64(vm, r->n);
    case VALUE_FLOAT: return value_float(r->d);
    case VALUE_BOOL: return value_bool(r->n);
    default: return text(vm, r->s);
    }
}

static value make_table(vm *vm, const char *name, const struct item *rows, unsigned n, const getset_def *fields)
{
    value items[STRUCTSEQ_MAX_VISIBLE];
    for (unsigned i = 0; i < n; i++) {
        items[i] = item_value(vm, &rows[i]);
        if (value_is_error(items[i])) return V_ERROR;
    }
    const structseq_spec spec = {.name = name, .fields = fields};
    type *t = structseq_type(vm, &spec);
    return t ? structseq_new(vm, t, items) : V_ERROR;
}
#define TABLE(NAME, PREFIX) \
    make_table(vm, NAME, PREFIX##_items, sizeof PREFIX##_items / sizeof *PREFIX##_items, PREFIX##_fields)

enum { HEXVERSION = 0x030b02f0 };

static bool add_tables(vm *vm, module *m)
{
    value version = TABLE("sys.version_info", version);
    return module_add(vm, m, "version_info", version) &&
           module_add(vm, m, "float_info", TABLE("sys.float_info", float)) &&
           module_add(vm, m, "int_info", TABLE("sys.int_info", int)) &&
           module_add(vm, m, "hash_info", TABLE("sys.hash_info", hash)) &&
           module_add(vm, m, "flags", TABLE("sys.flags", flags)) &&
           module_add(vm, m, "thread_info", TABLE("sys.thread_info", thread)) &&
           module_add(vm, m, "hexversion", value_int(HEXVERSION));
}

/* sys.implementation: an object with attributes and a repr that lists them. */
static value namespace_repr(vm *vm, value self)
{
    dict *d = object_dict(vm, self);
    if (!d) return V_ERROR;
    str_builder b;
    sb_init(&b, vm);
    sb_cstr(&b, "namespace(");
    size_t pos = 0;
    value k, v;
    for (bool first = true; dict_next(d, &pos, &k, &v); first = false) {
        str *s = IS_STR(k) ? obj_repr(vm, v) : NULL;
        if (!s) {
            sb_drop(&b);
            return V_ERROR;
        }
        if (!first) sb_cstr(&b, ", ");
        sb_str(&b, AS(str, k));
        sb_char(&b, '=');
        sb_str(&b, s);
    }
    sb_char(&b, ')');
    str *s = sb_finish(&b);
    return s ? value_obj(s) : V_ERROR;
}
static bool namespace_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    if (n) {
        raise_type_error(vm, "no positional arguments expected");
        return false;
    }
    size_t nkw = value_is_unbound(kw) ? 0 : AS(tuple, kw)->len;
    for (size_t i = 0; i < nkw; i++)
        if (!obj_setattr(vm, self, AS(str, AS(tuple, kw)->items[i]), args[i])) return false;
    return true;
}
static value namespace_compare(vm *vm, value x, value y, enum compare_op op)
{
    if (type_of(vm, x) != type_of(vm, y) || (op != CMP_EQ && op != CMP_NE)) return V_NOTIMPLEMENTED;
    dict *d = object_dict(vm, x), *e = d ? object_dict(vm, y) : NULL;
    return e ? obj_compare(vm, value_obj(d), value_obj(e), op) : V_ERROR;
}
static value namespace_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    (void)args, (void)n, (void)kw;
    return instance_new(vm, t);
}
static void namespace_fill(struct type_slots *s)
{
    s->repr = namespace_repr;
    s->init = namespace_init;
    s->new_ = namespace_new;
    s->compare = namespace_compare;
}

static bool add_implementation(vm *vm, module *m)
{
    static const type_spec spec = {.name = "types.SimpleNamespace",
                                   .flags = TF_BASE | TF_HAS_DICT,
                                   .fill = namespace_fill,
                                   .doc = "A simple attribute-based namespace."};
    type *t = type_from_spec(vm, &spec);
    value o = t ? instance_new(vm, t) : V_ERROR;
    if (value_is_error(o) || !module_add(vm, m, "implementation", o)) return false;
    const struct {
        const char *name;
        value v;
    } rows[] = {
        {"name", text(vm, "aio")},
        {"cache_tag", V_NONE},
        {"version", dict_get_str(vm, m->dict, str_intern_utf8(vm, "version_info", 12))},
        {"hexversion", value_int(HEXVERSION)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str *name = str_intern_utf8(vm, rows[i].name, strlen(rows[i].name));
        if (!name || value_is_error(rows[i].v) || !obj_setattr(vm, o, name, rows[i].v)) return false;
    }
    return true;
}

static bool add_texts(vm *vm, module *m)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"version", "3.11.2 (aio " AIOVM_VERSION ")"},
        {"copyright", "MIT licence"},
        {"platform", "linux"},
        {"float_repr_style", "short"},
        {"platlibdir", "lib"},
        {"abiflags", ""},
        {"prefix", "/usr"},
        {"exec_prefix", "/usr"},
        {"base_prefix", "/usr"},
        {"base_exec_prefix", "/usr"},
        {"byteorder", __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "little" : "big"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!module_add(vm, m, rows[i].name, text(vm, rows[i].text))) return false;
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    return module_add(vm, m, "executable", text(vm, path));
}

static bool add_lists(vm *vm, module *m)
{
    static const char *const empty[] = {"argv",      "orig_argv",  "path",           "warnoptions",
                                        "meta_path", "path_hooks", "_exit_functions"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        list *l = list_new(vm, 0);
        if (!l || !module_add(vm, m, empty[i], value_obj(l))) return false;
    }
    tuple *names = tuple_new(vm, builtin_module_count + 1);
    if (!names) return false;
    for (size_t i = 0; i <= builtin_module_count; i++) {
        value v = text(vm, i ? builtin_modules[i - 1].name : "builtins");
        if (value_is_error(v)) return false;
        names->items[i] = v;
    }
    dict *cache = dict_new(vm), *xoptions = dict_new(vm);
    return cache && xoptions && module_add(vm, m, "builtin_module_names", value_obj(names)) &&
           module_add(vm, m, "path_importer_cache", value_obj(cache)) &&
           module_add(vm, m, "_xoptions", value_obj(xoptions)) && module_add(vm, m, "modules", value_obj(vm->modules));
}

static bool add_files_and_hooks(vm *vm, module *m)
{
    static const char *const files[] = {"stdin", "stdout", "stderr"}, *const hidden[] = {"__stdin__", "__stdout__",
                                                                                         "__stderr__"};
    for (int fd = 0; fd < 3; fd++)
        if (!module_add(vm, m, files[fd], file_std(vm, fd)) || !module_add(vm, m, hidden[fd], file_std(vm, fd)))
            return false;
    static const char *const hooks[] = {"displayhook", "excepthook", "unraisablehook", "breakpointhook"};
    static const char *const originals[] = {"__displayhook__", "__excepthook__", "__unraisablehook__",
                                            "__breakpointhook__"};
    for (int i = 0; i < 4; i++) {
        str *name = str_intern_utf8(vm, hooks[i], strlen(hooks[i]));
        if (!name || !module_add(vm, m, originals[i], dict_get_str(vm, m->dict, name))) return false;
    }
    return true;
}

bool sys_init(vm *vm, module *m);
bool sys_init(vm *vm, module *m)
{
    return module_add_natives(vm, m, functions) && add_tables(vm, m) && add_implementation(vm, m) && add_texts(vm, m) &&
           add_lists(vm, m) && add_files_and_hooks(vm, m) &&
           module_add(vm, m, "maxsize", int_from_i64(vm, INT64_MAX)) &&
           module_add(vm, m, "maxunicode", value_int(0x10FFFF)) && module_add(vm, m, "api_version", value_int(1013)) &&
           module_add(vm, m, "dont_write_bytecode", V_TRUE) && module_add(vm, m, "pycache_prefix", V_NONE);
}
