/* The method resolution order (C3), choosing the base that decides the layout, and assigning
 * __bases__. */
#include "attr.h"
#include "slot_table.h"
#include "type_parts.h"
#include "type_state.h"
#include "types_api.h"
#include "weakref.h"

/* ---- C3 ---- */

typedef struct merge_seq { value *items; size_t n, at; } merge_seq;

static bool in_tail(const merge_seq *seqs, size_t nseqs, value c)
{
    for (size_t i = 0; i < nseqs; i++)
        for (size_t j = seqs[i].at + 1; j < seqs[i].n; j++)
            if (value_is(seqs[i].items[j], c)) return true;
    return false;
}

static void raise_inconsistent(vm *vm, const merge_seq *seqs, size_t nseqs)
{
    str_builder b;
    sb_init(&b, vm);
    for (size_t i = 0; i < nseqs; i++) { /* each head once */
        if (seqs[i].at == seqs[i].n) continue;
        value c = seqs[i].items[seqs[i].at];
        bool seen = false;
        for (size_t j = 0; j < i; j++)
            seen = seen || (seqs[j].at < seqs[j].n && value_is(seqs[j].items[seqs[j].at], c));
        if (seen) continue;
        if (b.len) sb_cstr(&b, ", ");
        sb_str(&b, AS(str, AS(type, c)->name));
    }
    str *names = sb_finish(&b);
    if (names)
        raise_type_error(
            vm, "Cannot create a consistent method resolution\norder (MRO) for bases %U", names);
}

tuple *type_c3(vm *vm, type *t)
{
    tuple *bases = t->bases;
    for (size_t i = 0; i < bases->len; i++)
        for (size_t j = i + 1; j < bases->len; j++)
            if (value_is(bases->items[i], bases->items[j])) {
                raise_type_error(vm, "duplicate base class %N", AS(type, bases->items[i]));
                return NULL;
            }
    size_t nseqs = bases->len + 1, total = 1;
    for (size_t i = 0; i < bases->len; i++) total += AS(type, bases->items[i])->mro->len;
    if (bases->len == 1) {
        tuple *up = AS(type, bases->items[0])->mro, *mro = tuple_new(vm, up->len + 1);
        if (!mro) return NULL;
        mro->items[0] = value_obj(t);
        memcpy(mro->items + 1, up->items, up->len * sizeof(value));
        return mro;
    }
    merge_seq *seqs = mem_alloc(vm, nseqs * sizeof *seqs);
    value *out = mem_alloc(vm, total * sizeof *out);
    tuple *mro = NULL;
    if (!seqs || !out) goto done;
    for (size_t i = 0; i < bases->len; i++) {
        tuple *m = AS(type, bases->items[i])->mro;
        seqs[i] = (merge_seq){m->items, m->len, 0};
    }
    seqs[nseqs - 1] = (merge_seq){bases->items, bases->len, 0};
    size_t n = 0;
    out[n++] = value_obj(t);
    for (;;) {
        value next = V_UNBOUND;
        bool left = false;
        for (size_t i = 0; i < nseqs && value_is_unbound(next); i++) {
            if (seqs[i].at == seqs[i].n) continue;
            left = true;
            if (!in_tail(seqs, nseqs, seqs[i].items[seqs[i].at])) next = seqs[i].items[seqs[i].at];
        }
        if (!left) break;
        if (value_is_unbound(next)) {
            raise_inconsistent(vm, seqs, nseqs);
            goto done;
        }
        out[n++] = next;
        for (size_t i = 0; i < nseqs; i++)
            if (seqs[i].at < seqs[i].n && value_is(seqs[i].items[seqs[i].at], next)) seqs[i].at++;
    }
    mro = tuple_from(vm, out, n);
done:
    if (seqs) mem_free(vm, seqs, nseqs * sizeof *seqs);
    if (out) mem_free(vm, out, total * sizeof *out);
    return mro;
}

bool type_compute_mro(vm *vm, type *t)
{
    type *meta = type_of(vm, value_obj(t));
    tuple *mro = NULL;
    value custom = meta == T(vm, TYPE) ? V_UNBOUND : type_lookup(vm, meta, N(vm, mro));
    ROOTS(vm, &t, &mro);
    if (!value_is_unbound(custom) && !value_is(custom, type_lookup(vm, T(vm, TYPE), N(vm, mro)))) {
        value r = dunder_call(vm, custom, (value[]){value_obj(t)}, 1);
        if (value_is_error(r)) return false;
        mro = obj_to_tuple(vm, r);
        for (size_t i = 0; mro && i < mro->len; i++) {
            value c = mro->items[i];
            if (!IS_TYPE(c)) {
                raise_type_error(vm, "mro() returned a non-class ('%T')", c);
                return false;
            }
            if (!type_is_subtype(t->solid, type_solid_base(AS(type, c)))) {
                raise_type_error(vm, "mro() returned base with unsuitable layout ('%N')",
                                 AS(type, c));
                return false;
            }
        }
    } else {
        mro = type_c3(vm, t);
    }
    if (!mro) return false;
    t->mro = mro;
    gc_barrier(vm, t);
    return true;
}

