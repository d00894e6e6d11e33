/* Interned strings, the cached UTF-8 of strings, and the life of str, bytes and buffer objects in the heap.
 *
 * Both tables are weak. `struct interned` is open addressing with linear probing over str pointers;
 * a dead entry becomes a tombstone, which goes away at the next rehash. The collector calls
 * interned_sweep between marking and sweeping, so no lookup can find a dead string. The UTF-8 table
 * is keyed by address and emptied by the string's free function.
 */
#include "bytes.h"
#include "str.h"

struct interned {
    str **slots;
    size_t mask, used, filled; /* filled: used + tombstones */
    bool fresh;                /* some were put here since the last cycle */
};

typedef struct utf8_entry {
    const str *s; /* NULL: free; TOMB: deleted */
    char *text;
    size_t n;
} utf8_entry;

typedef struct text_state { /* vm->state[VMS_TEXT] */
    utf8_entry *entries;
    size_t mask, used, filled;
} text_state;

#define TOMB ((str *)(uintptr_t)1)
enum { INTERN_FIRST = 2048, UTF8_FIRST = 64 };

/* ---- interning ---- */

static void intern_put(struct interned *t, str *s)
{
    size_t i = s->hash & t->mask;
    while (t->slots[i] && t->slots[i] != TOMB) i = (i + 1) & t->mask;
    if (!t->slots[i]) t->filled++;
    t->slots[i] = s;
    t->used++;
    t->fresh = true;
}

static bool intern_reserve(vm *vm)
{
    struct interned *t = vm->interned;
    if (LIKELY((t->filled + 1) * 3 < (t->mask + 1) * 2)) return true;
    size_t size = INTERN_FIRST;
    while (size < t->used * 3) size *= 2;
    struct interned n = {mem_zalloc(vm, size * sizeof(str *)), size - 1, 0, 0, true};
    if (!n.slots) return false;
    for (size_t i = 0; i <= t->mask; i++) {
        if (t->slots[i] && t->slots[i] != TOMB) intern_put(&n, t->slots[i]);
    }
    mem_free(vm, t->slots, (t->mask + 1) * sizeof(str *));
    *t = n;
    return true;
}

str *str_intern(vm *vm, str *s)
{
    if (s->h.flags & STR_INTERNED) return s;
    s = str_plain(s);
    uint64_t h = str_hash_get(vm, s);
    struct interned *t = vm->interned;
    for (size_t i = h & t->mask; t->slots[i]; i = (i + 1) & t->mask) {
        str *x = t->slots[i];
        if (x != TOMB && x->hash == h && str_eq_fast(x, s)) return x;
    }
    if (!intern_reserve(vm)) return NULL;
    if (s->h.flags & STR_BUFFER) { /* don't keep a whole buffer alive */
        str *copy = str_alloc(vm, s->len, str_maxchar(s));
        if (!copy) return NULL;
        memcpy(str_wdata(copy), s->data, str_size(s));
        s = copy;
        str_hash_get(vm, s);
    }
    s->h.flags |= STR_INTERNED;
    intern_put(t, s);
    return s;
}

str *str_intern_utf8(vm *vm, const char *p, size_t n)
{
    if (n == 0) return vm->empty_str;
    if (n == 1 && (uint8_t)*p < 128) return vm->chars[(uint8_t)*p];
    if (ascii_prefix((const uint8_t *)p, n) == n) {
        uint64_t h = text_hash(vm, p, n);
        struct interned *t = vm->interned;
        for (size_t i = h & t->mask; t->slots[i]; i = (i + 1) & t->mask) {
            str *x = t->slots[i];
            if (x != TOMB && x->hash == h && x->len == n && str_is_ascii(x) && memcmp(x->data, p, n) == 0) return x;
        }
        str *s = intern_reserve(vm) ? str_alloc(vm, n, 127) : NULL;
        if (!s) return NULL;
        memcpy(str_wdata(s), p, n);
        s->hash = h;
        s->h.flags |= STR_INTERNED | STR_HASHED;
        intern_put(t, s);
        return s;
    }
    str *s = str_new_utf8(vm, p, n);
    return s ? str_intern(vm, s) : NULL;
}

bool interned_sweep(vm *vm, bool young)
{
    struct interned *t = vm->interned;
    if (!t || (young && !t->fresh)) return false;
    size_t had = t->used;
    t->fresh = false;
    for (size_t i = 0; i <= t->mask; i++) {
        str *s = t->slots[i];
        if (s && s != TOMB && !gc_is_alive(vm, &s->h)) {
            t->slots[i] = TOMB;
            t->used--;
        }
    }
    return t->used < had;
}

/* ---- the UTF-8 table ---- */

static inline size_t utf8_slot(const str *s) { return (uintptr_t)s * UINT64_C(0x9E3779B97F4A7C15) >> 20; }

static utf8_entry *utf8_find(text_state *t, const str *s)
{
    for (size_t i = utf8_slot(s) & t->mask;; i = (i + 1) & t->mask) {
        if (t->entries[i].s == s) return &t->entries[i];
        if (!t->entries[i].s) return NULL;
    }
}

static void utf8_put(text_state *t, utf8_entry e)
{
    size_t i = utf8_slot(e.s) & t->mask;
    while (t->entries[i].s && t->entries[i].s != TOMB) i = (i + 1) & t->mask;
    if (!t->entries[i].s) t->filled++;
    t->entries[i] = e;
    t->used++;
}

