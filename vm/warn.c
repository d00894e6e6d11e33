/* Warnings: CPython's way from warn() through the filters and the registry of the place to the output.
 *
 * A filter is a tuple (action, message, category, module, line) in the list that warnings.filters is. Message and
 * module are None or patterns: plain text that must match from the start (message: in any case), in which `.*` stands
 * for anything, `\` quotes and `\Z` or `$` is the end. */
#include "warn.h"
#include "builtins.h"
#include "dict.h"
#include "exception.h"
#include "file.h"
#include "list.h"
#include "str.h"

typedef struct warn_state { /* vm->state[VMS_WARN] */
    uint64_t version;       /* registries of an older one are void */
    dict *once;
} warn_state;

static warn_state *state_of(vm *vm) { return vm->state[VMS_WARN]; }

static void mark_state(vm *vm, void *ud) { gc_mark_obj(vm, (object *)((warn_state *)ud)->once); }

list *warnings_filters(vm *vm) { return vm->warning_filters; }
void warnings_filters_changed(vm *vm) { state_of(vm)->version++; }
dict *warnings_once(vm *vm) { return state_of(vm)->once; }

static bool add_filter(vm *vm, const char *action, value message, type *category, value module, int64_t line,
                       bool front)
{
    str *a = str_intern_utf8(vm, action, strlen(action));
    tuple *t = a ? tuple_pack(vm, 5, value_obj(a), message, value_obj(category), module, value_int(line)) : NULL;
    if (!t) return false;
    warnings_filters_changed(vm);
    return front ? list_insert(vm, vm->warning_filters, 0, value_obj(t))
                 : list_append(vm, vm->warning_filters, value_obj(t));
}

bool warnings_open(vm *vm)
{
    warn_state *st = mem_zalloc(vm, sizeof *st);
    if (!st) return false;
    vm->state[VMS_WARN] = st;
    st->version = 1;
    st->once = dict_new(vm);
    if (!st->once || !gc_add_roots(vm, mark_state, st)) return false;
    vm->warning_filters = list_new(vm, 5);
    return vm->warning_filters &&
           add_filter(vm, "default", V_NONE, EXC_T(vm, DeprecationWarning), value_obj(N(vm, __main__)), 0, false) &&
           add_filter(vm, "ignore", V_NONE, EXC_T(vm, DeprecationWarning), V_NONE, 0, false) &&
           add_filter(vm, "ignore", V_NONE, EXC_T(vm, PendingDeprecationWarning), V_NONE, 0, false) &&
           add_filter(vm, "ignore", V_NONE, EXC_T(vm, ImportWarning), V_NONE, 0, false) &&
           add_filter(vm, "ignore", V_NONE, EXC_T(vm, ResourceWarning), V_NONE, 0, false);
}

void warnings_close(vm *vm)
{
    warn_state *st = state_of(vm);
    if (!st) return;
    gc_remove_roots(vm, mark_state, st);
    mem_free(vm, st, sizeof *st);
    vm->state[VMS_WARN] = NULL;
}

/* ---- -W ---- */

static const char *const actions[] = {"default", "always", "ignore", "module", "once", "error"};

static const char *full_action(const char *s, size_t n)
{
    if (n == 0) return "default";
    if (n == 3 && memcmp(s, "all", 3) == 0) return "always";
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (n <= strlen(actions[i]) && memcmp(s, actions[i], n) == 0) return actions[i];
    return NULL;
}

/* Text as a pattern that matches just it. */
static str *quoted(vm *vm, const char *s, size_t n, bool whole)
{
    str_builder b;
    sb_init(&b, vm);
    str *text = str_new_utf8(vm, s, n);
    for (size_t i = 0; text && i < text->len; i++) {
        uint32_t c = str_at(text, i);
        if (c == '.' || c == '\\' || c == '$') sb_char(&b, '\\');
        sb_char(&b, c);
    }
    if (whole) sb_cstr(&b, "\\Z");
    return sb_finish(&b);
}

