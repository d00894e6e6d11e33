/* re.Pattern: its methods but sub(), the scanner behind finditer(), and the module _re. */
#include "re_module.h"
#include "vm/bytes.h"
#include "vm/iter.h"
#include "vm/list.h"
#include "vm/str.h"
#include "vm/type_parts.h"

#define DOC_FILE stdlib_re_pattern
DOC_BEGIN;

static void pattern_traverse(vm *vm, object *o) { gc_mark_values(vm, &re_pattern_of(value_obj(o))->pattern, 5); }
static void pattern_free(vm *vm, object *o)
{
    (void)vm;
    struct re_pattern *p = re_pattern_of(value_obj(o));
    for (int m = 0; m < RE_MODES; m++)
        for (int w = 0; w < RE_WIDTHS; w++)
            if (p->code[m][w].code) p->code[m][w].free(p->code[m][w].code);
}
static const type_layout pattern_layout = {
    .size = sizeof(struct re_pattern), .traverse = pattern_traverse, .free = pattern_free};

/* pattern(source, flags, parts, groups, groupindex, names, order, repeated): for re itself. */
FN(f_pattern)
{
    int64_t flags, groups;
    if (!int_as_i64(vm, args[1], &flags) || !int_as_i64(vm, args[3], &groups)) return V_ERROR;
    if (!IS_LIST(args[2]) || !IS_DICT(args[4]) || !IS_TUPLE(args[5]) || !IS_TUPLE(args[6]) || groups < 0 ||
        groups > UINT16_MAX || AS(tuple, args[5])->len != (size_t)groups + 1)
        return raise_type_error(vm, "_re.pattern() is for the module re");
    const tuple *order = AS(tuple, args[6]);
    for (size_t i = 0; i < order->len; i++)
        if (!value_is_int(order->items[i]) || value_as_int(order->items[i]) < 1 ||
            value_as_int(order->items[i]) > groups)
            return raise_type_error(vm, "_re.pattern() is for the module re");
    void *o = userdata_new(vm, module_state_type(vm, STATE_RE_PATTERN));
    if (!o) return V_ERROR;
    struct re_pattern *p = re_pattern_of(value_obj(o));
    p->pattern = args[0];
    p->parts = args[2];
    p->groupindex = args[4];
    p->names = args[5];
    p->order = args[6];
    p->flags = flags;
    p->groups = (uint32_t)groups;
    p->repeated = value_is(args[7], V_TRUE);
    p->is_bytes = !IS_STR(args[0]);
    return value_obj(o);
}

/* ---- searching once ---- */

/* pos and endpos as CPython adjusts them. false: raised. */
static bool bounds(vm *vm, value self, value string, value pos, value endpos, int64_t *start, int64_t *end)
{
    ROOTS(vm, &self, &string, &endpos);
    if (!args_ssize(vm, pos, 0, start) || !args_ssize(vm, endpos, INT64_MAX, end)) return false;
    int64_t n = re_subject_length(vm, re_pattern_of(self), string);
    if (n < 0) return false;
    *start = *start < 0 ? 0 : *start > n ? n : *start;
    *end = *end < 0 ? 0 : *end > n ? n : *end;
    return true;
}

static value find(vm *vm, value *args, enum re_mode mode)
{
    int64_t start, end;
    const size_t *span;
    if (!bounds(vm, args[0], args[1], args[2], args[3], &start, &end)) return V_ERROR;
    int r = re_exec(vm, args[0], args[1], mode, (size_t)start, (size_t)end, false, &span);
    if (r <= 0) return r ? V_ERROR : V_NONE;
    return re_match_new(vm, args[0], args[1], start, end, span);
}
FN(p_match) { return find(vm, args, RE_MATCH); }
FN(p_fullmatch) { return find(vm, args, RE_FULLMATCH); }
FN(p_search) { return find(vm, args, RE_SEARCH); }

/* ---- searching on: after an empty match the next one may not be empty at the same place ---- */

static value empty_text(vm *vm, value string)
{
    return IS_STR(string) ? value_obj(vm->empty_str) : value_obj(vm->empty_bytes);
}

