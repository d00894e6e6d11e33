/* test_grammar: the lexer, the parser and their messages, without a VM. */
#include "lexer.h"
#include "parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- helpers ---- */

struct parsed {
    arena a;
    struct parse_result r;
};

static struct parsed *parse_n(const char *src, size_t len, parse_mode mode, unsigned flags)
{
    struct parsed *p = malloc(sizeof *p);
    assert_non_null(p);
    arena_init(&p->a, NULL, NULL);
    parse_source(&p->a, src, len, "<test>", mode, flags, &p->r);
    return p;
}

static struct parsed *parse(const char *src, parse_mode mode) { return parse_n(src, strlen(src), mode, 0); }

static void parsed_free(struct parsed *p)
{
    arena_free(&p->a);
    free(p);
}

static struct parsed *parse_ok(const char *src)
{
    struct parsed *p = parse(src, PARSE_FILE);
    if (p->r.status != PARSE_OK) fail_msg("%s: %s", src, p->r.status == PARSE_ERROR ? p->r.diag.message : "not OK");
    return p;
}

static ast *first_stmt(struct parsed *p)
{
    ast_seq *body = AST_AS(Module, p->r.module)->body;
    assert_true(body->n >= 1);
    return body->items[0];
}

static ast *first_expr(struct parsed *p)
{
    ast *n = first_stmt(p);
    assert_int_equal(n->kind, AST_Expr);
    return AST_AS(Expr, n)->value;
}

/* A short text of an expression: its kinds, with what is inside in parentheses. */
static void show(const ast *n, char *out, size_t size)
{
    const struct ast_info *info = &ast_infos[n->kind];
    size_t len = strlen(out);
    if (n->kind == AST_Name) snprintf(out + len, size - len, "%s", AST_AS(Name, n)->id->text);
    else if (n->kind == AST_Constant) snprintf(out + len, size - len, "'%s'", AST_AS(Constant, n)->value.text);
    else snprintf(out + len, size - len, "%s", info->name);
    bool any = false;
    for (unsigned i = 0; i < info->nfields; i++) {
        const void *at = ast_field_at(n, i);
        const ast *one = NULL;
        const ast_seq *many = NULL;
        if (info->fields[i].type <= AST_FIELD_OPT) one = *(ast *const *)at;
        else if (info->fields[i].type <= AST_FIELD_OPTSEQ) many = *(ast_seq *const *)at;
        for (uint32_t k = 0; one || (many && k < many->n); k++) {
            const ast *child = one ? one : many->items[k];
            strncat(out, any ? " " : "(", size - strlen(out) - 1);
            any = true;
            if (child) show(child, out, size);
            else strncat(out, "-", size - strlen(out) - 1);
            if (one) break;
        }
    }
    if (any) strncat(out, ")", size - strlen(out) - 1);
}

static void check_shape(const char *src, const char *expected)
{
    struct parsed *p = parse_ok(src);
    char text[1000] = "";
    show(first_expr(p), text, sizeof text);
    assert_string_equal(text, expected);
    parsed_free(p);
}

/* "Kind: message @line:column-line:column" */
static void check_error_in(const char *src, parse_mode mode, const char *expected)
{
    struct parsed *p = parse(src, mode);
    char text[400] = "no error";
    const struct diag *d = &p->r.diag;
    if (p->r.status == PARSE_ERROR)
        snprintf(text, sizeof text, "%s: %s @%u:%u-%u:%u", diag_kind_name(d->kind), d->message, (unsigned)d->lineno,
                 (unsigned)d->offset, (unsigned)d->end_lineno, (unsigned)d->end_offset);
    if (strcmp(text, expected) != 0) fail_msg("source: %s\n  expected %s\n  got      %s", src, expected, text);
    parsed_free(p);
}

static void check_error(const char *src, const char *expected) { check_error_in(src, PARSE_FILE, expected); }

