/* The public C API (include/aiovm.h) over one VM.
 *
 * A host's `aiovm *` is the `struct vm *`. Everything that runs script goes through api_enter and api_leave: the first sees to
 * it that the host does not come in twice, the second turns the pending exception into a status and texts.
 */
#include "include/aiovm.h"

#include "runtime/asyncio.h"
#include "vm/builtins.h"
#include "vm/codec.h"
#include "vm/exception.h"
#include "vm/file.h"
#include "vm/import.h"
#include "vm/list.h"
#include "vm/lock.h"

struct aiovm_ref {
    value v;
    aiovm_ref *prev, *next;
};
typedef struct api {
    aiovm_ref refs;                /* head of a ring */
    value type, message, text;     /* of the last error: str or unbound */
    value last;                    /* the value given out last: it lives until the next call */
    int exit_code;
} api;

static inline struct vm *inside(aiovm *vm) { return (struct vm *)(void *)vm; }
static inline api *api_of(vm *vm) { return vm->state[VMS_API]; }
static inline value from_host(aiovm_value v) { return (value){v.bits}; }
static inline aiovm_value to_host(value v) { return (aiovm_value){v.bits}; }

static void mark_roots(vm *vm, void *ud)
{
    api *a = ud;
    for (aiovm_ref *r = a->refs.next; r != &a->refs; r = r->next) gc_mark_value(vm, r->v);
    gc_mark_value(vm, a->type);
    gc_mark_value(vm, a->message);
    gc_mark_value(vm, a->text);
    gc_mark_value(vm, a->last);
}

/* ---- calls ---- */

static bool api_enter(vm *vm)
{
    thread_adopt_main(vm);
    if (!vm->thread || vm->thread->current || vm->thread->nreent) return false;
    api *a = api_of(vm);
    a->type = a->message = a->text = V_UNBOUND;
    a->exit_code = 0;
    return true;
}

static void keep_text(vm *vm, value *where, str *s)
{
    if (s) *where = value_obj(s);
    else exc_clear(vm);
}

static aiovm_status describe_error(vm *vm)
{
    api *a = api_of(vm);
    value exc = exc_take(vm);
    ROOTS(vm, &exc);
    if (value_is_unbound(exc)) return AIOVM_NOMEM;
    aiovm_status status = AIOVM_ERROR;
    if (value_isa_id(vm, exc, EXC_SystemExit)) {
        value code = AS(exception, exc)->field[0];
        int64_t n = 1;
        if (value_is_unbound(code) || value_is_none(code)) n = 0;
        else if (int_is(code) && !int_to_i64(vm, int_plain(vm, code), &n)) n = 255;
        a->exit_code = (int)(n & 0xff);
        status = AIOVM_EXIT;
    }
    keep_text(vm, &a->type, AS(str, type_of(vm, exc)->name));
    keep_text(vm, &a->message, obj_str(vm, exc));
    keep_text(vm, &a->text, exc_format(vm, exc));
    return status;
}

static aiovm_status api_leave(vm *vm, value v, aiovm_value *out)
{
    aiovm_status status = AIOVM_OK;
    if (value_is_error(v)) {
        status = describe_error(vm);
        v = V_NONE;
    }
    api_of(vm)->last = v;
    if (out) *out = to_host(v);
    return status;
}

static aiovm_status busy(aiovm_value *out)
{
    if (out) *out = to_host(V_NONE);
    return AIOVM_BUSY;
}

static dict *main_namespace(vm *vm)
{
    if (value_is_kind(vm->main_module, K_MODULE)) return AS(module, vm->main_module)->dict;
    module *m = module_new(vm, N(vm, __main__), V_NONE);
    if (!m || !dict_set_str(vm, vm->modules, N(vm, __main__), value_obj(m))) return NULL;
    value builtins = dict_get_str(vm, vm->modules, N(vm, builtins));
    if (!dict_set_str(vm, m->dict, N(vm, __builtins__), builtins)) return NULL;
    vm->main_module = value_obj(m);
    return m->dict;
}

/* As an expression if it is one, else as statements. */
static code *compile_any(vm *vm, const char *source, size_t n, str *name)
{
    code *c = compile_source(vm, source, n, name, COMPILE_EVAL, COMPILE_TOP_AWAIT, NULL);
    if (c || !exc_matches(vm, EXC_SyntaxError)) return c;
    exc_clear(vm);
    return compile_source(vm, source, n, name, COMPILE_FILE, COMPILE_TOP_AWAIT, NULL);
}

static value eval(vm *vm, const char *source, size_t n, const char *name)
{
    dict *globals = main_namespace(vm);
    str *file = globals ? codec_decode(vm, CODEC_UTF8, (const uint8_t *)name, strlen(name), V_UNBOUND, true, NULL, NULL) : NULL;
    if (!file) return V_ERROR;
    ROOTS(vm, &file);
    source_register(vm, file, source, n);
    code *c = compile_any(vm, source, n, file);
    if (!c) return V_ERROR;
    ROOTS(vm, &c);
    value v = interp_run_code(vm, c, globals, V_UNBOUND);
    if (value_is_error(v) || !(c->flags & CODE_COROUTINE)) return v;
    return runner_run_main(vm, v, -1);
}

