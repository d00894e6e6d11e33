/* Signatures of natives: "name(self, x, /, y=None, *, key=None)" is scanned here, and arguments are
 * bound by it.
 *
 * CPython has two families of messages, chosen by how the function was declared, and so do we: if
 * no parameter can be a keyword, "list.append() takes exactly one argument (0 given)" and "pop
 * expected at most 1 argument, got 2"; otherwise "split() takes at most 2 arguments (3 given)". The
 * receiver is never counted in a message.
 */
#include "native_sig.h"

#include "native.h"
#include "types_api.h"

enum { MAX_BIND = 32 };

/* ---- scanning ---- */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Past a default value: up to the ',' or ')' that ends the parameter. */
static const char *skip_default(const char *p)
{
    int depth = 0;
    for (; *p; p++) {
        if (*p == '\'' || *p == '"') {
            char quote = *p++;
            while (*p && *p != quote) p += *p == '\\' && p[1] ? 2 : 1;
            if (!*p) break;
        } else if (*p == '(' || *p == '[' || *p == '{') {
            depth++;
        } else if (*p == ')' || *p == ']' || *p == '}') {
            if (!depth) break;
            depth--;
        } else if (*p == ',' && !depth) {
            break;
        }
    }
    return p;
}

const char *sig_first(const char *sig)
{
    const char *p = strchr(sig, '(');
    return p ? p + 1 : "";
}

const char *sig_next(const char *p, sig_param *out)
{
    while (*p == ' ' || *p == ',') p++;
    if (!*p || *p == ')') return NULL;
    out->has_default = false;
    if (*p == '/') {
        out->kind = SIG_SLASH;
        return p + 1;
    }
    out->kind = SIG_PARAM;
    if (*p == '*') {
        p++;
        out->kind = *p == '*' ? SIG_VARKW : is_name_char(*p) ? SIG_VARARGS : SIG_STAR;
        if (out->kind == SIG_VARKW) p++;
    }
    if (*p == '$') p++;
    out->name = p;
    while (is_name_char(*p)) p++;
    out->len = (size_t)(p - out->name);
    while (*p == ' ') p++;
    if (*p == '=') {
        out->has_default = true;
        p = skip_default(p + 1);
    } else if (*p && *p != ',' && *p != ')') {
        p = skip_default(p); /* not ours to judge */
    }
    return p;
}

void sig_scan(const char *sig, sig_info *out)
{
    *out = (sig_info){0};
    bool kwonly = false;
    sig_param p;
    for (const char *s = sig_first(sig); (s = sig_next(s, &p));) {
        switch (p.kind) {
        case SIG_SLASH: out->nposonly = out->nparams; break;
        case SIG_STAR: kwonly = true; break;
        case SIG_VARARGS: kwonly = out->raw = true; break;
        case SIG_VARKW: out->raw = out->varkw = true; break;
        case SIG_PARAM:
            if (out->nparams < 255) out->nparams++;
            if (kwonly) {
                out->kwreq = out->kwreq || !p.has_default;
            } else {
                out->max = out->nparams;
                if (!p.has_default) out->min = out->nparams;
            }
            break;
        }
    }
}

size_t sig_name_len(const char *sig)
{
    const char *p = strchr(sig, '(');
    return p ? (size_t)(p - sig) : strlen(sig);
}

/* ---- binding ---- */

static bool name_is(const str *s, const char *p, size_t n)
{
    return (s->h.flags & STR_ASCII) && s->len == n && memcmp(s->data, p, n) == 0;
}

/* Parameter number of a keyword, or -1. */
static int find_param(const sig_target *b, str *name, const sig_param *params)
{
    if (b->names) {
        for (unsigned i = 0; i < b->info.nparams; i++)
            if (value_as_obj(b->names->items[i]) == &name->h) return (int)i;
        for (unsigned i = 0; i < b->info.nparams; i++)
            if (str_eq(AS(str, b->names->items[i]), name)) return (int)i;
        return -1;
    }
    for (unsigned i = 0; i < b->info.nparams; i++)
        if (name_is(name, params[i].name, params[i].len)) return (int)i;
    return -1;
}

static const char *plural(int64_t n) { return n == 1 ? "" : "s"; }

