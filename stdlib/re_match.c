/* re.Match: what a search found. */
#include "re_module.h"
#include "vm/bytes.h"
#include "vm/dict.h"
#include "vm/str.h"
#include "vm/type_parts.h"

#define DOC_FILE stdlib_re_match
DOC_BEGIN;

static void match_traverse(vm *vm, object *o) { gc_mark_values(vm, &re_match_of(value_obj(o))->pattern, 2); }
static void match_free(vm *vm, object *o)
{
    struct re_match *m = re_match_of(value_obj(o));
    if (m->span && m->span != m->own) mem_free(vm, m->span, 2 * ((size_t)m->groups + 1) * sizeof *m->span);
}
static const type_layout match_layout = {
    .size = sizeof(struct re_match), .traverse = match_traverse, .free = match_free};

/* The group that was closed last. Inside of repeats the order of the pattern doesn't tell: there it is the one that
 * ends last. */
static uint32_t last_group(const struct re_pattern *p, const size_t *span)
{
    const tuple *order = AS(tuple, p->order);
    uint32_t best = 0;
    for (size_t i = 0; i < order->len; i++) {
        uint32_t g = (uint32_t)value_as_int(order->items[i]);
        if (span[2 * g + 1] == SIZE_MAX) continue;
        if (!best || !p->repeated || span[2 * g + 1] >= span[2 * best + 1]) best = g;
    }
    return best;
}

value re_match_new(vm *vm, value pattern, value string, int64_t pos, int64_t endpos, const size_t *span)
{
    const struct re_pattern *p = re_pattern_of(pattern);
    void *o = userdata_new(vm, module_state_type(vm, STATE_RE_MATCH));
    if (!o) return V_ERROR;
    struct re_match *m = re_match_of(value_obj(o));
    size_t n = 2 * ((size_t)p->groups + 1);
    m->pattern = pattern;
    m->string = string;
    m->pos = pos;
    m->endpos = endpos;
    m->groups = p->groups;
    m->span = n <= sizeof m->own / sizeof *m->own ? m->own : mem_alloc(vm, n * sizeof *span);
    if (!m->span) return V_ERROR;
    memcpy(m->span, span, n * sizeof *span);
    m->last = last_group(p, span);
    return value_obj(o);
}

value re_slice(vm *vm, value string, size_t from, size_t to)
{
    if (IS_STR(string)) return str_value(str_substr(vm, str_plain(AS(str, string)), from, to));
    const uint8_t *p;
    size_t n;
    if (!buffer_need(vm, string, &p, &n)) return V_ERROR;
    if (to > n) to = n;
    if (from > to) from = to;
    if (IS_BYTES(string)) return value_obj(bytes_substr(vm, bytes_plain(AS(bytes, string)), from, to));
    return value_obj(bytes_new(vm, p + from, to - from));
}

static value text_of(vm *vm, const struct re_match *m, uint32_t g, value otherwise)
{
    return m->span[2 * g] == SIZE_MAX ? otherwise : re_slice(vm, m->string, m->span[2 * g], m->span[2 * g + 1]);
}

/* The group that an int or a name means; false: raised. Runs script: not for exact ints and strs. */
static bool group_number(vm *vm, value self, value key, uint32_t *out)
{
    const struct re_match *m = re_match_of(self);
    value n = key;
    if (!value_is_int(n)) {
        if (!IS_STR(key) && type_of(vm, key)->s.index) {
            n = obj_index(vm, key);
            if (value_is_error(n)) return false;
        } else {
            n = dict_get(vm, AS(dict, re_pattern_of(m->pattern)->groupindex), key);
            if (raised(vm)) exc_clear_if(vm, EXC_TypeError);
            if (raised(vm)) return false;
        }
    }
    if (value_is_int(n) && value_as_int(n) >= 0 && value_as_int(n) <= (int64_t)m->groups) {
        *out = (uint32_t)value_as_int(n);
        return true;
    }
    raise(vm, EXC_IndexError, "no such group");
    return false;
}

FN(m_group)
{
    value self = args[0];
    uint32_t g = 0;
    if (nargs <= 2) {
        if (nargs == 2 && !group_number(vm, self, args[1], &g)) return V_ERROR;
        return text_of(vm, re_match_of(self), g, V_NONE);
    }
    tuple *t = tuple_new(vm, nargs - 1);
    if (!t) return V_ERROR;
    for (uint32_t i = 1; i < nargs; i++) t->items[i - 1] = V_NONE;
    ROOTS(vm, &t);
    for (uint32_t i = 1; i < nargs; i++) {
        if (!group_number(vm, self, args[i], &g)) return V_ERROR;
        value v = text_of(vm, re_match_of(self), g, V_NONE);
        if (value_is_error(v)) return V_ERROR;
        t->items[i - 1] = v;
        gc_barrier(vm, t);
    }
    return value_obj(t);
}

static value match_getitem(vm *vm, value self, value key)
{
    uint32_t g;
    return group_number(vm, self, key, &g) ? text_of(vm, re_match_of(self), g, V_NONE) : V_ERROR;
}

FN(m_groups)
{
    const struct re_match *m = re_match_of(args[0]);
    value otherwise = value_is_unbound(args[1]) ? V_NONE : args[1];
    tuple *t = tuple_new(vm, m->groups);
    if (!t) return V_ERROR;
    for (uint32_t g = 1; g <= m->groups; g++) {
        t->items[g - 1] = text_of(vm, m, g, otherwise);
        if (value_is_error(t->items[g - 1])) return V_ERROR;
    }
    return value_obj(t);
}

