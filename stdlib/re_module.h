/* What the files of the module _re share.
 *
 * Strings are code points of 1, 2 or 4 bytes, and so PCRE2's three libraries, without their UTF mode,
 * search them as they lie: no conversion, and offsets are indices. A pattern is compiled for a width
 * and a mode (search, match, fullmatch) when it first meets such a call, and by the just-in-time
 * compiler when it is used more often. */
#ifndef AIO_STDLIB_RE_MODULE_H
#define AIO_STDLIB_RE_MODULE_H

#include "module_state.h"

enum re_mode { RE_SEARCH, RE_MATCH, RE_FULLMATCH, RE_MODES };
enum { RE_WIDTHS = 3 };
enum re_flag {
    RE_TEMPLATE = 1,
    RE_IGNORECASE = 2,
    RE_LOCALE = 4,
    RE_MULTILINE = 8,
    RE_DOTALL = 16,
    RE_UNICODE = 32,
    RE_VERBOSE = 64,
    RE_DEBUG = 128,
    RE_ASCII = 256,
};

struct re_code {
    void *code; /* NULL: not compiled yet */
    void (*free)(void *);
    uint32_t uses;
    bool jitted;
};

struct re_pattern {
    value pattern;    /* the source: str or bytes-like */
    value parts;      /* what re._parser made of it */
    value groupindex; /* dict: name -> group */
    value names;      /* tuple: group -> name or None */
    value order;      /* tuple: the groups as they close */
    int64_t flags;
    uint32_t groups;
    bool repeated; /* a group lies in a repeat */
    bool is_bytes;
    bool huge; /* too large for the libraries of narrow code units: the widest one does all */
    struct re_code code[RE_MODES][RE_WIDTHS];
};

struct re_match {
    value pattern, string;
    int64_t pos, endpos;
    uint32_t groups, last; /* last: lastindex, 0 none */
    size_t *span;          /* 2 * (groups + 1) offsets; SIZE_MAX: no part in the match */
    size_t own[4];
};

static inline struct re_pattern *re_pattern_of(value v) { return (struct re_pattern *)(void *)AS(userdata, v)->body; }
static inline struct re_match *re_match_of(value v) { return (struct re_match *)(void *)AS(userdata, v)->body; }

/* ---- re_engine.c ---- */
bool re_engine_open(vm *vm);      /* loads the library; false: raised */
bool re_engine_new_words(vm *vm); /* does its \b know more word characters than Python's? */
/* Is `string` of the kind that the pattern can search? Its length; -1: raised. */
int64_t re_subject_length(vm *vm, const struct re_pattern *p, value string);
/* Searches string[start:end]. 1: *span points to the spans, valid until the next call; 0 none; -1 raised. A safepoint.
 */
int re_exec(vm *vm, value pattern, value string, enum re_mode mode, size_t start, size_t end, bool not_empty,
            const size_t **span);

/* ---- re_match.c ---- */
bool re_match_open(vm *vm, module *m);
value re_match_new(vm *vm, value pattern, value string, int64_t pos, int64_t endpos, const size_t *span);
/* string[from:to] as a group's text. */
value re_slice(vm *vm, value string, size_t from, size_t to);

/* ---- re_pattern.c, re_sub.c ---- */
value re_pattern_sub(vm *vm, value *args, bool count_too);
/* A parsed template (a list) filled in from a match's spans. */
value re_fill_template(vm *vm, value pattern, value string, value parts, const size_t *span);
value re_parse_template(vm *vm, value pattern, value repl);

#endif
