/* Each allocation fails in turn, in every scenario of a test program: once, and from there on. See faults.h.
 *
 *     test_faults_NAME [--whole | --runs N] [SCENARIO...]
 *     test_faults_NAME --at KIND VM N SCENARIO     one run, in this process, for the debugger; KIND: heap, heap+,
 *                                                  malloc or malloc+
 *
 * Two kinds of faults. "heap": the heap's own fault injection, which counts objects and buffers alike, from the moment
 * the heap exists; one VM of the scenario after the other is the one that meets it. "malloc": the C library's
 * functions, for everything in the process: what the VM takes from the host, operations, handles, and what third-party
 * libraries and the C library need themselves. Here a sanitizer's build sees only the calls of the VM's own objects
 * (--wrap).
 *
 * Each run is a process of its own: what a test program keeps in static variables is fresh. It speaks TAP.
 */
#define AIOVM_FAULTS_INSIDE
#include "faults.h"

#include <errno.h>
#include <execinfo.h>
#include <setjmp.h>
#define raise c_raise /* the VM has one of its own */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#undef raise
#include "runtime/api.h"
#include "vm/heap.h"

#ifdef FAULTS_LEAK_CHECK
#include <sanitizer/lsan_interface.h>
#endif

enum { MAX_VMS = 200, MAX_HELD = 400, MAX_OUTCOMES = 24 };
enum { MODE_US = 300000 };      /* of the time that a scenario takes in each mode, unless all are asked for */
enum { STRUCK = 1, WRONG = 2 }; /* exit statuses of a run, added up */
enum { AFTER_CLOSE = 60 };      /* so many allocations of aiovm_close are failed too */

/* Seen by the parent, too. */
static struct shared {
    int vms;
    uint64_t opened[MAX_VMS]; /* allocations on each VM's heap: by aiovm_open */
    uint64_t counts[MAX_VMS]; /* and up to its aiovm_close */
    uint64_t mallocs;
    int64_t left; /* blocks that the C library keeps after a scenario without faults */
    struct {
        char type[40], where[120];
        uint64_t n;
    } outcomes[MAX_OUTCOMES];
} * shared;

static struct CMUnitTest scenarios[64]; /* run NULL: not here */
static size_t nscenarios;

/* ---- this run ---- */

static enum { HEAP, MALLOC } kind;
static bool sticky, armed, closing;
static int target; /* the VM that meets it */
static uint64_t at;
static pthread_t main_thread;
static jmp_buf leave;
static bool can_leave;
static bool wrong, missed, has_threads, verbose;
static int nvms;
static int report_fd = 1;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n > 0 && write(report_fd, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1) < 0) wrong = true;
}

/* ---- the C library's allocator ---- */

static __thread int ours; /* this program's own bookkeeping is not counted */
static uint64_t mallocs;
static int64_t blocks;
static bool malloc_struck;

/* With --at: where what is left comes from. */
enum { MAX_TRACED = 20000, TRACE_DEPTH = 12 };
static struct traced {
    void *p, *from[TRACE_DEPTH];
} * traced;
static void trace(void *p)
{
    static int next;
    if (!traced || !p || next == MAX_TRACED) return;
    ours++;
    struct traced *t = &traced[__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)];
    backtrace(t->from, TRACE_DEPTH);
    t->p = p;
    ours--;
}
static void untrace(void *p)
{
    for (int i = 0; traced && p && i < MAX_TRACED; i++)
        if (traced[i].p == p) traced[i].p = NULL;
}
static void show_traced(void)
{
    for (int i = 0; traced && i < MAX_TRACED; i++)
        if (traced[i].p) backtrace_symbols_fd(traced[i].from, TRACE_DEPTH, report_fd), say("\n");
}

