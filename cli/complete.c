/* complete.c: what could stand at the cursor: context.c says where it is, the module _repl what there is. */
#include "cli/complete.h"

#include "cli/context.h"
#include "vm/list.h"
#include "vm/str.h"

#include <stdlib.h>
#include <string.h>

static value text_value(vm *vm, const char *text, struct text_span s)
{
    str *t = str_new_utf8(vm, text + s.from, s.to - s.from);
    return t ? value_obj(t) : V_ERROR;
}

/* Looking must not disturb: what goes wrong is forgotten. */
static value ask(session *s, const char *function, value *args, uint32_t n)
{
    vm *vm = s->vm;
    for (uint32_t i = 0; i < n; i++) {
        if (value_is_error(args[i])) {
            exc_clear(vm);
            return V_ERROR;
        }
    }
    ROOT_SPAN(vm, args, n);
    str *name = str_intern_utf8(vm, function, strlen(function));
    value f = name ? obj_getattr(vm, s->helper, name) : V_ERROR;
    value v = value_is_error(f) ? f : vm_call(vm, f, args, n);
    if (value_is_error(v)) exc_clear(vm);
    return v;
}

void complete_at(session *s, const char *text, size_t cursor, struct completions *out)
{
    static const char *const kinds[] = {
        [CONTEXT_NAME] = "name",
        [CONTEXT_ATTRIBUTE] = "attribute",
        [CONTEXT_MODULE] = "module",
        [CONTEXT_FROM_IMPORT] = "from",
    };
    vm *vm = s->vm;
    struct context c;
    context_at(text, cursor, &c);
    if (c.kind == CONTEXT_NONE) return;
    str *kind = str_from_cstr(vm, kinds[c.kind]);
    value args[5] = {kind ? value_obj(kind) : V_ERROR, text_value(vm, text, c.typed), text_value(vm, text, c.base),
                     text_value(vm, text, c.callee), value_obj(s->main)};
    value found = ask(s, "complete", args, 5);
    if (!IS_LIST(found)) return;
    list *l = AS(list, found);
    out->from = c.typed.from;
    out->items = calloc(l->len + 1, sizeof *out->items);
    for (size_t i = 0; out->items != NULL && i < l->len; i++) {
        size_t n;
        const char *p = IS_STR(l->items[i]) ? str_utf8(vm, AS(str, l->items[i]), &n) : NULL;
        char *item = p ? strdup(p) : NULL;
        if (item != NULL) out->items[out->n++] = item;
    }
    if (raised(vm)) exc_clear(vm);
}

void complete_hint(session *s, const char *text, size_t cursor, char *line, size_t room)
{
    vm *vm = s->vm;
    struct context c;
    line[0] = 0;
    context_at(text, cursor, &c);
    if (c.callee.from == c.callee.to) return;
    value args[2] = {text_value(vm, text, c.callee), value_obj(s->main)};
    value found = ask(s, "hint", args, 2);
    size_t n;
    const char *p = IS_STR(found) ? str_utf8(vm, AS(str, found), &n) : NULL;
    if (p == NULL) {
        if (raised(vm)) exc_clear(vm);
        return;
    }
    n = strcspn(p, "\n");
    if (n >= room) n = room - 1;
    while (n > 0 && ((unsigned char)p[n] & 0xC0) == 0x80) n--;
    memcpy(line, p, n);
    line[n] = 0;
}
