/* PBKDF2 (RFC 8018) and scrypt (RFC 7914) over libcrypto's digests.
 *
 * libcrypto has both, but its calls may take hours and gigabytes that nothing accounts for. Here every round passes a
 * safepoint, so signals, limits and other threads have their turn, and the memory is the VM's.
 */
#include "hashlib_module.h"

enum { BLOCK_MAX = 256, DIGEST_MAX = 64 };

static bool failed(vm *vm)
{
    raise_value_error(vm, "libcrypto could not compute the digest");
    return false;
}

/* ---- HMAC: the two halves of the key are hashed once ---- */

struct hmac {
    const crypto *f;
    void *inner, *outer, *work;
    unsigned size; /* of a result */
};

static void hmac_close(struct hmac *h)
{
    void *all[] = {h->inner, h->outer, h->work};
    for (unsigned i = 0; i < 3; i++)
        if (all[i]) h->f->EVP_MD_CTX_free(all[i]);
}

static bool start_half(const crypto *f, void *ctx, const void *md, const uint8_t *key, size_t n, uint8_t pad)
{
    uint8_t padded[BLOCK_MAX];
    for (size_t i = 0; i < n; i++) padded[i] = key[i] ^ pad;
    return f->EVP_DigestInit_ex(ctx, md, NULL) && f->EVP_DigestUpdate(ctx, padded, n);
}

/* The object must be closed whatever this says. false: raised. */
static bool hmac_open(vm *vm, struct hmac *h, const crypto *f, const void *md, const uint8_t *key, size_t n)
{
    uint8_t whole[BLOCK_MAX] = {0};
    int block = f->EVP_MD_get_block_size(md), size = f->EVP_MD_get_size(md);
    *h = (struct hmac){.f = f, .inner = f->EVP_MD_CTX_new(), .outer = f->EVP_MD_CTX_new(), .work = f->EVP_MD_CTX_new()};
    if (!h->inner || !h->outer || !h->work) return raise_memory(vm), false;
    if (block <= 0 || block > BLOCK_MAX || size <= 0 || size > DIGEST_MAX) return failed(vm);
    h->size = (unsigned)size;
    if (n > (size_t)block) {
        unsigned got;
        if (!f->EVP_DigestInit_ex(h->work, md, NULL) || !f->EVP_DigestUpdate(h->work, key, n) ||
            !f->EVP_DigestFinal_ex(h->work, whole, &got))
            return failed(vm);
    } else if (n) {
        memcpy(whole, key, n);
    }
    return (start_half(f, h->inner, md, whole, (size_t)block, 0x36) &&
            start_half(f, h->outer, md, whole, (size_t)block, 0x5C)) ||
           failed(vm);
}

/* The code of a followed by b. */
static bool hmac_of(vm *vm, const struct hmac *h, const void *a, size_t na, const void *b, size_t nb, uint8_t *out)
{
    const crypto *f = h->f;
    uint8_t half[DIGEST_MAX];
    unsigned n;
    bool ok = f->EVP_MD_CTX_copy_ex(h->work, h->inner) && f->EVP_DigestUpdate(h->work, a, na) &&
              (!nb || f->EVP_DigestUpdate(h->work, b, nb)) && f->EVP_DigestFinal_ex(h->work, half, &n) &&
              f->EVP_MD_CTX_copy_ex(h->work, h->outer) && f->EVP_DigestUpdate(h->work, half, n) &&
              f->EVP_DigestFinal_ex(h->work, out, &n);
    return ok || failed(vm);
}

/* ---- PBKDF2 ---- */

enum { ROUND_FUEL = 4 }; /* as hashing four blocks */

static bool pbkdf2_block(vm *vm, const struct hmac *h, const uint8_t *salt, size_t nsalt, uint32_t index,
                         uint32_t iterations, uint8_t *out)
{
    const uint8_t number[4] = {(uint8_t)(index >> 24), (uint8_t)(index >> 16), (uint8_t)(index >> 8), (uint8_t)index};
    uint8_t round[DIGEST_MAX];
    if (!hmac_of(vm, h, salt, nsalt, number, 4, round)) return false;
    memcpy(out, round, h->size);
    for (uint32_t i = 1; i < iterations; i++) {
        if (!hmac_of(vm, h, round, h->size, NULL, 0, round) || !vm_tick(vm, ROUND_FUEL)) return false;
        for (unsigned k = 0; k < h->size; k++) out[k] ^= round[k];
    }
    return true;
}

static bool pbkdf2(vm *vm, const crypto *f, const void *md, const bytes *pass, const uint8_t *salt, size_t nsalt,
                   uint32_t iterations, uint8_t *out, size_t n)
{
    struct hmac h;
    bool ok = hmac_open(vm, &h, f, md, pass->data, pass->len);
    for (uint32_t index = 1; ok && n; index++) {
        uint8_t block[DIGEST_MAX];
        ok = pbkdf2_block(vm, &h, salt, nsalt, index, iterations, block) && vm_tick(vm, ROUND_FUEL);
        size_t take = n < h.size ? n : h.size;
        if (ok) memcpy(out, block, take);
        out += take;
        n -= take;
    }
    hmac_close(&h);
    return ok;
}

