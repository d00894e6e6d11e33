/* editor_history.c: looking through the history: one by one, by prefix, by incremental search. */
#include "cli/editor.h"
#include "cli/glyph.h"

#include <stdlib.h>
#include <string.h>

/* ---- one after the other ---- */

static void show_entry(struct editor *e, size_t at)
{
    const char *text = at < e->history->n ? e->history->entries[at] : e->draft ? e->draft : "";
    editor_set_text(e, text, strlen(text));
    e->browse_at = at;
    if (e->prefix_len && e->prefix_len <= e->len) e->cursor = e->prefix_len;
}

static void begin(struct editor *e)
{
    if (e->browsing) return;
    free(e->draft);
    e->draft = strndup(e->len ? e->text : "", e->len);
    e->browsing = true;
    e->browse_at = e->history->n;
    /* With something before the cursor only entries that begin with it. */
    e->prefix_len = e->cursor;
}

void browse_end(struct editor *e)
{
    e->browsing = false;
    free(e->draft);
    e->draft = NULL;
}

void browse_move(struct editor *e, bool older)
{
    if (!e->browsing && !older) return;
    begin(e);
    size_t at =
        history_find_prefix(e->history, e->browse_at, older, e->draft ? e->draft : "", e->draft ? e->prefix_len : 0);
    /* The same text again tells nothing. */
    while (at < e->history->n && strlen(e->history->entries[at]) == e->len &&
           memcmp(e->history->entries[at], e->text ? e->text : "", e->len) == 0)
        at = history_find_prefix(e->history, at, older, e->draft ? e->draft : "", e->draft ? e->prefix_len : 0);
    if (at != SIZE_MAX && (at < e->history->n || !older)) show_entry(e, at);
}

void browse_ends(struct editor *e, bool oldest)
{
    begin(e);
    e->prefix_len = 0;
    show_entry(e, oldest && e->history->n ? 0 : e->history->n);
}

/* ---- Ctrl-R ---- */

void search_begin(struct editor *e)
{
    browse_end(e);
    e->searching = true;
    e->search_failed = false;
    e->query_len = 0;
    e->search_at = e->history->n;
    free(e->before_search.text);
    e->before_search = (struct edit_state){strndup(e->len ? e->text : "", e->len), e->len, e->cursor};
    edit_changed(e);
}

static void show_match(struct editor *e, size_t at)
{
    const char *text = e->history->entries[at];
    editor_set_text(e, text, strlen(text));
    const char *hit = memmem(text, e->len, e->query, e->query_len);
    e->cursor = hit ? (size_t)(hit - text) : e->len;
    e->search_at = at;
}

static void look(struct editor *e, size_t from, bool older)
{
    size_t at = history_find_within(e->history, from, older, e->query, e->query_len);
    e->search_failed = at >= e->history->n;
    if (!e->search_failed) show_match(e, at);
    edit_changed(e);
}

static void leave(struct editor *e, bool keep)
{
    e->searching = false;
    if (!keep && e->before_search.text != NULL) {
        editor_set_text(e, e->before_search.text, e->before_search.len);
        e->cursor = e->before_search.cursor;
    }
    free(e->before_search.text);
    e->before_search.text = NULL;
    edit_changed(e);
}

bool search_key(struct editor *e, int key, const char *p, size_t n)
{
    switch (key) {
    case 'R' & 31: look(e, e->search_at, true); return true;
    case 'S' & 31: look(e, e->search_at, false); return true;
    case 'G' & 31:
    case 'C' & 31: leave(e, false); return key == ('G' & 31);
    case 'H' & 31:
    case 127:
        if (e->query_len) e->query_len = glyph_prev(e->query, e->query_len, e->query_len);
        e->search_failed = false;
        if (e->query_len) look(e, e->history->n, true);
        return true;
    default:
        if (key < 0x20 || key > 0x10FFFF) {
            leave(e, true);
            return false;
        }
        if (e->query_len + n <= sizeof e->query) {
            memcpy(e->query + e->query_len, p, n);
            e->query_len += n;
            look(e, e->search_at < e->history->n ? e->search_at + 1 : e->history->n, true);
        }
        return true;
    }
}
