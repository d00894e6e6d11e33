/* The functions by which C code raises, asks what is pending, and notes where an exception has been.
 *
 * Invariants
 *  1. The pending exception (thread->exc) always has its __context__: it is set where the exception is raised, from
 *     what is being handled then, and a cycle in the chain is cut there.
 *  2. tb grows while frames unwind; a traceback object is made from it only when a script asks.
 */
#include "exception.h"
#include "import.h"
#include "str.h"

/* What is pending gets what is being handled as its context, unless that is itself; an older mention of the new
 * exception further down the chain is cut, so that printing ends. */
static void set_context(vm *vm, value exc)
{
    value h = vm->thread->handled;
    if (value_is_unbound(h) || value_is(h, exc) || !IS_EXC(h)) return;
    value slow = h, o = h;
    for (uint32_t n = 0;; n++) {
        value next = AS(exception, o)->context;
        if (!IS_EXC(next)) break;
        if (value_is(next, exc)) {
            AS(exception, o)->context = V_NONE;
            break;
        }
        o = next;
        if (n & 1) slow = AS(exception, slow)->context;
        if (value_is(o, slow)) break; /* a cycle made by script */
    }
    AS(exception, exc)->context = h;
    gc_barrier(vm, value_as_obj(exc));
}

value raise_exception(vm *vm, value exc)
{
    /* A look-up had no memory, and its caller took the missing result for an answer: the cause is what is told. */
    value pending = vm->thread->exc;
    if (UNLIKELY(value_is_obj(pending)) && value_is(pending, vm->memory_error)) return V_ERROR;
    set_context(vm, exc);
    vm->thread->exc = exc;
    return V_ERROR;
}

value exc_take(vm *vm)
{
    value e = vm->thread->exc;
    vm->thread->exc = V_UNBOUND;
    return e;
}

bool exc_matches(vm *vm, unsigned exc_id)
{
    value e = vm->thread->exc;
    return value_is_obj(e) && (value_as_obj(e)->shape == exc_id || type_is_subtype(type_of(vm, e), vm->types[exc_id]));
}

bool exc_clear_if(vm *vm, unsigned exc_id)
{
    if (!exc_matches(vm, exc_id)) return false;
    exc_clear(vm);
    return true;
}

value exc_new(vm *vm, unsigned exc_id, value arg)
{
    ROOTS(vm, &arg);
    exception *e = exc_alloc(vm, vm->types[exc_id]);
    if (!e) return V_ERROR;
    if (!value_is_unbound(arg)) {
        tuple *t = tuple_pack(vm, 1, arg);
        if (!t) return V_ERROR;
        e->args = value_obj(t);
    }
    if (exc_id == EXC_StopIteration || exc_id == EXC_SystemExit) e->field[0] = arg;
    if (type_is_subtype(vm->types[exc_id], EXC_T(vm, ImportError)) ||
        type_is_subtype(vm->types[exc_id], EXC_T(vm, SyntaxError)))
        e->field[0] = arg;
    return value_obj(e);
}

value raise(vm *vm, unsigned exc_id, const char *fmt, ...)
{
    value arg = V_UNBOUND;
    if (fmt) {
        va_list ap;
        va_start(ap, fmt);
        str *s = str_vformat(vm, fmt, ap);
        va_end(ap);
        if (!s) return V_ERROR;
        arg = value_obj(s);
    }
    value e = exc_new(vm, exc_id, arg);
    return value_is_error(e) ? V_ERROR : raise_exception(vm, e);
}

#define RAISE_AS(NAME, ID)                                           \
    value NAME(vm *vm, const char *fmt, ...)                         \
    {                                                                \
        va_list ap;                                                  \
        va_start(ap, fmt);                                           \
        str *s = str_vformat(vm, fmt, ap);                           \
        va_end(ap);                                                  \
        if (!s) return V_ERROR;                                      \
        value e = exc_new(vm, ID, value_obj(s));                     \
        return value_is_error(e) ? V_ERROR : raise_exception(vm, e); \
    }
RAISE_AS(raise_type_error, EXC_TypeError)
RAISE_AS(raise_value_error, EXC_ValueError)
RAISE_AS(raise_overflow, EXC_OverflowError)

