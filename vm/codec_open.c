/* Encoding and decoding by any codec and error handler: those of codec.c at once, others by asking the
 * module codecs, which knows some more, and where scripts register theirs. */
#include "codec.h"

#include "bytes.h"
#include "dict.h"
#include "import.h"
#include "vm.h"

/* codecs.<name>, or unbound when the module is not there and need not be. */
static value script_codec(vm *vm, const char *name, bool need)
{
    str *s = str_intern_utf8(vm, "codecs", 6);
    value m = s ? dict_get_str(vm, vm->modules, s) : V_ERROR;
    if (s && need && value_is_unbound(m) && !import_left_out(s)) m = import_module(vm, s);
    if (value_is_error(m) || value_is_unbound(m)) return m;
    str *attr = str_intern_utf8(vm, name, strlen(name));
    return attr ? obj_getattr_opt(vm, m, attr) : V_ERROR;
}

/* Is everything known here? Else *other is the function to ask. false: raised. */
static bool choose(vm *vm, value encoding, value errors, const char *function, codec_id *id, value *other)
{
    bool named = !value_is_unbound(encoding) && !value_is_none(encoding);
    *other = V_UNBOUND;
    *id = named ? codec_find(AS(str, encoding)) : CODEC_UTF8;
    if (*id != CODEC_UNKNOWN && codec_handler_known(errors)) return true;
    *other = script_codec(vm, function, *id == CODEC_UNKNOWN);
    if (raised(vm)) return false;
    if (value_is_unbound(*other)) return *id != CODEC_UNKNOWN || codec_need(vm, encoding) != CODEC_UNKNOWN;
    return true;
}

static value call_other(vm *vm, value other, value object, value encoding, value errors)
{
    value args[3] = {object, encoding, errors};
    if (value_is_unbound(encoding) || value_is_none(encoding)) {
        str *s = str_intern_utf8(vm, "utf-8", 5);
        if (!s) return V_ERROR;
        args[1] = value_obj(s);
    }
    if (value_is_unbound(errors) || value_is_none(errors)) {
        str *s = str_intern_utf8(vm, "strict", 6);
        if (!s) return V_ERROR;
        args[2] = value_obj(s);
    }
    ROOT_SPAN(vm, args, 3);
    return vm_call(vm, other, args, 3);
}

bytes *codec_encode_any(vm *vm, value encoding, str *s, value errors)
{
    codec_id id;
    value other;
    if (!choose(vm, encoding, errors, "_encode_text", &id, &other)) return NULL;
    if (value_is_unbound(other)) return codec_encode(vm, id, s, errors);
    value r = call_other(vm, other, value_obj(s), encoding, errors);
    if (value_is_error(r)) return NULL;
    if (!IS_BYTES(r)) {
        raise_type_error(
            vm, "'%S' encoder returned '%T' instead of 'bytes'; use codecs.encode() to encode to arbitrary types",
            encoding, r);
        return NULL;
    }
    return AS(bytes, r);
}

str *codec_decode_any(vm *vm, value encoding, value object, value errors)
{
    codec_id id;
    value other;
    const uint8_t *p;
    size_t n;
    if (!choose(vm, encoding, errors, "_decode_text", &id, &other)) return NULL;
    if (value_is_unbound(other))
        return buffer_need(vm, object, &p, &n) ? codec_decode(vm, id, p, n, errors, true, NULL, NULL) : NULL;
    value r = call_other(vm, other, object, encoding, errors);
    if (value_is_error(r)) return NULL;
    if (!IS_STR(r)) {
        raise_type_error(
            vm, "'%S' decoder returned '%T' instead of 'str'; use codecs.decode() to decode to arbitrary types",
            encoding, r);
        return NULL;
    }
    return AS(str, r);
}
