/* builtins: compiling and running text, namespaces, importing, leaving. */
#include "builtins.h"
#include "bytes.h"
#include "code.h"
#include "dict.h"
#include "file.h"
#include "frame.h"
#include "import.h"
#include "native.h"
#include "str.h"

#define DOC_FILE vm_builtins_run
DOC_BEGIN;

NATIVE(b_globals)
{
    (void)a;
    dict *d = frame_current_globals(vm);
    return d ? value_obj(d) : V_NONE;
}
NATIVE(b_locals)
{
    (void)a;
    return frame_current_locals(vm);
}

/* The text of a source argument as bytes; keeps none of the heap alive. false: raised, or (nothing raised) no text. */
static bool source_text(vm *vm, value v, const char **p, size_t *n)
{
    const uint8_t *q;
    if (IS_STR(v)) {
        *p = str_utf8(vm, AS(str, v), n);
        return *p != NULL;
    }
    if (!buffer_view(vm, v, &q, n)) return false;
    *p = (const char *)q;
    return true;
}

/* The path in an argument as str: str, bytes or os.PathLike; NULL raised. */
str *path_argument(vm *vm, value v)
{
    if (!IS_STR(v) && !IS_BYTES(v)) {
        value f = type_lookup_special(vm, v, N(vm, __fspath__));
        if (value_is_unbound(f)) {
            if (!raised(vm)) raise_type_error(vm, "expected str, bytes or os.PathLike object, not %T", v);
            return NULL;
        }
        value given = v;
        v = vm_call0(vm, f);
        if (value_is_error(v)) return NULL;
        if (!IS_STR(v) && !IS_BYTES(v)) {
            raise_type_error(vm, "expected %T.__fspath__() to return str or bytes, not %T", given, v);
            return NULL;
        }
    }
    if (IS_STR(v)) return str_plain(AS(str, v));
    bytes *b = AS(bytes, v);
    str *errors = str_from_cstr(vm, "surrogateescape");
    return errors ? codec_decode(vm, CODEC_UTF8, b->data, b->len, value_obj(errors), true, NULL, NULL) : NULL;
}

enum {
    ALLOW_TOP_AWAIT = 0x2000,
    COMPILE_FLAGS = 0x1fe0010 /* of __future__ */ | ALLOW_TOP_AWAIT | 0x4000 /* allow incomplete input */ |
                    0x1000 /* type comments */ | 0x400 /* only an AST */ | 0x200 /* don't imply dedent */
};

NATIVE(b_compile)
{
    static const char *const modes[] = {"exec", "eval", "single"};
    static const enum compile_mode compile_modes[] = {COMPILE_FILE, COMPILE_EVAL, COMPILE_SINGLE};
    str *filename = path_argument(vm, a[1]);
    if (!filename) return V_ERROR;
    ROOTS(vm, &filename);
    int64_t flags = 0;
    if (!value_is_unbound(a[3]) && !obj_as_index(vm, a[3], &flags, EXC_OverflowError)) return V_ERROR;
    if (flags & ~(int64_t)COMPILE_FLAGS) return raise_value_error(vm, "compile(): unrecognised flags");
    if (!IS_STR(a[2])) return raise_type_error(vm, "compile() argument 'mode' must be str, not %A", a[2]);
    int mode = 0;
    while (mode < 3 && !str_equal_ascii(AS(str, a[2]), modes[mode])) mode++;
    if (mode == 3) return raise_value_error(vm, "compile() mode must be 'exec', 'eval' or 'single'");
    const char *text;
    size_t len;
    if (!source_text(vm, a[0], &text, &len))
        return raised(vm) ? V_ERROR : raise_type_error(vm, "compile() arg 1 must be a string, bytes or AST object");
    if (memchr(text, 0, len)) return raise_value_error(vm, "source code string cannot contain null bytes");
    code *c =
        compile_source(vm, text, len, filename, compile_modes[mode],
                       (flags & ALLOW_TOP_AWAIT ? COMPILE_TOP_AWAIT : 0) | (IS_STR(a[0]) ? COMPILE_IS_TEXT : 0), NULL);
    return c ? value_obj(c) : V_ERROR;
}

/* eval and exec after their checks of the namespaces. */
static value run_text(vm *vm, value source, dict *globals, value locals, tuple *closure, bool is_eval)
{
    const char *name = is_eval ? "eval" : "exec", *text;
    size_t len;
    ROOTS(vm, &globals, &locals);
    if (value_is_unbound(dict_get_str(vm, globals, N(vm, __builtins__))) &&
        !dict_set_str(vm, globals, N(vm, __builtins__), value_obj(vm->builtins)))
        return V_ERROR;
    code *c;
    if (value_is_kind(source, K_CODE)) {
        c = AS(code, source);
        if (c->nfree && !closure)
            return raise_type_error(vm, "code object passed to %s() may not contain free variables", name);
    } else {
        str *filename = str_from_cstr(vm, "<string>");
        if (!filename) return V_ERROR;
        if (!source_text(vm, source, &text, &len))
            return raised(vm) ? V_ERROR
                              : raise_type_error(vm, "%s() arg 1 must be a string, bytes or code object", name);
        if (memchr(text, 0, len)) return raise_value_error(vm, "source code string cannot contain null bytes");
        if (is_eval)
            while (len && (*text == ' ' || *text == '\t')) text++, len--;
        c = compile_source(vm, text, len, filename, is_eval ? COMPILE_EVAL : COMPILE_FILE,
                           IS_STR(source) ? COMPILE_IS_TEXT : 0, NULL);
        if (!c) return V_ERROR;
    }
    if (value_is(locals, value_obj(globals))) locals = V_UNBOUND;
    value v = interp_run_closure(vm, c, globals, locals, closure);
    return value_is_error(v) || is_eval ? v : V_NONE;
}

