/* The public C API: coming in, going out, the scope of values, the current error. */
#include "runtime/api.h"

#include "vm/codec.h"
#include "vm/file.h"
#include "vm/lock.h"

/* ---- who calls ----
 * While only one thread runs script, the host holds the VM's lock all the time. When there are others, it holds it
 * during its calls only. A call from one of these threads comes from a native function that it runs, and so from
 * inside. */

static bool main_is_inside(vm *vm) { return api_of(vm)->entered || vm->main_thread.nreent || vm->main_thread.current; }

static bool is_script_thread(vm *vm)
{
    thread *th = thread_self(vm);
    return th && !thread_is_main(vm, th);
}

bool api_is_inside(vm *vm)
{
    if (LIKELY(!api_of(vm)->unlocked && thread_alone(vm))) return main_is_inside(vm);
    return is_script_thread(vm) || main_is_inside(vm);
}

bool api_acquire(vm *vm)
{
    api *a = api_of(vm);
    if (LIKELY(!a->unlocked) || is_script_thread(vm)) return false;
    thread_adopt_main(vm);
    vm_lock(vm);
    a->unlocked = false;
    return true;
}

void api_give_up(vm *vm)
{
    api *a = api_of(vm);
    if (LIKELY(thread_alone(vm)) || a->unlocked || is_script_thread(vm) || main_is_inside(vm)) return;
    a->unlocked = true;
    vm_unlock(vm);
}

/* ---- wall time ---- */

void api_time_begin(vm *vm)
{
    api *a = api_of(vm);
    if (LIKELY(!a->wall_left)) return;
    a->wall_start = platform_real.monotonic_ns(NULL);
    vm->deadline_ns = a->wall_start + a->wall_left;
}

void api_time_end(vm *vm)
{
    api *a = api_of(vm);
    if (LIKELY(!a->wall_left)) return;
    int64_t spent = platform_real.monotonic_ns(NULL) - a->wall_start;
    a->wall_left = spent < a->wall_left ? a->wall_left - spent : 1;
    vm->deadline_ns = 0;
}

/* ---- in and out ---- */

static aiovm_status refuse(aiovm_value *out, aiovm_status status)
{
    if (out) *out = to_host(V_NONE);
    return status;
}

static bool memory_is_short(vm *vm)
{
    gc_stats s;
    gc_get_stats(vm, &s);
    return s.used > vm->limits.mem_hard - vm->limits.mem_hard / 4 &&
           s.used > api_of(vm)->used_after_collect + vm->limits.mem_hard / 16;
}

/* What the last call has left behind. */
static void collect_rest(vm *vm)
{
    gc_stats s;
    gc_collect_full(vm);
    if (raised(vm)) exc_clear(vm);
    gc_get_stats(vm, &s);
    api_of(vm)->used_after_collect = s.used;
}

aiovm_status api_enter(vm *vm, int kind, aiovm_value *out)
{
    api *a = api_of(vm);
    api_acquire(vm); /* what follows may be another thread's state */
    if (UNLIKELY(a->in_sweep)) return refuse(out, AIOVM_BUSY);
    if (UNLIKELY(vm->killed || a->closing)) return refuse(out, AIOVM_ENDED);
    if (kind == API_PLAIN) return AIOVM_OK;
    if (UNLIKELY(a->no_script)) return refuse(out, AIOVM_BUSY);
    if (api_is_inside(vm)) return kind == API_OUTER ? refuse(out, AIOVM_BUSY) : AIOVM_OK;
    thread_adopt_main(vm);
    if (UNLIKELY(vm->limits.mem_hard) && memory_is_short(vm)) collect_rest(vm);
    a->entered = true;
    if (kind == API_OUTER) api_forget_error(vm);
    api_time_begin(vm);
    return AIOVM_OK;
}

/* After an uncatchable end the host's side is told at once. */
static void end_host_side(vm *vm)
{
    api *a = api_of(vm);
    a->end_done = true;
    vm->preempted = NULL;
    value exc = vm->thread->exc;
    ROOTS(vm, &exc);
    vm->thread->exc = V_UNBOUND;
    api_ops_close(vm);
    api_tasks_close(vm, AIOVM_ENDED);
    files_flush_all(vm);
    vm->thread->exc = exc;
}

