/* The module zlib: compression by libz, which is loaded at import. libz's memory is counted by what its documentation
 * says.
 *
 * Between the pieces of a long input other threads run: a compressobj or decompressobj belongs to the thread that is in
 * it (`user`), others wait. */
#include "dynlib.h"
#include "thread_module.h"
#include "vm/buffer.h"
#include "vm/bytes.h"
#include "vm/str.h"

#define DOC_FILE stdlib_mod_zlib
DOC_BEGIN;

/* zlib.h's z_stream, whose layout is part of libz's interface. */
struct z_state {
    const uint8_t *next_in;
    unsigned avail_in;
    unsigned long total_in;
    uint8_t *next_out;
    unsigned avail_out;
    unsigned long total_out;
    const char *msg;
    void *state, *zalloc, *zfree, *opaque;
    int data_type;
    unsigned long adler, reserved;
};

struct functions {
#define DYN(R, NAME, PARAMS) R(*NAME) PARAMS;
#include "zlib.def"
#undef DYN
};
static const char *const function_names[] = {
#define DYN(R, NAME, PARAMS) #NAME,
#include "zlib.def"
#undef DYN
};
enum {
    FUNCTION_COUNT = sizeof function_names / sizeof *function_names,
    Z_OK = 0,
    Z_STREAM_END = 1,
    Z_NEED_DICT = 2,
    Z_BUF_ERROR = -5,
    Z_NO_FLUSH = 0,
    Z_SYNC_FLUSH = 2,
    Z_FINISH = 4,
    DEFLATED = 8,
    MAX_WBITS = 15,
    DEF_MEM_LEVEL = 8,
    PIECE = 16 * 1024, /* the least output room */
};
#define VERSION "1.2.11" /* libz checks the first digit */

struct library {
    struct functions f;
};
struct coder { /* a compressobj or decompressobj */
    const struct functions *f;
    struct z_state z;
    bool open, inflates, eof;
    size_t charged; /* what libz has for it */
    value unused, tail, dictionary;
    uint64_t user; /* serial of the thread that is in it; 0: none */
    wait_queue waiting;
};
static struct coder *coder_of(value v) { return (struct coder *)(void *)AS(userdata, v)->body; }

static const struct functions *library(vm *vm)
{
    return &((struct library *)(void *)AS(userdata, module_state_get(vm, STATE_ZLIB))->body)->f;
}

static value error(vm *vm, const struct z_state *z, int code, const char *doing)
{
    const char *why = z->msg                ? z->msg
                      : code == Z_BUF_ERROR ? "incomplete or truncated stream"
                      : code == -2          ? "inconsistent stream state"
                      : code == -3          ? "invalid input data"
                                            : NULL;
    str *text = why ? str_format(vm, "Error %d %s: %s", code, doing, why) : str_format(vm, "Error %d %s", code, doing);
    if (!code) text = str_from_cstr(vm, doing);
    ROOTS(vm, &text);
    value e = text ? vm_call1(vm, module_state_get(vm, STATE_ZLIB_ERROR), value_obj(text)) : V_ERROR;
    return value_is_error(e) ? e : raise_exception(vm, e);
}

/* ---- one run of the coder ---- */

struct out {
    uint8_t *p;
    size_t n, cap;
};

static bool out_room(vm *vm, struct out *o, size_t limit)
{
    if (o->n < o->cap) return true;
    size_t cap = o->cap ? o->cap * 2 : PIECE;
    if (limit && cap > limit) cap = limit;
    if (cap <= o->cap) return false;
    uint8_t *p = mem_realloc(vm, o->p, o->cap, cap);
    if (!p) return false;
    o->p = p;
    o->cap = cap;
    return true;
}

