/* editor_text.c: the text being edited: changes, undo, kill ring, moves.
 *
 * A command that changes the text saves an undo state first, unless it goes on with what the command before did
 * (characters typed in a row are one step).
 */
#include "cli/editor.h"
#include "cli/glyph.h"

#include <stdlib.h>
#include <string.h>

void edit_changed(struct editor *e)
{
    menu_clear(e);
    e->hint_stale = true;
}

/* ---- changes ---- */

void edit_insert(struct editor *e, const char *p, size_t n)
{
    if (n == 0) return;
    if (n > SIZE_MAX / 4 - e->len) {
        e->nomem = true;
        return;
    }
    if (e->len + n + 1 > e->cap) {
        size_t cap = (e->len + n + 1) * 2;
        char *text = realloc(e->text, cap);
        if (text == NULL) {
            e->nomem = true;
            return;
        }
        e->text = text;
        e->cap = cap;
    }
    memmove(e->text + e->cursor + n, e->text + e->cursor, e->len - e->cursor);
    memcpy(e->text + e->cursor, p, n);
    e->len += n;
    e->cursor += n;
    e->text[e->len] = 0;
    edit_changed(e);
}

void edit_delete(struct editor *e, size_t from, size_t to)
{
    if (from >= to) return;
    memmove(e->text + from, e->text + to, e->len - to);
    e->len -= to - from;
    e->text[e->len] = 0;
    if (e->cursor >= to) e->cursor -= to - from;
    else if (e->cursor > from) e->cursor = from;
    edit_changed(e);
}

void editor_set_text(struct editor *e, const char *p, size_t n)
{
    e->len = e->cursor = 0;
    if (e->text != NULL) e->text[0] = 0;
    edit_insert(e, p, n);
    edit_changed(e);
}

/* ---- undo ---- */

static struct edit_state snapshot(const struct editor *e)
{
    struct edit_state s = {malloc(e->len + 1), e->len, e->cursor};
    if (s.text != NULL && e->len) memcpy(s.text, e->text, e->len);
    return s;
}

static void push_state(struct edit_state *states, size_t *n, struct edit_state s)
{
    if (s.text == NULL) return;
    if (*n == EDITOR_UNDO) {
        free(states[0].text);
        memmove(states, states + 1, (EDITOR_UNDO - 1) * sizeof *states);
        --*n;
    }
    states[(*n)++] = s;
}

void edit_save_undo(struct editor *e)
{
    push_state(e->undo, &e->nundo, snapshot(e));
    while (e->nredo) free(e->redo[--e->nredo].text);
}

void edit_undo(struct editor *e, bool redo)
{
    struct edit_state *from = redo ? e->redo : e->undo, *to = redo ? e->undo : e->redo;
    size_t *nfrom = redo ? &e->nredo : &e->nundo, *nto = redo ? &e->nundo : &e->nredo;
    if (*nfrom == 0) return;
    push_state(to, nto, snapshot(e));
    struct edit_state s = from[--*nfrom];
    editor_set_text(e, s.text, s.len);
    e->cursor = s.cursor <= e->len ? s.cursor : e->len;
    free(s.text);
}

/* ---- the kill ring ---- */

static void new_kill(struct editor *e, char *text)
{
    if (e->nkills == EDITOR_KILLS) free(e->kills[--e->nkills]);
    memmove(e->kills + 1, e->kills, e->nkills * sizeof *e->kills);
    e->kills[0] = text;
    e->nkills++;
}

/* Kills in a row make one text. */
void edit_kill(struct editor *e, size_t from, size_t to, bool backwards)
{
    if (from >= to) return;
    size_t n = to - from, old = e->last == LAST_KILL && e->nkills ? strlen(e->kills[0]) : 0;
    char *text = malloc(old + n + 1);
    if (text == NULL) {
        e->nomem = true;
        return;
    }
    if (old) memcpy(text + (backwards ? n : 0), e->kills[0], old);
    memcpy(text + (backwards ? 0 : old), e->text + from, n);
    text[old + n] = 0;
    if (old) {
        free(e->kills[0]);
        e->kills[0] = text;
    } else {
        new_kill(e, text);
    }
    edit_save_undo(e);
    edit_delete(e, from, to);
}

void edit_yank(struct editor *e, bool next)
{
    if (e->nkills == 0 || (next && e->last != LAST_YANK)) return;
    if (next) {
        edit_delete(e, e->yank_from, e->cursor);
        e->kill_at = (e->kill_at + 1) % e->nkills;
    } else {
        edit_save_undo(e);
        e->kill_at = 0;
    }
    e->yank_from = e->cursor;
    edit_insert(e, e->kills[e->kill_at], strlen(e->kills[e->kill_at]));
}

