/* Calling: from C into script, argument binding, and the calls that the interpreter's fast paths leave over. */
#include "interp.h"

/* ---- argument binding: CPython's order of checks and its messages ---- */

/* 'a', 'b', and 'c' of the unbound ones among names[from, to); counts them. */
static str *name_list(vm *vm, str **names, const value *r, uint32_t from, uint32_t to, uint32_t *count)
{
    uint32_t n = 0, seen = 0;
    for (uint32_t i = from; i < to; i++) n += value_is_unbound(r[i]);
    *count = n;
    str_builder b;
    sb_init(&b, vm);
    for (uint32_t i = from; i < to; i++) {
        if (!value_is_unbound(r[i])) continue;
        if (seen > 0) sb_cstr(&b, n == 2 ? " and " : seen == n - 1 ? ", and " : ", ");
        sb_char(&b, '\'');
        sb_str(&b, names[i]);
        sb_char(&b, '\'');
        seen++;
    }
    return sb_finish(&b);
}

static bool missing_arguments(vm *vm, function *f, const value *r, uint32_t from, uint32_t to, const char *kind)
{
    uint32_t n;
    str *names = name_list(vm, f->code->varnames, r, from, to, &n);
    if (names)
        raise_type_error(vm, "%U() missing %d required %s argument%s: %U", f->qualname, (int)n, kind, n == 1 ? "" : "s",
                         value_obj(names));
    return false;
}

static uint32_t default_count(const function *f)
{
    return IS_TUPLE(f->defaults) ? (uint32_t)AS(tuple, f->defaults)->len : 0;
}

static bool too_many_positional(vm *vm, function *f, uint32_t given, const value *r)
{
    code *c = f->code;
    uint32_t kwonly_given = 0, ndef = default_count(f);
    for (uint32_t i = 0; i < c->kwonly; i++) kwonly_given += !value_is_unbound(r[c->argcount + i]);
    str *sig = ndef ? str_format(vm, "from %d to %d", (int)(c->argcount - ndef), (int)c->argcount)
                    : str_format(vm, "%d", (int)c->argcount);
    str *kw = kwonly_given ? str_format(vm, " positional argument%s (and %d keyword-only argument%s)",
                                        given != 1 ? "s" : "", (int)kwonly_given, kwonly_given != 1 ? "s" : "")
                           : str_from_cstr(vm, "");
    if (!sig || !kw) return false;
    raise_type_error(vm, "%U() takes %U positional argument%s but %d%U %s given", f->qualname, value_obj(sig),
                     ndef || c->argcount != 1 ? "s" : "", (int)given, value_obj(kw),
                     given == 1 && !kwonly_given ? "was" : "were");
    return false;
}

/* Was a keyword used for a positional-only parameter? Then raise CPython's message about all of them. */
static bool posonly_as_keyword(vm *vm, function *f, tuple *kwnames)
{
    code *c = f->code;
    str_builder b;
    bool any = false;
    sb_init(&b, vm);
    for (uint32_t i = 0; i < c->posonly; i++) {
        for (size_t k = 0; k < kwnames->len; k++) {
            if (!str_eq(c->varnames[i], AS(str, kwnames->items[k]))) continue;
            if (any) sb_cstr(&b, ", ");
            sb_str(&b, c->varnames[i]);
            any = true;
        }
    }
    str *names = sb_finish(&b);
    if (names && any)
        raise_type_error(vm, "%U() got some positional-only arguments passed as keyword arguments: '%U'", f->qualname,
                         value_obj(names));
    return any || !names;
}

enum { DISTINCT_MAX = 8 }; /* keywords that are compared with each other; more are looked up */