static void check_status(const char *src, parse_mode mode, parse_status expected)
{
    struct parsed *p = parse(src, mode);
    if (p->r.status != expected)
        fail_msg("%s: status %d, expected %d (%s)", src, p->r.status, expected,
                 p->r.status == PARSE_ERROR ? p->r.diag.message : "");
    parsed_free(p);
}

/* ---- tokens ---- */

static void test_tokens(void **state)
{
    (void)state;
    static const char src[] = "if x:\n\ty = f'a{b!r:>{w}}c' # hi\nz";
    arena a;
    arena_init(&a, NULL, NULL);
    struct lexer lx;
    lexer_init(&lx, &a, src, sizeof src - 1);
    struct token t;
    char text[400] = "";
    int kind;
    while ((kind = lexer_next(&lx, &t)) > 0) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "[%.*s]", (int)(t.end - t.start), src + t.start);
    }
    assert_int_equal(kind, LEXER_EOF);
    assert_string_equal(text, "[if][x][:][][][y][=][f'][a][{][b][!][r][:][>][{][w][}][}][c][']"
                              "[# hi][][z][]");
    arena_free(&a);
}

static void test_soft_keywords(void **state)
{
    (void)state;
    struct parsed *p = parse_ok("match = 1\nmatch.x\nmatch(x)\nmatch[x]\nmatch, y\ncase = type\n"
                                "type = 5\ntype(x)\nmatch: int\nprint(match, case, type)\n");
    parsed_free(p);
    p = parse_ok("match x:\n case 1: pass\n");
    assert_int_equal(first_stmt(p)->kind, AST_Match);
    parsed_free(p);
    p = parse_ok("match (x, y):\n case (1, 2): pass\n case _: pass\n");
    assert_int_equal(first_stmt(p)->kind, AST_Match);
    parsed_free(p);
    p = parse_ok("match a := 1, b:\n case 1: pass\n");
    assert_int_equal(first_stmt(p)->kind, AST_Match);
    parsed_free(p);
    p = parse_ok("match *a, b:\n case match, case: pass\n");
    assert_int_equal(first_stmt(p)->kind, AST_Match);
    parsed_free(p);
    p = parse_ok("type X[T: int, *U, **P] = list[T]\n");
    assert_int_equal(first_stmt(p)->kind, AST_TypeAlias);
    assert_int_equal(AST_AS(TypeAlias, first_stmt(p))->type_params->n, 3);
    parsed_free(p);
    p = parse_ok("type in [1]\n");
    assert_int_equal(first_stmt(p)->kind, AST_Expr);
    parsed_free(p);
}

/* ---- trees ---- */

static void test_shapes(void **state)
{
    (void)state;
    check_shape("a + b * c", "BinOp(a BinOp(b c))");
    check_shape("a - b - c", "BinOp(BinOp(a b) c)");
    check_shape("a ** b ** c", "BinOp(a BinOp(b c))");
    check_shape("-a ** -b", "UnaryOp(BinOp(a UnaryOp(b)))");
    check_shape("not a == b", "UnaryOp(Compare(a b))");
    check_shape("a < b < c", "Compare(a b c)");
    check_shape("(a < b) < c", "Compare(Compare(a b) c)");
    check_shape("a or b or c and d", "BoolOp(a b BoolOp(c d))");
    check_shape("(a or b) or c", "BoolOp(BoolOp(a b) c)");
    check_shape("a if b else c if d else e", "IfExp(b a IfExp(d c e))");
    check_shape("await a ** b", "BinOp(Await(a) b)");
    check_shape("a.b(c, *d, e=f, **g)[h:, i]",
                "Subscript(Call(Attribute(a) c Starred(d) keyword(f) keyword(g)) Tuple(Slice(h) "
                "i))");
    check_shape("lambda a, /, b=1, *c, d, **e: 0", "Lambda(arguments(arg arg arg arg - arg '1') '0')");
    check_shape("[x for x in y if z async for w in v]", "ListComp(x comprehension(x y z) comprehension(w v))");
    check_shape("{1: 2, **a}", "Dict('1' - '2' a)");
    check_shape("{1, *a}", "Set('1' Starred(a))");
    check_shape("f(x for x in y)", "Call(f GeneratorExp(x comprehension(x y)))");
    check_shape("'a' 'b'", "'ab'");
    check_shape("'a' f'b{c}' 'd'", "JoinedStr('ab' FormattedValue(c) 'd')");
    check_shape("f'{x = !s:>{w}}'", "JoinedStr('x = ' FormattedValue(x JoinedStr('>' "
                                    "FormattedValue(w))))");
    check_shape("f'{a[\"b\"]}{'c'}{{}}'", "JoinedStr(FormattedValue(Subscript(a 'b')) "
                                          "FormattedValue('c') '{}')");
    check_shape("f'{x # comment\n=}'", "JoinedStr('x # comment\n=' FormattedValue(x))");
    check_shape("(yield)", "Yield");
    check_shape("(a := b)", "NamedExpr(a b)");
}

