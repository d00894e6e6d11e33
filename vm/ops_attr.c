/* Slow paths of attribute instructions: fill the inline cache, or do the general thing.
 *
 * Backoff: word 1 carries 8 bits of penalty. A site that misses right after it was filled waits longer before it is
 * filled again, so a megamorphic site costs one counter and no rewriting. */
#include "compile.h"
#include "interp.h"

enum { NAME_MASK = 0xffffff, PENALTY_MAX = 6 };

static str *site_name(frame *F, const insn *pc) { return F->code->cnames[pc[1] & NAME_MASK]; }

/* May this site be specialised now? The upper byte: penalty (3 bits) and a count down (5 bits). */
static bool site_wants_fill(insn *pc)
{
    uint32_t state = pc[1] >> 24, wait = state & 31, penalty = state >> 5;
    if (wait) {
        pc[1] -= 1u << 24;
        return false;
    }
    if (penalty < PENALTY_MAX) penalty++;
    wait = (1u << penalty) / 2 - 1;
    pc[1] = (pc[1] & NAME_MASK) | ((penalty << 5) | (wait > 31 ? 31 : wait)) << 24;
    return true;
}

static void site_put(insn *pc, unsigned op, uint32_t shape, uint32_t index, const void *ptr)
{
    uint64_t p = (uint64_t)(uintptr_t)ptr;
    pc[0] = (pc[0] & ~(insn)0xff) | op;
    pc[2] = shape;
    pc[3] = index;
    pc[4] = (uint32_t)p;
    pc[5] = (uint32_t)(p >> 32);
}

/* A property's getter as a frame whose result goes to r[dst]. */
static value enter_getter(vm *vm, frame *F, function *fn, value o, frame **getter, uint32_t dst)
{
    frame *nf = stack_push(vm, vm->thread, F, fn->code, fn, RET_MAKE(dst, RET_PLAIN), 1);
    if (!nf) return V_ERROR;
    nf->r[0] = o;
    *getter = nf;
    return V_NONE;
}

value op_getattr(vm *vm, frame *F, insn *pc, value o, frame **getter, uint32_t dst)
{
    str *name = site_name(F, pc);
    struct attr_cache c;
    if (!site_wants_fill(pc)) {
        const struct attr_cache *p = attr_poly_get(vm, o, name);
        if (p) {
            if (p->kind == ATTR_SLOT) {
                value v = AS(instance, o)->slots[p->index];
                if (LIKELY(!value_is_unbound(v))) return v;
            } else if (p->kind == ATTR_CLASS_DATA) {
                return *(value *)p->ptr;
            } else if (p->kind == ATTR_CLASS_VALUE) {
                return value_obj(p->ptr);
            } else if (p->kind == ATTR_PROPERTY) {
                return enter_getter(vm, F, (function *)p->ptr, o, getter, dst);
            }
        }
        return obj_getattr(vm, o, name);
    }
    if (!attr_cache_fill_get(vm, o, name, &c)) return obj_getattr(vm, o, name);
    switch (c.kind) {
    case ATTR_SLOT:
        if (value_as_obj(o)->kind == K_INSTANCE) site_put(pc, OP_GETATTR_SLOT, c.shape, c.index, NULL);
        break;
    case ATTR_CLASS_DATA: site_put(pc, OP_GETATTR_DATA, c.shape, c.epoch, c.ptr); break;
    case ATTR_CLASS_VALUE: site_put(pc, OP_GETATTR_VALUE, c.shape, c.epoch, c.ptr); break;
    case ATTR_TYPE_DATA: site_put(pc, OP_GETATTR_TYPE, c.shape, c.epoch, c.ptr); break;
    case ATTR_MODULE: site_put(pc, OP_GETATTR_MODULE, c.shape, c.index, NULL); break;
    case ATTR_PROPERTY: {
        site_put(pc, OP_GETATTR_PROPERTY, c.shape, c.epoch, c.ptr);
        return enter_getter(vm, F, (function *)c.ptr, o, getter, dst);
    }
    default: break;
    }
    return obj_getattr(vm, o, name);
}

