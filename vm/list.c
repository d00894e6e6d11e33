/* list: storage, slots and methods (sorting is in list_sort.c). Invariants: list.h. */
#include "list.h"

#include "iter.h"
#include "bytes.h"
#include "native.h"
#include "str.h"

#define DOC_FILE vm_list
DOC_BEGIN;

/* ---- storage ---- */

void list_remember(vm *vm, list *l, size_t i)
{
    if (l->cap > LIST_CARD_MIN) gc_remember_card(vm, &l->h, &list_cards(l)[i >> LIST_CARD_SHIFT]);
    else gc_remember(vm, &l->h);
}

/* Exactly `cap` items of room, cap >= len. */
static bool list_set_cap(vm *vm, list *l, size_t cap)
{
    if (cap > LIST_MAX) {
        raise_memory(vm);
        return false;
    }
    bool within = list_is_inline(l);
    if (within && cap <= l->cap) return true;
    size_t had = list_ncards(l->cap), now = list_ncards(cap);
    if (cap < l->cap && (l->h.gc & GC_CARDS)) gc_barrier(vm, l);
    if (cap == 0) {
        mem_free(vm, l->items, list_bytes(l->cap));
        l->items = NULL;
        l->cap = 0;
        l->h.flags &= (uint16_t)~LIST_BUFFER;
        return true;
    }
    value *p = within ? mem_alloc(vm, list_bytes(cap))
                      : mem_realloc(vm, l->items, l->items ? list_bytes(l->cap) : 0, list_bytes(cap));
    if (!p) return false;
    if (within && l->len) memcpy(p, l->items, l->len * sizeof(value));
    l->h.flags |= LIST_BUFFER;
    uint8_t *cards = (uint8_t *)(p + cap);
    if (now > had && had && (l->h.gc & GC_CARDS)) {
        /* The dirty cards stay dirty; they lie behind the old capacity now. */
        memmove(cards, (uint8_t *)(p + l->cap), had);
        memset(cards + had, 0, now - had);
    } else {
        memset(cards, 0, now);
    }
    l->items = p;
    l->cap = cap;
    gc_note_parts(&l->h);
    return true;
}

bool list_grow(vm *vm, list *l, size_t need)
{
    size_t cap = l->cap;
    if (need <= cap) return true;
    /* A quarter more, so that appending is cheap on the average. */
    size_t more = cap + cap / 4 + 4;
    return list_set_cap(vm, l, need > more ? need : more);
}

void list_truncate(vm *vm, list *l, size_t n)
{
    l->len = n;
    if (n < l->cap / 4 && l->cap > 16) {
        value exc = vm->thread->exc; /* shrinking may fail: then the room stays */
        if (!list_set_cap(vm, l, n)) vm->thread->exc = exc;
    }
}

list *list_new(vm *vm, size_t cap)
{
    if (LIKELY(cap <= LIST_INLINE_MAX)) {
        cap |= 1; /* what the cell has room for anyway */
        size_t size = sizeof(list) + cap * sizeof(value);
        list *l = gc_new_raw(vm, K_LIST, TYPE_LIST, size);
        if (UNLIKELY(!l) && !(l = gc_new(vm, K_LIST, TYPE_LIST, size))) return NULL;
        l->slots = NULL;
        l->items = (value *)(l + 1);
        l->len = 0;
        l->cap = cap;
        return l;
    }
    list *l = gc_new_fast(vm, K_LIST, TYPE_LIST, sizeof *l);
    return l && list_set_cap(vm, l, cap) ? l : NULL;
}

list *list_from(vm *vm, const value *items, size_t n)
{
    list *l = list_new(vm, n);
    if (!l) return NULL;
    if (n) memcpy(l->items, items, n * sizeof(value));
    l->len = n;
    return l;
}

bool list_append(vm *vm, list *l, value v) { return list_push(vm, l, v); }

void list_clear(vm *vm, list *l)
{
    l->len = 0;
    list_set_cap(vm, l, 0);
}

bool list_insert(vm *vm, list *l, size_t at, value v)
{
    if (at > l->len) at = l->len; /* a comparison may have made the list shorter */
    if (!list_reserve(vm, l, l->len + 1)) return false;
    memmove(l->items + at + 1, l->items + at, (l->len - at) * sizeof(value));
    l->items[at] = v;
    l->len++;
    list_moved(vm, l);
    list_barrier(vm, l, at);
    return true;
}