aiovm_status aiovm_eval(aiovm *host, const char *source, size_t length, const char *name, aiovm_value *out)
{
    vm *vm = inside(host);
    if (!api_enter(vm)) return busy(out);
    return api_leave(vm, eval(vm, source, length == AIOVM_ZTS ? strlen(source) : length, name ? name : "<host>"), out);
}

aiovm_status aiovm_call(aiovm *host, aiovm_value callable, int argc, const aiovm_value *argv, aiovm_value *out)
{
    vm *vm = inside(host);
    if (!api_enter(vm)) return busy(out);
    _Static_assert(sizeof(aiovm_value) == sizeof(value), "arguments are passed as they are");
    list *args = list_from(vm, (const value *)(const void *)argv, argc > 0 ? (size_t)argc : 0);
    if (!args) return api_leave(vm, V_ERROR, out);
    ROOTS(vm, &args);
    return api_leave(vm, vm_call(vm, from_host(callable), args->items, (uint32_t)args->len), out);
}

aiovm_status aiovm_run(aiovm *host, aiovm_value coroutine, aiovm_value *out)
{
    vm *vm = inside(host);
    if (!api_enter(vm)) return busy(out);
    return api_leave(vm, runner_run_main(vm, from_host(coroutine), -1), out);
}

/* ---- globals and values ---- */

static str *host_text(vm *vm, const char *s, size_t length)
{
    return codec_decode(vm, CODEC_UTF8, (const uint8_t *)s, length == AIOVM_ZTS ? strlen(s) : length, V_UNBOUND, true, NULL, NULL);
}

aiovm_status aiovm_get_global(aiovm *host, const char *name, aiovm_value *out)
{
    vm *vm = inside(host);
    if (!api_enter(vm)) return busy(out);
    dict *d = main_namespace(vm);
    str *s = d ? host_text(vm, name, AIOVM_ZTS) : NULL;
    value v = s ? dict_get_str(vm, d, s) : V_ERROR;
    if (s && value_is_unbound(v)) v = dict_get_str(vm, vm->builtins, s);
    if (s && value_is_unbound(v)) v = raise(vm, EXC_NameError, "name '%U' is not defined", value_obj(s));
    return api_leave(vm, v, out);
}
aiovm_status aiovm_set_global(aiovm *host, const char *name, aiovm_value v)
{
    vm *vm = inside(host);
    if (!api_enter(vm)) return AIOVM_BUSY;
    dict *d = main_namespace(vm);
    str *s = d ? host_text(vm, name, AIOVM_ZTS) : NULL;
    s = s ? str_intern(vm, s) : NULL;
    return api_leave(vm, s && dict_set_str(vm, d, s, from_host(v)) ? V_NONE : V_ERROR, NULL);
}

aiovm_value aiovm_none(void) { return to_host(V_NONE); }
aiovm_value aiovm_bool(bool b) { return to_host(value_bool(b)); }
aiovm_value aiovm_float(double d) { return to_host(value_float(d)); }
aiovm_status aiovm_int(aiovm *host, int64_t n, aiovm_value *out)
{
    vm *vm = inside(host);
    return api_enter(vm) ? api_leave(vm, int_from_i64(vm, n), out) : busy(out);
}
aiovm_status aiovm_text(aiovm *host, const char *s, size_t length, aiovm_value *out)
{
    vm *vm = inside(host);
    if (!api_enter(vm)) return busy(out);
    str *t = host_text(vm, s, length);
    return api_leave(vm, t ? value_obj(t) : V_ERROR, out);
}
aiovm_status aiovm_bytes(aiovm *host, const void *p, size_t length, aiovm_value *out)
{
    vm *vm = inside(host);
    if (!api_enter(vm)) return busy(out);
    bytes *b = bytes_new(vm, p, length);
    return api_leave(vm, b ? value_obj(b) : V_ERROR, out);
}

