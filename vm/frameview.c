/* Script-visible frame objects (sys._getframe, traceback.tb_frame, gi_frame): views made on demand. */
#include "interp.h"

#define DOC_FILE vm_frameview
DOC_BEGIN;

static frameview *view_new(vm *vm, code *c, uint32_t pc, value globals)
{
    frameview *v = gc_new(vm, K_FRAMEVIEW, TYPE_FRAME, sizeof *v);
    if (!v) return NULL;
    v->code = c;
    v->pc = pc;
    v->globals = globals;
    v->back = V_NONE;
    return v;
}

static bool is_cell_variable(const code *c, const str *name)
{
    for (uint32_t i = 0; i < c->ncellvars; i++)
        if (c->cellnames[i] == name) return true;
    return false;
}

/* The locals by name, as locals() shows them; free variables too. */
/* A dict, or the mapping of a class body or exec. */
static value frame_locals(vm *vm, frame *f)
{
    code *c = f->code;
    if (c->flags & CODE_NATIVE) return value_obj(dict_new(vm)); /* its registers are no variables */
    if ((c->flags & (CODE_MODULE | CODE_CLASS)) && f->func) {
        value ns = f->r[0];
        if (value_is_unbound(ns)) ns = value_obj(f->func->globals);
        return ns;
    }
    dict *d = dict_new(vm);
    if (!d) return V_ERROR;
    for (uint32_t i = 0; i < (uint32_t)c->nlocals + c->nhigh; i++) {
        value v = f->r[i < c->nlocals ? i : i - c->nlocals + HIGH_BASE];
        str *name = c->varnames[i];
        if (!name || name->len == 0 || str_at(name, 0) == '.') continue; /* a register of the compiler's */
        if (value_is_kind(v, K_CELL) && is_cell_variable(c, name)) v = AS(cell, v)->v;
        if (value_is_unbound(v)) continue;
        if (!dict_set_str(vm, d, name, v)) return V_ERROR;
    }
    for (uint32_t i = 0; f->func && i < c->nfree; i++) {
        value v = f->func->cells[i]->v;
        if (!value_is_unbound(v) && !dict_set_str(vm, d, c->freenames[i], v)) return V_ERROR;
    }
    return value_obj(d);
}

value frameview_of(vm *vm, frame *f)
{
    frameview *v =
        view_new(vm, f->code, (uint32_t)(f->pc - f->code->insns), f->func ? value_obj(f->func->globals) : V_NONE);
    if (!v) return V_ERROR;
    if (!(f->h.flags & FRAME_ONSTACK)) {
        v->live = f;
        frame_expose(f);
    }
    value locals = frame_locals(vm, f);
    if (value_is_error(locals)) return V_ERROR;
    v->locals = locals;
    return value_obj(v);
}

static frame *next_visible(frame *f)
{
    while (f && (f->h.flags & FRAME_BOUNDARY || f->code->flags & CODE_NATIVE)) f = f->up;
    return f;
}

value frameview_current(vm *vm, uint32_t depth)
{
    frame *f = next_visible(vm->thread->current);
    while (f && depth-- > 0) f = next_visible(f->up);
    if (!f) return raise_value_error(vm, "call stack is not deep enough");
    /* The whole chain of f_back now: the frames may be gone when a script walks it. */
    value first = V_UNBOUND;
    frameview *prev = NULL;
    for (uint32_t n = 0; f && n < 64; f = next_visible(f->up), n++) {
        value v = frameview_of(vm, f);
        if (value_is_error(v)) return V_ERROR;
        if (prev) prev->back = v;
        else first = v;
        prev = AS(frameview, v);
    }
    return first;
}

value frame_current_locals(vm *vm)
{
    frame *f = next_visible(vm->thread->current);
    return f ? frame_locals(vm, f) : raise(vm, EXC_SystemError, "frame does not exist");
}
dict *frame_current_globals(vm *vm)
{
    frame *f = next_visible(vm->thread->current);
    return f && f->func ? f->func->globals : NULL;
}