static bool is_mapping(vm *vm, value v) { return type_of(vm, v)->s.getitem != NULL; }

/* Missing namespaces are those of the caller. */
static bool namespaces(vm *vm, value *globals, value *locals)
{
    if (value_is_unbound(*globals)) *globals = V_NONE;
    if (value_is_unbound(*locals)) *locals = V_NONE;
    if (value_is_none(*globals)) {
        dict *g = frame_current_globals(vm);
        if (!g) {
            raise_type_error(vm, "eval must be given globals and locals when called without a frame");
            return false;
        }
        *globals = value_obj(g);
        if (value_is_none(*locals)) {
            *locals = frame_current_locals(vm);
            if (value_is_error(*locals)) return false;
        }
    } else if (value_is_none(*locals)) {
        *locals = *globals;
    }
    return true;
}

NATIVE(b_eval)
{
    value globals = a[1], locals = a[2];
    if (!value_is_unbound(locals) && !value_is_none(locals) && !is_mapping(vm, locals))
        return raise_type_error(vm, "locals must be a mapping");
    if (!value_is_unbound(globals) && !value_is_none(globals) && !IS_DICT(globals))
        return raise_type_error(vm, is_mapping(vm, globals) ? "globals must be a real dict; try eval(code, {}, mapping)"
                                                            : "globals must be a dict");
    if (!namespaces(vm, &globals, &locals)) return V_ERROR;
    return run_text(vm, a[0], AS(dict, globals), locals, NULL, true);
}

static bool closure_fits(vm *vm, value source, value closure)
{
    if (!value_is_kind(source, K_CODE)) {
        if (value_is_unbound(closure)) return true;
        return raise_type_error(vm, "closure can only be used when source is a code object"), false;
    }
    uint32_t n = AS(code, source)->nfree;
    if (!n) {
        if (value_is_unbound(closure)) return true;
        return raise_type_error(vm, "cannot use a closure with this code object"), false;
    }
    bool fits = IS_TUPLE(closure) && AS(tuple, closure)->len == n;
    for (uint32_t i = 0; fits && i < n; i++) fits = value_is_kind(AS(tuple, closure)->items[i], K_CELL);
    if (!fits) raise_type_error(vm, "code object requires a closure of exactly length %d", (int)n);
    return fits;
}

NATIVE(b_exec)
{
    value globals = a[1], locals = a[2];
    if (!namespaces(vm, &globals, &locals)) return V_ERROR;
    if (!IS_DICT(globals)) return raise_type_error(vm, "exec() globals must be a dict, not %T", globals);
    if (!is_mapping(vm, locals)) return raise_type_error(vm, "locals must be a mapping or None, not %T", locals);
    value closure = value_is_none(a[3]) ? V_UNBOUND : a[3];
    if (!closure_fits(vm, a[0], closure)) return V_ERROR;
    return run_text(vm, a[0], AS(dict, globals), locals, value_is_unbound(closure) ? NULL : AS(tuple, closure), false);
}

NATIVE(b_import)
{
    int64_t level = 0;
    if (!IS_STR(a[0])) return raise_type_error(vm, "module name must be a string");
    if (!value_is_unbound(a[4]) && !obj_as_index(vm, a[4], &level, EXC_OverflowError)) return V_ERROR;
    if (level < 0) return raise_value_error(vm, "level must be >= 0");
    if (level > 1000000) level = 1000000;
    if (level > 0 && !value_is_unbound(a[1]) && !value_is_none(a[1]) && !IS_DICT(a[1]))
        return raise_type_error(vm, "globals must be a dict");
    dict *globals = IS_DICT(a[1]) ? AS(dict, a[1]) : NULL;
    return import_name(vm, AS(str, a[0]), globals, value_is_unbound(a[3]) ? V_NONE : a[3], (uint32_t)level);
}

NATIVE(b_exit)
{
    value e = exc_new(vm, EXC_SystemExit, value_is_unbound(a[0]) ? V_NONE : a[0]);
    return value_is_error(e) ? e : raise_exception(vm, e);
}

NATIVE(b_breakpoint)
{
    value hook = sys_get_required(vm, "breakpointhook", "lost sys.breakpointhook");
    return value_is_unbound(hook) ? V_ERROR : vm_call_kw(vm, hook, a, n, kw);
}

NATIVE(b_open) { return file_open(vm, a); }

const native_def builtins_running[] = {
    {"globals()", b_globals, DOC("Return the dictionary containing the current scope's global variables."), 0},
    {"locals()", b_locals, DOC("Return a dictionary containing the current scope's local variables."), 0},
    {"compile(source, filename, mode, flags=0, dont_inherit=False, optimize=-1, *, _feature_version=-1)", b_compile,
     DOC("Compile source into a code object that can be executed by exec() or eval()."), 0},
    {"eval(source, globals=None, locals=None, /)", b_eval,
     DOC("Evaluate the given source in the context of globals and locals."), 0},
    {"exec(source, globals=None, locals=None, /, *, closure=None)", b_exec,
     DOC("Execute the given source in the context of globals and locals."), 0},
    {"__import__(name, globals=None, locals=None, fromlist=(), level=0)", b_import, DOC("Import a module."), 0},
    {"exit(code=None)", b_exit, DOC("Leave the program by raising SystemExit."), 0},
    {"quit(code=None)", b_exit, DOC("Leave the program by raising SystemExit."), 0},
    {"breakpoint(*args, **kws)", b_breakpoint, DOC("Call sys.breakpointhook(*args, **kws)."), NATIVE_RAW},
    {"open(file, mode='r', buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None)", b_open,
     DOC("Open file and return a stream. Raise OSError upon failure."), 0},
    {0},
};