/* The class that a category of -W names: in builtins, or in a module. NULL raised, or *wrong set. */
static type *option_category(vm *vm, const char *p, size_t n, str **wrong)
{
    if (n == 0) return EXC_T(vm, Warning);
    str *name = str_new_utf8(vm, p, n), *module = N(vm, builtins), *given = name;
    if (!name) return NULL;
    for (size_t i = n; i-- > 0;) {
        if (p[i] != '.') continue;
        module = str_new_utf8(vm, p, i);
        name = str_new_utf8(vm, p + i + 1, n - i - 1);
        if (!module || !name) return NULL;
        break;
    }
    ROOTS(vm, &name, &given, &module);
    value m = import_module(vm, module);
    if (value_is_error(m)) {
        if (exc_clear_if(vm, EXC_ImportError)) *wrong = str_format(vm, "invalid module name: %R", value_obj(module));
        return NULL;
    }
    name = str_intern(vm, name);
    value cls = name ? obj_getattr_opt(vm, m, name) : V_UNBOUND;
    if (raised(vm)) return NULL;
    if (value_is_unbound(cls)) {
        *wrong = str_format(vm, "unknown warning category: %R", value_obj(given));
        return NULL;
    }
    if (IS_TYPE(cls) && type_is_subtype(AS(type, cls), EXC_T(vm, Warning))) return AS(type, cls);
    *wrong = str_format(vm, "invalid warning category: %R", value_obj(given));
    return NULL;
}

bool warnings_option(vm *vm, const char *arg, str **wrong)
{
    const char *part[5] = {"", "", "", "", ""};
    size_t len[5] = {0};
    const char *p = arg;
    *wrong = NULL;
    value given = sys_attribute(vm, "warnoptions");
    str *text = str_from_cstr(vm, arg);
    if (!text || (IS_LIST(given) && !list_append(vm, AS(list, given), value_obj(text)))) return false;
    for (int i = 0;; i++) {
        if (i == 5) {
            str *all = str_from_cstr(vm, arg);
            if (all) *wrong = str_format(vm, "too many fields (max 5): %R", value_obj(all));
            return *wrong;
        }
        part[i] = p;
        len[i] = strcspn(p, ":");
        p += len[i];
        if (!*p++) break;
    }
    for (int i = 0; i < 5; i++) {
        while (len[i] && *part[i] == ' ') part[i]++, len[i]--;
        while (len[i] && part[i][len[i] - 1] == ' ') len[i]--;
    }
    const char *action = full_action(part[0], len[0]);
    if (!action) {
        str *s = str_new_utf8(vm, part[0], len[0]);
        if (s) *wrong = str_format(vm, "invalid action: %R", value_obj(s));
        return *wrong;
    }
    type *category = option_category(vm, part[2], len[2], wrong);
    if (!category) return *wrong;
    int64_t line = 0;
    for (size_t i = 0; i < len[4]; i++) {
        if (part[4][i] < '0' || part[4][i] > '9' || line > 100000000) {
            str *s = str_new_utf8(vm, part[4], len[4]);
            if (s) *wrong = str_format(vm, "invalid lineno %R", value_obj(s));
            return *wrong;
        }
        line = line * 10 + part[4][i] - '0';
    }
    str *message = len[1] ? quoted(vm, part[1], len[1], false) : NULL;
    str *module = len[3] ? quoted(vm, part[3], len[3], true) : NULL;
    if (raised(vm)) return false;
    return add_filter(vm, action, message ? value_obj(message) : V_NONE, category, module ? value_obj(module) : V_NONE,
                      line, true);
}

/* ---- matching ---- */

static uint32_t fold(uint32_t c, bool ignore_case) { return ignore_case && c >= 'A' && c <= 'Z' ? c + 32 : c; }

