/* An exception as text, as CPython 3.11 prints it: chain, traceback with source lines and carets, SyntaxError's own
 * form, notes, and the boxes of exception groups. */
#include "exception.h"
#include "dict.h"
#include "file.h"
#include "frame.h"
#include "grammar/parse.h"
#include "list.h"
#include "str.h"

enum { TB_LIMIT = 1000, TB_REPEAT = 3, GROUP_WIDTH = 15, GROUP_DEPTH = 10, SOURCE_INDENT = 4 };

typedef struct printer {
    vm *vm;
    str_builder b;
    dict *seen;      /* addresses of exceptions that were printed: a chain may have a cycle */
    int depth;       /* of exception groups */
    bool need_close; /* the innermost group's box has no lower edge yet */
} printer;

static void indent(printer *p) { sb_fill(&p->b, ' ', 2 * (size_t)p->depth); }
static void margin(printer *p)
{
    indent(p);
    if (p->depth) sb_cstr(&p->b, "| ");
}
static void number(printer *p, int64_t n) { sb_int(&p->b, n); }
static bool is_blank(uint32_t c) { return c == ' ' || c == '\t' || c == '\f'; }

/* ---- carets ---- */

/* In a line that failed as a whole, the operator of a binary operation or the brackets of a subscript get the carets
 * and the rest `~`. Columns of them in *left and *right; false: no such thing. */
bool exc_anchors(vm *vm, str *line, size_t start, size_t end, size_t *left, size_t *right)
{
    str *segment = str_substr(vm, line, start, end);
    size_t n;
    const char *text = segment ? str_utf8(vm, segment, &n) : NULL;
    if (!text) {
        exc_clear(vm);
        return false;
    }
    arena a;
    struct parse_result r;
    size_t from = 0, to = 0;
    arena_init(&a, vm->alloc_fn, vm->alloc_ud);
    if (parse_source(&a, text, n, "<traceback>", PARSE_FILE, PARSE_IS_TEXT, &r) == PARSE_OK) {
        ast_seq *body = AST_AS(Module, r.module)->body;
        ast *e = body->n == 1 && body->items[0]->kind == AST_Expr ? AST_AS(Expr, body->items[0])->value : NULL;
        if (e && e->kind == AST_BinOp) {
            uint32_t i = AST_AS(BinOp, e)->left->end, limit = AST_AS(BinOp, e)->right->start;
            while (i < limit && is_blank((unsigned char)r.src[i])) i++;
            if (i < limit) {
                from = i;
                to = i + 1;
                if (to < limit && !is_blank((unsigned char)r.src[to])) to++;
            }
        } else if (e && e->kind == AST_Subscript) {
            from = AST_AS(Subscript, e)->value->end;
            to = AST_AS(Subscript, e)->slice->end + 1;
        }
    }
    if (to) { /* bytes to characters */
        size_t chars = 0;
        for (size_t i = 0; i < to && i < n; i++) {
            if (i == from) *left = start + chars;
            if (((unsigned char)text[i] & 0xC0) != 0x80) chars++;
        }
        *right = start + chars;
    }
    arena_free(&a);
    return to != 0;
}

static void put_carets(printer *p, str *line, size_t stripped, const src_pos *at)
{
    size_t start = at->col, end = at->end_col, left = 0, right = 0;
    bool anchors = false;
    if (start > line->len || (at->line == at->end_line && (end > line->len || end < start))) return;
    if (at->line == at->end_line) {
        anchors = exc_anchors(p->vm, line, start, end, &left, &right);
    } else {
        end = line->len;
        while (end > 0 && is_blank(str_at(line, end - 1))) end--;
        if (end < start) return;
    }
    if (!anchors && end - start == line->len - stripped) return; /* it is all of the line */
    margin(p);
    sb_fill(&p->b, ' ', SOURCE_INDENT + (start > stripped ? start - stripped : 0));
    for (size_t i = start; i < end; i++) sb_char(&p->b, anchors && (i < left || i >= right) ? '~' : '^');
    sb_char(&p->b, '\n');
}

/* ---- the traceback ---- */

static void put_source(printer *p, code *c, uint32_t pc, uint32_t lineno)
{
    str *line = source_line(p->vm, c->filename, lineno);
    if (!line) return;
    size_t stripped = 0;
    while (stripped < line->len && is_blank(str_at(line, stripped))) stripped++;
    margin(p);
    sb_fill(&p->b, ' ', SOURCE_INDENT);
    sb_range(&p->b, line, stripped, line->len);
    sb_char(&p->b, '\n');
    src_pos at;
    if (code_position(c, pc, &at)) put_carets(p, line, stripped, &at);
}

