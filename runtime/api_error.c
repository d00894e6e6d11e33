/* The public C API: the current error as data and as text, and raising. */
#include "runtime/api.h"

#include "vm/attr.h"
#include "vm/code.h"
#include "vm/exception.h"
#include "vm/list.h"
#include "vm/str.h"

/* ---- describing ----
 * Texts are made when they are first asked for. That may run a script's __str__; the error of that is dropped. After
 * the end of the VM nothing runs: the exception is one of ours, and formatting it needs only the machine as it was. */

typedef struct pause {
    enum vm_end killed;
    uint32_t recursion;
    bool gc, outermost;
} pause;

static bool describe_begin(vm *vm, pause *p)
{
    api *a = api_of(vm);
    if (a->in_sweep || value_is_unbound(a->error)) return false;
    *p = (pause){vm->killed, vm->limits.recursion, gc_is_enabled(vm), !api_is_inside(vm)};
    if (p->outermost) {
        a->entered = true;
        api_time_begin(vm);
    }
    if (vm->killed) {
        vm->killed = END_NONE;
        vm->limits.recursion = 1000;
        gc_set_enabled(vm, false);
    }
    return true;
}

static void describe_end(vm *vm, const pause *p)
{
    if (raised(vm)) exc_clear(vm);
    if (p->outermost) {
        api_time_end(vm);
        api_of(vm)->entered = false;
    }
    if (!p->killed) return;
    vm->killed = (uint8_t)p->killed;
    vm->limits.recursion = p->recursion;
    gc_set_enabled(vm, p->gc);
}

static const char *text_of(vm *vm, value v)
{
    const char *s = IS_STR(v) ? str_wtf8(vm, AS(str, v), NULL) : "";
    if (s) return s;
    exc_clear(vm);
    return "";
}

static const char *describe(vm *vm, value *slot, str *(*make)(struct vm *, value))
{
    API_COME_IN(vm);
    api *a = api_of(vm);
    pause p;
    api_acquire(vm);
    if (!value_is_unbound(*slot) || !describe_begin(vm, &p)) return text_of(vm, *slot);
    uint64_t slice = vm->slice_end, fuel = vm->limits.fuel;
    if (p.killed) vm->limits.fuel = vm->slice_end = 0;
    value exc = a->error;
    ROOTS(vm, &exc);
    str *s = make(vm, exc);
    if (s && value_is(a->error, exc)) *slot = value_obj(s);
    vm->slice_end = slice;
    vm->limits.fuel = fuel;
    describe_end(vm, &p);
    return s ? text_of(vm, value_obj(s)) : "";
}

static str *type_text(vm *vm, value exc) { return AS(str, type_of(vm, exc)->name); }

const char *aiovm_error_type(aiovm *host)
{
    static const char *const ends[] = {"", "FuelLimit", "TimeLimit", "Killed"};
    vm *vm = inside(host);
    API_COME_IN(vm);
    if (vm->killed) return ends[vm->killed];
    const char *name = describe(vm, &api_of(vm)->type_text, type_text);
    if (*name || api_of(vm)->in_sweep || value_is_unbound(api_of(vm)->error)) return name;
    return "MemoryError"; /* there is none for its name */
}
const char *aiovm_error_message(aiovm *host)
{
    return describe(inside(host), &api_of(inside(host))->message_text, obj_str);
}
const char *aiovm_error_text(aiovm *host)
{
    return describe(inside(host), &api_of(inside(host))->whole_text, exc_format);
}
int aiovm_exit_code(aiovm *host) { return api_of(inside(host))->exit_code; }

aiovm_status aiovm_error_value(aiovm *host, aiovm_value *out)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api *a = api_of(vm);
    value v = value_is_unbound(a->error) ? V_NONE : a->error;
    if (!out) return AIOVM_INVALID;
    *out = to_host(V_NONE);
    api_acquire(vm);
    if (a->in_sweep) return AIOVM_BUSY;
    if (!api_keep(vm, v)) {
        exc_clear(vm);
        return AIOVM_NOMEM;
    }
    *out = to_host(v);
    return AIOVM_OK;
}

void aiovm_error_clear(aiovm *host)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    if (!api_of(vm)->in_sweep) api_forget_error(vm);
}

/* ---- places ---- */

/* Names in an aiovm_frame live as long as the error: their strs are in api->loaded. */
static const char *keep_name(vm *vm, str *s)
{
    api *a = api_of(vm);
    if (!IS_LIST(a->loaded)) {
        list *l = list_new(vm, 4);
        if (l) a->loaded = value_obj(l);
    }
    if (s && IS_LIST(a->loaded) && list_append(vm, AS(list, a->loaded), value_obj(s))) return text_of(vm, value_obj(s));
    exc_clear(vm);
    return "";
}

static void frame_of_code(vm *vm, code *c, uint32_t pc, uint32_t line, aiovm_frame *out)
{
    src_pos at;
    *out = (aiovm_frame){.file = keep_name(vm, c->filename), .function = keep_name(vm, c->name), .line = (int)line};
    if (!code_position(c, pc, &at) || at.line != line) return;
    out->column = (int)at.col + 1;
    out->end_line = (int)at.end_line;
    out->end_column = (int)at.end_col + 1;
}

/* tb entries are innermost first; a traceback object that a script asked for is a chain, outermost first. */
static int frame_count(const exception *e)
{
    if (value_is_unbound(e->traceback)) return (int)e->ntb;
    int n = 0;
    for (value t = e->traceback; value_is_kind(t, K_TRACEBACK); t = AS(traceback, t)->next) n++;
    return n;
}

