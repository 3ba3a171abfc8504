/* hello: how a connection that HTTP makes to this server begins. */
#ifndef SHUNT_HTTP_HELLO_H
#define SHUNT_HTTP_HELLO_H

#include "proto/mpack.h"

#define HELLO_ID 1

/* Append HELLO. `client`: what the HTTP client calls itself; cut if it is long. `auth`: the map of credentials, or empty. `watches`: it must be one that may
 * see what all topics do. `producer`: PRODUCER_ID_BYTES, or empty. */
void hello_write(struct mpack_buffer *to, const char *client, struct slice auth, bool watches,
                 struct slice producer);

#endif
