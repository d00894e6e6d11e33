/* str_format: the formatter for messages in C code. vm.h lists its conversions.
 *
 * %R and %S can run script, so every value among the arguments is rooted before the first conversion. */
#include <assert.h>
#include "str.h"

enum { MAX_ARGS = 16 };

typedef struct message_arg {
    char kind; /* the conversion's letter; 'l' and 'z' for %ld and %zu */
    union {
        const char *s;
        int64_t n;
        size_t z;
        value v;
        type *t;
    } u;
} message_arg;

/* Reads the argument list according to the format. */
static uint32_t collect(const char *fmt, va_list ap, message_arg *out, value *roots)
{
    uint32_t n = 0;
    for (const char *p = fmt; (p = strchr(p, '%')); p++) {
        char c = *++p;
        if (c == '%') continue;
        if (!c || n == MAX_ARGS) break;
        message_arg *a = &out[n];
        a->kind = c;
        roots[n] = V_UNBOUND;
        switch (c) {
        case 's': a->u.s = va_arg(ap, const char *); break;
        case 'd':
        case 'c':
        case 'x': a->u.n = va_arg(ap, int); break;
        case 'l':
            a->u.n = va_arg(ap, int64_t);
            p++;
            break;
        case 'z':
            a->u.z = va_arg(ap, size_t);
            p++;
            break;
        case 'N':
            a->u.t = va_arg(ap, type *);
            roots[n] = value_obj(a->u.t);
            break;
        default: /* U takes a str pointer or a value: both are the same word */
            assert(strchr("UTARS", c));
            a->u.v = va_arg(ap, value);
            roots[n] = a->u.v;
        }
        n++;
    }
    return n;
}

/* As CPython's tp_name: types of C modules have their module in front. */
static bool put_type_name(vm *vm, str_builder *b, type *t)
{
    if (!(t->flags & (TF_HEAP | TF_EXC | TF_PLAIN_NAME)) && IS_STR(t->module) &&
        AS(str, t->module) != N(vm, builtins)) {
        sb_str(b, AS(str, t->module));
        sb_char(b, '.');
    }
    sb_cstr(b, type_name(t));
    return !b->failed;
}

static bool put_arg(vm *vm, str_builder *b, const message_arg *a)
{
    str *s;
    switch (a->kind) {
    case 's': sb_cstr(b, a->u.s ? a->u.s : "(null)"); return true;
    case 'd':
    case 'l': sb_int(b, a->u.n); return true;
    case 'x': sb_hex(b, (uint32_t)a->u.n, 8); return true;
    case 'c': sb_char(b, (uint32_t)a->u.n & 0xFF); return true;
    case 'z': {
        char buf[20];
        unsigned d = u64_digits(buf, a->u.z);
        sb_ascii(b, buf + 20 - d, d);
        return true;
    }
    case 'N': return put_type_name(vm, b, a->u.t);
    case 'T': return put_type_name(vm, b, type_of(vm, a->u.v));
    case 'A': /* an argument's type, as argument parsers name it */
        if (value_is_none(a->u.v)) sb_cstr(b, "None");
        else return put_type_name(vm, b, type_of(vm, a->u.v));
        return true;
    case 'U':
        if (IS_STR(a->u.v)) sb_str(b, AS(str, a->u.v));
        return true;
    case 'R': s = obj_repr(vm, a->u.v); break;
    default: /* 'S' */ s = obj_str(vm, a->u.v);
    }
    if (s) sb_str(b, s);
    return s != NULL;
}

str *str_vformat(vm *vm, const char *fmt, va_list ap)
{
    message_arg args[MAX_ARGS];
    value roots[MAX_ARGS];
    uint32_t n = collect(fmt, ap, args, roots), i = 0;
    ROOT_SPAN(vm, roots, n);
    str_builder b;
    sb_init(&b, vm);
    for (const char *p = fmt; *p;) {
        const char *q = strchr(p, '%');
        size_t run = q ? (size_t)(q - p) : strlen(p);
        if (run) sb_text(&b, p, 1, ascii_prefix((const uint8_t *)p, run));
        if (ascii_prefix((const uint8_t *)p, run) < run) { /* formats are ASCII, but be safe */
            size_t k = ascii_prefix((const uint8_t *)p, run);
            str *rest = str_new_utf8(vm, p + k, run - k);
            if (rest) sb_str(&b, rest);
        }
        if (!q) break;
        p = q + 1;
        if (*p == '%' || !*p) {
            sb_char(&b, '%');
            if (*p) p++;
            continue;
        }
        p += *p == 'l' || *p == 'z' ? 2 : 1;
        if (i < n && !put_arg(vm, &b, &args[i++])) {
            sb_drop(&b);
            return NULL;
        }
    }
    return sb_finish(&b);
}

str *str_format(vm *vm, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    str *s = str_vformat(vm, fmt, ap);
    va_end(ap);
    return s;
}
