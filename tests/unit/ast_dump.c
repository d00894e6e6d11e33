/* ast_dump: prints the tree of a file as CPython's
 *
 *     print(ast.dump(ast.parse(source), include_attributes=True, indent=1))
 *
 * does, so that the two can be compared with diff. A development tool.
 *
 *     ast_dump [-2] [-m file|eval|single] [-q] FILE
 *
 * -2: with the type_params of 3.12 (3.11 without). -q: print nothing but errors.
 */
#include "ast.h"
#include "parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dumper {
    const struct parse_result *r;
    bool type_params;
};

static void dump(struct dumper *d, const ast *n, int indent);

static void newline(int indent) { printf("\n%*s", indent, ""); }

/* What repr() makes of a character that is not ASCII; good enough to compare by. */
static void put_string(const char *p, uint32_t len, bool bytes)
{
    bool single = memchr(p, '\'', len) != NULL, twice = memchr(p, '"', len) != NULL;
    char quote = single && !twice ? '"' : '\'';
    printf(bytes ? "b%c" : "%c", quote);
    for (uint32_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == (unsigned char)quote || c == '\\') printf("\\%c", c);
        else if (c == '\n') printf("\\n");
        else if (c == '\t') printf("\\t");
        else if (c == '\r') printf("\\r");
        else if (!bytes && c == 0xED && i + 2 < len && (unsigned char)p[i + 1] >= 0xA0) {
            /* a lone surrogate */
            printf("\\u%04x", 0xD000u | (unsigned)(p[i + 1] & 0x3F) << 6 | (unsigned)(p[i + 2] & 0x3F));
            i += 2;
        } else if (c < 32 || c == 127 || (bytes && c > 127)) printf("\\x%02x", c);
        else putchar(c);
    }
    putchar(quote);
}

static void put_const(const struct ast_const *c)
{
    switch ((ast_const_kind)c->kind) {
    case AST_CONST_NONE: printf("None"); break;
    case AST_CONST_TRUE: printf("True"); break;
    case AST_CONST_FALSE: printf("False"); break;
    case AST_CONST_ELLIPSIS: printf("Ellipsis"); break;
    case AST_CONST_INT:
        printf("%s%s", c->base == 16 ? "0x" : c->base == 8 ? "0o" : c->base == 2 ? "0b" : "", c->text);
        break;
    case AST_CONST_FLOAT: printf("%s", c->text); break;
    case AST_CONST_IMAG: printf("%sj", c->text); break;
    case AST_CONST_STR: put_string(c->text, c->len, false); break;
    case AST_CONST_BYTES: put_string(c->text, c->len, true); break;
    }
}

static void dump_list(struct dumper *d, const ast_seq *s, int indent)
{
    if (!s->n) {
        printf("[]");
        return;
    }
    printf("[");
    for (uint32_t i = 0; i < s->n; i++) {
        printf(i ? "," : "");
        newline(indent + 1);
        if (s->items[i]) dump(d, s->items[i], indent + 1);
        else printf("None");
    }
    printf("]");
}

static bool dump_field(struct dumper *d, const ast *n, unsigned i, int indent, bool first)
{
    const struct ast_field *f = &ast_infos[n->kind].fields[i];
    const void *at = ast_field_at(n, i);
    if (!d->type_params && strcmp(f->name, "type_params") == 0) return false;
    if ((f->type == AST_FIELD_OPT || f->type == AST_FIELD_OPTID) && !*(void *const *)at) return false;
    printf(first ? "" : ",");
    newline(indent + 1);
    printf("%s=", f->name);
    switch ((ast_field_type)f->type) {
    case AST_FIELD_NODE:
    case AST_FIELD_OPT: dump(d, *(ast *const *)at, indent + 1); break;
    case AST_FIELD_SEQ:
    case AST_FIELD_OPTSEQ: dump_list(d, *(ast_seq *const *)at, indent + 1); break;
    case AST_FIELD_ID:
    case AST_FIELD_OPTID: printf("'%s'", (*(const ast_name *const *)at)->text); break;
    case AST_FIELD_IDS: {
        const ast_ids *s = *(ast_ids *const *)at;
        printf("[");
        for (uint32_t k = 0; k < s->n; k++) {
            printf(k ? "," : "");
            newline(indent + 2);
            printf("'%s'", s->items[k]->text);
        }
        printf("]");
        break;
    }
    case AST_FIELD_OP: printf("%s()", ast_op_names[*(const int32_t *)at]); break;
    case AST_FIELD_OPS: {
        const ast_ops *s = *(ast_ops *const *)at;
        printf("[");
        for (uint32_t k = 0; k < s->n; k++) {
            printf(k ? "," : "");
            newline(indent + 2);
            printf("%s()", ast_op_names[s->items[k]]);
        }
        printf("]");
        break;
    }
    case AST_FIELD_CTX: printf("%s()", ast_ctx_names[*(const int32_t *)at]); break;
    case AST_FIELD_INT:
    case AST_FIELD_BOOL: printf("%d", (int)*(const int32_t *)at); break;
    case AST_FIELD_CONST: {
        const struct ast_const *c = at;
        put_const(c);
        if (c->u) {
            printf(",");
            newline(indent + 1);
            printf("kind='u'");
        }
        break;
    }
    }
    return true;
}