static bool malloc_fails(void)
{
    if (!armed || ours) return false;
    uint64_t n = __atomic_add_fetch(&mallocs, 1, __ATOMIC_RELAXED);
    if (kind != MALLOC || n < at || (n > at && !sticky)) return false;
    if (traced && !malloc_struck) {
        void *from[TRACE_DEPTH];
        ours++;
        backtrace_symbols_fd(from, backtrace(from, TRACE_DEPTH), report_fd);
        ours--;
    }
    __atomic_store_n(&malloc_struck, true, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return true;
}
static void *counted(void *p)
{
    if (armed && !ours && p) __atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED), trace(p);
    return p;
}
static void *recounted(void *old, void *p, size_t n)
{
    if (!armed || ours) return p;
    __atomic_add_fetch(&blocks, (p && !old) - (old && !n), __ATOMIC_RELAXED);
    if (p || !n) untrace(old);
    trace(p);
    return p;
}
static void uncount(void *p)
{
    if (armed && !ours && p) __atomic_add_fetch(&blocks, -1, __ATOMIC_RELAXED), untrace(p);
}

#ifdef FAULTS_WRAP
#define REAL(f) __real_##f
#define OURS(f) __wrap_##f
#else
#define REAL(f) __libc_##f
#define OURS(f) f
#endif
void *REAL(malloc)(size_t);
void *REAL(calloc)(size_t, size_t);
void *REAL(realloc)(void *, size_t);
void REAL(free)(void *);
void *OURS(malloc)(size_t n) { return malloc_fails() ? NULL : counted(REAL(malloc)(n)); }
void *OURS(calloc)(size_t n, size_t size) { return malloc_fails() ? NULL : counted(REAL(calloc)(n, size)); }
void *OURS(realloc)(void *p, size_t n)
{
    if (n && malloc_fails()) return NULL;
    return recounted(p, REAL(realloc)(p, n), n);
}
void OURS(free)(void *p)
{
    uncount(p);
    REAL(free)(p);
}

/* ---- what the scenario holds ---- */

typedef struct held {
    void *p;
    int n;
} held;
static held ops[MAX_HELD], tasks[MAX_HELD], handles[MAX_HELD], memory[MAX_HELD];
static pthread_t threads[MAX_HELD];
static int nthreads;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* n -1 for what is not held: it is not ours. */
static void hold(held *h, void *p, int n)
{
    held *free_one = NULL, *found = NULL;
    if (!p) return;
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < MAX_HELD && !found; i++) {
        if (h[i].p == p) found = &h[i];
        else if (!h[i].p && !free_one) free_one = &h[i];
    }
    if (!found && n > 0) {
        if (!(found = free_one)) abort();
        *found = (held){.p = p};
    }
    if (found && !(found->n += n)) found->p = NULL;
    pthread_mutex_unlock(&mutex);
}

/* ---- VMs ---- */

static struct opened {
    vm *vm;
    int number;
    bool live, closed;
} vms[MAX_VMS];
static size_t bytes_in_use, blocks_in_use;
static struct opened *opening;
static bool heap_struck;

static uint64_t fault_of(const struct opened *o) { return kind == HEAP && o->number == target ? at : UINT64_MAX; }
static void arm(struct opened *o)
{
    o->live = true;
    gc_fail_at(o->vm, fault_of(o), sticky);
}

/* The first block is the VM; once it has a heap, its allocations are counted. */
static void *host_alloc(void *ud, void *p, size_t old, size_t n)
{
    (void)ud;
    struct opened *o = opening;
    if (o && !o->live && o->vm && o->vm->heap && o->vm->heap->grey.cap) arm(o);
    ours++;
    void *q = NULL;
    if (!n) {
        __atomic_add_fetch(&blocks_in_use, (size_t) - (p != NULL), __ATOMIC_RELAXED);
        REAL(free)(p);
    } else if ((q = REAL(realloc)(p, n))) {
        __atomic_add_fetch(&blocks_in_use, p == NULL, __ATOMIC_RELAXED);
    }
    if (!n || q) __atomic_add_fetch(&bytes_in_use, n - old, __ATOMIC_RELAXED), untrace(p), trace(q);
    ours--;
    if (o && !o->vm && q) memset(o->vm = q, 0, n);
    return q;
}

