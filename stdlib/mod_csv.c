/* The module _csv: rows from lines and lines from rows. Dialects are checked in csv.aio, which gives them as a tuple.
 *
 * The reader is a machine of states that is fed a character at a time, and `END` after each line; a row may go over
 * many lines. Calls of script (the next line, text of a field) come only between lines and fields. */
#include "module_state.h"
#include "vm/str.h"

#include "vm/list.h"

#define DOC_FILE stdlib_mod_csv
DOC_BEGIN;

enum { QUOTE_MINIMAL, QUOTE_ALL, QUOTE_NONNUMERIC, QUOTE_NONE };
enum { NO_CHAR = 0xFFFFFFFF, END = 0xFFFFFFFE };

struct dialect {
    uint32_t delimiter, quote, escape;
    bool doublequote, skip_space, strict;
    uint8_t quoting;
    value terminator; /* str */
};

enum state {
    START_RECORD,
    START_FIELD,
    ESCAPED,
    IN_FIELD,
    IN_QUOTED,
    ESCAPE_IN_QUOTED,
    QUOTE_IN_QUOTED,
    EAT_NEWLINE,
    AFTER_ESCAPED_NEWLINE
};

struct csv {               /* a reader or a writer */
    value object, dialect; /* the iterator, or the method write */
    struct dialect d;
    int64_t lines;
};

static struct csv *csv_of(value v) { return (struct csv *)(void *)AS(userdata, v)->body; }
static void csv_traverse(vm *vm, object *o)
{
    const struct csv *c = csv_of(value_obj(o));
    gc_mark_value(vm, c->object);
    gc_mark_value(vm, c->dialect);
    gc_mark_value(vm, c->d.terminator);
}
static const type_layout csv_layout = {.size = sizeof(struct csv), .traverse = csv_traverse};

static value csv_error(vm *vm, str *text)
{
    ROOTS(vm, &text);
    value e = text ? vm_call1(vm, module_state_get(vm, STATE_CSV_ERROR), value_obj(text)) : V_ERROR;
    return value_is_error(e) ? e : raise_exception(vm, e);
}
static int64_t field_limit(vm *vm)
{
    value v = module_state_get(vm, STATE_CSV_LIMIT);
    return value_is_unbound(v) ? 131072 : value_as_int(v);
}

static uint32_t char_of(value v) { return IS_STR(v) && AS(str, v)->len == 1 ? str_at(AS(str, v), 0) : NO_CHAR; }

/* args: object, Dialect, (delimiter, quotechar, escapechar, doublequote, skipinitialspace, lineterminator, quoting,
 * strict) */
static value csv_make(vm *vm, enum module_state_id id, value *args)
{
    const tuple *t = IS_TUPLE(args[2]) ? AS(tuple, args[2]) : NULL;
    int64_t quoting;
    if (!t || t->len != 8 || !IS_STR(t->items[5]) || !int_is(t->items[6]) || !int_to_i64(vm, t->items[6], &quoting))
        return raise_type_error(vm, "a dialect's parts are expected");
    userdata *o = userdata_new(vm, module_state_type(vm, id));
    if (!o) return V_ERROR;
    struct csv *c = csv_of(value_obj(o));
    c->object = args[0];
    c->dialect = args[1];
    c->d = (struct dialect){char_of(t->items[0]),
                            char_of(t->items[1]),
                            char_of(t->items[2]),
                            value_is(t->items[3], V_TRUE),
                            value_is(t->items[4], V_TRUE),
                            value_is(t->items[7], V_TRUE),
                            (uint8_t)quoting,
                            t->items[5]};
    return value_obj(o);
}

/* ---- reading ---- */

struct row {
    vm *vm;
    list *fields;
    str_builder field;
    const struct dialect *d;
    int64_t limit;
    enum state state;
    bool numeric;
};

static bool save_field(struct row *r)
{
    str *s = sb_finish(&r->field);
    sb_init(&r->field, r->vm);
    if (!s) return false;
    value v = value_obj(s);
    if (r->numeric) {
        r->numeric = false;
        v = float_from_str(r->vm, v);
        if (value_is_error(v)) return false;
    }
    return list_append(r->vm, r->fields, v);
}