/* All of p through the coder, output in *o (at most `limit` bytes, 0: any). The last code, or -100: raised. */
static int coder_run(vm *vm, struct coder *c, const uint8_t *p, size_t n, int flush, size_t limit, struct out *o,
                     size_t *left)
{
    int code = Z_OK;
    size_t done = 0;
    for (;;) {
        size_t piece = n - done > 1 << 20 ? 1 << 20 : n - done;
        bool last = done + piece == n;
        c->z.next_in = p + done;
        c->z.avail_in = (unsigned)piece;
        do {
            if (!out_room(vm, o, limit)) {
                *left = n - done - (piece - c->z.avail_in);
                return raised(vm) ? -100 : code;
            }
            size_t room = o->cap - o->n > 1 << 30 ? 1 << 30 : o->cap - o->n;
            c->z.next_out = o->p + o->n;
            c->z.avail_out = (unsigned)room;
            int how = last ? flush : Z_NO_FLUSH;
            code = c->inflates ? c->f->inflate(&c->z, how) : c->f->deflate(&c->z, how);
            o->n += room - c->z.avail_out;
            if (code == Z_NEED_DICT && IS_BYTES(c->dictionary)) {
                const bytes *d = AS(bytes, c->dictionary);
                code = c->f->inflateSetDictionary(&c->z, d->data, (unsigned)d->len);
                if (code == Z_OK) continue;
            }
            if (code == Z_STREAM_END || (code < 0 && code != Z_BUF_ERROR) || code == Z_NEED_DICT) {
                *left = n - done - (piece - c->z.avail_in);
                return code;
            }
            if (!vm_tick(vm, 256)) return -100;
        } while (c->z.avail_out == 0 || (c->z.avail_in && code == Z_OK));
        done += piece - c->z.avail_in;
        if (last) break;
    }
    *left = n - done;
    return code;
}

static value out_value(vm *vm, struct out *o)
{
    bytes *b = bytes_new(vm, o->p ? (const void *)o->p : "", o->n);
    mem_free(vm, o->p, o->cap);
    return b ? value_obj(b) : V_ERROR;
}
static value out_drop(vm *vm, struct out *o)
{
    mem_free(vm, o->p, o->cap);
    return V_ERROR;
}

/* A copy of the input: nothing that runs meanwhile can change it. NULL raised. */
static bytes *input(vm *vm, value v)
{
    const uint8_t *p;
    size_t n;
    if (IS_BYTES(v)) return AS(bytes, v);
    return buffer_need(vm, v, &p, &n) ? bytes_new(vm, p, n) : NULL;
}

static bool coder_open(vm *vm, struct coder *c, bool inflates, int level, int wbits, int memlevel, int strategy)
{
    c->f = library(vm);
    c->inflates = inflates;
    size_t need = 48 * 1024; /* a window and tables */
    if (!inflates) {
        unsigned window = (unsigned)(wbits < 0 ? -wbits : wbits) & 15, level_ = (unsigned)memlevel & 15;
        need = ((size_t)1 << (window + 2)) + ((size_t)1 << (level_ + 9)) + 6 * 1024;
    }
    if (!mem_charge(vm, need)) return false;
    int code = inflates ? c->f->inflateInit2_(&c->z, wbits, VERSION, sizeof c->z)
                        : c->f->deflateInit2_(&c->z, level, DEFLATED, wbits, memlevel, strategy, VERSION, sizeof c->z);
    c->open = code == Z_OK;
    if (c->open) c->charged = need;
    else mem_uncharge(vm, need);
    if (code == -2) raise_value_error(vm, "Invalid initialization option");
    else if (code == -4) raise_memory(vm);
    else if (code) error(vm, &c->z, code, "while preparing to compress data");
    return c->open;
}
static void coder_close(vm *vm, struct coder *c)
{
    if (!c->open) return;
    mem_uncharge(vm, c->charged);
    if (c->inflates) c->f->inflateEnd(&c->z);
    else c->f->deflateEnd(&c->z);
    c->open = false;
}

/* ---- functions ---- */

FN(z_compress)
{
    int level, wbits;
    if (!args_int(vm, args[1], -1, &level) || !args_int(vm, args[2], MAX_WBITS, &wbits)) return V_ERROR;
    bytes *b = input(vm, args[0]);
    if (!b) return V_ERROR;
    ROOTS(vm, &b);
    struct coder c = {.unused = V_NONE};
    struct out o = {0};
    size_t left;
    if (level < -1 || level > 9) return error(vm, &(struct z_state){0}, 0, "Bad compression level");
    if (!coder_open(vm, &c, false, level, wbits, DEF_MEM_LEVEL, 0)) return V_ERROR;
    int code = coder_run(vm, &c, b->data, b->len, Z_FINISH, 0, &o, &left);
    value v = code == Z_STREAM_END ? V_NONE : code == -100 ? V_ERROR : error(vm, &c.z, code, "while compressing data");
    coder_close(vm, &c);
    return value_is_error(v) ? out_drop(vm, &o) : out_value(vm, &o);
}

