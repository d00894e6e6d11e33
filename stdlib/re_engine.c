/* The module _re: PCRE2 loaded, its objects per VM, compiling and matching.
 *
 * Invariants
 *  1. All memory of PCRE2 is accounted to the VM.
 *  2. pcre2_match runs no script: one block of match data and one JIT stack per width serve all
 *     patterns, and a subject's memory stays put meanwhile. */
#define PCRE2_CODE_UNIT_WIDTH 0
#include <pcre2.h>

#include "dynlib.h"
#include "re_module.h"
#include "vm/bytes.h"
#include "vm/str.h"

struct functions {
#define DYN(R, NAME, PARAMS) R(*NAME) PARAMS;
#include "re_pcre2.def"
#undef DYN
};
static const char *const function_names[] = {
#define DYN(R, NAME, PARAMS) "pcre2_" #NAME,
#include "re_pcre2.def"
#undef DYN
};

struct width { /* one of the three libraries */
    struct functions f;
    void *general, *compile, *match, *data, *stack;
    uint32_t groups; /* that `data` has room for */
};
struct engine {
    struct width w[RE_WIDTHS];
};

enum {
    /* a pattern is compiled to machine code when it is used again after so many uses */
    JIT_USES = 3,
    JIT_LONG = 2000,         /* or for a subject of this length */
    STEPS = 100000000,       /* backtracking steps that one search may take */
    STEPS_LIMITED = 1000000, /* in a VM whose fuel is limited */
    HEAP_KIB = 256 * 1024,
    NEST = 2000,
};

static struct engine *engine_of(vm *vm)
{
    return (struct engine *)(void *)AS(userdata, module_state_get(vm, STATE_RE_ENGINE))->body;
}

/* ---- memory ---- */

static void *take(size_t n, void *vm)
{
    size_t all;
    if (!size_add(n, 16, &all)) return NULL;
    char *p = mem_realloc_quiet(vm, NULL, 0, all);
    if (!p) return NULL;
    memcpy(p, &all, sizeof all);
    return p + 16;
}

static void give(void *p, void *vm)
{
    if (!p) return;
    char *begin = (char *)p - 16;
    size_t all;
    memcpy(&all, begin, sizeof all);
    mem_free(vm, begin, all);
}

/* ---- opening ---- */

static void width_close(struct width *w)
{
    if (w->data) w->f.match_data_free(w->data);
    if (w->stack) w->f.jit_stack_free(w->stack);
    if (w->match) w->f.match_context_free(w->match);
    if (w->compile) w->f.compile_context_free(w->compile);
    if (w->general) w->f.general_context_free(w->general);
    *w = (struct width){0};
}

static void engine_free(vm *vm, object *o)
{
    (void)vm;
    struct engine *e = (struct engine *)(void *)AS(userdata, value_obj(o))->body;
    for (int i = 0; i < RE_WIDTHS; i++) width_close(&e->w[i]);
}
static const type_layout engine_layout = {.size = sizeof(struct engine), .free = engine_free};
static const type_spec engine_spec = {.name = "_re.engine", .layout = &engine_layout};

static bool width_open(vm *vm, struct width *w, int i)
{
    static const char *const sonames[] = {"libpcre2-8.so.0", "libpcre2-16.so.0", "libpcre2-32.so.0"};
    static const char *const packages[] = {"libpcre2-8-0", "libpcre2-16-0", "libpcre2-32-0"};
    static const char *const suffixes[] = {"_8", "_16", "_32"};
    if (!dynlib_load(vm, "re", sonames[i], packages[i], function_names, sizeof function_names / sizeof *function_names,
                     suffixes[i], &w->f))
        return false;
    w->general = w->f.general_context_create(take, give, vm);
    if (w->general) w->compile = w->f.compile_context_create(w->general);
    if (w->compile) w->match = w->f.match_context_create(w->general);
    if (!w->match) {
        width_close(w);
        raise_memory(vm);
        return false;
    }
    w->f.set_newline(w->compile, PCRE2_NEWLINE_LF);
    w->f.set_parens_nest_limit(w->compile, NEST);
    uint32_t steps = vm->limits.fuel ? STEPS_LIMITED : STEPS;
    w->f.set_match_limit(w->match, steps);
    w->f.set_depth_limit(w->match, steps);
    w->f.set_heap_limit(w->match, HEAP_KIB);
    return true;
}

static bool width_ready(vm *vm, struct width *w, int i)
{
    if (LIKELY(w->match != NULL)) return true;
    return width_open(vm, w, i);
}

