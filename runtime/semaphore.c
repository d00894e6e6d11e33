/* Semaphore and BoundedSemaphore. A permit given to a waiter is taken off the count at once, so nobody overtakes it. */
#include "runtime/asyncio.h"
#include "runtime/locks.h"
#include "vm/list.h"
#include "vm/native.h"

typedef struct semaphore {
    object h;
    value *slots;
    loop *loop;
    waiters waiting;
    int64_t count, bound; /* bound: of a BoundedSemaphore */
    bool bounded;
} semaphore;

static bool is_locked(const semaphore *s)
{
    if (s->count == 0) return true;
    for (size_t i = 0; i < s->waiting.len; i++)
        if (future_state(AS(future, waiters_at(&s->waiting, i))) != FUT_CANCELLED) return true;
    return false;
}

static void wake_next(vm *vm, semaphore *s)
{
    if (waiters_wake_first(vm, &s->waiting, V_TRUE)) s->count--;
}

static enum nstep acquire(vm *vm, semaphore *s, value *fut, value sent, value *out)
{
    *out = V_TRUE;
    if (value_is_unbound(*fut)) {
        if (!is_locked(s)) {
            s->count--;
            return NSTEP_DONE;
        }
        loop *l = bound_loop(vm, value_obj(s), &s->loop);
        future *f = l ? waiters_wait(vm, s, &s->waiting, l) : NULL;
        if (!f) return NSTEP_ERROR;
        *out = *fut = value_obj(f);
        return NSTEP_AWAIT;
    }
    waiters_remove(&s->waiting, *fut);
    if (value_is_unbound(sent)) {
        if (exc_matches(vm, EXC_CancelledError) && future_state(AS(future, *fut)) != FUT_CANCELLED) {
            s->count++; /* it had been given a permit already */
            wake_next(vm, s);
        }
        return NSTEP_ERROR;
    }
    if (s->count > 0) wake_next(vm, s);
    return NSTEP_DONE;
}

static bool release(vm *vm, semaphore *s)
{
    if (s->bounded && s->count >= s->bound) {
        raise_value_error(vm, "BoundedSemaphore released too many times");
        return false;
    }
    s->count++;
    wake_next(vm, s);
    return !raised(vm);
}

static enum nstep acquire_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    return acquire(vm, AS(semaphore, r[0]), &r[1], sent, out);
}
static enum nstep enter_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    enum nstep s = acquire_step(vm, f, r, sent, out);
    if (s == NSTEP_DONE) *out = V_NONE;
    return s;
}
static enum nstep exit_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f, (void)sent;
    *out = V_NONE;
    return release(vm, AS(semaphore, r[0])) ? NSTEP_DONE : NSTEP_ERROR;
}
static value m_release(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return release(vm, AS(semaphore, a[0])) ? V_NONE : V_ERROR;
}
static value m_locked(vm *vm, value *a, uint32_t n, value kw)
{
    (void)vm, (void)n, (void)kw;
    return value_bool(is_locked(AS(semaphore, a[0])));
}
static bool init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value out[1];
    semaphore *s = AS(semaphore, self);
    s->bounded = type_is_subtype(type_of(vm, self), runtime_of(vm)->types[RT_BOUNDED_SEMAPHORE]);
    if (!args_bind(vm, s->bounded ? "BoundedSemaphore.__init__(value=1)" : "Semaphore.__init__(value=1)", args, n, kw, out))
        return false;
    int64_t count = 1;
    if (!value_is_unbound(out[0])) {
        if (!int_is(out[0])) {
            raise_type_error(vm, "'<' not supported between instances of '%T' and 'int'", out[0]);
            return false;
        }
        if (!int_as_i64(vm, out[0], &count)) return false;
    }
    if (count < 0) {
        raise_value_error(vm, "Semaphore initial value must be >= 0");
        return false;
    }
    s->count = s->bound = count;
    return true;
}
static value repr(vm *vm, value self)
{
    semaphore *s = AS(semaphore, self);
    str *state = is_locked(s) ? str_from_cstr(vm, "locked") : str_format(vm, "unlocked, value:%ld", s->count);
    if (!state) return V_ERROR;
    str *text = s->waiting.len ? object_repr_with(vm, self, "%U, waiters:%zu", value_obj(state), s->waiting.len)
                               : object_repr_with(vm, self, "%U", value_obj(state));
    return text ? value_obj(text) : V_ERROR;
}
static value get_value(vm *vm, value self) { return int_from_i64(vm, AS(semaphore, self)->count); }
static value get_waiters(vm *vm, value self)
{
    waiters *w = &AS(semaphore, self)->waiting;
    if (!w->items) return V_NONE;
    list *l = list_new(vm, w->len);
    for (size_t i = 0; l && i < w->len; i++)
        if (!list_append(vm, l, waiters_at(w, i))) return V_ERROR;
    return l ? value_obj(l) : V_ERROR;
}
static void traverse(vm *vm, object *o)
{
    semaphore *s = (semaphore *)(void *)o;
    gc_mark_obj(vm, s->loop ? &s->loop->h : NULL);
    waiters_mark(vm, &s->waiting);
}
static void fill(struct type_slots *s)
{
    s->new_ = zeroed_slot_new;
    s->init = init;
    s->repr = repr;
}

bool semaphore_types_open(vm *vm)
{
    runtime *rt = runtime_of(vm);
    static const native_def methods[] = {
        NATIVE_ASYNC_DEF("acquire(self)", acquire_step, "Wait for a permit, and take it.", 1),
        {"release(self)", m_release, "Give a permit back.", 0},
        {"locked(self)", m_locked, "Would acquire() have to wait?", 0},
        NATIVE_ASYNC_DEF("__aenter__(self)", enter_step, NULL, 1),
        NATIVE_ASYNC_DEF("__aexit__(self, exc_type, exc, tb)", exit_step, NULL, 0),
        {0},
    };
    static const getset_def getsets[] = {{"_value", get_value, NULL, NULL}, {"_waiters", get_waiters, NULL, NULL}, {0}};
    static const type_layout layout = {
        .size = sizeof(semaphore) - sizeof(userdata), .traverse = traverse, .free = waiters_object_free};
    static const type_spec plain = {.name = "asyncio.locks.Semaphore", .doc = "So many permits, first come first served.",
                                    .layout = &layout, .methods = methods, .getsets = getsets, .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                    .fill = fill};
    static const type_spec bounded = {.name = "asyncio.locks.BoundedSemaphore",
                                      .doc = "A Semaphore that can't be released more often than it was acquired.",
                                      .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME, .fill = fill};
    if (!(rt->types[RT_SEMAPHORE] = type_from_spec(vm, &plain))) return false;
    return (rt->types[RT_BOUNDED_SEMAPHORE] = type_derive(vm, &bounded, rt->types[RT_SEMAPHORE])) != NULL;
}