struct tb_run {
    str *file, *name;
    uint32_t line, count;
};

static void put_repeats(printer *p, const struct tb_run *run)
{
    if (run->count <= TB_REPEAT) return;
    uint32_t n = run->count - TB_REPEAT;
    margin(p);
    sb_cstr(&p->b, "  [Previous line repeated ");
    number(p, n);
    sb_cstr(&p->b, n > 1 ? " more times]\n" : " more time]\n");
}

static void put_entry(printer *p, struct tb_run *run, code *c, uint32_t pc, uint32_t lineno)
{
    if (run->file != c->filename || run->line != lineno || run->name != c->name) {
        put_repeats(p, run);
        *run = (struct tb_run){c->filename, c->name, lineno, 0};
    }
    if (++run->count > TB_REPEAT) return;
    margin(p);
    sb_cstr(&p->b, "  File \"");
    sb_str(&p->b, c->filename);
    sb_cstr(&p->b, "\", line ");
    number(p, lineno);
    sb_cstr(&p->b, ", in ");
    sb_str(&p->b, c->name);
    sb_char(&p->b, '\n');
    put_source(p, c, pc, lineno);
}

static void put_traceback(printer *p, value exc, bool group)
{
    exception *e = AS(exception, exc);
    size_t n = e->ntb;
    for (value t = e->traceback; value_is_kind(t, K_TRACEBACK); t = AS(traceback, t)->next) n++;
    if (n == 0) return;
    indent(p);
    if (p->depth) sb_cstr(&p->b, group && p->depth == 1 ? "+ " : "| ");
    sb_cstr(&p->b,
            group ? "Exception Group Traceback (most recent call last):\n" : "Traceback (most recent call last):\n");
    size_t skip = n > TB_LIMIT ? n - TB_LIMIT : 0;
    struct tb_run run = {0};
    for (uint32_t i = e->ntb; i-- > 0;) {
        if (skip) {
            skip--;
            continue;
        }
        uint32_t line = e->tb[i].lineno;
        put_entry(p, &run, e->tb[i].code, e->tb[i].pc, line ? line : code_line(e->tb[i].code, e->tb[i].pc));
    }
    for (value t = e->traceback; value_is_kind(t, K_TRACEBACK); t = AS(traceback, t)->next) {
        if (skip) {
            skip--;
            continue;
        }
        traceback *tb = AS(traceback, t);
        put_entry(p, &run, tb->code, tb->pc, tb->lineno ? tb->lineno : code_line(tb->code, tb->pc));
    }
    put_repeats(p, &run);
}

/* ---- SyntaxError ---- */

/* The line with the error and carets below it. Offsets count from 1; end < 0: unknown. */
static void put_error_text(printer *p, str *text, int64_t offset, int64_t end)
{
    int64_t carets = end > 0 && end > offset ? end - offset : 1;
    size_t i = 0, n = text->len;
    offset--;
    while (i < n && is_blank(str_at(text, i))) {
        i++;
        offset--;
    }
    size_t stop = n;
    if (stop > i && str_at(text, stop - 1) == '\n') stop--;
    if (offset > (int64_t)(stop - i)) offset = (int64_t)(stop - i);
    for (size_t k = i; k < stop; k++) { /* lines before the one with the error */
        if (str_at(text, k) != '\n') continue;
        if ((int64_t)(k - i) >= offset) break;
        offset -= (int64_t)(k + 1 - i);
        i = k + 1;
    }
    margin(p);
    sb_cstr(&p->b, "    ");
    sb_range(&p->b, text, i, stop);
    sb_char(&p->b, '\n');
    if (offset < 0) return;
    margin(p);
    sb_fill(&p->b, ' ', 4 + (size_t)offset);
    int64_t room = (int64_t)(stop - i) - offset;
    if (carets > room) carets = room > 0 ? room : 1;
    sb_fill(&p->b, '^', (size_t)carets);
    sb_char(&p->b, '\n');
}

