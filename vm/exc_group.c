/* BaseExceptionGroup and ExceptionGroup: checks, split, and what except* raises at its end.
 *
 * Fields: 0 message, 1 exceptions (a tuple). A group never holds itself (it is immutable once made), but it may be
 * nested deeply: the recursions here count as calls. */
#include "exception.h"
#include "dict.h"
#include "list.h"
#include "native.h"

#define DOC_FILE vm_exc_group
DOC_BEGIN;

static bool is_group(vm *vm, value v) { return IS_EXC(v) && value_isa_id(vm, v, EXC_BaseExceptionGroup); }
static tuple *members(value group) { return AS(tuple, AS(exception, group)->field[1]); }

static value group_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    if (n != 2)
        return raise_type_error(vm, "BaseExceptionGroup.__new__() takes exactly 2 arguments (%d given)", (int)n);
    if (!IS_STR(args[0]))
        return raise_type_error(vm, "BaseExceptionGroup.__new__() argument 1 must be str, not %A", args[0]);
    type *given = type_of(vm, args[1]);
    if (!given->s.getitem || IS_DICT(args[1]))
        return raise_type_error(vm, "second argument (exceptions) must be a sequence");
    tuple *excs = obj_to_tuple(vm, args[1]);
    if (!excs) return V_ERROR;
    ROOTS(vm, &excs);
    if (excs->len == 0) return raise_value_error(vm, "second argument (exceptions) must be a non-empty sequence");
    bool nests_base = false;
    for (size_t i = 0; i < excs->len; i++) {
        if (!IS_EXC(excs->items[i]))
            return raise_value_error(vm, "Item %zu of second argument (exceptions) is not an exception", i);
        if (!value_isa_id(vm, excs->items[i], EXC_Exception)) nests_base = true;
    }
    if (t == EXC_T(vm, BaseExceptionGroup)) {
        if (!nests_base) t = EXC_T(vm, ExceptionGroup);
    } else if (nests_base && t == EXC_T(vm, ExceptionGroup)) {
        return raise_type_error(vm, "Cannot nest BaseExceptions in an ExceptionGroup");
    } else if (nests_base && type_is_subtype(t, EXC_T(vm, Exception))) {
        return raise_type_error(vm, "Cannot nest BaseExceptions in '%N'", t);
    }
    value self = exc_slot_new(vm, t, args, n, kw);
    if (value_is_error(self)) return self;
    AS(exception, self)->field[0] = args[0];
    AS(exception, self)->field[1] = value_obj(excs);
    gc_barrier(vm, value_as_obj(self));
    return self;
}

static value group_str(vm *vm, value self)
{
    size_t n = members(self)->len;
    str *s = str_format(vm, "%S (%zu sub-exception%s)", AS(exception, self)->field[0], n, n > 1 ? "s" : "");
    return s ? value_obj(s) : V_ERROR;
}

/* ---- splitting ---- */

enum match_by { BY_CLASS, BY_PREDICATE, BY_IDENTITY };
typedef struct matcher {
    enum match_by by;
    value what; /* class or tuple; function; dict whose keys are addresses */
} matcher;

static bool matcher_init(vm *vm, matcher *m, value what)
{
    m->what = what;
    m->by = BY_CLASS;
    if (value_is_kind(what, K_FUNCTION)) {
        m->by = BY_PREDICATE;
        return true;
    }
    bool ok = exc_is_cls(vm, what);
    if (value_is_exact(what, TYPE_TUPLE)) {
        ok = true;
        for (size_t i = 0; i < AS(tuple, what)->len; i++) ok = ok && exc_is_cls(vm, AS(tuple, what)->items[i]);
    }
    if (!ok) raise_type_error(vm, "expected a function, exception type or tuple of exception types");
    return ok;
}

static value address_key(value v) { return value_int((int64_t)v.bits); }

static int matches(vm *vm, const matcher *m, value exc)
{
    if (m->by == BY_CLASS) return exc_match(vm, exc, m->what);
    if (m->by == BY_IDENTITY) return !value_is_unbound(dict_get_fast(vm, AS(dict, m->what), address_key(exc)));
    value r = vm_call1(vm, m->what, exc);
    return value_is_error(r) ? -1 : obj_truth(vm, r);
}