static bool add_char(struct row *r, uint32_t c)
{
    if ((int64_t)r->field.len >= r->limit) {
        csv_error(r->vm, str_format(r->vm, "field larger than field limit (%ld)", r->limit));
        return false;
    }
    sb_char(&r->field, c);
    return true;
}

static inline bool is_newline(uint32_t c) { return c == '\n' || c == '\r'; }

static bool end_field(struct row *r, uint32_t c)
{
    r->state = c == END ? START_RECORD : is_newline(c) ? EAT_NEWLINE : START_FIELD;
    return save_field(r);
}

/* false: raised */
static bool feed(struct row *r, uint32_t c)
{
    const struct dialect *d = r->d;
    bool ends = c == END || is_newline(c);
    switch (r->state) {
    case START_RECORD:
        if (c == END) return true; /* an empty line */
        if (is_newline(c)) {
            r->state = EAT_NEWLINE;
            return true;
        }
        r->state = START_FIELD;
        __attribute__((fallthrough));
    case START_FIELD:
        if (ends || c == d->delimiter) return end_field(r, c);
        if (c == d->quote && d->quoting != QUOTE_NONE) {
            r->state = IN_QUOTED;
        } else if (c == d->escape) {
            r->state = ESCAPED;
        } else if (c != ' ' || !d->skip_space) {
            r->numeric = d->quoting == QUOTE_NONNUMERIC;
            r->state = IN_FIELD;
            return add_char(r, c);
        }
        return true;
    case ESCAPED: r->state = is_newline(c) ? AFTER_ESCAPED_NEWLINE : IN_FIELD; return add_char(r, c == END ? '\n' : c);
    case AFTER_ESCAPED_NEWLINE:
        if (c == END) return true;
        r->state = IN_FIELD;
        __attribute__((fallthrough));
    case IN_FIELD:
        if (ends || c == d->delimiter) return end_field(r, c);
        if (c != d->escape) return add_char(r, c);
        r->state = ESCAPED;
        return true;
    case IN_QUOTED:
        if (c == END) return true;
        if (c == d->escape) r->state = ESCAPE_IN_QUOTED;
        else if (c == d->quote && d->quoting != QUOTE_NONE) r->state = d->doublequote ? QUOTE_IN_QUOTED : IN_FIELD;
        else return add_char(r, c);
        return true;
    case ESCAPE_IN_QUOTED: r->state = IN_QUOTED; return add_char(r, c == END ? '\n' : c);
    case QUOTE_IN_QUOTED:
        if (c == d->quote && d->quoting != QUOTE_NONE) {
            r->state = IN_QUOTED;
            return add_char(r, c);
        }
        if (ends || c == d->delimiter) return end_field(r, c);
        if (!d->strict) {
            r->state = IN_FIELD;
            return add_char(r, c);
        }
        str *a = str_char(r->vm, d->delimiter), *b = str_char(r->vm, d->quote);
        csv_error(r->vm, a && b ? str_format(r->vm, "'%U' expected after '%U'", a, b) : NULL);
        return false;
    case EAT_NEWLINE:
        if (is_newline(c)) return true;
        if (c == END) {
            r->state = START_RECORD;
            return true;
        }
        csv_error(r->vm,
                  str_from_cstr(r->vm, "new-line character seen in unquoted field - do you need to open the file "
                                       "in universal-newline mode?"));
        return false;
    }
    return true;
}

/* Characters below 64 by their bits, the rest by a list of some. */
struct marks {
    uint64_t low;
    uint32_t high[3];
};
static void marks_add(struct marks *m, uint32_t c)
{
    if (c < 64) m->low |= UINT64_C(1) << c;
    else if (!m->high[0]) m->high[0] = m->high[1] = m->high[2] = c;
    else if (m->high[0] == m->high[1]) m->high[1] = c;
    else m->high[2] = c;
}
/* Where the plain characters from i on end at the latest, with room for so many. */
static inline size_t plain_end(const str *s, size_t i, int64_t room)
{
    return room <= 0 ? i : (uint64_t)room < s->len - i ? i + (size_t)room : s->len;
}