FN(z_decompress)
{
    int wbits;
    if (!args_int(vm, args[1], MAX_WBITS, &wbits)) return V_ERROR;
    bytes *b = input(vm, args[0]);
    if (!b) return V_ERROR;
    ROOTS(vm, &b);
    struct coder c = {.unused = V_NONE};
    struct out o = {0};
    size_t left;
    if (!coder_open(vm, &c, true, 0, wbits, 0, 0)) return V_ERROR;
    int code = coder_run(vm, &c, b->data, b->len, Z_SYNC_FLUSH, 0, &o, &left);
    value v = V_NONE;
    if (code != Z_STREAM_END)
        v = code == -100 ? V_ERROR : error(vm, &c.z, code == Z_OK ? Z_BUF_ERROR : code, "while decompressing data");
    coder_close(vm, &c);
    return value_is_error(v) ? out_drop(vm, &o) : out_value(vm, &o);
}

static value checksum(vm *vm, value *args, bool crc)
{
    uint64_t sum = crc ? 0 : 1;
    if (!value_is_unbound(args[1])) {
        value i = obj_index(vm, args[1]);
        value mask = value_is_error(i) ? i : int_binary(vm, OPR_AND, i, value_int(0xFFFFFFFF));
        int64_t n;
        if (value_is_error(mask) || !int_to_i64(vm, mask, &n)) return V_ERROR;
        sum = (uint64_t)n;
    }
    const uint8_t *p;
    size_t n;
    if (!buffer_need(vm, args[0], &p, &n)) return V_ERROR;
    for (size_t at = 0; at < n; at += 1 << 30) {
        unsigned piece = n - at > 1 << 30 ? 1 << 30 : (unsigned)(n - at);
        sum = crc ? library(vm)->crc32(sum, p + at, piece) : library(vm)->adler32(sum, p + at, piece);
    }
    return int_from_u64(vm, sum & 0xFFFFFFFF);
}
FN(z_crc32) { return checksum(vm, args, true); }
FN(z_adler32) { return checksum(vm, args, false); }

/* ---- objects ---- */

static void coder_traverse(vm *vm, object *o)
{
    const struct coder *c = coder_of(value_obj(o));
    gc_mark_value(vm, c->unused);
    gc_mark_value(vm, c->tail);
    gc_mark_value(vm, c->dictionary);
}
static void coder_free(vm *vm, object *o) { coder_close(vm, coder_of(value_obj(o))); }
static const type_layout coder_layout = {.size = sizeof(struct coder), .traverse = coder_traverse, .free = coder_free};

static value coder_new(vm *vm, bool inflates)
{
    userdata *o = userdata_new(vm, module_state_type(vm, inflates ? STATE_ZLIB_DECOMPRESS : STATE_ZLIB_COMPRESS));
    if (!o) return V_ERROR;
    struct coder *c = coder_of(value_obj(o));
    c->unused = c->tail = value_obj(vm->empty_bytes);
    c->dictionary = V_NONE;
    return value_obj(o);
}

static bool take_dictionary(vm *vm, struct coder *c, value v)
{
    if (value_is_unbound(v) || value_is_none(v)) return true;
    bytes *b = input(vm, v);
    if (!b) return false;
    if (b->len > UINT32_MAX) {
        raise_overflow(vm, "zdict length does not fit in an unsigned int");
        return false;
    }
    c->dictionary = value_obj(b);
    return true;
}