static void list_traverse(vm *vm, object *o)
{
    list *l = (list *)(void *)o;
    gc_mark_many(vm, o, l->items, l->len);
    if (UNLIKELY(l->slots != NULL)) gc_mark_slots(vm, o, l->slots);
}

static void list_walk_cards(vm *vm, object *o, bool mark)
{
    list *l = (list *)(void *)o;
    size_t n = list_ncards(l->cap);
    if (n == 0) return;
    uint8_t *cards = list_cards(l);
    for (uint8_t *c = cards; (c = memchr(c, 1, n - (size_t)(c - cards))); c++) {
        *c = 0;
        size_t from = (size_t)(c - cards) << LIST_CARD_SHIFT, to = from + (1 << LIST_CARD_SHIFT);
        if (to > l->len) to = l->len;
        if (mark && from < to) gc_mark_values(vm, l->items + from, to - from);
    }
}

static void list_free(vm *vm, object *o)
{
    list *l = (list *)(void *)o;
    if (l->h.flags & LIST_BUFFER) mem_free(vm, l->items, list_bytes(l->cap));
    if (UNLIKELY(l->slots != NULL)) object_slots_free(vm, o, l->slots);
}

/* ---- extending ---- */

/* Appends n values from outside of l. */
static bool list_append_n(vm *vm, list *l, const value *items, size_t n)
{
    if (n == 0) return true;
    size_t at = l->len;
    if (n > LIST_MAX - at) {
        raise_memory(vm);
        return false;
    }
    if (!list_reserve(vm, l, at + n)) return false;
    memcpy(l->items + at, items, n * sizeof(value));
    l->len = at + n;
    if (l->h.gc & GC_BARRIER) {
        if (l->cap > LIST_CARD_MIN) {
            for (size_t i = at; i < at + n; i += (1 << LIST_CARD_SHIFT)) list_remember(vm, l, i);
            list_remember(vm, l, at + n - 1);
        } else {
            gc_remember(vm, &l->h);
        }
    }
    return true;
}

/* A str's characters, without an iterator. */
static bool extend_str(vm *vm, list *l, str *s)
{
    ROOTS(vm, &l, &s);
    if (s->len > LIST_MAX - l->len) return raise_memory(vm), false;
    if (!list_reserve(vm, l, l->len + s->len)) return false;
    for (size_t i = 0; i < s->len; i++) {
        str *c = str_item(vm, s, i);
        if (!c || !list_push(vm, l, value_obj(c))) return false;
        if (UNLIKELY((i & 4095) == 4095) && !vm_tick(vm, 4096)) return false;
    }
    return true;
}

static bool extend_bytes(vm *vm, list *l, const bytes *b)
{
    if (b->len > LIST_MAX - l->len) return raise_memory(vm), false;
    if (!list_reserve(vm, l, l->len + b->len)) return false;
    for (size_t i = 0; i < b->len; i++) l->items[l->len++] = value_int(b->data[i]);
    return b->len < 4096 || vm_tick(vm, b->len >> 4 > 1 << 30 ? 1 << 30 : (uint32_t)(b->len >> 4));
}

bool list_extend(vm *vm, list *l, value iterable)
{
    if (value_is_exact(iterable, TYPE_LIST) || value_is_exact(iterable, TYPE_TUPLE) ||
        (value_is_obj(iterable) && value_as_obj(iterable) == &l->h)) {
        value *items = NULL;
        size_t n = 0;
        list_or_tuple(iterable, &items, &n);
        if (n > LIST_MAX - l->len) {
            raise_memory(vm);
            return false;
        }
        if (!list_reserve(vm, l, l->len + n)) return false;
        list_or_tuple(iterable, &items, &n); /* l itself may have moved */
        return list_append_n(vm, l, items, n);
    }
    if (value_is_exact(iterable, TYPE_STR)) return extend_str(vm, l, AS(str, iterable));
    if (value_is_exact(iterable, TYPE_BYTES)) return extend_bytes(vm, l, AS(bytes, iterable));
    value it = V_UNBOUND, v;
    ROOTS(vm, &l, &it, &iterable);
    it = obj_iter(vm, iterable);
    if (value_is_error(it)) return false;
    int64_t hint = obj_length_hint(vm, iterable, 8);
    if (hint < 0) return false;
    /* Too little memory for what is announced is known at once, not after all the memory has been filled. An impossible
     * hint is a lie: there may be room for what really comes. */
    if ((uint64_t)hint <= INT64_MAX - l->len && !list_reserve(vm, l, l->len + (size_t)hint)) return false;
    for (;;) {
        v = iter_step(vm, it);
        if (v.bits == V_STOP.bits) break;
        if (value_is_error(v) || !list_push(vm, l, v)) return false;
        if (UNLIKELY(!vm_tick(vm, 1))) return false;
    }
    if (l->cap > 64 && l->len < l->cap / 2) list_truncate(vm, l, l->len);
    return true;
}

