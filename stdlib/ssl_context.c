/* _ssl._SSLContext: keys, trust and settings that connections share. */
#include "ssl_module.h"

#include <errno.h>

#include "posix.h"
#include "vm/abstract.h"
#include "vm/buffer.h"

#define DOC_FILE stdlib_ssl_context
DOC_BEGIN;

enum { PROTO_TLS = 2, PROTO_TLS_CLIENT = 16, PROTO_TLS_SERVER = 17 };
#define CONTEXT(v) AS(ssl_context, v)
static inline bool absent_arg(value v) { return value_is_unbound(v) || value_is_none(v); }
#define LIB const struct ssl_lib *L = ssl_lib(vm)

/* ---- making one ---- */

static value context_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    LIB;
    value a[1];
    int64_t protocol;
    if (!args_bind(vm, "_SSLContext(protocol)", args, n, kw, a) || !int_as_i64(vm, a[0], &protocol)) return V_ERROR;
    const SSL_METHOD *method = protocol == PROTO_TLS          ? L->TLS_method()
                               : protocol == PROTO_TLS_CLIENT ? L->TLS_client_method()
                               : protocol == PROTO_TLS_SERVER ? L->TLS_server_method()
                                                              : NULL;
    if (!method) return raise_value_error(vm, "invalid or unsupported protocol version");
    ssl_context *c = userdata_new(vm, t);
    if (!c) return V_ERROR;
    c->sni_callback = V_NONE;
    c->protocol = (int)protocol;
    if (!mem_charge(vm, SSL_CONTEXT_SIZE)) return V_ERROR;
    c->ctx = L->SSL_CTX_new(method);
    if (!c->ctx) {
        mem_uncharge(vm, SSL_CONTEXT_SIZE);
        return ssl_raise_last(vm);
    }
    L->SSL_CTX_set_options(c->ctx, SSL_OP_ALL | SSL_OP_NO_SSLv3 | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE);
    L->SSL_CTX_ctrl(c->ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
    L->SSL_CTX_ctrl(c->ctx, SSL_CTRL_MODE,
                    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY, NULL);
    L->SSL_CTX_set_session_id_context(c->ctx, (const unsigned char *)"aio", 3);
    /* What @SECLEVEL=2 lets through, without what nobody should use. */
    L->SSL_CTX_set_cipher_list(
        c->ctx, "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM");
    X509_VERIFY_PARAM *param = L->SSL_CTX_get0_param(c->ctx);
    L->X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_TRUSTED_FIRST);
    L->X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    c->check_hostname = protocol == PROTO_TLS_CLIENT;
    L->SSL_CTX_set_verify(c->ctx, protocol == PROTO_TLS_CLIENT ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    L->ERR_clear_error();
    return value_obj(c);
}

/* ---- keys and trust ---- */

static int give_password(char *out, int size, int writing, void *ud)
{
    (void)writing;
    ssl_context *c = ud;
    vm *vm = c->vm;
    value p = c->password;
    if (obj_is_callable(vm, p)) p = vm_call0(vm, p);
    const uint8_t *data = NULL;
    size_t n = 0;
    if (value_is_error(p)) {
        c->password_failed = true;
        return -1;
    }
    if (IS_STR(p)) data = (const uint8_t *)str_utf8(vm, AS(str, p), &n);
    else if (!buffer_view(vm, p, &data, &n))
        raise_type_error(vm, obj_is_callable(vm, c->password) ? "password callback must return a string"
                                                              : "password should be a string or callable");
    if (data && n > (size_t)size) {
        raise_value_error(vm, "password cannot be longer than %d bytes", size);
        data = NULL;
    }
    if (!data) {
        c->password_failed = true;
        return -1;
    }
    memcpy(out, data, n);
    return (int)n;
}

/* The error of a call that read files: the system's when there is one. */
static value load_error(vm *vm, ssl_context *c, const posix_path *p)
{
    (void)p;
    if (c && c->password_failed) {
        ssl_lib(vm)->ERR_clear_error();
        return V_ERROR;
    }
    return ssl_raise_last(vm);
}

