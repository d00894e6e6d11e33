/* parse.c: the driver: makes the source clean, feeds the tokens to the grammar, tells the outcome.
 *
 * Cleaning means: no BOM, UTF-8 throughout (other declared encodings are converted), \n for every
 * kind of line end, no NUL inside and one behind. Offsets refer to the clean text.
 */
#include "parse.h"

#include "build.h"
#include "explain.h"
#include "state.h"

#include "parser.h"

#include <stdarg.h>
#include <string.h>

enum { PARSE_MAX_SOURCE = 64 << 20 };

/* ---- the state ---- */

void state_fail(struct parse_state *ps, diag_kind kind, uint32_t start, uint32_t end, const char *message)
{
    if (ps->error.kind != DIAG_NONE) return;
    ps->error = (struct parse_error){.kind = kind, .message = message, .start = start, .end = end};
    ps->stop = true;
}

void state_failf(struct parse_state *ps, uint32_t start, uint32_t end, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    state_fail(ps, DIAG_SYNTAX_ERROR, start, end, diag_vformat(ps->a, format, args));
    va_end(args);
}

void state_nomem(struct parse_state *ps)
{
    ps->nomem = true;
    ps->stop = true;
}

void state_warn(struct parse_state *ps, diag_kind kind, uint32_t start, uint32_t end, const char *message)
{
    if (ps->quiet) return;
    struct diag *d = arena_alloc(ps->a, sizeof *d);
    if (!d) {
        state_nomem(ps);
        return;
    }
    /* Lines and columns are filled in at the end. */
    *d = (struct diag){.kind = (uint8_t)kind, .message = message, .start = start, .end = end};
    *ps->warnings_end = d;
    ps->warnings_end = &d->next;
}

static void warn_number(void *ud, uint32_t start, uint32_t end, const char *message)
{
    state_warn(ud, DIAG_SYNTAX_WARNING, start, end, message);
}

bool state_init(struct parse_state *ps, arena *a, const char *src, uint32_t len)
{
    memset(ps, 0, sizeof *ps);
    ps->a = a;
    ps->src = src;
    ps->len = len;
    ps->warnings_end = &ps->warnings;
    lexer_init(&ps->lx, a, src, len);
    ps->lx.warn = warn_number;
    ps->lx.ud = ps;
    size_t sink = 0;
    for (int i = 0; i < AST_COUNT; i++) sink = ast_infos[i].size > sink ? ast_infos[i].size : sink;
    ps->empty = arena_alloc(a, sizeof *ps->empty);
    ps->no_ids = arena_alloc(a, sizeof *ps->no_ids);
    ps->no_ops = arena_alloc(a, sizeof *ps->no_ops);
    ps->sink = arena_alloc(a, sink);
    ps->spare = arena_alloc(a, STATE_SPARE_SIZE);
    ast_name *no_name = arena_alloc(a, sizeof *no_name + 1);
    if (a->failed) return false;
    *ps->empty = (ast_seq){0};
    *ps->no_ids = (ast_ids){0};
    *ps->no_ops = (ast_ops){0};
    memset(ps->sink, 0, sink);
    memset(ps->spare, 0, STATE_SPARE_SIZE);
    *no_name = (ast_name){0};
    no_name->text[0] = 0;
    ps->no_name = no_name;
    return true;
}

/* ---- the source ---- */

struct source {
    arena *a;
    const char *filename;
    const char *p, *end;
    struct parse_error error;
    bool nomem;
};

static void source_fail(struct source *s, diag_kind kind, const char *message)
{
    s->error = (struct parse_error){.kind = kind, .message = message};
}

/* The first ill-formed sequence, or NULL. `reason` in CPython's words. */
static const char *find_bad_utf8(const char *p, const char *end, const char **reason)
{
    while (p < end) {
        if (end - p >= 8) {
            uint64_t word;
            memcpy(&word, p, 8);
            if (!(word & 0x8080808080808080u)) {
                p += 8;
                continue;
            }
        }
        unsigned char c = (unsigned char)*p;
        if (c < 0x80) {
            p++;
            continue;
        }
        int n = c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
        *reason = "invalid start byte";
        if (!n) return p;
        for (int i = 1; i < n; i++) {
            *reason = "unexpected end of data";
            if (p + i == end) return p;
            unsigned char d = (unsigned char)p[i];
            unsigned char lo = 0x80, hi = 0xBF;
            if (i == 1) {
                lo = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
                hi = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
            }
            *reason = "invalid continuation byte";
            if (d < lo || d > hi) return p;
        }
        p += n;
    }
    return NULL;
}

