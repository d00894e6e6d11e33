/* Source lines for tracebacks and warnings: read from the files when one is asked for, kept as long as the file is
 * the same; or registered text, for code that comes from no file (a cell of the REPL).
 *
 * The cache holds a few files, the last registered texts (their number and their size are bounded; the oldest give way)
 * and no references into the heap. Text is UTF-8 with any newline convention. */
#include "caps.h"
#include "exception.h"
#include "codec.h"

#include "grammar/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SOURCE_FILES = 16, SOURCE_TEXTS = 1000, SOURCE_MAX = 64 << 20, SOURCE_TEXTS_SIZE = 16 << 20 };

struct source {
    char *name;      /* UTF-8, NUL-terminated */
    size_t namesize; /* with the NUL; 0: a free place */
    char *text;
    size_t size;
    uint32_t *starts; /* of lines */
    uint32_t nlines, capstarts;
    struct timespec mtime; /* files */
    size_t file_size;      /* size is that of the text, which may have been decoded */
    uint64_t used;         /* when it was last asked for */
};
typedef struct source_cache {
    struct source files[SOURCE_FILES];
    uint64_t clock;
    struct source *texts; /* registered: a ring of captexts, oldest at first */
    uint32_t first, ntexts, captexts;
    size_t texts_size;
} source_cache;

static void drop_text(vm *vm, struct source *s)
{
    mem_free(vm, s->text, s->size);
    mem_free(vm, s->starts, s->capstarts * sizeof *s->starts);
    s->text = NULL;
    s->starts = NULL;
    s->size = s->nlines = s->capstarts = 0;
}

static void drop(vm *vm, struct source *s)
{
    drop_text(vm, s);
    mem_free(vm, s->name, s->namesize);
    *s = (struct source){0};
}

void source_close(vm *vm)
{
    source_cache *c = vm->state[VMS_CACHE];
    if (!c) return;
    for (int i = 0; i < SOURCE_FILES; i++) drop(vm, &c->files[i]);
    for (uint32_t i = 0; i < c->ntexts; i++) drop(vm, &c->texts[(c->first + i) % c->captexts]);
    mem_free(vm, c->texts, c->captexts * sizeof *c->texts);
    mem_free(vm, c, sizeof *c);
    vm->state[VMS_CACHE] = NULL;
}

/* The length of the newline at p, or 0. */
static size_t newline_at(const char *p, const char *end)
{
    if (p < end && *p == '\n') return 1;
    if (p < end && *p == '\r') return p + 1 < end && p[1] == '\n' ? 2 : 1;
    return 0;
}

static bool index_lines(vm *vm, struct source *s)
{
    const char *p = s->text, *end = p + s->size;
    if (s->size >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) p += 3;
    while (p < end) {
        if (s->nlines == s->capstarts) {
            uint32_t cap = s->capstarts ? s->capstarts * 2 : 64;
            uint32_t *starts = mem_realloc_quiet(vm, s->starts, s->capstarts * sizeof *starts, cap * sizeof *starts);
            if (!starts) return false;
            s->starts = starts;
            s->capstarts = cap;
        }
        s->starts[s->nlines++] = (uint32_t)(p - s->text);
        size_t nl;
        while (p < end && !(nl = newline_at(p, end))) p++;
        if (p < end) p += nl;
    }
    return true;
}

static source_cache *cache(vm *vm, bool make)
{
    source_cache *c = vm->state[VMS_CACHE];
    if (c || !make || !(c = mem_realloc_quiet(vm, NULL, 0, sizeof *c))) return c;
    memset(c, 0, sizeof *c);
    return vm->state[VMS_CACHE] = c;
}

static bool is_named(const struct source *s, const char *name, size_t n)
{
    return s->namesize == n + 1 && memcmp(s->name, name, n) == 0;
}

static bool set_name(vm *vm, struct source *s, const char *name, size_t n)
{
    s->name = mem_realloc_quiet(vm, NULL, 0, n + 1);
    if (!s->name) return false;
    memcpy(s->name, name, n);
    s->name[n] = 0;
    s->namesize = n + 1;
    return true;
}

/* The place of a file: the one that has it, else (make) a free or the oldest one. */
static struct source *place(vm *vm, const char *name, size_t n, bool make)
{
    source_cache *c = cache(vm, make);
    if (!c) return NULL;
    struct source *oldest = &c->files[0];
    for (int i = 0; i < SOURCE_FILES; i++) {
        struct source *s = &c->files[i];
        if (is_named(s, name, n)) {
            s->used = ++c->clock;
            return s;
        }
        if (s->used < oldest->used) oldest = s;
    }
    if (!make) return NULL;
    drop(vm, oldest);
    if (!set_name(vm, oldest, name, n)) return NULL;
    oldest->used = ++c->clock;
    return oldest;
}

/* ---- registered texts ---- */

static struct source *text_named(vm *vm, const char *name, size_t n)
{
    source_cache *c = vm->state[VMS_CACHE];
    for (uint32_t i = c ? c->ntexts : 0; i-- > 0;) {
        struct source *s = &c->texts[(c->first + i) % c->captexts];
        if (is_named(s, name, n)) return s;
    }
    return NULL;
}

static void drop_oldest_text(vm *vm, source_cache *c)
{
    c->texts_size -= c->texts[c->first].size;
    drop(vm, &c->texts[c->first]);
    c->first = (c->first + 1) % c->captexts;
    c->ntexts--;
}