static void test_positions(void **state)
{
    (void)state;
    struct parsed *p = parse_ok("x = (é + [b,\n  c]) . d\n");
    struct ast_Assign *n = AST_AS(Assign, first_stmt(p));
    struct line_pos start = line_index_pos(&p->r.lines, n->value->start);
    struct line_pos end = line_index_pos(&p->r.lines, n->value->end);
    assert_int_equal(start.line, 1);
    assert_int_equal(start.col, 4);
    assert_int_equal(end.line, 2);
    assert_int_equal(end.byte, 9);
    const ast *inner = AST_AS(Attribute, n->value)->value;
    assert_int_equal(inner->kind, AST_BinOp);
    assert_true(inner->flags & AST_PAREN);
    const ast *list = AST_AS(BinOp, inner)->right;
    start = line_index_pos(&p->r.lines, list->start);
    assert_int_equal(start.byte, 10);
    assert_int_equal(start.col, 9);
    uint32_t len;
    const char *line = line_index_text(&p->r.lines, 2, &len);
    assert_int_equal(len, 9);
    assert_memory_equal(line, "  c]) . d", 9);
    parsed_free(p);
}

static void test_statements(void **state)
{
    (void)state;
    static const char src[] = "@d\n"
                              "async def f(a: int = 1, *b, **c) -> str:\n"
                              "    global x; del a, b[0]\n"
                              "    with (open(p) as q, r): pass\n"
                              "    async for i in j: break\n"
                              "    else: continue\n"
                              "    try: raise A from B\n"
                              "    except* C as e: assert x, y\n"
                              "    finally: return *a, b\n"
                              "class A(B, m=C): x: int\n"
                              "from .. import (a as b, c,)\n"
                              "import os.path, sys as s\n"
                              "a, *b = c = d\n"
                              "e @= f\n";
    struct parsed *p = parse_ok(src);
    ast_seq *body = AST_AS(Module, p->r.module)->body;
    static const ast_kind kinds[] = {AST_AsyncFunctionDef, AST_ClassDef, AST_ImportFrom,
                                     AST_Import,           AST_Assign,   AST_AugAssign};
    assert_int_equal(body->n, 6);
    for (uint32_t i = 0; i < body->n; i++) assert_int_equal(body->items[i]->kind, kinds[i]);
    struct ast_AsyncFunctionDef *f = AST_AS(AsyncFunctionDef, body->items[0]);
    assert_string_equal(f->name->text, "f");
    assert_int_equal(f->decorator_list->n, 1);
    struct ast_With *with = AST_AS(With, f->body->items[2]);
    assert_int_equal(with->base.kind, AST_With);
    assert_int_equal(with->items->n, 2);
    assert_int_equal(f->body->items[4]->kind, AST_TryStar);
    struct ast_ImportFrom *from = AST_AS(ImportFrom, body->items[2]);
    assert_int_equal(from->level, 2);
    assert_null(from->module);
    struct ast_alias *alias = AST_AS(alias, AST_AS(Import, body->items[3])->names->items[0]);
    assert_string_equal(alias->name->text, "os.path");
    struct ast_Assign *assign = AST_AS(Assign, body->items[4]);
    assert_int_equal(assign->targets->n, 2);
    ast *target = AST_AS(Tuple, assign->targets->items[0])->elts->items[1];
    assert_int_equal(target->kind, AST_Starred);
    assert_int_equal(AST_AS(Starred, target)->ctx, AST_Store);
    parsed_free(p);
}

