/* A GLib host: the VM is a GSource, as any other source of a main loop. */
#include <aiovm.h>

#include <glib.h>
#include <stdio.h>

typedef struct vm_source {
    GSource base;
    aiovm *vm;
    gpointer tag;
} vm_source;

static gboolean source_prepare(GSource *base, gint *timeout_ms)
{
    int64_t ns = aiovm_timeout_ns(((vm_source *)base)->vm);
    *timeout_ms = ns < 0 ? -1 : (gint)((ns + 999999) / 1000000);
    return ns == 0;
}
static gboolean source_check(GSource *base)
{
    vm_source *s = (vm_source *)base;
    return g_source_query_unix_fd(base, s->tag) != 0 || aiovm_timeout_ns(s->vm) == 0;
}
static gboolean source_dispatch(GSource *base, GSourceFunc callback, gpointer ud)
{
    (void)callback;
    if (aiovm_run_ready(((vm_source *)base)->vm, 100000) != AIOVM_STATE_DONE) return G_SOURCE_CONTINUE;
    g_main_loop_quit(ud);
    return G_SOURCE_REMOVE;
}
static GSourceFuncs source_functions = {source_prepare, source_check, source_dispatch, NULL, NULL, NULL};

/* gtk.idle(f): f() in an idle callback of GLib. */
typedef struct idle {
    aiovm *vm;
    aiovm_ref *f;
} idle;
static gboolean run_idle(gpointer p)
{
    idle *i = p;
    if (aiovm_call(i->vm, aiovm_ref_get(i->f), 0, NULL, NULL) != AIOVM_OK) fputs(aiovm_error_text(i->vm), stderr);
    aiovm_ref_release(i->f);
    g_free(i);
    return G_SOURCE_REMOVE;
}
static aiovm_status glib_idle(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)out;
    aiovm_value f;
    if (aiovm_unpack(vm, a, "c", &f)) return AIOVM_ERROR;
    aiovm_ref *ref = aiovm_ref_new(vm, f);
    if (!ref) return AIOVM_NOMEM;
    idle *i = g_new(idle, 1);
    *i = (idle){vm, ref};
    g_idle_add(run_idle, i);
    return AIOVM_OK;
}
static const aiovm_func functions[] = {{"idle(f)", glib_idle, "Call f() when the main loop is idle.", 0}, {0}};

static const char script[] = "import asyncio, glib\n"
                             "event = asyncio.Event()\n"
                             "async def ticks():\n"
                             "    for i in range(3):\n"
                             "        await asyncio.sleep(0.01)\n"
                             "        print('tick', i)\n"
                             "    glib.idle(event.set)\n"
                             "await asyncio.gather(ticks(), event.wait())\n"
                             "print('woken by an idle callback')\n";

int main(void)
{
    aiovm_config config = {.size = sizeof config, .flags = AIOVM_HOST_LOOP};
    aiovm *vm = aiovm_open(&config);
    if (!vm || aiovm_module(vm, "glib", functions, NULL)) return 1;
    if (aiovm_eval(vm, script, AIOVM_ZTS, "glib.aio", NULL) != AIOVM_PENDING) return 1;
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    GSource *source = g_source_new(&source_functions, sizeof(vm_source));
    ((vm_source *)source)->vm = vm;
    ((vm_source *)source)->tag = g_source_add_unix_fd(source, aiovm_fd(vm), G_IO_IN);
    g_source_set_callback(source, NULL, loop, NULL);
    g_source_attach(source, NULL);
    g_main_loop_run(loop);
    g_source_unref(source);
    g_main_loop_unref(loop);
    return aiovm_close(vm) != AIOVM_OK;
}
