/* C functions as script callables: calling them, and binding arguments by a signature. */
#ifndef AIO_NATIVE_H
#define AIO_NATIVE_H

#include "vm.h"

/* header.flags, beyond those of native_def */
enum native_object_flags {
    NATIVE_METHOD = 64,    /* args[0] must be an instance of owner (a class method: a subtype) */
    NATIVE_WRAPPER = 128,  /* wrapper_descriptor: data is the row in the table of dunders */
    NATIVE_VARKW = 256,    /* raw, and takes keywords */
    NATIVE_KWREQ = 512,    /* has a required keyword-only parameter */
    NATIVE_HOST = 1024,    /* a function of the embedding host: vm->hooks.host_call */
    NATIVE_KWONLY = 4096,  /* has keyword-only parameters; 2048 is NATIVE_CONSUMES */
    NATIVE_PASSES = 16384, /* `await f(0)` in a task is one trip through the loop and nothing else: sleep() */
    NATIVE_FEW = 8192,     /* few parameters, and a positional call needs no more than filling up what is left out */
    /* only native_call can call it */
    NATIVE_SPECIAL = NATIVE_ASYNC | NATIVE_NEWLIKE | NATIVE_HOST | NATIVE_WRAPPER | NATIVE_CONSUMES,
    /* arguments can't just be handed over, even if they are as many as the parameters */
    NATIVE_INDIRECT = NATIVE_SPECIAL | NATIVE_RAW | NATIVE_KWONLY,
};

enum { NATIVE_MAX_PARAMS = 24 };

/* The whole call: receiver check, binding, RETRY. args[0] is the receiver of a method. */
value native_call(vm *vm, native *n, value *args, uint32_t nargs, value kwnames);
bool native_check_receiver(vm *vm, native *n, value *args, uint32_t nargs); /* of a NATIVE_METHOD; false: raised */
/* After the receiver check (or where an inline cache makes it needless). */
value native_call_checked(vm *vm, native *n, value *args, uint32_t nargs, value kwnames);
/* A bound method of any type: (func, self) with self put in front. */
value method_call(vm *vm, value callee, value *args, uint32_t nargs, value kwnames);
value native_retry(vm *vm, native *n, value *args, uint32_t nargs, value kwnames); /* after V_RETRY */

/* A function, no method, whose nargs parameters are all given: no binding, no check. Its caller has seen to the C stack
 * and keeps it alive. */
static inline bool native_takes(value f, uint32_t nargs)
{
    return value_is_exact(f, TYPE_NATIVE) && AS(native, f)->nparams == nargs &&
           !(value_as_obj(f)->flags & (NATIVE_INDIRECT | NATIVE_METHOD));
}
static inline value native_call_direct(vm *vm, value f, value *args, uint32_t nargs)
{
    native *n = AS(native, f);
    value r = n->fn(vm, args, nargs, V_UNBOUND);
    return UNLIKELY(r.bits == V_RETRY.bits) ? native_retry(vm, n, args, nargs, V_UNBOUND) : r;
}

/* For new_ and init slots. Positional only: "list expected at most 1 argument, got 2", "list()
 * takes no keyword arguments". */
bool args_unpack(vm *vm, const char *fname, value *args, uint32_t nargs, value kwnames, uint32_t min, uint32_t max,
                 value *out);
/* By a signature "property(fget=None, fset=None)": out[] in declared order, missing ones unbound.
 * At most 32 parameters, no stars. */
bool args_bind(vm *vm, const char *sig, value *args, uint32_t nargs, value kwnames, value *out);
bool args_none(vm *vm, const char *fname, uint32_t nargs, value kwnames); /* "f() takes no arguments" */

/* Slot wrappers (slot_wrappers.c). */
native *slot_wrapper_new(vm *vm, type *owner, unsigned row);
value slot_wrapper_call(vm *vm, native *n, value *args, uint32_t nargs, value kwnames);
native *native_new_wrapper(vm *vm, type *owner); /* owner.__new__ */

/* __reduce__ of functions written in C and of all bound methods: a name, or (getattr, (owner, name)). */
value native_reduce(vm *vm, value *args, uint32_t nargs, value kwnames);

#endif