static void test_literals(void **state)
{
    (void)state;
    static const struct {
        const char *src, *text;
        uint32_t len;
        uint8_t kind, base;
    } cases[] = {
        {"1_000", "1000", 4, AST_CONST_INT, 10},
        {"0xFF_f", "FFf", 3, AST_CONST_INT, 16},
        {"0b1_0", "10", 2, AST_CONST_INT, 2},
        {"1_0.5e-1_0", "10.5e-10", 8, AST_CONST_FLOAT, 10},
        {"012j", "012", 3, AST_CONST_IMAG, 10},
        {"'\\x41\\u00e9\\N{BULLET}\\101\\\n'",
         "A\xc3\xa9\xe2\x80\xa2"
         "A",
         7, AST_CONST_STR, 0},
        {"'\\ud800'", "\xed\xa0\x80", 3, AST_CONST_STR, 0},
        {"'a\\0b'", "a\0b", 3, AST_CONST_STR, 0},
        {"rb'\\x00'", "\\x00", 4, AST_CONST_BYTES, 0},
        {"b'\\xff' b'\\n'", "\xff\n", 2, AST_CONST_BYTES, 0},
        {"'''a\r\nb\rc'''", "a\nb\nc", 5, AST_CONST_STR, 0},
        {"'\\N{HANGUL SYLLABLE GAG}'", "\xea\xb0\x81", 3, AST_CONST_STR, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed *p = parse_ok(cases[i].src);
        const ast *n = first_expr(p);
        assert_int_equal(n->kind, AST_Constant);
        const struct ast_const *c = &AST_AS(Constant, n)->value;
        assert_int_equal(c->kind, cases[i].kind);
        assert_int_equal(c->len, cases[i].len);
        assert_memory_equal(c->text, cases[i].text, cases[i].len);
        if (cases[i].base) assert_int_equal(c->base, cases[i].base);
        parsed_free(p);
    }
    /* Names are NFKC-normalised and interned. */
    struct parsed *p = parse_ok("\xef\xac\x81 + fi"); /* the ligature fi */
    struct ast_BinOp *n = AST_AS(BinOp, first_expr(p));
    assert_ptr_equal(AST_AS(Name, n->left)->id, AST_AS(Name, n->right)->id);
    parsed_free(p);
}

static void test_encodings(void **state)
{
    (void)state;
    struct parsed *p = parse_ok("\xef\xbb\xbfx\n");
    assert_int_equal(first_expr(p)->start, 0);
    parsed_free(p);
    p = parse_ok("# -*- coding: latin-1 -*-\n'\xe9'\n");
    assert_string_equal(AST_AS(Constant, first_expr(p))->value.text, "\xc3\xa9");
    parsed_free(p);
    check_error("# coding: foo\n", "SyntaxError: unknown encoding: foo @1:1-1:1");
    check_error("x = '\xe9'\n", "SyntaxError: (unicode error) 'utf-8' codec can't decode byte 0xe9 "
                                "in position 5: invalid continuation byte @1:6-1:6");
    check_error("\xff", "SyntaxError: (unicode error) 'utf-8' codec can't decode byte 0xff in "
                        "position 0: invalid start byte @1:1-1:1");
    p = parse_n("a\0b", 3, PARSE_FILE, 0);
    assert_int_equal(p->r.status, PARSE_ERROR);
    assert_int_equal(p->r.diag.kind, DIAG_VALUE_ERROR);
    assert_string_equal(p->r.diag.message, "source code string cannot contain null bytes");
    parsed_free(p);
}

/* ---- messages ---- */

static void test_lexical_errors(void **state)
{
    (void)state;
    check_error("x = 'abc", "SyntaxError: unterminated string literal (detected at line 1) @1:5-1:5");
    check_error("x = '''a\nb\n", "SyntaxError: unterminated triple-quoted string literal (detected "
                                 "at line 2) @1:5-1:5");
    check_error("12abc", "SyntaxError: invalid decimal literal @1:2-1:2");
    check_error("0b12", "SyntaxError: invalid digit '2' in binary literal @1:4-1:4");
    check_error("0xg", "SyntaxError: invalid hexadecimal literal @1:2-1:2");
    check_error("0777", "SyntaxError: leading zeros in decimal integer literals are not permitted; "
                        "use an 0o prefix for octal integers @1:1-1:2");
    check_error("x\xef\xbc\x8cy", "SyntaxError: invalid character '\xef\xbc\x8c' (U+FF0C) @1:2-1:2");
    check_error("a = 1 \xc2\xa0 2", "SyntaxError: invalid non-printable character U+00A0 @1:7-1:7");
    check_error("x \\ y", "SyntaxError: unexpected character after line continuation character "
                          "@1:4-1:4");
    check_error("(", "SyntaxError: '(' was never closed @1:1-1:1");
    check_error("([)", "SyntaxError: closing parenthesis ')' does not match opening parenthesis "
                       "'[' @1:3-1:3");
    check_error("(\n]", "SyntaxError: closing parenthesis ']' does not match opening parenthesis "
                        "'(' on line 1 @2:1-2:1");
    check_error("x)", "SyntaxError: unmatched ')' @1:2-1:2");
    check_error("if x:\n        a\n\tb", "TabError: inconsistent use of tabs and spaces in "
                                         "indentation @3:1-3:1");
    check_error("if x:\n  a\n b", "IndentationError: unindent does not match any outer indentation "
                                  "level @3:3-3:3");
    check_error("'\\x1'", "SyntaxError: (unicode error) 'unicodeescape' codec can't decode bytes in "
                          "position 0-2: truncated \\xXX escape @1:6-1:6");
    check_error("'a' b'b'", "SyntaxError: cannot mix bytes and nonbytes literals @1:9-1:9");
    check_error("f'{a'", "SyntaxError: f-string: expecting '}' @1:5-1:5");
    check_error("f'}'", "SyntaxError: f-string: single '}' is not allowed @1:3-1:3");
}

static void test_statement_errors(void **state)
{
    (void)state;
    check_error("if x\n  y", "SyntaxError: expected ':' @1:5-1:5");
    check_error("def f\n", "SyntaxError: expected '(' @1:6-1:6");
    check_error("else:\n x", "SyntaxError: invalid syntax @1:1-1:5");
    check_error("if x:\ny", "IndentationError: expected an indented block after 'if' statement on "
                            "line 1 @2:1-2:2");
    check_error("x\n\nclass A:\n def f():\n x",
                "IndentationError: expected an indented block after function definition on line 4 "
                "@5:2-5:3");
    check_error("a\n  b", "IndentationError: unexpected indent @2:2-2:2");
    check_error("try:\n x\ny", "SyntaxError: expected 'except' or 'finally' block @3:1-3:2");
    check_error("try:\n x\nexcept a, b:\n y", "SyntaxError: multiple exception types must be parenthesized @3:8-3:12");
    check_error("print 'a', b", "SyntaxError: Missing parentheses in call to 'print'. Did you mean "
                                "print(...)? @1:1-1:13");
    check_error("from a import b,", "SyntaxError: trailing comma not allowed without surrounding "
                                    "parentheses @1:17-1:17");
    check_error("f() = 1", "SyntaxError: cannot assign to function call here. Maybe you meant '==' "
                           "instead of '='? @1:1-1:4");
    check_error("x = f() = 1", "SyntaxError: cannot assign to function call @1:5-1:8");
    check_error("None = 1", "SyntaxError: cannot assign to None @1:1-1:5");
    check_error("(a, 1) = b", "SyntaxError: cannot assign to literal @1:5-1:6");
    check_error("f() += 1", "SyntaxError: 'function call' is an illegal expression for augmented "
                            "assignment @1:1-1:4");
    check_error("(a, b): int", "SyntaxError: only single target (not tuple) can be annotated "
                               "@1:1-1:7");
    check_error("del f()", "SyntaxError: cannot delete function call @1:5-1:8");
    check_error("for a + b in x: pass", "SyntaxError: cannot assign to expression @1:5-1:10");
    check_error("with a as f(): pass", "SyntaxError: cannot assign to function call @1:11-1:14");
    check_error("if x = 3: pass", "SyntaxError: invalid syntax. Maybe you meant '==' or ':=' instead "
                                  "of '='? @1:4-1:9");
    check_error("def f(a=1, b): pass", "SyntaxError: non-default argument follows default argument @1:12-1:13");
    check_error("def f(*): pass", "SyntaxError: named arguments must follow bare * @1:7-1:8");
    check_error("def f(**k, a): pass", "SyntaxError: arguments cannot follow var-keyword argument @1:12-1:13");
    check_error("x y (", "SyntaxError: invalid syntax @1:3-1:4");
    check_error("x = (1,\n2\ny = 3\n", "SyntaxError: '(' was never closed @1:5-1:5");
    check_error("match x:\n case A(b=1, c): pass",
                "SyntaxError: positional patterns follow keyword patterns @2:14-2:15");
}

static void test_expression_errors(void **state)
{
    (void)state;
    check_error("f(a, b c)", "SyntaxError: invalid syntax. Perhaps you forgot a comma? @1:6-1:9");
    check_error("[1, 2\n3]", "SyntaxError: invalid syntax. Perhaps you forgot a comma? @1:5-2:2");
    check_error("(a if b)", "SyntaxError: expected 'else' after 'if' expression @1:2-1:8");
    check_error("f(a=1, b)", "SyntaxError: positional argument follows keyword argument @1:9-1:10");
    check_error("f(**a, *b)", "SyntaxError: iterable argument unpacking follows keyword argument "
                              "unpacking @1:3-1:6");
    check_error("f(x for x in y, 1)", "SyntaxError: Generator expression must be parenthesized @1:3-1:15");
    check_error("f(a.b=1)", "SyntaxError: expression cannot contain assignment, perhaps you meant "
                            "\"==\"? @1:3-1:7");
    check_error("[a, b for a in c]",
                "SyntaxError: did you forget parentheses around the comprehension target? @1:2-1:6");
    check_error("[*a for a in b]", "SyntaxError: iterable unpacking cannot be used in comprehension @1:2-1:4");
    check_error("(*a)", "SyntaxError: cannot use starred expression here @1:2-1:4");
    check_error("{1:2, 3}", "SyntaxError: ':' expected after dictionary key @1:7-1:7");
    check_error("{1:}", "SyntaxError: expression expected after dictionary key and ':' @1:3-1:4");
    check_error("(a.b := 1)", "SyntaxError: cannot use assignment expressions with attribute "
                              "@1:2-1:5");
    check_error("f'{}'", "SyntaxError: f-string: empty expression not allowed @1:4-1:5");
    check_error("(a as b)", "SyntaxError: invalid syntax @1:4-1:6");
    check_error("a < not b", "SyntaxError: invalid syntax @1:5-1:8");
    check_error("\xc3\xa9 \xc3\xa9", "SyntaxError: invalid syntax @1:3-1:4");
    check_error_in("x; y\nz\n", PARSE_SINGLE,
                   "SyntaxError: multiple statements found while "
                   "compiling a single statement @2:1-2:2");
    check_error_in("x = 1", PARSE_EVAL, "SyntaxError: invalid syntax @1:3-1:4");
}

static void test_warnings(void **state)
{
    (void)state;
    struct parsed *p = parse_ok("x is 1\n'\\d'\n1if x else 2\n");
    static const struct {
        diag_kind kind;
        const char *message;
    } expected[] = {
        {DIAG_SYNTAX_WARNING, "\"is\" with a literal. Did you mean \"==\"?"},
        {DIAG_DEPRECATION_WARNING, "invalid escape sequence '\\d'"},
        {DIAG_SYNTAX_WARNING, "invalid decimal literal"},
    };
    const struct diag *w = p->r.warnings;
    for (uint32_t i = 0; i < 3; i++, w = w->next) {
        assert_non_null(w);
        assert_int_equal(w->kind, expected[i].kind);
        assert_string_equal(w->message, expected[i].message);
        assert_int_equal(w->lineno, i + 1);
    }
    assert_null(w);
    parsed_free(p);
}

/* ---- interactive input ---- */

static void test_incomplete(void **state)
{
    (void)state;
    static const char *const open[] = {
        "if x:\n",
        "if x:\n  y\n",
        "if x: y\n",
        "if x:\n  y\nelse:\n",
        "def f():\n  x\n",
        "@a\n",
        "@a\ndef f(): pass\n",
        "class A:\n  def f(self):\n    pass\n",
        "try:\n x\n",
        "try:\n x\nexcept:\n",
        "match x:\n",
        "match x:\n  case 1:\n    y\n",
        "x = (1,\n",
        "f(a,\n\n",
        "'''abc\n",
        "'abc\\\n",
        "x = 1 + \\\n",
        "x\\",
        "f'''{x\n",
        "if x:\n  y = '''\n\n",
        "for a in b: # why\n",
    };
    static const char *const whole[] = {
        "",
        "\n",
        "# hi\n",
        "x",
        "x\n",
        "x; y\n",
        "x = (1,\n2)\n",
        "if x:\n  y\n\n",
        "if x: y\n\n",
        "if x:\n  y\nelse:\n  z\n\n",
        "@a\ndef f(): pass\n\n",
        "try:\n x\nexcept:\n y\n  \n",
        "await x\n",
        "'''abc\ndef'''\n",
    };
    static const char *const wrong[] = {"if x:\n\n", "x y\n", "x = 'abc\n", "(]\n", "  x\n",
                                        "else:\n",   "$\n",   "if x\n",     "0x\n"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) check_status(open[i], PARSE_SINGLE, PARSE_INCOMPLETE);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) check_status(whole[i], PARSE_SINGLE, PARSE_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) check_status(wrong[i], PARSE_SINGLE, PARSE_ERROR);
}

