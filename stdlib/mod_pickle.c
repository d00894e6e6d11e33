/* The module _pickle_plain: pickles of plain data, all in C.
 *
 * Plain are None, bools, ints of 64 bits, floats, str, bytes, and lists, tuples, dicts, sets and frozensets of such,
 * each of exactly that type. Both functions are all or nothing: what is not plain (an object, a code that builds one,
 * an error in the data) gives None, and the script half does it again from the start. Nothing here runs script, and
 * what comes before it gives up has no effect that anybody could see. The bytes are those that CPython's _pickle
 * writes.
 */
#include "module_state.h"
#include "vm/bytes.h"
#include "vm/codec.h"
#include "vm/dict.h"
#include "vm/list.h"
#include "vm/set.h"
#include "vm/str.h"

enum { FRAME_TARGET = 64 * 1024, FRAME_HEAD = 9, BATCH = 1000, NEST_MOST = 980, MARKS_MOST = 500, TICK = 4096 };

/* ---- writing ---- */

typedef struct writer {
    vm *vm;
    byte_builder out;
    size_t frame;  /* where the open frame begins, or SIZE_MAX */
    object **seen; /* a hash table of what is memoized, by address; its numbers beside it */
    uint32_t *numbers;
    uint32_t log2, count;
    unsigned nest;
    size_t work;
} writer;

static bool save(writer *w, value v);

static void close_frame(writer *w)
{
    if (w->frame == SIZE_MAX || w->out.failed) return;
    uint8_t *head = w->out.data + w->frame;
    uint64_t n = w->out.len - w->frame - FRAME_HEAD;
    if (n >= 4) {
        *head = 0x95;
        for (int i = 0; i < 8; i++) head[1 + i] = (uint8_t)(n >> 8 * i);
    } else {
        memmove(head, head + FRAME_HEAD, n);
        w->out.len -= FRAME_HEAD;
    }
    w->frame = SIZE_MAX;
}

/* Room for n bytes in a frame; NULL: out of memory. */
static uint8_t *room(writer *w, size_t n)
{
    byte_builder *b = &w->out;
    if (UNLIKELY(w->frame == SIZE_MAX)) {
        if (!bb_reserve(b, FRAME_HEAD)) return NULL;
        w->frame = b->len;
        b->len += FRAME_HEAD;
    }
    if (UNLIKELY(!bb_reserve(b, n))) return NULL;
    b->len += n;
    return b->data + b->len - n;
}

static bool put(writer *w, uint8_t code)
{
    uint8_t *p = room(w, 1);
    if (p) *p = code;
    return p;
}

/* A code with n bytes of a little-endian number. */
static bool put_sized(writer *w, uint8_t code, uint64_t number, unsigned n)
{
    uint8_t *p = room(w, n + 1);
    if (!p) return false;
    *p = code;
    for (unsigned i = 0; i < n; i++) p[1 + i] = (uint8_t)(number >> 8 * i);
    return true;
}

/* A code with a length and data. What is as long as a frame stands outside of frames. */
static bool put_data(writer *w, uint8_t code, unsigned n, const void *data, size_t len)
{
    bool large = len >= FRAME_TARGET;
    if (large) {
        close_frame(w);
        w->frame = 0; /* any but SIZE_MAX: no new one */
    }
    bool ok = put_sized(w, code, len, n);
    uint8_t *p = ok ? room(w, len) : NULL;
    if (p) memcpy(p, data, len);
    if (large) w->frame = SIZE_MAX;
    return p;
}

