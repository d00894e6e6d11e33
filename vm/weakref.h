/* Weak references: the side table from a target to its references, and what the collector calls. */
#ifndef AIO_WEAKREF_H
#define AIO_WEAKREF_H

#include "vm.h"

bool weakref_open(vm *vm);
void weakref_close(vm *vm);
/* After marking, before anything is freed: references to unmarked targets are cleared, and the
 * callbacks of those that are alive queued. minor: only targets that were young at the last cycle
 * are looked at. */
void weakref_clear_dead(vm *vm, bool minor);
void weakref_mark_queue(vm *vm);    /* the queued references are roots (registered by weakref_open) */
bool weakref_run_callbacks(vm *vm); /* at a safepoint: true if any ran; errors are reported as unraisable */
bool weakref_pending(vm *vm);
bool weakref_any_callback(vm *vm); /* does a reference with a living target have one? */
value weakref_get(value ref);      /* the target, or None */
uint32_t weakref_count(vm *vm, value target);
struct list *weakref_list(vm *vm, value target);
value weakref_proxy_new(vm *vm, value target, value callback);
bool weakref_supported(vm *vm, value target);
/* A reference object of any subclass of ref. */
value weakref_make(vm *vm, type *t, value target, value callback);

#endif
