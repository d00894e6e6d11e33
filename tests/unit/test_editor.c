/* The line editor without a terminal: bytes in, and what a screen would show of the bytes that come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/editor.h"
#include "cli/glyph.h"
#include "cli/highlight.h"

/* ---- a small terminal ---- */

enum { ROWS = 12, COLS = 20 };

struct cell {
    char text[32];
    int width; /* 0: the right half of a wide character */
};
struct screen {
    struct cell cells[ROWS][COLS];
    int row, col;
    bool hanging; /* behind the last column */
    bool may_wrap;
};

static void scroll(struct screen *s)
{
    if (s->row < ROWS) return;
    memmove(s->cells[0], s->cells[1], sizeof s->cells[0] * (ROWS - 1));
    memset(s->cells[ROWS - 1], 0, sizeof s->cells[0]);
    s->row = ROWS - 1;
}

static void erase(struct screen *s, bool below)
{
    memset(&s->cells[s->row][s->col], 0, sizeof(struct cell) * (size_t)(COLS - s->col));
    for (int r = s->row + 1; below && r < ROWS; r++) memset(s->cells[r], 0, sizeof s->cells[r]);
}

static void put(struct screen *s, const char *p, size_t n)
{
    int w = (int)glyph_columns(p, 0, n, 0);
    if (w == 0) {
        int col = s->hanging ? s->col : s->col - 1;
        if (col > 0 && s->cells[s->row][col].width == 0) col--;
        strncat(s->cells[s->row][col < 0 ? 0 : col].text, p, n);
        return;
    }
    if (s->hanging || s->col + w > COLS) {
        assert_true(s->may_wrap); /* the editor never leaves wrapping of its own rows to the terminal */
        s->col = 0;
        s->hanging = false;
        s->row++;
        scroll(s);
    }
    struct cell *c = &s->cells[s->row][s->col];
    memset(c, 0, sizeof *c * (size_t)w);
    memcpy(c->text, p, n);
    c->width = w;
    s->col += w;
    if (s->col == COLS) {
        s->col = COLS - 1;
        s->hanging = true;
    }
}

static void screen_write(struct screen *s, const char *p, size_t n)
{
    const char *end = p + n;
    while (p < end) {
        if (*p == '\r') {
            s->col = 0;
            s->hanging = false;
        } else if (*p == '\n') {
            s->row++;
            scroll(s);
        } else if (*p == '\x1b') {
            assert_int_equal(p[1], '[');
            int number = 0;
            for (p += 2; *p < 0x40; p++) number = *p >= '0' && *p <= '9' ? number * 10 + *p - '0' : number;
            int by = number ? number : 1;
            if (*p != 'm') s->hanging = false;
            switch (*p) {
            case 'A': s->row = s->row > by ? s->row - by : 0; break; /* terminals stop at the edge */
            case 'B': s->row += by; break;
            case 'C': s->col += by; break;
            case 'K': erase(s, false); break;
            case 'J': erase(s, true); break;
            case 'H': s->row = s->col = 0; break;
            case 'm': break;
            default: fail_msg("unknown sequence %c", *p);
            }
            assert_in_range(s->row, 0, ROWS - 1);
            assert_in_range(s->col, 0, COLS - 1);
        } else {
            size_t len;
            glyph_decode(p, end, &len);
            put(s, p, len);
            p += len;
            continue;
        }
        p++;
    }
}

/* Rows joined by '|', trailing blanks and empty rows left out, the cursor as '_' before its cell. */
static const char *screen_text(const struct screen *s, bool cursor)
{
    static char out[ROWS * (COLS * 32 + 2)];
    char *q = out, *keep = out;
    for (int r = 0; r < ROWS; r++) {
        if (r) *q++ = '|';
        for (int c = 0; c < COLS; c++) {
            if (cursor && r == s->row && c == s->col) {
                *q++ = '_';
                keep = q;
            }
            const struct cell *cell = &s->cells[r][c];
            if (c && cell->width == 0 && s->cells[r][c - 1].width == 2) continue;
            const char *t = cell->text[0] ? cell->text : " ";
            memcpy(q, t, strlen(t));
            q += strlen(t);
            if (t[0] != ' ') keep = q;
        }
        *keep = keep < q ? 0 : *keep;
        q = keep;
        if (r + 1 < ROWS) {
            bool rest = false;
            for (int i = r + 1; i < ROWS; i++) {
                rest |= cursor && i == s->row;
                for (int c = 0; c < COLS; c++) rest |= s->cells[i][c].text[0] && s->cells[i][c].text[0] != ' ';
            }
            if (!rest) break;
        }
        keep = q + 1;
    }
    *q = 0;
    return out;
}