static bool bind_keywords(vm *vm, function *f, tuple *kwnames, const value *kwvals, value *r, dict *extra)
{
    code *c = f->code;
    uint32_t last = c->argcount + c->kwonly;
    bool distinct = extra != NULL; /* the names so far: interned ones are, unless the same one comes again */
    for (size_t k = 0; k < kwnames->len; k++) {
        value key = kwnames->items[k];
        if (UNLIKELY(!IS_STR(key))) {
            raise_type_error(vm, "%U() keywords must be strings", f->qualname);
            return false;
        }
        str *name = AS(str, key);
        uint32_t i = c->posonly;
        while (i < last && c->varnames[i] != name) i++;
        if (i == last) {
            i = c->posonly;
            while (i < last && !str_eq(c->varnames[i], name)) i++;
        }
        if (i < last) {
            if (!value_is_unbound(r[i])) {
                raise_type_error(vm, "%U() got multiple values for argument '%U'", f->qualname, key);
                return false;
            }
            r[i] = kwvals[k];
        } else if (extra) {
            distinct = distinct && k < DISTINCT_MAX && (name->h.flags & STR_INTERNED);
            for (size_t before = 0; distinct && before < k; before++)
                distinct = kwnames->items[before].bits != key.bits;
            bool set = distinct ? dict_insert_new(vm, extra, key, dict_hash_str(vm, name), kwvals[k])
                                : dict_set(vm, extra, key, kwvals[k]);
            if (!set) return false;
        } else {
            if (c->posonly && posonly_as_keyword(vm, f, kwnames)) return false;
            raise_type_error(vm, "%U() got an unexpected keyword argument '%U'", f->qualname, key);
            return false;
        }
    }
    return true;
}

/* The usual case of call_bind, for functions without star and keyword-only parameters: interned keyword names,
 * defaults, no error. false: nothing is known yet. */
static bool bind_plain(function *f, const value *args, uint32_t nargs, value kwnames, value *r)
{
    code *c = f->code;
    uint32_t npos = c->argcount, i = 0;
    if (UNLIKELY(nargs > npos)) return false;
    for (; i < nargs; i++) r[i] = args[i];
    for (uint32_t n = c->nlocals; i < n; i++) r[i] = V_UNBOUND;
    if (!value_is_unbound(kwnames)) {
        tuple *names = AS(tuple, kwnames);
        for (size_t k = 0; k < names->len; k++) {
            str *name = AS(str, names->items[k]);
            for (i = nargs > c->posonly ? nargs : c->posonly; i < npos && c->varnames[i] != name; i++)
                ;
            if (UNLIKELY(i >= npos || !value_is_unbound(r[i]))) return false;
            r[i] = args[nargs + k];
        }
    }
    if (nargs == npos) return true;
    const tuple *defaults = IS_TUPLE(f->defaults) ? AS(tuple, f->defaults) : NULL;
    size_t missing = npos - (defaults ? defaults->len : 0); /* wraps around: more defaults than parameters */
    for (i = nargs; i < npos; i++) {
        if (!value_is_unbound(r[i])) continue;
        if (UNLIKELY(i < missing)) return false;
        r[i] = defaults->items[i - missing];
    }
    return true;
}

