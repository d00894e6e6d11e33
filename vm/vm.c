/* The virtual machine as a whole: bringing it up in the order in which its parts need each other, taking it
 * down, and the roots that C modules ask for.
 *
 * Invariant: vm_new either returns a machine that can run, or has given every byte back.
 */
#include "caps.h"
#include "vm.h"

#include <stdlib.h>

#include "attr.h"
#include "builtins.h"
#include "exception.h"
#include "frame.h"
#include "lock.h"
#include "native_sig.h"
#include "str.h"
#include "type_state.h"
#include "types_api.h"

static void *vm_default_alloc(void *ud, void *p, size_t old, size_t n)
{
    (void)ud, (void)old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

/* splitmix64: spreads the seed over the hash keys. */
static uint64_t vm_next_seed(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static void vm_set_defaults(vm *vm, const vm_limits *limits, uint64_t seed)
{
    if (limits) vm->limits = *limits;
    if (!vm->limits.recursion) vm->limits.recursion = 1000;
    if (!vm->limits.int_str_digits) vm->limits.int_str_digits = 4300;
    if (!vm->limits.bigint_bits) vm->limits.bigint_bits = 1 << 26;
    vm->hash_seed_zero = seed == 0;
    vm->hash_key[0] = seed ? vm_next_seed(&seed) : 0;
    vm->hash_key[1] = seed ? vm_next_seed(&seed) : 0;
    vm->class_epoch = 1;
    vm->poll = 1;
    vm->fuel_given = 1;
    vm->thread = vm->threads = &vm->main_thread;
    vm->nthreads = 1;
}

static bool vm_open_names(vm *vm)
{
    static const char *const names[NAME_COUNT] = {
#define NAME(x) #x,
#include "names.def"
#undef NAME
    };
    for (unsigned i = 0; i < NAME_COUNT; i++) {
        vm->names[i] = str_intern_utf8(vm, names[i], strlen(names[i]));
        if (!vm->names[i]) return false;
    }
    return true;
}

static bool vm_open_parts(vm *vm)
{
    if (!lock_open(vm) || !thread_open(vm, &vm->main_thread)) return false;
    thread_set_c_stack(&vm->main_thread);
    if (!str_open(vm) || !vm_open_names(vm)) return false;
    vm->empty_tuple = tuple_new(vm, 0);
    vm->modules = dict_new(vm);
    return vm->empty_tuple && vm->modules && types_open(vm) && exc_open(vm) && builtins_open(vm);
}

vm *vm_new(void *(*alloc)(void *, void *, size_t, size_t), void *ud, const vm_limits *limits, uint64_t seed)
{
    if (!alloc) alloc = vm_default_alloc;
    struct vm *vm = alloc(ud, NULL, 0, sizeof *vm);
    if (!vm) return NULL;
    memset(vm, 0, sizeof *vm);
    vm->alloc_fn = alloc;
    vm->alloc_ud = ud;
    vm->caps = CAP_ALL;
    vm_set_defaults(vm, limits, seed);
    if (!gc_open(vm)) {
        alloc(ud, vm, sizeof *vm, 0);
        return NULL;
    }
    if (!vm_open_parts(vm)) {
        vm_free(vm);
        return NULL;
    }
    return vm;
}

static void vm_free_root_slots(vm *vm)
{
    for (value *chunk = vm->module_roots; chunk;) {
        value *before = (value *)(uintptr_t)chunk[0].bits;
        mem_free(vm, chunk, (VM_ROOT_CHUNK + 1) * sizeof *chunk);
        chunk = before;
    }
}

void vm_free(vm *vm)
{
    if (!vm) return;
    builtins_close(vm); /* while the files are there: they are flushed */
    gc_free_objects(vm);
    fd_close_all(vm);
    if (vm->host_free) vm->host_free(vm);
    attr_poly_close(vm);
    sig_close(vm);
    types_close(vm);
    str_close(vm);
    thread_close(vm, &vm->main_thread);
    lock_close(vm);
    vm_free_root_slots(vm);
    gc_close(vm);
    vm->alloc_fn(vm->alloc_ud, vm, sizeof *vm, 0);
}

/* Chunks that never move, linked through their first word. */
value *vm_root_slot(vm *vm)
{
    uint32_t at = vm->nmodule_roots % VM_ROOT_CHUNK;
    if (at == 0) {
        value *chunk = mem_zalloc(vm, (VM_ROOT_CHUNK + 1) * sizeof *chunk);
        if (!chunk) return NULL;
        chunk[0].bits = (uint64_t)(uintptr_t)vm->module_roots;
        vm->module_roots = chunk;
    }
    vm->nmodule_roots++;
    return &vm->module_roots[1 + at];
}