/* ---- slots ---- */

static value list_slot_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)args, (void)nargs, (void)kwnames;
    return value_obj(gc_new(vm, K_LIST, t->root_shape, sizeof(list)));
}

static bool list_slot_init(vm *vm, value self, value *args, uint32_t nargs, value kwnames)
{
    list *l = AS(list, self);
    value iterable = V_UNBOUND;
    /* A subclass may have its own __new__ with keywords; then they are not ours to refuse. */
    bool strict = type_of(vm, self)->s.new_ == list_slot_new;
    if (!args_unpack(vm, "list", args, nargs, strict ? kwnames : V_UNBOUND, 0, 1, &iterable)) return false;
    if (l->len) list_clear(vm, l);
    if (value_is_unbound(iterable)) return true;
    ROOTS(vm, &l);
    return list_extend(vm, l, iterable);
}

value list_repr(vm *vm, value self)
{
    list *l = AS(list, self);
    if (l->len == 0) return value_obj(str_from_cstr(vm, "[]"));
    int entered = repr_enter(vm, self);
    if (entered < 0) return V_ERROR;
    if (!entered) return value_obj(str_from_cstr(vm, "[...]"));
    ROOTS(vm, &l);
    str_builder b;
    sb_init(&b, vm);
    sb_char(&b, '[');
    bool ok = true;
    for (size_t i = 0; ok && i < l->len; i++) /* a repr may change the list */
        ok = repr_item(&b, i, l->items[i]);
    repr_leave(vm, self);
    return repr_end(&b, ok, ']');
}

static int64_t list_slot_len(vm *vm, value self)
{
    (void)vm;
    return (int64_t)AS(list, self)->len;
}

static int list_slot_contains(vm *vm, value self, value v)
{
    list *l = AS(list, self);
    ROOTS(vm, &l, &v);
    for (size_t i = 0; i < l->len; i++) {
        int r = value_equal(vm, l->items[i], v);
        if (r) return r;
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return -1;
    }
    return 0;
}

static value list_get_slice(vm *vm, list *l, value key)
{
    int64_t start, stop, step;
    ROOTS(vm, &l);
    if (!slice_unpack(vm, key, &start, &stop, &step)) return V_ERROR;
    int64_t n = slice_clamp((int64_t)l->len, &start, &stop, step);
    list *r = list_new(vm, (size_t)n);
    if (!r) return V_ERROR;
    if (step == 1) {
        if (n) memcpy(r->items, l->items + start, (size_t)n * sizeof(value));
    } else {
        for (int64_t i = 0, at = start; i < n; i++, at += step) r->items[i] = l->items[at];
    }
    r->len = (size_t)n;
    return value_obj(r);
}

static value list_slot_getitem(vm *vm, value self, value key)
{
    list *l = AS(list, self);
    if (value_is_exact(key, TYPE_SLICE)) return list_get_slice(vm, l, key);
    int64_t i;
    if (LIKELY(value_is_int(key))) {
        i = value_as_int(key);
    } else {
        ROOTS(vm, &l);
        if (!seq_index(vm, key, "list", &i)) return V_ERROR;
    }
    value v = list_at(l, i);
    if (LIKELY(!value_is_unbound(v))) return v;
    return raise(vm, EXC_IndexError, "list index out of range");
}

/* Replaces items [from, to) by the n values at `items`, which do not belong to l. */
static bool list_splice(vm *vm, list *l, size_t from, size_t to, const value *items, size_t n)
{
    size_t gone = to - from, tail = l->len - to;
    if (n > gone) {
        if (n - gone > LIST_MAX - l->len) {
            raise_memory(vm);
            return false;
        }
        if (!list_reserve(vm, l, l->len + (n - gone))) return false;
    }
    if (n != gone) {
        memmove(l->items + from + n, l->items + to, tail * sizeof(value));
        list_moved(vm, l);
    }
    if (n) {
        memcpy(l->items + from, items, n * sizeof(value));
        gc_barrier(vm, l);
    }
    size_t len = from + n + tail;
    if (n < gone) list_truncate(vm, l, len);
    else l->len = len;
    return true;
}

