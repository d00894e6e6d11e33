/* The public C API: handles, what other threads post, and host operations.
 *
 * The handle is the shared part: other threads hold it, and the VM does. It has the queue of what was completed or
 * posted, which the loop takes in at the beginning of a turn (rt->host_queue). An operation is on the VM's side a
 * pending future with FUT_HOST, whose `result` is its place in api->ops plus one.
 *
 * Invariants
 *  1. An op's state leaves OP_PENDING once: to OP_QUEUED (complete, or the last hold was released), to OP_DONE
 *     (resolve, reject), or to OP_CANCELLED or OP_ENDED. OP_QUEUED goes to OP_DONE when its result is made, or to the
 *     latter two.
 *  2. Who moves it away from OP_PENDING on the VM's thread detaches it from its future.
 *  3. handle->vm may be used by another thread under the mutex while !closed. aiovm_interrupt and aiovm_kill take no
 *     mutex, so that signal handlers may call them: they count themselves in `users`, and closing waits until that is
 *     0.
 *  4. Exactly one of make and drop is called for each aiovm_complete; each posted function is called exactly once.
 */
#include "runtime/api.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum op_state { OP_PENDING, OP_QUEUED, OP_DONE, OP_CANCELLED, OP_ENDED };

typedef struct post {
    struct post *next;
    aiovm_op *op; /* a completed operation, or NULL */
    void (*fn)(aiovm *, void *);
    void *ud;
} post;

struct aiovm_handle {
    int refs, users, closed; /* atomic */
    vm *vm;
    pthread_mutex_t mutex;
    post *first, **last;
};

struct aiovm_op {
    int refs, holds, state; /* atomic; holds: those of the host among refs */
    aiovm_handle *handle;
    size_t index; /* in api->ops while attached */
    future *fut;  /* a root while attached */
    void (*cancel)(void *);
    void *ud;
    post done; /* in the queue */
    aiovm_status (*make)(aiovm *, void *, aiovm_value *);
    void *make_ud;
    void (*drop)(void *);
};

#define LOAD(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define ADD(p, n)   __atomic_add_fetch((p), (n), __ATOMIC_ACQ_REL)

