/* The module _ssl: OpenSSL is loaded here, when it is first imported. */
#include "ssl_module.h"

#include "dynlib.h"
#include "vm/bytes.h"
#include "vm/str.h"

#define DOC_FILE stdlib_mod_ssl
DOC_BEGIN;

/* One table of all names, in the order of the struct; each library fills its part. */
enum lib_id { LIB_SSL, LIB_CRYPTO };
static const struct {
    const char *name;
    enum lib_id lib;
} functions_of_lib[] = {
#define DYN(LIB, R, NAME, PARAMS) {#NAME, LIB_##LIB},
#include "ssl_lib.def"
#undef DYN
};
enum { FUNCTIONS = sizeof functions_of_lib / sizeof *functions_of_lib };
_Static_assert(sizeof(struct ssl_lib) == FUNCTIONS * sizeof(void (*)(void)), "a plain array of function pointers");

typedef struct lib_object {
    object h;
    value *slots;
    struct ssl_lib f;
} lib_object;

const struct ssl_lib *ssl_lib(vm *vm) { return &AS(lib_object, module_state_get(vm, STATE_SSL_LIB))->f; }

static bool load(vm *vm)
{
    static const char *const sonames[] = {"libssl.so.3", "libcrypto.so.3"};
    static const type_layout layout = {.size = sizeof(lib_object) - sizeof(userdata)};
    static const type_spec spec = {.name = "_ssl.library", .layout = &layout};
    if (!value_is_unbound(module_state_get(vm, STATE_SSL_LIB))) return true;
    type *t = module_state_make(vm, STATE_SSL_LIB_TYPE, &spec);
    lib_object *l = t ? userdata_new(vm, t) : NULL;
    if (!l) return false;
    for (size_t i = 0; i < FUNCTIONS; i++)
        if (!dynlib_load(vm, "ssl", sonames[functions_of_lib[i].lib], "libssl3", &functions_of_lib[i].name, 1, "",
                         (char *)&l->f + i * sizeof(void (*)(void))))
            return false;
    return module_state_set(vm, STATE_SSL_LIB, value_obj(l));
}

FN(m_set_errors) { return ssl_set_errors(vm, args[0]) ? V_NONE : V_ERROR; }
FN(m_rand_bytes)
{
    int64_t n;
    if (!int_as_i64(vm, args[0], &n)) return V_ERROR;
    if (n < 0) return raise_value_error(vm, "num must be positive");
    if (n > INT32_MAX) return raise_memory(vm);
    if (!n) return value_obj(vm->empty_bytes);
    bytes *b = bytes_alloc(vm, (size_t)n);
    if (!b) return V_ERROR;
    return ssl_lib(vm)->RAND_bytes(b->u.inl, (int)n) == 1 ? value_obj(b) : ssl_raise_last(vm);
}
FN(m_rand_status) { return value_bool(ssl_lib(vm)->RAND_status() == 1); }
FN(m_get_default_verify_paths)
{
    const struct ssl_lib *L = ssl_lib(vm);
    const char *const texts[] = {L->X509_get_default_cert_file_env(), L->X509_get_default_cert_file(),
                                 L->X509_get_default_cert_dir_env(), L->X509_get_default_cert_dir()};
    tuple *t = tuple_new(vm, 4);
    for (int i = 0; t && i < 4; i++) {
        str *s = str_from_cstr(vm, texts[i]);
        if (!s) return V_ERROR;
        t->items[i] = value_obj(s);
    }
    return t ? value_obj(t) : V_ERROR;
}
/* A certificate in PEM text as getpeercert() would show it. */
FN(m_decode_cert)
{
    const struct ssl_lib *L = ssl_lib(vm);
    size_t n;
    const char *s = IS_STR(args[0]) ? str_utf8(vm, AS(str, args[0]), &n) : NULL;
    if (!s) return raised(vm) ? V_ERROR : raise_type_error(vm, "a str is needed");
    BIO *b = L->BIO_new_mem_buf(s, n > INT32_MAX ? INT32_MAX : (int)n);
    X509 *cert = b ? L->PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    value v = cert ? ssl_cert_dict(vm, cert) : ssl_raise_last(vm);
    if (cert) L->X509_free(cert);
    if (b) L->BIO_free(b);
    return v;
}

