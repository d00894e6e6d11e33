/* The C half of the random module: `_random.Random`, a Mersenne Twister (MT19937).
 *
 * Seeds, output words and their use are CPython's, so the same seed gives the same numbers. The
 * distributions are in random.aio.
 */
#include "random.h"

#include "sha512.h"
#include "vm/int.h"
#include "vm/native.h"

#include <errno.h>
#include <sys/random.h>

#define DOC_FILE stdlib_random
DOC_BEGIN;

#define UNUSED (void)nargs, (void)kwnames

#define MT_N 624
#define MT_M 397

struct twister {
    uint32_t at; /* next word; MT_N: refill */
    uint32_t w[MT_N];
};

/* ---- the generator ---- */

static void refill(struct twister *g)
{
    static const uint32_t mag[2] = {0, 0x9908b0df};
    uint32_t *w = g->w;
    for (int i = 0; i < MT_N; i++) {
        uint32_t y = (w[i] & 0x80000000u) | (w[i + 1 < MT_N ? i + 1 : 0] & 0x7fffffffu);
        w[i] = w[i + MT_M < MT_N ? i + MT_M : i + MT_M - MT_N] ^ y >> 1 ^ mag[y & 1];
    }
    g->at = 0;
}

static inline uint32_t next_word(struct twister *g)
{
    if (g->at >= MT_N) refill(g);
    uint32_t y = g->w[g->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

static inline double next_double(struct twister *g)
{
    uint32_t a = next_word(g) >> 5, b = next_word(g) >> 6; /* 53 bits */
    return (a * 67108864.0 + b) * 0x1p-53;
}

/* k bits, 1 <= k <= 64. */
static inline uint64_t next_bits(struct twister *g, unsigned k)
{
    if (k <= 32) return next_word(g) >> (32 - k);
    uint64_t low = next_word(g);
    return low | (uint64_t)(next_word(g) >> (64 - k)) << 32;
}

static void seed_word(struct twister *g, uint32_t s)
{
    g->w[0] = s;
    for (uint32_t i = 1; i < MT_N; i++) g->w[i] = 1812433253u * (g->w[i - 1] ^ g->w[i - 1] >> 30) + i;
    g->at = MT_N;
}

static void seed_array(struct twister *g, const uint32_t *key, size_t n)
{
    uint32_t *w = g->w;
    seed_word(g, 19650218u);
    size_t i = 1, j = 0;
    for (size_t k = n > MT_N ? n : MT_N; k; k--) {
        w[i] = (w[i] ^ (w[i - 1] ^ w[i - 1] >> 30) * 1664525u) + key[j] + (uint32_t)j;
        if (++i == MT_N) {
            w[0] = w[MT_N - 1];
            i = 1;
        }
        if (++j == n) j = 0;
    }
    for (size_t k = MT_N - 1; k; k--) {
        w[i] = (w[i] ^ (w[i - 1] ^ w[i - 1] >> 30) * 1566083941u) - (uint32_t)i;
        if (++i == MT_N) {
            w[0] = w[MT_N - 1];
            i = 1;
        }
    }
    w[0] = 0x80000000u;
}

/* ---- seeding ---- */

static bool os_random(vm *vm, void *p, size_t n)
{
    uint8_t *at = p;
    while (n) {
        ssize_t got = getrandom(at, n < 256 ? n : 256, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            raise_os_error(vm, errno, V_UNBOUND);
            return false;
        }
        at += got;
        n -= (size_t)got;
    }
    return true;
}

static bool seed_from_os(vm *vm, struct twister *g)
{
    uint32_t key[MT_N];
    if (vm->random_seed) { /* the embedding host's: each generator gets another */
        uint64_t seed = vm->random_seed++;
        key[0] = (uint32_t)seed;
        key[1] = (uint32_t)(seed >> 32);
        seed_array(g, key, 2);
        return true;
    }
    if (!os_random(vm, key, sizeof key)) return false;
    seed_array(g, key, MT_N);
    return true;
}

/* The absolute value as 32-bit words, least significant first. */
static bool seed_from_int(vm *vm, struct twister *g, value v)
{
    struct int_view w;
    int_view_of(&w, v);
    size_t n = (size_t)((int_bit_length(v) + 31) / 32);
    uint32_t small[8] = {0}, *key = small;
    if (n > 8 && !(key = mem_alloc(vm, n * sizeof *key))) return false;
    for (size_t i = 0; i < n; i++) {
        size_t bit = i * 32, at = bit / DIGIT_BITS, sh = bit % DIGIT_BITS;
        uint64_t d = w.d[at] >> sh;
        if (sh > DIGIT_BITS - 32 && at + 1 < (size_t)w.used) d |= w.d[at + 1] << (DIGIT_BITS - sh);
        key[i] = (uint32_t)d;
    }
    seed_array(g, key, n ? n : 1);
    if (key != small) mem_free(vm, key, n * sizeof *key);
    return true;
}

/* The bytes with their SHA-512 appended, as one big-endian number. */
static bool seed_from_bytes(vm *vm, struct twister *g, const uint8_t *p, size_t n)
{
    size_t total = n + SHA512_SIZE, words = (total + 3) / 4, size = words * sizeof(uint32_t);
    uint32_t *key = mem_zalloc(vm, size);
    if (!key) return false;
    uint8_t digest[SHA512_SIZE];
    sha512(p, n, digest);
    for (size_t i = 0; i < total; i++) { /* i: from the least significant byte */
        uint8_t byte = i < SHA512_SIZE ? digest[SHA512_SIZE - 1 - i] : p[total - 1 - i];
        key[i / 4] |= (uint32_t)byte << i % 4 * 8;
    }
    size_t used = words;
    while (used > 1 && key[used - 1] == 0) used--;
    seed_array(g, key, used);
    mem_free(vm, key, size);
    return true;
}

static struct twister *self_twister(value v) { return (struct twister *)(void *)AS(userdata, v)->body; }

static bool seed(vm *vm, struct twister *g, value v)
{
    const uint8_t *p;
    size_t n;
    uint64_t hash;
    if (value_is_unbound(v) || value_is_none(v)) return seed_from_os(vm, g);
    if (int_is(v)) return seed_from_int(vm, g, int_plain(vm, v));
    if (IS_STR(v)) {
        const char *s = str_utf8(vm, AS(str, v), &n);
        return s && seed_from_bytes(vm, g, (const uint8_t *)s, n);
    }
    if ((value_is_kind(v, K_BYTES) || value_is_kind(v, K_BYTEARRAY)) && buffer_view(vm, v, &p, &n))
        return seed_from_bytes(vm, g, p, n);
    if (!obj_hash(vm, v, &hash)) return false;
    uint32_t key[2] = {(uint32_t)hash, (uint32_t)(hash >> 32)};
    seed_array(g, key, key[1] ? 2 : 1);
    return true;
}

static value random_new(vm *vm, type *t, value *args, uint32_t nargs, value kwnames)
{
    (void)kwnames; /* a subclass's __init__ may take any */
    userdata *u = userdata_new(vm, t);
    if (!u) return V_ERROR;
    value v = value_obj(u);
    ROOTS(vm, &v);
    /* A subclass seeds in its __init__. */
    bool plain = nargs && !(t->flags & TF_HEAP);
    return seed(vm, self_twister(v), plain ? args[0] : V_NONE) ? v : V_ERROR;
}

/* ---- methods ---- */

static value m_seed(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    return seed(vm, self_twister(args[0]), args[1]) ? V_NONE : V_ERROR;
}

static value m_random(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    (void)vm;
    UNUSED;
    return value_float_arith(next_double(self_twister(args[0])));
}

static value m_getrandbits(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    struct twister *g = self_twister(args[0]);
    int64_t k;
    if (!obj_as_index(vm, args[1], &k, EXC_OverflowError)) return V_ERROR;
    if (k < 0) return raise_value_error(vm, "number of bits must be non-negative");
    if (k == 0) return value_int(0);
    if (k <= 64) return int_from_u64(vm, next_bits(g, (unsigned)k));
    if (k > INT64_C(1) << 36) return raise_memory(vm);
    if (!int_charge(vm, (uint64_t)k / 32)) return V_ERROR;
    bigint *b = big_new(vm, (size_t)k / DIGIT_BITS + 2);
    if (!b) return V_ERROR;
    for (size_t bit = 0; bit < (size_t)k; bit += 32) {
        size_t at = bit / DIGIT_BITS, sh = bit % DIGIT_BITS;
        uint64_t w = next_word(g);
        if (bit + 32 > (size_t)k) w >>= bit + 32 - (size_t)k;
        b->digits[at] |= w << sh & DIGIT_MASK;
        if (sh > DIGIT_BITS - 32) b->digits[at + 1] |= w >> (DIGIT_BITS - sh);
    }
    return big_done(vm, b);
}

/* A number in [0, n), n > 0: as many bits as n has, until one is below. */
static value m_randbelow(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    struct twister *g = self_twister(args[0]);
    int64_t n;
    value limit = obj_index(vm, args[1]);
    if (value_is_error(limit)) return V_ERROR;
    limit = int_plain(vm, limit);
    if (int_sign(vm, limit) <= 0) return value_int(0);
    if (int_to_i64(vm, limit, &n)) {
        unsigned k = 64 - (unsigned)__builtin_clzll((uint64_t)n);
        uint64_t r;
        do r = next_bits(g, k);
        while (r >= (uint64_t)n);
        return int_from_u64(vm, r);
    }
    value call[2] = {args[0], int_from_u64(vm, int_bit_length(limit))};
    ROOTS(vm, &limit);
    for (;;) {
        value r = m_getrandbits(vm, call, 2, V_UNBOUND);
        if (value_is_error(r) || int_compare(vm, r, limit) < 0) return r;
    }
}

static value m_getstate(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    const struct twister *g = self_twister(args[0]);
    tuple *t = tuple_new(vm, MT_N + 1);
    if (!t) return V_ERROR;
    for (size_t i = 0; i < MT_N; i++) t->items[i] = value_int(g->w[i]);
    t->items[MT_N] = value_int(g->at);
    return value_obj(t);
}

static value m_setstate(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    struct twister fresh;
    if (!IS_TUPLE(args[1])) return raise_type_error(vm, "state vector must be a tuple");
    const tuple *t = AS(tuple, args[1]);
    if (t->len != MT_N + 1) return raise_value_error(vm, "state vector is the wrong size");
    for (size_t i = 0; i <= MT_N; i++) {
        int64_t n;
        if (!int_is(t->items[i])) return raise_type_error(vm, "an integer is required");
        if (!int_to_i64(vm, t->items[i], &n) || n < 0 || n > UINT32_MAX)
            return i < MT_N ? raise_overflow(vm, "Python int too large to convert to C unsigned long")
                            : raise_value_error(vm, "invalid state");
        if (i < MT_N) fresh.w[i] = (uint32_t)n;
        else if (n > MT_N) return raise_value_error(vm, "invalid state");
        else fresh.at = (uint32_t)n;
    }
    *self_twister(args[0]) = fresh;
    return V_NONE;
}

static const native_def twister_methods[] = {
    {"seed(self, n=None, /)", m_seed,
     DOC("Defaults to use urandom and falls back to a combination of the current time."), 0},
    {"random(self, /)", m_random, DOC("random() -> x in the interval [0, 1)."), 0},
    {"getrandbits(self, k, /)", m_getrandbits, DOC("getrandbits(k) -> x.  Generates an int with k random bits."), 0},
    {"_randbelow(self, n, /)", m_randbelow, DOC("A random int in [0, n)."), 0},
    {"getstate(self, /)", m_getstate, DOC("getstate() -> tuple containing the current state."), 0},
    {"setstate(self, state, /)", m_setstate, DOC("setstate(state) -> None.  Restores generator state."), 0},
    {0},
};

/* ---- the module ---- */

static value m_urandom(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    int64_t n;
    if (!obj_as_index(vm, args[0], &n, EXC_OverflowError)) return V_ERROR;
    if (n < 0) return raise_value_error(vm, "negative argument not allowed");
    uint8_t *p = mem_alloc(vm, (size_t)n + 1);
    if (!p) return V_ERROR;
    bytes *b = os_random(vm, p, (size_t)n) ? bytes_new(vm, p, (size_t)n) : NULL;
    mem_free(vm, p, (size_t)n + 1);
    return b ? value_obj(b) : V_ERROR;
}

static value m_is_sequence(vm *vm, value *args, uint32_t nargs, value kwnames)
{
    UNUSED;
    value v = args[0];
    return value_bool(IS_STR(v) || value_is_kind(v, K_BYTES) || value_is_kind(v, K_BYTEARRAY) || IS_LIST(v) ||
                      IS_TUPLE(v) || value_is_kind(v, K_RANGE) || (type_of(vm, v)->flags & TF_SEQUENCE));
}

static const native_def functions[] = {
    {"_urandom(size, /)", m_urandom, DOC("Random bytes from the operating system."), 0},
    {"_is_sequence(obj, /)", m_is_sequence, DOC("Is it what collections.abc counts as a Sequence?"), 0},
    {0},
};

static void fill(struct type_slots *s) { s->new_ = random_new; }

bool random_init(vm *vm, module *m)
{
    static const type_layout layout = {.size = sizeof(struct twister)};
    static const type_spec spec = {
        .name = "_random.Random",
        .doc = "Random() -> create a random number generator with its own internal state.",
        .layout = &layout,
        .methods = twister_methods,
        .flags = TF_BASE,
        .fill = fill,
    };
    type *t = type_from_spec(vm, &spec);
    return t && module_add(vm, m, "Random", value_obj(t)) && module_add_natives(vm, m, functions);
}