bool re_engine_open(vm *vm)
{
    if (!value_is_unbound(module_state_get(vm, STATE_RE_ENGINE))) return true;
    type *t = type_from_spec(vm, &engine_spec);
    void *o = t ? userdata_new(vm, t) : NULL;
    return o && width_open(vm, &((struct engine *)(void *)((userdata *)o)->body)->w[0], 0) &&
           module_state_set(vm, STATE_RE_ENGINE, value_obj(o));
}

bool re_engine_new_words(vm *vm)
{
    char version[64] = "";
    engine_of(vm)->w[0].f.config(PCRE2_CONFIG_VERSION, version);
    return !strncmp(version, "10.", 3) && strtol(version + 3, NULL, 10) >= 43;
}

/* ---- compiling ---- */

static value raise_pcre(vm *vm, struct width *w, int i, int code, value pattern)
{
    uint32_t raw[160];
    char text[160];
    int n = w->f.get_error_message(code, raw, sizeof text);
    for (int k = 0; k < n && k < (int)sizeof text; k++)
        text[k] = i == 0 ? ((char *)raw)[k] : (char)(i == 1 ? ((uint16_t *)raw)[k] : raw[k]);
    str *s = str_from_ascii(vm, text, n > 0 && n < (int)sizeof text ? (size_t)n : 0);
    if (!s) return V_ERROR;
    value exc = vm_call2(vm, module_state_get(vm, STATE_RE_ERROR), value_obj(s), pattern);
    return value_is_error(exc) ? V_ERROR : raise_exception(vm, exc);
}

/* The pattern for one width in PCRE2's syntax, which is ASCII. NULL: raised. */
static str *emit(vm *vm, const struct re_pattern *p, int i)
{
    static const int64_t most[] = {0xFF, 0xFFFF, 0x10FFFF};
    value args[] = {p->parts, value_int(p->flags), value_int(most[i])};
    value text = vm_call(vm, module_state_get(vm, STATE_RE_EMIT), args, 3);
    if (value_is_error(text)) return NULL;
    if (IS_STR(text) && str_is_ascii(AS(str, text))) return AS(str, text);
    raise_type_error(vm, "the pattern is not what re's parser makes");
    return NULL;
}

/* false: raised. Without code afterwards: the pattern is huge. */
static bool compile(vm *vm, value pattern, enum re_mode mode, int i)
{
    struct width *w = &engine_of(vm)->w[i];
    struct re_pattern *p = re_pattern_of(pattern);
    ROOTS(vm, &pattern);
    str *text = emit(vm, p, i);
    if (!text) return false;
    const uint8_t *ascii = text->data;
    size_t size = text->len << i, cap = size + 4;
    void *wide = i ? mem_alloc(vm, cap) : NULL;
    if (i && !wide) return false;
    if (i) text_widen(wide, 1u << i, ascii, 1, text->len);
    uint32_t options = PCRE2_DOTALL | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C;
    if (p->flags & RE_IGNORECASE) options |= PCRE2_CASELESS;
    if (p->flags & RE_UNICODE) options |= PCRE2_UCP;
    if (mode != RE_SEARCH) options |= PCRE2_ANCHORED;
    if (mode == RE_FULLMATCH) options |= PCRE2_ENDANCHORED;
    int err;
    size_t at;
    void *code = w->f.compile(i ? wide : ascii, text->len, options, &err, &at, w->compile);
    if (wide) mem_free(vm, wide, cap);
    if (!code && err == PCRE2_ERROR_PATTERN_TOO_LARGE && i < RE_WIDTHS - 1) {
        p->huge = true;
        return true;
    }
    if (!code) {
        raise_pcre(vm, w, i, err, p->pattern);
        return false;
    }
    struct re_code *c = &p->code[mode][i];
    if (c->code) c->free(c->code); /* the script that ran meanwhile compiled it as well */
    *c = (struct re_code){code, w->f.code_free, 0, false};
    return true;
}

/* ---- matching ---- */

struct subject {
    const void *p;
    size_t len;
    int width; /* index of the library */
};