static bool fail_positional(vm *vm, const sig_target *b, uint32_t nargs)
{
    int64_t given = (int64_t)nargs - b->skip, min = b->info.min - b->skip, max = b->info.max - b->skip;
    if (given < 0) given = 0;
    if (max == 0) raise_type_error(vm, "%U() takes no arguments (%ld given)", b->fullname(vm, b), given);
    else if (min == 1 && max == 1)
        raise_type_error(vm, "%U() takes exactly one argument (%ld given)", b->fullname(vm, b), given);
    else if (min == max) raise_type_error(vm, "%U expected %ld argument%s, got %ld", b->name, max, plural(max), given);
    else if (strstr(b->sig, "=...")) /* a default written so marks CPython's PyArg_ParseTuple functions */
        raise_type_error(vm, "%U() takes at %s %ld argument%s (%ld given)", b->name, given < min ? "least" : "most",
                         given < min ? min : max, plural(given < min ? min : max), given);
    else if (given < min)
        raise_type_error(vm, "%U expected at least %ld argument%s, got %ld", b->name, min, plural(min), given);
    else raise_type_error(vm, "%U expected at most %ld argument%s, got %ld", b->name, max, plural(max), given);
    return false;
}

/* Which required parameter is missing? */
static bool fail_missing(vm *vm, const sig_target *b, unsigned i, const sig_param *params)
{
    str *name = str_new_utf8(vm, params[i].name, params[i].len);
    if (name)
        raise_type_error(vm, "%U() missing required argument '%U' (pos %d)", b->name, name, (int)i + 1 - (int)b->skip);
    return false;
}

/* A wrong keyword, now that nothing is missing. */
static bool fail_keyword(vm *vm, const sig_target *b, uint32_t nargs, tuple *kw, const sig_param *params)
{
    for (size_t k = 0; k < kw->len; k++) {
        str *name = AS(str, kw->items[k]);
        int i = find_param(b, name, params);
        if (i < (int)b->info.nposonly) {
            raise_type_error(vm, "'%U' is an invalid keyword argument for %U()", name, b->name);
            return false;
        }
        if ((uint32_t)i < nargs) {
            raise_type_error(vm, "argument for %U() given by name ('%U') and position (%d)", b->name, name,
                             i + 1 - (int)b->skip);
            return false;
        }
    }
    raise_type_error(vm, "%U() got multiple values for a keyword argument", b->name);
    return false;
}

bool sig_bind(vm *vm, const sig_target *b, value *args, uint32_t nargs, value kwnames, value *out)
{
    const sig_info *s = &b->info;
    tuple *kw = value_is_unbound(kwnames) ? NULL : AS(tuple, kwnames);
    uint32_t nkw = kw ? (uint32_t)kw->len : 0;
    if (s->nposonly == s->nparams) {
        if (nkw) {
            raise_type_error(vm, "%U() takes no keyword arguments", b->fullname(vm, b));
            return false;
        }
        if (nargs < s->min || nargs > s->max) return fail_positional(vm, b, nargs);
        if (nargs) memcpy(out, args, nargs * sizeof *out);
        for (uint32_t i = nargs; i < s->nparams; i++) out[i] = V_UNBOUND;
        return true;
    }
    int64_t given = (int64_t)nargs - b->skip, max = s->max - b->skip;
    int64_t total = s->nparams - b->skip;
    if (given + nkw > total) {
        raise_type_error(vm, "%U() takes at most %ld %sargument%s (%ld given)", b->name, total,
                         given == 0 ? "keyword " : "", plural(total), given + nkw);
        return false;
    }
    if (nargs > s->max) {
        if (max == 0) raise_type_error(vm, "%U() takes no positional arguments", b->name);
        else
            raise_type_error(vm, "%U() takes %s %ld positional argument%s (%ld given)", b->name,
                             s->min < s->max ? "at most" : "exactly", max, plural(max), given);
        return false;
    }
    uint32_t minpos = s->min < s->nposonly ? s->min : s->nposonly;
    if (nargs < minpos) {
        raise_type_error(vm, "%U() takes %s %ld positional argument%s (%ld given)", b->name,
                         minpos < s->max ? "at least" : "exactly", (int64_t)minpos - b->skip,
                         plural((int64_t)minpos - b->skip), given);
        return false;
    }
    if (nargs) memcpy(out, args, nargs * sizeof *out);
    for (uint32_t i = nargs; i < s->nparams; i++) out[i] = V_UNBOUND;
    if (!nkw && nargs >= s->min && !s->kwreq) return true;

    sig_param params[MAX_BIND];
    unsigned np = 0;
    for (const char *p = sig_first(b->sig); np < MAX_BIND && (p = sig_next(p, &params[np]));)
        if (params[np].kind == SIG_PARAM) np++;
    bool bad = false;
    for (uint32_t k = 0; k < nkw; k++) {
        int i = find_param(b, AS(str, kw->items[k]), params);
        if (i < (int)s->nposonly || (uint32_t)i < nargs || !value_is_unbound(out[i])) bad = true;
        else out[i] = args[nargs + k];
    }
    for (unsigned i = nargs; i < np; i++)
        if (!params[i].has_default && value_is_unbound(out[i])) return fail_missing(vm, b, i, params);
    return bad ? fail_keyword(vm, b, nargs, kw, params) : true;
}

