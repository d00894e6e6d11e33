/* Exception objects: construction, fields, text. exc_raise.c has the functions by which C code raises.
 *
 * Fields of the classes that have some (exception.field[]):
 *   StopIteration 0 value            SystemExit 0 code          ImportError 0 msg, 1 name, 2 path
 *   AttributeError 0 name, 1 obj     NameError 0 name           OSError 0 errno, 1 strerror, 2 filename, 3 filename2
 *   SyntaxError 0 msg, 1 filename, 2 lineno, 3 offset, 4 text, 5 [end_lineno, end_offset, print_file_and_line]
 *   UnicodeError 0 encoding, 1 object, 2 start, 3 end, 4 reason BaseExceptionGroup 0 message, 1 exceptions (tuple)
 * An unset field is unbound and reads as None (or raises AttributeError where CPython's does).
 */
#include "exception.h"

#include "buffer.h"
#include "attr.h"
#include "list.h"
#include "native.h"
#include "str.h"

#define DOC_FILE vm_exception
DOC_BEGIN;

exception *exc_alloc(vm *vm, type *cls)
{
    exception *e = gc_new(vm, K_EXCEPTION, cls->root_shape, sizeof *e);
    if (!e) return NULL;
    e->cause = e->context = V_NONE;
    e->args = value_obj(vm->empty_tuple);
    return e;
}

/* ---- construction ---- */

value exc_slot_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    (void)kw;
    ROOT_SPAN(vm, args, n);
    exception *e = exc_alloc(vm, t);
    if (!e) return V_ERROR;
    ROOTS(vm, &e);
    tuple *a = tuple_from(vm, args, n);
    if (!a) return V_ERROR;
    e->args = value_obj(a);
    return value_obj(e);
}

static bool no_keywords(vm *vm, value self, value kw)
{
    if (value_is_unbound(kw) || AS(tuple, kw)->len == 0) return true;
    raise_type_error(vm, "%T() takes no keyword arguments", self);
    return false;
}

static bool set_args(vm *vm, value self, value *args, uint32_t n)
{
    tuple *a = tuple_from(vm, args, n);
    if (!a) return false;
    AS(exception, self)->args = value_obj(a);
    gc_barrier(vm, value_as_obj(self));
    return true;
}

bool exc_slot_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    return no_keywords(vm, self, kw) && set_args(vm, self, args, n);
}

static bool stop_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    if (!exc_slot_init(vm, self, args, n, kw)) return false;
    AS(exception, self)->field[0] = n ? args[0] : V_NONE;
    return true;
}

static bool exit_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    if (!exc_slot_init(vm, self, args, n, kw)) return false;
    AS(exception, self)->field[0] = n == 0 ? V_NONE : n == 1 ? args[0] : AS(exception, self)->args;
    return true;
}

/* Keywords into fields: names[i] -> field index; anything else is a TypeError. */
static bool keyword_fields(vm *vm, value self, value *vals, value kw, const char *const *names, const uint8_t *fields,
                           const char *who)
{
    if (value_is_unbound(kw)) return true;
    tuple *t = AS(tuple, kw);
    for (size_t i = 0; i < t->len; i++) {
        size_t k = 0;
        while (names[k] && !str_equal_ascii(AS(str, t->items[i]), names[k])) k++;
        if (!names[k]) {
            raise_type_error(vm, "'%U' is an invalid keyword argument for %s", t->items[i], who);
            return false;
        }
        AS(exception, self)->field[fields[k]] = vals[i];
    }
    gc_barrier(vm, value_as_obj(self));
    return true;
}

static bool import_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    static const char *const names[] = {"name", "path", NULL};
    static const uint8_t fields[] = {1, 2};
    if (!set_args(vm, self, args, n)) return false;
    exception *e = AS(exception, self);
    e->field[0] = n == 1 ? args[0] : V_NONE;
    e->field[1] = e->field[2] = V_NONE;
    return keyword_fields(vm, self, args + n, kw, names, fields, "ImportError()");
}
static bool attribute_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    static const char *const names[] = {"name", "obj", NULL};
    static const uint8_t fields[] = {0, 1};
    return set_args(vm, self, args, n) && keyword_fields(vm, self, args + n, kw, names, fields, "AttributeError()");
}
static bool name_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    static const char *const names[] = {"name", NULL};
    static const uint8_t fields[] = {0};
    return set_args(vm, self, args, n) && keyword_fields(vm, self, args + n, kw, names, fields, "NameError()");
}

