/* login_header: who a client over HTTP says that it is, in the header Authorization: Basic with a user and its password, or Bearer with a token. */
#ifndef SHUNT_HTTP_LOGIN_HEADER_H
#define SHUNT_HTTP_LOGIN_HEADER_H

#include "base/slice.h"
#include <stdbool.h>
#include <stdint.h>

/* As HELLO's `auth` with whatever stands around the values. */
#define LOGIN_HEADER_AUTH_BYTES 1280
#define LOGIN_HEADER_HASH_BYTES 32

struct login_header {
    uint8_t auth[LOGIN_HEADER_AUTH_BYTES]; /* the map of HELLO's `auth` */
    size_t auth_size;                      /* 0: it says nothing, or nothing that can be understood */
    /* SHA-256 of that, or of the names: the same credentials have the same. */
    uint8_t hash[LOGIN_HEADER_HASH_BYTES];
};

/* Read the value of the header; NULL: there is none. Schemes that are not known are no login. `names`: of the certificate that logs the
 * client in, where there is no header; NULL: none does. */
void login_header_read(const char *value, const char *names, struct login_header *ret);
/* Wipe it. */
void login_header_done(struct login_header *h);

static inline struct slice login_header_auth(const struct login_header *h)
{
    return (struct slice){h->auth, h->auth_size};
}

#endif