bool call_bind(vm *vm, function *f, value self, value *args, uint32_t nargs, value kwnames, value *r)
{
    code *c = f->code;
    uint32_t npos = c->argcount, n = 0, given = nargs + !value_is_unbound(self), taken = 0;
    uint32_t next = npos + c->kwonly;
    if (UNLIKELY(c->nhigh)) {
        memset(&r[HIGH_BASE], 0, c->nhigh * sizeof(value));
        if (next > c->nlocals) r += HIGH_BASE; /* too many parameters for low registers: all of them lie high */
    }
    if (!value_is_unbound(self) && npos > 0) r[n++] = self;
    while (n < npos && taken < nargs) r[n++] = args[taken++];
    for (uint32_t i = n; i < c->nlocals; i++) r[i] = V_UNBOUND;
    if (c->flags & CODE_VARARGS) {
        tuple *t;
        if (UNLIKELY(!value_is_unbound(self) && npos == 0)) {
            t = tuple_new(vm, nargs + 1);
            if (!t) return false;
            t->items[0] = self;
            for (uint32_t i = 0; i < nargs; i++) t->items[i + 1] = args[i];
        } else {
            t = tuple_from(vm, args + taken, nargs - taken);
            if (!t) return false;
        }
        r[next++] = value_obj(t);
    }
    dict *extra = NULL;
    if (c->flags & CODE_VARKW) {
        extra = dict_new_sized(vm, value_is_unbound(kwnames) ? 0 : AS(tuple, kwnames)->len);
        if (!extra) return false;
        r[next] = value_obj(extra);
    }
    if (!value_is_unbound(kwnames) && !bind_keywords(vm, f, AS(tuple, kwnames), args + nargs, r, extra)) return false;
    if (given > npos && !(c->flags & CODE_VARARGS)) return too_many_positional(vm, f, given, r);
    if (n < npos) {
        uint32_t ndef = default_count(f), first = npos > ndef ? npos - ndef : 0;
        for (uint32_t i = n; i < first; i++)
            if (value_is_unbound(r[i])) return missing_arguments(vm, f, r, 0, first, "positional");
        for (uint32_t i = n > first ? n : first; i < npos; i++)
            if (value_is_unbound(r[i])) r[i] = AS(tuple, f->defaults)->items[i - (npos - ndef)];
    }
    bool missing = false;
    for (uint32_t i = npos; i < npos + c->kwonly; i++) {
        if (!value_is_unbound(r[i])) continue;
        if (IS_DICT(f->kwdefaults)) {
            r[i] = dict_get_str(vm, AS(dict, f->kwdefaults), c->varnames[i]);
            if (!value_is_unbound(r[i])) continue;
        }
        missing = true;
    }
    if (missing) return missing_arguments(vm, f, r, npos, npos + c->kwonly, "keyword-only");
    return true;
}

frame *call_make_heap_frame(vm *vm, function *f, value self, value *args, uint32_t nargs, value kwnames)
{
    code *c = f->code;
    uint32_t shape = c->flags & CODE_COROUTINE   ? TYPE_COROUTINE
                     : c->flags & CODE_ASYNC_GEN ? TYPE_ASYNC_GENERATOR
                                                 : TYPE_GENERATOR;
    frame *g = gc_new_fast(vm, K_FRAME, shape, c->frame_size);
    if (UNLIKELY(!g)) return NULL;
    g->code = c;
    g->func = f;
    g->pc = c->insns;
    bool plain = !(c->flags & (CODE_VARARGS | CODE_VARKW)) && !c->kwonly && value_is_unbound(kwnames);
    if (LIKELY(plain && c->argcount == nargs && value_is_unbound(self))) {
        if (nargs) memcpy(g->r, args, nargs * sizeof(value)); /* the rest is zero: fresh memory */
    } else if (!call_bind(vm, f, self, args, nargs, kwnames, g->r)) {
        frame_set_state(g, FRAME_DONE);
        return NULL;
    }
    /* A coroutine that `await f(x)` runs at once never needs one: whoever gives a coroutine out registers it. */
    if (c->nexcs && !(c->flags & CODE_COROUTINE)) gc_register_finalizer(vm, &g->h);
    return g;
}

/* ---- the interpreter's general call ---- */

static enum call_kind call_function(vm *vm, frame *F, function *fn, value *args, uint32_t argc, value kwnames,
                                    uint32_t ret, uint32_t window, frame **nf, value *result)
{
    code *c = fn->code;
    if (c->flags & (CODE_GENERATOR | CODE_COROUTINE | CODE_ASYNC_GEN)) {
        frame *g = call_make_heap_frame(vm, fn, V_UNBOUND, args, argc, kwnames);
        if (!g) return CALL_ERROR;
        *result = value_obj(g);
        if (c->flags & CODE_COROUTINE) return CALL_CORO;
        /* `for x in gen(...)`: only the loop will hold it, so leaving the loop closes it (FOREND). */
        unsigned next = I_OP(*F->pc);
        if ((next == OP_FORPREP || next == OP_GETAITER) && I_B(*F->pc) == RET_DST(ret)) g->h.flags |= FRAME_FUSED;
        return CALL_VALUE;
    }
    frame *f = stack_push(vm, vm->thread, F, c, fn, ret, c->nlocals);
    if (!f) return CALL_ERROR;
    frame_set_window(f, F, window);
    if (!((c->flags & CODE_SIMPLE) && bind_plain(fn, args, argc, kwnames, f->r)) &&
        !call_bind(vm, fn, V_UNBOUND, args, argc, kwnames, f->r)) {
        thread *th = vm->thread;
        th->depth--;
        th->top = (char *)f;
        if (f->up != F) stack_segment_pop(vm, th, f->up);
        return CALL_ERROR;
    }
    *nf = f;
    return CALL_FRAME;
}