FN(p_findall)
{
    value self = args[0], string = args[1];
    int64_t start, end;
    if (!bounds(vm, self, string, args[2], args[3], &start, &end)) return V_ERROR;
    list *all = list_new(vm, 0);
    if (!all) return V_ERROR;
    ROOTS(vm, &all);
    size_t at = (size_t)start;
    for (bool not_empty = false;;) {
        const size_t *span;
        int r = re_exec(vm, self, string, RE_SEARCH, at, (size_t)end, not_empty, &span);
        if (r < 0) return V_ERROR;
        if (!r) return value_obj(all);
        uint32_t groups = re_pattern_of(self)->groups;
        value item;
        if (groups <= 1) {
            const size_t *g = span + 2 * groups;
            item = g[0] == SIZE_MAX ? empty_text(vm, string) : re_slice(vm, string, g[0], g[1]);
        } else {
            tuple *t = tuple_new(vm, groups);
            if (!t) return V_ERROR;
            for (uint32_t i = 0; i < groups; i++) {
                const size_t *g = span + 2 * (i + 1);
                t->items[i] = g[0] == SIZE_MAX ? empty_text(vm, string) : re_slice(vm, string, g[0], g[1]);
                if (value_is_error(t->items[i])) return V_ERROR;
            }
            item = value_obj(t);
        }
        at = span[1];
        not_empty = span[0] == span[1];
        if (value_is_error(item) || !list_push(vm, all, item)) return V_ERROR;
    }
}

FN(p_split)
{
    value self = args[0], string = args[1];
    int64_t max, start, end;
    if (!args_ssize(vm, args[2], 0, &max) || !bounds(vm, self, string, V_UNBOUND, V_UNBOUND, &start, &end))
        return V_ERROR;
    list *parts = list_new(vm, 0);
    if (!parts) return V_ERROR;
    ROOTS(vm, &parts);
    size_t at = 0, last = 0;
    bool not_empty = false;
    for (int64_t n = 0; !max || n < max; n++) {
        const size_t *span;
        int r = re_exec(vm, self, string, RE_SEARCH, at, (size_t)end, not_empty, &span);
        if (r < 0) return V_ERROR;
        if (!r) break;
        if (!list_push(vm, parts, re_slice(vm, string, last, span[0]))) return V_ERROR;
        for (uint32_t g = 1; g <= re_pattern_of(self)->groups; g++) {
            value v = span[2 * g] == SIZE_MAX ? V_NONE : re_slice(vm, string, span[2 * g], span[2 * g + 1]);
            if (value_is_error(v) || !list_push(vm, parts, v)) return V_ERROR;
        }
        at = last = span[1];
        not_empty = span[0] == span[1];
    }
    value rest = re_slice(vm, string, last, (size_t)end);
    return !value_is_error(rest) && list_push(vm, parts, rest) ? value_obj(parts) : V_ERROR;
}

/* ---- the scanner ---- */

struct scanner {
    value pattern, string;
    int64_t at, start, end;
    bool not_empty, done;
};
static struct scanner *scanner_of(value v) { return (struct scanner *)(void *)AS(userdata, v)->body; }
static void scanner_traverse(vm *vm, object *o) { gc_mark_values(vm, &scanner_of(value_obj(o))->pattern, 2); }
static const type_layout scanner_layout = {.size = sizeof(struct scanner), .traverse = scanner_traverse};

static value scan(vm *vm, value self, enum re_mode mode)
{
    struct scanner *s = scanner_of(self);
    const size_t *span;
    if (s->done) return V_NONE;
    ROOTS(vm, &self);
    int r = re_exec(vm, s->pattern, s->string, mode, (size_t)s->at, (size_t)s->end, s->not_empty, &span);
    if (r <= 0) {
        s->done = true;
        return r ? V_ERROR : V_NONE;
    }
    int64_t from = s->at;
    s->at = (int64_t)span[1];
    s->not_empty = span[0] == span[1];
    return re_match_new(vm, s->pattern, s->string, from == s->start ? from : s->start, s->end, span);
}
FN(s_match) { return scan(vm, args[0], RE_MATCH); }
FN(s_search) { return scan(vm, args[0], RE_SEARCH); }
static const native_def scanner_methods[] = {
    {"match(self, /)", s_match, DOC("The match at the current position."), 0},
    {"search(self, /)", s_search, DOC("The next match."), 0},
    {0},
};
static value scanner_pattern(vm *vm UNUSED_ARG, value self) { return scanner_of(self)->pattern; }
static const getset_def scanner_getsets[] = {
    {"pattern", scanner_pattern, getset_readonly, DOC("The pattern.")},
    {0},
};
static const type_spec scanner_spec = {
    .name = "_sre.SRE_Scanner", .layout = &scanner_layout, .methods = scanner_methods, .getsets = scanner_getsets};