/* Does the text begin with what the pattern says? Each `.*` keeps one place to go back to: linear in practice. */
static bool pattern_matches(const str *pat, const str *s, bool ignore_case)
{
    size_t p = 0, i = 0, back_p = SIZE_MAX, back_i = 0;
    for (;;) {
        if (p == pat->len) return true;
        uint32_t c = str_at(pat, p);
        bool quote = c == '\\' && p + 1 < pat->len, any = false, end = false;
        size_t width = 1;
        if (quote) {
            c = str_at(pat, p + 1);
            width = 2;
            end = c == 'Z';
        } else if (c == '.') {
            any = true;
            if (p + 1 < pat->len && str_at(pat, p + 1) == '*') {
                back_p = p += 2;
                back_i = i;
                continue;
            }
        } else if (c == '$') {
            end = true;
        } else if (c == '^' && p == 0) {
            p++;
            continue;
        }
        if (end ? i == s->len : i < s->len && (any || fold(str_at(s, i), ignore_case) == fold(c, ignore_case))) {
            p += width;
            i += !end;
            continue;
        }
        if (back_p == SIZE_MAX || back_i >= s->len) return false;
        p = back_p;
        i = ++back_i;
    }
}

static int field_matches(vm *vm, value pattern, str *s, bool ignore_case)
{
    if (value_is_none(pattern)) return 1;
    if (IS_STR(pattern)) return pattern_matches(AS(str, pattern), s, ignore_case);
    str *name = str_intern_utf8(vm, "match", 5); /* a compiled regular expression */
    value arg = value_obj(s), r = name ? vm_call_method(vm, pattern, name, &arg, 1) : V_ERROR;
    return value_is_error(r) ? -1 : obj_truth(vm, r);
}

/* The action for a warning: NULL raised. */
static str *find_action(vm *vm, value category, str *text, uint32_t line, str *module)
{
    list *filters = vm->warning_filters;
    value t = V_UNBOUND;
    ROOTS(vm, &t, &category, &text, &module);
    for (size_t i = 0; i < filters->len; i++) {
        t = filters->items[i];
        if (!IS_TUPLE(t) || AS(tuple, t)->len != 5) {
            raise_value_error(vm, "warnings.filters item %zu isn't a 5-tuple", i);
            return NULL;
        }
        value *f = AS(tuple, t)->items;
        int64_t want;
        int ok = obj_issubclass(vm, category, f[2]);
        if (ok > 0) ok = field_matches(vm, f[1], text, true);
        if (ok > 0) ok = field_matches(vm, f[3], module, false);
        if (ok < 0) return NULL;
        if (!ok || !int_is(f[4]) || !int_to_i64(vm, f[4], &want) || (want && want != line)) continue;
        if (IS_STR(f[0])) return AS(str, f[0]);
    }
    return str_from_cstr(vm, "default");
}

/* Was this key seen in the registry? Then 1; else it is entered and 0; -1 raised. */
static int seen_before(vm *vm, value registry, value key)
{
    if (!IS_DICT(registry)) return 0;
    dict *d = AS(dict, registry);
    value version = value_int((int64_t)state_of(vm)->version);
    str *name = str_from_cstr(vm, "version");
    if (!name) return -1;
    if (!value_is(dict_get_str(vm, d, name), version)) {
        dict_clear(vm, d);
        if (!dict_set_str(vm, d, name, version)) return -1;
    }
    value v = dict_get(vm, d, key);
    if (raised(vm)) return -1;
    if (!value_is_unbound(v)) {
        int t = obj_truth(vm, v);
        if (t) return t;
    }
    return 0;
}

static bool registry_add(vm *vm, value registry, value key)
{
    return !IS_DICT(registry) || dict_set(vm, AS(dict, registry), key, V_TRUE);
}

/* ---- output ---- */