FN(c_load_cert_chain)
{
    LIB;
    ssl_context *c = CONTEXT(args[0]);
    posix_path cert, key;
    if (!posix_path_arg(vm, args[1], "load_cert_chain", "certfile", 0, &cert)) return V_ERROR;
    bool has_key = !value_is_unbound(args[2]) && !value_is_none(args[2]);
    if (has_key && !posix_path_arg(vm, args[2], "load_cert_chain", "keyfile", 0, &key)) return V_ERROR;
    bool has_password = !value_is_unbound(args[3]) && !value_is_none(args[3]);
    c->vm = vm;
    c->password = has_password ? args[3] : V_NONE;
    c->password_failed = false;
    gc_barrier(vm, c);
    if (has_password) {
        L->SSL_CTX_set_default_passwd_cb(c->ctx, give_password);
        L->SSL_CTX_set_default_passwd_cb_userdata(c->ctx, c);
    }
    L->ERR_clear_error();
    value result = V_NONE;
    if (L->SSL_CTX_use_certificate_chain_file(c->ctx, cert.s) != 1 ||
        L->SSL_CTX_use_PrivateKey_file(c->ctx, has_key ? key.s : cert.s, SSL_FILETYPE_PEM) != 1)
        result = load_error(vm, c, &cert);
    else if (L->SSL_CTX_check_private_key(c->ctx) != 1) result = ssl_raise_last(vm);
    L->SSL_CTX_set_default_passwd_cb(c->ctx, NULL);
    L->SSL_CTX_set_default_passwd_cb_userdata(c->ctx, NULL);
    c->password = V_NONE;
    return result;
}

/* Certificates in memory: PEM text, or DER bytes one after the other. */
static value add_certificates(vm *vm, ssl_context *c, const uint8_t *p, size_t n, bool pem)
{
    LIB;
    if (!n) return raise_value_error(vm, "Empty certificate data");
    if (n > INT32_MAX) return raise_overflow(vm, "Certificate data is too long.");
    BIO *b = L->BIO_new_mem_buf(p, (int)n);
    if (!b) return raise_memory(vm);
    X509_STORE *store = L->SSL_CTX_get_cert_store(c->ctx);
    int loaded = 0;
    for (;;) {
        X509 *cert = pem ? L->PEM_read_bio_X509(b, NULL, NULL, NULL) : L->d2i_X509_bio(b, NULL);
        if (!cert) break;
        int ok = L->X509_STORE_add_cert(store, cert);
        L->X509_free(cert);
        if (!ok) break;
        loaded++;
    }
    unsigned long e = L->ERR_peek_last_error();
    bool end = loaded && (pem ? ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE
                              : !L->BIO_ctrl_pending(b));
    L->BIO_free(b);
    if (end || !e) {
        L->ERR_clear_error();
        if (loaded) return V_NONE;
    }
    if (!loaded)
        return ssl_raise(vm, SSL_E_ERROR, 0,
                         pem ? "no start line: cadata does not contain a certificate"
                             : "not enough data: cadata does not contain a certificate");
    return ssl_raise_last(vm);
}

FN(c_load_verify_locations)
{
    LIB;
    ssl_context *c = CONTEXT(args[0]);
    bool file = !absent_arg(args[1]), path = !absent_arg(args[2]), data = !absent_arg(args[3]);
    posix_path f, p;
    if (!file && !path && !data) return raise_type_error(vm, "cafile, capath and cadata cannot be all omitted");
    if (file && !posix_path_arg(vm, args[1], "load_verify_locations", "cafile", 0, &f)) return V_ERROR;
    if (path && !posix_path_arg(vm, args[2], "load_verify_locations", "capath", 0, &p)) return V_ERROR;
    L->ERR_clear_error();
    if (data) {
        const uint8_t *at;
        size_t n;
        value r;
        if (IS_STR(args[3])) {
            at = (const uint8_t *)str_utf8(vm, AS(str, args[3]), &n);
            r = at ? add_certificates(vm, c, at, n, true) : V_ERROR;
        } else if (buffer_view(vm, args[3], &at, &n)) {
            r = add_certificates(vm, c, at, n, false);
        } else {
            r = raise_type_error(vm, "cadata should be an ASCII string or a bytes-like object");
        }
        if (value_is_error(r)) return r;
    }
    if ((file || path) && L->SSL_CTX_load_verify_locations(c->ctx, file ? f.s : NULL, path ? p.s : NULL) != 1) {
        if (file && access(f.s, R_OK) != 0) {
            L->ERR_clear_error();
            return posix_path_error(vm, &f);
        }
        return ssl_raise_last(vm);
    }
    return V_NONE;
}
FN(c_set_default_verify_paths)
{
    LIB;
    if (!cap_require(vm, CAP_FS)) return V_ERROR;
    if (!L->SSL_CTX_set_default_verify_paths(CONTEXT(args[0])->ctx)) return ssl_raise_last(vm);
    L->ERR_clear_error();
    return V_NONE;
}