value raise_memory(vm *vm)
{
    value e = vm->memory_error;
    if (!IS_EXC(e)) return V_ERROR; /* the VM is being opened: vm_new fails */
    exception *x = AS(exception, e);
    x->ntb = 0; /* one object for all: it keeps nothing of an earlier failure */
    x->context = x->cause = V_NONE;
    x->traceback = V_UNBOUND;
    return raise_exception(vm, e);
}

value raise_key_error(vm *vm, value key)
{
    value e = exc_new(vm, EXC_KeyError, key);
    return value_is_error(e) ? V_ERROR : raise_exception(vm, e);
}

value raise_stop_iteration(vm *vm, value v)
{
    value e = exc_new(vm, EXC_StopIteration, v);
    return value_is_error(e) ? V_ERROR : raise_exception(vm, e);
}

static bool unset(value v) { return value_is_unbound(v) || value_is_none(v); }

void exc_attribute_context(vm *vm, value o, str *name)
{
    value e = vm->thread->exc;
    if (!value_isa_id(vm, e, EXC_AttributeError)) return;
    exception *x = AS(exception, e);
    if (!unset(x->field[0]) || !unset(x->field[1])) return;
    x->field[0] = value_obj(name);
    x->field[1] = o;
    gc_barrier(vm, value_as_obj(e));
}

value raise_attribute_error(vm *vm, value o, str *name)
{
    ROOTS(vm, &o, &name);
    if (value_is_kind(o, K_MODULE)) module_getattr_error(vm, AS(module, o), name);
    else if (IS_TYPE(o))
        raise(vm, EXC_AttributeError, "type object '%N' has no attribute '%U'", AS(type, o), value_obj(name));
    else raise(vm, EXC_AttributeError, "'%T' object has no attribute '%U'", o, value_obj(name));
    value e = vm->thread->exc;
    if (value_is_exact(e, EXC_AttributeError)) {
        AS(exception, e)->field[0] = value_obj(name);
        AS(exception, e)->field[1] = o;
        gc_barrier(vm, value_as_obj(e));
    }
    return V_ERROR;
}

value raise_os_error(vm *vm, int err, value filename)
{
    str *text = str_from_cstr(vm, os_error_text(err));
    if (!text) return V_ERROR;
    ROOTS(vm, &text, &filename);
    value args[3] = {value_int(err), value_obj(text), filename};
    value e = exc_make(vm, EXC_T(vm, OSError), args, value_is_unbound(filename) ? 2 : 3);
    return value_is_error(e) ? V_ERROR : raise_exception(vm, e);
}

value exc_make(vm *vm, type *cls, value *args, uint32_t n) { return vm_call(vm, value_obj(cls), args, n); }

bool exc_is_cls(vm *vm, value v)
{
    (void)vm;
    return IS_TYPE(v) && (AS(type, v)->flags & TF_EXC);
}

static int match_one(vm *vm, value exc, value cls)
{
    if (!exc_is_cls(vm, cls)) {
        raise_type_error(vm, "catching classes that do not inherit from BaseException is not allowed");
        return -1;
    }
    return type_is_subtype(type_of(vm, exc), AS(type, cls));
}

int exc_match(vm *vm, value exc, value cls)
{
    if (LIKELY(!IS_TUPLE(cls))) return match_one(vm, exc, cls);
    tuple *t = AS(tuple, cls);
    for (size_t i = 0; i < t->len; i++) /* all are checked first, as CPython does */
        if (match_one(vm, exc, t->items[i]) < 0) return -1;
    for (size_t i = 0; i < t->len; i++)
        if (match_one(vm, exc, t->items[i])) return 1;
    return 0;
}

bool exc_add_traceback(vm *vm, value exc, code *c, uint32_t pc)
{
    if (!IS_EXC(exc)) return true;
    exception *e = AS(exception, exc);
    if (c->flags & CODE_NATIVE) return true;
    if (e->ntb == e->captb) {
        uint32_t cap = e->captb ? e->captb * 2 : 4;
        /* a loop that re-raises one object for ever keeps its first million entries */
        if (cap > 1u << 20) return true;
        tb_entry *tb = mem_realloc_quiet(vm, e->tb, e->captb * sizeof *tb, cap * sizeof *tb);
        if (!tb) return false;
        e->tb = tb;
        e->captb = cap;
    }
    e->tb[e->ntb++] = (tb_entry){.code = c, .pc = pc};
    gc_barrier(vm, e);
    return true;
}