static inline bool is_marked(const struct marks *m, uint32_t c)
{
    return c < 64 ? m->low >> c & 1 : c == m->high[0] || c == m->high[1] || c == m->high[2];
}

static value reader_next(vm *vm, value self)
{
    struct csv *c = csv_of(self);
    struct row r = {.vm = vm, .d = &c->d, .limit = field_limit(vm)};
    r.fields = list_new(vm, 0);
    if (!r.fields) return V_ERROR;
    value line = V_UNBOUND, iterator = c->object;
    ROOTS(vm, &self, &r.fields, &line, &iterator);
    sb_init(&r.field, vm);
    struct marks in_field = {.low = 1 << '\n' | 1 << '\r'}, in_quoted = {0};
    marks_add(&in_field, c->d.delimiter);
    marks_add(&in_field, c->d.escape);
    marks_add(&in_quoted, c->d.quote);
    marks_add(&in_quoted, c->d.escape);
    do {
        line = obj_next(vm, iterator);
        if (value_is_error(line)) goto failed;
        if (value_is(line, V_STOP)) {
            if (!r.field.len && r.state != IN_QUOTED) {
                sb_drop(&r.field);
                return V_STOP;
            }
            if (r.d->strict) {
                csv_error(vm, str_from_cstr(vm, "unexpected end of data"));
                goto failed;
            }
            if (!save_field(&r)) goto failed;
            break;
        }
        if (!IS_STR(line)) {
            csv_error(vm,
                      str_format(vm, "iterator should return strings, not %T (the file should be opened in text mode)",
                                 line));
            goto failed;
        }
        c->lines++;
        const str *s = AS(str, line);
        for (size_t i = 0; i < s->len; i++) {
            uint32_t ch = str_at(s, i);
            /* a whole plain field that ends in this line */
            if (r.state <= START_FIELD && ch != c->d.quote && ch != ' ' && c->d.quoting != QUOTE_NONNUMERIC &&
                !(r.state == START_RECORD && is_newline(ch))) {
                size_t j = i, stop = plain_end(s, i, r.limit);
                while (j < stop && !is_marked(&in_field, str_at(s, j))) j++;
                uint32_t after = j < s->len ? str_at(s, j) : NO_CHAR;
                if (after != c->d.escape && after != NO_CHAR && is_marked(&in_field, after)) {
                    str *field = str_substr(vm, str_plain(AS(str, line)), i, j);
                    if (!field || !list_push(vm, r.fields, value_obj(field))) goto failed;
                    r.state = is_newline(after) ? EAT_NEWLINE : START_FIELD;
                    i = j;
                    continue;
                }
            }
            /* the plain characters of a field in one go */
            if (LIKELY(r.state == IN_FIELD || r.state == IN_QUOTED)) {
                const struct marks *m = r.state == IN_FIELD ? &in_field : &in_quoted;
                size_t j = i, stop = plain_end(s, i, r.limit - (int64_t)r.field.len);
                while (j < stop && !is_marked(m, str_at(s, j))) j++;
                if (j > i) { /* else feed() says what is wrong, or what comes next */
                    sb_range(&r.field, s, i, j);
                    i = j - 1;
                    continue;
                }
            }
            if (!feed(&r, ch)) goto failed;
        }
        if (!feed(&r, END) || !vm_tick(vm, (uint32_t)(s->len / 64) + 1)) goto failed;
    } while (r.state != START_RECORD);
    sb_drop(&r.field);
    return value_obj(r.fields);
failed:
    sb_drop(&r.field);
    return V_ERROR;
}

FN(c_reader)
{
    value it = obj_iter(vm, args[0]);
    if (value_is_error(it)) return it;
    ROOTS(vm, &it);
    value in[3] = {it, args[1], args[2]};
    return csv_make(vm, STATE_CSV_READER, in);
}

/* ---- writing ---- */

static bool is_special(const struct dialect *d, uint32_t c)
{
    return c == d->delimiter || c == d->escape || c == d->quote || str_find_char(AS(str, d->terminator), c);
}

