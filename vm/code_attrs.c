/* Code objects as scripts see them: co_name, co_varnames, co_flags, ... Read-only. */
#include "list.h"
#include "attr.h"
#include "code.h"
#include "type_parts.h"
#include "types_api.h"

#define DOC_FILE vm_code_attrs
DOC_BEGIN;

extern const gc_kind_ops code_kind_ops;

static value or_none(str *s) { return s ? value_obj(s) : V_NONE; }
static value repr_value(str *s) { return s ? value_obj(s) : V_ERROR; }
static const code *self_code(value v) { return AS(code, v); }

#define NUMBER(NAME, EXPR)                   \
    static value get_##NAME(vm *vm, value v) \
    {                                        \
        const code *c = self_code(v);        \
        (void)vm;                            \
        return value_int((int64_t)(EXPR));   \
    }
NUMBER(argcount, c->argcount)
NUMBER(posonly, c->posonly)
NUMBER(kwonly, c->kwonly)
NUMBER(firstlineno, c->firstlineno)
NUMBER(stacksize, c->nregs - c->nlocals)
#undef NUMBER

static value get_name(vm *vm, value v)
{
    (void)vm;
    return or_none(self_code(v)->name);
}
static value get_qualname(vm *vm, value v)
{
    (void)vm;
    return or_none(self_code(v)->qualname);
}
static value get_filename(vm *vm, value v)
{
    (void)vm;
    return or_none(self_code(v)->filename);
}

static value str_tuple(vm *vm, str *const *names, size_t n)
{
    tuple *t = tuple_new(vm, n);
    if (!t) return V_ERROR;
    for (size_t i = 0; i < n; i++) t->items[i] = value_obj(names[i]);
    return value_obj(t);
}

static uint32_t param_count(const code *c)
{
    return c->argcount + c->kwonly + !!(c->flags & CODE_VARARGS) + !!(c->flags & CODE_VARKW);
}

/* Registers that a script may know by name: no scratch registers, and of the cells only parameters.
 */
static bool is_varname(const code *c, uint32_t i)
{
    const str *s = c->varnames[i];
    if (!s || !s->len || str_at(s, 0) == '.') return false;
    if (i < param_count(c)) return true;
    for (uint32_t k = 0; k < c->ncellvars; k++)
        if (c->cellnames[k] == s) return false;
    return true;
}

static value get_varnames(vm *vm, value v)
{
    const code *c = self_code(v);
    if (c->flags & (CODE_MODULE | CODE_CLASS)) return value_obj(vm->empty_tuple);
    uint32_t all = (uint32_t)c->nlocals + c->nhigh, n = 0;
    for (uint32_t i = 0; i < all; i++) n += is_varname(c, i);
    tuple *t = tuple_new(vm, n);
    if (!t) return V_ERROR;
    for (uint32_t i = 0, k = 0; i < all; i++)
        if (is_varname(c, i)) t->items[k++] = value_obj(c->varnames[i]);
    return value_obj(t);
}

static value get_nlocals(vm *vm, value v)
{
    value t = get_varnames(vm, v);
    return value_is_error(t) ? t : value_int((int64_t)AS(tuple, t)->len);
}

static value get_names(vm *vm, value v) { return str_tuple(vm, self_code(v)->cnames, self_code(v)->nnames); }
static value get_freevars(vm *vm, value v) { return str_tuple(vm, self_code(v)->freenames, self_code(v)->nfree); }
static value get_cellvars(vm *vm, value v) { return str_tuple(vm, self_code(v)->cellnames, self_code(v)->ncellvars); }

static value get_consts(vm *vm, value v)
{
    const code *c = self_code(v);
    tuple *t = tuple_new(vm, c->nconsts);
    if (!t) return V_ERROR;
    for (uint32_t i = 0; i < c->nconsts; i++) t->items[i] = value_is_unbound(c->consts[i]) ? V_NONE : c->consts[i];
    return value_obj(t);
}