FN(c_get_ca_certs)
{
    LIB;
    int binary = value_is_unbound(args[1]) ? 0 : obj_truth(vm, args[1]);
    STACK_OF(X509_OBJECT) *objects = L->X509_STORE_get0_objects(L->SSL_CTX_get_cert_store(CONTEXT(args[0])->ctx));
    list *l = binary < 0 ? NULL : list_new(vm, 0);
    int n = L->OPENSSL_sk_num((const OPENSSL_STACK *)(const void *)objects);
    for (int i = 0; l && i < n; i++) {
        X509 *cert = L->X509_OBJECT_get0_X509(L->OPENSSL_sk_value((const OPENSSL_STACK *)(const void *)objects, i));
        if (!cert || !L->X509_check_ca(cert)) continue;
        value v = binary ? ssl_cert_der(vm, cert) : ssl_cert_dict(vm, cert);
        if (value_is_error(v) || !list_append(vm, l, v)) return V_ERROR;
    }
    return l ? value_obj(l) : V_ERROR;
}
FN(c_cert_store_stats)
{
    LIB;
    STACK_OF(X509_OBJECT) *objects = L->X509_STORE_get0_objects(L->SSL_CTX_get_cert_store(CONTEXT(args[0])->ctx));
    int64_t certs = 0, cas = 0, crls = 0;
    int n = L->OPENSSL_sk_num((const OPENSSL_STACK *)(const void *)objects);
    for (int i = 0; i < n; i++) {
        const X509_OBJECT *o = L->OPENSSL_sk_value((const OPENSSL_STACK *)(const void *)objects, i);
        X509 *cert = L->X509_OBJECT_get0_X509(o);
        if (cert) {
            certs++;
            cas += L->X509_check_ca(cert) != 0;
        } else {
            crls += L->X509_OBJECT_get_type(o) == X509_LU_CRL;
        }
    }
    dict *d = dict_new(vm);
    bool ok = d && dict_set_str(vm, d, str_intern_utf8(vm, "x509", 4), value_int(certs)) &&
              dict_set_str(vm, d, str_intern_utf8(vm, "crl", 3), value_int(crls)) &&
              dict_set_str(vm, d, str_intern_utf8(vm, "x509_ca", 7), value_int(cas));
    return ok ? value_obj(d) : V_ERROR;
}

/* ---- settings ---- */

FN(c_set_ciphers)
{
    LIB;
    if (!IS_STR(args[1])) return raise_type_error(vm, "set_ciphers() argument must be str, not %T", args[1]);
    size_t n;
    const char *s = str_utf8(vm, AS(str, args[1]), &n);
    if (!s) return V_ERROR;
    int ok = L->SSL_CTX_set_cipher_list(CONTEXT(args[0])->ctx, s);
    return ok ? V_NONE : ssl_raise(vm, SSL_E_ERROR, 0, "No cipher can be selected.");
}
FN(c_get_ciphers)
{
    LIB;
    SSL *ssl = L->SSL_new(CONTEXT(args[0])->ctx);
    if (!ssl) return ssl_raise_last(vm);
    STACK_OF(SSL_CIPHER) *sk = L->SSL_get1_supported_ciphers(ssl);
    list *l = list_new(vm, 0);
    int n = sk ? L->OPENSSL_sk_num((const OPENSSL_STACK *)(const void *)sk) : 0;
    bool ok = l;
    for (int i = 0; ok && i < n; i++) {
        const SSL_CIPHER *c = L->OPENSSL_sk_value((const OPENSSL_STACK *)(const void *)sk, i);
        int alg_bits, bits = L->SSL_CIPHER_get_bits(c, &alg_bits);
        dict *d = dict_new(vm);
        str *name = d ? str_from_cstr(vm, L->SSL_CIPHER_get_name(c)) : NULL;
        str *version = name ? str_from_cstr(vm, L->SSL_CIPHER_get_version(c)) : NULL;
        ok = version && dict_set_str(vm, d, N(vm, name), value_obj(name)) &&
             dict_set_str(vm, d, str_intern_utf8(vm, "protocol", 8), value_obj(version)) &&
             dict_set_str(vm, d, str_intern_utf8(vm, "strength_bits", 13), value_int(bits)) &&
             dict_set_str(vm, d, str_intern_utf8(vm, "alg_bits", 8), value_int(alg_bits)) &&
             list_append(vm, l, value_obj(d));
    }
    if (sk) L->OPENSSL_sk_free((OPENSSL_STACK *)(void *)sk);
    L->SSL_free(ssl);
    return ok ? value_obj(l) : V_ERROR;
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
                       unsigned inlen, void *ud)
{
    (void)ssl;
    ssl_context *c = ud;
    unsigned char *chosen;
    int r = ssl_lib(c->vm)->SSL_select_next_proto(&chosen, outlen, c->alpn, c->alpn_len, in, inlen);
    *out = chosen;
    return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}