/* Its heap's allocations until now. */
static void note(const struct opened *o)
{
    uint64_t n = o->vm->heap->nallocs;
    if (shared->counts[o->number] < n) shared->counts[o->number] = n;
    if (fault_of(o) <= n) heap_struck = true;
}

aiovm *faults_open(const aiovm_config *config)
{
    aiovm_config c = {.size = sizeof c};
    if (config) memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    if (!c.hash_seed) c.hash_seed = 1;
    if (!c.random_seed) c.random_seed = 1;
    bool counted_here = kind == HEAP && !c.alloc;
    if (counted_here) c.alloc = host_alloc;
    if (nvms == MAX_VMS) abort();
    struct opened *o = &vms[nvms];
    *o = (struct opened){.number = nvms};
    nvms++;
    if (shared->vms < nvms) shared->vms = nvms;
    if (counted_here) opening = o;
    aiovm *host = aiovm_open(&c);
    opening = NULL;
    if (!host) {
        o->vm = NULL;
        if (kind == HEAP && o->number == target) heap_struck = true;
        return NULL;
    }
    o->vm = inside(host);
    if (!o->live) arm(o);
    if (kind == HEAP) shared->opened[o->number] = o->vm->heap->nallocs;
    return host;
}

static struct opened *opened_of(const aiovm *host)
{
    for (int i = 0; i < nvms; i++)
        if (host && vms[i].vm == (const void *)host && !vms[i].closed) return &vms[i];
    return NULL;
}

aiovm_status faults_close(aiovm *host)
{
    struct opened *o = opened_of(host);
    if (!o) return aiovm_close(host);
    bool inner = closing;
    note(o);
    closing = true;
    aiovm_status status = aiovm_close(host);
    closing = inner;
    if (status == AIOVM_OK) {
        o->vm = NULL;
        o->closed = true;
    }
    return status;
}

/* Does a callback of some VM run? Then nothing may jump over it. */
static bool in_callback(void)
{
    if (closing || !pthread_equal(pthread_self(), main_thread)) return true;
    for (int i = 0; i < nvms; i++) {
        if (!vms[i].vm || vms[i].closed) continue;
        const api *a = api_of(vms[i].vm);
        if (a && (a->in_sweep || a->no_script || a->closing || api_is_inside(vms[i].vm))) return true;
    }
    return false;
}

static bool has_struck(void)
{
    if (kind == MALLOC) return __atomic_load_n(&malloc_struck, __ATOMIC_RELAXED);
    for (int i = 0; i < nvms && !heap_struck; i++)
        if (vms[i].vm && !vms[i].closed) note(&vms[i]);
    return heap_struck;
}

/* ---- expectations ---- */

static void outcome(const char *type, const char *file, int line)
{
    const char *name = strrchr(file, '/');
    for (int i = 0; i < MAX_OUTCOMES; i++) {
        if (shared->outcomes[i].n && strcmp(shared->outcomes[i].type, type) != 0) continue;
        if (!shared->outcomes[i].n++) {
            snprintf(shared->outcomes[i].type, sizeof shared->outcomes[i].type, "%s", type);
            snprintf(shared->outcomes[i].where, sizeof shared->outcomes[i].where, "%s:%d, VM %d, %s%s %llu",
                     name ? name + 1 : file, line, target, kind == HEAP ? "heap" : "malloc", sticky ? "+" : "",
                     (unsigned long long)at);
        }
        return;
    }
}

static void miss(const char *file, int line, const char *what, const char *status)
{
    bool expected = has_struck();
    ours++;
    if (!expected) wrong = true;
    if (!expected || verbose) {
        say("# %s:%d: %s%s\n", file, line, what, status);
        for (int i = 0; i < nvms; i++)
            if (vms[i].vm && !in_callback()) say("# %s\n", aiovm_error_text(outside(vms[i].vm)));
    }
    ours--;
    if (in_callback()) return;
    if (!missed) {
        missed = true;
        const char *type = "";
        for (int i = 0; i < nvms; i++)
            if (vms[i].vm && !vms[i].closed && !*type) type = aiovm_error_type(outside(vms[i].vm));
        ours++;
        outcome(*type ? type : "no error", file, line);
        ours--;
    }
    if (can_leave) longjmp(leave, 1);
}

