/* _ssl.MemoryBIO and _ssl._SSLConnection: one TLS connection between two memory buffers. */
#include "ssl_module.h"

#include <arpa/inet.h>

#include "vm/buffer.h"
#include "vm/bytes.h"
#include "vm/weakref.h"

#define DOC_FILE stdlib_ssl_conn
DOC_BEGIN;

#define LIB     const struct ssl_lib *L = ssl_lib(vm)
#define CONN(v) AS(ssl_conn, v)

/* ---- MemoryBIO ---- */

static value bio_new(vm *vm, type *t, value *args, uint32_t n, value kw)
{
    LIB;
    if (!args_none(vm, "MemoryBIO", n, kw)) return V_ERROR;
    (void)args;
    ssl_bio *b = userdata_new(vm, t);
    if (!b) return V_ERROR;
    if (!mem_charge(vm, SSL_BIO_SIZE)) return V_ERROR;
    b->charged = SSL_BIO_SIZE;
    b->bio = L->BIO_new(L->BIO_s_mem());
    if (!b->bio) return raise_memory(vm);
    L->BIO_set_flags(b->bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY); /* empty is not the end */
    L->BIO_ctrl(b->bio, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, NULL);
    return value_obj(b);
}
/* Room for n bytes in all. */
static bool bio_charge(vm *vm, ssl_bio *b, size_t n)
{
    size_t need = SSL_BIO_SIZE + n / 3 * 4; /* as it grows */
    if (need <= b->charged) return true;
    if (!mem_charge(vm, need - b->charged)) return false;
    b->charged = need;
    return true;
}
FN(b_read)
{
    LIB;
    ssl_bio *b = AS(ssl_bio, args[0]);
    int64_t n = -1;
    if (!value_is_unbound(args[1]) && !int_as_i64(vm, args[1], &n)) return V_ERROR;
    size_t have = L->BIO_ctrl_pending(b->bio);
    if (n < 0 || (uint64_t)n > have) n = (int64_t)have;
    if (n > INT32_MAX) n = INT32_MAX;
    if (!n) return value_obj(vm->empty_bytes);
    bytes *out = bytes_alloc(vm, (size_t)n);
    if (!out) return V_ERROR;
    if (L->BIO_read(b->bio, out->u.inl, (int)n) != (int)n) return ssl_raise_last(vm);
    return value_obj(out);
}
FN(b_write)
{
    LIB;
    ssl_bio *b = AS(ssl_bio, args[0]);
    const uint8_t *p;
    size_t n;
    if (!buffer_need(vm, args[1], &p, &n)) return V_ERROR;
    if (n > INT32_MAX) return raise_overflow(vm, "string longer than %d bytes", INT32_MAX);
    if (b->eof) return ssl_raise(vm, SSL_E_ERROR, 0, "cannot write() after write_eof()");
    if (!bio_charge(vm, b, L->BIO_ctrl_pending(b->bio) + n)) return V_ERROR;
    int did = n ? L->BIO_write(b->bio, p, (int)n) : 0;
    return did < 0 ? ssl_raise_last(vm) : value_int(did);
}
FN(b_write_eof)
{
    LIB;
    ssl_bio *b = AS(ssl_bio, args[0]);
    b->eof = true;
    L->BIO_clear_flags(b->bio, BIO_FLAGS_SHOULD_RETRY);
    L->BIO_ctrl(b->bio, BIO_C_SET_BUF_MEM_EOF_RETURN, 0, NULL);
    return V_NONE;
}
static value bio_pending(vm *vm, value self)
{
    return value_int((int64_t)ssl_lib(vm)->BIO_ctrl_pending(AS(ssl_bio, self)->bio));
}
static value bio_eof(vm *vm, value self)
{
    ssl_bio *b = AS(ssl_bio, self);
    return value_bool(b->eof && !ssl_lib(vm)->BIO_ctrl_pending(b->bio));
}
static void bio_free(vm *vm, object *o)
{
    ssl_bio *b = (ssl_bio *)(void *)o;
    if (b->bio) ssl_lib(vm)->BIO_free(b->bio);
    b->bio = NULL;
    mem_uncharge(vm, b->charged);
    b->charged = 0;
}
static void bio_fill(struct type_slots *s) { s->new_ = bio_new; }
type *ssl_bio_type(vm *vm)
{
    static const native_def methods[] = {
        {"read(self, size=-1, /)", b_read, DOC("Read up to size bytes from the memory BIO."), 0},
        {"write(self, b, /)", b_write, DOC("Writes the bytes b into the memory BIO; returns how many."), 0},
        {"write_eof(self)", b_write_eof, DOC("Write an EOF marker to the memory BIO."), 0},
        {0},
    };
    static const getset_def getsets[] = {
        {"pending", bio_pending, NULL, DOC("The number of bytes pending in the memory BIO.")},
        {"eof", bio_eof, NULL, DOC("Whether the memory BIO is at EOF.")},
        {0},
    };
    static const type_layout layout = {.size = sizeof(ssl_bio) - sizeof(userdata), .free = bio_free};
    static const type_spec spec = {
        "_ssl.MemoryBIO", "A buffer between TLS and the wire.", &layout, methods, getsets, 0, TF_IMMUTABLE, bio_fill};
    return module_state_make(vm, STATE_SSL_BIO, &spec);
}

