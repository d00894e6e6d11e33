/* The module _codecs: the VM's own encodings for codecs, piece by piece and with what a byte order mark said. */
#include "module_state.h"
#include "vm/builtins.h"
#include "vm/bytes.h"
#include "vm/codec.h"
#include "vm/str.h"
#include "vm/import.h"

#define DOC_FILE stdlib_mod_codecs
DOC_BEGIN;

static bool need_strs(vm *vm, value *a, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        if (IS_STR(a[i])) continue;
        raise_type_error(vm, "argument must be str, not %T", a[i]);
        return false;
    }
    return true;
}

FN(c_name)
{
    if (!need_strs(vm, args, 0, 1)) return V_ERROR;
    codec_id id = codec_find(AS(str, args[0]));
    if (id == CODEC_UNKNOWN) return V_NONE;
    static const char *const other[] = {[CODEC_LATIN1] = "iso8859-1",
                                        [CODEC_UNICODE_ESCAPE] = "unicode-escape",
                                        [CODEC_RAW_UNICODE_ESCAPE] = "raw-unicode-escape"};
    bool renamed = id < sizeof other / sizeof *other && other[id];
    return value_obj(str_from_cstr(vm, renamed ? other[id] : codec_name(id)));
}

FN(c_known_handler) { return need_strs(vm, args, 0, 1) ? value_bool(codec_handler_known(args[0])) : V_ERROR; }

FN(c_encode)
{
    if (!need_strs(vm, args, 0, 3)) return V_ERROR;
    codec_id id = codec_need(vm, args[1]);
    return id == CODEC_UNKNOWN ? V_ERROR : value_obj(codec_encode(vm, id, AS(str, args[0]), args[2]));
}

FN(c_decode)
{
    const uint8_t *p;
    size_t n, used = 0;
    int64_t order;
    if (!need_strs(vm, args, 1, 3) || !obj_as_index(vm, args[4], &order, 0)) return V_ERROR;
    int final = obj_truth(vm, args[3]), known = order < 0 ? -1 : order > 0;
    codec_id id = codec_need(vm, args[1]);
    if (final < 0 || id == CODEC_UNKNOWN || !buffer_need(vm, args[0], &p, &n)) return V_ERROR;
    str *s = codec_decode(vm, id, p, n, args[2], final, &used, &known);
    if (!s) return V_ERROR;
    return value_obj(tuple_pack(vm, 3, value_obj(s), value_int((int64_t)used), value_int(known)));
}

static const native_def functions[] = {
    {"name(encoding, /)", c_name, DOC("The usual name of an encoding that is built in, or None."), 0},
    {"known_handler(errors, /)", c_known_handler, DOC("Is that error handler built in?"), 0},
    {"encode(s, encoding, errors, /)", c_encode, DOC("Encode by a built-in codec and error handler."), 0},
    {"decode(data, encoding, errors, final, order, /)", c_decode,
     DOC("Decode by a built-in codec and error handler: the text, how many bytes were used, the byte order (0 not yet "
         "known, -1, 1)."),
     0},
    {0},
};

bool codecs_module_init(vm *vm, module *m) { return module_add_natives(vm, m, functions); }