size_t parse_find_cookie(const char *p, const char *end, const char **name)
{
    for (int line = 0; line < 2 && p < end; line++) {
        while (p < end && (*p == ' ' || *p == '\t' || *p == '\f')) p++;
        if (p == end || (*p != '#' && *p != '\n' && *p != '\r')) return 0;
        const char *q = p;
        while (q < end && *q != '\n' && *q != '\r') q++;
        for (; q - p >= 7; p++) {
            if (memcmp(p, "coding", 6) || (p[6] != ':' && p[6] != '=')) continue;
            p += 7;
            while (p < q && (*p == ' ' || *p == '\t')) p++;
            *name = p;
            while (p < q && (*p == '-' || *p == '_' || *p == '.' || (unsigned char)((*p | 32) - 'a') < 26 ||
                             (unsigned char)(*p - '0') < 10))
                p++;
            if (p > *name) return (size_t)(p - *name);
        }
        p = q;
        if (p < end && *p == '\r') p++;
        if (p < end && *p == '\n') p++;
    }
    return 0;
}

enum encoding { ENCODING_UTF8, ENCODING_ASCII, ENCODING_LATIN1, ENCODING_UNKNOWN };

/* Case, hyphens and underscores do not matter in the name of an encoding. */
static enum encoding encoding_by_name(const char *name, size_t len)
{
    static const struct {
        const char *name;
        enum encoding encoding;
    } known[] = {
        {"utf8", ENCODING_UTF8},       {"u8", ENCODING_UTF8},           {"utf8sig", ENCODING_UTF8},
        {"cp65001", ENCODING_UTF8},    {"utf8unix", ENCODING_UTF8},     {"utf8dos", ENCODING_UTF8},
        {"ascii", ENCODING_ASCII},     {"usascii", ENCODING_ASCII},     {"646", ENCODING_ASCII},
        {"latin1", ENCODING_LATIN1},   {"latin", ENCODING_LATIN1},      {"l1", ENCODING_LATIN1},
        {"iso88591", ENCODING_LATIN1}, {"isolatin1", ENCODING_LATIN1},  {"88591", ENCODING_LATIN1},
        {"cp819", ENCODING_LATIN1},    {"latin1unix", ENCODING_LATIN1}, {"iso885911987", ENCODING_LATIN1},
    };
    char plain[24];
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (c == '-' || c == '_') continue;
        if (n == sizeof plain - 1) return ENCODING_UNKNOWN;
        plain[n++] = (unsigned char)(c - 'A') < 26 ? (char)(c | 32) : c;
    }
    plain[n] = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(plain, known[i].name) == 0) return known[i].encoding;
    return ENCODING_UNKNOWN;
}

/* Copies the text with clean line ends and, for Latin-1, as UTF-8. */
static char *copy_text(struct source *s, enum encoding encoding, uint32_t *len)
{
    size_t n = (size_t)(s->end - s->p), extra = 0;
    if (encoding == ENCODING_LATIN1)
        for (const char *p = s->p; p < s->end; p++) extra += (unsigned char)*p >> 7;
    char *text = arena_alloc_array(s->a, extra + 1, n, 1), *out = text;
    if (!text) {
        s->nomem = true;
        return NULL;
    }
    if (!extra && !memchr(s->p, '\r', n)) {
        memcpy(text, s->p, n);
        out += n;
    } else {
        for (const char *p = s->p; p < s->end; p++) {
            if (*p == '\r') {
                *out++ = '\n';
                if (p + 1 < s->end && p[1] == '\n') p++;
            } else if ((*p & 0x80) && encoding == ENCODING_LATIN1) {
                *out++ = (char)(0xC0 | (unsigned char)*p >> 6);
                *out++ = (char)(0x80 | (*p & 0x3F));
            } else {
                *out++ = *p;
            }
        }
    }
    *out = 0;
    *len = (uint32_t)(out - text);
    return text;
}