/* ---- making a connection ---- */

static bool is_address(const char *s)
{
    unsigned char a[16];
    return inet_pton(AF_INET, s, a) == 1 || inet_pton(AF_INET6, s, a) == 1;
}

/* The name for SNI (no address, says RFC 6066), and for the check of the certificate. */
static bool set_hostname(vm *vm, ssl_conn *c, ssl_context *ctx, const char *name)
{
    LIB;
    bool address = is_address(name);
    if (!address &&
        !L->SSL_ctrl(c->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)name)) {
        ssl_raise_last(vm);
        return false;
    }
    if (!ctx->check_hostname) return true;
    X509_VERIFY_PARAM *p = L->SSL_get0_param(c->ssl);
    int ok =
        address ? L->X509_VERIFY_PARAM_set1_ip_asc(p, name) : L->X509_VERIFY_PARAM_set1_host(p, name, strlen(name));
    if (!ok) ssl_raise_last(vm);
    return ok;
}

value ssl_wrap_bio(vm *vm, ssl_context *ctx, value *a)
{
    LIB;
    type *bio = ssl_bio_type(vm), *t = bio ? ssl_conn_type(vm) : NULL;
    if (!t) return V_ERROR;
    for (int i = 0; i < 2; i++)
        if (!value_isa(vm, a[i], bio))
            return raise_type_error(vm, "_wrap_bio() argument %d must be _ssl.MemoryBIO, not %T", i + 1, a[i]);
    int server = obj_truth(vm, a[2]);
    if (server < 0) return V_ERROR;
    if (server && ctx->protocol == 16)
        return ssl_raise(vm, SSL_E_ERROR, 0, "Cannot create a server socket with a PROTOCOL_TLS_CLIENT context");
    if (!server && ctx->protocol == 17)
        return ssl_raise(vm, SSL_E_ERROR, 0, "Cannot create a client socket with a PROTOCOL_TLS_SERVER context");
    const char *name = NULL;
    size_t n = 0;
    if (!value_is_unbound(a[3]) && !value_is_none(a[3])) {
        if (!IS_STR(a[3])) return raise_type_error(vm, "server_hostname must be str or None, not %T", a[3]);
        if (!(name = str_utf8(vm, AS(str, a[3]), &n))) return V_ERROR;
        if (!n || name[0] == '.')
            return raise_value_error(vm, "server_hostname cannot be an empty string or start with a leading dot.");
        if (strlen(name) != n) return raise_value_error(vm, "embedded null character");
    }
    ssl_conn *c = userdata_new(vm, t);
    if (!c) return V_ERROR;
    c->context = value_obj(ctx);
    c->incoming = a[0];
    c->outgoing = a[1];
    c->hostname = name ? a[3] : V_NONE;
    c->server = server;
    c->owner = V_NONE;
    c->sni_error = V_UNBOUND;
    ROOTS(vm, &c);
    if (!value_is_unbound(a[4]) && !value_is_none(a[4])) {
        value w = weakref_new(vm, a[4], V_NONE);
        if (value_is_error(w)) return w;
        c->owner = w;
    }
    L->ERR_clear_error();
    if (!mem_charge(vm, SSL_CONN_SIZE)) return V_ERROR;
    c->ssl = L->SSL_new(ctx->ctx);
    if (!c->ssl) {
        mem_uncharge(vm, SSL_CONN_SIZE);
        return ssl_raise_last(vm);
    }
    L->SSL_set_ex_data(c->ssl, 0, c);
    BIO *in = AS(ssl_bio, a[0])->bio, *out = AS(ssl_bio, a[1])->bio;
    L->BIO_up_ref(in);
    L->BIO_up_ref(out);
    L->SSL_set_bio(c->ssl, in, out);
    if (name && !server && !set_hostname(vm, c, ctx, name)) return V_ERROR;
    if (server) L->SSL_set_accept_state(c->ssl);
    else L->SSL_set_connect_state(c->ssl);
    return value_obj(c);
}