bool kdf_pbkdf2(vm *vm, const crypto *f, const void *md, const bytes *pass, const bytes *salt, uint32_t iterations,
                uint8_t *out, size_t n)
{
    return pbkdf2(vm, f, md, pass, salt->data, salt->len, iterations, out, n);
}

/* ---- scrypt: rows of 2r blocks of 16 words ---- */

enum { BLOCK_WORDS = 16, BLOCK_BYTES = 64 };

static inline uint32_t rotate(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }

/* Salsa20/8 */
static void salsa(uint32_t *b)
{
    static const uint8_t quarters[8][4] = {{0, 4, 8, 12}, {5, 9, 13, 1}, {10, 14, 2, 6}, {15, 3, 7, 11},
                                           {0, 1, 2, 3},  {5, 6, 7, 4},  {10, 11, 8, 9}, {15, 12, 13, 14}};
    uint32_t x[BLOCK_WORDS];
    memcpy(x, b, sizeof x);
    for (int i = 0; i < 4; i++) {
#pragma GCC unroll 8
        for (int q = 0; q < 8; q++) {
            const uint8_t *k = quarters[q];
            x[k[1]] ^= rotate(x[k[0]] + x[k[3]], 7);
            x[k[2]] ^= rotate(x[k[1]] + x[k[0]], 9);
            x[k[3]] ^= rotate(x[k[2]] + x[k[1]], 13);
            x[k[0]] ^= rotate(x[k[3]] + x[k[2]], 18);
        }
    }
    for (int i = 0; i < BLOCK_WORDS; i++) b[i] += x[i];
}

/* One row into another: its blocks mixed, the even ones in front. */
static void mix_row(const uint32_t *in, uint32_t *out, size_t r)
{
    uint32_t x[BLOCK_WORDS];
    memcpy(x, in + (2 * r - 1) * BLOCK_WORDS, sizeof x);
    for (size_t i = 0; i < 2 * r; i++) {
        for (int k = 0; k < BLOCK_WORDS; k++) x[k] ^= in[i * BLOCK_WORDS + (size_t)k];
        salsa(x);
        memcpy(out + ((i & 1) * r + i / 2) * BLOCK_WORDS, x, sizeof x);
    }
}

struct scrypt {
    size_t cost, r, words; /* of a row */
    uint32_t *table;       /* cost rows */
    uint32_t *row, *next;
};

static bool step(vm *vm, struct scrypt *s)
{
    mix_row(s->row, s->next, s->r);
    uint32_t *row = s->row;
    s->row = s->next;
    s->next = row;
    return vm_tick(vm, (uint32_t)s->r * 2);
}

/* p: a row as bytes, little-endian words. */
static bool mix(vm *vm, struct scrypt *s, uint8_t *p)
{
    for (size_t i = 0; i < s->words; i++)
        s->row[i] =
            p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 | (uint32_t)p[4 * i + 3] << 24;
    for (size_t i = 0; i < s->cost; i++) {
        memcpy(s->table + i * s->words, s->row, s->words * sizeof *s->row);
        if (!step(vm, s)) return false;
    }
    for (size_t i = 0; i < s->cost; i++) {
        const uint32_t *last = s->row + s->words - BLOCK_WORDS;
        uint64_t number = last[0] | (uint64_t)last[1] << 32;
        const uint32_t *other = s->table + (size_t)(number & (s->cost - 1)) * s->words;
        for (size_t k = 0; k < s->words; k++) s->row[k] ^= other[k];
        if (!step(vm, s)) return false;
    }
    for (size_t i = 0; i < s->words * 4; i++) p[i] = (uint8_t)(s->row[i / 4] >> i % 4 * 8);
    return true;
}

bool kdf_scrypt_size(size_t cost, size_t r, size_t p, size_t *out)
{
    size_t row, rows;
    return size_mul(r, 2 * BLOCK_BYTES, &row) && size_add(cost, 2, &rows) && size_add(rows, p, &rows) &&
           size_mul(rows, row, out);
}

bool kdf_scrypt(vm *vm, const crypto *f, const bytes *pass, const bytes *salt, size_t cost, size_t r, size_t p,
                uint8_t *out, size_t n)
{
    const void *md = f->EVP_get_digestbyname("sha256");
    size_t size, row = r * 2 * BLOCK_BYTES;
    if (!md) return failed(vm);
    if (!kdf_scrypt_size(cost, r, p, &size)) return raise_memory(vm), false;
    uint8_t *all = mem_alloc(vm, size), *parts = all;
    if (!all) return false;
    uint32_t *words = (uint32_t *)(void *)(all + p * row);
    struct scrypt s = {cost, r, row / 4, words, words + cost * row / 4, words + (cost + 1) * (row / 4)};
    bool ok = pbkdf2(vm, f, md, pass, salt->data, salt->len, 1, parts, p * row);
    for (size_t i = 0; ok && i < p; i++) ok = mix(vm, &s, parts + i * row);
    ok = ok && pbkdf2(vm, f, md, pass, parts, p * row, 1, out, n);
    mem_free(vm, all, size);
    return ok;
}
