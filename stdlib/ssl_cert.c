/* Certificates as the dictionaries that SSLSocket.getpeercert() gives. */
#include "ssl_module.h"
#include "vm/str.h"

#define SK_NUM(L, S)      ((L)->OPENSSL_sk_num((const OPENSSL_STACK *)(const void *)(S)))
#define SK_VALUE(L, S, I) ((L)->OPENSSL_sk_value((const OPENSSL_STACK *)(const void *)(S), (I)))

value ssl_cert_der(vm *vm, X509 *cert)
{
    const struct ssl_lib *L = ssl_lib(vm);
    unsigned char *p = NULL;
    int n = L->i2d_X509(cert, &p);
    if (n < 0) return ssl_raise_last(vm);
    bytes *b = bytes_new(vm, p, (size_t)n);
    L->CRYPTO_free(p, __FILE__, __LINE__);
    return b ? value_obj(b) : V_ERROR;
}

/* What OpenSSL has printed into a memory BIO. */
static str *printed(vm *vm, BIO *b)
{
    char *p;
    long n = ssl_lib(vm)->BIO_ctrl(b, BIO_CTRL_INFO, 0, &p);
    return n >= 0 ? str_new_latin1(vm, (const uint8_t *)p, (size_t)n) : NULL;
}

static bool set_text(vm *vm, dict *d, const char *key, str *text)
{
    str *k = text ? str_intern_utf8(vm, key, strlen(key)) : NULL;
    return k && dict_set_str(vm, d, k, value_obj(text));
}

static str *asn1_text(vm *vm, const ASN1_STRING *s)
{
    const struct ssl_lib *L = ssl_lib(vm);
    unsigned char *p = NULL;
    int n = L->ASN1_STRING_to_UTF8(&p, s);
    if (n < 0) {
        ssl_raise_last(vm);
        return NULL;
    }
    str *t = str_new_utf8(vm, (const char *)p, (size_t)n);
    L->CRYPTO_free(p, __FILE__, __LINE__);
    return t;
}

/* A tuple of RDNs, each a tuple of (name, value) pairs. */
static value name_tuple(vm *vm, const X509_NAME *name)
{
    const struct ssl_lib *L = ssl_lib(vm);
    list *all = list_new(vm, 0), *rdn = list_new(vm, 0);
    int set = -1;
    if (!all || !rdn) return V_ERROR;
    int n = L->X509_NAME_entry_count(name);
    for (int i = 0; i <= n; i++) {
        X509_NAME_ENTRY *e = i < n ? L->X509_NAME_get_entry(name, i) : NULL;
        if (rdn->len && (!e || L->X509_NAME_ENTRY_set(e) != set)) {
            tuple *t = tuple_from(vm, rdn->items, rdn->len);
            if (!t || !list_append(vm, all, value_obj(t)) || !(rdn = list_new(vm, 0))) return V_ERROR;
        }
        if (!e) break;
        set = L->X509_NAME_ENTRY_set(e);
        char key[128];
        const ASN1_OBJECT *o = L->X509_NAME_ENTRY_get_object(e);
        L->OBJ_obj2txt(key, sizeof key, o, 0);
        str *k = str_from_cstr(vm, key), *v = k ? asn1_text(vm, L->X509_NAME_ENTRY_get_data(e)) : NULL;
        tuple *pair = v ? tuple_pack(vm, 2, value_obj(k), value_obj(v)) : NULL;
        if (!pair || !list_append(vm, rdn, value_obj(pair))) return V_ERROR;
    }
    tuple *t = tuple_from(vm, all->items, all->len);
    return t ? value_obj(t) : V_ERROR;
}

/* ("DNS", "example.org") and the like. */
static value general_name(vm *vm, GENERAL_NAME *g)
{
    const struct ssl_lib *L = ssl_lib(vm);
    const char *kind = NULL;
    value v = V_NONE; /* not known yet */
    switch (g->type) {
    case GEN_DIRNAME:
        kind = "DirName";
        v = name_tuple(vm, g->d.directoryName);
        break;
    case GEN_EMAIL: kind = "email"; break;
    case GEN_DNS: kind = "DNS"; break;
    case GEN_URI: kind = "URI"; break;
    default: break;
    }
    if (value_is_error(v)) return v;
    if (kind && value_is_none(v)) {
        str *s = str_new_latin1(vm, L->ASN1_STRING_get0_data(g->d.ia5), (size_t)L->ASN1_STRING_length(g->d.ia5));
        v = s ? value_obj(s) : V_ERROR;
    }
    str *k = kind ? str_from_cstr(vm, kind) : NULL;
    if (!kind) { /* "IP Address:127.0.0.1" as OpenSSL prints it */
        BIO *b = L->BIO_new(L->BIO_s_mem());
        if (!b) return raise_memory(vm);
        L->GENERAL_NAME_print(b, g);
        str *s = printed(vm, b);
        L->BIO_free(b);
        if (!s) return V_ERROR;
        size_t colon = 0;
        while (colon < s->len && str_at(s, colon) != ':') colon++;
        k = str_substr(vm, s, 0, colon);
        str *rest = k ? str_substr(vm, s, colon < s->len ? colon + 1 : colon, s->len) : NULL;
        v = rest ? value_obj(rest) : V_ERROR;
    }
    tuple *t = k && !value_is_error(v) ? tuple_pack(vm, 2, value_obj(k), v) : NULL;
    return t ? value_obj(t) : V_ERROR;
}