static bool syntax_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    if (!exc_slot_init(vm, self, args, n, kw)) return false;
    exception *e = AS(exception, self);
    if (n >= 1) e->field[0] = args[0];
    if (n != 2) return true;
    ROOTS(vm, &self);
    tuple *t = obj_to_tuple(vm, args[1]);
    if (!t) return false;
    if (t->len != 4 && t->len != 6) {
        if (t->len == 5) raise_type_error(vm, "end_offset must be provided when end_lineno is provided");
        else
            raise_type_error(vm, "function takes at %s arguments (%zu given)", t->len < 4 ? "least 4" : "most 6",
                             t->len);
        return false;
    }
    for (int i = 0; i < 4; i++) e->field[1 + i] = t->items[i];
    if (t->len == 6) {
        list *l = list_new(vm, 3);
        if (!l) return false;
        list_append(vm, l, t->items[4]);
        list_append(vm, l, t->items[5]);
        list_append(vm, l, V_NONE);
        e->field[5] = value_obj(l);
    }
    gc_barrier(vm, e);
    return true;
}

static value oserror_new(vm *vm, type *t, value *args, uint32_t n, value kw);
static bool oserror_init(vm *vm, value self, value *args, uint32_t n, value kw);

/* Does __init__ look at the arguments? Only where a subclass has its own __init__ but not its own __new__. */
static bool oserror_by_init(const type *t) { return t->s.init != oserror_init && t->s.new_ == oserror_new; }

static bool oserror_take_arguments(vm *vm, value self, value *args, uint32_t n)
{
    exception *e = AS(exception, self);
    if (n < 2 || n > 5) return true;
    ROOTS(vm, &self);
    e->field[0] = args[0];
    e->field[1] = args[1];
    if (n >= 3 && type_of(vm, self) == EXC_T(vm, BlockingIOError) && (int_is(args[2]) || value_is_float(args[2]))) {
        int64_t written; /* the number of characters_written in the place of a file name */
        if (!obj_as_index(vm, args[2], &written, EXC_ValueError)) return false;
        if (written != -1) e->field[4] = args[2];
    } else if (n >= 3 && !value_is_none(args[2])) {
        e->field[2] = args[2];
        if (n == 5 && !value_is_none(args[4])) e->field[3] = args[4];
        tuple *two = tuple_pack(vm, 2, args[0], args[1]);
        if (!two) return false;
        e->args = value_obj(two);
    }
    gc_barrier(vm, e);
    return true;
}

static value oserror_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    int64_t err;
    if (t == EXC_T(vm, OSError) && n >= 2 && n <= 5 && value_is_int(args[0]) && int_to_i64(vm, args[0], &err)) {
        unsigned id = os_error_class(err);
        if (id) t = vm->types[id];
    }
    bool by_init = oserror_by_init(t);
    value self = exc_slot_new(vm, t, args, by_init ? 0 : n, kw);
    if (value_is_error(self) || by_init) return self;
    ROOTS(vm, &self);
    return no_keywords(vm, self, kw) && oserror_take_arguments(vm, self, args, n) ? self : V_ERROR;
}
static bool oserror_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    if (!oserror_by_init(type_of(vm, self))) return true; /* __new__ has done it all */
    tuple *t = n ? tuple_from(vm, args, n) : vm->empty_tuple;
    if (!no_keywords(vm, self, kw) || !t) return false;
    AS(exception, self)->args = value_obj(t);
    gc_barrier(vm, value_as_obj(self));
    return oserror_take_arguments(vm, self, args, n);
}