/* A client has named the server: the script may choose another context, or refuse. */
int ssl_sni_callback(SSL *ssl, int *alert, void *ud)
{
    ssl_context *ctx = ud;
    vm *vm = ctx->vm;
    LIB;
    ssl_conn *c = L->SSL_get_ex_data(ssl, 0);
    if (value_is_none(ctx->sni_callback)) return SSL_TLSEXT_ERR_OK;
    value owner = value_is_none(c->owner) ? V_NONE : weakref_get(c->owner);
    const char *name = L->SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    str *s = name ? str_new_latin1(vm, (const uint8_t *)name, strlen(name)) : NULL;
    value args[3] = {owner, s ? value_obj(s) : V_NONE, c->context};
    ROOT_SPAN(vm, args, 3);
    ROOTS(vm, &c);
    value r = raised(vm) ? V_ERROR : vm_call(vm, ctx->sni_callback, args, 3);
    int64_t code;
    if (value_is_none(r)) return SSL_TLSEXT_ERR_OK;
    if (!value_is_error(r) && int_as_i64(vm, r, &code)) {
        *alert = (int)code;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    exc_report_unraisable(vm, ctx->sni_callback);
    *alert = value_is_error(r) ? SSL_AD_HANDSHAKE_FAILURE : SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- the connection's life ---- */

FN(s_do_handshake)
{
    LIB;
    ssl_conn *c = CONN(args[0]);
    L->ERR_clear_error();
    int r = L->SSL_do_handshake(c->ssl);
    return r == 1 ? V_NONE : ssl_raise_io(vm, c->ssl, r, "handshake failed");
}

/* A buffer stays where it is: a callback of the handshake may run script in the middle of a read or write. */
static void hold(vm *vm, value v, int delta)
{
    const buffer_ops *ops = buffer_ops_of(vm, v);
    if (ops && ops->pin) ops->pin(value_as_obj(v), delta);
}

/* read(n, buffer=None): bytes, or how many went into the buffer. */
FN(s_read)
{
    LIB;
    ssl_conn *c = CONN(args[0]);
    int64_t n;
    if (!int_as_i64(vm, args[1], &n)) return V_ERROR;
    bool into = !value_is_unbound(args[2]) && !value_is_none(args[2]);
    buffer_info b = {0};
    uint8_t record[16384]; /* no call gives more than one */
    if (into) {
        if (!buffer_info_of(vm, args[2], &b) || b.readonly)
            return raised(vm) ? V_ERROR
                              : raise_type_error(vm, "read() argument 2 must be read-write bytes-like object, not %T",
                                                 args[2]);
        if (n <= 0 || (uint64_t)n > b.n) n = (int64_t)b.n;
    } else if (n < 0) {
        return raise_value_error(vm, "size should not be negative");
    }
    if (n > INT32_MAX) n = INT32_MAX;
    if (!into && n > (int64_t)sizeof record) n = (int64_t)sizeof record;
    if (!n) return into ? value_int(0) : value_obj(vm->empty_bytes);
    L->ERR_clear_error();
    if (into) hold(vm, args[2], 1);
    int r = L->SSL_read(c->ssl, into ? b.data : record, (int)n);
    if (into) hold(vm, args[2], -1);
    if (r <= 0) {
        if (L->SSL_get_error(c->ssl, r) == SSL_ERROR_ZERO_RETURN &&
            L->SSL_get_shutdown(c->ssl) == SSL_RECEIVED_SHUTDOWN)
            return into ? value_int(0) : value_obj(vm->empty_bytes);
        return ssl_raise_io(vm, c->ssl, r, "read failed");
    }
    if (into) return value_int(r);
    bytes *out = bytes_new(vm, record, (size_t)r);
    return out ? value_obj(out) : V_ERROR;
}
FN(s_write)
{
    LIB;
    ssl_conn *c = CONN(args[0]);
    const uint8_t *p;
    size_t n;
    if (!buffer_need(vm, args[1], &p, &n)) return V_ERROR;
    if (n > INT32_MAX) n = INT32_MAX;
    if (!n) return value_int(0);
    /* what is encrypted waits there: the data, and something for each record */
    ssl_bio *out = AS(ssl_bio, c->outgoing);
    if (!bio_charge(vm, out, L->BIO_ctrl_pending(out->bio) + n + n / 64 + 4096)) return V_ERROR;
    L->ERR_clear_error();
    hold(vm, args[1], 1);
    int r = L->SSL_write(c->ssl, p, (int)n);
    hold(vm, args[1], -1);
    return r > 0 ? value_int(r) : ssl_raise_io(vm, c->ssl, r, "write failed");
}
/* Sends close_notify; done when the peer's has come. */
FN(s_shutdown)
{
    LIB;
    ssl_conn *c = CONN(args[0]);
    L->ERR_clear_error();
    int r = 0;
    for (int tries = 0; tries < 2 && r == 0; tries++) r = L->SSL_shutdown(c->ssl);
    return r == 1 ? V_NONE : ssl_raise_io(vm, c->ssl, r, "shutdown failed");
}
FN(s_pending) { return value_int(ssl_lib(vm)->SSL_pending(CONN(args[0])->ssl)); }

/* ---- what is known of it ---- */

FN(s_getpeercert)
{
    LIB;
    ssl_conn *c = CONN(args[0]);
    int binary = value_is_unbound(args[1]) ? 0 : obj_truth(vm, args[1]);
    if (binary < 0) return V_ERROR;
    if (!L->SSL_is_init_finished(c->ssl)) return raise_value_error(vm, "handshake not done yet");
    X509 *cert = L->SSL_get1_peer_certificate(c->ssl);
    if (!cert) return V_NONE;
    value v;
    if (binary) {
        v = ssl_cert_der(vm, cert);
    } else if (L->SSL_get_verify_mode(c->ssl) & SSL_VERIFY_PEER) {
        v = ssl_cert_dict(vm, cert);
    } else {
        dict *d = dict_new(vm);
        v = d ? value_obj(d) : V_ERROR;
    }
    L->X509_free(cert);
    return v;
}
FN(s_cipher)
{
    LIB;
    const SSL_CIPHER *cipher = L->SSL_get_current_cipher(CONN(args[0])->ssl);
    if (!cipher) return V_NONE;
    str *name = str_from_cstr(vm, L->SSL_CIPHER_get_name(cipher));
    str *version = name ? str_from_cstr(vm, L->SSL_CIPHER_get_version(cipher)) : NULL;
    tuple *t = version ? tuple_pack(vm, 3, value_obj(name), value_obj(version),
                                    value_int(L->SSL_CIPHER_get_bits(cipher, NULL)))
                       : NULL;
    return t ? value_obj(t) : V_ERROR;
}
FN(s_version)
{
    LIB;
    ssl_conn *c = CONN(args[0]);
    if (!L->SSL_is_init_finished(c->ssl)) return V_NONE;
    str *s = str_from_cstr(vm, L->SSL_get_version(c->ssl));
    return s ? value_obj(s) : V_ERROR;
}
FN(s_selected_alpn_protocol)
{
    LIB;
    const unsigned char *p;
    unsigned n;
    L->SSL_get0_alpn_selected(CONN(args[0])->ssl, &p, &n);
    if (!p) return V_NONE;
    str *s = str_new_latin1(vm, p, n);
    return s ? value_obj(s) : V_ERROR;
}
FN(s_get_channel_binding)
{
    LIB;
    ssl_conn *c = CONN(args[0]);
    if (!value_is_unbound(args[1]) && !(IS_STR(args[1]) && str_equal_ascii(AS(str, args[1]), "tls-unique")))
        return raise_value_error(vm, "'%S' channel binding type not implemented", args[1]);
    char buffer[128];
    /* Of the side whose Finished came first: the client's, unless the session was resumed. */
    bool first = (L->SSL_session_reused(c->ssl) != 0) != c->server;
    size_t n = first != (L->SSL_session_reused(c->ssl) != 0) ? L->SSL_get_peer_finished(c->ssl, buffer, sizeof buffer)
                                                             : L->SSL_get_finished(c->ssl, buffer, sizeof buffer);
    if (!n) return V_NONE;
    bytes *b = bytes_new(vm, buffer, n);
    return b ? value_obj(b) : V_ERROR;
}
static value get_session_reused(vm *vm, value self)
{
    return value_bool(ssl_lib(vm)->SSL_session_reused(CONN(self)->ssl) != 0);
}
static value get_server_side(vm *vm, value self)
{
    (void)vm;
    return value_bool(CONN(self)->server);
}
static value get_hostname(vm *vm, value self)
{
    (void)vm;
    return CONN(self)->hostname;
}
static value get_context(vm *vm, value self)
{
    (void)vm;
    return CONN(self)->context;
}
static bool put_context(vm *vm, value self, value v)
{
    ssl_conn *c = CONN(self);
    type *t = ssl_context_type(vm);
    if (!t) return false;
    if (!value_isa(vm, v, t)) {
        raise_type_error(vm, "The value must be a SSLContext");
        return false;
    }
    c->context = v;
    gc_barrier(vm, c);
    ssl_lib(vm)->SSL_set_SSL_CTX(c->ssl, AS(ssl_context, v)->ctx);
    return true;
}
static value get_owner(vm *vm, value self)
{
    (void)vm;
    ssl_conn *c = CONN(self);
    return value_is_none(c->owner) ? V_NONE : weakref_get(c->owner);
}
static bool put_owner(vm *vm, value self, value v)
{
    value w = value_is_unbound(v) || value_is_none(v) ? V_NONE : weakref_new(vm, v, V_NONE);
    if (value_is_error(w)) return false;
    CONN(self)->owner = w;
    gc_barrier(vm, value_as_obj(self));
    return true;
}

/* ---- the type ---- */

static void conn_traverse(vm *vm, object *o)
{
    ssl_conn *c = (ssl_conn *)(void *)o;
    gc_mark_value(vm, c->context);
    gc_mark_value(vm, c->owner);
    gc_mark_value(vm, c->hostname);
    gc_mark_value(vm, c->incoming);
    gc_mark_value(vm, c->outgoing);
}
static void conn_free(vm *vm, object *o)
{
    ssl_conn *c = (ssl_conn *)(void *)o;
    if (!c->ssl) return;
    ssl_lib(vm)->SSL_free(c->ssl);
    mem_uncharge(vm, SSL_CONN_SIZE);
    c->ssl = NULL;
}
type *ssl_conn_type(vm *vm)
{
    static const native_def methods[] = {
        {"do_handshake(self)", s_do_handshake, DOC("Perform the TLS handshake."), 0},
        {"read(self, size, buffer=None, /)", s_read, DOC("Up to size bytes, or how many went into the buffer."), 0},
        {"write(self, b, /)", s_write, DOC("Writes the bytes-like object b; returns how many bytes were taken."), 0},
        {"shutdown(self)", s_shutdown, DOC("Does the TLS shutdown handshake."), 0},
        {"pending(self)", s_pending, DOC("The number of decrypted bytes that can be read."), 0},
        {"getpeercert(self, der=False, /)", s_getpeercert, DOC("The peer's certificate, as a dict or as DER bytes."),
         0},
        {"cipher(self)", s_cipher, DOC("(name, protocol version, secret bits), or None."), 0},
        {"version(self)", s_version, DOC("The negotiated version, or None."), 0},
        {"selected_alpn_protocol(self)", s_selected_alpn_protocol, DOC("The protocol chosen by ALPN, or None."), 0},
        {"get_channel_binding(self, cb_type=\"tls-unique\")", s_get_channel_binding,
         DOC("Data that binds to this very connection."), 0},
        {0},
    };
    static const getset_def getsets[] = {
        {"session_reused", get_session_reused, NULL, DOC("Was the session resumed?")},
        {"server_side", get_server_side, NULL, DOC("Is this the server?")},
        {"server_hostname", get_hostname, NULL, DOC("The name that the certificate must be for.")},
        {"context", get_context, put_context, DOC("The SSLContext.")},
        {"owner", get_owner, put_owner, DOC("The SSLObject or SSLSocket.")},
        {0},
    };
    static const type_layout layout = {
        .size = sizeof(ssl_conn) - sizeof(userdata), .traverse = conn_traverse, .free = conn_free};
    static const type_spec spec = {
        "_ssl._SSLConnection", "A TLS connection.", &layout, methods, getsets, 0, TF_IMMUTABLE, NULL};
    return module_state_make(vm, STATE_SSL_CONN, &spec);
}