/* ---- the editor under test ---- */

/* Whole unless a bracket is open, or a block is not ended by an empty line: the real answer is the parser's. */
static bool is_complete(void *ud, const char *text, size_t n)
{
    (void)ud;
    int depth = 0;
    for (size_t i = 0; i < n; i++) depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    if (depth > 0) return false;
    if (!memmem(text, n, ":\n", 2)) return true;
    size_t end = n - 1;
    while (end > 0 && text[end - 1] == ' ') end--;
    return end > 0 && text[end - 1] == '\n';
}

static void complete(void *ud, const char *text, size_t n, size_t cursor, struct completions *out)
{
    (void)ud, (void)n;
    static const char *const names[] = {"print(", "property(", "prop2"};
    size_t from = glyph_word_start(text, n, cursor);
    out->from = from;
    out->items = calloc(3, sizeof *out->items);
    for (size_t i = 0; i < 3; i++)
        if (strncmp(names[i], text + from, cursor - from) == 0) out->items[out->n++] = strdup(names[i]);
}

static void hint(void *ud, const char *text, size_t n, size_t cursor, char *line, size_t room)
{
    (void)ud, (void)cursor;
    if (n >= 2 && memcmp(text, "h(", 2) == 0) snprintf(line, room, "h(a, b)");
}

struct fixture {
    struct editor e;
    struct history h;
    struct screen s;
};

static struct fixture fx;

