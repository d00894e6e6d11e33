/* match statements.
 *
 * Each pattern tests one register and jumps to a label when it doesn't fit. What it captures goes
 * to temporaries first (one per name, below everything the pattern needs) and into the variables
 * when the whole pattern has matched; so the alternatives of an or-pattern need no agreement on
 * places.
 */
#include "compile.h"

enum { MAX_CAPTURES = 60 };

typedef struct matcher {
    unit *u;
    label fail;
    uint32_t n;
    struct {
        const ast_name *name;
        int reg;
    } captures[MAX_CAPTURES];
} matcher;

/* The captures of one pattern, for the checks. */
typedef struct capture_set {
    const ast_name **names;
    uint32_t n, cap;
} capture_set;

static void pattern(matcher *m, ast *p, int subject);

/* ---- checks ---- */

static bool add_name(compiler *c, capture_set *s, const ast_name *name, ast *at)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->names[i] != name) continue;
        comp_error_node(c, at, "multiple assignments to name '%s' in pattern", name->text);
        return false;
    }
    if (!COMP_ROOM(c, s->names, s->n, s->cap)) return false;
    s->names[s->n++] = name;
    return true;
}

static bool same_names(const capture_set *a, const capture_set *b)
{
    if (a->n != b->n) return false;
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t j = 0;
        while (j < b->n && b->names[j] != a->names[i]) j++;
        if (j == b->n) return false;
    }
    return true;
}

static bool irrefutable(const ast *p) { return p->kind == AST_MatchAs && !AST_AS(MatchAs, p)->pattern; }

static void refuse_unreachable(compiler *c, ast *p)
{
    const ast_name *name = AST_AS(MatchAs, p)->name;
    if (name) comp_error_node(c, p, "name capture '%s' makes remaining patterns unreachable", name->text);
    else comp_error_node(c, p, "wildcard makes remaining patterns unreachable");
}

static void check_all(compiler *c, ast_seq *patterns, capture_set *s);

/* last: nothing comes after this pattern, so it may match everything. */
static void check(compiler *c, ast *p, capture_set *s, bool last)
{
    if (c->failed || comp_too_deep(c)) return;
    switch (p->kind) {
    case AST_MatchAs:
        if (irrefutable(p) && !last) refuse_unreachable(c, p);
        if (AST_AS(MatchAs, p)->pattern) check(c, AST_AS(MatchAs, p)->pattern, s, last);
        if (AST_AS(MatchAs, p)->name) add_name(c, s, AST_AS(MatchAs, p)->name, p);
        break;
    case AST_MatchStar:
        if (AST_AS(MatchStar, p)->name) add_name(c, s, AST_AS(MatchStar, p)->name, p);
        break;
    case AST_MatchSequence: {
        ast_seq *ps = AST_AS(MatchSequence, p)->patterns;
        uint32_t stars = 0;
        for (uint32_t i = 0; i < ps->n; i++) stars += ps->items[i]->kind == AST_MatchStar;
        if (stars > 1) comp_error_node(c, p, "multiple starred names in sequence pattern");
        check_all(c, ps, s);
        break;
    }
    case AST_MatchMapping:
        check_all(c, AST_AS(MatchMapping, p)->patterns, s);
        if (AST_AS(MatchMapping, p)->rest) add_name(c, s, AST_AS(MatchMapping, p)->rest, p);
        break;
    case AST_MatchClass: {
        struct ast_MatchClass *k = AST_AS(MatchClass, p);
        for (uint32_t i = 0; i < k->kwd_attrs->n && !c->failed; i++) {
            for (uint32_t j = i + 1; j < k->kwd_attrs->n; j++) {
                if (k->kwd_attrs->items[i] != k->kwd_attrs->items[j]) continue;
                comp_error_node(c, k->kwd_patterns->items[j], "attribute name repeated in class pattern: %s",
                                k->kwd_attrs->items[j]->text);
                return;
            }
        }
        check_all(c, k->patterns, s);
        check_all(c, k->kwd_patterns, s);
        break;
    }
    case AST_MatchOr: {
        ast_seq *ps = AST_AS(MatchOr, p)->patterns;
        capture_set first = {0};
        for (uint32_t i = 0; i < ps->n && !c->failed; i++) {
            capture_set one = {0};
            check(c, ps->items[i], &one, last && i + 1 == ps->n);
            if (i == 0) first = one;
            else if (!c->failed && !same_names(&first, &one))
                comp_error_node(c, p, "alternative patterns bind different names");
        }
        for (uint32_t i = 0; i < first.n && !c->failed; i++) add_name(c, s, first.names[i], p);
        break;
    }
    default: break;
    }
}

