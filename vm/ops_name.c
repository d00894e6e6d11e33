/* Slow paths of name instructions: globals and builtins with their inline caches, class-body namespaces, unbound names.
 */
#include "interp.h"

static void cache_put(insn *pc, unsigned op, uint32_t w1, uint32_t w2, uint32_t w3, bool has_w3)
{
    pc[0] = (pc[0] & ~(insn)0xff) | op;
    pc[1] = w1;
    pc[2] = w2;
    if (has_w3) pc[3] = w3;
}

value op_name_error(vm *vm, str *name)
{
    value exc = V_UNBOUND;
    raise(vm, EXC_NameError, "name '%U' is not defined", value_obj(name));
    exc = vm->thread->exc;
    if (IS_EXC(exc) && value_as_obj(exc)->shape == EXC_NameError) {
        dict *g = frame_current_globals(vm);
        AS(exception, exc)->field[0] = value_obj(name);
        if (g) AS(exception, exc)->field[1] = value_obj(g); /* where exc_hints.c looks for what was meant */
        gc_barrier(vm, value_as_obj(exc));
    }
    return V_ERROR;
}

value op_builtin(vm *vm, frame *F, str *name)
{
    value own = F->func->builtins;
    return value_is_unbound(own) ? dict_get_str(vm, vm->builtins, name) : op_getname(vm, own, name);
}

value op_getglobal(vm *vm, frame *F, insn *pc, str *name)
{
    dict *g = F->func->globals;
    bool in_name = pc && I_OP(*pc) == OP_GETNAME; /* its cache has no address of a global: w3 tells builtins by 0 */
    int64_t i = dict_find_str(vm, g, name);
    if (i >= 0) {
        if (pc && (g->h.flags & DICT_STRKEYS)) {
            uint64_t at = (uint64_t)(uintptr_t)&g->entries[i].val;
            if (in_name) cache_put(pc, OP_GETNAME, dict_version(vm, g), (uint32_t)i, 0, true);
            else cache_put(pc, OP_GETGLOBAL_MODULE, dict_version(vm, g), (uint32_t)at, (uint32_t)(at >> 32), true);
        }
        return g->entries[i].val;
    }
    if (!(g->h.flags & DICT_STRKEYS)) { /* keys of other types: an equal one could be there */
        value v = dict_get(vm, g, value_obj(name));
        if (!value_is_unbound(v) || raised(vm)) return v;
    }
    if (UNLIKELY(!value_is_unbound(F->func->builtins))) {
        value v = op_builtin(vm, F, name);
        return value_is_unbound(v) && !raised(vm) ? op_name_error(vm, name) : v;
    }
    dict *b = vm->builtins;
    i = dict_find_str(vm, b, name);
    if (i < 0) return op_name_error(vm, name);
    if (pc && (g->h.flags & DICT_STRKEYS) && dict_version(vm, b))
        cache_put(pc, in_name ? OP_GETNAME : OP_GETGLOBAL_BUILTIN, dict_version(vm, g), (uint32_t)i,
                  dict_version(vm, b), true);
    return b->entries[i].val;
}

bool op_setglobal(vm *vm, frame *F, insn *pc, str *name, value v)
{
    dict *g = F->func->globals;
    if (!dict_set_str(vm, g, name, v)) return false;
    int64_t i = dict_find_str(vm, g, name);
    if (i >= 0 && (g->h.flags & DICT_STRKEYS))
        cache_put(pc, I_OP(*pc) == OP_SETNAME ? OP_SETNAME : OP_SETGLOBAL_CACHED, dict_version(vm, g), (uint32_t)i, 0,
                  false);
    return true;
}

bool op_delglobal(vm *vm, frame *F, str *name)
{
    int r = dict_del(vm, F->func->globals, value_obj(name));
    if (r == 0) op_name_error(vm, name);
    return r > 0;
}

value op_getname(vm *vm, value ns, str *name)
{
    if (value_is_exact(ns, TYPE_DICT)) return dict_get(vm, AS(dict, ns), value_obj(name));
    value v = obj_getitem(vm, ns, value_obj(name));
    if (value_is_error(v)) exc_clear_if(vm, EXC_KeyError);
    return v;
}

bool op_setname(vm *vm, value ns, str *name, value v)
{
    if (value_is_exact(ns, TYPE_DICT)) return dict_set_str(vm, AS(dict, ns), name, v);
    return obj_setitem(vm, ns, value_obj(name), v);
}

bool op_delname(vm *vm, value ns, str *name)
{
    if (obj_setitem(vm, ns, value_obj(name), V_UNBOUND)) return true;
    if (exc_clear_if(vm, EXC_KeyError)) op_name_error(vm, name);
    return false;
}

value op_unbound_local(vm *vm, code *c, uint32_t reg)
{
    if (UNLIKELY(reg >= (uint32_t)c->nlocals + c->nhigh)) /* a temporary that holds a variable's cell */
        return raise(vm, EXC_UnboundLocalError, "cannot access local variable where it is not associated with a value");
    return raise(vm, EXC_UnboundLocalError, "cannot access local variable '%U' where it is not associated with a value",
                 value_obj(c->varnames[reg]));
}

value op_unbound_cell(vm *vm, frame *F, uint32_t reg) { return op_unbound_local(vm, F->code, reg); }

value op_unbound_free(vm *vm, code *c, uint32_t index)
{
    return raise(vm, EXC_NameError,
                 "cannot access free variable '%U' where it is not associated with a value in enclosing scope",
                 value_obj(c->freenames[index]));
}

bool op_setupannot(vm *vm, frame *F)
{
    value ns = F->r[0];
    str *name = N(vm, __annotations__);
    if (value_is_unbound(ns)) ns = value_obj(F->func->globals);
    value have = op_getname(vm, ns, name);
    if (!value_is_unbound(have)) return true;
    if (raised(vm)) return false;
    dict *d = dict_new(vm);
    return d && op_setname(vm, ns, name, value_obj(d));
}