/* The outermost call that runs script is over? */
static bool leave_outermost(vm *vm, int kind)
{
    api *a = api_of(vm);
    if (kind == API_PLAIN || !a->entered || vm->main_thread.nreent || vm->main_thread.current) return false;
    if (UNLIKELY(!thread_alone(vm)) && is_script_thread(vm)) return false;
    api_time_end(vm);
    if (UNLIKELY(vm->killed && !a->end_done)) end_host_side(vm);
    a->entered = false;
    files_flush_all(vm);
    return true;
}

static bool in_script_thread(const vm *vm) { return vm->thread && vm->thread != &vm->main_thread; }
static api_scope *scope_of(vm *vm) { return &api_of(vm)->scopes[in_script_thread(vm)]; }

bool api_keep(vm *vm, value v)
{
    if (!value_is_obj(v)) return true;
    api_scope *s = scope_of(vm);
    if (UNLIKELY(s->n == s->cap)) {
        size_t cap = s->cap ? s->cap * 2 : 64, size;
        value *p = size_mul(cap, sizeof *p, &size) ? mem_realloc(vm, s->items, s->cap * sizeof *p, size) : NULL;
        if (!p) {
            if (!raised(vm)) raise_memory(vm);
            return false;
        }
        s->items = p;
        s->cap = cap;
    }
    s->items[s->n++] = v;
    return true;
}

size_t api_scope_begin(vm *vm)
{
    if (UNLIKELY(in_script_thread(vm))) api_of(vm)->thread_natives++;
    return scope_of(vm)->n;
}
void api_scope_end(vm *vm, size_t mark)
{
    if (LIKELY(!in_script_thread(vm))) scope_of(vm)->n = mark;
    else if (--api_of(vm)->thread_natives == 0) scope_of(vm)->n = 0;
}

bool api_present(vm *vm, value v)
{
    if (LIKELY(!value_is_unbound(v))) return true;
    raise_value_error(vm, "the value is absent");
    return false;
}

aiovm_status api_leave(vm *vm, int kind, value v, aiovm_value *out)
{
    ROOTS(vm, &v);
    if (leave_outermost(vm, kind) && kind == API_OUTER) api_of(vm)->scopes[0].n = 0;
    aiovm_status status = AIOVM_OK;
    if (UNLIKELY(value_is_error(v)) || (out && UNLIKELY(!api_keep(vm, v)))) {
        status = api_catch(vm);
        v = V_NONE;
    }
    if (out) *out = to_host(v);
    return status;
}

aiovm_status api_finish(vm *vm, int kind, bool ok)
{
    if (leave_outermost(vm, kind) && kind == API_OUTER) api_of(vm)->scopes[0].n = 0;
    return LIKELY(ok) ? AIOVM_OK : api_catch(vm);
}

size_t aiovm_mark(aiovm *host)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    return scope_of(vm)->n;
}
void aiovm_release(aiovm *host, size_t mark)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api_acquire(vm);
    api_scope *s = scope_of(vm);
    if (in_script_thread(vm) && api_of(vm)->thread_natives > 1) return; /* others' values may lie above */
    if (mark < s->n) s->n = mark;
}

/* ---- the current error ---- */

void api_forget_error(vm *vm)
{
    api *a = api_of(vm);
    a->error = a->type_text = a->message_text = a->whole_text = a->task_names = a->loaded = V_UNBOUND;
    a->exit_code = 0;
}

static int exit_code(vm *vm, value exc)
{
    value code = AS(exception, exc)->field[0];
    int64_t n;
    if (value_is_unbound(code) || value_is_none(code)) return 0;
    if (!int_is(code)) return 1;
    return int_to_i64(vm, int_plain(vm, code), &n) ? (int)(n & 0xff) : 255;
}