static bool put_list(vm *vm, dict *d, const char *key, list *l)
{
    if (!l) return false;
    if (!l->len) return true;
    tuple *t = tuple_from(vm, l->items, l->len);
    str *k = t ? str_intern_utf8(vm, key, strlen(key)) : NULL;
    return k && dict_set_str(vm, d, k, value_obj(t));
}

static bool put_alternative_names(vm *vm, dict *d, X509 *cert)
{
    const struct ssl_lib *L = ssl_lib(vm);
    GENERAL_NAMES *names = L->X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    if (!names) return true;
    list *l = list_new(vm, 0);
    bool ok = l;
    for (int i = 0; ok && i < SK_NUM(L, names); i++) {
        value v = general_name(vm, SK_VALUE(L, names, i));
        ok = !value_is_error(v) && list_append(vm, l, v);
    }
    L->GENERAL_NAMES_free(names);
    return ok && put_list(vm, d, "subjectAltName", l);
}

static bool append_uri(vm *vm, list *l, const GENERAL_NAME *g)
{
    if (g->type != GEN_URI) return true;
    const struct ssl_lib *L = ssl_lib(vm);
    const ASN1_IA5STRING *uri = g->d.uniformResourceIdentifier;
    str *s = str_new_latin1(vm, L->ASN1_STRING_get0_data(uri), (size_t)L->ASN1_STRING_length(uri));
    return s && list_append(vm, l, value_obj(s));
}

static bool put_access(vm *vm, dict *d, X509 *cert)
{
    const struct ssl_lib *L = ssl_lib(vm);
    AUTHORITY_INFO_ACCESS *info = L->X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
    if (!info) return true;
    list *ocsp = list_new(vm, 0), *issuers = list_new(vm, 0);
    bool ok = ocsp && issuers;
    for (int i = 0; ok && i < SK_NUM(L, info); i++) {
        ACCESS_DESCRIPTION *a = SK_VALUE(L, info, i);
        int nid = L->OBJ_obj2nid(a->method);
        if (nid == NID_ad_OCSP) ok = append_uri(vm, ocsp, a->location);
        else if (nid == NID_ad_ca_issuers) ok = append_uri(vm, issuers, a->location);
    }
    L->AUTHORITY_INFO_ACCESS_free(info);
    return ok && put_list(vm, d, "OCSP", ocsp) && put_list(vm, d, "caIssuers", issuers);
}

static bool put_crl_points(vm *vm, dict *d, X509 *cert)
{
    const struct ssl_lib *L = ssl_lib(vm);
    CRL_DIST_POINTS *points = L->X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
    if (!points) return true;
    list *l = list_new(vm, 0);
    bool ok = l;
    for (int i = 0; ok && i < SK_NUM(L, points); i++) {
        DIST_POINT *p = SK_VALUE(L, points, i);
        if (!p->distpoint || p->distpoint->type != 0) continue;
        for (int k = 0; ok && k < SK_NUM(L, p->distpoint->name.fullname); k++)
            ok = append_uri(vm, l, SK_VALUE(L, p->distpoint->name.fullname, k));
    }
    L->CRL_DIST_POINTS_free(points);
    return ok && put_list(vm, d, "crlDistributionPoints", l);
}

static bool put_name(vm *vm, dict *d, const char *key, const X509_NAME *name)
{
    value v = name_tuple(vm, name);
    str *k = value_is_error(v) ? NULL : str_intern_utf8(vm, key, strlen(key));
    return k && dict_set_str(vm, d, k, v);
}

/* One line that OpenSSL prints into `b`, which is emptied. */
static bool put_printed(vm *vm, dict *d, const char *key, BIO *b)
{
    bool ok = set_text(vm, d, key, printed(vm, b));
    ssl_lib(vm)->BIO_ctrl(b, BIO_CTRL_RESET, 0, NULL);
    return ok;
}

value ssl_cert_dict(vm *vm, X509 *cert)
{
    const struct ssl_lib *L = ssl_lib(vm);
    dict *d = dict_new(vm);
    BIO *b = d ? L->BIO_new(L->BIO_s_mem()) : NULL;
    if (!b) return d ? raise_memory(vm) : V_ERROR;
    bool ok = put_name(vm, d, "subject", L->X509_get_subject_name(cert)) &&
              put_name(vm, d, "issuer", L->X509_get_issuer_name(cert)) &&
              dict_set_str(vm, d, str_intern_utf8(vm, "version", 7), value_int(L->X509_get_version(cert) + 1));
    if (ok) {
        L->i2a_ASN1_INTEGER(b, L->X509_get_serialNumber(cert));
        ok = put_printed(vm, d, "serialNumber", b);
    }
    if (ok) {
        L->ASN1_TIME_print(b, L->X509_get0_notBefore(cert));
        ok = put_printed(vm, d, "notBefore", b);
    }
    if (ok) {
        L->ASN1_TIME_print(b, L->X509_get0_notAfter(cert));
        ok = put_printed(vm, d, "notAfter", b);
    }
    L->BIO_free(b);
    ok = ok && put_alternative_names(vm, d, cert) && put_access(vm, d, cert) && put_crl_points(vm, d, cert);
    L->ERR_clear_error();
    return ok ? value_obj(d) : V_ERROR;
}