/* File, line, source and carets; *msg gets what stands in the place of str(exc). false: it is not that kind. */
static bool put_syntax_location(printer *p, value exc, value *msg)
{
    vm *vm = p->vm;
    if (!value_isa_id(vm, exc, EXC_SyntaxError)) return false;
    exception *e = AS(exception, exc);
    value file = e->field[1], text = e->field[4];
    int64_t line, offset = -1, end_line, end_offset = -1;
    if (!int_is(e->field[2]) || !int_to_i64(vm, e->field[2], &line)) return false;
    if (int_is(e->field[3]) && !int_to_i64(vm, e->field[3], &offset)) return false;
    end_line = line;
    if (IS_LIST(e->field[5])) {
        value *more = AS(list, e->field[5])->items;
        if (int_is(more[0]) && !int_to_i64(vm, more[0], &end_line)) return false;
        if (int_is(more[1]) && !int_to_i64(vm, more[1], &end_offset)) return false;
    }
    *msg = value_is_unbound(e->field[0]) ? V_NONE : e->field[0];
    margin(p);
    sb_cstr(&p->b, "  File \"");
    if (IS_STR(file)) sb_str(&p->b, AS(str, file));
    else sb_cstr(&p->b, "<string>");
    sb_cstr(&p->b, "\", line ");
    number(p, line);
    sb_char(&p->b, '\n');
    if (!IS_STR(text)) return true;
    if (end_line > line) end_offset = (int64_t)AS(str, text)->len; /* only its first line is shown */
    put_error_text(p, AS(str, text), offset, end_offset);
    return true;
}

/* ---- one exception ---- */

static void put_message(printer *p, value exc, value msg)
{
    vm *vm = p->vm;
    type *t = type_of(vm, exc);
    margin(p);
    value module = obj_getattr(vm, value_obj(t), N(vm, __module__));
    if (value_is_error(module)) exc_clear(vm);
    if (!IS_STR(module)) {
        sb_cstr(&p->b, "<unknown>.");
    } else if (!str_eq(AS(str, module), N(vm, builtins)) && !str_eq(AS(str, module), N(vm, __main__))) {
        sb_str(&p->b, AS(str, module));
        sb_char(&p->b, '.');
    }
    if (IS_STR(t->qualname)) sb_str(&p->b, AS(str, t->qualname));
    str *s = obj_str(vm, msg);
    if (!s) {
        exc_clear(vm);
        sb_cstr(&p->b, ": <exception str() failed>");
    } else if (s->len) {
        sb_cstr(&p->b, ": ");
        sb_str(&p->b, s);
    }
    str *hint = exc_hint(vm, exc);
    if (hint) {
        sb_cstr(&p->b, ". Did you mean: '");
        sb_str(&p->b, hint);
        sb_cstr(&p->b, "'?");
    }
    sb_char(&p->b, '\n');
}

static void put_lines(printer *p, const str *s)
{
    size_t from = 0;
    for (size_t i = 0; i < s->len; i++) {
        if (str_at(s, i) != '\n') continue;
        margin(p);
        sb_range(&p->b, s, from, i + 1);
        from = i + 1;
    }
    if (from < s->len) {
        margin(p);
        sb_range(&p->b, s, from, s->len);
    }
}

static void put_notes(printer *p, value exc)
{
    vm *vm = p->vm;
    value notes = obj_getattr_opt(vm, exc, N(vm, __notes__));
    if (value_is_unbound(notes)) {
        exc_clear(vm);
        return;
    }
    ROOTS(vm, &notes);
    if (!type_of(vm, notes)->s.getitem || IS_DICT(notes)) {
        margin(p);
        str *s = obj_repr(vm, notes);
        if (s) sb_str(&p->b, s);
        else sb_cstr(&p->b, "<__notes__ repr() failed>");
        if (!s) exc_clear(vm);
        sb_char(&p->b, '\n');
        return;
    }
    list *l = obj_to_list(vm, notes);
    ROOTS(vm, &l);
    for (size_t i = 0; l && i < l->len; i++) {
        str *s = obj_str(vm, l->items[i]);
        if (s) {
            put_lines(p, s);
        } else {
            exc_clear(vm);
            sb_cstr(&p->b, "<note str() failed>");
        }
        sb_char(&p->b, '\n');
    }
    if (!l) exc_clear(vm);
}

static void put_exception(printer *p, value exc)
{
    value msg = exc;
    put_traceback(p, exc, value_isa_id(p->vm, exc, EXC_BaseExceptionGroup));
    put_syntax_location(p, exc, &msg);
    put_message(p, exc, msg);
    put_notes(p, exc);
}

/* ---- chains and groups ---- */

static void put_recursive(printer *p, value exc);

