/* sleep(): no more than a Future that a timer finishes; a delay of 0 is one trip through the loop and nothing else.
 *
 * `await sleep(0)` in a coroutine of a task does not come here at all (NATIVE_PASSES, interp_call.inc): the coroutine
 * yields by itself, and one of sleep() is made only for who looks at its cr_await (async_native_passing).
 */
#include "runtime/asyncio.h"
#include "vm/native.h"

/* r[0] delay, r[1] result, r[2] what is going on: unbound at the start, True after the bare yield, else the Future. */
enum nstep sleep_step(vm *vm, frame *f, value *r, value sent, value *out)
{
    (void)f;
    if (!value_is_unbound(r[2])) {
        *out = value_is_unbound(r[1]) ? V_NONE : r[1];
        return value_is_unbound(sent) ? NSTEP_ERROR : NSTEP_DONE;
    }
    double delay;
    if (value_is_int(r[0])) {
        delay = (double)value_as_int(r[0]);
    } else if (value_is_float(r[0])) {
        delay = value_as_float(r[0]);
    } else {
        value le = obj_compare(vm, r[0], value_int(0), CMP_LE);
        int not_positive = value_is_error(le) ? -1 : obj_truth(vm, le);
        if (not_positive < 0 || (!not_positive && !float_as_double(vm, r[0], &delay))) return NSTEP_ERROR;
        if (not_positive) delay = 0;
    }
    if (delay <= 0) {
        r[2] = V_TRUE;
        *out = V_NONE;
        return NSTEP_YIELD;
    }
    if (delay != delay) {
        raise_value_error(vm, "Invalid delay: NaN (not a number)");
        return NSTEP_ERROR;
    }
    loop *l = loop_running_or_raise(vm);
    future *fut = l ? future_new(vm, l) : NULL;
    if (!fut) return NSTEP_ERROR;
    r[2] = value_obj(fut);
    if (!loop_finish_later(vm, l, delay, fut, value_is_unbound(r[1]) ? V_NONE : r[1])) return NSTEP_ERROR;
    *out = r[2];
    return NSTEP_AWAIT;
}