static char *clean_source(struct source *s, unsigned flags, uint32_t *len)
{
    enum encoding encoding = ENCODING_UTF8;
    size_t n = (size_t)(s->end - s->p);
    if (n > PARSE_MAX_SOURCE) {
        s->end = s->p;
        source_fail(s, DIAG_SYNTAX_ERROR, "source code is too large (more than 64 MiB)");
    } else if (memchr(s->p, 0, n)) {
        s->end = s->p;
        source_fail(s, DIAG_VALUE_ERROR, "source code string cannot contain null bytes");
    } else if (!(flags & PARSE_IS_TEXT)) {
        bool bom = n >= 3 && memcmp(s->p, "\xEF\xBB\xBF", 3) == 0;
        if (bom) s->p += 3;
        const char *name = NULL;
        size_t name_len = parse_find_cookie(s->p, s->end, &name);
        if (name_len) {
            encoding = encoding_by_name(name, name_len);
            if (encoding == ENCODING_UNKNOWN)
                source_fail(s, DIAG_SYNTAX_ERROR,
                            diag_format(s->a, "unknown encoding: %.*s", (int)(name_len & 0xFF), name));
            else if (bom && encoding != ENCODING_UTF8)
                source_fail(s, DIAG_SYNTAX_ERROR,
                            diag_format(s->a, "encoding problem: %.*s with BOM", (int)(name_len & 0xFF), name));
        }
    }
    const char *reason = "", *bad = NULL;
    if (s->error.kind == DIAG_NONE && encoding != ENCODING_LATIN1) bad = find_bad_utf8(s->p, s->end, &reason);
    if (s->error.kind == DIAG_NONE && encoding == ENCODING_ASCII) {
        const char *p = s->p;
        while (p < s->end && !(*p & 0x80)) p++;
        if (p < s->end) {
            source_fail(s, DIAG_SYNTAX_ERROR,
                        diag_format(s->a,
                                    "'ascii' codec can't decode byte 0x%02x in position %u: "
                                    "ordinal not in range(128)",
                                    (unsigned)(unsigned char)*p, (unsigned)(p - s->p)));
            bad = bad ? bad : p;
        }
    }
    if (bad && s->error.kind == DIAG_NONE)
        source_fail(s, DIAG_SYNTAX_ERROR,
                    diag_format(s->a,
                                "(unicode error) 'utf-8' codec can't decode byte 0x%02x in "
                                "position %u: %s",
                                (unsigned)(unsigned char)*bad, (unsigned)(bad - s->p), reason));
    if (bad) {
        /* What the error shows of the text ends before the bad byte, so it is valid UTF-8. */
        s->end = bad;
        char *text = copy_text(s, ENCODING_UTF8, len);
        s->error.start = s->error.end = text ? *len : 0;
        return text;
    }
    return copy_text(s, encoding, len);
}

static bool index_lines(arena *a, const char *src, uint32_t len, struct line_index *li)
{
    uint32_t n = 1;
    for (const char *p = src; (p = memchr(p, '\n', (size_t)(src + len - p))); p++) n++;
    uint32_t *starts = arena_alloc_array(a, 0, n, sizeof *starts);
    if (!starts) return false;
    starts[0] = 0;
    uint32_t i = 1;
    for (const char *p = src; (p = memchr(p, '\n', (size_t)(src + len - p))); p++)
        starts[i++] = (uint32_t)(p + 1 - src);
    *li = (struct line_index){src, len, n, starts};
    return true;
}

/* ---- feeding ---- */

static bool ends_in_empty_line(const char *src, uint32_t len)
{
    const char *p = src + len;
    if (p == src || p[-1] != '\n') return false;
    p--;
    while (p > src && (p[-1] == ' ' || p[-1] == '\t' || p[-1] == '\f')) p--;
    return p == src || p[-1] == '\n';
}

static bool is_compound(const ast *n)
{
    switch (n->kind) {
    case AST_FunctionDef:
    case AST_AsyncFunctionDef:
    case AST_ClassDef:
    case AST_For:
    case AST_AsyncFor:
    case AST_While:
    case AST_If:
    case AST_With:
    case AST_AsyncWith:
    case AST_Match:
    case AST_Try:
    case AST_TryStar: return true;
    default: return false;
    }
}

static bool is_interactive(parse_mode mode) { return mode == PARSE_SINGLE || mode == PARSE_CELL; }

/* At the end of interactive input that does not end in an empty line: may more lines follow? Either
 * a block is open, or the grammar does not take the end of the input here. */
static bool wants_more(struct parse_state *ps, struct yyParser *parser, bool in_block)
{
    return !ps->stop && (in_block || !grammar_accepts(parser, LEXER_EOF));
}

/* Feeds everything. Answers OK also when ps->error was set. */
static parse_status feed(struct parse_state *ps, struct yyParser *parser, parse_mode mode)
{
    bool open_ended = is_interactive(mode) && !ends_in_empty_line(ps->src, ps->len);
    for (;;) {
        struct token t;
        bool in_block = ps->lx.nindents > 1;
        int kind = lexer_next(&ps->lx, &t);
        if (kind < 0) {
            if (kind == LEXER_MORE && is_interactive(mode)) return PARSE_INCOMPLETE;
            const struct lexer_error *e = &ps->lx.error;
            state_fail(ps, e->kind, e->start, e->end, e->message);
            ps->error.origin = ERROR_LEXER;
            return PARSE_OK;
        }
        bool at_end = t.start == ps->len && (kind == T_DEDENT || kind == LEXER_EOF);
        if (at_end && open_ended) {
            if (wants_more(ps, parser, in_block)) return PARSE_INCOMPLETE;
            open_ended = false;
        }
        grammar_feed(parser, kind, t);
        if (ps->stop || kind == LEXER_EOF) return PARSE_OK;
    }
}

