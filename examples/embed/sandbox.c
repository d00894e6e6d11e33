/* A server that runs submitted scripts: each in a VM of its own, with the sandbox's limits, in a pool of threads. What
 * a script prints, or why it was ended, is its answer.
 *
 *     sandbox [FILE...]     without files a few submissions of every kind are tried
 */
#include <aiovm.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct submission {
    const char *name, *source;
    char answer[400];
    size_t length;
} submission;

static void on_output(void *ud, int stream, const char *text, size_t n)
{
    submission *s = ud;
    (void)stream;
    size_t room = sizeof s->answer - 1 - s->length;
    if (n > room) n = room;
    memcpy(s->answer + s->length, text, n);
    s->length += n;
}

static void append(submission *s, const char *text) { on_output(s, 1, text, strlen(text)); }

static void run_submission(submission *s)
{
    aiovm_config config = {.size = sizeof config};
    aiovm_sandbox(&config);
    config.fuel = 2000000;
    config.memory_hard = 16 << 20;
    config.output = 10000;
    config.output_fn = on_output;
    config.sink_ud = s;
    aiovm *vm = aiovm_open(&config);
    if (!vm) {
        append(s, "no memory\n");
        return;
    }
    switch (aiovm_eval(vm, s->source, AIOVM_ZTS, s->name, NULL)) {
    case AIOVM_OK: break;
    case AIOVM_EXIT: append(s, "(exit)\n"); break;
    case AIOVM_ENDED:
        append(s, "ended: ");
        append(s, aiovm_error_type(vm));
        append(s, "\n");
        break;
    default:
        append(s, aiovm_error_type(vm));
        append(s, ": ");
        append(s, aiovm_error_message(vm));
        append(s, "\n");
    }
    aiovm_close(vm);
}

static submission tries[] = {
    {.name = "good",
     .source = "import json, asyncio\nawait asyncio.sleep(0)\nprint(json.dumps({'answer': sum(range(10))}))\n"},
    {.name = "endless", .source = "while True:\n    try:\n        while True: pass\n    except BaseException: pass\n"},
    {.name = "greedy", .source = "x = []\nwhile True: x.append('x' * 1000)\n"},
    {.name = "chatty", .source = "while True: print('spam ' * 10)\n"},
    {.name = "curious", .source = "print(open('/etc/passwd').read())\n"},
    {.name = "deep", .source = "def f(): f()\nf()\n"},
    {.name = "huge", .source = "print(10 ** 10 ** 8)\n"},
    {.name = "wrong", .source = "print('no end\n"},
    {.name = "leaving", .source = "import sys\nsys.exit(0)\n"},
};
static int next_try, count;
static submission *all = tries;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *unused)
{
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&mutex);
        int mine = next_try < count ? next_try++ : -1;
        pthread_mutex_unlock(&mutex);
        if (mine < 0) return NULL;
        run_submission(&all[mine]);
    }
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = f ? calloc(1, 1 << 20) : NULL;
    if (text && fread(text, 1, (1 << 20) - 1, f) == 0) *text = 0;
    if (f) fclose(f);
    return text;
}

int main(int argc, char **argv)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    count = sizeof tries / sizeof *tries;
    if (argc > 1) {
        count = argc - 1;
        all = calloc((size_t)count, sizeof *all);
        for (int i = 0; all && i < count; i++) {
            all[i].name = argv[i + 1];
            all[i].source = read_file(argv[i + 1]);
            if (!all[i].source) return 1;
        }
    }
    if (!all) return 1;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, NULL)) return 1;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < count; i++) {
        all[i].answer[all[i].length < 60 ? all[i].length : 60] = 0;
        char *end = strchr(all[i].answer, '\n');
        if (end && strncmp(all[i].answer, "spam", 4) == 0) *end = 0;
        printf("%s: %s%s", all[i].name, all[i].answer,
               all[i].answer[0] && all[i].answer[strlen(all[i].answer) - 1] == '\n' ? "" : "\n");
    }
    return 0;
}