enum call_kind call_any(vm *vm, frame *F, value f, value *args, uint32_t argc, value kwnames, uint32_t dst,
                        uint32_t window, frame **nf, value *result)
{
    bool room = true; /* args[-1] may be written: there is one callee slot, so only one receiver fits */
    for (;;) {
        if (UNLIKELY(!value_is_obj(f))) break;
        object *o = value_as_obj(f);
        switch (o->kind) {
        case K_FUNCTION:
            return call_function(vm, F, (function *)o, args, argc, kwnames, RET_MAKE(dst, RET_PLAIN), window, nf,
                                 result);
        case K_METHOD:
            if (room && (o->shape == TYPE_METHOD || o->shape == TYPE_NATIVE_BOUND)) {
                method *m = (method *)o;
                room = false;
                *--args = m->self;
                argc++;
                window--;
                f = m->func;
                if (window == UINT32_MAX) window = 0;
                continue;
            }
            break;
        case K_NATIVE: {
            native *n = (native *)o;
            if (n->h.flags & NATIVE_ASYNC) {
                frame *g = async_native_frame(vm, n, args, argc, kwnames);
                if (!g) return CALL_ERROR;
                *result = value_obj(g);
                return CALL_CORO;
            }
            if ((n->h.flags & NATIVE_CONSUMES) && value_is_unbound(kwnames)) {
                enum call_kind k;
                if (consume_native(vm, F, n, args, argc, dst, window, nf, &k)) return k;
            }
            *result = native_call(vm, n, args, argc, kwnames);
            return value_is_error(*result) ? CALL_ERROR : CALL_VALUE;
        }
        case K_TYPE: {
            type *t = (type *)o;
            if (room && (t->flags & (TF_INIT_SCRIPT | TF_ABSTRACT)) == TF_INIT_SCRIPT && o->shape == TYPE_TYPE) {
                value init = type_lookup(vm, t, N(vm, __init__));
                if (!value_is_kind(init, K_FUNCTION) ||
                    (AS(function, init)->code->flags & (CODE_GENERATOR | CODE_COROUTINE | CODE_ASYNC_GEN)))
                    break;
                value self = instance_new(vm, t);
                if (value_is_error(self)) return CALL_ERROR;
                args[-1] = self; /* stays in the window: RET_INIT takes it from there */
                return call_function(vm, F, AS(function, init), args - 1, argc + 1, kwnames, RET_MAKE(dst, RET_INIT),
                                     window, nf, result);
            }
            enum call_kind k;
            if (value_is_unbound(kwnames) && consume_type(vm, F, t, args, argc, dst, window, nf, &k)) return k;
            break;
        }
        case K_INSTANCE: {
            value call = type_lookup(vm, type_of(vm, f), N(vm, __call__));
            if (room && value_is_kind(call, K_FUNCTION)) {
                room = false;
                *--args = f;
                argc++;
                f = call;
                continue;
            }
            break;
        }
        default: break;
        }
        break;
    }
    type *t = type_of(vm, f);
    if (UNLIKELY(!t->s.call)) {
        raise_type_error(vm, "'%T' object is not callable", f);
        return CALL_ERROR;
    }
    if (!vm_enter(vm)) return CALL_ERROR;
    *result = t->s.call(vm, f, args, argc, kwnames);
    vm_leave(vm);
    return value_is_error(*result) ? CALL_ERROR : CALL_VALUE;
}

