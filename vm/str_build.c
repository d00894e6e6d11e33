/* str_builder: text that grows. Short results live in the builder itself (so in the C stack) until
 * sb_finish copies them; long ones hand their storage over to the str.
 *
 * The width only grows, when a point needs it, so the finished text has the narrowest width. A
 * failed allocation raises once and turns every later call into nothing; sb_finish then gives NULL.
 */
#include "str.h"

enum { ADOPT_MIN = 2048 };

void sb_init(str_builder *b, vm *vm)
{
    b->vm = vm;
    b->data = b->inl;
    b->len = 0;
    b->cap = sizeof b->inl;
    b->maxchar = 0;
    b->width = 1;
    b->failed = false;
}

static void release(str_builder *b)
{
    if (b->data != b->inl) mem_free(b->vm, b->data, b->cap * b->width);
    b->data = b->inl;
    b->cap = sizeof b->inl / b->width;
}

void sb_drop(str_builder *b)
{
    release(b);
    b->len = 0;
}

static bool fail(str_builder *b)
{
    release(b);
    b->len = 0;
    b->failed = true;
    return false;
}

/* cap counts points of the current width. */
static bool grow(str_builder *b, size_t n, unsigned width)
{
    if (b->failed) return false;
    size_t need;
    if (!size_add(b->len, n, &need) || need > STR_LEN_MAX) {
        raise_memory(b->vm);
        return fail(b);
    }
    if (b->data == b->inl && need * width <= sizeof b->inl) { /* widen in place, from the end */
        for (size_t i = b->len; i-- > 0;) text_put(b->inl, width, i, text_at(b->inl, b->width, i));
        b->width = (uint8_t)width;
        b->cap = sizeof b->inl / width;
        return true;
    }
    size_t cap = need + need / 2 + 64;
    if (width == b->width && b->data != b->inl) {
        void *p = mem_realloc(b->vm, b->data, b->cap * width, cap * width);
        if (!p) return fail(b);
        b->data = p;
        b->cap = cap;
        return true;
    }
    void *p = mem_alloc(b->vm, cap * width);
    if (!p) return fail(b);
    text_widen(p, width, b->data, b->width, b->len);
    release(b);
    b->data = p;
    b->width = (uint8_t)width;
    b->cap = cap;
    return true;
}

bool sb_reserve(str_builder *b, size_t n, uint32_t maxchar)
{
    unsigned width = char_width(maxchar);
    if (LIKELY(width <= b->width && n <= b->cap - b->len)) return !b->failed;
    return grow(b, n, width > b->width ? width : b->width);
}

void sb_char(str_builder *b, uint32_t cp)
{
    if (!sb_reserve(b, 1, cp)) return;
    text_put(b->data, b->width, b->len++, cp);
    b->maxchar |= cp;
}

static void append(str_builder *b, const void *p, unsigned width, size_t n, uint32_t maxchar)
{
    if (!n || !sb_reserve(b, n, maxchar)) return;
    uint8_t *d = (uint8_t *)b->data + b->len * b->width;
    if (LIKELY(width == 1 && b->width == 1)) text_copy(d, p, n);
    else if (width <= b->width) text_widen(d, b->width, p, width, n);
    else text_narrow(d, b->width, p, width, n);
    b->len += n;
    b->maxchar |= maxchar;
}

void sb_str(str_builder *b, const str *s) { append(b, s->data, str_width(s), s->len, str_maxchar(s)); }

void sb_text(str_builder *b, const void *p, unsigned width, size_t n)
{
    append(b, p, width, n, text_maxchar(p, width, n));
}

void sb_range(str_builder *b, const str *s, size_t from, size_t to)
{
    unsigned w = str_width(s);
    const void *p = text_ptr(s->data, w, from);
    append(b, p, w, to - from, str_is_ascii(s) ? 0x7F : text_maxchar(p, w, to - from));
}

void sb_ascii(str_builder *b, const char *s, size_t n) { append(b, s, 1, n, 0x7F); }

void sb_cstr(str_builder *b, const char *s)
{
    size_t n = strlen(s);
    if (ascii_prefix((const uint8_t *)s, n) == n) {
        append(b, s, 1, n, 0x7F);
        return;
    }
    str *u = b->failed ? NULL : str_new_utf8(b->vm, s, n);
    if (u) sb_str(b, u);
    else if (!b->failed) fail(b);
}

void sb_fill(str_builder *b, uint32_t cp, size_t n)
{
    if (!n || !sb_reserve(b, n, cp)) return;
    if (b->width == 1) memset((uint8_t *)b->data + b->len, (int)cp, n);
    else
        for (size_t i = 0; i < n; i++) text_put(b->data, b->width, b->len + i, cp);
    b->len += n;
    b->maxchar |= cp;
}

void sb_int(str_builder *b, int64_t n)
{
    char buf[20];
    if (n < 0) sb_ascii(b, "-", 1);
    unsigned d = u64_digits(buf, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
    sb_ascii(b, buf + 20 - d, d);
}

void sb_hex(str_builder *b, uint32_t v, unsigned digits)
{
    char buf[8];
    for (unsigned i = digits; i-- > 0; v >>= 4) buf[i] = "0123456789abcdef"[v & 15];
    sb_ascii(b, buf, digits);
}

char *sb_ascii_room(str_builder *b, size_t n)
{
    if (b->width != 1 || !sb_reserve(b, n, 0x7F)) return NULL;
    return (char *)b->data + b->len;
}

str *sb_finish(str_builder *b)
{
    vm *vm = b->vm;
    if (b->failed) return NULL;
    size_t n = b->len, size = n * b->width;
    if (n < 2 || size < ADOPT_MIN) {
        str *s;
        if (n == 0) {
            s = vm->empty_str;
        } else if (n == 1) {
            s = str_char(vm, text_at(b->data, b->width, 0));
        } else if (b->width == 1 && b->maxchar < 128) {
            s = str_from_ascii_fast(vm, b->data, n);
        } else if ((s = str_alloc(vm, n, b->width == 1 ? b->maxchar & 0xFF : b->width == 2 ? 0xFFFF : CP_MAX))) {
            memcpy(str_wdata(s), b->data, size);
        }
        sb_drop(b);
        return s;
    }
    /* A buffer with its slack, unless that is much: what is appended to the str goes there. */
    size_t cap = b->cap * b->width;
    void *p = b->data;
    if (cap > size + size / 2) {
        p = mem_realloc(vm, p, cap, size);
        if (!p) {
            fail(b);
            return NULL;
        }
        cap = size;
    }
    unsigned width = b->width;
    bool ascii = width == 1 && b->maxchar < 128;
    sb_init(b, vm);
    buffer *buf = buffer_adopt(vm, p, size, cap);
    return buf ? str_over_buffer(vm, &buf->h, buf->data, n, width, ascii) : NULL;
}
