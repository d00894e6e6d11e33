/* A Redis module: commands that run async scripts inside the server, without blocking it.
 *
 *     redis-server --loadmodule redis_module.so
 *
 *     AIO.LOAD source            runs source text; what it defines can be called
 *     AIO.CALL function [arg...] calls a function with text arguments; what a coroutine function returns is awaited
 *
 * Scripts have redis.call('SET', key, value), which runs a command at once. The VM's descriptor is one of the server's
 * own event loop; a client that has called an async function is blocked until its task is done, all others are served
 * meanwhile. When a client goes away, its task is cancelled.
 *
 * The few functions of Redis' module interface that are needed are declared here, as its documentation gives them; a
 * module gets their addresses by name, from the function that the context begins with.
 */
#include <aiovm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the module interface of Redis (7.0 or later) ---- */

typedef struct RedisModuleCtx RedisModuleCtx;
typedef struct RedisModuleString RedisModuleString;
typedef struct RedisModuleBlockedClient RedisModuleBlockedClient;
typedef struct RedisModuleCallReply RedisModuleCallReply;
typedef int command_fn(RedisModuleCtx *, RedisModuleString **, int);
enum { REDIS_OK = 0, REDIS_ERR = 1, API_VERSION = 1, LOOP_READABLE = 1 };
enum { REPLY_STRING = 0, REPLY_ERROR = 1, REPLY_INTEGER = 2, REPLY_ARRAY = 3, REPLY_NULL = 4 };

static struct {
    void (*SetModuleAttribs)(RedisModuleCtx *, const char *name, int version, int api_version);
    int (*CreateCommand)(RedisModuleCtx *, const char *name, command_fn *, const char *flags, int first, int last,
                         int step);
    int (*WrongArity)(RedisModuleCtx *);
    const char *(*StringPtrLen)(const RedisModuleString *, size_t *);
    RedisModuleString *(*CreateString)(RedisModuleCtx *, const char *, size_t);
    void (*FreeString)(RedisModuleCtx *, RedisModuleString *);
    int (*ReplyWithSimpleString)(RedisModuleCtx *, const char *);
    int (*ReplyWithStringBuffer)(RedisModuleCtx *, const char *, size_t);
    int (*ReplyWithError)(RedisModuleCtx *, const char *);
    RedisModuleBlockedClient *(*BlockClient)(RedisModuleCtx *, command_fn *, command_fn *,
                                             void (*)(RedisModuleCtx *, void *), long long);
    int (*UnblockClient)(RedisModuleBlockedClient *, void *);
    int (*AbortBlock)(RedisModuleBlockedClient *);
    void (*SetDisconnectCallback)(RedisModuleBlockedClient *, void (*)(RedisModuleCtx *, RedisModuleBlockedClient *));
    RedisModuleCtx *(*GetThreadSafeContext)(RedisModuleBlockedClient *);
    RedisModuleCtx *(*GetDetachedThreadSafeContext)(RedisModuleCtx *);
    void (*FreeThreadSafeContext)(RedisModuleCtx *);
    int (*EventLoopAdd)(int fd, int mask, void (*)(int fd, void *ud, int mask), void *ud);
    int (*EventLoopDel)(int fd, int mask);
    RedisModuleCallReply *(*Call)(RedisModuleCtx *, const char *name, const char *format, ...);
    void (*FreeCallReply)(RedisModuleCallReply *);
    int (*CallReplyType)(RedisModuleCallReply *);
    const char *(*CallReplyStringPtr)(RedisModuleCallReply *, size_t *);
    long long (*CallReplyInteger)(RedisModuleCallReply *);
} redis;