aiovm_status api_catch(vm *vm)
{
    api *a = api_of(vm);
    value exc = exc_take(vm);
    api_forget_error(vm);
    a->error = exc;
    if (UNLIKELY(vm->killed)) return AIOVM_ENDED;
    if (value_is_unbound(exc)) return AIOVM_NOMEM;
    if (value_is(exc, a->chain_exc)) a->task_names = a->task_chain;
    if (!value_isa_id(vm, exc, EXC_SystemExit)) return AIOVM_ERROR;
    a->exit_code = exit_code(vm, exc);
    return AIOVM_EXIT;
}

void api_throw(vm *vm, aiovm_status status, value who)
{
    api *a = api_of(vm);
    value exc = a->error;
    if (UNLIKELY(vm->killed)) {
        vm_raise_killed(vm);
    } else if (!value_is_unbound(exc)) {
        api_forget_error(vm);
        vm->thread->exc = exc;
    } else if (status == AIOVM_NOMEM) {
        raise_memory(vm);
    } else {
        raise(vm, EXC_RuntimeError, "%U() failed with %s, but without an error", who, aiovm_status_name(status));
    }
}

str *api_text(vm *vm, const char *s, size_t length)
{
    return codec_decode(vm, CODEC_UTF8, (const uint8_t *)s, length == AIOVM_ZTS ? strlen(s) : length, V_UNBOUND, true,
                        NULL, NULL);
}

/* ---- references ---- */

struct aiovm_ref {
    vm *vm;
    value v;
    uint32_t count;
    aiovm_ref *prev, *next;
};

static void mark_refs(vm *vm, const api *a)
{
    for (aiovm_ref *r = a->refs; r; r = r->next) gc_mark_value(vm, r->v);
}

aiovm_ref *aiovm_ref_new(aiovm *host, aiovm_value v)
{
    vm *vm = inside(host);
    API_COME_IN(vm);
    api *a = api_of(vm);
    api_acquire(vm);
    if (a->in_sweep) return NULL;
    aiovm_ref *r = mem_realloc_quiet(vm, NULL, 0, sizeof *r);
    if (!r) return NULL;
    *r = (aiovm_ref){.vm = vm, .v = from_host(v), .count = 1, .next = a->refs};
    if (r->next) r->next->prev = r;
    a->refs = r;
    return r;
}
aiovm_ref *aiovm_ref_retain(aiovm_ref *r)
{
    if (r) r->count++;
    return r;
}
aiovm_value aiovm_ref_get(const aiovm_ref *r) { return r ? to_host(r->v) : AIOVM_ABSENT; }
void aiovm_ref_release(aiovm_ref *r)
{
    if (!r || --r->count) return;
    vm *vm = r->vm;
    API_COME_IN(vm);
    api_acquire(vm);
    if (r->next) r->next->prev = r->prev;
    if (r->prev) r->prev->next = r->next;
    else api_of(vm)->refs = r->next;
    mem_free(vm, r, sizeof *r);
}

/* ---- the whole ---- */

static void mark_roots(vm *vm, void *ud)
{
    api *a = ud;
    mark_refs(vm, a);
    api_ops_mark(vm);
    api_tasks_mark(vm);
    for (int i = 0; i < 2; i++) gc_mark_values(vm, a->scopes[i].items, a->scopes[i].n);
    value *single[] = {&a->error,      &a->type_text, &a->message_text, &a->whole_text,
                       &a->task_names, &a->chain_exc, &a->task_chain,   &a->loaded};
    for (size_t i = 0; i < sizeof single / sizeof *single; i++) gc_mark_value(vm, *single[i]);
}

bool api_core_open(vm *vm) { return gc_add_roots(vm, mark_roots, api_of(vm)); }

/* Before the heap is freed: what host data needs in its finalisers stays. */
void api_core_close(vm *vm)
{
    api *a = api_of(vm);
    gc_remove_roots(vm, mark_roots, a);
    while (a->refs) {
        aiovm_ref *r = a->refs;
        a->refs = r->next;
        mem_free(vm, r, sizeof *r);
    }
    for (int i = 0; i < 2; i++) {
        mem_free(vm, a->scopes[i].items, a->scopes[i].cap * sizeof(value));
        a->scopes[i] = (api_scope){0};
    }
}
