/* The second and third step of the symbol table pass: which comprehensions are inlined, and where each
 * name's variable is. symtable.c has the first, and says how the three hang together.
 */
#include "symtable.h"

#include "compile.h"

#include <stdlib.h>

/* ---- which comprehensions are inlined ---- */

static bool bound_here(const symbol *y) { return (y->flags & SYM_BOUND) && !(y->flags & (SYM_GLOBAL | SYM_NONLOCAL)); }

void symtable_decide(compiler *c, scope *s)
{
    if (c->failed || comp_too_deep(c)) return;
    for (scope *k = s->first; k; k = k->next) symtable_decide(c, k);
    if (s->kind == SCOPE_COMP && !s->no_inline) {
        for (symbol *y = s->syms; y; y = y->next) {
            if (bound_here(y) && (y->flags & SYM_EARLY)) s->no_inline = true;
        }
    }
    if (s->kind == SCOPE_COMP && !s->no_inline) {
        s->inlined = true;
        if (s->parent->kind == SCOPE_CLASS) return;
        for (symbol *y = s->syms; y; y = y->next) {
            if (!bound_here(y)) scope_add(c, s->parent, y->name, SYM_USE);
        }
        return;
    }
    /* A frame of its own: comprehensions whose variables it captures need real cells, so frames
     * too. */
    for (symbol *y = s->syms; y; y = y->next) {
        if (bound_here(y)) continue;
        for (scope *p = s->parent; p; p = p->parent) {
            symbol *q = p->kind == SCOPE_CLASS ? NULL : scope_find(p, y->name);
            if (q && (q->flags & SYM_GLOBAL)) break;
            if (!q || !bound_here(q)) continue;
            if (scope_is_comp(p)) p->no_inline = true;
            break;
        }
    }
}

/* ---- where the variables are ---- */

static bool add_free(compiler *c, scope *s, str *name)
{
    if (scope_free_index(s, name) >= 0) return true;
    if (!COMP_ROOM(c, s->free, s->nfree, s->capfree)) return false;
    s->free[s->nfree++] = name;
    return true;
}

static uint8_t pass_down(compiler *c, scope *from, scope *binder, str *name)
{
    for (scope *x = from; x != binder; x = x->parent) {
        if (!x->inlined && !add_free(c, x, name)) break;
    }
    return WHERE_FREE;
}

static uint8_t lookup(compiler *c, scope *s, str *name)
{
    bool crossed = false;
    for (scope *p = s;;) {
        if (!p->inlined) crossed = true;
        p = p->parent;
        if (!p || p->kind == SCOPE_MODULE) return WHERE_GLOBAL;
        if (p->kind == SCOPE_CLASS) {
            if (name != N(c->vm, __class__) || !crossed) continue;
            p->class_cell = true;
            return pass_down(c, s, p, name);
        }
        symbol *q = scope_find(p, name);
        if (!q) continue;
        if (q->flags & SYM_GLOBAL) return WHERE_GLOBAL;
        if (!bound_here(q)) continue;
        if (!crossed) return WHERE_HOST;
        q->where = WHERE_CELL;
        return pass_down(c, s, p, name);
    }
}

/* Does a name that a type parameter scope uses come upon a class before it comes upon a type
 * parameter? */
static bool class_first(const scope *s, const str *name)
{
    for (; scope_is_type(s); s = s->parent) {
        const symbol *y = scope_find(s, name);
        if (y && bound_here(y)) return false;
    }
    return s->kind == SCOPE_CLASS;
}

static bool names_type_param(const scope *s, const str *name)
{
    for (s = s->parent; s; s = s->parent) {
        const symbol *y = s->kind == SCOPE_CLASS ? NULL : scope_find(s, name);
        if (y && bound_here(y)) return y->flags & SYM_TYPE_PARAM;
    }
    return false;
}

static void resolve_symbol(compiler *c, scope *s, symbol *y)
{
    span at = {y->start, y->end};
    if (y->flags & SYM_GLOBAL) {
        if (y->flags & SYM_NONLOCAL) comp_error(c, at, "name '%U' is nonlocal and global", y->name);
        y->where = WHERE_GLOBAL;
    } else if (y->flags & SYM_NONLOCAL) {
        if (s->kind == SCOPE_MODULE) {
            comp_error(c, at, "nonlocal declaration not allowed at module level");
            return;
        }
        y->where = lookup(c, s, y->name);
        if (y->where == WHERE_GLOBAL) comp_error(c, at, "no binding for nonlocal '%U' found", y->name);
        else if (names_type_param(s, y->name))
            comp_error(c, at, "nonlocal binding not allowed for type parameter '%U'", y->name);
    } else if (bound_here(y)) {
        if (y->where != WHERE_CELL) y->where = scope_is_function(s) ? WHERE_LOCAL : WHERE_NAME;
    } else if (s->kind == SCOPE_MODULE) {
        y->where = WHERE_NAME;
    } else {
        y->where = lookup(c, s, y->name);
        if (y->where == WHERE_GLOBAL && s->kind == SCOPE_CLASS) y->where = WHERE_NAME;
        if (scope_is_type(s) && class_first(s, y->name)) y->flags |= SYM_CLASS_FIRST;
    }
    /* An inlined comprehension shares its parent's view, except of a class body's names. */
    if (s->inlined && !bound_here(y) && s->parent->kind != SCOPE_CLASS && !(y->flags & SYM_GLOBAL))
        y->where = WHERE_HOST;
}

static int by_name(const void *a, const void *b) { return str_cmp(*(str *const *)a, *(str *const *)b); }

void symtable_resolve(compiler *c, scope *s)
{
    if (c->failed || comp_too_deep(c)) return;
    for (symbol *y = s->syms; y && !c->failed; y = y->next) resolve_symbol(c, s, y);
    for (scope *k = s->first; k; k = k->next) symtable_resolve(c, k);
    if (s->nfree > 1) qsort(s->free, s->nfree, sizeof *s->free, by_name);
}