/* ---- lines and columns ---- */

size_t edit_line_start(const struct editor *e, size_t at)
{
    while (at > 0 && e->text[at - 1] != '\n') at--;
    return at;
}

size_t edit_line_end(const struct editor *e, size_t at)
{
    while (at < e->len && e->text[at] != '\n') at++;
    return at;
}

static size_t column_of(const struct editor *e, size_t at)
{
    size_t col = 0;
    for (size_t p = edit_line_start(e, at); p < at;) {
        size_t next = glyph_next(e->text, e->len, p);
        col += glyph_columns(e->text, p, next, (unsigned)col);
        p = next;
    }
    return col;
}

bool edit_move_line(struct editor *e, bool up)
{
    size_t start = edit_line_start(e, e->cursor), end = edit_line_end(e, e->cursor);
    if (up ? start == 0 : end == e->len) return false;
    if (e->goal_column == SIZE_MAX) e->goal_column = column_of(e, e->cursor);
    size_t p = up ? edit_line_start(e, start - 1) : end + 1, stop = edit_line_end(e, p), col = 0;
    while (p < stop) {
        size_t next = glyph_next(e->text, e->len, p);
        unsigned w = glyph_columns(e->text, p, next, (unsigned)col);
        if (col + w > e->goal_column) break;
        col += w;
        p = next;
    }
    e->cursor = p;
    return true;
}

/* ---- commands ---- */

void edit_transpose(struct editor *e)
{
    size_t start = edit_line_start(e, e->cursor), mid = e->cursor;
    if (mid == edit_line_end(e, e->cursor) && mid > start) mid = glyph_prev(e->text, e->len, mid);
    if (mid <= start) return;
    size_t before = glyph_prev(e->text, e->len, mid), after = glyph_next(e->text, e->len, mid);
    char swapped[128];
    if (after - before > sizeof swapped) return;
    edit_save_undo(e);
    memcpy(swapped, e->text + mid, after - mid);
    memcpy(swapped + (after - mid), e->text + before, mid - before);
    memcpy(e->text + before, swapped, after - before);
    e->cursor = after;
    edit_changed(e);
}

/* Of the word after the cursor: 'u'pper, 'l'ower or 'c'apital. ASCII letters only. */
void edit_change_case(struct editor *e, char how)
{
    size_t end = glyph_word_end(e->text, e->len, e->cursor);
    edit_save_undo(e);
    bool first = true;
    for (size_t i = e->cursor; i < end; i++) {
        char c = e->text[i], lower = (char)(c | 32);
        if (lower < 'a' || lower > 'z') continue;
        e->text[i] = how == 'u' || (how == 'c' && first) ? (char)(lower - 32) : lower;
        first = false;
    }
    e->cursor = end;
    edit_changed(e);
}

static bool starts_with_word(const char *p, size_t n, const char *word)
{
    size_t len = strlen(word);
    return n >= len && memcmp(p, word, len) == 0 && (n == len || p[len] == ' ' || p[len] == '\n' || p[len] == '#');
}

/* How deep the line after the cursor's begins: as that one, deeper after a colon, shallower after what ends a block. */
static size_t next_indent(const struct editor *e)
{
    size_t start = edit_line_start(e, e->cursor), first = start, end = e->cursor;
    while (first < end && (e->text[first] == ' ' || e->text[first] == '\t')) first++;
    size_t indent = first - start;
    while (end > first && (e->text[end - 1] == ' ' || e->text[end - 1] == '\t')) end--;
    if (end > first && e->text[end - 1] == ':') return indent + 4;
    static const char *const leavers[] = {"return", "raise", "pass", "break", "continue"};
    for (size_t i = 0; i < sizeof leavers / sizeof *leavers; i++)
        if (starts_with_word(e->text + first, end - first, leavers[i])) return indent >= 4 ? indent - 4 : 0;
    return indent;
}

void edit_newline(struct editor *e)
{
    size_t indent = next_indent(e);
    edit_insert(e, "\n", 1);
    for (size_t i = 0; i < indent; i++) edit_insert(e, " ", 1);
}

/* In the indentation: back to the multiple of four before. */
void edit_backspace(struct editor *e)
{
    if (e->cursor == 0) return;
    size_t start = edit_line_start(e, e->cursor), p = start;
    while (p < e->cursor && e->text[p] == ' ') p++;
    size_t from = glyph_prev(e->text, e->len, e->cursor);
    if (p == e->cursor && p > start) from = start + (e->cursor - start - 1) / 4 * 4;
    edit_delete(e, from, e->cursor);
}
