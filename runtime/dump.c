/* What all tasks of a VM do, as text: for Ctrl-\, `aio ps`, the deadlock report, the REPL.
 *
 * The objects that tasks wait for are shown by their repr, which may run script: everything held across is rooted, and
 * the graph is walked before or after, never meanwhile.
 */
#include "runtime/graph.h"
#include "vm/list.h"
#include "vm/str.h"

/* ---- one task ---- */

static str *name_text(vm *vm, task *t)
{
    str *name = task_name(vm, t);
    return name ? str_repr(vm, name) : NULL;
}

static str *subject_text(vm *vm, const wait_state *w)
{
    value on = w->on;
    if (w->kind == WAIT_TASK) {
        str *name = name_text(vm, AS(task, on));
        return name ? str_format(vm, "task %U", value_obj(name)) : NULL;
    }
    if (w->kind == WAIT_TIMER)
        return w->method ? str_format(vm, "%U()", value_obj(w->method)) : str_from_cstr(vm, "a timer()");
    if (value_is_kind(on, K_FUTURE) && (AS(future, on)->h.flags & FUT_GATHER)) return str_from_cstr(vm, "gather()");
    str *text = obj_repr(vm, on);
    return !text || w->kind != WAIT_OBJECT ? text : str_format(vm, "%U of %U", value_obj(w->method), value_obj(text));
}

str *wait_text(vm *vm, task *t)
{
    wait_state w = graph_wait(vm, t);
    ROOTS(vm, &t, &w.on, &w.holder, &w.method);
    if (w.kind == WAIT_RUNNING) return str_from_cstr(vm, "runs");
    if (future_state(&t->f) != FUT_PENDING) return str_from_cstr(vm, "has ended"); /* and holds a lock, say */
    if (w.kind == WAIT_READY) return str_from_cstr(vm, "is ready to run");
    str *subject = subject_text(vm, &w);
    if (!subject) return NULL;
    ROOTS(vm, &subject);
    str *holder = value_is_kind(w.holder, K_TASK) ? name_text(vm, AS(task, w.holder)) : NULL;
    if (!holder) return raised(vm) ? NULL : str_format(vm, "waits for %U", value_obj(subject));
    bool queue = str_equal_ascii(w.method, "join"); /* of a queue: the items that are not done */
    return str_format(vm, "waits for %U, %s by task %U", value_obj(subject), queue ? "last taken" : "held",
                      value_obj(holder));
}

/* ---- the await stack ---- */

typedef bool (*frame_fn)(vm *vm, frame *f, uint32_t line, void *ud);

/* The script frames of a task, outermost first; fn runs no script. */
static bool each_frame(vm *vm, task *t, frame_fn fn, void *ud)
{
    frame *f = t->coro;
    while (f) {
        if (!(f->code->flags & CODE_NATIVE)) {
            uint32_t pc = (uint32_t)(f->pc - f->code->insns);
            uint32_t line = pc ? code_line(f->code, pc) : f->code->firstlineno;
            if (!fn(vm, f, line, ud)) return false;
        }
        value c = frame_child(f);
        f = value_is_kind(c, K_FRAME) ? AS(frame, c) : NULL;
    }
    return true;
}

static bool stack_line(vm *vm, frame *f, uint32_t line, void *ud)
{
    str_builder *b = ud;
    str *s = str_format(vm, "    File \"%U\", line %d, in %U\n", value_obj(f->code->filename), (int)line,
                        value_obj(f->code->qualname));
    if (!s) return false;
    sb_str(b, s);
    str *src = source_line(vm, f->code->filename, line);
    if (!src) return false;
    size_t indent = 0;
    while (indent < src->len && (str_at(src, indent) == ' ' || str_at(src, indent) == '\t')) indent++;
    src = str_substr(vm, src, indent, src->len);
    if (!src) return false;
    if (src->len) {
        sb_cstr(b, "      ");
        sb_str(b, src);
        sb_cstr(b, "\n");
    }
    return true;
}

static bool put_created(vm *vm, str_builder *b, task *t, const char *before, const char *after)
{
    str *created = task_created(vm, t);
    if (!created) return false;
    if (!created->len) return true;
    sb_cstr(b, before);
    sb_str(b, created);
    sb_cstr(b, after);
    return true;
}

static bool put_stacks(vm *vm, str_builder *b, task *t)
{
    str *wait = wait_text(vm, t);
    if (!wait) return false;
    ROOTS(vm, &wait);
    str *head = name_text(vm, t);
    head = head ? str_format(vm, "task %U %U\n", value_obj(head), value_obj(wait)) : NULL;
    if (!head) return false;
    sb_str(b, head);
    return put_created(vm, b, t, "  created at ", "\n") && each_frame(vm, t, stack_line, b);
}

/* ---- JSON ---- */

