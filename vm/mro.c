/* The method resolution order (C3), choosing the base that decides the layout, and assigning
 * __bases__. */
#include "attr.h"
#include "slot_table.h"
#include "type_parts.h"
#include "type_state.h"
#include "types_api.h"
#include "weakref.h"

/* ---- C3 ---- */

typedef struct merge_seq {
    value *items;
    size_t n, at;
} merge_seq;

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
    if (names) raise_type_error(vm, "Cannot create a consistent method resolution\norder (MRO) for bases %U", names);
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
    for (size_t i = 0; i < bases->len; i++)
        if (!AS(type, bases->items[i])->mro) { /* its metaclass's mro() is at work */
            raise_type_error(vm, "Cannot extend an incomplete type '%N'", AS(type, bases->items[i]));
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

int type_compute_mro(vm *vm, type *t)
{
    tuple *old = t->mro; /* a metaclass's mro() may set the bases again, and so the MRO */
    type *meta = type_of(vm, value_obj(t));
    tuple *mro = NULL;
    value custom = meta == T(vm, TYPE) ? V_UNBOUND : type_lookup(vm, meta, N(vm, mro));
    ROOTS(vm, &t, &mro, &old);
    if (!value_is_unbound(custom) && !value_is(custom, type_lookup(vm, T(vm, TYPE), N(vm, mro)))) {
        value r = dunder_call(vm, custom, (value[]){value_obj(t)}, 1);
        if (value_is_error(r)) return -1;
        mro = obj_to_tuple(vm, r);
        for (size_t i = 0; mro && i < mro->len; i++) {
            value c = mro->items[i];
            if (!IS_TYPE(c)) {
                raise_type_error(vm, "mro() returned a non-class ('%T')", c);
                return -1;
            }
            if (!type_is_subtype(t->solid, type_solid_base(AS(type, c)))) {
                raise_type_error(vm, "mro() returned base with unsuitable layout ('%N')", AS(type, c));
                return -1;
            }
        }
    } else {
        mro = type_c3(vm, t);
    }
    if (t->mro != old) return 0;
    if (!mro) return -1;
    t->mro = mro;
    vm->class_epoch++;
    gc_barrier(vm, t);
    return 1;
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

/* New MROs for t and everything below it. done: (type, new MRO, old MRO) of each, to take back. */
static bool mro_hierarchy(vm *vm, type *t, list *done)
{
    if (!vm_enter(vm)) return false;
    tuple *old = t->mro;
    list *subs = NULL;
    ROOTS(vm, &t, &done, &old, &subs);
    int r = type_compute_mro(vm, t);
    bool ok = r >= 0;
    if (r > 0) {
        tuple *entry = tuple_pack(vm, 3, value_obj(t), value_obj(t->mro), old ? value_obj(old) : V_NONE);
        ok = entry && list_append(vm, done, value_obj(entry)) && (subs = type_subclasses(vm, t));
        for (size_t i = 0; ok && i < subs->len; i++) ok = mro_hierarchy(vm, AS(type, subs->items[i]), done);
    }
    vm_leave(vm);
    return ok;
}

static void take_back_mros(vm *vm, list *done)
{
    for (size_t i = done->len; i-- > 0;) {
        tuple *entry = AS(tuple, done->items[i]);
        type *t = AS(type, entry->items[0]);
        if (value_as_obj(entry->items[1]) != &t->mro->h) continue;
        t->mro = value_is_none(entry->items[2]) ? NULL : AS(tuple, entry->items[2]);
        gc_barrier(vm, t);
    }
    vm->class_epoch++;
}

static bool derives_by_base(const type *t, const type *of)
{
    for (; t; t = t->base)
        if (t == of) return true;
    return false;
}

static bool in_tuple(const tuple *t, value v)
{
    for (size_t i = 0; i < t->len; i++)
        if (value_is(t->items[i], v)) return true;
    return false;
}

static void remove_subclass(vm *vm, type *base, type *t)
{
    list *l = base->subclasses;
    for (size_t i = 0; l && i < l->len; i++)
        if (value_is(weakref_get(l->items[i]), value_obj(t))) {
            memmove(l->items + i, l->items + i + 1, (l->len - i - 1) * sizeof(value));
            l->len--;
            gc_barrier(vm, l);
            return;
        }
}

static bool check_bases(vm *vm, type *t, value v)
{
    if (value_is_unbound(v)) {
        raise_type_error(vm, "cannot delete '__bases__' attribute of immutable type '%N'", t);
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
            raise_type_error(vm, "%N.__bases__ must be tuple of classes, not '%T'", t, bases->items[i]);
            return false;
        }
        /* While a custom mro() runs, the MROs are not true yet, but `base` is. */
        type *b = AS(type, bases->items[i]);
        if (type_is_subtype(b, t) || (b->mro && derives_by_base(b, t))) {
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
    if (base->solid != ours || base->nmembers != old_base->nmembers || (base->flags & TF_HAS_DICT & ~t->flags)) {
        raise_type_error(vm, "__bases__ assignment: '%N' object layout differs from '%N'", base, old_base);
        return false;
    }
    list *done = NULL;
    ROOTS(vm, &t, &bases, &old_bases, &old_base, &base, &done);
    if (!(done = list_new(vm, 1))) return false;
    t->bases = bases;
    t->base = base;
    gc_barrier(vm, t);
    if (!mro_hierarchy(vm, t, done)) {
        take_back_mros(vm, done);
        if (t->bases == bases) {
            t->bases = old_bases;
            t->base = old_base;
            gc_barrier(vm, t);
        }
        return false;
    }
    if (t->bases != bases) return true; /* set again meanwhile: all is done */
    for (size_t i = 0; i < old_bases->len; i++)
        if (!in_tuple(bases, old_bases->items[i])) remove_subclass(vm, AS(type, old_bases->items[i]), t);
    for (size_t i = 0; i < bases->len; i++)
        if (!in_tuple(old_bases, bases->items[i]) && !type_add_subclass(vm, AS(type, bases->items[i]), t)) return false;
    type_update_slots(vm, t);
    shape_flush_caches(vm);
    return true;
}
