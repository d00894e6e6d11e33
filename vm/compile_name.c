/* Variables: from a name to registers, cells, closures, globals and namespaces; definite
 * assignment. */
#include "compile.h"

/* What the name means where code is emitted for it now. *owner: the scope whose symbol it is. */
static symbol *find_symbol(unit *u, str *name, scope **owner)
{
    scope *s = u->cur;
    for (;;) {
        symbol *y = scope_find(s, name);
        *owner = s;
        if (!s->inlined || (y && y->where != WHERE_HOST)) return y;
        s = s->parent;
        if (s->kind == SCOPE_CLASS) return NULL; /* an inlined comprehension doesn't see a class's names */
    }
}

static int var_register(const unit *u, int var) { return var < (int)u->nlow ? var : HIGH_BASE + var - (int)u->nlow; }

place name_place(unit *u, str *name)
{
    place p = {AT_GLOBAL, -1, -1, NULL};
    scope *owner;
    symbol *y = u->c->failed ? NULL : find_symbol(u, name, &owner);
    if (!y) {
        if (u->cur == u->scope && !unit_is_function(u)) p.kind = AT_NAME;
        return p;
    }
    p.sym = y;
    switch (y->where) {
    case WHERE_LOCAL:
    case WHERE_CELL:
        if (owner->inlined) {
            p.kind = AT_REG;
            p.reg = y->reg;
            break;
        }
        p.var = y->var;
        p.reg = var_register(u, y->var);
        if (y->where == WHERE_CELL) p.kind = p.reg < HIGH_BASE ? AT_CELL : AT_HIGH_CELL;
        else p.kind = p.reg < HIGH_BASE ? AT_REG : AT_HIGH;
        break;
    case WHERE_FREE:
        p.kind = owner->kind == SCOPE_CLASS && !(y->flags & SYM_NONLOCAL) ? AT_CLASS_FREE : AT_FREE;
        p.reg = scope_free_index(u->scope, name);
        break;
    case WHERE_NAME: p.kind = AT_NAME; break;
    default: p.kind = AT_GLOBAL; break;
    }
    return p;
}

bool name_bound(const unit *u, place p)
{
    return p.var < 0 || !u->nwords || (u->bound[p.var / 64] >> (p.var & 63) & 1);
}

void name_set_bound(unit *u, int var)
{
    if (var >= 0 && u->nwords) u->bound[var / 64] |= UINT64_C(1) << (var & 63);
}

static void set_unbound(unit *u, int var)
{
    if (var >= 0 && u->nwords) u->bound[var / 64] &= ~(UINT64_C(1) << (var & 63));
}

int name_reg(unit *u, str *name)
{
    place p = name_place(u, name);
    return p.kind == AT_REG ? p.reg : -1;
}

static void check_bound(unit *u, place p, int copy)
{
    if (name_bound(u, p)) return;
    if (p.kind == AT_HIGH) emit_d(u, OP_CHECKX, copy, (uint32_t)p.reg);
    else emit(u, OP_CHECK, p.reg, 0, 0);
    name_set_bound(u, p.var);
}

static void load_place(unit *u, str *name, place p, int dst);

/* A name in a type parameter scope inside a class: the class's own, else what it means outside. */
static void load_class_first(unit *u, str *name, place p, int dst)
{
    int t = temp(u);
    label outside = label_new(u), end = label_new(u);
    emit_value(u, value_obj(name), t);
    temp_push(u, 1);
    str *classdict = scope_name(u->c, NAME_CLASSDICT);
    if (!classdict) return;
    load_place(u, classdict, name_place(u, classdict), temp(u));
    u->top = t;
    emit_branch(u, OP_JFIN, t, t + 1, outside);
    emit(u, OP_GETITEM, t, t + 1, t);
    emit_jump(u, end);
    label_bind(u, outside);
    load_place(u, name, p, t);
    label_bind(u, end);
    emit_move(u, dst, t);
}

void name_load(unit *u, str *name, int dst)
{
    if (!name) return;
    place p = name_place(u, name);
    if (p.sym && UNLIKELY(p.sym->flags & SYM_CLASS_FIRST)) load_class_first(u, name, p, dst);
    else load_place(u, name, p, dst);
}