static bool unicode_fields(vm *vm, value self, value *args, uint32_t n, bool has_encoding, unsigned object_kind,
                           const char *object_name)
{
    uint32_t want = has_encoding ? 5 : 4;
    if (n != want) {
        raise_type_error(vm, "function takes exactly %d arguments (%d given)", (int)want, (int)n);
        return false;
    }
    exception *e = AS(exception, self);
    uint32_t i = 0;
    if (has_encoding) {
        if (!IS_STR(args[0])) {
            raise_type_error(vm, "argument 1 must be str, not %A", args[0]);
            return false;
        }
        e->field[0] = args[i++];
    }
    if (!value_is_kind(args[i], object_kind) && !(object_kind == K_BYTES && value_is_kind(args[i], K_BYTEARRAY))) {
        raise_type_error(vm,
                         object_kind == K_BYTES ? "a bytes-like object is required, not '%T'"
                                                : "argument %s must be str, not %A",
                         object_kind == K_BYTES ? (const char *)NULL : object_name, args[i]);
        return false;
    }
    for (int f = 1; f < 5; f++) e->field[f] = args[i++];
    gc_barrier(vm, e);
    return true;
}
static bool decode_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    if (!exc_slot_init(vm, self, args, n, kw)) return false;
    if (n != 5 || value_is_kind(args[1], K_BYTES)) return unicode_fields(vm, self, args, n, true, K_BYTES, "2");
    const uint8_t *p;
    size_t len;
    if (!buffer_need(vm, args[1], &p, &len)) return false;
    value plain[5]; /* `object` is bytes, whatever it was made of; `args` has the argument itself */
    memcpy(plain, args, sizeof plain);
    ROOTS(vm, &self);
    ROOT_SPAN(vm, plain, 5);
    plain[1] = value_obj(bytes_new(vm, p, len));
    return !value_is_error(plain[1]) && unicode_fields(vm, self, plain, n, true, K_BYTES, "2");
}
static bool encode_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    return exc_slot_init(vm, self, args, n, kw) && unicode_fields(vm, self, args, n, true, K_STR, "2");
}
static bool translate_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    return exc_slot_init(vm, self, args, n, kw) && unicode_fields(vm, self, args, n, false, K_STR, "1");
}

/* ---- text ---- */

static value exc_slot_str(vm *vm, value self)
{
    tuple *t = AS(tuple, AS(exception, self)->args);
    str *s = t->len == 0 ? vm->empty_str : t->len == 1 ? obj_str(vm, t->items[0]) : obj_str(vm, value_obj(t));
    return s ? value_obj(s) : V_ERROR;
}
static value exc_slot_repr(vm *vm, value self)
{
    tuple *t = AS(tuple, AS(exception, self)->args);
    str *s = t->len == 1 ? str_format(vm, "%T(%R)", self, t->items[0]) : str_format(vm, "%T%R", self, value_obj(t));
    return s ? value_obj(s) : V_ERROR;
}
static value keyerror_str(vm *vm, value self)
{
    tuple *t = AS(tuple, AS(exception, self)->args);
    if (t->len != 1) return exc_slot_str(vm, self);
    str *s = obj_repr(vm, t->items[0]);
    return s ? value_obj(s) : V_ERROR;
}
static value import_str(vm *vm, value self)
{
    value msg = AS(exception, self)->field[0];
    return value_is_exact(msg, TYPE_STR) ? msg : exc_slot_str(vm, self);
}
static value oserror_str(vm *vm, value self)
{
    exception *e = AS(exception, self);
    value *f = e->field;
    str *s;
    if (!value_is_unbound(f[2])) {
        if (!value_is_unbound(f[3])) s = str_format(vm, "[Errno %S] %S: %R -> %R", f[0], f[1], f[2], f[3]);
        else s = str_format(vm, "[Errno %S] %S: %R", f[0], f[1], f[2]);
    } else if (!value_is_unbound(f[0]) && !value_is_unbound(f[1])) {
        s = str_format(vm, "[Errno %S] %S", f[0], f[1]);
    } else {
        return exc_slot_str(vm, self);
    }
    return s ? value_obj(s) : V_ERROR;
}
static value syntax_str(vm *vm, value self)
{
    exception *e = AS(exception, self);
    value msg = value_is_unbound(e->field[0]) ? V_NONE : e->field[0], file = e->field[1];
    bool has_file = IS_STR(file), has_line = int_is(e->field[2]);
    str *base = NULL, *s;
    if (has_file) {
        str *f = AS(str, file);
        size_t cut = 0;
        for (size_t i = 0; i < f->len; i++)
            if (str_at(f, i) == '/') cut = i + 1;
        base = str_substr(vm, f, cut, f->len);
        if (!base) return V_ERROR;
    }
    if (has_file && has_line) s = str_format(vm, "%S (%U, line %S)", msg, value_obj(base), e->field[2]);
    else if (has_file) s = str_format(vm, "%S (%U)", msg, value_obj(base));
    else if (has_line) s = str_format(vm, "%S (line %S)", msg, e->field[2]);
    else s = obj_str(vm, msg);
    return s ? value_obj(s) : V_ERROR;
}

