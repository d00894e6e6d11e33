/* collections.deque: a ring buffer.
 *
 * Invariants
 *  1. Item i is ring[(head + i) & (cap - 1)]; cap is 0 or a power of two; places that hold no item are zero.
 *  2. Beyond DEQUE_CARD_MIN places one card byte per 64 of them follows the ring; they are 0 unless GC_CARDS is set.
 *  3. `state` changes with every insertion and deletion: iterators and searches that see another one give up.
 *  4. No pointer into the ring is kept across a call that can run script. */
#include "collections.h"

#include "vm/buffer.h"
#include "vm/iter.h"
#include "vm/list.h"
#include "vm/str.h"

#define DOC_FILE stdlib_deque
DOC_BEGIN;

struct deque {
    value *ring;
    size_t cap, head, len;
    int64_t maxlen; /* -1: none */
    uint64_t state;
};
struct deque_iter {
    value of;
    int64_t i, left;
    uint64_t state;
};

enum { DEQUE_FIRST = 8, DEQUE_CARD_SHIFT = 6, DEQUE_CARD_MIN = GC_CARD_MIN / sizeof(value) };

static struct deque *deque_of(value v) { return (struct deque *)(void *)AS(userdata, v)->body; }
static struct deque_iter *iter_of(value v) { return (struct deque_iter *)(void *)AS(userdata, v)->body; }
static type *deque_type(vm *vm) { return module_state_type(vm, STATE_DEQUE); }
static bool is_deque(vm *vm, value v) { return value_isa(vm, v, deque_type(vm)); }

/* ---- storage ---- */

static size_t ncards(size_t cap) { return cap > DEQUE_CARD_MIN ? cap >> DEQUE_CARD_SHIFT : 0; }
static uint8_t *cards_of(const struct deque *d) { return (uint8_t *)(d->ring + d->cap); }
static size_t ring_bytes(size_t cap) { return cap * sizeof(value) + ncards(cap); }
static inline value *at(const struct deque *d, size_t i) { return &d->ring[(d->head + i) & (d->cap - 1)]; }

static inline void barrier(vm *vm, value self, const value *place)
{
    object *o = value_as_obj(self);
    if (LIKELY(!(o->gc & GC_BARRIER))) return;
    const struct deque *d = deque_of(self);
    if (d->cap > DEQUE_CARD_MIN) gc_remember_card(vm, o, &cards_of(d)[(size_t)(place - d->ring) >> DEQUE_CARD_SHIFT]);
    else gc_remember(vm, o);
}
/* After items moved inside of the ring. */
static inline void moved(vm *vm, value self)
{
    if (UNLIKELY(value_as_obj(self)->gc & GC_CARDS)) gc_barrier(vm, value_as_obj(self));
}

static void deque_traverse(vm *vm, object *o)
{
    const struct deque *d = deque_of(value_obj(o));
    size_t tail = d->cap - d->head;
    if (tail > d->len) tail = d->len;
    gc_mark_values(vm, d->ring + d->head, tail);
    gc_mark_values(vm, d->ring, d->len - tail);
}

static void deque_walk_cards(vm *vm, object *o, bool mark)
{
    struct deque *d = deque_of(value_obj(o));
    size_t n = ncards(d->cap);
    if (!n) return;
    uint8_t *cards = cards_of(d);
    for (uint8_t *c = cards; (c = memchr(c, 1, n - (size_t)(c - cards))); c++) {
        if (mark) gc_mark_values(vm, d->ring + ((size_t)(c - cards) << DEQUE_CARD_SHIFT), 1 << DEQUE_CARD_SHIFT);
        *c = 0;
    }
}

static void deque_free(vm *vm, object *o)
{
    struct deque *d = deque_of(value_obj(o));
    if (d->ring) mem_free(vm, d->ring, ring_bytes(d->cap));
}

static const type_layout deque_layout = {
    .size = sizeof(struct deque), .traverse = deque_traverse, .free = deque_free, .cards = deque_walk_cards};

/* Another ring of `cap` places; false: raised. */
static bool resize(vm *vm, value self, size_t cap)
{
    struct deque *d = deque_of(self);
    if (cap > SIZE_MAX / 64) {
        raise_memory(vm);
        return false;
    }
    value *ring = mem_zalloc(vm, ring_bytes(cap));
    if (!ring) return false;
    for (size_t i = 0; i < d->len; i++) ring[i] = *at(d, i);
    if (d->ring) mem_free(vm, d->ring, ring_bytes(d->cap));
    bool had_cards = value_as_obj(self)->gc & GC_CARDS;
    d->ring = ring;
    d->cap = cap;
    d->head = 0;
    if (had_cards) gc_barrier(vm, value_as_obj(self));
    return true;
}

