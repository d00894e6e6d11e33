/* str.translate and str.maketrans. */
#include "dict.h"
#include "str.h"

#define SELF AS(str, args[0])

/* What the table says about point c: appended to b; false: raised. The plain dict of ints, strs and None
 * that maketrans makes needs no script. */
static bool translate_point(vm *vm, value table, uint32_t c, str_builder *b)
{
    value key = value_int((int64_t)c), to;
    if (value_is_exact(table, TYPE_DICT)) {
        to = dict_get(vm, AS(dict, table), key);
        if (value_is_unbound(to)) {
            if (raised(vm)) return false;
            sb_char(b, c);
            return true;
        }
    } else {
        to = obj_getitem(vm, table, key);
        if (value_is_error(to)) {
            if (!exc_clear_if(vm, EXC_LookupError)) return false;
            sb_char(b, c);
            return true;
        }
    }
    int64_t n;
    if (value_is_none(to)) return true;
    if (IS_STR(to)) {
        sb_str(b, AS(str, to));
        return true;
    }
    if (!int_is(to)) {
        raise_type_error(vm, "character mapping must return integer, None or str");
        return false;
    }
    if (!int_to_i64(vm, int_plain(vm, to), &n) || n < 0 || n > CP_MAX) {
        raise_value_error(vm, "character mapping must be in range(0x110000)");
        return false;
    }
    sb_char(b, (uint32_t)n);
    return true;
}

/* ASCII by a plain dict whose keys are ints: the table is asked once for each point. NULL: not that simple, or raised.
 */
static str *translate_ascii(vm *vm, str *s, dict *table)
{
    enum { UNKNOWN = 0x80, GONE = 0x81 };
    uint8_t map[128];
    memset(map, UNKNOWN, sizeof map);
    str *r = str_alloc(vm, s->len, 0x7F);
    if (!r) return NULL;
    uint8_t *d = str_wdata(r);
    const uint8_t *p = s->data;
    size_t n = 0;
    for (size_t i = 0; i < s->len; i++) {
        uint8_t c = p[i];
        if (UNLIKELY(map[c] == UNKNOWN)) {
            value to = dict_get_fast(vm, table, value_int(c));
            if (value_is_unbound(to)) map[c] = c; /* raises nothing: see str_translate */
            else if (value_is_none(to)) map[c] = GONE;
            else if (value_is_int(to) && (uint64_t)value_as_int(to) < 0x80) map[c] = (uint8_t)value_as_int(to);
            else if (value_is_exact(to, TYPE_STR) && AS(str, to)->len == 1 && str_is_ascii(AS(str, to)))
                map[c] = *(const uint8_t *)AS(str, to)->data;
            else return NULL;
        }
        d[n] = map[c];
        n += map[c] != GONE;
    }
    return n == s->len ? r : str_substr(vm, r, 0, n);
}

/* Are all keys small ints, so that no lookup can run script? */
static bool has_int_keys(const dict *d)
{
    value k, v;
    for (size_t pos = 0; dict_next(d, &pos, &k, &v);)
        if (!value_is_int(k)) return false;
    return true;
}

METHOD(str_translate)
{
    str *s = SELF;
    if (s->len > 1 && str_is_ascii(s) && value_is_exact(args[1], TYPE_DICT) && AS(dict, args[1])->used <= 256 &&
        has_int_keys(AS(dict, args[1]))) {
        if (!str_tick(vm, s->len)) return V_ERROR;
        str *r = translate_ascii(vm, s, AS(dict, args[1]));
        if (r) return value_obj(r);
        if (raised(vm)) return V_ERROR;
    }
    str_builder b;
    sb_init(&b, vm);
    for (size_t i = 0; i < s->len; i++) {
        if (((i & 1023) == 1023 && !vm_tick(vm, 1024)) || !translate_point(vm, args[1], str_at(s, i), &b)) {
            sb_drop(&b);
            return V_ERROR;
        }
    }
    return str_value(sb_finish(&b));
}

static value maketrans_dict(vm *vm, dict *from)
{
    value key, val;
    dict *d = dict_new(vm);
    if (!d) return V_ERROR;
    ROOTS(vm, &d, &from);
    for (size_t pos = 0; dict_next(from, &pos, &key, &val);) {
        if (IS_STR(key)) {
            if (AS(str, key)->len != 1)
                return raise_value_error(vm, "string keys in translate table must be of length 1");
            key = value_int((int64_t)str_at(AS(str, key), 0));
        } else if (!int_is(key)) {
            return raise_type_error(vm, "keys in translate table must be strings or integers");
        }
        if (!dict_set(vm, d, key, val)) return V_ERROR;
    }
    return value_obj(d);
}

/* A static method: args[0] is x. */
METHOD(str_maketrans)
{
    for (int i = 1; i < 3; i++) {
        if (!value_is_unbound(args[i]) && !IS_STR(args[i]))
            return args_need_str(vm, i == 1 ? "maketrans() argument 2" : "maketrans() argument 3", args[i]);
    }
    if (value_is_unbound(args[1])) {
        if (!value_is_exact(args[0], TYPE_DICT))
            return raise_type_error(vm, "if you give only one argument to maketrans it must be a dict");
        return maketrans_dict(vm, AS(dict, args[0]));
    }
    if (!IS_STR(args[0])) {
        return raise_type_error(vm, "first maketrans argument must be a string if there is a second argument");
    }
    const str *x = AS(str, args[0]), *y = AS(str, args[1]);
    if (x->len != y->len) return raise_value_error(vm, "the first two maketrans arguments must have equal length");
    dict *d = dict_new(vm);
    if (!d) return V_ERROR;
    ROOTS(vm, &d);
    for (size_t i = 0; i < x->len; i++) {
        if (!dict_set(vm, d, value_int((int64_t)str_at(x, i)), value_int((int64_t)str_at(y, i)))) return V_ERROR;
    }
    if (!value_is_unbound(args[2])) {
        const str *z = AS(str, args[2]);
        for (size_t i = 0; i < z->len; i++) {
            if (!dict_set(vm, d, value_int((int64_t)str_at(z, i)), V_NONE)) return V_ERROR;
        }
    }
    return value_obj(d);
}
