/* Thread stacks: linked segments that never move, so a register pointer stays valid until its frame returns.
 *
 * Invariants
 *  1. Frames lie in a segment in call order; th->top is the first free byte of the newest segment.
 *  2. The first frame of every segment but the first is a SEGPOP boundary. It stands between the caller, in the older
 *     segment, and the callee above it; returning or unwinding through it makes the older segment current again.
 *  3. One empty segment is kept, so that a call at a segment's edge in a loop does not allocate each time.
 */
#include "interp.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SEGMENT_BYTES = 64 * 1024, SEGMENT_MAX = 1024 * 1024, C_STACK_RESERVE = 64 * 1024 };

struct segment {
    struct segment *prev;
    struct segment *spare; /* a newer, empty one */
    size_t size;
    char *saved_top; /* of prev, when this one began */
    char *saved_limit;
    _Alignas(16) char data[];
};

static struct segment *segment_new(vm *vm, size_t payload)
{
    size_t size = SEGMENT_BYTES;
    while (size < payload + sizeof(struct segment) + 256) size *= 2;
    struct segment *s = mem_alloc(vm, size);
    if (!s) return NULL;
    *s = (struct segment){.size = size};
    return s;
}

/* How far down natives may re-enter: the OS thread's stack limit less a reserve. */
/* The process's own stack ends with the name of the program: asking pthread_getattr_np would read /proc/self/maps. */
static uintptr_t main_stack_low(uintptr_t here)
{
    const char *name = (const char *)getauxval(AT_EXECFN);
    struct rlimit rl;
    if (!name || gettid() != getpid() || getrlimit(RLIMIT_STACK, &rl) || rl.rlim_cur == RLIM_INFINITY) return 0;
    uintptr_t top = ((uintptr_t)name + strlen(name) + 4096) & ~(uintptr_t)4095;
    return top > here && top - here < rl.rlim_cur / 2 ? top - rl.rlim_cur + C_STACK_RESERVE : 0;
}

static uintptr_t c_stack_low(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), low = main_stack_low(here);
    if (low) return low;
    size_t size = 8 * 1024 * 1024;
    pthread_attr_t attr;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        void *base;
        size_t n;
        bool ok = pthread_attr_getstack(&attr, &base, &n) == 0;
        pthread_attr_destroy(&attr);
        if (ok && here > (uintptr_t)base && here - (uintptr_t)base <= n) {
            struct rlimit rl;
            /* The main thread's mapping grows: trust its limit rather than what is mapped. */
            if (getrlimit(RLIMIT_STACK, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY && rl.rlim_cur < n &&
                (uintptr_t)base + n - here < rl.rlim_cur)
                return (uintptr_t)base + n - rl.rlim_cur + C_STACK_RESERVE;
            return (uintptr_t)base + C_STACK_RESERVE;
        }
    }
    return here > size ? here - size + C_STACK_RESERVE : 0;
}

bool thread_open(vm *vm, thread *th)
{
    th->vm = vm;
    th->segment = segment_new(vm, 0);
    if (!th->segment) return false;
    th->top = th->segment->data;
    th->limit = (char *)th->segment + th->segment->size;
    return true;
}

void thread_set_c_stack(thread *th) { th->c_stack_low = c_stack_low(); }

void thread_close(vm *vm, thread *th)
{
    struct segment *s = th->segment;
    if (s && s->spare) mem_free(vm, s->spare, s->spare->size);
    while (s) {
        struct segment *prev = s->prev;
        mem_free(vm, s, s->size);
        s = prev;
    }
    th->segment = NULL;
    th->top = th->limit = NULL;
}

frame *stack_grow(vm *vm, thread *th, size_t size, frame **up, uint32_t *ret)
{
    struct segment *old = th->segment, *s = old->spare;
    size_t bsize = (sizeof(frame) + 2 * sizeof(value) + 15) & ~(size_t)15;
    if (s && s->size < size + bsize + sizeof(struct segment)) {
        mem_free(vm, s, s->size);
        s = NULL;
    }
    old->spare = NULL;
    if (!s) {
        s = segment_new(vm, size + bsize);
        if (!s) return NULL;
    }
    s->prev = old;
    s->spare = NULL;
    s->saved_top = th->top;
    s->saved_limit = th->limit;
    frame *b = (frame *)s->data;
    frame_init_stack(b, (code *)&interp_segpop_code, NULL, *up, *ret);
    b->h.flags |= FRAME_BOUNDARY;
    b->origin = 0;
    b->r[0] = b->r[1] = V_UNBOUND;
    th->segment = s;
    th->limit = (char *)s + s->size;
    th->top = s->data + bsize + size;
    *up = b;
    *ret = RET_MAKE(0, RET_PLAIN);
    return (frame *)(s->data + bsize);
}

void stack_segment_pop(vm *vm, thread *th, frame *boundary)
{
    struct segment *s = th->segment, *prev = s->prev;
    (void)boundary;
    th->segment = prev;
    th->top = s->saved_top;
    th->limit = s->saved_limit;
    if (s->spare) mem_free(vm, s->spare, s->spare->size);
    s->spare = NULL;
    prev->spare = s;
}

frame *stack_push_boundary(vm *vm, thread *th)
{
    size_t size = BOUNDARY_SIZE;
    frame *b = (frame *)th->top, *up = th->current;
    uint32_t ret = RET_MAKE(0, RET_PLAIN);
    if (UNLIKELY((size_t)(th->limit - th->top) < size)) {
        b = stack_grow(vm, th, size, &up, &ret);
        if (!b) return NULL;
    } else {
        th->top += size;
    }
    frame_init_stack(b, (code *)&interp_exit_code, NULL, up, ret);
    b->h.flags |= FRAME_BOUNDARY;
    b->origin = STEP_DONE;
    b->r[0] = b->r[1] = V_UNBOUND;
    return b;
}

void stack_pop_boundary(vm *vm, thread *th, frame *b)
{
    frame *up = b->up;
    th->top = (char *)b;
    if (UNLIKELY(up && up->code == &interp_segpop_code)) {
        frame *below = up->up;
        stack_segment_pop(vm, th, up);
        up = below;
    }
    th->current = up;
}

bool depth_error(vm *vm)
{
    if (UNLIKELY(vm->killed)) vm_raise_killed(vm);
    else raise(vm, EXC_RecursionError, "maximum recursion depth exceeded");
    return false;
}

bool vm_enter(vm *vm)
{
    thread *th = vm->thread;
    if (UNLIKELY(th->depth >= vm->limits.recursion || (uintptr_t)__builtin_frame_address(0) < th->c_stack_low)) {
        return depth_error(vm);
    }
    th->depth++;
    th->nreent++;
    return true;
}

void vm_leave(vm *vm)
{
    vm->thread->depth--;
    vm->thread->nreent--;
}
