/* Queue, PriorityQueue, LifoQueue.
 *
 * A plain Queue keeps its items in a ring, the other two in a list (a heap, a stack), which is what their _queue is. A
 * subclass in script that redefines _init, _put or _get is served through those methods, and counted by
 * len(self._queue).
 */
#include "runtime/asyncio.h"
#include "runtime/locks.h"
#include "vm/attr.h"
#include "vm/list.h"
#include "vm/native.h"

#define DOC_FILE runtime_queue
DOC_BEGIN;

enum queue_kind { QUEUE_FIFO, QUEUE_PRIORITY, QUEUE_LIFO };
typedef struct queue {
    object h;
    value *slots;
    loop *loop;
    waiters getters, putters, items;
    value store;   /* list of the other kinds; or whatever a subclass has set as _queue; unbound: items */
    value maxsize; /* as given */
    int64_t limit; /* maxsize as a number; <= 0: none */
    int64_t unfinished;
    value taker; /* the task that took the last item, while some are unfinished: for reports */
    event *finished;
    uint8_t kind;
    bool custom; /* the class redefines _put or _get */
    bool shutdown;
} queue;

/* ---- the store ---- */

static int64_t queue_size(vm *vm, queue *q)
{
    if (LIKELY(value_is_unbound(q->store))) return (int64_t)q->items.len;
    if (value_is_exact(q->store, TYPE_LIST)) return (int64_t)AS(list, q->store)->len;
    return obj_len(vm, q->store);
}
static int is_empty(vm *vm, queue *q)
{
    int64_t n = queue_size(vm, q);
    return n < 0 ? -1 : n == 0;
}
static int is_full(vm *vm, queue *q)
{
    if (q->limit <= 0) return 0;
    int64_t n = queue_size(vm, q);
    return n < 0 ? -1 : n >= q->limit;
}

static int less(vm *vm, value a, value b)
{
    if (value_both_int(a, b)) return a.bits < b.bits;
    return obj_compare_bool(vm, a, b, CMP_LT);
}
/* heapq's two movements, its comparisons in its order. Comparing may run script: the list is looked at afresh each
 * time. */
static bool sift_down(vm *vm, list *l, size_t start, size_t pos)
{
    value item = l->items[pos];
    ROOTS(vm, &item, &l);
    while (pos > start) {
        size_t up = (pos - 1) >> 1;
        value parent = l->items[up];
        ROOTS(vm, &parent);
        int lt = less(vm, item, parent);
        if (lt < 0) return false;
        if (pos >= l->len) {
            raise(vm, EXC_RuntimeError, "list changed size during iteration");
            return false;
        }
        if (!lt) break;
        l->items[pos] = parent;
        list_barrier(vm, l, pos);
        pos = up;
        l->items[pos] = item;
        list_barrier(vm, l, pos);
    }
    return true;
}
static bool sift_up(vm *vm, list *l, size_t pos)
{
    size_t start = pos, end = l->len;
    ROOTS(vm, &l);
    while (2 * pos + 1 < end) {
        size_t child = 2 * pos + 1;
        if (child + 1 < end) {
            int lt = less(vm, l->items[child], l->items[child + 1]);
            if (lt < 0) return false;
            if (l->len != end) {
                raise(vm, EXC_RuntimeError, "list changed size during iteration");
                return false;
            }
            if (!lt) child++;
        }
        value v = l->items[child];
        l->items[child] = l->items[pos];
        l->items[pos] = v;
        list_barrier(vm, l, child);
        list_barrier(vm, l, pos);
        pos = child;
    }
    return sift_down(vm, l, start, pos);
}

static value own_list(vm *vm, queue *q)
{
    if (!value_is_exact(q->store, TYPE_LIST))
        return raise_type_error(vm, "list argument must be a list, not %T", q->store);
    return q->store;
}

