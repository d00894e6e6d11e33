/* The public C API: opening, configuring and closing a VM; budgets; interrupts of the VM as a whole. */
#include "runtime/api.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/monitor.h"
#include "runtime/poller.h"

#include "vm/builtins.h"
#include "vm/caps.h"
#include "vm/file.h"
#include "vm/import.h"
#include "vm/lock.h"

const char *aiovm_version(void) { return AIOVM_VERSION; }

const char *aiovm_status_name(aiovm_status status)
{
    static const char *const names[] = {"AIOVM_OK",    "AIOVM_ERROR",   "AIOVM_EXIT",   "AIOVM_BUSY",
                                        "AIOVM_NOMEM", "AIOVM_PENDING", "AIOVM_ENDED",  "AIOVM_CANCELLED",
                                        "AIOVM_DONE",  "AIOVM_AWAIT",   "AIOVM_INVALID"};
    return (unsigned)status < sizeof names / sizeof *names ? names[status] : "an unknown status";
}

void aiovm_sandbox(aiovm_config *c)
{
    if (!c->size) c->size = sizeof *c;
    c->memory_soft = (size_t)48 << 20;
    c->memory_hard = (size_t)64 << 20;
    c->fuel = 100000000;
    c->wall_ns = INT64_C(30000000000);
    c->output = (uint64_t)64 << 20;
    c->tasks = 100000;
    c->fds = 256;
    c->int_bits = 1 << 20;
    c->caps = 0;
    c->import_folder = NULL;
    c->flags &= ~AIOVM_STDIN;
}

/* ---- opening ---- */

static int64_t host_monotonic(struct clock_state *c);
static int64_t host_wall(struct clock_state *c);

/* The host's clock in the place of the system's: a platform of the VM's own. */
typedef struct host_clock {
    platform table;
    int64_t (*monotonic)(void *);
    int64_t (*wall)(void *);
    void *ud;
} host_clock;

static int64_t host_monotonic(struct clock_state *c)
{
    const host_clock *h = c->host;
    return h->monotonic(h->ud);
}
static int64_t host_wall(struct clock_state *c)
{
    const host_clock *h = c->host;
    return h->wall(h->ud);
}

static bool open_clock(vm *vm, const aiovm_config *c)
{
    if (!c->monotonic_fn && !c->wall_fn) return true;
    runtime *rt = runtime_of(vm);
    host_clock *h = mem_zalloc(vm, sizeof *h);
    if (!h) return false;
    h->table = *rt->platform;
    h->monotonic = c->monotonic_fn;
    h->wall = c->wall_fn;
    h->ud = c->clock_ud;
    if (h->monotonic) h->table.monotonic_ns = host_monotonic;
    if (h->wall) h->table.wall_ns = host_wall;
    rt->clock.host = h;
    rt->platform = &h->table;
    return true;
}

static void close_clock(vm *vm)
{
    runtime *rt = runtime_of(vm);
    if (!rt || !rt->clock.host) return;
    mem_free(vm, rt->clock.host, sizeof(host_clock));
    rt->clock.host = NULL;
    rt->platform = &platform_real;
}

static bool copy_modules(vm *vm, api *a, const char *const *modules)
{
    size_t n = 0;
    if (!modules) return true;
    while (modules[n]) n++;
    a->modules = mem_zalloc(vm, (n + 1) * sizeof *a->modules);
    if (!a->modules) return false;
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(modules[i]) + 1;
        if (!(a->modules[i] = mem_alloc(vm, size))) return false;
        memcpy(a->modules[i], modules[i], size);
    }
    return true;
}

/* As add_folder (vm/import.c) makes it: absolute, so that the names in sys.path can be compared with it. */
static bool copy_folder(vm *vm, api *a, const char *folder)
{
    if (!folder) return true;
    char *full = realpath(folder, NULL);
    const char *s = full ? full : folder;
    a->folder_size = strlen(s) + 1;
    a->folder = mem_alloc(vm, a->folder_size);
    if (a->folder) memcpy(a->folder, s, a->folder_size);
    free(full);
    vm->import_folder = a->folder;
    return a->folder != NULL;
}

static void free_modules(vm *vm, api *a)
{
    size_t n = 0;
    mem_free(vm, a->folder, a->folder_size);
    if (!a->modules) return;
    for (; a->modules[n]; n++) mem_free(vm, a->modules[n], strlen(a->modules[n]) + 1);
    mem_free(vm, a->modules, (n + 1) * sizeof *a->modules);
}

/* After the last object is freed: what their finalisers needed. */
static void free_rest(vm *vm)
{
    api *a = api_of(vm);
    if (!a) return;
    api_classes_free(vm);
    api_defs_free(vm);
    free_modules(vm, a);
    mem_free(vm, a, sizeof *a);
    vm->state[VMS_API] = NULL;
}

static void free_all(vm *vm)
{
    api *a = api_of(vm);
    if (a) {
        a->closing = true;
        api_core_close(vm);
        api_handle_close(vm);
    }
    files_flush_all(vm);
    close_clock(vm);
    runtime_close(vm);
    vm_free(vm);
}

_Static_assert(AIOVM_WATCH == MONITOR_WATCHDOG && AIOVM_INSPECT == MONITOR_INSPECT,
               "the public names of the same bits");

