/* socket: a non-blocking TCP connection to the first address that takes it, with TLS on it if the URL wants it; or one to a
 * Unix-domain socket. */
#ifndef SHUNT_CLIENT_DRIVING_SOCKET_H
#define SHUNT_CLIENT_DRIVING_SOCKET_H

#include "client/driving/secure.h"
#include <netdb.h>

enum socket_state { SOCKET_CLOSED, SOCKET_CONNECTING, SOCKET_SECURING, SOCKET_OPEN };

struct socket {
    int fd; /* -1 when closed */
    enum socket_state state;
    struct addrinfo *addresses;
    struct addrinfo *next; /* not tried yet */
    const struct url_tls *tls;
    struct secure *secure; /* NULL: plain */
};

/* `tls` is lent while the socket is used. */
void socket_init(struct socket *s, const struct url_tls *tls);
/* Begin to connect. A host name is looked up first, which may wait for a name server; an address is not.
 * fails: UNREACHABLE, and what secure_new() says. After 0 the state is not CLOSED. */
int socket_connect(struct socket *s, const struct url *url, struct shunt_error *err);
/* The descriptor became ready while CONNECTING or SECURING: a step further, or on to the next address (a new fd).
 * fails: the same. */
int socket_continue(struct socket *s, const struct url *url, struct shunt_error *err);
/* What epoll_wait(2) should look for beside EPOLLIN: true while a write has to wait. */
bool socket_wants_to_write(const struct socket *s);
void socket_close(struct socket *s);
/* Tell the broker that nothing follows, without waiting; socket_close() does not. */
void socket_end(struct socket *s);

enum socket_got { SOCKET_GOT, SOCKET_NOTHING, SOCKET_ENDED, SOCKET_BROKEN };

/* While OPEN. GOT: 1 to `size` bytes, *ret of them; NOTHING now; ENDED by the broker; BROKEN, with why in `err`. */
enum socket_got socket_read(struct socket *s, const struct url *url, void *to, size_t size, size_t *ret,
                            struct shunt_error *err);
/* It may have more even if it filled less than its room; */
static inline bool socket_reads_in_parts(const struct socket *s)
{
    return s->secure != NULL;
}
/* and it has, whether or not anything comes. */
static inline bool socket_has_input(const struct socket *s)
{
    return s->secure && s->state == SOCKET_OPEN && secure_has_input(s->secure);
}

/* While OPEN. GOT: it took *ret bytes, and the rest may be tried at once; NOTHING: it took *ret, and is full; BROKEN.
 * What it took is sent if socket_is_clear(). */
enum socket_got socket_write(struct socket *s, const struct url *url, struct iovec *pieces, int count,
                             size_t *ret, struct shunt_error *err);
static inline bool socket_is_clear(const struct socket *s)
{
    return !s->secure || !secure_has_output(s->secure);
}

#endif