/* The values of an iterable as a list that is not `l`; NULL raised. message replaces "... is not iterable". */
static list *list_operand(vm *vm, list *l, value v, const char *message)
{
    if (value_is_exact(v, TYPE_LIST) && AS(list, v) != l) return AS(list, v);
    value *items;
    size_t n;
    if (list_or_tuple(v, &items, &n) && (value_as_obj(v)->shape < TYPE_COUNT || value_as_obj(v) == &l->h))
        return list_from(vm, items, n);
    ROOTS(vm, &v);
    list *r = obj_to_list(vm, v);
    if (!r && exc_matches(vm, EXC_TypeError) && !type_of(vm, v)->s.iter) {
        exc_clear(vm);
        raise_type_error(vm, "%s", message);
    }
    return r;
}

static bool list_del_stepped(vm *vm, list *l, int64_t start, int64_t stop, int64_t step, int64_t n)
{
    if (step < 0) { /* the same items from left to right */
        stop = start + 1;
        start = stop + step * (n - 1) - 1;
        step = -step;
    }
    size_t w = (size_t)start;
    int64_t next = start, left = n;
    for (size_t r = (size_t)start; r < l->len; r++) {
        if (left && (int64_t)r == next) {
            next += step;
            left--;
            continue;
        }
        l->items[w++] = l->items[r];
    }
    (void)stop;
    list_moved(vm, l);
    list_truncate(vm, l, w);
    return true;
}

static bool list_set_slice(vm *vm, list *l, value key, value v)
{
    int64_t start, stop, step;
    list *src = NULL;
    ROOTS(vm, &l, &src, &v);
    if (!slice_unpack(vm, key, &start, &stop, &step)) return false;
    if (!value_is_unbound(v)) {
        src = list_operand(vm, l, v,
                           step == 1 ? "can only assign an iterable" : "must assign iterable to extended slice");
        if (!src) return false;
    }
    int64_t n = slice_clamp((int64_t)l->len, &start, &stop, step);
    if (step == 1) {
        if (stop < start) stop = start;
        return list_splice(vm, l, (size_t)start, (size_t)stop, src ? src->items : NULL, src ? src->len : 0);
    }
    if (!src) return n == 0 || list_del_stepped(vm, l, start, stop, step, n);
    if ((int64_t)src->len != n) {
        raise_value_error(vm, "attempt to assign sequence of size %zu to extended slice of size %zu", src->len,
                          (size_t)n);
        return false;
    }
    for (int64_t i = 0, at = start; i < n; i++, at += step) l->items[at] = src->items[i];
    if (n) gc_barrier(vm, l);
    return true;
}

static bool list_slot_setitem(vm *vm, value self, value key, value v)
{
    list *l = AS(list, self);
    if (value_is_exact(key, TYPE_SLICE)) return list_set_slice(vm, l, key, v);
    int64_t i;
    if (LIKELY(value_is_int(key))) {
        i = value_as_int(key);
    } else {
        ROOTS(vm, &l, &v);
        if (!seq_index(vm, key, "list", &i)) return false;
    }
    if (i < 0) i += (int64_t)l->len;
    if ((uint64_t)i >= l->len) {
        raise(vm, EXC_IndexError, "list assignment index out of range");
        return false;
    }
    if (value_is_unbound(v)) return list_splice(vm, l, (size_t)i, (size_t)i + 1, NULL, 0);
    l->items[i] = v;
    list_barrier(vm, l, (size_t)i);
    return true;
}

static value list_slot_concat(vm *vm, value self, value other)
{
    if (!IS_LIST(other)) return raise_type_error(vm, "can only concatenate list (not \"%T\") to list", other);
    list *a = AS(list, self), *b = AS(list, other);
    if (a->len > LIST_MAX - b->len) return raise_memory(vm);
    list *r = list_new(vm, a->len + b->len);
    if (!r) return V_ERROR;
    if (a->len) memcpy(r->items, a->items, a->len * sizeof(value));
    if (b->len) memcpy(r->items + a->len, b->items, b->len * sizeof(value));
    r->len = a->len + b->len;
    return value_obj(r);
}

/* n copies of the first `unit` values, doubling. */
void seq_fill(value *items, size_t unit, size_t total)
{
    if (unit == 1) {
        for (size_t i = 1; i < total; i++) items[i] = items[0];
        return;
    }
    for (size_t done = unit; done < total; done *= 2)
        memcpy(items + done, items, (done < total - done ? done : total - done) * sizeof(value));
}