static inline uint32_t slot_of(const writer *w, const object *o)
{
    return (uint32_t)(((uintptr_t)o >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> (64 - w->log2));
}

/* Its number in the memo, or -1. */
static int64_t memo_find(const writer *w, const object *o)
{
    if (!w->count) return -1;
    for (uint32_t i = slot_of(w, o);; i = (i + 1) & ((1u << w->log2) - 1)) {
        if (!w->seen[i]) return -1;
        if (w->seen[i] == o) return w->numbers[i];
    }
}

static void memo_free(writer *w)
{
    if (w->seen) mem_free(w->vm, w->seen, (sizeof *w->seen + sizeof *w->numbers) << w->log2);
}

static bool memo_grow(writer *w)
{
    writer bigger = *w;
    bigger.log2 = w->seen ? w->log2 + 1 : 6;
    if (bigger.log2 > 30) return raise_memory(w->vm), false;
    bigger.seen = mem_zalloc(w->vm, (sizeof *w->seen + sizeof *w->numbers) << bigger.log2);
    if (!bigger.seen) return false;
    bigger.numbers = (uint32_t *)(void *)(bigger.seen + ((size_t)1 << bigger.log2));
    for (size_t k = 0; w->seen && k < (size_t)1 << w->log2; k++) {
        if (!w->seen[k]) continue;
        uint32_t i = slot_of(&bigger, w->seen[k]);
        while (bigger.seen[i]) i = (i + 1) & ((1u << bigger.log2) - 1);
        bigger.seen[i] = w->seen[k];
        bigger.numbers[i] = w->numbers[k];
    }
    memo_free(w);
    w->seen = bigger.seen;
    w->numbers = bigger.numbers;
    w->log2 = bigger.log2;
    return true;
}

static bool memoize(writer *w, object *o)
{
    if ((!w->seen || w->count * 3 >= 2u << w->log2) && !memo_grow(w)) return false;
    uint32_t i = slot_of(w, o);
    while (w->seen[i]) i = (i + 1) & ((1u << w->log2) - 1);
    w->seen[i] = o;
    w->numbers[i] = w->count++;
    return put(w, 0x94);
}

static bool put_get(writer *w, uint32_t number)
{
    return number < 256 ? put_sized(w, 'h', number, 1) : put_sized(w, 'j', number, 4);
}

static bool save_int(writer *w, value v)
{
    int64_t n;
    if (!int_to_i64(w->vm, v, &n)) return false;
    if (n >= 0 && n <= 0xFF) return put_sized(w, 'K', (uint64_t)n, 1);
    if (n >= 0 && n <= 0xFFFF) return put_sized(w, 'M', (uint64_t)n, 2);
    if (n == (int32_t)n) return put_sized(w, 'J', (uint64_t)n, 4);
    unsigned bytes = 8;
    while (n == (int64_t)((uint64_t)n << (72 - 8 * bytes)) >> (72 - 8 * bytes)) bytes--; /* as one byte less */
    return put_sized(w, 0x8A, bytes | (uint64_t)n << 8, bytes < 8 ? bytes + 1 : 8) &&
           (bytes < 8 || put(w, (uint8_t)((uint64_t)n >> 56)));
}

static bool save_float(writer *w, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, 8);
    return put_sized(w, 'G', __builtin_bswap64(bits), 8);
}

static bool save_str(writer *w, str *s)
{
    const void *p = s->data;
    size_t n = s->len;
    if (!str_is_ascii(s)) {
        bytes *b = codec_encode_fast(w->vm, CODEC_UTF8, s);
        if (!b) return false;
        p = b->data;
        n = b->len;
    }
    bool ok = n < 256           ? put_data(w, 0x8C, 1, p, n)
              : n <= UINT32_MAX ? put_data(w, 'X', 4, p, n)
                                : put_data(w, 0x8D, 8, p, n);
    return ok && memoize(w, &s->h);
}

static bool save_bytes(writer *w, bytes *b)
{
    size_t n = b->len;
    bool ok = n < 256           ? put_data(w, 'C', 1, b->data, n)
              : n <= UINT32_MAX ? put_data(w, 'B', 4, b->data, n)
                                : put_data(w, 0x8E, 8, b->data, n);
    return ok && memoize(w, &b->h);
}

static bool save_list(writer *w, list *l)
{
    if (!put(w, ']') || !memoize(w, &l->h)) return false;
    if (l->len == 1) return save(w, l->items[0]) && put(w, 'a');
    for (size_t i = 0; i < l->len;) {
        if (!put(w, '(')) return false;
        for (size_t k = 0; k < BATCH && i < l->len; k++, i++) {
            if (!save(w, l->items[i])) return false;
        }
        if (!put(w, 'e')) return false;
    }
    return true;
}

static bool save_tuple(writer *w, tuple *t)
{
    if (t->len == 0) return put(w, ')');
    if (t->len > 3 && !put(w, '(')) return false;
    for (size_t i = 0; i < t->len; i++) {
        if (!save(w, t->items[i])) return false;
    }
    int64_t number = memo_find(w, &t->h);
    if (number >= 0) { /* it holds itself: what was written is dropped */
        for (size_t i = 0; t->len <= 3 && i < t->len; i++) {
            if (!put(w, '0')) return false;
        }
        return (t->len <= 3 || put(w, '1')) && put_get(w, (uint32_t)number);
    }
    return put(w, t->len > 3 ? 't' : (uint8_t)(0x84 + t->len)) && memoize(w, &t->h);
}

