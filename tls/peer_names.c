/* peer_names: reading them from the certificate. */
#include "tls/peer_names.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct names {
    char *text;
    size_t size, capacity;
    unsigned count;
    bool no_memory;
};

static void add(struct names *to, const char *kind, const ASN1_STRING *name)
{
    size_t kind_size = strlen(kind), size = (size_t)ASN1_STRING_length(name);
    const unsigned char *bytes = ASN1_STRING_get0_data(name);
    if (to->count == PEER_NAMES_MAX || size == 0 || kind_size + size > PEER_NAME_BYTES_MAX)
        return;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] < ' ' || bytes[i] == 0x7f)
            return;
    }
    size_t needed = to->size + kind_size + size + 2;
    if (needed > to->capacity) {
        char *more = realloc(to->text, needed + PEER_NAME_BYTES_MAX);
        to->no_memory |= !more;
        if (!more)
            return;
        to->text = more;
        to->capacity = needed + PEER_NAME_BYTES_MAX;
    }
    memcpy(to->text + to->size, kind, kind_size);
    memcpy(to->text + to->size + kind_size, bytes, size);
    to->size = needed - 1;
    to->text[to->size - 1] = to->text[to->size] = '\0';
    to->count++;
}

static void add_alternatives(struct names *to, const X509 *cert)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        if (name->type == GEN_DNS)
            add(to, "dns:", name->d.dNSName);
        else if (name->type == GEN_EMAIL)
            add(to, "email:", name->d.rfc822Name);
        else if (name->type == GEN_URI)
            add(to, "uri:", name->d.uniformResourceIdentifier);
    }
    GENERAL_NAMES_free(all);
}

static void add_common_names(struct names *to, const X509 *cert)
{
    X509_NAME *subject = X509_get_subject_name(cert);
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
        unsigned char *utf8 = NULL;
        int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        ASN1_STRING *name = size > 0 ? ASN1_STRING_new() : NULL;
        if (name && ASN1_STRING_set(name, utf8, size))
            add(to, "cn:", name);
        else
            to->no_memory |= size > 0;
        ASN1_STRING_free(name);
        OPENSSL_free(utf8);
    }
}

char *tls_certificate_names(X509 *cert, bool *ret_no_memory)
{
    struct names names = {0};
    add_alternatives(&names, cert);
    add_common_names(&names, cert);
    *ret_no_memory = names.no_memory;
    if (!names.no_memory)
        return names.text;
    free(names.text);
    return NULL;
}

char *tls_names_copy(const char *names, bool *ret_no_memory)
{
    size_t bytes = 0;
    *ret_no_memory = false;
    if (!names)
        return NULL;
    while (names[bytes])
        bytes += strlen(names + bytes) + 1;
    char *copy = malloc(bytes + 1);
    if (copy)
        memcpy(copy, names, bytes + 1);
    *ret_no_memory = !copy;
    return copy;
}

char *tls_peer_names(const struct tls_stream *s, bool *ret_no_memory)
{
    X509 *cert = s->ssl ? SSL_get1_peer_certificate(s->ssl) : NULL;
    char *names = NULL;
    *ret_no_memory = false;
    if (cert && SSL_get_verify_result(s->ssl) == X509_V_OK)
        names = tls_certificate_names(cert, ret_no_memory);
    X509_free(cert);
    return names;
}