static void json_text(str_builder *b, const str *s)
{
    static const char hex[] = "0123456789abcdef";
    sb_char(b, '"');
    for (size_t i = 0; i < s->len; i++) {
        uint32_t c = str_at(s, i);
        if (c == '"' || c == '\\') {
            sb_char(b, '\\');
            sb_char(b, c);
        } else if (c < 0x20 || (c >= 0xd800 && c < 0xe000)) {
            sb_cstr(b, "\\u");
            for (int shift = 12; shift >= 0; shift -= 4) sb_char(b, (uint8_t)hex[c >> shift & 15]);
        } else {
            sb_char(b, c);
        }
    }
    sb_char(b, '"');
}

static bool json_field(str_builder *b, const char *key, const str *s)
{
    if (!s) return false;
    sb_cstr(b, ", \"");
    sb_cstr(b, key);
    sb_cstr(b, "\": ");
    json_text(b, s);
    return true;
}

struct json_stack {
    str_builder *b;
    size_t n;
};
static bool json_frame(vm *vm, frame *f, uint32_t line, void *ud)
{
    struct json_stack *st = ud;
    str *s = str_format(vm, ", \"line\": %d}", (int)line);
    if (!s) return false;
    sb_cstr(st->b, st->n++ ? ", {\"function\": " : "{\"function\": ");
    json_text(st->b, f->code->qualname);
    json_field(st->b, "file", f->code->filename);
    sb_str(st->b, s);
    return true;
}

static bool put_json(vm *vm, str_builder *b, task *t, list *awaiters)
{
    static const char *const states[] = {"ready", "running", "waiting", "waiting", "waiting", "waiting"};
    wait_state w = graph_wait(vm, t);
    ROOTS(vm, &w.on, &w.holder, &w.method, &awaiters);
    sb_cstr(b, "{\"name\": ");
    str *s = task_name(vm, t);
    if (!s) return false;
    json_text(b, s);
    if (!json_field(b, "state", str_from_cstr(vm, states[w.kind]))) return false;
    if (w.kind >= WAIT_TASK && !json_field(b, "waits_for", subject_text(vm, &w))) return false;
    if (value_is_kind(w.holder, K_TASK) && !json_field(b, "held_by", task_name(vm, AS(task, w.holder)))) return false;
    if (!json_field(b, "created", task_created(vm, t))) return false;
    sb_cstr(b, ", \"stack\": [");
    struct json_stack st = {b, 0};
    if (!each_frame(vm, t, json_frame, &st)) return false;
    sb_cstr(b, "], \"awaited_by\": [");
    bool first = true;
    for (size_t i = 0; i < awaiters->len; i++) {
        if (!value_is_kind(awaiters->items[i], K_TASK)) continue;
        str *name = task_name(vm, AS(task, awaiters->items[i]));
        if (!name) return false;
        if (!first) sb_cstr(b, ", ");
        first = false;
        json_text(b, name);
    }
    sb_cstr(b, "]}");
    return true;
}

/* ---- a table, a tree ---- */

static str *where_text(vm *vm, task *t) { return t->coro ? frame_place(vm, t->coro) : vm->empty_str; }

/* name, what it does, where, created: padded columns. */
static str *table_text(vm *vm, list *tasks)
{
    static const char *const heads[] = {"TASK", "STATE", "AT", "CREATED AT"};
    enum { COLUMNS = 4 };
    size_t width[COLUMNS];
    list *cells = list_new(vm, tasks->len * COLUMNS);
    if (!cells) return NULL;
    ROOTS(vm, &tasks, &cells);
    for (size_t c = 0; c < COLUMNS; c++) width[c] = strlen(heads[c]);
    for (size_t i = 0; i < tasks->len; i++) {
        task *t = AS(task, tasks->items[i]);
        for (size_t c = 0; c < COLUMNS; c++) {
            str *s = c == 0   ? task_name(vm, t)
                     : c == 1 ? wait_text(vm, t)
                     : c == 2 ? where_text(vm, t)
                              : task_created(vm, t);
            if (!s || !list_append(vm, cells, value_obj(s))) return NULL;
            if (s->len > width[c]) width[c] = s->len;
        }
    }
    str_builder b;
    sb_init(&b, vm);
    for (size_t row = 0; row <= tasks->len; row++) {
        for (size_t c = 0; c < COLUMNS; c++) {
            size_t len;
            if (row) {
                str *s = AS(str, cells->items[(row - 1) * COLUMNS + c]);
                sb_str(&b, s);
                len = s->len;
            } else {
                sb_cstr(&b, heads[c]);
                len = strlen(heads[c]);
            }
            if (c + 1 < COLUMNS)
                for (; len < width[c] + 2; len++) sb_char(&b, ' ');
        }
        sb_char(&b, '\n');
    }
    return sb_finish(&b);
}

/* One line of the tree: how deep, the task, and whether it was shown before. */
typedef struct branch {
    uint32_t depth;
    bool last, again;
} branch;

/* The tasks in the order of the tree, its shape in *shape (as many as tasks in the result, `cap` at most). Runs no
 * script. */