static void check_all(compiler *c, ast_seq *patterns, capture_set *s)
{
    for (uint32_t i = 0; i < patterns->n; i++) check(c, patterns->items[i], s, true);
}

/* ---- code ---- */

static void capture_name(matcher *m, const ast_name *name, int src)
{
    for (uint32_t i = 0; i < m->n; i++) {
        if (m->captures[i].name == name) {
            emit_move(m->u, m->captures[i].reg, src);
            return;
        }
    }
}

static void patterns_at(matcher *m, ast_seq *ps, uint32_t from, uint32_t n, int base)
{
    for (uint32_t i = 0; i < n && !m->u->c->failed; i++) pattern(m, ps->items[from + i], base + (int)i);
}

static bool is_wildcard(const ast *p)
{
    return (p->kind == AST_MatchAs && !AST_AS(MatchAs, p)->pattern && !AST_AS(MatchAs, p)->name) ||
           (p->kind == AST_MatchStar && !AST_AS(MatchStar, p)->name);
}

static void match_value(matcher *m, ast *val, int subject)
{
    unit *u = m->u;
    int mark = u->top, r = expr_last(u, val);
    u->top = mark;
    emit_branch(u, OP_JFEQ, subject, r, m->fail);
}

static void match_singleton(matcher *m, struct ast_MatchSingleton *p, int subject)
{
    unit *u = m->u;
    int t = temp(u);
    if (p->value.kind == AST_CONST_NONE) {
        emit_branch(u, OP_JNOTNONE, subject, 0, m->fail);
        return;
    }
    emit_value(u, value_bool(p->value.kind == AST_CONST_TRUE), t);
    emit(u, OP_IS, t, subject, t);
    emit_branch(u, OP_JF, t, 0, m->fail);
}

/* The items of interest one by one, when the star takes nothing that is kept. */
static void match_items(matcher *m, ast_seq *ps, uint32_t star, int subject, int len)
{
    unit *u = m->u;
    for (uint32_t i = 0; i < ps->n && !u->c->failed; i++) {
        if (is_wildcard(ps->items[i]) || i == star) continue;
        int t = temp(u);
        if (i < star && i < 128) {
            emit(u, OP_GETITEMI, t, subject, (int)i);
        } else {
            if (i < star) emit_i(u, t, (int)i);
            else if (ps->n - i < 128) emit(u, OP_SUBI, t, len, (int)(ps->n - i));
            else {
                emit_i(u, t, (int)(ps->n - i));
                emit(u, OP_SUB, t, len, t);
            }
            emit(u, OP_GETITEM, t, subject, t);
        }
        temp_push(u, 1);
        pattern(m, ps->items[i], t);
        u->top = t;
    }
}

static void match_sequence(matcher *m, struct ast_MatchSequence *p, int subject)
{
    unit *u = m->u;
    ast_seq *ps = p->patterns;
    uint32_t n = ps->n, star = n;
    bool only_wild = true;
    for (uint32_t i = 0; i < n; i++) {
        if (ps->items[i]->kind == AST_MatchStar) star = i;
        only_wild = only_wild && is_wildcard(ps->items[i]);
    }
    if (n > 30000) {
        comp_error_node(u->c, &p->base, "too many sub-patterns in sequence pattern");
        return;
    }
    int mark = u->top, t = temp(u);
    emit(u, OP_MATCHSEQ, t, subject, 0);
    emit_branch(u, OP_JF, t, 0, m->fail);
    uint32_t need = star < n ? n - 1 : n;
    if (star == n || need > 0) {
        emit(u, OP_GETLEN, t, subject, 0);
        temp_push(u, 1);
        emit_i(u, temp(u), (int)need);
        emit_branch(u, star < n ? OP_JFGE : OP_JFEQ, t, u->top, m->fail);
    }
    if (only_wild) {
        u->top = mark;
        return;
    }
    if (star < n && is_wildcard(ps->items[star])) {
        match_items(m, ps, star, subject, t);
        u->top = mark;
        return;
    }
    if (n > (uint32_t)window_room(u)) {
        comp_error_node(u->c, &p->base, "too many sub-patterns in sequence pattern");
        return;
    }
    u->top = mark;
    if (star == n) {
        emit(u, OP_UNPACK, mark, subject, (int)n);
    } else {
        emit(u, OP_UNPACKEX, mark, subject, 0);
        emit_word(u, star | (n - star - 1) << 16);
    }
    u->top = mark + (int)n;
    patterns_at(m, ps, 0, n, mark);
    u->top = mark;
}