static int find_functions(RedisModuleCtx *ctx)
{
    int (*get)(const char *, void *);
    memcpy(&get, ctx, sizeof get);
#define FIND(NAME) \
    if (get("RedisModule_" #NAME, &redis.NAME) != REDIS_OK) return 0
    FIND(SetModuleAttribs);
    FIND(CreateCommand);
    FIND(WrongArity);
    FIND(StringPtrLen);
    FIND(CreateString);
    FIND(FreeString);
    FIND(ReplyWithSimpleString);
    FIND(ReplyWithStringBuffer);
    FIND(ReplyWithError);
    FIND(BlockClient);
    FIND(UnblockClient);
    FIND(AbortBlock);
    FIND(SetDisconnectCallback);
    FIND(GetThreadSafeContext);
    FIND(GetDetachedThreadSafeContext);
    FIND(FreeThreadSafeContext);
    FIND(EventLoopAdd);
    FIND(EventLoopDel);
    FIND(Call);
    FIND(FreeCallReply);
    FIND(CallReplyType);
    FIND(CallReplyStringPtr);
    FIND(CallReplyInteger);
    return 1;
}

/* ---- the VM ---- */

static aiovm *vm;
static RedisModuleCtx *own_context; /* of redis.call */

/* A client that waits for its task. */
typedef struct waiter {
    RedisModuleBlockedClient *client;
    aiovm_task *task;
    int gone; /* the client has disconnected */
    struct waiter *next;
} waiter;
static waiter *waiters;

static void reply_error(RedisModuleCtx *ctx)
{
    char text[512];
    snprintf(text, sizeof text, "ERR %s: %s", aiovm_error_type(vm), aiovm_error_message(vm));
    for (char *p = text; *p; p++)
        if (*p == '\r' || *p == '\n') *p = ' ';
    redis.ReplyWithError(ctx, text);
}

static void reply_value(RedisModuleCtx *ctx, aiovm_value v)
{
    size_t n = 0;
    const char *s = NULL;
    if (aiovm_str(vm, v, &v) == AIOVM_OK) s = aiovm_to_text(vm, v, &n);
    if (s) redis.ReplyWithStringBuffer(ctx, s, n);
    else reply_error(ctx);
}

static void on_done(aiovm *unused, void *ud, aiovm_status status, aiovm_value result)
{
    (void)unused;
    waiter *w = ud;
    for (waiter **p = &waiters; *p; p = &(*p)->next) {
        if (*p != w) continue;
        *p = w->next;
        break;
    }
    if (!w->gone) {
        RedisModuleCtx *ctx = redis.GetThreadSafeContext(w->client);
        if (status == AIOVM_OK) reply_value(ctx, result);
        else if (status == AIOVM_ERROR) reply_error(ctx);
        else redis.ReplyWithError(ctx, "ERR cancelled");
        redis.FreeThreadSafeContext(ctx);
    }
    redis.UnblockClient(w->client, NULL);
    aiovm_task_release(w->task);
    free(w);
}

static void on_disconnect(RedisModuleCtx *ctx, RedisModuleBlockedClient *client)
{
    (void)ctx;
    for (waiter *w = waiters; w; w = w->next) {
        if (w->client != client) continue;
        w->gone = 1;
        aiovm_cancel(w->task);
        return;
    }
}

static void on_readable(int fd, void *ud, int mask)
{
    (void)ud, (void)mask;
    if (aiovm_run_ready(vm, 50000) == AIOVM_STATE_ENDED) redis.EventLoopDel(fd, LOOP_READABLE);
}

/* ---- redis.call ---- */

static aiovm_status convert_reply(RedisModuleCallReply *reply, aiovm_value *out)
{
    size_t n = 0;
    const char *s;
    if (!reply) return aiovm_raise(vm, "ValueError", "no such command, or wrong arguments");
    switch (redis.CallReplyType(reply)) {
    case REPLY_INTEGER: return aiovm_int(vm, redis.CallReplyInteger(reply), out);
    case REPLY_STRING: s = redis.CallReplyStringPtr(reply, &n); return aiovm_text(vm, s, n, out);
    case REPLY_ERROR:
        s = redis.CallReplyStringPtr(reply, &n);
        return aiovm_raise(vm, "RuntimeError", "%s", n ? "the command failed" : s);
    default: return AIOVM_OK; /* None */
    }
}

static aiovm_status redis_call(aiovm *unused, aiovm_args *a, aiovm_value *out)
{
    (void)unused;
    enum { MAX = 16 };
    RedisModuleString *args[MAX];
    size_t count = 0, n;
    const char *command = aiovm_to_text(vm, a->argv[0], NULL);
    aiovm_status status = aiovm_length(vm, a->argv[1], &count);
    if (status) return status;
    if (!command || count > MAX) return aiovm_raise(vm, "TypeError", "redis.call(command, at most 16 arguments)");
    for (size_t i = 0; i < count; i++) {
        aiovm_value v;
        const char *s = NULL;
        if (aiovm_at(vm, a->argv[1], i, &v) == AIOVM_OK && aiovm_str(vm, v, &v) == AIOVM_OK)
            s = aiovm_to_text(vm, v, &n);
        if (s) {
            args[i] = redis.CreateString(own_context, s, n);
        } else {
            count = i;
            status = aiovm_raise(vm, "TypeError", "redis.call() takes text and what str() makes of the rest");
        }
    }
    if (status == AIOVM_OK) {
        RedisModuleCallReply *reply = redis.Call(own_context, command, "v", args, count);
        status = convert_reply(reply, out);
        if (reply) redis.FreeCallReply(reply);
    }
    for (size_t i = 0; i < count; i++) redis.FreeString(own_context, args[i]);
    return status;
}
static const aiovm_func functions[] = {{"call(command, *args)", redis_call, "Run a command of Redis.", 0}, {0}};

/* ---- commands ---- */

static int load_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    size_t n;
    if (argc != 2) return redis.WrongArity(ctx);
    const char *source = redis.StringPtrLen(argv[1], &n);
    aiovm_status status = aiovm_eval(vm, source, n, "<AIO.LOAD>", NULL);
    if (status == AIOVM_OK || status == AIOVM_PENDING) redis.ReplyWithSimpleString(ctx, "OK");
    else reply_error(ctx);
    return REDIS_OK;
}

static int call_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    enum { MAX = 16 };
    aiovm_value f, args[MAX], result;
    size_t n;
    if (argc < 2 || argc > MAX + 2) return redis.WrongArity(ctx);
    aiovm_status status = aiovm_get_global(vm, redis.StringPtrLen(argv[1], &n), &f);
    for (int i = 2; !status && i < argc; i++) {
        const char *s = redis.StringPtrLen(argv[i], &n);
        status = aiovm_text(vm, s, n, &args[i - 2]);
    }
    if (!status) status = aiovm_call(vm, f, argc - 2, args, &result);
    if (status) {
        reply_error(ctx);
        return REDIS_OK;
    }
    if (aiovm_type_of(vm, result) != AIOVM_TYPE_COROUTINE) {
        reply_value(ctx, result);
        return REDIS_OK;
    }
    waiter *w = calloc(1, sizeof *w);
    if (!w) return redis.ReplyWithError(ctx, "ERR no memory");
    w->client = redis.BlockClient(ctx, NULL, NULL, NULL, 0);
    redis.SetDisconnectCallback(w->client, on_disconnect);
    if (aiovm_spawn(vm, result, on_done, w, &w->task)) {
        redis.AbortBlock(w->client);
        free(w);
        reply_error(ctx);
        return REDIS_OK;
    }
    w->next = waiters;
    waiters = w;
    return REDIS_OK;
}