FN(z_compressobj)
{
    int level, method, wbits, memlevel, strategy;
    if (!args_int(vm, args[0], -1, &level) || !args_int(vm, args[1], DEFLATED, &method) ||
        !args_int(vm, args[2], MAX_WBITS, &wbits) || !args_int(vm, args[3], DEF_MEM_LEVEL, &memlevel) ||
        !args_int(vm, args[4], 0, &strategy))
        return V_ERROR;
    if (method != DEFLATED) return raise_value_error(vm, "Invalid initialization option");
    value v = coder_new(vm, false);
    if (value_is_error(v)) return v;
    ROOTS(vm, &v);
    struct coder *c = coder_of(v);
    if (!take_dictionary(vm, c, args[5]) || !coder_open(vm, c, false, level, wbits, memlevel, strategy)) return V_ERROR;
    gc_barrier(vm, value_as_obj(v));
    if (!IS_BYTES(c->dictionary)) return v;
    int code =
        c->f->deflateSetDictionary(&c->z, AS(bytes, c->dictionary)->data, (unsigned)AS(bytes, c->dictionary)->len);
    return code == Z_OK ? v : raise_value_error(vm, "Invalid dictionary");
}

FN(z_decompressobj)
{
    int wbits;
    if (!args_int(vm, args[0], MAX_WBITS, &wbits)) return V_ERROR;
    value v = coder_new(vm, true);
    if (value_is_error(v)) return v;
    ROOTS(vm, &v);
    struct coder *c = coder_of(v);
    if (!take_dictionary(vm, c, args[1]) || !coder_open(vm, c, true, 0, wbits, 0, 0)) return V_ERROR;
    gc_barrier(vm, value_as_obj(v));
    if (wbits < 0 && IS_BYTES(c->dictionary)) /* raw streams do not ask */
        c->f->inflateSetDictionary(&c->z, AS(bytes, c->dictionary)->data, (unsigned)AS(bytes, c->dictionary)->len);
    return v;
}

static int try_coder(vm *vm, value self)
{
    struct coder *c = coder_of(self);
    if (c->user) return 0;
    c->user = vm->thread->serial;
    return 1;
}

static bool coder_take(vm *vm, value self)
{
    struct coder *c = coder_of(self);
    if (c->user != vm->thread->serial) return wait_queue_wait(vm, &c->waiting, -1, try_coder, self) > 0;
    raise(vm, EXC_RuntimeError, "%T is in use by what this handler has interrupted", self);
    return false;
}

static void coder_give(vm *vm, value self)
{
    struct coder *c = coder_of(self);
    c->user = 0;
    wait_queue_wake(vm, &c->waiting);
}

/* The coder is taken. */
static value feed_taken(vm *vm, value self, bytes *b, int flush, size_t limit, const char *doing)
{
    struct coder *c = coder_of(self);
    struct out o = {0};
    size_t left = 0;
    if (!c->open) return error(vm, &(struct z_state){0}, -2, doing);
    int code = coder_run(vm, c, b->data, b->len, flush, limit, &o, &left);
    if (code == -100) return out_drop(vm, &o);
    if ((code < 0 && code != Z_BUF_ERROR) || code == Z_NEED_DICT) {
        error(vm, &c->z, code, doing);
        return out_drop(vm, &o);
    }
    value v = out_value(vm, &o);
    if (value_is_error(v) || !c->inflates) {
        if (code == Z_STREAM_END) coder_close(vm, c);
        return v;
    }
    ROOTS(vm, &v);
    bytes *rest = left ? bytes_new(vm, b->data + b->len - left, left) : vm->empty_bytes;
    if (!rest) return V_ERROR;
    if (code == Z_STREAM_END) {
        c->eof = true;
        c->unused = value_obj(rest);
        c->tail = value_obj(vm->empty_bytes);
    } else {
        c->tail = value_obj(rest);
    }
    gc_barrier(vm, value_as_obj(self));
    return v;
}

static value feed(vm *vm, value self, bytes *b, int flush, size_t limit, const char *doing)
{
    ROOTS(vm, &self, &b);
    if (!coder_take(vm, self)) return V_ERROR;
    value v = feed_taken(vm, self, b, flush, limit, doing);
    coder_give(vm, self);
    return v;
}