void faults_missed(const char *file, int line, const char *what) { miss(file, line, what, ""); }
void faults_status_missed(const char *file, int line, const char *what, aiovm_status got)
{
    char text[60];
    snprintf(text, sizeof text, ": %s", aiovm_status_name(got));
    miss(file, line, what, text);
}
int faults_texts_equal(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }
void faults_exit(int status)
{
    (void)status;
    miss(__FILE__, __LINE__, "exit", "");
}

/* ---- the calls that give something to the host ---- */

aiovm_status faults_future(aiovm *vm, void (*cancel)(void *), void *ud, aiovm_op **op, aiovm_value *out)
{
    aiovm_status status = aiovm_future(vm, cancel, ud, op, out);
    if (op && (status == AIOVM_OK) != (*op != NULL)) wrong = true, say("# aiovm_future: %d\n", status);
    if (op) hold(ops, *op, 1);
    return status;
}
aiovm_op *faults_op_retain(aiovm_op *op)
{
    hold(ops, op, 1);
    return aiovm_op_retain(op);
}
void faults_op_release(aiovm_op *op)
{
    hold(ops, op, -1);
    aiovm_op_release(op);
}
aiovm_status faults_spawn(aiovm *vm, aiovm_value coroutine, aiovm_done *done, void *ud, aiovm_task **task)
{
    aiovm_status status = aiovm_spawn(vm, coroutine, done, ud, task);
    if (task) hold(tasks, *task, 1);
    return status;
}
void faults_task_release(aiovm_task *task)
{
    hold(tasks, task, -1);
    aiovm_task_release(task);
}
aiovm_handle *faults_handle_new(aiovm *vm)
{
    aiovm_handle *h = aiovm_handle_new(vm);
    hold(handles, h, 1);
    return h;
}
aiovm_handle *faults_handle_retain(aiovm_handle *h)
{
    hold(handles, h, 1);
    return aiovm_handle_retain(h);
}
void faults_handle_release(aiovm_handle *h)
{
    hold(handles, h, -1);
    aiovm_handle_release(h);
}
int faults_thread(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *ud)
{
    has_threads = true;
    ours++;
    int error = pthread_create(t, attr, fn, ud);
    ours--;
    if (!error && nthreads < MAX_HELD) threads[nthreads++] = *t;
    return error;
}
int faults_join(pthread_t t, void **result)
{
    for (int i = 0; i < nthreads; i++) {
        if (!pthread_equal(threads[i], t)) continue;
        threads[i] = threads[--nthreads];
        return pthread_join(t, result);
    }
    return EINVAL; /* the scenario goes on in a callback after it could not be started */
}
void *faults_malloc(size_t n)
{
    ours++;
    void *p = REAL(malloc)(n);
    hold(memory, p, 1);
    ours--;
    return p;
}
char *faults_strdup(const char *s)
{
    if (!s) {
        miss(__FILE__, __LINE__, "strdup of NULL", "");
        s = "";
    }
    size_t n = strlen(s) + 1;
    char *p = faults_malloc(n);
    if (p) memcpy(p, s, n);
    return p;
}
void faults_free(void *p)
{
    ours++;
    hold(memory, p, -1);
    REAL(free)(p);
    ours--;
}

static void give_back(void)
{
    while (nthreads) pthread_join(threads[--nthreads], NULL);
    for (int i = 0; i < nvms; i++) {
        if (!vms[i].vm || vms[i].closed) continue;
        aiovm_status status;
        while ((status = faults_close(outside(vms[i].vm))) == AIOVM_PENDING) usleep(500);
        if (status) wrong = true, say("# aiovm_close: %s\n", aiovm_status_name(status));
    }
    for (int i = 0; i < MAX_HELD; i++) {
        while (ops[i].p) faults_op_release(ops[i].p);
        while (tasks[i].p) faults_task_release(tasks[i].p);
        while (handles[i].p) faults_handle_release(handles[i].p);
    }
    for (int i = 0; i < MAX_HELD; i++)
        while (memory[i].p) faults_free(memory[i].p);
}