static bool check_keys(compiler *c, struct ast_MatchMapping *p)
{
    for (uint32_t i = 0; i < p->keys->n; i++) {
        if (!is_const(p->keys->items[i])) continue;
        value a = const_of(c, p->keys->items[i]);
        for (uint32_t j = 0; j < i && !c->failed; j++) {
            if (!is_const(p->keys->items[j])) continue;
            value b = const_of(c, p->keys->items[j]);
            if (c->failed || obj_equal(c->vm, a, b) != 1) continue;
            comp_error_node(c, &p->base, "mapping pattern checks duplicate key (%R)", a);
            return false;
        }
    }
    return !c->failed;
}

static void match_mapping(matcher *m, struct ast_MatchMapping *p, int subject)
{
    unit *u = m->u;
    uint32_t n = p->keys->n;
    int mark = u->top, t = temp(u);
    if (n > (uint32_t)window_room(u)) {
        comp_error_node(u->c, &p->base, "too many sub-patterns in mapping pattern");
        return;
    }
    if (!check_keys(u->c, p)) return;
    emit(u, OP_MATCHMAP, t, subject, 0);
    emit_branch(u, OP_JF, t, 0, m->fail);
    if (n == 0 && !p->rest) return;
    int keys = mark;
    if (n) {
        emit(u, OP_GETLEN, t, subject, 0);
        temp_push(u, 1);
        emit_i(u, temp(u), (int)n);
        emit_branch(u, OP_JFGE, t, u->top, m->fail);
        u->top = mark;
    }
    expr_tuple(u, p->keys, keys);
    u->top = keys + 1;
    int values = u->top;
    emit(u, OP_MATCHKEYS, values, subject, keys);
    emit_branch(u, OP_JNONE, values, 0, m->fail);
    emit(u, OP_UNPACK, values, values, (int)n);
    u->top = values + (int)n;
    patterns_at(m, p->patterns, 0, n, values);
    if (p->rest) { /* a copy of the mapping without the keys */
        u->top = values;
        emit(u, OP_DICT, values, values, 0);
        u->top = values + 1;
        emit(u, OP_DICTUPDATE, values, subject, 0);
        int k = u->top;
        emit(u, OP_UNPACK, k, keys, (int)n);
        u->top = k + (int)n;
        for (uint32_t i = 0; i < n; i++) emit(u, OP_DELITEM, values, k + (int)i, 0);
        capture_name(m, p->rest, values);
    }
    u->top = mark;
}

static void match_class(matcher *m, struct ast_MatchClass *p, int subject)
{
    unit *u = m->u;
    compiler *c = u->c;
    uint32_t np = p->patterns->n, nk = p->kwd_attrs->n;
    int mark = u->top;
    if (np + nk > (uint32_t)window_room(u)) {
        comp_error_node(c, &p->base, "too many sub-patterns in class pattern %s",
                        p->cls->kind == AST_Name ? AST_AS(Name, p->cls)->id->text : "");
        return;
    }
    int cls = expr_last(u, p->cls);
    tuple *names = c->failed ? NULL : tuple_new(c->vm, nk);
    if (!names) {
        c->failed = true;
        return;
    }
    for (uint32_t i = 0; i < nk; i++) {
        str *s = comp_name(c, p->kwd_attrs->items[i]);
        if (!s) return;
        names->items[i] = value_obj(s);
    }
    uint32_t k = const_index(u, comp_intern(c, value_obj(names)));
    u->top = mark;
    emit(u, OP_MATCHCLASS, mark, subject, cls);
    emit_word(u, np);
    emit_word(u, k);
    emit_branch(u, OP_JNONE, mark, 0, m->fail);
    emit(u, OP_UNPACK, mark, mark, (int)(np + nk));
    u->top = mark + (int)(np + nk);
    patterns_at(m, p->patterns, 0, np, mark);
    patterns_at(m, p->kwd_patterns, 0, nk, mark + (int)np);
    u->top = mark;
}