/* ---- limits ---- */

static char *repeat(const char *head, const char *part, size_t n, const char *tail)
{
    size_t len = strlen(part);
    char *text = malloc(strlen(head) + len * n + strlen(tail) + 1);
    assert_non_null(text);
    char *p = stpcpy(text, head);
    for (size_t i = 0; i < n; i++) p = stpcpy(p, part);
    strcpy(p, tail);
    return text;
}

static void check_repeat(const char *head, const char *part, size_t n, const char *tail, parse_status status,
                         diag_kind kind)
{
    char *src = repeat(head, part, n, tail);
    struct parsed *p = parse(src, PARSE_FILE);
    if (p->r.status != status || (status == PARSE_ERROR && p->r.diag.kind != kind))
        fail_msg("%s%s... x %zu: status %d, %s", head, part, n, p->r.status,
                 p->r.status == PARSE_ERROR ? p->r.diag.message : "");
    if (status == PARSE_OK) {
        assert_true(p->r.module->depth <= AST_MAX_DEPTH);
        assert_true(p->r.module->nest <= AST_MAX_NEST);
    }
    parsed_free(p);
    free(src);
}

static void test_limits(void **state)
{
    (void)state;
    check_repeat("", "(", 100000, "", PARSE_ERROR, DIAG_SYNTAX_ERROR);
    check_repeat("", "[", 200, "", PARSE_ERROR, DIAG_SYNTAX_ERROR);
    check_repeat("1", "+1", 2900, "", PARSE_OK, 0);
    check_repeat("1", "+1", 100000, "", PARSE_ERROR, DIAG_RECURSION_ERROR);
    check_repeat("a", ".b", 100000, "", PARSE_ERROR, DIAG_RECURSION_ERROR);
    check_repeat("", "-", 900, "1", PARSE_OK, 0);
    check_repeat("", "-", 1500, "1", PARSE_ERROR, DIAG_RECURSION_ERROR);
    check_repeat("", "-", 100000, "1", PARSE_ERROR, DIAG_MEMORY_ERROR);
    check_repeat("a", " or a", 100000, "", PARSE_OK, 0);
    check_repeat("if a: b\n", "elif a: b\n", 2900, "", PARSE_OK, 0);
    check_repeat("if a: b\n", "elif a: b\n", 100000, "", PARSE_ERROR, DIAG_RECURSION_ERROR);
    check_repeat("[", "1,", 200000, "]", PARSE_OK, 0);
    check_repeat("", "'a' ", 100000, "", PARSE_OK, 0);
    check_repeat("", "f'{", 1000, "", PARSE_ERROR, DIAG_SYNTAX_ERROR);
    check_repeat("", "x\n", 200000, "y z\n", PARSE_ERROR, DIAG_SYNTAX_ERROR);
}