/* Queue._put and so on, as the class of C has them. */
static bool store_put(vm *vm, queue *q, value v)
{
    if (q->kind == QUEUE_FIFO && value_is_unbound(q->store)) return waiters_push(vm, q, &q->items, v);
    if (q->kind == QUEUE_FIFO) return !value_is_error(vm_call_method(vm, q->store, N(vm, append), &v, 1));
    value lv = own_list(vm, q);
    if (value_is_error(lv)) return false;
    list *l = AS(list, lv);
    return list_append(vm, l, v) && (q->kind == QUEUE_LIFO || sift_down(vm, l, 0, l->len - 1));
}
static value store_get(vm *vm, queue *q)
{
    if (q->kind == QUEUE_FIFO) {
        if (!value_is_unbound(q->store))
            return vm_call_method(vm, q->store, str_intern_utf8(vm, "popleft", 7), NULL, 0);
        if (!q->items.len) return raise(vm, EXC_IndexError, "pop from an empty deque");
        return waiters_pop(&q->items);
    }
    value lv = own_list(vm, q);
    if (value_is_error(lv)) return V_ERROR;
    list *l = AS(list, lv);
    if (!l->len) return raise(vm, EXC_IndexError, q->kind == QUEUE_LIFO ? "pop from empty list" : "index out of range");
    value last = l->items[l->len - 1];
    list_truncate(vm, l, l->len - 1);
    if (q->kind == QUEUE_LIFO || !l->len) return last;
    value first = l->items[0];
    l->items[0] = last;
    list_barrier(vm, l, 0);
    ROOTS(vm, &first);
    return sift_up(vm, l, 0) ? first : V_ERROR;
}

static bool put_item(vm *vm, queue *q, value v)
{
    if (LIKELY(!q->custom)) return store_put(vm, q, v);
    return !value_is_error(vm_call_method(vm, value_obj(q), str_intern_utf8(vm, "_put", 4), &v, 1));
}
static value get_item(vm *vm, queue *q)
{
    return LIKELY(!q->custom) ? store_get(vm, q)
                              : vm_call_method(vm, value_obj(q), str_intern_utf8(vm, "_get", 4), NULL, 0);
}

/* ---- putting and getting ---- */

static bool put_nowait(vm *vm, queue *q, value v)
{
    if (UNLIKELY(q->shutdown)) {
        raise(vm, EXC_QueueShutDown, NULL);
        return false;
    }
    int full = is_full(vm, q);
    if (full < 0) return false;
    if (full) {
        raise(vm, EXC_QueueFull, NULL);
        return false;
    }
    ROOTS(vm, &q);
    if (!put_item(vm, q, v)) return false;
    q->unfinished++;
    q->finished->is_set = false;
    waiters_pop_and_wake(vm, &q->getters);
    return true;
}

static value get_nowait(vm *vm, queue *q)
{
    int empty = is_empty(vm, q);
    if (empty < 0) return V_ERROR;
    if (empty) return raise(vm, q->shutdown ? EXC_QueueShutDown : EXC_QueueEmpty, NULL);
    ROOTS(vm, &q);
    value v = get_item(vm, q);
    if (value_is_error(v)) return v;
    q->taker = vm->thread->current_task;
    gc_barrier(vm, q);
    waiters_pop_and_wake(vm, &q->putters);
    return v;
}

value queue_holder(vm *vm, value v)
{
    type *t = runtime_of(vm)->types[RT_QUEUE];
    return t && value_isa(vm, v, t) && AS(queue, v)->unfinished > 0 ? AS(queue, v)->taker : V_UNBOUND;
}

/* A getter or putter that was cancelled: what it had been woken for goes to the next. */
static enum nstep give_up(vm *vm, queue *q, waiters *w, value *fut, bool putting)
{
    value exc = exc_take(vm);
    ROOTS(vm, &exc, &q);
    future *f = AS(future, *fut);
    if (future_state(f) == FUT_PENDING) future_cancelled(vm, f, V_UNBOUND, V_UNBOUND);
    waiters_remove(w, *fut);
    int blocked = putting ? is_full(vm, q) : is_empty(vm, q);
    if (!blocked && future_state(f) != FUT_CANCELLED) waiters_pop_and_wake(vm, w);
    vm->thread->exc = exc;
    return NSTEP_ERROR;
}

static enum nstep wait_in(vm *vm, queue *q, waiters *w, value *fut, value *out)
{
    loop *l = bound_loop(vm, value_obj(q), &q->loop);
    future *f = l ? waiters_wait(vm, q, w, l) : NULL;
    if (!f) return NSTEP_ERROR;
    *out = *fut = value_obj(f);
    return NSTEP_AWAIT;
}

