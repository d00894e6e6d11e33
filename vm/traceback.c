/* Traceback objects: made from an exception's array of entries when a script asks, and what else needs to know
 * where the program is. */
#include "exception.h"
#include "frame.h"
#include "native.h"
#include "str.h"

/* The globals of a frame that is gone: those of the module which was loaded from the code's file. */
static value globals_of(vm *vm, code *c)
{
    size_t pos = 0;
    value k, v;
    while (vm->modules && dict_next(vm->modules, &pos, &k, &v)) {
        if (!value_is_kind(v, K_MODULE)) continue;
        value file = dict_get_str(vm, AS(module, v)->dict, N(vm, __file__));
        if (IS_STR(file) && str_eq(AS(str, file), c->filename)) return value_obj(AS(module, v)->dict);
    }
    if (value_is_kind(vm->main_module, K_MODULE)) return value_obj(AS(module, vm->main_module)->dict);
    dict *d = dict_new(vm);
    return d ? value_obj(d) : V_ERROR;
}

static uint32_t tb_line(const traceback *t) { return t->lineno ? t->lineno : code_line(t->code, t->pc); }

static traceback *traceback_new(vm *vm, value next, code *c, uint32_t pc, uint32_t lineno)
{
    traceback *t = gc_new(vm, K_TRACEBACK, TYPE_TRACEBACK, sizeof *t);
    if (!t) return NULL;
    t->next = next;
    t->code = c;
    t->pc = pc;
    t->lineno = lineno;
    return t;
}

value exc_get_traceback(vm *vm, value exc)
{
    exception *e = AS(exception, exc);
    value tb = value_is_unbound(e->traceback) ? V_NONE : e->traceback;
    if (e->ntb == 0) return tb;
    for (uint32_t i = 0; i < e->ntb; i++) {
        traceback *t = traceback_new(vm, tb, e->tb[i].code, e->tb[i].pc, e->tb[i].lineno);
        if (!t) return V_ERROR;
        tb = value_obj(t);
    }
    e->traceback = tb; /* what is added from now on lies further out */
    e->ntb = 0;
    gc_barrier(vm, e);
    return tb;
}

/* ---- attributes ---- */

static value get_next(vm *vm, value self)
{
    (void)vm;
    return AS(traceback, self)->next;
}
static bool put_next(vm *vm, value self, value v)
{
    if (value_is_unbound(v)) {
        raise_type_error(vm, "can't delete tb_next attribute");
        return false;
    }
    if (!value_is_none(v) && !value_is_kind(v, K_TRACEBACK)) {
        raise_type_error(vm, "expected traceback object or None, got '%T'", v);
        return false;
    }
    for (value t = v; value_is_kind(t, K_TRACEBACK); t = AS(traceback, t)->next) {
        if (value_is(t, self)) {
            raise_value_error(vm, "traceback loop detected");
            return false;
        }
    }
    AS(traceback, self)->next = v;
    gc_barrier(vm, value_as_obj(self));
    return true;
}
static value get_frame(vm *vm, value self)
{
    traceback *t = AS(traceback, self);
    if (!value_is_unbound(t->frame)) return t->frame;
    frameview *v = gc_new(vm, K_FRAMEVIEW, TYPE_FRAME, sizeof *v);
    if (!v) return V_ERROR;
    v->code = t->code;
    v->pc = t->pc;
    v->lineno = tb_line(t);
    v->back = V_NONE;
    v->globals = globals_of(vm, t->code);
    if (value_is_error(v->globals)) return V_ERROR;
    t->frame = value_obj(v);
    gc_barrier(vm, t);
    return t->frame;
}
static value get_lineno(vm *vm, value self)
{
    (void)vm;
    return value_int(tb_line(AS(traceback, self)));
}
static value get_lasti(vm *vm, value self)
{
    (void)vm;
    return value_int((int64_t)AS(traceback, self)->pc * 4);
}

/* types.TracebackType(tb_next, tb_frame, tb_lasti, tb_lineno) */
static value tb_new(vm *vm, type *cls, value *args, uint32_t n, value kw)
{
    (void)cls;
    value out[4];
    int64_t lasti, lineno;
    if (!args_bind(vm, "traceback(tb_next, tb_frame, tb_lasti, tb_lineno)", args, n, kw, out)) return V_ERROR;
    if (!value_is_none(out[0]) && !value_is_kind(out[0], K_TRACEBACK))
        return raise_type_error(vm, "expected traceback object or None, got '%T'", out[0]);
    if (!value_is_kind(out[1], K_FRAMEVIEW))
        return raise_type_error(vm, "traceback() argument 'tb_frame' must be frame, not %T", out[1]);
    if (!obj_as_index(vm, out[2], &lasti, EXC_OverflowError) || !obj_as_index(vm, out[3], &lineno, EXC_OverflowError))
        return V_ERROR;
    code *c = AS(frameview, out[1])->code;
    uint32_t pc = lasti > 0 && lasti / 4 <= c->ninsns ? (uint32_t)(lasti / 4) : AS(frameview, out[1])->pc;
    traceback *t = traceback_new(vm, out[0], c, pc, lineno > 0 && lineno < INT32_MAX ? (uint32_t)lineno : 0);
    if (!t) return V_ERROR;
    t->frame = out[1];
    return value_obj(t);
}

static value tb_dir(vm *vm, value *a, uint32_t n, value kw)
{
    (void)a, (void)n, (void)kw;
    static const char *const names[] = {"tb_frame", "tb_next", "tb_lasti", "tb_lineno"};
    list *l = list_new(vm, 4);
    for (int i = 0; l && i < 4; i++) {
        str *s = str_from_cstr(vm, names[i]);
        if (!s || !list_append(vm, l, value_obj(s))) return V_ERROR;
    }
    return l ? value_obj(l) : V_ERROR;
}

static void tb_traverse(vm *vm, object *o)
{
    traceback *t = (traceback *)o;
    gc_mark_value(vm, t->next);
    gc_mark_value(vm, t->frame);
    gc_mark_obj(vm, &t->code->h);
}
static const gc_kind_ops tb_kind_ops = {.traverse = tb_traverse};
static const getset_def tb_getsets[] = {
    {"tb_next", get_next, put_next, NULL},
    {"tb_frame", get_frame, NULL, NULL},
    {"tb_lineno", get_lineno, NULL, NULL},
    {"tb_lasti", get_lasti, NULL, NULL},
    {0},
};
static const native_def tb_methods[] = {{"__dir__(self, /)", tb_dir, NULL, 0}, {0}};

void type_init_traceback(vm *vm)
{
    gc_register_kind(vm, K_TRACEBACK, &tb_kind_ops);
    type *t = T(vm, TRACEBACK);
    t->s.new_ = tb_new;
    t->methods = tb_methods;
    t->getsets = tb_getsets;
}

bool traceback_caller(vm *vm, uint32_t up, str **filename, uint32_t *line, dict **globals)
{
    frame *f = vm->thread->current;
    for (;; f = f->up) {
        while (f && ((f->h.flags & FRAME_BOUNDARY) || (f->code->flags & CODE_NATIVE))) f = f->up;
        if (!f) return false;
        if (up-- == 0) break;
    }
    *filename = f->code->filename;
    *line = code_line(f->code, (uint32_t)(f->pc - f->code->insns));
    if (globals) *globals = f->func ? f->func->globals : NULL;
    return true;
}