static bool grow(vm *vm, value self)
{
    return resize(vm, self, deque_of(self)->cap ? deque_of(self)->cap * 2 : DEQUE_FIRST);
}

static value take_left(struct deque *d)
{
    value *p = at(d, 0), v = *p;
    *p = V_UNBOUND;
    d->head = (d->head + 1) & (d->cap - 1);
    d->len--;
    d->state++;
    return v;
}

static value take_right(struct deque *d)
{
    value *p = at(d, d->len - 1), v = *p;
    *p = V_UNBOUND;
    d->len--;
    d->state++;
    return v;
}

static inline bool push_right(vm *vm, value self, value v)
{
    struct deque *d = deque_of(self);
    if (UNLIKELY(d->len == d->cap) && !grow(vm, self)) return false;
    value *p = at(d, d->len);
    *p = v;
    d->len++;
    d->state++;
    barrier(vm, self, p);
    if (UNLIKELY(d->maxlen >= 0) && d->len > (size_t)d->maxlen) take_left(d);
    return true;
}

static inline bool push_left(vm *vm, value self, value v)
{
    struct deque *d = deque_of(self);
    if (UNLIKELY(d->len == d->cap) && !grow(vm, self)) return false;
    d->head = (d->head - 1) & (d->cap - 1);
    value *p = at(d, 0);
    *p = v;
    d->len++;
    d->state++;
    barrier(vm, self, p);
    if (UNLIKELY(d->maxlen >= 0) && d->len > (size_t)d->maxlen) take_right(d);
    return true;
}

static void clear(vm *vm, struct deque *d)
{
    if (d->ring) mem_free(vm, d->ring, ring_bytes(d->cap));
    d->ring = NULL;
    d->cap = d->head = d->len = 0;
    d->state++;
}

/* Item i goes away; the shorter side closes the gap. */
static void delete_at(vm *vm, value self, size_t i)
{
    struct deque *d = deque_of(self);
    if (i < d->len / 2) {
        for (; i > 0; i--) *at(d, i) = *at(d, i - 1);
        take_left(d);
    } else {
        for (; i + 1 < d->len; i++) *at(d, i) = *at(d, i + 1);
        take_right(d);
    }
    moved(vm, self);
}

static bool extend(vm *vm, value self, value iterable, bool left)
{
    if (value_is(iterable, self)) { /* its own items, as they are now */
        list *l = obj_to_list(vm, iterable);
        if (!l) return false;
        iterable = value_obj(l);
    }
    ROOTS(vm, &self, &iterable);
    value it = obj_iter(vm, iterable);
    if (value_is_error(it)) return false;
    ROOTS(vm, &it);
    for (;;) {
        value v = iter_step(vm, it);
        if (value_is_error(v)) return false;
        if (v.bits == V_STOP.bits) return true;
        if (!(left ? push_left(vm, self, v) : push_right(vm, self, v))) return false;
        if (UNLIKELY(!vm_tick(vm, 1))) return false;
    }
}

static void rotate(vm *vm, value self, int64_t n)
{
    struct deque *d = deque_of(self);
    if (d->len <= 1) return;
    int64_t len = (int64_t)d->len, k = n % len;
    if (k < 0) k += len;
    if (k == 0) return;
    if (d->len == d->cap) { /* a full ring turns by its head */
        d->head = (d->head - (size_t)k) & (d->cap - 1);
    } else if (k <= len - k) {
        for (; k > 0; k--) {
            value v = take_right(d);
            d->head = (d->head - 1) & (d->cap - 1);
            *at(d, 0) = v;
            d->len++;
        }
    } else {
        for (k = len - k; k > 0; k--) {
            value v = take_left(d);
            *at(d, d->len) = v;
            d->len++;
        }
    }
    d->state++;
    moved(vm, self);
}

/* ---- making ---- */

static value deque_alloc(vm *vm, type *t, int64_t maxlen)
{
    void *o = userdata_new(vm, t);
    if (!o) return V_ERROR;
    deque_of(value_obj(o))->maxlen = maxlen;
    return value_obj(o);
}

