/* Semaphore and BoundedSemaphore. A permit given to a waiter is taken off the count at once, so nobody overtakes it. */
#include "runtime/asyncio.h"
#include "runtime/locks.h"
#include "vm/native.h"

#include <stdio.h>

#define DOC_FILE runtime_semaphore
DOC_BEGIN;

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

LOCK_METHODS(semaphore, semaphore, acquire, release)

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
    if (!args_bind(vm, s->bounded ? "BoundedSemaphore.__init__(value=1)" : "Semaphore.__init__(value=1)", args, n, kw,
                   out))
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
    char state[48];
    if (is_locked(s)) return waiters_object_repr(vm, self, "locked");
    snprintf(state, sizeof state, "unlocked, value:%lld", (long long)s->count);
    return waiters_object_repr(vm, self, state);
}
static value get_value(vm *vm, value self) { return int_from_i64(vm, AS(semaphore, self)->count); }
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
        NATIVE_ASYNC_DEF("acquire(self)", semaphore_acquire_step, DOC("Wait for a permit, and take it."), 1),
        {"release(self)", semaphore_m_release, DOC("Give a permit back."), 0},
        {"locked(self)", m_locked, DOC("Would acquire() have to wait?"), 0},
        NATIVE_ASYNC_DEF("__aenter__(self)", semaphore_enter_step, NULL, 1),
        NATIVE_ASYNC_DEF("__aexit__(self, exc_type, exc, tb)", semaphore_exit_step, NULL, 0),
        {0},
    };
    static const getset_def getsets[] = {
        {"_value", get_value, NULL, NULL}, {"_waiters", waiters_object_list, NULL, NULL}, {0}};
    static const type_layout layout = {
        .size = sizeof(semaphore) - sizeof(userdata), .traverse = waiters_object_mark, .free = waiters_object_free};
    static const type_spec plain = {.name = "asyncio.locks.Semaphore",
                                    .doc = "So many permits, first come first served.",
                                    .layout = &layout,
                                    .methods = methods,
                                    .getsets = getsets,
                                    .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                    .fill = fill};
    static const type_spec bounded = {.name = "asyncio.locks.BoundedSemaphore",
                                      .doc = "A Semaphore that can't be released more often than it was acquired.",
                                      .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                      .fill = fill};
    if (!(rt->types[RT_SEMAPHORE] = type_from_spec(vm, &plain))) return false;
    return (rt->types[RT_BOUNDED_SEMAPHORE] = type_derive(vm, &bounded, rt->types[RT_SEMAPHORE])) != NULL;
}
