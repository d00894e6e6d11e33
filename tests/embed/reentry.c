/* How much C stack a native takes that calls back into script: a re-entry costs under 1 KiB, with the native that
 * calls, and natives that walk over something on the way have as much again for what they keep. Every kind of call back
 * is driven 40 levels deep by a method that calls itself through it; a native function notes the stack's address. */
#include "include/aiovm.h"

#include <inttypes.h>
#include <stdio.h>

/* Half as much again as what the build of tools/dev takes at most: compilers differ. */
enum { LEVELS = 40, DIRECT = 1536, WALKS = 3 * 1536 };

static uintptr_t marks[LEVELS + 1];
static int marked;

static aiovm_status mark(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)vm, (void)a;
    if (marked <= LEVELS) marks[marked++] = (uintptr_t)__builtin_frame_address(0);
    *out = aiovm_none();
    return AIOVM_OK;
}

/* Sanitizers put red zones around what is on the stack; an unoptimised build keeps everything there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
#define MEASURED 0
#else
#define MEASURED 1
#endif

static const struct {
    const char *name, *way; /* way: an expression that comes to self.inner by a native */
    uintptr_t most;
} ways[] = {
    {"repr", "repr(self.inner)", DIRECT},
    {"str of a list", "str([self.inner])", WALKS},
    {"f-string", "f'{self.inner}'", DIRECT},
    {"format", "format(self.inner, '')", DIRECT},
    {"comparison of lists", "[self.inner] == [Level(0)]", WALKS},
    {"key of a sort", "sorted([self.inner], key=str)", WALKS},
    {"comparison in a sort", "sorted([Level(0), self.inner])", WALKS},
    {"max with a key", "max([self.inner], key=str)", WALKS},
    {"hash in a dict", "{self.inner: 1}", DIRECT},
    {"map", "list(map(str, [self.inner]))", WALKS},
    {"sum of a generator", "sum(len(str(x)) for x in [self.inner])", WALKS},
    {"length", "len(self.inner)", DIRECT},
    {"attribute", "self.inner.other", DIRECT},
    {"getattr", "getattr(self.inner, 'other')", WALKS},
    {"addition", "self.inner + 1", WALKS},
    {"item", "self.inner[0]", DIRECT},
    {"reduce", "functools.reduce(lambda a, b: str(b), [self.inner], '')", WALKS},
};

static const char *const classes = "import functools, native\n"
                                   "class Level:\n"
                                   "    def __init__(self, n):\n"
                                   "        self.inner = Level(n - 1) if n else None\n"
                                   "    def down(self, *args):\n"
                                   "        if self.inner is not None:\n"
                                   "            native.mark()\n"
                                   "            way(self)\n"
                                   "    def __repr__(self):\n"
                                   "        self.down()\n"
                                   "        return 'Level'\n"
                                   "    def __format__(self, spec):\n"
                                   "        self.down()\n"
                                   "        return 'Level'\n"
                                   "    def __eq__(self, other):\n"
                                   "        self.down()\n"
                                   "        return True\n"
                                   "    __lt__ = __eq__\n"
                                   "    def __hash__(self):\n"
                                   "        self.down()\n"
                                   "        return 1\n"
                                   "    __len__ = __hash__\n"
                                   "    def __getattr__(self, name):\n"
                                   "        self.down()\n"
                                   "    def __add__(self, other):\n"
                                   "        self.down()\n"
                                   "    __getitem__ = __add__\n";

int main(void)
{
    static const aiovm_func functions[] = {{"mark()", mark, "Note where the stack is.", 0}, {0}};
    aiovm *vm = aiovm_open(NULL);
    aiovm_value v;
    if (!vm || aiovm_module(vm, "native", functions, NULL) != AIOVM_OK) return 1;
    if (aiovm_eval(vm, classes, AIOVM_ZTS, "<levels>", &v) != AIOVM_OK) return puts(aiovm_error_text(vm)), 1;
    int status = 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char source[300];
        snprintf(source, sizeof source, "def way(self):\n    return %s\nself = Level(%d)\nway(self)\n", ways[i].way,
                 LEVELS + 1);
        marked = 0;
        if (aiovm_eval(vm, source, AIOVM_ZTS, "<way>", &v) != AIOVM_OK) return puts(aiovm_error_text(vm)), 1;
        /* The first level or two may be special (caches are filled); each later one is like the next. */
        if (marked < LEVELS) {
            printf("%s: %d levels only\n", ways[i].name, marked);
            status = 1;
            continue;
        }
        uintptr_t each = (marks[4] - marks[marked - 1]) / (uintptr_t)(marked - 5);
        if (MEASURED && each >= ways[i].most) {
            printf("%s: %" PRIuPTR " bytes each\n", ways[i].name, each);
            status = 1;
        } else {
            printf("%s: as little as promised\n", ways[i].name);
        }
    }
    return aiovm_close(vm) == AIOVM_OK ? status : 1;
}
