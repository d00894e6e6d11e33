/* editor_screen.c: what the terminal shows: the prompt and the text, and what is printed above them.
 *
 * The text is laid out as rows of the terminal's width (`next`), compared with what is on the screen (`frame`), and
 * only the rows that differ are written. No row relies on the terminal's own wrapping: a full row is followed by CR LF.
 *
 * Invariants
 *  1. shown: the frame's rows are on the screen, the cursor is at frame.cursor_row, frame.cursor_col.
 *  2. Not shown: the cursor is right behind `partial`, or (below_partial) at the begin of the line below it.
 *  3. `partial` is what was printed since the last line end. When more is printed the prompt goes away, `partial` is
 *     written again in its old place and goes on there.
 */
#include "cli/editor.h"
#include "cli/glyph.h"

#include <stdlib.h>
#include <string.h>

enum { PARTIAL_MAX = 4096 };

static const char *const sgr[STYLE_COUNT] = {
    [STYLE_PLAIN] = "",           [STYLE_KEYWORD] = "\x1b[1;34m",
    [STYLE_STRING] = "\x1b[32m",  [STYLE_NUMBER] = "\x1b[36m",
    [STYLE_COMMENT] = "\x1b[90m", [STYLE_BUILTIN] = "\x1b[35m",
    [STYLE_DEFINED] = "\x1b[1m",  [STYLE_OPERATOR] = "",
    [STYLE_ERROR] = "\x1b[31m",   [STYLE_PROMPT] = "\x1b[1;35m",
    [STYLE_DIM] = "\x1b[2m",
};

/* ---- laying out ---- */

struct layout {
    struct editor *e;
    struct frame_image *f;
    unsigned col;
    enum editor_style style;
    bool failed;
};

static void begin_row(struct layout *l)
{
    struct frame_image *f = l->f;
    if (f->nrows == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 16;
        struct screen_row *rows = realloc(f->rows, cap * sizeof *rows);
        if (rows == NULL) {
            l->failed = true;
            return;
        }
        f->rows = rows;
        f->cap = cap;
    }
    f->rows[f->nrows++] = (struct screen_row){.at = f->bytes.n};
    l->col = 0;
}

static void set_style(struct layout *l, enum editor_style style)
{
    if (style == l->style || !l->e->colour) return;
    if (sgr[l->style][0]) out_text(&l->f->bytes, "\x1b[0m");
    out_text(&l->f->bytes, sgr[style]);
    l->style = style;
}

static void end_row(struct layout *l)
{
    set_style(l, STYLE_PLAIN);
    if (l->f->nrows == 0) return;
    struct screen_row *row = &l->f->rows[l->f->nrows - 1];
    row->n = l->f->bytes.n - row->at;
    row->columns = l->col;
}

static void new_row(struct layout *l)
{
    end_row(l);
    begin_row(l);
}

/* One cluster; control characters as ^X. */
static void put_cluster(struct layout *l, const char *text, size_t from, size_t to, enum editor_style style)
{
    unsigned w = glyph_columns(text, from, to, l->col), width = l->e->columns;
    if (l->col + w > width && l->col > 0) {
        new_row(l);
        w = glyph_columns(text, from, to, l->col);
    }
    if (w > width) w = width;
    set_style(l, style);
    unsigned char c = (unsigned char)text[from];
    if (c == '\t') {
        for (unsigned i = 0; i < w; i++) out_bytes(&l->f->bytes, " ", 1);
    } else if (c < 0x20 || c == 0x7F) {
        char shown[2] = {'^', (char)(c ^ 64)};
        out_bytes(&l->f->bytes, shown, w < 2 ? w : 2);
    } else {
        size_t n;
        uint32_t cp = glyph_decode(text + from, text + to, &n);
        /* What is no text (also C1 controls) must not reach the terminal as it is. */
        if ((cp >= 0x80 && cp < 0xA0) || (cp == 0xFFFD && n == 1)) out_text(&l->f->bytes, w ? "\xEF\xBF\xBD" : "");
        else out_bytes(&l->f->bytes, text + from, to - from);
    }
    l->col += w;
}

