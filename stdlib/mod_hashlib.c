/* The module _hashlib: digests of libcrypto, which is loaded when hashlib is imported, and keys from passwords.
 *
 * A hash object owns an EVP_MD_CTX; digest() finishes a copy of it, so the object can go on. */
#include "dynlib.h"
#include "hashlib_module.h"
#include "vm/buffer.h"
#include "vm/str.h"

#define DOC_FILE stdlib_mod_hashlib
DOC_BEGIN;

static const char *const function_names[] = {
#define DYN(R, NAME, PARAMS) #NAME,
#include "hashlib_crypto.def"
#undef DYN
};
enum {
    FUNCTION_COUNT = sizeof function_names / sizeof *function_names,
    FLAG_XOF = 2, /* EVP_MD_FLAG_XOF */
    DIGEST_MAX = 64,
    LONG_DATA = 64 * 1024, /* from here on it is hashed in pieces, interrupts between them */
};

struct library {
    crypto f;
};
struct hash {
    const crypto *f;
    const void *md;
    void *ctx;
    value name;
};

static struct hash *hash_of(value v) { return (struct hash *)(void *)AS(userdata, v)->body; }

static const type_layout library_layout = {.size = sizeof(struct library)};

/* libcrypto's functions; NULL raised. */
static const crypto *library(vm *vm)
{
    static const type_spec spec = {.name = "_hashlib.library", .layout = &library_layout};
    value v = module_state_get(vm, STATE_CRYPTO_LIBRARY);
    if (!value_is_unbound(v)) return &((struct library *)(void *)AS(userdata, v)->body)->f;
    type *t = type_from_spec(vm, &spec);
    ROOTS(vm, &t);
    userdata *o = t ? userdata_new(vm, t) : NULL;
    if (!o) return NULL;
    struct library *l = (struct library *)(void *)o->body;
    ROOTS(vm, &o);
    if (!dynlib_load(vm, "hashlib", "libcrypto.so.3", "libssl3", function_names, FUNCTION_COUNT, "", &l->f) ||
        !module_state_set(vm, STATE_CRYPTO_LIBRARY, value_obj(o)))
        return NULL;
    return &l->f;
}

/* ---- hash objects ---- */

enum { CONTEXT_SIZE = 640 }; /* about what libcrypto has for one */

static void hash_traverse(vm *vm, object *o) { gc_mark_value(vm, hash_of(value_obj(o))->name); }
static void hash_free(vm *vm, object *o)
{
    const struct hash *h = hash_of(value_obj(o));
    if (!h->ctx) return;
    h->f->EVP_MD_CTX_free(h->ctx);
    mem_uncharge(vm, CONTEXT_SIZE);
}
static const type_layout hash_layout = {.size = sizeof(struct hash), .traverse = hash_traverse, .free = hash_free};

static value failed(vm *vm) { return raise_value_error(vm, "libcrypto could not compute the digest"); }

static value hash_make(vm *vm, const crypto *f, const void *md, value name)
{
    ROOTS(vm, &name);
    bool xof = f->EVP_MD_get_flags(md) & FLAG_XOF;
    userdata *o = userdata_new(vm, module_state_type(vm, xof ? STATE_HASH_XOF : STATE_HASH));
    if (!o) return V_ERROR;
    struct hash *h = hash_of(value_obj(o));
    h->f = f;
    h->md = md;
    h->name = name;
    if (!mem_charge(vm, CONTEXT_SIZE)) return V_ERROR;
    if (!(h->ctx = f->EVP_MD_CTX_new())) {
        mem_uncharge(vm, CONTEXT_SIZE);
        return raise_memory(vm);
    }
    return value_obj(o);
}

static bool hash_feed(vm *vm, value self, value data)
{
    const uint8_t *p;
    size_t n;
    if (IS_STR(data)) {
        raise_type_error(vm, "Strings must be encoded before hashing");
        return false;
    }
    if (!buffer_view(vm, data, &p, &n)) {
        if (!raised(vm)) raise_type_error(vm, "object supporting the buffer API required");
        return false;
    }
    const struct hash *h = hash_of(self);
    int ok;
    if (n < LONG_DATA) {
        ok = h->f->EVP_DigestUpdate(h->ctx, p, n);
    } else {
        /* The data stays where it is meanwhile. */
        const buffer_ops *ops = buffer_ops_of(vm, data);
        ROOTS(vm, &self, &data);
        if (ops && ops->pin) ops->pin(value_as_obj(data), 1);
        ok = 1;
        for (size_t done = 0; ok && done < n && !raised(vm); done += LONG_DATA) {
            size_t left = n - done;
            ok = h->f->EVP_DigestUpdate(h->ctx, p + done, left < LONG_DATA ? left : LONG_DATA);
            if (!vm_tick(vm, LONG_DATA / 64)) break;
        }
        if (ops && ops->pin) ops->pin(value_as_obj(data), -1);
    }
    if (!ok) failed(vm);
    return ok && !raised(vm);
}