/* The names with a length byte before each, as they go over the wire. */
FN(c_set_alpn_protocols)
{
    LIB;
    ssl_context *c = CONTEXT(args[0]);
    const uint8_t *p;
    size_t n;
    if (!buffer_need(vm, args[1], &p, &n)) return V_ERROR;
    if (n > 65535) return raise_overflow(vm, "protocols longer than 65535 bytes");
    unsigned char *copy = mem_alloc(vm, n + 1);
    if (!copy) return V_ERROR;
    memcpy(copy, p, n);
    if (c->alpn) mem_free(vm, c->alpn, c->alpn_len + 1u);
    c->alpn = copy;
    c->alpn_len = (unsigned)n;
    c->vm = vm;
    if (L->SSL_CTX_set_alpn_protos(c->ctx, copy, (unsigned)n)) return raise_memory(vm);
    L->SSL_CTX_set_alpn_select_cb(c->ctx, select_alpn, c);
    return V_NONE;
}

static value get_sni(vm *vm, value self)
{
    (void)vm;
    return CONTEXT(self)->sni_callback;
}
static bool put_sni(vm *vm, value self, value v)
{
    LIB;
    ssl_context *c = CONTEXT(self);
    if (value_is_unbound(v)) v = V_NONE;
    if (c->protocol == PROTO_TLS_CLIENT) {
        raise_value_error(vm, "sni_callback cannot be set on TLS_CLIENT context");
        return false;
    }
    if (!value_is_none(v) && !obj_is_callable(vm, v)) {
        raise_type_error(vm, "not a callable object");
        return false;
    }
    c->sni_callback = v;
    c->vm = vm;
    gc_barrier(vm, c);
    L->SSL_CTX_callback_ctrl(c->ctx, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                             value_is_none(v) ? NULL : (void (*)(void))ssl_sni_callback);
    L->SSL_CTX_ctrl(c->ctx, SSL_CTRL_SET_TLSEXT_SERVERNAME_ARG, 0, c);
    return true;
}