static bool show_on_stderr(vm *vm, value category, str *text, str *filename, uint32_t line)
{
    str *source = source_line(vm, filename, line);
    value name = IS_TYPE(category) ? AS(type, category)->name : V_NONE;
    str_builder b;
    sb_init(&b, vm);
    sb_str(&b, filename);
    sb_char(&b, ':');
    sb_int(&b, line);
    sb_cstr(&b, ": ");
    if (IS_STR(name)) sb_str(&b, AS(str, name));
    sb_cstr(&b, ": ");
    sb_str(&b, text);
    sb_char(&b, '\n');
    if (source) {
        size_t from = 0, to = source->len;
        while (from < to && str_at(source, from) <= ' ') from++;
        while (to > from && str_at(source, to - 1) <= ' ') to--;
        if (to > from) {
            sb_cstr(&b, "  ");
            sb_range(&b, source, from, to);
            sb_char(&b, '\n');
        }
    }
    str *s = sb_finish(&b);
    if (!s) return false;
    file_write_stderr(vm, s);
    return true;
}

/* The module warnings, when a script has it, may have been told to show them otherwise. */
static bool show(vm *vm, value message, value category, str *text, str *filename, uint32_t line, value source)
{
    value m = dict_get_str(vm, vm->modules, N(vm, warnings)), hook = V_UNBOUND;
    if (value_is_kind(m, K_MODULE)) {
        str *name = str_intern_utf8(vm, "_show", 5);
        if (!name) return false;
        hook = dict_get_str(vm, AS(module, m)->dict, name);
    }
    if (value_is_unbound(hook)) return show_on_stderr(vm, category, text, filename, line);
    value args[5] = {message, category, value_obj(filename), value_int(line), source};
    return !value_is_error(vm_call(vm, hook, args, 5));
}

/* ---- issuing ---- */

static str *module_of_file(vm *vm, str *filename)
{
    static const char *const endings[] = {".py", ".aio"};
    if (filename->len == 0) return str_from_cstr(vm, "<unknown>");
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(endings[i]), k = 0;
        if (filename->len < n) continue;
        while (k < n && str_at(filename, filename->len - n + k) == (unsigned char)endings[i][k]) k++;
        if (k == n) return str_substr(vm, filename, 0, filename->len - n);
    }
    return filename;
}

bool warn_issue(vm *vm, value category, value message, str *filename, uint32_t line, str *module, value registry,
                value source)
{
    str *text = NULL, *action = NULL;
    value key = V_UNBOUND;
    ROOTS(vm, &category, &message, &filename, &module, &registry, &text, &action, &key, &source);
    if (value_isa_id(vm, message, EXC_Warning)) {
        text = obj_str(vm, message);
        category = value_obj(type_of(vm, message));
    } else {
        text = IS_STR(message) ? AS(str, message) : obj_str(vm, message);
        if (text) message = vm_call1(vm, category, message);
    }
    if (!text || value_is_error(message)) return false;
    if (!module && !(module = module_of_file(vm, filename))) return false;
    tuple *t = tuple_pack(vm, 3, value_obj(text), category, value_int(line));
    if (!t) return false;
    key = value_obj(t);
    int seen = seen_before(vm, registry, key);
    if (seen) return seen > 0;
    action = find_action(vm, category, text, line, module);
    if (!action) return false;
    if (str_equal_ascii(action, "error")) {
        raise_exception(vm, message);
        return false;
    }
    if (str_equal_ascii(action, "ignore")) return true;
    if (!str_equal_ascii(action, "always")) {
        bool once = str_equal_ascii(action, "once"), per_module = str_equal_ascii(action, "module");
        if (!once && !per_module && !str_equal_ascii(action, "default")) {
            raise(vm, EXC_RuntimeError, "Unrecognized action (%R) in warnings.filters", value_obj(action));
            return false;
        }
        if (!registry_add(vm, registry, key)) return false;
        if (once || per_module) {
            value where = once && !IS_DICT(registry) ? value_obj(state_of(vm)->once) : registry;
            t = tuple_pack(vm, 2, value_obj(text), category);
            if (!t) return false;
            key = value_obj(t);
            seen = seen_before(vm, where, key);
            if (seen) return seen > 0;
            if (!registry_add(vm, where, key)) return false;
        }
    }
    return show(vm, message, category, text, filename, line, source);
}