FN(h_new)
{
    char name[64];
    const crypto *f = library(vm);
    if (!f) return V_ERROR;
    if (!IS_STR(args[0])) return raise_type_error(vm, "name must be a string");
    str *s = AS(str, args[0]);
    const void *md = NULL;
    if (str_is_ascii(s) && s->len < sizeof name) {
        for (size_t i = 0; i < s->len; i++) {
            char c = (char)str_at(s, i);
            name[i] = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        }
        name[s->len] = 0;
        /* libcrypto's names: shake128, blake2b512, sha512-256 */
        static const char *const alias[][2] = {
            {"shake-128", "shake128"}, {"shake-256", "shake256"}, {"blake2b", "blake2b512"}, {"blake2s", "blake2s256"}};
        const char *known = name;
        for (size_t i = 0; i < sizeof alias / sizeof *alias; i++)
            if (strcmp(name, alias[i][0]) == 0) known = alias[i][1];
        md = f->EVP_get_digestbyname(known);
    }
    if (!md) {
        f->ERR_clear_error();
        return raise_value_error(vm, "unsupported hash type %U", s);
    }
    value h = hash_make(vm, f, md, args[0]);
    if (value_is_error(h)) return h;
    ROOTS(vm, &h);
    if (!f->EVP_DigestInit_ex(hash_of(h)->ctx, md, NULL)) {
        f->ERR_clear_error();
        return raise_value_error(vm, "unsupported hash type %U", s);
    }
    if (!value_is_unbound(args[1]) && !hash_feed(vm, h, args[1])) return V_ERROR;
    return h;
}

FN(h_update) { return hash_feed(vm, args[0], args[1]) ? V_NONE : V_ERROR; }

FN(h_copy)
{
    const struct hash *h = hash_of(args[0]);
    value c = hash_make(vm, h->f, h->md, h->name);
    if (value_is_error(c)) return c;
    return h->f->EVP_MD_CTX_copy_ex(hash_of(c)->ctx, h->ctx) ? c : failed(vm);
}

/* `length` < 0: a digest of the usual size. */
static bytes *hash_digest(vm *vm, value self, int64_t length)
{
    const struct hash *h = hash_of(self);
    uint8_t small[DIGEST_MAX], *p = small;
    unsigned n = 0;
    if (length > INT32_MAX) {
        raise_overflow(vm, "length is too large");
        return NULL;
    }
    void *ctx = h->f->EVP_MD_CTX_new();
    if (ctx && length > DIGEST_MAX) p = mem_alloc(vm, (size_t)length);
    bytes *b = NULL;
    if (!ctx) {
        raise_memory(vm);
    } else if (p) {
        int ok = h->f->EVP_MD_CTX_copy_ex(ctx, h->ctx);
        if (ok && length > 0) ok = h->f->EVP_DigestFinalXOF(ctx, p, (size_t)length);
        else if (ok && length < 0) ok = h->f->EVP_DigestFinal_ex(ctx, p, &n);
        if (ok) b = bytes_new(vm, p, length >= 0 ? (size_t)length : n);
        else failed(vm);
    }
    if (p && p != small) mem_free(vm, p, (size_t)length);
    if (ctx) h->f->EVP_MD_CTX_free(ctx);
    return b;
}

static value digest_value(vm *vm, value self, int64_t length, bool hex)
{
    static const char digits[] = "0123456789abcdef";
    bytes *b = hash_digest(vm, self, length);
    if (!b || !hex) return b ? value_obj(b) : V_ERROR;
    str_builder out;
    sb_init(&out, vm);
    for (size_t i = 0; i < b->len; i++) {
        char pair[2] = {digits[b->data[i] >> 4], digits[b->data[i] & 15]};
        sb_ascii(&out, pair, 2);
    }
    return str_value(sb_finish(&out));
}
FN(h_digest) { return digest_value(vm, args[0], -1, false); }
FN(h_hexdigest) { return digest_value(vm, args[0], -1, true); }
static value xof_value(vm *vm, value *args, bool hex)
{
    int64_t n;
    if (!obj_as_index(vm, args[1], &n, EXC_OverflowError)) return V_ERROR;
    return n < 0 ? raise_value_error(vm, "value must be positive") : digest_value(vm, args[0], n, hex);
}
FN(h_xof_digest) { return xof_value(vm, args, false); }
FN(h_xof_hexdigest) { return xof_value(vm, args, true); }

