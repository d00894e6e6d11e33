/* freeze OUT.c ROOT FILE... - put scripts, packed, into a C table (see vm/frozen.h).
 *
 * A file's module name is its path below ROOT with dots for slashes: asyncio/queues.aio is
 * asyncio.queues, and asyncio/__init__.aio is the package asyncio. Runs on the build machine only.
 */
#include "pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct module {
    char *name;
    const char *path;
    int is_package;
    size_t packed, length;
};

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "freeze: %s: %s\n", path, what);
    exit(1);
}

static void *need(void *p)
{
    if (p == NULL) fail("out of memory", "-");
    return p;
}

static void name_module(struct module *m, const char *root, const char *path)
{
    static const char ending[] = ".aio", package[] = "/__init__";
    size_t skip = strlen(root), n = strlen(path);
    if (strncmp(path, root, skip) != 0 || path[skip] != '/') fail("not below the root folder", path);
    if (n < sizeof ending || strcmp(path + n - (sizeof ending - 1), ending) != 0) fail("not an .aio file", path);
    n -= skip + 1 + sizeof ending - 1;
    m->path = path;
    m->name = need(malloc(n + 1));
    memcpy(m->name, path + skip + 1, n);
    m->name[n] = 0;
    if (n > sizeof package - 1 && strcmp(m->name + n - (sizeof package - 1), package) == 0) {
        m->name[n - (sizeof package - 1)] = 0;
        m->is_package = 1;
    }
    for (char *p = m->name; *p; p++) {
        if (*p == '/') *p = '.';
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct module *)a)->name, ((const struct module *)b)->name);
}

/* The packed text as numbers; what the library will make of it is checked here. */
static void write_source(FILE *out, struct module *m)
{
    FILE *in = fopen(m->path, "rb");
    if (in == NULL || fseek(in, 0, SEEK_END) != 0) fail("can't be read", m->path);
    long n = ftell(in);
    if (n < 0 || n > 1 << (PACK_WINDOW_BITS - 1)) fail("is too long", m->path);
    rewind(in);
    m->length = (size_t)n;
    uint8_t *text = need(malloc(m->length + 1)), *packed = need(malloc(PACK_BOUND(m->length)));
    char *again = need(malloc(m->length + 1));
    if (fread(text, 1, m->length, in) != m->length || ferror(in)) fail("can't be read", m->path);
    fclose(in);
    if (memchr(text, 0, m->length) != NULL) fail("contains a NUL byte", m->path);
    m->packed = pack_encode(text, m->length, packed);
    if (m->packed == SIZE_MAX) fail("out of memory", m->path);
    if (!pack_decode(packed, m->packed, again, m->length) || memcmp(text, again, m->length) != 0)
        fail("does not survive packing", m->path);
    for (size_t i = 0; i < m->packed; i++) fprintf(out, "%s%u,", i % 24 == 0 ? "\n    " : "", packed[i]);
    if (m->packed == 0) fputs("0", out);
    free(text);
    free(packed);
    free(again);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: freeze OUT.c ROOT FILE...\n", stderr);
        return 2;
    }
    size_t n = (size_t)argc - 3;
    struct module *modules = need(calloc(n + 1, sizeof *modules));
    for (size_t i = 0; i < n; i++) name_module(&modules[i], argv[2], argv[3 + i]);
    qsort(modules, n, sizeof *modules, by_name);
    FILE *out = fopen(argv[1], "wb");
    if (out == NULL) fail("can't be written", argv[1]);
    fputs("/* Made by tools/freeze.c from the scripts in stdlib/. */\n"
          "#include \"vm/frozen.h\"\n\n",
          out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "static const uint8_t source_%zu[] = { /* %s */", i, modules[i].name);
        write_source(out, &modules[i]);
        fputs("\n};\n\n", out);
    }
    fputs("const struct frozen_module frozen_modules[] = {\n", out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "    {\"%s\", source_%zu, %zu, %zu, %s},\n", modules[i].name, i, modules[i].packed,
                modules[i].length, modules[i].is_package ? "true" : "false");
        free(modules[i].name);
    }
    fprintf(out, "    {0},\n};\nconst size_t frozen_module_count = %zu;\n", n);
    free(modules);
    if (fflush(out) != 0 || ferror(out) || fclose(out) != 0) fail("can't be written", argv[1]);
    return 0;
}