static const struct {
    const char *name;
    int64_t number;
} numbers[] = {
    {"PROTOCOL_TLS", 2},
    {"PROTOCOL_TLS_CLIENT", 16},
    {"PROTOCOL_TLS_SERVER", 17},
    {"CERT_NONE", 0},
    {"CERT_OPTIONAL", 1},
    {"CERT_REQUIRED", 2},
    {"VERIFY_DEFAULT", 0},
    {"VERIFY_CRL_CHECK_LEAF", X509_V_FLAG_CRL_CHECK},
    {"VERIFY_CRL_CHECK_CHAIN", X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL},
    {"VERIFY_X509_STRICT", X509_V_FLAG_X509_STRICT},
    {"VERIFY_ALLOW_PROXY_CERTS", X509_V_FLAG_ALLOW_PROXY_CERTS},
    {"VERIFY_X509_TRUSTED_FIRST", X509_V_FLAG_TRUSTED_FIRST},
    {"VERIFY_X509_PARTIAL_CHAIN", X509_V_FLAG_PARTIAL_CHAIN},
    {"OP_ALL", (int64_t)SSL_OP_ALL},
    {"OP_NO_SSLv2", 0},
    {"OP_NO_SSLv3", (int64_t)SSL_OP_NO_SSLv3},
    {"OP_NO_TLSv1", (int64_t)SSL_OP_NO_TLSv1},
    {"OP_NO_TLSv1_1", (int64_t)SSL_OP_NO_TLSv1_1},
    {"OP_NO_TLSv1_2", (int64_t)SSL_OP_NO_TLSv1_2},
    {"OP_NO_TLSv1_3", (int64_t)SSL_OP_NO_TLSv1_3},
    {"OP_CIPHER_SERVER_PREFERENCE", (int64_t)SSL_OP_CIPHER_SERVER_PREFERENCE},
    {"OP_SINGLE_DH_USE", (int64_t)SSL_OP_SINGLE_DH_USE},
    {"OP_NO_TICKET", (int64_t)SSL_OP_NO_TICKET},
    {"OP_SINGLE_ECDH_USE", (int64_t)SSL_OP_SINGLE_ECDH_USE},
    {"OP_NO_COMPRESSION", (int64_t)SSL_OP_NO_COMPRESSION},
    {"OP_NO_RENEGOTIATION", (int64_t)SSL_OP_NO_RENEGOTIATION},
    {"OP_ENABLE_MIDDLEBOX_COMPAT", (int64_t)SSL_OP_ENABLE_MIDDLEBOX_COMPAT},
    {"OP_IGNORE_UNEXPECTED_EOF", (int64_t)SSL_OP_IGNORE_UNEXPECTED_EOF},
    {"SSL_ERROR_SSL", SSL_ERROR_SSL},
    {"SSL_ERROR_WANT_READ", SSL_ERROR_WANT_READ},
    {"SSL_ERROR_WANT_WRITE", SSL_ERROR_WANT_WRITE},
    {"SSL_ERROR_WANT_X509_LOOKUP", SSL_ERROR_WANT_X509_LOOKUP},
    {"SSL_ERROR_SYSCALL", SSL_ERROR_SYSCALL},
    {"SSL_ERROR_ZERO_RETURN", SSL_ERROR_ZERO_RETURN},
    {"SSL_ERROR_WANT_CONNECT", SSL_ERROR_WANT_CONNECT},
    {"SSL_ERROR_EOF", SSL_ERROR_EOF_CODE},
    {"SSL_ERROR_INVALID_ERROR_CODE", 10},
    {"ALERT_DESCRIPTION_CLOSE_NOTIFY", 0},
    {"ALERT_DESCRIPTION_UNEXPECTED_MESSAGE", 10},
    {"ALERT_DESCRIPTION_BAD_RECORD_MAC", 20},
    {"ALERT_DESCRIPTION_HANDSHAKE_FAILURE", 40},
    {"ALERT_DESCRIPTION_BAD_CERTIFICATE", 42},
    {"ALERT_DESCRIPTION_UNSUPPORTED_CERTIFICATE", 43},
    {"ALERT_DESCRIPTION_CERTIFICATE_REVOKED", 44},
    {"ALERT_DESCRIPTION_CERTIFICATE_EXPIRED", 45},
    {"ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN", 46},
    {"ALERT_DESCRIPTION_ILLEGAL_PARAMETER", 47},
    {"ALERT_DESCRIPTION_UNKNOWN_CA", 48},
    {"ALERT_DESCRIPTION_ACCESS_DENIED", 49},
    {"ALERT_DESCRIPTION_DECODE_ERROR", 50},
    {"ALERT_DESCRIPTION_DECRYPT_ERROR", 51},
    {"ALERT_DESCRIPTION_PROTOCOL_VERSION", 70},
    {"ALERT_DESCRIPTION_INSUFFICIENT_SECURITY", 71},
    {"ALERT_DESCRIPTION_INTERNAL_ERROR", 80},
    {"ALERT_DESCRIPTION_USER_CANCELLED", 90},
    {"ALERT_DESCRIPTION_NO_RENEGOTIATION", 100},
    {"ALERT_DESCRIPTION_UNRECOGNIZED_NAME", 112},
};

bool ssl_init(vm *vm, module *m)
{
    static const native_def functions[] = {
        {"_set_errors(classes, /)", m_set_errors, NULL, 0},
        {"RAND_bytes(n, /)", m_rand_bytes, DOC("Generate n cryptographically strong pseudo-random bytes."), 0},
        {"RAND_status()", m_rand_status, DOC("True if the generator has been seeded with enough data."), 0},
        {"get_default_verify_paths()", m_get_default_verify_paths,
         DOC("Where OpenSSL looks for certificates: (env, file, env, folder)."), 0},
        {"_decode_cert(pem, /)", m_decode_cert, NULL, 0},
        {0},
    };
    ROOTS(vm, &m);
    if (!load(vm)) return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!module_add(vm, m, numbers[i].name, value_int(numbers[i].number))) return false;
    const struct ssl_lib *L = ssl_lib(vm);
    unsigned long version = L->OpenSSL_version_num();
    str *text = str_from_cstr(vm, L->OpenSSL_version(0));
    tuple *info =
        text ? tuple_pack(vm, 5, value_int((int64_t)(version >> 28 & 0xff)), value_int((int64_t)(version >> 20 & 0xff)),
                          value_int((int64_t)(version >> 12 & 0xff)), value_int((int64_t)(version >> 4 & 0xff)),
                          value_int((int64_t)(version & 0xf)))
             : NULL;
    type *c = info ? ssl_context_type(vm) : NULL, *b = c ? ssl_bio_type(vm) : NULL;
    return b && module_add(vm, m, "_SSLContext", value_obj(c)) && module_add(vm, m, "MemoryBIO", value_obj(b)) &&
           module_add(vm, m, "OPENSSL_VERSION", value_obj(text)) &&
           module_add(vm, m, "OPENSSL_VERSION_INFO", value_obj(info)) &&
           module_add(vm, m, "OPENSSL_VERSION_NUMBER", value_int((int64_t)version)) &&
           module_add_natives(vm, m, functions);
}