static value get_name(vm *vm, value self)
{
    (void)vm;
    return hash_of(self)->name;
}
static value get_block_size(vm *vm, value self)
{
    (void)vm;
    return value_int(hash_of(self)->f->EVP_MD_get_block_size(hash_of(self)->md));
}
static value get_size(vm *vm, value self)
{
    const struct hash *h = hash_of(self);
    (void)vm;
    return value_int(h->f->EVP_MD_get_flags(h->md) & FLAG_XOF ? 0 : h->f->EVP_MD_get_size(h->md));
}
static value hash_repr(vm *vm, value self)
{
    value at = int_from_u64(vm, (uint64_t)(uintptr_t)value_as_obj(self));
    str *hex = value_is_error(at) ? NULL : int_to_str(vm, at, 16);
    return hex ? str_value(str_format(vm, "<%S %T object @ 0x%U>", hash_of(self)->name, self, hex)) : V_ERROR;
}

/* ---- keys from passwords ---- */

/* A copy of what may change. NULL: raised. */
static bytes *data_arg(vm *vm, value v)
{
    const uint8_t *p;
    size_t n;
    if (!buffer_need(vm, v, &p, &n)) return NULL;
    if (n <= INT32_MAX) return IS_BYTES(v) ? AS(bytes, v) : bytes_new(vm, p, n);
    raise_overflow(vm, "password or salt is too long");
    return NULL;
}

/* out[0, n), or what was raised; out goes. */
static value key_value(vm *vm, uint8_t *out, size_t n, bool ok)
{
    bytes *b = ok ? bytes_new(vm, out, n) : NULL;
    mem_free(vm, out, n);
    return b ? value_obj(b) : V_ERROR;
}

FN(h_pbkdf2)
{
    int64_t iterations, n = -1;
    const crypto *f = library(vm);
    value none[2] = {args[0], V_UNBOUND};
    if (!f) return V_ERROR;
    value h = h_new(vm, none, 2, V_UNBOUND);
    if (value_is_error(h)) return h;
    const void *md = hash_of(h)->md;
    if (!obj_as_index(vm, args[3], &iterations, EXC_OverflowError)) return V_ERROR;
    if (!value_is_unbound(args[4]) && !value_is_none(args[4]) && !obj_as_index(vm, args[4], &n, EXC_OverflowError))
        return V_ERROR;
    if (value_is_unbound(args[4]) || value_is_none(args[4])) n = f->EVP_MD_get_size(md);
    if (iterations < 1) return raise_value_error(vm, "iteration value must be greater than 0.");
    if (iterations > INT32_MAX) return raise_overflow(vm, "iteration value is too great.");
    if (n < 1) return raise_value_error(vm, "key length must be greater than 0.");
    if (n > INT32_MAX) return raise_overflow(vm, "key length is too great.");
    bytes *pass = data_arg(vm, args[1]), *salt = pass ? data_arg(vm, args[2]) : NULL;
    uint8_t *out = salt ? mem_alloc(vm, (size_t)n) : NULL;
    if (!out) return V_ERROR;
    ROOTS(vm, &pass, &salt);
    bool ok = kdf_pbkdf2(vm, f, md, pass, salt, (uint32_t)iterations, out, (size_t)n);
    return key_value(vm, out, (size_t)n, ok);
}

FN(h_scrypt)
{
    enum { MEMORY_MAX = 32 << 20, PARTS_MAX = (1 << 30) - 1 }; /* unless maxmem says more; RFC 7914 */
    size_t size;
    int64_t n, r, p, maxmem = 0, dklen = 64;
    const crypto *f = library(vm);
    if (!f) return V_ERROR;
    for (int i = 1; i < 5; i++) {
        static const char *const names[] = {"salt", "n", "r", "p"};
        if (value_is_unbound(args[i]) || value_is_none(args[i]))
            return raise_type_error(vm, "%s is required", names[i - 1]);
    }
    if (!obj_as_index(vm, args[2], &n, EXC_OverflowError) || !obj_as_index(vm, args[3], &r, EXC_OverflowError) ||
        !obj_as_index(vm, args[4], &p, EXC_OverflowError) ||
        (!value_is_unbound(args[5]) && !obj_as_index(vm, args[5], &maxmem, EXC_OverflowError)) ||
        (!value_is_unbound(args[6]) && !obj_as_index(vm, args[6], &dklen, EXC_OverflowError)))
        return V_ERROR;
    if (n < 2 || n & (n - 1)) return raise_value_error(vm, "n must be a power of 2.");
    if (maxmem < 0 || maxmem > INT32_MAX)
        return raise_value_error(vm, "maxmem must be positive and smaller than 2147483647");
    if (dklen < 1 || dklen > INT32_MAX)
        return raise_value_error(vm, "dklen must be greater than 0 and smaller than 2147483647");
    if (r < 1 || p < 1) return raise_value_error(vm, "Invalid parameter combination for n, r, p, maxmem.");
    if (r > PARTS_MAX || p > PARTS_MAX / r || (16 * r < 63 && n >= (int64_t)1 << 16 * r) ||
        !kdf_scrypt_size((size_t)n, (size_t)r, (size_t)p, &size) || size > (size_t)(maxmem ? maxmem : MEMORY_MAX))
        return raise_value_error(vm, "[digital envelope routines] memory limit exceeded");
    bytes *pass = data_arg(vm, args[0]), *salt = pass ? data_arg(vm, args[1]) : NULL;
    uint8_t *out = salt ? mem_alloc(vm, (size_t)dklen) : NULL;
    if (!out) return V_ERROR;
    ROOTS(vm, &pass, &salt);
    bool ok = kdf_scrypt(vm, f, pass, salt, (size_t)n, (size_t)r, (size_t)p, out, (size_t)dklen);
    return key_value(vm, out, (size_t)dklen, ok);
}