/* What no field may hold as it is, marked; false: too many for that. */
static bool mark_specials(const struct dialect *d, struct marks *m)
{
    const str *end = AS(str, d->terminator);
    if (end->len > 2) return false;
    *m = (struct marks){0};
    unsigned high = 0;
    uint32_t all[5] = {d->delimiter, d->quote, d->escape, 0, 0};
    for (size_t i = 0; i < 5; i++) {
        if (i >= 3 && i - 3 >= end->len) break;
        uint32_t c = i < 3 ? all[i] : str_at(end, i - 3);
        if (c != NO_CHAR && c >= 64 && ++high > 3) return false;
        if (c != NO_CHAR) marks_add(m, c);
    }
    return true;
}

/* false: raised. `quoted`: it is to be quoted in any case. `m`: the specials, or NULL. */
static bool put_field(vm *vm, const struct dialect *d, const struct marks *m, str_builder *b, const str *s, bool quoted)
{
    if (LIKELY(m && !quoted)) {
        size_t i = 0;
        while (i < s->len && !is_marked(m, str_at(s, i))) i++;
        if (i == s->len) return sb_str(b, s), !b->failed;
    }
    for (size_t i = 0; i < s->len && !quoted; i++) {
        uint32_t c = str_at(s, i);
        if (!is_special(d, c) || d->quoting == QUOTE_NONE) continue;
        bool escape = c == d->quote ? !d->doublequote : c == d->escape;
        if (!escape) quoted = true;
    }
    if (quoted) sb_char(b, d->quote);
    for (size_t i = 0; i < s->len; i++) {
        uint32_t c = str_at(s, i);
        if (is_special(d, c)) {
            bool escape = d->quoting == QUOTE_NONE || c == d->escape;
            if (!escape && c == d->quote) {
                if (d->doublequote) sb_char(b, d->quote);
                else escape = true;
            }
            if (escape) {
                if (d->escape == NO_CHAR) {
                    csv_error(vm, str_from_cstr(vm, "need to escape, but no escapechar set"));
                    return false;
                }
                sb_char(b, d->escape);
            }
        }
        sb_char(b, c);
    }
    if (quoted) sb_char(b, d->quote);
    return true;
}

static str *row_text(vm *vm, const struct dialect *d, value row)
{
    value it = obj_iter(vm, row), v = V_UNBOUND;
    if (value_is_error(it)) {
        if (exc_clear_if(vm, EXC_TypeError)) csv_error(vm, str_format(vm, "iterable expected, not %T", row));
        return NULL;
    }
    ROOTS(vm, &it, &v);
    struct marks m;
    bool marked = mark_specials(d, &m);
    str_builder b;
    sb_init(&b, vm);
    size_t n = 0;
    for (;; n++) {
        v = obj_next(vm, it);
        if (value_is(v, V_STOP)) break;
        if (value_is_error(v)) goto failed;
        bool quoted = d->quoting == QUOTE_ALL;
        if (d->quoting == QUOTE_NONNUMERIC) {
            const struct type_slots *s = &type_of(vm, v)->s;
            quoted = !(int_is(v) || value_is_float(v) || s->float_ || s->index);
        }
        if (n) sb_char(&b, d->delimiter);
        str *text = value_is_none(v) ? vm->empty_str : IS_STR(v) ? AS(str, v) : obj_str(vm, v);
        if (!text || !put_field(vm, d, marked ? &m : NULL, &b, text, quoted)) goto failed;
    }
    if (n == 1 && b.len == 0) { /* an empty line would be no row */
        if (d->quoting == QUOTE_NONE) {
            csv_error(vm, str_from_cstr(vm, "single empty field record must be quoted"));
            goto failed;
        }
        if (!put_field(vm, d, NULL, &b, vm->empty_str, true)) goto failed;
    }
    sb_str(&b, AS(str, d->terminator));
    return sb_finish(&b);
failed:
    sb_drop(&b);
    return NULL;
}

