/* _thread.lock and _thread.RLock.
 *
 * A lock is a flag and a queue. release() clears the flag and wakes the first waiter, which takes the flag when it
 * runs; a running thread may come first, unless that waiter was woken in vain before. */
#include "thread_module.h"
#include "vm/attr.h"

#define DOC_FILE stdlib_thread_lock
DOC_BEGIN;

typedef struct lock_object {
    object h;
    value *slots;
    bool locked;
    wait_queue waiting;
} lock_object;

typedef struct rlock_object {
    object h;
    value *slots;
    uint64_t owner; /* serial of the thread; 0: nobody */
    uint64_t count;
    wait_queue waiting;
} rlock_object;

static int try_lock(vm *vm, value self)
{
    (void)vm;
    lock_object *l = AS(lock_object, self);
    if (l->locked) return 0;
    l->locked = true;
    return 1;
}

static value acquired(int got) { return got < 0 ? V_ERROR : value_bool(got); }

FN(lock_acquire)
{
    int64_t ns;
    if (!wait_arguments(vm, args[1], args[2], &ns)) return V_ERROR;
    return acquired(wait_queue_wait(vm, &AS(lock_object, args[0])->waiting, ns, try_lock, args[0]));
}
FN(lock_enter) { return acquired(wait_queue_wait(vm, &AS(lock_object, args[0])->waiting, -1, try_lock, args[0])); }
/* What a thread that was just started does at once: no fault of the task that waits if the machine is busy. */
FN(lock_await_start)
{
    return acquired(wait_queue_wait_silently(vm, &AS(lock_object, args[0])->waiting, try_lock, args[0]));
}
FN(lock_release)
{
    lock_object *l = AS(lock_object, args[0]);
    if (!l->locked) return raise(vm, EXC_RuntimeError, "release unlocked lock");
    l->locked = false;
    wait_queue_wake(vm, &l->waiting);
    return V_NONE;
}
FN(lock_locked) { return value_bool(AS(lock_object, args[0])->locked); }
FN(lock_reinit)
{
    AS(lock_object, args[0])->locked = false;
    return V_NONE;
}
static value lock_repr(vm *vm, value self)
{
    char at[32];
    str *s = str_format(vm, "<%s %N object at %s>", AS(lock_object, self)->locked ? "locked" : "unlocked",
                        type_of(vm, self), address_text(value_as_obj(self), at));
    return s ? value_obj(s) : V_ERROR;
}
static value no_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    (void)args, (void)n, (void)kw;
    return raise_type_error(vm, "cannot create '%N' instances", t);
}
static void lock_fill(struct type_slots *s)
{
    s->new_ = no_new;
    s->repr = lock_repr;
}

FN(allocate_lock)
{
    void *l = userdata_new(vm, module_state_type(vm, STATE_LOCK));
    return l ? value_obj(l) : V_ERROR;
}

/* ---- RLock ---- */

static int try_rlock(vm *vm, value self)
{
    rlock_object *l = AS(rlock_object, self);
    uint64_t me = vm->thread->serial;
    if (l->owner && l->owner != me) return 0;
    l->owner = me;
    l->count++;
    return 1;
}
static value rlock_take(vm *vm, value self, int64_t ns)
{
    rlock_object *l = AS(rlock_object, self);
    if (l->owner == vm->thread->serial) {
        l->count++;
        return V_TRUE;
    }
    return acquired(wait_queue_wait(vm, &l->waiting, ns, try_rlock, self));
}
FN(rlock_acquire)
{
    int64_t ns;
    return wait_arguments(vm, args[1], args[2], &ns) ? rlock_take(vm, args[0], ns) : V_ERROR;
}
FN(rlock_enter) { return rlock_take(vm, args[0], -1); }
static bool rlock_check(vm *vm, const rlock_object *l)
{
    if (l->count && l->owner == vm->thread->serial) return true;
    raise(vm, EXC_RuntimeError, "cannot release un-acquired lock");
    return false;
}
FN(rlock_release)
{
    rlock_object *l = AS(rlock_object, args[0]);
    if (!rlock_check(vm, l)) return V_ERROR;
    if (--l->count == 0) {
        l->owner = 0;
        wait_queue_wake(vm, &l->waiting);
    }
    return V_NONE;
}
FN(rlock_is_owned) { return value_bool(AS(rlock_object, args[0])->owner == vm->thread->serial); }
FN(rlock_recursion_count)
{
    const rlock_object *l = AS(rlock_object, args[0]);
    return value_int(l->owner == vm->thread->serial ? (int64_t)l->count : 0);
}
/* A condition gives the lock up whatever the depth, and takes it back as it was. */
FN(rlock_release_save)
{
    rlock_object *l = AS(rlock_object, args[0]);
    if (!rlock_check(vm, l)) return V_ERROR;
    tuple *state = tuple_pack(vm, 2, value_int((int64_t)l->count), value_int((int64_t)l->owner));
    if (!state) return V_ERROR;
    l->owner = l->count = 0;
    wait_queue_wake(vm, &l->waiting);
    return value_obj(state);
}
FN(rlock_acquire_restore)
{
    if (!IS_TUPLE(args[1]) || AS(tuple, args[1])->len != 2)
        return raise_type_error(vm, "_acquire_restore() argument 1 must be 2-item sequence, not %T", args[1]);
    value count = AS(tuple, args[1])->items[0];
    int64_t n;
    if (!int_as_i64(vm, count, &n) || value_is_error(rlock_take(vm, args[0], -1))) return V_ERROR;
    AS(rlock_object, args[0])->count = (uint64_t)n;
    return V_NONE;
}
FN(rlock_reinit)
{
    rlock_object *l = AS(rlock_object, args[0]);
    l->owner = l->count = 0;
    return V_NONE;
}
static value rlock_repr(vm *vm, value self)
{
    rlock_object *l = AS(rlock_object, self);
    char at[32];
    str *s = str_format(vm, "<%s %N object owner=%ld count=%ld at %s>", l->count ? "locked" : "unlocked",
                        type_of(vm, self), (int64_t)l->owner, (int64_t)l->count, address_text(value_as_obj(self), at));
    return s ? value_obj(s) : V_ERROR;
}
static value rlock_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    (void)args, (void)n, (void)kw;
    void *l = userdata_new(vm, t);
    return l ? value_obj(l) : V_ERROR;
}
static void rlock_fill(struct type_slots *s)
{
    s->new_ = rlock_new;
    s->repr = rlock_repr;
}