__attribute__((visibility("default"))) int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    (void)argv, (void)argc;
    if (!find_functions(ctx)) return REDIS_ERR;
    redis.SetModuleAttribs(ctx, "aio", 1, API_VERSION);
    aiovm_config config = {.size = sizeof config, .flags = AIOVM_HOST_LOOP, .memory_hard = (size_t)256 << 20};
    vm = aiovm_open(&config);
    own_context = redis.GetDetachedThreadSafeContext(ctx);
    if (!vm || aiovm_module(vm, "redis", functions, NULL) != AIOVM_OK || aiovm_fd(vm) < 0) return REDIS_ERR;
    if (redis.EventLoopAdd(aiovm_fd(vm), LOOP_READABLE, on_readable, NULL) != REDIS_OK) return REDIS_ERR;
    if (redis.CreateCommand(ctx, "aio.load", load_command, "write deny-oom no-cluster", 0, 0, 0) != REDIS_OK ||
        redis.CreateCommand(ctx, "aio.call", call_command, "write deny-oom no-cluster", 0, 0, 0) != REDIS_OK)
        return REDIS_ERR;
    return REDIS_OK;
}

__attribute__((visibility("default"))) int RedisModule_OnUnload(RedisModuleCtx *ctx)
{
    (void)ctx;
    redis.EventLoopDel(aiovm_fd(vm), LOOP_READABLE);
    aiovm_close(vm); /* tells the clients that wait */
    redis.FreeThreadSafeContext(own_context);
    return REDIS_OK;
}
