/* str.format, str.format_map and str.__format__: "{field!conversion:spec}" and its field names.
 *
 * The template is walked once; a spec that contains braces is expanded by the same routine one level
 * deeper (two levels are allowed). Values are rooted while a __format__ or an attribute runs.
 */
#include "format.h"
#include "str.h"

typedef struct fields { /* where replacement fields come from */
    vm *vm;
    value *args; /* positional, rooted by the caller */
    uint32_t nargs;
    value kwnames, *kwvals;
    value mapping;     /* format_map: unbound otherwise */
    int64_t next_auto; /* -1: numbered by hand; 0: undecided and no automatic one yet */
    bool manual, automatic;
} fields;

static bool expand(fields *f, str_builder *out, str *tpl, size_t from, size_t to, int depth);

static value keyword(fields *f, str *name)
{
    vm *vm = f->vm;
    ROOTS(vm, &name);
    if (!value_is_unbound(f->mapping)) return obj_getitem(vm, f->mapping, value_obj(name));
    uint32_t n = value_is_unbound(f->kwnames) ? 0 : (uint32_t)AS(tuple, f->kwnames)->len;
    for (uint32_t i = 0; i < n; i++) {
        if (str_eq_fast(AS(str, AS(tuple, f->kwnames)->items[i]), name)) return f->kwvals[i];
    }
    return raise_key_error(vm, value_obj(name));
}

/* Digits only: the number; -1: not a number; -2 raised. */
static int64_t index_of(vm *vm, str *s, size_t from, size_t to)
{
    int64_t n = 0;
    if (from == to) return -1;
    for (size_t i = from; i < to; i++) {
        uint32_t c = str_at(s, i);
        if (c < '0' || c > '9') return -1;
        if (n > (INT64_MAX - 9) / 10) {
            raise_value_error(vm, "Too many decimal digits in format string");
            return -2;
        }
        n = n * 10 + (c - '0');
    }
    return n;
}

static value positional(fields *f, int64_t i)
{
    if (!value_is_unbound(f->mapping)) return raise_value_error(f->vm, "Format string contains positional fields");
    if ((uint64_t)i >= f->nargs) {
        return raise(f->vm, EXC_IndexError, "Replacement index %ld out of range for positional args tuple", i);
    }
    return f->args[i];
}

/* The value of a field name: first, then .attr and [item] parts. */
static value field_value(fields *f, str *tpl, size_t from, size_t to)
{
    vm *vm = f->vm;
    size_t end = from;
    while (end < to && str_at(tpl, end) != '.' && str_at(tpl, end) != '[') end++;
    int64_t i = index_of(vm, tpl, from, end);
    if (i == -2) return V_ERROR;
    if (i >= 0 || end == from) {
        if (end == from) {
            if (f->manual)
                return raise_value_error(vm,
                                         "cannot switch from manual field specification to automatic field numbering");
            f->automatic = true;
            i = f->next_auto++;
        } else {
            if (f->automatic)
                return raise_value_error(vm,
                                         "cannot switch from automatic field numbering to manual field specification");
            f->manual = true;
        }
    }
    value v;
    if (i >= 0) {
        v = positional(f, i);
    } else {
        str *name = str_substr(vm, tpl, from, end);
        v = name ? keyword(f, name) : V_ERROR;
    }
    ROOTS(vm, &v);
    for (size_t p = end; p < to && !value_is_error(v);) {
        bool attr = str_at(tpl, p++) == '.';
        size_t start = p;
        if (attr) {
            while (p < to && str_at(tpl, p) != '.' && str_at(tpl, p) != '[') p++;
        } else {
            while (p < to && str_at(tpl, p) != ']') p++;
            if (p == to) return raise_value_error(vm, "Missing ']' in format string");
        }
        if (p == start) return raise_value_error(vm, "Empty attribute in format string");
        str *name = str_substr(vm, tpl, start, p);
        if (!name) return V_ERROR;
        ROOTS(vm, &name);
        if (attr) {
            name = str_intern(vm, name);
            v = name ? obj_getattr(vm, v, name) : V_ERROR;
            continue;
        }
        p++;
        i = index_of(vm, name, 0, name->len);
        if (i == -2) return V_ERROR;
        v = obj_getitem(vm, v, i >= 0 ? int_from_i64(vm, i) : value_obj(name));
        if (!value_is_error(v) && p < to && str_at(tpl, p) != '.' && str_at(tpl, p) != '[') {
            return raise_value_error(vm, "Only '.' or '[' may follow ']' in format field specifier");
        }
    }
    return v;
}