/* Flattens f(*args, **kw) into out[1..]: positionals, then keyword values. out[0] is free for a receiver. */
static value *star_flatten(vm *vm, tuple *t, value kw, value *small, size_t nsmall, size_t *size, value *kwnames)
{
    dict *d = value_is_unbound(kw) ? NULL : AS(dict, kw);
    size_t nkw = d ? d->used : 0, n = t->len + nkw + 2;
    value *out = small;
    *kwnames = V_UNBOUND;
    *size = 0;
    if (n > nsmall) {
        out = mem_alloc(vm, n * sizeof(value));
        if (!out) return NULL;
        *size = n * sizeof(value);
    }
    out[0] = out[1] = V_UNBOUND;
    memcpy(out + 2, t->items, t->len * sizeof(value));
    if (nkw) {
        tuple *names = tuple_new(vm, nkw);
        if (!names) {
            if (*size) mem_free(vm, out, *size);
            return NULL;
        }
        size_t pos = 0, i = 0;
        value k, v;
        while (dict_next(d, &pos, &k, &v)) {
            names->items[i] = k;
            out[2 + t->len + i++] = v;
        }
        *kwnames = value_obj(names);
    }
    return out;
}

/* f(*x): x as a tuple; TypeError as CPython words it. */
static value star_tuple(vm *vm, value f, value x)
{
    if (value_is_exact(x, TYPE_TUPLE)) return x;
    type *t = type_of(vm, x);
    if (!t->s.iter && !t->s.getitem) {
        value q = obj_getattr_opt(vm, f, N(vm, __qualname__));
        value m = obj_getattr_opt(vm, f, N(vm, __module__));
        exc_clear(vm);
        if (IS_STR(q) && IS_STR(m) && !str_eq(AS(str, m), N(vm, builtins)))
            return raise_type_error(vm, "%U.%U() argument after * must be an iterable, not %T", m, q, x);
        if (IS_STR(q)) return raise_type_error(vm, "%U() argument after * must be an iterable, not %T", q, x);
        return raise_type_error(vm, "%S argument after * must be an iterable, not %T", f, x);
    }
    tuple *r = obj_to_tuple(vm, x);
    return r ? value_obj(r) : V_ERROR;
}

enum call_kind call_star(vm *vm, frame *F, value f, value args_tuple, bool any, value kw, bool any_kw, uint32_t dst,
                         frame **nf, value *result)
{
    value small[40], kwnames;
    if (any_kw && !(value_is_exact(kw, TYPE_DICT) && value_as_obj(kw)->flags & DICT_STRKEYS)) {
        dict *d = NULL;
        ROOTS(vm, &f, &args_tuple, &kw, &d);
        if (!(d = dict_new(vm)) || !op_dictmerge(vm, value_obj(d), kw, f)) return CALL_ERROR;
        kw = value_obj(d);
    }
    if (any) {
        args_tuple = star_tuple(vm, f, args_tuple);
        if (value_is_error(args_tuple)) return CALL_ERROR;
    }
    size_t size;
    tuple *t = AS(tuple, args_tuple);
    value *args = star_flatten(vm, t, kw, small, 40, &size, &kwnames);
    if (!args) return CALL_ERROR;
    size_t total = t->len + 2 + (value_is_unbound(kwnames) ? 0 : AS(tuple, kwnames)->len);
    ROOTS(vm, &kwnames);
    ROOT_SPAN(vm, args, total);
    enum call_kind k;
    if (IS_TYPE(f)) { /* an __init__ frame would keep its instance in this array: run it from C instead */
        *result = vm_call_kw(vm, f, args + 2, (uint32_t)t->len, kwnames);
        k = value_is_error(*result) ? CALL_ERROR : CALL_VALUE;
    } else {
        k = call_any(vm, F, f, args + 2, (uint32_t)t->len, kwnames, dst, 0, nf, result);
    }
    if (size) mem_free(vm, args, size);
    return k;
}

/* ---- from C ---- */

/* A plain function that takes just these arguments, while the stack has room: what sort keys, dunders and callbacks
 * mostly are. */