static void load_place(unit *u, str *name, place p, int dst)
{
    switch (p.kind) {
    case AT_REG:
        check_bound(u, p, -1);
        emit_move(u, dst, p.reg);
        break;
    case AT_HIGH:
        if (name_bound(u, p) || dst >= u->top) {
            emit_d(u, OP_LOADX, dst, (uint32_t)p.reg);
            check_bound(u, p, dst);
        } else { /* a variable must not be written before the check */
            int t = temp(u);
            emit_d(u, OP_LOADX, t, (uint32_t)p.reg);
            check_bound(u, p, t);
            emit_move(u, dst, t);
        }
        break;
    case AT_CELL: emit(u, OP_CELLGET, dst, p.reg, 0); break;
    case AT_HIGH_CELL: {
        int t = temp(u);
        emit_d(u, OP_LOADX, t, (uint32_t)p.reg);
        emit(u, OP_CELLGET, dst, t, 0);
        break;
    }
    case AT_FREE: emit_d(u, OP_FREEGET, dst, (uint32_t)p.reg); break;
    case AT_CLASS_FREE:
        emit_d(u, OP_CLASSDEREF, dst, name_index16(u, name));
        emit_word(u, (uint32_t)p.reg);
        break;
    default:
        emit_d(u, p.kind == AT_NAME ? OP_GETNAME : OP_GETGLOBAL, dst, name_index16(u, name));
        emit_words(u, 3);
        break;
    }
}

void name_store(unit *u, str *name, int src)
{
    if (!name) return;
    place p = name_place(u, name);
    switch (p.kind) {
    case AT_REG: emit_move(u, p.reg, src); break;
    case AT_HIGH: emit_d(u, OP_STOREX, src, (uint32_t)p.reg); break;
    case AT_CELL: emit(u, OP_CELLSET, p.reg, src, 0); return;
    case AT_HIGH_CELL: {
        /* src may be a dead temporary at top: load the cell above it. */
        int t = src >= u->top ? src + 1 : temp(u);
        emit_d(u, OP_LOADX, t, (uint32_t)p.reg);
        emit(u, OP_CELLSET, t, src, 0);
        return;
    }
    case AT_FREE:
    case AT_CLASS_FREE: emit_d(u, OP_FREESET, src, (uint32_t)p.reg); return;
    default:
        emit_d(u, p.kind == AT_NAME ? OP_SETNAME : OP_SETGLOBAL, src, name_index16(u, name));
        emit_words(u, 2);
        return;
    }
    name_set_bound(u, p.var);
}

void name_delete(unit *u, str *name)
{
    if (!name) return;
    place p = name_place(u, name);
    switch (p.kind) {
    case AT_REG:
        check_bound(u, p, -1);
        emit(u, OP_UNBIND, p.reg, 0, 0);
        set_unbound(u, p.var);
        break;
    case AT_HIGH:
        if (!name_bound(u, p)) {
            emit_d(u, OP_LOADX, temp(u), (uint32_t)p.reg);
            check_bound(u, p, u->top);
        }
        emit_d(u, OP_UNBINDX, 0, (uint32_t)p.reg);
        set_unbound(u, p.var);
        break;
    case AT_CELL: emit(u, OP_CELLDEL, p.reg, 0, 0); break;
    case AT_HIGH_CELL:
        emit_d(u, OP_LOADX, temp(u), (uint32_t)p.reg);
        emit(u, OP_CELLDEL, u->top, 0, 0);
        break;
    case AT_FREE:
    case AT_CLASS_FREE: emit_d(u, OP_FREEDEL, 0, (uint32_t)p.reg); break;
    default: emit_d(u, p.kind == AT_NAME ? OP_DELNAME : OP_DELGLOBAL, 0, name_index16(u, name)); break;
    }
}

void name_unbind(unit *u, str *name)
{
    place p = name_place(u, name);
    if (p.kind == AT_REG) {
        emit(u, OP_UNBIND, p.reg, 0, 0);
        set_unbound(u, p.var);
    } else if (p.kind == AT_HIGH) {
        emit_d(u, OP_UNBINDX, 0, (uint32_t)p.reg);
        set_unbound(u, p.var);
    } else { /* None first: the body may have deleted it */
        int t = temp(u);
        emit(u, OP_LOADNONE, t, 0, 0);
        name_store(u, name, t);
        name_delete(u, name);
    }
}

/* Where a function made here finds the cell of `name`: a register of this frame, or the closure. */
int name_cell(unit *u, str *name, bool *local)
{
    scope *s = u->scope;
    symbol *y = scope_find(s, name);
    *local = true;
    if (y && y->where == WHERE_CELL) return var_register(u, y->var);
    if (s->kind == SCOPE_CLASS && s->class_cell && name == N(u->c->vm, __class__)) return 1;
    *local = false;
    return scope_free_index(s, name);
}
