/* freeze OUT.c ROOT LIST DOCS - put scripts and docs, packed, into a C table (see vm/frozen.h).
 *
 * LIST is a file with the path of a script in each line, DOCS what tools/collect_docs made.
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
    uint8_t *text;
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

/* A file's text, to be freed. */
static uint8_t *read_text(struct module *m)
{
    FILE *in = fopen(m->path, "rb");
    if (in == NULL || fseek(in, 0, SEEK_END) != 0) fail("can't be read", m->path);
    long n = ftell(in);
    if (n < 0 || n > 1 << (PACK_WINDOW_BITS - 1)) fail("is too long", m->path);
    rewind(in);
    m->length = (size_t)n;
    uint8_t *text = need(malloc(m->length + 1));
    if (fread(text, 1, m->length, in) != m->length || ferror(in)) fail("can't be read", m->path);
    fclose(in);
    if (memchr(text, 0, m->length) != NULL) fail("contains a NUL byte", m->path);
    return text;
}

/* ---- the seed ---- */

/* Of each of SEED_PIECES equal parts of all texts together, the piece whose strings of GRAM letters are in the most
 * modules; what a piece has is worth nothing in the others. */
enum { PIECE = 96, SEED_PIECES = 256, GRAM = 8, GRAM_BITS = 20 };

static size_t gram_at(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return (size_t)(v * UINT64_C(0x9E3779B97F4A7C15) >> (64 - GRAM_BITS));
}

static size_t make_seed(const struct module *modules, size_t n, uint8_t *seed)
{
    size_t total = 0, at = 0, length = 0;
    for (size_t i = 0; i < n; i++) total += modules[i].length;
    if (total < (size_t)SEED_PIECES * (PIECE + GRAM)) return 0;
    uint8_t *all = need(malloc(total + GRAM));
    uint32_t *count = need(calloc((size_t)1 << GRAM_BITS, sizeof *count)); /* modules it is in, but for the first */
    uint32_t *seen = need(calloc((size_t)1 << GRAM_BITS, sizeof *seen));   /* the last of them, + 1 */
    memset(all + total, 0, GRAM);
    for (size_t i = 0; i < n; i++) {
        memcpy(all + at, modules[i].text, modules[i].length);
        for (size_t k = 0; k + GRAM <= modules[i].length; k++) {
            size_t gram = gram_at(all + at + k);
            if (seen[gram] != i + 1) count[gram] += seen[gram] != 0;
            seen[gram] = (uint32_t)i + 1;
        }
        at += modules[i].length;
    }
    for (size_t part = 0; part < SEED_PIECES; part++) {
        size_t from = total / SEED_PIECES * part, to = from + total / SEED_PIECES - PIECE, best = from;
        uint64_t worth = 0, most = 0;
        for (size_t k = from; k < from + PIECE; k++) worth += count[gram_at(all + k)];
        for (size_t k = from; k < to; k++) {
            if (worth > most) most = worth, best = k;
            worth += count[gram_at(all + k + PIECE)];
            worth -= count[gram_at(all + k)];
        }
        memcpy(seed + length, all + best, PIECE);
        length += PIECE;
        for (size_t k = best; k < best + PIECE; k++) count[gram_at(all + k)] = 0;
    }
    free(all);
    free(count);
    free(seen);
    return length;
}

/* ---- output ---- */

/* Packed text as numbers; what the library will make of it is checked here. Without a seed it is one: *end is its. */
static size_t write_packed(FILE *out, const char *what, const uint8_t *text, size_t length,
                           const struct pack_seed *seed, struct pack_model *end)
{
    size_t start = seed ? seed->length : 0;
    uint8_t *in = need(malloc(start + length + 1)), *packed = need(malloc(PACK_BOUND(length)));
    char *again = need(malloc(length + 1));
    struct pack_model m;
    if (seed) memcpy(in, seed->text, start), m = seed->model;
    else pack_model_init(&m);
    memcpy(in + start, text, length);
    size_t n = pack_encode(in, start, start + length, &m, packed);
    if (n == SIZE_MAX) fail("out of memory", what);
    if (!pack_decode(packed, n, again, length, seed, end) || memcmp(text, again, length) != 0)
        fail("does not survive packing", what);
    for (size_t i = 0; i < n; i++) fprintf(out, "%s%u,", i % 24 == 0 ? "\n    " : "", packed[i]);
    free(in);
    free(packed);
    free(again);
    return n;
}