static struct source *new_text(vm *vm, source_cache *c)
{
    if (c->ntexts == SOURCE_TEXTS) drop_oldest_text(vm, c);
    if (c->ntexts == c->captexts) { /* below SOURCE_TEXTS: nothing was dropped for its number */
        uint32_t cap = c->captexts ? c->captexts * 2 : 8;
        if (cap > SOURCE_TEXTS) cap = SOURCE_TEXTS;
        struct source *texts = mem_realloc_quiet(vm, NULL, 0, cap * sizeof *texts);
        if (!texts) return NULL;
        for (uint32_t i = 0; i < c->ntexts; i++) texts[i] = c->texts[(c->first + i) % c->captexts];
        mem_free(vm, c->texts, c->captexts * sizeof *texts);
        c->texts = texts;
        c->captexts = cap;
        c->first = 0;
    }
    struct source *s = &c->texts[(c->first + c->ntexts++) % c->captexts];
    *s = (struct source){0};
    return s;
}

bool source_register(vm *vm, str *filename, const char *text, size_t n)
{
    size_t len;
    const char *name = str_wtf8(vm, filename, &len);
    source_cache *c = name && n < SOURCE_TEXTS_SIZE ? cache(vm, true) : NULL;
    if (!c) return false;
    while (c->ntexts && c->texts_size + n > SOURCE_TEXTS_SIZE) drop_oldest_text(vm, c);
    struct source *s = text_named(vm, name, len);
    if (!s && (!(s = new_text(vm, c)) || !set_name(vm, s, name, len))) return false;
    c->texts_size -= s->size;
    drop_text(vm, s);
    if (n == 0) return true;
    s->text = mem_realloc_quiet(vm, NULL, 0, n);
    if (!s->text) return false;
    memcpy(s->text, text, n);
    s->size = n;
    c->texts_size += n;
    return index_lines(vm, s);
}

str *source_decode(vm *vm, const char *p, size_t n)
{
    if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) return NULL;
    const char *name = NULL;
    size_t len = parse_find_cookie(p, p + n, &name);
    str *s = len ? str_new_utf8(vm, name, len) : NULL;
    codec_id id = s ? codec_find(s) : CODEC_UNKNOWN;
    if (id < CODEC_CHARMAP && id != CODEC_LATIN1) return NULL;
    s = codec_decode(vm, id, (const uint8_t *)p, n, V_UNBOUND, true, NULL, NULL);
    if (s || !exc_matches(vm, EXC_UnicodeDecodeError)) return s;
    value e = exc_take(vm);
    ROOTS(vm, &e);
    raise(vm, EXC_SyntaxError, "%S", e);
    return NULL;
}

/* A file's text as UTF-8; what can't be decoded stays as it is. */
static bool decode_text(vm *vm, struct source *s)
{
    size_t n;
    value pending = vm->thread->exc;
    vm->thread->exc = V_UNBOUND;
    str *text = source_decode(vm, s->text, s->size);
    const char *p = text ? str_utf8(vm, text, &n) : NULL;
    vm->thread->exc = pending;
    if (!p) return true;
    char *own = mem_realloc_quiet(vm, NULL, 0, n);
    if (!own) return false;
    memcpy(own, p, n);
    mem_free(vm, s->text, s->size);
    s->text = own;
    s->size = n;
    return true;
}

/* The whole of a file; false: it can't be read. */
static bool load(vm *vm, struct source *s, int fd, const struct stat *st)
{
    drop_text(vm, s);
    size_t size = (size_t)st->st_size;
    s->text = mem_realloc_quiet(vm, NULL, 0, size);
    if (!s->text) return false;
    s->size = size;
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, s->text + got, size - got);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        got += (size_t)n;
    }
    memset(s->text + got, '\n', size - got); /* it shrank meanwhile */
    s->mtime = st->st_mtim;
    s->file_size = size;
    return decode_text(vm, s) && index_lines(vm, s);
}

static struct source *find(vm *vm, const char *name, size_t n)
{
    struct source *s = text_named(vm, name, n);
    if (s) return s;
    s = place(vm, name, n, false);
    if (n == 0 || name[0] == '<' || memchr(name, 0, n)) return NULL;
    struct stat st;
    if (!(vm->caps & CAP_FS)) return NULL; /* a script may have made up the name */
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return NULL;
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < SOURCE_MAX;
    if (ok && !(s && s->text && s->file_size == (size_t)st.st_size && s->mtime.tv_sec == st.st_mtim.tv_sec &&
                s->mtime.tv_nsec == st.st_mtim.tv_nsec)) {
        s = place(vm, name, n, true);
        ok = s && load(vm, s, fd, &st);
    }
    close(fd);
    return ok ? s : NULL;
}

str *source_line(vm *vm, str *filename, uint32_t line)
{
    size_t n;
    value pending = vm->thread->exc;
    const char *name = str_wtf8(vm, filename, &n);
    struct source *s = name ? find(vm, name, n) : NULL;
    str *text = NULL;
    if (s && line >= 1 && line <= s->nlines) {
        const char *p = s->text + s->starts[line - 1], *end = s->text + s->size, *q = p;
        while (q < end && !newline_at(q, end)) q++;
        size_t points, bad, bad_end;
        uint32_t maxchar;
        const char *reason;
        if (utf8_check((const uint8_t *)p, (size_t)(q - p), &points, &maxchar, &bad, &bad_end, &reason))
            text = str_new_utf8(vm, p, (size_t)(q - p));
    }
    vm->thread->exc = pending; /* out of memory: no line */
    return text;
}