static bool number(vm *vm, value v, int64_t *out)
{
    if (!value_is_unbound(v)) return obj_as_index(vm, v, out, EXC_OverflowError);
    raise(vm, EXC_AttributeError, "cannot delete attribute");
    return false;
}
static value get_verify_mode(vm *vm, value self)
{
    LIB;
    SSL *ssl = L->SSL_new(CONTEXT(self)->ctx); /* the context itself can't be asked by a function that 1.1 has, too */
    int mode = ssl ? L->SSL_get_verify_mode(ssl) : 0;
    if (ssl) L->SSL_free(ssl);
    return value_int(mode == SSL_VERIFY_NONE   ? 0
                     : mode == SSL_VERIFY_PEER ? (CONTEXT(self)->protocol == PROTO_TLS_CLIENT ? 2 : 1)
                                               : 2);
}
static bool put_verify_mode(vm *vm, value self, value v)
{
    static const int modes[] = {SSL_VERIFY_NONE, SSL_VERIFY_PEER, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT};
    int64_t n;
    if (!number(vm, v, &n)) return false;
    if (n < 0 || n > 2) {
        raise_value_error(vm, "invalid value for verify_mode");
        return false;
    }
    if (n == 0 && CONTEXT(self)->check_hostname) {
        raise_value_error(vm, "Cannot set verify_mode to CERT_NONE when check_hostname is enabled.");
        return false;
    }
    ssl_lib(vm)->SSL_CTX_set_verify(CONTEXT(self)->ctx, modes[n], NULL);
    return true;
}
static value get_verify_flags(vm *vm, value self)
{
    LIB;
    return value_int((int64_t)L->X509_VERIFY_PARAM_get_flags(L->SSL_CTX_get0_param(CONTEXT(self)->ctx)));
}
static bool put_verify_flags(vm *vm, value self, value v)
{
    LIB;
    int64_t n;
    if (!number(vm, v, &n)) return false;
    X509_VERIFY_PARAM *p = L->SSL_CTX_get0_param(CONTEXT(self)->ctx);
    unsigned long now = L->X509_VERIFY_PARAM_get_flags(p), want = (unsigned long)n;
    if (now & ~want) L->X509_VERIFY_PARAM_clear_flags(p, now & ~want);
    if (want & ~now) L->X509_VERIFY_PARAM_set_flags(p, want & ~now);
    return true;
}
static value get_options(vm *vm, value self)
{
    return int_from_u64(vm, ssl_lib(vm)->SSL_CTX_get_options(CONTEXT(self)->ctx));
}
static bool put_options(vm *vm, value self, value v)
{
    LIB;
    int64_t n;
    if (!number(vm, v, &n)) return false;
    SSL_CTX *ctx = CONTEXT(self)->ctx;
    uint64_t now = L->SSL_CTX_get_options(ctx), want = (uint64_t)n;
    if (now & ~want) L->SSL_CTX_clear_options(ctx, now & ~want);
    if (want & ~now) L->SSL_CTX_set_options(ctx, want & ~now);
    return true;
}
static value get_check_hostname(vm *vm, value self)
{
    (void)vm;
    return value_bool(CONTEXT(self)->check_hostname);
}
static bool put_check_hostname(vm *vm, value self, value v)
{
    int on = value_is_unbound(v) ? -1 : obj_truth(vm, v);
    if (on < 0) return false;
    value mode = get_verify_mode(vm, self);
    if (on && value_as_int(mode) == 0)
        ssl_lib(vm)->SSL_CTX_set_verify(CONTEXT(self)->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    CONTEXT(self)->check_hostname = on;
    return true;
}
static value get_protocol(vm *vm, value self)
{
    (void)vm;
    return value_int(CONTEXT(self)->protocol);
}
static value get_version(vm *vm, value self, int get, int64_t none)
{
    long v = ssl_lib(vm)->SSL_CTX_ctrl(CONTEXT(self)->ctx, get, 0, NULL);
    return value_int(v ? v : none);
}
static bool put_version(vm *vm, value self, value v, int set)
{
    int64_t n;
    if (!number(vm, v, &n)) return false;
    if (n == -1) n = 0;                                                        /* MAXIMUM_SUPPORTED */
    if (n == -2) n = set == SSL_CTRL_SET_MIN_PROTO_VERSION ? 0 : TLS1_VERSION; /* MINIMUM_SUPPORTED */
    if ((n == 0 || (n >= TLS1_VERSION && n <= TLS1_3_VERSION)) &&
        ssl_lib(vm)->SSL_CTX_ctrl(CONTEXT(self)->ctx, set, (long)n, NULL))
        return true;
    raise_value_error(vm, "Unsupported TLS/SSL version 0x%s", n == SSL3_VERSION ? "300" : "?");
    return false;
}
static value get_minimum(vm *vm, value self) { return get_version(vm, self, SSL_CTRL_GET_MIN_PROTO_VERSION, -2); }
static bool put_minimum(vm *vm, value self, value v)
{
    return put_version(vm, self, v, SSL_CTRL_SET_MIN_PROTO_VERSION);
}
static value get_maximum(vm *vm, value self) { return get_version(vm, self, SSL_CTRL_GET_MAX_PROTO_VERSION, -1); }
static bool put_maximum(vm *vm, value self, value v)
{
    return put_version(vm, self, v, SSL_CTRL_SET_MAX_PROTO_VERSION);
}
static value get_num_tickets(vm *vm, value self)
{
    return value_int((int64_t)ssl_lib(vm)->SSL_CTX_get_num_tickets(CONTEXT(self)->ctx));
}
static bool put_num_tickets(vm *vm, value self, value v)
{
    int64_t n;
    if (!number(vm, v, &n)) return false;
    if (n < 0) {
        raise_value_error(vm, "value must be non-negative");
        return false;
    }
    if (CONTEXT(self)->protocol != PROTO_TLS_SERVER) {
        raise_value_error(vm, "SSLContext is not a server context.");
        return false;
    }
    return ssl_lib(vm)->SSL_CTX_set_num_tickets(CONTEXT(self)->ctx, (size_t)n) == 1;
}

FN(c_wrap_bio) { return ssl_wrap_bio(vm, CONTEXT(args[0]), args + 1); }

/* ---- the type ---- */

static void context_traverse(vm *vm, object *o)
{
    ssl_context *c = (ssl_context *)(void *)o;
    gc_mark_value(vm, c->sni_callback);
    gc_mark_value(vm, c->password);
}
static void context_free(vm *vm, object *o)
{
    ssl_context *c = (ssl_context *)(void *)o;
    if (c->ctx) { /* a connection that began with it keeps it, but must not call through it any more */
        ssl_lib(vm)->SSL_CTX_callback_ctrl(c->ctx, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, NULL);
        ssl_lib(vm)->SSL_CTX_free(c->ctx);
        mem_uncharge(vm, SSL_CONTEXT_SIZE);
    }
    if (c->alpn) mem_free(vm, c->alpn, c->alpn_len + 1u);
    c->ctx = NULL;
    c->alpn = NULL;
}
static void context_fill(struct type_slots *s) { s->new_ = context_new; }

type *ssl_context_type(vm *vm)
{
    static const native_def methods[] = {
        {"load_cert_chain(self, certfile, keyfile=None, password=None)", c_load_cert_chain,
         DOC("Load a certificate chain and its private key."), 0},
        {"load_verify_locations(self, cafile=None, capath=None, cadata=None)", c_load_verify_locations,
         DOC("Load certificates to trust."), 0},
        {"set_default_verify_paths(self)", c_set_default_verify_paths, DOC("Trust what the system trusts."), 0},
        {"get_ca_certs(self, binary_form=False)", c_get_ca_certs, DOC("The loaded CA certificates."), 0},
        {"cert_store_stats(self)", c_cert_store_stats, DOC("How many certificates and revocation lists are loaded."),
         0},
        {"set_ciphers(self, cipherlist, /)", c_set_ciphers,
         DOC("Set the ciphers up to TLS 1.2, in OpenSSL's language."), 0},
        {"get_ciphers(self)", c_get_ciphers, DOC("The enabled ciphers, by priority."), 0},
        {"_set_alpn_protocols(self, protocols, /)", c_set_alpn_protocols, NULL, 0},
        {"_wrap_bio(self, incoming, outgoing, server_side, server_hostname=None, owner=None, session=None)", c_wrap_bio,
         NULL, 0},
        {0},
    };
    static const getset_def getsets[] = {
        {"sni_callback", get_sni, put_sni,
         DOC("Called with (object, server name, context) when a client names the server.")},
        {"verify_mode", get_verify_mode, put_verify_mode, DOC("Are certificates checked?")},
        {"verify_flags", get_verify_flags, put_verify_flags, DOC("How certificates are checked.")},
        {"options", get_options, put_options, DOC("OpenSSL's options.")},
        {"check_hostname", get_check_hostname, put_check_hostname,
         DOC("Must the certificate be for the server's name?")},
        {"protocol", get_protocol, NULL, DOC("The protocol chosen at creation.")},
        {"minimum_version", get_minimum, put_minimum, DOC("The lowest TLS version.")},
        {"maximum_version", get_maximum, put_maximum, DOC("The highest TLS version.")},
        {"num_tickets", get_num_tickets, put_num_tickets, DOC("Session tickets that a server sends.")},
        {0},
    };
    static const type_layout layout = {
        .size = sizeof(ssl_context) - sizeof(userdata), .traverse = context_traverse, .free = context_free};
    static const type_spec spec = {
        "_ssl._SSLContext", "Settings of TLS connections.", &layout, methods, getsets, 0, TF_BASE, context_fill};
    return module_state_make(vm, STATE_SSL_CONTEXT, &spec);
}