static bool put_field(fields *f, str_builder *out, str *tpl, size_t name_end, size_t from, uint32_t conversion,
                      bool has_spec, size_t spec_from, size_t spec_to, bool nested, int depth)
{
    vm *vm = f->vm;
    value v = field_value(f, tpl, from, name_end);
    if (value_is_error(v)) return false;
    str *spec = NULL;
    ROOTS(vm, &v, &spec);
    if (conversion) {
        str *s;
        switch (conversion) {
        case 'r': s = obj_repr(vm, v); break;
        case 's': s = obj_str(vm, v); break;
        case 'a':
            s = obj_repr(vm, v);
            if (s) s = str_ascii_escape(vm, s);
            break;
        default:
            s = format_code_name(vm, conversion);
            if (s) raise_value_error(vm, "Unknown conversion specifier %U", s);
            return false;
        }
        if (!s) return false;
        v = value_obj(s);
    }
    if (has_spec) {
        if (nested) {
            str_builder b;
            sb_init(&b, vm);
            if (!expand(f, &b, tpl, spec_from, spec_to, depth - 1)) {
                sb_drop(&b);
                return false;
            }
            spec = sb_finish(&b);
        } else {
            spec = str_substr(vm, tpl, spec_from, spec_to);
        }
        if (!spec) return false;
    }
    return format_value_to(out, v, spec);
}

/* One field from behind its '{'; *pos moves behind its '}'. */
static bool field(fields *f, str_builder *out, str *tpl, size_t *pos, size_t to, int depth)
{
    vm *vm = f->vm;
    size_t i = *pos, from = i;
    uint32_t c = 0, conversion = 0;
    bool nested = false;
    for (; i < to; i++) { /* the name ends at ! : } outside of [...] */
        c = str_at(tpl, i);
        if (c == '{') return raise_value_error(vm, "unexpected '{' in field name"), false;
        if (c == '[')
            while (i + 1 < to && str_at(tpl, i + 1) != ']') i++;
        if (c == '}' || c == ':' || c == '!') break;
    }
    if (i == to) return raise_value_error(vm, "expected '}' before end of string"), false;
    size_t name_end = i++;
    if (c == '!') {
        if (i >= to) return raise_value_error(vm, "end of string while looking for conversion specifier"), false;
        conversion = str_at(tpl, i++);
        if (i < to) {
            c = str_at(tpl, i++);
            if (c != ':' && c != '}') return raise_value_error(vm, "expected ':' after conversion specifier"), false;
        } else {
            return raise_value_error(vm, "unmatched '{' in format spec"), false;
        }
    }
    size_t spec_from = i, spec_to = i;
    bool has_spec = c == ':';
    if (has_spec) {
        size_t level = 1;
        for (;; i++) {
            if (i == to) return raise_value_error(vm, "unmatched '{' in format spec"), false;
            c = str_at(tpl, i);
            if (c == '{') {
                nested = true;
                level++;
            } else if (c == '}' && --level == 0) {
                break;
            }
        }
        spec_to = i++;
    }
    *pos = i;
    return put_field(f, out, tpl, name_end, from, conversion, has_spec, spec_from, spec_to, nested, depth);
}

static bool expand(fields *f, str_builder *out, str *tpl, size_t from, size_t to, int depth)
{
    vm *vm = f->vm;
    if (depth < 0) return raise_value_error(vm, "Max string recursion exceeded"), false;
    unsigned w = str_width(tpl);
    for (size_t i = from; i < to;) {
        size_t start = i;
        uint32_t c = 0;
        while (i < to && (c = text_at(tpl->data, w, i)) != '{' && c != '}') i++;
        sb_range(out, tpl, start, i);
        if (i == to) break;
        i++;
        if (i < to && text_at(tpl->data, w, i) == c) { /* {{ or }} */
            sb_char(out, c);
            i++;
            continue;
        }
        if (c == '}') return raise_value_error(vm, "Single '}' encountered in format string"), false;
        if (i == to) return raise_value_error(vm, "Single '{' encountered in format string"), false;
        if (!field(f, out, tpl, &i, to, depth)) return false;
    }
    return !out->failed;
}

static value format_with(fields *f, value tpl)
{
    str_builder b;
    sb_init(&b, f->vm);
    if (AS(str, tpl)->len && !str_find_char(AS(str, tpl), '{') && !str_find_char(AS(str, tpl), '}')) return tpl;
    if (expand(f, &b, AS(str, tpl), 0, AS(str, tpl)->len, 1)) return str_value(sb_finish(&b));
    sb_drop(&b);
    return V_ERROR;
}

/* Raw: args[0] is the template, then the positionals, then the values of kwnames. */
METHOD(str_format_method)
{
    fields f = {.vm = vm,
                .args = args + 1,
                .nargs = nargs - 1,
                .kwnames = kwnames,
                .kwvals = args + nargs,
                .mapping = V_UNBOUND};
    return format_with(&f, args[0]);
}

METHOD(str_format_map)
{
    fields f = {.vm = vm, .mapping = args[1]};
    return format_with(&f, args[0]);
}

METHOD(str_dunder_format)
{
    if (!IS_STR(args[1])) return args_need_str(vm, "__format__() argument", args[1]);
    if (AS(str, args[1])->len == 0) {
        return value_is_exact(args[0], TYPE_STR) ? args[0] : str_value(obj_str(vm, args[0]));
    }
    return format_str(vm, AS(str, args[0]), AS(str, args[1]));
}