/* The scanner's errors in the rest of the text come before the grammar's: an error in the middle of
 * an unclosed bracket is best explained by the bracket. */
static void prefer_lexer_error(struct parse_state *ps, const struct line_index *li)
{
    struct token t;
    int kind;
    uint32_t seen = ps->last.start > ps->error.seen ? ps->last.start : ps->error.seen;
    uint32_t line = line_index_pos(li, seen).line;
    while ((kind = lexer_next(&ps->lx, &t)) > 0)
        ;
    if (kind == LEXER_EOF) return;
    const struct lexer_error *e = &ps->lx.error;
    if (e->kind != DIAG_SYNTAX_ERROR || e->soft) return;
    if (e->in_bracket && line_index_pos(li, e->start).line >= line) return;
    ps->error = (struct parse_error){.kind = e->kind, .message = e->message, .start = e->start, .end = e->end};
}

static ast *finish_module(struct parse_state *ps, parse_mode mode)
{
    ast *n = ast_make(ps,
                      mode == PARSE_EVAL     ? AST_Expression
                      : is_interactive(mode) ? AST_Interactive
                                             : AST_Module,
                      0, ps->len);
    if (n->kind == AST_NONE) return n;
    if (mode == PARSE_EVAL) AST_AS(Expression, n)->body = ps->result;
    else AST_AS(Module, n)->body = (ast_seq *)ps->result;
    return ast_done(ps, n);
}

static void fill_diag(const struct parse_error *e, const struct line_index *li, struct diag *d)
{
    *d = (struct diag){.kind = (uint8_t)e->kind, .message = e->message};
    line_index_locate(li, e->start, e->end, d);
    if (e->before) {
        d->offset--;
        d->end_offset = d->offset;
    }
}

static parse_status run(struct parse_state *ps, parse_mode mode, const struct line_index *li, struct parse_result *out)
{
    struct yyParser *parser = arena_alloc(ps->a, grammar_size());
    if (!parser) return PARSE_NOMEM;
    grammar_init(parser, ps);
    struct token start = {0, 0, 0, 0};
    grammar_feed(parser,
                 grammar_start_token(mode == PARSE_EVAL     ? START_AT_EVAL
                                     : mode == PARSE_SINGLE ? START_AT_SINGLE
                                                            : START_AT_FILE),
                 start);
    parse_status status = feed(ps, parser, mode);
    if (ps->nomem) return PARSE_NOMEM;
    if (status != PARSE_OK) return status;
    if (ps->error.kind == DIAG_NONE && is_interactive(mode)) {
        const ast_seq *body = (ast_seq *)ps->result;
        if (body->n && is_compound(body->items[body->n - 1]) && !ends_in_empty_line(ps->src, ps->len))
            return PARSE_INCOMPLETE;
    }
    if (ps->error.kind == DIAG_NONE) {
        out->module = finish_module(ps, mode);
        if (ps->nomem) return PARSE_NOMEM;
        if (ps->error.kind == DIAG_NONE) return PARSE_OK;
    }
    out->module = NULL;
    if (ps->error.origin != ERROR_LEXER && ps->error.kind == DIAG_SYNTAX_ERROR) {
        explain_error(ps, parser, mode);
        if (ps->nomem) return PARSE_NOMEM;
        if (ps->error.origin != ERROR_FINAL) prefer_lexer_error(ps, li);
    }
    fill_diag(&ps->error, li, &out->diag);
    return PARSE_ERROR;
}

parse_status parse_source(arena *a, const char *src, size_t len, const char *filename, parse_mode mode, unsigned flags,
                          struct parse_result *out)
{
    *out = (struct parse_result){.status = PARSE_NOMEM, .filename = filename};
    struct source s = {.a = a, .filename = filename, .p = src, .end = src + len};
    char *text = clean_source(&s, flags, &out->len);
    if (!text || !index_lines(a, text, out->len, &out->lines)) return out->status;
    out->src = text;
    if (s.error.kind != DIAG_NONE) {
        fill_diag(&s.error, &out->lines, &out->diag);
        return out->status = PARSE_ERROR;
    }
    struct parse_state *ps = arena_alloc(a, sizeof *ps);
    if (!ps || !state_init(ps, a, text, out->len)) return out->status;
    out->status = run(ps, mode, &out->lines, out);
    if (a->failed) return out->status = PARSE_NOMEM;
    for (struct diag *w = ps->warnings; w; w = w->next) line_index_locate(&out->lines, w->start, w->end, w);
    out->warnings = ps->warnings;
    out->nnames = ps->names.n;
    return out->status;
}
