/* certs: see certs.h. */
#include "tests/unit/tls/certs.h"

#include "base/check.h"
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct issuer {
    EVP_PKEY *key;
    X509 *cert;
};

static void extend(X509 *cert, X509 *issuer, int id, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, id, value);
    check(e);
    check(X509_add_ext(cert, e, -1) == 1);
    X509_EXTENSION_free(e);
}

/* A certificate that begins an hour ago and ends `ends_s` from now; without `by` it signs itself and others. */
static struct issuer issue(const char *name, const char *names, long ends_s, const struct issuer *by)
{
    static long serial = 1;
    struct issuer own = {.key = EVP_EC_gen("P-256"), .cert = X509_new()};
    check(own.key && own.cert);
    const struct issuer *issuer = by ? by : &own;
    X509_NAME *subject = X509_get_subject_name(own.cert);
    check(X509_set_version(own.cert, X509_VERSION_3) == 1);
    check(ASN1_INTEGER_set(X509_get_serialNumber(own.cert), serial++) == 1);
    check(X509_gmtime_adj(X509_getm_notBefore(own.cert), -7200) != NULL);
    check(X509_gmtime_adj(X509_getm_notAfter(own.cert), ends_s) != NULL);
    check(X509_set_pubkey(own.cert, own.key) == 1);
    check(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) ==
          1);
    check(X509_set_issuer_name(own.cert, X509_get_subject_name(issuer->cert)) == 1);
    extend(own.cert, issuer->cert, NID_basic_constraints, by ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (names)
        extend(own.cert, issuer->cert, NID_subject_alt_name, names);
    check(X509_sign(own.cert, issuer->key, EVP_sha256()) > 0);
    return own;
}

static void done(struct issuer i)
{
    EVP_PKEY_free(i.key);
    X509_free(i.cert);
}

static void save(const char *dir, const char *name, struct issuer i, struct cert_files *ret)
{
    (void)snprintf(ret->cert, sizeof ret->cert, "%s/%s.pem", dir, name);
    (void)snprintf(ret->key, sizeof ret->key, "%s/%s.key", dir, name);
    FILE *cert = fopen(ret->cert, "we"), *key = fopen(ret->key, "we");
    check(cert && key);
    check(PEM_write_X509(cert, i.cert) == 1);
    check(PEM_write_PrivateKey(key, i.key, NULL, NULL, 0, NULL, NULL) == 1);
    check(chmod(ret->key, 0600) == 0);
    check(fclose(cert) == 0 && fclose(key) == 0);
}

static void issue_to(struct certs *c, const char *name, const char *names, long ends_s,
                     const struct issuer *by, struct cert_files *ret)
{
    struct issuer i = issue(name, names, ends_s, by);
    save(c->dir, name, i, ret);
    done(i);
}

void certs_make(struct certs *c)
{
    static const char here[] = "DNS:localhost,IP:127.0.0.1";
    *c = (struct certs){.dir = "/tmp/shunt-certs-XXXXXX"};
    check(mkdtemp(c->dir) != NULL);
    struct issuer ca = issue("authority", NULL, 3600, NULL);
    save(c->dir, "authority", ca, &c->ca);
    issue_to(c, "server", here, 3600, &ca, &c->server);
    issue_to(c, "renewed", here, 3600, &ca, &c->renewed);
    issue_to(c, "expired", here, -60, &ca, &c->expired);
    issue_to(c, "client", "DNS:client", 3600, &ca, &c->client);
    issue_to(c, "stranger", "DNS:stranger", 3600, NULL, &c->stranger);
    done(ca);
}

void certs_remove(struct certs *c)
{
    struct cert_files *all[] = {&c->ca, &c->server, &c->renewed, &c->expired, &c->client, &c->stranger};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        (void)unlink(all[i]->cert); /* what is left shows in rmdir() */
        (void)unlink(all[i]->key);
    }
    check(rmdir(c->dir) == 0);
}

struct tls_context *server_context(const struct certs *c, const struct cert_files *own,
                                   enum tls_client_auth auth, int version_min)
{
    struct tls_settings settings = {.cert = own->cert,
                                    .key = own->key,
                                    .client_ca = auth == TLS_CLIENT_AUTH_OFF ? NULL : c->ca.cert,
                                    .client_auth = auth,
                                    .version_min = version_min};
    struct tls_context *context = NULL;
    char why[TLS_WHY_BYTES] = "";
    int err = tls_context_new(&settings, &context, why, sizeof why);
    if (err)
        (void)fprintf(stderr, "%s\n", why);
    check(err == 0);
    return context;
}

SSL *client_end(const struct certs *c, const struct cert_files *own, int version_max)
{
    char why[TLS_WHY_BYTES];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    check(ctx && tls_read_authorities(ctx, c->ca.cert, why, sizeof why) == 0);
    check(!own || tls_read_own(ctx, own->cert, own->key, why, sizeof why) == 0);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    check(SSL_CTX_set_max_proto_version(ctx, version_max == 12 ? TLS1_2_VERSION : TLS1_3_VERSION) == 1);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    check(ssl && SSL_set1_host(ssl, "localhost") == 1);
    SSL_set_connect_state(ssl);
    return ssl;
}