FN(p_scanner)
{
    int64_t start, end;
    if (!bounds(vm, args[0], args[1], args[2], args[3], &start, &end)) return V_ERROR;
    void *o = userdata_new(vm, module_state_type(vm, STATE_RE_SCANNER));
    if (!o) return V_ERROR;
    *scanner_of(value_obj(o)) = (struct scanner){args[0], args[1], start, start, end, false, false};
    return value_obj(o);
}
FN(p_finditer)
{
    value s = p_scanner(vm, args, nargs, kwnames);
    if (value_is_error(s)) return V_ERROR;
    ROOTS(vm, &s);
    str *name = str_intern_utf8(vm, "search", 6);
    value search = name ? obj_getattr(vm, s, name) : V_ERROR;
    return value_is_error(search) ? V_ERROR : iter_new_callable(vm, search, V_NONE);
}

/* ---- the rest ---- */

FN(p_sub) { return re_pattern_sub(vm, args, false); }
FN(p_subn) { return re_pattern_sub(vm, args, true); }
FN(p_self) { return args[0]; }

static const native_def pattern_methods[] = {
    {"match(self, /, string, pos=0, endpos=sys.maxsize)", p_match, DOC("Match at the start of the string, or None."),
     0},
    {"fullmatch(self, /, string, pos=0, endpos=sys.maxsize)", p_fullmatch, DOC("Match with the whole string, or None."),
     0},
    {"search(self, /, string, pos=0, endpos=sys.maxsize)", p_search, DOC("The first match in the string, or None."), 0},
    {"sub(self, /, repl, string, count=0)", p_sub, DOC("The string with the leftmost matches replaced by repl."), 0},
    {"subn(self, /, repl, string, count=0)", p_subn, DOC("The tuple (new string, number of replacements)."), 0},
    {"findall(self, /, string, pos=0, endpos=sys.maxsize)", p_findall, DOC("A list of the texts of all matches."), 0},
    {"split(self, /, string, maxsplit=0)", p_split, DOC("The string's parts between matches."), 0},
    {"finditer(self, /, string, pos=0, endpos=sys.maxsize)", p_finditer, DOC("An iterator over all matches."), 0},
    {"scanner(self, /, string, pos=0, endpos=sys.maxsize)", p_scanner,
     DOC("An object that finds one match after the other."), 0},
    {"__copy__(self, /)", p_self, DOC("The pattern itself."), 0},
    {"__deepcopy__(self, memo, /)", p_self, DOC("The pattern itself."), 0},
    CLASS_GETITEM_METHOD,
    {0},
};

static value get_pattern(vm *vm UNUSED_ARG, value self) { return re_pattern_of(self)->pattern; }
static value get_flags(vm *vm, value self) { return int_from_i64(vm, re_pattern_of(self)->flags); }
static value get_groups(vm *vm UNUSED_ARG, value self) { return value_int(re_pattern_of(self)->groups); }
static value get_groupindex(vm *vm, value self) { return mappingproxy_new(vm, re_pattern_of(self)->groupindex); }
static const getset_def pattern_getsets[] = {
    {"pattern", get_pattern, getset_readonly, DOC("The source.")},
    {"flags", get_flags, getset_readonly, DOC("The flags.")},
    {"groups", get_groups, getset_readonly, DOC("The number of groups.")},
    {"groupindex", get_groupindex, NULL, DOC("The named groups' numbers.")},
    {0},
};