static value write_row(vm *vm, value self, value row)
{
    ROOTS(vm, &self);
    str *s = row_text(vm, &csv_of(self)->d, row);
    return s ? vm_call1(vm, csv_of(self)->object, value_obj(s)) : V_ERROR;
}
FN(w_writerow) { return write_row(vm, args[0], args[1]); }
FN(w_writerows)
{
    value it = obj_iter(vm, args[1]), row = V_UNBOUND;
    if (value_is_error(it)) return it;
    ROOTS(vm, &it, &row);
    for (;;) {
        row = obj_next(vm, it);
        if (value_is(row, V_STOP)) return V_NONE;
        if (value_is_error(row) || value_is_error(write_row(vm, args[0], row))) return V_ERROR;
    }
}
FN(c_writer) { return csv_make(vm, STATE_CSV_WRITER, args); }

FN(c_limit)
{
    value old = value_int(field_limit(vm));
    if (value_is_unbound(args[0])) return old;
    int64_t n;
    if (!int_is(args[0])) return raise_type_error(vm, "limit must be an integer");
    if (!int_to_i64(vm, args[0], &n)) return raise_overflow(vm, "Python int too large to convert to C long");
    if (n >= INT64_C(1) << 48) n = (INT64_C(1) << 48) - 1;
    if (n < -(INT64_C(1) << 48)) n = -(INT64_C(1) << 48);
    return module_state_set(vm, STATE_CSV_LIMIT, value_int(n)) ? old : V_ERROR;
}

static value get_dialect(vm *vm, value self)
{
    (void)vm;
    return csv_of(self)->dialect;
}
static value get_line_num(vm *vm, value self) { return int_from_i64(vm, csv_of(self)->lines); }
static value reader_iter(vm *vm, value self)
{
    (void)vm;
    return self;
}
static void reader_fill(struct type_slots *s)
{
    s->iter = reader_iter;
    s->next = reader_next;
}

bool csv_init(vm *vm, module *m)
{
    static const getset_def reader_getsets[] = {
        {"dialect", get_dialect, getset_readonly, NULL}, {"line_num", get_line_num, getset_readonly, NULL}, {0}};
    static const getset_def writer_getsets[] = {{"dialect", get_dialect, getset_readonly, NULL}, {0}};
    static const native_def writer_methods[] = {
        {"writerow(self, row, /)", w_writerow, DOC("Construct and write a CSV record from an iterable of fields."), 0},
        {"writerows(self, rows, /)", w_writerows, DOC("Construct and write a series of iterables to a csv file."), 0},
        {0},
    };
    static const type_spec reader = {.name = "_csv.reader",
                                     .doc = "CSV reader",
                                     .layout = &csv_layout,
                                     .getsets = reader_getsets,
                                     .fill = reader_fill};
    static const type_spec writer = {.name = "_csv.writer",
                                     .doc = "CSV writer",
                                     .layout = &csv_layout,
                                     .methods = writer_methods,
                                     .getsets = writer_getsets};
    static const native_def functions[] = {
        {"_reader(lines, dialect, parts, /)", c_reader, DOC("A reader of lines."), 0},
        {"_writer(write, dialect, parts, /)", c_writer, DOC("A writer of rows."), 0},
        {"field_size_limit(limit=131072, /)", c_limit, DOC("Sets an upper limit on parsed fields."), 0},
        {0},
    };
    ROOTS(vm, &m);
    value t = module_state_get(vm, STATE_CSV_ERROR);
    if (value_is_unbound(t)) {
        tuple *bases = tuple_pack(vm, 1, value_obj(EXC_T(vm, Exception)));
        dict *ns = dict_new(vm);
        str *name = str_from_cstr(vm, "Error"), *in = str_from_cstr(vm, "_csv");
        if (!bases || !ns || !name || !in || !dict_set_str(vm, ns, N(vm, __module__), value_obj(in))) return false;
        ROOTS(vm, &bases, &ns, &name);
        t = type_new_class(vm, T(vm, TYPE), name, bases, ns, NULL, V_UNBOUND);
        if (value_is_error(t) || !module_state_set(vm, STATE_CSV_ERROR, t)) return false;
    }
    return module_add(vm, m, "Error", t) && module_state_make(vm, STATE_CSV_READER, &reader) &&
           module_state_make(vm, STATE_CSV_WRITER, &writer) && module_add_natives(vm, m, functions);
}