static bool op_move(aiovm_op *op, int from, int to)
{
    return __atomic_compare_exchange_n(&op->state, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* ---- handles ---- */

static void handle_unref(aiovm_handle *h)
{
    if (ADD(&h->refs, -1)) return;
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

static aiovm_handle *api_handle_of(vm *vm)
{
    api *a = api_of(vm);
    if (a->handle) return a->handle;
    aiovm_handle *h = calloc(1, sizeof *h);
    if (!h) {
        raise_memory(vm);
        return NULL;
    }
    h->refs = 1;
    h->vm = vm;
    h->last = &h->first;
    pthread_mutex_init(&h->mutex, NULL);
    runtime_wake_fd(vm); /* there before anybody could want to wake the VM */
    a->handle = h;
    return h;
}

aiovm_handle *aiovm_handle_new(aiovm *host)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    if (api_enter(vm, API_PLAIN, NULL)) return NULL;
    aiovm_handle *h = api_handle_of(vm);
    if (h) return aiovm_handle_retain(h);
    api_catch(vm);
    return NULL;
}
aiovm_handle *aiovm_handle_retain(aiovm_handle *h)
{
    if (h) ADD(&h->refs, 1);
    return h;
}
void aiovm_handle_release(aiovm_handle *h)
{
    if (h) handle_unref(h);
}

/* From any thread. false: the VM is closed, p is not in the queue. */
static bool enqueue(aiovm_handle *h, post *p)
{
    p->next = NULL;
    pthread_mutex_lock(&h->mutex);
    bool open = !LOAD(&h->closed);
    if (open) {
        STORE(h->last, p); /* take_in looks at the first one without the mutex */
        h->last = &p->next;
        runtime_interrupt(h->vm, VMP_LIMIT);
    }
    pthread_mutex_unlock(&h->mutex);
    return open;
}

static post *take_queue(aiovm_handle *h)
{
    pthread_mutex_lock(&h->mutex);
    post *p = h->first;
    STORE(&h->first, NULL);
    h->last = &h->first;
    pthread_mutex_unlock(&h->mutex);
    return p;
}

static void poke(aiovm_handle *h, int why)
{
    if (!h) return;
    ADD(&h->users, 1);
    if (!__atomic_load_n(&h->closed, __ATOMIC_SEQ_CST)) runtime_interrupt(h->vm, why);
    ADD(&h->users, -1);
}
void aiovm_interrupt(aiovm_handle *h) { poke(h, VMP_SIGINT); }
void aiovm_kill(aiovm_handle *h) { poke(h, VMP_KILL); }

aiovm_status aiovm_post(aiovm_handle *h, void (*fn)(aiovm *, void *), void *ud)
{
    if (!h || !fn) return AIOVM_INVALID;
    if (LOAD(&h->closed)) return AIOVM_ENDED;
    post *p = malloc(sizeof *p);
    if (!p) return AIOVM_NOMEM;
    *p = (post){.fn = fn, .ud = ud};
    if (enqueue(h, p)) return AIOVM_OK;
    free(p);
    return AIOVM_ENDED;
}

/* ---- operations: the host's side ---- */

static void op_unref(aiovm_op *op)
{
    if (ADD(&op->refs, -1)) return;
    handle_unref(op->handle);
    free(op);
}

static aiovm_status op_status(const aiovm_op *op)
{
    switch (LOAD(&op->state)) {
    case OP_PENDING: return AIOVM_OK;
    case OP_CANCELLED: return AIOVM_CANCELLED;
    case OP_ENDED: return AIOVM_ENDED;
    default: return AIOVM_DONE;
    }
}

static aiovm_status complete(aiovm_op *op, aiovm_status (*make)(aiovm *, void *, aiovm_value *), void *ud,
                             void (*drop)(void *))
{
    if (!op_move(op, OP_PENDING, OP_QUEUED)) {
        if (drop) drop(ud);
        return op_status(op);
    }
    op->make = make;
    op->make_ud = ud;
    op->drop = drop;
    op->done.op = op;
    ADD(&op->refs, 1);
    if (enqueue(op->handle, &op->done)) return AIOVM_OK;
    STORE(&op->state, OP_ENDED);
    if (drop) drop(ud);
    op_unref(op);
    return AIOVM_ENDED;
}

aiovm_status aiovm_complete(aiovm_op *op, aiovm_status (*make)(aiovm *, void *, aiovm_value *), void *ud,
                            void (*drop)(void *))
{
    return op && make ? complete(op, make, ud, drop) : AIOVM_INVALID;
}

aiovm_op *aiovm_op_retain(aiovm_op *op)
{
    if (!op) return NULL;
    ADD(&op->holds, 1);
    ADD(&op->refs, 1);
    return op;
}

static aiovm_status make_abandoned(aiovm *vm, void *ud, aiovm_value *out)
{
    (void)ud, (void)out;
    return aiovm_raise(vm, "RuntimeError", "the host has dropped the operation without a result");
}

void aiovm_op_release(aiovm_op *op)
{
    if (!op) return;
    if (!ADD(&op->holds, -1) && LOAD(&op->state) == OP_PENDING) complete(op, make_abandoned, NULL, NULL);
    op_unref(op);
}

bool aiovm_op_wanted(aiovm_op *op) { return op && LOAD(&op->state) == OP_PENDING; }

/* ---- operations: the VM's side ---- */

/* The op and its future part. The future is returned for whoever still needs it. */
static future *detach(vm *vm, aiovm_op *op)
{
    api *a = api_of(vm);
    runtime *rt = runtime_of(vm);
    future *f = op->fut;
    aiovm_op *moved = a->ops[--a->nops];
    a->ops[op->index] = moved;
    moved->index = op->index;
    moved->fut->result = value_int((int64_t)moved->index + 1);
    f->h.flags &= (uint16_t)~FUT_HOST;
    f->result = V_UNBOUND;
    op->fut = NULL;
    rt->host_ops--;
    rt->in_flight--;
    return f;
}

static void call_cancel(vm *vm, aiovm_op *op)
{
    api *a = api_of(vm);
    if (!op->cancel) return;
    a->no_script++;
    op->cancel(op->ud);
    a->no_script--;
}

/* The future was cancelled or finished by somebody else. */
static void hook_future(vm *vm, future *f)
{
    api *a = api_of(vm);
    aiovm_op *op = a->ops[value_as_int(f->result) - 1];
    detach(vm, op);
    bool wanted = op_move(op, OP_PENDING, OP_CANCELLED);
    if (!wanted) op_move(op, OP_QUEUED, OP_CANCELLED); /* its result is on the way: it will be dropped */
    else call_cancel(vm, op);
    op_unref(op);
}

static void finish(vm *vm, future *f, aiovm_status status, value v)
{
    if (future_state(f) != FUT_PENDING) return;
    if (status == AIOVM_OK) {
        future_finish(vm, f, v);
        return;
    }
    str *name = str_from_cstr(vm, "a host operation");
    api_throw(vm, status, name ? value_obj(name) : V_NONE);
    value exc = exc_take(vm);
    future_fail(vm, f, exc);
}

/* A completed op comes out of the queue. */
static void deliver(vm *vm, aiovm_op *op)
{
    if (!op_move(op, OP_QUEUED, OP_DONE)) {
        if (op->drop) op->drop(op->make_ud);
        return;
    }
    future *f = detach(vm, op);
    ROOTS(vm, &f);
    aiovm_value out = to_host(V_NONE);
    size_t mark = api_scope_begin(vm);
    api_forget_error(vm);
    aiovm_status status = op->make(outside(vm), op->make_ud, &out);
    value v = out.bits ? from_host(out) : V_NONE;
    finish(vm, f, status, v);
    api_scope_end(vm, mark);
    op_unref(op);
}

/* rt->host_queue: at the beginning of a turn. false: raised. */
static bool take_in(vm *vm)
{
    aiovm_handle *h = api_of(vm)->handle;
    if (LIKELY(!h || !LOAD(&h->first))) return true;
    post *p = take_queue(h);
    value first = V_UNBOUND; /* the others are not in its way */
    ROOTS(vm, &first);
    while (p) {
        post *next = p->next;
        if (raised(vm) && value_is_unbound(first)) first = exc_take(vm);
        if (raised(vm)) exc_clear(vm);
        if (p->op) {
            aiovm_op *op = p->op;
            deliver(vm, op);
            op_unref(op);
        } else {
            size_t mark = api_scope_begin(vm);
            p->fn(outside(vm), p->ud);
            api_scope_end(vm, mark);
            free(p);
        }
        p = next;
    }
    if (!value_is_unbound(first)) vm->thread->exc = first;
    return !raised(vm);
}

bool api_queue_waits(vm *vm)
{
    aiovm_handle *h = api_of(vm)->handle;
    return h && LOAD(&h->first) != NULL;
}

static bool ops_reserve(vm *vm, api *a)
{
    if (a->nops < a->capops) return true;
    size_t cap = a->capops ? a->capops * 2 : 16;
    aiovm_op **p = mem_realloc(vm, a->ops, a->capops * sizeof *p, cap * sizeof *p);
    if (!p) return false;
    a->ops = p;
    a->capops = cap;
    return true;
}

static value future_open(vm *vm, void (*cancel)(void *), void *ud, aiovm_op **out)
{
    api *a = api_of(vm);
    loop *l = api_loop(vm);
    aiovm_handle *h = l ? api_handle_of(vm) : NULL;
    if (!h || !ops_reserve(vm, a)) return V_ERROR;
    future *f = future_new(vm, l);
    aiovm_op *op = f ? calloc(1, sizeof *op) : NULL;
    if (!op) return f ? raise_memory(vm) : V_ERROR;
    *op = (aiovm_op){.refs = 2,
                     .holds = 1,
                     .handle = aiovm_handle_retain(h),
                     .index = a->nops,
                     .fut = f,
                     .cancel = cancel,
                     .ud = ud};
    a->ops[a->nops++] = op;
    f->h.flags |= FUT_HOST;
    f->result = value_int((int64_t)op->index + 1);
    runtime_of(vm)->host_ops++;
    runtime_of(vm)->in_flight++;
    *out = op;
    return value_obj(f);
}

aiovm_status aiovm_future(aiovm *host, void (*cancel)(void *), void *ud, aiovm_op **op, aiovm_value *out)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    if (!op) return api_invalid(out);
    *op = NULL;
    aiovm_status status = api_enter(vm, API_PLAIN, out);
    if (status) return status;
    status = api_leave(vm, API_PLAIN, future_open(vm, cancel, ud, op), out);
    if (status && *op) { /* no room in the scope */
        aiovm_op *lost = *op;
        *op = NULL;
        lost->cancel = NULL;
        aiovm_op_release(lost);
    }
    return status;
}

aiovm_status aiovm_resolve(aiovm *host, aiovm_op *op, aiovm_value v)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    if (!op || op->handle->vm != vm) return AIOVM_INVALID;
    aiovm_status status = api_enter(vm, API_PLAIN, NULL);
    if (status) return status;
    if (!op_move(op, OP_PENDING, OP_DONE)) return op_status(op);
    future *f = detach(vm, op);
    future_finish(vm, f, v.bits ? from_host(v) : V_NONE);
    op_unref(op);
    api_host_loop_changed(vm);
    return api_finish(vm, API_PLAIN, !raised(vm));
}

