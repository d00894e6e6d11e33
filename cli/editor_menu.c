/* editor_menu.c: completion: what the client offers goes into the text as far as it is certain, the rest is listed. */
#include "cli/editor.h"
#include "cli/glyph.h"

#include <stdlib.h>
#include <string.h>

void menu_clear(struct editor *e)
{
    for (size_t i = 0; i < e->menu.n; i++) free(e->menu.items[i]);
    free(e->menu.items);
    e->menu = (struct completions){0};
}

/* The length of what all candidates begin with, in whole code points. */
static size_t common_prefix(const struct completions *c)
{
    const char *first = c->items[0];
    size_t n = strlen(first);
    for (size_t i = 1; i < c->n; i++) {
        size_t k = 0;
        while (k < n && c->items[i][k] == first[k]) k++;
        n = k;
    }
    while (n > 0 && ((unsigned char)first[n] & 0xC0) == 0x80) n--;
    return n;
}

void menu_complete(struct editor *e)
{
    if (e->client.complete == NULL) return;
    menu_clear(e);
    struct completions found = {.from = e->cursor};
    e->client.complete(e->client.ud, e->text, e->len, e->cursor, &found);
    if (found.n == 0 || found.from > e->cursor) {
        e->menu = found;
        menu_clear(e);
        return;
    }
    size_t typed = e->cursor - found.from, common = common_prefix(&found);
    if (common > typed) {
        char *text = strndup(found.items[0], common);
        if (text != NULL) {
            edit_save_undo(e);
            edit_delete(e, found.from, e->cursor);
            edit_insert(e, text, common);
        }
        free(text);
    }
    e->menu = found;
    if (found.n == 1) menu_clear(e);
}
