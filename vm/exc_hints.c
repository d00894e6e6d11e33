/* "Did you mean: 'x'?": the known name that is nearest to the one in a NameError or AttributeError, by CPython 3.11's
 * measure: an edit distance in which a change of case costs half as much, and at most a third of the letters differ. */
#include "exception.h"
#include "dict.h"
#include "frame.h"
#include "list.h"
#include "native.h"
#include "str.h"

enum { MOVE_COST = 2, CASE_COST = 1, NAME_MAX_LEN = 40, CANDIDATES_MAX = 750 };

static size_t min2(size_t a, size_t b) { return a < b ? a : b; }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static size_t replace_cost(char a, char b)
{
    if (a == b) return 0;
    return lower(a) == lower(b) ? CASE_COST : MOVE_COST;
}

/* The distance of two names, or some number above `limit` when it is more than that. */
static size_t distance(const char *a, size_t na, const char *b, size_t nb, size_t limit)
{
    while (na && nb && *a == *b) a++, b++, na--, nb--;
    while (na && nb && a[na - 1] == b[nb - 1]) na--, nb--;
    if (!na || !nb) return (na + nb) * MOVE_COST;
    if (na > NAME_MAX_LEN || nb > NAME_MAX_LEN) return limit + 1;
    if (nb < na) {
        const char *t = a;
        size_t nt = na;
        a = b, na = nb;
        b = t, nb = nt;
    }
    if ((nb - na) * MOVE_COST > limit) return limit + 1;
    size_t row[NAME_MAX_LEN], result = 0;
    for (size_t i = 0; i < na; i++) row[i] = (i + 1) * MOVE_COST;
    for (size_t j = 0; j < nb; j++) {
        size_t diagonal = j * MOVE_COST, least = SIZE_MAX;
        result = diagonal;
        for (size_t i = 0; i < na; i++) {
            size_t replaced = diagonal + replace_cost(b[j], a[i]);
            diagonal = row[i];
            result = min2(min2(result, diagonal) + MOVE_COST, replaced);
            row[i] = result;
            least = min2(least, result);
        }
        if (least > limit) return limit + 1;
    }
    return result;
}

typedef struct search {
    vm *vm;
    const char *name;
    size_t len;
    str *best;
    size_t best_distance;
} search;

static void consider(search *s, value candidate)
{
    size_t n;
    if (!IS_STR(candidate)) return;
    const char *text = str_utf8(s->vm, AS(str, candidate), &n);
    if (!text) {
        exc_clear(s->vm);
        return;
    }
    if (n == s->len && memcmp(text, s->name, n) == 0) return;
    size_t limit = (s->len + n + 3) * MOVE_COST / 6;
    if (s->best) {
        if (s->best_distance == 0) return;
        limit = min2(limit, s->best_distance - 1);
    }
    size_t d = distance(s->name, s->len, text, n, limit);
    if (d > limit) return;
    s->best = AS(str, candidate);
    s->best_distance = d;
}

static bool search_keys(search *s, dict *d)
{
    if (!d || d->used >= CANDIDATES_MAX) return false;
    size_t pos = 0;
    value k, v;
    while (dict_next(d, &pos, &k, &v)) consider(s, k);
    return s->best != NULL;
}

/* The innermost entry of the exception's traceback. */
static code *innermost_code(exception *e)
{
    value last = V_UNBOUND;
    for (value t = e->traceback; value_is_kind(t, K_TRACEBACK); t = AS(traceback, t)->next) last = t;
    if (!value_is_unbound(last)) return AS(traceback, last)->code;
    return e->ntb ? e->tb[0].code : NULL;
}

static void hint_name(search *s, exception *e)
{
    code *c = innermost_code(e);
    if (!c) return;
    uint32_t n = (uint32_t)c->nlocals + c->nhigh;
    bool few = n + c->nfree < CANDIDATES_MAX;
    for (uint32_t i = 0; few && i < n; i++) {
        str *name = c->varnames[i];
        if (name && name->len && str_at(name, 0) != '.') consider(s, value_obj(name));
    }
    for (uint32_t i = 0; few && i < c->nfree; i++) consider(s, value_obj(c->freenames[i]));
    if (s->best) return;
    dict *globals = IS_DICT(e->field[1]) ? AS(dict, e->field[1]) : NULL;
    if (search_keys(s, globals)) return;
    search_keys(s, s->vm->builtins);
}

static void hint_attribute(search *s, exception *e)
{
    vm *vm = s->vm;
    if (value_is_unbound(e->field[1])) return;
    value dir = dict_get_str(vm, vm->builtins, str_intern_utf8(vm, "dir", 3));
    if (!value_is_kind(dir, K_NATIVE)) return;
    value names = vm_call1(vm, dir, e->field[1]);
    if (!IS_LIST(names)) {
        exc_clear(vm);
        return;
    }
    list *l = AS(list, names);
    if (l->len >= CANDIDATES_MAX) return;
    for (size_t i = 0; i < l->len; i++) consider(s, l->items[i]);
}

str *exc_hint(vm *vm, value exc)
{
    bool name_error = value_isa_id(vm, exc, EXC_NameError);
    if (!name_error && !value_isa_id(vm, exc, EXC_AttributeError)) return NULL;
    exception *e = AS(exception, exc);
    if (!IS_STR(e->field[0])) return NULL;
    search s = {.vm = vm};
    s.name = str_utf8(vm, AS(str, e->field[0]), &s.len);
    if (!s.name) {
        exc_clear(vm);
        return NULL;
    }
    if (name_error) hint_name(&s, e);
    else hint_attribute(&s, e);
    return s.best;
}