static void put_text(struct layout *l, const char *text, size_t n, enum editor_style style)
{
    for (size_t p = 0; p < n;) {
        size_t next = glyph_next(text, n, p);
        put_cluster(l, text, p, next, style);
        p = next;
    }
}

/* A row of its own that is cut off at the edge. */
static void put_line(struct layout *l, const char *text, size_t n, enum editor_style style)
{
    new_row(l);
    for (size_t p = 0; p < n;) {
        size_t next = glyph_next(text, n, p);
        if (l->col + glyph_columns(text, p, next, l->col) > l->e->columns) break;
        put_cluster(l, text, p, next, style);
        p = next;
    }
}

static void place_cursor(struct layout *l)
{
    if (l->col >= l->e->columns) new_row(l);
    l->f->cursor_row = l->f->nrows ? (unsigned)(l->f->nrows - 1) : 0;
    l->f->cursor_col = l->col;
}

static void put_prompt(struct layout *l, bool first)
{
    struct editor *e = l->e;
    if (first && e->searching) {
        const char *what = e->search_failed ? "(failed search)`" : "(search)`";
        put_text(l, what, strlen(what), STYLE_PROMPT);
        put_text(l, e->query, e->query_len, STYLE_PLAIN);
        put_text(l, "': ", 3, STYLE_PROMPT);
        return;
    }
    const char *prompt = first ? e->prompt : e->more_prompt;
    put_text(l, prompt, strlen(prompt), STYLE_PROMPT);
}

static void put_input(struct layout *l)
{
    struct editor *e = l->e;
    uint8_t *styles = e->colour && e->client.style && e->len ? calloc(e->len, 1) : NULL;
    if (styles != NULL) e->client.style(e->text, e->len, styles);
    put_prompt(l, true);
    for (size_t p = 0; p < e->len && !l->failed;) {
        if (p == e->cursor) place_cursor(l);
        if (e->text[p] == '\n') {
            new_row(l);
            put_prompt(l, false);
            p++;
            continue;
        }
        size_t next = glyph_next(e->text, e->len, p);
        enum editor_style style = styles && styles[p] < STYLE_COUNT ? styles[p] : STYLE_PLAIN;
        put_cluster(l, e->text, p, next, style);
        p = next;
    }
    if (e->cursor >= e->len) place_cursor(l);
    free(styles);
}

/* The candidates in columns, as many rows as there is room for. */
static void put_menu(struct layout *l, size_t room)
{
    struct editor *e = l->e;
    size_t widest = 1;
    for (size_t i = 0; i < e->menu.n; i++) {
        size_t w = glyph_printed_columns(e->menu.items[i], strlen(e->menu.items[i]), 0);
        widest = w > widest ? w : widest;
    }
    size_t per_row = (e->columns + 2) / (widest + 2);
    if (per_row == 0) per_row = 1;
    size_t rows = (e->menu.n + per_row - 1) / per_row;
    for (size_t r = 0; r < rows && r < room; r++) {
        new_row(l);
        if (r + 1 == room && r + 1 < rows) {
            put_text(l, "...", 3, STYLE_DIM);
            break;
        }
        for (size_t c = 0; c < per_row && c * rows + r < e->menu.n; c++) {
            const char *item = e->menu.items[c * rows + r];
            size_t n = strlen(item), at = c * (widest + 2);
            while (l->col < at && l->col < e->columns) put_cluster(l, " ", 0, 1, STYLE_PLAIN);
            for (size_t p = 0; p < n;) {
                size_t next = glyph_next(item, n, p);
                if (l->col + glyph_columns(item, p, next, l->col) > e->columns) break;
                put_cluster(l, item, p, next, STYLE_PLAIN);
                p = next;
            }
        }
    }
}