static void put_group(printer *p, value exc)
{
    if (p->depth > GROUP_DEPTH) {
        margin(p);
        sb_cstr(&p->b, "... (max_group_depth is 10)\n");
        return;
    }
    if (p->depth == 0) p->depth = 1;
    put_exception(p, exc);
    tuple *t = AS(tuple, AS(exception, exc)->field[1]);
    size_t n = t->len <= GROUP_WIDTH ? t->len : GROUP_WIDTH + 1;
    p->need_close = false;
    for (size_t i = 0; i < n; i++) {
        bool last = i == n - 1, cut = i >= GROUP_WIDTH;
        if (last) p->need_close = true; /* a group inside may draw the edge */
        indent(p);
        sb_cstr(&p->b, i == 0 ? "+-+---------------- " : "  +---------------- ");
        if (cut) sb_cstr(&p->b, "...");
        else number(p, (int64_t)i + 1);
        sb_cstr(&p->b, " ----------------\n");
        p->depth++;
        if (!cut) {
            put_recursive(p, t->items[i]);
        } else {
            size_t more = t->len - GROUP_WIDTH;
            margin(p);
            sb_cstr(&p->b, "and ");
            number(p, (int64_t)more);
            sb_cstr(&p->b, more > 1 ? " more exceptions\n" : " more exception\n");
        }
        if (last && p->need_close) {
            indent(p);
            sb_cstr(&p->b, "+------------------------------------\n");
            p->need_close = false;
        }
        p->depth--;
    }
    if (p->depth == 1) p->depth = 0;
}

static bool first_visit(printer *p, value exc)
{
    value key = value_int((int64_t)exc.bits);
    if (!p->seen || !value_is_unbound(dict_get_fast(p->vm, p->seen, key))) return false;
    if (!dict_set(p->vm, p->seen, key, V_TRUE)) exc_clear(p->vm);
    return true;
}

static value link_of(const exception *e, bool *is_cause)
{
    *is_cause = IS_EXC(e->cause);
    if (*is_cause) return e->cause;
    return e->h.flags & EXC_SUPPRESS_CONTEXT ? V_NONE : e->context;
}

static void put_one(printer *p, value exc)
{
    if (value_isa_id(p->vm, exc, EXC_BaseExceptionGroup)) put_group(p, exc);
    else put_exception(p, exc);
}

static void put_link_text(printer *p, bool is_cause)
{
    margin(p);
    sb_char(&p->b, '\n');
    margin(p);
    sb_cstr(&p->b, is_cause ? "The above exception was the direct cause of the following exception:\n"
                            : "During handling of the above exception, another exception occurred:\n");
    margin(p);
    sb_char(&p->b, '\n');
}

/* The exception after all that it came from: the chain first in a list, as it may be long. */
static void put_recursive(printer *p, value exc)
{
    vm *vm = p->vm;
    if (!vm_enter(vm)) {
        exc_clear(vm);
        return;
    }
    list *chain = list_new(vm, 4);
    ROOTS(vm, &exc, &chain);
    bool ok = chain && list_append(vm, chain, exc);
    bool is_cause;
    first_visit(p, exc);
    for (value e = exc; ok;) {
        e = link_of(AS(exception, e), &is_cause);
        if (!IS_EXC(e) || !first_visit(p, e)) break;
        ok = list_append(vm, chain, e);
    }
    if (!ok) {
        exc_clear(vm);
        put_one(p, exc);
    } else {
        bool need_close = p->need_close;
        for (size_t i = chain->len; i-- > 0;) {
            p->need_close = i == 0 ? need_close : false;
            put_one(p, chain->items[i]);
            if (i == 0) break;
            link_of(AS(exception, chain->items[i - 1]), &is_cause);
            put_link_text(p, is_cause);
        }
    }
    vm_leave(vm);
}

str *exc_format(vm *vm, value exc)
{
    value pending = vm->thread->exc;
    ROOTS(vm, &exc, &pending);
    vm->thread->exc = V_UNBOUND;
    printer p = {.vm = vm};
    sb_init(&p.b, vm);
    p.seen = dict_new(vm);
    ROOTS(vm, &p.seen);
    if (!p.seen) exc_clear(vm);
    put_recursive(&p, exc);
    str *s = sb_finish(&p.b);
    if (s) vm->thread->exc = pending;
    return s;
}

str *exc_format_alone(vm *vm, value exc)
{
    printer p = {.vm = vm};
    sb_init(&p.b, vm);
    ROOTS(vm, &exc);
    put_traceback(&p, exc, false);
    put_message(&p, exc, exc);
    return sb_finish(&p.b);
}

void exc_print(vm *vm, value exc)
{
    ROOTS(vm, &exc);
    str *s = exc_format(vm, exc);
    if (s) {
        file_write_stderr(vm, s);
        return;
    }
    exc_clear(vm);
    file_write_fd(2, "MemoryError\n", 12);
}