static bool utf8_reserve(vm *vm, text_state *t)
{
    if (t->entries && (t->filled + 1) * 3 < (t->mask + 1) * 2) return true;
    size_t size = UTF8_FIRST;
    while (size < t->used * 3) size *= 2;
    text_state n = {mem_zalloc(vm, size * sizeof(utf8_entry)), size - 1, 0, 0};
    if (!n.entries) return false;
    if (t->entries) {
        for (size_t i = 0; i <= t->mask; i++) {
            if (t->entries[i].s && t->entries[i].s != TOMB) utf8_put(&n, t->entries[i]);
        }
        mem_free(vm, t->entries, (t->mask + 1) * sizeof(utf8_entry));
    }
    *t = n;
    return true;
}

/* The cached UTF-8 of s, NUL-terminated, or NULL when there is none yet. */
const char *str_utf8_cached(vm *vm, const str *s, size_t *n)
{
    if (!(s->h.flags & STR_HAS_UTF8)) return NULL;
    utf8_entry *e = utf8_find(vm->state[VMS_TEXT], s);
    *n = e->n;
    return e->text;
}

/* Keeps `text` (n bytes and a NUL, from mem_alloc) as long as s lives; takes it also on failure. */
bool str_utf8_keep(vm *vm, str *s, char *text, size_t n)
{
    text_state *t = vm->state[VMS_TEXT];
    if (!utf8_reserve(vm, t)) {
        mem_free(vm, text, n + 1);
        return false;
    }
    utf8_put(t, (utf8_entry){s, text, n});
    s->h.flags |= STR_HAS_UTF8;
    gc_note_parts(&s->h);
    return true;
}

static void utf8_forget(vm *vm, const str *s)
{
    text_state *t = vm->state[VMS_TEXT];
    utf8_entry *e = t && t->entries ? utf8_find(t, s) : NULL;
    if (!e) return;
    mem_free(vm, e->text, e->n + 1);
    *e = (utf8_entry){TOMB, NULL, 0};
    t->used--;
}

/* ---- heap operations ---- */

static inline value **text_slots(object *o) { return (value **)((char *)o + sizeof(str)); }

/* str and bytes have the same layout as far as the collector is concerned. */
_Static_assert(sizeof(str) == sizeof(bytes) && offsetof(str, u) == offsetof(bytes, u), "shared traverse");

static void text_traverse(vm *vm, object *o)
{
    if (o->flags & STR_BUFFER) gc_mark_obj(vm, ((str *)o)->u.owner);
    if (o->shape != TYPE_STR && o->shape != TYPE_BYTES) gc_mark_slots(vm, o, *text_slots(o));
}

static void text_free(vm *vm, object *o)
{
    if (o->kind == K_STR && o->flags & STR_HAS_UTF8) utf8_forget(vm, (str *)o);
    if (o->shape != TYPE_STR && o->shape != TYPE_BYTES) object_slots_free(vm, o, *text_slots(o));
}

static void buffer_free(vm *vm, object *o)
{
    buffer *b = (buffer *)o;
    mem_free(vm, b->data, b->cap);
}

static const gc_kind_ops str_ops = {.traverse = text_traverse, .free = text_free, .tells_parts = true};
static const gc_kind_ops bytes_ops = {.traverse = text_traverse, .free = text_free, .tells_parts = true};
static const gc_kind_ops slack_ops = {.free = buffer_free};

bool str_open(vm *vm)
{
    gc_register_kind(vm, K_STR, &str_ops);
    gc_register_kind(vm, K_BYTES, &bytes_ops);
    gc_register_kind(vm, K_BUFFER, &slack_ops);
    vm->interned = mem_zalloc(vm, sizeof(struct interned));
    if (!vm->interned) return false;
    vm->interned->slots = mem_zalloc(vm, INTERN_FIRST * sizeof(str *));
    if (!vm->interned->slots) return false;
    vm->interned->mask = INTERN_FIRST - 1;
    if (!(vm->state[VMS_TEXT] = mem_zalloc(vm, sizeof(text_state)))) return false;
    str *empty = str_alloc(vm, 0, 0);
    if (!empty) return false;
    vm->empty_str = str_intern(vm, empty);
    if (!vm->empty_str) return false;
    for (uint32_t c = 0; c < 256; c++) {
        str *s = str_alloc(vm, 1, c);
        if (!s) return false;
        *(uint8_t *)str_wdata(s) = (uint8_t)c;
        if (!(vm->chars[c] = str_intern(vm, s))) return false;
    }
    return bytes_open(vm);
}

void str_close(vm *vm)
{
    if (vm->interned) {
        mem_free(vm, vm->interned->slots, (vm->interned->mask + 1) * sizeof(str *));
        mem_free(vm, vm->interned, sizeof(struct interned));
        vm->interned = NULL;
    }
    text_state *t = vm->state[VMS_TEXT];
    if (!t) return;
    for (size_t i = 0; t->entries && i <= t->mask; i++) {
        if (t->entries[i].text) mem_free(vm, t->entries[i].text, t->entries[i].n + 1);
    }
    if (t->entries) mem_free(vm, t->entries, (t->mask + 1) * sizeof(utf8_entry));
    mem_free(vm, t, sizeof *t);
    vm->state[VMS_TEXT] = NULL;
}
