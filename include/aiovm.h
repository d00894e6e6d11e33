/* aiovm.h: run aio scripts inside a C program.
 *
 *     aiovm *vm = aiovm_open(NULL);
 *     aiovm_value v;
 *     if (aiovm_eval(vm, "6 * 7", AIOVM_ZTS, "<host>", &v) == AIOVM_OK)
 *         printf("%lld\n", (long long)aiovm_to_int(vm, v, 0));
 *     else
 *         fputs(aiovm_error_text(vm), stderr);
 *     aiovm_close(vm);
 *
 * Rules
 *  - Several VMs share nothing: each may run in a thread of its own. One VM is used by one thread at a time; only
 *    aiovm_interrupt may be called from any thread or signal handler.
 *  - The library ends no process, installs no signal handler and keeps no global state. What goes wrong is a status; what the
 *    script raised is described by aiovm_error_type, _message and _text until the next call that runs script.
 *  - An aiovm_value is valid until the next call that runs script (eval, call, repr) on its VM. Whatever is needed longer is
 *    kept by aiovm_ref_new.
 *  - None of these functions may be called on a VM while it runs script further out on the same stack: they return AIOVM_BUSY.
 */
#ifndef AIOVM_H
#define AIOVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AIOVM_API __attribute__((visibility("default")))
#define AIOVM_ZTS ((size_t)-1) /* as a length: the text ends with a NUL */

typedef struct aiovm aiovm;
typedef struct aiovm_ref aiovm_ref;
typedef struct aiovm_value { uint64_t bits; } aiovm_value; /* opaque: use the functions */

typedef enum aiovm_status {
    AIOVM_OK = 0,
    AIOVM_ERROR = 1,  /* the script raised an exception */
    AIOVM_EXIT = 2,   /* the script asked to end (sys.exit): aiovm_exit_code */
    AIOVM_BUSY = 3,   /* the VM runs script at this moment */
    AIOVM_NOMEM = 4   /* no memory, not even for the description of the error */
} aiovm_status;

typedef struct aiovm_config {
    size_t size;              /* sizeof(aiovm_config): fields added later are taken as 0 */
    /* realloc with the old size; new size 0 frees. NULL: malloc and free. */
    void *(*alloc)(void *ud, void *p, size_t old_size, size_t new_size);
    void *alloc_ud;
    size_t memory_soft;       /* bytes: beyond it the heap is collected more eagerly; 0: no limit */
    size_t memory_hard;       /* bytes: beyond it MemoryError; 0: no limit */
    uint32_t recursion;       /* depth of calls; 0: 1000 */
    uint32_t flags;           /* AIOVM_VIRTUAL_TIME */
    uint64_t hash_seed;       /* of str; 0: a random one */
    const char *import_folder; /* where imports look first; NULL: nowhere but in the library */
} aiovm_config;
#define AIOVM_VIRTUAL_TIME 1u /* a clock that jumps to the next timer instead of waiting */

/* "0.1.0" */
AIOVM_API const char *aiovm_version(void);

/* A new VM, NULL when there is no memory for it. config NULL: everything as by default. */
AIOVM_API aiovm *aiovm_open(const aiovm_config *config);
/* Ends the VM: finalisers run, files are flushed, everything is freed. AIOVM_BUSY: nothing was done. NULL is fine. */
AIOVM_API aiovm_status aiovm_close(aiovm *vm);

/* Runs source text in the namespace of the module __main__. A single expression gives its value; statements give None.
 * `await` works at the top level: then the text runs as asyncio.run would run it, to its end. `name` stands for the file in
 * tracebacks. out may be NULL. */
AIOVM_API aiovm_status aiovm_eval(aiovm *vm, const char *source, size_t length, const char *name, aiovm_value *out);
/* Calls a function or any other callable with argc arguments. What it returns may be a coroutine: see aiovm_run. */
AIOVM_API aiovm_status aiovm_call(aiovm *vm, aiovm_value callable, int argc, const aiovm_value *argv, aiovm_value *out);
/* Runs a coroutine to its end in an event loop of its own, as asyncio.run does. */
AIOVM_API aiovm_status aiovm_run(aiovm *vm, aiovm_value coroutine, aiovm_value *out);

/* Global variables of __main__. */
AIOVM_API aiovm_status aiovm_get_global(aiovm *vm, const char *name, aiovm_value *out);
AIOVM_API aiovm_status aiovm_set_global(aiovm *vm, const char *name, aiovm_value v);

/* Values from C. Text is UTF-8; what is not is an AIOVM_ERROR (UnicodeDecodeError). */
AIOVM_API aiovm_value aiovm_none(void);
AIOVM_API aiovm_value aiovm_bool(bool b);
AIOVM_API aiovm_value aiovm_float(double d);
AIOVM_API aiovm_status aiovm_int(aiovm *vm, int64_t n, aiovm_value *out);
AIOVM_API aiovm_status aiovm_text(aiovm *vm, const char *s, size_t length, aiovm_value *out);
AIOVM_API aiovm_status aiovm_bytes(aiovm *vm, const void *p, size_t length, aiovm_value *out);

/* Values to C: `otherwise` if v is something else (or does not fit). They run no script. */
AIOVM_API bool aiovm_is_none(aiovm_value v);
AIOVM_API int64_t aiovm_to_int(aiovm *vm, aiovm_value v, int64_t otherwise);
AIOVM_API double aiovm_to_float(aiovm *vm, aiovm_value v, double otherwise);
AIOVM_API bool aiovm_to_bool(aiovm *vm, aiovm_value v, bool otherwise); /* True and False only */
/* The UTF-8 of a str, or the bytes of a bytes object, valid as long as v is; NULL: something else. */
AIOVM_API const char *aiovm_to_text(aiovm *vm, aiovm_value v, size_t *length);
/* repr(v), as a str. */
AIOVM_API aiovm_status aiovm_repr(aiovm *vm, aiovm_value v, aiovm_value *out);

/* Keeps a value alive until it is freed, or the VM is closed. NULL: no memory. */
AIOVM_API aiovm_ref *aiovm_ref_new(aiovm *vm, aiovm_value v);
AIOVM_API aiovm_value aiovm_ref_get(const aiovm_ref *ref);
AIOVM_API void aiovm_ref_free(aiovm *vm, aiovm_ref *ref);

/* What the last call that ended with AIOVM_ERROR (or AIOVM_EXIT) met. Never NULL; "" when there was nothing. */
AIOVM_API const char *aiovm_error_type(aiovm *vm);    /* "ValueError" */
AIOVM_API const char *aiovm_error_message(aiovm *vm); /* "invalid literal for int() ..." */
AIOVM_API const char *aiovm_error_text(aiovm *vm);    /* the whole traceback, as the command prints it */
AIOVM_API int aiovm_exit_code(aiovm *vm);

/* Ctrl-C for the VM: the running script gets a KeyboardInterrupt; a main coroutine is cancelled first. */
AIOVM_API void aiovm_interrupt(aiovm *vm);

#ifdef __cplusplus
}
#endif

#endif