/* The registry of a module's namespace, made on demand. */
static value registry_of(vm *vm, dict *globals)
{
    str *name = str_intern_utf8(vm, "__warningregistry__", 19);
    if (!name) return V_ERROR;
    value r = dict_get_str(vm, globals, name);
    if (!value_is_unbound(r)) return r;
    dict *d = dict_new(vm);
    return d && dict_set_str(vm, globals, name, value_obj(d)) ? value_obj(d) : V_ERROR;
}

bool warn_at_caller(vm *vm, value category, value message, uint32_t up, value source)
{
    str *filename = NULL, *module = NULL;
    uint32_t line = 1;
    dict *globals = NULL;
    value registry = V_NONE;
    if (!traceback_caller(vm, up, &filename, &line, &globals)) {
        filename = module = N(vm, sys); /* nothing of the script runs */
    } else if (globals) {
        value name = dict_get_str(vm, globals, N(vm, __name__));
        module = IS_STR(name) ? AS(str, name) : str_from_cstr(vm, "<string>");
        registry = registry_of(vm, globals);
        if (!module || value_is_error(registry)) return false;
    }
    return warn_issue(vm, category, message, filename, line, module, registry, source);
}

bool warn(vm *vm, unsigned category, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    str *s = str_vformat(vm, fmt, ap);
    va_end(ap);
    return s && warn_at_caller(vm, value_obj(vm->types[category]), value_obj(s), 0, V_NONE);
}

bool warn_explicit(vm *vm, unsigned category, str *msg, str *filename, uint32_t line)
{
    return msg && filename &&
           warn_issue(vm, value_obj(vm->types[category]), value_obj(msg), filename, line, NULL, V_NONE, V_NONE);
}

/* sys.unraisablehook, when a script has set one: its argument has attributes. false: there is none. */
static bool call_unraisable_hook(vm *vm, value exc, value where)
{
    value hook = sys_attribute(vm, "unraisablehook"), like = sys_attribute(vm, "implementation"), arg = V_UNBOUND;
    if (value_is_unbound(hook) || value_is(hook, sys_attribute(vm, "__unraisablehook__"))) return false;
    if (value_is_none(hook) || !value_is_kind(like, K_INSTANCE)) return false;
    ROOTS(vm, &hook, &arg);
    arg = instance_new(vm, type_of(vm, like));
    if (value_is_error(arg)) return false;
    const struct {
        const char *name;
        value v;
    } fields[] = {
        {"exc_type", value_obj(type_of(vm, exc))},
        {"exc_value", exc},
        {"exc_traceback", exc_get_traceback(vm, exc)},
        {"err_msg", V_NONE},
        {"object", value_is_unbound(where) ? V_NONE : where},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        str *name = str_intern_utf8(vm, fields[i].name, strlen(fields[i].name));
        if (!name || value_is_error(fields[i].v) || !obj_setattr(vm, arg, name, fields[i].v)) return false;
    }
    return !value_is_error(vm_call1(vm, hook, arg));
}

void exc_report_unraisable(vm *vm, value where) { exc_report_unraisable_in(vm, "in", where); }

void exc_report_unraisable_in(vm *vm, const char *what, value where)
{
    value exc = exc_take(vm);
    if (value_is_unbound(exc) || vm->killed) return; /* after the end nothing is reported */
    ROOTS(vm, &exc, &where);
    if (call_unraisable_hook(vm, exc, where)) return;
    exc_clear(vm);
    str_builder b;
    sb_init(&b, vm);
    if (!value_is_unbound(where)) {
        sb_cstr(&b, "Exception ignored ");
        sb_cstr(&b, what);
        sb_cstr(&b, ": ");
        str *s = obj_repr(vm, where);
        if (s) sb_str(&b, s);
        else sb_cstr(&b, "<object repr() failed>");
        exc_clear(vm);
        sb_char(&b, '\n');
    }
    str *s = exc_format_alone(vm, exc);
    if (s) sb_str(&b, s);
    exc_clear(vm);
    s = sb_finish(&b);
    if (s) file_write_stderr(vm, s);
    exc_clear(vm);
}