/* In a time that says nothing about where they differ. */
FN(h_compare)
{
    const uint8_t *a, *b;
    size_t na, nb;
    if (IS_STR(args[0]) && IS_STR(args[1])) {
        const str *x = AS(str, args[0]), *y = AS(str, args[1]);
        if (!str_is_ascii(x) || !str_is_ascii(y))
            return raise_type_error(vm, "comparing strings with non-ASCII characters is not supported");
        a = x->data, na = x->len, b = y->data, nb = y->len;
    } else if (buffer_is(vm, args[0]) || buffer_is(vm, args[1])) {
        if (!buffer_need(vm, args[0], &a, &na) || !buffer_need(vm, args[1], &b, &nb)) return V_ERROR;
    } else {
        return raise_type_error(vm, "unsupported operand types(s) or combination of types: '%T' and '%T'", args[0],
                                args[1]);
    }
    volatile uint8_t diff = na != nb;
    const uint8_t *left = na == nb ? a : b;
    for (size_t i = 0; i < nb; i++) diff |= left[i] ^ b[i];
    return value_bool(diff == 0);
}

FN(h_load) { return library(vm) ? V_NONE : V_ERROR; }

static const native_def functions[] = {
    {"new(name, string=b'', *, usedforsecurity=True)", h_new,
     DOC("Return a new hash object using the named algorithm."), 0},
    {"pbkdf2_hmac(hash_name, password, salt, iterations, dklen=None)", h_pbkdf2,
     DOC("Password based key derivation function 2 (PKCS #5 v2.0) with HMAC as pseudorandom function."), 0},
    {"scrypt(password, *, salt=None, n=None, r=None, p=None, maxmem=0, dklen=64)", h_scrypt,
     DOC("scrypt password-based key derivation function."), 0},
    {"compare_digest(a, b, /)", h_compare, DOC("Return 'a == b', in a time that does not depend on the contents."), 0},
    {"_load()", h_load, DOC("Loads libcrypto."), 0},
    {0},
};
static void hash_fill(struct type_slots *s) { s->repr = hash_repr; }
static const getset_def hash_getsets[] = {{"name", get_name, NULL, DOC("algorithm name.")},
                                          {"digest_size", get_size, NULL, NULL},
                                          {"block_size", get_block_size, NULL, NULL},
                                          {0}};

#define COMMON                                                                                          \
    {"update(self, obj, /)", h_update, "Update this hash object's state with the provided string.", 0}, \
    {                                                                                                   \
        "copy(self, /)", h_copy, "Return a copy of the hash object.", 0                                 \
    }

bool hashlib_init(vm *vm, module *m)
{
    static const native_def methods[] = {
        COMMON,
        {"digest(self, /)", h_digest, DOC("Return the digest value as a bytes object."), 0},
        {"hexdigest(self, /)", h_hexdigest, DOC("Return the digest value as a string of hexadecimal digits."), 0},
        {0}};
    static const native_def xof_methods[] = {
        COMMON,
        {"digest(self, length)", h_xof_digest, DOC("Return the digest value as a bytes object."), 0},
        {"hexdigest(self, length)", h_xof_hexdigest, DOC("Return the digest value as a string of hexadecimal digits."),
         0},
        {0}};
    static const type_spec hash = {.name = "_hashlib.HASH",
                                   .doc = "A hash object.",
                                   .layout = &hash_layout,
                                   .methods = methods,
                                   .getsets = hash_getsets,
                                   .fill = hash_fill};
    static const type_spec xof = {.name = "_hashlib.HASHXOF",
                                  .doc = "A hash object with digests of any length.",
                                  .layout = &hash_layout,
                                  .methods = xof_methods,
                                  .getsets = hash_getsets,
                                  .fill = hash_fill};
    ROOTS(vm, &m);
    return module_add_type(vm, m, STATE_HASH, &hash) && module_add_type(vm, m, STATE_HASH_XOF, &xof) &&
           module_add_natives(vm, m, functions);
}
