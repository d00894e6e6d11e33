/* Arrays in pickles: a list of items (protocols 0 to 2) or their bytes with a machine format (from
 * 3 on), which tells another machine what the bytes are. The numbers of the formats are CPython's.
 */
#include "array.h"

#include "vm/int.h"

value array_reduce(vm *vm, value *args, uint32_t nargs UNUSED_ARG, value kwnames UNUSED_ARG)
{
    int64_t protocol;
    value parts[4] = {V_UNBOUND, V_UNBOUND, V_NONE, V_UNBOUND}, self = args[0];
    ROOT_SPAN(vm, parts, 4);
    if (!int_is(args[1])) return raise_type_error(vm, "__reduce_ex__ argument should be an integer");
    if (!int_as_i64(vm, args[1], &protocol)) return V_ERROR;
    value d = obj_getattr_opt(vm, self, N(vm, __dict__));
    if (raised(vm)) return V_ERROR;
    if (!value_is_unbound(d)) parts[2] = d;
    const struct array_kind *k = array_of(self)->kind;
    parts[3] = str_value(str_char(vm, (uint32_t)k->code));
    if (value_is_error(parts[3])) return V_ERROR;
    value cls = value_obj(type_of(vm, self));
    tuple *in;
    if (protocol < 3) {
        parts[0] = cls;
        parts[1] = array_tolist(vm, self);
        in = value_is_error(parts[1]) ? NULL : tuple_pack(vm, 2, parts[3], parts[1]);
    } else {
        str *name = str_intern_utf8(vm, "array", 5);
        value m = name ? import_module(vm, name) : V_ERROR;
        name = value_is_error(m) ? NULL : str_intern_utf8(vm, "_array_reconstructor", 20);
        parts[0] = name ? obj_getattr(vm, m, name) : V_ERROR;
        if (value_is_error(parts[0])) return V_ERROR;
        parts[1] = array_tobytes(vm, self);
        if (value_is_error(parts[1])) return V_ERROR;
        bool big = ARRAY_BIG_ENDIAN && k->size > 1;
        in = tuple_pack(vm, 4, cls, parts[3], value_int(k->machine + big), parts[1]);
    }
    tuple *r = in ? tuple_pack(vm, 3, parts[0], value_obj(in), parts[2]) : NULL;
    return r ? value_obj(r) : V_ERROR;
}

/* Machine formats: what their bytes are. */
static const struct machine_format {
    uint8_t size, cls;
    bool is_signed, big;
} machine_formats[] = {
    {1, ITEM_INT, false, false},  {1, ITEM_INT, true, false},   {2, ITEM_INT, false, false},
    {2, ITEM_INT, false, true},   {2, ITEM_INT, true, false},   {2, ITEM_INT, true, true},
    {4, ITEM_INT, false, false},  {4, ITEM_INT, false, true},   {4, ITEM_INT, true, false},
    {4, ITEM_INT, true, true},    {8, ITEM_INT, false, false},  {8, ITEM_INT, false, true},
    {8, ITEM_INT, true, false},   {8, ITEM_INT, true, true},    {4, ITEM_FLOAT, true, false},
    {4, ITEM_FLOAT, true, true},  {8, ITEM_FLOAT, true, false}, {8, ITEM_FLOAT, true, true},
    {2, ITEM_CHAR, false, false}, {2, ITEM_CHAR, false, true},  {4, ITEM_CHAR, false, false},
    {4, ITEM_CHAR, false, true},
};

value array_reconstruct(vm *vm, value *args, uint32_t nargs UNUSED_ARG, value kwnames UNUSED_ARG)
{
    int format;
    if (!IS_TYPE(args[0])) return raise_type_error(vm, "first argument must be a type object, not %T", args[0]);
    if (!IS_STR(args[1]) || AS(str, args[1])->len != 1)
        return raise_type_error(vm, "_array_reconstructor() argument 2 must be a unicode character, not %T", args[1]);
    if (!args_int(vm, args[2], 0, &format)) return V_ERROR;
    if (!type_is_subtype(AS(type, args[0]), array_type(vm)))
        return raise_type_error(vm, "%N is not a subtype of %N", AS(type, args[0]), array_type(vm));
    const struct array_kind *k = array_kind_find(str_at(AS(str, args[1]), 0));
    if (!k) return raise_value_error(vm, "second argument must be a valid type code");
    if (format < 0 || (size_t)format >= sizeof machine_formats / sizeof machine_formats[0])
        return raise_value_error(vm, "third argument must be a valid machine format code.");
    if (!value_is_kind(args[3], K_BYTES))
        return raise_type_error(vm, "fourth argument should be bytes, not %T", args[3]);
    const struct machine_format *f = &machine_formats[format];
    value in[2] = {args[1], V_UNBOUND};
    ROOT_SPAN(vm, in, 2);
    if (f->cls == ITEM_CHAR) { /* text, which may be of another width */
        static const char *const names[] = {"utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"};
        str *decode = str_intern_utf8(vm, "decode", 6);
        value name = decode ? str_value(str_from_cstr(vm, names[format - 18])) : V_ERROR;
        if (value_is_error(name)) return name;
        in[1] = vm_call_method(vm, args[3], decode, &name, 1);
    } else {
        /* The items, in the kind that holds them on this machine. */
        const struct array_kind *from = NULL;
        for (size_t i = 0; i < ARRAY_KINDS && !from; i++)
            if (array_kinds[i].size == f->size && array_kinds[i].cls == f->cls &&
                array_kinds[i].is_signed == f->is_signed)
                from = &array_kinds[i];
        if (!from) return raise_value_error(vm, "unsupported machine format");
        if (k->size == f->size && k->cls == f->cls && k->is_signed == f->is_signed) from = k;
        const bytes *b = AS(bytes, args[3]);
        if (b->len % f->size)
            return raise_value_error(vm, k == from ? "bytes length not a multiple of item size"
                                                   : "string length not a multiple of item size");
        in[1] = array_from(vm, from, b->data, b->len / f->size);
        if (value_is_error(in[1])) return V_ERROR;
        if (f->big != ARRAY_BIG_ENDIAN) array_swap_items(array_of(in[1])->data, b->len / f->size, f->size);
        if (f->cls == ITEM_INT && k->cls == ITEM_INT) { /* the values decide, not the letter */
            in[0] = str_value(str_char(vm, (uint32_t)from->code));
            if (value_is_error(in[0])) return V_ERROR;
        }
    }
    return value_is_error(in[1]) ? V_ERROR : vm_call(vm, args[0], in, 2);
}