/* ---- one run ---- */

/* In a build that measures coverage: _exit writes no counts. */
extern void __gcov_dump(void) __attribute__((weak));
static const char *current;
static void too_long(int sig)
{
    (void)sig;
    static const char text[] = "# it hangs\n";
    if (write(report_fd, text, sizeof text - 1) < 0) _exit(9);
    abort();
}

static int run(const struct CMUnitTest *s)
{
    void *state = NULL;
    current = s->name;
    main_thread = pthread_self();
    can_leave = armed = true;
    if (setjmp(leave) == 0) s->run(&state);
    can_leave = false;
    give_back();
    armed = false;
    shared->mallocs = mallocs;
    bool struck = has_struck();
    if (!struck && kind == MALLOC) shared->left = blocks;
    if (bytes_in_use || blocks_in_use)
        wrong = true, say("# %zu bytes in %zu blocks are left\n", bytes_in_use, blocks_in_use);
#ifndef FAULTS_WRAP
    if (kind == MALLOC && struck && !has_threads && blocks > (shared->left > 0 ? shared->left : 0))
        wrong = true, say("# %d blocks of the C library are left, more than without a fault\n", (int)blocks);
#endif
#ifdef FAULTS_LEAK_CHECK
    if (__lsan_do_recoverable_leak_check()) wrong = true;
#endif
    return (struck ? STRUCK : 0) | (wrong ? WRONG : 0);
}

/* ---- all runs ---- */

#if defined(AIOVM_GC_STRESS)
enum { DEFAULT_RUNS = 3, SECONDS = 200 };
#elif defined(FAULTS_WRAP)
enum { DEFAULT_RUNS = 6, SECONDS = 100 };
#else
enum { DEFAULT_RUNS = 40, SECONDS = 20 };
#endif
static uint64_t runs_per_mode = DEFAULT_RUNS;
static uint64_t nruns;
static int failed;

static const char *mode_name(void) { return kind == HEAP ? sticky ? "heap+" : "heap" : sticky ? "malloc+" : "malloc"; }

