/* A pool of threads of the host computes; scripts await the results. The threads touch no VM: they only call
 * aiovm_complete. */
#include <aiovm.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct job {
    struct job *next;
    aiovm_op *op;
    uint64_t n, primes;
} job;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static job *first, **last = &first;
static int stopping;

static uint64_t count_primes(uint64_t n, aiovm_op *op)
{
    uint64_t count = 0;
    for (uint64_t i = 2; i < n; i++) {
        uint64_t d = 2;
        while (d * d <= i && i % d) d++;
        count += d * d > i;
        if (i % 1000 == 0 && !aiovm_op_wanted(op)) break; /* nobody waits any more */
    }
    return count;
}

/* On the VM's thread. */
static aiovm_status make_result(aiovm *vm, void *ud, aiovm_value *out)
{
    job *j = ud;
    aiovm_status status = aiovm_uint(vm, j->primes, out);
    free(j);
    return status;
}

static void *work(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&mutex);
    for (;;) {
        while (!first && !stopping) pthread_cond_wait(&more, &mutex);
        if (!first) break;
        job *j = first;
        first = j->next;
        if (!first) last = &first;
        pthread_mutex_unlock(&mutex);
        aiovm_op *op = j->op;
        j->primes = count_primes(j->n, op);
        aiovm_complete(op, make_result, j, free);
        aiovm_op_release(op);
        pthread_mutex_lock(&mutex);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

/* await pool.primes(n) */
static aiovm_status pool_primes(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    int64_t n = 0;
    if (aiovm_unpack(vm, a, "i", &n)) return AIOVM_ERROR;
    job *j = calloc(1, sizeof *j);
    if (!j) return AIOVM_NOMEM;
    aiovm_status status = aiovm_future(vm, NULL, NULL, &j->op, out);
    if (status) {
        free(j);
        return status;
    }
    j->n = n > 0 ? (uint64_t)n : 0;
    pthread_mutex_lock(&mutex);
    *last = j;
    last = &j->next;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&mutex);
    return AIOVM_OK;
}
static const aiovm_func functions[] = {{"primes(n)", pool_primes, "How many primes are below n; awaitable.", 0}, {0}};

static const char script[] = "import asyncio, pool\n"
                             "results = await asyncio.gather(*[pool.primes(n * 1000) for n in range(1, 9)])\n"
                             "print(results)\n"
                             "try: await asyncio.wait_for(pool.primes(10**12), 0.05)\n"
                             "except TimeoutError: print('given up')\n";

int main(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, NULL)) return 1;
    aiovm *vm = aiovm_open(NULL); /* it runs its own loop */
    int failed =
        !vm || aiovm_module(vm, "pool", functions, NULL) || aiovm_eval(vm, script, AIOVM_ZTS, "pool.aio", NULL);
    if (failed) fputs(vm ? aiovm_error_text(vm) : "no memory\n", stderr);
    aiovm_close(vm);
    pthread_mutex_lock(&mutex);
    stopping = 1;
    pthread_cond_broadcast(&more);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    return failed;
}