static void refresh_hint(struct editor *e)
{
    if (!e->hint_stale && e->hint_cursor == e->cursor && e->hint_text_len == e->len) return;
    e->hint[0] = 0;
    if (e->client.hint != NULL && e->len > 0)
        e->client.hint(e->client.ud, e->text, e->len, e->cursor, e->hint, sizeof e->hint);
    e->hint_len = strlen(e->hint);
    e->hint_cursor = e->cursor;
    e->hint_text_len = e->len;
    e->hint_stale = false;
}

/* More rows than the terminal has: those around the cursor. */
static void keep_window(struct editor *e, struct frame_image *f)
{
    if (f->nrows <= e->rows) return;
    size_t first = f->cursor_row + 1 > e->rows ? f->cursor_row + 1 - e->rows : 0;
    memmove(f->rows, f->rows + first, (f->nrows - first) * sizeof *f->rows);
    f->nrows -= first;
    f->cursor_row -= (unsigned)first;
    if (f->nrows > e->rows) f->nrows = e->rows;
}

static bool lay_out(struct editor *e, bool extras)
{
    struct frame_image *f = &e->next;
    f->bytes.n = f->nrows = 0;
    f->bytes.failed = false;
    struct layout l = {.e = e, .f = f};
    begin_row(&l);
    put_input(&l);
    size_t room = e->rows > f->nrows ? e->rows - f->nrows : 0;
    if (extras && e->menu.n) put_menu(&l, room);
    else if (extras && room) {
        refresh_hint(e);
        if (e->hint_len) put_line(&l, e->hint, e->hint_len, STYLE_DIM);
    }
    end_row(&l);
    if (l.failed || f->bytes.failed) return false;
    keep_window(e, f);
    return true;
}

/* ---- writing ---- */

static void move_rows(struct editor *e, unsigned from, unsigned to)
{
    if (to < from) out_escape(&e->out, from - to, 'A');
    else out_escape(&e->out, to - from, 'B');
}

static void put_row(struct editor *e, const struct screen_row *row)
{
    out_bytes(&e->out, e->next.bytes.p + row->at, row->n);
    /* Behind a full row the cursor hangs in the last column: erasing would take the last character. */
    if (row->columns < e->columns) out_text(&e->out, "\x1b[K");
}

static bool same_row(const struct editor *e, size_t i)
{
    const struct screen_row *a = &e->frame.rows[i], *b = &e->next.rows[i];
    return a->n == b->n && memcmp(e->frame.bytes.p + a->at, e->next.bytes.p + b->at, a->n) == 0;
}

/* From the frame on the screen to `next`, row by row; the cursor ends where it belongs. */
static void write_difference(struct editor *e)
{
    struct frame_image *old = &e->frame, *f = &e->next;
    unsigned at = e->shown ? old->cursor_row : 0;
    size_t there = e->shown ? old->nrows : 0;
    for (size_t i = 0; i < f->nrows; i++) {
        if (i < there && same_row(e, i)) continue;
        if (i < there || i == 0) {
            move_rows(e, at, (unsigned)i);
            out_text(&e->out, "\r");
        } else { /* a row that is not there yet */
            move_rows(e, at, (unsigned)i - 1);
            out_text(&e->out, "\r\n");
        }
        at = (unsigned)i;
        put_row(e, &f->rows[i]);
    }
    if (there > f->nrows) {
        move_rows(e, at, (unsigned)f->nrows);
        out_text(&e->out, "\r\x1b[J");
        at = (unsigned)f->nrows;
    }
    move_rows(e, at, f->cursor_row);
    out_text(&e->out, "\r");
    out_escape(&e->out, f->cursor_col, 'C');
}

static void show(struct editor *e, bool extras)
{
    if (!lay_out(e, extras)) return;
    if (!e->shown && !e->below_partial && e->partial.n) out_text(&e->out, "\r\n");
    write_difference(e);
    struct frame_image old = e->frame;
    e->frame = e->next;
    e->next = old;
    e->shown = true;
    e->below_partial = false;
}