/* r: self item | future */
static enum nstep put_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    queue *q = AS(queue, r[0]);
    if (UNLIKELY(value_is_unbound(sent))) return give_up(vm, q, &q->putters, &r[2], true);
    if (!q->shutdown) {
        int full = is_full(vm, q);
        if (full < 0) return NSTEP_ERROR;
        if (full) return wait_in(vm, q, &q->putters, &r[2], out);
    }
    *out = V_NONE;
    return put_nowait(vm, q, r[1]) ? NSTEP_DONE : NSTEP_ERROR;
}
/* r: self | future */
static enum nstep get_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    queue *q = AS(queue, r[0]);
    if (UNLIKELY(value_is_unbound(sent))) return give_up(vm, q, &q->getters, &r[1], false);
    int empty = is_empty(vm, q);
    if (empty < 0) return NSTEP_ERROR;
    if (empty && !q->shutdown) return wait_in(vm, q, &q->getters, &r[1], out);
    *out = get_nowait(vm, q);
    return value_is_error(*out) ? NSTEP_ERROR : NSTEP_DONE;
}
/* r: self | future */
static enum nstep join_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    queue *q = AS(queue, r[0]);
    *out = V_NONE;
    if (value_is_unbound(r[1]) && q->unfinished <= 0) return NSTEP_DONE;
    enum nstep s = event_wait(vm, q->finished, &r[1], sent, out);
    if (s == NSTEP_DONE) *out = V_NONE;
    return s;
}

static value m_put_nowait(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return put_nowait(vm, AS(queue, a[0]), a[1]) ? V_NONE : V_ERROR;
}
static value m_get_nowait(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return get_nowait(vm, AS(queue, a[0]));
}
static value m_task_done(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    queue *q = AS(queue, a[0]);
    if (q->unfinished <= 0) return raise_value_error(vm, "task_done() called too many times");
    if (--q->unfinished == 0) {
        q->taker = V_UNBOUND;
        event_set(vm, q->finished);
    }
    return raised(vm) ? V_ERROR : V_NONE;
}
static value m_shutdown(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    queue *q = AS(queue, a[0]);
    int immediate = value_is_unbound(a[1]) ? 0 : obj_truth(vm, a[1]);
    if (immediate < 0) return V_ERROR;
    q->shutdown = true;
    while (immediate) {
        int empty = is_empty(vm, q);
        if (empty < 0 || (!empty && value_is_error(get_item(vm, q)))) return V_ERROR;
        if (empty) break;
        if (q->unfinished > 0) q->unfinished--;
    }
    if (immediate && q->unfinished == 0) event_set(vm, q->finished);
    while (q->getters.len) waiters_pop_and_wake(vm, &q->getters);
    while (q->putters.len) waiters_pop_and_wake(vm, &q->putters);
    return raised(vm) ? V_ERROR : V_NONE;
}
static value m_qsize(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int64_t size = queue_size(vm, AS(queue, a[0]));
    return size < 0 ? V_ERROR : value_int(size);
}
static value m_empty(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int e = is_empty(vm, AS(queue, a[0]));
    return e < 0 ? V_ERROR : value_bool(e);
}
static value m_full(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    int e = is_full(vm, AS(queue, a[0]));
    return e < 0 ? V_ERROR : value_bool(e);
}

/* What subclasses redefine. */
static value m_init(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    queue *q = AS(queue, a[0]);
    q->items.len = 0;
    if (q->kind == QUEUE_FIFO) {
        q->store = V_UNBOUND;
        return V_NONE;
    }
    list *l = list_new(vm, 0);
    if (!l) return V_ERROR;
    q->store = value_obj(l);
    gc_barrier(vm, q);
    return V_NONE;
}
static value m_put_item(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return store_put(vm, AS(queue, a[0]), a[1]) ? V_NONE : V_ERROR;
}
static value m_get_item(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    return store_get(vm, AS(queue, a[0]));
}

static value items_list(vm *vm, queue *q)
{
    if (!value_is_unbound(q->store)) return q->store;
    list *l = list_new(vm, q->items.len);
    for (size_t i = 0; l && i < q->items.len; i++)
        if (!list_append(vm, l, waiters_at(&q->items, i))) return V_ERROR;
    return l ? value_obj(l) : V_ERROR;
}
static value get_queue(vm *vm, value self) { return items_list(vm, AS(queue, self)); }
static bool put_queue(vm *vm, value self, value v)
{
    AS(queue, self)->store = v;
    gc_barrier(vm, value_as_obj(self));
    return true;
}
static value get_maxsize(vm *vm, value self)
{
    (void)vm;
    return AS(queue, self)->maxsize;
}
static value get_unfinished(vm *vm, value self)
{
    (void)vm;
    return value_int(AS(queue, self)->unfinished);
}
static value futures_list(vm *vm, const waiters *w)
{
    list *l = list_new(vm, w->len);
    for (size_t i = 0; l && i < w->len; i++)
        if (!list_append(vm, l, waiters_at(w, i))) return V_ERROR;
    return l ? value_obj(l) : V_ERROR;
}
static value get_getters(vm *vm, value self) { return futures_list(vm, &AS(queue, self)->getters); }
static value get_putters(vm *vm, value self) { return futures_list(vm, &AS(queue, self)->putters); }
static value get_finished(vm *vm, value self)
{
    (void)vm;
    return value_obj(AS(queue, self)->finished);
}

