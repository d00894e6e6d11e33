/* Case conversion and character classes of bytes and bytearray: ASCII only. */
#include "bytes.h"
#include "str_unicode.h"

/* isX() of bytes know no \x1c-\x1f as space. */
static unsigned class_of(uint8_t c)
{
    if (c >= 128) return 0;
    return c >= 28 && c <= 31 ? 0 : ascii_class[c];
}

static value all_of(value self, unsigned mask)
{
    octets o = octets_of(self);
    for (size_t i = 0; i < o.n; i++) {
        if (!(class_of(o.p[i]) & mask)) return V_FALSE;
    }
    return value_bool(o.n > 0);
}

METHOD(bytes_isalnum)
{
    (void)vm;
    return all_of(args[0], AC_ALNUM);
}
METHOD(bytes_isalpha)
{
    (void)vm;
    return all_of(args[0], AC_ALPHA);
}
METHOD(bytes_isdigit)
{
    (void)vm;
    return all_of(args[0], AC_DIGIT);
}
METHOD(bytes_isspace)
{
    (void)vm;
    octets o = octets_of(args[0]);
    for (size_t i = 0; i < o.n; i++) {
        if (o.p[i] != ' ' && (o.p[i] < 9 || o.p[i] > 13)) return V_FALSE; /* str counts 28 to 31, too */
    }
    return value_bool(o.n > 0);
}

METHOD(bytes_isascii)
{
    (void)vm;
    octets o = octets_of(args[0]);
    return value_bool(ascii_prefix(o.p, o.n) == o.n);
}

static value all_cased(value self, unsigned wanted, unsigned unwanted)
{
    octets o = octets_of(self);
    bool cased = false;
    for (size_t i = 0; i < o.n; i++) {
        unsigned c = class_of(o.p[i]);
        if (c & unwanted) return V_FALSE;
        if (c & wanted) cased = true;
    }
    return value_bool(cased);
}

METHOD(bytes_islower)
{
    (void)vm;
    return all_cased(args[0], AC_LOWER, AC_UPPER);
}
METHOD(bytes_isupper)
{
    (void)vm;
    return all_cased(args[0], AC_UPPER, AC_LOWER);
}

METHOD(bytes_istitle)
{
    (void)vm;
    octets o = octets_of(args[0]);
    bool cased = false, previous = false;
    for (size_t i = 0; i < o.n; i++) {
        unsigned c = class_of(o.p[i]);
        if ((c & AC_UPPER && previous) || (c & AC_LOWER && !previous)) return V_FALSE;
        previous = c & AC_ALPHA;
        cased = cased || previous;
    }
    return value_bool(cased);
}

typedef enum case_op { OP_UPPER, OP_LOWER, OP_SWAP, OP_TITLE, OP_CAPITALIZE } case_op;

static value convert(vm *vm, value self, case_op op)
{
    octets o = octets_of(self);
    if (op <= OP_LOWER && !o.array && o.n) { /* branch-free, so that the compiler makes it wide */
        bytes *r = bytes_alloc(vm, o.n);
        if (!r) return V_ERROR;
        uint8_t first = op == OP_UPPER ? 'a' : 'A';
        for (size_t i = 0; i < o.n; i++) r->u.inl[i] = o.p[i] ^ (uint8_t)((uint8_t)(o.p[i] - first) < 26) << 5;
        return value_obj(r);
    }
    byte_builder b;
    bb_init(&b, vm);
    if (!bb_reserve(&b, o.n)) return V_ERROR;
    bool previous = false;
    for (size_t i = 0; i < o.n; i++) {
        uint8_t c = o.p[i], up = ascii_upper(c), low = ascii_lower(c);
        switch (op) {
        case OP_UPPER: b.data[i] = up; break;
        case OP_LOWER: b.data[i] = low; break;
        case OP_SWAP: b.data[i] = c == up ? low : up; break;
        case OP_TITLE: b.data[i] = previous ? low : up; break;
        case OP_CAPITALIZE: b.data[i] = i ? low : up; break;
        }
        previous = up != low;
    }
    b.len = o.n;
    return bb_result(&b, o.array);
}

METHOD(bytes_upper) { return convert(vm, args[0], OP_UPPER); }
METHOD(bytes_lower) { return convert(vm, args[0], OP_LOWER); }
METHOD(bytes_swapcase) { return convert(vm, args[0], OP_SWAP); }
METHOD(bytes_title) { return convert(vm, args[0], OP_TITLE); }
METHOD(bytes_capitalize) { return convert(vm, args[0], OP_CAPITALIZE); }