static value unicode_str(vm *vm, value self)
{
    exception *e = AS(exception, self);
    int64_t start, end;
    if (value_is_unbound(e->field[1])) return value_obj(vm->empty_str);
    if (!int_to_i64(vm, e->field[2], &start) || !int_to_i64(vm, e->field[3], &end)) return exc_slot_str(vm, self);
    bool decode = value_isa_id(vm, self, EXC_UnicodeDecodeError),
         encode = value_isa_id(vm, self, EXC_UnicodeEncodeError);
    str *s = NULL;
    static const char hex[] = "0123456789abcdef";
    if (decode) {
        const uint8_t *p;
        size_t n;
        if (!buffer_view(vm, e->field[1], &p, &n)) return exc_slot_str(vm, self);
        if (start >= 0 && (size_t)start < n && end == start + 1) {
            char h[3] = {hex[p[start] >> 4], hex[p[start] & 15], 0};
            s = str_format(vm, "'%S' codec can't decode byte 0x%s in position %ld: %S", e->field[0], h, start,
                           e->field[4]);
        } else {
            s = str_format(vm, "'%S' codec can't decode bytes in position %ld-%ld: %S", e->field[0], start, end - 1,
                           e->field[4]);
        }
        return s ? value_obj(s) : V_ERROR;
    }
    if (!IS_STR(e->field[1])) return exc_slot_str(vm, self);
    str *o = AS(str, e->field[1]);
    if (start >= 0 && (size_t)start < o->len && end == start + 1) {
        uint32_t c = str_at(o, (size_t)start);
        char h[12];
        int digits = c <= 0xff ? 2 : c <= 0xffff ? 4 : 8, at = 0;
        h[at++] = '\\';
        h[at++] = digits == 2 ? 'x' : digits == 4 ? 'u' : 'U';
        for (int i = digits - 1; i >= 0; i--) h[at++] = hex[c >> (4 * i) & 15];
        h[at] = 0;
        if (encode)
            s = str_format(vm, "'%S' codec can't encode character '%s' in position %ld: %S", e->field[0], h, start,
                           e->field[4]);
        else s = str_format(vm, "can't translate character '%s' in position %ld: %S", h, start, e->field[4]);
    } else if (encode) {
        s = str_format(vm, "'%S' codec can't encode characters in position %ld-%ld: %S", e->field[0], start, end - 1,
                       e->field[4]);
    } else {
        s = str_format(vm, "can't translate characters in position %ld-%ld: %S", start, end - 1, e->field[4]);
    }
    return s ? value_obj(s) : V_ERROR;
}

/* ---- attributes ---- */