/* CPython's numbers for the flags that libraries test. */
static value get_flags(vm *vm, value v)
{
    static const struct {
        uint32_t ours;
        int theirs;
    } map[] = {
        {CODE_VARARGS, 0x4},    {CODE_VARKW, 0x8},           {CODE_NESTED, 0x10},     {CODE_GENERATOR, 0x20},
        {CODE_COROUTINE, 0x80}, {CODE_ITERABLE_CORO, 0x100}, {CODE_ASYNC_GEN, 0x200},
    };
    const code *c = self_code(v);
    int64_t out = c->flags & (CODE_MODULE | CODE_CLASS) ? 0 : 0x3; /* OPTIMIZED | NEWLOCALS */
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (c->flags & map[i].ours) out |= map[i].theirs;
    (void)vm;
    return value_int(out);
}

static value get_code_bytes(vm *vm, value v)
{
    const code *c = self_code(v);
    bytes *b = bytes_new(vm, c->insns, (size_t)c->ninsns * sizeof(insn));
    return b ? value_obj(b) : V_ERROR;
}

static const getset_def code_getsets[] = {
    {"co_name", get_name, getset_readonly, NULL},
    {"co_qualname", get_qualname, getset_readonly, NULL},
    {"co_filename", get_filename, getset_readonly, NULL},
    {"co_firstlineno", get_firstlineno, getset_readonly, NULL},
    {"co_argcount", get_argcount, getset_readonly, NULL},
    {"co_posonlyargcount", get_posonly, getset_readonly, NULL},
    {"co_kwonlyargcount", get_kwonly, getset_readonly, NULL},
    {"co_nlocals", get_nlocals, NULL, NULL},
    {"co_varnames", get_varnames, NULL, NULL},
    {"co_names", get_names, getset_readonly, NULL},
    {"co_freevars", get_freevars, NULL, NULL},
    {"co_cellvars", get_cellvars, NULL, NULL},
    {"co_consts", get_consts, getset_readonly, NULL},
    {"co_flags", get_flags, getset_readonly, NULL},
    {"co_stacksize", get_stacksize, getset_readonly, NULL},
    {"co_code", get_code_bytes, NULL, NULL},
    {0},
};

static value code_repr(vm *vm, value v)
{
    char addr[20];
    const code *c = self_code(v);
    return repr_value(str_format(vm, "<code object %U at %s, file \"%U\", line %d>", c->name, address_text(c, addr),
                                 c->filename, (int)c->firstlineno));
}

/* ---- code.replace ---- */

/* *field: an array to be copied. false: raised, the field is NULL. */
static bool dup_array(vm *vm, void *field, size_t size)
{
    void *from, *to = NULL;
    memcpy(&from, field, sizeof from);
    bool ok = !from || !size || (to = mem_alloc(vm, size));
    if (to) memcpy(to, from, size);
    memcpy(field, &to, sizeof to);
    return ok;
}

static code *code_copy(vm *vm, const code *c)
{
    code *k = gc_new(vm, K_CODE, TYPE_CODE, sizeof *k);
    if (!k) return NULL;
    object head = k->h;
    *k = *c;
    k->h = head;
    struct {
        void *field;
        size_t size;
    } arrays[] = {
        {&k->insns, c->ninsns * sizeof *c->insns},
        {&k->consts, c->nconsts * sizeof *c->consts},
        {&k->cnames, c->nnames * sizeof *c->cnames},
        {&k->varnames, ((size_t)c->nlocals + c->nhigh) * sizeof *c->varnames},
        {&k->freenames, c->nfree * sizeof *c->freenames},
        {&k->cellnames, c->ncellvars * sizeof *c->cellnames},
        {&k->captures, c->nfree * sizeof *c->captures},
        {&k->excs, c->nexcs * sizeof *c->excs},
        {&k->safepoints, c->nsafepoints * sizeof *c->safepoints},
        {&k->discards, c->ndiscards * sizeof *c->discards},
        {&k->positions, c->npositions},
    };
    bool ok = true;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) { /* none may stay shared */
        if (ok) ok = dup_array(vm, arrays[i].field, arrays[i].size);
        else memset(arrays[i].field, 0, sizeof(void *));
    }
    for (size_t i = 0; !ok && i < sizeof arrays / sizeof *arrays; i++) {
        void *p;
        memcpy(&p, arrays[i].field, sizeof p);
        mem_free(vm, p, arrays[i].size);
        memset(arrays[i].field, 0, sizeof p);
    }
    if (!ok) return NULL;
    code_clear_caches(k);
    return k;
}