aiovm_status aiovm_reject(aiovm *host, aiovm_op *op, const char *type, const char *message)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    if (!op || op->handle->vm != vm || !type || !message) return AIOVM_INVALID;
    aiovm_status status = api_enter(vm, API_SCRIPT, NULL);
    if (status) return status;
    if (!op_move(op, OP_PENDING, OP_DONE)) {
        status = api_finish(vm, API_SCRIPT, true);
        return status ? status : op_status(op);
    }
    future *f = detach(vm, op);
    ROOTS(vm, &f);
    api_raise(vm, type, api_text(vm, message, AIOVM_ZTS));
    value exc = exc_take(vm);
    if (future_state(f) == FUT_PENDING) future_fail(vm, f, exc);
    op_unref(op);
    status = api_finish(vm, API_SCRIPT, !raised(vm));
    api_host_loop_changed(vm);
    return status;
}

/* ---- the end ---- */

void api_ops_mark(vm *vm)
{
    api *a = api_of(vm);
    for (size_t i = 0; i < a->nops; i++) gc_mark_obj(vm, &a->ops[i]->fut->h);
}

bool api_ops_open(vm *vm)
{
    runtime_of(vm)->host_queue = take_in;
    runtime_of(vm)->host_future = hook_future;
    return true;
}

/* Nothing runs any more: pending operations are cancelled. */
void api_ops_close(vm *vm)
{
    api *a = api_of(vm);
    while (a->nops) {
        aiovm_op *op = a->ops[a->nops - 1];
        detach(vm, op);
        if (op_move(op, OP_PENDING, OP_ENDED)) call_cancel(vm, op);
        else op_move(op, OP_QUEUED, OP_ENDED);
        op_unref(op);
    }
}

void api_handle_close(vm *vm)
{
    api *a = api_of(vm);
    aiovm_handle *h = a->handle;
    mem_free(vm, a->ops, a->capops * sizeof *a->ops);
    a->ops = NULL;
    a->capops = 0;
    if (!h) return;
    pthread_mutex_lock(&h->mutex);
    __atomic_store_n(&h->closed, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&h->mutex);
    while (LOAD(&h->users)) sched_yield();
    post *p = take_queue(h);
    while (p) {
        post *next = p->next;
        if (p->op) {
            aiovm_op *op = p->op;
            STORE(&op->state, OP_ENDED);
            if (op->drop) op->drop(op->make_ud);
            op_unref(op);
        } else {
            p->fn(NULL, p->ud);
            free(p);
        }
        p = next;
    }
    h->vm = NULL;
    a->handle = NULL;
    handle_unref(h);
}
