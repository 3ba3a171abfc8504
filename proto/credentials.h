/* credentials: what HELLO's `auth` says: who somebody is, and how that is shown. */
#ifndef SHUNT_PROTO_CREDENTIALS_H
#define SHUNT_PROTO_CREDENTIALS_H

#include "proto/mpack.h"

/* What is said to a client that shows nothing. */
#define CREDENTIALS_WANTED "log in: this server wants a user and a password, a token, or a certificate"

enum mechanism { MECHANISM_NONE, MECHANISM_PASSWORD, MECHANISM_TOKEN };

/* Slices into what was read. */
struct credentials {
    enum mechanism mechanism;
    struct slice user, password; /* with PASSWORD */
    struct slice token;          /* with TOKEN, as text */
};

/* Read the map, which is valid msgpack; an empty slice is none. Keys that are not known are passed over; of one that comes twice the last
 * counts. False: it is not what it must be, and `*ret_why` is a static sentence, which quotes nothing. */
bool credentials_read(struct slice map, struct credentials *ret, const char **ret_why);

/* Append the map; nothing with NONE. */
void credentials_write(struct mpack_buffer *to, const struct credentials *c);

#endif