/* ---- memory ---- */

struct stingy {
    long left;
    size_t taken;
};

static void *stingy_alloc(void *ud, void *ptr, size_t old_size, size_t new_size)
{
    struct stingy *s = ud;
    if (!new_size) {
        s->taken -= old_size;
        free(ptr);
        return NULL;
    }
    if (s->left-- <= 0) return NULL;
    s->taken += new_size;
    return realloc(ptr, new_size);
}

/* Every allocation fails once; nothing is lost. */
static void check_failing(const char *src, parse_status at_last)
{
    for (long n = 0;; n++) {
        struct stingy s = {n, 0};
        arena a;
        arena_init(&a, stingy_alloc, &s);
        struct parse_result r;
        parse_status status = parse_source(&a, src, strlen(src), "<test>", PARSE_FILE, 0, &r);
        arena_free(&a);
        assert_int_equal(s.taken, 0);
        if (status != PARSE_NOMEM) {
            assert_int_equal(status, at_last);
            assert_true(n > 1);
            return;
        }
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    char *src = repeat("", "def f(a, *b, c=1, **d):\n  x, y = f'{a!r:>{b}}' 'c', {1: 2}\n", 400, "");
    check_failing(src, PARSE_OK);
    free(src);
    src = repeat("", "class A(b, c=d): x = [y for y in z if w]\n", 400, "f(a b\n)\n");
    check_failing(src, PARSE_ERROR);
    free(src);
    src = repeat("match x:\n", " case A(b, c=[1, *_], d={'k': v, **r}) | -1+2j: pass\n", 300, "");
    check_failing(src, PARSE_OK);
    free(src);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),           cmocka_unit_test(test_soft_keywords),
        cmocka_unit_test(test_shapes),           cmocka_unit_test(test_positions),
        cmocka_unit_test(test_statements),       cmocka_unit_test(test_literals),
        cmocka_unit_test(test_encodings),        cmocka_unit_test(test_lexical_errors),
        cmocka_unit_test(test_statement_errors), cmocka_unit_test(test_expression_errors),
        cmocka_unit_test(test_warnings),         cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_limits),           cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