static str *format(vm *vm, queue *q)
{
    ROOTS(vm, &q);
    str *s = str_format(vm, "maxsize=%R", q->maxsize);
    ROOTS(vm, &s);
    int empty = s ? is_empty(vm, q) : -1;
    if (empty < 0) return NULL;
    if (!empty) {
        value items = items_list(vm, q);
        if (value_is_error(items)) return NULL;
        ROOTS(vm, &items);
        list *l = obj_to_list(vm, items);
        s = l ? str_format(vm, "%U _queue=%R", value_obj(s), value_obj(l)) : NULL;
    }
    if (s && q->getters.len) s = str_format(vm, "%U _getters[%zu]", value_obj(s), q->getters.len);
    if (s && q->putters.len) s = str_format(vm, "%U _putters[%zu]", value_obj(s), q->putters.len);
    if (s && q->unfinished) s = str_format(vm, "%U tasks=%ld", value_obj(s), q->unfinished);
    if (s && q->shutdown) s = str_format(vm, "%U shutdown", value_obj(s));
    return s;
}
static value m_format(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    str *s = format(vm, AS(queue, a[0]));
    return s ? value_obj(s) : V_ERROR;
}
static value queue_repr(vm *vm, value self)
{
    char buf[20];
    str *s = format(vm, AS(queue, self));
    s = s ? str_format(vm, "<%U at %s %U>", type_of(vm, self)->name, address_text(value_as_obj(self), buf),
                       value_obj(s))
          : NULL;
    return s ? value_obj(s) : V_ERROR;
}
static value queue_str(vm *vm, value self)
{
    str *s = format(vm, AS(queue, self));
    s = s ? str_format(vm, "<%U %U>", type_of(vm, self)->name, value_obj(s)) : NULL;
    return s ? value_obj(s) : V_ERROR;
}
static value m_class_getitem(vm *vm, value *a, uint32_t n, value kw)
{
    (void)n, (void)kw;
    value args[2] = {a[0], a[1]};
    return vm_call(vm, value_obj(T(vm, GENERIC_ALIAS)), args, 2);
}

/* ---- making one ---- */

static bool redefined(vm *vm, type *t, const char *name)
{
    str *s = str_intern_utf8(vm, name, strlen(name));
    value f = type_lookup(vm, t, s);
    return !value_is_kind(f, K_NATIVE);
}

static value queue_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    runtime *rt = runtime_of(vm);
    value v = zeroed_slot_new(vm, t, args, n, kw);
    event *e = value_is_error(v) ? NULL : event_new(vm, true);
    if (!e) return V_ERROR;
    queue *q = AS(queue, v);
    q->finished = e;
    q->maxsize = value_int(0);
    q->kind = type_is_subtype(t, rt->types[RT_PRIORITY_QUEUE]) ? QUEUE_PRIORITY
              : type_is_subtype(t, rt->types[RT_LIFO_QUEUE])   ? QUEUE_LIFO
                                                               : QUEUE_FIFO;
    q->custom = type_is_heap(t) && (redefined(vm, t, "_put") || redefined(vm, t, "_get"));
    return value_is_error(m_init(vm, &v, 1, V_UNBOUND)) ? V_ERROR : v;
}
static bool queue_init(vm *vm, value self, value *args, uint32_t n, value kw)
{
    value out[1];
    if (!args_bind(vm, "Queue.__init__(maxsize=0)", args, n, kw, out)) return false;
    queue *q = AS(queue, self);
    if (!value_is_unbound(out[0])) {
        q->maxsize = out[0];
        gc_barrier(vm, q);
        if (int_is(out[0])) {
            if (!int_to_i64(vm, int_plain(vm, out[0]), &q->limit))
                q->limit = int_sign(vm, int_plain(vm, out[0])) < 0 ? 0 : INT64_MAX;
        } else { /* CPython compares it with numbers, so a float does */
            double d;
            if (!float_as_double(vm, out[0], &d)) return false;
            q->limit = d > 0 ? (d < 9e18 ? (int64_t)d + (d != (double)(int64_t)d) : INT64_MAX) : 0;
        }
    }
    if (type_is_heap(type_of(vm, self)) && redefined(vm, type_of(vm, self), "_init"))
        return !value_is_error(vm_call_method(vm, self, str_intern_utf8(vm, "_init", 5), &q->maxsize, 1));
    return true;
}
static void queue_traverse(vm *vm, object *o)
{
    queue *q = (queue *)(void *)o;
    gc_mark_obj(vm, q->loop ? &q->loop->h : NULL);
    waiters_mark(vm, &q->getters);
    waiters_mark(vm, &q->putters);
    waiters_mark(vm, &q->items);
    gc_mark_value(vm, q->store);
    gc_mark_value(vm, q->taker);
    gc_mark_value(vm, q->maxsize);
    gc_mark_obj(vm, q->finished ? &q->finished->h : NULL);
}
static void queue_free(vm *vm, object *o)
{
    queue *q = (queue *)(void *)o;
    waiters_free(vm, &q->getters);
    waiters_free(vm, &q->putters);
    waiters_free(vm, &q->items);
}
static void queue_fill(struct type_slots *s)
{
    s->new_ = queue_new;
    s->init = queue_init;
    s->repr = queue_repr;
    s->str_ = queue_str;
}