FN(c_compress)
{
    bytes *b = input(vm, args[1]);
    return b ? feed(vm, args[0], b, Z_NO_FLUSH, 0, "while compressing data") : V_ERROR;
}
FN(c_flush)
{
    int mode;
    if (!args_int(vm, args[1], Z_FINISH, &mode)) return V_ERROR;
    if (mode == Z_NO_FLUSH) return value_obj(vm->empty_bytes);
    return feed(vm, args[0], vm->empty_bytes, mode, 0, "while flushing");
}
FN(d_decompress)
{
    int64_t limit;
    if (!args_ssize(vm, args[2], 0, &limit)) return V_ERROR;
    if (limit < 0) return raise_value_error(vm, "max_length must be non-negative");
    bytes *b = input(vm, args[1]);
    if (!b) return V_ERROR;
    struct coder *c = coder_of(args[0]);
    if (!c->eof) return feed(vm, args[0], b, Z_SYNC_FLUSH, (size_t)limit, "while decompressing data");
    value all = obj_binary(vm, OPR_ADD, c->unused, value_obj(b)); /* behind the end: not ours */
    if (value_is_error(all)) return all;
    c->unused = all;
    gc_barrier(vm, value_as_obj(args[0]));
    return value_obj(vm->empty_bytes);
}
FN(d_flush)
{
    struct coder *c = coder_of(args[0]);
    int64_t length;
    if (!args_ssize(vm, args[1], PIECE, &length)) return V_ERROR;
    if (length <= 0) return raise_value_error(vm, "length must be greater than zero");
    if (c->eof) return value_obj(vm->empty_bytes);
    return feed(vm, args[0], AS(bytes, c->tail), Z_SYNC_FLUSH, 0, "while flushing");
}
FN(c_copy)
{
    const struct coder *c = coder_of(args[0]);
    if (!c->open) return raise_value_error(vm, "Inconsistent stream state");
    value v = coder_new(vm, c->inflates);
    if (value_is_error(v)) return v;
    struct coder *d = coder_of(v);
    d->f = c->f;
    d->inflates = c->inflates;
    d->eof = c->eof;
    d->unused = c->unused;
    d->tail = c->tail;
    d->dictionary = c->dictionary;
    if (!mem_charge(vm, c->charged)) return V_ERROR;
    int code = c->inflates ? c->f->inflateCopy(&d->z, (struct z_state *)&c->z)
                           : c->f->deflateCopy(&d->z, (struct z_state *)&c->z);
    d->open = code == Z_OK;
    if (d->open) d->charged = c->charged;
    else mem_uncharge(vm, c->charged);
    if (code == -4) return raise_memory(vm);
    return d->open ? v : error(vm, &c->z, code, "while copying");
}

static value get_unused(vm *vm, value self)
{
    (void)vm;
    return coder_of(self)->unused;
}
static value get_tail(vm *vm, value self)
{
    (void)vm;
    return coder_of(self)->tail;
}
static value get_eof(vm *vm, value self)
{
    (void)vm;
    return value_bool(coder_of(self)->eof);
}

static const native_def functions[] = {
    {"compress(data, /, level=-1, wbits=15)", z_compress, DOC("Returns a bytes object containing compressed data."), 0},
    {"decompress(data, /, wbits=15, bufsize=16384)", z_decompress,
     DOC("Returns a bytes object containing the uncompressed data."), 0},
    {"compressobj(level=-1, method=8, wbits=15, memLevel=8, strategy=0, zdict=None)", z_compressobj,
     DOC("Return a compressor object."), 0},
    {"decompressobj(wbits=15, zdict=b'')", z_decompressobj, DOC("Return a decompressor object."), 0},
    {"crc32(data, value=0, /)", z_crc32, DOC("Compute a CRC-32 checksum of data."), 0},
    {"adler32(data, value=1, /)", z_adler32, DOC("Compute an Adler-32 checksum of data."), 0},
    {0},
};