static value get_args(vm *vm, value self)
{
    (void)vm;
    return AS(exception, self)->args;
}
static bool put_args(vm *vm, value self, value v)
{
    if (value_is_unbound(v)) {
        raise_type_error(vm, "args may not be deleted");
        return false;
    }
    tuple *t = obj_to_tuple(vm, v);
    if (!t) return false;
    AS(exception, self)->args = value_obj(t);
    gc_barrier(vm, value_as_obj(self));
    return true;
}
static value get_cause(vm *vm, value self)
{
    (void)vm;
    return AS(exception, self)->cause;
}
static value get_context(vm *vm, value self)
{
    (void)vm;
    return AS(exception, self)->context;
}
static bool put_link(vm *vm, value self, value v, bool cause)
{
    const char *what = cause ? "cause" : "context";
    if (value_is_unbound(v)) {
        raise_type_error(vm, "__%s__ may not be deleted", what);
        return false;
    }
    if (!value_is_none(v) && !IS_EXC(v)) {
        raise_type_error(vm, "exception %s must be None or derive from BaseException", what);
        return false;
    }
    exception *e = AS(exception, self);
    if (cause) {
        e->cause = v;
        e->h.flags |= EXC_SUPPRESS_CONTEXT;
    } else {
        e->context = v;
    }
    gc_barrier(vm, e);
    return true;
}
static bool put_cause(vm *vm, value self, value v) { return put_link(vm, self, v, true); }
static bool put_context(vm *vm, value self, value v) { return put_link(vm, self, v, false); }
static value get_suppress(vm *vm, value self)
{
    (void)vm;
    return value_bool(value_as_obj(self)->flags & EXC_SUPPRESS_CONTEXT);
}
static bool put_suppress(vm *vm, value self, value v)
{
    if (value_is_unbound(v) || !value_is_bool(v)) {
        raise_type_error(vm, value_is_unbound(v) ? "can't delete numeric/char attribute"
                                                 : "attribute value type must be bool");
        return false;
    }
    object *o = value_as_obj(self);
    o->flags = (uint16_t)((o->flags & ~EXC_SUPPRESS_CONTEXT) | (value_is(v, V_TRUE) ? EXC_SUPPRESS_CONTEXT : 0));
    return true;
}
static value get_traceback(vm *vm, value self) { return exc_get_traceback(vm, self); }
static bool put_traceback(vm *vm, value self, value v)
{
    if (value_is_unbound(v)) {
        raise_type_error(vm, "__traceback__ may not be deleted");
        return false;
    }
    if (!value_is_none(v) && !value_is_kind(v, K_TRACEBACK)) {
        raise_type_error(vm, "__traceback__ must be a traceback or None");
        return false;
    }
    exception *e = AS(exception, self);
    e->traceback = v;
    e->ntb = 0;
    gc_barrier(vm, e);
    return true;
}
static value with_traceback(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return put_traceback(vm, a[0], a[1]) ? a[0] : V_ERROR;
}
static value add_note(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (!IS_STR(a[1])) return raise_type_error(vm, "note must be a str, not '%T'", a[1]);
    value notes = obj_getattr_opt(vm, a[0], N(vm, __notes__)); /* an attribute like any other */
    if (raised(vm)) return V_ERROR;
    if (value_is_unbound(notes)) {
        list *l = list_new(vm, 1);
        if (!l || !obj_setattr(vm, a[0], N(vm, __notes__), value_obj(l))) return V_ERROR;
        notes = value_obj(l);
    }
    if (!IS_LIST(notes)) return raise_type_error(vm, "Cannot add note: __notes__ is not a list");
    return list_append(vm, AS(list, notes), a[1]) ? V_NONE : V_ERROR;
}
static value set_state(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    if (value_is_none(a[1])) return V_NONE;
    if (!IS_DICT(a[1])) return raise_type_error(vm, "state is not a dictionary");
    size_t pos = 0;
    value k, v;
    while (dict_next(AS(dict, a[1]), &pos, &k, &v))
        if (IS_STR(k) && !obj_setattr(vm, a[0], AS(str, k), v)) return V_ERROR;
    return V_NONE;
}
/* An OSError's arguments with the file names, which `args` is without. */
static value oserror_args(vm *vm, exception *e)
{
    value name = e->field[2], name2 = e->field[3];
    const tuple *two = AS(tuple, e->args);
    if (two->len != 2 || value_is_unbound(name)) return e->args;
    bool both = !value_is_unbound(name2);
    return value_obj(both ? tuple_pack(vm, 5, two->items[0], two->items[1], name, V_NONE, name2)
                          : tuple_pack(vm, 3, two->items[0], two->items[1], name));
}

static bool is_unset(value v) { return value_is_unbound(v) || value_is_none(v); }

/* An ImportError's __dict__ with name and path, which are no arguments. */
static dict *import_state(vm *vm, exception *e, dict *d)
{
    static const char *const names[] = {"name", "path"};
    if (is_unset(e->field[1]) && is_unset(e->field[2])) return d;
    dict *state = dict_copy(vm, d);
    ROOTS(vm, &state);
    for (size_t i = 0; state && i < 2; i++) {
        str *name = str_from_cstr(vm, names[i]);
        value v = e->field[1 + i];
        if (!name || (!is_unset(v) && !dict_set_str(vm, state, name, v))) return NULL;
    }
    return state;
}

static value exc_reduce(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    value cls = value_obj(type_of(vm, a[0]));
    dict *d = object_dict(vm, a[0]);
    if (!d) return V_ERROR;
    value args = AS(exception, a[0])->args;
    if (value_isa(vm, a[0], EXC_T(vm, OSError)) && value_is_error(args = oserror_args(vm, AS(exception, a[0]))))
        return V_ERROR;
    if (value_isa(vm, a[0], EXC_T(vm, ImportError)) && !(d = import_state(vm, AS(exception, a[0]), d))) return V_ERROR;
    tuple *t = d->used ? tuple_pack(vm, 3, cls, args, value_obj(d)) : tuple_pack(vm, 2, cls, args);
    return t ? value_obj(t) : V_ERROR;
}