bool queue_types_open(vm *vm)
{
    runtime *rt = runtime_of(vm);
    static const native_def methods[] = {
        NATIVE_ASYNC_DEF("put(self, item)", put_step, DOC("Put an item in, waiting for room."), 1),
        NATIVE_ASYNC_DEF("get(self)", get_step, DOC("Take an item out, waiting for one."), 1),
        NATIVE_ASYNC_DEF("join(self)", join_step, DOC("Wait until task_done() was called for every item."), 1),
        {"put_nowait(self, item)", m_put_nowait, DOC("Put an item in, or raise QueueFull."), 0},
        {"get_nowait(self)", m_get_nowait, DOC("Take an item out, or raise QueueEmpty."), 0},
        {"task_done(self)", m_task_done, DOC("An item taken out has been worked on."), 0},
        {"shutdown(self, immediate=False)", m_shutdown,
         DOC("No more items come in; immediate: drop those that are there."), 0},
        {"qsize(self)", m_qsize, DOC("How many items are in it."), 0},
        {"empty(self)", m_empty, DOC("Is it empty?"), 0},
        {"full(self)", m_full, DOC("Are there maxsize items in it?"), 0},
        {"_format(self)", m_format, NULL, 0},
        {"_init(self, maxsize)", m_init, NULL, 0},
        {"_put(self, item)", m_put_item, NULL, 0},
        {"_get(self)", m_get_item, NULL, 0},
        {"__class_getitem__(cls, item, /)", m_class_getitem, NULL, NATIVE_CLASS},
        {0},
    };
    static const getset_def getsets[] = {
        {"maxsize", get_maxsize, NULL, NULL},    {"_maxsize", get_maxsize, NULL, NULL},
        {"_queue", get_queue, put_queue, NULL},  {"_unfinished_tasks", get_unfinished, NULL, NULL},
        {"_getters", get_getters, NULL, NULL},   {"_putters", get_putters, NULL, NULL},
        {"_finished", get_finished, NULL, NULL}, {0}};
    static const type_layout layout = {
        .size = sizeof(queue) - sizeof(userdata), .traverse = queue_traverse, .free = queue_free};
    static const type_spec q = {.name = "asyncio.queues.Queue",
                                .doc = "First in, first out.",
                                .layout = &layout,
                                .methods = methods,
                                .getsets = getsets,
                                .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                .fill = queue_fill};
    static const type_spec p = {.name = "asyncio.queues.PriorityQueue",
                                .doc = "Lowest first.",
                                .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                .fill = queue_fill};
    static const type_spec l = {.name = "asyncio.queues.LifoQueue",
                                .doc = "Last in, first out.",
                                .flags = TF_BASE | TF_HAS_DICT | TF_PLAIN_NAME,
                                .fill = queue_fill};
    if (!(rt->types[RT_QUEUE] = type_from_spec(vm, &q))) return false;
    rt->types[RT_PRIORITY_QUEUE] = type_derive(vm, &p, rt->types[RT_QUEUE]);
    return rt->types[RT_PRIORITY_QUEUE] && (rt->types[RT_LIFO_QUEUE] = type_derive(vm, &l, rt->types[RT_QUEUE]));
}
