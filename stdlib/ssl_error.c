/* Exceptions of the module ssl, from OpenSSL's queue of errors. */
#include "ssl_module.h"

bool ssl_set_errors(vm *vm, value classes)
{
    if (IS_TUPLE(classes) && AS(tuple, classes)->len == SSL_E_COUNT)
        return module_state_set(vm, STATE_SSL_ERRORS, classes);
    raise_type_error(vm, "%d exception classes are needed", SSL_E_COUNT);
    return false;
}

/* What the verification of the peer's certificate found. NULL raised. */
static str *verify_text(vm *vm, SSL *ssl, long code)
{
    const ssl_conn *c = ssl ? ssl_lib(vm)->SSL_get_ex_data(ssl, 0) : NULL;
    if (c && IS_STR(c->hostname) && code == X509_V_ERR_HOSTNAME_MISMATCH)
        return str_format(vm, "Hostname mismatch, certificate is not valid for '%U'.", c->hostname);
    if (c && IS_STR(c->hostname) && code == X509_V_ERR_IP_ADDRESS_MISMATCH)
        return str_format(vm, "IP address mismatch, certificate is not valid for '%U'.", c->hostname);
    return str_from_cstr(vm, ssl_lib(vm)->X509_verify_cert_error_string(code));
}

/* An instance of the class with library, reason and perhaps what the verification found. */
static value make_error(vm *vm, enum ssl_error_class cls, int code, str *text, const char *library, const char *reason,
                        long verify, SSL *ssl)
{
    value classes = module_state_get(vm, STATE_SSL_ERRORS), tv = value_obj(text);
    ROOTS(vm, &classes, &tv);
    if (!IS_TUPLE(classes)) return raise(vm, EXC_ImportError, "_ssl is to be used through ssl");
    value exc = vm_call2(vm, AS(tuple, classes)->items[cls], value_int(code), tv);
    if (value_is_error(exc)) return exc;
    ROOTS(vm, &exc);
    const struct {
        const char *name, *text;
    } attributes[] = {{"library", library}, {"reason", reason}};
    for (int i = 0; i < 2; i++) {
        str *v = attributes[i].text ? str_from_cstr(vm, attributes[i].text) : NULL;
        str *name = raised(vm) ? NULL : str_intern_utf8(vm, attributes[i].name, strlen(attributes[i].name));
        if (!name || !obj_setattr(vm, exc, name, v ? value_obj(v) : V_NONE)) return V_ERROR;
    }
    if (verify) {
        str *message = verify_text(vm, ssl, verify);
        if (!message || !obj_setattr(vm, exc, str_intern_utf8(vm, "verify_message", 14), value_obj(message)) ||
            !obj_setattr(vm, exc, str_intern_utf8(vm, "verify_code", 11), value_int(verify)))
            return V_ERROR;
    }
    return raise_exception(vm, exc);
}

value ssl_raise(vm *vm, enum ssl_error_class cls, int code, const char *text)
{
    ssl_lib(vm)->ERR_clear_error();
    str *s = str_from_cstr(vm, text);
    return s ? make_error(vm, cls, code, s, NULL, NULL, 0, NULL) : V_ERROR;
}

/* OpenSSL's words for a reason, as the name of CPython's: "certificate verify failed" -> CERTIFICATE_VERIFY_FAILED. */
static void reason_name(const char *reason, char *out, size_t size)
{
    size_t n = 0;
    for (; reason && reason[n] && n + 1 < size; n++) {
        char c = reason[n];
        out[n] = c >= 'a' && c <= 'z'                               ? (char)(c - 'a' + 'A')
                 : (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c
                                                                    : '_';
    }
    out[n] = 0;
}

static value raise_queued(vm *vm, enum ssl_error_class cls, int code, unsigned long e, SSL *ssl)
{
    const struct ssl_lib *L = ssl_lib(vm);
    L->ERR_clear_error();
    const char *text = L->ERR_reason_error_string(e), *lib = L->ERR_lib_error_string(e);
    char reason[128], library[64];
    reason_name(text, reason, sizeof reason);
    reason_name(ERR_GET_LIB(e) == ERR_LIB_SSL    ? "SSL"
                : ERR_GET_LIB(e) == ERR_LIB_PEM  ? "PEM"
                : ERR_GET_LIB(e) == ERR_LIB_X509 ? "X509"
                                                 : lib,
                library, sizeof library);
    long verify = 0;
    if (ssl && ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        cls = SSL_E_CERT_VERIFICATION;
        verify = L->SSL_get_verify_result(ssl);
    }
    if (ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING) cls = SSL_E_EOF;
    str *s;
    if (!text) s = str_from_cstr(vm, "unknown error");
    else if (verify) {
        str *found = verify_text(vm, ssl, verify);
        s = found ? str_format(vm, "[%s: %s] %s: %U", library, reason, text, value_obj(found)) : NULL;
    } else s = str_format(vm, "[%s: %s] %s", library, reason, text);
    return s ? make_error(vm, cls, code, s, library, reason, verify, ssl) : V_ERROR;
}

value ssl_raise_last(vm *vm)
{
    unsigned long e = ssl_lib(vm)->ERR_peek_last_error();
    if (e && ERR_SYSTEM_ERROR(e)) {
        ssl_lib(vm)->ERR_clear_error();
        return raise_os_error(vm, ERR_GET_REASON(e), V_UNBOUND);
    }
    return raise_queued(vm, SSL_E_ERROR, e ? ERR_GET_REASON(e) : 0, e, NULL);
}

value ssl_raise_io(vm *vm, SSL *ssl, int ret, const char *what)
{
    const struct ssl_lib *L = ssl_lib(vm);
    int code = L->SSL_get_error(ssl, ret);
    switch (code) {
    case SSL_ERROR_ZERO_RETURN:
        return ssl_raise(vm, SSL_E_ZERO_RETURN, code, "TLS/SSL connection has been closed (EOF)");
    case SSL_ERROR_WANT_READ: return ssl_raise(vm, SSL_E_WANT_READ, code, "The operation did not complete (read)");
    case SSL_ERROR_WANT_WRITE: return ssl_raise(vm, SSL_E_WANT_WRITE, code, "The operation did not complete (write)");
    case SSL_ERROR_SYSCALL:
        if (!L->ERR_peek_last_error())
            return ssl_raise(vm, SSL_E_EOF, SSL_ERROR_EOF_CODE, "EOF occurred in violation of protocol");
        return raise_queued(vm, SSL_E_SYSCALL, code, L->ERR_peek_last_error(), ssl);
    default:
        if (!L->ERR_peek_last_error()) return ssl_raise(vm, SSL_E_ERROR, code, what);
        unsigned long e = L->ERR_peek_last_error();
        return raise_queued(vm, SSL_E_ERROR,
                            ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING
                                ? SSL_ERROR_EOF_CODE
                                : code,
                            e, ssl);
    }
}