/* Its exit status, or -1: it did worse. */
static int run_apart(const struct CMUnitTest *s)
{
    int status;
    fflush(NULL);
    nruns++;
    pid_t child = fork();
    if (child == 0) {
        report_fd = dup(1);
        static char buffer[4096]; /* else it would count as a block that is left */
        if (!freopen("/dev/null", "w", stdout) || setvbuf(stdout, buffer, _IOFBF, sizeof buffer)) _exit(9);
        signal(SIGALRM, too_long);
        alarm(SECONDS);
        int result = run(s);
        if (__gcov_dump) __gcov_dump();
        _exit(result);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    int result = WIFEXITED(status) && WEXITSTATUS(status) <= (STRUCK | WRONG) ? WEXITSTATUS(status) : -1;
    if (result >= 0 && !(result & WRONG)) return result;
    printf("# %s: --at %s %d %llu: ", s->name, mode_name(), target, (unsigned long long)at);
    if (WIFSIGNALED(status)) printf("signal %d\n", WTERMSIG(status));
    else printf("status %d\n", WEXITSTATUS(status));
    if (++failed >= 20) {
        printf("# too many failures\n");
        exit(1);
    }
    return result;
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The allocations after `before`, up to `count` and some more; or so many of them, spread evenly however soon the time
 * is up. */
static void run_all_of(const struct CMUnitTest *s, uint64_t before, uint64_t count, uint64_t more)
{
    uint64_t n = count - before;
    for (int mode = 0; mode < 2; mode++) {
        sticky = mode;
        int64_t begin = now_us();
        if (!runs_per_mode || n <= runs_per_mode) {
            for (at = before + 1; at <= count + more; at++) (void)run_apart(s);
            continue;
        }
        double place = 0;
        for (uint64_t i = 0; i < runs_per_mode && now_us() - begin < MODE_US; i++) {
            at = before + 1 + (uint64_t)(place * (double)n);
            (void)run_apart(s);
            place += 0.6180339887498949;
            if (place >= 1) place -= 1;
        }
    }
}

static void run_scenario(const struct CMUnitTest *s, int number)
{
    int failed_before = failed;
    uint64_t runs_before = nruns, total = 0;
    memset(shared, 0, sizeof *shared);
    /* Without a fault: how many allocations are there? What it meets for the first time is cached then. */
    at = UINT64_MAX;
    target = 0;
    sticky = false;
    for (kind = HEAP; kind <= MALLOC; kind++) (void)run_apart(s);
    int n = shared->vms;
    struct shared counted_once = *shared;
    kind = HEAP;
    for (target = 0; target < n; target++) {
        if (runs_per_mode && n > 4 && target % (n / 4)) continue;
        /* Opening is the same in all: the first scenario has it. */
        uint64_t before = number == 1 && target == 0 ? 0 : counted_once.opened[target];
        total += counted_once.counts[target] - before;
        run_all_of(s, before, counted_once.counts[target], runs_per_mode ? 0 : AFTER_CLOSE);
    }
    target = 0;
    kind = MALLOC;
    shared->left = counted_once.left;
    run_all_of(s, 0, counted_once.mallocs, 0);
    printf("# %s: %llu on %d heaps, %llu by malloc; %llu runs; left with", s->name, (unsigned long long)total, n,
           (unsigned long long)counted_once.mallocs, (unsigned long long)(nruns - runs_before));
    for (int i = 0; i < MAX_OUTCOMES && shared->outcomes[i].n; i++) {
        printf("%s %s %llu", i ? "," : "", shared->outcomes[i].type, (unsigned long long)shared->outcomes[i].n);
        if (strcmp(shared->outcomes[i].type, "MemoryError") != 0) printf(" (first %s)", shared->outcomes[i].where);
    }
    printf("\n%s %d - %s\n", failed > failed_before ? "not ok" : "ok", number, s->name);
    fflush(stdout);
}

int faults_run(const struct CMUnitTest *list, size_t n)
{
    if (n > sizeof scenarios / sizeof *scenarios) return 1;
    memcpy(scenarios, list, n * sizeof *list);
    nscenarios = n;
    return 0;
}

static bool chosen(const char *name, char **names)
{
    if (!*names) return true;
    for (; *names; names++)
        if (strcmp(*names, name) == 0) return true;
    return false;
}

static int one_run(char **argv)
{
    kind = strncmp(argv[0], "heap", 4) == 0 ? HEAP : MALLOC;
    sticky = strchr(argv[0], '+') != NULL;
    target = atoi(argv[1]);
    at = strtoull(argv[2], NULL, 10);
    for (size_t i = 0; i < nscenarios; i++)
        if (scenarios[i].run && strcmp(scenarios[i].name, argv[3]) == 0) {
            shared->left = INT64_MAX;
            verbose = true;
            traced =
                mmap(NULL, MAX_TRACED * sizeof *traced, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (traced == MAP_FAILED) traced = NULL;
            int result = run(&scenarios[i]);
            show_traced();
            return result;
        }
    return 9;
}

int main(int argc, char **argv)
{
    (void)argc;
    int number = 0;
    setvbuf(stdout, NULL, _IOLBF, 4096);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || faults_program()) return 1;
    for (argv++; *argv && **argv == '-'; argv++) {
        if (strcmp(*argv, "--whole") == 0) runs_per_mode = 0;
        else if (strcmp(*argv, "--runs") == 0 && argv[1]) runs_per_mode = strtoull(*++argv, NULL, 10);
        else if (strcmp(*argv, "--at") == 0 && argv[1] && argv[2] && argv[3] && argv[4]) return one_run(argv + 1);
        else return fprintf(stderr, "unknown argument %s\n", *argv), 2;
    }
    for (size_t i = 0; i < nscenarios; i++)
        if (scenarios[i].run && chosen(scenarios[i].name, argv)) run_scenario(&scenarios[i], ++number);
    printf("1..%d\n# %llu runs\n", number, (unsigned long long)nruns);
    return failed != 0;
}