void editor_render(struct editor *e) { show(e, true); }

void editor_leave(struct editor *e)
{
    menu_clear(e);
    e->cursor = e->len;
    show(e, false);
    if (!e->shown) return;
    move_rows(e, e->frame.cursor_row, e->frame.nrows ? (unsigned)e->frame.nrows - 1 : 0);
    out_text(&e->out, "\r\n");
    e->shown = e->below_partial = false;
    e->partial.n = 0;
}

/* ---- above the prompt ---- */

/* The rows that `partial` takes. */
static unsigned partial_rows(const struct editor *e)
{
    if (e->partial.n == 0) return 0;
    size_t columns = glyph_printed_columns(e->partial.p, e->partial.n, 0);
    return columns <= e->columns ? 1 : (unsigned)((columns + e->columns - 1) / e->columns);
}

/* Back to where the last printed text ends. */
static void unhide_partial(struct editor *e)
{
    if (e->below_partial && e->partial.n) {
        out_escape(&e->out, partial_rows(e), 'A');
        out_text(&e->out, "\r\x1b[J");
        out_bytes(&e->out, e->partial.p, e->partial.n);
    }
    e->below_partial = false;
}

void editor_hide(struct editor *e)
{
    if (!e->shown) return;
    move_rows(e, e->frame.cursor_row, 0);
    out_text(&e->out, "\r\x1b[J");
    e->shown = false;
    e->below_partial = e->partial.n > 0;
}

static void keep_partial(struct editor *e, const char *p, size_t n)
{
    const char *nl = n ? memrchr(p, '\n', n) : NULL;
    if (nl != NULL) {
        e->partial.n = 0;
        n -= (size_t)(nl + 1 - p);
        p = nl + 1;
    }
    /* A progress bar writes over itself: what counts begins at its last carriage return. */
    const char *cr = n > 1 ? memrchr(p, '\r', n - 1) : NULL;
    if (cr != NULL || (n && *p == '\r')) {
        e->partial.n = 0;
        if (cr != NULL) {
            n -= (size_t)(cr - p);
            p = cr;
        }
    }
    out_bytes(&e->partial, p, n);
}

void editor_print_above(struct editor *e, const char *p, size_t n)
{
    if (n == 0) return;
    editor_hide(e);
    unhide_partial(e);
    for (size_t i = 0; i < n;) {
        const char *nl = memchr(p + i, '\n', n - i);
        size_t stop = nl ? (size_t)(nl - p) : n;
        out_bytes(&e->out, p + i, stop - i);
        if (nl) out_text(&e->out, "\r\n");
        i = stop + (nl != NULL);
    }
    keep_partial(e, p, n);
    if (e->partial.n > PARTIAL_MAX) { /* too much to be written again and again */
        out_text(&e->out, "\r\n");
        e->partial.n = 0;
    }
}

void editor_forget(struct editor *e)
{
    e->shown = false;
    e->below_partial = true;
    e->frame.nrows = 0;
}

/* Terminals break rows that have become too long, so those of the frame above the cursor may have become more. */
void editor_resize(struct editor *e, unsigned columns, unsigned rows)
{
    columns = columns < 2 ? 80 : columns;
    rows = rows < 1 ? 24 : rows;
    if (e->shown && columns != e->columns) {
        unsigned up = e->frame.cursor_col / columns;
        for (size_t i = 0; i < e->frame.cursor_row && i < e->frame.nrows; i++) {
            unsigned w = e->frame.rows[i].columns;
            up += w <= columns ? 1 : (w + columns - 1) / columns;
        }
        out_escape(&e->out, up, 'A');
        out_text(&e->out, "\r\x1b[J");
        e->shown = false;
        e->below_partial = true;
    }
    e->columns = columns;
    e->rows = rows;
}
