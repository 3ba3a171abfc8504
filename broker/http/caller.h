/* caller: who makes a request over HTTP, as the engine and the log know it. */
#ifndef SHUNT_HTTP_CALLER_H
#define SHUNT_HTTP_CALLER_H

#include "proto/limits.h"
#include <microhttpd.h>

#define CALLER_PEER_BYTES 64

struct caller {
    char peer[CALLER_PEER_BYTES];           /* address and port */
    char client[CLIENT_NAME_BYTES_MAX + 1]; /* `http`, and what it calls itself (User-Agent) */
};

void caller_of(struct MHD_Connection *connection, struct caller *ret);

#endif