/* field[i] as an attribute: None when unset. */
#define FIELD(I)                                          \
    static value get_field##I(vm *vm, value self)         \
    {                                                     \
        (void)vm;                                         \
        value v = AS(exception, self)->field[I];          \
        return value_is_unbound(v) ? V_NONE : v;          \
    }                                                     \
    static bool put_field##I(vm *vm, value self, value v) \
    {                                                     \
        AS(exception, self)->field[I] = v;                \
        gc_barrier(vm, value_as_obj(self));               \
        return true;                                      \
    }
FIELD(0)
FIELD(1)
FIELD(2)
FIELD(3)
FIELD(4)

/* SyntaxError's last three. */
static value get_extra(vm *vm, value self, size_t i)
{
    (void)vm;
    value l = AS(exception, self)->field[5];
    return IS_LIST(l) ? AS(list, l)->items[i] : V_NONE;
}
static bool put_extra(vm *vm, value self, size_t i, value v)
{
    exception *e = AS(exception, self);
    if (!IS_LIST(e->field[5])) {
        list *l = list_new(vm, 3);
        if (!l) return false;
        for (int k = 0; k < 3; k++) list_append(vm, l, V_NONE);
        e->field[5] = value_obj(l);
        gc_barrier(vm, e);
    }
    AS(list, e->field[5])->items[i] = value_is_unbound(v) ? V_NONE : v;
    list_barrier(vm, AS(list, e->field[5]), i);
    return true;
}
static value get_end_lineno(vm *vm, value self) { return get_extra(vm, self, 0); }
static value get_end_offset(vm *vm, value self) { return get_extra(vm, self, 1); }
static value get_print_file(vm *vm, value self) { return get_extra(vm, self, 2); }
static bool put_end_lineno(vm *vm, value self, value v) { return put_extra(vm, self, 0, v); }
static bool put_end_offset(vm *vm, value self, value v) { return put_extra(vm, self, 1, v); }
static bool put_print_file(vm *vm, value self, value v) { return put_extra(vm, self, 2, v); }

static const native_def base_methods[] = {
    {"with_traceback(self, object, /)", with_traceback, DOC("Set self.__traceback__ to tb and return self."), 0},
    {"add_note(self, object, /)", add_note, DOC("Add a note to the exception."), 0},
    {"__setstate__(self, object, /)", set_state, NULL, 0},
    {"__reduce__(self, /)", exc_reduce, NULL, 0},
    {0},
};
static const getset_def base_getsets[] = {
    {"args", get_args, put_args, NULL},
    {"__cause__", get_cause, put_cause, DOC("exception cause")},
    {"__context__", get_context, put_context, DOC("exception context")},
    {"__suppress_context__", get_suppress, put_suppress, NULL},
    {"__traceback__", get_traceback, put_traceback, NULL},
    {0},
};
static const getset_def stop_getsets[] = {{"value", get_field0, put_field0, DOC("generator return value")}, {0}};
static const getset_def exit_getsets[] = {{"code", get_field0, put_field0, DOC("exception code")}, {0}};
static const getset_def import_getsets[] = {
    {"msg", get_field0, put_field0, DOC("exception message")},
    {"name", get_field1, put_field1, DOC("module name")},
    {"path", get_field2, put_field2, DOC("module path")},
    {0},
};
static const getset_def attribute_getsets[] = {
    {"name", get_field0, put_field0, DOC("attribute name")}, {"obj", get_field1, put_field1, DOC("object")}, {0}};
static const getset_def name_getsets[] = {{"name", get_field0, put_field0, DOC("name")}, {0}};
static value get_written(vm *vm, value self)
{
    value v = AS(exception, self)->field[4];
    return value_is_unbound(v) ? raise(vm, EXC_AttributeError, "characters_written") : v;
}
static bool put_written(vm *vm, value self, value v)
{
    int64_t n;
    if (value_is_unbound(v)) {
        if (value_is_error(get_written(vm, self))) return false;
    } else if (!obj_as_index(vm, v, &n, EXC_ValueError)) {
        return false;
    }
    AS(exception, self)->field[4] = v;
    gc_barrier(vm, value_as_obj(self));
    return true;
}