FN(m_groupdict)
{
    const struct re_match *m = re_match_of(args[0]);
    value otherwise = value_is_unbound(args[1]) ? V_NONE : args[1], k, v;
    dict *d = dict_new(vm);
    size_t pos = 0;
    if (!d) return V_ERROR;
    while (dict_next(AS(dict, re_pattern_of(m->pattern)->groupindex), &pos, &k, &v)) {
        value text = text_of(vm, m, (uint32_t)value_as_int(v), otherwise);
        if (value_is_error(text) || !dict_set(vm, d, k, text)) return V_ERROR;
    }
    return value_obj(d);
}

static value offset(size_t at) { return value_int(at == SIZE_MAX ? -1 : (int64_t)at); }

static value span_of(vm *vm, const struct re_match *m, uint32_t g)
{
    return value_obj(tuple_pack(vm, 2, offset(m->span[2 * g]), offset(m->span[2 * g + 1])));
}

static value bound(vm *vm, value *args, unsigned which)
{
    uint32_t g = 0;
    if (!value_is_unbound(args[1]) && !group_number(vm, args[0], args[1], &g)) return V_ERROR;
    const struct re_match *m = re_match_of(args[0]);
    return which == 2 ? span_of(vm, m, g) : offset(m->span[2 * g + which]);
}
FN(m_start) { return bound(vm, args, 0); }
FN(m_end) { return bound(vm, args, 1); }
FN(m_span) { return bound(vm, args, 2); }

FN(m_expand)
{
    value self = args[0], pattern = re_match_of(self)->pattern;
    value parts = re_parse_template(vm, pattern, args[1]);
    if (value_is_error(parts)) return V_ERROR;
    const struct re_match *m = re_match_of(self);
    return re_fill_template(vm, pattern, m->string, parts, m->span);
}

FN(m_self) { return args[0]; }

static const native_def match_methods[] = {
    {"group(self, *args)", m_group, DOC("The text of a group, or a tuple of several groups' texts."), 0},
    {"groups(self, /, default=None)", m_groups, DOC("A tuple of the texts of all groups."), 0},
    {"groupdict(self, /, default=None)", m_groupdict, DOC("A dict from the names to the texts of the named groups."),
     0},
    {"start(self, group=0, /)", m_start, DOC("Where the group begins in the string, -1 if it has no part."), 0},
    {"end(self, group=0, /)", m_end, DOC("Where the group ends in the string, -1 if it has no part."), 0},
    {"span(self, group=0, /)", m_span, DOC("The tuple (start, end) of a group."), 0},
    {"expand(self, /, template)", m_expand, DOC("The template, filled in as by sub()."), 0},
    {"__copy__(self, /)", m_self, DOC("The match itself."), 0},
    {"__deepcopy__(self, memo, /)", m_self, DOC("The match itself."), 0},
    CLASS_GETITEM_METHOD,
    {0},
};

static value get_string(vm *vm UNUSED_ARG, value self) { return re_match_of(self)->string; }
static value get_re(vm *vm UNUSED_ARG, value self) { return re_match_of(self)->pattern; }
static value get_pos(vm *vm UNUSED_ARG, value self) { return value_int(re_match_of(self)->pos); }
static value get_endpos(vm *vm UNUSED_ARG, value self) { return value_int(re_match_of(self)->endpos); }
static value get_lastindex(vm *vm UNUSED_ARG, value self)
{
    uint32_t last = re_match_of(self)->last;
    return last ? value_int(last) : V_NONE;
}
static value get_lastgroup(vm *vm UNUSED_ARG, value self)
{
    const struct re_match *m = re_match_of(self);
    return m->last ? AS(tuple, re_pattern_of(m->pattern)->names)->items[m->last] : V_NONE;
}
static value get_regs(vm *vm, value self)
{
    const struct re_match *m = re_match_of(self);
    tuple *t = tuple_new(vm, m->groups + 1);
    if (!t) return V_ERROR;
    for (uint32_t g = 0; g <= m->groups; g++)
        if (value_is_error(t->items[g] = span_of(vm, m, g))) return V_ERROR;
    return value_obj(t);
}
static const getset_def match_getsets[] = {
    {"string", get_string, getset_readonly, DOC("The string that was searched.")},
    {"re", get_re, getset_readonly, DOC("The pattern.")},
    {"pos", get_pos, getset_readonly, DOC("Where the search began.")},
    {"endpos", get_endpos, getset_readonly, DOC("Where the search was to end.")},
    {"lastindex", get_lastindex, NULL, DOC("The number of the last group that matched, or None.")},
    {"lastgroup", get_lastgroup, NULL, DOC("The name of the last group that matched, or None.")},
    {"regs", get_regs, NULL, DOC("The spans of all groups.")},
    {0},
};

static value match_repr(vm *vm, value self)
{
    const struct re_match *m = re_match_of(self);
    int64_t from = (int64_t)m->span[0], to = (int64_t)m->span[1];
    value text = text_of(vm, m, 0, V_NONE);
    if (value_is_error(text)) return V_ERROR;
    return str_value(str_format(vm, "<re.Match object; span=(%ld, %ld), match=%R>", from, to, text));
}

static void match_fill(struct type_slots *s)
{
    s->getitem = match_getitem;
    s->repr = match_repr;
}
static const type_spec match_spec = {.name = "re.Match",
                                     .doc = "The result of re.match() and re.search().",
                                     .layout = &match_layout,
                                     .methods = match_methods,
                                     .getsets = match_getsets,
                                     .fill = match_fill};

bool re_match_open(vm *vm, module *m) { return module_add_type(vm, m, STATE_RE_MATCH, &match_spec); }