static inline value run_simple(vm *vm, thread *th, function *fn, value self, const value *args, uint32_t nargs)
{
    code *c = fn->code;
    frame *b = (frame *)th->top, *below = th->current;
    frame *nf = (frame *)(th->top + BOUNDARY_SIZE);
    th->top += BOUNDARY_SIZE + c->frame_size;
    frame_init_stack(b, (code *)&interp_exit_code, NULL, below, RET_MAKE(0, RET_PLAIN));
    b->h.flags |= FRAME_BOUNDARY;
    b->origin = STEP_DONE;
    b->r[0] = b->r[1] = V_UNBOUND;
    th->depth++;
    th->nreent++;
    frame_init_stack(nf, c, fn, b, RET_MAKE(0, RET_PLAIN));
    uint32_t i = 0;
    if (!value_is_unbound(self)) nf->r[i++] = self;
    for (uint32_t k = 0; k < nargs; k++) nf->r[i++] = args[k];
    for (; i < c->nlocals; i++) nf->r[i] = V_UNBOUND;
    value result = V_ERROR;
    if (UNLIKELY(--vm->poll <= 0)) {
        th->current = nf;
        vm_poll(vm);
    }
    if (LIKELY(!raised(vm))) result = interp_loop(vm, nf);
    else th->depth--;
    th->top = (char *)b;
    th->current = below;
    th->nreent--;
    return result;
}

static value run_function(vm *vm, function *fn, value self, value *args, uint32_t nargs, value kwnames, value class_ns)
{
    code *c = fn->code;
    if (c->flags & (CODE_GENERATOR | CODE_COROUTINE | CODE_ASYNC_GEN)) {
        frame *g = call_make_heap_frame(vm, fn, self, args, nargs, kwnames);
        if (g && (c->flags & CODE_COROUTINE)) gc_register_finalizer(vm, &g->h);
        return g ? value_obj(g) : V_ERROR;
    }
    thread *th = vm->thread;
    uint32_t argc = nargs + !value_is_unbound(self);
    if (LIKELY(c->plain_argc == argc && value_is_unbound(kwnames) && value_is_unbound(class_ns) &&
               th->depth < vm->limits.recursion && (uintptr_t)__builtin_frame_address(0) >= th->c_stack_low &&
               (size_t)(th->limit - th->top) >= BOUNDARY_SIZE + c->frame_size))
        return run_simple(vm, th, fn, self, args, nargs);
    if (!vm_enter(vm)) return V_ERROR;
    th->depth--; /* the frame counts, not the way to it: as many levels as in CPython */
    value result = V_ERROR;
    frame *b = stack_push_boundary(vm, th);
    if (b) {
        frame *nf = stack_push(vm, th, b, c, fn, RET_MAKE(0, RET_PLAIN), c->nlocals);
        if (nf) {
            th->current = b; /* what binding raises belongs to the caller */
            if (call_bind(vm, fn, self, args, nargs, kwnames, nf->r)) {
                if (!value_is_unbound(class_ns)) nf->r[0] = class_ns;
                if (UNLIKELY(--vm->poll <= 0)) {
                    th->current = nf;
                    nf->pc = c->insns;
                    vm_poll(vm);
                }
                if (LIKELY(!raised(vm))) {
                    result = interp_loop(vm, nf);
                } else {
                    th->depth--;
                }
            } else {
                th->depth--;
                if (nf->up != b) stack_segment_pop(vm, th, nf->up);
            }
        }
        stack_pop_boundary(vm, th, b);
    }
    th->depth++;
    vm_leave(vm);
    return result;
}

value vm_call_kw(vm *vm, value f, value *args, uint32_t nargs, value kwnames)
{
    if (value_is_obj(f)) {
        object *o = value_as_obj(f);
        if (o->kind == K_FUNCTION) return run_function(vm, (function *)o, V_UNBOUND, args, nargs, kwnames, V_UNBOUND);
        if (o->shape == TYPE_METHOD && value_is_kind(((method *)o)->func, K_FUNCTION)) {
            ROOTS(vm, &f);
            return run_function(vm, AS(function, ((method *)o)->func), ((method *)o)->self, args, nargs, kwnames,
                                V_UNBOUND);
        }
        if (o->kind == K_NATIVE && value_is_unbound(kwnames)) {
            if (!vm_enter(vm)) return V_ERROR;
            ROOT_SPAN(vm, args, nargs);
            ROOTS(vm, &f);
            value v = native_call(vm, (native *)o, args, nargs, kwnames);
            vm_leave(vm);
            return v;
        }
    }
    type *t = type_of(vm, f);
    if (UNLIKELY(!t->s.call)) return raise_type_error(vm, "'%T' object is not callable", f);
    if (!vm_enter(vm)) return V_ERROR;
    size_t total = nargs + (value_is_unbound(kwnames) ? 0 : AS(tuple, kwnames)->len);
    ROOTS(vm, &f, &kwnames);
    ROOT_SPAN(vm, args, total);
    value v = t->s.call(vm, f, args, nargs, kwnames);
    vm_leave(vm);
    return v;
}