static void dump(struct dumper *d, const ast *n, int indent)
{
    const struct ast_info *info = &ast_infos[n->kind];
    printf("%s(", info->name);
    bool any = false;
    for (unsigned i = 0; i < info->nfields; i++) any |= dump_field(d, n, i, indent, !any);
    if (n->kind == AST_Module) {
        printf(any ? "," : "");
        newline(indent + 1);
        printf("type_ignores=[]");
    }
    if (info->group != AST_GROUP_MOD && info->group != AST_GROUP_PART) {
        struct line_pos a = line_index_pos(&d->r->lines, n->start);
        struct line_pos b = line_index_pos(&d->r->lines, n->end);
        printf(any ? "," : "");
        newline(indent + 1);
        printf("lineno=%u,", (unsigned)a.line);
        newline(indent + 1);
        printf("col_offset=%u,", (unsigned)a.byte);
        newline(indent + 1);
        printf("end_lineno=%u,", (unsigned)b.line);
        newline(indent + 1);
        printf("end_col_offset=%u", (unsigned)b.byte);
    }
    printf(")");
}

static char *read_file(const char *name, size_t *len)
{
    FILE *f = strcmp(name, "-") ? fopen(name, "rb") : stdin;
    if (!f) return NULL;
    char *text = NULL;
    size_t cap = 0;
    *len = 0;
    do {
        if (*len == cap) text = realloc(text, cap = cap ? cap * 2 : 1 << 16);
        *len += fread(text + *len, 1, cap - *len, f);
    } while (text && *len == cap);
    fclose(f);
    return text;
}

int main(int argc, char **argv)
{
    struct dumper d = {.type_params = false};
    parse_mode mode = PARSE_FILE;
    bool quiet = false, position = false;
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "-2") == 0) d.type_params = true;
        else if (strcmp(argv[i], "-q") == 0) quiet = true;
        else if (strcmp(argv[i], "-p") == 0) position = true;
        else if (strcmp(argv[i], "-m") == 0 && i + 1 < argc)
            mode = argv[++i][0] == 'e' ? PARSE_EVAL : argv[i][0] == 's' ? PARSE_SINGLE : PARSE_FILE;
    }
    if (i >= argc) {
        fprintf(stderr, "usage: ast_dump [-2] [-q] [-p] [-m file|eval|single] FILE\n");
        return 2;
    }
    size_t len;
    char *text = read_file(argv[i], &len);
    if (!text) {
        perror(argv[i]);
        return 2;
    }
    arena a;
    arena_init(&a, NULL, NULL);
    struct parse_result r;
    parse_status status = parse_source(&a, text, len, argv[i], mode, 0, &r);
    for (const struct diag *w = r.warnings; w && position; w = w->next)
        printf("%s: %s @%u\n", diag_kind_name(w->kind), w->message, (unsigned)w->lineno);
    d.r = &r;
    if (status == PARSE_OK && !quiet) {
        dump(&d, r.module, 0);
        printf("\n");
    } else if (status == PARSE_ERROR) {
        printf("%s: %s @%u:%u-%u:%u\n", diag_kind_name(r.diag.kind), r.diag.message, (unsigned)r.diag.lineno,
               (unsigned)r.diag.offset, (unsigned)r.diag.end_lineno, (unsigned)r.diag.end_offset);
    } else if (status != PARSE_OK) {
        printf(status == PARSE_INCOMPLETE ? "incomplete\n" : "out of memory\n");
    }
    arena_free(&a);
    free(text);
    return status;
}
