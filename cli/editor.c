/* editor.c: the line editor: from bytes to keys to commands.
 *
 * Bytes may come in any portions: an unfinished UTF-8 sequence or escape sequence waits in `pending`. ESC alone means
 * nothing, so no timeout is needed: it goes with what follows it.
 */
#include "cli/editor.h"
#include "cli/glyph.h"

#include <stdlib.h>
#include <string.h>

/* ---- bytes that grow ---- */

bool out_bytes(struct bytes_out *o, const char *p, size_t n)
{
    if (n > o->cap - o->n) {
        size_t cap = n < SIZE_MAX / 4 - o->n ? (o->n + n) * 2 + 64 : 0;
        char *more = cap ? realloc(o->p, cap) : NULL;
        if (more == NULL) {
            o->failed = true;
            return false;
        }
        o->p = more;
        o->cap = cap;
    }
    if (n) memcpy(o->p + o->n, p, n);
    o->n += n;
    return true;
}

bool out_text(struct bytes_out *o, const char *text) { return out_bytes(o, text, strlen(text)); }

static bool out_number(struct bytes_out *o, unsigned n)
{
    char digits[10], *p = digits + sizeof digits;
    do *--p = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    return out_bytes(o, p, (size_t)(digits + sizeof digits - p));
}

bool out_escape(struct bytes_out *o, unsigned n, char what)
{
    return n == 0 || (out_text(o, "\x1b[") && out_number(o, n) && out_bytes(o, &what, 1));
}

/* ---- open and close ---- */

void editor_open(struct editor *e, const struct editor_client *client, struct history *history, unsigned columns,
                 unsigned rows)
{
    memset(e, 0, sizeof *e);
    e->client = *client;
    e->history = history;
    e->prompt = ">>> ";
    e->more_prompt = "... ";
    e->goal_column = SIZE_MAX;
    editor_resize(e, columns, rows);
}

static void free_states(struct edit_state *states, size_t *n)
{
    while (*n) free(states[--*n].text);
}

void editor_reset(struct editor *e)
{
    e->len = e->cursor = 0;
    if (e->text != NULL) e->text[0] = 0;
    free_states(e->undo, &e->nundo);
    free_states(e->redo, &e->nredo);
    browse_end(e);
    e->searching = false;
    e->last = LAST_OTHER;
    e->goal_column = SIZE_MAX;
    e->nomem = false;
    edit_changed(e);
}

void editor_close(struct editor *e)
{
    editor_reset(e);
    for (size_t i = 0; i < e->nkills; i++) free(e->kills[i]);
    free(e->text);
    free(e->submitted);
    free(e->before_search.text);
    free(e->out.p);
    free(e->paste.p);
    free(e->partial.p);
    free(e->frame.bytes.p);
    free(e->frame.rows);
    free(e->next.bytes.p);
    free(e->next.rows);
    memset(e, 0, sizeof *e);
}

/* ---- commands ---- */

static void submit(struct editor *e)
{
    /* A line of blanks ended the block: the cell goes without it. */
    size_t n = e->len;
    while (n > 0 && (e->text[n - 1] == ' ' || e->text[n - 1] == '\t' || e->text[n - 1] == '\n')) n--;
    free(e->submitted);
    e->submitted = strndup(e->len ? e->text : "", n);
    e->submitted_len = e->submitted ? n : 0;
    e->cursor = e->len;
    history_add(e->history, e->submitted ? e->submitted : "", e->submitted_len);
    e->event = EDITOR_SUBMIT;
}

static bool is_whole(struct editor *e)
{
    if (e->len == 0) return true;
    /* As if Enter had ended the last line: in the text, which keeps room for it. */
    struct edit_state s = {malloc(e->len + 2), e->len + 1, 0};
    if (s.text == NULL) return true;
    memcpy(s.text, e->text, e->len);
    s.text[e->len] = '\n';
    s.text[e->len + 1] = 0;
    bool whole = e->client.is_complete(e->client.ud, s.text, s.len);
    free(s.text);
    return whole;
}