static int setup(void **state)
{
    (void)state;
    static const struct editor_client client = {is_complete, highlight, complete, hint, NULL};
    memset(&fx, 0, sizeof fx);
    history_open(&fx.h, NULL);
    editor_open(&fx.e, &client, &fx.h, COLS, ROWS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    editor_close(&fx.e);
    history_close(&fx.h);
    return 0;
}

static void flush(void)
{
    screen_write(&fx.s, fx.e.out.p, fx.e.out.n);
    fx.e.out.n = 0;
}

static void render(void)
{
    editor_render(&fx.e);
    flush();
}

/* Feeds the bytes one by one, which no sequence may mind; the last event. */
static enum editor_event keys(const char *p)
{
    enum editor_event event = EDITOR_NONE;
    for (size_t i = 0; p[i]; i++) {
        assert_int_equal(editor_feed(&fx.e, p + i, 1), 1);
        if (fx.e.event != EDITOR_NONE) event = fx.e.event;
    }
    render();
    return event;
}

static void prints(const char *text)
{
    editor_print_above(&fx.e, text, strlen(text));
    fx.s.may_wrap = true;
    flush();
    fx.s.may_wrap = false;
}

#define SCREEN(expected) assert_string_equal(screen_text(&fx.s, true), expected)
#define TEXT(expected)   assert_string_equal(fx.e.text, expected)

/* ---- editing ---- */

static void test_typing(void **state)
{
    (void)state;
    render();
    SCREEN(">>> _");
    keys("abc");
    SCREEN(">>> abc_");
    keys("\x01X");
    SCREEN(">>> X_abc");
    keys("\x05\x02\x02Y\x1b[D\x1b[C\x1b[3~");
    TEXT("XaYc");
    keys("\x7f\x05\x08");
    TEXT("Xa");
}

static void test_kill_and_yank(void **state)
{
    (void)state;
    keys("one two three");
    keys("\x17\x17");
    TEXT("one ");
    keys("\x19");
    TEXT("one two three");
    keys("\x01\x1b"
         "f\x0b");
    TEXT("one");
    keys("\x19\x19");
    TEXT("one two three two three");
    keys("\x1by");
    TEXT("one two threetwo three");
    keys("\x15\x19\x14");
    TEXT("one two threetwo three");
    keys("\x01\x1b"
         "d\x1b[1;5C\x1b\x7f");
    TEXT("  threetwo three");
    keys("\x01\x04\x1b"
         "u");
    TEXT(" THREETWO three");
}

static void test_undo(void **state)
{
    (void)state;
    keys("ab cd\x17");
    TEXT("ab ");
    keys("\x1f");
    TEXT("ab cd");
    keys("\x1f");
    TEXT("ab");
    keys("\x1f");
    TEXT("");
    keys("\x1br\x1br\x1br\x1br");
    TEXT("ab ");
    keys("x\x1f\x1f\x1f\x1f\x1f\x1f");
    TEXT("");
}

static void test_multi_line(void **state)
{
    (void)state;
    assert_int_equal(keys("if x:\r"), EDITOR_NONE);
    SCREEN(">>> if x:|...     _");
    assert_int_equal(keys("pass\r"), EDITOR_NONE);
    SCREEN(">>> if x:|...     pass|... _");
    keys("\x10\x10\x05y");
    SCREEN(">>> if x:y_|...     pass|...");
    keys("\x1f\x0e\x05\x0e");
    assert_int_equal(keys("\r"), EDITOR_SUBMIT);
    assert_string_equal(fx.e.submitted, "if x:\n    pass");
    editor_reset(&fx.e);
    keys("f(\r");
    TEXT("f(\n");
    keys("\r1)");
    assert_int_equal(keys("\r"), EDITOR_SUBMIT);
    assert_string_equal(fx.e.submitted, "f(\n\n1)");
}

static void test_indentation(void **state)
{
    (void)state;
    keys("for i in x:\r\tif i:\rbreak\r");
    TEXT("for i in x:\n        if i:\n            break\n        ");
    keys("\x7f");
    TEXT("for i in x:\n        if i:\n            break\n    ");
    keys("\x1b[Z");
    TEXT("for i in x:\n        if i:\n            break\n");
}

static void test_paste(void **state)
{
    (void)state;
    assert_int_equal(keys("\x1b[200~def f():\r\n\treturn 1\rx\x1b[A\x03\r\x1b[201~"), EDITOR_NONE);
    TEXT("def f():\n\treturn 1\nx\x1b[A\x03\n");
    SCREEN(">>> def f():|...     return 1|... x^[[A^C|... _");
    keys("\x1f");
    TEXT("");
}

static void test_wide(void **state)
{
    (void)state;
    keys("한글 é e\xcc\x81");
    SCREEN(">>> 한글 é e\xcc\x81_");
    keys("\x02\x02\x02X");
    SCREEN(">>> 한글 X_é e\xcc\x81");
}

static void test_wide_cursor(void **state)
{
    (void)state;
    keys("한글abc\x01\x06");
    assert_int_equal(fx.s.col, 6);
    keys("\x06");
    assert_int_equal(fx.s.col, 8);
    keys("\x08");
    SCREEN(">>> 한_abc");
    /* A family of four is one cluster. */
    keys("\x05\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\x02");
    assert_int_equal(fx.e.cursor, strlen("한abc"));
    keys("\x04");
    TEXT("한abc");
}

static void test_wrap(void **state)
{
    (void)state;
    keys("0123456789abcde");
    SCREEN(">>> 0123456789abcde_");
    keys("f");
    SCREEN(">>> 0123456789abcdef|_");
    keys("한");
    SCREEN(">>> 0123456789abcdef|한_");
    keys("\x02\x02\x7f");
    SCREEN(">>> 0123456789abcd_f|한");
    keys("\x01");
    SCREEN(">>> _0123456789abcdf|한");
}

static void test_control_characters(void **state)
{
    (void)state;
    keys("a\x16\x01"
         "b\x11\x1b[");
    TEXT("a\x01"
         "b\x1b[");
    SCREEN(">>> a^Ab^[[_");
    editor_reset(&fx.e);
    keys("\xff\xc2\x9bz");
    SCREEN(">>> \xef\xbf\xbdz_");
}

/* ---- what is printed meanwhile ---- */

static void test_print_above(void **state)
{
    (void)state;
    keys("abc\x02");
    prints("one\n");
    render();
    SCREEN("one|>>> ab_c");
    prints("two\nthree\n");
    render();
    SCREEN("one|two|three|>>> ab_c");
}

static void test_partial_lines(void **state)
{
    (void)state;
    keys("abc");
    prints("par");
    render();
    SCREEN("par|>>> abc_");
    prints("tial");
    prints(" line");
    render();
    SCREEN("partial line|>>> abc_");
    prints(" ends\nnext");
    render();
    SCREEN("partial line ends|next|>>> abc_");
    prints("\r50%");
    render();
    SCREEN("partial line ends|50%t|>>> abc_");
    prints("\r100%\n");
    keys("d");
    SCREEN("partial line ends|100%|>>> abcd_");
}

static void test_print_while_wrapped(void **state)
{
    (void)state;
    keys("if 한글글글글글글글글글글:\ryes = '한글'\x02\x02");
    const char *edited = ">>> if 한글글글글글|글글글글글:|...     yes = '한_글'";
    SCREEN(edited);
    char expected[400] = "";
    for (int i = 0; i < 5; i++) {
        prints("tick\n");
        render();
        strcat(expected, "tick|");
    }
    strcat(expected, edited);
    SCREEN(expected);
    for (int i = 0; i < 40; i++) {
        prints("tock ");
        prints("tock\n");
        render();
    }
    char tail[400] = "";
    for (int i = 0; i < 9; i++) strcat(tail, "tock tock|");
    strcat(tail, edited);
    SCREEN(tail);
}

static void test_leave(void **state)
{
    (void)state;
    keys("h(1\x01");
    SCREEN(">>> _h(1|h(a, b)");
    editor_leave(&fx.e);
    flush();
    SCREEN(">>> h(1|_");
    editor_reset(&fx.e);
    prints("out");
    SCREEN(">>> h(1|out_");
    prints("put\n");
    render();
    SCREEN(">>> h(1|output|>>> _");
    keys("x");
    editor_leave(&fx.e);
    editor_reset(&fx.e);
    prints("no end");
    render();
    SCREEN(">>> h(1|output|>>> x|no end|>>> _");
}

static void test_resize(void **state)
{
    (void)state;
    keys("0123456789abcdefgh");
    SCREEN(">>> 0123456789abcdef|gh_");
    editor_resize(&fx.e, 60, ROWS);
    editor_resize(&fx.e, 20, ROWS);
    render();
    SCREEN(">>> 0123456789abcdef|gh_");
}

static void test_tall(void **state)
{
    (void)state;
    keys("(");
    for (int i = 0; i < 30; i++) keys("\r1,");
    SCREEN("... 1,|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,_");
    for (int i = 0; i < 30; i++) keys("\x10");
    SCREEN(">>> (_|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,|... 1,");
}

/* ---- history, search, completion ---- */

static void test_history(void **state)
{
    (void)state;
    history_add(&fx.h, "alpha", 5);
    history_add(&fx.h, "beta\nb2", 7);
    history_add(&fx.h, "beta\nb2", 7);
    history_add(&fx.h, "almost", 6);
    assert_int_equal(fx.h.n, 3);
    keys("x\x10");
    TEXT("x");
    editor_reset(&fx.e);
    keys("\x1b[A\x1b[A");
    TEXT("beta\nb2");
    keys("\x1b[A\x1b[A");
    TEXT("alpha");
    keys("\x1b[B\x1b[B\x1b[B");
    TEXT("");
    keys("al\x1b[A");
    TEXT("almost");
    keys("\x1b[A");
    TEXT("alpha");
    keys("\x1b[B\x1b[B");
    TEXT("al");
    keys("\x1b<");
    TEXT("alpha");
}

static void test_search(void **state)
{
    (void)state;
    history_add(&fx.h, "print(1)", 8);
    history_add(&fx.h, "x = 2", 5);
    history_add(&fx.h, "print(3)", 8);
    keys("draft\x12pri");
    TEXT("print(3)");
    SCREEN("(search)`pri': _print|(3)");
    keys("\x12");
    TEXT("print(1)");
    keys("\x12");
    TEXT("print(1)");
    keys("\x07");
    TEXT("draft");
    keys("\x12= \x05;");
    TEXT("x = 2;");
}

static void test_completion(void **state)
{
    (void)state;
    keys("x pr\t");
    SCREEN(">>> x pr_|print(     prop2|property(");
    keys("o\t");
    TEXT("x prop");
    keys("e\t");
    TEXT("x property(");
    SCREEN(">>> x property(_");
}

static void test_events(void **state)
{
    (void)state;
    assert_int_equal(keys("\x04"), EDITOR_END);
    assert_int_equal(keys("a\x01\x04"), EDITOR_NONE);
    TEXT("");
    assert_int_equal(keys("\x03"), EDITOR_INTERRUPT);
    assert_int_equal(keys("\x1a"), EDITOR_SUSPEND);
    assert_int_equal(keys("\x1c"), EDITOR_STATUS);
    /* What comes behind an event stays with the caller. */
    assert_int_equal(editor_feed(&fx.e, "ab\rcd", 5), 3);
    assert_int_equal(fx.e.event, EDITOR_SUBMIT);
}

static void test_highlight(void **state)
{
    (void)state;
    const char *text = "def f(): return 'a' # c";
    uint8_t styles[64] = {0};
    highlight(text, strlen(text), styles);
    assert_int_equal(styles[0], STYLE_KEYWORD);
    assert_int_equal(styles[4], STYLE_DEFINED);
    assert_int_equal(styles[9], STYLE_KEYWORD);
    assert_int_equal(styles[17], STYLE_STRING);
    assert_int_equal(styles[20], STYLE_COMMENT);
    memset(styles, 0, sizeof styles);
    text = "x = rb'''open\n # 1";
    highlight(text, strlen(text), styles);
    assert_int_equal(styles[4], STYLE_STRING);
    assert_int_equal(styles[strlen(text) - 1], STYLE_STRING);
    memset(styles, 0, sizeof styles);
    text = "f(1, # one\n";
    highlight(text, strlen(text), styles);
    assert_int_equal(styles[2], STYLE_NUMBER);
    assert_int_equal(styles[6], STYLE_COMMENT);
}

static void test_history_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/aio-history-XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/deep/er/history", folder);
    struct history h;
    history_open(&h, path);
    history_add(&h, "a\\n\nb", 5);
    history_add(&h, "두", 3);
    history_close(&h);
    history_open(&h, path);
    assert_int_equal(h.n, 2);
    assert_string_equal(h.entries[0], "a\\n\nb");
    assert_string_equal(h.entries[1], "두");
    history_close(&h);
    char command[200];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* Any bytes: no crash, the invariants of the screen hold (the small terminal checks them). */
static void test_any_bytes(void **state)
{
    (void)state;
    unsigned seed = 12345;
    static const char *const pieces[] = {
        "\x1b[A", "\x1b[B", "\x1b[D", "\r",    "한",        "\x1f", "\x19", "\x17", "\x12", "\x1b[200~x\ry\x1b[201~",
        "\t",     "(",      ")",      "if x:", "e\xcc\x81", "\x10", "\x1by"};
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned pick = (seed >> 16) % 40;
        if (pick < 17) {
            keys(pieces[pick]);
        } else if (pick == 17) {
            prints("some output\n");
        } else if (pick == 18) {
            prints("part ");
        } else {
            char c = (char)(seed >> 24);
            if (c == 12) /* Ctrl-L takes the screen's content away */
                continue;
            editor_feed(&fx.e, &c, 1);
            render();
        }
        if (fx.e.len > 150) {
            editor_leave(&fx.e);
            flush();
            editor_reset(&fx.e);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_typing),
        TEST(test_kill_and_yank),
        TEST(test_undo),
        TEST(test_multi_line),
        TEST(test_indentation),
        TEST(test_paste),
        TEST(test_wide),
        TEST(test_wide_cursor),
        TEST(test_wrap),
        TEST(test_control_characters),
        TEST(test_print_above),
        TEST(test_partial_lines),
        TEST(test_print_while_wrapped),
        TEST(test_leave),
        TEST(test_resize),
        TEST(test_tall),
        TEST(test_history),
        TEST(test_search),
        TEST(test_completion),
        TEST(test_events),
        TEST(test_highlight),
        TEST(test_history_file),
        TEST(test_any_bytes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