static value deque_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args, (void)nargs, (void)kwnames;
    return deque_alloc(vm, t, -1);
}

static bool deque_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    value in[2];
    int64_t maxlen = -1;
    if (!args_bind(vm, "deque(iterable=..., maxlen=...)", args, nargs, kwnames, in)) return false;
    if (!value_is_unbound(in[1]) && !value_is_none(in[1])) {
        if (!int_is(in[1])) {
            raise_type_error(vm, "an integer is required");
            return false;
        }
        if (!args_ssize(vm, in[1], 0, &maxlen)) return false;
        if (maxlen < 0) {
            raise_value_error(vm, "maxlen must be non-negative");
            return false;
        }
    }
    clear(vm, deque_of(self));
    deque_of(self)->maxlen = maxlen;
    return value_is_unbound(in[0]) || extend(vm, self, in[0], false);
}

/* A plain copy of the items. */
static value deque_copy_items(vm *vm, value self, type *t)
{
    ROOTS(vm, &self);
    value v = deque_alloc(vm, t, deque_of(self)->maxlen);
    if (value_is_error(v)) return v;
    const struct deque *d = deque_of(self);
    for (size_t i = 0; i < d->len; i++)
        if (!push_right(vm, v, *at(d, i))) return V_ERROR;
    return v;
}

FN(d_copy)
{
    type *t = type_of(vm, args[0]);
    if (t == deque_type(vm)) return deque_copy_items(vm, args[0], t);
    value call[2] = {args[0], V_NONE};
    int64_t maxlen = deque_of(args[0])->maxlen;
    if (maxlen >= 0 && value_is_error(call[1] = int_from_i64(vm, maxlen))) return V_ERROR;
    return vm_call(vm, value_obj(t), call, maxlen < 0 ? 1 : 2);
}

/* ---- ends ---- */

FN(d_append) { return push_right(vm, args[0], args[1]) ? V_NONE : V_ERROR; }
FN(d_appendleft) { return push_left(vm, args[0], args[1]) ? V_NONE : V_ERROR; }
FN(d_pop)
{
    struct deque *d = deque_of(args[0]);
    return d->len ? take_right(d) : raise(vm, EXC_IndexError, "pop from an empty deque");
}
FN(d_popleft)
{
    struct deque *d = deque_of(args[0]);
    return d->len ? take_left(d) : raise(vm, EXC_IndexError, "pop from an empty deque");
}
FN(d_extend) { return extend(vm, args[0], args[1], false) ? V_NONE : V_ERROR; }
FN(d_extendleft) { return extend(vm, args[0], args[1], true) ? V_NONE : V_ERROR; }
FN(d_clear)
{
    clear(vm, deque_of(args[0]));
    return V_NONE;
}
FN(d_rotate)
{
    int64_t n = 1;
    if (!args_ssize(vm, args[1], 1, &n)) return V_ERROR;
    rotate(vm, args[0], n);
    return V_NONE;
}
FN(d_reverse)
{
    struct deque *d = deque_of(args[0]);
    for (size_t i = 0; i < d->len / 2; i++) {
        value *a = at(d, i), *b = at(d, d->len - 1 - i), v = *a;
        *a = *b;
        *b = v;
    }
    moved(vm, args[0]);
    return V_NONE;
}

/* ---- searching: what is compared may change the deque ---- */

/* Item i == v? -1 raised (also when the deque changed: with `changed`). */
static int item_equal(vm *vm, value self, size_t i, value v, const char *changed, unsigned exc)
{
    uint64_t state = deque_of(self)->state;
    int r = value_equal(vm, *at(deque_of(self), i), v);
    if (r < 0 || deque_of(self)->state == state) return r;
    raise(vm, exc, "%s", changed);
    return -1;
}

FN(d_count)
{
    int64_t n = 0;
    for (size_t i = 0; i < deque_of(args[0])->len; i++) {
        int r = item_equal(vm, args[0], i, args[1], "deque mutated during iteration", EXC_RuntimeError);
        if (r < 0) return V_ERROR;
        n += r;
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return V_ERROR;
    }
    return value_int(n);
}

static int deque_contains(vm *vm, value self, value v)
{
    ROOTS(vm, &self, &v);
    for (size_t i = 0; i < deque_of(self)->len; i++) {
        int r = item_equal(vm, self, i, v, "deque mutated during iteration", EXC_RuntimeError);
        if (r) return r;
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return -1;
    }
    return 0;
}