static bool open_parts(vm *vm, const aiovm_config *c)
{
    api *a = mem_zalloc(vm, sizeof *a);
    if (!a) return false;
    vm->state[VMS_API] = a;
    vm->host_free = free_rest;
    a->config = *c;
    a->config.modules = NULL;
    a->config.reports = NULL;
    a->config.import_folder = NULL;
    a->wall_left = c->wall_ns > 0 ? c->wall_ns : 0;
    if (!api_core_open(vm) || !runtime_open(vm, c->flags & AIOVM_VIRTUAL_TIME) || !open_clock(vm, c)) return false;
    vm->hooks.host_call = api_host_call;
    char no_name[1] = "";
    char *const argv[] = {no_name, NULL};
    if (!copy_modules(vm, a, c->modules) || !copy_folder(vm, a, c->import_folder) || !import_set_path(vm, a->folder) ||
        !sys_set_argv(vm, 1, argv))
        return false;
    vm->random_seed = c->random_seed;
    runtime *rt = runtime_of(vm);
    rt->host_driven = c->flags & AIOVM_HOST_LOOP;
    if (rt->host_driven && !(rt->host_loop = loop_new(vm))) return false;
    return api_sinks_open(vm) && api_ops_open(vm);
}

static vm_limits limits_of(const aiovm_config *c)
{
    return (vm_limits){
        .mem_soft = c->memory_soft,
        .mem_hard = c->memory_hard,
        .fuel = c->fuel,
        .recursion = c->recursion,
        .int_str_digits = c->int_str_digits,
        .bigint_bits = c->int_bits,
        .tasks = c->tasks,
        .fds = c->fds,
        .threads = c->threads ? c->threads : 4,
    };
}

aiovm *aiovm_open(const aiovm_config *config)
{
    aiovm_config c = {0};
    if (config) memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    if ((c.monitor & ~(AIOVM_WATCH | AIOVM_INSPECT)) ||
        (c.flags & ~(AIOVM_VIRTUAL_TIME | AIOVM_HOST_LOOP | AIOVM_STDIN))) {
        errno = EINVAL;
        return NULL;
    }
    if (!c.hash_seed) {
        platform_real.random_bytes(&c.hash_seed, sizeof c.hash_seed);
        c.hash_seed |= 1;
    }
    vm_limits limits = limits_of(&c);
    limits.fuel = 0; /* what opening costs is not the script's */
    vm *vm = vm_new(c.alloc, c.alloc_ud, &limits, c.hash_seed);
    if (!vm) {
        errno = ENOMEM;
        return NULL;
    }
    vm->caps = c.caps & CAP_ALL;
    bool opened = open_parts(vm, &c), wrong = opened && c.reports && report_configure(runtime_of(vm), c.reports);
    if (!opened || wrong) {
        free_all(vm);
        errno = wrong ? EINVAL : ENOMEM;
        return NULL;
    }
    monitor_allow(vm, c.monitor);
    api_of(vm)->fuel_base = vm_fuel_used(vm);
    if (c.fuel) vm->limits.fuel = api_of(vm)->fuel_base + c.fuel;
    vm_poll_soon(vm);
    return outside(vm);
}

/* ---- closing ---- */

aiovm_status aiovm_close(aiovm *host)
{
    if (!host) return AIOVM_OK;
    vm *vm = inside(host);
    api *a = api_of(vm);
    if (api_is_inside(vm)) return AIOVM_BUSY;
    api_acquire(vm);
    if (a->in_sweep || a->no_script || a->closing) {
        api_give_up(vm);
        return AIOVM_BUSY;
    }
    thread_adopt_main(vm);
    if (!threads_end(vm)) {
        api_give_up(vm);
        return AIOVM_PENDING;
    }
    a->entered = true;
    a->wall_left = 0;
    vm->limits.fuel = vm->slice_end = 0;
    vm->preempted = NULL;
    api_ops_close(vm);
    api_tasks_close(vm, AIOVM_ENDED);
    a->closing = true;
    api_forget_error(vm);
    a->scopes[0].n = 0;
    if (!vm->killed) {
        sys_run_exit_functions(vm);
        files_finish(vm);
        gc_collect_full(vm);
        gc_finalize_all(vm);
        if (raised(vm)) exc_clear(vm);
    }
    free_all(vm);
    return AIOVM_OK;
}

/* ---- budgets ---- */

const char *aiovm_end_reason(aiovm *host)
{
    static const char *const names[] = {"", "fuel", "time", "killed"};
    return names[inside(host)->killed];
}

uint64_t aiovm_fuel_used(aiovm *host) { return vm_fuel_used(inside(host)) - api_of(inside(host))->fuel_base; }

aiovm_status aiovm_set_budget(aiovm *host, uint64_t fuel, int64_t wall_ns)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api *a = api_of(vm);
    if (vm->killed) return AIOVM_ENDED;
    if (wall_ns < 0) return AIOVM_INVALID;
    if (a->entered) api_time_end(vm);
    vm->limits.fuel = fuel ? vm_fuel_used(vm) + fuel : 0;
    a->wall_left = wall_ns;
    if (a->entered) api_time_begin(vm);
    vm_poll_soon(vm);
    return AIOVM_OK;
}

size_t aiovm_memory_used(aiovm *host)
{
    gc_stats s;
    gc_get_stats(inside(host), &s);
    return s.used;
}

aiovm_status aiovm_collect(aiovm *host)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    aiovm_status status = api_enter(vm, API_SCRIPT, NULL);
    if (status) return status;
    gc_collect_full(vm);
    return api_finish(vm, API_SCRIPT, !raised(vm));
}