static void match_or(matcher *m, struct ast_MatchOr *p, int subject)
{
    unit *u = m->u;
    label done = label_new(u), fail = m->fail;
    for (uint32_t i = 0; i < p->patterns->n && !u->c->failed; i++) {
        bool last = i + 1 == p->patterns->n;
        label next = last ? fail : label_new(u);
        m->fail = next;
        pattern(m, p->patterns->items[i], subject);
        if (last) break;
        emit_jump(u, done);
        label_bind(u, next);
    }
    m->fail = fail;
    label_bind(u, done);
}

static void pattern(matcher *m, ast *p, int subject)
{
    unit *u = m->u;
    if (u->c->failed || comp_too_deep(u->c)) return;
    span old = unit_at(u, p);
    int top = u->top;
    switch (p->kind) {
    case AST_MatchValue: match_value(m, AST_AS(MatchValue, p)->value, subject); break;
    case AST_MatchSingleton: match_singleton(m, AST_AS(MatchSingleton, p), subject); break;
    case AST_MatchSequence: match_sequence(m, AST_AS(MatchSequence, p), subject); break;
    case AST_MatchMapping: match_mapping(m, AST_AS(MatchMapping, p), subject); break;
    case AST_MatchClass: match_class(m, AST_AS(MatchClass, p), subject); break;
    case AST_MatchOr: match_or(m, AST_AS(MatchOr, p), subject); break;
    case AST_MatchStar:
        if (AST_AS(MatchStar, p)->name) capture_name(m, AST_AS(MatchStar, p)->name, subject);
        break;
    case AST_MatchAs:
        if (AST_AS(MatchAs, p)->pattern) pattern(m, AST_AS(MatchAs, p)->pattern, subject);
        if (AST_AS(MatchAs, p)->name) capture_name(m, AST_AS(MatchAs, p)->name, subject);
        break;
    default: comp_unsupported(u->c, p, "this pattern"); break;
    }
    u->top = top;
    u->at = old;
}

static void match_case(unit *u, struct ast_match_case *k, int subject, label end, bool last)
{
    matcher m = {.u = u, .fail = label_new(u)};
    capture_set names = {0};
    int mark = u->top;
    check(u->c, k->pattern, &names, last || k->guard);
    if (names.n > MAX_CAPTURES) comp_error_node(u->c, k->pattern, "too many names in one pattern");
    if (u->c->failed) return;
    u->at = node_span(k->pattern);
    if (irrefutable(k->pattern)) {
        if (names.n) name_store(u, unit_name(u, names.names[0]), subject);
    } else {
        for (uint32_t i = 0; i < names.n; i++) {
            m.captures[i].name = names.names[i];
            m.captures[i].reg = temp(u);
            emit(u, OP_LOADNONE, u->top, 0, 0);
            temp_push(u, 1);
        }
        m.n = names.n;
        pattern(&m, k->pattern, subject);
        for (uint32_t i = 0; i < m.n; i++) name_store(u, unit_name(u, m.captures[i].name), m.captures[i].reg);
    }
    u->top = mark;
    if (k->guard) cond(u, k->guard, false, m.fail);
    stmt_body(u, k->body);
    emit_jump(u, end);
    label_bind(u, m.fail);
}

void match_stmt(unit *u, struct ast_Match *s)
{
    int mark = u->top, subject = expr_push(u, s->subject);
    label end = label_new(u);
    for (uint32_t i = 0; i < s->cases->n && !u->c->failed; i++) {
        struct ast_match_case *k = AST_AS(match_case, s->cases->items[i]);
        u->top = subject + 1;
        match_case(u, k, subject, end, i + 1 == s->cases->n);
    }
    label_bind(u, end);
    u->top = mark;
}
