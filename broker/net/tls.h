/* tls: how the server presents itself to those who connect: its certificate and key, what it asks of clients,
 * and the versions of TLS that it speaks. Made from files; a reload makes another one for those who come, and
 * connections go on with the one that they began with. */
#ifndef SHUNT_NET_TLS_H
#define SHUNT_NET_TLS_H

#include "tls/files.h"
#include <stdint.h>

enum tls_client_auth {
    TLS_CLIENT_AUTH_OFF,     /* a client is asked for no certificate */
    TLS_CLIENT_AUTH_REQUEST, /* it may show one, which must be good */
    TLS_CLIENT_AUTH_REQUIRE, /* it must */
};

struct tls_settings {
    const char *cert;      /* file in PEM */
    const char *key;       /* the same */
    const char *client_ca; /* the same; NULL with TLS_CLIENT_AUTH_OFF */
    enum tls_client_auth client_auth;
    int version_min; /* 12 or 13 */
};

struct tls_context;

/* Read the files. On success `*ret` is the caller's.
 * fails: BAD_ARGUMENT, IO, NO_MEMORY, with a sentence in `why` (TLS_WHY_BYTES are enough). */
int tls_context_new(const struct tls_settings *settings, struct tls_context **ret, char *why,
                    size_t why_bytes);
/* Connections that were made with it go on. Takes NULL. */
void tls_context_free(struct tls_context *c);

/* The server's end of one connection, for the caller; NULL without memory. */
SSL *tls_context_accept(const struct tls_context *c);

/* When the certificate ends to be valid, in ms since 1970, and whose it is ("CN = broker.example"). */
int64_t tls_context_expires_ms(const struct tls_context *c);
const char *tls_context_subject(const struct tls_context *c);

#endif