static value view_code(vm *vm, value self)
{
    (void)vm;
    return value_obj(AS(frameview, self)->code);
}
static value view_lineno(vm *vm, value self)
{
    (void)vm;
    frameview *v = AS(frameview, self);
    if (v->live && v->live->pc != v->code->insns) /* when it has ended, too: the last line that ran */
        return value_int(code_line(v->code, (uint32_t)(v->live->pc - v->code->insns)));
    if (v->lineno) return value_int(v->lineno);
    return value_int(v->pc ? code_line(v->code, v->pc) : v->code->firstlineno);
}
static value view_generator(vm *vm, value self)
{
    (void)vm;
    frame *f = AS(frameview, self)->live;
    if (!f) return V_NONE;
    f->h.flags &= (uint16_t)~FRAME_FUSED; /* a generator too: a loop that ends early closes it no more */
    return value_obj(f);
}
static value view_locals(vm *vm, value self)
{
    frameview *v = AS(frameview, self);
    if (v->live && frame_state(v->live) != FRAME_DONE) {
        return frame_locals(vm, v->live);
    }
    if (value_is_unbound(v->locals)) {
        dict *d = dict_new(vm);
        if (!d) return V_ERROR;
        v->locals = value_obj(d);
        gc_barrier(vm, v);
    }
    return v->locals;
}
static value view_globals(vm *vm, value self)
{
    (void)vm;
    return AS(frameview, self)->globals;
}
static value view_builtins(vm *vm, value self)
{
    (void)self;
    return value_obj(vm->builtins);
}
static value view_back(vm *vm, value self)
{
    (void)vm;
    return AS(frameview, self)->back;
}
static value view_lasti(vm *vm, value self)
{
    (void)vm;
    return value_int((int64_t)AS(frameview, self)->pc * 4);
}
static value view_none(vm *vm, value self)
{
    (void)vm, (void)self;
    return V_NONE;
}
static value view_clear(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    frameview *v = AS(frameview, a[0]);
    if (v->live) {
        if (frame_state(v->live) == FRAME_RUNNING)
            return raise(vm, EXC_RuntimeError, "cannot clear an executing frame");
        if (!frame_close(vm, v->live)) return V_ERROR;
    }
    v->locals = V_UNBOUND;
    return V_NONE;
}
static value view_repr(vm *vm, value self)
{
    char buf[20];
    frameview *v = AS(frameview, self);
    str *s = str_format(vm, "<frame at %s, file %R, line %S, code %U>", address_text(v, buf),
                        value_obj(v->code->filename), view_lineno(vm, self), value_obj(v->code->name));
    return s ? value_obj(s) : V_ERROR;
}

static const native_def view_methods[] = {
    {"clear(self, /)", view_clear, DOC("Drop the references the frame holds."), 0},
    {0},
};
static const getset_def view_getsets[] = {
    {"f_code", view_code, NULL, NULL},           {"f_lineno", view_lineno, NULL, NULL},
    {"f_locals", view_locals, NULL, NULL},       {"f_globals", view_globals, NULL, NULL},
    {"f_builtins", view_builtins, NULL, NULL},   {"f_back", view_back, NULL, NULL},
    {"f_lasti", view_lasti, NULL, NULL},         {"f_trace", view_none, NULL, NULL},
    {"f_generator", view_generator, NULL, NULL}, {0},
};
static void view_traverse(vm *vm, object *o)
{
    frameview *v = (frameview *)o;
    gc_mark_obj(vm, &v->code->h);
    gc_mark_value(vm, v->globals);
    gc_mark_value(vm, v->locals);
    gc_mark_value(vm, v->back);
    if (v->live) gc_mark_obj(vm, &v->live->h);
}
static const gc_kind_ops view_kind_ops = {.traverse = view_traverse};

void frameview_types_init(vm *vm)
{
    gc_register_kind(vm, K_FRAMEVIEW, &view_kind_ops);
    type *t = T(vm, FRAME);
    t->s.repr = view_repr;
    t->methods = view_methods;
    t->getsets = view_getsets;
}