static bool save_dict(writer *w, dict *d)
{
    if (!put(w, '}') || !memoize(w, &d->h)) return false;
    size_t pos = 0, n = d->used, k;
    value key, v;
    if (n == 0) return true;
    if (n == 1) return dict_next(d, &pos, &key, &v) && save(w, key) && save(w, v) && put(w, 's');
    do {
        if (!put(w, '(')) return false;
        for (k = 0; k < BATCH && dict_next(d, &pos, &key, &v); k++) {
            if (!save(w, key) || !save(w, v)) return false;
        }
        if (!put(w, 'u')) return false;
    } while (k == BATCH);
    return true;
}

static bool save_set(writer *w, set *s)
{
    if (!put(w, 0x8F) || !memoize(w, &s->h)) return false;
    size_t pos = 0, k;
    value v;
    if (s->used == 0) return true;
    do {
        if (!put(w, '(')) return false;
        for (k = 0; k < BATCH && set_next(s, &pos, &v, NULL); k++) {
            if (!save(w, v)) return false;
        }
        if (!put(w, 0x90)) return false;
    } while (k == BATCH);
    return true;
}

static bool save_frozenset(writer *w, set *s)
{
    size_t pos = 0;
    value v;
    if (!put(w, '(')) return false;
    while (set_next(s, &pos, &v, NULL)) {
        if (!save(w, v)) return false;
    }
    int64_t number = memo_find(w, &s->h);
    if (number >= 0) return put(w, '1') && put_get(w, (uint32_t)number);
    return put(w, 0x91) && memoize(w, &s->h);
}

/* false: not plain, or raised. */
static bool save(writer *w, value v)
{
    w->work++;
    if (w->frame != SIZE_MAX && w->out.len - w->frame >= FRAME_TARGET + FRAME_HEAD) close_frame(w);
    if (value_is_none(v)) return put(w, 'N');
    if (value_is_bool(v)) return put(w, value_is(v, V_TRUE) ? 0x88 : 0x89);
    if (value_is_int(v)) return save_int(w, v);
    if (value_is_float(v)) return save_float(w, value_as_float(v));
    if (!value_is_obj(v)) return false;
    object *o = value_as_obj(v);
    int64_t number = memo_find(w, o);
    if (number >= 0) return put_get(w, (uint32_t)number);
    if (o->shape == TYPE_STR) return save_str(w, AS(str, v));
    if (o->shape == TYPE_BYTES) return save_bytes(w, AS(bytes, v));
    if (o->shape == TYPE_INT) return save_int(w, v);
    if (w->nest == NEST_MOST || (uintptr_t)__builtin_frame_address(0) < w->vm->thread->c_stack_low) return false;
    w->nest++;
    bool ok = o->shape == TYPE_LIST        ? save_list(w, AS(list, v))
              : o->shape == TYPE_TUPLE     ? save_tuple(w, AS(tuple, v))
              : o->shape == TYPE_DICT      ? save_dict(w, AS(dict, v))
              : o->shape == TYPE_SET       ? save_set(w, AS(set, v))
              : o->shape == TYPE_FROZENSET ? save_frozenset(w, AS(set, v))
                                           : false;
    w->nest--;
    return ok;
}

/* Work in proportion, charged at once: a safepoint. */
static bool charge(vm *vm, size_t work)
{
    enum { PORTION = 1 << 20 };
    for (; work > PORTION; work -= PORTION)
        if (!vm_tick(vm, PORTION)) return false;
    return vm_tick(vm, (uint32_t)work);
}

FN(p_dumps)
{
    writer w = {.vm = vm, .frame = SIZE_MAX};
    int protocol;
    if (!args_int(vm, args[1], 4, &protocol)) return V_ERROR;
    if (protocol != 4 && protocol != 5) return V_NONE;
    bb_init(&w.out, vm);
    uint8_t *p = bb_reserve(&w.out, 2) ? w.out.data : NULL;
    if (!p) return V_ERROR;
    p[0] = 0x80;
    p[1] = (uint8_t)protocol;
    w.out.len = 2;
    bool ok = save(&w, args[0]) && put(&w, '.');
    memo_free(&w);
    close_frame(&w);
    if (!ok || w.out.failed) {
        bb_drop(&w.out);
        return raised(vm) ? V_ERROR : V_NONE;
    }
    size_t work = w.work + w.out.len / 64;
    bytes *b = bb_finish(&w.out);
    ROOTS(vm, &b);
    return b && charge(vm, work) ? value_obj(b) : V_ERROR;
}

/* ---- reading ---- */