/* The docs of all sources in one text: a name, a length and the texts of each source, which contain NULs. */
static void write_docs(FILE *out, const char *path, const struct pack_seed *seed)
{
    static uint8_t text[1 << 20];
    static char name[256];
    size_t length = 0, n, files = 0;
    FILE *in = fopen(path, "rb");
    if (in == NULL) fail("can't be read", path);
    fputs("const uint32_t frozen_doc_starts[] = {", out);
    for (; fscanf(in, "%255s %zu", name, &n) == 2; files++) {
        if (getc(in) != '\n' || n > sizeof text - length || fread(text + length, 1, n, in) != n)
            fail("is damaged", path);
        fprintf(out, "\n    %zu, /* %s */", length, name);
        length += n;
    }
    if (!feof(in) || fclose(in) != 0) fail("is damaged", path);
    fputs("\n    0};\nconst uint8_t frozen_docs[] = {", out);
    n = write_packed(out, "the docs", text, length, seed, NULL);
    fprintf(out,
            "\n    0};\nconst size_t frozen_docs_size = %zu, frozen_docs_length = %zu, frozen_doc_files = %zu;\n\n", n,
            length, files);
}

/* The paths in the file `list`, one per line. */
static struct module *read_list(const char *list, const char *root, size_t *n)
{
    static char line[4096];
    struct module *modules = NULL;
    FILE *in = fopen(list, "r");
    if (in == NULL) fail("can't be read", list);
    for (*n = 0; fgets(line, sizeof line, in); ++*n) {
        size_t end = strcspn(line, "\n");
        if (line[end] == 0) fail("has a line that is too long, or does not end", list);
        line[end] = 0;
        modules = need(realloc(modules, (*n + 1) * sizeof *modules));
        struct module *m = &modules[*n];
        *m = (struct module){0};
        name_module(m, root, need(strdup(line)));
        m->text = read_text(m);
    }
    if (ferror(in) || fclose(in) != 0) fail("can't be read", list);
    return modules;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fputs("usage: freeze OUT.c ROOT LIST DOCS\n", stderr);
        return 2;
    }
    size_t n;
    struct module *modules = read_list(argv[3], argv[2], &n);
    qsort(modules, n, sizeof *modules, by_name);
    FILE *out = fopen(argv[1], "wb");
    if (out == NULL) fail("can't be written", argv[1]);
    fputs("/* Made by tools/freeze.c from the scripts in stdlib/. */\n"
          "#include \"vm/frozen.h\"\n\n",
          out);
    static uint8_t seed_text[SEED_PIECES * PIECE];
    struct pack_seed seed = {.text = (const char *)seed_text, .length = make_seed(modules, n, seed_text)};
    fputs("const uint8_t frozen_seed[] = {", out);
    size_t seed_size = write_packed(out, "the seed", seed_text, seed.length, NULL, &seed.model);
    fprintf(out, "\n    0};\nconst size_t frozen_seed_size = %zu, frozen_seed_length = %zu;\n\n", seed_size,
            seed.length);
    write_docs(out, argv[4], &seed);
    fputs("const uint8_t frozen_packed[] = {", out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "\n    /* %s */", modules[i].name);
        modules[i].packed = write_packed(out, modules[i].path, modules[i].text, modules[i].length, &seed, NULL);
        free(modules[i].text);
    }
    fputs("\n    0};\n\nconst char frozen_names[] =", out);
    for (size_t i = 0; i < n; i++) fprintf(out, "\n    \"%s\\0\"", modules[i].name);
    fputs(" \"\";\n\nconst struct frozen_module frozen_modules[] = {\n", out);
    size_t name = 0, packed = 0;
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "    {%zu, %zu, %zu, %zu, %d}, /* %s */\n", name, packed, modules[i].packed, modules[i].length,
                modules[i].is_package, modules[i].name);
        name += strlen(modules[i].name) + 1;
        packed += modules[i].packed;
        free(modules[i].name);
    }
    fprintf(out, "    {0},\n};\nconst size_t frozen_module_count = %zu;\n", n);
    free(modules);
    if (fflush(out) != 0 || ferror(out) || fclose(out) != 0) fail("can't be written", argv[1]);
    return 0;
}
