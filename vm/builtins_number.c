/* builtins: functions about numbers and characters. */
#include "builtins.h"
#include "bytes.h"
#include "native.h"
#include "str.h"

#define DOC_FILE vm_builtins_number
DOC_BEGIN;

NATIVE(b_abs)
{
    if (value_is_int(a[0]) && value_as_int(a[0]) >= 0) return a[0];
    type *t = type_of(vm, a[0]);
    return t->s.abs ? t->s.abs(vm, a[0]) : raise_type_error(vm, "bad operand type for abs(): '%T'", a[0]);
}

NATIVE(b_round)
{
    value f = type_lookup_special(vm, a[0], N(vm, __round__));
    if (value_is_unbound(f))
        return raised(vm) ? V_ERROR : raise_type_error(vm, "type %T doesn't define __round__ method", a[0]);
    return value_is_unbound(a[1]) || value_is_none(a[1]) ? vm_call0(vm, f) : vm_call1(vm, f, a[1]);
}

NATIVE(b_divmod) { return obj_binary(vm, OPR_DIVMOD, a[0], a[1]); }

NATIVE(b_pow) { return obj_pow3(vm, a[0], a[1], value_is_unbound(a[2]) ? V_NONE : a[2]); }

static value with_prefix(vm *vm, value v, int base, char letter)
{
    v = obj_index(vm, v);
    if (value_is_error(v)) return V_ERROR;
    str *s = int_to_str(vm, v, base);
    if (!s) return V_ERROR;
    bool negative = s->len && str_at(s, 0) == '-';
    str_builder b;
    sb_init(&b, vm);
    if (negative) sb_char(&b, '-');
    sb_char(&b, '0');
    sb_char(&b, (uint32_t)letter);
    sb_range(&b, s, negative, s->len);
    s = sb_finish(&b);
    return s ? value_obj(s) : V_ERROR;
}
NATIVE(b_hex) { return with_prefix(vm, a[0], 16, 'x'); }
NATIVE(b_oct) { return with_prefix(vm, a[0], 8, 'o'); }
NATIVE(b_bin) { return with_prefix(vm, a[0], 2, 'b'); }

NATIVE(b_chr)
{
    int c;
    if (value_is_int(a[0]) && (uint64_t)value_as_int(a[0]) < 256) return value_obj(vm->chars[value_as_int(a[0])]);
    if (!args_int(vm, a[0], 0, &c)) return V_ERROR;
    if (c < 0 || c > (int)CP_MAX) return raise_value_error(vm, "chr() arg not in range(0x110000)");
    str *s = str_char1(vm, (uint32_t)c);
    return s ? value_obj(s) : V_ERROR;
}

NATIVE(b_ord)
{
    const uint8_t *p;
    size_t len;
    if (IS_STR(a[0])) {
        len = AS(str, a[0])->len;
        if (len == 1) return value_int(str_at(AS(str, a[0]), 0));
    } else if ((IS_BYTES(a[0]) || IS_BYTEARRAY(a[0])) && buffer_view(vm, a[0], &p, &len)) {
        if (len == 1) return value_int(p[0]);
    } else {
        return raise_type_error(vm, "ord() expected string of length 1, but %T found", a[0]);
    }
    return raise_type_error(vm, "ord() expected a character, but string of length %zu found", len);
}

const native_def builtins_numbers[] = {
    {"abs(x, /)", b_abs, DOC("Return the absolute value of the argument."), 0},
    {"round(number, ndigits=None)", b_round, DOC("Round a number to a given precision in decimal digits."), 0},
    {"divmod(x, y, /)", b_divmod, DOC("Return the tuple (x//y, x%y)."), 0},
    {"pow(base, exp, mod=None)", b_pow,
     DOC("Equivalent to base**exp with 2 arguments or base**exp % mod with 3 arguments."), 0},
    {"hex(number, /)", b_hex, DOC("Return the hexadecimal representation of an integer."), 0},
    {"oct(number, /)", b_oct, DOC("Return the octal representation of an integer."), 0},
    {"bin(number, /)", b_bin, DOC("Return the binary representation of an integer."), 0},
    {"chr(i, /)", b_chr, DOC("Return a Unicode string of one character with ordinal i; 0 <= i <= 0x10ffff."), 0},
    {"ord(c, /)", b_ord, DOC("Return the Unicode code point for a one-character string."), 0},
    {0},
};