/* A group like orig of the exceptions in l; None when there are none. */
static value subset(vm *vm, value orig, list *l)
{
    if (l->len == 0) return V_NONE;
    ROOTS(vm, &orig, &l);
    str *derive = str_intern_utf8(vm, "derive", 6);
    if (!derive) return V_ERROR;
    value arg = value_obj(l), eg = vm_call_method(vm, orig, derive, &arg, 1);
    if (value_is_error(eg)) return eg;
    ROOTS(vm, &eg);
    if (!is_group(vm, eg)) return raise_type_error(vm, "derive must return an instance of BaseExceptionGroup");
    value tb = exc_get_traceback(vm, orig);
    if (value_is_error(tb)) return tb;
    exception *from = AS(exception, orig), *to = AS(exception, eg);
    to->traceback = tb;
    to->ntb = 0;
    to->context = from->context;
    to->cause = from->cause;
    to->h.flags |= EXC_SUPPRESS_CONTEXT;
    gc_barrier(vm, to);
    value notes = obj_getattr_opt(vm, orig, N(vm, __notes__));
    if (raised(vm)) return V_ERROR;
    if (!value_is_unbound(notes) && type_of(vm, notes)->s.getitem && !IS_DICT(notes)) {
        list *copy = obj_to_list(vm, notes); /* the parts' notes are independent */
        if (!copy || !obj_setattr(vm, eg, N(vm, __notes__), value_obj(copy))) return V_ERROR;
    }
    return eg;
}

/* *match and *rest get what matches and what does not: an exception, a group or None. rest NULL: not wanted. */
static bool split_recursive(vm *vm, value exc, const matcher *m, value *match, value *rest)
{
    *match = V_NONE;
    if (rest) *rest = V_NONE;
    int is_match = matches(vm, m, exc);
    if (is_match < 0) return false;
    if (is_match) {
        *match = exc;
        return true;
    }
    if (!is_group(vm, exc)) {
        if (rest) *rest = exc;
        return true;
    }
    list *hit = list_new(vm, 0), *miss = list_new(vm, 0);
    value part = V_NONE, other = V_NONE;
    ROOTS(vm, &exc, &hit, &miss, &part, &other);
    if (!hit || !miss || !vm_enter(vm)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < members(exc)->len; i++) {
        ok = split_recursive(vm, members(exc)->items[i], m, &part, rest ? &other : NULL);
        if (ok && !value_is_none(part)) ok = list_append(vm, hit, part);
        if (ok && rest && !value_is_none(other)) ok = list_append(vm, miss, other);
    }
    vm_leave(vm);
    if (!ok) return false;
    *match = subset(vm, exc, hit);
    if (value_is_error(*match)) return false;
    if (!rest) return true;
    *rest = subset(vm, exc, miss);
    return !value_is_error(*rest);
}

static value group_split(vm *vm, value *a, uint32_t n, value kw)
{
    matcher m;
    value match = V_NONE, rest = V_NONE, condition;
    ROOTS(vm, &match, &rest);
    if (!args_unpack(vm, "split", a + 1, n - 1, kw, 1, 1, &condition) || !matcher_init(vm, &m, condition))
        return V_ERROR;
    if (!split_recursive(vm, a[0], &m, &match, &rest)) return V_ERROR;
    tuple *t = tuple_pack(vm, 2, match, rest);
    return t ? value_obj(t) : V_ERROR;
}

static value group_subgroup(vm *vm, value *a, uint32_t n, value kw)
{
    matcher m;
    value match = V_NONE, condition;
    ROOTS(vm, &match);
    if (!args_unpack(vm, "subgroup", a + 1, n - 1, kw, 1, 1, &condition) || !matcher_init(vm, &m, condition))
        return V_ERROR;
    return split_recursive(vm, a[0], &m, &match, NULL) ? match : V_ERROR;
}

static value group_derive(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    value args[2] = {AS(exception, a[0])->field[0], a[1]};
    return vm_call(vm, value_obj(EXC_T(vm, BaseExceptionGroup)), args, 2);
}

/* ---- except* ---- */

/* The leaves of exc into the dict of addresses. */
static bool collect_leaves(vm *vm, value exc, dict *d)
{
    if (!is_group(vm, exc)) return dict_set(vm, d, address_key(exc), V_TRUE);
    if (!vm_enter(vm)) return false;
    bool ok = true;
    tuple *t = members(exc);
    for (size_t i = 0; ok && i < t->len; i++) ok = collect_leaves(vm, t->items[i], d);
    vm_leave(vm);
    return ok;
}

