/* What the files of the module _hashlib share: libcrypto's functions, and deriving keys from passwords. */
#ifndef AIO_STDLIB_HASHLIB_MODULE_H
#define AIO_STDLIB_HASHLIB_MODULE_H

#include "module_state.h"
#include "vm/bytes.h"

typedef struct crypto {
#define DYN(R, NAME, PARAMS) R(*NAME) PARAMS;
#include "hashlib_crypto.def"
#undef DYN
} crypto;

/* Both fill out[0, n) and pass safepoints: the caller roots pass and salt. false: raised. */
bool kdf_pbkdf2(vm *vm, const crypto *f, const void *md, const bytes *pass, const bytes *salt, uint32_t iterations,
                uint8_t *out, size_t n);
/* cost: a power of two; r and p > 0. */
bool kdf_scrypt(vm *vm, const crypto *f, const bytes *pass, const bytes *salt, size_t cost, size_t r, size_t p,
                uint8_t *out, size_t n);
/* The memory that it takes; false: more than a size can say. */
bool kdf_scrypt_size(size_t cost, size_t r, size_t p, size_t *out);

#endif