static void enter(struct editor *e)
{
    bool last_line = edit_line_end(e, e->cursor) == e->len;
    if (last_line && is_whole(e)) {
        submit(e);
        return;
    }
    edit_save_undo(e);
    /* What is left of a line of blanks only would be a trap for the eye. */
    size_t start = edit_line_start(e, e->cursor);
    if (last_line && strspn(e->len ? e->text + start : "", " ") == e->len - start && e->cursor == e->len &&
        start < e->len) {
        size_t indent = e->len - start;
        edit_delete(e, start, e->len);
        edit_insert(e, "\n", 1);
        for (size_t i = 0; i < indent; i++) edit_insert(e, " ", 1);
        return;
    }
    edit_newline(e);
}

/* A tab indents where there is nothing to complete. */
static void tab(struct editor *e)
{
    size_t p = edit_line_start(e, e->cursor);
    while (p < e->cursor && (e->text[p] == ' ' || e->text[p] == '\t')) p++;
    if (p < e->cursor) {
        menu_complete(e);
        return;
    }
    edit_save_undo(e);
    size_t column = e->cursor - edit_line_start(e, e->cursor);
    edit_insert(e, "    ", 4 - column % 4);
}

static void dedent(struct editor *e)
{
    size_t start = edit_line_start(e, e->cursor), p = start;
    while (p < e->len && e->text[p] == ' ' && p - start < 4) p++;
    edit_save_undo(e);
    edit_delete(e, start, p);
}

static void kill_blank_word(struct editor *e)
{
    size_t from = e->cursor;
    while (from > 0 && (e->text[from - 1] == ' ' || e->text[from - 1] == '\n')) from--;
    while (from > 0 && e->text[from - 1] != ' ' && e->text[from - 1] != '\n') from--;
    edit_kill(e, from, e->cursor, true);
}

static void kill_to_end(struct editor *e)
{
    size_t end = edit_line_end(e, e->cursor);
    if (end == e->cursor && end < e->len) end++; /* the line end itself */
    edit_kill(e, e->cursor, end, false);
}

static void kill_to_start(struct editor *e)
{
    size_t start = edit_line_start(e, e->cursor);
    if (start == e->cursor && start > 0) start--;
    edit_kill(e, start, e->cursor, true);
}

static enum last_command delete_char(struct editor *e, bool forward)
{
    if (e->last != LAST_DELETE) edit_save_undo(e);
    if (forward) edit_delete(e, e->cursor, glyph_next(e->text, e->len, e->cursor));
    else edit_backspace(e);
    return LAST_DELETE;
}

/* Typing goes on: one undo step up to the next word. */
static enum last_command self_insert(struct editor *e, const char *p, size_t n)
{
    if (e->last != LAST_INSERT || (n == 1 && *p == ' ')) edit_save_undo(e);
    edit_insert(e, p, n);
    return LAST_INSERT;
}

static enum last_command up_down(struct editor *e, bool up)
{
    if (e->last != LAST_HISTORY && edit_move_line(e, up)) return LAST_OTHER;
    browse_move(e, up);
    return LAST_HISTORY;
}

static enum last_command meta_key(struct editor *e, int c)
{
    size_t n = e->len;
    switch (c) {
    case 'b': e->cursor = glyph_word_start(e->text, n, e->cursor); break;
    case 'f': e->cursor = glyph_word_end(e->text, n, e->cursor); break;
    case 'd': edit_kill(e, e->cursor, glyph_word_end(e->text, n, e->cursor), false); return LAST_KILL;
    case 127:
    case 'H' & 31: edit_kill(e, glyph_word_start(e->text, n, e->cursor), e->cursor, true); return LAST_KILL;
    case 'y': edit_yank(e, true); return LAST_YANK;
    case 'u':
    case 'l':
    case 'c': edit_change_case(e, (char)c); break;
    case '<': browse_ends(e, true); return LAST_HISTORY;
    case '>': browse_ends(e, false); return LAST_HISTORY;
    case 'p': browse_move(e, true); return LAST_HISTORY;
    case 'n': browse_move(e, false); return LAST_HISTORY;
    case '\r':
    case '\n':
        edit_save_undo(e);
        edit_newline(e);
        break;
    case '_':
    case 'r': edit_undo(e, true); break;
    default: break;
    }
    return LAST_OTHER;
}