bool thread_lock_types(vm *vm, module *m)
{
#define ACQUIRE_DOC "Lock the lock; with blocking=False or after a timeout return False instead of waiting on."
    static const native_def lock_methods[] = {
        {"acquire(self, blocking=True, timeout=-1)", lock_acquire, ACQUIRE_DOC, 0},
        {"acquire_lock(self, blocking=True, timeout=-1)", lock_acquire, ACQUIRE_DOC, 0},
        {"release(self)", lock_release, DOC("Unlock the lock; any thread may do it."), 0},
        {"release_lock(self)", lock_release, DOC("Unlock the lock; any thread may do it."), 0},
        {"locked(self)", lock_locked, DOC("Is the lock locked?"), 0},
        {"locked_lock(self)", lock_locked, DOC("Is the lock locked?"), 0},
        {"__enter__(self)", lock_enter, DOC("Lock the lock."), 0},
        {"__exit__(self, *args)", lock_release, DOC("Release the lock."), 0},
        {"_at_fork_reinit(self)", lock_reinit, DOC("Unlock the lock in a child process."), 0},
        {"_await_start(self)", lock_await_start, DOC("acquire() of Thread.start()."), 0},
        {0},
    };
    static const native_def rlock_methods[] = {
        {"acquire(self, blocking=True, timeout=-1)", rlock_acquire, ACQUIRE_DOC " The owner may do it again.", 0},
        {"release(self)", rlock_release, DOC("Undo one acquire() of this thread."), 0},
        {"__enter__(self)", rlock_enter, DOC("Lock the lock."), 0},
        {"__exit__(self, *args)", rlock_release, DOC("Release the lock."), 0},
        {"_is_owned(self)", rlock_is_owned, DOC("Does this thread hold it?"), 0},
        {"_recursion_count(self)", rlock_recursion_count, DOC("How often this thread holds it."), 0},
        {"_release_save(self)", rlock_release_save, DOC("For a condition: release it whatever the depth."), 0},
        {"_acquire_restore(self, state, /)", rlock_acquire_restore, DOC("For a condition: take it back."), 0},
        {"_at_fork_reinit(self)", rlock_reinit, DOC("Unlock the lock in a child process."), 0},
        {0},
    };
    static const type_layout lock_layout = {.size = sizeof(lock_object) - sizeof(userdata)};
    static const type_layout rlock_layout = {.size = sizeof(rlock_object) - sizeof(userdata)};
    static const type_spec lock_spec = {.name = "_thread.lock",
                                        .doc = "A lock: locked by one thread at a time.",
                                        .layout = &lock_layout,
                                        .methods = lock_methods,
                                        .fill = lock_fill};
    static const type_spec rlock_spec = {.name = "_thread.RLock",
                                         .doc = "A lock that its owner may lock several times.",
                                         .layout = &rlock_layout,
                                         .methods = rlock_methods,
                                         .flags = TF_BASE,
                                         .fill = rlock_fill};
    static const native_def functions[] = {
        {"allocate_lock()", allocate_lock, DOC("A new lock, unlocked."), 0},
        {"allocate()", allocate_lock, DOC("A new lock, unlocked."), 0},
        {0},
    };
    type *t = module_add_type(vm, m, STATE_LOCK, &lock_spec);
    return t && module_add(vm, m, "LockType", value_obj(t)) && module_add_type(vm, m, STATE_RLOCK, &rlock_spec) &&
           module_add_natives(vm, m, functions);
}