typedef struct reader {
    vm *vm;
    const uint8_t *p, *end;
    list *stack, *memo;
    size_t marks[MARKS_MOST], nmarks;
} reader;

static uint64_t number_at(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* A number of n bytes; false: the data ends. */
static bool take(reader *r, unsigned n, uint64_t *out)
{
    if ((size_t)(r->end - r->p) < n) return false;
    *out = number_at(r->p, n);
    r->p += n;
    return true;
}

static const uint8_t *take_data(reader *r, unsigned n, size_t *len)
{
    uint64_t size;
    if (!take(r, n, &size) || size > (size_t)(r->end - r->p)) return NULL;
    *len = (size_t)size;
    r->p += size;
    return r->p - size;
}

static bool push(reader *r, value v) { return !value_is_error(v) && list_push(r->vm, r->stack, v); }

static bool push_text(reader *r, unsigned n)
{
    size_t len;
    int order = 0;
    const uint8_t *p = take_data(r, n, &len);
    str *s = p ? codec_decode_fast(r->vm, CODEC_UTF8, p, len, &order) : NULL;
    return s && push(r, value_obj(s));
}

static bool push_bytes(reader *r, unsigned n)
{
    size_t len;
    const uint8_t *p = take_data(r, n, &len);
    return p && push(r, value_obj(bytes_new(r->vm, p, len)));
}

static bool push_long(reader *r)
{
    size_t n;
    const uint8_t *p = take_data(r, 1, &n);
    if (!p || n > 8) return false;
    uint64_t v = number_at(p, (unsigned)n);
    if (n && n < 8 && p[n - 1] & 0x80) v |= UINT64_MAX << 8 * n;
    return push(r, int_from_i64(r->vm, (int64_t)v));
}

/* The stack's items above the last mark begin here, SIZE_MAX: there is none. They are to be cut off. */
static size_t pop_mark(reader *r)
{
    if (!r->nmarks) return SIZE_MAX;
    size_t at = r->marks[--r->nmarks];
    return at <= r->stack->len ? at : SIZE_MAX;
}

/* What a code may take begins here: above the last mark. */
static size_t bottom(const reader *r) { return r->nmarks ? r->marks[r->nmarks - 1] : 0; }
static bool has(const reader *r, size_t n) { return r->stack->len >= bottom(r) + n; }

/* What lies at `at` and above becomes one value. */
static bool replace(reader *r, size_t at, value v)
{
    if (value_is_error(v)) return false;
    r->stack->len = at;
    return push(r, v);
}

static bool make_tuple(reader *r, size_t at)
{
    return at <= r->stack->len &&
           replace(r, at, value_obj(tuple_from(r->vm, r->stack->items + at, r->stack->len - at)));
}

static bool add_items(reader *r, size_t at)
{
    if (at <= bottom(r) || at > r->stack->len || !value_is_exact(r->stack->items[at - 1], TYPE_LIST)) return false;
    list *l = AS(list, r->stack->items[at - 1]);
    for (size_t i = at; i < r->stack->len; i++) {
        if (!list_push(r->vm, l, r->stack->items[i])) return false;
    }
    r->stack->len = at;
    return true;
}

static bool set_items(reader *r, size_t at)
{
    if (at <= bottom(r) || at > r->stack->len || (r->stack->len - at) & 1) return false;
    if (!value_is_exact(r->stack->items[at - 1], TYPE_DICT)) return false;
    dict *d = AS(dict, r->stack->items[at - 1]);
    for (size_t i = at; i < r->stack->len; i += 2) {
        if (!dict_set(r->vm, d, r->stack->items[i], r->stack->items[i + 1])) return false;
    }
    r->stack->len = at;
    return true;
}

static bool add_members(reader *r, set *s, size_t at)
{
    uint64_t hash;
    for (size_t i = at; i < r->stack->len; i++) {
        value v = r->stack->items[i];
        if (!dict_hash_key(r->vm, v, &hash) || !set_add_hashed(r->vm, s, v, hash)) return false;
    }
    r->stack->len = at;
    return true;
}

static bool memo_put(reader *r, uint64_t i)
{
    if (!has(r, 1) || i != r->memo->len) return false; /* other orders are for the script half */
    return list_push(r->vm, r->memo, r->stack->items[r->stack->len - 1]);
}

static bool memo_get(reader *r, unsigned n)
{
    uint64_t i;
    return take(r, n, &i) && i < r->memo->len && push(r, r->memo->items[i]);
}

/* One code. 1: done, 0: not plain or raised. */
static bool step(reader *r, uint8_t code)
{
    vm *vm = r->vm;
    uint64_t n;
    size_t at, len = r->stack->len;
    double x;
    set *s;
    switch (code) {
    case 0x80: return take(r, 1, &n) && n <= 5;
    case 0x95: return take(r, 8, &n) && n <= (size_t)(r->end - r->p);
    case 'N': return push(r, V_NONE);
    case 0x88: return push(r, V_TRUE);
    case 0x89: return push(r, V_FALSE);
    case 'K': return take(r, 1, &n) && push(r, value_int((int64_t)n));
    case 'M': return take(r, 2, &n) && push(r, value_int((int64_t)n));
    case 'J': return take(r, 4, &n) && push(r, value_int((int32_t)(uint32_t)n));
    case 0x8A: return push_long(r);
    case 'G':
        if (!take(r, 8, &n)) return false;
        n = __builtin_bswap64(n);
        memcpy(&x, &n, 8);
        return push(r, value_float(x));
    case 0x8C: return push_text(r, 1);
    case 'X': return push_text(r, 4);
    case 0x8D: return push_text(r, 8);
    case 'C': return push_bytes(r, 1);
    case 'B': return push_bytes(r, 4);
    case 0x8E: return push_bytes(r, 8);
    case ']': return push(r, value_obj(list_new(vm, 0)));
    case '}': return push(r, value_obj(dict_new(vm)));
    case 0x8F: return push(r, value_obj((object *)set_new(vm, TYPE_SET)));
    case ')': return push(r, value_obj(tuple_new(vm, 0)));
    case 0x85:
    case 0x86:
    case 0x87: return has(r, (size_t)(code - 0x84)) && make_tuple(r, len - (size_t)(code - 0x84));
    case 't': return (at = pop_mark(r)) != SIZE_MAX && make_tuple(r, at);
    case '(':
        if (r->nmarks == MARKS_MOST) return false;
        r->marks[r->nmarks++] = len;
        return true;
    case 'a': return has(r, 2) && add_items(r, len - 1);
    case 'e': return (at = pop_mark(r)) != SIZE_MAX && add_items(r, at);
    case 's': return has(r, 3) && set_items(r, len - 2);
    case 'u': return (at = pop_mark(r)) != SIZE_MAX && set_items(r, at);
    case 0x90:
        at = pop_mark(r);
        return at != SIZE_MAX && at > bottom(r) && value_is_exact(r->stack->items[at - 1], TYPE_SET) &&
               add_members(r, AS(set, r->stack->items[at - 1]), at);
    case 0x91:
        at = pop_mark(r);
        s = at == SIZE_MAX ? NULL : set_new(vm, TYPE_FROZENSET);
        return s && add_members(r, s, at) && push(r, value_obj((object *)s));
    case 0x94: return memo_put(r, r->memo->len);
    case 'q': return take(r, 1, &n) && memo_put(r, n);
    case 'r': return take(r, 4, &n) && memo_put(r, n);
    case 'h': return memo_get(r, 1);
    case 'j': return memo_get(r, 4);
    default: return false;
    }
}

FN(p_loads)
{
    value data = args[0];
    if (!value_is_exact(data, TYPE_BYTES)) return V_NONE;
    reader r = {.vm = vm, .p = AS(bytes, data)->data, .end = AS(bytes, data)->data + AS(bytes, data)->len};
    r.stack = list_new(vm, 16);
    r.memo = r.stack ? list_new(vm, 16) : NULL;
    if (!r.memo) return V_ERROR;
    ROOTS(vm, &data, &r.stack, &r.memo);
    for (size_t n = 1; r.p < r.end; n++) {
        uint8_t code = *r.p++;
        if (code == '.' && r.stack->len && !r.nmarks) {
            value v = r.stack->items[r.stack->len - 1];
            return value_obj(tuple_from(vm, &v, 1));
        }
        if (!step(&r, code)) break;
        if (n % TICK == 0 && !vm_tick(vm, TICK)) return V_ERROR;
    }
    if (raised(vm) && !exc_clear_if(vm, EXC_TypeError)) return V_ERROR;
    return V_NONE;
}

static const native_def functions[] = {
    {"dumps(obj, protocol, /)", p_dumps, "The pickle (protocol 4 or 5) of plain data, or None.", 0},
    {"loads(data, /)", p_loads, "A tuple of the object that a pickle of plain data has, or None.", 0},
    {0},
};

bool pickle_plain_init(vm *vm, module *m) { return module_add_natives(vm, m, functions); }
