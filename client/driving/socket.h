/* socket: a non-blocking TCP connection to the first address that takes it. */
#ifndef SHUNT_CLIENT_DRIVING_SOCKET_H
#define SHUNT_CLIENT_DRIVING_SOCKET_H

#include "client/driving/url.h"
#include <netdb.h>

enum socket_state { SOCKET_CLOSED, SOCKET_CONNECTING, SOCKET_OPEN };

struct socket {
    int fd; /* -1 when closed */
    enum socket_state state;
    struct addrinfo *addresses;
    struct addrinfo *next; /* not tried yet */
};

void socket_init(struct socket *s);
/* Begin to connect. A host name is looked up first, which may wait for a name server; an address is not.
 * fails: UNREACHABLE. After 0 the state is CONNECTING or OPEN. */
int socket_connect(struct socket *s, const struct url *url, struct shunt_error *err);
/* The descriptor became writable while CONNECTING: OPEN, or on to the next address (a new fd).
 * fails: UNREACHABLE when none is left. */
int socket_continue(struct socket *s, const struct url *url, struct shunt_error *err);
void socket_close(struct socket *s);

#endif