FN(d_index)
{
    int64_t from = 0, to = INT64_MAX, len = (int64_t)deque_of(args[0])->len;
    for (int k = 2; k < 4; k++) {
        if (value_is_unbound(args[k])) continue;
        if (!type_of(vm, args[k])->s.index)
            return raise_type_error(vm, "slice indices must be integers or have an __index__ method");
        if (!obj_as_index(vm, args[k], k == 2 ? &from : &to, 0)) return V_ERROR;
    }
    len = (int64_t)deque_of(args[0])->len;
    if (from < 0 && (from += len) < 0) from = 0;
    if (to < 0 && (to += len) < 0) to = 0;
    for (int64_t i = from; i < to && i < (int64_t)deque_of(args[0])->len; i++) {
        int r = item_equal(vm, args[0], (size_t)i, args[1], "deque mutated during iteration", EXC_RuntimeError);
        if (r) return r < 0 ? V_ERROR : value_int(i);
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return V_ERROR;
    }
    return raise_value_error(vm, "%R is not in deque", args[1]);
}

FN(d_remove)
{
    for (size_t i = 0; i < deque_of(args[0])->len; i++) {
        int r = item_equal(vm, args[0], i, args[1], "deque mutated during iteration", EXC_IndexError);
        if (r < 0) return V_ERROR;
        if (r) {
            delete_at(vm, args[0], i);
            return V_NONE;
        }
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return V_ERROR;
    }
    return raise_value_error(vm, "%R is not in deque", args[1]);
}

FN(d_insert)
{
    int64_t i;
    value self = args[0];
    if (!args_ssize(vm, args[1], 0, &i)) return V_ERROR;
    struct deque *d = deque_of(self);
    int64_t len = (int64_t)d->len;
    if (d->maxlen >= 0 && len >= d->maxlen) return raise(vm, EXC_IndexError, "deque already at its maximum size");
    if (i < 0 && (i += len) < 0) i = 0;
    if (i > len) i = len;
    /* In at the nearer end, then moved to its place. */
    if (i <= len / 2) {
        if (!push_left(vm, self, args[2])) return V_ERROR;
        for (int64_t k = 0; k < i; k++) *at(d, (size_t)k) = *at(d, (size_t)k + 1);
    } else {
        if (!push_right(vm, self, args[2])) return V_ERROR;
        for (int64_t k = len; k > i; k--) *at(d, (size_t)k) = *at(d, (size_t)k - 1);
    }
    value *p = at(d, (size_t)i);
    *p = args[2];
    barrier(vm, self, p);
    moved(vm, self);
    return V_NONE;
}

/* ---- slots ---- */

static int64_t deque_len(vm *vm, value self)
{
    (void)vm;
    return (int64_t)deque_of(self)->len;
}

static int deque_truth(vm *vm, value self)
{
    (void)vm;
    return deque_of(self)->len != 0;
}

/* The place of an index; NULL raised. */
static value *item_place(vm *vm, value self, value key, const char *message)
{
    int64_t i;
    if (LIKELY(value_is_int(key))) {
        i = value_as_int(key);
    } else {
        if (!type_of(vm, key)->s.index) {
            raise_type_error(vm, "sequence index must be integer, not '%T'", key);
            return NULL;
        }
        if (!obj_as_index(vm, key, &i, EXC_IndexError)) return NULL;
    }
    const struct deque *d = deque_of(self);
    if (i < 0) i += (int64_t)d->len;
    if ((uint64_t)i < d->len) return at(d, (size_t)i);
    raise(vm, EXC_IndexError, "%s", message);
    return NULL;
}

static value deque_getitem(vm *vm, value self, value key)
{
    const value *p = item_place(vm, self, key, "deque index out of range");
    return p ? *p : V_ERROR;
}

static bool deque_setitem(vm *vm, value self, value key, value v)
{
    value *p = item_place(vm, self, key,
                          value_is_unbound(v) ? "deque index out of range" : "deque assignment index out of range");
    if (!p) return false;
    if (value_is_unbound(v)) {
        const struct deque *d = deque_of(self);
        delete_at(vm, self, ((size_t)(p - d->ring) - d->head) & (d->cap - 1));
        return true;
    }
    *p = v;
    barrier(vm, self, p);
    return true;
}

