/* tls: see tls.h. */
#include "broker/net/tls.h"

#include "proto/errors.h"
#include "tls/reason.h"
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SUBJECT_BYTES 256

/* In the order in which the server likes them: the quickest first, as all are strong. */
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

struct tls_context {
    SSL_CTX *ssl;
    int64_t expires_ms;
    char subject[SUBJECT_BYTES];
};

static int set_up(SSL_CTX *ssl, const struct tls_settings *settings, char *why, size_t why_bytes);
static int ask_clients(SSL_CTX *ssl, const struct tls_settings *settings, char *why, size_t why_bytes);
static void describe(struct tls_context *c);

int tls_context_new(const struct tls_settings *settings, struct tls_context **ret, char *why,
                    size_t why_bytes)
{
    struct tls_context *c = calloc(1, sizeof *c);
    SSL_CTX *ssl = c ? SSL_CTX_new(TLS_server_method()) : NULL;
    int err = ssl ? 0 : SHUNT_NO_MEMORY;
    if (err) {
        ERR_clear_error();
        (void)snprintf(why, why_bytes, "%s", err_text(err));
    }
    if (!err)
        err = set_up(ssl, settings, why, why_bytes);
    if (!err)
        err = tls_read_own(ssl, settings->cert, settings->key, why, why_bytes);
    if (!err && settings->client_auth != TLS_CLIENT_AUTH_OFF)
        err = ask_clients(ssl, settings, why, why_bytes);
    if (err) {
        SSL_CTX_free(ssl);
        free(c);
        return err;
    }
    c->ssl = ssl;
    describe(c);
    *ret = c;
    return 0;
}

void tls_context_free(struct tls_context *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->ssl); /* connections hold it, too */
    free(c);
}

SSL *tls_context_accept(const struct tls_context *c)
{
    SSL *ssl = SSL_new(c->ssl);
    if (ssl)
        SSL_set_accept_state(ssl);
    else
        ERR_clear_error();
    return ssl;
}

int64_t tls_context_expires_ms(const struct tls_context *c)
{
    return c->expires_ms;
}

const char *tls_context_subject(const struct tls_context *c)
{
    return c->subject;
}

/* No tickets and no cache: connections last, so a session that is taken up again saves next to nothing; it
 * would let in who was let in before tls-client-ca changed, and cost memory or bytes on the wire. No second
 * handshake on one connection. The end of a connection must be told. */
static int set_up(SSL_CTX *ssl, const struct tls_settings *settings, char *why, size_t why_bytes)
{
    int least = settings->version_min == 12 ? TLS1_2_VERSION : TLS1_3_VERSION;
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    (void)SSL_CTX_clear_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_num_tickets(ssl, 0) == 1 && SSL_CTX_set_min_proto_version(ssl, least) == 1 &&
        SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_cipher_list(ssl, TLS_CIPHERS_12) == 1 && SSL_CTX_set_ciphersuites(ssl, CIPHERS_13) == 1)
        return 0;
    char reason[TLS_REASON_BYTES];
    tls_reason(NULL, reason, sizeof reason);
    (void)snprintf(why, why_bytes, "OpenSSL refuses the settings of TLS: %s", reason);
    return SHUNT_IO;
}

/* The names of the authorities are sent, so that a client that has several certificates can choose. */
static int ask_clients(SSL_CTX *ssl, const struct tls_settings *settings, char *why, size_t why_bytes)
{
    int err = tls_read_authorities(ssl, settings->client_ca, why, why_bytes);
    if (err)
        return err;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(settings->client_ca);
    if (!names) {
        ERR_clear_error();
        (void)snprintf(why, why_bytes, "%.300s: no certificates of authorities in PEM", settings->client_ca);
        return SHUNT_BAD_ARGUMENT;
    }
    SSL_CTX_set_client_CA_list(ssl, names); /* takes them */
    SSL_CTX_set_verify(ssl,
                       settings->client_auth == TLS_CLIENT_AUTH_REQUIRE
                           ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                           : SSL_VERIFY_PEER,
                       NULL);
    return 0;
}

static void describe(struct tls_context *c)
{
    const X509 *cert = SSL_CTX_get0_certificate(c->ssl); /* it has one: it was read */
    struct tm at = {0};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &at) == 1)
        c->expires_ms = (int64_t)timegm(&at) * 1000;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_ONELINE) >= 0) {
        int size = BIO_read(bio, c->subject, sizeof c->subject - 1);
        c->subject[size > 0 ? size : 0] = '\0';
    }
    BIO_free(bio);
    ERR_clear_error();
}
