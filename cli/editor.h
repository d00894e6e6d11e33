/* editor.h: the line editor: bytes from a terminal go in, bytes for a terminal come out.
 *
 *     editor_open(&e, &client, history, columns, rows);
 *     n = editor_feed(&e, bytes, n);     up to the first event, then e.event says which
 *     editor_print_above(&e, text, n);   something was printed: it goes above the prompt
 *     editor_render(&e);                 makes the screen what it should be
 *     write(1, e.out.p, e.out.n); e.out.n = 0;
 *
 * It knows no termios, no descriptors, no clock and no VM, and never blocks. What it has to ask (is this whole? what
 * colour? what could follow?) it asks its client.
 */
#ifndef AIOVM_CLI_EDITOR_H
#define AIOVM_CLI_EDITOR_H

#include "cli/history.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow. When memory is out they stop growing and say so. */
struct bytes_out {
    char *p;
    size_t n, cap;
    bool failed;
};
bool out_bytes(struct bytes_out *o, const char *p, size_t n);
bool out_text(struct bytes_out *o, const char *text);
bool out_escape(struct bytes_out *o, unsigned n, char what); /* ESC [ n what; nothing for n = 0 */

enum editor_event {
    EDITOR_NONE,
    EDITOR_SUBMIT,    /* a cell: submitted */
    EDITOR_END,       /* Ctrl-D with nothing entered */
    EDITOR_INTERRUPT, /* Ctrl-C as a byte */
    EDITOR_SUSPEND,   /* Ctrl-Z */
    EDITOR_STATUS,    /* Ctrl-\ */
};

/* How a byte of the text is shown. */
enum editor_style {
    STYLE_PLAIN,
    STYLE_KEYWORD,
    STYLE_STRING,
    STYLE_NUMBER,
    STYLE_COMMENT,
    STYLE_BUILTIN,
    STYLE_DEFINED, /* the name after def or class */
    STYLE_OPERATOR,
    STYLE_ERROR,
    STYLE_PROMPT,
    STYLE_DIM,
    STYLE_COUNT
};

/* What could stand at the cursor: replacements of text[from, cursor). */
struct completions {
    size_t from;
    char **items; /* each malloc'd, sorted; a trailing "(" and the like are part of it */
    size_t n;
};

struct editor_client {
    bool (*is_complete)(void *ud, const char *text, size_t n);
    void (*style)(const char *text, size_t n, uint8_t *styles); /* styles: n zeroes */
    void (*complete)(void *ud, const char *text, size_t n, size_t cursor, struct completions *out);
    void (*hint)(void *ud, const char *text, size_t n, size_t cursor, char *line, size_t room);
    void *ud;
};

struct edit_state {
    char *text;
    size_t len, cursor;
};

struct screen_row {
    size_t at, n;     /* in frame.bytes */
    unsigned columns; /* that it fills */
};
struct frame_image {
    struct bytes_out bytes;
    struct screen_row *rows;
    size_t nrows, cap;
    unsigned cursor_row, cursor_col;
};

enum { EDITOR_UNDO = 200, EDITOR_KILLS = 16 };

/* What the last key did: some keys go on with it. */
enum last_command { LAST_OTHER, LAST_INSERT, LAST_DELETE, LAST_KILL, LAST_YANK, LAST_HISTORY, LAST_TAB };

struct editor {
    struct editor_client client;
    struct history *history;
    struct bytes_out out;
    enum editor_event event;

    /* The text; always room for a NUL behind. */
    char *text;
    size_t len, cap, cursor;
    char *submitted; /* EDITOR_SUBMIT: the cell; until the next feed */
    size_t submitted_len;
    bool nomem; /* a change was lost */

    struct edit_state undo[EDITOR_UNDO], redo[EDITOR_UNDO];
    size_t nundo, nredo;
    char *kills[EDITOR_KILLS]; /* newest first */
    size_t nkills, kill_at, yank_from;
    enum last_command last;
    size_t goal_column; /* of moves up and down */

    /* History: entries are looked at, the text that was being entered is kept. */
    bool browsing;
    size_t browse_at, prefix_len;
    char *draft;
    bool searching, search_failed;
    char query[256];
    size_t query_len, search_at;
    struct edit_state before_search;

    /* Keys: bytes of an unfinished sequence. */
    char pending[64];
    size_t npending;
    bool pasting, quoting, paste_cr; /* paste_cr: the last byte pasted was a CR */
    struct bytes_out paste;

    /* The screen. */
    unsigned columns, rows;
    bool colour;
    bool shown;         /* the frame is on the screen */
    bool below_partial; /* hidden, but the cursor is on a fresh line below what is kept in `partial` */
    struct frame_image frame, next;
    struct bytes_out partial; /* what was printed since the last line end */
    struct completions menu;  /* shown below */
    char hint[512];
    size_t hint_len, hint_cursor, hint_text_len;
    bool hint_stale;
    const char *prompt, *more_prompt;
};

/* `history` belongs to the caller. */
void editor_open(struct editor *e, const struct editor_client *client, struct history *history, unsigned columns,
                 unsigned rows);
void editor_close(struct editor *e);

/* Takes bytes of the keyboard up to the first event; how many it took. */
size_t editor_feed(struct editor *e, const char *p, size_t n);
void editor_print_above(struct editor *e, const char *p, size_t n);
void editor_render(struct editor *e);
void editor_resize(struct editor *e, unsigned columns, unsigned rows);
/* The text stays on the screen as it is, without hint and menu, and the cursor goes below it. */
void editor_leave(struct editor *e);
void editor_hide(struct editor *e);   /* takes the prompt off the screen */
void editor_forget(struct editor *e); /* the screen is no more what it was: cleared, or another program wrote on it */
void editor_reset(struct editor *e);  /* no text, no undo, no menu: for the next cell */
void editor_set_text(struct editor *e, const char *p, size_t n);

/* ---- shared by the editor's files ---- */

void edit_insert(struct editor *e, const char *p, size_t n); /* at the cursor; no undo entry */
void edit_delete(struct editor *e, size_t from, size_t to);
void edit_kill(struct editor *e, size_t from, size_t to, bool backwards);
void edit_save_undo(struct editor *e);
void edit_undo(struct editor *e, bool redo);
void edit_yank(struct editor *e, bool next);
void edit_transpose(struct editor *e);
void edit_change_case(struct editor *e, char how);
void edit_newline(struct editor *e);
void edit_backspace(struct editor *e);
bool edit_move_line(struct editor *e, bool up); /* false: there is no such line */
size_t edit_line_start(const struct editor *e, size_t at);
size_t edit_line_end(const struct editor *e, size_t at);
void edit_changed(struct editor *e); /* menu and hint are out of date */

void browse_move(struct editor *e, bool older);
void browse_end(struct editor *e);
void browse_ends(struct editor *e, bool oldest);
void search_begin(struct editor *e);
/* A key while searching; false: the search is over and the key is to be taken as usual. */
bool search_key(struct editor *e, int key, const char *p, size_t n);

void menu_clear(struct editor *e);
void menu_complete(struct editor *e);

/* Keys beyond characters. */
enum {
    KEY_META = 0x400000, /* with a character */
    KEY_UP = 0x200000,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_DELETE,
    KEY_WORD_LEFT,
    KEY_WORD_RIGHT,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_SHIFT_TAB,
    KEY_PASTE,
    KEY_UNKNOWN,
};

#endif