bool op_setattr(vm *vm, frame *F, insn *pc, value o, value v)
{
    str *name = site_name(F, pc);
    struct attr_cache c;
    if (!site_wants_fill(pc)) {
        const struct attr_cache *p = attr_poly_set(vm, o, name);
        if (p) {
            instance *in = AS(instance, o);
            if (p->kind == ATTR_SET_DESCR) {
                value d = value_obj(p->ptr);
                const type *t = type_of(vm, d);
                return t->s.descr_set ? t->s.descr_set(vm, d, o, v) : obj_setattr(vm, o, name, v);
            }
            if (p->kind == ATTR_SET_SLOT || p->index < in->h.flags) {
                in->slots[p->index] = v;
                if (p->kind == ATTR_SET_ADD) in->h.shape = p->epoch;
                gc_barrier(vm, in);
                return true;
            }
        }
        return obj_setattr(vm, o, name, v);
    }
    if (attr_cache_fill_set(vm, o, name, &c) && value_as_obj(o)->kind == K_INSTANCE) {
        if (c.kind == ATTR_SET_SLOT) site_put(pc, OP_SETATTR_SLOT, c.shape, c.index, NULL);
        else if (c.kind == ATTR_SET_ADD) site_put(pc, OP_SETATTR_ADD, c.shape, c.index, (void *)(uintptr_t)0);
        if (c.kind == ATTR_SET_ADD) pc[4] = c.epoch;
    }
    return obj_setattr(vm, o, name, v);
}

bool op_loadmethod(vm *vm, frame *F, insn *pc, value o, value *out)
{
    str *name = site_name(F, pc);
    struct attr_cache c;
    bool load = op_general(I_OP(*pc)) == OP_LOADMETHOD;
    if (!site_wants_fill(pc)) {
        const struct attr_cache *p = attr_poly_get(vm, o, name);
        if (p && p->kind == ATTR_METHOD) {
            out[0] = value_obj(p->ptr);
            out[1] = o;
            return true;
        }
    } else if (attr_cache_fill_get(vm, o, name, &c)) {
        if (c.kind == ATTR_METHOD)
            site_put(pc, load ? OP_LOADMETHOD_CLASS : OP_CALLMETHOD_CLASS, c.shape, c.epoch, c.ptr);
        else if (c.kind == ATTR_MODULE)
            site_put(pc, load ? OP_LOADMETHOD_MODULE : OP_CALLMETHOD_MODULE, c.shape, c.index, NULL);
        else if (c.kind == ATTR_TYPE_METHOD && !load) site_put(pc, OP_CALLMETHOD_TYPE, c.shape, c.epoch, c.ptr);
        else if (c.kind == ATTR_TYPE_DATA)
            site_put(pc, load ? OP_LOADMETHOD_VALUE : OP_CALLMETHOD_VALUE, c.shape, c.epoch, c.ptr);
    }
    return attr_load_method(vm, o, name, &out[0], &out[1]);
}

value op_superattr(vm *vm, value super_fn, value cls, value self, str *name, value *method_self)
{
    value func, receiver;
    if (LIKELY(value_is(super_fn, value_obj(T(vm, SUPER))))) {
        if (!super_load_method(vm, cls, self, name, &func, &receiver)) return V_ERROR;
        if (method_self) {
            *method_self = receiver;
            return func;
        }
        return value_is_unbound(receiver) ? func : attr_bind(vm, func, receiver, type_of(vm, receiver));
    }
    /* `super` is something else: call it as written, super(). */
    ROOTS(vm, &super_fn, &self);
    value s = vm_call0(vm, super_fn);
    if (value_is_error(s)) return V_ERROR;
    if (method_self) *method_self = V_UNBOUND;
    return obj_getattr(vm, s, name);
}