static value deque_repr(vm *vm, value self)
{
    int entered = repr_enter(vm, self);
    if (entered <= 0) return entered < 0 ? V_ERROR : str_value(str_from_cstr(vm, "[...]"));
    ROOTS(vm, &self);
    list *l = obj_to_list(vm, self);
    int64_t maxlen = deque_of(self)->maxlen;
    value name = type_of(vm, self)->name;
    str *s = !l           ? NULL
             : maxlen < 0 ? str_format(vm, "%U(%R)", name, value_obj(l))
                          : str_format(vm, "%U(%R, maxlen=%ld)", name, value_obj(l), maxlen);
    repr_leave(vm, self);
    return str_value(s);
}

static value deque_compare(vm *vm, value a, value b, enum compare_op op)
{
    if (!is_deque(vm, a) || !is_deque(vm, b)) return V_NOTIMPLEMENTED;
    if (value_is(a, b)) {
        if (op == CMP_EQ) return V_TRUE;
        if (op == CMP_NE) return V_FALSE;
    }
    if (op == CMP_EQ && deque_of(a)->len != deque_of(b)->len) return V_FALSE;
    if (op == CMP_NE && deque_of(a)->len != deque_of(b)->len) return V_TRUE;
    value x = V_UNBOUND, y = V_UNBOUND;
    ROOTS(vm, &a, &b, &x, &y);
    if (!vm_enter(vm)) return V_ERROR;
    value r = V_ERROR;
    for (size_t i = 0;; i++) {
        uint64_t sa = deque_of(a)->state, sb = deque_of(b)->state;
        bool ea = i >= deque_of(a)->len, eb = i >= deque_of(b)->len;
        if (ea || eb) {
            r = obj_compare(vm, value_int(!ea), value_int(!eb), op); /* the shorter one is the smaller */
            break;
        }
        x = *at(deque_of(a), i);
        y = *at(deque_of(b), i);
        int same = value_equal(vm, x, y);
        if (same < 0) break;
        if (deque_of(a)->state != sa || deque_of(b)->state != sb) {
            raise(vm, EXC_RuntimeError, "deque mutated during iteration");
            break;
        }
        if (!same) {
            r = op == CMP_EQ ? V_FALSE : op == CMP_NE ? V_TRUE : obj_compare(vm, x, y, op);
            break;
        }
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) break;
    }
    vm_leave(vm);
    return r;
}

/* A copy to be changed in place: whatever the subclass's constructor returned, it must be a deque. */
static value copy_to_change(vm *vm, value self)
{
    value call[1] = {self};
    value r = d_copy(vm, call, 1, V_UNBOUND);
    if (value_is_error(r) || is_deque(vm, r)) return r;
    return raise_type_error(vm, "%T() must return a deque, not %T", self, r);
}

static value deque_concat(vm *vm, value a, value b)
{
    if (!is_deque(vm, b)) return raise_type_error(vm, "can only concatenate deque (not \"%T\") to deque", b);
    ROOTS(vm, &b);
    value r = copy_to_change(vm, a);
    if (value_is_error(r)) return r;
    ROOTS(vm, &r);
    return extend(vm, r, b, false) ? r : V_ERROR;
}

static value deque_iadd(vm *vm, value self, value other)
{
    ROOTS(vm, &self);
    return extend(vm, self, other, false) ? self : V_ERROR;
}

static value deque_imul(vm *vm, value self, value count)
{
    int64_t n;
    size_t total;
    ROOTS(vm, &self);
    if (!args_ssize(vm, count, 0, &n)) return V_ERROR;
    struct deque *d = deque_of(self);
    if (n <= 0) {
        clear(vm, d);
        return self;
    }
    size_t len = d->len;
    if (!size_mul(len, (size_t)n, &total) || total > SIZE_MAX / 64) return raise_memory(vm);
    /* Only the last maxlen items stay: whole rounds before them need not be written. */
    if (d->maxlen >= 0 && len && total > (size_t)d->maxlen) {
        size_t rounds = (size_t)d->maxlen / len + 2;
        if ((size_t)n > rounds) n = (int64_t)rounds;
    }
    list *items = obj_to_list(vm, self);
    if (!items) return V_ERROR;
    ROOTS(vm, &items);
    for (int64_t k = 1; k < n; k++) {
        for (size_t i = 0; i < items->len; i++)
            if (!push_right(vm, self, items->items[i])) return V_ERROR;
        if (UNLIKELY(!vm_tick(vm, (uint32_t)(items->len < 1000 ? items->len / 16 + 1 : 64)))) return V_ERROR;
    }
    return self;
}