static bool frame_at(vm *vm, const exception *e, int i, aiovm_frame *out)
{
    if (i < 0 || i >= frame_count(e)) return false;
    if (value_is_unbound(e->traceback)) {
        const tb_entry *t = &e->tb[e->ntb - 1 - (uint32_t)i];
        frame_of_code(vm, t->code, t->pc, t->lineno ? t->lineno : code_line(t->code, t->pc), out);
        return true;
    }
    value t = e->traceback;
    while (i--) t = AS(traceback, t)->next;
    const traceback *b = AS(traceback, t);
    frame_of_code(vm, b->code, b->pc, b->lineno ? b->lineno : code_line(b->code, b->pc), out);
    return true;
}

static exception *current(vm *vm)
{
    api *a = api_of(vm);
    return a->in_sweep || !IS_EXC(a->error) ? NULL : AS(exception, a->error);
}

int aiovm_error_frame_count(aiovm *host)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    exception *e = current(vm);
    return e ? frame_count(e) : 0;
}

bool aiovm_error_frame(aiovm *host, int i, aiovm_frame *out)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    exception *e = current(vm);
    *out = (aiovm_frame){.file = "", .function = ""};
    return e && frame_at(vm, e, i, out);
}

static int small_int(vm *vm, value v)
{
    int64_t n;
    return int_is(v) && int_to_i64(vm, int_plain(vm, v), &n) && n > 0 && n < INT32_MAX ? (int)n : 0;
}

/* SyntaxError: fields are msg, filename, lineno, offset, text and the list [end_lineno, end_offset]. */
static bool syntax_place(vm *vm, exception *e, aiovm_frame *out)
{
    if (!value_isa_id(vm, value_obj(e), EXC_SyntaxError) || !IS_STR(e->field[1]) || !small_int(vm, e->field[2]))
        return false;
    out->file = keep_name(vm, AS(str, e->field[1]));
    out->line = small_int(vm, e->field[2]);
    out->column = small_int(vm, e->field[3]);
    if (IS_LIST(e->field[5]) && AS(list, e->field[5])->len == 2) {
        out->end_line = small_int(vm, AS(list, e->field[5])->items[0]);
        out->end_column = small_int(vm, AS(list, e->field[5])->items[1]);
    }
    return true;
}

bool aiovm_error_where(aiovm *host, aiovm_frame *out)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    exception *e = current(vm);
    *out = (aiovm_frame){.file = "", .function = ""};
    return e && (syntax_place(vm, e, out) || frame_at(vm, e, frame_count(e) - 1, out));
}

const char *aiovm_error_task(aiovm *host, int i)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    value v = api_of(vm)->task_names;
    if (!IS_LIST(v) || i < 0 || (size_t)i >= AS(list, v)->len) return NULL;
    return text_of(vm, AS(list, v)->items[i]);
}

/* ---- raising ---- */

/* A builtin exception by name, or pkg.mod.Class of a module that is there. Unbound: raised. */
static value exception_class(vm *vm, const char *name)
{
    const char *dot = strrchr(name, '.');
    value cls = V_UNBOUND;
    str *last = str_intern_utf8(vm, dot ? dot + 1 : name, strlen(dot ? dot + 1 : name));
    if (!last) return V_ERROR;
    if (!dot) {
        cls = dict_get_str(vm, vm->builtins, last);
    } else {
        str *module = str_intern_utf8(vm, name, (size_t)(dot - name));
        value m = module ? dict_get_str(vm, vm->modules, module) : V_ERROR;
        if (value_is_kind(m, K_MODULE)) cls = dict_get_str(vm, AS(struct module, m)->dict, last);
    }
    if (!value_is_unbound(cls) && exc_is_cls(vm, cls)) return cls;
    if (!raised(vm)) raise(vm, EXC_SystemError, "there is no exception class '%s'", name);
    return V_ERROR;
}

void api_raise(vm *vm, const char *type, str *msg)
{
    value cls = msg ? exception_class(vm, type) : V_ERROR, arg = value_obj(msg);
    value exc = value_is_error(cls) ? V_ERROR : exc_make(vm, AS(struct type, cls), &arg, 1);
    if (!value_is_error(exc)) raise_exception(vm, exc);
}

aiovm_status aiovm_raise(aiovm *host, const char *type, const char *format, ...)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    if (!type || !format) return AIOVM_INVALID;
    aiovm_status status = api_enter(vm, API_SCRIPT, NULL);
    if (status) return status;
    va_list ap;
    va_start(ap, format);
    str *msg = str_vformat(vm, format, ap);
    va_end(ap);
    api_raise(vm, type, msg);
    api_finish(vm, API_SCRIPT, false);
    return AIOVM_ERROR;
}

aiovm_status aiovm_raise_value(aiovm *host, aiovm_value h)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    aiovm_status status = api_enter(vm, API_SCRIPT, NULL);
    if (status) return status;
    value exc = from_host(h);
    if (api_present(vm, exc) && exc_is_cls(vm, exc)) exc = vm_call0(vm, exc);
    if (!value_is_error(exc)) {
        if (IS_EXC(exc)) raise_exception(vm, exc);
        else raise_type_error(vm, "exceptions must derive from BaseException");
    }
    api_finish(vm, API_SCRIPT, false);
    return AIOVM_ERROR;
}