static bool replace_str(vm *vm, str **field, value v, const char *name)
{
    if (!IS_STR(v)) {
        raise_type_error(vm, "replace() argument '%s' must be str, not %A", name, v);
        return false;
    }
    *field = AS(str, v);
    return true;
}

/* What the bytecode depends on can only be "replaced" by what it is. */
static value code_replace(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    code *k = code_copy(vm, AS(code, args[0]));
    if (!k) return V_ERROR;
    ROOTS(vm, &k);
    tuple *kw = value_is_unbound(kwnames) ? vm->empty_tuple : AS(tuple, kwnames);
    for (size_t i = 0; i < kw->len; i++) {
        value v = args[nargs + i];
        size_t n;
        const char *name = str_utf8(vm, AS(str, kw->items[i]), &n);
        if (!name) return V_ERROR;
        int64_t number = 0;
        if (!strcmp(name, "co_name")) {
            if (!replace_str(vm, &k->name, v, name)) return V_ERROR;
        } else if (!strcmp(name, "co_qualname")) {
            if (!replace_str(vm, &k->qualname, v, name)) return V_ERROR;
        } else if (!strcmp(name, "co_filename")) {
            if (!replace_str(vm, &k->filename, v, name)) return V_ERROR;
        } else if (!strcmp(name, "co_firstlineno")) {
            if (!obj_as_index(vm, v, &number, EXC_OverflowError)) return V_ERROR;
            k->firstlineno = (uint32_t)number;
        } else if (!strcmp(name, "co_flags")) {
            if (!obj_as_index(vm, v, &number, EXC_OverflowError)) return V_ERROR;
            k->flags &= ~(uint32_t)CODE_ITERABLE_CORO;
            if ((number & 0x100) && (k->flags & CODE_GENERATOR)) k->flags |= CODE_ITERABLE_CORO;
        } else {
            value old = obj_getattr_opt(vm, value_obj(k), AS(str, kw->items[i]));
            if (value_is_unbound(old)) {
                if (raised(vm)) return V_ERROR;
                return raise_type_error(vm, "'%s' is an invalid keyword argument for replace()", name);
            }
            int same = obj_equal(vm, old, v);
            if (same < 0) return V_ERROR;
            if (!same) return raise_value_error(vm, "replace(): %s can't be changed", name);
        }
    }
    return value_obj(k);
}

/* (line, end line, column, end column) per two bytes of co_code, so that co_positions()[tb_lasti // 2] is where a
 * traceback is. */
static value code_positions(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    const code *c = self_code(args[0]);
    list *l = list_new(vm, 2 * (size_t)c->ninsns + 2);
    if (!l) return V_ERROR;
    for (uint32_t i = 0; i <= c->ninsns; i++) {
        src_pos at;
        tuple *t = code_position(c, i, &at) ? tuple_pack(vm, 4, value_int(at.line), value_int(at.end_line),
                                                         value_int(at.col), value_int(at.end_col))
                                            : tuple_pack(vm, 4, value_int(code_line(c, i)), V_NONE, V_NONE, V_NONE);
        if (!t || !list_append(vm, l, value_obj(t)) || !list_append(vm, l, value_obj(t))) return V_ERROR;
    }
    return obj_iter(vm, value_obj(l));
}

static const native_def code_methods[] = {
    {"co_positions(self, /)", code_positions, DOC("The places in the source that the code comes from."), 0},
    {"replace(self, /, **kwargs)", code_replace,
     DOC("Return a copy of the code object with new values for the specified fields."), 0},
    {0},
};

void type_init_code(vm *vm)
{
    gc_register_kind(vm, K_CODE, &code_kind_ops);
    type *t = T(vm, CODE);
    t->s.repr = code_repr;
    t->methods = code_methods;
    t->getsets = code_getsets;
}