/* The length of `len` items n times; false: MemoryError raised. */
static bool list_times(vm *vm, size_t len, int64_t n, size_t *out)
{
    if (n < 0) n = 0;
    if (!size_mul(len, (size_t)n, out) || *out > LIST_MAX) {
        raise_memory(vm);
        return false;
    }
    return true;
}

static value list_slot_repeat(vm *vm, value self, value count)
{
    list *l = AS(list, self);
    int64_t n;
    size_t total;
    ROOTS(vm, &l);
    if (!obj_as_index(vm, count, &n, EXC_OverflowError) || !list_times(vm, l->len, n, &total)) return V_ERROR;
    list *r = list_new(vm, total);
    if (!r) return V_ERROR;
    if (total) {
        memcpy(r->items, l->items, l->len * sizeof(value));
        seq_fill(r->items, l->len, total);
    }
    r->len = total;
    return value_obj(r);
}

static value list_slot_iadd(vm *vm, value self, value other)
{
    ROOTS(vm, &self);
    return list_extend(vm, AS(list, self), other) ? self : V_ERROR;
}

static value list_slot_imul(vm *vm, value self, value count)
{
    if (!int_is(count) && !type_of(vm, count)->s.index) return V_NOTIMPLEMENTED;
    list *l = AS(list, self);
    int64_t n;
    size_t total;
    ROOTS(vm, &self, &l);
    if (!obj_as_index(vm, count, &n, EXC_OverflowError) || !list_times(vm, l->len, n, &total)) return V_ERROR;
    size_t unit = l->len;
    if (total == 0) {
        list_clear(vm, l);
    } else if (total > unit) {
        if (!list_reserve(vm, l, total)) return V_ERROR;
        seq_fill(l->items, unit, total);
        l->len = total;
        gc_barrier(vm, l);
    }
    return self;
}

static value list_slot_iter(vm *vm, value self) { return iter_new(vm, TYPE_LIST_ITER, self); }

/* ---- methods ---- */

static value list_m_append(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return list_push(vm, AS(list, args[0]), args[1]) ? V_NONE : V_ERROR;
}

static value list_m_clear(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    list_clear(vm, AS(list, args[0]));
    return V_NONE;
}

static value list_m_copy(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    list *l = AS(list, args[0]);
    return value_obj(list_from(vm, l->items, l->len));
}

static value list_m_count(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    list *l = AS(list, args[0]);
    int64_t n = 0;
    for (size_t i = 0; i < l->len; i++) {
        int r = value_equal(vm, l->items[i], args[1]);
        if (r < 0) return V_ERROR;
        n += r;
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return V_ERROR;
    }
    return value_int(n);
}

static value list_m_extend(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    return list_extend(vm, AS(list, args[0]), args[1]) ? V_NONE : V_ERROR;
}

static value list_m_index(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    list *l = AS(list, args[0]);
    int64_t from, to;
    if (!seq_index_args(vm, args[2], args[3], l->len, &from, &to)) return V_ERROR;
    for (size_t i = (size_t)from; i < l->len && (int64_t)i < to; i++) {
        int r = value_equal(vm, l->items[i], args[1]);
        if (r < 0) return V_ERROR;
        if (r) return value_int((int64_t)i);
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return V_ERROR;
    }
    return raise_value_error(vm, "%R is not in list", args[1]);
}

static value list_m_insert(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    list *l = AS(list, args[0]);
    int64_t i;
    if (!obj_as_index(vm, args[1], &i, EXC_OverflowError)) return V_ERROR;
    int64_t n = (int64_t)l->len;
    if (i < 0) i += n;
    i = i < 0 ? 0 : i > n ? n : i;
    return list_insert(vm, l, (size_t)i, args[2]) ? V_NONE : V_ERROR;
}

static value list_m_pop(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    list *l = AS(list, args[0]);
    int64_t i = -1;
    if (!value_is_unbound(args[1]) && !obj_as_index(vm, args[1], &i, EXC_IndexError)) return V_ERROR;
    if (l->len == 0) return raise(vm, EXC_IndexError, "pop from empty list");
    if (i < 0) i += (int64_t)l->len;
    if ((uint64_t)i >= l->len) return raise(vm, EXC_IndexError, "pop index out of range");
    value v = l->items[i];
    if ((size_t)i + 1 < l->len) {
        memmove(l->items + i, l->items + i + 1, (l->len - (size_t)i - 1) * sizeof(value));
        list_moved(vm, l);
    }
    list_truncate(vm, l, l->len - 1);
    return v;
}