/* What the key does; what it was for the next one. */
static enum last_command command(struct editor *e, int key, const char *p, size_t n)
{
    switch (key) {
    case 'A' & 31:
    case KEY_HOME: e->cursor = edit_line_start(e, e->cursor); break;
    case 'E' & 31:
    case KEY_END: e->cursor = edit_line_end(e, e->cursor); break;
    case 'B' & 31:
    case KEY_LEFT: e->cursor = glyph_prev(e->text, e->len, e->cursor); break;
    case 'F' & 31:
    case KEY_RIGHT: e->cursor = glyph_next(e->text, e->len, e->cursor); break;
    case KEY_WORD_LEFT: e->cursor = glyph_word_start(e->text, e->len, e->cursor); break;
    case KEY_WORD_RIGHT: e->cursor = glyph_word_end(e->text, e->len, e->cursor); break;
    case 'P' & 31:
    case KEY_UP: return up_down(e, true);
    case 'N' & 31:
    case KEY_DOWN: return up_down(e, false);
    case KEY_PAGE_UP: browse_move(e, true); return LAST_HISTORY;
    case KEY_PAGE_DOWN: browse_move(e, false); return LAST_HISTORY;
    case 'D' & 31:
        if (e->len == 0) {
            e->event = EDITOR_END;
            break;
        }
        return delete_char(e, true);
    case KEY_DELETE: return delete_char(e, true);
    case 'H' & 31:
    case 127: return delete_char(e, false);
    case 'K' & 31: kill_to_end(e); return LAST_KILL;
    case 'U' & 31: kill_to_start(e); return LAST_KILL;
    case 'W' & 31: kill_blank_word(e); return LAST_KILL;
    case 'Y' & 31: edit_yank(e, false); return LAST_YANK;
    case 'T' & 31: edit_transpose(e); break;
    case '_' & 31: edit_undo(e, false); break;
    case 'R' & 31: search_begin(e); break;
    case 'L' & 31:
        editor_forget(e);
        out_text(&e->out, "\x1b[H\x1b[2J");
        e->partial.n = 0;
        break;
    case '\r':
    case '\n': enter(e); break;
    case '\t': tab(e); return LAST_TAB;
    case KEY_SHIFT_TAB: dedent(e); break;
    case 'Q' & 31:
    case 'V' & 31: e->quoting = true; break;
    case 'C' & 31: e->event = EDITOR_INTERRUPT; break;
    case 'Z' & 31: e->event = EDITOR_SUSPEND; break;
    case '\\' & 31: e->event = EDITOR_STATUS; break;
    case KEY_PASTE:
        edit_save_undo(e);
        edit_insert(e, e->paste.p, e->paste.n);
        break;
    default:
        if (key >= KEY_META) return meta_key(e, key - KEY_META);
        if (key >= 0x20 && key <= 0x10FFFF) return self_insert(e, p, n);
    }
    return LAST_OTHER;
}

static void take_key(struct editor *e, int key, const char *p, size_t n)
{
    if (e->quoting && key <= 0x10FFFF) {
        e->quoting = false;
        edit_save_undo(e);
        edit_insert(e, p, n);
        return;
    }
    if (e->searching && search_key(e, key, p, n)) return;
    if (e->menu.n && key != '\t') menu_clear(e);
    size_t cursor = e->cursor;
    enum last_command did = command(e, key, p, n);
    if (did != LAST_HISTORY) browse_end(e);
    if (key != KEY_UP && key != KEY_DOWN && key != ('P' & 31) && key != ('N' & 31)) e->goal_column = SIZE_MAX;
    e->last = did;
    if (e->cursor != cursor) e->hint_stale = true;
}

/* ---- bytes to keys ---- */