static const getset_def os_getsets[] = {
    {"errno", get_field0, put_field0, DOC("POSIX exception code")},
    {"strerror", get_field1, put_field1, DOC("exception strerror")},
    {"filename", get_field2, put_field2, DOC("exception filename")},
    {"filename2", get_field3, put_field3, DOC("second exception filename")},
    {"characters_written", get_written, put_written, NULL},
    {0},
};
static const getset_def syntax_getsets[] = {
    {"msg", get_field0, put_field0, DOC("exception msg")},
    {"filename", get_field1, put_field1, DOC("exception filename")},
    {"lineno", get_field2, put_field2, DOC("exception lineno")},
    {"offset", get_field3, put_field3, DOC("exception offset")},
    {"text", get_field4, put_field4, DOC("exception text")},
    {"end_lineno", get_end_lineno, put_end_lineno, DOC("exception end lineno")},
    {"end_offset", get_end_offset, put_end_offset, DOC("exception end offset")},
    {"print_file_and_line", get_print_file, put_print_file, DOC("exception print_file_and_line")},
    {0},
};
static const getset_def unicode_getsets[] = {
    {"encoding", get_field0, put_field0, DOC("exception encoding")},
    {"object", get_field1, put_field1, DOC("exception object")},
    {"start", get_field2, put_field2, DOC("exception start")},
    {"end", get_field3, put_field3, DOC("exception end")},
    {"reason", get_field4, put_field4, DOC("exception reason")},
    {0},
};

static void exc_traverse(vm *vm, object *o)
{
    exception *e = (exception *)o;
    gc_mark_slots(vm, o, e->slots);
    gc_mark_value(vm, e->args);
    gc_mark_value(vm, e->cause);
    gc_mark_value(vm, e->context);
    gc_mark_value(vm, e->traceback);
    gc_mark_values(vm, e->field, 6);
    for (uint32_t i = 0; i < e->ntb; i++) gc_mark_obj(vm, &e->tb[i].code->h);
}
static void exc_free(vm *vm, object *o)
{
    exception *e = (exception *)o;
    object_slots_free(vm, o, e->slots);
    mem_free(vm, e->tb, e->captb * sizeof(tb_entry));
}
static const gc_kind_ops exc_kind_ops = {.traverse = exc_traverse, .free = exc_free};

static void fill(vm *vm, unsigned id, init_fn init, unary_fn text, const getset_def *getsets)
{
    type *t = vm->types[id];
    if (init) t->s.init = init;
    if (text) t->s.str_ = text;
    if (getsets) t->getsets = getsets;
}

void type_init_exception(vm *vm)
{
    gc_register_kind(vm, K_EXCEPTION, &exc_kind_ops);
    type *t = EXC_T(vm, BaseException);
    t->s.new_ = exc_slot_new;
    t->s.repr = exc_slot_repr;
    t->methods = base_methods;
    fill(vm, EXC_BaseException, exc_slot_init, exc_slot_str, base_getsets);
    fill(vm, EXC_StopIteration, stop_init, NULL, stop_getsets);
    fill(vm, EXC_SystemExit, exit_init, NULL, exit_getsets);
    fill(vm, EXC_KeyError, NULL, keyerror_str, NULL);
    fill(vm, EXC_ImportError, import_init, import_str, import_getsets);
    fill(vm, EXC_AttributeError, attribute_init, NULL, attribute_getsets);
    fill(vm, EXC_NameError, name_init, NULL, name_getsets);
    fill(vm, EXC_SyntaxError, syntax_init, syntax_str, syntax_getsets);
    EXC_T(vm, OSError)->s.new_ = oserror_new;
    fill(vm, EXC_OSError, oserror_init, oserror_str, os_getsets);
    fill(vm, EXC_UnicodeDecodeError, decode_init, unicode_str, unicode_getsets);
    fill(vm, EXC_UnicodeEncodeError, encode_init, unicode_str, unicode_getsets);
    fill(vm, EXC_UnicodeTranslateError, translate_init, unicode_str, unicode_getsets);
    exc_group_init(vm);
    exc_streams_init(vm);
}

bool exc_open(vm *vm)
{
    vm->memory_error = exc_new(vm, EXC_MemoryError, V_UNBOUND);
    vm->recursion_error = exc_new(vm, EXC_RecursionError, V_UNBOUND);
    if (value_is_error(vm->memory_error) || value_is_error(vm->recursion_error)) return false;
    value_as_obj(vm->memory_error)->flags |= EXC_PREALLOCATED;
    /* Room for the traceback of running out of memory. */
    exception *e = AS(exception, vm->memory_error);
    e->tb = mem_alloc(vm, 64 * sizeof(tb_entry));
    e->captb = e->tb ? 64 : 0;
    return e->tb != NULL;
}
