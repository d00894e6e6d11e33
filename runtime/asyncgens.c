/* Asynchronous generators and the loop: it knows those that were started in it, closes one that is dropped half-way by
 * a task of its own, and closes the rest in shutdown_asyncgens().
 *
 * l->asyncgens is a list of weak references; dead ones are dropped when it has grown to double its live size.
 */
#include "runtime/loop.h"
#include "vm/list.h"
#include "vm/weakref.h"

static bool remember(vm *vm, loop *l, value gen)
{
    if (!IS_LIST(l->asyncgens)) {
        list *fresh = list_new(vm, 4);
        if (!fresh) return false;
        l->asyncgens = value_obj(fresh);
        gc_barrier(vm, l);
    }
    list *all = AS(list, l->asyncgens);
    if (all->len >= 16 && all->len >= 2 * l->live_asyncgens) {
        size_t n = 0;
        for (size_t i = 0; i < all->len; i++)
            if (!value_is_none(weakref_get(all->items[i]))) all->items[n++] = all->items[i];
        list_moved(vm, all);
        all->len = n;
        l->live_asyncgens = n < 8 ? 8 : n;
    }
    value ref = weakref_new(vm, gen, V_UNBOUND);
    return !value_is_error(ref) && list_push(vm, all, ref);
}

static void forget(loop *l, value gen)
{
    if (!IS_LIST(l->asyncgens)) return;
    list *all = AS(list, l->asyncgens);
    for (size_t i = 0; i < all->len; i++) {
        if (!value_is(weakref_get(all->items[i]), gen)) continue;
        all->items[i] = all->items[--all->len];
        return;
    }
}

static void first_iteration(vm *vm, callback_obj *cb, value gen)
{
    loop *l = AS(loop, cb->a);
    ROOTS(vm, &l, &gen);
    if (l->shutdown_asyncgens_called &&
        !warn(vm, EXC_ResourceWarning, "asynchronous generator %R was scheduled after loop.shutdown_asyncgens() call",
              gen))
        return;
    remember(vm, l, gen);
}

static void dropped(vm *vm, callback_obj *cb, value gen)
{
    loop *l = AS(loop, cb->a);
    forget(l, gen);
    if (l->closed) return;
    ROOTS(vm, &l, &gen);
    value close = vm_call_method(vm, gen, N(vm, aclose), NULL, 0);
    if (value_is_error(close)) return;
    /* As call_soon(loop.create_task, agen.aclose()): the task begins one turn later. */
    value create = obj_getattr(vm, value_obj(l), str_intern_utf8(vm, "create_task", 11));
    if (value_is_error(create)) return;
    frame *wrapped = stub_await_any(vm, close);
    if (!wrapped) return;
    value arg = value_obj(wrapped);
    handle *h = handle_new(vm, l, create, &arg, 1, V_UNBOUND, 0, false);
    if (h) loop_push(vm, l, value_obj(h), V_UNBOUND);
}

bool asyncgen_hooks_install(vm *vm, loop *l)
{
    callback_obj *first = callback_new(vm, first_iteration, value_obj(l), V_UNBOUND, V_UNBOUND);
    callback_obj *fin = first ? callback_new(vm, dropped, value_obj(l), V_UNBOUND, V_UNBOUND) : NULL;
    if (!fin) return false;
    vm->thread->asyncgen_firstiter = value_obj(first);
    vm->thread->asyncgen_finalizer = value_obj(fin);
    return true;
}

/* r[1]: the generators that are being closed. */
enum nstep shutdown_asyncgens_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    loop *l = AS(loop, r[0]);
    if (value_is_unbound(r[1])) {
        l->shutdown_asyncgens_called = true;
        *out = V_NONE;
        list *gens = list_new(vm, 0), *closing = gens ? list_new(vm, 0) : NULL;
        if (!closing) return NSTEP_ERROR;
        r[1] = value_obj(gens);
        ROOTS(vm, &closing);
        for (size_t i = 0; IS_LIST(l->asyncgens) && i < AS(list, l->asyncgens)->len; i++) {
            value gen = weakref_get(AS(list, l->asyncgens)->items[i]);
            if (!value_is_none(gen) && frame_state(AS(frame, gen)) != FRAME_DONE && !list_append(vm, gens, gen))
                return NSTEP_ERROR;
        }
        l->asyncgens = V_UNBOUND;
        if (!gens->len) return NSTEP_DONE;
        for (size_t i = 0; i < gens->len; i++) {
            value c = vm_call_method(vm, gens->items[i], N(vm, aclose), NULL, 0);
            if (value_is_error(c) || !list_append(vm, closing, c)) return NSTEP_ERROR;
        }
        *out = gather_values(vm, closing->items, closing->len, true);
        return value_is_error(*out) ? NSTEP_ERROR : NSTEP_AWAIT;
    }
    if (value_is_unbound(sent)) return NSTEP_ERROR;
    ROOTS(vm, &sent);
    list *gens = AS(list, r[1]);
    for (size_t i = 0; IS_LIST(sent) && i < AS(list, sent)->len && i < gens->len; i++) {
        value v = AS(list, sent)->items[i];
        if (!IS_EXC(v) || !value_isa_id(vm, v, EXC_Exception)) continue;
        str *msg = str_format(vm, "an error occurred during closing of asynchronous generator %R", gens->items[i]);
        if (msg) loop_report(vm, l, value_obj(msg), "exception", v, "asyncgen", gens->items[i], NULL);
    }
    if (raised(vm)) return NSTEP_ERROR;
    *out = V_NONE;
    return NSTEP_DONE;
}