static value deque_repeat(vm *vm, value self, value count)
{
    ROOTS(vm, &count);
    value r = copy_to_change(vm, self);
    return value_is_error(r) ? r : deque_imul(vm, r, count);
}

/* ---- iterators ---- */

static void iter_traverse(vm *vm, object *o) { gc_mark_value(vm, iter_of(value_obj(o))->of); }
static const type_layout iter_layout = {.size = sizeof(struct deque_iter), .traverse = iter_traverse};

static value iter_make(vm *vm, value self, enum module_state_id id)
{
    ROOTS(vm, &self);
    void *o = userdata_new(vm, module_state_type(vm, id));
    if (!o) return V_ERROR;
    const struct deque *d = deque_of(self);
    *iter_of(value_obj(o)) = (struct deque_iter){self, 0, (int64_t)d->len, d->state};
    return value_obj(o);
}

static value deque_slot_iter(vm *vm, value self) { return iter_make(vm, self, STATE_DEQUE_ITER); }
FN(d_reversed) { return iter_make(vm, args[0], STATE_DEQUE_REVITER); }

static value iter_next(vm *vm, value self, bool back)
{
    struct deque_iter *it = iter_of(self);
    const struct deque *d = deque_of(it->of);
    if (it->state != d->state) {
        it->left = 0;
        return raise(vm, EXC_RuntimeError, "deque mutated during iteration");
    }
    if (it->left <= 0) return V_STOP;
    it->left--;
    size_t i = (size_t)it->i++;
    return *at(d, back ? d->len - 1 - i : i);
}
static value iter_next_forward(vm *vm, value self) { return iter_next(vm, self, false); }
static value iter_next_back(vm *vm, value self) { return iter_next(vm, self, true); }
static value iter_self(vm *vm, value self)
{
    (void)vm;
    return self;
}

/* _deque_iterator(deque, skip): for copies of iterators */
static value iter_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[2];
    int64_t skip = 0;
    bool back = t == module_state_type(vm, STATE_DEQUE_REVITER);
    if (!args_unpack(vm, "_deque_iterator", args, nargs, kwnames, 1, 2, in)) return V_ERROR;
    if (!is_deque(vm, in[0])) return raise_type_error(vm, "argument 1 must be collections.deque, not %T", in[0]);
    if (nargs > 1 && !args_ssize(vm, in[1], 0, &skip)) return V_ERROR;
    value v = iter_make(vm, in[0], back ? STATE_DEQUE_REVITER : STATE_DEQUE_ITER);
    if (value_is_error(v)) return v;
    struct deque_iter *it = iter_of(v);
    if (skip < 0) skip = 0;
    if (skip > it->left) skip = it->left;
    it->i = skip;
    it->left -= skip;
    return v;
}

FN(iter_hint) { return value_int(iter_of(args[0])->left); }
FN(iter_reduce)
{
    const struct deque_iter *it = iter_of(args[0]);
    tuple *in = tuple_pack(vm, 2, it->of, value_int((int64_t)deque_of(it->of)->len - it->left));
    in = in ? tuple_pack(vm, 2, value_obj(type_of(vm, args[0])), value_obj(in)) : NULL;
    return in ? value_obj(in) : V_ERROR;
}

static const native_def iter_methods[] = {
    {"__length_hint__(self, /)", iter_hint, DOC("Private method returning an estimate of len(list(it))."), 0},
    {"__reduce__(self, /)", iter_reduce, DOC("Return state information for pickling."), 0},
    {0},
};
static void iter_fill(struct type_slots *s)
{
    s->new_ = iter_slot_new;
    s->iter = iter_self;
    s->next = iter_next_forward;
}
static void reviter_fill(struct type_slots *s)
{
    iter_fill(s);
    s->next = iter_next_back;
}

/* ---- the type ---- */

FN(d_reduce)
{
    const struct deque *d = deque_of(args[0]);
    value state = V_UNBOUND, it = V_UNBOUND, maxlen = V_NONE;
    ROOTS(vm, &state, &it, &maxlen);
    state = vm_call_method(vm, args[0], N(vm, __getstate__), NULL, 0);
    if (value_is_error(state)) return V_ERROR;
    it = obj_iter(vm, args[0]);
    if (d->maxlen >= 0) maxlen = int_from_i64(vm, d->maxlen);
    tuple *in = d->maxlen < 0 ? vm->empty_tuple : tuple_pack(vm, 2, value_obj(vm->empty_tuple), maxlen);
    if (value_is_error(it) || value_is_error(maxlen) || !in) return V_ERROR;
    tuple *r = tuple_pack(vm, 4, value_obj(type_of(vm, args[0])), value_obj(in), state, it);
    return r ? value_obj(r) : V_ERROR;
}

