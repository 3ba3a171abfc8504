/* certs: certificates and keys for tests, made when they are needed, in a directory of their own. */
#ifndef SHUNT_TESTS_TLS_CERTS_H
#define SHUNT_TESTS_TLS_CERTS_H

#include "broker/net/tls.h"
#include <stdbool.h>

#define CERT_PATH_BYTES 128

/* A certificate and its key, as files in PEM. */
struct cert_files {
    char cert[CERT_PATH_BYTES], key[CERT_PATH_BYTES];
};

struct certs {
    char dir[32];
    struct cert_files ca;      /* an authority, which has signed the next four */
    struct cert_files server;  /* for localhost and 127.0.0.1 */
    struct cert_files renewed; /* the same, with another key */
    struct cert_files expired; /* the same, and it has ended */
    struct cert_files client;
    struct cert_files stranger; /* its own authority */
};

void certs_make(struct certs *c);
void certs_remove(struct certs *c);

/* A server that shows `own`; asks clients as `auth` says. */
struct tls_context *server_context(const struct certs *c, const struct cert_files *own,
                                   enum tls_client_auth auth, int version_min);
/* The client's end: it trusts the authority, wants a certificate for localhost, and shows `own` (may be NULL). */
SSL *client_end(const struct certs *c, const struct cert_files *own, int version_max);

#endif
