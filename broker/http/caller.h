/* caller: who makes a request over HTTP, as the engine and the log know it. */
#ifndef SHUNT_HTTP_CALLER_H
#define SHUNT_HTTP_CALLER_H

#include "broker/http/login_header.h"
#include "proto/limits.h"
#include <microhttpd.h>
#include <sys/socket.h>

#define CALLER_PEER_BYTES 64

struct caller {
    struct login_header login; /* to be wiped: caller_done() */
    bool watches;              /* it wants to see what all topics do (watch.h) */
    /* Of its certificate, if that is to log it in (tls/peer_names.h); NULL: none. Lent by its connection. */
    const char *names;
    char peer[CALLER_PEER_BYTES];           /* address and port */
    char client[CLIENT_NAME_BYTES_MAX + 1]; /* `http`, and what it calls itself (User-Agent) */
};

/* Address and port; `http` of anything that is no IP address, or NULL. */
void caller_address(const struct sockaddr *address, char to[CALLER_PEER_BYTES]);

void caller_of(struct MHD_Connection *connection, struct caller *ret);
void caller_done(struct caller *c);

#endif