value vm_call(vm *vm, value f, value *args, uint32_t nargs) { return vm_call_kw(vm, f, args, nargs, V_UNBOUND); }
value vm_call0(vm *vm, value f) { return vm_call_kw(vm, f, NULL, 0, V_UNBOUND); }
value vm_call1(vm *vm, value f, value a) { return vm_call_kw(vm, f, &a, 1, V_UNBOUND); }
value vm_call2(vm *vm, value f, value a, value b)
{
    value args[2] = {a, b};
    return vm_call_kw(vm, f, args, 2, V_UNBOUND);
}

value vm_call_method(vm *vm, value o, str *name, value *args, uint32_t nargs)
{
    value func, self, small[8];
    if (nargs < 8) {
        if (nargs) memcpy(small + 1, args, nargs * sizeof(value));
        small[0] = V_UNBOUND;
        ROOT_SPAN(vm, small, nargs + 1);
        if (!attr_load_method(vm, o, name, &func, &self)) return V_ERROR;
        if (value_is_unbound(self)) return vm_call_kw(vm, func, small + 1, nargs, V_UNBOUND);
        small[0] = self;
        return vm_call_kw(vm, func, small, nargs + 1, V_UNBOUND);
    }
    ROOT_SPAN(vm, args, nargs);
    func = obj_getattr(vm, o, name);
    return value_is_error(func) ? V_ERROR : vm_call_kw(vm, func, args, nargs, V_UNBOUND);
}

value vm_call_ex(vm *vm, value f, value args_tuple, value kw_dict)
{
    value small[40], kwnames;
    size_t size;
    tuple *t = AS(tuple, args_tuple);
    ROOTS(vm, &f, &args_tuple);
    value *args = star_flatten(vm, t, kw_dict, small, 40, &size, &kwnames);
    if (!args) return V_ERROR;
    value v = vm_call_kw(vm, f, args + 2, (uint32_t)t->len, kwnames);
    if (size) mem_free(vm, args, size);
    return v;
}

value interp_run_code(vm *vm, code *c, dict *globals, value locals)
{
    return interp_run_closure(vm, c, globals, locals, NULL);
}

value interp_run_closure(vm *vm, code *c, dict *globals, value locals, tuple *cells)
{
    if (c->nfree != (cells ? cells->len : 0))
        return raise_type_error(vm, "the code has %d free variables and can't be run by itself", (int)c->nfree);
    ROOTS(vm, &c, &globals, &locals);
    function *fn = function_new(vm, c, globals, cells ? (uint32_t)cells->len : 0);
    if (!fn) return V_ERROR;
    for (uint32_t i = 0; i < fn->ncells; i++) fn->cells[i] = AS(cell, cells->items[i]);
    fn->builtins = function_builtins(vm, globals);
    ROOTS(vm, &fn);
    if (c->flags & CODE_COROUTINE) {
        frame *g = call_make_heap_frame(vm, fn, V_UNBOUND, NULL, 0, V_UNBOUND);
        if (!g) return V_ERROR;
        gc_register_finalizer(vm, &g->h);
        if (c->flags & CODE_MODULE) g->r[0] = locals; /* of a function: a parameter may be there */
        return value_obj(g);
    }
    return run_function(vm, fn, V_UNBOUND, NULL, 0, V_UNBOUND, locals);
}

value interp_run_class_body(vm *vm, function *f, value ns)
{
    ROOTS(vm, &f);
    return run_function(vm, f, V_UNBOUND, NULL, 0, V_UNBOUND, ns);
}