static value list_m_remove(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    list *l = AS(list, args[0]);
    for (size_t i = 0; i < l->len; i++) {
        int r = value_equal(vm, l->items[i], args[1]);
        if (r < 0) return V_ERROR;
        if (r) {
            if (i < l->len) list_splice(vm, l, i, i + 1, NULL, 0);
            return V_NONE;
        }
        if (UNLIKELY((i & 63) == 63) && !vm_tick(vm, 8)) return V_ERROR;
    }
    return raise_value_error(vm, "list.remove(x): x not in list");
}

static value list_m_reverse(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    list *l = AS(list, args[0]);
    for (size_t i = 0, j = l->len; i + 1 < j; i++) {
        value v = l->items[i];
        l->items[i] = l->items[--j];
        l->items[j] = v;
    }
    list_moved(vm, l);
    return V_NONE;
}

static value list_m_sort(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    int64_t reverse = 0;
    if (!value_is_unbound(args[2])) {
        if (value_is_bool(args[2])) reverse = value_is(args[2], V_TRUE);
        else if (!obj_as_index(vm, args[2], &reverse, EXC_OverflowError)) return V_ERROR;
    }
    return list_sort(vm, AS(list, args[0]), args[1], reverse != 0) ? V_NONE : V_ERROR;
}

static value list_m_reversed(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    value it = iter_new(vm, TYPE_LIST_REVITER, args[0]);
    if (!value_is_error(it)) AS(iter, it)->i = AS(list, args[0])->len;
    return it;
}

static value list_m_sizeof(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    list *l = AS(list, args[0]);
    return int_from_u64(vm, gc_size_of(&l->h) + (l->h.flags & LIST_BUFFER ? list_bytes(l->cap) : 0));
}

static const native_def list_methods[] = {
    {"append(self, object, /)", list_m_append, DOC("Append object to the end of the list."), 0},
    {"clear(self, /)", list_m_clear, DOC("Remove all items from list."), 0},
    {"copy(self, /)", list_m_copy, DOC("Return a shallow copy of the list."), 0},
    {"count(self, value, /)", list_m_count, DOC("Return number of occurrences of value."), 0},
    {"extend(self, iterable, /)", list_m_extend, DOC("Extend list by appending elements from the iterable."), 0},
    {"index(self, value, start=0, stop=9223372036854775807, /)", list_m_index,
     DOC("Return first index of value.\n\nRaises ValueError if the value is not present."), 0},
    {"insert(self, index, object, /)", list_m_insert, DOC("Insert object before index."), 0},
    {"pop(self, index=-1, /)", list_m_pop,
     DOC("Remove and return item at index (default last).\n\nRaises IndexError if list is empty or index is out of "
         "range."),
     0},
    {"remove(self, value, /)", list_m_remove,
     DOC("Remove first occurrence of value.\n\nRaises ValueError if the value is not present."), 0},
    {"reverse(self, /)", list_m_reverse, DOC("Reverse *IN PLACE*."), 0},
    {"sort(self, /, *, key=None, reverse=False)", list_m_sort,
     DOC("Sort the list in ascending order and return None.\n\nThe sort is in-place and stable."), 0},
    {"__reversed__(self, /)", list_m_reversed, DOC("Return a reverse iterator over the list."), 0},
    {"__sizeof__(self, /)", list_m_sizeof, DOC("Return the size of the list in memory, in bytes."), 0},
    {0},
};

void type_init_list(vm *vm)
{
    static const gc_kind_ops ops = {
        .traverse = list_traverse, .free = list_free, .cards = list_walk_cards, .tells_parts = true};
    gc_register_kind(vm, K_LIST, &ops);
    type *t = T(vm, LIST);
    t->methods = list_methods;
    t->s.new_ = list_slot_new;
    t->s.init = list_slot_init;
    t->s.repr = list_repr;
    t->s.compare = seq_compare;
    t->s.len = list_slot_len;
    t->s.contains = list_slot_contains;
    t->s.getitem = list_slot_getitem;
    t->s.setitem = list_slot_setitem;
    t->s.concat = list_slot_concat;
    t->s.repeat = list_slot_repeat;
    t->s.iadd = list_slot_iadd;
    t->s.imul = list_slot_imul;
    t->s.iter = list_slot_iter;
}
