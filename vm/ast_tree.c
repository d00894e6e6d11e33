/* The module _ast: syntax trees as nested tuples, which the script half makes objects of.
 *
 * A node is (name, line, column, last line, end column, field, ...), the columns in bytes and all four 0 for nodes
 * without a position; a field is a node, a list, a text, a constant, an int or None. Nothing here runs script. */
#include "compile.h"
#include "list.h"
#include "str.h"

#define DOC_FILE vm_ast_tree
DOC_BEGIN;

struct converter {
    vm *vm;
    const struct parse_result *r;
};

static value convert(const struct converter *c, const ast *n);

static value text(vm *vm, const char *s) { return value_obj(str_intern_utf8(vm, s, strlen(s))); }
static value name_text(vm *vm, const ast_name *n)
{
    return n ? value_obj(str_intern_utf8(vm, n->text, n->len)) : V_NONE;
}

static value convert_seq(const struct converter *c, const ast_seq *s)
{
    list *l = list_new(c->vm, s->n);
    for (uint32_t i = 0; l && i < s->n; i++) {
        value v = s->items[i] ? convert(c, s->items[i]) : V_NONE;
        if (value_is_error(v) || !list_push(c->vm, l, v)) return V_ERROR;
    }
    return value_obj(l);
}

static value convert_field(const struct converter *c, const ast *n, unsigned i, uint8_t type)
{
    vm *vm = c->vm;
    void *at = ast_field_at(n, i);
    switch ((ast_field_type)type) {
    case AST_FIELD_NODE:
    case AST_FIELD_OPT: {
        const ast *child = *(ast **)at;
        return child ? convert(c, child) : V_NONE;
    }
    case AST_FIELD_SEQ:
    case AST_FIELD_OPTSEQ: return convert_seq(c, *(ast_seq **)at);
    case AST_FIELD_ID:
    case AST_FIELD_OPTID: return name_text(vm, *(const ast_name **)at);
    case AST_FIELD_IDS: {
        const ast_ids *ids = *(ast_ids **)at;
        list *l = list_new(vm, ids->n);
        for (uint32_t k = 0; l && k < ids->n; k++)
            if (!list_push(vm, l, name_text(vm, ids->items[k]))) return V_ERROR;
        return value_obj(l);
    }
    case AST_FIELD_OP: return text(vm, ast_op_names[*(int32_t *)at]);
    case AST_FIELD_OPS: {
        const ast_ops *ops = *(ast_ops **)at;
        list *l = list_new(vm, ops->n);
        for (uint32_t k = 0; l && k < ops->n; k++)
            if (!list_push(vm, l, text(vm, ast_op_names[ops->items[k]]))) return V_ERROR;
        return value_obj(l);
    }
    case AST_FIELD_CTX: return text(vm, ast_ctx_names[*(int32_t *)at]);
    case AST_FIELD_INT:
    case AST_FIELD_BOOL: return value_int(*(int32_t *)at);
    case AST_FIELD_CONST: {
        const struct ast_const *k = at;
        value v = ast_const_value(vm, k);
        return value_is_error(v) ? v : value_obj(tuple_pack(vm, 2, v, k->u ? text(vm, "u") : V_NONE));
    }
    }
    return V_NONE;
}

static value convert(const struct converter *c, const ast *n)
{
    vm *vm = c->vm;
    if ((uintptr_t)__builtin_frame_address(0) < vm->thread->c_stack_low)
        return raise(vm, EXC_RecursionError, "maximum recursion depth exceeded during ast construction");
    const struct ast_info *info = &ast_infos[n->kind];
    tuple *t = tuple_new(vm, 5 + (size_t)info->nfields);
    if (!t) return V_ERROR;
    if (value_is_error(t->items[0] = text(vm, info->name))) return V_ERROR;
    for (int i = 1; i < 5; i++) t->items[i] = value_int(0);
    if (info->group != AST_GROUP_MOD && info->group != AST_GROUP_PART) {
        struct line_pos from = line_index_pos(&c->r->lines, n->start);
        struct line_pos to = line_index_pos(&c->r->lines, n->end);
        t->items[1] = value_int(from.line);
        t->items[2] = value_int(from.byte);
        t->items[3] = value_int(to.line);
        t->items[4] = value_int(to.byte);
    }
    for (unsigned i = 0; i < info->nfields; i++) {
        value v = convert_field(c, n, i, info->fields[i].type);
        if (value_is_error(v)) return V_ERROR;
        t->items[5 + i] = v;
    }
    return value_obj(t);
}

static METHOD(a_parse)
{
    static const char *const modes[] = {"exec", "eval", "single"};
    static const parse_mode kinds[] = {PARSE_FILE, PARSE_EVAL, PARSE_SINGLE};
    if (!IS_STR(args[0]) || !IS_STR(args[1])) return raise_type_error(vm, "parse() takes two strs");
    int mode = -1;
    for (int i = 0; i < 3; i++)
        if (str_equal_ascii(AS(str, args[1]), modes[i])) mode = i;
    if (mode < 0) return raise_value_error(vm, "compile() mode must be 'exec', 'eval', 'single' or 'func_type'");
    size_t n;
    const char *source = str_utf8(vm, str_plain(AS(str, args[0])), &n);
    if (!source) return V_ERROR;
    arena a;
    struct parse_result r;
    value tree = V_NONE;
    arena_init(&a, vm->alloc_fn, vm->alloc_ud);
    if (parse_source(&a, source, n, "<unknown>", kinds[mode], PARSE_IS_TEXT, &r) == PARSE_OK)
        tree = convert(&(struct converter){vm, &r}, r.module);
    arena_free(&a);
    return tree;
}

static METHOD(a_nodes)
{
    (void)args;
    list *all = list_new(vm, AST_COUNT);
    for (int k = AST_NONE + 1; all && k < AST_COUNT; k++) {
        const struct ast_info *info = &ast_infos[k];
        tuple *fields = tuple_new(vm, info->nfields), *types = tuple_new(vm, info->nfields);
        if (!fields || !types) return V_ERROR;
        for (unsigned i = 0; i < info->nfields; i++) {
            fields->items[i] = text(vm, info->fields[i].name);
            types->items[i] = value_int(info->fields[i].type);
        }
        tuple *t = tuple_pack(vm, 4, text(vm, info->name), value_int(info->group), value_obj(fields), value_obj(types));
        if (!t || !list_push(vm, all, value_obj(t))) return V_ERROR;
    }
    return value_obj(all);
}

static METHOD(a_operators)
{
    (void)args;
    list *all = list_new(vm, AST_OP_COUNT);
    for (int i = 0; all && i < AST_OP_COUNT; i++) {
        tuple *t = tuple_pack(vm, 2, text(vm, ast_op_names[i]), text(vm, ast_op_texts[i]));
        if (!t || !list_push(vm, all, value_obj(t))) return V_ERROR;
    }
    return value_obj(all);
}

static const native_def functions[] = {
    {"parse(source, mode, /)", a_parse, DOC("The tree of a source as nested tuples; None: it is wrong."), 0},
    {"nodes()", a_nodes, DOC("(name, group, fields, types of fields) of all nodes."), 0},
    {"operators()", a_operators, DOC("(name, spelling) of all operators."), 0},
    {0},
};

bool ast_module_init(vm *vm, module *m);
bool ast_module_init(vm *vm, module *m) { return module_add_natives(vm, m, functions); }
