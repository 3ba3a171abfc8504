/* hello: how a connection that HTTP makes to this server begins. */
#ifndef SHUNT_HTTP_HELLO_H
#define SHUNT_HTTP_HELLO_H

#include "proto/mpack.h"

#define HELLO_ID 1

/* Append HELLO. `client`: what the HTTP client calls itself; cut if it is long. `producer`: PRODUCER_ID_BYTES, or empty. */
void hello_write(struct mpack_buffer *to, const char *client, struct slice producer);

#endif
