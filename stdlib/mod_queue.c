/* The module _queue: SimpleQueue, an unbounded queue between threads without anything but put and get.
 *
 * The items are a ring. Who finds it empty waits in the wait queue; put() wakes the first. */
#include "thread_module.h"
#include "time_module.h"
#include "vm/exception.h"

#define DOC_FILE stdlib_mod_queue
DOC_BEGIN;

typedef struct simple_queue {
    object h;
    value *slots;
    value *items;
    size_t head, len, cap; /* cap: a power of two, or 0 */
    wait_queue waiting;
} simple_queue;

static bool queue_grow(vm *vm, simple_queue *q)
{
    size_t cap = q->cap ? q->cap * 2 : 16, bytes;
    if (!size_mul(cap, sizeof *q->items, &bytes)) return !value_is_error(raise_memory(vm));
    value *items = mem_alloc(vm, bytes);
    if (!items) return false;
    for (size_t i = 0; i < q->len; i++) items[i] = q->items[(q->head + i) & (q->cap - 1)];
    mem_free(vm, q->items, q->cap * sizeof *q->items);
    q->items = items;
    q->cap = cap;
    q->head = 0;
    return true;
}

FN(queue_put)
{
    simple_queue *q = AS(simple_queue, args[0]);
    if (q->len == q->cap && !queue_grow(vm, q)) return V_ERROR;
    q->items[(q->head + q->len++) & (q->cap - 1)] = args[1];
    gc_barrier(vm, q);
    wait_queue_wake(vm, &q->waiting);
    return V_NONE;
}

/* What is there stays there; the caller takes it. */
static int try_get(vm *vm, value self)
{
    (void)vm;
    return AS(simple_queue, self)->len > 0;
}

static value queue_take(vm *vm, value self, int64_t ns)
{
    simple_queue *q = AS(simple_queue, self);
    int got = wait_queue_wait(vm, &q->waiting, ns, try_get, self);
    if (got < 0) return V_ERROR;
    if (!got) {
        value e = exc_make(vm, module_state_type(vm, STATE_QUEUE_EMPTY), NULL, 0);
        return value_is_error(e) ? e : raise_exception(vm, e);
    }
    value v = q->items[q->head];
    q->items[q->head] = V_UNBOUND;
    q->head = (q->head + 1) & (q->cap - 1);
    q->len--;
    return v;
}

FN(queue_get)
{
    int block = value_is_unbound(args[1]) ? 1 : obj_truth(vm, args[1]);
    if (block < 0) return V_ERROR;
    int64_t ns = -1;
    if (block && !wait_absent(args[2])) {
        if (!time_seconds_to_ns(vm, args[2], true, &ns)) return V_ERROR;
        if (ns < 0) return raise_value_error(vm, "'timeout' must be a non-negative number");
    }
    return queue_take(vm, args[0], block ? ns : 0);
}
FN(queue_get_nowait) { return queue_take(vm, args[0], 0); }
FN(queue_empty) { return value_bool(AS(simple_queue, args[0])->len == 0); }
FN(queue_qsize) { return value_int((int64_t)AS(simple_queue, args[0])->len); }

static value queue_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    (void)args;
    if (!args_none(vm, "SimpleQueue", n, kw)) return V_ERROR;
    void *q = userdata_new(vm, t);
    return q ? value_obj(q) : V_ERROR;
}
static void queue_traverse(vm *vm, object *o)
{
    simple_queue *q = (simple_queue *)(void *)o;
    for (size_t i = 0; i < q->len; i++) gc_mark_value(vm, q->items[(q->head + i) & (q->cap - 1)]);
}
static void queue_free(vm *vm, object *o)
{
    simple_queue *q = (simple_queue *)(void *)o;
    mem_free(vm, q->items, q->cap * sizeof *q->items);
}
static void queue_fill(struct type_slots *s) { s->new_ = queue_new; }

bool queue_module_init(vm *vm, module *m)
{
    static const native_def methods[] = {
        {"put(self, item, block=True, timeout=None)", queue_put, DOC("Put the item on the queue; never waits."), 0},
        {"put_nowait(self, item)", queue_put, DOC("Put the item on the queue."), 0},
        {"get(self, block=True, timeout=None)", queue_get,
         DOC("Take the oldest item; waits for one, at most timeout seconds. Raises Empty when there is none."), 0},
        {"get_nowait(self)", queue_get_nowait, DOC("Take the oldest item, or raise Empty."), 0},
        {"empty(self)", queue_empty, DOC("Is the queue empty (for now)?"), 0},
        {"qsize(self)", queue_qsize, DOC("How many items are there (for now)?"), 0},
        CLASS_GETITEM_METHOD,
        {0},
    };
    static const type_layout layout = {
        .size = sizeof(simple_queue) - sizeof(userdata), .traverse = queue_traverse, .free = queue_free};
    static const type_spec spec = {.name = "_queue.SimpleQueue",
                                   .doc = "Simple, unbounded, reentrant FIFO queue.",
                                   .layout = &layout,
                                   .methods = methods,
                                   .flags = TF_BASE,
                                   .fill = queue_fill};
    static const type_spec empty = {.name = "_queue.Empty",
                                    .doc = "Exception raised by Queue.get(block=0)/get_nowait().",
                                    .base_id = EXC_Exception,
                                    .flags = TF_BASE};
    return module_add_type(vm, m, STATE_QUEUE_EMPTY, &empty) && module_add_type(vm, m, STATE_SIMPLE_QUEUE, &spec);
}
