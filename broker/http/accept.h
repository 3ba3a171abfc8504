/* accept: takes connections from the listening socket and hands them to libmicrohttpd, which would loop
 * without end while accept() fails because there is no descriptor, and would leave a connection above its
 * limit without an answer. This thread rests when accepting fails, while peers wait in the kernel's queue;
 * and it answers a connection that comes when all places are taken (peers.h, refuse.h). */
#ifndef SHUNT_HTTP_ACCEPT_H
#define SHUNT_HTTP_ACCEPT_H

#include <stdbool.h>
#include <sys/socket.h>

#define ACCEPT_REST_MS 100 /* after a failure */

struct MHD_Daemon;
struct acceptor;
struct peers;
struct pump;

/* Hand it to libmicrohttpd as a connection from `from`, whose certificate carries `names` (tls/peer_names.h; NULL: it showed none). Takes `fd` and them if there
 * is a place; false: there is none. Any thread. */
bool acceptor_let_in(struct MHD_Daemon *daemon, struct peers *peers, int fd, const struct sockaddr *from,
                     socklen_t from_bytes, char *names);

/* Start its thread. Takes `fd` in any case; the daemon and the peers must outlive it, and so must the pump, which gets all
 * connections (NULL: they speak plainly).
 * fails: IO, NO_MEMORY. */
int acceptor_start(struct MHD_Daemon *daemon, int fd, struct peers *peers, struct pump *pump,
                   struct acceptor **ret);

/* Stop, close the listening socket, and free it. Takes NULL. */
void acceptor_stop(struct acceptor *a);

#endif
