/* The parts of the module _ssl: TLS by OpenSSL 3, over memory buffers. Sockets and transports are script's business
 * (ssl.aio, _asyncio_tls.aio): they move bytes between the buffers and the wire.
 *
 * OpenSSL is loaded when the module is first imported: its functions are called as L->SSL_new(...), L being
 * ssl_lib(vm). */
#ifndef AIO_STDLIB_SSL_MODULE_H
#define AIO_STDLIB_SSL_MODULE_H

#include "module_state.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct ssl_lib {
#define DYN(LIB, R, NAME, PARAMS) R(*NAME) PARAMS;
#include "ssl_lib.def"
#undef DYN
};

/* The classes of exceptions, made by ssl.aio and handed to _ssl. */
enum ssl_error_class {
    SSL_E_ERROR,
    SSL_E_ZERO_RETURN,
    SSL_E_WANT_READ,
    SSL_E_WANT_WRITE,
    SSL_E_SYSCALL,
    SSL_E_EOF,
    SSL_E_CERT_VERIFICATION,
    SSL_E_COUNT
};

typedef struct ssl_context {
    object h;
    value *slots;
    SSL_CTX *ctx;
    int protocol;
    bool check_hostname;
    value sni_callback;  /* of set_servername_callback */
    unsigned char *alpn; /* what a server offers: wire format */
    unsigned alpn_len;
    value password; /* while a key is loaded */
    bool password_failed;
    vm *vm;
} ssl_context;

typedef struct ssl_bio {
    object h;
    value *slots;
    BIO *bio;
    size_t charged; /* what libcrypto has for it: grows only */
    bool eof;
} ssl_bio;
/* About what OpenSSL takes for a context without certificates, a connection, an empty memory BIO. */
enum { SSL_CONTEXT_SIZE = 32 * 1024, SSL_CONN_SIZE = 24 * 1024, SSL_BIO_SIZE = 256 };

typedef struct ssl_conn {
    object h;
    value *slots;
    SSL *ssl;
    value context;            /* SSLContext */
    value owner;              /* weak reference to the SSLObject or SSLSocket, or None */
    value hostname;           /* str or None */
    value incoming, outgoing; /* MemoryBIO */
    bool server, shut_down;
    value sni_error; /* what the sni callback raised */
} ssl_conn;

enum { SSL_ERROR_EOF_CODE = 8 };       /* CPython's own: the peer broke off */
const struct ssl_lib *ssl_lib(vm *vm); /* loaded when the module was imported */
type *ssl_context_type(vm *vm);        /* ssl_context.c; NULL raised */
type *ssl_bio_type(vm *vm);            /* ssl_conn.c */
type *ssl_conn_type(vm *vm);
/* incoming, outgoing, server_side, server_hostname, owner, session */
value ssl_wrap_bio(vm *vm, ssl_context *c, value *args);
int ssl_sni_callback(SSL *ssl, int *alert, void *ud); /* ud: the ssl_context */
value ssl_cert_dict(vm *vm, X509 *cert);              /* ssl_cert.c: what getpeercert() gives */
value ssl_cert_der(vm *vm, X509 *cert);

/* ---- ssl_error.c ---- */
value ssl_raise(vm *vm, enum ssl_error_class cls, int code, const char *text); /* with no more than this */
value ssl_raise_last(vm *vm); /* the last error of OpenSSL's queue, which is cleared */
/* after a call on a connection that returned `ret` */
value ssl_raise_io(vm *vm, SSL *ssl, int ret, const char *what);
bool ssl_set_errors(vm *vm, value classes); /* a tuple in the order of ssl_error_class */

#endif
