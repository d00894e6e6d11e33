/* Builtin iterators: objects of kind K_ITER. What the fields mean, by type:
 *
 *   list, list reverse, tuple, str, bytes, bytearray, memory, sequence
 *                           a: the sequence, unbound when exhausted; i: position (the reverse one: position + 1)
 *   range                   a: start, b: step, both small or 64-bit; i: items given out, n: length
 *   longrange               a: next value, b: step, c: items left
 *   dict (all six)          a: the dict, unbound when exhausted; i: next entry (reverse: + 1), n: `used` at the
 *                           start, b: items left, an int
 *   set                     a: the set, unbound when exhausted; i: next table position, n: `used` at the start,
 *                           b: items left
 *   callable                a: the callable, unbound when exhausted; b: the sentinel
 *   reversed                a: the sequence, unbound when exhausted; i: position + 1
 *   enumerate               a: the iterator, b: the next number
 *   zip                     a: tuple of iterators; b: strict
 *   map                     a: tuple of iterators; b: the function
 *   filter                  a: the iterator; b: the function or None
 */
#ifndef AIO_ITER_H
#define AIO_ITER_H

#include "types_api.h"

value iter_new(vm *vm, unsigned type_id, value a);        /* error: raised */
value iter_new_callable(vm *vm, value f, value sentinel); /* iter(f, sentinel) */

value iter_too_deep(vm *vm); /* RecursionError */

/* The next item: V_STOP exhausted, error: raised. `it` comes from obj_iter. A `next` slot may also end by raising
 * StopIteration (a generator that returns a value does): here that is the end like any other. */
static inline value iter_step(vm *vm, value it)
{
    /* Iterators over iterators over ... recurse through here. */
    if (UNLIKELY((uintptr_t)__builtin_frame_address(0) < vm->thread->c_stack_low)) return iter_too_deep(vm);
    uint32_t shape = value_as_obj(it)->shape;
    unary_fn next = LIKELY(shape < TYPE_COUNT) ? vm->types[shape]->s.next : vm->shapes[shape]->cls->s.next;
    value v = LIKELY(next != NULL) ? next(vm, it) : obj_next(vm, it);
    if (UNLIKELY(value_is_error(v)) && exc_clear_if(vm, EXC_StopIteration)) return V_STOP;
    return v;
}

/* The next item of an iterator over a list or a tuple, without a call; false: `it` is another iterator. */
static inline bool iter_take_flat(value it, value *v)
{
    uint32_t shape = value_as_obj(it)->shape;
    if (shape != TYPE_LIST_ITER && shape != TYPE_TUPLE_ITER) return false;
    iter *i = AS(iter, it);
    *v = V_STOP;
    if (UNLIKELY(value_is_unbound(i->a))) return true;
    const value *items = shape == TYPE_LIST_ITER ? AS(list, i->a)->items : AS(tuple, i->a)->items;
    size_t n = shape == TYPE_LIST_ITER ? AS(list, i->a)->len : AS(tuple, i->a)->len;
    if (LIKELY(i->i < n)) *v = items[i->i++];
    else i->a = V_UNBOUND;
    return true;
}
/* iter_step where lists and tuples are walked often. */
static inline value iter_step_near(vm *vm, value it)
{
    value v;
    return iter_take_flat(it, &v) ? v : iter_step(vm, it);
}

/* As iter_step, but a StopIteration stays raised: what only passes items on passes it on, too. */
static inline value iter_step_raw(vm *vm, value it)
{
    if (UNLIKELY((uintptr_t)__builtin_frame_address(0) < vm->thread->c_stack_low)) return iter_too_deep(vm);
    uint32_t shape = value_as_obj(it)->shape;
    unary_fn next = LIKELY(shape < TYPE_COUNT) ? vm->types[shape]->s.next : vm->shapes[shape]->cls->s.next;
    return LIKELY(next != NULL) ? next(vm, it) : obj_next(vm, it);
}

/* The next item of a zip or enumerate, in its n parts instead of as a tuple. 1: done, 0: exhausted, -1: raised (perhaps
 * StopIteration), `other`: the items have another length, nothing was done. */
int iter_step_parts(vm *vm, value it, uint32_t n, value *parts, int other);

/* iter_reduce.c */
#define ITER_METHOD(NAME) value NAME(vm *vm, value *args, uint32_t nargs, value kwnames)
ITER_METHOD(iter_reduce_seq);
ITER_METHOD(iter_setstate_seq);
ITER_METHOD(iter_reduce_items);
ITER_METHOD(iter_reduce_range);
ITER_METHOD(iter_setstate_range);
ITER_METHOD(iter_reduce_parts);
ITER_METHOD(iter_setstate_zip);

value dict_iter_new(vm *vm, unsigned type_id, dict *d); /* dict_view.c */

#endif