static value pattern_repr(vm *vm, value self)
{
    static const struct {
        int flag;
        const char *name;
    } names[] = {
        {RE_TEMPLATE, "TEMPLATE"},   {RE_IGNORECASE, "IGNORECASE"}, {RE_LOCALE, "LOCALE"},
        {RE_MULTILINE, "MULTILINE"}, {RE_DOTALL, "DOTALL"},         {RE_UNICODE, "UNICODE"},
        {RE_VERBOSE, "VERBOSE"},     {RE_DEBUG, "DEBUG"},           {RE_ASCII, "ASCII"},
    };
    const struct re_pattern *p = re_pattern_of(self);
    int64_t flags = p->flags;
    if (!p->is_bytes && (flags & (RE_LOCALE | RE_UNICODE | RE_ASCII)) == RE_UNICODE) flags &= ~(int64_t)RE_UNICODE;
    ROOTS(vm, &self);
    str *source = obj_repr(vm, p->pattern);
    if (!source) return V_ERROR;
    str_builder b;
    sb_init(&b, vm);
    sb_cstr(&b, "re.compile(");
    sb_range(&b, source, 0, source->len < 200 ? source->len : 200);
    const char *before = ", ";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(flags & names[i].flag)) continue;
        flags &= ~(int64_t)names[i].flag;
        sb_cstr(&b, before);
        sb_cstr(&b, "re.");
        sb_cstr(&b, names[i].name);
        before = "|";
    }
    if (flags) {
        sb_cstr(&b, before);
        str *hex = int_to_str(vm, value_int(flags), 16);
        if (!hex) {
            sb_drop(&b);
            return V_ERROR;
        }
        sb_cstr(&b, "0x");
        sb_str(&b, hex);
    }
    sb_char(&b, ')');
    return str_value(sb_finish(&b));
}

static value pattern_compare(vm *vm, value a, value b, enum compare_op op)
{
    type *t = module_state_type(vm, STATE_RE_PATTERN);
    if ((op != CMP_EQ && op != CMP_NE) || type_of(vm, a) != t || type_of(vm, b) != t) return V_NOTIMPLEMENTED;
    const struct re_pattern *p = re_pattern_of(a), *q = re_pattern_of(b);
    int same = p == q                                               ? 1
               : p->flags != q->flags || p->is_bytes != q->is_bytes ? 0
                                                                    : obj_equal(vm, p->pattern, q->pattern);
    return same < 0 ? V_ERROR : value_bool(same == (op == CMP_EQ));
}

static bool pattern_hash(vm *vm, value self, uint64_t *out)
{
    const struct re_pattern *p = re_pattern_of(self);
    int64_t flags = p->flags;
    if (!obj_hash(vm, p->pattern, out)) return false;
    *out ^= (uint64_t)flags * 0x9E3779B97F4A7C15u;
    return true;
}

static void pattern_fill(struct type_slots *s)
{
    s->repr = pattern_repr;
    s->compare = pattern_compare;
    s->hash = pattern_hash;
}
static const type_spec pattern_spec = {.name = "re.Pattern",
                                       .doc = "Compiled regular expression object.",
                                       .layout = &pattern_layout,
                                       .methods = pattern_methods,
                                       .getsets = pattern_getsets,
                                       .fill = pattern_fill};

FN(f_configure)
{
    return module_state_set(vm, STATE_RE_EMIT, args[0]) && module_state_set(vm, STATE_RE_TEMPLATE, args[1]) &&
                   module_state_set(vm, STATE_RE_ERROR, args[2])
               ? V_NONE
               : V_ERROR;
}

static const native_def functions[] = {
    {"pattern(source, flags, parts, groups, groupindex, names, order, repeated, /)", f_pattern,
     DOC("A Pattern, from what re's parser made."), 0},
    {"configure(emit, template, error, /)", f_configure, DOC("Tell what re's parser offers."), 0},
    {0},
};

bool re_init(vm *vm, module *m)
{
    return re_engine_open(vm) && module_add_type(vm, m, STATE_RE_PATTERN, &pattern_spec) && re_match_open(vm, m) &&
           module_state_make(vm, STATE_RE_SCANNER, &scanner_spec) &&
           module_add(vm, m, "NEW_WORDS", value_bool(re_engine_new_words(vm))) && module_add_natives(vm, m, functions);
}