/* The part of orig, in its shape, whose leaves are in one of `keep`; None when there are none. */
static value projection(vm *vm, value orig, list *keep)
{
    if (keep->len == 0) return V_NONE;
    dict *d = dict_new(vm);
    value match = V_NONE;
    if (!d) return V_ERROR;
    ROOTS(vm, &orig, &keep, &d, &match);
    for (size_t i = 0; i < keep->len; i++)
        if (!collect_leaves(vm, keep->items[i], d)) return V_ERROR;
    matcher m = {.by = BY_IDENTITY, .what = value_obj(d)};
    return split_recursive(vm, orig, &m, &match, NULL) ? match : V_ERROR;
}

/* Is e a part of orig that was raised again as it was? 1 0 -1 */
static int same_origin(vm *vm, value e, value orig)
{
    exception *a = AS(exception, e), *b = AS(exception, orig);
    if (!value_is(a->cause, b->cause) || !value_is(a->context, b->context)) return 0;
    if (value_is(e, orig)) return 1;
    ROOTS(vm, &e, &orig);
    value ta = exc_get_traceback(vm, e);
    ROOTS(vm, &ta);
    value tb = exc_get_traceback(vm, orig);
    if (value_is_error(ta) || value_is_error(tb)) return -1;
    if (!value_is(ta, tb)) return 0;
    value na = obj_getattr_opt(vm, e, N(vm, __notes__));
    ROOTS(vm, &na);
    value nb = obj_getattr_opt(vm, orig, N(vm, __notes__));
    if (raised(vm)) return -1;
    if (value_is_unbound(na) || value_is_unbound(nb)) return value_is(na, nb);
    return obj_equal(vm, na, nb);
}

value exc_group_reraise(vm *vm, value orig, list *l)
{
    if (l->len == 0) return V_NONE;
    if (!is_group(vm, orig)) { /* a naked exception: at most one clause has run */
        for (size_t i = 0; i < l->len; i++)
            if (!value_is_none(l->items[i])) return l->items[i];
        return V_NONE;
    }
    for (size_t i = 0; i < l->len; i++)
        if (!IS_EXC(l->items[i]) && !value_is_none(l->items[i]))
            return raise_type_error(vm, "exceptions must derive from BaseException");
    list *raised_anew = list_new(vm, 0), *again = list_new(vm, 0);
    ROOTS(vm, &orig, &l, &raised_anew, &again);
    if (!raised_anew || !again) return V_ERROR;
    for (size_t i = 0; i < l->len; i++) {
        value e = l->items[i];
        if (value_is_none(e)) continue;
        int same = same_origin(vm, e, orig);
        if (same < 0 || !list_append(vm, same ? again : raised_anew, e)) return V_ERROR;
    }
    value rest = projection(vm, orig, again);
    if (value_is_error(rest) || raised_anew->len == 0) return rest;
    if (!value_is_none(rest) && !list_append(vm, raised_anew, rest)) return V_ERROR;
    value args[2] = {value_obj(vm->empty_str), value_obj(raised_anew)};
    return vm_call(vm, value_obj(EXC_T(vm, BaseExceptionGroup)), args, 2);
}

/* ---- the type ---- */

static value get_message(vm *vm, value self)
{
    (void)vm;
    return AS(exception, self)->field[0];
}
static value get_exceptions(vm *vm, value self)
{
    (void)vm;
    return AS(exception, self)->field[1];
}
static bool put_readonly(vm *vm, value self, value v)
{
    (void)self, (void)v;
    raise(vm, EXC_AttributeError, "readonly attribute");
    return false;
}

static const native_def group_methods[] = {
    {"derive(self, excs, /)", group_derive, DOC("A group of the same message with other exceptions."), 0},
    {"split(self, condition, /)", group_split, DOC("(match, rest): the parts that do and do not match."), NATIVE_RAW},
    {"subgroup(self, condition, /)", group_subgroup, DOC("The part that matches, or None."), NATIVE_RAW},
    {0},
};
static const getset_def group_getsets[] = {
    {"message", get_message, put_readonly, DOC("exception message")},
    {"exceptions", get_exceptions, put_readonly, DOC("nested exceptions")},
    {0},
};

void exc_group_init(vm *vm)
{
    type *t = EXC_T(vm, BaseExceptionGroup);
    t->s.new_ = group_new;
    t->s.init = exc_slot_init;
    t->s.str_ = group_str;
    t->methods = group_methods;
    t->getsets = group_getsets;
}