bool zlib_init(vm *vm, module *m)
{
    static const type_layout library_layout = {.size = sizeof(struct library)};
    static const type_spec library_spec = {.name = "zlib.library", .layout = &library_layout};
    static const native_def compress_methods[] = {
        {"compress(self, data, /)", c_compress, DOC("Returns a bytes object containing compressed data."), 0},
        {"flush(self, mode=4, /)", c_flush, DOC("Return a bytes object containing any remaining compressed data."), 0},
        {"copy(self, /)", c_copy, DOC("Return a copy of the compression object."), 0},
        {0}};
    static const native_def decompress_methods[] = {
        {"decompress(self, data, /, max_length=0)", d_decompress,
         DOC("Return a bytes object containing the decompressed version of the data."), 0},
        {"flush(self, length=16384, /)", d_flush,
         DOC("Return a bytes object containing any remaining decompressed data."), 0},
        {"copy(self, /)", c_copy, DOC("Return a copy of the decompression object."), 0},
        {0}};
    static const getset_def decompress_getsets[] = {{"unused_data", get_unused, NULL, NULL},
                                                    {"unconsumed_tail", get_tail, NULL, NULL},
                                                    {"eof", get_eof, NULL, NULL},
                                                    {0}};
    static const type_spec compress = {.name = "zlib.Compress", .layout = &coder_layout, .methods = compress_methods};
    static const type_spec decompress = {.name = "zlib.Decompress",
                                         .layout = &coder_layout,
                                         .methods = decompress_methods,
                                         .getsets = decompress_getsets};
    static const struct {
        const char *name;
        int n;
    } constants[] = {
        {"MAX_WBITS", 15},
        {"DEFLATED", 8},
        {"DEF_MEM_LEVEL", 8},
        {"DEF_BUF_SIZE", 16384},
        {"Z_BEST_COMPRESSION", 9},
        {"Z_BEST_SPEED", 1},
        {"Z_NO_COMPRESSION", 0},
        {"Z_DEFAULT_COMPRESSION", -1},
        {"Z_DEFAULT_STRATEGY", 0},
        {"Z_FILTERED", 1},
        {"Z_HUFFMAN_ONLY", 2},
        {"Z_RLE", 3},
        {"Z_FIXED", 4},
        {"Z_NO_FLUSH", 0},
        {"Z_PARTIAL_FLUSH", 1},
        {"Z_SYNC_FLUSH", 2},
        {"Z_FULL_FLUSH", 3},
        {"Z_FINISH", 4},
        {"Z_BLOCK", 5},
        {"Z_TREES", 6},
    };
    ROOTS(vm, &m);
    if (value_is_unbound(module_state_get(vm, STATE_ZLIB))) {
        type *t = type_from_spec(vm, &library_spec);
        ROOTS(vm, &t);
        userdata *o = t ? userdata_new(vm, t) : NULL;
        if (!o) return false;
        ROOTS(vm, &o);
        if (!dynlib_load(vm, "zlib", "libz.so.1", "zlib1g", function_names, FUNCTION_COUNT, "",
                         &((struct library *)(void *)o->body)->f) ||
            !module_state_set(vm, STATE_ZLIB, value_obj(o)))
            return false;
    }
    value t = module_state_get(vm, STATE_ZLIB_ERROR);
    if (value_is_unbound(t)) {
        tuple *bases = tuple_pack(vm, 1, value_obj(EXC_T(vm, Exception)));
        dict *ns = dict_new(vm);
        str *name = str_from_cstr(vm, "error"), *in = str_from_cstr(vm, "zlib");
        if (!bases || !ns || !name || !in || !dict_set_str(vm, ns, N(vm, __module__), value_obj(in))) return false;
        ROOTS(vm, &bases, &ns, &name);
        t = type_new_class(vm, T(vm, TYPE), name, bases, ns, NULL, V_UNBOUND);
        if (value_is_error(t) || !module_state_set(vm, STATE_ZLIB_ERROR, t)) return false;
    }
    if (!module_add(vm, m, "error", t)) return false;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!module_add(vm, m, constants[i].name, value_int(constants[i].n))) return false;
    str *version = str_from_cstr(vm, library(vm)->zlibVersion());
    return version && module_add(vm, m, "ZLIB_RUNTIME_VERSION", value_obj(version)) &&
           module_add(vm, m, "ZLIB_VERSION", value_obj(version)) &&
           module_state_make(vm, STATE_ZLIB_COMPRESS, &compress) &&
           module_state_make(vm, STATE_ZLIB_DECOMPRESS, &decompress) && module_add_natives(vm, m, functions);
}