static list *tree_order(vm *vm, list *tasks, branch *shape, size_t cap)
{
    enum { MAX_DEPTH = 200 };
    graph *g = graph_new(vm, tasks);
    size_t n = runtime_of(vm)->ntasks + 1;
    uint8_t *state = g ? mem_zalloc(vm, n) : NULL; /* 1: waited for by some other task, 2: shown */
    struct {
        task *t;
        size_t next;
    } path[MAX_DEPTH];
    list *out = state ? list_new(vm, tasks->len) : NULL;
    for (size_t i = 0; out && i < tasks->len; i++) {
        task *t = AS(task, tasks->items[i]), *by;
        for (size_t k = 0; (by = graph_blocker(vm, g, t, k)); k++)
            if (by != t) state[by->index] |= 1;
    }
    /* Roots first; what is left then is in cycles. */
    for (int round = 0; out && round < 2; round++) {
        for (size_t i = 0; out && i < tasks->len; i++) {
            task *t = AS(task, tasks->items[i]);
            if ((state[t->index] & 2) || (round == 0 && (state[t->index] & 1))) continue;
            size_t depth = 0;
            for (;;) {
                if (out->len == cap) break;
                bool again = state[t->index] & 2;
                shape[out->len] = (branch){(uint32_t)depth, false, again};
                if (!list_append(vm, out, value_obj(t))) {
                    out = NULL;
                    break;
                }
                state[t->index] |= 2;
                if (!again && depth < MAX_DEPTH) {
                    path[depth].t = t;
                    path[depth++].next = 0;
                }
                task *next = NULL;
                while (depth && !(next = graph_blocker(vm, g, path[depth - 1].t, path[depth - 1].next++))) depth--;
                if (!next) break;
                t = next;
            }
        }
    }
    if (state) mem_free(vm, state, n);
    graph_free(vm, g);
    return out;
}

static void mark_last(branch *shape, size_t n)
{
    /* Going backwards: the last of its siblings is the one after which no other of its depth comes before a shallower
     * one. */
    bool open[256] = {false};
    for (size_t i = n; i-- > 0;) {
        uint32_t d = shape[i].depth < 255 ? shape[i].depth : 255;
        shape[i].last = !open[d];
        open[d] = true;
        for (uint32_t k = d + 1; k < 256 && open[k]; k++) open[k] = false;
    }
}

static str *tree_text(vm *vm, list *tasks)
{
    size_t cap = tasks->len * 4 + 16, bytes;
    if (!size_mul(cap, sizeof(branch), &bytes)) return raise_memory(vm), NULL;
    branch *shape = mem_alloc(vm, bytes);
    if (!shape) return NULL;
    list *order = tree_order(vm, tasks, shape, cap);
    str_builder b;
    sb_init(&b, vm);
    bool ok = order != NULL, bar[256] = {false};
    ROOTS(vm, &order);
    if (ok) mark_last(shape, order->len);
    for (size_t i = 0; ok && i < order->len; i++) {
        task *t = AS(task, order->items[i]);
        uint32_t depth = shape[i].depth < 255 ? shape[i].depth : 255;
        for (uint32_t k = 1; k < depth; k++) sb_cstr(&b, bar[k] ? "|  " : "   ");
        if (depth) sb_cstr(&b, shape[i].last ? "`- " : "|- ");
        bar[depth] = !shape[i].last;
        str *s = task_name(vm, t);
        if (!(ok = s != NULL)) break;
        sb_str(&b, s);
        if (shape[i].again) {
            sb_cstr(&b, " (above)\n");
            continue;
        }
        sb_cstr(&b, " ");
        s = wait_text(vm, t);
        if (!(ok = s != NULL)) break;
        sb_str(&b, s);
        s = where_text(vm, t);
        if (!(ok = s != NULL)) break;
        if (s->len) {
            sb_cstr(&b, ", at ");
            sb_str(&b, s);
        }
        sb_char(&b, '\n');
    }
    mem_free(vm, shape, bytes);
    if (ok) return sb_finish(&b);
    sb_drop(&b);
    return NULL;
}

/* ---- all of them ---- */

str *dump_tasks(vm *vm, enum dump_format format)
{
    list *tasks = all_tasks_list(vm, NULL);
    if (!tasks) return NULL;
    ROOTS(vm, &tasks);
    if (format == DUMP_TABLE) return table_text(vm, tasks);
    if (format == DUMP_TREE) return tree_text(vm, tasks);
    str_builder b;
    sb_init(&b, vm);
    bool ok = true;
    if (format == DUMP_JSON) {
        sb_char(&b, '[');
    } else {
        str *s = str_format(vm, tasks->len == 1 ? "%zu task\n" : "%zu tasks\n", tasks->len);
        if ((ok = s != NULL)) sb_str(&b, s);
    }
    for (size_t i = 0; ok && i < tasks->len; i++) {
        task *t = AS(task, tasks->items[i]);
        if (format == DUMP_JSON) {
            if (i) sb_cstr(&b, ",\n ");
            list *awaiters = graph_awaiting_tasks(vm, t);
            ok = awaiters && put_json(vm, &b, t, awaiters);
        } else {
            ok = put_stacks(vm, &b, t);
        }
    }
    if (format == DUMP_JSON) sb_cstr(&b, "]\n");
    if (ok) return sb_finish(&b);
    sb_drop(&b);
    return NULL;
}