static bool subject_of(vm *vm, const struct re_pattern *p, value v, struct subject *s)
{
    if (IS_STR(v)) {
        const str *text = AS(str, v);
        if (p->is_bytes) {
            raise_type_error(vm, "cannot use a bytes pattern on a string-like object");
            return false;
        }
        unsigned w = str_width(text);
        *s = (struct subject){text->data, text->len, w == 1 ? 0 : w == 2 ? 1 : 2};
        return true;
    }
    const uint8_t *data;
    size_t n;
    if (!buffer_view(vm, v, &data, &n)) {
        if (!raised(vm)) raise_type_error(vm, "expected string or bytes-like object, got '%T'", v);
        return false;
    }
    if (!p->is_bytes) {
        raise_type_error(vm, "cannot use a string pattern on a bytes-like object");
        return false;
    }
    *s = (struct subject){data, n, 0};
    return true;
}

int64_t re_subject_length(vm *vm, const struct re_pattern *p, value string)
{
    struct subject s;
    return subject_of(vm, p, string, &s) ? (int64_t)s.len : -1;
}

static int fail(vm *vm, int rc)
{
    switch (rc) {
    case PCRE2_ERROR_NOMATCH: return 0;
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
        raise(vm, EXC_RuntimeError,
              "the regular expression needs more than %d steps: make its repeats possessive or "
              "tell its alternatives apart",
              vm->limits.fuel ? STEPS_LIMITED : STEPS);
        return -1;
    case PCRE2_ERROR_HEAPLIMIT:
    case PCRE2_ERROR_NOMEMORY: raise_memory(vm); return -1;
    default: raise(vm, EXC_SystemError, "PCRE2 reports error %d", rc); return -1;
    }
}

static bool data_ready(vm *vm, struct width *w, uint32_t groups)
{
    if (LIKELY(w->data && w->groups >= groups)) return true;
    if (w->data) w->f.match_data_free(w->data);
    uint32_t n = groups < 16 ? 16 : groups;
    w->data = w->f.match_data_create(n + 1, w->general);
    w->groups = n;
    if (w->data) return true;
    raise_memory(vm);
    return false;
}

static void jit(struct width *w, struct re_code *c)
{
    c->uses = JIT_USES + 1;
    if (w->f.jit_compile(c->code, PCRE2_JIT_COMPLETE) != 0) return;
    c->jitted = true;
    if (!w->stack && (w->stack = w->f.jit_stack_create(32 * 1024, 4 * 1024 * 1024, w->general)))
        w->f.jit_stack_assign(w->match, NULL, w->stack);
}

int re_exec(vm *vm, value pattern, value string, enum re_mode mode, size_t start, size_t end, bool not_empty,
            const size_t **span)
{
    ROOTS(vm, &pattern, &string);
    struct re_pattern *p = re_pattern_of(pattern);
    struct subject s;
    if (!subject_of(vm, p, string, &s) || !str_tick(vm, s.len)) return -1;
    int i = p->huge ? RE_WIDTHS - 1 : s.width;
    struct width *w = &engine_of(vm)->w[i];
    struct re_code *c = &p->code[mode][i];
    if (!width_ready(vm, w, i)) return -1;
    if (UNLIKELY(!c->code)) {
        if (!compile(vm, pattern, mode, i)) return -1;
        if (!c->code) return re_exec(vm, pattern, string, mode, start, end, not_empty, span);
    }
    if (!data_ready(vm, w, p->groups) || !subject_of(vm, p, string, &s)) return -1;
    if (end > s.len) end = s.len;
    if (start > end) return 0;
    if (c->uses <= JIT_USES && (c->uses++ == JIT_USES || end - start > JIT_LONG)) jit(w, c);
    static const uint32_t nothing;
    const void *text = s.p ? s.p : &nothing;
    void *wide = NULL;
    if (UNLIKELY(s.width != i)) { /* the pattern is huge */
        size_t size;
        if (!size_mul(s.len + 1, 4, &size)) return fail(vm, PCRE2_ERROR_NOMEMORY);
        if (!(wide = mem_alloc(vm, size))) return -1;
        text_widen(wide, 4, text, 1u << s.width, s.len);
        text = wide;
    }
    uint32_t options = not_empty ? PCRE2_NOTEMPTY_ATSTART : 0;
    int rc = (c->jitted ? w->f.jit_match : w->f.match)(c->code, text, end, start, options, w->data, w->match);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = w->f.match(c->code, text, end, start, options | PCRE2_NO_JIT, w->data, w->match);
    if (wide) mem_free(vm, wide, (s.len + 1) * 4);
    if (rc < 0) return fail(vm, rc);
    size_t *ov = w->f.get_ovector_pointer(w->data);
    for (size_t k = (size_t)rc * 2; k < 2 * ((size_t)p->groups + 1); k++) ov[k] = SIZE_MAX;
    *span = ov;
    return 1;
}