static value get_maxlen(vm *vm, value self)
{
    int64_t n = deque_of(self)->maxlen;
    return n < 0 ? V_NONE : int_from_i64(vm, n);
}

static const getset_def deque_getsets[] = {
    {"maxlen", get_maxlen, NULL, DOC("maximum size of a deque or None if unbounded")}, {0}};
static const native_def deque_methods[] = {
    {"append(self, item, /)", d_append, DOC("Add an element to the right side of the deque."), 0},
    {"appendleft(self, item, /)", d_appendleft, DOC("Add an element to the left side of the deque."), 0},
    {"pop(self, /)", d_pop, DOC("Remove and return the rightmost element."), 0},
    {"popleft(self, /)", d_popleft, DOC("Remove and return the leftmost element."), 0},
    {"extend(self, iterable, /)", d_extend, DOC("Extend the right side of the deque with elements from the iterable"),
     0},
    {"extendleft(self, iterable, /)", d_extendleft,
     DOC("Extend the left side of the deque with elements from the iterable"), 0},
    {"clear(self, /)", d_clear, DOC("Remove all elements from the deque."), 0},
    {"copy(self, /)", d_copy, DOC("Return a shallow copy of a deque."), 0},
    {"__copy__(self, /)", d_copy, DOC("Return a shallow copy of a deque."), 0},
    {"count(self, value, /)", d_count, DOC("D.count(value) -- return number of occurrences of value"), 0},
    {"index(self, value, start=..., stop=..., /)", d_index,
     DOC("D.index(value, [start, [stop]]) -- return first index of value."), 0},
    {"insert(self, index, object, /)", d_insert, DOC("D.insert(index, object) -- insert object before index"), 0},
    {"remove(self, value, /)", d_remove, DOC("D.remove(value) -- remove first occurrence of value."), 0},
    {"reverse(self, /)", d_reverse, DOC("D.reverse() -- reverse *IN PLACE*"), 0},
    {"rotate(self, n=1, /)", d_rotate,
     DOC("Rotate the deque n steps to the right (default n=1).  If n is negative, rotates left."), 0},
    {"__reversed__(self, /)", d_reversed, DOC("D.__reversed__() -- return a reverse iterator over the deque"), 0},
    {"__reduce__(self, /)", d_reduce, DOC("Return state information for pickling."), 0},
    CLASS_GETITEM_METHOD,
    {0},
};

static void deque_fill(struct type_slots *s)
{
    s->new_ = deque_new;
    s->init = deque_init;
    s->repr = deque_repr;
    s->compare = deque_compare;
    s->hash = slot_unhashable;
    s->len = deque_len;
    s->truth = deque_truth;
    s->getitem = deque_getitem;
    s->setitem = deque_setitem;
    s->contains = deque_contains;
    s->iter = deque_slot_iter;
    s->concat = deque_concat;
    s->repeat = deque_repeat;
    s->iadd = deque_iadd;
    s->imul = deque_imul;
}

bool deque_add(vm *vm, module *m)
{
    static const type_spec deque_spec = {
        .name = "collections.deque",
        .doc = "deque([iterable[, maxlen]]) --> deque object\n\nA list-like sequence optimized for "
               "data accesses near its endpoints.",
        .layout = &deque_layout,
        .methods = deque_methods,
        .getsets = deque_getsets,
        .flags = TF_BASE | TF_SEQUENCE,
        .fill = deque_fill,
    };
    static const type_spec iter_spec = {
        .name = "_collections._deque_iterator", .layout = &iter_layout, .methods = iter_methods, .fill = iter_fill};
    static const type_spec reviter_spec = {.name = "_collections._deque_reverse_iterator",
                                           .layout = &iter_layout,
                                           .methods = iter_methods,
                                           .fill = reviter_fill};
    return module_add_type(vm, m, STATE_DEQUE, &deque_spec) && module_add_type(vm, m, STATE_DEQUE_ITER, &iter_spec) &&
           module_add_type(vm, m, STATE_DEQUE_REVITER, &reviter_spec);
}