bool aiovm_is_none(aiovm_value v) { return value_is_none(from_host(v)); }
int64_t aiovm_to_int(aiovm *host, aiovm_value h, int64_t otherwise)
{
    vm *vm = inside(host);
    value v = from_host(h);
    int64_t n;
    return int_is(v) && int_to_i64(vm, int_plain(vm, v), &n) ? n : otherwise;
}
double aiovm_to_float(aiovm *host, aiovm_value h, double otherwise)
{
    vm *vm = inside(host);
    value v = from_host(h);
    if (value_is_float(v)) return value_as_float(v);
    if (!int_is(v)) return otherwise;
    bool ok = true;
    double d = int_to_double(vm, int_plain(vm, v), &ok);
    if (ok) return d;
    exc_clear(vm);
    return otherwise;
}
bool aiovm_to_bool(aiovm *host, aiovm_value h, bool otherwise)
{
    (void)host;
    value v = from_host(h);
    return value_is_bool(v) ? value_is(v, V_TRUE) : otherwise;
}
const char *aiovm_to_text(aiovm *host, aiovm_value h, size_t *length)
{
    vm *vm = inside(host);
    value v = from_host(h);
    const char *s = NULL;
    size_t n = 0;
    if (IS_STR(v)) {
        s = str_utf8(vm, AS(str, v), &n);
        if (!s) exc_clear(vm); /* lone surrogates */
    } else if (value_is_kind(v, K_BYTES)) {
        s = (const char *)AS(bytes, v)->data;
        n = AS(bytes, v)->len;
    }
    if (length) *length = n;
    return s;
}
aiovm_status aiovm_repr(aiovm *host, aiovm_value h, aiovm_value *out)
{
    vm *vm = inside(host);
    if (!api_enter(vm)) return busy(out);
    str *s = obj_repr(vm, from_host(h));
    return api_leave(vm, s ? value_obj(s) : V_ERROR, out);
}

/* ---- references ---- */

aiovm_ref *aiovm_ref_new(aiovm *host, aiovm_value v)
{
    vm *vm = inside(host);
    aiovm_ref *r = mem_realloc_quiet(vm, NULL, 0, sizeof *r);
    if (!r) return NULL;
    aiovm_ref *head = &api_of(vm)->refs;
    *r = (aiovm_ref){.v = from_host(v), .prev = head, .next = head->next};
    r->next->prev = head->next = r;
    return r;
}
aiovm_value aiovm_ref_get(const aiovm_ref *r) { return to_host(r->v); }
void aiovm_ref_free(aiovm *host, aiovm_ref *r)
{
    if (!r) return;
    r->prev->next = r->next;
    r->next->prev = r->prev;
    mem_free(inside(host), r, sizeof *r);
}

/* ---- errors ---- */

static const char *text_or_empty(vm *vm, value v)
{
    const char *s = IS_STR(v) ? str_wtf8(vm, AS(str, v), NULL) : "";
    if (s) return s;
    exc_clear(vm);
    return "";
}
const char *aiovm_error_type(aiovm *vm) { return text_or_empty(inside(vm), api_of(inside(vm))->type); }
const char *aiovm_error_message(aiovm *vm) { return text_or_empty(inside(vm), api_of(inside(vm))->message); }
const char *aiovm_error_text(aiovm *vm) { return text_or_empty(inside(vm), api_of(inside(vm))->text); }
int aiovm_exit_code(aiovm *vm) { return api_of(inside(vm))->exit_code; }

/* ---- the whole ---- */

const char *aiovm_version(void) { return AIOVM_VERSION; }

void aiovm_interrupt(aiovm *vm) { runtime_interrupt(inside(vm), VMP_SIGINT); }

static void api_free(vm *vm)
{
    api *a = api_of(vm);
    if (a) {
        while (a->refs.next != &a->refs) aiovm_ref_free((aiovm *)(void *)vm, a->refs.next);
        gc_remove_roots(vm, mark_roots, a);
        mem_free(vm, a, sizeof *a);
        vm->state[VMS_API] = NULL;
    }
    files_flush_all(vm);
    runtime_close(vm);
    vm_free(vm);
}

static bool api_open(vm *vm, const aiovm_config *c)
{
    api *a = mem_zalloc(vm, sizeof *a);
    if (!a) return false;
    a->refs.prev = a->refs.next = &a->refs;
    vm->state[VMS_API] = a;
    char no_name[1] = "";
    char *const argv[] = {no_name, NULL};
    return gc_add_roots(vm, mark_roots, a) && runtime_open(vm, c->flags & AIOVM_VIRTUAL_TIME) &&
           import_set_path(vm, c->import_folder) && sys_set_argv(vm, 1, argv);
}

aiovm *aiovm_open(const aiovm_config *config)
{
    aiovm_config c = {0};
    if (config) memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    vm_limits limits = {.mem_soft = c.memory_soft, .mem_hard = c.memory_hard, .recursion = c.recursion};
    if (!c.hash_seed) {
        platform_real.random_bytes(&c.hash_seed, sizeof c.hash_seed);
        c.hash_seed |= 1;
    }
    vm *vm = vm_new(c.alloc, c.alloc_ud, &limits, c.hash_seed);
    if (!vm) return NULL;
    if (api_open(vm, &c)) return (aiovm *)(void *)vm;
    api_free(vm);
    return NULL;
}

aiovm_status aiovm_close(aiovm *host)
{
    if (!host) return AIOVM_OK;
    vm *vm = inside(host);
    if (!api_enter(vm)) return AIOVM_BUSY;
    api_of(vm)->last = V_UNBOUND;
    files_flush_all(vm);
    gc_collect_full(vm);
    gc_finalize_all(vm);
    if (raised(vm)) exc_clear(vm);
    api_free(vm);
    return AIOVM_OK;
}