/* The key of ESC [ parameters final, or ESC O final. */
static int escape_key(const char *p, size_t n)
{
    char final = p[n - 1];
    unsigned number[2] = {0, 0}, at = 0;
    for (size_t i = 2; i < n - 1; i++) {
        if (p[i] == ';' && at == 0) at = 1;
        else if (p[i] >= '0' && p[i] <= '9' && number[at] < 1000) number[at] = number[at] * 10 + (unsigned)(p[i] - '0');
    }
    bool jump = number[1] == 5 || number[1] == 3; /* with Ctrl or Alt */
    switch (final) {
    case 'A': return KEY_UP;
    case 'B': return KEY_DOWN;
    case 'C': return jump ? KEY_WORD_RIGHT : KEY_RIGHT;
    case 'D': return jump ? KEY_WORD_LEFT : KEY_LEFT;
    case 'H': return KEY_HOME;
    case 'F': return KEY_END;
    case 'Z': return KEY_SHIFT_TAB;
    case '~':
        switch (number[0]) {
        case 1:
        case 7: return KEY_HOME;
        case 4:
        case 8: return KEY_END;
        case 3: return KEY_DELETE;
        case 5: return KEY_PAGE_UP;
        case 6: return KEY_PAGE_DOWN;
        case 200: return KEY_PASTE;
        }
    }
    return KEY_UNKNOWN;
}

/* The length of the key at the begin of p, 0: more bytes are needed. */
static size_t parse_key(const char *p, size_t n, int *key)
{
    unsigned char c = (unsigned char)p[0];
    if (c == 0x1b) {
        if (n == 1) return 0;
        if (p[1] == 'O' || p[1] == '[') {
            for (size_t i = 2; i < n; i++) {
                unsigned char f = (unsigned char)p[i];
                if (f < 0x20 || f > 0x3F) {
                    *key = escape_key(p, i + 1);
                    return i + 1;
                }
            }
            return 0;
        }
        if (p[1] == 0x1b) { /* an ESC that nobody wanted */
            *key = KEY_UNKNOWN;
            return 1;
        }
        *key = KEY_META + (unsigned char)p[1];
        return 2;
    }
    size_t want = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4, len;
    for (size_t i = 1; i < want && i < n; i++)
        if (((unsigned char)p[i] & 0xC0) != 0x80) want = i;
    if (n < want) return 0;
    uint32_t cp = glyph_decode(p, p + want, &len);
    *key = cp == 0xFFFD && c != 0xEF ? KEY_UNKNOWN : (int)cp;
    return len;
}

/* Up to the end of a bracketed paste; how many bytes of p it took. */
static size_t feed_paste(struct editor *e, const char *p, size_t n)
{
    static const char end[] = "\x1b[201~";
    enum { END = sizeof end - 1 };
    size_t i = 0;
    while (i < n) {
        char c = p[i++];
        bool after_cr = e->paste_cr;
        e->paste_cr = c == '\r';
        if (c == '\n' && after_cr) continue;
        if (c == '\r') c = '\n';
        out_bytes(&e->paste, &c, 1);
        if (e->paste.n >= END && memcmp(e->paste.p + e->paste.n - END, end, END) == 0) {
            e->paste.n -= END;
            e->pasting = false;
            take_key(e, KEY_PASTE, NULL, 0);
            e->paste.n = 0;
            break;
        }
    }
    return i;
}

size_t editor_feed(struct editor *e, const char *p, size_t n)
{
    size_t used = 0;
    e->event = EDITOR_NONE;
    while (used < n && e->event == EDITOR_NONE) {
        if (e->pasting) {
            used += feed_paste(e, p + used, n - used);
            continue;
        }
        if (e->npending == sizeof e->pending) e->npending = 0; /* no key is so long */
        e->pending[e->npending++] = p[used++];
        int key = KEY_UNKNOWN;
        size_t len = parse_key(e->pending, e->npending, &key);
        if (e->quoting && e->npending == 1 && e->pending[0] == '\x1b') {
            key = 0x1b;
            len = 1;
        }
        while (len > 0) {
            char taken[sizeof e->pending];
            memcpy(taken, e->pending, len);
            e->npending -= len;
            memmove(e->pending, e->pending + len, e->npending);
            if (key == KEY_PASTE) {
                e->pasting = true;
                e->paste.n = 0;
            } else {
                take_key(e, key, taken, len);
            }
            len = e->npending && e->event == EDITOR_NONE ? parse_key(e->pending, e->npending, &key) : 0;
        }
    }
    return used;
}