/* ---- for new_ and init slots ---- */

static value bare_name(vm *vm, const sig_target *b)
{
    (void)vm;
    return b->name;
}

/* What was found in the signatures that were scanned last: they are constants, known by their address. */
struct sig_memo {
    const char *sig;
    sig_info info;
};
enum { SIG_MEMOS = 64 };

void sig_close(vm *vm)
{
    if (vm->state[VMS_SIGNATURES]) mem_free(vm, vm->state[VMS_SIGNATURES], SIG_MEMOS * sizeof(struct sig_memo));
    vm->state[VMS_SIGNATURES] = NULL;
}

static void sig_scan_once(vm *vm, const char *sig, sig_info *out)
{
    struct sig_memo *memo = vm->state[VMS_SIGNATURES];
    if (UNLIKELY(!memo)) {
        size_t size = SIG_MEMOS * sizeof *memo;
        memo = vm->state[VMS_SIGNATURES] = mem_realloc_quiet(vm, NULL, 0, size);
        if (!memo) {
            sig_scan(sig, out);
            return;
        }
        memset(memo, 0, size);
    }
    memo += (uintptr_t)sig / 8 % SIG_MEMOS;
    if (memo->sig != sig) {
        sig_scan(sig, &memo->info);
        memo->sig = sig;
    }
    *out = memo->info;
}

bool args_bind(vm *vm, const char *sig, value *args, uint32_t nargs, value kwnames, value *out)
{
    sig_target b = {.sig = sig, .fullname = bare_name};
    sig_scan_once(vm, sig, &b.info);
    bool has_kw = !value_is_unbound(kwnames) && AS(tuple, kwnames)->len;
    if (!has_kw && nargs >= b.info.min && nargs <= b.info.max &&
        !b.info.kwreq) { /* the usual case, without a name object */
        if (nargs) memcpy(out, args, nargs * sizeof *out);
        for (uint32_t i = nargs; i < b.info.nparams; i++) out[i] = V_UNBOUND;
        return true;
    }
    str *name = str_new_utf8(vm, sig, sig_name_len(sig));
    if (!name) return false;
    b.name = value_obj(name);
    ROOTS(vm, &b.name);
    return sig_bind(vm, &b, args, nargs, kwnames, out);
}

bool args_none(vm *vm, const char *fname, uint32_t nargs, value kwnames)
{
    if (!value_is_unbound(kwnames) && AS(tuple, kwnames)->len) {
        raise_type_error(vm, "%s() takes no keyword arguments", fname);
        return false;
    }
    if (nargs) raise_type_error(vm, "%s() takes no arguments (%d given)", fname, (int)nargs);
    return !nargs;
}

bool args_unpack(vm *vm, const char *fname, value *args, uint32_t nargs, value kwnames, uint32_t min, uint32_t max,
                 value *out)
{
    if (!value_is_unbound(kwnames) && AS(tuple, kwnames)->len) {
        raise_type_error(vm, "%s() takes no keyword arguments", fname);
        return false;
    }
    if (nargs < min || nargs > max) {
        uint32_t limit = nargs < min ? min : max;
        raise_type_error(vm, "%s expected %s%d argument%s, got %d", fname,
                         min == max    ? ""
                         : nargs < min ? "at least "
                                       : "at most ",
                         (int)limit, plural(limit), (int)nargs);
        return false;
    }
    for (uint32_t i = 0; i < max; i++) out[i] = i < nargs ? args[i] : V_UNBOUND;
    return true;
}