/* ---- layout ---- */

type *type_solid_base(type *t) { return t->solid; }

type *type_best_base(vm *vm, tuple *bases)
{
    type *base = NULL, *winner = NULL;
    for (size_t i = 0; i < bases->len; i++) {
        if (!IS_TYPE(bases->items[i])) {
            raise_type_error(vm, "bases must be types");
            return NULL;
        }
        type *b = AS(type, bases->items[i]), *candidate;
        if (!(b->flags & TF_BASE)) {
            raise_type_error(vm, "type '%N' is not an acceptable base type", b);
            return NULL;
        }
        candidate = type_solid_base(b);
        if (!winner) {
            winner = candidate;
            base = b;
        } else if (type_is_subtype(winner, candidate)) {
            /* the one we have is at least as good */
        } else if (type_is_subtype(candidate, winner)) {
            winner = candidate;
            base = b;
        } else {
            raise_type_error(vm, "multiple bases have instance lay-out conflict");
            return NULL;
        }
    }
    return base;
}

/* ---- __bases__ = ... ---- */

/* MROs of t and of everything below it, in order of derivation. */
static bool recompute_mros(vm *vm, type *t)
{
    if (!vm_enter(vm)) return false;
    ROOTS(vm, &t);
    bool ok = type_compute_mro(vm, t);
    for (size_t i = 0; ok && t->subclasses && i < t->subclasses->len; i++) {
        value k = weakref_get(t->subclasses->items[i]);
        if (!value_is_none(k)) ok = recompute_mros(vm, AS(type, k));
    }
    vm_leave(vm);
    return ok;
}

static bool check_bases(vm *vm, type *t, value v)
{
    if (value_is_unbound(v)) {
        raise_type_error(vm, "cannot delete '__bases__' attribute of type '%N'", t);
        return false;
    }
    if (!IS_TUPLE(v)) {
        raise_type_error(vm, "can only assign tuple to %N.__bases__, not %T", t, v);
        return false;
    }
    tuple *bases = AS(tuple, v);
    if (bases->len == 0) {
        raise_type_error(vm, "can only assign non-empty tuple to %N.__bases__, not ()", t);
        return false;
    }
    for (size_t i = 0; i < bases->len; i++) {
        if (!IS_TYPE(bases->items[i])) {
            raise_type_error(vm, "%N.__bases__ must be tuple of classes, not '%T'", t,
                             bases->items[i]);
            return false;
        }
        if (type_is_subtype(AS(type, bases->items[i]), t)) {
            raise_type_error(vm, "a __bases__ item causes an inheritance cycle");
            return false;
        }
    }
    return true;
}

bool type_set_bases(vm *vm, type *t, value v)
{
    if (t->flags & TF_IMMUTABLE) {
        raise_type_error(vm, "cannot set '__bases__' attribute of immutable type '%N'", t);
        return false;
    }
    if (!check_bases(vm, t, v)) return false;
    tuple *bases = AS(tuple, v), *old_bases = t->bases;
    type *base = type_best_base(vm, bases), *old_base = t->base;
    if (!base) return false;
    type *ours = t->solid == t ? t->base->solid : t->solid;
    if (base->solid != ours || base->nmembers != old_base->nmembers ||
        (base->flags & TF_HAS_DICT & ~t->flags)) {
        raise_type_error(vm, "__bases__ assignment: '%N' object layout differs from '%N'", base,
                         old_base);
        return false;
    }
    ROOTS(vm, &t, &bases, &old_bases, &old_base, &base);
    t->bases = bases;
    t->base = base;
    gc_barrier(vm, t);
    if (!recompute_mros(vm, t)) {
        value exc = exc_take(vm);
        ROOTS(vm, &exc);
        t->bases = old_bases;
        t->base = old_base;
        if (!recompute_mros(vm, t)) exc_clear(vm);
        vm->class_epoch++;
        raise_exception(vm, exc);
        return false;
    }
    for (size_t i = 0; i < bases->len; i++) {
        bool had = false;
        for (size_t j = 0; j < old_bases->len; j++)
            had = had || value_is(bases->items[i], old_bases->items[j]);
        if (!had && !type_add_subclass(vm, AS(type, bases->items[i]), t)) return false;
    }
    for (size_t j = 0; j < old_bases->len; j++) {
        bool kept = false;
        for (size_t i = 0; i < bases->len; i++)
            kept = kept || value_is(bases->items[i], old_bases->items[j]);
        list *l = AS(type, old_bases->items[j])->subclasses;
        for (size_t i = 0; !kept && l && i < l->len; i++)
            if (value_is(weakref_get(l->items[i]), value_obj(t))) {
                memmove(l->items + i, l->items + i + 1, (l->len - i - 1) * sizeof(value));
                l->len--;
                gc_barrier(vm, l);
                break;
            }
    }
    type_update_slots(vm, t);
    shape_flush_caches(vm);
    return true;
}
