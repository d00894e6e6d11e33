/* Tuples with named fields. An instance is a K_TUPLE; its hidden fields are in attribute slots that
 * belong to the type (type.nmembers of them), so a subclass may have attributes of its own. */
#include "structseq.h"

#include "module_state.h"
#include "vm/attr.h"
#include "vm/shape.h"
#include "vm/str.h"

static bool is_hidden(const getset_def *f);

#define X(N)                                      \
    value structseq_item_##N(vm *vm, value self)  \
    {                                             \
        const tuple *t = AS(tuple, self);         \
        (void)vm;                                 \
        return N < t->len ? t->items[N] : V_NONE; \
    }
STRUCTSEQ_ITEMS(X)
#undef X
#define X(N)                                                             \
    value structseq_hidden_##N(vm *vm, value self)                       \
    {                                                                    \
        const value *slots = object_slots(vm, value_as_obj(self), NULL); \
        return slots && !value_is_unbound(slots[N]) ? slots[N] : V_NONE; \
    }
STRUCTSEQ_HIDDENS(X)
#undef X

static bool is_hidden(const getset_def *f)
{
#define X(N) || f->get == structseq_hidden_##N
    return false STRUCTSEQ_HIDDENS(X);
#undef X
}

struct shape_of_seq {
    uint32_t visible, total;
    const getset_def *fields;
};

/* t may be a subclass made by script. */
static struct shape_of_seq seq_of(const type *t)
{
    struct shape_of_seq s = {0};
    while (t->flags & TF_HEAP) t = t->base;
    s.fields = t->getsets;
    for (const getset_def *f = s.fields; f->name; f++, s.total++) s.visible += !is_hidden(f);
    return s;
}

value structseq_new(vm *vm, type *t, const value *values)
{
    struct shape_of_seq s = seq_of(t);
    tuple *o = gc_new(vm, K_TUPLE, t->root_shape, sizeof *o + (s.visible + 1) * sizeof(value));
    if (!o) return V_ERROR;
    o->len = s.visible;
    memcpy(o->items, values, s.visible * sizeof(value));
    if (s.total == s.visible) return value_obj(o);
    value *slots = slots_reserve(vm, &o->h, s.total - s.visible - 1);
    if (!slots) return V_ERROR;
    memcpy(slots, values + s.visible, (s.total - s.visible) * sizeof(value));
    return value_obj(o);
}

static value seq_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    value in[2], values[STRUCTSEQ_MAX_VISIBLE + STRUCTSEQ_MAX_HIDDEN];
    if (!args_bind(vm, "structseq(sequence, dict={})", args, nargs, kwnames, in)) return V_ERROR;
    value seq = in[0], more = in[1];
    struct shape_of_seq s = seq_of(t);
    tuple *items = NULL;
    ROOTS(vm, &items, &more, &t);
    if (!(items = obj_to_tuple(vm, seq)))
        return exc_clear_if(vm, EXC_TypeError) ? raise_type_error(vm, "constructor requires a sequence") : V_ERROR;
    size_t n = items->len;
    if (!value_is_unbound(more) && !IS_DICT(more))
        return raise_type_error(vm, "%N() takes a dict as second arg, if any", t);
    if (n < s.visible || n > s.total)
        return raise_type_error(vm, "%N() takes a%s %d-sequence (%d-sequence given)", t,
                                s.visible == s.total ? ""
                                : n < s.visible      ? "n at least"
                                                     : "n at most",
                                n < s.visible ? (int)s.visible : (int)s.total, (int)n);
    for (size_t i = 0; i < s.total; i++) {
        values[i] = V_NONE;
        if (i < n) {
            values[i] = items->items[i];
        } else if (!value_is_unbound(more)) {
            str *key = str_intern_utf8(vm, s.fields[i].name, strlen(s.fields[i].name));
            value v = key ? dict_get_str(vm, AS(dict, more), key) : V_UNBOUND;
            if (raised(vm)) return V_ERROR;
            if (!value_is_unbound(v)) values[i] = v;
        }
    }
    return structseq_new(vm, t, values);
}

static value seq_repr(vm *vm, value self)
{
    const tuple *o = AS(tuple, self);
    struct shape_of_seq s = seq_of(type_of(vm, self));
    str *name = str_format(vm, "%T", self);
    if (!name || !vm_enter(vm)) return V_ERROR;
    ROOTS(vm, &o);
    str_builder b;
    sb_init(&b, vm);
    sb_str(&b, name);
    bool ok = true;
    for (size_t i = 0; ok && i < s.visible && i < o->len; i++) {
        sb_cstr(&b, i ? ", " : "(");
        sb_cstr(&b, s.fields[i].name);
        sb_char(&b, '=');
        str *r = obj_repr(vm, o->items[i]);
        if (r) sb_str(&b, r);
        ok = r != NULL;
    }
    vm_leave(vm);
    sb_char(&b, ')');
    if (ok) return str_value(sb_finish(&b));
    sb_drop(&b);
    return V_ERROR;
}

/* (type, (items, {hidden fields})) */
static value seq_reduce(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)nargs, (void)kwnames;
    const tuple *o = AS(tuple, args[0]);
    struct shape_of_seq s = seq_of(type_of(vm, args[0]));
    tuple *items = tuple_from(vm, o->items, o->len), *pair;
    dict *d = dict_new(vm);
    if (!items || !d) return V_ERROR;
    for (uint32_t i = s.visible; i < s.total; i++) {
        str *key = str_intern_utf8(vm, s.fields[i].name, strlen(s.fields[i].name));
        if (!key || !dict_set_str(vm, d, key, s.fields[i].get(vm, args[0]))) return V_ERROR;
    }
    pair = tuple_pack(vm, 2, value_obj(items), value_obj(d));
    pair = pair ? tuple_pack(vm, 2, value_obj(type_of(vm, args[0])), value_obj(pair)) : NULL;
    return pair ? value_obj(pair) : V_ERROR;
}

static void fill(struct type_slots *s)
{
    s->new_ = seq_new;
    s->repr = seq_repr;
}

static bool add_class_attributes(vm *vm, type *t)
{
    struct shape_of_seq s = seq_of(t);
    tuple *names = tuple_new(vm, s.visible);
    if (!names) return false;
    for (uint32_t i = 0; i < s.visible; i++) {
        str *name = str_intern_utf8(vm, s.fields[i].name, strlen(s.fields[i].name));
        if (!name) return false;
        names->items[i] = value_obj(name);
    }
    return type_add_attribute(vm, t, "n_sequence_fields", value_int(s.visible)) &&
           type_add_attribute(vm, t, "n_fields", value_int(s.total)) &&
           type_add_attribute(vm, t, "n_unnamed_fields", value_int(0)) &&
           type_add_attribute(vm, t, "__match_args__", value_obj(names));
}

type *structseq_type(vm *vm, const structseq_spec *spec)
{
    static const native_def methods[] = {{"__reduce__(self, /)", seq_reduce, NULL, 0}, {0}};
    uint16_t hidden = 0;
    for (const getset_def *f = spec->fields; f->name; f++) hidden += is_hidden(f);
    type_spec ts = {.name = spec->name,
                    .doc = spec->doc,
                    .methods = methods,
                    .getsets = spec->fields,
                    .base_id = TYPE_TUPLE,
                    .fill = fill,
                    .nslots = hidden};
    type *t = type_from_spec(vm, &ts);
    ROOTS(vm, &t);
    return t && add_class_attributes(vm, t) ? t : NULL;
}
