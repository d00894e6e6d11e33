/* What the compiler reports: SyntaxErrors as exceptions, SyntaxWarnings collected and issued at the
 * end. */
#include "compile.h"

#include "str.h"

void raise_syntax_error(vm *vm, unsigned exc_id, str *msg, str *filename, uint32_t line, uint32_t offset,
                        uint32_t end_line, uint32_t end_offset, str *text)
{
    if (raised(vm)) return;
    value where[6] = {
        filename ? value_obj(filename) : V_NONE, value_int(line),     value_int(offset),
        text ? value_obj(text) : V_NONE,         value_int(end_line), value_int(end_offset),
    };
    tuple *details = tuple_from(vm, where, end_line ? 6 : 4);
    if (!details) return;
    value args[2] = {value_obj(msg), value_obj(details)};
    value exc = exc_make(vm, vm->types[exc_id], args, 2);
    if (!value_is_error(exc)) raise_exception(vm, exc);
}

/* The source line with its newline, as CPython hands it out: a file's last line gets one. */
static str *line_text(compiler *c, uint32_t line)
{
    const struct line_index *lines = &c->parse.lines;
    if (line == 0 || line > lines->n) return NULL;
    uint32_t n;
    const char *s = line_index_text(lines, line, &n);
    if (s + n < lines->src + lines->len && s[n] == '\n') n++;
    else if (c->mode == COMPILE_FILE) return str_format(c->vm, "%U\n", str_value(str_new_utf8(c->vm, s, n)));
    return str_new_utf8(c->vm, s, n);
}

static void raise_at(compiler *c, unsigned exc_id, str *msg, const struct diag *d, bool show)
{
    c->failed = true;
    if (!msg) return;
    str *text = show ? line_text(c, d->lineno) : NULL;
    if (raised(c->vm)) return;
    raise_syntax_error(c->vm, exc_id, msg, c->filename, d->lineno, d->offset, d->end_lineno, d->end_offset, text);
}

/* What the parser did not notice shows its line if that can be read: not in <string> and its like. */
static bool is_file(const compiler *c) { return !c->filename->len || str_at(c->filename, 0) != '<'; }

void comp_error(compiler *c, span at, const char *fmt, ...)
{
    if (c->failed) return;
    va_list ap;
    va_start(ap, fmt);
    str *msg = str_vformat(c->vm, fmt, ap);
    va_end(ap);
    struct diag d = {0};
    line_index_locate(&c->parse.lines, at.start, at.end, &d);
    raise_at(c, EXC_SyntaxError, msg, &d, is_file(c));
}

void comp_error_node(compiler *c, const ast *n, const char *fmt, ...)
{
    if (c->failed) return;
    va_list ap;
    va_start(ap, fmt);
    str *msg = str_vformat(c->vm, fmt, ap);
    va_end(ap);
    struct diag d = {0};
    line_index_locate(&c->parse.lines, n->start, n->end, &d);
    raise_at(c, EXC_SyntaxError, msg, &d, is_file(c));
}

void comp_unsupported(compiler *c, const ast *n, const char *what)
{
    comp_error_node(c, n, "%s is not supported yet", what);
}

void comp_raise_diag(compiler *c, const struct diag *d)
{
    str *msg = str_from_cstr(c->vm, d->message);
    switch (d->kind) {
    case DIAG_INDENTATION_ERROR: raise_at(c, EXC_IndentationError, msg, d, true); break;
    case DIAG_TAB_ERROR: raise_at(c, EXC_TabError, msg, d, true); break;
    case DIAG_VALUE_ERROR: raise_value_error(c->vm, "%s", d->message); break;
    case DIAG_RECURSION_ERROR: raise(c->vm, EXC_RecursionError, "%s", d->message); break;
    case DIAG_MEMORY_ERROR: raise(c->vm, EXC_MemoryError, "%s", d->message); break;
    default: raise_at(c, EXC_SyntaxError, msg, d, true); break;
    }
    c->failed = true;
}

/* ---- warnings ---- */

static void add_warning(compiler *c, uint8_t category, const char *message, str *text, uint32_t line, span at)
{
    struct source_warning *w = comp_alloc(c, sizeof *w);
    if (!w) return;
    *w = (struct source_warning){NULL, category, message, text, line, at};
    *c->warnings_end = w;
    c->warnings_end = &w->next;
}

void comp_warn(compiler *c, ast *n, const char *fmt, ...)
{
    if (c->failed || (n->flags & AST_WARNED)) return;
    n->flags |= AST_WARNED;
    va_list ap;
    va_start(ap, fmt);
    str *msg = str_vformat(c->vm, fmt, ap);
    va_end(ap);
    if (value_is_unbound(comp_keep(c, msg ? value_obj(msg) : V_UNBOUND))) return;
    struct line_pos pos = line_index_pos(&c->parse.lines, n->start);
    add_warning(c, DIAG_SYNTAX_WARNING, NULL, msg, pos.line, node_span(n));
}

/* A warning that a filter makes an error is a SyntaxError. May run script: called when nothing but the finished code is
 * left to protect. */
bool comp_report_warnings(compiler *c)
{
    for (struct diag *d = c->parse.warnings; d; d = d->next) {
        unsigned category = d->kind == DIAG_DEPRECATION_WARNING ? EXC_DeprecationWarning : EXC_SyntaxWarning;
        if (!warn_explicit(c->vm, category, str_from_cstr(c->vm, d->message), c->filename, d->lineno)) {
            if (exc_clear_if(c->vm, category)) raise_at(c, EXC_SyntaxError, str_from_cstr(c->vm, d->message), d, true);
            return false;
        }
    }
    for (struct source_warning *w = c->warnings; w; w = w->next) {
        if (warn_explicit(c->vm, EXC_SyntaxWarning, w->text, c->filename, w->line)) continue;
        if (exc_clear_if(c->vm, EXC_SyntaxWarning)) {
            c->failed = false;
            comp_error(c, w->at, "%U", w->text);
        }
        return false;
    }
    return true;
}
